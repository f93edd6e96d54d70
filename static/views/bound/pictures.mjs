// Three pictures of one digit under a q: as the likelihood sees it, as the model draws it at μ, and what each pixel costs.

import { PIXELS } from "../../engine/engine.mjs";
import { SIDE } from "../../maths/digit.mjs";
import { element, write } from "../../parts/controls.mjs";
import { digitCanvas, paint } from "../../parts/paint.mjs";
import { nats } from "./account.mjs";

const FIRE = [[8, 9, 11], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // dark to light, on its own ground

export class Pictures {
  constructor() {
    this.digit = tile("Digit x", "The digit as the likelihood sees it");
    this.drawn = tile("Drawn at μ", "What the model draws at the mean of q");
    this.cost = tile("Its cost", "Where the nats go: −log p of each pixel at the mean of q");
    this.box = element("div", { className: "tiles" }, this.digit.figure, this.drawn.figure, this.cost.figure);
    this.drawn.note.textContent = "mean of p(x | μ)";
    const strip = element("span", { className: "strip" });
    strip.style.background = `linear-gradient(to right, ${FIRE.map((c) => `rgb(${c})`).join(", ")})`;
    this.dearest = element("span");
    this.cost.note.append("0", strip, this.dearest);
    this.context = this.cost.canvas.getContext("2d");
    this.image = this.context.createImageData(SIDE, SIDE);
  }

  /**
   * @param {Float32Array} x as the likelihood sees it
   * @param {import("../../maths/bound.mjs").Bound} bound after it was asked for q
   * @param {number} atMean nats of all pixels together
   */
  show(x, bound, atMean) {
    paint(this.digit.canvas, x);
    write(this.digit.note, bound.model.binary ? "binarised" : "grey");
    paint(this.drawn.canvas, bound.pixels);
    const { cost } = bound;
    const { data } = this.image;
    const top = Math.max(...cost, 1e-6);
    const ends = FIRE.length - 1;
    for (let i = 0; i < PIXELS; i++) {
      const at = Math.max(0, Math.min(1, cost[i] / top)) * ends;
      const k = Math.min(ends - 1, Math.floor(at));
      for (let c = 0; c < 3; c++) data[4 * i + c] = FIRE[k][c] + (at - k) * (FIRE[k + 1][c] - FIRE[k][c]);
      data[4 * i + 3] = 255;
    }
    this.context.putImageData(this.image, 0, 0);
    write(this.dearest, `${top.toFixed(1)} nats`);
    this.cost.canvas.title = `All pixels together: ${nats(atMean)} nats; the dearest one ${top.toFixed(2)}`;
  }
}

function tile(name, label) {
  const canvas = digitCanvas({ label });
  canvas.style.cssText = ""; // the sheet frames it
  const note = element("small", { className: "quiet" });
  const figure = element("figure", { className: "tile" }, canvas,
    element("figcaption", {}, element("b", { textContent: name })), note);
  return { canvas, note, figure };
}
