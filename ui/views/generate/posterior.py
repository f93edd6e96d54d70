"""The part "Prior and posterior" of Generate: where the codes of all images lie together, beside where the prior is."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import streamlit as st
import torch

from ui.live import bridge, store
from ui.live.cast import Standing
from ui.parts import first
from ui.parts.tiles import numbers
from ui.shell.failure import fragment
from ui.shell.folded import folded

HEAD = (
    *("", "images", "E KL, nats", "mutual information", "at most log N", "KL(q(z) ‖ p)", "by Monte Carlo"),
    *("holes", "leaks", "apart"),
)

OF_DENSITIES = (
    *("code, z", "prior, N(0, I)", "posterior", "aggregated posterior, q(z)", "mutual information", "KL"),
    *("Gaussian", "μ, σ", "nat", "standard error", "VAE", "CVAE"),
)

WHAT_IT_MEANS = r"""
Each picture has a Gaussian $q(z \mid x_i)$ of its own; over $N$ pictures together they make the aggregated posterior
$q(z) = \frac{1}{N} \sum_i q(z \mid x_i)$. What a VAE pays for its codes splits into two:

$$
\frac{1}{N} \sum_i \mathrm{KL}(q(z \mid x_i) \,\|\, p) = I(x; z) + \mathrm{KL}(q(z) \,\|\, p)
$$

The **mutual information** tells which of the $N$ pictures it was, so it cannot exceed $\log N$: near that cap it says
more of $N$ than of the model. **KL(q(z) ‖ p)** is what parts all codes together from the prior. A **hole** is where
$q(z)$ is below a tenth of the prior, in shares of the prior's mass: random codes fall there, and no picture's code
does. A **leak** is where the prior is below a tenth of $q(z)$, in shares of the codes. **Apart** is half of
$\int |q(z) - p(z)|$: 0 where both are one, 1 where they never meet. Of few pictures $q(z)$ is a sum of narrow spots, so
part of every hole is the finite sample alone; that is why each number names its $N$.

The numbers are sums over a lattice whose step is below 99 % of the test images' σ. In each of its cells lies exactly
what each Gaussian holds of it, a product of two differences of Φ. Monte Carlo draws 10,000 codes from $q(z)$ instead; ±
is its standard error.
"""


@fragment
def prior_and_posterior(models: list[Standing]) -> None:
    """Both densities and what parts them, of each model."""
    found = {one: kept for one in models if (kept := store.measured("posterior", one.slug))}
    st.markdown(words(found))
    shown = [one for one in models if one in found and store.densities(one.slug) is not None]
    for one in models:
        if one not in shown:
            st.caption(f"{one.title}: not measured. `python -m vae_core measure {one.slug} --what posterior` does it.")
    if shown:
        bridge.view(
            "views/generate/densities.mjs",
            key=" ".join(("generate densities", *(one.slug for one in shown))),
            options={"models": [option(one, found[one]) for one in shown]},
            first=first.first(skeleton(shown), "densities"),
        )
    folded("All numbers, and what they mean", partial(_table, found))


def words(found: dict[Standing, dict[str, Any]]) -> str:
    """One sentence: how much of the prior no code ever reaches, and what of that the finite sample is."""
    if not found:
        return "Where do the codes of all pictures lie together, and where does the prior expect them?"
    one, kept = next(iter(found.items()))
    rows = pictured(kept)
    middle, last = rows[-2] if len(rows) > 1 else rows[-1], rows[-1]
    told = [
        f"**{_share(middle['holes'])} of what the prior draws falls into holes of the {one.name}'s codes: places where "
        f"q(z) of {_images(middle)} is below a tenth of the prior.**"
    ]
    if last["holes"] < middle["holes"]:
        half = "Most of that is" if last["holes"] < middle["holes"] / 2 else "Part of that is"
        told.append(f"{half} the finite sample: with {_images(last)} it is {_share(last['holes'])}.")
    told.append(
        f"Each code costs {middle['kl']:.2f} nats: {middle['information']:.2f} tell which of the {middle['images']:,} "
        f"images it was, {middle['divergence']:.2f} part all codes together from the prior."
    )
    others = [(each.name, pictured(its)[-1]) for each, its in list(found.items())[1:]]
    if others and {_images(row) for _, row in others} == {_images(last)}:
        shares = ", ".join(f"{name} {_share(row['holes'])}" for name, row in others)
        told.insert(2, f"Holes of other models, with {_images(last)}: {shares}.")
    elif others:
        shares = ", ".join(f"{name} {_share(row['holes'])} with {_images(row)}" for name, row in others)
        told.insert(2, f"Holes of other models: {shares}.")
    return " ".join(told)


def pictured(kept: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that the view offers, by how many images: of training images all, since fewer say what test ones do."""
    rows = list(kept["rows"].values())
    trained = [row for row in rows if row["split"] == "train"]
    return [row for row in rows if row["split"] == "test" or row is trained[-1]]


