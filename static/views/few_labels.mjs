// The page "Few labels", where a visitor names drawings: one after the other is shown, by a button or a key it gets its
// name. The answers are kept here, and at each change the whole list of them is said: no message depends on one before it,
// and none waits for the server's answer to another.

import { say, told } from "../host.mjs";
import { button, element, pixelsOf, styleSheet, write } from "../parts/controls.mjs";
import { announcer, digitCanvas, paint } from "../parts/paint.mjs";

const UNKNOWN = "x"; // in place of a label: nobody could tell
const TYPED = "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable=true]";

/**
 * name: the model that has drawn; asked: training codes in the order in which they are asked about, by number, each with
 * its drawing; hand: the answers that the page opens with, as the link holds them.
 * @typedef {{name: string, classes: string[], asked: {i: number, pixels: string}[], hand: string}} Options
 * @typedef {{hand: string}} Message every answer in its order, as the link holds them: "12:4~77:x"
 * @typedef {import("../host.mjs").Component<Options, Message>} Component
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new FewLabels(root, component);
  await view.build();
  return view;
}

class FewLabels {
  gone = false;
  /** @type {{i: number, pixels: string} | undefined} what is asked about; nothing where all have been seen */
  asked;
  /** @type {(text: string) => void} for a screen reader */
  speak = () => {};

  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    /** @type {[number, string][]} code and label, the latest last */
    this.hand = [];
    for (const pair of this.options.hand.split("~").filter(Boolean)) {
      const [i, label] = pair.split(":");
      if (label === UNKNOWN || Number(label) < this.options.classes.length) this.hand.push([Number(i), label]); // links get cut
    }
    this.canvas = digitCanvas({ label: "Which digit is this?" });
    this.canvas.style.cssText = ""; // the sheet frames it
    this.caption = element("figcaption");
    this.words = element("p", { className: "words" });
    this.digits = this.options.classes.map((name, label) => button(name, () => this.#answer(String(label))));
    this.unsure = button("I cannot tell", () => this.#answer(UNKNOWN));
    this.back = button("Take back", () => this.#change(this.hand.slice(0, -1)), "Backspace");
    this.over = button("Start over", () => this.#change([]));
    this.onKey = (e) => this.#press(e);
  }

  async build() {
    const style = await styleSheet(this.root);
    if (this.gone) return;
    const picture = element("figure", { className: "tile" }, this.canvas, this.caption);
    const view = element("div", { className: "view asking" }, picture, element("div", {}, this.words,
      element("div", { className: "bar digits" }, ...this.digits),
      element("div", { className: "bar" }, this.unsure, this.back, this.over)));
    (this.root.querySelector("div") ?? this.root).replaceChildren(style, view);
    this.speak = announcer(view);
    document.addEventListener("keydown", this.onKey);
    this.#show();
  }

  /** Another model may ask about other codes; the answers stay as they are here. @param {Component} component */
  update(component) {
    this.component = component;
    this.options = told(component);
    this.#show();
  }

  destroy() {
    this.gone = true;
    document.removeEventListener("keydown", this.onKey);
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** @param {string} label */
  #answer(label) {
    if (this.asked) this.#change([...this.hand, [this.asked.i, label]]);
  }

  /** @param {[number, string][]} hand */
  #change(hand) {
    this.hand = hand;
    this.#show();
    say(this.component, { hand: hand.map((pair) => pair.join(":")).join("~") });
    this.speak(this.words.textContent);
  }

  /** @param {KeyboardEvent} e */
  #press(e) {
    const at = /** @type {Element} */ (e.composedPath()[0]);
    if (e.repeat || e.ctrlKey || e.metaKey || e.altKey || at.matches?.(TYPED)) return;
    const pressed = e.key === "Backspace" ? this.back : this.digits[/^[0-9]$/.test(e.key) ? Number(e.key) : -1];
    if (!pressed) return;
    e.preventDefault();
    pressed.click(); // a button that is disabled does nothing
  }

  // What is seen -------------------------------------------------------------------------------------------------------

  #show() {
    const { asked, name } = this.options;
    const seen = new Set(this.hand.map(([i]) => i));
    const named = this.hand.filter(([, label]) => label !== UNKNOWN).length;
    this.asked = asked.find(({ i }) => !seen.has(i));
    paint(this.canvas, this.asked ? pixelsOf(this.asked) : null);
    write(this.caption, this.asked ? "Which digit is this?" : "");
    const before = named ? `${named} ${named === 1 ? "digit" : "digits"} named by you.` : "Label them yourself.";
    const after = !this.asked ? " You have seen all that are asked about."
      : named ? " What is this one?"
        : ` The ${name} has drawn this from one of its training codes. Say what it is: press a button or the same key. ` +
          "The codes are chosen to lie far apart, each among many others.";
    this.words.replaceChildren(element("b", { textContent: before }), after);
    for (const made of [...this.digits, this.unsure]) made.disabled = !this.asked;
    for (const made of [this.back, this.over]) made.disabled = !this.hand.length;
  }
}
