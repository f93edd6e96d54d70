// The Studio: a digit under the hand, and four models that answer at every brush step. The pad gives 784 pixels, each
// Answer encodes and decodes them, and Python hears one message when the hand lets go.

import { Answer } from "./answer.mjs";
import { packed } from "./bring.mjs";
import { offered, photograph } from "./camera.mjs";
import { numbersOf, toLink } from "./controls.mjs";
import { LIMITS, SIDE, corrupt, fromText, toText } from "./digit.mjs";
import { PIXELS } from "./engine.mjs";
import { Pad } from "./pad.mjs";
import { announcer, calm, digitCanvas, frameLoop, link, paint, palette } from "./paint.mjs";
import { Random } from "./random.mjs";
import * as registry from "./registry.mjs";
import { REPLAYS, first } from "./strokes.mjs";
import { LABELS, SPOILS, template } from "./studio_template.mjs";

const COMMON = [1, 1, -1, -1]; // ε that all labels share: two draws whose mean and variances are those of N(0, I)
const ONE_TIMING = 512; // brush steps whose time is kept

let kept = null; // what the visitor had when they left for another page: the document, and this module, stay

export async function mount(root, component) {
  const options = JSON.parse(component.data.options);
  root.innerHTML = template(options);
  try {
    const studio = new Studio(root, component, options);
    document.documentElement.dataset.studio = "live"; // the first picture of the server makes room
    await studio.start();
    return studio;
  } catch (error) {
    document.documentElement.dataset.studio = "live";
    throw error;
  }
}

