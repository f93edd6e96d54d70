// What can lie on a map besides its points: the decoded manifold as tiles, arrows from a place to where its own
// drawing is encoded, shades of what a place lacks, posterior ellipses, and the density of the codes. All in the map's own coordinates; what has to
// be computed comes in slices, coarse before fine, and a newer view replaces an older wish.

import { PIXELS, slices, turn } from "../../engine/engine.mjs";
import { robustScale } from "../../maths/codes.mjs";
import { cycle, sensitivity } from "../../maths/gaps.mjs";

const SIDE = 28;
const SMALLEST = 32; // CSS pixels of a tile; it is refined when it has become twice as wide
const SLOTS = 36; // tiles a side of the atlas: more than two screens of them
const APART = 28; // CSS pixels between two arrows, at least
const TOGETHER = 4; // tiles in one call of the decoder: its weights are then read once for all; half a millisecond
const BUDGET = 5; // milliseconds after which a slice ends: with what is drawn around it, it stays below 8
export const SHADE = "#2a9d5c"; // of what a place lacks: told from both themes' ground, from the accent and from any class
const ELLIPSES = 1500; // at most on one map
const GRID = 144; // cells a side of the density
const DENSEST = 0.5; // codes a square of one robust σ, of all, from which on the density is drawn alike: three times a Gaussian's peak
const [CELL, JUDGED] = [9, 18]; // CSS pixels of a shaded cell, and of one that takes the judge's milliseconds, at least

/** Level ℓ of the lattices (i · 2^ℓ, j · 2^ℓ), the finest whose step is at least `pixels` wide; they are nested. */
const levelFor = (plane, pixels) => Math.ceil(Math.log2(pixels / plane.scale));

/** Places [i, j] of a lattice that are in view, from the middle outwards. */
function* inView(plane, level) {
  const step = 2 ** level;
  const [left, bottom, right, top] = plane.bounds().map((v) => v / step);
  const middle = plane.centre.map((v) => v / step);
  const places = [];
  for (let j = Math.ceil(bottom - 0.5); j <= top + 0.5; j++) {
    for (let i = Math.ceil(left - 0.5); i <= right + 0.5; i++) {
      places.push([i, j, Math.hypot(i - middle[0], j - middle[1])]);
    }
  }
  yield* places.sort((a, b) => a[2] - b[2]);
}

/**
 * A layer whose parts are computed from the model, part by part, for what is in view. A part is named "level:i:j".
 * @typedef {import("../../parts/plane.mjs").Plane} Plane
 */
class Computed {
  /** @param {Plane} plane */
  constructor(plane) {
    this.plane = plane;
    this.on = false;
    /** @type {import("../../engine/engine.mjs").Model | import("./flat.mjs").Flat | null} */
    this.model = null;
    this.label = null; // that a conditional one is told
    /** @type {AbortController | null} */
    this.abort = null; // ends what is computed
    this.together = TOGETHER; // places in one call
    /** @param {CanvasRenderingContext2D} ctx */
    this.draw = (ctx) => this.on && this.model && this.paint(ctx);
  }

  /** All parts are unknown. */
  forget() {}

  /** Those of the lattices whose places are its parts, coarse before fine. @returns {number[]} */
  levels() {
    return [];
  }

  /** Whether a part is known. @param {string} _part @returns {boolean} */
  has(_part) {
    return false;
  }

  /** @param {string[]} _parts @param {Float32Array} _z their places, n × 2 */
  compute(_parts, _z) {}

  /** @param {CanvasRenderingContext2D} _ctx */
  paint(_ctx) {}

  /** label: what a conditional model is told. Another model or label makes everything wrong that was known. */
  setModel(model, label) {
    if (model === this.model && label === this.label) return;
    this.model = model;
    this.label = label;
    this.forget();
    this.refresh();
  }

  toggle(on) {
    this.on = on;
    this.refresh();
    this.plane.redraw();
  }

