// The page "Styles": one z of a conditional VAE, every class in it at once. In two dimensions z is dragged on the
// map, in more each of the busiest dimensions has a slider. Python hears of z when the hand lets go.

import { link, say, told } from "../host.mjs";
import { EngineError, PIXELS } from "../engine/engine.mjs";
import {
  button, dimension, element, meanKl, norm, numbersOf, pixelsOf, signed, styleSheet, toLink,
} from "../parts/controls.mjs";
import { announcer, digitCanvas, frameLoop, paint } from "../parts/paint.mjs";
import { Plane } from "../parts/plane.mjs";
import { Random } from "../engine/random.mjs";
import * as registry from "../engine/registry.mjs";

const SLIDERS = 8; // of the busiest dimensions
const REACH = 3.5; // of a slider, in σ of the prior
const KEPT = 4; // hands to compare, at most

const remembered = new Map(); // slug → {z, of which digit, kept}: survives a switch of pages, as this module does

/**
 * @typedef {{slug: string, network: registry.Network, digit: import("../parts/controls.mjs").Digit, place: string}} Options
 * place: ends the names of the link's parameters; another model may stand beside this one
 * @typedef {{digit: string, z: number[]}} Message the hand as it was left, and which digit was shown with it
 * @typedef {import("../host.mjs").Component<Options, Message>} Component
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Styles(root, component);
  await view.start();
  return view;
}

class Styles {
  gone = false; // another view stands in its place
  /** @type {import("../engine/engine.mjs").Model} */
  model;
  /** @type {import("../engine/engine.mjs").Code} the digit's own */
  own;
  /** @type {Float32Array} of its posterior */
  sigma;
  /** @type {Float32Array} the hand that is shown */
  z;
  /** @type {Uint8Array} every class */
  labels;
  /** @type {Float32Array} of all classes in this hand */
  pixels;
  /** @type {Float32Array[]} hands to compare */
  kept;
  /** @type {Plane | null} where z has two numbers */
  plane = null;
  /** @type {{j: number, range: HTMLInputElement, value: HTMLElement}[]} of dimension j, where it has more */
  sliders = [];
  rest = null; // a timer: the keyboard's hand has come to rest
  /** @type {(text: string) => void} */
  say;
  // Its boxes.
  keepButton;
  reading;
  side;
  all;
  /** @type {{canvas: HTMLCanvasElement, note: HTMLElement}[]} a label after the other */
  tiles;
  keptBox;

  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.request = frameLoop(() => this.draw());
  }

  async start() {
    const { slug, network, place } = this.options;
    const [style, [model, codes]] = await Promise.all([styleSheet(this.root), registry.both(network)]);
    if (this.gone) return;
    if (!model.conditional) throw new EngineError(`One hand, all classes: that needs a conditional model, and ${slug} takes no label.`);
    this.model = model;
    this.labels = Uint8Array.from({ length: model.nClasses }, (_, y) => y);
    this.pixels = new Float32Array(model.nClasses * PIXELS);
    const D = model.latentDim;
    const old = remembered.get(slug) ?? {};
    this.#encode();
    const asked = numbersOf(place ? link.get("z2") : link.get("z"), D);
    const same = old.digit === this.options.digit.id; // another digit has come meanwhile: its hand is shown
    this.z = Float32Array.from(asked ?? (same ? old.z : this.own.mean));
    const keep = (place ? link.get("keep2") : link.get("keep"))?.split(";").map((text) => numbersOf(text, D)).filter(Boolean);
    this.kept = (keep ?? old.kept ?? []).slice(0, KEPT).map((z) => Float32Array.from(z));
    this.#build(style, codes);
    if (old.z) this.#remember(); // back from another page: the link says it again
    this.draw();
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const { digit } = this.options;
    this.options = told(component);
    this.plane?.retheme();
    if (this.model && digit.id !== this.options.digit.id) {
      this.#encode();
      this.#go(this.own.mean);
    }
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    clearTimeout(this.rest); // the next page's address is not ours
    this.plane?.destroy();
  }

  /** The code of Python's digit under the label that Python names. */
  #encode() {
    const { digit } = this.options;
    this.own = this.model.encode(this.model.observe(pixelsOf(digit)), digit.label);
    this.sigma = this.own.logvar.map((v) => Math.exp(0.5 * v));
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(style, codes) {
    const box = element("div", { className: "view" });
    const bar = element("div", { className: "bar" },
      button("My digit's hand", () => this.#go(this.own.mean), "z at the mean of the chosen digit's posterior"),
      button("Random hand", () => this.#random(), "z drawn from the prior N(0, I)"),
      this.keepButton = button("Keep this hand", () => this.#keep(), "Show it below, to compare it with others"),
    );
    this.reading = element("p", { className: "reading quiet" });
    this.side = element("div", { className: "side" });
    const { classes, colours } = this.options.network;
    this.all = element("div", { className: "all" });
    this.tiles = Array.from(this.labels, (y) => {
      const canvas = digitCanvas({ label: `${classes[y]} in this hand` });
      const figure = element("figure", { className: "tile" }, canvas);
      figure.style.setProperty("--edge", colours[y]);
      canvas.style.cssText = ""; // the sheet frames it
      const note = element("small", { className: "quiet" });
      figure.append(element("figcaption", {}, element("b", { textContent: classes[y] }), " ", note));
      this.all.append(figure);
      return { canvas, note };
    });
    this.keptBox = element("div", { className: "kept" });
    const grid = element("div", { className: "styles" }, this.side, this.all, this.keptBox);
    box.append(bar, grid);
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
    if (this.model.latentDim === 2) this.#buildPlane(codes);
    else this.#buildSliders(codes);
    this.side.append(this.reading);
    this.#showKept();
  }

  #buildPlane(codes) {
    const host = element("div", { className: "square" });
    this.side.append(host);
    const plane = this.plane = new Plane(host, {
      labelText: "Map of styles. Arrow keys move the hand, page keys move it far, Home goes to the origin.",
      wheel: false, scroll: true,
    });
    plane.pointOpacity = 0.45; // the hand is the subject
    plane.showNumerals = false; // the classes lie on each other
    plane.setCodes(codes, this.options.network.colours);
    plane.setCircles("prior");
    plane.layers.push((ctx) => { // some codes lie beyond the edge
      plane.pointTo(ctx, this.own.mean, { colour: plane.theme.text, name: "your digit" });
      plane.pointTo(ctx, this.z);
    });
    // Wherever the map is touched, the hand comes and follows.
    const come = ({ clientX, clientY }) => {
      const frame = plane.canvas.getBoundingClientRect();
      plane.setMarker("z", this.#marker(plane.toCode(clientX - frame.left, clientY - frame.top)));
    };
    host.addEventListener("pointerdown", (e) => e.isPrimary && !e.button && come(e), true);
    host.addEventListener("touchstart", (e) => e.touches.length === 1 && come(e.touches[0]), true);
    plane.onDrag = (name, z) => this.#move(z);
    plane.onRelease = () => this.#settle();
    plane.onHover = () => { // the keyboard moves a cursor; a mouse that only passes moves nothing
      if (!plane.cursor) return;
      this.#move(plane.cursor);
      clearTimeout(this.rest);
      this.rest = setTimeout(() => this.#settle(), 400);
    };
    plane.canvas.addEventListener("focus", () => {
      if (plane.canvas.matches(":focus-visible")) plane.cursor = [...this.z];
    });
  }

  /** @param {Iterable<number>} z @returns {import("../parts/plane.mjs").Marker} */
  #marker(z) {
    return { z: [...z], drag: true, shape: "ring", size: 10 };
  }

  #buildSliders(codes) {
    const worth = meanKl(codes, this.model.latentDim);
    const order = Array.from(worth.keys()).sort((a, b) => worth[b] - worth[a]).slice(0, SLIDERS);
    const dims = element("div", { className: "dims" });
    this.sliders = order.map((j) => {
      const range = element("input", { type: "range", min: -REACH, max: REACH, step: 0.01 });
      range.setAttribute("aria-label", `${dimension(j)}, ${worth[j].toFixed(2)} nats`);
      const value = element("span", { className: "value" });
      const bar = element("span", { className: "worth", title: `${worth[j].toFixed(2)} nats of KL on average` }, element("i"));
      bar.style.setProperty("--share", String(worth[j] / worth[order[0]]));
      range.oninput = () => {
        this.z[j] = range.valueAsNumber;
        this.#changed();
      };
      range.onchange = () => this.#settle();
      dims.append(element("label", {}, element("b", { textContent: dimension(j) }), bar, range, value));
      return { j, range, value };
    });
    this.side.append(element("p", { className: "quiet",
      textContent: `The ${SLIDERS} busiest of ${worth.length} numbers, by the KL that the model pays for each.` }), dims);
  }

  // Moving -------------------------------------------------------------------------------------------------------------

  #move(z) {
    this.z.set(z);
    this.#changed();
  }

  #changed() {
    this.request();
  }

  /** To a place at once, and tell Python. */
  #go(z) {
    this.#move(z);
    if (this.plane?.cursor) this.plane.cursor = [...z];
    this.#settle();
  }

  #random() {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0];
    this.#go(new Random(seed).normals(new Float32Array(this.model.latentDim)));
  }

  #settle() {
    this.#remember();
    say(this.component, { digit: this.options.digit.id, z: Array.from(this.z, (v) => Number(v.toFixed(4))) });
  }

  #remember() {
    const { slug, digit, place } = this.options;
    remembered.set(slug, { z: Float32Array.from(this.z), digit: digit.id, kept: this.kept });
    link.set({ [`z${place}`]: toLink(this.z), [`keep${place}`]: this.kept.map((z) => toLink(z)).join(";") || null });
  }

  // Kept hands ---------------------------------------------------------------------------------------------------------

  #keep() {
    this.kept.push(Float32Array.from(this.z));
    if (this.kept.length > KEPT) this.kept.shift();
    this.#showKept();
    this.#remember();
  }

  #showKept() {
    this.keptBox.replaceChildren(...this.kept.map((z) => {
      const all = this.model.decode(z, this.labels);
      const row = element("div", { className: "hand" });
      for (const y of this.labels) {
        const canvas = digitCanvas({ label: `${this.options.network.classes[y]} in a hand that was kept` });
        canvas.style.cssText = "";
        paint(canvas, all.subarray(y * PIXELS, (y + 1) * PIXELS));
        const figure = element("figure", { className: "tile" }, canvas);
        row.append(figure);
      }
      const away = button("×", () => {
        this.kept = this.kept.filter((other) => other !== z);
        this.#showKept();
        this.#remember();
        this.keepButton.focus();
      }, "Put this hand away");
      away.setAttribute("aria-label", "Put this hand away");
      row.append(away);
      return row;
    }));
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw() {
    const { z, model, options: { digit } } = this;
    model.decode(z, this.labels, this.pixels);
    for (const y of this.labels) {
      const { canvas, note } = this.tiles[y];
      paint(canvas, this.pixels.subarray(y * PIXELS, (y + 1) * PIXELS));
      const said = y === digit.label ? "its label" : "";
      if (note.textContent !== said) note.textContent = said;
    }
    if (this.plane) {
      this.plane.setMarker("own", {
        z: [...this.own.mean], sigma: [...this.sigma], shape: "cross", size: 7, text: "your digit",
        colour: this.plane.theme.text,
      });
      this.plane.setMarker("z", this.#marker(z));
    }
    for (const { j, range, value } of this.sliders) {
      range.value = String(z[j]);
      value.textContent = signed(z[j]);
    }
    const far = norm(z);
    const place = this.plane ? `z = (${signed(z[0])}, ${signed(z[1])}), ` : "";
    const half = Math.sqrt(z.length * (1 - 2 / (9 * z.length)) ** 3); // Wilson and Hilferty 1931: the median of χ
    this.reading.textContent = `${place}${far.toFixed(2)} σ from the middle of the prior; half of all draws from it ` +
      `lie within ${half.toFixed(1)} σ.`;
    this.say(this.plane ? `Hand at ${signed(z[0])}, ${signed(z[1])}` : `Hand ${far.toFixed(1)} sigma from the middle`);
  }
}
