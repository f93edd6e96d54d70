"""What a visitor waits for and takes: the Studio beside an empty Streamlit app, first visit and reload, two networks.

    python -m benchmarks.transport [--rounds 5] [--slow-rounds 1]

From navigation with an empty cache until the empty app is painted, and until the Studio answers a hand with its first
network; then the same again by a reload. Megabytes are what came over the wire, by HTTP and by websocket, until that
answer (files that had come whole by then) and until all was there. The slow network is 1.6 Mbit/s with 150 ms, as
browsers' tools emulate it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.live import FIND, FLAGS, IDLE, PATIENCE, ROOT, row, served
from benchmarks.startup import EMPTY, browser_path

SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 1.6e6 / 8}
MB = 1e6
STUDIO = f"({FIND})(['*', 'studio'])"
SHOWN = {  # what counts as there, and as all there
    "empty app": ("() => document.querySelector('h1')", "() => document.querySelector('h1')"),
    "Studio": (f"() => {STUDIO}?.here.length > 0", f"() => {STUDIO}?.ready"),
}


def visit(page: Page, app: str, go: Callable[[], object]) -> tuple[float, float, float]:
    """Milliseconds from navigation to the first answer, megabytes until then, and until the page rests."""
    first, whole = SHOWN[app]
    taken: list[float] = []
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    client.on("Network.loadingFinished", lambda event: taken.append(event["encodedDataLength"]))
    client.on("Network.webSocketFrameReceived", lambda event: taken.append(length(event["response"])))
    start = time.perf_counter()
    go()
    page.wait_for_function(first)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    spent = 1000 * (time.perf_counter() - start)
    early = sum(taken) / MB
    page.wait_for_function(whole)
    page.wait_for_selector(IDLE)
    client.detach()
    return spent, early, sum(taken) / MB


def length(frame: dict) -> float:
    """Bytes of a websocket's frame: what is binary comes to us as base64."""
    return len(frame["payloadData"]) * (0.75 if frame["opcode"] == 2 else 1)


def measure(browser: Browser, address: str, app: str, slow: bool) -> dict[str, tuple[float, float, float]]:
    """A first visit and a reload."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(4 * PATIENCE)
    if slow:
        context.new_cdp_session(page).send("Network.emulateNetworkConditions", SLOW)
    first = visit(page, app, partial(page.goto, address, wait_until="commit"))
    found = {"first visit": first, "reload": visit(page, app, partial(page.reload, wait_until="commit"))}
    context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=1)
    args = parser.parse_args()
    chromium = browser_path()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as p:
        folder = Path(name)
        shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
        (folder / "app.py").write_text(EMPTY)
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        print("| | median | 95 % | rounds | |\n| --- | ---: | ---: | ---: | --- |")
        with served(folder, "app.py") as empty, served(ROOT, "app.py") as ours:
            measure(browser, ours, "Studio", slow=False)  # the server's own first time
            for slow, rounds in ((False, args.rounds), (True, args.slow_rounds)):
                if not rounds:
                    continue
                addresses = {"empty app": empty, "Studio": ours}
                turns = [  # by turns, so that both meet the machine as it is
                    {app: measure(browser, address, app, slow) for app, address in addresses.items()}
                    for _ in range(rounds)
                ]
                for app in addresses:
                    for which in ("first visit", "reload"):
                        network = "1.6 Mbit/s" if slow else "this machine"
                        spent, early, size = (list(c) for c in zip(*(turn[app][which] for turn in turns), strict=True))
                        note = f"{statistics.median(early):.2f} of {statistics.median(size):.2f} MB"
                        row(f"{app}, {which}, {network}", spent, note=note)
                medians = {app: statistics.median(turn[app]["first visit"][0] for turn in turns) for app in addresses}
                print(f"\nThe Studio answers after {medians['Studio'] / medians['empty app']:.2f} times as long.\n")
        browser.close()


if __name__ == "__main__":
    main()
