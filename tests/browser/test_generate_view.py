"""Generate under a hand: other codes, a radius that is dragged, a drawing that becomes the digit of all pages."""

import numpy as np
import pytest
import torch
from hands import seen, soon
from playwright.sync_api import expect
from tabs import listening

from ui.parts.tiles import bits
from vae_core import checkpoints, data, latent, measures

SIZE = {"width": 1280, "height": 900}
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
VIEW = "[...document.querySelectorAll('*')].find((e) => e.generate)?.generate"
THERE = f"() => ({VIEW})?.cards.every(({{ model }}) => model)"
CARDS = ".generate .cards section"


@pytest.fixture
def visit(server, window):
    """Open Generate and wait until every network is there."""
    tabs = []

    def open_page(query: str = "", there: str = THERE, **options):
        tab = listening(window(**SIZE, **options).new_page())
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/Generate?{query}")
        tab.wait_for_function(there)
        tab.wait_for_selector(READY)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def painted(tab, card: int = 0) -> np.ndarray:
    """Pixels of a model's drawings, (n, 784) in [0, 1]."""
    red = "Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)"
    canvases = tab.locator(CARDS).nth(card).locator("canvas")
    return np.array(canvases.evaluate_all(f"cs => cs.map((c) => {red})"), np.float32) / 255


def test_other_codes_are_drawn_at_a_press_and_a_link_draws_them_again(visit):
    """The server hears nothing of a press; the seed stands in the link, and the same seed draws the same."""
    tab = visit()
    expect(tab.locator(CARDS)).to_have_count(4)
    before, sent = painted(tab), len(tab.sent)
    assert before.shape == (20, 784) and len(np.unique(before, axis=0)) == 20
    tab.get_by_role("button", name="Resample").click()
    tab.wait_for_function("() => location.search.includes('seed=1')")
    after = painted(tab)
    assert not np.array_equal(before, after) and len(tab.sent) == sent
    expect(tab.locator(".generate [aria-live]")).to_have_text("Other codes are drawn: draw 2.")
    again = visit("seed=1")
    soon(lambda: np.array_equal(painted(again), after) and not np.array_equal(painted(again, 1), after), True)
    assert not tab.wrong and not again.wrong


def test_a_view_that_was_left_while_its_networks_came_keeps_its_seed_to_itself(visit):
    """Who switches parts on a slow line and presses Resample finds that draw again, not the one before it."""
    tab = visit()
    seeds = tab.evaluate(
        f"""async () => {{
            const {{ models }} = ({VIEW}).options, real = window.fetch;
            const {{ mount }} = await import(new URL("app/static/views/generate/generate.mjs", document.baseURI).href);
            const view = (models) => {{
                const root = document.createElement("div");
                document.body.append(root);
                return mount(root, {{ data: {{ options: JSON.stringify({{ part: "draws", models }}) }} }});
            }};
            let here;
            const line = new Promise((done) => (here = done)), ready = Promise.resolve();
            window.fetch = (...asked) => (String(asked[0]).endsWith("#slow") ? line : ready).then(() => real(...asked));
            const slow = models.map((about) =>
                ({{ ...about, network: {{ ...about.network, weights: about.network.weights + "#slow" }} }}));
            const left = await view(slow);
            left.destroy();
            const now = await view(models);
            now.root.querySelector("button.main").click();
            here();
            await Promise.all([left.started, now.started]);
            window.fetch = real;
            now.destroy();
            const next = await view(models);
            next.destroy();
            return [now.state.seed, next.state.seed];
        }}"""
    )
    assert seeds == [1, 1] and not tab.wrong


def test_several_gaussians_fitted_to_the_codes_draw_other_digits(visit):
    """The source travels to the browser: an AE's drawings of N(0, I) are not those of ten Gaussians of its codes."""
    tab = visit()
    before = painted(tab)
    tab.locator(".st-key-generate_source").get_by_text("Several Gaussians").click()
    note = tab.locator(CARDS).first.locator(".note")
    share = checkpoints.read_card("mnist-ae-20d")["generation"]["rows"]["mixture 10"]["digit"]
    expect(note).to_contain_text(f"{share:.1%} are digits", timeout=PATIENCE)
    soon(lambda: not np.array_equal(painted(tab), before), True)
    assert not tab.wrong


def test_a_radius_is_dragged_and_at_none_each_model_draws_yours_back(visit):
    """At 0 all nine are Python's reconstruction; farther out they part, and the server is not asked."""
    tab = visit("generate_part=Near yours&digit=digits:5")
    slider = tab.get_by_label("Radius in σ")
    sent = len(tab.sent)
    slider.press("Home")
    expect(tab.locator(".generate .radius output")).to_have_text("0.0 σ")
    x = data.load("digits", "test").images[5:6]
    model, _ = checkpoints.load("mnist-ae-20d")
    expected = latent.decode(model, latent.embed(model, x).mean).numpy()
    soon(lambda: np.abs(painted(tab) - expected).max() < 0.01, True)
    slider.press("End")
    expect(tab.locator(".generate .radius output")).to_have_text("8.0 σ")
    soon(lambda: len(np.unique(painted(tab), axis=0)), 9)
    assert len(tab.sent) == sent
    tab.wait_for_function("() => location.search.includes('radius=8')")
    assert not tab.wrong


