"""The Studio's Python: what the view is told, the first picture while the networks travel, and what Python adds.

Nothing here imports torch before the visitor has drawn: the page paints first.
"""

from __future__ import annotations

import html
import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from ui.live import bridge, messages, networks
from ui.parts import digit
from ui.parts.spoils import SPOILS
from ui.parts.tiles import Strip, bits, data_uri, grey, steps_html, strips
from ui.shell.failure import fragment
from ui.shell.family import DIGIT_COLOURS, FAMILY, slug, title
from ui.shell.folded import folded
from ui.shell.pages import STATIC
from vae_core import contents
from vae_core.config import KINDS
from vae_core.data import DATASETS
from vae_core.storage import StorageError

NEIGHBOURS = 10
LEAST = 20  # white pixels: of a dot the posterior is spread so wide and so sharp that its integral takes up to a minute

# The first picture leaves when the view is there.
PAGE = """
html[data-studio="live"] [data-testid="stElementContainer"]:has(.studio-first) { display: none; }
.studio-first .pad img { image-rendering: pixelated; }
.studio-first .tell { min-height: 97px; }
"""

# The recorded digit that the page opens with: the bits of strokes.mjs's `first`, as digit.mjs writes them.
FIRST = (
    "AAAAAAAAAAAAAAAAAAAADwAAAfwAAD_AAAeeAABw4AAAHAAAA8AAAPgAAB8AAAH4AAAPwA"
    "AAPAAAAeAAAA4AAIDgABwcAAHjwAAP-AAAfwAAAcAAAAAAAAAAAAAAAAAAAAA"
)


# The first picture ----------------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=1, show_spinner=False)
def first_answers() -> dict[str, np.ndarray]:
    """Each model's drawing of the recorded digit at the code's mean, (784,) in [0, 1] by kind.

    A forward pass in NumPy, straight from the files: importing torch would delay the first paint by more than all the
    rest takes. Empty where the files cannot be read; the view then says what is wrong.
    """
    x, answers = bits(FIRST), {}
    one_hot = np.eye(10, dtype=np.float32)[3]
    try:
        for kind in FAMILY:
            weights = contents.read_weights(networks.CHECKPOINTS / slug(kind, 2))
            label = one_hot if KINDS[kind].conditional else one_hot[:0]
            z = _forward(weights, "encoder", np.concatenate([x, label]))[:2]
            logits = _forward(weights, "decoder", np.concatenate([z, label]))
            answers[kind] = 1 / (1 + np.exp(-logits))
    except StorageError:
        return {}
    return answers


def _forward(weights: dict[str, np.ndarray], part: str, h: np.ndarray) -> np.ndarray:
    """The layers of one network on one row, GELU between them (vae_core/models.py)."""
    layers = sorted(int(name.split(".")[1]) for name in weights if name.startswith(part) and name.endswith("weight"))
    for i in layers:
        if i:
            h = h * np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in h], np.float32)
        h = weights[f"{part}.{i}.weight"].astype(np.float32) @ h + weights[f"{part}.{i}.bias"].astype(np.float32)
    return h


def _members() -> list[dict[str, str]]:
    return [
        {
            **{"kind": m.kind, "name": m.name, "title": title(m.kind), "full": m.full, "code": m.code},
            "slug": slug(m.kind, 2),
        }
        for m in FAMILY.values()
    ]


def first_picture() -> None:
    """The page as the view will draw it, from the server: digit and answers, until the view takes its place.

    Of another digit than the recorded one only the digit: what the models draw of it the view knows as soon.
    """
    chosen = digit.shared()
    answers = first_answers() if chosen is None else {}
    image = '<img alt="{}" src="{}">'
    cards = "".join(
        f'<article class="card waiting"><header><b>{html.escape(m["title"])}</b></header><div class="map"></div>'
        '<div class="drawing">'
        + (image.format(f"What the {m['name']} draws", data_uri(answers[m["kind"]])) if answers else "")
        + '</div><div class="under"></div></article>'
        for m in _members()
    )
    mini = "".join(
        f"<figure>{image.format('', data_uri(p))}<figcaption>{FAMILY[k].name}</figcaption></figure>"
        for k, p in answers.items()
    )
    words, pixels = ("a recorded 3", bits(FIRST)) if chosen is None else (chosen.name, chosen.pixels)
    shown = image.format(html.escape(words[0].upper() + words[1:], quote=True), data_uri(pixels))
    pad = f'<div class="pad">{shown}<div class="hint">draw here</div></div>'
    # What is empty here stands for what comes with the view, and takes its room.
    beside = '<div class="steps"></div><div class="strokes"></div><div class="tell"></div><div class="tools"></div>'
    st.html(
        f"<style>{(STATIC / 'views/studio/studio.css').read_text(encoding='utf-8')}{PAGE}</style>"
        '<div class="studio studio-first">'
        f'<div class="room waiting"><div class="front">{pad}<div class="mini">{mini}</div></div>{beside}'
        f'<section class="answers">{cards}<p class="verdict"></p></section></div></div>'
    )


