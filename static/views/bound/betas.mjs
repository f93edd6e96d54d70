// "β" on the page "The bound": one slider over VAEs that were trained at different β. Points of their maps, which
// Python has turned onto each other (ui/views/bound/betas.py), move in straight lines from stop to stop; numbers and pictures are
// those of the nearest stop. Everything is here from the start: nothing is sent to Python.

import { link, told } from "../../host.mjs";
import { element, pixelsOf, press, styleSheet } from "../../parts/controls.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import { announcer, calm, digitCanvas, frameLoop, paint } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";

const GLIDE = 450; // milliseconds to the next stop where no hand moves the thumb
const NAMES = ["Digit x", "Drawn at μ", "Draw 1", "Draw 2", "Draw 3"];
const ARROWS = { ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1 };
const WIDTH = 360; // of a chart, in its own units
const HEIGHT = 208;
const FRAME = { left: 54, right: 16, top: 34, bottom: 38 };
const NEAR = 24; // units of a chart between two names, at least

const remembered = {}; // {beta}: survives a switch of pages, as this module does

const nats = (v) => (Math.abs(v) < 1e5 ? v.toFixed(2) : Number.isFinite(v) ? v.toExponential(1) : "∞").replace("-", "−");
const between = (a, b, t) => a + (b - a) * t;
const tenTo = (power) => `10${String(power).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻")}`;
/** Two digits that count, as `small` of ui/views/bound/betas.py. */
const small = (v) => {
  if (!(v > 0 && v < Infinity)) return String(v);
  const [digits, power] = v.toExponential(1).split("e");
  return power < -3 ? `${digits}\u00a0×\u00a0${tenTo(Number(power))}` : v.toFixed(Math.max(0, 1 - power));
};

