"""Interpolate from the server's side: what its live view is told and shows first, and what is drawn at an end."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import streamlit as st
import torch

from ui.live import bridge, messages
from ui.parts import digit, first
from ui.parts.digit import Chosen
from ui.parts.tiles import data_uri
from ui.shell.family import FAMILY
from ui.views.interpolate.ways import Walker, Ways

# t, and what is drawn where an end has a pad: null where nothing is yet, "" where it was cleared.
DRAWN = messages.maybe(messages.text(131, f"({messages.DRAWING})?"))
WALK = messages.form({"t": messages.number(0, 1)}, {"from": DRAWN, "to": DRAWN})


def asked_t() -> float:
    """The place on the way that the page's address names, else the middle."""
    at = first.asked("t", 1)
    return at[0] if at and 0 <= at[0] <= 1 else 0.5


ABREAST = 7  # ways side by side: those of the four shipped models
ENDS = {"from": digit.KEY, "to": "to"}  # as the view calls them, and whose digit it is


def on_the_pad(key: str) -> str | None:
    """The drawing that is the digit, as views write it: "" where the pad was cleared, None where nothing is drawn."""
    chosen = digit.shared(key)
    if chosen is None or chosen.how != digit.DRAWN:
        return None
    return digit.as_text(chosen) if chosen.pixels.any() else ""


def interpolate(walkers: Sequence[Walker], ends: tuple[Chosen, Chosen], ways: Ways) -> float:
    """Show the live view, and run the page again where an end was drawn. Returns t as the hand left it."""
    size, state = walkers[0].about.latent_dim, st.session_state
    keys = [w.about.key for w in walkers]
    key = " ".join(("walk", str(size), *(() if keys == list(FAMILY) else keys)))

    def picture() -> str:
        tiles = ""
        for way in ways(torch.tensor([at()])):
            edge = f' style="--edge:{way.edges[0]}"' if way.edges else ""
            tiles += (
                f'<figure class="tile"{edge}><img src="{data_uri(way.pictures[0])}" alt="{html.escape(way.alt)}">'
                f'<figcaption><b>{html.escape(way.name)}</b><small class="quiet">{html.escape(way.note)}</small>'
                '</figcaption><span class="pace"></span></figure>'
            )
        maps = (
            "".join(f"<div><h3>{html.escape(w.about.title)}</h3>{first.square(w.about.slug)}</div>" for w in walkers)
            if size == 2
            else ""
        )
        below = f'<p class="reading"></p><div class="maps">{maps}</div>'
        return f'{first.BAR}<div class="ways" style="--ways:{columns(tiles.count("<figure"))}">{tiles}</div>{below}'

    def hear(message: dict[str, Any]) -> None:
        for end, name in ENDS.items():
            if end not in message or message[end] == on_the_pad(name):
                continue
            before, drawn = on_the_pad(name), message[end]
            if drawn is None:  # all strokes were taken back
                digit.give_back(name)
            else:
                chosen = digit.shared(name)
                digit.draw(drawn, chosen.label if chosen and before and drawn else None, name)
            state["walk drew"] = True
        state["walk t"] = message["t"]  # of all sizes and casts, as the view has it

    told: dict[str, Any] = {"models": [member(w, ends) for w in walkers], "spherical": ways.spherical}
    for (end, name), chosen in zip(ENDS.items(), ends, strict=True):
        drawing = {
            "draw": state[f"{name}_by"] == "Draw",
            "drawn": on_the_pad(name),
            "sure": chosen.how is not None and chosen.label is not None,  # a sample's label is not its drawing's
        }
        told[end] = digit.option(chosen, chosen.label) | drawing
    kind = "walk drawing" if told["from"]["draw"] or told["to"]["draw"] else "walk"
    first.show("views/interpolate/interpolate.mjs", key, told, picture, kind, WALK, hear)
    if state.pop("walk drew", False):
        st.rerun()  # the whole page: this is a fragment, and the rows below walk between the same ends
    return at()


def at() -> float:
    """t as the hand left it, else as the page opens."""
    return st.session_state.get("walk t", asked_t())


def member(walker: Walker, ends: tuple[Chosen, Chosen]) -> dict[str, Any]:
    """A model as the view reads it. `guesses`: at which ends it has to guess the label anew where the ink is new."""
    about = walker.about
    return {
        "kind": about.key,
        "title": about.title,
        "name": about.name,
        "network": bridge.network(about.slug),
        "told": walker.told,
        "guesses": [not chosen.how or chosen.label_in(about.data) is None for chosen in ends],
    }


def columns(ways: int) -> int:
    """How many ways stand side by side: the view does the same."""
    return ways if ways <= ABREAST else -(-ways // 2)
