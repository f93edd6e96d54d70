// From the hand to the 784 pixels that the networks know: strokes → ink → MNIST's geometry, a drawing as text for a
// link, and what can spoil a digit. `place` is vae_core/digitize.py's and `corrupt` vae_core/corruption.py's: the tests
// compare them. Images are Float32Array in [0, 1], white ink on black, row by row.

export const SIDE = 28; // pixels of an MNIST picture
export const BOX = 20; // pixels of the longer side of an MNIST digit

// Strokes --------------------------------------------------------------------------------------------------------------

/**
 * One straight piece of a stroke onto ink (height × width): round pen of `radius`, edges one pixel soft; (0, 0) is the
 * upper left corner of the picture. Ink only ever grows, so that pieces may overlap and a brush step costs one call.
 */
export function drawSegment(ink, width, x0, y0, x1, y1, radius) {
  const height = ink.length / width;
  const reach = radius + 0.5;
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const right = Math.min(width - 1, Math.ceil(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(y0, y1) + reach));
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length2 = dx * dx + dy * dy;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5 - x0;
      const py = y + 0.5 - y0;
      const t = length2 ? Math.min(1, Math.max(0, (px * dx + py * dy) / length2)) : 0;
      const cover = Math.min(1, reach - Math.hypot(px - t * dx, py - t * dy));
      if (cover > ink[y * width + x]) ink[y * width + x] = cover;
    }
  }
}

/** Whole strokes, each [x0, y0, x1, y1, …], onto empty ink: for undo, replay and links. A lone point is a dot. */
export function drawStrokes(strokes, width, height, radius, ink = new Float32Array(width * height)) {
  ink.fill(0);
  for (const s of strokes) {
    for (let i = 0; i < Math.max(1, s.length - 2); i += 2) {
      const j = Math.min(i + 2, s.length - 2);
      drawSegment(ink, width, s[i], s[i + 1], s[j], s[j + 1], radius);
    }
  }
  return ink;
}

/** The pen radius that gives strokes MNIST's weight (3 pixels of the 20) once `place` has scaled them. */
export function penRadius(strokes, smallest = 0.5) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const s of strokes) {
    for (let i = 0; i < s.length; i += 2) {
      left = Math.min(left, s[i]);
      right = Math.max(right, s[i]);
      top = Math.min(top, s[i + 1]);
      bottom = Math.max(bottom, s[i + 1]);
    }
  }
  const side = Math.max(right - left, bottom - top, 0);
  return Math.max(smallest, ((3 / 2) * side) / (BOX - 3)); // the pen itself adds its width to the box
}

// Geometry -------------------------------------------------------------------------------------------------------------

/**
 * MNIST's geometry: ink (height × width, any size) → 784 pixels. Cropped, the longer side scaled to 20 pixels, moved by
 * whole pixels until the centre of mass is pixel (14, 14). All zeros where there is no ink.
 * @param {Float32Array} ink @param {number} width @param {Float32Array} out
 */
export function place(ink, width, out = new Float32Array(SIDE * SIDE)) {
  out.fill(0);
  const box = bounds(ink, width);
  if (!box) return out;
  const [left, top, w, h] = box;
  let digit = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) digit[y * w + x] = Math.min(1, Math.max(0, ink[(top + y) * width + left + x]));
  }
  const scale = BOX / Math.max(w, h);
  const W = Math.max(1, roundHalfEven(w * scale));
  const H = Math.max(1, roundHalfEven(h * scale));
  if (W !== w || H !== h) {
    const filter = scale < 1 ? AREA : BICUBIC;
    digit = transpose(resizeRows(transpose(resizeRows(digit, w, W, filter), W), h, H, filter), H);
    for (let i = 0; i < digit.length; i++) digit[i] = Math.min(1, Math.max(0, digit[i]));
  }
  let [mass, mx, my] = [0, 0, 0];
  for (let y = 0; y < H; y++) {
    for (let x = 0; x < W; x++) {
      const v = digit[y * W + x];
      mass += v;
      mx += v * x;
      my += v * y;
    }
  }
  // A symmetrical digit is off by exactly half a pixel: to four decimals, where the last bit of a sum decides nothing.
  const whole = (centre, side) => Math.min(SIDE - side, Math.max(0, roundHalfEven(Math.round(1e4 * (14 - centre)) / 1e4)));
  const [x0, y0] = [whole(mx / mass, W), whole(my / mass, H)];
  for (let y = 0; y < H; y++) out.set(digit.subarray(y * W, (y + 1) * W), (y0 + y) * SIDE + x0);
  return out;
}

/**
 * The whole square canvas (size × size) shrunk to 784 pixels by area, where it was drawn: centring off.
 * @param {Float32Array} ink @param {number} size @param {Float32Array} out
 */
export function shrink(ink, size, out = new Float32Array(SIDE * SIDE)) {
  const small = transpose(resizeRows(transpose(resizeRows(ink, size, SIDE, AREA), SIDE), size, SIDE, AREA), SIDE);
  out.set(small);
  return out;
}

/** [left, top, width, height] of what is not zero; null where nothing is. */
function bounds(ink, width) {
  let [left, right, top, bottom] = [Infinity, -1, -1, -1];
  for (let i = 0; i < ink.length; i++) {
    if (!(ink[i] > 0)) continue;
    const x = i % width;
    bottom = (i - x) / width;
    if (top < 0) top = bottom;
    if (x < left) left = x;
    if (x > right) right = x;
  }
  return top < 0 ? null : [left, top, right - left + 1, bottom - top + 1];
}

