// The Studio: a digit under the hand, and four models that answer at every brush step. The pad gives 784 pixels, each
// Answer encodes and decodes them, and Python hears one message when the hand lets go.

/**
 * A card. kind: its model's; title, full: its name, and the whole of it; code: what its code is, in words.
 * @typedef {{kind: string, slug: string, network: registry.Network, name: string, title: string, full: string,
 *   code: string}} About
 *
 * A way to spoil a digit. limit: the most of it; chance: there is any in it; trained: the DAE has seen it.
 * @typedef {import("../../parts/spoiling.mjs").Spoil} Spoil
 *
 * A sample or a picture that was asked for under this id: the digit, with words about it, or what is wrong with it.
 * @typedef {{id: number, pixels?: string, notes?: string, origin?: string | null, error?: string}} Brought
 *
 * first: each kind's drawing of the recorded digit, 784 grey bytes as base64; digit: that of all pages, where anybody has
 * chosen one.
 * @typedef {{models: About[], spoils: Spoil[], first: {[kind: string]: string},
 *   digit: (import("../../parts/controls.mjs").Digit & {bits: string, origin: string | null, notes: string}) | null,
 *   brought?: Brought}} Options
 *
 * What Python hears: the wish for a sample, a picture (a file as base64), or what the hand left. bits: the digit as
 * digit.mjs's toText writes it, null where the pad is blank; label: what the CVAE is told; said: the same where the
 * visitor has chosen it, null under auto; origin: the sample ("mnist:200") that the pad shows as it came; codes: z of each
 * kind of model, null where the pad is blank; posterior: the true posterior is shown; spoilt, with it: the encoders see a
 * spoilt digit.
 * @typedef {{sample: number}} Wish
 * @typedef {{picture: string, name: string, id: number}} Picture
 * @typedef {{bits: string | null, label: number | null, said: number | null, origin: string | null,
 *   codes: {[kind: string]: number[]} | null, posterior?: boolean, spoilt?: boolean}} Release
 * @typedef {import("../../host.mjs").Component<Options, Wish | Picture | Release>} Component
 */

import { PAGE_LINK, link, memory, say, told } from "../../host.mjs";
import { Answer } from "./answer.mjs";
import { packed, short } from "../../parts/bring.mjs";
import { offered, photograph } from "../../parts/camera.mjs";
import { arrivals } from "../../parts/coming.mjs";
import { numbersOf, pixelsOf, toLink } from "../../parts/controls.mjs";
import { corrupt, toText } from "../../maths/digit.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import { BRUSH, Pad } from "../../parts/pad.mjs";
import { announcer, calm, digitCanvas, frameLoop, paint, palette } from "../../parts/paint.mjs";
import { Random } from "../../engine/random.mjs";
import { doable, showAgain } from "../../parts/spoiling.mjs";
import { tell } from "./parting.mjs";
import * as registry from "../../engine/registry.mjs";
import { REPLAYS, first } from "./strokes.mjs";
import { LABELS, STEPS, template } from "./template.mjs";
import { badge, nearest, verdict } from "./verdict.mjs";

const COMMON = [1, 1, -1, -1]; // ε that all labels share: two draws whose mean and variances are those of N(0, I)
const ONE_TIMING = 512; // brush steps whose time is kept
const STEPS_KEPT = "studio steps"; // in this tab: what of the first minute is done

const onOff = (on) => (on ? "1" : null);
const places = (answers, of) => answers.filter(of).map((a) => `${a.kind}:${toLink(of(a))}`).join(";") || null;

/** "ae:1,2;vae:0,0" → [answer, [z₁, z₂]] of the kinds that there are: links get cut. */
const placed = (answers, text) => (text ?? "").split(";").flatMap((part) => {
  const [kind, numbers] = part.split(":");
  const [answer, z] = [answers.find((a) => a.kind === kind), numbersOf(numbers, 2)];
  return answer && z ? [[answer, z]] : [];
});

