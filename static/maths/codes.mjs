// Questions asked of codes in two dimensions (n × 2, rows after each other): where they lie, who is near. No DOM.

const CELLS = 96; // of the index, a side
const QUANTILE = 0.015; // of the codes lie beyond each edge of the first view
const MARGIN = 0.06; // of the extent, on each side of it

/**
 * Centre and half-width of the square that holds nearly all codes (n × 2) and the circle of radius 2: a deterministic
 * model's tails would shrink the rest to a spot.
 * @param {Float32Array} mean
 * @returns {{centre: number[], half: number}}
 */
export function extent(mean) {
  const bounds = [0, 1].map((axis) => {
    const values = Float32Array.from({ length: mean.length / 2 }, (_, i) => mean[2 * i + axis]).sort();
    const at = Math.floor(QUANTILE * (values.length - 1));
    return [Math.min(values[at], -2), Math.max(values[values.length - 1 - at], 2)];
  });
  const half = Math.max(...bounds.map(([low, high]) => (high - low) / 2), 1e-6) * (1 + 2 * MARGIN);
  return { centre: bounds.map(([low, high]) => (low + high) / 2), half };
}

/** Codes sorted into square cells, so that the nearest one is found without asking all. */
export class Index {
  /** @param {Float32Array} mean @param {{centre: number[], half: number}} extent */
  constructor(mean, { centre, half }) {
    this.mean = mean;
    this.low = [centre[0] - 1.2 * half, centre[1] - 1.2 * half]; // the corner of the first cell
    this.size = (2.4 * half) / CELLS; // of a cell, in units
    const n = mean.length / 2;
    const cells = Uint16Array.from({ length: n }, (_, i) => this.#row(mean[2 * i + 1]) * CELLS + this.#column(mean[2 * i]));
    this.start = new Uint32Array(CELLS * CELLS + 1); // where each cell's codes begin in items
    for (const c of cells) this.start[c + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice();
    this.items = new Uint32Array(n); // the codes' numbers, cell after cell
    cells.forEach((c, i) => (this.items[next[c]++] = i));
  }

  #clamp(k) {
    return Math.min(CELLS - 1, Math.max(0, Math.floor(k))); // codes far outside belong to the cells at the edge
  }

  #column(x) {
    return this.#clamp((x - this.low[0]) / this.size);
  }

  #row(y) {
    return this.#clamp((y - this.low[1]) / this.size);
  }

  /** Number of the code nearest to z within reach, else null; only: 1 for each code that is asked for, 0 for others.
   * @param {number[] | Float32Array} z @param {number} reach in units @param {Uint8Array | null} only */
  nearest([x, y], reach, only = null) {
    const { mean, start, items, size } = this;
    const [cx, cy] = [this.#column(x), this.#row(y)];
    let best = null;
    let best2 = reach * reach;
    // Rings of cells about the pointer's own, until no ring can hold a nearer one. What lies beyond the grid is kept in
    // its edge cells, so a code is never nearer than its cell suggests, but for a pointer outside the grid: measured
    // from the grid's edge then.
    const inside = [0, 1].map((a) => Math.min(Math.max([x, y][a], this.low[a]), this.low[a] + CELLS * size));
    for (let ring = 0; ring < CELLS; ring++) {
      const gap = Math.max(0, (ring - 1) * size + Math.min(
        inside[0] - (this.low[0] + cx * size), this.low[0] + (cx + 1) * size - inside[0],
        inside[1] - (this.low[1] + cy * size), this.low[1] + (cy + 1) * size - inside[1]));
      if (ring && gap * gap > best2) break;
      for (let row = cy - ring; row <= cy + ring; row++) {
        if (row < 0 || row >= CELLS) continue;
        const edge = row === cy - ring || row === cy + ring;
        for (let column = cx - ring; column <= cx + ring; column += edge || ring === 0 ? 1 : 2 * ring) {
          if (column < 0 || column >= CELLS) continue;
          const cell = row * CELLS + column;
          for (let k = start[cell]; k < start[cell + 1]; k++) {
            const i = items[k];
            if (only && !only[i]) continue;
            const d2 = (mean[2 * i] - x) ** 2 + (mean[2 * i + 1] - y) ** 2;
            if (d2 < best2) [best, best2] = [i, d2];
          }
        }
      }
    }
    return best;
  }
}

