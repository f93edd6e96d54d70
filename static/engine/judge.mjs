// The judge of vae_core/judge.py: a small convolutional network that says whether a picture is a digit. No DOM.

import { EngineError, readTensors } from "./safetensors.mjs";

const SIDE = 28;
const DIGITS = 10;
/** @type {[number, boolean][]} */
const CONVOLUTIONS = [[0, true], [3, false], [5, true], [8, false], [10, true]]; // number of the layer, and whether a pool follows
const DENSE = [14, 16];

/** @typedef {{nIn: number, nOut: number, size: number, pool: boolean, weights: Float64Array, bias: Float32Array}} Layer
 * size: of its square input; weights: [place in 3 × 3][in][out], doubles, which V8 need not convert */

export class Judge {
  /** @param {Uint8Array | ArrayBuffer} buffer the bytes of its weights @param {number} threshold from which a score is a digit's */
  constructor(buffer, threshold) {
    const tensors = readTensors(buffer);
    this.threshold = threshold;
    const tensor = (name) => {
      const found = tensors.get(`network.${name}`);
      if (!found) throw new EngineError(`The judge's weights lack network.${name}. Restore checkpoints/judge.`);
      return found;
    };
    let size = SIDE;
    /** @type {Layer[]} */
    this.convolutions = CONVOLUTIONS.map(([n, pool]) => {
      const { shape: [nOut, nIn], values } = tensor(`${n}.weight`);
      if (nOut % 4) throw new EngineError(`Expected a multiple of 4 channels of the judge, got ${nOut}. Restore checkpoints/judge.`);
      const layer = { nIn, nOut, size, pool, weights: new Float64Array(9 * nIn * nOut), bias: tensor(`${n}.bias`).values };
      for (let o = 0; o < nOut; o++) {
        for (let i = 0; i < nIn; i++) for (let k = 0; k < 9; k++) layer.weights[(k * nIn + i) * nOut + o] = values[(o * nIn + i) * 9 + k];
      }
      if (pool) size >>= 1;
      return layer;
    });
    this.dense = DENSE.map((n) => ({ shape: tensor(`${n}.weight`).shape, weights: tensor(`${n}.weight`).values, bias: tensor(`${n}.bias`).values }));
    const [last] = this.convolutions.slice(-1);
    if (this.dense[0].shape[1] !== last.nOut * size * size || this.dense[1].shape[0] !== DIGITS + 1) {
      throw new EngineError("The judge's layers do not fit each other. Restore checkpoints/judge.");
    }
    this.places = size * size;
  }

  /** Logits of one picture (784 numbers in [0, 1]): the ten digits, then "no digit". @param {Float32Array} x */
  logits(x) {
    /** @type {Float32Array | Float64Array} */
    let h = x;
    for (const layer of this.convolutions) h = convolved(h, layer);
    const { places } = this;
    const channels = h.length / places;
    // Python flattens channel by channel, here a place's channels stand together.
    let seen = Float64Array.from(h, (_, i) => h[(i % places) * channels + Math.floor(i / places)]);
    for (const [k, { shape: [nOut, nIn], weights, bias }] of this.dense.entries()) {
      seen = Float64Array.from({ length: nOut }, (_, o) => {
        let sum = bias[o];
        for (let i = 0; i < nIn; i++) sum += weights[o * nIn + i] * seen[i];
        return k === 0 ? Math.max(0, sum) : sum;
      });
    }
    return seen;
  }

  /** Which of the ten digits it looks like most. @param {Float32Array} x */
  label(x) {
    const digits = this.logits(x).subarray(0, DIGITS);
    return digits.indexOf(digits.reduce((a, b) => Math.max(a, b)));
  }

  /** How far above the threshold log p(a digit | x) − log p(no digit | x) lies, in nats: a digit from 0 on.
   * @param {Float32Array} x */
  margin(x) {
    const logits = this.logits(x);
    const most = logits.subarray(0, DIGITS).reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (let y = 0; y < DIGITS; y++) sum += Math.exp(logits[y] - most);
    return most + Math.log(sum) - logits[DIGITS] - this.threshold;
  }
}

/** 3 × 3 with a rim of zeros, the largest of each 2 × 2 where a pool follows, then ReLU; a place's channels together.
 * @param {Float32Array | Float64Array} x @param {Layer} layer */
function convolved(x, { nIn, nOut, size, pool, weights, bias }) {
  const out = new Float64Array(size * size * nOut);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const to = (row * size + column) * nOut;
      for (let o = 0; o < nOut; o++) out[to + o] = bias[o];
      for (let k = 0; k < 9; k++) {
        const [v, u] = [row + Math.floor(k / 3) - 1, column + (k % 3) - 1];
        if (v < 0 || u < 0 || v >= size || u >= size) continue;
        const from = (v * size + u) * nIn;
        for (let i = 0; i < nIn; i++) {
          const value = x[from + i];
          if (value === 0) continue; // half of what a ReLU lets through, and the black of a picture
          const w = (k * nIn + i) * nOut;
          for (let o = 0; o < nOut; o += 4) { // by four it takes half the time
            out[to + o] += value * weights[w + o];
            out[to + o + 1] += value * weights[w + o + 1];
            out[to + o + 2] += value * weights[w + o + 2];
            out[to + o + 3] += value * weights[w + o + 3];
          }
        }
      }
    }
  }
  const half = pool ? size >> 1 : size;
  const result = pool ? new Float64Array(half * half * nOut) : out;
  for (let row = 0; row < half; row++) {
    for (let column = 0; column < half; column++) {
      const to = (row * half + column) * nOut;
      for (let o = 0; o < nOut; o++) {
        let most = out[((pool ? 2 * row * size + 2 * column : row * size + column)) * nOut + o];
        if (pool) {
          const at = (2 * row * size + 2 * column) * nOut + o;
          most = Math.max(most, out[at + nOut], out[at + size * nOut], out[at + (size + 1) * nOut]);
        }
        result[to + o] = Math.max(0, most);
      }
    }
  }
  return result;
}
