"""How long a page takes to open, beside the Map, and how long its first picture has stood there by then.

    python -m benchmarks.opening [--rounds 5]

From navigation in a browser that has nothing of ours until the view is painted, and until the picture that Python sends
of it is, where a page has one. The pages take turns, so that they compare on a machine that is not idle, too.
"""

from __future__ import annotations

import argparse
import statistics

from playwright.sync_api import sync_playwright

from benchmarks.live import FLAGS, PATIENCE, ROOT, row, served
from benchmarks.startup import browser_path

PAGES = {
    "Map": "Map",
    "Sliders": "Sliders",
    "Styles": "Styles",
    "Interpolate": "Interpolate",
    "The bound": "The_bound",
    "Restore": "Restore",
    "Generate, random codes": "Generate",
    "Generate, near yours": "Generate?generate_part=Near yours",
    "Generate, prior and posterior": "Generate?generate_part=Prior and posterior",
}
# A view paints on canvases, a first picture is made of images; both stand in a shadow tree.
WATCH = """
window.seen = {};
(function look() {
  const roots = [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const has = (selector) => roots.some((root) => root.querySelector(selector));
  if (!seen.picture && has(".view img")) seen.picture = performance.now();
  if (!seen.view && has("canvas")) seen.view = performance.now();
  if (!seen.view) requestAnimationFrame(look);
})();
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    chromium = browser_path()
    found: dict[str, list[dict[str, float]]] = {page: [] for page in PAGES}
    with sync_playwright() as p, served(ROOT, "app.py") as ours:
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        for turn in range(args.rounds + 1):  # the server's own first time does not count
            for page, address in PAGES.items():
                context = browser.new_context(viewport={"width": 1440, "height": 900})
                context.add_init_script(WATCH)
                tab = context.new_page()
                tab.goto(f"{ours}/{address}")
                tab.wait_for_function("() => window.seen.view", timeout=PATIENCE)
                if turn:
                    found[page].append(tab.evaluate("seen"))
                context.close()
        browser.close()
    maps = statistics.median(each["view"] for each in found["Map"])
    print("| | median | 95 % | rounds | |\n| --- | ---: | ---: | ---: | --- |")
    for page, rounds in found.items():
        views = [each["view"] for each in rounds]
        early = [each["view"] - each["picture"] for each in rounds if "picture" in each]
        before = f", its first picture {statistics.median(early):.0f} ms before" if early else ""
        row(page, views, note=f"{statistics.median(views) / maps:.2f} times the Map's{before}")


if __name__ == "__main__":
    main()
