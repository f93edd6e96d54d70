"""The page "Map" in a real browser: what is painted against PyTorch, and what Python received."""

import re
from functools import partial
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from hands import seen, soon
from playwright.sync_api import expect
from sklearn.decomposition import PCA
from tabs import listening

from ui.parts.digit import called
from ui.shell.family import slug
from vae_core import checkpoints, data, latent

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 60_000  # milliseconds
STEP = 1.01 / 255  # a painted pixel has 256 levels

# The view, wherever Streamlit puts its shadow root; true once both maps are there.
FIND = """() => {
    const find = node => {
        for (const e of node.querySelectorAll("*")) {
            const found = e.matches(".map") ? e.view : e.shadowRoot && find(e.shadowRoot);
            if (found) return found;
        }
    };
    window.V = find(document);
    if (!V) return false;
    [window.L, window.R] = V.sides;
    window.frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())));
    window.grey = side => {
        const { data } = side.tile.getContext("2d").getImageData(0, 0, 28, 28);
        return Array.from({length: 784}, (_, i) => data[4 * i] / 255);
    };
    window.onScreen = (side, z) => {
        const box = side.plane.canvas.getBoundingClientRect(), [x, y] = side.plane.toScreen(z);
        return [box.left + x, box.top + y];
    };
    window.painted = (side, x, y, w = 1, h = 1) => [...side.plane.ctx.getImageData(
        ...[x, y, w, h].map(v => Math.round(v * side.plane.ratio))).data];
    window.codeOf = (side, i) => [side.codes.mean[2 * i], side.codes.mean[2 * i + 1]];
    return true;
}"""

# Every tile of the finest level is there.
COMPLETE = """() => {
    const [, finest] = L.tiles.levels(), step = 2 ** finest, [left, bottom, right, top] = L.plane.bounds();
    for (let i = Math.ceil(left / step); i <= right / step; i++)
        for (let j = Math.ceil(bottom / step); j <= top / step; j++)
            if (!L.tiles.slots.has(`${finest}:${i}:${j}`)) return false;
    return true;
}"""


@pytest.fixture(scope="module")
def networks():
    return {kind: checkpoints.load(slug(kind, 2))[0] for kind in ("ae", "dae", "vae", "cvae")}


@pytest.fixture(scope="module")
def codes():
    return {kind: checkpoints.load_codes(slug(kind, 2)) for kind in ("ae", "dae", "vae", "cvae")}


@pytest.fixture
def visit(server, window):
    """Open the map in a tab of its own; `.sent` lists what went to the server, `.wrong` what went wrong."""
    tabs = []

    def open_page(query="", *, viewport=DESKTOP, wait=True, **settings):
        tab = listening(window(**viewport, **settings).new_page())
        tabs.append(tab)
        tab.goto(f"{server}/Map{query}", timeout=PATIENCE)
        if wait:
            tab.wait_for_function(FIND, timeout=PATIENCE)
            rest(tab)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert [error for tab in tabs for error in tab.wrong] == []


def rest(tab) -> None:
    """Until the script rests and the answer stands: what is sent from now on, the hand has sent."""
    tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE)
    tab.wait_for_function("() => !document.querySelector('[data-stale=\"true\"]')", timeout=PATIENCE)


def decode(model, z, label=None) -> np.ndarray:
    y = torch.tensor([label]) if model.conditional else None
    return latent.decode(model, torch.tensor([z], dtype=torch.float32), y)[0].numpy()


def point_at(tab, side: str, z, shift=(0, 0)) -> None:
    x, y = tab.evaluate(f"z => onScreen({side}, z)", list(z))
    tab.mouse.move(x + shift[0], y + shift[1])
    tab.evaluate("frames()")


def lonely(mean: torch.Tensor, count: int) -> list[int]:
    """Images with room around them, in the middle of the map: in a crowd the pointer may rightly meet a neighbour."""
    low, high = torch.quantile(mean, 0.1, dim=0), torch.quantile(mean, 0.9, dim=0)
    inside = ((mean > low) & (mean < high)).all(1).nonzero().ravel()[:1500]
    distance = torch.cdist(mean[inside], mean)
    distance[distance == 0] = torch.inf
    return inside[distance.min(1).values.argsort(descending=True)[:count]].tolist()


# Under the pointer ----------------------------------------------------------------------------------------------


def test_hover_shows_the_image_of_that_point_after_zoom_and_pan(visit, networks, codes):
    """A picture that belongs to another point than the one under the pointer teaches the wrong map."""
    tab = visit()
    sent = len(tab.sent)
    for i in lonely(codes["ae"]["test_mean"], 3):
        z = codes["ae"]["test_mean"][i].tolist()
        point_at(tab, "L", z)
        for _ in range(6):
            tab.mouse.wheel(0, -300)
        tab.evaluate("frames()")
        x, y = tab.evaluate("z => onScreen(L, z)", z)
        tab.mouse.move(x + 120, y + 90)  # grab the ground beside the point and pull it
        tab.mouse.down()
        tab.mouse.move(x + 160, y + 60, steps=4)
        tab.mouse.up()
        tab.evaluate("frames()")
        # A pull beside all points must not pick; where it began on one, that one is picked by no click.
        soon(lambda: tab.evaluate("V.state.image"), 0)
        point_at(tab, "L", z)
        soon(lambda: tab.evaluate("V.hover.index"), i)
        soon(lambda: np.testing.assert_allclose(tab.evaluate("grey(L)"), decode(networks["ae"], z), rtol=0, atol=STEP))
        other = codes["vae"]["test_mean"][i].tolist()
        soon(
            lambda: np.testing.assert_allclose(
                tab.evaluate("grey(R)"), decode(networks["vae"], other), rtol=0, atol=STEP
            )
        )
        # The same image is ringed on the other map, at its own code.
        soon(lambda: tab.evaluate("R.plane.markers.get('hover').z"), pytest.approx(other, abs=1e-6))
        tab.evaluate("L.plane.fit(); frames()")
    assert len(tab.sent) == sent  # nothing goes to the server while the hand moves


