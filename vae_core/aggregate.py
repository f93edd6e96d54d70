"""The aggregated posterior q(z) = (1/N) Σ q(z | x_i) of N images in the plane, beside the prior.

For models with a posterior and two latent dimensions; nats throughout. In a cell of a lattice lies the product of two
differences of Φ of every q(z | x_i), so that all N of them on n × n cells are one product of matrices, Aᵀ B with A and
B (N, n), and none is missed, however narrow. Entropies are then those of q(z) averaged over a cell: too high, the less
so the smaller the step. The same numbers by Monte Carlo know no lattice.

The prior is handed in as a model has it, N(0, I) where none is; what of it is narrower than a cell is averaged over it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core import likelihood
from vae_core.models import Code
from vae_core.prior import Prior, Standard, log_normal

NORMAL = Standard(2)

REACH = 7.0  # the lattice covers ±REACH at least: N(0, I) leaves 1e-11 outside
TAILS = 5.0  # σ of every q(z | x_i), and of the prior's components, that it covers
NARROW = 0.01  # share of the σ that may be smaller than the step
OF_PRIOR = 0.5  # σ of the prior's narrowest component that a step may be: log p bends within a cell, 0.02 nats at that
OUTSIDE = 0.01  # share of the prior's mass that a lattice may lack
CELLS = 4096  # a side: a smaller step is not taken
FURTHER = 1.25  # times as many are computed at a given step, for images that lie further out: 300 MB
FEW = 0.1  # a hole is where q(z) is below this share of the prior, a leak where the prior is below it of q(z)
IMAGES = 4000  # in one product of matrices
DRAWS = 10_000  # of Monte Carlo
BATCH = 200  # of them against all N at once


class Account(NamedTuple):
    """What N posteriors cost, and how q(z) lies to the prior; kl = information + divergence."""

    kl: float  # mean of KL(q(z | x_i) ‖ p)
    information: float  # mutual information of code and image: at most log N
    divergence: float  # KL(q(z) ‖ p)
    holes: float  # share of the prior's mass where q(z) < FEW · p(z)
    leaks: float  # share of q(z)'s mass where p(z) < FEW · q(z)
    apart: float  # total variation ½ ∫ |q(z) − p(z)|


class Estimate(NamedTuple):
    """The same by Monte Carlo, each a mean and its standard error."""

    kl: tuple[float, float]
    information: tuple[float, float]
    divergence: tuple[float, float]


def step(code: Code, prior: Prior = NORMAL) -> float:
    """A lattice's step for posteriors (N, 2): not above σ, but for the narrowest NARROW of them, nor above OF_PRIOR σ
    of the prior. Raises `LikelihoodError` where so small a step would take more than CELLS cells a side."""
    sigma = torch.exp(0.5 * code.logvar).flatten().double()
    found = float(sigma.kthvalue(1 + int(NARROW * (len(sigma) - 1))).values)
    found = min(found, OF_PRIOR * prior.mixture().narrowest())
    _cells(reach(code, prior), found, CELLS)
    return min(found, 0.05)  # at which N(0, I) itself is far finer than it need be


def reach(code: Code, prior: Prior = NORMAL) -> float:
    """How far a lattice goes so that posteriors (N, 2) and the prior lie on it."""
    far = float((code.mean.abs() + TAILS * torch.exp(0.5 * code.logvar)).max())
    return max(REACH, far, prior.mixture().reach(TAILS))


def _cells(far: float, h: float, most: float) -> int:
    """Of side h over ±far. Raises `LikelihoodError` for more than `most`."""
    if 2 * far > most * h:
        raise likelihood.LikelihoodError(
            f"All but one in a hundred posteriors, and the prior, ask for cells of {h:.2g}: a lattice over "
            f"±{far:.1f} has more than {most:,.0f} of them a side."
        )
    return math.ceil(2 * far / h)


def masses(code: Code, edges: Tensor) -> Tensor:
    """q(z)'s mass on every cell between edges (n + 1,), the same on both axes: (n, n) float64, a row a z₁."""
    n = len(edges) - 1
    total = torch.zeros(n, n, dtype=torch.float64)
    for mean, logvar in zip(code.mean.split(IMAGES), code.logvar.split(IMAGES), strict=True):
        below = [
            torch.special.ndtr((edges - mean[:, d, None].double()) * torch.exp(-0.5 * logvar[:, d, None].double()))
            for d in (0, 1)
        ]
        across, up = (each.diff(dim=1).float() for each in below)  # (images, n)
        total += across.T @ up
    return total / len(code.mean)


