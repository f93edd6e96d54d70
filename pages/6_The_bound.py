"""How likely is a digit, and how much of that do models miss?"""

import streamlit as st

from ui.live import store
from ui.parts import fetch
from ui.parts.page import frame
from ui.parts.picture import choose_digit, label_for, show_steps
from ui.shell.family import slug, title
from ui.shell.glossary import glossary

PARTS = {
    "Posterior": "How likely is this digit, exactly? Pull the ring of q: the bar can never cross the line.",
    "Sampling": "In training nobody can integrate, so z is drawn. How far off is one draw, and how far are many?",
    "Observation model": "What a decoder draws is a mean. Here are the images that its p(x | z) really stands for.",
    "β": "The price of a nat of code. From nothing to sixteen, an autoencoder's map becomes a VAE's, and then falls in "
    "on a line.",
    "Denoising": "The DAE's loss is an expectation over corruptions: draw some, and watch their mean settle.",
}
BOUND = ("evidence, log p(x)", "ELBO", "KL")
WORDS = {
    "Posterior": (*BOUND, "q", "posterior", "gap", "E-step, EM", "mode", "prior, N(0, I)"),
    "Sampling": (*BOUND, "q", "L, K draws; IWAE", "reparameterised, score function", "standard error"),
    "Observation model": (*BOUND, "Bernoulli", "Gaussian", "binarised"),
    "β": (*BOUND, "q", "posterior", "β", "reconstruction", "prior, N(0, I)"),
    "Denoising": ("DAE", "standard error"),
}
KEPT = {"persist_state": "session", "required": True}

frame("The bound", __doc__)
part = st.segmented_control("Part", list(PARTS), key="part", label_visibility="collapsed", **KEPT)
st.markdown(PARTS[part])
controls, kinds = st.columns([3.4, 1])
kind = "vae"
if part in ("Posterior", "Sampling"):  # the others name their models themselves
    kind = kinds.segmented_control("Model", (kind, "cvae"), format_func=title, key="inside_model", **KEPT)
with controls:
    chosen = choose_digit()
name, label = slug(kind, 2), None
model, _ = store.guard(name)
if model.conditional:
    label, how = label_for(chosen, model)
    st.caption(f"The {title(kind)} is told that this is {'an' if label == 8 else 'a'} {label} ({how}).")
if not chosen.pixels.any():
    st.info("This picture has no ink. The numbers hold all the same: how likely the model finds a blank picture.")
# A part is imported when it is shown: some bring Plotly along, and the page opens with one of them.
if part == "Posterior":
    from ui.views.bound.account import exact_account as show
elif part == "Sampling":
    from ui.views.bound.sampling import sampling as show
elif part == "Observation model":
    from ui.views.bound.observation import observation as show
elif part == "β":
    from ui.views.bound.betas import betas as show
else:
    from ui.views.bound.denoising import denoising as show
show(name, chosen, label)
show_steps(chosen)
fetch.mnist_notice()
glossary("nat", *WORDS[part])
