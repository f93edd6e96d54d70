"""The part "Posterior" under a hand in a real browser: its nats against Python's, and what Python hears of it."""

import base64
import functools
import json
import math
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hands import soon
from playwright.sync_api import expect
from scipy.special import expit
from tabs import serve_files

from ui.live import cast, networks
from ui.parts import scatter
from ui.parts.digit import Chosen
from ui.views.bound import posterior as part
from ui.views.bound.posterior import Found
from vae_core import checkpoints, data, likelihood
from vae_core.models import Code

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://bound.test/"  # answered from the disk
CLEAR, TWO = 0, 14  # samples whose posterior has one mode, and two
CLOSE = 0.02  # nats; eight nodes against twelve, single precision
SLUGS = {None: "mnist-vae-2d", "label": "mnist-cvae-2d"}

SETUP = """async (options) => {
    window.registry = await import("./static/engine/registry.mjs");
    if (!options) return;
    const host = document.body.appendChild(document.createElement("div"));
    host.attachShadow({mode: "open"});
    window.component = {data: {options}};  // it says nothing to Python: whoever did would find no `setStateValue`
    const {mount} = await import("./static/views/bound/posterior.mjs");
    await mount(host.shadowRoot, component);
    window.view = host.shadowRoot.querySelector(".view").view;
    window.frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())));
    await frames();
}"""


def network(slug: str) -> dict:
    """What the app says of a network, with the addresses of a plain file server."""
    files = {name: f"checkpoints/{slug}/{name}.safetensors" for name in ("weights", "codes")}
    return networks.network(slug) | files


def as_sent(told: dict) -> str:
    return json.dumps(told | {"network": network(told["slug"])})


@functools.cache
def picture(i: int, slug: str = SLUGS[None], steps: int = 12) -> dict:
    """What Python tells the view of sample i, with climbs from the encoder's q and from the prior."""
    model, split = checkpoints.load(slug)[0], data.load("digits", "test")
    x, label = split.images[i], int(split.labels[i]) if model.conditional else None
    y = None if label is None else torch.tensor([label])
    with torch.inference_mode():
        code = Code(*(part.clone() for part in model.encode(model.observe(x)[None], y)))
    start = Code(*(torch.cat([part, torch.zeros(1, 2)]) for part in code))
    climb = likelihood.climb(model, x, start, label, steps=steps)
    chosen = Chosen(x.numpy(), label, f"sample {i}", "digits", i)
    extent = scatter.extent(checkpoints.load_codes(slug)["test_mean"].numpy())
    names = ("from the encoder", "from the prior")
    posterior = likelihood.posterior(model, x, label)
    ledger = likelihood.ledger(model, x, label, code, posterior)
    ends = [Code(mean[None], logvar[None]) for mean, logvar in zip(*climb.end, strict=True)]
    reached = tuple(likelihood.settled_elbo(model, x, end, label) for end in ends)
    ladder = likelihood.ladder(model, x[None], None if label is None else torch.tensor([label]))
    found = Found(code, posterior, ledger, climb, names, reached, ladder)
    return part.options(cast.standing(slug), chosen, label, found, extent)


def elbo(told: dict, mean, logvar, nodes: int = 12, **_) -> float:
    model = checkpoints.load(told["slug"])[0]
    code = Code(torch.tensor([mean], dtype=torch.float32), torch.tensor([logvar], dtype=torch.float32))
    y = None if told["label"] is None else torch.tensor([told["label"]])
    with torch.inference_mode():
        return float(likelihood.elbo(model, pixels(told)[None], code, y, nodes))


def pixels(told: dict) -> torch.Tensor:
    grey = np.frombuffer(base64.b64decode(told["digit"]["pixels"]), np.uint8)
    return torch.tensor(grey / np.float32(255))


