"""What the hand feels, in headless Chromium with software rendering.

Milliseconds of script between a pointer's move and the painted picture, frames a second, bytes to the server, and the
same gesture through `st.slider`.

    python -m benchmarks.live [--rounds 200]

"script" is the time that the page's own code takes for one move: its event handlers and its frame callbacks. A frame
adds up to 16.7 ms of waiting for the screen. Run it on a machine that has nothing else to do.
"""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# A page carries what it has sent and received; what is not on it ends a benchmark where it is missed.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ElementHandle, Page, sync_playwright

from benchmarks.startup import browser_path
from ui.live import networks

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PATIENCE = 60_000  # milliseconds

# Counts what frame callbacks take. `settled` comes after all callbacks of the next frame.
COUNT = """
const raf = window.requestAnimationFrame.bind(window);
window.spent = 0;
window.requestAnimationFrame = (f) => raf((t) => {
  const start = performance.now();
  try { f(t); } finally { window.spent += performance.now() - start; }
});
window.settled = () => new Promise((done) => raf(() => done()));
"""
# n moves along a path over the element: script milliseconds of each, and how long all frames took.
MOVES = """async ([element, n, buttons]) => {
  const box = element.getBoundingClientRect(), script = [];
  const began = performance.now();
  for (let k = 0; k < n; k++) {
    await settled();
    const clientX = box.x + box.width * (0.5 + 0.3 * Math.cos(0.11 * k));
    const clientY = box.y + box.height * (0.5 + 0.3 * Math.sin(0.17 * k));
    const init = { clientX, clientY, buttons, pointerId: 1, pointerType: "mouse", isPrimary: true };
    Object.assign(init, { bubbles: true, composed: true });
    spent = 0;
    const start = performance.now();
    const coalescedEvents = [new PointerEvent("pointermove", init)];
    element.dispatchEvent(new PointerEvent("pointermove", { ...init, coalescedEvents }));
    const handler = performance.now() - start;
    await settled();
    script.push(handler + spent);
  }
  return { script, seconds: (performance.now() - began) / 1000 };
}"""
# n values of a range input, as a hand that drags its thumb gives them.
SLIDES = """async ([element, n]) => {
  const script = [], [low, high] = [Number(element.min), Number(element.max)];
  for (let k = 0; k < n; k++) {
    await settled();
    spent = 0;
    const start = performance.now();
    element.value = low + (high - low) * (0.5 + 0.4 * Math.sin(0.13 * k));
    element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    const handler = performance.now() - start;
    await settled();
    script.push(handler + spent);
  }
  return { script };
}"""
# A property of an element somewhere in the shadow roots.
FIND = """([selector, property]) => {
  const find = (node) => {
    for (const e of node.querySelectorAll("*")) {
      const found = (e.matches(selector) && e[property]) || (e.shadowRoot && find(e.shadowRoot));
      if (found) return found;
    }
  };
  return find(document);
}"""
ENGINE = """async ([n, told]) => {
  const at = (name) => new URL(`app/static/${name}`, document.baseURI).href;
  const { model } = await import(at("engine/registry.mjs"));
  const { digitCanvas, paint } = await import(at("parts/paint.mjs"));
  const network = await model(told), canvas = digitCanvas({ label: "benchmark" });
  const z = new Float32Array(2), out = new Float32Array(784);
  const { decoder } = network.card.config.model, widths = [2, ...decoder, 784];
  const layers = widths.slice(1).map((w, i) => ({ n: widths[i], m: w, W: new Float32Array(widths[i] * w).fill(0.01) }));
  const loop = () => {  // the same shapes, one multiplication after the other
    let x = new Float32Array(2).fill(0.5);
    for (const { n, m, W } of layers) {
      const y = new Float32Array(m);
      for (let j = 0; j < m; j++) { let s = 0; for (let i = 0; i < n; i++) s += W[j * n + i] * x[i]; y[j] = s; }
      x = y;
    }
    return x[0];
  };
  const time = (work) => Array.from({ length: n }, (_, k) => {
    z[0] = Math.cos(k); z[1] = Math.sin(k);
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  loop();
  return { live: time(() => paint(canvas, network.decode(z, null, out))), loop: time(loop) };
}"""
SLIDER = """
import numpy as np, streamlit as st, torch
from ui.live import store
from ui.parts import tiles
from vae_core import latent
@st.fragment
def play():
    z = st.slider("z", -3.0, 3.0, 0.0, 0.05)
    model, _ = store.model("mnist-vae-2d")
    tiles.row([tiles.Tile(latent.decode(model, torch.tensor([[z, 0.0]]))[0].numpy(), f"z {z:.2f}")])
st.title("Slider")
play()
"""


@contextmanager
def served(folder: Path, script: str) -> Iterator[str]:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, f"--server.port={port}", "--server.headless=true"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open(os.devnull, "w") as nothing:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=nothing, stderr=nothing)
    try:
        while True:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait()


