"""Styles: what is shown is what `vae_core` says, by the control and by the link, of one conditional model or two."""

import base64
import io
import json
import re

import numpy as np
import pytest
import torch
from apps import opens_with, page, run, sample, shown, source, ten_in_the_hand_of, told, visit
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.live import store
from ui.parts import tiles
from ui.parts.tiles import data_uri
from vae_core import checkpoints, latent
from vae_core.data import DATASETS

CVAE, _ = checkpoints.load("mnist-cvae-2d")
OTHER = "digits-cvae-2d"


@pytest.mark.parametrize("dim", [2, 20])
def test_styles_shows_the_ten_digits_of_this_hand_in_either_size(root, dim):
    """Otherwise the row under "this hand" could belong to another digit, label or model than the controls say."""
    at = page(root, "3_Styles")
    at.segmented_control(key="styles_dim").set_value(dim)
    at.number_input(key="digit_number").set_value(17)
    run(at)
    model, _ = checkpoints.load(f"mnist-cvae-{dim}d")
    x, label = sample(17)
    body = opens_with(at)
    for y, expected in enumerate(ten_in_the_hand_of(model, x, label).numpy()):
        assert body.count(tiles.data_uri(expected)) >= 1, f"digit {y} of the hand is not shown"
    assert tiles.data_uri(model.observe(x)[0].numpy()) in shown(at)


def test_styles_finds_the_digits_that_were_really_written_like_this(root):
    """Otherwise "real digits in this hand" are any digits, of another label, or near to another z."""
    at = page(root, "3_Styles")
    z = torch.tensor([1.2, -0.7])
    (view,) = (c for c in at.get("bidi_component") if c.proto.component_name == "lse_view")
    of = json.loads(json.loads(view.proto.json)["options"])["digit"]["id"]
    at.session_state["styles mnist-cvae-2d"] = {"message": {"digit": of, "z": z.tolist()}}
    body = shown(run(at))
    images, labels = store.samples(source())
    for y in range(10):
        of_label = torch.tensor(images[labels == y])
        codes = CVAE.encode((of_label >= 0.5).float(), torch.full((len(of_label),), y)).mean
        nearest = of_label[(codes - z).square().sum(1).argmin()]
        assert tiles.data_uri(nearest.numpy()) in body, f"the {y} nearest to this hand is not shown"


def test_styles_opens_at_the_hand_of_the_link(root):
    """Otherwise the first picture is another one than the live view's, and it jumps."""
    for text, z in (("0.5,-1.25", [0.5, -1.25]), ("0.5", None), ("nan,1", None)):
        at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/3_Styles.py")
        at.query_params["z"] = text
        z = latent.embed(CVAE, *sample_that_opens()).mean[0].tolist() if z is None else z
        ten = latent.decode(CVAE, torch.tensor([z]).expand(10, -1), torch.arange(10)).numpy()
        body = opens_with(run(at))
        assert all(tiles.data_uri(p) in body for p in ten), text


def sample_that_opens() -> tuple[torch.Tensor, torch.Tensor]:
    x, label = sample(DATASETS[source()].opens)
    return x, torch.tensor([label])


def test_styles_sheet_lies_as_the_map_does(root):
    """Otherwise a tile of the sheet stands for another z than its place says: z₁ right, z₂ up, row 0 on top."""
    at = page(root, "3_Styles")
    at.segmented_control(key="styles_label").set_value(7)
    sheet = re.search(r"base64,([^\"]+)", opens_with(run(at), "parts/sheet.mjs"))[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet))), np.float32) / 255
    n = pixels.shape[0] // 28
    for row, column in ((0, 0), (0, n - 1), (n - 1, 0), (4, 9)):
        z = torch.tensor([[-3 + 6 * column / (n - 1), 3 - 6 * row / (n - 1)]])
        expected = latent.decode(CVAE, z, torch.tensor([7]))[0].view(28, 28).numpy()
        tile = pixels[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        assert np.abs(tile - expected).max() < 0.01


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


def test_two_conditional_models_write_side_by_side():
    """Otherwise whoever has trained one sees it in the shipped one's place, and compares from memory."""
    app = visit("3_Styles", styles_beside=OTHER, z="0,0", z2="1,1")
    assert not app.exception and not app.error
    sent = [json.loads(e.proto.json) for e in app.get("bidi_component") if "views/styles.mjs" in e.proto.json]
    views = [json.loads(content["options"]) for content in sent]
    assert [(view["slug"], view["place"]) for view in views] == [("mnist-cvae-2d", ""), (OTHER, "2")]
    for slug, z, content in zip(("mnist-cvae-2d", OTHER), ([0.0, 0.0], [1.0, 1.0]), sent, strict=True):
        model = checkpoints.load(slug)[0]
        with torch.no_grad():
            ten = latent.decode(model, torch.tensor([z]).expand(10, -1), torch.arange(10)).numpy()
        assert all(data_uri(drawn) in content["first"] for drawn in ten), slug
    app.selectbox(key="styles_beside").set_value(None).run()
    assert told(app, "views/styles.mjs")["slug"] == "mnist-cvae-2d" and not app.exception
    app = visit("3_Styles", styles_beside="mnist-vae-2d")  # who is told no label stands nowhere here
    assert told(app, "views/styles.mjs")["slug"] == "mnist-cvae-2d" and not app.exception


def test_leak_opens_by_its_control_with_the_plain_and_the_scrubbed_model():
    """Otherwise what the two tell cannot be compared; each number is the card's, and draws and means stand apart."""
    app = visit("3_Styles")
    app.segmented_control(key="styles_part").set_value("Leak").run()
    assert not app.exception and not app.error
    view = told(app, "views/leak.mjs")
    assert [model["network"]["slug"] for model in view["models"]] == ["mnist-cvae-20d", "mnist-scrubbed-20d"]
    assert view["judge"] and all(model["judged"] for model in view["models"])
    words = "\n".join(text.value for text in app.markdown)
    for name in ("mnist-cvae-20d", "mnist-scrubbed-20d"):
        card = checkpoints.read_card(name)
        for of in ("draw", "mean"):
            assert f"{card['leak'][of]['accuracy']:.0%}" in words
        assert f"still as the old one in {card['content']['swap']['old']:.2%}" in words
        assert f"For {card['content']['wrong']['true']:.1%} of 10,000 images" in words
    assert "tells less by draws and more by means" in words
    for share in checkpoints.read_card("mnist-scrubbed-20d")["content"]["fidelity"]:
        assert f"{share:.1%}" in shown(app)


@pytest.mark.parametrize("size", [2, 20])
def test_leak_takes_every_conditional_model_of_a_size(size):
    """Without the judge's numbers, or with none at all, the words are others and the page stands."""
    app = visit("3_Styles", styles_part="Leak", leak_dim=str(size), leak_cast=f"cvae~{OTHER}~mnist-scrubbed-20d")
    assert not app.exception and not app.error
    assert len(told(app, "views/leak.mjs")["models"]) == 2
    app.segmented_control(key="leak_dim").set_value(22 - size).run()
    assert not app.exception and not app.error


def test_a_leak_that_nobody_measured_names_its_command(monkeypatch):
    monkeypatch.setattr(store, "measured", lambda name, slug: None)
    app = visit("3_Styles", styles_part="Leak")
    assert not app.exception and not app.error
    assert any("measure mnist-cvae-20d --what leak content" in text.value for text in app.markdown)
