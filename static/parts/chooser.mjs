// A picture of one's own on every page but the Studio, which has its pad: chosen as a file, dropped, or photographed.
// The browser makes it small; Python takes the digit out of it and closes the box, or says what is wrong with it here.

import { call, told } from "../host.mjs";
import { packed, short } from "./bring.mjs";
import { offered, photograph } from "./camera.mjs";
import { button, element } from "./controls.mjs";

const STYLE = `
:host { display: block; }
.chooser { font-family: var(--st-font); font-size: 14px; line-height: 1.4; color: var(--st-text-color); width: 270px;
  max-width: 100%; }
.chooser p { margin: 0 0 10px; }
.chooser .drop { position: relative; display: grid; gap: 8px; justify-items: stretch; padding: 14px; border-radius: 8px;
  border: 1px dashed var(--st-border-color); background: var(--st-secondary-background-color); text-align: center; }
.chooser .drop.over { border: 1px solid var(--st-primary-color); }
.chooser button { font: inherit; color: inherit; min-height: 36px; border-radius: 8px; padding: 0 12px; cursor: pointer;
  background: var(--st-background-color); border: 1px solid var(--st-border-color); }
.chooser button:hover:not(:disabled) { border-color: var(--st-primary-color); }
.chooser button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.chooser [hidden] { display: none; }
@media (pointer: coarse) { .chooser .or { display: none; } } /* a finger drops nothing */
.chooser .note { margin: 10px 0 0; min-height: 1.4em; }
.chooser .camera { display: grid; gap: 8px; }
.chooser .camera video { width: 100%; border-radius: 6px; background: #000; }
.chooser .camera p { margin: 0; }
.chooser .camera .row { display: flex; flex-wrap: wrap; gap: 8px; justify-content: center; }`;

/**
 * @typedef {{open: boolean, refused: {id: number, sentence: string} | null}} Options refused: what was wrong with a picture
 * @typedef {{picture: string, name: string, id: number}} Message picture: a file as base64; id: of this sending
 * @typedef {import("../host.mjs").Component<Options, Message>} Component
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export function mount(root, component) {
  return new Chooser(root, component);
}

class Chooser {
  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.component = component;
    this.awaited = null; // the picture that Python is asked about; an older answer is none to it
    /** @type {Message | null} */
    this.packed = null; // the message of a picture that came before Python knew that the box is open
    /** @type {AbortController | null} */
    this.watching = null; // ends the camera
    this.input = element("input", { type: "file", accept: "image/*,.heic,.heif", hidden: true, onchange: () => this.#chosen() });
    this.file = button("Choose a file", () => this.input.click());
    this.webcam = button("Use the camera", () => this.#photograph());
    this.webcam.hidden = !offered();
    this.or = element("span", { className: "or" }, "or drop it here");
    this.drop = element("div", { className: "drop" }, this.file, this.or, this.webcam, this.input);
    this.drop.ondragover = (e) => this.#over(e, true);
    this.drop.ondragleave = (e) => this.#over(e, false);
    this.drop.ondrop = (e) => {
      this.#over(e, false);
      if (e.dataTransfer.files[0]) this.#bring(e.dataTransfer.files[0]);
    };
    this.note = element("p", { className: "note" });
    this.note.setAttribute("role", "status");
    const what = element("p", {}, "A picture of one digit, written large and dark on light paper");
    const box = element("div", { className: "chooser" }, what, this.drop, this.note);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Bring a picture");
    root.replaceChildren(element("style", { textContent: STYLE }), box);
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const { refused } = told(component);
    if (refused && refused.id === this.awaited) this.#rest(refused.sentence);
    this.#send();
  }

  destroy() {
    this.watching?.abort();
  }

  #over(event, on) {
    event.preventDefault();
    this.drop.classList.toggle("over", on);
  }

  #chosen() {
    const [file] = this.input.files;
    this.input.value = ""; // the same file may come again
    if (file) this.#bring(file);
  }

  async #bring(file) {
    this.watching?.abort();
    const id = (this.awaited = Date.now());
    this.packed = null;
    this.drop.setAttribute("aria-busy", "true");
    this.note.textContent = "Reading the picture …";
    const { picture, error } = await packed(file);
    if (id !== this.awaited) return;
    if (error) return this.#rest(error);
    this.packed = { picture, name: short(file.name), id };
    this.#send();
  }

  async #photograph() {
    const { signal } = (this.watching = new AbortController());
    for (const part of [this.file, this.or, this.webcam]) part.hidden = true;
    const { file, error } = await photograph(this.drop, signal);
    for (const part of [this.file, this.or, this.webcam]) part.hidden = false;
    if (signal.aborted) return;
    this.webcam.focus();
    if (file) this.#bring(file);
    else this.note.textContent = error ?? "";
  }

  /** Streamlit closes a box only where its last run has drawn it as open; until then the picture waits. */
  #send() {
    if (!this.packed || !told(this.component).open) return;
    call(this.component, this.packed);
    this.packed = null;
  }

  /** Nothing is awaited any more: another picture may come, and what was wrong with this one stands beside it. */
  #rest(sentence) {
    this.awaited = null;
    this.drop.removeAttribute("aria-busy");
    this.note.textContent = sentence;
    this.file.focus();
  }
}
