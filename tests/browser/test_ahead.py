"""What a page will import comes with its document: nothing is asked for later, nothing comes in vain."""

import re

import pytest

from ui.live import ahead
from ui.shell.pages import GROUPS, address

PATIENCE = 60_000  # milliseconds
LIVE = [page for rows in GROUPS.values() for page, *_ in rows if ahead.room(page)]
BELOW = {"parts/sheet.mjs"}  # a view of its own at the foot of a page: it need not hurry
STATIC = "/app/static/"
ASKED = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => /\\.(mjs|css)$/.test(name) && name.includes("/app/static/"))
  .map(({ name, initiatorType }) => [name.split("/app/static/")[1], initiatorType])"""


NETWORKS = """() => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("weights.safetensors"))
    .map(({ name, startTime }) => [name, startTime])"""


def named(link: str) -> set[str]:
    return {each.partition(STATIC)[2] for each in re.findall(r"<([^>]+)>", link) if STATIC in each}


@pytest.mark.parametrize("page", LIVE)
def test_a_document_names_what_its_view_imports(server, browser, page):
    """A module that is not named is found only when another has been read; the Studio's came in three ways in a row."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        answer = tab.goto(f"{server}/{address(page)}")
        first = named(answer.headers["link"])
        assert all((ahead.STATIC / name).is_file() for name in first)
        tab.locator("canvas").first.wait_for()  # in the view's own shadow tree
        tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        asked = {name for name, _ in tab.evaluate(ASKED)}
        assert asked <= first | BELOW, asked - first
    finally:
        context.close()


def test_the_code_of_streamlits_elements_comes_before_it_is_asked_for(server, browser):
    """It was asked for when the page was drawn: 230 kB in two ways to the server, before a view could begin."""
    assert {name.partition(".")[0] for name in ahead.theirs()} > set(ahead.ELEMENTS)
    context = browser.new_context()
    try:
        tab = context.new_page()
        tab.goto(server)
        tab.locator("canvas").first.wait_for(timeout=PATIENCE)
        start = dict(tab.evaluate("performance.getEntriesByType('resource').map(e => [e.name, e.startTime])"))
        asked = {url.rpartition("/")[2]: at for url, at in start.items()}
        late = {name for name in ahead.theirs() if asked[name] > asked["health"]}  # where Streamlit begins
        assert not late
        # The first network's weights, too; they are taken from there, and not fetched again.
        tab.wait_for_function(f"({NETWORKS})().length === 4", timeout=PATIENCE)
        (name, at), *others = tab.evaluate(NETWORKS)
        assert "/mnist-ae-2d/" in name and at < asked["health"]
        assert len({name, *(other for other, _ in others)}) == 4
    finally:
        context.close()


def test_only_pages_carry_the_names(server, browser):
    """A header of kilobytes on each of a hundred files would cost more than it saves."""
    context = browser.new_context()
    try:
        get = context.request.get
        assert "link" in get(f"{server}/Map").headers
        assert "link" not in get(f"{server}/Models").headers  # it has no view
        for other in ("app/static/host.mjs", "_stcore/health", "nowhere"):
            assert "link" not in get(f"{server}/{other}").headers
    finally:
        context.close()


PLACES = """
window.places = [];
(function look() {
    const title = document.querySelector("h1"), box = title?.getBoundingClientRect();
    const place = box && [box.left, box.top, getComputedStyle(title).fontSize].join();
    if (box && place !== places.at(-1)) places.push(place);
    requestAnimationFrame(look);
})();
"""


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)], ids=["phone", "desktop"])
@pytest.mark.parametrize("page", ["", "Models"])
def test_a_title_is_drawn_where_it_stays(server, browser, page, size):
    """The sheet came after the title, which jumped by 34 pixels on a phone, and by 61 and 45 on a desktop."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    try:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.add_init_script(PLACES)
        tab.goto(f"{server}/{page}")
        tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        tab.locator(".lse-lead").wait_for()  # what `st.html` brings is there
        tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert len(tab.evaluate("places")) == 1
    finally:
        context.close()
