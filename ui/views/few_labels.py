"""The page "Few labels": some training codes are named, by the data set or by hand; what are all others called?"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch

from ui.live import cast, messages, networks, store
from ui.live.bridge import view
from ui.live.cast import Standing
from ui.parts.cast import choose_one, choose_size, shipped, told
from ui.parts.links import FEW_BY, FEW_COUNTS, FEW_SHOWN, HAND
from ui.parts.scatter import draw_points, extent
from ui.parts.tiles import Tile, grey, numbers, row
from ui.shell.failure import callback
from ui.shell.folded import folded
from vae_core import few_labels, latent, measures
from vae_core.few_labels import WAYS, Calls

OFFERED = 40  # codes that a visitor is asked about, one after the other
LONGEST = 1000  # characters of all answers; the link says how many there may be
MIX_UPS, OF_EACH = 6, 2  # mistakes in pictures
WRONG = ("#8a9099", "#d6336c")  # right, wrong: as ui/parts/figures.py draws what is no digit
OF_WAYS = ("k-means", "label spreading", "logistic regression", "SVM")
OF_LABELS = ("code, z", "encoder, decoder", "AE", "DAE", "VAE", "CVAE", "PCA", *OF_WAYS)

WHY_NOT_K_MEANS = """
**Groups of codes are not the digits.** It is often taught that an autoencoder's codes fall into ten groups, so that one
or two labels in a hundred are enough to name them: put a middle where each digit's few labelled codes lie, let k-means
move the middles until they rest, and name each group. The table shows how far that goes. Class centres that stay where
the labels put them do better with every model measured here: left to itself, k-means cuts large groups in two and lets
small ones share a middle, since it knows of no label once it has begun. What does make use of a few labels looks at who
lies beside whom, or bends its borders.

**A CVAE is not here.** Its codes were encoded with the label, so whatever is read from them may be what was written
into them.
"""


def page() -> tuple[str, ...]:
    """The whole page. Returns the glossary's words that stand there."""
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        one = choose_one("few", choose_size("few")) or shipped("vae", 2)
        codes = store.guard_codes(one.slug)
        way: str = st.selectbox(  # pyright: ignore[reportAssignmentType]: one of them, since none is no option
            "How the others are named",
            list(WAYS),
            format_func=lambda name: WAYS[name].name,
            key="few_way",
            persist_state="session",
            width=270,
        )
        by = st.segmented_control("Who has a label", FEW_BY, required=True, key="few_by", persist_state="session")
    with said:
        st.markdown(words(one))
    st.caption(WAYS[way].words)
    if by == FEW_BY[1]:
        asking, beside = st.columns([1.25, 1], gap="large")
        with asking:
            named = by_hand(one, codes)
    else:
        named, beside = by_chance(codes), st.container()
    if named is None:
        _map(one, codes, None, None)
    else:
        with beside:
            calls = called(one, way, *named)
            _result(one, way, codes, named, calls, by == FEW_BY[1])
        left, right = st.columns([1.15, 1], gap="large")
        with left:
            _map(one, codes, named, calls)
        with right:
            _confusion(one, codes, calls)
        if by == FEW_BY[1]:
            _what_was_said(one, codes, named)
        _mistakes(one, codes, calls)
    _table(one, way)
    folded("Every model that was measured", partial(_everybody, one))
    folded("Why not k-means, and why no CVAE", lambda: st.markdown(WHY_NOT_K_MEANS))
    return OF_LABELS


class Named(NamedTuple):
    """Training codes that have a label."""

    at: np.ndarray  # (L,)
    labels: np.ndarray  # (L,)


# Who has a label ------------------------------------------------------------------------------------------------------


