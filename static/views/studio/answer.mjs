// One model's answer to the digit in hand: its map with the moving code, its drawing, its numbers in nats.

import { Bound, WIDE } from "../../maths/bound.mjs";
import { PIXELS } from "../../engine/engine.mjs";
import { write } from "../../parts/controls.mjs";
import { digitCanvas, paint } from "../../parts/paint.mjs";
import { Plane } from "../../parts/plane.mjs";
import { Posterior } from "../../parts/posterior.mjs";

// E over q while the hand moves: four points of a cubature, exact for polynomials of the third degree, and shown without
// decimals. Where the hand rests bound.mjs takes 64.
const R = Math.SQRT2;
const CUBATURE = [[R, 0], [-R, 0], [0, R], [0, -R]];
const TRAIL = 64; // places that a code has come through during this stroke
const [CLOUD, FAINT] = [0.6, 0.35]; // opacity of the test digits' codes: the subject is the code, or the true posterior
const FULL = { shape: "dot", size: 5.5 }; // the code's marker, radius in pixels; open where the truth lies beneath
const OPEN = { shape: "ring", size: 6.5 };
const RINGS = 13; // pixels between the code and the true posterior's heaviest place from which that has a ring too
const THROWS = 12; // samples of q that stay in view

// Far from everything that they were trained on, encoders answer with variances of 10³⁰ and more.
const ABSURD = 1e5;
const decimals = (v) => (Math.abs(v) < ABSURD ? v.toFixed(2) : Number.isFinite(v) ? v.toExponential(0) : "∞").replace("-", "−");
const nats = (v) => (v === null ? "—" : decimals(v));
const about = (v) => (Math.abs(v) < ABSURD ? `≈ ${Math.round(v)}`.replace("-", "−") : decimals(v));
const WORDS = 18; // pixels below the lens, for what it says
const BADGE = 8; // half a numeral's badge
const TWICE = 500; // milliseconds within which a second click is one of a double click
const pair = (z) => `${decimals(z[0])}, ${decimals(z[1])}`;

/** Where the glass lies: in the first corner that the code does not need and that hides the fewest numerals. */
/** @param {Plane} plane @param {number} radius @param {number[]} code in CSS pixels @returns {number[]} */
function corner({ width, height, badges, showNumerals }, radius, code) {
  const [near, right, low] = [radius + 8, width - radius - 8, height - radius - WORDS];
  const half = Math.max(radius, 24) + BADGE; // of the glass and the words below it
  /** @param {number[]} at */
  const cost = ([cx, cy]) => (showNumerals ? badges : [])
    .filter(([x, y]) => Math.abs(x - cx) < half && y > cy - radius - BADGE && y < cy + radius + WORDS + BADGE).length
    + (Math.hypot(code[0] - cx, code[1] - cy) < radius + 18 ? 100 : 0);
  return [[right, near], [near, near], [near, low], [right, low]].reduce((best, at) => (cost(at) < cost(best) ? at : best));
}

export class Answer {
  // What comes with the model.
  /** @type {import("../../engine/engine.mjs").Code} */
  code;
  /** @type {import("../../engine/engine.mjs").Code} of the clean digit, where a spoilt one is shown */
  original;
  /** @type {Float32Array} where the code is: the mean, a draw, or where a hand holds it */
  z;
  /** @type {Float32Array} of the drawing */
  logits;
  /** @type {{z: Float32Array, logits: Float32Array} | null} about the code, for expectations over q */
  around = null;
  /** @type {Bound | null} */
  bound = null;
  /** @type {import("../../engine/registry.mjs").Codes} of the test split */
  codes;
  /** @type {string[]} of its classes */
  colours;