def test_an_empty_place_is_decoded_and_found_on_the_other_map(visit, networks, codes):
    """Between the dots there is a picture, too: the decoder's; the other model says where it would put it."""
    tab = visit()
    z = tab.evaluate("""() => {  // the corner of the view that is farthest from every code
        const [left, bottom, right, top] = L.plane.bounds(), mid = (a, b) => 0.9 * a + 0.1 * b;
        const corners = [[mid(left, right), mid(bottom, top)], [mid(right, left), mid(bottom, top)],
                         [mid(left, right), mid(top, bottom)]];
        const gap = z => { const c = codeOf(L, L.plane.nearest(z)); return Math.hypot(c[0] - z[0], c[1] - z[1]); };
        return corners.sort((a, b) => gap(b) - gap(a))[0];
    }""")
    point_at(tab, "L", z)
    soon(lambda: tab.evaluate("V.hover.index"), None)
    z = tab.evaluate("V.hover.z")
    drawn = decode(networks["ae"], z)
    soon(lambda: np.testing.assert_allclose(tab.evaluate("grey(L)"), drawn, rtol=0, atol=STEP))
    vae = networks["vae"]
    with torch.inference_mode():
        there = vae.encode(vae.observe(torch.tensor(drawn[None]))).mean[0].tolist()
    soon(lambda: tab.evaluate("R.plane.markers.get('hover').z"), pytest.approx(there, abs=2e-3))
    soon(lambda: np.testing.assert_allclose(tab.evaluate("grey(R)"), decode(vae, there), rtol=0, atol=2 * STEP))
    sent = len(tab.sent)
    tab.mouse.down()
    tab.mouse.up()
    nearest = (codes["ae"]["test_mean"] - torch.tensor(z)).norm(dim=1).min()
    answer = tab.locator("text=AE: codes nearest to the place you picked").first
    answer.wait_for(timeout=PATIENCE)
    soon(
        lambda: float(re.search(r"picked, ([\d.]+) to", answer.text_content())[1]),
        pytest.approx(float(nearest), abs=0.011),
    )
    tab.wait_for_selector("text=VAE: codes nearest to where this model puts that drawing", timeout=PATIENCE)
    rest(tab)
    assert len(tab.sent) == sent + 1


def test_the_same_image_is_marked_on_both_maps_and_python_is_told_once(visit, codes):
    """One message on release; both rings at that image's codes; the answer below is about that image."""
    tab = visit()
    image = next(i for i in lonely(codes["ae"]["test_mean"], 5) if i != 0)
    point_at(tab, "L", codes["ae"]["test_mean"][image].tolist())
    sent = len(tab.sent)
    tab.mouse.down()
    tab.mouse.up()
    label = int(codes["ae"]["test_label"][image])
    tab.wait_for_selector(f"text=show a {label}, too", timeout=PATIENCE)
    rest(tab)
    assert len(tab.sent) == sent + 1
    for side, kind in (("L", "ae"), ("R", "vae")):
        z = codes[kind]["test_mean"][image].tolist()
        marker = tab.evaluate(f"{side}.plane.markers.get('pick')")
        assert marker["z"] == pytest.approx(z, abs=1e-6)
        soon(lambda: tab.evaluate(f"{side}.near"), _nearest(codes[kind]["test_mean"], image))
        # The ring is painted there: the accent, nine pixels from the code.
        x, y = tab.evaluate(f"z => {side}.plane.toScreen(z)", z)
        accent = tab.evaluate(
            "(() => { const c = document.createElement('canvas').getContext('2d');"
            "c.fillStyle = L.plane.theme.accent; return c.fillStyle; })()"
        )
        wanted = [int(accent[k : k + 2], 16) for k in (1, 3, 5)]
        ring = tab.evaluate(
            f"([x, y]) => [0, 1, 2, 3].map(k => painted({side}, x + [9, 0, -9, 0][k], y + [0, 9, 0, -9][k]))", [x, y]
        )
        near = [max(abs(a - b) for a, b in zip(p, wanted, strict=False)) for p in ring]
        assert min(near) < 40, ring
    sigma = tab.evaluate("R.plane.markers.get('pick').sigma")
    assert sigma == pytest.approx(codes["vae"]["test_logvar"][image].mul(0.5).exp().tolist(), rel=1e-5)
    soon(lambda: tab.evaluate("L.plane.markers.get('pick').sigma"), None)  # a point has no posterior


def _nearest(mean, i):
    distance = (mean - mean[i]).norm(dim=1)
    distance[i] = torch.inf
    return distance.argsort(stable=True)[:8].tolist()


# Layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "label"), [("vae", None), ("cvae", 4)])
def test_a_tile_lies_where_its_z_lies(visit, networks, kind, label):
    """Tiles that are shifted or flipped against the codes show a manifold that is not there."""
    tab = visit(f"?left={kind}&right=ae&layers=tiles" + ("" if label is None else f"&y={label}"))
    tab.evaluate("""() => {
        L.plane.showNumerals = false;
        for (const name of ["pick", "hover"]) L.plane.setMarker(name, null);
        L.plane.redraw();
    }""")
    tab.wait_for_function(COMPLETE, timeout=PATIENCE)
    tab.evaluate("frames()")
    # Another view costs the hand's own task no tile: of many views in one pull only the last is computed.
    assert tab.evaluate("""() => {
        const before = L.tiles.slots.size;
        L.tiles.forget();
        for (let k = 0; k < 5; k++) L.tiles.refresh();
        const count = L.tiles.slots.size;
        return [before > 0, count];
    }""") == [True, 0]
    tab.wait_for_function(COMPLETE, timeout=PATIENCE)
    tab.evaluate("frames()")
    step = 2 ** tab.evaluate("L.tiles.levels()[1]")
    side = tab.evaluate("L.plane.scale") * step
    assert 32 <= side < 64
    checked = 0
    for i, j in ((0, 0), (1, 0), (0, 1), (-1, -1), (2, -1)):
        z = [i * step, j * step]
        x, y = tab.evaluate("z => L.plane.toScreen(z)", z)
        if not (
            side < x < tab.evaluate("L.plane.width") - side - 60 and side < y < tab.evaluate("L.plane.height") - side
        ):
            continue  # not whole, or under the buttons and the scale
        expected = decode(networks[kind], z, label).reshape(28, 28)
        left, top = np.floor(np.array([x, y]) - side / 2 + 0.5).astype(int).tolist()
        right, bottom = np.floor(np.array([x, y]) + side / 2 + 0.5).astype(int).tolist()
        width, height = right - left, bottom - top
        got = np.array(tab.evaluate("a => painted(L, ...a)", [left, top, width, height]))
        # At the middle of each of the 28 × 28 pixels: between them it is the browser that rounds.
        rows, columns = (((np.arange(28) + 0.5) * size / 28).astype(int) for size in (height, width))
        got = got.reshape(height, width, 4)[np.ix_(rows, columns)][..., 0]
        difference = np.abs(got / 255 - expected)
        assert (difference > 2 * STEP).mean() < 0.02, (z, difference.max())  # the scale's words may touch a tile
        checked += 1
    assert checked >= 2


def test_round_trip_arrows_end_where_the_drawing_is_encoded(visit, networks):
    """The arrow is an argument about the model: its end must be enc(dec(z) ≥ ½), not anything near it."""
    tab = visit("?left=vae&right=ae&layers=arrows")
    tab.wait_for_function("() => L.arrows.ends.size > 20", timeout=PATIENCE)
    ends = tab.evaluate("[...L.arrows.ends].slice(0, 20)")
    vae = networks["vae"]
    for key, end in ends:
        level, i, j = map(int, key.split(":"))
        z = [i * 2.0**level, j * 2.0**level]
        drawn = torch.tensor(decode(vae, z)[None])
        if ((drawn - 0.5).abs() < 1e-4).any():
            continue  # a pixel on the threshold may fall either way
        with torch.inference_mode():
            assert end == pytest.approx(vae.encode(vae.observe(drawn)).mean[0].tolist(), abs=2e-3)


def test_maps_are_shaded_by_what_a_place_lacks_on_one_scale(visit, networks):
    """Chosen in the list, one at a time; the link holds it, the caption says it, and the server hears nothing. The
    judge that runs in the browser says what Python's says of the same places."""
    tab = visit("?left=ae&right=vae")
    sent = len(tab.sent)
    shade = tab.get_by_label("Shade both maps by")
    shade.select_option("digit")
    expect(tab.locator(".scale")).to_contain_text("no digit")
    expect(tab.locator(".caption.cr")).to_contain_text("for digits", timeout=PATIENCE)
    tab.wait_for_function("() => R.gaps.values.size > 30", timeout=PATIENCE)
    values = tab.evaluate("[...R.gaps.values].slice(0, 30)")
    places = [[int(k) * 2.0 ** int(key.split(":")[0]) for k in key.split(":")[1:]] for key, _ in values]
    with torch.inference_mode():
        drawn = networks["vae"].pixels(torch.tensor(places))
        judge = checkpoints.load_judge()
        expected = judge.score(drawn) - judge.threshold
    assert [value for _, value in values] == pytest.approx(expected.tolist(), abs=0.02)
    shade.select_option("bends")
    expect(tab.locator(".caption.cl")).to_contain_text("A square of one σ becomes", timeout=PATIENCE)
    tab.wait_for_function("() => location.search.includes('bends') && !location.search.includes('digit')")
    shade.select_option("")
    expect(tab.locator(".scale")).to_be_hidden()
    assert len(tab.sent) == sent


def test_shades_of_a_judge_that_does_not_know_the_pictures_are_not_shown(visit):
    """It would refuse every boot as no digit. Link, list and caption go on saying what was chosen, and why nothing is
    shaded; whoever comes back to digits has the shades again."""
    tab = visit("?left=ae&right=vae&layers=points.digit")
    caption, shade = tab.locator(".caption.cr"), tab.get_by_label("Shade both maps by")
    expect(caption).to_contain_text("for digits", timeout=PATIENCE)
    # As Python tells of such a data set, now and in whatever answer is still on its way: no model of one ships.
    tab.evaluate(
        """() => {
            const strange = (options) => {
                options.datasets.digits.numerals = false;
                return options;
            };
            let options = strange(V.options);
            Object.defineProperty(V, "options", { get: () => options, set: (now) => (options = strange(now)) });
        }"""
    )
    chosen(tab, "R", "digits-vae-2d")
    for side in ("cl", "cr"):
        expect(tab.locator(f".caption.{side}")).to_contain_text("Nothing is shaded: the judge knows no pictures but")
    expect(tab.locator(".scale")).to_be_hidden()
    expect(shade).to_have_value("digit")
    assert tab.evaluate("V.sides.map(({ gaps, plane }) => [gaps.on, plane.pointOpacity])") == [[False, 1], [False, 1]]
    assert "layers=points.digit" in tab.url
    chosen(tab, "R", "vae")
    expect(caption).to_contain_text("for digits", timeout=PATIENCE)
    expect(tab.locator(".scale")).to_be_visible()