  /** Compute what is in view and not known yet. Call when the view has changed. */
  async refresh() {
    this.stop();
    if (!this.on || !this.model) return;
    const { signal } = (this.abort = new AbortController());
    await turn(); // the hand first: of the many views of one pull only the last is computed
    if (signal.aborted || !this.on) return;
    const missing = [];
    for (const level of this.levels()) {
      for (const [i, j] of inView(this.plane, level)) if (!this.has(`${level}:${i}:${j}`)) missing.push([level, i, j]);
    }
    const { together } = this;
    const z = new Float32Array(2 * together);
    const work = (k) => {
      const part = missing.slice(k * together, (k + 1) * together);
      part.forEach(([level, i, j], n) => z.set([i * 2 ** level, j * 2 ** level], 2 * n));
      this.compute(part.map((place) => place.join(":")), z.subarray(0, 2 * part.length));
    };
    const count = Math.ceil(missing.length / together);
    for await (const _ of slices(count, work, { budget: BUDGET, signal })) this.plane.redraw();
  }

  stop() {
    this.abort?.abort();
  }
}

/** The decoded manifold: each tile lies centred where its z lies, as wide as the step to the next z. */
export class Tiles extends Computed {
  /** @type {Map<string, number>} a part's slot in the atlas, oldest first */
  slots;

  constructor(plane) {
    super(plane);
    this.atlas = document.createElement("canvas");
    this.atlas.width = this.atlas.height = SLOTS * SIDE;
    this.context = this.atlas.getContext("2d");
    this.image = this.context.createImageData(SIDE, SIDE);
    this.words = new Uint32Array(this.image.data.buffer);
    this.pixels = new Float32Array(TOGETHER * PIXELS);
    this.forget();
  }

  forget() {
    this.slots = new Map();
  }

  has(key) {
    const slot = this.slots.get(key);
    if (slot === undefined) return false;
    this.slots.delete(key); // seen again: the youngest now
    this.slots.set(key, slot);
    return true;
  }

  levels() {
    const finest = levelFor(this.plane, SMALLEST);
    return [finest + 2, finest];
  }

  compute(keys, z) {
    const pixels = this.model.decode(z, this.label, this.pixels.subarray(0, keys.length * PIXELS));
    keys.forEach((key, n) => {
      for (let p = 0; p < PIXELS; p++) {
        const v = (255 * pixels[n * PIXELS + p] + 0.5) | 0;
        this.words[p] = 0xff000000 | (v << 16) | (v << 8) | v;
      }
      let slot = this.slots.size;
      if (slot === SLOTS * SLOTS) {
        const [[oldest, freed]] = this.slots;
        this.slots.delete(oldest);
        slot = freed;
      }
      this.slots.set(key, slot);
      this.context.putImageData(this.image, (slot % SLOTS) * SIDE, Math.floor(slot / SLOTS) * SIDE);
    });
  }

  paint(ctx) {
    const { plane, slots } = this;
    const finest = levelFor(plane, SMALLEST);
    const whole = [...inView(plane, finest)].every(([i, j]) => slots.has(`${finest}:${i}:${j}`));
    ctx.imageSmoothingEnabled = false;
    for (const level of whole ? [finest] : [finest + 2, finest + 1, finest]) {
      const step = 2 ** level;
      for (const [i, j] of inView(plane, level)) {
        const slot = slots.get(`${level}:${i}:${j}`);
        if (slot === undefined) continue;
        const [x0, y1] = plane.toScreen([(i - 0.5) * step, (j - 0.5) * step]).map(Math.round);
        const [x1, y0] = plane.toScreen([(i + 0.5) * step, (j + 0.5) * step]).map(Math.round);
        ctx.drawImage(this.atlas, (slot % SLOTS) * SIDE, Math.floor(slot / SLOTS) * SIDE, SIDE, SIDE, x0, y0, x1 - x0, y1 - y0);
      }
    }
    ctx.imageSmoothingEnabled = true;
  }
}

/** Arrows z → enc(x̂ ≥ ½) with x̂ = dec(z): where a model puts its own drawing. Short ones mean that it agrees with itself. */
export class Arrows extends Computed {
  /** @type {Map<string, number[]>} where a part's arrow ends */
  ends;

