"""Judge trained models. Never used for training; every number is in nats per image unless it says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_core import latent, losses
from vae_core.corruption import CORRUPTIONS, corrupt, flip
from vae_core.models import Autoencoder, Code
from vae_core.prior import Mixture

SAMPLES = 10  # draws of ε per image behind an ELBO
DENOISING_IMAGES = 2000  # the first images of the test split
DENOISING_SEED = 0
# Where the regressions are kept and the README's table looks: the starts of what DAEs are trained on.
HEADLINE = {kind: found.start for kind, found in CORRUPTIONS.items() if found.trained_on}
MEDIAN_SIZES = (3, 5, 7)  # a filter of one pixel would be the spoilt image, which stands beside it
LEAK_EPOCHS, LEAK_BATCH = 15, 256
RIDGE_HELD_OUT = 5000  # last training images, on which λ is chosen
RIDGE_LAMBDAS = tuple(10.0**e for e in range(-6, 4))  # noise on the pixels is a ridge itself: then the least is best


class PerImage(NamedTuple):
    """Terms of each image (N,); None where a model has no posterior."""

    reconstruction_at_mean: Tensor  # −log p(x | z = mean)
    mse: Tensor  # mean squared error of the pixels at the mean
    reconstruction: Tensor | None  # −E_q log p(x | z), SAMPLES draws
    kl: Tensor | None  # KL(q ‖ p(z))


class Labeller(Protocol):
    def label(self, x: Tensor) -> Tensor: ...


class Accepter(Protocol):
    def is_digit(self, x: Tensor) -> Tensor: ...


class Judging(Labeller, Accepter, Protocol): ...


@torch.inference_mode()
def per_image(
    model: Autoencoder,
    images: Tensor,
    labels: Tensor,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    batch: int = 2000,
) -> PerImage:
    """Score images (N, 784) in [0, 1] with labels (N,). The same seed gives the same numbers."""
    generator = torch.Generator().manual_seed(seed)
    rows: dict[str, list[Tensor]] = {"at_mean": [], "mse": [], "reconstruction": [], "kl": []}
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        x = model.observe(x)
        code = model.encode(x, y)
        rows["at_mean"].append(model.nll(x, model.decode(code.mean, y)))
        rows["mse"].append(losses.mean_squared_error(model.pixels(code.mean, y), x))
        if code.logvar is not None:
            rows["kl"].append(model.prior.kl(*code).sum(-1))
            draws = [model.nll(x, model.decode(model.sample(code, generator), y)) for _ in range(samples)]
            rows["reconstruction"].append(torch.stack(draws).mean(0))
    joined = {k: torch.cat(v) for k, v in rows.items() if v}
    return PerImage(joined["at_mean"], joined["mse"], joined.get("reconstruction"), joined.get("kl"))


def summary(terms: PerImage) -> dict[str, float]:
    """Means over the images, as they stand on a card; `nelbo` is −ELBO at β = 1."""
    out = {
        "reconstruction_at_mean": terms.reconstruction_at_mean.double().mean().item(),
        "mse": terms.mse.double().mean().item(),
    }
    if terms.kl is not None and terms.reconstruction is not None:
        out["reconstruction"] = terms.reconstruction.double().mean().item()
        out["kl"] = terms.kl.double().mean().item()
        out["nelbo"] = out["reconstruction"] + out["kl"]
    return out


class Restoration(NamedTuple):
    """How far restored pixels are from the clean binarised image, per image (B,)."""

    nats: Tensor  # cross-entropy against the clean image
    mse: Tensor
    psnr: Tensor  # dB
    wrong: Tensor  # share of pixels that differ after thresholding at 0.5


def restoration(pixels: Tensor, clean: Tensor) -> Restoration:
    """pixels (B, 784) in [0, 1] against clean (B, 784) in {0, 1}.

    Nats are finite for every picture: a probability is kept 1e-4 away from 0 and 1, since a spoilt or
    filtered picture is no probability and would cost infinitely much at its first wrong pixel.
    """
    mse = losses.mean_squared_error(pixels, clean)
    p = pixels.clamp(1e-4, 1 - 1e-4)
    nats = -(clean * p.log() + (1 - clean) * (1 - p).log()).sum(-1)
    wrong = ((pixels >= 0.5) != (clean >= 0.5)).float().mean(-1)
    return Restoration(nats, mse, losses.psnr(mse.clamp(min=1e-9)), wrong)


def corrupted_test(images: Tensor, kind: str, amount: float, seed: int = DENOISING_SEED) -> tuple[Tensor, Tensor]:
    """The clean binarised images and their spoilt copies, the same for every model and baseline."""
    clean = (images[:DENOISING_IMAGES] >= 0.5).float()
    return clean, corrupt(clean, kind, amount, torch.Generator().manual_seed(seed))


@torch.inference_mode()
def denoising(model: Autoencoder, images: Tensor, labels: Tensor) -> dict[str, dict[str, dict[str, float]]]:
    """Mean restoration of the first test images by kind and amount: {kind: {amount: {nats, mse, psnr, wrong}}}."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for kind, found in CORRUPTIONS.items():
        for amount in found.amounts:
            clean, spoilt = corrupted_test(images, kind, amount)
            y = labels[: len(clean)]
            restored = model.pixels(model.encode(spoilt, y).mean, y)
            out.setdefault(kind, {})[f"{amount:g}"] = _means(restoration(restored, clean))
    return out


