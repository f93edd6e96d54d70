"""What the noise teaches, on Restore: a DAE's loss as an expectation over ways to spoil a digit, x̃ ~ q_D(x̃ | x)."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import streamlit as st
import torch

from ui.live import networks, store
from ui.parts.digit import Chosen
from ui.parts.links import LENGTHS, TRAINED_ON
from ui.parts.tiles import Tile, numbers, row
from ui.shell.failure import callback
from ui.shell.family import slug
from ui.shell.folded import folded
from vae_core import estimators, latent
from vae_core.corruption import CORRUPTIONS

SPOILT_POOL = 4_000  # corruptions behind "all of them"


@st.cache_data(max_entries=64, show_spinner="Spoiling the digit four thousand times …")
def _spoilt_losses(name: str, stamp: tuple[int, ...], pixels: bytes, kind: str, amount: float) -> np.ndarray:
    model, _ = store.model(name)
    x, generator = torch.from_numpy(np.frombuffer(pixels, np.float32).copy()), torch.Generator().manual_seed(0)
    return estimators.spoil_and_score(model, x, kind, amount, SPOILT_POOL, generator)[2].numpy()


def denoising(chosen: Chosen) -> None:
    """The DAE's loss of one digit is a mean over ways to spoil it; L of them estimate it."""
    from ui.parts import figures

    name = slug("dae", 2)
    model, card = store.guard(name)
    x = torch.tensor(chosen.pixels)
    st.subheader("One digit, L corruptions")
    st.markdown(
        "The loss of a DAE is a mean over ways to spoil a digit, here over those of one kind at one amount. What is "
        "shown holds for a DAE of any size, so one is enough, that with two numbers. Draw some of them and watch "
        "how soon their mean says what thousands would."
    )
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        kind = st.selectbox(
            "Corruption",
            TRAINED_ON,
            format_func=lambda k: CORRUPTIONS[k].name,
            key="denoising_kind",
            persist_state="session",
            width=200,
        )
        way = CORRUPTIONS[kind]
        kept = {"persist_state": "session", "width": 260}
        amount = st.select_slider(way.unit, way.amounts, key=f"denoising_{kind}", **kept)
        length = st.select_slider("L, corruptions: 1, 2, 5, 10 … 500", LENGTHS, key="denoising_length", **kept)
        st.button("Spoil again", on_click=_again, key="denoising_again")
    generator = torch.Generator().manual_seed(st.session_state["denoising_seed"] + 1)
    spoilt, drawn, losses = estimators.spoil_and_score(model, x, kind, amount, length, generator)
    pool = torch.from_numpy(_spoilt_losses(name, networks.stamp(name), chosen.pixels.tobytes(), kind, amount))
    at_rest = latent.embed(model, x[None]).mean
    clean = float(-estimators.log_likelihood(model, x, at_rest)[0])

    n, edge = min(7, length), chosen.colour
    row(
        [
            Tile(model.observe(x).numpy(), "Clean", "what the loss asks for", edge),
            *(Tile(spoilt[i].numpy(), f"Spoilt {i + 1}") for i in range(n)),
        ],
        columns=8,
    )
    row(
        [
            Tile(latent.decode(model, at_rest)[0].numpy(), "Unspoilt", _loss(clean)),
            *(Tile(drawn[i].numpy(), f"Drawn {i + 1}", _loss(float(losses[i]))) for i in range(n)),
        ],
        columns=8,
    )
    error = float(losses.double().std()) / math.sqrt(length) if length > 1 else None
    level = float(pool.double().mean())
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        figure = figures.running_mean(losses.double().numpy(), level, f"mean of {SPOILT_POOL:,}:")
        alt = f"Loss of {length} corruptions and their running mean, which nears {level:.1f} nats"
        st.plotly_chart(figure, config=figures.CONFIG, alt=alt, key="denoising_running")
    with right:
        stops = (1, 5, 20, 100)
        _, spread = estimators.repeated(pool, stops, estimators.average)
        numbers(
            ("L", "spread of the mean (sd)", "sd of one/√L"),
            [(str(n), f"{s:.2f}", f"{spread[0] / math.sqrt(n):.2f}") for n, s in zip(stops, spread, strict=True)],
        )
        st.caption(
            f"In nats: how far means of L losses scatter about {level:.2f}, over disjoint groups of {SPOILT_POOL:,} "
            "corruptions of this digit."
        )
        said = "from one corruption no error can be stated" if error is None else f"± {error:.2f} standard error"
        st.markdown(
            f"These {length}: **{float(losses.double().mean()):.2f} nats**, {said}. Unspoilt, the same digit costs "
            f"{clean:.2f}. Less is better; what lies between the two is what the corruption costs this DAE."
            if length > 1
            else f"This one: **{float(losses[0]):.2f} nats**; {said}. Unspoilt, the same digit costs {clean:.2f}."
        )
    if float(pool.double().std()) < 1e-3:
        st.info("This corruption leaves this picture as it is, so all draws agree: there is nothing to average.")
    trained = card["config"]["model"]["corruptions"]
    st.markdown(
        "**One draw is unbiased.** Its mean over draws is the expectation itself, whatever L is: only the spread "
        f"changes, as 1/√L. So training may draw L = {trained} for each image and step: many steps do the averaging."
    )
    folded("The expectation, in formulas", partial(st.markdown, _DENOISING))


_DENOISING = r"""
The loss of one digit is an expectation over the corruption process, with encoder $f$, decoder $g$ and the clean $x$:

$$
\mathcal L(x) = \mathbb E_{q_D(\tilde x \mid x)} \big[L(x, g(f(\tilde x)))\big]
\approx \frac1L \sum_{l=1}^{L} L\big(x, g(f(\tilde x_l))\big), \qquad \tilde x_l \sim q_D(\tilde x \mid x),
$$

where $L(x, \hat x) = -\sum_p [x_p \log \hat x_p + (1 - x_p) \log(1 - \hat x_p)]$. The mean of $L$ losses has the same
expectation for every $L$, and the standard deviation of one loss divided by $\sqrt L$; its standard error is estimated
from the same $L$ draws. Nothing here is sampled in the code: a DAE's code is a point.
"""


@callback
def _again() -> None:
    st.session_state["denoising_seed"] += 1


def _loss(value: float) -> str:
    return f"{value:.1f} nats"
