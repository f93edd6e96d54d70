"""Styles, Sliders and Interpolate from the server's side: what their live views are told, and what they show first.

The first picture stands in the same boxes (static/views.css) until the view has mounted, so that nothing moves.
"""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui import digit, live, live_map, messages, readout, store
from ui.digit import Chosen
from ui.family import DIGIT_COLOURS, FAMILY, slug, title
from ui.tiles import data_uri
from ui.ways import Ways
from vae_core import latent

SHEET = Path(__file__).resolve().parent.parent / "static" / "views.css"
LABELS = torch.arange(10)
BAR = '<div class="bar"></div>'  # where a view's buttons will be
RARELY = 0.95  # share of random codes that draw a digit, below which gaps are worth a word
IDLE = 0.01  # nats; a dimension with less KL says next to nothing about the digit
DIGIT = messages.text(12, "[0-9a-f]{12}")  # the id that ui.digit.option gives it
START = re.compile(r"digit|mean|[ru][0-9]{1,10}")  # where the sliders' codes start from, as links say it


def asked(name: str, n: int) -> list[float] | None:
    """n numbers from the page's address, or None: links get cut."""
    try:
        values = [float(v) for v in st.query_params.get(name, "").split(",")]
    except ValueError:
        return None
    return values if len(values) == n and all(abs(v) <= 100 for v in values) else None


