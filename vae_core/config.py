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

    words: str  # one line, for the command line and for whoever meets the kind on a page
    probabilistic: bool = False  # the encoder gives a Gaussian rather than a point
    conditional: bool = False  # the label stands beside x and beside z
    name: str = ""  # short, as pages write it; its name on the command line in capitals where this is empty
    code: str = "linear"  # what a code goes through, unless the config says otherwise
    learned_prior: bool = False  # p(z) is a mixture of Gaussians that is trained along, in place of N(0, I)
    linear: bool = False  # one linear layer each side, found in closed form from squared errors


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
    "scrubbed": Kind(
        "the CVAE with a price on what a reader of labels finds in its code",
        probabilistic=True,
        conditional=True,
        name="scrubbed CVAE",
    ),
    "mixture": Kind(
        "the VAE with a prior of several Gaussians that it learns along",
        probabilistic=True,
        name="mixture VAE",
        learned_prior=True,
    ),
    "sparse": Kind("the AE with a price on every unit of its code that is in use", name="sparse AE", code="relu"),
    "contractive": Kind("the AE with a price on how far a pixel moves its code", name="contractive AE"),
    "pca": Kind("principal components: the best linear autoencoder", name="PCA", linear=True),
}
ACTIVATIONS = ("gelu", "relu", "silu", "tanh")
LIKELIHOODS = ("bernoulli", "gaussian")
SEEN = ("binary", "grey")
CODES = ("linear", "relu", "sigmoid")
AUTO = "auto"  # a setting that follows from others
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


def setting(
    default: Any,
    said: str,
    low: float | None = None,
    high: float | None = None,
    *,
    choices: Iterable[str] = (),
    flag: bool = True,
) -> Any:
    """A field of a config: what it is, in words for the reader and for the command line, and what it may be. `flag` is
    False where no option sets it."""
    return field(default=default, metadata={"said": said, "low": low, "high": high, "choices": choices, "flag": flag})


def _check(config: Any) -> None:
    """Each field by what its `setting` says."""
    for each in dataclasses.fields(config):
        value, how = getattr(config, each.name), each.metadata
        if how["choices"]:
            _one_of(each.name, value, how["choices"])
        elif how["low"] is not None and (value is not None or each.type != "float | None"):
            (_whole if each.type == "int" else _number)(each.name, value, how["low"], how["high"])


