"""The digit that all pages share: a sample of a data set, or the visitor's own. Nothing heavy is imported here.

Whatever the visitor touches last counts, on every page: `share` puts it here, `shared` says what it is. Interpolate's
second end is a digit of its own, under another key.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from ui.live import messages
from ui.parts.tiles import bits
from vae_core.data import DATASETS, Dataset

KEY = "digit"  # of the digit that follows from page to page
SAMPLE, DRAWN, BROUGHT = "sample", "drawn", "brought"
BY = {"Sample": SAMPLE, "Draw": DRAWN, "Picture": BROUGHT}  # what the control of an end says, and what it leads to
_DATASET, _NUMBER = "[a-z][a-z0-9_]{0,39}", "[0-9]{1,7}"
ORIGIN = f"{_DATASET}:{_NUMBER}"  # as links and views name a sample: mnist:200
_SAMPLE = re.compile(f"(?:({_DATASET}):)?({_NUMBER})")  # old links say 200


class Chosen(NamedTuple):
    pixels: np.ndarray  # (784,) float32 grey in [0, 1]
    label: int | None  # a class of its data set, of the visitor's own a digit; None where nobody has said what it is
    name: str  # such as "MNIST test digit 17" or "your picture"
    source: str | None = None  # the sample's data set; None for the visitor's own
    index: int | None = None  # of the sample there; None for the visitor's own
    steps: tuple[Any, ...] = ()  # how the picture became a digit (vae_core.digitize.Step)
    notes: tuple[str, ...] = ()  # sentences about what had to be decided on the way
    how: str | None = None  # the visitor's own: DRAWN or BROUGHT

    @property
    def origin(self) -> str | None:
        """The sample as links name it, such as "mnist:200"; None for the visitor's own."""
        return None if self.source is None else f"{self.source}:{self.index}"

    @property
    def data(self) -> Dataset:
        """Whose classes `label` counts; the visitor's own is taken for a digit."""
        return DATASETS[self.source or "mnist"]

    @property
    def colour(self) -> str | None:
        """Of its label."""
        return None if self.label is None else self.data.colours[self.label]

    @property
    def control(self) -> str:
        """What the control of an end says while this is its digit: one of `BY`."""
        return next(name for name, kind in BY.items() if kind == (self.how or SAMPLE))

    def label_in(self, dataset: Dataset) -> int | None:
        """Its label as a model of that data set may be told it; None where it is no class there."""
        return self.label if dataset.classes == self.data.classes else None


def shared(key: str = KEY) -> Chosen | None:
    """What somebody has chosen or brought, or a link has named; None while a page shows the sample it opens with."""
    return st.session_state.get(f"{key}_chosen")


def share(chosen: Chosen, key: str = KEY) -> None:
    """From now on this is the digit. It is also what its kind of control comes back to (ui/parts/picture.py)."""
    state = st.session_state
    state[f"{key}_chosen"] = chosen
    state[f"{key}_{chosen.how or SAMPLE}"] = chosen
    if chosen.source is not None:
        state["data_set"] = chosen.source
    state.pop(f"{key}_refused", None)


def give_back(key: str = KEY) -> None:
    """The visitor's own digit makes room for the sample that was there before."""
    state = st.session_state
    state.pop(f"{key}_chosen", None)
    if before := state.get(f"{key}_{SAMPLE}"):
        share(before, key)


def data_set() -> str:
    """The data set that this visitor's samples come from. It stays until they choose another, whatever arrives."""
    from ui.live import store

    state = st.session_state
    if (name := state.get("data_set")) is None or not store.whole(name):
        state["data_set"] = next(filter(store.whole, store.sources()))  # what is in the wheel is whole
    return state["data_set"]


def sample(index: int, source: str | None = None) -> Chosen:
    """The sample of this number: the same on every page."""
    from ui.live import store

    source = source or data_set()
    images, labels = store.samples(source)
    return Chosen(images[index], int(labels[index]), DATASETS[source].called(index), source, index)


def opening(index: Mapping[str, int] = MappingProxyType({})) -> Chosen:
    """The sample that a page opens with: one is chosen for each data set, `index` where the page has its own."""
    source = data_set()
    return sample(index.get(source, DATASETS[source].opens), source)


def drawing(text: str, label: int | None = None, name: str = "your drawing") -> Chosen:
    """A drawing as views and links write it; "" is a pad that was cleared. ValueError for another text."""
    pixels = bits(text) if text else np.zeros(784, np.float32)
    return Chosen(pixels, label, name, how=DRAWN)


