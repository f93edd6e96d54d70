// Codes of one training at several moments, laid upon each other. No DOM.

/**
 * Codes (n × 2) laid upon those of the same images at another moment as closely as shifting, turning and reflecting allow,
 * never scaling: the orthogonal Procrustes problem of the centred codes, which in the plane has a closed form. mean: where
 * they lie then; origin: where the point 0 has gone; turn: radians counter-clockwise, after a reflection of z₂ where
 * reflected is true.
 * @param {ArrayLike<number>} codes @param {ArrayLike<number>} target
 * @returns {{mean: Float32Array, origin: number[], turn: number, reflected: boolean}}
 */
export function aligned(codes, target) {
  const [from, to] = [middle(codes), middle(target)];
  let [dot, cross, mirrorDot, mirrorCross] = [0, 0, 0, 0];
  for (let i = 0; i < codes.length; i += 2) {
    const [ax, ay, bx, by] = [codes[i] - from[0], codes[i + 1] - from[1], target[i] - to[0], target[i + 1] - to[1]];
    dot += ax * bx + ay * by;
    cross += ax * by - ay * bx;
    mirrorDot += ax * bx - ay * by;
    mirrorCross += ax * by + ay * bx;
  }
  const reflected = Math.hypot(mirrorDot, mirrorCross) > Math.hypot(dot, cross);
  const turn = reflected ? Math.atan2(mirrorCross, mirrorDot) : Math.atan2(cross, dot);
  const [c, s, sign] = [Math.cos(turn), Math.sin(turn), reflected ? -1 : 1];
  const place = (x, y) => {
    const [u, v] = [x - from[0], sign * (y - from[1])];
    return [to[0] + c * u - s * v, to[1] + s * u + c * v];
  };
  const mean = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i += 2) mean.set(place(codes[i], codes[i + 1]), i);
  return { mean, origin: place(0, 0), turn, reflected };
}

/** The middle of codes (n × 2). @param {ArrayLike<number>} codes */
export function middle(codes) {
  const sum = [0, 0];
  for (let i = 0; i < codes.length; i++) sum[i % 2] += codes[i];
  return sum.map((v) => v / (codes.length / 2));
}

/** How far codes (n × 2) lie from their middle, root mean square. @param {ArrayLike<number>} codes */
export function spread(codes) {
  const at = middle(codes);
  let square = 0;
  for (let i = 0; i < codes.length; i++) square += (codes[i] - at[i % 2]) ** 2;
  return Math.sqrt(square / (codes.length / 2));
}
