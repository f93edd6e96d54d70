"""The controls that choose the digit: a sample, a drawing, or a picture that the visitor brings."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
import torch

from ui.live import bridge, messages, store
from ui.parts import digit, first, tiles
from ui.parts.digit import BROUGHT, DRAWN, KEY, Chosen
from ui.shell.failure import callback
from vae_core import latent
from vae_core.data import DATASETS, NUMERALS, known
from vae_core.models import Autoencoder

EMPTY = "The pad below is empty: draw a digit on it."
# What had the focus is gone with the popover: whoever uses the keyboard goes on at the button that opened it.
_FOCUS = """
export default function ({ data }) {
  const left = document.activeElement;
  if (left !== document.body && !left.closest('[data-testid="stPopoverBody"]')) return;
  document.querySelector(`.st-key-${data.name} button`)?.focus();
}
"""
PRESS = "A drawing that you press becomes your digit."
_SHEET = messages.form({"drawing": messages.drawing})  # what static/parts/sheet.mjs says
_FILE = messages.form(  # what static/parts/chooser.mjs says
    {"picture": messages.picture, "name": messages.text(200), "id": messages.integer(0, 2**53)}
)
_focus = st.components.v2.component("lse_focus", html="<span hidden></span>", js=_FOCUS)  # pyright: ignore[reportAttributeAccessIssue]: not in its types


def choose_digit() -> Chosen:
    """One row of controls, and the digit they point at: that of every page. Whatever the visitor touched last counts.

    A picture that cannot be read leaves the digit that was there, and one sentence in its box.
    """
    chosen = digit.shared() or digit.opening()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        _sample_controls(KEY, "Digit", chosen)
        if chosen.how:
            _say_which(KEY, chosen)
        _bring_controls(KEY)
    _caption(KEY, chosen)
    return chosen


def choose_or_draw(key: str, *, title: str, start: dict[str, int]) -> Chosen:
    """A choice between a sample, a drawing and a picture, and the digit at which it points.

    The pad itself is in the page's live view (end.mjs), which tells what is drawn there. A cleared pad gives a
    digit without ink. Until there is a drawing or a picture, the digit that was there stays. start: the sample to open
    with, by data set.
    """
    chosen = digit.shared(key) or digit.opening(start)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{title}**", width=44)  # From and To break their lines alike
        source = st.segmented_control(
            title,
            list(digit.BY),
            required=True,
            key=f"{key}_by",
            label_visibility="collapsed",
            persist_state="session",
            on_change=_turn_to,
            args=(key,),
        )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        if source == "Sample":
            _sample_controls(key, "Number", chosen)
        elif source == "Picture":
            _bring_controls(key)
        if chosen.how and source != "Sample" and chosen.pixels.any():
            _say_which(key, chosen)
    if source == "Picture" and chosen.how != BROUGHT:
        _caption(key, chosen._replace(notes=("Until you bring a picture, it stays.",)))
    elif source == "Draw" and chosen.how != DRAWN:
        st.caption(f"{digit.describe(chosen)} Draw your own in its place, on the pad below.")
    elif source == "Draw":
        st.caption(f"{digit.describe(chosen)} It is on the pad below." if chosen.pixels.any() else EMPTY)
    else:
        _caption(key, chosen)
    return chosen


@callback
def swap(ends: dict[str, Chosen]) -> None:
    """Two ends of `choose_or_draw` change places, by key: for callbacks. What controls them goes with them."""
    for key, chosen in zip(ends, reversed(ends.values()), strict=True):
        digit.share(chosen, key)
        st.session_state[f"{key}_by"] = chosen.control


@callback
def _turn_to(key: str) -> None:
    """Another source: what it had last is the digit again, where it had one."""
    state = st.session_state
    state.pop(f"{key}_refused", None)
    kind = digit.BY[state[f"{key}_by"]]
    if before := state.get(f"{key}_{kind}"):
        digit.share(before, key)
    elif kind == digit.SAMPLE:
        digit.give_back(key)


def label_for(chosen: Chosen, model: Autoencoder, dataset: str = "mnist") -> tuple[int, str]:
    """The label that a conditional model of this data set is told, and how it is known.

    Where nobody has said it, or it is no class of the data set, the label of the highest ELBO: the likeliest one
    as far as the ELBO tells.
    """
    label = chosen.label_in(known(dataset, model.config.n_classes))
    if label is not None:
        return label, "as you say" if chosen.how else "its label"
    elbos = latent.label_elbos(model, torch.tensor(chosen.pixels), torch.Generator().manual_seed(0))
    return int(elbos.argmax()), "guessed: highest ELBO"


def show_steps(chosen: Chosen, height: int = 120) -> None:
    """How a brought picture became a digit; nothing where the digit is a sample."""
    if chosen.steps:
        st.html(f'<div class="lse-row">{tiles.steps_html(chosen.steps, height)}</div>')


def next_index(labels: np.ndarray, index: int, only: int | None, step: int) -> int:
    """The first sample of the digit `only` (any where None) from index + step on, round the end."""
    order = (np.arange(len(labels)) + index + step) % len(labels)
    fitting = order if only is None else order[labels[order] == only]
    return int(fitting[0]) if len(fitting) else index


def takeable(
    found: Sequence[tiles.Tile],
    words: Sequence[str],
    take: Callable[[int], None],
    *,
    key: str,
    size: int = 80,
    help: str = "Use this digit on every page",
) -> bool:
    """Tiles that are buttons, with words below each: `take` hears the number of the one that is pressed, from 0 on.
    Returns whether one was: a fragment that shows less than its page runs the page anew then."""

    @callback
    def pressed(i: int) -> None:
        take(i)

    any_down = False
    with st.container(horizontal=True, gap="small"):
        for i, (tile, word) in enumerate(zip(found, words, strict=True)):
            with st.container(width=size + 4, gap=None, key=f"lse_take_{key}_{i}"):  # the button lies over the tile
                tiles.row([tile], size=size)
                down = st.button(word, key=f"{key}_take_{i}", on_click=pressed, args=(i,), help=help, width=size + 4)
                any_down = any_down or down
    return any_down


def takeable_sheet(
    images: np.ndarray,
    columns: int,
    *,
    key: str,
    alt: str,
    caption: str,
    name: str,
    label: int | None = None,
    names: Sequence[str] = (),
    size: int = 560,
) -> None:
    """Many drawings (N, 784), row by row from the top, as one picture; what is pressed there becomes the digit, under
    this name and label. key: another one for other drawings. names: of the rows, plain text."""
    rows = len(images) // columns
    before = "".join(f"<span>{html.escape(each)}</span>" for each in names)
    image = f'<img src="{tiles.sheet_uri(images, columns)}" alt="{html.escape(alt, quote=True)}">'
    picture = f'<div class="drawings">{image}</div>'
    body = f'<div class="named"><div class="names">{before}</div>{picture}</div>' if names else picture
    bridge.view(
        "parts/sheet.mjs",
        key=key,
        reader=_SHEET,
        options={"columns": columns, "rows": rows},
        first=first.first(
            f'<div style="--size:{size}px">{body}</div><p class="quiet caption">{html.escape(caption)}</p>'
            f'<p class="quiet reading">{PRESS}</p>',
            "sheet",
        ),
        on_message=lambda said: digit.share(digit.drawing(said["drawing"], label, name)),
        once=True,
    )


@callback
def take_sample(source: str, index: int) -> None:
    """Choose a sample from elsewhere on the page: for callbacks."""
    digit.share(digit.sample(index, source))


# Controls -------------------------------------------------------------------------------------------------------------


def _sample_controls(key: str, title: str, chosen: Chosen) -> None:
    """The sample's number, which digits are wanted, the next one, and where there are several the data set."""
    state, source = st.session_state, chosen.source or digit.data_set()
    labels = store.samples(source)[1]
    # The control shows what the page shows: no number where the digit is the visitor's own. That is a control of its
    # own, so that `_take_number` can tell which of them speaks.
    name = f"{key}_number"
    start: dict[str, Any] = {}
    if chosen.index is None:
        name, start = f"{key}_no_number", {"value": None, "placeholder": "yours"}
    elif name in state:
        state[name] = chosen.index
    else:  # as its start: what session state says reaches the browser a moment later, and 0 would flash
        start = {"value": chosen.index}
    classes = DATASETS[source].classes
    noun = "digit" if classes == NUMERALS else "class"
    st.number_input(
        f"{title if classes == NUMERALS else 'Number'}, 0 … {len(labels) - 1}",
        0,
        len(labels) - 1,
        key=name,
        on_change=_take_number,
        args=(key, name, source),
        width=125,
        **start,
    )
    _class_box(
        f"{key}_only",
        classes,
        f"Only this {noun}",
        f"any {noun}",
        "only {}",
        on_change=_go_to_next,
        args=(key, 0, source),
    )
    st.button("Another", key=f"{key}_another", on_click=_go_to_next, args=(key, 1, source))
    if len(sources := store.sources()) > 1:
        state[f"{key}_source"] = source
        st.selectbox(
            "Data set",
            sources,
            format_func=lambda name: DATASETS[name].title.removesuffix("'s digits"),
            key=f"{key}_source",
            label_visibility="collapsed",
            on_change=_take_source,
            args=(key,),
            width=130,
        )