def median_filter(images: Tensor, size: int) -> Tensor:
    """Median of each size×size neighbourhood, zeros outside: (B, 784) → (B, 784)."""
    from scipy.ndimage import median_filter as scipy_median

    pictures = images.reshape(-1, 28, 28).numpy()
    return torch.from_numpy(scipy_median(pictures, (1, size, size), mode="constant")).reshape(-1, 784)


class Ridge(NamedTuple):
    """A ridge regression from spoilt to clean pixels (Hoerl & Kennard 1970): the linear denoiser."""

    weight: Tensor  # (784, 784), spoilt by clean
    bias: Tensor  # (784,)

    def __call__(self, spoilt: Tensor) -> Tensor:
        """(B, 784) → (B, 784), clipped to [0, 1]."""
        return (spoilt @ self.weight + self.bias).clamp(0, 1)


def fit_ridge(train: Tensor, kind: str, amount: float, seed: int = 2) -> tuple[Ridge, float]:
    """The regression for one kind and amount, and its λ: the best by mean PSNR on the last training images, with a
    regression of the others; then all are used. Images (N, 784) in [0, 1] are binarised, each is spoilt once."""
    generator = torch.Generator().manual_seed(seed)
    clean = (train >= 0.5).float()
    spoilt = torch.cat([corrupt(part, kind, amount, generator) for part in clean.split(5000)])
    kept = len(clean) - min(RIDGE_HELD_OUT, len(clean) // 5)
    some, rest = (_moments(spoilt[rows], clean[rows]) for rows in (slice(kept), slice(kept, None)))
    quality = {
        strength: restoration(model(spoilt[kept:]), clean[kept:]).psnr.mean().item()
        for strength, model in _ridges(some, RIDGE_LAMBDAS)
    }
    best = max(quality, key=quality.__getitem__)
    return next(_ridges([a + b for a, b in zip(some, rest, strict=True)], [best]))[1], best


def _moments(x: Tensor, y: Tensor) -> list[Tensor]:
    """[n, Σx, Σy, XᵀX, XᵀY] in double precision, so that those of parts add up to those of the whole."""
    x, y = x.double(), y.double()
    return [torch.tensor(float(len(x))), x.sum(0), y.sum(0), x.T @ x, x.T @ y]


def _ridges(moments: list[Tensor], strengths: Iterable[float]) -> Iterator[tuple[float, Ridge]]:
    """For each λ the minimum of Σ‖y − xW − b‖² + λ‖W‖²; b is not shrunk."""
    n, sum_x, sum_y, xx, xy = moments
    values, vectors = torch.linalg.eigh(xx - torch.outer(sum_x, sum_x) / n)
    turned = vectors.T @ (xy - torch.outer(sum_x, sum_y) / n)
    for strength in strengths:
        weight = vectors @ (turned / (values.clamp(min=0) + strength)[:, None])
        yield strength, Ridge(weight.float(), ((sum_y - sum_x @ weight) / n).float())


def baselines(
    train: Tensor, test: Tensor, progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, Any], dict[str, Ridge]]:
    """What needs no network: the spoilt image itself, a median filter and a ridge regression tuned on training images,
    PCA; and the regressions of `HEADLINE` by kind.

    The filter's size is the best by mean PSNR on the last images of the training split, for each kind and amount, as λ
    is; PCA is fitted to the binarised training split, its reconstruction clipped to [0, 1].
    """
    out: dict[str, Any] = {"corrupted": {}, "median": {}, "ridge": {}, "pca_mse": {}}
    kept: dict[str, Ridge] = {}
    cells = [(kind, amount) for kind, found in CORRUPTIONS.items() for amount in found.amounts]
    for done, (kind, amount) in enumerate(cells):
        clean, spoilt = corrupted_test(train[-DENOISING_IMAGES:], kind, amount, seed=1)
        quality = {size: restoration(median_filter(spoilt, size), clean).psnr.mean().item() for size in MEDIAN_SIZES}
        size = max(quality, key=quality.__getitem__)
        ridge, strength = fit_ridge(train, kind, amount)
        if HEADLINE.get(kind) == amount:  # what is scored is what ships: half precision
            ridge = kept[kind] = Ridge(*(part.half().float() for part in ridge))
        clean, spoilt = corrupted_test(test, kind, amount)
        key = f"{amount:g}"
        for name, about, restored in (
            ("corrupted", {}, spoilt),
            ("median", {"size": size}, median_filter(spoilt, size)),
            ("ridge", {"lambda": strength}, ridge(spoilt)),
        ):
            out[name].setdefault(kind, {})[key] = about | _means(restoration(restored, clean))
        if progress is not None:
            progress(done + 1, len(cells))
    for d in (2, 20):
        out["pca_mse"][str(d)] = pca_mse(train, test, d)
    return out, kept


