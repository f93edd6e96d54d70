"""The page "Restore": what its live view is told, and what Python adds when the hand lets go."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import streamlit as st
import torch

from ui.live import bridge, messages, store
from ui.live.cast import Standing
from ui.parts import digit, fetch, first
from ui.parts.cast import choose, choose_size
from ui.parts.digit import Chosen
from ui.parts.links import HALVES
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.parts.spoils import SPOILS
from ui.parts.tiles import grey
from ui.shell.failure import fragment
from ui.shell.folded import folded
from ui.views.restore.rivals import (
    Line,
    Member,
    Rival,
    Told,
    headline,
    leaders,
    measured,
    plain,
    rival,
    side,
    spoil,
    table,
)
from vae_core import metrics
from vae_core.corruption import CORRUPTIONS

PLAIN = ("Clean", "Spoilt", "Median filter", "Ridge regression")  # the tiles before the models'


def restore() -> tuple[str, ...]:
    """The whole page below its title. Returns which of the glossary's words stand on the part that is shown."""
    kept = {"persist_state": "session", "required": True, "label_visibility": "collapsed"}
    if st.segmented_control("Part", HALVES, key="spoil_part", **kept) == HALVES[1]:
        from ui.views.restore.denoising import denoising  # it brings Plotly along

        st.markdown("A DAE learns from spoilt digits: spoil this one again and again, and watch its mean loss settle.")
        chosen = choose_digit()
        denoising(chosen)
        show_steps(chosen)
        words = ("DAE", "nat", "code, z", "standard error")
    else:
        controls, more = st.columns([2.6, 1])
        with more, st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            models = choose("spoil", choose_size("spoil"))
        with controls:
            chosen = choose_digit()
        _live(models, chosen)
        show_steps(chosen)
        folded("What happens here, in formulas", partial(st.markdown, _RESTORING))
        words = ("DAE", "nat", "MSE", "PSNR, dB", "ridge regression", "binarised", "code, z")
    fetch.mnist_notice()
    return words


@fragment
def _live(models: list[Standing], chosen: Chosen) -> None:
    """The live view, and what is known of the hand's last place."""
    members = [member(one, chosen) for one in models]
    hand = at()
    kind, amount = hand["kind"], hand["amounts"][hand["kind"]]
    clean = (torch.tensor(chosen.pixels)[None] >= 0.5).float()
    spoilt = spoil(clean, kind, amount, hand["seed"])
    told = labels(members)
    rivals = [*plain(spoilt, kind, amount), *(rival(m, spoilt, kind, amount, told.get(m.about.key)) for m in members)]
    scores = [None if r.pixels is None else [float(v) for v in metrics.restoration(r.pixels, clean)] for r in rivals]
    ridge = None
    if rivals[2].pixels is not None and (score := scores[2]):
        ridge = {"pixels": grey(rivals[2].pixels.numpy()), "psnr": score[2], "wrong": score[3]}
    show = options(bridge.network, members, digit.option(chosen, chosen.label), hand | {"told": told}, ridge)
    key = " ".join(("restore", *(one.slug for one in models)))
    first.show("views/restore.mjs", key, show, partial(_skeleton, members), "restore", reader(members), _take_in)
    with st.container(key="faded"):  # while the hand has moved on
        _tables(rivals, scores, kind, amount)


def member(one: Standing, chosen: Chosen) -> Member:
    """A model of the page, and what a conditional one is told of this digit by itself."""
    return Member(one, Told(*label_for(chosen, store.guard(one.slug)[0], one.dataset)) if one.conditional else None)


# What the view is told and says ---------------------------------------------------------------------------------------


