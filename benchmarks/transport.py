"""How the weights of the four 2-D models reach the browser: milliseconds and bytes of the choices.

    python -m benchmarks.transport [--rounds 10]

From navigation until the bytes are there, in headless Chromium: as bytes through a component (as `ui/live.py` does), or
fetched from Streamlit's `static/`; as float16, as the checkpoints hold them, or as int8, half of that. "again" is a
second visit by the same browser, which has an HTTP cache. The page is otherwise empty. Beside them, what turning the
float16 files into networks takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.live import FLAGS, PATIENCE, ROOT, row, served

MODELS = [f"mnist-{kind}-2d" for kind in ("ae", "dae", "vae", "cvae")]
PAGE = """
from pathlib import Path
import numpy as np, streamlit as st
MODELS = {models}
by, bits = st.query_params["by"], int(st.query_params["bits"])
st.title("Transport")
read = '''
const at = (slug, bits) => new URL(`app/static/${{slug}}-${{bits}}.bin`, document.baseURI).href;
export default async function ({{ data }}) {{
  if (window.arrived) return;
  let files;
  if (data.by === "static") {{
    files = await Promise.all(data.slugs.split(" ").map(async (slug) => {{
      const answer = await fetch(at(slug, data.bits));
      return new Uint8Array(await answer.arrayBuffer());
    }}));
  }} else files = data.slugs.split(" ").map((slug) => new Uint8Array(data[slug].getChildAt(0).toArray()));
  window.files = files;
  window.arrived = performance.now();
}}
'''
show = st.components.v2.component("transport", html="<span></span>", js=read)
data = {{"by": by, "bits": str(bits), "slugs": " ".join(MODELS)}}
if by == "component":
    files = {{slug: Path("static", f"{{slug}}-{{bits}}.bin").read_bytes() for slug in MODELS}}
    data |= {{slug: np.frombuffer(file, dtype=np.uint8) for slug, file in files.items()}}
show(key="transport", data=data)
"""
PARSE = """async ([n, cards]) => {
  const { Model } = await import(new URL("app/static/engine/engine.mjs", document.baseURI).href);
  return Array.from({ length: n }, () => {
    const start = performance.now();
    window.files.forEach((bytes, i) => Model.fromSafetensors(bytes, cards[i]));
    return performance.now() - start;
  });
}"""


def main() -> None:
    from vae_core.checkpoints import read_card

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium found: install it or name it in the environment variable CHROMIUM.")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as p:
        folder = Path(name)
        shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
        shutil.copytree(ROOT / "static", folder / "static")
        (folder / "app.py").write_text(PAGE.format(models=MODELS))
        for slug in MODELS:
            weights = (ROOT / "checkpoints" / slug / "weights.safetensors").read_bytes()
            (folder / "static" / f"{slug}-16.bin").write_bytes(weights)
            (folder / "static" / f"{slug}-8.bin").write_bytes(weights[::2])
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        print("| | median | 95 % | rounds | |\n| --- | ---: | ---: | ---: | --- |")
        with served(folder, "app.py") as address:

            def visit(context: object, by: str, bits: int) -> tuple[Page, float, int]:
                page, received = context.new_page(), []
                page.set_default_timeout(PATIENCE)
                page.on("websocket", lambda w: w.on("framereceived", lambda f: received.append(len(f))))
                page.goto(f"{address}/?by={by}&bits={bits}", wait_until="commit")
                page.wait_for_function("() => window.arrived")
                fetched = page.evaluate("""() => performance.getEntriesByType("resource")
                    .filter((e) => /-(16|8).bin$/.test(e.name)).reduce((sum, e) => sum + e.transferSize, 0)""")
                return page, page.evaluate("window.arrived"), sum(received) + fetched

            context = browser.new_context()
            visit(context, "component", 16)  # the server's own first time
            context.close()
            for by in ("component", "static"):
                for bits in (16, 8):
                    times: dict[str, list[float]] = {"first": [], "again": []}
                    sizes = {}
                    for _ in range(rounds):
                        context = browser.new_context()
                        for which, found in times.items():
                            page, arrived, sizes[which] = visit(context, by, bits)
                            found.append(arrived)
                            page.close()
                        context.close()
                    for which, found in times.items():
                        row(f"{by}, {bits} bits, {which}", found, note=f"{sizes[which] / 1e6:.2f} MB")
            context = browser.new_context()
            page, *_ = visit(context, "static", 16)
            cards = [{k: v for k, v in read_card(slug).items() if k in ("slug", "kind", "config")} for slug in MODELS]
            row("four files into networks", page.evaluate(PARSE, [rounds, cards]))
        browser.close()


if __name__ == "__main__":
    main()
