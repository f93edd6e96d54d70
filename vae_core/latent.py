"""Questions asked of a trained model: where is it, what lies there, what lies between, who is near.

Codes z are (B, D) float32; images (B, 784) in [0, 1]; labels (B,) int64 where a model is conditional.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vae_core.models import Autoencoder, Code
from vae_core.prior import Learned, Mixture


class Gaussian(NamedTuple):
    """A distribution to draw codes from: N(mean, factor factorᵀ)."""

    mean: Tensor  # (D,)
    factor: Tensor  # (D, D), lower triangular

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, D)"""
        return self.mean + torch.randn(n, len(self.mean), generator=generator) @ self.factor.T


@torch.inference_mode()
def embed(model: Autoencoder, images: Tensor, labels: Tensor | None = None, batch: int = 2000) -> Code:
    """The code of every image (N, 784), grey or binarised: means are never sampled."""
    parts = [
        model.encode(model.observe(x), y)
        for x, y in zip(images.split(batch), _batches(labels, len(images), batch), strict=True)
    ]
    mean = torch.cat([p.mean for p in parts])
    return Code(mean, torch.cat([p.logvar for p in parts]) if model.probabilistic else None)


@torch.inference_mode()
def encode_as_is(model: Autoencoder, x: Tensor, y: Tensor | None = None) -> Code:
    """The code of spoilt images (B, 784): nothing is binarised, as in a DAE's training."""
    return model.encode(x, y)


@torch.inference_mode()
def decode(model: Autoencoder, z: Tensor, labels: Tensor | None = None, batch: int = 2000) -> Tensor:
    """E[x | z] of every code: (N, D) → (N, 784) in [0, 1]."""
    pairs = zip(z.split(batch), _batches(labels, len(z), batch), strict=True)
    return torch.cat([model.pixels(part, y) for part, y in pairs])