def options(
    network: Callable[[str], dict[str, Any]],
    members: Iterable[Member],
    shown: dict[str, Any],
    hand: dict[str, Any],
    ridge: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What restore.mjs is told; whoever mounts it without a server says by `network` where a model's files lie.

    shown: the digit (`digit.option`); hand: {kind, amounts, seed, told}; ridge: the regression's picture and scores.
    """
    spoils = [one | {"sizes": [side(one["kind"], amount) for amount in one["amounts"]]} for one in SPOILS]
    return {
        "spoils": spoils,
        "models": [
            {
                "kind": about.key,
                "title": about.title,
                "name": about.name,
                "network": network(about.slug),
                "told": told and {**told._asdict(), "classes": about.data.classes},
            }
            for about, told in members
        ],
        "digit": shown,
        "hand": hand,
        "kept": {kind: amount for kind, amount in metrics.HEADLINE.items() if kind in store.ridges()},
        "ridge": ridge,
    }


def at() -> dict[str, Any]:
    """The hand as it was left, or as the link or the page has it."""
    state = st.session_state
    amounts = {kind: state[f"spoil_{kind}"] for kind in CORRUPTIONS}
    return {"kind": state["spoil_kind"], "amounts": amounts, "seed": state["spoil_seed"]}


def labels(members: Sequence[Member]) -> dict[str, int]:
    """What the visitor chose to tell those of the models that are told anything."""
    said = st.session_state["spoil_told"]
    return {
        about.key: said[about.key]
        for about, told in members
        if told and said.get(about.key, about.n_classes) < about.n_classes
    }


def reader(members: Sequence[Member]) -> messages.Reader:
    """The way to spoil, its amount and its seed, and the labels that the visitor chose."""
    most = max((about.n_classes for about, _ in members), default=1)
    fields = {
        "kind": messages.choice(tuple(CORRUPTIONS)),
        "amount": messages.number(0, max(row.limit for row in CORRUPTIONS.values())),
        "seed": messages.integer(0, 10**9),
        "told": messages.each([about.key for about, told in members if told], messages.integer(0, most - 1)),
    }
    return messages.where(
        messages.form(fields), lambda m: m["amount"] <= CORRUPTIONS[m["kind"]].limit, "a lower amount"
    )


def _take_in(hand: dict[str, Any]) -> None:
    """What the hand left, where links and the next run find it. Of models that stand here no more nothing is kept: a
    link of more models than a page shows would be refused."""
    state, kind = st.session_state, hand["kind"]
    state["spoil_kind"], state[f"spoil_{kind}"], state["spoil_seed"] = kind, hand["amount"], hand["seed"]
    state["spoil_told"] = hand["told"]


def _skeleton(members: Sequence[Member]) -> str:
    """The view's boxes, until it is there."""
    caption = "<figcaption><b>{}</b><small>&nbsp;</small></figcaption>"
    names = [(name, "") for name in PLAIN]
    names += [(about.title, '<div class="told"></div>' if told else "") for about, told in members]
    tiles = "".join(
        f'<figure class="tile"><div class="square"></div>{caption.format(html.escape(name))}{below}</figure>'
        for name, below in names
    )
    return f'{first.BAR}<div class="tiles" style="--tiles:{len(names)}">{tiles}</div><p class="reading"></p>'


# What Python adds -----------------------------------------------------------------------------------------------------


def _tables(rivals: Sequence[Rival], scores: Sequence[Sequence[float] | None], kind: str, amount: float) -> None:
    """This digit's numbers and the means of test digits, each with what they say in words."""
    near, way = measured(kind, amount), CORRUPTIONS[kind]
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("This digit")
        lines = [Line(one.name, one.phrase, score) for one, score in zip(rivals, scores, strict=True)]
        st.markdown(this_digit(lines))
        table(lines)
    with right:
        st.subheader("Mean over test digits")
        fields = metrics.Restoration._fields
        lines = [
            Line(r.name, r.phrase, [r.means[f] for f in fields] if r.means else None, not r.why, r.spreads)
            for r in rivals
        ]
        st.markdown(many_digits(lines, way.name, amount, near))
        table(lines)
        if apart := [f"{r.name}: {r.why}" for r in rivals if r.why]:
            st.caption(f"{'; '.join(apart)}. Such numbers are never marked as best.")
    told = " ".join(r.words for r in rivals if r.words)
    st.caption(
        f"Bold is best; of means also whoever is about equal, since the ranges of a few trainings from different seeds "
        f"overlap. {told} Nats: cross-entropy against the clean pixels, with probabilities kept 1e-4 away from 0 "
        f"and 1. Means: the first {metrics.DENOISING_IMAGES:,} MNIST test images, one fixed seed; that of PSNR is the "
        "mean of each image's dB. Of the regressions, one for each kind and amount, the app holds three "
        f"({headline()}); elsewhere it has no picture."
    )


def this_digit(lines: Sequence[Line]) -> str:
    """One sentence before the table of this digit's numbers."""
    if lines[0].values and not lines[0].values[1]:
        return "Nothing is spoilt: whoever draws the digit again can only lose."
    here = "" if all(line.values for line in lines) else ", of those with a picture here"
    return f"Nearest to the clean digit{here}: {leaders(lines)}."


def many_digits(lines: Sequence[Line], name: str, amount: float, near: float) -> str:
    """What stands before the table of means: at which amount they were measured, and who leads there."""
    where = f"{name} at {near:g}."
    if near != amount:
        where = f"{amount:g} was not measured: these are of {near:g}, the nearest that was (of two the lesser)."
    who = leaders(lines)
    return f"{where} Nearest on average: {who}." if who else where


_RESTORING = r"""
A DAE never sees the digit that it must draw. It gets $\tilde x \sim q_D(\tilde x \mid x)$, its answer is scored on $x$:

$$
\mathcal L = \mathbb E_x\, \mathbb E_{q_D(\tilde x \mid x)} \big[-\log p\big(x \mid g(f(\tilde x))\big)\big]
$$

The outer mean is over digits, the inner one over ways to spoil them: masking up to 0.7, salt and pepper up to 0.4,
Gaussian noise up to σ = 0.7, a tenth left clean. The AE is the same network with $\tilde x = x$. Here all get the
spoilt pixels as they are, not binarised again. PSNR is $-10 \log_{10} \mathrm{MSE}$ of an image, and its mean is one of
dB; wrong pixels lie beyond 0.5. AE and DAE were trained alike. With 20 numbers the VAE and the CVAE were not: the VAE's
KL came in over eight epochs, and the CVAE's decoder has one more layer.

**Who wins, and where.** The best answer to a spoilt digit is the mean of all digits that may be behind it, and the
DAE's loss asks for it. AE, VAE and CVAE never saw a spoilt digit: they take dots for ink and gaps for paper. The
DAE's fair rival is a *ridge regression*, which guesses each clean pixel as a weighted sum of all spoilt ones and is
fitted on training images for this kind and amount alone; the DAE is one network for all. In the means over test digits,
with 20 numbers in the code:

- At masking 0.5, salt and pepper 0.25 and noise of σ = 0.5 the DAE leads in nats, MSE and dB. In wrong pixels it leads
  at masking only; for the other two the regression makes fewer.
- Where less is spoilt the regression leads in dB, too: at masking up to 0.2, salt and pepper up to 0.1 and noise up to
  0.3. Drawing from 20 numbers costs detail of its own, at masking 0.1 and noise of 0.1 more than the spoiling did.
- At masking the median filter is worse than doing nothing, at every amount: it eats thin strokes. Lone dots it
  removes well.
- No DAE was trained on blur, and it is worse there than doing nothing. Blur without noise is linear, so a regression
  undoes it, nearly to the pixel up to σ = 1.
"""
