"""Distributions of codes: what a code is drawn from, and what it costs to say where one lies.

Every one is a mixture of Gaussians, if only of one, so that whoever draws knows one thing only. Codes z are (…, D);
nats throughout.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vae_core import chance
from vae_core.losses import gaussian_kl

NODES = 12  # Gauss–Hermite nodes of `rule` in each of two dimensions
POINTS = 256  # of `rule` in more
CHUNK = 1 << 22  # numbers in a table of densities that is made at once
LIGHT = 1e-4  # weight below which nobody goes to see where a component lies, or how narrow it is


class Mixture(NamedTuple):
    """A distribution to draw codes from: Σ weight N(mean, factor factorᵀ)."""

    weights: Tensor  # (K,), they sum to 1
    means: Tensor  # (K, D)
    factors: Tensor  # (K, D, D), lower triangular

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, D)"""
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        eps = torch.randn(n, self.means.shape[1], generator=generator)
        z = self.means[which]
        for k in which.unique().tolist():  # a factor for each draw at once would be n · D² numbers
            mine = which == k
            z[mine] += torch.einsum("ij,nj->ni", self.factors[k], eps[mine])
        return z

    def place(self, share: float, eps: Tensor) -> Tensor:
        """A draw (D,) from given numbers: the component in which `share` of all weight ends, there the place of eps
        (D,) of N(0, I). static/engine/prior.mjs does the same."""
        k = min(int((self.weights.cumsum(0) <= share).sum()), len(self.weights) - 1)
        return self.means[k] + self.factors[k] @ eps

    def reach(self, sigmas: float) -> float:
        """How far out along any axis so many of its components' own σ go, but for LIGHT ones."""
        far = self.means.abs() + sigmas * self.factors.norm(dim=-1)
        return float(far[self._heavy()].max())

    def narrowest(self) -> float:
        """The smallest σ in any direction, but for LIGHT components."""
        return float(torch.linalg.svdvals(self.factors[self._heavy()]).min())

    def _heavy(self) -> Tensor:
        return self.weights >= min(LIGHT, float(self.weights.max()))


