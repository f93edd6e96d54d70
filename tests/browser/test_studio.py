"""The Studio in a real browser: every gesture, asserted on what is painted and on what the server received."""

import base64
import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ui import studio as page
from ui.family import FAMILY, slug
from vae_core import checkpoints, data, likelihood, losses
from vae_core.digitize import digitize

ROOT = Path(__file__).resolve().parents[2]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LAPTOP, TABLET = {"width": 1280, "height": 720}, {"width": 900, "height": 700}
PATIENCE = 60_000  # milliseconds
SEVEN = [(0.28, 0.22), (0.72, 0.22), (0.45, 0.86)]  # in parts of the pad
STEP = 1.01 / 255  # a painted pixel has 256 levels

# The view, wherever Streamlit puts its shadow root; true once the networks are there.
FIND = """() => {
    const find = node => {
        for (const e of node.querySelectorAll("*")) {
            const found = e.studio ?? (e.shadowRoot && find(e.shadowRoot));
            if (found) return found;
        }
    };
    window.S = find(document);
    if (!S?.ready) return false;
    window.A = Object.fromEntries(S.answers.map(a => [a.kind, a]));
    window.settle = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())));
    window.grey = canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
        return Array.from({length: 784}, (_, i) => data[4 * i]);
    };
    window.box = e => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; };
    return true;
}"""
STATE = """async () => {
    await settle();
    return {
        clean: [...S.clean], tile: grey(S.tile), label: S.label ?? S.guess, shares: S.shares && [...S.shares],
        verdict: S.at(".verdict").textContent, badges: S.answers.map(a => a.fields.best.textContent),
        models: Object.fromEntries(S.answers.map(a => [a.kind, {
            picture: grey(a.picture), z: [...a.z], mean: a.code && [...a.code.mean],
            numbers: a.fields.terms.map(e => e?.textContent ?? "—"), how: a.fields.how.textContent,
            one: a.fields.one.textContent,
        }])),
    };
}"""


@pytest.fixture(scope="module")
def networks():
    return {kind: checkpoints.load(slug(kind, 2))[0] for kind in FAMILY}


@pytest.fixture(scope="module")
def windows(browser):
    """One browser window for each setting, so that its cache stays warm."""
    opened = {}
    yield (
        lambda **settings: (
            opened.get(str(settings)) or opened.setdefault(str(settings), browser.new_context(**settings))
        )
    )
    for context in opened.values():
        context.close()


@pytest.fixture
def visit(server, windows):
    """Open the Studio in a tab of its own; `.sent` lists what went to the server, `.wrong` what went wrong."""
    tabs = []

    def open_page(query="", *, prepare=None, wait=True, **settings):
        tab = windows(**{"viewport": DESKTOP, "reduced_motion": "reduce", **settings}).new_page()
        tabs.append(tab)
        tab.sent, tab.wrong = [], []
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
        if prepare:
            prepare(tab)
        tab.goto(f"{server}/{query}", timeout=PATIENCE)
        if wait:
            tab.wait_for_function(FIND, timeout=PATIENCE)
            rest(tab)
        return tab

    yield open_page
    wrong = [error for tab in tabs for error in tab.wrong]
    for tab in tabs:
        tab.close()
    assert wrong == []


def rest(tab) -> None:
    """Until the script rests: what is sent from now on, the hand has sent."""
    tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE)


def state(tab) -> dict:
    return tab.evaluate(STATE)


def draw(tab, corners=SEVEN, *, release=True) -> None:
    """One stroke of the mouse through these corners of the pad."""
    x, y, width, height = tab.evaluate("box(S.pad.canvas)")
    places = [(x + u * width, y + v * height) for u, v in corners]
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place, steps=20)
    tab.evaluate("settle()")
    if release:
        tab.mouse.up()
        tab.evaluate("settle()")


def slide(tab, amount: float) -> None:
    """The corruption slider, as a hand that moves it and lets go."""
    tab.evaluate(
        """value => { const slider = S.at("[data-set=amount]"); slider.value = value;
            for (const name of ["input", "change"]) slider.dispatchEvent(new Event(name, {bubbles: true})); }""",
        amount,
    )


def number(text: str) -> float:
    """What stands on a card: while the hand moves, or under a wide q, without decimals and with a ≈."""
    return float(text.removeprefix("≈ "))


def nll(model, x, z, y):
    return float(model.nll(x, model.decode(z, y)))


