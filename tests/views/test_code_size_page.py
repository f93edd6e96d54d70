"""Code size: what is told is what the cards say or is counted here, and each control does what it says."""

import numpy as np
import pytest
import torch
from apps import visit

from ui.live import networks
from ui.live.cast import standing
from ui.parts.digit import sample
from ui.parts.links import SIZE_SHOWN
from ui.shell.glossary import GLOSSARY
from ui.views import code_size as view
from vae_core import checkpoints, code_size, latent, metrics
from vae_core.judge import binarise

PAGE = "10_Code_size"
SIZES = [2, 3, 5, 10, 20, 40]


def shown(app) -> str:
    return " ".join(part.value for kind in (app.markdown, app.caption) for part in kind)


def sound(app):
    assert not app.exception and not app.error, (app.exception, app.error)
    return app


@pytest.fixture(scope="module")
def opened():
    return sound(visit(PAGE, size_part="Dimensions"))


def test_the_ladder_is_of_one_recipe_and_all_sizes():
    """A rung of other widths or epochs would be told as what a number more is worth."""
    rungs = view.ladder()
    assert {kind: [rung.one.latent_dim for rung in of] for kind, of in rungs.items()} == dict.fromkeys(
        ("vae", "ae", "pca"), SIZES
    )
    recipes = set()
    for of in (rungs["vae"], rungs["ae"]):
        for rung in of:
            config = checkpoints.read_card(rung.one.slug)["config"]
            model = {name: value for name, value in config["model"].items() if name not in ("kind", "latent_dim")}
            recipes.add((str(model), str(config["training"])))
    assert len(recipes) == 1


def test_the_first_sentence_is_the_cards(opened):
    told = opened.markdown[0].value
    cards = {d: checkpoints.read_card(f"mnist-vae-{d}d-ladder") for d in SIZES}
    nelbo = {d: card["test"]["nelbo"] for d, card in cards.items()}
    enough = next(d for d in SIZES if nelbo[d] <= min(nelbo.values()) + view.ALIKE)
    assert told.startswith(f"Of small models, made for this comparison alone: **about {enough} numbers hold")
    assert f"with 2 of them its −ELBO is {nelbo[2]:.1f} nats, with {enough} it is {nelbo[enough]:.1f}" in told
    assert f"of these it uses {cards[40]['probe']['active']}" in told or cards[40]["probe"]["active"] == 40
    assert f"{checkpoints.read_card('mnist-ae-40d-ladder')['test']['mse']:.4f} with 40" in told


@pytest.mark.parametrize("name", SIZE_SHOWN)
def test_each_chart_shows_its_numbers(name):
    app = sound(visit(PAGE, size_part="Dimensions", size_shown=name))
    (chart,) = app.get("plotly_chart")
    for kind, of in view.ladder().items():
        for rung in of:
            card = checkpoints.read_card(rung.one.slug)
            value = {
                "−ELBO": card["test"].get("nelbo"),
                "Squared error": card["test"]["mse"],
                "Nearest neighbours": card["probe"]["accuracy"],
                "Random draws": card["draws"]["accepted"],
            }[name]
            assert view.READ[name].value(rung) == value, (kind, rung.one.slug)
    kinds = ("VAE",) if name == "−ELBO" else ("VAE", "AE", "PCA")
    assert all(f'"name":"{kind}"' in chart.proto.spec for kind in kinds)


@pytest.mark.parametrize("slug", ["mnist-vae-20d", "mnist-ae-2d", "mnist-cvae-2d", "digits-vae-2d"])
def test_a_digit_is_rounded_and_counted(slug):
    """Against the core: the same codes, drawings, verdicts and nats, whoever the model is."""
    chosen, one = sample(7), standing(slug)
    model, _ = checkpoints.load(slug)
    label = 3
    found = view.account(slug, networks.stamp(slug), chosen.pixels.astype(np.float32).tobytes(), label)
    x, y = torch.tensor(chosen.pixels)[None].float(), torch.tensor([label])
    told = y if model.conditional else None
    z = latent.embed(model, x, y).mean
    within = code_size.spanned(checkpoints.load_codes(slug)["train_mean"])
    for b in code_size.BITS:
        there = code_size.drawn(model, x, code_size.rounded(z, within, b), told)
        torch.testing.assert_close(found.pixels[b], there.pixels[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.nats[b], there.nats[0], atol=1e-2, rtol=1e-4)
    assert (found.seen is None) == (one.dataset != "mnist")
    if found.seen:
        assert found.seen == checkpoints.load_judge().label(binarise(found.pixels)).tolist()
    if model.config.probabilistic:
        assert found.elbo == metrics.summary(metrics.per_image(model, x, y))["nelbo"]
    else:
        assert found.elbo is None


def test_the_sentence_of_all_is_the_cards_and_the_captions_add_up():
    app = sound(visit(PAGE, size_part="Bits"))
    rows = checkpoints.read_card("mnist-vae-20d")["bits"]["rows"]
    enough = next(b for b in code_size.BITS if rows[str(b)]["digit"] >= rows["whole"]["digit"] - view.SAME)
    assert f"**{enough} bits a number are enough: {20 * enough} bits" in shown(app)
    assert f"{rows['1']['digit']:.1%}" in shown(app)
    assert "With 4 bits a number: 80 bits for the code" in shown(app)
    sound(app.select_slider("size_bits").set_value(1).run())
    assert "With 1 bit a number: 20 bits for the code" in shown(app)


def test_nothing_is_called_enough_that_is_not():
    """Of the AE in the plane eight bits a number lose nine digits in a hundred."""
    rows = checkpoints.read_card("mnist-ae-2d")["bits"]["rows"]
    assert rows["8"]["digit"] < rows["whole"]["digit"] - view.SAME
    assert view.of_all(standing("mnist-ae-2d")).startswith("**Not even 8 bits a number are enough")


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"size_model": "ae", "size_dim": "2"}, "With 4 bits a number: 8 bits for the code"),
        ({"size_model": "cvae"}, "is told the label"),
        ({"size_model": "mnist-pca-10d-ladder", "size_dim": "10"}, "cannot be said of this model"),
        ({"size_model": "digits-vae-2d", "size_dim": "2"}, "The same digit with 1 to 8 bits a number"),
        ({"size_bits": "99", "size_dim": "7", "size_model": "no-such"}, "With 4 bits a number: 80 bits"),
    ],
)
def test_any_model_is_rounded(link, words):
    """An AE has no ELBO, a Gaussian pixel no bits, another data set no judge; and a link may say anything."""
    assert words in shown(sound(visit(PAGE, size_part="Bits", **link)))


def test_the_glossary_knows_the_pages_words():
    assert set(view.OF_BITS) | set(view.OF_DIMENSIONS) <= set(GLOSSARY)


def test_from_where_on_a_digit_is_whole_is_told():
    """The least number of bits from which on nothing changes, not the first that happens to be right."""
    one = standing("mnist-vae-20d")
    none = torch.zeros(9, 784)

    def told(*seen: int) -> str:
        return view.breaks(one, view.Account(none[0], none, none[:, 0], list(seen), None))

    assert "does not break" in told(*[4] * 9)
    assert told(4, 4, 9, 4, 4, 4, 4, 4, 4).startswith(
        "**From 3 bits a number on, 60 in all, it stays a 4**; with 2 the"
    )
    assert "Even with 8 bits" in told(4, 4, 4, 4, 4, 4, 4, 4, 9)
