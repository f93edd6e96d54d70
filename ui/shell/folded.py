"""What few visitors open is drawn when they do: text in a closed box holds up what is seen, formulas most of all."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.shell.failure import fragment


@fragment
def folded(label: str, draw: Callable[[], object]) -> None:
    """An expander of this name, whose content `draw` writes once it is open."""
    box = st.expander(label, key=f"folded {label}", on_change="rerun")
    if box.open:
        with box:
            draw()
