// The networks in the browser: what vae_core/models.py computes, from the same weights file. What a network is (a Gaussian
// code, a label beside x and z) follows from its card's numbers and its tensors' shapes: no kind is known by name here.
// No DOM, no dependency: it runs in a page, in a worker and in node. tests/browser/test_engine.py holds it to PyTorch.
//
// Arrays are Float32Array, n rows after each other: images n × 784 in [0, 1], codes n × D. A call that is given `out`
// allocates nothing; without it the answer is a fresh array. Labels are null, one integer for all rows, or an array
// of one integer a row; one image (or code) with n labels stands for n rows. {a, b, t} blends the one-hot labels a and
// b by t, one number in [0, 1] a row: an input that no training has shown, so only its ends mean anything.

import { LANES, LINE, allocate } from "./kernel.mjs";
import { LearnedPrior } from "./prior.mjs";
import { EngineError, readTensors } from "./safetensors.mjs";

export { EngineError };

export const PIXELS = 784;

const ACTIVATIONS = {
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)), // exact, PyTorch's default
  relu: (x) => (x > 0 ? x : 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};
const CODES = {
  linear: (x) => x,
  relu: ACTIVATIONS.relu,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};
const ROWS = 16; // rows at a time: enough that weights are read once for ten labels, few enough to stay in the cache
const SIGMA_FLOOR = 0.01; // of a Gaussian pixel, as in vae_core/models.py

/** The error function to 2e-7, without exp: the rational minimax fit of Eigen's float erf, in double precision. */
export function erf(x) {
  const v = x < -4 ? -4 : x > 4 ? 4 : x; // beyond, erf is ±1 in single precision
  const s = v * v;
  const p = ((((((-2.72614225801306e-10 * s + 2.77068142495902e-8) * s - 2.10102402082508e-6) * s -
    5.69250639462346e-5) * s - 7.34990630326855e-4) * s - 2.95459980854025e-3) * s - 1.60960333262415e-2);
  const q = (((-1.45660718464996e-5 * s - 2.13374055278905e-4) * s - 1.68282697438203e-3) * s -
    7.37332916720468e-3) * s - 1.42647390514189e-2;
  return (v * p) / q;
}

/**
 * @typedef {{mean: Float32Array, logvar: Float32Array | null}} Code n × D each; logvar is null where a code is a point
 * @typedef {{a: number, b: number, t: ArrayLike<number>}} Blend of two labels
 * @typedef {null | number | ArrayLike<number> | Blend} Labels
 * @typedef {{name: string, nIn: number, nOut: number, blocks: number, weights: number, bias: number}} Layer where it lies, in bytes
 */

/** One trained model. `kind`, `latentDim`, `nClasses`, `likelihood`, `probabilistic`, `conditional` are its config's. */
export class Model {
  // Where everything lies, as #place has laid it out.
  kernel = ""; // the name of the loop that runs
  stride = 0; // bytes a row, for lists and sums alike
  /** @type {{values: number, offsets: number, out: number, counts: number}} bytes of what a run needs */
  at;
  /** @type {import("./kernel.mjs").Affine} */
  affine;
  /** @type {Float32Array} all of the memory */
  f32;
  /** @type {Int32Array} the same memory */
  i32;
  /** @type {Layer[]} */
  encoder;
  /** @type {Layer[]} */
  decoder;

  /**
   * buffer: the bytes of weights.safetensors (ArrayBuffer or view); card: card.json as an object, or at least its
   * config. kernel: "auto", or one of kernel.mjs's for tests and measurements.
   * Throws EngineError, one sentence, where the two do not fit each other or are not known.
   * @param {ArrayBuffer | ArrayBufferView} buffer
   */
  static fromSafetensors(buffer, card, { kernel = "auto" } = {}) {
    return new Model(buffer, card, kernel);
  }

