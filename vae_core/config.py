"""What a run is: one model, one training, one name."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

PIXELS = 784  # of an image, 28×28


class Kind(NamedTuple):
    """What is known of a kind of model before its network is built, and without torch."""

    words: str  # one line, for the command line
    probabilistic: bool = False  # the encoder gives a Gaussian rather than a point
    conditional: bool = False  # the label stands beside x and beside z


# The register of kinds, in the order of every list of models. What a kind does is its class in models.py.
KINDS = {
    "ae": Kind("a point code"),
    "dae": Kind("the AE with a spoilt input"),
    "vae": Kind("a Gaussian code with a KL to N(0, I)", probabilistic=True),
    "cvae": Kind(
        "the VAE with the label beside x and z; its data set says how many labels there are",
        probabilistic=True,
        conditional=True,
    ),
}
ACTIVATIONS = ("gelu", "relu", "silu", "tanh")
LIKELIHOODS = ("bernoulli", "gaussian")
PRECISIONS = ("float32", "bfloat16")


class ConfigError(ValueError):
    """A setting that cannot be; the message says what was expected."""


# Bounds are wide enough for whoever experiments, and narrow enough that a card, which anybody can edit, cannot ask for
# more memory than a machine has.
LAYERS, WIDTH, NUMBERS = 16, 8192, 50_000_000


def _one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}; got {short(value)}.")


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}; got {short(value)}.")


def _number(name: str, value: Any, low: float, high: float) -> None:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ConfigError(f"{name} must be a number from {low:g} to {high:g}; got {short(value)}.")


def short(value: Any) -> str:
    """What came, at a length that a sentence bears."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    # Python refuses to write out a number of thousands of digits.
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number of more than 40 digits"
    return text if len(text) <= 60 else f"{text[:57]}…"


