"""What a page will import comes with its document: nothing is asked for later, nothing comes in vain."""

import re

import pytest

from ui.live import ahead
from ui.shell.pages import GROUPS, address

PATIENCE = 60_000  # milliseconds
LIVE = [page for rows in GROUPS.values() for page, *_ in rows if ahead.room(page)]
STATIC = "/app/static/"
ASKED = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => /\\.(mjs|css)$/.test(name) && name.includes("/app/static/"))
  .map(({ name, initiatorType }) => [name.split("/app/static/")[1], initiatorType])"""


def named(link: str) -> set[str]:
    return {each.partition(STATIC)[2] for each in re.findall(r"<([^>]+)>", link)}


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
        assert asked <= first, asked - first
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
