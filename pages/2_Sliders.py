"""Every slider is one number of the code. Move one and see what it means to the model."""

import math

import streamlit as st
import torch

from ui import readout, store
from ui.family import FAMILY, slug, title
from ui.frame import frame
from ui.picture import choose_digit
from ui.tiles import Strip, Tile, row, strips
from vae_core import latent

DIMENSIONS = (2, 20)
IDLE = 0.01  # nats; a dimension with less KL says next to nothing about the digit
SIGMAS = torch.arange(-3.0, 4.0)  # of the walk
# The picture stays in view while the sliders beside it, or below it on a phone, are moved.
STICKY = """<style>[data-testid="stColumn"]:has(.st-key-stage) { position: sticky; top: 3.4rem; z-index: 2;
  align-self: flex-start; backdrop-filter: blur(16px); }
@media (max-width: 640px) {
  .st-key-stage .lse-tile { width: 100%; max-width: none; display: grid; grid-template-columns: 130px 1fr;
    gap: 12px; align-items: end; }
}</style>"""
UNFAIR = "Nothing in training placed this model's codes around the origin, so a failure here is not its fault."
WHAT_YOU_SEE = """
The sliders stand in the order of their worth. For a VAE or CVAE that is the mean KL of the dimension in nats: what the
model pays to say something with it. A dimension it does not need it leaves at the prior, and that slider does next to
nothing. The AE and the DAE pay nothing for their codes and use every dimension; here the order is that of σ, the spread
of the codes. A random code comes from the prior $N(0, I)$ where training pulled the codes towards it. A deterministic
model has no prior: its random codes come from one Gaussian with the mean and the covariance of its codes. The codes
have another shape than that, so some draws fall into gaps.
"""


def put(name: str, codes: readout.Codes, z: torch.Tensor, label: int | None = None) -> None:
    """Set all sliders to z (D,). A number beyond a slider's end is set to the end, and the page says so."""
    cut = []
    for j, value in enumerate(z.tolist()):
        centre, _, reach = readout.reach(codes, j)
        st.session_state[f"{name}_{j}"] = min(max(value, centre - reach), centre + reach)
        if abs(value - centre) > reach:
            cut.append(f"{readout.dimension(j)} = {readout.signed(value)}")
    st.session_state["cut"] = ", ".join(cut)
    if label is not None:
        st.session_state["label"] = label


def draw(name: str, codes: readout.Codes, source: latent.Gaussian) -> None:
    """A random code; every draw has its own seed, so a visit can be repeated."""
    seed = st.session_state["draws"] = st.session_state.get("draws", 0) + 1
    put(name, codes, source.sample(1, torch.Generator().manual_seed(seed))[0])


def draw_sliders(name: str, codes: readout.Codes, dims: list[tuple[int, float]], columns: int) -> None:
    per = -(-len(dims) // columns)
    for k, column in enumerate(st.columns(columns)):
        for j, worth in dims[k * per : (k + 1) * per]:
            centre, _, reach = readout.reach(codes, j)
            unit = f"{worth:.2f} nats" if "test_logvar" in codes else f"σ {math.sqrt(worth):.2f}"
            column.slider(
                f"{readout.dimension(j)} &nbsp; :small[:gray[{unit}]]",
                centre - reach,
                centre + reach,
                step=0.05,
                format="%+.2f",
                key=f"{name}_{j}",
                persist_state="session",
            )


def draw_walk(kind: str, codes: readout.Codes, order: list[int], z: torch.Tensor, decode) -> None:
    """One number from −3σ to +3σ, the others as the sliders have them."""
    j = st.selectbox("Walk along", order, format_func=readout.dimension, key=f"walk_{len(z)}", width=140)
    centre, sd, _ = readout.reach(codes, j)
    name, pictures = readout.dimension(j), decode(latent.traverse(z, j, centre + sd * SIGMAS))
    strips([Strip(name, "−3σ … +3σ", pictures, f"{FAMILY[kind].name}, {name} from −3σ to +3σ")])
    low, high = (readout.signed(centre + k * sd) for k in (-3, 3))
    st.caption(f"{name} from {low} to {high} in steps of one σ; the other numbers stay where they are.")


@st.fragment
def play() -> None:
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    kinds = [k for k in FAMILY if any(slug(k, d) in store.slugs() for d in DIMENSIONS)]
    kind = bar.selectbox("Model", kinds, format_func=title, key="kind", persist_state="session", width=130)
    sizes = [d for d in DIMENSIONS if slug(kind, d) in store.slugs()]
    size = bar.selectbox("Dimensions", sizes, key="size", persist_state="session", width=110)
    name = slug(kind, size)
    (model, _), codes = store.guard(name), store.guard_codes(name)
    source = readout.source(codes)
    if f"{name}_0" not in st.session_state:
        put(name, codes, codes["test_mean"][0], int(codes["test_label"][0]))
    if model.conditional:
        bar.selectbox("Label", range(10), key="label", persist_state="session", width=90)
    bar.button("Random code", on_click=draw, args=(name, codes, source), type="primary")
    if not model.probabilistic:
        bar.button("N(0, I), unfair", on_click=draw, args=(name, codes, latent.standard_normal(size)), help=UNFAIR)
    bar.button("Reset", on_click=put, args=(name, codes, source.mean), help="The prior's mean, or the codes'")
    label = torch.tensor([st.session_state["label"]]) if model.conditional else None
    with bar.popover("Start from a digit"):
        digit = choose_digit("digit")
        y = label if digit.label is None or label is None else torch.tensor([digit.label])
        code = latent.embed(model, torch.tensor(digit.pixels)[None], y)
        row([Tile(digit.pixels, digit.name)], size=96)
        st.button("Take its code", on_click=put, args=(name, codes, code.mean[0], digit.label))

    order, worth = latent.order_dimensions(codes["test_mean"], codes.get("test_logvar"))
    dims = list(zip(order.tolist(), worth.tolist(), strict=True))
    busy = [(j, w) for j, w in dims if w >= IDLE or not model.probabilistic]
    stage, right = st.columns([1, 2.7], gap="large")
    with right:
        draw_sliders(name, codes, busy, 2 if size == 2 else 3)
        if idle := dims[len(busy) :]:
            with st.expander(f"Idle dimensions: {len(idle)}, each with less than {IDLE} nats of KL"):
                draw_sliders(name, codes, idle, 3)
    z = torch.tensor([st.session_state[f"{name}_{j}"] for j in range(size)])

    def decode(z: torch.Tensor):
        return latent.decode(model, z, None if label is None else label.expand(len(z))).numpy()

    with stage.container(key="stage"):
        far = f"{readout.distance(source, z):.2f} σ from the centre; a random code: about {math.sqrt(size):.2f} σ"
        row([Tile(decode(z[None])[0], title(kind), far)], size=250)
        if st.session_state.get("cut"):
            st.caption(f"Beyond its slider and set to the end: {st.session_state['cut']}.")
    with right:
        draw_walk(kind, codes, order.tolist(), z, decode)


frame("Sliders", __doc__)
st.html(STICKY)
if not store.slugs():
    st.error("No trained model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
    st.stop()
store.mnist_notice()
play()
with st.expander("What you see"):
    st.markdown(WHAT_YOU_SEE)
    st.latex(r"\mathrm{KL}_j = \tfrac12\,\mathbb{E}_x[\mu_j(x)^2 + \sigma_j(x)^2 - \log \sigma_j(x)^2 - 1] \ge 0")
    st.latex(r"z \sim N(0, I)\ \text{for a VAE}, \qquad z \sim N(\bar\mu, \bar\Sigma)\ \text{for an AE}")