class Studio {
  constructor(root, component, options) {
    Object.assign(this, { root, component, options });
    (root.host ?? root).studio = this; // for tests and measurements
    this.at = (selector) => root.querySelector(selector);
    this.label = null; // chosen by the visitor; null is auto
    this.guess = null; // what auto takes
    this.spoil = { kind: "masking", amount: 0, seed: 1 };
    this.centred = true;
    this.truth = false; // the true posterior is shown
    this.awaited = null; // the sample or picture that Python is asked for; another drawing meanwhile makes it unwanted
    this.ready = false;
    this.drawing = new Float32Array(PIXELS);
    this.clean = new Float32Array(PIXELS);
    this.spoilt = new Float32Array(PIXELS);
    this.noise = Float32Array.from({ length: PIXELS }, () => Math.random());
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
    this.hint.textContent = "Draw a digit here";
    this.at(".pad").append(this.hint);
    this.answers = options.models.map(({ kind, name }) => new Answer(this.at(`[data-kind=${kind}]`), {
      kind, name, noise: this.noise,
      held: (done) => {
        this.request();
        if (done) this.#release();
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
    this.#firstPicture();
  }

  /** Everything that needs the networks. */
  async start() {
    await Promise.all(this.options.models.map(async ({ slug }, i) => {
      const [model, codes] = await Promise.all([registry.model(slug), registry.codes(slug)]);
      this.answers[i].start(model, codes);
    }));
    this.ready = true;
    this.again = true;
    this.#showTruth();
    this.#frame();
    for (const part of (link.get("pull") ?? "").split(";")) {
      const [kind, place] = part.split(":");
      const z = numbersOf(place, 2);
      if (z && this.clean.some((v) => v > 0)) this.answers.find((answer) => answer.kind === kind)?.pull(z);
    }
    this.request();
  }

  update(component) {
    this.component = component;
    const options = JSON.parse(component.data.options);
    const { brought } = options;
    if (brought && brought.id === this.awaited) this.#take(brought);
    this.options = options;
    this.#theme();
    this.request();
  }

  #theme() {
    (this.root.host ?? this.root).style.colorScheme = palette(this.root).dark ? "dark" : "light"; // sliders and boxes
    for (const { plane } of this.answers) plane.retheme();
  }

  destroy() {
    const { label, spoil, centred, truth, pad } = this;
    kept = { label, spoil, centred, truth, drawing: pad.state, history: pad.history };
    delete document.documentElement.dataset.studio;
    this.request.stop();
    cancelAnimationFrame(this.telling);
    this.watching?.abort();
    this.pad.destroy();
    for (const answer of this.answers) answer.destroy();
  }

  // State --------------------------------------------------------------------------------------------------------------

  /** From the link, or the recorded digit. */
  #restore() {
    const label = link.get("label");
    if (/^\d$/.test(label ?? "")) this.label = Number(label);
    const [kind, amount] = (link.get("spoil") ?? "").split(":");
    if (Object.hasOwn(SPOILS, kind) && amount > 0) {
      this.spoil = { kind, amount: Math.min(LIMITS[kind], Number(amount)), seed: 1 };
    }
    this.truth = link.get("posterior") === "1";
    const picture = fromText(link.get("d") ?? "");
    const before = !picture && this.label === null && kept;
    if (before) {
      Object.assign(this, { label: before.label, spoil: before.spoil, centred: before.centred, truth: before.truth });
      this.at("[data-set=centred]").checked = this.centred;
      this.pad.history = before.history;
    }
    this.pad.show(picture ? { picture } : before?.drawing ?? { strokes: first(), example: true }, false);
    this.foreign = Boolean(picture || before); // the server's pictures are of another digit
    this.at("[data-set=kind]").value = this.spoil.kind;
    this.at("[data-set=truth]").checked = this.truth;
    this.#showAmount();
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
    this.hint.hidden = !this.pad.empty;
    if (this.ready) this.request();
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
    if (this.ready) this.#answer(clean, seen);
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
    let best = null;
    for (const answer of this.answers) {
      answer.answer(clean, seen, label);
      if (this.stepped) answer.leaveTrail();
      answer.paint();
      if (!clean || answer.model.conditional) continue; // who is told the label does not compete with those who are not
      if (!best || answer.values.reconstruction < best.values.reconstruction) best = answer;
    }
    for (const answer of this.answers) answer.closest = answer === best;
    if (this.mini.offsetParent) this.answers.forEach((answer, i) => paint(this.minis[i], clean && answer.pixels));
    this.#verdict(best, label);
  }

  /** The ten bars, and with auto the label of the highest one. */
  #labels(clean) {
    const cvae = this.answers.find(({ kind }) => kind === "cvae");
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
    bars.forEach(({ button, bar }, y) => {
      bar.style.transform = `scaleY(${Math.max(0.02, shares ? shares[y] : y === this.label ? 1 : 0)})`;
      const pressed = String(y === shown);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    });
    this.shares = shares;
  }

  /** One sentence: which drawing is nearest, in nats, and in squared error too where the digit was spoilt. */
  #verdict(best, label) {
    const element = this.at(".verdict");
    let text = "Draw on the black square, or take a sample.";
    if (best) {
      const say = ({ values, pixels }) => {
        const error = pixels.reduce((sum, v, i) => sum + (v - this.clean[i]) ** 2, 0) / PIXELS;
        return `${values.reconstruction.toFixed(2)} nats${this.spoil.amount > 0 ? `, MSE ${error.toFixed(3)}` : ""}`;
      };
      text = `${this.spoil.amount > 0 ? "Brings it back best" : "Closest"}: ${best.name}, ${say(best)}.`;
      const told = this.answers.find(({ model }) => model.conditional);
      if (told) text += ` ${told.name}, told that it is ${label === 8 ? "an" : "a"} ${label}: ${say(told)}.`;
      const all = this.answers.map(({ name, values }) => `${name} ${values.reconstruction.toFixed(1)}`);
      this.say(`${text} ${all.join(", ")}.`);
    }
    if (element.textContent !== text) element.textContent = text;
  }

  // The hand -----------------------------------------------------------------------------------------------------------

