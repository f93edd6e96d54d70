"""What goes wrong becomes a sentence: broken checkpoints, and what nobody expected."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import streamlit as st

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)


def leave_out(slug: str, error: Exception, *, alone: bool) -> None:
    """Name a broken model on a page that goes on without it; where it is not alone: an end has its own sentence."""
    logging.getLogger(f"{__name__}.left_out").warning("Checkpoint %s: %s", slug, error)
    if not alone:
        st.warning(
            f"The model {slug} is left out: its files are broken. Whoever runs this app finds the reason in the "
            "server's log."
        )


def give_up(slug: str, error: Exception) -> NoReturn:
    """End the page with one sentence where a checkpoint is broken or missing.

    The error itself goes to the server's log: its paths are the host's business and help no visitor.
    """
    _log.warning("Checkpoint %s: %s", slug, error, exc_info=error)
    st.error(
        f"The model {slug} cannot be loaded. Whoever runs this app finds the reason in the server's log; restore the "
        f"folder checkpoints/{slug}, or train the model again with `python -m vae_core train`."
    )
    st.stop()


# What nobody expected -------------------------------------------------------------------------------------------------

FAILED = (
    "Something went wrong on the server, and what you did last has no answer here. Everything else goes on working. "
    "Whoever runs this app finds the reason in the server's log."
)


def callback(function: Callable[P, R]) -> Callable[P, R | None]:
    """For what a control or a view calls: an error becomes a sentence in the run that follows, with every control."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # Streamlit ends and restarts runs by what is no Exception
            _log.exception("In a callback: %s", function.__qualname__)
            st.session_state["failed"] = True  # a callback has no place of its own on the page
            return None

    return careful


def fragment(function: Callable[P, None], *, run_every: float | None = None) -> Callable[P, None]:
    """`st.fragment`, of which an error takes only this part of the page, and says so in its place."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> None:
        say_what_failed()
        try:
            function(*args, **kwargs)
        except Exception:
            _log.exception("In a part of a page: %s", function.__qualname__)
            st.error(FAILED)

    return st.fragment(careful, run_every=run_every)


def say_what_failed() -> None:
    if st.session_state.pop("failed", False):
        st.error(FAILED)