/** Where each label's codes have their median, per axis. */
export function medians({ mean, label }) {
  const rows = new Map();
  label.forEach((y, i) => (rows.get(y) ?? rows.set(y, []).get(y)).push(i));
  return [...rows].sort(([a], [b]) => a - b).map(([y, members]) => ({
    label: y,
    at: [0, 1].map((axis) => {
      const values = Float32Array.from(members, (i) => mean[2 * i + axis]).sort();
      const middle = values.length >> 1;
      return values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }),
  }));
}

/** The value that the share q of sorted values lies below, between two of them on a straight line, as torch.quantile. */
function quantile(sorted, q) {
  const at = q * (sorted.length - 1);
  const i = Math.min(Math.floor(at), sorted.length - 2);
  return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

/** Median and interquartile range / 1.349 of each axis, a σ that tails do not move, or where a quarter is exactly 0 the
 * standard deviation: `robust_scale` of vae_core/latent.py. */
export function robustScale(mean) {
  const axes = [0, 1].map((axis) => Float32Array.from({ length: mean.length / 2 }, (_, i) => mean[2 * i + axis]).sort());
  const sigma = (values) => (4 * values.filter((v) => v === 0).length >= values.length
    ? deviation(values) : (quantile(values, 0.75) - quantile(values, 0.25)) / 1.349);
  return {
    middle: axes.map((values) => quantile(values, 0.5)),
    sigma: axes.map((values) => Math.max(sigma(values), 1e-6)),
  };
}

function deviation(values) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
}

/** Distances to the nearest code in the codes' own robust σ, so that models can be compared. */
export function whiten(mean) {
  const { middle, sigma } = robustScale(mean);
  /** @param {number[] | Float32Array} z */
  const to = ([x, y]) => [(x - middle[0]) / sigma[0], (y - middle[1]) / sigma[1]];
  const codes = new Float32Array(mean.length);
  for (let i = 0; i < mean.length / 2; i++) codes.set(to([mean[2 * i], mean[2 * i + 1]]), 2 * i);
  const index = new Index(codes, extent(codes));
  return {
    distance(z) {
      const w = to(z);
      const i = index.nearest(w, Infinity);
      return Math.hypot(codes[2 * i] - w[0], codes[2 * i + 1] - w[1]);
    },
  };
}

/** The k codes nearest to that of image i, nearest first, without i. */
export function nearest(mean, i, k) {
  const best = [];
  for (let j = 0; j < mean.length / 2; j++) {
    if (j === i) continue;
    const d2 = (mean[2 * j] - mean[2 * i]) ** 2 + (mean[2 * j + 1] - mean[2 * i + 1]) ** 2;
    if (best.length === k && d2 >= best[k - 1][0]) continue;
    best.push([d2, j]);
    best.sort((a, b) => a[0] - b[0]);
    best.length = Math.min(best.length, k);
  }
  return best.map(([, j]) => j);
}

/** Share of the codes nearer than radius to the origin. */
export function shareWithin(mean, radius) {
  let count = 0;
  for (let i = 0; i < mean.length; i += 2) if (mean[i] ** 2 + mean[i + 1] ** 2 < radius * radius) count++;
  return (2 * count) / mean.length;
}

/** How many codes lie beyond a square. */
export function beyond(mean, { centre, half }) {
  let count = 0;
  for (let i = 0; i < mean.length; i += 2) {
    if (Math.abs(mean[i] - centre[0]) > half || Math.abs(mean[i + 1] - centre[1]) > half) count++;
  }
  return count;
}