@callback
def _take_number(key: str, name: str, source: str) -> None:
    index, shown = st.session_state[name], digit.shared(key)
    # The browser says the old number once more, as if it had been typed, before it hears that its control is gone.
    late = shown is not None and shown.how is not None and name == f"{key}_number"
    if index is not None and not late:  # a number that is deleted chooses nothing
        digit.share(digit.sample(index, source), key)


@callback
def _take_source(key: str) -> None:
    source = st.session_state[f"{key}_source"]
    st.session_state[f"{key}_only"] = None  # its classes are others, and the sample that opens need not be of this one
    if store.whole(source):
        digit.share(digit.sample(DATASETS[source].opens, source), key)
        return
    note = f"{DATASETS[source].title} has a broken file on this machine, named in the server's log: this digit stays."
    digit.share((digit.shared(key) or digit.opening())._replace(notes=(note,)), key)


@callback
def _go_to_next(key: str, step: int, source: str) -> None:
    labels, state = store.samples(source)[1], st.session_state
    before = state.get(f"{key}_sample")
    last = state.get(f"{key}_number", before.index if before and before.source == source else DATASETS[source].opens)
    digit.share(digit.sample(next_index(labels, last, state.get(f"{key}_only"), step), source), key)


def _say_which(key: str, chosen: Chosen) -> None:
    """What the visitor says that their own digit is."""
    st.session_state[f"{key}_said"] = chosen.label  # the digit's own: another page has a widget of its own
    _class_box(f"{key}_said", NUMERALS, "Which digit it is", "it is …", "it is {}", on_change=_say, args=(key,))


