"""The page "Styles": one hand, every class in it, and whose hand is like this one."""

from __future__ import annotations

import html
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.live import bridge, cast, messages, networks, store
from ui.live.cast import Standing
from ui.parts import digit, fetch, first
from ui.parts.cast import choose, choose_beside, choose_one, choose_size, shipped
from ui.parts.digit import Chosen
from ui.parts.links import STYLES_PARTS
from ui.parts.picture import choose_digit, label_for, show_steps, take_sample, takeable, takeable_sheet
from ui.parts.readout import listed
from ui.parts.tiles import Bar, Tile, bars, numbers, row
from ui.shell.failure import fragment
from ui.shell.family import slug
from vae_core import latent
from vae_core.data import DATASETS, NUMERALS

REACH, SIDE = 3.0, 15  # σ from the middle to a sheet's edge, drawings on its side
PLACES = ("", "2")  # of the model and of the one beside it, at the end of the link's z and keep
MIXED = 1.5  # times chance, up to which classes are said to mix
COMPARED = 3000  # test images whose nearest neighbour is asked for its label
ALIKE = 0.02  # between two shares of right labels that single runs do not tell apart
OF_HANDS = ("CVAE", "encoder, decoder", "code, z", "prior, N(0, I)", "KL", "nat", "ELBO")
OF_LEAK = (
    "CVAE",
    "encoder, decoder",
    "code, z",
    "prior, N(0, I)",
    "posterior, q(z | x)",
    "μ, σ",
    "nat",
    "ELBO",
    "judge",
)


def page() -> tuple[str, ...]:
    """The part of the page that is chosen. Returns the glossary's words that stand there."""
    part = st.segmented_control(
        "Part", STYLES_PARTS, required=True, key="styles_part", persist_state="session", label_visibility="collapsed"
    )
    if part == STYLES_PARTS[1]:
        _leak()
        return OF_LEAK
    _hands()
    return OF_HANDS


def _hands() -> None:
    """The controls, the live view, and what a conditional model makes of the digit and of one label."""
    controls, size = st.columns([3.4, 1])
    with size:
        dim = choose_size("styles")
        one = choose_one("styles", dim)
        other = choose_beside("styles", one) if one else None
    with controls:
        chosen = choose_digit()
    one = one or shipped("cvae", dim)
    here = [_asked(each, chosen) for each in (one, other) if each]
    for asked, place in zip(here, PLACES, strict=False):
        if other:
            st.html(f"<h3>{html.escape(asked.one.title)}</h3>")
        _hand(asked, chosen, place)
    fetch.mnist_notice()
    st.subheader("What the model makes of your digit" if other is None else "What the models make of your digit")
    for asked in here:
        _drawn_back(asked, chosen, "Drawn back" if other is None else asked.one.title)
    show_steps(chosen)
    st.subheader("One digit in many hands" if one.data.classes == NUMERALS else "One class in many hands")
    _many(one)


class Asked(NamedTuple):
    """A model, and what it makes of the digit."""

    one: Standing
    label: int  # what it is told
    how: str  # whence that is known
    code: latent.Code  # of the digit under this label


def _asked(one: Standing, chosen: Chosen) -> Asked:
    model, _ = store.guard(one.slug)
    store.guard_codes(one.slug)
    label, how = label_for(chosen, model, one.dataset)
    return Asked(one, label, how, latent.embed(model, torch.tensor(chosen.pixels)[None], torch.tensor([label])))


@fragment
def _hand(asked: Asked, chosen: Chosen, place: str) -> None:
    """The live view, and whenever the hand lets go, who really writes like this. place: ends the link's parameters."""
    one, z = asked.one, styles(asked, chosen, place)
    source = _samples_of(one)
    if source is None:
        st.caption(
            f"The test images of {one.data.title} are not on this machine, so nobody who writes like this is shown."
        )
        return
    images = store.samples(source)[0]
    of = f"{DATASETS[source].title}'s test digits" if source == "mnist" else DATASETS[source].title
    st.caption(f"Real ones in this hand: of {of}, for each label the one whose code lies nearest.")
    same = same_hand(one.slug, z, source)
    found = [Tile(images[i], edge=one.data.colours[y]) for y, i in enumerate(same)]
    if takeable(found, list(one.data.classes), lambda y: take_sample(source, same[y]), key=f"hand{place}"):
        st.rerun()


def _samples_of(one: Standing) -> str | None:
    """Whose images the model can be asked about: the visitor's data set where it has the same classes, else its own;
    None where its own is not here."""
    chosen = digit.data_set()
    if DATASETS[chosen].classes == one.data.classes:
        return chosen
    return one.dataset if store.whole(one.dataset) else None


