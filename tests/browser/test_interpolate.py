"""Interpolate under a hand: what is painted against PyTorch, what Python hears, and what is saved."""

import base64
import io
import itertools
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hands import seen, soon
from PIL import Image, ImageSequence
from playwright.sync_api import expect
from tabs import listening

from ui.parts.tiles import bits
from ui.views.interpolate.ways import START, steps
from ui.views.studio import FIRST
from vae_core import checkpoints, data, latent

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
LIVE = ".ways figure:not(:has(> img))"  # a row of the view, not of the server's first picture
PATIENCE = 60_000  # milliseconds
STEP = 0.003  # half a grey level of 255, and the single precision before it
ROUNDED = 0.02  # the slider says t in thousandths, the pictures are where the hand is
RED = "cs => cs.map(c => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0))"
MESSAGE = b'"message"'  # what a view says travels as JSON inside the frame


@pytest.fixture
def visit(server, window):
    """Open the page and wait until the hand can take over; `tab.sent` are the frames that left for the server."""
    tabs = []

    def open_page(query: str = "", size: dict[str, int] = DESKTOP, **options):
        tab = listening(window(**size, **options).new_page())
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/Interpolate?{query}")
        ready(tab)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert [error for tab in tabs for error in tab.wrong] == []


def ready(tab) -> None:
    """The view has mounted, Python rests, and the paces are measured: nothing is in the making."""
    tab.wait_for_selector(f"{LIVE} canvas.pace[aria-label]")
    tab.wait_for_selector(READY)


def frames(tab) -> None:
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def painted(tab) -> np.ndarray:
    """Pixels of every way, (n, 784) in [0, 1]."""
    return np.array(tab.locator(f"{LIVE} > canvas:not(.pace)").evaluate_all(RED), np.float32) / 255


def parameter(tab, name: str) -> str | None:
    """From the address as the page has it now; Playwright's own copy may lag."""
    return parse_qs(urlsplit(tab.evaluate("location.href")).query).get(name, [None])[0]


def wait_for_t(tab, t: float) -> None:
    """The link and Python's sentence, both of which follow a release, are at t."""
    tab.wait_for_function("t => Number(new URLSearchParams(location.search).get('t')).toFixed(2) === t", arg=f"{t:.2f}")
    seen(tab, f"At t = {t:.2f} a classifier").wait_for()


def t_of(tab) -> float:
    return tab.locator(".bar input[type=range]").evaluate("e => e.valueAsNumber")


def messages(tab, since: int = 0) -> list[bytes]:
    """What views said to Python, without Streamlit's own traffic."""
    return [f for f in tab.sent[since:] if MESSAGE in (f if isinstance(f, bytes) else f.encode())]


def touch(tab, box, path, *, lift: bool = True) -> None:
    """A finger from place to place, shares of the box."""
    tab.finger = tab.context.new_cdp_session(tab)
    at = [{"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"]} for u, v in path]
    tab.finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for point in at[1:]:
        tab.finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    if lift:
        let_go(tab)


def let_go(tab) -> None:
    """The finger or the mouse button, whichever is down."""
    if hasattr(tab, "finger"):
        tab.finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        tab.mouse.up()


def mouse(tab, box, path, *, lift: bool = True) -> None:
    at = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in path]
    tab.mouse.move(*at[0])
    tab.mouse.down()
    for x, y in at[1:]:
        tab.mouse.move(x, y, steps=6)
    frames(tab)
    if lift:
        tab.mouse.up()


def samples(i: int, j: int) -> tuple[torch.Tensor, tuple[int, int]]:
    images, labels = data.load("digits", "test")
    return images[[i, j]], tuple(labels[[i, j]].tolist())


