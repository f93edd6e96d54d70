// The page "Restore": a digit is spoilt under the hand, and everybody who brings it back follows in the same task. Python
// hears of it when the hand lets go, computes the same pixels again (the seed is the browser's on both sides), and adds
// what only it knows: the ridge regression's picture, the tables and the means of test digits.

import { link, say, told } from "../host.mjs";
import { PIXELS } from "../engine/engine.mjs";
import { Random } from "../engine/random.mjs";
import * as registry from "../engine/registry.mjs";
import { corrupt } from "../maths/digit.mjs";
import { medianFilter, restoration } from "../maths/restoration.mjs";
import { arrivals } from "../parts/coming.mjs";
import { button, element, pixelsOf, stale, styleSheet } from "../parts/controls.mjs";
import { announcer, digitCanvas, paint } from "../parts/paint.mjs";
import { doable, showAgain } from "../parts/spoiling.mjs";

const PLACES = 60; // of the slider for the arrow keys, at least
const CATCH = 0.02; // of the slider: a pointer so near to a mark is on it
const REST = 400; // milliseconds after the last key until the hand rests

/**
 * @typedef {import("../parts/spoiling.mjs").Spoil & {sizes: number[]}} Row sizes: of the median filter
 * @typedef {{kind: string, amounts: Record<string, number>, seed: number, told: Record<string, number>}} Hand
 * @typedef {object} Member a model on the page
 * @property {string} kind its key
 * @property {string} title
 * @property {string} name
 * @property {import("../engine/registry.mjs").Network} network
 * @property {{label: number, how: string, classes: string[]} | null} told what a conditional model is told by itself
 *
 * @typedef {object} Options what Python tells
 * @property {Row[]} spoils
 * @property {Member[]} models
 * @property {{id: string, pixels: string}} digit
 * @property {Hand} hand as Python knows it
 * @property {Record<string, number>} kept where a ridge regression is kept: amounts by kind
 * @property {{pixels: string, psnr: number, wrong: number} | null} ridge its picture for this digit and this hand
 *
 * @typedef {{kind: string, amount: number, seed: number, told: Record<string, number>}} Message what Python hears
 */

/**
 * @param {import("../host.mjs").Root} root
 * @param {import("../host.mjs").Component<Options, Message>} component
 */
export async function mount(root, component) {
  const view = new Restore(root, component);
  await view.build();
  view.started = view.start();
  return view;
}

/** A tile: a picture, its name, what is said of it. */
class Tile {
  /** @param {string} title @param {string} shows what the picture shows, in words */
  constructor(title, shows) {
    this.canvas = digitCanvas({ label: shows });
    this.canvas.style.cssText = ""; // the sheet frames it
    this.note = element("small", { className: "quiet" });
    const caption = element("figcaption", {}, element("b", { textContent: title }), this.note);
    this.figure = element("figure", { className: "tile" }, this.canvas, caption);
  }

