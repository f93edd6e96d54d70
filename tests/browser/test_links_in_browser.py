"""What a link holds: every control is touched, the page is reloaded, and the link is opened where nobody has been.

And the one digit: what is chosen on a page is what the next one shows.
"""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hands import seen, soon
from playwright.sync_api import Error, TimeoutError, expect

from ui.parts import links
from ui.views.studio import FIRST

RESTS = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 90_000  # milliseconds
# Every control in the page and in the open shadow roots of its live views, and what it says.
STATE = """() => {
    const found = [];
    const name = (e) => e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent;
    const walk = (node) => {
        for (const e of node.querySelectorAll("*")) {
            if (e.shadowRoot) walk(e.shadowRoot);
            if (e.closest?.("[data-testid=stSidebar], [data-testid=stHeader], [hidden]")) continue;
            if (e.matches("input:not([type=file], [type=range])"))
                found.push([name(e), e.type === "checkbox" || e.type === "radio" ? e.checked : e.value]);
            else if (e.matches("input[type=range]")) found.push([name(e), Math.round(50 * e.value) / 50]);
            else if (e.matches("select")) found.push([name(e), e.selectedOptions[0]?.textContent]);
            else if (e.matches("[aria-pressed]")) found.push([name(e), e.getAttribute("aria-pressed")]);
            else if (e.matches("[role=slider]")) found.push([name(e), e.getAttribute("aria-valuetext")]);
            else if (e.matches("[data-testid=stCaptionContainer]")) found.push(["caption", e.textContent]);
        }
    };
    walk(document.querySelector("[data-testid=stMain]"));
    return found.map(([n, v]) => `${n.trim()}: ${v}`);
}"""


@pytest.fixture
def visit(server, browser):
    """Open a page in a fresh window of its own."""
    contexts = []

    def open_page(address: str, query: str = ""):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.goto(f"{server}/{address}?{query}")
        return settled(tab)

    yield open_page
    for context in contexts:
        context.close()


def settled(tab):
    tab.wait_for_selector(f"{RESTS} h1")
    return tab


def link(tab) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(tab.url).query).items()}


def rest(tab) -> None:
    """Wait until the script has rested for a while: a list that is open closes when the page is drawn again."""
    tab.evaluate("() => (window.since = null)")
    tab.wait_for_function(
        f"""() => {{
            if (!document.querySelector({RESTS!r})) window.since = null;
            else window.since ??= performance.now();
            return window.since !== null && performance.now() - window.since > 600;
        }}""",
        polling=50,
    )


def segment(tab, key: str, text: str) -> None:
    rest(tab)
    tab.locator(f".st-key-{key}").get_by_role("radio", name=text, exact=True).click()
    expect(tab.locator(f".st-key-{key}").get_by_role("radio", name=text, exact=True)).to_be_checked()


def option(tab, key: str, text: str) -> None:
    for patience in (5_000, 5_000, PATIENCE):
        rest(tab)
        tab.locator(f".st-key-{key} input").click()
        try:
            tab.get_by_role("option", name=text).click(timeout=patience)
            break
        except TimeoutError:  # a run that began meanwhile has closed the list
            if patience == PATIENCE:
                raise
    expect(tab.locator(f".st-key-{key} input")).to_have_value(re.compile(f"^{text}"))


def number(tab, key: str, value: int) -> None:
    rest(tab)
    box = tab.locator(f".st-key-{key} input")
    box.fill(str(value))
    box.press("Enter")


def nudge(tab, key: str, presses: int = 1) -> None:
    rest(tab)
    thumb = tab.locator(f".st-key-{key} input[type=range]")
    thumb.focus()
    for _ in range(presses):
        thumb.press("ArrowRight")


def spoiled(tab, kind: str, key: str) -> None:
    rest(tab)
    tab.get_by_label("Corruption").select_option(kind)
    tab.locator(".restore input[type=range]").press(key)


def press(tab, words: str) -> None:
    rest(tab)
    tab.get_by_role("button", name=words).click()


def leave(tab, key: str, who: str = "◉ CVAE") -> None:
    """The last model leaves the page, by the control that brings others."""
    press(tab, "Add a model")
    box = tab.locator(f".st-key-{key}")
    expect(box.get_by_text(who)).to_be_visible()
    box.locator("input").press("Backspace")
    expect(box.get_by_text(who)).to_have_count(0)
    rest(tab)
    tab.keyboard.press("Escape")
    expect(box).to_be_hidden()


def another(tab, words: str) -> None:
    press(tab, "Change the model")
    tab.get_by_test_id("stPopoverBody").get_by_text(words).click()
    rest(tab)
    tab.keyboard.press("Escape")


