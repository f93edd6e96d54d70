"""Sliders from the server's side: what its live view is told and shows first, and what the numbers mean."""

from __future__ import annotations

import html
import math
import re
from functools import partial
from typing import Any

import streamlit as st
import torch

from ui.live import bridge, messages, networks, store
from ui.live.cast import Standing
from ui.parts import digit, fetch, first, readout
from ui.parts.cast import choose, choose_size
from ui.parts.digit import Chosen
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.parts.tiles import data_uri, numbers
from ui.shell.failure import fragment
from ui.shell.family import FAMILY
from ui.shell.folded import folded
from vae_core import arrows, latent
from vae_core.chance import normals, uniforms
from vae_core.data import NUMERALS
from vae_core.prior import Learned

RARELY = 0.95  # share of random codes that draw a digit, below which gaps are worth a word
FIRST = 20  # sliders that stand at once; of a wider code the others wait in a box
IDLE = 0.01  # nats; a dimension with less KL says next to nothing about the digit
START = re.compile(r"digit|mean|[ru][0-9]{1,10}")  # where the sliders' codes start from, as links say it


def page() -> None:
    """The controls, the live view, and how a picture became a digit."""
    controls, dimensions = st.columns([3.4, 1])
    with dimensions:
        size = choose_size("sliders")
        models = choose("sliders", size)
    with controls:
        chosen = choose_digit()
    _play(models, size, chosen, labels_to_tell(models, chosen))
    show_steps(chosen)
    if moved := moved_along(models):
        st.markdown(arrows_told(models))
        folded("Thickness and slant, by model", partial(numbers, ARROWS_HEAD, moved, words=(0, 1)))
    fetch.mnist_notice()


@fragment
def _play(models: list[Standing], size: int, chosen: Chosen, told: dict[str, int]) -> None:
    """The live view, and whenever the hand lets go, what only Python knows of the codes it left."""
    hand = sliders(models, size, chosen, told)
    rows, judge = [], store.judge()
    for one in models:
        if one.key not in hand["codes"]:
            continue
        (model, _), z = store.guard(one.slug), torch.tensor(hand["codes"][one.key])
        far = readout.scale(store.guard_codes(one.slug), one.learned_prior).distance(z)
        y = torch.tensor([hand["label"]]) if model.conditional else None
        drawn = latent.decode(model, z[None], y)
        read = ("—", "—")
        if judge is not None:
            read = str(int(judge.label(drawn))), "yes" if bool(judge.is_digit(drawn)) else "no"
        rows.append((one.title, f"{float(far):.2f}", *read))
    numbers(("", "σ from the middle", "read as", "is a digit"), rows)
    st.caption(f"{middles(models, size)} A classifier that knows no autoencoder reads.")
    if accepted := accepted_draws(models, size):
        st.markdown(accepted)


def slider_option(one: Standing, told: int | None) -> dict[str, Any]:
    """A model as sliders.mjs reads it: the scale, the reach and the worth of every dimension, busiest first.

    told: the class as which a conditional model encodes the digit, of its own data set's.
    """
    codes, size = store.guard_codes(one.slug), one.latent_dim
    # Under a learned prior a dimension has no KL of its own.
    nats = one.probabilistic and not one.learned_prior
    order, worth = latent.order_dimensions(codes["test_mean"], codes["test_logvar"] if nats else None)
    by_dimension = torch.empty(size, dtype=worth.dtype)
    by_dimension[order] = worth
    scale = readout.scale(codes, one.learned_prior)
    return {
        "kind": one.key,
        "slug": one.slug,
        "network": bridge.network(one.slug),
        "title": one.title,
        "name": one.name,
        "told": told,
        "centre": scale.middle.tolist(),
        "sd": scale.sigma.tolist(),
        "reach": readout.reach(codes, scale).tolist(),
        "order": order.tolist(),
        "worth": by_dimension.tolist(),
        "nats": nats,
        **arrow_option(one),
        "source": None
        if one.probabilistic
        else {k: v.tolist() for k, v in latent.fit_gaussian(codes["train_mean"])._asdict().items()},
    }


