"""A part of the page The bound: what p(x | z) is, beside its mean; Bernoulli pixels, Gaussian ones, and a trap.

The computing functions are pure and take their random stream.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from ui.live import store
from ui.live.cast import Standing
from ui.parts.digit import Chosen
from ui.parts.tiles import Tile, numbers, row
from ui.shell.failure import leave_out
from ui.shell.folded import folded
from vae_core import checkpoints, latent, losses
from vae_core.models import PIXELS, Autoencoder
from vae_core.storage import StorageError, is_there

MODELS = {  # slug: name, how it is trained
    "mnist-vae-2d": ("Bernoulli", ""),
    "mnist-vae-2d-gaussian": ("Gaussian, σ² = 1", "--likelihood gaussian"),
    "mnist-vae-2d-gaussian-learned": (
        "Gaussian, σ learned",
        "--likelihood gaussian --sigma learned --tag learned",
    ),
}
DRAWN = 6  # images drawn from p(x | z)
ALWAYS_BLACK = 67  # of MNIST's 784 pixels: without any ink in all 60,000 training images
INK = 0.5  # what lands in such a pixel one day
FAR = 4  # times the test images' MSE: a picture that no code draws
TRAP = (1.0, 0.1, 0.01, 0.001, 0.0001)  # σ of one pixel


# Pure ---------------------------------------------------------------------------------------------------------------


def sigma(model: Autoencoder) -> float | Any:
    """Standard deviation of a Gaussian model's pixels, read off its own likelihood; None for Bernoulli pixels.

    A pixel that is off by d costs d²/(2σ²) nats more than one that is right.
    """
    if model.config.likelihood == "bernoulli":
        return None
    zero, one = torch.zeros(1, PIXELS), torch.zeros(1, PIXELS)
    one[0, 0] = 1
    return float((2 * (model.nll(one, zero) - model.nll(zero, zero)).double()) ** -0.5)


@torch.inference_mode()
def draw(model: Autoencoder, z: Tensor, n: int, generator: torch.Generator, y: Tensor | None = None) -> Tensor:
    """n images x ~ p(x | z) of one code z (1, 2), given a label y (1,) where the model is conditional: (n, 784).
    Gaussian pixels may leave [0, 1]."""
    decoded = model.decode(z, y).expand(n, -1)
    if model.config.likelihood == "bernoulli":
        return torch.bernoulli(torch.sigmoid(decoded), generator=generator)
    return decoded + sigma(model) * torch.randn(decoded.shape, generator=generator)


def perfect_pixel(sd: float) -> float:
    """−log density, nats, of a Gaussian pixel at its own mean: log σ + ½ log 2π. It falls without end as σ → 0."""
    return math.log(sd) + 0.5 * math.log(2 * math.pi)


def summary(name: str, model: Autoencoder, test: dict[str, float]) -> tuple[str, ...]:
    """A row of the table from a card's test means: −ELBO, reconstruction, KL, MSE, σ, 2σ²."""
    sd = sigma(model)
    scores = (f"{test[k]:.2f}".replace("-", "−") for k in ("nelbo", "reconstruction", "kl"))
    return name, *scores, f"{test['mse']:.4f}", *(("—", "—") if sd is None else (f"{sd:.3f}", f"{2 * sd**2:.3f}"))


def smoothed(name: str, sd: float, mse: float) -> str:
    """Why a learned σ stands beside another root of the MSE (benchmarks/sigma.py)."""
    return (
        f"{name}: {sd:.3f} stands beside an MSE whose root is {mse**0.5:.3f}. σ was learned on training images that "
        "small affine maps had moved, and so smoothed; on those the decoder errs by about σ, on sharp ones by more."
    )


def trap_row(sd: float) -> tuple[str, ...]:
    """What one always-black pixel and all of them cost at this σ, and one stroke of ink there."""
    pixel = perfect_pixel(sd)
    cells = (pixel, ALWAYS_BLACK * pixel, pixel + INK**2 / (2 * sd**2))
    return f"{sd:g}", f"{cells[0]:+.2f}".replace("-", "−"), *(f"{c:+,.0f}".replace("-", "−") for c in cells[1:])


