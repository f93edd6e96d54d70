"""Colours for classes that colour-blind people can tell apart: Petroff's ten, and further ones chosen the same way."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# The ten-colour cycle of M. Petroff, arXiv 2107.02270.
TEN = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")

LEVELS = 16  # of each channel among the candidates
LIGHTNESS = (0.45, 0.85)  # OKLab: seen on white and on near-black
# Linear RGB as people without one kind of cone see it (Machado, Oliveira & Fernandes 2009, severity 1).
_VISIONS = np.array(
    [
        np.eye(3),
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
# B. Ottosson, "A perceptual color space for image processing", 2020.
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@lru_cache(maxsize=16)
def palette(n: int) -> tuple[str, ...]:
    """n colours, the first ten always Petroff's. Each further one is the candidate that lies farthest from its nearest
    predecessor, for whoever sees it worst. With more than about fifteen a name must stand beside a colour."""
    found: list[str] = list(TEN[:n])
    if n > len(found):
        step = np.linspace(0, 255, LEVELS).round().astype(int)
        grid = np.stack(np.meshgrid(step, step, step, indexing="ij"), -1).reshape(-1, 3)
        seen = seen_as(grid)  # (4, N, 3)
        usable = (seen[0, :, 0] >= LIGHTNESS[0]) & (seen[0, :, 0] <= LIGHTNESS[1])
        grid, seen = grid[usable], seen[:, usable]
        near = _distances(seen, seen_as(np.array([rgb(colour) for colour in found])))
        while len(found) < n:
            best = int(near.argmax())
            found.append("#{:02x}{:02x}{:02x}".format(*grid[best]))
            near = np.minimum(near, _distances(seen, seen[:, best : best + 1]))
    return tuple(found)


def rgb(colour: str) -> tuple[int, ...]:
    """ "#ff8000" → (255, 128, 0)."""
    return tuple(bytes.fromhex(colour[1:]))


def seen_as(colours: np.ndarray) -> np.ndarray:
    """sRGB (N, 3) in 0 … 255 → OKLab (4, N, 3), to people with three kinds of cones and to those who lack one."""
    c = colours / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = (linear @ _VISIONS.transpose(0, 2, 1)).clip(0, 1)
    return np.cbrt(linear @ _LMS.T) @ _LAB.T


def _distances(seen: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each of (4, N, 3) lies from the nearest of (4, M, 3), to whoever sees least of it: (N,)."""
    return np.linalg.norm(seen[:, :, None] - others[:, None], axis=-1).min((0, 2))
