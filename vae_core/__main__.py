"""The explorer's core without a browser: train, measure, integrate, list, download."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
import os
import shlex
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vae_core.config import KINDS, Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.data import DATASETS

EPILOG = """\
examples
  train a VAE with a 2-D code on MNIST      python -m vae_core train vae --latent-dim 2
  the same on the bundled digits, quickly   python -m vae_core train vae --dataset digits --epochs 60
  choose a recipe on held-out images        python -m vae_core train vae --held-out 5000 --tag trial
  score a checkpoint on its test split      python -m vae_core evaluate mnist-vae-2d
  fetch MNIST into the user's cache folder  python -m vae_core download mnist
  what a command does, and its options      python -m vae_core train --help

exit codes: 0 done, 1 it could not be done (one sentence says why), 2 wrong usage, 130 interrupted;
an interrupted training goes on from its last whole epoch when the same command is given again.
"""
KINDS_TOLD = "\n".join(["kinds", *(f"  {name:11} {kind.words}" for name, kind in KINDS.items())])
APP = "http://localhost:8501"  # where `streamlit run app.py` answers
ELSEWHERE = "Make room, or name a folder that can be written with --root (checkpoints) or --data-dir (data sets)."


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(argv)
    try:
        return _run(args, argv)
    except KeyboardInterrupt:
        if sys.stderr.isatty() and not args.json:
            print(file=sys.stderr)  # ends the line of the progress bar
        _fail(args, "interrupted", args.interrupted)
        return 130
    except BrokenPipeError:  # whoever read has had enough: `… list | head -1`
        return 1
    finally:
        _close(sys.stdout)


def _run(args: argparse.Namespace, argv: list[str]) -> int:
    import torch

    from vae_core.data import DataError
    from vae_core.likelihood import LikelihoodError
    from vae_core.models import InputError
    from vae_core.storage import StorageError
    from vae_core.training import Diverged, Stopped

    # One core stays free: two spinning thread pools slow each other down twentyfold.
    torch.set_num_threads(args.threads or max(1, _cores() - 1))
    try:
        return args.run(args, argv)
    except BrokenPipeError:
        raise
    except (ConfigError, DataError, Diverged, InputError, LikelihoodError, StorageError, Stopped) as error:
        message = str(error)
    except OSError as error:
        what = f"{error.filename} cannot be read or written" if error.filename else "A file cannot be read or written"
        message = f"{what} ({error.strerror or error}). {ELSEWHERE}"
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
            raise
        message = "There is not enough memory for this. Choose narrower layers or a smaller batch."
    _fail(args, "error", message)
    return 1


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Torch has a class of its own for a device that is full, and for the CPU a message alone."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__, epilog=EPILOG, formatter_class=raw)
    common = argparse.ArgumentParser(add_help=False)
    shared = common.add_argument_group("options of every command")
    shared.add_argument("--json", action="store_true", help="print one JSON object a line, for programs")
    shared.add_argument("--threads", type=_threads, help="CPU threads (default: all cores but one)")
    shared.add_argument(
        "--data-dir", type=Path, help="folder of the data sets (default: VAE_DATA, else the user's cache folder)"
    )
    shared.add_argument("--root", type=Path, help="folder of the checkpoints (default: the project's)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Command)

    def command(
        name: str,
        run: Callable[..., int],
        summary: str,
        description: str,
        examples: str,
        interrupted: str,
        teach: Callable[[], str] | None = None,
    ) -> argparse.ArgumentParser:
        """`interrupted` says what a Ctrl-C leaves behind: each command keeps something else. `teach` gives further
        lines of the help once somebody reads it."""
        added = commands.add_parser(
            name,
            parents=[common],  # pyright: ignore[reportArgumentType]: a parent may be of any class
            help=summary,
            description=description,
            epilog=f"examples\n{examples}",
            formatter_class=raw,
            allow_abbrev=False,  # what goes onto a card is told by the option's whole name
            teach=teach,
        )
        added.set_defaults(run=run, interrupted=interrupted)
        return added

    train = command(
        "train",
        _train,
        "train a model and save its checkpoint",
        f"""\
