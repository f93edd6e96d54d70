"""Restore under a hand: what is painted against Python of the same seed, and what Python hears of it."""

import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hands import seen, soon
from playwright.sync_api import expect
from tabs import listening

from ui.views.restore.rivals import spoil
from vae_core import checkpoints, data, latent, measures, metrics
from vae_core.corruption import CORRUPTIONS

DESKTOP, TABLET, PHONE = ({"width": w, "height": h} for w, h in ((1280, 900), (820, 1000), (390, 844)))
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds
STEP = 0.003  # half a grey level of 255, and the single precision before it
VIEW = "[...document.querySelectorAll('*')].find((e) => e.restore)?.restore"
THERE = f"() => ({VIEW})?.members.length && ({VIEW}).members.every(({{ model }}) => model) && ({VIEW}).heard"
RED = "c => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data).filter((_, i) => i % 4 === 0)"
SLIDER = ".restore input[type=range]"
CLEAN, SPOILT, MEDIAN, RIDGE, AE, DAE, VAE, CVAE = range(8)


@pytest.fixture
def visit(server, window):
    """Open Restore and wait until every network is there; `tab.sent` are the frames that left for the server."""
    tabs = []

    def open_page(
        query: str = "", size: dict[str, int] = DESKTOP, *, touch: bool = False, route=None, wait: str = THERE
    ):
        tab = listening(window(**size, has_touch=touch).new_page())
        tabs.append(tab)
        tab.set_default_timeout(PATIENCE)
        if route:
            tab.route(*route)
        tab.goto(f"{server}/Restore?{query}")
        if wait:
            tab.wait_for_function(wait)
        tab.wait_for_selector(f"{READY} .lse-numbers")
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def view(tab, what: str):
    return tab.evaluate(f"({VIEW}).{what}")


def painted(tab) -> np.ndarray:
    """Pixels of every tile, (n, 784) in [0, 1]."""
    return np.array(tab.locator(".restore .tiles canvas").evaluate_all(f"cs => cs.map({RED})"), np.float32) / 255


def parameter(tab, name: str) -> str | None:
    return parse_qs(urlsplit(tab.url).query).get(name, [None])[0]


def clean(index: int) -> tuple[torch.Tensor, int]:
    images, labels = data.load("digits", "test")
    return (images[index : index + 1] >= 0.5).float(), int(labels[index])


def drawn(slug: str, x: torch.Tensor, label: int) -> np.ndarray:
    model, _ = checkpoints.load(slug)
    y = torch.tensor([label]) if model.conditional else None
    return latent.decode(model, latent.encode_as_is(model, x, y).mean, y)[0].numpy()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_what_is_painted_is_what_python_computes_of_the_same_seed(visit, kind):
    """Otherwise the numbers in the tables are of another picture than the one above them."""
    amount = round(0.61 * CORRUPTIONS[kind].limit, 3)
    tab = visit(f"spoil_kind={kind}&spoil_{kind}={amount}&spoil_seed=3&digit=digits:12")
    x, label = clean(12)
    spoilt = spoil(x, kind, amount, 3)
    shown = painted(tab)
    np.testing.assert_allclose(shown[CLEAN], x[0], atol=STEP)
    np.testing.assert_allclose(shown[SPOILT], spoilt[0], atol=STEP)
    row = tab.locator(".lse-numbers").first.locator("tr")
    size = int(row.nth(2).locator("td").first.inner_text()[-1])
    np.testing.assert_allclose(shown[MEDIAN], metrics.median_filter(spoilt, size)[0], atol=STEP)
    assert not shown[RIDGE].any()
    for place, name in ((AE, "ae"), (DAE, "dae"), (VAE, "vae"), (CVAE, "cvae")):
        np.testing.assert_allclose(shown[place], drawn(f"mnist-{name}-20d", spoilt, label), atol=STEP)
        psnr = row.nth(place).locator("td").nth(3).inner_text()
        expect(tab.locator(".restore figcaption small").nth(place)).to_have_text(
            re.compile(rf"^{re.escape(psnr)} dB, ")
        )
    assert tab.wrong == []


