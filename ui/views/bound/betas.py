"""A part of the page The bound: VAEs trained at several β side by side, their maps turned onto each other.

What a stop of the slider shows is computed here; static/views/bound/betas.mjs moves it. Nats throughout.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.live import networks, store
from ui.live.cast import Standing
from ui.parts import digit, first, scatter
from ui.parts.digit import Chosen
from ui.parts.tiles import data_uri, grey
from ui.shell.family import DIGIT_COLOURS
from ui.shell.folded import folded
from ui.shell.pages import STATIC
from vae_core import checkpoints, latent, likelihood, losses
from vae_core.config import Config
from vae_core.spread import ALIKE
from vae_core.storage import StorageError, is_there

BETAS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0)  # of the shipped series; what else is trained like it joins
MORE = 8  # at most: each stop costs every visitor its map
POINTS = 2_000  # first test images, the same on every map
DRAWN = 3  # images from draws z ~ q
IDLE = 0.01  # nats; a dimension with less KL says next to nothing about the digit
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHEET = STATIC / "views/bound/betas.css"


class Stop(NamedTuple):
    """One trained model: its map, turned, and its means over the test split."""

    beta: float
    slug: str
    z: np.ndarray  # (POINTS, 2), float32
    rotation: np.ndarray  # (2, 2), orthogonal: z = stored codes @ rotation
    reconstruction: float  # expected over q
    kl: float
    sigma: float  # mean over images and dimensions
    active: int  # dimensions with a mean KL above IDLE

    @property
    def loss(self) -> float:
        """What its training made small."""
        return self.reconstruction + self.beta * self.kl


class Seen(NamedTuple):
    """What one model makes of one digit, before its map is turned."""

    mean: np.ndarray  # (2,)
    sigma: np.ndarray  # (2,)
    reconstruction: float  # expected over q
    kl: float
    pictures: np.ndarray  # (1 + DRAWN, 784) in [0, 1]: at the mean of q, then at draws


Terms = TypeVar("Terms", Stop, Seen)


# Pure -----------------------------------------------------------------------------------------------------------------


def name_of(beta: float) -> str:
    """The checkpoint of this β; at 1 it is the family's VAE."""
    return "mnist-vae-2d" if beta == 1 else f"mnist-vae-2d-beta{beta:g}"


def stop_of(
    beta: float, slug: str, test: dict[str, float], codes: dict[str, Tensor], z: np.ndarray, turn: np.ndarray
) -> Stop:
    """A stop from its card's test means, its stored codes and its turned map."""
    mean, logvar = codes["test_mean"].double(), codes["test_logvar"].double()
    per_dimension = losses.gaussian_kl(mean, logvar).mean(0)
    return Stop(
        beta,
        slug,
        z.astype(np.float32),
        turn,
        test["reconstruction"],
        test["kl"],
        float(torch.exp(0.5 * logvar).mean()),
        int((per_dimension > IDLE).sum()),
    )


def halves(stops: Sequence[Stop], seen: Sequence[Seen]) -> list[float]:
    """Half-widths of the views about the origin: one for all models that pay for their code, so that growing shows.

    At β = 0 nothing ties the codes to the prior's scale: a view of its own. The digit is held where it is not far out.
    """
    reach = []
    for stop, one in zip(stops, seen, strict=True):
        centre, half = scatter.extent(stop.z)
        own = float(np.abs(centre).max()) + half
        reach.append(max(own, min(1.1 * float(np.abs(one.mean @ stop.rotation).max()), 2 * own)))
    shared = max((half for stop, half in zip(stops, reach, strict=True) if stop.beta > 0), default=0.0)
    return [shared if stop.beta > 0 else half for stop, half in zip(stops, reach, strict=True)]


def shown(terms: Terms) -> Terms:
    """Reconstruction and KL as the page prints them: hundredths of a nat that add up to the rounded total.

    Each rounded by itself, 115.77 + 7.61 would stand beside 123.39. The KL gives way, by at most 0.01: the
    reconstruction is also the loss at β = 0, the total that at β = 1.
    """
    reconstruction = round(terms.reconstruction, 2)
    total = round(terms.reconstruction + terms.kl, 2)
    return terms._replace(reconstruction=reconstruction, kl=round(total - reconstruction, 2))


