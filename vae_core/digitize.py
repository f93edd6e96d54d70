"""Any picture that a person brings becomes one 28×28 digit in MNIST geometry; every step can be shown.

The networks have seen nothing but MNIST: light ink on black, the longer side of the digit 20 pixels, strokes
about three pixels wide, the centre of mass in the middle. A photo of a note has none of this, so `digitize`
repeats what LeCun, Cortes and Burges did to the scanned NIST forms (http://yann.lecun.com/exdb/mnist) and,
before it, what their scanner had no need to do: take away the light, the paper and its printed lines.
"""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = 28  # pixels, an MNIST picture
BOX = 20  # pixels, the longer side of an MNIST digit
CENTRE = 14  # the pixel that MNIST's centres of mass lie in, measured: 14.0 ± 0.5 in every image
MAX_BYTES = 20_000_000  # of a file
MAX_PIXELS = 50_000_000  # of a JPEG, which shrinks while it is decoded; the largest common phone photo has 48 million
MAX_WHOLE = 16_000_000  # pixels of what must be decoded whole: WebP takes 16 bytes for each
MAX_PLAIN = 1_000_000  # pixels of a PPM, whose text Pillow reads in Python, number by number
MAX_READS = 100_000  # of a file; an honest one takes a few thousand
MAX_SCANS = 100  # of a JPEG: each goes over the whole picture, progressive ones have ten
WORK_PIXELS = 600_000  # what is computed on: a 0.5 mm pen on a photo of an A4 page is still 1.4 pixels wide
WORK_SIDE = 6000  # and its longer side: some of the work grows with that alone
MIN_SIDE = 5  # pixels; the smallest digits that people use (scikit-learn's) have 8
FINE = 8  # sub-pixels: strokes are measured and drawn again on a box of 20 × 8 of them
# Stroke width in pixels of the 20-pixel box, as ink area by length of its skeleton. Of MNIST's last 5,000 training
# images half have 2.4 … 3.5, 90 % have 1.9 … 4.8. What lies outside the range is brought to its nearer end.
STROKE = (2.6, 3.4)
PALE = 0.3  # of the ink's strength: what is paler is halo, even where there is no shadow
GAP = (
    10  # sub-pixels, half of the gap that stays open where strokes grow towards each other; MNIST is read best with it
)
MAX_PARTS = 25  # of one digit; a hatched or dotted stroke has many, noise has more
SHARP = 8  # digits have 10 … 28, even very blurred ones; the edge of a shadow mostly 1 … 7
STEP_SIDE = 400  # pixels, the longer side of a step's picture
# Pillow also opens formats that run other programs (EPS), whose header need not say how large the picture in them is
# (ICO, and AVIF: 1,196 bytes that say 200×200 take 1.4 GB) or that nobody draws digits in; each is only risk.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
ANIMATED = ("PNG", "GIF", "WEBP", "TIFF")

_TOUCHING = np.ones((3, 3), bool)  # pixels that touch at a corner belong together
_BLANK = "No digit was found, the picture looks blank: write one large digit with a dark pen on light paper."
_UNCLEAR = "No stroke stands out, the picture may be blank: write one large digit with a dark pen on light paper."
_DAMAGED = "The picture is cut off, damaged or stored in an unusual way: save it again as PNG or JPEG and retry."
# One picture at a time in the whole process: what one may take is bounded, what a class brings at once would not be.
# The lock is here and not at the callers, so that no page can forget it.
_ONE_AT_A_TIME = threading.Lock()


class DigitizeError(ValueError):
    """No digit can be had from this picture; the message is one sentence for the person who brought it."""


class Step(NamedTuple):
    """One stage on the way, for display: `image` is uint8, (H, W) or (H, W, 3), longer side at most 400."""

    name: str
    caption: str
    image: np.ndarray


class Digit(NamedTuple):
    """`pixels` (28, 28) float32 in [0, 1], light on dark; `notes` are sentences about what was decided."""

    pixels: np.ndarray
    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def digitize(source: bytes | Path | Image.Image) -> Digit:
    """The one digit in a picture: an encoded file's bytes, the path to one, or a Pillow image of any mode.

    Raises DigitizeError where there is no picture, it is too large, too small or damaged, or nothing is on
    it. Takes at most 400 MB and 2 s of processor time, whatever the file; `benchmarks/attack.py` measures both.
    """
    with _ONE_AT_A_TIME:
        try:
            return _digit(*_open(source))
        except MemoryError as error:
            raise DigitizeError("There is not enough memory for this picture: bring a smaller one.") from error


def _digit(rgb: np.ndarray, notes: list[str]) -> Digit:
    """All that comes after opening."""
    steps = [Step("Picture", "Upright and opaque, at working size.", _display(rgb))]

    native = _native(rgb)
    if native is not None:
        notes.append("This is a digit in MNIST's form already: nothing was changed.")
        steps.append(Step("Digit", "28×28 pixels, as they came.", _display(native)))
        return Digit(native, tuple(steps), tuple(notes))

    inside = _within_frame(rgb)
    if inside is not None:
        rgb = inside
        notes.append("A frame was left out: took what is inside it.")
        steps.append(Step("Frame", "What is inside the frame.", _display(rgb)))
    contrast = _lift_ink(rgb)
    steps.append(Step("Ink", "Light and colour of the paper taken away; ink is white.", _display(contrast)))
    contrast, lines = _remove_rulings(contrast)
    if lines:
        steps.append(Step("Rulings", "Printed lines of the paper taken away.", _display(contrast)))
    even = not lines and _is_even(contrast)
    ink, bounds, left_out = _largest_mark(contrast, even)
    notes += left_out
    steps.append(Step("Mark", "The strokes that belong together, alone.", _display(ink)))
    strokes, width = _normalise_strokes(ink[bounds], even)
    wanted = float(np.clip(width, *STROKE))
    change = "kept" if abs(wanted - width) < 0.1 else "made thicker" if wanted > width else "made thinner"
    caption = f"Cropped; the stroke was {width:.1f} pixels wide for a digit of 20 and is {change}."
    steps.append(Step("Stroke", caption, _display(strokes)))
    pixels = place(strokes)
    steps.append(Step("Digit", "20 pixels long, centre of mass in the middle of 28×28.", _display(pixels)))
    return Digit(pixels, tuple(steps), tuple(notes))


