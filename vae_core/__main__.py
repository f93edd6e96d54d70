"""The explorer's core without a browser: train, evaluate, list, download."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from vae_core.config import (
    ACTIVATIONS,
    KINDS,
    LIKELIHOODS,
    PRECISIONS,
    Config,
    ConfigError,
    ModelConfig,
    TrainingConfig,
)

EPILOG = """\
examples
  train a VAE with a 2-D code on MNIST     python -m vae_core train vae --latent-dim 2
  the same on the bundled digits, quickly   python -m vae_core train vae --dataset digits --epochs 60
  choose a recipe on held-out images        python -m vae_core train vae --held-out 5000 --tag trial
  score a checkpoint on its test split      python -m vae_core evaluate mnist-vae-2d
  fetch MNIST into the user's cache folder  python -m vae_core download mnist

exit codes: 0 done, 1 it could not be done (one sentence says why), 2 wrong usage, 130 interrupted;
an interrupted training goes on from its last whole epoch when the same command is given again.
"""


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(argv)
    # One core stays free: two spinning thread pools slow each other down twentyfold.
    threads = args.threads or max(1, (os.cpu_count() or 2) - 1)
    import torch

    from vae_core.data import DataError
    from vae_core.likelihood import LikelihoodError
    from vae_core.storage import StorageError
    from vae_core.training import Stopped

    torch.set_num_threads(threads)
    try:
        return args.run(args, argv)
    except (ConfigError, DataError, LikelihoodError, StorageError, Stopped) as error:
        _say(args, {"event": "error", "message": str(error)}, f"error: {error}", stream=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say(
            args,
            {"event": "interrupted"},
            "\ninterrupted; the same command goes on from the last whole epoch",
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__, epilog=EPILOG, formatter_class=raw)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")
    common.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores but one)")
    common.add_argument(
        "--data-dir", type=Path, help="folder of the data sets (default: VAE_DATA, else the user cache)"
    )
    common.add_argument("--root", type=Path, help="folder of the checkpoints (default: the project's)")
    # Whole words only: what goes onto a card is told by the option's name.
    whole = functools.partial(argparse.ArgumentParser, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=whole)

    train = commands.add_parser(
        "train",
        parents=[common],
        help="train a model and save its checkpoint",
        description="Train one model and save it with its codes and its card. Losses are nats per image. "
        "kind: ae (a point code), dae (the AE with a spoilt input), vae (a Gaussian code with a KL to N(0, I)), "
        "cvae (the VAE with the label beside x and z), judge (the classifier behind every 'is a digit').",
    )
    train.add_argument("kind", choices=[*KINDS, "judge"])
    model, run = ModelConfig(), TrainingConfig()
    train.add_argument("--latent-dim", type=int, default=model.latent_dim, help="numbers in a code (%(default)s)")
    train.add_argument("--encoder", type=_widths, default=model.encoder, help="hidden widths, such as 512,512")
    train.add_argument("--decoder", type=_widths, default=model.decoder, help="hidden widths, code side first")
    train.add_argument("--activation", choices=ACTIVATIONS, default=model.activation)
    train.add_argument("--likelihood", choices=LIKELIHOODS, default=model.likelihood)
    train.add_argument("--sigma", type=_sigma, default=model.sigma, help="of Gaussian pixels; 'learned' for one scalar")
    train.add_argument("--beta", type=float, default=model.beta, help="weight of the KL in training (%(default)s)")
    train.add_argument("--encoder-noise", type=float, default=0.0, help="share of input pixels flipped (VAE, CVAE)")
    train.add_argument("--corruptions", type=int, default=1, help="DAE: spoilt copies an image and step (%(default)s)")
    train.add_argument("--dataset", choices=["mnist", "fashion_mnist", "kmnist", "digits"], default=run.dataset)
    train.add_argument("--epochs", type=int, default=run.epochs, help="(%(default)s)")
    train.add_argument("--batch-size", type=int, default=run.batch_size, help="(%(default)s)")
    train.add_argument("--learning-rate", type=float, default=run.learning_rate, help="(%(default)s)")
    train.add_argument("--warmup-epochs", type=float, default=run.warmup_epochs, help="(%(default)s)")
    train.add_argument(
        "--weight-average", type=float, default=run.weight_average, help="decay, 0 for none (%(default)s)"
    )
    train.add_argument("--augmentation", type=float, default=0.0, help="strength of random affine maps (%(default)s)")
    train.add_argument("--clean-epochs", type=int, default=0, help="last epochs without augmentation (%(default)s)")
    train.add_argument(
        "--held-out", type=int, default=0, help="last training images kept back and scored (%(default)s)"
    )
    train.add_argument(
        "--kl-warmup-epochs", type=float, default=0.0, help="epochs in which β comes to its value (%(default)s)"
    )
    train.add_argument("--kl-start", type=float, default=0.0, help="factor of β at their start (%(default)s)")
    train.add_argument("--precision", choices=PRECISIONS, default=run.precision, help="of matrix products")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--tag", default="", help="added to the checkpoint's name")
    train.add_argument("--retrain", action="store_true", help="train again where the checkpoint exists")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", parents=[common], help="score checkpoints on their test split")
    evaluate.add_argument("slugs", nargs="*", metavar="SLUG", help="default: all whose data set is here")
    evaluate.set_defaults(run=_evaluate)

    integrate = commands.add_parser(
        "integrate",
        parents=[common],
        help="exact log p(x) of two-dimensional VAEs and CVAEs on their test split",
        description="Measure exact log p(x), its gap to the ELBO and the gap's two parts on the test split, and write "
        "them beside the checkpoint, where the page Inside the bound reads them.",
    )
    integrate.add_argument("slugs", nargs="*", metavar="SLUG", help="default: the VAE and the CVAE of MNIST")
    integrate.set_defaults(run=_integrate)

    baselines = commands.add_parser(
        "baselines",
        parents=[common],
        help="measure what needs no network",
        description="Measure the spoilt images, a median filter tuned on training images and PCA on MNIST's test "
        "split, and save them beside the checkpoints, where pages and benchmarks read them.",
    )
    baselines.set_defaults(run=_baselines)

    listing = commands.add_parser("list", parents=[common], help="name the checkpoints with their test numbers")
    listing.set_defaults(run=_list)

    download = commands.add_parser("download", parents=[common], help="fetch a data set")
    download.add_argument("dataset", choices=["mnist", "fashion_mnist", "kmnist"])
    download.add_argument("--time-limit", type=float, default=300.0, help="seconds (%(default)s)")
    download.set_defaults(run=_download)
    return parser


def _train(args: argparse.Namespace, argv: list[str]) -> int:
    if args.kind == "judge":
        return _train_judge(args, argv)
    command = shlex.join(["python", "-m", "vae_core", *_without_places(argv)])
    from vae_core import metrics
    from vae_core.checkpoints import load_or_train, splits
    from vae_core.training import Epoch, Step

    config = Config(_fields(ModelConfig, args), _fields(TrainingConfig, args), args.tag)
    held_out = None
    if config.training.held_out:
        held_out = splits(config, args.data_dir)[1]
    bar = _Bar(args, config.slug)

    def on_step(step: Step) -> None:
        bar.step(step.step, step.steps, f"epoch {step.epoch}  {step.objective:8.2f} nats")

    def on_epoch(epoch: Epoch, model: Any) -> None:
        row: dict[str, Any] = {"event": "epoch", "slug": config.slug} | epoch._asdict()
        line = f"{config.slug}  epoch {epoch.epoch}"
        if epoch.epoch:
            line += f"  training {epoch.reconstruction + (epoch.kl or 0):.2f} nats"
        else:
            row["reconstruction"] = None
        if held_out is not None and (epoch.epoch % 5 == 0 or epoch.epoch == config.training.epochs):
            model = model.eval()
            scores = metrics.summary(metrics.per_image(model, held_out.images, held_out.labels, samples=3))
            row["held_out"] = scores
            value = scores.get("nelbo", scores["reconstruction_at_mean"])
            line += f"  held out {value:.2f} nats, MSE {scores['mse']:.4f}"
        bar.line(row, f"{line}  {epoch.seconds:.0f} s")

    _, card = load_or_train(
        config,
        root=args.root,
        data_folder=args.data_dir,
        command=command,
        on_step=on_step,
        on_epoch=on_epoch,
        retrain=args.retrain,
    )
    _say(args, {"event": "done", "slug": config.slug, "test": card["test"]}, _row(card))
    return 0


def _train_judge(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints, judge

    foreign = shlex.join(word for word in _without_places(argv) if word not in ("train", "judge"))
    if foreign:
        raise ConfigError(f"The judge has one recipe of its own; got {foreign}, which does not apply. Leave it out.")
    card = judge.load_or_train(
        (args.root or checkpoints.ROOT) / "judge",
        data_folder=args.data_dir,
        on_epoch=lambda line: _say(args, {"event": "epoch", "message": line}, line),
        retrain=args.retrain,
    )
    _say(args, {"event": "done", "slug": "judge", "test": card["test"]}, json.dumps(card["test"], indent=1))
    return 0


def _evaluate(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints, data

    slugs = args.slugs or checkpoints.available(args.root)
    status = 0
    for slug in slugs:
        model, card = checkpoints.load(slug, args.root)
        name = card["dataset"]["name"]
        if not args.slugs and not data.is_available(name, args.data_dir):
            _say(args, {"event": "skipped", "slug": slug}, f"{slug}: skipped, {name} is not here")
            continue
        train, test = checkpoints.splits(Config.from_dict(card["config"]), args.data_dir)
        here = {"train_fingerprint": data.fingerprint(train), "test_fingerprint": data.fingerprint(test)}
        if any(card["dataset"].get(key) != value for key, value in here.items()):
            status = 1
            told = (
                f"{slug}: expected the {name} that its card fingerprints, got other images or labels. "
                "Name the right folder with --data-dir, or download the data set again."
            )
            _say(args, {"event": "error", "slug": slug, "message": told}, f"error: {told}", stream=sys.stderr)
            continue
        _, scores, _ = checkpoints.assess(model, name, train, test)
        same = all(math.isclose(scores[k], card["test"].get(k, math.inf), rel_tol=2e-3, abs_tol=1e-6) for k in scores)
        status = status or (0 if same else 1)
        verdict = "as on the card" if same else f"the card says {card['test']}"
        _say(
            args,
            {"event": "score", "slug": slug, "test": scores, "as_on_card": same},
            f"{_row(card | {'test': scores})}  {verdict}",
        )
    return status


def _integrate(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints

    for slug in args.slugs or ["mnist-vae-2d", "mnist-cvae-2d"]:
        bar = _Bar(args, slug)
        found = checkpoints.integrate(
            slug,
            root=args.root,
            data_folder=args.data_dir,
            progress=lambda done, total, bar=bar: bar.step(done, total, f"{done} of {total} images"),
        )
        numbers = "exact −log p(x) {nll:.2f}  −ELBO {nelbo:.2f}  gap {gap:.2f} (median {gap_median:.2f})".format(
            **found
        )
        bar.line({"event": "done", "slug": slug, "exact": found}, f"{slug:18} {numbers}")
    return 0


def _baselines(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints, data, metrics

    train, test = (data.load("mnist", split, args.data_dir).images for split in ("train", "test"))
    values = metrics.baselines(train, test)
    checkpoints.save_baselines(values, args.root)
    _say(args, {"event": "done", "baselines": values}, json.dumps(values, indent=1))
    return 0


def _list(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core.checkpoints import available, read_card

    for slug in available(args.root):
        card = read_card(slug, args.root)
        row = {k: card[k] for k in ("slug", "kind", "latent_dim", "parameters", "test")}
        _say(args, row, _row(card))
    return 0


def _download(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import data

    bar = _Bar(args, args.dataset)

    def progress(done: int, total: int, name: str) -> None:
        bar.step(done, total, f"{name}  {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    data.download(args.dataset, args.data_dir, progress=progress, time_limit=args.time_limit)
    folder = data.data_dir(args.data_dir)
    bar.line({"event": "done", "dataset": args.dataset, "folder": str(folder)}, f"{args.dataset} is in {folder}")
    return 0


class _Bar:
    """A progress bar on a terminal, lines elsewhere, JSON objects where they are asked for."""

    def __init__(self, args: argparse.Namespace, title: str) -> None:
        self.args, self.title, self.shown = args, title, 0.0
        self.live = not args.json and sys.stderr.isatty()

    def step(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if now - self.shown < 0.2 and done < total:
            return  # five updates a second are enough for an eye
        self.shown = now
        if self.args.json:
            print(json.dumps({"event": "progress", "done": done, "total": total, "text": text}), flush=True)
        elif self.live:
            filled = round(24 * done / max(1, total))
            print(f"\r{self.title} [{'#' * filled:24}] {text}\033[K", end="", file=sys.stderr, flush=True)

    def line(self, row: dict[str, Any], text: str) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr)
        _say(self.args, row, text)


def _say(args: argparse.Namespace, row: dict[str, Any], text: str, stream: Any = None) -> None:
    if args.json:
        print(json.dumps(row), flush=True)
    else:
        print(text, file=stream or sys.stdout, flush=True)


def _row(card: dict[str, Any]) -> str:
    names = {
        "nelbo": "-ELBO {:.2f}",
        "reconstruction_at_mean": "reconstruction at the mean {:.2f}",
        "kl": "KL {:.2f}",
        "mse": "MSE {:.4f}",
        "label_agreement": "label {:.2%}",
    }
    numbers = [form.format(card["test"][k]) for k, form in names.items() if k in card["test"]]
    return f"{card['slug']:18} " + "  ".join(numbers)


def _fields(cls: type, args: argparse.Namespace) -> Any:
    return cls(**{f.name: getattr(args, f.name) for f in dataclasses.fields(cls) if hasattr(args, f.name)})


def _without_places(argv: list[str]) -> list[str]:
    """The command as it stands on a card: folders of one machine say nothing to the next."""
    kept, skip = [], False
    for word in argv:
        if skip:
            skip = False
        elif word in ("--data-dir", "--root", "--threads"):
            skip = True
        elif not word.startswith(("--data-dir=", "--root=", "--threads=")) and word not in (
            "--json",
            "--retrain",
        ):
            kept.append(word)
    return kept


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"hidden widths look like 512,512; got {text!r}") from None


def _sigma(text: str) -> float | None:
    if text == "learned":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, or 'learned'; got {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