# For each page a few ways to touch it, each with the parameters that it must put into the address: together all that
# the page's list has, but for what the tests of the views try.
OF_VIEWS = {"Map": {"walk", "t", "z"}, "The_bound": {"q", "beta"}}
TOUCHES = {
    "Restore": [
        (
            "digit spoil_kind spoil_gaussian spoil_seed spoil_dim spoil_told",
            lambda tab: (
                number(tab, "digit_number", 7),
                segment(tab, "spoil_dim", "2"),
                spoiled(tab, "gaussian", "ArrowLeft"),
                press(tab, "Spoil again"),
                tab.get_by_label("Label that the CVAE is told").select_option("4"),
            ),
        ),
        ("spoil_masking", lambda tab: spoiled(tab, "masking", "PageUp")),
        ("spoil_cast", lambda tab: leave(tab, "spoil_cast")),
        ("spoil_kind spoil_salt_pepper", lambda tab: spoiled(tab, "salt_pepper", "PageDown")),
        ("spoil_kind spoil_blur", lambda tab: spoiled(tab, "blur", "ArrowRight")),
        (
            "spoil_part denoising_length denoising_seed denoising_masking",
            lambda tab: (
                segment(tab, "spoil_part", "What the noise teaches"),
                nudge(tab, "denoising_length"),
                press(tab, "Spoil again"),
                nudge(tab, "denoising_masking"),
            ),
        ),
        (
            "spoil_part denoising_kind denoising_salt_pepper",
            lambda tab: (
                segment(tab, "spoil_part", "What the noise teaches"),
                option(tab, "denoising_kind", "Salt and pepper"),
                nudge(tab, "denoising_salt_pepper"),
            ),
        ),
        (
            "spoil_part denoising_kind denoising_gaussian",
            lambda tab: (
                segment(tab, "spoil_part", "What the noise teaches"),
                option(tab, "denoising_kind", "Gaussian noise"),
                nudge(tab, "denoising_gaussian"),
            ),
        ),
        ("digit_only", lambda tab: option(tab, "digit_only", "only 8")),
    ],
    "Generate": [
        (
            "generate_source generate_components generate_dim seed",
            lambda tab: (
                segment(tab, "generate_dim", "2"),
                segment(tab, "generate_source", "Several Gaussians"),
                nudge(tab, "generate_components"),
                press(tab, "Resample"),
            ),
        ),
        ("generate_cast", lambda tab: leave(tab, "generate_cast")),
        (
            "generate_part digit radius",
            lambda tab: (
                segment(tab, "generate_part", "Near yours"),
                number(tab, "digit_number", 7),
                rest(tab),
                tab.get_by_label("Radius in σ").press("ArrowRight"),
            ),
        ),
        (
            "generate_part posterior_cast images",
            lambda tab: (
                segment(tab, "generate_part", "Prior and posterior"),
                leave(tab, "posterior_cast"),
                press(tab, "60,000 training images"),
            ),
        ),
        (
            "generate_part digit_only",
            lambda tab: (segment(tab, "generate_part", "Near yours"), option(tab, "digit_only", "only 8")),
        ),
    ],
    "Few_labels": [
        (
            "few_dim few_way few_count few_seed few_shown",
            lambda tab: (
                segment(tab, "few_dim", "2"),
                option(tab, "few_way", "Class centres"),
                nudge(tab, "few_count"),
                press(tab, "Draw other labels"),
                segment(tab, "few_shown", "Right or wrong"),
            ),
        ),
        (
            "few_model few_by few_hand",
            lambda tab: (
                another(tab, "● AE (mnist"),
                segment(tab, "few_by", "You"),
                rest(tab),
                tab.keyboard.press("4"),
                expect(tab.get_by_test_id("stMetricValue")).to_be_visible(),
            ),
        ),
    ],
    "Claims": [("claims_guessed", lambda tab: (rest(tab), tab.get_by_role("button", name="Skip").first.click()))],
    "Code_size": [
        (
            "size_part size_shown",
            lambda tab: (segment(tab, "size_part", "Dimensions"), segment(tab, "size_shown", "Random draws")),
        ),
        (
            "size_dim size_bits digit_only",
            lambda tab: (
                segment(tab, "size_dim", "2"),
                nudge(tab, "size_bits"),
                option(tab, "digit_only", "only 8"),
            ),
        ),
        ("size_model", lambda tab: another(tab, "● AE (mnist")),
    ],
    "The_bound": [
        (
            "inside_model inside_list",
            lambda tab: (another(tab, "◉ CVAE (mnist"), segment(tab, "inside_list", "Several modes")),
        ),
        (
            "inside_model inside_labels",
            lambda tab: (
                another(tab, "◉ CVAE (mnist"),
                tab.get_by_text("Integrate under all ten labels").click(),
            ),
        ),
        (
            "part sampling_length sampling_seed",
            lambda tab: (
                segment(tab, "part", "Sampling"),
                nudge(tab, "sampling_length"),
                press(tab, "Draw ε again"),
            ),
        ),
        ("digit_only", lambda tab: option(tab, "digit_only", "only 8")),
    ],
    "Styles": [
        ("styles_label digit", lambda tab: (segment(tab, "styles_label", "7"), number(tab, "digit_number", 7))),
        ("styles_dim digit_only", lambda tab: (segment(tab, "styles_dim", "20"), option(tab, "digit_only", "only 8"))),
        ("styles_model", lambda tab: another(tab, "◉ CVAE digits")),
        ("styles_part leak_dim", lambda tab: (segment(tab, "styles_part", "Leak"), segment(tab, "leak_dim", "2"))),
        (
            "styles_part leak_cast",
            lambda tab: (segment(tab, "styles_part", "Leak"), leave(tab, "leak_cast", "◇ scrubbed CVAE")),
        ),
        (
            "styles_beside z2 keep2",
            lambda tab: (
                option(tab, "styles_beside", "◉ CVAE digits"),
                tab.get_by_role("button", name="Random hand").nth(1).click(),
                rest(tab),
                tab.get_by_role("button", name="Keep this hand").nth(1).click(),
            ),
        ),
        (
            "z keep",
            lambda tab: (
                press(tab, "Random hand"),
                press(tab, "Keep this hand"),
            ),
        ),
    ],
    "Sliders": [
        (
            "sliders_dim digit models lead y",
            lambda tab: (
                segment(tab, "sliders_dim", "2"),
                number(tab, "digit_number", 7),
                press(tab, "● AE"),
                tab.get_by_label("Model whose code the sliders show").select_option("dae"),
                tab.get_by_label("Label that the CVAE is told").select_option("4"),
            ),
        ),
        ("sliders_cast", lambda tab: leave(tab, "sliders_cast")),
        (
            "from s a",
            lambda tab: (
                press(tab, "Random code"),
                tab.get_by_label(re.compile("^z")).first.press("PageUp"),
                tab.get_by_label(re.compile("^Slant")).press("PageDown"),
            ),
        ),
        ("digit_only", lambda tab: option(tab, "digit_only", "only 8")),
    ],
    "Interpolate": [
        (
            "walk_dim walk_way digit to t",
            lambda tab: (
                segment(tab, "walk_dim", "20"),
                segment(tab, "walk_way", "spherical"),
                number(tab, "digit_number", 7),
                number(tab, "to_number", 9),
                tab.get_by_label("Place on the way, t").press("PageUp"),
            ),
        ),
        (
            "walk_steps to_only digit_only",
            lambda tab: (
                nudge(tab, "walk_steps"),
                option(tab, "to_only", "only 8"),
                option(tab, "digit_only", "only 6"),
            ),
        ),
        ("walk_cast", lambda tab: leave(tab, "walk_cast")),
        ("digit_by to_by", lambda tab: (segment(tab, "digit_by", "Draw"), segment(tab, "to_by", "Picture"))),
    ],
    "Map": [
        (
            "left right image layers y lv rv only",
            lambda tab: (
                tab.get_by_label("Model of the left map", exact=True).select_option("dae"),
                tab.get_by_label("Model of the right map", exact=True).select_option("cvae"),
                tab.get_by_label("Test image", exact=True).fill("77"),
                tab.get_by_label("Test image", exact=True).press("Enter"),
                press(tab, "Density"),
                tab.get_by_role("group", name="Classes that stand out").get_by_text("7", exact=True).click(),
                tab.get_by_label("Label that the model of the right map is told").select_option("4"),
                press(tab, "Zoom in, left map"),
                press(tab, "Zoom in, right map"),
            ),
        ),
        ("lasso", lambda tab: press(tab, "Lasso")),
        ("epoch", lambda tab: press(tab, "Epochs")),
    ],
}


