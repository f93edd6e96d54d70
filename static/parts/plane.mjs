// A map of a two-dimensional latent space on canvas: ten thousand codes, circles of the prior, markers that a hand can
// drag, zoom and pan. z₁ to the right, z₂ upwards, one unit equally long on both axes.
//
// Three canvases on top of each other: the points (stamped in one pass), a base that holds whatever rests while the
// pointer moves (what is under the points, the points, circles, ticks, numerals), and the visible one. A pointer move
// costs one blit and the markers; only a change of view stamps the points again.

import { Index, extent, medians } from "../maths/codes.mjs";
import { palette } from "./paint.mjs";

const STYLE = `
.plane { position: relative; width: 100%; height: 100%; }
.plane canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; border-radius: 8px;
  cursor: crosshair; touch-action: none; outline: none; -webkit-user-select: none; user-select: none; }
.plane canvas:focus-visible { outline: 2px solid var(--st-primary-color, #d6336c); outline-offset: 2px; }
`;
const NUMERAL = 20; // CSS pixels between the centres of two numerals, at least
const FARTHEST = 8; // half-widths of the first view that fit into the widest one: some codes lie far out
// Little-endian pixels of the codes that do not stand out: grey, seen on both themes, and so faint that a class whose
// colour is a grey, as 3 and 8 of ten, stands out all the same.
const SHADOW = 0x28808080;
const TICKS = 28; // CSS pixels at the lower edge that belong to the ticks and their numbers
const EDGE = 12; // CSS pixels between the edge and the arrow that points beyond it
const SUB = 3; // stamps a pixel and axis: points move in thirds of a pixel when the view moves

/**
 * @typedef {number[] | Float32Array} Place z₁ and z₂
 * @typedef {{z: Place, sigma?: Place | null, colour?: string, text?: string, drag?: boolean,
 *   shape?: string, size?: number}} Marker sigma: half-axes of an ellipse in units of the map; drag: a
 *   hand may pull it; shape: "ring" (where none is named), "dot" or "cross"; size: radius in pixels
 * @typedef {(ctx: CanvasRenderingContext2D, plane: Plane) => void} Draw
 */

