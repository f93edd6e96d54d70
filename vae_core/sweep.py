"""A grid of trainings, one thread a process: what is done is not done again, and what was killed goes on."""

from __future__ import annotations

import dataclasses
import itertools
import os
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from vae_core import checkpoints
from vae_core.config import Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.data import DATASETS, DataError
from vae_core.models import InputError
from vae_core.storage import StorageError
from vae_core.training import Diverged

IN_A_NAME = ("dataset", "kind", "latent_dim", "likelihood", "beta")  # fields that `Config.slug` tells by itself
BREAKDOWNS = 3  # in a row, without a training that ends between them, until nothing is tried again


def grid(values: Mapping[str, Sequence[Any]], tag: str = "") -> list[Config]:
    """A config for each combination of the fields' values, by the fields' names; what has several values and is not
    part of a checkpoint's name comes into its tag. Raises `ConfigError` for a combination that cannot be."""
    several = [name for name, given in values.items() if len(given) > 1 and name not in IN_A_NAME]
    found: dict[str, Config] = {}
    for one in itertools.product(*values.values()):
        fields = dict(zip(values, one, strict=True))
        if (name := fields.get("dataset", TrainingConfig.dataset)) not in DATASETS:
            raise ConfigError(f"dataset must be one of {', '.join(DATASETS)}; got {name!r}.")
        fields["n_classes"] = DATASETS[name].n_classes
        parts = [tag, *(f"{name.replace('_', '-')}{_text(fields[name])}" for name in several)]
        config = Config(_of(ModelConfig, fields), _of(TrainingConfig, fields), "-".join(filter(None, parts)))
        found[config.slug] = config
    return list(found.values())


def command(config: Config) -> str:
    """The command that trains this alone."""
    words = ["python", "-m", "vae_core", "train", config.model.kind]
    for part in (config.model, config.training):
        for each in dataclasses.fields(part):
            if each.metadata["flag"] and (value := getattr(part, each.name)) != each.default:
                words += [f"--{each.name.replace('_', '-')}", _text(value)]
    return shlex.join([*words, *(["--tag", config.tag] if config.tag else [])])


def run(
    configs: Sequence[Config],
    *,
    jobs: int,
    root: Path | None = None,
    data_folder: Path | None = None,
    on_breakdown: Callable[[], None] | None = None,
) -> Iterator[tuple[str, str]]:
    """Train what is missing, `jobs` at once; yields the name of each that ends, with one sentence where it failed.

    Equal to trainings one after the other on one thread, to the bit. Where a process is killed, all that were in work
    go on from their last whole epochs (`on_breakdown` hears of it).
    """
    waiting, breakdowns = {config.slug: config for config in configs}, 0
    while waiting:
        tasks = [delayed(_train)(config, root, data_folder, os.getpid()) for config in waiting.values()]
        try:
            for slug, problem in Parallel(jobs, backend="loky", return_as="generator_unordered")(tasks):
                del waiting[slug]
                breakdowns = 0
                yield slug, problem
        except TerminatedWorkerError:
            breakdowns += 1
            if on_breakdown is not None:
                on_breakdown()
            if breakdowns == BREAKDOWNS:
                told = f"Its process was killed {BREAKDOWNS} times. Is there too little memory? Try fewer --jobs."
                yield from ((slug, told) for slug in waiting)
                return


def _train(config: Config, root: Path | None, data_folder: Path | None, caller: int) -> tuple[str, str]:
    """In a process of its own, unless it is one at a time: the name, and what went wrong."""
    if os.getpid() != caller:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is heard by the caller, who ends this
    torch.set_num_threads(1)
    try:
        checkpoints.load_or_train(config, root=root, data_folder=data_folder, command=command(config))
    except (ConfigError, DataError, Diverged, InputError, StorageError, OSError) as error:
        return config.slug, str(error)
    return config.slug, ""


def _of(cls: type, fields: Mapping[str, Any]) -> Any:
    return cls(**{each.name: fields[each.name] for each in dataclasses.fields(cls) if each.name in fields})


def _text(value: Any) -> str:
    """A value as an option takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "learned" if value is None else str(value)
