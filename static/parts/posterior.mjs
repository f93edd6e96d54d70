// The true posterior p(z | x) of one digit as a picture that follows the hand. Two latent dimensions and Bernoulli
// pixels. No DOM but for the heat maps. vae_core/likelihood.py does the same exactly; this is as exact as a screen shows.
// The Studio needs it, whose digit changes with every stroke. static/views/bound/posterior.mjs computes none of this: it is
// the view of a posterior that Python has integrated, under a q that the hand pulls.
//
// A lattice is decoded once: then log p(x | z) on all of it is −Σ softplus + the sum of the logits of the pixels that are
// on, which is 120 additions a place. Between its places log p(x, z) is smooth where p(z | x) is not, so it is the
// logarithm that is interpolated. When the hand rests, whatever can matter is decoded at half the step, again and again.

import { PIXELS, slices } from "../engine/engine.mjs";
import { Heat } from "./heat.mjs";

export const SIDE = 64; // cells along the lattice
const REACH = 4; // it covers ±REACH
const STEP = (2 * REACH) / SIDE;
const CELLS = SIDE * SIDE;
const TOGETHER = 16; // codes decoded at a time: as many as the engine keeps in the cache
const BUDGET = 8; // milliseconds of a slice
const REST = 80; // milliseconds without a change until the hand counts as resting
const SETTLE = 100; // milliseconds that another label must stay: under a hand the guess flickers
const DROP = 10; // nats below the top where a place no longer shows
const CORE = 4; // nats below the top down to which the step must resolve the posterior
const RESOLVED = 0.25; // nats of second difference: a step of half a σ
const MOST = 3000; // cells of a level: a posterior as wide as that shows on the lattice already
const FINEST = 6; // halvings
const SAMPLES = 16384; // places that the interpolation is asked for
const MAP = 128; // cells of the map's picture, a side
const LENS = 96; // of the lens's
const ELLIPSE = 96; // of the sum over an ellipse
const KEY = 1 << 13; // more than the finest level has cells a side: j · KEY + i is a cell's key
const EVERYWHERE = [-REACH, -REACH, REACH, REACH];

const centre = (i, step) => -REACH + (i + 0.5) * step;
const logPrior = (x, y) => -0.5 * (x * x + y * y) - Math.log(2 * Math.PI);

/** log p(x, z) on cells of one size; most of a fine level's are not known, and hold next to nothing. */
class Field {
  /** values: Map from key to nats, or Float32Array CELLS for the lattice. */
  constructor(step, values) {
    this.step = step;
    this.values = values;
    this.sparse = values instanceof Map;
    this.best = -Infinity; // nats
    for (const v of values.values()) if (v > this.best) this.best = v;
    this.floor = this.best - 3 * DROP; // of what a fine level does not know
  }

  at(i, j) {
    if (this.sparse) return this.values.get(j * KEY + i) ?? this.floor;
    const clamp = (k) => Math.min(SIDE - 1, Math.max(0, k));
    return this.values[clamp(j) * SIDE + clamp(i)];
  }

  /** How much higher than at its middle the posterior may be on a cell: its second differences, nats. */
  bend(i, j, v) {
    let sum = 0;
    for (const [di, dj] of [[1, 0], [0, 1]]) {
      const [a, b] = [this.at(i - di, j - dj), this.at(i + di, j + dj)];
      sum += Math.max(0, 2 * v - a - b);
    }
    return sum;
  }

  /** [i, j] of the cells that can matter. */
  cells() {
    const found = [];
    const visit = (v, i, j) => {
      if (v > this.best - 40 * DROP && v + this.bend(i, j, v) > this.best - DROP) found.push([i, j]);
    };
    if (this.sparse) for (const [key, v] of this.values) visit(v, key % KEY, Math.floor(key / KEY));
    else for (let k = 0; k < CELLS; k++) visit(this.values[k], k % SIDE, (k / SIDE) | 0);
    return found;
  }

  /** The step is at most half of the posterior's σ where most of the mass lies. */
  resolved(cells) {
    return cells.every(([i, j]) => {
      const v = this.at(i, j);
      return v < this.best - CORE || this.bend(i, j, v) < 2 * RESOLVED;
    });
  }

