// The walk between two digits on both maps of the page "Map": is what lies between them a digit? The visitor answers
// before the numbers show: how far the nearest code is, what encoding and decoding the drawing again changes, and what
// a classifier says, which Python asks when it has heard the visitor's answer.

import { called, element, pixelsOf } from "../../parts/controls.mjs";
import { PIXELS, slices } from "../../engine/engine.mjs";
import { digitCanvas, paint } from "../../parts/paint.mjs";

const STEPS = 41; // places on the way where the curves are measured
const CURVES = [
  ["gap", "Distance to the nearest code along t, in robust σ of the model's codes"],
  ["cycle", "Cycle error ‖dec(enc(x̂)) − x̂‖ along t, 784 pixels in [0, 1]"],
];
const ANSWERS = { digit: "A digit", not: "Not one" };
const GUESSES = { digit: "a digit", not: "not a digit" };

/**
 * A visitor's guess, and what it is about: the drawing of a model at z, on the way's t, told a label.
 * @typedef {{answer: "digit" | "not", t: number, kind: string, z: number[], label: number | null}} Guess
 * @typedef {{ends: number[], said: {[side: string]: Guess}}} Message the two images, and the guesses of each side
 *
 * What Python answers. originals: both images, 784 grey bytes as base64, where they are on the server; verdicts: the
 * judge's of each side, and the guess that it is about, where there is a judge.
 * @typedef {{ends: number[], originals: string[] | null,
 *   verdicts: {[side: string]: {said: Guess, digit: boolean, read: number}} | null}} Answer
 */

export class Walk {
  // Its boxes.
  /** @type {{words: HTMLElement, tile: HTMLCanvasElement}[]} */
  ends;
  /** @type {HTMLInputElement} */
  slider;
  hint;
  charts;
  /** @type {HTMLCanvasElement[]} as CURVES */
  canvases;
  verdicts;
  element;

  /** view: the page's, with its sides, `told`, `tell`, `say`, `request`, `remember` and the line `what`. */
  constructor(view) {
    this.view = view;
    /** @type {{ends: number[], t: number} | null} */
    this.way = null;
    this.next = 1; // which end the next click chooses
    /** @type {{[side: string]: Guess}} */
    this.said = {};
    /** @type {Answer | null} */
    this.heard = null;
    /** @type {{gap: number, cycle: number}[][] | null} both numbers along the way, a side after the other */
    this.curves = null;
    /** @type {AbortController | null} */
    this.work = null; // on the curves
    this.#build();
  }

