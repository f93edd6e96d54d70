"""Arrows in code space: which way a code goes for a thicker stroke, or for one that leans.

Thickness and slant are measured on the drawings themselves. SciPy and scikit-image are imported where they are used:
pages that ask only which way an arrow points do not wait for them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_core import latent
from vae_core.config import PIXELS
from vae_core.judge import Judge
from vae_core.models import Autoencoder

ATTRIBUTES = ("thickness", "slant")
ASKED = 2.0  # sd of real digits, to either side
TRIED = 1000  # first test images that are moved
_RIDGE = 1e-6  # of the mean variance of a code's numbers, added to each


def thickness(images: Tensor) -> np.ndarray:
    """Width of the stroke in pixels of each drawing (N, 784): (N,), not a number where there is no ink.

    The mean distance to the edge along the skeleton, on the drawing enlarged twice and cut at half of full ink: half a
    width of twice as many pixels.
    """
    from scipy import ndimage
    from skimage.morphology import skeletonize

    found = []
    for picture in _pictures(images):
        ink = np.pad(ndimage.zoom(picture, 2, order=1, mode="nearest", grid_mode=True) > 0.5, 1)
        skeleton = skeletonize(ink)
        found.append(ndimage.distance_transform_edt(ink)[skeleton].mean() if skeleton.any() else np.nan)
    return np.array(found)


def slant(images: Tensor) -> np.ndarray:
    """By how many degrees each drawing (N, 784) leans to the right of upright: (N,), not a number where it is empty.

    From the second moments of its ink: the shear that would make them upright is tan of it.
    """
    ink = _pictures(images).astype(np.float64)
    place = np.arange(ink.shape[-1])
    with np.errstate(invalid="ignore"):
        ink /= ink.sum((1, 2), keepdims=True)
    x, y = ((place - (ink.sum(axis) @ place)[:, None]) for axis in (1, 2))
    across = np.einsum("nij,ni,nj->n", ink, y, x)
    down = np.einsum("nij,ni,ni->n", ink, y, y)
    return np.degrees(np.arctan2(-across, down))  # y counts downwards


def attributes(images: Tensor) -> np.ndarray:
    """(N, 2), in the order of `ATTRIBUTES`."""
    return np.stack([thickness(images), slant(images)], axis=1)


def fit(codes: Tensor, labels: Tensor, found: np.ndarray, n_classes: int) -> Tensor:
    """Arrows of each class, (K, 2, D), from codes (N, D), their classes and the attributes (N, 2) of their images.

    An arrow is a step that a linear regression within the class takes for one sd of the attribute over all images, and
    the shortest of them as this class's codes lie: d = C w / (wᵀ C w), where w are the weights and C the covariance.
    C w is the covariance of code and attribute. The weights themselves may lie along numbers that the decoder does not
    look at, so that nothing moves; the covariance lies where the codes do. Within a class, since which digit it is goes
    with both: an arrow through all codes leads from ones to zeros, too.
    """
    z, y = codes.double().numpy(), labels.numpy()
    ink = ~np.isnan(found).any(1)
    sd, steps = found[ink].std(0), []
    for k in range(n_classes):
        here = (y == k) & ink
        if (n := int(here.sum())) < 3:
            raise ValueError(f"Expected three codes of class {k} at least, got {n}.")
        code, asked = z[here] - z[here].mean(0), (found[here] - found[here].mean(0)) / sd
        spread, shared = code.T @ code / n, code.T @ asked / n  # C, (D, D), and C w, (D, 2)
        spread += (_RIDGE * spread.trace() / len(spread) + 1e-12) * np.eye(len(spread))  # a number may never vary
        told = (shared * np.linalg.solve(spread, shared)).sum(0)  # wᵀ C w
        steps.append((shared / np.maximum(told, 1e-12)).T)
    return torch.from_numpy(np.stack(steps)).float()


class Effect(NamedTuple):
    """What a step of `asked` sd along one attribute's arrow does to drawings of test digits, in the mean over them."""

    reached: float  # sd of real digits by which the attribute itself changes
    other: float  # by which the other one changes along
    right: float  # share of the digits that change the right way
    kept: float  # share that the judge calls what it called them before
    digit: float  # share that the judge still takes for a digit


@torch.inference_mode()
def effects(
    model: Autoencoder, arrows: Tensor, sd: np.ndarray, z: Tensor, labels: Tensor, grader: Judge
) -> dict[str, dict[str, Effect]]:
    """{attribute: {"less": at −ASKED, "more": at +ASKED}} on codes z (N, D); sd (2,) that of real digits' attributes.

    A code takes the arrows of the label that a conditional model is told, else of what the judge sees in its drawing.
    """
    y = labels if model.conditional else None
    start = latent.decode(model, z, y)
    before, called = attributes(start), grader.label(start)
    step = arrows[called if y is None else y]  # (N, 2, D)
    found: dict[str, dict[str, Effect]] = {}
    for k, name in enumerate(ATTRIBUTES):
        found[name] = {}
        for way, asked in (("less", -ASKED), ("more", ASKED)):
            drawn = latent.decode(model, z + asked * step[:, k], y)
            change = (attributes(drawn) - before) / sd
            change = change[~np.isnan(change).any(1)]  # without ink there is neither; the judge sees it all the same
            found[name][way] = Effect(
                float(change[:, k].mean()),
                float(change[:, 1 - k].mean()),
                float((change[:, k] * asked > 0).mean()),
                float((grader.label(drawn) == called).float().mean()),
                float(grader.is_digit(drawn).float().mean()),
            )
    return found


def _pictures(images: Tensor) -> np.ndarray:
    side = math.isqrt(PIXELS)
    return images.numpy().reshape(-1, side, side)
