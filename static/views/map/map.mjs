// The page "Map": two models side by side, the same image marked on both; what lies under the pointer is decoded live.
// Python hears one message when an image or a place is picked, when a walk begins and when the visitor has said what a
// drawing is (and when another model is put up), never while a hand moves.

import { link, say, told } from "../../host.mjs";
import { nearest, robustScale, whiten } from "../../maths/codes.mjs";
import { called, element, likeliest, numbersOf, pixelsOf, press, signed, toLink } from "../../parts/controls.mjs";
import { caption } from "./captions.mjs";
import { Catch } from "./catch.mjs";
import { caughtBy } from "../../maths/loop.mjs";
import { EngineError, PIXELS } from "../../engine/engine.mjs";
import { Epochs, parseEpoch } from "./epochs.mjs";
import { Flat } from "./flat.mjs";
import { Lasso, parseLasso } from "./lasso.mjs";
import { Legend } from "./legend.mjs";
import { Arrows, Density, GAPS, Gaps, SHADE, Tiles, drawEllipses } from "./layers.mjs";
import { announcer, digitCanvas, frameLoop, paint } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";
import * as registry from "../../engine/registry.mjs";
import { Walk } from "./walk.mjs";

const NEIGHBOURS = 8; // as many as Python shows
const LAYERS = {
  points: ["Points", "One dot for each test image, at the mean of its posterior or at its code"],
  circles: ["Prior", "Circles of 1 and 2 σ of N(0, I), or the Gaussians of a learned prior"],
  ellipses: ["Posteriors", "Ellipses with half-axes σ, true to scale"],
  tiles: ["Tiles", "What the decoder draws at each place, lying where its z lies"],
  density: ["Density", "Where the codes lie close together, per robust σ²: one scale for both maps"],
  arrows: ["Round trip", "Arrows from z to the code of the drawing of z (binarised): long ones mean that the model does not know its own drawing again"],
};
const SHOWN = [...Object.keys(LAYERS), ...Object.keys(GAPS)]; // what a link can name
const DEFAULT = ["points", "circles"];

/** @type {any} the state, as far as the next view of this tab takes it over */
const remembered = {}; // survives a switch of pages, as this module does

const STYLE = await (await fetch(new URL("map.css", import.meta.url))).text();