@torch.inference_mode()
def reference(networks, kind, clean, seen, label):
    """What PyTorch says: picture (784,) at the mean, and reconstruction, KL and −ELBO in nats."""
    model = networks[kind]
    x, seen = torch.tensor([clean]).float(), torch.tensor([seen]).float()
    y = torch.tensor([label]) if model.conditional else None
    code = model.encode(seen, y)
    kl = nelbo = None
    if model.probabilistic:
        kl = float(losses.gaussian_kl(*code).sum())
        nelbo = -likelihood.settled_elbo(model, x[0], code, label if model.conditional else None)
    return model.pixels(code.mean, y)[0].numpy(), nll(model, x, code.mean, y), kl, nelbo


def check_answers(networks, got, *, seen=None, kinds=tuple(FAMILY)):
    for kind in kinds:
        picture, reconstruction, kl, nelbo = reference(
            networks, kind, got["clean"], got["clean"] if seen is None else seen, got["label"]
        )
        shown = got["models"][kind]
        assert np.abs(np.array(shown["picture"]) / 255 - picture).max() <= STEP, kind
        numbers = shown["numbers"]
        assert float(numbers[0]) == pytest.approx(reconstruction, abs=0.02), kind
        if kl is None:
            assert numbers[1:] == ["—", "—"]
        else:
            assert float(numbers[1]) == pytest.approx(kl, abs=0.02), kind
            rough = numbers[2].startswith("≈ ")  # while the hand moves
            assert number(numbers[2]) == pytest.approx(nelbo, abs=1 + 0.03 * nelbo if rough else 0.011), kind


# What is there before the hand ------------------------------------------------------------------------------


def test_python_knows_the_recorded_digit(visit, networks):
    """The server's first picture must be of the digit that the view draws, and be what the models say."""
    got = state(visit())
    assert np.array_equal(page.bits(page.FIRST), got["clean"])
    check_answers(networks, got)
    for kind, pixels in page.first_answers().items():
        assert np.abs(pixels - reference(networks, kind, got["clean"], got["clean"], 3)[0]).max() < 1e-3, kind


def test_the_page_is_sent_before_torch_is_imported():
    """torch takes longer to import than all the rest of the page."""
    code = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        "at = AppTest.from_file('app.py', default_timeout=60).run()\n"
        "assert not at.exception, at.exception\n"
        "assert len(at.get('bidi_component')) == 2, 'view and models'\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", [DESKTOP, TABLET, PHONE], ids=["desktop", "tablet", "phone"])
def test_the_first_picture_stands_where_the_view_will(visit, size):
    """While the modules travel the digit and its answers are there already, and nothing jumps when they arrive."""
    held = []
    tab = visit(
        viewport=size, wait=False, prepare=lambda tab: tab.route("**/studio.mjs", lambda route: held.append(route))
    )
    tab.wait_for_selector(".studio-first .drawing img", timeout=PATIENCE)
    boxes = """root => [".pad", ".card", ".drawing", ".map"].map(s => {
        const b = root.querySelector(s).getBoundingClientRect(); return [b.x, b.y, b.width, b.height];
    })"""
    assert tab.locator(".studio-first .drawing img:visible").count() == 4
    assert tab.evaluate("[...document.querySelectorAll('.studio-first img')].every(i => i.naturalWidth === 28)")
    tab.evaluate("document.fonts.ready")
    before = tab.evaluate(f"({boxes})(document.querySelector('.studio-first'))")
    tab.wait_for_timeout(1)
    while not held:
        tab.wait_for_timeout(50)
    held[0].continue_()
    tab.wait_for_function(FIND, timeout=PATIENCE)
    after = tab.evaluate(f"({boxes})(S.root)")
    np.testing.assert_allclose(after, before, atol=2.5)
    assert tab.locator(".studio-first:visible").count() == 0


def test_pad_and_four_cards_are_above_the_fold(visit):
    """Who must scroll to see the answer draws blind."""
    tab = visit()
    boxes = tab.evaluate("[S.pad.host, ...S.root.querySelectorAll('.card')].map(box)")
    assert len(boxes) == 5
    assert all(x >= 0 and x + w <= 1440 and y >= 0 and y + h <= 900 for x, y, w, h in boxes), boxes


# Drawing ----------------------------------------------------------------------------------------------------


def test_a_seven_by_mouse(visit, networks):
    """The one thing that the page is for. Nothing travels while the hand moves, one small message when it lets go."""
    tab = visit()
    before, sent = state(tab), len(tab.sent)
    draw(tab, release=False)
    got = state(tab)
    assert len(tab.sent) == sent, "the server heard of the hand while it was drawing"
    assert sum(got["clean"]) > 40
    for kind in FAMILY:
        assert got["models"][kind]["picture"] != before["models"][kind]["picture"]
    assert (np.array(got["tile"]) / 255 == got["clean"]).all()
    check_answers(networks, got)
    assert got["label"] == 7
    tab.mouse.up()
    tab.get_by_text("Who lives next door").wait_for(timeout=PATIENCE)  # what Python adds
    told = [frame for frame in tab.sent[sent:] if len(frame) > 100]
    assert len(told) == 1 and len(told[0]) < 2000
    assert state(tab)["clean"] == got["clean"]