def pca_mse(train: Tensor, test: Tensor, components: int) -> float:
    """Test MSE of PCA with this many components: the linear autoencoder (Baldi & Hornik 1989)."""
    from sklearn.decomposition import PCA

    fit = PCA(components, svd_solver="covariance_eigh").fit((train >= 0.5).float().numpy())
    x = (test >= 0.5).float().numpy()
    back = np.clip(fit.inverse_transform(fit.transform(x)), 0, 1)
    return float(np.mean((back - x) ** 2, dtype=np.float64))


@torch.inference_mode()
def label_agreements(model: Autoencoder, judge: Labeller, *, per_class: int = 1000, seed: int = 0) -> Tensor:
    """Of decoded z ~ N(0, I) the share whose judged digit is the label that was asked for, by label: (K,) (CVAE)."""
    generator = torch.Generator().manual_seed(seed)
    shares = []
    for y in range(model.config.n_classes):
        z = torch.randn(per_class, model.config.latent_dim, generator=generator)
        label = torch.full((per_class,), y)
        shares.append((judge.label(model.pixels(z, label)) == label).double().mean())
    return torch.stack(shares)


def label_agreement(model: Autoencoder, judge: Labeller, *, per_class: int = 1000, seed: int = 0) -> float:
    """The same over all labels."""
    return label_agreements(model, judge, per_class=per_class, seed=seed).mean().item()


class Swap(NamedTuple):
    """What is seen in drawings of codes that were encoded with one label and decoded with another: shares of them."""

    asked: float  # the label that the decoder was told
    old: float  # the label that the encoder was told
    digit: float  # a digit at all


