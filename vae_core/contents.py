"""What the files of a checkpoint must hold, checked on reading: a card is a file that anybody can edit.

Nothing here imports torch: a page that paints first reads its pictures and codes through this.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vae_core.config import Config, ConfigError, ModelConfig, short
from vae_core.storage import Layout, StorageError, check_tensors, read_arrays, read_json

FORMAT = 1  # of the files; a reader refuses a newer one
MNIST_TEST = 10_000
FOLLOWED_EPOCHS = (0, 1, 2, 5, 10, 20, 40, 60, 80, 100, 150, 200)  # after which codes are kept; and after the last
ANSWER = 1e18  # that a network's answers must stay below: their squares are still float32
FAR = 1e3  # of a code: a learned prior's means and logits stay within
STEEP = 20.0  # of a log σ: from 2e-9 to 5e8

# A pattern: a type (float takes whole numbers, too), None, a tuple of patterns that will all do, [pattern] for a list,
# {str: pattern} for an object with any names, or an object with these names; one that ends in "?" may be missing, and
# further names are nobody's business.
Pattern = Any

_SCORES = {"nats": float, "mse": float, "psnr": float, "wrong": float}
QUALITY = dict.fromkeys(("digit", "entropy", "precision", "recall", "density", "coverage"), float)
_BY_KIND_AND_AMOUNT = {str: {str: _SCORES}}
_RANGE = {"mean": float, "error": float}
FEW = {"rows": {str: {str: {"mean": float, "half": float}}}, "codes": int, "tested": int, "draws": int}
_READ = {"mean": {"accuracy": float, "nats": float}, "draw": {"accuracy": float, "nats": float}}
_LEAK = _READ | {"chance": float}
_CARD = {
    "format": int,
    "slug": str,
    "kind": str,
    "latent_dim": int,
    "parameters": int,
    "config": {str: object},
    "dataset": {"name": str, "train_fingerprint?": str, "test_fingerprint?": str},
    "command": str,
    "history": [{"epoch": int, "reconstruction": float, "kl": (float, None), "seconds": float}],
    "test": {"reconstruction_at_mean": float, "mse": float, "label_agreement?": float},
    "denoising": _BY_KIND_AND_AMOUNT,
    "draws?": {"accepted": float, "draws": int},
    "generation?": {"rows": {str: QUALITY}, "draws": int, "batch": int, "real": int},
    "contraction?": {"mean": float, "median": float, "shift": float},
    "components?": {"purity": float, "together": float, "used": int},
    "few_labels?": FEW,
    "bits?": {"rows": {str: {"nats": float, "mse": float, "digit": float}}, "images": int, "png": float, "zlib": float},
    "probe?": {"accuracy": float, "codes": int, "tested": int, "active?": int},
    "units?": {"active": float, "dead": int, "use": [float], "strength": [float]},
    "posterior?": {
        "rows": {
            str: {"split": str, "images": int}
            | dict.fromkeys(("kl", "information", "divergence", "holes", "leaks", "apart"), float)
            | {"monte_carlo": dict.fromkeys(("kl", "information", "divergence"), _RANGE)}
        },
        "step": float,
        "reach": float,
    },
    "leak?": _LEAK,
    "content?": {
        "linear": _READ,
        "entropy": float,
        "wrong": dict.fromkeys(("mean", "median", "nearest", "nearest_median", "true"), float),
        "images": int,
        "train_images": int,
        "fidelity?": [float],
        "swap?": {"asked": float, "old": float, "digit": float},
    },
    # Of further trainings, by seed, what was measured: `vae_core/seeds.py`.
    "seeds?": {
        "weights": str,
        "runs": {
            str: {
                "test?": {str: float},
                "denoising?": _BY_KIND_AND_AMOUNT,
                "draws?": {"accepted": float},
                "generation?": {"rows": {str: QUALITY}},
                "probe?": {"accuracy": float},
                "leak?": _LEAK,
            }
        },
    },
}
_OF_POSTERIORS = {
    "ladder?": {"rows": {str: {"gap": float, "median": float, "first": float}}, "images": int},
    "test": {"reconstruction": float, "kl": float, "nelbo": float},
    "exact?": {
        name: float
        for part in ("gap", "approximation", "amortisation")
        for name in ("nll", "nelbo", part, f"{part}_median")
    },
}
BASELINES = {
    "corrupted": _BY_KIND_AND_AMOUNT,
    "median": {str: {str: _SCORES | {"size": int}}},
    "ridge?": _BY_KIND_AND_AMOUNT,
    "pca_mse": {str: float},
    "few_labels?": FEW,  # of raw pixels
}


def expect(path: Path, value: Any, pattern: Pattern) -> None:
    """Raise `StorageError` naming the file, the place in it, what was expected and what came."""
    if wrong := _mismatch(value, pattern, ""):
        raise StorageError(f"{path} is not as it should be: {wrong}. Restore it or train the model again.")


def check_shares(path: Path, value: Mapping[str, Any]) -> None:
    """Accuracies of few labels are shares: raise `StorageError` for others, which a page would draw off its chart."""
    for count, row in value.get("few_labels", {"rows": {}})["rows"].items():
        for way, found in row.items():
            if not (0 <= found["mean"] <= 1 and 0 <= found["half"] <= 1):
                raise StorageError(
                    f"{path} is not as it should be: few_labels.rows.{short(count)[1:-1]}.{short(way)[1:-1]} should "
                    f"hold shares from 0 to 1 and holds {found['mean']:g} ± {found['half']:g}. Restore it or measure "
                    "again."
                )


def read_card(folder: Path) -> tuple[dict[str, Any], Config]:
    """A model's card, as its readers rely on it, and its config. Raises `StorageError` where it is anything else."""
    path = folder / "card.json"
    card = read_json(path)
    if isinstance(card, dict) and type(card.get("format")) is int and card["format"] > FORMAT:
        raise StorageError(
            f"{path} is of format {short(card['format'])}, and only {FORMAT} is known here. Update the project or "
            "train the model again."
        )
    expect(path, card, _CARD)
    expect(path, card["history"], [{str: (float, None)}])  # whatever terms a kind's objective has: each is a curve
    try:
        config = Config.from_dict(card["config"])
    except ConfigError as error:
        raise StorageError(f"{path} does not describe a model: {error} Restore it or train it again.") from error
    if config.model.probabilistic:
        expect(path, card, _OF_POSTERIORS)
    described = {"slug": config.slug, "kind": config.model.kind, "latent_dim": config.model.latent_dim}
    for name, own in described.items():
        if card[name] != own:
            raise StorageError(
                f"{path} contradicts itself: {name} is {short(card[name])}, and its config makes {own!r}. "
                "Restore it or train the model again."
            )
    check_shares(path, card)
    if account := card.get("posterior"):
        rows = account["rows"].values()
        if {row["split"] for row in rows} != {"train", "test"} or any(row["images"] < 1 for row in rows):
            raise StorageError(
                f"{path} is not as it should be: posterior.rows are of train and test images. Restore it or measure "
                "the model again."
            )
    if units := card.get("units"):
        for name in ("use", "strength"):
            if len(units[name]) != config.model.latent_dim:
                raise StorageError(
                    f"{path} contradicts itself: units.{name} is of {len(units[name])} units, and the code has "
                    f"{config.model.latent_dim}. Restore it or measure the model again."
                )
    if config.slug != folder.name:
        raise StorageError(f"{path} is the card of {config.slug!r}: a folder is named like its model. Rename it.")
    return card, config


