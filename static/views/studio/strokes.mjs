// A few strokes of a hand, recorded: what the pad shows first, and digits that become other digits by one stroke more.

import { BRUSH } from "../../parts/pad.mjs";

// Control points on the pad's 140 × 140 units, joined by a smooth curve.
const CURVES = {
  three: [[54, 36], [64, 25], [80, 23], [91, 35], [84, 52], [66, 65], [82, 73], [91, 88], [84, 108], [66, 116], [50, 110], [44, 100]],
  leftHalves: [[54, 36], [50, 46], [55, 56], [66, 65], [55, 76], [46, 88], [44, 100]],
  hook: [[50, 24], [44, 42], [40, 58], [48, 66], [66, 66], [88, 60]],
  stem: [[96, 26], [92, 50], [88, 76], [84, 98], [80, 118]],
  lid: [[50, 24], [62, 18], [80, 18], [96, 26]],
  one: [[78, 22], [75, 46], [72, 70], [69, 94], [66, 118]],
  roof: [[34, 28], [48, 25], [64, 23], [78, 22]],
};

/** {radius, points: [x0, y0, …]} of a curve through its control points (Catmull and Rom), a point a unit or so. */
function stroke(name) {
  const knots = CURVES[name];
  const points = [];
  for (let i = 0; i < knots.length - 1; i++) {
    const [a, b, c, d] = [knots[Math.max(0, i - 1)], knots[i], knots[i + 1], knots[Math.min(knots.length - 1, i + 2)]];
    const steps = Math.ceil(Math.hypot(c[0] - b[0], c[1] - b[1]) / 1.5);
    for (let k = i ? 1 : 0; k <= steps; k++) {
      const t = k / steps;
      for (const axis of [0, 1]) {
        points.push(0.5 * (2 * b[axis] + (c[axis] - a[axis]) * t
          + (2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis]) * t * t
          + (3 * b[axis] - a[axis] - 3 * c[axis] + d[axis]) * t * t * t));
      }
    }
  }
  return { radius: BRUSH.normal, points };
}

/** The drawing that is there when the page opens; ui/views/studio.py knows its pixels. */
export const first = () => [stroke("three")];

/** Name → {says, strokes}: the last stroke makes another digit of it. */
export const REPLAYS = {
  "3 → 8": { says: "A 3 becomes an 8", strokes: () => ["three", "leftHalves"].map(stroke) },
  "4 → 9": { says: "A 4 becomes a 9", strokes: () => ["hook", "stem", "lid"].map(stroke) },
  "1 → 7": { says: "A 1 becomes a 7", strokes: () => ["one", "roof"].map(stroke) },
};
