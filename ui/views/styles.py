"""Styles from the server's side: what its live view is told and shows first, and whose hand is like this one."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.live import bridge, messages, store
from ui.parts import digit, first
from ui.parts.digit import Chosen
from ui.shell.family import DIGIT_COLOURS
from vae_core import latent


def styles(name: str, chosen: Chosen, label: int, code: latent.Code) -> Tensor:
    """Show the live view. Returns z (D,) as the hand left it: the link's, else this digit's last, else its own."""
    key, mean, shown = f"styles {name}", code.mean[0], digit.option(chosen, label)

    def left(hand: dict[str, Any]) -> list[float] | None:
        return hand["z"] if hand.get("digit") == shown["id"] else None  # another digit may have come since

    at = first.asked("z", len(mean)) or left(first.last(key))
    z = mean if at is None else torch.tensor(at)

    def picture() -> str:
        ten = latent.decode(store.model(name)[0], z.expand(10, -1), first.LABELS)
        tiles = "".join(
            first.figure(ten[y], str(y), "its label" if y == label else "", DIGIT_COLOURS[y], f"{y} in this hand")
            for y in range(10)
        )
        side = first.square(name) if len(z) == 2 else '<div class="square" style="background:none"></div>'
        side = f'<div class="side">{side}<p class="reading"></p></div>'
        return f'{first.BAR}<div class="styles">{side}<div class="ten">{tiles}</div></div>'

    reader = messages.form({"z": messages.vector(len(mean)), "digit": first.DIGIT})
    told = {"slug": name, "network": bridge.network(name), "digit": shown}
    at = left(first.show("views/styles.mjs", key, told, picture, reader=reader))
    return z if at is None else torch.tensor(at)


@st.cache_data(max_entries=4, show_spinner=False)
def sample_codes(name: str, source: str) -> np.ndarray:
    """Where a conditional model places every sample of this data set under its own label, (N, D)."""
    images, labels = store.samples(source)
    return latent.embed(store.model(name)[0], torch.tensor(images), torch.tensor(labels)).mean.numpy()


def same_hand(name: str, z: Tensor, source: str) -> list[int]:
    """For each label the number of the sample whose code lies nearest to z (D,): who really writes like this."""
    labels = store.samples(source)[1]
    distance = np.linalg.norm(sample_codes(name, source) - z.numpy(), axis=1)
    return [int(np.where(labels == y, distance, np.inf).argmin()) for y in range(10)]


def leaked(leak: dict[str, Any], size: int) -> str:
    """How much of the label a CVAE's codes of this size still tell, from the card's `leak`."""
    draw, mean, chance = leak["draw"]["accuracy"], leak["mean"]["accuracy"], leak["chance"]
    rest = "little of the label is left in them" if draw < 2 * chance else "they do not hold the hand alone"
    return (
        f"**But a rest of the label stays.** From codes of {size} numbers a small network reads the right label for "
        f"{draw:.0%} of the test images (a draw from each q) and for {mean:.0%} (each mean); always naming the "
        f"commonest label would give {chance:.0%}. So {rest}."
    )
