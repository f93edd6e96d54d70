"""The page "Generate": random codes of several models, and how good the drawings are that come of them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
import torch

from ui.live import bridge, messages, networks, store
from ui.live.cast import Standing
from ui.parts import digit, fetch, first, readout
from ui.parts.cast import choose, choose_size
from ui.parts.digit import Chosen
from ui.parts.links import DRAWN_FROM, GENERATE, MOST_GAUSSIANS
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.parts.tiles import numbers
from ui.shell.failure import fragment
from ui.shell.folded import folded
from ui.views.generate.posterior import OF_DENSITIES, prior_and_posterior
from vae_core import generation, latent, measures

IN_CONTROL = {"prior": "Prior", "gaussian": "One Gaussian", "mixture": "Several Gaussians"}
AMOUNTS = {1: "one Gaussian", 10: "ten Gaussians", 30: "thirty Gaussians", 100: "a hundred Gaussians"}
HEAD = ("", "drawn from", "digits", "entropy, nats", "precision", "recall", "density", "coverage")

WHAT_IT_MEANS = """
**Digits** is the share that the judge takes for digits, **entropy** how evenly it sees the ten classes among them (2.30
nats where all are alike, 0 where there is one class only). The other four compare drawings with test images in what
the judge sees before it decides, 64 numbers a picture: around each picture lies a ball that reaches to the third
nearest of its own kind. **Precision** is the share of drawings inside a ball of some test image, **recall** the share
of test images inside a ball of some drawing (Kynkäänniemi et al. 2019), **density** in how many balls of test images a
drawing lies, over three, and **coverage** the share of test images with a drawing in their ball (Naeem et al. 2020). A
few scattered drawings have wide balls, so recall can be high where much is garbage; coverage has no such hole.

Test images are binarised, so for these four the drawings are too, at 0.5: the decoder's soft grey would tell them
apart. What the judge takes for a digit is asked of the soft drawing, which you see. A conditional model is told each
label equally often.
"""


OF_DRAWINGS = ("code, z", "prior, N(0, I)", "Gaussian", "judge", "binarised", "μ, σ", "nat", "VAE", "CVAE")


def page() -> tuple[str, ...]:
    """The controls, and the part of the page that they choose. Returns the glossary's words that stand there."""
    kept = {"persist_state": "session", "required": True, "label_visibility": "collapsed"}
    controls, more = st.columns([2.6, 1])
    with controls:
        part = st.segmented_control("Part", GENERATE, key="generate_part", **kept)
    with more, st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if part == GENERATE[2]:
            models = choose("posterior", 2)  # a plane has two
        else:
            size = choose_size("generate")
            models = choose("generate", size)
    if part == GENERATE[2]:
        prior_and_posterior(models)
        return OF_DENSITIES
    with controls:
        if part == GENERATE[1]:
            chosen = choose_digit()
        else:
            source, components = _source()
    if part == GENERATE[1]:
        _near(models, chosen)
        show_steps(chosen)
        fetch.mnist_notice()
    else:
        _draws(models, size, source, components)
    return OF_DRAWINGS