def test_the_first_stroke_replaces_the_example_and_later_ones_add(visit):
    """A seven on top of the recorded 3 would be neither; a second stroke that wiped the first would be worse."""
    tab = visit()
    example = state(tab)["clean"]
    draw(tab, [(0.3, 0.2), (0.7, 0.2)])
    assert tab.evaluate("S.pad.state.strokes.length") == 1
    draw(tab, [(0.7, 0.2), (0.5, 0.8)])
    assert tab.evaluate("S.pad.state.strokes.length") == 2
    tab.evaluate("S.at('[data-do=undo]').click()")
    assert tab.evaluate("S.pad.state.strokes.length") == 1
    tab.evaluate("S.at('[data-do=undo]').click()")
    assert state(tab)["clean"] == example


def test_clear_and_undo(visit):
    """An empty pad has no code and no numbers, and what was cleared by mistake comes back."""
    tab = visit()
    draw(tab)
    drawn = state(tab)
    tab.evaluate("S.at('[data-do=clear]').click()")
    empty = state(tab)
    assert not any(empty["clean"]) and not any(empty["tile"])
    for shown in empty["models"].values():
        assert not any(shown["picture"]) and shown["numbers"] == ["—"] * 3
    assert tab.evaluate("[A.ae.plane.markers.has('code'), S.hint.hidden]") == [False, False]
    tab.wait_for_function("!location.search.includes('d=')")
    tab.evaluate("S.at('[data-do=undo]').click()")
    assert state(tab)["models"] == drawn["models"]


def test_the_brush_and_the_centring(visit):
    """Centring off is the honest view of what the models do with a digit in a corner."""
    tab = visit()
    corner = [(0.08, 0.1), (0.25, 0.1), (0.15, 0.3)]
    draw(tab, corner)
    centred = np.array(state(tab)["clean"]).reshape(28, 28)
    rows = np.flatnonzero(centred.any(1))
    assert 18 <= rows[-1] - rows[0] + 1 <= 20
    tab.evaluate("S.at('[data-set=centred]').click()")
    loose = np.array(state(tab)["clean"]).reshape(28, 28)
    assert loose.sum() > 5 and loose[12:].sum() == 0 and loose[:, 12:].sum() == 0
    tab.evaluate("S.at('[data-do=clear]').click()")
    tab.evaluate("""() => { const brush = S.at("[data-set=brush]"); brush.value = brush.max;
        brush.dispatchEvent(new Event("input")); }""")
    draw(tab, corner)
    assert np.sum(state(tab)["clean"]) > loose.sum()


def test_what_no_model_has_seen_breaks_nothing(visit):
    """A blot in a corner: the encoders answer with variances of 10³⁰, and ELBOs overflow. The page says so."""
    tab = visit()
    tab.evaluate("S.at('[data-set=centred]').click()")
    tab.evaluate("S.at('[data-do=clear]').click()")
    for u in (0.06, 0.5, 0.94):
        tab.evaluate("S.pad.radius = 14")
        draw(tab, [(u, 0.06), (u, 0.3), (u - 0.04, 0.1)])
        got = state(tab)
        assert got["label"] in range(10)
        for shown in got["models"].values():
            assert "NaN" not in "".join(shown["numbers"]) and all(len(text) < 12 for text in shown["numbers"])
    assert tab.evaluate("S.answers.every(a => a.fields.z.textContent.length < 40)")
    draw(tab)
    assert state(tab)["label"] in range(10)


