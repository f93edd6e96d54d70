"""Any model on a page, by the control and by the link: found while the app runs, left out where it cannot stand."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from apps import told, visit
from streamlit.testing.v1 import AppTest

from ui.live import cast, messages, networks, store
from ui.parts import digit
from ui.parts.picture import label_for
from ui.parts.tiles import data_uri
from ui.views import studio
from vae_core import checkpoints, data, latent
from vae_core.__main__ import main
from vae_core.storage import read_json, read_tensors, write_json, write_tensors

OTHER = "digits-cvae-2d"


def names(app: AppTest) -> list[str]:
    return [m["kind"] for m in told(app, "views/sliders.mjs")["models"]]


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A copy of two models in a folder that a test may change."""
    root = tmp_path / "checkpoints"
    for slug in ("mnist-vae-2d", OTHER):
        shutil.copytree(checkpoints.ROOT / slug, root / slug)
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield root
    st.cache_data.clear()
    st.cache_resource.clear()


def rename(folder: Path, tag: str) -> str:
    """The same model under another name, as `train --tag` would have saved it."""
    card = read_json(folder / "card.json")
    card["config"]["tag"], card["slug"] = tag, f"{folder.name}-{tag}"
    other = folder.with_name(card["slug"])
    shutil.copytree(folder, other)
    write_json(other / "card.json", card)
    return other.name


def test_a_shipped_model_is_called_as_everywhere_and_any_other_by_what_tells_it_apart():
    assert cast.standing("mnist-vae-2d")[:3] == ("vae", "mnist-vae-2d", "vae")
    assert cast.standing("mnist-vae-2d").title == "○ VAE"
    assert cast.standing(OTHER).title == "◉ CVAE digits" and cast.standing(OTHER).key == OTHER
    assert cast.standing("mnist-vae-2d-beta4").title == "○ VAE beta4"
    assert [one.key for one in cast.everybody()][:4] == ["ae", "dae", "vae", "cvae"]


def test_a_link_puts_other_models_on_the_sliders():
    app = visit("2_Sliders", sliders_cast=f"vae~{OTHER}~mnist-vae-2d-beta0.5", sliders_dim="2")
    assert not app.exception and not app.error
    assert names(app) == ["vae", "mnist-vae-2d-beta0.5", OTHER]
    network = told(app, "views/sliders.mjs")["models"][-1]["network"]
    assert network["weights"].startswith(f"weights/{OTHER}/")
    box = app.multiselect(key="sliders_cast")
    assert box.set_value([OTHER]).run() and names(app) == [OTHER]
    assert app.multiselect(key="sliders_cast").set_value([]).run() and names(app)  # somebody stays


@pytest.mark.parametrize(
    ("page", "link", "size"),
    [
        ("2_Sliders", {"sliders_cast": "mnist-sparse-64d"}, 64),
        ("3_Styles", {"styles_model": "mnist-scrubbed-20d"}, 20),
        ("2_Sliders", {"sliders_cast": "vae"}, 20),
    ],
)
def test_who_is_named_in_a_link_tells_the_size(page, link, size):
    """Written by hand, without the size, it opened the page without them and said nothing."""
    app = visit(page, **link)
    key = next(iter(link)).rpartition("_")[0]
    assert not app.exception and app.session_state[f"{key}_dim"] == size
    assert not [caption for caption in app.caption if "cannot stand here" in caption.value]


def test_who_is_named_and_does_not_fit_is_said_once():
    app = visit("2_Sliders", sliders_cast="vae~mnist-sparse-64d", sliders_dim="20")
    said = [caption.value for caption in app.caption if "cannot stand here" in caption.value]
    assert len(said) == 1 and "not 20 numbers in its code" in said[0] and names(app) == ["vae"]


@pytest.mark.parametrize("text", ["nobody", "..~/etc", "vae~" * 9, "mnist-vae-2d-beta4~nobody", ""])
def test_names_that_are_none_leave_the_page_as_it_opens(text):
    """A link of somebody else's machine names models that are not here; a hostile one names what is no model."""
    app = visit("2_Sliders", sliders_cast=text, sliders_dim="20")
    assert not app.exception and not app.error
    assert names(app) == ["ae", "dae", "vae", "cvae"]  # β 4 has two numbers, and does not fit twenty


def test_a_model_that_comes_meanwhile_is_found_and_one_that_was_trained_again_is_fetched_again(house):
    """Whoever trains a model beside the open app need not restart it."""
    app = visit("2_Sliders", sliders_dim="2")
    assert names(app) == ["vae"]
    mine = rename(house / OTHER, "mine")
    assert "◉ CVAE digits mine (digits, 2 numbers)" in app.run().multiselect(key="sliders_cast").options
    app.multiselect(key="sliders_cast").set_value([mine]).run()
    before = told(app, "views/sliders.mjs")["models"][0]["network"]["weights"]
    weights, _ = read_tensors(house / mine / "weights.safetensors")
    write_tensors(house / mine / "weights.safetensors", {name: 0.9 * tensor for name, tensor in weights.items()})
    after = told(app.run(), "views/sliders.mjs")["models"][0]["network"]["weights"]
    assert before != after and names(app) == [mine] and not app.exception


def test_python_and_the_link_speak_of_the_same_model():
    """`slug_of` is the reverse of a standing's key, for every checkpoint that is here."""
    for one in cast.everybody():
        assert cast.slug_of(one.key, one.latent_dim) == one.slug
        with torch.no_grad():
            assert checkpoints.load(one.slug)[0].config.latent_dim == one.latent_dim