export class Plane {
  /**
   * host: an element whose size the map takes; labelText: what a screen reader calls it. wheel: the wheel zooms;
   * scroll: a finger beside all markers scrolls the page instead of looking around (for maps that are small print).
   * @param {HTMLElement} host @param {{labelText?: string, wheel?: boolean, scroll?: boolean}} options
   */
  constructor(host, { labelText = "Map of the codes", wheel = true, scroll = false } = {}) {
    this.host = host;
    // What the view around does when something happens. A code is the number of the nearest one in reach, or null.
    /** @type {((z: Place | null, code: number | null) => void) | null} */
    this.onHover = null;
    /** @type {((z: Place, code: number | null) => void) | null} */
    this.onPick = null;
    /** @type {((name: string, z: Place) => void) | null} */
    this.onDrag = null;
    /** @type {((name: string, z: Place) => void) | null} */
    this.onRelease = null;
    /** @type {(() => void) | null} */
    this.onView = null;
    // A drag that draws instead of moving the map, and Enter that marks a place instead of picking it.
    /** @type {((event: PointerEvent) => boolean) | null} */
    this.drawsLine = null; // whether a drag that begins so draws
    /** @type {((z: Place, phase: "begin" | "on" | "end" | "cancel") => void) | null} */
    this.onLine = null;
    /** @type {((z: Place) => boolean) | null} */
    this.onMark = null; // true where it has marked
    this.axes = ["z₁", "z₂"]; // what stands at them
    /** @type {Draw[]} */
    this.under = []; // draw(ctx, plane): rests while the pointer moves, below the points; after a change: redraw()
    /** @type {Draw[]} */
    this.over = []; // the same, above the points
    /** @type {Draw[]} */
    this.layers = []; // draw(ctx, plane): drawn with every frame, above the points, below the markers
    /** @type {Map<string, Marker>} */
    this.markers = new Map();
    this.showPoints = true;
    this.pointOpacity = 1; // less where something else is the map's subject
    this.pointSize = 1; // more where few stand
    this.showNumerals = true;
    /** @type {Set<number> | null} */
    this.labels = null; // of the codes that a pointer finds; null: of all
    /** @type {Uint8Array | null} */
    this.standing = null; // 1 for each code that stands out, 0 for one that is a shadow; null: all do
    /** @type {Uint8Array | null} */
    this.found = null; // the same for those that a pointer finds
    this.badges = []; // where the numerals stand on the screen
    /** @type {"prior" | "yardstick" | null | import("../engine/prior.mjs").LearnedPrior} */
    this.circles = null;
    this.origin = [0, 0]; // their middle, where the codes were moved after they were made
    /** @type {Place | null} */
    this.cursor = null; // where the keyboard is
    this.centre = [0, 0];
    this.span = 8; // units across the shorter side
    this.home = { centre: [0, 0], half: 4 };
    this.viewed = false; // somebody has set a view: codes that come do not set another
    this.width = this.height = 1; // CSS pixels
    this.scale = 1; // of them, a unit
    this.ratio = 0; // the screen's pixels, a CSS pixel
    /** @type {{mean: Float32Array, label: Uint8Array} | null} */
    this.codes = null;
    this.colours = []; // of the labels
    this.names = null; // of the labels, where they are more than numbers
    /** @type {Index | null} */
    this.index = null; // of the codes
    this.numerals = []; // {label, at}: where each label's codes have their median
    this.stale = true; // the base is to be drawn anew
    this.frame = 0; // that was asked for
    this.gone = false;
    this.pixels = null; // of the points' canvas
    /** @type {ReturnType<typeof palette>} */
    this.theme = null;
    this.pointers = new Map(); // those that are down: their id → where they are, in CSS pixels
    this.gesture = null; // what the hand does: {mode: "marker", "look", "pan" or "pinch", …}

    const style = document.createElement("style");
    style.textContent = STYLE;
    this.box = document.createElement("div");
    this.box.className = "plane";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application"); // arrow keys are the map's, not the screen reader's
    this.canvas.setAttribute("aria-label", labelText);
    if (scroll) this.canvas.style.touchAction = "pan-x pan-y";
    this.box.append(this.canvas);
    host.append(style, this.box);
    this.pointsCanvas = document.createElement("canvas");
    this.baseCanvas = document.createElement("canvas");
    this.ctx = this.canvas.getContext("2d");
    this.#listen(wheel, scroll);
    this.retheme();
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.box);
    this.#resize();
  }

  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.gone = true;
  }

  // What is shown ------------------------------------------------------------------------------------------------------

  /** codes: {mean Float32Array n × 2, label Uint8Array n}; colours: one CSS hex colour a label; names: what stands at a
   * label's median, else its number; home: the first view, else that of nearly all codes. Fits the view once.
   * @param {{mean: Float32Array, label: Uint8Array}} codes @param {string[]} colours @param {string[] | null} names */
  setCodes(codes, colours, names = null, home = extent(codes.mean)) {
    const first = !this.codes;
    this.codes = codes;
    this.colours = colours;
    this.names = names;
    this.home = home;
    this.index = new Index(codes.mean, this.home);
    this.numerals = medians(codes);
    this.labels = this.standing = this.found = null;
    if (first && !this.viewed) this.fit();
    else this.redraw();
  }

  /** The same codes at other places: the view and what stands out stay as they are. @param {Float32Array} mean */
  moveCodes(mean) {
    this.codes = { mean, label: this.codes.label };
    this.index = new Index(mean, this.home);
    this.numerals = medians(this.codes);
    this.redraw();
  }

  /**
   * What stands out, while the rest lies as a shadow below it. labels: of the codes that a pointer finds and whose
   * numerals stand; codes: 1 or 0 for each of them. Both at once: what has such a label and such a 1. null: all.
   * @param {{labels?: Set<number> | null, codes?: Uint8Array | null}} wanted
   */
  setStanding({ labels = null, codes = null }) {
    this.labels = labels;
    this.found = labels && Uint8Array.from(this.codes.label, (y) => Number(labels.has(y)));
    this.standing = codes && labels ? codes.map((on, i) => on & this.found[i]) : (codes ?? this.found);
    this.redraw();
  }

  /** The view that holds nearly all codes. */
  fit() {
    this.setView(this.home.centre, 2 * this.home.half);
  }

  /** centre: [z₁, z₂] in the middle; span: units across the shorter side. */
  setView(centre, span) {
    const { half, centre: middle } = this.home;
    this.viewed = true;
    this.span = Math.min(Math.max(span, half / 200), FARTHEST * half);
    this.centre = centre.map((v, i) => Math.min(Math.max(v, middle[i] - 3 * half), middle[i] + 3 * half));
    this.scale = Math.min(this.width, this.height) / this.span;
    this.redraw();
    this.onView?.();
  }

  /** Circles of 1 and 2 σ of N(0, I): dashed where it is the prior, dotted where it is only a yardstick, or null; of a
   * prior that a model has learned an ellipse of 1 σ for each of its components.
   * @param {"prior" | "yardstick" | null | import("../engine/prior.mjs").LearnedPrior} kind */
  setCircles(kind) {
    this.circles = kind;
    this.redraw();
  }

  /**
   * A named point, or null to take it away.
   * @param {string} name @param {Marker | null} marker
   */
  setMarker(name, marker) {
    if (marker) this.markers.set(name, marker);
    else this.markers.delete(name);
    this.request();
  }

  /** Read the theme again: after Streamlit has changed it. */
  retheme() {
    this.theme = palette(this.host);
    this.redraw();
  }

  // Places -------------------------------------------------------------------------------------------------------------

  /** z → CSS pixels from the upper left corner of the map.
   * @param {Place} z @returns {[number, number]} */
  toScreen(z) {
    return [
      this.width / 2 + (z[0] - this.centre[0]) * this.scale,
      this.height / 2 - (z[1] - this.centre[1]) * this.scale,
    ];
  }

  /** CSS pixels from the upper left corner → z. */
  toCode(x, y) {
    return [
      this.centre[0] + (x - this.width / 2) / this.scale,
      this.centre[1] - (y - this.height / 2) / this.scale,
    ];
  }

  /** Number of the code nearest to z, if it lies within `reach` units (default: anywhere); else null.
   * @param {Place} z @param {number} reach */
  nearest(z, reach = Infinity) {
    return this.index?.nearest(z, reach, this.found) ?? null;
  }

  /** [left, bottom, right, top] of what is visible, in units. */
  bounds() {
    const [left, top] = this.toCode(0, 0);
    const [right, bottom] = this.toCode(this.width, this.height);
    return [left, bottom, right, top];
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  /** Everything anew, with the next frame. */
  redraw() {
    this.stale = true;
    this.request();
  }

  /** Layers and markers anew, with the next frame. */
  request() {
    if (this.frame || this.gone) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    if (!this.canvas.width) return;
    if (this.stale) {
      this.stale = false;
      this.#drawBase();
    }
    const { ctx } = this;
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.drawImage(this.baseCanvas, 0, 0);
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    for (const layer of this.layers) layer(ctx, this);
    for (const marker of this.markers.values()) this.#drawMarker(ctx, marker);
    if (this.cursor) this.#drawCursor(ctx);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    if (!width || !height || (width === this.width && height === this.height && ratio === this.ratio)) return;
    this.width = width;
    this.height = height;
    this.ratio = ratio;
    for (const canvas of [this.canvas, this.pointsCanvas, this.baseCanvas]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    this.pixels = null;
    this.scale = Math.min(width, height) / this.span;
    this.stale = true;
    this.draw(); // a resized canvas is empty: waiting for the next frame would flash
    this.onView?.();
  }

  #drawBase() {
    const ctx = this.baseCanvas.getContext("2d");
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.fillStyle = this.theme.surface;
    ctx.fillRect(0, 0, this.width, this.height);
    for (const layer of this.under) layer(ctx, this);
    if (this.codes && this.showPoints) {
      this.#stampPoints();
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.globalAlpha = this.pointOpacity;
      ctx.drawImage(this.pointsCanvas, 0, 0);
      ctx.globalAlpha = 1;
      ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    }
    for (const layer of this.over) layer(ctx, this);
    if (this.circles) this.#drawCircles(ctx);
    this.#drawTicks(ctx);
    if (this.codes && this.showNumerals) this.#drawNumerals(ctx);
  }

  /** All codes in view as discs with soft edges, in the order of the data, so that no class lies on top; what does not
   * stand out below them. */
  #stampPoints() {
    const { width, height } = this.pointsCanvas;
    const ctx = this.pointsCanvas.getContext("2d", { willReadFrequently: true });
    this.pixels ??= ctx.createImageData(width, height);
    const target = new Uint32Array(this.pixels.data.buffer);
    target.fill(0);
    const { mean, label } = this.codes;
    const zoom = (2 * this.home.half) / this.span;
    const small = Math.min(1, Math.min(this.width, this.height) / 420);
    const radius = this.ratio * Math.min(5, Math.max(0.9, 1.7 * small) * this.pointSize * Math.max(1, zoom) ** 0.4);
    const stamps = discs(radius);
    const reach = Math.ceil(radius) + 1;
    const side = 2 * reach + 1;
    const rgb = this.colours.map(toRgb);
    const scale = this.scale * this.ratio;
    const x0 = width / 2 - this.centre[0] * scale;
    const y0 = height / 2 + this.centre[1] * scale;
    const { standing } = this;
    const n = label.length;
    for (let k = standing ? 0 : n; k < 2 * n; k++) {
      const i = k % n;
      const shadow = k < n;
      if (standing && Boolean(standing[i]) === shadow) continue;
      const x = x0 + mean[2 * i] * scale;
      const y = y0 - mean[2 * i + 1] * scale;
      if (x < reach || y < reach || x >= width - reach - 1 || y >= height - reach - 1) continue;
      const left = Math.floor(x);
      const top = Math.floor(y);
      const stamp = stamps[Math.floor((y - top) * SUB) * SUB + Math.floor((x - left) * SUB)];
      const colour = rgb[label[i]];
      for (let v = 0, p = 0; v < side; v++) {
        let to = (top - reach + v) * width + left - reach;
        for (let u = 0; u < side; u++, p++, to++) {
          const cover = stamp[p];
          if (cover === 0) continue;
          if (shadow) {
            if (cover >= 115) target[to] = SHADOW;
            continue;
          }
          const under = target[to];
          if (under === 0) target[to] = ((cover << 24) | colour) >>> 0;
          else if (cover >= 220) target[to] = (0xe6000000 | colour) >>> 0;
          else target[to] = mix(under, colour, cover);
        }
      }
    }
    ctx.putImageData(this.pixels, 0, 0);
  }

  #drawCircles(ctx) {
    if (this.circles && typeof this.circles === "object") return this.#drawComponents(ctx, this.circles.components());
    const [x, y] = this.toScreen(this.origin);
    ctx.save();
    ctx.setLineDash(this.circles === "prior" ? [7, 5] : [1.5, 4]);
    ctx.lineCap = "round";
    for (const [width, colour] of [[3.5, this.theme.surface], [1.5, this.theme.text]]) { // a halo for dark ground
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.globalAlpha = 0.7;
      for (const radius of [1, 2]) {
        ctx.beginPath();
        ctx.arc(x, y, radius * this.scale, 0, 2 * Math.PI);
        ctx.stroke();
      }
    }
    ctx.restore();
    for (const radius of [1, 2]) {
      // The name stands under its circle, or over it where the ticks' numbers would be covered or the map ends.
      const foot = y + radius * this.scale;
      const at = foot + 9 > this.height - TICKS ? Math.min(foot - 9, this.height - TICKS) : foot + 9;
      if (foot - 9 < this.height) this.text(ctx, `${radius}σ`, x, at, { size: 11 });
    }
  }

  #drawComponents(ctx, components) {
    const most = components[components.length - 1].weight;
    ctx.save();
    ctx.setLineDash([4, 3]);
    for (const { at, sigma, weight } of components) {
      const [x, y] = this.toScreen(at);
      ctx.beginPath();
      ctx.ellipse(x, y, sigma[0] * this.scale, sigma[1] * this.scale, 0, 0, 2 * Math.PI);
      for (const [width, colour] of [[3, this.theme.surface], [1.3, this.theme.text]]) {
        ctx.lineWidth = width;
        ctx.strokeStyle = colour;
        ctx.globalAlpha = 0.2 + 0.7 * (weight / most);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  /** Words on the map with a halo, so that they can be read on any ground. */
  text(ctx, words, x, y, { size = 12, weight = 500, align = "center", colour = this.theme.text } = {}) {
    ctx.save();
    ctx.font = `${weight} ${size}px ${this.theme.font}`;
    ctx.textAlign = align;
    ctx.textBaseline = "middle";
    ctx.lineJoin = "round";
    ctx.lineWidth = 3;
    ctx.strokeStyle = this.theme.surface;
    ctx.strokeText(words, x, y);
    ctx.fillStyle = colour;
    ctx.fillText(words, x, y);
    ctx.restore();
  }

  /** Where z lies outside the map: an arrow at the edge that points to it, and its name beside the arrow. */
  pointTo(ctx, z, { colour = this.theme.accent, name = "" } = {}) {
    const [x, y] = this.toScreen(z);
    if (x >= 0 && y >= 0 && x <= this.width && y <= this.height) return;
    const [cx, cy] = [this.width / 2, this.height / 2];
    const k = Math.min((cx - EDGE) / Math.abs(x - cx), (cy - EDGE) / Math.abs(y - cy));
    const [ax, ay] = [cx + (x - cx) * k, cy + (y - cy) * k];
    ctx.save();
    ctx.translate(ax, ay);
    ctx.rotate(Math.atan2(y - cy, x - cx));
    ctx.beginPath();
    ctx.moveTo(9, 0);
    ctx.lineTo(-6, -6.5);
    ctx.lineTo(-6, 6.5);
    ctx.closePath();
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.restore();
    const far = Math.hypot(cx - ax, cy - ay) || 1;
    if (name) this.text(ctx, name, ax + ((cx - ax) / far) * 18, ay + ((cy - ay) / far) * 18, { weight: 650 });
  }

  #drawTicks(ctx) {
    if (Math.min(this.width, this.height) < 200) return; // a thumbnail has no room for a scale
    const step = niceStep(this.span / 5);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const say = (v) => (Math.abs(v) < step / 2 ? "0" : v.toFixed(digits).replace("-", "−"));
    const [left, bottom, right, top] = this.bounds();
    ctx.save();
    ctx.strokeStyle = this.theme.text;
    ctx.globalAlpha = 0.5;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let v = Math.ceil(left / step) * step; v <= right; v += step) {
      const [x] = this.toScreen([v, 0]);
      ctx.moveTo(x, this.height);
      ctx.lineTo(x, this.height - 5);
    }
    for (let v = Math.ceil(bottom / step) * step; v <= top; v += step) {
      const [, y] = this.toScreen([0, v]);
      if (y > this.height - 12) continue; // the corner belongs to the other axis
      ctx.moveTo(0, y);
      ctx.lineTo(5, y);
    }
    ctx.stroke();
    ctx.restore();
    const label = { size: 11, weight: 400 };
    for (let v = Math.ceil(left / step) * step; v <= right; v += step) {
      const [x] = this.toScreen([v, 0]);
      if (x > 26 && x < this.width - 26) this.text(ctx, say(v), x, this.height - 13, label);
    }
    for (let v = Math.ceil(bottom / step) * step; v <= top; v += step) {
      const [, y] = this.toScreen([0, v]);
      if (y > 22 && y < this.height - 22) this.text(ctx, say(v), 8, y, { ...label, align: "left" });
    }
    this.text(ctx, this.axes[0], this.width - 6, this.height - 13, { ...label, align: "right" });
    this.text(ctx, this.axes[1], 8, 11, { ...label, align: "left" });
  }

  #drawNumerals(ctx) {
    const side = Math.min(this.width, this.height);
    const size = side < 200 ? 9 : side < 260 ? 11 : 13; // small print where the map is a thumbnail
    const shown = this.numerals.filter(({ label }) => !this.labels || this.labels.has(label)).map(({ label, at }) => ({ label, at: this.toScreen(at) }));
    apart(shown, NUMERAL * (size / 13));
    this.badges = shown.map(({ at }) => at);
    for (const { label, at: [x, y] } of shown) {
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      const half = size * 0.68;
      const name = this.names?.[label] ?? String(label);
      ctx.font = `700 ${size}px ${this.theme.font}`;
      const wide = Math.max(half, ctx.measureText(name).width / 2 + 0.3 * size);
      ctx.fillStyle = this.theme.background;
      ctx.strokeStyle = this.colours[label];
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.roundRect(x - wide, y - half, 2 * wide, 2 * half, 3);
      ctx.fill();
      ctx.stroke();
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = this.theme.text;
      ctx.fillText(name, x, y + 0.5);
    }
  }

  /** @param {CanvasRenderingContext2D} ctx @param {Marker} marker */
  #drawMarker(ctx, { z, sigma, colour = this.theme.accent, text, shape = "ring", size = 8 }) {
    const [x, y] = this.toScreen(z);
    if (!(Math.abs(x) < 1e5 && Math.abs(y) < 1e5)) return; // far outside: canvas would spend seconds on it
    if (sigma) {
      ctx.beginPath();
      ctx.ellipse(x, y, sigma[0] * this.scale, sigma[1] * this.scale, 0, 0, 2 * Math.PI);
      ctx.globalAlpha = 0.22;
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1.75;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    const path = () => {
      ctx.beginPath();
      if (shape === "cross") {
        ctx.moveTo(x - size, y);
        ctx.lineTo(x + size, y);
        ctx.moveTo(x, y - size);
        ctx.lineTo(x, y + size);
      } else ctx.arc(x, y, size, 0, 2 * Math.PI);
    };
    path();
    if (shape === "dot") {
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.lineWidth = 2;
      ctx.strokeStyle = this.theme.background;
      ctx.stroke();
    } else {
      ctx.lineWidth = 5;
      ctx.strokeStyle = this.theme.background; // a halo, so that the ring shows on crowded ground
      ctx.stroke();
      path();
      ctx.lineWidth = 2.5;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
    if (text) {
      const flip = x > this.width - 60;
      this.text(ctx, text, x + (flip ? -1 : 1) * (size + 6), y - size - 3, {
        weight: 650, align: flip ? "right" : "left", colour,
      });
    }
  }

  #drawCursor(ctx) {
    const [x, y] = this.toScreen(this.cursor);
    for (const [width, colour] of [[4, this.theme.background], [1.75, this.theme.text]]) {
      ctx.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        ctx.moveTo(x + 4 * dx, y + 4 * dy);
        ctx.lineTo(x + 13 * dx, y + 13 * dy);
      }
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  #listen(wheel, scroll) {
    const { canvas } = this;
    canvas.onpointerdown = (e) => this.#down(e);
    canvas.onpointermove = (e) => this.#move(e);
    canvas.onpointerup = (e) => this.#up(e);
    canvas.onpointercancel = (e) => this.#up(e, true);
    canvas.onpointerleave = (e) => {
      if (e.pointerType !== "touch" && !this.pointers.size) this.onHover?.(null, null);
    };
    canvas.onkeydown = (e) => this.#key(e);
    canvas.onblur = () => {
      if (!this.cursor) return;
      this.cursor = null;
      this.request();
    };
    canvas.ondblclick = (e) => e.preventDefault();
    if (wheel) canvas.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
    if (scroll) {
      canvas.addEventListener("touchstart", (e) => {
        const [x, y] = this.#at(e.touches[0]);
        if (e.touches.length > 1 || this.#grabbed(x, y, 24)) e.preventDefault(); // this one is not the page's
      }, { passive: false });
    }
  }

  #at(e) {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  /** Name of the marker under the pointer that may be pulled, or null. */
  #grabbed(x, y, reach) {
    let best = null;
    for (const [name, marker] of this.markers) {
      if (!marker.drag) continue;
      const [mx, my] = this.toScreen(marker.z);
      const distance = Math.hypot(mx - x, my - y);
      if (distance <= reach) [best, reach] = [name, distance];
    }
    return best;
  }

  #hover(x, y, reach = 7) {
    const z = this.toCode(x, y);
    this.onHover?.(z, this.nearest(z, reach / this.scale));
  }

  #down(e) {
    if (e.button > 0) return;
    const [x, y] = this.#at(e);
    const touch = e.pointerType === "touch";
    if (this.cursor) this.cursor = null;
    try {
      this.canvas.setPointerCapture(e.pointerId);
    } catch { /* the pointer is gone already */ }
    this.pointers.set(e.pointerId, [x, y]);
    if (this.pointers.size > 1) {
      if (this.gesture?.mode === "line") this.onLine?.(this.toCode(x, y), "cancel");
      if (this.gesture?.mode === "marker") return; // a second finger does not take a marker from the first
      this.gesture = { mode: "pinch" };
      return;
    }
    const name = this.#grabbed(x, y, touch ? 26 : 14);
    const line = !name && Boolean(this.drawsLine?.(e));
    const mode = name ? "marker" : line ? "line" : touch ? "look" : "pan";
    this.gesture = { mode, name, touch, start: [x, y], moved: false };
    if (name) this.onDrag?.(name, this.toCode(x, y));
    else if (line) this.onLine?.(this.toCode(x, y), "begin");
    else if (touch) this.#hover(x, y, 12);
    if (!touch && !line) this.canvas.style.cursor = "grabbing";
  }

  #move(e) {
    const [x, y] = this.#at(e);
    const { gesture } = this;
    if (!this.pointers.has(e.pointerId)) {
      if (e.pointerType === "touch") return;
      this.canvas.style.cursor = this.#grabbed(x, y, 14) ? "grab" : "crosshair";
      this.#hover(x, y);
      return;
    }
    const before = this.pointers.get(e.pointerId);
    if (gesture.mode === "pinch") {
      const others = [...this.pointers].filter(([id]) => id !== e.pointerId).map(([, at]) => at);
      this.pointers.set(e.pointerId, [x, y]);
      if (!others.length) return; // one finger was lifted: the other does nothing until it is lifted, too
      const [ox, oy] = others[0];
      const factor = Math.hypot(before[0] - ox, before[1] - oy) / Math.max(8, Math.hypot(x - ox, y - oy));
      const held = this.toCode((before[0] + ox) / 2, (before[1] + oy) / 2);
      this.#zoomAbout(held, (x + ox) / 2, (y + oy) / 2, factor);
      return;
    }
    this.pointers.set(e.pointerId, [x, y]);
    const far = Math.hypot(x - gesture.start[0], y - gesture.start[1]);
    if (far > (gesture.touch ? 9 : 4)) gesture.moved = true;
    if (gesture.mode === "marker") this.onDrag?.(gesture.name, this.toCode(x, y));
    else if (gesture.mode === "line") this.onLine?.(this.toCode(x, y), "on");
    else if (gesture.mode === "look") this.#hover(x, y, 12);
    else if (gesture.moved) {
      const held = this.toCode(...before);
      this.#zoomAbout(held, x, y, 1);
      this.#hover(x, y);
    }
  }

  #up(e, cancelled = false) {
    const at = this.pointers.get(e.pointerId);
    if (!at) return;
    this.pointers.delete(e.pointerId);
    const { gesture } = this;
    if (gesture.mode === "pinch") return;
    this.canvas.style.cursor = "crosshair";
    const z = this.toCode(...at);
    if (gesture.mode === "line") this.onLine?.(z, gesture.moved && !cancelled ? "end" : "cancel");
    if (gesture.mode === "marker") this.onRelease?.(gesture.name, z);
    else if (!cancelled && !gesture.moved) this.onPick?.(z, this.nearest(z, (gesture.touch ? 12 : 7) / this.scale));
  }

  /** The place `held` comes to lie at (x, y), the view grows by `factor`. */
  #zoomAbout(held, x, y, factor) {
    const { half } = this.home;
    const span = Math.min(Math.max(this.span * factor, half / 200), FARTHEST * half);
    const scale = Math.min(this.width, this.height) / span;
    this.setView([held[0] - (x - this.width / 2) / scale, held[1] + (y - this.height / 2) / scale], span);
  }

  #wheel(e) {
    const out = e.deltaY > 0;
    if (out && this.span >= 0.99 * FARTHEST * this.home.half) return; // nothing more to see: the wheel is the page's again
    e.preventDefault();
    const lines = e.deltaMode === 1 ? 33 : e.deltaMode === 2 ? 400 : 1;
    const [x, y] = this.#at(e);
    this.#zoomAbout(this.toCode(x, y), x, y, Math.exp(Math.max(-240, Math.min(240, e.deltaY * lines)) * 0.0016));
    this.#hover(x, y);
  }

  /** Zoom about the cursor of the keyboard or the middle: for buttons and keys. factor < 1 comes nearer. */
  zoom(factor) {
    const held = this.cursor ?? this.centre;
    this.#zoomAbout(held, ...this.toScreen(held), factor);
  }

  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const step = this.span / (e.shiftKey ? 10 : 60);
    const far = this.span / 8;
    const moves = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
      PageUp: e.shiftKey ? [far, 0] : [0, far], PageDown: e.shiftKey ? [-far, 0] : [0, -far],
    };
    const at = this.cursor ?? this.markers.get("hover")?.z ?? this.centre;
    if (e.key in moves) this.moveCursor([at[0] + moves[e.key][0], at[1] + moves[e.key][1]]);
    else if (e.key === "Home") this.moveCursor([0, 0]);
    else if (e.key === "Enter" || e.key === " ") {
      this.moveCursor(at);
      if (!this.onMark?.(at)) this.onPick?.(at, this.nearest(at, 7 / this.scale));
    } else if (e.key === "+" || e.key === "=") this.zoom(1 / 1.3);
    else if (e.key === "-" || e.key === "_") this.zoom(1.3);
    else if (e.key === "0") this.fit();
    else if (e.key === "Escape") {
      this.cursor = null;
      this.onHover?.(null, null);
      this.request();
    } else return;
    e.preventDefault();
    e.stopPropagation(); // Streamlit has keys of its own
  }

  /** Put the keyboard's cursor at z and look there; the view follows where z lies outside. */
  moveCursor(z) {
    const { half, centre } = this.home;
    this.cursor = z.map((v, i) => Math.min(Math.max(v, centre[i] - 3 * half), centre[i] + 3 * half));
    const [left, bottom, right, top] = this.bounds();
    const edge = 0.04 * this.span;
    const shift = [
      Math.min(0, this.cursor[0] - left - edge) + Math.max(0, this.cursor[0] - right + edge),
      Math.min(0, this.cursor[1] - bottom - edge) + Math.max(0, this.cursor[1] - top + edge),
    ];
    if (shift[0] || shift[1]) this.setView([this.centre[0] + shift[0], this.centre[1] + shift[1]], this.span);
    this.onHover?.(this.cursor, this.nearest(this.cursor, 7 / this.scale));
    this.request();
  }
}

