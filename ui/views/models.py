"""The page "Models": what is known of each checkpoint, and where else it can be seen.

A card is a file that anybody can edit: its words are shown as text, never as Markdown or HTML. torch and Plotly are
imported where they are needed first: the page paints before that.
"""

from __future__ import annotations

import html
import logging
import math
from collections.abc import Callable, Iterable
from itertools import groupby, repeat
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from ui.live import networks
from ui.live.cast import Standing
from ui.parts.cast import lacks
from ui.parts.links import LINKS
from ui.parts.tiles import Tile, numbers, row
from ui.shell.family import FAMILY, slug
from ui.shell.pages import GROUPS
from vae_core import contents, spread
from vae_core.config import KINDS, PIXELS, Config
from vae_core.corruption import CORRUPTIONS
from vae_core.data import DATASETS

_log = logging.getLogger(__name__)

SIDE, ACROSS, REACH = 12, 10, 2.5  # drawings on a side of a sheet, for a label; σ from the middle to a sheet's edge
LABELS, TERMS, LONGEST = 30, 8, 4000  # most rows of drawings, most curves, most characters of a card's text


class Model(NamedTuple):
    """One of the models that stand on the page."""

    one: Standing
    card: dict[str, Any]
    weights: str  # the beginning of their fingerprint

    @property
    def name(self) -> str:
        """Two of the same kind differ in size."""
        return f"{self.one.title} {self.one.latent_dim}-D"

    def found(self, name: str) -> dict[str, Any]:
        """What a command found later and put on the card, empty where it is of other weights."""
        found = self.card.get(name)
        if not isinstance(found, dict) or not isinstance(told := found.get("weights"), str):
            return {}
        return found if told.startswith(self.weights) else {}


def read(one: Standing) -> Model:
    """Raises `StorageError` where its files went meanwhile."""
    card, _ = contents.read_card(networks.CHECKPOINTS / one.slug)
    return Model(one, card, networks.network(one.slug)["weights"].split("/")[2])


# Which ----------------------------------------------------------------------------------------------------------------


def told(one: Standing) -> str:
    """In a list of all; what tells them apart comes first, since a phone cuts the rest."""
    return f"{one.title} · {_count(one.latent_dim, 'number')} · {_title(one.dataset)}"


def choose(there: list[Standing], broken: dict[str, str]) -> list[Standing]:
    """The chosen model, and the one beside it if there is one."""
    state, by_slug = st.session_state, {one.slug: one for one in there}
    for key, start in (("model", there[0].slug), ("beside", None)):
        if (asked := state[key]) not in (None, *by_slug):
            why = "its files are broken, and the end of this page says how" if asked in broken else "it is not here"
            st.warning(f"The model `{asked}` is not shown: {why}.")  # the link's reader lets no backtick through
            state[key] = None
        state[key] = state[key] or start
    left, right = st.columns(2)
    name = left.selectbox(
        "Model", by_slug, format_func=lambda name: told(by_slug[name]), key="model", persist_state="session"
    )
    others = [other for other in by_slug if other != name]
    state["beside"] = state["beside"] if state["beside"] in others else None
    beside = right.selectbox(
        "Beside it",
        others,
        format_func=lambda name: told(by_slug[name]),
        placeholder="nothing",
        key="beside",
        persist_state="session",
    )
    return [by_slug[each] for each in (name, beside) if each]


def _title(dataset: str) -> str:
    return DATASETS[dataset].title if dataset in DATASETS else dataset  # a model outlives a row of the register


# In words -------------------------------------------------------------------------------------------------------------


def heading(model: Model) -> None:
    one, card = model.one, model.card
    images = card["dataset"].get("train_images")
    many = f"{images:,} images of " if type(images) is int else ""
    text = (
        f"{_capital(one.full)}, trained on {many}{_title(one.dataset)}. Its code is "
        f"{_count(one.latent_dim, 'number')}: {one.code}. {card['parameters']:,} weights and biases."
    )
    st.html(f"<h3>{html.escape(model.name)}</h3><p>{html.escape(text)}</p>")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def doors(model: Model, there: Iterable[str]) -> None:
    """Links into the pages that can show it, beside the shipped one of its kind where there is one of its size; of the
    other pages why not. `there`: all slugs."""
    paths = {label: path for pages in GROUPS.values() for path, label, _ in pages}
    ways = rooms(model.one, there)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"doors_{model.one.slug}"):
        st.html("<b>See it on</b>", width="content")
        for label, way in ways.items():
            if not isinstance(way, str):
                st.page_link(paths[label], label=label, query_params=way)
    if closed := [f"Not on {label}: {way}." for label, way in ways.items() if isinstance(way, str)]:
        st.caption(" ".join(closed))


