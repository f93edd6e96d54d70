// "Posterior" on the page "The bound": one digit's exact posterior, a Gaussian q under the hand, and the nats between
// them. The ELBO follows by Gauss–Hermite (bound.mjs); log p(x) is Python's. Where the hand leaves q, the link says.
// Here is the view itself; account, pictures, maps and climb are what it shows.

import { EngineError } from "../../engine/engine.mjs";
import * as registry from "../../engine/registry.mjs";
import { link, told } from "../../host.mjs";
import { Bound, WIDE, copy, same, sigmas } from "../../maths/bound.mjs";
import { button, element, numbersOf, pixelsOf, press, signed, styleSheet, toLink, write } from "../../parts/controls.mjs";
import { announcer, frameLoop } from "../../parts/paint.mjs";
import { Account, about, cents, nats } from "./account.mjs";
import { Climb } from "./climb.mjs";
import { Ladder, Shrink } from "./ladder.mjs";
import { Maps, buildPlace } from "./maps.mjs";
import { Pictures } from "./pictures.mjs";

const LIMITS = { mean: 20, logvar: [-14, 5] };
const REST = 400; // milliseconds after a key until the hand counts as resting

/** @type {{key?: string, q?: Gaussian}} survives a switch of pages, as this module does */
const remembered = {};
let linked = true; // a q in the link is of the digit and the model that the document opened with

/** @typedef {import("../../maths/bound.mjs").Gaussian} Gaussian */
/** @typedef {Gaussian & {elbo: number}} Known a q whose ELBO Python has found with as many nodes as it takes */

/**
 * What ui/views/bound/posterior.py tells.
 * @typedef {object} Options
 * @property {string} slug
 * @property {import("../../engine/registry.mjs").Network} network where the model's files lie
 * @property {number | null} label that a conditional model is told
 * @property {string} given what p is taken of: "x", or "x | y = 3"
 * @property {string[]} colours one for each label
 * @property {{id: string, pixels: string}} digit
 * @property {Known} q the encoder's
 * @property {Known} best the highest ELBO that a climb has found
 * @property {number} log_p nats
 * @property {{bounds: number[], n: number, data: string}[]} heat the whole map's, the close-up's, one a mode
 * @property {{z: number[], mass: number}[]} modes
 * @property {import("./climb.mjs").Path[]} paths
 * @property {import("./ladder.mjs").Rung[]} rungs
 * @property {number} averaged of how many images a rung's mean gap is
 * @property {Record<string, string>} words the glossary's sentences
 *
 * @typedef {import("../../host.mjs").Component<Options, never>} Component it says nothing
 */

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const view = new BoundView(root, component);
  await view.start();
  return view;
}

