"""Both maps: what their live view is told and shows first, and what it says."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from ui.live import bridge, cast, messages, networks
from ui.live.cast import Standing
from ui.parts import digit, scatter, tiles
from ui.parts.cast import lacks
from ui.shell.failure import give_up
from ui.shell.family import FAMILY, slug
from ui.views.map.planes import has_plane, lifted, plane
from vae_core import contents
from vae_core.data import NUMERALS
from vae_core.storage import StorageError

if TYPE_CHECKING:
    from vae_core.judge import Judge

# torch is imported where it is needed first: the maps paint before that.

SIDES = ("left", "right")

# The same places as in static/views/map/map.mjs, with nothing in them yet.
_FIRST = """<style>
:host { display: block; }
.first { container-type: inline-size; max-width: max(46rem, 200dvh - 320px);
  font-family: var(--st-font); color: var(--st-text-color); font-size: 14px; }
.first .grid { display: grid; grid-template-columns: minmax(0, 1fr) 150px minmax(0, 1fr); column-gap: 16px;
  padding: 44px 0 110px; }
.first figure { margin: 0; }
.first figcaption { height: 46px; line-height: 36px; font-size: 15px; font-weight: 650; padding-left: 11px; }
.first .square { position: relative; aspect-ratio: 1; border-radius: 8px; overflow: hidden;
  background: var(--st-secondary-background-color); }
.first img { width: 100%; display: block; }
.first b { position: absolute; transform: translate(-50%, -50%); font-size: 13px; line-height: 16px; width: 18px;
  text-align: center; background: var(--st-background-color); border-radius: 3px; border: 2px solid; }
.first b span { color: var(--st-text-color); }
.first .middle { align-self: center; opacity: 0.74; text-align: center; }
@container (max-width: 820px) { .first .grid { padding-top: 84px; } }
@container (max-width: 760px) {
  .first .grid { display: block; padding: 206px 0 70px; }
  .first figcaption { height: 44px; }
  .first figure + .middle + figure { margin-top: 151px; }
  .first .middle { display: none; }
}
.first .way { height: 98px; }
</style>"""


def models() -> dict[str, Standing]:
    """Whoever can stand on the map, by key: the family first, then every other model by its data set. A model with more
    than two numbers stands there by a plane through its codes, the family's too, under its slug."""
    there = [one for one in cast.everybody(numbers=True) if not lacks("map", one)]  # any may be chosen in the browser
    two = {one.key: one for one in there if one.latent_dim == 2}
    more = [one for one in there if one.latent_dim > 2 and has_plane(one)]
    return two | {one.slug: one._replace(name=f"{one.name} {one.latent_dim}-D") for one in more}


def _beside(here: dict[str, Standing], key: str, wish: str | None) -> str:
    """Who stands beside a model: the wished one if it is another of the same data set, else the first such; the model
    itself where there is no other."""
    rest = [k for k, one in here.items() if one.dataset == here[key].dataset and k != key]
    return wish if wish in rest else (rest or [key])[0]


def start(here: dict[str, Standing]) -> dict[str, Any]:
    """What the page opens with: its link, else what this session saw last, else an AE beside a VAE. Both maps are of
    one data set; what of a link cannot be had is said."""
    link, last = st.query_params, st.session_state.get("map", {})
    bridge.whole(slug(kind, 2) for kind in FAMILY)  # says which of them is broken
    if not {"left", "right", "image"} & set(link):
        link = last
    else:
        _say_who_is_missing(here, [link[side] for side in SIDES if side in link])
    first, second = ((link[side] if link.get(side) in here else None) for side in SIDES)
    left = first or (_beside(here, second, "ae") if second else "ae" if "ae" in here else next(iter(here)))
    right = _beside(here, left, second or "vae")
    if first and second and second != right and first != second:
        other = here[second].data.title
        st.info(
            f"Both maps show one data set. {here[second].name} was trained on {other}, so {here[right].name} stands "
            f"beside {here[left].name}."
        )
    image = str(link.get("image", 0))
    image = int(image) if re.fullmatch("[0-9]{1,5}", image) else 0
    own, chosen = False, digit.shared()
    if chosen is not None and "image" not in st.query_params:  # the digit of all pages comes along
        own = chosen.source != here[left].dataset  # the visitor's, or another data set's; a test image is only a number
        image = image if own else chosen.index
    y = st.query_params.get("y", "")
    told = int(y) if re.fullmatch("[0-9]{1,2}", y) else (last.get("told") if link is last else None)
    walk = last.get("walk") if link is last else None
    if ends := re.fullmatch("([0-9]{1,5})-([0-9]{1,5})", st.query_params.get("walk", "")):
        walk = {"ends": [int(end) for end in ends.groups()], "said": {}}
    return {"left": left, "right": right, "image": image, "told": told, "walk": walk, "own": own}


