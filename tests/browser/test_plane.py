"""The canvas map by itself in a real browser: where it draws, what it finds, what a hand does to it."""

from pathlib import Path

import numpy as np
import pytest
from tabs import serve_files

from ui.parts import scatter
from ui.shell.family import DIGIT_COLOURS

STATIC = Path(__file__).resolve().parents[2] / "static"
ORIGIN = "https://plane.test/"  # answered from the disk
SIDE = 400  # CSS pixels of the map

# A plane with its events listed; `pixel(x, y)` is the painted colour, `frames()` waits until it is painted.
SETUP = """async ({codes, labels, colours, side}) => {
    const { Plane } = await import("./parts/plane.mjs");
    document.body.innerHTML = `<div id="host" style="width:${side}px;height:${side}px"></div>`;
    window.events = [];
    window.plane = new Plane(document.getElementById("host"), {labelText: "Map under test"});
    for (const name of ["onHover", "onPick", "onDrag", "onRelease"]) {
        plane[name] = (...args) => events.push([name, ...JSON.parse(JSON.stringify(args))]);
    }
    plane.setCodes({mean: Float32Array.from(codes), label: Uint8Array.from(labels)}, colours);
    window.frames = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())));
    window.pixel = (...at) => [...plane.ctx.getImageData(...at.map(v => Math.round(v * plane.ratio)), 1, 1).data];
    await frames();
}"""


@pytest.fixture(scope="module")
def cloud() -> tuple[np.ndarray, np.ndarray]:
    """Codes (3000, 2) as models place them: dense in the middle, heavy tails, not about the origin."""
    random = np.random.default_rng(0)
    mean = (random.standard_t(2, size=(3000, 2)) * [1.5, 0.7] + [4, -2]).astype(np.float32)
    return mean, random.integers(0, 10, 3000)


@pytest.fixture
def open_plane(browser):
    """open_plane(codes, labels, **context) → a page with `plane`; a device pixel ratio of 2 unless another is asked."""
    contexts = []

    def build(codes, labels, **settings):
        context = browser.new_context(
            **{"device_scale_factor": 2, "viewport": {"width": 600, "height": 600}, **settings}
        )
        contexts.append(context)
        serve_files(context, ORIGIN, STATIC, "<!doctype html><body style='margin:0'>")
        page = context.new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(ORIGIN)
        page.evaluate(
            SETUP,
            {
                "codes": np.asarray(codes, float).ravel().tolist(),
                "labels": np.asarray(labels).tolist(),
                "colours": list(DIGIT_COLOURS),
                "side": SIDE,
            },
        )
        return page

    yield build
    for context in contexts:
        wrong = [error for page in context.pages for error in page.wrong]
        context.close()
        assert wrong == []


def rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def digit_of(painted: list[int]) -> int | None:
    """Whose colour this is, nearly: points are a little transparent and their edges soft. None where it is nobody's."""
    distance = [max(abs(a - b) for a, b in zip(painted[:3], rgb(c), strict=True)) for c in DIGIT_COLOURS]
    return int(np.argmin(distance)) if min(distance) < 60 else None


# Where things lie ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1, 2])
def test_points_lie_where_their_codes_lie(open_plane, ratio):
    """z₁ to the right, z₂ up, one unit equally long both ways: anything else shows another distribution."""
    codes = [(-1.0, -1.0), (3.0, -1.0), (-1.0, 1.0), (2.5, 0.5)]
    page = open_plane(codes, [0, 1, 2, 4], device_scale_factor=ratio)
    page.evaluate("plane.showNumerals = false; plane.redraw(); frames()")
    page.evaluate("frames()")
    half, centre = page.evaluate("plane.home.half"), page.evaluate("plane.home.centre")
    for (z1, z2), label in zip(codes, [0, 1, 2, 4], strict=True):
        x = SIDE / 2 + (z1 - centre[0]) / half * SIDE / 2
        y = SIDE / 2 - (z2 - centre[1]) / half * SIDE / 2
        assert page.evaluate("z => plane.toScreen(z)", [z1, z2]) == pytest.approx([x, y])
        painted = page.evaluate("([x, y]) => pixel(x, y)", [x, y])
        assert digit_of(painted) == label, (z1, z2, painted)