// Helpers ----------------------------------------------------------------------------------------------------------------

/** Push numerals that overlap apart, as little as needed. */
function apart(items, gap) {
  for (let round = 0; round < 24; round++) {
    let moved = false;
    for (let i = 0; i < items.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [items[i].at, items[j].at];
        let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
        let distance = Math.hypot(dx, dy);
        if (distance >= gap - 0.01) continue;
        if (distance < 1e-6) [dx, dy, distance] = [1, 0, 1e-6];
        const push = (gap - Math.min(distance, gap)) / 2;
        const [ux, uy] = [(dx / Math.hypot(dx, dy)) * push, (dy / Math.hypot(dx, dy)) * push];
        [a[0], a[1], b[0], b[1]] = [a[0] + ux, a[1] + uy, b[0] - ux, b[1] - uy];
        moved = true;
      }
    }
    if (!moved) return;
  }
}

/** Stamps of a disc, coverage 0 … 230, for every position within a pixel. */
function discs(radius) {
  const reach = Math.ceil(radius) + 1;
  const side = 2 * reach + 1;
  return Array.from({ length: SUB * SUB }, (_, k) => {
    const cx = reach + ((k % SUB) + 0.5) / SUB;
    const cy = reach + (Math.floor(k / SUB) + 0.5) / SUB;
    return Uint8Array.from({ length: side * side }, (_, p) => {
      const d = Math.hypot((p % side) + 0.5 - cx, Math.floor(p / side) + 0.5 - cy);
      return Math.round(230 * Math.min(1, Math.max(0, radius + 0.5 - d)));
    });
  });
}

/** Colour over what is there (little-endian ABGR), by coverage 0 … 255; the more opaque of both stays opaque. */
function mix(under, colour, cover) {
  const keep = 255 - cover;
  const r = ((under & 255) * keep + (colour & 255) * cover) >> 8;
  const g = (((under >> 8) & 255) * keep + ((colour >> 8) & 255) * cover) >> 8;
  const b = (((under >> 16) & 255) * keep + ((colour >> 16) & 255) * cover) >> 8;
  return ((Math.max(under >>> 24, cover) << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** "#rrggbb" → 0xbbggrr, as little-endian pixels want it. */
function toRgb(hex) {
  const v = parseInt(hex.slice(1), 16);
  return ((v & 255) << 16) | (v & 0xff00) | (v >> 16);
}

/** The smallest of 1, 2, 5 × 10ⁿ that is at least `rough`. */
function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((m) => m * power >= rough * 0.999) * power;
}
