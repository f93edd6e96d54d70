"""What stands out on the page "Map": classes that were pressed, and what a lasso has caught."""

import re

import numpy as np
import torch
from hands import seen, soon
from playwright.sync_api import expect

from tests.browser import test_map
from tests.browser.test_map import PHONE, leave_and_come_back

visit, codes, networks = test_map.visit, test_map.codes, test_map.networks  # fixtures

# How many codes stand out on each map, and whether each of them is of these classes.
STANDING = """labels => [L, R].map(({plane, codes}) => {
    const on = [...codes.label.keys()].filter(i => !plane.standing || plane.standing[i]);
    return [on.length, on.every(i => labels.includes(codes.label[i]))];
})"""


def chip(tab, name: str):
    return tab.get_by_role("group", name="Classes that stand out").get_by_role("button", name=name, exact=True)


# Classes --------------------------------------------------------------------------------------------------------------


def test_a_class_that_is_pressed_stands_out_on_both_maps(visit, codes):
    """A colour among ten is hard to follow: alone it shows at once where its class lies; no pointer meets another."""
    tab = visit()
    label = codes["ae"]["test_label"]
    chip(tab, "4").click()
    expect(chip(tab, "4")).to_have_attribute("aria-pressed", "true")
    fours = int((label == 4).sum())
    soon(lambda: tab.evaluate(STANDING, [4]), [[fours, True]] * 2)
    expect(tab.get_by_text(f"{fours} of 10,000 codes stand out", exact=True)).to_be_visible()
    # A dot of another class is grey now, and nothing under a pointer; one of this class is as before.
    for wanted, found in ((1, False), (4, True)):
        image = next(i for i in test_map.lonely(codes["vae"]["test_mean"], 200) if label[i] == wanted)
        test_map.point_at(tab, "R", codes["vae"]["test_mean"][image].tolist())
        soon(lambda: tab.evaluate("V.hover.index") == image, found)
        x, y = tab.evaluate(f"R.plane.toScreen(codeOf(R, {image}))")
        tab.mouse.move(5, 5)
        tab.evaluate("frames()")
        red, green, blue, _ = tab.evaluate("([x, y]) => painted(R, x, y)", [x, y])
        assert (max(red, green, blue) - min(red, green, blue) > 40) == found, (red, green, blue)
    # With the keyboard another one joins, and all come back.
    chip(tab, "9").focus()
    tab.keyboard.press("Space")
    soon(lambda: tab.evaluate(STANDING, [4, 9])[0], [fours + int((label == 9).sum()), True])
    tab.get_by_role("button", name="All", exact=True).click()
    soon(lambda: tab.evaluate(STANDING, list(range(10))), [[10_000, True]] * 2)
    expect(chip(tab, "4")).to_have_attribute("aria-pressed", "false")