def test_the_pictures_follow_in_the_same_task_and_python_hears_once(visit):
    """A picture that comes a frame later lags behind the hand; a message for each step would make the server do so."""
    tab = visit("digit=digits:12")
    opened, sent = painted(tab), len(tab.sent)
    now = tab.evaluate(
        f"""() => {{
            const {{ range, members, tiles }} = {VIEW};
            range.value = "0.3";
            range.dispatchEvent(new Event("input"));
            const shown = [tiles.spoilt, tiles.median, ...members.map(({{ tile }}) => tile)];
            return shown.map(({{ canvas }}) => ({RED})(canvas));
        }}"""
    )
    x, _ = clean(12)
    np.testing.assert_allclose(np.array(now[0]) / 255, spoil(x, "masking", 0.3, 0)[0], atol=STEP)
    others = [SPOILT, MEDIAN, AE, DAE, VAE, CVAE]
    assert all(np.abs(np.array(one) / 255 - opened[i]).max() > 0.1 for one, i in zip(now, others, strict=True))

    box = tab.locator(SLIDER).bounding_box()
    y = box["y"] + box["height"] / 2
    places = [box["x"] + 9 + share * (box["width"] - 18) for share in (0.4286, 0.6, 0.75, 0.9)]
    tab.mouse.move(places[0], y)
    tab.mouse.down()
    amounts = []
    for x in places[1:]:
        tab.mouse.move(x, y, steps=8)
        amounts.append(view(tab, "amount"))
    assert amounts == sorted(amounts) and amounts[-1] == 0.63
    assert len(tab.sent) == sent  # not a frame
    expect(tab.locator("html")).to_have_attribute("data-moved", "")  # the tables are of the place before
    tab.mouse.up()
    tab.wait_for_function(f"() => ({VIEW}).heard")
    nearest = "0.63 was not measured: these are of 0.6, the nearest that was (of two the lesser)."
    expect(seen(tab, nearest)).to_be_visible()
    expect(tab.locator("html")).not_to_have_attribute("data-moved", "")
    assert len(tab.sent) == sent + 1
    tab.wait_for_url(re.compile("spoil_masking=0.63"))
    assert tab.wrong == []


def test_a_pointer_near_a_mark_is_on_it_and_there_the_regression_draws(visit):
    """Otherwise nobody's hand finds the one amount of which the fair rival has a picture."""
    tab = visit("digit=digits:12&spoil_masking=0.2")
    note = tab.locator(".restore figcaption").nth(RIDGE)
    expect(note).to_contain_text("kept for 0.5 only")
    box = tab.locator(SLIDER).bounding_box()
    tab.mouse.click(box["x"] + 9 + (0.5 / 0.7 + 0.012) * (box["width"] - 18), box["y"] + box["height"] / 2)
    tab.wait_for_function(f"() => ({VIEW}).amount === 0.5 && ({VIEW}).heard")
    restored = measures.load_ridges()["masking"](spoil(clean(12)[0], "masking", 0.5, 0))
    soon(lambda: np.testing.assert_allclose(painted(tab)[RIDGE], restored[0], atol=STEP))
    expect(note).to_contain_text("dB")
    tab.get_by_label("Corruption").select_option("blur")
    expect(note).to_contain_text("not kept here")
    expect(tab.get_by_role("button", name="Spoil again")).to_be_disabled()
    expect(seen(tab, "Blur has no chance in it")).to_be_visible()


def test_the_keyboard_steps_finely_and_from_mark_to_mark(visit):
    """Otherwise the page is closed to whoever uses no pointer, or a key sends the server a message each."""
    tab = visit("digit=digits:12&spoil_kind=blur&spoil_blur=1")
    slider, sent = tab.locator(SLIDER), len(tab.sent)
    for key, amount, words in (
        ("ArrowRight", 1.05, "1.05, not measured"),
        ("PageUp", 1.5, "1.5, measured on test digits"),
        ("PageUp", 2, "2, measured on test digits"),
        ("ArrowLeft", 1.95, "1.95, not measured"),
        ("PageDown", 1.5, "1.5, measured on test digits"),
        ("End", 3, "3, measured on test digits"),
        ("Home", 0, "0, not measured"),
        ("ArrowDown", 0, "0, not measured"),
        ("ArrowUp", 0.05, "0.05, not measured"),
    ):
        slider.press(key)
        soon(lambda: view(tab, "amount"), amount)
        expect(slider).to_have_attribute("aria-valuetext", words)
    tab.wait_for_function(f"() => ({VIEW}).heard")
    tab.wait_for_url(re.compile("spoil_blur=0.05"))
    assert len(tab.sent) - sent <= 2
    expect(slider).to_have_accessible_name("σ in pixels")
    expect(tab.locator(".restore [aria-live]")).to_have_text(
        re.compile(r"^Blur 0\.05\. AE [\d.]+ dB, .*CVAE [\d.]+ dB")
    )


