"""What hostile input does to the explorer: every try must end well or in a sentence of ours.

    python -m benchmarks.attack [NAME …] [--tries N] [--seed S]

Each attack below makes its inputs by chance from the seed and gives each to the code that a visitor's or an owner's
file, link or message reaches. What comes back is counted by name; a foreign exception or a hang is a fault, and the
command then ends with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 10.0  # of processor time: a try that takes more hangs
PATIENCE = 120.0  # seconds: one that waits longer hangs as well, even where others have the machine


class Try(NamedTuple):
    """How one input ended."""

    outcome: str  # "well", "refused (…)" by a typed error, "hang", or the name of a foreign exception
    what: str  # the input in words, for whoever wants to repeat it
    said: str = ""  # the error's own words
    seconds: float = 0.0
    processor: float = 0.0  # seconds
    taken: float = 0.0  # MB at the worst moment, beyond what the process held before


Attack = Callable[[int, int], list[Try]]  # (tries, seed)


class _Late(BaseException):
    """No `except Exception` of the code under attack may swallow the alarm."""


def attempt(call: Callable[[], object], what: str, typed: tuple[type[Exception], ...]) -> Try:
    """Run one try in this process under an alarm; errors of the `typed` classes are how a bad input should end."""

    def late(*_: object) -> None:
        raise _Late

    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    outcome, said, start, begun, held = "well", "", time.monotonic(), time.process_time(), memory(fresh=True)
    try:
        call()
    except _Late:
        outcome = "hang"
    except typed as error:
        outcome, said = f"refused ({type(error).__name__})", str(error)
    except Exception as error:
        outcome, said = type(error).__name__, str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken = memory() - held
    return Try(outcome, what, said, time.monotonic() - start, time.process_time() - begun, taken)


def memory(*, fresh: bool = False) -> float:
    """The most MB that this process has held; `fresh` forgets what was before, where the system can (Linux)."""
    if fresh:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    with contextlib.suppress(OSError):
        if peak := re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text()):
            return int(peak[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, tries: list[Try]) -> bool:
    """Print how the tries ended and an example of each fault. True where every one ended well or was refused."""
    counts = Counter(t.outcome for t in tries)
    foreign = {k: n for k, n in counts.items() if k not in ("well", "hang") and not k.startswith("refused")}
    print(f"{name}: {len(tries)} tries, {sum(foreign.values())} untyped exceptions, {counts['hang']} hangs")
    for outcome, n in counts.most_common():
        print(f"  {n:6}  {outcome}")
    for outcome in (*foreign, *(["hang"] if counts["hang"] else [])):
        first = next(t for t in tries if t.outcome == outcome)
        print(f"  such as {outcome} at {first.what}: {' '.join(first.said.split())[:200]}")
    if tries:
        slowest, largest = max(tries, key=lambda t: t.processor), max(tries, key=lambda t: t.taken)
        print(f"  most processor time {slowest.processor:.2f} s ({slowest.what})")
        print(f"  most memory above idle {largest.taken:.0f} MB ({largest.what})")
    return not foreign and not counts["hang"]


# Checkpoints ----------------------------------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2.5, 7, 10**9, 2**63, 10**40, 1e300, -1e-300, math.nan, math.inf, -math.inf),
    *("", "2", "vae", "../../elsewhere", "\0", "x" * 10_000, "\ud800", [], {}, [[]], [1, 2], {"a": None}, [None] * 3),
)


def checkpoints(tries: int, seed: int) -> list[Try]:
    """Mutated cards, cut, foreign and flipped weights and codes: the others stay listed, and the broken one is refused
    in a sentence that names the file, or is whole enough to answer."""
    from vae_core import checkpoints
    from vae_core.models import InputError
    from vae_core.storage import StorageError

    rng, found = random.Random(seed), []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for source in (*checkpoints.ROOT.glob("digits-*"), checkpoints.ROOT / "judge"):
            shutil.copytree(source, root / source.name)
        for name in ("baselines.json", "ridge.safetensors"):
            shutil.copy(checkpoints.ROOT / name, root)
        exact = next(checkpoints.ROOT.glob("*/exact.safetensors"))
        shutil.copy(exact, root / "digits-vae-2d")
        files = sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:  # unharmed, everything answers; what is imported for the first time is no try's fault
            _ask(root, path.parent.name)
        for _ in range(tries):
            path = rng.choice(files)
            whole = path.read_bytes()
            harm = rng.choice([_cut, _flip, _foreign, *3 * [_json if path.suffix == ".json" else _tensors]])
            what = f"{path.relative_to(root)}, {harm.__name__[1:]}"
            path.write_bytes(harm(whole, rng))
            found.append(attempt(functools.partial(_ask, root, path.parent.name), what, (StorageError, InputError)))
            path.write_bytes(whole)
    return found


def _ask(root: Path, victim: str) -> None:
    """List a folder of checkpoints, then load and use the victim in every way; the first refusal comes last."""
    from vae_core import checkpoints, contents, data, latent, measures
    from vae_core.storage import StorageError

    slugs, broken = checkpoints.survey(root)
    if missing := {path.name for path in root.glob("digits-*")} - {victim} - set(slugs):
        raise AssertionError(f"{missing} went down with another")
    refused: list[StorageError] = []

    def read(call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except StorageError as error:
            if "\n" in str(error) or not str(error).endswith((".", ")")):
                raise AssertionError(f"no sentence: {error}") from error
            refused.append(error)

    x = data.load("digits", "test")
    if victim in (*slugs, *broken):
        loaded, codes = read(checkpoints.load, victim, root), read(checkpoints.load_codes, victim, root)
        read(contents.read_weights, root / victim)
        read(contents.read_codes, root / victim)
        if loaded and codes:
            model, y = loaded[0], x.labels[:3] if loaded[0].conditional else None
            latent.decode(model, latent.embed(model, x.images[:3], y).mean, y)
            latent.decode(model, codes["test_mean"][:3], codes["test_label"][:3] if model.conditional else None)
            latent.fit_gaussian(codes["train_mean"])
        if (root / victim / "exact.safetensors").is_file():
            read(checkpoints.load_exact, victim, root)
    elif victim == "judge":
        if judge := read(checkpoints.load_judge, root):
            judge.is_digit(x.images[:3])
    else:
        read(checkpoints.load_baselines, root)
        read(measures.load_ridges, root)
    if refused:
        raise refused[0]


def _cut(whole: bytes, rng: random.Random) -> bytes:
    return whole[: rng.choice([0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1, rng.randrange(len(whole))])]


def _flip(whole: bytes, rng: random.Random) -> bytes:
    content = bytearray(whole)
    for _ in range(rng.choice([1, 1, 3, 30])):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def _foreign(whole: bytes, rng: random.Random) -> bytes:
    return rng.choice([rng.randbytes(500), b"[" * 100_000, b'{"a":' * 100_000, b"null", b"[]", b"{}", whole + whole])


def _json(whole: bytes, rng: random.Random) -> bytes:
    """One value anywhere replaced, renamed or left out; now and then a number that no float can hold."""
    value = json.loads(whole)
    _spoil(value, rng)
    text = json.dumps(value)
    return (re.sub(r"\d+\.\d+", "1e999", text, count=1) if rng.random() < 0.05 else text).encode()


def _spoil(value: Any, rng: random.Random) -> None:
    while True:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys)
        if isinstance(value[key], dict | list) and value[key] and rng.random() < 0.7:
            value = value[key]
            continue
        how = rng.random()
        if how < 0.7:
            value[key] = rng.choice(HOSTILE)
        elif how < 0.85 or isinstance(value, list):
            del value[key]
        else:
            value[f"{key}x"] = value.pop(key)
        return


def _tensors(whole: bytes, rng: random.Random) -> bytes:
    """A header with one value replaced, a header's length that lies, or tensors full of NaN."""
    n = int.from_bytes(whole[:8], "little")
    how = rng.random()
    if how < 0.15:
        return rng.choice([2**63, 2**64 - 1, n + 1, n - 1, len(whole), 10**8]).to_bytes(8, "little") + whole[8:]
    if how < 0.3:
        data = bytearray(whole)
        at = rng.randrange(8 + n, len(whole) - 4)
        data[at : at + 4] = rng.choice([b"\x00\x7e\x00\x7e", b"\x00\x7c\x00\xfc", b"\xff\xff\xff\xff"])
        return bytes(data)
    header = json.loads(whole[8 : 8 + n])
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry = header[name]
    if how < 0.5:
        entry["shape"] = rng.choice([[], [0], [10**9, 10**9], [-1], [2.5], None, "2", [*entry["shape"], 1], [0, 2**62]])
    elif how < 0.65:
        entry["dtype"] = rng.choice(["F64", "BF16", "F8_E4M3", "BOOL", "I8", "Q4", None, 3])
    elif how < 0.75:
        entry["data_offsets"] = rng.choice([[0, 0], [0, 2**63], [5, 1], [-1, 4], None, [0]])
    else:
        _spoil(header, rng)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + n :]