def ways(size: int, x: torch.Tensor, told: tuple[int, int], t: torch.Tensor, spherical: bool = False, names=()):
    """Every way of the shipped models, or of those named, between x (2, 784) at t (T,), in the order of the page:
    (rows, T, 784)."""
    a, b = told
    shown = [torch.lerp(x[:1], x[1:], t[:, None])]
    for name in names or [f"mnist-{kind}-{size}d" for kind in ("ae", "dae", "vae", "cvae")]:
        model, _ = checkpoints.load(name)
        ends = latent.embed(model, x, torch.tensor(told) if model.conditional else None).mean
        z = latent.interpolate(ends[0], ends[1], t, spherical=spherical)
        if not model.conditional:
            shown.append(latent.decode(model, z))
            continue
        shown.append(latent.decode(model, z, torch.full((len(t),), a)))
        if a == b:
            continue
        shown.append(latent.decode_between_labels(model, ends[:1].expand(len(t), -1), a, b, t))
        shown.append(latent.decode(model, z, torch.where(t < 0.5, a, b)))
    return torch.stack(shown)


def at_t(t: float, x: torch.Tensor, told: tuple[int, int], size: int = 2, **options) -> np.ndarray:
    return ways(size, x, told, torch.tensor([float(t)]), **options)[:, 0].numpy()


# Moving t -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "way"), [(2, "linear"), (2, "spherical"), (20, "spherical")])
def test_every_way_is_at_the_t_of_the_link(visit, size, way):
    """Otherwise a picture is of another path, another model or another label than its name says."""
    tab = visit(f"walk_dim={size}&walk_way={way}&from=2&to=3&t=0.37")
    expected = at_t(0.37, *samples(2, 3), size, spherical=way == "spherical")
    soon(lambda: np.testing.assert_allclose(painted(tab), expected, atol=STEP))


def test_another_model_is_added_and_walks(visit):
    """Otherwise whoever trained a model cannot see it walk, or sees another's way under its name, path or pace."""
    tab = visit("from=2&to=3&t=0.37")
    tab.get_by_role("button", name="Add a model").click()
    box = tab.get_by_role("combobox", name="Models on this page")
    box.press("Backspace")  # the last one goes: four is the most
    expect(tab.locator(LIVE)).to_have_count(4, timeout=PATIENCE)
    box.fill("CVAE digits")
    tab.get_by_role("option", name="CVAE digits").click()
    expect(tab.locator(LIVE)).to_have_count(7, timeout=PATIENCE)
    ready(tab)
    soon(lambda: parameter(tab, "walk_cast") == "ae~dae~vae~digits-cvae-2d" and parameter(tab, "t") == "0.37", True)
    x, told = samples(2, 3)
    theirs = ways(2, x, told, torch.tensor([0.37]), names=("digits-cvae-2d",))[1:, 0].numpy()
    soon(lambda: np.testing.assert_allclose(painted(tab)[-3:], theirs, atol=STEP))
    soon(lambda: tab.locator(".maps h3").all_inner_texts(), ["● AE", "◌ DAE", "○ VAE", "◉ CVAE digits"])


def test_a_link_opens_the_walk_of_another_model(visit):
    """Otherwise the address that training prints opens the four shipped models."""
    tab = visit("walk_cast=vae~digits-cvae-2d&from=2&to=3&t=0.2")
    expected = ways(2, *samples(2, 3), torch.tensor([0.2]), names=("mnist-vae-2d", "digits-cvae-2d"))[:, 0].numpy()
    soon(lambda: np.testing.assert_allclose(painted(tab), expected, atol=STEP))
    tab.get_by_label("Place on the way, t").press("PageUp")
    wait_for_t(tab, 0.3)
    tab.locator(".st-key-walk_dim").get_by_text("20").click()  # of this size there are the shipped ones only
    expect(tab.locator(LIVE)).to_have_count(2, timeout=PATIENCE)
    ready(tab)
    seen(tab, "At t = 0.30 a classifier").wait_for()
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(0.3, *samples(2, 3), 20)[[0, 3]], atol=STEP))