def test_a_judge_that_does_not_come_is_said_until_it_is_asked_for_again(visit):
    """Otherwise the next thing that is said of the map promises shades for good."""
    tab = visit("?left=ae&right=vae")
    shade, captions = tab.get_by_label("Shade both maps by"), tab.locator(".caption.cl, .caption.cr")
    tab.route("**/judge/**", lambda route: route.abort())
    shade.select_option("digit")
    lost = "The network judge did not come: the server could not be reached."
    for caption in captions.all():
        expect(caption).to_contain_text(lost)
    tab.get_by_role("button", name="Round trip").click()
    for caption in captions.all():
        expect(caption).to_contain_text("z to the code of its own drawing")
        expect(caption).to_contain_text(lost)
    expect(tab.locator(".scale")).to_be_hidden()
    tab.unroute("**/judge/**")
    shade.select_option("")
    shade.select_option("digit")
    expect(captions.last).to_contain_text("for digits", timeout=PATIENCE)


def test_layers_say_what_they_are_for_each_model(visit):
    """A circle of N(0, I) is a prior for one model and a yardstick for the other; a point has no ellipse."""
    tab = visit("?left=dae&right=vae&layers=points.circles.ellipses")
    left, right = tab.evaluate("[L, R].map(side => side.caption.textContent)")
    assert "yardstick" in left and "no posterior to draw" in left
    assert "prior N(0, I)" in right and "yardstick" not in right
    soon(lambda: tab.evaluate("[L, R].map(side => side.plane.circles)"), ["yardstick", "prior"])
    soon(lambda: tab.evaluate("[L, R].map(side => Boolean(side.codes.logvar))"), [False, True])


# The walk -----------------------------------------------------------------------------------------------------------


def test_the_walk_asks_first_and_measures_what_it_says(visit, networks, codes):
    """The answer must be the visitor's own: numbers before it would give it away. Then they must be right."""
    tab = visit("?left=ae&right=vae&walk=3-18&t=0.3")
    soon(lambda: tab.locator(".card dl").count(), 2)
    soon(lambda: [tab.locator(".card dl").nth(k).is_visible() for k in (0, 1)], [False, False])
    soon(lambda: not tab.locator(".curves").is_visible(), True)
    # Nor has the judge been asked: what is not on the page yet cannot show.
    tab.wait_for_function("() => V.walk.heard", timeout=PATIENCE)
    rest(tab)
    soon(lambda: tab.evaluate("V.walk.heard.verdicts"), {})
    soon(lambda: [tab.locator(".verdicts p").nth(k).is_visible() for k in (0, 1)], [False, False])
    x, y = tab.evaluate("onScreen(L, L.plane.markers.get('t').z)")
    sent = len(tab.sent)
    tab.mouse.move(x, y)
    tab.mouse.down()
    x1, y1 = tab.evaluate("onScreen(L, [0, 1].map(a => 0.35 * L.way[0][a] + 0.65 * L.way[1][a]))")
    tab.mouse.move(x1, y1, steps=8)
    tab.mouse.up()
    tab.evaluate("frames()")
    assert len(tab.sent) == sent  # pulling costs the server nothing
    t = tab.evaluate("V.walk.way.t")
    assert t == pytest.approx(0.65, abs=0.03)
    for k in (0, 1):
        tab.locator(".ask").nth(k).get_by_role("button", name="Not one").click()
        sentence = tab.locator(".verdicts p").nth(k)
        expect(sentence).to_have_text(re.compile(r"The judge, a classifier, (dis)?agrees: .*\.$"), timeout=PATIENCE)
    judge = checkpoints.load_judge()
    tab.wait_for_function("() => V.walk.curves?.every(points => points.length === 41)", timeout=PATIENCE)
    tab.evaluate("frames()")
    for k, kind in enumerate(("ae", "vae")):
        mean, model = codes[kind]["test_mean"].double(), networks[kind]
        z = (1 - t) * mean[3] + t * mean[18]
        quartiles = np.percentile(mean, [25, 75], axis=0)
        gap = ((mean - z) / torch.tensor((quartiles[1] - quartiles[0]) / 1.349)).norm(dim=1).min()
        drawn = decode(model, z.tolist())
        with torch.inference_mode():
            code = model.encode(model.observe(torch.tensor(drawn[None]))).mean
        cycle = np.linalg.norm(decode(model, code[0].tolist()) - drawn)
        shown = [float(v.removesuffix(" σ")) for v in tab.locator(".card dl").nth(k).locator("dd").all_text_contents()]
        assert shown == pytest.approx([float(gap), float(cycle)], abs=0.011)
        soon(lambda: np.testing.assert_allclose(tab.evaluate(f"grey({'LR'[k]})"), drawn, rtol=0, atol=STEP))
        # The judge's word about this very drawing, beside the visitor's.
        picture = torch.tensor(drawn[None])
        digit, read = bool(judge.is_digit(picture)), int(judge.label(picture))
        verdict = f"disagrees: it reads {'an' if read == 8 else 'a'} {read}." if digit else "agrees: not a digit."
        words = f"{kind.upper()} at t = {t:.2f}: you say not a digit. The judge, a classifier, {verdict}"
        expect(tab.locator(".verdicts p").nth(k)).to_have_text(words)
    # Another end, by a click on its dot: nothing said of the last way stands, and the end is that image.
    image = next(i for i in lonely(codes["ae"]["test_mean"], 9) if i not in (3, 18))
    point_at(tab, "L", codes["ae"]["test_mean"][image].tolist())
    tab.mouse.down()
    tab.mouse.up()
    tab.wait_for_function("i => V.walk.heard?.ends[1] === i", arg=image, timeout=PATIENCE)
    tab.evaluate("frames()")
    soon(lambda: tab.evaluate("V.walk.way.ends"), [3, image])
    soon(lambda: tab.get_by_role("spinbutton", name="Test image").input_value(), str(image))
    tab.get_by_role("spinbutton", name="Test image").fill("4")  # without a mouse: the number is the next end
    tab.keyboard.press("Enter")
    tab.wait_for_function("i => String(V.walk.heard?.ends) === `4,${i}`", arg=image, timeout=PATIENCE)
    tab.evaluate("frames()")
    soon(lambda: [tab.locator(".card dl").nth(k).is_visible() for k in (0, 1)], [False, False])
    soon(lambda: [tab.locator(".verdicts p").nth(k).is_visible() for k in (0, 1)], [False, False])
    # No MNIST on this server: the left model's drawing stands for the original, and says so.
    for end, i in enumerate((4, image)):
        tile, label = tab.locator(".end").nth(end), int(codes["ae"]["test_label"][i])
        expect(tile).to_contain_text(f"{('from', 'to')[end]} {label}test image {i}, the AE's drawing")
        own = tab.evaluate(f"grey({{tile: V.walk.ends[{end}].tile}})")
        drawn = decode(networks["ae"], codes["ae"]["test_mean"][i].tolist())
        assert np.abs(np.array(own) - drawn).max() <= STEP
    tab.get_by_role("button", name="Walk").click()  # off the walk the page answers about the picked image again
    tab.wait_for_selector("text=Nearest codes, nearest first", timeout=PATIENCE)


