"""Epochs of the Map: codes laid upon the last ones in node, beside SciPy, and what Python tells of a training."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from tests.views.apps import ROOT, page
from ui.views.map import live
from vae_core import checkpoints

PROGRAM = """
import { readFileSync } from "node:fs";
import { aligned, spread } from "./static/maths/procrustes.mjs";
const out = JSON.parse(readFileSync(0, "utf8")).map(([codes, target]) => {
  const { mean, origin, reflected } = aligned(codes.flat(), target.flat());
  return { mean: [...mean], origin, reflected, spread: spread(codes.flat()) };
});
console.log(JSON.stringify(out));
"""


def by_scipy(codes: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Codes (n, 2) upon the target, where the origin goes, and whether they were reflected."""
    turn, _ = orthogonal_procrustes(codes - codes.mean(0), target - target.mean(0))
    both = (np.vstack([codes, np.zeros(2)]) - codes.mean(0)) @ turn + target.mean(0)
    return both[:-1], both[-1], bool(np.linalg.det(turn) < 0)


@pytest.mark.skipif(not shutil.which("node"), reason="needs node 20 or later: nobody who runs the app does")
def test_codes_are_laid_upon_the_last_as_scipy_lays_them():
    """A sign that is wrong turns every epoch the other way, and the film shows motion that no training had."""
    rng = np.random.default_rng(4)
    stored = checkpoints.load_codes("mnist-vae-2d-beta16")["epoch_mean"].double().numpy()  # of turns and reflections
    pairs = [(epoch, stored[-1]) for epoch in stored]
    for angle, mirror in ((0.3, 1), (2.9, 1), (-1.2, -1), (3.1, -1)):
        target = rng.normal(size=(60, 2)) * (3, 1) + (5, -2)
        c, s = np.cos(angle), np.sin(angle)
        moved = target @ np.array([[c, s], [-s, c]]) * (1, mirror) + (7, 1)
        pairs += [(moved, target), (0.2 * moved + rng.normal(size=moved.shape), target)]
    told = json.dumps([[codes.tolist(), target.tolist()] for codes, target in pairs])
    command = ["node", "--input-type=module", "-e", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert {row["reflected"] for row in found} == {True, False}
    for row, (codes, target) in zip(found, pairs, strict=True):
        mean, origin, reflected = by_scipy(codes, target)
        shown = np.array(row["mean"]).reshape(-1, 2)
        assert shown == pytest.approx(mean, abs=1e-5) and row["origin"] == pytest.approx(origin, abs=1e-6)
        assert row["reflected"] == reflected
        assert row["spread"] == pytest.approx(np.sqrt(((codes - codes.mean(0)) ** 2).sum(1).mean()))


def test_the_map_is_told_what_each_stored_epoch_cost(monkeypatch, tmp_path):
    """Beside the codes stand the card's nats of that epoch, of every model, also one that was solved in one step."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    told = {row["slug"]: row["history"] for row in live.options(live.models(), {}, lambda slug: {})["models"]}
    for slug in ("mnist-vae-2d", "mnist-ae-2d", "digits-cvae-2d"):
        rows = {row["epoch"]: row for row in checkpoints.read_card(slug)["history"]}
        stored = [int(epoch) for epoch in checkpoints.load_codes(slug)["epochs"] if epoch]  # before the first: none
        assert told[slug] == [(e, rows[e]["reconstruction"], rows[e]["kl"]) for e in stored]
    assert told["mnist-pca-2d"] == []
    app = page(ROOT, "1_Map")
    assert not app.toggle and not app.get("plotly_chart")  # one such thing, and it is in the view