def test_screen_and_code_are_inverse_after_zoom_and_resize(open_plane, cloud):
    """A map that has been zoomed or resized must still know which z the pointer means."""
    page = open_plane(*cloud)
    page.mouse.move(120, 90)
    held = page.evaluate("plane.toCode(120, 90)")
    page.mouse.wheel(0, -400)
    page.evaluate("frames()")
    assert page.evaluate("plane.span") < 2 * page.evaluate("plane.home.half") * 0.8
    assert page.evaluate("plane.toCode(120, 90)") == pytest.approx(held, abs=1e-9)  # zoomed about the pointer
    page.evaluate("document.getElementById('host').style.width = '300px'")
    page.wait_for_function("plane.width === 300")
    for x, y in ((0, 0), (17, 390), (300, 200)):
        back = page.evaluate("([x, y]) => plane.toScreen(plane.toCode(x, y))", [x, y])
        assert back == pytest.approx([x, y], abs=1e-6)


def test_the_ellipse_of_a_marker_has_half_axes_of_sigma(open_plane):
    """An ellipse that is not true to scale says a posterior is wide where it is narrow."""
    page = open_plane([(-4.0, -4.0), (4.0, 4.0)], [0, 1])
    page.evaluate("""() => {
        plane.showPoints = plane.showNumerals = false;
        plane.redraw();
        plane.setMarker("q", {z: [0.5, -0.25], sigma: [2, 0.75], colour: "#00ff00", size: 3});
    }""")
    page.evaluate("frames()")
    scale = page.evaluate("plane.scale")
    # From the centre outwards along both axes: the stroke is where green is strongest.
    reach = page.evaluate("""() => {
        const [x, y] = plane.toScreen([0.5, -0.25]);
        const edge = (dx, dy) => {
            let best = [0, 0];
            for (let r = 8; r < 190; r += 0.5) {
                const [red, green, blue] = pixel(x + dx * r, y + dy * r);
                const strength = green - (red + blue) / 2;
                if (strength > best[1]) best = [r, strength];
            }
            return best[0];
        };
        return [edge(1, 0), edge(-1, 0), edge(0, 1), edge(0, -1)];
    }""")
    assert [r / scale for r in reach] == pytest.approx([2, 2, 0.75, 0.75], abs=1.5 / scale)


def test_circles_are_one_and_two_units(open_plane, cloud):
    """The prior's circles are read as 1σ and 2σ of N(0, I): their radius is 1 and 2 in the map's units."""
    page = open_plane([(-3.0, -3.0), (3.0, 3.0)], [0, 1])
    page.evaluate("plane.showPoints = plane.showNumerals = false; plane.setCircles('prior')")
    page.evaluate("frames()")
    share = page.evaluate("""() => [0.8, 1, 1.5, 2, 2.3].map(radius => {
        const [x, y] = plane.toScreen([0, 0]);
        const ground = pixel(x + 3, y + 3).join();
        let other = 0;
        for (let k = 0; k < 360; k++) {
            const a = k * Math.PI / 180;
            const r = radius * plane.scale;
            if (pixel(x + r * Math.cos(a), y + r * Math.sin(a)).join() !== ground) other++;
        }
        return other / 360;
    })""")
    # Dashes on 1 and 2; elsewhere only the words beside the circles.
    assert share[1] > 0.4 and share[3] > 0.4
    assert max(share[0], share[2], share[4]) < 0.15


def test_the_first_view_is_the_servers(open_plane, cloud):
    """The picture from the server and the live map must show the same square, or everything jumps."""
    page = open_plane(*cloud)
    centre, half = scatter.extent(cloud[0])
    assert page.evaluate("plane.home.centre") == pytest.approx(centre.tolist(), rel=1e-5)
    assert page.evaluate("plane.home.half") == pytest.approx(half, rel=1e-5)


# Who is near --------------------------------------------------------------------------------------------------------


