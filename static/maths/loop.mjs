// Closed loops in the plane, lists of corners [x, y]: what lies inside, and the same loop with fewer corners. No DOM.

/** Whether a place lies inside: the loop goes round it, in whichever direction and however often (winding number ≠ 0).
 * @param {number[][]} loop @param {number[]} place */
export function inside(loop, [x, y]) {
  let turns = 0;
  for (let k = 0; k < loop.length; k++) {
    const [ax, ay] = loop[k];
    const [bx, by] = loop[(k + 1) % loop.length];
    if (ay <= y === by <= y) continue; // it does not cross the height of the place
    const left = (bx - ax) * (y - ay) - (x - ax) * (by - ay);
    if (by > y ? left > 0 : left < 0) turns += by > y ? 1 : -1;
  }
  return turns !== 0;
}

/** 1 for each of the codes (n × 2) that lies inside, 0 for the others.
 * @param {Float32Array} mean @param {number[][]} loop */
export function caughtBy(mean, loop) {
  const [low, high] = [Math.min, Math.max].map((of) => [0, 1].map((a) => of(...loop.map((corner) => corner[a]))));
  return Uint8Array.from({ length: mean.length / 2 }, (_, i) => {
    const place = [mean[2 * i], mean[2 * i + 1]];
    return Number([0, 1].every((a) => place[a] >= low[a] && place[a] <= high[a]) && inside(loop, place));
  });
}

/** The loop with at most so many corners: those go first that change its area least (Visvalingam & Whyatt 1993).
 * @param {number[][]} loop @param {number} most */
export function simpler(loop, most) {
  const corners = [...loop];
  const area = (k) => {
    const [a, b, c] = [-1, 0, 1].map((step) => corners[(k + step + corners.length) % corners.length]);
    return Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]));
  };
  const areas = corners.map((_, k) => area(k));
  while (corners.length > most) {
    const least = areas.reduce((best, v, k) => (v < areas[best] ? k : best), 0);
    corners.splice(least, 1);
    areas.splice(least, 1);
    for (const k of [least - 1, least]) {
      const at = (k + corners.length) % corners.length;
      areas[at] = area(at);
    }
  }
  return corners;
}
