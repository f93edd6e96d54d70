"""Optimise a model on a data set held as one tensor, and report through hooks. Knows no model kind."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_core.config import TrainingConfig
from vae_core.storage import StorageError, read_tensors, write_tensors


class TermsLike(Protocol):
    reconstruction: Tensor
    kl: Tensor | None
    penalties: dict[str, Tensor]


class Trainable(Protocol):
    """What `fit` asks of a module: per-image terms, and the scalar to minimise."""

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> TermsLike: ...
    def objective(self, terms: TermsLike, kl_weight: float) -> Tensor: ...
    def settle(self, images: Tensor) -> None: ...


class Step(NamedTuple):
    """What `on_step` is told."""

    step: int  # 1 … steps
    steps: int
    epoch: int  # 1 … epochs
    objective: float  # nats per image, of this batch; a hook that reads it waits for the device


class Epoch(NamedTuple):
    """What `on_epoch` is told and the history keeps; epoch 0 is the untrained model."""

    epoch: int
    reconstruction: float  # nats per image, mean over the epoch's batches as they were trained on
    kl: float | None
    seconds: float  # since the training began, resumed parts included
    penalties: dict[str, float]  # further terms of the objective by name

    def as_dict(self) -> dict[str, float | None]:
        """As the history keeps it: each term under its own name."""
        row = self._asdict()
        return row | row.pop("penalties")


class Stopped(RuntimeError):
    """`on_step` asked to stop; the last whole epoch is in the state file."""


M = TypeVar("M", bound=nn.Module)


class Diverged(RuntimeError):
    """The numbers of a training are no longer finite; nothing of it is kept."""


def pick_device() -> torch.device:
    """CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def fit(
    model: M,
    images: Tensor,
    labels: Tensor,
    config: TrainingConfig,
    *,
    on_step: Callable[[Step], bool | None] | None = None,
    on_epoch: Callable[[Epoch, M], None] | None = None,
    state_file: Path | None = None,
    run: str = "",
    device: torch.device | None = None,
) -> tuple[M, list[Epoch]]:
    """Train `model` and return its weight average (in eval mode, on the CPU) with the history.

    images (N, 784) float32 in [0, 1], labels (N,) int64. `on_step` may return True to stop, which
    raises `Stopped`. With `state_file` the run is saved after each epoch and resumes from there,
    bit-identically on one CPU thread; a file of other settings, or of another `run` (what the caller knows of model
    and data, as text), raises `StorageError`. Raises `ValueError` where there is no image, and `Diverged` at the first
    step or epoch whose numbers are not finite; the state file goes then, since going on from it would lead there again.
    Deterministic by `config.seed` on one device and thread count.
    """
    if not len(images):
        raise ValueError("There is no image to train on: fewer must be held out than the data set has.")
    device = device or pick_device()
    signature = json.dumps([vars(config), run], sort_keys=True)
    model = model.to(device).train()
    average = copy.deepcopy(model).requires_grad_(False)
    images, labels = images.to(device), labels.to(device)
    parameters = [p for p in model.parameters() if p.requires_grad]
    averaged = [a for a, p in zip(average.parameters(), model.parameters(), strict=True) if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, fused=device.type in ("cpu", "cuda"))
    generator = torch.Generator(device).manual_seed(config.seed)
    history: list[Epoch] = []
    if state_file is not None and state_file.exists():
        history = _restore(state_file, signature, model, average, optimiser, generator)

    per_epoch = max(1, len(images) // config.batch_size)
    steps = per_epoch * config.epochs
    before = history[-1].seconds if history else 0.0
    start = time.monotonic()
    if on_epoch is not None and not history:
        on_epoch(Epoch(0, math.nan, None, 0.0, {}), _settled(average, images))
    for epoch in range(len(history) + 1, config.epochs + 1):
        order = torch.randperm(len(images), generator=generator, device=device)
        totals: dict[str, Tensor] = {}
        for i in range(per_epoch):
            step = (epoch - 1) * per_epoch + i
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * schedule(step, steps, config.warmup_epochs * per_epoch)
            batch = order[i * config.batch_size : (i + 1) * config.batch_size]
            x = images[batch]
            if config.augmentation and epoch <= config.epochs - config.clean_epochs:
                x = augment(x, config.augmentation, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                terms = model.loss(x, labels[batch], generator)  # pyright: ignore[reportCallIssue]: it is Trainable, too
            done = min(1.0, step / (config.kl_warmup_epochs * per_epoch)) if config.kl_warmup_epochs else 1.0
            objective = model.objective(terms, config.kl_start + (1 - config.kl_start) * done)  # pyright: ignore[reportCallIssue]
            optimiser.zero_grad(set_to_none=True)
            objective.backward()
            optimiser.step()
            _follow(averaged, parameters, config.weight_average, step)
            named = {"reconstruction": terms.reconstruction, "kl": terms.kl, **terms.penalties}
            for name, term in named.items():
                if term is not None:
                    totals[name] = totals.get(name, 0) + term.detach().mean()
            if on_step is not None:
                value = float(objective.detach())
                if not math.isfinite(value):
                    raise _diverged(epoch, config, state_file)
                if on_step(Step(step + 1, steps, epoch, value)):
                    raise Stopped(f"Stopped in epoch {epoch} of {config.epochs}.")
        means = {name: float(total / per_epoch) for name, total in totals.items()}
        if not math.isfinite(sum(means.values())) or not _finite(model, average, optimiser):
            raise _diverged(epoch, config, state_file)
        seconds = before + time.monotonic() - start
        history.append(Epoch(epoch, means.pop("reconstruction"), means.pop("kl", None), seconds, means))
        if on_epoch is not None:
            on_epoch(history[-1], _settled(average, images))
        if state_file is not None:
            _save(state_file, signature, model, average, optimiser, generator, history)
    return _settled(average, images).cpu(), history


def _settled(average: M, images: Tensor) -> M:
    """The weight average as it is used; training goes on with the other."""
    settled = copy.deepcopy(average).eval()
    settled.settle(images)  # pyright: ignore[reportCallIssue]: it is Trainable, too
    return settled


def _finite(model: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer) -> bool:
    moments = (value for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value))
    return all(bool(t.detach().isfinite().all()) for t in (*model.parameters(), *average.parameters(), *moments))


def _diverged(epoch: int, config: TrainingConfig, state_file: Path | None) -> Diverged:
    if state_file is not None:
        state_file.unlink(missing_ok=True)
    return Diverged(
        f"The training diverged in epoch {epoch} of {config.epochs}: its loss is no finite number any more. Nothing of "
        f"it is kept. Try a learning rate below {config.learning_rate:g}, or a smaller β."
    )


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor of the learning rate: linear warm-up, then half a cosine down to 0 (arXiv 1608.03983)."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup)))


def augment(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Random small affine maps of images about their centre: (B, 784) → (B, 784), grey.

    Each is uniform up to `strength` times: rotation 15°, scale 10 % on each axis, shear 0.15.
    """
    b = len(x)
    u = (2 * torch.rand(5, b, generator=generator, device=x.device) - 1) * strength
    cos, sin = torch.cos(u[0] * math.pi / 12), torch.sin(u[0] * math.pi / 12)
    sx, sy, shear = 1 + 0.1 * u[1], 1 + 0.1 * u[2], 0.15 * u[3]
    zero = torch.zeros_like(cos)
    theta = torch.stack(
        [torch.stack([cos * sx, shear - sin * sy, zero], 1), torch.stack([sin * sx, cos * sy, zero], 1)], 1
    )  # (B, 2, 3)
    where = F.affine_grid(theta, [b, 1, 28, 28], align_corners=False)
    return F.grid_sample(x.view(b, 1, 28, 28), where, align_corners=False).view(b, -1)


def _follow(averaged: Sequence[Tensor], parameters: Sequence[Tensor], decay: float, step: int) -> None:
    """Move the weight average; young averages forget faster, so that the random start leaves no trace."""
    decay = min(decay, (1 + step) / (10 + step)) if decay else 0.0
    with torch.no_grad():
        for a, p in zip(averaged, parameters, strict=True):
            a.lerp_(p, 1 - decay)


def _save(
    path: Path,
    signature: str,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    history: list[Epoch],
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for i, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{k}": v for k, v in state.items()}
    tensors["generator"] = generator.get_state()
    write_tensors(path, tensors, {"run": signature, "history": json.dumps(history)})


def _restore(
    path: Path,
    signature: str,
    model: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
) -> list[Epoch]:
    try:
        tensors, metadata = read_tensors(path)
    except StorageError as error:
        raise StorageError(f"{error} It is the state of a training: remove it to start again.") from error
    if metadata.get("run") != signature:
        raise StorageError(f"{path} belongs to another run. Remove it to train this one from the start.")
    try:
        model.load_state_dict(_under("model.", tensors))
        average.load_state_dict(_under("average.", tensors))
        states = {
            i: {name: tensors[f"adam.{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
            for i in range(len(optimiser.param_groups[0]["params"]))
        }
        optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
        generator.set_state(tensors["generator"])
        return [Epoch(*row) for row in json.loads(metadata["history"])]
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not the state of this training. Remove it to start again. ({error})") from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