def _source() -> tuple[str, int]:
    """Where the codes come from, and of how many Gaussians. Not in a fragment: the page's link holds both."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        source: Any = st.segmented_control(  # one of them: it is required
            "Codes are drawn from",
            DRAWN_FROM,
            format_func=IN_CONTROL.__getitem__,
            required=True,
            key="generate_source",
            persist_state="session",
        )
        if not generation.SOURCES[source].components:
            return source, st.session_state["generate_components"]
        return source, st.slider(
            "Gaussians, fitted to the codes of training images",
            1,
            MOST_GAUSSIANS,
            key="generate_components",
            persist_state="session",
            width=340,
        )


# Random codes ---------------------------------------------------------------------------------------------------------


@fragment
def _draws(models: list[Standing], size: int, source: str, components: int) -> None:
    """What was measured of such drawings, and what the models draw."""
    st.markdown(words(models, source, components, size))
    told = []
    for place, one in enumerate(models, 1):
        with st.spinner(f"Fitting {components} Gaussians to the codes of the {one.name}, {place} of {len(models)} …"):
            drawn_from = {"source": packed(one, source, components), "note": note(one, source, components)}
        told.append(_option(one) | drawn_from)
    _show("draws", models, told)
    if more := beside(models, source):
        st.markdown(more)
    folded("All numbers, and generators whose faults are known", partial(_table, models))


def packed(one: Standing, source: str, components: int) -> dict[str, Any]:
    """A source as static/maths/mixture.mjs reads it."""
    matters = generation.SOURCES[source].components
    return _packed(one.slug, networks.stamp(one.slug), source, components if matters else 1)


@st.cache_data(max_entries=64, show_spinner=False)
def _packed(name: str, stamp: tuple[int, ...], source: str, components: int) -> dict[str, Any]:
    codes = store.guard_codes(name)["train_mean"]
    weights, means, factors = generation.SOURCES[source].find(store.guard(name)[0], codes, components)
    rows, columns = torch.tril_indices(codes.shape[1], codes.shape[1])
    parts = [part.numpy().astype("<f4").tobytes() for part in (weights, means, factors[:, rows, columns])]
    return {"components": len(weights), "numbers": base64.b64encode(b"".join(parts)).decode()}


def measured_as(source: str, components: int) -> str:
    """The card's row that is nearest to what is drawn: mixtures were measured with a few numbers of Gaussians."""
    if not generation.SOURCES[source].components:
        return source
    nearest = min((1, *generation.COMPONENTS), key=lambda k: abs(np.log(k / components)))
    return "gaussian" if nearest == 1 else generation.row_name(source, nearest)


def note(one: Standing, source: str, components: int) -> str:
    """What stands under a model's drawings."""
    found = store.measured("generation", one.slug)
    if found is None:
        return f"Not measured. `python -m vae_core measure {one.slug} --what generation` does where the judge can."
    name = measured_as(source, components)
    row = found["rows"][name]
    same = not generation.SOURCES[source].components or components in AMOUNTS
    at = "" if same else f" Measured with {_amount(name)}."
    return f"{row['digit']:.1%} are digits; {row['coverage']:.0%} of test images are covered.{at}"


def words(models: Iterable[Standing], source: str, components: int, size: int) -> str:
    """One sentence: what an autoencoder with Gaussians of its own draws beside a VAE and its prior; then all who stand
    here, from the source that is chosen."""
    found = {one: kept["rows"] for one in models if (kept := store.measured("generation", one.slug))}
    if not found:
        return "None of these models has been measured: the judge knows MNIST's digits."
    plain = next((one for one in found if not one.probabilistic), None)
    prior = next((one for one in found if _plain(one)), None)
    told = []
    if plain and prior:
        name = measured_as("mixture", components)
        mine, its = found[plain][name]["digit"], found[prior]["prior"]["digit"]
        ranges = [
            store.over_seeds(one.slug, ("generation", "rows", row, "digit"))
            for one, row in ((plain, name), (prior, "prior"))
        ]
        over = [readout.over_seeds(each) for each in ranges]
        equal = ", so the two are about equal" if ranges[0] and ranges[1] and ranges[0].meets(ranges[1]) else ""
        told.append(
            f"**With {size} numbers the {plain.name} draws digits in {mine:.0%} of the cases{over[0]}, from "
            f"{_amount(name)} of its codes; the {prior.name} in {its:.0%}{over[1]}, from its own prior N(0, I)"
            f"{equal}.**"
        )
    name = measured_as(source, components)
    shares = ", ".join(f"{one.name} {rows[name]['digit']:.1%}" for one, rows in found.items())
    whence = _prior(found) if source == "prior" else f"{_amount(name)} of its codes"
    told.append(f"Digits among {generation.DRAWS:,} codes from {whence}: {shares}.")
    points = [one.name for one in found if not one.probabilistic]
    if points and source == "prior":
        told.append(f"Nothing in training placed the codes of {readout.listed(points)} there.")
    return " ".join(told)


