// What the views of Styles, Sliders and Interpolate share beside paint.mjs: elements, numbers as text, the digit that
// Python sends, and what a latent dimension is worth. Their boxes and colours are in views.css, which the server also
// puts around the first picture (ui/parts/first.py).

import { PIXELS } from "../engine/engine.mjs";

/**
 * A digit as Python tells it: `option` of ui/parts/digit.py. id: another one where pixels or label are others; pixels:
 * 784 grey bytes as base64; label: what a model is told; shows, edge: what it shows, in words, and in its class's colour,
 * where that is known.
 * @typedef {{id: string, pixels: string, label: number | null, name: string, shows: string | null,
 *   edge: string | null}} Digit
 */

/** The style sheet as an element: the one that came with the first picture, or fetched. @param {import("../host.mjs").Root} root */
export async function styleSheet(root) {
  const there = root.querySelector("style[data-views]");
  if (there) return there;
  const response = await fetch(new URL("views.css", import.meta.url));
  return element("style", { textContent: await response.text() });
}

/**
 * element("button", {type: "button"}, "words", another)
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {{[name: string]: unknown}} properties @param {(Node | string)[]} children
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A button with words, and what it does; `title` says more. @param {string} words @param {(e: MouseEvent) => void} act */
export function button(words, act, title = "") {
  return element("button", { type: "button", textContent: words, title, onclick: act });
}

/** Press a toggle in or out. @param {Element} made @param {unknown} on */
export const press = (made, on) => made.setAttribute("aria-pressed", String(Boolean(on)));

/** Put text into an element only where it is another one: the browser would lay it out again. @param {Element} target @param {string} text */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** While Python's words below the view are about what the hand has left, the page hides or fades them (look.css).
 * @param {boolean} on */
export const stale = (on) => document.documentElement.toggleAttribute("data-moved", on);

/**
 * Python's digit → pixels in [0, 1].
 * @param {{pixels: string}} digit 784 grey bytes as base64, and whatever else it is
 */
export function pixelsOf({ pixels }) {
  const bytes = atob(pixels);
  return Float32Array.from({ length: PIXELS }, (_, i) => bytes.charCodeAt(i) / 255);
}

/** The label that a conditional model takes a digit for: the one of the highest ELBO, each over the same two draws.
 * @param {import("../engine/engine.mjs").Model} model @param {Float32Array} pixels */
export function likeliest(model, pixels) {
  const D = model.latentDim;
  const labels = Uint8Array.from({ length: model.nClasses }, (_, y) => y);
  const eps = Float32Array.from({ length: 2 * D }, (_, i) => (i < D ? 1 : -1));
  const elbo = model.elbo(model.observe(pixels), labels, eps);
  return elbo.reduce((best, v, y) => (v > elbo[best] ? y : best), 0);
}

/** A class in a sentence, as ui/parts/digit.py calls it, too: a 7, an 8, “Ankle boot”. @param {string} name */
export const called = (name) => (name.length > 1 ? `“${name}”` : `${"8aefhilmnorsx".includes(name.toLowerCase()) ? "an" : "a"} ${name}`);

/** −1.5 → "−1.50", 1.5 → "+1.50" */
export const signed = (v, digits = 2) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(digits);

/** Dimension 0 → "z₁" */
export const dimension = (j) => "z" + String(j + 1).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);

/** "1.5,-2" → [1.5, −2] where it is n finite numbers of at most `limit`, else null: links get cut. */
export function numbersOf(text, n, limit = 100) {
  const values = (text ?? "").split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return values.length === n && values.every((v) => Math.abs(v) <= limit) ? values : null;
}

/** Numbers as they stand in a link. */
export const toLink = (values, digits = 3) => Array.from(values, (v) => String(Number(v.toFixed(digits)))).join(",");

/** Mean KL of each dimension in nats over codes with posteriors, n × D.
 * @param {import("../engine/engine.mjs").Code} codes @param {number} D */
export function meanKl({ mean, logvar }, D) {
  const sum = new Float64Array(D);
  for (let i = 0; i < mean.length; i++) sum[i % D] += 0.5 * (mean[i] * mean[i] + Math.expm1(logvar[i]) - logvar[i]);
  return sum.map((v) => v / (mean.length / D));
}

/** The length of a vector. */
export const norm = (z) => Math.hypot(...z);
