"""A part of the page The bound: what one draw z ~ q(z | x), L draws and repeated draws say of the bound.

Nats throughout; what is computed is in vae_core/estimators.py.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple, SupportsFloat

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.live import networks, store
from ui.live.cast import Standing
from ui.parts.digit import Chosen
from ui.parts.links import LENGTHS
from ui.parts.readout import signed
from ui.parts.tiles import Tile, numbers, row
from ui.shell.failure import callback
from ui.shell.folded import folded
from ui.views.bound import account
from vae_core import estimators, latent, likelihood
from vae_core.models import Autoencoder, Code

POOL = 10_000  # draws behind the repeated estimates: 20 of L = 500, 10,000 of L = 1
SLOPE_DRAWS = 1_000
SHOWN = 6  # draws that are drawn as pictures


class Bound(NamedTuple):
    """Everything that Sampling says of one image and does not change with a click."""

    ledger: likelihood.Ledger
    elbo: tuple[np.ndarray, np.ndarray]  # mean and sd of L-sample estimates, each (len(LENGTHS),)
    weighted: tuple[np.ndarray, np.ndarray]  # the same of the importance-weighted bound
    slopes: estimators.Slopes


@st.cache_data(max_entries=32, show_spinner="Drawing ten thousand codes …")
def _bound(name: str, stamp: tuple[int, ...], pixels: bytes, label: int | None) -> Bound:
    model, _ = store.model(name)
    x, generator = _image(pixels), torch.Generator().manual_seed(0)
    code, _, ledger = account.integrated(name, pixels, label)
    log_w = likelihood.draws(model, x, code, POOL, generator, label)
    return Bound(
        ledger,
        estimators.repeated(log_w, LENGTHS, estimators.average),
        estimators.repeated(log_w, LENGTHS, likelihood.importance_bound),
        estimators.slopes(model, x, code, SLOPE_DRAWS, generator, label),
    )


def sampling(one: Standing, chosen: Chosen, label: int | None) -> None:
    """z = μ + σ ε by hand, the ELBO from L samples, the importance-weighted bound, three ways to the gradient."""
    from ui.parts import figures

    model, _ = store.guard(one.slug)
    x = torch.tensor(chosen.pixels)
    code = _code(model, x, label)
    sigma = torch.exp(0.5 * code.logvar)
    evidence, likely = ("log p(x)", "p(x | z)") if label is None else ("log p(x | y)", "p(x | z, y)")

    st.subheader("One draw: z = μ + σ ε")
    st.markdown(
        "Every click throws new ε. How alike are the drawings? As alike as q is narrow; the KL is what that costs."
    )
    st.button("Draw ε again", on_click=_again, key="sampling_again")
    generator = torch.Generator().manual_seed(st.session_state["sampling_seed"])
    eps = torch.randn(SHOWN, 2, generator=generator)
    z = torch.cat([code.mean, code.mean + sigma * eps])
    y = None if label is None else torch.full((len(z),), label)
    pictures, values = latent.decode(model, z, y).numpy(), estimators.log_likelihood(model, x, z, label).tolist()
    names = [("At μ", "ε = 0"), *((str(i + 1), f"ε {signed(a)}, {signed(b)}") for i, (a, b) in enumerate(eps))]
    tiles = [Tile(model.observe(x).numpy(), "The digit", "as the model sees it", chosen.colour)]
    for picture, value, (name, note) in zip(pictures, values, names, strict=True):
        tiles.append(Tile(picture, f"{name}: {_nats(-value)} nats", note))
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        figure = figures.draws_from_q(code.mean[0].numpy(), sigma[0].numpy(), z[1:].numpy())
        alt = f"Six draws of z inside the ellipse of q, μ = {signed(z[0, 0])}, {signed(z[0, 1])}"
        st.plotly_chart(figure, config=figures.CONFIG, alt=alt, key="sampling_ellipse")
    with right:
        row(tiles, size=128)
        st.caption(f"Above each ε: −log {likely}, what the digit costs in nats if this z draws it; less is better.")

    st.subheader("L draws: an estimate of the bound")
    try:  # after what is there at once: a second's work
        found = _bound(one.slug, networks.stamp(one.slug), chosen.pixels.tobytes(), label)
    except likelihood.LikelihoodError as error:
        st.warning(str(error))
        return
    kept = {"persist_state": "session", "width": 420}
    length = st.select_slider("L, draws in one estimate: 1, 2, 5, 10 … 500", LENGTHS, key="sampling_length", **kept)
    log_w = likelihood.draws(model, x, code, length, generator, label)
    at, book = LENGTHS.index(length), found.ledger
    numbers(
        ("nats", "this throw", "mean of repeats", "± sd", "L → ∞, exact"),
        (
            ("ELBO, L samples", _nats(log_w.mean()), *map(_nats, (found.elbo[0][at], found.elbo[1][at], book.elbo))),
            (
                "importance-weighted bound",
                _nats(likelihood.importance_bound(log_w[None])[0]),
                *map(_nats, (found.weighted[0][at], found.weighted[1][at], book.log_p)),
            ),
        ),
    )
    figure = figures.bound_estimates(
        LENGTHS,
        {"ELBO, mean ± 1 sd": found.elbo, "importance-weighted": found.weighted},
        {"ELBO, exact": book.elbo, f"{evidence}, exact": book.log_p},
        length,
    )
    alt = "Mean and spread of L-sample estimates: the ELBO's stays in place, the importance-weighted bound rises"
    st.plotly_chart(figure, config=figures.CONFIG, alt=alt, key="sampling_bound")
    st.markdown(
        f"The ELBO's mean does not depend on L, its spread falls as 1/√L: {found.elbo[1][0]:.2f} nats with one draw, "
        f"so {found.elbo[1][0] / math.sqrt(LENGTHS[-1]):.2f} with {LENGTHS[-1]} ({found.elbo[1][-1]:.2f} in "
        f"{POOL // LENGTHS[-1]} repeats). That is why training gets by with L = 1: a mini-batch averages "
        f"over many images anyway. Weighting lifts the bound from {_nats(found.weighted[0][0])} with one draw to "
        f"{_nats(found.weighted[0][-1])} nats with {LENGTHS[-1]}, towards {evidence} = {_nats(book.log_p)}. "
        f"{_reached(book.log_p - found.weighted[0][-1])} "
        "Higher is better, and a narrow band is good. That neither mean rises above the line is Jensen's inequality: a "
        f"mean of logarithms is at most the logarithm of the mean, and the weights' mean is {evidence[4:]}."
    )
    _gradients(found.slopes, figures)
    folded("What is drawn and averaged here, in formulas", partial(st.markdown, _SAMPLING))


def _gradients(found: estimators.Slopes, figures) -> None:
    st.subheader("One draw for the gradient: three ways")
    st.markdown("Of log p(x | z), averaged over q, with regard to μ and log σ: the KL's gradient needs no draws.")
    figure = figures.gradient_variances(
        estimators.PARAMETERS, dict(zip(estimators.ESTIMATORS, found.variance, strict=True))
    )
    alt = "Variance of one-draw gradient estimates, a group of bars for each parameter of q"
    st.plotly_chart(figure, config=figures.CONFIG, alt=alt, key="sampling_gradients")
    ratios = found.variance[1:] / np.maximum(found.variance[0], 1e-9)
    agree = "All agree in mean" if found.off < 4 else "So few draws do not show yet that all agree in mean"
    if found.off < 4 and (found.error[1] > np.abs(found.exact)).any():
        agree = "None contradicts the exact gradient, though the score function is too noisy here to tell much"
    st.markdown(
        f"The score function's variance is {_range(ratios[0])} times the reparameterised one's; with a baseline, "
        f"{_range(ratios[1])} times. To be as sure, it needs that many times as many draws: lower is better. "
        f"{agree}: the farthest of twelve means lies {found.off:.1f} standard errors from the exact gradient; up to "
        "about 3 is chance."
    )
    cells = [
        (name, f"{exact:+.2f}".replace("-", "−"), *(_with_error(m, e) for m, e in zip(means, errors, strict=True)))
        for name, exact, means, errors in zip(
            estimators.PARAMETERS, found.exact, found.mean.T, found.error.T, strict=True
        )
    ]
    numbers(
        ("gradient, nats", "exact", *(f"{n.removeprefix('score function ')}, ± se" for n in estimators.ESTIMATORS)),
        cells,
    )
    st.caption(
        f"Of log p(x | z), averaged over q: means of {found.draws:,} draws ± standard error; exact by Gauss–Hermite "
        "quadrature."
    )


_SAMPLING = r"""
With $\varepsilon \sim \mathcal N(0, I)$, $z = \mu + \sigma \varepsilon$ is a draw from $q(z \mid x)$. One draw gives
$\log w = \log p(x \mid z) + \log p(z) - \log q(z \mid x)$, and from $L$ of them