Train one model and save it as checkpoints/NAME with its codes and its card. NAME is made of the data set, the
kind, the size of the code and the tag, such as mnist-vae-2d. Losses are nats per image, on pixels binarised at 0.5.

{KINDS_TOLD}
  judge       the classifier behind every "is a digit"; it has one recipe of its own and takes no option of training""",
        """\
  python -m vae_core train vae --latent-dim 2
  python -m vae_core train cvae --dataset digits --epochs 60 --tag mine
  python -m vae_core train vae --beta 4 --learning-rate 0.0005 --held-out 5000 --tag trial

A training that is interrupted goes on from its last whole epoch when the same command is given again.""",
        "The same command goes on from the last whole epoch; where none was whole, it begins again.",
    )
    train.add_argument("kind", choices=[*KINDS, "judge"], help="what is trained, see above")
    _add_settings(train)
    group = train.add_argument_group("the checkpoint")
    group.add_argument(
        "--tag",
        default="",
        help="added to its name, to keep a variant beside the plain one: letters, digits, dots, dashes (default: none)",
    )
    group.add_argument("--retrain", action="store_true", help="train again where the checkpoint exists")

    sweep = command(
        "sweep",
        _sweep,
        "train a grid of models at once",
        f"""\
Train a model for each combination of what is given: every option of a model and its training but the widths takes
several values with commas between them, and so does the kind. Each training is a process with one thread, and comes to
the same numbers as `train --threads 1`. What is there already is not trained again. NAME tells the values: those of
options that it would not tell otherwise come into the tag, such as mnist-vae-2d-seed1.

{KINDS_TOLD}""",
        """\
  python -m vae_core sweep vae --latent-dim 2,5,10 --beta 0.5,1 --seed 0,1
  python -m vae_core sweep ae,vae --dataset digits --epochs 60 --learning-rate 0.001,0.003 --tag rates""",
        "The same command goes on: what is done is not done again, the others continue from their last whole epochs.",
    )
    sweep.add_argument("kind", type=_several(str), metavar="KIND,KIND", help="what is trained, see above")
    _add_settings(sweep, several=True)
    group = sweep.add_argument_group("the checkpoints")
    group.add_argument("--tag", default="", help="the beginning of every tag (default: none)")
    group.add_argument("--jobs", type=_threads, help="processes at once, one thread each (default: all cores)")

    seeds = command(
        "seeds",
        _seeds,
        "train models again from other seeds, and keep their numbers",
        """\
Train each checkpoint again as its card says but for the seed, measure that as the checkpoint itself was measured, and
put the numbers on its card. The weights of the further trainings are not kept. Where the ranges of two models'
trainings overlap, the pages call the two about equal. What a card has is not done again.""",
        """\
  python -m vae_core seeds mnist-ae-2d mnist-vae-2d
  python -m vae_core seeds mnist-vae-20d --seeds 1,2,3 --jobs 2""",
        "The same command goes on: what is done is not done again, the others continue from their last whole epochs.",
    )
    seeds.add_argument("slugs", nargs="+", metavar="NAME", help="checkpoints")
    seeds.add_argument("--seeds", type=_several(_seed), default=[1, 2], metavar="A,B", help="which (default 1,2)")
    seeds.add_argument("--jobs", type=_threads, help="trainings at once, one thread each (default: all cores)")

    for name, run, summary, description, examples, interrupted in (
        (
            "evaluate",
            _evaluate,
            "measure checkpoints again and compare with their cards",
            """\