  #build() {
    this.ends = [0, 1].map(() => ({ words: element("span"), tile: digitCanvas({ label: "", size: 52 }) }));
    const [from, to] = this.ends.map(({ words, tile }, k) =>
      element("span", { className: "end" }, ...(k ? [words, tile] : [tile, words])));
    this.slider = element("input", { type: "range", min: 0, max: 1, step: 0.005 });
    this.slider.setAttribute("aria-label", "t, the share of the way");
    this.slider.oninput = () => this.setT(this.slider.valueAsNumber);
    this.slider.onchange = () => this.view.remember();
    const hole = element("button", {
      type: "button", title: "Two digits whose way leads far from every code of the left map", onclick: () => this.findHole(),
    }, "Find a hole");
    this.hint = element("p", { className: "caption" });
    this.charts = element("div", { className: "curves", hidden: true });
    this.canvases = CURVES.map(([, words]) => {
      const canvas = element("canvas", { role: "img" });
      this.charts.append(element("figure", {}, element("figcaption", {}, words), canvas));
      return canvas;
    });
    this.element = element("div", { className: "walk", hidden: true },
      element("div", { className: "way" }, from, this.slider, to, hole), this.hint,
      (this.verdicts = element("div", { className: "verdicts" })), this.charts);
  }

  /** What belongs to one side: the question and, after the answer, the numbers. Both go into the side's card. */
  buildCard(side) {
    side.ask = element("div", { className: "ask", role: "group", hidden: true });
    for (const [answer, words] of Object.entries(ANSWERS)) {
      side.ask.append(element("button", { type: "button", onclick: () => this.#judge(side, answer) }, words));
    }
    side.numbers = element("dl", { hidden: true });
    side.verdict = element("p", { hidden: true });
    side.card.append(side.ask, side.numbers);
    this.verdicts.append(side.verdict);
    side.plane.layers.push((ctx) => this.#drawSegment(ctx, side));
    side.plane.onDrag = (_, z) => this.#drag(side, z);
    side.plane.onRelease = () => this.view.remember();
  }

  // On and off ---------------------------------------------------------------------------------------------------------

  /** An image's number: a partner is then found whose way leads through a hole.
   * @param {{ends: number[], t: number, said?: {[side: string]: Guess}} | number} way */
  start(way) {
    if (typeof way === "number") way = { ends: [way, this.#farPartner(way)], t: 0.5 };
    this.next = 1;
    this.element.hidden = false;
    for (const { plane } of this.view.sides) plane.setMarker("pick", null);
    this.#begin(way.ends, way.t, way.said);
  }

  stop() {
    this.way = null;
    this.work?.abort();
    this.element.hidden = true;
    for (const side of this.view.sides) {
      side.ask.hidden = side.numbers.hidden = side.verdict.hidden = true;
      for (const name of ["hover", "from", "to", "t"]) side.plane.setMarker(name, null);
    }
  }

  /** After another model or label: the same two digits, and new questions. */
  restart() {
    if (this.way) this.#begin(this.way.ends, this.way.t);
  }

  /** A click on a dot chooses one end, then the other. */
  choose(index) {
    const ends = [...this.way.ends];
    ends[this.next] = index;
    this.next = 1 - this.next;
    this.#begin(ends);
    this.view.remember();
  }

  /** Another way: what was said and measured belongs to the old one. */
  #begin(ends, t = 0.5, said = {}) {
    this.work?.abort();
    this.way = { ends, t };
    this.said = said;
    this.curves = null;
    this.charts.hidden = true;
    const { sides } = this.view;
    const { label } = sides[0].codes;
    this.hint.textContent = "Pull the handle on either map. " +
      `A click on a dot, or its number above, chooses the digit to walk ${this.next ? "to" : "from"}.`;
    for (const side of sides) {
      side.way = ends.map((image) => [side.codes.mean[2 * image], side.codes.mean[2 * image + 1]]);
      side.way.forEach((z, k) => side.plane.setMarker(k ? "to" : "from", {
        z, colour: side.plane.theme.text, size: 6, text: this.view.classes[label[ends[k]]],
      }));
    }
    this.#showEnds();
    this.setT(t);
    this.view.tell();
    this.#measureCurves();
  }

  /** What Python is told: the ends, and the guesses, so that it judges what the visitor has judged, and nothing else.
   * @returns {Message | null} */
  message() {
    return this.way && { ends: this.way.ends, said: this.said };
  }

  /** What Python answers. It may be about a way that the visitor has left: each part is shown where it fits.
   * @param {Answer | null} answer */
  hear(answer) {
    this.heard = answer;
    if (this.way) this.#showEnds();
  }

  /** The two test images with their labels; where the originals are not on the server, the left model's drawings. */
  #showEnds() {
    const { ends } = this.way;
    const [{ codes: { mean, label }, model, about, pixels }] = this.view.sides;
    const heard = String(this.heard?.ends) === String(ends) ? this.heard : null;
    ends.forEach((image, k) => {
      const { words, tile } = this.ends[k];
      let note = `test image ${image}`;
      if (heard?.originals) paint(tile, pixelsOf({ pixels: heard.originals[k] }));
      else if (heard) {
        paint(tile, model.decode(mean.subarray(2 * image, 2 * image + 2), this.view.told(this.view.sides[0], image), pixels));
        note += `, the ${about.name}'s drawing`;
      } else paint(tile, null);
      const name = this.view.classes[label[image]];
      tile.style.borderColor = this.view.colours[label[image]];
      tile.ariaLabel = `${note}, label ${name}`;
      words.replaceChildren(element("b", {}, `${k ? "to" : "from"} ${name}`), element("small", {}, note));
    });
  }

  setT(t) {
    this.way.t = Math.min(1, Math.max(0, t));
    this.slider.value = String(this.way.t);
    for (const { plane, way } of this.view.sides) {
      plane.setMarker("t", { z: along(way, this.way.t), drag: true, shape: "dot", size: 9, colour: plane.theme.accent });
    }
    this.view.request();
  }

  #drag({ way: [a, b] }, z) {
    const d = [b[0] - a[0], b[1] - a[1]];
    const length2 = d[0] ** 2 + d[1] ** 2;
    if (length2 > 0) this.setT(((z[0] - a[0]) * d[0] + (z[1] - a[1]) * d[1]) / length2);
  }

  // What lies on the way -----------------------------------------------------------------------------------------------

  /** What a conditional model is told at t: the label of the nearer end. */
  #told(side, t) {
    return this.view.told(side, this.way.ends[t < 0.5 ? 0 : 1]);
  }

  /** Distance to the nearest code (whitened) and cycle error at t; the drawing is left in side.pixels. */
  measure(side, t) {
    const { model } = side;
    const told = this.#told(side, t);
    const z = along(side.way, t);
    const drawn = model.decode(Float32Array.from(z), told, side.pixels);
    const { mean } = model.encode(model.observe(drawn), told);
    const again = model.decode(mean, told);
    let square = 0;
    for (let p = 0; p < PIXELS; p++) square += (again[p] - drawn[p]) ** 2;
    return { gap: side.whitened.distance(z), cycle: Math.sqrt(square) };
  }

  /** One frame of the walk: both drawings, and what may be said of them already. */
  draw() {
    const { view, said, way: { t, ends } } = this;
    const [from, to] = ends.map((image) => view.classes[view.sides[0].codes.label[image]]);
    const what = `From ${from} to ${to}, t = ${t.toFixed(2)}`;
    view.elements.what.textContent = what;
    const spoken = [what];
    for (const side of view.sides) {
      const { gap, cycle } = this.measure(side, t);
      const { name } = side.about;
      const told = side.model.conditional ? `, told ${view.classes[this.#told(side, t)]}` : "";
      const answer = said[side.name];
      const verdict = answer ? this.#verdict(side, answer) : "";
      paint(side.tile, side.pixels);
      side.tile.style.border = "2px solid transparent";
      side.tile.ariaLabel = `What the ${name} draws at t = ${t.toFixed(2)}${told}`;
      side.title.replaceChildren(element("b", {}, name + told));
      side.ask.hidden = Boolean(answer);
      side.ask.ariaLabel = `Is the ${name}'s drawing a digit?`;
      side.numbers.hidden = !answer;
      side.reading.replaceChildren(...(answer ? this.#brief(side, answer) : [element("small", {}, "Is this a digit?")]));
      side.verdict.hidden = !answer;
      if (side.verdict.textContent !== verdict) side.verdict.textContent = verdict;
      if (!answer) continue;
      side.numbers.replaceChildren(
        element("dt", { title: "in robust σ of this model's codes on each axis: interquartile range / 1.349" }, "nearest code"),
        element("dd", {}, `${gap.toFixed(2)} σ`),
        element("dt", { title: "‖dec(enc(x̂)) − x̂‖ over 784 pixels in [0, 1]; x̂ is binarised before it is encoded" }, "cycle error"),
        element("dd", {}, cycle.toFixed(2)));
      spoken.push(`${name}: nearest code ${gap.toFixed(2)} sigma away, cycle error ${cycle.toFixed(2)}`, verdict);
    }
    if (this.curves) this.#drawCurves();
    view.say(spoken.map((words) => words.replace(/\.?$/, ".")).join(" "));
  }

  #drawSegment(ctx, { plane, way }) {
    if (!this.way || !way) return;
    const [[x0, y0], [x1, y1]] = way.map((z) => plane.toScreen(z));
    for (const [width, colour] of [[5, plane.theme.background], [2.25, plane.theme.accent]]) {
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
  }

  #judge(side, answer) {
    const { t } = this.way;
    const z = along(side.way, t);
    this.said = { ...this.said, [side.name]: { answer, t, kind: side.kind, z, label: this.#told(side, t) } };
    this.view.tell();
    this.view.remember();
    this.#measureCurves();
    this.view.request();
    const next = this.view.sides.find(({ name }) => !this.said[name]); // the button pressed is about to be hidden
    (next ? next.ask.querySelector("button") : this.slider).focus({ preventScroll: true });
  }

  /** What the judge says of the drawing that this guess is about, once Python has answered. */
  #judged({ name }, { kind, z, label }) {
    const found = this.heard?.verdicts?.[name];
    const about = found && String([found.said.kind, found.said.z, found.said.label]);
    return about === String([kind, z, label]) ? found : null;
  }

  /** The visitor's guess and beside it the judge's, in a sentence. */
  #verdict(side, said) {
    const own = `${side.about.name} at t = ${said.t.toFixed(2)}: you say ${GUESSES[said.answer]}`;
    if (this.heard && !this.heard.verdicts) return `${own}. There is no judge here to compare with.`;
    const found = this.#judged(side, said);
    if (!found) return `${own}. The judge is asked …`;
    const agrees = found.digit === (said.answer === "digit") ? "agrees" : "disagrees";
    const why = found.digit ? `it reads ${called(String(found.read))}` : "not a digit";
    return `${own}. The judge, a classifier, ${agrees}: ${why}.`;
  }

  /** The same for a phone, where the sentence may be out of sight below the map. */
  #brief(side, said) {
    const found = this.#judged(side, said);
    const judged = found && (found.digit ? called(String(found.read)) : "not one");
    return [`You: ${ANSWERS[said.answer].toLowerCase()}`, judged ? `Judge: ${judged}` : ""]
      .map((words) => element("small", { className: "brief" }, words));
  }

  /** Both numbers all along the way, after both answers: before, they would give the answer away. */
  async #measureCurves() {
    if (!this.view.sides.every(({ name }) => this.said[name])) return;
    this.work?.abort();
    this.work = new AbortController();
    const curves = (this.curves = this.view.sides.map(() => []));
    this.charts.hidden = false;
    const work = (k) => curves[k % 2].push(this.measure(this.view.sides[k % 2], Math.floor(k / 2) / (STEPS - 1)));
    for await (const _ of slices(2 * STEPS, work, { signal: this.work.signal })) this.view.request();
  }

  #drawCurves() {
    CURVES.forEach(([key, words], c) => {
      const most = Math.max(1e-6, ...this.curves.flat().map((point) => point[key]));
      const names = this.view.sides.map(({ about }) => about.name);
      const lines = this.curves.map((points) => points.map((point) => point[key]));
      drawLines(this.canvases[c], this.view.sides[0].plane.theme, lines, names, most, this.way.t);
      this.canvases[c].ariaLabel = `${words}. Highest: ` +
        names.map((name, k) => `${name} ${Math.max(0, ...lines[k]).toFixed(2)}`).join(", ");
    });
  }

  // Holes --------------------------------------------------------------------------------------------------------------

  /** How far from every code (whitened) the way from image a to b leads on one map, at 1/4, 1/2 and 3/4. */
  #widest({ codes: { mean }, whitened }, a, b) {
    const way = [a, b].map((i) => [mean[2 * i], mean[2 * i + 1]]);
    return Math.max(...[0.25, 0.5, 0.75].map((t) => whitened.distance(along(way, t))));
  }

  /** Of these pairs of different digits, the one whose way leads farthest from every code of the left map. */
  #widestOf(pairs) {
    const [side] = this.view.sides;
    const { label } = side.codes;
    let best = { gap: -1, ends: pairs[0] };
    for (const ends of pairs) {
      if (label[ends[0]] === label[ends[1]]) continue;
      const gap = this.#widest(side, ends[0], ends[1]);
      if (gap > best.gap) best = { gap, ends };
    }
    return best.ends;
  }

  /** Images that the first view of both maps shows, not at its very edge: a way must be seen from end to end, and
   *  beyond there are codes so far out that all is hole. */
  #central() {
    const { sides } = this.view;
    const inside = ({ codes: { mean }, plane: { home: { centre, half } } }, i) =>
      [0, 1].every((a) => Math.abs(mean[2 * i + a] - centre[a]) < 0.92 * half);
    return [...sides[0].codes.label.keys()].filter((i) => sides.every((side) => inside(side, i)));
  }

  #farPartner(image) {
    const all = this.#central();
    for (const { plane } of this.view.sides) plane.fit(); // both ends are chosen on the whole maps
    return this.#widestOf(Array.from({ length: 400 }, (_, k) => [image, all[(image + 1 + 23 * k) % all.length]]))[1];
  }

  findHole() {
    const all = this.#central();
    const any = () => all[Math.floor(Math.random() * all.length)];
    for (const { plane } of this.view.sides) plane.fit();
    const ends = this.#widestOf(Array.from({ length: 300 }, () => [any(), any()]));
    this.#begin(ends, this.#deepest(this.view.sides[0], ends));
    this.view.remember();
  }

  /** The t at which the way between two images leads farthest from every code of one map. */
  #deepest({ codes: { mean }, whitened }, ends) {
    const way = ends.map((i) => [mean[2 * i], mean[2 * i + 1]]);
    const gap = (t) => whitened.distance(along(way, t));
    return Array.from({ length: 33 }, (_, k) => 0.1 + k / 40).reduce((best, t) => (gap(t) > gap(best) ? t : best));
  }
}

