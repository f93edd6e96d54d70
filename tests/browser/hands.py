"""A live page under a hand: opening it, dragging by mouse and finger, and reading what is painted and linked."""

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from tabs import listening

from vae_core import checkpoints

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
STEP = 0.003  # half a grey level of 255, and the single precision before it
RED = "cs => cs.map(c => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0))"


def soon(read: Callable[[], Any], expected: Any = None) -> None:
    """Read again until it is what is expected and no assertion in it fails: whatever a page shows comes as late as its
    machine is busy. A page that never shows it fails as it would have at once."""
    deadline = time.monotonic() + PATIENCE / 2000
    while True:
        try:
            found = read()
            assert found == expected
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)  # seconds


def seen(tab: Any, words: str | re.Pattern[str]) -> Any:
    """What stands on the page with these words. A view tells them to a screen reader too, half a second later, in a
    live region that nobody sees: a locator of the words alone would then have found two."""
    return tab.get_by_text(words).and_(tab.locator(":not([aria-live])"))


@pytest.fixture
def visit(server, window):
    """Open a live page and wait until the hand can take over; `tab.sent` are the frames that left for the server."""
    tabs = []

    def open_page(address: str, size: dict[str, int] = DESKTOP, *, touch: bool = False, broken: bool = False):
        tab = listening(window(**size, has_touch=touch).new_page())
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        if broken:
            tab.route("**/weights.safetensors", cut_weights)
        tab.goto(f"{server}/{address}")
        tab.wait_for_selector(
            "[role=alert]" if broken else ".view:not(.sheet) [role=application], .view input[type=range]:enabled"
        )
        tab.wait_for_selector(READY)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def cut_weights(route) -> None:
    """Weights that arrive cut in half; read here, because a fetch may outlive the page that asked."""
    slug = urlsplit(route.request.url).path.split("/")[-3]
    route.fulfill(body=(checkpoints.ROOT / slug / "weights.safetensors").read_bytes()[:99_999])


def painted(tab, where: str) -> np.ndarray:
    """Pixels of every canvas there, (n, 784) in [0, 1]."""
    return np.array(tab.locator(f"{where} canvas").evaluate_all(RED), np.float32) / 255


def parameter(tab, name: str) -> str | None:
    """As the page has it now: `tab.url` stands still while `soon` sleeps."""
    return parse_qs(tab.evaluate("location.search")[1:]).get(name, [None])[0]


def code_in_link(tab, name: str = "z") -> torch.Tensor:
    return torch.tensor([float(v) for v in parameter(tab, name).split(",")])


def wait_for_link(tab, pattern: str) -> None:
    tab.wait_for_url(re.compile(pattern), timeout=PATIENCE)


def drawn(tab) -> None:
    """Wait for the frame after the next."""
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def drag(tab, box, path) -> int:
    """The mouse from place to place, shares of the box; returns the bytes that left while it moved."""
    at = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in path]
    tab.mouse.move(*at[0])
    tab.mouse.down()
    before = len(tab.sent)
    for x, y in at[1:]:
        tab.mouse.move(x, y, steps=8)
    drawn(tab)
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