@pytest.fixture
def visit(browser):
    """visit(options or None, query, **context) → a page with the view mounted as `view`."""
    contexts = []

    def open_page(told: dict | None, query: str = "", **settings):
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
        page.evaluate(SETUP, told and as_sent(told))
        return page

    yield open_page
    for context in contexts:
        wrong = [error for page in context.pages for error in page.wrong]
        context.close()
        assert wrong == []


def number(page, selector: str) -> float:
    """A number of the account, as soon as what was done before is drawn: the view draws once a frame."""
    page.evaluate("frames()")
    return float(page.locator(selector).inner_text().replace("−", "-"))


def q_of(page) -> tuple[list[float], list[float]]:
    q = page.evaluate("view.q")
    return q["mean"], q["logvar"]


def on_screen(page, plane: str, marker: str) -> tuple[float, float]:
    """Where a marker of a map lies in the window."""
    return tuple(
        page.evaluate(
            """([plane, marker]) => {
                const {canvas, markers} = view[plane];
                const box = canvas.getBoundingClientRect();
                const [x, y] = view[plane].toScreen(markers.get(marker).z);
                return [box.left + x, box.top + y];
            }""",
            [plane, marker],
        )
    )


def drag(page, at, by) -> None:
    """The mouse from a place by so many pixels, without letting go."""
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + by[0], at[1] + by[1], steps=6)
    page.evaluate("frames()")


# The bound ------------------------------------------------------------------------------------------------------------


def test_the_rule_is_gauss_hermite(visit):
    """A mistyped node or weight would bend every ELBO by an amount that no one could see."""
    eps, weight = visit(None).evaluate(
        "import('./static/maths/bound.mjs').then(({GRID}) => [[...GRID.eps], [...GRID.weight]])"
    )
    nodes, share = np.polynomial.hermite_e.hermegauss(8)
    expected = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2)
    order = np.lexsort(np.reshape(eps, (-1, 2)).T)
    np.testing.assert_allclose(np.reshape(eps, (-1, 2))[order], expected[np.lexsort(expected.T)], atol=1e-12)
    both = np.outer(share, share).ravel() / share.sum() ** 2
    np.testing.assert_allclose(np.array(weight)[order], both[np.lexsort(expected.T)], atol=1e-14)


@pytest.mark.parametrize("slug", SLUGS.values())
def test_every_number_is_pythons_and_none_crosses_the_line(visit, slug):
    """Otherwise the hand is told of nats that are not there, or sees the ELBO above log p(x)."""
    told = picture(CLEAR, slug)
    random = np.random.default_rng(0)
    mean, logvar = np.array(told["q"]["mean"]), np.array(told["q"]["logvar"])
    sigma = np.exp(logvar / 2)
    codes = [(mean, logvar)]
    codes += [(mean + 2 * sigma * random.normal(size=2), logvar + random.normal(size=2)) for _ in range(12)]
    codes = [[part.tolist() for part in code] for code in codes]
    page = visit(None)
    found = page.evaluate(
        """async ([{digit, label}, codes, network]) => {
            const {Bound} = await import("./static/maths/bound.mjs");
            const {pixelsOf} = await import("./static/parts/controls.mjs");
            const model = await registry.model(network);
            const bound = new Bound(model, model.observe(pixelsOf(digit)), label);
            return codes.map(([mean, logvar]) => ({...bound.at({mean, logvar}), cost: [...bound.cost]}));
        }""",
        [told, codes, network(slug)],
    )
    model, x = checkpoints.load(slug)[0], pixels(told)
    y = None if told["label"] is None else torch.tensor([told["label"]])
    for (mean, logvar), got in zip(codes, found, strict=True):
        assert got["elbo"] == pytest.approx(elbo(told, mean, logvar, nodes=8), abs=0.005)
        far = told["log_p"] - got["elbo"]  # where the nats are many, the ends of a wide q lie on rough ground
        assert got["elbo"] == pytest.approx(elbo(told, mean, logvar), abs=CLOSE + 0.001 * far)
        assert got["elbo"] <= told["log_p"] + CLOSE
        kl = [0.5 * (m * m + math.exp(v) - v - 1) for m, v in zip(mean, logvar, strict=True)]
        assert got["kl"] == pytest.approx(kl, abs=1e-9)
        with torch.inference_mode():
            logits = model.decode(torch.tensor([mean], dtype=torch.float32), y)[0].double().numpy()
        seen = model.observe(x).numpy()
        cost = -np.log(np.where(seen > 0.5, expit(logits), expit(-logits)))
        np.testing.assert_allclose(got["cost"], cost, atol=1e-3)
        assert got["atMean"] == pytest.approx(cost.sum(), abs=CLOSE)


