// A file that a visitor brings, as it travels to Python: small, and as text, since messages are JSON.

const SIDE = 1000; // pixels of the longer side; the digitizer works on less
const LIMIT = 5e6; // bytes, as .streamlit/config.toml has it for uploads

/** File → {picture: base64 of a file that Pillow may read} or {error: one sentence}. */
export async function packed(file) {
  let blob = file;
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const share = SIDE / Math.max(image.width, image.height);
    if (share < 1) {
      const canvas = new OffscreenCanvas(Math.round(image.width * share), Math.round(image.height * share));
      const ctx = canvas.getContext("2d");
      ctx.imageSmoothingQuality = "high";
      ctx.drawImage(image, 0, 0, canvas.width, canvas.height);
      blob = await canvas.convertToBlob({ type: "image/png" });
    }
    image.close();
  } catch { /* no picture, or one that this browser cannot read: Python will say what is wrong with it */ }
  if (blob.size > LIMIT) return { error: "This file is too large: bring a picture of at most 5 MB." };
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return { picture: btoa(text) };
}