  /**
   * card: an element of studio.mjs's template; noise: in [0, 1], what drawn pixels are compared with; held(done): the
   * visitor pulls the code (done: has let go).
   * @param {HTMLElement} card
   * @param {{kind: string, name: string, noise: Float32Array, held(done: boolean): void}} about
   */
  constructor(card, { kind, name, noise, held }) {
    this.card = card;
    this.kind = kind;
    this.name = name;
    this.noise = noise;
    /** @type {import("../../engine/engine.mjs").Model | null} */
    this.model = null;
    this.label = null; // what a conditional model is told
    /** @type {Float32Array | null} */
    this.clean = null; // the digit as the likelihood sees it
    /** @type {Float32Array | null} */
    this.seen = null; // what the encoder was shown
    this.pulled = null; // z where the visitor holds the code
    this.picked = null; // {pulled, thrown, at}: what was so before a click, and when that was
    /** @type {{clean: Float32Array, seen: Float32Array, label: number | null} | null} */
    this.asked = null; // the answer before
    this.settled = null; // its −ELBO by 64 points
    this.thrown = null; // ε of the sample that is shown
    this.throws = []; // those before it
    /** @type {Posterior | null} */
    this.posterior = null; // the true one, where it is shown
    this.sampled = false; // pixels are drawn from their probabilities
    this.picture = digitCanvas({ label: `What the ${name} draws` });
    card.querySelector(".drawing").replaceChildren(this.picture);
    /** @type {(selector: string) => HTMLElement | null} */
    this.at = (selector) => card.querySelector(selector);
    this.fields = {
      one: this.at(".one b"), z: this.at(".z"), share: this.at(".share"), shown: this.at(".shown"), how: this.at(".how"),
      best: this.at(".best"), back: this.at(".back"), joint: this.at(".joint"), home: this.at(".home"),
      terms: ["reconstruction", "kl", "nelbo"].map((name) => this.at(`[data-term=${name}] .live`)), // null: has no such term
    };
    this.pixels = new Float32Array(PIXELS);
    // Nats; own: the reconstruction at the model's own code, also where the hand holds another.
    this.values = { reconstruction: null, own: null, kl: null, nelbo: null, rough: true };
    const labelText = `Codes of the ${name}. Arrow keys pull the code, Escape lets it go, Home shows the whole map.`;
    this.plane = new Plane(this.at(".map"), { labelText, wheel: false, scroll: true });
    this.plane.pointOpacity = CLOUD;
    /** @type {import("../../parts/plane.mjs").Marker} */
    this.dot = { z: [0, 0], sigma: null, ...FULL, drag: true }; // the code
    /** @type {import("../../parts/plane.mjs").Marker | null} */
    this.q = null; // the encoder's q about it
    this.trail = { at: new Float32Array(2 * TRAIL), count: 0 };
    this.#listen(held);
  }

  destroy() {
    this.plane.destroy();
    this.posterior?.stop();
  }

  /** How much of the network has come, in words. */
  coming(words) {
    if (!this.model) write(this.at(".coming"), `The network is on its way: ${words}.`);
  }

  /** The network is broken, or did not come: its card says so. */
  fail(error) {
    if (this.model) throw error;
    this.card.classList.add("failed");
    this.at(".coming").setAttribute("role", "alert");
    write(this.at(".coming"), error.message);
    console.warn(error.message);
  }

