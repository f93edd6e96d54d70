"""Process start to painted page: the Studio beside an empty Streamlit app, in one run.

    python -m benchmarks.startup [--rounds 5]

Each round starts a fresh server and a fresh headless Chromium page for each app in turn and waits until the
page's heading is painted. Needs the packages of requirements-dev.txt and a Chromium on the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
EMPTY = 'import streamlit as st\nst.title("Empty")\n'
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def seconds(browser: Browser, script: Path) -> float:
    """From starting the server's process to the first painted h1."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    page = browser.new_page()
    start = time.perf_counter()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            script.name,
            f"--server.port={port}",
            "--server.headless=true",
        ],
        cwd=script.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.perf_counter() - start > 60:
                raise SystemExit("The server did not start within a minute.")
            time.sleep(0.01)
        page.goto(f"http://localhost:{port}/", wait_until="commit")
        page.wait_for_selector("h1", timeout=60_000)
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()
        page.close()


def browser_path() -> str:
    """Chromium's place. Ends the program where there is none."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("No Chromium found: install it or name it in the environment variable CHROMIUM.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    chromium = browser_path()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        shutil.copytree(ROOT / ".streamlit", Path(folder) / ".streamlit")
        apps = {"empty Streamlit app": empty, "Studio": ROOT / "app.py"}
        times: dict[str, list[float]] = {name: [] for name in apps}
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(args.rounds):
            for name, script in apps.items():
                times[name].append(seconds(browser, script))
        browser.close()
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:22} {value:5.2f} s   (rounds: {', '.join(f'{v:.2f}' for v in times[name])})")
    print(f"The Studio takes {medians['Studio'] / medians['empty Streamlit app']:.2f} times as long")


if __name__ == "__main__":
    main()
