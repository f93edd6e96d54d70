"""Remember trained models: save, load, list, and train what is missing once.

`checkpoints/<slug>/` holds `weights.safetensors` (half precision), `codes.safetensors` and `card.json`.
"""

from __future__ import annotations

import datetime
import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_core import contents, data, likelihood, metrics
from vae_core.config import KINDS, Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.judge import Judge
from vae_core.judge import load as _load_judge
from vae_core.latent import embed
from vae_core.models import Autoencoder, Code, InputError, build
from vae_core.storage import (
    NotFiniteError,
    StorageError,
    is_there,
    json_bytes,
    locked,
    read_json,
    read_tensors,
    tensor_bytes,
    write_files,
    write_json,
    write_tensors,
)
from vae_core.training import Diverged, Epoch, Step, fit

ROOT = Path(__file__).resolve().parent.parent / "checkpoints"
CLIMBED = 1000  # first test images whose best ELBO is looked for
FOLLOWED = 500  # first test images whose means are kept through the training


def available(root: Path | None = None) -> list[str]:
    """Names of the autoencoders that are there and whole, as far as a glance tells: MNIST's first, by dimension, then
    AE, DAE, VAE, CVAE. A broken one does not hide the others; `survey` says which and why."""
    return survey(root)[0]


def survey(root: Path | None = None) -> tuple[list[str], dict[str, str]]:
    """`available`, and one sentence for each model, judge or baselines whose files are not as they should be.

    Of the models cards and shapes are looked at, numbers only when one is loaded.
    """
    root = root or ROOT
    found, refused = [], {}
    for folder in sorted(root.glob("*")):
        if folder.name == "judge" or not is_there(folder / "card.json"):
            continue
        try:
            card = contents.check(folder)
            place = card["dataset"]["name"] != "mnist", card["latent_dim"], list(KINDS).index(card["kind"])
            found.append((*place, folder.name))
        except StorageError as error:
            refused[folder.name] = str(error)
    for name, file, read in (("judge", "judge/card.json", load_judge), ("baselines", "baselines.json", load_baselines)):
        if is_there(root / file):
            try:
                read(root)
            except StorageError as error:
                refused[name] = str(error)
    return [slug for *_, slug in sorted(found)], refused


def read_card(slug: str, root: Path | None = None) -> dict[str, Any]:
    """The card alone. Raises `StorageError` where there is none or it is not as it should be."""
    return _read(slug, root)[0]


def _read(slug: str, root: Path | None) -> tuple[dict[str, Any], Config]:
    folder = (root or ROOT) / slug
    # A name is no way: what is measured later is written into the folder.
    if slug != folder.name or not is_there(folder / "card.json"):
        raise StorageError(
            f"There is no checkpoint {slug!r}. There are: {', '.join(available(root)) or 'none yet'}. "
            "Train it with `python -m vae_core train`."
        )
    return contents.read_card(folder)


def load(slug: str, root: Path | None = None) -> tuple[Autoencoder, dict[str, Any]]:
    """The model in eval mode, and its card. Raises `StorageError` naming the tensor that does not fit."""
    card, config = _read(slug, root)
    path = (root or ROOT) / slug / "weights.safetensors"
    tensors, _ = read_tensors(path, contents.weights_layout(config.model))  # before a network is allocated
    contents.check_answers(path, {name: tensor.numpy() for name, tensor in tensors.items()})
    return _with_weights(config.model, tensors), card


def load_codes(slug: str, root: Path | None = None) -> dict[str, Tensor]:
    """What the model says of the data set, without the data set; floats come back as float32.

    test_mean (N, D), test_logvar (N, D) where there is a posterior, test_label (N,), per-image terms
    test_reconstruction_at_mean, test_mse, test_reconstruction, test_kl (N,), train_mean (≤ 10,000, D),
    train_label; some models: epochs (E,), epoch_mean (E, 500, D).
    """
    _, config = _read(slug, root)
    path = (root or ROOT) / slug / "codes.safetensors"
    tensors, _ = read_tensors(path, contents.codes_layout(config.model))
    contents.check_labels(path, tensors, config.model)
    return {k: v.float() if v.is_floating_point() else v.long() for k, v in tensors.items()}


def load_exact(slug: str, root: Path | None = None) -> dict[str, Tensor]:
    """What `integrate` found. Raises `StorageError` where it has not been run.

    log_p, elbo, modes (N,) of the test split, best_elbo (≤ 1,000,) of its first images; bundled_log_p, bundled_elbo,
    bundled_modes of the bundled digits' test split, where the model `knows_digits`. With a CVAE log p(x | y) and so on,
    y the true label.
    """
    return read_tensors((root or ROOT) / slug / "exact.safetensors", contents.EXACT)[0]


