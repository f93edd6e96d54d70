// How Python hears what the Studio's pad shows before the visitor goes to another page. It stands outside of the Studio's
// fragment: what comes by it interrupts what Python computes there, as the way to another page does.

import { call } from "../../host.mjs";

let component = null;

/** Says {bits, said, origin}, as studio.mjs's `shown`; false where nobody can hear. */
export function tell(shown) {
  if (component) call(component, shown);
  return Boolean(component);
}

export function mount(root, mine) {
  component = mine;
  return { update: (again) => (component = again) };
}
