"""The page "The bound": which part is shown, of which model, and of which digit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from ui.live import store
from ui.parts import digit, fetch
from ui.parts.cast import choose_one, shipped, told
from ui.parts.digit import Chosen
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.shell.glossary import glossary

BOUND = ("evidence, log p(x)", "ELBO", "KL")


class Part(NamedTuple):
    lead: str  # what can be seen there
    of_one: bool  # of one model, which the visitor chooses; else the part names its models itself
    words: tuple[str, ...]  # of the glossary


PARTS = {
    "Posterior": Part(
        "How near to the line can you bring the bar? Pull the ring: the bar never crosses it.",
        True,
        (*BOUND, "q", "posterior", "gap", "E-step", "ladder of inference", "mode", "prior, N(0, I)"),
    ),
    "Sampling": Part(
        "How far off is an answer that comes from one throw of the dice, as in training?",
        True,
        (*BOUND, "q", "L, K draws; IWAE", "Jensen's inequality", "reparameterised, score function", "standard error"),
    ),
    "Observation model": Part(
        "Which pictures does a network really have in mind when it draws a soft grey one?",
        True,
        ("ELBO", "KL", "Bernoulli", "Gaussian", "binarised"),
    ),
    "β": Part(
        "What becomes of the map as it gets dearer to remember a digit?",
        False,
        (*BOUND, "q", "posterior", "β", "reconstruction", "prior, N(0, I)"),
    ),
}


def the_bound() -> None:
    """The controls, and the part that they name."""
    st.segmented_control(
        "Part", list(PARTS), required=True, key="part", label_visibility="collapsed", persist_state="session"
    )
    name = st.session_state["part"]
    part = PARTS[name]
    st.markdown(part.lead)
    controls, of_models = st.columns([3.4, 1])
    one = None
    if part.of_one:
        with of_models:
            one = choose_one("inside", 2)
        one = one or shipped("vae", 2)
        of_models.caption(told(one))
    with controls:
        chosen = choose_digit()
    label = None
    if one is not None:
        model, _ = store.guard(one.slug)
        store.guard_codes(one.slug)
        if one.conditional:
            label, how = label_for(chosen, model, one.dataset)
            st.caption(f"The {one.title} is told that this is {digit.called(one.data.classes[label])} ({how}).")
    if not chosen.pixels.any():
        st.info("This picture has no ink. The numbers hold all the same: how likely the model finds a blank picture.")
    _view_of(name)(one, chosen, label)
    show_steps(chosen)
    fetch.mnist_notice()
    glossary("nat", *part.words)


def _view_of(part: str) -> Callable[[Any, Chosen, int | None], None]:
    """A part is imported when it is shown: some bring Plotly along, and the page opens with one of them."""
    if part == "Posterior":
        from ui.views.bound.account import exact_account as show
    elif part == "Sampling":
        from ui.views.bound.sampling import sampling as show
    elif part == "Observation model":
        from ui.views.bound.observation import observation as show
    else:
        from ui.views.bound.betas import betas as show
    return show