@pytest.mark.parametrize("slug", SLUGS.values())
def test_the_account_adds_up_as_it_opens(visit, slug):
    """log p(x) = ELBO + gap is the page's one sentence: three numbers that do not add up would refute it."""
    told = picture(CLEAR, slug)
    page = visit(told)
    exact, bound, gap = (number(page, f".sum .{name} b") for name in ("evidence", "elbo", "gap"))
    assert exact == pytest.approx(told["log_p"], abs=0.006)
    assert bound == pytest.approx(elbo(told, **told["q"]), abs=CLOSE)
    assert exact == pytest.approx(bound + gap, abs=0.011)
    rows = {name: number(page, f"tr.{name} td:not(.quiet)") for name in ("reconstruction", "kl0", "kl1", "nelbo")}
    assert rows["nelbo"] == pytest.approx(-bound, abs=0.011)
    assert rows["nelbo"] == pytest.approx(rows["reconstruction"] + rows["kl0"] + rows["kl1"], abs=0.021)
    # The bar ends where the number says, the line stands where it ends at no gap.
    line, end = (page.locator(f".track {part}").bounding_box() for part in (".wall", ".filled"))
    track = page.locator(".track").bounding_box()
    share = (line["x"] - end["x"] - end["width"]) / (line["x"] - track["x"])
    assert share == pytest.approx(math.asinh(gap / 0.1) / math.asinh(30000), abs=0.01)


# The hand -------------------------------------------------------------------------------------------------------------


def test_mu_follows_the_mouse_and_the_link_hears_when_it_lets_go(visit):
    """Otherwise q is not where the hand put it, or every move of the hand writes an address."""
    told = picture(CLEAR)
    page = visit(told)
    scale = page.evaluate("view.near.scale")
    drag(page, on_screen(page, "near", "mu"), (40, -25))
    mean, logvar = q_of(page)
    at = told["q"]["mean"]
    assert mean == pytest.approx([at[0] + 40 / scale, at[1] + 25 / scale], abs=1e-6)
    assert logvar == told["q"]["logvar"]
    soon(lambda: number(page, ".sum .elbo b"), pytest.approx(elbo(told, mean, logvar), abs=CLOSE))
    assert "q=" not in page.url
    page.mouse.up()
    page.wait_for_url("**q=*")
    linked = [float(v) for v in parse_qs(urlsplit(page.url).query)["q"][0].split(",")]
    assert linked == pytest.approx([*mean, *logvar], abs=1e-4)


@pytest.mark.parametrize(("name", "d", "by"), [("right", 0, (30, 12)), ("top", 1, (12, -30))])
def test_a_handle_stretches_one_sigma(visit, name, d, by):
    """The handles are the ellipse's own points of 1 σ: what is pulled must be that σ, by what it was pulled."""
    told = picture(CLEAR)
    page = visit(told)
    # So near that both handles lie on the ellipse and are not held off it.
    sigma = [math.exp(v / 2) for v in told["q"]["logvar"]]
    page.evaluate("([mean, span]) => view.near.setView(mean, span)", [told["q"]["mean"], 8 * min(sigma)])
    page.evaluate("view.draw()")
    scale = page.evaluate("view.near.scale")
    assert min(sigma) * scale > 26
    mu, at = on_screen(page, "near", "mu"), on_screen(page, "near", name)
    assert [at[0] - mu[0], mu[1] - at[1]][d] == pytest.approx(sigma[d] * scale, abs=0.01)
    drag(page, at, by)
    page.mouse.up()
    mean, logvar = q_of(page)
    assert mean == told["q"]["mean"] and logvar[1 - d] == told["q"]["logvar"][1 - d]
    assert math.exp(logvar[d] / 2) == pytest.approx(sigma[d] + 30 / scale, rel=1e-4)