  /** log p(x, z) at the middles of an n × n picture of bounds, row 0 on top. @param {number[]} bounds @param {number} n */
  raster([left, bottom, right, top], n, out = new Float32Array(n * n)) {
    const place = (from, to) => Float32Array.from({ length: n }, (_, k) => (from + ((k + 0.5) / n) * (to - from) + REACH) / this.step - 0.5);
    const [across, up] = [place(left, right), place(top, bottom)];
    const [i0, j0] = [Math.floor(across[0]) - 1, Math.floor(up[n - 1]) - 1];
    const rows = Math.floor(up[0]) + 3 - j0;
    const columns = Math.floor(across[n - 1]) + 3 - i0;
    const known = Float32Array.from({ length: rows * columns }, (_, k) => this.at(i0 + (k % columns), j0 + Math.floor(k / columns)));
    const wide = new Float32Array(rows * n);
    for (let k = 0; k < n; k++) {
      const i = Math.floor(across[k]);
      const [a, b, c, d] = spline(across[k] - i);
      for (let row = 0, at = i - 1 - i0; row < rows; row++, at += columns) {
        wide[row * n + k] = a * known[at] + b * known[at + 1] + c * known[at + 2] + d * known[at + 3];
      }
    }
    for (let row = 0; row < n; row++) {
      const j = Math.floor(up[row]);
      const [a, b, c, d] = spline(up[row] - j);
      for (let k = 0, at = (j - 1 - j0) * n; k < n; k++, at++) {
        out[row * n + k] = a * wide[at] + b * wide[at + n] + c * wide[at + 2 * n] + d * wide[at + 3 * n];
      }
    }
    return out;
  }

  /** The mass that lies on each cell of the map's picture, over exp(best). {top: the highest log p(x, z) met, total}. */
  gather(out) {
    out.fill(0);
    const cells = this.cells();
    const fine = Math.max(2, Math.min(16, Math.floor(Math.sqrt(SAMPLES / Math.max(1, cells.length))))); // parts of a cell
    const weights = Array.from({ length: fine }, (_, k) => {
      const t = (k + 0.5) / fine - 0.5;
      return t < 0 ? [-1, ...spline(t + 1)] : [0, ...spline(t)];
    });
    const known = new Float64Array(25); // the cell and two neighbours on each side
    const wide = new Float64Array(5);
    const area = (this.step / fine) ** 2;
    let [top, total] = [-Infinity, 0];
    for (const [i, j] of cells) {
      for (let k = 0; k < 25; k++) known[k] = this.at(i - 2 + (k % 5), j - 2 + ((k / 5) | 0));
      for (let u = 0; u < fine; u++) {
        const [shift, a, b, c, d] = weights[u];
        for (let row = 0, at = 1 + shift; row < 5; row++, at += 5) {
          wide[row] = a * known[at] + b * known[at + 1] + c * known[at + 2] + d * known[at + 3];
        }
        const column = Math.floor(((i + (u + 0.5) / fine) * this.step * MAP) / (2 * REACH));
        for (let v = 0; v < fine; v++) {
          const [rise, e, f, g, h] = weights[v];
          const at = 1 + rise;
          const value = e * wide[at] + f * wide[at + 1] + g * wide[at + 2] + h * wide[at + 3];
          if (value > top) top = value;
          const row = MAP - 1 - Math.floor(((j + (v + 0.5) / fine) * this.step * MAP) / (2 * REACH));
          const mass = area * Math.exp(value - this.best);
          out[row * MAP + column] += mass;
          total += mass;
        }
      }
    }
    return { top, total };
  }
}

/** Weights of four neighbours for a place t of the way from the second to the third (Catmull and Rom): exact for parabolas. */
function spline(t) {
  return [
    0.5 * t * (t * (2 - t) - 1), 0.5 * (t * t * (3 * t - 5) + 2), 0.5 * t * (t * (4 - 3 * t) + 1), 0.5 * t * t * (t - 1),
  ];
}

