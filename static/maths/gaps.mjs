// What there is to know of a place on a map, by which models compare: does its drawing come back, how far does it bend
// when the code moves. No DOM.

const PIXELS = 784;
const STEP = 0.002; // σ: at the steepest places of a map central differences of 0.01 err by 4 %, these by 0.2 %

/**
 * A model of any number of dimensions, seen as a plane (`Flat`) or a plane itself.
 * @typedef {import("../engine/engine.mjs").Model} Model
 * @typedef {{decode: Model["decode"], whole?: Model}} Seen
 */

/** ‖dec(enc(x̂)) − x̂‖, the root of the mean square over the pixels, of the drawing x̂ of each place (n × 2): how far a
 * model is from knowing its own drawing again. x̂ is binarised before it is encoded, where the model is shown binary ones.
 * @param {Seen} model @param {ArrayLike<number>} z @param {number | null} label */
export function cycle(model, z, label) {
  const whole = model.whole ?? /** @type {Model} */ (model);
  const drawn = model.decode(z, label);
  const again = whole.decode(whole.encode(whole.observe(drawn), label).mean, label);
  return Float64Array.from({ length: z.length / 2 }, (_, n) => {
    let square = 0;
    for (let p = n * PIXELS; p < (n + 1) * PIXELS; p++) square += (again[p] - drawn[p]) ** 2;
    return Math.sqrt(square / PIXELS);
  });
}

/** √det JᵀJ of the decoder at each place (n × 2), J in units of `sigma`, the codes' robust σ on each axis: the area that
 * a square of one σ has among the drawings. @param {Seen} model @param {ArrayLike<number>} z @param {number | null} label
 * @param {number[]} sigma */
export function sensitivity(model, z, label, sigma) {
  const n = z.length / 2;
  const around = new Float32Array(8 * n); // one to each side on both axes
  for (let k = 0; k < 4 * n; k++) {
    const [place, axis, side] = [k >> 2, (k >> 1) & 1, k & 1 ? 1 : -1];
    for (const a of [0, 1]) around[2 * k + a] = z[2 * place + a] + (a === axis ? side * STEP * sigma[a] : 0);
  }
  const drawn = model.decode(around, label);
  return Float64Array.from({ length: n }, (_, place) => {
    let [aa, bb, ab] = [0, 0, 0];
    const at = 4 * place * PIXELS;
    for (let p = 0; p < PIXELS; p++) {
      const a = (drawn[at + PIXELS + p] - drawn[at + p]) / (2 * STEP);
      const b = (drawn[at + 3 * PIXELS + p] - drawn[at + 2 * PIXELS + p]) / (2 * STEP);
      aa += a * a;
      bb += b * b;
      ab += a * b;
    }
    return Math.sqrt(Math.max(0, aa * bb - ab * ab));
  });
}