def test_where_nothing_is_spoilt_nothing_is_measured(visit):
    """A squared error of 0 has no decibels: a large number in their place would look like a result."""
    tab = visit("spoil_kind=masking&digit=digits:12")
    note = tab.locator(".restore .tile").nth(SPOILT).locator("small")
    expect(note).to_contain_text("dB")
    tab.locator(SLIDER).press("Home")
    expect(note).to_have_text("nothing spoilt")
    shown = painted(tab)
    assert np.array_equal(shown[SPOILT], shown[CLEAN])


def test_a_finger_spoils_on_a_phone(visit):
    """Otherwise the page scrolls under the finger, or is wider than the phone."""
    tab = visit("digit=digits:12", PHONE, touch=True)
    slider = tab.locator(SLIDER)
    slider.scroll_into_view_if_needed()
    scrolled = "() => document.querySelector('[data-testid=stMain]').scrollTop"
    before, opened, box = tab.evaluate(scrolled), painted(tab), slider.bounding_box()
    client = tab.context.new_cdp_session(tab)
    at = [{"x": box["x"] + u * box["width"], "y": box["y"] + box["height"] / 2} for u in (0.714, 0.6, 0.4, 0.2)]
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for point in at[1:]:
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    tab.wait_for_function(f"() => ({VIEW}).amount < 0.2 && ({VIEW}).heard")
    soon(lambda: np.abs(painted(tab)[AE] - opened[AE]).max() > 0.3, True)
    tab.wait_for_url(re.compile("spoil_masking=0.1"))
    soon(lambda: tab.evaluate(scrolled), before)
    soon(lambda: tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, True)
    tiles = tab.locator(".restore .tiles canvas").evaluate_all("cs => cs.map(c => c.getBoundingClientRect().width)")
    assert max(tiles) - min(tiles) < 0.6 and min(tiles) > 75


def test_a_link_gives_the_same_picture_elsewhere_and_a_hostile_one_the_default(visit):
    """Otherwise a teacher sends an address, and the class sees other noise."""
    tab = visit("digit=digits:12&spoil_kind=gaussian")
    tab.locator(SLIDER).press("ArrowRight")
    for _ in range(3):
        tab.get_by_role("button", name="Spoil again").click()
    tab.get_by_label("Label that the CVAE is told").select_option("3")
    tab.wait_for_function(f"() => ({VIEW}).heard")
    tab.wait_for_url(re.compile("spoil_told=cvae"))
    soon(
        lambda: [parameter(tab, name) for name in ("spoil_gaussian", "spoil_seed", "spoil_told")],
        ["0.51", "3", "cvae:3"],
    )
    spoilt = spoil(clean(12)[0], "gaussian", 0.51, 3)
    soon(lambda: np.testing.assert_allclose(painted(tab)[CVAE], drawn("mnist-cvae-20d", spoilt, 3), atol=STEP))
    other = visit(urlsplit(tab.url).query)
    soon(lambda: np.testing.assert_array_equal(painted(other), painted(tab)))
    expect(seen(other, "The CVAE is told the label, 3 (as you chose).")).to_be_visible()
    default = visit("digit=digits:12")
    hostile = visit("digit=digits:12&spoil_kind=fog&spoil_masking=1e9&spoil_seed=-1&spoil_told=cvae:x")
    soon(lambda: np.testing.assert_array_equal(painted(default), painted(hostile)))


def test_what_was_left_is_there_after_another_page(visit):
    tab = visit("digit=digits:12")
    tab.locator(SLIDER).press("PageDown")
    tab.wait_for_function(f"() => ({VIEW}).heard")
    expect(seen(tab, "Masking at 0.4. Nearest on average")).to_be_visible()
    left = painted(tab)
    tab.locator('[data-testid="stSidebar"] a[href="Styles"]').click()
    tab.wait_for_selector(f"{READY} h1:has-text('Styles')")
    tab.locator('[data-testid="stSidebar"] a[href="Restore"]').click()
    tab.wait_for_function(THERE)
    soon(lambda: np.testing.assert_array_equal(painted(tab), left))
    tab.get_by_role("button", name="Another").click()
    tab.wait_for_function(f"() => ({VIEW}).options.digit.name.endsWith(' 13')")
    soon(lambda: np.testing.assert_allclose(painted(tab)[SPOILT], spoil(clean(13)[0], "masking", 0.4, 0)[0], atol=STEP))


