// How far restored pixels are from the clean ones, and the restorer that needs no network: `restoration` and
// `median_filter` of vae_core/metrics.py, which tests compare. No DOM.

import { SIDE } from "./digit.mjs";

const FLOOR = 1e-4; // a probability stays this far from 0 and 1: a spoilt picture is none
const LEAST = 1e-9; // of an MSE: a perfect picture has 90 dB

/**
 * @typedef {object} Restoration of one image
 * @property {number} nats cross-entropy against the clean image
 * @property {number} mse
 * @property {number} psnr dB
 * @property {number} wrong share of pixels that differ after thresholding at 0.5
 */

/** pixels in [0, 1] against clean ones in {0, 1}. @returns {Restoration} */
export function restoration(pixels, clean) {
  let [nats, squares, wrong] = [0, 0, 0];
  for (let i = 0; i < clean.length; i++) {
    const p = Math.min(1 - FLOOR, Math.max(FLOOR, pixels[i]));
    nats -= clean[i] * Math.log(p) + (1 - clean[i]) * Math.log(1 - p);
    squares += (pixels[i] - clean[i]) ** 2;
    wrong += Number((pixels[i] >= 0.5) !== (clean[i] >= 0.5));
  }
  const mse = squares / clean.length;
  return { nats, mse, psnr: -10 * Math.log10(Math.max(mse, LEAST)), wrong: wrong / clean.length };
}

/** The median of each size × size neighbourhood of one image, zeros outside; size is odd. */
export function medianFilter(x, size, out = new Float32Array(x.length)) {
  const reach = (size - 1) / 2;
  const near = new Float32Array(size * size);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      let n = 0;
      for (let y = row - reach; y <= row + reach; y++) {
        for (let c = column - reach; c <= column + reach; c++, n++) {
          near[n] = y >= 0 && y < SIDE && c >= 0 && c < SIDE ? x[y * SIDE + c] : 0;
        }
      }
      out[row * SIDE + column] = near.sort()[(near.length - 1) / 2];
    }
  }
  return out;
}
