// The page "Sliders": one live slider for each number of the code, under it what it does to the picture. Several models
// move together: slider k moves each of them along its own k-th busiest dimension, by as many of its own σ.
//
// The code of a model is its starting code, plus what its arrows for thickness and slant add, plus the sliders' offsets;
// the sliders show it for one model, the lead.

import { link, say, told } from "../host.mjs";
import { PIXELS, slices } from "../engine/engine.mjs";
import { button, dimension, element, numbersOf, pixelsOf, press, signed, styleSheet, toLink } from "../parts/controls.mjs";
import { announcer, digitCanvas, frameLoop, paint } from "../parts/paint.mjs";
import { Random } from "../engine/random.mjs";
import * as registry from "../engine/registry.mjs";

const IDLE = 0.01; // nats; a dimension with less KL says next to nothing about the digit
const FIRST = 20; // sliders that stand at once; of a wider code the others wait in a box
const STRIP = 9; // pictures under a slider
const SIDE = 28;
const ATTRIBUTES = ["Thickness", "Slant"]; // in the order of vae_core/arrows.py
const UNFAIR = "Nothing in training placed a deterministic model's codes around the origin: a failure here is not its fault.";

const remembered = new Map(); // size → state: survives a switch of pages, as this module does
let latest = null; // the state of the view that was opened last, whatever its size and its digit

/**
 * A model. kind: its key; told: the class as which a conditional one encodes the digit, of its own data set's; centre,
 * sd: robust middle and σ of its codes; reach: of the sliders, in units; order: its dimensions, busiest first; worth: of
 * each its mean KL if it is in nats, else its variance; source: the Gaussian of random codes, null where the prior is it.
 * @typedef {{kind: string, slug: string, network: registry.Network, title: string, name: string, told: number | null,
 *   centre: number[], sd: number[], reach: number[], order: number[], worth: number[], nats: boolean,
 *   source: {mean: number[], factor: number[][]} | null, arrows: Arrows | null, why: string}} About
 *
 * Where a model's code goes for one sd more of each attribute: step, by class, attribute and dimension; words: what was
 * measured of each. A model that has none says why.
 * @typedef {{step: number[][][], words: string[]}} Arrows
 *
 * labels: names of the classes that all conditional models can be told; digit.label: the one that they open with.
 * asked: the most that is asked of an arrow, in sd.
 * @typedef {{models: About[], digit: import("../parts/controls.mjs").Digit, labels: string[], asked: number,
 *   judge: {weights: string, threshold: number} | null}} Options
 * @typedef {{codes: {[kind: string]: number[]}, label: number, lead: string, digit: string}} Message z of each model that
 *   is shown, the label that a conditional one is told, whose sliders they are, and which digit was shown
 * @typedef {import("../host.mjs").Component<Options, Message>} Component
 *
 * A model on the page. z: its code; base: where that starts from; along: the same, moved along its arrows; seen: what the
 * judge sees at the base; the rest are its boxes.
 * @typedef {About & {model: import("../engine/engine.mjs").Model, z: Float32Array, base: Float32Array, along: Float32Array,
 *   seen: number,
 *   toggle?: HTMLButtonElement, canvas?: HTMLCanvasElement, note?: HTMLElement, figure?: HTMLElement}} Member
 *
 * The slider of dimension j, which is the lead's k-th busiest. reach: in σ; limit: that it has now, where a code lies
 * farther out; strip: the pictures below it, and what it is drawn with.
 * @typedef {{j: number, k: number, box: HTMLElement, range: HTMLInputElement, value: HTMLElement, reach: number,
 *   limit: number | null, strip: HTMLCanvasElement, context: CanvasRenderingContext2D, image: ImageData}} Slider
 *
 * The slider of an attribute.
 * @typedef {{box: HTMLElement, range: HTMLInputElement, value: HTMLElement, words: HTMLElement,
 *   context: CanvasRenderingContext2D, image: ImageData}} Arrow
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Sliders(root, component);
  await view.start();
  return view;
}

/**
 * The models that a link shows: older ones name kinds with a dot between them, and names of models hold dots.
 * @param {string | null} text @param {string[]} kinds
 */
const listed = (text, kinds) => (text === null ? null : kinds.includes(text) ? [text] : text.split(text.includes("~") ? "~" : "."));