Measure each checkpoint on its test split and compare with the numbers on its card. Nothing is written. The exit code
is 1 where a number differs by more than another machine's arithmetic may move it, or where the data set is not the one
of the card.""",
            """\
  python -m vae_core evaluate mnist-vae-2d
  python -m vae_core evaluate mnist-cvae-2d --what leak draws
  python -m vae_core evaluate --json""",
            "What stands above is whole; nothing is kept of the rest, name it to go on with it.",
        ),
        (
            "measure",
            _measure,
            "put on cards what they do not say yet",
            """\
Measure of each checkpoint what its card does not say of its weights, without training, and put it there, where the
pages read it. All else on the card stays.""",
            """\
  python -m vae_core measure
  python -m vae_core measure mnist-cvae-20d --what leak
  python -m vae_core measure mnist-ae-20d mnist-vae-20d --what draws --again""",
            "What is named above is written; the one in work is not.",
        ),
    ):
        added = command(name, run, summary, description, examples, interrupted, _measures_told)
        added.add_argument("slugs", nargs="*", metavar="NAME", help="default: all whose data set is here")
        default = "test" if name == "evaluate" else "all of these that can be asked of a model"
        added.add_argument("--what", nargs="+", metavar="MEASURE", help=f"see above (default: {default})")
    added.add_argument("--again", action="store_true", help="also what a card says already")

    integrate = command(
        "integrate",
        _integrate,
        "exact log p(x) of two-dimensional VAEs and CVAEs on their test split",
        """\
Measure exact log p(x) in nats per image (log p(x | y) of a CVAE), its gap to the ELBO and the gap's two parts on the
test split, and write them beside the checkpoint, where the page The bound reads them. On MNIST it takes a
minute or two where posteriors are narrow, and hours where they are wide, as with Gaussian pixels of a wide sigma.""",
        """\
  python -m vae_core integrate
  python -m vae_core integrate digits-vae-2d""",
        "Models that are named above are written; the one in work is not: name it, and it begins again.",
    )
    integrate.add_argument("slugs", nargs="*", metavar="NAME", help="default: mnist-vae-2d mnist-cvae-2d")

    command(
        "baselines",
        _baselines,
        "measure what needs no network",
        """\
Measure the spoilt images, a median filter and a ridge regression tuned on training images, and PCA on MNIST's test
split, and save the scores as baselines.json and three of the regressions as ridge.safetensors beside the checkpoints,
where pages and benchmarks read them. Needs MNIST, and takes about ten minutes.""",
        "  python -m vae_core baselines --data-dir ~/data",
        "Nothing was written: the same command begins again.",
    )
    command(
        "judge",
        _judge,
        "measure the judge again",
        """\
Measure how many digits and how much garbage of each kind the judge accepts on MNIST's test split, and what it says of
real images, of ones alone and of ten images over and over; put the rates on its card; its weights and its threshold
stay.""",
        "  python -m vae_core judge",
        "Nothing was written: the same command begins again.",
    )
    told = command(
        "claims",
        _claims,
        "what textbooks say of autoencoders, beside what was measured",
        """\
Print each claim with its verdict and its numbers, from the cards: no data set is read and nothing is measured. First
those that the measures contradict or that hold only with a rider.""",
        """\
  python -m vae_core claims
  python -m vae_core claims --check
  python -m vae_core claims --write""",
        "Nothing was written.",
    )
    either = told.add_mutually_exclusive_group()
    either.add_argument("--write", action="store_true", help="write docs/claims.md")
    either.add_argument(
        "--check", action="store_true", help="exit code 1 where docs/claims.md or prose that quotes a number is stale"
    )
    command(
        "list",
        _list,
        "name the checkpoints with their test numbers",
        "One line a checkpoint: its name and its means over the test split, nats per image.",
        """\
  python -m vae_core list
  python -m vae_core list --json --root ~/checkpoints""",
        "Nothing was written.",
    )
    fetched = {name: found for name, found in DATASETS.items() if not found.bundled}
    sizes = ", ".join(f"{found.title}: {found.megabytes} MB" for found in fetched.values())
    download = command(
        "download",
        _download,
        "fetch a data set",
        f"""\
