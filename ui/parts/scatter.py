"""Codes as dots, before the browser has them: the same square and the same dots as static/maths/codes.mjs fits."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ui.shell.family import DIGIT_COLOURS

SIZE = 720  # pixels of a first picture: shown smaller, so that dots have soft edges
# As static/maths/codes.mjs fits its first view: nothing moves when the live map takes the picture's place.
QUANTILE = 0.015
MARGIN = 0.06


def extent(mean: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (2,) and half-width of the square that holds nearly all codes (N, 2) and the circle of radius 2."""
    values = np.sort(mean, axis=0)
    at = int(QUANTILE * (len(values) - 1))
    low, high = np.minimum(values[at], -2), np.maximum(values[-1 - at], 2)
    return (low + high) / 2, max(float((high - low).max()) / 2, 1e-6) * (1 + 2 * MARGIN)


def draw_points(mean: np.ndarray, label: np.ndarray, size: int = SIZE, colours: Sequence[str] = DIGIT_COLOURS) -> bytes:
    """Codes (N, 2) coloured by label (N,) as a PNG, size × size, transparent between the points."""
    centre, half = extent(mean)
    scale = size / (2 * half)
    image = Image.new("P", (size, size), 255)
    palette = bytes.fromhex("".join(c[1:] for c in colours))
    image.putpalette(palette.ljust(768, b"\0"))
    draw = ImageDraw.Draw(image)
    radius = size / 300
    for (x, y), colour in zip(((mean - centre) * scale).tolist(), label.tolist(), strict=True):
        x, y = x + size / 2, size / 2 - y
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=255)
    return buffer.getvalue()
