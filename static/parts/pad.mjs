// The drawing pad: mouse, touch, pen or keyboard → strokes → ink → the 784 pixels that the networks know.
//
// Ink is a raster of SIZE × SIZE; what the visitor sees is drawn by the browser's own lines, so that it is crisp at any
// size. A picture (a sample, a photograph, a link) lies below the strokes as 28 × 28 pixels and can be drawn on.

import { SIDE, drawSegment, place, shrink } from "../maths/digit.mjs";
import { digitCanvas, paint } from "./paint.mjs";

export const SIZE = 140; // five units a pixel of MNIST
const CELL = SIZE / SIDE;
export const BRUSH = { least: 4, normal: 8, most: 14 }; // radius; 8 is MNIST's weight for a digit of 100 units
const MEMORY = 100; // steps that undo knows
const LABEL = "Drawing pad. Arrow keys move the pen, space puts it down and lifts it, Delete clears, Control Z takes back.";

/**
 * @typedef {{radius: number, points: number[]}} Stroke points: x₀, y₀, x₁, y₁, … in units of the pad
 * @typedef {{picture: Float32Array | null, strokes: Stroke[], example: boolean, [from: string]: any}} State
 */

export class Pad {
  /** change(): there is new ink, or less; begin(): the visitor starts another drawing, by a stroke, undo or clear;
   * release(): the hand let go; say(text).
   * @param {HTMLElement} host
   * @param {{change(): void, begin(): void, release(): void, say(text: string): void}} heard */
  constructor(host, { change, begin, release, say }) {
    this.host = host;
    this.change = change;
    this.begin = begin;
    this.release = release;
    this.say = say;
    this.ink = new Float32Array(SIZE * SIZE);
    this.radius = BRUSH.normal;
    /** @type {State} */
    this.state = { picture: null, strokes: [], example: false }; // never changed while it is in the history
    this.history = []; // states before this one
    /** @type {Stroke | null} */
    this.stroke = null; // the one in hand
    this.running = null; // the replay that plays: another object each time
    this.pen = [SIZE / 2, SIZE / 2]; // of the keyboard
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application"); // arrow keys are the pad's, not the screen reader's
    this.canvas.setAttribute("aria-label", LABEL);
    this.cursor = document.createElement("i");
    this.cursor.className = "pen";
    this.cursor.hidden = true;
    this.small = digitCanvas({ label: "" });
    host.append(this.canvas, this.cursor);
    this.ctx = this.canvas.getContext("2d");
    this.#listen();
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(host);
    this.#resize();
  }

  destroy() {
    this.observer.disconnect();
    this.stop();
  }

  // What is drawn ------------------------------------------------------------------------------------------------------

  get empty() {
    return !this.state.picture && !this.state.strokes.length && !this.stroke;
  }

  /** The drawing as 784 grey pixels; centred as MNIST's are, or where it was drawn.
   * @param {boolean} centred @param {Float32Array} out */
  pixels(centred, out) {
    const { picture, strokes } = this.state;
    if (picture && !strokes.length && !this.stroke) out.set(picture); // it is in this form already
    else if (centred) place(this.ink, SIZE, out);
    else shrink(this.ink, SIZE, out);
    return out;
  }

  /** Put strokes (each {radius, points: [x0, y0, …]}) or a picture of 784 pixels on the pad in place of what is there.
   * An example gives way to the visitor's first stroke; everything else can be drawn on. What else is named, such as
   * where a picture is from, stays with it in the history.
   * @param {Partial<State>} drawing */
  show({ picture = null, strokes = [], example = false, ...from }, remember = true) {
    this.stop();
    if (remember) this.#remember();
    this.state = { picture, strokes, example, ...from };
    this.#redraw();
    this.change();
  }

  clear() {
    if (this.empty) return;
    this.begin();
    this.show({});
    this.say("The pad is empty.");
    this.release();
  }

  undo() {
    this.stop();
    if (!this.history.length) return;
    this.begin();
    this.state = this.history.pop();
    this.#redraw();
    this.change();
    this.release();
  }

  /** Play strokes as a hand would draw them, in about `seconds`; any touch ends it. Resolves when it is over.
   * @param {Stroke[]} strokes @param {number} seconds @param {boolean} still */
  async replay(strokes, seconds, still = false) {
    this.show({ example: true });
    if (still) { // whoever wants no motion sees the end
      this.show({ strokes, example: true }, false);
      this.release();
      return;
    }
    const total = strokes.reduce((sum, s) => sum + s.points.length / 2, 0);
    const pace = (1000 * seconds) / total; // milliseconds a point
    const run = (this.running = {});
    for (const { radius, points } of strokes) {
      this.#startStroke(points[0], points[1], radius);
      const start = await frame();
      let i = 2;
      while (i < points.length) {
        const now = await frame();
        if (this.running !== run) return;
        const until = Math.min(points.length, 2 * Math.ceil((now - start) / pace));
        for (; i < until; i += 2) this.#extend(points[i], points[i + 1]);
        this.change();
      }
      this.#endStroke();
    }
    this.running = null;
    this.release();
  }

  /** End a replay where it is. */
  stop() {
    this.running = null;
    if (this.stroke) this.#endStroke();
  }

  // Strokes ------------------------------------------------------------------------------------------------------------

