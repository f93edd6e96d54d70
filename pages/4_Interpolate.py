"""What lies between two digits? Choose or draw two, and walk from one to the other."""

import numpy as np
import streamlit as st
import torch

from ui.live import store
from ui.parts import fetch
from ui.parts.cast import choose, choose_size
from ui.parts.digit import KEY
from ui.parts.page import frame
from ui.parts.picture import choose_or_draw, label_for
from ui.parts.tiles import numbers, strips
from ui.shell.failure import fragment
from ui.shell.glossary import glossary
from ui.views.interpolate import walk
from ui.views.interpolate.ways import HEAD, START, Walker, Ways, animation, pace, read

frame("Interpolate", __doc__)
left, right, more = st.columns([3, 3, 2])
with left:
    first = choose_or_draw(KEY, title="From", start={source: pair[0] for source, pair in START.items()})
with right:
    second = choose_or_draw("to", title="To", start={source: pair[1] for source, pair in START.items()})
with more, st.container(horizontal=True, gap="medium"):
    dim = choose_size("walk")
    way = st.segmented_control("Way", ("linear", "spherical"), required=True, key="walk_way", persist_state="session")
    models = choose("walk", dim)

ends = torch.tensor(np.stack([first.pixels, second.pixels]))
walkers, said = [], []
for one in models:
    model, told = store.guard(one.slug)[0], None
    store.guard_codes(one.slug)
    if one.conditional:
        (a, how_a), (b, how_b) = (label_for(digit, model, one.dataset) for digit in (first, second))
        told, names = (a, b), one.data.classes
        if "guessed" in how_a + how_b:
            said.append(f"to the {one.name} {names[a]} ({how_a}) and {names[b]} ({how_b})")
    walkers.append(Walker(one, model, told))
ways = Ways(walkers, ends, spherical=way == "spherical")
blank = next((word for word, digit in (("from", first), ("to", second)) if not digit.pixels.any()), None)


@fragment
def scrub() -> None:
    """The live view, and whenever the hand lets go, what a classifier reads there."""
    at = walk.interpolate(walkers, (first, second), ways)
    if blank:
        return
    if judge := store.judge():
        words = read(ways(torch.tensor([at])), judge)
        with st.container(key="settled"):
            st.caption(f"At t = {at:.2f} a classifier that knows no autoencoder reads: {words}.")
    st.download_button("Save as GIF", lambda: animation(ways), "interpolation.gif", "image/gif", on_click="ignore")


scrub()
fetch.mnist_notice()
if blank:
    st.info(f"The pad is empty. Draw the digit to walk {blank}, and the whole way appears here.")
else:
    st.subheader("The whole way")
    steps = st.select_slider("Pictures", range(5, 16), key="walk_steps", persist_state="session", width=220)
    walked = ways(torch.linspace(0, 1, steps))
    strips(walked)
    if said:
        st.caption(f"Labels told {'; '.join(said)}. Where you know better, set it above.")
    st.subheader("How even is the walk?")
    numbers(HEAD, [pace(one, store.judge()) for one in walked])
    st.caption(
        "A step is Σ|Δ| over the pixels of two neighbours: how many pixels of ink change. Longest / mean is 1 where "
        "all steps are equal, and a jump makes it large. Detour is the whole walk over the straight one: a way through "
        "other digits is long. Digits between: how many of the pictures strictly between the ends the judge takes for "
        "digits. The plain blend is perfect in evenness and detour, and halfway it shows two digits at once: an even "
        "pace alone is no good way."
    )
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
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
    )
glossary("encoder, decoder", "code, z", "AE", "VAE", "CVAE", "posterior", "prior, N(0, I)", "judge")
