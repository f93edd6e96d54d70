"""What the address of each page holds, and the one way in and out of it.

A page's state stands in `st.session_state` under its parameter's own name. `hold` reads the address when a page is
entered, gives every control its value, and keeps the address up to date. What a live view keeps by itself is listed
here as VIEW. Streamlit's own binding of widgets to the address is not used: its copy of the address is as old as the
page's first run, so that each of its corrections would undo what the views have written since, and a value that was cut
(`?dim=`) would arrive as None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import streamlit as st

from ui.parts import digit
from ui.shell.family import FAMILY
from vae_core.corruption import CORRUPTIONS
from vae_core.few_labels import WAYS


class Param(NamedTuple):
    """One parameter that a page's controls hold."""

    start: Any  # the page opens with it, and the address leaves it out
    read: Callable[[str], Any]  # text of the address → value; ValueError where it is none
    write: Callable[[Any], str] = str


VIEW = None  # read and written by the page's live view, in static/


def choice(options: Iterable[Any], start: Any) -> Param:
    """One of a few values, written as themselves."""
    by_text = {str(option): option for option in options}

    def read(text: str) -> Any:
        if text not in by_text:
            raise ValueError(f"Expected one of {', '.join(by_text)}; got {text}.")
        return by_text[text]

    return Param(start, read)


def count(start: int = 0, most: int = 10**9) -> Param:
    """A whole number from 0 to most."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) > most:
            raise ValueError(f"Expected a whole number from 0 to {most}; got {text[:40]}.")
        return int(text)

    return Param(start, read)


def amount(kind: str) -> Param:
    """How much a digit is spoilt: one of the amounts for which test means are known."""
    return choice(CORRUPTIONS[kind].amounts, CORRUPTIONS[kind].start)


def any_amount(kind: str) -> Param:
    """How much a digit is spoilt: any number from 0 to the kind's limit."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or float(text) > CORRUPTIONS[kind].limit:
            raise ValueError(f"Expected a number from 0 to {CORRUPTIONS[kind].limit:g}; got {text[:40]}.")
        return float(text)

    return Param(CORRUPTIONS[kind].start, read, "{:g}".format)


SWITCH = Param(False, lambda text: choice((0, 1), 0).read(text) == 1, lambda on: str(int(on)))
SIZES = (2, 20)
LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # L, draws in one estimate
TRAINED_ON = tuple(
    kind for kind, found in CORRUPTIONS.items() if found.trained_on
)  # the ways to spoil a digit that a DAE has seen
PARTS = ("Posterior", "Sampling", "Observation model", "β")
GENERATE = ("Random codes", "Near yours", "Prior and posterior")  # parts of Generate
HALVES = ("Try it", "What the noise teaches")  # of Restore
LISTS = ("Largest gap", "Several modes", "Lowest log p(x)")
DRAWN_FROM = ("prior", "gaussian", "mixture")  # where Generate's codes come from: vae_core.generation.SOURCES
MOST_GAUSSIANS = 100
FEW_BY = ("The data set", "You")  # who names digits on Few labels
FEW_COUNTS = (10, 20, 30, 50, 100, 200, 300, 600, 900, 1200)
FEW_SHOWN = ("What each is called", "Right or wrong")
STYLES_PARTS = ("Hands", "Leak")  # of Styles
SIZE_PARTS = ("Bits", "Dimensions")  # of Code size
SIZE_BITS = tuple(range(1, 9))  # vae_core.code_size.BITS, without torch
SIZE_SHOWN = ("−ELBO", "Squared error", "Nearest neighbours", "Random draws")
LABEL = Param(None, count(most=199).read)  # a class; which there are is the data set's matter
BY = choice(digit.BY, "Sample")


def models(most: int) -> Param:
    """Some models by their keys; whether they are there and fit is the page's question."""

    def read(text: str) -> list[str]:
        names = list(dict.fromkeys(text.split("~")))
        if len(names) > most or not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,120}", name) for name in names):
            raise ValueError(f"Expected up to {most} names of models; got {text[:40]}.")
        return names

    return Param(list(FAMILY), read, "~".join)


def labels(most: int) -> Param:
    """What models are told, each a label behind its key; whether they are there and know it is the page's question."""

    def read(text: str) -> dict[str, int]:
        pairs = [part.rpartition(":") for part in text.split("~") if text]
        if not pairs:
            return {}
        keys = models(most).read("~".join(key for key, _, _ in pairs))
        return dict(zip(keys, (count(most=999).read(label) for _, _, label in pairs), strict=True))

    return Param({}, read, lambda told: "~".join(f"{key}:{label}" for key, label in told.items()))


