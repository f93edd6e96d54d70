"""Kinds of pictures that were once misread, each drawn in dozens of variants; `cases/` holds what people saw."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage as ndi

from tests.core.test_digitize import CLEAN, GLYPHS, PAPER, coloured, encoded, ink, likeness
from vae_core.digitize import DigitizeError, digitize

CASES = Path(__file__).resolve().parents[1] / "cases"


def strokes(lines, size: int, height: float, pen: float) -> np.ndarray:
    """Strokes in a box of 1 × 1 as coverage (size, size)."""
    picture = Image.new("L", (2 * size, 2 * size))
    draw = ImageDraw.Draw(picture)
    for line in lines:
        points = [tuple(size + 2 * height * (value - 0.5) for value in point) for point in line]
        draw.line(points, fill=255, width=max(1, round(2 * pen)), joint="curve")
        for x, y in points:
            draw.ellipse((x - pen, y - pen, x + pen, y + pen), fill=255)
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX), np.float32) / 255


def arc(x: float, y: float, width: float, height: float, start: float, stop: float) -> list[tuple[float, float]]:
    """Points of an ellipse, from `start` to `stop` in degrees, clockwise from three o'clock."""
    angles = np.deg2rad(np.linspace(start, stop, 40))
    return [(x + width / 2 * np.cos(a), y + height / 2 * np.sin(a)) for a in angles]


def holes(pixels: np.ndarray, level: float = 0.5) -> int:
    """How many loops are closed, from the pieces of paper: 4-connected, those of ink are 8-connected."""
    return ndi.label(np.pad(pixels < level, 1, constant_values=True))[1] - 1


def parts(pixels: np.ndarray, level: float = 0.5) -> int:
    return ndi.label(pixels >= level, np.ones((3, 3)))[1]


def looks_like(pixels: np.ndarray) -> int:
    return max(CLEAN, key=lambda digit: likeness(pixels, CLEAN[digit]))


def on_white(alpha: np.ndarray) -> bytes:
    return encoded(255 - 255 * alpha)


# Loops and mouths

LOOPS = {  # how wide the loop is, as a share of the digit -> strokes, and how many loops they have
    "closed 4": lambda share: ([[(0.7, 1), (0.7, 0), (0.25, share), (0.7, share)]], 1),
    "9": lambda share: ([arc(0.5, share / 2, share, share, 0, 360), [(0.5 + share / 2, share / 2), (0.55, 1)]], 1),
    "6": lambda share: ([arc(0.5, 1 - share / 2, share, share, 0, 360), [(0.5 - share / 2, 0.9), (0.6, 0)]], 1),
    "8": lambda share: (
        [arc(0.5, share / 2, share, share, 0, 360), arc(0.5, (1 + share) / 2, 0.5, 1 - share, 0, 360)],
        2,
    ),
    "thin 0": lambda share: ([arc(0.5, 0.5, share, 1, 0, 360)], 1),
}
MOUTHS = {  # how wide the mouth is -> strokes; a digit without a loop
    "3": lambda gap: [
        [(0.32, 0.25 + 0.2), *arc(0.5, 0.25, 0.36, 0.5, 180, 450)[:-6], (0.38 + gap, 0.5)],
        [(0.5, 0.5), *arc(0.5, 0.75, 0.5, 0.5, -90, 180), (0.25, 0.75), (0.25 + gap, 0.62)],
    ],
    "2": lambda gap: [[*arc(0.5, 0.25, 0.5, 0.5, 180, 360), (0.75, 0.4), (0.25, 1 - gap), (0.25, 1), (0.8, 1)]],
    "5": lambda gap: [[(0.7, 0), (0.3, 0), (0.3, 0.4), *arc(0.5, 0.7, 0.5, 0.6, 220, 500), (0.28, 0.5 + gap)]],
    "6, open": lambda gap: [
        [(0.6, 0), (0.25, 0.6), *arc(0.5, 0.75, 0.5, 0.5, 180, 0), *arc(0.5, 0.75, 0.5, 0.5, 0, -140 + 300 * gap)]
    ],
}


@pytest.mark.parametrize("name", LOOPS)
def test_narrow_loops_stay_open(name):
    """Otherwise a fine pen's 4, 9 and 8 are thickened until they are a 1, a 7 and a blob."""
    for share in (0.14, 0.2, 0.3):
        for size, pen in ((160, 1), (300, 1.5), (300, 5), (640, 2), (640, 8)):
            lines, loops = LOOPS[name](share)
            found = digitize(on_white(strokes(lines, size, 0.7 * size, pen)))
            assert holes(found.pixels) == loops, (name, share, size, pen)