@callback
def _say(key: str) -> None:
    if chosen := digit.shared(key):
        digit.share(chosen._replace(label=st.session_state[f"{key}_said"]), key)


def _caption(key: str, chosen: Chosen) -> None:
    st.caption(" ".join((digit.describe(chosen), *chosen.notes)))


def _class_box(key: str, classes: Sequence[str], label: str, nothing: str, some: str, **options) -> int | None:
    if (st.session_state.get(key) or 0) >= len(classes):  # another data set's
        st.session_state[key] = None
    return st.selectbox(
        label,
        range(len(classes)),
        index=None,
        placeholder=nothing,
        format_func=lambda y: some.format(classes[y]),
        key=key,
        label_visibility="collapsed",
        width=115,
        **options,
    )


def _bring_controls(key: str) -> None:
    state = st.session_state
    # Python hears when it opens, because only then may `_take_in` close it.
    with st.popover("Bring yours", icon=":material/add_a_photo:", key=f"{key}_bring", on_change="rerun"):
        bridge.view(
            "parts/chooser.mjs",
            key=f"{key}_file",
            reader=_FILE,
            options={"open": bool(state.get(f"{key}_bring")), "refused": state.get(f"{key}_refused")},
            on_message=partial(_take_in, key),
            once=True,
        )
    if state.pop(f"{key}_taken", False):
        _focus(key=f"{key}_focus", data={"name": f"{key}_bring"}, height="content", width="content")


def _take_in(key: str, file: dict[str, Any]) -> None:
    """A file has come from the browser: it is the digit from now on, or a sentence stands in the box."""
    state = st.session_state
    if sentence := digit.bring(file["picture"], file["name"], key):
        state[f"{key}_refused"] = {"id": file["id"], "sentence": sentence}
        return
    state[f"{key}_bring"], state[f"{key}_taken"] = False, True  # closed: what comes of it stands below
