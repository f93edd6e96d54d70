"""The part "β" under a hand in a real browser: stops by key, drag and touch, points on their way, silence to Python."""

import base64
import functools
import itertools
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hands import soon
from playwright.sync_api import expect
from tabs import serve_files

from ui.parts.digit import Chosen
from ui.views.bound import betas
from vae_core import checkpoints, data

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://betas.test/"  # answered from the disk
HERE = [b for b in betas.BETAS if (checkpoints.ROOT / betas.name_of(b) / "card.json").is_file()]
ONE = HERE.index(1)

SETUP = """async options => {
    window.messages = [];
    const host = document.body.appendChild(document.createElement("div"));
    host.attachShadow({mode: "open"});
    const hear = (name, value) => messages.push([name, value]);
    window.component = {data: {options}, setStateValue: hear, setTriggerValue: hear};
    window.module = await import("./static/views/bound/betas.mjs");
    window.handle = await module.mount(host.shadowRoot, component);
    window.view = host.shadowRoot.querySelector(".view").view;
    window.rested = () => new Promise(done => {
        const look = () => view.gliding ? requestAnimationFrame(look) : requestAnimationFrame(() => done());
        requestAnimationFrame(look);
    });
    await rested();
}"""
POINTS = "() => Array.from(view.codes.mean)"
PICTURES = """() => view.pictures.map(canvas =>
    Array.from(canvas.getContext("2d").getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0)))"""


@functools.cache
def told(i: int = 3) -> dict:
    """What Python tells the view of sample i; JSON there and back, as Streamlit sends it."""
    pixels = data.load("digits", "test").images[i].numpy()
    stops, labels = betas.series(tuple(HERE))
    seen = betas.ask(tuple(HERE), pixels.tobytes())
    return json.loads(json.dumps(betas.options(stops, seen, labels, Chosen(pixels, None, f"sample {i}"))))


def points(k: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(told()["stops"][k]["z"]), "<f4")


