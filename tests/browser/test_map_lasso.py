"""What stands out on the page "Map": classes that were pressed, and what a lasso has caught."""

import re

from playwright.sync_api import expect

from tests.browser import test_map
from tests.browser.test_map import PHONE, leave_and_come_back

visit, codes = test_map.visit, test_map.codes  # fixtures

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
    assert tab.evaluate(STANDING, [4]) == [[fours, True]] * 2
    expect(tab.get_by_text(f"{fours} of 10,000 codes stand out", exact=True)).to_be_visible()
    # A dot of another class is grey now, and nothing under a pointer; one of this class is as before.
    for wanted, found in ((1, False), (4, True)):
        image = next(i for i in test_map.lonely(codes["vae"]["test_mean"], 200) if label[i] == wanted)
        test_map.point_at(tab, "R", codes["vae"]["test_mean"][image].tolist())
        assert (tab.evaluate("V.hover.index") == image) == found
        x, y = tab.evaluate(f"R.plane.toScreen(codeOf(R, {image}))")
        tab.mouse.move(5, 5)
        tab.evaluate("frames()")
        red, green, blue, _ = tab.evaluate("([x, y]) => painted(R, x, y)", [x, y])
        assert (max(red, green, blue) - min(red, green, blue) > 40) == found, (red, green, blue)
    # With the keyboard another one joins, and all come back.
    chip(tab, "9").focus()
    tab.keyboard.press("Space")
    assert tab.evaluate(STANDING, [4, 9])[0] == [fours + int((label == 9).sum()), True]
    tab.get_by_role("button", name="All", exact=True).click()
    assert tab.evaluate(STANDING, list(range(10))) == [[10_000, True]] * 2
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
        assert page.evaluate(STANDING, [3, 5])[1][1]

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
    assert other.evaluate("[...V.state.only]") == [3]


def test_twenty_six_classes_fit_a_phone(visit):
    """A legend that sticks out of the page cannot be pressed."""
    tab = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    tab.evaluate("V.legend.setClasses([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'], Array(26).fill('#3f90da'))")
    boxes = tab.evaluate(
        "V.legend.chips.map(e => { const b = e.getBoundingClientRect(); return [b.x, b.right, b.width, b.height]; })"
    )
    assert len(boxes) == 26 and all(x >= 0 and right <= 390 and min(w, h) >= 24 for x, right, w, h in boxes)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
