"""A CVAE is told which digit it is, so its code holds only the hand. Choose a digit and see all ten in that hand."""

import numpy as np
import streamlit as st
import torch

from ui import figures, store
from ui.family import DIGIT_COLOURS, slug
from ui.frame import frame
from ui.picture import choose_digit, label_for, show_steps
from ui.tiles import Bar, Tile, bars, row, sheet
from vae_core import latent

REACH, SIDE, DRAWN, COMPARED, MAPPED = 3.0, 15, 3, 3000, 2000
LABELS = torch.arange(10)


@st.cache_data(max_entries=8, show_spinner=False)
def sorted_by_label(name: str) -> float:
    codes = store.guard_codes(name)
    return latent.same_label_share(codes["test_mean"][:COMPARED], codes["test_label"][:COMPARED])


def draw_others() -> None:
    st.session_state["styles_draw"] = st.session_state.get("styles_draw", 0) + 1


frame("Styles", __doc__)
store.mnist_notice()
controls, size = st.columns([3.4, 1])
dim = size.segmented_control(
    "Numbers in the code", (2, 20), default=2, required=True, key="styles_dim", persist_state="session"
)
with controls:
    chosen = choose_digit("digit", camera=True)
model, _ = store.guard(slug("cvae", dim))
x = torch.tensor(chosen.pixels)[None]
label, how = label_for(chosen, model)
code = latent.embed(model, x, torch.tensor([label]))
reconstruction = latent.decode(model, code.mean, torch.tensor([label]))[0].numpy()
elbos = latent.label_elbos(model, x[0], torch.Generator().manual_seed(0))
shares = elbos.softmax(0).tolist()
ten = latent.decode(model, code.mean.expand(10, -1), LABELS).numpy()

left, right = st.columns([1, 2.2], gap="large")
with left:
    original = Tile(model.observe(x)[0].numpy(), "Original", "binarised at 0.5", DIGIT_COLOURS[label])
    row((original, Tile(reconstruction, "Drawn back", f"as {label}, {how}", DIGIT_COLOURS[label])), size=128)
with right:
    bars(
        (Bar(shares[y], str(y), f"−{-elbos[y]:.0f}", DIGIT_COLOURS[y]) for y in range(10)),
        alt="Which label suits this digit, a bar for each label",
    )
    st.caption(
        "Which label suits it? Height: approximate p(y | x). Below: each label's ELBO in nats, higher is better."
    )
show_steps(chosen)

st.subheader("All ten digits in this hand")
row((Tile(ten[y], str(y), "its label" if y == label else "", DIGIT_COLOURS[y]) for y in range(10)), columns=10)
with st.container(horizontal=True, vertical_alignment="center"):
    st.caption("And in three hands of nobody, drawn from the prior N(0, I):", width="content")
    st.button("Draw three others", on_click=draw_others)
generator = torch.Generator().manual_seed(st.session_state.get("styles_draw", 0))
for z in torch.randn(DRAWN, dim, generator=generator):
    hand = latent.decode(model, z.expand(10, -1), LABELS).numpy()
    row((Tile(hand[y], edge=DIGIT_COLOURS[y]) for y in range(10)), columns=10)

st.subheader("One digit in many hands")
shown = st.segmented_control("Label", range(10), default=3, required=True, key="styles_label", persist_state="session")
many, caption = latent.grid(SIDE, REACH), f"z₁ to the right, z₂ upwards, both from −{REACH:g} to {REACH:g}."
if dim != 2:
    many = torch.randn(SIDE * SIDE, dim, generator=torch.Generator().manual_seed(0))
    caption = f"{SIDE * SIDE} draws z ~ N(0, I), the same for every label."
pictures = latent.decode(model, many, torch.full((len(many),), shown)).numpy()
left, right = st.columns(2, gap="large")
with left:
    sheet(pictures, SIDE, alt=f"The digit {shown} in {len(many)} styles", caption=caption, size=480)
with right:
    if dim == 2:
        mark = figures.Mark(code.mean[0].numpy(), code.logvar[0].mul(0.5).exp().numpy())
        codes = store.guard_codes(slug("cvae", 2))
        means, labels = codes["test_mean"].numpy(), codes["test_label"].numpy()
        with st.container(height=figures.HEIGHT, border=False):  # the chart comes late: its place is kept
            chart = figures.code_map(means, labels, np.arange(MAPPED), prior=True, mark=mark)
            st.plotly_chart(
                chart, config=figures.CONFIG, alt="Codes of the CVAE by digit: the classes lie on each other"
            )
    mixing, sorting = (sorted_by_label(slug(kind, dim)) for kind in ("cvae", "vae"))
    st.markdown(
        "**The classes mix, and that is the success.** The label is given, so the code need not hold it. Of "
        f"{COMPARED:,} test images, the nearest code shows the same digit for {mixing:.0%} in the CVAE and for "
        f"{sorting:.0%} in the VAE; chance is 10%."
    )
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
Encoder and decoder are told the label beside their input: $q(z \mid x, y)$ and $p(x \mid z, y)$. Training maximises

$$\mathrm{ELBO}_y(x) = \mathbb E_{q(z \mid x, y)} \log p(x \mid z, y) - \mathrm{KL}\big(q(z \mid x, y) \,\|\, p(z)\big)
\le \log p(x \mid y), \qquad p(z) = \mathcal N(0, I).$$

The prior is the same for every label. Whatever $z$ would say about $y$ costs KL and brings nothing, because $y$ is
known: slant, weight and roundness are left in $z$. So one $z$ under ten labels is one hand.

The bars take $\mathrm{ELBO}_y$ for $\log p(x \mid y)$; with labels equally likely, $p(y \mid x) \approx
\operatorname{softmax}_y \mathrm{ELBO}_y$. This is an approximation: each ELBO falls short by a KL of its own. All ten
use the same 100 draws of $\varepsilon$ in $z = \mu + \sigma\varepsilon$.
"""
    )
