"""How evenly and how far the models walk between two digits: medians over pairs of test digits, and who wins how often.

    python -m benchmarks.ways [--data mnist] [--dim 2] [--pairs 5000] [--steps 9] [--spherical]

The page Interpolate quotes it ("What to look for"), and opens with a pair that lies near these medians.
"""

import argparse

import torch

from ui.live.cast import standing
from ui.shell.family import FAMILY, slug
from ui.views.interpolate.ways import Walker, Ways, steps
from vae_core import checkpoints, data

ROWS = ("pixels", "ae", "dae", "vae", "cvae")  # what `Ways` shows first; of the CVAE its style
NAMES = ("longest step, px", "longest / mean", "detour", "digits between")


def measure(source: str, dim: int, pairs: int, n: int, *, spherical: bool, seed: int = 0) -> dict[str, torch.Tensor]:
    """For every row the four numbers of every pair of different test digits, (pairs, 4).

    The last is the share of digits among the pictures strictly between the ends.
    """
    images, labels = data.load(source, "test")
    models = [(standing(slug(kind, dim)), checkpoints.load(slug(kind, dim))[0]) for kind in FAMILY]
    judge = checkpoints.load_judge()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(images), (4 * pairs, 2), generator=generator)
    drawn = drawn[labels[drawn[:, 0]] != labels[drawn[:, 1]]][:pairs]
    found: dict[str, list[torch.Tensor]] = {row: [] for row in ROWS}
    for pair in drawn:
        told = tuple(labels[pair].tolist())
        walkers = [Walker(one, model, told if one.conditional else None) for one, model in models]
        ways = Ways(walkers, images[pair], spherical=spherical)
        for row, strip in zip(ROWS, ways(torch.linspace(0, 1, n)), strict=False):
            pictures = torch.tensor(strip.pictures)
            between = judge.is_digit(pictures[1:-1]).float().mean()  # the ends were put there, not found
            found[row].append(torch.stack([*steps(pictures), between]))
    return {row: torch.stack(values) for row, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist", choices=("mnist", "digits"))
    parser.add_argument("--dim", type=int, default=2, choices=(2, 20))
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=9, help="pictures on a way")
    parser.add_argument("--spherical", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(args.data, args.dim, args.pairs, args.steps, spherical=args.spherical)
    print(f"{'':8}" + "".join(f"{name:>18}" for name in NAMES) + "   (medians; digits: mean)")
    for row, values in found.items():
        middle = [*values[:, :3].nanmedian(0).values.tolist(), values[:, 3].mean().item()]
        print(f"{row:8}" + "".join(f"{v:18.3f}" for v in middle))
    for left, right in (("vae", "ae"), ("vae", "dae"), ("dae", "ae")):
        shares = [(found[left][:, i] < found[right][:, i]).float().mean().item() for i in range(3)]
        print(f"{left} < {right}".ljust(8) + "".join(f"{v:18.2f}" for v in shares) + "   (share of pairs)")


if __name__ == "__main__":
    main()