def row(name: str, values: list[float], unit: str = "ms", note: str = "") -> None:
    values = sorted(values)
    p95 = values[min(len(values) - 1, int(0.95 * len(values)))]
    print(
        f"| {name} | {statistics.median(values):.2f} {unit} | {p95:.2f} {unit} | {len(values)} | {note} |", flush=True
    )


def moves(
    page: Page, element: ElementHandle | None, rounds: int, *, press: bool, at: tuple[float, float] | None = None
) -> dict:
    """Moves over an element with the button held or not; `sent` counts the bytes that left meanwhile.

    The button goes down at a place within the element (pixels), where something is to be grabbed there.
    """
    box = element.bounding_box()
    x, y = at or (0.8 * box["width"], 0.5 * box["height"])
    page.mouse.move(box["x"] + x, box["y"] + y)
    if press:
        page.mouse.down()
    page.evaluate("settled()")
    page.wait_for_timeout(1000)  # what an earlier release sends is not this move's
    page.sent.clear()
    result = page.evaluate(MOVES, [element, rounds, 1 if press else 0])
    result["sent"] = sum(map(len, page.sent))
    if press:
        page.mouse.up()
    return result


def slides(page: Page, selector: str, rounds: int) -> dict:
    """Values of a range input; `sent` as in `moves`."""
    element = page.query_selector(selector)
    page.wait_for_timeout(1000)
    page.sent.clear()
    result = page.evaluate(SLIDES, [element, rounds])
    result["sent"] = sum(map(len, page.sent))
    return result