def test_the_keyboard_does_all_that_the_mouse_does(visit):
    """Otherwise the heart of the page is closed to whoever uses no pointer."""
    told = picture(CLEAR)
    page = visit(told)
    mean, logvar = told["q"]["mean"], told["q"]["logvar"]
    page.locator(".near canvas").focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    moved, stretched = q_of(page)
    sigma = [math.exp(v / 2) for v in logvar]
    assert moved == pytest.approx([mean[0] + 0.2 * sigma[0], mean[1] + 0.4 * sigma[1]])
    assert stretched == pytest.approx([logvar[0] + 2 * math.log(1.05), logvar[1] - 2 * math.log(1.05)])
    page.wait_for_url("**q=*")  # after a rest of the keys
    page.wait_for_function(
        "text => view.box.querySelector('[aria-live]').textContent.includes(text)",
        arg=f"{number(page, '.sum .elbo b'):.2f}".replace("-", "−"),
    )
    page.keyboard.press("Home")
    soon(lambda: q_of(page), (mean, logvar))
    page.wait_for_url(lambda url: "q=" not in url)


def test_a_finger_moves_q_on_a_phone(visit):
    """Otherwise a finger scrolls the page where it should move q, or the account is out of sight while it does."""
    told = picture(CLEAR)
    page = visit(told, viewport={"width": 390, "height": 844}, has_touch=True)
    soon(lambda: page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, True)
    page.locator(".near").scroll_into_view_if_needed()
    x, y = on_screen(page, "near", "mu")
    client = page.context.new_cdp_session(page)
    path = [{"x": x + step, "y": y + step / 2} for step in (0, 8, 20, 40)]
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": path[:1]})
    for point in path[1:]:
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_url("**q=*")
    scale, at = page.evaluate("view.near.scale"), told["q"]["mean"]
    soon(lambda: q_of(page)[0], pytest.approx([at[0] + 40 / scale, at[1] - 20 / scale], abs=0.5 / scale))
    account = page.locator(".account").bounding_box()
    assert 0 <= account["y"] < 300


# What Python says -----------------------------------------------------------------------------------------------------


def test_buttons_put_q_where_they_say(visit):
    """Otherwise "Best q" is not the climb's end, or a mode's button leads beside the mode."""
    told = picture(TWO)
    assert len(told["modes"]) == 2
    page = visit(told)
    page.get_by_role("button", name="Best q").click()
    soon(lambda: q_of(page), (told["best"]["mean"], told["best"]["logvar"]))
    soon(lambda: number(page, ".sum .elbo b"), pytest.approx(told["best"]["elbo"], abs=CLOSE))
    page.get_by_role("button", name="Prior", exact=True).click()
    soon(lambda: q_of(page), ([0, 0], [0, 0]))
    # Eight nodes miss the cliffs in a q this wide: no decimals are claimed.
    expect(page.locator(".sum .elbo b")).to_have_text(re.compile("^≈ −"))
    page.get_by_role("button", name="Mode 2").click()
    soon(lambda: q_of(page)[0], told["modes"][1]["z"])
    left, bottom, right, top = page.evaluate("view.near.bounds()")
    soon(lambda: left < q_of(page)[0][0] < right and bottom < q_of(page)[0][1] < top, True)
    page.get_by_role("button", name="Encoder's q").click()
    soon(lambda: q_of(page), (told["q"]["mean"], told["q"]["logvar"]))


