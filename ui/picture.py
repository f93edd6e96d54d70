"""One digit to work with: a sample, a picture that the visitor brings, or a drawing; it follows from page to page."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import streamlit as st
import torch

from ui import store, tiles
from ui.frame import callback
from vae_core import latent
from vae_core.digitize import DigitizeError, Step, digitize
from vae_core.models import Autoencoder

FILES = ("png", "jpg", "jpeg", "gif", "webp", "avif", "bmp", "tif", "tiff")
SOURCES = ("Sample", "Draw", "Picture")
# What had the focus is gone with the popover: whoever uses the keyboard goes on at the button that opened it.
_FOCUS = """
export default function ({ data }) {
  const left = document.activeElement;
  if (left !== document.body && !left.closest('[data-testid="stPopoverBody"]')) return;
  document.querySelector(`.st-key-${data.name} button`)?.focus();
}
"""
_focus = st.components.v2.component("lse_focus", html="<span hidden></span>", js=_FOCUS)
OPENS = {"mnist": 0, "digits": 43}  # a sample that every model draws back: nobody should meet the models by a failure
_SOURCES = {"mnist": "MNIST test digit", "digits": "scikit-learn digit"}


class Chosen(NamedTuple):
    pixels: np.ndarray  # (784,) float32 grey in [0, 1]
    label: int | None  # None where nobody has said what the digit is
    name: str  # such as "MNIST test digit 17" or "your picture"
    index: int | None  # of the sample; None for a picture that was brought
    steps: tuple[Step, ...]  # how the picture became a digit
    notes: tuple[str, ...]  # sentences about what had to be decided on the way


def choose_digit(
    key: str, *, title: str = "Digit", bring: bool = True, camera: bool = False, start: int | None = None
) -> Chosen:
    """One row of controls, and the digit they point at. Whatever the visitor touched last counts.

    Pages that pass the same `key` share the digit. A picture that cannot be read leaves the digit that was
    there, and one sentence below the controls.
    """
    _, labels, source = store.samples()
    state = st.session_state
    start = OPENS[source] if start is None else start
    if start and key not in state and key not in st.query_params:
        state[key] = min(start, len(labels) - 1)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        index = st.number_input(
            f"{title}, 0 … {len(labels) - 1}",
            0,
            len(labels) - 1,
            key=key,
            on_change=_back_to_samples,
            args=(key,),
            bind="query-params",
            width=125,
        )
        if not (chosen := _brought(key)):
            chosen = sample(index)
            _digit_box(
                f"{key}_only",
                "Only this digit",
                "any digit",
                "only {}",
                on_change=_go_to_next,
                args=(key, 0),
                persist_state="session",
            )
        st.button("Another", key=f"{key}_another", on_click=_go_to_next, args=(key, 1))
        if bring:
            _bring_controls(key, camera)
    _caption(key, chosen)
    return chosen


def choose_or_draw(key: str, *, title: str, start: int) -> Chosen:
    """A choice between a sample, a drawing and a picture, and the digit at which it points.

    The pad itself is in the page's live view (static/end.mjs): what was drawn there is in the state `<key>_drawn`, or
    in the link as `<key>_d`. A cleared pad gives a digit without ink. Until there is a drawing or a picture, the sample
    that was there stays.
    """
    state, last = st.session_state, f"{key}_sample"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{title}**", width="content")
        source = st.segmented_control(
            title,
            SOURCES,
            default=SOURCES[0],
            required=True,
            key=f"{key}_by",
            label_visibility="collapsed",
            persist_state="session",
            bind="query-params",
        )
    if source == "Sample":
        chosen = choose_digit(key, title="Number", bring=False, start=state.get(last, start))
        state[last] = chosen.index
        return chosen
    before = sample(min(state.get(last, start), len(store.samples()[1]) - 1))
    if source == "Picture":
        picture = f"{key}_picture"
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
            _bring_controls(picture, camera=False)
            chosen = _brought(picture)
        _caption(picture, chosen or before._replace(notes=("Until you bring a picture, it stays.",)))
        return chosen or before
    drawn = drawing(key)
    if drawn is None:
        st.caption(f"{describe(before)} Draw your own in its place, on the pad below.")
        return before
    said = _digit_box(f"{key}_is", "Which digit it is", "it is …", "it is {}")
    st.caption("Your drawing, on the pad below." if drawn.any() else "The pad below is empty: draw a digit on it.")
    return Chosen(drawn, said, "your drawing", None, (), ())


def sample(index: int) -> Chosen:
    """The sample of this number, in `store.samples`' order: the same number on every page."""
    images, labels, source = store.samples()
    return Chosen(images[index], int(labels[index]), f"{_SOURCES[source]} {index}", index, (), ())


def drawing(key: str) -> np.ndarray | None:
    """What the visitor drew, (784,) of 0 and 1, blank where they cleared the pad; None where nothing is drawn."""
    text = st.session_state.setdefault(f"{key}_drawn", st.query_params.get(f"{key}_d") or None)
    try:
        return None if text is None else tiles.bits(text) if text else np.zeros(784, np.float32)
    except ValueError:  # links get cut
        return None


