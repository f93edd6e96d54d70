"""Spoil a digit and let each model draw it again. The DAE learned exactly this; the others were never asked to."""

import streamlit as st

from ui.frame import frame

frame("Restore", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    import torch

    from ui import fetch, restoring, store
    from ui.family import DIGIT_COLOURS, FAMILY, slug, title
    from ui.picture import choose_digit, label_for, show_steps
    from ui.tiles import Tile, row
    from vae_core import corruption, latent, metrics

chosen = choose_digit("digit", camera=True)
with st.container(horizontal=True, gap="medium"):
    kind = st.selectbox(
        "Corruption",
        restoring.KINDS,
        format_func=lambda k: restoring.KINDS[k][0],
        key="spoil_kind",
        persist_state="session",
        width=240,
    )
    _, unit, start = restoring.KINDS[kind]
    amount = st.select_slider(
        unit, metrics.AMOUNTS[kind], start, key=f"spoil_{kind}", persist_state="session", width=260
    )
    with st.container(width="content", gap=None):
        st.space(28)  # a button has no label above it
        st.button("Spoil again", on_click=restoring.spoil_again)
    dim = st.segmented_control(
        "Numbers in the code", (2, 20), default=20, required=True, key="spoil_dim", persist_state="session"
    )

models = {k: store.guard(slug(k, dim)) for k in FAMILY}
label, how = label_for(chosen, models["cvae"][0])
clean, y, key = models["ae"][0].observe(torch.tensor(chosen.pixels)[None]), torch.tensor([label]), f"{amount:g}"
seed = torch.Generator().manual_seed(st.session_state.get("spoil_seed", 0))
spoilt = corruption.corrupt(clean, kind, amount, seed)
spoilt_test, median_test = (store.baselines().get(b, {}).get(kind, {}).get(key) for b in ("corrupted", "median"))
side = median_test["size"] if median_test else 3
restored = {"Spoilt": spoilt, f"Median filter {side}×{side}": metrics.median_filter(spoilt, side)}
for k, (model, _) in models.items():
    restored[title(k)] = latent.decode(model, latent.encode_as_is(model, spoilt, y).mean, y)
scores = {name: [float(v) for v in metrics.restoration(pixels, clean)] for name, pixels in restored.items()}
tests = [spoilt_test, median_test, *(card["denoising"].get(kind, {}).get(key) for _, card in models.values())]

tiles = [Tile(clean[0].numpy(), "Clean", "binarised at 0.5", DIGIT_COLOURS[label])]
for name, (_, _, psnr, wrong) in scores.items():
    tiles.append(Tile(restored[name][0].numpy(), name, f"{psnr:.2f} dB, {wrong:.1%} wrong"))
row(tiles, size=124)
show_steps(chosen)
fetch.mnist_notice()
left, right = st.columns(2, gap="large")
with left:
    st.subheader("This digit")
    restoring.table(scores)
with right:
    st.subheader(f"Mean of {metrics.DENOISING_IMAGES:,} test digits")
    restoring.table(
        {name: t and [t[f] for f in metrics.Restoration._fields] for name, t in zip(restored, tests, strict=True)}
    )
st.caption(
    f"Bold is best. The CVAE is told the label, {label} ({how}). Nats: cross-entropy against the clean pixels, with "
    "probabilities kept 1e-4 away from 0 and 1. Means: the first MNIST test images, one fixed seed."
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
spoilt pixels as they are, not binarised again. PSNR is $-10 \log_{10} \mathrm{MSE}$; wrong pixels lie beyond 0.5.

**Why the DAE wins, and where not.** The best answer to a spoilt digit is the mean of all digits that may be behind it,
and the DAE's loss asks for it. The others take noise for strokes: their code lands where no digit's code lies. No DAE
was trained on blur, and there its lead may go. Where little is spoilt, drawing from a few numbers costs more detail
than the noise did. The median filter removes lone dots well and eats thin strokes.
"""
    )