/**
 * A model at one β, as Python tells it, nats. name: its β in words; half: half-width of the view; z: places of all codes,
 * float32 as base64; loss: reconstruction + β · KL; sigma: mean of the test split's; active: dimensions in use; reading: a
 * sentence or two. digit: the same of the digit, mean and covariance (xx, xy, yy) on the turned map, its own two σ, and
 * pictures of 784 grey bytes each, one after the other, as base64.
 * @typedef {{beta: number, name: string, half: number, z: string, reconstruction: number, kl: number, loss: number,
 *   sigma: number, active: number, reading: string, digit: {mean: number[], covariance: number[], sigma: number[],
 *   reconstruction: number, kl: number, loss: number, pictures: string}}} Told
 * @typedef {Omit<Told, "z" | "digit"> & {z: Float32Array,
 *   digit: Omit<Told["digit"], "pictures"> & {pictures: Float32Array[]}}} Stop the same, unpacked
 *
 * labels: of all codes, bytes as base64; colours: of the labels.
 * @typedef {{digit: import("../../parts/controls.mjs").Digit, labels: string, colours: string[], stops: Told[]}} Options
 * @typedef {import("../../host.mjs").Component<Options, never>} Component it says nothing
 *
 * @typedef {{low: number, high: number, ticks: [number, string][]}} Axis
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Betas(root, component);
  await view.start();
  return view;
}

class Betas {
  gone = false; // another view stands in its place
  /** @type {Stop[]} */
  stops;
  /** @type {Float32Array} the digit */
  x;
  /** @type {string[]} of the classes */
  colours;
  /** @type {{mean: Float32Array, label: Uint8Array}} the map as it is drawn */
  codes;
  most = 0; // nats at the end of both bars
  at = 0; // where the slider is, among the stops
  target = 0; // the stop that it is on, or glides to
  name = null; // the stop that was chosen last
  /** @type {Stop | null} whose words and numbers stand there */
  shown = null;
  gliding = 0; // the frame that glides on
  /** @type {{mean: number[], covariance: number[]}} of the digit, as it is drawn */
  q;
  /** @type {Plane} */
  plane;
  /** @type {ReturnType<typeof chart>[]} */
  plots;
  /** @type {(text: string) => void} */
  say;
  // Its boxes.
  box;
  /** @type {HTMLInputElement} */
  slider;
  marks;
  output;
  where;
  reading;
  mapText;
  /** @type {HTMLCanvasElement[]} as NAMES */
  pictures;
  rates;
  scale;
  charts;
  cells;

  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.request = frameLoop(() => this.draw());
  }

  async start() {
    const sheets = await Promise.all([styleSheet(this.root), ownSheet(this.root)]);
    if (this.gone) return;
    this.#build(sheets);
    this.#take();
    this.draw();
    Object.assign(this.box, { view: this }); // for whoever looks from outside, such as a test
  }

  /** @param {Component} component */
  update(component) {
    const before = this.component.data.options;
    this.component = component;
    if (!this.box) return;
    this.plane.retheme();
    if (before !== component.data.options) this.#take();
    this.request();
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    cancelAnimationFrame(this.gliding);
    this.plane?.destroy();
  }

  // What Python has said -----------------------------------------------------------------------------------------------

  #take() {
    const { digit, labels, colours, stops } = told(this.component);
    this.stops = stops.map((stop) => {
      const grey = bytesOf(stop.digit.pictures);
      const pictures = Array.from({ length: grey.length / PIXELS }, (_, k) =>
        Float32Array.from(grey.subarray(k * PIXELS, (k + 1) * PIXELS), (v) => v / 255));
      return { ...stop, z: new Float32Array(bytesOf(stop.z).buffer), digit: { ...stop.digit, pictures } };
    });
    this.x = pixelsOf(digit);
    this.colours = colours;
    this.codes = { mean: new Float32Array(this.stops[0].z.length), label: bytesOf(labels) };
    this.most = longest(this.stops);
    this.scale.textContent = `Nats; less is better. Bars: 0 to ${Math.round(this.most)}.`;
    const asked = link.get("beta");
    this.#halt();
    this.#buildStops();
    this.#stand(this.#find(this.name ?? asked ?? remembered.beta));
    if (asked === null && remembered.beta) link.set({ beta: this.name });
    this.shown = null;
  }

  /** Number of the stop of this name, else of β = 1, else of the middle one: links get cut. */
  #find(name) {
    const at = this.stops.findIndex((s) => s.name === name);
    if (at >= 0) return at;
    const one = this.stops.findIndex((s) => s.beta === 1);
    return one >= 0 ? one : Math.floor(this.stops.length / 2);
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(sheets) {
    this.slider = element("input", { type: "range", min: 0, step: "any" });
    this.slider.setAttribute("aria-label", "β, the price of a nat of code; arrow keys go from model to model");
    this.slider.oninput = () => {
      this.#halt();
      this.at = this.slider.valueAsNumber;
      this.target = Math.round(this.at);
      this.request();
    };
    this.slider.onchange = () => this.#go(Math.round(this.slider.valueAsNumber));
    this.slider.onkeydown = (e) => {
      const to = e.key in ARROWS ? this.target + ARROWS[e.key] : { Home: 0, End: this.stops.length - 1 }[e.key];
      if (to === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
      e.preventDefault(); // the browser's own step is a hundredth of the way
      this.#go(to);
    };
    this.marks = element("div", { className: "stops" });
    this.output = element("output");
    this.where = element("small");
    const dial = element("div", { className: "dial" }, this.output,
      element("div", { className: "rail" }, this.slider, this.marks));
    this.reading = element("p", { className: "reading" });

    const square = element("div", { className: "square" });
    this.mapText = element("figcaption", { className: "quiet" });
    this.pictures = NAMES.map((name) => {
      const canvas = digitCanvas({ label: name });
      canvas.style.cssText = ""; // the sheet frames it
      return canvas;
    });
    const tiles = element("div", { className: "tiles" }, ...this.pictures.map((canvas, k) =>
      element("figure", { className: "tile" }, canvas,
        element("figcaption", {}, element("b", { textContent: NAMES[k] })))));
    this.rates = { test: this.#buildRate("Test split, mean"), digit: this.#buildRate("This digit") };
    this.scale = element("span");
    const keys = element("p", { className: "keys quiet" },
      element("span", { className: "key reconstruction", textContent: "reconstruction, expected over q" }),
      element("span", { className: "key kl", textContent: "KL(q ‖ prior)" }), this.scale);
    const side = element("div", { className: "side" }, tiles,
      element("div", { className: "rates" }, this.rates.test.box, this.rates.digit.box, keys), this.#buildTable());
    this.charts = element("div", { className: "charts" });
    this.box = element("div", { className: "view betas" }, dial, this.reading,
      element("div", { className: "room" }, element("figure", { className: "map" }, square, this.mapText), side),
      this.charts);
    this.root.replaceChildren(...sheets, this.box);
    this.say = announcer(this.box);

    this.plane = new Plane(square, { labelText: "Map of the codes", wheel: false, scroll: true });
    this.plane.canvas.tabIndex = -1; // read, not handled: the slider is what moves it
    this.plane.canvas.setAttribute("role", "img");
    this.plane.setCircles("prior");
    this.plane.layers.push((ctx, plane) => this.#drawQ(ctx, plane));
  }

  #buildRate(name) {
    const [value, own] = [element("span"), element("b", { textContent: name })];
    const parts = ["reconstruction", "kl"].map((part) => element("i", { className: part }));
    const track = element("div", { className: "track" }, ...parts);
    track.setAttribute("role", "img");
    const cut = element("small", { className: "quiet", textContent: "The bar is cut at the break: it is longer than all others.", hidden: true });
    return { box: element("div", { className: "rate" }, element("p", {}, own, value), track, cut), value, parts, track, cut };
  }

  #buildTable() {
    const rows = [
      ["loss", "Own loss, reconstruction + β · KL, nats"],
      ["nelbo", "−ELBO, reconstruction + KL, nats"],
      ["sigma", "σ of q"],
      ["active", "Dimensions in use (mean KL > 0.01 nats)"],
    ];
    this.cells = {};
    const table = element("table", {}, element("tr", {}, element("th"),
      element("th", { textContent: "test split" }), element("th", { textContent: "this digit" })));
    for (const [name, words] of rows) {
      this.cells[name] = [element("td"), element("td")];
      table.append(element("tr", {}, element("th", { scope: "row", textContent: words }), ...this.cells[name]));
    }
    return table;
  }

  #buildStops() {
    const last = this.stops.length - 1;
    this.slider.max = String(last);
    this.marks.replaceChildren(...this.stops.map((stop, k) => {
      const mark = element("button", { type: "button", textContent: stop.name, tabIndex: -1, onclick: () => this.#go(k) });
      mark.setAttribute("aria-label", `β = ${stop.name}`);
      mark.style.setProperty("--at", String(k / last));
      return mark;
    }));
    const kl = (s) => Math.log10(Math.max(s.kl, 0.01));
    const sigmas = this.stops.flatMap((s) => [s.sigma, ...s.digit.sigma]).map((v) => Math.log10(Math.max(v, 1e-12)));
    const rate = chart({
      title: "Rate and distortion", note: "Each dot is the model of the β beside it. Left: less code; down: better drawings; lines only join them.",
      xs: this.stops.map(kl), x: decades(this.stops.map(kl)), xName: "KL, nats (log scale)",
      ys: this.stops.map((s) => s.reconstruction), y: evenly(this.stops.map((s) => s.reconstruction)), yName: "reconstruction, nats",
      names: this.stops.map((s) => s.name),
    });
    const width = chart({
      title: "Width of q", note: "Dots: mean σ of the test split. Rings: this digit's two. A price on the code keeps σ up.",
      xs: this.stops.map((_, k) => k), x: { low: 0, high: last, ticks: this.stops.map((s, k) => [k, s.name]) }, xName: "β",
      ys: this.stops.map((s) => Math.log10(Math.max(s.sigma, 1e-12))), y: decades(sigmas), yName: "σ (log scale)",
      rings: this.stops.map((s) => s.digit.sigma.map((v) => Math.log10(Math.max(v, 1e-12)))),
    });
    this.plots = [rate, width];
    this.charts.replaceChildren(rate.figure, width.figure);
  }

  // Moving -------------------------------------------------------------------------------------------------------------

  /** Stand on a stop, at once. */
  #stand(k) {
    this.at = this.target = k;
    this.name = this.stops[k].name;
    this.slider.value = String(k);
  }

  /** Glide to a stop and keep it in the link. */
  #go(k) {
    const to = Math.min(this.stops.length - 1, Math.max(0, k));
    this.#halt();
    this.target = to;
    this.name = remembered.beta = this.stops[to].name;
    link.set({ beta: this.name });
    const from = this.at;
    if (calm() || from === to) {
      this.#stand(to);
      this.request();
      return;
    }
    const start = performance.now();
    const step = (now) => {
      const t = Math.min(1, Math.max(0, (now - start) / GLIDE));
      this.at = t < 1 ? between(from, to, t * t * (3 - 2 * t)) : to;
      this.slider.value = String(this.at);
      this.gliding = t < 1 ? requestAnimationFrame(step) : 0;
      this.draw();
    };
    this.gliding = requestAnimationFrame(step);
  }

  #halt() {
    cancelAnimationFrame(this.gliding);
    this.gliding = 0;
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw() {
    const { stops, at, plane, codes } = this;
    const low = Math.min(Math.floor(at), stops.length - 2);
    const t = at - low;
    const [a, b] = [stops[low], stops[low + 1]];
    for (let i = 0; i < codes.mean.length; i++) codes.mean[i] = between(a.z[i], b.z[i], t);
    const digit = [a.digit, b.digit];
    this.q = {
      mean: [0, 1].map((d) => between(digit[0].mean[d], digit[1].mean[d], t)),
      covariance: [0, 1, 2].map((k) => between(digit[0].covariance[k], digit[1].covariance[k], t)),
    };
    plane.setCodes(codes, this.colours);
    plane.setMarker("digit", { z: this.q.mean, size: 7, text: "x" });
    plane.setView([0, 0], 2 * between(a.half, b.half, t));
    for (const [name, from, to] of /** @type {const} */ ([["test", a, b], ["digit", a.digit, b.digit]])) {
      const { parts, track } = this.rates[name];
      const lengths = /** @type {const} */ (["reconstruction", "kl"]).map((part) => Math.max(0, between(from[part], to[part], t)) / this.most);
      lengths.forEach((share, k) => parts[k].style.setProperty("--share", String(share)));
      track.classList.toggle("cut", lengths[0] + lengths[1] > 1 + 1e-9);
    }
    for (const plot of this.plots) plot.move(low, t);
    this.#show(Math.round(at), at === Math.round(at));
  }

  /** Words, numbers and pictures of a stop, which change only when another one is nearest. */
  #show(k, exactly) {
    const stop = this.stops[k];
    const note = exactly ? "" : "nearest model";
    if (this.where.textContent !== note) this.where.textContent = note;
    if (this.shown === stop) return;
    this.shown = stop;
    const { digit } = stop;
    this.output.replaceChildren(`β = ${stop.name}`, this.where);
    this.slider.setAttribute("aria-valuetext", `β = ${stop.name}`);
    [...this.marks.children].forEach((mark, i) => press(mark, i === k));
    this.reading.textContent = stop.reading;
    [this.x, ...digit.pictures].forEach((pixels, i) => {
      paint(this.pictures[i], pixels);
      this.pictures[i].setAttribute("aria-label", i ? `${NAMES[i]}, β = ${stop.name}` : NAMES[i]);
    });
    for (const [name, terms] of /** @type {const} */ ([["test", stop], ["digit", digit]])) {
      const rate = this.rates[name];
      const total = terms.reconstruction + terms.kl;
      rate.value.textContent = `${nats(terms.reconstruction)} + ${nats(terms.kl)} = ${nats(total)}`;
      rate.parts[1].classList.toggle("free", stop.beta === 0);
      rate.cut.hidden = total <= this.most + 1e-9;
      rate.track.setAttribute("aria-label", `Reconstruction ${nats(terms.reconstruction)} nats, KL ${nats(terms.kl)} nats`);
      const column = name === "test" ? 0 : 1;
      this.cells.loss[column].textContent = nats(terms.loss);
      this.cells.nelbo[column].textContent = nats(total);
    }
    this.cells.sigma[0].textContent = `${small(stop.sigma)} on average`;
    this.cells.sigma[1].textContent = digit.sigma.map(small).join(", ");
    this.cells.active[0].textContent = `${stop.active} of 2`;
    this.cells.active[1].textContent = "—";
    this.mapText.textContent = `Means of q of ${this.codes.label.length.toLocaleString("en")} test digits; ring: this digit, with the ` +
      "1σ and 2σ ellipses of its q, upright in the model's own axes and turned here with its map. " +
      `Dashed: 1σ and 2σ of the prior${stop.beta === 0 ? "; the view is zoomed out to this model's own scale" : ""}.`;
    this.plane.canvas.setAttribute("aria-label", `Map of the codes at β = ${stop.name}`);
    for (const plot of this.plots) plot.name(k);
    this.say(`β = ${stop.name}. ${stop.reading}`);
  }

  /** q as 1σ and 2σ ellipses: circles pushed through the Cholesky factor of its covariance, which a turn leaves oblique. */
  #drawQ(ctx, plane) {
    const { mean, covariance: [xx, xy, yy] } = this.q;
    const first = Math.sqrt(Math.max(xx, 1e-24));
    const second = xy / first;
    const third = Math.sqrt(Math.max(yy - second * second, 0));
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = plane.theme.accent;
    for (const times of [2, 1]) {
      ctx.beginPath();
      for (let k = 0; k < 72; k++) {
        const [u, v] = [times * Math.cos((k * Math.PI) / 36), times * Math.sin((k * Math.PI) / 36)];
        ctx.lineTo(...plane.toScreen([mean[0] + first * u, mean[1] + second * u + third * v]));
      }
      ctx.closePath();
      ctx.globalAlpha = 0.16;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.lineWidth = times === 1 ? 2 : 1.25;
      ctx.stroke();
    }
    ctx.restore();
  }
}