  /**
   * @param {Float32Array | null} pixels null where there are none
   * @param {string | {psnr: number, wrong: number, mse?: number}} words
   */
  show(pixels, words) {
    paint(this.canvas, pixels);
    this.figure.classList.toggle("none", !pixels);
    const text = typeof words === "string" ? words : words.mse === 0 ? "no pixel differs" : `${words.psnr.toFixed(2)} dB, ${(100 * words.wrong).toFixed(1)}% wrong`;
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}

class Restore {
  /**
   * @param {import("../host.mjs").Root} root
   * @param {import("../host.mjs").Component<Options, Message>} component
   */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.spoils = doable(this.options.spoils);
    const { kind, amounts, seed, told: labels } = this.options.hand;
    /** @type {Hand} */
    this.hand = { kind, amounts: { ...amounts }, seed, told: { ...labels } };
    if (!this.spoils.some((row) => row.kind === kind)) this.hand.kind = this.spoils[0].kind;
    this.clean = new Float32Array(PIXELS);
    this.spoilt = new Float32Array(PIXELS);
    this.filtered = new Float32Array(PIXELS);
    this.kind = element("select", { onchange: () => this.#choose() });
    this.unit = element("span");
    this.value = element("output");
    this.range = element("input", { type: "range", min: "0", step: "any" });
    this.marks = element("span", { className: "marks" });
    this.again = button("Spoil again", () => this.#again());
    this.alert = element("p", { hidden: true });
    this.reading = element("p", { className: "reading quiet" });
    this.tiles = {
      clean: new Tile("Clean", "The clean digit"),
      spoilt: new Tile("Spoilt", "The spoilt digit"),
      median: new Tile("Median filter", "What the median filter makes of it"),
      ridge: new Tile("Ridge regression", "What the ridge regression makes of it"),
    };
    this.members = this.options.models.map((about) => this.#member(about));
    /** @type {(text: string) => void} for a screen reader */
    this.say = () => {};
    /** @type {string | null} the last message, as text */
    this.sent = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} after the last key */
    this.keys = undefined;
    this.there = false; // the boxes are
    this.gone = false;
    /** @type {Promise<void> | null} ends when every network has come or failed */
    this.started = null;
    this.#take();
    /** @type {any} */ (root.host ?? root).restore = this; // for tests and measurements
  }

  /** The page's boxes; what needs no network follows the hand from here on. */
  async build() {
    const style = await styleSheet(this.root);
    if (this.gone) return;
    const box = element("div", { className: "view restore" });
    this.alert.setAttribute("role", "alert");
    box.append(this.#bar(), this.#grid(), this.alert, this.reading);
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
    this.there = true;
    this.#showKind();
    this.#draw();
    if (this.hand.kind !== this.options.hand.kind) this.#settle(); // Python knows a kind that is not done here
  }

  /** The networks, one after the other: each draws as soon as it is there. */
  async start() {
    await arrivals(this.options.models.map(({ network }) => network), {
      load: registry.model,
      here: (i, model) => {
        if (this.gone) return;
        Object.assign(this.members[i], { model, code: model.newCode() });
        this.#draw();
      },
      coming: (i, words) => {
        const { model, tile } = this.members[i];
        if (!model) tile.show(null, `on its way: ${words}`);
      },
      failed: (i, error) => {
        if (error.name !== "EngineError") throw error;
        this.members[i].tile.show(null, "did not come");
        this.alert.hidden = false;
        this.alert.textContent = error.message;
        console.warn(error.message);
      },
    });
  }

  update(component) {
    this.component = component;
    this.options = told(component);
    this.#take();
    if (!this.there) return;
    this.options.models.forEach((about, i) => {
      this.members[i].about = about;
      this.#showLabels(this.members[i]);
    });
    this.#draw();
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.keys); // the next page's address is not ours
    stale(false);
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #bar() {
    this.kind.append(...this.spoils.map(({ kind, name, trained }) =>
      element("option", { value: kind, textContent: trained ? name : `${name}, never seen by the DAE` })));
    this.range.oninput = () => this.#set(this.#caught(this.range.valueAsNumber));
    this.range.onchange = () => this.#settle();
    this.range.onkeydown = (e) => this.#key(e);
    this.marks.setAttribute("aria-hidden", "true");
    return element("div", { className: "bar" },
      element("label", { className: "kind" }, element("span", { textContent: "Corruption" }), this.kind),
      element("label", { className: "amount" }, element("span", {}, this.unit, this.value),
        element("span", { className: "ruler" }, this.range, this.marks)),
      this.again);
  }

  #grid() {
    const figures = [...Object.values(this.tiles), ...this.members.map(({ tile }) => tile)].map(({ figure }) => figure);
    const box = element("div", { className: "tiles" }, ...figures);
    box.style.setProperty("--tiles", String(figures.length));
    this.members.forEach((member) => this.#showLabels(member));
    return box;
  }

  /** A model's tile; under that of a conditional one what it is told: a class of its own data set. @param {Member} about */
  #member(about) {
    const { kind, title, name } = about;
    const tile = new Tile(title, `What the ${name} makes of it`);
    const member = {
      about, tile, pixels: new Float32Array(PIXELS),
      /** @type {import("../engine/engine.mjs").Model | null} */ model: null,
      /** @type {import("../engine/engine.mjs").Code | null} */ code: null,
      /** @type {HTMLSelectElement | null} */ select: null,
    };
    if (!about.told) return member;
    const { classes } = about.told;
    const select = member.select = element("select", {}, element("option", { value: "" }),
      ...classes.map((words, y) => element("option", { value: String(y), textContent: `told ${words}` })));
    select.setAttribute("aria-label", `Label that the ${name} is told`);
    select.onchange = () => {
      if (select.value === "") delete this.hand.told[kind];
      else this.hand.told[kind] = Number(select.value);
      this.#draw();
      this.#settle();
    };
    tile.figure.append(select);
    return member;
  }

  #showLabels({ about, select }) {
    if (!select) return;
    const { label, how, classes } = about.told;
    select.options[0].textContent = `told ${classes[label]}, ${how}`;
    select.value = String(this.hand.told[about.kind] ?? "");
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** @returns {Row} */
  get row() {
    return this.spoils.find(({ kind }) => kind === this.hand.kind);
  }

  get amount() {
    return this.hand.amounts[this.hand.kind];
  }

  /** What Python hears. @returns {Message} */
  get release() {
    const { kind, seed, told: labels } = this.hand;
    const here = this.members.map(({ about }) => about.kind).filter((name) => Object.hasOwn(labels, name));
    return { kind, amount: this.amount, seed, told: Object.fromEntries(here.map((name) => [name, labels[name]])) };
  }

  /** Whether what Python says is about what the hand has left. */
  get heard() {
    const { kind, amounts, seed, told: labels } = this.options.hand;
    return JSON.stringify({ kind, amount: amounts[kind], seed, told: labels }) === JSON.stringify(this.release);
  }

  /** The digit that Python tells. */
  #take() {
    const picture = pixelsOf(this.options.digit);
    for (let i = 0; i < PIXELS; i++) this.clean[i] = Number(picture[i] >= 0.5);
  }

  #choose() {
    this.hand.kind = this.kind.value;
    this.#showKind();
    this.#draw();
    this.#settle();
  }

