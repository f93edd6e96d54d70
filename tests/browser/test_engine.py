"""The engine in a real browser, held to PyTorch and to the Python that it repeats: same weights, same numbers."""

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from scipy import stats

from ui.shell import family
from vae_core import chance, checkpoints, corruption, data, digitize, latent
from vae_core.config import Config, ModelConfig, TrainingConfig
from vae_core.models import Autoencoder, build

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://engine.test/"  # answered from the disk; a secure origin, as workers and timers want it

# Random networks: every kind, activation, likelihood and depth that a card can name, wide and narrow.
ZOO = {
    "ae-gelu": ModelConfig("ae", 2, (64, 48), (48, 96)),
    "ae-linear": ModelConfig("ae", 20, (), ()),
    "ae-sigmoid": ModelConfig("ae", 20, (), (), code="sigmoid"),
    "sparse": ModelConfig("sparse", 64, (60,), (50,)),
    "sparse-threshold": ModelConfig("sparse", 64, (60,), (50,), threshold=0.5),
    "pca": ModelConfig("pca", 20),
    "ae-squared": ModelConfig("ae", 2, (40,), (40,), likelihood="gaussian", seen="binary"),
    "contractive": ModelConfig("contractive", 20, (40,), (40,)),
    "scrubbed": ModelConfig("scrubbed", 3, (40,), (40,)),
    "dae-relu": ModelConfig("dae", 3, (70,), (33, 40, 50), "relu", "gaussian"),
    "vae-silu": ModelConfig("vae", 2, (64, 64, 64), (64, 64, 64, 128), "silu"),
    "vae-sigma": ModelConfig("vae", 20, (50, 40), (90,), "tanh", "gaussian", sigma=None),
    "cvae-tanh": ModelConfig("cvae", 2, (64,), (64, 64), "tanh"),
    "mixture": ModelConfig("mixture", 2, (40,), (40,), components=7),
    "mixture-wide": ModelConfig("mixture", 20, (40,), (40,), components=12),
    "cvae-gelu": ModelConfig("cvae", 20, (384, 384), (384, 512), "gelu", "gaussian", n_classes=7),
}
SHIPPED = checkpoints.available()  # the list is the folder: a new model cannot be forgotten
OPEN = [family.slug(kind, size) for kind in family.FAMILY for size in (2, 20)]  # those that the pages open with
COUNT = 1000  # digits and codes that one of them, or a network of the zoo, is compared on
# By the loop without SIMD, the same arithmetic at a quarter of the speed, and for the relatives, networks of the same
# sorts: what could be wrong is how a file and its card are read, and no digit survives that.
FEW = 100


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """A checkpoints folder with one throwaway model of every sort."""
    root = tmp_path_factory.mktemp("zoo")
    for name, config in ZOO.items():
        model = build(config, seed=1)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.mul_(3.5)  # otherwise every pixel is nearly 0.5 and no mistake would show
            if config.sigma is None:
                model.log_sigma.fill_(-1.3)
            if config.threshold:
                model.settle(data.load("digits", "test").images)
        run = Config(config, TrainingConfig(dataset="digits"))
        checkpoints.save(model, {"slug": name, "kind": config.kind, "config": run.to_dict()}, root)
    return root


def of_the_zoo(root: Path, name: str) -> Autoencoder:
    """A throwaway model as its file holds it: `checkpoints.load` asks for a whole card, with codes and scores."""
    model = build(ZOO[name], seed=0)
    weights = load((root / name / "weights.safetensors").read_bytes())
    model.load_state_dict({key: torch.from_numpy(values.astype(np.float32)) for key, values in weights.items()})
    return model.eval()