def rooms(one: Standing, there: Iterable[str]) -> dict[str, dict[str, str] | str]:
    """Of each page that shows models the parameters of its link, or why it cannot show this one. Both are the page's:
    what its link holds, and whom it lacks."""
    beside = [one.kind] if one.kind in FAMILY and slug(one.kind, one.latent_dim) in there else []
    found: dict[str, dict[str, str] | str] = {}
    for _, label, _ in (each for pages in GROUPS.values() for each in pages):
        kept = LINKS.get(label, {})
        page = next((key.rpartition("_")[0] for key in kept if key.endswith(("_cast", "_model"))), "map")
        values = {
            f"{page}_cast": "" if one.key == one.kind else "~".join([*beside, one.key]),  # the shipped ones stand there
            f"{page}_model": one.key,
            "left": one.key if one.latent_dim == 2 else one.slug,
        }
        if not values.keys() & kept.keys():
            continue
        values[f"{page}_dim"] = str(one.latent_dim)
        found[label] = lacks(page, one) or {key: value for key, value in values.items() if key in kept and value}
    return found


# In numbers -----------------------------------------------------------------------------------------------------------


class Score(NamedTuple):
    words: str  # with its unit
    good: str  # "low", "high", or "" where neither is
    told: Callable[[Model], str]  # the number, or "—" and why there is none
    path: tuple[str, ...] = ()  # where the card has it, of this training and of further seeds
    form: str = "{:.2f}"

    def over_seeds(self, model: Model) -> spread.Spread | None:
        """Its range over trainings that differ in their seed alone; None of a single training, or where the number is
        none."""
        if not self.path or self.told(model).startswith("—"):
            return None
        return spread.several(model.card, model.weights, self.path)


DENSITY = " of a density"
NATS = ("nelbo", "reconstruction_at_mean")  # of what is seen: with Gaussian pixels they compare with no others
_FOR_THE_JUDGE = "— the judge knows MNIST alone"


def _of_test(name: str, form: str = "{:.2f}", lacking: str = "— not measured") -> Callable[[Model], str]:
    def said(model: Model) -> str:
        if model.one.probabilistic or name in ("reconstruction_at_mean", "mse"):
            if name not in model.card["test"]:
                return lacking
            of = DENSITY if name in NATS and model.card.get("likelihood") == "gaussian" else ""
            return form.format(model.card["test"][name]) + of
        return "— its code is a point"

    return lambda model: said(model).replace("-", "−")


def _given(said: Callable[[Model], str]) -> Callable[[Model], str]:
    """A number that compares with no other model's where this one was told the label says so."""

    def found(model: Model) -> str:
        text = said(model)
        return f"{text} given y" if model.one.conditional and not text.startswith("—") else text

    return found


def _with_label(model: Model) -> str:
    if not model.one.probabilistic:
        return "— its code is a point"
    labels = math.log(model.one.n_classes) if model.one.conditional else 0
    return f"{model.card['test']['nelbo'] + labels:.2f}".replace("-", "−")


def _exact(model: Model) -> str:
    if not model.one.probabilistic:
        return "— its code is a point"
    if model.one.latent_dim != 2:
        return "— integrated in 2-D alone"
    return f"{model.card['exact']['nll']:.2f}".replace("-", "−") if "exact" in model.card else "— not integrated"


def _agreement(model: Model) -> str:
    if not model.one.conditional:
        return "— told no label"
    found = model.card["test"].get("label_agreement")
    return _FOR_THE_JUDGE if found is None else f"{found:.2%}"


def _draws(model: Model) -> str:
    found = model.found("draws")
    if found:
        return f"{found['accepted']:.2%}"
    return "— not measured" if model.one.dataset == "mnist" else _FOR_THE_JUDGE


def _leak(model: Model) -> str:
    found = model.found("leak")
    if not model.one.conditional:
        return "— told no label"
    return f"{found['draw']['accuracy']:.2%}, by chance {found['chance']:.2%}" if found else "— not measured"


def _moved(model: Model) -> str:
    found = model.found("contraction")
    return f"{found['mean']:.2f}, middle {found['median']:.2f}" if found else "— not measured"


def _used(model: Model) -> str:
    if Config.from_dict(model.card["config"]).model.code != "relu":
        return "— all are"
    found = model.found("units")
    return f"{found['active']:.1f} of {model.one.latent_dim}, never {found['dead']}" if found else "— not measured"


