"""q_D(x̃ | x): how an image is spoilt before a denoising autoencoder sees it.

The corruption process of Vincent et al. 2008 (masking) and 2010 (salt and pepper, Gaussian). Every
result stays in [0, 1] and is not binarised again. Blur is here for visitors: no model was trained
on it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # a page that offers the corruptions paints before torch is there
    import torch
    from torch import Tensor

CLEAN_SHARE = 0.1  # of the training inputs: a DAE that never sees a clean image damages clean images


class Corruption(NamedTuple):
    """One way to spoil a digit: the whole of what anybody knows of it."""

    name: str
    unit: str  # what its amount is
    amounts: tuple[float, ...]  # what Restore offers and denoising is measured at; the last one is the limit
    start: float  # where its slider starts; of those trained on, where baselines are told
    trained_on: bool  # a DAE's training draws it too, so a further row of these asks for DAEs to be trained again
    noise: str | None  # "rand" or "randn", torch's name of the noise of each pixel; None where there is no chance
    spoil: Callable[[Tensor, Tensor, Tensor | Any], Tensor]  # x (B, 784), amount (B or 1, 1), noise (B, 784) or None

    @property
    def limit(self) -> float:
        return self.amounts[-1]


def _masking(x: Tensor, share: Tensor, u: Tensor) -> Tensor:
    return x * (u >= share)


def _salt_pepper(x: Tensor, share: Tensor, u: Tensor) -> Tensor:
    return x.where(u >= share, (u < share / 2).to(x.dtype))  # the lower half of the share turns white


def _gaussian(x: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    return (x + sigma * noise).clamp(0, 1)


def _blur(x: Tensor, sigma: Tensor, _: Any) -> Tensor:
    """Separable Gaussian blur with zeros outside, exact for every σ by a 28×28 kernel matrix."""
    import torch

    i = torch.arange(28, dtype=x.dtype, device=x.device)
    distance = (i[:, None] - i[None, :]).square()
    kernel = torch.exp(-0.5 * distance / sigma.clamp(min=1e-3).square()[:, :, None])  # (B or 1, 28, 28)
    row = torch.arange(-28, 29, dtype=x.dtype, device=x.device)
    norm = torch.exp(-0.5 * row.square() / sigma.clamp(min=1e-3).square()).sum(-1)  # ink leaves at the edge
    kernel = kernel / norm[:, None, None]
    image = x.view(-1, 28, 28)
    return (kernel @ image @ kernel.transpose(1, 2)).reshape(-1, 784).clamp(0, 1)


_EIGHTS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
_SEVENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
# The register, in the order of every list. static/maths/digit.mjs has a function of each name, held to these by a test.
CORRUPTIONS = {
    "masking": Corruption("Masking", "Share of pixels put out", _SEVENTHS, 0.5, True, "rand", _masking),
    "salt_pepper": Corruption(
        "Salt and pepper", "Share of pixels set to black or white", _EIGHTS, 0.25, True, "rand", _salt_pepper
    ),
    "gaussian": Corruption("Gaussian noise", "σ of the noise", _SEVENTHS, 0.5, True, "randn", _gaussian),
    "blur": Corruption("Blur", "σ in pixels", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), 1.5, False, None, _blur),
}


def corrupt(x: Tensor, kind: str, amount: float | Tensor, generator: torch.Generator) -> Tensor:
    """Spoil x (B, 784) in [0, 1]; the same generator state gives the same picture.

    `amount` is one number or (B,), in the unit of its row. Raises ValueError for another kind or a negative amount.
    """
    import torch

    if kind not in CORRUPTIONS:
        raise ValueError(f"Corruption must be one of {', '.join(CORRUPTIONS)}; got {kind!r}.")
    amount = torch.as_tensor(amount, dtype=x.dtype, device=x.device).reshape(-1, 1)
    if bool((amount < 0).any()):
        raise ValueError(f"The amount of a corruption cannot be negative; got {float(amount.min())}.")
    found, noise = CORRUPTIONS[kind], None
    if found.noise:
        noise = getattr(torch, found.noise)(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return found.spoil(x, amount, noise)


def corrupt_mixed(x: Tensor, generator: torch.Generator) -> Tensor:
    """The DAE's training mixture: (B, 784) → (B, 784).

    Each image draws its own kind with equal chance and its own amount, uniform from 0 to the kind's
    limit; a tenth of them stay clean.
    """
    import torch

    which = torch.rand(len(x), 1, generator=generator, device=x.device)
    strength = torch.rand(len(x), generator=generator, device=x.device)
    out, kinds = x, [kind for kind, found in CORRUPTIONS.items() if found.trained_on]
    for i, kind in enumerate(kinds):
        low = CLEAN_SHARE + (1 - CLEAN_SHARE) * i / len(kinds)
        spoilt = corrupt(x, kind, strength * CORRUPTIONS[kind].limit, generator)
        out = torch.where(which >= low, spoilt, out)  # later kinds overwrite: each keeps its own interval
    return out


def flip(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Turn each pixel v into 1 − v with probability `share`: (B, 784) → (B, 784)."""
    import torch

    flips = torch.rand(x.shape, generator=generator, device=x.device) < share
    return torch.where(flips, 1 - x, x)