def by_chance(codes: dict[str, torch.Tensor]) -> Named:
    """The controls for how many training codes get the data set's label, and which draw of them this is."""
    n = len(codes["train_mean"])
    state = st.session_state
    counts = [count for count in FEW_COUNTS if count <= n] or [n]
    if state["few_count"] not in counts:
        state["few_count"] = counts[-1]
    kept: dict[str, Any] = {"persist_state": "session"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        count = st.select_slider(f"Labels, of {n:,} training codes", counts, key="few_count", width=420, **kept)
        seed = st.number_input("Draw", 0, 999, key="few_seed", width=120, **kept)
        st.button("Draw other labels", on_click=_draw_again, key="few_again")
    at = few_labels.drawn(n, count, seed)
    return Named(at, codes["train_label"].numpy()[at])


@callback
def _draw_again() -> None:
    st.session_state["few_seed"] = (st.session_state["few_seed"] + 1) % 1000


def by_hand(one: Standing, codes: dict[str, torch.Tensor]) -> Named | None:
    """A drawing, and a button for each digit that it may be. None while nothing is named."""
    state = st.session_state
    if state.setdefault("few_of", one.dataset) != one.dataset:  # numbers of images of another data set
        state["few_of"], state["few_hand"] = one.dataset, {}
    n = len(codes["train_mean"])
    # Another model may have kept fewer codes; the names of the rest wait until one comes that has them.
    hand = {i: y for i, y in state["few_hand"].items() if i < n and (y is None or y < one.n_classes)}
    with st.spinner(f"Looking for {OFFERED} codes that lie far apart, once for each model …"):
        offered = offers(one)
    state["few_asked"] = next((i for i in offered.tolist() if i not in hand), None)
    drawn = latent.decode(store.guard(one.slug)[0], codes["train_mean"][offered]).numpy()
    view(
        "views/few_labels.mjs",
        key=f"few_labels {one.dataset}",
        reader=SAID,
        options={
            "name": one.name,
            "classes": list(one.data.classes),
            "asked": [{"i": i, "pixels": grey(each)} for i, each in zip(offered.tolist(), drawn, strict=True)],
            "hand": HAND.write(state["few_hand"]),
        },
        first='<div style="min-height: 172px"></div>',
        on_message=_keep,
    )
    told_of = {i: y for i, y in hand.items() if y is not None}
    if not told_of:
        st.caption("No code has a name yet: the map below waits for the first one.")
        return None
    return Named(np.fromiter(told_of, np.int64), np.fromiter(told_of.values(), np.int64))


def _answers(value: Any) -> dict[int, int | None]:
    """All answers, as the link holds them."""
    try:
        return HAND.read(messages.text(LONGEST)(value))
    except ValueError as error:
        raise messages.Unreadable(f"expected answers as a link holds them: {error}") from None


SAID = messages.form({"hand": _answers})


@callback
def _keep(said: dict[str, Any]) -> None:
    st.session_state["few_hand"] = said["hand"]


def _what_was_said(one: Standing, codes: dict[str, torch.Tensor], named: Named) -> None:
    """The drawings with what they were called, and where the data set says otherwise of the image behind the code."""
    truth, data = codes["train_label"].numpy()[named.at], one.data
    drawn = latent.decode(store.guard(one.slug)[0], codes["train_mean"][named.at]).numpy()
    st.subheader("What you said")
    said = zip(drawn, named.labels.tolist(), truth.tolist(), strict=True)
    row(
        (
            Tile(
                picture,
                data.classes[label],
                "" if label == true else f"was a {data.classes[true]}",
                data.colours[label],
            )
            for picture, label, true in said
        ),
        52,
    )
    if others := int((named.labels != truth).sum()):
        st.caption(
            f"{_some(others, 'image')} behind these codes had another label. You have seen the model's drawing, and "
            f"with {one.latent_dim} numbers a drawing can be of another digit than its image was."
        )


# What the others are called -------------------------------------------------------------------------------------------


_ONE_AT_A_TIME = threading.Lock()  # in the whole process: a class that asks at once would take all of it


@st.cache_resource(max_entries=6, show_spinner=False)
def _codes(name: str, stamp: tuple[int, ...]) -> few_labels.Codes:
    """Keeps the graph, too, once somebody has asked for it."""
    kept = store.guard_codes(name)
    return few_labels.Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy())


def offers(one: Standing) -> np.ndarray:
    """The training codes that are asked about, the best first; of one model always the same."""
    return _offers(one.slug, networks.stamp(one.slug))