def reading(stop: Stop, stops: Sequence[Stop]) -> str:
    """One plain sentence or two on what this stop shows, every number from the files."""
    honest = next((s for s in stops if s.beta == 1), None)
    nats, width = f"{stop.kl:.2f} nats", small(stop.sigma)
    if stop.beta == 0:
        return (
            f"No price on the code: σ shrinks to {width} on average, an ordinary autoencoder. The KL of {nats} is on "
            f"nobody's bill, and the scale of the map is arbitrary: it is shown at its own.{_not_the_best(stop, stops)}"
        )
    if stop.active < 2:
        left = (
            "Neither dimension is in use any more; both"
            if stop.active == 0
            else "One dimension is still in use; the other"
        )
        return (
            f"The price is too high: the code says nearly nothing, {nats} of KL. {left} fell back on the prior, and "
            f"reconstruction costs {stop.reconstruction:.2f} nats."
        )
    if stop.beta == 1:
        best = min(stops, key=lambda s: s.reconstruction + s.kl)
        own, lowest = stop.reconstruction + stop.kl, best.reconstruction + best.kl
        alike = [f"{s.beta:g}" for s in stops if s.beta != 1 and s.reconstruction + s.kl - lowest < ALIKE]
        if own - lowest >= ALIKE:
            tail = f"the model trained at β = {best.beta:g} has a −ELBO of {lowest:.2f}, lower still"
        elif alike:
            tail = f"with one run each, about equal to β = {' and '.join(alike)}"
        else:
            tail = "the lowest −ELBO of all stops"
        return (
            "A nat of code costs one nat: the training's own loss is −ELBO itself, an upper bound on −log p(x). "
            "At β > 1 the own loss is an upper bound too, a looser one; at β\u00a0<\u00a01 it need not be one. "
            f"Here {own:.2f} nats on the test split; {tail}."
        )
    price = f"A nat of code costs {stop.beta:g}: KL {nats}, mean σ {width}, reconstruction {stop.reconstruction:.2f}"
    if honest is None:
        return f"{price}."
    code = "more" if stop.kl > honest.kl else "less"
    drawn = stop.reconstruction - honest.reconstruction
    verdict = f"{abs(drawn):.2f} nats {'better' if drawn < 0 else 'worse'} drawn"
    if abs(drawn) < ALIKE:
        verdict = "drawn about equally well, as far as one run each can tell"
    return f"{price}. The code says {abs(stop.kl - honest.kl):.2f} nats {code} than at β = 1, and digits are {verdict}."


def _not_the_best(stop: Stop, stops: Sequence[Stop]) -> str:
    """What a student does not expect of the stop that cares for nothing but the drawing, where it is so."""
    best = min(stops, key=lambda s: s.reconstruction)
    if best.reconstruction >= stop.reconstruction:
        return ""
    words = "no better" if stop.reconstruction - best.reconstruction < ALIKE else "not best"
    return (
        f" Test digits are drawn {words} here all the same: {stop.reconstruction:.2f} nats, {best.reconstruction:.2f} "
        f"at β = {best.beta:g}."
    )


def small(value: float) -> str:
    """A positive number to two digits that count: 0.027, and below a thousandth 8.7 × 10⁻⁶, in one piece."""
    if not 0 < value < math.inf:
        return f"{value:g}"
    digits, power = f"{value:.1e}".split("e")
    if int(power) < -3:
        return f"{digits}\u00a0×\u00a010{str(int(power)).translate(RAISED)}"
    return f"{value:.{max(0, 1 - int(power))}f}"


