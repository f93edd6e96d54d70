"""What a run is: one model, one training, one name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

KINDS = ("ae", "dae", "vae", "cvae")
PROBABILISTIC = ("vae", "cvae")
ACTIVATIONS = ("gelu", "relu", "silu", "tanh")
LIKELIHOODS = ("bernoulli", "gaussian")
PRECISIONS = ("float32", "bfloat16")


class ConfigError(ValueError):
    """A setting that cannot be; the message says what was expected."""


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of {', '.join(allowed)}; got {value!r}.")


def _at_least(name: str, value: float, low: float) -> None:
    if not value >= low:
        raise ConfigError(f"{name} must be at least {low:g}; got {value!r}.")


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
        _at_least("latent_dim", self.latent_dim, 1)
        _at_least("beta", self.beta, 0)
        _at_least("corruptions", self.corruptions, 1)
        for name in ("encoder", "decoder"):
            widths = tuple(int(w) for w in getattr(self, name))
            if min(widths, default=1) < 1:
                raise ConfigError(f"{name} must be positive hidden widths such as 512,512; got {widths}.")
            object.__setattr__(self, name, widths)  # JSON brings lists; equality needs tuples
        if not 0 <= self.encoder_noise <= 0.5:
            raise ConfigError(f"encoder_noise is a share from 0 to 0.5; got {self.encoder_noise!r}.")
        if self.encoder_noise and self.kind not in PROBABILISTIC:
            raise ConfigError("An autoencoder with a noisy input is a denoising one: train kind 'dae' instead.")
        if self.sigma is not None and not self.sigma > 0:
            raise ConfigError(f"sigma must be positive, or none to learn it; got {self.sigma!r}.")


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
        for name, low in (
            ("epochs", 0),
            ("batch_size", 1),
            ("warmup_epochs", 0),
            ("kl_warmup_epochs", 0),
            ("held_out", 0),
        ):
            _at_least(name, getattr(self, name), low)
        _one_of("precision", self.precision, PRECISIONS)
        if not 0 <= self.weight_average < 1:
            raise ConfigError(f"weight_average is a decay from 0 to below 1; got {self.weight_average!r}.")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be positive; got {self.learning_rate!r}.")


@dataclass(frozen=True)
class Config:
    """One run. `slug` names its checkpoint; a `tag` keeps a variant beside the plain one."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tag: str = ""

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
        """Raises `ConfigError` for a field this version does not know, naming it."""
        return cls(
            model=_strict(ModelConfig, d.get("model", {})),
            training=_strict(TrainingConfig, d.get("training", {})),
            tag=d.get("tag", ""),
        )


def _strict(cls: type, d: dict[str, Any]) -> Any:
    unknown = sorted(set(d) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        raise ConfigError(f"{cls.__name__} has no field {', '.join(unknown)}: written by another version?")
    return cls(**d)
