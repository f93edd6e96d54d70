"""What textbooks say of autoencoders, each statement beside what was measured of it here.

A claim is a row in `CLAIMS`: it reads numbers that are kept, and a rule makes its verdict of them.
Nothing is measured here: a claim whose measure is not kept stands as not measured yet, and what this app has no model
or data for as not tested here. Whatever quotes one of these numbers names it by its key (`quoted`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from vae_core import checkpoints, measures
from vae_core.corruption import CORRUPTIONS
from vae_core.few_labels import WAYS
from vae_core.metrics import HEADLINE
from vae_core.spread import ALIKE
from vae_core.storage import StorageError

TESTED = 10_000  # images of MNIST's test split
NORMAL = 1.96  # standard errors on either side of a mean that hold 95 % of them


class Verdict(StrEnum):
    HOLDS = "holds"
    RIDER = "holds with a rider"
    FAILS = "does not hold"
    UNMEASURED = "not measured yet"
    UNTESTED = "not tested here"


GUESSES = (Verdict.HOLDS, Verdict.RIDER, Verdict.FAILS)  # what numbers can say
# Where a claim stands on a page and in the list: first those that do not simply hold.
ORDER = (Verdict.FAILS, Verdict.RIDER, Verdict.HOLDS, Verdict.UNMEASURED, Verdict.UNTESTED)


class Number(NamedTuple):
    """One measured number. `f"{n}"` says it with its interval, `f"{n:bare}"` without."""

    value: float
    half: float | None = None  # half of the 95 % interval over test images, draws or labels; None where none is kept
    unit: str = ""
    decimals: int = 2

    @property
    def low(self) -> float:
        return self.value - (self.half or 0)

    @property
    def high(self) -> float:
        return self.value + (self.half or 0)

    def __format__(self, form: str) -> str:
        sign = "−" if round(self.value, self.decimals) < 0 else ""
        said = f"{sign}{abs(self.value):,.{self.decimals}f}"
        if self.half is not None and form != "bare":
            said += f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{self.half:.{self.decimals}f}"
        return f"{said}\N{NO-BREAK SPACE}{self.unit}".rstrip()


def above(a: Number, b: Number | float) -> bool:
    """Whether a is greater than b, and their intervals lie apart."""
    return a.low > (b.high if isinstance(b, Number) else b)


def graded(holds: bool, partly: bool) -> Verdict:
    return Verdict.HOLDS if holds else Verdict.RIDER if partly else Verdict.FAILS


def by_size(*holds: bool) -> Verdict:
    """The verdict of a claim that was tried at several sizes of the code."""
    return graded(all(holds), any(holds))


class Missing(ValueError):
    """A number that nobody has measured of these weights; its message says how to."""


class Stored:
    """The measured numbers: cards and what lies beside them, each file read once."""

    def __init__(self, root: Path | None = None) -> None:
        self.card = cache(lambda slug: checkpoints.read_card(slug, root))
        self.codes = cache(lambda slug: checkpoints.load_codes(slug, root))
        self.exact_of = cache(lambda slug: checkpoints.load_exact(slug, root))
        self.baselines = cache(lambda: checkpoints.load_baselines(root))
        self.judge = cache(lambda: checkpoints.read_json((root or checkpoints.ROOT) / "judge" / "card.json"))
        self._measured = cache(lambda name, slug: measures.measured(name, slug, root))

    def of(self, name: str, slug: str) -> dict[str, Any]:
        """What the measure of this name found of a model. Raises `Missing`."""
        found = self._measured(name, slug)
        if found is None:
            raise Missing(f"`python -m vae_core measure {slug} --what {name}` has not been run for these weights.")
        return found

    def exact(self, slug: str) -> dict[str, float]:
        found = self.card(slug).get("exact")
        if not found:
            raise Missing(f"`python -m vae_core integrate {slug}` has not been run.")
        return found

    def test(self, slug: str, term: str, unit: str = "nats", decimals: int = 2) -> Number:
        """The mean of one term over the test split, as the card has it."""
        values = self._terms(slug, term)
        return Number(self.card(slug)["test"][term], _half(values), unit, decimals)

    def error(self, slug: str) -> Number:
        """The mean squared error of a pixel."""
        return self.test(slug, "mse", "", 4)

    def lead(self, slug: str, other: str, term: str = "nelbo") -> Number:
        """By how much a term of `slug` is smaller than the other's, in the mean over the same test images."""
        apart = self._terms(other, term) - self._terms(slug, term)
        return Number(self.card(other)["test"][term] - self.card(slug)["test"][term], _half(apart), "nats")

    def _terms(self, slug: str, term: str) -> Any:
        codes = self.codes(slug)
        if term == "nelbo":
            return (codes["test_reconstruction"] + codes["test_kl"]).double()
        return codes[f"test_{term}"].double()

    def drawn(self, slug: str, source: str = "prior") -> Number:
        """How many drawings of random codes from a source are digits."""
        found = self.of("generation", slug)
        return percent(found["rows"][source]["digit"], found["draws"])

    def coverage(self, slug: str, source: str) -> Number:
        return Number(self.of("generation", slug)["rows"][source]["coverage"])

    def few(self, slug: str, way: str, count: int = 600) -> Number:
        """How many test codes are named right where `count` training codes have labels."""
        found = self.of("few_labels", slug)["rows"][str(count)][way]
        return Number(100 * found["mean"], 100 * found["half"], "%", 1)

    def best_few(self, slug: str) -> Number:
        return max((self.few(slug, way) for way in WAYS), key=lambda number: number.value)

    def restored(self, who: str, kind: str, amount: float) -> Number:
        """PSNR of a model by its slug, or of what needs no network by its name among the baselines."""
        base = self.baselines()
        found = base[who] if who in base else self.card(who)["denoising"]
        return Number(found[kind][f"{amount:g}"]["psnr"], unit="dB")

    def moved(self, slug: str) -> Number:
        """How far a code moves when a few pixels are flipped, in units in which codes have variance 1."""
        return Number(self.of("contraction", slug)["shift"])

    def edited(self, slug: str) -> dict[str, Number]:
        """What the arrows of thickness and slant do at their worst end: the sd of real digits that are reached, by how
        many the other trait moves, and how many drawings stay the digit they were."""
        found = self.of("arrows", slug)
        ends = [row[end] for row in found["rows"].values() for end in ("less", "more")]
        return {
            "kept": percent(min(end["kept"] for end in ends), found["images"]),
            "other": Number(max(abs(end["other"]) for end in ends)),
            "sd": Number(min(abs(end["reached"]) for end in ends)),
        }

    def leak(self, slug: str, where: str = "draw") -> Number:
        """How often a small network reads the label in a conditional model's code."""
        return percent(self.of("leak", slug)[where]["accuracy"], TESTED)

    def leaked(self, slug: str) -> Number:
        return Number(self.of("leak", slug)["draw"]["nats"], unit="nats")

    def posterior(self, slug: str, row: str, name: str) -> float:
        return self.of("posterior", slug)["rows"][row][name]