/**
 * Nats at the end of both bars: one scale for all stops, so that nothing jumps on the way, and for the mean and the digit, so
 * that they compare. A KL nobody pays for (β = 0) can be twenty times the rest; it is cut rather than all others made slivers.
 */
function longest(stops) {
  const total = ({ reconstruction, kl }) => reconstruction + kl;
  const own = Math.max(...stops.map((s) => total(s.digit)));
  const enough = Math.max(...stops.map(({ beta, digit }) => (beta > 0 ? 2 * total(digit) : 1.25 * digit.reconstruction)));
  return 1.05 * Math.max(...stops.map(total), Math.min(own, enough)); // room to see where the longest ends
}

// Charts ---------------------------------------------------------------------------------------------------------------

/** An axis over logarithms: from the decade below to the decade above, a tick each. @returns {Axis} */
function decades(values) {
  const low = Math.floor(Math.min(...values));
  const high = Math.max(low + 1, Math.ceil(Math.max(...values)));
  const every = high - low > 5 ? 2 : 1;
  const ticks = [];
  const plain = low > -3; // one way of writing for the whole axis
  for (let v = high; v >= low; v -= every) ticks.push([v, plain ? String(10 ** v) : v ? tenTo(v) : "1"]);
  return { low, high, ticks };
}