def draw(text: str, label: int | None, key: str = KEY, name: str = "your drawing") -> None:
    """What stands on a pad becomes the digit. What came from elsewhere stays that, with its greys and its name."""
    state = st.session_state
    before = (state.get(f"{key}_{kind}") for kind in ("chosen", BROUGHT, DRAWN))
    own = next((one for one in before if one and one.how and as_text(one) == text), None)
    share(drawing(text, label, name) if own is None else own._replace(label=label), key)


def bring(content: bytes | messages.Refused, name: str, key: str = KEY) -> str | None:
    """A file becomes the digit, or a sentence says why it cannot."""
    from vae_core.digitize import DigitizeError, digitize  # with Pillow: a page paints before that

    if isinstance(content, messages.Refused):
        return content.sentence
    try:
        found = digitize(content)
    except DigitizeError as error:
        return str(error)
    pixels = found.pixels.reshape(784)
    share(Chosen(pixels, None, f"your picture ({name})", steps=found.steps, notes=found.notes, how=BROUGHT), key)
    return None


def as_text(chosen: Chosen) -> str:
    """The digit's 784 bits as static/maths/digit.mjs writes them: the reverse of `drawing`."""
    return base64.urlsafe_b64encode(np.packbits(chosen.pixels >= 0.5).tobytes()).decode().rstrip("=")


def describe(chosen: Chosen) -> str:
    """One sentence: what is being looked at. Of the visitor's own nobody knows more than what was said to the CVAE."""
    # A file's name is not Markdown: my_digit_.png must not turn into italics, nor a line break begin a list.
    name = " ".join(chosen.name.split())
    name = re.sub(r"([\\`*_{}\[\]#$:~<>!|])", r"\\\1", name[0].upper() + name[1:])
    if chosen.label is None:
        return f"{name}."
    return f"{name}, {'' if chosen.how is None else 'said to be '}{called(chosen.data.classes[chosen.label])}."


def called(name: str) -> str:
    """A class in a sentence, as static/parts/controls.mjs calls it, too: a 7, an 8, “Ankle boot”."""
    if len(name) > 1:
        return f"“{name}”"
    return f"{'an' if name.lower() in '8aefhilmnorsx' else 'a'} {name}"


def option(chosen: Chosen, label: int | None, *more: int | None) -> dict[str, Any]:
    """A digit as controls.mjs reads it; the id changes with the pixels, the label that a model is told, and `more`."""
    grey = np.rint(chosen.pixels * 255).astype(np.uint8).tobytes()
    return {
        "id": hashlib.sha256(grey + str((label, *more)).encode()).hexdigest()[:12],
        "pixels": base64.b64encode(grey).decode(),
        "label": label,
        "name": chosen.name,
        "shows": None if chosen.label is None else chosen.data.classes[chosen.label],
        "edge": chosen.colour,
    }


# Links ----------------------------------------------------------------------------------------------------------------


def parameters(key: str = KEY) -> tuple[str, str, str]:
    """The names in a link of a digit: of the sample, of the bits of the visitor's own, and of what it is said to be."""
    return (key, "d", "is") if key == KEY else (key, f"{key}_d", f"{key}_is")


def in_link(key: str = KEY) -> dict[str, str | None]:
    """What a link says of the digit; None takes a parameter out."""
    chosen, (number, own, said) = shared(key), parameters(key)
    link: dict[str, str | None] = dict.fromkeys((number, own, said))
    if chosen is not None and chosen.source is not None:
        link[number] = chosen.origin
    elif chosen is not None and chosen.pixels.any():
        link[own] = as_text(chosen)
        link[said] = None if chosen.label is None else str(chosen.label)
    return link


def take_from_link(link: dict[str, str], key: str = KEY) -> None:
    """The digit that a link names becomes the shared one. What cannot be had is said; what was cut is passed over."""
    number, own, said = (link.get(name, "") for name in parameters(key))
    try:
        chosen = (
            drawing(own, int(said) if re.fullmatch("[0-9]", said) else None, "the digit of this link") if own else None
        )
    except ValueError:  # links get cut
        chosen = None
    if chosen is not None:
        share(chosen, key)
    elif found := _SAMPLE.fullmatch(number):
        _take_sample(found[1], int(found[2]), key)


def _take_sample(source: str | None, index: int, key: str) -> None:
    from ui.live import store

    source = source or data_set()
    if source not in DATASETS:
        return
    if not store.whole(source):
        why = "has a broken file" if source in store.sources() else "is not"
        named = DATASETS[source].called(index)
        note = f"The link names {named}, and that data set {why} on this machine: this is another digit."
        share(opening()._replace(notes=(note,)), key)
        return
    count = len(store.samples(source)[1])
    if index < count:
        share(sample(index, source), key)
        return
    note = f"The link names {DATASETS[source].called(index)}, and there are only the numbers 0 to {count - 1:,}."
    share(sample(DATASETS[source].opens, source)._replace(notes=(note,)), key)