def percent(share: float, of: int, decimals: int = 1) -> Number:
    """A share of so many, with the interval of a binomial."""
    return Number(100 * share, 100 * NORMAL * math.sqrt(share * (1 - share) / of), "%", decimals)


def _half(values: Any) -> float:
    return NORMAL * float(values.std()) / math.sqrt(len(values))


Read = Callable[[Stored], dict[str, Number]]
Rule = Callable[[Any], Verdict]


class Claim(NamedTuple):
    """One statement. Where nothing was measured, `rule` is the verdict and `told` the reason."""

    key: str
    words: str
    source: str
    page: str
    link: dict[str, str]
    told: str  # a plain sentence with the numbers by their names
    read: Read = lambda stored: {}
    rule: Rule | Verdict = Verdict.UNMEASURED
    commands: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The state of a page in which a visitor tries it, without the server."""
        page = "" if self.page == "Studio" else self.page.replace(" ", "_")
        return f"/{page}" + (f"?{urlencode(self.link)}" if self.link else "")


class Finding(NamedTuple):
    """A claim and what the stored numbers say of it."""

    claim: Claim
    verdict: Verdict
    numbers: dict[str, Number]
    told: str


def judged(claim: Claim, numbers: dict[str, Number]) -> Verdict:
    """The verdict that follows from these numbers."""
    return claim.rule if isinstance(claim.rule, Verdict) else claim.rule(SimpleNamespace(**numbers))


def examine(claim: Claim, stored: Stored) -> Finding:
    try:
        numbers = claim.read(stored)
    except (Missing, StorageError) as reason:
        return Finding(claim, Verdict.UNMEASURED, {}, str(reason))
    return Finding(claim, judged(claim, numbers), numbers, claim.told.format(**numbers))


def findings(root: Path | None = None) -> list[Finding]:
    """All claims, first those that do not simply hold."""
    stored = Stored(root)
    return sorted((examine(claim, stored) for claim in CLAIMS), key=lambda found: ORDER.index(found.verdict))


def again(measure: str, *slugs: str) -> str:
    """The command that measures it once more and compares."""
    what = "" if measure == "test" else f" --what {measure}"
    return f"python -m vae_core evaluate {' '.join(f'mnist-{slug}' for slug in slugs)}{what}"


# The documents that the claims are from, as a reader finds them.
FAMILY = "“The autoencoder family” (blog post)"
NOTES = "T. Marchioro, “Variational Autoencoders – Theory” (tutorial notes, 2023)"
POST = "“Deep Learning – Autoencoder and Variational Autoencoder” (blog post)"
SURVEY = "a blog post on VAEs (“What is an Autoencoder?”, “Introducing Variational AutoEncoders”)"
LECTURE = "F. Qureshi, lecture notes on autoencoders, after R. Grosse and J. Ba"
HERE = "this app"
PAPER_VAE = "Kingma & Welling 2013, Auto-Encoding Variational Bayes"
LADDER = (2, 3, 5, 10, 20, 40)
NOISES = tuple(kind for kind, way in CORRUPTIONS.items() if way.trained_on)


def _noises(stored: Stored) -> dict[str, Number]:
    dae, ae = "mnist-dae-20d", "mnist-ae-20d"
    cells = [(kind, amount) for kind in NOISES for amount in CORRUPTIONS[kind].amounts]
    leads = [
        stored.restored(dae, *cell).value - max(stored.restored(who, *cell).value for who in (ae, "corrupted"))
        for cell in HEADLINE.items()
    ]
    ahead = sum(stored.restored("ridge", *cell).value > stored.restored(dae, *cell).value for cell in cells)
    return {
        "dae": stored.restored(dae, "masking", 0.5),
        "ae": stored.restored(ae, "masking", 0.5),
        "spoilt": stored.restored("corrupted", "masking", 0.5),
        "lead": Number(min(leads), unit="dB"),
        "ridge": Number(ahead, decimals=0),
        "cells": Number(len(cells), decimals=0),
    }


def _gaussian_pixels(stored: Stored) -> dict[str, Number]:
    slug = "mnist-vae-2d-gaussian"
    error = stored.error(slug)
    said = stored.card(slug)["test"]["reconstruction_at_mean"]
    owed = 784 / 2 * (math.log(2 * math.pi) + error.value)
    return {
        "error": error,
        "off": Number(abs(said - owed), unit="nats"),
        "fixed": stored.test(slug, "nelbo"),
        "learned": stored.test(f"{slug}-learned", "nelbo"),
    }


def _spread(stored: Stored) -> dict[str, Number]:
    widest = {kind: float(stored.codes(f"mnist-{kind}-2d")["test_mean"].std(0).max()) for kind in ("ae", "vae")}
    return {
        "ae": Number(widest["ae"]),
        "vae": Number(widest["vae"]),
        "divergence": Number(stored.posterior("mnist-vae-2d", "test 10000", "divergence"), unit="nats"),
        "holes": Number(100 * stored.posterior("mnist-vae-2d", "train 60000", "holes"), unit="%", decimals=1),
    }


def _bound(stored: Stored, kind: str) -> dict[str, Number]:
    """Mean of both sides over the test split, and the smallest gap of one image."""
    slug = f"mnist-{kind}-2d"
    kept, exact = stored.exact_of(slug), stored.exact(slug)
    log_p, elbo = kept["log_p"].double(), kept["elbo"].double()
    return {
        "nelbo": Number(exact["nelbo"], _half(elbo), "nats"),
        "nll": Number(exact["nll"], _half(log_p), "nats"),
        "gap": Number(exact["gap"], _half(log_p - elbo), "nats"),
        "least": Number(float((log_p - elbo).min()), unit="nats", decimals=4),
    }


def _sizes(stored: Stored) -> dict[str, Number]:
    found = {f"d{d}": stored.test(f"mnist-vae-{d}d-ladder", "nelbo") for d in LADDER}
    return found | {"used": Number(stored.of("probe", "mnist-vae-40d-ladder")["active"], decimals=0)}


def _sheet(stored: Stored) -> dict[str, Number]:
    slug = "mnist-vae-2d"
    finite = stored.exact_of(slug)["log_p"].double()
    return {
        "exactly": Number(int((stored.codes(slug)["test_mse"] == 0).sum()), decimals=0),
        "finite": Number(int(finite.isfinite().sum()), decimals=0),
        "nll": Number(stored.exact(slug)["nll"], _half(finite), "nats"),
    }


def _bits(stored: Stored) -> dict[str, Number]:
    found, nats = stored.of("bits", "mnist-vae-20d"), stored.test("mnist-vae-20d", "nelbo")
    share = [found["rows"][name]["digit"] for name in ("4", "whole")]
    return {
        "vae": Number(nats.value / math.log(2), (nats.half or 0) / math.log(2), "bits", 1),
        "png": Number(found["png"], unit="bits", decimals=0),
        "zlib": Number(found["zlib"], unit="bits", decimals=0),
        "rounded": percent(share[0], found["images"]),
        "whole": percent(share[1], found["images"]),
    }


def _judge(stored: Stored) -> dict[str, Number]:
    rates = stored.judge()["test"]
    later, unseen = rates["later_garbage_accepted"]["grey"], rates["unseen_garbage_accepted"]["grey"]
    return {
        "digits": percent(rates["accepted"]["grey"], TESTED),
        "learned": Number(100 * max(rates["garbage_accepted"]["grey"].values()), unit="%", decimals=1),
        "scribbles": Number(100 * unseen["scribbles"], unit="%", decimals=1),
        "turned": Number(100 * later["turned"], unit="%", decimals=1),
        "shared": Number(100 * unseen["intersections"], unit="%", decimals=1),
    }


def _names(stored: Stored) -> dict[str, Number]:
    found = stored.of("components", "mnist-mixture-20d")
    return {
        "purity": percent(found["purity"], found["images"]),
        "together": percent(found["together"], found["images"]),
        "used": Number(found["used"], decimals=0),
    }


def _ladder(stored: Stored) -> dict[str, Number]:
    exact, rows = stored.exact("mnist-vae-2d"), stored.of("ladder", "mnist-vae-2d")["rows"]
    return {
        "mean": Number(exact["amortisation"], unit="nats"),
        "median": Number(exact["amortisation_median"], unit="nats"),
        "family": Number(exact["approximation"], unit="nats"),
        "climbed": Number(rows["best of 5, 2 steps"]["gap"], unit="nats"),
    }


def _closed_form(stored: Stored) -> dict[str, Number]:
    row = stored.of("posterior", "mnist-vae-2d")["rows"]["test 10000"]
    drawn = row["monte_carlo"]["kl"]
    return {
        "closed": Number(row["kl"], unit="nats", decimals=3),
        "drawn": Number(drawn["mean"], NORMAL * drawn["error"], "nats", 3),
    }


def _in_use(stored: Stored, slug: str) -> Number:
    return Number(stored.of("units", slug)["active"], decimals=1)


def _slope(stored: Stored, slug: str, name: str) -> Number:
    return Number(stored.of("contraction", slug)[name], decimals=3)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "S1",
        "An autoencoder learns to draw a digit back from its code, whether it is trained on the cross-entropy or on "
        "squared errors.",
        f"{FAMILY}, Autoencoders; {SURVEY}; {LECTURE}, Training an autoencoder",
        "Models",
        {"model": "mnist-ae-20d", "beside": "mnist-ae-20d-gaussian-squared"},
        "With twenty numbers the squared error of a pixel is {cross} after training on the cross-entropy and {squared} "
        "after training on squared errors; the best linear code of as many numbers leaves {pca}.",
        lambda s: {
            "cross": s.error("mnist-ae-20d"),
            "squared": s.error("mnist-ae-20d-gaussian-squared"),
            "pca": s.error("mnist-pca-20d"),
        },
        lambda n: graded(above(n.pca, n.cross) and above(n.pca, n.squared), above(n.pca, n.cross)),
        (again("test", "ae-20d", "ae-20d-gaussian-squared", "pca-20d"),),
    ),
    Claim(
        "S2",
        "A network that learned to see through spoilt digits brings them back.",
        f"{FAMILY}, Denoising Autoencoders; {POST}, Denoising Autoencoder; {SURVEY}; Vincent et al. 2008",
        "Restore",
        {"spoil_kind": "masking", "spoil_masking": "0.5"},
        "With half of the pixels put out the DAE brings a digit from {spoilt} to {dae}; an AE, which never saw a "
        "spoilt one, to {ae}. A linear regression that was fitted to each kind and amount beats the DAE at {ridge} of "
        "the {cells} amounts of noise that it learned, those where least is spoilt.",
        _noises,
        lambda n: graded(n.lead.value > 0 and n.ridge.value == 0, n.lead.value > 0),
        (again("denoising", "dae-20d", "ae-20d"), "python -m vae_core baselines"),
    ),
    Claim(
        "S3",
        "How far q lies from the prior needs no sampling: the KL of two Gaussians has a closed form.",
        f"{FAMILY}, Calculating the loss function; {NOTES}, Loss function; {PAPER_VAE}, appendix B",
        "The bound",
        {"part": "Sampling", "sampling_length": "500"},
        "Over the test digits of the VAE in the plane the closed form gives {closed}, ten thousand draws {drawn}.",
        _closed_form,
        lambda n: graded(abs(n.closed.value - n.drawn.value) <= 3 / NORMAL * n.drawn.half, False),
        (again("posterior", "vae-2d"),),
    ),
    Claim(
        "S4",
        "With Gaussian pixels of one fixed width the likelihood is the squared error; a width that is learned says "
        "more.",
        f"{FAMILY}, Multivariate Gaussian Distribution; {NOTES}, Reconstruction loss; {LECTURE}, Reconstruction error",
        "The bound",
        {"part": "Observation model"},
        "What the VAE of width 1 says of a digit is half its squared errors and a constant, to {off}. Its −ELBO is "
        "{fixed}; where each pixel's width is learned it is {learned} (densities: less is better, and below 0 is "
        "allowed).",
        _gaussian_pixels,
        lambda n: graded(n.off.value < 0.1 and above(n.fixed, n.learned), n.off.value < 0.1),
        (again("test", "vae-2d-gaussian", "vae-2d-gaussian-learned"),),
    ),
    Claim(
        "S5",
        "Tell a CVAE a label and it draws that digit, whatever the code.",
        f"{FAMILY}, Conditional Variational Autoencoders; {NOTES}, Conditional VAEs; Sohn et al. 2015",
        "Styles",
        {"styles_dim": "20", "styles_label": "4"},
        "Of random codes {two} draw the digit that was asked for with two numbers in the code, {twenty} with twenty.",
        lambda s: {
            "two": percent(s.card("mnist-cvae-2d")["test"]["label_agreement"], TESTED, 2),
            "twenty": percent(s.card("mnist-cvae-20d")["test"]["label_agreement"], TESTED, 2),
        },
        lambda n: by_size(above(n.two, 95), above(n.twenty, 95)),
        (again("test", "cvae-2d", "cvae-20d"),),
    ),
    Claim(
        "S6",
        "A price on the units of a code leaves only some of them in use for each digit.",
        f"{POST}, Sparse Autoencoder; A. Ng 2011, Sparse autoencoder",
        "Models",
        {"model": "mnist-sparse-64d", "beside": "mnist-sparse-64d-free"},
        "Of 64 units {priced} are in use for a digit where they have a price, {free} where they have none. It costs: "
        "the squared error of a pixel is {error} instead of {free_error}.",
        lambda s: {
            "priced": _in_use(s, "mnist-sparse-64d"),
            "free": _in_use(s, "mnist-sparse-64d-free"),
            "error": s.error("mnist-sparse-64d"),
            "free_error": s.error("mnist-sparse-64d-free"),
        },
        lambda n: graded(n.priced.value < n.free.value / 2, n.priced.value < n.free.value),
        (again("units", "sparse-64d", "sparse-64d-free"), again("test", "sparse-64d", "sparse-64d-free")),
    ),
    Claim(
        "S7",
        "A price on the encoder's slopes makes a code lie still when pixels change.",
        f"{POST}, Contractive Autoencoder; Rifai et al. 2011",
        "Models",
        {"model": "mnist-contractive-2d", "beside": "mnist-ae-2d"},
        "When 2 % of the pixels flip, a code of twenty numbers moves {moved20} instead of {free20}, in the plane "
        "{moved2} instead of {free2}. For the typical digit in the plane the squared slopes are {priced} instead of "
        "{plain} (the median): what the price levels are a few cliffs.",
        lambda s: {
            "moved20": s.moved("mnist-contractive-20d"),
            "free20": s.moved("mnist-ae-20d"),
            "moved2": s.moved("mnist-contractive-2d"),
            "free2": s.moved("mnist-ae-2d"),
            "priced": _slope(s, "mnist-contractive-2d", "median"),
            "plain": _slope(s, "mnist-ae-2d", "median"),
        },
        lambda n: graded(
            (still := n.moved20.value < n.free20.value and n.moved2.value < n.free2.value)
            and n.priced.value <= n.plain.value,
            still,
        ),
        (again("contraction", "contractive-20d", "ae-20d", "contractive-2d", "ae-2d"),),
    ),
    Claim(
        "S8",
        "An autoencoder keeps more of a digit than PCA does in as many numbers.",
        f"{LECTURE}, Non-linear dimensionality reduction; Hinton & Salakhutdinov 2006",
        "Code size",
        {"size_part": "Dimensions", "size_shown": "Squared error"},
        "The squared error of a pixel is {ae2} against PCA's {pca2} with two numbers, and {ae20} against {pca20} with "
        "twenty.",
        lambda s: {f"{kind}{d}": s.error(f"mnist-{kind}-{d}d") for kind in ("ae", "pca") for d in (2, 20)},
        lambda n: by_size(above(n.pca2, n.ae2), above(n.pca20, n.ae20)),
        (again("test", "ae-2d", "pca-2d", "ae-20d", "pca-20d"),),
    ),
    Claim(
        "S9",
        "An autoencoder scatters its codes anywhere; a VAE's fill the prior.",
        f"{FAMILY}, Understanding the loss function (its figure of 500 test images)",
        "Map",
        {"left": "ae", "right": "vae", "layers": "points.circles"},
        "Along the widest axis the codes' standard deviation is {ae} for the AE and {vae} for the VAE, whose prior has "
        "1. All of the VAE's codes together lie {divergence} from the prior, and of the prior's mass {holes} has next "
        "to no codes of 60,000 images.",
        _spread,
        lambda n: graded(
            (filled := n.divergence.value < 1 and abs(n.vae.value - 1) < 0.25 and n.ae.value > 2 * n.vae.value)
            and n.holes.value < 10,
            filled,
        ),
        (again("posterior", "vae-2d"),),
    ),
    Claim(
        "S10a",
        "An autoencoder's code space has holes: a random code there draws garbage.",
        f"{SURVEY}; {LECTURE}",
        "Map",
        {"left": "ae", "right": "vae", "layers": "points.digit"},
        "Of random codes from one Gaussian around the AE's own {two} draw digits with two numbers in the code, "
        "{twenty} with twenty.",
        lambda s: {"two": s.drawn("mnist-ae-2d", "gaussian"), "twenty": s.drawn("mnist-ae-20d", "gaussian")},
        lambda n: by_size(n.two.high < 90, n.twenty.high < 90),
        (again("generation", "ae-2d", "ae-20d"),),
    ),
    Claim(
        "S10b",
        "A VAE's code space has no holes: any random code from the prior draws a digit.",
        f"{SURVEY}; {FAMILY}, Understanding the loss function",
        "Generate",
        {"generate_dim": "20", "generate_source": "prior"},
        "Of the codes from N(0, I) {two} draw a digit with two numbers in the code, {twenty} with twenty; the rest is "
        "garbage.",
        lambda s: {"two": s.drawn("mnist-vae-2d"), "twenty": s.drawn("mnist-vae-20d")},
        lambda n: by_size(above(n.two, 95), above(n.twenty, 95)),
        (again("generation", "vae-2d", "vae-20d"),),
    ),
    Claim(
        "S10c",
        "An autoencoder is no generative model: new digits cannot be drawn with it.",
        f"{LECTURE}; Ghosh et al. 2020, From variational to deterministic autoencoders",
        "Generate",
        {"generate_dim": "20", "generate_source": "mixture", "generate_components": "10"},
        "With ten Gaussians fitted to the AE's twenty-number codes {ten} of the random codes draw digits, with a "
        "hundred {hundred}; from the VAE's own prior it is {vae}. A hundred cover {coverage} of the test images, "
        "drawings of real codes {real}.",
        lambda s: {
            "ten": s.drawn("mnist-ae-20d", "mixture 10"),
            "hundred": s.drawn("mnist-ae-20d", "mixture 100"),
            "vae": s.drawn("mnist-vae-20d"),
            "coverage": s.coverage("mnist-ae-20d", "mixture 100"),
            "real": s.coverage("mnist-ae-20d", "reconstructions"),
        },
        lambda n: graded(n.hundred.high < 50, n.hundred.high < 90 or n.coverage.value < n.real.value / 2),
        (again("generation", "ae-20d", "vae-20d"),),
    ),
    Claim(
        "S11",
        "In a CVAE the code is style alone: the label cannot be read from it.",
        f"{FAMILY}, Implications; {LECTURE}, Class-conditional VAEs",
        "Styles",
        {"styles_part": "Leak"},
        "A small network reads the label from {two} of the codes of two numbers and from {twenty} of those of twenty; "
        "always naming the commonest label is right in {chance}. Of the 2.30 nats of a label {nats2} and {nats20} are "
        "left. A linear reader sees {linear} of the labels with twenty numbers. Told another label than the encoder "
        "was, the decoder still draws the encoder's in {old}.",
        lambda s: {
            "two": s.leak("mnist-cvae-2d"),
            "twenty": s.leak("mnist-cvae-20d"),
            "chance": Number(100 * s.of("leak", "mnist-cvae-2d")["chance"], unit="%"),
            "nats2": s.leaked("mnist-cvae-2d"),
            "nats20": s.leaked("mnist-cvae-20d"),
            "linear": percent(s.of("content", "mnist-cvae-20d")["linear"]["draw"]["accuracy"], TESTED),
            "old": percent(s.of("content", "mnist-cvae-20d")["swap"]["old"], 9 * TESTED, 2),
        },
        lambda n: graded(
            max(n.two.low, n.twenty.low) <= n.chance.value, min(n.nats2.value, n.nats20.value) < 0.1 * math.log(10)
        ),
        (again("leak", "cvae-2d", "cvae-20d"), again("content", "cvae-20d")),
    ),
    Claim(
        "S12",
        "Between two digits a VAE's codes lead smoothly from one to the other.",
        f"{SURVEY}, Results; {LECTURE}, Latent space interpolation",
        "Interpolate",
        {"walk_dim": "20", "walk_way": "linear"},
        "How many steps of a way draw a third digit, or none, over many pairs is on no card yet; the page Interpolate "
        "shows it for two digits of yours.",
    ),
    Claim(
        "S13a",
        "Cluster the codes from a few labelled ones, and the clusters name all others.",
        f"{SURVEY} (1–2 % of the images labelled)",
        "Few labels",
        {"few_model": "ae", "few_dim": "2", "few_way": "k-means"},
        "With 600 labels k-means from labelled centres names {vae20} of the VAE's test codes of twenty numbers right, "
        "{ae20} of the AE's, and in the plane {ae2} of the AE's. Centres that stay where the labels put them: "
        "{centre}, {centre_ae20} and {centre_ae2}.",
        lambda s: {
            "vae20": s.few("mnist-vae-20d", "k-means"),
            "ae20": s.few("mnist-ae-20d", "k-means"),
            "ae2": s.few("mnist-ae-2d", "k-means"),
            "centre": s.few("mnist-vae-20d", "centre"),
            "centre_ae20": s.few("mnist-ae-20d", "centre"),
            "centre_ae2": s.few("mnist-ae-2d", "centre"),
        },
        lambda n: by_size(*(above(k, 90) for k in (n.vae20, n.ae20, n.ae2))),
        (again("few_labels", "vae-20d", "ae-20d", "ae-2d"),),
    ),
    Claim(
        "S13b",
        "Labels for one image in a hundred suffice to name the rest by their codes.",
        f"{SURVEY} (1–2 % of the images labelled); Kingma et al. 2014, Semi-supervised learning with deep generative "
        f"models",
        "Few labels",
        {"few_model": "ae", "few_dim": "20", "few_way": "spreading"},
        "With 600 labels, a hundredth of the training images, the best of seven ways names {ae20} of the AE's test "
        "codes of twenty numbers right and {vae20} of the VAE's; in the plane {ae2} and {vae2}. From the raw pixels it "
        "is {pixels}.",
        lambda s: {
            "ae20": s.best_few("mnist-ae-20d"),
            "vae20": s.best_few("mnist-vae-20d"),
            "ae2": s.best_few("mnist-ae-2d"),
            "vae2": s.best_few("mnist-vae-2d"),
            "pixels": max(
                Number(100 * found["mean"], 100 * found["half"], "%", 1)
                for found in s.baselines()["few_labels"]["rows"]["600"].values()
            ),
        },
        lambda n: by_size(above(n.ae20, 90), above(n.vae20, 90), above(n.ae2, 90), above(n.vae2, 90)),
        (again("few_labels", "ae-20d", "vae-20d", "ae-2d", "vae-2d"), "python -m vae_core baselines"),
    ),
    Claim(
        "S14",
        "The ELBO never lies above log p(x); what it misses is how far q is from the true posterior.",
        f"{FAMILY}, The Optimization Problem; {NOTES}; {LECTURE}, Variational inference; {PAPER_VAE}",
        "The bound",
        {"part": "Posterior", "inside_list": "Largest gap"},
        "Integrated exactly, −log p(x) of the VAE in the plane is {nll} and its −ELBO {nelbo}; {gap} are missed in the "
        "mean, and on the digit where it misses least {least}.",
        lambda s: _bound(s, "vae"),
        lambda n: graded(n.least.value >= -0.001 and above(n.gap, 0), above(n.gap, 0)),
        ("python -m vae_core integrate mnist-vae-2d",),
    ),
    Claim(
        "S15",
        "Drawn as μ + σ ε, a code passes the gradient on with little noise.",
        f"{NOTES}, General pipeline; {SURVEY}, The Sampling Procedure; {LECTURE}, Reparameterization trick; "
        f"{PAPER_VAE}",
        "The bound",
        {"part": "Sampling", "sampling_length": "10"},
        "Both estimators and their variance are computed for the visitor's digit; no mean over test digits is kept.",
    ),
    Claim(
        "S16",
        "Instead of fitting q to each digit by many steps, a network can learn to give it at once.",
        f"{LECTURE}, Training a variational autoencoder; {PAPER_VAE}; Cremer et al. 2018, Inference suboptimality",
        "The bound",
        {"part": "Posterior", "inside_list": "Largest gap"},
        "For the typical digit the network loses {median} against the best q; in the mean {mean}, where the Gaussian "
        "form itself costs {family}: a few digits are missed by far. The best of five guesses and two steps from there "
        "leave {climbed} in all.",
        _ladder,
        lambda n: graded(n.mean.value < 1, n.median.value < 1),
        ("python -m vae_core integrate mnist-vae-2d", again("ladder", "vae-2d")),
    ),
    Claim(
        "S17",
        "One draw of the code for each digit is enough to train.",
        f"{FAMILY}, Calculating the loss function (L = 1); {PAPER_VAE}",
        "The bound",
        {"part": "Sampling", "sampling_length": "1"},
        "All models here were trained with one draw; none was trained with more to stand beside them.",
    ),
    Claim(
        "S18",
        "A prior of several Gaussians beats N(0, I).",
        f"{SURVEY}, The Loss Function; Tomczak & Welling 2018, VAE with a VampPrior",
        "Generate",
        {"generate_cast": "vae~mnist-mixture-20d", "generate_dim": "20"},
        "With twenty numbers a learned prior gains {twenty} of −ELBO, and {draws} of its draws are digits instead of "
        "{plain}; in the plane it gains {two}.",
        lambda s: {
            "twenty": s.lead("mnist-mixture-20d", "mnist-vae-20d"),
            "two": s.lead("mnist-mixture-2d", "mnist-vae-2d"),
            "draws": s.drawn("mnist-mixture-20d"),
            "plain": s.drawn("mnist-vae-20d"),
        },
        lambda n: by_size(above(n.two, ALIKE), above(n.twenty, ALIKE)),
        (
            again("test", "mixture-20d", "vae-20d", "mixture-2d", "vae-2d"),
            again("generation", "mixture-20d", "vae-20d"),
        ),
    ),
    Claim(
        "S19",
        "There is a size of the code beyond which a VAE gains nothing.",
        f"{LECTURE} (how to choose the latent dimension); Alemi et al. 2018, Fixing a broken ELBO",
        "Code size",
        {"size_part": "Dimensions", "size_shown": "−ELBO"},
        "−ELBO falls from {d2} with two numbers over {d10} with ten to {d20} with twenty; forty give {d40}, and of "
        "these the VAE uses {used}.",
        _sizes,
        lambda n: graded(abs(n.d40.value - n.d20.value) <= ALIKE and n.used.value < 40, n.d40.value > n.d20.value - 5),
        (
            again("test", *(f"vae-{d}d-ladder" for d in LADDER)),
            again("probe", "vae-40d-ladder"),
        ),
    ),
    Claim(
        "S20",
        "A decoder by itself reaches only a thin sheet of pictures; noise on the pixels gives every digit a chance.",
        f"{LECTURE}, Observation model",
        "The bound",
        {"part": "Observation model"},
        "Of the 10,000 test digits the decoder of the VAE in the plane draws {exactly} exactly. With coins for pixels "
        "all {finite} have a probability: −log p(x) is {nll} in the mean.",
        _sheet,
        lambda n: graded(n.exactly.value == 0 and n.finite.value == TESTED, n.exactly.value < TESTED / 100),
        (again("test", "vae-2d"), "python -m vae_core integrate mnist-vae-2d"),
    ),
    Claim(
        "S21",
        "A code as wide as the picture would only copy it; a narrow one, or a price, prevents that.",
        f"{POST}; {LECTURE}",
        "Models",
        {"model": "mnist-sparse-64d-free", "beside": "mnist-sparse-64d"},
        "The widest code here has 64 numbers for 784 pixels: none was trained that could copy.",
    ),
    Claim(
        "S22",
        "Without the KL a VAE becomes an ordinary autoencoder.",
        f"{LECTURE}, Idea 2 (σ ≈ 0)",
        "The bound",
        {"part": "β"},
        "At β = 0 drawing the code costs {price} of the reconstruction: q is a point. At its mean the cross-entropy is "
        "{zero}, the AE's {ae}.",
        lambda s: {
            "zero": s.test("mnist-vae-2d-beta0", "reconstruction_at_mean"),
            "ae": s.test("mnist-ae-2d", "reconstruction_at_mean"),
            "price": Number(
                s.card("mnist-vae-2d-beta0")["test"]["reconstruction"]
                - s.card("mnist-vae-2d-beta0")["test"]["reconstruction_at_mean"],
                unit="nats",
                decimals=3,
            ),
        },
        lambda n: graded((point := abs(n.price.value) < 0.1) and abs(n.zero.value - n.ae.value) <= ALIKE, point),
        (again("test", "vae-2d-beta0", "ae-2d"),),
    ),
    Claim(
        "S23",
        "One trait of a digit can be changed through its code without changing the rest.",
        f"{SURVEY}, Results (a face's hair colour; here thickness and slant)",
        "Sliders",
        {"sliders_dim": "20"},
        "Thickness and slant stand for the documents' hair colour. Asked for two standard deviations of real digits "
        "more or less, they move at the worst by {cvae_sd} in the CVAE of twenty numbers, the other one by up to "
        "{cvae_other}, and {cvae_kept} of the drawings stay the digit they were; in the VAE by {vae_sd} and "
        "{vae_other}, and {vae_kept} stay.",
        lambda s: {
            f"{kind}_{name}": number
            for kind in ("vae", "cvae")
            for name, number in s.edited(f"mnist-{kind}-20d").items()
        },
        lambda n: by_size(
            n.cvae_sd.value >= 1.2 and n.cvae_other.value < 0.25 and n.cvae_kept.value >= 97,
            n.vae_sd.value >= 1.2 and n.vae_other.value < 0.25 and n.vae_kept.value >= 97,
        ),
        (again("arrows", "cvae-20d", "vae-20d"),),
    ),
    Claim(
        "S24",
        "Autoencoders are for features, VAEs for generation.",
        f"{FAMILY}, Variational Autoencoders (Structure); {LECTURE}",
        "Few labels",
        {"few_model": "ae", "few_dim": "20", "few_way": "spreading"},
        "After 600 labels {ae20} of the AE's test codes of twenty numbers are named right and {vae20} of the VAE's; of "
        "random codes {made_ae20} and {made_vae20} draw digits. In the plane {ae2} and {vae2} are named right.",
        lambda s: {
            **{f"{kind}{d}": s.best_few(f"mnist-{kind}-{d}d") for kind in ("ae", "vae") for d in (2, 20)},
            **{f"made_ae{d}": s.drawn(f"mnist-ae-{d}d", "gaussian") for d in (2, 20)},
            **{f"made_vae{d}": s.drawn(f"mnist-vae-{d}d") for d in (2, 20)},
        },
        lambda n: by_size(
            above(n.ae2, n.vae2) and above(n.made_vae2, n.made_ae2),
            above(n.ae20, n.vae20) and above(n.made_vae20, n.made_ae20),
        ),
        (
            again("few_labels", "ae-2d", "vae-2d", "ae-20d", "vae-20d"),
            again("generation", "ae-2d", "vae-2d", "ae-20d", "vae-20d"),
        ),
    ),
    Claim(
        "S25",
        "An autoencoder is a compressor that has adapted to its data.",
        f"{SURVEY}; {LECTURE}, Uses of autoencoders; Hinton & van Camp 1993",
        "Code size",
        {"size_part": "Bits", "size_bits": "4"},
        "To send a test digit without loss the VAE of twenty numbers needs {vae}, where zlib takes {zlib:bare} and a "
        "PNG file {png:bare}. In 80 bits {rounded} of its drawings keep their class, as judged; unrounded {whole}. "
        "Both ends must have the network.",
        _bits,
        lambda n: graded(above(n.zlib, n.vae), above(n.png, n.vae)),
        (again("bits", "vae-20d"), again("test", "vae-20d")),
    ),
    Claim(
        "S26",
        "A code beside a digit's own draws the same digit, a bit different.",
        SURVEY,
        "Generate",
        {"generate_part": "Near yours", "generate_dim": "20"},
        "The page draws nine codes around the visitor's digit; how many of all test digits stay what they are at a "
        "given radius is on no card yet.",
    ),
    Claim(
        "S27",
        "One layer on each side already makes an autoencoder.",
        f"{FAMILY}, Autoencoders (Structure)",
        "Models",
        {"model": "mnist-ae-20d-one-layer", "beside": "mnist-pca-20d"},
        "With twenty numbers it leaves a squared error of {one}; PCA leaves {pca}, an AE with hidden layers {ae}.",
        lambda s: {
            "one": s.error("mnist-ae-20d-one-layer"),
            "pca": s.error("mnist-pca-20d"),
            "ae": s.error("mnist-ae-20d"),
        },
        lambda n: graded((better := above(n.pca, n.one)) and n.one.value <= 1.1 * n.ae.value, better),
        (again("test", "ae-20d-one-layer", "pca-20d", "ae-20d"),),
    ),
    Claim(
        "S28",
        "A q that is a single point reconstructs best, and its KL grows without end.",
        f"{LECTURE}, Variational inference",
        "The bound",
        {"part": "Posterior"},
        "At its mean the VAE of twenty numbers reconstructs to {at_mean}, over q to {over_q}. Where training weighs "
        "the KL by 0, in the plane, it has grown to {free} against {paid}.",
        lambda s: {
            "at_mean": s.test("mnist-vae-20d", "reconstruction_at_mean"),
            "over_q": s.test("mnist-vae-20d", "reconstruction"),
            "free": s.test("mnist-vae-2d-beta0", "kl"),
            "paid": s.test("mnist-vae-2d", "kl"),
        },
        lambda n: graded(above(n.over_q, n.at_mean) and above(n.free, n.paid), above(n.over_q, n.at_mean)),
        (again("test", "vae-20d", "vae-2d-beta0", "vae-2d"),),
    ),
    Claim(
        "S29",
        "The bound is Jensen's inequality: the mean of logarithms lies below the logarithm of the mean.",
        f"{NOTES}, footnote 3; {LECTURE}, Variational inference",
        "The bound",
        {"part": "Sampling", "sampling_length": "100"},
        "For the CVAE in the plane the mean of the logarithm gives {nelbo}, the logarithm of the mean {nll} (both with "
        "their signs turned); on no test digit is it the other way round: the least gap is {least}.",
        lambda s: _bound(s, "cvae"),
        lambda n: graded(n.least.value >= -0.001 and above(n.gap, 0), above(n.gap, 0)),
        ("python -m vae_core integrate mnist-cvae-2d",),
    ),
    Claim(
        "S30",
        "A hidden variable first decides which digit it will be.",
        f"{POST}, Some words about latent variable; C. Doersch 2016, Tutorial on variational autoencoders",
        "Models",
        {"model": "mnist-mixture-20d"},
        "Nobody told a learned prior of 100 Gaussians what a digit is. {purity} of the test digits have the class that "
        "is commonest in their Gaussian, and {together} lie in that which holds most of their class; {used} are in "
        "use.",
        _names,
        lambda n: graded(above(n.purity, 90) and above(n.together, 90), above(n.purity, 80)),
        (again("components", "mixture-20d"),),
    ),
    Claim(
        "S31",
        "With a simple autoencoder such fine edits are very hard.",
        f"{SURVEY} (the same face with another expression)",
        "Sliders",
        {"sliders_cast": "ae~dae", "sliders_dim": "20"},
        "Where thickness or slant is moved by two standard deviations, {ae} of the AE's drawings stay the digit they "
        "were at the worst, {dae} of the DAE's and {cvae} of the CVAE's. Fewer is harder; very hard would be less than "
        "half.",
        lambda s: {kind: s.edited(f"mnist-{kind}-20d")["kept"] for kind in ("ae", "dae", "cvae")},
        lambda n: graded(
            above(Number(50), n.ae) and above(Number(50), n.dae), above(n.cvae, n.ae) and above(n.cvae, n.dae)
        ),
        (again("arrows", "ae-20d", "dae-20d", "cvae-20d"),),
    ),
    Claim(
        "P1",
        "A CVAE explains digits better than a VAE, since it is told the label.",
        f"{HERE}, Studio and README",
        "Studio",
        {"numbers": "1"},
        "Counting the log 10 that a label is worth, the CVAE's bound is {two} better in the plane and {twenty} with "
        "twenty numbers.",
        lambda s: {
            name: (lead := s.lead(f"mnist-cvae-{d}d", f"mnist-vae-{d}d"))._replace(value=lead.value - math.log(10))
            for name, d in (("two", 2), ("twenty", 20))
        },
        lambda n: by_size(above(n.two, ALIKE), above(n.twenty, ALIKE)),
        (again("test", "cvae-2d", "vae-2d", "cvae-20d", "vae-20d"),),
    ),
    Claim(
        "P2",
        "Codes make a few labels go further than the pixels themselves do.",
        f"{HERE}, Few labels",
        "Few labels",
        {"few_model": "ae", "few_dim": "20", "few_way": "svm"},
        "After 600 labels an SVM names {ae} right by the AE's codes of twenty numbers and {vae} by the VAE's, by the "
        "raw pixels {pixels}; by the AE's two numbers {plane}.",
        lambda s: {
            "ae": s.few("mnist-ae-20d", "svm"),
            "vae": s.few("mnist-vae-20d", "svm"),
            "plane": s.few("mnist-ae-2d", "svm"),
            "pixels": Number(
                100 * (found := s.baselines()["few_labels"]["rows"]["600"]["svm"])["mean"], 100 * found["half"], "%", 1
            ),
        },
        lambda n: by_size(above(n.ae, n.pixels), above(n.vae, n.pixels), above(n.plane, n.pixels)),
        (again("few_labels", "ae-20d", "vae-20d", "ae-2d"), "python -m vae_core baselines"),
    ),
    Claim(
        "P3",
        "A deeper decoder makes more of a VAE's random codes digits.",
        f"{HERE}, Generate",
        "Generate",
        {"generate_cast": "vae~mnist-vae-20d-deep", "generate_dim": "20"},
        "With a third layer {deep} of the codes from N(0, I) draw digits instead of {plain}; its −ELBO is {cost} worse "
        "(batch, rate and warm-up differ, too).",
        lambda s: {
            "deep": s.drawn("mnist-vae-20d-deep"),
            "plain": s.drawn("mnist-vae-20d"),
            "cost": s.lead("mnist-vae-20d", "mnist-vae-20d-deep"),
        },
        lambda n: graded(above(n.deep, n.plain) and not above(n.cost, ALIKE), above(n.deep, n.plain)),
        (again("generation", "vae-20d-deep", "vae-20d"), again("test", "vae-20d-deep", "vae-20d")),
    ),
    Claim(
        "P4",
        "An adversary that reads labels drives the label out of a CVAE's code.",
        f"{HERE}, Styles; Lample et al. 2017, Fader networks",
        "Models",
        {"model": "mnist-scrubbed-20d", "beside": "mnist-cvae-20d"},
        "From draws of q the label is read in {draw} instead of {before}, from the means, where no draw hides it, in "
        "{mean} instead of {mean_before}.",
        lambda s: {
            "draw": s.leak("mnist-scrubbed-20d"),
            "before": s.leak("mnist-cvae-20d"),
            "mean": s.leak("mnist-scrubbed-20d", "mean"),
            "mean_before": s.leak("mnist-cvae-20d", "mean"),
        },
        lambda n: graded((less := above(n.before, n.draw)) and above(n.mean_before, n.mean), less),
        (again("leak", "scrubbed-20d", "cvae-20d"),),
    ),
    Claim(
        "P5",
        "The judge behind every “is a digit” can be trusted.",
        f"{HERE}, Map",
        "Map",
        {"left": "ae", "right": "vae", "layers": "points.digit"},
        "It accepts {digits} of the test digits, and at most {learned} of each kind of garbage that it was trained on. "
        "Of what it never saw pass {scribbles} of scribbles, {turned} of digits turned on their side, {shared} of "
        "what two digits have in common.",
        _judge,
        lambda n: graded(
            (known := above(n.digits, 95) and n.learned.value < 2)
            and max(n.scribbles.value, n.turned.value, n.shared.value) < 2,
            known,
        ),
        ("python -m vae_core judge",),
    ),
    *(
        Claim(key, words, source, page, link, why, rule=Verdict.UNTESTED)
        for key, words, source, page, link, why in (
            (
                "N1",
                "GANs have had more success than VAEs; VAEs keep more of their data's variety.",
                SURVEY,
                "Generate",
                {},
                "No GAN is here.",
            ),
            (
                "N2",
                "A VAE draws in a single pass, where autoregressive models need one for each pixel.",
                f"{LECTURE}, VAEs vs. other generative models",
                "Generate",
                {},
                "No autoregressive model is here.",
            ),
            (
                "N3",
                "A VAE can have a small code, where reversible models need one as large as the picture.",
                f"{LECTURE}, VAEs vs. other generative models",
                "Code size",
                {"size_part": "Dimensions"},
                "No reversible model is here.",
            ),
            (
                "N4",
                "A VAE that learned thousands of faces draws new ones, and gives a face another hair colour.",
                f"{SURVEY}, Results",
                "Sliders",
                {},
                "All models here learned handwritten digits.",
            ),
            (
                "N5",
                "Other distributions than the Gaussian do as well for q.",
                f"{SURVEY}, Summary",
                "The bound",
                {"part": "Posterior"},
                "Every q here is a Gaussian with independent numbers.",
            ),
        )
    ),
)


# The written list, and prose that quotes ------------------------------------------------------------------------------

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = "docs/claims.md"
PROSE = ("README.md", "docs/measured.md", "docs/decisions.md")  # may quote numbers by their keys
HEAD = """# Claims

