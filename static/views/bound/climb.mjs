// The E-step: climbs of the ELBO from several starts, as a chart, and q that goes along one of them.

import { along, place } from "../../maths/bound.mjs";
import { button, element, press, write } from "../../parts/controls.mjs";
import { calm } from "../../parts/paint.mjs";
import { TICKS, nats } from "./account.mjs";

const PLAY = 4000; // milliseconds of a whole climb
// Climbs: colours that are no digit's, seen on both grounds, and dashes, so that colour is not the only cue.
const PATHS = [["#1f9e89", []], ["#7d6bf2", [7, 4]], ["#c77f0a", [2, 4]], ["#5c8a2f", [9, 3, 2, 3]],
  ["#b0568f", [12, 4]], ["#4f86a8", [4, 2, 1, 2]], ["#8c7a3d", [1, 3]], ["#6b6f76", [6, 6]]];

/** @returns {[string, number[]]} colour and dashes of a climb */
export const look = (k) => /** @type {[string, number[]]} */ (PATHS[k % PATHS.length]);

/**
 * @typedef {object} Path
 * @property {string} name such as "from the prior"
 * @property {number[][]} points [μ₁, μ₂, log σ₁², log σ₂², ELBO] of every step
 */

export class Climb {
  /**
   * @param {object} hand what the view does
   * @param {(q: import("../../maths/bound.mjs").Gaussian, step: number) => void} hand.go q onto a step
   * @param {() => void} hand.settle the hand has let go
   * @param {(end: import("../../maths/bound.mjs").Gaussian) => void} hand.choose another path, which ends there
   */
  constructor(hand) {
    this.hand = hand;
    /** @type {Path[]} */
    this.paths = [];
    this.chosen = 0;
    /** @type {number | null} where q is on the chosen path; null: on none */
    this.step = null;
    this.playing = 0;
    this.chart = element("canvas");
    this.chart.setAttribute("role", "img");
    this.ways = element("div", { className: "ways" });
    this.player = button("Play", () => (this.playing ? this.stop() : this.#play()), "Let q climb this path");
    this.slider = element("input", { type: "range", min: 0, step: 1, value: 0 });
    this.slider.setAttribute("aria-label", "Step of the climb");
    this.slider.oninput = () => {
      this.stop();
      this.#goTo(this.slider.valueAsNumber);
    };
    this.slider.onchange = () => hand.settle();
    this.stepText = element("span", { className: "value" });
    this.box = element("section", { className: "climb", hidden: true },
      element("h3", { textContent: "Let q climb: the E-step" }),
      element("div", { className: "head" }, this.ways),
      element("div", { className: "head" }, this.player, this.slider, this.stepText),
      element("figure", {}, this.chart, element("figcaption", { className: "quiet", textContent:
        "The best q of this one digit is looked for step by step. Steps of the climb to the right; upwards the ELBO, in nats below the line, on a logarithmic scale like the bar's. " +
        "The dashed grey line is what the encoder reaches in one pass." })));
  }

  /** @param {Path[]} paths climbs of another digit; q is on none of them */
  know(paths) {
    this.stop();
    this.paths = paths;
    this.chosen = 0;
    this.step = null;
    this.box.hidden = !paths.length;
    if (!paths.length) return;
    this.ways.replaceChildren(...paths.map(({ name, points }, k) => {
      const [colour, dash] = look(k);
      const end = along(points, points.length - 1);
      const made = button("", () => {
        this.stop();
        this.chosen = k;
        this.slider.max = String(points.length - 1);
        this.#goTo(0);
        this.hand.choose(end);
        this.hand.settle();
      }, `ELBO ${nats(points.at(-1)[4])} in the end`);
      made.innerHTML = `<svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke="${colour}" ` +
        `stroke-width="2.5" stroke-dasharray="${dash.join(" ")}"/></svg>`;
      made.append(` ${name}`);
      return made;
    }));
    this.slider.max = String(paths[0].points.length - 1);
    this.slider.value = "0";
  }

  get #last() {
    return this.paths[this.chosen].points.length - 1;
  }

  #goTo(step) {
    this.step = step;
    this.hand.go(along(this.paths[this.chosen].points, step), step);
  }