@pytest.mark.parametrize(("page", "way"), [(page, i) for page, ways in TOUCHES.items() for i in range(len(ways))])
def test_the_link_holds_what_was_touched(visit, page, way):
    """Otherwise a teacher sends an address, and the class sees something else."""
    tab = visit(page)
    names, touch = TOUCHES[page][way]
    touch(tab)
    settled(tab)
    before = still(tab)
    assert set(names.split()) <= set(link(tab))
    tab.reload()
    settled(tab)
    assert_state(tab, before)
    elsewhere = visit(page, urlsplit(tab.url).query)
    assert_state(elsewhere, before)


def still(tab) -> list[str]:
    """The controls' state, once it has not changed for longer than the address takes to be written."""
    tab.evaluate(f"() => {{ window.seen = null; window.stateOf = {STATE}; }}")
    tab.wait_for_function(
        """() => {
            const now = JSON.stringify([window.stateOf(), location.search]);
            const rests = document.querySelector('[data-test-script-state="notRunning"]');
            if (!rests || !window.seen || window.seen[0] !== now) window.seen = [rests ? now : "", performance.now()];
            return performance.now() - window.seen[1] > 1500;
        }""",
        polling=100,
    )
    return tab.evaluate("() => window.stateOf()")


def assert_state(tab, expected: list[str]) -> None:
    same = f"(wanted) => JSON.stringify(({STATE})()) === JSON.stringify(wanted)"
    try:
        tab.wait_for_function(same, arg=expected)
    except Error:
        soon(lambda: tab.evaluate(STATE), expected)
        raise