def place(ink: np.ndarray) -> np.ndarray:
    """MNIST's geometry: ink (H, W) in [0, 1], light on dark, any size -> (28, 28) float32 in [0, 1].

    What is not zero is cropped, scaled until its longer side is 20 pixels, and moved by whole pixels until
    its centre of mass lies in pixel (14, 14). Brightness is not stretched. Raises DigitizeError where there
    is no ink.
    """
    ink = np.clip(np.nan_to_num(np.asarray(ink, np.float32)), 0, 1)
    if ink.ndim != 2 or not ink.any():
        raise DigitizeError("Expected a picture with some ink on it, got an empty one: draw a digit first.")
    ink = ink[_bounds(ink > 0)]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    if (height, width) != ink.shape:
        # Downwards by area, which is what anti-aliasing is; upwards smoothly.
        method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        ink = np.clip(np.asarray(Image.fromarray(ink).resize((width, height), method)), 0, 1)
    # A symmetrical digit is off by exactly half a pixel: to four decimals, where the last bit of a sum decides nothing.
    row, column = (round(CENTRE - middle, 4) for middle in _centre_of_mass(ink))
    top = int(np.clip(round(row), 0, SIDE - height))
    left = int(np.clip(round(column), 0, SIDE - width))
    pixels = np.zeros((SIDE, SIDE), np.float32)
    pixels[top : top + height, left : left + width] = ink
    return pixels


# Opening


def _open(source: bytes | Path | Image.Image) -> tuple[np.ndarray, list[str]]:
    """Upright RGB at working size, (H, W, 3) uint8, and notes. The one place that meets foreign bytes."""
    if isinstance(source, Image.Image):
        return _decode(source, MAX_PIXELS), []
    if isinstance(source, Path):
        path = source
        try:
            with path.open("rb") as file:
                source = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DigitizeError(f"The file {path.name} cannot be read: {error.strerror}.") from error
    if not source:
        raise DigitizeError("The file is empty: choose a picture.")
    if len(source) > MAX_BYTES:
        raise DigitizeError(f"The file is too large: at most {MAX_BYTES // 10**6} MB can be read.")
    # Pillow's readers meet hostile bytes with whatever exception comes first (OSError, SyntaxError, IndexError,
    # struct.error, zlib.error, …), so the net is wide; it hangs under Pillow alone.
    try:
        Image.init()  # some builds of Pillow lack WebP, and a format that is not there is an error of its own
        image = Image.open(_Patience(source), formats=[name for name in FORMATS if name in Image.OPEN])
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(MAX_PIXELS) from error
    except Exception as error:
        if source[4:8] == b"ftyp":
            raise DigitizeError("This looks like HEIC, AVIF or a film: save it as JPEG and retry.") from error
        raise DigitizeError("This file is damaged or not a picture. Try a PNG or JPEG.") from error
    with image:
        rgb = _decode(image, _most_pixels(image, source), shrink_on_load=True)
        try:
            several = image.format in ANIMATED and getattr(image, "is_animated", False)
        except Exception:  # the first frame is whole, what follows is not: no reason to refuse it
            several = True
    return rgb, ["Several frames: took the first."] if several else []


class _Patience(io.BytesIO):
    """A file that ends a reader who goes through it in too many steps.

    Pillow walks chunks, blocks and directories in Python; a few megabytes of empty ones keep it busy for a minute.
    """

    left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError("too many reads")
        return super().read(size)


def _most_pixels(image: Image.Image, source: bytes) -> int:
    """How many pixels an opened file may have, by what decoding takes. Raises DigitizeError where it takes any time."""
    if image.format == "TIFF":  # a tile may be larger than the picture, and is decoded whole
        tags = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]: only a TIFF has them
        tile = [tags.get(tag, 1) for tag in (322, 323)]
        if not all(isinstance(side, int) for side in tile) or tile[0] * tile[1] > MAX_WHOLE:
            raise DigitizeError(_DAMAGED)
    if image.format == "PPM":
        return MAX_PLAIN
    if image.format not in ("JPEG", "MPO"):
        return MAX_WHOLE
    scans = source.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise DigitizeError(_DAMAGED)
    # Several scans, thumbnails apart, mean that the whole picture's coefficients are kept.
    return MAX_WHOLE if image.mode == "CMYK" or image.info.get("progressive") or scans > 3 else MAX_PIXELS


def _too_large(limit: int) -> DigitizeError:
    return DigitizeError(f"The picture is too large: at most {limit // 10**6} million pixels can be read of its kind.")


def _decode(image: Image.Image, most: int, shrink_on_load: bool = False) -> np.ndarray:
    """A Pillow image of any mode, decoded or not -> (H, W, 3) uint8, small, upright, opaque.

    `shrink_on_load` lets a JPEG decode at 1/2, 1/4 or 1/8 at once, which changes `image`: not for somebody else's.
    """
    width, height = image.size  # all is refused before anything is decoded
    if width * height > most:
        raise _too_large(most)
    if min(image.size) < MIN_SIDE:
        raise DigitizeError(
            f"The picture is too small ({width}×{height}): bring at least {MIN_SIDE}×{MIN_SIDE} pixels."
        )
    shrink = max(1.0, (width * height / WORK_PIXELS) ** 0.5, max(image.size) / WORK_SIDE)
    if min(image.size) / shrink < MIN_SIDE:
        raise DigitizeError(f"The picture is too narrow ({width}×{height}): crop it to the digit and retry.")
    size = round(width / shrink), round(height / shrink)
    try:
        if shrink_on_load:
            image.draft("RGB", size)
        image.load()
        if image.width * image.height > width * height:  # more came out than the header had said
            raise _too_large(most)
        turn = _upright(image)
        deep = image.mode.startswith("I") or image.mode == "F"
        if deep:
            image = Image.fromarray(np.asarray(image, np.float32))
        else:
            mode = "RGBA" if image.has_transparency_data else "L" if image.mode == "L" else "RGB"
            image = image if image.mode == mode else image.convert(mode)
        if shrink > 1 and image.size != size:
            image = image.resize(size, Image.Resampling.BOX, reducing_gap=1.5)
        image = _eight_bits(image) if deep else image
    except (MemoryError, DigitizeError):
        raise
    except Exception as error:  # see _open
        raise DigitizeError(_DAMAGED) from error
    image = image if turn is None else image.transpose(turn)
    return np.asarray(_on_paper(image) if image.mode == "RGBA" else image.convert("RGB"))


