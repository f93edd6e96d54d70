"""Choose two digits and walk from one to the other: pixels can only fade, a model goes through its codes."""

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from ui import live, live_pages, store
from ui.family import DIGIT_COLOURS, FAMILY, slug, title
from ui.frame import frame
from ui.picture import choose_digit, label_for
from ui.tiles import Strip, numbers, strips
from vae_core import latent

HEAD = ("", "longest step, px", "longest / mean", "detour", "is a digit")


def line(name: str, note: str, pictures: Tensor, labels: list[int] | None = None) -> Strip:
    """Pictures (T, 784) as a row, framed in the colour of the label that each was told."""
    edges = labels and [DIGIT_COLOURS[y] for y in labels]
    return Strip(name, note, pictures.numpy(), f"{name}, {note}: from the first digit to the second", edges)


def pace(way: Strip) -> tuple[str, ...]:
    """How far and how evenly a row walks, and how many of its pictures are digits, as a line of the table."""
    pictures = torch.tensor(way.pictures)
    step = (pictures[1:] - pictures[:-1]).abs().sum(1)  # (T - 1,) pixels' worth of ink that changes
    straight = (pictures[-1] - pictures[0]).abs().sum()
    ratios = [f"{p / q:.2f}" if q > 1e-3 else "—" for p, q in ((step.max(), step.mean()), (step.sum(), straight))]
    judge = store.judge()
    digits = "—" if judge is None else f"{int(judge.is_digit(pictures).sum())} of {len(pictures)}"
    return way.name.replace(" ", "\u00a0"), f"{step.max():.1f}", *ratios, digits


frame("Interpolate", __doc__)
store.mnist_notice()
left, right = st.columns(2)
with left:
    first = choose_digit("from", title="From")
with right:
    second = choose_digit("to", title="To", start=1)
with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
    dim = st.segmented_control(
        "Numbers in the code",
        (2, 20),
        default=2,
        required=True,
        key="walk_dim",
        persist_state="session",
        bind="query-params",
    )
    way = st.segmented_control(
        "Way",
        ("linear", "spherical"),
        default="linear",
        required=True,
        key="walk_way",
        persist_state="session",
        bind="query-params",
    )

ends = torch.tensor(np.stack([first.pixels, second.pixels]))
models = {kind: store.guard(slug(kind, dim))[0] for kind in FAMILY}
for kind in FAMILY:
    store.guard_codes(slug(kind, dim))
cvae = models["cvae"]
(a, how_a), (b, how_b) = label_for(first, cvae), label_for(second, cvae)


def ways(t: Tensor) -> list[Strip]:
    """Every way at each t (T,), in the order in which the page shows them."""
    walks = {}  # codes on the way, (T, D)
    for kind, model in models.items():
        z = latent.embed(model, ends, torch.tensor([a, b]) if model.conditional else None).mean
        walks[kind] = latent.interpolate(z[0], z[1], t, spherical=way == "spherical")
    z, stay, switch = walks["cvae"], [a] * len(t), [a if s < 0.5 else b for s in t.tolist()]
    start = latent.embed(cvae, ends[:1], torch.tensor([a])).mean
    shown = [
        line("Pixels", "plain blend", torch.lerp(ends[:1], ends[1:], t[:, None])),
        *(line(title(k), "code to code", latent.decode(models[k], walks[k])) for k in ("ae", "dae")),
        line(title("vae"), "mean to mean", latent.decode(models["vae"], walks["vae"])),
        line(f"{title('cvae')} style", f"label {a} throughout", latent.decode(cvae, z, torch.tensor(stay)), stay),
    ]
    if a == b:
        return shown
    blend = latent.decode_between_labels(cvae, start.expand(len(t), -1), a, b, t)
    both = latent.decode(cvae, z, torch.tensor(switch))
    return [
        *shown,
        line(f"{title('cvae')} label", f"{a} blends to {b}: never trained", blend),
        line(f"{title('cvae')} both", f"label switches {a} to {b}", both, switch),
    ]


@st.fragment
def scrub() -> None:
    """The live view, and whenever the hand lets go, what a classifier reads there."""
    told = live_pages.digit_option(first, a), live_pages.digit_option(second, b)
    at = live_pages.interpolate(list(FAMILY), dim, told, way == "spherical", ways)
    if judge := store.judge():
        here = ways(torch.tensor([at]))
        pictures = torch.tensor(np.stack([w.pictures[0] for w in here]))
        read = zip(here, judge.label(pictures).tolist(), judge.is_digit(pictures).tolist(), strict=True)
        words = ", ".join(f"{w.name} {y}" if good else f"{w.name} no digit" for w, y, good in read)
        st.caption(f"At t = {at:.2f} a classifier that knows no autoencoder reads: {words}.")
    st.download_button(
        "Save as GIF", lambda: live_pages.animation(ways), "interpolation.gif", "image/gif", on_click="ignore"
    )


scrub()
# Outside of the fragment: megabytes that every release would weigh again.
live.models([slug(kind, dim) for kind in FAMILY])
st.subheader("The whole way")
steps = st.select_slider("Pictures", range(5, 16), 9, key="walk_steps", persist_state="session", width=220)
walked = ways(torch.linspace(0, 1, steps))
strips(walked)
if first.label is None or second.label is None:
    st.caption(f"Labels told to the CVAE: {a} ({how_a}) and {b} ({how_b}). You can set yours beside its number.")
st.subheader("How even is the walk?")
numbers(HEAD, [pace(one) for one in walked])
st.caption(
    "A step is Σ|Δ| over the pixels of two neighbours: how many pixels of ink change. Longest / mean is 1 where all "
    "steps are equal, and a jump makes it large. Detour is the whole walk over the straight one. The plain blend is "
    "perfect in both, and halfway it shows two digits at once: an even pace alone is no good way."
)
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
Each model encodes both digits, $z_A$ and $z_B$ (a VAE: the means of its posteriors), and decodes what lies between.

$$\text{linear: } z_t = (1 - t)\, z_A + t\, z_B \qquad \text{spherical: } \hat z_t =
\frac{\sin((1 - t)\,\theta)}{\sin\theta}\, \hat z_A + \frac{\sin(t\,\theta)}{\sin\theta}\, \hat z_B, \quad
\cos\theta = \hat z_A \cdot \hat z_B$$

Hats are unit vectors; the length goes evenly from $\|z_A\|$ to $\|z_B\|$ (Shoemake 1985; White 2016). A draw from
$\mathcal N(0, I)$ in many dimensions is about $\sqrt D$ long: the straight way cuts through a middle where hardly any
draw lies, the arc does not. In two dimensions the middle is the likeliest place. An AE has no prior to ask for either.

**What to look for.** In two dimensions a model's way passes the digits that lie between on the map. Nothing asked an
AE to put sense between its codes, so it may jump or smear there; a VAE was trained on clouds of codes that overlap. A
CVAE has two things to move. In training a label was one digit or another, so a blend of labels is an input that it
never saw: only the ends of that row mean anything, and the honest way to change the label is to switch it.
"""
    )