export class Posterior {
  /**
   * changed(): there is more to see than before.
   * @param {import("../engine/engine.mjs").Model} model @param {() => void} changed
   */
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.rows = new Float32Array(PIXELS * CELLS); // logits, a pixel after the other: 12.8 MB
    this.base = new Float32Array(CELLS); // log p(z) − Σ softplus
    this.joint = new Float32Array(CELLS);
    this.x = new Uint8Array(PIXELS);
    this.mass = new Float32Array(MAP * MAP); // on each cell of the map's picture
    this.wide = new Float32Array(MAP * MAP);
    this.lensRaster = new Float32Array(LENS * LENS);
    this.heat = new Heat({ bounds: EVERYWHERE, n: MAP, data: new Uint8Array(MAP * MAP) });
    this.lensHeat = new Heat({ bounds: EVERYWHERE, n: LENS, data: new Uint8Array(LENS * LENS) });
    this.label = undefined; // that is asked for
    this.decoded = undefined; // of the lattice
    this.done = 0; // cells of the lattice that are decoded
    /** @type {Field | null} the finest so far */
    this.field = null;
    this.refined = false; // it is the finest of all
    this.top = -Infinity; // of its log p(x, z), between its places too
    this.total = 0; // of its mass
    /** @type {[number, number]} where the map's picture is heaviest */
    this.peak = [0, 0];
    this.lens = null; // what the lens's picture is of
    this.settling = null; // a timer: another label
    this.waiting = null; // a timer: the hand rests
    /** @type {AbortController | null} */
    this.building = null; // ends the decoding of the lattice
    /** @type {AbortController | null} */
    this.refining = null; // ends the halving
  }

  get ready() {
    return this.done === CELLS && this.decoded === this.label;
  }

  /** How much of the lattice is decoded, 0 … 1. */
  get share() {
    return this.decoded === this.label ? this.done / CELLS : 0;
  }

  /** The digit as the likelihood sees it, and the label: the next pictures are of these. Cheap where nothing is new.
   * @param {Float32Array} x @param {number | null} label */
  show(x, label) {
    if (label !== this.label) {
      clearTimeout(this.settling);
      this.#pause();
      const first = this.label === undefined;
      this.label = label;
      this.field = null;
      this.refined = false;
      if (first) this.#decode(label);
      else if (label !== this.decoded) this.settling = setTimeout(() => this.#decode(label), SETTLE);
    }
    let other = !this.field;
    for (let i = 0; i < PIXELS; i++) {
      if (this.x[i] === x[i]) continue;
      this.x[i] = x[i];
      other = true;
    }
    if (other && this.ready) this.#see();
  }

  /** Nothing is computed any more; the memory goes with the object. */
  stop() {
    clearTimeout(this.settling);
    this.building?.abort();
    this.#pause();
  }

  #pause() {
    clearTimeout(this.waiting);
    this.refining?.abort();
  }

  /** Decode the lattice under a label. */
  async #decode(label) {
    this.stop();
    this.decoded = label;
    this.done = 0;
    const { model, rows, base } = this;
    const { signal } = (this.building = new AbortController());
    const z = new Float32Array(2 * TOGETHER);
    const logits = new Float32Array(TOGETHER * PIXELS);
    const work = (part) => {
      const from = part * TOGETHER;
      for (let k = 0; k < TOGETHER; k++) {
        z[2 * k] = centre((from + k) % SIDE, STEP);
        z[2 * k + 1] = centre(Math.floor((from + k) / SIDE), STEP);
      }
      model.logits(z, label, logits);
      for (let k = 0; k < TOGETHER; k++) {
        let sum = 0;
        for (let p = 0; p < PIXELS; p++) {
          const l = logits[k * PIXELS + p];
          sum += Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l)));
        }
        base[from + k] = logPrior(z[2 * k], z[2 * k + 1]) - sum;
      }
      for (let p = 0; p < PIXELS; p++) {
        for (let k = 0, to = p * CELLS + from; k < TOGETHER; k++, to++) rows[to] = logits[k * PIXELS + p];
      }
    };
    for await (const [, to] of slices(CELLS / TOGETHER, work, { budget: BUDGET, signal })) {
      if (signal.aborted) return;
      this.done = to * TOGETHER;
      if (this.ready) this.#see(); // not where the label has changed meanwhile, perhaps to come back
      this.changed();
    }
  }

  /** log p(x, z) on the lattice, and what is seen of it. */
  #see() {
    const { rows, joint, x } = this;
    this.#pause();
    joint.set(this.base);
    const on = [];
    for (let p = 0; p < PIXELS; p++) if (x[p]) on.push(p * CELLS);
    let n = 0;
    for (; n + 4 <= on.length; n += 4) { // four at a time: the sums are read and written a quarter as often
      const [a, b, c, d] = on.slice(n, n + 4);
      for (let k = 0; k < CELLS; k++) joint[k] += rows[a + k] + rows[b + k] + (rows[c + k] + rows[d + k]);
    }
    for (; n < on.length; n++) for (let k = 0; k < CELLS; k++) joint[k] += rows[on[n] + k];
    this.refined = false;
    this.#take(new Field(STEP, joint));
    this.waiting = setTimeout(() => this.#refine(), REST);
  }

  #take(field) {
    this.field = field;
    this.lens = null;
    ({ top: this.top, total: this.total } = field.gather(this.mass));
    blur(this.mass, this.wide); // a posterior of one cell is more than a speck
    const heaviest = this.mass.reduce((best, v, k) => (v > this.mass[best] ? k : best), 0);
    const size = (2 * REACH) / MAP;
    this.peak = [(heaviest % MAP + 0.5) * size - REACH, REACH - (Math.floor(heaviest / MAP) + 0.5) * size];
    this.heat.set(this.mass, 255 / this.mass[heaviest]);
  }

  /** Halve the step wherever the posterior is, until it is resolved. */
  async #refine() {
    const { model, label } = this;
    const { signal } = (this.refining = new AbortController());
    const x = Float32Array.from(this.x);
    const z = new Float32Array(2 * TOGETHER);
    const logits = new Float32Array(TOGETHER * PIXELS);
    let { field } = this;
    for (let level = 1; level <= FINEST; level++) {
      const parents = field.cells();
      if (4 * parents.length > MOST || (level > 1 && field.resolved(parents))) break;
      const step = field.step / 2;
      const cells = parents.flatMap(([i, j]) => [[2 * i, 2 * j], [2 * i + 1, 2 * j], [2 * i, 2 * j + 1], [2 * i + 1, 2 * j + 1]]);
      const values = new Map();
      const work = (part) => {
        const some = cells.slice(part * TOGETHER, (part + 1) * TOGETHER);
        some.forEach(([i, j], k) => z.set([centre(i, step), centre(j, step)], 2 * k));
        const drawn = model.logits(z.subarray(0, 2 * some.length), label, logits.subarray(0, some.length * PIXELS));
        model.nll(x, drawn).forEach((nll, k) => {
          values.set(some[k][1] * KEY + some[k][0], logPrior(z[2 * k], z[2 * k + 1]) - nll);
        });
      };
      for await (const _ of slices(Math.ceil(cells.length / TOGETHER), work, { budget: BUDGET, signal })) if (signal.aborted) return;
      if (signal.aborted) return;
      field = new Field(step, values);
    }
    if (field !== this.field) this.#take(field);
    this.refined = true;
    this.changed();
  }

  /** Share of the mass inside the ellipse of two σ about a mean: 1 − e⁻² of a Gaussian's own. */
  within(mean, sigma) {
    const low = mean.map((m, d) => Math.max(-REACH, m - 2 * sigma[d]));
    const high = mean.map((m, d) => Math.min(REACH, m + 2 * sigma[d]));
    if (low[0] >= high[0] || low[1] >= high[1]) return 0;
    const values = this.field.raster([...low, ...high], ELLIPSE);
    const size = low.map((v, d) => (high[d] - v) / ELLIPSE);
    let sum = 0;
    for (let k = 0; k < values.length; k++) {
      const x = (low[0] + (k % ELLIPSE + 0.5) * size[0] - mean[0]) / sigma[0];
      const y = (high[1] - (Math.floor(k / ELLIPSE) + 0.5) * size[1] - mean[1]) / sigma[1];
      if (x * x + y * y < 4) sum += Math.exp(values[k] - this.field.best);
    }
    return Math.min(1, (sum * size[0] * size[1]) / this.total);
  }

  /** The picture of a square about z, `reach` to each side: for a lens.
   * @param {number[] | Float32Array} z @param {number} reach */
  around([x, y], reach) {
    const key = `${x} ${y} ${reach}`;
    if (this.lens !== key) {
      this.lens = key;
      this.lensHeat.bounds = [x - reach, y - reach, x + reach, y + reach];
      const values = this.field.raster(this.lensHeat.bounds, LENS, this.lensRaster);
      for (let k = 0; k < values.length; k++) values[k] = Math.exp(Math.min(0, values[k] - this.top));
      this.lensHeat.set(values, 255);
    }
    return this.lensHeat;
  }
}

/** By one cell, in both directions: the binomial weights ¼, ½, ¼. */
function blur(values, wide) {
  const n = MAP;
  for (let k = 0; k < n * n; k++) {
    const column = k % n;
    wide[k] = 0.5 * values[k] + 0.25 * ((column ? values[k - 1] : 0) + (column < n - 1 ? values[k + 1] : 0));
  }
  for (let k = 0; k < n * n; k++) values[k] = 0.5 * wide[k] + 0.25 * ((wide[k - n] ?? 0) + (wide[k + n] ?? 0));
}