@pytest.mark.parametrize("touch", [False, True])
def test_a_drawing_that_is_pressed_is_the_digit_of_all_pages(visit, touch):
    """With the mouse and with a finger; the link then holds its bits."""
    tab = visit("", has_touch=touch)
    tile = tab.locator(CARDS).nth(2).locator(".drawings button").nth(4)
    pixels = painted(tab, 2)[4]
    tile.tap() if touch else tile.click()
    expect(tab.locator(".generate .reading")).to_contain_text("This drawing of the VAE is your digit now")
    tab.wait_for_function("() => new URLSearchParams(location.search).has('d')")
    text = tab.evaluate("() => new URLSearchParams(location.search).get('d')")
    assert np.array_equal(bits(text), (pixels >= 0.5).astype(np.float32))
    tab.locator(".st-key-generate_part").get_by_text("Near yours").click()
    expect(seen(tab, "A drawing of the VAE.")).to_be_visible(timeout=PATIENCE)
    assert not tab.wrong


DENSITIES = "[...document.querySelectorAll('*')].find((e) => e.densities)?.densities"
ALL = f"() => ({DENSITIES})?.accounts.every(({{ model }}) => model)"
PRIOR = "generate_part=Prior and posterior"


def picture(tab, k: int) -> np.ndarray:
    """Pixels of one of the VAE's three planes, as they are painted."""
    canvas = tab.locator(".densities section").first.locator(".plane canvas").nth(k)
    read = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    return np.array(canvas.evaluate(read), np.uint8)


def test_more_images_fill_the_holes(visit):
    """Pressed, N changes the posterior, the difference and every number, and stands in the link; the prior stays, and
    the server hears nothing."""
    tab = visit(PRIOR, ALL)
    section = tab.locator(".densities section").first
    kept = checkpoints.read_card("mnist-vae-2d")["posterior"]
    rows, reach = list(kept["rows"].values()), kept["reach"]
    expect(section.locator(".note")).to_contain_text(f"{rows[1]['holes']:.0%} of the prior lies in holes")
    before, sent = [picture(tab, k) for k in range(3)], len(tab.sent)
    tab.get_by_role("button", name="1,000 test images").click()
    expect(section.locator(".note")).to_contain_text(f"{rows[0]['holes']:.0%} of the prior lies in holes")
    # Of so few images q(z) is eight times as high as the prior; what is read there is its height, and what it makes.
    pictures, account = measures.densities("mnist-vae-2d"), f"({DENSITIES}).accounts[0]"
    at = np.unravel_index(int(pictures["q"][0].argmax()), (128, 128))
    z = [(float(k) + 0.5) / 64 * reach - reach for k in at]
    tab.evaluate(f"(z) => {{ const a = {account}; a.hover = z; a.looked(a); }}", z)
    p, q = float(pictures["prior"][at]), float(pictures["q"][0][at])
    expect(section.locator(".here p")).to_contain_text(f", q {q:.3f}, {'a leak' if p < q / 10 else 'no'}")
    tab.get_by_role("button", name="60,000 training images").click()
    expect(section.locator(".note")).to_contain_text(f"KL(q(z) ‖ p) {rows[3]['divergence']:.2f}")
    tab.wait_for_function("() => location.search.includes('images=60000')")
    tab.wait_for_function(f"() => !({DENSITIES}).accounts[0].planes.some((p) => p.frame)")
    after = [picture(tab, k) for k in range(3)]
    assert not np.array_equal(before[1], after[1]) and not np.array_equal(before[2], after[2])
    assert len(tab.sent) == sent and not tab.wrong


@pytest.mark.parametrize("touch", [False, True])
def test_a_place_that_is_looked_at_is_told_and_decoded(visit, touch):
    """By mouse, finger and key; marked on all three planes, with both densities and what the model draws there."""
    tab = visit(PRIOR, ALL, has_touch=touch)
    section = tab.locator(".densities section").first
    box = section.locator(".plane").nth(2).bounding_box()
    x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"]
    tab.touchscreen.tap(x, y) if touch else tab.mouse.move(x, y)
    reach = checkpoints.read_card("mnist-vae-2d")["posterior"]["reach"]
    place = [0.4 * reach, 0.4 * reach]
    expect(section.locator(".here p")).to_contain_text(f"z +{place[0]:.2f}, +{place[1]:.2f}: p 0.0")
    z = np.array(tab.evaluate(f"() => ({DENSITIES}).accounts[0].planes.map((p) => p.markers.get('here').z)"))
    assert np.abs(z - place).max() < 0.03
    model, _ = checkpoints.load("mnist-vae-2d")
    expected = latent.decode(model, torch.tensor(z[:1], dtype=torch.float32))[0].numpy()
    red = "c => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)"
    shown = np.array(section.locator(".here canvas").evaluate(red), np.float32) / 255
    assert np.abs(shown - expected).max() < 0.01
    section.locator(".plane canvas").nth(1).press("Home")
    expect(section.locator(".here p")).to_contain_text("z +0.00, +0.00: p 0.15")
    assert not tab.wrong