def named_by_hand(most: int) -> Param:
    """Training codes by their numbers, and the label that each was given: None where nobody could tell."""
    form = re.compile("([0-9]{1,7}):([0-9]{1,3}|x)")

    def read(text: str) -> dict[int, int | None]:
        parts = text.split("~") if text else []
        found = [form.fullmatch(part) for part in parts[: most + 1]]
        if len(parts) > most or not all(found):
            raise ValueError(f"Expected up to {most} codes like 12:4 or 12:x; got {text[:40]}.")
        return {int(one[1]): None if one[2] == "x" else int(one[2]) for one in found if one}

    def write(hand: dict[int, int | None]) -> str:
        return "~".join(f"{i}:{'x' if label is None else label}" for i, label in hand.items())

    return Param({}, read, write)


def guesses(most: int) -> Param:
    """What a visitor said of claims, a letter behind each key; which claims there are is the page's question."""
    form = re.compile("([A-Z][0-9]{1,2}[a-z]?):([hrns])")  # holds, with a rider, does not hold, skipped

    def read(text: str) -> dict[str, str]:
        parts = text.split("~") if text else []
        found = [form.fullmatch(part) for part in parts[: most + 1]]
        if len(parts) > most or not all(found):
            raise ValueError(f"Expected up to {most} guesses like S1:h; got {text[:40]}.")
        return {one[1]: one[2] for one in found if one}

    return Param({}, read, lambda said: "~".join(f"{key}:{letter}" for key, letter in said.items()))


CAST = models(4)
HAND = named_by_hand(60)
ONE = Param(None, lambda text: models(1).read(text)[0])
SIZE = choice(range(1, 65), None)  # of a code; which of them there are is the page's question

# Every page's whole list; a parameter that stands here nowhere is not read. The digit comes on top, DIGITS, also on a
# page that has no row.
LINKS: dict[str, dict[str, Param | None]] = {
    "Studio": dict.fromkeys(
        ("label", "spoil", "centred", "brush", "numbers", "posterior", "sampled", "coins", "pull", "throw"), VIEW
    ),
    "Map": {
        **dict.fromkeys(("left", "right", "image", "z", "y", "layers", "only", "lasso"), VIEW),
        **dict.fromkeys(("walk", "t", "epoch", "lv", "rv"), VIEW),
    },
    "Sliders": {
        "sliders_cast": CAST,
        "sliders_dim": SIZE._replace(
            start=20
        ),  # where a random code often draws no digit; with two it nearly always does
        "digit_only": LABEL,
        **dict.fromkeys(("models", "lead", "from", "s", "a", "y"), VIEW),
    },
    "Styles": {
        "styles_part": choice(STYLES_PARTS, STYLES_PARTS[0]),
        "leak_cast": CAST._replace(start=["cvae", "mnist-scrubbed-20d"]),
        "leak_dim": SIZE._replace(start=20),
        "styles_model": ONE._replace(start="cvae"),
        "styles_beside": ONE._replace(start=None),
        "styles_dim": SIZE._replace(start=2),
        "styles_label": count(3, 199),
        "digit_only": LABEL,
        **dict.fromkeys(("z", "keep", "z2", "keep2"), VIEW),
    },
    "Interpolate": {
        "walk_cast": CAST,
        "walk_dim": SIZE._replace(start=2),
        "walk_way": choice(("linear", "spherical"), "linear"),
        "walk_steps": choice(range(5, 16), 9),
        "digit_by": BY,
        "to_by": BY,
        "digit_only": LABEL,
        "to_only": LABEL,
        "t": VIEW,
    },
    "Restore": {
        "spoil_kind": choice(CORRUPTIONS, next(iter(CORRUPTIONS))),
        **{f"spoil_{kind}": any_amount(kind) for kind in CORRUPTIONS},
        "spoil_seed": count(),
        "spoil_told": labels(4),
        "spoil_cast": CAST,
        "spoil_dim": SIZE._replace(start=20),
        "spoil_part": choice(HALVES, HALVES[0]),
        "denoising_kind": choice(TRAINED_ON, "masking"),
        **{f"denoising_{kind}": amount(kind) for kind in TRAINED_ON},
        "denoising_length": choice(LENGTHS, 50),
        "denoising_seed": count(),
        "digit_only": LABEL,
    },
    "Generate": {
        "generate_part": choice(GENERATE, GENERATE[0]),
        "generate_cast": CAST,
        "generate_dim": SIZE._replace(start=20),  # with two numbers nearly every code draws a digit
        "generate_source": choice(DRAWN_FROM, DRAWN_FROM[0]),
        "generate_components": choice(range(1, MOST_GAUSSIANS + 1), 10),
        "digit_only": LABEL,
        "posterior_cast": CAST,
        **dict.fromkeys(("seed", "radius", "images"), VIEW),
    },
    "Few labels": {
        "few_model": ONE._replace(start="vae"),
        "few_dim": SIZE._replace(start=20),
        "few_way": choice(WAYS, "spreading"),
        "few_by": choice(FEW_BY, FEW_BY[0]),
        "few_count": choice(FEW_COUNTS, 600),
        "few_seed": count(most=999),
        "few_hand": HAND,
        "few_shown": choice(FEW_SHOWN, FEW_SHOWN[0]),
    },
    "Code size": {
        "size_part": choice(SIZE_PARTS, SIZE_PARTS[0]),
        "size_shown": choice(SIZE_SHOWN, SIZE_SHOWN[0]),
        "size_model": ONE._replace(start="vae"),
        "size_dim": SIZE._replace(start=20),
        "size_bits": choice(SIZE_BITS, 4),
        "digit_only": LABEL,
    },
    "The bound": {
        "part": choice(PARTS, "Posterior"),
        "inside_model": ONE._replace(start="vae"),
        "inside_list": choice(LISTS, None),
        "inside_labels": SWITCH,
        "sampling_length": choice(LENGTHS, 10),
        "sampling_seed": count(),
        "digit_only": LABEL,
        **dict.fromkeys(("q", "beta"), VIEW),
    },
    "Claims": {"claims_guessed": guesses(100)},
    "Models": {"model": ONE, "beside": ONE},
}
OLD = {"from": digit.KEY, "from_d": "d", "from_by": "digit_by"}  # names of Interpolate's first end in older links
# The digits of each page, and whether Python writes them into the address or the live view does.
DIGITS: dict[str, dict[str, bool]] = {
    page: {digit.KEY: page not in ("Studio", "Map")} | ({"to": True} if page == "Interpolate" else {}) for page in LINKS
} | {"Models": {}, "Few labels": {}, "Claims": {}}

