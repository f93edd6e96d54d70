// A prior that a model has learned, Σ_k w_k N(m_k, diag s_k²): what vae_core/prior.py computes. No DOM.

import { Random } from "./random.mjs";

// Gauss–Hermite for the weight of N(0, 1), twelve nodes, in pairs ± (Abramowitz & Stegun 25.4.46;
// numpy.polynomial.hermite_e.hermegauss, weights divided by their sum).
const PAIRS = [
  [0.44440300194413895, 0.32166436151282995],
  [1.3403751971516167, 0.14696704804532995],
  [2.259464451000799, 0.029116687912364173],
  [3.2237098287700974, 0.0022033806875332],
  [4.2718258479322815, 4.837184922590644e-05],
  [5.500901704467748, 1.4999271676371623e-07],
];
const POINTS = 256; // in more than two dimensions: draws in pairs ±, always the same
const LOG_2PI = Math.log(2 * Math.PI);

/** {eps: P × 2, weight: P} of an expectation over N(0, I) in the plane, from a rule's nodes and weights in pairs ±.
 * @param {number[][]} pairs */
export function grid(pairs) {
  const line = pairs.flatMap(([at, weight]) => [[-at, weight], [at, weight]]);
  return {
    eps: Float64Array.from(line.flatMap(([a]) => line.flatMap(([b]) => [a, b]))),
    weight: Float64Array.from(line.flatMap(([, u]) => line.map(([, v]) => u * v))),
  };
}

/** {eps: P × D, weight: P} of an expectation over N(0, I). @param {number} D */
export function rule(D) {
  if (D === 2) return grid(PAIRS);
  const half = new Random(0).normals(new Float64Array((POINTS / 2) * D));
  return { eps: Float64Array.from([...half, ...half.map((v) => -v)]), weight: new Float64Array(POINTS).fill(1 / POINTS) };
}

export class LearnedPrior {
  /** logits: K; mean, logSigma: K × D, as they are stored.
   * @param {ArrayLike<number>} logits @param {ArrayLike<number>} mean @param {ArrayLike<number>} logSigma */
  constructor(logits, mean, logSigma) {
    this.K = logits.length;
    this.D = mean.length / this.K;
    this.mean = Float64Array.from(mean);
    this.sigma = Float64Array.from(logSigma, Math.exp);
    const top = Math.max(...Array.from(logits));
    const total = Array.from(logits).reduce((sum, l) => sum + Math.exp(l - top), 0);
    this.weights = Float64Array.from(logits, (l) => Math.exp(l - top) / total);
    /** log of what stands before each component's exponential */
    this.constants = Float64Array.from(this.weights, (w, k) => {
      let sum = Math.log(w) - 0.5 * this.D * LOG_2PI;
      for (let d = 0; d < this.D; d++) sum -= Math.log(this.sigma[k * this.D + d]);
      return sum;
    });
    this.rule = rule(this.D);
    this.joint = new Float64Array(this.K);
  }

  /** KL(q ‖ p) of each code in nats, Float64Array n: the component that suits q best in closed form, and by a rule what
   * share of p(z) it has. @param {{mean: ArrayLike<number>, logvar: ArrayLike<number>}} code */
  kl({ mean, logvar }) {
    const { K, D, constants, sigma, rule: { eps, weight } } = this;
    const out = new Float64Array(mean.length / D);
    const z = new Float64Array(D);
    for (let row = 0; row < out.length; row++) {
      let [best, own, entropy] = [-Infinity, 0, 0];
      for (let k = 0; k < K; k++) {
        let suits = constants[k];
        for (let d = 0; d < D; d++) {
          const i = row * D + d;
          suits -= (0.5 * ((mean[i] - this.mean[k * D + d]) ** 2 + Math.exp(logvar[i]))) / sigma[k * D + d] ** 2;
        }
        if (suits > best) [best, own] = [suits, k];
      }
      for (let d = 0; d < D; d++) entropy += 0.5 * (logvar[row * D + d] + 1 + LOG_2PI);
      let shares = 0;
      for (let p = 0; p < weight.length; p++) {
        for (let d = 0; d < D; d++) {
          z[d] = mean[row * D + d] + Math.exp(0.5 * logvar[row * D + d]) * eps[p * D + d];
        }
        shares += weight[p] * (this.logProb(z) - this.joint[own]);
      }
      out[row] = -entropy - best - shares;
    }
    return out;
  }

  /** log p(z) of one code. @param {ArrayLike<number>} z */
  logProb(z) {
    const { K, D, joint } = this;
    let top = -Infinity;
    for (let k = 0; k < K; k++) {
      let sum = this.constants[k];
      for (let d = 0; d < D; d++) sum -= 0.5 * ((z[d] - this.mean[k * D + d]) / this.sigma[k * D + d]) ** 2;
      joint[k] = sum;
      if (sum > top) top = sum;
    }
    let total = 0;
    for (let k = 0; k < K; k++) total += Math.exp(joint[k] - top);
    return top + Math.log(total);
  }

  /** Its components in the plane, the lightest first: middle and 1 σ along each axis, and the share of all weight.
   * @returns {{at: [number, number], sigma: [number, number], weight: number}[]} */
  components() {
    const { mean, sigma, D } = this;
    return Array.from(this.weights, (weight, k) => ({
      at: /** @type {[number, number]} */ ([mean[k * D], mean[k * D + 1]]),
      sigma: /** @type {[number, number]} */ ([sigma[k * D], sigma[k * D + 1]]), weight,
    })).sort((a, b) => a.weight - b.weight);
  }

  /** A draw: the component in which `share` of all weight ends, and there the place of eps (D numbers of N(0, 1)).
   * @param {number} share in [0, 1) @param {ArrayLike<number>} eps */
  place(share, eps) {
    let k = 0;
    for (let left = share; k < this.K - 1 && (left -= this.weights[k]) >= 0; k++);
    return Float64Array.from(eps, (e, d) => this.mean[k * this.D + d] + this.sigma[k * this.D + d] * e);
  }
}
