"""The integral that makes variational autoencoders necessary, done: exact log p(x) and p(z | x) in two dimensions.

For models with a posterior and two latent dimensions. Nats throughout; p(z) is the model's own prior. With
a CVAE every p is given the label y too, so log p(x) stands for log p(x | y). Images x are (N, 784) or one of (784,) in
[0, 1], grey or observed; codes z (P, 2).

Quadrature is the midpoint rule on squares of one size for each image. A coarse lattice over ±7 finds where the mass
can lie; what can matter is decoded at half the step again and again, until the step is at most the posterior's own
local standard deviation σ. There log p(x, z) is far smoother than p(z | x): a polynomial through the cells of a tile
gives it on cells half as wide, at most ½ σ, and these are summed. Where that sum and the decoded cells' own do not
agree, the step is halved on. Components of a learned prior that are narrower than a cell are averaged over it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vae_core.models import Autoencoder, Code
from vae_core.prior import Learned, gauss_hermite, log_normal
from vae_core.training import augment

REACH = 7.0  # the coarse lattice covers ±REACH; beyond it p(z) alone is below e^−24 of its top
COARSE = 0.25  # its step
SIDE = 8  # cells along a tile: the unit that is decoded, kept or given up
TILES = round(2 * REACH / (COARSE * SIDE))  # tiles along the coarse lattice
AT_ONCE = 256  # images that the coarse lattice is laid under at once
BULK = 3.0  # σ of every Gaussian of a learned prior that it covers too: 1 % of one lies beyond
FAR = 40  # tiles that the lattice may grow by on each side before an image is given up
DROP = 20.0  # nats below the best cell at which a place is given up: all of them together are below 1e-6 of the mass
FINER = 2  # cells of the sum along a decoded cell
CORE = 4.0  # nats below the best cell down to which the step must resolve the posterior
AGREE = 0.002  # nats that the sum of the decoded cells and that of the finer ones may part by
ROUGH = 0.01  # share of the mass that may lie on tiles whose step is still too wide
PEAK = 10.0  # nats below the best cell beyond which a local maximum is no mode
MOST = 256  # tiles of one image: a posterior as wide as that has a kink somewhere, but no peak to miss
FINEST = 12  # halvings; a step of 0.00006
PROMINENCE = 0.1  # nats that a mode must stand above the saddle to a higher one: less is a ripple of a ridge
MODE_SHARE = 0.01  # of the mass that a mode must hold
DECODED = 4096  # codes decoded at a time
NODES = 12  # Gauss–Hermite nodes in each dimension
MOST_NODES = 48  # for a q so wide that the decoder bends within it
SETTLED = 0.01  # nats that twice the nodes may still move an expectation
WAY_NODES = 6  # of a climb on its way; where it ends is measured with NODES
MOVED = 0.6  # strength of the small maps (`training.augment`) under which an image is encoded again
TOGETHER = 100  # images that climb at once


class Way(NamedTuple):
    """How a rung of the ladder finds its q: the best of so many encodings, and so many steps of the climb from it."""

    encodings: int  # of the image itself, and of it moved a little
    steps: int

    @property
    def drawings(self) -> int:
        """How many codes are decoded to find it: each encoding's mean, WAY_NODES² for each gradient."""
        chosen = self.encodings if self.encodings > 1 else 0
        return chosen + (self.steps + 1) * WAY_NODES**2 if self.steps else chosen


# The ladder of inference, from the encoder's one pass upwards; its names stand on cards and in tables.
LADDER = {
    "the encoder": Way(1, 0),
    "best of 5 encodings": Way(5, 0),
    "best of 5, 1 step": Way(5, 1),
    "best of 5, 2 steps": Way(5, 2),
    "best of 33, 2 steps": Way(33, 2),
}

_coarse: WeakKeyDictionary[Autoencoder, dict[tuple, Tensor]] = WeakKeyDictionary()


class LikelihoodError(ValueError):
    """A question that cannot be answered exactly; the message says what was expected."""


class Evidence(NamedTuple):
    """What the quadrature says of a batch of images, one value each (N,)."""

    log_p: Tensor  # log p(x), float64
    step: Tensor  # side of a cell at the end
    lost: Tensor  # estimated share of the mass that was given up on the way
    modes: Tensor  # how many modes hold at least MODE_SHARE of the mass
    mode: Tensor  # (N, 2) the heaviest one


class Posterior(NamedTuple):
    """p(z | x) of one image on equal square cells; what is not listed holds next to nothing."""

    log_p: float  # log p(x)
    step: float  # side of a cell
    z: Tensor  # (P, 2) centres of the cells, float64
    log_density: Tensor  # (P,) log p(z | x), float64
    modes: Tensor  # (M, 2), the heaviest first
    mass: Tensor  # (M,) share of the mass that climbs to each

    @property
    def cell(self) -> float:
        """Area of a cell, in units of z."""
        return self.step**2