@pytest.mark.parametrize("name", MOUTHS)
def test_narrow_mouths_stay_open(name):
    """Otherwise the hooks of a 3 grow on to its back, and it is an 8."""
    for gap in (0.1, 0.14, 0.2):
        for size, pen in ((160, 1), (300, 1.5), (300, 5), (640, 2)):
            found = digitize(on_white(strokes(MOUTHS[name](gap), size, 0.7 * size, pen)))
            assert holes(found.pixels) == 0, (name, gap, size, pen)


# Strokes that are broken or pale


def broken(alpha: np.ndarray, seed: int, gaps: int, width: float) -> np.ndarray:
    """The pen skips: circular gaps somewhere on the strokes."""
    on = np.argwhere(alpha > 0.5)
    rows, columns = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    for row, column in on[np.random.default_rng(seed).integers(len(on), size=gaps)]:
        alpha = np.where(np.hypot(rows - row, columns - column) < width / 2, 0, alpha)
    return alpha


@pytest.mark.parametrize("digit", GLYPHS)
def test_a_broken_stroke_keeps_its_parts(digit):
    """Otherwise one fragment is taken for the digit, and a 7 that lost a piece of its bar is a 4."""
    for seed in range(6):
        alpha = broken(ink(digit, (300, 300), 200, 5), seed, 1 + seed % 3, (14, 22, 30)[seed // 2])
        found = digitize(on_white(alpha))
        assert likeness(found.pixels, CLEAN[digit]) > 0.8, (digit, seed)


@pytest.mark.parametrize("digit", [2, 3, 5, 6, 9])
def test_the_pale_part_of_a_stroke_is_ink(digit):
    """Otherwise the half of a 9 that the pen wrote weakly is dropped without a word, or the picture is "blank"."""
    rows, columns = np.mgrid[-1:1:300j, -1:1:300j]
    for turn in range(4):
        slope = np.cos(turn * np.pi / 2) * rows + np.sin(turn * np.pi / 2) * columns
        for blur, lowest in ((0, 0.35), (3, 0.4), (8, 0.5)):
            alpha = ink(digit, (300, 300), 200, 16) * np.clip(0.65 + 0.8 * slope, lowest, 1)
            picture = ndi.gaussian_filter(coloured(alpha, PAPER, (50, 60, 150)), (blur, blur, 0))
            noise = np.random.default_rng(turn).normal(0, 1.5, picture.shape)
            found = digitize(encoded(picture + noise))
            assert likeness(found.pixels, CLEAN[digit]) > 0.85, (digit, turn, blur)


def test_what_is_left_out_is_said():
    """Otherwise a part that the rules drop is missing and nobody knows why the digit is another one."""
    alpha = ink(2, (400, 400), 200, 12)
    alpha[280:330, 330:334] = 1  # a small stroke, too far off to belong to it
    assert digitize(on_white(alpha)).notes == ("A smaller mark beside the digit was left out.",)
    alpha = ink(2, (400, 400), 200, 12)
    alpha[150:300, 320:332] = 0.2
    assert digitize(on_white(alpha)).notes == ("Paler marks beside the digit were left out.",)


# Figures


def figure(digit: int, seed: int, kind: str) -> np.ndarray:
    """What a plotting library saves: white, a field of 28 × 28 blocks, a frame or two axes, ticks, numbers, a title."""
    random = np.random.default_rng(seed)
    height, width = (240, 320) if seed % 2 else (480, 640)
    side = int(0.75 * height)
    top, left = int(0.12 * height), (width - side) // 2
    blocks = np.asarray(Image.fromarray((255 * CLEAN[digit]).astype(np.uint8)).resize((side, side), 0)) / 255
    colours = {
        "dark on white": (np.float32((255, 255, 255)), np.float32((0, 0, 0))),
        "pale on white": (np.float32((255, 255, 255)), np.float32((150, 150, 150))),
        "light on black": (np.float32((0, 0, 0)), np.float32((255, 255, 255))),
        "colours": (np.float32((68, 1, 84)), np.float32((253, 231, 37))),
        "two axes": (np.float32((255, 255, 255)), np.float32((20, 60, 160))),
    }
    page = np.full((height, width, 3), 255, np.float32)
    page[top : top + side, left : left + side] = coloured(blocks.astype(np.float32), *colours[kind])
    picture = Image.fromarray(page.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    right, bottom = left + side, top + side
    draw.line([(left, top), (left, bottom), (right, bottom)], fill=0)
    if kind != "two axes":
        draw.line([(left, top), (right, top), (right, bottom)], fill=0)
    for k in range(6):
        at = round(k * side / 6 + 4)
        draw.line([(left + at, bottom), (left + at, bottom + 4)], fill=0)
        draw.line([(left - 4, top + at), (left, top + at)], fill=0)
        draw.text((left + at - 4, bottom + 6), str(5 * k), fill=0)
        draw.text((left - 22, top + at - 5), str(5 * k), fill=0)
    draw.text((left + side // 3, top - 16), f"label {random.integers(10)}", fill=0)
    return np.asarray(picture)


@pytest.mark.parametrize("kind", ["dark on white", "pale on white", "light on black", "colours", "two axes"])
def test_of_a_figure_the_field_is_read(kind):
    """Otherwise the frame is the digit, a 0, or what a class saved from its notebook "looks blank"."""
    for digit in (1, 2, 5, 7, 9):
        for form in ("PNG", "JPEG"):
            found = digitize(encoded(figure(digit, digit, kind), form))
            assert looks_like(found.pixels) == digit, (digit, form)
            assert "A frame was left out: took what is inside it." in found.notes


def test_a_digit_is_no_frame():
    """Otherwise an angular 0 or 8 is taken for a frame, and the paper inside it for the digit."""
    for thick in (2, 6, 30):
        for rows in ((60, 240), (60, 150, 240)):
            picture = Image.new("L", (300, 300), 255)
            draw = ImageDraw.Draw(picture)
            for row in rows:
                draw.line([(90, row), (210, row)], fill=0, width=thick)
            draw.line([(90, 60), (90, 240)], fill=0, width=thick)
            draw.line([(210, 60), (210, 240)], fill=0, width=thick)
            found = digitize(encoded(picture))
            assert holes(found.pixels) == len(rows) - 1, (thick, rows)
            assert not found.notes


# Ink and paper of other kinds


@pytest.mark.parametrize("colour", [(190, 20, 60), (255, 230, 0), (0, 0, 0), (255, 255, 255), (120, 130, 125)])
def test_half_transparent_ink_is_ink(colour):
    """Otherwise a highlighter's digit is "fully transparent", which is not true."""
    for opacity in (40, 70, 100, 127, 200):
        alpha = ink(5, (300, 260), 180, 14)
        rgba = np.concatenate([np.broadcast_to(np.float32(colour), (*alpha.shape, 3)), opacity * alpha[..., None]], 2)
        assert looks_like(digitize(encoded(rgba)).pixels) == 5, opacity
        rgba[..., 3] = 90 + (opacity + 20) * 0.7 * alpha  # on a sheet of the same colour that can be seen through, too
        assert looks_like(digitize(encoded(rgba)).pixels) == 5, opacity


@pytest.mark.parametrize("light", [False, True])
def test_a_hot_pixel_is_neither_paper_nor_ink(light):
    """Otherwise one broken sensor cell stretches a 16-bit scan until its digit is as pale as its paper."""
    for seed in range(8):
        random = np.random.default_rng(seed)
        alpha = ink(7, (150, 130), 90, (1, 2, 5, 9)[seed % 4])
        scan = 1500 + 900 * alpha if light else 2400 - 900 * alpha
        scan = scan + random.normal(0, 8, scan.shape)
        for _ in range(1 + seed):
            scan[random.integers(150) % scan.shape[0], random.integers(130)] = 65_535 if random.random() < 0.5 else 0
        found = digitize(encoded(Image.fromarray(scan.astype(np.uint16))))
        assert looks_like(found.pixels) == 7, seed


def test_only_what_is_blank_is_called_blank():
    """Otherwise somebody who wrote weakly, small or large is told that the picture is empty."""
    for paper in ((255, 255, 255), (20, 24, 30), (226, 222, 212)):
        with pytest.raises(DigitizeError, match="blank"):
            digitize(encoded(np.broadcast_to(np.float32(paper), (200, 260, 3))))
        for strength in (0.12, 0.3, 1):
            for height, pen in ((30, 3), (150, 2), (150, 24), (120, 40)):
                pen_colour = (0, 0, 0) if paper[0] > 100 else (255, 255, 255)
                alpha = strength * ink(2, (260, 200), height, pen)
                assert digitize(encoded(coloured(alpha, paper, pen_colour))).pixels.any(), (paper, strength, height)


# What people saw


@pytest.mark.parametrize("path", sorted(CASES.glob("*.png")), ids=lambda path: path.stem)
def test_the_pictures_that_were_misread(path):
    """Otherwise one is misread again. Fine loops are counted: no classifier of MNIST has seen such ones."""
    import torch

    from vae_core import checkpoints

    pixels = digitize(path).pixels
    wanted = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine").index(
        path.stem.split("_")[0]
    )
    if path.stem in ("four_closed_thin", "nine_small_loop"):
        assert holes(pixels) == 1
    elif path.stem == "three_hooks_thin":
        assert holes(pixels) == 0
    elif wanted == 1:  # MNIST hardly has a 1 with such a flag: it looks like one, even if the judge says 7
        assert parts(pixels) == 1 and holes(pixels) == 0
    else:
        assert int(checkpoints.load_judge().label(torch.tensor(pixels.reshape(1, 784)))) == wanted