def beside(models: Iterable[Standing], source: str) -> str:
    """Below the drawings: what the nats of each VAE bought, and what the Gaussians of a learned prior are."""
    found = {one: kept["rows"] for one in models if (kept := store.measured("generation", one.slug))}
    return "\n".join(f"- {line}" for line in (*bought(found), *(grouped(found) if source == "prior" else ())))


def bought(found: dict[Standing, dict[str, Any]]) -> Iterator[str]:
    """What each VAE's nats are worth beside those of the first one here that has its likelihood: a better bound and
    better draws are two things."""
    firsts: dict[tuple[str, str], Standing] = {}
    for one in found:
        if not one.probabilistic or one.conditional:
            continue
        config = store.guard(one.slug)[0].config
        first = firsts.setdefault((config.likelihood, config.seen), one)  # nats of other pixels do not compare
        if first is one:
            continue
        mine, its = (store.guard(each.slug)[1]["test"]["nelbo"] for each in (one, first))
        drawn = f"{found[one]['prior']['digit']:.0%} instead of {found[first]['prior']['digit']:.0%} of digits"
        costs = f"{abs(mine - its):.1f} nats {'more' if mine > its else 'less'}"
        yield (
            f"The {one.name} pays {costs} for a test digit than the {first.name} ({mine:.1f} against {its:.1f}) and "
            f"draws {drawn} from its prior."
        )


def grouped(found: Iterable[Standing]) -> Iterator[str]:
    """Whether the Gaussians of a learned prior are the classes."""
    for one in found:
        if kept := store.measured("components", one.slug):
            yield (
                f"Of the {one.name}'s prior {kept['used']} Gaussians are in use: {kept['purity']:.0%} of test digits "
                f"are of the kind that their Gaussian mostly holds, {kept['together']:.0%} lie in the one Gaussian "
                "that holds most of their kind."
            )


def _plain(one: Standing) -> bool:
    """Whether it is a VAE as the documents have it: no label, and N(0, I) for its prior."""
    return one.probabilistic and not one.conditional and not one.learned_prior


def _prior(models: Iterable[Standing]) -> str:
    """What "the prior" is for those who stand here."""
    learned = [one.name for one in models if one.learned_prior]
    return f"N(0, I), for the {' and the '.join(learned)} from the prior that it has learned" if learned else "N(0, I)"


def _table(models: list[Standing]) -> None:
    """Every number of whoever stands here, and beside them those of generators whose faults are known."""
    rows, counts = [], None
    for one in models:
        if found := store.measured("generation", one.slug):
            counts = counts or found
            known = ((name, row) for name, row in found["rows"].items() if name in measures.GENERATED)
            rows += [(one.title, _called(name, one), *_cells(row)) for name, row in known]
    if known := store.references():
        rows += [(name, "", *_cells(row)) for name, row in known["rows"].items()]
        st.markdown(ones(known["rows"]))
    numbers(HEAD, rows, words=(0, 1))
    if counts:
        below = " and of at most as many pictures in those below" if known else ""  # of some kinds there are fewer
        st.caption(
            f"Digits and entropy are of {counts['draws']:,} drawings in each row of a model{below}; the other four are "
            f"means over batches of {counts['batch']:,} of them, each beside {counts['real']:,} of MNIST's test "
            "images. Codes themselves are those of training images. `python -m vae_core measure --what generation` and "
            "`python -m vae_core judge` measure them."
        )
    st.markdown(WHAT_IT_MEANS)


def _cells(row: dict[str, float]) -> tuple[str, ...]:
    return (f"{row['digit']:.1%}", *(f"{row[name]:.2f}" for name in ("entropy", *generation.Shape._fields)))


def _called(name: str, one: Standing) -> str:
    """A card's row in words."""
    prior = "its learned prior" if one.learned_prior else "N(0, I)"
    return {"prior": prior, "reconstructions": "its codes themselves"}.get(name) or _amount(name)


