"""What the page "Restore" spoils a digit with, who brings it back, and its tables of who does it best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st
import torch
from torch import Tensor

from ui.live import store
from ui.live.cast import SHIPPED_ON, Standing
from ui.parts.digit import Chosen
from ui.parts.picture import label_for
from ui.parts.tiles import numbers
from ui.shell.failure import callback
from vae_core import latent, metrics
from vae_core.corruption import CORRUPTIONS

# Of the fields of `metrics.Restoration`, in its order: the head, how it is written, which of many is the best.
COLUMNS = (
    ("nats", "{:.2f}", min),
    ("MSE", "{:.4f}", min),
    ("PSNR, dB", "{:.2f}", max),
    ("wrong pixels", "{:.1%}", min),
)


class Rival(NamedTuple):
    """One who brings the digit back."""

    name: str
    pixels: Tensor | None  # (1, 784); None where the app does not hold what draws it
    means: dict[str, float] | None  # of test digits, by the fields of `metrics.Restoration`
    why: str | None = None  # the means are not there, or beside the others': the end of a sentence
    told: int | None = None  # the label, where it is told one, and in words
    words: str | None = None


class Line(NamedTuple):
    """Of a table: who, the four fields where they are known, and whether they compare with the others."""

    name: str
    values: Sequence[float] | None
    compares: bool = True


def plain(spoilt: Tensor, kind: str, amount: float) -> list[Rival]:
    """Those that need no network: nothing done, the median filter, the regression."""
    means = {b: store.baselines().get(b, {}).get(kind, {}).get(f"{amount:g}") for b in ("corrupted", "median", "ridge")}
    side = means["median"]["size"] if means["median"] else 3
    # Of the regressions three are kept, of the others their scores.
    ridge = store.ridges().get(kind) if metrics.HEADLINE.get(kind) == amount else None
    return [
        Rival("Spoilt", spoilt, means["corrupted"]),
        Rival(f"Median filter {side}×{side}", metrics.median_filter(spoilt, side), means["median"]),
        Rival("Ridge regression", ridge and ridge(spoilt), means["ridge"]),
    ]


def rival(one: Standing, spoilt: Tensor, chosen: Chosen, kind: str, amount: float) -> Rival:
    """A model, the digit as it draws it again, and what its card says of many."""
    model, card = store.guard(one.slug)
    label, y, words = None, None, None
    if one.conditional:
        label, how = label_for(chosen, model, one.dataset)
        y, words = torch.tensor([label]), f"The {one.name} is told the label, {label} ({how})."
    pixels = latent.decode(model, latent.encode_as_is(model, spoilt, y).mean, y)
    means = card["denoising"].get(kind, {}).get(f"{amount:g}")
    why = None
    if means is None:
        why = "there are no means on its card"
        if model.config.likelihood != "bernoulli":
            why = "there are no means, since they are measured of models of black and white pixels"
    elif one.dataset != SHIPPED_ON:
        why = f"its means are of the first test images of its own data set, {one.dataset}"
    return Rival(one.title, pixels, means, why, label, words)


def named(kind: str) -> str:
    """A corruption in the list of all."""
    way = CORRUPTIONS[kind]
    return way.name if way.trained_on else f"{way.name}, never seen by the DAE"


def headline() -> str:
    """The three cells that the README's table shows, in words."""
    return ", ".join(f"{CORRUPTIONS[kind].name.lower()} {amount:g}" for kind, amount in metrics.HEADLINE.items())


@callback
def spoil_again() -> None:
    """The next run of the page spoils with another seed."""
    st.session_state["spoil_seed"] += 1


def table(lines: Sequence[Line]) -> None:
    """The four fields of each rival; of those that compare the best of each column in bold."""
    heads, formats, betters = zip(*COLUMNS, strict=True)
    known = [line.values for line in lines if line.values and line.compares]
    best = [better(column) for better, column in zip(betters, zip(*known, strict=True), strict=False)]
    numbers(
        ("", *heads),
        [
            (line.name, *(f.format(v) for f, v in zip(formats, line.values, strict=True)))
            if line.values
            else (line.name, *"————")
            for line in lines
        ],
        best_cells={
            (r, c + 1)
            for r, line in enumerate(lines)
            if line.values and line.compares
            for c, v in enumerate(line.values)
            if v == best[c]
        },
    )