  /** The model and the codes of its test split have come. colours: of its classes.
   * @param {import("../../engine/engine.mjs").Model} model @param {import("../../engine/registry.mjs").Codes} codes
   * @param {string[]} colours */
  start(model, codes, colours) {
    this.colours = colours;
    this.model = model;
    this.card.classList.remove("waiting");
    this.code = model.newCode();
    this.original = model.newCode(); // of the clean digit, where a spoilt one is shown
    this.z = new Float32Array(2);
    this.logits = new Float32Array(PIXELS);
    this.around = model.probabilistic ? { z: new Float32Array(8), logits: new Float32Array(4 * PIXELS) } : null;
    const { test } = model.card;
    this.bound = model.probabilistic ? new Bound(model, new Float32Array(PIXELS), 0) : null;
    for (const [term, value] of [["reconstruction", test.reconstruction_at_mean], ["kl", test.kl], ["nelbo", test.nelbo]]) {
      if (value !== undefined) this.at(`[data-term=${term}] .test`).textContent = `test ${nats(value)}`;
    }
    this.codes = codes;
    this.plane.setCodes(codes, colours);
    this.plane.showNumerals = !model.conditional; // a label beside the code leaves no class a place of its own
    if (model.probabilistic) {
      this.plane.setCircles("prior");
      this.plane.layers.push((ctx) => this.#drawTruth(ctx));
    }
    this.plane.layers.push((ctx) => this.#drawPath(ctx));
    if (model.probabilistic) this.plane.layers.push((ctx) => this.#drawLens(ctx));
  }

  // What it says -------------------------------------------------------------------------------------------------------

  /**
   * Answer to `seen`, judged against `clean` (the same array where nothing is spoilt); null: nothing is drawn. resting:
   * no hand moves, and there is time for a −ELBO with decimals.
   * @param {Float32Array | null} clean @param {Float32Array | null} seen @param {number} label @param {boolean} resting
   */
  answer(clean, seen, label, resting) {
    const { model, values } = this;
    this.clean = clean;
    this.seen = seen;
    this.label = model.conditional ? label : null;
    if (clean) this.posterior?.show(clean, this.label);
    if (!clean) {
      values.reconstruction = values.own = values.kl = values.nelbo = null;
      return;
    }
    model.encode(seen, this.label, this.code);
    if (seen !== clean) model.encode(clean, this.label, this.original);
    if (this.pulled) this.z.set(this.pulled);
    else if (this.thrown) model.sample(this.code, this.thrown, this.z);
    else this.z.set(this.code.mean);
    model.logits(this.z, this.label, this.logits);
    values.own = values.reconstruction = model.nll(clean, this.logits)[0];
    model.toPixels(this.logits, this.pixels);
    if (this.pulled || this.thrown) values.own = model.nll(clean, model.logits(this.code.mean, this.label, this.logits))[0];
    if (!this.around) return;
    this.#forgetOther();
    if (resting) this.settled ??= this.#settle();
    const widest = Math.exp(0.5 * Math.max(...this.code.logvar));
    values.rough = this.settled === null || !(widest <= WIDE);
    if (this.pulled) values.kl = values.nelbo = null;
    else {
      values.kl = model.kl(this.code)[0];
      values.nelbo = this.settled ?? values.kl + this.#expectation();
    }
  }

  /** What was settled holds for the same digit, spoilt in the same way, under the same label. */
  #forgetOther() {
    const { clean, seen, label, asked } = this;
    const same = (a, b) => a.every((v, i) => v === b[i]);
    if (asked && asked.label === label && same(asked.clean, clean) && same(asked.seen, seen)) return;
    this.settled = null;
    this.asked ??= { clean: new Float32Array(PIXELS), seen: new Float32Array(PIXELS), label };
    this.asked.clean.set(clean);
    this.asked.seen.set(seen);
    this.asked.label = label;
  }

  /** −ELBO of the encoder's q, as "The bound" has it while q is pulled. */
  #settle() {
    this.bound.x = this.clean;
    this.bound.label = this.label;
    return -this.bound.at(this.code).elbo;
  }

  /** E_q[−log p(x | z)], nats. */
  #expectation() {
    const { model, around } = this;
    const { mean, logvar } = this.code;
    CUBATURE.forEach((eps, k) => {
      for (let d = 0; d < 2; d++) around.z[2 * k + d] = mean[d] + Math.exp(0.5 * logvar[d]) * eps[d];
    });
    const labels = this.label === null ? null : [this.label, this.label, this.label, this.label];
    model.logits(around.z, labels, around.logits);
    return model.nll(this.clean, around.logits).reduce((a, b) => a + b) / CUBATURE.length;
  }