def _drawn_back(asked: Asked, chosen: Chosen, caption: str) -> None:
    one, label, how, code = asked
    (model, _), x = store.guard(one.slug), torch.tensor(chosen.pixels)[None]
    reconstruction = latent.decode(model, code.mean, torch.tensor([label]))[0].numpy()
    elbos = latent.label_elbos(model, x[0], torch.Generator().manual_seed(0))
    shares, names, colours = elbos.softmax(0).tolist(), one.data.classes, one.data.colours
    left, right = st.columns([1, 2.2], gap="large")
    with left:
        original = Tile(model.observe(x)[0].numpy(), "Original", "binarised at 0.5", colours[label])
        row((original, Tile(reconstruction, caption, f"as {names[label]}, {how}", colours[label])), size=128)
    with right:
        few = len(names) <= 12  # more numbers side by side run into each other
        bars(
            (Bar(shares[y], name, f"−{-elbos[y]:.0f}" if few else "", colours[y]) for y, name in enumerate(names)),
            alt="Which label suits this digit, a bar for each label",
        )
        below = " Below: each label's ELBO in nats, higher is better." if few else ""
        st.caption(f"Which label suits it? Height: approximate p(y | x).{below}")


def _many(one: Standing) -> None:
    """A sheet of one label in many styles, and how far the classes mix."""
    state, model, dim = st.session_state, store.guard(one.slug)[0], one.latent_dim
    state["styles_label"] = min(state["styles_label"], one.n_classes - 1)  # another model's labels may be more
    shown: Any = st.segmented_control(  # one of them: it is required
        "Label",
        range(one.n_classes),
        format_func=one.data.classes.__getitem__,
        required=True,
        key="styles_label",
        persist_state="session",
    )
    many, caption = latent.grid(SIDE, REACH), f"z₁ to the right, z₂ upwards, both from −{REACH:g} to {REACH:g}."
    if dim != 2:
        many = torch.randn(SIDE * SIDE, dim, generator=torch.Generator().manual_seed(0))
        caption = f"{SIDE * SIDE} draws z ~ N(0, I), the same for every label."
    pictures = latent.decode(model, many, torch.full((len(many),), shown)).numpy()
    left, right = st.columns(2, gap="large")
    with left:
        alt = f"{one.data.classes[shown]} in {len(many)} styles"
        takeable_sheet(
            pictures,
            SIDE,
            key=f"styles sheet {one.slug} {networks.stamp(one.slug)} {shown}",
            alt=alt,
            caption=caption,
            name=f"a drawing of the {one.name}",
            label=shown if one.data.classes == NUMERALS else None,
            size=480,
        )
    with right:
        mixing, beside = _sorted_by_label(one.slug, networks.stamp(one.slug)), slug("vae", dim, one.dataset)
        rival = ""
        if bridge.whole([beside]):
            rival = f" and for {_sorted_by_label(beside, networks.stamp(beside)):.0%} in the VAE"
        labels = store.guard_codes(one.slug)["test_label"][:COMPARED]
        others, n = labels.bincount().double(), len(labels)
        chance = float((others * (others - 1)).sum() / (n * (n - 1)))  # a neighbour is another image
        near = mixing < MIXED * chance
        head = "The classes mix, and that is the success." if near else "The classes mix, but not fully."
        st.markdown(
            f"**{head}** The label is given, so the code need not hold it. Of "
            f"{len(labels):,} test images, the nearest code shows the same class for {mixing:.0%} in the {one.name}"
            f"{rival}; chance is {chance:.0%}. Whether the label then changes the drawing, the tiles above show."
        )
        if leak := store.measured("leak", one.slug):
            st.markdown(leaked(leak, dim))


@st.cache_data(max_entries=8, show_spinner=False)
def _sorted_by_label(name: str, stamp: tuple[int, ...]) -> float:
    codes = store.guard_codes(name)
    return latent.same_label_share(codes["test_mean"][:COMPARED], codes["test_label"][:COMPARED])


def styles(asked: Asked, chosen: Chosen, place: str) -> Tensor:
    """Show the live view. Returns z (D,) as the hand left it: the link's, else this digit's last, else its own."""
    one, label, _, code = asked
    key, mean, shown = f"styles {one.slug}", code.mean[0], digit.option(chosen, label)

    def left(hand: dict[str, Any]) -> list[float] | None:
        return hand["z"] if hand.get("digit") == shown["id"] else None  # another digit may have come since

    at = first.asked(f"z{place}", len(mean)) or left(first.last(key))
    z = mean if at is None else torch.tensor(at)

    def picture() -> str:
        k, colours = one.n_classes, one.data.colours
        drawn = latent.decode(store.model(one.slug)[0], z.expand(k, -1), torch.arange(k))
        tiles = "".join(
            first.figure(drawn[y], name, "its label" if y == label else "", colours[y], f"{name} in this hand")
            for y, name in enumerate(one.data.classes)
        )
        side = first.square(one.slug) if len(z) == 2 else '<div class="square" style="background:none"></div>'
        side = f'<div class="side">{side}<p class="reading"></p></div>'
        return f'{first.BAR}<div class="styles">{side}<div class="all">{tiles}</div></div>'

    reader = messages.form({"z": messages.vector(len(mean)), "digit": first.DIGIT})
    told = {"slug": one.slug, "network": bridge.network(one.slug), "digit": shown, "place": place}
    at = left(first.show("views/styles.mjs", key, told, picture, reader=reader))
    return z if at is None else torch.tensor(at)


