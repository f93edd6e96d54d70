"""The part "Posterior" of The bound: the account of one digit, its true posterior beside q, and the E-step.

Nats throughout; what is exact comes from `vae_core.likelihood`, what it is compared with from the checkpoint's files.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui.live import networks, store
from ui.live.cast import Standing
from ui.parts import digit
from ui.parts.digit import Chosen
from ui.parts.picture import take_sample, takeable
from ui.parts.readout import dimension
from ui.parts.tiles import Bar, Tile, bars, numbers
from ui.shell.folded import folded
from ui.views.bound import posterior
from vae_core import checkpoints, latent, likelihood
from vae_core.data import DATASETS, NUMERALS
from vae_core.models import Code

LISTED = 8  # digits in each list
LISTS = {
    "Largest gap": "KL(q ‖ p(z | x)) in nats: q is far from the true posterior.",
    "Several modes": "The true posterior has this many separate peaks of at least 1 % each; q can cover one.",
    "Lowest log p(x)": "The model finds these digits least likely; nats.",
}
FORMULAS = r"""
For every q,

$$
\log p(x) = \underbrace{\mathbb E_q \log p(x \mid z) - \mathrm{KL}\big(q \,\|\, p(z)\big)}_{\mathrm{ELBO}}
+ \mathrm{KL}\big(q \,\|\, p(z \mid x)\big), \qquad p(x) = \int p(x \mid z)\, p(z)\, dz .
$$

The last KL cannot be negative, so the ELBO is a lower bound, and $-\log p(x)$ is at most reconstruction plus KL, not
equal to it. The encoder gives $q(z \mid x)$, not the posterior $p(z \mid x)$ itself. With

$$
\mathrm{KL}\big(\mathcal N(\mu, \sigma^2) \,\|\, \mathcal N(0, 1)\big)
= \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)
$$

in closed form and the expectation by Gauss–Hermite quadrature there is no noise in the ELBO here. In a q that is almost
as wide as the prior the likelihood has cliffs which no such rule meets; its numbers carry a ≈ in the view. $p(x)$ is a
sum over small squares: a lattice over ±7 is refined wherever mass can lie, until its squares are at most half as wide
as the posterior's own standard deviation, which is often below 0.02. With a CVAE every $p$ and $q$ is given $y$ as
well.

The E-step climbs the ELBO in $(\mu, \log \sigma)$ along natural gradients. A step that would lose is not taken and the
next one is half as long, so no climb falls.
"""
STEPS = 40  # of a climb; its ends are measured as everything else is
MOST_MODES = 6  # that a climb each starts from
# One integral at a time in the whole process: what one takes of the processor is known, what a class asks at once would
# take everybody's.
_ONE_AT_A_TIME = threading.Lock()
_NEXT = threading.Lock()  # one who waits holds it


@contextmanager
def _turn() -> Iterator[None]:
    """Alone at an integral. Who lets go and asks again comes after one who has waited: a bare lock would be theirs
    again before anybody else had woken."""
    with _NEXT:
        _ONE_AT_A_TIME.acquire()
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()


class Integrated(NamedTuple):
    """What the integral says of one digit under one model."""

    code: Code  # the encoder's q, (1, 2) each
    posterior: likelihood.Posterior
    ledger: likelihood.Ledger


def integrated(name: str, pixels: bytes, label: int | None) -> Integrated:
    """Of an image of 784 float32 pixels; cached, since every visitor and two parts may ask for the same digit."""
    return _integrated(name, networks.stamp(name), pixels, label)


@st.cache_resource(max_entries=32, show_spinner="Integrating …")
def _integrated(name: str, stamp: tuple[int, ...], pixels: bytes, label: int | None) -> Integrated:
    model, _ = store.model(name)
    x, y = _image(pixels), None if label is None else torch.tensor([label])
    code = latent.embed(model, x[None], y)
    with _turn():
        found = likelihood.posterior(model, x, label)
    return Integrated(code, found, likelihood.ledger(model, x, label, code, found))


def find(name: str, pixels: bytes, label: int | None) -> posterior.Found:
    """The same, and the climbs of its E-step."""
    return _find(name, networks.stamp(name), pixels, label)


@st.cache_resource(max_entries=32, show_spinner="Climbing …")
def _find(name: str, stamp: tuple[int, ...], pixels: bytes, label: int | None) -> posterior.Found:
    model, _ = store.model(name)
    x = _image(pixels)
    code, found, ledger = integrated(name, pixels, label)
    modes = found.modes[:MOST_MODES]
    start = Code(
        torch.cat([code.mean, torch.zeros(1, 2), modes]),
        torch.cat([code.logvar, torch.zeros(1, 2), code.logvar.expand(len(modes), -1)]),
    )
    with _turn():
        climb = likelihood.climb(model, x, start, label, STEPS, likelihood.WAY_NODES)
        ends = (Code(mean[None], logvar[None]) for mean, logvar in zip(*climb.end, strict=True))
        reached = tuple(likelihood.settled_elbo(model, x, end, label) for end in ends)
        y = None if label is None else torch.tensor([label])
        ladder = likelihood.ladder(model, x[None], y, 2 * likelihood.NODES)  # as many as settle the account's own
    names = [f"from mode {k + 1}" for k in range(len(modes))] if len(modes) > 1 else ["from the mode"]
    return posterior.Found(code, found, ledger, climb, ("from the encoder", "from the prior", *names), reached, ladder)


@st.cache_data(max_entries=4, show_spinner="Integrating under every label …")
def every_label(name: str, stamp: tuple[int, ...], pixels: bytes) -> np.ndarray:
    """log p(x | y) of one image under each of the model's K labels, (K,)."""
    # A turn a label: 47 in one would hold everybody else up for five seconds.
    return likelihood.label_evidence(store.model(name)[0], _image(pixels), _turn).numpy()