@pytest.mark.parametrize("page", list(TOUCHES))
def test_every_parameter_of_the_list_is_touched(page):
    """A parameter that no test touches may be missing from the link without anybody noticing."""
    touched = {name for names, _ in TOUCHES[page] for name in names.split()}
    assert set(links.LINKS[page.replace("_", " ")]) <= touched | OF_VIEWS.get(page, set())


def test_the_digit_follows_from_page_to_page_and_back(visit):
    """Untouched or touched, in a link or brought: a visitor who has found a digit does not lose it at the next page."""
    tab = visit("Sliders")
    caption = tab.get_by_test_id("stCaptionContainer").filter(has_text=re.compile("digit 43, a 3"))
    for page in ("Styles", "Restore", "The_bound", "Sliders"):
        go(tab, page)
        expect(caption.first).to_be_visible()
    number(tab, "digit_number", 12)
    chosen = tab.get_by_test_id("stCaptionContainer").filter(has_text=re.compile("digit 12, "))
    for page in ("Styles", "Interpolate", "Restore", "The_bound", "Sliders"):
        go(tab, page)
        expect(chosen.first).to_be_visible()
        expect(tab).to_have_url(re.compile(r"digit=digits(:|%3A)12"))
    go(tab, "Map")
    expect(tab.get_by_role("button", name="Chosen digit")).to_have_attribute("aria-pressed", "true")
    expect(chosen.first).to_be_visible()


def test_what_is_drawn_in_the_studio_is_what_the_next_page_shows_and_back(visit):
    """A newcomer draws, turns the page, and must find the drawing there; and again where it was drawn."""
    tab = visit("")
    studio = "[...document.querySelectorAll('*')].find((e) => e.studio)?.studio"
    tab.wait_for_function(f"{studio}?.ready")
    box = tab.locator(".pad canvas").first.bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=12)
    tab.mouse.up()
    tab.wait_for_function(f"({studio}).bits && new URLSearchParams(location.search).get('d') === ({studio}).bits")
    rest(tab)
    drawn = tab.evaluate(f"({studio}).bits")
    for page in ("Restore", "Map", "Interpolate"):
        go(tab, page)
        mine = tab.get_by_test_id("stCaptionContainer").filter(has_text=re.compile("^Your drawing"))
        expect(mine.first).to_be_visible()
        expect(tab).to_have_url(re.compile(re.escape(drawn)))
    tab.locator('[data-testid="stSidebar"] a[href=""]').click()
    tab.wait_for_function(f"({studio})?.ready && ({studio}).bits === {drawn!r}")
    go(tab, "Restore")
    number(tab, "digit_no_number", 12)
    expect(tab.get_by_test_id("stCaptionContainer").filter(has_text="digit 12, ").first).to_be_visible()
    tab.locator('[data-testid="stSidebar"] a[href=""]').click()
    tab.wait_for_function(f"({studio})?.ready && ({studio}).origin === 'digits:12'")


