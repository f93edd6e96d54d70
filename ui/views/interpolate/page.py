"""The page "Interpolate": two ends, the walk between them, and how even it is."""

from __future__ import annotations

import numpy as np
import streamlit as st
import torch

from ui.live import store
from ui.parts import fetch
from ui.parts.cast import choose, choose_size
from ui.parts.digit import KEY, Chosen
from ui.parts.picture import choose_or_draw, label_for, swap
from ui.parts.tiles import numbers, strips
from ui.shell.failure import fragment
from ui.views.interpolate import walk
from ui.views.interpolate.ways import HEAD, START, Walker, Ways, animation, pace, read


def page() -> None:
    """The controls, the live view, and below it the whole way."""
    left, right, more = st.columns([3, 3, 2])
    with left:
        first = choose_or_draw(KEY, title="From", start={source: pair[0] for source, pair in START.items()})
    with right:
        second = choose_or_draw("to", title="To", start={source: pair[1] for source, pair in START.items()})
    with more, st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        dim = choose_size("walk")
        way = st.segmented_control(
            "Way", ("linear", "spherical"), required=True, key="walk_way", persist_state="session"
        )
        models = choose("walk", dim)
        st.button(
            "Swap",
            icon=":material/swap_horiz:",
            help="The ends change places. What stands at From is the digit of every page",
            on_click=swap,
            args=({KEY: first, "to": second},),
        )

    ends = torch.tensor(np.stack([first.pixels, second.pixels]))
    walkers, said = [], []
    for one in models:
        model, told = store.guard(one.slug)[0], None
        store.guard_codes(one.slug)
        if one.conditional:
            (a, how_a), (b, how_b) = (label_for(digit, model, one.dataset) for digit in (first, second))
            told, names = (a, b), one.data.classes
            if "guessed" in how_a + how_b:
                said.append(f"to the {one.name} {names[a]} ({how_a}) and {names[b]} ({how_b})")
        walkers.append(Walker(one, model, told))
    ways = Ways(walkers, ends, spherical=way == "spherical")
    blank = next((word for word, digit in (("from", first), ("to", second)) if not digit.pixels.any()), None)
    _scrub(ways, (first, second), blank)
    fetch.mnist_notice()
    if blank:
        st.info(f"The pad is empty. Draw the digit to walk {blank}, and the whole way appears here.")
    else:
        _whole_way(ways, said)


@fragment
def _scrub(ways: Ways, ends: tuple[Chosen, Chosen], blank: str | None) -> None:
    """The live view, and whenever the hand lets go, what a classifier reads there."""
    at = walk.interpolate(ways.walkers, ends, ways)
    if blank:
        return
    if judge := store.judge():
        words = read(ways(torch.tensor([at])), judge)
        with st.container(key="settled"):
            st.caption(f"At t = {at:.2f} a classifier that knows no autoencoder reads: {words}.")
    st.download_button("Save as GIF", lambda: animation(ways), "interpolation.gif", "image/gif", on_click="ignore")


def _whole_way(ways: Ways, said: list[str]) -> None:
    """Every way from end to end, and its pace. said: which labels were guessed."""
    st.subheader("The whole way")
    steps = st.select_slider("Pictures", range(5, 16), key="walk_steps", persist_state="session", width=220)
    walked = ways(torch.linspace(0, 1, steps))
    strips(walked)
    if said:
        st.caption(f"Labels told {'; '.join(said)}. Where you know better, set it above.")
    st.subheader("How even is the walk?")
    numbers(HEAD, [pace(one, store.judge()) for one in walked])
    st.caption(
        "A step is Σ|Δ| over the pixels of two neighbours: how many pixels of ink change. Longest / mean is 1 where "
        "all steps are equal, and a jump makes it large. Detour is the whole walk over the straight one: a way through "
        "other digits is long. Digits between: how many of the pictures strictly between the ends the judge takes for "
        "digits. The plain blend is perfect in evenness and detour, and halfway it shows two digits at once: an even "
        "pace alone is no good way."
    )
