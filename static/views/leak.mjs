// The part "Leak" of Styles: the digit under every label at once. A swap, where only the decoder is told another label:
// does the old one still show? And a wrong hypothesis, where both are: how far does the ELBO fall? Python hears nothing.

import { told } from "../host.mjs";
import { PIXELS } from "../engine/engine.mjs";
import { Random } from "../engine/random.mjs";
import * as registry from "../engine/registry.mjs";
import { arrivals } from "../parts/coming.mjs";
import { called, element, pixelsOf, styleSheet, write } from "../parts/controls.mjs";
import { announcer, digitCanvas, paint } from "../parts/paint.mjs";

const DRAWS = 50; // of ε behind each ELBO, the same for all labels

/**
 * digit: what is shown, with the label that the encoder is told; judged: whether the judge knows such pictures.
 * @typedef {{title: string, name: string, network: registry.Network, digit: import("../parts/controls.mjs").Digit,
 *   judged: boolean}} About
 * @typedef {{models: About[], judge: {weights: string, threshold: number} | null}} Options
 * @typedef {import("../host.mjs").Component<Options, never>} Component
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new Leak(root, component);
  await view.build();
  view.started = view.start();
  return view;
}

/** A line of drawings, one a label. */
class Row {
  /** @param {About} about @param {string} each what is drawn, before its label in words for a screen reader */
  constructor({ network: { classes, colours } }, each) {
    this.head = element("p", { className: "quiet" });
    this.tiles = classes.map((name, y) => {
      const canvas = digitCanvas({ label: `${each} ${name}` });
      canvas.style.cssText = ""; // the sheet frames it
      const note = element("small", { className: "quiet" });
      const figure = element("figure", { className: "tile" }, canvas,
        element("figcaption", {}, element("b", { textContent: name }), " ", note));
      figure.style.setProperty("--edge", colours[y]);
      return { canvas, note, figure };
    });
    this.box = element("div", { className: "all" }, ...this.tiles.map(({ figure }) => figure));
  }

  /** @param {Float32Array} pixels K × 784 @param {string[]} notes */
  show(pixels, notes) {
    this.tiles.forEach(({ canvas, note }, y) => {
      paint(canvas, pixels.subarray(y * PIXELS, (y + 1) * PIXELS));
      write(note, notes[y]);
    });
  }
}

/** One model, and what it makes of the digit. */
class Account {
  /** @type {import("../engine/engine.mjs").Model | null} */
  model = null;
  /** @type {Float64Array} of the digit under each label, nats */
  elbos = new Float64Array();
  /** @type {Float32Array} ε behind them, DRAWS × D */
  eps = new Float32Array();

  /** @param {About} about */
  constructor(about) {
    this.about = about;
    this.swap = new Row(about, "With only the decoder told it is");
    this.wrong = new Row(about, "With encoder and decoder told it is");
    this.note = element("p", { className: "note" });
    this.box = element("section", {}, element("h3", { textContent: about.title }),
      this.swap.head, this.swap.box, this.wrong.head, this.wrong.box, this.note);
  }

