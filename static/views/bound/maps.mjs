// Two maps of one digit: the whole one and a close-up, with the true posterior, q under the hand, and the climbs.

import { copy, same, sigmas } from "../../maths/bound.mjs";
import { button, element } from "../../parts/controls.mjs";
import { Heat } from "../../parts/heat.mjs";
import { Plane } from "../../parts/plane.mjs";
import { look } from "./climb.mjs";

const NUDGE = 0.2; // σ that an arrow key moves μ
const STRETCH = 1.05; // that Shift and an arrow key stretch σ
const GRIP = 26; // CSS pixels between μ and the handle of a σ, at least
const ROOM = 20; // CSS pixels that a σ must have on the whole map to get a handle there
const KEYS = "Arrow keys move the mean of q, Shift and arrow keys stretch it, Home goes back to the encoder's.";
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };

/** @typedef {import("../../maths/bound.mjs").Gaussian} Gaussian */

/** A map's frame, in whose .square `Maps` puts it. */
export function buildPlace(name) {
  const caption = element("figcaption", {}, element("b", { textContent: name === "near" ? "Close-up" : "The whole map" }), " ");
  if (name === "near") {
    caption.append(element("span", { className: "key truth", textContent: "true posterior",
      title: "Its lines lie where a Gaussian would have its 1 σ and its 2 σ" }),
      element("span", { className: "key ours", textContent: "q, 1σ and 2σ" }));
  } else caption.append(element("small", { className: "quiet", textContent: "faint: test digits; frame: the close-up" }));
  return element("figure", { className: `place ${name}` }, caption, element("div", { className: "square" }));
}

export class Maps {
  /**
   * @param {HTMLElement} box on the page, with both frames in it
   * @param {object} hand what the view does
   * @param {() => void} hand.take something is done to q: nothing else may move it
   * @param {(q: Gaussian) => void} hand.move the hand moves q there
   * @param {() => void} hand.settle the hand has let go
   * @param {() => void} hand.rest a key is up: it may be the last one
   * @param {() => Gaussian} hand.home the encoder's q
   */
  constructor(box, hand) {
    this.hand = hand;
    /** @type {Gaussian} */
    this.q = { mean: [0, 0], logvar: [0, 0] };
    /** @type {Heat[]} the whole map's, the close-up's, one a mode where there are several */
    this.heat = [];
    /** @type {import("./climb.mjs").Path[]} */
    this.paths = [];
    this.chosen = 0; // of the paths
    this.whole = new Plane(box.querySelector(".whole .square"), { labelText: `The whole map. ${KEYS}`, wheel: false, scroll: true });
    this.near = new Plane(box.querySelector(".near .square"),
      { labelText: `Close-up of the posterior. ${KEYS} Plus and minus zoom.`, wheel: true, scroll: true });
    this.planes = [this.whole, this.near];
    for (const plane of this.planes) {
      plane.pointOpacity = plane === this.whole ? 0.4 : 0.22;
      plane.showNumerals = false; // the digit in hand is the subject
      this.#listen(plane);
    }
    this.#layer();
    this.near.onView = () => this.whole.request();
    const zooms = [button("+", () => this.near.zoom(1 / 1.5), "Closer"), button("−", () => this.near.zoom(1.5), "Farther"),
      button("⤢", () => this.showBoth(), "Show the posterior and q")];
    for (const made of zooms) made.setAttribute("aria-label", made.title);
    this.near.host.append(element("div", { className: "zoom" }, ...zooms));
  }

  /** The prior of the model: N(0, I), or one that it has learned.
   * @param {import("../../engine/prior.mjs").LearnedPrior | null} learned */
  setPrior(learned) {
    for (const plane of this.planes) plane.setCircles(learned ?? "prior");
  }