def test_the_page_opens_with_the_pair_that_it_speaks_of(visit):
    """Otherwise the first walk is not the typical one that the text describes."""
    tab = visit()
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(0.5, *samples(*START["digits"])), atol=STEP))


def test_scrubbing_sends_nothing_and_its_end_one_message(visit):
    """Otherwise every pixel of a drag loads the server, or Python's sentence speaks of another t than the pictures."""
    tab = visit("from=2&to=3")
    box = tab.locator(".bar input[type=range]").bounding_box()
    start = len(tab.sent)
    mouse(tab, box, [(0.5, 0.5), (0.8, 0.5), (0.3, 0.5)], lift=False)
    assert len(tab.sent) == start
    t = t_of(tab)
    assert t == pytest.approx(0.3, abs=0.03)
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=STEP))
    tab.mouse.up()
    wait_for_t(tab, t)
    assert len(messages(tab, start)) == 1
    soon(lambda: float(parameter(tab, "t")), pytest.approx(t))


def test_t_by_keyboard(visit):
    """Otherwise whoever uses no pointer cannot walk, or reach the ends, or hears nothing."""
    tab = visit("from=2&to=3&t=0.5")
    slider = tab.get_by_label("Place on the way, t")
    slider.focus()
    presses = (("ArrowRight", 3, 0.56), ("PageDown", 1, 0.46), ("Home", 1, 0), ("End", 1, 1), ("ArrowLeft", 1, 0.98))
    for key, times, t in presses:
        start = len(tab.sent)
        for _ in range(times):
            slider.press(key)
        wait_for_t(tab, t)
        assert len(messages(tab, start)) == 1, key
        soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=STEP))
    live = tab.locator(".view [aria-live]").first.element_handle()
    tab.wait_for_function("e => e.textContent.includes('0.98')", arg=live)


def test_a_finger_scrubs_on_a_phone(visit):
    """Otherwise the page scrolls under the finger, or is wider than the phone."""
    tab = visit("from=2&to=3", PHONE, has_touch=True)
    slider = tab.locator(".bar input[type=range]")
    slider.scroll_into_view_if_needed()
    start = len(tab.sent)
    touch(tab, slider.bounding_box(), [(0.5, 0.5), (0.6, 0.5), (0.7, 0.5), (0.8, 0.5)])
    frames(tab)
    t = t_of(tab)
    assert t == pytest.approx(0.8, abs=0.05)
    wait_for_t(tab, t)
    assert len(messages(tab, start)) == 1
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=ROUNDED))
    soon(lambda: tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, True)


def test_play_walks_and_pause_tells(visit):
    """Otherwise a button does nothing, or the film loads the server with every frame."""
    tab = visit("from=2&to=3&t=0.2")
    start = len(tab.sent)
    read = seen(tab, "At t = 0.20 a classifier")
    expect(read).to_be_visible()
    tab.get_by_role("button", name="Play").click()
    expect(read).to_be_hidden()  # words about a place that Play has left
    tab.wait_for_function("e => e.valueAsNumber > 0.3", arg=tab.locator(".bar input[type=range]").element_handle())
    assert len(tab.sent) == start
    tab.get_by_role("button", name="Pause").click()
    frames(tab)
    t = t_of(tab)
    wait_for_t(tab, t)
    expect(seen(tab, f"At t = {t:.2f} a classifier")).to_be_visible()
    assert len(messages(tab, start)) == 1
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=ROUNDED))


def test_who_wants_no_motion_steps(visit):
    """Otherwise the page moves by itself for people whom motion makes ill; they need a way to walk, too."""
    tab = visit("from=2&to=3&t=0.83", reduced_motion="reduce")
    soon(lambda: tab.get_by_role("button", name="Play").count(), 0)
    for t in (0.9, 1.0, 0.9):  # it turns at the end
        tab.get_by_role("button", name="Step").click()
        wait_for_t(tab, t)
        soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=STEP))
    frames(tab)
    assert t_of(tab) == pytest.approx(0.9)