# The part -----------------------------------------------------------------------------------------------------------


def observation(one: Standing | None, chosen: Chosen, label: int | None) -> None:
    """The mean of p(x | z) beside draws from it, in three VAEs and the page's model; why their nats do not compare; the
    trap."""
    st.subheader("A mean is not a draw")
    st.markdown(
        "A decoder answers with a distribution of images, and pages show its mean. Drawn from it, each pixel on its "
        "own, an image has salt (Bernoulli) or noise (Gaussian). What to look for: how much of the digit a draw keeps."
    )
    x = torch.tensor(chosen.pixels)
    names = {name: title for name, (title, _) in MODELS.items()}
    there: dict[str, tuple[Autoencoder, dict[str, Any]]] = {}
    for name, (title, flags) in MODELS.items():
        try:
            there[name] = store.model(name)
        except StorageError as error:
            st.info(f"{title}: {_missing(name, flags, error)}")
    if one is not None and one.slug not in MODELS:  # beside the three, which differ in nothing but their pixels
        names[one.slug], there[one.slug] = one.title, store.guard(one.slug)
    for name, (model, card) in there.items():
        y = torch.tensor([label]) if model.conditional else None
        if _pictures(names[name], model, x, y, chosen.colour) > FAR * card["test"]["mse"]:
            st.caption(
                "The code that the encoder gives does not draw this picture: the mean is off by more than "
                f"{FAR} times the test images' error."
            )
    if any(sigma(model) for model, _ in there.values()):
        st.caption("Draws of Gaussian pixels are cut off at black and white to be shown; their MSE is not.")
    if not there:
        return
    st.subheader("Each scored in nats of its own")
    rows = [summary(names[name], model, card["test"]) for name, (model, card) in there.items()]
    numbers(("test mean", "−ELBO, nats", "reconstruction", "KL, nats", "MSE", "σ", "2σ²"), rows)
    st.caption(
        "MSE: of the mean at μ, against what the model is trained on: pixels binarised at 0.5 (Bernoulli), grey pixels "
        "(Gaussian). Less is better within a column and a kind of pixels. Gaussian nats keep their constants, "
        "log σ + ½ log 2π a pixel."
    )
    if one is not None and one.slug not in MODELS:
        told = ", each image with its label" if one.conditional else ""
        st.caption(
            f"The {one.title}'s row is of its own test split{told}. "
            "The other three are alike in everything but their pixels; it is not."
        )
    for name, (model, card) in there.items():
        if model.config.sigma is None:
            st.caption(smoothed(names[name], sigma(model), card["test"]["mse"]))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(_NATS.format(shift=PIXELS * math.log(255), pixels=PIXELS))
    with right:
        st.markdown(_PRICE)
        st.markdown(_kl_used({name: found for name, found in there.items() if name in MODELS}))
    st.subheader("A trap: a variance for every pixel")
    numbers(
        ("σ of the pixel", "a black pixel, nats", f"{ALWAYS_BLACK} of them, nats", "one with ink, nats"),
        map(trap_row, TRAP),
    )
    st.caption("−log of the density, the decoder's answer being black; less is better, and below zero it exceeds 1.")
    st.markdown(
        f"In {ALWAYS_BLACK} of MNIST's {PIXELS} pixels no training image has any ink. A decoder that may choose σ for "
        "each pixel draws them black, is right each time, and gains "
        f"log 10 = {math.log(10):.2f} nats a pixel with every tenfold smaller σ, {ALWAYS_BLACK * math.log(10):.0f} for "
        "all of them, without end: **the likelihood has no upper bound**, and its value says nothing about digits. The "
        f"last column is one such pixel when half-grey ink ({INK:g}) does land there. So σ here is one number for all "
        "pixels and at least 0.01, and none of these models is trained with a σ for each."
    )
    folded("Why noise at all", partial(st.markdown, _MANIFOLD))


