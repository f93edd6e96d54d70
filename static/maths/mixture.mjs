// Mixtures of Gaussians to draw codes from, as Python packs them (ui/views/generate/); one Gaussian is a mixture of one.

/**
 * weights: K, they sum to 1; means: K × D; factors: K lower triangles, row by row, D (D + 1) / 2 numbers each: a
 * component is N(mean, L Lᵀ).
 * @typedef {{weights: Float32Array, means: Float32Array, factors: Float32Array}} Mixture
 */

/** What Python packed: K, and weights, means and triangles one after the other, float32 as base64.
 * @param {{components: number, numbers: string}} packed @param {number} D @returns {Mixture} */
export function unpacked({ components, numbers }, D) {
  const bytes = Uint8Array.from(atob(numbers), (c) => c.charCodeAt(0));
  const all = new Float32Array(bytes.buffer);
  const [means, factors] = [components, components * (1 + D)];
  return { weights: all.subarray(0, means), means: all.subarray(means, factors), factors: all.subarray(factors) };
}

/** n codes (n × D): a component by its weight, then D normal numbers, for each code in turn.
 * @param {Mixture} mixture @param {number} n @param {import("../engine/random.mjs").Random} random */
export function drawn({ weights, means, factors }, n, random) {
  const D = means.length / weights.length;
  const [z, eps] = [new Float32Array(n * D), new Float64Array(D)];
  for (let row = 0; row < n; row++) {
    let [k, left] = [0, random.uniform()];
    while (k < weights.length - 1 && (left -= weights[k]) >= 0) k++;
    random.normals(eps);
    let at = (k * D * (D + 1)) / 2;
    for (let i = 0; i < D; i++) {
      let sum = means[k * D + i];
      for (let j = 0; j <= i; j++) sum += factors[at++] * eps[j];
      z[row * D + i] = sum;
    }
  }
  return z;
}

/** n codes at one distance from `middle`, each in a direction of its own; distances are counted in `sigma` (both D).
 * @param {ArrayLike<number>} middle @param {ArrayLike<number>} sigma @param {number} radius @param {number} n
 * @param {import("../engine/random.mjs").Random} random */
export function around(middle, sigma, radius, n, random) {
  const D = middle.length;
  const [z, eps] = [new Float32Array(n * D), new Float64Array(D)];
  for (let row = 0; row < n; row++) {
    const length = Math.hypot(...random.normals(eps));
    for (let i = 0; i < D; i++) z[row * D + i] = middle[i] + (radius * sigma[i] * eps[i]) / length;
  }
  return z;
}