def test_by_keyboard(visit, networks):
    """Whoever cannot use a pointer can draw: arrows move, space puts the pen down and lifts it."""
    tab = visit()
    tab.evaluate("S.pad.canvas.focus()")
    for key in ["ArrowUp"] * 9 + [" "] + ["ArrowDown"] * 18:
        tab.keyboard.press(key)
    got = state(tab)
    picture = np.array(got["clean"]).reshape(28, 28)
    assert picture.sum() > 40 and picture.any(1).sum() >= 18 and picture.any(0).sum() <= 5, "a 1 was drawn"
    check_answers(networks, got)
    assert tab.evaluate("S.pad.cursor.hidden") is False
    sent = len(tab.sent)
    tab.keyboard.press(" ")
    tab.keyboard.press("ArrowRight")
    assert state(tab)["clean"] == got["clean"], "the pen is up"
    tab.get_by_text("Who lives next door").wait_for(timeout=PATIENCE)
    assert len(tab.sent) > sent
    tab.keyboard.press("Control+z")
    assert state(tab)["clean"] != got["clean"]
    assert tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_by_finger_on_a_phone(visit, networks):
    """The finger draws and does not scroll; pad first, its answers beside it, then the cards."""
    tab = visit(viewport=PHONE, has_touch=True, device_scale_factor=2)
    x, y, width, height = tab.evaluate("box(S.pad.canvas)")
    assert tab.evaluate("getComputedStyle(S.pad.canvas).touchAction") == "none"
    hand = tab.context.new_cdp_session(tab)
    places = [(x + u * width, y + v * height) for u, v in SEVEN]
    path = [
        (a[0] + (b[0] - a[0]) * k / 15, a[1] + (b[1] - a[1]) * k / 15) for a, b in pairwise(places) for k in range(16)
    ]
    for i, (u, v) in enumerate(path):
        kind = "touchMove" if i else "touchStart"
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": u, "y": v}]})
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    got = state(tab)
    assert got["label"] == 7
    check_answers(networks, got)
    assert tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    small = tab.evaluate("S.minis.map(grey)")
    assert small == [got["models"][kind]["picture"] for kind in FAMILY]
    pad, *cards = tab.evaluate("[S.pad.host, ...S.root.querySelectorAll('.card')].map(box)")
    assert cards[0][1] > pad[1] + pad[3] and all(below[1] >= card[1] + card[3] for card, below in pairwise(cards))
    sizes = tab.evaluate("[...S.root.querySelectorAll('button, .file')].filter(e => e.offsetParent).map(box)")
    assert max(x + w for x, _, w, _ in sizes) <= 390


# Label ------------------------------------------------------------------------------------------------------


def test_auto_takes_the_label_of_the_highest_elbo(visit, networks):
    """The bars are called an approximation of p(y | x): they must be the softmax of ELBOs under common noise."""
    tab = visit()
    draw(tab)
    got = state(tab)
    model, x, y = networks["cvae"], torch.tensor([got["clean"]]).float().expand(10, -1), torch.arange(10)
    with torch.inference_mode():
        code = model.encode(x, y)
        elbo = -losses.gaussian_kl(*code).sum(1)
        for sign in (1, -1):
            elbo -= 0.5 * model.nll(x, model.decode(code.mean + sign * torch.exp(0.5 * code.logvar), y))
    np.testing.assert_allclose(got["shares"], elbo.softmax(0).numpy(), atol=2e-3)
    assert got["label"] == int(elbo.argmax())


def test_a_chosen_label_changes_only_the_cvae(visit, networks):
    """The other three are never told a label: if one moved, it would have been."""
    tab = visit()
    draw(tab)
    before = state(tab)
    tab.evaluate("S.at('[data-label=\"2\"]').click()")
    after = state(tab)
    assert after["label"] == 2 and after["shares"] is None
    for kind in ("ae", "dae", "vae"):
        assert after["models"][kind] == before["models"][kind]
    assert after["models"]["cvae"]["picture"] != before["models"]["cvae"]["picture"]
    check_answers(networks, after)
    tab.wait_for_function("new URLSearchParams(location.search).get('label') === '2'")
    tab.evaluate("S.at('[data-do=auto]').click()")
    assert state(tab)["models"] == before["models"]


# Maps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["vae", "cvae"])
def test_the_ellipse_is_true_to_scale(visit, networks, kind):
    """One unit is equally long on both axes, and the half-axes are σ: on the map itself and in the lens times its
    power, which is written beside it."""
    tab = visit()
    draw(tab)
    got = state(tab)
    drawn = tab.evaluate(
        """kind => {
            const { plane } = A[kind], ellipses = [], words = [];
            const { ellipse, fillText } = plane.ctx;
            plane.ctx.ellipse = (...a) => { ellipses.push(a.slice(0, 4)); ellipse.apply(plane.ctx, a); };
            plane.ctx.fillText = (...a) => { words.push(a[0]); fillText.apply(plane.ctx, a); };
            plane.draw();
            delete plane.ctx.ellipse; delete plane.ctx.fillText;
            const [o, x, y] = [[0, 0], [1, 0], [0, 1]].map(z => plane.toScreen(z));
            return {ellipses, words, unit: [x[0] - o[0], o[1] - y[1]], at: plane.toScreen([...A[kind].code.mean])};
        }""",
        kind,
    )
    model = networks[kind]
    with torch.inference_mode():
        y = torch.tensor([got["label"]]) if model.conditional else None
        code = model.encode(torch.tensor([got["clean"]]).float(), y)
    sigma = torch.exp(0.5 * code.logvar)[0].numpy()
    unit = np.array(drawn["unit"])
    assert unit[0] == pytest.approx(unit[1]) and unit[0] > 5
    powers = [int(m[1]) for word in drawn["words"] if (m := re.fullmatch(r"(\d+)× lens", word))]
    lens, plain = drawn["ellipses"] if powers else (None, *drawn["ellipses"])
    np.testing.assert_allclose(plain[2:], sigma * unit, rtol=1e-3)
    np.testing.assert_allclose(plain[:2], drawn["at"], atol=0.01)
    assert powers or max(sigma * unit) > 10, "an ellipse too small to see needs the lens"
    if powers:
        np.testing.assert_allclose(lens[2:], powers[0] * sigma * unit, rtol=1e-3)