def arrow_option(one: Standing) -> dict[str, Any]:
    """The model's `arrows`, each with a line on what it does, or None and `why`."""
    steps, found = store.arrows(one.slug), store.measured("arrows", one.slug)
    why = ""
    if one.dataset != "mnist":
        why = f"Thickness and slant are fitted on MNIST's digits; the {one.name} was trained on {one.data.title}."
    elif steps is None or found is None:
        command = f"python -m vae_core measure {one.slug} --what arrows"
        why = f"Which way the {one.name}'s codes go for thickness and slant nobody has measured: {command} does."
    elif not one.conditional and networks.judge() is None:
        why = (
            "Thickness and slant have arrows for each digit, and there is no judge here to read which one a code draws."
        )
    if why or steps is None or found is None:
        return {"arrows": None, "why": why}
    words = [arrow_words(name, found) for name in arrows.ATTRIBUTES]
    return {"arrows": {"step": steps.tolist(), "words": words}, "why": ""}


def arrow_words(name: str, found: dict[str, Any]) -> str:
    """What the measure says of one arrow, in a line."""
    less, more = (found["rows"][name][way] for way in ("less", "more"))
    other = next(each for each in arrows.ATTRIBUTES if each != name)
    along = max(abs(less["other"]), abs(more["other"]))
    return (
        f"±{found['asked']:g} reach {readout.signed(less['reached'])} and {readout.signed(more['reached'])} sd, move "
        f"the {other} by up to {along:.2f}; {min(less['kept'], more['kept']):.0%} stay the same digit."
    )


ARROWS_HEAD = ("", f"±{arrows.ASKED:g} sd asked", "reached, sd", "the other moves, sd", "same digit")
STAYS = 0.97  # share of digits that stay what they were, from which an arrow is said to leave the digit alone


def moved_along(models: list[Standing]) -> list[tuple[str, ...]]:
    """What the arrows of each model do to test digits at both ends, as rows under `ARROWS_HEAD`."""
    return [
        (
            one.title,
            name,
            *(" / ".join(readout.signed(end[key]) for end in ends) for key in ("reached", "other")),
            " / ".join(f"{end['kept']:.1%}" for end in ends),
        )
        for one in models
        if (found := store.measured("arrows", one.slug))
        for name in arrows.ATTRIBUTES
        for ends in [[found["rows"][name][way] for way in ("less", "more")]]
    ]


def arrows_told(models: list[Standing]) -> str:
    """Whose digits stay what they are while thickness or slant moves."""
    found = {one.name: found for one in models if (found := store.measured("arrows", one.slug))}
    worst = {
        name: min(row[way]["kept"] for row in one["rows"].values() for way in ("less", "more"))
        for name, one in found.items()
    }
    stays = [name for name, kept in worst.items() if kept >= STAYS]
    others = ", ".join(f"{name} {kept:.0%}" for name, kept in worst.items() if kept < STAYS)
    verdict = f"In the {readout.listed(stays)}, yes." if stays else "In none of these."
    if others:
        verdict += f" Share of the digits that stay what they were, at the worst of the ends: {others}."
    n, sd = max(one["images"] for one in found.values()), next(iter(found.values()))["rows"]
    return (
        f"**Can thickness or slant be moved and the digit left alone?** {verdict} They stand here for what textbooks "
        f"change in a face, the colour of its hair and nothing else. Measured on {n:,} test digits, with the judge; sd "
        f"are those of real digits: {sd['thickness']['sd']:.1f} pixels and {sd['slant']['sd']:.0f}°."
    )


OTHERS = "The others move by as many of their own σ, each in its own order."


