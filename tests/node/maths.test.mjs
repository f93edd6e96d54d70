// Codes and digits in plain node: each question against the slow answer that nobody can get wrong.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../static/engine/random.mjs";
import { GRID, along, copy, place as placeOfGap, same, sigmas } from "../../static/maths/bound.mjs";
import { Index, beyond, extent, medians, nearest, robustScale, shareWithin } from "../../static/maths/codes.mjs";
import { SPOIL, corrupt, fromText, place, toText } from "../../static/maths/digit.mjs";
import { caughtBy, inside, simpler } from "../../static/maths/loop.mjs";
import { around, drawn, unpacked } from "../../static/maths/mixture.mjs";
import { medianFilter, restoration } from "../../static/maths/restoration.mjs";

const N = 600;
const random = new Random(3);
const mean = Float32Array.from({ length: 2 * N }, () => 3 * random.normal() + 1);
const label = Uint8Array.from({ length: N }, (_, i) => i % 10);
/** @param {number} i @param {number[]} z */
const far = (i, [x, y]) => (mean[2 * i] - x) ** 2 + (mean[2 * i + 1] - y) ** 2;

test("the index finds the nearest code, also from outside of the map", () => {
  const index = new Index(mean, extent(mean));
  for (let k = 0; k < 200; k++) {
    const z = [20 * (random.uniform() - 0.5), 20 * (random.uniform() - 0.5)];
    const best = Array.from({ length: N }, (_, i) => i).sort((a, b) => far(a, z) - far(b, z))[0];
    assert.equal(index.nearest(z, Infinity), best);
  }
});

test("neighbours are the k nearest, nearest first, without the image itself", () => {
  const z = [mean[10], mean[11]];
  const sorted = Array.from({ length: N }, (_, i) => i).filter((i) => i !== 5).sort((a, b) => far(a, z) - far(b, z));
  assert.deepEqual(nearest(mean, 5, 8), sorted.slice(0, 8));
});

test("shares, medians and the robust scale are counted", () => {
  const inside = Array.from({ length: N }, (_, i) => far(i, [0, 0]) < 4).filter(Boolean).length;
  assert.equal(shareWithin(mean, 2), inside / N);
  const all = extent(mean);
  const out = Array.from({ length: N }, (_, i) => [0, 1].some((a) => Math.abs(mean[2 * i + a] - all.centre[a]) > all.half));
  assert.equal(beyond(mean, all), out.filter(Boolean).length);
  const { sigma } = robustScale(mean);
  assert.ok(sigma.every((s) => Math.abs(s - 3) < 0.5), String(sigma)); // of a Gaussian it is its σ
  assert.equal(medians({ mean, label }).length, 10);
  const asleep = Float32Array.from({ length: 40 }, (_, i) => (i % 2 || i < 30 ? 0 : 2)); // five of twenty are 2 on one axis
  assert.ok(Math.abs(robustScale(asleep).sigma[0] - Math.sqrt(0.75)) < 1e-6); // 4 · ¼ · ¾
});

test("a drawing goes into a link and comes back, and another text is none", () => {
  const bits = Float32Array.from({ length: 784 }, (_, i) => (i * 7919) % 3 === 0 ? 1 : 0);
  assert.deepEqual(fromText(toText(bits)), bits);
  for (const text of ["", "AAAA", "?".repeat(131)]) assert.equal(fromText(text), null);
});

test("an empty pad has no digit, and ink is centred", () => {
  const ink = new Float32Array(56 * 56);
  for (let y = 5; y < 20; y++) ink[y * 56 + 8] = 1;
  const placed = place(ink, 56);
  const sum = placed.reduce((a, b) => a + b);
  const x = placed.reduce((a, v, i) => a + v * (i % 28), 0) / sum;
  const y = placed.reduce((a, v, i) => a + v * Math.floor(i / 28), 0) / sum;
  assert.ok(sum > 0 && Math.abs(x - 14) < 1 && Math.abs(y - 14) < 1, `${x} ${y}`);
});

