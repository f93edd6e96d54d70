"""q_D(x̃ | x): how an image is spoilt before a denoising autoencoder sees it.

The corruption process of Vincent et al. 2008 (masking) and 2010 (salt and pepper, Gaussian). Every
result stays in [0, 1] and is not binarised again. Blur is here for visitors: no model was trained on it.
"""

from __future__ import annotations

import torch
from torch import Tensor

LIMITS = {"masking": 0.7, "salt_pepper": 0.4, "gaussian": 0.7}  # the strongest that the DAE is trained on
KINDS = tuple(LIMITS)
UNSEEN = {"blur": 3.0}  # kinds the DAE never saw, with the strongest amount offered
CLEAN_SHARE = 0.1  # of the training inputs: a DAE that never sees a clean image damages clean images


def corrupt(x: Tensor, kind: str, amount: float | Tensor, generator: torch.Generator) -> Tensor:
    """Spoil x (B, 784) in [0, 1]; the same generator state gives the same picture.

    `amount` is one number or (B,): the share of the pixels set to 0 (masking), the share set to 0 or 1
    with equal chance (salt_pepper), σ of the noise before clipping (gaussian), σ in pixels (blur).
    Raises ValueError for another kind or a negative amount.
    """
    if kind not in LIMITS | UNSEEN:
        raise ValueError(f"Corruption must be one of {', '.join(LIMITS | UNSEEN)}; got {kind!r}.")
    amount = torch.as_tensor(amount, dtype=x.dtype, device=x.device).reshape(-1, 1)
    if bool((amount < 0).any()):
        raise ValueError(f"The amount of a corruption cannot be negative; got {float(amount.min())}.")
    if kind == "blur":
        return _blur(x, amount)
    if kind == "gaussian":
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return (x + amount * noise).clamp(0, 1)
    u = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    if kind == "masking":
        return x * (u >= amount)
    return torch.where(u < amount, (u < amount / 2).to(x.dtype), x)  # the lower half of u's range turns white


def corrupt_mixed(x: Tensor, generator: torch.Generator) -> Tensor:
    """The DAE's training mixture: (B, 784) → (B, 784).

    Each image draws its own kind with equal chance and its own amount, uniform from 0 to the kind's
    limit; a tenth of them stay clean.
    """
    which = torch.rand(len(x), 1, generator=generator, device=x.device)
    strength = torch.rand(len(x), generator=generator, device=x.device)
    out = x
    for i, kind in enumerate(KINDS):
        low = CLEAN_SHARE + (1 - CLEAN_SHARE) * i / len(KINDS)
        spoilt = corrupt(x, kind, strength * LIMITS[kind], generator)
        out = torch.where(which >= low, spoilt, out)  # later kinds overwrite: each keeps its own interval
    return out


def flip(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Turn each pixel v into 1 − v with probability `share`: (B, 784) → (B, 784)."""
    flips = torch.rand(x.shape, generator=generator, device=x.device) < share
    return torch.where(flips, 1 - x, x)


def _blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Separable Gaussian blur with zeros outside, exact for every σ by a 28×28 kernel matrix."""
    i = torch.arange(28, dtype=x.dtype, device=x.device)
    distance = (i[:, None] - i[None, :]).square()
    kernel = torch.exp(-0.5 * distance / sigma.clamp(min=1e-3).square()[:, :, None])  # (B or 1, 28, 28)
    row = torch.arange(-28, 29, dtype=x.dtype, device=x.device)
    norm = torch.exp(-0.5 * row.square() / sigma.clamp(min=1e-3).square()).sum(-1)  # ink leaves at the edge
    kernel = kernel / norm[:, None, None]
    image = x.view(-1, 28, 28)
    return (kernel @ image @ kernel.transpose(1, 2)).reshape(-1, 784).clamp(0, 1)