def _say_who_is_missing(here: dict[str, Standing], named: list[str]) -> None:
    """A sentence for each model of a link that cannot stand here. The family's own are named by `bridge.whole`."""
    for name in named:
        if name in here or name in FAMILY:
            continue
        reason = "there is no such model here"
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,120}", name):
            name = "of a name that no model has"
        else:
            name, wish = f"`{name}`", name  # a name such as www.a.invalid is no link
            if wish != "judge" and wish in {path.parent.name for path in networks.CHECKPOINTS.glob("*/card.json")}:
                reason = _why_not(wish)
        st.warning(f"The link names the model {name}: {reason}. Another stands in its place.")


def _why_not(slug: str) -> str:
    """Why a model that is here cannot stand on the map, as the end of a sentence."""
    try:
        one = cast.standing(slug)
    except StorageError:
        return "its files are broken; whoever runs this app finds the reason in the server's log"
    return lacks("map", one) or "its codes do not differ"


def _pick(picked: dict[str, Any]) -> None:
    """A test image that was picked is the digit of all pages, where its original is here."""
    from ui.live import store

    dataset = cast.standing(cast.slug_of(picked["left"], 2)).dataset
    if picked.get("own") or picked["z"] or picked["walk"] or not store.whole(dataset):
        return
    index = min(picked["image"], len(store.samples(dataset)[1]) - 1)
    digit.share(digit.sample(index, dataset))


