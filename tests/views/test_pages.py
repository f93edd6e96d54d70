"""Every page as a visitor drives it, without a browser: each control is moved, and what is shown is compared with
what `vae_core` says when it is asked directly."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA
from streamlit.testing.v1 import AppTest

from ui.live import cast, networks, store
from ui.parts.links import DIGITS
from ui.shell.family import FAMILY, slug
from ui.shell.pages import GROUPS
from ui.views.bound.account import ranking
from ui.views.studio import any_sample
from vae_core import checkpoints, data, latent, measures, metrics

ROOT = Path(__file__).resolve().parents[2]
# The list is the folder: a new page cannot be forgotten.
PAGES = ["studio.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
NAMES = {path: label for pages in GROUPS.values() for path, label, _ in pages}
PATIENCE = 120  # seconds, on a machine that is busy otherwise
pytestmark = pytest.mark.usefixtures("no_caches_of_others")


def shows_samples(page: str) -> bool:
    """Whether Python puts samples on it as it opens: a page without a digit has none, the Studio's come with its view,
    and Generate's with its second part."""
    return page not in ("studio.py", "pages/7_Generate.py") and bool(DIGITS[NAMES[page]])


@pytest.fixture
def visit(monkeypatch, tmp_path):
    """Open a page; with an empty data folder unless another is named."""

    def open_page(page: str, folder: Path | None = None) -> AppTest:
        monkeypatch.setenv("VAE_DATA", str(folder or tmp_path))
        app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=PATIENCE)
        return (app if page == "studio.py" else app.switch_page(page)).run()

    return open_page


def markup(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def tiles(app: AppTest) -> list[tuple[str, np.ndarray]]:
    """Caption and pixels (784,) of every tile, read back from what is sent to the browser; of one that is a button the
    button's words."""
    buttons = iter([b.label for b in app.button if "_take_" in (b.key or "")])
    found = []
    for figure in re.findall(r'<figure class="lse-tile".*?</figure>', markup(app), re.DOTALL):
        (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', figure)
        text = re.findall(r"<figcaption>(.*?)</figcaption>", figure)
        words = html.unescape(re.sub("<br>", " ", re.sub("</?(b|small)>", "", text[0]))) if text else ""
        found.append((words or next(buttons), pixels(png)))
    return found


def strip(app: AppTest) -> np.ndarray:
    """The pictures of the page's one strip, (n, 784)."""
    (line,) = re.findall(r'<div class="lse-strip">.*?</div>', markup(app))
    return np.stack([pixels(png) for png in re.findall(r'src="data:image/png;base64,([^"]+)"', line)])


def pixels(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))).reshape(784) / 255