def lattice(reach: float, cells: int) -> tuple[Tensor, Tensor]:
    """Edges (cells + 1,) and middles (cells,) of a lattice over ±reach, float64."""
    edges = torch.linspace(-reach, reach, cells + 1, dtype=torch.float64)
    return edges, 0.5 * (edges[1:] + edges[:-1])


@torch.inference_mode()
def account(code: Code, prior: Prior = NORMAL, h: float | None = None) -> Account:
    """Of posteriors (N, 2), by quadrature with cells of side h at most (`step` where none is named). Raises
    `LikelihoodError` for more than FURTHER · CELLS cells a side, and where the prior is not on them."""
    far = reach(code, prior)
    cells = _cells(far, h or step(code, prior), FURTHER * CELLS)
    edges, middles = lattice(far, cells)
    area = (2 * far / cells) ** 2
    q = masses(code, edges)
    entropy = cross = holes = leaks = apart = whole = 0.0
    for row, mass in zip(middles, q, strict=True):  # a row at a time: a mixture's density is of K numbers a cell
        log_p = prior.log_average(torch.stack([row.expand(cells), middles], -1), 2 * far / cells).double()
        p = log_p.exp() * area
        entropy -= float(torch.special.xlogy(mass, mass / area).sum())
        cross -= float((mass * log_p).sum())
        holes += float(p[mass < FEW * p].sum())
        leaks += float(mass[p < FEW * mass].sum())
        apart += float((mass - p).abs().sum()) / 2
        whole += float(p.sum())
    if abs(whole - 1) > OUTSIDE:
        raise likelihood.LikelihoodError(
            f"A lattice over ±{far:.1f} holds {whole:.1%} of the prior's mass, where {1 - OUTSIDE:.0%} was expected: "
            "the rest lies further out, in components of next to no weight."
        )
    each = (
        float((0.5 * code.logvar.double()).sum(-1).mean()) + 1 + math.log(2 * math.pi)
    )  # mean entropy of the q(z | x_i)
    return Account(cross - each, entropy - each, cross - entropy, holes, leaks, apart)


@torch.inference_mode()
def estimate(code: Code, prior: Prior = NORMAL, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Of posteriors (N, 2): a posterior at random, a code at random from it, and so on `draws` times."""
    generator = torch.Generator().manual_seed(seed)
    mean, logvar = code.mean.double(), code.logvar.double()
    which = torch.randint(len(mean), (draws,), generator=generator)
    eps = torch.randn(draws, 2, generator=generator).double()
    z = mean[which] + torch.exp(0.5 * logvar[which]) * eps
    own = log_normal(eps) - 0.5 * logvar[which].sum(-1)  # log q(z | x_i)
    # Σ_d (z_d − μ_d)² / σ_d² multiplied out is a product of matrices, and of doubles exact enough.
    narrow = torch.exp(-logvar)
    parts = torch.cat([-0.5 * narrow, narrow * mean], -1).T  # (4, N)
    rest = (-0.5 * narrow * mean.square() - 0.5 * logvar).sum(-1) - math.log(2 * math.pi) - math.log(len(mean))
    together = torch.cat(
        [(torch.cat([part.square(), part], -1) @ parts + rest).logsumexp(-1) for part in z.split(BATCH)]
    )  # log q(z)
    log_p = prior.log_prob(z).double()

    def told(values: Tensor) -> tuple[float, float]:
        return float(values.mean()), float(values.std() / math.sqrt(draws))

    return Estimate(told(own - log_p), told(own - together), told(together - log_p))
