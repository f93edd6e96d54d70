// The part "Prior and posterior" of Generate: of each model the prior, the density of all its codes together, and what
// parts them, on three planes that are looked at as one; what lies under the pointer is decoded. Python hears nothing.

import { link, told } from "../../host.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import * as registry from "../../engine/registry.mjs";
import { arrivals } from "../../parts/coming.mjs";
import { button, element, press, signed, styleSheet, write } from "../../parts/controls.mjs";
import { Heat } from "../../parts/heat.mjs";
import { announcer, digitCanvas, frameLoop, paint } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";

const CELLS = 128; // along the side of a picture (measures.PICTURED)
const FEW = 0.1; // below this share of the other density there is next to nothing (aggregate.FEW)
const [HOLE, LEAK] = ["#3f90da", "#e76300"]; // two of Petroff's ten, told apart by all and on both themes
const START = 10_000; // images

/**
 * A density. top: its highest; bytes: 255 √(density / top) of each cell as base64, row 0 on top.
 * @typedef {{top: number, bytes: string}} Picture
 *
 * A model. reach: its pictures cover ±; called: "10,000 test images"; note: what was measured of them.
 * @typedef {{images: number, called: string, note: string, q: Picture}} Row
 * @typedef {{title: string, name: string, network: import("../../engine/registry.mjs").Network, reach: number,
 *   prior: Picture, rows: Row[]}} About
 * @typedef {{models: About[]}} Options
 * @typedef {import("../../host.mjs").Component<Options, never>} Component
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Densities(root, component);
  await view.build();
  view.started = view.start();
  return view;
}

/** Densities of a picture's cells. @param {Picture} picture */
function densities({ top, bytes }) {
  const values = atob(bytes);
  return Float32Array.from({ length: CELLS * CELLS }, (_, i) => top * (values.charCodeAt(i) / 255) ** 2);
}

/** One model: its three planes, and what is decoded of the place that is looked at. */
class Account {
  /** @type {import("../../engine/engine.mjs").Model | null} */
  model = null;
  /** @type {number[] | null} the place under the hand; null: the emptiest one */
  hover = null;

  /** @param {About} about @param {(account: Account) => void} looked */
  constructor(about, looked) {
    this.about = about;
    this.prior = densities(about.prior);
    this.q = this.prior;
    this.row = about.rows[0];
    const { reach } = about;
    const heat = () => new Heat({ bounds: [-reach, -reach, reach, reach], n: CELLS, data: new Uint8Array(CELLS * CELLS) });
    this.expected = heat();
    this.found = heat();
    this.holes = heat();
    this.leaks = heat();
    this.titles = ["prior p(z)", "posterior q(z)", "difference"].map((words) => element("figcaption", {}, element("b", { textContent: words })));
    this.titles[2].append(" ", element("span", { className: "key hole", textContent: "more prior" }),
      element("span", { className: "key leak", textContent: "more codes" }));
    this.squares = this.titles.map(() => element("div", { className: "square" }));
    this.tiles = element("div", { className: "drawn" });
    this.reading = element("p", { className: "quiet" });
    this.note = element("p", { className: "note" });
    /** @type {Plane[]} */
    this.planes = [];
    /** @type {HTMLCanvasElement[]} */
    this.canvases = [];
    this.pixels = new Float32Array(PIXELS);
    this.box = element("section", {}, element("h3", { textContent: about.title }),
      element("div", { className: "planes" },
        ...this.squares.map((square, k) => element("figure", {}, this.titles[k], square)),
        element("div", { className: "here" }, this.tiles, this.reading)),
      this.note);
    this.looked = looked;
  }

  /** The planes, once their boxes have a size. */
  show() {
    const names = ["prior", "posterior", "difference"];
    this.planes = this.squares.map((square, k) => {
      const plane = new Plane(square, { labelText: `${this.about.name}, ${names[k]}. Arrow keys move the place that is looked at.`,
        wheel: false, scroll: true });
      plane.home = { centre: [0, 0], half: this.about.reach };
      plane.fit();
      plane.over.push((ctx) => this.#draw(ctx, plane, k));
      const look = (z) => {
        this.hover = z && [...z];
        this.looked(this);
      };
      plane.onHover = plane.onPick = look;
      plane.drawsLine = () => true; // a drag looks around: the three stay where they compare
      plane.onLine = (z, phase) => phase !== "cancel" && look(z);
      plane.onView = () => { // of keys; the two others come along
        for (const other of this.planes) {
          if (String([...other.centre, other.span]) !== String([...plane.centre, plane.span])) other.setView(plane.centre, plane.span);
        }
      };
      return plane;
    });
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Plane} plane @param {number} k */
  #draw(ctx, plane, k) {
    const { text } = plane.theme;
    if (k === 0) this.expected.draw(ctx, plane, { colour: text, lines: false });
    if (k === 1) this.found.draw(ctx, plane, { colour: text, lines: false });
    if (k === 2) {
      this.holes.draw(ctx, plane, { colour: HOLE, lines: false });
      this.leaks.draw(ctx, plane, { colour: LEAK, lines: false });
    }
  }

