"""Styles, Sliders and Interpolate under a hand: what is painted against PyTorch, and what Python hears of it."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch

from vae_core import checkpoints, data, latent

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
STEP = 0.003  # half a grey level of 255, and the single precision before it
RED = "cs => cs.map(c => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0))"


@pytest.fixture
def visit(server, browser):
    """Open a live page and wait until the hand can take over; `tab.sent` are the frames that left for the server."""
    contexts = []

    def open_page(address: str, size: dict[str, int] = DESKTOP, *, touch: bool = False, broken: bool = False):
        context = browser.new_context(viewport=size, has_touch=touch)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.sent, tab.wrong = [], []
        tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        if broken:
            tab.route("**/registry.mjs", cut_weights)
        tab.goto(f"{server}/{address}")
        tab.wait_for_selector("[role=alert]" if broken else ".view [role=application], .view input[type=range]")
        tab.wait_for_selector(READY)
        return tab

    yield open_page
    for context in contexts:
        context.close()


def cut_weights(route) -> None:
    """Weights that arrive cut in half."""
    body = route.fetch().text().replace("Model.fromSafetensors(bytes,", "Model.fromSafetensors(bytes.slice(0, 99999),")
    route.fulfill(body=body, content_type="text/javascript")


def painted(tab, where: str) -> np.ndarray:
    """Pixels of every canvas there, (n, 784) in [0, 1]."""
    return np.array(tab.locator(f"{where} canvas").evaluate_all(RED), np.float32) / 255


def parameter(tab, name: str) -> str | None:
    return parse_qs(urlsplit(tab.url).query).get(name, [None])[0]


def code_in_link(tab, name: str = "z") -> torch.Tensor:
    return torch.tensor([float(v) for v in parameter(tab, name).split(",")])


def wait_for_link(tab, pattern: str) -> None:
    tab.wait_for_url(re.compile(pattern), timeout=PATIENCE)


def drag(tab, box, path) -> int:
    """The mouse from place to place, shares of the box; returns the bytes that left while it moved."""
    at = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in path]
    tab.mouse.move(*at[0])
    tab.mouse.down()
    before = len(tab.sent)
    for x, y in at[1:]:
        tab.mouse.move(x, y, steps=8)
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    sent = sum(len(frame) for frame in tab.sent[before:])
    tab.mouse.up()
    return sent


def stroke(tab, box, path) -> None:
    """A finger from place to place, shares of the box."""
    client = tab.context.new_cdp_session(tab)
    at = [{"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"]} for u, v in path]
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for point in at[1:]:
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def cvae(size: int):
    return checkpoints.load(f"mnist-cvae-{size}d")[0]


def ten(z: torch.Tensor) -> np.ndarray:
    return latent.decode(cvae(len(z)), z.expand(10, -1), torch.arange(10)).numpy()


# All three ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["Styles"])
def test_damaged_weights_give_one_sentence(visit, address):
    """Otherwise a download that broke off ends in an empty box, or in digits of a broken network."""
    tab = visit(address, broken=True)
    told = tab.locator("[role=alert]").filter(has_text="weights")
    assert told.count() == 1 and re.fullmatch(r"[A-Z].{20,200}\.", told.inner_text(), re.DOTALL)
    assert tab.locator(".view canvas").count() == 0


# Styles ---------------------------------------------------------------------------------------------------------------


def test_ten_digits_follow_the_hand_and_a_link_brings_them_back(visit):
    """Otherwise the digits belong to another z than the link, or dragging loads the server."""
    tab = visit("Styles")
    start = painted(tab, ".ten")
    box = tab.locator(".side [role=application]").bounding_box()
    assert drag(tab, box, [(0.5, 0.5), (0.7, 0.3), (0.3, 0.35)]) == 0
    wait_for_link(tab, r"[?&]z=")
    z, moved = code_in_link(tab), painted(tab, ".ten")
    assert z[0] < 0 < z[1] and np.abs(moved - start).max() > 0.3
    np.testing.assert_allclose(moved, ten(z), atol=0.02)  # the link rounds z to three decimals
    other = visit(f"Styles?{urlsplit(tab.url).query}")
    np.testing.assert_allclose(painted(other, ".ten"), ten(z), atol=STEP)
    assert torch.equal(code_in_link(other), z)
    assert tab.wrong == other.wrong == []


def test_the_keyboard_moves_the_hand(visit):
    """Otherwise the page is closed to whoever uses no pointer."""
    tab = visit("Styles?z=0.5,0.5")
    tab.locator(".side [role=application]").focus()
    tab.keyboard.press("PageUp")
    tab.wait_for_function("() => new URLSearchParams(location.search).get('z') !== '0.5,0.5'")
    assert code_in_link(tab)[0] == pytest.approx(0.5) and code_in_link(tab)[1] > 0.6
    tab.keyboard.press("Home")
    wait_for_link(tab, r"[?&]z=0(,|%2C)0(&|$)")
    np.testing.assert_allclose(painted(tab, ".ten"), ten(torch.zeros(2)), atol=STEP)
    live = tab.locator(".view [aria-live]")
    tab.wait_for_function("e => e.textContent.includes('+0.00, +0.00')", arg=live.element_handle())


def test_the_digits_are_in_the_chosen_digits_hand(visit):
    """Otherwise "my digit's hand" is another digit's: Python's digit is encoded in the browser."""
    tab = visit("Styles?digit=7&z=2,2")
    tab.get_by_role("button", name="My digit's hand").click()
    tab.wait_for_function("() => new URLSearchParams(location.search).get('z') !== '2,2'")
    images, labels = data.load("digits", "test")
    z = latent.embed(cvae(2), images[7:8], labels[7:8]).mean[0]
    torch.testing.assert_close(code_in_link(tab), z, atol=6e-4, rtol=0)
    np.testing.assert_allclose(painted(tab, ".ten"), ten(z), atol=STEP)


def test_a_finger_drags_the_hand_on_a_phone(visit):
    """Otherwise the page scrolls under the finger, or the map does not follow it."""
    tab = visit("Styles?z=0,0", PHONE, touch=True)
    host = tab.locator(".side [role=application]")
    host.scroll_into_view_if_needed()
    scrolled = "() => document.querySelector('[data-testid=stMain]').scrollTop"
    before = tab.evaluate(scrolled)
    stroke(tab, host.bounding_box(), [(0.5, 0.5), (0.6, 0.4), (0.7, 0.3), (0.75, 0.25)])
    tab.wait_for_function("() => new URLSearchParams(location.search).get('z') !== '0,0'")
    z = code_in_link(tab)
    assert z[0] > 0.5 and z[1] > 0.5
    np.testing.assert_allclose(painted(tab, ".ten"), ten(z), atol=0.02)
    assert tab.evaluate(scrolled) == before
    assert tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0


def test_twenty_dimensions_have_sliders_and_hands_can_be_kept(visit):
    """Otherwise the larger model cannot be moved, or a kept hand changes with the next one."""
    tab = visit("Styles?styles_dim=20&z=" + ",".join(["0.3"] * 20))
    sliders = tab.locator(".dims input")
    assert sliders.count() == 8
    codes = checkpoints.load_codes("mnist-cvae-20d")
    order, _ = latent.order_dimensions(codes["test_mean"], codes["test_logvar"])
    z = torch.full((20,), 0.3)
    np.testing.assert_allclose(painted(tab, ".ten"), ten(z), atol=STEP)
    tab.get_by_role("button", name="Keep this hand").click()
    sliders.first.press("End")
    tab.wait_for_function("() => new URLSearchParams(location.search).get('z').includes('3.5')")
    z[order[0]] = 3.5
    np.testing.assert_allclose(painted(tab, ".ten"), ten(z), atol=STEP)
    np.testing.assert_allclose(painted(tab, ".kept"), ten(torch.full((20,), 0.3)), atol=STEP)


def test_the_hand_is_where_it_was_after_another_page(visit):
    """Otherwise a look at another page loses what was found."""
    tab = visit("Styles")
    tab.get_by_role("button", name="Random hand").click()
    wait_for_link(tab, r"[?&]z=")
    z = code_in_link(tab)
    tab.locator('[data-testid="stSidebar"] a[href="Restore"]').click()
    tab.wait_for_selector(f"{READY} h1:text-is('Restore')")
    tab.locator('[data-testid="stSidebar"] a[href="Styles"]').click()
    tab.wait_for_selector(".view [role=application]")
    wait_for_link(tab, r"[?&]z=")
    assert torch.equal(code_in_link(tab), z)
    np.testing.assert_allclose(painted(tab, ".ten"), ten(z), atol=0.02)
