"""What the page "Restore" offers to spoil a digit with, and its table of who brings it back best."""

from __future__ import annotations

import streamlit as st

from ui.parts.links import KINDS as KINDS
from ui.parts.tiles import numbers
from ui.shell.failure import callback
from vae_core import metrics

# Of the fields of `metrics.Restoration`, in its order: the head, how it is written, which of many is the best.
COLUMNS = (
    ("nats", "{:.2f}", min),
    ("MSE", "{:.4f}", min),
    ("PSNR, dB", "{:.2f}", max),
    ("wrong pixels", "{:.1%}", min),
)


def headline() -> str:
    """The three cells that the README's table shows, in words."""
    return ", ".join(f"{KINDS[kind][0].lower()} {amount:g}" for kind, amount in metrics.HEADLINE.items())


@callback
def spoil_again() -> None:
    """The next run of the page spoils with another seed."""
    st.session_state["spoil_seed"] += 1


def table(rows: dict[str, list[float] | None]) -> None:
    """The four fields of each rival, None where they are not known; the best of each column in bold."""
    heads, formats, betters = zip(*COLUMNS, strict=True)
    known = [values for values in rows.values() if values]
    best = [better(column) for better, column in zip(betters, zip(*known, strict=True), strict=False)]
    numbers(
        ("", *heads),
        [
            (name, *(f.format(v) for f, v in zip(formats, line, strict=True))) if line else (name, *"————")
            for name, line in rows.items()
        ],
        best_cells={
            (r, c + 1) for r, line in enumerate(rows.values()) for c, v in enumerate(line or ()) if v == best[c]
        },
    )
