// The Map's epochs: where the first test images' codes lay while a model learned, on both maps at once. The weights of
// those moments were not kept, so the codes alone are shown.

import { aligned, spread } from "../../maths/procrustes.mjs";
import { button, called, element, press, signed, write } from "../../parts/controls.mjs";
import { calm, frameLoop, paint } from "../../parts/paint.mjs";
import { extent } from "../../maths/codes.mjs";

const FOLLOWED = 500; // test images whose codes training keeps
const GAP = 900; // ms from one stored epoch to the next while it plays
const CROWD = 12; // CSS pixels from their middle: closer together, codes have no room for numerals
const POINT = 1.5; // times as large as one of ten thousand
const HOW = "Of earlier epochs only the codes of the first {n} test images were kept and no weights, so the drawings are the trained " +
  "model's, and what is grey above waits until Epochs is pressed again. Each epoch is shifted, turned and reflected to lie on the last as closely as it can, never scaled, the circles of " +
  "N(0, I) with it; from one stored epoch to the next codes go in a straight line.";

const NONE = "Neither model has codes of earlier epochs. They are kept while a model of two numbers is trained.";

/**
 * A model's stored epochs, each laid upon the last.
 * @typedef {{epochs: number[], frames: ReturnType<typeof aligned>[], label: Uint8Array,
 *   home: {centre: number[], half: number}, kept: boolean}} Learned kept: it has more than the trained model's codes
 */

export class Epochs {
  on = false;
  /** @type {number[]} the stored epochs of both models */
  stops = [];
  at = 0; // where it stands: the number of a stop, or between two
  playing = false;
  last = 0; // time of the frame before
  // Its boxes.
  /** @type {HTMLInputElement} */
  slider;
  element;
  now;
  ticks;
  track;
  how;

  /** view: the page's, with its sides, `told`, `classes`, `colours`, `say`, `request` and `remember`.
   * @param {any} view @param {() => void} toggle */
  constructor(view, toggle) {
    this.view = view;
    this.button = button("Epochs", toggle, "Where the codes lay while both models learned");
    press(this.button, false);
    this.tick = frameLoop((time) => this.#play(time));
    this.#build();
  }

  #build() {
    this.slider = element("input", { type: "range", min: 0, step: "any", ariaLabel: "Epoch" });
    this.slider.oninput = () => this.#hold(this.slider.valueAsNumber);
    this.slider.onchange = () => this.#hold(Math.round(this.at), true);
    this.slider.onkeydown = (e) => this.#key(e);
    this.ticks = element("div", { className: "ticks", ariaHidden: "true" });
    this.now = element("b", { className: "now" });
    this.play = button("", () => this.#toggle());
    this.track = element("div", { className: "way" }, this.play,
      element("div", { className: "stops" }, this.slider, this.ticks), this.now);
    this.how = element("p", { className: "caption" });
    this.element = element("div", { className: "walk", hidden: true }, this.track, this.how);
  }

  // On and off ---------------------------------------------------------------------------------------------------------

  /** @param {number} epoch the nearest stored one is shown */
  start(epoch) {
    this.on = true;
    this.element.hidden = false;
    press(this.button, true);
    for (const side of this.view.sides) {
      side.plane.pointSize = POINT;
      this.learn(side);
    }
    this.restart(epoch);
  }

  stop() {
    this.pause();
    this.on = false;
    this.element.hidden = true;
    press(this.button, false);
    for (const { plane } of this.view.sides) Object.assign(plane, { origin: [0, 0], pointSize: 1, showNumerals: true });
  }

  pause() {
    this.playing = false;
    this.tick.stop();
  }

  /** Another model stands on a side: its stored codes. */
  learn(side) {
    const { epochs, followed, label, mean } = side.codes;
    const kept = Boolean(epochs?.length && followed);
    const n = kept ? followed.length / (2 * epochs.length) : Math.min(label.length, FOLLOWED);
    const at = (k) => followed.subarray(2 * n * k, 2 * n * (k + 1));
    const raw = kept ? epochs.map((_, k) => at(k)) : [mean.subarray(0, 2 * n)];
    const frames = raw.map((codes) => aligned(codes, raw.at(-1)));
    const all = new Float32Array(raw.length * 2 * n);
    frames.forEach((frame, k) => all.set(frame.mean, 2 * n * k));
    /** @type {Learned} */
    const learned = { epochs: kept ? epochs : [Infinity], frames, label: label.subarray(0, n), home: extent(all), kept };
    side.learned = learned;
  }

  /** The slider over what both models have. */
  restart(epoch = this.epoch) {
    this.pause();
    const kept = this.view.sides.filter(({ learned }) => learned.kept);
    this.stops = [...new Set(kept.flatMap(({ learned }) => learned.epochs))].sort((a, b) => a - b);
    this.track.hidden = !this.stops.length;
    this.slider.max = String(Math.max(0, this.stops.length - 1));
    this.ticks.replaceChildren(...this.stops.map((stop) => element("span", {}, String(stop))));
    this.how.textContent = kept.length ? HOW.replace("{n}", String(this.count)) : NONE;
    this.at = this.stops.reduce((best, stop, k) => (Math.abs(stop - epoch) <= Math.abs(this.stops[best] - epoch) ? k : best), 0);
    if (epoch === Infinity) this.at = Math.max(0, this.stops.length - 1);
  }

  // Where it stands ----------------------------------------------------------------------------------------------------

  /** Of how many images codes are shown. */
  get count() {
    return this.view.sides[0].learned.label.length;
  }

  /** As a number between stored ones, where it plays; Infinity where none is stored. */
  get epoch() {
    const [below, above] = [this.stops[Math.floor(this.at)], this.stops[Math.ceil(this.at)]];
    return below === undefined ? Infinity : below + (this.at % 1) * (above - below);
  }

  /** As it stands in a link; null where it is off. */
  get text() {
    if (!this.on) return null;
    return this.stops.length ? String(this.stops[Math.round(this.at)]) : "last";
  }

  /** Two stored epochs of a model and where between them it stands. */
  #between({ learned: { epochs, frames } }) {
    const next = epochs.findIndex((stored) => stored > this.epoch);
    if (next <= 0) return { before: next ? frames.at(-1) : frames[0], after: null, t: 0 };
    return { before: frames[next - 1], after: frames[next], t: (this.epoch - epochs[next - 1]) / (epochs[next] - epochs[next - 1]) };
  }

