"""Every page in a real browser: it opens, says nothing wrong, fits a phone, and has two themes."""

import contextlib
import re
import socket
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hands import seen, soon
from playwright.sync_api import expect

from ui.shell.glossary import GLOSSARY, in_text
from ui.shell.pages import GROUPS, MOVED, address

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
# Every text that one sees, shadow roots included, against what lies behind it: [contrast by WCAG 2.2, least that is
# asked of its size, text, what it stands in]. Text on pictures and gradients is not weighed, nor what is switched off.
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => { // whatever way Chromium writes it
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], under) => [...[r, g, b].map((v, i) => v * a + under[i] * (1 - a)), 1];
    const luminance = (c) => {
        const [r, g, b] = c.slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const not = ":disabled, [aria-disabled=true], [aria-hidden=true], [data-testid=stSliderThumbValue], .katex";
    const above = (e) => e.assignedSlot ?? e.parentElement ?? e.getRootNode().host ?? null;
    const weigh = (e, words) => {
        const box = e.getBoundingClientRect(), own = getComputedStyle(e);
        if (!box.width || !box.height || own.visibility !== "visible" || own.fontSize === "0px") return null;
        const layers = [];
        let opacity = 1, ground = null;
        for (let a = e; a; a = above(a)) {
            const style = getComputedStyle(a);
            if (a.matches(not)) return null;
            if (style.clipPath !== "none" || style.clip === "rect(0px, 0px, 0px, 0px)") return null;
            if (a.getBoundingClientRect().width < 2) return null; // for readers only
            opacity *= Number(style.opacity);
            if (opacity < 0.05) return null;
            if (style.backgroundImage !== "none") return null;
            const colour = rgba(style.backgroundColor);
            if (colour[3] > 0) layers.push(colour);
            if (colour[3] === 1) { ground = colour; break; }
        }
        if (!ground) return null;
        const behind = layers.reduceRight((under, layer) => over(layer, under), ground);
        const text = rgba(own.color);
        const seen = over([...text.slice(0, 3), text[3] * opacity], behind);
        const [light, dark] = [luminance(seen), luminance(behind)].sort((a, b) => b - a);
        const size = parseFloat(own.fontSize), large = size >= 24 || (size >= 18.66 && Number(own.fontWeight) >= 700);
        return [(light + 0.05) / (dark + 0.05), large ? 3 : 4.5, words, e.tagName + "." + e.className];
    };
    const found = [];
    const walk = (root) => {
        for (const e of root.querySelectorAll("*")) {
            if (e.shadowRoot) walk(e.shadowRoot);
            if (["STYLE", "SCRIPT", "OPTION", "text"].includes(e.tagName)) continue;
            const words = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join(" ").trim();
            if (words) found.push(weigh(e, words));
        }
    };
    walk(document.body);
    return found.filter(Boolean);
}"""
# Text that its box cuts off, and text that lies over other text; shadow roots included.
UNREADABLE = """() => {
    const found = [], rects = [];
    const above = (e) => e.parentElement ?? e.getRootNode().host ?? null;
    const walk = (root) => {
        for (const e of root.querySelectorAll("*")) {
            if (e.shadowRoot) walk(e.shadowRoot);
            if (e.closest("svg, style, script, .katex, [aria-hidden=true], [data-testid=stIconMaterial]")) continue;
            const texts = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
            if (!texts.length) continue;
            const style = getComputedStyle(e);
            let hidden = style.visibility !== "visible", scrolls = false;
            for (let a = e; a && !hidden; a = above(a)) {
                const s = getComputedStyle(a), box = a.getBoundingClientRect();
                hidden = s.clipPath !== "none" || s.clip === "rect(0px, 0px, 0px, 0px)" || Number(s.opacity) < 0.05
                    || (box.width < 2 && s.display !== "contents") || ["fixed", "sticky"].includes(s.position);
                // A choice of three or a table of numbers that has to be scrolled is cut: nobody looks there.
                scrolls ||= ["auto", "scroll"].includes(s.overflowX) && a.scrollWidth > a.clientWidth
                    && (a.matches(".layers") || innerWidth < 640 && a.matches(".lse-scroll"));
            }
            if (hidden || !e.checkVisibility()) continue;
            const words = texts.map(n => n.data.trim()).join(" ");
            for (let a = e; a; a = above(a)) {
                if (getComputedStyle(a).overflowX === "visible") continue;
                const range = document.createRange();
                range.selectNodeContents(e);
                const text = range.getBoundingClientRect(), box = a.getBoundingClientRect();
                if (!scrolls && text.width && (text.right > box.right + 1.5 || text.left < box.left - 1.5)) {
                    found.push(`cut: ${words} (${e.tagName}.${e.className})`);
                }
                break;
            }
            for (const node of texts) {
                const range = document.createRange();
                range.selectNodeContents(node);
                for (const r of range.getClientRects()) if (r.width > 1 && r.height > 1) rects.push([r, words, e]);
            }
        }
    };
    walk(document.querySelector('[data-testid="stMain"]'));
    rects.sort(([a], [b]) => a.top - b.top);
    rects.forEach(([a, words, e], i) => {
        for (let k = i + 1; k < rects.length && rects[k][0].top < a.bottom - 3; k++) {
            const [b, others, other] = rects[k];
            if (other === e) continue;
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - b.top > 4)
                found.push(`over each other: ${words} | ${others}`);
        }
    });
    return found;
}"""
# Buttons and links that are called otherwise than they read: who speaks to the machine says what stands there.
MISNAMED = """() => {
    const found = [], plain = (text) => text.toLowerCase().replace(/[^\\p{L}\\p{N}]+/gu, " ").trim();
    const walk = (root) => {
        for (const e of root.querySelectorAll("*")) {
            if (e.shadowRoot) walk(e.shadowRoot);
            if (!e.matches("button[aria-label], a[aria-label], [role=button][aria-label]") || !e.offsetWidth) continue;
            if (e.querySelector("[data-testid=stIconMaterial]")) continue;
            if (!plain(e.ariaLabel).includes(plain(e.innerText))) found.push([e.innerText, e.ariaLabel]);
        }
    };
    walk(document.body);
    return found;
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


# What a visitor may not know. Acronyms are found by their capitals; these are the names of formats, products and units.
TECHNICAL = re.compile(
    r"\b(nats?|encoders?|decoders?|codes?|latent|bottleneck|posteriors?|priors?|evidence|Gaussians?|Bernoulli|binarised"
    r"|amortisation|E-step|reparameteri[sz]\w+|score function|importance|reconstructions?|cross-entropy|robust|whitened"
    r"|percentiles?|standard errors?|ridge|regression|judge|classifier|cycle error|dB|modes?|q|z|KL|β|μ|σ)(?!\w)"
    r"|(?<!\w)[A-Z]{2,}(?!\w)"
)
PLAIN = set("GIF PNG JPEG HEIC MB OK LATENT".split())
WORDS = """() => {
    const found = [];
    const walk = (root) => {
        for (const e of root.querySelectorAll("*")) {
            if (e.shadowRoot) walk(e.shadowRoot);
            if (e.closest("style, script, .katex, .lse-words, [data-testid=stIconMaterial]")) continue;
            for (const n of e.childNodes) if (n.nodeType === 3) found.push(n.data);
        }
    };
    walk(document.querySelector('[data-testid="stMain"]'));
    return found.join("\\n");
}"""
# No view shows its first picture any more: each has put its own controls or canvases in place.
LIVE = """() => {
    const views = [];
    const walk = (root) => root.querySelectorAll("*").forEach(e => {
        if (e.shadowRoot) { views.push(e.shadowRoot); walk(e.shadowRoot); }
    });
    walk(document);
    return views.filter(v => v.textContent.trim()).every(v => v.querySelector("canvas, button"));
}"""


def address_of(page: str) -> str:
    """Streamlit's rule: pages/3_Interpolate.py is served as /Interpolate; a query may follow."""
    return "" if page == "app.py" else re.sub(r"^\d+_", "", page.replace(".py", ""))


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
    soon(lambda: tab.locator('[data-testid="stMain"] img').evaluate_all(broken), [])
    soon(lambda: tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, True)
    soon(lambda: tab.evaluate(WIDER_THAN_THE_SCREEN), [])
    # What the page is about comes before the line about what is not on this machine.
    notice = tab.get_by_role("button", name="Fetch MNIST")
    if notice.count():
        # Of what is visible: a first picture may be hidden by its view between two looks.
        first = tab.locator(".view, .lse-tile, [role=application], .stPlotlyChart").filter(visible=True).first
        top = "element => element.getBoundingClientRect().top"
        soon(lambda: first.evaluate(top) < notice.evaluate(top), True)

    for theme in ("light", "dark"):
        tab.emulate_media(color_scheme=theme)
        tab.wait_for_function(f"({LUMINANCES})()[0] {'>' if theme == 'light' else '<'} 0.5", timeout=PATIENCE)
        surface, text = tab.evaluate(LUMINANCES)
        lighter, darker = max(surface, text) + 0.05, min(surface, text) + 0.05
        assert lighter / darker >= 7, f"{theme}: the heading's contrast is {lighter / darker:.1f}"
        settle(tab)
        soon(lambda: tab.locator(EXCEPTION).count(), 0)
        tab.wait_for_function(f"() => {{ const all = ({CONTRASTS})(); return all.length > 5; }}", timeout=PATIENCE)
        faint = [text for text in tab.evaluate(CONTRASTS) if text[0] < text[1] - 0.005]
        assert not faint, f"{theme}: " + "\n".join(f"{c:.2f}:1 {words} ({where})" for c, _, words, where in faint)
    soon(lambda: tab.evaluate(MISNAMED), [])
    assert tab.wrong == []


def test_a_failed_fetch_says_so_by_itself(visit):
    """The download runs in a thread of its own: only in a browser does the page ask how far it is."""
    tab = visit("5_Restore.py", DESKTOP)
    tab.get_by_role("button", name="Fetch MNIST").click()
    told = tab.get_by_role("alert").filter(has_text="could not be downloaded")
    expect(told).to_be_visible(timeout=3 * PATIENCE)
    expect(tab.get_by_role("button", name="Try again")).to_be_enabled(timeout=PATIENCE)
    expect(tab.get_by_role("button", name="Cancel")).to_have_count(0)
    soon(lambda: tab.locator(EXCEPTION).count() == 0 and tab.wrong == [], True)


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
        soon(lambda: tab.locator("h1").count(), 1)
    assert tab.wrong == []


# A map of the page "Map" as its view keeps it, wherever Streamlit puts its shadow root.
MAP = """() => {
    const find = root => [...root.querySelectorAll("*")].reduce(
        (found, e) => found ?? (e.matches(".map") ? e.view : e.shadowRoot && find(e.shadowRoot)), null);
    return Boolean(window.V = find(document));
}"""


@pytest.mark.parametrize("way", ["link", "back"])
def test_a_view_that_is_left_says_nothing_any_more(server, browser, way):
    """What it asked for while the next page was on its way was run after that page, which Streamlit cleared for it:
    blank for good, and 'Bad delta path index' at whatever was done there. A map tells what it shows as soon as it
    stands, so that a visitor who goes on at that moment had such a page."""
    held, sent, waiting = [], [], False

    def between(socket):
        up = socket.connect_to_server()
        socket.on_message(lambda frame: (sent.append(frame), up.send(frame)))
        up.on_message(lambda frame: held.append((socket, frame)) if waiting else socket.send(frame))

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    wrong = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.route_web_socket("**/_stcore/stream", between)
    tab.goto(server, timeout=PATIENCE)
    tab.wait_for_function(LIVE, timeout=PATIENCE)
    settle(tab)
    tab.locator('[data-testid="stSidebar"] a[href="Map"]').click()
    tab.wait_for_function(MAP, timeout=PATIENCE)
    settle(tab)
    waiting, before = True, len(sent)
    if way == "link":  # which is followed in a later task than the one after the click
        tab.evaluate('() => addEventListener("pointerup", () => setTimeout(() => V.pickImage(76)), { once: true })')
        tab.locator('[data-testid="stSidebar"] a[href=""]').click()
    else:
        tab.go_back()
    tab.wait_for_function("V.pickImage(77), V.state.image === 77")  # as by a hand that is quicker than the line
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert len(sent) == before + 1, "more than the way to the other page has left for the server"
    waiting = False
    for waited, frame in held:
        waited.send(frame)
    heading = tab.get_by_role("heading", name="Draw a digit. Four models answer.")
    expect(heading).to_be_visible(timeout=PATIENCE)
    # And whoever returns is heard again.
    tab.locator('[data-testid="stSidebar"] a[href="Map"]').click()
    expect(heading).to_have_count(0, timeout=PATIENCE)
    tab.wait_for_function(MAP, timeout=PATIENCE)
    settle(tab)
    before = len(sent)
    tab.evaluate("V.pickImage(78)")
    expect(tab.get_by_text("Test image 78, a").first).to_be_visible(timeout=PATIENCE)
    assert len(sent) == before + 1 and wrong == []
    context.close()


# A title from the upper left of the page beside the sidebar: whether that is open in a narrow window Streamlit knows.
FROM_THE_EDGE = """title => {
    const [at, page] = [title, title.closest('[data-testid="stMain"]')].map((e) => e.getBoundingClientRect());
    return [at.x - page.x, at.y - page.y].map(Math.round);
}"""
PARTS = ("Sampling", "Observation model", "β")
# 200 % zoom halves the window; 820 is a tablet, 390 a phone.
WIDTHS = (1920, 1440, 1280, 1100, 1000, 820, 768, 720, 650, 390)
PLACES = [
    *(*PAGES, *(f"6_The_bound.py?part={part}" for part in PARTS), "5_Restore.py?spoil_part=What the noise teaches"),
    "7_Generate.py?generate_part=Prior and posterior",
]


@pytest.fixture(scope="module", params=PLACES)
def whole(request, server, window):
    """A page whose views are live, for the two tests that look at every word of it, one after the other."""
    tab = window(*DESKTOP).new_page()
    tab.goto(f"{server}/{address_of(request.param)}", timeout=PATIENCE)
    tab.wait_for_function(LIVE, timeout=PATIENCE)
    settle(tab)
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def titles():
    """Where the title stands, by the window's width: on every page at the same place."""
    return {}


def test_every_width_has_room_for_every_word(whole, titles):
    """Between a phone and a desktop cards were 40 pixels wide, text lay over text, and the page scrolled sideways. A
    title that jumps between pages reads as another app; pages differ in width, not in their edge."""
    tab, wrong = whole, {}
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 844})
        tab.wait_for_function("width => innerWidth === width", arg=width)
        tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        settle(tab)
        # A view draws again in the new width when its machine comes to it; what stays wrong is wrong.
        with contextlib.suppress(AssertionError):
            soon(lambda: [*tab.evaluate(WIDER_THAN_THE_SCREEN), *tab.evaluate(UNREADABLE)], [])
        found = [*tab.evaluate(WIDER_THAN_THE_SCREEN), *tab.evaluate(UNREADABLE)]
        if tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") > 0:
            found.append("the page scrolls sideways")
        title = tab.locator("h1").evaluate(FROM_THE_EDGE)
        if title != titles.setdefault(width, title):
            found.append(f"the title is at {title}, on other pages at {titles[width]}")
        if found:
            wrong[width] = found
    assert not wrong, "\n".join(f"{width}: {line}" for width, lines in wrong.items() for line in lines)


