"""A grid of trainings: its names, its commands, and that processes which are killed change nothing of what comes."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from vae_core import checkpoints, sweep
from vae_core.__main__ import _fields, _parser
from vae_core.config import Config, ConfigError, ModelConfig, TrainingConfig

TINY = {"dataset": ["digits"], "encoder": [(16,)], "decoder": [(16,)]}


def test_every_combination_has_a_name_of_its_own():
    """Two runs of one name would be one run: what a name does not tell comes into the tag."""
    values = {"kind": ["vae"], "latent_dim": [2, 5, 10], "beta": [0.5, 1.0], "seed": [0, 1], "epochs": [3]}
    configs = sweep.grid(values, "try")
    assert len({config.slug for config in configs}) == len(configs) == 12
    assert configs[0].slug == "mnist-vae-2d-beta0.5-try-seed0" and configs[-1].slug == "mnist-vae-10d-try-seed1"
    found = {(c.model.latent_dim, c.model.beta, c.training.seed, c.training.epochs) for c in configs}
    assert found == {(d, beta, seed, 3) for d in (2, 5, 10) for beta in (0.5, 1.0) for seed in (0, 1)}
    assert [config.slug for config in sweep.grid({"seed": [4]})] == ["mnist-vae-2d"]  # as `train` calls it
    assert len(sweep.grid({"seed": [4, 4]})) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": ["vae", "gan"]}, "kind must be one of"),
        ({"dataset": ["nist"]}, "dataset must be one of mnist, "),
        ({"latent_dim": [2, 0]}, "latent_dim must be a whole number"),
        ({"learning_rate": [0.1, 0.1 + 1e-17, 0.2], "beta": [-1.0]}, "beta must be a number"),
    ],
)
def test_a_combination_that_cannot_be_is_a_sentence_before_anything_is_trained(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        sweep.grid(values)


def test_the_command_on_a_card_makes_the_same_run():
    """A card whose command trains something else is worse than none."""
    values = {
        **{"kind": ["cvae"], "dataset": ["digits"], "encoder": [(8, 9)], "decoder": [()], "likelihood": ["gaussian"]},
        **{"sigma": [None, 0.5], "beta": [0.25], "learning_rate": [1e-5, 0.002], "precision": ["float32", "bfloat16"]},
    }
    configs = sweep.grid(values, "x.y")
    assert len(configs) == 8
    for config in configs:
        args = _parser().parse_args(shlex.split(sweep.command(config))[3:])
        args.n_classes = 10
        assert Config(_fields(ModelConfig, args), _fields(TrainingConfig, args), args.tag) == config


def workers(parent: int) -> list[int]:
    """The processes that a sweep has started to train in."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, stat = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        if b"popen_loky" in line and int(stat.rpartition(")")[2].split()[1]) == parent:
            found.append(int(folder.name))
    return found


def test_a_killed_process_changes_nothing_of_what_comes(root, tmp_path):
    """To the bit what one training after the other gives; and the same command trains nothing a second time."""
    words = ("sweep", "vae", "--dataset", "digits", "--encoder", "16", "--decoder", "16", "--epochs", "30")
    words = [*words, "--seed", "0,1", "--jobs", "2", "--root", str(tmp_path / "swept")]
    command = [sys.executable, "-m", "vae_core", *words]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not any((tmp_path / "swept" / ".training").glob("*/state.safetensors")):  # an epoch is whole
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        os.kill(workers(process.pid)[0], signal.SIGKILL)
        out, said = process.communicate()
    assert process.returncode == 0, said
    assert "note: A process was killed" in said and "Traceback" not in said
    assert len(out.splitlines()) == 2

    configs = sweep.grid({"kind": ["vae"], "seed": [0, 1], "epochs": [30], **TINY})
    torch.set_num_threads(1)
    before = {}
    for config in configs:
        checkpoints.load_or_train(config, root=tmp_path / "serial")
        for name in ("weights", "codes"):
            file = f"{config.slug}/{name}.safetensors"
            assert (tmp_path / "swept" / file).read_bytes() == (tmp_path / "serial" / file).read_bytes()
        before[config.slug] = (tmp_path / "swept" / config.slug / "card.json").stat().st_mtime_ns
        card = checkpoints.read_card(config.slug, tmp_path / "swept")
        assert card["command"] == sweep.command(config)
    assert list(sweep.run(configs, jobs=1, root=tmp_path / "swept")) == [(config.slug, "") for config in configs]
    for slug, time_ns in before.items():
        assert (tmp_path / "swept" / slug / "card.json").stat().st_mtime_ns == time_ns


def test_a_run_that_cannot_be_does_not_end_the_others(tmp_path):
    """One learning rate of twelve that diverges at night."""
    torch.set_num_threads(1)
    configs = sweep.grid({"kind": ["ae"], "epochs": [1], "learning_rate": [0.001, 1000.0], **TINY})
    good, wild = (config.slug for config in configs)
    found = dict(sweep.run(configs, jobs=1, root=tmp_path))
    assert found[good] == "" and "diverged" in found[wild]
    assert checkpoints.available(tmp_path) == [good]
