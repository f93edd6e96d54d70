// Ways to spoil a digit, as ui/parts/spoils.py tells a view of them.

import { SPOIL } from "../maths/digit.mjs";

/**
 * @typedef {object} Spoil one row of vae_core/corruption.py
 * @property {string} kind
 * @property {string} name
 * @property {string} unit what its amount is
 * @property {number[]} amounts those that are measured on test digits, rising
 * @property {number} limit the largest
 * @property {number} start where its slider starts
 * @property {boolean} chance whether the same amount can spoil in other places
 * @property {boolean} trained whether DAEs were trained on it
 */

/**
 * Those of the rows that the browser can do, too.
 * @template {Spoil} R
 * @param {R[]} rows
 */
export const doable = (rows) => rows.filter(({ kind }) => Object.hasOwn(SPOIL, kind));

/**
 * Whether *Spoil again* can do anything, and why.
 * @param {HTMLButtonElement} button @param {Spoil} row @param {number} amount
 */
export function showAgain(button, { chance, name }, amount) {
  button.disabled = !chance || !(amount > 0);
  button.title = !chance ? `${name} has no chance in it: it would be the same again`
    : amount > 0 ? "The same amount of noise, in other places" : "Nothing is spoilt yet";
}