  /** @param {import("../engine/judge.mjs").Judge | null} judge */
  show(judge) {
    const { model, about: { digit, network: { classes }, judged } } = this;
    const own = digit.label;
    const labels = Uint8Array.from({ length: model.nClasses }, (_, y) => y);
    const x = model.observe(pixelsOf(digit));
    const part = (pixels, y) => pixels.subarray(y * PIXELS, (y + 1) * PIXELS);

    const swapped = model.decode(model.encode(x, own).mean, labels);
    const seen = judge && judged ? Array.from(labels, (y) => saw(judge, part(swapped, y))) : null;
    write(this.swap.head, `Swap: the encoder is told it is ${called(classes[own])}, the decoder that it is …`);
    this.swap.show(swapped, Array.from(labels, (y) => (y === own ? "its label" : seen ? `seen: ${seen[y] === null ? "none" : classes[seen[y]]}` : "")));

    this.eps = new Random(0).normals(new Float32Array(DRAWS * model.latentDim));
    this.elbos = model.elbo(x, labels, this.eps);
    const behind = Array.from(this.elbos, (elbo) => elbo - this.elbos[own]);
    write(this.wrong.head, "Wrong hypothesis: both are told that it is … Below, how far the ELBO falls, in nats.");
    this.wrong.show(model.decode(model.encode(x, labels).mean, labels),
      behind.map((fall, y) => (y === own ? "its label" : `${fall < 0 ? "−" : "+"}${Math.abs(fall).toFixed(1)}`)));

    const best = behind.reduce((at, fall, y) => (y !== own && (at === own || fall > behind[at]) ? y : at), own);
    const gap = behind[best];
    const others = Array.from(labels).filter((y) => y !== own);
    const share = (/** @type {(y: number) => boolean} */ fits) => `${others.filter(fits).length} of ${others.length}`;
    write(this.note, [
      seen && `The judge sees the label asked for in ${share((y) => seen[y] === y)} swapped drawings, and still ` +
        `${called(classes[own])} in ${share((y) => seen[y] === own)}.`,
      `As ${called(classes[own])} the digit has an ELBO of ${this.elbos[own] < 0 ? "−" : ""}${Math.abs(this.elbos[own]).toFixed(1)} nats;`,
      gap < 0 ? `the best wrong label, ${classes[best]}, costs ${(-gap).toFixed(1)} more.`
        : `as ${called(classes[best])} it is ${gap.toFixed(1)} better off: by the ELBO it is no ${classes[own]}.`,
    ].filter(Boolean).join(" "));
  }
}

/** What the judge sees in a picture: a class, or null where it is no digit. @param {import("../engine/judge.mjs").Judge} judge
 * @param {Float32Array} pixels */
function saw(judge, pixels) {
  if (judge.margin(pixels) < 0) return null;
  return judge.logits(pixels).subarray(0, 10).reduce((best, v, y, all) => (v > all[best] ? y : best), 0);
}

class Leak {
  gone = false;
  /** @type {Promise<void> | null} ends when every network has come or failed */
  started = null;
  /** @type {import("../engine/judge.mjs").Judge | null} */
  judge = null;
  /** @type {(text: string) => void} for a screen reader */
  say = () => {};

  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.options = told(component);
    this.accounts = this.options.models.map((about) => new Account(about));
    /** @type {any} */ (root.host ?? root).leak = this; // for tests and measurements
  }

  async build() {
    const style = await styleSheet(this.root);
    if (this.gone) return;
    const box = element("div", { className: "view relabelled" }, ...this.accounts.map(({ box }) => box));
    this.root.replaceChildren(style, box);
    this.say = announcer(box);
  }

  /** The networks, one after the other: each draws as soon as it is there; then the judge. */
  async start() {
    await arrivals(this.options.models.map(({ network }) => network), {
      load: registry.model,
      here: (i, model) => {
        if (this.gone) return;
        this.accounts[i].model = model;
        this.accounts[i].show(null);
      },
      coming: (i, words) => {
        if (!this.accounts[i].model) write(this.accounts[i].note, `on its way: ${words}`);
      },
      failed: (i, error) => {
        if (error.name !== "EngineError") throw error;
        write(this.accounts[i].note, error.message);
        console.warn(error.message);
      },
    });
    const { judge } = this.options;
    if (this.gone || !judge || !this.options.models.some(({ judged }) => judged)) return;
    try {
      this.judge = await registry.judge(judge);
      this.#show();
    } catch (error) {
      if (error.name !== "EngineError") throw error;
      console.warn(error.message); // the drawings stand without what it sees in them
    }
  }

  /** Another digit may have come, or what it is told may be another. @param {Component} component */
  update(component) {
    const before = this.options.models;
    this.options = told(component);
    if (this.options.models.map(({ name }) => name).join() !== before.map(({ name }) => name).join()) {
      this.accounts = this.options.models.map((about) => new Account(about));
      this.root.querySelector(".view").replaceChildren(...this.accounts.map(({ box }) => box));
      this.say = announcer(this.root.querySelector(".view"));
      this.started = this.start();
      return;
    }
    this.accounts.forEach((account, i) => (account.about = this.options.models[i]));
    if (this.options.models.some(({ digit }, i) => digit.id !== before[i].digit.id)) this.#show();
  }

  destroy() {
    this.gone = true;
  }

  #show() {
    if (this.gone) return;
    const there = this.accounts.filter(({ model }) => model);
    for (const account of there) account.show(this.judge);
    this.say(there.map(({ about, note }) => `${about.name}. ${note.textContent}`).join(" "));
  }
}