/** An axis from just below to just above the values, with three to six round ticks. @returns {Axis} */
function evenly(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = [1, 2, 5, 10, 20, 50, 100].find((s) => (high - low) / s <= 5) ?? 200;
  const [from, to] = [Math.floor(low / step) * step, Math.max(Math.ceil(high / step), Math.floor(low / step) + 1) * step];
  const ticks = [];
  for (let v = from; v <= to; v += step) ticks.push([v, String(v)]);
  return { low: from, high: to, ticks };
}

/**
 * A line through the stops, in order, with a ring that moves along it. xs, ys: one place a stop; rings: further heights a
 * stop. Gives {figure, move(low, t), name(k)}.
 * @param {{title: string, note: string, xs: number[], ys: number[], x: Axis, y: Axis, xName: string, yName: string,
 *   names?: string[], rings?: number[][]}} drawing
 */
function chart({ title, note, xs, ys, x, y, xName, yName, names = [], rings = [] }) {
  const right = (v) => FRAME.left + ((v - x.low) / (x.high - x.low)) * (WIDTH - FRAME.left - FRAME.right);
  const up = (v) => HEIGHT - FRAME.bottom - ((v - y.low) / (y.high - y.low)) * (HEIGHT - FRAME.top - FRAME.bottom);
  const floor = HEIGHT - FRAME.bottom;
  const points = xs.map((v, k) => [right(v), up(ys[k])]);
  const axes = `M${FRAME.left} ${FRAME.top - 6}V${floor}H${WIDTH - FRAME.right + 6}` +
    x.ticks.map(([v]) => `M${right(v)} ${floor}v4`).join("") + y.ticks.map(([v]) => `M${FRAME.left} ${up(v)}h-4`).join("");
  const shapes = [`<path class="axis" d="${axes}"/>`, `<polyline class="way" points="${points.join(" ")}"/>`];
  for (const [v, words] of x.ticks) shapes.push(`<text x="${right(v)}" y="${floor + 15}" text-anchor="middle">${words}</text>`);
  for (const [v, words] of y.ticks) shapes.push(`<text x="${FRAME.left - 7}" y="${up(v) + 4}" text-anchor="end">${words}</text>`);
  shapes.push(`<text x="${(FRAME.left + WIDTH) / 2}" y="${HEIGHT - 2}" text-anchor="middle">${xName}</text>`,
    `<text x="0" y="12">${yName}</text>`);
  rings.forEach((values, k) => values.forEach((v) => shapes.push(`<circle class="mine" cx="${points[k][0]}" cy="${up(v)}" r="4"/>`)));
  points.forEach(([a, b]) => shapes.push(`<circle class="dot" cx="${a}" cy="${b}" r="4"/>`));
  shapes.push('<circle class="now" r="7"/>');
  const places = names.length ? beside(points, names, floor) : [];
  places.forEach(({ x, y, lead }, k) => shapes.push(lead ? `<path class="axis" d="${lead}"/>` : "",
    `<text class="name" text-anchor="middle" x="${x}" y="${y}">${names[k]}</text>`));
  const figure = element("figure", { innerHTML: `<h3>${title}</h3><svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `aria-label="${title}: ${yName} against ${xName}">${shapes.join("")}</svg><figcaption class="quiet">${note}</figcaption>` });
  const [now, written] = [figure.querySelector(".now"), figure.querySelectorAll(".name")];
  return {
    figure,
    move(low, t) {
      now.setAttribute("cx", String(between(points[low][0], points[low + 1][0], t)));
      now.setAttribute("cy", String(between(points[low][1], points[low + 1][1], t)));
    },
    /** The chosen stop's name stands out. */
    name(k) {
      written.forEach((text, i) => text.classList.toggle("chosen", i === k));
    },
  };
}

/**
 * Where the names of the dots stand, as {x, y, lead}: above them, every other one of a crowd below, side by side; lead is a
 * line to the dot. points: [x, y] in the chart's units; a name below must stay above floor.
 */
function beside(points, names, floor) {
  const rows = { above: [], below: [] };
  const order = [...points.keys()].sort((i, j) => points[i][0] - points[j][0]);
  let side = "below";
  order.forEach((i, n) => {
    const [x, y] = points[i];
    const crowded = n > 0 && x - points[order[n - 1]][0] < NEAR;
    side = crowded && side === "above" && y + 22 < floor ? "below" : "above";
    rows[side].push({ i, x, half: 3.1 * names[i].length + 2 });
  });
  const places = [];
  for (const [name, row] of Object.entries(rows)) {
    for (let round = 0; round < 60; round++) {
      for (let n = 1; n < row.length; n++) {
        const lap = row[n - 1].x + row[n - 1].half + row[n].half - row[n].x;
        if (lap > 0) [row[n - 1].x, row[n].x] = [row[n - 1].x - lap / 2, row[n].x + lap / 2];
      }
    }
    for (const { i, x } of row) {
      const [a, b] = points[i];
      const [y, near, far] = name === "above" ? [b - 12, b - 5, b - 10] : [b + 20, b + 5, b + 10];
      places[i] = { x, y, lead: Math.abs(x - a) > 4 ? `M${a} ${near}L${x} ${far}` : "" };
    }
  }
  return places;
}

// Small things ---------------------------------------------------------------------------------------------------------

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** The part's own sheet: the one that came with the first picture, or fetched. */
async function ownSheet(root) {
  const there = root.querySelector("style[data-betas]");
  if (there) return there;
  const response = await fetch(new URL("betas.css", import.meta.url));
  return element("style", { textContent: await response.text() });
}