  /** On the screen, now. */
  paint() {
    const { plane, dot, fields, values } = this;
    if (!this.clean) {
      plane.markers.delete("code");
      plane.markers.delete("q");
      plane.draw();
      paint(this.picture, null);
      write(fields.z, "z = —");
      write(fields.one, "—");
    } else {
      const { sampled, noise, pixels } = this;
      if (sampled) for (let i = 0; i < PIXELS; i++) pixels[i] = noise[i] < pixels[i] ? 1 : 0;
      paint(this.picture, pixels);
      dot.z[0] = this.z[0];
      dot.z[1] = this.z[1];
      dot.colour = this.#colour;
      if (this.code.logvar && !this.pulled) {
        this.q ??= { z: [0, 0], sigma: [0, 0], shape: "dot", size: 0.01 };
        for (let d = 0; d < 2; d++) {
          this.q.z[d] = this.code.mean[d];
          this.q.sigma[d] = Math.exp(0.5 * this.code.logvar[d]);
        }
        // A canvas would spend seconds on an ellipse that reaches far beyond it.
        this.q.colour = this.#colour;
        if (Math.max(...this.q.sigma) * plane.scale < ABSURD) plane.markers.set("q", this.q);
        else plane.markers.delete("q");
      } else plane.markers.delete("q");
      plane.markers.delete("code"); // so that it is drawn last
      plane.markers.set("code", dot);
      plane.draw();
      write(fields.z, this.q && !this.pulled && !this.thrown
        ? `z = ${pair(this.z)} ± ${pair(this.q.sigma)}` : `z = ${pair(this.z)}`);
    }
    this.#sayShare();
    write(fields.how, !this.clean ? "" : this.pulled ? "your z" : this.thrown ? "sampled" : this.code.logvar ? "at the mean" : "at its code");
    fields.how.classList.toggle("own", !(this.pulled || this.thrown));
    fields.back.hidden = !(this.pulled || this.thrown);
    const { reconstruction, kl, nelbo, rough } = values;
    const last = (v) => (v === null ? "—" : rough ? about(v) : nats(v));
    if (reconstruction !== null) write(fields.one, reconstruction < ABSURD ? reconstruction.toFixed(1) : nats(reconstruction));
    [nats(reconstruction), nats(kl), last(nelbo)].forEach((text, k) => fields.terms[k] && write(fields.terms[k], text));
    if (fields.joint) write(fields.joint, `with y ${last(nelbo === null ? null : nelbo + Math.LN10)}`);
  }

