"""A real server and a real browser, each started once."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("hands")  # so that its assertions, too, say what they compared

from hands import visit  # noqa: E402, F401  a fixture: of whoever has no other way to open a page
from playwright.sync_api import expect  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
# Quiet: no sandbox (it needs rights that containers lack), no GPU, none of Chromium's own calls home.
CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
expect.set_options(timeout=30_000)  # ms; a page's own files come late where two browsers share two busy cores
START_LIMIT = 90.0  # seconds; torch alone takes several on a busy machine


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's browser. Without one the tests are skipped, in CI they fail: there it must be."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if not found:
        message = f"needs one of {', '.join(CHROMIUM_NAMES)} in PATH, or its path in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory) -> Iterator[str]:
    """Address of the app as a visitor without any data set has it: own home folder, no VAE_DATA."""
    home = tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if name != "VAE_DATA"}
    environment["https_proxy"] = environment["http_proxy"] = "http://127.0.0.1:9"  # nobody there: no network for it
    environment |= {name: str(home) for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", home / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", "--server.fileWatcherType=none"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_LIMIT
            while not _answers(f"{address}/_stcore/health"):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"The app did not start:\n{log.read_text()}")
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    # An exception in a callback or a thread, or what Streamlit calls deprecated, shows on no page.
    assert not re.search("traceback|warning|deprecated", log.read_text(), re.IGNORECASE), log.read_text()


@pytest.fixture(scope="session")
def launch(chromium):
    """`launch(*flags)`: a browser that the caller closes, with flags of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS, *flags])


@pytest.fixture(scope="session")
def browser(launch):
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def window(browser):
    """`window(width, height, **settings)`: a browser window of this sort, kept open for whoever opens a tab in it and
    closes the tab again: its cache is warm, and what a tab remembers no other tab knows."""
    windows = {}

    def of_sort(width: int, height: int, **settings):
        sort = (width, height, *sorted(setting for setting in settings.items() if setting[1]))
        if sort not in windows:
            windows[sort] = browser.new_context(viewport={"width": width, "height": height}, **settings)
        return windows[sort]

    return of_sort


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