def weights_layout(config: ModelConfig) -> Layout:
    return Layout(config.shapes())


def codes_layout(config: ModelConfig) -> Layout:
    d, n = config.latent_dim, "test images"
    shapes: dict[str, tuple[int | str, ...]] = {
        "test_mean": (n, d),
        "test_label": (n,),
        "test_reconstruction_at_mean": (n,),
        "test_mse": (n,),
        "train_mean": ("training images", d),
        "train_label": ("training images",),
        "epochs?": ("epochs",),
        "epoch_mean?": ("epochs", "followed images", d),
    }
    if config.probabilistic:
        shapes |= {"test_logvar": (n, d), "test_reconstruction": (n,), "test_kl": (n,)}
    return Layout(shapes, frozenset({"test_label", "train_label", "epochs"}))


EXACT = Layout(
    {"log_p": ("test images",), "elbo": ("test images",), "modes": ("test images",), "best_elbo": ("first images",)}
    | {f"bundled_{name}?": ("bundled images",) for name in ("log_p", "elbo", "modes")},
    frozenset({"modes", "bundled_modes"}),
)


def check_labels(path: Path, codes: Any, config: ModelConfig) -> None:
    """Labels index colours and names: one that there is not is refused. `codes` are arrays or tensors by name."""
    for name in ("test_label", "train_label"):
        low, high = int(codes[name].min()), int(codes[name].max())
        if low < 0 or high >= config.n_classes:
            raise StorageError(
                f"{path}: {name} should hold labels from 0 to {config.n_classes - 1} and holds {low} to {high}. "
                "Restore it or train the model again."
            )


