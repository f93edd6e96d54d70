// "Posterior" on the page "The bound": one digit's exact posterior, a Gaussian q under the hand, and the nats
// between them. The ELBO follows by Gauss–Hermite (bound.mjs); log p(x) is Python's. Python hears of q when the hand
// lets go.

import { link, say, told } from "../../host.mjs";
import { Bound, WIDE } from "../../maths/bound.mjs";
import { button, dimension, element, numbersOf, pixelsOf, press, signed, styleSheet, toLink } from "../../parts/controls.mjs";
import { SIDE } from "../../maths/digit.mjs";
import { EngineError, PIXELS } from "../../engine/engine.mjs";
import { Heat } from "../../parts/heat.mjs";
import { COLOURS, announcer, calm, digitCanvas, frameLoop, paint } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";
import * as registry from "../../engine/registry.mjs";

const NUDGE = 0.2; // σ that an arrow key moves μ
const STRETCH = 1.05; // that Shift and an arrow key stretch σ
const LIMITS = { mean: 20, logvar: [-14, 5] };
const GRIP = 26; // CSS pixels between μ and the handle of a σ, at least
const ROOM = 20; // CSS pixels that a σ must have on the whole map to get a handle there
const PLAY = 4000; // milliseconds of a whole climb
const KNEE = 0.1; // nats below log p(x) where the axis turns from linear to logarithmic
const REACH = 3000; // nats below log p(x) at its end
const TICKS = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000];
// Climbs: colours that are no digit's, seen on both grounds, and dashes, so that colour is not the only cue.
const PATHS = [["#1f9e89", []], ["#7d6bf2", [7, 4]], ["#c77f0a", [2, 4]], ["#5c8a2f", [9, 3, 2, 3]],
  ["#b0568f", [12, 4]], ["#4f86a8", [4, 2, 1, 2]], ["#8c7a3d", [1, 3]], ["#6b6f76", [6, 6]]];