@pytest.fixture(scope="module")
def page(browser, zoo):
    """An empty page with the modules as `engine`, `digit`, `random`, `safetensors` and arrays that travel as base64."""
    context = browser.new_context()
    roots = {"static": ROOT / "static", "checkpoints": checkpoints.ROOT, "zoo": zoo}

    def answer(route):
        first, _, rest = route.request.url.removeprefix(ORIGIN).partition("/")
        if not first:
            route.fulfill(body="<!doctype html>", content_type="text/html")
        else:
            kind = "text/javascript" if rest.endswith(".mjs") else "application/octet-stream"
            route.fulfill(body=(roots[first] / rest).read_bytes(), content_type=kind)

    context.route(ORIGIN + "**", answer)
    page = context.new_page()
    page.goto(ORIGIN)
    page.evaluate("""async () => {
        const rooms = {engine: ["engine", "random", "safetensors", "kernel"], maths: ["digit", "codes"]};
        for (const [room, names] of Object.entries(rooms)) {
            for (const name of names) window[name] = await import(`./static/${room}/${name}.mjs`);
        }
        window.bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
        window.f32 = text => new Float32Array(bytes(text).buffer);
        window.text = array => {
            let out = "";
            const raw = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
            for (let i = 0; i < raw.length; i += 9999) out += String.fromCharCode(...raw.subarray(i, i + 9999));
            return btoa(out);
        };
        window.model = async (folder, kernel = "auto") => engine.Model.fromSafetensors(
            await (await fetch(`./${folder}/weights.safetensors`)).arrayBuffer(),
            await (await fetch(`./${folder}/card.json`)).json(), {kernel});
        window.refusal = f => {
            try { f(); return null; } catch (e) { return {name: e.name, message: e.message}; }
        };
    }""")
    yield page
    context.close()


def text(array) -> str:
    return base64.b64encode(np.ascontiguousarray(array, np.float32).tobytes()).decode()


def array(text: str, *shape: int, dtype=np.float32) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


@pytest.fixture(scope="module")
def digits() -> data.Split:
    """A thousand real digits, grey."""
    split = data.load("digits", "train")
    return data.Split(split.images[:COUNT], split.labels[:COUNT])