def options(stops: Sequence[Stop], seen: Sequence[Seen], labels: np.ndarray, chosen: Chosen) -> dict[str, Any]:
    """What betas.mjs reads. Arrays as base64: z float32 (N, 2), pictures uint8 (1 + DRAWN, 784), labels uint8.

    {digit, labels, colours, stops: [{beta, name, half, z, reconstruction, kl, loss, sigma, active, reading, digit:
    {mean, covariance [xx, xy, yy], sigma, reconstruction, kl, loss, pictures}}]}; the digit's mean and covariance are
    turned as the map is, its σ are those of the model's own axes.
    """
    told = []
    printed, digits = [shown(s) for s in stops], [shown(s) for s in seen]
    for stop, said, one, own, half in zip(stops, printed, seen, digits, halves(stops, seen), strict=True):
        covariance = stop.rotation.T @ np.diag(one.sigma**2) @ stop.rotation
        told.append(
            {
                "beta": stop.beta,
                "name": f"{stop.beta:g}",
                "half": half,
                "z": _base64(stop.z.astype("<f4")),
                "reconstruction": said.reconstruction,
                "kl": said.kl,
                "loss": stop.loss,
                "sigma": stop.sigma,
                "active": stop.active,
                "reading": reading(said, printed),
                "digit": {
                    "mean": (one.mean @ stop.rotation).tolist(),
                    "covariance": [covariance[0, 0], covariance[0, 1], covariance[1, 1]],
                    "sigma": one.sigma.tolist(),
                    "reconstruction": own.reconstruction,
                    "kl": own.kl,
                    "loss": one.reconstruction + stop.beta * one.kl,
                    "pictures": grey(one.pictures),
                },
            }
        )
    return {
        "digit": digit.option(chosen, None),
        "labels": _base64(labels.astype(np.uint8)),
        "colours": list(DIGIT_COLOURS),
        "stops": told,
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


# Kept -----------------------------------------------------------------------------------------------------------------


def named() -> list[float]:
    """β of further models that are called as one of the series is, ascending."""
    names = (folder.name for folder in checkpoints.ROOT.glob(f"{name_of(1)}-beta*") if is_there(folder / "card.json"))
    found = (re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", name.removeprefix(f"{name_of(1)}-beta")) for name in names)
    return sorted({float(beta[0]) for beta in found if beta} - set(BETAS))


def recipe(slug: str) -> Config:
    """All that a model's training was told, but for β and the seed."""
    config = Config.from_dict(checkpoints.read_card(slug)["config"])
    model, training = dataclasses.replace(config.model, beta=1.0), dataclasses.replace(config.training, seed=0)
    return dataclasses.replace(config, model=model, training=training)


def here() -> tuple[list[float], list[float], list[float]]:
    """β of the models that can be shown, ascending; of those that cannot be loaded; and of those of another recipe,
    which would show what that did and not what β does."""
    there, missing, others, held = [], [], [], None
    for beta in sorted((*BETAS, *named()), key=lambda beta: (beta != 1, beta not in BETAS, beta)):
        try:
            own = recipe(name_of(beta))
            if held and own != held:
                others.append(beta)
            elif beta in BETAS or sum(b not in BETAS for b in there) < MORE:
                store.model(name_of(beta))
                store.codes(name_of(beta))
                there.append(beta)
                held = own  # the family's VAE where it is here
        except StorageError:  # a slider with a stop less is still a slider
            missing.append(beta)
    return sorted(there), sorted(missing), sorted(others)


@st.cache_resource(max_entries=4, show_spinner="Turning the maps onto each other …")
def series(betas: tuple[float, ...], when: tuple = ()) -> tuple[tuple[Stop, ...], np.ndarray]:
    """The stops of these β, ascending, and the labels (POINTS,) of the images on their maps. when: the files' stamps:
    a model that was trained again is another."""
    codes = [store.codes(name_of(beta)) for beta in betas]
    maps = [c["test_mean"][:POINTS].double().numpy() for c in codes]
    anchor = min(range(len(betas)), key=lambda i: abs(math.log(betas[i])) if betas[i] > 0 else math.inf)
    stops = []
    for beta, stored, z, turn in zip(betas, codes, maps, latent.aligned(maps, anchor), strict=True):
        test = store.model(name_of(beta))[1]["test"]
        stops.append(stop_of(beta, name_of(beta), test, stored, z @ turn, turn))
    return tuple(stops), codes[0]["test_label"][:POINTS].numpy()


@st.cache_data(max_entries=32, show_spinner="Asking every model …")
def ask(betas: tuple[float, ...], pixels: bytes, when: tuple = ()) -> list[Seen]:
    """What every model makes of the digit (784,) float32. when: as for `series`."""
    x = torch.from_numpy(np.frombuffer(pixels, np.float32).copy())[None]
    found = []
    for beta in betas:
        model, _ = store.model(name_of(beta))
        code = latent.embed(model, x)
        sigma = torch.exp(0.5 * code.logvar)
        eps = torch.randn(DRAWN, 2, generator=torch.Generator().manual_seed(0))  # the same in every model
        drawn = latent.decode(model, torch.cat([code.mean, code.mean + sigma * eps]))
        kl = float(losses.gaussian_kl(*code).sum())
        with torch.inference_mode():
            bound = float(likelihood.elbo(model, x, code))
        mean, sd = (part[0].double().numpy() for part in (code.mean, sigma))
        found.append(Seen(mean, sd, -bound - kl, kl, drawn.numpy()))
    return found


# The part -------------------------------------------------------------------------------------------------------------


def betas(one: Standing | None, chosen: Chosen, label: int | None) -> None:
    """One slider over the trained β. The page's model and label are those of other parts: the series is the VAE's."""
    there, missing, others = here()
    if len(there) < 2:
        found = f"only β = {there[0]:g} is" if there else "none is"
        st.info(f"A slider over β needs at least two trained models, and {found} here. {_how_to_train(missing)}")
        return
    when = tuple(networks.stamp(name_of(beta)) for beta in there)
    stops, labels = series(tuple(there), when)
    told = options(stops, ask(tuple(there), chosen.pixels.tobytes(), when), labels, chosen)
    first.show("views/bound/betas.mjs", "betas", told, lambda: first_picture(told), "betas")
    st.caption(
        "Each stop is a model of its own, trained with the same settings; only β differs. It is one run each, so small "
        f"differences need not be β's doing: below {ALIKE:g} nats they are called about equal. The maps show the first "
        f"{len(labels):,} test digits, turned or mirrored onto their neighbour's (orthogonal Procrustes, from β = 1 "
        "outward) and never stretched: N(0, I) looks the same from every side, so that changes no model. Between two "
        "stops points are halfway; there is no model there, and numbers and pictures are the nearest stop's."
    )
    if others:
        st.caption(
            f"Not among the stops: β = {_listed(others)}, trained with other settings than the rest (*Models* shows "
            "them), so that a difference need not be β's."
        )
    if missing:
        st.caption(f"Not on this machine: β = {_listed(missing)}. {_how_to_train(missing)}")
    folded("What β does, in formulas", _formulas)


def _formulas() -> None:
    st.markdown("A β-VAE (Higgins et al. 2017) pays β for every nat that its code says, and so minimises")
    st.latex(
        r"\mathbb E_{q(z \mid x)}\left[-\log p(x \mid z)\right]"
        r"+ \beta\, \mathrm{KL}\left(q(z \mid x) \,\|\, \mathcal N(0, I)\right),"
        r"\qquad \mathrm{KL} = \tfrac12 \sum_j \left(\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1\right)."
    )
    st.markdown("**β = 0**: only the KL asks for a wide q. To second order a wide q costs reconstruction")
    st.latex(
        r"\mathbb E_q\left[-\log p(x \mid z)\right] \approx -\log p(x \mid \mu) + \tfrac12 \sum_j h_j \sigma_j^2,"
        r"\qquad h_j = -\partial^2_{z_j} \log p(x \mid z)\big|_\mu,"
    )
    st.markdown(
        "so that setting the derivative by σ to zero gives the width below. Without a price it is 0: q is a point, "
        "the decoder may be as steep as it likes, and what is left is an autoencoder. With one, q is as wide as "
        "the drawing allows."
    )
    st.latex(r"\sigma_j^2 = \frac{\beta}{\beta + h_j} \;\to\; 0 \quad (\beta \to 0)")
    st.markdown(
        "**Large β**: a dimension is worth its price only while a nat of it saves more than β nats of "
        "reconstruction. Where it does not, the cheapest q is the prior itself, whose KL is 0, and the decoder "
        "draws the average: posterior collapse. −ELBO is always taken at β = 1, whatever a model was trained with."
    )
    st.markdown("**2σ² is a price, too**: with Gaussian pixels of a fixed σ², an ordinary VAE's loss times 2σ² is")
    st.latex(r"\mathbb E_q \lVert x - \hat x(z) \rVert^2 + 2\sigma^2\, \mathrm{KL}(q \,\|\, p) + \text{const}:")
    st.markdown(
        "a squared error, and a KL that costs 2σ² of it a nat. This is not the slider's β, which weighs the KL "
        "against nats of reconstruction and is 1 there; whoever chooses σ² = 1 pays 2 of squared error a nat."
    )


def first_picture(told: dict[str, Any]) -> str:
    """The stop that the link names (else β = 1) in the view's own boxes, until the module has mounted."""
    asked = st.query_params.get("beta")
    stops = told["stops"]
    stop = next((s for s in stops if s["name"] == asked), None)
    stop = stop or next((s for s in stops if s["beta"] == 1), stops[len(stops) // 2])
    pictures = np.frombuffer(base64.b64decode(stop["digit"]["pictures"]), np.uint8).reshape(-1, 784)
    digit = np.frombuffer(base64.b64decode(told["digit"]["pixels"]), np.uint8)
    names = ("Digit x", "Drawn at μ", *(f"Draw {i + 1}" for i in range(DRAWN)))
    tiles = "".join(
        f'<figure class="tile"><img alt="{name}" src="{data_uri(pixels.reshape(28, 28))}">'
        f"<figcaption><b>{name}</b></figcaption></figure>"
        for name, pixels in zip(names, (digit, *pictures), strict=True)
    )
    return (
        f"<style data-betas>{SHEET.read_text(encoding='utf-8')}</style>"
        f'<div class="dial"><output>β = {stop["name"]}</output><div class="rail"></div></div>'
        f'<p class="reading">{html.escape(stop["reading"])}</p>'
        f'<div class="room"><figure class="map"><div class="square">{_map(told, stop)}</div></figure>'
        f'<div class="side"><div class="tiles">{tiles}</div></div></div>'
    )


def _map(told: dict[str, Any], stop: dict[str, Any]) -> str:
    z = np.frombuffer(base64.b64decode(stop["z"]), "<f4").reshape(-1, 2) / stop["half"]
    labels = np.frombuffer(base64.b64decode(told["labels"]), np.uint8)
    paths = ""
    for y in np.unique(labels).tolist():
        dots = "".join(f"M{a:.3f} {-b:.3f}h0" for a, b in z[labels == y].tolist())
        paths += f'<path d="{dots}" stroke="{DIGIT_COLOURS[y]}"/>'
    circles = "".join(
        f'<circle r="{r / stop["half"]}" stroke="currentColor" stroke-dasharray=".03 .02" stroke-width=".005"/>'
        for r in (1, 2)
    )
    return (
        '<svg style="position:absolute;inset:0;width:100%;height:100%" aria-hidden="true" viewBox="-1 -1 2 2" '
        f'fill="none" stroke-width=".014" stroke-linecap="round">{paths}{circles}</svg>'
    )


def _listed(betas: Iterable[float]) -> str:
    return ", ".join(f"{beta:g}" for beta in betas)


def _how_to_train(missing: Sequence[float]) -> str:
    """The command of the family's VAE with another β: the recipe is the same."""
    try:
        command = checkpoints.read_card(name_of(1))["command"]
    except StorageError:
        command = "python -m vae_core train vae --latent-dim 2"
    first = next((beta for beta in missing if beta != 1), None)
    if first is None:
        return f"Train it with `{command}`."
    more = ", and so on for the others" if len(missing) > 1 else ""
    return f"Train β = {first:g} with `{command} --beta {first:g}`{more}."
