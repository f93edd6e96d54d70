"""The page "Models": each checkpoint opens with its own numbers and drawings, and a card's words stay words."""

import base64
import html
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from ui.live import cast, networks
from ui.parts import figures, links
from ui.shell.pages import GROUPS
from ui.views import models
from vae_core import checkpoints, latent, measures
from vae_core.storage import read_tensors, write_tensors

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '<img src=x onerror="alert(1)"> [win](http://a.invalid) **bold** :red[x] $x$'
pytestmark = pytest.mark.usefixtures("no_caches_of_others")


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Path:
    """A checkpoints folder of the test's own, with two models in it."""
    root = tmp_path / "checkpoints"
    for slug in ("digits-ae-2d", "digits-cvae-2d"):
        shutil.copytree(checkpoints.ROOT / slug, root / slug)
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    return root


def put(root: Path, slug: str, tag: str, **changes) -> Path:
    """A copy of a checkpoint under a tag of its own, with a card that says other things, too."""
    folder = root / f"{slug}-{tag}"
    shutil.copytree(root / slug, folder)
    card = json.loads((folder / "card.json").read_text())
    card["slug"], card["config"]["tag"] = folder.name, tag
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder


def visit(**link: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page("pages/8_Models.py")
    for name, value in link.items():
        app.query_params[name] = value
    return well(app.run())


def well(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


def markup(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def cells(app: AppTest) -> dict[str, list[str]]:
    """Rows of the table of test numbers by their words."""
    table = next(t for t in re.findall(r'<table class="lse-numbers">(.*?)</table>', markup(app)) if "on test" in t)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table)[1:]]
    return {row[0]: [html.unescape(cell) for cell in row[1:]] for row in rows}


def alone(cell: str) -> str:
    """Without the range of further seeds."""
    return re.sub(r" \([\d.%−]+ to [\d.%−]+\)$", "", cell)


def pictures(app: AppTest) -> list[np.ndarray]:
    """Sheets first, as their views begin."""
    sheets = "".join(json.loads(view.proto.json).get("first", "") for view in app.get("bidi_component"))
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', sheets + markup(app))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) / 255 for png in found]


def test_every_checkpoint_opens():
    """A kind or a data set that the page cannot show would take its whole list down."""
    app = visit()
    there = cast.everybody()
    assert app.selectbox(key="model").value == there[0].slug
    for one in there:
        well(app.selectbox(key="model").set_value(one.slug).run())
        card = checkpoints.read_card(one.slug)
        assert app.code[0].value == card["command"]
        assert f"{card['parameters']:,} weights" in markup(app)
        assert pictures(app) and max(picture.max() for picture in pictures(app)) > 0.5
        shown = {words: [alone(cell) for cell in row] for words, row in cells(app).items()}
        assert shown["squared error of a pixel"][0] == f"{card['test']['mse']:.4f}"
        bound = shown["−ELBO, nats per image"][0]
        if one.probabilistic:
            of = " of a density" * (card["likelihood"] == "gaussian") + " given y" * one.conditional
            assert bound == f"{card['test']['nelbo']:.2f}".replace("-", "−") + of
        else:
            assert bound.startswith("— ")  # and why
        terms = {term for row in card["history"] for term, value in row.items() if value is not None}
        assert len(app.get("plotly_chart")) == len(terms - {"epoch", "seconds"})


def test_two_stand_side_by_side_as_their_link_says():
    """A pair that no link holds cannot be shown to others."""
    app = visit(model="mnist-cvae-20d", beside="mnist-cvae-2d")  # of one name: their lines must not be one
    for chart in app.get("plotly_chart"):
        assert len(json.loads(chart.proto.spec)["data"]) == 2
    app = visit(model="mnist-cvae-2d", beside="mnist-vae-20d")
    found = [checkpoints.read_card(slug)["test"]["nelbo"] for slug in ("mnist-cvae-2d", "mnist-vae-20d")]
    shown = {words: [alone(cell) for cell in row] for words, row in cells(app).items()}
    assert shown["−ELBO, nats per image"] == [f"{found[0]:.2f} given y", f"{found[1]:.2f}", "low"]
    assert shown["−ELBO with the label, nats per image"][:2] == [f"{found[0] + np.log(10):.2f}", f"{found[1]:.2f}"]
    assert [code.value for code in app.code] == [
        checkpoints.read_card(slug)["command"] for slug in ("mnist-cvae-2d", "mnist-vae-20d")
    ]


@pytest.mark.parametrize("slug", ["mnist-vae-2d", "mnist-ae-2d"])
def test_a_sheet_is_the_plane_as_the_map_has_it(slug):
    """z₁ to the right and z₂ upwards, in the model's own σ: else two pages show two planes."""
    (sheet,) = pictures(visit(model=slug))
    model, _ = checkpoints.load(slug)
    codes = checkpoints.load_codes(slug)["train_mean"]
    middle, sigma = latent.own_scale(codes, prior=model.probabilistic)
    n, reach = models.SIDE, models.REACH
    for row, column in ((0, 0), (0, n - 1), (n - 1, 0)):
        step = torch.tensor([column, n - 1 - row]) / (n - 1) * 2 - 1
        expected = latent.decode(model, (middle + sigma * reach * step)[None])[0].reshape(28, 28).numpy()
        shown = sheet[28 * row : 28 * row + 28, 28 * column : 28 * column + 28]
        np.testing.assert_allclose(shown, expected, atol=0.01)


def test_a_network_of_one_layer_each_side_shows_its_weights():
    """The simplest network is all there to be seen; for PCA both layers are the components themselves."""
    model, _ = checkpoints.load("mnist-pca-20d")
    *_, looks, adds = np.split(
        np.stack([p.ravel() for p in pictures(visit(model="mnist-pca-20d")) if p.size == 784]), 2
    )
    component = model.decoder[0].weight[:, 3].detach()
    expected = (0.5 + 0.5 * component / component.abs().max()).numpy()
    np.testing.assert_allclose(adds[3], expected, atol=0.01)
    np.testing.assert_allclose(looks[3], adds[3], atol=0.01)
    assert "looks for" not in str([box.value for box in visit(model="mnist-ae-20d").get("html")])


def test_a_conditional_model_draws_a_row_a_label():
    """Rows that swap their labels would look like a model that confuses them."""
    (sheet,) = pictures(visit(model="mnist-cvae-20d"))
    shown = sheet.reshape(10, 28, models.ACROSS, 28).swapaxes(1, 2).reshape(-1, 784)
    read = checkpoints.load_judge().label(torch.tensor(shown, dtype=torch.float32))
    asked = torch.arange(10).repeat_interleave(models.ACROSS)
    assert (read == asked).float().mean() > 0.9


def test_a_model_that_comes_while_the_page_is_open_is_found(shelf):
    """Whoever trains in a terminal must not start the app again to see it."""
    app = visit()
    assert len(app.selectbox(key="model").options) == 2
    folder = put(shelf, "digits-cvae-2d", "mine")
    well(app.run())
    assert len(app.selectbox(key="model").options) == 3
    well(app.selectbox(key="model").set_value(folder.name).run())
    before = np.stack(pictures(app))
    weights, _ = read_tensors(folder / "weights.safetensors")  # trained again, under the same name
    write_tensors(folder / "weights.safetensors", {name: tensor * 0.5 for name, tensor in weights.items()})
    well(app.run())
    assert np.abs(np.stack(pictures(app)) - before).max() > 0.2
    shutil.rmtree(folder)
    app.run()
    assert not app.exception and "it is not here" in app.warning[0].value


def test_what_is_broken_is_named_and_hides_nobody(shelf):
    """A model that is silently missing is looked for in the wrong place."""
    folder = put(shelf, "digits-ae-2d", "cut")
    file = folder / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    app = visit(model=folder.name)
    assert folder.name in app.warning[0].value
    assert len(app.selectbox(key="model").options) == 2
    assert f"checkpoints/{folder.name}/weights.safetensors" in markup(app) and str(shelf) not in markup(app)


def test_what_a_card_says_is_text(shelf):
    """A card is a file that comes from anywhere: a picture in it would tell somebody who looks at it."""
    folder = shelf / "digits-cvae-2d-www.a.invalid"
    rows = json.loads((shelf / "digits-cvae-2d/card.json").read_text())["history"]
    put(
        shelf,
        "digits-cvae-2d",
        "www.a.invalid",
        command=HOSTILE,
        date=HOSTILE,
        seconds=[HOSTILE],
        history=[row | {HOSTILE: 1.0} for row in rows],
    )
    app = visit(model=folder.name)
    assert app.code[0].value == HOSTILE
    assert "<img src=x" not in markup(app) and html.escape(HOSTILE[:60]) in markup(app)
    assert len(app.get("plotly_chart")) == 3  # the further term has its curve
    said = [element.value for kind in (app.markdown, app.caption, app.subheader, app.warning) for element in kind]
    assert not [text for text in said if "a.invalid" in text or "onerror" in text]


def test_every_door_opens_a_page_that_reads_it():
    """A parameter that the page does not know opens it with another model, without a word."""
    there = cast.everybody()
    pages = {label for rows in GROUPS.values() for _, label, _ in rows} - {"Studio", "Models"}
    for one in there:
        ways = models.rooms(one, {other.slug for other in there})
        assert set(ways) <= pages
        takes = {label for label, kept in links.LINKS.items() if any(k.endswith(("_cast", "_model")) for k in kept)}
        assert set(ways) == takes | {"Map"}  # whose link calls its two models left and right
        for label, way in ways.items():
            for name, value in {} if isinstance(way, str) else way.items():
                param = links.LINKS[label][name]  # it is read
                assert param is links.VIEW or param.write(param.read(value)) == value
    mine = next(one for one in there if one.slug == "mnist-vae-2d-beta4")
    ways = models.rooms(mine, {other.slug for other in there})
    assert ways["Sliders"] == {"sliders_cast": "vae~mnist-vae-2d-beta4", "sliders_dim": "2"}
    assert ways["Map"] == {"left": "mnist-vae-2d-beta4"} and ways["Styles"] == "it is told no label"


def test_a_terms_curve_is_what_the_card_says():
    """Two models of which one has no such term: its absence is no zero."""
    figure = figures.term_curves({"a": [(1, 5.0), (2, -3.0)], "b": [(1, None), (2, None)], "c": [(1, 2.0)]})
    assert [line.name for line in figure.data] == ["a", "c"]
    assert list(figure.data[0].y) == [5.0, -3.0]
    assert [note.text for note in figure.layout.annotations] == ["−3.00", "2.00"]
    assert not figures.term_curves({}).data
    assert figure.layout.xaxis.dtick == 1  # there is no epoch 1.5


def test_further_seeds_stand_beside_the_number(shelf):
    """A range that is left out makes of luck a difference; one of other weights is of another model."""
    card = json.loads((shelf / "digits-cvae-2d/card.json").read_text())
    nelbo = card["test"]["nelbo"]
    runs = {str(i): {"test": card["test"] | {"nelbo": nelbo + i}} for i in (1, 2)}
    weights = measures.weights_fingerprint("digits-cvae-2d")
    for tag, fingerprint in (("several", weights), ("too", weights), ("other", "0" * 64)):
        put(shelf, "digits-cvae-2d", tag, seeds={"weights": fingerprint, "runs": runs})
    for beside, cell, good in (
        ("other", f"{nelbo:.2f} given y", "low"),
        ("too", f"{nelbo:.2f} given y ({nelbo:.2f} to {nelbo + 2:.2f})", "low, about equal"),
    ):
        app = visit(model="digits-cvae-2d-several", beside=f"digits-cvae-2d-{beside}")
        ranged = f"{nelbo:.2f} given y ({nelbo:.2f} to {nelbo + 2:.2f})"
        assert cells(app)["−ELBO, nats per image"] == [ranged, cell, good]
        assert any("range over 3 trainings" in caption.value for caption in app.caption)