$$
\mathrm{ELBO} = \mathbb E\, \tfrac1L \sum_l \log w_l \;\le\; \mathbb E \log \tfrac1L \sum_l w_l \;\le\; \log p(x).
$$

Both signs are Jensen's inequality, $\mathbb E \log w \le \log \mathbb E\, w$, since $\mathbb E\, w = p(x)$. The middle
one is the importance-weighted bound (Burda et al., arXiv 1509.00519): it is the ELBO at $L = 1$ and rises
with $L$. Repeats are disjoint groups of the same 10,000 draws, so 500 draws were repeated 20 times.

**Reparameterised** (Kingma & Welling, arXiv 1312.6114): move the gradient through the draw, which asks the decoder in
which direction $z$ should go, $\nabla_\mu = \nabla_z \log p(x \mid z)$ and
$\nabla_{\log \sigma} = \varepsilon\, \sigma\, \nabla_z \log p(x \mid z)$.

**Score function** (Williams 1992, REINFORCE): use only the value, $\log p(x \mid z)\, \nabla \log q(z)$. It also works
where nothing can be differentiated, and pays for it: a value of −100 nats shakes every draw. A *baseline*, here the
mean of the other draws' values, may be taken off, because $\mathbb E\, \nabla \log q = 0$.
"""


@callback
def _again() -> None:
    st.session_state["sampling_seed"] += 1


def _image(pixels: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(pixels, np.float32).copy())


def _code(model: Autoencoder, x: Tensor, label: int | None) -> Code:
    return latent.embed(model, x[None], None if label is None else torch.tensor([label]))


def _nats(value: SupportsFloat) -> str:
    return f"{float(value):.2f}".replace("-", "−")


def _reached(missing: float) -> str:
    if missing < 0.1:
        return "There it is, to a tenth of a nat."
    if missing < 2:
        return f"What is missing, {missing:.2f} nats, is for more draws."
    return f"{missing:,.2f} nats are missing: q hardly ever draws the codes that explain this picture best."


def _with_error(mean: float, error: float) -> str:
    places = 2 if error < 10 else 0  # the rest is noise, and a phone is narrow
    return f"{mean:+,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def _range(ratios: np.ndarray) -> str:
    low, high = (f"{r:,.1f}" if r < 10 else f"{r:,.0f}" for r in (ratios.min(), ratios.max()))
    return low if low == high else f"{low} to {high}"