def test_grabbing_a_code_moves_that_models_digit_only(visit, networks):
    """The code follows the hand and the digit the code; the others stay; the next stroke gives the code back."""
    tab = visit()
    draw(tab)
    before, sent = state(tab), len(tab.sent)
    x, y = tab.evaluate(
        "(() => { const b = box(A.vae.plane.canvas), s = A.vae.plane.toScreen([...A.vae.z]);"
        " return [b[0] + s[0], b[1] + s[1]]; })()"
    )
    tab.get_by_text("Who lives next door").wait_for(timeout=PATIENCE)
    rest(tab)
    sent = len(tab.sent)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 40, y - 25, steps=8)
    held = state(tab)
    assert len(tab.sent) == sent
    moved = np.subtract(held["models"]["vae"]["z"], before["models"]["vae"]["z"])
    scale = tab.evaluate("A.vae.plane.scale")
    np.testing.assert_allclose(moved * scale, [-40, 25], atol=1.5)
    with torch.inference_mode():
        want = networks["vae"].pixels(torch.tensor([held["models"]["vae"]["z"]]))[0].numpy()
    assert np.abs(np.array(held["models"]["vae"]["picture"]) / 255 - want).max() <= STEP
    assert held["models"]["vae"]["numbers"][1:] == ["—", "—"]  # a place has no posterior
    for kind in ("ae", "dae", "cvae"):
        assert held["models"][kind] == before["models"][kind]
    tab.mouse.up()
    assert state(tab)["models"]["vae"]["picture"] == held["models"]["vae"]["picture"], "it stays where it was put"
    draw(tab, [(0.3, 0.5), (0.7, 0.5)])
    after = state(tab)
    assert after["models"]["vae"]["how"] == "at the mean"
    check_answers(networks, after)


def test_pulling_a_code_by_keyboard(visit):
    """Arrows carry the code, Escape gives it back."""
    tab = visit()
    before = state(tab)
    tab.evaluate("A.ae.plane.canvas.focus()")
    for _ in range(6):
        tab.keyboard.press("ArrowRight")
    moved = state(tab)
    dz = np.subtract(moved["models"]["ae"]["z"], before["models"]["ae"]["z"])
    assert dz[0] > 0 and dz[1] == pytest.approx(0, abs=1e-5)
    assert moved["models"]["ae"]["picture"] != before["models"]["ae"]["picture"]
    assert moved["models"]["dae"] == before["models"]["dae"]
    tab.wait_for_function("location.search.includes('pull=ae')")
    linked = state(visit(f"?{urlsplit(tab.url).query}"))["models"]  # "look what lies here" can be sent
    assert linked["ae"]["z"] == pytest.approx(moved["models"]["ae"]["z"], abs=1e-3)
    assert linked["dae"] == moved["models"]["dae"]
    tab.keyboard.press("Escape")
    assert state(tab)["models"] == before["models"]
    tab.wait_for_function("!location.search.includes('pull=')")


def test_resample_throws_a_new_epsilon(visit, networks):
    """z = μ + σ ε and its decoding, anew with each throw; a deterministic model has nothing to throw."""
    tab = visit()
    assert tab.evaluate(
        "[...S.root.querySelectorAll('[data-do=resample]')].map(b => b.closest('.card').dataset.kind)"
    ) == [
        "vae",
        "cvae",
    ]
    seen = []
    for _ in range(3):
        tab.evaluate("S.at('[data-kind=vae] [data-do=resample]').click()")
        got = state(tab)
        mean = np.array(got["models"]["vae"]["mean"])
        sigma = np.exp(0.5 * np.array(tab.evaluate("[...A.vae.code.logvar]")))
        z, eps = got["models"]["vae"]["z"], tab.evaluate("A.vae.thrown")
        np.testing.assert_allclose(z, mean + sigma * eps, atol=1e-5)
        with torch.inference_mode():
            want = networks["vae"].pixels(torch.tensor([z]))[0].numpy()
        assert np.abs(np.array(got["models"]["vae"]["picture"]) / 255 - want).max() <= STEP
        seen.append(tuple(z))
    assert len(set(seen)) == 3
    check_answers(networks, got, kinds=("ae", "dae", "cvae"))
    tab.evaluate("S.at('[data-kind=vae] .back').click()")
    check_answers(networks, state(tab))