def figure(pixels: Tensor, caption: str = "", note: str = "", edge: str | None = None, alt: str = "") -> str:
    """One tile as the views build it."""
    text = f"<b>{html.escape(caption)}</b> <small class='quiet'>{html.escape(note)}</small>"
    colour = f' style="--edge:{edge}"' if edge else ""
    alt = html.escape(alt or f"{caption} {note}", quote=True)
    return (
        f'<figure class="tile"{colour}><img src="{data_uri(pixels.numpy())}" alt="{alt}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def first(body: str, kind: str = "") -> str:
    """The first picture of a view, with the style sheet that the view goes on using."""
    sheet = f"<style data-views>{SHEET.read_text(encoding='utf-8')}</style>"
    return f'{sheet}<div class="view {kind}">{body}</div>'


@st.cache_data(max_entries=8, show_spinner=False)
def square(name: str) -> str:
    """A map's codes as a picture, where the view will draw them."""
    codes = store.guard_codes(name)
    png = base64.b64encode(live_map.draw_points(codes["test_mean"].numpy(), codes["test_label"].numpy())).decode()
    return f'<div class="square"><img style="width:100%;opacity:.45" alt="" src="data:image/png;base64,{png}"></div>'


def show(
    module: str,
    key: str,
    options: dict[str, Any],
    picture: Callable[[], str],
    kind: str = "",
    reader: messages.Reader | None = None,
    on_message: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """The live view. Returns its last message, after a switch of pages the one from before; {} where there is none.

    A message says that the view stands: the first picture is not made again, and does not travel with other options.
    """
    before = "" if reader and live.heard(key, reader) else first(picture(), kind)
    message = live.view(module, key=key, reader=reader, options=options, first=before, on_message=on_message)
    if message:
        st.session_state[f"{key} last"] = message  # the component's own state ends with the page
    return last(key)


def last(key: str) -> dict[str, Any]:
    return st.session_state.get(f"{key} last", {})


# Styles ---------------------------------------------------------------------------------------------------------------


def styles(name: str, chosen: Chosen, label: int, code: latent.Code) -> Tensor:
    """Show the live view. Returns z (D,) as the hand left it: the link's, else this digit's last, else its own."""
    key, mean, shown = f"styles {name}", code.mean[0], digit.option(chosen, label)

    def left(hand: dict[str, Any]) -> list[float] | None:
        return hand["z"] if hand.get("digit") == shown["id"] else None  # another digit may have come since

    at = asked("z", len(mean)) or left(last(key))
    z = mean if at is None else torch.tensor(at)

    def picture() -> str:
        ten = latent.decode(store.model(name)[0], z.expand(10, -1), LABELS)
        tiles = "".join(
            figure(ten[y], str(y), "its label" if y == label else "", DIGIT_COLOURS[y], f"{y} in this hand")
            for y in range(10)
        )
        side = square(name) if len(z) == 2 else '<div class="square" style="background:none"></div>'
        side = f'<div class="side">{side}<p class="reading"></p></div>'
        return f'{BAR}<div class="styles">{side}<div class="ten">{tiles}</div></div>'

    reader = messages.form({"z": messages.vector(len(mean)), "digit": DIGIT})
    told = {"slug": name, "network": live.network(name), "digit": shown}
    at = left(show("styles.mjs", key, told, picture, reader=reader))
    return z if at is None else torch.tensor(at)


@st.cache_data(max_entries=4, show_spinner=False)
def sample_codes(name: str, source: str) -> np.ndarray:
    """Where a conditional model places every sample of this data set under its own label, (N, D)."""
    images, labels = store.samples(source)
    return latent.embed(store.model(name)[0], torch.tensor(images), torch.tensor(labels)).mean.numpy()


def same_hand(name: str, z: Tensor, source: str) -> list[int]:
    """For each label the number of the sample whose code lies nearest to z (D,): who really writes like this."""
    labels = store.samples(source)[1]
    distance = np.linalg.norm(sample_codes(name, source) - z.numpy(), axis=1)
    return [int(np.where(labels == y, distance, np.inf).argmin()) for y in range(10)]


def leaked(leak: dict[str, Any], size: int) -> str:
    """How much of the label a CVAE's codes of this size still tell, from the card's `leak`."""
    draw, mean, chance = leak["draw"]["accuracy"], leak["mean"]["accuracy"], leak["chance"]
    rest = "little of the label is left in them" if draw < 2 * chance else "they do not hold the hand alone"
    return (
        f"**But a rest of the label stays.** From codes of {size} numbers a small network reads the right label for "
        f"{draw:.0%} of the test images (a draw from each q) and for {mean:.0%} (each mean); always naming the "
        f"commonest label would give {chance:.0%}. So {rest}."
    )


# Sliders --------------------------------------------------------------------------------------------------------------


def slider_option(kind: str, size: int) -> dict[str, Any]:
    """A model as static/sliders.mjs reads it: the scale, the reach and the worth of every dimension, busiest first."""
    name = slug(kind, size)
    codes = store.guard_codes(name)
    order, worth = latent.order_dimensions(codes["test_mean"], codes.get("test_logvar"))
    by_dimension = torch.empty(size, dtype=worth.dtype)
    by_dimension[order] = worth
    scale, source = readout.scale(codes), readout.source(codes)
    return {
        "kind": kind,
        "slug": name,
        "network": live.network(name),
        "title": title(kind),
        "name": FAMILY[kind].name,
        "centre": scale.middle.tolist(),
        "sd": scale.sigma.tolist(),
        "reach": readout.reach(codes).tolist(),
        "order": order.tolist(),
        "worth": by_dimension.tolist(),
        "source": None if "test_logvar" in codes else {k: v.tolist() for k, v in source._asdict().items()},
    }


OTHERS = "The others move by as many of their own σ, each in its own order."


def middles(kinds: list[str], size: int) -> str:
    """Where random codes and a deterministic model's own lie, in the σ of the table."""
    from scipy.special import gammaincinv

    near = [
        f"half of the {FAMILY[kind].name}'s within {readout.half_within(codes):.2f} of its"
        for kind in kinds
        if "test_logvar" not in (codes := store.guard_codes(slug(kind, size)))
    ]
    own = f" A deterministic model's σ is its codes' own, robust: {', '.join(near)}." if near else ""
    half = math.sqrt(2 * gammaincinv(size / 2, 0.5))  # the median of a χ distribution
    return f"Half of all draws from the prior lie within {half:.2f} σ of the middle.{own}"


def accepted_draws(kinds: list[str], size: int) -> str:
    """How many random codes of each model draw a digit, as `python -m vae_core draws` put it on the cards."""
    found = {kind: store.measured("draws", slug(kind, size)) for kind in kinds}
    there = {kind: one for kind, one in found.items() if one}
    if not there:
        return ""
    shares = ", ".join(f"{FAMILY[kind].name} {one['accepted']:.0%}" for kind, one in there.items())
    few = min(one["accepted"] for one in there.values()) < RARELY
    verdict = "The others draw no digit." if few else "Hardly one draws anything else."
    n = max(one["draws"] for one in there.values())
    return f"**How many random codes draw a digit, to the judge?** Of {n:,} of {size} numbers: {shares}. {verdict}"


def sliders(kinds: list[str], size: int, chosen: Chosen, label: int) -> dict[str, Any]:
    """Show the live view. Returns what the hand left, or what the view opens with: `slider_hand`."""
    key, options = f"sliders {size}", [slider_option(kind, size) for kind in kinds]
    shown = digit.option(chosen, label)
    state, reader = st.session_state, slider_reader(kinds, size)

    def hear(hand: dict[str, Any]) -> None:
        state[f"{key} last"] = state["sliders last"] = hand  # at once: the next run may be of the other size

    hand = live.heard(key, reader) or last(key)
    if hand.get("digit") != shown["id"]:  # the visitor has chosen another digit since, or has touched nothing yet
        hand = slider_hand(options, shown, chosen, last("sliders"))
    told = {"models": options, "digit": shown}
    show("sliders.mjs", key, told, lambda: slider_picture(options, chosen, hand), "", reader, hear)
    state[f"{key} last"] = state["sliders last"] = hand
    return hand


def slider_reader(kinds: list[str], size: int) -> messages.Reader:
    """The codes of the models that are shown, the CVAE's label, whose sliders they are, and of which digit."""
    fields = {
        "codes": messages.each(kinds, messages.vector(size)),
        "label": messages.label,
        "lead": messages.choice(kinds),
        "digit": DIGIT,
    }
    return messages.where(messages.form(fields), lambda m: m["lead"] in m["codes"], "a code of the model that leads")


def slider_hand(options: list[dict], digit: dict[str, Any], chosen: Chosen, old: dict[str, Any]) -> dict[str, Any]:
    """What the view opens with where no hand was left for its size and digit, as static/sliders.mjs decides, too.

    The link's state in the first view of the session, when `old` is empty. Later the link tells what a view of perhaps
    another size and another digit wrote: then the digit's code, with the models of `old`, the hand before.
    In the form of the view's message: {codes: {kind: z} of the models that are shown, label, lead, digit: its id}.
    """
    query, kinds, size = st.query_params, [m["kind"] for m in options], len(options[0]["sd"])
    asked_for = old["codes"] if old else query.get("models", "").split(".")
    shown = [kind for kind in kinds if kind in asked_for] or kinds
    leads = (old["lead"] if old else query.get("lead"), "vae", *shown)
    origin, offset, label = "digit", None, digit["label"]
    if not old:
        origin = query.get("from", "") if START.fullmatch(query.get("from", "")) else "digit"
        offset = asked("s", size)
        label = int(query["y"]) if re.fullmatch("[0-9]", query.get("y", "")) else label
    eps, codes = torch.tensor(normals(int(origin[1:]), size)) if origin[0] in "ru" else None, {}
    for m in options:
        if m["kind"] not in shown:
            continue
        centre, scale = torch.tensor(m["centre"]), torch.tensor(m["sd"])
        if origin == "digit":
            model, y = store.model(m["slug"])[0], torch.tensor([digit["label"]])  # it is encoded as what it is
            mean = latent.embed(model, torch.tensor(chosen.pixels)[None], y if model.conditional else None).mean
            z = mean[0].clone()  # no longer an inference tensor
        elif eps is None:
            z = centre
        else:
            z = eps.clone()
            if origin[0] == "r" and m["source"]:
                z = torch.tensor(m["source"]["mean"]) + torch.tensor(m["source"]["factor"]) @ eps
        if offset:
            z[m["order"]] += torch.tensor(offset) * scale[m["order"]]
        codes[m["kind"]] = z.tolist()
    return {"codes": codes, "label": label, "lead": next(k for k in leads if k in shown), "digit": digit["id"]}


def normals(seed: int, n: int) -> list[float]:
    """n draws from N(0, 1), those of static/random.mjs for this seed: sfc32, then Box and Muller."""
    a, b, c, mask = 0x9E3779B9, 0x243F6A88, seed & 0xFFFFFFFF, 0xFFFFFFFF
    draws = []
    for counter in range(1, 16 + 2 * n):
        bits = (a + b + counter) & mask
        a, b, c = b ^ b >> 9, (c + (c << 3)) & mask, ((c << 21 | c >> 11) + bits) & mask
        draws.append(bits / 2**32)
    pairs = zip(draws[15::2], draws[16::2], strict=True)  # the first 15 are thrown away
    return [math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v) for u, v in pairs]


def slider_picture(options: list[dict], chosen: Chosen, hand: dict[str, Any]) -> str:
    """The view as it will stand: every model's drawing, and the sliders of the one that leads."""
    tiles, y = "", torch.tensor([hand["label"]])
    for m in options:
        if m["kind"] not in hand["codes"]:
            continue
        model, z = store.model(m["slug"])[0], torch.tensor(hand["codes"][m["kind"]])
        drawn = latent.decode(model, z[None], y if model.conditional else None)[0]
        far = readout.distance(store.guard_codes(m["slug"]), z)
        place = f"z = ({', '.join(map(readout.signed, z.tolist()))})" if len(z) == 2 else f"{far:.1f} σ from the middle"
        tiles += figure(drawn, m["title"], place, alt=f"What the {m['name']} draws")
    lead, rows = next(m for m in options if m["kind"] == hand["lead"]), ""
    z, nats, most = hand["codes"][lead["kind"]], lead["source"] is None, max(lead["worth"])
    for j in lead["order"]:
        centre, sd, reach, worth = (lead[name][j] for name in ("centre", "sd", "reach", "worth"))
        reach = max(reach, abs(z[j] - centre))
        if nats and worth < IDLE:
            continue
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
    words = (mine, "Random code", "N(0, I), unfair", "Middle", f"CVAE told: {hand['label']}")
    bar = "".join(f"<button disabled>{word}</button>" for word in (*(m["title"] for m in options), *words))
    head = f"<span>Sliders of the</span><select disabled><option>{lead['title']}</option></select>"
    if not one:
        head += f'<span class="quiet">{OTHERS}</span>'
    idle = sum(nats and worth < IDLE for worth in lead["worth"])
    rest = f"<details><summary>Idle dimensions: {idle}</summary></details>" if idle else ""
    return (
        f'<div class="bar">{bar}</div><div class="sliders"><div class="stage{one}">{tiles}</div><div>'
        f'<div class="head">{head}</div><div class="rows{many}">{rows}</div>{rest}</div></div>'
    )


# Interpolate ----------------------------------------------------------------------------------------------------------


# t, and what is drawn where an end has a pad: null where nothing is yet, "" where it was cleared.
DRAWN = messages.maybe(messages.text(131, f"({messages.DRAWING})?"))
WALK = messages.form({"t": messages.number(0, 1)}, {"from": DRAWN, "to": DRAWN})


def asked_t() -> float:
    """The place on the way that the page's address names, else the middle."""
    at = asked("t", 1)
    return at[0] if at and 0 <= at[0] <= 1 else 0.5


ENDS = {"from": digit.KEY, "to": "to"}  # as the view calls them, and whose digit it is


def on_the_pad(key: str) -> str | None:
    """The drawing that is the digit, as views write it: "" where the pad was cleared, None where nothing is drawn."""
    chosen = digit.shared(key)
    if chosen is None or chosen.how != digit.DRAWN:
        return None
    return digit.as_text(chosen) if chosen.pixels.any() else ""


def interpolate(kinds: list[str], size: int, ends: tuple[Chosen, Chosen], ways: Ways) -> float:
    """Show the live view, and run the page again where an end was drawn. Returns t as the hand left it."""
    members = [
        {
            **{"kind": k, "slug": slug(k, size), "title": title(k), "name": FAMILY[k].name},
            "network": live.network(slug(k, size)),
        }
        for k in kinds
    ]
    key, state = f"walk {size}", st.session_state

    def picture() -> str:
        tiles = ""
        for way in ways(torch.tensor([asked_t()])):
            edge = f' style="--edge:{way.edges[0]}"' if way.edges else ""
            tiles += (
                f'<figure class="tile"{edge}><img src="{data_uri(way.pictures[0])}" alt="{html.escape(way.alt)}">'
                f'<figcaption><b>{html.escape(way.name)}</b><small class="quiet">{html.escape(way.note)}</small>'
                '</figcaption><span class="pace"></span></figure>'
            )
        maps = "".join(f"<div><h3>{m['title']}</h3>{square(m['slug'])}</div>" for m in members) if size == 2 else ""
        count = tiles.count("<figure")
        below = f'<p class="reading"></p><div class="maps">{maps}</div>'
        return f'{BAR}<div class="ways" style="--ways:{count}">{tiles}</div>{below}'

    def hear(message: dict[str, Any]) -> None:
        for end, name in ENDS.items():
            if end not in message or message[end] == on_the_pad(name):
                continue
            before, drawn = on_the_pad(name), message[end]
            if drawn is None:  # all strokes were taken back
                digit.give_back(name)
            else:
                digit.draw(drawn, digit.shared(name).label if before and drawn else None, name)
            state["walk drew"] = True

    told: dict[str, Any] = {"models": members, "spherical": ways.spherical}
    for (end, name), chosen, label in zip(ENDS.items(), ends, ways.labels, strict=True):
        drawing = {
            "draw": state[f"{name}_by"] == "Draw",
            "drawn": on_the_pad(name),
            "sure": chosen.how is not None and chosen.label is not None,  # a sample's label is not its drawing's
        }
        told[end] = digit.option(chosen, label) | drawing
    kind = "walk drawing" if told["from"]["draw"] or told["to"]["draw"] else "walk"
    message = show("interpolate.mjs", key, told, picture, kind, WALK, hear)
    if state.pop("walk drew", False):
        st.rerun()  # the whole page: this is a fragment, and the rows below walk between the same ends
    return message.get("t", asked_t())