  /** Codes of a side as they are shown now, n × 2, and the point that was 0 in them. */
  shown(side) {
    const { before, after, t } = this.#between(side);
    if (!t) return before;
    const along = (a, b) => a.map((v, i) => v + t * (b[i] - v));
    return { ...before, mean: along(before.mean, after.mean), origin: along(before.origin, after.origin) };
  }

  /** Where an image's code lies on a side, or null. @param {any} side @param {number} index */
  place({ plane }, index) {
    const { mean } = plane.codes;
    return 2 * index < mean.length ? [mean[2 * index], mean[2 * index + 1]] : null;
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** Go to a stop, or between two. @param {number} at @param {boolean} rests */
  #hold(at, rests = false) {
    this.pause();
    this.#move(at);
    if (rests) this.view.remember();
  }

  #move(at) {
    this.at = Math.min(Math.max(at, 0), this.stops.length - 1);
    for (const side of this.view.sides) {
      const { mean, origin } = this.shown(side);
      side.plane.origin = origin;
      side.plane.moveCodes(mean);
    }
    this.view.epochMoved();
    this.view.request();
  }

  /** Keys go from one stored epoch to the next. @param {KeyboardEvent} e */
  #key(e) {
    const [down, up] = [Math.ceil(this.at) - 1, Math.floor(this.at) + 1];
    const to = { ArrowLeft: down, ArrowDown: down, PageDown: down, ArrowRight: up, ArrowUp: up, PageUp: up, Home: 0, End: Infinity }[e.key];
    if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    this.#hold(to, true);
  }

  #toggle() {
    const end = this.stops.length - 1;
    if (calm()) return this.#hold(this.at >= end ? 0 : Math.floor(this.at) + 1, true); // a press is a step: nothing moves by itself
    if (this.playing) return this.#hold(Math.round(this.at), true);
    if (this.at >= end) this.#move(0);
    this.playing = true;
    this.last = 0;
    this.tick();
    this.view.request();
  }

  #play(time) {
    const step = this.last ? Math.min(100, time - this.last) / GAP : 0;
    this.last = time;
    if (this.at + step >= this.stops.length - 1) return this.#hold(this.stops.length - 1, true);
    this.#move(this.at + step);
    this.tick();
  }

  // What is said and drawn ---------------------------------------------------------------------------------------------

  /** Of one map. */
  caption(side) {
    const { learned, about } = side;
    if (!learned.kept) return `No codes of earlier epochs were kept for the ${about.name}: here are the trained model's.`;
    const { mean, turn, reflected } = this.shown(side);
    const far = (codes) => length(spread(codes));
    const words = [`${this.#when(learned)} the ${learned.label.length} codes lie ${far(mean)} from their middle (root mean square)` +
      `${this.at < this.stops.length - 1 ? `, in the end ${far(learned.frames.at(-1).mean)}` : ""}.`];
    const k = learned.epochs.indexOf(this.epoch);
    if (k >= 0 && k < learned.epochs.length - 1) {
      words.push(`Turned by ${signed((turn * 180) / Math.PI, 0)}°${reflected ? " after a reflection" : ""} to lie on the last.`);
    }
    const row = about.history.find(([epoch]) => epoch === this.epoch);
    if (row) {
      const [, reconstruction, kl] = row;
      words.push(`In this epoch's own batches: reconstruction ${reconstruction.toFixed(1)} nats per image` +
        `${kl === null ? "" : `, KL ${kl.toFixed(1)}`}.`);
    }
    return words.join(" ");
  }

  /** @param {Learned} learned */
  #when({ epochs }) {
    const { epoch } = this;
    if (epoch === 0) return "Before training";
    if (epoch >= epochs.at(-1)) return `After ${epochs.at(-1)} epochs, the last,`;
    if (epochs.includes(epoch)) return epoch === 1 ? "After the first epoch" : `After ${epoch} epochs`;
    const next = epochs.findIndex((stored) => stored > epoch);
    return `Between epochs ${epochs[next - 1]} and ${epochs[next]}, on a straight line,`;
  }

  /** One frame: what is looked at, marked on both maps, and where the slider stands. @param {number} picked @param {number | null} hovered */
  draw(picked, hovered) {
    const { view } = this;
    const index = hovered ?? picked;
    const [below, above] = [Math.floor(this.at), Math.ceil(this.at)].map((k) => this.stops[k]);
    const when = below === above ? (below ? `epoch ${below}` : "before training") : `epoch ${below} to ${above}`;
    this.slider.value = String(this.at);
    this.slider.setAttribute("aria-valuetext", when);
    write(this.now, when[0].toUpperCase() + when.slice(1));
    write(this.play, calm() ? "Step" : this.playing ? "Pause" : "Play");
    const { label } = view.sides[0].codes;
    view.elements.what.textContent = `Test image ${index}, ${called(view.classes[label[index]])}`;
    const spoken = [this.stops.length ? when : "the trained models", view.elements.what.textContent];
    for (const side of view.sides) {
      const { plane, model, codes, about } = side;
      const room = spread(plane.codes.mean) * plane.scale > CROWD;
      if (room !== plane.showNumerals) {
        plane.showNumerals = room; // pushed apart they would look like classes that lie apart
        plane.redraw();
      }
      const mark = (name, i, look) => {
        const z = i === null ? null : this.place(side, i);
        plane.setMarker(name, z && { z, ...look });
      };
      mark("pick", picked, { colour: plane.theme.accent, size: 9 });
      mark("hover", hovered, { colour: plane.theme.text });
      const told = view.told(side, index);
      paint(side.tile, model.decode(codes.mean.subarray(2 * index, 2 * index + 2), told, side.pixels));
      side.tile.style.border = `2px solid ${view.colours[codes.label[index]]}`;
      const title = `${about.name}, trained, ${about.plane ? "at its place" : "draws it"}${told === null ? "" : `, told ${view.classes[told]}`}`;
      side.tile.setAttribute("aria-label", title);
      side.title.replaceChildren(element("b", {}, title));
      const place = this.place(side, index);
      const code = place ? `${about.plane ? "u" : model.probabilistic ? "μ" : "z"} ${place.map((v) => signed(v)).join(", ")}` : "";
      side.reading.replaceChildren(element("small", {}, code));
      spoken.push(`${about.name}: ${code}`);
    }
    if (!this.playing) view.say(`${spoken.join(". ")}.`);
  }

  /** The way of the picked image's code up to now. */
  drawWay(ctx, side, picked) {
    if (!this.on || !side.learned?.kept) return;
    const { plane, learned: { epochs, frames } } = side;
    const way = frames.filter((_, k) => epochs[k] < this.epoch).map(({ mean }) => [mean[2 * picked], mean[2 * picked + 1]]);
    const now = this.place(side, picked);
    if (!way.length || !now) return;
    for (const [width, colour] of [[4, plane.theme.background], [1.5, plane.theme.accent]]) {
      ctx.beginPath();
      for (const z of [...way, now]) ctx.lineTo(...plane.toScreen(z));
      ctx.lineWidth = width;
      ctx.lineJoin = "round";
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    ctx.fillStyle = plane.theme.accent;
    for (const z of way) {
      ctx.beginPath();
      ctx.arc(...plane.toScreen(z), 3, 0, 2 * Math.PI);
      ctx.fill();
    }
  }
}

const length = (v) => (v < 0.095 ? v.toFixed(3) : v.toFixed(2));

/** "5" or "last" of a link → an epoch, of which the nearest stored one is shown; null for another text. @param {string | null} text */
export const parseEpoch = (text) => (text === "last" ? Infinity : /^\d{1,4}$/.test(text ?? "") ? Number(text) : null);