/**
 * A model. kind: its key in links and messages; code: what its code is, in words; apart: it stands in the lists under its
 * data set's name; plane: where one with more than two numbers is seen (flat.mjs), with its share of their variance;
 * history: of epochs whose codes may be kept [epoch, reconstruction, KL], nats per image over its own batches.
 * @typedef {{kind: string, slug: string, title: string, name: string, code: string, dataset: string, apart: boolean,
 *   history: [number, number, number | null][], network: registry.Network, plane: {centre: number[], axes: number[][], share: number} | null}} About
 *
 * The digit that all pages share; its origin names a test image, or it is own; link: what a link to it says; classes:
 * those that its label counts, which may be others than the maps'.
 * @typedef {import("../../parts/controls.mjs").Digit
 *   & {origin: string | null, link: {[name: string]: string | null}, classes: string[]}} Shared
 *
 * taken: a tile below the maps that was pressed, the n-th; start: how the page opens, where neither the link nor this tab says more; walk: what Python says of the one that it has
 * heard of. Both maps are of one data set.
 * @typedef {{models: About[], judge: {weights: string, threshold: number} | null,
 *   datasets: {[name: string]: {title: string, classes: string[], colours: string[], numerals: boolean}},
 *   start: {left: string, right: string, image: number, told: number | null, walk: object | null, own: boolean},
 *   digit: Shared | null, walk: import("./walk.mjs").Answer | null,
 *   taken?: {n: number, dataset: string, image: number} | null}} Options
 *
 * What is picked: an image, a place or the own digit, with its places on both maps where it is no image; drawn: the side
 * whose place it is; told: the label that was chosen for conditional models.
 * @typedef {{left: string, right: string, image: number, own: boolean, told: number | null,
 *   z: {[side: string]: number[]} | null, drawn: string | null, walk: import("./walk.mjs").Message | null}} Message
 * @typedef {import("../../host.mjs").Component<Options, Message>} Component
 *
 * One of the two maps, its card and what stands on it. asked: the model that was chosen last; near: neighbours of what is
 * picked; way: the walk's two ends.
 * @typedef {{name: "left" | "right", kind?: string, asked?: string, about?: About, pixels?: Float32Array,
 *   model?: import("../../engine/engine.mjs").Model | Flat, codes?: registry.Codes, whitened?: ReturnType<typeof whiten>,
 *   near?: number[], way?: number[][], learned?: import("./epochs.mjs").Learned, plane?: Plane, tiles?: Tiles, arrows?: Arrows, gaps?: Gaps, density?: Density,
 *   select?: HTMLSelectElement, label?: HTMLSelectElement, note?: HTMLElement, host?: HTMLElement, caption?: HTMLElement,
 *   card?: HTMLElement, tile?: HTMLCanvasElement, title?: HTMLElement, reading?: HTMLElement, ask?: HTMLElement,
 *   numbers?: HTMLElement, verdict?: HTMLElement}} Side
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new MapView(root, component);
  await view.start();
  return view;
}

class MapView {
  gone = false; // another view stands in its place
  /** @type {(Omit<Shared, "pixels"> & {pixels: Float32Array}) | null} the visitor's, or a sample of another data set */
  own = null;
  /** @type {WeakMap<import("../../engine/engine.mjs").Model, number>} what each conditional model takes it for */
  guesses = new WeakMap();
  /** @type {Side[]} left, right */
  sides = [];
  /** @type {Walk} */
  walk;
  /** @type {Epochs} */
  epochs;
  /** @type {Lasso} */
  lasso;
  /** @type {Legend} */
  legend;
  /** @type {Catch} what the lasso has caught */
  caught;
  listed = null; // the data set of the legend
  refused = ""; // why the judge has not come
  /** @type {string[]} of both maps' data set */
  classes;
  /** @type {string[]} of the classes */
  colours;
  /** @type {{[side: string]: number[]} | null} of what is picked, where it is no image */
  places = null;
  /** @type {(text: string) => void} */
  say;
  // Its boxes.
  box;
  /** @type {{[name: string]: any}} by name, and `layers` by layer */
  elements;

  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.known = new Map(this.options.models.map((m) => [m.kind, m]));
    this.state = this.#startingState();
    this.hover = null; // {side, z, index} under the pointer
    this.taken = this.options.taken?.n; // the last tile below the maps that was pressed, and heard of here
    this.choosing = Promise.resolve(); // the last choice of a model that is carried out
    this.request = frameLoop(() => this.#draw());
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    for (const side of this.sides) side.plane.retheme();
    this.options = told(component);
    const before = String([...this.known.keys()]);
    this.known = new Map(this.options.models.map((m) => [m.kind, m])); // trained again, a model has another address
    if (String([...this.known.keys()]) !== before) {
      for (const side of this.sides) {
        side.select.replaceChildren(...this.#listed());
        side.select.value = side.kind;
      }
    }
    remembered.digit = this.options.digit?.id; // what was picked here has become the digit of all pages
    this.walk?.hear(this.options.walk);
    this.#hearTaken();
    this.request();
  }

  /** A tile below the maps was pressed: its image is picked. */
  #hearTaken() {
    const { taken } = this.options;
    if (!taken || taken.n === this.taken || !this.sides[1]?.model) return;
    this.taken = taken.n;
    if (taken.dataset === this.sides[0].about.dataset) this.pickImage(taken.image);
  }

  destroy() {
    this.gone = true;
    this.walk?.work?.abort();
    this.caught?.stop();
    this.epochs?.pause();
    this.request.stop();
    for (const side of this.sides) {
      side.tiles.stop();
      side.arrows.stop();
      side.gaps.stop();
      side.plane.destroy();
    }
  }

  // State: the link first, then what this tab remembers, then what Python says -----------------------------------------

  #startingState() {
    const { start, digit } = this.options;
    const there = (...wishes) => wishes.find((key) => this.known.has(key)) ?? null;
    const whole = (text, otherwise) => (/^\d{1,5}$/.test(text ?? "") ? Number(text) : otherwise);
    const fresh = !["left", "right", "image", "layers", "walk", "only", "lasso", "epoch"].some((name) => link.get(name) !== null);
    const old = fresh ? { ...remembered } : /** @type {any} */ ({});
    // Both of one data set: what the link names on the left counts, then what it names on the right.
    const second = there(link.get("right"));
    const left = there(link.get("left")) ?? (second ? this.#beside(second, "ae") : there(old.left, start.left));
    const right = this.#beside(left, second ?? there(old.right, start.right));
    const { dataset } = this.known.get(left);
    const own = (origin) => !origin?.startsWith(`${dataset}:`); // a test image of this data set is only a number
    // The digit of all pages comes along where another page, or the link, has named it since.
    if (digit && (["d", "digit"].some((name) => link.get(name) !== null) || (fresh && digit.id !== remembered.digit))) {
      const image = own(digit.origin) ? old.image ?? 0 : Number(digit.origin.split(":")[1]);
      Object.assign(old, { own: own(digit.origin), image, place: null, walk: null });
    }
    if (digit && own(digit.origin)) this.own = { ...digit, pixels: pixelsOf(digit) };
    remembered.digit = digit?.id;
    const layers = link.get("layers")?.split(".") ?? old.layers ?? DEFAULT;
    const label = this.#knownLabel(dataset, /^\d{1,2}$/.test(link.get("y") ?? "") ? Number(link.get("y")) : old.label);
    return {
      left, right,
      image: whole(link.get("image"), old.image ?? start.image ?? 0),
      place: parsePlace(link.get("z")) ?? old.place ?? null, // a picked place without an image: {side, z}
      own: Boolean(this.own && old.own), // the visitor's own digit is picked
      label,
      only: this.#knownClasses(dataset, parseClasses(link.get("only")) ?? old.only ?? []),
      lasso: parseLasso(link.get("lasso")) ?? old.lasso ?? { on: false, loop: null },
      layers: new Set(SHOWN.filter((name) => layers.includes(name))),
      walk: parseWalk(link.get("walk"), link.get("t")) ?? old.walk ?? null,
      epoch: parseEpoch(link.get("epoch")) ?? parseEpoch(old.epoch), // as the page opens; null: not shown
      views: { left: parseView(link.get("lv")) ?? old.views?.left, right: parseView(link.get("rv")) ?? old.views?.right },
    };
  }

  /** Who stands beside a model: the wished one if it is another of the same data set, else the first such, else itself. */
  #beside(key, wish = null) {
    const { dataset } = this.known.get(key);
    const rest = [...this.known.values()].filter((m) => m.dataset === dataset && m.kind !== key).map((m) => m.kind);
    return rest.includes(wish) ? wish : (rest[0] ?? key);
  }

  /** A label that this data set has, else null. */
  #knownLabel(dataset, label) {
    return label < this.options.datasets[dataset].classes.length ? (label ?? null) : null;
  }

  /** Those of these classes that this data set has: they stand out; where there are none, all do. */
  #knownClasses(dataset, labels) {
    return new Set([...labels].filter((label) => this.#knownLabel(dataset, label) !== null));
  }

  /** Into the link and into this tab's memory; the link only says what differs from the page as it opens. */
  remember() {
    const { left, right, image, place, own, label, only, layers, views } = this.state;
    const { way, said } = this.walk;
    const list = [...layers];
    const { on, loop, text } = this.lasso;
    Object.assign(remembered, { left, right, image, place, own, label, only: [...only], layers: list,
      lasso: { on, loop }, walk: way && { ...way, said }, epoch: this.epochs.text, views });
    const view = (v) => (v ? toLink([...v.centre, v.span], 4) : null);
    link.set({
      left, right, image: place || own ? null : image,
      ...(own ? this.own.link : { d: null, digit: null, is: null }),
      z: place && `${place.side},${toLink(place.z)}`,
      y: label,
      lasso: text,
      only: only.size ? [...only].sort((a, b) => a - b).join(".") : null,
      layers: String(list) === String(DEFAULT) ? null : list.join(".") || "none",
      walk: way && way.ends.join("-"), t: way && toLink([way.t]),
      epoch: this.epochs.text,
      lv: view(views.left), rv: view(views.right),
    });
  }

  // Building -----------------------------------------------------------------------------------------------------------

  async start() {
    const { left, right } = this.state;
    const [one, two] = await Promise.all([this.#fetch(left), this.#fetch(right)]);
    if (this.gone) return;
    this.#build();
    const last = this.#count(one.codes);
    const { walk, lasso, place, own, image, epoch } = this.state;
    const { start } = this.options;
    this.#put(this.sides[0], left, one);
    this.#put(this.sides[1], right, two);
    this.lasso.turn(lasso.on && !walk, walk ? null : lasso.loop);
    this.#applyLayers();
    if (walk) this.#walkOn({ ...walk, ends: walk.ends.map((i) => Math.min(i, last)) });
    else if (epoch !== null) this.#epochsOn(epoch, { tell: Boolean(own || start.own || place) || image !== start.image });
    // Only the maps know where a place and an own digit lie, and what Python says below them is of what they show.
    else this.#pickChanged({ tell: Boolean(place || own || start.own) || image !== start.image });
    Object.assign(this.box, { view: this }); // for whoever looks from outside, such as a test
  }

  /** The last image's number; the one that is picked is none beyond it. */
  #count({ label }) {
    const last = (this.epochs.on ? this.epochs.count : label.length) - 1;
    this.state.image = Math.min(this.state.image, last);
    this.elements.image.max = last;
    return last;
  }

  async #fetch(kind) {
    const { slug, network, plane } = this.known.get(kind);
    const [whole, codes] = await registry.both(network);
    const wanted = plane ? plane.centre.length : 2;
    if (whole.latentDim !== wanted) {
      throw new EngineError(`The map expected ${wanted} latent dimensions of ${slug}, which has ${whole.latentDim}. ` +
        "Reload the page.");
    }
    if (codes.mean.length !== wanted * codes.label.length) {
      throw new EngineError(`The codes of ${slug} are damaged: ${codes.mean.length} numbers for ${codes.label.length} labels. ` +
        "Restore codes.safetensors.");
    }
    if (!plane) return { model: whole, codes };
    const model = new Flat(whole, plane);
    return { model, codes: { mean: model.project(codes.mean), logvar: null, label: codes.label } };
  }

  #build() {
    const box = (this.box = element("div", { className: "map" }));
    this.walk = new Walk(this);
    this.walk.hear(this.options.walk);
    this.epochs = new Epochs(this, () => (this.epochs.on ? this.#epochsOff() : this.#epochsOn(Infinity)));
    const bar = element("div", { className: "bar" });
    const e = (this.elements = /** @type {any} */ ({}));

    const picker = element("div", { className: "group" });
    e.image = element("input", { type: "number", min: 0, step: 1, id: "image" });
    e.image.onchange = () => this.pickImage(Math.min(Number(e.image.max), Math.max(0, Math.round(e.image.valueAsNumber || 0))));
    const another = () => this.pickImage(Math.floor(Math.random() * (Number(e.image.max) + 1)));
    e.walk = element("button", { type: "button", title: "Walk between two digits", onclick: () => this.#toggleWalk() },
      "Walk", element("span", { className: "long" }, " between two digits"));
    picker.append(element("label", { htmlFor: "image" }, "Test image"), e.image,
      element("button", { type: "button", onclick: another }, "Another"));
    if (this.own) {
      e.own = element("button", { type: "button", title: this.own.name, onclick: () => this.#pickOwn() },
        this.own.origin ? "Chosen digit" : "My digit"); // a sample of another data set is nobody's own
      picker.append(e.own);
    }
    picker.append(e.walk, this.epochs.button);

    const layers = element("div", { className: "group layers push", role: "group" });
    layers.setAttribute("aria-label", "What the maps show");
    e.layers = {};
    for (const [name, [label, title]] of Object.entries(LAYERS)) {
      const button = (e.layers[name] = element("button", { type: "button", textContent: label, title }));
      button.onclick = () => this.#toggleLayer(name);
      layers.append(button);
    }
    e.gap = element("select", { ariaLabel: "Shade both maps by" }, new Option("Shade by …", ""),
      ...Object.entries(GAPS).map(([name, { words }]) => new Option(words, name)));
    e.gap.onchange = () => this.#shadeBy(e.gap.value);
    layers.append(e.gap);
    bar.append(picker, layers);

    const grid = (e.grid = element("div", { className: "grid" }));
    const middle = element("div", { className: "middle" });
    e.what = element("div", { className: "what" });
    middle.append(e.what);
    this.sides = /** @type {const} */ (["left", "right"]).map((name) => this.#buildSide(name, grid, middle));
    this.legend = new Legend({ change: (only) => this.#standOut(only) });
    this.lasso = new Lasso(this, () => this.#loopChanged());
    this.caught = new Catch(this, { clear: () => this.#escape() });
    this.legend.rest.append(this.lasso.button);
    e.scale = element("div", { className: "scale", hidden: true });
    this.legend.element.append(e.scale);
    box.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || !this.lasso.on) return;
      e.preventDefault();
      e.stopPropagation(); // the map's own Escape takes its cursor away
      this.#escape();
    }, { capture: true });
    grid.append(middle, this.legend.element, this.caught.how, this.walk.element, this.epochs.element, this.caught.element);
    box.append(bar, grid);
    this.root.replaceChildren(element("style", { textContent: STYLE }), box);
    this.say = announcer(box);
    for (const side of this.sides) this.#buildPlane(side);
  }

  #buildSide(name, grid, middle) {
    /** @type {Side} */
    const side = { name };
    const short = name[0];
    const head = element("div", { className: `head h${short}` });
    side.select = element("select", { className: "model" });
    side.select.setAttribute("aria-label", `Model of the ${name} map`);
    side.select.append(...this.#listed());
    side.select.onchange = () => this.#choose(side, side.select.value);
    side.note = element("span", { className: "quiet" });
    side.label = element("select");
    side.label.setAttribute("aria-label", `Label that the model of the ${name} map is told`);
    side.label.onchange = () => {
      this.state.label = side.label.value === "" ? null : Number(side.label.value);
      this.#labelChanged();
    };
    head.append(side.select, side.note, side.label);
    side.host = element("div", { className: `host ${name}` });
    side.caption = element("p", { className: `caption c${short}` });

    side.card = element("div", { className: "card" });
    side.tile = digitCanvas({ label: "" });
    const frame = element("div", { className: "tile" });
    frame.append(side.tile);
    side.title = element("p");
    side.reading = element("p", { className: "quiet" });
    side.card.append(frame, side.title, side.reading);
    middle.append(side.card);
    grid.append(head, side.host, side.caption);
    side.pixels = new Float32Array(PIXELS);
    return side;
  }

  /** All models as options: the family, then every other under the name of its data set. */
  #listed() {
    const groups = new Map();
    const options = [];
    for (const { kind, title, dataset, apart } of this.known.values()) {
      if (apart && !groups.has(dataset)) groups.set(dataset, element("optgroup", { label: this.options.datasets[dataset].title }));
      if (apart) groups.get(dataset).append(new Option(title, kind));
      else options.push(new Option(title, kind));
    }
    return [...options, ...groups.values()];
  }

  /** @param {Side} side */
  #buildPlane(side) {
    const plane = (side.plane = new Plane(side.host, { labelText: "" }));
    const zoom = element("div", { className: "zoom" });
    for (const [sign, words, act] of /** @type {const} */ ([
      ["+", "Zoom in", () => plane.zoom(1 / 1.5)], ["−", "Zoom out", () => plane.zoom(1.5)], ["⤢", "Whole map", () => plane.fit()],
    ])) {
      const button = element("button", { type: "button", textContent: sign, title: words });
      button.setAttribute("aria-label", `${words}, ${side.name} map`);
      button.onclick = act;
      zoom.append(button);
    }
    side.host.append(zoom);
    side.tiles = new Tiles(plane);
    side.arrows = new Arrows(plane);
    side.density = new Density(plane);
    side.gaps = new Gaps(plane);
    side.gaps.told = () => this.#captions();
    plane.under.push(side.density.draw, side.tiles.draw, side.gaps.draw);
    plane.over.push((ctx) => this.#drawEllipses(ctx, side), side.arrows.draw);
    plane.layers.push((ctx) => this.#drawNeighbours(ctx, side), (ctx) => this.epochs.drawWay(ctx, side, this.state.image));
    this.walk.buildCard(side);
    this.lasso.attach(side);
    plane.onHover = (z, index) => {
      this.hover = z ? { side, z, index } : null;
      this.request();
    };
    plane.onPick = (z, index) => this.#pick(side, z, index);
    plane.onView = () => {
      if (!side.model) return;
      side.tiles.refresh();
      side.arrows.refresh();
      side.gaps.refresh();
      const whole = plane.span === 2 * plane.home.half && String(plane.centre) === String(plane.home.centre);
      if (this.epochs.on) this.request();
      this.state.views[side.name] = whole ? null : { centre: [...plane.centre], span: plane.span };
      this.remember();
    };
  }

  /** A model on one side: its codes, its layers, what is said of it.
   * @param {Side} side @param {string} kind @param {Pick<Side, "model" | "codes">} fetched */
  #put(side, kind, { model, codes }) {
    const about = this.known.get(kind);
    Object.assign(side, { kind, model, codes, about });
    side.select.value = kind;
    side.note.className = "quiet";
    ({ classes: this.classes, colours: this.colours } = this.options.datasets[about.dataset]);
    side.note.textContent = about.code;
    side.label.replaceChildren(new Option("told: its own label", ""),
      ...this.classes.map((name, y) => new Option(`told: ${name}`, String(y))));
    side.label.hidden = !model.conditional;
    side.label.value = String(this.state.label ?? "");
    side.note.hidden = model.conditional;
    side.whitened = whiten(codes.mean);
    side.gaps.sigma = robustScale(codes.mean).sigma;
    side.plane.axes = about.plane ? ["u₁", "u₂"] : ["z₁", "z₂"];
    if (this.epochs.on) this.epochs.learn(side);
    this.#showCodes(side);
    this.#layerLabels(side);
  }

  /** All codes of a side, or those of an epoch. @param {Side} side */
  #showCodes(side) {
    const { plane, about, codes, learned } = side;
    const view = this.state.views[side.name];
    if (this.epochs.on) {
      const { mean, origin } = this.epochs.shown(side);
      plane.origin = origin;
      plane.setCodes({ mean, label: learned.label }, this.colours, this.classes, learned.home);
    } else plane.setCodes(codes, this.colours, this.classes);
    if (view) plane.setView(view.centre, view.span);
    else plane.fit();
    plane.canvas.setAttribute("aria-label",
      `Map of ${plane.codes.label.length} codes of the ${about.name}. Arrow keys move, page keys move far, Home goes to the ` +
      "origin, plus and minus zoom, Enter picks.");
  }

  /** Choices are carried out one after the other: on a slow line somebody chooses on both sides meanwhile. */
  #choose(side, kind) {
    side.asked = kind;
    const turn = this.choosing.then(() => side.asked === kind && !this.gone && this.#change(side, kind));
    this.choosing = turn.catch(() => {});
    return turn;
  }

  async #change(side, kind) {
    const other = this.sides.find((s) => s !== side);
    // The same model twice shows nothing: the two change places. Another data set takes the other side along.
    const beside = this.#beside(kind, kind === other.kind ? side.kind : other.kind);
    try {
      const [mine, its] = await Promise.all([this.#fetch(kind), this.#fetch(beside)]);
      if (this.gone) return;
      this.state.views = { left: null, right: null };
      if (!same(this.classes, this.options.datasets[this.known.get(kind).dataset].classes)) {
        Object.assign(this.state, { label: null, only: new Set() }); // 9 is another class there
      }
      const last = this.#count(mine.codes);
      this.#put(side, kind, mine);
      const along = this.known.get(other.kind).dataset !== this.known.get(kind).dataset;
      if (beside !== other.kind) this.#put(other, beside, its);
      if (along) this.#sayWhyItChanged(other);
      const lost = side.name === this.lasso.loop?.side || beside !== other.kind; // it lay on a map that has gone
      if (lost && this.lasso.loop) this.lasso.turn(true);
      else this.#applyStanding();
      if (this.epochs.on) {
        this.epochs.restart();
        this.#codesChanged({ tell: false });
      }
      if (this.walk.way) this.walk.way.ends = this.walk.way.ends.map((i) => Math.min(i, last));
    } catch (error) {
      side.select.value = side.kind;
      side.caption.setAttribute("role", "alert");
      side.caption.textContent = error.message;
      return;
    }
    this.state.left = this.sides[0].kind;
    this.state.right = this.sides[1].kind;
    this.state.place = null; // it was a place of the map that has gone
    this.hover = null;
    this.#applyLayers();
    this.#pickChanged({ tell: !this.walk.way });
    this.walk.restart();
  }

  /** Otherwise the other map has changed and nobody knows why. @param {Side} side */
  #sayWhyItChanged(side) {
    side.note.className = "changed";
    side.note.textContent = `changed, too: both maps show ${this.options.datasets[side.about.dataset].title}`;
    side.note.hidden = false;
    this.say(`The ${side.name} map is now the ${side.about.name}'s: both show one data set.`);
  }

  // What a conditional model is told ------------------------------------------------------------------------------------

  /** The label for a model at an image or an empty place; null where the model takes none.
   * @param {Side} side @param {number | null} index */
  told(side, index) {
    if (!side.model.conditional) return null;
    if (this.state.own && index === null) return this.state.label ?? this.#labelOfOwn(side);
    return this.state.label ?? side.codes.label[index ?? this.state.image];
  }

  /** What it is said to be, where that is a class of these maps, else what the model takes it for. @param {Side} side */
  #labelOfOwn({ model: shown }) {
    const { label, classes, pixels } = this.own;
    if (label !== null && same(classes, this.classes)) return label;
    const model = shown instanceof Flat ? shown.whole : shown;
    if (!this.guesses.has(model)) this.guesses.set(model, likeliest(model, pixels));
    return this.guesses.get(model);
  }

  #labelChanged() {
    for (const side of this.sides) side.label.value = String(this.state.label ?? "");
    this.caught.draw();
    for (const side of this.sides) this.#layerLabels(side);
    if (this.walk.way) this.walk.restart(); // tells it itself
    else this.tell();
    this.remember();
    this.#captions();
    this.request();
  }

  /** @param {Side} side */
  #layerLabels(side) {
    const label = this.told(side, null);
    side.tiles.setModel(side.model, label);
    side.arrows.setModel(side.model, label);
    side.gaps.setModel(side.model, label);
  }

  // Which classes stand out ---------------------------------------------------------------------------------------------

  #standOut(only) {
    this.state.only = only;
    this.hover = null; // it may be a dot that no pointer meets any more
    this.#applyStanding();
    this.remember();
    this.request();
    this.say(`${only.size ? [...only].map((y) => this.classes[y]).join(", ") : "All classes"}. ${this.legend.count.textContent}.`);
  }

  /** The lasso is taken up or put away, or has another loop. */
  #loopChanged() {
    const { on } = this.lasso;
    if (on && this.walk.way) this.#walkOff();
    if (on && this.epochs.on) this.#epochsOff();
    this.#applyStanding();
    this.remember();
    this.request();
    if (on) this.say(this.caught.said.textContent);
  }

  /** Escape, or Clear: what is left of the lasso goes; the focus stays with it. */
  #escape() {
    const inside = this.caught.element.matches(":focus-within");
    this.lasso.escape();
    if (inside) this.lasso.button.focus({ preventScroll: true });
  }

  #applyStanding() {
    const { only } = this.state;
    const { on, loop } = this.lasso;
    const [{ plane: { codes: { label } }, about: { dataset } }] = this.sides;
    const mask = loop && caughtBy(this.sides.find(({ name }) => name === loop.side).codes.mean, loop.corners);
    if (only.size) mask?.forEach((_, i) => (mask[i] &= Number(only.has(label[i])))); // a shadow is not caught
    const images = mask && [...mask.keys()].filter((i) => mask[i]);
    if (this.listed !== dataset) this.legend.setClasses(this.classes, this.colours);
    this.listed = dataset;
    for (const { plane, density, codes } of this.sides) {
      plane.setStanding({ labels: only.size ? only : null, codes: images?.length ? mask : null });
      density.setCodes(codes);
    }
    const shown = images?.length || (only.size ? label.reduce((count, y) => count + Number(only.has(y)), 0) : label.length);
    this.legend.show(only, shown, label.length);
    this.caught.show(on, loop && { loop, mask, images });
  }

  // Layers -------------------------------------------------------------------------------------------------------------

  #toggleLayer(name) {
    const { layers } = this.state;
    if (layers.has(name)) layers.delete(name);
    else layers.add(name);
    this.#applyLayers();
    this.remember();
  }

  /** @param {string} name of GAPS, or nothing */
  #shadeBy(name) {
    const { layers } = this.state;
    this.refused = ""; // who chooses it again asks again
    for (const other of Object.keys(GAPS)) layers.delete(other);
    if (name) layers.add(name);
    this.#applyLayers();
    this.remember();
  }

  /** What the maps show: of the epochs no more than needs no weights. @returns {Set<string>} */
  get #layers() {
    const { layers } = this.state;
    return this.epochs.on ? new Set(["points", ...(layers.has("circles") ? ["circles"] : [])]) : layers;
  }

  /** What both maps are to be shaded by, or null. @returns {string | null} */
  get #gap() {
    return Object.keys(GAPS).find((name) => this.#layers.has(name)) ?? null;
  }

  /** Why they cannot be shaded by it, in a sentence; "" where they can. */
  get #lacking() {
    if (this.#gap !== "digit") return "";
    if (!this.options.judge) return "Nothing is shaded: the judge is not here.";
    const { numerals } = this.options.datasets[this.sides[0].about.dataset];
    return numerals ? this.refused : "Nothing is shaded: the judge knows no pictures but digits.";
  }

  /** The judge comes when it is first asked for. */
  async #askJudge() {
    try {
      const judge = await registry.judge(this.options.judge);
      if (this.gone) return;
      for (const { gaps } of this.sides) {
        gaps.judge = judge;
        gaps.refresh();
      }
    } catch (error) {
      if (this.gone) return;
      this.refused = error.message;
      this.#applyLayers();
      this.say(error.message);
    }
  }

  #showScale(gap) {
    const { scale } = this.elements;
    scale.hidden = !gap;
    if (!gap) return;
    const { ends: [low, high], words } = GAPS[gap];
    const bar = element("i");
    bar.style.setProperty("--shade", SHADE);
    scale.replaceChildren(element("b", {}, words), small(low), bar, small(high));
  }

  /** @param {Side} side */
  #circles(side) {
    if (side.about.plane) return null; // the plane lies where the codes do, not through the origin
    if (!this.state.layers.has("circles")) return null;
    if (this.epochs.on && side.model.prior) return null; // what it had learned by then was not kept
    return side.model.prior ?? (side.model.probabilistic ? "prior" : "yardstick");
  }

  #applyLayers() {
    const layers = this.#layers;
    for (const [name, button] of Object.entries(this.elements.layers)) {
      press(button, layers.has(name));
      button.disabled = this.epochs.on && name !== "circles";
    }
    this.elements.gap.disabled = this.epochs.on;
    const gap = this.#gap;
    const field = this.#lacking ? null : gap;
    if (field === "digit" && !this.sides[0].gaps.judge) this.#askJudge();
    this.elements.gap.value = gap ?? "";
    this.elements.gap.title = gap ? GAPS[gap].title : "What a place lacks, on one scale for both maps";
    this.#showScale(field);
    for (const side of this.sides) {
      side.gaps.setField(field);
      side.plane.pointOpacity = field ? 0.4 : 1;
      side.plane.showPoints = layers.has("points");
      side.plane.setCircles(this.#circles(side));
      side.tiles.toggle(layers.has("tiles"));
      side.arrows.toggle(layers.has("arrows"));
      side.density.on = layers.has("density");
      side.plane.redraw();
    }
    this.#captions();
  }

  #captions() {
    for (const side of this.sides) {
      const label = side.model.conditional ? this.classes[this.told(side, null)] : null;
      side.caption.removeAttribute("role");
      side.caption.textContent = this.epochs.on ? this.epochs.caption(side)
        : caption(side, { layers: this.#layers, gap: this.#gap, lacking: this.#lacking, label });
    }
  }

  #drawEllipses(ctx, side) {
    if (this.#layers.has("ellipses") && side.codes?.logvar) drawEllipses(ctx, side.plane, side.codes, this.colours);
  }

  // Picking ------------------------------------------------------------------------------------------------------------

  #pick(side, z, index) {
    if (index !== null) this.pickImage(index);
    else if (!this.walk.way && !this.epochs.on) {
      this.state.place = { side: side.name, z: [...z] };
      this.state.own = false;
      this.#pickChanged({ tell: true });
    }
  }

  /** Test image `index` is picked, as by a click on its dot. */
  pickImage(index) {
    if (this.walk.way) {
      this.elements.image.value = index;
      this.walk.choose(index);
      return;
    }
    this.state.image = index;
    this.state.place = null;
    this.state.own = false;
    this.hover = null;
    for (const { plane, codes } of this.sides) { // a number may name a dot that is out of sight
      const { mean } = this.epochs.on ? plane.codes : codes;
      const z = [mean[2 * index], mean[2 * index + 1]];
      const [x, y] = plane.toScreen(z);
      if (x < 0 || y < 0 || x > plane.width || y > plane.height) plane.setView(z, plane.span);
    }
    this.#pickChanged({ tell: true });
  }

  /** As if the pointer were on this image's dot; null where it has left. @param {number | null} index */
  lookAt(index) {
    const [side] = this.sides;
    this.hover = index === null ? null : { side, z: [side.codes.mean[2 * index], side.codes.mean[2 * index + 1]], index };
    this.request();
  }

  #pickOwn() {
    if (this.walk.way) this.#walkOff();
    if (this.epochs.on) this.#epochsOff();
    Object.assign(this.state, { own: true, place: null });
    this.hover = null;
    this.#pickChanged({ tell: true });
  }

  #pickChanged({ tell }) {
    const { image, place, own } = this.state;
    if (this.elements.own) press(this.elements.own, own);
    this.elements.image.value = image;
    for (const side of this.sides) this.#layerLabels(side);
    const at = this.epochs.on ? null : this.#look(this.#picked(), { marker: this.walk.way ? null : "pick" });
    for (const side of this.sides) {
      side.near = place || own || this.epochs.on ? [] : nearest(side.codes.mean, image, NEIGHBOURS);
      side.plane.request();
    }
    this.#captions();
    this.remember();
    this.request();
    this.places = (place || own) && Object.fromEntries(this.sides.map((side, k) => [side.name, at[k].map((v) => Number(v.toFixed(4)))]));
    if (tell) this.tell();
  }

  /** The one message: what is picked or walked on, for what only Python knows of it. */
  tell() {
    const { image, place, own, left, right, label } = this.state;
    say(this.component, {
      left, right, image, own, told: label, z: this.places || null, drawn: place?.side ?? null,
      walk: this.walk.message(),
    });
  }

  #picked() {
    const { image, place, own } = this.state;
    if (own) return { side: null, z: null, index: null };
    if (!place) return { side: this.sides[0], z: null, index: image };
    return { side: this.sides.find((s) => s.name === place.side), z: place.z, index: null };
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Side} side */
  #drawNeighbours(ctx, { near, codes, plane }) {
    if (!near?.length || this.walk.way) return;
    ctx.strokeStyle = plane.theme.accent;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    const [px, py] = plane.toScreen([codes.mean[2 * this.state.image], codes.mean[2 * this.state.image + 1]]);
    for (const i of near) {
      const [x, y] = plane.toScreen([codes.mean[2 * i], codes.mean[2 * i + 1]]);
      if (Math.hypot(x - px, y - py) < 12) continue; // inside the picked one's own ring
      ctx.moveTo(x + 5, y);
      ctx.arc(x, y, 5, 0, 2 * Math.PI);
    }
    ctx.stroke();
  }

  // Every frame: what is looked at on both maps -------------------------------------------------------------------------

  #draw() {
    if (!this.sides[1]?.model) return;
    if (this.walk.way) {
      this.#ringHovered();
      this.walk.draw();
      return;
    }
    if (this.epochs.on) {
      this.epochs.draw(this.state.image, this.hover?.index ?? null);
      return;
    }
    const target = this.hover ?? this.#picked();
    const z = this.#look(target, { marker: this.hover ? "hover" : null });
    this.#words(target, z);
  }

  /** Decode an image's codes, or an empty place of one map and what the other model makes of that drawing. */
  #look({ side: own, z, index }, { marker }) {
    const places = this.sides.map((side) => {
      if (!own) return [...this.#placeOfOwn(side).mean];
      if (index !== null) return [side.codes.mean[2 * index], side.codes.mean[2 * index + 1]];
      return side === own ? [...z] : null;
    });
    const decode = (side, at) => side.model.decode(Float32Array.from(at), this.told(side, index), side.pixels);
    const order = own === this.sides[1] ? [1, 0] : [0, 1];
    for (const k of order) {
      const side = this.sides[k];
      if (!places[k]) {
        const { mean } = side.model.encode(side.model.observe(own.pixels), this.told(side, null));
        places[k] = [mean[0], mean[1]];
      }
      decode(side, places[k]);
      paint(side.tile, side.pixels);
      side.tile.style.border = `2px solid ${index === null ? "transparent" : this.colours[side.codes.label[index]]}`;
    }
    this.sides.forEach((side, k) => {
      side.plane.setMarker("hover", null);
      this.#markOwn(side);
      if (!marker) return;
      const sigma = this.#sigma(side, own, index);
      const hidden = marker === "hover" && index === null && side === own; // the pointer is there itself
      side.plane.setMarker(marker, hidden ? null : {
        z: places[k], sigma, colour: marker === "pick" ? side.plane.theme.accent : side.plane.theme.text,
        size: marker === "pick" ? 9 : 8, shape: index === null && side === own ? "cross" : "ring",
      });
    });
    return places;
  }

  /** Where a model puts the visitor's own digit: {mean, logvar}. */
  #placeOfOwn(side) {
    return side.model.encode(side.model.observe(this.own.pixels), this.state.own ? this.told(side, null)
      : side.model.conditional ? this.#labelOfOwn(side) : null);
  }

  /** The own digit stays marked on both maps, whatever else is looked at. */
  #markOwn(side) {
    if (!this.own) return;
    side.plane.setMarker("own", this.walk.way ? null : {
      z: [...this.#placeOfOwn(side).mean], shape: "dot", size: 5, text: this.own.origin ? "chosen digit" : "your digit", colour: side.plane.theme.accent,
    });
  }

  /** σ of the posterior at what is looked at; null where it is a point, or a place that no image was put at. */
  #sigma(side, own, index) {
    const { logvar } = side.codes;
    if (!logvar || (own && index === null)) return null;
    const of = own ? logvar.subarray(2 * index, 2 * index + 2) : this.#placeOfOwn(side).logvar;
    return Array.from(of, (v) => Math.exp(0.5 * v));
  }

  #nameOfOwn() {
    const { origin, shows } = this.own;
    const said = origin ? "" : "said to be ";  // be it to see what a CVAE draws then
    return `${origin ? "The chosen digit" : "Your digit"}${shows === null ? "" : `, ${said}${called(shows)}`}`;
  }

  #words({ side: own, index }, places) {
    const e = this.elements;
    e.what.textContent = !own ? this.#nameOfOwn() : index === null ? `A place on the ${own.about.name}'s map`
      : `Test image ${index}, ${called(this.classes[own.codes.label[index]])}`;
    const parts = [e.what.textContent];
    this.sides.forEach((side, k) => {
      const name = side.about.name;
      const told = side.model.conditional ? `, told ${this.classes[this.told(side, index)]}` : "";
      let title = side.about.plane ? `${name} at its place` : `${name} draws it`;
      if (own && index === null) title = side === own ? `${name} decodes it` : `${name} redraws that`;
      set(side.title, title + told, "b");
      const spread = this.#sigma(side, own, index);
      const sigma = spread ? `σ ${spread.map((v) => v.toFixed(2)).join(", ")}` : "";
      // An encoder with a posterior answers with its mean; what a hand points at is a z.
      const code = `${side.about.plane ? "u" : side.model.probabilistic && !(index === null && side === own) ? "μ" : "z"} ` +
        places[k].map((v) => signed(v)).join(", ");
      side.reading.replaceChildren(small(code), small(sigma));
      side.tile.setAttribute("aria-label", `${title}${told}`);
      parts.push(`${name}: ${code}`);
    });
    this.say(parts.join(". ") + ".");
  }

  // Walk ---------------------------------------------------------------------------------------------------------------

  #toggleWalk() {
    if (this.walk.way) this.#walkOff();
    else this.#walkOn(this.state.image);
  }

  #walkOn(way) {
    this.hover = null;
    if (this.epochs.on) this.#epochsOff();
    if (this.lasso.on) this.lasso.turn(false); // a drag is one or the other
    Object.assign(this.state, { place: null, own: false });
    this.#pickChanged({ tell: false });
    this.walk.start(way);
    this.#walkShown(true);
  }

  #walkOff() {
    this.hover = null;
    this.walk.stop();
    this.#pickChanged({ tell: true });
    this.#walkShown(false);
  }

  #walkShown(on) {
    press(this.elements.walk, on);
    this.elements.grid.classList.toggle("walking", on);
    this.remember();
  }

  /** On a walk the tiles are the walk's; a dot under the pointer is still ringed on both maps. */
  #ringHovered() {
    const index = this.hover?.index ?? null;
    for (const { plane, codes } of this.sides) {
      plane.setMarker("hover", index === null ? null : {
        z: [codes.mean[2 * index], codes.mean[2 * index + 1]], colour: plane.theme.text, text: this.classes[codes.label[index]],
      });
    }
  }

  // Epochs -------------------------------------------------------------------------------------------------------------

  /** @param {number} epoch */
  #epochsOn(epoch, { tell = true } = {}) {
    if (this.walk.way) this.#walkOff();
    if (this.lasso.on) this.lasso.turn(false);
    Object.assign(this.state, { place: null, own: false });
    for (const { plane } of this.sides) plane.setMarker("own", null); // earlier weights would be needed to say where it lay
    this.epochs.start(epoch);
    this.#codesChanged({ tell });
  }

  #epochsOff() {
    this.epochs.stop();
    this.#codesChanged({ tell: false });
  }

  /** The maps show other codes of the same models. */
  #codesChanged({ tell }) {
    this.hover = null;
    this.elements.grid.classList.toggle("learning", this.epochs.on);
    this.#count(this.sides[0].codes);
    for (const side of this.sides) this.#showCodes(side);
    this.#applyStanding();
    this.#applyLayers();
    this.#pickChanged({ tell });
  }

  /** Another epoch is shown. */
  epochMoved() {
    this.#captions();
  }
}

