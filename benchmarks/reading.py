"""How many digits are still read right after a person's pen, paper and camera: the judge on what `digitize` returns.

    python -m benchmarks.reading [--digits 200] [--data mnist]

Test images are enlarged and drawn again: as they are, with a fine pen, broken, out of focus, photographed. "As they
came" is what the judge reads of the same images without any of it. decisions.md quotes the table.
"""

import argparse
import io
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from scipy import ndimage as ndi
from skimage.morphology import skeletonize

from vae_core import checkpoints, data
from vae_core.digitize import DigitizeError, digitize

SIDE = 280  # pixels of the enlarged test image
PAPER, PEN = np.array((226, 222, 212), np.float32), np.array((40, 42, 60), np.float32)


def enlarged(image: np.ndarray) -> np.ndarray:
    """(28, 28) -> ink as coverage (280, 280), its outline smooth."""
    big = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.clip((ndi.gaussian_filter(np.asarray(big), 2) - 0.4) * 8, 0, 1)


def drawn(ink: np.ndarray, width: float) -> np.ndarray:
    """The same digit with a pen of `width` pixels along its middle line."""
    return np.clip(width / 2 + 0.5 - ndi.distance_transform_edt(~skeletonize(ink > 0.5)), 0, 1)


def on_paper(ink: np.ndarray, paper=PAPER, pen=PEN) -> np.ndarray:
    return paper * (1 - ink[..., None]) + pen * ink[..., None]


def encoded(picture: np.ndarray, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, form, **options)
    return buffer.getvalue()


def photographed(ink: np.ndarray, random: np.random.Generator, blur: float = 0.8) -> bytes:
    """On a larger sheet, light from one side, a soft shadow, noise, JPEG."""
    page = np.pad(ink, ((60, 60), (100, 100)))
    rows, columns = np.mgrid[: page.shape[0], : page.shape[1]] / max(page.shape)
    edge = rows + random.uniform(-0.6, 0.6) * columns - random.uniform(0.2, 0.7)
    light = (1 - 0.35 * columns) * (1 - 0.35 / (1 + np.exp(-edge * random.uniform(10, 60))))
    picture = ndi.gaussian_filter(on_paper(page), (blur, blur, 0)) * light[..., None]
    return encoded(picture + random.normal(0, 6, picture.shape), "JPEG", quality=80)


def broken(ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A fine pen that skips: three short gaps anywhere on the digit."""
    ink = drawn(ink, 5)
    on = np.argwhere(ink > 0.5)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for row, column in on[random.integers(len(on), size=3)]:
        ink = np.where(np.hypot(rows - row, columns - column) < 11, 0, ink)
    return ink


def faded(ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The ink grows pale in one direction, to a third."""
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return ink * np.clip(0.66 + 0.6 * (np.cos(angle) * rows + np.sin(angle) * columns), 0.33, 1)


def half_transparent(ink: np.ndarray) -> bytes:
    red = np.broadcast_to(np.array((190, 20, 60), np.float32), (*ink.shape, 3))
    rgba = np.concatenate([red, 100 * ink[..., None]], 2)
    return encoded(rgba)


WAYS: dict[str, Callable[[np.ndarray, np.random.Generator], bytes]] = {
    "enlarged, dark on white": lambda ink, random: encoded(255 - 255 * ink),
    "fine pen, 2 of 280 pixels": lambda ink, random: encoded(255 - 255 * drawn(ink, 2)),
    "pen, 8 of 280 pixels": lambda ink, random: encoded(on_paper(drawn(ink, 8))),
    "marker, 45 of 280 pixels": lambda ink, random: encoded(on_paper(drawn(ink, 45))),
    "a pen that skips": lambda ink, random: encoded(255 - 255 * broken(ink, random)),
    "pale on one side": lambda ink, random: encoded(on_paper(faded(ink, random))),
    "pale on one side, out of focus": lambda ink, random: photographed(faded(ink, random), random, blur=7),
    "photo": lambda ink, random: photographed(ink, random),
    "photo, fine pen": lambda ink, random: photographed(0.9 * drawn(ink, 5), random),
    "half-transparent": lambda ink, random: half_transparent(ink),
}


def measure(source: str, count: int) -> Iterator[tuple[str, float, int]]:
    """For every way the share of digits that the judge reads right and how many were refused."""
    images, labels = data.load(source, "test")
    order = np.random.default_rng(0).permutation(len(images))[:count]
    inks = images[order].numpy().reshape(-1, 28, 28)
    judge, labels = checkpoints.load_judge(), labels[order]
    yield "as they came", (judge.label(images[order]) == labels).float().mean().item(), 0
    for name, way in WAYS.items():
        pixels, refused = [], 0
        for index, image in enumerate(inks):
            try:
                pixels.append(digitize(way(enlarged(image), np.random.default_rng(index))).pixels)
            except DigitizeError:
                pixels.append(np.zeros((28, 28), np.float32))
                refused += 1
        blank = torch.tensor([not p.any() for p in pixels])
        right = (judge.label(torch.tensor(np.stack(pixels)).reshape(-1, 784)) == labels) & ~blank
        yield name, right.float().mean().item(), refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist", choices=("mnist", "digits"))
    parser.add_argument("--digits", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':34}{'read right':>12}{'refused':>10}   ({args.digits} test digits of {args.data})")
    for name, share, refused in measure(args.data, args.digits):
        print(f"{name:34}{100 * share:11.1f}%{refused:10d}", flush=True)


if __name__ == "__main__":
    main()