def load_judge(root: Path | None = None) -> Judge:
    """The classifier behind every "is a digit" and "judged digit"."""
    return _load_judge((root or ROOT) / "judge")


def splits(config: Config, data_folder: Path | None = None) -> tuple[data.Split, data.Split]:
    """What a run is trained on and what it is scored on.

    A trial that holds out training images is scored on those: the test split is for final models only.
    Raises `ConfigError` where nothing would be left to train on.
    """
    train, held_out = data.load(config.training.dataset, "train", data_folder), config.training.held_out
    if not held_out:
        return train, data.load(config.training.dataset, "test", data_folder)
    kept = len(train.images) - held_out
    if kept < 1:
        raise ConfigError(f"held_out must be below the {len(train.images)} training images; got {held_out}.")
    return data.Split(*(part[:kept] for part in train)), data.Split(*(part[kept:] for part in train))


def save_baselines(values: dict[str, Any], root: Path | None = None) -> None:
    write_json((root or ROOT) / "baselines.json", values)


def load_baselines(root: Path | None = None) -> dict[str, Any]:
    """What `metrics.baselines` measured on MNIST. Raises `StorageError` where the file is missing or broken."""
    path = (root or ROOT) / "baselines.json"
    values = read_json(path)
    contents.expect(path, values, contents.BASELINES)
    contents.check_shares(path, values)
    return values


def load_or_train(
    config: Config,
    *,
    root: Path | None = None,
    data_folder: Path | None = None,
    command: str | None = None,
    on_step: Callable[[Step], bool | None] | None = None,
    on_epoch: Callable[[Epoch, Autoencoder], None] | None = None,
    device: torch.device | None = None,
    retrain: bool = False,
) -> tuple[Autoencoder, dict[str, Any]]:
    """Load the checkpoint of this config; train and save it first where it is missing.

    When several processes ask, one trains and the others wait and load. A checkpoint of the same name and
    another config raises `StorageError`. A training that was stopped goes on from its last whole epoch; one that came
    to numbers which are not finite raises `Diverged`, leaves a checkpoint that was here as it was, and begins anew.
    """
    root = root or ROOT
    work = root / ".training" / config.slug
    with locked(work):
        if is_there(root / config.slug / "card.json") and not retrain:
            if _read(config.slug, root)[1] != config:
                raise StorageError(
                    f"{config.slug!r} exists with other settings. Give this run a tag of its own, or retrain it."
                )
            return load(config.slug, root)
        try:
            files = _train(config, root, work, data_folder, command, on_step, on_epoch, device)
        except Diverged:
            shutil.rmtree(work, ignore_errors=True)  # whoever goes on from there diverges again
            raise
        except (NotFiniteError, InputError) as error:  # the weights are finite, and what they answer is not
            shutil.rmtree(work, ignore_errors=True)
            raise Diverged(f"The training of {config.slug!r} diverged, and nothing of it is kept. {error}") from error
        # A checkpoint is there when its card is; what was measured beside it was of the weights that were here before.
        write_files(
            root / config.slug, files, remove=("exact.safetensors", "posterior.safetensors", "arrows.safetensors")
        )
        shutil.rmtree(work, ignore_errors=True)
    return load(config.slug, root)