def test_nearest_is_the_nearest(open_plane, cloud):
    """The index must not miss a nearer code in a neighbouring cell, nor one far outside of its grid."""
    page = open_plane(*cloud)
    mean = cloud[0].astype(float)
    random = np.random.default_rng(1)
    asked = np.concatenate([mean[:100] + 0.05, random.uniform(-60, 60, (200, 2)), random.normal(4, 2, (200, 2))])
    got = page.evaluate("zs => zs.map(z => plane.nearest(z))", asked.tolist())
    distance = np.linalg.norm(mean[None] - asked[:, None], axis=2)
    best = distance.min(1)
    assert distance[np.arange(len(asked)), got] == pytest.approx(best, rel=1e-5, abs=1e-6)
    within = page.evaluate("zs => zs.map(z => plane.nearest(z, 0.02))", asked.tolist())
    assert [w is None for w in within] == (best > 0.02).tolist()


# The hand -----------------------------------------------------------------------------------------------------------


def test_hover_pan_and_click_mean_the_place_under_the_pointer(open_plane):
    """A click that moves the map, or a drag that picks, makes the map unusable."""
    codes = [(-2.0, -2.0), (2.0, 2.0), (0.0, 1.0)]
    page = open_plane(codes, [0, 1, 2])
    x, y = page.evaluate("plane.toScreen([0, 1])")
    page.mouse.move(x + 2, y)
    name, z, index = page.evaluate("events.at(-1)")
    assert name == "onHover" and index == 2
    assert z == pytest.approx(page.evaluate("([x, y]) => plane.toCode(x, y)", [x + 2, y]))
    page.mouse.click(x + 2, y)
    assert page.evaluate("events.filter(e => e[0] === 'onPick').map(e => e[2])") == [2]

    page.mouse.move(300, 300)
    held = page.evaluate("plane.toCode(300, 300)")
    page.mouse.down()
    page.mouse.move(240, 330, steps=6)
    page.mouse.up()
    assert page.evaluate("plane.toCode(240, 330)") == pytest.approx(held)  # the place came along
    assert page.evaluate("events.filter(e => e[0] === 'onPick').length") == 1
    page.mouse.move(599, 599)
    assert page.evaluate("events.at(-1)") == ["onHover", None, None]


def test_a_marker_can_be_pulled(open_plane):
    """The walk's handle and the Studio's codes are pulled by their markers; the map stays where it is."""
    page = open_plane([(-2.0, -2.0), (2.0, 2.0)], [0, 1])
    page.evaluate("plane.setMarker('t', {z: [0, 0], drag: true})")
    before = page.evaluate("plane.centre")
    x, y = page.evaluate("plane.toScreen([0, 0])")
    page.mouse.move(x + 5, y - 4)
    page.mouse.down()
    page.mouse.move(x + 60, y - 40, steps=5)
    page.mouse.up()
    drags = page.evaluate("events.filter(e => e[0] === 'onDrag')")
    assert drags[-1][1] == "t"
    assert drags[-1][2] == pytest.approx(page.evaluate("([x, y]) => plane.toCode(x, y)", [x + 60, y - 40]))
    assert page.evaluate("events.filter(e => e[0] === 'onRelease').map(e => e[1])") == ["t"]
    assert page.evaluate("plane.centre") == before
    assert page.evaluate("events.filter(e => e[0] === 'onPick')") == []


def test_keys_do_what_the_pointer_does(open_plane, cloud):
    """Whoever has no mouse moves a cursor: arrows a little, page keys far, Home to the origin, Enter picks."""
    page = open_plane(*cloud)
    page.locator("canvas").focus()
    page.keyboard.press("Home")
    assert page.evaluate("plane.cursor") == [0, 0]
    low, high = page.evaluate("[plane.bounds().slice(0, 2), plane.bounds().slice(2)]")
    assert all(a <= 0 <= b for a, b in zip(low, high, strict=True))  # in sight
    page.keyboard.press("ArrowRight")
    near = page.evaluate("plane.cursor")
    page.keyboard.press("PageUp")
    far = page.evaluate("plane.cursor")
    assert near[0] > 0 and near[1] == 0
    assert far[1] > 5 * near[0]
    span = page.evaluate("plane.span")
    page.keyboard.press("+")
    assert page.evaluate("plane.span") < span
    page.keyboard.press("Enter")
    name, z, index = page.evaluate("events.at(-1)")
    assert name == "onPick" and z == pytest.approx(far)
    assert index == page.evaluate("z => plane.nearest(z, 7 / plane.scale)", z)
    outline = page.evaluate("getComputedStyle(plane.canvas).outlineStyle")
    assert outline == "solid"  # the focus can be seen
    page.keyboard.press("Escape")
    assert page.evaluate("plane.cursor") is None


