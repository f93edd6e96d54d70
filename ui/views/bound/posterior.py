"""The part "Posterior" of The bound from the server's side: what posterior.mjs is told and shows first.

The view follows a hand by itself; what only Python knows is log p(x), the true posterior and the climbs.
"""

from __future__ import annotations

import base64
import html
import io
import math
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from PIL import Image
from torch import Tensor

from ui.live import bridge, networks, store
from ui.live.cast import Standing
from ui.parts import digit, first, scatter
from ui.parts.digit import Chosen
from ui.parts.tiles import data_uri
from ui.shell.glossary import sentence
from ui.shell.pages import STATIC
from vae_core import latent, likelihood
from vae_core.likelihood import Climb, Posterior
from vae_core.models import Code

SHEET = STATIC / "views/bound/posterior.css"
CELLS = 128  # of a heat map, a side
SEEN = 8.0  # nats below the top: what a close-up holds
FLOOR = 40.0  # nats below the top that stand for "next to nothing"
CLOSE = 6.0  # times the posterior's own size that a close-up may take to hold q as well

Bounds = tuple[float, float, float, float]  # left, bottom, right, top


class Found(NamedTuple):
    """Everything exact that is known of one digit under one model."""

    code: Code  # the encoder's q, (1, 2) each
    posterior: likelihood.Posterior
    ledger: likelihood.Ledger
    climb: likelihood.Climb
    starts: tuple[str, ...]  # what each climb starts from; the encoder's q is the first
    reached: tuple[float, ...]  # the ELBO where each ends
    ladder: likelihood.Ladder  # of the one digit

    @property
    def best(self) -> float:
        """The highest ELBO that was found."""
        return max(self.ledger.elbo, *self.reached)

    @property
    def best_code(self) -> Code:
        if self.ledger.elbo >= max(self.reached):
            return self.code
        k = self.reached.index(max(self.reached))
        return Code(self.climb.end.mean[k : k + 1], self.climb.end.logvar[k : k + 1])


# What the view is told ------------------------------------------------------------------------------------------------


def evidence(one: Standing, label: int | None) -> str:
    """What p is taken of: "x", and of a conditional model "x | y = 3", the label by its name."""
    return "x" if label is None else f"x | y = {one.data.classes[label]}"