  constructor(plane) {
    super(plane);
    this.pixels = new Float32Array(TOGETHER * PIXELS); // one for all: a new one each time ends in a pause of 60 ms
    this.forget();
  }

  forget() {
    this.ends = new Map();
  }

  has(key) {
    return this.ends.has(key);
  }

  levels() {
    return [levelFor(this.plane, APART)];
  }

  compute(keys, z) {
    const { model } = this;
    const drawn = model.decode(z, this.label, this.pixels.subarray(0, keys.length * PIXELS));
    const { mean } = model.encode(model.observe(drawn, drawn), this.label);
    if (this.ends.size > 20_000) this.ends.clear(); // an hour of zooming
    keys.forEach((key, n) => this.ends.set(key, [mean[2 * n], mean[2 * n + 1]]));
  }

  paint(ctx) {
    const { plane } = this;
    const [level] = this.levels();
    const step = 2 ** level;
    ctx.save();
    ctx.beginPath();
    for (const [i, j] of inView(plane, level)) {
      const end = this.ends.get(`${level}:${i}:${j}`);
      if (!end) continue;
      const [x0, y0] = plane.toScreen([i * step, j * step]);
      const [x1, y1] = plane.toScreen(end);
      const length = Math.hypot(x1 - x0, y1 - y0);
      if (length < 1.5) {
        ctx.moveTo(x0 + 1, y0);
        ctx.arc(x0, y0, 1, 0, 2 * Math.PI);
        continue;
      }
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
      const head = Math.min(5, 0.5 * length) / length;
      for (const turn of [-0.5, 0.5]) {
        ctx.moveTo(x1, y1);
        ctx.lineTo(x1 - head * ((x1 - x0) - turn * (y1 - y0)), y1 - head * ((y1 - y0) + turn * (x1 - x0)));
      }
    }
    ctx.strokeStyle = plane.theme.surface;
    ctx.globalAlpha = 0.75;
    ctx.lineWidth = 3;
    ctx.stroke();
    ctx.strokeStyle = plane.theme.accent; // seen on tiles, on points and on empty ground
    ctx.globalAlpha = 1;
    ctx.lineWidth = 1.3;
    ctx.stroke();
    ctx.restore();
  }
}

/**
 * What a map can be shaded by, on one scale for all models: how dark, 0 … 1, a value is; what stands in the list of
 * them, at both ends of the scale, and in a map's caption of the values in view.
 * @type {{[name: string]: {words: string, title: string, ends: [string, string], dark: (value: number) => number,
 *   told: (sorted: number[]) => string}}}
 */
export const GAPS = {
  digit: {
    words: "Is it a digit?", title: "Shaded where the judge takes what is drawn there for no digit",
    ends: ["a digit", "no digit, by 8 nats"],
    dark: (margin) => (margin < 0 ? 0.35 + 0.65 * Math.min(1, -margin / 8) : 0),
    told: (sorted) => `Of the drawings in view the judge takes ${(100 * sorted.filter((v) => v >= 0).length / sorted.length).toFixed(1)}% for digits.`,
  },
  back: {
    words: "Does it come back?", title: "‖dec(enc(x̂)) − x̂‖, root mean square over the pixels: shaded where a model does not know its own drawing again",
    ends: ["comes back as it is", "0.15 off a pixel"],
    dark: (error) => Math.min(1, error / 0.15),
    told: (sorted) => `A drawing in view comes back ${middle(sorted).toFixed(3)} off a pixel, in the median.`,
  },
  bends: {
    words: "How sensitive is it?", title: "√det JᵀJ of the decoder in the codes' robust σ: shaded where a small step of the code changes the drawing much",
    ends: ["1, hardly moves", "1,000 squared pixels a σ²"],
    dark: (area) => Math.min(1, Math.max(0, Math.log10(area) / 3)),
    told: (sorted) => `A square of one σ becomes ${Number(middle(sorted).toPrecision(2)).toLocaleString("en")} among the drawings, in the median of what is in view.`,
  },
};
const middle = (sorted) => sorted[sorted.length >> 1];