// Helpers ----------------------------------------------------------------------------------------------------------------

/** Whether a label means the same in both. @param {string[]} some @param {string[]} others names of classes */
const same = (some, others) => some.length === others.length && some.every((name, y) => name === others[y]);

const small = (text) => element("small", {}, text);

function set(parent, text, tag) {
  if (parent.textContent !== text) parent.replaceChildren(element(tag, {}, text));
}

/** "z₁,z₂,span" of a link → {centre, span}, or null. */
function parseView(text) {
  const v = numbersOf(text, 3);
  return v && v[2] > 0 ? { centre: [v[0], v[1]], span: v[2] } : null;
}

/** "left,z₁,z₂" of a link → {side, z}, or null. */
function parsePlace(text) {
  const [, side, rest] = /^(left|right),(.*)$/.exec(text ?? "") ?? [];
  const z = numbersOf(rest, 2);
  return z && { side, z };
}

/** "3.7" of a link → [3, 7], or null. */
function parseClasses(text) {
  return /^\d{1,2}(\.\d{1,2}){0,99}$/.test(text ?? "") ? text.split(".").map(Number) : null;
}

/** "12-345" and "0.5" of a link → {ends, t}, or null. */
function parseWalk(ends, t) {
  const found = /^(\d{1,5})-(\d{1,5})$/.exec(ends ?? "");
  return found && { ends: [Number(found[1]), Number(found[2])], t: numbersOf(t, 1, 1)?.[0] ?? 0.5 };
}