const FIRE = [[8, 9, 11], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // dark to light, on its own ground

const remembered = {}; // {key, q}: survives a switch of pages, as this module does
let linked = true; // a q in the link is of the digit and the model that the document opened with

const nats = (v) => (Math.abs(v) < 1e5 ? v.toFixed(2) : Number.isFinite(v) ? v.toExponential(1) : "∞").replace("-", "−");
const cents = (v) => Math.round(100 * v) / 100; // shown parts add up to the shown whole
const sigmas = (q) => q.logvar.map((v) => Math.exp(0.5 * v));
const copy = ({ mean, logvar }) => ({ mean: [...mean], logvar: [...logvar] });
const same = (a, b) => [0, 1].every((d) => Math.abs(a.mean[d] - b.mean[d]) < 1e-9 && Math.abs(a.logvar[d] - b.logvar[d]) < 1e-9);
/** A gap in nats → its place between log p(x), 0, and the end of the axis, 1. */
const place = (gap) => Math.min(1, Math.max(0, Math.asinh(gap / KNEE) / Math.asinh(REACH / KNEE)));

/** Shows what ui/views/bound/posterior.py describes (options) in root. */
export async function mount(root, component) {
  const view = new BoundView(root, component);
  await view.start();
  return view;
}

class BoundView {
  constructor(root, component) {
    this.root = root;
    this.component = component;
    this.options = told(component);
    this.request = frameLoop(() => this.draw());
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
    const [model, codes] = await Promise.all([registry.model(network), registry.codes(network)]);
    if (!model.probabilistic || model.latentDim !== 2) {
      throw new EngineError(`The bound is drawn for a posterior in two dimensions; ${slug} has none.`);
    }
    Object.assign(this, { model, codes });
  }

  async update(component) {
    this.component = component;
    const before = this.options;
    this.options = told(component);
    if (!this.box) return;
    if (before.slug !== this.options.slug) {
      await this.#load();
      if (this.gone) return;
      for (const plane of this.planes) plane.setCodes(this.codes, COLOURS);
    }
    for (const plane of this.planes) plane.retheme();
    const other = before.slug !== this.options.slug || before.digit.id !== this.options.digit.id;
    if (other) this.#take(null);
    else if (component.data.options !== this.told) this.#know(); // climbs, say, have come after the rest
    this.request();
  }

  destroy() {
    this.gone = true;
    this.request.stop();
    cancelAnimationFrame(this.playing);
    clearTimeout(this.rest);
    for (const plane of this.planes ?? []) plane.destroy();
  }

  // What Python has said -----------------------------------------------------------------------------------------------

  /** A digit has come; asked: μ₁, μ₂, log σ₁², log σ₂² from a link, or null. */
  #take(asked) {
    const { slug, digit, label, q } = this.options;
    this.key = `${slug} ${digit.id}`;
    this.x = this.model.observe(pixelsOf(digit));
    this.bound = new Bound(this.model, this.x, label);
    this.own = this.#account(q); // of the encoder's q
    const kept = remembered.key === this.key ? remembered.q : null;
    this.q = copy(asked ? { mean: asked.slice(0, 2), logvar: asked.slice(2) } : kept ?? q);
    this.#clamp();
    this.#know();
    this.#frame();
    if (kept || asked) this.#remember();
    if (!asked && !kept && link.get("q") !== null) link.set({ q: null });
  }

  /** The account of q; that of the encoder's and of the best is Python's, with as many nodes as it takes. */
  #account(q) {
    const told = [this.options.q, this.options.best].find((known) => same(q, known));
    const now = this.bound.at(q);
    if (!told) return { ...now, wide: Math.max(...sigmas(q)) > WIDE };
    return { ...now, elbo: told.elbo, reconstruction: -told.elbo - now.kl[0] - now.kl[1], wide: false };
  }

  /** Everything that follows from the options and not from q. */
  #know() {
    const { heat, modes, paths, label } = this.options;
    this.told = this.component.data.options;
    this.heat = heat.map((raster) => new Heat(raster));
    this.evidence = label === null ? "p(x)" : `p(x | y = ${label})`;
    write(this.terms.gap.previousElementSibling, `KL(q ‖ p(z | ${label === null ? "x" : "x, y"})), the gap`);
    for (const name of this.box.querySelectorAll("[data-evidence]")) name.textContent = `log ${this.evidence}`;
    this.#stop();
    this.chosen = 0;
    this.step = null;
    this.#showButtons();
    this.#showClimbs();
    modes.forEach(({ z }, k) => modes.length > 1 && this.whole.setMarker(`mode ${k}`, {
      z, shape: "cross", size: 5, colour: this.whole.theme.text, text: String(k + 1),
    }));
    for (const name of [...this.whole.markers.keys()]) {
      if (name.startsWith("mode ") && (modes.length < 2 || Number(name.slice(5)) >= modes.length)) this.whole.setMarker(name, null);
    }
    this.#showMarks();
    for (const plane of this.planes) plane.redraw();
  }

  /** Both maps onto what they show: all codes and the posterior; the posterior and q. */
  #frame() {
    const { whole, near, options: { heat: [all, close] } } = this;
    const [left, bottom, right, top] = close.bounds;
    const centre = [(left + right) / 2, (bottom + top) / 2];
    const [from, , to] = all.bounds;
    whole.fit = () => whole.setView(whole.home.centre, to - from); // the posterior can lie beyond the codes
    whole.fit();
    near.home = { centre, half: Math.max(3, right - left) }; // how far one can zoom out
    near.fit = () => near.setView(centre, Math.max(right - left, top - bottom));
    near.fit();
  }

  // Building -----------------------------------------------------------------------------------------------------------

  #build(views, own) {
    this.bar = element("div", { className: "bar" });
    this.account = this.#buildAccount();
    const places = element("div", { className: "places" },
      this.#buildPlace("whole", "The whole map", "faint: test digits; frame: the close-up"),
      this.#buildPlace("near", "Close-up", ""),
      this.#buildHint(),
      this.#buildFacts());
    this.climb = this.#buildClimb();
    const desk = element("div", { className: "desk" }, this.bar, this.account, this.verdict, places, this.climb);
    this.box = element("div", { className: "view bound" }, desk);
    this.root.replaceChildren(views, own, this.box);
    this.say = announcer(this.box);
    const plane = (host, labelText, wheel) => new Plane(this.box.querySelector(host), { labelText, wheel, scroll: true });
    const keys = "Arrow keys move the mean of q, Shift and arrow keys stretch it, Home goes back to the encoder's.";
    this.whole = plane(".whole .square", `The whole map. ${keys}`, false);
    this.near = plane(".near .square", `Close-up of the posterior. ${keys} Plus and minus zoom.`, true);
    this.planes = [this.whole, this.near];
    for (const p of this.planes) {
      p.pointOpacity = p === this.whole ? 0.4 : 0.22;
      p.showNumerals = false; // the digit in hand is the subject
      p.setCodes(this.codes, COLOURS);
      p.setCircles("prior");
      this.#listen(p);
    }
    this.whole.over.push((ctx, p) => this.heat[0].draw(ctx, p, { colour: p.theme.accent, lines: false }));
    this.near.over.push((ctx, p) => this.#drawPosterior(ctx, p));
    for (const p of this.planes) {
      p.over.push((ctx) => this.#drawPaths(ctx, p));
      p.layers.push((ctx) => this.#drawQ(ctx, p));
    }
    this.whole.layers.unshift((ctx, p) => this.#drawFrame(ctx, p));
    this.near.layers.push((ctx, p) => this.#drawScale(ctx, p));
    this.near.onView = () => this.whole.request();
    const zoom = element("div", { className: "zoom" },
      button("+", () => this.near.zoom(1 / 1.5), "Closer"),
      button("−", () => this.near.zoom(1.5), "Farther"),
      button("⤢", () => this.#showBoth(), "Show the posterior and q"));
    for (const b of zoom.children) b.setAttribute("aria-label", b.title);
    this.near.host.append(zoom);
    new ResizeObserver(() => this.climb.isConnected && this.#drawChart()).observe(this.chart);
  }

  #buildAccount() {
    const term = (name, words) => element("span", { className: `term ${name}` },
      element("small", { innerHTML: words, title: this.options.words?.[name] ?? "" }), element("b", { textContent: "—" }));
    const sum = element("div", { className: "sum" },
      term("evidence", '<span data-evidence>log p(x)</span>, exact and fixed'), element("i", { textContent: "=" }),
      term("elbo", "ELBO of q"), element("i", { textContent: "+" }),
      term("gap", "KL(q ‖ p(z | x)), the gap"));
    this.marks = element("div", { className: "marks" });
    this.track = element("div", { className: "track" },
      element("span", { className: "filled" }, element("em", { textContent: "ELBO" })),
      element("span", { className: "lacking" }, element("em")), element("span", { className: "beyond" }),
      element("span", { className: "wall" }), this.marks);
    this.track.setAttribute("role", "img");
    this.track.setAttribute("aria-label", "The ELBO as a bar that ends below log p(x); what lacks is the gap");
    const ticks = element("div", { className: "ticks" }, ...TICKS.filter((gap) => gap !== 300).map((gap) => {
      const tick = element("span", { textContent: String(gap) });
      tick.style.setProperty("--at", place(gap));
      if (![1, 10, 100, 1000].includes(gap)) tick.className = "minor";
      return tick;
    }), element("b", {}, element("span", { innerHTML: "<span data-evidence>log p(x)</span>" })));
    const unit = element("small", {}, " nats", element("span", { className: "below", textContent: " below" }),
      element("span", { className: "scale", textContent: ", log scale" }));
    ticks.querySelector(":scope > span:last-of-type").append(unit);
    ticks.title = "Nats below log p(x), on a logarithmic scale";
    this.verdict = element("p", { className: "reading" });
    const box = element("div", { className: "account" }, sum, this.track, ticks);
    this.terms = Object.fromEntries(["evidence", "elbo", "gap"].map((name) => [name, sum.querySelector(`.${name} b`)]));
    return box;
  }

  #buildPlace(name, title, note) {
    const caption = element("figcaption", {}, element("b", { textContent: title }), " ");
    if (name === "near") {
      caption.append(element("span", { className: "key truth", textContent: "true posterior",
        title: "Its lines lie where a Gaussian would have its 1 σ and its 2 σ" }),
        element("span", { className: "key ours", textContent: "q, 1σ and 2σ" }));
    } else caption.append(element("small", { className: "quiet", textContent: note }));
    return element("figure", { className: `place ${name}` }, caption, element("div", { className: "square" }));
  }

  #buildHint() {
    this.where = element("p", { className: "where" });
    return element("div", { className: "hint" }, this.where, element("p", { className: "quiet help", textContent:
      "Drag the ring to move μ, the dots to stretch σ; a click brings μ. Keys: arrows move, Shift + arrows stretch, " +
      "Home is the encoder's q." }));
  }

  #buildFacts() {
    const tile = (name, label) => {
      const canvas = digitCanvas({ label });
      canvas.style.cssText = ""; // the sheet frames it
      const note = element("small", { className: "quiet" });
      const figure = element("figure", { className: "tile" }, canvas,
        element("figcaption", {}, element("b", { textContent: name })), note);
      return { canvas, note, figure };
    };
    this.tiles = {
      digit: tile("Digit x", "The digit as the likelihood sees it"),
      drawn: tile("Drawn at μ", "What the model draws at the mean of q"),
      cost: tile("Its cost", "Where the nats go: −log p of each pixel at the mean of q"),
    };
    const { digit, drawn, cost } = this.tiles;
    drawn.note.textContent = "mean of p(x | μ)";
    const strip = element("span", { className: "strip" });
    strip.style.background = `linear-gradient(to right, ${FIRE.map((c) => `rgb(${c})`).join(", ")})`;
    this.dearest = element("span");
    cost.note.append("0", strip, this.dearest);
    const rows = [
      ["reconstruction", "Reconstruction, expected"],
      ["atMean", "at the mean z = μ"],
      ["kl0", `+ KL of ${dimension(0)}`],
      ["kl1", `+ KL of ${dimension(1)}`],
      ["nelbo", "= −ELBO"],
      ["evidence", '−<span data-evidence>log p(x)</span>, exact'],
      ["gap", "Gap"],
    ];
    const table = element("table", {}, element("tr", {},
      element("th", { textContent: "Nats, less is better" }), element("th", { textContent: "now" }),
      element("th", { textContent: "encoder" })));
    this.cells = {};
    for (const [name, words] of rows) {
      const [now, then] = [element("td"), element("td", { className: "quiet" })];
      this.cells[name] = [now, then];
      table.append(element("tr", { className: name }, element("th", { scope: "row", innerHTML: words }), now, then));
    }
    return element("div", { className: "facts" },
      element("div", { className: "tiles" }, digit.figure, drawn.figure, cost.figure), table);
  }

  #buildClimb() {
    this.chart = element("canvas");
    this.chart.setAttribute("role", "img");
    this.ways = element("div", { className: "ways" });
    this.player = button("Play", () => (this.playing ? this.#stop() : this.#play()), "Let q climb this path");
    this.slider = element("input", { type: "range", min: 0, step: 1, value: 0 });
    this.slider.setAttribute("aria-label", "Step of the climb");
    this.slider.oninput = () => {
      this.#stop();
      this.#goTo(this.slider.valueAsNumber);
    };
    this.slider.onchange = () => this.#settle();
    this.stepText = element("span", { className: "value" });
    return element("section", { className: "climb", hidden: true },
      element("h3", { textContent: "The E-step: let q climb" }),
      element("div", { className: "head" }, this.ways),
      element("div", { className: "head" }, this.player, this.slider, this.stepText),
      element("figure", {}, this.chart, element("figcaption", { className: "quiet", textContent:
        "Steps of the climb to the right; upwards the ELBO, in nats below the line, on a logarithmic scale like the bar's. " +
        "The dashed grey line is what the encoder reaches in one pass." })));
  }

  #showButtons() {
    const { best, modes, q, heat } = this.options;
    const go = (words, title, where, frame) => {
      const made = button(words, () => {
        this.#stop();
        this.step = null;
        this.q = copy(where);
        (frame ?? this.near.fit)();
        this.#settle();
      }, title);
      this.bar.append(made);
      return [made, where];
    };
    this.bar.replaceChildren();
    this.presets = [
      go("Encoder's q", "What the encoder says in one pass", q),
      go("Prior", "q = N(0, I): no KL, but it draws every digit", { mean: [0, 0], logvar: [0, 0] }, () => {}),
      go("Best q", `The highest ELBO that a climb has found: ${nats(best.elbo)}`, best, () => this.#showBoth(best)),
    ];
    if (modes.length < 2) return;
    modes.forEach(({ z, mass }, k) => {
      const [left, bottom, right, top] = (heat[k + 2] ?? heat[1]).bounds;
      const frame = () => this.near.setView([(left + right) / 2, (bottom + top) / 2], Math.max(right - left, top - bottom));
      this.presets.push(go(`Mode ${k + 1} · ${(100 * mass).toFixed(mass < 0.1 ? 1 : 0)} %`,
        "A place of its own where the posterior has this share of its mass", { mean: z, logvar: q.logvar }, frame));
    });
  }

  /** Ticks above the bar: the encoder's ELBO and the best. */
  #showMarks() {
    const { log_p, best } = this.options;
    const mark = (name, elbo) => {
      const made = element("span", { className: `mark ${name}`, textContent: name });
      made.style.setProperty("--at", place(log_p - elbo));
      return made;
    };
    this.track.style.setProperty("--best", place(log_p - best.elbo));
    this.marks.replaceChildren(mark("encoder", this.own.elbo), mark("best", best.elbo));
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  #listen(plane) {
    let hold = null;
    plane.onDrag = (name, z) => {
      this.#stop();
      const { mean, logvar } = this.q;
      const d = name === "top" ? 1 : 0;
      const arm = Math.abs(z[d] - mean[d]);
      hold ??= { from: copy(this.q), at: z, ratio: Math.exp(0.5 * logvar[d]) / Math.max(arm, 1e-9) };
      if (name === "mu") this.q.mean = hold.from.mean.map((v, i) => v + z[i] - hold.at[i]);
      else if (arm > 0) this.q.logvar[d] = 2 * Math.log(hold.ratio * arm);
      this.#changed();
    };
    plane.onRelease = () => {
      const moved = hold && !same(hold.from, this.q);
      hold = null;
      if (moved) this.#settle();
    };
    plane.onPick = (z) => {
      this.#stop();
      this.q.mean = [...z];
      this.#changed();
      this.#settle();
    };
    plane.host.addEventListener("keydown", (e) => this.#key(e), true); // before the plane takes the arrows for its cursor
  }

  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || !e.target.matches("canvas")) return;
    const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1] };
    if (e.key === "Home") this.q = copy(this.options.q);
    else if (e.key in arrows) {
      const [d, way] = arrows[e.key];
      if (e.shiftKey) this.q.logvar[d] += 2 * way * Math.log(STRETCH);
      else this.q.mean[d] += way * NUDGE * Math.exp(0.5 * this.q.logvar[d]);
    } else return;
    e.preventDefault();
    e.stopPropagation();
    this.#stop();
    this.#changed();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.#settle(), 400);
  }

  #clamp() {
    const { mean, logvar } = this.q;
    const [low, high] = LIMITS.logvar;
    for (let d = 0; d < 2; d++) {
      mean[d] = Math.min(LIMITS.mean, Math.max(-LIMITS.mean, mean[d]));
      logvar[d] = Math.min(high, Math.max(low, logvar[d]));
    }
  }

  /** The hand has moved q: it is on no path any more. */
  #changed() {
    this.step = null;
    this.#clamp();
    this.request();
  }

  /** The hand has let go: the link and Python hear of it. */
  #settle() {
    clearTimeout(this.rest);
    this.request();
    this.#remember();
    const { slug, digit } = this.options;
    const round = (values) => values.map((v) => Number(v.toFixed(4)));
    say(this.component, {
      slug, digit: digit.id, mean: round(this.q.mean), logvar: round(this.q.logvar),
      elbo: Number(this.#account(this.q).elbo.toFixed(3)),
    });
  }

  #remember() {
    Object.assign(remembered, { key: this.key, q: copy(this.q) });
    link.set({ q: same(this.q, this.options.q) ? null : toLink([...this.q.mean, ...this.q.logvar], 4) });
  }

  /** The close-up onto the posterior and q (2 σ), whatever lies between them. */
  #showBoth(q = this.q) {
    const [left, bottom, right, top] = this.options.heat[1].bounds;
    const sigma = sigmas(q);
    const low = [left, bottom].map((v, d) => Math.min(v, q.mean[d] - 2.2 * sigma[d]));
    const high = [right, top].map((v, d) => Math.max(v, q.mean[d] + 2.2 * sigma[d]));
    this.near.setView(low.map((v, d) => (v + high[d]) / 2), Math.max(high[0] - low[0], high[1] - low[1]));
  }

  #inSight(z) {
    const [left, bottom, right, top] = this.near.bounds();
    return z[0] > left && z[0] < right && z[1] > bottom && z[1] < top;
  }

  // The E-step ---------------------------------------------------------------------------------------------------------

  #showClimbs() {
    const { paths } = this.options;
    this.climb.hidden = !paths.length;
    if (!paths.length) return;
    this.ways.replaceChildren(...paths.map(({ name, points }, k) => {
      const [colour, dash] = PATHS[k % PATHS.length];
      const swatch = `<svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke="${colour}" ` +
        `stroke-width="2.5" stroke-dasharray="${dash.join(" ")}"/></svg>`;
      const made = button("", () => {
        this.#stop();
        this.chosen = k;
        this.slider.max = points.length - 1;
        this.#goTo(0);
        const [mean, logvar] = [points.at(-1).slice(0, 2), points.at(-1).slice(2, 4)];
        if (!this.#inSight(mean)) this.#showBoth({ mean, logvar });
        this.#settle();
      }, `ELBO ${nats(points.at(-1)[4])} in the end`);
      made.innerHTML = swatch;
      made.append(` ${name}`);
      return made;
    }));
    this.slider.max = paths[this.chosen].points.length - 1;
    this.slider.value = 0;
  }

  /** q onto a step of the chosen climb; it may lie between two. */
  #goTo(step) {
    const { points } = this.options.paths[this.chosen];
    const low = Math.min(points.length - 1, Math.floor(step));
    const high = Math.min(points.length - 1, low + 1);
    const at = points[low].map((v, i) => v + (step - low) * (points[high][i] - v));
    this.q = { mean: at.slice(0, 2), logvar: at.slice(2, 4) };
    this.#clamp();
    this.step = step;
    this.request();
  }

  #play() {
    const last = this.options.paths[this.chosen].points.length - 1;
    const from = this.step === null || this.step >= last ? 0 : this.step;
    if (calm()) { // nothing moves by itself
      this.#goTo(last);
      this.#settle();
      return;
    }
    this.player.textContent = "Pause";
    let start = null;
    const go = (time) => {
      start ??= time;
      const step = from + ((time - start) / PLAY) * last;
      this.#goTo(Math.min(last, step));
      if (step < last) this.playing = requestAnimationFrame(go);
      else this.#stop(true);
    };
    this.playing = requestAnimationFrame(go);
  }

  #stop(settle = false) {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.player.textContent = "Play";
    if (settle) this.#settle();
  }

  // Drawing ------------------------------------------------------------------------------------------------------------

  draw() {
    const { options, bound, q, own } = this;
    const now = this.#account(q);
    const gap = cents(options.log_p) - cents(now.elbo);
    this.now = { ...now, gap: options.log_p - now.elbo };
    const about = (v, account) => (account.wide ? `≈ ${Math.round(v)}`.replace("-", "−") : nats(v));
    this.#drawMarkers();
    paint(this.tiles.digit.canvas, this.x);
    paint(this.tiles.drawn.canvas, bound.pixels);
    this.#paintCost();
    write(this.tiles.digit.note, this.model.likelihood === "bernoulli" ? "binarised" : "grey");
    // The account
    write(this.terms.evidence, nats(options.log_p));
    write(this.terms.elbo, about(now.elbo, now));
    write(this.terms.gap, about(Math.abs(gap) < 0.005 ? 0 : gap, now));
    this.track.style.setProperty("--elbo", place(gap));
    const [, lacking] = this.track.querySelectorAll("em");
    write(lacking, place(gap) > 0.12 ? `${about(gap, now)} nats` : "");
    write(this.verdict, this.#judge(gap, (v) => about(v, now)));
    const column = (account, k) => {
      const [kl0, kl1] = account.kl.map(cents);
      const nelbo = -cents(account.elbo);
      const values = {
        reconstruction: nelbo - kl0 - kl1, atMean: account.atMean, kl0, kl1, nelbo, evidence: -cents(options.log_p),
        gap: cents(options.log_p) + nelbo,
      };
      const rough = ["reconstruction", "nelbo", "gap"];
      for (const [name, cells] of Object.entries(this.cells)) {
        write(cells[k], rough.includes(name) ? about(values[name], account) : nats(values[name]));
      }
    };
    column(now, 0);
    column(own, 1);
    const sigma = sigmas(q);
    const digits = Math.min(...sigma) < 0.1 ? 3 : 2;
    write(this.where, `μ = (${q.mean.map((v) => signed(v, digits)).join(", ")})\n` +
      `σ = (${sigma.map((v) => v.toFixed(digits)).join(", ")})`);
    for (const [made, where] of this.presets) press(made, same(q, where));
    this.#drawChart();
    this.say(`ELBO ${about(now.elbo, now)} nats, ${about(gap, now)} below log p of x. ${this.where.textContent}`);
  }

  /** One sentence: how good this q is. */
  #judge(gap, say) {
    const { best, log_p, q } = this.options;
    const own = cents(log_p) - cents(this.own.elbo);
    if (same(this.q, q)) {
      const won = Math.max(0, cents(best.elbo) - cents(this.own.elbo));
      return `The encoder's one pass leaves ${nats(own)} nats: ${nats(won)} that a better Gaussian would win back ` +
        `(amortisation), ${nats(own - won)} that none with these axes was found to reach (approximation).`;
    }
    const better = own - gap;
    const against = Math.abs(better) < 0.005 ? "as good as the encoder's" : better > 0
      ? `${say(better)} nats better than the encoder's` : `${say(-better)} nats worse than the encoder's`;
    const short = best.elbo - this.now.elbo;
    const rest = short < 0.02 ? ", as good as the best that was found" : `, ${say(short)} short of the best`;
    return `This q is ${against}${rest}. No q crosses the line.`;
  }

  #paintCost() {
    const { canvas } = this.tiles.cost;
    const { cost } = this.bound;
    const context = canvas.getContext("2d");
    this.costImage ??= context.createImageData(SIDE, SIDE);
    const { data } = this.costImage;
    const top = Math.max(...cost, 1e-6);
    const ends = FIRE.length - 1;
    for (let i = 0; i < PIXELS; i++) {
      const at = Math.max(0, Math.min(1, cost[i] / top)) * ends;
      const k = Math.min(ends - 1, Math.floor(at));
      for (let c = 0; c < 3; c++) data[4 * i + c] = FIRE[k][c] + (at - k) * (FIRE[k + 1][c] - FIRE[k][c]);
      data[4 * i + 3] = 255;
    }
    context.putImageData(this.costImage, 0, 0);
    write(this.dearest, `${top.toFixed(1)} nats`);
    canvas.title = `All pixels together: ${nats(this.now.atMean)} nats; the dearest one ${top.toFixed(2)}`;
  }

  #drawMarkers() {
    const { q } = this;
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
    this.#drawEdge(ctx, plane, x, y);
  }

  /** μ outside the map: an arrow at the edge points to it. */
  #drawEdge(ctx, plane, x, y) {
    const { width, height, theme } = plane;
    if (x >= 0 && y >= 0 && x <= width && y <= height) return;
    const [cx, cy] = [width / 2, height / 2];
    const k = Math.min((cx - 14) / Math.abs(x - cx), (cy - 14) / Math.abs(y - cy));
    const [ax, ay] = [cx + (x - cx) * k, cy + (y - cy) * k];
    ctx.save();
    ctx.translate(ax, ay);
    ctx.rotate(Math.atan2(y - cy, x - cx));
    ctx.beginPath();
    ctx.moveTo(10, 0);
    ctx.lineTo(-6, -7);
    ctx.lineTo(-6, 7);
    ctx.closePath();
    ctx.fillStyle = theme.text;
    ctx.fill();
    ctx.restore();
    const [dx, dy] = [cx - ax, cy - ay];
    const far = Math.hypot(dx, dy) || 1;
    plane.text(ctx, "q", ax + (dx / far) * 18, ay + (dy / far) * 18, { weight: 650 });
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

  /** A length to compare with: the prior's σ is 1. */
  #drawScale(ctx, plane) {
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

  #drawPaths(ctx, plane) {
    const { background } = plane.theme;
    this.options.paths.forEach(({ points }, k) => {
      const [colour, dash] = PATHS[k % PATHS.length];
      const at = points.map((p) => plane.toScreen(p)).filter(([x, y]) => Math.abs(x) < 1e4 && Math.abs(y) < 1e4);
      if (!at.length) return;
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
      ctx.lineWidth = k === this.chosen ? 2.5 : 1.75;
      ctx.strokeStyle = colour;
      ctx.stroke();
      ctx.setLineDash([]);
      const [[sx, sy], [ex, ey]] = [at[0], at.at(-1)];
      ctx.fillStyle = background; // a start is an empty square, an end a full diamond
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
    });
  }

  /** ELBO against steps, for all climbs; the line of log p(x) is the top. */
  #drawChart() {
    const { paths, log_p } = this.options;
    const { clientWidth: width, clientHeight: height } = this.chart;
    if (!paths.length || !width) return;
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    if (this.chart.width !== Math.round(width * ratio)) {
      this.chart.width = Math.round(width * ratio);
      this.chart.height = Math.round(height * ratio);
    }
    const ctx = this.chart.getContext("2d");
    const { theme } = this.near;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    const frame = { left: 44, right: width - 14, top: 16, bottom: height - 22 };
    const last = Math.max(...paths.map(({ points }) => points.length - 1), 1);
    const gaps = paths.flatMap(({ points }) => points.map((p) => log_p - p[4]));
    const deepest = Math.max(place(Math.max(...gaps, log_p - this.own.elbo)), 0.05) * 1.04;
    const toX = (step) => frame.left + (step / last) * (frame.right - frame.left);
    const toY = (gap) => frame.top + (place(gap) / deepest) * (frame.bottom - frame.top);
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
    for (let step = 0; step <= last; step += last > 30 ? 20 : last > 12 ? 10 : 5) ctx.fillText(String(step), toX(step), height - 9);
    ctx.globalAlpha = 1;
    line(toY(log_p - this.own.elbo), theme.text, [4, 4], 1);
    line(toY(0), theme.accent, [], 2.5);
    ctx.fillStyle = theme.accent;
    ctx.textAlign = "left";
    ctx.font = `650 12px ${theme.font}`;
    ctx.fillText(`log ${this.evidence}`, frame.left + 4, frame.top - 9);
    paths.forEach(({ points }, k) => {
      const [colour, dash] = PATHS[k % PATHS.length];
      ctx.beginPath();
      points.forEach((p, i) => ctx.lineTo(toX(i), toY(log_p - p[4])));
      ctx.setLineDash(dash);
      ctx.lineWidth = k === this.chosen ? 2.75 : 1.75;
      ctx.strokeStyle = colour;
      ctx.stroke();
      ctx.setLineDash([]);
    });
    const { points, name } = paths[this.chosen];
    const on = this.step !== null;
    if (on) {
      ctx.beginPath();
      ctx.arc(toX(this.step), toY(this.now.gap), 6, 0, 2 * Math.PI);
      ctx.fillStyle = theme.text;
      ctx.fill();
      ctx.lineWidth = 2;
      ctx.strokeStyle = theme.background;
      ctx.stroke();
      this.slider.value = this.step;
    }
    [...this.ways.children].forEach((made, k) => press(made, k === this.chosen));
    write(this.stepText, `step ${Math.round(this.step ?? 0)} of ${points.length - 1}`);
    this.slider.setAttribute("aria-valuetext", on ? `Step ${Math.round(this.step)}, ELBO ${nats(this.now.elbo)}` : "not on the path");
    this.chart.setAttribute("aria-label", `ELBO against steps. ${paths.map((p) =>
      `${p.name}: to ${nats(p.points.at(-1)[4])}`).join("; ")}. log p(x): ${nats(log_p)}`);
    this.player.title = `Let q climb: ${name}`;
  }
}

/** Put text into an element only where it is another one: the browser would lay it out again. */
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** The part's own sheet: the one that came with the first picture, or fetched. */
async function boundSheet(root) {
  const there = root.querySelector("style[data-bound]");
  if (there) return there;
  const response = await fetch(new URL("posterior.css", import.meta.url));
  return element("style", { textContent: await response.text() });
}