def test_every_technical_word_is_in_the_glossary(whole):
    """Nowhere was said what a nat is; a list that nothing compares with the pages lacks the next word."""
    tab = whole
    tab.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    foot = tab.locator('[data-testid="stExpander"]').filter(has_text="What the words mean")

    def opened() -> None:  # once more where a run that was under way has drawn the box again, closed
        for box in tab.locator('[data-testid="stExpander"] details').all():
            if box.get_attribute("open") is None:
                box.locator("summary").click()
        tab.wait_for_timeout(500)
        assert tab.locator('[data-testid="stExpander"] details:not([open])').count() == 0
        assert foot.locator("dl").count() == 2

    soon(opened)
    expect(foot.locator("dl")).to_have_count(2, timeout=PATIENCE)
    settle(tab)
    text = tab.evaluate(WORDS)
    used = {match[0] for match in TECHNICAL.finditer(text)} - PLAIN
    assert "nats" in used or "code" in used, text
    unknown = sorted(word for word in used if not in_text(word))
    assert not unknown
    # The page's own words come first: every one of them stands on the page.
    own, others = foot.locator("dl").all()
    shown = [term.inner_text() for term in own.locator("dt").all()]
    assert set(shown) <= set(in_text(text)), set(shown) - set(in_text(text))
    soon(lambda: sorted(shown + [term.inner_text() for term in others.locator("dt").all()]), sorted(GLOSSARY))


