"""What the Map's shades and its density say, run in node, beside PyTorch and scikit-learn."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from tests.house.test_layers import ROOT
from vae_core import checkpoints, data, latent

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node 20 or later: nobody who runs the app does")

PROGRAM = """
import { readFileSync } from "node:fs";
import { Model } from "./static/engine/engine.mjs";
import { Judge } from "./static/engine/judge.mjs";
import { cycle, sensitivity } from "./static/maths/gaps.mjs";
import { robustScale } from "./static/maths/codes.mjs";
import { readTensors } from "./static/engine/safetensors.mjs";
import { Flat } from "./static/views/map/flat.mjs";
import { Density } from "./static/views/map/layers.mjs";
const { slug, places, label, plane, standing, home } = JSON.parse(readFileSync(0, "utf8"));
const file = (name) => readFileSync(`checkpoints/${slug}/${name}`);
const whole = Model.fromSafetensors(file("weights.safetensors"), JSON.parse(file("card.json")));
const model = plane ? new Flat(whole, plane) : whole;
const codes = readTensors(file("codes.safetensors"), ["test_mean"]).get("test_mean").values;
const mean = plane ? model.project(codes) : codes;
const { sigma } = robustScale(mean);
const z = Float32Array.from(places.flat());
const judge = new Judge(readFileSync("checkpoints/judge/weights.safetensors"), 2.5);
const drawn = model.decode(z, label);
const out = { sigma, cycle: [...cycle(model, z, label)], bends: [...sensitivity(model, z, label, sigma)],
  judged: places.map((_, n) => judge.margin(drawn.subarray(784 * n, 784 * (n + 1)))) };
if (home) {
  const density = new Density({ home, standing: standing && Uint8Array.from(standing) });
  density.setCodes({ mean });
  Object.assign(out, { field: [...density.field], low: density.low, width: density.width });
}
console.log(JSON.stringify(out));
"""


def said(slug: str, places: np.ndarray, **more) -> dict:
    told = {"slug": slug, "places": places.tolist(), "label": None} | more
    command = ["node", "--input-type=module", "-e", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(told), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def some(slug: str, n: int = 12) -> np.ndarray:
    """Places among the codes, and a few beside them."""
    mean = checkpoints.load_codes(slug)["test_mean"].numpy()
    return np.concatenate([mean[:n], mean[:3] + 0.7]).astype(np.float32)


@needs_node
@pytest.mark.parametrize(("slug", "label"), [("mnist-ae-2d", None), ("mnist-vae-2d", None), ("mnist-cvae-2d", 3)])
def test_shades_are_what_pytorch_computes(slug, label):
    """Sensitivity by the exact Jacobian, the way back by encoder and decoder, the digit by the judge itself."""
    z = torch.tensor(some(slug))
    found = said(slug, z.numpy(), label=label)
    model, _ = checkpoints.load(slug)
    y = None if label is None else torch.full((len(z),), label)
    sigma = latent.robust_scale(checkpoints.load_codes(slug)["test_mean"]).sigma
    assert found["sigma"] == pytest.approx(sigma.tolist(), rel=1e-5)

    with torch.inference_mode():
        drawn = latent.decode(model, z, y)
        again = latent.decode(model, model.encode(model.observe(drawn), y).mean, y)
        # A pixel at 0.5 can fall on either side in single precision, so the whole is compared and not its last digit.
        assert found["cycle"] == pytest.approx((again - drawn).square().mean(-1).sqrt().tolist(), rel=0.02, abs=1e-4)
        judge = checkpoints.load_judge()
        assert found["judged"] == pytest.approx((judge.score(drawn) - 2.5).tolist(), abs=5e-3)

    def one(code: torch.Tensor) -> torch.Tensor:
        return model.pixels(code[None], None if y is None else y[:1])[0]

    for code, area in zip(z.clone(), found["bends"], strict=True):
        jacobian = torch.autograd.functional.jacobian(one, code).double() * sigma.double()
        exact = torch.linalg.det(jacobian.T @ jacobian).clamp(min=0).sqrt().item()
        assert area == pytest.approx(exact, rel=0.02, abs=2e-3)


@needs_node
def test_in_a_plane_of_twenty_numbers_the_way_back_keeps_them_all():
    """Projected onto the plane, a code would lose eighteen numbers, and that loss would be told as the model's."""
    slug, generator = "mnist-ae-20d", np.random.default_rng(0)
    axes = np.linalg.qr(generator.normal(size=(20, 2)))[0].T
    centre = checkpoints.load_codes(slug)["test_mean"].mean(0).numpy().astype(np.float64)
    places = generator.normal(size=(6, 2)).astype(np.float32)
    found = said(slug, places, plane={"centre": centre.tolist(), "axes": axes.tolist()})
    model, _ = checkpoints.load(slug)
    with torch.inference_mode():
        drawn = latent.decode(model, torch.tensor(centre + places @ axes, dtype=torch.float32))
        again = latent.decode(model, model.encode(model.observe(drawn)).mean)
    assert found["cycle"] == pytest.approx((again - drawn).square().mean(-1).sqrt().tolist(), rel=0.02, abs=1e-4)


@needs_node
@pytest.mark.parametrize("slug", ["mnist-ae-2d", "mnist-vae-2d"])
@pytest.mark.parametrize("alone", [False, True])
def test_the_density_is_scikit_learns_in_robust_units(slug, alone):
    """One rule and one unit for both: an axis' own standard deviation, five times as wide for the AE's far codes,
    had blurred its map into one spot."""
    codes = checkpoints.load_codes(slug)
    mean, standing = codes["test_mean"], (codes["test_label"] == 3).int().tolist() if alone else None
    scale = latent.robust_scale(mean)
    half = 3 * float(scale.sigma.max())
    found = said(slug, some(slug, 1), home={"centre": scale.middle.tolist(), "half": half}, standing=standing)
    chosen = mean if standing is None else mean[torch.tensor(standing).bool()]
    whitened = ((chosen - scale.middle) / scale.sigma).double().numpy()
    kernel = KernelDensity(bandwidth=len(chosen) ** (-1 / 6)).fit(whitened)
    cells, n = np.array(found["field"]).reshape(144, 144), 144
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(40, 104, (2, 60))
    places = np.stack([columns + 0.5, rows + 0.5], -1) / n * found["width"] + found["low"]
    exact = np.exp(kernel.score_samples((places - scale.middle.numpy()) / scale.sigma.numpy()))
    # Codes count in whole cells, and the kernel ends at three of its widths.
    assert np.abs(cells[rows, columns] - exact).max() < 0.04 * exact.max()


@needs_node
def test_the_browsers_judge_is_the_judge():
    """Of real digits, and of garbage: every answer and its threshold."""
    judge, images = checkpoints.load_judge(), data.load("digits", "test").images[:30]
    images = torch.cat([images, torch.rand(10, 784, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 784)])
    program = """
import { readFileSync } from "node:fs";
import { Judge } from "./static/engine/judge.mjs";
const judge = new Judge(readFileSync("checkpoints/judge/weights.safetensors"), 0);
const pictures = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(pictures.map((x) => [...judge.logits(Float32Array.from(x))])));
"""
    command = ["node", "--input-type=module", "-e", program]
    text = json.dumps(images.tolist())
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert np.abs(np.array(json.loads(done.stdout)) - judge.logits(images).numpy()).max() < 1e-3
