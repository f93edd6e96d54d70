"""Any model on a page, by the control and by the link: found while the app runs, left out where it cannot stand."""

import json
import shutil
from pathlib import Path

import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from ui.live import cast, networks
from vae_core import checkpoints
from vae_core.storage import read_json, read_tensors, write_json, write_tensors

ROOT = Path(__file__).resolve().parents[2]
OTHER = "digits-cvae-2d"


def visit(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page(f"pages/{page}.py")
    for name, text in query.items():
        app.query_params[name] = text
    return app.run()


def told(app: AppTest, module: str) -> dict:
    """What a page tells its live view."""
    sent = [json.loads(e.proto.json) for e in app.get("bidi_component") if module in e.proto.json]
    (options,) = [json.loads(content["options"]) for content in sent]
    return options


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


def test_styles_take_any_conditional_model():
    app = visit("3_Styles", styles_model=OTHER)
    assert not app.exception and not app.error
    assert told(app, "views/styles.mjs")["slug"] == OTHER
    assert set(app.radio(key="styles_model").options) == {
        "◉ CVAE (mnist, 2 numbers)",
        "◉ CVAE digits (digits, 2 numbers)",
    }
    assert any("in the VAE" in text.value for text in app.markdown)  # its own data set's
    app = visit("3_Styles", styles_model="mnist-vae-2d")
    assert not app.exception and told(app, "views/styles.mjs")["slug"] == "mnist-cvae-2d"


def test_python_and_the_link_speak_of_the_same_model():
    """`slug_of` is the reverse of a standing's key, for every checkpoint that is here."""
    for one in cast.everybody():
        assert cast.slug_of(one.key, one.latent_dim) == one.slug
        with torch.no_grad():
            assert checkpoints.load(one.slug)[0].config.latent_dim == one.latent_dim
