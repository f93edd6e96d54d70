// How Python hears what the Studio's pad shows before the visitor goes to another page. It stands outside of the Studio's
// fragment: what comes by it interrupts what Python computes there, as the way to another page does.

import { call } from "../../host.mjs";

/**
 * What all pages are to show. bits: the digit as digit.mjs's toText writes it, null where the pad is blank; said: the label
 * that the visitor has chosen; origin: the sample ("mnist:200") that the pad shows as it came.
 * @typedef {{bits: string | null, said: number | null, origin: string | null}} Shown
 * @typedef {import("../../host.mjs").Component<{}, Shown>} Component
 */

/** @type {Component | null} */
let component = null;

/** False where nobody can hear. @param {Shown} shown */
export function tell(shown) {
  if (component) call(component, shown);
  return Boolean(component);
}

/** @param {import("../../host.mjs").Root} root @param {Component} mine */
export function mount(root, mine) {
  component = mine;
  return { update: (again) => (component = again) };
}