@st.cache_data(max_entries=4, show_spinner=False)
def _sample_codes(name: str, stamp: tuple[int, ...], source: str, when: tuple[tuple[str, int, int], ...]) -> np.ndarray:
    """Where a conditional model places every sample of this data set under its own label, (N, D)."""
    images, labels = store.samples(source)
    return latent.embed(store.model(name)[0], torch.tensor(images), torch.tensor(labels)).mean.numpy()


def same_hand(name: str, z: Tensor, source: str) -> list[int]:
    """For each label the number of the sample whose code lies nearest to z (D,): who really writes like this."""
    labels = store.samples(source)[1]
    codes = _sample_codes(name, networks.stamp(name), source, store.stamp(source))
    distance = np.linalg.norm(codes - z.numpy(), axis=1)
    return [int(np.where(labels == y, distance, np.inf).argmin()) for y in range(labels.max() + 1)]


def leaked(leak: dict[str, Any], size: int) -> str:
    """How much of the label a CVAE's codes of this size still tell, from the card's `leak`."""
    draw, mean, chance = leak["draw"]["accuracy"], leak["mean"]["accuracy"], leak["chance"]
    rest = "little of the label is left in them" if draw < 2 * chance else "they do not hold the hand alone"
    return (
        f"**But a rest of the label stays.** From codes of {size} numbers a small network reads the right label for "
        f"{draw:.0%} of the test images (a draw from each q) and for {mean:.0%} (each mean); always naming the "
        f"commonest label would give {chance:.0%}. So {rest}."
    )


# Leak -----------------------------------------------------------------------------------------------------------------


def _leak() -> None:
    """How much of the label is left in a conditional model's codes, and the digit under all labels at once."""
    controls, more = st.columns([2.6, 1])
    with more, st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        size = choose_size("leak")
        models = choose("leak", size)
    with controls:
        chosen = choose_digit()
    st.markdown("\n\n".join((*map(read, models), *(against(models[0], each) for each in models[1:]))))
    _relabelled(models, chosen)
    show_steps(chosen)
    fetch.mnist_notice()
    st.subheader("Over all test images")
    st.markdown("\n".join(f"- {line}" for one in models for line in (*swapped(one), *doubted(one))))
    _table(models)


def read(one: Standing) -> str:
    """What readers of labels find in the codes of one model, and how a linear one and the place of reading matter."""
    leak, content = store.measured("leak", one.slug), store.measured("content", one.slug)
    if leak is None or content is None:
        lacks = [name for name, found in (("leak", leak), ("content", content)) if found is None]
        return (
            f"How much of the label is in the codes of the {one.name} nobody has measured: "
            f"`python -m vae_core measure {one.slug} --what {' '.join(lacks)}` does."
        )
    draw, mean, linear = leak["draw"], leak["mean"], content["linear"]["draw"]
    told = (
        f"**From a draw of q a small network reads the right label for {draw['accuracy']:.0%} of the test images in "
        f"the {one.name}, from the mean for {mean['accuracy']:.0%}; chance is {leak['chance']:.0%}.** In nats: "
        f"{_nats(draw)} and {_nats(mean)} of the {content['entropy']:.2f} that a label has."
    )
    if max(draw["nats"], mean["nats"]) <= 0:
        return f"{told} It learned from {leak['train_images']:,} images, and what it learned does not hold for others."
    if linear["nats"] < draw["nats"] / 2:
        told += (
            f" A linear reader sees {linear['accuracy']:.0%} of the labels in draws: who asks only that one finds next "
            "to no leak."
            if linear["accuracy"] < leak["chance"] + 0.05
            else f" A linear reader sees {linear['accuracy']:.0%} in draws, less than half of the nats."
        )
    if mean["accuracy"] > draw["accuracy"] + ALIKE:
        told += " The mean tells more than a draw: the noise of q covers what it holds of the label."
    return told


def against(first_one: Standing, other: Standing) -> str:
    """Whether another model's codes hold less of the label than the first one's, by draws and by means."""
    mine, its = (store.measured("leak", one.slug) for one in (first_one, other))
    if mine is None or its is None:
        return ""
    gaps = {name: its[name]["accuracy"] - mine[name]["accuracy"] for name in ("draw", "mean")}
    words = {
        name: "about as much" if abs(gap) <= ALIKE else "less" if gap < 0 else "more" for name, gap in gaps.items()
    }
    told = f"So beside the {first_one.name} the {other.name} tells {words['draw']} by draws"
    if words["draw"] == words["mean"]:
        return f"{told} and by means."
    return f"{told} and {words['mean']} by means: which of the two is asked decides who leaks."


