"""Every way between two digits, its pace and its film: what the page Interpolate shows."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ui.parts.tiles import Strip
from ui.shell.family import DIGIT_COLOURS, title
from vae_core import latent
from vae_core.judge import Judge
from vae_core.models import Autoencoder

# Samples to open with, by data set: well legible, their paces near the medians over all pairs (benchmarks/ways.py).
START = {"mnist": (3, 7), "digits": (13, 16)}
HEAD = ("", "longest step, px", "longest / mean", "detour", "digits between")


class Ways:
    """`ways(t)`: the pictures of every way at each t (T,) in [0, 1], in the order in which the page shows them.

    models by kind; ends (2, 784) in [0, 1]; labels of both ends, for the model that is told them.
    """

    def __init__(self, models: dict[str, Autoencoder], ends: Tensor, labels: tuple[int, int], *, spherical: bool):
        self.models, self.ends, self.labels, self.spherical = models, ends, labels, spherical
        self.codes = {  # of both ends, (2, D)
            kind: latent.embed(m, ends, torch.tensor(labels) if m.conditional else None).mean
            for kind, m in models.items()
        }

    def __call__(self, t: Tensor) -> list[Strip]:
        (a, b), cvae = self.labels, self.models["cvae"]
        z = {kind: latent.interpolate(*code, t, spherical=self.spherical) for kind, code in self.codes.items()}
        stay, switch = [a] * len(t), [a if s < 0.5 else b for s in t.tolist()]
        shown = [
            _row("Pixels", "plain blend", torch.lerp(self.ends[:1], self.ends[1:], t[:, None])),
            *(_row(title(k), "code to code", latent.decode(self.models[k], z[k])) for k in ("ae", "dae")),
            _row(title("vae"), "mean to mean", latent.decode(self.models["vae"], z["vae"])),
            _row(
                f"{title('cvae')} style",
                f"label {a} throughout",
                latent.decode(cvae, z["cvae"], torch.tensor(stay)),
                stay,
            ),
        ]
        if a == b:
            return shown
        blend = latent.decode_between_labels(cvae, self.codes["cvae"][:1].expand(len(t), -1), a, b, t)
        both = latent.decode(cvae, z["cvae"], torch.tensor(switch))
        return [
            *shown,
            _row(f"{title('cvae')} label", f"{a} blends to {b}: never trained", blend),
            _row(f"{title('cvae')} both", f"label switches {a} to {b}", both, switch),
        ]


def _row(name: str, note: str, pictures: Tensor, labels: list[int] | None = None) -> Strip:
    """Pictures (T, 784) framed in the colour of the label that each was told."""
    edges = labels and [DIGIT_COLOURS[y] for y in labels]
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
    out = Image.new("L", (picture.width, picture.height + 20))
    out.paste(picture, (0, 0))
    draw = ImageDraw.Draw(out)
    for i, name in enumerate(names):
        words = "".join(c for c in name if c.isascii()).strip()
        draw.text(((i + 0.5) * picture.width / len(names), picture.height + 9), words, fill=220, anchor="mm")
    return out