// What the link holds beside the digit, and what stays while the visitor is on another page: of(studio) is its text, or
// null as the page opens; take(studio, text or null) sets it, later(…) where that needs the networks. quiet: Python adds
// nothing to it.
const HELD = {
  label: { of: ({ label }) => label, take: (s, text) => (s.label = /^\d$/.test(text ?? "") ? Number(text) : null) },
  spoil: {
    of: ({ spoil: { kind, amount, seed }, spoils }) => (amount > 0 || seed > 1 || kind !== spoils[0].kind
      ? `${kind}:${Number(amount.toFixed(3))}${seed > 1 ? `:${seed}` : ""}` : null),
    take: (s, text) => {
      const [kind, amount, seed = "1"] = (text ?? "").split(":");
      const known = s.spoils.find((one) => one.kind === kind);
      if (!known || !(Number(amount) >= 0) || !/^\d{1,6}$/.test(seed)) return;
      s.spoil = { kind, amount: Math.min(known.limit, Number(amount)), seed: Math.max(1, Number(seed)) };
    },
  },
  centred: { of: ({ centred }) => (centred ? null : "0"), take: (s, text) => (s.centred = text !== "0") },
  brush: {
    quiet: true,
    of: ({ pad: { radius } }) => (radius === BRUSH.normal ? null : radius),
    take: (s, text) => {
      if (text !== null && Number(text) >= BRUSH.least && Number(text) <= BRUSH.most) s.pad.radius = Number(text);
    },
  },
  numbers: { quiet: true, of: ({ numbers }) => onOff(numbers), take: (s, text) => (s.numbers = text === "1") },
  posterior: { of: ({ truth }) => onOff(truth), take: (s, text) => (s.truth = text === "1") },
  sampled: { quiet: true, of: ({ sampled }) => onOff(sampled), take: (s, text) => (s.sampled = text === "1") },
  coins: { // which numbers the pixels are drawn with
    quiet: true,
    of: ({ coins }) => (coins === 1 ? null : coins),
    take: (s, text) => (s.coins = /^\d{1,9}$/.test(text ?? "") ? Number(text) : 1),
  },
  pull: { of: ({ answers }) => places(answers, (a) => a.pulled), later: (s, text) => placed(s.here, text).forEach(([a, z]) => a.pull(z)) },
  throw: { of: ({ answers }) => places(answers, (a) => a.thrown), later: (s, text) => placed(s.here, text).forEach(([a, eps]) => a.throw(eps)) },
};

let kept = null; // what the visitor had when they left for another page: the document, and this module, stay

/** @param {import("../../host.mjs").Root} root @param {Component} component */
export async function mount(root, component) {
  const options = told(component);
  options.spoils = doable(options.spoils);
  root.innerHTML = template(options);
  try {
    const studio = new Studio(root, component, options);
    document.documentElement.dataset.studio = "live"; // the first picture of the server makes room
    studio.started = studio.start();
    return studio;
  } catch (error) {
    document.documentElement.dataset.studio = "live";
    throw error;
  }
}