/** Cells of one of `GAPS`, the darker the more is lacking. */
export class Gaps extends Computed {
  /** @type {Map<string, number>} */
  values;
  /** @type {string | null} of GAPS */
  field = null;
  /** @type {import("../../engine/judge.mjs").Judge | null} */
  judge = null;
  sigma = [1, 1]; // the codes' robust σ
  /** @type {() => void} more of the view is known */
  told = () => {};

  constructor(plane) {
    super(plane);
    this.pixels = new Float32Array(PIXELS);
    this.forget();
  }

  forget() {
    this.values = new Map();
  }

  /** @param {string | null} name of GAPS, or null for none */
  setField(name) {
    if (name !== this.field) this.forget();
    this.field = name;
    this.together = name === "digit" ? 1 : TOGETHER; // the judge takes milliseconds for each
    this.toggle(name !== null);
  }

  has(key) {
    return this.values.has(key);
  }

  levels() {
    return this.field === "digit" && !this.judge ? [] : [this.finest + 2, this.finest];
  }

  get finest() {
    return levelFor(this.plane, this.field === "digit" ? JUDGED : CELL);
  }

  compute(keys, z) {
    if (this.values.size > 40_000) this.values.clear(); // an hour of zooming
    const { model, label, sigma } = this;
    const found = this.field === "back" ? cycle(model, z, label)
      : this.field === "bends" ? sensitivity(model, z, label, sigma)
        : [this.judge.margin(model.decode(z, label, this.pixels))];
    const before = this.values.size;
    keys.forEach((key, n) => this.values.set(key, found[n]));
    if (before >> 5 !== this.values.size >> 5) this.told(); // now and then: all captions are written anew
  }

  async refresh() {
    await super.refresh();
    if (this.on) this.told();
  }

  /** What is known at a place of the finest lattice, else of the coarse cell that it lies in. */
  #at(i, j) {
    const { finest, values } = this;
    return values.get(`${finest}:${i}:${j}`) ?? values.get(`${finest + 2}:${Math.round(i / 4)}:${Math.round(j / 4)}`);
  }

  /** Which share of the view is known as finely as it will be. */
  get done() {
    const all = [...inView(this.plane, this.finest)];
    return all.filter(([i, j]) => this.values.has(`${this.finest}:${i}:${j}`)).length / all.length;
  }

  /** The values in view, ascending. */
  get inSight() {
    const found = [...inView(this.plane, this.finest)].map(([i, j]) => this.#at(i, j));
    return found.filter((value) => value !== undefined).sort((a, b) => a - b);
  }

  paint(ctx) {
    const { plane, finest: level } = this;
    const step = 2 ** level;
    const { dark } = GAPS[this.field];
    ctx.save();
    ctx.fillStyle = SHADE;
    for (const [i, j] of inView(plane, level)) {
      const value = this.#at(i, j);
      if (value === undefined) continue;
      const [x0, y1] = plane.toScreen([(i - 0.5) * step, (j - 0.5) * step]).map(Math.round);
      const [x1, y0] = plane.toScreen([(i + 0.5) * step, (j + 0.5) * step]).map(Math.round);
      ctx.globalAlpha = 0.85 * dark(value);
      ctx.fillRect(x0, y0, x1 - x0, y1 - y0);
    }
    ctx.restore();
  }
}

/** draw(ctx, plane) of the posteriors in view, half-axes σ in units of the map: how many were drawn. */
export function drawEllipses(ctx, plane, codes, colours) {
  const [left, bottom, right, top] = plane.bounds();
  const byLabel = colours.map(() => []);
  let count = 0;
  for (let i = 0; i < codes.label.length && count < ELLIPSES; i++) {
    const [x, y] = [codes.mean[2 * i], codes.mean[2 * i + 1]];
    if (x < left || x > right || y < bottom || y > top || (plane.standing && !plane.standing[i])) continue;
    byLabel[codes.label[i]].push(i);
    count++;
  }
  ctx.save();
  ctx.lineWidth = 1;
  byLabel.forEach((members, label) => {
    ctx.beginPath();
    for (const i of members) {
      const [x, y] = plane.toScreen([codes.mean[2 * i], codes.mean[2 * i + 1]]);
      const a = Math.exp(0.5 * codes.logvar[2 * i]) * plane.scale;
      const b = Math.exp(0.5 * codes.logvar[2 * i + 1]) * plane.scale;
      ctx.moveTo(x + a, y);
      ctx.ellipse(x, y, a, b, 0, 0, 2 * Math.PI);
    }
    ctx.strokeStyle = colours[label];
    ctx.stroke();
  });
  ctx.restore();
  return count;
}