# Without a mouse, on a phone ------------------------------------------------------------------------------------------


def test_keys_move_zoom_and_pick(visit):
    """Whoever cannot use a mouse reaches every place and hears what is there."""
    tab = visit()
    tab.evaluate("R.plane.canvas.focus()")
    tab.keyboard.press("Home")
    tab.keyboard.press("ArrowUp")
    tab.evaluate("frames()")
    soon(lambda: tab.evaluate("V.hover.side.name"), "right")
    soon(lambda: tab.evaluate("V.hover.z[0]") == 0 and tab.evaluate("V.hover.z[1]") > 0, True)
    sent = len(tab.sent)
    tab.keyboard.press("Enter")
    tab.wait_for_function("() => R.plane.markers.get('pick')")
    rest(tab)
    assert len(tab.sent) == sent + 1
    expected = tab.evaluate("V.elements.what.textContent")
    tab.wait_for_function("text => V.box.querySelector('[aria-live]').textContent.startsWith(text)", arg=expected)
    soon(lambda: "Arrow keys" in tab.evaluate("R.plane.canvas.getAttribute('aria-label')"), True)


def test_a_finger_looks_and_picks_on_a_phone(visit, networks):
    """Maps stand under each other, nothing sticks out, and the drawings stay in sight above the finger."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    boxes = tab.evaluate(
        "[L, R].map(s => { const b = s.plane.canvas.getBoundingClientRect(); return [b.x, b.y, b.width]; })"
    )
    assert boxes[0][0] == boxes[1][0] and boxes[1][1] > boxes[0][1] + boxes[0][2]
    assert all(x >= 0 and x + width <= 390 for x, _, width in boxes)
    tab.evaluate("R.plane.canvas.scrollIntoView({block: 'center'})")
    tab.evaluate("frames()")
    soon(
        lambda: tab.evaluate(
            "(() => { const b = R.tile.getBoundingClientRect(); return b.top >= 0 && b.bottom <= innerHeight; })()"
        ),
        True,
    )
    finger = tab.context.new_cdp_session(tab)
    x, y = tab.evaluate("onScreen(R, [0.4, -0.3])")
    before = tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    for kind, points in (("touchStart", [(x - 40, y - 60)]), ("touchMove", [(x, y)]), ("touchEnd", [])):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})
    tab.evaluate("frames()")
    soon(lambda: tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop"), before)
    hover = tab.evaluate("({z: V.hover.z, index: V.hover.index})")
    assert hover["z"] == pytest.approx([0.4, -0.3], abs=0.02)
    z = tab.evaluate("codeOf(R, V.hover.index)") if hover["index"] is not None else hover["z"]
    soon(lambda: np.testing.assert_allclose(tab.evaluate("grey(R)"), decode(networks["vae"], z), rtol=0, atol=STEP))
    sent = len(tab.sent)
    tab.touchscreen.tap(x, y)
    tab.wait_for_function("() => !V.hover || V.state.place")
    rest(tab)
    assert len(tab.sent) == sent + 1


# The page -----------------------------------------------------------------------------------------------------------


def test_a_link_restores_the_page(visit, codes):
    """A teacher's link opens exactly what the teacher saw; a cut link opens the page as it is."""
    tab = visit()
    tab.evaluate("L.select.value = 'dae'; L.select.onchange()")
    tab.wait_for_function("() => L.kind === 'dae'", timeout=PATIENCE)
    tab.get_by_role("button", name="Density").click()
    tab.get_by_role("spinbutton", name="Test image").fill("77")
    tab.keyboard.press("Enter")
    tab.evaluate("R.plane.setView([0.5, -0.25], 1.5)")
    tab.wait_for_url(re.compile(r"image=77.*rv="), timeout=PATIENCE)
    rest(tab)
    query = parse_qs(urlsplit(tab.url).query)
    assert query["left"] == ["dae"] and query["layers"] == ["points.circles.density"]
    again = visit("?" + urlsplit(tab.url).query)
    soon(
        lambda: again.evaluate("[L.kind, R.kind, V.state.image, [...V.state.layers].join()]"),
        [*("dae", "vae", 77, "points,circles,density")],
    )
    soon(lambda: again.evaluate("[...R.plane.centre, R.plane.span]"), pytest.approx([0.5, -0.25, 1.5], abs=1e-3))
    label = int(codes["dae"]["test_label"][77])
    again.wait_for_selector(f"text=show a {label}, too", timeout=PATIENCE)  # Python reads the same link
    cut = visit("?left=xae&image=9x&layers=poi&lv=1,2&walk=4-&z=left,1")
    soon(lambda: cut.evaluate("[L.kind, R.kind, V.state.image, V.walk.way]"), ["ae", "vae", 0, None])