  #play() {
    const last = this.#last;
    const from = this.step === null || this.step >= last ? 0 : this.step;
    if (calm()) { // nothing moves by itself
      this.#goTo(last);
      this.hand.settle();
      return;
    }
    this.player.textContent = "Pause";
    let start = null;
    const go = (time) => {
      start ??= time;
      const step = from + ((time - start) / PLAY) * last;
      this.#goTo(Math.min(last, step));
      if (step < last) this.playing = requestAnimationFrame(go);
      else {
        this.stop();
        this.hand.settle();
      }
    };
    this.playing = requestAnimationFrame(go);
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.player.textContent = "Play";
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  /**
   * ELBO against steps, for all climbs; the line of log p(x) is the top.
   * @param {{elbo: number, own: number, log_p: number, given: string}} now ELBO of q and of the encoder's, in nats
   * @param {Record<string, any>} theme of the maps
   */
  draw(now, theme) {
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (!this.paths.length || !width) return;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    if (this.chart.width !== Math.round(width * ratio)) {
      this.chart.width = Math.round(width * ratio);
      this.chart.height = Math.round(height * ratio);
    }
    const ctx = this.chart.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    const frame = { left: 44, right: width - 14, top: 16, bottom: height - 22 };
    const last = Math.max(...this.paths.map(({ points }) => points.length - 1), 1);
    const gaps = this.paths.flatMap(({ points }) => points.map((p) => now.log_p - p[4]));
    const deepest = Math.max(place(Math.max(...gaps, now.log_p - now.own)), 0.05) * 1.04;
    const toX = (step) => frame.left + (step / last) * (frame.right - frame.left);
    const toY = (gap) => frame.top + (place(gap) / deepest) * (frame.bottom - frame.top);
    drawAxes(ctx, frame, { toX, toY, last, theme, own: now.log_p - now.own, given: now.given });
    this.paths.forEach(({ points }, k) => {
      const [colour, dash] = look(k);
      ctx.beginPath();
      points.forEach((p, i) => ctx.lineTo(toX(i), toY(now.log_p - p[4])));
      ctx.setLineDash(dash);
      ctx.lineWidth = k === this.chosen ? 2.75 : 1.75;
      ctx.strokeStyle = colour;
      ctx.stroke();
      ctx.setLineDash([]);
    });
    if (this.step !== null) {
      ctx.beginPath();
      ctx.arc(toX(this.step), toY(now.log_p - now.elbo), 6, 0, 2 * Math.PI);
      ctx.fillStyle = theme.text;
      ctx.fill();
      ctx.lineWidth = 2;
      ctx.strokeStyle = theme.background;
      ctx.stroke();
    }
    this.#say(now);
  }

  /** In words, and on the controls. */
  #say({ elbo, log_p }) {
    const on = this.step !== null;
    if (on) this.slider.value = String(this.step);
    [...this.ways.children].forEach((made, k) => press(made, k === this.chosen));
    write(this.stepText, `step ${Math.round(this.step ?? 0)} of ${this.#last}`);
    this.slider.setAttribute("aria-valuetext", on ? `Step ${Math.round(this.step)}, ELBO ${nats(elbo)}` : "not on the path");
    this.chart.setAttribute("aria-label", `ELBO against steps. ${this.paths.map((p) =>
      `${p.name}: to ${nats(p.points.at(-1)[4])}`).join("; ")}. log p(x): ${nats(log_p)}`);
    this.player.title = `Let q climb: ${this.paths[this.chosen].name}`;
  }
}

/** Gaps upwards, steps to the right, the line of log p(x) and that of the encoder (own: its gap). */
function drawAxes(ctx, frame, { toX, toY, last, theme, own, given }) {
  const line = (y, colour, dash, wide) => {
    ctx.beginPath();
    ctx.setLineDash(dash);
    ctx.lineWidth = wide;
    ctx.strokeStyle = colour;
    ctx.moveTo(frame.left, y);
    ctx.lineTo(frame.right, y);
    ctx.stroke();
    ctx.setLineDash([]);
  };
  ctx.font = `11px ${theme.font}`;
  ctx.textBaseline = "middle";
  ctx.fillStyle = theme.text;
  ctx.textAlign = "right";
  let free = -Infinity;
  for (const gap of [0, ...TICKS]) {
    const y = toY(gap);
    if (y - free < 13 || y > frame.bottom) continue;
    free = y;
    ctx.globalAlpha = 0.75;
    ctx.fillText(String(gap), frame.left - 7, y);
    ctx.globalAlpha = 1;
    if (gap) line(y, theme.border, [], 1);
  }
  ctx.textAlign = "center";
  ctx.globalAlpha = 0.75;
  for (let step = 0; step <= last; step += last > 30 ? 20 : last > 12 ? 10 : 5) ctx.fillText(String(step), toX(step), frame.bottom + 13);
  ctx.globalAlpha = 1;
  line(toY(own), theme.text, [4, 4], 1);
  line(toY(0), theme.accent, [], 2.5);
  ctx.fillStyle = theme.accent;
  ctx.textAlign = "left";
  ctx.font = `650 12px ${theme.font}`;
  ctx.fillText(`log p(${given})`, frame.left + 4, frame.top - 9);
}