def tables(app: AppTest) -> list[list[list[str]]]:
    """Cells of every table, without its head."""
    found = re.findall(r'<table class="lse-numbers">(.*?)</table>', markup(app))
    rows = [re.findall(r"<tr[^>]*>(.*?)</tr>", table)[1:] for table in found]
    return [[[html.unescape(c) for c in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in table] for table in rows]


def same_picture(shown: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(shown, expected.numpy().reshape(shown.shape), atol=0.003)  # eight bits a pixel


def well(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.error, app.error
    return app


# Every page -------------------------------------------------------------------------------------------------


def test_every_page_is_in_the_sidebar_and_nothing_else():
    """A page that is missing in `GROUPS` cannot be reached; one too many is a dead link on every page."""
    listed = [path for pages in GROUPS.values() for path, _, _ in pages]
    assert sorted(listed) == sorted(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_page_opens_without_a_data_set(page, visit):
    """A fresh clone has no MNIST and perhaps no network: every page must answer all the same, and say so."""
    app = well(visit(page))
    assert len(app.title) == 1 and app.title[0].value
    assert 'class="lse-lead"' in markup(app)
    if shows_samples(page):
        assert any("scikit-learn" in caption.value for caption in app.caption)


@pytest.mark.parametrize("page", PAGES)
def test_page_opens_with_mnist(page, visit, mnist_dir):
    """With the originals at hand other branches run."""
    app = well(visit(page, mnist_dir))
    assert app.title[0].value
    assert not any("Fetch MNIST" in button.label for button in app.button)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("harm", ["no models", "weights cut", "codes missing", "card cut", "card of another kind"])
def test_page_says_one_sentence_where_a_checkpoint_is_broken(page, harm, visit, tmp_path, monkeypatch, caplog):
    """A file that did not arrive whole must end in a sentence, not in a traceback, and not in wrong pictures. The
    sentence is for visitors: paths of the server are for its log."""
    root = tmp_path / "checkpoints"
    for folder in checkpoints.ROOT.glob("*/"):
        if harm != "no models" and not folder.name.startswith("."):
            (root / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                (root / folder.name / file.name).symlink_to(file)
            harm_one(root / folder.name, harm)
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    app = visit(page)
    assert not app.exception, app.exception
    assert app.title[0].value
    # Not every page asks for the codes, and the Studio's weights are first read in the browser.
    quiet = harm == "codes missing" or (harm == "weights cut" and page == "studio.py")
    assert len(app.error) == 1 or (quiet and not app.error)
    for error in app.error:
        assert error.value.endswith(".") and "Traceback" not in error.value
        assert "checkpoints" in error.value and "train" in error.value  # what to do
    shown = [element.value for kind in (app.error, app.warning, app.caption, app.markdown) for element in kind]
    assert not [text for text in (*shown, markup(app)) if str(tmp_path) in text]
    refused = re.findall(r"The model (\S+) cannot be loaded", " ".join(error.value for error in app.error))
    assert [record.args[0] for record in caplog.records if record.name == "ui.shell.failure"] == refused
    if harm in ("codes missing", "weights cut") and refused:
        assert str(root / refused[0]) in caplog.text


def write_mnist(folder: Path, kept: int | None = None) -> None:
    """The four files of MNIST with 10,000 of scikit-learn's digits, over and over; each cut off after `kept` bytes."""
    raw, digits = folder / "MNIST" / "raw", data.load("digits", "test")
    raw.mkdir(parents=True)
    n = 10_000
    again = torch.arange(n) % len(digits.labels)
    for name, sizes, values in (
        ("images-idx3", (n, 28, 28), digits.images * 255),
        ("labels-idx1", (n,), digits.labels),
    ):
        head = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        for split in ("train", "t10k"):
            (raw / f"{split}-{name}-ubyte").write_bytes((head + values.byte()[again].numpy().tobytes())[:kept])


@pytest.mark.parametrize("page", PAGES)
def test_page_goes_on_when_the_data_set_arrives(page, visit, tmp_path):
    """What was computed from the samples before must not meet the samples after: whoever presses "Fetch MNIST" has
    the page open."""
    app = well(visit(page, tmp_path / "data"))
    write_mnist(tmp_path / "data")
    app = well(app.run())
    assert not any("Fetch MNIST" in button.label for button in app.button)


@pytest.mark.parametrize("page", [page for page in PAGES if shows_samples(page) and page != "pages/1_Map.py"])
@pytest.mark.parametrize("touched", [None, 200])
def test_a_digit_keeps_its_data_set_until_somebody_chooses_another(page, touched, visit, tmp_path):
    """When one visitor fetches MNIST, everybody else's number must not become another digit without a word."""
    app = well(visit(page, tmp_path / "data"))
    if touched is not None:
        well(app.number_input(key="digit_number").set_value(touched).run())
    before = app.number_input(key="digit_number").value
    caption = next(c.value for c in app.caption if c.value.startswith("Scikit-learn digit"))
    write_mnist(tmp_path / "data")
    well(app.run())
    assert app.number_input(key="digit_number").value == before
    assert next(c.value for c in app.caption if "digit" in c.value) == caption
    well(app.selectbox(key="digit_source").set_value("mnist").run())
    assert app.number_input(key="digit_number").value == data.DATASETS["mnist"].opens
    assert any(c.value.startswith("MNIST test digit 0, ") for c in app.caption)


def test_a_tile_of_the_old_data_set_takes_its_own_digit(visit, tmp_path):
    """The tiles that stand on an open page are of the data set that was there when they were drawn."""
    app = visit("pages/6_The_bound.py", tmp_path / "data")
    well(app.segmented_control(key="inside_list").set_value("Largest gap").run())
    numbers = len(store.samples("digits")[1])
    index = ranking("Largest gap", store.exact("mnist-vae-2d"), "bundled_", numbers)[1][0]
    write_mnist(tmp_path / "data")
    well(app.button(key="bound_take_0").click().run())
    assert app.session_state["digit_chosen"].origin == f"digits:{index}"


@pytest.mark.parametrize("page", PAGES)
def test_page_stands_on_a_broken_data_set(page, visit, tmp_path, caplog):
    """Half of a file that somebody copied must not take the app down with it; where it lies is for the log alone."""
    write_mnist(tmp_path / "data", kept=500)
    app = well(visit(page, tmp_path / "data"))
    assert str(tmp_path) not in markup(app)
    if shows_samples(page):
        assert any("one of its files is broken" in caption.value for caption in app.caption)
        assert str(tmp_path) in caplog.text and not any(str(tmp_path) in c.value for c in app.caption)


def harm_one(folder: Path, harm: str) -> None:
    name = {"weights": "weights.safetensors", "codes": "codes.safetensors", "card": "card.json"}[harm.split()[0]]
    file = folder / name
    if file.is_symlink():
        content = file.read_bytes()
        file.unlink()
        if harm == "card of another kind":
            file.write_text("[]")
        elif harm != "codes missing":
            file.write_bytes(content[: len(content) // 2])


def test_a_broken_data_set_is_read_once_and_again_when_it_has_changed(monkeypatch, tmp_path, caplog):
    """Every run of every page asks for the data sets: megabytes would be read, and a warning logged, at each."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    st.cache_data.clear()
    st.cache_resource.clear()
    write_mnist(tmp_path)
    images = next(tmp_path.rglob("t10k-images*"))
    whole = images.read_bytes()
    images.write_bytes(whole[:1000])
    assert [store.whole("mnist") for _ in range(3)] == [False] * 3
    assert len([record for record in caplog.records if record.name == "ui.live.store"]) == 1
    images.write_bytes(whole)
    assert store.whole("mnist")
    images.unlink()
    assert not store.whole("mnist") and store.sources() == ["digits"]
    st.cache_resource.clear()  # these samples are no other test's


def test_a_data_set_is_read_when_it_is_chosen_and_a_broken_one_changes_nothing(visit, tmp_path, monkeypatch):
    """Otherwise whoever opens a page waits for every data set on the machine, and keeps 31 MB of each in memory."""
    write_mnist(tmp_path)
    for name in ("FashionMNIST", "KMNIST"):
        shutil.copytree(tmp_path / "MNIST", tmp_path / name)
    (tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte").write_bytes(b"cut")
    read, load = [], data.load
    monkeypatch.setattr(data, "load", lambda name, *more: read.append(name) or load(name, *more))
    app = well(visit("pages/3_Styles.py"))
    assert app.selectbox(key="digit_source").options == ["MNIST", "scikit-learn", "Fashion-MNIST", "KMNIST"]
    assert read == ["mnist"]
    well(app.selectbox(key="digit_source").set_value("fashion_mnist").run())
    assert read == ["mnist", "fashion_mnist"] and app.session_state["digit_chosen"].source == "fashion_mnist"
    before = app.session_state["digit_chosen"]
    well(app.selectbox(key="digit_source").set_value("kmnist").run())
    after = app.session_state["digit_chosen"]
    assert after._replace(notes=()) == before and app.selectbox(key="digit_source").value == "fashion_mnist"
    assert any("KMNIST has a broken file on this machine" in caption.value for caption in app.caption)


# Studio -----------------------------------------------------------------------------------------------------


def test_the_studio_loads_nothing_heavy():
    """The first paint must not wait seconds for torch, Plotly or scikit-learn, whoever imports them."""
    code = (  # in Streamlit's "bare mode", without a server. Streamlit itself imports a part of Plotly.
        "import runpy, sys, streamlit; before = set(sys.modules);"
        "home = runpy.run_path('studio.py'); assert home['GROUPS'];"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "ui" in loaded
    assert not loaded & {"torch", "torchvision", "plotly", "sklearn", "skimage", "scipy"}


@pytest.mark.parametrize("page", ["studio.py", "pages/1_Map.py", "pages/5_Restore.py", "pages/8_Models.py"])
def test_the_title_does_not_wait_for_torch(page):
    """A cold server needs seconds to import it: until then a visitor would look at an empty page."""
    code = (
        "import runpy, sys, ui.parts.page\n"
        "ui.parts.page.frame = lambda *_, **__: sys.exit('torch' in sys.modules)\n"
        f"runpy.run_path({page!r})\n"
        "sys.exit('the page has no frame')"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"torch is imported before the frame is drawn. {run.stderr}"


def test_the_studio_has_a_card_for_every_page(visit):
    """Whoever does not look at the sidebar finds the other pages below the Studio."""
    app = well(visit("studio.py"))
    pages = [page for group in GROUPS.values() for page in group if page[0] != "studio.py"]
    assert cards(app) >= {f"**{label}** {question}" for _, label, question in pages}


def cards(app) -> set[str]:
    return {link.proto.label for link in app.get("page_link")}


def test_a_sixth_card_of_a_group_has_a_row(visit, monkeypatch):
    """Five columns took five cards, and the sixth page vanished."""
    monkeypatch.setitem(GROUPS, "Understand", GROUPS["Explore"][1:] + GROUPS["Understand"])
    monkeypatch.setitem(GROUPS, "Explore", GROUPS["Explore"][:1])
    app = well(visit("studio.py"))
    assert cards(app) >= {f"**{label}** {question}" for _, label, question in GROUPS["Understand"]}


def test_the_studio_shows_four_answers_before_any_script_runs_in_the_browser(visit):
    """An empty box while the networks travel would be the first thing that a visitor sees."""
    app = well(visit("studio.py"))
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', markup(app))
    assert len(pictures) >= 1 + len(FAMILY)
    assert all(np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))).max() > 127 for png in pictures)


def test_the_studios_samples_are_mnist_s_where_it_is(monkeypatch, tmp_path):
    """The models learned from MNIST: another data set's digit where its own are at hand would slander them."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    assert any_sample()["notes"].startswith("Scikit-learn digit")
    write_mnist(tmp_path)
    assert any_sample()["notes"].startswith("Scikit-learn digit")  # whoever has seen these goes on with them
    st.session_state.clear()
    taken = any_sample()
    index, label = map(int, re.fullmatch(r"MNIST test digit (\d+), an? (\d)\.", taken["notes"]).groups())
    test = data.load("mnist", "test")
    shown = np.frombuffer(base64.b64decode(taken["pixels"]), np.uint8)
    assert np.array_equal(shown, np.rint(test.images[index].numpy() * 255)) and label == int(test.labels[index])


# Map --------------------------------------------------------------------------------------------------------

MAP, SLIDERS = "pages/1_Map.py", "pages/2_Sliders.py"


def check_map(app: AppTest, keys: tuple[str, str], image: int) -> None:
    """Both halves of the page against the stored codes and the models, asked directly."""
    shown, per_model = tables(app), len(tables(app)) // 2
    pictures = tiles(app)
    half = len(pictures) // 2
    for side, key in enumerate(keys):
        codes = checkpoints.load_codes(cast.slug_of(key, 2))
        model, _ = checkpoints.load(cast.slug_of(key, 2))
        z, y = codes["test_mean"][image], codes["test_label"][image]
        posterior, scores = shown[side * per_model : (side + 1) * per_model]
        assert [float(row[1].replace("−", "-")) for row in posterior] == pytest.approx(z.tolist(), abs=0.0051)
        at_mean = codes["test_reconstruction_at_mean"]
        assert scores[0][1:3] == [f"{at_mean[image]:.2f}", f"{at_mean.double().mean():.2f}"]
        if "test_logvar" in codes:
            sd = codes["test_logvar"][image].mul(0.5).exp()
            assert [row[2] for row in posterior] == [f"{s:.2f}" for s in sd]
            nelbo = (codes["test_reconstruction"] + codes["test_kl"])[image]
            assert scores[3][:2] == ["−ELBO", f"{nelbo:.2f}"]
            assert len(scores) == (5 if model.conditional else 4)
        else:
            assert {cell for row in (*scores[1:], *(r[1:] for r in posterior)) for cell in row[1:]} == {"—"}
        drawn = [pixels for caption, pixels in pictures[side * half : (side + 1) * half] if "drawing" in caption]
        same_picture(drawn[0], latent.decode(model, z[None], y[None] if model.conditional else None))


def picked(app: AppTest, **where) -> AppTest:
    """The page after the browser's message: what was picked is what the session remembers."""
    app.session_state["map"] = where
    return well(app.run())


def test_map_answers_what_was_picked(visit):
    """Another image, other models: each must change what it names and leave the rest."""
    app = well(visit(MAP))
    check_map(app, ("ae", "vae"), 0)
    assert len(tiles(app)) == 2 * (1 + 8)  # without originals: the drawing and eight neighbours a model
    check_map(picked(app, left="ae", right="vae", image=4321), ("ae", "vae"), 4321)
    check_map(picked(app, left="dae", right="cvae", image=4321), ("dae", "cvae"), 4321)


def test_the_map_shows_any_model_on_its_own_data_set(visit):
    """Somebody's model of another data set beside another of it: its own images, its own labels, its own numbers."""
    app = visit(MAP)
    app.query_params["left"], app.query_params["image"] = "digits-cvae-2d", "200"
    well(app.run())
    check_map(app, ("digits-cvae-2d", "digits-ae-2d"), 200)
    test = data.load("digits", "test")
    caption, shown = tiles(app)[0]
    assert caption == f"Image 200 label {int(test.labels[200])}"
    same_picture(shown, test.images[200])
    near = [int(caption) for caption, _ in tiles(app)[2:10]]
    codes = checkpoints.load_codes("digits-cvae-2d")
    distance = (codes["test_mean"] - codes["test_mean"][200]).norm(dim=1)
    distance[200] = torch.inf
    assert near == codes["test_label"][distance.argsort(stable=True)[:8]].tolist()
    # The number of an image that this data set does not have is its last one's.
    pair = ("digits-cvae-2d", "digits-vae-2d")
    app.query_params.clear()
    check_map(picked(app, left=pair[0], right=pair[1], image=5000), pair, -1)


@pytest.mark.parametrize(
    ("link", "pair", "said"),
    [
        ({"left": "digits-cvae-2d"}, ("digits-cvae-2d", "digits-ae-2d"), None),
        ({"right": "digits-vae-2d"}, ("digits-ae-2d", "digits-vae-2d"), None),
        ({"left": "vae", "right": "mnist-vae-2d-beta4"}, ("vae", "mnist-vae-2d-beta4"), None),
        ({"left": "digits-cvae-2d", "right": "vae"}, ("digits-cvae-2d", "digits-ae-2d"), "Both maps show one data set"),
        ({"left": "mnist-vae-2d-mine"}, ("ae", "vae"), "the model `mnist-vae-2d-mine`: there is no such model here"),
        ({"left": "../judge"}, ("ae", "vae"), "of a name that no model has"),
    ],
)
def test_a_link_opens_the_map_with_any_model(visit, link, pair, said):
    """What the link of a model's page or of `train` names stands there; what cannot stand there is said, not shown."""
    app = visit(MAP)
    app.query_params.update(link)
    well(app.run())
    check_map(app, pair, 0)
    words = " ".join(element.value for element in (*app.warning, *app.info))
    assert ("Both maps" in words or "The link names" in words) == (said is not None)
    assert said is None or said in words


def test_a_model_with_many_numbers_stands_on_the_map_by_its_two_principal_components(visit):
    """Its drawing is of the whole code; the neighbours are those that the map shows, in the plane."""
    app = visit(MAP)
    app.query_params.update({"left": "mnist-ae-20d", "right": "mnist-cvae-20d", "image": "77"})
    well(app.run())
    for side, name in enumerate(("mnist-ae-20d", "mnist-cvae-20d")):
        model, codes = checkpoints.load(name)[0], checkpoints.load_codes(name)
        label = codes["test_label"]
        shown = tiles(app)[9 * side : 9 * (side + 1)]
        same_picture(shown[0][1], latent.decode(model, codes["test_mean"][[77]], label[[77]] if side else None))
        pca = PCA(2, svd_solver="full").fit(codes["train_mean"].double().numpy())
        place = pca.transform(codes["test_mean"].double().numpy())
        distance = np.hypot(*(place - place[77]).T)
        near = distance.argsort(kind="stable")[1:9]
        assert [caption for caption, _ in shown[1:]] == [str(y) for y in label[near].tolist()]
    assert "codes in the plane" in " ".join(caption.value for caption in app.caption)


def test_a_model_is_found_while_the_app_runs_also_when_it_is_trained_again(visit, tmp_path, monkeypatch):
    """Trained a minute ago, under a name of its own, it stands there; trained again, the page shows the new one."""
    root = tmp_path / "checkpoints"
    shutil.copytree(checkpoints.ROOT, root, ignore=shutil.ignore_patterns("mnist-*-20d"))
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    app, mine = well(visit(MAP)), root / "digits-vae-2d-mine"
    shutil.copytree(root / "digits-vae-2d", mine)
    card = json.loads((mine / "card.json").read_text(encoding="utf-8"))
    card["slug"], card["config"]["tag"] = mine.name, "mine"
    (mine / "card.json").write_text(json.dumps(card), encoding="utf-8")
    app.query_params["left"] = mine.name
    check_map(well(app.run()), (mine.name, "digits-ae-2d"), 0)
    before = tiles(app)[1][1]
    for name, tensor in (("weights", "decoder.4.bias"), ("codes", "test_mean")):
        tensors = load_file(mine / f"{name}.safetensors")
        tensors[tensor] += 0.25
        save_file(tensors, mine / f"{name}.safetensors")
    check_map(well(app.run()), (mine.name, "digits-ae-2d"), 0)
    assert not np.array_equal(tiles(app)[1][1], before)


def test_map_neighbours_are_the_nearest_codes(visit):
    """The eight tiles must be the nearest codes of this model, nearest first, with the data's labels."""
    app = picked(visit(MAP), left="ae", right="vae", image=25)
    codes, (model, _) = checkpoints.load_codes(slug("vae", 2)), checkpoints.load(slug("vae", 2))
    distance = (codes["test_mean"] - codes["test_mean"][25]).norm(dim=1)
    distance[25] = torch.inf
    near = distance.argsort(stable=True)[:8]
    shown = tiles(app)[-8:]
    assert [caption for caption, _ in shown] == [str(y) for y in codes["test_label"][near].tolist()]
    same_picture(np.stack([picture for _, picture in shown]), latent.decode(model, codes["test_mean"][near]))


def test_map_with_mnist_shows_the_originals_and_true_numbers(visit, mnist_dir):
    """Tiles beside the drawing are the test images themselves, and the stored nats are what the model scores now."""
    app = well(visit(MAP, mnist_dir))
    assert len(tiles(app)) == 2 * (2 + 8)
    picked(app, left="ae", right="vae", image=77)
    test = data.load("mnist", "test", mnist_dir)
    caption, shown = tiles(app)[0]
    assert "77" in caption
    same_picture(shown, test.images[77])
    for side, kind in enumerate(("ae", "vae")):
        model, _ = checkpoints.load(slug(kind, 2))
        now = metrics.per_image(model, test.images[77:78], test.labels[77:78])
        scores = tables(app)[2 * side + 1]
        assert float(scores[0][1]) == pytest.approx(float(now.reconstruction_at_mean), abs=0.02)
        if now.kl is not None:
            assert float(scores[2][1]) == pytest.approx(float(now.kl), abs=0.02)


def test_map_judges_what_the_visitor_has_judged_and_nothing_else(visit, mnist_dir):
    """A verdict before the guess would be the guess; one about another drawing would be wrong about both models."""
    judge = checkpoints.load_judge()
    walk = {"ends": [3, 18], "said": {}}
    app = picked(visit(MAP, mnist_dir), left="ae", right="cvae", image=3, walk=walk)
    heard, test = sliders(app)[0]["walk"], data.load("mnist", "test", mnist_dir)
    assert heard["verdicts"] == {} and not tiles(app)
    originals = [np.frombuffer(base64.b64decode(text), np.uint8) / 255 for text in heard["originals"]]
    same_picture(np.stack(originals), test.images[[3, 18]])
    lattice = torch.cartesian_prod(*[torch.arange(-30.0, 31.0, 5.0)] * 2)
    worst = judge.score(latent.decode(checkpoints.load(slug("ae", 2))[0], lattice)).argmin()
    guesses = {  # a place in a hole, and one that is a digit
        "left": {"kind": "ae", "z": lattice[worst].tolist(), "label": None, "t": 0.5, "answer": "digit"},
        "right": {"kind": "cvae", "z": [0.0, 0.0], "label": 4, "t": 0.5, "answer": "digit"},
    }
    for known in (["right"], ["left", "right"]):
        said = {side: guesses[side] for side in known}
        app = picked(app, left="ae", right="cvae", image=3, walk={**walk, "said": said})
        verdicts = sliders(app)[0]["walk"]["verdicts"]
        assert list(verdicts) == known
        for side, verdict in verdicts.items():
            guess = guesses[side]
            model, _ = checkpoints.load(slug(guess["kind"], 2))
            label = None if guess["label"] is None else torch.tensor([guess["label"]])
            drawn = latent.decode(model, torch.tensor([guess["z"]]), label)
            assert verdict == {"said": guess, "digit": bool(judge.is_digit(drawn)), "read": int(judge.label(drawn))}
        assert len(tiles(app)) == 8 * len(known)  # the images whose codes lie nearest to what was judged
    assert verdicts["right"]["digit"] and verdicts["right"]["read"] == 4 and not verdicts["left"]["digit"]


# Sliders ----------------------------------------------------------------------------------------------------


def sliders(app: AppTest) -> tuple[dict, str]:
    """What the live view is told, and the HTML that stands in its place until it has mounted."""
    (view,) = (c for c in app.get("bidi_component") if c.proto.component_name == "lse_view")
    sent = json.loads(view.proto.json)
    return json.loads(sent["options"]), sent["first"]


@pytest.mark.parametrize("size", [2, 20])
def test_sliders_know_scale_order_and_worth_of_every_model(size, visit):
    """The browser trusts these numbers: a wrong σ moves a model too far, a wrong order names the wrong dimension."""
    app = well(visit(SLIDERS))
    well(app.segmented_control(key="sliders_dim").set_value(size).run())
    options, _ = sliders(app)
    assert [m["kind"] for m in options["models"]] == list(FAMILY)
    for told in options["models"]:
        codes = checkpoints.load_codes(slug(told["kind"], size))
        z, train, logvar = codes["test_mean"], codes["train_mean"], codes.get("test_logvar")
        if logvar is None:
            quartiles = np.percentile(train, [25, 50, 75], axis=0)
            worth = torch.tensor((np.diff(np.percentile(z, [25, 75], axis=0), axis=0)[0] / 1.349) ** 2)
            centre, sd = torch.tensor(quartiles[1]), torch.tensor((quartiles[2] - quartiles[0]) / 1.349)
            factor = torch.tensor(told["source"]["factor"])
            torch.testing.assert_close(torch.tensor(told["source"]["mean"]), train.mean(0), rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(factor @ factor.T, torch.cov(train.T), rtol=1e-3, atol=1e-4)
        else:
            q = torch.distributions.Normal(z.double(), logvar.double().mul(0.5).exp())
            worth = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean(0)
            centre, sd = torch.zeros(size), torch.ones(size)
            assert told["source"] is None
        torch.testing.assert_close(torch.tensor(told["worth"]), worth.float(), rtol=1e-3, atol=1e-4)
        assert told["order"] == sorted(range(size), key=lambda j: -told["worth"][j])
        torch.testing.assert_close(torch.tensor(told["centre"]), centre.float(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(torch.tensor(told["sd"]), sd.float(), rtol=1e-4, atol=1e-5)
        reach = torch.tensor(told["reach"])
        assert (reach >= 4 * sd - 1e-5).all()
        assert (((train - centre).abs() <= reach + 1e-5).double().mean(0) >= 0.95).all()


@pytest.mark.parametrize("size", [2, 20])
def test_sliders_open_with_every_models_drawing_of_the_digit(size, visit):
    """Where JavaScript has not loaded yet, the page must show what the view will show, of this digit and label."""
    app = visit(SLIDERS)
    well(app.segmented_control(key="sliders_dim").set_value(size).run())
    well(app.number_input(key="digit_number").set_value(12).run())
    images, labels = data.load("digits", "test")
    mine, *drawn = [pixels(png) for png in re.findall(r'src="data:image/png;base64,([^"]+)"', sliders(app)[1])]
    same_picture(mine, images[12])  # on its button
    assert len(drawn) == len(FAMILY)
    for kind, shown in zip(FAMILY, drawn, strict=True):
        model, _ = checkpoints.load(slug(kind, size))
        y = labels[12:13] if model.conditional else None
        same_picture(shown, latent.decode(model, latent.embed(model, images[12:13], y).mean, y)[0])
    told = sliders(app)[0]["digit"]
    sent = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8)
    np.testing.assert_array_equal(sent, np.rint(images[12].numpy() * 255))
    assert told["label"] == int(labels[12])


def test_sliders_open_with_whatever_is_there(visit, monkeypatch, tmp_path):
    """Whoever trained one model of their own must have it, and whoever has none must read what to do."""
    shutil.copytree(checkpoints.ROOT / "digits-ae-2d", tmp_path / "digits-ae-2d")
    monkeypatch.setattr(networks, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    app = well(visit(SLIDERS))
    assert app.multiselect(key="sliders_cast").value == ["digits-ae-2d"]
    shutil.rmtree(tmp_path / "digits-ae-2d")
    app = visit(SLIDERS)
    assert not app.exception and len(app.error) == 1 and "train vae" in app.error[0].value


def test_sliders_offer_arrows_where_they_were_measured_and_else_say_why(visit, monkeypatch, tmp_path):
    """A slider without an arrow behind it would move nothing, and one of other weights something else."""
    app = well(visit(SLIDERS))
    for told in sliders(app)[0]["models"]:
        steps = measures.steps(slug(told["kind"], 20))
        np.testing.assert_allclose(told["arrows"]["step"], steps.numpy(), rtol=1e-6)
        row = checkpoints.read_card(slug(told["kind"], 20))["arrows"]["rows"]["slant"]
        assert f"{row['more']['reached']:+.2f} sd" in told["arrows"]["words"][1] and told["why"] == ""
    assert "In the CVAE, yes." in " ".join(one.value for one in app.markdown)
    for name in ("digits-ae-2d", "mnist-vae-2d"):
        shutil.copytree(checkpoints.ROOT / name, tmp_path / name)
    (tmp_path / "mnist-vae-2d" / "arrows.safetensors").unlink()
    monkeypatch.setattr(networks, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    options, first = sliders(well(visit(SLIDERS)))
    whys = {told["slug"]: told["why"] for told in options["models"]}
    assert all(told["arrows"] is None for told in options["models"])
    assert any("measure mnist-vae-2d --what arrows" in why or "trained on" in why for why in whys.values())
    assert 'class="arrows"' not in first


def test_sliders_measure_what_the_hand_left(visit):
    """The table must be of the codes in the view's message, and of the models in it."""
    app = well(visit(SLIDERS))
    well(app.segmented_control(key="sliders_dim").set_value(2).run())
    codes = {"ae": [1.0, -2.0], "cvae": [0.6, 0.8]}
    hand = {"codes": codes, "label": 7, "lead": "ae", "digit": sliders(app)[0]["digit"]["id"]}
    app.session_state["sliders 2"] = {"message": hand}
    well(app.run())
    (table,) = tables(app)
    assert len(table) == 2 and table[1][1] == "1.00"
    train = checkpoints.load_codes(slug("ae", 2))["train_mean"]
    low, middle, high = np.percentile(train, [25, 50, 75], axis=0)
    away = (np.array(codes["ae"]) - middle) / ((high - low) / 1.349)
    assert float(table[0][1]) == pytest.approx(float(np.hypot(*away)), abs=0.01)