@pytest.mark.parametrize("finger", [False, True])
def test_the_ring_on_a_map_is_pulled_along_its_path(visit, finger):
    """Otherwise the map is a picture only, or the ring lies beside the path, or another t than the other rows'."""
    tab = visit("from=2&to=3&t=0.5", PHONE if finger else DESKTOP, has_touch=finger)
    host = tab.locator(".maps [role=application]").nth(2)
    host.scroll_into_view_if_needed()
    box, start = host.bounding_box(), len(tab.sent)
    # The path is straight and in the middle of the map; its ends are where the view says they are drawn.
    ends = code_places(tab, 2)

    def place(t):
        return tuple((1 - t) * ends[0][k] + t * ends[1][k] for k in (0, 1))

    aside = (place(0.8)[0] + 0.02, place(0.8)[1] + 0.02)  # beside the path, it stays on it
    (touch if finger else mouse)(tab, box, [place(0.5), place(0.6), place(0.7), aside], lift=False)
    frames(tab)
    assert len(tab.sent) == start
    t = t_of(tab)
    assert t == pytest.approx(0.8, abs=0.06)
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(t, *samples(2, 3)), atol=ROUNDED))
    let_go(tab)
    wait_for_t(tab, t)
    assert len(messages(tab, start)) == 1


def code_places(tab, i: int) -> list[tuple[float, float]]:
    """Where both ends of the VAE's path lie on its map, shares of it: the view looks at 1.7 times the longer side of
    the path's box, or at a quarter of the map where that is more (static/views/interpolate/interpolate.mjs, lookAt)."""
    x, _ = samples(2, 3)
    kind = ("ae", "dae", "vae", "cvae")[i]
    z = latent.embed(checkpoints.load(f"mnist-{kind}-2d")[0], x).mean
    span = 1.7 * float((z[1] - z[0]).abs().max())
    middle = z.mean(0)
    return [(float(0.5 + (p[0] - middle[0]) / span), float(0.5 - (p[1] - middle[1]) / span)) for p in z]


# What is measured and saved -------------------------------------------------------------------------------------------


def test_the_paces_are_those_of_the_pictures(visit):
    """Otherwise the curve below a picture is another way's, or another measure than it says."""
    tab = visit("from=2&to=3")
    fine = ways(2, *samples(2, 3), torch.linspace(0, 1, 51))
    most = [float(v) for v in (fine[:, 1:] - fine[:, :-1]).abs().sum(-1).amax(-1)]
    told = tab.locator(f"{LIVE} canvas.pace").evaluate_all("cs => cs.map(c => c.getAttribute('aria-label'))")
    assert [float(re.search(r"at most ([\d.]+) pixels", words)[1]) for words in told] == pytest.approx(most, abs=0.11)
    # One scale: the highest of all rows but the one that jumps, and the curve reaches that share of its box.
    scale = 1.1 * max(most[:-1])
    said = re.search(r"up to ([\d.]+) px", tab.locator(".reading").inner_text())[1]
    assert float(said) == pytest.approx(scale, abs=0.15)
    ink = (
        "c => { const { data, width, height } = c.getContext('2d').getImageData(0, 0, c.width, c.height); "
        "const rows = []; for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) "
        "if (data[4 * (y * width + x) + 3] > 100 && Math.abs(x / width - 0.5) > 0.03) rows.push(y); "
        "return [Math.min(...rows), height]; }"
    )
    for row in range(1, 4):  # AE, DAE, VAE
        top, height = tab.locator(f"{LIVE} canvas.pace").nth(row).evaluate(ink)
        drawn = height - 2 - most[row] / scale * (height - 5)
        assert top == pytest.approx(drawn, abs=3), row