def _grouped(model: Model) -> str:
    if not model.one.learned_prior:
        return "— its prior has one" if model.one.probabilistic else "— no prior"
    found = model.found("components")
    return f"{found['used']}, purity {found['purity']:.0%}" if found else "— not measured"


def _restored(kind: str, amount: float) -> Callable[[Model], str]:
    def said(model: Model) -> str:
        found = model.card["denoising"].get(kind, {}).get(f"{amount:g}")
        if found is not None:
            return f"{found['psnr']:.2f}"
        return "— its pixels are grey" if Config.from_dict(model.card["config"]).model.seen == "grey" else "—"

    return said


SCORES = (
    Score("−ELBO, nats per image", "low", _given(_of_test("nelbo")), ("test", "nelbo")),
    Score("−ELBO with the label, nats per image", "low", _with_label),
    Score("−log p(x), nats per image", "low", _given(_exact)),
    Score(
        "reconstruction at the mean, nats per image",
        "low",
        _given(_of_test("reconstruction_at_mean")),
        ("test", "reconstruction_at_mean"),
    ),
    Score("KL, nats per image", "", _of_test("kl"), ("test", "kl")),
    Score("squared error of a pixel", "low", _of_test("mse", "{:.4f}"), ("test", "mse"), "{:.4f}"),
    Score("random codes that draw a digit", "high", _draws, ("draws", "accepted"), "{:.2%}"),
    Score("drawings that show the label asked for", "high", _agreement, ("test", "label_agreement"), "{:.2%}"),
    Score("labels that are read from a draw of the code", "low", _leak, ("leak", "draw", "accuracy"), "{:.2%}"),
    Score("how far the code moves with the pixels, ‖∂z/∂x‖², codes scaled to variance 1", "", _moved),
    Score("units of the code in use for an image", "", _used),
    Score("Gaussians of the prior in use, and how often an image has their commonest class", "", _grouped),
    *(
        Score(
            f"PSNR in dB after {row.name.lower()} {row.start:g}",
            "high",
            _restored(kind, row.start),
            ("denoising", kind, f"{row.start:g}", "psnr"),
        )
        for kind, row in CORRUPTIONS.items()
    ),
)


def scores(models: list[Model]) -> None:
    """Test numbers, a column a model, and what is good."""
    told_of = [(score, [score.told(model) for model in models]) for score in SCORES]
    conditional = any(model.one.conditional for model in models)
    ranges = {score: [score.over_seeds(model) for model in models] for score in SCORES}
    rows = [
        (score.words, *map(_with_range, cells, ranges[score], repeat(score.form)), _good(score, ranges[score]))
        for score, cells in told_of
        if conditional or score.told is not _with_label
    ]
    numbers(("on test images", *(model.name for model in models), "good is"), rows)
    _of_seeds(models)
    if conditional:
        st.caption(
            "A model that is told the label y bounds −log p(x | y). With the label, log of how many there are, it "
            "bounds −log p(x, y), and that may stand beside a VAE's."
        )
    if any(model.card.get("likelihood") == "gaussian" for model in models):
        st.caption("Nats of Gaussian pixels are of a density: they compare with no nats of black and white ones.")


def _with_range(text: str, found: spread.Spread | None, form: str) -> str:
    return f"{text} ({form.format(found.low)} to {form.format(found.high)})" if found else text


def _good(score: Score, ranges: list[spread.Spread | None]) -> str:
    """Which numbers are good; of two models whose trainings overlap, that neither is better."""
    match ranges:
        case [spread.Spread() as one, spread.Spread() as other] if one.meets(other):
            return f"{score.good}, about equal" if score.good else "about equal"
    return score.good or "—"


def _of_seeds(models: list[Model]) -> None:
    """What the ranges are of, and of whom there is none."""
    score = next(score for score in SCORES if score.path == ("test", "mse"))
    known = {model.name: found for model in models if (found := score.over_seeds(model))}
    if not known:
        return
    many = {found.trainings for found in known.values()}
    who = "" if len(known) == len(models) else f" Of the {', '.join(known)}; the other was trained once."
    st.caption(
        f"In brackets the range over {' and '.join(map(str, sorted(many)))} trainings that differ in the seed alone; "
        f"two models whose ranges overlap are about equal.{who}"
    )


