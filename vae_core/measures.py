"""What is measured of a finished model and kept: on its card, or beside the checkpoints.

Each number carries the fingerprint of the weights that it was measured on, and counts for no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_core import checkpoints, data, judge, latent, metrics
from vae_core.config import PIXELS, Config, ConfigError
from vae_core.storage import Layout, StorageError, locked, read_tensors, write_json, write_tensors

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


def measured(name: str, slug: str, root: Path | None = None) -> dict[str, Any] | None:
    """What the card says under this name, or None where it says nothing or speaks of other weights."""
    found = checkpoints.read_card(slug, root).get(name)
    fits = isinstance(found, dict) and found.get("weights") == weights_fingerprint(slug, root)
    return found if fits else None


def leak(slug: str, *, root: Path | None = None, data_folder: Path | None = None) -> dict[str, Any]:
    """Measure how much of the label a conditional model's codes hold (`metrics.leak`), and remember it.

    Writes the card's `leak`: accuracy and nats from the means (`mean`) and from draws of q (`draw`), and `chance`, the
    largest label's share of the test split. Raises `ConfigError` for a model without labels.
    """
    model, card = checkpoints.load(slug, root)
    if not model.conditional:
        raise ConfigError(
            f"A leak is measured of a model that is told the label (cvae); {slug!r} is of kind {card['kind']}."
        )
    weights = weights_fingerprint(slug, root)
    train, test = checkpoints.splits(Config.from_dict(card["config"]), data_folder)
    train = data.Split(*(part[:LEAK_IMAGES] for part in train))
    codes = [latent.embed(model, *split) for split in (train, test)]
    found: dict[str, Any] = {}
    for name, sample in (("mean", False), ("draw", True)):
        one = metrics.leak(codes[0], train.labels, codes[1], test.labels, sample=sample)
        found[name] = {key: round(value, 4) for key, value in one._asdict().items()}
    found["chance"] = round(test.labels.bincount().max().item() / len(test.labels), 4)
    found |= {"train_images": len(train.labels), "seed": 0}
    return _keep(slug, "leak", found, weights, root)


def draws(slug: str, *, root: Path | None = None) -> dict[str, Any]:
    """Measure how many drawings of random codes the judge takes for digits, and remember it as the card's `draws`."""
    model, card = checkpoints.load(slug, root)
    if card["dataset"]["name"] != "mnist":
        raise ConfigError(f"The judge knows MNIST's digits; {slug!r} was trained on {card['dataset']['name']}.")
    weights = weights_fingerprint(slug, root)
    source = latent.own_source(checkpoints.load_codes(slug, root)["train_mean"], prior=model.probabilistic)
    share = metrics.accepted_draws(model, checkpoints.load_judge(root), source, n=DRAWS)
    told = "N(0, I)" if model.probabilistic else "one Gaussian with mean and covariance of the stored training codes"
    found = {"accepted": round(share, 4), "draws": DRAWS, "from": told, "seed": 0}
    return _keep(slug, "draws", found | {"judge": weights_fingerprint("judge", root)}, weights, root)


def _keep(slug: str, name: str, found: dict[str, Any], weights: str, root: Path | None) -> dict[str, Any]:
    """Put what was found on the card; everything else there stays. Raises `StorageError` where the weights changed."""
    root = root or checkpoints.ROOT
    found |= {"weights": weights, "command": f"python -m vae_core {name} {slug}"}
    with locked(root / ".training" / slug):
        if weights_fingerprint(slug, root) != weights:
            raise StorageError(f"{slug!r} has changed while it was measured. Measure it again.")
        write_json(root / slug / "card.json", checkpoints.read_card(slug, root) | {name: found})
    return found


def judge_again(*, root: Path | None = None, data_folder: Path | None = None) -> dict[str, Any]:
    """Measure the shipped judge on MNIST's test split once more, kinds of garbage included that were thought of after
    its training, and put the rates on its card as `test`; weights, threshold and all else stay."""
    folder = (root or checkpoints.ROOT) / "judge"
    card, weights = judge.read_card(folder), weights_fingerprint("judge", root)
    test = data.load("mnist", "test", data_folder)
    if data.fingerprint(test) != card["dataset"]["test_fingerprint"]:
        raise StorageError(
            "This is not the MNIST that the judge's card fingerprints. Name the right folder with --data-dir, or "
            "download the data set again."
        )
    rates = judge.evaluate_judge(judge.load(folder), test, card["test_seed"])
    with locked(folder.parent / ".training" / folder.name):
        if weights_fingerprint("judge", root) != weights:
            raise StorageError("The judge has changed while it was measured. Measure it again.")
        write_json(folder / "card.json", card | {"test": rates})
    return rates


def baselines(
    *, root: Path | None = None, data_folder: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Measure what needs no network (`metrics.baselines`) on MNIST; write the scores and the headline regressions."""
    train, test = (data.load("mnist", split, data_folder).images for split in ("train", "test"))
    values, ridges = metrics.baselines(train, test, progress)
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
