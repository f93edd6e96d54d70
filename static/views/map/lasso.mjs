// The Map's lasso: a loop that a finger or the mouse draws on one of the maps, or a box between two corners that keys
// mark. The loop that counts is the one that a link can say: few corners, rounded.

import { button, numbersOf, press, toLink } from "../../parts/controls.mjs";
import { simpler } from "../../maths/loop.mjs";

const CORNERS = 24; // of a loop at most
const APART = 3; // CSS pixels between two places of the hand, at least
const LONGEST = 2000; // places of one drag

/** @typedef {{side: "left" | "right", corners: number[][]}} Loop corners in units of that side's map */

export class Lasso {
  /** @param {any} view the page's, with its `sides` and `say` @param {(loop: Loop | null) => void} change */
  constructor(view, change) {
    this.view = view;
    this.change = change;
    this.on = false; // a drag draws a loop
    /** @type {Loop | null} */
    this.loop = null;
    /** @type {Loop | null} */
    this.path = null; // what the hand is drawing
    /** @type {{side: "left" | "right", z: number[]} | null} */
    this.corner = null; // the first one of a box
    this.button = button("Lasso", () => this.turn(!this.on), "Draw a loop round some dots and see what you have caught. " +
      "With the mouse also: a drag with the Shift key");
    press(this.button, false);
  }

  /** A map on which it draws. */
  attach(side) {
    const { plane } = side;
    plane.drawsLine = (event) => this.on || (event.shiftKey && event.pointerType === "mouse");
    plane.onLine = (z, phase) => this.#draw(side, z, phase);
    plane.onMark = (z) => this.on && this.#mark(side, z);
    plane.layers.push((ctx) => this.#paint(ctx, side));
  }

  /** @param {boolean} on @param {Loop | null} loop */
  turn(on, loop = null) {
    this.on = on;
    press(this.button, on);
    this.#set(loop);
  }

  /** The loop goes; without one the lasso is put away. */
  escape() {
    if (this.loop || this.path || this.corner) this.#set(null);
    else this.turn(false);
  }

  /** As it stands in a link; null where the lasso is put away. */
  get text() {
    if (!this.on) return null;
    return this.loop ? `${this.loop.side},${toLink(this.loop.corners.flat(), 6)}` : "on";
  }

  #set(loop) {
    this.loop = loop;
    this.path = this.corner = null;
    this.change(loop);
  }

  /** A loop that the hand has closed, as a link says it. */
  #close({ side, plane }, corners) {
    const digits = Math.min(6, Math.max(0, 3 - Math.floor(Math.log10(plane.span))));
    const rounded = simpler(corners, CORNERS).map((corner) => corner.map((v) => Number(v.toFixed(digits))));
    this.turn(true, { side, corners: rounded });
  }

  #draw({ name: side, plane }, z, phase) {
    if (phase === "begin") this.path = { side, corners: [z] };
    else if (phase === "on" && this.path?.corners.length < LONGEST) {
      const [[x, y], [u, v]] = [z, this.path.corners.at(-1)].map((at) => plane.toScreen(at));
      if (Math.hypot(x - u, y - v) >= APART) this.path.corners.push(z);
    } else if (phase === "end" && this.path?.corners.length > 2) this.#close({ side, plane }, this.path.corners);
    else if (phase !== "on") this.path = null;
    plane.request();
  }

  #mark({ name: side, plane }, z) {
    const { corner } = this;
    if (corner?.side === side && corner.z[0] !== z[0] && corner.z[1] !== z[1]) {
      this.#close({ side, plane }, box(corner.z, z));
    } else {
      this.corner = { side, z };
      this.view.say("A corner of a box. Arrow keys stretch it, Enter catches what lies in it.");
    }
    plane.request();
    return true;
  }

  #paint(ctx, { name, plane }) {
    const drawing = this.path?.side === name ? this.path.corners : null;
    const stretched = this.corner?.side === name && plane.cursor ? box(this.corner.z, plane.cursor) : null;
    const corners = drawing ?? stretched ?? (this.loop?.side === name ? this.loop.corners : null);
    if (!corners) return;
    ctx.save();
    ctx.beginPath();
    corners.forEach((corner, k) => ctx[k ? "lineTo" : "moveTo"](...plane.toScreen(corner)));
    ctx.closePath();
    ctx.fillStyle = plane.theme.accent;
    ctx.globalAlpha = 0.08;
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.lineJoin = "round";
    for (const [width, colour] of [[4.5, plane.theme.background], [2, plane.theme.accent]]) {
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    ctx.restore();
  }
}

/** The box between two opposite corners. @param {number[]} a @param {number[]} b */
const box = ([x0, y0], [x1, y1]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];

/** "on" or "left,x₁,y₁,x₂,y₂,…" of a link → {on, loop}; null for another text. @param {string | null} text */
export function parseLasso(text) {
  if (text === "on") return { on: true, loop: null };
  const [, side, rest] = /^(left|right),([\d.,-]{1,1000})$/.exec(text ?? "") ?? [];
  const count = (rest ?? "").split(",").length;
  const values = count % 2 || count < 6 || count > 2 * CORNERS ? null : numbersOf(rest, count, 1e6);
  if (!values) return null;
  const corners = Array.from({ length: count / 2 }, (_, k) => [values[2 * k], values[2 * k + 1]]);
  return { on: true, loop: { side: /** @type {"left" | "right"} */ (side), corners } };
}