def test_the_table_is_of_the_pictures_shown(visit):
    """Otherwise evenness and detour are of other pictures than the strips above them."""
    tab = visit("from=2&to=3")
    shown = ways(2, *samples(2, 3), torch.linspace(0, 1, 9))
    expected = torch.stack(steps(shown), 1)[[0, 1, 2, 3]]
    rows = tab.locator(".lse-numbers tr").all()[1:5]
    for row, numbers in zip(rows, expected, strict=True):
        cells = [float(v) for v in row.locator("td").all_inner_texts()[1:4]]
        assert cells == pytest.approx(numbers.tolist(), abs=0.06)


def saved(tab, name: str) -> Image.Image:
    with tab.expect_download() as waiting:
        tab.get_by_role("button", name=name).click()
    return Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes()))


def test_the_png_holds_every_way_from_end_to_end(visit):
    """Otherwise a teacher saves an empty sheet, or one whose first column is not the digit that was chosen."""
    tab = visit("from=2&to=3&t=0.4")
    sheet = saved(tab, "Save as PNG").convert("L")
    tile, gap, names = 84, 4, 190
    assert sheet.size == (names + 11 * (tile + gap), 7 * (tile + gap) + gap)
    expected = ways(2, *samples(2, 3), torch.linspace(0, 1, 11)).numpy()
    got = np.asarray(sheet, np.float32) / 255
    for row in range(7):
        for column in range(11):
            y, x = gap + row * (tile + gap), names + column * (tile + gap)
            small = got[y + 1 : y + tile : 3, x + 1 : x + tile : 3]  # three pixels each way stand for one
            np.testing.assert_allclose(small.reshape(-1), expected[row, column], atol=STEP)
        assert got[gap + row * (tile + gap) :][:tile, :names].std() > 0.02  # its name


def test_the_gif_walks_there_and_back(visit):
    """Otherwise the film is blank, stands still, or begins with something else than the first digit."""
    tab = visit("from=2&to=3")
    film = saved(tab, "Save as GIF")
    assert film.size == (7 * 112, 112 + 20) and film.n_frames == 48 and film.info["loop"] == 0
    pictures = [np.asarray(f.convert("L"), np.float32) / 255 for f in ImageSequence.Iterator(film)]
    expected = ways(2, *samples(2, 3), torch.linspace(0, 1, 25)).numpy()
    for i in (0, 7, 24):
        small = pictures[i][:112].reshape(28, 4, 7, 28, 4)[:, 1, :, :, 1].transpose(1, 0, 2).reshape(7, 784)
        np.testing.assert_allclose(small, expected[:, i], atol=0.02)  # 256 grey levels by Pillow's palette
    np.testing.assert_allclose(pictures[47], pictures[1], atol=0.01)
    assert all(np.abs(p - q).max() > 0.05 for p, q in itertools.pairwise(pictures))


# Drawing an end -------------------------------------------------------------------------------------------------------

SEVEN = [(0.25, 0.25), (0.75, 0.25), (0.6, 0.5), (0.45, 0.85)]  # shares of the pad


def drawn_link(tab, end: str = "from") -> np.ndarray:
    return bits(parameter(tab, "d" if end == "from" else f"{end}_d"))


def told_labels(tab) -> tuple[int, int]:
    """The labels as the cards say them."""
    note = tab.locator(f"{LIVE} small").all_inner_texts()
    found = re.fullmatch(r"(\d) blends to (\d): never trained", note[5]) if len(note) > 5 else None
    return (int(found[1]), int(found[2])) if found else (int(note[4].split()[1]),) * 2


def between(tab, t: float = 0.5, other: int = 3) -> np.ndarray:
    """What the page should paint between the drawing in its link and the sample `other`."""
    x = torch.stack([torch.tensor(drawn_link(tab)), samples(other, other)[0][0]])
    return at_t(t, x, told_labels(tab))