def label_for(chosen: Chosen, model: Autoencoder) -> tuple[int, str]:
    """The label that a conditional model is told, and how it is known.

    Where nobody has said it, the label of the highest ELBO: the likeliest digit as far as the ELBO tells.
    """
    if chosen.label is not None:
        return chosen.label, "its label" if chosen.index is not None else "as you say"
    elbos = latent.label_elbos(model, torch.tensor(chosen.pixels), torch.Generator().manual_seed(0))
    return int(elbos.argmax()), "guessed: highest ELBO"


def bring_picture(content: bytes, name: str) -> Chosen:
    """A file's bytes as a digit. Raises `DigitizeError` with one sentence for the visitor."""
    digit = digitize(content)
    return Chosen(digit.pixels.reshape(784), None, f"your picture ({name})", None, digit.steps, digit.notes)


def describe(chosen: Chosen) -> str:
    """One sentence: what is being looked at."""
    # A file's name is not Markdown: my_digit_.png must not turn into italics.
    name = re.sub(r"([\\`*_{}\[\]#$:~<>!|])", r"\\\1", chosen.name[0].upper() + chosen.name[1:])
    return f"{name}." if chosen.label is None else f"{name}, {'an' if chosen.label == 8 else 'a'} {chosen.label}."


def show_steps(chosen: Chosen, height: int = 120) -> None:
    """How a brought picture became a digit; nothing where the digit is a sample."""
    if chosen.steps:
        st.html(f'<div class="lse-row">{tiles.steps_html(chosen.steps, height)}</div>')


def next_index(labels: np.ndarray, index: int, only: int | None, step: int) -> int:
    """The first sample of the digit `only` (any where None) from index + step on, round the end."""
    order = (np.arange(len(labels)) + index + step) % len(labels)
    fitting = order if only is None else order[labels[order] == only]
    return int(fitting[0]) if len(fitting) else index


def _brought(key: str) -> Chosen | None:
    """The picture that was brought, with what the visitor says it shows."""
    state = st.session_state
    if chosen := state.get(f"{key}_brought"):
        state.setdefault(f"{key}_said", chosen.label)  # another page has a widget of its own
        said = _digit_box(f"{key}_said", "Which digit it is", "it is …", "it is {}")
        chosen = state[f"{key}_brought"] = chosen._replace(label=said)
    return chosen


def _caption(key: str, chosen: Chosen) -> None:
    st.caption(" ".join((describe(chosen), *chosen.notes)))
    if refusal := st.session_state.get(f"{key}_refused"):
        st.warning(refusal)


def _digit_box(key: str, label: str, nothing: str, some: str, **options) -> int | None:
    return st.selectbox(
        label,
        range(10),
        index=None,
        placeholder=nothing,
        format_func=some.format,
        key=key,
        label_visibility="collapsed",
        width=115,
        **options,
    )


def _bring_controls(key: str, camera: bool) -> None:
    state = st.session_state
    widget = f"{key}_file_{state.get(f'{key}_round', 0)}"  # a new name empties the uploader
    # Python hears when it opens, because only then may `_take_in` close it.
    with st.popover("Bring yours", icon=":material/add_a_photo:", key=f"{key}_bring", on_change="rerun"):
        st.file_uploader(
            "A picture of one digit, written large and dark on light paper",
            FILES,
            key=widget,
            on_change=_take_in,
            args=(key, widget),
        )
        # The browser asks for permission as soon as the camera is drawn, so drawing it is the visitor's act.
        if camera and st.toggle("Use the camera", key=f"{key}_camera"):
            photo = f"{key}_photo_{state.get(f'{key}_round', 0)}"
            st.camera_input("Photograph one digit", key=photo, on_change=_take_in, args=(key, photo))
    if state.pop(f"{key}_taken", False):
        _focus(key=f"{key}_focus", data={"name": f"{key}_bring"}, height="content", width="content")


@callback
def _take_in(key: str, widget: str) -> None:
    file, state = st.session_state[widget], st.session_state
    state.pop(f"{key}_refused", None)
    if file is None:
        state.pop(f"{key}_brought", None)
        return
    state[f"{key}_bring"], state[f"{key}_taken"] = False, True  # closed: what comes of it stands below
    try:
        state[f"{key}_brought"] = bring_picture(file.getvalue(), file.name)
        state.pop(f"{key}_said", None)  # what the last picture showed says nothing of this one
    except DigitizeError as error:
        state[f"{key}_refused"] = str(error)


@callback
def _back_to_samples(key: str) -> None:
    state = st.session_state
    state.pop(f"{key}_brought", None)
    state.pop(f"{key}_refused", None)
    state[f"{key}_round"] = state.get(f"{key}_round", 0) + 1


@callback
def take_sample(key: str, index: int) -> None:
    """Choose a sample from elsewhere on the page: for callbacks."""
    st.session_state[key] = index
    _back_to_samples(key)


@callback
def _go_to_next(key: str, step: int) -> None:
    labels, state = store.samples()[1], st.session_state
    state[key] = next_index(labels, state[key], state.get(f"{key}_only"), step)
    _back_to_samples(key)