@torch.inference_mode()
def swap(model: Autoencoder, judge: Judging, images: Tensor, labels: Tensor, *, batch: int = 2000) -> Swap:
    """Encode images (N, 784) with their labels (N,), and decode each mean with every other label (CVAE)."""
    z, k = latent.embed(model, images, labels).mean, model.config.n_classes
    counts = torch.zeros(3, dtype=torch.double)
    for shift in range(1, k):
        told = (labels + shift) % k
        drawn = latent.decode(model, z, told)
        for x, new, old in zip(drawn.split(batch), told.split(batch), labels.split(batch), strict=True):
            seen = judge.label(x)
            counts += torch.stack([(seen == new).sum(), (seen == old).sum(), judge.is_digit(x).sum()])
    return Swap(*(counts / (len(labels) * (k - 1))).tolist())


@torch.inference_mode()
def label_elbos(
    model: Autoencoder, images: Tensor, *, samples: int = SAMPLES, seed: int = 0, batch: int = 500
) -> Tensor:
    """ELBO in nats of each image (N, 784) under each label, encoder and decoder both told it: (N, K) (CVAE).

    The same ε serve all labels of an image, as in `latent.label_elbos`.
    """
    generator, k = torch.Generator().manual_seed(seed), model.config.n_classes
    found = []
    for part in images.split(batch):
        x, y = model.observe(part).repeat_interleave(k, 0), torch.arange(k).repeat(len(part))
        code = model.encode(x, y)
        elbo = -model.prior.kl(*code).sum(-1)
        sigma = torch.exp(0.5 * code.logvar)
        for _ in range(samples):
            eps = torch.randn(len(part), model.config.latent_dim, generator=generator).repeat_interleave(k, 0)
            elbo -= model.nll(x, model.decode(code.mean + sigma * eps, y)) / samples
        found.append(elbo.view(-1, k))
    return torch.cat(found)


class Hypotheses(NamedTuple):
    """How far the ELBO of an image falls when encoder and decoder are told a wrong label, nats."""

    mean: float  # over images and wrong labels
    median: float
    nearest: float  # over images, to the best of the wrong labels; negative where that one is better than the true one
    nearest_median: float
    true: float  # share of images whose true label has the highest ELBO


def hypotheses(elbos: Tensor, labels: Tensor) -> Hypotheses:
    """From the ELBO under each label (N, K) and the true labels (N,)."""
    truth = F.one_hot(labels, elbos.shape[1]).bool()
    fall = elbos[truth][:, None] - elbos[~truth].view(len(labels), -1)  # (N, K − 1)
    nearest = fall.amin(1)
    means = (fall.mean(), fall.median(), nearest.mean(), nearest.median(), (nearest > 0).double().mean())
    return Hypotheses(*(value.item() for value in means))