def _beginning(slug: str, config: ModelConfig, root: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint to go on from. Raises `ConfigError` where there is none with these shapes."""
    try:
        _, other = _read(slug, root)
        if other.model.shapes() != config.shapes():
            raise ConfigError(f"start must have the widths of what is trained; those of {slug!r} are others.")
        return {name: tensor.float() for name, tensor in load(slug, root)[0].state_dict().items()}
    except StorageError as error:
        raise ConfigError(f"start: {error}") from error


def _train(
    config: Config,
    root: Path,
    work: Path,
    data_folder: Path | None,
    command: str | None,
    on_step: Callable[[Step], bool | None] | None,
    on_epoch: Callable[[Epoch, Autoencoder], None] | None,
    device: torch.device | None,
) -> dict[str, bytes]:
    """Train, and the checkpoint's files in the order in which they may appear."""
    train, test = splits(config, data_folder)
    fingerprint = data.fingerprint(train)
    run = json.dumps([config.to_dict(), fingerprint])
    followed: dict[int, Tensor] = {}
    follow_file = work / "followed.safetensors"
    if follow_file.exists():
        followed = {int(k): v for k, v in read_tensors(follow_file)[0].items() if k.isdecimal()}

    def after_epoch(epoch: Epoch, model: Autoencoder) -> None:
        if epoch.epoch in contents.FOLLOWED_EPOCHS or epoch.epoch == config.training.epochs:
            probe = model.eval()
            device_of = next(probe.parameters()).device
            code = embed(probe, test.images[:FOLLOWED].to(device_of), test.labels[:FOLLOWED].to(device_of))
            followed[epoch.epoch] = code.mean.cpu()
            write_tensors(follow_file, {str(k): v for k, v in followed.items()})
        if on_epoch is not None:
            on_epoch(epoch, model)

    untrained = build(config.model, config.training.seed)
    before = _drawing(untrained, test)
    if start := config.training.start:
        untrained.load_state_dict(_beginning(start, config.model, root))
    if untrained.begin(train.images):
        model, history = untrained.eval(), []
    else:
        model, history = fit(
            untrained,
            train.images,
            train.labels,
            config.training,
            on_step=on_step,
            on_epoch=after_epoch,
            state_file=work / "state.safetensors",
            run=run,
            device=device,
        )
    after = _drawing(model, test)
    if after > before + abs(before):  # without an exp in it a network can diverge for ever and stay finite
        raise Diverged(
            f"The training of {config.slug!r} diverged, and nothing of it is kept: it ends at {after:.4g} nats per "
            f"image, where an untrained network has {before:.4g}. "
            f"Try a learning rate below {config.training.learning_rate:g}."
        )
    full = metrics.summary(metrics.per_image(model, test.images, test.labels))
    card: dict[str, Any] = {
        "format": contents.FORMAT,
        "slug": config.slug,
        "kind": config.model.kind,
        "likelihood": config.model.likelihood,
        "latent_dim": config.model.latent_dim,
        "parameters": sum(p.numel() for p in model.parameters()),
        "config": config.to_dict(),
        "dataset": {
            "name": config.training.dataset,
            "train_fingerprint": fingerprint,
            "train_images": len(train.images),
        },
        "seed": config.training.seed,
        "command": command or "python -m vae_core train",
        "date": datetime.date.today().isoformat(),
        "seconds": round(history[-1].seconds, 1) if history else 0.0,
        "versions": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
        "history": [_rounded(row.as_dict()) for row in history],
    }
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    files = {"weights.safetensors": tensor_bytes("weights.safetensors", weights)}
    contents.check_answers(root / config.slug, {name: tensor.numpy() for name, tensor in weights.items()})
    model = _with_weights(config.model, weights)  # what is scored is what ships: the weights after rounding
    card["half_precision_moved"] = round(
        metrics.summary(metrics.per_image(model, test.images, test.labels))[_headline(model)] - full[_headline(model)],
        5,
    )
    codes, card["test"], card["denoising"] = assess(
        model, config.training.dataset, train, test, kept=config.training.kept
    )
    if followed and config.model.latent_dim == 2:
        epochs = sorted(followed)
        codes["epochs"] = torch.tensor(epochs, dtype=torch.int32)
        codes["epoch_mean"] = torch.stack([followed[e] for e in epochs]).half()
    card["dataset"]["test_fingerprint"] = data.fingerprint(test)
    files["codes.safetensors"] = tensor_bytes("codes.safetensors", codes)
    files["card.json"] = json_bytes("card.json", card)
    return files


def integrate(
    slug: str,
    *,
    root: Path | None = None,
    data_folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Measure exact log p(x) and the gaps of a two-dimensional VAE or CVAE on its test split, and remember them.

    Writes `exact.safetensors` and the card's `exact`: means in nats of −log p(x) (`nll`), of the gap log p(x) − ELBO,
    and over the first 1,000 images of its two parts, log p(x) − best ELBO and best ELBO − encoder's ELBO. Raises
    `likelihood.LikelihoodError` for other models, `StorageError` where the model was trained again meanwhile.
    """
    root = root or ROOT
    model, card = load(slug, root)
    likelihood.check(model)
    test = splits(Config.from_dict(card["config"]), data_folder)[1]
    y = test.labels if model.conditional else None
    found = likelihood.evidence(model, test.images, y, progress=progress)
    code = embed(model, test.images, y)
    bound = likelihood.elbo(model, test.images, code, y)
    few = slice(CLIMBED)
    start, label = Code(code.mean[few], code.logvar[few]), None if y is None else y[few]
    best = _best_elbo(model, test.images[few], start, found.mode[few], label)
    tensors = {
        "log_p": found.log_p.float(),
        "elbo": bound,
        "modes": found.modes.to(torch.uint8),
        "best_elbo": best,
    }
    if (of := card["dataset"]["name"]) != "digits" and knows_digits(model, of):
        bundled = data.load("digits", "test")
        y = bundled.labels if model.conditional else None
        evidence = likelihood.evidence(model, bundled.images, y)
        tensors |= {
            "bundled_log_p": evidence.log_p.float(),
            "bundled_elbo": likelihood.elbo(model, bundled.images, embed(model, bundled.images, y), y),
            "bundled_modes": evidence.modes.to(torch.uint8),
        }
    approximation, amortisation = found.log_p[few] - best, best - bound[few]
    means = {
        "nll": float(-found.log_p.mean()),
        "nelbo": float(-bound.double().mean()),
        "gap": float((found.log_p - bound).mean()),
        "gap_median": float((found.log_p - bound).median()),
        "several_modes": float((found.modes > 1).double().mean()),
        "approximation": float(approximation.mean()),
        "approximation_median": float(approximation.median()),
        "amortisation": float(amortisation.mean()),
        "amortisation_median": float(amortisation.median()),
        "lost": float(found.lost.max()),
    }
    exact: dict[str, Any] = {k: round(v, 5) if k != "lost" else v for k, v in means.items()}
    exact["command"] = f"python -m vae_core integrate {slug}"
    with locked(root / ".training" / slug):
        if read_card(slug, root) != card:
            raise StorageError(f"{slug!r} has changed while it was integrated. Integrate it again.")
        write_tensors(root / slug / "exact.safetensors", tensors)
        write_json(root / slug / "card.json", card | {"exact": exact})
    return exact


def knows_digits(model: Autoencoder, dataset: str) -> bool:
    """Whether the bundled digits mean something to a model of this data set: a conditional one must know their labels,
    where 3 may be "Dress"."""
    return not model.conditional or data.known(dataset, model.config.n_classes).classes == data.NUMERALS


def _best_elbo(model: Autoencoder, x: Tensor, code: Code, mode: Tensor, y: Tensor | None) -> Tensor:
    """The highest ELBO of a Gaussian q that a climb reaches from the encoder's q and from the heaviest mode: (N,)."""
    best = []
    for rows in torch.arange(len(x)).split(100):
        label = None if y is None else y[rows].repeat(2)
        start = Code(torch.cat([code.mean[rows], mode[rows]]), code.logvar[rows].repeat(2, 1))
        seen = x[rows].repeat(2, 1)
        end = likelihood.climb(model, seen, start, label, steps=40, nodes=6).end
        # Six nodes are for the way; what stands at its end is measured as everything else, and the start counts, too.
        tried = [likelihood.elbo(model, seen, each, label).view(2, -1).amax(0) for each in (end, start)]
        best.append(torch.maximum(*tried))
    return torch.cat(best).detach()


def save(model: Autoencoder, card: dict[str, Any], root: Path | None = None) -> None:
    """Weights in half precision, then the card: a checkpoint is there when its card is."""
    weights = {name: tensor.half() for name, tensor in model.state_dict().items()}
    files = {
        "weights.safetensors": tensor_bytes("weights.safetensors", weights),
        "card.json": json_bytes("card.json", card),
    }
    write_files((root or ROOT) / card["slug"], files)


def _with_weights(config: ModelConfig, tensors: dict[str, Tensor]) -> Autoencoder:
    model = build(config)
    model.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=True)
    return model.eval().requires_grad_(False)


def assess(
    model: Autoencoder, dataset: str, train: data.Split, test: data.Split, *, kept: int = TrainingConfig.kept
) -> tuple[dict[str, Tensor], dict[str, float], dict[str, Any]]:
    """Everything that is measured on a trained model: codes of the test split and of the first `kept` training
    images, per-image terms and their means, denoising."""
    terms = metrics.per_image(model, test.images, test.labels)
    code = embed(model, test.images, test.labels)
    first = embed(model, train.images[:kept], train.labels[:kept])
    codes = {
        "test_mean": code.mean.half(),
        "test_label": test.labels.to(torch.uint8),
        "train_mean": first.mean.half(),
        "train_label": train.labels[:kept].to(torch.uint8),
    }
    if code.logvar is not None:
        codes["test_logvar"] = code.logvar.half()
    codes |= {f"test_{k}": v for k, v in terms._asdict().items() if v is not None}
    denoising = metrics.denoising(model, test.images, test.labels) if model.config.seen == "binary" else {}
    return codes, scores(model, dataset, terms), denoising


def scores(model: Autoencoder, dataset: str, terms: metrics.PerImage) -> dict[str, float]:
    """The card's `test`."""
    found = metrics.summary(terms)
    if model.conditional and dataset == "mnist":
        found["label_agreement"] = metrics.label_agreement(model, load_judge())
    return found


def _drawing(model: Autoencoder, test: data.Split) -> float:
    """Mean reconstruction at the mean of the first images, nats."""
    terms = metrics.per_image(model, test.images[:FOLLOWED], test.labels[:FOLLOWED], samples=1)
    return metrics.summary(terms)["reconstruction_at_mean"]


def _headline(model: Autoencoder) -> str:
    return "nelbo" if model.probabilistic else "reconstruction_at_mean"


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
