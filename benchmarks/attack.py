"""What hostile input does to the explorer: every try must end well or in a sentence of ours.

    python -m benchmarks.attack [NAME …] [--tries N] [--seed S]

Each attack below makes its inputs by chance from the seed and gives each to the code that a visitor's or an owner's
file, link or message reaches. What comes back is counted by name; a foreign exception or a hang is a fault, and the
command then ends with 1.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SECONDS = 10.0  # a try that takes longer hangs


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

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
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
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken = memory() - held
    return Try(outcome, what, said, time.monotonic() - start, time.process_time() - begun, taken)


def memory(*, fresh: bool = False) -> float:
    """The most MB that this process has held; `fresh` forgets what was before, where the system can (Linux)."""
    if fresh:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    with contextlib.suppress(OSError):
        peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
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


def checkpoints(tries: int, seed: int) -> list[Try]:
    """Mutated cards, cut, foreign and flipped weights and codes."""
    return []


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


# One row an attack: its name, what makes its tries, and how many by default.
ATTACKS: dict[str, tuple[Attack, int]] = {
    "checkpoints": (checkpoints, 1000),
    "pictures": (pictures, 10_000),
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
