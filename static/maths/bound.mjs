// The evidence lower bound of one digit under any Gaussian q over two latent dimensions, without noise: what
// vae_core.likelihood.elbo computes, fast enough to follow a hand. No DOM.

import { PIXELS } from "../engine/engine.mjs";
import { grid } from "../engine/prior.mjs";

// Gauss–Hermite for the weight of N(0, 1), eight nodes, in pairs ±: exact for polynomials up to degree 15
// (Abramowitz & Stegun 25.4.46; numpy.polynomial.hermite_e.hermegauss, weights divided by their sum).
/** {eps: nodes × 2, weight: nodes} of an expectation over N(0, I) in two dimensions. */
export const GRID = grid([
  [0.5390798113513751, 0.3730122576790773],
  [1.636519042435108, 0.11723990766175904],
  [2.8024858612875416, 0.009635220120788256],
  [4.1445471861258945, 0.00011261453837536762],
]);

/** σ above which eight nodes miss the likelihood's cliffs, by up to a few per cent: such numbers carry a ≈. */
export const WIDE = 0.2;

/**
 * A Gaussian q over two dimensions with axes along the plane's.
 * @typedef {{mean: number[], logvar: number[]}} Gaussian
 */

export const sigmas = (/** @type {Gaussian} */ q) => q.logvar.map((v) => Math.exp(0.5 * v));

/** @returns {Gaussian} */
export const copy = ({ mean, logvar }) => ({ mean: [...mean], logvar: [...logvar] });

/** Whether two are one and the same, but for what numbers lose on their way through text. */
export const same = (/** @type {Gaussian} */ a, /** @type {Gaussian} */ b) =>
  [0, 1].every((d) => Math.abs(a.mean[d] - b.mean[d]) < 1e-9 && Math.abs(a.logvar[d] - b.logvar[d]) < 1e-9);

/** Where a climb of points [μ₁, μ₂, log σ₁², log σ₂², …] is at a step, which may lie between two of them. */
export function along(points, step) {
  const low = Math.min(points.length - 1, Math.floor(step));
  const high = Math.min(points.length - 1, low + 1);
  const at = points[low].map((v, i) => v + (step - low) * (points[high][i] - v));
  return { mean: at.slice(0, 2), logvar: at.slice(2, 4) };
}

const KNEE = 0.1; // nats below log p(x) where the axis turns from linear to logarithmic
const REACH = 3000; // nats below log p(x) at its end

/** A gap in nats → its place on an axis between log p(x), 0, and the axis's end, 1. */
export const place = (gap) => Math.min(1, Math.max(0, Math.asinh(gap / KNEE) / Math.asinh(REACH / KNEE)));

export class Bound {
  /**
   * x: 784 pixels as model.observe gives them; label: an integer for a conditional model, else null.
   * @param {import("../engine/engine.mjs").Model} model @param {Float32Array} x @param {number | null} label
   */
  constructor(model, x, label = null) {
    this.model = model;
    this.x = x;
    this.label = model.conditional ? label : null;
    this.z = new Float32Array(GRID.eps.length);
    this.logits = new Float32Array(GRID.weight.length * PIXELS);
    this.centre = new Float32Array(PIXELS); // logits at the mean
    this.pixels = new Float32Array(PIXELS); // E[x | z = μ] in [0, 1]
    this.cost = new Float32Array(PIXELS); // −log p(x_p | z = μ) of each pixel, nats
  }

  /**
   * Everything that depends on q = N(mean, diag exp logvar), two numbers each, in nats:
   * {atMean: −log p(x | z = μ), reconstruction: −E_q log p(x | z), kl: its parts as model.klParts has them, elbo}
   * @param {import("../engine/engine.mjs").Code} q
   */
  at({ mean, logvar }) {
    const { model, x, label, z, logits, centre } = this;
    const { eps, weight } = GRID;
    const sigma = logvar.map((v) => Math.exp(0.5 * v));
    for (let i = 0; i < z.length; i++) z[i] = mean[i % 2] + sigma[i % 2] * eps[i];
    model.logits(z, label, logits);
    const reconstruction = model.nll(x, logits).reduce((sum, nll, i) => sum + weight[i] * nll, 0);
    model.logits(Float32Array.from(mean), label, centre);
    model.toPixels(centre, this.pixels);
    this.#price();
    const kl = [...model.klParts({ mean, logvar })];
    return { atMean: model.nll(x, centre)[0], reconstruction, kl, elbo: -reconstruction - kl.reduce((sum, part) => sum + part, 0) };
  }

  /** What each pixel costs at the mean. */
  #price() {
    const { model, x, centre, cost } = this;
    const constant = model.logSigma + 0.5 * Math.log(2 * Math.PI);
    const precision = Math.exp(-2 * model.logSigma);
    for (let i = 0; i < PIXELS; i++) {
      const l = centre[i];
      cost[i] = model.likelihood === "bernoulli"
        ? Math.max(l, 0) - l * x[i] + Math.log1p(Math.exp(-Math.abs(l)))
        : 0.5 * precision * (x[i] - l) ** 2 + constant;
    }
  }
}