def test_sampled_pixels_are_black_or_white(visit):
    """A probability is not a picture of data: the toggle draws every pixel from it, about as often as it says."""
    tab = visit()
    grey = np.array(state(tab)["models"]["ae"]["picture"]) / 255
    tab.evaluate("S.at('[data-set=sampled]').click()")
    drawn = np.array(state(tab)["models"]["ae"]["picture"]) / 255
    assert set(np.unique(drawn)) == {0.0, 1.0}
    spread = np.sqrt((grey * (1 - grey)).sum())
    assert abs(drawn.sum() - grey.sum()) < 5 * spread


# Spoiling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["masking", "gaussian"])
def test_a_spoilt_digit(visit, networks, kind):
    """The encoders get the noise as it is, the drawing is judged against the clean digit, and the words say so."""
    tab = visit()
    draw(tab)
    before = state(tab)
    tab.evaluate(
        """kind => {
            const menu = S.at("[data-set=kind]");
            menu.value = kind;
            menu.dispatchEvent(new Event("change"));
        }""",
        kind,
    )
    slide(tab, 0.5)
    got, seen = state(tab), tab.evaluate("[...S.spoilt]")
    assert got["clean"] == before["clean"] and seen != got["clean"]
    assert np.abs(np.array(got["tile"]) / 255 - seen).max() <= STEP  # what the models see is shown
    check_answers(networks, got, seen=seen)
    nats = {k: float(got["models"][k]["numbers"][0]) for k in ("ae", "dae", "vae")}
    near = [k for k in nats if nats[k] - min(nats.values()) < 1]
    words = "about equal" if len(near) > 1 else "brings it back best"
    assert got["badges"] == [words if k in near else "" for k in FAMILY]
    assert re.match(rf"The {FAMILY[near[0]].name}\b.* brings? it back ", got["verdict"])
    clean_codes = tab.evaluate("S.answers.map(a => [...a.original.mean])")
    np.testing.assert_allclose(clean_codes, [before["models"][k]["z"] for k in FAMILY], atol=1e-5)
    slide(tab, 0)
    assert state(tab)["models"] == before["models"]


# Links, pages, tabs -----------------------------------------------------------------------------------------


def test_a_link_restores_the_page(visit):
    """What a teacher sends is what the class sees: the drawing, the label and the noise."""
    tab = visit()
    draw(tab)
    tab.evaluate("S.at('[data-label=\"9\"]').click()")
    slide(tab, 0.3)
    tab.wait_for_function("location.search.includes('spoil=') && location.search.includes('label=9')")
    want, query = state(tab), urlsplit(tab.url).query
    assert len(parse_qs(query)["d"][0]) == 131
    got = state(visit(f"?{query}"))
    assert got["clean"] == want["clean"] and got["models"] == want["models"] and got["verdict"] == want["verdict"]


@pytest.mark.parametrize("query", ["?d=AAAA&label=12&spoil=fog:1", "?d=%00&label=x&spoil=masking:x&pull=ae:1;gan:0,0"])
def test_a_broken_link_opens_the_page_as_it_is(visit, query):
    """Links get cut in mails."""
    tab = visit(query)
    assert np.array_equal(state(tab)["clean"], page.bits(page.FIRST))
    assert tab.evaluate("[S.label, S.spoil.amount, S.answers.filter(a => a.pulled).length]") == [None, 0, 0]


def test_the_drawing_survives_a_visit_to_another_page(visit):
    """Component state dies with the page; the visitor's drawing must not."""
    tab = visit()
    draw(tab)
    drawn = state(tab)
    tab.locator('[data-testid="stSidebar"] a[href="Restore"]').click()
    tab.wait_for_function(
        "location.pathname.endsWith('/Restore') && !document.documentElement.dataset.studio", timeout=PATIENCE
    )
    tab.locator('[data-testid="stSidebar"] a').first.click()
    tab.wait_for_function(FIND, timeout=PATIENCE)
    again = state(tab)
    assert again["clean"] == drawn["clean"] and again["models"] == drawn["models"]


