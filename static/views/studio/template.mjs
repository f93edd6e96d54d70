// The Studio's elements and look; studio.mjs brings them to life. ui/views/studio.py draws the same boxes for the first picture.

import { BRUSH } from "../../parts/pad.mjs";
import { REPLAYS } from "./strokes.mjs";

const style = await (await fetch(new URL("studio.css", import.meta.url))).text();

export const LABELS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const SAMPLED = ["vae", "cvae"]; // whose code is a distribution
const NAT = "How surprising your digit is where each pixel is as likely as in this drawing: −log p(x | z). " +
  "A nat is 1.44 bits. Less is closer.";
const BARS = "Bars: exp(ELBO) of each label over their sum, an approximation of p(y | x)";

const each = (items, text) => items.map(text).join("");

/**
 * models: {kind, name, title, full, code} of each card; spoils: {kind, name, trained} of each way to spoil a digit → the
 * inner HTML of the view.
 */
export const template = ({ models, spoils }) => `
<style>:host { display: block; } ${style}</style>
<div class="studio"><div class="room waiting">
  <div class="front"><div class="pad"></div><div class="mini" aria-hidden="true">${each(models, small)}</div></div>
  <div class="steps" aria-live="polite">
    <ol>${each(Object.entries(STEPS), step)}</ol>
    <a class="next" href="Map">Where do all digits lie? <span aria-hidden="true">→</span></a>
  </div>
  <div class="row strokes">
    <button data-do="undo">Undo</button><button data-do="clear">Clear</button>
    <button data-do="sample" title="A test digit, by another hand">Sample</button>
    <span class="file" title="Bring a photograph or a scan of a digit, or drop it on the pad"><label>Picture
      <input type="file" accept="image/*,.heic,.heif" aria-label="Picture of a digit that you bring"></label></span>
    <button data-do="camera" title="Hold a digit on paper up to the webcam">Camera</button>
  </div>
  <section class="tell" aria-labelledby="tell">
    <div class="switch"><h2 id="tell" title="${BARS}">Tell the CVAE which digit it is</h2><button class="auto"
      data-do="auto" aria-pressed="true" title="The label of the highest ELBO, anew for every drawing">auto</button></div>
    <p class="quiet bars-say"></p>
    <div class="bars" role="group" aria-labelledby="tell" title="${BARS}">${each(LABELS, bar)}</div>
  </section>
  <section class="tools" aria-label="Brush, replays and noise">
    <label class="brush">Brush <input type="range" data-set="brush" min="${BRUSH.least}" max="${BRUSH.most}"
      step="0.5" value="${BRUSH.normal}"></label>
    <div class="row"><span class="quiet">Replay</span>${each(Object.entries(REPLAYS), replay)}</div>
    <div class="seen">
      <div class="tile"></div>
      <div class="stack">
        <h2>What the models see</h2>
        <label><input type="checkbox" data-set="centred" checked>centred as in MNIST</label>
        <select data-set="kind" aria-label="Spoil: how">
          ${each(spoils, ({ kind, name, trained }) => `<option value="${kind}">Spoil: ${name}${trained ? "" : ", new to the DAE"}</option>`)}
        </select>
        <div class="amount"><input type="range" data-set="amount" min="0" max="1" step="0.01" value="0"
          aria-label="Spoil: how much"><output>0.00</output><button data-do="again">Spoil again</button></div>
      </div>
    </div>
  </section>
  <section class="answers" aria-label="Four answers">
    ${each(models, card)}
    <p class="verdict"></p>
    <div class="switches">
      <label title="Codes, their spread, and every term in nats"><input type="checkbox" data-set="numbers">Numbers</label>
      <label title="p(z | x) on the maps of the VAE and the CVAE, under q's ellipse"><input type="checkbox"
        data-set="truth">true posterior</label>
      <label title="Each pixel black or white, by its probability"><input type="checkbox"
        data-set="sampled">sample the pixels</label>
    </div>
    <p class="unit quiet meaning" hidden>True posterior: which codes explain your digit, the stronger the colour the better.
      q is the encoder’s guess at it, always one upright ellipse; a perfect guess holds 86 % in its 2 σ.</p>
    <p class="unit quiet full">Numbers are nats for this digit, and for the mean of 10,000 test digits; one trained network
      each: another would move the mean by a nat or two, this digit perhaps by seven. Reconstruction is −log p(x | z) at the code; −ELBO averages it over q and adds
      the KL. The CVAE’s is given y; <i>with y</i> adds log 10 for the label, to stand beside the VAE’s.</p>
  </section>
</div></div>`;

/** The first minute, one act each; studio.mjs ticks them. */
export const STEPS = { draw: "Draw your digit", pull: "Pull the pink dot", tell: "Tell the CVAE another digit" };

const step = ([name, words], i) => `<li data-step="${name}"><i aria-hidden="true">${i + 1}</i><span>${words}</span></li>`;

const small = ({ kind, name }) => `<figure data-mini="${kind}"><figcaption>${name}</figcaption></figure>`;

const replay = ([name, { says }]) => `<button data-replay="${name}" title="${says}">${name}</button>`;

const bar = (y) => `<button data-label="${y}" aria-pressed="false"><span class="space"><i></i></span>${y}</button>`;

const term = (key, name, more = "") =>
  `<div data-term="${key}"><dt>${name}</dt><dd class="live">—</dd><dd class="test"></dd>${more}</div>`;

const joint = `<dd class="joint" title="A bound on −log p(x, y): + log 10 for the label"></dd>`;

const resample = '<button data-do="resample" class="full" title="A new ε: z = μ + σ ε">Resample</button>';

const truth = (given) => `<p class="truth" hidden><span><i class="cloud"></i>true p(z | ${given})</span>
  <span><i class="ellipse"></i>encoder’s q(z | <span class="shown">x</span>${given.slice(1)})</span><span class="share"></span></p>`;

const terms = (kind) => term("reconstruction", "reconstruction") + (SAMPLED.includes(kind)
  ? term("kl", "KL") + term("nelbo", kind === "cvae" ? "−ELBO given y" : "−ELBO", kind === "cvae" ? joint : "")
  : '<p class="quiet none">no KL and no −ELBO: a point has no posterior</p>');

const card = ({ kind, title, full, code }) => `
  <article class="card waiting" data-kind="${kind}">
    <header><b title="${full}">${title}</b><span class="code quiet full">${code}</span><span class="best"></span></header>
    <div class="map"><button class="home" hidden aria-label="Show the whole map" title="Show the whole map">⤢</button></div>
    <div class="drawing"></div><p class="coming"></p>
    <div class="under"><span class="one" title="${NAT}"><b>—</b> nats <span class="quiet">from your digit</span></span>
      <span class="z full">z = —</span><span class="how quiet"></span><span class="acts"><button class="back" hidden
        title="Give the code back; the next stroke does so too">Back</button>${SAMPLED.includes(kind) ? resample : ""}</span></div>
    ${SAMPLED.includes(kind) ? truth(kind === "cvae" ? "x, y" : "x") : ""}
    <dl class="terms full">${terms(kind)}</dl>
  </article>`;