# Another alphabet -----------------------------------------------------------------------------------------------------


def _letters(split):
    """Digits upright, on their side and upside down, under 26 names."""
    pixels, labels = data.DATASETS["digits"].bundled(split)
    turned = np.concatenate([np.rot90(pixels, k, axes=(1, 2)) for k in range(3)])
    labels = np.concatenate([labels + 10 * k for k in range(3)]).astype(np.uint8)
    return turned[labels < 26], labels[labels < 26]


@pytest.fixture
def alphabet(house, monkeypatch):
    """A data set of 26 classes and a CVAE of it, barely trained."""
    row = data.Dataset("Letters", tuple("abcdefghijklmnopqrstuvwxyz"), bundled=_letters)
    monkeypatch.setitem(data.DATASETS, "letters", row)
    small = "--epochs 1 --encoder 16 --decoder 16 --latent-dim 2 --threads 1".split()
    assert main(["train", "cvae", "--dataset", "letters", *small, "--root", str(house)]) == 0
    return "letters-cvae-2d"


def test_26_classes_have_their_names_everywhere(alphabet):
    """Otherwise whoever comes with letters reads numbers, or meets an exception at the eleventh class."""
    names = list("abcdefghijklmnopqrstuvwxyz")
    link = {"styles_model": alphabet, "sliders_cast": alphabet, "walk_cast": alphabet, "digit": "letters:600"}
    app = visit("3_Styles", **link)
    assert not app.exception and not app.error
    options = told(app, "views/styles.mjs")
    assert options["network"]["classes"] == names and len(set(options["network"]["colours"])) == 26
    assert app.segmented_control(key="styles_label").options == names
    label = int(store.samples("letters")[1][600])
    assert label > 9 and options["digit"]["label"] == label and options["digit"]["shows"] == names[label]
    assert any(f"Letters test image 600, {digit.called(names[label])}." in text.value for text in app.caption)
    assert app.selectbox(key="digit_only").options == [f"only {name}" for name in names]
    app = visit("2_Sliders", **link, y="25")
    assert not app.exception and told(app, "views/sliders.mjs")["labels"] == names
    app = visit("4_Interpolate", **link)
    assert not app.exception and told(app, "views/interpolate/interpolate.mjs")["models"][0]["told"][0] == label


def test_a_label_means_what_its_data_set_says(alphabet):
    """Otherwise a shirt, whose label is 6, is told to a CVAE of digits as a six."""
    model = store.model(OTHER)[0]
    letter, own = digit.sample(600, "letters"), digit.sample(5, "digits")
    assert label_for(letter, model, "digits")[1].startswith("guessed")
    assert label_for(own, model, "digits") == (own.label, "its label")
    assert label_for(own, store.model(alphabet)[0], "letters")[1].startswith("guessed")
    assert store.sources()[-1] == "letters"  # what a newcomer meets first are digits


def test_two_data_sets_on_the_sliders_have_a_label_each_to_begin_with(alphabet):
    """Otherwise a letter is encoded as the class of whatever digit the first model took it for."""
    app = visit("2_Sliders", sliders_cast=f"{OTHER}~{alphabet}", sliders_dim="2", digit="letters:600")
    assert not app.exception and not app.error
    letter, options = digit.sample(600, "letters"), told(app, "views/sliders.mjs")
    guess, _ = label_for(letter, store.model(OTHER)[0], "digits")
    assert {m["kind"]: m["told"] for m in options["models"]} == {OTHER: guess, alphabet: letter.label}
    assert letter.label > 9 and options["labels"] == list("0123456789") and options["digit"]["label"] == guess
    (content,) = [json.loads(e.proto.json) for e in app.get("bidi_component") if "views/sliders.mjs" in e.proto.json]
    for slug, own in ((OTHER, guess), (alphabet, letter.label)):
        model, x = store.model(slug)[0], torch.tensor(letter.pixels)[None]
        z = latent.embed(model, x, torch.tensor([own])).mean
        drawn = latent.decode(model, z, torch.tensor([guess]))[0].numpy()  # what is drawn, all are told alike
        assert data_uri(drawn) in content["first"], slug


def test_what_a_digit_is_said_to_be_reaches_whom_it_concerns():
    """Otherwise a second model goes on with its guess, where the first one's label stays what it was."""
    pixels = digit.sample(5, "digits").pixels
    guessed, said = (digit.Chosen(pixels, label, "mine", how=digit.DRAWN) for label in (None, 5))
    one, other = (digit.option(chosen, 7, chosen.label)["id"] for chosen in (guessed, said))
    assert one != other and digit.option(guessed, 7)["id"] == digit.option(said, 7)["id"]


def test_the_studio_hears_of_a_sample_of_any_data_set(alphabet):
    """Otherwise its message is refused, and the page below goes on about the digit before."""
    pad = {"bits": digit.as_text(digit.sample(600, "letters")), "said": None, "label": 3, "codes": None}
    for name in data.DATASETS:
        said = {**pad, "origin": f"{name}:600"}
        assert messages.read(studio.READER, said) == said


def test_only_one_class_is_of_the_data_set_that_was_shown(alphabet):
    app = visit("3_Styles", styles_model=alphabet, digit="letters:600", digit_only="17")
    assert app.selectbox(key="digit_only").value == 17 and not app.exception
    app.selectbox(key="digit_source").set_value("digits").run()
    assert app.selectbox(key="digit_only").value is None and not app.exception
