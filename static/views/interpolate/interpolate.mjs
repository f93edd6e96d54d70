// The page "Interpolate": one t for all ways between two digits. Scrubbed, played, or pulled along a map; each way has
// its picture, its pace (how much ink changes where) and, in two dimensions, its path. Either end may be a pad
// (end.mjs): then all of it follows the pen.

import { link, say, told } from "../../host.mjs";
import { PIXELS, slices } from "../../engine/engine.mjs";
import { button, element, likeliest, numbersOf, stale, styleSheet } from "../../parts/controls.mjs";
import { End } from "./end.mjs";
import { announcer, calm, digitCanvas, frameLoop, paint, palette } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";
import * as registry from "../../engine/registry.mjs";

const PARTS = 50; // of a way, where its pace is measured
const SWEEP = 4000; // milliseconds from one end to the other
const STEP = 0.1; // of the way, for whoever wants no motion
const REST = 120; // milliseconds without new ink after which the paces are measured again
const COLUMNS = 11; // pictures of a way in the PNG
const ABREAST = 7; // ways side by side, as ui/views/interpolate/walk.py has them before

let kept = null; // t when the visitor left for another page: this module stays

/**
 * A model. kind: its key; told: the labels of both ends, where it takes any; guesses: at which ends other ink asks for
 * another guess.
 * @typedef {{kind: string, title: string, name: string, network: registry.Network, told: number[] | null,
 *   guesses: boolean[]}} About
 *
 * @typedef {{models: About[], from: import("./end.mjs").Option, to: import("./end.mjs").Option, spherical: boolean}} Options
 * @typedef {{t: number, from?: string | null, to?: string | null}} Message from, to: what is drawn where an end has a pad:
 *   null where nothing is yet, "" where it was cleared
 * @typedef {import("../../host.mjs").Component<Options, Message>} Component
 *
 * A model on the page. labels: that it is told; way: z as a function of t; path: of it, at equal steps; two: its ends
 * have, or a moment ago had, different labels.
 * @typedef {About & {model: import("../../engine/engine.mjs").Model, codes: registry.Codes, labels?: number[] | null,
 *   way?: (t: number) => Float32Array, path?: Float32Array[] | null, two?: boolean, plane?: Plane}} Member
 *
 * A way. at: its picture; edge: the colour of what is told at t; jumps: its picture does, so that its pace has no place on the common
 * scale; steps: the ink that changes in each part, once it is measured; the rest are its boxes.
 * @typedef {{id: string, title: string, note: string, at: (t: number) => Float32Array, edge?: (t: number) => string,
 *   jumps?: boolean}} Way
 * @typedef {Way & {steps: Float64Array | null, canvas: HTMLCanvasElement, pace: HTMLCanvasElement, words: HTMLElement,
 *   figure: HTMLElement}} Row
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Walk(root, component);
  await view.start();
  return view;
}

class Walk {
  gone = false; // another view stands in its place
  /** @type {Member[]} */
  members;
  /** @type {End[]} */
  ends = [];
  /** @type {Row[]} */
  rows = [];
  highest = 0; // pixels of ink at the upper edge of the paces
  other = false; // ink or ends have changed since the last frame
  blank = false; // one end has no digit
  playing = false;
  direction = 1; // of the play
  last = null; // the time of its last frame
  keys = null; // a timer: the keyboard has come to rest
  rest = null; // a timer: the pen has come to rest
  /** @type {AbortController | null} */
  work = null; // on the paces
  /** @type {(text: string) => void} */
  say;
  // Its boxes.
  bar;
  play;
  /** @type {HTMLInputElement} */
  range;
  value;
  save;
  waysBox;
  reading;
  maps;

  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    const [t] = numbersOf(link.get("t"), 1, 1) ?? [kept ?? NaN]; // Number("") would be 0: links get cut
    this.t = t >= 0 ? t : 0.5;
    this.settled = this.t; // what Python's words below the view are about
    this.request = frameLoop((time) => this.draw(time));
  }

  async start() {
    const { models } = this.options;
    const [style, ...loaded] = await Promise.all([
      styleSheet(this.root), ...models.map(({ network }) => registry.both(network)),
    ]);
    if (this.gone) return;
    this.members = models.map((about, i) => ({ ...about, model: loaded[i][0], codes: loaded[i][1] }));
    this.#build(style);
    if (kept !== null) link.set({ t: Number(this.t.toFixed(3)) });
    this.#take();
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const before = JSON.stringify(this.options);
    this.options = told(component);
    for (const m of this.members ?? []) m.plane?.retheme();
    if (this.members && before !== JSON.stringify(this.options)) this.#take();
    else if (this.members) this.#drawPaces();
  }

  destroy() {
    this.gone = true;
    kept = Number(this.t.toFixed(3));
    this.request.stop();
    this.work?.abort();
    for (const timer of [this.keys, this.rest]) clearTimeout(timer);
    stale(false);
    for (const end of this.ends) end.destroy();
    for (const m of this.members ?? []) m.plane?.destroy();
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(style) {
    const box = element("div", { className: "view walk" });
    this.play = button("Play", () => this.#toggle());
    this.play.className = "play main";
    this.range = element("input", { type: "range", min: 0, max: 1, step: 0.001, ariaLabel: "Place on the way, t" });
    this.range.oninput = () => {
      this.playing = false;
      this.#set(this.range.valueAsNumber);
    };
    this.range.onchange = () => this.#settle();
    this.range.onkeydown = (e) => {
      const far = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, PageUp: 0.1, PageDown: -0.1 }[e.key];
      if (!far) return;
      e.preventDefault();
      this.playing = false;
      this.#set(this.t + far);
      clearTimeout(this.keys);
      this.keys = setTimeout(() => this.#settle(), 400);
    };
    this.value = element("span", { className: "value" });
    this.say = announcer(box);
    this.ends = /** @type {const} */ (["from", "to"]).map((name) => new End(name, {
      change: () => this.#redraw(), release: () => this.#release(), say: this.say,
    }));
    this.save = button("Save as PNG", () => this.#save(), `All ways, ${COLUMNS} pictures each`);
    this.save.className = "save";
    this.bar = element("div", { className: "bar" }, this.play, this.ends[0].element, this.range, this.ends[1].element,
      this.value, this.save);
    this.waysBox = element("div", { className: "ways" });
    this.reading = element("p", { className: "reading quiet" });
    this.maps = element("div", { className: "maps" });
    box.append(this.bar, this.waysBox, this.reading, this.maps);
    this.root.replaceChildren(style, box);
    this.maps.hidden = this.members[0].model.latentDim !== 2;
    if (this.maps.hidden) return;
    for (const m of this.members) this.#buildMap(m);
  }

  /** @param {Member} m */
  #buildMap(m) {
    const host = element("div", { className: "square" });
    this.maps.append(element("div", {}, element("h3", { textContent: m.title }), host));
    const plane = m.plane = new Plane(host, {
      labelText: `Way on the map of the ${m.name}. Pull the ring along it.`, wheel: false, scroll: true,
    });
    plane.pointOpacity = 0.4;
    plane.setCodes(m.codes, m.network.colours, m.network.classes);
    plane.layers.push((ctx) => this.#drawPath(ctx, m));
    plane.onDrag = (name, z) => {
      this.playing = false;
      this.#set(nearest(m.path, z));
    };
    plane.onRelease = () => this.#settle();
    plane.onPick = (z) => {
      this.playing = false;
      this.#set(nearest(m.path, z));
      this.#settle();
    };
    plane.onHover = () => { // only the keyboard's cursor pulls
      if (plane.cursor) this.#set(nearest(m.path, plane.cursor));
    };
  }

  // The ways -----------------------------------------------------------------------------------------------------------

  /** Python's word on both ends. */
  #take() {
    this.ends.forEach((end) => end.take(this.options[end.name]));
    this.options.models.forEach(({ told, guesses }, i) => Object.assign(this.members[i], { told, guesses }));
    this.bar.classList.toggle("drawing", this.ends.some(({ pad }) => pad));
    this.#redraw();
  }

  /** There is other ink, or another end: all of it anew, with the next frame. */
  #redraw() {
    this.other = true;
    this.request();
  }

  /** The labels that a model is told: Python's, and of newer ink that nobody has named the one of the highest ELBO, as
   * Python will guess. @param {Member} member @returns {number[] | null} */
  #labelsFor({ model, told, guesses }) {
    if (!model.conditional) return null;
    return this.ends.map((end, i) => (end.fresh && guesses[i] ? likeliest(model, end.pixels) : told[i]));
  }

  /** Two ends: codes, paths, rows; the paces as soon as the hand rests. */
  #between() {
    const { members, ends } = this;
    const busy = ends.some((end) => end.busy);
    const blank = ends.find((end) => end.blank);
    this.work?.abort();
    clearTimeout(this.rest);
    this.highest = 0;
    if (this.blank) this.reading.textContent = "";
    this.blank = Boolean(blank);
    this.save.disabled = this.blank;
    if (blank) return this.#empty(blank);
    const images = ends.map(({ pixels }) => pixels);
    for (const m of members) m.labels = this.#labelsFor(m);
    const guide = members.find((m) => m.labels);
    const known = ends.map((end, i) => end.shows ?? guide?.network.classes[guide.labels[i]] ?? ""); // nobody may know it
    for (const m of members) {
      const [a, b] = m.labels?.map((y) => m.network.classes[y]) ?? known;
      const [z0, z1] = images.map((x, i) => m.model.encode(m.model.observe(x), m.labels?.[i]).mean);
      m.way = between(z0, z1, this.options.spherical);
      m.path = Array.from({ length: PARTS + 1 }, (_, i) => m.way(i / PARTS));
      if (!m.plane) continue;
      if (!busy || !holds(m.plane, m.path)) lookAt(m.plane, m.path); // a map that swims under the pen cannot be read
      m.plane.setMarker("from", { z: z0, shape: "dot", size: 5, text: a, colour: m.plane.theme.text });
      m.plane.setMarker("to", { z: z1, shape: "dot", size: 5, text: b, colour: m.plane.theme.text });
    }
    const blend = new Float32Array(PIXELS);
    /** @type {Way[]} */
    const rows = [{
      id: "pixels", title: "Pixels", note: "plain blend",
      at: (t) => {
        for (let i = 0; i < PIXELS; i++) blend[i] = (1 - t) * images[0][i] + t * images[1][i];
        return blend;
      },
    }];
    for (const m of members) {
      const out = new Float32Array(PIXELS);
      if (!m.labels) {
        rows.push({ id: m.kind, title: m.title, note: m.model.probabilistic ? "mean to mean" : "code to code",
          at: (t) => m.model.decode(m.way(t), null, out) });
        continue;
      }
      const [a, b] = m.labels;
      const { classes, colours } = m.network;
      const [from, to] = [classes[a], classes[b]];
      const row = (word, note, at, more = {}) => rows.push({ id: `${m.kind} ${word}`, title: `${m.title} ${word}`, note, at, ...more });
      row("style", `label ${from} throughout`, (t) => m.model.decode(m.way(t), a, out), { edge: () => colours[a] });
      m.two = a !== b || (busy && m.two); // a guess that wavers under the pen takes no row away
      if (!m.two) continue;
      const start = m.way(0);
      row("label", `${from} blends to ${to}: never trained`, (t) => m.model.decode(start, { a, b, t: [t] }, out));
      const told = (t) => (t < 0.5 ? a : b);
      row("both", `label switches ${from} to ${to}`, (t) => m.model.decode(m.way(t), told(t), out), { edge: (t) => colours[told(t)], jumps: true });
    }
    this.#cards(rows);
    if (busy) this.rest = setTimeout(() => this.#measure(), REST);
    else this.#measure();
  }

  /** No digit at one end: an empty picture has a code too, but a way from it would say nothing. */
  #empty(end) {
    this.playing = false;
    this.reading.textContent = `The pad is empty. Draw the digit to walk ${end.name}.`;
    for (const m of this.members) {
      m.path = null;
      for (const name of ["from", "to", "t"]) m.plane?.setMarker(name, null);
    }
    for (const row of this.rows) {
      paint(row.canvas, null);
      row.figure.style.removeProperty("--edge");
      row.steps = null;
    }
    this.#drawPaces();
  }

  /** A card for every row; those that stay keep their canvases. @param {Way[]} rows */
  #cards(rows) {
    const before = new Map(this.rows.map((row) => [row.id, row]));
    this.rows = rows.map((row) => ({ ...before.get(row.id) ?? card(row.title), ...row, steps: null }));
    for (const row of this.rows) {
      row.words.textContent = row.note;
      row.canvas.setAttribute("aria-label", `${row.title}, ${row.note}`);
      if (!row.edge) row.figure.style.removeProperty("--edge");
    }
    const n = this.rows.length;
    if (n === this.waysBox.childElementCount) return;
    this.waysBox.style.setProperty("--ways", String(n <= ABREAST ? n : Math.ceil(n / 2)));
    this.waysBox.replaceChildren(...this.rows.map(({ figure }) => figure));
  }

  /** How much ink changes in each part of a way, a row after the other and a few pictures at a time. */
  async #measure() {
    const work = this.work = new AbortController();
    const { rows } = this;
    const before = new Float32Array(PIXELS);
    const steps = rows.map(() => new Float64Array(PARTS));
    const one = (k) => {
      const r = Math.floor(k / (PARTS + 1));
      const i = k % (PARTS + 1);
      const now = rows[r].at(i / PARTS);
      if (i) {
        let sum = 0;
        for (let p = 0; p < PIXELS; p++) sum += Math.abs(now[p] - before[p]);
        steps[r][i - 1] = sum;
      }
      before.set(now);
    };
    for await (const _ of slices(rows.length * (PARTS + 1), one, { signal: work.signal }));
    if (work.signal.aborted || this.gone) return;
    rows.forEach((row, r) => (row.steps = steps[r]));
    // A label that switches is one jump that would flatten all the others: it is cut off, and its size written beside it.
    this.highest = Math.max(...rows.filter((row) => !row.jumps).flatMap((row) => Array.from(row.steps)), 1e-6) * 1.1;
    this.reading.textContent = `Below each picture: the ink that changes in each ${100 / PARTS} % of its way, Σ|Δ| over ` +
      `the pixels. One scale for all, up to ${this.highest.toFixed(1)} px; what is beyond is cut and its size written there.`;
    for (const row of rows) {
      row.pace.setAttribute("aria-label", `Pace of ${row.title}: at most ${Math.max(...row.steps).toFixed(1)} pixels of ink`);
    }
    this.#drawPaces();
  }

  // Moving -------------------------------------------------------------------------------------------------------------

  #set(t) {
    this.t = Math.min(1, Math.max(0, t));
    this.request();
  }

  #toggle() {
    if (calm()) { // a press is a step, and nothing moves by itself
      if (this.t > 1 - 1e-6) this.direction = -1;
      if (this.t < 1e-6) this.direction = 1;
      this.#set(Math.round((this.t + this.direction * STEP) / STEP) * STEP);
      this.#settle();
      return;
    }
    this.playing = !this.playing;
    if (this.playing && this.t >= 1) this.direction = -1;
    if (this.playing && this.t <= 0) this.direction = 1;
    this.last = null;
    if (!this.playing) this.#settle();
    this.request();
  }

  #settle() {
    const t = Number(this.t.toFixed(3));
    this.settled = this.t;
    this.request(); // what Python says of this place may be seen again
    link.set({ t });
    const drawn = this.ends.filter((end) => end.pad).map((end) => [end.name, end.text]);
    say(this.component, { t, ...Object.fromEntries(drawn) });
  }

  /** The pen was lifted, or something taken back: Python hears of the drawings once, and keeps them in the link. */
  #release() {
    this.#redraw();
    this.#settle();
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw(time) {
    if (this.playing) {
      if (this.last) this.t += (this.direction * Math.min(100, time - this.last)) / SWEEP;
      this.last = time;
      if (this.t >= 1 || this.t <= 0) {
        this.t = Math.min(1, Math.max(0, this.t));
        this.direction = -this.direction;
      }
    }
    if (this.other) {
      this.other = false;
      this.#between();
    }
    const { t } = this;
    stale(t !== this.settled);
    this.range.value = String(t);
    this.value.textContent = `t = ${t.toFixed(2)}`;
    this.play.textContent = calm() ? "Step" : this.playing ? "Pause" : "Play";
    if (this.blank) return this.say(this.reading.textContent);
    for (const row of this.rows) {
      paint(row.canvas, row.at(t));
      if (row.edge) row.figure.style.setProperty("--edge", row.edge(t));
    }
    for (const m of this.members) m.plane?.setMarker("t", { z: m.way(t), drag: true, size: 9 });
    this.#drawPaces();
    if (this.playing) this.request();
    else this.say(`t ${t.toFixed(2)}`);
  }

  #drawPaces() {
    const theme = palette(this.root);
    for (const { pace, steps } of this.rows) {
      const ratio = Math.min(devicePixelRatio || 1, 2);
      const [width, height] = [pace.clientWidth, pace.clientHeight];
      if (pace.width !== Math.round(width * ratio)) [pace.width, pace.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      const ctx = pace.getContext("2d");
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, width, height);
      if (!steps) continue; // not measured yet: an old curve would be another way's
      ctx.beginPath();
      steps.forEach((v, i) => ctx.lineTo(((i + 0.5) / PARTS) * width, height - 2 - (v / this.highest) * (height - 5)));
      ctx.strokeStyle = theme.text;
      ctx.lineWidth = 1.5;
      ctx.stroke();
      const most = steps.indexOf(Math.max(...steps));
      if (steps[most] > this.highest) {
        const right = most > PARTS / 2;
        ctx.font = `11px ${theme.font}`;
        ctx.textAlign = right ? "right" : "left";
        ctx.fillStyle = theme.text;
        ctx.fillText(steps[most].toFixed(1), ((most + 0.5) / PARTS) * width + (right ? -7 : 7), 13);
      }
      ctx.fillStyle = theme.accent;
      ctx.fillRect(this.t * width - 0.75, 0, 1.5, height);
    }
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Member} member */
  #drawPath(ctx, { path, plane }) {
    if (!path) return;
    for (const [width, colour] of [[5, plane.theme.background], [2, plane.theme.text]]) {
      ctx.beginPath();
      for (const z of path) ctx.lineTo(...plane.toScreen(z));
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
  }

  // Saving -------------------------------------------------------------------------------------------------------------

  #save() {
    const [tile, gap, names] = [84, 4, 190];
    const theme = palette(this.root);
    const sheet = element("canvas", { width: names + COLUMNS * (tile + gap), height: this.rows.length * (tile + gap) + gap });
    const ctx = sheet.getContext("2d");
    ctx.fillStyle = theme.background;
    ctx.fillRect(0, 0, sheet.width, sheet.height);
    ctx.imageSmoothingEnabled = false;
    const small = digitCanvas({ label: "" });
    this.rows.forEach((row, r) => {
      const y = gap + r * (tile + gap);
      ctx.fillStyle = theme.text;
      ctx.font = `650 16px ${theme.font}`;
      ctx.fillText(row.title, 8, y + tile / 2, names - 16);
      ctx.font = `400 12px ${theme.font}`;
      ctx.fillText(row.note, 8, y + tile / 2 + 18, names - 16);
      for (let i = 0; i < COLUMNS; i++) {
        paint(small, row.at(i / (COLUMNS - 1)));
        ctx.drawImage(small, names + i * (tile + gap), y, tile, tile);
      }
    });
    sheet.toBlob((blob) => {
      const url = URL.createObjectURL(blob);
      element("a", { href: url, download: "interpolation.png" }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    }, "image/png");
  }
}

