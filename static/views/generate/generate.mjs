// The page "Generate": random codes and what each model draws of them, or codes around the visitor's digit. Drawing and
// decoding are done here; Python hears of a drawing that is taken as the digit of all pages, and of nothing else.

import { call, link, told } from "../../host.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import { Random } from "../../engine/random.mjs";
import * as registry from "../../engine/registry.mjs";
import { toText } from "../../maths/digit.mjs";
import { around, drawn, unpacked } from "../../maths/mixture.mjs";
import { arrivals } from "../../parts/coming.mjs";
import { button, element, styleSheet, write } from "../../parts/controls.mjs";
import { announcer, digitCanvas, frameLoop, paint } from "../../parts/paint.mjs";

const DRAWINGS = { draws: 20, near: 9 }; // of each model
const FARTHEST = 8; // σ
const START = { seed: 0, radius: 2 };

/** @type {{seed: number, radius: number} | null} survives a switch of pages, as this module does */
let remembered = null;

/**
 * A model. note: what stands under its drawings; source: where its codes are drawn from; near: the digit's code, the σ in
 * which a radius is counted, and the label that a conditional model is told.
 * @typedef {{kind: string, title: string, name: string, network: import("../../engine/registry.mjs").Network, note: string,
 *   source: {components: number, numbers: string} | null,
 *   near: {mean: number[], sigma: number[], label: number | null} | null}} About
 * @typedef {{part: "draws" | "near", models: About[]}} Options
 * @typedef {{drawing: string, kind: string}} Message a drawing that is taken, and the model that drew it
 *
 * @typedef {import("../../host.mjs").Component<Options, Message>} Component
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Generate(root, component);
  await view.build();
  view.started = view.start();
  return view;
}

/** A model's drawings. */
class Card {
  /** @type {import("../../engine/engine.mjs").Model | null} */
  model = null;

  /** @param {About} about @param {number} n @param {(pixels: Float32Array, card: Card) => void} take */
  constructor(about, n, take) {
    this.about = about;
    this.pixels = new Float32Array(n * PIXELS);
    this.canvases = Array.from({ length: n }, (_, i) => {
      const canvas = digitCanvas({ label: `Drawing ${i + 1} of the ${about.name}` });
      canvas.style.cssText = ""; // the sheet frames it
      return canvas;
    });
    const tiles = this.canvases.map((canvas, i) => {
      const tile = button("", () => take(this.pixels.subarray(i * PIXELS, (i + 1) * PIXELS), this), "Use this digit on every page");
      tile.append(canvas);
      return tile;
    });
    this.note = element("p", { className: "note" });
    this.box = element("section", {}, element("h3", { textContent: about.title }),
      element("div", { className: "drawings" }, ...tiles), this.note);
  }
}

class Generate {
  gone = false;
  there = false; // the boxes are
  /** @type {Promise<void> | null} ends when every network has come or failed */
  started = null;
  /** @type {(text: string) => void} for a screen reader */
  say = () => {};

  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.state = remembered ?? { seed: START.seed, radius: START.radius, ...linked() };
    this.range = element("input", { type: "range", min: "0", max: String(FARTHEST), step: "0.1", ariaLabel: "Radius in σ" });
    this.value = element("output");
    this.reading = element("p", { className: "reading quiet" });
    const n = DRAWINGS[this.options.part];
    this.cards = this.options.models.map((about) => new Card(about, n, (pixels, card) => this.#take(pixels, card)));
    this.request = frameLoop(() => this.#draw());
    /** @type {any} */ (root.host ?? root).generate = this; // for tests and measurements
  }

  async build() {
    const style = await styleSheet(this.root);
    if (this.gone) return;
    const near = this.options.part === "near";
    const again = button(near ? "Other directions" : "Resample", () => this.#resample());
    again.classList.add("main");
    this.range.oninput = () => {
      this.state.radius = this.range.valueAsNumber;
      this.request();
    };
    this.range.onchange = () => this.#remember();
    const radius = element("label", { className: "radius", hidden: !near }, element("span", {}, "Radius ", this.value), this.range);
    const cards = element("div", { className: "cards" }, ...this.cards.map(({ box }) => box));
    cards.style.setProperty("--cards", String(this.cards.length));
    const box = element("div", { className: `view generate ${this.options.part}` },
      element("div", { className: "bar" }, radius, again), cards, this.reading);
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
    this.there = true;
    this.#draw();
  }

  /** The networks, one after the other: each draws as soon as it is there. */
  async start() {
    await arrivals(this.options.models.map(({ network }) => network), {
      load: registry.model,
      here: (i, model) => {
        if (this.gone) return;
        this.cards[i].model = model;
        this.#draw();
      },
      coming: (i, words) => {
        if (!this.cards[i].model) write(this.cards[i].note, `on its way: ${words}`);
      },
      failed: (i, error) => {
        if (error.name !== "EngineError") throw error;
        write(this.cards[i].note, error.message);
        console.warn(error.message);
      },
    });
    this.#remember();
  }

  /** Another source, another digit. @param {Component} component */
  update(component) {
    this.component = component;
    this.options = told(component);
    this.options.models.forEach((about, i) => {
      this.cards[i].about = about;
    });
    write(this.reading, "");
    if (this.there) this.#draw();
  }

  destroy() {
    this.gone = true;
    this.request.stop();
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  #resample() {
    this.state.seed++;
    write(this.reading, "");
    this.#draw();
    this.#remember();
    this.say(`Other codes are drawn: draw ${this.state.seed + 1}.`);
  }

  #remember() {
    if (this.gone) return; // the next view's memory and address are not ours
    remembered = { ...this.state };
    const { seed, radius } = this.state;
    link.set({ seed: seed === START.seed ? null : seed, radius: radius === START.radius ? null : radius });
  }

  /** @param {Float32Array} pixels @param {Card} card */
  #take(pixels, { about }) {
    write(this.reading, `This drawing of the ${about.name} is your digit now, on every page.`);
    this.say(this.reading.textContent);
    call(this.component, { drawing: toText(pixels), kind: about.kind });
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  #draw() {
    const { seed, radius } = this.state;
    this.range.value = String(radius);
    write(this.value, `${radius.toFixed(1)} σ`);
    for (const { about, model, canvases, pixels, note } of this.cards) {
      if (!model) continue;
      const [n, random, { near, source }] = [canvases.length, new Random(seed), about];
      const z = near ? around(near.mean, near.sigma, radius, n, random) : drawn(unpacked(source, model.latentDim), n, random);
      const labels = model.conditional ? Uint8Array.from({ length: n }, (_, i) => near?.label ?? i % model.nClasses) : null;
      model.decode(z, labels, pixels);
      canvases.forEach((canvas, i) => paint(canvas, pixels.subarray(i * PIXELS, (i + 1) * PIXELS)));
      write(note, about.note);
    }
  }
}

/** What the address says, as far as it is a seed and a radius: links get cut. */
function linked() {
  const [seed, radius] = [link.get("seed") ?? "", link.get("radius") ?? ""];
  return {
    ...(/^\d{1,9}$/.test(seed) && { seed: Number(seed) }),
    ...(/^\d(\.\d)?$/.test(radius) && Number(radius) <= FARTHEST && { radius: Number(radius) }),
  };
}
