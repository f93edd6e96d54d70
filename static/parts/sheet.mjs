// A sheet of drawings, one picture that the server made (ui/parts/picture.py): what is pressed there becomes the digit of
// every page.

import { call, told } from "../host.mjs";
import { SIDE, toText } from "../maths/digit.mjs";
import { element, write } from "./controls.mjs";
import { announcer } from "./paint.mjs";

const BLANK = toText(new Float32Array(SIDE * SIDE));

/**
 * @typedef {{columns: number, rows: number}} Options
 * @typedef {{drawing: string}} Message
 * @typedef {import("../host.mjs").Component<Options, Message>} Component
 */

/** @param {import("../host.mjs").Root} root @param {Component} component */
export function mount(root, component) {
  return new Sheet(root, component);
}

class Sheet {
  at = 0; // the drawing under the hand, or that the arrow keys have reached

  /** @param {import("../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.component = component;
    this.options = told(component);
    this.image = root.querySelector("img");
    this.reading = root.querySelector(".reading");
    this.say = announcer(root.querySelector(".sheet"));
    const frame = this.frame = this.image.parentElement;
    frame.append(this.here = element("i", { className: "here", hidden: true }));
    frame.tabIndex = 0;
    frame.setAttribute("role", "application"); // arrow keys choose a drawing, and do not leave it
    frame.setAttribute("aria-label", `${this.image.alt}. Arrow keys choose a drawing, Enter takes it.`);
    frame.onpointermove = (e) => this.#point(e);
    frame.onpointerleave = () => (this.here.hidden = !frame.matches(":focus-visible"));
    frame.onfocus = () => this.#mark(!frame.matches(":focus-visible"));
    frame.onblur = () => (this.here.hidden = true);
    frame.onkeydown = (e) => this.#key(e);
    frame.onclick = (e) => {
      this.#point(e);
      this.#take();
    };
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
  }

  /** @param {MouseEvent} e */
  #point(e) {
    const { columns, rows } = this.options;
    const box = this.image.getBoundingClientRect();
    const cell = (share, n) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
    this.at = cell((e.clientY - box.top) / box.height, rows) * columns + cell((e.clientX - box.left) / box.width, columns);
    this.#mark();
  }

  /** @param {KeyboardEvent} e */
  #key(e) {
    const { columns, rows } = this.options;
    if (e.key === "Enter" || e.key === " ") {
      e.preventDefault();
      this.#take();
      return;
    }
    const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key] ?? [0, 0];
    if (!right && !down) return;
    e.preventDefault();
    const [x, y] = [(this.at % columns) + right, Math.floor(this.at / columns) + down];
    if (x < 0 || y < 0 || x === columns || y === rows) return;
    this.at = y * columns + x;
    this.#mark();
    this.say(`Row ${y + 1}, drawing ${x + 1}`);
  }

  #mark(hidden = false) {
    const { columns, rows } = this.options;
    const { style } = this.here;
    [style.width, style.height] = [`${100 / columns}%`, `${100 / rows}%`];
    [style.left, style.top] = [`${(100 * (this.at % columns)) / columns}%`, `${(100 * Math.floor(this.at / columns)) / rows}%`];
    this.here.hidden = hidden;
  }

  #take() {
    if (!this.image.naturalWidth) return; // not decoded yet
    const ctx = element("canvas", { width: SIDE, height: SIDE }).getContext("2d");
    const [x, y] = [this.at % this.options.columns, Math.floor(this.at / this.options.columns)];
    ctx.drawImage(this.image, -x * SIDE, -y * SIDE);
    const { data } = ctx.getImageData(0, 0, SIDE, SIDE);
    const drawing = toText(Float32Array.from({ length: SIDE * SIDE }, (_, i) => data[4 * i] / 255));
    const there = drawing !== BLANK;
    write(this.reading, there ? "This drawing is your digit now, on every page." : "Nothing is drawn there.");
    this.say(this.reading.textContent);
    if (there) call(this.component, { drawing });
  }
}