def _upright(image: Image.Image) -> Image.Transpose | None:
    """What the camera's tag asks for; a tag that makes no sense asks for nothing."""
    try:
        return _UPRIGHT.get(image.getexif().get(0x0112, 0))
    except Exception:  # see _open
        return None


# EXIF orientation -> what makes such a picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _eight_bits(image: Image.Image) -> Image.Image:
    """16 and 32 bits stretched to 8: how many of them a file uses (10, 12, all) is not written in it.

    A scanner's hot and dead pixels stand alone or in pairs; the third brightest and darkest of nine know nothing of
    them, and a hair line has at least three in each nine.
    """
    from scipy import ndimage as ndi

    values = np.asarray(image, np.float32)
    values = np.clip(np.where(np.isfinite(values), values, 0), -1e30, 1e30)
    low = float(ndi.rank_filter(values, 2, 3, mode="nearest").min())
    high = float(ndi.rank_filter(values, -3, 3, mode="nearest").max())
    return Image.fromarray((np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8))


def _on_paper(image: Image.Image) -> Image.Image:
    """Transparent RGBA laid on a paper that its ink can be seen on."""
    pixels = np.asarray(image)
    visible = pixels[..., 3] > 25  # a highlighter has 60 … 120
    if not visible.any():
        raise DigitizeError("The picture is fully transparent: nothing is drawn on it.")
    colour = np.median(pixels[visible][:, :3], axis=0)
    contrary = np.full(3, 255 if colour.mean() < 128 else 0)
    # Where most of the picture is there, it has a paper of its own. Else what is there is the ink, and paper is what it
    # stands out from. So it is where ink and paper have one colour and differ in nothing but their opacity.
    papers = (colour, contrary) if visible.mean() >= 0.5 else (contrary,)
    for paper in papers:
        whole = Image.new("RGBA", image.size, (*(int(value) for value in paper), 255))
        laid = Image.alpha_composite(whole, image).convert("RGB")
        pairs = laid.getextrema()  # one of each band
        if max(high - low for low, high in pairs) > 25:  # pyright: ignore[reportGeneralTypeIssues]: of RGB three pairs
            break
    return laid


def _native(rgb: np.ndarray) -> np.ndarray | None:
    """The pixels of a picture that has MNIST's geometry already, of either polarity; else None."""
    if rgb.shape[:2] != (SIDE, SIDE) or np.ptp(rgb, axis=2).any():
        return None
    for grey in (rgb[..., 0], 255 - rgb[..., 0]):
        if grey.max() < 128 or grey[0].any():
            continue
        pixels = grey.astype(np.float32) / 255
        longer = max(side.stop - side.start for side in _bounds(grey > 0))
        if longer == BOX and np.abs(np.subtract(_centre_of_mass(pixels), CENTRE)).max() < 0.52:
            return pixels
    return None


# Figures


def _within_frame(rgb: np.ndarray) -> np.ndarray | None:
    """What lies inside the frame of a figure that a plotting library saved, or inside its coloured field; else None.

    A frame is a part of straight lines along the sides of its own box, all four or the left and lower ones (ticks stick
    out, letters and colour bars stand apart); a field is such a box filled. Neither counts with nothing in it.
    """
    from scipy import ndimage as ndi

    height, width = rgb.shape[:2]
    if min(height, width) < 48:
        return None
    pixels = rgb.astype(np.int16)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    page = np.median(edge, axis=0)
    if (np.abs(edge - page).max(-1) <= 12).mean() < 0.95:
        return None  # a photo, or a picture without a margin
    labels, _ = ndi.label(np.abs(pixels - page).max(-1) > 24, _TOUCHING)
    found = []
    for part, box in enumerate(ndi.find_objects(labels), 1):
        rows, columns = (side.stop - side.start for side in box)
        if rows >= 0.25 * height and columns >= 0.25 * width:
            inner = _inside_lines(labels[box] == part)
            if inner is not None:
                inner = tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(box, inner, strict=True))
                found.append((rows * columns, part, inner, (labels[box] == part).mean() > 0.6))
    for _, part, inner, filled in sorted(found, key=lambda frame: -frame[0])[:5]:
        content = pixels[inner]
        edge = np.concatenate([content[0], content[-1], content[:, 0], content[:, -1]])
        marks = np.abs(content - np.median(edge, axis=0)).max(-1) > 24
        if not filled:
            marks &= labels[inner] != part
        marks, _ = ndi.label(marks, _TOUCHING)
        longer = [max(side.stop - side.start for side in box) for box in ndi.find_objects(marks)]
        if max(longer, default=0) < 0.15 * min(content.shape[:2]) or (marks > 0).mean() > 0.7:
            continue
        largest = int(np.argmax(longer)) + 1
        if filled and (marks == largest)[ndi.find_objects(marks)[largest - 1]].mean() > 0.85:
            continue  # the hole of an angular 0
        return rgb[inner]
    return None