def _image(pixels: bytes) -> Tensor:
    return torch.frombuffer(bytearray(pixels), dtype=torch.float32)


def exact_account(one: Standing, chosen: Chosen, label: int | None) -> None:
    """The live view of p(z | x) and q, the ledger with percentiles, the gap's two parts, and digits worth a look."""
    exact = store.exact(one.slug)
    card = store.guard(one.slug)[1]
    try:
        found = find(one.slug, chosen.pixels.tobytes(), label)
    except likelihood.LikelihoodError as error:
        st.warning(str(error))
        return
    if exact is not None and chosen.pixels.any() and found.ledger.log_p < float(exact["log_p"].min()):
        st.info("No test image is less likely: this model finds hardly any sense in it. The numbers hold even so.")
    view(one, chosen, label, found)
    if exact is not None:
        lists(one, exact)
    account(one, found, exact, label)
    if exact is None:
        st.caption(
            "Of this model nobody has integrated log p(x) of the test images yet, so there are no percentiles of it, "
            f"no means below, and no lists of digits worth a look: `python -m vae_core integrate {one.slug}` makes "
            "them. For 10,000 images it takes a minute or two where posteriors are narrow, as those of the MNIST VAE "
            "are, and hours where they are wide, as with Gaussian pixels of σ = 1."
        )
    gap(one, found, card.get("exact"), label)
    if label is not None:
        labels(one, chosen, label)
    folded("What is computed here, in formulas", partial(st.markdown, FORMULAS))


def view(one: Standing, chosen: Chosen, label: int | None, found: posterior.Found) -> None:
    """What the hand pulls, and what the true posterior looks like."""
    modes = found.posterior.mass
    if len(modes) > 1:
        shares = ", ".join(f"{share:.0%}" for share in modes.tolist())
        shape = f"The true posterior has {len(modes)} peaks ({shares} of its mass). One Gaussian cannot cover them."
    elif found.best - found.ledger.elbo > found.ledger.log_p - found.best:
        shape = (
            "The true posterior has one peak. Most of the gap is the encoder's: its q does not sit on the peak as well "
            "as an ellipse could."
        )
    else:
        shape = (
            "The true posterior has one peak, and q can only be an ellipse that does not lean: where the peak leans or "
            "bends, it pays."
        )
    posterior.show(one, chosen, label, found)
    st.markdown(shape)
    if store.guard(one.slug)[0].config.likelihood == "gaussian":
        st.caption(
            f"The pixels of the {one.name} are Gaussian, so that its p(x) is the density of a grey image and no "
            "probability: log p(x) may be above 0, and what costs nats elsewhere may cost fewer than none here. What "
            "holds of bound and gap holds all the same; but none of these nats compares with those of black and white "
            "pixels."
        )


# Tables ---------------------------------------------------------------------------------------------------------------


