// The account of one digit under a q: the bar that ends below log p(x), the sentence about it, and the table of nats.

import { place } from "../../maths/bound.mjs";
import { dimension, element, write } from "../../parts/controls.mjs";

export const TICKS = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000]; // nats below log p(x)
const NAMED = [1, 10, 100, 1000]; // of them, where there is little room
const ROUGH = ["reconstruction", "nelbo", "gap"]; // averages over q: known no better than q is narrow

export const nats = (v) => (Math.abs(v) < 1e5 ? v.toFixed(2) : Number.isFinite(v) ? v.toExponential(1) : "∞").replace("-", "−");
export const cents = (v) => Math.round(100 * v) / 100; // shown parts add up to the shown whole
/** Nats of an account; where its q is wide they are known to no decimals. */
export const about = (v, { wide }) => (wide ? `≈ ${Math.round(v)}`.replace("-", "−") : nats(v));

/**
 * What a q costs, in nats.
 * @typedef {object} Costs
 * @property {number} elbo
 * @property {number} reconstruction −E_q log p(x | z)
 * @property {number} atMean −log p(x | z = μ)
 * @property {number[]} kl of each dimension; under a learned prior its one part
 * @property {boolean} wide no decimals are claimed
 */

export class Account {
  /** words: the glossary's sentences on evidence, elbo and gap. */
  constructor(words = {}) {
    this.verdict = element("p", { className: "reading" });
    this.marks = element("div", { className: "marks" });
    this.track = buildTrack(this.marks);
    this.lacking = this.track.querySelector(".lacking em");
    const sum = buildSum(words);
    /** @type {Record<string, HTMLElement>} */
    this.terms = Object.fromEntries(["evidence", "elbo", "gap"].map((name) => [name, sum.querySelector(`.${name} b`)]));
    this.box = element("div", { className: "account" }, sum, this.track, buildTicks());
    /** @type {Record<string, HTMLElement[]>} now and the encoder's, by the row's name */
    this.cells = {};
    this.table = this.#buildTable();
  }

  #buildTable() {
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
    for (const [name, words] of rows) {
      this.cells[name] = [element("td"), element("td", { className: "quiet" })];
      table.append(element("tr", { className: name }, element("th", { scope: "row", innerHTML: words }), ...this.cells[name]));
    }
    return table;
  }

  /** Another digit. given: what p is taken of, such as "x | y = 3"; the ELBO of the encoder's q and of the best. */
  know({ given, log_p, own, best }) {
    write(this.terms.gap.previousElementSibling, `KL(q ‖ p(z | ${given === "x" ? "x" : "x, y"})), the gap`);
    for (const box of [this.box, this.table]) {
      for (const name of box.querySelectorAll("[data-evidence]")) name.textContent = `log p(${given})`;
    }
    write(this.box.querySelector(".ticks .end"), given === "x" ? "log p(x)" : "log p(x | y)");
    const mark = (name, elbo) => {
      const made = element("span", { className: `mark ${name}`, textContent: name });
      made.style.setProperty("--at", String(place(log_p - elbo)));
      return made;
    };
    this.track.style.setProperty("--best", String(place(log_p - best)));
    this.marks.replaceChildren(mark("encoder", own), mark("best", best));
  }

  /**
   * @param {Costs} now of q as it is
   * @param {Costs} own of the encoder's q
   * @param {number} log_p
   * @param {string} verdict one sentence: how good this q is
   */
  show(now, own, log_p, verdict) {
    const gap = cents(log_p) - cents(now.elbo);
    write(this.terms.evidence, nats(log_p));
    write(this.terms.elbo, about(now.elbo, now));
    write(this.terms.gap, about(Math.abs(gap) < 0.005 ? 0 : gap, now));
    this.track.style.setProperty("--elbo", String(place(gap)));
    write(this.lacking, place(gap) > 0.12 ? `${about(gap, now)} nats` : "");
    write(this.verdict, verdict);
    [now, own].forEach((costs, column) => this.#fill(costs, log_p, column));
  }

  #fill(costs, log_p, column) {
    const [kl0, kl1 = 0] = costs.kl.map(cents);
    const whole = costs.kl.length === 1;
    write(this.cells.kl0[0].parentElement.firstElementChild, whole ? "+ KL to the learned prior" : `+ KL of ${dimension(0)}`);
    this.cells.kl1[0].parentElement.hidden = whole;
    const nelbo = -cents(costs.elbo);
    const values = {
      reconstruction: nelbo - kl0 - kl1, atMean: costs.atMean, kl0, kl1, nelbo, evidence: -cents(log_p), gap: cents(log_p) + nelbo,
    };
    for (const [name, cells] of Object.entries(this.cells)) {
      write(cells[column], ROUGH.includes(name) ? about(values[name], costs) : nats(values[name]));
    }
  }
}

function buildSum(words) {
  const term = (name, says) => element("span", { className: `term ${name}` },
    element("small", { innerHTML: says, title: words[name] ?? "" }), element("b", { textContent: "—" }));
  return element("div", { className: "sum" },
    term("evidence", '<span data-evidence>log p(x)</span>, exact and fixed'), element("i", { textContent: "=" }),
    term("elbo", "ELBO of q"), element("i", { textContent: "+" }),
    term("gap", "KL(q ‖ p(z | x)), the gap"));
}

function buildTrack(marks) {
  const track = element("div", { className: "track" },
    element("span", { className: "filled" }, element("em", { textContent: "ELBO" })),
    element("span", { className: "lacking" }, element("em")), element("span", { className: "beyond" }),
    element("span", { className: "wall" }), marks);
  track.setAttribute("role", "img");
  track.setAttribute("aria-label", "The ELBO as a bar that ends below log p(x); what lacks is the gap");
  return track;
}

function buildTicks() {
  const ticks = element("div", { className: "ticks" }, ...TICKS.filter((gap) => gap !== 300).map((gap) => {
    const tick = element("span", { textContent: String(gap) });
    tick.style.setProperty("--at", String(place(gap)));
    if (!NAMED.includes(gap)) tick.className = "minor";
    return tick;
  }), element("b", {}, element("span", { className: "end" }))); // short: the next tick is near
  const unit = element("small", {}, " nats", element("span", { className: "below", textContent: " below" }),
    element("span", { className: "scale", textContent: ", log scale" }));
  ticks.querySelector(":scope > span:last-of-type").append(unit);
  ticks.title = "Nats below log p(x), on a logarithmic scale";
  return ticks;
}
