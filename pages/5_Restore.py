"""Spoil a digit and let each model draw it again. The DAE learned exactly this; the others were never asked to."""

import streamlit as st
import torch

from ui import store
from ui.family import DIGIT_COLOURS, FAMILY, slug, title
from ui.frame import frame
from ui.picture import choose_digit, label_for, show_steps
from ui.tiles import Tile, numbers, row
from vae_core import corruption, latent, metrics

KINDS = {  # kind → name, what the amount is, where the slider starts
    "masking": ("Masking", "Share of pixels put out", 0.5),
    "salt_pepper": ("Salt and pepper", "Share of pixels set to black or white", 0.25),
    "gaussian": ("Gaussian noise", "σ of the noise", 0.5),
    "blur": ("Blur, never seen by the DAE", "σ in pixels", 1.5),
}
HEAD = ("", "nats", "MSE", "PSNR, dB", "wrong pixels")
FORMATS = ("{:.2f}", "{:.4f}", "{:.2f}", "{:.1%}")
BETTER = (min, min, max, min)


def spoil_again() -> None:
    st.session_state["spoil_seed"] = st.session_state.get("spoil_seed", 0) + 1


def table(rows: dict[str, metrics.Restoration | dict[str, float] | None]) -> None:
    """One line a rival; the best of each column in bold."""
    fields = metrics.Restoration._fields
    values = [
        [None if r is None else float(r[f] if isinstance(r, dict) else getattr(r, f)) for f in fields]
        for r in rows.values()
    ]
    best = set()
    for c, better in enumerate(BETTER):
        column = {r: line[c] for r, line in enumerate(values) if line[c] is not None}
        best |= {(r, c + 1) for r, v in column.items() if v == better(column.values())}
    text = [["—" if v is None else f.format(v) for f, v in zip(FORMATS, line, strict=True)] for line in values]
    numbers(HEAD, [(name, *line) for name, line in zip(rows, text, strict=True)], best_cells=best)


frame("Restore", __doc__)
store.mnist_notice()
chosen = choose_digit("digit", camera=True)
with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
    kind = st.selectbox(
        "Corruption", KINDS, format_func=lambda k: KINDS[k][0], key="spoil_kind", persist_state="session", width=240
    )
    amount = st.select_slider(
        KINDS[kind][1], metrics.AMOUNTS[kind], KINDS[kind][2], key=f"spoil_{kind}", persist_state="session", width=260
    )
    with st.container(width="content", gap=None):
        st.space(28)  # a button has no label above it
        st.button("Spoil again", on_click=spoil_again)
    dim = st.segmented_control(
        "Numbers in the code", (2, 20), default=20, required=True, key="spoil_dim", persist_state="session"
    )

models = {k: store.guard(slug(k, dim)) for k in FAMILY}
label, how = label_for(chosen, models["cvae"][0])
y, key = torch.tensor([label]), f"{amount:g}"
clean = models["ae"][0].observe(torch.tensor(chosen.pixels)[None])
seed = torch.Generator().manual_seed(st.session_state.get("spoil_seed", 0))
spoilt = corruption.corrupt(clean, kind, amount, seed)
filtered_test = store.baselines().get("median", {}).get(kind, {}).get(key)
median_size = filtered_test["size"] if filtered_test else 3
restored = {"Spoilt": spoilt, f"Median filter {median_size}×{median_size}": metrics.median_filter(spoilt, median_size)}
for k, (model, _) in models.items():
    restored[title(k)] = latent.decode(model, latent.encode_as_is(model, spoilt, y).mean, y)
scores = {name: metrics.restoration(pixels, clean) for name, pixels in restored.items()}

tiles = [Tile(clean[0].numpy(), "Clean", f"a {label}, binarised", DIGIT_COLOURS[label])]
for name, pixels in restored.items():
    note = f"{float(scores[name].psnr):.2f} dB, {float(scores[name].wrong):.1%} wrong"
    tiles.append(Tile(pixels[0].numpy(), name, note))
row(tiles, size=124)
show_steps(chosen)

tests = [store.baselines().get("corrupted", {}).get(kind, {}).get(key), filtered_test]
tests += [card["denoising"].get(kind, {}).get(key) for _, card in models.values()]
left, right = st.columns(2, gap="large")
with left:
    st.subheader("This digit")
    table(scores)
with right:
    st.subheader("Mean over 2,000 test digits")
    table(dict(zip(restored, tests, strict=True)))

noisy = ", ".join(f"{FAMILY[k].name} {n:.0%}" for k, (m, _) in models.items() if (n := m.config.encoder_noise))
st.caption(
    f"Bold is best. Nats: cross-entropy against the clean pixels, probabilities kept 1e-4 away from 0 and 1. Means: the "
    f"first 2,000 MNIST test images, one fixed seed, stored with each model. The CVAE is told the label, {label} ({how})."
    + (f" Pixels flipped on the encoder's input in training, a mild DAE by itself: {noisy}." if noisy else "")
)
with st.expander("What happens here, in formulas"):
    st.markdown(
        r"""
A DAE never sees the digit that it must draw. It gets $\tilde x \sim q_D(\tilde x \mid x)$ and is scored against the clean $x$:

$$\mathcal L = \mathbb E_x\, \mathbb E_{q_D(\tilde x \mid x)} \big[-\log p\big(x \mid g(f(\tilde x))\big)\big]$$

The outer expectation is over the training digits, the inner one over the ways to spoil a digit: masking up to 0.7, salt
and pepper up to 0.4, Gaussian noise up to σ = 0.7, and a tenth left clean. The AE is the same network trained with
$\tilde x = x$. What is spoilt goes into every model as it is and is not made black and white again.

**Why the DAE wins, and where not.** The best answer to a spoilt digit is the mean over all digits that may be behind it; this
is what the DAE's loss asks for. The others take the noise for strokes, and their code lands where no digit's code lies.
Blur is in no DAE's training, and there the lead may vanish. Where little is spoilt, everything that goes
through a few numbers loses detail, and the spoilt picture itself has fewer wrong pixels. The median filter knows nothing of
digits: it takes out lone dots well, and eats thin strokes under masking.

PSNR is $-10 \log_{10} \mathrm{MSE}$, per digit, then the mean. Wrong pixels are counted after a threshold at 0.5.
"""
    )
