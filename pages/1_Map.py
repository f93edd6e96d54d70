"""Where do ten thousand digits lie? Point anywhere: what lies there is drawn."""

from functools import partial

import streamlit as st

from ui.parts.page import frame
from ui.shell.folded import folded
from ui.shell.glossary import glossary
from ui.views.map.page import page

WHAT_YOU_SEE = r"""
An autoencoder is only asked to draw each digit back, so it may put the codes wherever that works. It leaves empty
land between crowded places, and its units mean nothing: another training gives another map of another size. A
variational autoencoder answers with a small Gaussian $q(z \mid x)$, the ellipse, and pays in nats for every one that
differs from $N(0, I)$. This draws them together around the origin until they leave little empty ground. On the CVAE's
map the colours mix, and that is its success: the label stands beside $z$, so $z$ is free for the style.

What the AE and the DAE make small, where $\hat x$ is what they draw (the DAE from a spoilt $x$):

$$
-\sum_p \left[x_p \log \hat x_p + (1 - x_p) \log(1 - \hat x_p)\right]
$$

What the VAE makes small, an upper bound of $-\log p(x)$. The CVAE has $q(z \mid x, y)$ and $p(x \mid z, y)$ here,
and bounds $-\log p(x \mid y)$:

$$
-\mathbb{E}_{q(z \mid x)}[\log p(x \mid z)] + \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)
$$
"""

frame("Map", __doc__, width=1720)
page()
folded("What you see", partial(st.markdown, WHAT_YOU_SEE))
glossary(
    *("code, z", "q", "prior, N(0, I)", "posterior", "nat", "KL", "ELBO", "judge", "robust σ", "cycle error"),
    "sensitivity",
)