def test_models_that_were_added_stand_beside_the_family(visit):
    """Otherwise a model of one's own is compared nowhere, or is told another data set's labels."""
    tab = visit("digit=digits:12&spoil_dim=2&spoil_cast=dae~digits-cvae-2d~mnist-vae-2d-gaussian")
    x, label = clean(12)
    spoilt = spoil(x, "masking", 0.5, 0)
    theirs = [drawn(slug, spoilt, label) for slug in ("mnist-dae-2d", "mnist-vae-2d-gaussian", "digits-cvae-2d")]
    soon(lambda: np.testing.assert_allclose(painted(tab)[4:7], theirs, atol=STEP))
    expect(tab.get_by_label("Label that the CVAE digits is told").locator("option")).to_have_count(11)


@pytest.mark.parametrize("size", [DESKTOP, TABLET, PHONE], ids=["desktop", "tablet", "phone"])
def test_nothing_jumps_when_the_view_comes(visit, size):
    """The boxes that stand until then must be as high as those that come."""
    held = []
    tab = visit(
        "digit=digits:12", size, route=("**/views/restore.mjs", lambda route: held.append(route)), wait="() => true"
    )
    tab.wait_for_function(
        "() => [...document.querySelectorAll('*')].some((e) => e.shadowRoot?.querySelector('.restore'))"
    )
    box, below = tab.locator(".view.restore"), tab.get_by_role("heading", name="This digit")
    tab.evaluate("document.fonts.ready")
    before, far = box.bounding_box(), below.bounding_box()["y"] - box.bounding_box()["y"]
    for route in held:
        route.continue_()
    tab.wait_for_function(THERE)
    soon(lambda: box.bounding_box()["height"], pytest.approx(before["height"], abs=1))
    # What stands above is Streamlit's, and comes by itself.
    soon(lambda: below.bounding_box()["y"] - box.bounding_box()["y"], pytest.approx(far, abs=1))


def test_a_network_that_does_not_come_leaves_the_others(visit):
    """Otherwise one broken download takes the page; the sentence says which it was."""
    there = f"() => ({VIEW})?.members.filter(({{ model }}) => model).length === 3 && !({VIEW}).alert.hidden"
    tab = visit("digit=digits:12", route=("**/mnist-dae-20d/**", lambda route: route.fulfill(status=404)), wait=there)
    expect(tab.locator(".restore [role=alert]")).to_have_text(re.compile("The network mnist-dae-20d did not come"))
    expect(tab.locator(".restore figcaption").nth(DAE)).to_contain_text("did not come")
    shown = painted(tab)
    assert not shown[DAE].any() and shown[AE].any() and shown[CVAE].any()
    tab.locator(SLIDER).press("PageUp")
    soon(lambda: np.abs(painted(tab)[AE] - shown[AE]).max() > 0.1 and not painted(tab)[DAE].any(), True)
    assert tab.wrong == []


def test_the_old_address_of_denoising_opens_it_here_in_its_state(server, browser):
    """Links in somebody's notes must go on working, with what they hold."""
    context = browser.new_context(viewport=DESKTOP)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server}/Inside_the_bound?part=Denoising&denoising_kind=gaussian&denoising_length=5&digit=digits:12")
    expect(tab.get_by_role("heading", name="One digit, L corruptions")).to_be_visible(timeout=PATIENCE)
    expect(tab.locator("h1")).to_have_text("Restore")
    expect(tab.locator(".st-key-denoising_kind input")).to_have_value("Gaussian noise")
    expect(seen(tab, re.compile("^These 5: "))).to_be_visible()
    assert urlsplit(tab.url).path == "/Restore" and "part=Denoising" not in tab.url.replace("spoil_part", "")
    tab.get_by_role("radio", name="Try it").click()
    tab.wait_for_function(THERE)
    context.close()
