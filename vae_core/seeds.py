"""Train a model again from other seeds, measure that as the model itself was, and keep the numbers alone.

A single training is a sample of one: what two models differ by may be the luck of their first weights. The numbers
stand on the model's card as `seeds`; the weights of the further trainings are not kept.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vae_core import checkpoints, measures, sweep
from vae_core.config import Config, ConfigError
from vae_core.storage import StorageError, locked, write_json

# What pages compare between models, as far as a model's own card has it.
COMPARED = ("test", "denoising", "draws", "generation", "probe", "leak")
UNLIKE = ("weights", "command", "judge")  # of a measure: what is of one checkpoint


def again(config: Config, seed: int) -> Config:
    """The same training from another seed, under a name of its own."""
    training = dataclasses.replace(config.training, seed=seed)
    return Config(config.model, training, "-".join(filter(None, (config.tag, f"seed{seed}"))))


def kept(slug: str, root: Path | None = None) -> dict[str, dict[str, Any]]:
    """{seed: {measure: numbers}} of what the card says of these weights; empty where it says nothing."""
    found = checkpoints.read_card(slug, root).get("seeds") or {}
    if found.get("weights") != measures.weights_fingerprint(slug, root):
        return {}
    return {seed: run for seed, run in found["runs"].items() if seed.isdecimal()}


def run(
    slugs: Sequence[str],
    seeds: Sequence[int],
    *,
    jobs: int,
    root: Path | None = None,
    data_folder: Path | None = None,
    on_breakdown: Callable[[], None] | None = None,
) -> Iterator[tuple[str, int, str]]:
    """Train what the cards lack, `jobs` at once; yields model, seed and one sentence where it failed, in the order in
    which they end. Killed, the same call goes on. Raises `ConfigError` for a model's own seed."""
    root = root or checkpoints.ROOT
    beside = root / ".training" / "seeds"  # a folder of checkpoints of its own: nothing of it is offered on a page
    wanted: dict[str, tuple[str, int]] = {}
    configs = []
    for slug in dict.fromkeys(slugs):
        config = Config.from_dict(checkpoints.read_card(slug, root)["config"])
        if config.training.seed in seeds:
            raise ConfigError(f"{slug!r} itself was trained from seed {config.training.seed}: name others.")
        there = kept(slug, root)
        for seed in dict.fromkeys(seeds):
            if str(seed) not in there:
                one = again(config, seed)
                wanted[one.slug] = slug, seed
                configs.append(one)
                if start := config.training.start:
                    _copy(root / start, beside / start)
    _copy(root / "judge", beside / "judge")
    for name, problem in sweep.run(configs, jobs=jobs, root=beside, data_folder=data_folder, on_breakdown=on_breakdown):
        slug, seed = wanted[name]
        if not problem:
            try:
                _keep(slug, seed, measures.Subject(name, beside, data_folder), root)
            except StorageError as error:
                problem = str(error)
            else:
                shutil.rmtree(beside / name)
        yield slug, seed, problem


def _keep(slug: str, seed: int, subject: measures.Subject, root: Path) -> None:
    """Measure a further training as the card's own was, and put the numbers there."""
    own = checkpoints.read_card(slug, root)
    weights = measures.weights_fingerprint(slug, root)
    if any(subject.card["dataset"].get(key) != value for key, value in own["dataset"].items()):
        raise StorageError(
            f"{slug!r} was trained on another {subject.dataset} than lies here. Name the right folder with --data-dir."
        )
    found: dict[str, Any] = {}
    for name in COMPARED:
        row = measures.MEASURES[name]
        if row.of_training:
            found[name] = subject.card[name]
        elif name in own and not row.cannot(subject):
            found[name] = {key: value for key, value in row.find(subject).items() if key not in UNLIKE}
    with locked(root / ".training" / slug):
        card = checkpoints.read_card(slug, root)
        if measures.weights_fingerprint(slug, root) != weights:
            raise StorageError(f"{slug!r} has changed meanwhile. Train its further seeds again.")
        runs = kept(slug, root) | {str(seed): found}
        runs = {name: runs[name] for name in sorted(runs, key=int)}
        command = f"python -m vae_core seeds {slug} --seeds {','.join(runs)}"
        seeds = {"weights": weights, "command": command, "runs": runs}
        write_json(root / slug / "card.json", card | {"seeds": seeds})


def _copy(folder: Path, to: Path) -> None:
    if folder.is_dir() and not to.exists():
        shutil.copytree(folder, to)