@pytest.fixture
def visit(browser):
    """visit(query) → a page with the view mounted as `view`; `messages` is what went to Python."""
    contexts = []

    def open_page(query: str = "", **settings):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 1100}, **settings})
        contexts.append(context)
        serve_files(
            context,
            ORIGIN,
            ROOT,
            "<!doctype html><body style='margin:16px;--st-text-color:#1a1d21;--st-background-color:#fff'>",
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(ORIGIN + query)
        page.evaluate(SETUP, json.dumps(told()))
        return page

    yield open_page
    for context in contexts:
        wrong = [error for page in context.pages for error in page.wrong]
        context.close()
        assert wrong == []


def stands_on(page, k: int) -> None:
    """Everything on the page is this stop's: words, numbers, bars, pictures, points."""
    stop = told()["stops"][k]
    soon(lambda: page.locator("output").inner_text().split("\n")[0].strip(), f"β = {stop['name']}")
    soon(lambda: page.locator("input").get_attribute("aria-valuetext"), f"β = {stop['name']}")
    soon(lambda: page.locator(".stops [aria-pressed=true]").all_inner_texts(), [stop["name"]])
    expect(page.locator(".reading")).to_have_text(stop["reading"])
    for place, terms in (("test", stop), ("digit", stop["digit"])):
        total = terms["reconstruction"] + terms["kl"]
        expected = f"{terms['reconstruction']:.2f} + {terms['kl']:.2f} = {total:.2f}"
        soon(lambda: page.evaluate(f"view.rates.{place}.value.textContent"), expected)
        parts = [int(text.replace(".", "")) for text in re.findall(r"[\d.]+", expected)]
        assert parts[0] + parts[1] == parts[2]
        shares = page.evaluate(f"view.rates.{place}.parts.map(p => Number(p.style.getPropertyValue('--share')))")
        assert shares[1] / shares[0] == pytest.approx(terms["kl"] / terms["reconstruction"], rel=1e-4)
    soon(lambda: page.evaluate("view.cells.loss[0].textContent"), f"{stop['loss']:.2f}")
    soon(lambda: page.evaluate("view.cells.sigma[0].textContent"), f"{betas.small(stop['sigma'])} on average")
    pictures = np.frombuffer(base64.b64decode(stop["digit"]["pictures"]), np.uint8).reshape(-1, 784)
    soon(
        lambda: np.testing.assert_allclose(
            np.array(page.evaluate(PICTURES)[1:], int), pictures.astype(int), rtol=0, atol=1
        )
    )
    soon(lambda: np.testing.assert_array_equal(np.float32(page.evaluate(POINTS)), points(k)))


def thumb(page, at: float) -> tuple[float, float]:
    """Where on the screen the slider's thumb stands at a place between the stops."""
    box = page.locator("input").bounding_box()
    return box["x"] + 9 + (box["width"] - 18) * at / (len(HERE) - 1), box["y"] + box["height"] / 2


def test_keys_go_from_stop_to_stop(visit):
    """The browser's own step of a slider is a hundredth of the way: no key would ever reach a model."""
    page = visit()
    stands_on(page, ONE)
    page.locator("input").focus()
    for key, k in (("ArrowRight", ONE + 1), ("ArrowDown", ONE), ("Home", 0), ("ArrowLeft", 0), ("End", len(HERE) - 1)):
        page.keyboard.press(key)
        page.evaluate("rested()")
        stands_on(page, k)
    page.wait_for_function("name => new URLSearchParams(location.search).get('beta') === name", arg=f"{HERE[-1]:g}")
    soon(lambda: page.evaluate("messages"), [])


def test_fast_keys_count_from_where_they_lead(visit):
    """Two presses within a glide are two stops, not one stop and a half."""
    page = visit()
    page.locator("input").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.evaluate("rested()")
    stands_on(page, ONE + 2)


def test_a_drag_moves_points_in_straight_lines(visit):
    """Halfway between two stops every point is the average of the two; numbers stay those of the nearest model."""
    page = visit()
    page.mouse.move(*thumb(page, ONE))
    page.mouse.down()
    page.mouse.move(*thumb(page, ONE + 0.5), steps=4)
    page.evaluate("rested()")
    at = page.evaluate("view.at")
    assert ONE + 0.3 < at < ONE + 0.7  # a thumb stands on whole pixels
    t = at - ONE
    halfway = (1 - t) * points(ONE).astype(float) + t * points(ONE + 1)
    soon(lambda: np.testing.assert_allclose(page.evaluate(POINTS), halfway, rtol=0, atol=1e-5))
    page.evaluate("n => { view.at = n; view.draw(); }", ONE + 0.5)
    average = (points(ONE).astype(float) + points(ONE + 1)) / 2
    soon(lambda: np.testing.assert_allclose(page.evaluate(POINTS), average, rtol=0, atol=1e-5))
    expect(page.locator("output small")).to_have_text("nearest model")
    page.mouse.move(*thumb(page, ONE + 0.8), steps=3)
    page.mouse.up()
    page.evaluate("rested()")
    stands_on(page, ONE + 1)
    expect(page.locator("output small")).to_have_text("")
    soon(lambda: page.evaluate("messages"), [])


@pytest.mark.parametrize(("query", "k"), [("?beta=0", 0), ("?beta=16", len(HERE) - 1), ("?beta=nonsense", ONE)])
def test_a_link_restores_its_stop(visit, query, k):
    """A lecturer's link must open where it was copied; one that was cut opens at β = 1."""
    stands_on(visit(query), k)


def test_another_digit_keeps_the_stop(visit):
    """The same β follows from digit to digit: only then do digits compare."""
    page = visit("?beta=4")
    before = page.evaluate(PICTURES)
    page.evaluate("options => handle.update({...component, data: {options}})", json.dumps(told(5)))
    page.evaluate("rested()")
    expect(page.locator("output")).to_have_text(re.compile("^β = 4"))
    soon(lambda: page.evaluate(PICTURES)[0] != before[0] and page.evaluate(PICTURES)[1] != before[1], True)
    digit = next(s for s in told(5)["stops"] if s["beta"] == 4)["digit"]
    soon(lambda: page.evaluate("view.cells.loss[1].textContent"), f"{digit['loss']:.2f}")


def test_no_bar_ends_without_a_word(visit):
    """A bar that runs out of its track shows the costly digit's KL as a sliver or not at all."""
    costly = told()
    for stop, reconstruction, kl in ((HERE.index(16), 500.0, 6.0), (0, 200.0, 3000.0)):
        costly = {**costly, "stops": [*costly["stops"]]}
        digit = {**costly["stops"][stop]["digit"], "reconstruction": reconstruction, "kl": kl}
        costly["stops"][stop] = {**costly["stops"][stop], "digit": digit}
    page = visit()
    page.evaluate("options => handle.update({...component, data: {options}})", json.dumps(costly))
    for k, stop in enumerate(costly["stops"]):
        page.evaluate("k => { view.at = k; view.draw(); }", k)
        ends = """() => { const { parts, track, cut } = view.rates.digit, end = track.getBoundingClientRect().right;
            return [parts[0].getBoundingClientRect().right < end - 20, parts[1].getBoundingClientRect().right < end + 1,
                    track.classList.contains("cut"), cut.offsetHeight > 0]; }"""
        soon(lambda: page.evaluate(ends), [True, True, False, False] if stop["beta"] else [True, False, True, True])
    soon(lambda: page.evaluate("view.most"), pytest.approx(1.05 * 2 * 506))


@pytest.mark.parametrize("width", [390, 1200])
def test_every_dot_has_its_name_and_nothing_sticks_out(visit, width):
    """Six of eight models lie within two nats of KL, and σ = 10⁻¹⁰ on paper is a dozen characters."""
    tiny = told()
    free = {**tiny["stops"][0]["digit"], "sigma": [4.5e-10, 8.7e-10]}
    tiny = {**tiny, "stops": [{**tiny["stops"][0], "digit": free}, *tiny["stops"][1:]]}
    page = visit("?beta=0", viewport={"width": width, "height": 844})
    page.evaluate("options => handle.update({...component, data: {options}})", json.dumps(tiny))
    page.evaluate("rested()")
    soon(lambda: page.locator(".chart .name").all_text_contents(), [f"{beta:g}" for beta in HERE])
    soon(lambda: page.locator(".chart .chosen").all_text_contents(), ["0"])
    for chart in page.locator(".chart").all():
        edge = chart.bounding_box()
        boxes = [text.bounding_box() for text in chart.locator("text").all()]
        assert all(edge["x"] - 1 <= b["x"] and b["x"] + b["width"] <= edge["x"] + edge["width"] + 1 for b in boxes)
        for a, b in itertools.combinations(boxes, 2):
            beside = a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1
            assert beside or a["y"] + a["height"] <= b["y"] + 3 or b["y"] + b["height"] <= a["y"] + 3
    soon(lambda: page.evaluate("view.cells.sigma[1].textContent"), ", ".join(betas.small(v) for v in free["sigma"]))
    side = page.locator(".side")
    soon(lambda: side.evaluate("side => side.scrollWidth <= side.clientWidth"), True)


def test_who_asks_for_less_motion_gets_none(visit):
    """With prefers-reduced-motion the key's stop is there at once; only a hand still moves points."""
    page = visit(reduced_motion="reduce")
    page.locator("input").focus()
    page.keyboard.press("End")
    soon(lambda: page.evaluate("[view.gliding ?? 0, view.at]"), [0, len(HERE) - 1])
    page.evaluate("rested()")
    stands_on(page, len(HERE) - 1)


def test_on_a_phone_a_finger_takes_a_stop(visit):
    """At 390 pixels nothing sticks out, every stop can be hit, and the slider stays in reach of the map."""
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True)
    soon(lambda: page.evaluate("document.scrollingElement.scrollWidth") <= 390, True)
    boxes = [button.bounding_box() for button in page.locator(".stops button").all()]
    assert all(a["x"] + a["width"] <= b["x"] + 1 for a, b in itertools.pairwise(boxes))
    page.locator(".stops button").first.tap()
    page.evaluate("rested()")
    stands_on(page, 0)
    page.locator(".charts").scroll_into_view_if_needed()
    soon(lambda: page.locator("input").bounding_box()["y"] < 200, True)


def test_on_the_page_nothing_is_sent_while_dragging(server, window):
    """The whole way through Streamlit: first picture, view, drag, link. Every message would be a run of the script."""
    page = window(1280, 900).new_page()
    sent, wrong = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto(f"{server}/The_bound?part=%CE%B2&beta=0", timeout=60_000)
    page.wait_for_selector(".betas output small", state="attached", timeout=60_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    expect(page.locator(".betas output")).to_have_text(re.compile("^β = 0"))
    before = len(sent)
    box = page.locator(".betas input").bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2, steps=12)
    page.mouse.up()
    page.wait_for_function("() => new URLSearchParams(location.search).get('beta') === '16'")
    page.locator(".reading", has_text="The price is too high").wait_for()
    assert parse_qs(urlsplit(page.url).query)["part"] == ["β"]
    assert len(sent) == before and wrong == []
    page.close()
