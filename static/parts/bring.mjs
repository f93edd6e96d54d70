// A file that a visitor brings, as it travels to Python: small, and as text, since messages are JSON.

const SIDE = 1000; // pixels of the longer side; the digitizer works on less
const LIMIT = 5e6; // bytes, as .streamlit/config.toml has it for uploads and ui/live/messages.py for what comes by message
const HEIF = /^ftyp(hei[cxms]|hev[cxms]|heif|mi[af]1|msf1)/; // after the box's size, what phones write
const AVIF = /^ftypavi[fs]/; // Python reads none, however small: nobody can tell beforehand what it will take
const LARGE = `This file is too large: bring a picture of at most ${LIMIT / 1e6} MB.`;
const HEIC = "This is a HEIC picture, which only some programs read: save it as JPEG and bring that.";

/** A file's name as it may travel: 80 characters, none of them half a one. */
export const short = (name) => [...name.replace(/\p{Surrogate}/gu, "")].slice(0, 80).join("");

/**
 * picture: base64 of a file that Pillow may read; error: one sentence.
 * @param {File} file @returns {Promise<{picture?: string, error?: string}>}
 */
export async function packed(file) {
  /** @type {Blob} */
  let blob = file;
  try {
    const form = await head(file);
    const heif = HEIF.test(form);
    const image = await read(file);
    if (!image && heif) return { error: HEIC };
    if (image) {
      blob = await shrunk(image, heif || AVIF.test(form)) ?? file;
      image.close();
    } // else no picture, or one that this browser cannot read: Python will say what is wrong with it
    if (blob.size > LIMIT) return { error: LARGE };
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return { picture: btoa(text) };
  } catch { // it was moved or deleted since it was chosen, or is a folder
    return { error: "This file cannot be opened: choose it again." };
  }
}

/** What a file says that it is, whatever its name says. */
async function head(file) {
  return String.fromCharCode(...new Uint8Array(await file.slice(4, 12).arrayBuffer()));
}

async function read(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
}

/** The picture with a longer side of at most `SIDE`, as PNG; null where it is small enough as it came. */
async function shrunk(image, always) {
  const share = Math.min(1, SIDE / Math.max(image.width, image.height));
  if (share === 1 && !always) return null;
  const side = (length) => Math.max(1, Math.round(length * share));
  const canvas = new OffscreenCanvas(side(image.width), side(image.height));
  const ctx = canvas.getContext("2d");
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/png" });
}