  constructor(buffer, card, kernel) {
    const config = card?.config?.model;
    if (!config) throw new EngineError("Expected a model's card with its config, got something else. Restore card.json.");
    const known = (what, table, value) => {
      if (!Object.hasOwn(table, value)) {
        throw new EngineError(`The card's ${what} is ${value}, expected one of ${Object.keys(table).join(", ")}. ` +
          "It was written by another version: train the model again.");
      }
      return table[value];
    };
    this.card = card;
    this.kind = String(config.kind);
    this.likelihood = config.likelihood;
    known("likelihood", { bernoulli: 1, gaussian: 1 }, config.likelihood);
    this.activate = known("activation", ACTIVATIONS, config.activation);
    /** Whether the model sees and is scored on pixels that are black or white; older cards leave it to the likelihood. */
    this.binary = (config.seen ?? (this.likelihood === "bernoulli" ? "binary" : "grey")) === "binary";
    this.code = known("code", CODES, config.code ?? "linear");
    this.latentDim = config.latent_dim;

    const tensors = readTensors(buffer);
    const shape = (layer) => tensors.get(`encoder.${2 * layer}.weight`)?.shape ?? [];
    this.conditional = shape(0)[1] > PIXELS;
    this.probabilistic = shape(config.encoder.length)[0] > this.latentDim;
    this.nClasses = this.conditional ? config.n_classes : 0;
    const codeWidth = this.latentDim * (this.probabilistic ? 2 : 1);
    const widths = {
      encoder: [PIXELS + this.nClasses, ...config.encoder, codeWidth],
      decoder: [this.latentDim + this.nClasses, ...config.decoder, PIXELS],
    };
    const learned = tensors.has("prior.logits");
    this.#checked(tensors, widths, learned ? config.components : 0, Boolean(config.threshold));
    /** What each number of a code must exceed to be more than 0. @type {ArrayLike<number> | null} */
    this.threshold = tensors.get("threshold")?.values ?? null;
    const part = (/** @type {string} */ name) => tensors.get(`prior.${name}`).values;
    /** p(z) where it is not N(0, I). @type {LearnedPrior | null} */
    this.prior = learned ? new LearnedPrior(part("logits"), part("mean"), part("log_sigma")) : null;
    this.logSigma = tensors.has("log_sigma")
      ? Math.max(tensors.get("log_sigma").values[0], Math.log(SIGMA_FLOOR))
      : 0;
    this.#place(tensors, widths, kernel);
  }

  // Questions ----------------------------------------------------------------------------------------------------------

