"""A visitor's own picture in a real browser: chosen, dropped or photographed, small before it travels."""

import io
import re

import numpy as np
import pytest
from hands import seen, soon
from PIL import Image, ImageDraw, features
from playwright.sync_api import expect

RESTS = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(5_500_000)  # as a phone's file begins
# Drop a file as a hand does: a DataTransfer is made in the page, from bytes as base64.
DROP = """(element, [name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragover", "drop"]) {
    element.dispatchEvent(new DragEvent(kind, { dataTransfer, cancelable: true }));
  }
}"""


def photo(side: int = 480, quality: int = 75, grain: int = 0, form: str = "JPEG") -> bytes:
    """A 4 written with a pen on paper whose light falls off to one side; a phone's has many pixels, and grain."""
    width, height, pen = side, side * 4 // 3, side * 22 // 480
    image = Image.linear_gradient("L").resize((width, height)).point(lambda v: 150 + v // 3)
    stroke = [(240, 120), (140, 360), (350, 360), (300, 250), (300, 540)]
    ImageDraw.Draw(image).line([(x * side / 480, y * side / 480) for x, y in stroke], 40, pen, "curve")
    if grain:
        noise = np.random.default_rng(0).integers(-grain, grain + 1, (height, width))
        image = Image.fromarray((np.asarray(image).astype(int) + noise).clip(0, 255).astype(np.uint8))
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, form, quality=quality)
    return buffer.getvalue()


SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture
def tab(request, server, browser):
    width, height = SIZES[request.param]
    # A context of its own: Streamlit keeps in the browser's storage whether the sidebar is open.
    context = browser.new_context(viewport={"width": width, "height": height}, permissions=["camera"])
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.sent = []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(len(frame))))
    tab.goto(f"{server}/Styles")
    tab.wait_for_selector(f"{RESTS} .lse-bars")
    open_box(tab)
    yield tab
    context.close()


def open_box(tab) -> None:
    tab.get_by_role("button", name="Bring yours").click()
    expect(tab.get_by_role("button", name="Choose a file")).to_be_visible(timeout=PATIENCE)


def close_box(tab) -> None:
    """As a hand does it: once more where the run that opened the box has drawn it again since."""
    body = tab.get_by_test_id("stPopoverBody")
    for _ in range(5):
        tab.wait_for_selector(RESTS)
        tab.keyboard.press("Escape")
        try:
            return expect(body).to_have_count(0, timeout=2_000)
        except AssertionError:
            continue
    expect(body).to_have_count(0)


def choose(tab, name: str, mime: str, content: bytes) -> None:
    tab.locator("input[type=file]").set_input_files({"name": name, "mimeType": mime, "buffer": content})


def note(tab):
    """The sentence in the box."""
    return tab.get_by_role("group", name="Bring a picture").get_by_role("status")


def taken(tab, name: str) -> None:
    """The picture is the page's digit, and the box has made room for it."""
    expect(seen(tab, re.compile(rf"^Your picture \({re.escape(name)}\)"))).to_be_visible(timeout=PATIENCE)
    expect(tab.get_by_test_id("stPopoverBody")).to_have_count(0, timeout=PATIENCE)  # or it would hide the digit
    button = tab.get_by_role("button", name="Bring yours")
    expect(button).to_be_focused(timeout=PATIENCE)  # or whoever uses the keyboard starts again at the page's top
    tab.wait_for_selector(RESTS)


@pytest.mark.parametrize("tab", SIZES, indirect=True)
def test_a_photo_becomes_the_digit_of_every_page(tab):
    """Otherwise the chooser, the name that the visitor gives or the way to the next page lose the picture, or the
    Studio, which shows it on its pad, takes it for a drawing. After a reload it is what the link says."""
    choose(tab, "four.jpg", "image/jpeg", photo())
    taken(tab, "four.jpg")
    expect(tab.locator(".lse-step")).not_to_have_count(0)
    tab.get_by_role("combobox", name="Which digit it is").click()
    tab.get_by_role("option", name="it is 4").click()
    expect(seen(tab, "as 4, as you say")).to_be_visible(timeout=PATIENCE)
    if tab.viewport_size["width"] < 600:
        tab.get_by_test_id("stExpandSidebarButton").click()
    tab.get_by_role("link", name="Restore").click()
    mine = seen(tab, re.compile(r"^Your picture \(four\.jpg\), said to be a 4\."))
    expect(mine).to_be_visible(timeout=PATIENCE)
    expect(seen(tab, "The CVAE is told the label, 4 (as you say).")).to_be_visible(timeout=PATIENCE)
    for name in ("Studio", "Restore"):
        if tab.viewport_size["width"] < 600:
            tab.get_by_test_id("stExpandSidebarButton").click()
        tab.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
        if name == "Studio":
            studio = "[...document.querySelectorAll('*')].find((e) => e.studio)?.studio"
            tab.wait_for_function(f"{studio}?.ready && ({studio}).told && ({studio}).heard", timeout=PATIENCE)
    expect(mine).to_be_visible(timeout=PATIENCE)
    expect(tab).to_have_url(re.compile("[?&]d=.*is=4"), timeout=PATIENCE)
    tab.reload()
    linked = seen(tab, "The digit of this link, said to be a 4.")
    expect(linked).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("hand", ["mouse", "keyboard"])
