"""Expectations by drawing: repeated estimates, three estimators of a gradient, corruptions and their losses.

Pure: a model, one image (784,) and a random stream in, tensors and arrays out. Nats throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_core import corruption, likelihood
from vae_core.models import Autoencoder, Code

PARAMETERS = ("μ₁", "μ₂", "log σ₁", "log σ₂")
ESTIMATORS = ("reparameterised", "score function", "score function with baseline")


class Slopes(NamedTuple):
    """The gradient of E_q log p(x | z) in PARAMETERS, from `draws` one-draw estimates of each of ESTIMATORS."""

    exact: np.ndarray  # (4,), Gauss–Hermite
    mean: np.ndarray  # (3, 4)
    variance: np.ndarray  # (3, 4), of one draw
    draws: int

    @property
    def error(self) -> np.ndarray:
        """Standard errors of the means (3, 4)."""
        return np.sqrt(self.variance / self.draws)

    @property
    def off(self) -> float:
        """How far the estimators' means are from the exact gradient at most, in their standard errors."""
        return float((np.abs(self.mean - self.exact) / np.maximum(self.error, 1e-9)).max())


def repeated(
    values: Tensor, lengths: Sequence[int], estimate: Callable[[Tensor], Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of an L-sample estimate over disjoint groups of L of the values (N,): two (len,).

    `estimate` turns (R, L) into (R,). Every L must leave two groups, or its spread is not known: ValueError.
    """
    if 2 * max(lengths) > len(values):
        raise ValueError(f"{len(values)} values do not make two groups of {max(lengths)}: draw more of them.")
    answers = [estimate(values[: len(values) // n * n].view(-1, n).double()) for n in lengths]
    return np.array([float(a.mean()) for a in answers]), np.array([float(a.std()) for a in answers])


def average(values: Tensor) -> Tensor:
    """The plain Monte Carlo estimate: (R, L) → (R,)."""
    return values.mean(-1)


def score_with_baseline(
    model: Autoencoder, x: Tensor, code: Code, n: int, generator: torch.Generator, y: int | None = None
) -> Tensor:
    """One-draw score-function gradients (n, 4) of E_q log p(x | z) with the mean of the other draws taken off.

    Since E ∇log q = 0, a number that does not depend on the draw may be taken off log p(x | z) (Williams 1992).
    """
    sigma = torch.exp(0.5 * code.logvar)
    eps = torch.randn(n, code.mean.shape[-1], generator=generator)
    value = log_likelihood(model, x, code.mean + sigma * eps, y)[:, None]
    value = value - (value.sum() - value) / (n - 1)
    return torch.cat([value * eps / sigma, value * (eps.square() - 1)], 1)


def exact_slopes(model: Autoencoder, x: Tensor, code: Code, y: int | None = None) -> Tensor:
    """The gradient (4,) that the estimators estimate: of the Gauss–Hermite ELBO with its KL put back."""
    mean, log_sigma = code.mean.clone().requires_grad_(), (0.5 * code.logvar).requires_grad_()
    free = Code(mean, 2 * log_sigma)
    with torch.enable_grad():
        bound = likelihood.elbo(model, x[None], free, None if y is None else torch.tensor([y]))
        slopes = torch.autograd.grad((bound + model.prior.kl(*free).sum(-1)).sum(), (mean, log_sigma))
    return torch.cat(slopes, 1)[0]


def slopes(model: Autoencoder, x: Tensor, code: Code, n: int, generator: torch.Generator, y: int | None) -> Slopes:
    """n draws of each estimator for one image (784,)."""
    drawn = (
        *likelihood.gradients(model, x, code, n, generator, y),
        score_with_baseline(model, x, code, n, generator, y),
    )
    mean, variance = (np.stack([f(g.double()).numpy() for g in drawn]) for f in (_mean, _variance))
    return Slopes(exact_slopes(model, x, code, y).numpy(), mean, variance, n)


@torch.inference_mode()
def log_likelihood(model: Autoencoder, x: Tensor, z: Tensor, y: int | None = None) -> Tensor:
    """log p(x | z) of one image (784,) at codes (n, 2): (n,)."""
    label = None if y is None else torch.full((len(z),), y)
    return -model.nll(model.observe(x).expand(len(z), -1), model.decode(z, label))


@torch.inference_mode()
def spoil_and_score(
    model: Autoencoder, x: Tensor, kind: str, amount: float, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """n corruptions of one image (784,): spoilt pixels (n, 784), what the model draws (n, 784), losses (n,).

    The loss is −log p(x | g(f(x̃))): against the image as it was, not as it was spoilt.
    """
    clean = model.observe(x).expand(n, -1)
    spoilt = corruption.corrupt(clean, kind, amount, generator)
    decoded = model.decode(model.encode(spoilt).mean)
    drawn = torch.sigmoid(decoded) if model.config.likelihood == "bernoulli" else decoded.clamp(0, 1)
    return spoilt, drawn, model.nll(clean, decoded)


def _mean(values: Tensor) -> Tensor:
    return values.mean(0)


def _variance(values: Tensor) -> Tensor:
    return values.var(0)