  #layer() {
    const { whole, near } = this;
    whole.over.push((ctx, plane) => this.heat[0]?.draw(ctx, plane, { colour: plane.theme.accent, lines: false }));
    near.over.push((ctx, plane) => this.#drawPosterior(ctx, plane));
    for (const plane of this.planes) {
      plane.over.push((ctx) => this.#drawPaths(ctx, plane));
      plane.layers.push((ctx) => this.#drawQ(ctx, plane));
    }
    whole.layers.unshift((ctx, plane) => this.#drawFrame(ctx, plane));
    near.layers.push((ctx, plane) => drawScale(ctx, plane));
  }

  destroy() {
    for (const plane of this.planes) plane.destroy();
  }

  retheme() {
    for (const plane of this.planes) plane.retheme();
  }

  setCodes(codes, colours) {
    for (const plane of this.planes) plane.setCodes(codes, colours);
  }

  // What Python has said -----------------------------------------------------------------------------------------------

  /** Another digit, or more of one: rasters, modes [{z}] and climbs. */
  know({ heat, modes, paths }) {
    this.heat = heat.map((raster) => new Heat(raster));
    this.paths = paths;
    for (const name of [...this.whole.markers.keys()]) if (name.startsWith("mode ")) this.whole.setMarker(name, null);
    if (modes.length > 1) {
      modes.forEach(({ z }, k) => this.whole.setMarker(`mode ${k}`, {
        z, shape: "cross", size: 5, colour: this.whole.theme.text, text: String(k + 1),
      }));
    }
    for (const plane of this.planes) plane.redraw();
  }

  /** Both maps onto what they show: all codes and the posterior; the posterior and q. */
  fit() {
    const { whole, near, heat: [all, close] } = this;
    const [left, bottom, right, top] = close.bounds;
    const centre = [(left + right) / 2, (bottom + top) / 2];
    whole.fit = () => whole.setView(whole.home.centre, all.side); // the posterior can lie beyond the codes
    whole.fit();
    near.home = { centre, half: Math.max(3, right - left) }; // how far one can zoom out
    near.fit = () => this.#frame(close.bounds);
    near.fit();
  }

  /** The close-up onto the posterior as it opens. */
  showPosterior() {
    this.near.fit();
  }

  /** The close-up onto one of several modes. */
  showMode(k) {
    this.#frame((this.heat[k + 2] ?? this.heat[1]).bounds);
  }

  /** The close-up onto the posterior and q (2 σ), whatever lies between them. */
  showBoth(q = this.q) {
    const [left, bottom, right, top] = this.heat[1].bounds;
    const sigma = sigmas(q);
    const low = [left, bottom].map((v, d) => Math.min(v, q.mean[d] - 2.2 * sigma[d]));
    const high = [right, top].map((v, d) => Math.max(v, q.mean[d] + 2.2 * sigma[d]));
    this.#frame([...low, ...high]);
  }

  /** The close-up onto a part of the plane. @param {number[]} bounds */
  #frame([left, bottom, right, top]) {
    this.near.setView([(left + right) / 2, (bottom + top) / 2], Math.max(right - left, top - bottom));
  }

  inSight(z) {
    const [left, bottom, right, top] = this.near.bounds();
    return z[0] > left && z[0] < right && z[1] > bottom && z[1] < top;
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  #listen(plane) {
    /** @type {{from: Gaussian, at: number[], ratio: number} | null} */
    let hold = null;
    plane.onDrag = (name, z) => {
      this.hand.take();
      const { mean, logvar } = copy(this.q);
      const d = name === "top" ? 1 : 0;
      const arm = Math.abs(z[d] - mean[d]);
      hold ??= { from: copy(this.q), at: z, ratio: Math.exp(0.5 * logvar[d]) / Math.max(arm, 1e-9) };
      const { from, at, ratio } = hold;
      if (name !== "mu" && arm > 0) logvar[d] = 2 * Math.log(ratio * arm);
      this.hand.move({ mean: name === "mu" ? from.mean.map((v, i) => v + z[i] - at[i]) : mean, logvar });
    };
    plane.onRelease = () => {
      const moved = hold && !same(hold.from, this.q);
      hold = null;
      if (moved) this.hand.settle();
    };
    plane.onPick = (z) => {
      this.hand.take();
      this.hand.move({ mean: [...z], logvar: this.q.logvar });
      this.hand.settle();
    };
    plane.host.addEventListener("keydown", (e) => this.#key(e), true); // before the plane takes the arrows for its cursor
  }

  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || !e.target.matches("canvas")) return;
    let q = copy(this.q);
    if (e.key === "Home") q = copy(this.hand.home());
    else if (e.key in ARROWS) {
      const [d, way] = ARROWS[e.key];
      if (e.shiftKey) q.logvar[d] += 2 * way * Math.log(STRETCH);
      else q.mean[d] += way * NUDGE * Math.exp(0.5 * q.logvar[d]);
    } else return;
    e.preventDefault();
    e.stopPropagation();
    this.hand.take();
    this.hand.move(q);
    this.hand.rest();
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  /** @param {Gaussian} q where it is now; chosen: the climb that stands out */
  show(q, chosen) {
    this.q = q;
    this.chosen = chosen;
    const sigma = sigmas(q);
    for (const plane of this.planes) {
      const colour = plane.theme.text;
      const wide = sigma.map((v) => v * plane.scale);
      const handles = plane === this.near || Math.min(...wide) >= ROOM;
      ["right", "top"].forEach((name, d) => {
        if (!handles) plane.markers.delete(name);
        else {
          const z = [...q.mean];
          z[d] += Math.max(sigma[d], GRIP / plane.scale);
          plane.markers.set(name, { z, drag: true, shape: "dot", size: 6, colour });
        }
      });
      plane.markers.delete("mu"); // so that it is drawn last
      plane.markers.set("mu", { z: [...q.mean], drag: true, size: plane === this.near ? 8 : 5, colour });
      plane.request();
    }
  }

  /** The posterior in the close-up; near one of several modes that mode's own raster, which is finer. */
  #drawPosterior(ctx, plane) {
    const [, first, ...modes] = this.heat;
    if (!first) return;
    const near = modes.find((heat) => heat.holds(plane.centre) && plane.span < 1.8 * heat.side && heat.side < first.side);
    ctx.save();
    if (near) {
      const [left, bottom, right, top] = near.bounds;
      const [[x, y], [u, v]] = [plane.toScreen([left, top]), plane.toScreen([right, bottom])];
      ctx.beginPath();
      ctx.rect(0, 0, plane.width, plane.height);
      ctx.rect(x, y, u - x, v - y);
      ctx.clip("evenodd");
    }
    const options = { colour: plane.theme.accent };
    for (const heat of [first, ...modes.filter((m) => m !== near && !m.touches(first))]) heat.draw(ctx, plane, options);
    ctx.restore();
    near?.draw(ctx, plane, options);
  }

  /** q as ellipses of 1 and 2 σ with a halo, its handles' arms, and an arrow where it is out of sight. */
  #drawQ(ctx, plane) {
    const { q } = this;
    const { text, background } = plane.theme;
    const [x, y] = plane.toScreen(q.mean);
    const radii = sigmas(q).map((v) => v * plane.scale);
    ctx.save();
    if (Math.abs(x) < 1e5 && Math.abs(y) < 1e5 && Math.max(...radii) < 1e5) {
      for (const [times, width] of [[2, 1.25], [1, 2]]) {
        ctx.beginPath();
        ctx.ellipse(x, y, times * radii[0], times * radii[1], 0, 0, 2 * Math.PI);
        for (const [wide, colour, alpha] of [[width + 2.5, background, 0.7], [width, text, 0.95]]) {
          ctx.lineWidth = wide;
          ctx.strokeStyle = colour;
          ctx.globalAlpha = alpha;
          ctx.stroke();
        }
      }
      ctx.globalAlpha = 0.6;
      ctx.lineWidth = 1;
      ctx.setLineDash([2, 3]);
      for (const name of ["right", "top"]) { // an arm where the handle is held off a small ellipse
        const marker = plane.markers.get(name);
        if (!marker) continue;
        ctx.beginPath();
        ctx.moveTo(x, y);
        ctx.lineTo(...plane.toScreen(marker.z));
        ctx.stroke();
      }
    }
    ctx.restore();
    plane.pointTo(ctx, q.mean, { colour: text, name: "q" });
  }

