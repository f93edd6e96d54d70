// The ladder of inference: better and better q for one digit, what each costs to find, and what it leaves of the gap.

import { WIDE, place, sigmas } from "../../maths/bound.mjs";
import { button, element, press, write } from "../../parts/controls.mjs";
import { about, cents, nats } from "./account.mjs";

/**
 * @typedef {import("../../maths/bound.mjs").Gaussian & {name: string, cost: string, elbo: number, mean_gap: number | null}} Rung
 * name such as "best of 5, 1 step"; cost in words; mean_gap over the test digits that it was measured on, nats
 */

/**
 * Whether two q are one. Python encodes once for the account and once for the ladder: the last bits may differ.
 * @param {import("../../maths/bound.mjs").Gaussian} q @param {import("../../maths/bound.mjs").Gaussian} other
 */
const same = (q, other) => [0, 1].every((d) =>
  Math.abs(q.mean[d] - other.mean[d]) < 1e-4 && Math.abs(q.logvar[d] - other.logvar[d]) < 1e-3);

export class Ladder {
  /** @param {(rung: Rung) => void} choose q onto a rung */
  constructor(choose) {
    this.choose = choose;
    /** @type {[HTMLButtonElement, Rung][]} */
    this.buttons = [];
    this.rows = element("tbody");
    this.averaged = element("span");
    const head = ["q of, and what it costs", "gap, log scale", "ELBO", "gap", "mean gap"].map((textContent) => element("th", { textContent }));
    this.box = element("section", { className: "ladder", hidden: true },
      element("h3", { textContent: "The ladder of inference" }),
      element("p", { textContent:
        "Asked once, the encoder often misses; asked about the digit moved a little, and then led a step or two uphill, " +
        "it comes close to the line. Press a rung to put q there." }),
      element("table", {}, element("thead", {}, element("tr", {}, ...head)), this.rows),
      element("p", { className: "quiet", textContent:
        "Nats, less gap is better. Each q is scored on the digit as it is, and each rung keeps the better q of its own and the " +
        "one below it, so the ladder never falls. Uphill is the E-step below; a drawing on its way needs its slope, too, " +
        "three times the work. " }, this.averaged));
  }

  /**
   * Another digit.
   * @param {{rungs: Rung[], log_p: number, averaged: number, slug: string}} told the lowest rung first; of how many
   * images the mean gaps are, 0 where none were measured
   */
  know({ rungs, log_p, averaged, slug }) {
    write(this.averaged, averaged ? `Mean gap: over the first ${averaged.toLocaleString("en")} test images.`
      : `Mean gaps of this model are not known: python -m vae_core measure ${slug} --what ladder.`);
    this.box.hidden = !rungs.length;
    this.buttons = rungs.map((rung, i) => {
      const made = button(rung.name[0].toUpperCase() + rung.name.slice(1), () => this.choose(rung));
      const cost = i && same(rung, rungs[i - 1]) ? `${rung.cost}; found no better, the same q as above` : rung.cost;
      made.append(" ", element("small", { textContent: cost })); // the space is for a screen reader
      return [made, rung];
    });
    const most = Math.max(...rungs.map(({ elbo }) => place(log_p - elbo)), 0.05);
    this.rows.replaceChildren(...this.buttons.map(([made, rung]) => {
      const { elbo, mean_gap } = rung;
      const rough = { wide: Math.max(...sigmas(rung)) > WIDE };
      const gap = cents(log_p) - cents(elbo);
      const bar = element("span");
      bar.style.width = `${(100 * place(Math.max(gap, 0))) / most}%`;
      const cells = [about(elbo, rough), about(Math.abs(gap) < 0.005 ? 0 : gap, rough), mean_gap === null ? "—" : nats(mean_gap)];
      return element("tr", {}, element("th", { scope: "row" }, made), element("td", { className: "lost" }, bar),
        ...cells.map((textContent) => element("td", { textContent })));
    }));
  }

  /** @param {import("../../maths/bound.mjs").Gaussian} q where it is now */
  show(q) {
    for (const [made, rung] of this.buttons) press(made, same(q, rung));
  }
}

/** Shrink σ to a point: a button that halves it, and what that does to the two terms of −ELBO. */
export class Shrink {
  /** @param {() => void} halve */
  constructor(halve) {
    this.value = element("span", { className: "value" });
    this.box = element("p", { className: "try" }, button("Halve σ", halve, "q half as wide in both directions"), this.value,
      element("span", { textContent:
        "Try it again and again: the reconstruction comes to what it is at the mean, and the KL runs away, once q is narrow by " +
        "nearly 1.39 nats each time. A point would cost infinitely many." }));
  }

  /** @param {import("./account.mjs").Costs} now @param {import("./account.mjs").Costs} own of the encoder's q @param {boolean} least */
  show(now, own, least) {
    const sum = (/** @type {number[]} */ parts) => parts.reduce((all, part) => all + part, 0);
    const more = (/** @type {number} */ v) => `${v < 0 ? "−" : "+"}${nats(Math.abs(v))}`;
    write(this.value, `Reconstruction ${more(now.reconstruction - own.reconstruction)}, KL ${more(sum(now.kl) - sum(own.kl))} ` +
      `against the encoder's${least ? "; no narrower q is drawn here" : ""}.`);
  }
}
