"""Which models are here, and how good is each?"""

from functools import partial

import streamlit as st

from ui.live import cast
from ui.parts.page import frame
from ui.shell.folded import folded
from ui.shell.glossary import glossary
from ui.views import models

frame("Models", __doc__)
there, broken = cast.survey()
if there:
    shown = [models.read(one) for one in models.choose(there, broken)]
    slugs = {one.slug for one in there}
    cards = st.columns(2, gap="large")
    for place, model in zip(cards, shown, strict=False):
        with place:
            models.heading(model)
            models.doors(model, slugs)
    with cards[1] if len(shown) == 1 else st.container():
        models.scores(shown)
    for place, model in zip(cards, shown, strict=False):
        with place:
            models.drawings(model)
            models.weights(model)
            models.units(model)
    st.subheader("How it was made" if len(shown) == 1 else "How they were made")
    models.commands(shown)
    models.curves(shown)
    folded("Every setting", partial(models.recipes, shown))
    st.subheader("All models")
    models.everyone(there)
else:
    st.error("No whole model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
models.left_out(broken)
glossary("AE", "DAE", "VAE", "CVAE", "code, z", "nat", "reconstruction", "KL", "ELBO", "PSNR, dB")