@torch.inference_mode()
def accepted_draws(
    model: Autoencoder, judge: Accepter, source: latent.Gaussian | Mixture, *, n: int, seed: int = 0
) -> float:
    """Share of n drawings of random codes that the judge takes for digits; a conditional model is told each label
    equally often."""
    z = source.sample(n, torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % model.config.n_classes if model.conditional else None
    drawn = latent.decode(model, z, labels)
    return torch.cat([judge.is_digit(part) for part in drawn.split(2000)]).double().mean().item()


class Contraction(NamedTuple):
    """How far a code moves when pixels do, in units in which the codes' covariance is the identity."""

    mean: float  # of ‖∂z/∂x‖²_F over the images
    median: float
    shift: float  # mean length of the code's move when `FLIPPED` of the pixels are flipped


FLIPPED = 0.02


def contraction(model: Autoencoder, images: Tensor, labels: Tensor, codes: Tensor, *, seed: int = 0) -> Contraction:
    """Of images (N, 784) and their labels, exactly; codes (M, D) of other images give the units (of a Gaussian code the
    mean counts). Directions in which they hardly vary are left out: they tell nothing, and would count without end."""
    variance, axes = torch.linalg.eigh(torch.cov(codes.T.double()).reshape(codes.shape[1], -1))
    kept = variance > 1e-6 * variance.max()
    whiten = (axes[:, kept] / variance[kept].sqrt()).to(images.dtype)  # (D, kept)
    y = labels if model.conditional else None
    x = model.observe(images)
    squares = torch.zeros(len(x))
    with torch.enable_grad():
        given = x.clone().requires_grad_()
        moved = model.encode(given, y).mean @ whiten
        for j in range(moved.shape[1]):
            (gradient,) = torch.autograd.grad(moved[:, j].sum(), given, retain_graph=True)
            squares += gradient.square().sum(-1)
    spoilt = flip(x, FLIPPED, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        shift = model.encode(spoilt, y).mean @ whiten - moved.detach()
    return Contraction(squares.mean().item(), squares.median().item(), shift.norm(dim=1).mean().item())


class Units(NamedTuple):
    """What the units of a code that is never negative do: (D,) each."""

    use: Tensor  # share of the images for which the unit is above 0
    strength: Tensor  # its mean where it is; 0 where it never is


def units(codes: Tensor) -> Units:
    """Of codes (N, D). How many are in use for an image is the sum of `use`."""
    above = codes > 0
    return Units(above.float().mean(0), codes.clamp(min=0).sum(0) / above.sum(0).clamp(min=1))


class Components(NamedTuple):
    """How groups of images lie to their classes."""

    purity: float  # share of images whose class is the commonest in their group (Manning et al. 2008, eq. 16.1)
    together: float  # share of images in the group that holds most of their class: 1 where a class keeps together
    used: int  # groups that hold an image


def components(group: Tensor, labels: Tensor) -> Components:
    """Of images in groups (N,) with labels (N,), int64 from 0."""
    classes = int(labels.max()) + 1
    counts = torch.bincount(group * classes + labels, minlength=(int(group.max()) + 1) * classes).view(-1, classes)
    purity, together = (counts.amax(d).sum().item() / len(labels) for d in (1, 0))
    return Components(purity, together, int(counts.any(1).sum()))


class Leak(NamedTuple):
    """What a classifier reads of the label in codes of images that it did not learn from."""

    accuracy: float  # share of right labels
    nats: float  # H(label) − cross-entropy: a lower bound of the mutual information, but for the sample's noise


HIDDEN = (256, 256)  # of the reader of labels


def leak(
    train: Code,
    train_labels: Tensor,
    test: Code,
    test_labels: Tensor,
    *,
    sample: bool,
    seed: int = 0,
    hidden: tuple[int, ...] = HIDDEN,
) -> Leak:
    """How much of the label is in the codes: a perceptron with these hidden layers of ReLUs learns to read it; without
    any it is a linear one.

    15 epochs of Adam, batches of 256, one cycle up to 2e-3. With `sample` on draws of q, new ones in each epoch, and
    tested on one draw for each test image; else on the means. Never used to choose a model.
    """
    generator = torch.Generator().manual_seed(seed)

    def look(code: Code, rows: Tensor | slice) -> Tensor:
        mean = code.mean[rows]
        if not sample:
            return mean
        return mean + torch.exp(0.5 * code.logvar[rows]) * torch.randn(mean.shape, generator=generator)

    classes = int(train_labels.max()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = (train.mean.shape[1], *hidden, classes)
        layers = [part for n, m in pairwise(widths) for part in (nn.Linear(n, m), nn.ReLU())]
        probe = nn.Sequential(*layers[:-1])
    steps = -(-len(train_labels) // LEAK_BATCH)
    optimiser = torch.optim.Adam(probe.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=LEAK_EPOCHS * steps)
    for _ in range(LEAK_EPOCHS):
        for rows in torch.randperm(len(train_labels), generator=generator).split(LEAK_BATCH):
            optimiser.zero_grad()
            F.cross_entropy(probe(look(train, rows)), train_labels[rows]).backward()
            optimiser.step()
            cycle.step()
    with torch.inference_mode():
        logits = probe(look(test, slice(None)))
    share = torch.bincount(test_labels, minlength=classes).double() / len(test_labels)
    entropy = -torch.special.xlogy(share, share).sum().item()
    right = (logits.argmax(-1) == test_labels).double().mean().item()
    return Leak(right, entropy - F.cross_entropy(logits.double(), test_labels).item())


def _means(r: Restoration) -> dict[str, float]:
    return {name: round(value.double().mean().item(), 6) for name, value in r._asdict().items()}
