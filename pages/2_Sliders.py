"""What does each number of a digit mean? Move one, and the digits follow."""

import streamlit as st
import torch

from ui.live import store
from ui.live.cast import Standing
from ui.parts import fetch, readout
from ui.parts.cast import choose, choose_size
from ui.parts.digit import Chosen
from ui.parts.page import frame
from ui.parts.picture import choose_digit, show_steps
from ui.parts.tiles import numbers
from ui.shell.failure import fragment
from ui.shell.glossary import glossary
from ui.views import sliders
from vae_core import latent

WHAT_YOU_SEE = """
The sliders stand in the order of their worth. For a VAE or CVAE that is the mean KL of the dimension in nats: what the
model pays to say something with it. A dimension it does not need it leaves at the prior, and that slider does next to
nothing. The AE and the DAE pay nothing for their codes and use every dimension; here the order is that of σ, the spread
of the codes. A random code comes from the prior $N(0, I)$ where training pulled the codes towards it. A deterministic
model has no prior: its random codes come from one Gaussian with the mean and the covariance of its codes. That is not
the codes' own shape, so a draw may fall where no code lies. A VAE's codes are drawn towards their prior, and need not
fill it either. How often the judge takes a draw for a digit is written under the table, for the size that is shown.

The middle and σ of a deterministic model are *robust*: the median of its training codes, and their interquartile range
over 1.349, which for a Gaussian would be its σ. In two dimensions a few codes lie far out, so the standard deviation
is four to seven times as large and says nothing about where most digits are; in twenty the two are nearly equal. A
slider holds four σ and 95 % of the codes, and stretches where a digit's code lies beyond.

The twenty-number models were not trained alike: the VAE's KL was brought in over eight epochs, the CVAE has one more
layer in its decoder. So a difference between two of them is not the kind of model alone.
"""


@fragment
def play(models: list[Standing], size: int, chosen: Chosen, label: int) -> None:
    """The live view, and whenever the hand lets go, what only Python knows of the codes it left."""
    hand = sliders.sliders(models, size, chosen, label)
    rows, judge = [], store.judge()
    for one in models:
        if one.key not in hand["codes"]:
            continue
        (model, _), z = store.guard(one.slug), torch.tensor(hand["codes"][one.key])
        far = readout.distance(store.guard_codes(one.slug), z)
        y = torch.tensor([hand["label"]]) if model.conditional else None
        drawn = latent.decode(model, z[None], y)
        read = ("—", "—")
        if judge is not None:
            read = str(int(judge.label(drawn))), "yes" if bool(judge.is_digit(drawn)) else "no"
        rows.append((one.title, f"{far:.2f}", *read))
    numbers(("", "σ from the middle", "read as", "is a digit"), rows)
    st.caption(f"{sliders.middles(models, size)} A classifier that knows no autoencoder reads.")
    if accepted := sliders.accepted_draws(models, size):
        st.markdown(accepted)


frame("Sliders", __doc__)
controls, dimensions = st.columns([3.4, 1])
with dimensions:
    size = choose_size("sliders")
    models = choose("sliders", size)
with controls:
    chosen = choose_digit()
label = sliders.label_to_tell(models, chosen)
play(models, size, chosen, label)
show_steps(chosen)
fetch.mnist_notice()
with st.expander("What you see"):
    st.markdown(WHAT_YOU_SEE)
    st.latex(r"\mathrm{KL}_j = \tfrac12\,\mathbb{E}_x[\mu_j(x)^2 + \sigma_j(x)^2 - \log \sigma_j(x)^2 - 1] \ge 0")
    st.latex(r"z \sim N(0, I)\ \text{for a VAE}, \qquad z \sim N(\bar\mu, \bar\Sigma)\ \text{for an AE}")
glossary("code, z", "μ, σ", "robust σ", "prior, N(0, I)", "KL", "nat", "judge")