  /** Where the close-up is, on the whole map. */
  #drawFrame(ctx, plane) {
    const [left, bottom, right, top] = this.near.bounds();
    const [x, y] = plane.toScreen([(left + right) / 2, (bottom + top) / 2]);
    const half = [Math.max(7, ((right - left) / 2) * plane.scale), Math.max(7, ((top - bottom) / 2) * plane.scale)];
    for (const [width, colour] of [[3.5, plane.theme.background], [1.5, plane.theme.accent]]) {
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.strokeRect(x - half[0], y - half[1], 2 * half[0], 2 * half[1]);
    }
  }

  #drawPaths(ctx, plane) {
    this.paths.forEach(({ points }, k) => {
      const at = points.map((p) => plane.toScreen(p)).filter(([x, y]) => Math.abs(x) < 1e4 && Math.abs(y) < 1e4);
      if (at.length) drawPath(ctx, at, look(k), k === this.chosen ? 2.5 : 1.75, plane.theme.background);
    });
  }
}

/** A climb through places on the screen: its start is an empty square, its end a full diamond. */
function drawPath(ctx, at, [colour, dash], wide, background) {
  ctx.save();
  ctx.beginPath();
  at.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
  ctx.lineJoin = "round";
  ctx.lineWidth = 4.5;
  ctx.strokeStyle = background;
  ctx.globalAlpha = 0.55;
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.setLineDash(dash);
  ctx.lineWidth = wide;
  ctx.strokeStyle = colour;
  ctx.stroke();
  ctx.setLineDash([]);
  const [[sx, sy], [ex, ey]] = [at[0], at.at(-1)];
  ctx.fillStyle = background;
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.rect(sx - 3.5, sy - 3.5, 7, 7);
  ctx.fill();
  ctx.stroke();
  ctx.beginPath();
  for (const [dx, dy] of [[0, -6], [6, 0], [0, 6], [-6, 0]]) ctx.lineTo(ex + dx, ey + dy);
  ctx.closePath();
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = background;
  ctx.stroke();
  ctx.restore();
}

/** A length to compare with: the prior's σ is 1. */
function drawScale(ctx, plane) {
  const most = (0.3 * plane.width) / plane.scale;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].find((m) => m * power <= most) * power;
  const right = plane.width - 14;
  const left = right - length * plane.scale;
  const y = plane.height - 32;
  for (const [width, colour] of [[5, plane.theme.background], [2, plane.theme.text]]) {
    ctx.lineWidth = width;
    ctx.strokeStyle = colour;
    ctx.beginPath();
    ctx.moveTo(left, y - 4);
    ctx.lineTo(left, y);
    ctx.lineTo(right, y);
    ctx.lineTo(right, y - 4);
    ctx.stroke();
  }
  const words = `${Number(length.toPrecision(1))} σ of the prior`;
  plane.text(ctx, words, Math.min((left + right) / 2, plane.width - 54), y - 13, { size: 11 });
}
