"""The bound on a real page: from a list to a digit, under the hand, into the link."""

import re

import pytest
from hands import soon

PATIENCE = 90_000  # milliseconds
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
# The sentence about the gap, as soon as it says about so many nats.
LEFT = """promised => {
    const said = document.body.innerText.match(/The encoder leaves ([0-9.]+) nats/);
    return said && Math.abs(Number(said[1]) - promised) < 0.03;
}"""
RING = """box => {
    const view = box.view, [x, y] = view.whole.toScreen(view.q.mean), at = view.whole.canvas.getBoundingClientRect();
    return [at.x + x, at.y + y];
}"""


@pytest.fixture
def visit(server, window):
    """Open the page in a window of a size; `sent` lists what leaves for the server."""

    def open_page(query: str, size=(1440, 900)):
        tab = window(*size).new_page()
        tab.set_default_timeout(PATIENCE)
        tab.sent = []
        tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
        tab.goto(f"{server}/The_bound?{query}")
        tab.wait_for_selector(f"{IDLE} h1")
        return tab

    return open_page


def mounted(tab):
    """The live view, as soon as it has taken the first picture's place."""
    box = tab.locator(".view.bound").first
    tab.wait_for_function(
        "() => { const walk = n => [...n.querySelectorAll('*')].some(e => (e.matches('.view.bound') && e.view)"
        " || (e.shadowRoot && walk(e.shadowRoot))); return walk(document); }"
    )
    return box


def account(tab) -> dict[str, float]:
    rows = tab.locator("table.lse-numbers tr").all_inner_texts()
    cells = [re.split(r"\t", row) for row in rows]
    return {row[0]: float(row[1].replace("−", "-")) for row in cells if len(row) > 1 and re.match("^[−0-9.]+$", row[1])}


def test_from_a_list_to_its_digit_and_under_the_hand(visit):
    """The page's story: a digit with a large gap, its posterior, q, what it costs, and what a hand can win back."""
    tab = visit("digit=5&inside_list=Largest+gap")
    before = account(tab)
    button = tab.locator('[class*="st-key-bound_take_"] button').first
    promised = float(button.inner_text().replace("−", "-"))
    button.click()
    tab.wait_for_function(LEFT, arg=promised)
    tab.wait_for_selector(IDLE)
    now = account(tab)
    assert now["KL(q ‖ p(z | x)): the gap"] == pytest.approx(promised, abs=0.02)
    assert now["ELBO"] != before["ELBO"]
    assert now["log p(x), exact"] == pytest.approx(now["ELBO"] + promised, abs=0.03)

    box = mounted(tab)
    tab.wait_for_function(
        "([box, p]) => Math.abs(box.view.options.log_p - p) < 0.01", arg=[box.element_handle(), now["log p(x), exact"]]
    )
    box.evaluate("box => box.view.whole.canvas.scrollIntoView({block: 'center'})")
    x, y = box.evaluate(RING)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.sent.clear()
    for k in range(1, 6):
        tab.mouse.move(x + 3 * k, y - 2 * k)
    tab.mouse.up()
    tab.wait_for_function("() => new URL(location).searchParams.get('q')")
    assert not tab.sent, "neither a drag nor its end asks anything of the server"
    soon(lambda: box.evaluate("box => box.view.q.mean") != box.evaluate("box => box.view.options.q.mean"), True)


@pytest.mark.parametrize("part", ["Sampling", "Observation model", "β"])
def test_a_part_is_named_in_the_link_and_chosen_by_keyboard(visit, part):
    """A teacher sends a link to one part; without a mouse every part must be reachable."""
    tab = visit("digit=5")
    tab.get_by_role("radio", name=part, exact=True).or_(tab.get_by_role("button", name=part, exact=True)).first.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("part => new URL(location).searchParams.get('part') === part", arg=part)
    tab.wait_for_selector(IDLE)
    soon(lambda: not tab.locator('[data-testid="stException"]').count(), True)
    again = visit(f"digit=5&part={part}")
    words = {"Sampling": "One draw", "Observation model": "A mean is not a draw", "β": "β"}[part]
    again.wait_for_function(
        "words => document.querySelector('[data-testid=stMain]').innerText.includes(words)", arg=words
    )