  /** q(z) of the row whose number of images is nearest. @param {number} images */
  choose(images) {
    const far = ({ images: n }) => Math.abs(Math.log(n / images));
    this.row = this.about.rows.reduce((best, row) => (far(row) < far(best) ? row : best));
    const { prior, about: { prior: { top: most } } } = this;
    const q = (this.q = densities(this.row.q));
    const over = (a, b) => a.map((v, i) => Math.min(most, Math.max(0, v - b[i])));
    // The prior's height is full colour everywhere, so that the pictures compare; what is higher looks alike.
    this.expected.set(prior, 255 / most);
    this.found.set(q.map((v) => Math.min(most, v)), 255 / most);
    this.holes.set(over(prior, q), 255 / most);
    this.leaks.set(over(q, prior), 255 / most);
    write(this.titles[1].firstElementChild, `posterior q(z) of ${this.row.called}`);
    write(this.note, this.row.note);
    for (const plane of this.planes) plane.redraw();
  }

  /** Where the prior is highest above q(z). */
  get emptiest() {
    const { prior, q, about: { reach } } = this;
    let best = 0;
    for (let i = 0; i < q.length; i++) if (prior[i] - q[i] > prior[best] - q[best]) best = i;
    const at = (k) => ((k + 0.5) / CELLS) * 2 * reach - reach;
    return [at(best % CELLS), -at(Math.floor(best / CELLS))];
  }

  /** Mark the place on all planes, say what is there and draw it. */
  look() {
    const z = this.hover ?? this.emptiest;
    const { about: { reach }, model } = this;
    for (const plane of this.planes) plane.setMarker("here", { z, colour: plane.theme.accent, shape: "cross", size: 7 });
    const [column, row] = [z[0], -z[1]].map((v) => Math.floor(((v + reach) / (2 * reach)) * CELLS));
    const inside = [column, row].every((k) => k >= 0 && k < CELLS);
    const [p, q] = [this.prior, this.q].map((density) => (inside ? density[row * CELLS + column] : 0));
    const what = !inside ? "beyond the picture" : q < FEW * p ? "a hole" : p < FEW * q ? "a leak" : "no hole and no leak";
    write(this.reading, `z ${z.map((v) => signed(v)).join(", ")}: p ${p.toFixed(3)}, q ${q.toFixed(3)}, ${what}`);
    if (!model) return;
    const n = model.conditional ? model.nClasses : 1;
    if (this.canvases.length !== n) {
      this.canvases = Array.from({ length: n }, (_, y) =>
        digitCanvas({ label: `What the ${this.about.name} draws there${n > 1 ? `, told ${y}` : ""}` }));
      this.tiles.classList.toggle("several", n > 1);
      this.tiles.replaceChildren(...this.canvases);
      this.pixels = new Float32Array(n * PIXELS);
    }
    const codes = Float32Array.from({ length: 2 * n }, (_, i) => z[i % 2]);
    model.decode(codes, n > 1 ? Uint8Array.from({ length: n }, (_, y) => y) : null, this.pixels);
    this.canvases.forEach((canvas, y) => paint(canvas, this.pixels.subarray(y * PIXELS, (y + 1) * PIXELS)));
  }
}

class Densities {
  gone = false;
  /** @type {Promise<void> | null} ends when every network has come or failed */
  started = null;
  /** @type {(text: string) => void} for a screen reader */
  say = () => {};
  /** @type {HTMLButtonElement[]} one a number of images */
  buttons = [];

  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.options = told(component);
    const counts = new Map(this.options.models.flatMap(({ rows }) => rows.map(({ images, called }) => [images, called])));
    this.counts = [...counts].sort(([a], [b]) => a - b);
    const asked = Number(link.get("images") ?? START);
    this.images = counts.has(asked) ? asked : (counts.has(START) ? START : this.counts.at(-1)[0]);
    /** @type {Set<Account>} whose place is to be drawn */
    this.waiting = new Set();
    this.accounts = this.options.models.map((about) => new Account(about, (account) => {
      this.waiting.add(account);
      this.request();
    }));
    this.request = frameLoop(() => this.#draw());
    /** @type {any} */ (root.host ?? root).densities = this; // for tests and measurements
  }

  async build() {
    const style = await styleSheet(this.root);
    if (this.gone) return;
    this.buttons = this.counts.map(([images, called]) => button(called, () => this.#choose(images)));
    const bar = element("div", { className: "bar", role: "group", ariaLabel: "Images whose posteriors are added" }, ...this.buttons);
    const box = element("div", { className: "view densities" }, bar, ...this.accounts.map(({ box }) => box));
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
    for (const account of this.accounts) account.show();
    this.#show();
  }

  /** The networks, one after the other: each draws as soon as it is there. */
  async start() {
    await arrivals(this.options.models.map(({ network }) => network), {
      load: registry.model,
      here: (i, model) => {
        this.accounts[i].model = model;
        this.#later(this.accounts[i]);
      },
      coming: () => {},
      failed: (i, error) => {
        if (error.name !== "EngineError") throw error;
        write(this.accounts[i].note, error.message);
        console.warn(error.message);
      },
    });
  }

  /** The theme may be another one. */
  update() {
    for (const { planes } of this.accounts) for (const plane of planes) plane.retheme();
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    for (const { planes } of this.accounts) for (const plane of planes) plane.destroy();
  }

  #choose(images) {
    this.images = images;
    this.#show();
    link.set({ images: images === START ? null : String(images) });
    this.say(this.accounts.map(({ about, note }) => `${about.name}. ${note.textContent}`).join(" "));
  }

  #show() {
    this.buttons.forEach((made, k) => press(made, this.counts[k][0] === this.images));
    for (const account of this.accounts) {
      account.choose(this.images);
      this.#later(account);
    }
  }

  /** @param {Account} account */
  #later(account) {
    this.waiting.add(account);
    this.request();
  }

  #draw() {
    if (this.gone) return;
    for (const account of this.waiting) account.look();
    this.waiting.clear();
  }
}
