// Models and their codes by name, one instance for the whole document: pages come and go, parsed weights stay.
// ui/live.py's `models` feeds it; the views wait for what they need. No DOM.

import { EngineError, Model } from "./engine.mjs";

const entries = new Map(); // name → {promise, resolve, reject, value}

function entry(name) {
  if (!entries.has(name)) {
    const e = {};
    e.promise = new Promise((resolve, reject) => Object.assign(e, { resolve, reject }));
    e.promise.catch(() => {}); // whoever waits for it hears of it; nobody waiting is no error
    entries.set(name, e);
  }
  return entries.get(name);
}

/** bytes: Uint8Array of weights.safetensors; card: its card's config, test numbers and dataset. Parsed once. */
export function register(slug, bytes, card) {
  if (entry(slug).failed) entries.delete(slug); // a whole file has come after a broken one
  const e = entry(slug);
  if (e.value) return;
  try {
    e.value = Model.fromSafetensors(bytes, card);
    e.resolve(e.value);
  } catch (error) {
    e.failed = true; // kept: a view that asks later must hear of it, too
    e.reject(error instanceof EngineError ? error : new EngineError(`The model ${slug} could not be read: ${error.message}.`));
  }
}

/** codes: {mean: Float32Array n·D, logvar: Float32Array or null, label: Uint8Array n}, of the test split. */
export function registerCodes(slug, codes) {
  const e = entry(`${slug}/codes`);
  if (e.value) return;
  e.value = codes;
  e.resolve(codes);
}

/** The model, as soon as its weights are here; rejects with an EngineError, one sentence. */
export const model = (slug) => entry(slug).promise;

/** The codes of the test split, as soon as they are here. */
export const codes = (slug) => entry(`${slug}/codes`).promise;

/** The model if it is here already, else null: for a first picture without waiting. */
export const modelNow = (slug) => entry(slug).value ?? null;