# Inline modules are blobs and cannot import relatively. The path is asked before anything is awaited: whoever has left
# for another page meanwhile must not find this page's state in its address.
_WRITER = """
export default function ({ data }) {
  const path = location.pathname;
  import(new URL("app/static/host.mjs", document.baseURI).href).then(({ link }) => {
    if (path === location.pathname) link.set(JSON.parse(data.values));
  });
}
"""
_write = st.components.v2.component("lse_link", html="<span hidden></span>", js=_WRITER)  # pyright: ignore[reportAttributeAccessIssue]: not in its types


def hold(page: str) -> None:
    """Call before the page's first control: its address counts where the page is entered, later its controls do."""
    state, kept = st.session_state, LINKS.get(page, {})
    digits = DIGITS.get(page, {digit.KEY: True})
    if state.get("page") != page:
        state["page"] = page
        address = st.query_params.to_dict()
        if page == "Interpolate":
            address = {OLD.get(name, name): text for name, text in address.items()}
        _enter(address, kept, digits)
    values: dict[str, str | None] = {}
    for name, param in kept.items():
        if isinstance(param, Param):
            state.setdefault(name, param.start)
            values[name] = None if state[name] in (None, param.start) else param.write(state[name])
    if page == "Interpolate":
        values |= dict.fromkeys(OLD)
    for key, python_writes in digits.items():
        values |= digit.in_link(key) if python_writes else {}
    _write(key=f"link {page}", data={"values": json.dumps(values)}, height="content")


def _enter(address: dict[str, str], kept: dict[str, Param | None], keys: Iterable[str]) -> None:
    state = st.session_state
    for name in kept.keys() & address.keys():
        if isinstance(param := kept[name], Param):
            try:
                state[name] = param.read(address[name])
            except ValueError:  # links get cut
                continue
        page, _, what = name.rpartition("_")
        if what in ("cast", "model") and (size := f"{page}_dim") in kept.keys() - address.keys():
            state[size] = None  # who is named tells it
    for key in keys:
        digit.take_from_link(address, key)
        # What the digit is and what its control says are one thing.
        if (chosen := digit.shared(key)) and f"{key}_by" in kept and f"{key}_by" not in address:
            state[f"{key}_by"] = chosen.control