/** Kernel estimate of the codes' density as a picture of the map: a Gaussian kernel, on each axis n^(−1/6) robust σ wide
 * (Scott 1992, with a σ that a few far codes do not widen), in codes a square of one robust σ. One rule and one scale
 * for all models. */
export class Density {
  /** @param {Plane} plane */
  constructor(plane) {
    this.plane = plane;
    this.on = false;
    this.low = [0, 0]; // its lower left corner
    this.width = 0; // in units
    /** @type {Float64Array | null} GRID × GRID, in shares of the codes a σ² */
    this.field = null;
    this.picture = null; // a canvas of it
    this.painted = null; // its colour
    /** @param {CanvasRenderingContext2D} ctx */
    this.draw = (ctx) => this.on && this.#paint(ctx);
  }

  /** Of those codes that stand out on the map. @param {{mean: Float32Array}} codes */
  setCodes({ mean }) {
    const { home: { centre, half }, standing } = this.plane;
    let n = 0;
    this.low = centre.map((c) => c - 1.25 * half);
    this.width = 2.5 * half;
    const cell = this.width / GRID;
    let field = new Float64Array(GRID * GRID);
    for (let i = 0; i < mean.length / 2; i++) {
      if (standing && !standing[i]) continue;
      n++;
      const at = [0, 1].map((a) => (mean[2 * i + a] - this.low[a]) / cell);
      const [u, v] = at.map(Math.floor);
      if (u >= 0 && v >= 0 && u < GRID && v < GRID) field[v * GRID + u]++;
    }
    const { sigma } = robustScale(mean);
    const wide = sigma.map((s) => Math.max(1, (s / cell) * Math.max(n, 1) ** (-1 / 6))); // a spot of a cell at least
    wide.forEach((bandwidth, a) => {
      field = blurred(field, bandwidth, a ? GRID : 1, a ? 1 : GRID);
    });
    const unit = (sigma[0] * sigma[1]) / (Math.max(n, 1) * 2 * Math.PI * wide[0] * wide[1] * cell * cell);
    this.field = field.map((v) => unit * v);
    this.picture = null;
  }

  #paint(ctx) {
    if (!this.field) return;
    const { plane } = this;
    if (!this.picture || this.painted !== plane.theme.text) {
      this.painted = plane.theme.text;
      this.picture = document.createElement("canvas");
      this.picture.width = this.picture.height = GRID;
      const context = this.picture.getContext("2d");
      context.fillStyle = plane.theme.text;
      for (let v = 0; v < GRID; v++) {
        for (let u = 0; u < GRID; u++) {
          context.globalAlpha = 0.85 * Math.cbrt(Math.min(1, this.field[v * GRID + u] / DENSEST)); // by the root, so that thin land shows
          context.fillRect(u, GRID - 1 - v, 1, 1);
        }
      }
    }
    const [x, y] = plane.toScreen([this.low[0], this.low[1] + this.width]);
    ctx.drawImage(this.picture, x, y, this.width * plane.scale, this.width * plane.scale);
  }
}

/** Gaussian blur along one axis: `step` from cell to cell, `across` from line to line. */
function blurred(field, sigma, step, across) {
  const reach = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: reach + 1 }, (_, d) => Math.exp((-0.5 * d * d) / (sigma * sigma)));
  const out = new Float64Array(field.length);
  for (let line = 0; line < GRID; line++) {
    for (let k = 0; k < GRID; k++) {
      const value = field[line * across + k * step];
      if (!value) continue;
      for (let to = Math.max(0, k - reach); to <= Math.min(GRID - 1, k + reach); to++) {
        out[line * across + to * step] += value * kernel[Math.abs(to - k)];
      }
    }
  }
  return out;
}
