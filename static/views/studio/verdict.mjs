// What the Studio says of a drawing in words: who draws it best, by how many nats, and why. No DOM.

// Nats that nobody sees in a drawing. Another training moves one digit by more, so what is said is of these networks
// alone, and never that a kind of model is the reason for so little.
const EQUAL = 1;
const MANY = 1000;

const sum = (values) => values.reduce((a, b) => a + b, 0);
const worth = (v) => (v < MANY ? `${Math.max(1, Math.round(v))} nat${v < 1.5 ? "" : "s"}` : "more than 1,000 nats");
const the = (models) => models.map(({ name }) => `the ${name}`).join(", ").replace(/, (?=[^,]*$)/, " and ");
const begin = (text) => text[0].toUpperCase() + text.slice(1);
const a = (label) => `${label === 8 ? "an" : "a"} ${label}`;

/**
 * A model on this digit. label: what it is told; own: −log p(x | z) at its own code; now: at the code that is shown; held:
 * a hand holds the code; thrown: it is a draw from q.
 * @typedef {{kind: string, name: string, label: number | null, own: number, now: number, held: boolean, thrown: boolean}} Drawn
 */

/** Those of the models whose drawing is nearest to the digit: about equal, where they are several. @param {Drawn[]} models */
export function nearest(models) {
  const best = Math.min(...models.map(({ own }) => own));
  return models.filter(({ own }) => own - best < EQUAL || own === best);
}

/** Words on the cards of those models: best of all, or of those that were told no label where one with it draws nearer.
 * @param {Drawn[]} best @param {Drawn[]} models @param {{trained: boolean} | null} spoilt the row of the noise */
export function badge(best, models, spoilt = null) {
  if (best.length > 1) return "about equal";
  if (models.some(({ label, own }) => label !== null && own < best[0]?.own)) return "best without a label";
  return spoilt ? "brings it back best" : "draws it best";
}

/** In sentences. @param {Drawn[]} models @param {{trained: boolean} | null} spoilt the row of the noise */
export function verdict(models, spoilt = null) {
  const elsewhere = models.filter(({ held, thrown }) => held || thrown);
  if (elsewhere.length) return elsewhere.map(moved).join(" ");
  const told = models.find(({ label }) => label !== null);
  const others = models.filter((model) => model !== told);
  return [compare(others, spoilt), told && beside(told, others.find(({ kind }) => kind === "vae"), spoilt)].filter(Boolean).join(" ");
}

function moved({ name, own, now, held }) {
  const where = held ? `Where you hold the ${name}’s code` : `At this draw of the ${name}’s code`;
  const its = held ? "at its own" : "at the mean";
  if (Math.abs(now - own) < EQUAL) return `${where}, your digit is drawn about as well as ${its}.`;
  return `${where}, your digit is drawn ${worth(Math.abs(now - own))} ${now < own ? "better" : "worse"} than ${its}.`;
}

function compare(models, spoilt) {
  const best = nearest(models);
  const rest = models.filter((model) => !best.includes(model));
  const one = best.length === 1;
  const verb = spoilt ? (one ? "brings it back" : "bring it back") : (one ? "draws it" : "draw it");
  if (!rest.length) return `${begin(the(best))} ${verb} about equally well.`;
  const level = sum(best.map(({ own }) => own)) / best.length;
  const ahead = rest.map(({ name, own }) => `${worth(own - level)} better than the ${name}`).join(" and ");
  return `${begin(the(best))} ${verb} ${ahead}${why(best, rest, spoilt)}.`;
}

function why(best, rest, spoilt) {
  const is = (kind) => best.some((model) => model.kind === kind);
  if (spoilt) return best.length === 1 && is("dae") && spoilt.trained ? ": it was trained on digits spoilt like this" : "";
  if (rest.some(({ kind }) => kind === "vae")) return `; unlike the VAE, ${best.length === 1 ? "it" : "they"} may put the code anywhere`;
  return best.length === 1 && is("vae") ? ", though it must keep its codes near the middle" : "";
}

function beside({ name, label, own }, vae, spoilt) {
  if (!vae) return "";
  const subject = `The ${name}, told that it is ${a(label)}, ${spoilt ? "brings it back" : "draws it"}`;
  if (Math.abs(vae.own - own) < EQUAL) return `${subject} about as well as the ${vae.name}.`;
  if (own > vae.own) return `${subject} ${worth(own - vae.own)} worse than the ${vae.name}.`;
  return `${subject} ${worth(vae.own - own)} better than the ${vae.name}${spoilt ? "" : ": its code need not say which digit it is"}.`;
}