def check_split(slug: str, n: int) -> None:
    """Pages show the images behind MNIST's codes, and compare models by them: all must be of the whole test split."""
    if slug.startswith("mnist-") and n != MNIST_TEST:
        raise StorageError(
            f"{slug} was scored on {n:,} images and not on MNIST's {MNIST_TEST:,} test images, which the pages show. "
            "Restore it or train the model again, without --held-out."
        )


def check_answers(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Finite weights may give answers that are not: raise `StorageError` for a network that could.

    A layer answers at most max_i (Σ_j |w_ij| a + |b_i|) where nothing that comes in is above a; an activation makes it
    no more than that, or than 1. Pixels are within 1, codes within FAR. The shipped networks stay below 3e10.
    """
    for part, most in (("encoder", 1.0), ("decoder", FAR)):
        for layer in range(0, len(weights), 2):  # an activation stands between two layers
            if (matrix := weights.get(f"{part}.{layer}.weight")) is None:
                break
            gain = np.abs(matrix).sum(1, dtype=np.float64)
            most = float((gain * max(most, 1.0) + np.abs(weights[f"{part}.{layer}.bias"])).max())
        if not most < ANSWER:
            raise StorageError(
                f"{path}: the {part}'s answers may reach {most:.0e}, and numbers beyond {ANSWER:.0e} can no longer be "
                "computed with. Restore it or train the model again."
            )
    bounds = {"log_sigma": STEEP, "threshold": FAR, "prior.mean": FAR, "prior.logits": FAR, "prior.log_sigma": STEEP}
    for name in bounds.keys() & weights.keys():
        if (most := float(np.abs(weights[name]).max())) > bounds[name]:
            raise StorageError(
                f"{path}: {name} holds {most:.3g}; at most {bounds[name]:g} can be computed with. Restore it or train "
                "the model again."
            )


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of the network by name, half precision as stored."""
    _, config = read_card(folder)
    path = folder / "weights.safetensors"
    weights = read_arrays(path, weights_layout(config.model))
    check_answers(path, weights)
    return weights


def read_codes(folder: Path) -> dict[str, np.ndarray]:
    """What `checkpoints.load_codes` gives, as arrays of the types that are stored."""
    _, config = read_card(folder)
    path = folder / "codes.safetensors"
    codes = read_arrays(path, codes_layout(config.model))
    check_labels(path, codes, config.model)
    check_split(folder.name, len(codes["test_mean"]))
    return codes


def check(folder: Path) -> dict[str, Any]:
    """The card, where it and the shapes of weights and codes are as they should be; numbers are read on loading."""
    card, config = read_card(folder)
    check_tensors(folder / "weights.safetensors", weights_layout(config.model))
    check_tensors(folder / "codes.safetensors", codes_layout(config.model))
    return card


def _mismatch(value: Any, pattern: Pattern, where: str) -> str | None:
    if isinstance(pattern, tuple):
        wrong = [_mismatch(value, each, where) for each in pattern]
        return None if None in wrong else wrong[0]
    if isinstance(pattern, list):
        if not isinstance(value, list):
            return _wrong(where, "a list", value)
        return next((w for i, v in enumerate(value) if (w := _mismatch(v, pattern[0], f"{where}[{i}]"))), None)
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return _wrong(where, "an object", value)
        if str in pattern:
            return next((w for k, v in value.items() if (w := _mismatch(v, pattern[str], _at(where, k)))), None)
        for name, each in pattern.items():
            key = name.removesuffix("?")
            if key not in value and not name.endswith("?"):
                return f"{_at(where, key)} is missing"
            if key in value and (wrong := _mismatch(value[key], each, _at(where, key))):
                return wrong
        return None
    if pattern is None:
        return None if value is None else _wrong(where, "null", value)
    if pattern is float:
        return None if type(value) in (int, float) and abs(value) < 1e300 else _wrong(where, "a number", value)
    if pattern is int:
        return None if type(value) is int and abs(value) < 2**63 else _wrong(where, "a whole number", value)
    return None if isinstance(value, pattern) else _wrong(where, "text", value)


def _at(where: str, key: str) -> str:
    return f"{where}.{short(key)[1:-1]}" if where else short(key)[1:-1]


def _wrong(where: str, wanted: str, value: Any) -> str:
    return f"{where or 'the whole'} should be {wanted} and is {short(value)}"