/** The boxes of one row: its picture, its words, its pace. */
function card(title) {
  const canvas = digitCanvas({ label: title });
  canvas.style.cssText = "";
  const pace = element("canvas", { className: "pace" });
  pace.setAttribute("role", "img");
  const words = element("small", { className: "quiet" });
  const caption = element("figcaption", {}, element("b", { textContent: title }), words);
  return { canvas, pace, words, figure: element("figure", { className: "tile" }, canvas, caption, pace) };
}

/** The way from a to b as a function of t: vae_core/latent.py's `interpolate`. */
function between(a, b, spherical) {
  const mix = (t, p, q) => Float32Array.from(a, (v, i) => p * v + q * b[i]);
  const straight = (t) => mix(t, 1 - t, t);
  const [la, lb] = [Math.hypot(...a), Math.hypot(...b)];
  if (!spherical || Math.min(la, lb) < 1e-6) return straight;
  const cosine = Math.min(1, Math.max(-1, a.reduce((sum, v, i) => sum + v * b[i], 0) / (la * lb)));
  const angle = Math.acos(cosine);
  if (Math.sin(angle) < 1e-4) return straight;
  return (t) => {
    const length = ((1 - t) * la + t * lb) / Math.sin(angle);
    return mix(t, (length * Math.sin((1 - t) * angle)) / la, (length * Math.sin(t * angle)) / lb);
  };
}