def leave_and_come_back(tab) -> None:
    tab.get_by_role("link", name="Restore").click()
    tab.wait_for_url("**/Restore**", timeout=PATIENCE)
    tab.get_by_role("heading", name="Restore").wait_for(timeout=PATIENCE)
    rest(tab)
    tab.get_by_role("link", name="Map").click()
    tab.wait_for_url("**/Map**", timeout=PATIENCE)
    tab.wait_for_selector(".map .plane canvas", timeout=PATIENCE)
    tab.wait_for_function(FIND, timeout=PATIENCE)
    rest(tab)


def test_state_outlives_a_switch_of_pages_and_two_tabs_do_not_meet(visit):
    """Who comes back from another page finds everything as it was, a guess and its verdict too; another tab of the
    same browser is another visitor's page."""
    tab = visit()
    other = visit()
    assert other.context == tab.context
    tab.bring_to_front()  # a tab behind another draws a frame now and then
    tab.get_by_role("spinbutton", name="Test image").fill("123")
    tab.keyboard.press("Enter")
    tab.evaluate("R.select.value = 'cvae'; R.select.onchange()")
    tab.wait_for_function("() => R.kind === 'cvae'", timeout=PATIENCE)
    tab.get_by_role("button", name="Density").click()
    tab.evaluate("L.plane.setView([1, 2], 9)")
    other.get_by_role("spinbutton", name="Test image").fill("77")
    other.keyboard.press("Enter")
    rest(tab)
    rest(other)
    tab.get_by_role("button", name="Walk").click()
    tab.evaluate("V.walk.setT(0.4)")
    tab.locator(".ask").nth(1).get_by_role("button", name="A digit").click()
    sentence = tab.locator(".verdicts p").nth(1)
    expect(sentence).to_have_text(
        re.compile("CVAE at t = 0.40: you say a digit. The judge, a classifier, (dis)?agrees"), timeout=PATIENCE
    )
    state = """() => [L.kind, R.kind, V.state.image, [...V.state.layers].join(), V.walk.way, V.walk.said,
        [L, R].map(side => [...side.plane.centre, side.plane.span].map(v => v.toFixed(4)))]"""
    before, said = tab.evaluate(state), sentence.text_content()
    leave_and_come_back(tab)
    soon(lambda: tab.evaluate(state), before)
    expect(tab.locator(".verdicts p").nth(1)).to_have_text(said, timeout=PATIENCE)
    soon(lambda: not tab.locator(".verdicts p").nth(0).is_visible(), True)  # of that drawing nothing has been said
    soon(lambda: other.evaluate("[L.kind, R.kind, V.state.image, V.walk.way]"), ["ae", "vae", 77, None])
    other.bring_to_front()
    leave_and_come_back(other)
    soon(lambda: other.evaluate("[L.kind, R.kind, V.state.image, V.walk.way]"), ["ae", "vae", 77, None])


def _hold(held, route):
    held.append(route)


def test_the_first_picture_takes_the_live_maps_place(visit, server, browser):
    """Before the module is there the page shows its maps already; nothing may jump when they come to life."""
    for viewport in (DESKTOP, PHONE):
        context = browser.new_context(viewport=viewport)
        tab = context.new_page()
        held = []
        tab.route("**/static/views/map/map.mjs", partial(_hold, held))
        tab.goto(f"{server}/Map", timeout=PATIENCE)
        tab.wait_for_selector(".first img", timeout=PATIENCE)
        tab.wait_for_selector("text=Nearest codes", timeout=PATIENCE)
        square = "[...{}].map(e => {{ const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; }})"
        first = tab.locator(".first .square").evaluate_all("es => " + square.format("es"))
        for route in held:
            route.continue_()
        tab.wait_for_selector(".plane canvas", timeout=PATIENCE)
        live = tab.locator(".plane canvas").evaluate_all("es => " + square.format("es"))
        context.close()
        assert np.abs(np.array(first[0]) - live[0]).max() <= 4, viewport
        assert np.abs(np.array(first) - live)[:, [0, 2, 3]].max() <= 4, viewport


@pytest.mark.parametrize("damage", ["truncated", "activation"])
def test_damaged_payloads_give_one_sentence(visit, damage):
    """Broken weights must say so in the map's place, in words, whether they come before or after the view asks."""
    tab = visit()
    tab.evaluate(
        """async damage => {
            const at = name => new URL(`app/static/${name}`, document.baseURI).href;
            const map = await import(at("views/map/map.mjs"));
            const network = structuredClone(V.options.models.find(({kind}) => kind === "vae").network);
            network.slug = "broken";
            if (damage === "activation") network.card.config.model.activation = "swoosh";
            network.weights = damage === "activation" ? network.weights + "?again"
                : URL.createObjectURL(new Blob([new Uint8Array(1000)]));
            const about = {network, slug: "broken", title: "Broken", name: "broken", code: "", dataset: "mnist"};
            const models = ["broken", "other"].map(kind => ({kind, ...about}));
            const root = document.createElement("div");
            document.body.append(root);
            const options = JSON.stringify({models, datasets: V.options.datasets, start: {left: "broken"}});
            window.refused = await map.mount(root, {data: {options}, setStateValue() {}})
                .then(() => null, error => ({name: error.name, message: error.message}));
            root.remove();
        }""",
        damage,
    )
    refused = tab.evaluate("refused")
    assert refused["name"] == "EngineError"
    assert re.fullmatch(r"[A-Z].+\.", refused["message"]) and "\n" not in refused["message"]