What textbooks and blog posts say of autoencoders, and what was measured of it here. Written by
`python -m vae_core claims --write` from the numbers on the cards; the page *Claims* lets you guess first. ± is half of
a 95 % interval over test images, draws or labels; every model is one training run, so less than 1.6 nats between two
means is called equal. A claim that was tried at several sizes of the code holds with a rider where it holds at some of
them.
"""


def document(found: list[Finding]) -> str:
    """The whole of docs/claims.md."""
    lines = [HEAD]
    for verdict in ORDER:
        if of := [each for each in found if each.verdict is verdict]:
            lines += [f"## {verdict.capitalize()}", ""] + [told(each) for each in of] + [""]
    return "\n".join(lines)


def told(found: Finding) -> str:
    """One claim on one line."""
    claim = found.claim
    by = "; ".join(f"`{command}`" for command in claim.commands)
    return (
        f"- **{claim.key}** *{claim.words}* **{found.verdict.capitalize()}.** {found.told} {claim.page}: "
        f"`{claim.address}`. Source: {claim.source}." + (f" Measured again by {by}." if by else "")
    )


QUOTE = re.compile(r"([−\-]?[\d,]+(?:\.\d+)?)(?:\s*(?:%|nats|dB|bits))?\s*<!-- ?([A-Z]\d+[a-z]?)\.(\w+) ?-->")


def quoted(text: str) -> Iterator[tuple[str, str, str]]:
    """Every number of a text that names its source, as (number, claim, name): "97.3 % <!-- S10a.two -->"."""
    yield from QUOTE.findall(text)


def parted(found: list[Finding], project: Path = PROJECT) -> Iterator[str]:
    """What does not say what the measures say: docs/claims.md, and numbers that prose quotes by their keys."""
    there = project / DOCUMENT
    if not there.is_file() or there.read_text(encoding="utf-8") != document(found):
        yield f"{DOCUMENT} and the measures part: `python -m vae_core claims --write` writes it."
    numbers = {each.claim.key: each.numbers for each in found}
    for name in PROSE:
        for said, key, what in quoted((project / name).read_text(encoding="utf-8")):
            number = numbers.get(key, {}).get(what)
            decimals = len(said.partition(".")[2])
            expected = number and f"{number._replace(decimals=decimals, unit=''):bare}"
            if expected != said.replace("-", "−"):
                yield f"{name} says {said} for {key}.{what}, the measures say {expected or 'nothing of that name'}."
