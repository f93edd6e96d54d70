"""Every way between two digits, its pace and its film: what the page Interpolate shows."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ui.live.cast import Standing
from ui.parts.tiles import Strip
from vae_core import latent
from vae_core.judge import Judge
from vae_core.models import Autoencoder

# Samples to open with, by data set: well legible, their paces near the medians over all pairs (benchmarks/ways.py).
START = {"mnist": (3, 7), "digits": (13, 16)}
HEAD = ("", "longest step, px", "longest / mean", "detour", "digits between")


class Walker(NamedTuple):
    """A model, and where it is conditional the labels that it is told of both ends."""

    about: Standing
    model: Autoencoder
    told: tuple[int, int] | None = None


class Ways:
    """`ways(t)`: the pictures of every way at each t (T,) in [0, 1], in the order in which the page shows them.

    walkers in the order of the page; ends (2, 784) in [0, 1].
    """

    def __init__(self, walkers: Sequence[Walker], ends: Tensor, *, spherical: bool):
        self.walkers, self.ends, self.spherical = walkers, ends, spherical
        self.codes = [latent.embed(w.model, ends, w.told and torch.tensor(w.told)).mean for w in walkers]  # (2, D) each

    def __call__(self, t: Tensor) -> list[Strip]:
        blend = torch.lerp(self.ends[:1], self.ends[1:], t[:, None])
        shown = [_row("Pixels", "plain blend", blend)]
        for walker, code in zip(self.walkers, self.codes, strict=True):
            shown += self._with_labels(walker, walker.told, code, t) if walker.told else [self._plain(walker, code, t)]
        return shown

    def _plain(self, walker: Walker, code: Tensor, t: Tensor) -> Strip:
        z = latent.interpolate(code[0], code[1], t, spherical=self.spherical)
        return _row(walker.about.title, note(walker.about), latent.decode(walker.model, z))

    def _with_labels(self, walker: Walker, told: tuple[int, int], code: Tensor, t: Tensor) -> list[Strip]:
        """The hand walks, the label does, both do; where the labels are one, only the hand has a way."""
        (a, b), model, name = told, walker.model, walker.about.title
        z = latent.interpolate(code[0], code[1], t, spherical=self.spherical)
        stay, switch = [a] * len(t), [a if s < 0.5 else b for s in t.tolist()]
        colours, (first, second) = walker.about.data.colours, (walker.about.data.classes[y] for y in (a, b))
        style = _row(
            f"{name} style",
            f"label {first} throughout",
            latent.decode(model, z, torch.tensor(stay)),
            [colours[a]] * len(t),
        )
        if a == b:
            return [style]
        blend = latent.decode_between_labels(model, code[:1].expand(len(t), -1), a, b, t)
        both = latent.decode(model, z, torch.tensor(switch))
        return [
            style,
            _row(f"{name} label", f"{first} blends to {second}: never trained", blend),
            _row(f"{name} both", f"label switches {first} to {second}", both, [colours[y] for y in switch]),
        ]


def note(one: Standing) -> str:
    return "mean to mean" if one.probabilistic else "code to code"


def _row(name: str, note: str, pictures: Tensor, edges: list[str] | None = None) -> Strip:
    """Pictures (T, 784) framed in the colour of the label that each was told."""
    return Strip(name, note, pictures.numpy(), f"{name}, {note}: from the first digit to the second", edges)


def steps(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pace of ways (…, T, 784): longest step in pixels of ink, longest over mean step, whole way over the straight
    one; (…,) each. A ratio is NaN where there is no way."""
    step = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().sum(-1)  # (…, T - 1)
    straight = (pictures[..., -1, :] - pictures[..., 0, :]).abs().sum(-1)
    nan = torch.tensor(torch.nan)
    longest, mean = step.amax(-1), step.mean(-1)
    even = torch.where(mean > 1e-3, longest / mean, nan)
    return longest, even, torch.where(straight > 1e-3, step.sum(-1) / straight, nan)


def pace(way: Strip, judge: Judge | None) -> tuple[str, ...]:
    """How far and how evenly a row walks, and how many of its pictures strictly between the ends are digits, as a line
    of the table."""
    pictures = torch.tensor(way.pictures)
    longest, *ratios = (float(v) for v in steps(pictures))
    between = pictures[1:-1]
    digits = "—" if judge is None else f"{int(judge.is_digit(between).sum())} of {len(between)}"
    return (
        way.name.replace(" ", "\u00a0"),
        f"{longest:.1f}",
        *("—" if np.isnan(r) else f"{r:.2f}" for r in ratios),
        digits,
    )


def read(here: Sequence[Strip], judge: Judge) -> str:
    """What a classifier reads in the first picture of every way."""
    pictures = torch.tensor(np.stack([way.pictures[0] for way in here]))
    read = zip(here, judge.label(pictures).tolist(), judge.is_digit(pictures).tolist(), strict=True)
    return ", ".join(f"{way.name} {y}" if good else f"{way.name} no digit" for way, y, good in read)


def animation(ways: Ways, frames: int = 25, scale: int = 4) -> bytes:
    """All ways side by side from one digit to the other and back, as a GIF."""
    strips = ways(torch.linspace(0, 1, frames))
    tall = [np.stack([np.asarray(p).reshape(28, 28) for p in way.pictures]) for way in strips]
    film = np.rint(255 * np.clip(np.concatenate(tall, axis=2), 0, 1)).astype(np.uint8).repeat(scale, 1).repeat(scale, 2)
    pictures = [_named(Image.fromarray(frame), [way.name for way in strips]) for frame in film]
    pictures += pictures[-2:0:-1]
    durations = [400 if i in (0, frames - 1) else 80 for i in range(len(pictures))]  # milliseconds; rests at the digits
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return buffer.getvalue()


def _named(picture: Image.Image, names: list[str]) -> Image.Image:
    """The names under equally wide columns; Pillow's own font has no signs, so the words alone."""
    wide = picture.width / len(names)
    said = [textwrap.wrap("".join(c for c in name if c.isascii()).strip(), int(wide / 6.5))[:2] for name in names]
    out = Image.new("L", (picture.width, picture.height + 6 + 14 * max(map(len, said))))
    out.paste(picture, (0, 0))
    draw = ImageDraw.Draw(out)
    for i, lines in enumerate(said):
        for k, words in enumerate(lines):
            draw.text(((i + 0.5) * wide, picture.height + 9 + 14 * k), words, fill=220, anchor="mm")
    return out