def test_a_conditional_model_is_told_one_label_above_and_below(visit, codes):
    """Above the CVAE drew a 3, below Python's answer showed "its drawing" for the image's own label, a 7."""
    tab = visit("?left=ae&right=cvae&image=0&y=3")
    label = int(codes["cvae"]["test_label"][0])
    assert label != 3
    answer = tab.locator('[data-testid="stMain"] .lse-tile').filter(has_text="CVAE")
    expect(answer).to_contain_text("told 3", timeout=PATIENCE)
    expect(seen(tab, "CVAE draws it, told 3")).to_be_visible()
    expect(seen(tab, f"Code and nats are those for its own label, {label}.")).to_be_visible()
    tab.get_by_label("Label that the model of the right map is told").select_option("4")
    expect(answer).to_contain_text("told 4", timeout=PATIENCE)
    expect(seen(tab, "CVAE draws it, told 4")).to_be_visible()
    tab.get_by_label("Label that the model of the right map is told").select_option("")
    expect(answer).to_contain_text("its drawing", timeout=PATIENCE)


@pytest.mark.parametrize("pair", ["ae-vae", "dae-cvae", "vae-ae"])
def test_a_walk_begins_where_both_maps_show_its_ends(visit, pair):
    """The farthest partner lay beyond the first view: a walk to somewhere that nobody sees."""
    left, right = pair.split("-")
    tab = visit(f"?left={left}&right={right}&image=0")
    tab.get_by_role("button", name="Walk").click()
    tab.wait_for_function("() => V.walk.way && L.plane.markers.get('to') && R.plane.markers.get('to')")
    inside = """side => ['from', 'to'].every(name => {
        const [x, y] = side.plane.toScreen(side.plane.markers.get(name).z);
        return x > 0 && y > 0 && x < side.plane.canvas.clientWidth && y < side.plane.canvas.clientHeight;
    })"""
    soon(lambda: tab.evaluate(f"[L, R].every({inside})"), True)
    tab.get_by_role("button", name="Find a hole").click()
    tab.wait_for_function(f"() => [L, R].every({inside})")


# Other models --------------------------------------------------------------------------------------------------------


def chosen(tab, side: str, key: str) -> None:
    """Choose a model by its select, as a hand does, and wait until its map stands."""
    tab.get_by_label(f"Model of the {'left' if side == 'L' else 'right'} map", exact=True).select_option(key)
    tab.wait_for_function(f"() => {side}.kind === '{key}'", timeout=PATIENCE)
    rest(tab)


def test_the_lists_offer_every_model_and_both_maps_stay_on_one_data_set(visit):
    """The page opens with the family; another's data set takes the other map along, with its own images and labels."""
    tab = visit()
    listed = tab.evaluate(
        """() => [...L.select.children].map(e => e.tagName === "OPTION" ? e.value
            : [e.label, [...e.children].map(o => o.value)])"""
    )
    assert listed[:4] == ["ae", "dae", "vae", "cvae"]
    groups = dict(listed[4:])
    assert "mnist-vae-2d-beta4" in groups["MNIST"] and "digits-cvae-2d" in groups["scikit-learn's digits"]
    chosen(tab, "R", "digits-cvae-2d")
    test = data.load("digits", "test")
    soon(lambda: tab.evaluate("[L.kind, R.kind, V.elements.image.max]"), ["digits-ae-2d", "digits-cvae-2d", "358"])
    # The left map has changed with it, and says so until it is chosen itself.
    expect(tab.locator(".hl .changed")).to_have_text("changed, too: both maps show scikit-learn's digits")
    codes = checkpoints.load_codes("digits-cvae-2d")
    image = lonely(codes["test_mean"], 1)[0]
    point_at(tab, "R", codes["test_mean"][image].tolist())
    label, model = int(test.labels[image]), checkpoints.load("digits-cvae-2d")[0]
    soon(
        lambda: tab.evaluate("grey(R)"),
        pytest.approx(decode(model, codes["test_mean"][image].tolist(), label), abs=STEP),
    )
    tab.mouse.down()
    tab.mouse.up()
    expect(tab.get_by_text(f"show {called(str(label))}, too").first).to_be_visible(timeout=PATIENCE)
    expect(tab.get_by_text(f"Test image {image}, a").first).to_be_visible()
    answer = tab.locator('[data-testid="stMain"] .lse-tile').filter(has_text=f"Image {image}").first
    expect(answer).to_contain_text(f"label {label}")
    rest(tab)
    chosen(tab, "L", "vae")
    soon(lambda: tab.evaluate("[L.kind, R.kind, V.elements.image.max]"), ["vae", "ae", "9999"])
    expect(tab.locator(".changed")).to_have_text("changed, too: both maps show MNIST")