class Ledger(NamedTuple):
    """The account of one image, nats; log p(x) = elbo + posterior_kl, each side computed on its own."""

    reconstruction_at_mean: float  # −log p(x | z = μ)
    reconstruction: float  # −E_q log p(x | z), Gauss–Hermite
    kl: tuple[float, ...]  # KL(q ‖ p(z)): of each dimension under N(0, I), whole under a learned prior
    elbo: float  # −reconstruction − Σ kl
    log_p: float  # quadrature over the whole plane
    posterior_kl: float  # KL(q ‖ p(z | x)), quadrature over q's own place


class Climb(NamedTuple):
    """An E-step: q as it climbs the ELBO, S steps from B starts."""

    mean: Tensor  # (S + 1, B, 2)
    logvar: Tensor  # (S + 1, B, 2)
    elbo: Tensor  # (S + 1, B), never falling

    @property
    def end(self) -> Code:
        return Code(self.mean[-1], self.logvar[-1])


class Ladder(NamedTuple):
    """q on every rung of LADDER, of N images."""

    mean: Tensor  # (R, N, 2)
    logvar: Tensor  # (R, N, 2)
    elbo: Tensor  # (R, N), never falling


# The exact posterior --------------------------------------------------------------------------------------------------


@torch.inference_mode()
def log_joint(model: Autoencoder, x: Tensor, z: Tensor, y: int | None = None) -> Tensor:
    """log p(x | z) + log p(z) of every image at every code: (N, 784), (P, 2) → (N, P). One label y for all."""
    _check(model, y)
    return _log_likelihood(model, model.observe(x), _decode(model, z, y)) + model.prior.log_prob(z)


