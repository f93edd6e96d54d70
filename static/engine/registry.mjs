// Networks and their codes by address, one instance for the whole document: pages come and go, parsed weights stay.
// A file is fetched when a view first asks for it, one after the other: on a slow line the first network then answers
// while the others are still on their way. An address holds the file's fingerprint (ui/live/networks.py). No DOM.

import { EngineError, Model } from "./engine.mjs";
import { Judge } from "./judge.mjs";
import { readTensors } from "./safetensors.mjs";

/**
 * What Python tells of a network: the part of its card that matters here, where its files lie, and the names and colours
 * of its data set's classes.
 * @typedef {{slug: string, card: object, weights: string, codes: string,
 *   bytes: {weights: number, codes: number}, classes: string[], colours: string[]}} Network
 *
 * Codes of the test split, n × D, n × D, n; of some models also those of its first images after these epochs, one epoch's
 * after the other's (followed).
 * @typedef {import("./engine.mjs").Code & {label: Uint8Array, epochs?: number[], followed?: Float32Array | null}} Codes
 */

const entries = new Map(); // address → {promise, have}: bytes that have come
const listeners = new Set();
/** @type {Promise<unknown>} */
let queue = Promise.resolve(); // the end of the last file that was asked for

const BASE = new URL("../../../", import.meta.url); // of the app, which serves this module as app/static/engine/registry.mjs

/** @returns {Promise<Uint8Array<ArrayBuffer>>} a whole file; `entry` follows it on its way. */
async function download(address, slug, entry) {
  const lost = `The network ${slug} did not come: the server could not be reached. Reload the page.`;
  let answer;
  try {
    answer = await fetch(new URL(address, BASE));
  } catch {
    throw new EngineError(lost);
  }
  if (!answer.ok) {
    throw new EngineError(`The network ${slug} did not come (${answer.status}): it may have been trained again meanwhile. ` +
      "Reload the page.");
  }
  const parts = [];
  const reader = answer.body.getReader();
  try {
    for (let part; (part = await reader.read()) && !part.done; ) {
      parts.push(part.value);
      entry.have += part.value.length;
      for (const listener of listeners) listener();
    }
  } catch {
    throw new EngineError(lost);
  }
  const bytes = new Uint8Array(entry.have);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What `read` makes of the file at an address, once; a file that failed is asked for again by the next who wants it. */
function once(address, slug, read) {
  if (!entries.has(address)) {
    const entry = { have: 0, promise: null };
    const file = queue.then(() => download(address, slug, entry));
    queue = file.catch(() => {});
    entry.promise = file.then(read).catch((error) => {
      entries.delete(address);
      throw error instanceof EngineError ? error
        : new EngineError(`The network ${slug} could not be read: ${error.message}.`);
    });
    entry.promise.catch(() => {}); // whoever waits for it hears of it; nobody waiting is no error
    entries.set(address, entry);
  }
  return entries.get(address).promise;
}

/** @param {Network} network @returns {Promise<Model>} rejects with an EngineError, one sentence */
export const model = ({ slug, card, weights }) => once(weights, slug, (bytes) => Model.fromSafetensors(bytes, card));

/** @param {{weights: string, threshold: number}} judge @returns {Promise<Judge>} rejects with an EngineError */
export const judge = ({ weights, threshold }) => once(weights, "judge", (bytes) => new Judge(bytes, threshold));

/** @param {Network} network @returns {Promise<Codes>} of the test split; rejects with an EngineError */
export const codes = ({ slug, codes: address }) => once(address, slug, (bytes) => {
  const tensors = readTensors(bytes, ["test_mean", "test_logvar", "test_label", "epochs", "epoch_mean"]);
  const values = (name) => tensors.get(name)?.values ?? null;
  return {
    mean: values("test_mean"), logvar: values("test_logvar"), label: Uint8Array.from(values("test_label") ?? []),
    epochs: Array.from(values("epochs") ?? []), followed: values("epoch_mean"),
  };
});

/**
 * Model and codes. The codes, a fifteenth of the bytes, are asked for first: the weights then end the waiting.
 * @param {Network} network @returns {Promise<[Model, Codes]>} rejects with an EngineError
 */
export function both(network) {
  const its = codes(network);
  return Promise.all([model(network), its]);
}

/** Calls `told` with every part of any file that comes, until the answer is called. */
export function watch(told) {
  listeners.add(told);
  return () => listeners.delete(told);
}

/** How much has come of the weights of those that a view has asked for, in words; a list may name many more. "" where
 * none is asked for yet. @param {Network[]} networks */
export function progress(networks) {
  const asked = networks.filter(({ weights }) => entries.has(weights));
  if (!asked.length) return "";
  const sum = (of) => (asked.reduce((all, network) => all + of(network), 0) / 1e6).toFixed(1);
  return `${sum(({ weights }) => entries.get(weights)?.have ?? 0)} of ${sum(({ bytes }) => bytes.weights)} MB`;
}
