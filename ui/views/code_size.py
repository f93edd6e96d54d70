"""The page "Code size": autoencoders whose codes have 2 to 40 numbers, and one digit's code rounded to a few bits."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch

from ui.live import cast, networks, store
from ui.live.cast import Standing
from ui.parts import fetch
from ui.parts.cast import choose_one, choose_size, shipped
from ui.parts.digit import Chosen
from ui.parts.links import SIZE_PARTS, SIZE_SHOWN
from ui.parts.picture import choose_digit, label_for
from ui.parts.readout import listed
from ui.parts.tiles import Tile, numbers, row
from ui.shell.failure import fragment
from ui.shell.folded import folded
from vae_core import checkpoints, code_size, latent, metrics
from vae_core.code_size import BITS, BITS_OF_A_NAT
from vae_core.judge import binarise
from vae_core.spread import ALIKE

TAG = "ladder"  # of the models that were trained alike but for the numbers of their codes
SAME = 0.01  # share of digits: what a rounding may cost and still be called free
OF_DIMENSIONS = ("code, z", "encoder, decoder", "AE", "VAE", "PCA", "ELBO", "KL", "nat", "MSE")
OF_BITS = ("code, z", "encoder, decoder", "bit", "nat", "ELBO", "PNG", "zlib")

WHY_BITS = r"""
**A code as a file.** An autoencoder is a compressor: the encoder writes a code, the decoder reads it. Its numbers are
as exact as a computer makes them; a file has to stop somewhere. Here each number is replaced by the middle of one of
$2^b$ equal steps, which takes $b$ bits. The steps span the middle 99.8 % of the training codes, number by number, so
that both ends know them beforehand.

**To lose nothing.** The drawing is not the digit. The decoder says of each pixel how likely it is to be ink, and with
these odds the digit itself takes another $-\log_2 p(x \mid z)$ bits (an arithmetic coder comes within two bits of it).
Few bits for the code make the drawing worse, and the pixels dearer: the sum has a smallest value. That is the
description length of Rissanen (1978).

**What the ELBO has to do with it.** $-\mathrm{ELBO} / \ln 2$ is the length in bits of a way to send the same digit
that rounds each number only as finely as $q(z \mid x)$ is wide, and gets the bits of the choice back (Hinton & van
Camp 1993). So the loss of a VAE is the length of a file: 1 nat is 1.44 bits.

**What is left out.** The networks themselves, which both ends must have; and PNG's head and frame are part of its
file, as they are on a disk.
"""


def page() -> tuple[str, ...]:
    """The whole page. Returns the glossary's words that stand there."""
    part = st.segmented_control(
        "Part", SIZE_PARTS, required=True, key="size_part", persist_state="session", label_visibility="collapsed"
    )
    if part == SIZE_PARTS[0]:
        bits()
        return OF_BITS
    dimensions()
    return OF_DIMENSIONS


# How many numbers -----------------------------------------------------------------------------------------------------


class Rung(NamedTuple):
    """A model of the ladder, and what is known of it."""

    one: Standing
    test: dict[str, float]  # means over the test split
    probe: dict[str, Any] | None
    digits: float | None  # share of its draws that the judge calls a digit


def ladder() -> dict[str, list[Rung]]:
    """By kind, the models that were trained alike, from the smallest code to the largest; PCA has no training that
    could differ."""
    found: dict[str, list[Rung]] = {}
    for one in sorted(cast.everybody(), key=lambda one: one.latent_dim):
        if one.dataset == cast.SHIPPED_ON and (one.slug.endswith(f"-{TAG}") or one.kind == "pca"):
            found.setdefault(one.kind, []).append(_rung(one.slug, networks.stamp(one.slug)))
    return {kind: found[kind] for kind in ("vae", "ae", "pca") if kind in found}


@st.cache_data(max_entries=60, show_spinner=False)
def _rung(name: str, stamp: tuple[int, ...]) -> Rung:
    draws = store.measured("draws", name)
    card = checkpoints.read_card(name, networks.CHECKPOINTS)
    digits = None if draws is None else draws["accepted"]
    return Rung(cast.standing(name), card["test"], store.measured("probe", name), digits)


class Shown(NamedTuple):
    """One thing that is read of every rung."""

    words: str  # under the chart
    axis: str
    percent: bool
    value: Any  # Rung → float, or None where it has none


