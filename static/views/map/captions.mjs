// What is said below each of the Map's maps: one sentence a layer, where it needs one.

import { beyond, shareWithin } from "../../maths/codes.mjs";
import { GAPS } from "./layers.mjs";

/**
 * layers: that are shown; gap: what the map is shaded by, or null; lacking: why it cannot be, "" where it can; label: the
 * class that a conditional model is told.
 * @param {any} side the page's
 * @param {{layers: Set<string>, gap: string | null, lacking: string, label: string | null}} shown
 */
export function caption(side, { layers, gap, lacking, label }) {
  const { model, about } = side;
  const words = [];
  if (about.plane) {
    const { centre, share } = about.plane;
    words.push(`The code has ${centre.length} numbers. This is the plane of the first two principal components of ` +
      `its training codes, with ${Math.round(100 * share)}% of their variance; whatever is drawn beside the map is ` +
      "decoded from the place in this plane.");
  } else if (layers.has("circles") && model.prior) {
    words.push(`Dashed: 1σ of each of the ${model.prior.K} Gaussians of the prior that this model has learned, the ` +
      "heavier the darker. Training moved them to the codes as it moved the codes to them.");
  } else if (layers.has("circles")) {
    const within = [1, 2].map((r) => `${Math.round(100 * shareWithin(side.codes.mean, r))}%`);
    words.push((model.probabilistic
      ? "Dashed: 1σ and 2σ of the prior N(0, I), towards which training pulled every posterior."
      : "Dotted: 1σ and 2σ of N(0, I), a yardstick only: nothing in training pulled the codes there.") +
      ` Inside lie ${within[0]} and ${within[1]} of the codes; of N(0, I), 39% and 86%.`);
  }
  if (layers.has("ellipses") && about.plane) words.push("Posteriors are not drawn in this plane.");
  else if (layers.has("ellipses") && !model.probabilistic) words.push(`The ${about.name}'s code is a point: no posterior to draw.`);
  if (model.conditional && (layers.has("tiles") || layers.has("arrows") || gap)) {
    words.push(`Drawn for the label ${label}.`);
  }
  if (layers.has("arrows")) {
    words.push(about.plane ? "Arrows: u to where the code of its own drawing (binarised) falls in the plane."
      : "Arrows: z to the code of its own drawing (binarised).");
  }
  if (lacking) words.push(lacking);
  else if (gap) {
    const values = side.gaps.inSight;
    words.push(values.length ? GAPS[gap].told(values) : "The shades are on their way.");
    const { done } = side.gaps;
    if (values.length && done < 1) words.push(`So far ${Math.floor(100 * done)}% of the view has been looked at closely.`);
  }
  const far = beyond(side.codes.mean, side.plane.home);
  if (far) words.push(`Beyond the first view lie ${far.toLocaleString("en")} of ${side.codes.label.length.toLocaleString("en")} codes; zoom out to see them.`);
  return words.join(" ");
}