/** True where both ends of a path are in view. */
function holds(plane, path) {
  const [left, bottom, right, top] = plane.bounds();
  return [path[0], path.at(-1)].every(([x, y]) => x > left && x < right && y > bottom && y < top);
}

/** The part of a map in which a path lies, with what is around it. */
function lookAt(plane, path) {
  const [low, high] = [Math.min, Math.max].map((f) => [0, 1].map((axis) => f(...path.map((z) => z[axis]))));
  const span = Math.max(1.7 * Math.max(high[0] - low[0], high[1] - low[1]), 0.5 * plane.home.half);
  plane.setView(low.map((v, axis) => (v + high[axis]) / 2), span);
}

/** t of the place on a path (points at equal steps of t) that is nearest to z, between its points too. */
function nearest(path, z) {
  let [best, at] = [Infinity, 0];
  for (let i = 0; i + 1 < path.length; i++) {
    const [p, q] = [path[i], path[i + 1]];
    const [dx, dy] = [q[0] - p[0], q[1] - p[1]];
    const u = Math.min(1, Math.max(0, ((z[0] - p[0]) * dx + (z[1] - p[1]) * dy) / (dx * dx + dy * dy || 1)));
    const d = Math.hypot(p[0] + u * dx - z[0], p[1] + u * dy - z[1]);
    if (d < best) [best, at] = [d, (i + u) / (path.length - 1)];
  }
  return at;
}