test("whatever spoils a digit keeps it in [0, 1], does nothing at 0, and a seed repeats it", () => {
  const x = Float32Array.from({ length: 784 }, (_, i) => (i % 5) / 4);
  for (const kind of Object.keys(SPOIL)) {
    const one = corrupt(x, kind, 0.3, new Random(1));
    assert.deepEqual(corrupt(x, kind, 0.3, new Random(1)), one);
    assert.ok(one.every((v) => v >= 0 && v <= 1), kind);
    assert.ok(corrupt(x, kind, 0, new Random(1)).every((v, i) => Math.abs(v - x[i]) < 1e-6), kind);
  }
  assert.throws(() => corrupt(x, "fog", 0.1, new Random(1)), RangeError);
});

test("a q between two steps of a climb, and what stays one and the same", () => {
  const points = [[0, 1, -2, 0, -9], [2, 1, -4, 2, -8], [3, 5, -4, 2, -7]];
  assert.deepEqual(along(points, 0), { mean: [0, 1], logvar: [-2, 0] });
  assert.deepEqual(along(points, 0.5), { mean: [1, 1], logvar: [-3, 1] });
  assert.deepEqual(along(points, 2), { mean: [3, 5], logvar: [-4, 2] });
  assert.deepEqual(along(points, 7), along(points, 2)); // beyond the end there is nothing
  assert.deepEqual(sigmas({ mean: [0, 0], logvar: [0, 2 * Math.log(3)] }).map((v) => Math.round(1e9 * v)), [1e9, 3e9]);
  const q = along(points, 1);
  const other = copy(q);
  assert.ok(same(q, other));
  other.logvar[1] += 1e-6;
  assert.ok(!same(q, other) && q.logvar[1] === 2);
});

test("the axis of a gap begins at log p(x), rises, and ends", () => {
  const places = [-1, 0, 0.1, 1, 10, 3000, 1e9].map(placeOfGap);
  assert.equal(places[0], 0);
  assert.equal(places[1], 0);
  assert.ok(places[2] > 0 && places[3] > places[2] && places[4] > places[3]);
  assert.deepEqual(places.slice(5), [1, 1]);
});

test("the rule gives the moments of N(0, I)", () => {
  const moment = (f) => [...GRID.weight].reduce((sum, w, k) => sum + w * f(GRID.eps[2 * k], GRID.eps[2 * k + 1]), 0);
  /** @type {[(a: number, b: number) => number, number][]} */
  const moments = [[() => 1, 1], [(a) => a, 0], [(a, b) => a * a * b * b, 1], [(a) => a ** 8, 105]];
  for (const [f, value] of moments) {
    assert.ok(Math.abs(moment(f) - value) < 1e-9 * Math.max(1, value), String(f));
  }
});

test("a median filter takes lone dots, keeps what is broad, and has zeros outside", () => {
  const x = new Float32Array(784);
  x[28 * 3 + 3] = 1;
  for (let y = 10; y < 20; y++) x.fill(1, 28 * y + 10, 28 * y + 20);
  const out = medianFilter(x, 3);
  assert.equal(out[28 * 3 + 3], 0);
  assert.equal(out[28 * 15 + 15], 1);
  assert.equal(out.reduce((a, b) => a + b), 96); // the corners go
  assert.equal(medianFilter(new Float32Array(784).fill(1), 3)[0], 0); // four of nine are inside
});

test("a perfect picture has no wrong pixel, and half a grey everywhere costs 784 log 2", () => {
  const clean = Float32Array.from({ length: 784 }, (_, i) => i % 2);
  const perfect = restoration(clean, clean);
  assert.deepEqual([perfect.mse, perfect.wrong, Math.round(perfect.psnr)], [0, 0, 90]);
  const grey = restoration(new Float32Array(784).fill(0.5), clean);
  assert.ok(Math.abs(grey.nats - 784 * Math.LN2) < 1e-9 && grey.mse === 0.25 && grey.wrong === 0.5);
});

