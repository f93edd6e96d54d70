// The Studio's elements and look; studio.mjs brings them to life. ui/studio.py draws the same boxes for the first picture.

import { BRUSH } from "./pad.mjs";
import { REPLAYS } from "./strokes.mjs";

const style = await (await fetch(new URL("studio.css", import.meta.url))).text();

export const LABELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
export const SPOILS = {
  masking: "Masking", salt_pepper: "Salt and pepper", gaussian: "Gaussian noise", blur: "Blur, new to the DAE",
};
const TERMS = { reconstruction: "reconstruction", kl: "KL", nelbo: "−ELBO" };
const SAMPLED = ["vae", "cvae"]; // whose code is a distribution

const each = (items, text) => items.map(text).join("");

/** models: {kind, name, title, code} of each card → the inner HTML of the view. */
export const template = ({ models }) => `
<style>:host { display: block; } ${style}</style>
<div class="studio">
  <section class="hand" aria-label="The digit">
    <div class="front"><div class="pad"></div><div class="mini" aria-hidden="true">${each(models, small)}</div></div>
    <div class="row">
      <button data-do="undo">Undo</button><button data-do="clear">Clear</button>
      <label class="brush">Brush <input type="range" data-set="brush" min="${BRUSH.least}" max="${BRUSH.most}"
        step="0.5" value="${BRUSH.normal}" aria-label="Width of the brush"></label>
    </div>
    <div class="row">
      <button data-do="sample" title="A test digit, by another hand">Sample</button>
      <span class="file" title="Bring a photograph or a scan of a digit, or drop it on the pad"><label>Picture
        <input type="file" accept="image/*" aria-label="Bring a picture of a digit"></label></span>
      <button data-do="camera" title="Hold a digit on paper up to the webcam">Camera</button>
      <span class="row"><span class="quiet">Replay</span>${each(Object.entries(REPLAYS), replay)}</span>
    </div>
    <div class="seen">
      <div class="tile"></div>
      <div class="stack">
        <h2>What the models see</h2>
        <label><input type="checkbox" data-set="centred" checked>centred as in MNIST</label>
        <select data-set="kind" aria-label="How the digit is spoilt">
          ${each(Object.entries(SPOILS), ([kind, name]) => `<option value="${kind}">Spoil: ${name}</option>`)}
        </select>
        <label><input type="range" data-set="amount" min="0" max="1" step="0.01" value="0"
          aria-label="How much is spoilt"><output>0.00</output></label>
      </div>
    </div>
    <div>
      <div class="switch"><h2>Label for the CVAE</h2><button class="auto" data-do="auto" aria-pressed="true"
        title="The label of the highest ELBO">auto</button></div>
      <p class="quiet bars-say"></p>
      <div class="bars" role="group" aria-label="Label for the CVAE">${each(LABELS, bar)}</div>
    </div>
  </section>
  <section class="answers" aria-label="Four answers">
    ${each(models, card)}
    <div class="foot"><p class="verdict"></p>
      <label title="p(z | x) on the maps of the VAE and the CVAE, under q's ellipse"><input type="checkbox"
        data-set="truth">true posterior</label>
      <label><input type="checkbox" data-set="sampled">sample the pixels</label>
      <p class="unit quiet meaning" hidden>True posterior: which codes explain your digit, the stronger the colour the better.
        q is the encoder’s guess at it, always one upright ellipse; a perfect guess holds 86 % in its 2 σ.</p>
      <p class="unit quiet">Numbers are nats for this digit, and for the mean of 10,000 test digits.
        Reconstruction is −log p(x | z) at the code; −ELBO averages it over q, so it is usually more than the sum.</p></div>
  </section>
</div>`;

const small = ({ kind, name }) => `<figure data-mini="${kind}"><figcaption>${name}</figcaption></figure>`;

const replay = ([name, { says }]) =>
  `<button data-replay="${name}" title="${says}" aria-label="Replay: ${says}">${name}</button>`;

const bar = (y) => `<button data-label="${y}" aria-pressed="false"><span class="space"><i></i></span>${y}</button>`;

const term = ([key, name]) =>
  `<div data-term="${key}"><dt>${name}</dt><dd class="live">—</dd><dd class="test"></dd></div>`;

const resample = '<button data-do="resample" title="A new ε: z = μ + σ ε">Resample</button>';

const truth = (given) => `<p class="truth" hidden><span><i class="cloud"></i>true p(z | ${given})</span>
  <span><i class="ellipse"></i>encoder’s q(z | <span class="shown">x</span>${given.slice(1)})</span><span class="share"></span></p>`;

const card = ({ kind, title, code }) => `
  <article class="card" data-kind="${kind}">
    <header><b>${title}</b><span class="code quiet">${code}</span><span class="best" >closest<span> without a label</span></span></header>
    <div class="map"></div>
    <div class="drawing"></div>
    <div class="under place"><span class="z">z = —</span></div>
    <div class="under draws"><span class="how"></span><span>
      <button class="back" hidden title="Give the code back; the next stroke does so too">Back</button>
      ${SAMPLED.includes(kind) ? resample : ""}</span></div>
    ${SAMPLED.includes(kind) ? truth(kind === "cvae" ? "x, y" : "x") : ""}
    <dl class="terms">${each(Object.entries(TERMS), term)}</dl>
  </article>`;
