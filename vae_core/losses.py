"""The terms of the objectives: pure functions, nats, one value an image (or an image and dimension).

B images, P pixels, D latent dimensions. Nothing here averages over pixels or over the batch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x | z) of independent Bernoulli pixels, nats: (B, P), (B, P) → (B,).

    −Σ_p [x_p log x̂_p + (1 − x_p) log(1 − x̂_p)] with x̂ = sigmoid(logits)
    (Kingma & Welling 2014, arXiv 1312.6114, appendix C.1). For x in {0, 1} it is a negative log
    probability; for grey x it is the cross-entropy only.
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def gaussian_nll(mean: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
    """−log p(x | z) of independent Gaussian pixels of one σ, nats with the constants: → (B,).

    Σ_p [(x_p − μ_p)² / (2σ²) + log σ + ½ log 2π] (Kingma & Welling 2014, appendix C.2).
    """
    squares = (x - mean).square().sum(-1)
    return 0.5 * squares * torch.exp(-2 * log_sigma) + x.shape[-1] * (log_sigma + 0.5 * math.log(2 * math.pi))


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) of each latent dimension, nats: (B, D), (B, D) → (B, D).

    ½ (μ² + σ² − log σ² − 1), never negative (Kingma & Welling 2014, appendix B).
    """
    return 0.5 * (mean.square() + torch.expm1(logvar) - logvar)


def mean_squared_error(pixels: Tensor, x: Tensor) -> Tensor:
    """Mean squared difference of an image's pixels, intensities in [0, 1]: (B, P), (B, P) → (B,)."""
    return (pixels - x).square().mean(-1)


def psnr(mse: Tensor) -> Tensor:
    """Peak signal-to-noise ratio for peak 1, dB: −10 log10(MSE), element by element."""
    return -10 * torch.log10(mse)