  /** Another drawing begins: what was said of the one before, or is on its way, has lost its subject. */
  #begin() {
    this.#note();
    this.awaited = null;
    this.watching?.abort();
    for (const answer of this.answers) answer.forgetTrail();
  }

  /** The hand has let go: the link keeps the state, and Python hears of it once. */
  #release() {
    this.request();
    cancelAnimationFrame(this.telling);
    this.telling = requestAnimationFrame(() => { // after the frame that computes what is told
      const { kind, amount } = this.spoil;
      const bits = this.clean.some((v) => v > 0) ? toText(this.clean) : null; // a blank picture is no digit
      link.set({
        d: bits, label: this.label, spoil: amount > 0 ? `${kind}:${Number(amount.toFixed(3))}` : null,
        posterior: this.truth ? 1 : null,
        pull: this.answers.filter(({ pulled }) => pulled).map((a) => `${a.kind}:${toLink(a.pulled)}`).join(";") || null,
      });
      if (!this.ready) return;
      this.#tell({
        bits,
        label: this.label ?? this.guess,
        ...(this.truth && { posterior: true, spoilt: amount > 0 }),
        codes: bits && Object.fromEntries(this.answers.map(({ kind: k, z }) => [k, [...z].map((v) => Number(v.toFixed(4)))])),
      });
    });
  }

  #tell(message) {
    const text = JSON.stringify(message);
    if (text === this.told) return; // a click that changed nothing
    this.told = text;
    this.component.setStateValue("message", message);
  }

  #showAmount() {
    const { kind, amount } = this.spoil;
    const slider = this.at("[data-set=amount]");
    slider.max = LIMITS[kind];
    slider.step = LIMITS[kind] / 100;
    slider.value = amount;
    this.at("output").textContent = amount.toFixed(2);
  }

  #showTruth() {
    this.at(".meaning").hidden = !this.truth;
    if (this.ready) for (const answer of this.answers) answer.truth = this.truth;
  }

  #showLabel() {
    this.at("[data-do=auto]").setAttribute("aria-pressed", String(this.label === null));
    this.at(".bars-say").textContent = this.label === null
      ? "Bars: an approximation of p(y | x), from ten ELBOs" : "Your choice. Auto takes the highest ELBO.";
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
      resample: (button) => this.#resample(button.closest(".card").dataset.kind),
    };
    this.root.querySelector(".studio").addEventListener("click", (e) => {
      const button = e.target.closest("button");
      if (!button) return;
      if (button.dataset.do) acts[button.dataset.do](button);
      else if (button.dataset.label) this.#choose(Number(button.dataset.label));
      else if (button.dataset.replay) this.#replay(REPLAYS[button.dataset.replay]);
      else if (button.classList.contains("back")) {
        this.answers.find(({ kind }) => kind === button.closest(".card").dataset.kind).letGo();
        this.#release();
      }
    });
    const on = (name, event, act) => this.at(`[data-set=${name}]`).addEventListener(event, (e) => act(e.target));
    on("brush", "input", (input) => (this.pad.radius = Number(input.value)));
    on("centred", "change", (input) => {
      this.centred = input.checked;
      this.again = true;
      this.#release();
    });
    on("sampled", "change", (input) => {
      for (const answer of this.answers) answer.sampled = input.checked;
      this.request();
    });
    on("truth", "change", (input) => {
      this.truth = input.checked;
      this.#showTruth();
      this.#release(); // which also paints
    });
    on("kind", "change", (input) => {
      const share = this.spoil.amount / LIMITS[this.spoil.kind];
      this.spoil.kind = input.value;
      this.spoil.amount = share * LIMITS[input.value];
      this.#showAmount();
      this.#release();
    });
    on("amount", "input", (input) => {
      this.spoil.amount = Number(input.value);
      this.at("output").textContent = this.spoil.amount.toFixed(2);
      this.request();
    });
    on("amount", "change", () => this.#release());
    this.#showLabel();
    this.#listenForFiles();
  }

  #choose(label) {
    this.label = label;
    this.#showLabel();
    this.#release();
  }

  #resample(kind) {
    this.random ??= new Random((Math.random() * 2 ** 31) | 0);
    for (let i = 0; i < PIXELS; i++) this.noise[i] = this.random.uniform();
    this.answers.find((answer) => answer.kind === kind).throw([this.random.normal(), this.random.normal()]);
    this.request();
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
    if (error) this.#note(error);
    else this.#tell({ picture, name: file.name, id });
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

  #take({ error, pixels, notes }) {
    this.#begin();
    this.#note(error ?? notes);
    if (!pixels) return;
    const bytes = atob(pixels);
    this.pad.show({ picture: Float32Array.from({ length: SIDE * SIDE }, (_, i) => bytes.charCodeAt(i) / 255) });
    this.#release(); // and the picture itself is not sent again with every later click
  }

  #note(text) {
    this.at(".note")?.remove();
    if (!text) return;
    const p = document.createElement("p");
    p.className = "note";
    p.setAttribute("role", "status");
    p.textContent = text;
    this.at(".hand .seen").before(p);
  }
}
