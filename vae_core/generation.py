"""Where new codes can be drawn from, and how good the drawings of such draws are.

A source is a row in `SOURCES`. Every source is a mixture of Gaussians, if only of one, so that whoever draws, here or
in the browser, knows one thing only. Quality is measured in the features of the judge, which never saw an autoencoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core import latent
from vae_core.judge import DIGITS, Judge, binarise
from vae_core.models import Autoencoder
from vae_core.prior import Mixture

NEAREST = 3  # neighbours that make an image's ball (k)
DRAWS = 10_000  # of each source: the share of digits and the entropy are theirs
BATCH, REAL = 1000, 2000  # drawings against real images at a time, in the judge's features: the means over all batches
COMPONENTS = (10, 30, 100)  # K of the mixtures that are measured


def fit_mixture(codes: Tensor, components: int, seed: int = 0) -> Mixture:
    """K Gaussians with full covariances by EM from k-means (McLachlan & Peel 2000), fitted to codes (N, D).

    EM ends where a step gains less than 0.01 nats a code: more steps take twice the time and draw no better. Of fewer
    codes than components there are as many components as codes.
    """
    from sklearn.mixture import GaussianMixture  # takes a second to import

    codes = codes.float()
    components = min(components, len(codes))
    fit = GaussianMixture(
        components,
        covariance_type="full",
        tol=1e-2,
        reg_covar=max(1e-5 * float(codes.var(0, correction=0).mean()), 1e-12),  # in the codes' own units
        random_state=seed,
    ).fit(codes.numpy())
    factors = torch.linalg.cholesky(torch.from_numpy(fit.covariances_).double())
    return Mixture(*(torch.as_tensor(part).float() for part in (fit.weights_, fit.means_, factors)))


class Source(NamedTuple):
    """One way to draw a code."""

    find: Callable[[Autoencoder, Tensor, int], Mixture]  # of the model, codes of training images (N, D), and K
    components: bool = False  # whether K matters


SOURCES = {
    # N(0, I) unless a model has learned another; without a posterior it is a yardstick only.
    "prior": Source(lambda model, codes, k: model.prior.mixture()),
    "gaussian": Source(lambda model, codes, k: latent.as_mixture(latent.fit_gaussian(codes))),
    "mixture": Source(lambda model, codes, k: fit_mixture(codes, k), components=True),
}


def row_name(source: str, components: int) -> str:
    """Under which a card keeps what was measured: "prior", "mixture 10"."""
    return f"{source} {components}" if SOURCES[source].components else source


def rows() -> dict[str, tuple[str, int]]:
    """What is measured of a model: {name: (source, K)}."""
    found = [(name, k) for name, source in SOURCES.items() for k in (COMPONENTS if source.components else (1,))]
    return {row_name(*pair): pair for pair in found}


class Shape(NamedTuple):
    """How a cloud of drawn features lies to a cloud of real ones, each number 1 where it lies best."""

    precision: float  # share of the drawn inside some real image's ball (Kynkäänniemi et al. 2019, arXiv 1904.06991)
    recall: float  # share of the real inside some drawn image's ball
    density: float  # real balls that a drawn one lies in, on average, over k (Naeem et al. 2020, arXiv 2002.09797)
    coverage: float  # share of the real balls with a drawn image in them


def shape(real: Tensor, drawn: Tensor, k: int = NEAREST) -> Shape:
    """Of features (N, F) and (M, F). A ball reaches from a point to the k-th nearest other of its own cloud."""
    radius, reach = (_distances(cloud, cloud).kthvalue(k + 1, dim=1).values for cloud in (real, drawn))
    between = _distances(real, drawn)  # (N, M)
    inside = between <= radius[:, None]
    found = (inside.any(0), (between <= reach).any(1), inside.sum(0) / k, inside.any(1))
    return Shape(*(float(part.double().mean()) for part in found))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # By products of matrices, which is faster, a point would lie 1e-3 from itself.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def entropy(labels: Tensor) -> float:
    """Of the shares of the classes among labels (B,), in nats: log 10 = 2.303 where all ten are drawn evenly."""
    share = labels.bincount().double() / max(1, len(labels))
    return float(-torch.special.xlogy(share, share).sum()) + 0.0  # not −0


def quality(drawn: Tensor, real: Tensor, judge: Judge) -> dict[str, float]:
    """How good drawings (M, 784) are beside the features (N, F) of real images, binarised.

    digit: share that the judge takes for one, of the mean images, as a visitor sees them and as
    `metrics.accepted_draws` counts; entropy: of the classes that it sees in those. The rest is `Shape`, of the drawings
    binarised at 0.5 like the real images: the features tell soft grey from black and white, and that softness is the
    decoder's mean and no fault of a draw.
    """
    logits = judge.logits(drawn)
    digit = judge.is_digit(drawn)
    features = judge.features(binarise(drawn))
    starts = range(0, len(features) - BATCH + 1, BATCH)
    blocks = [real[i : i + REAL] for i in range(0, len(real) - REAL + 1, REAL)]
    shapes = [shape(blocks[n % len(blocks)], features[start : start + BATCH]) for n, start in enumerate(starts)]
    means = {name: sum(getattr(one, name) for one in shapes) / len(shapes) for name in Shape._fields}
    found = {"digit": float(digit.double().mean()), "entropy": entropy(logits[digit, :DIGITS].argmax(-1)), **means}
    return {name: round(value, 4) for name, value in found.items()}


def draw(model: Autoencoder, source: Mixture, n: int, seed: int = 0) -> Tensor:
    """n drawings (n, 784) of codes from a source; a conditional model is told each label equally often."""
    z = source.sample(n, torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % model.config.n_classes if model.conditional else None
    return latent.decode(model, z, labels)


def references(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Generators whose faults are known, made of training images (N, 784): what each number can see, and what not."""
    images = binarise(images)
    ones = images[labels == 1][:DRAWS]
    ten = torch.stack([images[labels == y][0] for y in range(DIGITS)])
    return {
        "real training images": images[:DRAWS],
        "a generator of ones": ones,
        "ten images over and over": ten.repeat(BATCH // DIGITS, 1),
    }
