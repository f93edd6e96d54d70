"""How does one hand write all ten digits? Drag the hand, and they follow."""

import streamlit as st
import torch

from ui.live import bridge, store
from ui.live.cast import Standing
from ui.parts import digit, fetch
from ui.parts.cast import choose_one, choose_size
from ui.parts.digit import Chosen
from ui.parts.page import frame
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.parts.tiles import Bar, Tile, bars, row, sheet
from ui.shell.failure import fragment
from ui.shell.family import DIGIT_COLOURS, slug
from ui.shell.glossary import glossary
from ui.views import styles
from vae_core import latent

REACH, SIDE, COMPARED = 3.0, 15, 3000
SOURCES = {"mnist": "MNIST's test digits", "digits": "scikit-learn's digits"}


@st.cache_data(max_entries=8, show_spinner=False)
def sorted_by_label(name: str) -> float:
    codes = store.guard_codes(name)
    return latent.same_label_share(codes["test_mean"][:COMPARED], codes["test_label"][:COMPARED])


@fragment
def hand(name: str, chosen: Chosen, label: int, code: latent.Code) -> None:
    """The live view, and whenever the hand lets go, who really writes like this."""
    z = styles.styles(name, chosen, label, code)
    source = digit.data_set()
    images, _ = store.samples(source)
    st.caption(f"Real digits in this hand: of {SOURCES[source]}, for each label the one whose code lies nearest.")
    same = styles.same_hand(name, z, source)
    row((Tile(images[i], edge=DIGIT_COLOURS[y]) for y, i in enumerate(same)), columns=10)


frame("Styles", __doc__)


def fits(one: Standing) -> bool:
    return one.conditional and one.n_classes == 10


controls, size = st.columns([3.4, 1])
with size:
    dim = choose_size("styles", fits)
    one = choose_one("styles", dim, fits)
with controls:
    chosen = choose_digit()
name = one.slug if one else slug("cvae", dim)
model, _ = store.guard(name)
store.guard_codes(name)
x = torch.tensor(chosen.pixels)[None]
label, how = label_for(chosen, model)
code = latent.embed(model, x, torch.tensor([label]))
hand(name, chosen, label, code)
fetch.mnist_notice()

st.subheader("What the model makes of your digit")
reconstruction = latent.decode(model, code.mean, torch.tensor([label]))[0].numpy()
elbos = latent.label_elbos(model, x[0], torch.Generator().manual_seed(0))
shares = elbos.softmax(0).tolist()
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

st.subheader("One digit in many hands")
shown = st.segmented_control("Label", range(10), required=True, key="styles_label", persist_state="session")
many, caption = latent.grid(SIDE, REACH), f"z₁ to the right, z₂ upwards, both from −{REACH:g} to {REACH:g}."
if dim != 2:
    many = torch.randn(SIDE * SIDE, dim, generator=torch.Generator().manual_seed(0))
    caption = f"{SIDE * SIDE} draws z ~ N(0, I), the same for every label."
pictures = latent.decode(model, many, torch.full((len(many),), shown)).numpy()
left, right = st.columns(2, gap="large")
with left:
    sheet(pictures, SIDE, alt=f"The digit {shown} in {len(many)} styles", caption=caption, size=480)
with right:
    mixing, beside = sorted_by_label(name), slug("vae", dim, one.dataset)
    rival = f" and for {sorted_by_label(beside):.0%} in the VAE" if bridge.whole([beside]) else ""
    n = min(COMPARED, len(store.guard_codes(name)["test_label"]))
    st.markdown(
        "**The classes mix, and that is the success.** The label is given, so the code need not hold it. Of "
        f"{n:,} test images, the nearest code shows the same digit for {mixing:.0%} in the {one.name}{rival}; chance "
        "is 10%."
    )
    if leak := store.measured("leak", name):
        st.markdown(styles.leaked(leak, dim))
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
Encoder and decoder are told the label beside their input: $q(z \mid x, y)$ and $p(x \mid z, y)$. Training maximises

$$
\mathrm{ELBO}_y(x) = \mathbb E_{q(z \mid x, y)} \log p(x \mid z, y) - \mathrm{KL}\big(q(z \mid x, y) \,\|\, p(z)\big)
\le \log p(x \mid y), \qquad p(z) = \mathcal N(0, I).
$$

The prior is the same for every label. Whatever $z$ says about $y$ costs KL and brings nothing, because $y$ is known, so
training presses it out: slant, weight and roundness are left in $z$, and one $z$ under ten labels is one hand. Nothing
forbids a rest, and what looks mixed to the nearest neighbour may be legible to a network. A network of two hidden
layers of 256 learns to read the label from the codes of 55,000 training images, and is asked about the test images.

The bars take $\mathrm{ELBO}_y$ for $\log p(x \mid y)$; with labels equally likely, $p(y \mid x) \approx
\operatorname{softmax}_y \mathrm{ELBO}_y$. This is an approximation: each ELBO falls short by a KL of its own. All ten
use the same 100 draws of $\varepsilon$ in $z = \mu + \sigma\varepsilon$.
"""
    )
glossary("CVAE", "encoder, decoder", "code, z", "prior, N(0, I)", "KL", "nat", "ELBO")
