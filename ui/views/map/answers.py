"""What only Python knows of what is picked on the map: an image's nats, whose codes lie nearest, the originals."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from ui.live.cast import Standing
from ui.parts import digit
from ui.shell.failure import callback
from ui.views.map.live import SIDES
from ui.views.map.planes import flat
from vae_core.data import NUMERALS

# torch is imported where it is needed first: the maps paint before that.

NEIGHBOURS = 8  # as many as static/views/map/map.mjs rings


def answers(here: dict[str, Standing], picked: dict[str, Any]) -> None:
    """What only Python knows: the original, its nats, the images of the nearest codes; both models side by side."""
    from ui.live import store

    walk = picked.get("walk")
    for side, column in zip(SIDES, st.columns(2, gap="large"), strict=True):
        one = here[picked[side]]
        codes = store.guard_codes(one.slug)
        with column:
            if walk:
                if said := walk["said"].get(side):
                    _place(one, side, codes, said["z"], f"the drawing at t = {said['t']:.2f}")
                else:
                    st.caption(f"Say whether the {one.name}'s drawing is a digit: what lies nearest comes then.")
            elif picked.get("own"):
                _own(one, side, codes, picked["z"] and picked["z"][side])
            elif picked["z"]:
                own = picked["drawn"] == side
                _place(
                    one,
                    side,
                    codes,
                    picked["z"][side],
                    "the place you picked" if own else "where this model puts that drawing",
                )
            else:
                _image(one, side, codes, min(picked["image"], len(codes["test_label"]) - 1), picked.get("told"))


def _image(one: Standing, side: str, codes: dict[str, Any], i: int, told: int | None) -> None:
    """What one model makes of test image i: its drawing, its code, its nats, its neighbours.

    A conditional model draws for the label that the view tells it, too; code and nats are those of the image's own.
    """
    import torch

    from ui.live import store
    from ui.parts import readout
    from ui.parts.tiles import Tile, numbers, row
    from vae_core import latent

    model, _ = store.guard(one.slug)
    label, originals, names = int(codes["test_label"][i]), store.originals(one.dataset), one.data.classes
    seen = flat(one, codes)
    note, y = "its drawing", label if told is None or told >= len(names) else told
    if model.conditional and y != label:
        note = f"told {names[y]}"
    drawn = latent.decode(model, codes["test_mean"][[i]], torch.tensor([y]) if model.conditional else None)
    left, right = st.columns([1, 1.25])
    with left:
        original = [] if originals is None else [Tile(originals[i], f"Image {i}", f"label {names[label]}")]
        row([*original, Tile(drawn[0].numpy(), one.name, note)], size=86)
        if not original:
            st.button(
                "Use this digit",
                key=f"map_use_{side}",
                help="The original is not on this machine: the drawing becomes the digit of every page",
                on_click=_use_drawing,
                args=(one, i, drawn[0].numpy(), label),
            )
    with right:
        if seen is codes:
            numbers(readout.posterior_head(codes), readout.posterior(codes, i, one.learned_prior))
        else:
            u = ", ".join(readout.signed(float(v)) for v in seen["test_mean"][i])
            st.caption(
                f"{one.name}: its drawing is of all {one.latent_dim} numbers. Its place in the plane is u = {u}."
            )
    numbers(readout.SCORES_HEAD, readout.scores(codes, i, conditional=model.conditional))
    less = "Less −ELBO is better." if model.probabilistic else "A point has no q: no KL, no ELBO."
    own = f" Code and nats are those for its own label, {names[label]}." if model.conditional and y != label else ""
    st.caption(f"Percentile: the share of test images with less. {less}{own}")
    near = readout.nearest(seen, i, NEIGHBOURS)
    same = int((codes["test_label"][near] == label).sum())
    _neighbours(
        one,
        side,
        codes,
        near,
        f"Nearest {_where(one)}, nearest first: {same} of {NEIGHBOURS} show {digit.called(names[label])}, too.",
    )


def _place(one: Standing, side: str, codes: dict[str, Any], z: list[float], where: str) -> None:
    """Whose codes lie nearest to a place that no image was put at."""
    import torch

    from vae_core import latent

    near, distance = latent.neighbours(flat(one, codes)["test_mean"], torch.tensor(z), NEIGHBOURS)
    text = f"{one.name}: {_where(one)} nearest to {where}, {distance[0]:.2f} to {distance[-1]:.2f} units away."
    _neighbours(one, side, codes, near.tolist(), text)


def _where(one: Standing) -> str:
    return "codes" if one.latent_dim == 2 else "codes in the plane"


def _own(one: Standing, side: str, codes: dict[str, Any], z: list[float] | None) -> None:
    """The visitor's own digit: whose codes lie nearest to where a model puts it; z as the map says it, once it has."""
    chosen = digit.shared()
    if chosen is None or z is None:
        return
    st.caption(digit.describe(chosen))
    _place(one, side, codes, z, "your digit's" if chosen.how else "the chosen digit's")


def _neighbours(one: Standing, side: str, codes: dict[str, Any], near: list[int], text: str) -> None:
    from ui.live import store
    from ui.parts.picture import takeable
    from ui.parts.tiles import Tile
    from vae_core import latent

    labels, originals = codes["test_label"][near], store.originals(one.dataset)
    if originals is None:
        model, _ = store.guard(one.slug)
        pictures = latent.decode(model, codes["test_mean"][near], labels if model.conditional else None).numpy()
        text += " The originals are not on this machine: these are the model's drawings."
    else:
        pictures = originals[near]
    st.caption(text)
    names, edges = one.data.classes, one.data.colours
    takeable(
        [Tile(p, edge=edges[y]) for p, y in zip(pictures, labels.tolist(), strict=True)],
        [names[y] for y in labels.tolist()],
        lambda k: _take(one.dataset, int(near[k])),
        key=f"near_{side}",
        size=52,
        help="Pick this one on both maps",
    )


def _take(dataset: str, index: int) -> None:
    """A test image's tile was pressed below the maps: it is picked on both, as by a click on its dot."""
    before = st.session_state.get("map_taken", {"n": 0})
    st.session_state["map_taken"] = {"n": before["n"] + 1, "dataset": dataset, "image": index}


@callback
def _use_drawing(one: Standing, index: int, pixels: np.ndarray, label: int) -> None:
    """What a model draws of a test image becomes the digit of all pages: black and white, as a link says it."""
    drawn = digit.Chosen(
        pixels, label if one.data.classes == NUMERALS else None, f"the {one.name}'s drawing of test image {index}"
    )
    note = "The test image itself is not on this machine."
    digit.share(digit.drawing(digit.as_text(drawn), drawn.label, drawn.name)._replace(notes=(note,)))
