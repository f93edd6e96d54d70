"""What the browser's engine costs: medians in headless Chromium, beside a plain matrix–vector loop in the same run.

    python -m benchmarks.engine

Random weights in the shipped structure: time does not depend on what a network has learned. All variants take turns
within every repetition, so that whatever else the machine does falls on all of them alike.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from vae_core import checkpoints
from vae_core.config import Config, ModelConfig
from vae_core.models import build

ROOT = Path(__file__).resolve().parents[1]
ORIGIN = "https://engine.test/"  # answered from the disk; a secure, isolated origin has a clock of 5 µs
REPETITIONS = 300
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
KINDS = ("ae", "dae", "vae", "cvae")

MEASURE = """async repetitions => {
    const { Model, slices } = await import("./static/engine/engine.mjs");
    const { KERNELS } = await import("./static/engine/kernel.mjs");
    const { drawSegment, place } = await import("./static/maths/digit.mjs");
    const { Random } = await import("./static/engine/random.mjs");
    const { readTensors } = await import("./static/engine/safetensors.mjs");
    const files = await Promise.all(["ae", "dae", "vae", "cvae"].map(async kind => [
        await (await fetch(`./models/${kind}/weights.safetensors`)).arrayBuffer(),
        await (await fetch(`./models/${kind}/card.json`)).json()]));
    const variants = KERNELS.filter(kernel => {
        try { Model.fromSafetensors(...files[0], {kernel}); return true; } catch { return false; }
    });

    // The reference: the textbook's loop over rows of the weights as they lie in the file, same activation.
    function plain(buffer, part) {
        const tensors = readTensors(buffer);
        const layers = [];
        for (let i = 0; tensors.has(`${part}.${i}.weight`); i += 2) {
            const bias = tensors.get(`${part}.${i}.bias`).values;
            layers.push({w: tensors.get(`${part}.${i}.weight`).values, bias, out: new Float32Array(bias.length)});
        }
        const { activate } = Model.fromSafetensors(...files[0]);
        return x => {
            layers.forEach(({w, bias, out}, l) => {
                for (let o = 0; o < out.length; o++) {
                    let sum = bias[o];
                    for (let i = 0; i < x.length; i++) sum += w[o * x.length + i] * x[i];
                    out[o] = l < layers.length - 1 ? activate(sum) : sum;
                }
                x = out;
            });
            return x;
        };
    }

    const x = new Float32Array(784);  // a stroke of 120 pixels, as many as a digit has
    for (let i = 0; i < 120; i++) x[(i % 30 + 4) * 28 % 784 + Math.floor(i / 30) + 12] = 1;
    const labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    const tasks = {};
    for (const kernel of variants) {
        const models = files.map(file => Model.fromSafetensors(...file, {kernel}));
        const [ae, , , cvae] = models;
        const codes = models.map(m => m.newCode()), code10 = cvae.newCode(10);
        const one = new Float32Array(784), ten = new Float32Array(7840), z = Float32Array.of(0.3, -0.8);
        const eps = new Random(1).normals(new Float32Array(2));
        tasks[`decode one 2-D model | ${kernel}`] = () => ae.decode(z, null, one);
        tasks[`encode one 2-D model | ${kernel}`] = () => ae.encode(x, null, codes[0]);
        tasks[`brush step: four encodes, four decodes | ${kernel}`] = () => {
            models.forEach((m, i) => { m.encode(x, 3, codes[i]); m.decode(codes[i].mean, 3, one); });
        };
        tasks[`ten labels: ten decodes | ${kernel}`] = () => cvae.decode(z, labels, ten);
        tasks[`automatic label: ten ELBOs | ${kernel}`] = () => cvae.elbo(x, labels, eps);
    }
    const z = Float32Array.of(0.3, -0.8);
    const encode = plain(files[0][0], "encoder"), decode = plain(files[0][0], "decoder");
    const sigmoid = logits => logits.map(l => 1 / (1 + Math.exp(-l)));
    tasks["decode one 2-D model | plain"] = () => sigmoid(decode(z));
    tasks["encode one 2-D model | plain"] = () => encode(x);
    tasks["brush step: four encodes, four decodes | plain"] = () => {
        for (let i = 0; i < 4; i++) sigmoid(decode(encode(x)));
    };
    tasks["ten labels: ten decodes | plain"] = () => { for (let i = 0; i < 10; i++) sigmoid(decode(z)); };
    const ink = new Float32Array(280 * 280), placed = new Float32Array(784), random = new Random(2);
    tasks["ink of one brush step and centring, 280 × 280 | plain"] = () => {
        const at = () => 60 + 160 * random.uniform(), x0 = at(), y0 = at();
        drawSegment(ink, 280, x0, y0, x0 + 5, y0 + 5, 12);
        place(ink, 280, placed);
    };
    tasks["read a file and pack its weights | auto"] = () => Model.fromSafetensors(...files[0]);

    const times = Object.fromEntries(Object.keys(tasks).map(name => [name, []]));
    for (let i = -30; i < repetitions; i++) {  // the first ones are for the compiler
        for (const [name, task] of Object.entries(tasks)) {
            const start = performance.now();
            task();
            if (i >= 0) times[name].push(performance.now() - start);
        }
        await new Promise(resolve => setTimeout(resolve));
    }

    // A manifold of 32 × 32 tiles, as a page draws it.
    const m = Model.fromSafetensors(...files[0]), tile = new Float32Array(784), lengths = [];
    let from, start = performance.now();
    for (let i = 0; i < 5; i++) {
        let began = null;
        const work = () => { began ??= performance.now(); m.decode(z, null, tile); };
        for await (const _ of slices(1024, work)) { lengths.push(performance.now() - began); began = null; }
    }
    return {times, lengths, grid: (performance.now() - start) / 5, bytes: files.map(f => f[0].byteLength)};
}"""


def write_models(root: Path) -> None:
    for kind in KINDS:
        config = ModelConfig(kind, 2, (384, 384, 384), (384, 384, 384, 512))
        card = {"slug": kind, "kind": kind, "config": Config(config).to_dict()}
        checkpoints.save(build(config), card, root)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def measure() -> dict:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_models(Path(folder))
        roots = {"static": ROOT / "static", "models": Path(folder)}

        def answer(route):
            first, _, rest = route.request.url.removeprefix(ORIGIN).partition("/")
            body = (roots[first] / rest).read_bytes() if first else b"<!doctype html>"
            kind = "text/javascript" if rest.endswith(".mjs") else "text/html"
            route.fulfill(body=body, content_type=kind, headers=ISOLATED)

        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.route(ORIGIN + "**", answer)
        page.goto(ORIGIN)
        page.set_default_timeout(0)
        result = page.evaluate(MEASURE, REPETITIONS)
        browser.close()
    return result


def main() -> None:
    result = measure()
    tasks: dict[str, dict[str, list[float]]] = {}
    for name, times in result["times"].items():
        task, variant = name.split(" | ")
        tasks.setdefault(task, {})[variant] = times
    print(f"Medians of {REPETITIONS} in ms (5th–95th percentile); plain is the scalar matrix–vector loop, and the")
    print("ratio to it is of 5th percentiles, since a busy machine interrupts long tasks more than short ones.\n")
    for task, variants in tasks.items():
        print(task)
        reference = variants.get("plain")
        for variant, times in variants.items():
            middle, best = quantile(times, 0.5), quantile(times, 0.05)
            ratio = f"  {quantile(reference, 0.05) / best:5.1f} × plain" if reference else ""
            print(f"    {variant:8}{middle:8.3f} ({best:.3f}–{quantile(times, 0.95):.3f}){ratio}")
    lengths = result["lengths"]
    print(
        f"manifold of 32 × 32 tiles in slices: {result['grid']:.0f} ms a manifold, "
        f"a slice {quantile(lengths, 0.5):.1f} ms ({quantile(lengths, 0.95):.1f}, longest {max(lengths):.1f})"
    )
    print(f"weights over the wire: {json.dumps(dict(zip(KINDS, result['bytes'], strict=True)))}")


if __name__ == "__main__":
    main()