class Sliders {
  gone = false; // another view stands in its place
  /** @type {Member[]} */
  members;
  /** @type {Slider[]} */
  sliders = [];
  /** @type {Arrow[]} */
  arrows = [];
  hand = null; // the rank of the slider that was moved last, or the name of an attribute
  /** @type {import("../engine/judge.mjs").Judge | null} */
  judge = null;
  rest = null; // a timer: the strips, once the hand rests
  keys = null; // a timer: the keyboard has come to rest
  /** @type {AbortController | null} */
  work = null; // on the strips
  /** @type {(text: string) => void} */
  say;
  // Its boxes.
  /** @type {HTMLSelectElement} */
  label;
  /** @type {HTMLCanvasElement} the digit */
  mine;
  /** @type {[string, HTMLButtonElement][]} under the first letter of where the codes start from */
  starts;
  unfair;
  stage;
  /** @type {HTMLSelectElement} */
  leadBox;
  others;
  arrowRows;
  why;
  rows;
  idleRows;
  summary;
  /** @type {HTMLDetailsElement} */
  idle;

  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.size = this.options.models[0].centre.length;
    this.request = frameLoop(() => this.draw());
    latest = this.state = this.#startingState();
    this.#keep();
    this.pixels = new Float32Array(PIXELS);
    this.stripPixels = new Float32Array(STRIP * PIXELS);
  }

  async start() {
    const judge = this.options.models.some((m) => m.arrows) ? this.options.judge : null;
    const [style, reader, ...models] = await Promise.all([
      styleSheet(this.root), judge && registry.judge(judge).catch(() => null), // without it there is all but the arrows
      ...this.options.models.map(({ network }) => registry.model(network)),
    ]);
    if (this.gone) return;
    this.members = this.options.models.map((about, i) => ({
      ...about, model: models[i], seen: 0,
      z: new Float32Array(this.size), base: new Float32Array(this.size), along: new Float32Array(this.size),
    }));
    this.judge = reader;
    for (const m of this.members) {
      if (reader || m.model.conditional || !m.arrows) continue;
      [m.arrows, m.why] = [null, "The judge, who reads which digit's arrows these are, has not come. Reload the page."];
    }
    this.#build(style);
    this.#rebase();
    this.#show();
    this.#remember();
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const { digit } = this.options;
    this.options = told(component);
    if (!this.members || digit.id === this.options.digit.id) return;
    this.members.forEach((m, i) => (m.told = this.options.models[i].told));
    this.state.label = this.options.digit.label;
    this.label.value = String(this.state.label);
    this.#go("digit");
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    for (const timer of [this.keys, this.rest]) clearTimeout(timer); // the next page's address is not ours
    this.work?.abort();
  }

  // State --------------------------------------------------------------------------------------------------------------

  /** As ui/views/sliders.py decides, too: the link opens the tab's first view and no other, for later it tells what a view
   * of perhaps another size and another digit wrote. Then the hand that was left for this size and this digit counts,
   * else the digit's own code with the models of the view before. */
  #startingState() {
    const { models, digit, labels: names } = this.options;
    const linked = (name) => (latest ? null : link.get(name));
    const left = remembered.get(this.size);
    const old = left?.digit === digit.id ? left : { shown: latest?.shown, lead: latest?.lead, kinds: latest?.kinds };
    const kinds = models.map((m) => m.kind);
    const named = listed(linked("models"), kinds);
    const asked = kinds.filter((k) => named?.includes(k) ?? (old.shown?.has(k) || (old.kinds && !old.kinds.includes(k))));
    const shown = new Set(asked.length ? asked : kinds);
    const lead = [linked("lead"), old.lead, "vae", ...shown].find((k) => shown.has(k));
    const [from, y] = [linked("from") ?? old.from ?? "", linked("y") ?? ""];
    return {
      shown, kinds, lead, from: /^(digit|mean|[ru]\d{1,10})$/.test(from) ? from : "digit",
      label: /^\d{1,2}$/.test(y) && Number(y) < names.length ? Number(y) : names[old.label] ? old.label : digit.label,
      offset: Float64Array.from(numbersOf(linked("s"), this.size) ?? old.offset ?? new Float64Array(this.size)),
      asked: Float64Array.from(numbersOf(linked("a"), ATTRIBUTES.length, this.options.asked) ?? old.asked ?? [0, 0]),
    };
  }

  #keep() {
    const { shown, offset, asked } = this.state;
    const copies = { shown: new Set(shown), offset: Float64Array.from(offset), asked: Float64Array.from(asked) };
    remembered.set(this.size, { ...this.state, ...copies, digit: this.options.digit.id });
  }

  #remember() {
    this.#keep();
    const { shown, lead, from, label, offset, asked } = this.state;
    link.set({
      models: shown.size === this.options.models.length ? null : [...shown].join("~"), lead: lead === "vae" ? null : lead,
      y: label === this.options.digit.label ? null : label, from: from === "digit" ? null : from,
      s: offset.some((v) => v) ? toLink(offset) : null, a: asked.some((v) => v) ? toLink(asked) : null,
    });
  }

  /** Where each model starts from: its code of the digit, the middle, or a random code of the same ε. */
  #rebase() {
    const { from } = this.state;
    const eps = /^[ru]/.test(from) ? new Random(Number(from.slice(1))).normals(new Float64Array(this.size)) : null;
    const digit = pixelsOf(this.options.digit);
    paint(this.mine, digit);
    for (const m of this.members) {
      if (from === "digit") m.base.set(m.model.encode(m.model.observe(digit), m.told).mean); // as what it is
      else if (!eps) m.base.set(m.centre);
      else if (from[0] === "u" || !(m.source || m.model.prior)) m.base.set(eps);
      else if (m.model.prior) m.base.set(m.model.prior.place(new Random(Number(from.slice(1)) + 1).uniform(), eps));
      else m.base.set(m.source.mean.map((c, i) => m.source.factor[i].reduce((sum, f, j) => sum + f * eps[j], c)));
      if (m.arrows && !m.model.conditional) m.seen = this.judge.label(m.model.decode(m.base, null, this.pixels));
    }
  }

  get lead() {
    return this.members.find((m) => m.kind === this.state.lead);
  }

  get shown() {
    return this.members.filter((m) => this.state.shown.has(m.kind));
  }

  /** Where a model's code goes for one sd more of an attribute: along the arrow of the class that it is told, or that the
   * judge sees where it sets out. @param {Member} m @param {number} k */
  #step(m, k) {
    return m.arrows.step[m.model.conditional ? this.state.label : m.seen][k];
  }

  /** z of every model from its starting code, the arrows and the offsets. */
  #place() {
    for (const m of this.members) {
      m.along.set(m.base);
      this.state.asked.forEach((sd, k) => {
        if (sd && m.arrows) this.#step(m, k).forEach((v, j) => (m.along[j] += sd * v));
      });
      m.z.set(m.along);
      m.order.forEach((j, k) => (m.z[j] += this.state.offset[k] * m.sd[j]));
    }
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(style) {
    const bar = element("div", { className: "bar" });
    const toggles = element("span", { className: "toggles", role: "group", ariaLabel: "Models that are shown" });
    toggles.style.cssText = "display:flex;gap:4px;margin-right:10px";
    for (const m of this.members) {
      m.toggle = button(m.title, () => this.#toggle(m));
      toggles.append(m.toggle);
    }
    this.label = element("select", { ariaLabel: "Label that the CVAE is told" });
    this.label.append(...this.options.labels.map((name, y) => new Option(`CVAE told: ${name}`, String(y))));
    this.label.value = String(this.state.label);
    this.label.onchange = () => {
      this.state.label = Number(this.label.value);
      this.#changed();
      this.#settle();
    };
    const starts = {
      d: button("My digit", () => this.#go("digit"), "Where each model places the digit that is chosen above"),
      r: button("Random code", () => this.#go(`r${this.#seed()}`),
        "From the prior where a model has one, else from one Gaussian with the mean and the covariance of its codes"),
      u: button("N(0, I), unfair", () => this.#go(`u${this.#seed()}`), UNFAIR),
      m: button("Middle", () => this.#go("mean"), "The mean of N(0, I), or the median of the codes of a model with another prior or none"),
    };
    this.mine = digitCanvas({ label: "", size: SIDE });
    this.mine.ariaHidden = "true"; // the button says whose code it is
    this.mine.style.cssText = "";
    this.mine.className = "mine";
    starts.d.prepend(this.mine);
    this.starts = Object.entries(starts);
    this.unfair = starts.u;
    bar.append(toggles, ...Object.values(starts), this.label);

    this.stage = element("div", { className: "stage" });
    for (const m of this.members) {
      m.canvas = digitCanvas({ label: `What the ${m.name} draws` });
      m.canvas.style.cssText = "";
      m.note = element("small", { className: "quiet" });
      m.figure = element("figure", { className: "tile" }, m.canvas,
        element("figcaption", {}, element("b", { textContent: m.title }), m.note));
      this.stage.append(m.figure);
    }
    const head = element("div", { className: "head" });
    this.leadBox = element("select", { ariaLabel: "Model whose code the sliders show" });
    this.leadBox.onchange = () => {
      this.state.lead = this.leadBox.value;
      this.#show();
      this.#settle();
    };
    this.others = element("span", { className: "quiet" });
    head.append(element("span", { textContent: "Sliders of the" }), this.leadBox, this.others);
    this.arrows = ATTRIBUTES.map((name, k) => this.#arrow(name, k));
    this.arrowRows = element("div", { className: "arrows" }, ...this.arrows.map((arrow) => arrow.box));
    this.why = element("p", { className: "quiet" });
    this.rows = element("div", { className: `rows${this.size > 2 ? " many" : ""}` });
    this.idleRows = element("div", { className: "rows many" });
    this.summary = element("summary");
    this.idle = element("details", { ontoggle: () => this.#refreshStrips() }, this.summary, this.idleRows);
    const right = element("div", {}, head, this.arrowRows, this.why, this.rows, this.idle);
    const box = element("div", { className: "view" }, bar, element("div", { className: "sliders" }, this.stage, right));
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
  }

  /** Everything that depends on which models are shown and which one leads. */
  #show() {
    const { shown, lead } = this;
    for (const m of this.members) {
      press(m.toggle, this.state.shown.has(m.kind));
      m.figure.hidden = !this.state.shown.has(m.kind);
    }
    this.stage.classList.toggle("one", shown.length === 1);
    this.unfair.hidden = !shown.some((m) => !m.model.probabilistic);
    this.label.hidden = !shown.some((m) => m.model.conditional);
    this.leadBox.replaceChildren(...shown.map((m) => new Option(m.title, m.kind)));
    this.leadBox.value = lead.kind;
    this.others.textContent = shown.length > 1 ? "The others move by as many of their own σ, each in its own order." : "";
    this.arrowRows.hidden = !lead.arrows;
    [this.why.hidden, this.why.textContent] = [!lead.why, lead.why];
    for (const [k, { range, words }] of this.arrows.entries()) {
      range.setAttribute("aria-label", `${ATTRIBUTES[k]} of the ${lead.name}'s drawing`);
      words.textContent = lead.arrows?.words[k] ?? "";
    }
    const busy = lead.order.filter((j) => lead.worth[j] >= IDLE || !lead.nats).length;
    const first = Math.min(busy, FIRST);
    this.sliders = lead.order.map((j, k) => this.#row(j, k, lead));
    this.rows.replaceChildren(...this.sliders.slice(0, first).map((s) => s.box));
    this.idleRows.replaceChildren(...this.sliders.slice(first).map((s) => s.box));
    this.idle.hidden = first === this.size;
    const sum = (/** @type {number[]} */ js) => js.reduce((all, j) => all + lead.worth[j], 0);
    const left = Math.round((100 * sum(lead.order.slice(first))) / sum(lead.order));
    this.summary.textContent = first < busy
      ? `${this.size - first} more: together ${left}% of ${lead.nats ? "the KL" : "the codes' variance"}`
      : `Idle dimensions: ${this.size - busy}, each with less than ${IDLE} nats of KL`;
    this.#changed();
  }

  /** @param {number} j @param {number} k @param {Member} lead @returns {Slider} */
  #row(j, k, lead) {
    const most = lead.worth[lead.order[0]];
    const nats = lead.nats;
    const words = nats ? `${lead.worth[j].toFixed(2)} nats` : `σ ${lead.sd[j].toFixed(2)}`;
    const range = element("input", { type: "range", step: "any" });
    range.setAttribute("aria-label", `${dimension(j)} of the ${lead.name}, ${words}`);
    const value = element("span", { className: "value" });
    const worth = element("span", { className: "worth", title: nats ? "Mean KL of this number" : "Spread of the codes" },
      element("i"));
    worth.style.setProperty("--share", String(nats ? lead.worth[j] / most : Math.sqrt(lead.worth[j] / most)));
    const strip = this.#strip(`The picture along ${dimension(j)}, the other numbers staying`);
    this.#listen(range, () => this.#standard(k), (value) => this.#set(k, value));
    const box = element("label", { className: "row" }, element("b", { textContent: dimension(j) }), worth,
      element("small", { className: "quiet", textContent: words }), value, range, strip);
    return { j, k, box, range, value, strip, reach: lead.reach[j] / lead.sd[j], limit: null, context: strip.getContext("2d"),
      image: new ImageData(STRIP * SIDE, SIDE) };
  }

  /** @param {string} name of the attribute @param {number} k @returns {Arrow} */
  #arrow(name, k) {
    const { asked } = this.options;
    const range = element("input", { type: "range", step: "any", min: String(-asked), max: String(asked) });
    const [value, words] = [element("span", { className: "value" }), element("small", { className: "quiet" })];
    const strip = this.#strip(`The picture along the arrow for ${name.toLowerCase()}`);
    this.#listen(range, () => this.state.asked[k], (sd) => {
      this.state.asked[k] = sd;
      this.hand = name;
      this.#changed();
    });
    const box = element("label", { className: "row" }, element("b", { textContent: name }), value, range, strip, words);
    return { box, range, value, words, context: strip.getContext("2d"), image: new ImageData(STRIP * SIDE, SIDE) };
  }

  /** @param {string} told what it shows */
  #strip(told) {
    const strip = element("canvas", { className: "strip", width: STRIP * SIDE, height: SIDE });
    strip.setAttribute("role", "img");
    strip.setAttribute("aria-label", told);
    return strip;
  }

  /** @param {HTMLInputElement} range @param {() => number} at where it stands @param {(value: number) => void} set */
  #listen(range, at, set) {
    range.oninput = () => set(range.valueAsNumber);
    range.onchange = () => this.#settle();
    range.onkeydown = (e) => { // a step of "any" leaves the arrows to us
      const far = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageUp: 1, PageDown: -1 }[e.key];
      if (!far && e.key !== "Home") return;
      e.preventDefault();
      const to = far ? at() + far : 0;
      set(Math.min(Number(range.max), Math.max(Number(range.min), to)));
      clearTimeout(this.keys);
      this.keys = setTimeout(() => this.#settle(), 400);
    };
  }

  // Moving -------------------------------------------------------------------------------------------------------------

  /** The lead's number of rank k in its own σ from its own middle. */
  #standard(k) {
    const { lead } = this;
    const j = lead.order[k];
    return (lead.along[j] - lead.centre[j]) / lead.sd[j] + this.state.offset[k];
  }

  #set(k, value) {
    this.state.offset[k] += value - this.#standard(k);
    this.hand = k;
    this.#changed();
  }

  /** @param {Member} m */
  #toggle(m) {
    const { shown } = this.state;
    if (shown.has(m.kind) && shown.size === 1) return; // one stays
    if (!shown.delete(m.kind)) shown.add(m.kind);
    if (!shown.has(this.state.lead)) this.state.lead = this.shown[0].kind;
    this.#show();
    this.#settle();
  }

  #seed() {
    return crypto.getRandomValues(new Uint32Array(1))[0];
  }

  #go(from) {
    this.state.from = from;
    this.state.offset.fill(0);
    this.state.asked.fill(0);
    this.hand = null;
    this.#rebase();
    this.#changed();
    this.#settle();
  }

  #changed() {
    this.request();
  }

  #settle() {
    this.#place();
    this.#remember();
    const codes = Object.fromEntries(this.shown.map((m) => [m.kind, Array.from(m.z, (v) => Number(v.toFixed(4)))]));
    const { state: { label, lead }, options: { digit } } = this;
    say(this.component, { codes, label, lead, digit: digit.id }); // of which digit: it may change
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw() {
    this.#place();
    const { shown, lead, state: { label, from, offset, asked } } = this;
    const moved = [...offset, ...asked].some((v) => v);
    for (const [letter, start] of this.starts) press(start, letter === from[0] && !moved);
    for (const m of shown) {
      m.model.decode(m.z, m.model.conditional ? label : null, this.pixels);
      paint(m.canvas, this.pixels);
      m.note.textContent = this.size === 2 ? `z = (${signed(m.z[0])}, ${signed(m.z[1])})`
        : `${this.#far(m).toFixed(1)} σ from the middle`;
    }
    for (const slider of this.sliders) {
      const { j, k, range, value } = slider;
      const at = this.#standard(k);
      if (k !== this.hand || !slider.limit) { // a code far out stretches its slider, but not under the hand
        slider.limit = Math.max(slider.reach, Math.abs(at), Math.abs(at - offset[k]));
        [range.min, range.max] = [String(-slider.limit), String(slider.limit)];
      }
      if (k !== this.hand || range.valueAsNumber !== at) range.value = String(at);
      value.textContent = signed(lead.z[j]);
    }
    for (const [k, { range, value }] of this.arrows.entries()) {
      if (range.valueAsNumber !== asked[k]) range.value = String(asked[k]);
      value.textContent = `${signed(asked[k], 1)} sd`;
    }
    const attribute = ATTRIBUTES.indexOf(this.hand);
    if (attribute >= 0) this.say(`${this.hand}: ${signed(asked[attribute], 1)} sd`);
    else if (this.hand !== null) {
      const j = lead.order[this.hand];
      this.say(`${dimension(j)} of the ${lead.name}: ${signed(lead.z[j])}`);
    }
    clearTimeout(this.rest);
    if (this.size === 2) this.#refreshStrips();
    else this.rest = setTimeout(() => this.#refreshStrips(), 60);
  }

  /** Distance from the middle in σ: `Scale.distance` of vae_core/latent.py. */
  #far({ z, centre, sd }) {
    return Math.hypot(...centre.map((c, j) => (z[j] - c) / sd[j]));
  }

  /** The strips, a few at a time: what the hand wants next comes first. A strip's pictures lie under their values. */
  async #refreshStrips() {
    this.work?.abort();
    const work = this.work = new AbortController();
    const rows = this.sliders.filter((s) => !this.idle.contains(s.box) || this.idle.open);
    const arrows = this.lead.arrows ? this.arrows : [];
    const drawStrip = (i) => (i < arrows.length ? this.#alongArrow(arrows[i], i) : this.#alongDimension(rows[i - arrows.length]));
    for await (const _ of slices(arrows.length + rows.length, drawStrip, { signal: work.signal }));
  }

  /** @param {Slider} slider */
  #alongDimension({ j, limit, context, image }) {
    const { lead } = this;
    this.#drawStrip(context, image, (z, place) => (z[j] = lead.centre[j] + lead.sd[j] * limit * place));
  }

  /** @param {Arrow} arrow @param {number} k */
  #alongArrow({ context, image }, k) {
    const { options: { asked: most }, state: { asked } } = this;
    const step = this.#step(this.lead, k);
    this.#drawStrip(context, image, (z, place) => step.forEach((v, j) => (z[j] += (most * place - asked[k]) * v)));
  }

  /** @param {CanvasRenderingContext2D} context @param {ImageData} image
   * @param {(z: Float32Array, place: number) => void} move a copy of the lead's code to a place from −1 to 1 */
  #drawStrip(context, image, move) {
    const { lead } = this;
    const z = new Float32Array(STRIP * this.size);
    for (let i = 0; i < STRIP; i++) {
      const one = z.subarray(i * this.size, (i + 1) * this.size);
      one.set(lead.z);
      move(one, (2 * i + 1) / STRIP - 1);
    }
    const told = lead.model.conditional ? this.state.label : null;
    const pixels = lead.model.decode(z, told, this.stripPixels);
    const words = new Uint32Array(image.data.buffer);
    for (let i = 0; i < STRIP; i++) {
      for (let p = 0; p < PIXELS; p++) {
        const v = (255 * pixels[i * PIXELS + p] + 0.5) | 0;
        words[((p / SIDE) | 0) * STRIP * SIDE + i * SIDE + (p % SIDE)] = 0xff000000 | (v << 16) | (v << 8) | v;
      }
    }
    context.putImageData(image, 0, 0);
  }
}