@pytest.mark.parametrize("way", ["before its frame", "while Python computes"])
def test_the_next_page_shows_the_last_stroke_however_soon_it_is_asked_for(visit, way):
    """Otherwise whoever draws and goes on at once finds the digit before, and loses the new one."""
    tab = visit("", "digit=digits:12&posterior=1" if way == "while Python computes" else "digit=digits:12")
    studio = "[...document.querySelectorAll('*')].find((e) => e.studio)?.studio"
    tab.wait_for_function(f"{studio}?.ready")
    if way == "before its frame":
        rest(tab)
    else:
        tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="running"]')  # integrals of the sample
    tab.evaluate(
        """() => {
            window.captions = new Set();
            const see = () => {
                if (!location.pathname.endsWith("Restore")) return;
                for (const e of document.querySelectorAll("[data-testid=stCaptionContainer]"))
                    captions.add(e.textContent);
            };
            new MutationObserver(see).observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    box = tab.locator(".pad canvas").first.bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    if way == "before its frame":
        tab.evaluate("() => { window.frames = requestAnimationFrame; window.requestAnimationFrame = () => 0; }")
    tab.mouse.up()
    tab.evaluate("() => document.querySelector('[data-testid=stSidebar] a[href=Restore]').click()")
    if way == "before its frame":
        tab.evaluate("() => { window.requestAnimationFrame = window.frames; }")
    tab.wait_for_selector(f"{RESTS} h1:has-text('Restore')")
    mine = tab.get_by_test_id("stCaptionContainer").filter(has_text=re.compile("^Your drawing"))
    expect(mine.first).to_be_visible()
    soon(lambda: not [words for words in tab.evaluate("() => [...captions]") if "digit 12" in words], True)


def test_a_drawing_in_a_link_is_the_digit_of_every_page(visit):
    """A drawing that a teacher sends must not turn into a sample at the first step."""
    query = urlencode({"d": FIRST, "is": "3"})
    tab = visit("Restore", query)
    mine = tab.get_by_test_id("stCaptionContainer").filter(has_text="The digit of this link, said to be a 3.")
    for page in ("Restore", "Styles", "Sliders", "The_bound", "Map", "Interpolate"):
        if page != "Restore":
            go(tab, page)
        expect(mine.first).to_be_visible()
        if page == "Map":
            expect(tab.get_by_text("Your digit, said to be a 3", exact=True)).to_be_visible()
        expect(tab).to_have_url(re.compile(re.escape(FIRST)))
    assert link(tab)["digit_by"] == "Draw"  # what it is and what its control says are one thing
    tab.locator('[data-testid="stSidebar"] a[href=""]').click()
    studio = "[...document.querySelectorAll('*')].find((e) => e.studio)?.studio"
    tab.wait_for_function(f"({studio})?.ready && ({studio}).told && ({studio}).heard")
    go(tab, "Restore")
    expect(mine.first).to_be_visible()  # a Studio that has shown it makes no drawing of it


def test_a_number_of_a_link_is_in_its_field_from_the_start(visit):
    """Otherwise 0 flashes there, as if another digit were meant."""
    tab = visit("Styles")
    tab.context.add_init_script(
        """window.numbers = new Set();
        new MutationObserver(() => document.querySelectorAll(".st-key-digit_number input").forEach(
            (e) => numbers.add(e.value))).observe(document, { childList: true, subtree: true, attributes: true });"""
    )
    tab.goto(tab.url.split("?")[0] + "?digit=digits:12")
    settled(tab)
    expect(tab.locator(".st-key-digit_number input")).to_have_value("12")
    soon(lambda: tab.evaluate("[...numbers]"), ["12"])


def test_a_walk_in_a_link_is_asked_about_from_the_start(visit):
    """Otherwise an image that nobody asked for has its account there for seconds, and all below moves."""
    tab = visit("Styles")
    tab.context.add_init_script(
        """window.said = new Set();
        new MutationObserver(() => {
            document.querySelectorAll("[data-testid=stCaptionContainer]").forEach((e) => said.add(e.textContent));
        }).observe(document, { childList: true, subtree: true, characterData: true });"""
    )
    tab.goto(tab.url.split("Styles")[0] + "Map?walk=12-345&t=0.3")
    settled(tab)
    asked = seen(tab, re.compile("^Say whether the AE's drawing is a digit"))
    expect(asked).to_be_visible()
    live = "[...document.querySelectorAll('*')].some((e) => e.shadowRoot?.querySelector('.map .walk:not([hidden])'))"
    tab.wait_for_function(live)
    rest(tab)
    soon(
        lambda: not [words for words in tab.evaluate("[...said]") if words.startswith(("Percentile", "Nearest codes"))],
        True,
    )


def go(tab, page: str) -> None:
    tab.locator(f'[data-testid="stSidebar"] a[href="{page}"]').click()
    tab.wait_for_url(lambda url: urlsplit(url).path == f"/{page}")
    tab.wait_for_selector(f"{RESTS} h1:has-text('{page.replace('_', ' ')}')")
