"""Every page in a real browser: it opens, says nothing wrong, fits a phone, and has two themes."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parents[2]
# The list is the folder: a new page cannot be forgotten.
PAGES = ["app.py", *sorted(path.name for path in (ROOT / "pages").glob("[0-9]*_*.py"))]
DESKTOP, WIDE, PHONE = (1280, 900), (1920, 1080), (390, 844)
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
EXCEPTION = '[data-testid="stException"]'
PATIENCE = 60_000  # milliseconds

# The luminances of WCAG 2.2, of the page and of its heading; colours as Chromium writes them.
LUMINANCES = """() => {
    const luminance = (element, property) => {
        const [r, g, b] = getComputedStyle(element)[property].match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [luminance(document.querySelector('[data-testid="stApp"]'), "backgroundColor"),
            luminance(document.querySelector("h1"), "color")];
}"""
# What sticks out to the right and is not inside something that scrolls by itself.
WIDER_THAN_THE_SCREEN = """() => {
    const main = document.querySelector('[data-testid="stMain"]');
    const scrolls = e =>
        e !== main && (getComputedStyle(e).overflowX !== "visible" || scrolls(e.parentElement));
    return [...main.querySelectorAll("*")]
        .map(e => [e, e.getBoundingClientRect()])
        .filter(([e, box]) => box.width && box.right > innerWidth + 1 && !scrolls(e.parentElement))
        .map(([e, box]) => `${e.tagName} ${e.dataset.testid || e.className}: ${Math.round(box.right)}`);
}"""


def address_of(page: str) -> str:
    """Streamlit's rule: pages/3_Interpolate.py is served as /Interpolate."""
    return "" if page == "app.py" else re.sub(r"^\d+_", "", page.removesuffix(".py"))


@pytest.fixture
def visit(server, window):
    """Open a page in a window of a size and wait until it has run; what goes wrong is listed in `.wrong`."""
    opened = []

    def open_page(page: str, size: tuple[int, int]):
        tab = window(*size).new_page()
        opened.append(tab)
        tab.wrong = []
        tab.on("console", lambda message: is_an_error(message) and tab.wrong.append(message.text))
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        tab.on("request", lambda asked: is_foreign(asked.url) and tab.wrong.append(f"asked for {asked.url}"))
        tab.goto(f"{server}/{address_of(page)}", timeout=PATIENCE)
        tab.wait_for_selector(f"{READY} :is(h1, {EXCEPTION})", timeout=PATIENCE)
        settle(tab)
        return tab

    yield open_page
    for tab in opened:
        tab.close()


def is_an_error(message) -> bool:
    # On a deep link Streamlit's frontend first looks for its server below the page's address: 404.
    probes = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
    return message.type == "error" and not probes


def is_foreign(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).hostname != "127.0.0.1"


def settle(tab) -> None:
    """Wait until the script rests, nothing is greyed out as stale, and pictures and fonts are there."""
    tab.wait_for_selector(READY, timeout=PATIENCE)
    tab.wait_for_function(
        "() => !document.querySelector('[data-stale=\"true\"]') && document.fonts.status === 'loaded'"
        " && [...document.images].every(image => image.complete)",
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", PAGES)
def test_page_opens(visit, page, size):
    """AppTest runs the Python; only a browser runs what Streamlit, Plotly and our modules make of it.

    Both sizes and both themes: no exception, no error in the console, no request to a foreign host, one
    heading, nothing wider than the screen, and text that can be read.
    """
    tab = visit(page, size)
    assert tab.locator(EXCEPTION).count() == 0, tab.inner_text("body")
    assert tab.locator("h1").count() == 1 and tab.locator("h1").inner_text().strip()
    # All at once: a first picture may leave between two looks. A view's own pictures are canvases.
    broken = "images => images.filter(i => i.complete && !i.naturalWidth).map(i => i.src.slice(0, 99))"
    assert tab.locator('[data-testid="stMain"] img').evaluate_all(broken) == []
    assert tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    assert tab.evaluate(WIDER_THAN_THE_SCREEN) == []
    # What the page is about comes before the line about what is not on this machine.
    notice = tab.get_by_role("button", name="Fetch MNIST")
    if notice.count():
        first = tab.locator(".view, .lse-tile, [role=application], .stPlotlyChart").first
        assert first.bounding_box()["y"] < notice.bounding_box()["y"]

    for theme in ("light", "dark"):
        tab.emulate_media(color_scheme=theme)
        tab.wait_for_function(f"({LUMINANCES})()[0] {'>' if theme == 'light' else '<'} 0.5", timeout=PATIENCE)
        surface, text = tab.evaluate(LUMINANCES)
        lighter, darker = max(surface, text) + 0.05, min(surface, text) + 0.05
        assert lighter / darker >= 7, f"{theme}: the heading's contrast is {lighter / darker:.1f}"
        settle(tab)
        assert tab.locator(EXCEPTION).count() == 0
    assert tab.wrong == []


def test_the_studio_leads_to_every_page(visit):
    """A page reached by a click runs in a session that others have used: that can fail where it opens alone."""
    tab = visit("app.py", DESKTOP)
    for page in [*PAGES[1:], "app.py"]:
        before = tab.locator("h1").inner_text()
        tab.locator(f'[data-testid="stSidebar"] a[href="{address_of(page)}"]').click()
        tab.wait_for_url(lambda url, page=page: urlsplit(url).path == f"/{address_of(page)}", timeout=PATIENCE)
        tab.wait_for_function(
            "([before, exception]) => document.querySelector(exception)"
            " || (document.querySelector('h1') && document.querySelector('h1').innerText !== before)",
            arg=[before, EXCEPTION],
            timeout=PATIENCE,
        )
        settle(tab)
        assert tab.locator(EXCEPTION).count() == 0, tab.inner_text("body")
        assert tab.locator("h1").count() == 1
    assert tab.wrong == []


def test_the_title_stays_where_it_is(visit):
    """A title that jumps between pages reads as another app; pages differ in width, not in their edge."""
    for size in (DESKTOP, PHONE, WIDE):
        places = {}
        for page in PAGES:
            box = visit(page, size).locator("h1").bounding_box()
            places[page] = round(box["x"]), round(box["y"])
        assert len(set(places.values())) == 1, places


def test_on_a_phone_the_sidebar_leaves_after_a_tap(visit):
    """Streamlit lays it over the page and leaves it there: whoever taps a page sees the list again, not the page."""
    tab = visit("5_Restore.py", PHONE)
    tab.get_by_test_id("stExpandSidebarButton").click()
    tab.locator('[data-testid="stSidebar"] a[href="Map"]').click()
    tab.wait_for_function(
        "() => document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().right <= 0"
        " && document.querySelector('h1')?.innerText === 'Map'",
        timeout=PATIENCE,
    )
    settle(tab)
    # On a desktop it stands beside the page, and stays.
    tab = visit("5_Restore.py", DESKTOP)
    tab.locator('[data-testid="stSidebar"] a[href="Styles"]').click()
    expect(tab.locator("h1")).to_have_text("Styles", timeout=PATIENCE)
    assert tab.locator('[data-testid="stSidebar"]').bounding_box()["x"] == 0


def test_the_current_page_and_the_focus_are_told_apart(visit):
    """Both were one grey: a keyboard user could not see where the focus was."""
    tab = visit("5_Restore.py", DESKTOP)
    links = tab.locator('[data-testid="stSidebar"] [data-testid="stPageLink"] a')
    expect(tab.locator("a[aria-current=page]")).to_have_text("Restore")
    for link in links.all():
        link.focus()
        tab.keyboard.press("Shift+Tab")  # a ring is drawn for keys only
        tab.keyboard.press("Tab")
        expect(link).to_have_css("outline-style", "solid")
        expect(link).to_have_css("outline-width", "2px")
    other = links.nth(1)
    assert other.evaluate("a => getComputedStyle(a).borderLeftColor") != links.nth(5).evaluate(
        "a => getComputedStyle(a).borderLeftColor"
    )
    links.nth(1).click()
    expect(tab.locator("a[aria-current=page]")).to_have_text("Map", timeout=PATIENCE)


def test_an_unknown_address_says_what_it_shows(server, window):
    """Streamlit runs the front page for every address: a mistyped link must not look like what was asked for."""
    tab = window(*DESKTOP).new_page()
    tab.goto(f"{server}/Latent_maps?digit=3")
    said = tab.get_by_text("There is no page “Latent_maps”; this is the Studio.")
    expect(said).to_be_visible(timeout=PATIENCE)
    settle(tab)
    tab.keyboard.press("Escape")  # where Streamlit's own dialog, which names no page, lies over it
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(said).to_be_visible()
    tab.locator('[data-testid="stSidebar"] a[href="Restore"]').click()
    expect(tab.locator("h1")).to_have_text("Restore", timeout=PATIENCE)
    tab.locator('[data-testid="stSidebar"] a[href=""]').click()
    expect(tab.locator("h1")).to_have_text("Draw a digit. Four models answer.", timeout=PATIENCE)
    settle(tab)
    expect(said).to_have_count(0)
    tab.close()
