"""Epochs of the Map under a hand: what stands on both maps beside the stored codes, by keys, by mouse and by itself."""

import re

import numpy as np
import pytest
from hands import soon
from playwright.sync_api import expect

from tests.browser import test_without_server
from tests.views.test_epochs import by_scipy
from ui.views.map import live
from vae_core import checkpoints

mount, network = test_without_server.mount, test_without_server.network  # mount is a fixture
SHOWN = "side => [...view.sides[side].plane.codes.mean]"
LINK = "() => new URLSearchParams(location.search).get('epoch')"


@pytest.fixture
def visit(mount, monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_DATA", str(tmp_path))

    def open_page(query: str, left: str = "ae", right: str = "vae"):
        opening = {"left": left, "right": right, "image": 3, "told": None, "walk": None, "own": False}
        page = mount("views/map/map.mjs", live.options(live.models(), opening, network), query)
        page.wait_for_function("() => view.sides[1]?.model")
        return page

    return open_page


def stored(slug: str) -> dict[int, np.ndarray]:
    """The codes of each stored epoch upon the last ones, (500, 2)."""
    codes = checkpoints.load_codes(slug)
    means = codes["epoch_mean"].double().numpy()
    return {int(e): by_scipy(mean, means[-1])[0] for e, mean in zip(codes["epochs"], means, strict=True)}


def stands(page, side: int, codes: np.ndarray) -> None:
    soon(lambda: np.abs(np.array(page.evaluate(SHOWN, side)).reshape(-1, 2) - codes).max() < 1e-4, True)


def test_keys_go_through_the_stored_epochs_on_both_maps(visit):
    """What stands on the maps is what training kept, upon the last epoch, and nothing in between."""
    page = visit("?epoch=2&image=7")
    slider, now = page.get_by_role("slider", name="Epoch"), page.locator(".now")
    films = [stored("mnist-ae-2d"), stored("mnist-vae-2d")]
    epochs = list(films[0])
    assert epochs[:4] == [0, 1, 2, 5] and epochs == list(films[1])
    expect(now).to_have_text("Epoch 2")
    slider.focus()
    page.keyboard.press("Home")
    for epoch in epochs:
        expect(now).to_have_text(f"Epoch {epoch}" if epoch else "Before training")
        expect(slider).to_have_attribute("aria-valuetext", f"epoch {epoch}" if epoch else "before training")
        for side, film in enumerate(films):
            stands(page, side, film[epoch])
        soon(lambda: page.evaluate(LINK), str(epoch))
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".cl")).to_contain_text("After 40 epochs the 500 codes lie")
    # A pointer meets the codes that are seen, not those of the trained model.
    far = np.linalg.norm(films[1][40][:, None] - films[1][40], axis=2) + 9 * np.eye(500)
    image = int(np.where(np.abs(films[1][40]).max(1) < 1.5, far.min(1), 0).argmax())  # in view, nobody near
    x, y = page.evaluate(
        "z => { const c = view.sides[1].plane.canvas.getBoundingClientRect(), p = view.sides[1].plane.toScreen(z);"
        " return [c.left + p[0], c.top + p[1]]; }",
        films[1][40][image].tolist(),
    )
    page.mouse.move(x, y)
    expect(page.locator(".what")).to_have_text(re.compile(rf"^Test image {image}, "))
    expect(page.locator(".card").nth(1)).to_contain_text("VAE, trained, draws it")