Fetch a data set through torchvision's mirrors, test files first, and check each file against its md5. Files that are
there and sound stay; of MNIST, one that is not the official one is fetched again.
{sizes}.""",
        """\
  python -m vae_core download mnist
  python -m vae_core download kmnist --data-dir ~/data --time-limit 1200""",
        "Files that are complete are kept: the same command fetches the rest.",
    )
    download.add_argument("dataset", choices=list(fetched), help="which")
    download.add_argument(
        "--time-limit", type=_seconds, default=300.0, help="seconds for all files together (default %(default)g)"
    )
    return parser


def _add_settings(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """An option for each field of the configs, by its name, default and words; `several` values with commas between."""
    for title, cls in (("the model", ModelConfig), ("the training", TrainingConfig)):
        group = parser.add_argument_group(title)
        for each in dataclasses.fields(cls):
            if not each.metadata["flag"]:
                continue
            widths = isinstance(each.default, tuple)
            choices = list(DATASETS if each.name == "dataset" else each.metadata["choices"])
            default = ",".join(map(str, each.default)) if isinstance(each.default, tuple) else each.default
            said = f"{each.metadata['said']} (default {default})"
            option: dict[str, Any] = {
                "type": _READERS[str(each.type)],
                "choices": choices or None,
                "default": each.default,
            }
            if several:
                read = (lambda text: [_widths(text)]) if widths else _several(option["type"])
                option = {"type": read, "default": [each.default]}
                said = f"{', '.join(choices)}: {said}" if choices else said
            metavar = "W,W" if widths else "A,B" if several else None
            name = f"--{each.name.replace('_', '-')}"
            group.add_argument(name, **option, metavar=metavar, help=said.replace("%", "%%"))


class _Command(argparse.ArgumentParser):
    """A command whose help may hold what takes seconds to know."""

    def __init__(self, *words: Any, teach: Callable[[], str] | None = None, **named: Any) -> None:
        super().__init__(*words, **named)
        self.teach = teach

    def format_help(self) -> str:
        if self.teach:
            self.description, self.teach = f"{self.description}\n\n{self.teach()}", None
        return super().format_help()


def _measures_told() -> str:
    from vae_core.measures import MEASURES

    rows = []
    for name, row in MEASURES.items():
        good = f"; {row.good} is good" if row.good else ""
        said = f"{row.words} ({row.unit}{good})"
        rows.append(textwrap.fill(said, 116, initial_indent=f"  {name:11} ", subsequent_indent=" " * 14))
    return "\n".join(["measures", *rows])


def _train(args: argparse.Namespace, argv: list[str]) -> int:
    if args.kind == "judge":
        return _train_judge(args, argv)
    command = shlex.join(["python", "-m", "vae_core", *_without_places(argv)])
    from vae_core import metrics
    from vae_core.checkpoints import available, load_or_train, splits
    from vae_core.training import Epoch, Step

    args.n_classes = DATASETS[args.dataset].n_classes
    config = Config(_fields(ModelConfig, args), _fields(TrainingConfig, args), args.tag)
    if args.retrain or config.slug not in available(args.root):
        _say_what_is_strange(args, args.dataset)
    held_out = None
    if config.training.held_out:
        held_out = splits(config, args.data_dir)[1]
    bar = _Bar(args, config.slug)

    def on_step(step: Step) -> None:
        bar.step(step.step, step.steps, f"epoch {step.epoch}  {step.objective:8.2f} nats")

    def on_epoch(epoch: Epoch, model: Any) -> None:
        row: dict[str, Any] = {"event": "epoch", "slug": config.slug} | epoch.as_dict()
        line = f"{config.slug}  epoch {epoch.epoch}"
        if epoch.epoch:
            line += f"  training {sum((epoch.reconstruction, epoch.kl or 0, *epoch.penalties.values())):.2f} nats"
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
    address = f"{APP}/Models?model={config.slug}"
    done = {"event": "done", "slug": config.slug, "test": card["test"], "address": address}
    _say(args, done, f"{_row(card)}\nstreamlit run app.py, then open {address}")
    return 0


def _sweep(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints, data, sweep

    names = [each.name for cls in (ModelConfig, TrainingConfig) for each in dataclasses.fields(cls)]
    configs = sweep.grid({name: getattr(args, name) for name in names if hasattr(args, name)}, args.tag)
    for name in {config.training.dataset for config in configs}:
        if not data.is_available(name, args.data_dir):
            data.load(name, "train", args.data_dir)  # says what is missing, once
        _say_what_is_strange(args, name)
    bar, status, total = _Bar(args, "sweep"), 0, len(configs)

    ended = sweep.run(
        configs,
        jobs=args.jobs or _cores(),
        root=args.root,
        data_folder=args.data_dir,
        on_breakdown=lambda: _say_of_breakdown(args),
    )
    for done, (slug, problem) in enumerate(ended, 1):
        if problem:
            status = 1
            _fail(args, "error", f"{slug}: {problem}", slug=slug)
        else:
            card = checkpoints.read_card(slug, args.root)
            bar.line({"event": "done", "slug": slug, "test": card["test"]}, _row(card))
        bar.step(done, total, f"{done} of {total} trainings")
    return status


def _seeds(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import seeds
    from vae_core.measures import MEASURES

    bar, status = _Bar(args, "seeds"), 0
    ended = seeds.run(
        args.slugs,
        args.seeds,
        jobs=args.jobs or _cores(),
        root=args.root,
        data_folder=args.data_dir,
        on_breakdown=lambda: _say_of_breakdown(args),
    )
    for slug, seed, problem in ended:
        if problem:
            status = 1
            _fail(args, "error", f"{slug}, seed {seed}: {problem}", slug=slug)
            continue
        test = seeds.kept(slug, args.root)[str(seed)]["test"]
        line = f"{slug:18} seed {seed}  {MEASURES['test'].told(test)}"
        bar.line({"event": "done", "slug": slug, "seed": seed, "test": test}, line)
    return status


def _say_of_breakdown(args: argparse.Namespace) -> None:
    note = "A process was killed; what was in work goes on from its last whole epoch."
    _say(args, {"event": "note", "message": note}, f"note: {note}", stream=sys.stderr)


def _train_judge(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import checkpoints, judge

    foreign = shlex.join(word for word in _without_places(argv) if word not in ("train", "judge"))
    if foreign:
        raise ConfigError(f"The judge has one recipe of its own; got {foreign}, which does not apply. Leave it out.")
    folder = (args.root or checkpoints.ROOT) / "judge"
    if args.retrain or not (folder / "card.json").is_file():
        _say_what_is_strange(args, "mnist")
    card = judge.load_or_train(
        folder,
        data_folder=args.data_dir,
        on_epoch=lambda line: _say(args, {"event": "epoch", "message": line}, line),
        retrain=args.retrain,
    )
    _say(args, {"event": "done", "slug": "judge", "test": card["test"]}, json.dumps(card["test"], indent=1))
    return 0


def _say_what_is_strange(args: argparse.Namespace, name: str) -> None:
    """Before anything is learned from it: a data set that bears an official one's name and is another."""
    from vae_core import data

    if strange := data.strange_files(name, args.data_dir):
        note = (
            f"This {name} is not the official one ({', '.join(strange)} in {data.data_dir(args.data_dir)}): numbers "
            f"will not compare with others'. `python -m vae_core download {name}` fetches the official files."
        )
        _say(args, {"event": "note", "message": note}, f"note: {note}", stream=sys.stderr)


