"""Who brings back a spoilt digit? Spoil one, and each model draws it again."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Restore", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    import torch

    from ui.parts import fetch
    from ui.parts.cast import choose, choose_size
    from ui.parts.picture import choose_digit, show_steps
    from ui.parts.tiles import Tile, row
    from ui.shell.family import DIGIT_COLOURS
    from ui.views import restore
    from vae_core import metrics
    from vae_core.corruption import CORRUPTIONS, corrupt

chosen = choose_digit()
with st.container(horizontal=True, gap="medium"):
    kind = st.selectbox(
        "Corruption",
        CORRUPTIONS,
        format_func=restore.named,
        key="spoil_kind",
        persist_state="session",
        width=240,
    )
    way = CORRUPTIONS[kind]
    amount = st.select_slider(way.unit, way.amounts, key=f"spoil_{kind}", persist_state="session", width=260)
    with st.container(width="content", gap=None):
        st.space(28)  # a button has no label above it
        st.button(
            "Spoil again",
            on_click=restore.spoil_again,
            disabled=not way.noise,
            help=None if way.noise else f"{way.name} has no chance in it: it would be the same again.",
        )
    dim = choose_size("spoil")
    with st.container(width="content", gap=None):
        st.space(28)
        models = choose("spoil", dim)

clean = (torch.tensor(chosen.pixels)[None] >= 0.5).float()
spoilt = corrupt(clean, kind, amount, torch.Generator().manual_seed(st.session_state["spoil_seed"]))
rivals = [*restore.plain(spoilt, kind, amount), *(restore.rival(m, spoilt, chosen, kind, amount) for m in models)]
scores = [None if r.pixels is None else [float(v) for v in metrics.restoration(r.pixels, clean)] for r in rivals]

label = next((y for y in (chosen.label, *(r.told for r in rivals)) if y is not None), None)
edge = None if label is None else DIGIT_COLOURS[label % len(DIGIT_COLOURS)]
tiles = [Tile(clean[0].numpy(), "Clean", "binarised at 0.5", edge)]
for one, score in zip(rivals, scores, strict=True):
    if score:
        tiles.append(Tile(one.pixels[0].numpy(), one.name, f"{score[2]:.2f} dB, {score[3]:.1%} wrong"))
row(tiles, columns=8)  # as many as there can be: a kind without a regression leaves the last place empty
show_steps(chosen)
left, right = st.columns(2, gap="large")
with left:
    st.subheader("This digit")
    restore.table([restore.Line(one.name, score) for one, score in zip(rivals, scores, strict=True)])
with right:
    st.subheader(f"Mean of {metrics.DENOISING_IMAGES:,} test digits")
    fields = metrics.Restoration._fields
    restore.table([restore.Line(r.name, r.means and [r.means[f] for f in fields], not r.why) for r in rivals])
    if apart := [f"{r.name}: {r.why}" for r in rivals if r.why]:
        st.caption(f"{'; '.join(apart)}. So nothing there is marked as best.")
told = " ".join(r.words for r in rivals if r.words)
st.caption(
    f"Bold is best. {told} Nats: cross-entropy against the clean pixels, with probabilities kept 1e-4 away from 0 "
    "and 1. Means: the first MNIST test images, one fixed seed; that of PSNR is the mean of each image's dB. Of the "
    f"regressions, one for each kind and amount, the app holds three ({restore.headline()}); elsewhere it has no "
    "picture."
)
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
A DAE never sees the digit that it must draw. It gets $\tilde x \sim q_D(\tilde x \mid x)$, its answer is scored on $x$:

$$
\mathcal L = \mathbb E_x\, \mathbb E_{q_D(\tilde x \mid x)} \big[-\log p\big(x \mid g(f(\tilde x))\big)\big]
$$

The outer mean is over digits, the inner one over ways to spoil them: masking up to 0.7, salt and pepper up to 0.4,
Gaussian noise up to σ = 0.7, a tenth left clean. The AE is the same network with $\tilde x = x$. Here all get the
spoilt pixels as they are, not binarised again. PSNR is $-10 \log_{10} \mathrm{MSE}$ of an image, and its mean is one of
dB; wrong pixels lie beyond 0.5. AE and DAE were trained alike. With 20 numbers the VAE and the CVAE were not: the VAE's
KL came in over eight epochs, and the CVAE's decoder has one more layer.

**Who wins, and where.** The best answer to a spoilt digit is the mean of all digits that may be behind it, and the
DAE's loss asks for it. AE, VAE and CVAE never saw a spoilt digit: they take dots for ink and gaps for paper. The
DAE's fair rival is a *ridge regression*, which guesses each clean pixel as a weighted sum of all spoilt ones and is
fitted on training images for this kind and amount alone; the DAE is one network for all. In the means over test digits,
with 20 numbers in the code:

- At masking 0.5, salt and pepper 0.25 and noise of σ = 0.5 the DAE leads in nats, MSE and dB. In wrong pixels it leads
  at masking only; for the other two the regression makes fewer.
- Where less is spoilt the regression leads in dB, too: at masking up to 0.2, salt and pepper up to 0.1 and noise up to
  0.3. Drawing from 20 numbers costs detail of its own, at masking 0.1 and noise of 0.1 more than the spoiling did.
- At masking the median filter is worse than doing nothing, at every amount: it eats thin strokes. Lone dots it
  removes well.
- No DAE was trained on blur, and it is worse there than doing nothing. Blur without noise is linear, so a regression
  undoes it, nearly to the pixel up to σ = 1.
"""
    )
fetch.mnist_notice()
glossary("DAE", "nat", "MSE", "PSNR, dB", "ridge regression", "binarised", "code, z")