def account(one: Standing, found: posterior.Found, exact: dict[str, Tensor] | None, label: int | None) -> None:
    """The ledger: each term in nats, where it stands among the test images, and what is good."""
    book, codes = found.ledger, store.guard_codes(one.slug)
    x = posterior.evidence(one, label)
    y = "" if label is None else ", y"
    with torch.inference_mode():
        kl = store.guard(one.slug)[0].prior.kl(codes["test_mean"], codes["test_logvar"])
    exact = exact or {}
    rows = [
        (
            f"−log p(x | z = μ{y}): the drawing at the middle of q",
            book.reconstruction_at_mean,
            codes.get("test_reconstruction_at_mean"),
            "Less is better: the pixels are likely.",
        ),
        (
            f"−log p(x | z{y}), averaged over q: the drawing",
            book.reconstruction,
            codes.get("test_reconstruction"),
            "Less is better; close to the line above, if q is narrow enough.",
        ),
        *(
            (
                "KL to the learned prior" if one.learned_prior else f"KL of {dimension(j)}",
                book.kl[j],
                kl[:, j],
                "The code's price; cheap is good if the drawing stays.",
            )
            for j in range(len(book.kl))
        ),
        ("ELBO", book.elbo, exact.get("elbo"), "More is better; never above the next line."),
        (
            f"log p({x}), exact",
            book.log_p,
            exact.get("log_p"),
            "More is better: how likely the model finds this digit.",
        ),
        (
            f"KL(q ‖ p(z | x{y})): the gap",
            book.posterior_kl,
            exact["log_p"] - exact["elbo"] if exact else None,
            "Less is better: 0 would be the true posterior itself.",
        ),
    ]
    averages = (book.reconstruction, book.elbo, book.posterior_kl)
    st.subheader("The account of this digit")
    numbers(
        ("nats", "this digit", "test images below it", "what is good"),
        [
            (term, _nats(value, rough(book) and value in averages), percentile(value, among), good)
            for term, value, among, good in rows
        ],
        words=(0, 3),
    )
    left = abs(book.log_p - book.elbo - book.posterior_kl)
    agree = f"they agree to {max(left, 1e-5):.5f} nats"
    if rough(book):
        agree = f"they agree to {left:.1f} nats only, since q is wide and its averages are known no better: hence the ≈"
    st.caption(
        f"log p({x}) = ELBO + KL(q ‖ p(z | x{y})). The three are computed on their own and nothing by subtraction; "
        f"here {agree}. The middle column: share of the {len(kl):,} test images of {one.data.title} with a lower value."
    )


def rough(book: likelihood.Ledger) -> bool:
    """Whether averages over q are not known to hundredths of a nat: what was computed apart does not add up."""
    return abs(book.log_p - book.elbo - book.posterior_kl) > 0.05


def percentile(value: float, among: Tensor | None) -> str:
    """Share of the test split that lies below a value; "—" where nothing was stored."""
    return "—" if among is None else f"{float((among < value).double().mean()):.1%}"


def gap(one: Standing, found: posterior.Found, card: dict[str, Any] | None, label: int | None) -> None:
    """What the bound loses: to the shape of q, and to the encoder's one guess."""
    book, x = found.ledger, posterior.evidence(one, label)
    about = rough(book)
    shape, guess = max(0.0, book.log_p - found.best), max(0.0, found.best - book.elbo)
    st.subheader("Who loses the nats, and what a climb wins back")
    numbers(
        ("nats", "this digit", "median", "mean", "whose it is"),
        (
            (
                f"log p({x}) − best ELBO: the approximation gap",
                _nats(shape, about),
                *_stored(card, "approximation"),
                "The shape's: q is an ellipse that does not lean, and none was found that does better.",
            ),
            (
                "best ELBO − encoder's ELBO: the amortisation gap",
                _nats(guess, about),
                *_stored(card, "amortisation"),
                "The encoder's: it learned one way to answer for all digits, and fits none of them by itself.",
            ),
        ),
        words=(0, 4),
    )
    won = max(0.0, found.reached[0] - book.elbo)
    share = f"{won / (shape + guess):.0%}" if shape + guess > 0.005 else "nothing is left to win"
    words = (
        f"The encoder leaves {_nats(shape + guess, about)} nats. Climbing the ELBO for this digit alone, {STEPS} steps "
        f"from the encoder's q, wins back {_nats(won, about)} of them ({share})."
    )
    if guess - won > 0.05:
        best = found.starts[found.reached.index(max(found.reached))]
        words += f" The climb {best} wins back {_nats(guess, about)}" + (
            "; where that is only the integral tells." if "mode" in best else "."
        )
    st.markdown(
        f"{words} To look for the best q of each digit by itself is called the E-step. The encoder is the other idea: "
        "learn to answer for all digits in one pass, and share the cost of learning among them (amortise it)."
    )
    if card:
        st.caption(
            "Median and mean over the first 1,000 test images. The best ELBO is the highest that climbs reach, a lower "
            "bound of the family's best: here from the encoder's q, from the prior and from every mode, for the 1,000 "
            "from the encoder's q and from the heaviest mode."
        )