def middles(models: list[Standing], size: int) -> str:
    """Where random codes and a deterministic model's own lie, in the σ of the table."""
    from scipy.special import gammaincinv

    near = [
        f"half of the {one.name}'s within {readout.half_within(codes, own):.2f} of its middle"
        for one in models
        for codes in [store.guard_codes(one.slug)]
        for own in [readout.scale(codes, one.learned_prior)]
        if not one.probabilistic or one.learned_prior
    ]
    own = f"σ is that of the codes themselves, robust: {', '.join(near)}."
    if len(near) == len(models):
        return own
    half = math.sqrt(2 * gammaincinv(size / 2, 0.5))  # the median of a χ distribution
    others = f" Without that prior {own}" if near else ""
    return f"Half of all draws from N(0, I) lie within {half:.2f} σ of the middle.{others}"


def accepted_draws(models: list[Standing], size: int) -> str:
    """How many random codes of each model draw a digit, as `measure --what draws` put it on the cards."""
    found = {model.name: store.measured("draws", model.slug) for model in models}
    there = {name: one for name, one in found.items() if one}
    if not there:
        return ""
    shares = ", ".join(f"{name} {one['accepted']:.0%}" for name, one in there.items())
    few = min(one["accepted"] for one in there.values()) < RARELY
    verdict = "The others draw no digit." if few else "Hardly one draws anything else."
    n = max(one["draws"] for one in there.values())
    return f"**How many random codes draw a digit, to the judge?** Of {n:,} of {size} numbers: {shares}. {verdict}"


def sliders(models: list[Standing], size: int, chosen: Chosen, told: dict[str, int]) -> dict[str, Any]:
    """Show the live view. Returns what the hand left, or what the view opens with: `slider_hand`."""
    options, keys = [slider_option(one, told.get(one.key)) for one in models], [one.key for one in models]
    key = " ".join(("sliders", str(size), *("" if keys == list(FAMILY) else keys)))
    names = label_names(models)
    shown = digit.option(chosen, min(next(iter(told.values()), 0), len(names) - 1), chosen.label)
    state, reader = st.session_state, slider_reader(keys, size, len(names))

    def hear(hand: dict[str, Any]) -> None:
        state[f"{key} last"] = state["sliders last"] = hand  # at once: the next run may be of the other size

    hand = bridge.heard(key, reader) or first.last(key)
    if hand.get("digit") != shown["id"]:  # the visitor has chosen another digit since, or has touched nothing yet
        hand = slider_hand(options, shown, chosen, names, first.last("sliders"), state.get("sliders stood", keys))
    view = {"models": options, "digit": shown, "labels": names, "asked": arrows.ASKED, "judge": networks.judge()}
    first.show("views/sliders.mjs", key, view, lambda: slider_picture(options, chosen, names, hand), "", reader, hear)
    state[f"{key} last"] = state["sliders last"] = hand
    state["sliders stood"] = keys
    return hand


def label_names(models: list[Standing]) -> list[str]:
    """What the conditional models may be told, all of them alike: the classes of their data set, or where they were
    trained on several the numbers that each of them has."""
    found = {one.data.classes for one in models if one.conditional} or {NUMERALS}
    return list(found.pop()) if len(found) == 1 else [str(y) for y in range(min(map(len, found)))]


def labels_to_tell(models: list[Standing], chosen: Chosen) -> dict[str, int]:
    """What each conditional model takes the digit for, in the order of the models. They may be of several data sets."""
    return {one.key: label_for(chosen, store.model(one.slug)[0], one.dataset)[0] for one in models if one.conditional}


def slider_reader(kinds: list[str], size: int, n_labels: int = 10) -> messages.Reader:
    """The codes of the models that are shown, the CVAE's label, whose sliders they are, and of which digit."""
    fields = {
        "codes": messages.each(kinds, messages.vector(size)),
        "label": messages.integer(0, n_labels - 1),
        "lead": messages.choice(kinds),
        "digit": first.DIGIT,
    }
    return messages.where(messages.form(fields), lambda m: m["lead"] in m["codes"], "a code of the model that leads")


