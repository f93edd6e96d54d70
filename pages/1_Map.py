"""Where do ten thousand digits lie? Point anywhere: what lies there is drawn."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.failure import fragment
from ui.shell.family import FAMILY
from ui.shell.glossary import glossary
from ui.views import map

WHAT_YOU_SEE = """
An autoencoder is only asked to draw each digit back, so it may put the codes wherever that works. It leaves empty
land between crowded places, and its units mean nothing: another training gives another map of another size. A
variational autoencoder answers with a small Gaussian $q(z \\mid x)$, the ellipse, and pays in nats for every one that
differs from $N(0, I)$. This draws them together around the origin until they leave little empty ground. On the CVAE's
map the colours mix, and that is its success: the label stands beside $z$, so $z$ is free for the style.

What the AE and the DAE make small, where $\\hat x$ is what they draw (the DAE from a spoilt $x$):
"""
WHAT_IT_PAYS = """
What the VAE makes small, an upper bound of $-\\log p(x)$. The CVAE has $q(z \\mid x, y)$ and $p(x \\mid z, y)$ here,
and bounds $-\\log p(x \\mid y)$:
"""
HANDS = """
Wheel, pinch, + and − zoom; a drag moves the map; a click fixes an image or a place. Arrow keys move a cursor, page keys
move it far, Home puts it at the origin, Enter picks. A class pressed below the maps stands out on both. With *Lasso*,
or Shift and the mouse, a drag draws a loop: what it catches on one map stands out on the other, too; by keys, Enter
marks two corners of a box. Escape takes the loop away. On a walk, distances are in σ of the model's own codes on each
axis, so that models compare: $\\sqrt{\\sum_j (z_j - z'_j)^2 / \\sigma_j^2}$. This σ is *robust*, the interquartile
range over 1.349, which for a Gaussian is its σ. The AE and the DAE put a few codes far out, which make their standard
deviation four to seven times as large. The cycle error is
$\\lVert \\mathrm{dec}(\\mathrm{enc}(\\hat x)) - \\hat x \\rVert$ over all pixels, $\\hat x$ binarised before it is
encoded. A round trip's arrow leads from $z$ to $\\mathrm{enc}(\\mathrm{dec}(z) \\ge \\tfrac12)$.

The *judge* of a walk is a classifier trained on digits and on pictures that are none; it never saw an autoencoder. A
drawing is a digit to it where $\\log p(\\text{a digit} \\mid x) - \\log p(\\text{no digit} \\mid x)$ reaches a
threshold, which 98 % of held-out digits do. It errs, too. Of each kind of garbage that it was trained on less than
1.2 % passes, and of two digits drawn over each other 1.7 %. Some kinds that it never saw pass more often: scribbles
6.5 %, digits turned by 90° 16 %. What two digits have in common, often a readable digit itself, passes in 44 %.
"""


@fragment
def maps(opening: dict) -> None:
    """A pick runs this part of the page alone; who is there may have changed since the page opened."""
    here = map.models()
    if not {opening["left"], opening["right"]} <= set(here):
        opening = map.start(here)
    map.answers(here, map.view(here, opening))


frame("Map", __doc__, width=1720)
here = map.models()
if not here:
    st.error("No trained 2-D model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
    st.stop()
maps(map.start(here))
map.notice()
with st.expander("What you see"):
    st.markdown(WHAT_YOU_SEE)
    st.latex(r"-\sum_p \left[x_p \log \hat x_p + (1 - x_p) \log(1 - \hat x_p)\right]")
    st.markdown(WHAT_IT_PAYS)
    st.latex(
        r"-\mathbb{E}_{q(z \mid x)}[\log p(x \mid z)] + \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)"
    )
with st.expander("How to move, and what is measured"):
    st.markdown(HANDS)
# A chart that is read, and Plotly is heavy: it comes on request.
if st.toggle("Show how the four learned", key="learning"):
    from ui.live import store
    from ui.parts import figures

    histories = {here[kind].title: store.guard(here[kind].slug)[1]["history"] for kind in FAMILY if kind in here}
    st.plotly_chart(figures.learning_curves(histories), config=figures.CONFIG, alt="Training objective by epoch")
    st.caption(
        "Means over an epoch's own training batches, spoilt inputs for the DAE and small affine maps of the images "
        "included; the VAE's and the CVAE's curves are reconstruction + KL, so they bound −log p(x) and −log p(x | y)."
    )
glossary("code, z", "q", "prior, N(0, I)", "posterior", "nat", "KL", "ELBO", "judge", "robust σ", "cycle error")