def test_two_tabs_do_not_meet(visit):
    """Two tabs of one browser share modules in its cache, and nothing else."""
    first = visit()
    second = visit()
    draw(first)
    first.get_by_text("Who lives next door").wait_for(timeout=PATIENCE)
    assert np.array_equal(state(second)["clean"], page.bits(page.FIRST))
    assert second.get_by_text("Who lives next door").count() == 0
    draw(second, [(0.5, 0.2), (0.5, 0.8)])
    assert state(first)["label"] == 7


def test_weights_that_were_cut_off_give_one_sentence(visit):
    """Not an empty box, and no half-working page."""
    whole = (ROOT / "static" / "registry.mjs").read_text(encoding="utf-8")
    cut = whole.replace("Model.fromSafetensors(bytes,", "Model.fromSafetensors(bytes.slice(0, 40000),")
    assert cut != whole
    tab = visit(
        wait=False,
        prepare=lambda tab: tab.route(
            "**/registry.mjs", lambda route: route.fulfill(body=cut, content_type="text/javascript")
        ),
    )
    alert = tab.get_by_role("alert").filter(has_text="The weights are cut off")
    alert.wait_for(timeout=PATIENCE)
    assert tab.locator("canvas").count() == 0 and tab.locator(".studio-first:visible").count() == 0


# Samples, replays, pictures ---------------------------------------------------------------------------------


def test_a_sample_is_the_digit_that_its_number_names(visit):
    """Shown as it is: a sample has MNIST's geometry, and is not centred again. The next stroke ends its name."""
    tab, samples, shown = visit(), data.load("digits", "test"), set()
    for _ in range(3):
        tab.evaluate("S.at('[data-do=sample]').click()")
        named = "() => /digit \\d+, an? \\d/.test(S.at('.note').textContent) && S.at('.note').textContent"
        text = tab.wait_for_function(named, timeout=PATIENCE).json_value()
        index, label = map(int, re.fullmatch(r"Scikit-learn digit (\d+), an? (\d)\.", text).groups())
        assert np.array_equal(state(tab)["clean"], (samples.images[index] >= 0.5).numpy())
        assert label == int(samples.labels[index])
        shown.add(index)
    assert len(shown) > 1
    draw(tab)
    assert tab.evaluate("S.at('.note')") is None
    tab.evaluate("""() => {  // a stroke begins before Python answers: the hand is not disturbed
        S.at("[data-do=sample]").click();
        window.asked = S.awaited;
        const { x, y } = S.pad.canvas.getBoundingClientRect();
        const init = { pointerId: 1, button: 0, clientX: x + 40, clientY: y + 40, bubbles: true };
        S.pad.canvas.dispatchEvent(new PointerEvent("pointerdown", init));
    }""")
    tab.wait_for_function("S.options.brought.id === asked", timeout=PATIENCE)
    assert tab.evaluate("[Boolean(S.pad.stroke), S.at('.note')]") == [True, None]


@pytest.mark.parametrize("name", ["3 → 8", "4 → 9", "1 → 7"])
def test_a_replay_keeps_its_promise(visit, name):
    """The button says what the digit becomes: the CVAE's own guess must agree."""
    tab = visit()
    tab.evaluate("name => S.at(`[data-replay='${name}']`).click()", name)
    assert state(tab)["label"] == int(name[-1])
    assert tab.evaluate("S.pad.state.example"), "the visitor's first stroke replaces it"


def test_a_replay_is_drawn_by_and_by(visit):
    """With motion allowed the strokes grow, and a touch ends them."""
    tab = visit(reduced_motion="no-preference")
    tab.evaluate(
        "() => { window.seen = new Set(); const paint = () => { seen.add(S.clean.reduce((a, b) => a + b));"
        " requestAnimationFrame(paint); }; paint(); S.at(\"[data-replay='4 → 9']\").click(); }"
    )
    tab.wait_for_function("S.pad.state.strokes.length === 3 && !S.pad.running", timeout=PATIENCE)
    assert tab.evaluate("seen.size") > 10
    assert state(tab)["label"] == 9
    tab.evaluate("S.at(\"[data-replay='1 → 7']\").click()")
    tab.wait_for_function("S.pad.running && S.pad.stroke", timeout=PATIENCE)
    draw(tab)
    assert tab.evaluate("[S.pad.running, S.pad.state.strokes.length]") == [None, 1]