@st.cache_data(max_entries=40, show_spinner=False)
def _offers(name: str, stamp: tuple[int, ...]) -> np.ndarray:
    with _ONE_AT_A_TIME:
        return few_labels.apart(_codes(name, stamp), OFFERED)


def called(one: Standing, way: str, at: np.ndarray, labels: np.ndarray) -> Calls:
    """What every code is called where these have these labels."""
    return _called(one.slug, networks.stamp(one.slug), way, at.tobytes(), labels.tobytes())


@st.cache_data(max_entries=100, show_spinner="Naming all codes …")
def _called(name: str, stamp: tuple[int, ...], way: str, at: bytes, labels: bytes) -> Calls:
    with _ONE_AT_A_TIME:
        found = few_labels.call(way, _codes(name, stamp), np.frombuffer(at, np.int64), np.frombuffer(labels, np.int64))
    return Calls(*(part.astype(np.int64) for part in found))


def _result(one: Standing, way: str, codes: dict[str, torch.Tensor], named: Named, calls: Calls, hand: bool) -> None:
    """How many test codes are called right, beside what ten draws of as many labels gave."""
    truth = codes["test_label"].numpy()
    share = float((calls.test == truth).mean())
    rise = _rise(one, way, named, share) if hand else []
    before = dict(rise).get(len(named.at) - 1)
    more = None if before is None else f"{100 * (share - before):+.1f} points"
    place, beside = st.columns([1, 1.3] if hand else [1, 3], gap="medium")
    with place:
        st.metric("Test codes called right", f"{share:.1%}", more)
    with beside:
        if hand:
            absent = [name for label, name in enumerate(one.data.classes) if label not in named.labels]
            lacking = f" Nobody has named a {_listed(absent)} yet, so none is found." if absent else ""
            st.markdown(
                f"**{_some(len(named.at), 'label')} by your hand; {len(calls.train) - len(named.at):,} training codes "
                f"and {len(truth):,} test codes are named after them.**{lacking}"
            )
        else:
            st.markdown(_beside(one, way, len(named.at)))
    if len(rise) > 1:
        from ui.parts import figures

        st.plotly_chart(
            figures.rising(rise),
            config=figures.CONFIG,
            alt=f"Share of test codes called right after each label, now {share:.1%}",
            key="few_rise",
        )


def _rise(one: Standing, way: str, named: Named, share: float) -> list[tuple[int, float]]:
    """(labels, accuracy) of what this visitor has seen on the way to these labels."""
    seen = st.session_state.setdefault("few_seen", {})
    said = tuple(zip(named.at.tolist(), named.labels.tolist(), strict=True))
    seen[one.slug, way, said] = share
    whole = ((k, seen.get((one.slug, way, said[:k]))) for k in range(1, len(said) + 1))
    return [(k, found) for k, found in whole if found is not None]


def _beside(one: Standing, way: str, count: int) -> str:
    """What was measured with as many labels, or with the next number of them."""
    kept = store.measured("few_labels", one.slug)
    if kept is None:
        how = f"`python -m vae_core measure {one.slug} --what few_labels` does"
        if (have := len(store.guard_codes(one.slug)["train_mean"])) < measures.KEPT:
            how = f"that takes {measures.KEPT:,} training codes, and this model has kept {have:,}"
        return f"Over several draws it was not measured: {how}."
    at = min(few_labels.COUNTS, key=lambda known: abs(np.log(known / count)))
    found = kept["rows"][str(at)].get(way)
    if found is None:
        return "This way was not measured over several draws."
    same = "this many labels" if at == count else f"{at:,} labels"
    return f"**Over {kept['draws']} draws of {same}: {share_of(found)}** (mean, and its 95 % interval)."


def share_of(found: dict[str, float]) -> str:
    """An accuracy with the half-width of its interval."""
    return f"{100 * found['mean']:.1f} ± {100 * found['half']:.1f}%"


