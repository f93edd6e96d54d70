"""The whole family on one screen: one abstract autoencoder, and classes that state only their difference.

B images of 784 pixels in [0, 1], D latent dimensions, K labels. Losses are nats per image.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_core import losses
from vae_core.config import ModelConfig
from vae_core.corruption import corrupt_mixed, flip

PIXELS = 784
_ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}
_LOG_SIGMA_FLOOR = math.log(0.01)  # a smaller learned σ would buy likelihood with 8-bit rounding


class Code(NamedTuple):
    """What the encoder says of a batch; `logvar` is None where the code is a point."""

    mean: Tensor  # (B, D)
    logvar: Tensor | None  # (B, D), log σ²


class Terms(NamedTuple):
    """The objective's terms of each image, nats; `kl` is None where there is no posterior."""

    reconstruction: Tensor  # (B,)
    kl: Tensor | None  # (B,), before β


def mlp(n_in: int, hidden: tuple[int, ...], n_out: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(n_in, width), _ACTIVATIONS[activation]()]
        n_in = width
    return nn.Sequential(*layers, nn.Linear(n_in, n_out))


class Autoencoder(nn.Module, ABC):
    """Encoder, bottleneck, decoder. Subclasses are final and say what the encoder sees in training."""

    probabilistic = False  # the encoder gives a Gaussian rather than a point
    conditional = False  # the label stands beside x and beside z

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        k = config.n_classes if self.conditional else 0
        d = config.latent_dim
        self.encoder = mlp(PIXELS + k, config.encoder, 2 * d if self.probabilistic else d, config.activation)
        self.decoder = mlp(d + k, config.decoder, PIXELS, config.activation)
        if config.likelihood == "gaussian":
            start = torch.tensor(1.0 if config.sigma is None else config.sigma).log()
            self.log_sigma = nn.Parameter(start, requires_grad=config.sigma is None)

    @abstractmethod
    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """What the encoder is shown in training in place of x: (B, 784) → (B, 784)."""

    def encode(self, x: Tensor, y: Tensor | None = None) -> Code:
        """Never samples. x (B, 784) as `observe` gives it (a DAE takes spoilt pixels too), y (B,) int64."""
        h = self.encoder(self._with_label(x, y))  # (B, D) or (B, 2D)
        return Code(*h.chunk(2, dim=-1)) if self.probabilistic else Code(h, None)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, D) → (B, 784): logits of Bernoulli pixels, means of Gaussian ones."""
        return self.decoder(self._with_label(z, y))

    def pixels(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, D) → E[x | z] (B, 784) in [0, 1], what is shown to people."""
        out = self.decode(z, y)
        return torch.sigmoid(out) if self.config.likelihood == "bernoulli" else out.clamp(0, 1)

    def observe(self, x: Tensor) -> Tensor:
        """The data as the likelihood sees them: binarised at 0.5 for Bernoulli pixels, else unchanged."""
        return (x >= 0.5).to(x.dtype) if self.config.likelihood == "bernoulli" else x

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        """−log p(x | z), nats per image (B,), for observed x and what `decode` gave."""
        if self.config.likelihood == "bernoulli":
            return losses.bernoulli_nll(decoded, x)
        return losses.gaussian_nll(decoded, x, self.log_sigma.clamp(min=_LOG_SIGMA_FLOOR))

    def sample(self, code: Code, generator: torch.Generator) -> Tensor:
        """z = μ + σ ε (Kingma & Welling 2014, section 2.4); the code itself where it is a point."""
        if code.logvar is None:
            return code.mean
        eps = torch.randn(code.mean.shape, generator=generator, device=code.mean.device, dtype=code.mean.dtype)
        return code.mean + torch.exp(0.5 * code.logvar) * eps  # (B, D)

    def loss(self, x: Tensor, y: Tensor | None, generator: torch.Generator) -> Terms:
        """The objective's terms for images x (B, 784) in [0, 1], averaged over `corruptions` draws."""
        x = self.observe(x)
        reconstruction, kl = torch.zeros(len(x), device=x.device), None
        for _ in range(self.config.corruptions):
            code = self.encode(self.encoder_input(x, generator), y)
            # Under autocast the networks answer in bfloat16; sums of 784 terms need the images' own precision.
            code = Code(*(None if part is None else part.to(x.dtype) for part in code))
            decoded = self.decode(self.sample(code, generator), y).to(x.dtype)
            reconstruction = reconstruction + self.nll(x, decoded) / self.config.corruptions
            if code.logvar is not None:
                part = losses.gaussian_kl(*code).sum(-1) / self.config.corruptions
                kl = part if kl is None else kl + part
        return Terms(reconstruction, kl)

    def objective(self, terms: Terms, kl_weight: float = 1.0) -> Tensor:
        """The scalar that training minimises: mean reconstruction + kl_weight · β · mean KL."""
        mean = terms.reconstruction.mean()
        return mean if terms.kl is None else mean + kl_weight * self.config.beta * terms.kl.mean()

    def _with_label(self, a: Tensor, y: Tensor | None) -> Tensor:
        if not self.conditional:
            return a
        if y is None:
            raise ValueError(f"A {self.config.kind.upper()} needs a label y (B,) for every row; got none.")
        return torch.cat([a, F.one_hot(y, self.config.n_classes).to(a.dtype)], dim=-1)


@final
class AE(Autoencoder):
    """A point code and an unspoilt input (Rumelhart, Hinton & Williams 1986)."""

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x


@final
class DAE(Autoencoder):
    """The AE with a spoilt input, scored against the clean image (Vincent et al. 2008)."""

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return corrupt_mixed(x, generator)


@final
class VAE(Autoencoder):
    """A Gaussian code and the KL to N(0, I) (Kingma & Welling 2014)."""

    probabilistic = True

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return flip(x, self.config.encoder_noise, generator) if self.config.encoder_noise else x


@final
class CVAE(Autoencoder):
    """The VAE with the one-hot label beside x and beside z (Sohn, Lee & Yan 2015; here p(z | y) = p(z))."""

    probabilistic = True
    conditional = True

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return flip(x, self.config.encoder_noise, generator) if self.config.encoder_noise else x


KINDS: dict[str, type[Autoencoder]] = {"ae": AE, "dae": DAE, "vae": VAE, "cvae": CVAE}


def build(config: ModelConfig, seed: int = 0) -> Autoencoder:
    """A fresh network; the same seed gives the same initial weights and leaves torch's global stream alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[config.kind](config)