def test_a_picture_becomes_the_digit(visit):
    """A photograph goes through Python's digitizer and comes back to the pad, with the steps below; then it can be
    drawn on. What is no picture gives one sentence, and the digit stays."""
    image = Image.new("L", (300, 260), 235)
    ImageDraw.Draw(image).line([(90, 60), (200, 60), (140, 210)], fill=30, width=14, joint="curve")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    want = np.rint(digitize(buffer.getvalue()).pixels * 255).reshape(784)
    tab = visit()
    chooser = tab.locator('input[type="file"][aria-label="Picture of a digit that you bring"]')
    chooser.set_input_files({"name": "seven.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    tab.wait_for_function("S.pad.state.picture", timeout=PATIENCE)
    got = state(tab)
    assert np.array_equal(got["clean"], want >= 127.5)
    assert got["label"] == 7
    tab.locator(".lse-step").first.wait_for(timeout=PATIENCE)
    chooser.set_input_files({"name": "letter.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    tab.wait_for_function("/not a picture/.test(S.at('.note')?.textContent)", timeout=PATIENCE)
    assert state(tab)["clean"] == got["clean"]
    draw(tab, [(0.2, 0.5), (0.8, 0.5)])
    assert state(tab)["clean"] != got["clean"]


def test_the_webcam(server, launch, tmp_path):
    """On a desktop a digit on paper is held up to the camera. It is asked for only on request, and let go at once."""
    paper = Image.new("L", (320, 240), 225)
    ImageDraw.Draw(paper).line([(110, 50), (210, 50), (150, 195)], fill=30, width=14, joint="curve")
    film = tmp_path / "seven.y4m"
    frame = b"FRAME\n" + paper.tobytes() + bytes([128]) * (320 * 240 // 2)
    film.write_bytes(b"YUV4MPEG2 W320 H240 F30:1 Ip A1:1 C420jpeg\n" + 30 * frame)
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    own = launch(*flags, f"--use-file-for-fake-video-capture={film}")
    try:
        tab = own.new_page(viewport=DESKTOP, reduced_motion="reduce")
        tab.add_init_script("""window.streams = []; const ask = navigator.mediaDevices.getUserMedia;
            navigator.mediaDevices.getUserMedia = async function (wish) {
                const stream = await ask.call(this, wish); streams.push(stream); return stream; };""")
        tab.goto(server, timeout=PATIENCE)
        tab.wait_for_function(FIND, timeout=PATIENCE)
        rest(tab)
        before = state(tab)["clean"]
        camera, seen = tab.get_by_role("button", name="Camera"), tab.get_by_label("What the camera sees")
        assert tab.evaluate("streams.length") == 0
        camera.click()
        seen.wait_for(timeout=PATIENCE)
        tab.keyboard.press("Escape")
        seen.wait_for(state="detached", timeout=PATIENCE)
        assert state(tab)["clean"] == before
        camera.click()
        tab.wait_for_function("S.at('.camera video')?.videoWidth > 0", timeout=PATIENCE)
        tab.get_by_role("button", name="Take the picture").click()
        tab.wait_for_function("S.pad.state.picture", timeout=PATIENCE)
        assert state(tab)["label"] == 7
        assert tab.evaluate("streams.map(s => s.getTracks().map(t => t.readyState))") == [["ended"], ["ended"]]
        assert seen.count() == 0
        camera.click()
        seen.wait_for(timeout=PATIENCE)
        tab.evaluate("S.at('[data-do=undo]').click()")  # another drawing stands there: nobody looks any more
        seen.wait_for(state="detached", timeout=PATIENCE)
        assert tab.evaluate("streams.at(-1).active") is False
    finally:
        own.close()


def test_the_reading_for_those_who_do_not_see(visit):
    """A screen reader hears the verdict, once the hand rests, and every picture has a name."""
    tab = visit()
    draw(tab)
    heard = "[...S.root.querySelectorAll('[aria-live]')].some(e => e.textContent.startsWith(S.at('.verdict').textContent))"
    tab.wait_for_function(f"/The CVAE, told that it is a 7/.test(S.at('.verdict').textContent) && {heard}")
    names = tab.evaluate("[...S.root.querySelectorAll('canvas')].map(c => c.getAttribute('aria-label'))")
    assert all(names) and len(names) == len(set(names))
    assert tab.evaluate("S.pad.canvas.tabIndex") == 0


def test_bits_are_those_of_the_link():
    """Python reads what the browser wrote, and says so where it cannot."""
    drawing = np.random.default_rng(0).integers(0, 2, 784)
    text = base64.urlsafe_b64encode(np.packbits(drawing).tobytes()).decode().rstrip("=")
    assert len(text) == 131 and np.array_equal(page.bits(text), drawing)
    with pytest.raises(ValueError, match="98 bytes"):
        page.bits(text[:80])