def swapped(one: Standing) -> list[str]:
    """What the judge sees of the label where only the decoder is told another, and where a code is drawn at random."""
    found = store.measured("content", one.slug)
    if found is None or "swap" not in found:
        return []
    swap, names, fidelity = found["swap"], one.data.classes, found["fidelity"]
    worst, best = (chosen(range(len(fidelity)), key=fidelity.__getitem__) for chosen in (min, max))
    return [
        f"**Swap, {one.name}**: encoded with its own label and decoded with another, a test digit is seen as the label "
        f"asked for in {swap['asked']:.1%} of the drawings and still as the old one in {swap['old']:.2%}; "
        f"{swap['digit']:.1%} are digits.",
        f"**Fidelity, {one.name}**: of random codes, z ~ N(0, I), the judge sees the label asked for in "
        f"{fidelity[worst]:.1%} (the {names[worst]}) to {fidelity[best]:.1%} (the {names[best]}) of the drawings.",
    ]


def doubted(one: Standing) -> list[str]:
    """What a wrong label for encoder and decoder costs."""
    found = store.measured("content", one.slug)
    if found is None:
        return []
    wrong = found["wrong"]
    return [
        f"**Wrong hypothesis, {one.name}**: with a wrong label for encoder and decoder the ELBO of a test image falls "
        f"by {wrong['mean']:.0f} nats in the mean, to the best wrong label by {wrong['nearest']:.0f}. For "
        f"{wrong['true']:.1%} of {found['images']:,} images the true label has the highest ELBO."
    ]


def _nats(found: dict[str, float]) -> str:
    """A network that was sure of what is wrong has less than nothing: a bound that says nothing."""
    return f"{max(0.0, found['nats']):.2f}"


def _relabelled(models: list[Standing], chosen: Chosen) -> None:
    """The live view: a swap and wrong hypotheses of this digit."""
    told = []
    for one in models:
        label, _ = label_for(chosen, store.guard(one.slug)[0], one.dataset)
        about = {"title": one.title, "name": one.name, "network": bridge.network(one.slug)}
        told.append(about | {"digit": digit.option(chosen, label), "judged": one.dataset == cast.SHIPPED_ON})

    def skeleton() -> str:
        return "".join(
            f'<section><h3>{html.escape(one.title)}</h3><p class="quiet"></p>{_blank(one)}<p class="quiet"></p>'
            f'{_blank(one)}<p class="note"></p></section>'
            for one in models
        )

    first.show("views/leak.mjs", "leak", {"models": told, "judge": networks.judge()}, skeleton, kind="relabelled")


def _blank(one: Standing) -> str:
    """A line of tiles, empty, as high as it will be."""
    tiles = "".join(first.figure(torch.zeros(784), name) for name in one.data.classes)
    return f'<div class="all">{tiles}</div>'


def _table(models: list[Standing]) -> None:
    """Every number that the part has."""
    rows, faithful, commands = [], [], []
    for one in models:
        leak, content = store.measured("leak", one.slug), store.measured("content", one.slug)
        cells = [f"{leak[of]['accuracy']:.1%}, {leak[of]['nats']:.3f}" if leak else "—" for of in ("draw", "mean")]
        linear = content["linear"] if content else None
        cells += [
            f"{linear[of]['accuracy']:.1%}, {linear[of]['nats']:.3f}" if linear else "—" for of in ("draw", "mean")
        ]
        rows.append((one.title, *(cell.replace("-", "−") for cell in cells), f"{leak['chance']:.1%}" if leak else "—"))
        if content and "fidelity" in content:
            faithful.append((one.title, *(f"{share:.1%}" for share in content["fidelity"])))
        commands += [found["command"] for found in (leak, content) if found]
    numbers(("right labels, nats", "network, draw", "network, mean", "linear, draw", "linear, mean", "chance"), rows)
    learned = {found["train_images"] for one in models if (found := store.measured("leak", one.slug))}
    if learned:
        st.caption(
            "Nats are H(y) less the cross-entropy on test images, a lower bound of what the code tells of the label; "
            "below 0 a reader is surer than it should be. Readers learn from "
            f"{listed([f'{count:,}' for count in sorted(learned)])} training images, the network with two hidden "
            "layers of 256."
        )
    if faithful:
        numbers(("label asked for is seen", *models[0].data.classes), faithful)
    if commands:
        st.caption("Measured by " + ", ".join(f"`{command}`" for command in commands) + ".")
