"""A tile of a test image becomes the digit of all pages, where its own page offers it."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.house.test_layers import ROOT
from ui.live import store
from ui.parts import digit
from vae_core import checkpoints, latent


def opened(page: str, **link: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=60).switch_page(f"pages/{page}")
    for name, text in link.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception and not app.error
    return app


def told(app: AppTest) -> dict:
    view = next(c.proto for c in app.get("bidi_component") if c.proto.component_name == "lse_view")
    return json.loads(json.loads(view.json)["options"])


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception and not app.error


@pytest.fixture(autouse=True)
def _bundled_alone(monkeypatch, tmp_path, no_caches_of_others):
    monkeypatch.setenv("VAE_DATA", str(tmp_path))


def test_a_neighbour_on_the_map_is_picked_on_both_maps():
    """Otherwise what is seen below the maps cannot be found on them. Pressed twice it is picked twice."""
    app = opened("1_Map.py")
    near = latent.neighbours(
        checkpoints.load_codes("mnist-vae-2d")["test_mean"], checkpoints.load_codes("mnist-vae-2d")["test_mean"][0], 4
    )[0].tolist()
    near.remove(0)
    assert told(app)["taken"] is None
    for n in (1, 2):
        press(app, "near_right_take_1")
        assert told(app)["taken"] == {"n": n, "dataset": "mnist", "image": near[1]}


def test_where_the_original_is_not_here_its_drawing_can_be_used():
    """A visitor without MNIST may still take the digit along: the drawing, and it is said that it is one."""
    app = opened("1_Map.py")
    press(app, "map_use_left")
    chosen = app.session_state["digit_chosen"]
    model, codes = checkpoints.load("mnist-ae-2d")[0], checkpoints.load_codes("mnist-ae-2d")
    drawn = latent.decode(model, codes["test_mean"][[0]])[0].numpy()
    np.testing.assert_array_equal(chosen.pixels, drawn >= 0.5)
    assert chosen.label == 7 and digit.describe(chosen) == "The AE's drawing of test image 0, said to be a 7."
    assert "not on this machine" in " ".join(chosen.notes)
    app.switch_page("pages/5_Restore.py").run()
    assert not app.exception
    assert any("drawing of test image 0" in caption.value for caption in app.caption)


def test_who_writes_like_this_becomes_the_digit():
    """The whole page must be about the digit then, not only the part in which its tile lay."""
    app = opened("3_Styles.py")
    press(app, "hand_take_4")
    chosen = app.session_state["digit_chosen"]
    assert chosen.source == "digits" and chosen.label == 4
    np.testing.assert_array_equal(chosen.pixels, store.samples("digits")[0][chosen.index])
    assert any(caption.value.startswith(digit.describe(chosen)) for caption in app.caption)