# What it says: the wish for a sample, a picture, or the digit at which the hand let go with each model's code.
_ID = messages.integer(0, 2**53)
_WISH = messages.form({"sample": _ID})
_PICTURE = messages.form({"picture": messages.picture, "name": messages.text(200), "id": _ID})
_PAD = {
    "bits": messages.maybe(messages.drawing),
    "said": messages.maybe(messages.label),  # the label that the visitor has chosen
    "origin": messages.maybe(messages.text(48, digit.ORIGIN)),  # the sample that the pad shows as it came
}
_DIGIT = messages.form(
    {
        **_PAD,
        "label": messages.maybe(messages.label),
        "codes": messages.maybe(messages.each(tuple(FAMILY), messages.vector(2))),
    },
    {"posterior": messages.flag, "spoilt": messages.flag},
)
READER = messages.either(_WISH, _PICTURE, _DIGIT)
PARTING = messages.form(_PAD)

# The view -------------------------------------------------------------------------------------------------------------


def studio(key: str = "studio") -> None:
    """The whole page below its title: first picture, networks, view, and what Python adds on release."""
    bridge.view("views/studio/parting.mjs", key=f"link {key}", reader=PARTING, on_message=_share, once=True)
    first_picture()
    _hand(key)
    folded("What happens here, in formulas", _explain)


@fragment
def _hand(key: str) -> None:
    brought = st.session_state.get(f"{key}_brought")
    told = options(bridge.network, _shared(), brought)
    hear = partial(_take_in, key)
    message = bridge.view("views/studio/studio.mjs", key=key, reader=READER, options=told, on_message=hear) or {}
    if brought and brought.get("steps"):
        st.html(f'<div class="lse-row">{brought["steps"]}</div>')
    if message.get("bits") and message.get("codes"):
        truth = st.container()
        _neighbours(message)  # at once, while the integrals of a digit that no code explains take seconds
        if message.get("posterior"):
            with truth:
                _truth(message)


