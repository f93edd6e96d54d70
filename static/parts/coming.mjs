// What is awaited: on a slow line a view's networks take seconds, and a page that only stands there seems broken.

import { told } from "../host.mjs";
import { progress, watch } from "../engine/registry.mjs";

const PATIENCE = 600; // milliseconds in which nothing need be said

/** @typedef {import("../engine/registry.mjs").Network} Network */

/**
 * Networks that stand on a page each by itself, as they come: `here(i, loaded)` for what `load` made of the i-th,
 * `coming(i, words)` until then, and in the end `failed(i, error)` for those that did not come.
 * @template T
 * @param {Network[]} networks
 * @param {{load: (network: Network) => Promise<T>, here: (i: number, loaded: T) => void,
 *   coming: (i: number, words: string) => void, failed: (i: number, error: Error) => void}} acts
 */
export async function arrivals(networks, { load, here, coming, failed }) {
  const stop = watch(() => networks.forEach((network, i) => coming(i, progress([network]))));
  try {
    const ends = await Promise.allSettled(networks.map(async (network, i) => here(i, await load(network))));
    ends.forEach((end, i) => end.status === "rejected" && failed(i, end.reason)); // the others go on without it
  } finally {
    stop();
  }
}

/**
 * Say over the view in root how much of its networks has come, until `view` is there; who shows each network by itself
 * (`arrivals`) says it there.
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