def test_a_rung_is_climbed_onto_and_sigma_shrinks_by_keyboard(visit):
    """A rung that put q elsewhere would promise an ELBO that the bar does not show. A q that shrinks to a point
    reconstructs as at its mean, and its KL grows by 2 log 2 nats a step: what the sentence beside the button says."""
    told = picture(TWO)
    page, top = visit(told), told["rungs"][-1]
    rung = page.get_by_role("button", name="Best of 33, 2 steps")
    rung.press("Enter")
    soon(lambda: q_of(page), (pytest.approx(top["mean"]), pytest.approx(top["logvar"])))
    soon(lambda: number(page, ".sum .elbo b"), pytest.approx(top["elbo"], abs=0.006))
    expect(rung).to_have_attribute("aria-pressed", "true")
    gaps = [float(text) for text in page.locator(".ladder tbody td:nth-child(4)").all_inner_texts()]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > gaps[-1]
    page.wait_for_url("**q=*")

    def cost():
        return page.evaluate("({kl: view.now.kl[0] + view.now.kl[1], r: view.now.reconstruction, at: view.now.atMean})")

    halve, before = page.get_by_role("button", name="Halve σ"), cost()
    for pressed in (1, 2, 3):
        halve.press("Enter")
        shrunk = [v - 2 * pressed * math.log(2) for v in top["logvar"]]
        soon(lambda shrunk=shrunk: q_of(page)[1], pytest.approx(shrunk, abs=1e-3))
    soon(lambda: cost()["kl"], pytest.approx(before["kl"] + 3 * 2 * math.log(2), abs=0.01))
    after = cost()
    assert abs(after["r"] - after["at"]) < 0.1 * abs(before["r"] - before["at"])
    expect(page.locator(".try .value")).to_contain_text("KL +")


def test_q_climbs_the_path_that_is_chosen(visit):
    """Otherwise the line drawing tells of another climb than the one that q makes on the map."""
    told = picture(CLEAR)
    page = visit(told)
    page.get_by_role("button", name="from the prior").click()
    slider = page.get_by_label("Step of the climb")
    points = told["paths"][1]["points"]
    soon(lambda: [*q_of(page)[0], *q_of(page)[1]], pytest.approx(points[0][:4]))
    slider.focus()
    for _ in range(3):
        slider.press("ArrowRight")
    soon(lambda: [*q_of(page)[0], *q_of(page)[1]], pytest.approx(points[3][:4]))
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()  # nothing moves by itself: the end at once
    soon(lambda: [*q_of(page)[0], *q_of(page)[1]], pytest.approx(points[-1][:4]))
    page.emulate_media(reduced_motion="no-preference")
    page.get_by_role("button", name="from the encoder").click()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("view.climb.player.textContent === 'Play' && view.climb.step === 12")
    soon(lambda: [*q_of(page)[0], *q_of(page)[1]], pytest.approx(told["paths"][0]["points"][-1][:4]))


def test_a_link_brings_q_back_and_another_digit_takes_it_away(visit):
    """Otherwise a link shows another q than its sender saw, or the next digit opens with the last one's q."""
    told, other = picture(CLEAR), picture(TWO, SLUGS["label"])
    q = [0.25, -0.5, -5.0, -6.5]
    page = visit(told, f"?q={','.join(map(str, q))}")
    soon(lambda: [*q_of(page)[0], *q_of(page)[1]], q)
    page.evaluate(
        """options => { component.data = {options}; return view.update(component); }""",
        as_sent(other),
    )
    page.evaluate("frames()")
    soon(lambda: q_of(page), (other["q"]["mean"], other["q"]["logvar"]))
    soon(lambda: number(page, ".sum .evidence b"), pytest.approx(other["log_p"], abs=0.006))
    soon(lambda: number(page, ".sum .elbo b"), pytest.approx(elbo(other, **other["q"]), abs=CLOSE))
    expect(page.locator(".sum .evidence small")).to_contain_text(f"y = {other['label']}")
    close = other["heat"][1]["bounds"]
    shown = page.evaluate("view.near.bounds()")
    assert shown == pytest.approx(close, abs=0.01 * (close[2] - close[0]))
    page.wait_for_url(lambda url: "q=" not in url)


