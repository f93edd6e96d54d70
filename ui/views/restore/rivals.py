"""Who brings back a spoilt digit on the page "Restore", how well, and the tables that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ui.live import store
from ui.live.cast import SHIPPED_ON, Standing
from ui.parts.readout import listed
from ui.parts.tiles import numbers
from vae_core import latent, metrics
from vae_core.chance import normals, uniforms
from vae_core.corruption import CORRUPTIONS
from vae_core.spread import Spread

# Of the fields of `metrics.Restoration`, in its order: the head, how it is written, which of many is the best.
COLUMNS = (
    ("nats", "{:.2f}", min),
    ("MSE", "{:.4f}", min),
    ("PSNR, dB", "{:.2f}", max),
    ("wrong pixels", "{:.1%}", min),
)
DRAWS = {"rand": uniforms, "randn": normals}


class Told(NamedTuple):
    """What a conditional model is told."""

    label: int
    how: str  # how it is known


class Member(NamedTuple):
    """A model on the page; `told` by itself, None where it is not conditional."""

    about: Standing
    told: Told | None = None


class Rival(NamedTuple):
    """One who brings the digit back."""

    name: str  # in tables
    phrase: str  # in sentences
    pixels: Tensor | None  # (1, 784); None where the app does not hold what draws it
    means: dict[str, float] | None  # of test digits, by the fields of `metrics.Restoration`
    why: str | None = None  # the means are not there, or beside the others': the end of a sentence
    words: str | None = None  # what it is told
    spreads: Sequence[Spread] = ()  # of the means, over trainings from several seeds


class Line(NamedTuple):
    """Of a table: who, the four fields where they are known, and whether they compare with the others."""

    name: str
    phrase: str
    values: Sequence[float] | None
    compares: bool = True
    spreads: Sequence[Spread] = ()  # of the values, where they are means of a model that was trained several times


def spoil(x: Tensor, kind: str, amount: float, seed: int) -> Tensor:
    """The spoilt copy of x (1, 784) that the browser shows for this seed (static/maths/digit.mjs)."""
    row = CORRUPTIONS[kind]
    noise = torch.tensor([DRAWS[row.noise](seed, x.shape[1])], dtype=torch.float64) if row.noise else None
    return row.spoil(x.double(), torch.tensor([[amount]], dtype=torch.float64), noise).float()


def measured(kind: str, amount: float) -> float:
    """The amount nearest to this one of those that are measured; of two the lesser."""
    return min(CORRUPTIONS[kind].amounts, key=lambda one: (round(abs(one - amount), 9), one))


def side(kind: str, amount: float) -> int:
    """The median filter's size at a measured amount, as it was tuned on training images."""
    found = store.baselines().get("median", {}).get(kind, {}).get(f"{amount:g}")
    return int(found["size"]) if found else metrics.MEDIAN_SIZES[0]


def plain(spoilt: Tensor, kind: str, amount: float) -> list[Rival]:
    """Those that need no network: nothing done, the median filter, the regression."""
    at = measured(kind, amount)
    means = {b: store.baselines().get(b, {}).get(kind, {}).get(f"{at:g}") for b in ("corrupted", "median", "ridge")}
    size = side(kind, at)
    # Of the regressions three are kept, of the others their scores.
    ridge = store.ridges().get(kind) if metrics.HEADLINE.get(kind) == amount else None
    return [
        Rival("Spoilt", "the spoilt digit itself", spoilt, means["corrupted"]),
        Rival(
            f"Median filter {size}×{size}", "the median filter", metrics.median_filter(spoilt, size), means["median"]
        ),
        Rival("Ridge regression", "the ridge regression", ridge and ridge(spoilt), means["ridge"]),
    ]


def rival(member: Member, spoilt: Tensor, kind: str, amount: float, said: int | None) -> Rival:
    """A model, the digit as it draws it again, and what its card says of many. said: the label that a visitor chose."""
    one = member.about
    model, card = store.guard(one.slug)
    y, words = None, None
    if member.told:
        label, how = (member.told.label, member.told.how) if said is None else (said, "as you chose")
        y = torch.tensor([label])
        words = f"The {one.name} is told the label, {one.data.classes[label]} ({how})."
    pixels = latent.decode(model, latent.encode_as_is(model, spoilt, y).mean, y)
    at = f"{measured(kind, amount):g}"
    means = card["denoising"].get(kind, {}).get(at)
    ranges = [store.over_seeds(one.slug, ("denoising", kind, at, field)) for field in metrics.Restoration._fields]
    spreads = [found for found in ranges if found] if all(ranges) else []
    why = None
    if means is None:
        why = "there are no means on its card"
        if model.config.seen != "binary":
            why = "there are no means, since they are measured of models of black and white pixels"
    elif one.dataset != SHIPPED_ON:
        why = f"its means are of the first test images of its own data set, {one.data.title}"
    return Rival(one.title, f"the {one.name}", pixels, means, why, words, spreads)


def headline() -> str:
    """The three cells that the README's table shows, in words."""
    return ", ".join(f"{CORRUPTIONS[kind].name.lower()} {amount:g}" for kind, amount in metrics.HEADLINE.items())


def leaders(lines: Sequence[Line]) -> str:
    """Who is best in which column, in words: "the DAE in nats and MSE, the ridge regression in wrong pixels"."""
    columns: dict[str, list[str]] = {}
    best = best_cells(lines)
    for c, (head, _, _) in enumerate(COLUMNS if best else ()):
        who = [one.phrase for r, one in enumerate(lines) if (r, c) in best]
        columns.setdefault(listed(who), []).append(head.removesuffix(", dB"))
    if len(columns) == 1:
        return f"{next(iter(columns))} in all four measures"
    return "; ".join(f"{who} in {listed(heads)}" for who, heads in columns.items())


def best_cells(lines: Sequence[Line]) -> set[tuple[int, int]]:
    """The best of each column among those that compare, as (line, column): who shows the same number is as good, and a
    model whose trainings overlap with the best one's."""
    known = {r: line.values for r, line in enumerate(lines) if line.values and line.compares}
    found = set()
    for c, (_, form, better) in enumerate(COLUMNS if known else ()):
        first = better(known, key=lambda r: known[r][c])
        found |= {
            (r, c)
            for r, values in known.items()
            if form.format(values[c]) == form.format(known[first][c]) or _meet(lines[r], lines[first], c)
        }
    return found


def _meet(one: Line, other: Line, column: int) -> bool:
    return bool(one.spreads and other.spreads) and one.spreads[column].meets(other.spreads[column])


def _written(values: Sequence[float]) -> list[str]:
    """The four fields; no noise at all is no number of dB."""
    cells = [form.format(v) for (_, form, _), v in zip(COLUMNS, values, strict=True)]
    return cells if values[1] else [*cells[:2], "∞", cells[3]]


def table(lines: Sequence[Line]) -> None:
    """The four fields of each rival; of those that compare the best of each column in bold."""
    numbers(
        ("", *(head for head, _, _ in COLUMNS)),
        [(line.name, *_written(line.values)) if line.values else (line.name, *"————") for line in lines],
        best_cells={(r, c + 1) for r, c in best_cells(lines)},
    )