READ: dict[str, Shown] = dict(
    zip(
        SIZE_SHOWN,
        (
            Shown(
                "−ELBO of the VAEs, mean over the 10,000 test digits, in nats: lower is better. An AE and PCA have no "
                "ELBO.",
                "−ELBO, nats",
                False,
                lambda rung: rung.test.get("nelbo"),
            ),
            Shown(
                "Squared error of a pixel where a digit is drawn from its code, mean over the 10,000 test digits: "
                "lower is better.",
                "MSE",
                False,
                lambda rung: rung.test["mse"],
            ),
            Shown(
                f"How many of the 10,000 test codes are called right by the {code_size.NEIGHBOURS} nearest of 10,000 "
                "training codes, of which the commonest class wins: higher is better.",
                "codes beside their own class",
                True,
                lambda rung: rung.probe and rung.probe["accuracy"],
            ),
            Shown(
                "How many of 10,000 random codes draw a digit, as the judge sees it: from N(0, I) for a VAE, for the "
                "others from one Gaussian with the training codes' mean and covariance. Higher is better.",
                "draws that are digits",
                True,
                lambda rung: rung.digits,
            ),
        ),
        strict=True,
    )
)


def dimensions() -> None:
    """The chart of one quantity by how many numbers a code has, and every number below."""
    from ui.parts import figures

    rungs = ladder()
    if sum(map(len, rungs.values())) < 2:
        st.info(
            f"No ladder of models is here. `python -m vae_core sweep vae,ae --latent-dim 2,3,5,10,20,40 --tag {TAG}` "
            "trains one."
        )
        return
    st.markdown(words(rungs))
    st.segmented_control("What is shown", SIZE_SHOWN, required=True, key="size_shown", persist_state="session")
    shown = READ[st.session_state["size_shown"]]
    lines, slugs = {}, {}
    for of in rungs.values():
        known = [(rung, value) for rung in of if (value := shown.value(rung)) is not None]
        if known:
            lines[_name(of[0].one)] = [(rung.one.latent_dim, value) for rung, value in known]
            slugs[_name(of[0].one)] = [rung.one.slug for rung, _ in known]
    pressed = st.plotly_chart(
        figures.by_size(lines, slugs, shown.axis, percent=shown.percent),
        config=figures.CONFIG,
        alt=_told(lines, shown),
        key=f"size_chart_{SIZE_SHOWN.index(st.session_state['size_shown'])}",
        on_select="rerun",
        selection_mode="points",
    )
    st.caption(f"{shown.words} Press a dot to open its model.")
    if points := pressed["selection"]["points"]:  # pyright: ignore[reportIndexIssue]: what on_select gives
        slug = points[0].get("customdata")
        slug = slug[0] if isinstance(slug, list) else slug
        if slug in {rung.one.slug for of in rungs.values() for rung in of}:
            st.page_link("pages/8_Models.py", label=f"Open {slug}", query_params={"model": slug})
    _table(rungs)
    folded("How these models were trained, and what they do not say", partial(st.markdown, _recipe(rungs)))
    st.page_link("pages/6_The_bound.py", label="β: another way to make a code small", query_params={"part": "β"})


def _name(one: Standing) -> str:
    """A kind's name, without what tells one of its models from another."""
    return one.name.removesuffix(f" {TAG}")


def _told(lines: dict[str, list[tuple[int, float]]], shown: Shown) -> str:
    form = "{:.1%}" if shown.percent else "{:.4g}"
    parts = (f"{name}: {', '.join(f'{d} numbers {form.format(v)}' for d, v in of)}" for name, of in lines.items())
    return f"{shown.axis} by the numbers in a code. {'; '.join(parts)}"


def words(rungs: dict[str, list[Rung]]) -> str:
    """How many numbers a digit needs, as far as the VAEs of the ladder tell."""
    vaes = [rung for rung in rungs.get("vae", []) if "nelbo" in rung.test]
    if len(vaes) < 2:
        return "**Models that were trained alike, but for how many numbers they may keep of a digit.**"
    best = min(rung.test["nelbo"] for rung in vaes)
    enough = next(rung for rung in vaes if rung.test["nelbo"] <= best + ALIKE)
    first, last = vaes[0], vaes[-1]
    lead = (
        "Of small models, made for this comparison alone: "
        f"**about {enough.one.latent_dim} numbers hold what a VAE can say of a handwritten digit**: with "
        f"{first.one.latent_dim} of them its −ELBO is {first.test['nelbo']:.1f} nats, with {enough.one.latent_dim} it "
        f"is {enough.test['nelbo']:.1f}"
    )
    if last is not enough:
        lead += f", and {last.one.latent_dim} gain nothing more ({last.test['nelbo']:.1f})"
        if last.probe and (busy := last.probe.get("active", last.one.latent_dim)) < last.one.latent_dim:
            lead += f": of these it uses {busy}, and the KL switches the others off"
    ae = rungs.get("ae", [])
    if len(ae) > 1 and (least := min(ae, key=lambda rung: rung.test["mse"])) is ae[-1]:
        lead += (
            f". An AE, which pays nothing for its code, goes on: its squared error falls to {least.test['mse']:.4f} "
            f"with {least.one.latent_dim}"
        )
    return lead + "."


