"""What does each number of a digit mean? Move one, and the digits follow."""

from functools import partial

import streamlit as st

from ui.parts.page import frame
from ui.shell.folded import folded
from ui.shell.glossary import glossary
from ui.views.sliders import page

WHAT_YOU_SEE = r"""
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

*Thickness* and *Slant* move many numbers at once, along an arrow that was fitted to training codes: textbooks change
the colour of a face's hair in this way, and a stroke's width and lean stand for it. Width is the mean distance from the
stroke's skeleton to its edge, the lean comes from the second moments of the ink. A regression says how a code's numbers
go with each; the arrow is not its weights $w$, which may lie along numbers that the decoder ignores, but $C w$, with
$C$ the covariance of the codes, and each class has arrows of its own. A model that is told the label takes that
label's, of another one's code the judge reads the class in what it draws. What was asked is what the regression
expects; what is reached was measured on the drawings.

The twenty-number models were not trained alike: the VAE's KL was brought in over eight epochs, the CVAE has one more
layer in its decoder. So a difference between two of them is not the kind of model alone.

$$
\mathrm{KL}_j = \tfrac12\,\mathbb{E}_x[\mu_j(x)^2 + \sigma_j(x)^2 - \log \sigma_j(x)^2 - 1] \ge 0
$$

$$
z \sim N(0, I)\ \text{for a VAE}, \qquad z \sim N(\bar\mu, \bar\Sigma)\ \text{for an AE}
$$
"""

frame("Sliders", __doc__)
page()
folded("What you see", partial(st.markdown, WHAT_YOU_SEE))
glossary("code, z", "μ, σ", "robust σ", "prior, N(0, I)", "KL", "nat", "judge")