def slider_hand(
    options: list[dict],
    digit: dict[str, Any],
    chosen: Chosen,
    labels: list[str],
    old: dict[str, Any],
    stood: list[str],
) -> dict[str, Any]:
    """What the view opens with where no hand was left for its size and digit, as static/views/sliders.mjs decides, too.

    The link's state in the first view of the session, when `old` is empty. Later the link tells what a view of perhaps
    another size and another digit wrote: then the digit's code, with the models of `old`, the hand before, and those
    that did not stand on the page then.
    In the form of the view's message: {codes: {kind: z} of the models that are shown, label, lead, digit: its id}.
    """
    query, kinds, size = st.query_params, [m["kind"] for m in options], len(options[0]["sd"])
    asked_for = (
        [*old["codes"], *(k for k in kinds if k not in stood)] if old else listed(query.get("models", ""), kinds)
    )
    shown = [kind for kind in kinds if kind in asked_for] or kinds
    leads = (old["lead"] if old else query.get("lead"), "vae", *shown)
    origin, offset, along, label = "digit", None, None, digit["label"]
    if not old:
        origin = query.get("from", "") if START.fullmatch(query.get("from", "")) else "digit"
        offset = first.asked("s", size)
        along = first.asked("a", len(arrows.ATTRIBUTES), arrows.ASKED)
        y = query.get("y", "")
        label = int(y) if re.fullmatch("[0-9]{1,2}", y) and int(y) < len(labels) else label
    eps, codes = torch.tensor(normals(int(origin[1:]), size)) if origin[0] in "ru" else None, {}
    for m in options:
        if m["kind"] not in shown:
            continue
        centre, scale = torch.tensor(m["centre"]), torch.tensor(m["sd"])
        if origin == "digit":
            y = None if m["told"] is None else torch.tensor([m["told"]])  # it is encoded as what it is
            mean = latent.embed(store.model(m["slug"])[0], torch.tensor(chosen.pixels)[None], y).mean
            z = mean[0].clone()  # no longer an inference tensor
        elif eps is None:
            z = centre
        else:
            z = eps.clone()
            learned = store.model(m["slug"])[0].prior
            if origin[0] == "r" and isinstance(learned, Learned):
                z = learned.mixture().place(uniforms(int(origin[1:]) + 1, 1)[0], eps)
            elif origin[0] == "r" and m["source"]:
                z = torch.tensor(m["source"]["mean"]) + torch.tensor(m["source"]["factor"]) @ eps
        if along and m["arrows"]:
            z += torch.tensor(along) @ torch.tensor(m["arrows"]["step"][_sets_out(m["slug"], z, label)])
        if offset:
            z[m["order"]] += torch.tensor(offset) * scale[m["order"]]
        codes[m["kind"]] = z.tolist()
    return {"codes": codes, "label": label, "lead": next(k for k in leads if k in shown), "digit": digit["id"]}


def _arrow_rows(lead: dict[str, Any]) -> str:
    """The sliders for thickness and slant of the model that leads, or why it has none."""
    if not lead["arrows"]:
        return f'<p class="quiet">{html.escape(lead["why"])}</p>'
    asked = first.asked("a", len(arrows.ATTRIBUTES), arrows.ASKED) or [0.0] * len(arrows.ATTRIBUTES)
    rows = "".join(
        f'<div class="row"><b>{name.capitalize()}</b><span class="value">{readout.signed(sd, 1)} sd</span><input '
        f'type="range" disabled min="{-arrows.ASKED}" max="{arrows.ASKED}" step="any" value="{sd}">'
        f'<span class="strip"></span><small class="quiet">{words}</small></div>'
        for name, sd, words in zip(arrows.ATTRIBUTES, asked, lead["arrows"]["words"], strict=True)
    )
    return f'<div class="arrows">{rows}</div>'