/** The place at t on the straight way from a to b. @param {number[][]} way @param {number} t */
const along = ([a, b], t) => [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];

/** Two lines over t in [0, 1] with their names at the right end; a mark at t. Dashes and colour tell them apart. */
function drawLines(canvas, theme, lines, names, most, t) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  const [low, right] = [height - 4, width - 46];
  /** @returns {[number, number]} */
  const at = (share, v) => [2 + share * (right - 2), low - (v / (1.15 * most)) * (low - 4)];
  ctx.strokeStyle = theme.border;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(2, low);
  ctx.lineTo(right, low);
  ctx.moveTo(...at(t, 0));
  ctx.lineTo(...at(t, 1.15 * most));
  ctx.stroke();
  const colours = [theme.accent, theme.text];
  lines.forEach((values, k) => {
    ctx.beginPath();
    values.forEach((v, i) => ctx.lineTo(...at(i / (STEPS - 1), v)));
    ctx.setLineDash(k ? [5, 4] : []);
    ctx.strokeStyle = colours[k];
    ctx.lineWidth = 2;
    ctx.stroke();
    ctx.setLineDash([]);
  });
  const labels = lines.map((values, k) => ({ k, y: at(1, values.at(-1) ?? 0)[1] })).sort((a, b) => a.y - b.y);
  if (labels[1].y - labels[0].y < 14) {
    const middle = Math.max(14, Math.min(low - 8, (labels[0].y + labels[1].y) / 2));
    [labels[0].y, labels[1].y] = [middle - 7, middle + 7];
  }
  ctx.textBaseline = "middle";
  ctx.font = `600 12px ${theme.font}`;
  for (const { k, y } of labels) {
    ctx.fillStyle = colours[k];
    ctx.fillText(names[k], right + 6, Math.min(height - 8, Math.max(8, y)));
  }
  ctx.font = `400 11px ${theme.font}`;
  ctx.fillStyle = theme.text;
  ctx.fillText(most.toFixed(2), 4, 8);
}