  #remember() {
    this.history.push(this.state);
    if (this.history.length > MEMORY) this.history.shift();
  }

  #startStroke(x, y, radius) {
    this.stroke = { radius, points: [x, y] };
    this.#segment(x, y, x, y, radius);
  }

  #extend(x, y) {
    const { points, radius } = this.stroke;
    const [x0, y0] = [points.at(-2), points.at(-1)];
    if (Math.hypot(x - x0, y - y0) < 0.4) return; // a hand that rests
    points.push(x, y);
    this.#segment(x0, y0, x, y, radius);
  }

  #endStroke() {
    this.state = { ...this.state, strokes: [...this.state.strokes, this.stroke] };
    this.stroke = null;
  }

  /** One piece of a stroke, on the raster and on the screen. */
  #segment(x0, y0, x1, y1, radius) {
    drawSegment(this.ink, SIZE, x0, y0, x1, y1, radius);
    const { ctx } = this;
    ctx.lineWidth = 2 * radius;
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1 + (x0 === x1 && y0 === y1 ? 1e-3 : 0)); // a line of no length would not be drawn
    ctx.stroke();
  }

  #redraw() {
    const { ctx, ink, state } = this;
    const k = this.canvas.width / SIZE;
    ctx.setTransform(k, 0, 0, k, 0, 0);
    ctx.lineCap = ctx.lineJoin = "round";
    ctx.strokeStyle = "#fff";
    ctx.fillStyle = "#08090b";
    ctx.fillRect(0, 0, SIZE, SIZE);
    ink.fill(0);
    if (state.picture) {
      for (let i = 0; i < ink.length; i++) {
        const row = Math.floor(i / SIZE / CELL);
        ink[i] = state.picture[row * SIDE + Math.floor((i % SIZE) / CELL)];
      }
      paint(this.small, state.picture);
      ctx.imageSmoothingEnabled = false;
      ctx.globalCompositeOperation = "lighten"; // the pad is not quite black
      ctx.drawImage(this.small, 0, 0, SIZE, SIZE);
      ctx.globalCompositeOperation = "source-over";
    }
    for (const { radius, points } of this.stroke ? [...state.strokes, this.stroke] : state.strokes) {
      for (let i = 0; i < Math.max(1, points.length - 2); i += 2) {
        const j = Math.min(i + 2, points.length - 2);
        this.#segment(points[i], points[i + 1], points[j], points[j + 1], radius);
      }
    }
  }

  #resize() {
    const side = Math.round(this.host.clientWidth * Math.min(devicePixelRatio || 1, 2));
    if (!side || (side === this.canvas.width && side === this.canvas.height)) return; // a new canvas is 300 × 150
    this.canvas.width = this.canvas.height = side;
    this.#redraw();
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** A stroke of the visitor begins: an example makes room. */
  #take(x, y) {
    this.stop();
    this.#remember();
    if (this.state.example) {
      this.state = { picture: null, strokes: [], example: false };
      this.#redraw();
    }
    this.begin();
    this.#startStroke(x, y, this.radius);
    this.change();
  }

  #listen() {
    const { canvas } = this;
    const at = (e, box) => [((e.clientX - box.left) * SIZE) / box.width, ((e.clientY - box.top) * SIZE) / box.height];
    let box = null;
    let pointer = null;
    canvas.onpointerdown = (e) => {
      if (e.button > 0 || pointer !== null) return; // a second finger draws nothing
      pointer = e.pointerId;
      try {
        canvas.setPointerCapture(pointer); // the stroke goes on outside the pad
      } catch { /* the pointer is gone already */ }
      box = canvas.getBoundingClientRect();
      this.cursor.hidden = true;
      this.#take(...at(e, box));
    };
    canvas.onpointermove = (e) => {
      if (e.pointerId !== pointer || !this.stroke) return;
      // Browsers bundle what the hand did between two frames; without it fast strokes have corners.
      for (const step of e.getCoalescedEvents?.() ?? []) this.#extend(...at(step, box));
      this.#extend(...at(e, box));
      this.change();
    };
    canvas.onpointerup = canvas.onpointercancel = (e) => {
      if (e.pointerId !== pointer) return;
      pointer = null;
      if (!this.stroke) return;
      this.#endStroke();
      this.change();
      this.release();
    };
    canvas.onkeydown = (e) => this.#key(e);
    canvas.onblur = () => {
      this.cursor.hidden = true;
      if (pointer === null) this.#lift();
    };
  }

  #lift() {
    if (!this.stroke || this.running) return;
    this.#endStroke();
    this.change();
    this.release();
  }

  #key(e) {
    const step = e.shiftKey ? 4 * CELL : CELL;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "z") this.undo();
    else if (e.ctrlKey || e.metaKey || e.altKey) return;
    else if (e.key in moves) {
      this.pen = this.pen.map((v, i) => Math.min(SIZE - CELL, Math.max(CELL, v + moves[e.key][i])));
      if (this.stroke && !this.running) {
        this.#extend(...this.pen);
        this.change();
      }
    } else if (e.key === " " || e.key === "Enter") {
      if (e.repeat) { /* a key held down is one press */ }
      else if (this.stroke && !this.running) {
        this.#lift();
        this.say("Pen up.");
      } else {
        this.#take(...this.pen);
        this.say("Pen down.");
      }
    } else if (e.key === "Delete" || e.key === "Backspace") this.clear();
    else if (e.key === "Escape") this.#lift();
    else return;
    e.preventDefault();
    e.stopPropagation(); // Streamlit has keys of its own
    this.cursor.hidden = false;
    this.cursor.classList.toggle("down", Boolean(this.stroke));
    this.cursor.style.left = `${(100 * this.pen[0]) / SIZE}%`;
    this.cursor.style.top = `${(100 * this.pen[1]) / SIZE}%`;
  }
}

const frame = () => new Promise(requestAnimationFrame);