def options(
    one: Standing,
    chosen: Chosen,
    label: int | None,
    found: Found,
    extent: tuple[Tensor | np.ndarray, float] = (np.zeros(2), 4.0),
    measured: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What static/views/bound/posterior.mjs reads, as JSON can say it.

    extent: centre (2,) and half the width of the whole map, as `scatter.extent` gives them. label: a conditional
    model's, else None. measured: the card's `ladder`, where there is one.

    {slug, label, given, colours, digit, q, best, log_p, heat: [whole map, close-up, one a mode where there are
    several], modes, paths, rungs, averaged}: given is what p is taken of, colours are those of all labels; means, log
    variances and ELBO of q and of the best, nats, shares of mass; averaged is how many images mean gaps are of; a heat
    map is 255 · density / its highest, row 0 on top.
    """
    posterior, code = found.posterior, found.code
    gaps = {name: row["gap"] for name, row in measured["rows"].items()} if measured else {}
    paths = [_path(found.climb, i, name) for i, name in enumerate(found.starts)]
    views = close_ups(posterior, code)
    (x, y), half = np.asarray(extent[0], float).tolist(), float(extent[1])
    left, bottom, right, top = views[0]
    half = max(half, abs(left - x), abs(right - x), abs(bottom - y), abs(top - y))  # beyond the codes of the test split
    return {
        "slug": one.slug,
        "label": label,
        "given": evidence(one, label),
        "colours": list(one.data.colours),
        "digit": digit.option(chosen, label),
        "q": _q(code, found.ledger.elbo),
        "best": _q(found.best_code, found.best),
        "log_p": posterior.log_p,
        "heat": [
            heat(posterior, (x - half, y - half, x + half, y + half)),
            *(heat(posterior, bounds, sharp=True) for bounds in views),
        ],
        "modes": [
            {"z": z.tolist(), "mass": float(mass)} for z, mass in zip(posterior.modes, posterior.mass, strict=True)
        ],
        "paths": paths,
        "rungs": [
            _q(Code(mean, logvar), float(elbo)) | {"name": name, "cost": cost(way), "mean_gap": gaps.get(name)}
            for (name, way), mean, logvar, elbo in zip(likelihood.LADDER.items(), *found.ladder, strict=True)
        ],
        "averaged": measured["images"] if measured else 0,
        "words": {"evidence": sentence("evidence, log p(x)"), "elbo": sentence("ELBO"), "gap": sentence("KL")},
    }


def _q(code: Code, elbo: float) -> dict[str, Any]:
    return {"mean": code.mean[0].tolist(), "logvar": code.logvar[0].tolist(), "elbo": elbo}


def cost(way: likelihood.Way) -> str:
    """How often the networks are asked on the way to a rung."""
    encodings = "1 encoding" if way.encodings == 1 else f"{way.encodings} encodings"
    return f"{encodings}, {way.drawings} drawings" if way.drawings else encodings


def close_ups(posterior: Posterior, code: Code) -> list[Bounds]:
    """The square that the close-up opens with, and where there are several modes, one about each.

    It holds what can be seen of the posterior at its heaviest mode; q and the other modes where they are near enough.
    """
    seen = posterior.log_density > posterior.log_density.max() - SEEN
    z, modes = posterior.z[seen].double(), posterior.modes.double()
    mine = torch.cdist(z, modes).argmin(1)
    boxes = [_box(z[mine == k] if (mine == k).any() else modes[[k]], posterior.step) for k in range(len(modes))]
    sigma = torch.exp(0.5 * code.logvar[0].double())
    ours = _box(torch.stack([code.mean[0].double() - 2.2 * sigma, code.mean[0].double() + 2.2 * sigma]), 0)
    first = boxes[0]
    for other in (*boxes[1:], ours):
        both = _union(first, other)
        if _side(both) <= CLOSE * _side(boxes[0]):
            first = both
    return [_square(box) for box in (first, *(boxes if len(boxes) > 1 else []))]


def heat(posterior: Posterior, bounds: Bounds, *, sharp: bool = False) -> dict[str, Any]:
    """p(z | x) over a part of the plane as {bounds, n, data}: n × n bytes as base64, 255 at the highest density.

    Where cells of the picture are finer than the quadrature's, log p is interpolated by cubic splines; where they are
    coarser, each gathers the mass that lies on it, so that a narrow posterior falls into no gap. Not `sharp`: blurred
    by a cell, so that a posterior of one cell is more than a speck.
    """
    left, bottom, right, top = bounds
    z, log_density = posterior.z.double().numpy(), (posterior.log_density - posterior.log_density.max()).numpy()
    if (right - left) / CELLS < posterior.step:
        density = _interpolated(z, log_density, posterior.step, bounds, CELLS)
    else:
        density = _gathered(z, np.exp(log_density), posterior.step, bounds, CELLS)
    if not sharp:
        from scipy.ndimage import gaussian_filter

        density = gaussian_filter(density, 1.0)
    n = CELLS
    data = np.rint(255 * density / max(density.max(), 1e-300)).astype(np.uint8)
    return {"bounds": [left, bottom, right, top], "n": n, "data": base64.b64encode(data.tobytes()).decode()}


def _gathered(z: np.ndarray, mass: np.ndarray, step: float, bounds: Bounds, n: int) -> np.ndarray:
    """Mass of cells no larger than a pixel: each is shared out among the four pixels that it may lie on, by area."""
    left, _, right, top = bounds
    side = (right - left) / n
    picture = np.zeros((n + 2, n + 2))  # with a margin for what lies across the edge
    corner = np.stack([z[:, 0] - step / 2 - left, top - z[:, 1] - step / 2], 1) / side  # upper left, in pixels
    seen = ((corner > -1) & (corner < n)).all(1)
    corner, mass = corner[seen], mass[seen]
    first = np.floor(corner).astype(int)
    over = np.clip((corner + step / side - first - 1) / (step / side), 0, 1)  # share beyond the first pixel, each way
    for right_one in (0, 1):
        for lower in (0, 1):
            share = np.abs(1 - right_one - over[:, 0]) * np.abs(1 - lower - over[:, 1])
            np.add.at(picture, (first[:, 1] + 1 + lower, first[:, 0] + 1 + right_one), share * mass)
    return picture[1:-1, 1:-1]


def _interpolated(z: np.ndarray, value: np.ndarray, step: float, bounds: Bounds, n: int) -> np.ndarray:
    from scipy.ndimage import map_coordinates

    low = z.min(0)
    index = np.rint((z - low) / step).astype(int)
    left, bottom, right, top = bounds
    first = np.floor((np.array([left, bottom]) - low) / step).astype(int) - 3
    last = np.ceil((np.array([right, top]) - low) / step).astype(int) + 3
    near = ((index >= first) & (index <= last)).all(1)
    lattice = np.full(last - first + 1, -FLOOR)
    lattice[tuple((index[near] - first).T)] = np.maximum(value[near], -FLOOR)
    middle = (np.arange(n) + 0.5) / n
    across = (left + middle * (right - left) - low[0]) / step - first[0]
    up = (top - middle * (top - bottom) - low[1]) / step - first[1]
    at = np.meshgrid(across, up)  # each (n, n), rows downwards
    return np.exp(map_coordinates(lattice, at, order=3, mode="nearest"))


def _path(climb: Climb, i: int, name: str) -> dict[str, Any]:
    points = torch.cat([climb.mean[:, i], climb.logvar[:, i], climb.elbo[:, i, None]], 1).double()
    return {"name": name, "points": [[round(v, 5) for v in point] for point in points.tolist()]}


def _box(z: Tensor, step: float) -> Bounds:
    low, high = (z.amin(0) - step).tolist(), (z.amax(0) + step).tolist()
    return (low[0], low[1], high[0], high[1])


def _union(a: Bounds, b: Bounds) -> Bounds:
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def _side(box: Bounds) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _square(box: Bounds, margin: float = 0.06) -> Bounds:
    half = _side(box) * (0.5 + margin)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - half, y - half, x + half, y + half)


# The first picture ----------------------------------------------------------------------------------------------------


def show(one: Standing, chosen: Chosen, label: int | None, found: Found) -> None:
    """Show the live view, which says nothing: where a hand leaves q stands in the link."""
    extent = scatter.extent(store.guard_codes(one.slug)["test_mean"].numpy())
    measured = store.measured("ladder", one.slug)
    told = options(one, chosen, label, found, extent, measured) | {"network": bridge.network(one.slug)}
    key, picture = f"bound {one.slug}", lambda: first_picture(told, chosen)
    first.show("views/bound/posterior.mjs", key, told, picture, "bound")


def first_picture(told: dict[str, Any], chosen: Chosen) -> str:
    """Both maps, the digit and its drawing in the view's own boxes, until the networks have come."""
    model = store.model(told["slug"])[0]
    label = None if told["label"] is None else torch.tensor([told["label"]])
    drawn = latent.decode(model, torch.tensor([told["q"]["mean"]]), label)[0].numpy()
    seen = model.observe(torch.tensor(chosen.pixels)).numpy()
    tiles = "".join(
        f'<figure class="tile"><img alt="{name}" src="{data_uri(pixels)}"><figcaption><b>{name}</b></figcaption>'
        f"<small class='quiet'>{note}</small></figure>"
        for name, pixels, note in (
            ("Digit x", seen, "binarised" if model.config.seen == "binary" else "grey"),
            ("Drawn at μ", drawn, "mean of p(x | μ)"),
            ("Its cost", np.zeros(784), ""),
        )
    )
    given = "x" if told["label"] is None else "x, y"
    whole, close = told["heat"][:2]
    ladder = '<section class="ladder"><h3>The ladder of inference</h3><div class="room"></div></section>'
    climb = '<section class="climb"><h3>Let q climb: the E-step</h3><div class="room"></div></section>'
    return (
        f"<style data-bound>{SHEET.read_text(encoding='utf-8')}</style>"
        f'<div class="desk"><div class="bar"></div><div class="account"><div class="sum">'
        f'<span class="term evidence"><small>log p({html.escape(told["given"])}), exact and fixed</small>'
        f"<b>{_minus(told['log_p'])}</b></span><i>=</i>"
        '<span class="term elbo"><small>ELBO of q</small><b>—</b></span><i>+</i>'
        f'<span class="term gap"><small>KL(q ‖ p(z | {given})), the gap</small><b>—</b></span></div>'
        '<div class="track"><span class="wall"></span></div><div class="ticks"></div></div><p class="reading"></p>'
        '<div class="places">'
        f'<figure class="place whole"><figcaption><b>The whole map</b></figcaption>{_map(told, whole)}</figure>'
        f'<figure class="place near"><figcaption><b>Close-up</b></figcaption>{_map(told, close)}</figure>'
        '<div class="hint"></div>'
        f'<div class="facts"><div class="tiles">{tiles}</div></div></div>{ladder}{climb if told["paths"] else ""}</div>'
    )


def _map(told: dict[str, Any], raster: dict[str, Any]) -> str:
    """A map as an SVG: the codes of the test split, the posterior, the prior's circles and the ellipses of q."""
    left, bottom, right, top = raster["bounds"]
    n, width = raster["n"], right - left
    codes = store.guard_codes(told["slug"])
    (x, y), half = scatter.extent(codes["test_mean"].numpy())
    alpha = np.frombuffer(base64.b64decode(raster["data"]), np.uint8).reshape(n, n)
    rgba = np.dstack([np.broadcast_to(np.array([0xD6, 0x33, 0x6C], np.uint8), (n, n, 3)), alpha])
    mean, sigma = told["q"]["mean"], [math.exp(0.5 * v) for v in told["q"]["logvar"]]
    shapes = f'<image href="{_png(rgba)}" x="{left}" y="{-top}" width="{width}" height="{width}" opacity=".85"/>'
    if width > half:  # in a close-up the picture of all points would be a few large squares
        place = f'x="{x - half}" y="{-y - half}" width="{2 * half}" height="{2 * half}"'
        dots = _points(told["slug"], networks.stamp(told["slug"]), tuple(told["colours"]))
        shapes = f'<image href="{dots}" {place} opacity=".4"/>{shapes}'
    style = 'fill="none" stroke="currentColor" vector-effect="non-scaling-stroke"'
    for times in (1, 2):
        shapes += f'<circle r="{times}" {style} stroke-dasharray="7 5" opacity=".7"/>'
        shapes += (
            f'<ellipse cx="{mean[0]}" cy="{-mean[1]}" rx="{times * sigma[0]}" ry="{times * sigma[1]}" {style} '
            f'stroke-width="{2 if times == 1 else 1.25}"/>'
        )
    svg = (
        '<svg style="position:absolute;inset:0;width:100%;height:100%" aria-hidden="true" '
        f'viewBox="{left} {-top} {width} {top - bottom}">{shapes}</svg>'
    )
    return f'<div class="square">{svg}</div>'


@st.cache_data(max_entries=8, show_spinner=False)
def _points(slug: str, stamp: tuple[int, ...], colours: tuple[str, ...]) -> str:
    codes = store.guard_codes(slug)
    png = scatter.draw_points(codes["test_mean"].numpy(), codes["test_label"].numpy(), colours=colours)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _png(rgba: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(rgba, "RGBA").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _minus(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