class BoundView {
  /** @param {import("../../host.mjs").Root} root @param {Component} component */
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.request = frameLoop(() => this.draw());
    this.gone = false;
    /** @type {import("../../engine/engine.mjs").Model} */
    this.model = null; // of this slug
    /** @type {registry.Codes} */
    this.codes = null; // its own
    // What `#build` makes once the networks are here.
    this.box = this.bar = this.where = this.resized = null;
    /** @type {Account} */
    this.account = null;
    /** @type {Pictures} */
    this.pictures = null;
    /** @type {Climb} */
    this.climb = null;
    /** @type {Ladder} */
    this.ladder = null;
    /** @type {Shrink} */
    this.shrink = null;
    /** @type {Maps} */
    this.maps = null;
    /** @type {(text: string) => void} to a screen reader */
    this.say = null;
    this.key = ""; // model and digit
    this.told = null; // the text of the options that are shown
    this.x = this.bound = null; // the digit as the likelihood sees it, and its ELBO under any q
    /** @type {Gaussian} */
    this.q = copy(this.options.q);
    /** @type {import("./account.mjs").Costs | null} of the encoder's q */
    this.own = null;
    /** @type {import("./account.mjs").Costs | null} of q as it is */
    this.now = null;
    /** @type {[HTMLElement, Gaussian][]} buttons, and where each puts q */
    this.presets = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.rest = undefined;
  }

  async start() {
    const [views, own] = await Promise.all([styleSheet(this.root), boundSheet(this.root), this.#load()]);
    if (this.gone) return;
    this.#build(views, own);
    this.#take(linked ? numbersOf(link.get("q"), 4, LIMITS.mean) : null);
    linked = false;
    this.draw();
    this.box.view = this; // for whoever looks from outside, such as a test
  }

  async #load() {
    const { slug, network } = this.options;
    const [model, codes] = await registry.both(network);
    if (!model.probabilistic || model.latentDim !== 2) {
      throw new EngineError(`The bound is drawn for a posterior in two dimensions; ${slug} has none.`);
    }
    this.model = model;
    this.codes = codes;
  }

  /** @param {Component} component */
  async update(component) {
    this.component = component;
    const before = this.options;
    this.options = told(component);
    if (!this.box) return;
    const anew = before.network.weights !== this.options.network.weights; // another model, or this one trained again
    if (anew) {
      await this.#load();
      if (this.gone) return;
      this.maps.setCodes(this.codes, this.options.colours);
      this.maps.setPrior(this.model.prior);
    }
    this.maps.retheme();
    if (anew || before.digit.id !== this.options.digit.id) this.#take(null);
    else if (component.data.options !== this.told) this.#know(); // climbs, say, have come after the rest
    this.request();
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    clearTimeout(this.rest);
    this.climb?.stop();
    this.maps?.destroy();
    this.resized?.disconnect();
  }

  // What Python has said -----------------------------------------------------------------------------------------------

  /** A digit has come; asked: μ₁, μ₂, log σ₁², log σ₂² from a link, or null. */
  #take(asked) {
    const { slug, digit, label, q } = this.options;
    this.key = `${slug} ${digit.id}`;
    this.x = this.model.observe(pixelsOf(digit));
    this.bound = new Bound(this.model, this.x, label);
    this.own = this.#cost(q);
    const kept = remembered.key === this.key ? remembered.q : null;
    this.q = clamped(asked ? { mean: asked.slice(0, 2), logvar: asked.slice(2) } : kept ?? q);
    this.maps.q = this.q;
    this.#know();
    this.maps.fit();
    if (kept || asked) this.#remember();
    if (!asked && !kept && link.get("q") !== null) link.set({ q: null });
  }

  /** The account of q; that of the encoder's and of the best is Python's, with as many nodes as it takes. */
  #cost(q) {
    const narrow = this.options.rungs.filter((rung) => Math.max(...sigmas(rung)) <= WIDE); // the others have too few nodes
    const known = [this.options.q, this.options.best, ...narrow].find((one) => same(q, one));
    const now = this.bound.at(q);
    if (!known) return { ...now, wide: Math.max(...sigmas(q)) > WIDE };
    return { ...now, elbo: known.elbo, reconstruction: -known.elbo - now.kl.reduce((sum, part) => sum + part, 0), wide: false };
  }

  /** Everything that follows from the options and not from q. */
  #know() {
    const { given, log_p, best, paths } = this.options;
    this.told = this.component.data.options;
    this.climb.know(paths);
    this.ladder.know(this.options);
    this.account.know({ given, log_p, own: this.own.elbo, best: best.elbo });
    this.maps.know(this.options);
    this.#showButtons();
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(views, own) {
    this.bar = element("div", { className: "bar" });
    this.account = new Account(this.options.words);
    this.pictures = new Pictures();
    this.climb = new Climb({
      go: (q) => this.#put(q),
      settle: () => this.#settle(),
      choose: (end) => this.maps.inSight(end.mean) || this.maps.showBoth(end),
    });
    this.where = element("p", { className: "where" });
    this.ladder = new Ladder((rung) => {
      this.#leap(rung);
      if (!this.maps.inSight(rung.mean)) this.maps.showBoth(rung);
    });
    this.shrink = new Shrink(() => this.#leap({ mean: this.q.mean, logvar: this.q.logvar.map((v) => v - 2 * Math.LN2) }));
    const hint = element("div", { className: "hint" }, this.where, element("p", { className: "quiet help", textContent:
      "Drag the ring to move μ, the dots to stretch σ; a click brings μ. Keys: arrows move, Shift + arrows stretch, " +
      "Home is the encoder's q." }), this.shrink.box);
    const facts = element("div", { className: "facts" }, this.pictures.box, this.account.table);
    const places = element("div", { className: "places" }, buildPlace("whole"), buildPlace("near"), hint, facts);
    const desk = element("div", { className: "desk" }, this.bar, this.account.box, this.account.verdict, places,
      this.ladder.box, this.climb.box);
    this.box = element("div", { className: "view bound" }, desk);
    this.root.replaceChildren(views, own, this.box);
    this.say = announcer(this.box);
    this.maps = new Maps(this.box, {
      take: () => this.climb.stop(),
      move: (q) => {
        this.climb.step = null; // the hand has moved q: it is on no path any more
        this.#put(q);
      },
      settle: () => this.#settle(),
      rest: () => {
        clearTimeout(this.rest);
        this.rest = setTimeout(() => this.#settle(), REST);
      },
      home: () => this.options.q,
    });
    this.maps.setCodes(this.codes, this.options.colours);
    this.maps.setPrior(this.model.prior);
    this.resized = new ResizeObserver(() => this.climb.box.isConnected && this.now && this.#drawClimb());
    this.resized.observe(this.climb.chart);
  }

  get whole() {
    return this.maps.whole;
  }

  get near() {
    return this.maps.near;
  }

  #showButtons() {
    const { best, modes, q } = this.options;
    const go = (words, title, where, frame) => {
      const made = button(words, () => {
        this.#leap(where);
        frame();
      }, title);
      this.bar.append(made);
      return /** @type {[HTMLElement, Gaussian]} */ ([made, where]);
    };
    this.bar.replaceChildren();
    this.presets = [
      go("Encoder's q", "What the encoder says in one pass", q, () => this.maps.showPosterior()),
      go("Prior", "q = N(0, I): no KL, but it draws every digit", { mean: [0, 0], logvar: [0, 0] }, () => {}),
      go("Best q", `The highest ELBO that a climb has found: ${nats(best.elbo)}`, best, () => this.maps.showBoth(best)),
    ];
    if (modes.length < 2) return;
    modes.forEach(({ z, mass }, k) => {
      this.presets.push(go(`Mode ${k + 1} · ${(100 * mass).toFixed(mass < 0.1 ? 1 : 0)} %`,
        "A place of its own where the posterior has this share of its mass", { mean: z, logvar: q.logvar },
        () => this.maps.showMode(k)));
    });
  }

  // Where q is ---------------------------------------------------------------------------------------------------------

  #put(q) {
    this.q = clamped(q);
    this.maps.q = this.q; // before the next frame: more of a drag may come
    this.request();
  }

  /** A button puts q somewhere: it is on no path any more. */
  #leap(q) {
    this.climb.stop();
    this.climb.step = null;
    this.#put(q);
    this.#settle();
  }

  /** The hand has let go: the link hears of it. */
  #settle() {
    clearTimeout(this.rest);
    this.request();
    this.#remember();
  }

  #remember() {
    Object.assign(remembered, { key: this.key, q: copy(this.q) });
    link.set({ q: same(this.q, this.options.q) ? null : toLink([...this.q.mean, ...this.q.logvar], 4) });
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw() {
    const { options: { log_p }, q, own } = this;
    const now = (this.now = this.#cost(q));
    const gap = cents(log_p) - cents(now.elbo);
    this.maps.show(q, this.climb.chosen);
    this.pictures.show(this.x, this.bound, now.atMean);
    this.account.show(now, own, log_p, this.#judge(gap));
    const sigma = sigmas(q);
    const digits = Math.min(...sigma) < 0.1 ? 3 : 2;
    write(this.where, `μ = (${q.mean.map((v) => signed(v, digits)).join(", ")})\n` +
      `σ = (${sigma.map((v) => v.toFixed(digits)).join(", ")})`);
    this.ladder.show(q);
    this.shrink.show(now, own, q.logvar.every((v) => v <= LIMITS.logvar[0]));
    for (const [made, where] of this.presets) press(made, same(q, where));
    this.#drawClimb();
    this.say(`ELBO ${about(now.elbo, now)} nats, ${about(gap, now)} below log p of x. ${this.where.textContent}`);
  }

  #drawClimb() {
    const { log_p, given } = this.options;
    this.climb.draw({ elbo: this.now.elbo, own: this.own.elbo, log_p, given }, this.near.theme);
  }

  /** One sentence: how good this q is. */
  #judge(gap) {
    const { best, log_p, q } = this.options;
    const own = cents(log_p) - cents(this.own.elbo);
    if (same(this.q, q)) {
      const won = Math.max(0, cents(best.elbo) - cents(this.own.elbo));
      return `The encoder's one pass leaves ${nats(own)} nats: ${nats(won)} that a better ellipse would win back ` +
        `(the amortisation gap), ${nats(own - won)} that no ellipse with these axes was found to reach (the approximation gap).`;
    }
    const better = own - gap;
    const against = Math.abs(better) < 0.005 ? "as good as the encoder's" : better > 0
      ? `${about(better, this.now)} nats better than the encoder's` : `${about(-better, this.now)} nats worse than the encoder's`;
    const short = best.elbo - this.now.elbo;
    const rest = short < 0.02 ? ", as good as the best that was found" : `, ${about(short, this.now)} short of the best`;
    return `This q is ${against}${rest}. No q crosses the line.`;
  }
}

/** @returns {Gaussian} q within what is drawn and computed */
function clamped({ mean, logvar }) {
  const within = (v, low, high) => Math.min(high, Math.max(low, v));
  const [low, high] = LIMITS.logvar;
  return { mean: mean.map((v) => within(v, -LIMITS.mean, LIMITS.mean)), logvar: logvar.map((v) => within(v, low, high)) };
}

/** The part's own sheet: the one that came with the first picture, or fetched. */
async function boundSheet(root) {
  const there = root.querySelector("style[data-bound]");
  if (there) return there;
  const response = await fetch(new URL("posterior.css", import.meta.url));
  return element("style", { textContent: await response.text() });
}