@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_a_link_is_followed_past_an_open_box(tab, hand):
    """The click closes the box, too, and what Streamlit told of that in the old page's name called the visitor back."""
    link = tab.get_by_role("link", name="Restore")
    if hand == "mouse":
        link.click()
    else:
        link.focus()
        tab.keyboard.press("Enter")
    expect(tab.locator("h1")).to_have_text("Restore", timeout=PATIENCE)
    tab.wait_for_selector(f"{RESTS} .lse-numbers")
    assert tab.evaluate("location.pathname") == "/Restore"
    expect(tab.get_by_test_id("stPopoverBody")).to_have_count(0)


@pytest.mark.parametrize("tab", ["phone"], indirect=True)
def test_a_phones_photo_travels_small_and_once(tab):
    """Otherwise 6 MB are refused without a word, or go along with every later click."""
    large = photo(3600, quality=97, grain=12)
    assert len(large) > 6_000_000
    choose(tab, "IMG_0001.JPG", "image/jpeg", large)
    taken(tab, "IMG_0001.JPG")
    assert 10_000 < max(tab.sent) < 3_000_000
    before = len(tab.sent)
    tab.get_by_role("button", name="Another").click()
    expect(seen(tab, re.compile("^Your picture"))).to_have_count(0, timeout=PATIENCE)
    assert len(tab.sent) > before and max(tab.sent[before:]) < 10_000


@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_what_cannot_be_read_gets_one_sentence_beside_the_control(tab):
    """Otherwise a text that is called .png, a HEIC or a huge file shows a traceback or nothing, or takes the sample
    away; and the next file must be possible at once."""
    sample = tab.locator(".lse-tile img").first.get_attribute("src")
    for name, mime, content, sentence in (
        ("note.png", "image/png", b"I am no picture.", "not a picture"),
        ("IMG_0001.HEIC", "image/heic", HEIC, "HEIC picture, which only some programs read: save it as JPEG"),
        ("IMG_0002.jpg", "image/jpeg", HEIC[:1000], "HEIC picture"),  # its content says so, not its name
        ("large.png", "image/png", bytes(6_000_000), "too large: bring a picture of at most 5 MB"),
    ):
        choose(tab, name, mime, content)
        expect(note(tab)).to_contain_text(sentence, timeout=PATIENCE)
        expect(tab.get_by_role("button", name="Choose a file")).to_be_focused()
        expect(tab.get_by_test_id("stAlert")).to_have_count(0)
        soon(lambda: tab.locator(".lse-tile img").first.get_attribute("src"), sample)
    choose(tab, "four.jpg", "image/jpeg", photo())
    taken(tab, "four.jpg")
    expect(tab.locator(".lse-tile img").first).not_to_have_attribute("src", sample)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow makes no AVIF")
@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_an_avif_of_any_size_is_read_by_the_browser(tab):
    """Otherwise a small one travels as it came, and Python refuses what the browser shows well."""
    for side in (300, 1500):
        choose(tab, f"{side}.avif", "image/avif", photo(side, form="AVIF"))
        taken(tab, f"{side}.avif")
        open_box(tab)


@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_the_box_closes_however_soon_the_next_picture_comes(tab):
    """Otherwise it lies over the digit: Streamlit closes only a box that its last run has drawn as open."""
    choose(tab, "one.jpg", "image/jpeg", photo())
    taken(tab, "one.jpg")
    open_box(tab)
    close_box(tab)
    tab.wait_for_selector(RESTS)
    tab.get_by_role("button", name="Bring yours").click()
    choose(tab, "two.jpg", "image/jpeg", photo(600))
    taken(tab, "two.jpg")


def test_a_finger_is_not_told_to_drop(server, browser):
    """Nobody can drop a file with a finger."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/Styles")
        tab.wait_for_selector(f"{RESTS} .lse-bars")
        open_box(tab)
        soon(lambda: tab.evaluate("matchMedia('(pointer: coarse)').matches"), True)
        expect(tab.get_by_text("or drop it here")).to_be_hidden()
    finally:
        context.close()


@pytest.mark.parametrize("tab", ["desktop"], indirect=True)
def test_a_file_is_dropped_and_the_keyboard_reaches_everything(tab):
    """Otherwise only who knows the file chooser, or only a pointer, can bring a picture."""
    import base64

    file, choosers = tab.get_by_role("button", name="Choose a file"), []
    tab.on("filechooser", lambda chooser: choosers.append(chooser))

    def entered() -> None:  # once more where the run that opened the box has drawn it again since
        file.focus()
        tab.keyboard.press("Enter")
        tab.wait_for_timeout(1_000)
        assert choosers

    soon(entered)
    assert not choosers[0].is_multiple()
    text = base64.b64encode(photo()).decode()
    tab.locator(".chooser .drop").evaluate(DROP, ["dropped.jpg", "image/jpeg", text])
    taken(tab, "dropped.jpg")


def test_the_camera_opens_on_request_only_and_its_photo_is_a_picture_like_another(server, launch):
    """Otherwise the browser asks for the camera as soon as the box opens, or the photo goes nowhere."""
    browser = launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"])
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/Restore")
        tab.wait_for_selector(f"{RESTS} .lse-numbers")
        open_box(tab)
        expect(tab.locator("video")).to_have_count(0)
        tab.get_by_role("button", name="Use the camera").click()
        take = tab.get_by_role("button", name="Take the picture")
        expect(take).to_be_enabled(timeout=PATIENCE)
        take.click()
        taken(tab, "camera.png")
    finally:
        browser.close()