def grid(n: int, extent: float, centre: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Codes of an n×n picture of the plane, (n·n, 2): row by row from the top, z₁ right, z₂ up."""
    axis = torch.linspace(-extent, extent, n)
    up, right = torch.meshgrid(axis.flip(0) + centre[1], axis + centre[0], indexing="ij")
    return torch.stack([right, up], dim=-1).reshape(-1, 2)


def interpolate(a: Tensor, b: Tensor, t: Tensor, *, spherical: bool = False) -> Tensor:
    """Codes on the way from a to b (D,) at each t (T,) in [0, 1]: (T, D).

    Linear, or along the great arc about the origin with the length changing evenly (Shoemake 1985;
    White 2016, arXiv 1609.04468). Where the arc is not defined (a code at the origin, or the two
    in line with it) the straight way is taken.
    """
    t = t[:, None]
    straight = (1 - t) * a + t * b
    if not spherical:
        return straight
    length_a, length_b = a.norm(), b.norm()
    if min(length_a, length_b) < 1e-6:
        return straight
    cosine = torch.clamp(a @ b / (length_a * length_b), -1, 1)
    angle = torch.arccos(cosine)
    if torch.sin(angle) < 1e-4:
        return straight
    direction = (torch.sin((1 - t) * angle) * (a / length_a) + torch.sin(t * angle) * (b / length_b)) / torch.sin(angle)
    return direction * ((1 - t) * length_a + t * length_b)


def fit_gaussian(codes: Tensor) -> Gaussian:
    """The Gaussian of these codes (N, D): what a deterministic model's own codes look like, at its simplest."""
    codes = codes.double()
    centred = codes - codes.mean(0)
    covariance = centred.T @ centred / max(1, len(codes) - 1)
    jitter = 1e-9 * covariance.diagonal().mean().clamp(min=1e-12) * torch.eye(codes.shape[1])
    return Gaussian(codes.mean(0).float(), torch.linalg.cholesky(covariance + jitter).float())


def standard_normal(latent_dim: int) -> Gaussian:
    """The prior N(0, I)."""
    return Gaussian(torch.zeros(latent_dim), torch.eye(latent_dim))


def as_mixture(source: Gaussian) -> Mixture:
    """One Gaussian as a mixture of one."""
    return Mixture(torch.ones(1), source.mean[None], source.factor[None])


class Scale(NamedTuple):
    """Middle and σ of each dimension of a set of codes, which a few far ones do not move."""

    middle: Tensor  # (D,) median
    sigma: Tensor  # (D,) interquartile range / 1.349

    def distance(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        """How many σ lie between codes a and b (…, D), or a and the middle: (…,)."""
        return ((a - (self.middle if b is None else b)) / self.sigma).norm(dim=-1)


def robust_scale(codes: Tensor) -> Scale:
    """The robust scale of codes (N, D).

    1.349 is a Gaussian's interquartile range in its σ, so for one both are mean and standard deviation (Rousseeuw &
    Croux 1993, J. Am. Stat. Assoc. 88). A deterministic model's codes have heavy tails: they make the standard
    deviation five times as large as the σ of all but a few codes. A ReLU's unit that is exactly 0 for a quarter of the
    images or more has no such quartiles: there it is the standard deviation. static/maths/codes.mjs does the same.
    """
    low, middle, high = torch.quantile(codes, torch.tensor([0.25, 0.5, 0.75]), dim=0)
    asleep = (codes == 0).float().mean(0) >= 0.25
    sigma = torch.where(asleep, codes.std(0, correction=0), (high - low) / 1.349)
    return Scale(middle, sigma.clamp(min=1e-6))


def own_scale(train_mean: Tensor, *, prior: bool) -> Scale:
    """The scale of a model: 0 and 1 where its prior is N(0, I), else the robust one of its training codes."""
    d = train_mean.shape[1]
    return Scale(torch.zeros(d), torch.ones(d)) if prior else robust_scale(train_mean)


def own_source(model: Autoencoder, train_mean: Tensor) -> Gaussian | Mixture:
    """Where random codes come from: the prior where the model has one, else the Gaussian of its training codes."""
    if isinstance(model.prior, Learned):
        return model.prior.mixture()
    return standard_normal(train_mean.shape[1]) if model.probabilistic else fit_gaussian(train_mean)


def order_dimensions(mean: Tensor, logvar: Tensor | None) -> tuple[Tensor, Tensor]:
    """Dimensions from the busiest to the idlest, with their worth: (D,) indices, (D,) values in that order.

    Worth is the mean KL in nats where there is a posterior, else σ² of the codes (`robust_scale`).
    """
    if logvar is None:
        worth = robust_scale(mean).sigma.square()
    else:
        worth = (0.5 * (mean.square() + torch.expm1(logvar) - logvar)).mean(0)
    order = torch.argsort(worth, descending=True)
    return order, worth[order]


def neighbours(codes: Tensor, z: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of codes (N, D) to z (D,), nearest first: indices (k,), Euclidean distances (k,)."""
    distance, index = (codes - z).norm(dim=1).topk(min(k, len(codes)), largest=False)
    return index, distance


@torch.inference_mode()
def label_elbos(model: Autoencoder, x: Tensor, generator: torch.Generator, samples: int = 100) -> Tensor:
    """ELBO of one image x (784,) under each label, nats: (K,). For conditional models.

    The same ε serve all labels, so that their differences are less noisy than the terms. With equal p(y),
    softmax over the labels approximates p(y | x): it takes each ELBO for its log p(x | y).
    """
    k = model.config.n_classes
    y, x = torch.arange(k), model.observe(x).expand(k, -1)
    code = model.encode(x, y)
    eps = torch.randn(samples, 1, model.config.latent_dim, generator=generator)
    z = code.mean + torch.exp(0.5 * code.logvar) * eps  # (samples, K, D)
    nll = model.nll(x.repeat(samples, 1), model.decode(z.flatten(0, 1), y.repeat(samples)))
    return -nll.view(samples, k).mean(0) - model.prior.kl(*code).sum(-1)


@torch.inference_mode()
def decode_between_labels(model: Autoencoder, z: Tensor, a: int, b: int, t: Tensor) -> Tensor:
    """E[x | z, y] of z (T, D) with the label's one-hot vector blended from a to b at each t (T,): (T, 784).

    A blend of labels is an input that no training has shown to the decoder: only its ends mean anything.
    """
    one_hot = F.one_hot(torch.tensor([a, b]), model.config.n_classes).to(z.dtype)  # (2, K)
    out = model.decoder(torch.cat([z, torch.lerp(one_hot[:1], one_hot[1:], t[:, None])], dim=-1))
    return torch.sigmoid(out) if model.config.likelihood == "bernoulli" else out.clamp(0, 1)


def same_label_share(codes: Tensor, labels: Tensor) -> float:
    """Share of codes (N, D) whose nearest other code is of the same label: how far a map sorts by label."""
    distance = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    return float((labels[distance.argmin(1)] == labels).float().mean())


def alignment(moving: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """The turn or reflection R (2, 2) that brings codes (N, 2) closest to those of the same images in another map.

    Orthogonal Procrustes on centred codes (Schönemann 1966); codes @ R turns about the origin. No scale and no shift:
    N(0, I) looks the same after a turn, and only after a turn.
    """
    from scipy.linalg import orthogonal_procrustes

    return orthogonal_procrustes(moving - moving.mean(0), fixed - fixed.mean(0))[0]


def aligned(maps: Sequence[np.ndarray], anchor: int) -> list[np.ndarray]:
    """A rotation for every map (N, 2): the anchor stays, each other one is turned onto its neighbour nearer to it."""
    rotations = [np.eye(2) for _ in maps]
    outward = [*range(anchor - 1, -1, -1), *range(anchor + 1, len(maps))]
    for i in outward:
        neighbour = i + 1 if i < anchor else i - 1
        rotations[i] = alignment(maps[i], maps[neighbour] @ rotations[neighbour])
    return rotations


def _batches(labels: Tensor | None, n: int, batch: int) -> tuple[Tensor | None, ...]:
    return labels.split(batch) if labels is not None else (None,) * -(-n // batch)
