"""The page "Map": both maps, and what is known of what is picked there."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from ui.shell.failure import fragment
from ui.shell.folded import folded
from ui.views.map import live
from ui.views.map.answers import answers

HANDS = r"""
Wheel, pinch, + and − zoom; a drag moves the map; a click fixes an image or a place. Arrow keys move a cursor, page keys
move it far, Home puts it at the origin, Enter picks. A class pressed below the maps stands out on both. With *Lasso*,
or Shift and the mouse, a drag draws a loop: what it catches on one map stands out on the other, too; by keys, Enter
marks two corners of a box. Escape takes the loop away. On a walk, distances are in σ of the model's own codes on each
axis, so that models compare: $\sqrt{\sum_j (z_j - z'_j)^2 / \sigma_j^2}$. This σ is *robust*, the interquartile
range over 1.349, which for a Gaussian is its σ. The AE and the DAE put a few codes far out, which make their standard
deviation four to seven times as large. The cycle error is
$\lVert \mathrm{dec}(\mathrm{enc}(\hat x)) - \hat x \rVert$ over all pixels, $\hat x$ binarised before it is
encoded. A round trip's arrow leads from $z$ to $\mathrm{enc}(\mathrm{dec}(z) \ge \tfrac12)$.

*Shade by* asks of every place what it lacks, on one scale for both maps: whether the judge takes its drawing for a
digit; whether the drawing comes back (the cycle error again, over $\sqrt{784}$, so that it is one pixel's); and the
decoder's *sensitivity* $\sqrt{\det J^\top J}$, the area that a square of one robust σ has among the drawings, which is
large on the cliffs between two digits. *Density* is a kernel estimate in the same σ: each code is a Gaussian
$n^{-1/6}$ σ wide, and whatever is three times as dense as a Gaussian's peak looks alike.

*Epochs* shows where the first 500 test images' codes lay after some epochs, by the running mean of the weights, as the
trained model has it. Another training ends anywhere else, and so does another moment of one: the axes of a code may
turn. So the codes $Z$ of an epoch, centred, are laid upon the last ones $Z'$ by the orthogonal matrix $R$ that makes
$\lVert Z R - Z' \rVert$ least (Procrustes), which leaves all distances within an epoch as they are. Nats are means over
an epoch's own training batches: spoilt inputs for a DAE, small affine maps of the images included.

The *judge* of a walk is a classifier trained on digits and on pictures that are none; it never saw an autoencoder. A
drawing is a digit to it where $\log p(\text{a digit} \mid x) - \log p(\text{no digit} \mid x)$ reaches a
threshold, which 98 % of held-out digits do. It errs, too. Of each kind of garbage that it was trained on less than
1.2 % passes, and of two digits drawn over each other 1.7 %. Some kinds that it never saw pass more often: scribbles
6.5 %, digits turned by 90° 16 %. What two digits have in common, often a readable digit itself, passes in 44 %.
"""


def page() -> None:
    """Both maps, what lies below them, and how to move there."""
    here = live.models()
    if not here:
        st.error("No trained 2-D model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
        st.stop()
    _maps(live.start(here))
    _notice()
    folded("How to move, and what is measured", partial(st.markdown, HANDS))


@fragment
def _maps(opening: dict[str, Any]) -> None:
    """A pick runs this part of the page alone; who is there may have changed since the page opened."""
    here = live.models()
    if not {opening["left"], opening["right"]} <= set(here):
        opening = live.start(here)
    answers(here, live.view(here, opening))


def _notice() -> None:
    """Say so where MNIST itself is not here, and offer to fetch it."""
    from ui.live import store
    from ui.parts import fetch

    if not store.whole("mnist"):
        fetch.mnist_notice()