  #again() {
    this.hand.seed++;
    this.#draw();
    this.#settle();
  }

  /** A step of the arrow keys: 1, 2 or 5 of some decimal place. */
  get #step() {
    const least = this.row.limit / PLACES;
    const ten = 10 ** Math.floor(Math.log10(least));
    return [5, 2, 1].map((n) => n * ten).find((step) => step <= least * (1 + 1e-9));
  }

  /** Where a pointer means to be: on a mark that is near, else at a whole step. */
  #caught(value) {
    const { amounts, limit } = this.row;
    const near = amounts.find((mark) => Math.abs(mark - value) <= CATCH * limit);
    return near ?? Math.round(value / this.#step) * this.#step;
  }

  #key(e) {
    const { amounts, limit } = this.row;
    const { amount } = this;
    const arrow = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[e.key];
    const to = arrow ? (Math.round(amount / this.#step) + arrow) * this.#step
      : e.key === "PageUp" ? amounts.find((mark) => mark > amount + 1e-9) ?? limit
      : e.key === "PageDown" ? amounts.findLast((mark) => mark < amount - 1e-9) ?? 0
      : e.key === "Home" ? 0 : e.key === "End" ? limit : null;
    if (to === null) return;
    e.preventDefault();
    this.#set(to);
    clearTimeout(this.keys);
    this.keys = setTimeout(() => this.#settle(), REST);
  }

  #set(amount) {
    this.hand.amounts[this.hand.kind] = Number(Math.min(this.row.limit, Math.max(0, amount)).toFixed(4));
    this.#draw();
  }

  /** The hand has let go: the link keeps the state, and Python hears of it once. */
  #settle() {
    clearTimeout(this.keys);
    const text = JSON.stringify(this.release);
    if (text === this.sent || (this.sent === null && this.heard)) return;
    this.sent = text;
    const { kind, amounts, seed, told: labels } = this.hand;
    link.set({
      spoil_kind: kind === this.spoils[0].kind ? null : kind,
      ...Object.fromEntries(this.spoils.map(({ kind: k, start }) => [`spoil_${k}`, amounts[k] === start ? null : amounts[k]])),
      spoil_seed: seed || null,
      spoil_told: Object.entries(labels).map(([name, y]) => `${name}:${y}`).join("~") || null,
    });
    say(this.component, this.release);
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  /** Another way to spoil: another slider. */
  #showKind() {
    const { amounts, limit, unit } = this.row;
    this.kind.value = this.hand.kind;
    this.unit.textContent = unit;
    this.range.setAttribute("aria-label", unit);
    this.range.max = String(limit);
    this.marks.replaceChildren(...amounts.map((amount) => {
      const mark = element("i", { textContent: String(amount) });
      mark.style.setProperty("--at", String(amount / limit));
      return mark;
    }));
  }

  #draw() {
    const { clean, spoilt, filtered, tiles, amount } = this;
    const { kind, seed } = this.hand;
    const { amounts, sizes, chance, name } = this.row;
    corrupt(clean, kind, amount, new Random(seed), spoilt);
    tiles.clean.show(clean, "binarised at 0.5");
    const lost = restoration(spoilt, clean);
    tiles.spoilt.show(spoilt, lost.mse ? lost : "nothing spoilt");
    const nearest = nearestTo(amounts, amount);
    tiles.median.show(medianFilter(spoilt, sizes[nearest], filtered), restoration(filtered, clean));
    this.#drawRidge();
    for (const { about, model, code, pixels, tile } of this.members) {
      if (!model) continue;
      const label = model.conditional ? this.hand.told[about.kind] ?? about.told.label : null;
      model.decode(model.encode(spoilt, label, code).mean, label, pixels);
      tile.show(pixels, restoration(pixels, clean));
    }
    this.range.value = String(amount);
    const measured = amounts.includes(amount);
    this.value.textContent = String(amount);
    this.range.setAttribute("aria-valuetext", `${amount}, ${measured ? "measured on test digits" : "not measured"}`);
    showAgain(this.again, this.row, amount);
    this.reading.textContent = `The marks are the amounts that are measured on test digits.${
      chance ? "" : ` ${name} has no chance in it: it is the same each time.`}`;
    stale(!this.heard);
    const all = this.members.filter(({ model }) => model).map(({ about, tile }) => `${about.name} ${tile.note.textContent}`);
    this.say(`${name} ${amount}. ${all.join("; ")}.`);
  }

  /** The regression is Python's: its picture comes where the hand lets go, at the one amount of which it is kept. */
  #drawRidge() {
    const { ridge, kept } = this.options;
    const { kind } = this.hand;
    if (ridge && this.heard) this.tiles.ridge.show(pixelsOf(ridge), ridge);
    else this.tiles.ridge.show(null, !Object.hasOwn(kept, kind) ? "not kept here" : kept[kind] === this.amount ? "…" : `kept for ${kept[kind]} only`);
  }
}

/** The index of the amount that lies nearest; of two the lesser. */
function nearestTo(amounts, amount) {
  const far = amounts.map((a) => Number(Math.abs(a - amount).toFixed(9)));
  return far.indexOf(Math.min(...far));
}
