"""Sheets of drawings under a hand: each can be taken with the mouse, a finger and the keyboard."""

import base64
import io

import numpy as np
import pytest
from hands import seen
from PIL import Image
from playwright.sync_api import expect
from tabs import listening

from ui.parts.tiles import bits

PATIENCE = 60_000  # milliseconds
SHEET = ".sheet .drawings"


@pytest.fixture
def visit(server, window):
    tabs = []

    def open_page(address: str, **options):
        tab = listening(window(width=1280, height=900, **options).new_page())
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/{address}")
        tab.wait_for_selector(f"{SHEET}[role=application]")  # the view has mounted
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def drawn(tab, row: int, column: int) -> np.ndarray:
    """What the sheet's picture shows at a place, as the 784 bits that a link holds."""
    png = tab.locator(f"{SHEET} img").get_attribute("src").split(",")[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))), np.float32) / 255
    return (pixels[28 * row : 28 * row + 28, 28 * column : 28 * column + 28].ravel() >= 0.5).astype(np.float32)


def press(tab, row: int, column: int, rows: int, columns: int, *, touch: bool) -> None:
    frame = tab.locator(SHEET)
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    place = {"x": (column + 0.4) * box["width"] / columns, "y": (row + 0.6) * box["height"] / rows}
    frame.tap(position=place) if touch else frame.click(position=place)


@pytest.mark.parametrize("touch", [False, True])
@pytest.mark.parametrize("model, rows, columns", [("mnist-vae-2d", 12, 12), ("mnist-cvae-20d", 10, 10)])
def test_a_drawing_on_models_becomes_the_digit(visit, touch, model, rows, columns):
    """A place read from the wrong corner, or from a picture that was scaled, would take another digit."""
    tab = visit(f"Models?model={model}", has_touch=touch)
    press(tab, 3, 7, rows, columns, touch=touch)
    expect(tab.locator(".sheet .reading")).to_contain_text("is your digit now")
    expected = drawn(tab, 3, 7)
    tab.locator("[data-testid=stPageLink-NavLink]", has_text="Generate").first.click()
    tab.wait_for_function("() => location.pathname === '/Generate'")
    tab.locator(".st-key-generate_part").get_by_text("Near yours").click()
    tab.wait_for_function("() => new URLSearchParams(location.search).has('d')")
    text = tab.evaluate("() => new URLSearchParams(location.search).get('d')")
    assert np.array_equal(bits(text), expected)
    expect(seen(tab, f"A drawing of the {'VAE' if model == 'mnist-vae-2d' else 'CVAE'}.")).to_be_visible()
    assert not tab.wrong


def test_a_sheet_on_styles_is_used_by_the_keyboard(visit):
    """Arrow keys move the frame, Enter takes what is in it, and the CVAE knows which digit it drew."""
    tab = visit("Styles?styles_label=7")
    frame = tab.locator(SHEET)
    frame.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        frame.press(key)
    here = tab.locator(".sheet .here")
    expect(here).to_be_visible()
    box, whole = here.bounding_box(), frame.bounding_box()
    n = round(whole["width"] / box["width"])
    assert [round((box[a] - whole[a]) * n / whole["width"]) for a in "xy"] == [1, 1]
    expected = drawn(tab, 1, 1)
    frame.press("Enter")
    expect(tab.get_by_text("A drawing of the CVAE, said to be a 7.").first).to_be_visible()
    tab.wait_for_function("() => new URLSearchParams(location.search).has('d')")
    text = tab.evaluate("() => new URLSearchParams(location.search).get('d')")
    assert np.array_equal(bits(text), expected)
    assert not tab.wrong