def _inside_lines(part: np.ndarray) -> tuple[slice, slice] | None:
    """The rows and columns inside a part's straight outer lines; None where it has not enough of them."""
    inner, sides = [], 0
    for lines in (part.mean(1) >= 0.85, part.mean(0) >= 0.85):
        length = len(lines)
        margin = max(3, length // 10)  # ticks may stick out
        most = length if part.mean() > 0.6 else max(4, length // 25)  # how thick a line may be
        ends = []
        for side in (lines, lines[::-1]):
            first = int(side[:margin].argmax())
            thick = int((side[first:] == 0).argmax()) or length - first
            if not side[first]:
                ends.append(0)
            elif thick > most:
                return None
            else:
                field = thick > max(4, length // 25)
                ends.append(first + (round(0.01 * length) if field else thick) + 2)
        sides += np.count_nonzero(ends)
        inner.append(slice(ends[0], length - ends[1]))
    lower_left = sides == 2 and inner[0].start == 0 and inner[1].stop == part.shape[1]
    if (sides < 4 and not lower_left) or min(side.stop - side.start for side in inner) < 2 * MIN_SIDE:
        return None
    return tuple(inner)


# Paper
# Inside this section colours are (3, H, W): a channel is one contiguous picture.


def _lift_ink(rgb: np.ndarray) -> np.ndarray:
    """How far each pixel leaves the paper under it towards the ink: (H, W) float32 in [0, 1], 0 is paper.

    The ink's colour needs no rule: its direction in RGB is measured, and a pixel counts by its projection on it.
    """
    from scipy import ndimage as ndi

    pixels = np.ascontiguousarray(np.moveaxis(rgb, 2, 0), np.float32)
    scale = min(1.0, 100 / min(rgb.shape[:2]), (60_000 / (rgb.shape[0] * rgb.shape[1])) ** 0.5)
    size = [max(MIN_SIDE, round(side * scale)) for side in rgb.shape[1::-1]]
    small = _resized(pixels, size, Image.Resampling.BOX)
    flat = _flat_colour(rgb, small)
    if flat is not None:
        difference = (pixels - flat[:, None, None]) / 255
        strength = np.abs(difference).max(0)
    else:
        if _ink_is_light(rgb):
            pixels, small = 255 - pixels, 255 - small
        paper = _resized(_paper(small), rgb.shape[1::-1], Image.Resampling.BICUBIC)
        # By division, since ink in the shadow is as black as ink in the light. The floor keeps dark surroundings
        # from being amplified to noise.
        difference = 1 - pixels / np.maximum(paper, max(1.0, 0.35 * np.percentile(paper[:, ::4, ::4], 90)))
        # The envelope of noisy paper lies above the paper.
        difference -= np.median(difference[:, ::4, ::4], axis=(1, 2), keepdims=True)
        difference = np.stack([ndi.gaussian_filter(channel, 0.6, truncate=3) for channel in difference])
        strength = difference.max(0)
    strongest = strength >= max(float(np.percentile(strength, 99.5)), 0.02)
    if not strongest.any():
        raise DigitizeError(_BLANK)
    ink = difference[:, strongest].mean(1)
    ink /= max(float(np.linalg.norm(ink)), 1e-6)
    # Scaled so that grey ink of contrast c has c, and so has a pure red.
    return np.clip(np.tensordot(ink * np.abs(ink).max(), difference, 1), 0, 1)


def _resized(channels: np.ndarray, size: list[int] | tuple[int, int], method: Image.Resampling) -> np.ndarray:
    """(3, H, W) float32 at another size (width, height)."""
    return np.stack([np.asarray(Image.fromarray(channel).resize(size, method)) for channel in channels])


def _flat_colour(rgb: np.ndarray, small: np.ndarray) -> np.ndarray | None:
    """The one colour (3,) of a drawn, scanned or cut-out picture's background; None for a photo's."""
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]]).astype(np.int16)
    colour = np.median(border, axis=0).astype(np.float32)
    if min(rgb.shape[:2]) < 20:
        return colour  # nobody photographs a digit so small, and it fills all of its picture
    step = max(1, min(rgb.shape[:2]) // 100)
    for pixels, share in ((border, 0.6), (rgb[::step, ::step].astype(np.int16), 0.35)):
        if (np.abs(pixels - colour).max(-1) <= 6).mean() < share:
            return None
    # A shadow, or a white sheet on black, is wider than any stroke: it is still there when strokes are closed.
    # The tolerance is JPEG's: closing gathers its outliers.
    flip = small.mean() > colour.mean()
    closed = 255 - _closed(255 - small, 0.3) if flip else _closed(small, 0.3)
    return colour if (np.abs(closed - colour[:, None, None]).max(0) <= 32).mean() > 0.95 else None


def _ink_is_light(rgb: np.ndarray) -> bool:
    """Chalk or pen? Two votes: what stands out from its narrow surroundings, and how bright most of it is.

    Brightness is compared by its logarithm, in which ink on paper is strong and the edge of a shadow weak.
    """
    from scipy import ndimage as ndi

    grey = np.asarray(_limited(Image.fromarray(rgb).convert("L"), 400), np.float32)
    grey = ndi.gaussian_filter(grey, 0.7)
    bright = float(np.percentile(grey, 75))
    grey = np.log(grey + 16)
    dark = light = 1e-6
    for share in (0.04, 0.08, 0.16):
        window = max(3, round(share * min(grey.shape)))
        # At the border a slope looks like a ridge.
        margins = (min(window // 2, (side - 1) // 2) for side in grey.shape)
        inner = tuple(slice(margin, side - margin) for margin, side in zip(margins, grey.shape, strict=True))
        dark += float(np.percentile((ndi.grey_closing(grey, (window,) * 2) - grey)[inner], 99.95))
        light += float(np.percentile((grey - ndi.grey_opening(grey, (window,) * 2))[inner], 99.95))
    return (light - dark) / (light + dark) + float(np.clip((125 - bright) / 60, -0.8, 0.8)) > 0


def _paper(small: np.ndarray) -> np.ndarray:
    """The light on the paper without the dark ink on it, by closing a small picture (3, h, w).

    What is wider than the closing's window is taken for shadow and followed, what is narrower for ink. So the
    window is the narrowest that spans the strokes: a wider one is taken only where the narrow one would leave
    something as dark as ink lying on the paper.
    """
    from scipy import ndimage as ndi

    small = ndi.grey_opening(small, (1, 2, 2))  # a glint is no paper
    widest = _closed(small, 0.3)
    for share in (0.08, 0.15):
        paper = _closed(small, share)
        if not _has_thick_stroke((1 - paper / widest).max(0)):
            return paper
    return widest


def _closed(small: np.ndarray, share: float) -> np.ndarray:
    """Morphological closing of (3, h, w) with a square window of that share of the shorter side.

    Beside a step down, to the table, it is eroded by a pixel more: the blurred edge of a sheet would look like a
    pen's line otherwise. Half of that beside a shadow, whose edge is weaker, and where a stroke may cross it.
    """
    from scipy import ndimage as ndi

    window = max(3, round(share * min(small.shape[1:])))
    closed = ndi.grey_erosion(ndi.grey_dilation(small, (1, window, window)), (1, window, window))
    lower = ndi.grey_erosion(closed, (1, 3, 3))
    return np.maximum(np.where(lower < 0.5 * closed, lower, (lower + closed) / 2), 1)


def _has_thick_stroke(lost: np.ndarray) -> bool:
    """Is there something as dark as ink, sharply bounded (no shadow) and inside the picture (no table)?"""
    from scipy import ndimage as ndi

    labels, count = ndi.label(lost >= 0.45, _TOUCHING)
    area = np.bincount(labels.ravel(), minlength=count + 1)
    area[0] = area[_border(labels)] = 0
    boxes = ndi.find_objects(labels)
    for part in np.argsort(-area)[:30]:
        if area[part] <= 4:
            break
        around = tuple(slice(max(0, side.start - 4), side.stop + 4) for side in boxes[part - 1])
        mask, near = labels[around] == part, lost[around]
        ring = ndi.binary_dilation(mask, _TOUCHING, 3) & ~ndi.binary_dilation(mask, _TOUCHING)
        if np.median(near[ring]) < 0.4 * np.median(near[mask]):
            return True
    return False


def _floor(contrast: np.ndarray) -> float:
    """The contrast up to which all may be noise: five standard deviations, from the median deviation."""
    sample = contrast[::3, ::3]
    return float(np.clip(5 * 1.4826 * float(np.median(np.abs(sample - np.median(sample)))), 0.06, 0.25))


# Rulings


def _remove_rulings(contrast: np.ndarray) -> tuple[np.ndarray, int]:
    """Ruled or squared paper -> the same without its lines, and how many lines there were."""
    floor = _floor(contrast)
    if min(contrast.shape) < 64 or (contrast > floor).mean() > 0.5:
        return contrast, 0
    cleaned, across = _remove_lines(contrast, floor)
    cleaned, down = _remove_lines(cleaned.T, floor)
    cleaned = cleaned.T
    if across + down == 1 and _longest(cleaned > floor) < 0.06 * min(contrast.shape):
        return contrast, 0  # what looked like a printed line is all there is: a long, straight 1
    return cleaned, across + down


def _remove_lines(contrast: np.ndarray, floor: float) -> tuple[np.ndarray, int]:
    """Remove straight, thin, nearly horizontal lines that run across; ink that crosses them stays.

    Lines come from a Hough transform; along each, the classic rule of staff-line removal decides: a vertical
    run of pixels that is no longer than the line is thick is line, a longer one is a stroke that crosses it.
    """
    from scipy import ndimage as ndi
    from skimage.transform import hough_line

    mask = contrast > floor
    height, width = mask.shape
    high, wide = height // 2, width // 2
    half = mask[: 2 * high, : 2 * wide].reshape(high, 2, wide, 2).any((1, 3))
    angles = np.deg2rad(np.arange(78, 102.1, 0.4))
    votes, _, offsets = hough_line(half, angles)
    chord = _chords((high, wide), angles, offsets)
    share = votes / np.maximum(chord, 0.3 * wide)
    peaks = np.argwhere((share >= 0.45) & (share == ndi.maximum_filter(share, (5, 7))))
    band = np.zeros_like(mask)
    columns = np.arange(width)
    found = []
    thick = ndi.binary_dilation(half, np.ones((3, 1), bool))
    for offset, angle in peaks[np.argsort(-share[tuple(peaks.T)])][:150]:
        rows = (offsets[offset] - columns / 2 * np.cos(angles[angle])) / np.sin(angles[angle])
        inside = (rows >= 0) & (rows < high - 1)
        at = np.round(rows[inside]).astype(int), np.minimum(columns[inside] // 2, wide - 1)
        if not inside.any():
            continue
        covered = thick[at].mean()
        beside = (thick[np.clip(at[0] + shift, 0, high - 1), at[1]].mean() for shift in (-5, 5))
        if covered >= 0.75 and max(beside) < 0.6:
            found.append((covered, inside.mean(), 2 * rows))
    # A single straight line may be somebody's 1; three of them, or one from edge to edge, is print. What only cuts
    # a corner of the picture is print if others are.
    across = [(covered, rows) for covered, length, rows in found if length >= 0.3]
    distinct = _distinct([rows for _, rows in across], spacing=6)
    if not across or (distinct < 3 and max(covered for covered, _ in across) < 0.95):
        return contrast, 0
    runs = _run_lengths(mask)
    for _, _, rows in found:
        inside = (rows >= 0) & (rows < height - 1)
        for shift in range(-3, 5):
            at = np.clip(np.round(rows[inside]).astype(int) + shift, 0, height - 1)
            band[at, columns[inside]] = True
    on_line = band & mask
    thickness = np.median(runs[on_line])
    strength = np.median(contrast[on_line & (runs <= thickness)])
    erase = on_line & (runs <= 1.7 * thickness + 1) & (contrast <= max(1.8 * strength, 2 * floor))
    kept = mask & ~erase
    kept |= ndi.binary_closing(kept, np.ones((int(2 * thickness + 5), 1), bool)) & mask  # ink that goes on beyond
    gone = ndi.binary_dilation(erase & ~kept, np.ones((3, 1), bool)) & ~kept
    return np.where(gone, 0, contrast), distinct


def _chords(shape: tuple[int, int], angles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How many columns the lines x cos θ + y sin θ = ρ cross inside the picture, (len(offsets), len(angles))."""
    height, width = shape
    cos, sin = np.cos(angles), np.sin(angles)
    cos = np.where(np.abs(cos) < 1e-6, 1e-6, cos)
    ends = np.stack([(offsets[:, None] - row * sin) / cos for row in (0, height - 1)])  # x at the first and last row
    ends = np.clip(ends, 0, width)
    return np.abs(ends[1] - ends[0])


def _distinct(lines: list[np.ndarray], spacing: float) -> int:
    """How many of the lines are different ones in the middle of the picture."""
    middles = np.sort([rows[len(rows) // 2] for rows in lines])
    return int(len(middles) and 1 + (np.diff(middles) > spacing).sum())


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    """The length of the vertical run of true pixels that each true pixel belongs to; 0 elsewhere."""
    columns = np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(columns.ravel())
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    lengths = np.zeros(edges.size + 1, np.int32)
    np.add.at(lengths, starts + 1, ends - starts)
    np.add.at(lengths, ends + 1, starts - ends)
    return np.cumsum(lengths).reshape(columns.shape)[:, 1:-1].T


# Ink


def _largest_mark(contrast: np.ndarray, even: bool) -> tuple[np.ndarray, tuple[slice, slice], list[str]]:
    """The ink (H, W) in [0, 1] of the largest group of strokes alone, where it is, and a note on what was left out.

    Parts belong together where the gap between them is small beside the whole: the bar of a 5, a broken stroke.
    """
    from scipy import ndimage as ndi
    from skimage.filters import apply_hysteresis_threshold, threshold_otsu

    floor = _floor(contrast)
    candidates = contrast[contrast > floor]
    if candidates.size < 4 or candidates.size > 0.75 * contrast.size:
        raise DigitizeError(_BLANK)
    # Among what is not paper, Otsu parts ink from shadows and halos; the ink's level is what lies above.
    high = float(threshold_otsu(candidates)) if np.ptp(candidates) > 1e-3 else floor
    level = float(np.median(candidates[candidates >= high]))
    low = max(floor, (PALE if even else 0.4) * level)
    # On even paper a part may be pale all over, elsewhere it must be ink somewhere.
    mask = apply_hysteresis_threshold(contrast, low, low if even else max(low, min(high, 0.9 * level)))
    ink = np.clip(contrast / level, 0, 1)

    # Grouping needs no fine resolution: cells of a few pixels, a cell is ink if one of its pixels is.
    cell = max(1, round(max(mask.shape) / 300))
    cells = _pool(mask, cell, np.any)
    masses = _pool(np.where(mask, ink, 0), cell, np.sum)
    labels, count = ndi.label(cells, _TOUCHING)
    if not count:
        raise DigitizeError(_BLANK)
    mass = np.bincount(labels.ravel(), masses.ravel(), count + 1)
    mass[0] = 0
    members = _choose_group(labels, mass, _ends(cells if even else np.zeros_like(cells), labels))
    # Another mark is one of some weight and as dark as this one: the grain of the table is neither mark nor news.
    fine = np.kron(labels, np.ones((cell, cell), labels.dtype))[: mask.shape[0], : mask.shape[1]][mask]
    darkness = np.bincount(fine, contrast[mask], count + 1) / np.maximum(np.bincount(fine, minlength=count + 1), 1)
    other = ~members & (mass > 0.1 * mass[members].sum())
    several = bool((darkness[other] > 0.7 * darkness[members].max()).any())
    inside = members[labels]
    size = max(side.stop - side.start for side in _bounds(inside))
    distance = ndi.minimum(ndi.distance_transform_edt(~inside), labels, np.arange(count + 1))
    beside = ~members & (mass > 0.02 * mass[members].sum()) & (distance < 0.6 * size)
    smaller = bool((darkness[beside] > 0.5 * darkness[members].max()).any())

    group = np.kron(ndi.binary_dilation(members[labels], _TOUCHING), np.ones((cell, cell), bool))
    ink = np.where(group[: mask.shape[0], : mask.shape[1]], ink, 0)
    bounds = _bounds(mask & (ink > 0))
    longer = max(side.stop - side.start for side in bounds)
    if longer < max(MIN_SIDE, min(0.012 * max(mask.shape), 0.2 * min(mask.shape))):
        raise DigitizeError("Only specks were found: write the digit larger, or take the picture from nearer.")
    if _sharpness(ink[bounds], even) < SHARP:
        raise DigitizeError(_BLANK)
    if several:
        return ink, bounds, ["Several marks: took the largest."]
    if smaller:
        return ink, bounds, ["A smaller mark beside the digit was left out."]
    if _pale_beside(contrast, mask & (ink > 0), bounds, max(floor, 0.12 * level)):
        return ink, bounds, ["Paler marks beside the digit were left out."]
    return ink, bounds, []


def _is_even(contrast: np.ndarray) -> bool:
    """Is there no ink along the picture's border? Then what is pale is ink, and neither shadow nor table."""
    border = np.concatenate([contrast[0], contrast[-1], contrast[:, 0], contrast[:, -1]])
    return bool((border > max(_floor(contrast), PALE * np.percentile(contrast, 99.5))).mean() < 0.01)


def _pale_beside(contrast: np.ndarray, mark: np.ndarray, bounds: tuple[slice, slice], low: float) -> bool:
    """Is there pale ink near the mark that is not its halo, and not so much that it is a shadow?"""
    from scipy import ndimage as ndi

    margin = max(side.stop - side.start for side in bounds) // 4
    around = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in bounds)
    mark = mark[around]
    off = ndi.distance_transform_edt(~mark) > max(3.0, _stroke_width(mark.astype(np.float32)))
    pale = ndi.binary_opening((contrast[around] > low) & off, np.ones((2, 2), bool))
    return bool(0.04 < pale.sum() / mark.sum() < 1)


def _sharpness(ink: np.ndarray, even: bool) -> float:
    """How many of its outline's slopes, from paper to ink, would fit along a mark's longer side.

    Infinite for what is too small or too thin to have slopes: it consists of edges alone.
    """
    from scipy import ndimage as ndi

    if max(ink.shape) <= 32 or _stroke_width(ink) < 0.04 * max(ink.shape):
        return np.inf
    small = np.pad(np.asarray(_limited(Image.fromarray(ink.astype(np.float32)), 40)), 1)
    # On even paper a pale stroke is as sharp as a dark one.
    peak = np.maximum(ndi.grey_dilation(small, 7), 0.2) if even else np.ones_like(small)
    slope = (np.hypot(*np.gradient(small)) / peak)[(small > 0.3 * peak) & (small < 0.75 * peak)]
    return float(np.median(slope)) * max(small.shape) if slope.size else np.inf


def _stroke_width(ink: np.ndarray) -> float:
    """In pixels, roughly: within a straight stroke the mean distance to the outline is a quarter of its width."""
    from scipy import ndimage as ndi

    inside = np.pad(ink > 0.4, 1)
    return 4 * float(ndi.distance_transform_edt(inside)[inside].mean()) if inside.any() else 0.0


def _choose_group(labels: np.ndarray, mass: np.ndarray, ends: Ends) -> np.ndarray:
    """Which labelled parts are the mark: the heaviest part and what belongs to it, as a mask over labels.

    Groups that hang on the picture's border (the table, a finger, the next word) are taken only if there is
    nothing else, and if they are large: a digit that was cropped tightly.
    """
    outside = np.isin(np.arange(len(mass)), _border(labels))
    seeds = np.append(False, _lengths(labels) >= 0.04 * min(labels.shape)) & ~outside
    for _ in range(10):
        if not seeds.any():
            break
        members = _grow(labels, mass, ends, int(np.where(seeds, mass, 0).argmax()))
        if mass[members & outside].sum() < 0.7 * mass[members].sum():
            return members
        seeds &= ~members
    members = _grow(labels, mass, ends, int(mass.argmax()))
    if max(side.stop - side.start for side in _bounds(members[labels])) < 0.3 * min(labels.shape):
        raise DigitizeError(_UNCLEAR)
    return members


def _grow(labels: np.ndarray, mass: np.ndarray, ends: Ends, seed: int) -> np.ndarray:
    """The part `seed` with all whose gap to it is small beside the size of the whole, or that goes on where it ends."""
    from scipy import ndimage as ndi

    members = np.arange(len(mass)) == seed
    share = mass / mass[seed]
    boxes = ndi.find_objects(labels)
    corners = np.array([[0, 0, 0, 0], *([r.start, c.start, r.stop, c.stop] for r, c in boxes)])
    while members.sum() <= MAX_PARTS:
        group = members[labels]
        size = max(side.stop - side.start for side in _bounds(group))
        distance = ndi.minimum(ndi.distance_transform_edt(~group), labels, np.arange(len(mass)))
        near = (distance <= 1 + 0.12 * size) & (share > 0.01)  # without dust
        # The bar of a 5 may lie further off; a part of more weight there is the next digit, one of less is dirt.
        near |= (distance <= 1 + 0.3 * size) & (share > 0.05) & (share < 0.45)
        near |= _continued(ends, members, corners) & (share > 0.01)
        near[0] = False
        if not (near & ~members).any():
            return members
        members |= near
    raise DigitizeError("The picture is too busy to find a digit in it: show one digit alone on plain paper.")


class Ends(NamedTuple):
    """Where strokes end: `part` (N,) is the label, `at` (N, 2) the place, `along` (N, 2) the direction, of length 1."""

    part: np.ndarray
    at: np.ndarray
    along: np.ndarray


def _ends(cells: np.ndarray, labels: np.ndarray) -> Ends:
    """The ends of all strokes; of none where there are too many for one digit's."""
    from scipy import ndimage as ndi
    from skimage.morphology import skeletonize

    spine = skeletonize(cells)
    beside = ndi.convolve(spine.astype(np.int8), np.ones((3, 3), np.int8), mode="constant") - 1
    at = np.argwhere(spine & (beside == 1))
    if not 0 < len(at) <= 12 * MAX_PARTS:
        return Ends(np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2)))
    reach = max(4, max(cells.shape) // 40)
    along = []
    for row, column in at:
        window = slice(max(0, row - reach), row + reach + 1), slice(max(0, column - reach), column + reach + 1)
        own = np.argwhere(spine[window] & (labels[window] == labels[row, column]))
        along.append((row - window[0].start, column - window[1].start) - own.mean(0))
    along = np.array(along)
    return Ends(labels[tuple(at.T)], at.astype(float), along / np.linalg.norm(along, axis=1, keepdims=True))


def _continued(ends: Ends, members: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which parts continue the members' strokes behind a gap: an end points at another, half of both away at most.

    Two parts of one height beside each other are digits of one line, unless they continue each other twice, as the
    halves of a broken 0 do.
    """
    inside = members[ends.part]
    gap = ends.at[~inside][None] - ends.at[inside][:, None]  # (inside, outside, 2)
    length = np.linalg.norm(gap, axis=2)
    gap /= np.maximum(length, 1)[..., None]
    forth, back = (gap * ends.along[inside][:, None]).sum(2), -(gap * ends.along[~inside][None]).sum(2)
    group = np.concatenate([corners[members][:, :2].min(0), corners[members][:, 2:].max(0)])
    other = corners[ends.part[~inside]]
    both = np.concatenate([np.minimum(group, other)[:, :2], np.maximum(group, other)[:, 2:]], axis=1)
    size = (both[:, 2:] - both[:, :2]).max(1)
    fits = (length <= 0.5 * size) & (np.maximum(forth, back) > 0.9) & (np.minimum(forth, back) > -0.3)
    times = np.bincount(ends.part[~inside], fits.any(0), len(members))
    height = corners[:, 2] - corners[:, 0]
    mine = group[2] - group[0]
    whole = np.maximum(group[2], corners[:, 2]) - np.minimum(group[0], corners[:, 0])
    abreast = np.minimum(height, mine) >= 0.6 * whole
    return times >= np.where(abreast, 2, 1)


def _normalise_strokes(ink: np.ndarray, even: bool) -> tuple[np.ndarray, float]:
    """One cropped digit (H, W) -> the same with a stroke within STROKE, finely drawn, and the width it had.

    Drawn again from the distance to its outline: moving the outline by a constant makes every stroke thicker
    or thinner by the same amount, whatever the resolution was. Where that would make a thin part of a thick
    digit vanish, its skeleton keeps it.
    """
    from scipy import ndimage as ndi
    from skimage.morphology import skeletonize

    ink = ink.astype(np.float32)
    box = BOX * FINE
    # A hair line would break up when it is scaled down, so it is made thicker before. This only anticipates a part
    # of what follows, where the whole sum is computed.
    missing = max(0, int(np.ceil(4 * max(ink.shape) / box - _stroke_width(ink))))
    ink = ndi.grey_dilation(np.pad(ink, 1 + missing), (1 + missing,) * 2)
    scale = box / max(ink.shape)
    size = [max(1, round(side * scale)) for side in reversed(ink.shape)]
    method = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.BOX
    fine = np.asarray(Image.fromarray(ink).resize(size, method))
    fine = ndi.gaussian_filter(np.pad(fine, int(STROKE[1] * FINE)), 1.5)
    inside = _inside(fine) if even else fine > min(0.5, 0.7 * float(fine.max()))
    box = max(side.stop - side.start for side in _bounds(inside))
    skeleton = skeletonize(inside)
    depth, away = ndi.distance_transform_edt(inside), ndi.distance_transform_edt(~inside)
    width = float(inside.sum() / skeleton.sum())
    wanted = float(np.clip(width, STROKE[0] * box / BOX, STROKE[1] * box / BOX))
    # The digit grows with its outline and is scaled back to the box afterwards:
    # (width + 2 shift) / (box + 2 shift) = wanted / box.
    shift = (wanted - width) / (2 * (1 - wanted / box))
    if shift > 0:
        outline = _thickened(depth - away, shift)
    else:
        spine = skeleton & (depth > 0.35 * np.median(depth[skeleton]))  # without the spurs into corners
        outline = np.maximum(depth - away + shift, wanted / 2 - ndi.distance_transform_edt(~spine))
    return np.clip(outline + 0.5, 0, 1).astype(np.float32), (width - missing * scale) / FINE


def _inside(fine: np.ndarray) -> np.ndarray:
    """The strokes of a finely drawn digit: half as strong as the strongest ink near by, be that dark or pale."""
    from scipy import ndimage as ndi

    strongest = float(fine.max())
    window = int(np.clip(_stroke_width(fine / strongest), FINE, 60))
    peak = ndi.gaussian_filter(ndi.grey_dilation(fine, (window, window)), window / 4)
    inside = fine > np.clip(0.5 * peak, 0.5 * PALE * strongest, min(0.5, 0.7 * strongest))
    # Beside a dark stroke a pale one falls below the half; it is ink where it is as strong as further off.
    level = np.where(inside, fine, np.inf)
    for _ in range(window):
        beside = ndi.grey_erosion(level, (3, 3))
        more = np.isinf(level) & (fine >= 0.92 * beside)
        if not more.any():
            break
        level = np.where(more, beside, level)
    return np.isfinite(level)


def _thickened(outline: np.ndarray, shift: float) -> np.ndarray:
    """`outline` (H, W), the distance to a digit's edge, positive inside, moved out by `shift`; loops stay open.

    Two edges that grow towards each other meet on the paper's middle line, where the nearest ink lies on two opposite
    sides. Around it a gap is kept, as wide as it was and at most twice GAP. In a blunt corner nothing is opposite.
    """
    from scipy import ndimage as ndi

    away, nearest = ndi.distance_transform_edt(outline <= 0, return_indices=True)
    middle = np.zeros(away.shape, bool)
    for axis in (0, 1):
        apart = np.hypot(*np.diff(nearest, axis=axis + 1))  # of what two neighbours have nearest
        here = tuple(slice(None, -1) if axis == k else slice(None) for k in (0, 1))
        middle[here] |= apart > 1.5 * (away[here] + 0.5)
    middle &= (away > 0) & (away < shift + GAP)
    kept = np.full(away.shape, np.inf)
    for radius in np.arange(1, GAP + 1):
        line = middle & (np.minimum(away, GAP) >= radius - 0.5)
        if line.any():
            kept = np.minimum(kept, ndi.distance_transform_edt(~line) - min(radius, GAP))
    return np.maximum(outline, np.minimum(outline + shift, kept))


# Small things


def _bounds(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest rows and columns that hold every true pixel of a mask that has one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _border(labels: np.ndarray) -> np.ndarray:
    """The labels that occur on the picture's border."""
    return np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))


def _lengths(labels: np.ndarray) -> np.ndarray:
    """The longer side of each labelled part's bounding box, from label 1."""
    from scipy import ndimage as ndi

    return np.array([max(side.stop - side.start for side in box) for box in ndi.find_objects(labels)])


def _longest(mask: np.ndarray) -> int:
    """The longer side of the longest connected part; 0 where there is none."""
    from scipy import ndimage as ndi

    return int(_lengths(ndi.label(mask, _TOUCHING)[0]).max(initial=0))


def _centre_of_mass(ink: np.ndarray) -> tuple[float, float]:
    """Row and column, in whole pixels' coordinates."""
    total = float(ink.sum())
    row, column = (float(ink.sum(axis) @ np.arange(ink.shape[1 - axis])) / total for axis in (1, 0))
    return row, column


def _pool(values: np.ndarray, cell: int, function) -> np.ndarray:
    """Cells of cell × cell pixels, each made one value by `function`; the rest is filled with zeros."""
    height, width = (-(-side // cell) * cell for side in values.shape)
    values = np.pad(values, ((0, height - values.shape[0]), (0, width - values.shape[1])))
    return function(values.reshape(height // cell, cell, width // cell, cell), axis=(1, 3))


def _limited(image: Image.Image, side: int) -> Image.Image:
    """The image with its longer side at most `side`, by area."""
    scale = min(1.0, side / max(image.size))
    size = [max(1, round(length * scale)) for length in image.size]
    return image if scale == 1 else image.resize(size, Image.Resampling.BOX)


def _display(image: np.ndarray) -> np.ndarray:
    """uint8, longer side at most STEP_SIDE."""
    if image.dtype != np.uint8:
        image = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return np.asarray(_limited(Image.fromarray(image), STEP_SIDE))
