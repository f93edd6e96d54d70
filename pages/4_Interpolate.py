"""What lies between two digits? Choose or draw two, and walk from one to the other."""

from functools import partial

import streamlit as st

from ui.parts.page import frame
from ui.shell.folded import folded
from ui.shell.glossary import glossary
from ui.views.interpolate.page import page

FORMULAS = r"""
Each model encodes both digits, $z_A$ and $z_B$ (a VAE: the means of its posteriors), and decodes what lies between.

$$
\text{linear: } z_t = (1 - t)\, z_A + t\, z_B \qquad \text{spherical: } \hat z_t =
\frac{\sin((1 - t)\,\theta)}{\sin\theta}\, \hat z_A + \frac{\sin(t\,\theta)}{\sin\theta}\, \hat z_B, \quad
\cos\theta = \hat z_A \cdot \hat z_B
$$

Hats are unit vectors; the length goes evenly from $\|z_A\|$ to $\|z_B\|$ (Shoemake 1985; White 2016). A draw from
$\mathcal N(0, I)$ in many dimensions is about $\sqrt D$ long: the straight way cuts through a middle where hardly any
draw lies, the arc does not. In two dimensions the middle is the likeliest place. An AE has no prior to ask for either.

**What to look for.** In two dimensions a model's way passes the digits that lie between on the map. An AE's codes lie
in islands of any size and distance, so on its way it may stay with one digit for long and then jump. A VAE was trained
on clouds of codes that overlap in one room: over 5,000 pairs of different MNIST test digits (nine pictures, the linear
way) its steps are the more even ones in 84 % (longest / mean, median 1.5 against the AE's 2.1). It pays with the longer
detour, in 76 % of them (3.6 against 2.8): more digits live on its way. What lies strictly between the ends is a digit
for both (98 and 96 of 100 pictures; of the plain blend 30). In twenty dimensions there is room, hardly any digit stands
in between, and the order turns: the AE walks the more evenly in 71 % of 3,000 pairs, and of what lies between 87 of 100
pictures are digits with it, 86 with the VAE: about equal. So none of this says that a VAE interpolates best. These are
single runs, and with twenty numbers not of one recipe: the VAE's KL came in over eight epochs, and the CVAE's decoder
has one more layer.

A CVAE has two things to move. In training a label was one digit or another, so a blend of labels is an input that it
never saw: only the ends of that row mean anything, and the honest way to change the label is to switch it.
"""

frame("Interpolate", __doc__)
page()
folded("What happens here, in formulas", partial(st.markdown, FORMULAS))
glossary("encoder, decoder", "code, z", "AE", "VAE", "CVAE", "posterior", "prior, N(0, I)", "judge")