def test_a_link_opens_another_model_beside_another(visit):
    """As `train` prints it, as a teacher sends it; a link to what is not there says so and opens the page as it is."""
    tab = visit("?left=mnist-vae-2d-gaussian&right=mnist-vae-2d-beta4&image=5")
    soon(lambda: tab.evaluate("[L.kind, R.kind, V.state.image]"), ["mnist-vae-2d-gaussian", "mnist-vae-2d-beta4", 5])
    model, codes = checkpoints.load("mnist-vae-2d-gaussian")[0], checkpoints.load_codes("mnist-vae-2d-gaussian")
    soon(lambda: tab.evaluate("grey(L)"), pytest.approx(decode(model, codes["test_mean"][5].tolist()), abs=STEP))
    other = visit("?left=digits-cvae-2d&layers=points.tiles&y=3")
    soon(lambda: other.evaluate("[L.kind, R.kind]"), ["digits-cvae-2d", "digits-ae-2d"])
    other.wait_for_url(re.compile("left=digits-cvae-2d.*&right=digits-ae-2d"), timeout=PATIENCE)
    missing = visit("?left=digits-vae-2d-mine")
    expect(missing.get_by_text("the model digits-vae-2d-mine: there is no such model here")).to_be_visible()
    soon(lambda: missing.evaluate("[L.kind, R.kind]"), ["ae", "vae"])


def test_a_model_with_many_numbers_is_seen_in_the_plane_of_its_codes(visit):
    """What lies under the pointer is decoded in that plane, and a drawing is put back into it."""
    tab = visit("?left=mnist-vae-20d&right=mnist-ae-20d")
    codes, (model, _) = checkpoints.load_codes("mnist-vae-20d"), checkpoints.load("mnist-vae-20d")
    pca = PCA(2, svd_solver="full").fit(codes["train_mean"].double().numpy())
    places = pca.transform(codes["test_mean"].double().numpy())
    shown = np.array(tab.evaluate("[...L.codes.mean]")).reshape(-1, 2)
    signs = np.sign((shown * places).sum(0))  # of two directions one; which, is nobody's business
    assert np.abs(shown - signs * places).max() < 1e-3
    image = lonely(torch.from_numpy(shown), 1)[0]
    point_at(tab, "L", shown[image].tolist())
    drawn = decode(model, pca.inverse_transform([signs * shown[image]])[0].tolist())
    soon(lambda: tab.evaluate("grey(L)"), pytest.approx(drawn, abs=STEP))
    expect(tab.get_by_text("The code has 20 numbers. This is the plane").first).to_be_visible()
    share = f"with {100 * pca.explained_variance_ratio_.sum():.0f}% of their variance"
    soon(lambda: share in tab.locator(".caption.cl").inner_text(), True)
    # And the way back: what it draws at a place, encoded and put into the plane.
    back = tab.evaluate("[...L.model.encode(L.model.observe(L.model.decode(Float32Array.of(0.5, -0.25)))).mean]")
    z = torch.from_numpy(pca.inverse_transform([signs * [0.5, -0.25]])).float()
    again = latent.embed(model, (latent.decode(model, z) >= 0.5).float()).mean.double().numpy()
    assert back == pytest.approx((signs * pca.transform(again))[0].tolist(), abs=0.01)


def test_a_walk_goes_along_to_another_data_set(visit):
    """Its ends must be images that this data set has."""
    tab = visit("?left=ae&right=vae&walk=9876-5432&t=0.5")
    chosen(tab, "L", "digits-vae-2d")
    soon(lambda: tab.evaluate("V.walk.way.ends"), [358, 358])
    tab.get_by_role("button", name="Find a hole").click()
    tab.wait_for_function("() => V.walk.way.ends[0] !== V.walk.way.ends[1]", timeout=PATIENCE)
    tab.locator(".ask").nth(0).get_by_role("button", name="A digit").click()
    expect(tab.locator(".verdicts p").nth(0)).to_have_text(re.compile("VAE digits at t = .*judge"), timeout=PATIENCE)


def test_a_class_of_another_data_set_is_no_class_of_these_maps(visit):
    """Otherwise a boot, class 9 of its own data set, is told to a CVAE of digits as a nine, and the text says "a 9"."""
    tab = visit("?left=cvae&right=mnist-cvae-20d&digit=digits:8")
    label = int(data.load("digits", "test").labels[8])
    soon(lambda: tab.evaluate("V.state.own && [V.told(L, null), V.told(R, null)]"), [label, label])
    soon(lambda: tab.locator(".what").inner_text(), f"The chosen digit, {called(str(label))}")
    # As Python tells of such a digit: no data set but scikit-learn's digits is on every machine.
    tab.evaluate(
        """() => {
            V.own = {...V.own, label: 25, shows: "Ankle boot", classes: Array.from({length: 26}, (_, y) => String(y))};
            V.request();
            return frames();
        }"""
    )
    soon(lambda: tab.locator(".what").inner_text(), "The chosen digit, “Ankle boot”")
    # Each model has its own opinion, of its own classes.
    guesses = tab.evaluate("[V.guesses.get(L.model), V.guesses.get(R.model.whole)]")
    soon(lambda: tab.evaluate("[V.told(L, null), V.told(R, null)]"), guesses)
    assert all(0 <= guess < 10 for guess in guesses)


def test_classes_are_not_carried_to_a_data_set_of_others(visit):
    """Otherwise who picked out the nines sees the boots, and a CVAE of clothes is told that everything is one."""
    tab = visit("?left=ae&right=cvae&y=9&only=9")
    chosen(tab, "L", "digits-vae-2d")  # also of digits
    soon(lambda: tab.evaluate("[V.state.label, [...V.state.only]]"), [9, [9]])
    # As Python tells of such a data set, now and in whatever answer is still on its way.
    tab.evaluate(
        """() => {
            const renamed = (options) => {
                const { mnist } = options.datasets;
                mnist.classes = mnist.classes.map((name) => `class ${name}`);
                return options;
            };
            let options = renamed(V.options);
            Object.defineProperty(V, "options", { get: () => options, set: (now) => (options = renamed(now)) });
        }"""
    )
    chosen(tab, "L", "vae")
    soon(lambda: tab.evaluate("[V.state.label, [...V.state.only], L.plane.found]"), [None, [], None])