def test_a_press_plays_from_the_first_to_the_last_and_a_hand_stops_it(visit):
    """Between two stored epochs codes go in a straight line; wherever a hand lets go, a stored epoch stands."""
    page = visit("?epoch=last")
    films = [stored("mnist-ae-2d"), stored("mnist-vae-2d")]
    epochs = list(films[0])
    page.get_by_role("button", name="Play", exact=True).click()
    pause = page.get_by_role("button", name="Pause", exact=True)
    expect(pause).to_be_visible()
    page.wait_for_function("() => view.epochs.at > 0.2 && view.epochs.at % 1 > 0.1")
    at, *shown = page.evaluate("[view.epochs.at, ...view.sides.map(({plane}) => [...plane.codes.mean])]")
    for film, codes in zip(films, shown, strict=True):
        a, b = film[epochs[int(at)]], film[epochs[int(at) + 1]]
        assert np.array(codes).reshape(-1, 2) == pytest.approx(a + at % 1 * (b - a), abs=1e-3)
    pause.click()
    soon(lambda: page.evaluate("view.epochs.at % 1"), 0)
    epoch = epochs[page.evaluate("view.epochs.at")]
    soon(lambda: page.evaluate(LINK), str(epoch))
    stands(page, 0, films[0][epoch])
    # The mouse on the slider: between 5 and 10, nearer to 10.
    box = page.get_by_role("slider", name="Epoch").bounding_box()
    page.mouse.move(box["x"] + 9 + (box["width"] - 18) * 3.7 / (len(epochs) - 1), box["y"] + box["height"] / 2)
    page.mouse.down()
    expect(page.locator(".now")).to_have_text("Epoch 5 to 10")
    expect(page.locator(".cr")).to_contain_text("Between epochs 5 and 10, on a straight line")
    page.mouse.up()
    expect(page.locator(".now")).to_have_text("Epoch 10")
    stands(page, 1, films[1][10])


def test_with_less_motion_a_press_is_one_step(visit):
    """Whoever asks the system for less motion gets no film, and still sees every epoch."""
    page = visit("")
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Epochs", exact=True).click()
    step = page.get_by_role("button", name="Step", exact=True)
    for words in ("Before training", "Epoch 1", "Epoch 2"):
        step.click()
        expect(page.locator(".now")).to_have_text(words)
    assert page.evaluate("view.epochs.playing") is False


def test_who_has_no_epochs_says_so_and_other_things_end_it(visit):
    """A model of twenty numbers stands still and says why; where the other has epochs, that one moves."""
    page = visit("?epoch=5", right="mnist-pca-2d")
    expect(page.locator(".cr")).to_have_text(
        "No codes of earlier epochs were kept for the PCA: here are the trained model's."
    )
    expect(page.locator(".now")).to_have_text("Epoch 5")
    stands(page, 0, stored("mnist-ae-2d")[5])
    stands(page, 1, checkpoints.load_codes("mnist-pca-2d")["test_mean"][:500].numpy())
    expect(page.get_by_role("button", name="Tiles", exact=True)).to_be_disabled()
    # Another model keeps the epoch; with two that have none there is nothing to scrub.
    page.get_by_label("Model of the left map", exact=True).select_option("cvae")
    soon(lambda: page.evaluate("view.sides[0].kind"), "cvae")
    stands(page, 0, stored("mnist-cvae-2d")[5])
    page.get_by_label("Model of the left map", exact=True).select_option("mnist-vae-20d")
    expect(page.locator(".card").nth(0)).to_contain_text("VAE 20-D, trained, at its place")
    expect(page.get_by_role("slider", name="Epoch")).to_be_hidden()
    expect(page.get_by_text("Neither model has codes of earlier epochs.")).to_be_visible()
    soon(lambda: page.evaluate(LINK), "last")
    page.get_by_role("button", name="Walk between two digits").click()
    soon(lambda: page.evaluate("[view.epochs.on, view.sides[0].plane.codes.label.length]"), [False, 10_000])
    soon(lambda: page.evaluate(LINK), None)
    expect(page.get_by_role("button", name="Tiles", exact=True)).to_be_enabled()


@pytest.mark.parametrize(
    ("text", "epoch"), [("7", "5"), ("9999", "60"), ("99999", None), ("-1", None), ("1e3", None), ("x", None)]
)
def test_a_cut_epoch_of_a_link_is_the_nearest_or_none(visit, text, epoch):
    page = visit(f"?epoch={text}")
    soon(lambda: page.evaluate("view.epochs.text"), epoch)