@pytest.mark.parametrize(("page", "pulled"), [("1_Map.py", ".host canvas"), ("6_The_bound.py", ".near canvas")])
def test_what_one_pulls_is_above_the_fold(visit, page, pulled):
    """A view that has to be scrolled into sight is not found; and a large screen is there to be used."""
    for size, least in (((1280, 720), 300), ((1920, 1080), 450)):
        tab = visit(page, size)
        tab.wait_for_function(LIVE, timeout=PATIENCE)
        for canvas in tab.locator(pulled).all():
            box = canvas.bounding_box()
            assert box["y"] + box["height"] <= size[1], (page, size, box)
            assert box["width"] >= (650 if size == WIDE and "Map" in page else least), (page, size, box)


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
    soon(lambda: tab.locator('[data-testid="stSidebar"]').bounding_box()["x"], 0)


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
    soon(
        lambda: (
            other.evaluate("a => getComputedStyle(a).borderLeftColor")
            != links.nth(5).evaluate("a => getComputedStyle(a).borderLeftColor")
        ),
        True,
    )
    links.nth(1).click()
    expect(tab.locator("a[aria-current=page]")).to_have_text("Map", timeout=PATIENCE)


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_opens_the_new_place_in_the_same_state(server, window, old):
    """A link in a teacher's notes must show what it showed, not the Studio."""
    new = urlsplit(MOVED[old])
    tab = window(*DESKTOP).new_page()
    tab.goto(f"{server}/{old}{'&' if '?' in old else '?'}digit=digits:7")
    label = next(label for pages in GROUPS.values() for path, label, _ in pages if address(path) == new.path)
    expect(tab.locator("a[aria-current=page]")).to_have_text(label, timeout=PATIENCE)
    expect(seen(tab, "digit 7, a")).to_be_visible(timeout=PATIENCE)
    assert urlsplit(tab.url).path == f"/{new.path}" and "digits:7" in unquote(tab.url)
    assert parse_qs(new.query).items() <= parse_qs(urlsplit(tab.url).query).items()


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


@pytest.mark.parametrize(("name", "status"), [("localhost", 101), ("[::1]", 101), ("elsewhere.example", 403)])
def test_only_the_machine_s_own_names_are_answered(server, name, status):
    """A foreign page whose name leads to this machine could otherwise drive the app in its visitor's browser."""
    port = urlsplit(server).port
    asked = f"GET /_stcore/stream HTTP/1.1\r\nHost: {name}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    asked += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE / 1000) as line:
        line.sendall(asked.encode())
        assert int(line.recv(64).split()[1]) == status