def options(
    network: Callable[[str], dict[str, Any]],
    shared: dict[str, Any] | None = None,
    brought: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What studio.mjs is told; whoever mounts it without a server says by `network` where a model's files lie."""
    models = [member | {"network": network(member["slug"])} for member in _members()]
    told: dict[str, Any] = {"models": models, "spoils": SPOILS, "first": _encoded_first(), "digit": shared}
    if brought:
        fields = ("id", "pixels", "notes", "error", "origin")
        told["brought"] = {name: brought[name] for name in fields if name in brought}
    return told


def _explain() -> None:
    st.markdown(
        r"""
Your strokes are cropped, scaled to 20 pixels and moved until their centre of mass is in the middle, as MNIST's
were; then every pixel is black or white. That is the $x$ that all four models get.

**AE and DAE** have a point for a code, $z = f(x)$, and draw $p_\theta(x \mid z)$, one probability a pixel. The
picture is those probabilities; *sample the pixels* throws each of the 784 coins once. **Reconstruction** is
$-\log p_\theta(x \mid z)$.

**VAE and CVAE** answer with a Gaussian, $q_\phi(z \mid x) = \mathcal N(\mu, \operatorname{diag} \sigma^2)$: the
ellipse on the map has the half-axes $\sigma_1, \sigma_2$, and the lens shows it enlarged. *Resample* throws
$\varepsilon \sim \mathcal N(0, I)$ and draws from $z = \mu + \sigma \varepsilon$. The dashed circles are the
prior's. What the code costs is the **KL**, and for the VAE

$$
-\mathrm{ELBO} = \mathbb E_{q_\phi(z \mid x)}\big[-\log p_\theta(x \mid z)\big]
+ \mathrm{KL}\big(q_\phi(z \mid x) \,\|\, \mathcal N(0, I)\big) \;\ge\; -\log p_\theta(x).
$$

Its expectation is over $q$, so it is usually a little more than the reconstruction at the mean plus the KL. While
the hand moves four points stand for it, without decimals; at rest it is Gauss–Hermite with eight nodes an axis, and a
≈ stays where a very wide $q$ leaves more than that open.

The CVAE has $y$ behind every bar, and its −ELBO bounds $-\log p_\theta(x \mid y)$, which may well lie below
$-\log p_\theta(x)$. With ten labels equally likely, $-\log p_\theta(x, y) = -\log p_\theta(x \mid y) + \log 10$:
that is the number *with y*, the one to hold beside the VAE's, since $-\log p_\theta(x)$ is never more.

***True posterior*** shows what $q$ stands for, $p_\theta(z \mid x) = p_\theta(x \mid z)\, p(z) / p_\theta(x)$, on
the maps and in the lens: in two dimensions the integral $p_\theta(x)$ can be done. Its lines lie where a Gaussian has
its 1 σ and 2 σ. While you draw, $\log p_\theta(x, z)$ is known on a lattice of step 0.125 and interpolated; when the
hand rests it is refined; when it lets go, the sentences below are exact. It may move away from $q$ or split;
$q$ is one ellipse with upright axes. Where its heaviest place is far from the code it has a ring, and the lens shows
both if it can. The share inside $q$'s ellipse of 2 σ would be $1 - e^{-2}$, 86 %, if $q$ were the true posterior.

**The CVAE is told a label** $y$. With *auto* it is the one of the highest ELBO. The bars are $\exp
\mathrm{ELBO}_y / \sum_k \exp \mathrm{ELBO}_k$ under the same $\varepsilon$ for all ten: $p(y \mid x)$ by Bayes'
rule with equal $p(y)$, if each bound were tight. It is an approximation, and is not shown of a label that you said.

**Spoilt digits** go to the encoders as they are; the drawing is judged against the clean digit. The ring on
each map is where the clean digit's code lies, the dashed line where the noise took it. Where you pull a code,
it stays until the next stroke or *Back*.
"""
    )


def _shared() -> dict[str, Any] | None:
    """The digit of all pages, {id, pixels, bits, label, name, origin, notes}; None where nobody has chosen one."""
    chosen = digit.shared()
    if chosen is None or not chosen.pixels.any():  # a pad that Interpolate has cleared is no digit here
        return None
    more = {"bits": digit.as_text(chosen), "origin": chosen.origin, "notes": " ".join(chosen.notes)}
    return digit.option(chosen, chosen.label_in(DATASETS["mnist"])) | more


def _encoded_first() -> dict[str, str]:
    return {kind: grey(pixels) for kind, pixels in first_answers().items()}


def _take_in(key: str, message: dict[str, Any]) -> None:
    """The wish for a sample has come, a picture, or what the hand left: a digit, kept for the view or for all pages."""
    brought = f"{key}_brought"
    if "sample" in message:
        st.session_state[brought] = {"id": message["sample"], **any_sample()}
    elif "picture" in message:
        sentence = digit.bring(message["picture"], message["name"])
        st.session_state[brought] = {"id": message["id"], **({"error": sentence} if sentence else _brought())}
    else:
        _share(message)


def _brought() -> dict[str, str]:
    """The picture that is the digit now, as the view takes it, and how it became one."""
    chosen = digit.shared()
    assert chosen is not None  # it has just been brought
    pixels = digit.option(chosen, None)["pixels"]
    return {"pixels": pixels, "notes": " ".join(chosen.notes), "steps": steps_html(chosen.steps, 96)}


def _share(pad: dict[str, Any]) -> None:
    """What the pad shows becomes the digit of every page; a blank pad does not."""
    if not (text := pad["bits"]):
        return
    if pad["origin"]:
        digit.take_from_link({"digit": pad["origin"]})
    else:
        digit.draw(text, pad["said"], name="the recorded 3" if text == FIRST else "your drawing")


def any_sample() -> dict[str, str]:
    """One of the samples by chance, as the view takes it, and which one it is: its number leads to it on every page."""
    from ui.live import store  # imports torch: once in a server's life the visitor waits for it

    source = digit.data_set()
    chosen = digit.sample(random.randrange(len(store.samples(source)[1])), source)
    words = {"notes": digit.describe(chosen), "origin": chosen.origin}
    return {"pixels": digit.option(chosen, None)["pixels"], **words}


# What Python adds -----------------------------------------------------------------------------------------------------


def _truth(message: dict[str, Any]) -> None:
    """The exact account of the hand's digit under each model that has a posterior, and where to see more of it."""
    x, label = bits(message["bits"]), message["label"]
    if label is None:
        return
    st.subheader("The true posterior, exactly")
    if x.sum() < LEAST:
        st.markdown(f"It is computed for a digit of at least {LEAST} white pixels; this one has {x.sum():.0f}.")
        return
    for kind in (kind for kind in FAMILY if KINDS[kind].probabilistic):
        with st.spinner(f"Integrating p(x, z) over every z of the {FAMILY[kind].name} …"):
            sentence = account_sentence(kind, x, label if KINDS[kind].conditional else None)
        st.markdown(sentence)
    if message.get("spoilt"):
        st.caption("Of the digit before it was spoilt, and of the encoder's q for that one.")
    st.page_link("pages/6_The_bound.py", label="The bound: where these nats go, for any digit")


def account_sentence(kind: str, x: np.ndarray, label: int | None) -> str:
    """log p(x), the gap to the ELBO of the encoder's q, and the peaks of p(z | x), of one drawing (784,)."""
    import torch

    from ui.live import store
    from vae_core import likelihood

    model, _ = store.guard(slug(kind, 2))
    name, given = FAMILY[kind].name, "" if label is None else f", y = {label}"
    p = "p(x)" if label is None else f"p(x | y = {label})"
    image = torch.from_numpy(x)
    try:
        exact = likelihood.posterior(model, image, label)
        ledger = likelihood.ledger(model, image, label, exact=exact)
    except likelihood.LikelihoodError as error:
        return f"**{name}**: {error}"
    if not math.isfinite(ledger.posterior_kl) or ledger.posterior_kl > 1e5:
        gap = "the encoder's q is nowhere near the posterior: this is no digit that it knows"
    else:
        gap = f"the ELBO lies {ledger.posterior_kl:.2f} below, which is KL(q ‖ p(z | x{given}))"
    shares = exact.mass.tolist()
    if len(shares) == 1:
        peaks = "one peak"
    else:
        counted = {2: "two", 3: "three", 4: "four", 5: "five"}.get(len(shares), str(len(shares)))
        peaks = f"{counted} peaks ({', '.join(f'{100 * share:.0f} %' for share in shares[:5])})"
        peaks += ", and q can have only one"
    value = f"**{name}**: log {p} = {ledger.log_p:.2f} nats"
    if label is not None:  # what may stand beside the VAE's
        value += f", log p(x, y = {label}) = {ledger.log_p - math.log(10):.2f}"
    return value.replace("-", "−") + f"; {gap}; {peaks}."


def _neighbours(message: dict[str, Any]) -> None:
    """The test digits whose codes lie nearest to the hand's, in each model; the four rows share their columns."""
    from ui.live import store  # imports torch: the page has been painted long ago

    originals, lines = store.originals(), []
    for kind, member in FAMILY.items():
        if kind not in message["codes"]:
            continue  # its network did not come
        stored = store.guard_codes(slug(kind, 2))
        z = np.asarray(message["codes"][kind], np.float32)
        distance = np.linalg.norm(stored["test_mean"].numpy() - z, axis=1)
        index = np.argsort(distance)[:NEIGHBOURS]
        labels = stored["test_label"].numpy()[index]
        if originals is None:
            from vae_core import latent

            model, _ = store.guard(slug(kind, 2))
            y = stored["test_label"][index.copy()] if model.conditional else None
            pictures = latent.decode(model, stored["test_mean"][index.copy()], y).numpy()
        else:
            pictures = originals[index]
        said = ", ".join(str(v) for v in labels)
        lines.append(
            Strip(
                title(kind),
                member.full,
                list(pictures),
                f"Nearest in {member.name}: {said}",
                [DIGIT_COLOURS[v] for v in labels],
            )
        )
    st.subheader("Who lives next door")
    st.caption(
        "The test digits whose codes lie nearest to your digit's, nearest first, bordered in their colour on the maps."
        + (
            ""
            if originals is not None
            else " Originals are not on this machine: each model's own drawing stands for them."
        )
    )
    strips(lines)