def test_a_q_of_one_model_is_not_anothers(visit):
    """A switch of model or part mounts the view anew: the link still holds a q then, which is another posterior's."""
    told, other = picture(CLEAR), picture(CLEAR, SLUGS["label"])
    page = visit(told, "?q=0.25,-0.5,-5.0,-6.5")
    again = """async (options) => {
        const { mount } = await import("./static/views/bound/posterior.mjs");
        const { root } = view;
        view.destroy();
        view = await mount(root, { ...component, data: { options } });
        await frames();
    }"""
    page.evaluate(again, as_sent(told))  # the same digit keeps its q
    soon(lambda: q_of(page), ([0.25, -0.5], [-5.0, -6.5]))
    page.evaluate(again, as_sent(other))
    soon(lambda: q_of(page), (other["q"]["mean"], other["q"]["logvar"]))


def test_contours_lie_at_one_and_two_sigma(visit):
    """A reader compares them with the ellipses of q: for a Gaussian posterior they must be the same lines."""
    n, sigma = 96, 12.0  # cells
    across = np.arange(n) + 0.5 - 46.0
    values = np.rint(255 * np.exp(-0.5 * (across[None] ** 2 + across[:, None] ** 2) / sigma**2)).astype(np.uint8)
    raster = {"bounds": [0, 0, 1, 1], "n": n, "data": base64.b64encode(values.tobytes()).decode()}
    lines = visit(None).evaluate(
        """raster => import("./static/parts/heat.mjs").then(({Heat}) => new Heat(raster).contours.map(c => [...c]))""",
        raster,
    )
    for radius, line in zip((sigma, 2 * sigma), lines, strict=True):
        at = np.reshape(line, (-1, 2)) - 46.0
        assert len(at) > 50
        np.testing.assert_allclose(np.hypot(*at.T), radius, rtol=0.02)


# The rasters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("i", [CLEAR, TWO])
def test_heat_maps_show_the_posterior_where_it_is(i):
    """A narrow posterior that falls between two pixels, or lies beside its place, would make q look wrong."""
    told = picture(i)
    model, x = checkpoints.load(told["slug"])[0], pixels(told)
    for raster in told["heat"]:
        bounds, n = raster["bounds"], raster["n"]
        shown = np.frombuffer(base64.b64decode(raster["data"]), np.uint8).reshape(n, n) / 255
        assert shown.max() == 1
        left, bottom, right, top = bounds
        fine = likelihood.raster(model, x, tuple(bounds), n).double().numpy() - told["log_p"]
        exact = np.exp(fine - fine.max())
        if raster is told["heat"][0]:
            row, column = np.unravel_index(shown.argmax(), shown.shape)
            z = [left + (column + 0.5) / n * (right - left), top - (row + 0.5) / n * (top - bottom)]
            reach = 2 * (right - left) / n
            assert min(np.abs(np.array(m["z"]) - z).max() for m in told["modes"]) < reach
        elif exact.sum() > 100:  # as fine as the posterior: it must be the same picture
            assert np.abs(shown - exact).max() < 0.12
            assert np.abs(shown - exact).mean() < 0.01


def test_close_ups_hold_the_posterior_and_q():
    """Otherwise the page opens on an empty plane, or the visitor has to look for q."""
    told = picture(CLEAR)
    left, bottom, right, top = told["heat"][1]["bounds"]
    sigma = np.exp(np.array(told["q"]["logvar"]) / 2)
    for sign in (-2, 2):
        x, y = np.array(told["q"]["mean"]) + sign * sigma
        assert left < x < right and bottom < y < top
    assert right - left < 40 * sigma.max()
    two = picture(TWO)
    assert len(two["heat"]) == 2 + len(two["modes"])
    for mode, raster in zip(two["modes"], two["heat"][2:], strict=True):
        left, bottom, right, top = raster["bounds"]
        assert left < mode["z"][0] < right and bottom < mode["z"][1] < top