def pictures(tries: int, seed: int) -> list[Try]:
    """Files to `digitize`: thin, vast and busy pictures, headers that lie, and mutations of honest ones."""
    from benchmarks.hostile_pictures import honest, pictures
    from vae_core.digitize import DigitizeError, digitize

    digitize(honest()["PNG"])  # what it imports is no picture's fault
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, hard))  # a machine that others use outlives the attack
    found = [attempt(lambda file=file: digitize(file), what, (DigitizeError,)) for what, file in pictures(tries, seed)]
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return found


def messages(tries: int, seed: int) -> list[Try]:
    """Each view hears so many forged messages, and a true one between them: it must go on answering."""
    from benchmarks.hostile_messages import VIEWS, Visit, forged

    ends, dice = [], random.Random(seed)
    for name, view in VIEWS.items():
        visit = Visit(view)
        true = view.says(visit.told())
        visit.say(true)  # what it loads first is no forged message's fault
        for i in range(tries):
            message, said = forged(true, dice) if i % 20 else (true, "a true message")

            def hear(visit: Visit = visit, message: Any = message) -> None:
                visit.say(message)
                visit.check()

            ends.append(attempt(hear, f"{name}: {said}", ()))
            if ends[-1].outcome != "well":
                visit = Visit(view)
    return ends