def words(one: Standing) -> str:
    """One sentence: what a few labels do for the codes of this model, and what does not work."""
    kept = store.measured("few_labels", one.slug)
    row_ = {way: found for way, found in kept["rows"][str(few_labels.COUNTS[0])].items() if way in WAYS} if kept else {}
    if not kept or not row_:  # no way that is known here
        return (
            f"Somebody names a few training codes of the {one.name}; every other code is named after them. Choose who "
            "names how many, and see how many of the test codes are called right."
        )
    best = max(row_, key=lambda way: row_[way]["mean"])
    lead = (
        f"**Where {few_labels.COUNTS[0]} of {kept['codes']:,} training digits have a name, by {_inside(best)} "
        f"{row_[best]['mean']:.0%} of {kept['tested']:,} new ones get their right name from the "
        f"{_some(one.latent_dim, 'number')} that the {one.name} keeps of each"
    )
    if (plain := row_.get("k-means")) and best != "k-means":
        lead += f"; grouping the codes and naming the groups gets only {plain['mean']:.0%} right"
    return lead + ".**"


def _inside(way: str) -> str:
    """A way's name within a sentence."""
    name = WAYS[way].name
    return name if name[:2].isupper() else name[0].lower() + name[1:]


# In pictures ----------------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=20, show_spinner=False)
def plane(name: str, stamp: tuple[int, ...]) -> np.ndarray:
    """Training codes (N, 2) as the map shows them: as they are, or along their first two principal components."""
    train = store.guard_codes(name)["train_mean"].numpy().astype(np.float64)
    if train.shape[1] == 2:
        return train
    centred = train - train.mean(0)
    axes = np.linalg.eigh(np.cov(centred.T))[1][:, :-3:-1]
    return centred @ (axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]]))


def _map(one: Standing, codes: dict[str, torch.Tensor], named: Named | None, calls: Calls | None) -> None:
    """Every training code, in the colour of what it is called; larger those that have a label."""
    from ui.parts import figures

    places, data = plane(one.slug, networks.stamp(one.slug)), one.data
    st.subheader(f"Training codes of the {one.name}")
    shown = FEW_SHOWN[0]
    if calls is not None:
        shown = st.segmented_control(
            "Colours", FEW_SHOWN, required=True, key="few_shown", persist_state="session", label_visibility="collapsed"
        )
    if calls is None:
        picture, what = draw_points(places, np.zeros(len(places), int), colours=WRONG), "none has a name yet"
    elif shown == FEW_SHOWN[0]:
        picture, what = (
            draw_points(places, calls.train, colours=data.colours),
            "each in the colour of what it is called",
        )
    else:
        wrong = (calls.train != codes["train_label"].numpy()).astype(int)
        order = np.argsort(wrong, kind="stable")  # what is wrong lies on top
        picture = draw_points(places[order], wrong[order], colours=WRONG)
        what = f"red where its name is wrong, {wrong.mean():.1%}"
    asked = st.session_state.get("few_asked") if st.session_state["few_by"] == FEW_BY[1] else None
    figure = figures.labelled(
        picture,
        extent(places),
        places[named.at] if named else np.zeros((0, 2)),
        named.labels if named else np.zeros(0, int),
        data.classes,
        data.colours,
        None if asked is None else places[asked],
        ("z₁", "z₂") if one.latent_dim == 2 else ("first principal component", "second principal component"),
    )
    st.plotly_chart(figure, config=figures.CONFIG, alt=f"{len(places):,} training codes, {what}", key="few_map")
    flat = (
        ""
        if one.latent_dim == 2
        else (
            f" The {one.latent_dim} numbers of a code are seen from where they differ most, so that codes which lie "
            "apart can lie on one another here."
        )
    )
    st.caption(f"{len(places):,} training codes, {what}. Those with a label stand out.{flat}")


def _confusion(one: Standing, codes: dict[str, torch.Tensor], calls: Calls) -> None:
    """Which digits are called what."""
    from ui.parts import figures

    st.subheader("Which test digit is called what")
    counts = confusion(codes["test_label"].numpy(), calls.test, one.n_classes)
    pairs = mixed_up(counts)
    most = "; ".join(f"{counts[a, b]} of {one.data.classes[a]} called {one.data.classes[b]}" for a, b in pairs[:3])
    st.plotly_chart(
        figures.confusion(counts, one.data.classes),
        config=figures.CONFIG,
        alt=f"Confusion of {len(calls.test):,} test codes. Most often: {most or 'none'}",
        key="few_confusion",
    )
    st.caption("Rows are what the digits are, columns what their codes are called; the colour is the share of a row.")