@pytest.mark.parametrize("finger", [False, True])
def test_all_ways_follow_the_pen_and_python_hears_once(visit, finger):
    """Otherwise drawing loads the server, or the ways are between other digits than the one that was drawn."""
    tab = visit("to=3", PHONE if finger else DESKTOP, has_touch=finger)
    tab.locator(".st-key-digit_by").get_by_text("Draw").click()
    pad = tab.locator(".pad canvas")
    pad.wait_for()
    tab.wait_for_selector(READY)
    pad.scroll_into_view_if_needed()
    before, start, box = painted(tab), len(tab.sent), pad.bounding_box()
    at_top = "() => document.querySelector('[data-testid=stMain]').scrollTop"
    scrolled = tab.evaluate(at_top)
    (touch if finger else mouse)(tab, box, SEVEN, lift=False)
    frames(tab)
    during, guess = painted(tab), told_labels(tab)
    assert len(tab.sent) == start and (np.abs(during[:4] - before[:4]).max(1) > 0.2).all()
    assert during[0].max() > 0.9  # the visitor's ink is in the plain blend already
    let_go(tab)
    tab.wait_for_function("() => new URLSearchParams(location.search).get('d')")
    seen(tab, "guessed: highest ELBO").wait_for()
    ready(tab)
    assert len(messages(tab, start)) == 1
    soon(lambda: tab.evaluate(at_top), scrolled)
    soon(
        lambda: guess == told_labels(tab) == (7, guess[1]), True
    )  # while the pen was down, the browser guessed as Python does
    drawn = drawn_link(tab).reshape(28, 28)
    assert drawn[:, 4:24].sum() == drawn.sum() > 30  # placed as MNIST's digits are
    soon(lambda: np.testing.assert_allclose(painted(tab), between(tab), atol=STEP))
    png = base64.b64decode(tab.locator(".lse-strip img").first.get_attribute("src").split(",")[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))) / 255, drawn)  # Python walks from it, too


def test_a_link_restores_both_drawings(visit):
    """Otherwise a teacher's link opens another walk."""
    mirrored = flip(FIRST)
    tab = visit(f"digit_by=Draw&d={FIRST}&to_by=Draw&to_d={mirrored}&t=0.25")
    x = torch.tensor(np.stack([bits(FIRST), bits(mirrored)]))
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(0.25, x, told_labels(tab)), atol=STEP))
    soon(lambda: (parameter(tab, "d"), parameter(tab, "to_d")), (FIRST, mirrored))


def flip(text: str) -> str:
    """The same drawing, mirrored, as text for a link."""
    packed = np.packbits(bits(text).reshape(28, 28)[:, ::-1].astype(np.uint8).reshape(-1))
    return base64.urlsafe_b64encode(packed.tobytes()).decode().rstrip("=")


def test_a_pad_by_keyboard_undone_and_cleared(visit):
    """Otherwise the pad needs a pointer, or an empty pad ends the page, or there is no way back from it."""
    tab = visit("to=3")
    tab.locator(".st-key-digit_by").get_by_text("Draw").click()
    pad = tab.locator(".pad canvas")
    pad.wait_for()
    tab.wait_for_selector(READY)
    example = painted(tab)
    pad.focus()
    for key in ["ArrowUp"] * 8 + ["Space"] + ["ArrowDown"] * 16 + ["Space"]:  # a one
        pad.press(key)
    seen(tab, "guessed: highest ELBO").wait_for()
    ready(tab)
    one = painted(tab)
    np.testing.assert_allclose(one, between(tab), atol=STEP)
    soon(lambda: told_labels(tab)[0], 1)
    tab.get_by_role("button", name="Clear, the digit to walk from").click()
    tab.locator("[data-testid=stAlert]").get_by_text("Draw the digit to walk from").wait_for()
    expect(tab.locator(".reading")).to_contain_text("The pad is empty. Draw the digit to walk from.")
    soon(lambda: painted(tab).max(), 0)
    assert parameter_gone(tab, "d")
    soon(lambda: tab.locator("[data-testid=stException]").count(), 0)
    undo = tab.get_by_role("button", name="Undo, the digit to walk from")
    undo.click()
    tab.locator("[data-testid=stAlert]").wait_for(state="detached")
    ready(tab)
    soon(lambda: np.testing.assert_allclose(painted(tab), one, atol=STEP))
    undo.click()  # before the first stroke there was the sample
    tab.get_by_text("Draw your own in its place").wait_for()
    ready(tab)
    soon(lambda: np.testing.assert_allclose(painted(tab), example, atol=STEP))
    soon(lambda: undo.is_disabled() and parameter_gone(tab, "d"), True)


