"""How does one hand write all ten digits? Drag the hand, and they follow."""

from functools import partial

import streamlit as st

from ui.parts.page import frame
from ui.shell.folded import folded
from ui.shell.glossary import glossary
from ui.views.styles import page

FORMULAS = r"""
Encoder and decoder are told the label beside their input: $q(z \mid x, y)$ and $p(x \mid z, y)$. Training maximises

$$
\mathrm{ELBO}_y(x) = \mathbb E_{q(z \mid x, y)} \log p(x \mid z, y) - \mathrm{KL}\big(q(z \mid x, y) \,\|\, p(z)\big)
\le \log p(x \mid y), \qquad p(z) = \mathcal N(0, I).
$$

The prior is the same for every label. Whatever $z$ says about $y$ costs KL and brings nothing, because $y$ is known, so
training presses it out: slant, weight and roundness are left in $z$, and one $z$ under ten labels is one hand. Nothing
forbids a rest, and what looks mixed to the nearest neighbour may be legible to a network. A network of two hidden
layers of 256 learns to read the label from the codes of 55,000 training images, and is asked about the test images.
In nats it reads at least $H(y) - \mathbb E[-\log r(y \mid z)]$ of the mutual information $I(y; z)$, where $r$ is the
reader: a weak reader finds little, and that is no proof that little is there.

The bars take $\mathrm{ELBO}_y$ for $\log p(x \mid y)$; with labels equally likely, $p(y \mid x) \approx
\operatorname{softmax}_y \mathrm{ELBO}_y$. This is an approximation: each ELBO falls short by a KL of its own. All ten
use the same 100 draws of $\varepsilon$ in $z = \mu + \sigma\varepsilon$.
"""

frame("Styles", __doc__)
words = page()
folded("What happens here, in formulas", partial(st.markdown, FORMULAS))
glossary(*words)