def test_fingers_look_pinch_and_tap(open_plane, cloud):
    """One finger looks around, two zoom about the place between them, a tap picks; the page does not scroll away."""
    page = open_plane(*cloud, has_touch=True)
    assert page.evaluate("getComputedStyle(plane.canvas).touchAction") == "none"
    finger = page.context.new_cdp_session(page)

    def touch(kind, *points):
        finger.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]},
        )

    touch("touchStart", (100, 100))
    touch("touchMove", (180, 150))
    z = page.evaluate("events.at(-1)[1]")
    assert z == pytest.approx(page.evaluate("plane.toCode(180, 150)"))
    touch("touchEnd")
    assert page.evaluate("events.every(e => e[0] === 'onHover')")  # looking around picks nothing

    held = page.evaluate("plane.toCode(200, 200)")
    span = page.evaluate("plane.span")
    touch("touchStart", (180, 200), (220, 200))
    touch("touchMove", (160, 200), (240, 200))
    touch("touchEnd")
    assert page.evaluate("plane.span") == pytest.approx(span / 2, rel=1e-6)
    assert page.evaluate("plane.toCode(200, 200)") == pytest.approx(held, abs=1e-6)
    assert page.evaluate("events.filter(e => e[0] === 'onPick').length") == 0
    page.touchscreen.tap(210, 190)
    page.wait_for_function("events.some(e => e[0] === 'onPick')")


def test_ten_thousand_points_cost_one_pass(open_plane):
    """Hovering must not stamp the points again: the base is only drawn when the view has changed."""
    random = np.random.default_rng(2)
    page = open_plane(random.normal(size=(10_000, 2)), random.integers(0, 10, 10_000))
    page.evaluate("""() => {
        window.passes = 0;
        plane.under.push(() => passes++);
        plane.redraw();
    }""")
    page.evaluate("frames()")
    page.mouse.move(10, 10)
    page.evaluate("plane.setMarker('hover', {z: [0, 0]})")
    page.mouse.move(300, 200, steps=20)
    page.evaluate("frames()")
    assert page.evaluate("passes") == 1
    page.mouse.wheel(0, -100)
    page.evaluate("frames()")
    assert page.evaluate("passes") == 2


def test_a_place_beyond_the_map_has_an_arrow_at_the_edge(open_plane, cloud):
    """Otherwise a code that lies out of sight is gone without a word; one that is in sight needs no arrow."""
    page = open_plane(*cloud)
    page.evaluate("plane.layers.push(ctx => plane.pointTo(ctx, window.far, {colour: '#ff0000'}))")
    for times, red in ((2, True), (0.1, False)):
        page.evaluate(
            """async times => {
                window.far = [plane.centre[0] + times * plane.span, plane.centre[1]];
                plane.request();
                await frames();
            }""",
            times,
        )
        assert (page.evaluate(f"pixel({SIDE - 12}, {SIDE / 2})")[:3] == [255, 0, 0]) is red


def test_a_circles_name_covers_no_number_of_the_ticks(open_plane, cloud):
    """At the lower edge "2σ" lay on the tick "0", whatever the view."""
    page = open_plane(*cloud)
    page.evaluate("""() => {
        plane.setCircles("prior");
        window.said = [];
        const write = plane.text;
        plane.text = (ctx, words, x, y, how) => {
            said.push([words, x, y]);
            write.call(plane, ctx, words, x, y, how);
        };
    }""")
    for foot in range(SIDE - 60, SIDE + 30, 5):  # where the circle of 2 σ ends
        said = page.evaluate(
            """async ([foot, side]) => {
                plane.setView([0, 0], 8);
                plane.setView([0, (foot - side / 2) / plane.scale - 2], 8);
                window.said = [];
                plane.redraw();
                await frames();
                return said;
            }""",
            [foot, SIDE],
        )
        (zero,) = [(x, y) for words, x, y in said if words == "0" and x > 20]
        for x, y in [(x, y) for words, x, y in said if words == "2σ"]:
            assert abs(x - zero[0]) > 12 or zero[1] - y >= 12, foot
            assert y > 0
        assert foot > SIDE + 9 or any(words == "2σ" for words, _, _ in said), foot
