"""The command line as a person uses it: real processes, exit codes, JSON that parses."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from vae_core.__main__ import _without_places


def run(*words, cwd, timeout=120, env=None):
    return subprocess.run(
        [sys.executable, "-m", "vae_core", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
    )


TINY = ("--dataset", "digits", "--epochs", 2, "--encoder", 16, "--decoder", 16, "--threads", 1)


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    done = run("train", "vae", "--latent-dim", 2, *TINY, "--root", folder, "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def test_training_tells_its_progress_in_json_lines(trained):
    """A page reads these lines from a subprocess: one object a line, the last says done."""
    folder, lines = trained
    assert lines[-1]["event"] == "done"
    assert lines[-1]["test"]["nelbo"] > 0
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == [0, 1, 2]
    assert any(line["event"] == "progress" and line["done"] == line["total"] for line in lines)
    card = json.loads((folder / "digits-vae-2d" / "card.json").read_text())
    assert card["command"].startswith("python -m vae_core train vae --latent-dim 2 --dataset digits")
    assert str(folder) not in card["command"]


def test_list_and_evaluate_agree_with_the_card(trained, root):
    folder, lines = trained
    listed = run("list", "--root", folder, "--json", cwd=root)
    assert json.loads(listed.stdout)["test"] == lines[-1]["test"]
    scored = run("evaluate", "digits-vae-2d", "--root", folder, "--json", cwd=root)
    assert scored.returncode == 0, scored.stderr
    row = json.loads(scored.stdout)
    assert row["as_on_card"]
    assert row["test"] == pytest.approx(lines[-1]["test"], rel=1e-5)


def test_a_card_that_does_not_fit_the_weights_fails_the_evaluation(trained, root, tmp_path):
    """`evaluate` is how anybody checks the README's numbers; it must not nod."""
    shutil.copytree(trained[0], tmp_path / "c")
    path = tmp_path / "c" / "digits-vae-2d" / "card.json"
    card = json.loads(path.read_text())
    card["test"]["nelbo"] -= 5
    path.write_text(json.dumps(card))
    scored = run("evaluate", "digits-vae-2d", "--root", tmp_path / "c", cwd=root)
    assert scored.returncode == 1
    assert "the card says" in scored.stdout


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_score_on_another_data_set_is_refused(trained, root, tmp_path, split):
    """Scores of other images beside the card's would look like a change of the model: none may be printed."""
    shutil.copytree(trained[0], tmp_path / "c")
    path = tmp_path / "c" / "digits-vae-2d" / "card.json"
    card = json.loads(path.read_text())
    card["dataset"][f"{split}_fingerprint"] = "0" * 64
    path.write_text(json.dumps(card))
    scored = run("evaluate", "--root", tmp_path / "c", cwd=root)
    assert scored.returncode == 1
    assert not scored.stdout
    assert scored.stderr.startswith("error: digits-vae-2d: expected the digits that its card fingerprints")
    assert "--data-dir" in scored.stderr and len(scored.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("train", "gan"), 2, "invalid choice"),
        (("train", "vae", "--encoder", "wide"), 2, "hidden widths look like 512,512"),
        (("train", "ae", "--encoder-noise", "0.1", "--dataset", "digits"), 1, "denoising one"),
        (("train", "judge", "--epochs", "3", "--tag=mine"), 1, "got --epochs 3 --tag=mine, which does not apply"),
        (("train", "vae", "--roo", "elsewhere"), 2, "unrecognized arguments: --roo"),
        (("evaluate", "no-such-model"), 1, "There is no checkpoint 'no-such-model'"),
        (("integrate", "mnist-ae-2d"), 1, "error: An exact likelihood needs p(z)"),
        (("integrate", "mnist-vae-20d"), 1, "this model has 20"),
        ((), 2, "required"),
    ],
)
def test_wrong_usage_is_2_and_what_cannot_be_done_is_1(root, words, code, sentence):
    done = run(*words, cwd=root)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_data_set_is_a_sentence(root, tmp_path):
    """A first-time user without MNIST must be told what to type, not be shown a stack."""
    done = run("train", "vae", "--root", tmp_path, "--data-dir", tmp_path / "none", cwd=root)
    assert done.returncode == 1
    assert "Download the data set" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_teaches(root):
    done = run("--help", cwd=root)
    assert done.returncode == 0
    for word in ("examples", "exit codes", "train", "evaluate", "list", "download"):
        assert word in done.stdout
    assert "nats" in run("train", "--help", cwd=root).stdout


def test_places_and_outputs_do_not_reach_the_card():
    words = ["train", "vae", "--root", "x", "--data-dir=y", "--json", "--threads", "1", "--retrain", "--seed", "2"]
    assert _without_places(words) == ["train", "vae", "--seed", "2"]