def _table(rungs: dict[str, list[Rung]]) -> None:
    """Every number of every rung."""
    head = ("model", "numbers", "−ELBO", "reconstruction", "KL", "in use", "MSE", "own class", "digits drawn")
    rows = []
    for of in rungs.values():
        for rung in of:
            nats = [_nats(rung.test.get(key)) for key in ("nelbo", "reconstruction", "kl")]
            busy = (rung.probe or {}).get("active")
            shares = [(rung.probe or {}).get("accuracy"), rung.digits]
            rows.append(
                (
                    _name(rung.one),
                    str(rung.one.latent_dim),
                    *nats,
                    "—" if busy is None else str(busy),
                    f"{rung.test['mse']:.4f}",
                    *("—" if share is None else f"{share:.1%}" for share in shares),
                )
            )
    folded("Every number", partial(numbers, head, rows))


def _nats(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _recipe(rungs: dict[str, list[Rung]]) -> str:
    commands = [checkpoints.read_card(of[0].one.slug, networks.CHECKPOINTS)["command"] for of in rungs.values()]
    return (
        "One recipe for all sizes, one training run each: "
        + "; ".join(f"`{command.replace('`', '')}`" for command in commands)  # a card's words stay words
        + ", and so on for the other sizes. The networks are smaller than those that the other pages open with, so "
        "their numbers are worse at the same size; what differs along a line is the size of the code alone. A VAE's "
        f"means that lie within {ALIKE} nats are called equal, since two runs differ by as much. MSE is of binarised "
        "pixels, and PCA's drawings are cut to the range from 0 to 1."
    )


# How many bits --------------------------------------------------------------------------------------------------------


def bits() -> None:
    """One digit's code, rounded; what it takes, and what it still draws."""
    said = st.container()
    chosen = choose_digit()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        one = choose_one("size", choose_size("size")) or shipped("vae", 20)
    with said:
        st.markdown(of_all(one))
    _live(one.slug, chosen)
    fetch.mnist_notice()
    folded("How a code becomes a file, and what is counted", partial(st.markdown, WHY_BITS))


def of_all(one: Standing) -> str:
    """What was measured of this model's codes over the first test images."""
    kept = store.measured("bits", one.slug)
    if kept is None:
        return f"**The code of the {one.name} has {one.latent_dim} numbers. How exact must they be?**"
    rows = kept["rows"]
    whole = rows["whole"]["digit"]
    fine = next((b for b in BITS if rows[str(b)]["digit"] >= whole - SAME), None)
    enough, few = fine or BITS[-1], rows["1"]["digit"]
    lead = (
        f"Not even {enough} bits a number are enough for this code of {one.latent_dim} numbers."
        if fine is None
        else f"{_bits(enough)} a number {'is' if enough == 1 else 'are'} enough: "
        f"{_bits(enough * one.latent_dim)} for the code of a digit{', beside its label' if one.conditional else ''}."
    )
    return (
        f"**{lead}** Rounded so, "
        f"{rows[str(enough)]['digit']:.1%} of the {one.name}'s drawings are still of the right class, as the judge "
        f"sees it; of unrounded codes {whole:.1%} (up to {100 * SAME:g} point less counts as enough), with one bit a "
        f"number {few:.1%}. The same {kept['images']:,} test "
        f"images take {kept['png']:,.0f} bits each as a PNG file and {kept['zlib']:.0f} under zlib, which lose "
        "nothing; the pixels alone are 784."
    )


class Account(NamedTuple):
    """One digit under one model."""

    x: torch.Tensor  # (784,) as the model sees it
    pixels: torch.Tensor  # (1 + BITS, 784): drawn from the code itself, then from each rounding
    nats: torch.Tensor  # (1 + BITS,)
    seen: list[int] | None  # what the judge sees in each
    elbo: float | None


@st.cache_data(max_entries=60, show_spinner=False)
def account(name: str, stamp: tuple[int, ...], pixels: bytes, label: int) -> Account:
    """label: what a conditional model is told."""
    model, _ = store.guard(name)
    x = torch.from_numpy(np.frombuffer(pixels, np.float32).copy())[None]
    y = torch.tensor([label])
    told = y if model.conditional else None
    z = latent.embed(model, x, y).mean
    within = code_size.spanned(store.guard_codes(name)["train_mean"])
    codes = torch.cat([z, *(code_size.rounded(z, within, b) for b in BITS)])
    found = code_size.drawn(model, x.expand(len(codes), -1), codes, None if told is None else told.expand(len(codes)))
    judge = store.judge() if cast.standing(name).dataset == "mnist" else None
    seen = None if judge is None else judge.label(binarise(found.pixels)).tolist()
    elbo = metrics.summary(metrics.per_image(model, x, y)).get("nelbo") if model.config.probabilistic else None
    return Account(model.observe(x)[0], found.pixels, found.nats, seen, elbo)


@fragment
def _live(name: str, chosen: Chosen) -> None:
    """The slider, the drawings, and the bits of each way to send this digit."""
    from ui.parts import figures

    one = cast.standing(name)
    model, _ = store.guard(name)
    label, known_by = label_for(chosen, model, one.dataset) if model.conditional else (0, "")
    found = account(name, networks.stamp(name), chosen.pixels.astype(np.float32).tobytes(), label)
    b = st.select_slider("Bits a number", BITS, key="size_bits", persist_state="session", width=420)
    seen = found.seen or [None] * (1 + len(BITS))
    reads = ["" if each is None else f"a {each}" for each in seen]
    row(
        [
            Tile(found.x.numpy(), "Your digit", "784 pixels", chosen.colour),
            Tile(found.pixels[0].numpy(), "Drawn from its code", reads[0]),
            Tile(found.pixels[b].numpy(), f"Code of {_bits(b * one.latent_dim)}", reads[b]),
        ],
        132,
    )
    if model.conditional:
        st.caption(f"The {one.name} is told the label, {one.data.classes[label]} ({known_by}); it is not counted here.")
    st.markdown(breaks(one, found))
    row([Tile(found.pixels[k].numpy(), _bits(k), reads[k]) for k in BITS], columns=len(BITS))
    if found.seen:
        st.caption("Below each drawing: what the judge, a classifier, sees in it.")
    if model.config.likelihood != "bernoulli":
        st.caption(
            "How many bits its pixels then take cannot be said of this model: to it a pixel is a number, and the bits "
            "of a number depend on how finely it is measured."
        )
        return
    code = [k * one.latent_dim for k in BITS]
    rest = [float(nats) * BITS_OF_A_NAT for nats in found.nats[1:]]
    levels = {"PNG": float(code_size.as_png(found.x.numpy())), "zlib": float(code_size.as_zlib(found.x.numpy()))}
    if found.elbo is not None:
        levels["−ELBO"] = found.elbo * BITS_OF_A_NAT
    least = int(np.argmin([c + r for c, r in zip(code, rest, strict=True)]))
    st.subheader("To lose no pixel of it")
    st.plotly_chart(
        figures.lengths(list(BITS), code, rest, levels, b),
        config=figures.CONFIG,
        alt="Bits to send this digit by bits a number: "
        + listed([f"{k}: {c + r:.0f}" for k, c, r in zip(BITS, code, rest, strict=True)]),
        key="size_lengths",
    )
    bound = ""
    if found.elbo is not None:
        bound = (
            f" Its −ELBO says {found.elbo:.1f} nats, that is {levels['−ELBO']:.0f} bits: what is possible where each "
            "number is rounded only as finely as q is wide."
        )
    st.caption(
        f"With {_bits(b)} a number: {code[b - 1]} bits for the code and {rest[b - 1]:.0f} for what the pixels are "
        f"beyond the drawing, {code[b - 1] + rest[b - 1]:.0f} in all. Least are {code[least] + rest[least]:.0f}, with "
        f"{_bits(BITS[least])} a number. The same digit takes {levels['PNG']:.0f} as a "
        f"PNG file and {levels['zlib']:.0f} under zlib.{bound}"
    )


def _bits(n: int) -> str:
    return f"{n} bit{'' if n == 1 else 's'}"


def breaks(one: Standing, found: Account) -> str:
    """From how many bits on this digit stays what it is."""
    if found.seen is None:
        return "**The same digit with 1 to 8 bits a number**"
    whole = found.seen[0]
    fine = next((b for b in BITS if all(found.seen[k] == whole for k in BITS if k >= b)), None)
    if fine is None:
        return "**Even with 8 bits a number the judge sees another digit than in the drawing from the code itself.**"
    if fine == 1:
        return (
            f"**This digit does not break**: with one bit a number, {one.latent_dim} bits in all, the judge still sees "
            f"a {whole}."
        )
    return (
        f"**From {fine} bits a number on, {fine * one.latent_dim} in all, it stays a {whole}**; with {fine - 1} the "
        f"judge sees a {found.seen[fine - 1]}."
    )
