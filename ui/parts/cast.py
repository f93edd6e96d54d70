"""Who can stand on which page, and the one control by which other models come onto it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.live import bridge, cast
from ui.live.cast import Standing
from ui.parts.links import CAST, LINKS, SIZES
from ui.shell.failure import callback
from ui.shell.family import slug

MOST = 4  # models on a page at once


# Why a page cannot show a model, as the end of a sentence, None where it can; by the name of its state in links. A page
# that is not listed shows any model. The page's own control and the links on *Models* ask here.


def _map(one: Standing) -> str | None:
    return "its code has one number, and a map needs two" if one.latent_dim == 1 else None


def _styles(one: Standing) -> str | None:
    return None if one.conditional else "it is told no label"


def _inside(one: Standing) -> str | None:
    if not one.probabilistic:
        return "its code is a point, so there is no bound"
    if one.latent_dim != 2:
        return f"p(x) is integrated in two dimensions, and its code has {one.latent_dim}"
    return None


def _posterior(one: Standing) -> str | None:
    if not one.probabilistic:
        return "its codes are points, so they have no density"
    return None if one.latent_dim == 2 else f"densities are drawn in a plane, and its code has {one.latent_dim} numbers"


def _few(one: Standing) -> str | None:
    if one.conditional:
        return "its codes were encoded with the label, so that reading it there shows nothing"
    return _map(one)


LACKS: dict[str, Callable[[Standing], str | None]] = {
    "map": _map,
    "styles": _styles,
    "leak": _styles,
    "inside": _inside,
    "posterior": _posterior,
    "few": _few,
}


def lacks(page: str, one: Standing) -> str | None:
    """Why this model cannot stand on a page, at any size of code."""
    return LACKS[page](one) if page in LACKS else None


def choose(page: str, size: int, most: int = MOST) -> list[Standing]:
    """Show the control *Add a model*, and give the models that stand on the page, in the order of every list.

    page: its state is `<page>_cast`, keys of models (ui/parts/links.py holds it; the page opens with the family).
    size: numbers in the code of whoever stands here. What is broken or fits no more is left out.
    """
    key, state = f"{page}_cast", st.session_state
    there = _by_key(size)
    reasons = {name: lacks(page, one) or _size_fits(one, size) for name, one in there.items()}
    can = [name for name, reason in reasons.items() if reason is None]
    wanted = [name for name in state[key] if name in can] or [name for name in CAST.start if name in can] or can[:most]
    named = [name for name in state[key] if name not in can]
    whole = bridge.whole(cast.slug_of(name, size) for name in (*wanted, *named))  # names what is broken
    asked = [name for name in wanted if cast.slug_of(name, size) in whole]
    can = [name for name in can if name in asked or name not in wanted]
    state[key] = asked or can[:most]
    for name in named:
        if name in there:
            st.caption(f"{told(there[name])} cannot stand here: {reasons[name]}.")
    if not can:
        st.error(
            "No model for this page is here. Restore the folder checkpoints, or run `python -m vae_core train vae`."
        )
        st.stop()

    @callback
    def some_stay() -> None:
        state[key] = state[key] or asked

    with st.popover("Add a model"):
        st.multiselect(
            f"Models on this page, at most {most}",
            can,
            format_func=lambda name: told(there[name]),
            max_selections=most,
            key=key,
            on_change=some_stay,
            persist_state="session",
        )
        if len(state[key]) == most:
            st.caption(f"{most} stand here: take one away before you add another.")
        _say_who_cannot(there, reasons)
    return [there[name] for name in can if name in state[key]][:most]


def choose_one(page: str, size: int) -> Standing | None:
    """The same control on a page of one model: its state is `<page>_model`. None where no model fits."""
    key, state = f"{page}_model", st.session_state
    there = _by_key(size)
    reasons = {name: lacks(page, one) or _size_fits(one, size) for name, one in there.items()}
    can = [name for name, reason in reasons.items() if reason is None]
    if not can:
        return None
    if (asked := state[key]) not in can:
        bridge.whole([cast.slug_of(asked, size)])  # of a broken one the page says so
        if asked in there:
            st.caption(f"{told(there[asked])} cannot stand here: {reasons[asked]}.")
        state[key] = can[0]
    if len(can) > 1:
        with st.popover("Change the model"):
            st.radio(
                "Model on this page",
                can,
                format_func=lambda name: told(there[name]),
                key=key,
                persist_state="session",
            )
            _say_who_cannot(there, reasons)
    return there[state[key]]


def shipped(kind: str, size: int) -> Standing:
    """The shipped model, for a page on which none fits: where its files are missing or broken, one sentence and the end
    of the page."""
    from ui.live import store  # imports torch

    store.guard(slug(kind, size))
    store.guard_codes(slug(kind, size))
    return cast.standing(slug(kind, size))


def choose_beside(page: str, one: Standing) -> Standing | None:
    """Who stands beside the one model of a page, of as many numbers; its state is `<page>_beside`, None for nobody."""
    key, state = f"{page}_beside", st.session_state
    there = _by_key(one.latent_dim)
    can = [
        name
        for name, each in there.items()
        if not (lacks(page, each) or _size_fits(each, one.latent_dim)) and name != one.key
    ]
    if state[key] not in can:
        state[key] = None
    if not can:
        return None
    name = st.selectbox(
        "Model beside it",
        can,
        index=None,
        format_func=lambda name: told(there[name]),
        placeholder="nobody beside it",
        label_visibility="collapsed",
        key=key,
        persist_state="session",
    )
    return there[name] if name and bridge.whole([there[name].slug]) else None


def choose_size(page: str) -> int:
    """Show the control for how many numbers a code has: the sizes of which a model fits."""
    key, state = f"{page}_dim", st.session_state
    fit = [one for one in cast.everybody() if not lacks(page, one)]
    there = {one.latent_dim for one in fit}
    sizes = sorted(there) or list(SIZES)
    if state[key] not in sizes:
        # A link that names models and no size: theirs, but of the shipped ones, which have two.
        asked = [*state.get(f"{page}_cast", ()), state.get(f"{page}_model")]
        named = [one.latent_dim for one in fit if one.key in asked and one.key != one.kind]
        start = next(param.start for kept in LINKS.values() if (param := kept.get(key)))
        state[key] = next(size for size in (*named, start, sizes[0]) if size in sizes)
    return st.segmented_control("Numbers in the code", sizes, required=True, key=key, persist_state="session")  # pyright: ignore[reportReturnType]: required


def _by_key(size: int) -> dict[str, Standing]:
    """Everybody; of the shipped ones, which share their keys, those of this size."""
    return {one.key: one for one in cast.everybody() if one.key != one.kind or one.latent_dim == size}


def _say_who_cannot(there: dict[str, Standing], reasons: dict[str, str | None]) -> None:
    for reason in dict.fromkeys(filter(None, reasons.values())):
        left = ", ".join(told(there[name]) for name, its in reasons.items() if its == reason)
        st.caption(f"Not here, {reason}: {left}.")


def _size_fits(one: Standing, size: int) -> str | None:
    """Why not, as the end of a sentence."""
    return None if one.latent_dim == size else f"not {size} numbers in its code"


def told(one: Standing) -> str:
    """A model in a list of all: its name, its data set, the size of its code."""
    numbers = "1 number" if one.latent_dim == 1 else f"{one.latent_dim} numbers"
    return f"{one.title} ({one.dataset}, {numbers})"