def confusion(truth: np.ndarray, calls: np.ndarray, n_classes: int) -> np.ndarray:
    """How many of each label are called each: (K, K), rows the truth."""
    return np.bincount(truth * n_classes + calls, minlength=n_classes**2).reshape(n_classes, n_classes)


def mixed_up(counts: np.ndarray) -> list[tuple[int, int]]:
    """(label, called) of what is mixed up, the commonest first."""
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")
    return [(int(a), int(b)) for a, b in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[a, b]]


def _mistakes(one: Standing, codes: dict[str, torch.Tensor], calls: Calls) -> None:
    """The first of each of the commonest mix-ups, in pictures."""
    truth, data = codes["test_label"].numpy(), one.data
    counts = confusion(truth, calls.test, one.n_classes)
    images = store.originals(one.dataset)
    tiles = []
    for a, b in mixed_up(counts)[:MIX_UPS]:
        at = np.flatnonzero((truth == a) & (calls.test == b))[:OF_EACH]
        model = store.guard(one.slug)[0]
        pictures = latent.decode(model, codes["test_mean"][at]).numpy() if images is None else images[at]
        name = f"{data.classes[a]}, called {data.classes[b]}"
        tiles += [
            Tile(picture, name, f"test digit {i}", data.colours[b]) for picture, i in zip(pictures, at, strict=True)
        ]
    if not tiles:
        return
    st.subheader("Mistakes")
    row(tiles, columns=MIX_UPS * OF_EACH)
    st.caption(
        "The first two test digits of each of the commonest mix-ups"
        + (f", as the {one.name} draws them: the images themselves are not on this machine." if images is None else ".")
    )


# What was measured ----------------------------------------------------------------------------------------------------


def _table(one: Standing, way: str) -> None:
    """Each way with 600 and with 1,200 labels, beside the same on the pixels themselves."""
    kept = store.measured("few_labels", one.slug)
    if kept is None:
        return
    st.subheader("What was measured")
    raw = store.baselines().get("few_labels") if one.dataset == "mnist" else None
    ways = [name for name in WAYS if all(name in kept["rows"][str(count)] for count in few_labels.COUNTS)]
    head = ["", *(f"{count:,} labels" for count in few_labels.COUNTS)]
    head += [f"raw pixels, {count:,}" for count in few_labels.COUNTS] if raw else []
    rows = []
    for name in ways:
        cells = [share_of(kept["rows"][str(count)][name]) for count in few_labels.COUNTS]
        if raw:
            found = (raw["rows"].get(str(count), {}).get(name) for count in few_labels.COUNTS)
            cells += [share_of(each) if each else "—" for each in found]
        rows.append((WAYS[name].name, *cells))
    numbers(head, rows, best=ways.index(way) if way in ways else None)
    st.caption(
        f"Share of {kept['tested']:,} test codes that are called right, mean over {kept['draws']} draws of the labels "
        f"and its 95 % interval; one training run. `python -m vae_core measure {one.slug} --what few_labels` measures "
        "it. The way that is chosen above is bold."
    )


def _everybody(one: Standing) -> None:
    """The two best ways, and the one that is taught, for whoever has been measured."""
    shown = ("k-means", "svm", "spreading")
    rows, mine = [], None
    for other in cast.everybody():
        kept = store.measured("few_labels", other.slug) if not other.conditional else None
        if kept and all(way in kept["rows"][str(count)] for way in shown for count in few_labels.COUNTS):
            if other.slug == one.slug:
                mine = len(rows)
            cells = (share_of(kept["rows"][str(count)][way]) for way in shown for count in few_labels.COUNTS)
            rows.append((told(other), *cells))
    names = ("k-means", "SVM", "spreading")
    numbers(("", *(f"{name}, {count:,}" for name in names for count in few_labels.COUNTS)), rows, best=mine)


def _some(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