  /** How much of the true posterior q's ellipse holds: known where the hand rests. */
  #sayShare() {
    const { posterior, fields } = this;
    if (!posterior) return;
    const spoilt = this.seen !== this.clean; // the posterior is the clean digit's, and so must its q be
    const { mean, logvar } = spoilt ? this.original : this.code;
    write(fields.shown, spoilt ? "spoilt x" : "x"); // whose q the ellipse on the map is
    const shown = this.clean && !this.pulled && posterior.refined;
    const share = shown ? posterior.within([...mean], Array.from(logvar, (v) => Math.exp(0.5 * v))) : NaN;
    write(fields.share, `${Number.isNaN(share) ? "…" : Math.round(100 * share)} % of it in ${spoilt ? "the clean q’s" : "q’s"} 2 σ`);
  }

  /** One word or two on the card, such as that no other drawing is nearer. */
  set badge(text) {
    write(this.fields.best, text);
  }

  // Gestures -----------------------------------------------------------------------------------------------------------

  /** A new stroke: whatever was held or thrown is let go. */
  letGo() {
    this.pulled = this.thrown = null;
    this.throws.length = 0;
  }

  /** The visitor holds the code at z. */
  pull(z) {
    this.pulled = z;
    this.thrown = null;
  }

  /** A new ε: z = μ + σ ε. */
  throw(eps) {
    this.pulled = null;
    if (this.thrown) {
      this.throws.push(this.thrown);
      if (this.throws.length > THROWS) this.throws.shift();
    }
    this.thrown = eps;
  }

  forgetTrail() {
    this.trail.count = 0;
  }

  /** Remember where the code has been, if it moved. */
  leaveTrail() {
    const { at, count } = this.trail;
    const last = (count - 1) % TRAIL;
    if (count && Math.hypot(at[2 * last] - this.z[0], at[2 * last + 1] - this.z[1]) * this.plane.scale < 1) return;
    at[2 * (count % TRAIL)] = this.z[0];
    at[2 * (count % TRAIL) + 1] = this.z[1];
    this.trail.count++;
  }

  #listen(held) {
    const { plane } = this;
    const pull = (z, done) => {
      if (!this.clean) return;
      this.pull(z);
      held(done);
    };
    plane.onDrag = (_, z) => pull(z, false);
    plane.onRelease = (_, z) => pull(z, true);
    plane.onPick = (z) => {
      const now = performance.now();
      if (!this.picked || now - this.picked.at > TWICE) this.picked = { pulled: this.pulled, thrown: this.thrown, at: now };
      pull(z, true);
    };
    const goHome = () => {
      plane.cursor = null;
      plane.fit();
    };
    this.fields.home.onclick = goHome;
    plane.canvas.addEventListener("dblclick", () => { // the clicks that it is made of have pulled the code
      goHome();
      if (this.picked && performance.now() - this.picked.at < 2 * TWICE) ({ pulled: this.pulled, thrown: this.thrown } = this.picked);
      held(true);
    });
    plane.onView = () => {
      const { centre, half } = plane.home;
      this.fields.home.hidden = plane.span === 2 * half && plane.centre.every((v, i) => v === centre[i]);
    };
    plane.onHover = (z) => {
      if (z && plane.cursor) pull(z, false); // the keyboard's cursor carries the code
    };
    // The cursor starts where the code is, and Escape gives the code back.
    this.at(".map").addEventListener("keydown", (e) => {
      if (e.key === "Escape") {
        this.letGo();
        held(true);
      } else if (e.key === "Home" && e.target === plane.canvas) {
        goHome();
        e.preventDefault();
        e.stopPropagation(); // the plane's own Home is the origin
      } else if (this.clean && e.target === plane.canvas) plane.cursor ??= [...this.z];
    }, true);
    this.at(".map").addEventListener("keyup", (e) => {
      if (e.key.startsWith("Arrow") || e.key.startsWith("Page")) held(true);
    });
  }

  /** The true posterior is shown with q, or not; only where there is one. */
  set truth(on) {
    if (!this.model.probabilistic || on === Boolean(this.posterior)) return;
    this.posterior?.stop();
    this.posterior = on ? new Posterior(this.model, () => {
      this.plane.request();
      this.#sayShare();
    }) : null;
    this.at(".truth").hidden = !on;
    const { plane } = this;
    plane.pointOpacity = on ? FAINT : CLOUD;
    plane.showNumerals = !on && !this.model.conditional; // a numeral is larger than a posterior
    Object.assign(this.dot, on ? OPEN : FULL); // a posterior is often smaller than the dot
    plane.redraw();
    if (this.clean) this.posterior?.show(this.clean, this.label);
  }

  /** What is q's or the code's: the accent is the truth's where that is shown, as on The bound. */
  get #colour() {
    const { text, accent } = this.plane.theme;
    return this.posterior ? text : accent;
  }

  // On the map ---------------------------------------------------------------------------------------------------------

  #drawTruth(ctx) {
    const { plane, posterior } = this;
    if (!posterior || !this.clean) return;
    if (posterior.field) {
      const { accent } = plane.theme;
      posterior.heat.draw(ctx, plane, { colour: accent, lines: false });
      const [x, y] = plane.toScreen(posterior.peak);
      const [cx, cy] = plane.toScreen(this.z);
      if (Math.hypot(x - cx, y - cy) < RINGS) return;
      ctx.beginPath(); // a few pixels of colour amid ten thousand points
      ctx.arc(x, y, 6, 0, 2 * Math.PI);
      ctx.lineWidth = 1.5;
      ctx.strokeStyle = accent;
      ctx.stroke();
    } else plane.text(ctx, `decoding ${Math.round(100 * posterior.share)} %`, plane.width / 2, plane.height - 26, { size: 11 });
  }

  #drawPath(ctx) {
    if (!this.clean) return;
    const { plane } = this;
    const { background, text } = plane.theme;
    const { at, count } = this.trail;
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = this.#colour;
    for (let i = Math.max(1, count - TRAIL + 1); i < count; i++) {
      const [a, b] = [(i - 1) % TRAIL, i % TRAIL];
      ctx.globalAlpha = 0.6 * (1 - (count - i) / TRAIL);
      ctx.beginPath();
      ctx.moveTo(...plane.toScreen([at[2 * a], at[2 * a + 1]]));
      ctx.lineTo(...plane.toScreen([at[2 * b], at[2 * b + 1]]));
      ctx.stroke();
    }
    ctx.globalAlpha = 1;
    // From where the code belongs (the clean digit's, or the encoder's own) to where it is.
    const home = this.seen !== this.clean ? this.original.mean : this.pulled || this.thrown ? this.code.mean : null;
    const [x, y] = plane.toScreen(this.z);
    if (home) {
      const [hx, hy] = plane.toScreen(home);
      ctx.beginPath();
      ctx.setLineDash([3, 3]);
      ctx.moveTo(hx, hy);
      ctx.lineTo(x, y);
      ctx.lineWidth = 1.5;
      ctx.strokeStyle = text;
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      ctx.arc(hx, hy, 4.5, 0, 2 * Math.PI);
      ctx.fillStyle = background;
      ctx.fill();
      ctx.stroke();
    }
    plane.pointTo(ctx, this.z);
  }

  /** The posterior under a magnifying glass, in a corner that the code does not need. */
  #drawLens(ctx) {
    if (!this.clean || this.pulled) return;
    const { plane } = this;
    const { theme, width } = plane;
    const { mean, logvar } = this.code;
    const sigma = [Math.exp(0.5 * logvar[0]), Math.exp(0.5 * logvar[1])];
    const radius = Math.min(46, Math.max(24, 0.165 * width));
    const wide = 1.1 * Math.max(...sigma) * plane.scale;
    const reaching = (far) => [10, 5, 2].find((p) => far * p <= radius);
    if (!reaching(wide)) return; // the ellipse is large enough to be seen as it is
    const peak = this.posterior?.field ? this.posterior.peak : mean;
    const away = 1.2 * Math.hypot(peak[0] - mean[0], peak[1] - mean[1]) * plane.scale;
    const power = reaching(Math.max(wide, away)) ?? reaching(wide); // both in one glass, if one can hold them
    const [mx, my] = plane.toScreen(mean);
    const [cx, cy] = corner(plane, radius, [mx, my]);
    const scale = plane.scale * power;
    ctx.save();
    ctx.beginPath();
    ctx.arc(cx, cy, radius, 0, 2 * Math.PI);
    ctx.fillStyle = theme.background;
    ctx.fill();
    ctx.save();
    ctx.clip();
    const { mean: all, label } = this.codes;
    const reach = radius / scale;
    ctx.globalAlpha = this.posterior ? 0.15 : 0.4;
    for (let i = 0; i < label.length; i++) {
      const dx = all[2 * i] - mean[0];
      const dy = all[2 * i + 1] - mean[1];
      if (dx > reach || dx < -reach || dy > reach || dy < -reach) continue;
      ctx.fillStyle = this.colours[label[i]];
      ctx.fillRect(cx + dx * scale - 1.5, cy - dy * scale - 1.5, 3, 3);
    }
    if (this.posterior?.field) {
      ctx.globalAlpha = 1;
      const glass = { scale, toScreen: (z) => [cx + (z[0] - mean[0]) * scale, cy - (z[1] - mean[1]) * scale] };
      this.posterior.around(mean, reach).draw(ctx, glass, { colour: theme.accent });
    }
    ctx.beginPath();
    ctx.ellipse(cx, cy, sigma[0] * scale, sigma[1] * scale, 0, 0, 2 * Math.PI);
    ctx.fillStyle = ctx.strokeStyle = this.#colour;
    ctx.globalAlpha = this.posterior ? 0 : 0.2; // nothing on top of the truth
    ctx.fill();
    ctx.globalAlpha = 1;
    ctx.lineWidth = 1.5;
    ctx.stroke();
    const place = (eps, size) => {
      ctx.beginPath();
      ctx.arc(cx + sigma[0] * eps[0] * scale, cy - sigma[1] * eps[1] * scale, size, 0, 2 * Math.PI);
      ctx.fill();
    };
    ctx.fillStyle = theme.text;
    ctx.globalAlpha = 0.5;
    for (const eps of this.throws) place(eps, 1.5);
    ctx.globalAlpha = 1;
    ctx.fillStyle = this.#colour;
    place(this.thrown ?? [0, 0], this.posterior ? 2 : 3);
    ctx.restore();
    ctx.beginPath();
    ctx.arc(cx, cy, radius, 0, 2 * Math.PI);
    ctx.lineWidth = 1.25;
    ctx.strokeStyle = theme.text;
    ctx.globalAlpha = 0.55;
    ctx.stroke();
    ctx.beginPath(); // a line from the glass to what it shows
    const far = Math.hypot(mx - cx, my - cy) || 1;
    ctx.moveTo(cx + ((mx - cx) * radius) / far, cy + ((my - cy) * radius) / far);
    ctx.lineTo(mx, my);
    ctx.setLineDash([2, 3]);
    ctx.stroke();
    ctx.restore();
    plane.text(ctx, `${power}× lens`, cx, cy + radius + WORDS / 2, { size: 11 });
  }
}