def gauss_hermite(nodes: int) -> tuple[Tensor, Tensor]:
    """ε (nodes², 2), weights (nodes²,) of an expectation over N(0, I) in the plane (Abramowitz & Stegun 25.4.46)."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    eps = np.stack(np.meshgrid(points, points, indexing="ij"), -1).reshape(-1, 2)
    return torch.tensor(eps, dtype=torch.float32), torch.tensor(np.outer(weights, weights).ravel(), dtype=torch.float32)


@lru_cache
@torch.inference_mode(False)  # what is kept may be differentiated through later, whoever asked for it first
def rule(latent_dim: int) -> tuple[Tensor, Tensor]:
    """ε (P, D), weights (P,) for an expectation over N(0, I), always the same: Gauss–Hermite in the plane, else POINTS
    draws in pairs ±. static/engine/prior.mjs has the same ones."""
    if latent_dim == 2:
        return gauss_hermite(NODES)
    half = torch.tensor(chance.normals(0, POINTS // 2 * latent_dim)).view(-1, latent_dim)
    return torch.cat([half, -half]), torch.full((POINTS,), 1 / POINTS)


class Standard(nn.Module):
    """N(0, I), which nobody has to learn."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): (…, D) → (…)."""
        return log_normal(z)

    def log_average(self, z: Tensor, step: float) -> Tensor:
        """log p(z): no cell of a lattice is as wide as its one component."""
        return self.log_prob(z)

    def narrower(self, step: float) -> bool:
        """Whether a component is narrower than a cell with sides `step`: never."""
        return False

    def kl(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """KL(q ‖ p) of q = N(mean, diag exp logvar), (B, D) each, in parts that add up to it: each dimension's."""
        return gaussian_kl(mean, logvar)

    def kl_at(self, mean: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """The same for training, which has a draw z (B, D) of q."""
        return self.kl(mean, logvar)

    def mixture(self) -> Mixture:
        """To draw from."""
        return Mixture(torch.ones(1), torch.zeros(1, self.latent_dim), torch.eye(self.latent_dim)[None])


class Learned(nn.Module):
    """Σ_k w_k N(m_k, diag s_k²), its numbers parameters like any other (Dilokthanakul et al. 2016, arXiv 1611.02648;
    Tomczak & Welling 2018, arXiv 1705.07120). Nothing makes a component a class."""

    def __init__(self, components: int, latent_dim: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))  # log w, up to a constant
        self.mean = nn.Parameter(torch.randn(components, latent_dim))
        self.log_sigma = nn.Parameter(torch.zeros(components, latent_dim))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): (…, D) → (…)."""
        flat = z.reshape(-1, z.shape[-1])
        parts = [self._joint(part).logsumexp(-1) for part in flat.split(max(1, CHUNK // len(self.logits)))]
        return torch.cat(parts).view(z.shape[:-1]).to(z.dtype)

    def log_average(self, z: Tensor, step: float) -> Tensor:
        """log p on cells with sides `step` around z, (…, D) → (…): components that are narrower than a cell, which its
        middle may miss, averaged over it, all others at z."""
        if not self.narrower(step):
            return self.log_prob(z)
        narrow = (self.log_sigma.amin(1) < math.log(step)).nonzero()[:, 0]
        flat, parts = z.reshape(-1, z.shape[-1]), []
        for part in flat.split(max(1, CHUNK // self.mean.numel())):
            joint = self._joint(part)
            mean, sigma = (each[narrow].to(joint) for each in (self.mean, self.log_sigma.exp()))
            away, half = (part.to(joint)[:, None] - mean).abs(), 0.5 * step
            # log of Φ − Φ that no distance turns into −∞
            near, past = (torch.special.log_ndtr((side - away) / sigma) for side in (half, -half))
            weight = self.logits.log_softmax(0)[narrow].to(joint)
            joint[:, narrow] = weight + (near + torch.log(-torch.expm1(past - near)) - math.log(step)).sum(-1)
            parts.append(joint.logsumexp(-1))
        return torch.cat(parts).view(z.shape[:-1]).to(z.dtype)

    def narrower(self, step: float) -> bool:
        """Whether a component is narrower than a cell with sides `step`."""
        return bool(self.log_sigma.min() < math.log(step))

    def kl(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """KL(q ‖ p) of q = N(mean, diag exp logvar), (B, D) each, as its one part (B, 1): a mixture does not fall apart
        into dimensions.

        log p(z) = log w_k N(z; m_k, s_k²) − log r_k(z), k the component that suits q best and r_k its share of p(z).
        The first has its expectation in closed form; the second, close to 0 where q lies in one component, is summed by
        `rule`, which in the plane is exact to 0.001 nats for a q as wide as the components, and for one 2, 3 and 5
        times as wide off by up to 0.01, 0.15 and 0.5 nats.
        """
        (k, d), nodes = self.mean.shape, len(rule(mean.shape[-1])[0])
        size = max(1, CHUNK // max(k * d, k * nodes, nodes * d))  # the largest table of a code
        expected = [self._expected(*part) for part in zip(mean.split(size), logvar.split(size), strict=True)]
        return (-_entropy(logvar) - torch.cat(expected))[:, None]

    def kl_at(self, mean: Tensor, logvar: Tensor, z: Tensor) -> Tensor:
        """An unbiased estimate from one draw z (B, D) of q: (B, 1)."""
        return (-_entropy(logvar) - self.log_prob(z))[:, None]

    def component(self, z: Tensor) -> Tensor:
        """The number of the component that codes z (N, D) come from likeliest: (N,) int64."""
        parts = [self._joint(part).argmax(-1) for part in z.split(max(1, CHUNK // len(self.logits)))]
        return torch.cat(parts)

    def mixture(self) -> Mixture:
        """To draw from."""
        with torch.no_grad():
            return Mixture(self.logits.softmax(0), self.mean.clone(), torch.diag_embed(torch.exp(self.log_sigma)))

    def _expected(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """E_q log p(z): (B, D), (B, D) → (B,)."""
        eps, weight = (part.to(mean) for part in rule(mean.shape[-1]))
        spread = ((mean[:, None] - self.mean).square() + logvar.exp()[:, None]) * torch.exp(-2 * self.log_sigma)
        best, k = (self._constants() - 0.5 * spread.sum(-1)).max(-1)  # of (B, K)
        joint = self._joint(mean[:, None] + torch.exp(0.5 * logvar)[:, None] * eps)  # (B, P, K)
        own = joint.gather(-1, k[:, None, None].expand(-1, len(eps), 1))[..., 0]
        return best + ((joint.logsumexp(-1) - own) @ weight.to(joint)).to(mean.dtype)

    def _constants(self) -> Tensor:
        return self.logits.log_softmax(0) - self.log_sigma.sum(-1) - 0.5 * self.mean.shape[1] * math.log(2 * math.pi)

    def _joint(self, z: Tensor) -> Tensor:
        """log w_k N(z; m_k, s_k²): (…, D) → (…, K), by products of matrices: in double precision where the device has
        it, since squares of nearly equal length are subtracted where a component is narrow."""
        wide = torch.float32 if z.device.type == "mps" else torch.float64
        z, mean, precision = z.to(wide), self.mean.to(wide), torch.exp(-2 * self.log_sigma.to(wide))
        squares = z.square() @ precision.T - 2 * z @ (mean * precision).T + (mean.square() * precision).sum(-1)
        return self._constants() - 0.5 * squares


Prior = Standard | Learned


def log_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I): (…, D) → (…)."""
    return -0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


def _entropy(logvar: Tensor) -> Any:
    """Of N(·, diag exp logvar): (B, D) → (B,)."""
    return 0.5 * (logvar + 1 + math.log(2 * math.pi)).sum(-1)