@torch.inference_mode()
def evidence(
    model: Autoencoder,
    x: Tensor,
    y: Tensor | None = None,
    *,
    halvings: int = 0,
    modes: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """log p(x), for a CVAE log p(x | y), of images (N, 784) with labels (N,).

    `halvings` halves the step that many times more than the rule asks for. Without `modes` (which take about as long)
    there are none, and `mode` is NaN. `progress` is told images done and N.
    """
    _check(model, y)
    n = len(x)
    out = Evidence(
        torch.empty(n, dtype=torch.float64),
        torch.empty(n),
        torch.empty(n),
        torch.zeros(n, dtype=torch.int64),
        torch.full((n, 2), torch.nan),
    )
    done = 0
    for rows, label in _by_label(y, n):
        for leaf in _quadrature(model, model.observe(x[rows]), label, halvings):
            index = rows[leaf.image]
            out.log_p[index], out.step[index], out.lost[index] = leaf.log_p, leaf.step, leaf.lost
            if modes:
                for i, row in enumerate(index):
                    places, mass = _modes(*leaf.cells(i), leaf.step)
                    out.modes[row], out.mode[row] = len(mass), places[0]
            done += len(index)
            if progress is not None:
                progress(done, n)
    return out


@torch.inference_mode()
def posterior(model: Autoencoder, x: Tensor, y: int | None = None, *, halvings: int = 0) -> Posterior:
    """p(z | x) of one image (784,), for a CVAE p(z | x, y)."""
    _check(model, y)
    leaf = next(iter(_quadrature(model, model.observe(x)[None], y, halvings)), None)
    if leaf is None:
        raise LikelihoodError("Expected a finite likelihood somewhere, found none: the model's weights are of no use.")
    z, log_density = leaf.cells(0)
    modes, mass = _modes(z, log_density, leaf.step)
    return Posterior(float(leaf.log_p[0]), leaf.step, z, log_density, modes, mass)


def label_evidence(
    model: Autoencoder, x: Tensor, turn: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> Tensor:
    """log p(x | y) of one image (784,) under every label of a conditional model: (K,) float64.

    With equal p(y), log p(x) is their log-sum-exp minus log K, and their softmax is p(y | x), exactly. Each label is
    integrated within a `turn` of its own, for whoever must not keep the processor for all of them.
    """
    given = []
    for y in range(model.config.n_classes):
        with turn():
            given.append(evidence(model, x[None], torch.tensor([y]), modes=False).log_p)
    return torch.cat(given)


@torch.inference_mode()
def raster(
    model: Autoencoder, x: Tensor, bounds: tuple[float, float, float, float], n: int, y: int | None = None
) -> Tensor:
    """log p(x, z) on a picture of the plane (left, bottom, right, top): (n, n) at pixels' middles, row 0 on top."""
    left, bottom, right, top = bounds
    middle = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    up, across = torch.meshgrid(top - middle * (top - bottom), left + middle * (right - left), indexing="ij")
    return log_joint(model, x[None], torch.stack([across, up], -1).reshape(-1, 2).float(), y).view(n, n)


# The bound ------------------------------------------------------------------------------------------------------------


def elbo(
    model: Autoencoder, x: Tensor, code: Code, y: Tensor | None = None, nodes: int = NODES, batch: int = 4096
) -> Tensor:
    """ELBO of images (N, 784) under q = N(mean, diag exp logvar) (N, 2) each: (N,), without noise.

    −E_q[−log p(x | z)] by Gauss–Hermite, the KL from the prior. Differentiable in the code.
    """
    _check(model, y)
    eps, weight = gauss_hermite(nodes)
    x, parts = model.observe(x), []
    for rows in torch.arange(len(x)).split(max(1, batch // len(eps))):
        mean, logvar = code.mean[rows], code.logvar[rows]
        z = mean[:, None] + torch.exp(0.5 * logvar)[:, None] * eps  # (n, nodes², 2)
        label = None if y is None else y[rows].repeat_interleave(len(eps))
        seen = x[rows].repeat_interleave(len(eps), 0)
        nll = model.nll(seen, model.decode(z.flatten(0, 1), label)).view(len(rows), -1)
        parts.append(-(nll @ weight) - model.prior.kl(mean, logvar).sum(-1))
    return torch.cat(parts)


@torch.inference_mode()
def settled_elbo(model: Autoencoder, x: Tensor, code: Code, y: int | None = None) -> float:
    """`elbo` of one image (784,) under q (1, 2), with twice the nodes until that moves it by less than SETTLED.

    A narrow q is settled at once. In one as wide as the prior the likelihood has cliffs, and MOST_NODES may leave nats.
    """
    label, nodes = None if y is None else torch.tensor([y]), NODES
    value = float(elbo(model, x[None], code, label, nodes))
    while nodes < MOST_NODES:
        nodes *= 2
        before, value = value, float(elbo(model, x[None], code, label, nodes))
        if abs(value - before) < SETTLED:
            break
    return value


@torch.inference_mode()
def ledger(
    model: Autoencoder, x: Tensor, y: int | None = None, code: Code | None = None, exact: Posterior | None = None
) -> Ledger:
    """The account of one image (784,) under the encoder's q, or under another `code` ((1, 2) each).

    `exact` is its `posterior`, where that is known already. The posterior's KL is ∫ q (log q − log p(z | x)) by the
    midpoint rule on a lattice of q's own, ±7 σ in steps of σ/4, halved until that moves it by less than SETTLED.
    """
    x, label = model.observe(x)[None], None if y is None else torch.tensor([y])
    code = code or model.encode(x, label)
    kl = model.prior.kl(*code)[0].double()
    bound = settled_elbo(model, x[0], code, y)
    exact = exact or posterior(model, x[0], y)
    divergence = math.inf
    for cells in (28, 56, 112):  # σ/2 first
        offsets = ((torch.arange(cells) + 0.5) / cells - 0.5) * 14  # σ
        eps = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), -1).reshape(-1, 2)
        z = code.mean + torch.exp(0.5 * code.logvar) * eps
        log_eps = log_normal(eps).double()
        log_q = log_eps - 0.5 * float(code.logvar.sum())
        mass = log_eps.softmax(0)  # q of each cell
        before, divergence = divergence, float((mass * (log_q - log_joint(model, x, z, y)[0] + exact.log_p)).sum())
        if abs(divergence - before) < SETTLED:
            break
    return Ledger(
        reconstruction_at_mean=float(model.nll(x, model.decode(code.mean, label))),
        reconstruction=-bound - float(kl.sum()),
        kl=tuple(kl.tolist()),
        elbo=bound,
        log_p=exact.log_p,
        posterior_kl=divergence,
    )


def climb(
    model: Autoencoder, x: Tensor, start: Code, y: Tensor | int | None = None, steps: int = 60, nodes: int = 8
) -> Climb:
    """The E-step: climb the ELBO of x ((784,) or (B, 784)) in (μ, log σ) from B starts (B, 2).

    Natural-gradient ascent: the step in μ is σ² ∇μ, in log σ it is ½ ∇log σ (the inverse Fisher information of a
    Gaussian; Amari 1998). A step that would lose is not taken and the next one is half as long, so no climb falls.
    """
    x = model.observe(x)
    x = x.expand(len(start.mean), -1)
    label = torch.full((len(x),), y) if isinstance(y, int) else y
    mean, log_sigma = start.mean.detach().clone(), 0.5 * start.logvar.detach()
    length = torch.full((len(x), 1), 0.5)

    def value_and_slope(mean: Tensor, log_sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            mean, log_sigma = mean.requires_grad_(), log_sigma.requires_grad_()
            value = elbo(model, x, Code(mean, 2 * log_sigma), label, nodes)
            slopes = torch.autograd.grad(value.sum(), (mean, log_sigma))
        return value.detach(), slopes[0], slopes[1]

    best, slope_mean, slope_sigma = value_and_slope(mean, log_sigma)
    path = [(mean.detach(), log_sigma.detach(), best)]
    for _ in range(steps):
        mean, log_sigma = (part.detach() for part in (mean, log_sigma))
        # No step leaves q's own surroundings or changes σ by more than a factor e: far away the slope says nothing.
        move = (length * slope_mean * torch.exp(2 * log_sigma)).clamp(-2, 2)
        sigma = torch.exp(log_sigma)
        tried_mean = mean + torch.minimum(torch.maximum(move, -3 * sigma), 3 * sigma)
        tried_sigma = (log_sigma + (length * 0.5 * slope_sigma).clamp(-1, 1)).clamp(-12, 3)
        value, slope_m, slope_s = value_and_slope(tried_mean, tried_sigma)
        better = (value > best)[:, None]
        mean, log_sigma = torch.where(better, tried_mean, mean), torch.where(better, tried_sigma, log_sigma)
        slope_mean, slope_sigma = torch.where(better, slope_m, slope_mean), torch.where(better, slope_s, slope_sigma)
        best = torch.where(better[:, 0], value, best)
        length = torch.where(better, (1.5 * length).clamp(max=1.0), 0.5 * length)
        path.append((mean.detach(), log_sigma.detach(), best))
    means, sigmas, values = (torch.stack(part) for part in zip(*path, strict=True))
    return Climb(means, 2 * sigmas, values)


def ladder(model: Autoencoder, x: Tensor, y: Tensor | None = None, nodes: int = NODES) -> Ladder:
    """Better and better q for images (N, 784) with labels (N,): the rungs of LADDER.

    An image is encoded as it is and moved a little (every image under the same small maps), and the encoding whose mean
    has the highest log p(x, z) of the *unmoved* image is where the climb starts. A rung that is no better than the one
    below it, by the ELBO of the unmoved image with so many nodes, keeps the q of that one.
    """
    _check(model, y)
    rows = torch.arange(len(x)).split(TOGETHER)
    parts = [_rungs(model, x[some], None if y is None else y[some], nodes) for some in rows]
    return Ladder(*(torch.cat(part, 1) for part in zip(*parts, strict=True)))


@torch.no_grad()
def _rungs(model: Autoencoder, x: Tensor, y: Tensor | None, nodes: int) -> Ladder:
    tried, fit = _encodings(model, x, y, max(way.encodings for way in LADDER.values()))
    image, climbs = torch.arange(len(x)), {}
    rungs: list[Ladder] = []
    for way in LADDER.values():
        if way.encodings not in climbs:
            k = fit[:, : way.encodings].argmax(1)
            start = Code(tried.mean[image, k], tried.logvar[image, k])
            steps = max(other.steps for other in LADDER.values() if other.encodings == way.encodings)
            climbs[way.encodings] = climb(model, x, start, y, steps, WAY_NODES)
        found: Climb = climbs[way.encodings]
        code = Code(found.mean[way.steps], found.logvar[way.steps])
        rung = Ladder(*code, elbo(model, x, code, y, nodes))
        if rungs:
            better = rung.elbo > rungs[-1].elbo
            kept = zip(rung, rungs[-1], strict=True)
            rung = Ladder(*(torch.where(better if new.dim() == 1 else better[:, None], new, old) for new, old in kept))
        rungs.append(rung)
    return Ladder(*(torch.stack(part) for part in zip(*rungs, strict=True)))


def _encodings(model: Autoencoder, x: Tensor, y: Tensor | None, n: int) -> tuple[Code, Tensor]:
    """q of each image as it is and under n − 1 small maps, (N, n, 2) each; log p(x, μ) of the image as it is (N, n)."""
    moved = [augment(one.expand(n - 1, -1), MOVED, torch.Generator().manual_seed(0)) for one in x]
    seen = torch.cat([x[:, None], torch.stack(moved)], 1).flatten(0, 1)
    label = None if y is None else y.repeat_interleave(n)
    code = model.encode(model.observe(seen), label)
    nll = model.nll(model.observe(x).repeat_interleave(n, 0), model.decode(code.mean, label))
    fit = (model.prior.log_prob(code.mean) - nll).view(-1, n)
    return Code(code.mean.view(-1, n, 2), code.logvar.view(-1, n, 2)), fit


# Estimates ------------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def terms(
    model: Autoencoder, x: Tensor, code: Code, n: int, generator: torch.Generator, y: int | None = None
) -> Tensor:
    """log p(x | z) of one image (784,) at n draws z ~ q (code (1, 2)): (n,), nats."""
    z = _draws(code, n, generator)
    return _log_likelihood(model, model.observe(x)[None], _decode(model, z, y))[0]


@torch.inference_mode()
def draws(
    model: Autoencoder, x: Tensor, code: Code, n: int, generator: torch.Generator, y: int | None = None
) -> Tensor:
    """log w = log p(x, z) − log q(z) of one image (784,) at n draws z ~ q: (n,). Their mean estimates the ELBO."""
    z = _draws(code, n, generator)
    eps = (z - code.mean) * torch.exp(-0.5 * code.logvar)
    return log_joint(model, x[None], z, y)[0] - (log_normal(eps) - 0.5 * code.logvar.sum())


def importance_bound(log_w: Tensor) -> Tensor:
    """log of the mean weight over the last dimension: (R, L) → (R,).

    In expectation a lower bound of log p(x) that rises with L (Burda et al. 2016, arXiv 1509.00519, theorem 1).
    """
    return torch.logsumexp(log_w.double(), -1) - math.log(log_w.shape[-1])


def gradients(
    model: Autoencoder, x: Tensor, code: Code, n: int, generator: torch.Generator, y: int | None = None
) -> tuple[Tensor, Tensor]:
    """One-draw estimates of the gradient of E_q log p(x | z) in (μ₁, μ₂, log σ₁, log σ₂): (n, 4) each, the same draws.

    Reparameterised: ∇z log p(x | z) and ε σ ∇z log p(x | z) (Kingma & Welling 2014, section 2.4). Score function:
    log p(x | z) ∇ log q(z), here ε/σ and ε² − 1 (Williams 1992).
    """
    label = None if y is None else torch.full((n,), y)
    z = _draws(code, n, generator)
    sigma = torch.exp(0.5 * code.logvar)
    eps = (z - code.mean) / sigma
    with torch.enable_grad():
        z = z.clone().requires_grad_()
        value = -model.nll(model.observe(x).expand(n, -1), model.decode(z, label))
        (slope,) = torch.autograd.grad(value.sum(), z)
    value = value.detach()[:, None]
    return torch.cat([slope, eps * sigma * slope], 1), torch.cat([value * eps / sigma, value * (eps.square() - 1)], 1)


# Machinery ------------------------------------------------------------------------------------------------------------


class _Leaf(NamedTuple):
    """Images that are done at one step, with their cells."""

    image: Tensor  # (n,) which rows of x
    log_p: Tensor  # (n,)
    step: float
    lost: Tensor  # (n,)
    owner: Tensor  # (B,) place in `image` of each block
    corner: Tensor  # (B, 2) indices of each block's tile
    values: Tensor  # (B, S, S) log joint with S = FINER · SIDE, [j, i]: row z₂ upwards, column z₁ to the right

    def cells(self, i: int) -> tuple[Tensor, Tensor]:
        """Centres (P, 2) and log p(z | x) (P,) of the i-th image."""
        mine = self.owner == i
        z = _centres(self.corner[mine], self.step, FINER * SIDE).reshape(-1, 2)
        return z, (self.values[mine].double() - self.log_p[i]).reshape(-1)


def _quadrature(model: Autoencoder, x: Tensor, y: int | None, halvings: int) -> Iterator[_Leaf]:
    """Integrate observed images (N, 784) of one label; they come out as soon as their step is fine enough."""
    n = len(x)
    image, corner, values = _coarse_blocks(model, x, y)
    lost = torch.full((n,), -torch.inf, dtype=torch.float64)
    extra = torch.full((n,), -1)  # halvings still to make once an image is resolved
    for level in range(FINEST + 1):
        step = COARSE / 2**level
        top = _reduce(values.amax((1, 2)), image, n, "amax")
        near = values - top[image, None, None]  # nats, ≤ 0
        bend = _bend(values)  # (B, SIDE − 2, SIDE − 2)
        rough = _rough(near, bend)
        mass = _logsumexp(values, image, n)
        coarse = _logsumexp(values[rough], image[rough], n) > mass + math.log(ROUGH)
        # Two sums of one posterior: they part where the cells cannot carry the polynomial, as at a cliff.
        tried = ~coarse[image]
        fine = _finer(near[tried]) + top[image[tried], None, None]
        coarse |= (_logsumexp(fine, image[tried], n) - 2 * math.log(FINER) - mass).abs() > AGREE
        fresh = ~coarse & (extra < 0)
        extra[fresh] = halvings + 1
        extra[extra > 0] -= 1
        alive = torch.zeros(n, dtype=torch.bool)
        alive[image] = True
        crowded = torch.bincount(image, minlength=n) > MOST
        extra[alive & crowded & (extra < 0)] = halvings
        done = alive & ((extra == 0) | torch.tensor(level == FINEST))
        if done.any():
            mine = done[image]
            index = done.nonzero()[:, 0]
            place = torch.full((n,), -1)
            place[index] = torch.arange(len(index))
            owner = place[image[mine]]
            cells = values[mine].repeat_interleave(FINER, 1).repeat_interleave(FINER, 2).double()
            trusted = mine & ~coarse[image]
            cells[trusted[mine]] = fine[trusted[tried]]
            log_p = _logsumexp(cells, owner, len(index)) + 2 * math.log(step / FINER)
            share = torch.exp(lost[index] - log_p).float()
            yield _Leaf(index, log_p, step / FINER, share, owner, corner[mine], cells)
        going = ~done[image]
        if not going.any():
            return
        image, corner, values, near, bend = (part[going] for part in (image, corner, values, near, bend))
        # Between the cells the posterior can be higher than on them: by about ⅛ of the second difference in each
        # direction where it is smooth; four times as much is allowed for. What is averaged over its cells is not.
        if model.prior.narrower(step):
            bend = _bend(values - _averaged(model, corner, step))
        slack = bend.clamp(min=0).amax((1, 2))
        half = SIDE // 2
        quarters = near.view(-1, 2, half, 2, half).amax((2, 4))  # (B, 2, 2): [upper, right]
        keep = quarters > -DROP - slack[:, None, None]
        gone = ~keep[:, :, None, :, None].expand(-1, -1, half, -1, half).reshape(values.shape)
        given_up = torch.where(gone, values, -torch.inf)
        lost = torch.logaddexp(lost, _logsumexp(given_up, image, n) + 2 * math.log(step))
        block, upper, right = keep.nonzero(as_tuple=True)
        image = image[block]
        corner = 2 * corner[block] + torch.stack([right, upper], 1)
        image, corner, values = _evaluate(model, x, y, image, corner, step / 2)


def _coarse_blocks(model: Autoencoder, x: Tensor, y: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """The coarse lattice of every image as blocks that may hold mass: image (B,), corner (B, 2), values (B, S, S).

    The lattice grows wherever an image's mass could lie beyond its edge; under a learned prior, which may have land far
    out that no slope at the edge tells of, also to that land and to where the encoder puts the image.
    """
    decoded = _coarse_decoded(model, y)
    far = torch.zeros(len(x))
    if isinstance(model.prior, Learned):
        code = model.encode(x, None if y is None else torch.full((len(x),), y))
        far = code.mean.abs().amax(1).clamp(min=model.prior.mixture().reach(BULK))
    axis = torch.arange(TILES)
    tiles = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)  # (T, 2)
    prior = model.prior.log_average(_centres(tiles, COARSE), COARSE).reshape(-1)
    averaged = model.prior.narrower(COARSE)
    edge = ((tiles == 0) | (tiles == TILES - 1)).any(1)
    images, corners, blocks, growing, tops = [], [], [], [], []
    for rows in torch.arange(len(x)).split(AT_ONCE):
        alone = _log_likelihood(model, x[rows], decoded)
        values = (alone + prior).view(len(rows), len(tiles), SIDE, SIDE)
        keep, top = _worth(values, alone.view_as(values) if averaged else values)
        image, tile = keep.nonzero(as_tuple=True)
        images.append(rows[image])
        corners.append(tiles[tile])
        blocks.append(values[image, tile])
        grows = (keep & edge).any(1) | (far[rows] > REACH)
        growing.append(rows[grows])
        tops.append(top[grows])
    for image, corner, block in _beyond(model, x, y, far, torch.cat(growing), torch.cat(tops)):
        images.append(image)
        corners.append(corner)
        blocks.append(block)
    return torch.cat(images), torch.cat(corners), torch.cat(blocks)


def _beyond(
    model: Autoencoder, x: Tensor, y: int | None, far: Tensor, growing: Tensor, top: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Rings of tiles around the coarse lattice for the images `growing` (G,) of x, whose best cells so far are top
    (G,), until nothing on the ring can matter and what they go `far` (n,) out for lies within."""
    averaged = model.prior.narrower(COARSE)
    for out in range(1, FAR + 1):
        if not len(growing):
            return
        axis = torch.arange(-out, TILES + out)
        tiles = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        ring = tiles[((tiles == -out) | (tiles == TILES + out - 1)).any(1)]
        z = _centres(ring, COARSE).reshape(-1, 2)
        decoded, prior = _decode(model, z, y), model.prior.log_average(z, COARSE)
        going, tops = [], []
        for rows, best in zip(growing.split(AT_ONCE), top.split(AT_ONCE), strict=True):
            alone = _log_likelihood(model, x[rows], decoded)
            values = (alone + prior).view(len(rows), len(ring), SIDE, SIDE)
            keep, best = _worth(values, alone.view_as(values) if averaged else values, best)
            image, tile = keep.nonzero(as_tuple=True)
            yield rows[image], ring[tile], values[image, tile]
            grows = keep.any(1) | (far[rows] > REACH + out * SIDE * COARSE)
            going.append(rows[grows])
            tops.append(best[grows])
        growing, top = torch.cat(going), torch.cat(tops)
    if len(growing):
        raise LikelihoodError(
            f"The posterior of this image does not end within ±{REACH + FAR * SIDE * COARSE:g}. "
            "The model's weights seem broken: train it again."
        )


def _worth(values: Tensor, bending: Tensor, top: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Which tiles of (n, T, S, S) can hold mass (n, T), and each image's best cell (n,); `bending` is the part of the
    values that can be higher between the cells than on them."""
    best = values.amax((1, 2, 3))
    if top is not None:
        best = torch.maximum(best, top)
    slack = _bend(bending.flatten(0, 1)).clamp(min=0).amax((1, 2)).view(values.shape[:2])
    return values.amax((2, 3)) + slack > best[:, None] - DROP, best


def _evaluate(
    model: Autoencoder, x: Tensor, y: int | None, image: Tensor, corner: Tensor, step: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Log joints of (image, tile) pairs; each tile is decoded once for all of its images."""
    tiles, which = torch.unique(corner, dim=0, return_inverse=True)
    order = torch.argsort(which, stable=True)
    image, corner, which = image[order], corner[order], which[order]
    counts = torch.bincount(which, minlength=len(tiles)).tolist()
    values = torch.empty(len(image), SIDE * SIDE)
    at, chunk = 0, DECODED // SIDE**2
    for first in range(0, len(tiles), chunk):
        z = _centres(tiles[first : first + chunk], step).reshape(-1, 2)
        decoded, prior = _decode(model, z, y), model.prior.log_average(z, step)
        for k, count in enumerate(counts[first : first + chunk]):
            cells = slice(k * SIDE**2, (k + 1) * SIDE**2)
            values[at : at + count] = _log_likelihood(model, x[image[at : at + count]], decoded[cells]) + prior[cells]
            at += count
    return image, corner, values.view(-1, SIDE, SIDE)


def _averaged(model: Autoencoder, corner: Tensor, step: float) -> Tensor:
    """The prior's part of the values of blocks (B, 2): (B, S, S)."""
    tiles, which = torch.unique(corner, dim=0, return_inverse=True)
    return model.prior.log_average(_centres(tiles, step), step)[which]


def _centres(corner: Tensor, step: float, side: int = SIDE) -> Tensor:
    """Middles of the cells of tiles (T, 2): (T, side, side, 2), [j, i] as z₂, z₁."""
    within = torch.arange(side) + 0.5
    right = -REACH + step * (corner[:, 0, None] * side + within)  # (T, side)
    up = -REACH + step * (corner[:, 1, None] * side + within)
    return torch.stack(torch.broadcast_tensors(right[:, None, :], up[:, :, None]), -1)


def _finer(near: Tensor) -> Tensor:
    """The polynomial through the cells of a tile, on cells 1/FINER as wide: (B, S, S) → (B, FINER·S, FINER·S)."""
    from scipy.interpolate import BarycentricInterpolator

    cells = np.arange(SIDE) + 0.5
    parts = (np.arange(FINER * SIDE) + 0.5) / FINER
    to_finer = torch.from_numpy(BarycentricInterpolator(cells, np.eye(SIDE))(parts))  # (FINER·S, S)
    return to_finer @ near.double() @ to_finer.T


def _bend(values: Tensor) -> Tensor:
    """Largest eigenvalue of minus the matrix of second differences: (B, S, S) → (B, S − 2, S − 2), nats."""
    v = values
    here = v[:, 1:-1, 1:-1]
    xx = 2 * here - v[:, 1:-1, 2:] - v[:, 1:-1, :-2]
    yy = 2 * here - v[:, 2:, 1:-1] - v[:, :-2, 1:-1]
    xy = (v[:, 2:, :-2] + v[:, :-2, 2:] - v[:, 2:, 2:] - v[:, :-2, :-2]) / 4
    return (xx + yy) / 2 + torch.hypot((xx - yy) / 2, xy)


def _rough(near: Tensor, bend: Tensor) -> Tensor:
    """Where a block's step is above the posterior's local σ (B,), judged where most of the mass lies.

    A Gaussian bends by (step/σ)² nats from cell to cell; at the edge of a tile, where no second difference can be had,
    its first ones tell: at most √(2 CORE) step/σ + ½ (step/σ)².
    """
    core = near > -CORE
    steep = math.sqrt(2 * CORE) + 0.5
    right = ((near[:, :, 1:] - near[:, :, :-1]).abs() > steep) & (core[:, :, 1:] | core[:, :, :-1])
    up = ((near[:, 1:] - near[:, :-1]).abs() > steep) & (core[:, 1:] | core[:, :-1])
    bent = (bend > 1) & core[:, 1:-1, 1:-1]
    return bent.flatten(1).any(1) | right.flatten(1).any(1) | up.flatten(1).any(1)


def _log_likelihood(model: Autoencoder, x: Tensor, decoded: Tensor) -> Tensor:
    """log p(x | z) of every image under every decoding: (N, 784), (P, 784) → (N, P), by one matrix product."""
    if model.config.likelihood == "bernoulli":
        decoded = decoded.to(x.dtype)
        return x @ decoded.T - F.softplus(decoded).sum(1)
    x, decoded = x.double(), decoded.double()  # squares of nearly equal length are subtracted
    squares = x.square().sum(1)[:, None] - 2 * (x @ decoded.T) + decoded.square().sum(1)
    nothing, unit = torch.zeros(1, x.shape[1]), torch.eye(1, x.shape[1])
    perfect = model.nll(nothing, nothing).detach()  # what a drawing without error costs
    return (-squares * (model.nll(nothing, unit).detach() - perfect) - perfect).float()


def _decode(model: Autoencoder, z: Tensor, y: int | None) -> Tensor:
    """What the model decodes under one label, a few thousand codes at a time: (P, 2) → (P, 784)."""
    parts = z.to(torch.float32).split(DECODED)
    return torch.cat([model.decode(part, None if y is None else torch.full((len(part),), y)) for part in parts])


def _coarse_decoded(model: Autoencoder, y: int | None) -> Tensor:
    """What the model decodes on the coarse lattice (3136, 784), half precision: 5 MB a label, 49 MB for ten."""
    if model not in _coarse:
        _coarse[model] = {}
    kept = _coarse[model]
    version = tuple(p._version for p in model.decoder.parameters())
    if (y, version) not in kept:
        for old in [key for key in kept if key[1] != version]:
            del kept[old]
        axis = torch.arange(TILES)
        tiles = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        kept[y, version] = _decode(model, _centres(tiles, COARSE).reshape(-1, 2), y).half()
    return kept[y, version]


def _modes(z: Tensor, log_density: Tensor, step: float) -> tuple[Tensor, Tensor]:
    """Local maxima of the posterior, the heaviest first: (M, 2), and the share of the mass (M,) in each one's basin."""
    seen = log_density > log_density.max() - DROP
    z, value = z[seen], log_density[seen].numpy()
    index = _squeezed(torch.round((z + REACH) / step - 0.5).long().numpy())
    picture = np.full(index.max(0) + 2, -np.inf)
    picture[index[:, 0], index[:, 1]] = value
    from scipy.ndimage import maximum_filter

    floor = value.min() - 1
    picture = np.maximum(picture, floor)
    peaks = np.argwhere((picture == maximum_filter(picture, 3)) & (picture > value.max() - PEAK))
    share = np.ones(1)
    if len(peaks) > 1:
        from skimage.measure import label
        from skimage.morphology import h_maxima
        from skimage.segmentation import watershed

        marked = label(h_maxima(picture, PROMINENCE) > 0)
        basin = watershed(-picture, marked, mask=picture > floor)
        mass = np.bincount(basin.ravel(), np.exp(picture - value.max()).ravel() * (basin.ravel() > 0))[1:]
        share = mass / mass.sum()
        heavy = np.argsort(-share)
        heavy = heavy[share[heavy] >= MODE_SHARE]
        tops = [np.where(basin == k + 1, picture, -np.inf).argmax() for k in heavy]
        peaks, share = np.stack(np.unravel_index(tops, picture.shape), 1), share[heavy]
    lookup = {tuple(at): i for i, at in enumerate(index.tolist())}
    return torch.stack([z[lookup[tuple(at)]] for at in peaks.tolist()]).float(), torch.tensor(share)


def _squeezed(index: np.ndarray) -> np.ndarray:
    """Cells (n, 2) of a lattice from 1 up, where rows and columns in which none lies count as one: neighbours stay
    neighbours, and two islands need no sea of memory between them."""
    axes = []
    for axis in index.T:
        there, place = np.unique(axis, return_inverse=True)
        axes.append(np.cumsum([1, *np.minimum(np.diff(there), 2)])[place])
    return np.stack(axes, 1)


def _draws(code: Code, n: int, generator: torch.Generator) -> Tensor:
    return code.mean + torch.exp(0.5 * code.logvar) * torch.randn(n, code.mean.shape[-1], generator=generator)


def _reduce(values: Tensor, owner: Tensor, n: int, how: str) -> Tensor:
    start = torch.full((n,), -torch.inf, dtype=values.dtype)
    return start.scatter_reduce(0, owner, values, how)


def _logsumexp(values: Tensor, owner: Tensor, n: int) -> Tensor:
    """Log of the sum of exp over all blocks (B, S, S) of each owner: (n,) float64; −inf where there is none."""
    top = _reduce(values.amax((1, 2)), owner, n, "amax").clamp(min=-1e30)
    total = torch.zeros(n, dtype=torch.float64)
    total.scatter_add_(0, owner, torch.exp((values - top[owner, None, None]).double()).sum((1, 2)))
    return total.log() + top


def _by_label(y: Tensor | None, n: int) -> Iterator[tuple[Tensor, int | None]]:
    if y is None:
        yield torch.arange(n), None
        return
    for label in torch.unique(y).tolist():
        yield (y == label).nonzero()[:, 0], label


def check(model: Autoencoder) -> None:
    """Raises `LikelihoodError` unless the model has a posterior in two dimensions."""
    if not model.probabilistic:
        kind = model.config.kind.upper()
        raise LikelihoodError(f"An exact likelihood needs p(z) and p(x | z): a VAE or a CVAE. The {kind} has no prior.")
    if model.config.latent_dim != 2:
        raise LikelihoodError(f"The integral is done in two dimensions; this model has {model.config.latent_dim}.")


def _check(model: Autoencoder, y: object) -> None:
    check(model)
    if model.conditional and y is None:
        raise LikelihoodError("A CVAE's likelihood is given a label: name y.")
