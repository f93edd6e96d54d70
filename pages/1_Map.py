"""Each dot is one test image, put where a model's two numbers place it. Click a dot and find it on both maps."""

import numpy as np
import streamlit as st

from ui import figures, readout, store
from ui.family import DIGIT_COLOURS, FAMILY, slug, title
from ui.frame import frame
from ui.tiles import Tile, numbers, row
from vae_core import latent

NEIGHBOURS = 8
CIRCLES = {
    False: "Dashed: 1σ and 2σ of N(0, I), a yardstick only; nothing in training pulled the codes there.",
    True: "Circles: 1σ and 2σ of the prior N(0, I); training pulled every q towards it.",
}
WHAT_YOU_SEE = """
An autoencoder is only asked to draw each digit back, so it may put the codes wherever that works. It leaves empty
land between crowded places, and its units mean nothing: another training gives another map of another size. A
variational autoencoder answers with a small Gaussian $q(z \\mid x)$, the ellipse, and pays in nats for every one that
differs from $N(0, I)$. This draws them together around the origin until they leave little empty ground. On the CVAE's
map the colours mix, and that is its success: the label stands beside $z$, so $z$ is free for the style.

What the AE and the DAE make small, where $\\hat x$ is what they draw (the DAE from a spoilt $x$):
"""
WHAT_IT_PAYS = """
What the VAE makes small, an upper bound of $-\\log p(x)$. The CVAE has $q(z \\mid x, y)$ and $p(x \\mid z, y)$ here,
and bounds $-\\log p(x \\mid y)$:
"""


def pick(chart: str) -> None:
    """A click on a dot; a click beside all dots changes nothing."""
    if points := st.session_state[chart]["selection"]["points"]:
        st.session_state["image"] = int(np.ravel(points[0]["customdata"])[0])


def another(n: int) -> None:
    st.session_state["image"] = int(np.random.default_rng().integers(n))


def draw_map(kind: str, codes: readout.Codes, shown: np.ndarray, i: int, chart: str) -> None:
    z, labels, prior = codes["test_mean"].numpy(), codes["test_label"].numpy(), "test_logvar" in codes
    mark = figures.Mark(z[i], codes["test_logvar"][i].mul(0.5).exp().numpy() if prior else None)
    st.markdown(f"**{title(kind)}** &nbsp; :small[:gray[{FAMILY[kind].code}]]")
    with st.container(height=figures.HEIGHT, border=False):  # Plotly takes seconds to come: its place is kept
        st.plotly_chart(
            figures.code_map(z, labels, shown, prior=prior, mark=mark, name=kind),
            key=chart,
            on_select=lambda: pick(chart),
            selection_mode="points",
            config=figures.CONFIG,
            alt=f"Map of {len(shown)} codes of the {FAMILY[kind].full}, coloured by digit",
        )
    outside = figures.beyond(z, z[i])
    further = f" Beyond this window: {outside} of {len(z):,}; zoom out to see them." if outside else ""
    within = [f"{readout.share_within(codes, radius):.0%}" for radius in (1, 2)]
    st.caption(
        f"{CIRCLES[prior]} Inside lie {within[0]} and {within[1]} of the codes; of N(0, I), 39% and 86%.{further}"
    )


def draw_answer(kind: str, codes: readout.Codes, i: int) -> None:
    """What one model makes of test image i: its drawing, its code, its nats, its neighbours."""
    model, _ = store.guard(slug(kind, 2))
    rows = [i, *readout.nearest(codes, i, NEIGHBOURS)]
    labels, originals = codes["test_label"][rows], store.originals()
    drawn = latent.decode(model, codes["test_mean"][rows], labels if model.conditional else None).numpy()
    left, right = st.columns([1, 1.25])
    with left:
        original = [] if originals is None else [Tile(originals[i], f"Image {i}", f"label {labels[0]}")]
        row([*original, Tile(drawn[0], FAMILY[kind].name, "its drawing")], size=86)
    with right:
        numbers(readout.POSTERIOR_HEAD, readout.posterior(codes, i))
    numbers(readout.SCORES_HEAD, readout.scores(codes, i, conditional=model.conditional))
    less = "Less −ELBO is better." if model.probabilistic else "A point has no q: no KL, no ELBO."
    st.caption(f"Percentile: the share of test images with less. {less}")
    same = int((labels[1:] == labels[0]).sum())
    absent = " The originals are not on this machine: these are the model's drawings." if originals is None else ""
    st.caption(f"Nearest codes, nearest first: {same} of {NEIGHBOURS} show a {labels[0]}, too.{absent}")
    pictures = drawn[1:] if originals is None else originals[rows[1:]]
    row(
        (Tile(p, str(y), edge=DIGIT_COLOURS[y]) for p, y in zip(pictures, labels[1:].tolist(), strict=True)),
        columns=NEIGHBOURS,
    )


frame("Map", __doc__)
kinds = [k for k in FAMILY if slug(k, 2) in store.slugs(2)]
if not kinds:
    st.error("No trained 2-D model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
    st.stop()
store.mnist_notice()
bar = st.container(horizontal=True, vertical_alignment="bottom")
look = {"format_func": title, "persist_state": "session", "width": 120}
chosen = (
    bar.selectbox("Left map", kinds, kinds.index("ae") if "ae" in kinds else 0, key="left", **look),
    bar.selectbox("Right map", kinds, kinds.index("vae") if "vae" in kinds else 0, key="right", **look),
)
codes = [store.guard_codes(slug(kind, 2)) for kind in chosen]
n = len(codes[0]["test_label"])
sizes = (500, 1000, 2000, 5000, 10_000)
dots = bar.select_slider("Dots", sizes, 2000, key="dots", persist_state="session", width=230)
image = bar.number_input(f"Test image, 0 … {n - 1}", 0, n - 1, key="image", bind="query-params", width=160)
bar.button("Another", on_click=another, args=(n,))

shown = np.random.default_rng(0).permutation(n)[:dots]  # always the same images: fewer are a part of more
for side, kind, code, column in zip(("left", "right"), chosen, codes, st.columns(2, gap="large"), strict=True):
    with column:
        draw_map(kind, code, shown, image, f"map_{side}")
for kind, code, column in zip(chosen, codes, st.columns(2, gap="large"), strict=True):
    with column:
        draw_answer(kind, code, image)
with st.expander("What you see"):
    st.markdown(WHAT_YOU_SEE)
    st.latex(r"-\sum_p \left[x_p \log \hat x_p + (1 - x_p) \log(1 - \hat x_p)\right]")
    st.markdown(WHAT_IT_PAYS)
    st.latex(
        r"-\mathbb{E}_{q(z \mid x)}[\log p(x \mid z)] + \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)"
    )