_NATS = r"""
**Why these nats do not compare.** A Bernoulli model gives a *probability* to each of $2^{{784}}$ binary images: at most
1, so $-\log p(x) \ge 0$. A Gaussian model gives a *density* of grey images: nats per unit of intensity, and where σ is
small it exceeds 1, so its nats go below zero. It changes with the unit: count the same pixels from 0 to 255, and every
image costs ${pixels} \log 255 = {shift:.1f}$ nats more, with nothing else changed. Compare nats with the same pixels
and the same unit only; across the kinds, compare pictures.
"""
_PRICE = r"""
**2σ² is a price, too.** With Gaussian pixels of a fixed σ the negative ELBO is, up to constants,

$$
\begin{aligned}
&\frac{\mathbb E_q \lVert x - \hat x(z) \rVert^2}{2\sigma^2} + \mathrm{KL} \\
&\;\propto\; \mathbb E_q \lVert x - \hat x(z) \rVert^2 + 2\sigma^2\, \mathrm{KL},
\end{aligned}
$$

with $\hat x(z)$ the decoder's mean: the squared error, and the weight 2σ² on the KL (multiplied by 2σ², which moves no
minimum). With σ² = 1 a whole pixel wrong costs half a nat, so a detail has to be large to be worth its KL. The β of the
part β is another number: it weighs the KL against nats of reconstruction, and is 1 in these three models.
"""
_MANIFOLD = r"""
Two numbers and a decoder without noise reach only a two-dimensional sheet among $784$ dimensions. A sheet has no
volume: almost every real image lies beside it, where the density is zero and $\log p(x) = -\infty$. The noise of
$p(x \mid z)$ gives the sheet a thickness, so every image has a likelihood and training has a slope to follow. That is
what σ buys; drawing it, as above, is not what anybody wants to look at, so the mean is shown.

With σ learned, its best value is the typical pixel error, σ² = mean $(x - \hat x)^2$ over what it is trained on:
the likelihood is then as sharp as the decoder deserves (Rybkin et al., arXiv 2006.13202).
"""


def _pictures(title: str, model: Autoencoder, x: Tensor, y: Tensor | None, edge: str | None) -> float:
    """Show what a model sees, its mean and its draws; the mean's MSE. y: what it is told."""
    seen = model.observe(x)
    z = latent.embed(model, x[None], y).mean
    mean, drawn = latent.decode(model, z, y), draw(model, z, DRAWN, torch.Generator().manual_seed(0), y)
    off, wrong = losses.mean_squared_error(mean, seen[None])[0], losses.mean_squared_error(drawn, seen[None])
    kind = "binarised" if model.config.seen == "binary" else "grey"
    row(
        [
            Tile(seen.numpy(), title, f"sees {kind} pixels", edge),
            Tile(mean[0].numpy(), "Mean at μ", f"MSE {off:.4f}"),
            *(Tile(image.numpy(), f"Drawn {i + 1}", f"MSE {wrong[i]:.4f}") for i, image in enumerate(drawn)),
        ],
        columns=2 + DRAWN,
    )
    return float(off)


def _kl_used(there: dict[str, tuple[Autoencoder, dict[str, Any]]]) -> str:
    """One sentence on 2σ² against the KL that the Gaussian models spend, from their cards."""
    gaussian = sorted(
        ((sd, card["test"]["kl"]) for model, card in there.values() if (sd := sigma(model))), reverse=True
    )
    if len(gaussian) < 2:
        return "With both Gaussian models here, their KL would show it."
    (wide, little), (narrow, much) = gaussian[0], gaussian[-1]
    return (
        f"Trained models show it: σ = {wide:.3g} (2σ² = {2 * wide**2:.3g}) spends {little:.2f} nats of KL on an image, "
        f"σ = {narrow:.3g} (2σ² = {2 * narrow**2:.3g}) spends {much:.2f}."
    )


def _missing(name: str, flags: str, error: StorageError) -> str:
    if is_there(checkpoints.ROOT / name / "card.json"):
        leave_out(name, error, alone=True)
        return f"the files of {name} are broken. Whoever runs this app finds the reason in the server's log."
    try:
        # The three differ in nothing but their pixels. A card is anybody's: nothing of it may end the code span.
        command = checkpoints.read_card("mnist-vae-2d")["command"].replace("`", "")
    except StorageError:
        command = "python -m vae_core train vae --latent-dim 2"
    return f"the checkpoint {name} is not here. Train it with `{f'{command} {flags}'.strip()}`."