def _share(value: float) -> str:
    return f"{value:.0%}" if value >= 0.1 else f"{value:.1%}"


def _images(row: dict[str, Any]) -> str:
    return f"{row['images']:,} {'training' if row['split'] == 'train' else 'test'} images"


def option(one: Standing, kept: dict[str, Any]) -> dict[str, Any]:
    """A model as static/views/generate/densities.mjs reads it."""
    pictures = store.densities(one.slug)
    assert pictures is not None
    order = list(kept["rows"].values())
    return {
        **{"title": one.title, "name": one.name, "network": bridge.network(one.slug), "reach": kept["reach"]},
        "prior": packed(pictures["prior"]),
        "rows": [
            {
                **{"images": row["images"], "called": _images(row), "note": note(row)},
                "q": packed(pictures["q"][order.index(row)]),
            }
            for row in pictured(kept)
        ],
    }


def packed(density: torch.Tensor) -> dict[str, Any]:
    """(n, n), z₁ down and z₂ across → {top: the highest density, bytes: 255 √(density / top), row 0 on top, as base64}.
    Each has a top of its own: q(z) of few images is many times as high as the prior."""
    top = float(density.max())
    seen = (255 * (density.T.flip(0) / top).clamp(min=0).sqrt()).round().to(torch.uint8)
    return {"top": top, "bytes": base64.b64encode(seen.numpy().tobytes()).decode()}


def note(row: dict[str, Any]) -> str:
    """What was measured of one q(z)."""
    return (
        f"{_images(row)}: {_share(row['holes'])} of the prior lies in holes, where hardly a code does; "
        f"{_share(row['leaks'])} of the codes leak out, to where the prior hardly is. "
        f"E KL {row['kl']:.2f} nats ≈ mutual information {row['information']:.2f} + KL(q(z) ‖ p) "
        f"{row['divergence']:.2f}."
    )


def _table(found: dict[Standing, dict[str, Any]]) -> None:
    rows = [(one.title, *_cells(row)) for one, kept in found.items() for row in kept["rows"].values()]
    numbers(HEAD, rows, words=(0, 1))
    st.caption("`python -m vae_core measure --what posterior` measures them.")
    st.markdown(WHAT_IT_MEANS)


def _cells(row: dict[str, Any]) -> Iterable[str]:
    mean, error = (row["monte_carlo"]["divergence"][name] for name in ("mean", "error"))
    yield from (_images(row), f"{row['kl']:.3f}", f"{row['information']:.3f}", f"{math.log(row['images']):.2f}")
    yield from (f"{row['divergence']:.3f}", f"{mean:.3f} ± {error:.3f}")
    yield from (f"{row[name]:.1%}" for name in ("holes", "leaks", "apart"))


def skeleton(models: list[Standing]) -> str:
    """The view's boxes, empty, as high as they will be."""
    square = '<figure><figcaption></figcaption><div class="square"></div></figure>'
    return first.BAR + "".join(
        f'<section><h3>{one.title}</h3><div class="planes">{3 * square}<div class="here"></div></div>'
        '<p class="note"></p></section>'
        for one in models
    )
