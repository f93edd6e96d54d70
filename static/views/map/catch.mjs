// What the Map's lasso has caught: how many codes, of which classes, whether they stay together on both maps, and some
// of them as tiles. Where both maps stand side by side its room below them is the same whether there is a catch or not; on a
// phone it comes right under the map that was used.

import { button, element } from "../../parts/controls.mjs";
import { PIXELS, slices } from "../../engine/engine.mjs";
import { digitCanvas, paint } from "../../parts/paint.mjs";

const TILES = 48; // at most
const HOW = "Draw a loop round some dots of either map, with a finger or the mouse. With keys: Enter marks a corner of a " +
  "box, arrows stretch it, Enter catches what lies in it. Two fingers, the wheel and + − zoom as before.";
const percent = (share) => `${Math.round(100 * share)}%`;

/** @typedef {{loop: import("./lasso.mjs").Loop, mask: Uint8Array, images: number[]}} Caught mask: 1 for each image caught */

export class Catch {
  /** @param {any} view the page's, with its `sides`, `classes`, `colours`, `told`, `lookAt` and `pickImage`
   * @param {{clear: () => void}} options */
  constructor(view, { clear }) {
    this.view = view;
    /** @type {Caught | null} */
    this.caught = null;
    /** @type {AbortController | null} */
    this.work = null; // the drawing of the tiles
    this.pixels = new Float32Array(PIXELS);
    this.said = element("p", { className: "said" });
    this.clear = button("Clear", clear, "Take the loop away");
    this.tally = element("div", { className: "tally" });
    this.tiles = Array.from({ length: TILES }, () => this.#buildTile());
    this.note = element("p", { className: "caption" });
    this.how = element("p", { className: "how caption", hidden: true }, HOW); // on a phone, where the other box comes and goes
    this.element = element("div", { className: "catch", hidden: true }, this.said, this.clear, this.tally,
      element("div", { className: "caught" }, ...this.tiles.map(({ made }) => made)), this.note);
  }

  #buildTile() {
    const tile = { canvas: digitCanvas({ label: "" }), image: null, made: null };
    tile.canvas.setAttribute("aria-hidden", "true"); // the button says it
    tile.made = button("", () => this.view.pickImage(tile.image));
    tile.made.append(tile.canvas);
    tile.made.onpointerenter = tile.made.onfocus = () => this.view.lookAt(tile.image);
    tile.made.onpointerleave = tile.made.onblur = () => this.view.lookAt(null);
    return tile;
  }

  /** @param {boolean} on whether it has its room @param {Caught | null} caught */
  show(on, caught) {
    this.caught = caught;
    this.element.hidden = this.how.hidden = !on;
    this.element.classList.toggle("none", !caught);
    this.element.classList.toggle("beneath", caught?.loop.side === "right");
    this.clear.hidden = !caught;
    if (!on) {
      this.work?.abort();
      return;
    }
    this.#count();
    this.said.replaceChildren(...(caught ? this.#words() : [HOW]));
    this.draw();
  }

  stop() {
    this.work?.abort();
  }

  /** How many of each class. */
  #count() {
    const { view: { sides: [{ codes: { label } }], classes, colours }, caught } = this;
    const counts = new Array(classes.length).fill(0);
    for (const i of caught?.images ?? []) counts[label[i]]++;
    const most = Math.max(1, ...counts);
    this.tally.style.setProperty("--rows", String(classes.length > 13 ? Math.ceil(classes.length / 2) : classes.length));
    this.tally.style.setProperty("--half", String(Math.ceil(classes.length / 2)));
    this.tally.style.setProperty("--name", `${Math.min(11, Math.max(...classes.map((name) => name.length)))}ch`);
    this.tally.replaceChildren(...classes.map((name, y) => {
      const bar = element("i");
      bar.style.cssText = `width:${(100 * counts[y]) / most}%;background:${colours[y]}`;
      return element("div", { className: counts[y] ? "" : "none" }, element("b", {}, name),
        element("span", {}, bar), element("small", {}, counts[y].toLocaleString("en")));
    }));
  }

  /** What was caught, and how well it stays together: the lesson of two maps side by side. */
  #words() {
    const { view: { sides, state }, caught: { images, loop, mask } } = this;
    const here = sides.find(({ name }) => name === loop.side);
    const n = images.length;
    const head = element("b", {}, n === 1 ? `1 code caught on the ${here.about.name}'s map.`
      : `${n.toLocaleString("en")} codes caught on the ${here.about.name}'s map.`);
    if (!n) return [head, " None lies in this loop: draw another."];
    if (n === 1) return [head];
    const others = here.plane.found?.reduce((sum, on) => sum + on, 0) ?? mask.length;
    const there = sides.find((side) => side !== here);
    const [own, other] = [here, there].map((side) => percent(together(side, images, mask)));
    return [head, ` For ${own} of them the nearest other code${state.only.size ? " of the classes shown" : ""} is caught, too; ` +
      `on the ${there.about.name}'s map it is for ${other}. By chance it would be for ${percent((n - 1) / Math.max(1, others - 1))}.`];
  }

  /** The tiles anew: after another catch, or when a conditional model is told another label. */
  async draw() {
    this.work?.abort();
    if (this.element.hidden) return;
    const { view: { sides, classes, colours }, caught } = this;
    const side = sides.find(({ name }) => name === caught?.loop.side);
    const { label } = sides[0].codes;
    const shown = side ? fromTheMiddle(side.codes.mean, caught.images).slice(0, TILES) : [];
    this.tiles.forEach((tile, k) => {
      tile.image = shown[k] ?? null;
      tile.made.style.visibility = k < shown.length ? "visible" : "hidden"; // its room stays
      if (k >= shown.length) return;
      tile.made.style.setProperty("--class", colours[label[shown[k]]]);
      tile.made.title = `Test image ${shown[k]}, ${classes[label[shown[k]]]}`;
      tile.made.setAttribute("aria-label", tile.made.title);
      paint(tile.canvas, null);
    });
    const [some, n] = [shown.length, caught?.images.length ?? 0].map((v) => v.toLocaleString("en"));
    this.note.textContent = !shown.length ? "" : `${shown.length < caught.images.length ? `${some} of the ${n}, the` : "The"} ` +
      `nearest to their middle first, as the ${side.about.name} draws them. Press one to see it on both maps.`;
    if (!side) return;
    const { signal } = (this.work = new AbortController());
    const work = (k) => {
      const i = shown[k];
      const code = side.codes.mean.subarray(2 * i, 2 * i + 2);
      paint(this.tiles[k].canvas, side.model.decode(code, this.view.told(side, i), this.pixels));
    };
    for await (const _ of slices(shown.length, work, { signal }));
  }
}

/** Images of the catch, those first whose codes lie nearest to its middle, the median on each axis. */
function fromTheMiddle(mean, images) {
  const middle = [0, 1].map((a) => images.map((i) => mean[2 * i + a]).sort((u, v) => u - v)[images.length >> 1]);
  const far = (i) => (mean[2 * i] - middle[0]) ** 2 + (mean[2 * i + 1] - middle[1]) ** 2;
  return images.map((i) => [far(i), i]).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
}

/** Share of the caught images whose nearest code on this map, of those that a pointer finds, is caught, too. */
function together({ codes: { mean }, plane: { index, found } }, images, mask) {
  const others = found ? found.slice() : new Uint8Array(mask.length).fill(1);
  let count = 0;
  for (const i of images) {
    others[i] = 0; // not itself
    count += mask[index.nearest([mean[2 * i], mean[2 * i + 1]], Infinity, others)] ?? 0;
    others[i] = 1;
  }
  return count / images.length;
}