def labels(one: Standing, chosen: Chosen, label: int) -> None:
    """A CVAE's K answers: log p(x | y), log p(x, y) and, summed over equally likely labels, log p(x)."""
    many, names = one.n_classes, one.data.classes
    told = "ten" if many == 10 else str(many)
    st.subheader("Without being told the label")
    if not st.toggle(f"Integrate under all {told} labels", key="inside_labels", persist_state="session"):
        st.caption(
            f"{told[0].upper()}{told[1:]} integrals in place of one: a few seconds for a digit that nobody has asked "
            "for yet."
        )
        return
    try:
        given = torch.from_numpy(every_label(one.slug, networks.stamp(one.slug), chosen.pixels.tobytes()))
    except likelihood.LikelihoodError as error:  # under a label other than the account's
        st.warning(str(error))
        return
    share = given.softmax(0).tolist()
    total = float(given.logsumexp(0)) - math.log(many)
    bars(
        (Bar(share[y], names[y], f"{given[y]:.0f}".replace("-", "−"), one.data.colours[y]) for y in range(many)),
        alt="p(y | x) of each label, exact",
    )
    st.caption("Height: p(y | x), exact. Below: log p(x | y) in nats, higher is better.")
    numbers(
        ("nats", "this digit"),
        (
            (f"log p(x | y = {names[label]})", _nats(float(given[label]))),
            (
                f"log p(x, y = {names[label]}) = log p(x | y) − log {many}",
                _nats(float(given[label]) - math.log(many)),
            ),
            (f"log p(x) = log Σ p(x | y) / {many}", _nats(total)),
        ),
    )
    st.caption("Only the last may stand beside a VAE's log p(x): the VAE was not told the label.")


# Digits worth a look --------------------------------------------------------------------------------------------------


def lists(one: Standing, exact: dict[str, Tensor]) -> None:
    """Three lists of samples, each a row of tiles that can be taken; of the model's own data set or the bundled one."""
    source = digit.data_set()
    known = {one.dataset: ""}
    if "bundled_log_p" in exact and checkpoints.knows_digits(store.guard(one.slug)[0], one.dataset):
        known["digits"] = "bundled_"  # a file may be older than this rule
    prefix = known.get(source)
    if prefix is None:
        titles = {one.dataset: one.data.title, "digits": DATASETS["digits"].title}
        among = " and ".join(titles[name] for name in known)
        st.caption(f"Images worth a look are known among {among} alone: choose that as the data set above.")
        return
    images, digits = store.samples(source)
    title = "Digits worth a look" if DATASETS[source].classes == NUMERALS else "Images worth a look"
    kind = st.segmented_control(title, list(LISTS), key="inside_list", persist_state="session")
    if kind is None:
        return
    values, wanted = ranking(kind, exact, prefix, len(images))
    found = [Tile(images[i], edge=DATASETS[source].colours[digits[i]]) for i in wanted]
    words = [f"{values[i]:.0f}" if kind == "Several modes" else _nats(values[i]) for i in wanted]
    takeable(found, words, lambda k: take_sample(source, wanted[k]), key="bound")
    st.caption(LISTS[kind])


def ranking(kind: str, exact: dict[str, Tensor], prefix: str, n: int) -> tuple[list[float], list[int]]:
    """What a list is ordered by, one value a sample, and the numbers of its first digits."""
    log_p, bound, modes = (exact[f"{prefix}{name}"][:n] for name in ("log_p", "elbo", "modes"))
    gap = log_p - bound
    by = {"Largest gap": gap, "Several modes": modes.float(), "Lowest log p(x)": log_p}[kind]
    # Among digits of as many modes those of the larger gap say more.
    score = {"Largest gap": gap, "Several modes": modes.float() + 1e-4 * gap, "Lowest log p(x)": -log_p}[kind]
    return by.tolist(), score.argsort(descending=True)[:LISTED].tolist()


def _stored(card: dict[str, Any] | None, name: str) -> tuple[str, str]:
    return (_nats(card[f"{name}_median"]), _nats(card[name])) if card else ("—", "—")


def _nats(value: float, about: bool = False) -> str:
    return (f"≈ {value:.0f}" if about else f"{value:.2f}").replace("-", "−")