def test_pressed_classes_are_in_the_link_and_outlive_reload_and_switch(visit):
    """State and its control are one thing: who is sent the link, or comes back, sees the same classes pressed."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    chip(tab, "3").tap()
    chip(tab, "5").tap()
    tab.wait_for_url(re.compile(r"only=3\.5"))

    def whole(page):
        for name in "0123456789":
            expect(chip(page, name)).to_have_attribute("aria-pressed", str(name in "35").lower())
        soon(lambda: page.evaluate(STANDING, [3, 5])[1][1], True)

    whole(visit("?" + tab.url.split("?")[1]))
    tab.reload()
    tab.wait_for_function(test_map.FIND)
    whole(tab)
    wide = visit()
    chip(wide, "3").click()
    chip(wide, "5").click()
    leave_and_come_back(wide)
    whole(wide)
    cut = visit("?only=3.x&image=5")
    expect(cut.get_by_role("button", name="All", exact=True)).to_have_attribute("aria-pressed", "true")
    other = visit("?only=3.77")  # a class that this data set lacks
    soon(lambda: other.evaluate("[...V.state.only]"), [3])


def test_twenty_six_classes_fit_a_phone(visit):
    """A legend that sticks out of the page cannot be pressed."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    tab.evaluate("V.legend.setClasses([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'], Array(26).fill('#3f90da'))")
    boxes = tab.evaluate(
        "V.legend.chips.map(e => { const b = e.getBoundingClientRect(); return [b.x, b.right, b.width, b.height]; })"
    )
    assert len(boxes) == 26 and all(x >= 0 and right <= 390 and min(w, h) >= 24 for x, right, w, h in boxes)
    soon(lambda: tab.evaluate("document.documentElement.scrollWidth") <= 390, True)


# The lasso ------------------------------------------------------------------------------------------------------------

# A loop's corners and the images inside, counted by the browser's own canvas geometry.
INSIDE = """() => {
    const {side, corners} = V.lasso.loop, {codes} = V.sides.find(s => s.name === side), path = new Path2D();
    corners.forEach(([x, y], k) => path[k ? "lineTo" : "moveTo"](x * 1000, y * 1000));
    const ctx = document.createElement("canvas").getContext("2d");
    const at = i => ctx.isPointInPath(path, codes.mean[2 * i] * 1000, codes.mean[2 * i + 1] * 1000);
    return [...codes.label.keys()].filter(at);
}"""
ROWS = "[...V.caught.tally.children].map(e => Number(e.querySelector('small').textContent.replace(',', '')))"
LIT = "[L, R].map(({plane}) => [...plane.standing.keys()].filter(i => plane.standing[i]))"
FULL = "() => V.caught.caught?.images.length"


def around(tab, side: str, z, radius: float, count: int = 30) -> list[tuple[float, float]]:
    """Places on the screen, round a place of a map; the radius in units of it."""
    turns = np.linspace(0, 2 * np.pi, count, endpoint=False)
    places = [[z[0] + radius * np.cos(a), z[1] + radius * np.sin(a)] for a in turns]
    return [tuple(tab.evaluate(f"z => onScreen({side}, z)", place)) for place in places]


def pull(tab, places) -> None:
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place)
    tab.mouse.up()


def check(tab, codes, side: str, kind: str) -> int:
    """What stands out on both maps, is counted and shown is what lies in the loop. Returns how many."""
    tab.wait_for_function(FULL)
    images = tab.evaluate(INSIDE)
    soon(lambda: tab.evaluate(LIT) == [images, images] and len(images) > 20, True)
    rows = tab.evaluate(ROWS)
    assert rows == np.bincount(codes[kind]["test_label"][images].numpy(), minlength=10).tolist()
    expect(seen(tab, f"{len(images):,} codes caught on the {kind.upper()}'s map.")).to_be_visible()
    # How well they stay together, against all distances.
    for other in ("ae", "vae"):
        mean = codes[other]["test_mean"].float()
        distance = torch.cdist(mean[images], mean)
        distance[torch.arange(len(images)), torch.tensor(images)] = torch.inf
        share = torch.isin(distance.argmin(1), torch.tensor(images)).float().mean()
        words = r"For (\d+)% of them" if other == kind else rf"on the {other.upper()}'s map it is for (\d+)%"
        said = re.search(words, tab.evaluate("V.caught.said.textContent"))
        assert abs(int(said[1]) - 100 * share) <= 0.51 + 100 / len(images)  # a tie may fall either way
    return len(images)


def test_a_loop_of_the_mouse_lights_up_on_both_maps_and_travels_in_the_link(visit, codes, networks):
    """What is close for the AE, is it close for the VAE? The same images must stand out on both, and for whoever is
    sent the link."""
    tab = visit()
    sent = len(tab.sent)
    tab.get_by_role("button", name="Lasso").click()
    height = tab.evaluate("V.caught.element.offsetHeight")
    tab.evaluate("""() => {  // a point stamped anew, or a base drawn, while the hand draws
        window.stale = 0;
        Object.defineProperty(L.plane, "stale", {get: () => L.was, set: v => { L.was = v; stale += v; }});
    }""")
    places = around(tab, "L", [-2.5, 0.5], 1.5)
    tab.mouse.move(*places[0])
    tab.mouse.down()
    for place in places[1:]:
        tab.mouse.move(*place)
    tab.evaluate("frames()")
    soon(lambda: tab.evaluate("stale"), 0)  # all points anew in every frame would make the hand wait
    tab.mouse.up()
    count = check(tab, codes, "L", "ae")
    soon(lambda: tab.evaluate("stale") > 0, True)
    soon(lambda: tab.evaluate("V.caught.element.offsetHeight"), height)  # its room was there before
    assert tab.evaluate("V.state.image") == 0 and len(tab.sent) == sent  # nothing is picked, and Python is not asked
    # The tiles: nearest to the middle first, as the AE draws them.
    shown = tab.evaluate("V.caught.tiles.map(t => t.image).filter(i => i !== null)")
    assert len(shown) == min(48, count)
    mean = codes["ae"]["test_mean"].float()
    images = tab.evaluate("V.caught.caught.images")
    distance = (mean[shown] - mean[images].sort(0).values[len(images) // 2]).norm(dim=1)
    assert (distance.diff() >= -1e-5).all()
    tab.wait_for_function(
        "() => V.caught.tiles[5].canvas.getContext('2d').getImageData(0, 0, 28, 28).data.some(v => v > 0 && v < 255)"
    )
    grey = np.array(tab.evaluate("grey({tile: V.caught.tiles[5].canvas})"))
    assert np.abs(grey - test_map.decode(networks["ae"], mean[shown[5]].tolist())).max() <= test_map.STEP
    tab.wait_for_url(re.compile("lasso=left"))
    again = visit("?" + tab.url.split("?")[1])
    assert check(again, codes, "L", "ae") == count
    expect(again.get_by_role("button", name="Lasso")).to_have_attribute("aria-pressed", "true")
    soon(lambda: again.evaluate("V.caught.tiles.map(t => t.image).filter(i => i !== null)"), shown)
    tab.bring_to_front()
    leave_and_come_back(tab)
    assert check(tab, codes, "L", "ae") == count
    # With fewer classes fewer are caught: a shadow is not.
    before = tab.evaluate("V.caught.caught.images")
    chip(tab, "9").click()
    label = codes["ae"]["test_label"]
    soon(lambda: tab.evaluate("V.caught.caught.images"), [i for i in before if label[i] == 9])
    # A tile picks its image; Escape takes the loop away, and then the lasso.
    tab.get_by_role("button", name="All", exact=True).click()
    tab.evaluate("V.caught.tiles[3].made.click()")
    tab.wait_for_function(f"() => V.state.image === {shown[3]}")
    tab.get_by_role("button", name="Lasso").focus()
    tab.keyboard.press("Escape")
    soon(lambda: tab.evaluate("[V.lasso.loop, V.lasso.on, L.plane.standing]"), [None, True, None])
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("button", name="Lasso")).to_have_attribute("aria-pressed", "false")
    tab.wait_for_url(lambda url: "lasso" not in url)


def test_shift_and_the_mouse_catch_and_a_drag_alone_moves_the_map(visit, codes):
    """A mode that must be looked for is not found; and a lasso that swallows every drag takes the map away."""
    tab = visit()
    places = around(tab, "R", [0.2, -0.6], 0.5)
    tab.keyboard.down("Shift")
    pull(tab, places)
    tab.keyboard.up("Shift")
    check(tab, codes, "R", "vae")
    tab.get_by_role("button", name="Clear", exact=True).click()
    soon(lambda: tab.evaluate("V.lasso.loop"), None)
    tab.get_by_role("button", name="Lasso").click()
    centre = tab.evaluate("R.plane.centre")
    pull(tab, places[:4])
    soon(lambda: tab.evaluate("V.lasso.loop") is None and tab.evaluate("R.plane.centre") != centre, True)


def test_keys_catch_what_lies_in_a_box(visit, codes):
    """Whoever cannot draw a loop marks two corners."""
    tab = visit("?lasso=on")
    tab.evaluate("R.plane.canvas.focus()")
    sent = len(tab.sent)
    tab.keyboard.press("Home")
    tab.keyboard.press("Enter")
    for key in ("Shift+ArrowRight", "Shift+ArrowUp") * 2:
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")
    check(tab, codes, "R", "vae")
    assert len(tab.evaluate("V.lasso.loop.corners")) == 4 and len(tab.sent) == sent
    tab.get_by_role("button", name="Walk between two digits").click()  # a drag is one or the other
    soon(lambda: tab.evaluate("[V.lasso.on, L.plane.standing]"), [False, None])


def test_a_finger_draws_a_loop_and_two_still_zoom(visit, codes):
    """On a phone there is no Shift, and the page must not scroll away under the loop."""
    tab = visit("?lasso=on", viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    tab.evaluate("R.plane.canvas.scrollIntoView({block: 'end'})")
    tab.evaluate("frames()")
    finger = tab.context.new_cdp_session(tab)

    def touch(kind, *points):
        finger.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]},
        )

    places = around(tab, "R", [0.2, -0.6], 0.6)
    scrolled = tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    touch("touchStart", places[0])
    for place in places[1:]:
        touch("touchMove", place)
    touch("touchEnd")
    count = check(tab, codes, "R", "vae")
    soon(lambda: tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop"), scrolled)
    # What was caught comes right under the map that was used, and nothing above it has moved.
    under, map_ends = tab.evaluate(
        "[V.caught.element.getBoundingClientRect().top, R.host.getBoundingClientRect().bottom]"
    )
    assert map_ends <= under < map_ends + 40
    assert np.allclose(around(tab, "R", [0.2, -0.6], 0.6), places, atol=0.5)
    span = tab.evaluate("R.plane.span")
    (x, y) = tab.evaluate("onScreen(R, [0, 0])")
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    soon(lambda: tab.evaluate("R.plane.span") < span and tab.evaluate("V.caught.caught.images.length") == count, True)


def test_a_cut_lasso_opens_the_page_as_it_is(visit):
    """Links get cut, and anybody may write one."""
    for text in ("up,1,2,3,4,5,6", "left,1,2,3,4,5,6,7", "left," + "1," * 2000):
        tab = visit(f"?image=3&lasso={text}")
        assert tab.evaluate("[V.lasso.on, V.lasso.loop, V.state.image]") == [False, None, 3], text
        tab.close()


def test_a_link_to_a_walk_has_no_loop(visit):
    """Otherwise most codes stand back on both maps, and nothing on the page says why."""
    tab = visit("?walk=3-8&t=0.5&lasso=left,-1,-1,1,-1,1,1")
    soon(
        lambda: tab.evaluate("[V.walk.way.ends, V.lasso.on, V.lasso.loop, L.plane.found]"), [[3, 8], False, None, None]
    )
