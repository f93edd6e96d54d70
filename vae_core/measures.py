"""What is measured of a finished model and kept: on its card, or beside the checkpoints.

A measure is a row in `MEASURES`. Each number that is added later carries the fingerprint of the weights that it was
measured on, and counts for no others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vae_core import (
    aggregate,
    arrows,
    checkpoints,
    code_size,
    data,
    few_labels,
    generation,
    judge,
    latent,
    likelihood,
    metrics,
)
from vae_core.config import PIXELS, Config, ConfigError
from vae_core.corruption import CORRUPTIONS
from vae_core.models import Code
from vae_core.prior import Learned
from vae_core.storage import Layout, StorageError, is_there, locked, read_tensors, write_json, write_tensors

LEAK_IMAGES = 55_000  # first training images that the reader of labels learns from
DRAWS = 10_000
RIDGE = "ridge.safetensors"


def weights_fingerprint(slug: str, root: Path | None = None) -> str:
    """SHA-256 of the file of weights, as `sha256sum` prints it. Raises `StorageError` where it cannot be read."""
    path = (root or checkpoints.ROOT) / slug / "weights.safetensors"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error


class Subject:
    """A checkpoint and the data set that it was trained on, which is read when it is first asked for."""

    def __init__(self, slug: str, root: Path | None = None, data_folder: Path | None = None) -> None:
        self.slug, self.root, self.data_folder = slug, root or checkpoints.ROOT, data_folder
        self.card = checkpoints.read_card(slug, root)
        self.weights = weights_fingerprint(slug, root)  # before they are loaded: what changes since is noticed
        self.model = checkpoints.load(slug, root)[0]
        self.dataset: str = self.card["dataset"]["name"]

    @cached_property
    def splits(self) -> tuple[data.Split, data.Split]:
        """Training and test images. Raises `StorageError` where they are not those of the card."""
        found = checkpoints.splits(Config.from_dict(self.card["config"]), self.data_folder)
        here = dict(zip(("train_fingerprint", "test_fingerprint"), map(data.fingerprint, found), strict=True))
        if any(self.card["dataset"].get(key) != value for key, value in here.items()):
            raise StorageError(
                f"expected the {self.dataset} that its card fingerprints, got other images or labels. "
                "Name the right folder with --data-dir, or download the data set again."
            )
        return found

    @cached_property
    def codes(self) -> dict[str, Code]:
        """The code of every image, by split: "train" and "test". A conditional model is told the true labels."""
        return {name: latent.embed(self.model, *split) for name, split in zip(data.SPLITS, self.splits, strict=True)}

    @cached_property
    def attributes(self) -> np.ndarray:
        """Thickness and slant of the images behind the stored training codes: `arrows.attributes`."""
        stored = len(checkpoints.load_codes(self.slug, self.root)["train_mean"])
        return arrows.attributes(self.splits[0].images[:stored])

    def kept(self, name: str) -> Any:
        """What the card says under this name of these weights, or None."""
        found = self.card.get(name)
        fits = isinstance(found, dict) and (MEASURES[name].of_training or found.get("weights") == self.weights)
        return found if fits else None


class Measure(NamedTuple):
    """One thing that can be measured of a checkpoint on its data set."""

    words: str  # what it is, in a line
    unit: str
    good: str  # which numbers are: "low", "high", or "" where neither is
    find: Callable[[Subject], dict[str, Any]]
    told: Callable[[dict[str, Any]], str]  # what was found, in a line
    cannot: Callable[[Subject], str] = lambda subject: ""  # why it is not asked of this model
    whole: Callable[[Subject, Any], bool] = lambda subject, found: True  # whether what a card says is all of it
    beside: Callable[[Subject], dict[str, torch.Tensor]] | None = None  # what a card has no room for: see `path_beside`
    rows: frozenset[str] = frozenset()  # which of them a card must name
    of_training: bool = False  # training puts it on the card, so it is of the card's own weights
    leeway: float = 2e-3  # relative: what another machine's arithmetic may move


def _scores(subject: Subject) -> dict[str, Any]:
    terms = metrics.per_image(subject.model, *subject.splits[1])
    return checkpoints.scores(subject.model, subject.dataset, terms)


def _scores_told(test: dict[str, Any]) -> str:
    names = {
        "nelbo": "-ELBO {:.2f}",
        "reconstruction_at_mean": "reconstruction at the mean {:.2f}",
        "kl": "KL {:.2f}",
        "mse": "MSE {:.4f}",
        "label_agreement": "label {:.2%}",
    }
    return "  ".join(form.format(test[k]) for k, form in names.items() if k in test)


def _denoising_told(found: dict[str, Any]) -> str:
    scores = [(CORRUPTIONS[kind], found[kind]) for kind in found.keys() & CORRUPTIONS.keys()]
    at_start = [(row.name, row.start, cells.get(f"{row.start:g}")) for row, cells in scores]
    return "PSNR  " + "  ".join(f"{name} {at:g} {cell['psnr']:.2f} dB" for name, at, cell in sorted(at_start) if cell)


def _leak(subject: Subject) -> dict[str, Any]:
    """Accuracy and nats from the means (`mean`) and from draws of q (`draw`), and `chance`, the largest label's share
    of the test split."""
    labels = subject.splits[1].labels
    found: dict[str, Any] = _read_from(subject, metrics.HIDDEN)
    found["chance"] = round(labels.bincount().max().item() / len(labels), 4)
    return found | {"train_images": min(LEAK_IMAGES, len(subject.splits[0].labels)), "seed": 0}


def _read_from(subject: Subject, hidden: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """What a network with these hidden layers reads of the label: accuracy and nats from `mean` and from `draw`."""
    train, test = subject.splits
    train = data.Split(*(part[:LEAK_IMAGES] for part in train))
    codes = [latent.embed(subject.model, *split) for split in (train, test)]
    found = {}
    for name, sample in (("mean", False), ("draw", True)):
        one = metrics.leak(codes[0], train.labels, codes[1], test.labels, sample=sample, hidden=hidden)
        found[name] = {key: round(value, 4) for key, value in one._asdict().items()}
    return found


def _leak_told(found: dict[str, Any]) -> str:
    read = "  ".join(
        f"{found[key]['accuracy']:.2%} and {found[key]['nats']:.3f} nats from {name}"
        for key, name in (("draw", "draws of q"), ("mean", "means"))
    )
    return f"{read}  chance {found['chance']:.2%}"


def _no_leak(subject: Subject) -> str:
    if subject.model.conditional:
        return ""
    return (
        f"A leak is measured of a model that is told the label; {subject.slug!r} is of kind {subject.card['kind']}, "
        "which is not."
    )


def _content(subject: Subject) -> dict[str, Any]:
    """What a `linear` reader finds, as `_leak`, beside the labels' `entropy` in nats; the ELBO under `wrong` labels;
    and where the judge can see, how well each label is drawn (`fidelity`) and what a `swap` of labels leaves."""
    model, test = subject.model, subject.splits[1]
    share = test.labels.bincount().double() / len(test.labels)
    elbos = metrics.label_elbos(model, test.images)
    wrong = metrics.hypotheses(elbos, test.labels)
    found = {
        "linear": _read_from(subject, ()),
        "entropy": round(-torch.special.xlogy(share, share).sum().item(), 4),
        "wrong": {key: round(value, 4) for key, value in wrong._asdict().items()},
        "samples": metrics.SAMPLES,
        "images": len(test.labels),
        "train_images": min(LEAK_IMAGES, len(subject.splits[0].labels)),
        "seed": 0,
    }
    if subject.dataset != "mnist":  # the judge's
        return found
    grader = checkpoints.load_judge(subject.root)
    swap = metrics.swap(model, grader, *test)
    found["fidelity"] = [round(value, 4) for value in metrics.label_agreements(model, grader).tolist()]
    found["swap"] = {key: round(value, 5) for key, value in swap._asdict().items()}
    return found | {"judge": weights_fingerprint("judge", subject.root)}


def _content_whole(subject: Subject, found: dict[str, Any]) -> bool:
    return subject.dataset != "mnist" or _judged_whole(subject, found)


def _content_told(found: dict[str, Any]) -> str:
    linear, wrong = found["linear"], found["wrong"]
    told = (
        f"linear reader {linear['draw']['accuracy']:.2%} from draws, {linear['mean']['accuracy']:.2%} from means; a "
        f"wrong label costs {wrong['mean']:.1f} nats, the true one wins for {wrong['true']:.2%}"
    )
    if "swap" not in found:
        return told
    worst = min(found["fidelity"])
    return f"{told}; swapped, the old label is seen in {found['swap']['old']:.2%}; worst fidelity {worst:.2%}"


def _draws(subject: Subject) -> dict[str, Any]:
    model = subject.model
    source = latent.own_source(model, checkpoints.load_codes(subject.slug, subject.root)["train_mean"])
    share = metrics.accepted_draws(model, checkpoints.load_judge(subject.root), source, n=DRAWS)
    told = model.config.prior or "one Gaussian with mean and covariance of the stored training codes"
    found = {"accepted": round(share, 4), "draws": DRAWS, "from": told, "seed": 0}
    return found | {"judge": weights_fingerprint("judge", subject.root)}


def _judged_whole(subject: Subject, found: dict[str, Any]) -> bool:
    return found.get("judge") == weights_fingerprint("judge", subject.root)


def _no_draws(subject: Subject) -> str:
    if subject.dataset == "mnist":
        return ""
    return f"The judge knows MNIST's digits; {subject.slug!r} was trained on {subject.dataset}."


GENERATED = frozenset({*generation.rows(), "reconstructions"})


def _generation(subject: Subject) -> dict[str, Any]:
    """{rows: {a source's name: `generation.quality`}}, and that of the model's reconstructions of the images behind the
    stored training codes: how good drawings are of codes that fall where real ones lie."""
    model, grader = subject.model, checkpoints.load_judge(subject.root)
    codes = checkpoints.load_codes(subject.slug, subject.root)
    real = grader.features(judge.binarise(subject.splits[1].images))

    def graded(drawn: torch.Tensor) -> dict[str, float]:
        return generation.quality(drawn, real, grader)

    found = {
        name: graded(
            generation.draw(model, generation.SOURCES[source].find(model, codes["train_mean"], k), generation.DRAWS)
        )
        for name, (source, k) in generation.rows().items()
    }
    labels = codes["train_label"] if model.conditional else None
    found["reconstructions"] = graded(latent.decode(model, codes["train_mean"], labels))
    return {"rows": found} | _graded_by(subject.root)


def _graded_by(root: Path | None) -> dict[str, Any]:
    """What stands beside every `generation.quality`: how many drawings, how many against how many real images."""
    counts = {"draws": generation.DRAWS, "batch": generation.BATCH, "real": generation.REAL, "k": generation.NEAREST}
    return counts | {"seed": 0, "judge": weights_fingerprint("judge", root)}


def _generation_whole(subject: Subject, found: dict[str, Any]) -> bool:
    return GENERATED <= found["rows"].keys() and found.get("judge") == weights_fingerprint("judge", subject.root)


def _generation_told(found: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {row['digit']:.1%}, coverage {row['coverage']:.2f}" for name, row in found["rows"].items()
    )


CONTRACTED = 1000  # first test images


def _contraction(subject: Subject) -> dict[str, Any]:
    images, labels = (part[:CONTRACTED] for part in subject.splits[1])
    codes = checkpoints.load_codes(subject.slug, subject.root)["train_mean"]
    found = metrics.contraction(subject.model, images, labels, codes)
    return {key: round(value, 4) for key, value in found._asdict().items()} | {"images": len(images), "seed": 0}


def _units(subject: Subject) -> dict[str, Any]:
    codes = checkpoints.load_codes(subject.slug, subject.root)
    found = metrics.units(codes["test_mean"])
    dead = int((metrics.units(codes["train_mean"]).use + found.use == 0).sum())
    lists = {name: [round(value, 4) for value in each.tolist()] for name, each in found._asdict().items()}
    return {"active": round(found.use.sum().item(), 2), "dead": dead} | lists


def _no_units(subject: Subject) -> str:
    if subject.model.config.code == "relu":
        return ""
    return f"Units are in use or not where a code ends in a ReLU; that of {subject.slug!r} does not."


def _components(subject: Subject) -> dict[str, Any]:
    prior = subject.model.prior
    assert isinstance(prior, Learned)
    test, code = subject.splits[1], subject.codes["test"]
    found = metrics.components(prior.component(code.mean), test.labels)
    kept = {"purity": round(found.purity, 4), "together": round(found.together, 4), "used": found.used}
    return kept | {"images": len(test.labels)}


def _components_told(found: dict[str, Any]) -> str:
    return (
        f"{found['used']} Gaussians of the prior in use; {found['purity']:.1%} of images have the class that is "
        f"commonest in theirs, {found['together']:.1%} lie in that which holds most of their class"
    )


def _no_components(subject: Subject) -> str:
    if isinstance(subject.model.prior, Learned):
        return ""
    have = subject.model.config.prior or "none"
    return f"A prior has components where it is learned; that of {subject.slug!r} is {have}."


FEW = frozenset(map(str, few_labels.COUNTS))
KEPT = 10_000  # training codes that a checkpoint keeps where there are as many images


def few(codes: few_labels.Codes, train_labels: torch.Tensor, test_labels: torch.Tensor) -> dict[str, Any]:
    """{rows: {"600": {way: {mean, half}}}}, and of how many codes, drawn how often."""
    rows = {}
    for count in few_labels.COUNTS:
        found = few_labels.accuracies(codes, train_labels.numpy(), test_labels.numpy(), count)
        rows[str(count)] = {way: {"mean": round(of.mean, 4), "half": round(of.half, 4)} for way, of in found.items()}
    return {"rows": rows, "codes": len(codes.train), "tested": len(codes.test), "draws": few_labels.DRAWS, "seed": 0}


def few_of_pixels(train: data.Split, test: data.Split) -> dict[str, Any]:
    """The same, where the code is the binarised image itself, and as many training images as a checkpoint keeps."""
    seen = [judge.binarise(images).numpy() for images in (train.images[:KEPT], test.images)]
    return few(few_labels.Codes(*seen, alike=True), train.labels[:KEPT], test.labels)


def _few(subject: Subject) -> dict[str, Any]:
    kept = checkpoints.load_codes(subject.slug, subject.root)
    codes = few_labels.Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy())
    return few(codes, kept["train_label"], kept["test_label"])


def _few_told(found: dict[str, Any]) -> str:
    return "  ".join(
        f"{count} labels: "
        + ", ".join(f"{way} {100 * of['mean']:.1f} ± {100 * of['half']:.1f} %" for way, of in row.items())
        for count, row in found["rows"].items()
    )


def _no_few(subject: Subject) -> str:
    if subject.model.conditional:
        return (
            f"The codes of {subject.slug!r} were encoded with their labels, and what a classifier reads there may be "
            "what the encoder was told: labels that are few only by name."
        )
    have = len(checkpoints.load_codes(subject.slug, subject.root)["train_mean"])
    if have >= KEPT:
        return ""
    return f"Labels are drawn from {KEPT:,} stored training codes; {subject.slug!r} has {have:,}."


CODED = 2_000  # first test images
WHOLE = "whole"  # the row of codes that are not rounded
ROUNDINGS = (*map(str, code_size.BITS), WHOLE)


def _bits(subject: Subject) -> dict[str, Any]:
    """{rows: {"1": {nats, mse, digit}}}: what codes draw whose numbers have so many bits; and the mean bits of the same
    images as PNG and under zlib."""
    model, grader = subject.model, checkpoints.load_judge(subject.root)
    images, labels = (part[:CODED] for part in subject.splits[1])
    y = labels if model.conditional else None
    within = code_size.spanned(checkpoints.load_codes(subject.slug, subject.root)["train_mean"])
    z, rows = latent.embed(model, images, labels).mean, {}
    for name in ROUNDINGS:
        there = z if name == WHOLE else code_size.rounded(z, within, int(name))
        found = code_size.drawn(model, images, there, y)
        right = grader.label(judge.binarise(found.pixels)) == labels
        means = {"nats": found.nats, "mse": found.mse, "digit": right}
        rows[name] = {key: round(value.double().mean().item(), 5) for key, value in means.items()}
    others = {"png": code_size.as_png, "zlib": code_size.as_zlib}
    taken = {name: round(sum(map(count, images.numpy())) / len(images), 2) for name, count in others.items()}
    return {"rows": rows, "images": len(images), "judge": weights_fingerprint("judge", subject.root)} | taken


def _bits_told(found: dict[str, Any]) -> str:
    rows = "  ".join(f"{name}: {row['digit']:.1%} the same digit" for name, row in found["rows"].items())
    return f"{rows}  PNG {found['png']:.0f} bits, zlib {found['zlib']:.0f}"


def _probe(subject: Subject) -> dict[str, Any]:
    train, test = (subject.codes[name] for name in data.SPLITS)
    labels, truth = (split.labels for split in subject.splits)
    share = code_size.probe(train.mean[:KEPT], labels[:KEPT], test.mean, truth)
    found: dict[str, Any] = {"accuracy": round(share, 4), "neighbours": code_size.NEIGHBOURS}
    found |= {"codes": min(KEPT, len(labels)), "tested": len(truth)}
    if not isinstance(subject.model.prior, Learned) and (busy := code_size.active(test)) is not None:
        found["active"] = busy
    return found


def _probe_told(found: dict[str, Any]) -> str:
    busy = f"; {found['active']} dimensions in use" if "active" in found else ""
    return f"{found['accuracy']:.2%} of test codes lie beside their own class{busy}"


def _no_probe(subject: Subject) -> str:
    if not subject.model.conditional:
        return ""
    return (
        f"The codes of {subject.slug!r} were encoded with their labels, so that reading them there would measure what "
        "the encoder was told."
    )


# Of which images q(z) is taken: the first n of a split, or as many as there are.
SAMPLES = (("test", 1000), ("test", 10_000), ("train", 10_000), ("train", 60_000))
PICTURED = 128  # cells along the side of a picture
PICTURE = 4.0  # it covers ± this at least


def _samples(subject: Subject) -> dict[str, tuple[str, Code]]:
    """{name: (split, posteriors)} of what there is for `SAMPLES`."""
    found = {}
    for split, n in SAMPLES:
        code = Code(*(part[:n] for part in subject.codes[split]))
        found[f"{split} {len(code.mean)}"] = split, code
    return found


def _posterior(subject: Subject) -> dict[str, Any]:
    """{rows: {"test 1000": {split, images, and `aggregate.Account`; monte_carlo: its first three, each with its
    standard error}}}, the lattice's `step`, and how far the pictures `reach`."""
    rows = {}
    prior = subject.model.prior
    h = aggregate.step(subject.codes["test"], prior)
    for name, (split, code) in _samples(subject).items():
        exact, drawn = aggregate.account(code, prior, h), aggregate.estimate(code, prior)
        rows[name] = {"split": split, "images": len(code.mean)}
        rows[name] |= {key: round(value, 4) for key, value in exact._asdict().items()}
        rows[name]["monte_carlo"] = {
            key: {"mean": round(mean, 4), "error": round(error, 4)} for key, (mean, error) in drawn._asdict().items()
        }
    found = {"rows": rows, "step": round(h, 5), "reach": _pictured(subject)}
    return found | {"draws": aggregate.DRAWS, "seed": 0}


def _pictured(subject: Subject) -> float:
    far = torch.quantile(subject.codes["test"].mean.abs().flatten(), 0.999)
    return max(PICTURE, math.ceil(2 * float(far)) / 2)


def _densities(subject: Subject) -> dict[str, torch.Tensor]:
    """q(z) of each row averaged over the cells of a picture, and so what of the prior is narrower than one; the rest of
    it is at their middles."""
    reach = _pictured(subject)
    edges, middles = aggregate.lattice(reach, PICTURED)
    area = (2 * reach / PICTURED) ** 2
    q = torch.stack([aggregate.masses(code, edges) / area for _, code in _samples(subject).values()])
    with torch.inference_mode():
        z = torch.cartesian_prod(middles, middles)
        prior = subject.model.prior.log_average(z, 2 * reach / PICTURED).exp().view(PICTURED, PICTURED)
    return {"q": q.half(), "prior": prior.half()}


DENSITIES = Layout({"q": ("samples", PICTURED, PICTURED), "prior": (PICTURED, PICTURED)})


def _posterior_whole(subject: Subject, found: dict[str, Any]) -> bool:
    try:
        densities(subject.slug, subject.root)
    except StorageError:
        return False
    return True


def _posterior_told(found: dict[str, Any]) -> str:
    return "  ".join(
        f"{name}: KL(q(z)|p) {row['divergence']:.3f}, by Monte Carlo {row['monte_carlo']['divergence']['mean']:.3f} ± "
        f"{row['monte_carlo']['divergence']['error']:.3f}, holes {row['holes']:.1%}"
        for name, row in found["rows"].items()
    )


def _no_posterior(subject: Subject) -> str:
    try:
        likelihood.check(subject.model)
        codes = checkpoints.load_codes(subject.slug, subject.root)
        aggregate.step(Code(codes["test_mean"], codes["test_logvar"]), subject.model.prior)
    except likelihood.LikelihoodError as error:
        return str(error)
    return ""


def _arrows(subject: Subject) -> dict[str, Any]:
    """{rows: {"thickness": {sd: of real digits, less: `arrows.Effect`, more: the same}}}."""
    model, grader = subject.model, checkpoints.load_judge(subject.root)
    images, labels = (part[: arrows.TRIED] for part in subject.splits[1])
    sd = np.nanstd(subject.attributes, axis=0)
    z = latent.embed(model, images, labels).mean
    found = arrows.effects(model, _fitted_arrows(subject)["step"], sd, z, labels, grader)
    rows = {
        name: {"sd": round(float(of), 4)}
        | {way: {key: round(value, 4) for key, value in one._asdict().items()} for way, one in found[name].items()}
        for name, of in zip(arrows.ATTRIBUTES, sd, strict=True)
    }
    kept = {"rows": rows, "asked": arrows.ASKED, "images": len(images)}
    return kept | {"judge": weights_fingerprint("judge", subject.root)}


def _fitted_arrows(subject: Subject) -> dict[str, torch.Tensor]:
    codes = checkpoints.load_codes(subject.slug, subject.root)
    n_classes = subject.model.config.n_classes
    return {"step": arrows.fit(codes["train_mean"], codes["train_label"], subject.attributes, n_classes)}


ARROWS = Layout({"step": ("classes", len(arrows.ATTRIBUTES), "size")})


def _arrows_whole(subject: Subject, found: dict[str, Any]) -> bool:
    try:
        steps(subject.slug, subject.root)
    except StorageError:
        return False
    return _judged_whole(subject, found)


def _arrows_told(found: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {row['less']['reached']:+.2f} / {row['more']['reached']:+.2f} sd, the same digit "
        f"{row['less']['kept']:.1%} / {row['more']['kept']:.1%}"
        for name, row in found["rows"].items()
    )


LADDER_FIRST = 100  # images whose gap stands apart, so that it is found again in seconds


def _ladder(subject: Subject) -> dict[str, Any]:
    """{rows: {a rung's name: mean and median of log p(x) − ELBO, and the mean over the `first` LADDER_FIRST}}."""
    few, model = slice(0, checkpoints.CLIMBED), subject.model
    test = data.Split(*(part[few] for part in subject.splits[1]))
    found = likelihood.ladder(model, test.images, test.labels if model.conditional else None)
    gap = checkpoints.load_exact(subject.slug, subject.root)["log_p"][few].double() - found.elbo
    first = gap[:, :LADDER_FIRST].mean(1)
    rows = {
        name: {"gap": round(float(mean), 4), "median": round(float(median), 4), "first": round(float(of_first), 4)}
        for name, mean, median, of_first in zip(
            likelihood.LADDER, gap.mean(1), gap.median(1).values, first, strict=True
        )
    }
    return {"rows": rows, "images": gap.shape[1]}


def _no_ladder(subject: Subject) -> str:
    try:
        likelihood.check(subject.model)
        checkpoints.load_exact(subject.slug, subject.root)
    except likelihood.LikelihoodError as error:
        return str(error)
    except StorageError:
        return (
            f"The ladder is measured against log p(x), which nobody has integrated: `python -m vae_core integrate "
            f"{subject.slug}` does."
        )
    return ""


# The register: `python -m vae_core measure` adds to a card whatever of these is not on it.
MEASURES = {
    "test": Measure(
        "the terms of the ELBO (at β = 1), the reconstruction at the mean and the pixels' squared error; of a CVAE on "
        "MNIST how often the judge sees the label that was asked for",
        "nats per image",
        "low",
        _scores,
        _scores_told,
        of_training=True,
    ),
    "denoising": Measure(
        f"how far the first {metrics.DENOISING_IMAGES:,} test images come back, spoilt in each way and amount",
        "nats, squared error, dB, share of pixels",
        "",
        lambda subject: metrics.denoising(subject.model, *subject.splits[1]),
        _denoising_told,
        lambda subject: (
            ""
            if subject.model.config.seen == "binary"
            else f"Denoising is scored on binarised pixels; {subject.slug!r} sees grey ones."
        ),
        lambda subject, found: all(
            f"{at:g}" in found.get(k, {}) for k, row in CORRUPTIONS.items() for at in row.amounts
        ),
        of_training=True,
    ),
    "leak": Measure(
        "how much of the label a small network reads in a conditional model's codes of images that it has not seen",
        "share of right labels, nats",
        "low",
        _leak,
        _leak_told,
        _no_leak,
        leeway=0.03,
    ),
    "content": Measure(
        "what else parts content from style in a conditional model: what a linear network reads of the label, how far "
        "the ELBO falls under wrong labels; on MNIST how well each label is drawn, and whether the judge still sees "
        "the encoder's label where the decoder was told another",
        "shares, nats",
        "",
        _content,
        _content_told,
        _no_leak,
        _content_whole,
        leeway=0.03,
    ),
    "contraction": Measure(
        f"how far the code of the first {CONTRACTED:,} test images moves when pixels do: the squared Jacobian of the "
        f"encoder, and the code's way when {metrics.FLIPPED:.0%} of the pixels are flipped",
        "units in which the codes have variance 1 in every direction",
        "",
        _contraction,
        lambda found: (
            f"squared Jacobian {found['mean']:.3f} in the mean, {found['median']:.3f} in the middle; flipped pixels "
            f"move a code by {found['shift']:.3f}"
        ),
        leeway=0.01,
    ),
    "units": Measure(
        "which units of a sparse code are in use: how many for an image, how many never, and each one's share",
        "units, shares",
        "",
        _units,
        lambda found: f"{found['active']:.1f} units in use for an image, {found['dead']} of {len(found['use'])} never",
        _no_units,
    ),
    "components": Measure(
        "whether the Gaussians of a learned prior are the classes: to which each test image's mean belongs likeliest",
        "share of images, Gaussians",
        "",
        _components,
        _components_told,
        _no_components,
    ),
    "draws": Measure(
        f"how many of {DRAWS:,} random codes the judge takes for digits: from the prior, or from one Gaussian with the "
        "mean and covariance of a deterministic model's codes",
        "share of the codes",
        "high",
        _draws,
        lambda found: f"{found['accepted']:.2%} of {found['draws']:,} draws from {found['from']} are digits",
        _no_draws,
        _judged_whole,
        leeway=5e-3,
    ),
    "generation": Measure(
        f"how good drawings of random codes are, {generation.DRAWS:,} from each source: share of digits, entropy of "
        "their classes, and beside test images, in the judge's features, precision, recall, density and coverage",
        "shares, nats",
        "high",
        _generation,
        _generation_told,
        _no_draws,
        _generation_whole,
        rows=GENERATED,
        leeway=0.03,
    ),
    "few_labels": Measure(
        f"what share of the test codes is called right where {few_labels.COUNTS[0]} or {few_labels.COUNTS[1]:,} of "
        f"the stored training codes have labels, in {len(few_labels.WAYS)} ways: means over {few_labels.DRAWS} draws "
        "of the labels, half-widths of their 95 % intervals",
        "share of right calls",
        "high",
        _few,
        _few_told,
        _no_few,
        rows=FEW,
        leeway=0.02,
    ),
    "bits": Measure(
        f"what is drawn of the first {CODED:,} test images where each number of their codes is rounded to 1, 2 … "
        f"{code_size.BITS[-1]} bits, and how many bits PNG and zlib take",
        "nats, squared error, share of drawings that the judge calls the same digit; bits",
        "",
        _bits,
        _bits_told,
        _no_draws,
        _judged_whole,
        rows=frozenset(ROUNDINGS),
        leeway=0.01,
    ),
    "probe": Measure(
        f"what share of the test codes is called right by the {code_size.NEIGHBOURS} nearest of {KEPT:,} training "
        "codes, of which the commonest class wins, and how many dimensions of a Gaussian code are in use",
        "share of codes",
        "high",
        _probe,
        _probe_told,
        _no_probe,
        leeway=5e-3,
    ),
    "posterior": Measure(
        "how the aggregated posterior q(z) of so many images lies to the prior, by quadrature and by Monte Carlo: "
        "E KL = mutual information + KL(q(z) ‖ p); what share of the prior's mass has next to no q(z), and the reverse",
        "nats, shares",
        "",
        _posterior,
        _posterior_told,
        _no_posterior,
        _posterior_whole,
        _densities,
        leeway=0.01,
    ),
    "arrows": Measure(
        f"what ± {arrows.ASKED:g} sd asked along its class's arrow for a thicker or a leaning stroke does to the "
        f"drawings of the first {arrows.TRIED:,} test images",
        "sd of real digits, share of drawings that the judge calls the same digit, and takes for one",
        "",
        _arrows,
        _arrows_told,
        _no_draws,
        _arrows_whole,
        _fitted_arrows,
        rows=frozenset(arrows.ATTRIBUTES),
        leeway=0.03,
    ),
    "ladder": Measure(
        f"the gap log p(x) − ELBO over the first {checkpoints.CLIMBED:,} test images under better and better q: of the "
        "encoder's one pass, of the best of several encodings, and after steps of the climb from there",
        "nats per image",
        "low",
        _ladder,
        lambda found: "  ".join(f"{name}: gap {row['gap']:.2f}" for name, row in found["rows"].items()),
        _no_ladder,
        rows=frozenset(likelihood.LADDER),
        leeway=0.03,
    ),
}


def chosen(names: list[str] | None) -> dict[str, Measure]:
    """The named measures, or all. Raises `ConfigError` for a name that there is not."""
    if strange := [name for name in names or () if name not in MEASURES]:
        raise ConfigError(f"There is no measure {strange[0]!r}. There are: {', '.join(MEASURES)}.")
    return {name: measure for name, measure in MEASURES.items() if not names or name in names}


def path_beside(name: str, slug: str, root: Path | None = None) -> Path:
    """The file of tensors that a measure keeps beside a model's card."""
    return (root or checkpoints.ROOT) / slug / f"{name}.safetensors"


def densities(slug: str, root: Path | None = None) -> dict[str, torch.Tensor]:
    """Pictures of what the measure `posterior` found: q (rows, n, n), in the order of the card's rows, and prior
    (n, n), z₁ down, z₂ across. Raises `StorageError` where they are missing, damaged, of other weights, or not as many
    as the card has rows."""
    path = path_beside("posterior", slug, root)
    tensors, told = read_tensors(path, DENSITIES)
    remedy = f"`python -m vae_core measure {slug} --what posterior` writes it."
    if told.get("weights") != weights_fingerprint(slug, root):
        raise StorageError(f"{path} is of other weights. {remedy}")
    kept = measured("posterior", slug, root)
    have, rows = len(tensors["q"]), kept and len(kept["rows"])
    if kept and have != rows:
        raise StorageError(f"{path}: expected a picture for each of the card's {rows} rows, got {have}. {remedy}")
    return {name: tensor.float() for name, tensor in tensors.items()}


def steps(slug: str, root: Path | None = None) -> torch.Tensor:
    """What the measure `arrows` fitted, (K, 2, D): of each class a step for one sd more of `arrows.ATTRIBUTES`. Raises
    `StorageError` where it is missing, damaged, of other weights or of codes of another size."""
    path = path_beside("arrows", slug, root)
    tensors, told = read_tensors(path, ARROWS)
    if told.get("weights") != weights_fingerprint(slug, root):
        raise StorageError(f"{path} is of other weights. `python -m vae_core measure {slug} --what arrows` writes it.")
    have, size = tensors["step"].shape[-1], checkpoints.read_card(slug, root)["latent_dim"]
    if have != size:
        raise StorageError(
            f"{path}: expected steps of {size} numbers, got {have}. Measure the arrows of {slug!r} again."
        )
    return tensors["step"].float()


def measured(name: str, slug: str, root: Path | None = None) -> dict[str, Any] | None:
    """What the card says under this name, or None where it says nothing, not all, or speaks of other weights, the
    model's or the judge's."""
    found = checkpoints.read_card(slug, root).get(name)
    if not isinstance(found, dict) or found.get("weights") != weights_fingerprint(slug, root):
        return None
    there = is_there((root or checkpoints.ROOT) / "judge" / "weights.safetensors")
    if "judge" in found and there and found["judge"] != weights_fingerprint("judge", root):
        return None
    return found if MEASURES[name].rows <= found.get("rows", {}).keys() else None


def measure(subject: Subject, name: str, *, again: bool = False) -> dict[str, Any] | None:
    """Measure what the card does not say of these weights, and put it there; what it says stays. None where nothing is
    new. Raises `ConfigError` where it cannot be asked of this model, `StorageError` where the weights have changed."""
    row = MEASURES[name]
    if reason := row.cannot(subject):
        raise ConfigError(reason)
    have = None if again else subject.kept(name)
    if have is not None and row.whole(subject, have):
        return None
    found, tensors = row.find(subject), row.beside and row.beside(subject)
    if row.of_training:
        found = _filled(have, found)
    else:
        command = f"python -m vae_core measure {subject.slug} --what {name}"
        found |= {"weights": subject.weights, "command": command}
    with locked(subject.root / ".training" / subject.slug):
        if weights_fingerprint(subject.slug, subject.root) != subject.weights:
            raise StorageError(f"{subject.slug!r} has changed while it was measured. Measure it again.")
        if tensors:
            write_tensors(path_beside(name, subject.slug, subject.root), tensors, {"weights": subject.weights})
        subject.card = checkpoints.read_card(subject.slug, subject.root) | {name: found}
        write_json(subject.root / subject.slug / "card.json", subject.card)
    return found


def agrees(name: str, found: Any, told: Any) -> bool:
    """Whether a card tells every number that was found, but for what another machine's arithmetic may move."""
    if isinstance(found, dict):
        return isinstance(told, dict) and all(agrees(name, value, told.get(key)) for key, value in found.items())
    if isinstance(found, float):
        return type(told) in (int, float) and math.isclose(found, told, rel_tol=MEASURES[name].leeway, abs_tol=1e-6)
    return found == told


def _filled(have: Any, found: Any) -> Any:
    """`found`, but for what is there already, which stays."""
    if not isinstance(have, dict) or not isinstance(found, dict):
        return found if have is None else have
    return have | {key: _filled(have.get(key), value) for key, value in found.items()}


TELLING = {"real training images", "a generator of ones"}  # what a page compares of them


def references(root: Path | None = None) -> dict[str, Any] | None:
    """What the judge's card says of generators whose faults are known, or None where it speaks of other weights."""
    found = judge.read_card((root or checkpoints.ROOT) / "judge").get("generation")
    if not found or found.get("judge") != weights_fingerprint("judge", root):
        return None
    return found if found.get("rows", {}).keys() >= TELLING else None


def judge_again(*, root: Path | None = None, data_folder: Path | None = None) -> dict[str, Any]:
    """Measure the shipped judge on MNIST's test split once more, kinds of garbage included that were thought of after
    its training, and put the rates on its card as `test`; and as `generation` what it says of generators whose faults
    are known. Weights, threshold and all else stay."""
    folder = (root or checkpoints.ROOT) / "judge"
    card, weights = judge.read_card(folder), weights_fingerprint("judge", root)
    train, test = (data.load("mnist", split, data_folder) for split in ("train", "test"))
    if data.fingerprint(test) != card["dataset"]["test_fingerprint"]:
        raise StorageError(
            "This is not the MNIST that the judge's card fingerprints. Name the right folder with --data-dir, or "
            "download the data set again."
        )
    grader = judge.load(folder)
    rates = judge.evaluate_judge(grader, test, card["test_seed"])
    real = grader.features(judge.binarise(test.images))
    known = {name: generation.quality(drawn, real, grader) for name, drawn in generation.references(*train).items()}
    beside = {"rows": known} | _graded_by(root)
    with locked(folder.parent / ".training" / folder.name):
        if weights_fingerprint("judge", root) != weights:
            raise StorageError("The judge has changed while it was measured. Measure it again.")
        write_json(folder / "card.json", card | {"test": rates, "generation": beside})
    return rates


def baselines(
    *, root: Path | None = None, data_folder: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Measure what needs no network (`metrics.baselines`, and few labels of raw pixels) on MNIST; write the scores and
    the headline regressions."""
    train, test = (data.load("mnist", split, data_folder) for split in ("train", "test"))
    values, ridges = metrics.baselines(train.images, test.images, progress)
    values["few_labels"] = few_of_pixels(train, test)
    tensors = {f"{kind}.{name}": part.half() for kind, one in ridges.items() for name, part in one._asdict().items()}
    write_tensors((root or checkpoints.ROOT) / RIDGE, tensors)
    checkpoints.save_baselines(values, root)
    return values


def load_ridges(root: Path | None = None) -> dict[str, metrics.Ridge]:
    """The ridge regressions at `metrics.HEADLINE`, by kind, as far as they have been fitted. Raises `StorageError` for
    another file."""
    path, shapes = (root or checkpoints.ROOT) / RIDGE, {"weight": (PIXELS, PIXELS), "bias": (PIXELS,)}
    layout = Layout({f"{kind}.{name}?": shape for kind in metrics.HEADLINE for name, shape in shapes.items()})
    try:
        tensors, _ = read_tensors(path, layout)
        kinds = [kind for kind in metrics.HEADLINE if any(f"{kind}.{name}" in tensors for name in shapes)]
        if lacking := [f"{kind}.{name}" for kind in kinds for name in shapes if f"{kind}.{name}" not in tensors]:
            raise StorageError(f"{path} lacks {lacking[0]}.")
    except StorageError as error:
        raise StorageError(f"{error} `python -m vae_core baselines` writes it.") from error
    return {kind: metrics.Ridge(*(tensors[f"{kind}.{name}"].float() for name in shapes)) for kind in kinds}
