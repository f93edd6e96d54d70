"""The first picture of a live view: it stands in the same boxes (static/parts/views.css) until the view has mounted."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any

import streamlit as st
from torch import Tensor

from ui.live import bridge, cast, messages, networks, store
from ui.parts import scatter
from ui.parts.tiles import data_uri
from ui.shell.pages import STATIC

SHEET = STATIC / "parts/views.css"
BAR = '<div class="bar"></div>'  # where a view's buttons will be
DIGIT = messages.text(12, "[0-9a-f]{12}")  # the id that `ui.parts.digit.option` gives it


def asked(name: str, n: int, limit: float = 100) -> list[float] | None:
    """n numbers up to ± limit from the page's address, or None: links get cut."""
    try:
        values = [float(v) for v in st.query_params.get(name, "").split(",")]
    except ValueError:
        return None
    return values if len(values) == n and all(abs(v) <= limit for v in values) else None


def figure(pixels: Tensor, caption: str = "", note: str = "", edge: str | None = None, alt: str = "") -> str:
    """One tile as the views build it."""
    text = f"<b>{html.escape(caption)}</b> <small class='quiet'>{html.escape(note)}</small>"
    colour = f' style="--edge:{edge}"' if edge else ""
    alt = html.escape(alt or f"{caption} {note}", quote=True)
    return (
        f'<figure class="tile"{colour}><img src="{data_uri(pixels.numpy())}" alt="{alt}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def first(body: str, kind: str = "") -> str:
    """The first picture of a view, with the style sheet that the view goes on using."""
    sheet = f"<style data-views>{SHEET.read_text(encoding='utf-8')}</style>"
    return f'{sheet}<div class="view {kind}">{body}</div>'


def square(slug: str) -> str:
    """A map's codes as a picture, where the view will draw them."""
    return _square(slug, networks.stamp(slug))


@st.cache_data(max_entries=8, show_spinner=False)
def _square(name: str, stamp: tuple[int, ...]) -> str:
    codes, colours = store.guard_codes(name), cast.standing(name).data.colours
    points = scatter.draw_points(codes["test_mean"].numpy(), codes["test_label"].numpy(), colours=colours)
    png = base64.b64encode(points).decode()
    return f'<div class="square"><img style="width:100%;opacity:.45" alt="" src="data:image/png;base64,{png}"></div>'


def show(
    module: str,
    key: str,
    options: dict[str, Any],
    picture: Callable[[], str],
    kind: str = "",
    reader: messages.Reader | None = None,
    on_message: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """The live view. Returns its last message, after a switch of pages the one from before; {} where there is none.

    A message says that the view stands: the first picture is not made again, and does not travel with other options.
    """
    before = "" if reader and bridge.heard(key, reader) else first(picture(), kind)
    message = bridge.view(module, key=key, reader=reader, options=options, first=before, on_message=on_message)
    if message:
        st.session_state[f"{key} last"] = message  # the component's own state ends with the page
    return last(key)


def last(key: str) -> dict[str, Any]:
    return st.session_state.get(f"{key} last", {})
