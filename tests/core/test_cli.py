"""The command line as a person uses it: real processes, exit codes, JSON that parses."""

import argparse
import contextlib
import dataclasses
import fcntl
import gzip
import hashlib
import json
import math
import os
import pty
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from mirror import FILES, Mirror, idx

from vae_core import data
from vae_core.__main__ import _fields, _parser, _without_places, main
from vae_core.config import Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.storage import read_json, write_json


def run(*words, cwd, timeout=120, env=None, before=None):
    return subprocess.run(
        [sys.executable, "-m", "vae_core", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        preexec_fn=before,
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


def commands() -> dict[str, argparse.ArgumentParser]:
    (choices,) = (a.choices for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return choices


def test_help_teaches(root):
    done = run("--help", cwd=root)
    assert done.returncode == 0
    for word in ("examples", "exit codes", *commands()):
        assert word in done.stdout
    assert "nats" in run("train", "--help", cwd=root).stdout


@pytest.mark.parametrize("name", commands())
def test_each_commands_help_teaches(name):
    """An option without a word, a unit or its default sends the reader into the source."""
    parser = commands()[name]
    text = parser.format_help()
    assert parser.description and f"examples\n  python -m vae_core {name}" in text
    assert parser.get_default("interrupted").endswith(".")
    for action in parser._actions:
        assert action.help, f"{name} {action.dest} has no help"
        if action.option_strings and action.nargs != 0:
            assert "default" in action.help, f"{name} {action.dest} does not say its default"


@pytest.mark.parametrize("name", commands())
def test_the_examples_of_the_help_are_right(name):
    """An example is what people copy."""
    for line in commands()[name].epilog.splitlines():
        if line.startswith("  python -m vae_core "):
            args = _parser().parse_args(line.split()[3:])
            if name == "train":
                Config(_fields(ModelConfig, args), _fields(TrainingConfig, args), args.tag)


def test_the_command_line_offers_every_data_set():
    (train,) = (a.choices for a in commands()["train"]._actions if a.dest == "dataset")
    (fetched,) = (a.choices for a in commands()["download"]._actions if a.dest == "dataset")
    assert train == list(data.DATASETS) and fetched == [name for name in train if not data.DATASETS[name].bundled]


def test_every_field_of_a_config_has_its_option():
    """A field that the command line forgets is one that only a script can set, and no card's command would say it."""
    options = {a.dest: a for a in commands()["train"]._actions}
    for cls in (ModelConfig, TrainingConfig):
        for each in dataclasses.fields(cls):
            if each.name not in ("kind", "n_classes"):  # the command's own word, and the data set's
                assert options[each.name].default == each.default
                assert options[each.name].help.startswith(each.metadata["said"].replace("%", "%%"))


def test_help_costs_no_torch(root):
    """Whoever asks what there is should not wait for two seconds."""
    program = "import sys; from vae_core.__main__ import _parser; _parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_places_and_outputs_do_not_reach_the_card():
    words = ["train", "vae", "--root", "x", "--data-dir=y", "--json", "--threads", "1", "--retrain", "--seed", "2"]
    assert _without_places(words) == ["train", "vae", "--seed", "2"]


# What a number may be -------------------------------------------------------------------------------------------

NUMBERS = [a.option_strings[0] for a in commands()["train"]._actions if a.type in (int, float)]
HOSTILE = ("-1", "nan", "inf", "-inf", "1e400", "1" + "0" * 9, str(2**70), "1" + "0" * 400, "9" * 5000, "", "٣", "1_0")


@pytest.mark.parametrize("option", NUMBERS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: value[:12])
def test_an_absurd_number_is_refused_or_can_be_used(option, value, capsys):
    """Each ends as a setting within bounds, as argparse's usage error or as one sentence: nothing else."""
    try:
        args = _parser().parse_args(["train", "cvae", f"{option}={value}"])
        config = Config(_fields(ModelConfig, args), _fields(TrainingConfig, args))
    except SystemExit as error:
        assert error.code == 2 and "Traceback" not in capsys.readouterr().err
    except ConfigError as error:
        assert str(error).endswith(".") and len(str(error)) < 300
    else:
        values = {**vars(config.model), **vars(config.training)}
        assert all(math.isfinite(v) and abs(v) < 2**63 for v in values.values() if isinstance(v, int | float))


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--seed=-1",), 1, "seed must be"),
        (("--seed", 2**70), 1, "seed must be"),
        (("--encoder", 10**9), 1, "width"),
        (("--decoder", "8192,8192,8192"), 1, "numbers"),
        (("--tag", "../.."), 1, "letters, digits, dots and dashes"),
        (("--tag", ".hidden"), 1, "letters, digits, dots and dashes"),
        (("--tag", "t" * 300), 1, "letters, digits, dots and dashes"),
        (("--threads", 0), 2, "--threads: from 1 to"),
        (("--threads", 10**9), 2, "--threads: from 1 to"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, words, code, sentence, capsys):
    with contextlib.suppress(SystemExit):  # argparse's own way to say 2
        code -= main(["train", "vae", *map(str, (*TINY, *words)), "--root", str(tmp_path / "checkpoints")])
    said = capsys.readouterr().err.splitlines()
    assert sentence in said[-1] and code in (0, 2)
    assert code == 2 or (len(said) == 1 and len(said[0]) < 300)
    assert not (tmp_path / "checkpoints").exists()


def test_a_time_limit_is_a_number_of_seconds(root, tmp_path):
    for value in ("nan", "inf", "0", "-3", "soon"):
        done = run("download", "mnist", f"--time-limit={value}", "--data-dir", tmp_path, cwd=root)
        assert done.returncode == 2 and "a number of seconds above 0" in done.stderr


def test_a_cvae_knows_the_labels_of_its_data_set(root, tmp_path):
    """Not ten, because MNIST has ten."""
    program = (
        "import sys; from vae_core import data; from vae_core.__main__ import main;"
        "data.DATASETS['digits'] = data.DATASETS['digits']._replace(classes=('a',) * 12); sys.exit(main(sys.argv[1:]))"
    )
    words = [*map(str, TINY), "--root", str(tmp_path)]
    subprocess.run([sys.executable, "-c", program, "train", "cvae", *words], cwd=root, check=True, capture_output=True)
    assert read_json(tmp_path / "digits-cvae-2d" / "card.json")["config"]["model"]["n_classes"] == 12


# Where nothing can be written -----------------------------------------------------------------------------------


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def fails(done, sentence: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ") and sentence in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("room", [5_000, 150_000], ids=["of the training's state", "of the codes"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(root, tmp_path, room):
    """A limit on the size of a file stands for the disk: the write itself fails, as it does there."""
    words = ("train", "vae", *TINY, "--root", tmp_path)
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))  # noqa: E731
    done = run(*words, cwd=root, before=limit)
    fails(done, "safetensors cannot be read or written (File too large). Make room")
    assert not [name for name in files_in(tmp_path) if name.endswith(".tmp") or "card" in name]
    assert run(*words, cwd=root).returncode == 0  # and with room the same command comes through


def test_too_little_memory_is_a_sentence(root, tmp_path):
    """The bounds of a setting are wide; a small machine, or a crowded one, meets its own first."""
    program = (
        "import resource, sys; from vae_core import checkpoints, data; from vae_core.__main__ import main;"
        "data.load('digits', 'test');"  # imports want memory of their own, and are not what is tried
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (150 << 20);"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size)); sys.exit(main(sys.argv[1:]))"
    )
    words = ["train", "ae", *map(str, TINY), "--encoder", "8192,4096", "--root", str(tmp_path)]
    command = [sys.executable, "-c", program, *words]
    fails(subprocess.run(command, cwd=root, capture_output=True, text=True), "not enough memory")
    assert not files_in(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "vae", *TINY, "--root"),
        ("download", "mnist", "--data-dir"),
        ("baselines", "--root", "/none", "--data-dir"),
        ("train", "vae", "--data-dir"),
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_a_folder_that_cannot_be_written_is_a_sentence(root, tmp_path, words):
    """Root may write anywhere, and tests run as root: a file where a folder should be refuses everybody."""
    (tmp_path / "file").touch()
    done = run(*words, tmp_path / "file" / "below", cwd=root, env={"https_proxy": "http://127.0.0.1:9"})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: ")


def test_an_output_that_is_full_or_closed_is_no_traceback(trained, root):
    """`list > log` on a full disk, `list | head -1`: Python's own complaint at its end would be the last word."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vae_core", "list", "--root", trained[0]],
            cwd=root,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    fails(done, "No space left on device")
    ends = os.pipe()
    os.close(ends[0])
    command = [sys.executable, "-m", "vae_core", "list", "--root", trained[0]]
    done = subprocess.run(command, cwd=root, stdout=ends[1], stderr=subprocess.PIPE, text=True)
    os.close(ends[1])
    assert done.returncode == 1 and not done.stderr


# MNIST that is not ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange(tmp_path_factory) -> Path:
    """Files of MNIST's sizes with 60,000 and 10,000 pictures of noise."""
    folder = tmp_path_factory.mktemp("strange")
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    for name in FILES:
        n = data.IMAGES["train" if name.startswith("train") else "test"]
        (raw / name).write_bytes(idx(np.tile(noise, (n // 1000, 1, 1)) if "images" in name else np.arange(n) % 10))
    return folder


def test_training_on_another_mnist_says_so_first(root, tmp_path, strange):
    """Its card would bear MNIST's name, and its numbers would be compared with the README's."""
    tiny = ("--epochs", 0, "--encoder", 4, "--decoder", 4, "--threads", 1)
    done = run("train", "ae", *tiny, "--data-dir", strange, "--root", tmp_path, cwd=root)
    assert done.returncode == 0, done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith("note: This mnist is not the official one (train-images-idx3-ubyte, ")
    assert "python -m vae_core download mnist" in first
    again = run("train", "ae", *tiny, "--data-dir", strange, "--root", tmp_path, cwd=root)  # only loaded now
    assert again.returncode == 0 and "note:" not in again.stderr


def test_a_label_of_200_is_a_sentence(root, tmp_path, strange):
    """It is no index into ten labels: torch would end the process with a stack trace, or worse."""
    shutil.copytree(strange, tmp_path / "data")
    path = tmp_path / "data" / "MNIST" / "raw" / FILES[1]
    path.write_bytes(path.read_bytes()[:-1] + bytes([200]))
    done = run("train", "cvae", "--data-dir", tmp_path / "data", "--root", tmp_path / "c", cwd=root)
    fails(done, "Expected labels from 0 to 9")
    assert "got 200" in done.stderr


# Progress -------------------------------------------------------------------------------------------------------

DOWNLOAD = """
import json, sys
import torchvision.datasets as sets
from vae_core.__main__ import main
told = json.loads(sys.argv[1])
sets.MNIST.mirrors, sets.MNIST.resources = [told["url"]], told["resources"]
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(params=["well", "no length"])
def served(request):
    """The mirror's address and files of 1 MB each, with and without their length told."""
    noise = np.random.default_rng(0).integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
    files = {f"{name}.gz": gzip.compress(noise, 1) for name in FILES}
    server = Mirror(files, request.param)
    sums = [(name, hashlib.md5(content, usedforsecurity=False).hexdigest()) for name, content in files.items()]
    yield json.dumps({"url": server.url, "resources": sums})
    server.shutdown()
    server.server_close()


def test_a_download_into_a_pipe_is_a_few_lines(served, root, tmp_path):
    """A log has no eye: no carriage returns, no bar a block; and a server without a length is no flood of #."""
    command = [sys.executable, "-c", DOWNLOAD, served, "download", "mnist", "--data-dir", tmp_path]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"mnist is in {tmp_path}\n"
    assert "\r" not in done.stderr and "\033" not in done.stderr and "#" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) <= 4 + 12 and all(len(line) < 100 for line in lines)  # one a file, and one in ten seconds
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(FILES)


def test_a_download_in_json_is_objects_a_program_can_read(served, root, tmp_path):
    command = [sys.executable, "-c", DOWNLOAD, served, "download", "mnist", "--data-dir", tmp_path, "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["event"] == "done" and {row["event"] for row in rows[:-1]} == {"progress"}
    assert all(row["total"] is None or 0 < row["done"] <= row["total"] for row in rows[:-1])
    assert rows[0]["text"].startswith("file 1 of 4, ") and rows[0]["text"].endswith("t10k-images-idx3-ubyte.gz")


def test_on_a_terminal_one_line_is_rewritten(served, root, tmp_path):
    """A line that is wider than the terminal wraps, and what wrapped cannot be rewritten: it floods the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    command = [sys.executable, "-c", DOWNLOAD, served, "download", "mnist", "--data-dir", tmp_path]
    shown = b""
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        try:
            while block := os.read(ours, 4096):
                shown += block
        except OSError:  # Linux's way to say that the other end has closed
            pass
        assert process.stdout.read() == f"mnist is in {tmp_path}\n".encode()
    assert process.returncode == 0
    os.close(ours)
    frames = shown.decode().split("\r")
    assert "\n" not in shown.decode() and "mnist " in frames[1] and frames[-1] == "\033[K"
    assert all(len(frame.replace("\033[K", "")) < 50 for frame in frames)
    # 64 blocks were heard of; a bar only where there is a total, and a frame only five times a second.
    assert max(frame.count("#") for frame in frames) in (0, 24) and len(shown) < 10_000


# Ctrl-C ---------------------------------------------------------------------------------------------------------


def interrupt(words, root, event) -> tuple[int, list[dict], str]:
    """Send Ctrl-C as soon as `event(row)` is true of a line; the exit code, the lines and what the last one says."""
    with subprocess.Popen(
        [sys.executable, "-m", "vae_core", *map(str, words), "--json"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A test run in the background ignores the signal, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        rows, sent = [], False
        for line in process.stdout:
            rows.append(json.loads(line))
            if not sent and event(rows[-1]):
                process.send_signal(signal.SIGINT)
                sent = True
        said = process.stderr.read()
    assert sent and "Traceback" not in said, said
    return process.returncode, rows, rows[-1].get("message", "")


def test_an_interrupted_training_goes_on_as_it_says(root, tmp_path):
    words = ("train", "vae", *TINY, "--epochs", 12, "--root", tmp_path)
    code, rows, message = interrupt(words, root, lambda row: row.get("epoch") == 3)
    assert code == 130 and rows[-1]["event"] == "interrupted"
    assert message == "The same command goes on from the last whole epoch; where none was whole, it begins again."
    done = run(*words, "--json", cwd=root)
    epochs = [row["epoch"] for row in map(json.loads, done.stdout.splitlines()) if row["event"] == "epoch"]
    assert done.returncode == 0 and epochs[0] >= 3 and epochs[-1] == 12


def test_an_interrupted_integration_promises_nothing(trained, root, tmp_path):
    """It used to promise to go on, as a training does; it begins again, and says so."""
    shutil.copytree(trained[0], tmp_path / "c")
    words = ("integrate", "digits-vae-2d", "--root", tmp_path / "c")
    code, _, message = interrupt(words, root, lambda row: row["event"] == "progress")
    assert code == 130 and "begins again" in message and "goes on" not in message
    assert not (tmp_path / "c" / "digits-vae-2d" / "exact.safetensors").exists()


def copy_as(tag: str, source: Path, target: Path) -> Path:
    """The trained checkpoint with another tag: a folder is named like its model."""
    folder = target / f"digits-vae-2d-{tag}"
    shutil.copytree(source / "digits-vae-2d", folder)
    card = read_json(folder / "card.json")
    card["slug"], card["config"]["tag"] = folder.name, tag
    write_json(folder / "card.json", card)
    return folder


def test_an_interrupted_evaluation_promises_nothing(trained, root, tmp_path):
    for i in range(30):
        copy_as(f"{i}", trained[0], tmp_path)
    code, rows, message = interrupt(("evaluate", "--root", tmp_path), root, lambda row: row["event"] == "score")
    assert code == 130 and "nothing is kept of the rest" in message, (code, rows[-2:])
    assert 1 <= sum(row["event"] == "score" for row in rows) < 30


def test_a_broken_checkpoint_does_not_hide_the_others(trained, root, tmp_path):
    shutil.copytree(trained[0] / "digits-vae-2d", tmp_path / "digits-vae-2d")
    weights = copy_as("cut", trained[0], tmp_path) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    done = run("evaluate", "digits-vae-2d-cut", "digits-vae-2d", "--root", tmp_path, cwd=root)
    assert done.returncode == 1
    assert "error: digits-vae-2d-cut: " in done.stderr and "Traceback" not in done.stderr
    assert "as on the card" in done.stdout