def true_posterior(page: Page, pad: ElementHandle | None, rounds: int) -> int:
    """The Studio's brush step with both true posteriors under the hand; bytes sent meanwhile."""
    page.evaluate(f"() => ({FIND})(['*', 'studio']).at('[data-set=truth]').click()")
    page.wait_for_function(
        f"() => ({FIND})(['*', 'studio']).answers.filter((a) => a.posterior).every((a) => a.posterior.refined)"
    )
    page.wait_for_selector(IDLE)
    result = moves(page, pad, rounds, press=True)
    row("Studio, the same with both true posteriors", result["script"], note="script")
    return result["sent"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    chromium = browser_path()
    print("| | median | 95 % | rounds | |\n| --- | ---: | ---: | ---: | --- |")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)

        def open_page(address: str, ready: Callable[[Page], object]) -> Page:
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.set_default_timeout(PATIENCE)
            page.add_init_script(COUNT)
            page.sent, page.received = [], []
            page.on("websocket", lambda w: w.on("framesent", lambda f: page.sent.append(f)))
            page.on("websocket", lambda w: w.on("framereceived", lambda f: page.received.append(len(f))))
            page.goto(address, wait_until="commit")
            ready(page)
            return page

        def studio_ready(page: Page) -> None:
            page.wait_for_function(f"() => ({FIND})(['*', 'studio'])?.ready")

        with served(ROOT, "app.py") as address:
            open_page(address, studio_ready).context.close()  # the server's own first time
            cold = []
            for _ in range(5):
                start = time.perf_counter()
                page = open_page(address, studio_ready)
                pad = page.evaluate_handle(f"({FIND})(['*', 'studio']).pad.canvas").as_element()
                page.evaluate(MOVES, [pad, 1, 0])
                cold.append(1000 * (time.perf_counter() - start))
                received = sum(page.received)
                page.context.close()
            row("cold open of the Studio, navigation → first reaction", cold)

            page = open_page(address, studio_ready)
            page.wait_for_selector(IDLE)
            engine = page.evaluate(ENGINE, [rounds, networks.network("mnist-vae-2d")])
            row("decode and paint, one 2-D model", engine["live"])
            row("the same products in a plain loop", engine["loop"])
            pad = page.evaluate_handle(f"({FIND})(['*', 'studio']).pad.canvas").as_element()
            sent = 0
            for name, label in (("auto label", None), ("label chosen", 3)):
                if label is not None:
                    page.evaluate(
                        f"() => {{ const s = ({FIND})(['*', 'studio']); s.at('[data-label=\"{label}\"]').click(); }}"
                    )
                result = moves(page, pad, rounds, press=True)
                sent += result["sent"]
                row(f"Studio, brush step → four answers, {name}", result["script"], note="script")
            sent += true_posterior(page, pad, rounds)
            page.context.close()

            page = open_page(f"{address}/Styles", lambda page: page.wait_for_selector(".view [role=application]"))
            page.wait_for_selector(IDLE)
            plane = page.query_selector(".view [role=application]")
            result = moves(page, plane, rounds, press=True)
            sent += result["sent"]
            row("Styles, pointer move → ten digits", result["script"], note="script")
            page.context.close()

            for name, path, selector in (
                ("Sliders, one number → all models and a strip", "Sliders", ".sliders input[type=range]"),
                ("Interpolate, t → every way", "Interpolate", ".walk input[type=range]"),
                ("Restore, amount → all models and the median filter", "Restore", ".restore input[type=range]"),
            ):
                page = open_page(f"{address}/{path}", lambda page, at=f"{selector}:enabled": page.wait_for_selector(at))
                page.wait_for_selector(IDLE)
                result = slides(page, selector, rounds)
                sent += result["sent"]
                row(name, result["script"], note="script")
                page.context.close()

            def bound_ready(page: Page) -> None:
                page.wait_for_function(f"() => ({FIND})(['.bound', 'view'])")

            page = open_page(f"{address}/The_bound?digit=5", bound_ready)  # its q is in the close-up
            page.wait_for_selector(IDLE)
            view = f"({FIND})(['.bound', 'view'])"
            near = page.evaluate_handle(f"{view}.near.canvas").as_element()
            near.scroll_into_view_if_needed()
            ring = page.evaluate(f"(() => {{ const v = {view}; return v.near.toScreen(v.q.mean); }})()")
            result = moves(page, near, rounds, press=True, at=tuple(ring))
            sent += result["sent"]
            row("The bound, μ → ELBO, gap and costs", result["script"], note="script")
            page.context.close()

            def map_ready(page: Page) -> None:
                page.wait_for_function(f"() => ({FIND})(['.map', 'view'])")

            opened: dict[str, list[float]] = {"Map": [], "The_bound": []}
            for k in range(11):  # the first is the server's own
                for path, ready in (("Map", map_ready), ("The_bound", bound_ready)):
                    start = time.perf_counter()
                    open_page(f"{address}/{path}", ready).context.close()
                    if k:
                        opened[path].append(1000 * (time.perf_counter() - start))
            for path, times in opened.items():
                row(f"open {path.replace('_', ' ')}, navigation → live view", times)

            page = open_page(f"{address}/Map", lambda page: page.wait_for_function(f"() => ({FIND})(['.map', 'view'])"))
            page.wait_for_selector(IDLE)
            canvas = page.evaluate_handle(f"({FIND})(['.map', 'view']).sides[0].plane.canvas").as_element()
            for name, press in (("hover", False), ("drag", True)):
                result = moves(page, canvas, rounds, press=press)
                sent += result["sent"]
                frames = 2 * rounds / result["seconds"]  # MOVES waits for two frames a move
                row(f"Map, 20,000 points, {name}", result["script"], note=f"script; {frames:.1f} frames a second")
            box, answers = canvas.bounding_box(), []
            for k in range(rounds):
                at = box["x"] + box["width"] * (0.25 + 0.1 * (k % 5)), box["y"] + box["height"] * (0.3 + 0.08 * (k % 4))
                page.mouse.move(*at)
                page.evaluate("""() => { window.answered = new Promise((done) => {
                    let start = null;
                    addEventListener("pointerup", () => { start = performance.now(); }, { once: true, capture: true });
                    new MutationObserver((_, observer) => {
                        if (start === null) return;
                        observer.disconnect();
                        done(performance.now() - start);
                    }).observe(document.querySelector("[data-testid=stMain]"),
                                 { subtree: true, childList: true, characterData: true, attributeFilter: ["src"] });
                }); }""")
                page.mouse.down()
                page.mouse.up()
                answers.append(page.evaluate("Promise.race([answered, new Promise((d) => setTimeout(d, 5000, 5000))])"))
                page.wait_for_selector(IDLE)
            row("release → Python's addition begins to show", answers)
            page.context.close()
        print(f"| bytes to the server while dragging | {sent} | | | |")
        print(f"| bytes of the Studio over the wire, weights and codes included | {received / 1e6:.2f} MB | | | |")

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "app.py").write_text(SLIDER)
            shutil.copytree(ROOT / ".streamlit", Path(folder) / ".streamlit")
            with served(Path(folder), "app.py") as address:
                page = open_page(address, lambda page: page.wait_for_selector("figure img"))
                thumb = page.get_by_role("slider")
                thumb.focus()
                trips = []
                for k in range(rounds):
                    before = page.get_attribute("figure img", "src")
                    start = time.perf_counter()
                    thumb.press("ArrowRight" if k % 40 < 20 else "ArrowLeft")
                    page.wait_for_function("b => document.querySelector('figure img')?.src !== b", arg=before)
                    trips.append(1000 * (time.perf_counter() - start))
                row("the same through st.slider in a fragment, one step", trips)
        browser.close()
    ratio = statistics.median(trips) / statistics.median(engine["live"])
    print(f"\nA step of st.slider takes {ratio:.0f} times as long as decoding and painting under the hand.")


if __name__ == "__main__":
    main()