def everyone(there: list[Standing]) -> None:
    """All models, a table a data set."""
    for dataset, group in groupby(there, key=lambda one: one.dataset):
        rows, densities = [], False
        for one in group:
            model = read(one)
            told_of = (score.told(model) for score in (SCORES[0], SCORES[3], SCORES[5]))
            cells = ["—" if cell.startswith("—") else cell for cell in told_of]
            if model.card.get("likelihood") == "gaussian":
                cells[:2] = [cell.replace(DENSITY, " *") for cell in cells[:2]]
                densities = True
            rows.append((one.title, str(one.latent_dim), f"{model.card['parameters']:,}", *cells))
        st.html(f"<b>{html.escape(_capital(_title(dataset)))}</b>")
        heads = ("code", "weights", "−ELBO, nats", "reconstruction, nats", "squared error")
        numbers(("", *heads), rows)
        if densities:
            st.caption("\\* of a density, since the pixels are Gaussian: no nats of black and white pixels compare.")


# How it was made ------------------------------------------------------------------------------------------------------


def curves(models: list[Model]) -> None:
    """A chart for each term of the objective, under its name."""
    from ui.parts import figures

    histories = {model.one.slug: model.card["history"] for model in models}
    names = {model.one.slug: model.name for model in models}
    terms = list(dict.fromkeys(term for rows in histories.values() for row in rows for term in row))
    terms = [
        term
        for term in terms
        if term not in ("epoch", "seconds")
        and any(row.get(term) is not None for rows in histories.values() for row in rows)
    ]
    for model in models:
        if not model.card["history"]:
            st.caption(f"{model.name} was trained for no epoch and has no curve.")
    places = [column for _ in terms[:TERMS:2] for column in st.columns(2)]
    for i, (place, term) in enumerate(zip(places, terms[:TERMS], strict=False)):
        with place:
            st.html(f"<b>{html.escape('KL' if term == 'kl' else _capital(term[:60]))}</b>")
            lines = {names[name]: [(row["epoch"], row.get(term)) for row in rows] for name, rows in histories.items()}
            st.plotly_chart(
                figures.term_curves(lines), config=figures.CONFIG, alt=f"{term[:60]} by epoch", key=f"curve_{i}"
            )
    if len(terms) > TERMS:
        st.caption(f"{len(terms) - TERMS} further terms stand on the card.")
    if terms:
        st.caption(
            "Means over an epoch's own training batches, spoilt inputs and small affine maps included; the KL before "
            "it is multiplied by β."
        )


def commands(models: list[Model]) -> None:
    for model in models:
        st.code(model.card["command"][:LONGEST], language=None, wrap_lines=True)


def recipes(models: list[Model]) -> None:
    """Every setting of model and training, when it was made and how long it took; a column a model."""
    columns: list[dict[str, str]] = []
    for model in models:
        config = Config.from_dict(model.card["config"]).to_dict()
        made = {f"{name}": model.card[name] for name in ("date", "seconds") if name in model.card}
        columns.append({name: _said(value) for name, value in (config["model"] | config["training"] | made).items()})
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, "—") for column in columns)) for name in names]
    numbers(("setting", *(model.name for model in models)), rows)