  /** q(z | x, y) of images as `observe` gives them.
   * @param {ArrayLike<number>} x @param {Labels} labels @param {Code | null} out @returns {Code} */
  encode(x, labels = null, out = null) {
    const n = this.#rows(x, PIXELS, labels, "pixels");
    const D = this.latentDim;
    const code = out ?? this.newCode(n);
    this.#run(this.encoder, x, PIXELS, labels, n, (row, at) => {
      for (let d = 0; d < D; d++) {
        const z = this.code(this.f32[at + d]);
        code.mean[row * D + d] = this.threshold && z <= this.threshold[d] ? 0 : z;
      }
      if (this.probabilistic) for (let d = 0; d < D; d++) code.logvar[row * D + d] = this.f32[at + D + d];
    });
    return code;
  }

  /** Empty arrays for n codes, to be reused as `out` of encode. @returns {Code} */
  newCode(n = 1) {
    const length = n * this.latentDim;
    return { mean: new Float32Array(length), logvar: this.probabilistic ? new Float32Array(length) : null };
  }

  /** What Python's `decode` gives: logits of Bernoulli pixels, means of Gaussian ones, n × 784.
   * @param {ArrayLike<number>} z @param {Labels} labels @param {Float32Array | null} out */
  logits(z, labels = null, out = null) {
    const n = this.#rows(z, this.latentDim, labels, "numbers of a code");
    const result = out ?? new Float32Array(n * PIXELS);
    this.#run(this.decoder, z, this.latentDim, labels, n, (row, at) => {
      const to = row * PIXELS;
      for (let i = 0; i < PIXELS; i++) result[to + i] = this.f32[at + i];
    });
    return result;
  }

  /** E[x | z, y] in [0, 1], what is shown to people: n × 784.
   * @param {ArrayLike<number>} z @param {Labels} labels @param {Float32Array | null} out */
  decode(z, labels = null, out = null) {
    const result = this.logits(z, labels, out);
    return this.toPixels(result, result);
  }

  /** What `logits` gave → pixels in [0, 1]; out may be the same array. */
  toPixels(logits, out = new Float32Array(logits.length)) {
    if (this.likelihood === "bernoulli") {
      for (let i = 0; i < logits.length; i++) out[i] = 1 / (1 + Math.exp(-logits[i]));
    } else {
      for (let i = 0; i < logits.length; i++) out[i] = Math.min(Math.max(logits[i], 0), 1);
    }
    return out;
  }

  /** Images as the likelihood sees them: binarised at 0.5, or unchanged where it takes grey pixels. */
  observe(x, out = new Float32Array(x.length)) {
    for (let i = 0; i < x.length; i++) out[i] = this.binary ? Number(x[i] >= 0.5) : x[i];
    return out;
  }

  /** z = μ + σ ε (n × D), or μ where the code is a point. */
  sample(code, eps, out = new Float32Array(code.mean.length)) {
    for (let i = 0; i < code.mean.length; i++) {
      out[i] = code.logvar ? code.mean[i] + Math.exp(0.5 * code.logvar[i]) * eps[i] : code.mean[i];
    }
    return out;
  }

  /** −log p(x | z) in nats an image, Float64Array n, for observed x (one image or n) and what `logits` gave. */
  nll(x, logits) {
    const n = logits.length / PIXELS;
    const out = new Float64Array(n);
    const constant = PIXELS * (this.logSigma + 0.5 * Math.log(2 * Math.PI));
    const precision = Math.exp(-2 * this.logSigma);
    for (let row = 0; row < n; row++) {
      const from = x.length === PIXELS ? 0 : row * PIXELS;
      let sum = 0;
      for (let i = 0; i < PIXELS; i++) {
        const l = logits[row * PIXELS + i];
        if (this.likelihood === "bernoulli") sum += Math.max(l, 0) - l * x[from + i] + Math.log1p(Math.exp(-Math.abs(l)));
        else sum += (x[from + i] - l) ** 2;
      }
      out[row] = this.likelihood === "bernoulli" ? sum : 0.5 * precision * sum + constant;
    }
    return out;
  }

  /** KL(q(z | x) ‖ p(z)) in nats, in parts that add up to it: under N(0, I) each dimension's, Float64Array n × D; under a
   * learned prior, which does not fall apart into dimensions, its one part, n. null where a code is a point. */
  klParts(code) {
    if (!code.logvar) return null;
    if (this.prior) return this.prior.kl(code);
    return Float64Array.from(code.mean, (m, i) => 0.5 * (m * m + Math.expm1(code.logvar[i]) - code.logvar[i]));
  }

  /** The same summed over its parts, Float64Array n; null where a code is a point. */
  kl(code) {
    const parts = this.klParts(code);
    if (!parts || this.prior) return parts;
    const out = new Float64Array(parts.length / this.latentDim);
    parts.forEach((kl, i) => (out[Math.floor(i / this.latentDim)] += kl));
    return out;
  }

  /**
   * The ELBO (β = 1) in nats of observed images, Float64Array n, averaged over the draws in eps (S × D), which all
   * rows share: so that labels are compared under the same noise. One image with labels [0 … 9] gives the bars of
   * log p(x | y), from below.
   */
  elbo(x, labels, eps) {
    if (!this.probabilistic) throw new EngineError(`A ${this.kind.toUpperCase()} has no ELBO: its code is a point.`);
    const code = this.encode(x, labels);
    const D = this.latentDim;
    const out = this.kl(code).map((kl) => -kl);
    const draws = eps.length / D;
    const z = new Float32Array(code.mean.length);
    for (let s = 0; s < draws; s++) {
      for (let i = 0; i < z.length; i++) z[i] = code.mean[i] + Math.exp(0.5 * code.logvar[i]) * eps[s * D + (i % D)];
      this.nll(x, this.logits(z, labels)).forEach((nll, row) => (out[row] -= nll / draws));
    }
    return out;
  }

  // Machinery ----------------------------------------------------------------------------------------------------------

  /** Throws unless the tensors are exactly those that the card describes. */
  #checked(tensors, widths, components, threshold) {
    const expected = new Map();
    for (const [part, sizes] of Object.entries(widths)) {
      sizes.slice(1).forEach((size, i) => {
        expected.set(`${part}.${2 * i}.weight`, [size, sizes[i]]);
        expected.set(`${part}.${2 * i}.bias`, [size]);
      });
    }
    if (this.likelihood === "gaussian") expected.set("log_sigma", []);
    if (threshold) expected.set("threshold", [this.latentDim]);
    if (components) {
      expected.set("prior.logits", [components]);
      for (const part of ["mean", "log_sigma"]) expected.set(`prior.${part}`, [components, this.latentDim]);
    }
    const say = (shape) => (shape ? `[${shape.join(", ")}]` : "absent");
    for (const name of new Set([...expected.keys(), ...tensors.keys()])) {
      const want = expected.get(name);
      const have = tensors.get(name)?.shape;
      if (String(want) !== String(have) || !want) {
        throw new EngineError(`The weights do not fit their card: ${name} should be ${say(want)} and is ${say(have)}. ` +
          "Restore both files or train the model again.");
      }
      let sum = 0; // one number that is not finite makes it so
      const { values } = tensors.get(name);
      for (let i = 0; i < values.length; i++) sum += values[i];
      if (!Number.isFinite(sum)) {
        throw new EngineError(`The weights hold numbers that are not finite, in ${name}. Train the model again.`);
      }
    }
  }

  /** Lay out one piece of memory: packed weights and biases, then what a run needs, and copy the weights in. */
  #place(tensors, widths, kernel) {
    let size = 0;
    const reserve = (bytes) => {
      const at = size;
      size = Math.ceil((size + bytes) / LINE) * LINE;
      return at;
    };
    const padded = (n) => Math.ceil(n / LANES) * LANES;
    const layers = {};
    for (const [part, sizes] of Object.entries(widths)) {
      layers[part] = sizes.slice(1).map((nOut, i) => ({
        name: `${part}.${2 * i}`, nIn: sizes[i], nOut, blocks: padded(nOut) / LANES,
        weights: reserve(4 * sizes[i] * padded(nOut)), bias: reserve(4 * padded(nOut)),
      }));
    }
    this.stride = 4 * padded(Math.max(...Object.values(widths).flat()));
    this.at = {
      values: reserve(ROWS * this.stride), offsets: reserve(ROWS * this.stride),
      out: reserve(ROWS * this.stride), counts: reserve(4 * ROWS),
    };
    const { name, buffer, affine } = allocate(size, kernel);
    this.kernel = name;
    this.affine = affine;
    const f32 = (this.f32 = new Float32Array(buffer));
    this.i32 = new Int32Array(buffer);
    for (const layer of Object.values(layers).flat()) {
      const w = tensors.get(`${layer.name}.weight`).values;
      let to = layer.weights / 4;
      for (let block = 0; block < layer.nOut; block += LANES) {
        const lanes = Math.min(LANES, layer.nOut - block); // the last block's other lanes stay zero
        for (let i = 0; i < layer.nIn; i++, to += LANES) {
          for (let lane = 0; lane < lanes; lane++) f32[to + lane] = w[(block + lane) * layer.nIn + i];
        }
      }
      this.f32.set(tensors.get(`${layer.name}.bias`).values, layer.bias / 4);
    }
    this.encoder = layers.encoder;
    this.decoder = layers.decoder;
  }

  /** How many rows a call means; EngineError where numbers or labels do not fit. */
  #rows(source, width, labels, what) {
    const given = source.length / width;
    if (!Number.isInteger(given) || given < 1) {
      throw new EngineError(`Expected a multiple of ${width} ${what}, got ${source.length}.`);
    }
    const n = (labels?.t ?? labels)?.length ?? given;
    if (n !== given && given !== 1) throw new EngineError(`Expected a label a row, got ${n} labels for ${given} rows.`);
    const bad = (y) => !(Number.isInteger(y) && y >= 0 && y < this.nClasses);
    const told = labels?.t ? [labels.a, labels.b] : labels;
    if (this.conditional && (typeof told === "object" ? !told?.length || told.some(bad) : bad(told))) {
      throw new EngineError(`A ${this.kind.toUpperCase()} needs a label from 0 to ${this.nClasses - 1} for every row; ` +
        `got ${labels}.`);
    }
    return n;
  }

  /** n rows through one network; done(row, at) reads the sums from this.f32[at …]. Other models ignore labels. */
  #run(layers, source, width, labels, n, done) {
    const { f32, i32, at, stride } = this;
    const single = source.length === width;
    for (let first = 0; first < n; first += ROWS) {
      const rows = Math.min(ROWS, n - first);
      for (let r = 0; r < rows; r++) {
        const from = single ? 0 : (first + r) * width;
        const start = (at.values + r * stride) / 4;
        const shift = (at.offsets - at.values) / 4;
        let k = start;
        for (let i = 0; i < width; i++) {
          const v = source[from + i];
          if (v !== 0) {
            f32[k] = v;
            i32[k + shift] = i * LINE;
            k++;
          }
        }
        if (this.conditional) { // the one-hot label beside the input has a single one, a blend has two parts
          const share = labels.t ? labels.t[first + r] : 0;
          const y = labels.t ? labels.a : typeof labels === "number" ? labels : labels[first + r];
          f32[k] = 1 - share;
          i32[k + shift] = (width + y) * LINE;
          k++;
          if (share) {
            f32[k] = share;
            i32[k + shift] = (width + labels.b) * LINE;
            k++;
          }
        }
        i32[at.counts / 4 + r] = k - start;
      }
      for (let l = 0; l < layers.length; l++) {
        const layer = layers[l];
        this.affine(at.values, at.offsets, at.counts, layer.weights, layer.bias, at.out, layer.blocks,
          layer.nIn * LINE, rows, stride, stride);
        if (l < layers.length - 1) for (let r = 0; r < rows; r++) this.#activate(r, layer.nOut);
      }
      for (let r = 0; r < rows; r++) done(first + r, (at.out + r * stride) / 4);
    }
  }

  /** Sums of row r → the next layer's list of inputs that are not zero. */
  #activate(r, n) {
    const { f32, i32, at, stride, activate } = this;
    const start = (at.values + r * stride) / 4;
    const shift = (at.offsets - at.values) / 4;
    const from = (at.out + r * stride) / 4;
    let k = start;
    for (let i = 0; i < n; i++) {
      const v = activate(f32[from + i]);
      if (v !== 0) {
        f32[k] = v;
        i32[k + shift] = i * LINE;
        k++;
      }
    }
    i32[at.counts / 4 + r] = k - start;
  }
}

// Long work ------------------------------------------------------------------------------------------------------------

/**
 * work(i) for i = 0 … count − 1 in slices of at most `budget` milliseconds (as far as one item takes what another took),
 * with a turn of the event loop between them: `for await (const [from, to] of slices(…))` hears after each slice what is new. Stops quietly where
 * signal.aborted, so that a newer wish replaces an older one.
 */
export async function* slices(count, work, { budget = 6, signal = null, now = () => performance.now() } = {}) {
  let from = 0;
  while (from < count && !signal?.aborted) {
    const start = now();
    let to = from;
    let longest = 0; // what the next item may take: a slice ends before it would be too long
    let last = start;
    do {
      work(to++);
      const time = now();
      longest = Math.max(longest, time - last);
      last = time;
    } while (to < count && last - start + longest <= budget);
    yield [from, to];
    from = to;
    if (from < count) await turn();
  }
}

/** The end of this task: whatever the hand or the screen wants comes first. A timer would wait 4 ms each time. */
export function turn() {
  if (globalThis.scheduler?.postTask) return scheduler.postTask(() => {}, { priority: "background" });
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  }));
}