# The networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["auto", "scalar"])
@pytest.mark.parametrize("name", [f"checkpoints/{slug}" for slug in SHIPPED] + [f"zoo/{slug}" for slug in ZOO])
def test_the_engine_says_what_pytorch_says(page, zoo, digits, name, kernel):
    """A wrong transposition, a tanh-GELU or a label in the wrong place draws a digit that looks plausible."""
    folder, slug = name.split("/")
    model = of_the_zoo(zoo, slug) if folder == "zoo" else checkpoints.load(slug)[0]
    few = kernel == "scalar" or (folder == "checkpoints" and slug not in OPEN)
    images, labels = (part[: FEW if few else COUNT] for part in digits)
    y = labels % model.config.n_classes if model.conditional else None
    x = model.observe(images)
    x[0] = 0  # nothing drawn yet: no input is on
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        code = model.encode(x, y)
        spread = code.mean.std(0)
        z = code.mean + spread * torch.randn(code.mean.shape, generator=generator)  # not only where digits are
        decoded, pixels = model.decode(z, y), model.pixels(z, y)
        nll = model.nll(x, decoded)
        kl = model.prior.kl(*code) if model.probabilistic else None
    assert pixels.std() > 0.1, "the reference is flat: nothing would be compared"

    got = page.evaluate(
        """async ({name, kernel, x, z, y}) => {
            const m = await model(name, kernel);
            x = f32(x); z = f32(z);
            const code = m.encode(m.observe(x), y);
            const logits = m.logits(z, y);
            return {mean: text(code.mean), logvar: code.logvar && text(code.logvar), pixels: text(m.decode(z, y)),
                    nll: text(m.nll(x, logits)), kl: code.logvar && text(m.klParts(code)), name: m.kernel,
                    total: code.logvar && text(m.kl(code))};
        }""",
        {"name": name, "kernel": kernel, "x": text(x), "z": text(z), "y": None if y is None else y.tolist()},
    )
    assert got["name"] == {"auto": "simd", "scalar": "scalar"}[kernel]
    n, d = code.mean.shape
    assert np.abs(array(got["mean"], n, d) - code.mean.numpy()).max() <= 1e-3
    assert np.abs(array(got["pixels"], n, 784) - pixels.numpy()).max() <= 1e-4
    np.testing.assert_allclose(array(got["nll"], n, dtype=np.float64), nll.numpy(), rtol=1e-4, atol=1e-2)
    if model.probabilistic:
        assert np.abs(array(got["logvar"], n, d) - code.logvar.numpy()).max() <= 1e-3
        np.testing.assert_allclose(array(got["kl"], *kl.shape, dtype=np.float64), kl.numpy(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(array(got["total"], n, dtype=np.float64), kl.numpy().sum(1), rtol=1e-3, atol=1e-3)
    else:
        assert got["logvar"] is None and got["kl"] is None


@pytest.mark.parametrize("slug", ZOO)
def test_a_batch_is_its_rows(page, digits, slug):
    """Rows share buffers: what one leaves behind must not reach the next, whatever was asked in between."""
    ok = page.evaluate(
        """async ({folder, x}) => {
            const m = await model(folder);
            x = m.observe(f32(x));
            const n = x.length / 784, D = m.latentDim;
            const y = m.conditional ? Array.from({length: n}, (_, i) => (3 * i) % m.nClasses) : null;
            const label = i => y && y[i];
            const all = m.encode(x, y), pictures = m.decode(all.mean, y);
            const code = m.newCode(), picture = new Float32Array(784);
            for (let i = n - 1; i >= 0; i--) {
                if (m.encode(x.subarray(784 * i, 784 * (i + 1)), label(i), code) !== code) return "encode left out";
                if (m.decode(code.mean, label(i), picture) !== picture) return "decode left out";
                if (code.mean.some((v, d) => v !== all.mean[i * D + d])) return `code ${i}`;
                if (code.logvar?.some((v, d) => v !== all.logvar[i * D + d])) return `logvar ${i}`;
                if (picture.some((v, p) => v !== pictures[784 * i + p])) return `pixels ${i}`;
            }
            return true;
        }""",
        {"folder": f"zoo/{slug}", "x": text(digits.images[:37])},  # more than two of the engine's groups of rows
    )
    assert ok is True


def test_one_code_with_all_labels(page, zoo):
    """Styles asks for one z under every label at once: it must be what each label gives alone."""
    assert page.evaluate("""async () => {
        const m = await model("zoo/cvae-tanh");
        const z = Float32Array.of(0.7, -1.2), labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        const all = m.decode(z, labels);
        return labels.every(y => m.decode(z, y).every((v, i) => v === all[784 * y + i]))
            && m.decode(z, 1).some((v, i) => v !== m.decode(z, 2)[i]);
    }""")


@pytest.mark.parametrize("slug", ["vae-silu", "vae-sigma", "cvae-tanh"])
def test_the_elbo_is_pytorchs(page, zoo, digits, slug):
    """The label that the page calls most likely rests on this number; labels must meet the same noise."""
    model = of_the_zoo(zoo, slug)
    eps = torch.randn(3, model.config.latent_dim, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(10) if model.conditional else None
    x = model.observe(digits.images[5:6]).expand(10 if model.conditional else 1, -1)
    with torch.inference_mode():
        code = model.encode(x, labels)
        nll = torch.stack(
            [
                model.nll(x, model.decode(code.mean + torch.exp(0.5 * code.logvar) * e, labels))
                for e in eps  # (D,): the same draw for every label
            ]
        ).mean(0)
        want = -nll - model.prior.kl(*code).sum(-1)
    got = page.evaluate(
        "async ({folder, x, eps, y}) => [...(await model(folder)).elbo(f32(x), y, f32(eps))]",
        {
            "folder": f"zoo/{slug}",
            "x": text(x[:1]),
            "eps": text(eps),
            "y": list(range(10)) if model.conditional else None,
        },
    )
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-4)
    refused = page.evaluate(
        """async x => { const m = await model("zoo/ae-gelu"); return refusal(() => m.elbo(f32(x), null, [0, 0])); }""",
        text(x[:1]),
    )
    assert refused["name"] == "EngineError"


def test_a_sample_is_mean_plus_sigma_epsilon(page):
    """Half a log variance too much or too little, and the ellipse no longer holds its own samples."""
    got = page.evaluate("""async () => {
        const code = {mean: Float32Array.of(1, -2), logvar: Float32Array.of(Math.log(0.25), 0)};
        const eps = Float32Array.of(2, -1);
        const point = {mean: code.mean, logvar: null};
        const m = await model("zoo/vae-silu");
        return [[...m.sample(code, eps)], [...m.sample(point, eps)]];
    }""")
    assert got == [[2, -3], [1, -2]]


def test_erf_is_erf(page):
    """GELU is as exact as its erf: an approximation good for a plot would be seen in the pixels."""
    x = np.linspace(-6, 6, 20_001)
    got = page.evaluate("x => x.map(engine.erf)", x.tolist())
    assert np.abs(np.array(got) - [math.erf(v) for v in x]).max() < 3e-7


def test_the_engine_runs_in_a_worker(page, zoo):
    """Where there is no document: the engine must not touch one."""
    assert page.evaluate("""async () => {
        const source = `
            import { Model } from "${new URL("static/engine/engine.mjs", location).href}";
            onmessage = ({data: {bytes, card}}) => {
                const m = Model.fromSafetensors(bytes, card);
                postMessage({pixels: m.decode(Float32Array.of(1, 2)), document: typeof document});
            };`;
        const worker = new Worker(URL.createObjectURL(new Blob([source], {type: "text/javascript"})), {type: "module"});
        const card = await (await fetch("zoo/vae-silu/card.json")).json();
        const bytes = await (await fetch("zoo/vae-silu/weights.safetensors")).arrayBuffer();
        const said = await new Promise((resolve, reject) => {
            worker.onmessage = e => resolve(e.data);
            worker.onerror = e => reject(new Error(e.message));
            worker.postMessage({bytes, card});
        });
        worker.terminate();
        const here = (await model("zoo/vae-silu")).decode(Float32Array.of(1, 2));
        return said.document === "undefined" && said.pixels.every((v, i) => v === here[i]);
    }""")


# Payloads ------------------------------------------------------------------------------------------------------------


def safetensors(tensors: dict[str, np.ndarray], *, pad: int = 0, **change) -> bytes:
    """The format by its specification, independent of the library; `change` overrides fields of every entry."""
    header, body = {"__metadata__": {"made": "here"}}, b""
    for name, values in tensors.items():
        entry = {"dtype": {2: "F16", 4: "F32"}[values.itemsize], "shape": list(values.shape)}
        header[name] = entry | {"data_offsets": [len(body), len(body) + values.nbytes]} | change
        body += values.tobytes()
    head = json.dumps(header).encode() + b" " * pad
    return len(head).to_bytes(8, "little") + head + body


@pytest.mark.parametrize("pad", range(4))
def test_every_half_is_read_as_numpy_reads_it(page, pad):
    """Half precision has subnormals, infinities and two zeros; and a payload from a component need not be aligned."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    singles = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    file = safetensors({"h": halves, "s": singles}, pad=pad)
    got = page.evaluate(
        """({file, at}) => {
            const whole = new Uint8Array(bytes(file).length + at);
            whole.set(bytes(file), at);
            const t = safetensors.readTensors(whole.subarray(at));
            return {h: text(t.get("h").values), s: text(t.get("s").values), shape: t.get("s").shape, size: t.size};
        }""",
        {"file": base64.b64encode(file).decode(), "at": pad},
    )
    np.testing.assert_array_equal(array(got["h"], 65536), halves.astype(np.float32))
    np.testing.assert_array_equal(array(got["s"], 3, 5), singles)
    assert got["shape"] == [3, 5] and got["size"] == 2


def complaint(page, zoo, *, file: bytes | None = None, slug="vae-silu", **model_config) -> str:
    """What the engine says of a payload that cannot be right: one line, and not the words of JavaScript."""
    card = json.loads((zoo / slug / "card.json").read_text())
    card["config"]["model"] |= model_config
    refused = page.evaluate(
        "({file, card}) => refusal(() => engine.Model.fromSafetensors(bytes(file).buffer, card))",
        {
            "file": base64.b64encode(
                (zoo / slug / "weights.safetensors").read_bytes() if file is None else file
            ).decode(),
            "card": card,
        },
    )
    assert refused is not None, "the payload was accepted"
    assert refused["name"] == "EngineError", refused
    message = refused["message"]
    assert message.endswith(".") and "\n" not in message and "undefined" not in message and "NaN" not in message
    return message


@pytest.mark.parametrize("slug", ZOO)
def test_what_a_network_is_follows_from_its_tensors(page, zoo, slug):
    """A kind that is added in Python must run in every browser without another line here."""
    got = page.evaluate(
        """async slug => {
            const file = await (await fetch(`./zoo/${slug}/weights.safetensors`)).arrayBuffer();
            const card = await (await fetch(`./zoo/${slug}/card.json`)).json();
            card.config.model.kind = "of tomorrow";
            const {probabilistic, conditional, nClasses} = engine.Model.fromSafetensors(file, card);
            return {probabilistic, conditional, nClasses};
        }""",
        slug,
    )
    config = ZOO[slug]
    assert got == {
        "probabilistic": config.probabilistic,
        "conditional": config.conditional,
        "nClasses": config.n_classes if config.conditional else 0,
    }


def test_a_card_of_other_labels_is_refused(page, zoo):
    """The labels are the one thing that shapes alone would leave to belief."""
    said = complaint(page, zoo, slug="cvae-tanh", n_classes=7)
    assert "encoder.0.weight should be [64, 791] and is [64, 794]" in said


@pytest.mark.parametrize("share", [0, 1e-5, 1e-4, 0.001, 0.01, 0.5, 0.999, "all but a byte"])
def test_a_file_that_is_cut_off_is_refused(page, zoo, share):
    """A connection breaks at any byte; half a network would draw noise and call it a digit."""
    whole = (zoo / "vae-silu" / "weights.safetensors").read_bytes()
    kept = len(whole) - 1 if share == "all but a byte" else int(share * len(whole))
    message = complaint(page, zoo, file=whole[:kept])
    assert "cut off" in message or "Expected a safetensors file" in message


def test_payloads_that_are_something_else_are_named(page, zoo):
    """A visitor reads these sentences in place of the component; each must say which thing is wrong."""
    assert "Expected a safetensors file" in complaint(page, zoo, file=b"<!doctype html><title>404</title>" * 50)
    assert "not JSON" in complaint(page, zoo, file=(5).to_bytes(8, "little") + b"{,}  ")
    one = {"encoder.0.weight": np.zeros((2, 3), np.float16)}
    assert "BF16" in complaint(page, zoo, file=safetensors(one, dtype="BF16"))
    assert "disagree" in complaint(page, zoo, file=safetensors(one, shape=[2, 4]))
    assert "disagree" in complaint(page, zoo, file=safetensors(one, shape=None))
    assert "should be [64, 784] and is [2, 3]" in complaint(page, zoo, file=safetensors(one))
    assert "swish" in complaint(page, zoo, activation="swish")
    assert "laplace" in complaint(page, zoo, likelihood="laplace")
    assert "encoder.2.weight" in complaint(page, zoo, encoder=[64, 65, 64])
    assert "encoder.6.weight should be [6, 64] and is [4, 64]" in complaint(page, zoo, latent_dim=3)
    tensors = load((zoo / "vae-silu" / "weights.safetensors").read_bytes())
    assert "decoder.9.bias should be absent" in complaint(
        page, zoo, file=safetensors(tensors | {"decoder.9.bias": np.zeros(3, np.float16)})
    )
    del tensors["decoder.8.bias"]
    assert "decoder.8.bias should be [784] and is absent" in complaint(page, zoo, file=safetensors(tensors))


def test_numbers_that_are_not_finite_are_refused(page, zoo):
    """A training that diverged would otherwise show black tiles without a reason."""
    whole = bytearray((zoo / "vae-silu" / "weights.safetensors").read_bytes())
    whole[-2:] = np.float16("nan").tobytes()
    assert "not finite" in complaint(page, zoo, file=bytes(whole))


def test_questions_that_do_not_fit_are_refused(page):
    """A label or a row too few must not be read from the memory beside it."""
    said = page.evaluate("""async () => {
        const cvae = await model("zoo/cvae-tanh"), vae = await model("zoo/vae-silu");
        const z = n => new Float32Array(2 * n);
        return [
            () => cvae.decode(z(1)), () => cvae.decode(z(1), 10), () => cvae.decode(z(1), 1.5),
            () => cvae.decode(z(1), []), () => cvae.decode(z(2), [1]), () => cvae.decode(z(1), [1, -1]),
            () => vae.decode(z(0)), () => vae.decode(new Float32Array(3)), () => vae.encode(new Float32Array(783)),
            () => engine.Model.fromSafetensors(new ArrayBuffer(0), null),
        ].map(f => refusal(f));
    }""")
    assert [s and s["name"] for s in said] == ["EngineError"] * len(said)
    assert all(s["message"].endswith(".") for s in said)


# Long work -----------------------------------------------------------------------------------------------------------


def test_slices_keep_their_budget(page):
    """A grid of tiles in one piece would freeze the hand. A clock of our own: the machine's load proves nothing."""
    got = page.evaluate("""async () => {
        let time = 0;
        const done = [], lengths = [];
        const work = i => { time += 3; done.push(i); };
        const options = {budget: 8, now: () => time};
        for await (const [from, to] of engine.slices(50, work, options)) {
            lengths.push(3 * (to - from));
        }
        const slow = [];
        for await (const slice of engine.slices(3, () => { time += 20; }, options)) slow.push(slice);
        return {done, lengths, slow};
    }""")
    assert got["done"] == list(range(50))
    assert got["lengths"] == [6] * 25  # a third one would be too much
    assert got["slow"] == [[0, 1], [1, 2], [2, 3]]  # an item that is too long alone is still done


def test_slices_let_the_screen_in_and_stop_when_told(page):
    """Between slices frames are painted, and a newer wish ends an older one."""
    got = page.evaluate("""async () => {
        let frames = 0, on = true;
        const count = () => { frames++; if (on) requestAnimationFrame(count); };
        requestAnimationFrame(count);
        const busy = () => { const end = performance.now() + 2; while (performance.now() < end); };
        for await (const _ of engine.slices(150, busy));
        const painted = frames;
        on = false;
        const stop = new AbortController();
        let last = 0;
        for await (const [, to] of engine.slices(1000, busy, {signal: stop.signal})) {
            last = to;
            if (to > 10) stop.abort();
        }
        return {painted, last};
    }""")
    assert got["painted"] >= 5  # 300 ms of work; one piece would let in none
    assert 10 < got["last"] < 100


# From the hand to the pixels -----------------------------------------------------------------------------------------


def strokes(count: int) -> list[dict]:
    """Random walks of one to three strokes on canvases of many sizes, from dots to scribbles over the edge; some are
    symmetrical."""
    rng = np.random.default_rng(7)
    cases = []
    for i in range(count):
        side = int(rng.integers(8, 300))
        scale = side * rng.uniform(0.02, 0.12)
        lines = [
            rng.uniform(0.1, 0.9, 2) * side + np.cumsum(rng.normal(0, scale, (rng.integers(1, 15), 2)), 0)
            for _ in range(rng.integers(1, 4))
        ]
        height = side if i % 3 else int(rng.integers(8, 300))
        lines[0][0] = min(side, height) * rng.uniform(0.4, 0.6, 2)  # some ink lies on the canvas
        if i % 4 == 1:  # its own mirror image: the centre of mass is often exactly between two pixels
            lines += [[side, 0] + line * [-1, 1] for line in lines]
        if i % 8 == 1:
            lines += [[0, height] + line * [1, -1] for line in lines]
        cases.append(
            {
                "strokes": [line.ravel().tolist() for line in lines],
                "width": side,
                "height": height,
                "radius": float(rng.uniform(0.5, 0.08 * side + 0.5)),
            }
        )
    return cases


def test_centring_is_digitizes(page):
    """The drawn digit and the photographed one must meet the networks in the same geometry: 1/255 on 200 strokes."""
    cases = strokes(200)
    grown = 0
    for case in cases:
        got = page.evaluate(
            """c => {
                const ink = digit.drawStrokes(c.strokes, c.width, c.height, c.radius);
                return {ink: text(ink), placed: text(digit.place(ink, c.width))};
            }""",
            case,
        )
        ink = array(got["ink"], case["height"], case["width"])
        want = digitize.place(ink)
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        grown += max(np.ptp(rows), np.ptp(columns)) + 1 < 20
        assert np.abs(array(got["placed"], 28, 28) - want).max() <= 1 / 255
    assert 10 < grown < 190, "both ways of scaling must be met"


def test_no_ink_gives_no_digit(page):
    """Before the first stroke there is nothing to centre: an empty picture, not a division by zero."""
    assert page.evaluate("digit.place(new Float32Array(100), 10).every(v => v === 0)")


def test_a_stroke_is_a_round_pen(page):
    """Ink against geometry: a capsule's area, brush step by brush step and all at once, and nothing outside."""
    got = page.evaluate("""() => {
        const s = [20, 30, 60, 60];
        const whole = digit.drawStrokes([s], 100, 90, 6);
        const steps = new Float32Array(9000);
        for (let i = 0; i < 8; i++) {
            digit.drawSegment(steps, 100, 20 + 5 * i, 30 + 3.75 * i, 25 + 5 * i, 33.75 + 3.75 * i, 6);
        }
        const dot = digit.drawStrokes([[50, 45]], 100, 90, 10);
        const outside = digit.drawStrokes([[-50, -50, -20, 200]], 100, 90, 5);
        return {whole: text(whole), steps: text(steps), dot: text(dot), outside: text(outside)};
    }""")
    whole = array(got["whole"], 90, 100)
    assert whole.sum() == pytest.approx(2 * 6 * 50 + math.pi * 36, rel=0.01)
    assert (whole @ np.arange(100) / whole.sum()).sum() == pytest.approx(
        39.5, abs=0.05
    )  # pixel i has its centre at i + ½
    assert np.abs(array(got["steps"], 90, 100) - whole).max() < 1e-5
    assert array(got["dot"], 90, 100).sum() == pytest.approx(math.pi * 100, rel=0.01)
    assert array(got["outside"], 90, 100).sum() == 0


@pytest.mark.parametrize("size", [30, 120, 250])
def test_the_pens_weight_is_mnists(page, size):
    """A small 1 and a large one must look alike to the networks: three pixels thick after centring, give or take
    the whole pixels that a side is scaled to."""
    got = page.evaluate(
        """size => {
            const s = [[20, 20, 20, 20 + size]], r = digit.penRadius(s);
            return text(digit.place(digit.drawStrokes(s, 300, 300, r), 300));
        }""",
        size,
    )
    middle = array(got, 28, 28)[9:19]  # clear of the round ends
    assert middle.sum(1).mean() == pytest.approx(3, abs=0.4)


def test_without_centring_a_drawing_stays_where_it_is(page):
    """Centring off shows what the networks do with a digit in the wrong place: it must keep its place."""
    ink = np.random.default_rng(0).uniform(size=(140, 140)).astype(np.float32)
    got = page.evaluate("ink => text(digit.shrink(f32(ink), 140))", text(ink))
    np.testing.assert_allclose(array(got, 28, 28), ink.reshape(28, 5, 28, 5).mean((1, 3)), atol=1e-6)


def test_a_drawing_survives_a_link(page):
    """What a teacher sends is what the class sees; a link that was cut gives nothing rather than noise."""
    bits = np.random.default_rng(0).integers(0, 2, 784).astype(np.float32)
    got = page.evaluate(
        """x => {
            const t = digit.toText(f32(x));
            return {t, back: text(digit.fromText(t)), cut: digit.fromText(t.slice(0, 80)), odd: digit.fromText("é%")};
        }""",
        text(bits),
    )
    assert np.array_equal(array(got["back"], 784), bits)
    assert got["cut"] is None and got["odd"] is None
    assert len(got["t"]) == 131 and got["t"].replace("-", "").replace("_", "").isalnum()
    packed = base64.urlsafe_b64decode(got["t"] + "=")
    assert np.array_equal(np.unpackbits(np.frombuffer(packed, np.uint8)), bits)  # Python can read it too


# Corruption ----------------------------------------------------------------------------------------------------------


def spoilt(page, x, kind, amount, seed=1) -> np.ndarray:
    got = page.evaluate(
        "({x, kind, amount, seed}) => text(digit.corrupt(f32(x), kind, amount, new random.Random(seed)))",
        {"x": text(x), "kind": kind, "amount": amount, "seed": seed},
    )
    return array(got, *x.shape)


CHANCE = {kind: row for kind, row in corruption.CORRUPTIONS.items() if row.noise}
CERTAIN = {kind: row for kind, row in corruption.CORRUPTIONS.items() if not row.noise}


def test_the_browser_spoils_in_every_way_that_python_knows(page):
    """The Studio offers those alone which both know; a row without its function would be missing there."""
    assert page.evaluate("Object.keys(digit.SPOIL)") == list(corruption.CORRUPTIONS)


@pytest.mark.parametrize(
    ("kind", "amount"), [(kind, at) for kind, row in CHANCE.items() for at in (row.amounts[0], row.start, row.limit)]
)
def test_corruption_has_pythons_distribution(page, kind, amount):
    """The DAE is judged on this noise in the browser and was trained on Python's: black, grey and white alike."""
    for value in (0.0, 0.4, 1.0):
        x = np.full((100, 784), value, np.float32)
        ours = spoilt(page, x, kind, amount)
        generator = torch.Generator().manual_seed(3)
        theirs = corruption.corrupt(torch.from_numpy(x), kind, amount, generator).numpy()
        for end in (0.0, value, 1.0):  # shares of pixels that were put to an end, and of those left alone
            a, b = (ours == np.float32(end)).mean(), (theirs == np.float32(end)).mean()
            assert abs(a - b) < 5 * math.sqrt(0.5 / x.size), (value, end)
        assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-4


@pytest.mark.parametrize(
    ("kind", "amount"), [(kind, at) for kind, row in CERTAIN.items() for at in (0.0, 0.4, *row.amounts)]
)
def test_what_has_no_chance_in_it_is_pythons(page, digits, kind, amount):
    """It must be the same picture."""
    x = digits.images[:5]
    want = corruption.corrupt(x, kind, amount, torch.Generator()).numpy()
    assert np.abs(spoilt(page, x.numpy(), kind, amount) - want).max() < 1e-5


def test_corruption_repeats_and_grows(page, digits):
    """The same seed gives the same picture, and a slider that moves up spoils more, not elsewhere."""
    x = digits.images[:20].numpy()
    for kind in CHANCE:
        assert np.array_equal(spoilt(page, x, kind, 0.3), spoilt(page, x, kind, 0.3))
        assert not np.array_equal(spoilt(page, x, kind, 0.3), spoilt(page, x, kind, 0.3, seed=2))
    little, much = spoilt(page, x, "masking", 0.2), spoilt(page, x, "masking", 0.5)
    assert (much <= little).all() and much.sum() < little.sum()
    said = page.evaluate("""() => [["fog", 0.1], ["masking", -1], ["blur", NaN]].map(([kind, amount]) =>
        refusal(() => digit.corrupt(new Float32Array(784), kind, amount, new random.Random(0))))""")
    assert [s["name"] for s in said] == ["RangeError"] * 3


def test_a_seeds_numbers_are_pythons(page):
    """Python scores what the browser shows: another number in the stream is another picture."""
    for seed in (0, 7, 10**9):
        ours = page.evaluate(
            """seed => ["uniform", "normal"].map((kind) => {
                const r = new random.Random(seed);
                return Array.from({length: 784}, () => r[kind]());
            })""",
            seed,
        )
        assert ours[0] == chance.uniforms(seed, 784)
        np.testing.assert_allclose(ours[1], chance.normals(seed, 784), rtol=1e-12, atol=1e-12)


def test_random_numbers_are_random(page):
    """Seeds next to each other, as a page counts them up, must not give pictures next to each other."""
    got = page.evaluate("""() => {
        const take = (seed, kind, n) => {
            const r = new random.Random(seed);
            return Array.from({length: n}, () => r[kind]());
        };
        return {uniform: take(5, "uniform", 20000), normal: take(5, "normal", 20000),
                first: Array.from({length: 2000}, (_, seed) => take(seed, "uniform", 1)[0]),
                other: take(6, "uniform", 20000)};
    }""")
    assert 0 <= min(got["uniform"]) and max(got["uniform"]) < 1
    for numbers in ("uniform", "first", "other"):
        assert stats.kstest(got[numbers], "uniform").pvalue > 1e-4
    assert stats.kstest(got["normal"], "norm").pvalue > 1e-4
    assert abs(np.corrcoef(got["uniform"], got["other"])[0, 1]) < 0.03
    assert abs(np.corrcoef(got["uniform"][:-1], got["uniform"][1:])[0, 1]) < 0.03


# Codes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [s for s in SHIPPED if s.endswith("-2d")])
def test_the_robust_scale_is_pythons(page, slug):
    """The Map's σ and the one that Sliders prints would be two measures of one name."""
    mean = checkpoints.load_codes(slug)["test_mean"]
    found = page.evaluate("t => codes.robustScale(f32(t))", text(mean.numpy()))
    scale = latent.robust_scale(mean)
    np.testing.assert_allclose(found["middle"], scale.middle, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["sigma"], scale.sigma, rtol=1e-5)
    away = page.evaluate("([t, z]) => codes.whiten(f32(t)).distance(z)", [text(mean.numpy()), [0.3, -0.7]])
    nearest = scale.distance(mean, torch.tensor([0.3, -0.7])).min()
    assert away == pytest.approx(float(nearest), rel=1e-4, abs=1e-5)
