// A model whose code has more than two numbers, seen in a plane through its codes: what the map asks of a model with two.
// A place u of the plane is the code centre + u₁ e₁ + u₂ e₂; a code's place is where it falls at right angles. No DOM.

/** @typedef {import("../../engine/engine.mjs").Labels} Labels */

export class Flat {
  /**
   * @param {import("../../engine/engine.mjs").Model} model
   * @param {{centre: number[], axes: number[][]}} plane D numbers, and two unit vectors at right angles, D numbers each
   */
  constructor(model, { centre, axes }) {
    this.whole = model;
    this.centre = centre;
    this.axes = axes;
    this.latentDim = 2;
    this.conditional = model.conditional;
    this.probabilistic = false; // of a posterior's Gaussian the plane shows the mean
    this.prior = null; // nor does it show what the prior is in D dimensions
  }

  /** Codes n × D → their places n × 2. @param {ArrayLike<number>} codes */
  project(codes) {
    const D = this.centre.length;
    const places = new Float32Array((2 * codes.length) / D);
    for (let i = 0; i < places.length; i++) {
      const [row, axis] = [D * (i >> 1), this.axes[i % 2]];
      for (let d = 0; d < D; d++) places[i] += axis[d] * (codes[row + d] - this.centre[d]);
    }
    return places;
  }

  /** Places n × 2 → their codes n × D. @param {ArrayLike<number>} places */
  lift(places) {
    const D = this.centre.length;
    const codes = new Float32Array((places.length / 2) * D);
    for (let i = 0; i < codes.length; i++) {
      const [row, d] = [2 * Math.floor(i / D), i % D];
      codes[i] = this.centre[d] + places[row] * this.axes[0][d] + places[row + 1] * this.axes[1][d];
    }
    return codes;
  }

  /** @param {ArrayLike<number>} x @param {Labels} labels @returns {import("../../engine/engine.mjs").Code} */
  encode(x, labels = null) {
    return { mean: this.project(this.whole.encode(x, labels).mean), logvar: null };
  }

  /** @param {ArrayLike<number>} places @param {Labels} labels @param {Float32Array | null} out */
  decode(places, labels = null, out = null) {
    return this.whole.decode(this.lift(places), labels, out);
  }

  observe(x, out) {
    return this.whole.observe(x, out);
  }
}