def options(
    here: dict[str, Standing], opening: dict[str, Any], network: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """What map.mjs is told of the models and of how it opens; `network` says where a model's files lie."""
    models = [
        {
            **{"kind": key, "slug": one.slug, "title": one.title, "name": one.name, "code": one.code},
            **{"dataset": one.dataset, "apart": key not in FAMILY, "network": network(one.slug)},
            "plane": _told(one),
            "history": _history(networks.CHECKPOINTS, one.slug, networks.stamp(one.slug)),
        }
        for key, one in here.items()
    ]
    datasets = {
        one.dataset: {"title": one.data.title, "classes": list(one.data.classes), "colours": list(one.data.colours)}
        | {"numerals": _numerals(one)}
        for one in here.values()
    }
    return {
        "models": models,
        "judge": networks.judge(),
        "datasets": datasets,
        "start": opening,
        "digit": None,
        "walk": None,
        "taken": None,
    }


def view(here: dict[str, Standing], opening: dict[str, Any]) -> dict[str, Any]:
    """Show both maps. Returns what is picked, {left, right, image, own, told, z (a side) or None, drawn, walk or None}.

    `told` is the label that a conditional model is told, None for the image's own.
    A walk is {ends: [image, image], said: {side: {answer, t, kind, z, label}}}: the visitor's guesses.
    """
    said = reader(here)
    message = bridge.heard("map_view", said)
    walk = (message or st.session_state.get("map", {})).get("walk")
    if walk != (message or opening)["walk"]:  # one that only the link has named: what Python knows of it takes torch,
        walk = None  # and the page paints before that
    below = bool(opening["walk"]) or "epoch" in st.query_params  # what has a slider below the maps
    message = bridge.view(
        "views/map/map.mjs",
        key="map_view",
        reader=said,
        options=options(here, opening, bridge.network)
        | {
            "digit": _digit(),
            "taken": st.session_state.get("map_taken"),
            "walk": walk and heard(here, here[(message or opening)["left"]], walk),
        },
        # A message says that the view stands: the pictures would travel with every end and every guess of a walk.
        first="" if message else _first(here[opening["left"]], here[opening["right"]], below=below),
        on_message=_pick,
    )
    if message:
        st.session_state["map"] = message  # the component's own state ends with the page
    return message or {**opening, "z": None, "drawn": None}


def _digit() -> dict[str, Any] | None:
    """The digit of all pages as map.mjs reads it, and what a link to it says; None where nobody chose one."""
    chosen = digit.shared()
    if chosen is None or not chosen.pixels.any():  # a pad that was cleared is no digit to mark
        return None
    named = {"origin": chosen.origin, "link": digit.in_link(), "classes": list(chosen.data.classes)}
    return digit.option(chosen, chosen.label) | named


def _told(one: Standing) -> dict[str, Any] | None:
    """A model's plane as static/views/map/flat.mjs reads it."""
    try:
        seen = plane(one)
    except StorageError as error:
        give_up(one.slug, error)
    return seen and {"centre": seen.centre.tolist(), "axes": seen.axes.tolist(), "share": seen.share}


@lru_cache(maxsize=256)
def _history(root: Path, name: str, _when: tuple[int, ...]) -> list[tuple[int, float, float | None]]:
    """Epoch, reconstruction and KL, nats per image, of those epochs of a training whose codes may be kept."""
    rows = contents.read_card(root / name)[0]["history"]
    kept = {*contents.FOLLOWED_EPOCHS, len(rows)}
    return [(row["epoch"], row["reconstruction"], row["kl"]) for row in rows if row["epoch"] in kept]


def _numerals(one: Standing) -> bool:
    """Whether its images are what "a digit" and the judge speak of."""
    return one.data.classes == NUMERALS


def reader(here: dict[str, Standing]) -> messages.Reader:
    """Of the view's messages, as `view` returns them."""
    image, z, key = messages.integer(0, 99_999), messages.vector(2), messages.choice(here)
    label = messages.integer(0, max(one.n_classes for one in here.values()) - 1)
    guess = messages.form(
        {
            "answer": messages.choice(("digit", "not")),
            "t": messages.number(0, 1),
            "kind": key,
            "z": z,
            "label": messages.maybe(label),
        }
    )

    def can_be_told(g: dict[str, Any]) -> bool:
        one = here[g["kind"]]
        return not one.conditional or (g["label"] is not None and g["label"] < one.n_classes)

    guess = messages.where(guess, can_be_told, "a label that its model knows")
    walk = messages.form({"ends": messages.several(2, image), "said": messages.each(SIDES, guess)})
    fields = {
        "left": key,
        "right": key,
        "image": image,
        "z": messages.maybe(messages.form(dict.fromkeys(SIDES, z))),
        "drawn": messages.maybe(messages.choice(SIDES)),
        "walk": messages.maybe(walk),
    }
    said = messages.form(fields, {"own": messages.flag, "told": messages.maybe(label)})
    return messages.where(
        said, lambda m: here[m["left"]].dataset == here[m["right"]].dataset, "two models of one data set"
    )


def heard(here: dict[str, Standing], left: Standing, walk: dict[str, Any]) -> dict[str, Any]:
    """What only Python knows of a walk: {ends, originals: two images as base64 or None, verdicts by side or None}.

    A drawing is judged only after the visitor has said what it is: the judge's word would be theirs.
    """
    from ui.live import store

    # The judge knows numerals, and nothing of other pictures.
    images, judge = store.originals(left.dataset), store.judge() if _numerals(left) else None
    return {
        "ends": walk["ends"],
        "originals": None if images is None else [tiles.grey(images[min(i, len(images) - 1)]) for i in walk["ends"]],
        "verdicts": None
        if judge is None
        else {side: _verdict(judge, here[said["kind"]], said) for side, said in walk["said"].items()},
    }


def _verdict(judge: Judge, one: Standing, said: dict[str, Any]) -> dict[str, Any]:
    """{said, digit: is it one, read: the most probable digit} of what a model draws at the place of a guess."""
    import torch

    from ui.live import store
    from vae_core import latent

    model, _ = store.guard(one.slug)
    label = torch.tensor([said["label"]]) if model.conditional else None
    drawn = latent.decode(model, lifted(one, [said["z"]]), label)
    return {"said": said, "digit": bool(judge.is_digit(drawn)), "read": int(judge.label(drawn))}


# The first picture ---------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=8, show_spinner=False)
def _figure(one: Standing, when: tuple[int, ...]) -> str:
    """One map as it looks before the browser has the codes of this moment."""
    stored = contents.read_codes(networks.CHECKPOINTS / one.slug)
    mean, label, seen = stored["test_mean"].astype(np.float32), stored["test_label"], plane(one)
    mean = mean if seen is None else seen.project(mean)
    edges, names = one.data.colours, one.data.classes
    uri = "data:image/png;base64," + base64.b64encode(scatter.draw_points(mean, label, colours=edges)).decode()
    centre, half = scatter.extent(mean)
    numerals = ""
    for y in np.unique(label).tolist():
        x, up = 50 + 50 * (np.median(mean[label == y], axis=0) - centre) / half
        name = html.escape(names[y])
        numerals += f'<b style="left:{x:.1f}%;top:{100 - up:.1f}%;border-color:{edges[y]}">{name}</b>'
    what = "digit" if _numerals(one) else "class"
    alt = f"Map of {len(label)} codes of the {one.full}, coloured by {what}"
    return (
        f'<figure><figcaption>{html.escape(one.title)}</figcaption><div class="square">'
        f'<img src="{uri}" alt="{alt}">{numerals}</div></figure>'
    )


def _first(left: Standing, right: Standing, *, below: bool = False) -> str:
    maps = []
    for one in (left, right):
        try:
            maps.append(_figure(one, networks.stamp(one.slug)))
        except (OSError, StorageError):  # replaced at this moment
            maps.append("")
    waiting = '<p class="middle">The models are on their way …</p>'
    way = '<div class="way"></div>' if below else ""
    return f'{_FIRST}<div class="first"><div class="grid">{maps[0]}{waiting}{maps[1]}</div>{way}</div>'
