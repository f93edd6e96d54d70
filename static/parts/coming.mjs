// What is awaited: on a slow line a view's networks take seconds, and a page that only stands there seems broken.

import { told } from "../host.mjs";
import { progress, watch } from "../engine/registry.mjs";

const PATIENCE = 600; // milliseconds in which nothing need be said

/**
 * Say over the view in root how much of its networks has come, until `view` is there. The Studio says it on each card.
 * @typedef {import("../engine/registry.mjs").Network} Network
 * @param {import("../host.mjs").Root} root
 * @param {import("../host.mjs").Component<{models?: {network: Network}[], network?: Network}, any>} component
 * @param {Promise<unknown>} view
 */
export function coming(root, component, view) {
  const { models = [], network: own } = told(component);
  const all = [...models.map(({ network }) => network), own].filter(Boolean);
  if (!all.length) return;
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  note.style.cssText = `position: absolute; top: 8px; left: 50%; transform: translateX(-50%); z-index: 3; margin: 0;
    padding: 4px 12px; border-radius: 999px; font: 13px var(--st-font); color: var(--st-text-color);
    background: var(--st-background-color); border: 1px solid var(--st-border-color);`;
  const say = () => {
    const words = progress(all);
    note.textContent = `The networks are on their way${words && ": "}${words}.`;
    if (!note.isConnected) (root.host ?? root).shadowRoot?.append(note);
  };
  let stop = () => {};
  const timer = setTimeout(() => {
    say();
    stop = watch(say);
  }, PATIENCE);
  view.catch(() => {}).then(() => {
    clearTimeout(timer);
    stop();
    note.remove();
  });
}