@dataclass(frozen=True)
class ModelConfig:
    """Everything that is needed to rebuild a network before its weights are loaded."""

    kind: str = "vae"  # one of KINDS
    latent_dim: int = 2  # D, numbers in a code
    encoder: tuple[int, ...] = (512, 512)  # hidden widths, input side first
    decoder: tuple[int, ...] = (512, 512)  # hidden widths, code side first
    activation: str = "gelu"  # after every hidden layer
    likelihood: str = "bernoulli"  # of a pixel given z
    sigma: float | None = 1.0  # Gaussian pixels only: fixed standard deviation, None learns one scalar
    beta: float = 1.0  # weight of the KL in the training objective; the ELBO is always stated at 1
    encoder_noise: float = 0.0  # share of the pixels flipped on a VAE's or CVAE's encoder input in training
    corruptions: int = 1  # DAE only: L, corrupted copies per image and step
    n_classes: int = 10  # labels a CVAE knows

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("activation", self.activation, ACTIVATIONS)
        _one_of("likelihood", self.likelihood, LIKELIHOODS)
        _whole("latent_dim", self.latent_dim, 1, 1024)
        _whole("corruptions", self.corruptions, 1, 1000)
        _whole("n_classes", self.n_classes, 1, 1000)
        _number("beta", self.beta, 0, 1e6)
        for name in ("encoder", "decoder"):
            widths = getattr(self, name)
            if not isinstance(widths, list | tuple) or len(widths) > LAYERS:
                raise ConfigError(f"{name} is a list of at most {LAYERS} hidden widths; got {short(widths)}.")
            for width in widths:
                _whole(f"a hidden width of the {name}", width, 1, WIDTH)
            object.__setattr__(self, name, tuple(widths))  # JSON brings lists; equality needs tuples
        _number("encoder_noise, a share,", self.encoder_noise, 0, 0.5)
        if self.encoder_noise and not self.probabilistic:
            raise ConfigError("An autoencoder with a noisy input is a denoising one: train kind 'dae' instead.")
        if self.sigma is not None:
            _number("sigma, unless it is none and learned,", self.sigma, 0.01, 100)  # the floor of models.py
        if self.numbers > NUMBERS:
            raise ConfigError(f"A network may have {NUMBERS:,} numbers at most; these widths make {self.numbers:,}.")

    @property
    def probabilistic(self) -> bool:
        return KINDS[self.kind].probabilistic

    @property
    def conditional(self) -> bool:
        return KINDS[self.kind].conditional

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor that `models.build` makes: known before anything is allocated."""
        labels = self.n_classes if self.conditional else 0
        code = 2 * self.latent_dim if self.probabilistic else self.latent_dim
        found: dict[str, tuple[int, ...]] = {}
        for name, widths in (
            ("encoder", (PIXELS + labels, *self.encoder, code)),
            ("decoder", (self.latent_dim + labels, *self.decoder, PIXELS)),
        ):
            for i, (n_in, n_out) in enumerate(pairwise(widths)):  # an activation stands between two layers
                found |= {f"{name}.{2 * i}.weight": (n_out, n_in), f"{name}.{2 * i}.bias": (n_out,)}
        return found | ({"log_sigma": ()} if self.likelihood == "gaussian" else {})

    @property
    def numbers(self) -> int:
        """How many weights and biases the network has."""
        return sum(math.prod(shape) for shape in self.shapes().values())


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are found."""

    dataset: str = "mnist"
    epochs: int = 40
    batch_size: int = 128
    learning_rate: float = 1e-3  # Adam's, after the warm-up; falls to 0 along a half cosine
    warmup_epochs: float = 1.0
    weight_average: float = 0.998  # decay of the exponential average that is kept; 0 keeps the last weights
    augmentation: float = 0.0  # strength of random small affine maps of the images, 1 = 15°, 10 %, shear 0.15
    clean_epochs: int = 0  # last epochs without augmentation
    kl_warmup_epochs: float = 0.0  # β comes from kl_start · β over these; from 0, more dimensions find a use
    kl_start: float = 0.0  # factor of β at their start; above 1 a CVAE learns to use its label before its code
    precision: str = "float32"  # or "bfloat16": matrix products in half the bits, weights and sums in float32
    held_out: int = 0  # last training images kept back to choose a recipe on; 0 for a final model
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not re.fullmatch(r"[a-z0-9_]{1,40}", self.dataset):
            raise ConfigError(f"dataset must be a name such as mnist; got {short(self.dataset)}.")
        _one_of("precision", self.precision, PRECISIONS)
        _whole("epochs", self.epochs, 0, 100_000)
        _whole("batch_size", self.batch_size, 1, 100_000)
        _whole("clean_epochs", self.clean_epochs, 0, 100_000)
        _whole("held_out", self.held_out, 0, 100_000_000)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _number("learning_rate", self.learning_rate, 0, 1000)
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be positive; got {self.learning_rate!r}.")
        _number("warmup_epochs", self.warmup_epochs, 0, 100_000)
        _number("augmentation", self.augmentation, 0, 10)
        _number("kl_warmup_epochs", self.kl_warmup_epochs, 0, 100_000)
        _number("kl_start", self.kl_start, 0, 1000)
        if type(self.weight_average) not in (int, float) or not 0 <= self.weight_average < 1:
            raise ConfigError(f"weight_average is a decay from 0 to below 1; got {short(self.weight_average)}.")


@dataclass(frozen=True)
class Config:
    """One run. `slug` names its checkpoint; a `tag` keeps a variant beside the plain one."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tag: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.tag, str) or not re.fullmatch(r"(?!\.)[A-Za-z0-9.-]{0,60}", self.tag):
            raise ConfigError(
                "A tag is part of a folder's name, up to 60 letters, digits, dots and dashes, and begins with no dot; "
                f"got {short(self.tag)}."
            )

    @property
    def slug(self) -> str:
        parts = [self.training.dataset.replace("_", "-"), self.model.kind, f"{self.model.latent_dim}d"]
        if self.model.likelihood == "gaussian":
            parts.append("gaussian")
        if self.model.beta != 1:
            parts.append(f"beta{self.model.beta:g}")
        if self.tag:
            parts.append(self.tag)
        return "-".join(parts)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Config:
        """Raises `ConfigError` for a field this version does not know, or for a value that cannot be, naming it."""
        if not isinstance(d, dict):
            raise ConfigError(f"A config is an object with model, training and tag; got {short(d)}.")
        return cls(
            model=_strict(ModelConfig, d.get("model", {})),
            training=_strict(TrainingConfig, d.get("training", {})),
            tag=d.get("tag", ""),
        )


def _strict(cls: type, d: Any) -> Any:
    if not isinstance(d, dict):
        raise ConfigError(f"{cls.__name__} is an object of named settings; got {short(d)}.")
    unknown = sorted(set(d) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        raise ConfigError(f"{cls.__name__} has no field {short(', '.join(unknown))[1:-1]}: written by another version?")
    return cls(**d)