def _amount(name: str) -> str:
    """How many Gaussians a card's row is of."""
    return AMOUNTS[int(name.partition(" ")[2] or 1)]


def ones(rows: dict[str, dict[str, float]]) -> str:
    """What the rows of the judge's card teach: a number that a worthless generator has, too, says little by itself."""
    real, one = rows["real training images"], rows["a generator of ones"]
    apart = [
        f"{name} ({one[name]:.2f}{unit} against {real[name]:.2f})"
        for name, unit in (("entropy", " nats"), ("recall", ""), ("coverage", ""))
    ]
    return (
        f"**A generator that draws nothing but ones** passes for digits in {one['digit']:.0%} and is more precise than "
        f"real images are ({one['precision']:.2f} against {real['precision']:.2f}). What tells it apart is "
        f"{apart[0]}, {apart[1]} and {apart[2]}. So no number stands alone here; what real training images reach is "
        "the mark to aim at."
    )


# Near yours -----------------------------------------------------------------------------------------------------------


@fragment
def _near(models: list[Standing], chosen: Chosen) -> None:
    """Nine drawings at one distance around each model's code of the digit."""
    st.markdown(
        "Nine codes at the same distance from that of your digit, each in another direction. How far can you go until "
        "they show another digit? At radius 0 each model draws yours back."
    )
    _show("near", models, [_option(one) | near(one, chosen) for one in models])
    st.caption(
        "The radius counts each model's own σ: 1 under the prior N(0, I), else the robust σ of the codes of training "
        "images. A drawing that you press becomes your digit."
    )


def near(one: Standing, chosen: Chosen) -> dict[str, Any]:
    """Where a model places the digit, in what a radius is counted there, and what it is told."""
    model, codes = store.guard(one.slug)[0], store.guard_codes(one.slug)
    label, how = label_for(chosen, model, one.dataset) if one.conditional else (None, "")
    y = None if label is None else torch.tensor([label])
    mean = latent.embed(model, torch.tensor(chosen.pixels)[None], y).mean[0]
    sigma = readout.scale(codes, one.learned_prior).sigma
    told = "" if label is None else f"told {one.data.classes[label]}, {how}"
    return {"near": {"mean": mean.tolist(), "sigma": sigma.tolist(), "label": label}, "note": told}


# The live view --------------------------------------------------------------------------------------------------------


def _option(one: Standing) -> dict[str, Any]:
    return {
        "kind": one.key,
        "title": one.title,
        "name": one.name,
        "network": bridge.network(one.slug),
        **{"note": "", "source": None, "near": None},
    }


def _show(part: str, models: list[Standing], told: list[dict[str, Any]]) -> None:
    """The view of this part; a drawing that is taken there is the digit from then on, for the whole page."""
    state, taken = st.session_state, "generate_taken"
    bridge.view(
        "views/generate/generate.mjs",
        key=" ".join(("generate", part, *(one.slug for one in models))),
        reader=messages.form({"drawing": messages.drawing, "kind": messages.choice([one.key for one in models])}),
        options={"part": part, "models": told},
        first=first.first(skeleton(part, models), f"generate {part}"),
        on_message=partial(_take, {one.key: one.name for one in models}, taken),
        once=True,
    )
    if state.pop(taken, False):
        st.rerun()


def _take(names: dict[str, str], taken: str, said: dict[str, Any]) -> None:
    digit.share(digit.drawing(said["drawing"], name=f"a drawing of the {names[said['kind']]}"))
    st.session_state[taken] = True


def skeleton(part: str, models: list[Standing]) -> str:
    """The view's boxes, empty, as high as they will be."""
    tiles = "<button disabled></button>" * {"draws": 20, "near": 9}[part]
    cards = "".join(
        f'<section><h3>{one.title}</h3><div class="drawings">{tiles}</div><p class="note"></p></section>'
        for one in models
    )
    return f'{first.BAR}<div class="cards" style="--cards:{len(models)}">{cards}</div><p class="reading"></p>'