@dataclass(frozen=True)
class ModelConfig:
    """Everything that is needed to rebuild a network before its weights are loaded."""

    kind: str = setting("vae", "what is trained", choices=KINDS, flag=False)
    latent_dim: int = setting(2, "numbers in a code", 1, 1024)  # D
    encoder: tuple[int, ...] = setting((512, 512), "hidden widths")  # input side first
    decoder: tuple[int, ...] = setting((512, 512), "hidden widths, code side first")
    activation: str = setting("gelu", "after a hidden layer", choices=ACTIVATIONS)
    likelihood: str = setting("bernoulli", "of a pixel given z", choices=LIKELIHOODS)
    sigma: float | None = setting(
        1.0,
        "standard deviation of Gaussian pixels, in units of a pixel's range from 0 to 1, or 'learned' for one scalar",
        0.01,  # the floor of models.py
        100,
    )
    seen: str = setting(
        AUTO,
        "pixels that the model sees and is scored on: binarised at 0.5, or grey; auto is binary for Bernoulli pixels",
        choices=(AUTO, *SEEN),
    )
    code: str = setting(
        AUTO, "what a point code goes through at the encoder's end; auto is the kind's own", choices=(AUTO, *CODES)
    )
    beta: float = setting(1.0, "weight of the KL in the objective; the ELBO is always stated at 1", 0, 1e6)
    encoder_noise: float = setting(
        0.0,
        "share of pixels flipped on the encoder's input in training, 0 to 0.5; VAE and CVAE",
        0,
        0.5,
    )
    corruptions: int = setting(1, "spoilt copies an image and step; DAE", 1, 1000)  # L
    sparsity: float = setting(0.1, "nats a unit of code costs where its drawing has norm 1; sparse", 0, 1e6)
    threshold: float = setting(
        0.0, "share of its root mean square that a unit of code must exceed to be more than 0; sparse", 0, 10
    )
    adversary: float = setting(10.0, "how hard the encoder works against a reader of labels; scrubbed", 0, 1e6)
    contraction: float = setting(1.0, "nats a unit of the squared Jacobian costs; contractive", 0, 1e6)
    components: int = setting(50, "Gaussians in a learned prior; mixture", 1, 1000)  # K
    n_classes: int = setting(10, "labels a CVAE knows; its data set says how many", 1, 100, flag=False)

    def __post_init__(self) -> None:
        _check(self)
        for name in ("encoder", "decoder"):
            widths = getattr(self, name)
            if not isinstance(widths, list | tuple) or len(widths) > LAYERS:
                raise ConfigError(f"{name} is a list of at most {LAYERS} hidden widths; got {short(widths)}.")
            for width in widths:
                _whole(f"a hidden width of the {name}", width, 1, WIDTH)
            object.__setattr__(self, name, tuple(widths))  # JSON brings lists; equality needs tuples
        self._settle()
        if self.threshold and (self.kind != "sparse" or self.code != "relu"):
            raise ConfigError("A threshold is for the units of a sparse AE whose code ends in a ReLU: leave it out.")
        if self.encoder_noise and not self.probabilistic:
            raise ConfigError("An autoencoder with a noisy input is a denoising one: train kind 'dae' instead.")
        if self.numbers > NUMBERS:
            raise ConfigError(f"A network may have {NUMBERS:,} numbers at most; these widths make {self.numbers:,}.")

    def _settle(self) -> None:
        """What follows from other settings takes its value, so that a card says it."""
        kind = KINDS[self.kind]
        follows: dict[str, Any] = {}
        if kind.linear:  # whatever else was asked for: there is nothing to choose
            follows |= {"encoder": (), "decoder": (), "likelihood": "gaussian", "sigma": None, "seen": "binary"}
        if self.code == AUTO or kind.linear:
            follows["code"] = kind.code
        elif self.code != "linear" and kind.probabilistic:
            raise ConfigError(f"Only a point code goes through something; a {self.kind.upper()} has a Gaussian one.")
        elif self.code != "linear" and self.kind == "contractive":
            raise ConfigError(
                "The code of a contractive AE is normalised and goes through nothing else: leave out --code."
            )
        if self.seen == AUTO and "seen" not in follows:
            follows["seen"] = "binary" if self.likelihood == "bernoulli" else "grey"
        elif self.seen == "grey" and self.likelihood == "bernoulli":
            raise ConfigError("A Bernoulli pixel is black or white: grey pixels need --likelihood gaussian.")
        for name, value in follows.items():
            object.__setattr__(self, name, value)

    @property
    def probabilistic(self) -> bool:
        return KINDS[self.kind].probabilistic

    @property
    def conditional(self) -> bool:
        return KINDS[self.kind].conditional

    @property
    def prior(self) -> str:
        """What p(z) is, in words; empty where there is none."""
        if KINDS[self.kind].learned_prior:
            return f"its learned prior of {self.components} Gaussians" if self.components > 1 else "its learned prior"
        return "N(0, I)" if self.probabilistic else ""

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
        if self.likelihood == "gaussian":
            found["log_sigma"] = ()
        if self.threshold:
            found["threshold"] = (self.latent_dim,)
        if KINDS[self.kind].learned_prior:
            each = (self.components, self.latent_dim)
            found |= {"prior.logits": (self.components,), "prior.mean": each, "prior.log_sigma": each}
        return found

    @property
    def numbers(self) -> int:
        """How many weights and biases the network has."""
        return sum(math.prod(shape) for shape in self.shapes().values())


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are found."""

    dataset: str = setting("mnist", "what it learns from; digits is bundled")  # a key of data.DATASETS
    epochs: int = setting(40, "passes through the training images", 0, 100_000)
    batch_size: int = setting(128, "images a step", 1, 100_000)
    learning_rate: float = setting(1e-3, "Adam's, after the warm-up; it falls to 0 along half a cosine", 0, 1000)
    warmup_epochs: float = setting(1.0, "epochs in which the learning rate comes to its value", 0, 100_000)
    weight_average: float = setting(0.998, "decay of the average of the weights that is kept, a step; 0 for none", 0, 1)
    augmentation: float = setting(
        0.0, "strength of random affine maps; 1 is up to 15°, 10 % and a shear of 0.15", 0, 10
    )
    clean_epochs: int = setting(0, "last epochs without augmentation", 0, 100_000)
    # From 0, more dimensions find a use; from above 1, a CVAE learns to use its label before its code.
    kl_warmup_epochs: float = setting(
        0.0, "epochs in which the KL comes to its weight β, and a kind's own terms to theirs", 0, 100_000
    )
    kl_start: float = setting(0.0, "factor of β at their start", 0, 1000)
    precision: str = setting(
        "float32",
        "of matrix products; bfloat16 is faster where the processor has it",  # weights and sums stay in float32
        choices=PRECISIONS,
    )
    start: str = setting("", "a checkpoint with the same shapes, from whose weights it goes on instead of random ones")
    held_out: int = setting(
        0, "last training images kept back and scored in place of the test split; 0 for a final model", 0, 100_000_000
    )
    kept: int = setting(10_000, "first training images whose codes are kept, for the pages", 1, 100_000_000)
    seed: int = setting(0, "of the first weights, the order of the images and every draw", 0, 2**63 - 1)

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not re.fullmatch(r"[a-z0-9_]{1,40}", self.dataset):
            raise ConfigError(f"dataset must be a name such as mnist; got {short(self.dataset)}.")
        _check(self)
        if not isinstance(self.start, str) or not re.fullmatch(r"(?!\.)[A-Za-z0-9.-]{0,120}", self.start):
            raise ConfigError(f"start is the name of a checkpoint, such as mnist-cvae-20d; got {short(self.start)}.")
        if self.learning_rate == 0:
            raise ConfigError(f"learning_rate must be positive; got {self.learning_rate!r}.")
        if self.weight_average == 1:
            raise ConfigError(f"weight_average is a decay from 0 to below 1; got {self.weight_average!r}.")


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
        if self.model.likelihood == "gaussian" and not KINDS[self.model.kind].linear:
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
