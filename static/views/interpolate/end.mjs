// One end of a walk: a small tile with Python's digit, or a pad on which the visitor draws it. Whatever is drawn is here
// first; Python hears of it as text when the hand lets go, and what it answers never changes the pad.

import { button, element, pixelsOf } from "../../parts/controls.mjs";
import { fromText, toText } from "../../maths/digit.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import { Pad } from "../../parts/pad.mjs";
import { digitCanvas, paint } from "../../parts/paint.mjs";

const kept = {}; // name → {text, state, history}: strokes outlive their view, since this module stays

/**
 * Python's word on an end. draw: on the pad; drawn: what it has read from there; sure: the visitor says the label.
 * @typedef {import("../../parts/controls.mjs").Digit & {draw: boolean, drawn: string | null, sure: boolean}} Option
 */

export class End {
  /** @type {Option} */
  option;
  /** @type {Pad | null} where the end is drawn, with its boxes */
  pad = null;
  host;
  hint;
  undo;
  clear;

  /**
   * change(): other ink; release(): the hand let go; say(text).
   * @param {"from" | "to"} name @param {{change(): void, release(): void, say(text: string): void}} heard
   */
  constructor(name, { change, release, say }) {
    this.name = name;
    this.change = change;
    this.release = release;
    this.say = say;
    this.pixels = new Float32Array(PIXELS);
    this.element = element("div", { className: "end" });
    this.tile = digitCanvas({ label: "" });
    this.tile.style.cssText = "";
    this.figure = element("figure", { className: "tile" }, this.tile);
  }

  /** @param {Option} option */
  take(option) {
    this.option = option;
    if (!option.draw) {
      this.#close();
      this.pixels.set(pixelsOf(option));
      paint(this.tile, this.pixels);
      this.tile.setAttribute("aria-label", `Walk ${this.name}: ${option.name}`);
      this.figure.style.setProperty("--edge", option.edge ?? "transparent");
      this.element.replaceChildren(this.figure);
      return;
    }
    if (!this.pad) this.#open();
    this.#see();
  }

  destroy() {
    this.#close();
  }

  /** What the visitor drew, as Python hears it: null where nothing is drawn yet, "" where the pad was cleared. */
  get text() {
    if (!this.pad || this.pad.state.example) return null;
    return this.blank ? "" : toText(this.pixels);
  }

  /** True where there is no digit to walk from or to. */
  get blank() {
    return !this.pixels.some((v) => v > 0);
  }

  /** True while the hand is drawing. */
  get busy() {
    return Boolean(this.pad?.stroke);
  }

  /** True where the drawing is newer than what Python has read. */
  get fresh() {
    return this.text !== null && this.text !== this.option.drawn;
  }

  /** What it shows, in words, where that is known. */
  get shows() {
    return this.fresh && !this.option.sure ? null : this.option.shows;
  }

  #open() {
    this.host = element("div", { className: "pad" });
    this.hint = element("span", { className: "hint" });
    const words = `the digit to walk ${this.name}`;
    this.undo = button("Undo", () => this.pad.undo());
    this.clear = button("Clear", () => this.pad.clear());
    this.undo.setAttribute("aria-label", `Undo, ${words}`);
    this.clear.setAttribute("aria-label", `Clear, ${words}`);
    this.element.replaceChildren(this.host, element("div", { className: "tools" }, this.undo, this.clear));
    this.pad = new Pad(this.host, {
      change: () => {
        this.#see();
        this.change();
      },
      begin: () => {},
      release: () => this.release(),
      say: this.say,
    });
    this.host.append(this.hint);
    this.pad.canvas.setAttribute("aria-label", `${this.pad.canvas.getAttribute("aria-label")} It is ${words}.`);
    const { drawn } = this.option;
    const before = kept[this.name]?.text === drawn && kept[this.name];
    if (before) this.pad.history = before.history;
    const picture = drawn ? fromText(drawn) : null;
    if (before) this.pad.show(before.state, false);
    else if (drawn === "") this.pad.show({}, false);
    else this.pad.show(picture ? { picture } : { picture: pixelsOf(this.option), example: true }, false);
  }

  #close() {
    if (!this.pad) return;
    if (this.text !== null) kept[this.name] = { text: this.text, state: this.pad.state, history: this.pad.history };
    this.pad.destroy();
    this.pad = null;
  }

  /** The pad as the models will see it: black and white, as a link can say it; an example stays as it is. */
  #see() {
    const { pad, pixels, hint } = this;
    if (!pad) return; // the pad's own first word, before it is in place
    pad.pixels(true, pixels);
    if (!pad.state.example) for (let i = 0; i < PIXELS; i++) pixels[i] = Number(pixels[i] >= 0.5);
    hint.textContent = pad.state.example ? "Draw your own" : "Draw here";
    hint.hidden = !pad.state.example && !pad.empty;
    this.clear.disabled = pad.empty;
    this.undo.disabled = !pad.history.length;
  }
}
