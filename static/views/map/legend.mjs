// The classes of the Map's data set in their colours, as toggles: those that are pressed stand out on both maps.

import { button, element, press } from "../../parts/controls.mjs";

export class Legend {
  /** @param {{change: (only: Set<number>) => void}} options change: the visitor has pressed other classes; none is all */
  constructor({ change }) {
    /** @type {Set<number>} */
    this.only = new Set();
    this.change = change;
    /** @type {HTMLButtonElement[]} */
    this.chips = [];
    this.group = element("div", { className: "group chips", role: "group", ariaLabel: "Classes that stand out" });
    this.all = button("All", () => change(new Set()), "Every class stands out again");
    this.count = element("span", { className: "quiet count" });
    this.element = element("div", { className: "classes" }, this.group,
      (this.rest = element("div", { className: "group rest" }, this.all, this.count)));
  }

  /** @param {string[]} names of the classes @param {string[]} colours a class */
  setClasses(names, colours) {
    this.chips = names.map((name, y) => {
      const chip = button(name, () => this.#toggle(y), `Only ${name}, or with what is pressed already`);
      chip.style.setProperty("--class", colours[y]);
      return chip;
    });
    this.group.replaceChildren(...this.chips);
  }

  /** How many stand out also says what a lasso has caught. @param {Set<number>} only what is pressed @param {number} shown codes that stand out @param {number} n of all */
  show(only, shown, n) {
    this.only = only;
    this.chips.forEach((chip, y) => press(chip, only.has(y)));
    press(this.all, !only.size);
    const [some, all] = [shown, n].map((v) => v.toLocaleString("en"));
    this.count.textContent = shown < n ? `${some} of ${all} codes stand out` : "Press a class to see it alone";
  }

  #toggle(y) {
    const only = new Set(this.only);
    if (!only.delete(y)) only.add(y);
    this.change(only);
  }
}