def _said(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text[:200] or "—"


# Its drawings ---------------------------------------------------------------------------------------------------------


def drawings(model: Model) -> None:
    """A sheet of what it draws: a grid over a code of two numbers, else random codes; a row a label if it is told."""
    from ui.parts.picture import takeable_sheet

    one = model.one
    try:
        pictures = _drawn(one.slug, networks.stamp(one.slug))
    except (OSError, RuntimeError, ValueError) as error:  # files that have gone since, numbers that no code can have
        _log.warning("Drawings of %s: %s", one.slug, error)
        st.html("What it draws cannot be shown. Whoever runs this app finds the reason in the server's log.")
        return
    prior = "the prior that it has learned" if one.learned_prior else "N(0, I)"
    source = prior if one.probabilistic else "one Gaussian with the mean and covariance of its codes"
    names: tuple[str, ...] = ()
    if one.conditional:
        names, alt = one.data.classes[: len(pictures) // ACROSS], f"What {one.title} draws of each label"
        left_out = one.n_classes - len(names)
        more = f" {left_out} further labels are not shown." if left_out else ""
        caption = f"A row a label; down a column the code stays, drawn from {source}.{more}"
    elif one.latent_dim == 2:
        alt = f"What {one.title} draws over its plane"
        caption = f"z₁ to the right, z₂ upwards, both to {REACH:g} σ from the middle of its codes."
    else:
        alt, caption = f"Random drawings of {one.title}", f"Codes drawn from {source}."
    takeable_sheet(
        pictures,
        ACROSS if names else SIDE,
        key=f"sheet {one.slug} {model.weights}",
        alt=alt,
        caption=caption,
        name=f"a drawing of the {one.name}",
        names=names,
    )


def units(model: Model) -> None:
    """Of a sparse code a sheet of its units, the busiest first: what each draws alone, and how often it is in use."""
    found = model.found("units")
    if not found or Config.from_dict(model.card["config"]).model.code != "relu":
        return
    use = found["use"]
    if not any(share > 0 for share in use):
        st.caption("None of its units is in use for any test image.")
        return
    order = sorted((j for j in range(len(use)) if use[j] > 0), key=lambda j: -use[j])
    pictures = _drawn_alone(model.one.slug, networks.stamp(model.one.slug), tuple(order))
    st.html(f"<b>What each of its {len(use)} units draws alone</b>")
    row((Tile(pictures[i] / 255, f"z{j + 1}", f"{use[j]:.0%}") for i, j in enumerate(order)), 56)
    never = f" {len(use) - len(order)} are in use for no test image." if len(order) < len(use) else ""
    st.caption(f"At its mean where it is in use, all others at 0; below, the share of test images that use it.{never}")


@st.cache_data(max_entries=64, show_spinner="Drawing …")
def _drawn_alone(slug: str, stamp: tuple[int, ...], order: tuple[int, ...]) -> np.ndarray:
    """One picture (784,) a unit of `order`, of a code in which it alone is above 0."""
    import torch

    from vae_core import checkpoints, latent, metrics

    model, _ = checkpoints.load(slug)
    strength = metrics.units(checkpoints.load_codes(slug)["test_mean"]).strength
    return latent.decode(model, torch.diag(strength)[list(order)], None).mul(255).round().to(torch.uint8).numpy()


def weights(model: Model) -> None:
    """Of a network with one layer each side its weights, a picture a number of the code: it has nothing else."""
    config = model.card["config"]["model"]
    if config["encoder"] or config["decoder"]:
        return
    looks, adds = _weights(model.one.slug, networks.stamp(model.one.slug))
    for words, pictures in (("What each number of its code looks for", looks), ("What each adds to the drawing", adds)):
        st.html(f"<b>{words}</b>")
        row((Tile(picture, f"z{j + 1}", "") for j, picture in enumerate(pictures)), 56)
    st.caption("The weights of its two layers. White: more ink, more of the number; black: less; grey: no matter.")


@st.cache_data(max_entries=64, show_spinner="Drawing …")
def _weights(slug: str, stamp: tuple[int, ...]) -> np.ndarray:
    """(2, D, 784): the encoder's weights and the decoder's, each number's scaled to [0, 1] with 0 in the middle."""
    import torch

    from vae_core import checkpoints

    model, _ = checkpoints.load(slug)
    d, held = model.config.latent_dim, model.state_dict()
    with torch.inference_mode():  # without what stands beside: a posterior's log σ², a label
        both = torch.stack([held["encoder.0.weight"][:d, :PIXELS], held["decoder.0.weight"][:, :d].T])
        return (0.5 + 0.5 * both / both.abs().amax(-1, keepdim=True).clamp(min=1e-12)).numpy()


@st.cache_data(max_entries=64, show_spinner="Drawing …")
def _drawn(slug: str, stamp: tuple[int, ...]) -> np.ndarray:
    import torch

    from ui.parts import readout
    from vae_core import checkpoints, latent

    model, _ = checkpoints.load(slug)
    codes = checkpoints.load_codes(slug)
    source, seed = latent.own_source(model, codes["train_mean"]), torch.Generator().manual_seed(0)
    labels = None
    if model.conditional:
        k = min(model.config.n_classes, LABELS)
        z, labels = source.sample(ACROSS, seed).repeat(k, 1), torch.arange(k).repeat_interleave(ACROSS)
    elif model.config.latent_dim == 2:
        middle, sigma = readout.scale(codes, KINDS[model.config.kind].learned_prior)
        z = middle + sigma * latent.grid(SIDE, REACH)
    else:
        z = source.sample(SIDE * SIDE, seed)
    return latent.decode(model, z, labels).mul(255).round().to(torch.uint8).numpy()


def left_out(broken: dict[str, str]) -> None:
    """One sentence for each model whose files are not as they should be."""
    if broken:
        st.subheader("Left out")
        st.html("".join(f"<p>{html.escape(reason)}</p>" for reason in broken.values()))