def _sets_out(slug: str, z: torch.Tensor, label: int) -> int:
    """The class of whose arrows a code takes: the label that its model is told, else what the judge sees there."""
    model, judge = store.model(slug)[0], store.judge()
    return label if model.conditional or judge is None else int(judge.label(latent.decode(model, z[None])))


def listed(text: str, kinds: list[str]) -> list[str]:
    """The models that a link shows: older ones name kinds with a dot between them, and names of models hold dots."""
    return [text] if text in kinds else text.split("~" if "~" in text else ".")


def slider_picture(options: list[dict], chosen: Chosen, labels: list[str], hand: dict[str, Any]) -> str:
    """The view as it will stand: every model's drawing, and the sliders of the one that leads."""
    tiles, y = "", torch.tensor([hand["label"]])
    for m in options:
        if m["kind"] not in hand["codes"]:
            continue
        model, z = store.model(m["slug"])[0], torch.tensor(hand["codes"][m["kind"]])
        drawn = latent.decode(model, z[None], y if model.conditional else None)[0]
        far = ((z - torch.tensor(m["centre"])) / torch.tensor(m["sd"])).norm()
        place = f"z = ({', '.join(map(readout.signed, z.tolist()))})" if len(z) == 2 else f"{far:.1f} σ from the middle"
        tiles += first.figure(drawn, m["title"], place, alt=f"What the {m['name']} draws")
    lead, rows = next(m for m in options if m["kind"] == hand["lead"]), ""
    z, nats, most = hand["codes"][lead["kind"]], lead["nats"], max(lead["worth"])
    idle = sum(nats and worth < IDLE for worth in lead["worth"])
    busy = len(lead["order"]) - idle
    for j in lead["order"][: min(busy, FIRST)]:
        centre, sd, reach, worth = (lead[name][j] for name in ("centre", "sd", "reach", "worth"))
        reach = max(reach, abs(z[j] - centre))
        share = worth / most if nats else math.sqrt(worth / most)
        words = f"{worth:.2f} nats" if nats else f"σ {sd:.2f}"
        rows += (
            f'<div class="row"><b>{readout.dimension(j)}</b><span class="worth" style="--share:{share}"><i></i></span>'
            f'<small class="quiet">{words}</small><span class="value">{readout.signed(z[j])}</span><input '
            f'type="range" disabled min="{-reach}" max="{reach}" step="any" value="{z[j] - centre}">'
            '<span class="strip"></span></div>'
        )
    one, many = " one" if len(hand["codes"]) == 1 else "", " many" if len(z) > 2 else ""
    # Disabled and in the same words, for they take as many lines as those of the view.
    mine = f'<img class="mine" src="{data_uri(chosen.pixels)}" alt="">My digit'
    words = (mine, "Random code", "N(0, I), unfair", "Middle", f"CVAE told: {labels[hand['label']]}")
    bar = "".join(f"<button disabled>{word}</button>" for word in (*(m["title"] for m in options), *words))
    head = f"<span>Sliders of the</span><select disabled><option>{lead['title']}</option></select>"
    if not one:
        head += f'<span class="quiet">{OTHERS}</span>'
    more = f"Idle dimensions: {idle}" if idle else ""
    if busy > FIRST:
        left = sum(lead["worth"][j] for j in lead["order"][FIRST:]) / sum(lead["worth"])
        of = "the KL" if nats else "the codes' variance"
        more = f"{len(z) - FIRST} more: together {left:.0%} of {of}"
    rest = f"<details><summary>{more}</summary></details>" if more else ""
    return (
        f'<div class="bar">{bar}</div><div class="sliders"><div class="stage{one}">{tiles}</div><div>'
        f'<div class="head">{head}</div>{_arrow_rows(lead)}<div class="rows{many}">{rows}</div>{rest}</div></div>'
    )