test("a place is inside a loop that goes round it, however the loop crosses itself", () => {
  const angle = (a, b) => Math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]);
  for (let k = 0; k < 30; k++) {
    const loop = Array.from({ length: 3 + (k % 12) }, () => [random.normal(), random.normal()]);
    for (let m = 0; m < 60; m++) {
      const place = [random.normal(), random.normal()];
      const rays = loop.map((corner) => corner.map((v, a) => v - place[a]));
      const turned = rays.reduce((sum, ray, j) => sum + angle(ray, rays[(j + 1) % rays.length]), 0);
      assert.equal(inside(loop, place), Math.round(turned / (2 * Math.PI)) !== 0);
    }
  }
  const loop = [[0, -1], [3, 0], [1, 4]];
  assert.deepEqual([...caughtBy(mean, loop)], Array.from({ length: N }, (_, i) => Number(inside(loop, [mean[2 * i], mean[2 * i + 1]]))));
});

test("a loop of fewer corners encloses nearly the same", () => {
  const circle = Array.from({ length: 500 }, (_, k) => [Math.cos(k / 500 * 2 * Math.PI), Math.sin(k / 500 * 2 * Math.PI)]);
  const few = simpler(circle, 24);
  const area = (loop) => loop.reduce((sum, [x, y], k) => sum + x * loop[(k + 1) % loop.length][1] - y * loop[(k + 1) % loop.length][0], 0) / 2;
  assert.equal(few.length, 24);
  assert.ok(few.every((corner) => circle.includes(corner)) && Math.abs(area(few) - Math.PI) < 0.05, String(area(few)));
  const square = [[0, 0], [1, 0], [2, 0], [2, 2], [0, 2]];
  assert.deepEqual(simpler(square, 4), [[0, 0], [2, 0], [2, 2], [0, 2]]); // what lies on a straight line says nothing
  assert.deepEqual(simpler(square, 9), square);
});

test("a packed mixture draws codes of its own mean and covariance", () => {
  const [weights, means] = [[0.25, 0.75], [4, 0, 0, -4, 0, 0]];
  const factors = [1, 0.5, 0.5, 0, 0, 2, 0.2, 0, 0.2, 0, 0, 0.2]; // two triangles of three rows
  const bytes = new Uint8Array(Float32Array.from([...weights, ...means, ...factors]).buffer);
  const numbers = btoa(String.fromCharCode(...bytes));
  const n = 40000;
  const z = drawn(unpacked({ components: 2, numbers }, 3), n, new Random(5));
  const first = Array.from({ length: n }, (_, i) => [z[3 * i], z[3 * i + 1], z[3 * i + 2]]).filter(([x]) => x > 0);
  assert.ok(Math.abs(first.length / n - 0.25) < 0.01);
  const mean = [0, 1, 2].map((j) => first.reduce((sum, c) => sum + c[j], 0) / first.length);
  const covariance = (a, b) => first.reduce((sum, c) => sum + (c[a] - mean[a]) * (c[b] - mean[b]), 0) / first.length;
  for (const [a, b, expected] of [[0, 0, 1], [0, 1, 0.5], [1, 1, 0.5], [0, 2, 0], [2, 2, 4]]) {
    assert.ok(Math.abs(covariance(a, b) - expected) < 0.12, `${a} ${b}: ${covariance(a, b)}`);
  }
  assert.deepEqual(drawn(unpacked({ components: 2, numbers }, 3), n, new Random(5)), z);
});

test("codes around a place are all at the same distance in its σ", () => {
  const [middle, sigma] = [[1, -2, 30], [0.5, 2, 10]];
  const z = around(middle, sigma, 1.5, 9, new Random(1));
  for (let row = 0; row < 9; row++) {
    const far = Math.hypot(...middle.map((m, i) => (z[3 * row + i] - m) / sigma[i]));
    assert.ok(Math.abs(far - 1.5) < 1e-5, String(far));
  }
  assert.deepEqual([...around(middle, sigma, 0, 1, new Random(1))], middle);
});