def parameter_gone(tab, name: str) -> bool:
    tab.wait_for_function("name => !new URLSearchParams(location.search).has(name)", arg=name)
    return True


def test_the_visitor_names_the_drawing(visit):
    """Otherwise the CVAE is told the guess although the visitor knows better."""
    tab = visit(f"digit_by=Draw&d={FIRST}&to=3&t=0.1")
    box = tab.locator(".st-key-digit_said")
    box.locator("input").click()
    tab.get_by_role("option", name="it is 8").click()
    tab.wait_for_selector(f"{LIVE} small:has-text('label 8 throughout')")
    ready(tab)
    soon(lambda: told_labels(tab)[0], 8)
    soon(lambda: np.testing.assert_allclose(painted(tab), between(tab, 0.1), atol=STEP))


def test_everything_is_there_after_another_page(visit):
    """Otherwise a look at another page loses the drawing and the place."""
    tab = visit(f"digit_by=Draw&d={FIRST}&to=3&t=0.5")
    tab.get_by_label("Place on the way, t").press("PageUp")
    wait_for_t(tab, 0.6)
    before = painted(tab)
    tab.locator('[data-testid="stSidebar"] a[href="Restore"]').click()
    tab.wait_for_selector(f"{READY} h1:has-text('Restore')")
    tab.locator('[data-testid="stSidebar"] a[href="Interpolate"]').click()
    tab.wait_for_selector(".walk .pad canvas")
    ready(tab)
    soon(lambda: np.testing.assert_allclose(painted(tab), before, atol=STEP))
    soon(lambda: parameter(tab, "d"), FIRST)


def test_two_tabs_walk_by_themselves(visit):
    """Otherwise one student's hand moves another's picture."""
    here = visit(f"digit_by=Draw&d={FIRST}&to=3&t=0.5")
    there = visit("from=2&to=3&t=0.5")
    assert there.context == here.context
    first = painted(here)
    there.get_by_label("Place on the way, t").press("Home")
    wait_for_t(there, 0)
    soon(lambda: np.testing.assert_allclose(painted(there), at_t(0, *samples(2, 3)), atol=STEP))
    soon(lambda: np.testing.assert_allclose(painted(here), first, atol=STEP))
    here.bring_to_front()
    here.get_by_role("button", name="Clear").click()
    here.locator("[data-testid=stAlert]").get_by_text("Draw the digit").wait_for()
    soon(lambda: there.locator("[data-testid=stAlert]").count() == 0 and painted(there).max() > 0.5, True)


def test_the_drawing_is_there_in_twenty_dimensions(visit):
    """Otherwise another model forgets what the visitor drew, or stays with the old model's ways."""
    tab = visit(f"digit_by=Draw&d={FIRST}&to=3&t=0.3")
    tab.locator(".st-key-walk_dim").get_by_text("20").click()
    tab.wait_for_selector(".walk .maps[hidden]", state="attached")
    ready(tab)
    x = torch.stack([torch.tensor(bits(FIRST)), samples(3, 3)[0][0]])
    soon(lambda: np.testing.assert_allclose(painted(tab), at_t(0.3, x, told_labels(tab), 20), atol=STEP))
    soon(lambda: parameter(tab, "d"), FIRST)