def links(tries: int, seed: int) -> list[Try]:
    """Every parameter of every page's link with so many hostile values: the page opens, with a title and controls."""
    from benchmarks.hostile_messages import View, Visit, links
    from ui.parts.links import PARTS

    def said(link: dict[str, str]) -> str:
        return "&".join(f"{name}={value[:12]!r}" for name, value in link.items())

    openings = list(links(seed, tries))
    for page, part in {(page, part if (part := link.get("part")) in PARTS else None) for page, link in openings}:
        Visit(View(page, {"part": part} if part else {}))  # what it loads first is no link's fault
    return [
        attempt(lambda page=page, link=link: Visit(View(page, link)), f"{page}?{said(link)}", ())
        for page, link in openings
    ]


# One row an attack: its name, what makes its tries, and how many by default.
ATTACKS: dict[str, tuple[Attack, int]] = {
    "checkpoints": (checkpoints, 1000),
    "pictures": (pictures, 10_000),
    "messages": (messages, 200),  # of each view
    "links": (links, 50),  # of each parameter
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)} (default: all)")
    parser.add_argument("--tries", type=int, help="inputs of each attack (default: what each states)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if unknown := set(args.names) - ATTACKS.keys():
        parser.error(f"there is no attack {', '.join(sorted(unknown))}; there are {', '.join(ATTACKS)}")
    sound = [
        report(name, attack(args.tries or usual, args.seed))
        for name, (attack, usual) in ATTACKS.items()
        if name in args.names or not args.names
    ]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
