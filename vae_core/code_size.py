"""How many numbers, and how many bits, a code needs: codes are rounded, and what other compressors take is counted.

Bits of one picture throughout; 1 nat is 1/ln 2 = 1.44 bits.
"""

from __future__ import annotations

import io
import math
import zlib
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vae_core import losses
from vae_core.config import PIXELS
from vae_core.models import Autoencoder, Code

BITS = (1, 2, 3, 4, 5, 6, 7, 8)  # that a number of the code may have
INSIDE = 0.998  # share of the training codes' numbers that the steps of a rounding span
NEIGHBOURS = 5
ACTIVE = 0.01  # nats of KL above which a dimension says something, as in Burda et al. (2015) by another measure
BITS_OF_A_NAT = 1 / math.log(2)


class Range(NamedTuple):
    """Where the numbers of a code lie, (D,) each: what both ends of a wire know before a digit comes."""

    low: Tensor
    high: Tensor


def spanned(codes: Tensor) -> Range:
    """By dimension the middle `INSIDE` of the codes (N, D)."""
    rest = (1 - INSIDE) / 2
    low, high = torch.quantile(codes.double(), torch.tensor([rest, 1 - rest], dtype=torch.float64), dim=0).float()
    return Range(low, torch.maximum(high, low + 1e-6))


def rounded(z: Tensor, within: Range, bits: int) -> Tensor:
    """Each number of z (N, D) in the middle of the step that it lies in, of 2**bits steps between its bounds; what lies
    outside comes into the outermost step."""
    steps = 2**bits
    width = (within.high - within.low) / steps
    step = ((z - within.low) / width).floor().clamp(0, steps - 1)
    return within.low + (step + 0.5) * width


def as_png(image: np.ndarray) -> int:
    """Bits of a binarised image (784,) as a PNG file of one bit a pixel: its head and frame, 67 bytes, included."""
    side, buffer = math.isqrt(PIXELS), io.BytesIO()
    Image.fromarray(np.asarray(image).reshape(side, side) >= 0.5).save(buffer, "PNG", optimize=True)
    return 8 * buffer.tell()


def as_zlib(image: np.ndarray) -> int:
    """Bits of the same pixels, eight to a byte, under zlib's strongest level."""
    return 8 * len(zlib.compress(np.packbits(np.asarray(image) >= 0.5).tobytes(), 9))


class Drawn(NamedTuple):
    """What a code draws, by image."""

    pixels: Tensor  # (N, 784)
    nats: Tensor  # (N,) −log p(x | z)
    mse: Tensor  # (N,)


@torch.inference_mode()
def drawn(model: Autoencoder, images: Tensor, z: Tensor, labels: Tensor | None = None) -> Drawn:
    """Images (N, 784) drawn from codes (N, D), which may have been rounded."""
    x = model.observe(images)
    pixels = model.pixels(z, labels)
    return Drawn(pixels, model.nll(x, model.decode(z, labels)), losses.mean_squared_error(pixels, x))


def probe(train: Tensor, labels: Tensor, test: Tensor, truth: Tensor) -> float:
    """Share of test codes (M, D) whose nearest training codes (N, D) vote for their class."""
    from sklearn.neighbors import KNeighborsClassifier

    reader = KNeighborsClassifier(NEIGHBOURS).fit(train.numpy(), labels.numpy())
    return float((reader.predict(test.numpy()) == truth.numpy()).mean())


def active(code: Code) -> int | None:
    """Dimensions with a mean KL to N(0, 1) above `ACTIVE`; None where a code has no posterior."""
    if code.logvar is None:
        return None
    return int((losses.gaussian_kl(code.mean, code.logvar).mean(0) > ACTIVE).sum())