class Studio {
  /** @param {import("../../host.mjs").Root} root @param {Component} component @param {Options} options */
  constructor(root, component, options) {
    this.root = root;
    this.component = component;
    this.options = options;
    Object.assign(root.host ?? root, { studio: this }); // for tests and measurements
    /** @type {(selector: string) => any} an element of the template */
    this.at = (selector) => root.querySelector(selector);
    this.started = null; // the promise of start()
    this.gone = false; // another view stands in its place
    /** @type {number | null} */
    this.label = null; // chosen by the visitor; null is auto
    this.guess = null; // what auto takes
    this.spoils = options.spoils;
    this.spoil = { kind: this.spoils[0].kind, amount: 0, seed: 1 };
    this.centred = true;
    this.numbers = false; // codes and every term are shown
    this.truth = false; // the true posterior is shown
    this.sampled = false; // pixels are drawn from their probabilities
    this.coins = 1; // seed of those draws
    this.resting = true; // no hand moves
    this.stepped = false; // the drawing has changed since the last frame
    this.again = false; // or something else that all of it follows from
    this.foreign = false; // the pad shows another digit than the recorded one, which the server's pictures are of
    this.telling = 0; // the frame after which Python is told
    /** @type {AbortController | null} */
    this.watching = null; // ends the camera
    /** @type {Random | null} */
    this.random = null; // for draws from q
    this.bars = null; // {button, bar} of each label
    this.shares = null; // their heights; null where there are none
    this.leave = null; // hears the clicks of the whole document
    this.done = new Set(); // steps of the first minute
    this.awaited = null; // the sample or picture that Python is asked for; another drawing meanwhile makes it unwanted
    this.touched = false; // something was drawn, or taken, since the page opened
    this.told = null; // the last message, as text
    this.leaving = null; // the address of the page that waits until Python has heard what the pad shows
    this.ready = false; // every network has come, but for what is broken
    this.drawing = new Float32Array(PIXELS);
    this.clean = new Float32Array(PIXELS);
    this.spoilt = new Float32Array(PIXELS);
    this.noise = new Float32Array(PIXELS);
    this.timing = { work: new Float64Array(ONE_TIMING), step: new Float64Array(ONE_TIMING), count: 0, since: 0 };

    this.say = announcer(root);
    this.request = frameLoop(() => this.#frame());
    this.tile = digitCanvas({ label: "What the models see: 28 × 28 pixels" });
    this.at(".tile").append(this.tile);
    this.pad = new Pad(this.at(".pad"), {
      change: () => this.#changed(),
      begin: () => this.#begin(),
      release: () => this.#release(),
      say: this.say,
    });
    this.hint = document.createElement("div");
    this.hint.className = "hint";
    this.hint.textContent = "draw here";
    this.at(".pad").append(this.hint);
    this.answers = options.models.map(({ kind, name }) => new Answer(this.at(`[data-kind=${kind}]`), {
      kind, name, noise: this.noise,
      held: (done) => {
        this.resting = done;
        this.request();
        if (!done) return;
        if (this.answers.some(({ pulled }) => pulled)) this.#did("pull");
        this.#release();
      },
    }));
    this.mini = this.at(".mini"); // on a phone, where the cards lie below the hand
    this.minis = this.answers.map(({ kind, name }) => {
      const canvas = digitCanvas({ label: name });
      this.at(`[data-mini=${kind}]`).prepend(canvas);
      return canvas;
    });
    this.#theme();
    this.#listen();
    this.#restore();
    this.#showSteps();
    this.#firstPicture();
  }

  /** Everything that needs the networks. */
  async start() {
    await arrivals(this.options.models.map(({ network }) => network), {
      load: registry.both,
      here: (i, [model, codes]) => {
        if (this.gone) return;
        this.answers[i].start(model, codes, this.options.models[i].network.colours);
        this.answers[i].truth = this.truth;
        this.again = true;
        this.request(); // the first network answers while the others are on their way
      },
      coming: (i, words) => this.answers[i].coming(words),
      failed: (i, error) => this.answers[i].fail(error),
    });
    if (this.gone || !this.here.length) return;
    this.ready = true;
    this.again = true;
    this.at(".room").classList.remove("waiting");
    this.#showTruth();
    this.#frame();
    if (this.clean.some((v) => v > 0)) for (const [name, { later }] of Object.entries(HELD)) later?.(this, this.#asked(name));
    this.resting = true;
    // To whatever is not as the page opens Python adds something, and the link says it.
    if (this.foreign || this.touched || Object.entries(this.#held()).some(([name, text]) => text !== null && !HELD[name].quiet)) this.#release();
    else this.#writeLink();
    this.request();
  }

  /** @param {Component} component */
  update(component) {
    this.component = component;
    const options = told(component);
    const { brought } = options;
    if (brought && brought.id === this.awaited) this.#take(brought);
    this.options = options;
    if (this.leaving && this.heard) this.#go();
    this.#theme();
    this.request();
  }

  #theme() {
    (this.root.host ?? this.root).style.colorScheme = palette(this.root).dark ? "dark" : "light"; // sliders and boxes
    for (const { plane } of this.answers) plane.retheme();
  }

  destroy() {
    const { pad } = this;
    const { id = null } = this.options.digit ?? {};
    kept = { held: this.#held(), id, bits: toText(this.clean), drawing: pad.state, history: pad.history };
    delete document.documentElement.dataset.studio;
    this.gone = true;
    this.request.stop();
    cancelAnimationFrame(this.telling);
    document.removeEventListener("click", this.leave, true);
    this.watching?.abort();
    this.pad.destroy();
    for (const answer of this.answers) answer.destroy();
  }

  // State --------------------------------------------------------------------------------------------------------------

  /** The text of each name that HELD knows. */
  #held() {
    return Object.fromEntries(Object.entries(HELD).map(([name, { of }]) => [name, of(this)]));
  }

  /** What the link says under a name, or what was so before the visitor left for another page. */
  #asked(name) {
    const before = kept?.held[name] ?? null;
    return link.get(name) ?? (before === null ? null : String(before));
  }

  /** The digit that all pages share, as it was left here where it is the same; or the recorded one. */
  #restore() {
    for (const [name, { take }] of Object.entries(HELD)) take?.(this, this.#asked(name));
    const { digit } = this.options;
    const picture = digit && pixelsOf(digit); // Python reads the link's, too
    // Python may not have heard the last of it before the page went: what it knew then is no news.
    const news = Boolean(digit) && digit.id !== kept?.id;
    const same = kept && (!news || toText(picture) === kept.bits);
    if (same) this.pad.history = kept.history;
    else if (kept) this.pad.history = [...kept.history, kept.drawing];
    if (news && digit.origin === null && link.get("label") === null) this.label = digit.label; // as the visitor said elsewhere
    if (same) this.pad.show(kept.drawing, false);
    else this.pad.show(picture ? { picture, origin: digit.origin } : { strokes: first(), example: true, opening: true }, false);
    this.foreign = !this.pad.state.opening;
    if (digit?.notes) this.#note(digit.notes);
    this.#throwCoins();
    const set = (name, property, value) => (this.at(`[data-set=${name}]`)[property] = value);
    set("kind", "value", this.spoil.kind);
    set("brush", "value", this.pad.radius);
    for (const name of ["centred", "numbers", "truth", "sampled"]) set(name, "checked", this[name]);
    for (const answer of this.answers) answer.sampled = this.sampled;
    this.#showAmount();
    this.#showLabel();
    this.#showNumbers();
  }

  // The first minute ---------------------------------------------------------------------------------------------------

  /** A step is done; it stays ticked in this tab. */
  #did(name) {
    if (this.done.has(name)) return;
    this.done.add(name);
    memory.set(STEPS_KEPT, [...this.done].join(" "));
    this.#showSteps();
  }

  #showSteps() {
    const before = (memory.get(STEPS_KEPT) ?? "").split(" ").filter((name) => Object.hasOwn(STEPS, name));
    for (const name of before) this.done.add(name);
    Object.keys(STEPS).forEach((name, i) => {
      const item = this.at(`[data-step=${name}]`);
      const done = this.done.has(name);
      item.classList.toggle("done", done);
      item.querySelector("i").textContent = done ? "✓" : String(i + 1);
      if (done && !item.querySelector(".said")) item.insertAdjacentHTML("beforeend", '<span class="said">, done</span>');
    });
    this.at(".steps").classList.toggle("done", this.done.size === Object.keys(STEPS).length);
  }

