"""Judge trained models. Never used for training; every number is in nats per image unless it says otherwise."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from vae_core import losses
from vae_core.corruption import corrupt
from vae_core.models import Autoencoder

SAMPLES = 10  # draws of ε per image behind an ELBO
DENOISING_IMAGES = 2000  # the first images of the test split
DENOISING_SEED = 0
# The amounts at which denoising is measured and which the Restore page offers.
AMOUNTS = {
    "masking": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "salt_pepper": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    "gaussian": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "blur": (0.5, 1.0, 1.5, 2.0, 2.5, 3.0),
}
HEADLINE = {"masking": 0.5, "salt_pepper": 0.25, "gaussian": 0.5}
MEDIAN_SIZES = (3, 5, 7)  # a filter of one pixel would be the spoilt image, which stands beside it


class PerImage(NamedTuple):
    """Terms of each image (N,); None where a model has no posterior."""

    reconstruction_at_mean: Tensor  # −log p(x | z = mean)
    mse: Tensor  # mean squared error of the pixels at the mean
    reconstruction: Tensor | None  # −E_q log p(x | z), SAMPLES draws
    kl: Tensor | None  # KL(q ‖ N(0, I)), closed form


class Labeller(Protocol):
    def label(self, x: Tensor) -> Tensor: ...


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
            rows["kl"].append(losses.gaussian_kl(*code).sum(-1))
            draws = [model.nll(x, model.decode(model.sample(code, generator), y)) for _ in range(samples)]
            rows["reconstruction"].append(torch.stack(draws).mean(0))
    joined = {k: torch.cat(v) if v else None for k, v in rows.items()}
    return PerImage(joined["at_mean"], joined["mse"], joined["reconstruction"], joined["kl"])


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
    for kind, amounts in AMOUNTS.items():
        for amount in amounts:
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


def baselines(train: Tensor, test: Tensor) -> dict[str, Any]:
    """What needs no network: the spoilt image itself, a median filter tuned on training images, PCA.

    The filter's size is the best by mean PSNR on the last images of the training split, for each kind
    and amount; PCA is fitted to the binarised training split, its reconstruction clipped to [0, 1].
    """
    out: dict[str, Any] = {"corrupted": {}, "median": {}, "pca_mse": {}}
    for kind, amounts in AMOUNTS.items():
        for amount in amounts:
            clean, spoilt = corrupted_test(train[-DENOISING_IMAGES:], kind, amount, seed=1)
            quality = {
                size: restoration(median_filter(spoilt, size), clean).psnr.mean().item() for size in MEDIAN_SIZES
            }
            size = max(quality, key=quality.__getitem__)
            clean, spoilt = corrupted_test(test, kind, amount)
            key = f"{amount:g}"
            out["corrupted"].setdefault(kind, {})[key] = _means(restoration(spoilt, clean))
            out["median"].setdefault(kind, {})[key] = {"size": size} | _means(
                restoration(median_filter(spoilt, size), clean)
            )
    for d in (2, 20):
        out["pca_mse"][str(d)] = pca_mse(train, test, d)
    return out


def pca_mse(train: Tensor, test: Tensor, components: int) -> float:
    """Test MSE of PCA with this many components: the linear autoencoder (Baldi & Hornik 1989)."""
    from sklearn.decomposition import PCA

    fit = PCA(components, svd_solver="covariance_eigh").fit((train >= 0.5).float().numpy())
    x = (test >= 0.5).float().numpy()
    back = np.clip(fit.inverse_transform(fit.transform(x)), 0, 1)
    return float(np.mean((back - x) ** 2, dtype=np.float64))


@torch.inference_mode()
def label_agreement(model: Autoencoder, judge: Labeller, *, per_class: int = 1000, seed: int = 0) -> float:
    """Share of decoded z ~ N(0, I) whose judged digit is the label that was asked for (CVAE)."""
    generator = torch.Generator().manual_seed(seed)
    hits = 0
    for y in range(model.config.n_classes):
        z = torch.randn(per_class, model.config.latent_dim, generator=generator)
        label = torch.full((per_class,), y)
        hits += int((judge.label(model.pixels(z, label)) == label).sum())
    return hits / (per_class * model.config.n_classes)


def _means(r: Restoration) -> dict[str, float]:
    return {name: round(value.double().mean().item(), 6) for name, value in r._asdict().items()}