def _evaluate(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core.measures import MEASURES, Subject, agrees

    args.what = args.what or ["test"]

    def compare(subject: Subject, name: str) -> bool:
        row, told = MEASURES[name], subject.card.get(name)
        if reason := row.cannot(subject):
            raise ConfigError(reason)
        found = row.find(subject)
        same = agrees(name, found, told)
        verdict = "as on the card" if same else f"the card says {told if told is None else row.told(told)}"
        say = {"event": "score", "slug": subject.slug, name: found, "as_on_card": same}
        _say(args, say, f"{subject.slug:18} {row.told(found)}  {verdict}")
        return same

    return _of_each(args, compare)


def _measure(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core.measures import MEASURES, Subject, measure

    def add(subject: Subject, name: str) -> bool:
        found = measure(subject, name, again=args.again)
        if found is not None:
            line = f"{subject.slug:18} {MEASURES[name].told(found)}"
            _say(args, {"event": "done", "slug": subject.slug, name: found}, line)
        elif args.slugs or args.what:
            line = f"{subject.slug:18} {name} is on the card already"
            _say(args, {"event": "there", "slug": subject.slug, "what": name}, line)
        return True

    return _of_each(args, add)


def _of_each(args: argparse.Namespace, do: Callable[[Any, str], bool]) -> int:
    """do(subject, name of a measure) for each checkpoint and measure that are meant: 0 where all went well."""
    from vae_core import checkpoints, data, measures
    from vae_core.storage import StorageError

    status, wanted = 0, measures.chosen(args.what)
    for slug in args.slugs or checkpoints.available(args.root):
        try:
            subject = measures.Subject(slug, args.root, args.data_dir)
            for name, row in wanted.items():
                if not (args.slugs and args.what) and row.cannot(subject):
                    continue  # nobody has asked this of that model
                try:
                    status |= 0 if do(subject, name) else 1
                except data.DataError:
                    if args.slugs or data.is_available(subject.dataset, args.data_dir):
                        raise
                    line = f"{slug}: {name} skipped, {subject.dataset} is not here"
                    _say(args, {"event": "skipped", "slug": slug, "what": name}, line)
        except (StorageError, data.DataError) as error:  # one that is broken does not hide the others
            status = 1
            _fail(args, "error", f"{slug}: {error}", slug=slug)
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
    from vae_core import measures

    _say_what_is_strange(args, "mnist")
    bar = _Bar(args, "baselines")
    values = measures.baselines(
        root=args.root,
        data_folder=args.data_dir,
        progress=lambda done, total: bar.step(done, total, f"{done} of {total} ways to spoil"),
    )
    bar.line({"event": "done", "baselines": values}, json.dumps(values, indent=1))
    return 0


def _judge(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import measures

    _say_what_is_strange(args, "mnist")
    rates = measures.judge_again(root=args.root, data_folder=args.data_dir)
    _say(args, {"event": "done", "slug": "judge", "test": rates}, json.dumps(rates, indent=1))
    return 0


def _claims(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import claims

    found = claims.findings(args.root)
    if args.check:
        stale = list(claims.parted(found))
        for message in stale:
            _fail(args, "error", message)
        return 1 if stale else 0
    if args.write:
        path = claims.PROJECT / claims.DOCUMENT
        path.write_text(claims.document(found), encoding="utf-8")
        _say(args, {"event": "done", "path": str(path)}, f"{claims.DOCUMENT} is written")
        return 0
    for each in found:
        numbers = {name: number._asdict() for name, number in each.numbers.items()}
        row = {"claim": each.claim.key, "verdict": each.verdict.value, "numbers": numbers, "told": each.told}
        _say(args, row, f"{each.claim.key:5} {each.verdict}: {each.claim.words}\n      {each.told}")
    return 0


def _list(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core.checkpoints import read_card, survey

    slugs, broken = survey(args.root)
    for slug in slugs:
        card = read_card(slug, args.root)
        row = {k: card[k] for k in ("slug", "kind", "latent_dim", "parameters", "test")}
        _say(args, row, _row(card))
    for slug, reason in broken.items():
        _say(args, {"slug": slug, "broken": reason}, _on_a_line(f"{slug}: broken. {reason}"), stream=sys.stderr)
    return 0


def _download(args: argparse.Namespace, argv: list[str]) -> int:
    from vae_core import data

    bar = _Bar(args, args.dataset)

    def progress(now: data.Progress) -> None:
        of = f" of {now.total / 1e6:.1f}" if now.total else ""
        bar.step(now.done, now.total, f"file {now.number} of {now.files}, {now.done / 1e6:.1f}{of} MB  {now.file}")

    data.download(args.dataset, args.data_dir, progress=progress, time_limit=args.time_limit)
    folder = data.data_dir(args.data_dir)
    bar.line({"event": "done", "dataset": args.dataset, "folder": str(folder)}, f"{args.dataset} is in {folder}")
    return 0


class _Bar:
    """Progress: one line that is rewritten on a terminal, a line now and then in a pipe, JSON where it is asked for."""

    def __init__(self, args: argparse.Namespace, title: str) -> None:
        self.args, self.title = args, title
        self.live = not args.json and sys.stderr.isatty()
        often = args.json or self.live
        self.pause = 0.2 if often else 10.0  # seconds: five updates are enough for an eye, a log has no eye
        self.shown = -math.inf if often else time.monotonic()

    def step(self, done: int, total: int | None, text: str) -> None:
        """`total` is None where nobody knows it."""
        now = time.monotonic()
        if now - self.shown < self.pause and not (total and done >= total):
            return
        self.shown = now
        share = min(1.0, done / total) if total else None
        if self.args.json:
            print(json.dumps({"event": "progress", "done": done, "total": total, "text": text}), flush=True)
        elif self.live:
            filled = "" if share is None else f"[{'#' * round(24 * share):24}] "
            line = f"{self.title} {filled}{text}"[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]
            print(f"\r{line}\033[K", end="", file=sys.stderr, flush=True)  # a wrapped line cannot be rewritten
        else:
            print(f"{self.title}  {'' if share is None else f'{share:4.0%}  '}{text}", file=sys.stderr, flush=True)

    def line(self, row: dict[str, Any], text: str) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        _say(self.args, row, text)


def _say(args: argparse.Namespace, row: dict[str, Any], text: str, stream: Any = None) -> None:
    if args.json:
        print(json.dumps(row), flush=True)
    else:
        print(text, file=stream or sys.stdout, flush=True)


def _fail(args: argparse.Namespace, event: str, message: str, **more: Any) -> None:
    text = _on_a_line(f"{event}: {message}")
    try:
        _say(args, {"event": event, **more, "message": message}, text, stream=sys.stderr)
    except OSError:  # standard output itself is what cannot be written
        print(text, file=sys.stderr, flush=True)


def _on_a_line(text: str) -> str:
    """Names come from folders that anybody may have made: no line break, and nothing that commands a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _close(stream: Any) -> None:
    """Python flushes once more at its end: where that fails its complaint would be the last word, and the exit code."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _row(card: dict[str, Any]) -> str:
    from vae_core.measures import MEASURES

    return f"{card['slug']:18} {MEASURES['test'].told(card['test'])}"


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


def _cores() -> int:
    return os.cpu_count() or 2


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _cores():
        raise argparse.ArgumentTypeError(f"from 1 to {_cores()}, the cores of this machine; got {text[:40]!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or not int(text[:20]) < 2**63:
        raise ValueError
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, such as 300; got {text[:40]!r}")
    return seconds


def _widths(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"hidden widths look like 512,512, or none; got {text[:40]!r}") from None


def _several(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    def values(text: str) -> list[Any]:
        try:
            return [read(part.strip()) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"values with commas between them; got {text[:40]!r}") from None

    return values


def _sigma(text: str) -> float | None:
    if text == "learned":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, or 'learned'; got {text[:40]!r}") from None


# How an option is read, by the type of its field.
_READERS = {"int": int, "float": float, "str": str, "tuple[int, ...]": _widths, "float | None": _sigma}


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe on Windows has no β
    sys.exit(main())