/** Python's round: halves go to the even neighbour. */
function roundHalfEven(v) {
  const floor = Math.floor(v);
  if (v - floor !== 0.5) return Math.round(v);
  return floor % 2 ? floor + 1 : floor;
}

const AREA = { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const BICUBIC = {
  support: 2,
  weight(x) { // Keys 1981 with a = −1/2
    const v = Math.abs(x);
    if (v < 1) return (1.5 * v - 2.5) * v * v + 1;
    return v < 2 ? ((-0.5 * v + 2.5) * v - 4) * v + 2 : 0;
  },
};

/** Every row of a picture from `from` to `to` pixels, exactly as Pillow's Image.resize does for floats (Resample.c). */
function resizeRows(image, from, to, { support, weight }) {
  const rows = image.length / from;
  const out = new Float32Array(rows * to);
  const scale = from / to;
  const stretch = Math.max(1, scale); // on the way down the filter widens, on the way up it does not narrow
  for (let x = 0; x < to; x++) {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support * stretch + 0.5));
    const end = Math.min(from, Math.trunc(centre + support * stretch + 0.5));
    const weights = [];
    let total = 0;
    for (let i = first; i < end; i++) {
      const w = weight((i - centre + 0.5) / stretch);
      weights.push(w);
      total += w;
    }
    for (let y = 0; y < rows; y++) {
      let sum = 0;
      for (let i = first; i < end; i++) sum += image[y * from + i] * (weights[i - first] / total);
      out[y * to + x] = sum;
    }
  }
  return out;
}

function transpose(image, width) {
  const height = image.length / width;
  const out = new Float32Array(image.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[x * height + y] = image[y * width + x];
  return out;
}

// Links ----------------------------------------------------------------------------------------------------------------

/** 784 pixels → 131 characters that may stand in a link: one bit a pixel (≥ 0.5), base64url. */
export function toText(pixels) {
  const bytes = new Uint8Array((SIDE * SIDE) / 8);
  for (let i = 0; i < pixels.length; i++) if (pixels[i] >= 0.5) bytes[i >> 3] |= 128 >> (i & 7);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** The reverse; null for a text that is not such a drawing, since links get cut. */
export function fromText(text) {
  let bytes;
  try {
    bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  } catch {
    return null;
  }
  if (bytes.length !== (SIDE * SIDE) / 8) return null;
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => (bytes.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1);
}

// Corruption -----------------------------------------------------------------------------------------------------------

/** One pixel after the other, each with a number of its own from a Random. */
const byPixel = (spoil) => (x, amount, random, out) => {
  for (let i = 0; i < x.length; i++) out[i] = spoil(x[i], amount, random);
  return out;
};

/** What spoils a digit, by its name in vae_core/corruption.py: (x, amount, random, out) → out. */
export const SPOIL = {
  masking: byPixel((v, share, random) => (random.uniform() < share ? 0 : v)),
  salt_pepper: byPixel((v, share, random) => {
    const u = random.uniform();
    return u >= share ? v : u < share / 2 ? 1 : 0; // the lower half turns white
  }),
  gaussian: byPixel((v, sigma, random) => Math.min(1, Math.max(0, v + sigma * random.normal()))),
  blur: (x, sigma, random, out) => blur(x, sigma, out),
};

/**
 * Spoil images x (n × 784) by kind and amount, with numbers from a Random (random.mjs). A new Random of the same seed
 * spoils the same pixels first, so that a slider moves smoothly.
 * @param {Float32Array} x @param {string} kind @param {number} amount
 * @param {import("../engine/random.mjs").Random} random @param {Float32Array} out
 */
export function corrupt(x, kind, amount, random, out = new Float32Array(x.length)) {
  if (!Object.hasOwn(SPOIL, kind)) {
    throw new RangeError(`Corruption must be one of ${Object.keys(SPOIL).join(", ")}; got ${kind}.`);
  }
  if (!(amount >= 0)) throw new RangeError(`The amount of a corruption cannot be negative; got ${amount}.`);
  return SPOIL[kind](x, amount, random, out);
}

/** Separable Gaussian blur with zeros outside: ink leaves at the edge. */
function blur(x, sigma, out) {
  const s = Math.max(sigma, 1e-3);
  const kernel = Array.from({ length: SIDE + 1 }, (_, d) => Math.exp((-0.5 * d * d) / (s * s)));
  const norm = kernel.reduce((sum, k) => sum + k, 0) * 2 - kernel[0];
  const rows = new Float64Array(SIDE * SIDE);
  for (let n = 0; n < x.length; n += SIDE * SIDE) {
    for (let y = 0; y < SIDE; y++) {
      for (let j = 0; j < SIDE; j++) {
        let sum = 0;
        for (let i = 0; i < SIDE; i++) sum += kernel[Math.abs(i - j)] * x[n + y * SIDE + i];
        rows[y * SIDE + j] = sum / norm;
      }
    }
    for (let y = 0; y < SIDE; y++) {
      for (let j = 0; j < SIDE; j++) {
        let sum = 0;
        for (let i = 0; i < SIDE; i++) sum += kernel[Math.abs(i - y)] * rows[i * SIDE + j];
        out[n + y * SIDE + j] = Math.min(1, sum / norm);
      }
    }
  }
  return out;
}