  /** What Python computed for the recorded digit, until the networks are here. */
  #firstPicture() {
    const pictures = this.foreign ? null : this.options.first;
    this.answers.forEach((answer, i) => {
      const given = pictures?.[answer.kind];
      if (!given) return;
      const pixels = Float32Array.from(atob(given), (c) => c.charCodeAt(0) / 255);
      for (const canvas of [answer.picture, this.minis[i]]) paint(canvas, pixels);
    });
    this.#see();
    paint(this.tile, this.clean);
  }

  /** The drawing as the likelihood sees it; true where it is another one than before. */
  #see() {
    this.pad.pixels(this.centred, this.drawing);
    let other = false;
    for (let i = 0; i < PIXELS; i++) {
      const v = this.drawing[i] >= 0.5 ? 1 : 0;
      other ||= v !== this.clean[i];
      this.clean[i] = v;
    }
    return other;
  }

  // One brush step -----------------------------------------------------------------------------------------------------

  /** The drawing changed: whatever was pulled or thrown is let go. */
  #changed() {
    this.timing.since ||= performance.now();
    this.stepped = true;
    this.resting = false;
    this.hint.hidden = !(this.pad.empty || this.pad.state.example);
    if (this.here.length) this.request();
    else {
      this.#see();
      paint(this.tile, this.clean);
    }
  }

  #frame() {
    const start = performance.now();
    if (this.stepped) {
      if (this.#see() || this.again) for (const answer of this.answers) answer.letGo();
    } else if (this.again) this.#see();
    this.again = false;
    const drawn = this.clean.some((v) => v > 0);
    const clean = drawn ? this.clean : null;
    let seen = clean;
    const { kind, amount, seed } = this.spoil;
    if (drawn && amount > 0) seen = corrupt(this.clean, kind, amount, new Random(seed), this.spoilt);
    paint(this.tile, seen);
    if (this.here.length) this.#answer(clean, seen);
    const end = performance.now();
    const { timing } = this;
    timing.work[timing.count % ONE_TIMING] = end - start;
    timing.step[timing.count % ONE_TIMING] = timing.since ? end - timing.since : NaN;
    timing.count++;
    timing.since = 0;
    this.stepped = false;
  }

  #answer(clean, seen) {
    this.#labels(clean);
    const label = this.label ?? this.guess ?? 0;
    for (const answer of this.here) {
      answer.answer(clean, seen, label, this.resting);
      if (this.stepped) answer.leaveTrail();
      answer.paint();
    }
    if (this.mini.offsetParent) {
      this.answers.forEach((answer, i) => { if (answer.model) paint(this.minis[i], clean && answer.pixels); });
    }
    if (this.ready) this.#verdict(clean);
  }

  /** The answers whose networks have come. */
  get here() {
    return this.answers.filter(({ model }) => model);
  }

  /** The ten bars, and with auto the label of the highest one. */
  #labels(clean) {
    const cvae = this.here.find(({ kind }) => kind === "cvae");
    const bars = this.bars ??= [...this.root.querySelectorAll("[data-label]")]
      .map((button) => ({ button, bar: button.querySelector("i") }));
    let shares = null;
    if (clean && this.label === null && cvae) {
      const elbo = cvae.model.elbo(clean, LABELS, COMMON);
      const top = elbo.reduce((best, v) => (v > best ? v : best), -Infinity); // NaN is never the best
      if (top > -Infinity) {
        this.guess = elbo.indexOf(top);
        shares = elbo.map((v) => Math.exp(v - top) || 0);
        const sum = shares.reduce((a, b) => a + b);
        shares = shares.map((v) => v / sum);
      } // else no label fits at all, and the last guess stays
    }
    const shown = this.label ?? (clean ? this.guess : null);
    this.at(".bars").classList.toggle("told", this.label !== null);
    const says = this.label !== null ? `You say: ${this.label}.`
      : shares ? `It takes your digit for ${shown === 8 ? "an" : "a"} ${shown}.` : "";
    if (this.at(".bars-say").textContent !== says) this.at(".bars-say").textContent = says;
    bars.forEach(({ button, bar }, y) => {
      bar.style.transform = `scaleY(${Math.max(0.02, shares ? shares[y] : 0)})`;
      const pressed = String(y === shown);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    });
    this.shares = shares;
  }

  /** Who draws it best, in words, where the hand rests; meanwhile nothing that was said of another digit. */
  #verdict(clean) {
    const spoilt = this.spoil.amount > 0 ? this.spoiling : null;
    const models = this.here.map(({ kind, name, label, values, pulled, thrown }) => ({
      kind, name, label, own: values.own, now: values.reconstruction, held: Boolean(pulled), thrown: Boolean(thrown),
    }));
    const speaks = clean && this.resting;
    const text = speaks ? verdict(models, spoilt) : clean ? "" : "Draw on the black square, or take a sample.";
    if (speaks) {
      const all = models.map(({ name, now }) => `${name} ${now.toFixed(1)}`);
      this.say(`${text} Nats: ${all.join(", ")}.`);
    }
    const untold = models.filter(({ label }) => label === null); // who is told the label does not compete with those who are not
    const best = speaks && !untold.some(({ held, thrown }) => held || thrown) ? nearest(untold) : [];
    const words = badge(best, models, spoilt);
    this.here.forEach((answer, i) => (answer.badge = best.includes(models[i]) ? words : ""));
    const element = this.at(".verdict");
    if (element.textContent !== text) element.textContent = text;
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** Another drawing begins: what was said of the one before, or is on its way, has lost its subject. */
  #begin() {
    this.#note();
    this.awaited = null;
    this.touched = true;
    this.watching?.abort();
    for (const answer of this.answers) answer.forgetTrail();
  }

  /** The hand has let go: the link keeps the state, and Python hears of it once. */
  #release() {
    this.resting = this.touched = true;
    const { strokes, example } = this.pad.state;
    if (strokes.length && !example) this.#did("draw");
    this.request();
    cancelAnimationFrame(this.telling);
    this.telling = requestAnimationFrame(() => { // after the frame that computes what is told
      this.#writeLink();
      if (!this.ready) return;
      const { shown } = this;
      this.#tell({
        ...shown, label: this.label ?? this.guess,
        ...(this.truth && { posterior: true, spoilt: this.spoil.amount > 0 }),
        codes: shown.bits && Object.fromEntries(this.here.map(({ kind: k, z }) => [k, [...z].map((v) => Number(v.toFixed(4)))])),
      });
    });
  }

  /** The digit, as every page reads it, and the state. */
  #writeLink() {
    const { bits, said, origin } = this.shown;
    const own = origin || this.pad.state.opening ? null : bits;
    const digit = { digit: origin, d: own, is: own && said };
    link.set({ ...digit, ...this.#held() });
    this.at(".next").href = `Map?${new URLSearchParams(Object.entries(digit).filter(([, text]) => text !== null).map(([name, text]) => [name, String(text)]))}`;
  }

  /** The digit as text; null where the pad is blank: that is none. */
  get bits() {
    return this.clean.some((v) => v > 0) ? toText(this.clean) : null;
  }

  /** The sample on the pad, as links name it, as long as nothing is drawn on it. */
  get origin() {
    const { picture, strokes, origin = null } = this.pad.state;
    return picture && !strokes.length && !this.pad.stroke ? origin : null;
  }

  /** What all pages are to show. @returns {import("./parting.mjs").Shown} */
  get shown() {
    const { bits, label, origin } = this;
    return { bits, said: label, origin: bits && origin };
  }

  /** Whether Python has it as the digit of all pages. */
  get heard() {
    const { digit } = this.options;
    const { bits, said, origin } = this.shown;
    if (!digit || origin) return digit?.origin === origin;
    return digit.origin === null && digit.bits === bits && digit.label === said;
  }

  /** A page link, before Python has heard of the last stroke: Python first, then the page. A second click does not wait. */
  #leave(e) {
    const link = e.target.closest?.(PAGE_LINK);
    if (!link || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
    this.again = this.#see() || this.again; // the frame that sees the last of it may be still to come
    const href = link.getAttribute("href");
    if (!this.touched || !this.bits || this.awaited || this.heard || this.leaving === href) return;
    if (!tell(this.shown)) return;
    e.preventDefault();
    e.stopPropagation();
    this.leaving = href;
  }

  #go() {
    const href = this.leaving;
    this.leaving = null;
    /** @type {HTMLElement | null} */ (document.querySelector(`${PAGE_LINK}[href="${CSS.escape(href)}"]`))?.click();
  }

  /** @param {Wish | Picture | Release} message */
  #tell(message) {
    const text = JSON.stringify(message);
    if (text === this.told) return; // a click that changed nothing
    this.told = text;
    say(this.component, message);
  }

  #showAmount() {
    const { amount } = this.spoil;
    const { limit } = this.spoiling;
    const slider = this.at("[data-set=amount]");
    slider.max = limit;
    slider.step = limit / 100;
    slider.value = amount;
    this.#sayAmount();
  }

  /** The row of the chosen way to spoil. @returns {Spoil} */
  get spoiling() {
    return this.spoils.find(({ kind }) => kind === this.spoil.kind);
  }

  #sayAmount() {
    const { amount } = this.spoil;
    this.at("output").textContent = amount.toFixed(2);
    showAgain(this.at("[data-do=again]"), this.spoiling, amount);
  }

  #showTruth() {
    this.at(".meaning").hidden = !this.truth;
    for (const answer of this.here) answer.truth = this.truth;
  }

  #showNumbers() {
    this.at(".room").classList.toggle("numbers", this.numbers);
  }

  #showLabel() {
    this.at("[data-do=auto]").setAttribute("aria-pressed", String(this.label === null));
  }

  #listen() {
    const acts = {
      undo: () => this.pad.undo(),
      clear: () => {
        this.#begin(); // a camera or a picture may be on its way to an empty pad
        for (const { plane } of this.answers) plane.fit();
        this.pad.clear();
      },
      sample: () => this.#sample(),
      camera: (button) => this.#photograph(button),
      auto: () => this.#choose(null),
      again: () => {
        this.spoil.seed++;
        this.#release();
      },
      resample: (button) => this.#resample(button.closest(".card").dataset.kind),
    };
    this.at(".studio").addEventListener("click", (e) => {
      const button = e.target.closest("button");
      if (!button) return;
      if (button.dataset.do) acts[button.dataset.do](button);
      else if (button.dataset.label) {
        this.#did("tell");
        this.#choose(Number(button.dataset.label));
      }
      else if (button.dataset.replay) this.#replay(REPLAYS[button.dataset.replay]);
      else if (button.classList.contains("back")) {
        this.answers.find(({ kind }) => kind === button.closest(".card").dataset.kind).letGo();
        this.#release();
      }
    });
    const on = (name, event, act) => this.at(`[data-set=${name}]`).addEventListener(event, (e) => act(e.target));
    on("brush", "input", (input) => (this.pad.radius = Number(input.value)));
    on("brush", "change", () => this.#writeLink());
    on("numbers", "change", (input) => {
      this.numbers = input.checked;
      this.#showNumbers();
      this.#writeLink();
    });
    on("centred", "change", (input) => {
      this.centred = input.checked;
      this.again = true;
      this.#release();
    });
    on("sampled", "change", (input) => {
      this.sampled = input.checked;
      for (const answer of this.answers) answer.sampled = input.checked;
      this.request();
      this.#writeLink();
    });
    on("truth", "change", (input) => {
      this.truth = input.checked;
      this.#showTruth();
      this.#release(); // which also paints
    });
    on("kind", "change", (input) => {
      const share = this.spoil.amount / this.spoiling.limit;
      this.spoil.kind = input.value;
      this.spoil.amount = share * this.spoiling.limit;
      this.#showAmount();
      this.#release();
    });
    on("amount", "input", (input) => {
      this.spoil.amount = Number(input.value);
      this.#sayAmount();
      this.resting = false;
      this.request();
    });
    on("amount", "change", () => this.#release());
    this.at(".next").addEventListener("click", (e) => this.#goOn(e));
    this.leave = (e) => this.#leave(e);
    document.addEventListener("click", this.leave, true); // before Streamlit's own
    this.#listenForFiles();
  }

  /** To the Map in this session, as by the link of the page itself; else by the address, which brings the digit, too. */
  #goOn(e) {
    /** @type {HTMLElement | null} */
    const door = document.querySelector(`${PAGE_LINK}[href$="Map"]`);
    if (!door || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    door.click();
  }

  #choose(label) {
    this.label = label;
    this.#showLabel();
    this.#release();
  }

  #resample(kind) {
    this.random ??= new Random((Math.random() * 2 ** 31) | 0);
    this.coins = 1 + Math.floor(1e8 * this.random.uniform());
    this.#throwCoins();
    const eps = [this.random.normal(), this.random.normal()].map((v) => Number(v.toFixed(3))); // as the link has it
    this.answers.find((answer) => answer.kind === kind).throw(eps);
    this.#release();
  }

  #throwCoins() {
    const random = new Random(this.coins);
    for (let i = 0; i < PIXELS; i++) this.noise[i] = random.uniform();
  }

  async #replay({ says, strokes }) {
    this.#begin();
    this.say(`${says}.`);
    await this.pad.replay(strokes(), 2.4, calm());
  }

  /** A test digit: Python has them all, and sends the one that it draws by `update`. */
  #sample() {
    this.#await("Taking a digit …");
    this.#tell({ sample: this.awaited });
  }

  #await(note) {
    this.watching?.abort();
    this.#note(note);
    this.awaited = Date.now();
  }

  // Pictures -----------------------------------------------------------------------------------------------------------

  #listenForFiles() {
    const input = this.at("input[type=file]");
    input.addEventListener("change", () => {
      if (input.files[0]) this.#bring(input.files[0]);
      input.value = ""; // the same file may come again
    });
    this.at("[data-do=camera]").hidden = !offered();
    const pad = this.at(".pad");
    pad.addEventListener("dragover", (e) => {
      e.preventDefault();
      pad.classList.add("over");
    });
    pad.addEventListener("dragleave", () => pad.classList.remove("over"));
    pad.addEventListener("drop", (e) => {
      e.preventDefault();
      pad.classList.remove("over");
      if (e.dataTransfer.files[0]) this.#bring(e.dataTransfer.files[0]);
    });
  }

  /** A picture goes to Python, made small by the browser where it can read it; the digit comes back by `update`. */
  async #bring(file) {
    this.#await("Reading the picture …");
    const id = this.awaited;
    const { picture, error } = await packed(file);
    if (id !== this.awaited) return;
    if (error) {
      this.awaited = null;
      this.#note(error);
    } else this.#tell({ picture, name: short(file.name), id });
  }

  /** What the webcam sees, over the pad until it is taken. */
  async #photograph(button) {
    this.watching?.abort();
    const { signal } = (this.watching = new AbortController());
    const { file, error } = await photograph(this.at(".pad"), signal);
    if (signal.aborted) return;
    button.focus();
    if (error) this.#note(error);
    else if (file) this.#bring(file);
  }

  /** @param {Brought} brought */
  #take(brought) {
    this.#begin();
    this.#note(brought.error ?? brought.notes);
    if (!brought.pixels) {
      this.#release(); // what was refused is not sent again with every later click
      return;
    }
    const { origin = null } = brought;
    if (!origin) this.#did("draw"); // their own digit, by another pen
    this.pad.show({ picture: pixelsOf({ pixels: brought.pixels }), origin });
    this.#release(); // and the picture itself is not sent again with every later click
  }

  #note(text) {
    this.at(".note")?.remove();
    if (!text) return;
    const p = document.createElement("p");
    p.className = "note";
    p.setAttribute("role", "status");
    p.textContent = text;
    this.at(".strokes").append(p);
  }
}
