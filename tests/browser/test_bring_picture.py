"""A visitor's own picture in a real browser: through the file chooser, by name, and along to the next page."""

import io
import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

RESTS = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
ALERT = '[data-testid="stAlert"]'


def photo() -> bytes:
    """A 4 written with a pen on paper whose light falls off to one side."""
    image = Image.linear_gradient("L").resize((480, 640)).point(lambda v: 150 + v // 3)
    ImageDraw.Draw(image).line([(240, 120), (140, 360), (350, 360), (300, 250), (300, 540)], 40, 22, "curve")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture
def tab(request, server, browser):
    width, height = SIZES[request.param]
    # A context of its own: Streamlit keeps in the browser's storage whether the sidebar is open.
    context = browser.new_context(viewport={"width": width, "height": height})
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server}/Styles")
    tab.wait_for_selector(f"{RESTS} .lse-bars")
    tab.get_by_role("button", name="Bring yours").click()
    yield tab
    context.close()


def choose(tab, name: str, mime: str, content: bytes) -> None:
    tab.locator("input[type=file]").set_input_files({"name": name, "mimeType": mime, "buffer": content})


@pytest.mark.parametrize("tab", SIZES, indirect=True)
def test_a_photo_becomes_the_digit_of_every_page(tab):
    """Otherwise the chooser, the name that the visitor gives or the way to the next page lose the picture."""
    choose(tab, "four.jpg", "image/jpeg", photo())
    expect(tab.get_by_text(re.compile(r"^Your picture \(four\.jpg\)\."))).to_be_visible(timeout=PATIENCE)
    expect(tab.locator(".lse-step")).not_to_have_count(0)
    expect(tab.get_by_test_id("stPopoverBody")).to_have_count(0, timeout=PATIENCE)  # or it would hide the digit
    button = tab.get_by_role("button", name="Bring yours")
    expect(button).to_be_focused(timeout=PATIENCE)  # or whoever uses the keyboard starts again at the page's top
    tab.get_by_role("combobox", name="Which digit it is").click()
    tab.get_by_role("option", name="it is 4").click()
    expect(tab.get_by_text("as 4, as you say")).to_be_visible(timeout=PATIENCE)
    if tab.viewport_size["width"] < 600:
        tab.get_by_test_id("stExpandSidebarButton").click()
    tab.get_by_role("link", name="Restore").click()
    expect(tab.get_by_text(re.compile(r"^Your picture \(four\.jpg\), a 4\."))).to_be_visible(timeout=PATIENCE)
    expect(tab.get_by_text("The CVAE is told the label, 4 (as you say).")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_a_file_that_is_no_picture_gets_one_sentence(tab):
    """Otherwise a text that is called .png shows a traceback, or takes the sample away."""
    sample = tab.locator(".lse-tile img").first.get_attribute("src")
    choose(tab, "note.png", "image/png", b"I am no picture.")
    expect(tab.locator(ALERT)).to_have_count(1, timeout=PATIENCE)
    expect(tab.locator(ALERT)).to_contain_text("not a picture")
    assert tab.locator(".lse-tile img").first.get_attribute("src") == sample
    expect(tab.get_by_test_id("stPopoverBody")).to_have_count(0, timeout=PATIENCE)
    button = tab.get_by_role("button", name="Bring yours")
    expect(button).to_be_focused(timeout=PATIENCE)
    tab.wait_for_selector(RESTS)  # a click while the box still closes would close it again
    button.click()
    choose(tab, "four.jpg", "image/jpeg", photo())
    expect(tab.locator(ALERT)).to_have_count(0, timeout=PATIENCE)
    expect(tab.locator(".lse-tile img").first).not_to_have_attribute("src", sample)
