"""Data sets as tensors: the MNIST family, fetched on request, and scikit-learn's digits in the wheel.

The MNIST family lies where `torchvision.datasets` puts it (`<folder>/MNIST/raw/train-images-idx3-ubyte`, …),
so a folder that torchvision filled is used as it is, and the other way round; there the names of Kaggle's copy
(`train-images.idx3-ubyte`) and packed files (`.gz`) are read, too. Torchvision itself is imported
only to download (it knows the mirrors and the md5 sums): reading an idx file takes a few lines, and a
torchvision that does not fit the installed torch must not take the app down with it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import sys
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import storage
from .colours import palette
from .digitize import place

if TYPE_CHECKING:  # the register is read without torch
    from torch import Tensor


class Dataset(NamedTuple):
    """What is known of a data set before it is read. It is fetched by torchvision, or it needs no fetching."""

    title: str
    classes: tuple[str, ...]  # the name of each label: 0 … n_classes − 1
    sample: str = ""  # what a test image is called before its number; without it, of the title
    opens: int = 0  # the test image that pages open with: one that most models draw back
    torchvision: str | None = None  # its class there, which also names its folder
    megabytes: int = 0  # of its archives
    sums: Mapping[str, str] = MappingProxyType({})  # SHA-256 of its official files once unpacked, where measured
    bundled: Callable[[str], tuple[np.ndarray, np.ndarray]] | None = None  # split → uint8 (N, 28, 28) and labels (N,)

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def colours(self) -> tuple[str, ...]:
        """One for each class, the same on every page."""
        return palette(len(self.classes))

    def called(self, index: int) -> str:
        """A test image, such as "MNIST test digit 17"."""
        return f"{self.sample or f'{self.title} test image'} {index}"


def _digits_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = _digits()
    chosen = (np.arange(len(labels)) % 5 == 4) == (split == "test")  # every fifth image is a test image
    return pixels[chosen], labels[chosen]


NUMERALS = tuple("0123456789")  # the classes that pages and judge speak of as digits
_CLOTHES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_HIRAGANA = ("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo")
# The register, in the order of every list.
DATASETS = {
    "mnist": Dataset(
        "MNIST",
        NUMERALS,
        "MNIST test digit",
        torchvision="MNIST",
        megabytes=12,
        sums={
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ),
    "fashion_mnist": Dataset("Fashion-MNIST", _CLOTHES, torchvision="FashionMNIST", megabytes=31),
    "kmnist": Dataset("KMNIST", _HIRAGANA, torchvision="KMNIST", megabytes=21),
    "digits": Dataset("scikit-learn's digits", NUMERALS, "scikit-learn digit", 43, bundled=_digits_of),
}
SPLITS = ("train", "test")
IMAGES = {"train": 60_000, "test": 10_000}  # of each set of the MNIST family; another number is another data set

_PREFIX = {"train": "train", "test": "t10k"}
_BLANK = 0.01  # a larger share of images of one grey value is a file that did not arrive, not handwriting
_STALL = 15.0  # seconds without a byte after which a mirror counts as gone
_LARGEST = 64 << 20  # bytes of an archive; the family's largest has 26 million
_NAME_A_FOLDER = "name a folder with --data-dir or the environment variable VAE_DATA"


class Split(NamedTuple):
    """One split of a data set."""

    images: Tensor  # (N, 784) float32 in [0, 1], white ink on black, grey (not binarised)
    labels: Tensor  # (N,) int64


class Progress(NamedTuple):
    """How far a download is."""

    done: int  # bytes of this file
    total: int | None  # None where the server does not tell
    file: str
    number: int  # of this file among those that are fetched: 1 … files
    files: int


class DataError(RuntimeError):
    """A data set that is not there or cannot be had; the message is a sentence for the visitor."""


def known(name: str, n_classes: int) -> Dataset:
    """The data set of a model that tells so many classes apart: its row, or one of numbers where the register has none
    that fits, since a model outlives a row."""
    if name in DATASETS and DATASETS[name].n_classes == n_classes:
        return DATASETS[name]
    return Dataset(name, tuple(map(str, range(n_classes))))


def data_dir(override: str | Path | None = None) -> Path:
    """The folder of the MNIST family: `override`, else `VAE_DATA`, else the user's cache folder."""
    named = override or os.environ.get("VAE_DATA")
    if named:
        return Path(os.path.expanduser(named))
    if sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "latent-space-explorer"


def is_available(name: str, folder: str | Path | None = None, splits: Sequence[str] = SPLITS) -> bool:
    """Whether `load` finds the files of these splits. Cheap: looks for files and imports nothing."""
    if _known(name).bundled:
        return True
    return all(os.path.isfile(_file(name, stem, folder)) for split in splits for stem in _stems(split))


def stamp(
    name: str, folder: str | Path | None = None, splits: Sequence[str] = SPLITS
) -> tuple[tuple[str, int, int], ...]:
    """Path, bytes and time of change in ns of each file that `load` reads: another stamp may be another content."""
    if _known(name).bundled:
        return ()
    paths = [_file(name, stem, folder) for split in splits for stem in _stems(split)]
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path in paths for stat in [path.stat()])


def load(name: str, split: str, folder: str | Path | None = None) -> Split:
    """The images and labels of `name` (a key of `DATASETS`); `split` is "train" or "test".

    Raises `DataError` where a file is missing or broken or cannot be this data set's, `ValueError` for a name that
    does not exist.
    """
    import torch

    if split not in _PREFIX:
        raise ValueError(f"Expected the split 'train' or 'test', got {split!r}.")
    bundled = _known(name).bundled
    pixels, labels = bundled(split) if bundled else (_read(name, stem, folder) for stem in _stems(split))
    return Split(
        torch.from_numpy(pixels.reshape(-1, 784).astype(np.float32)).div_(255),
        torch.from_numpy(labels.astype(np.int64)),
    )


def strange_files(name: str, folder: str | Path | None = None) -> list[str]:
    """Names of the files that `load` reads and that are not the official ones; none where no official sum is known."""
    return [
        stem
        for stem in _known(name).sums
        if os.path.isfile(_file(name, stem, folder)) and not _is_official(name, stem, folder)
    ]


def fingerprint(split: Split) -> str:
    """SHA-256 (hex) over pixels, then labels, both as uint8: equal for equal data on any machine."""
    digest = hashlib.sha256(split.images.mul(255).round().byte().numpy().tobytes())
    digest.update(split.labels.byte().numpy().tobytes())
    return digest.hexdigest()


def download(
    name: str,
    folder: str | Path | None = None,
    *,
    splits: Sequence[str] = SPLITS,
    progress: Callable[[Progress], None] | None = None,
    time_limit: float = 300.0,
) -> None:
    """Fetch what is missing of `name` from torchvision's mirrors, check its md5 and unpack it; test files come first.

    A file that is there is fetched again where it is not the official one; where no official sum of the unpacked file
    is known (Fashion-MNIST, KMNIST), where `load` would refuse it. `progress` hears of every block. `time_limit` in
    seconds is for all files together; a mirror that falls silent is left after 15 seconds. A file appears only when
    it is whole. Raises `DataError`.
    """
    row = _known(name)
    if row.bundled or row.torchvision is None:
        return
    wanted = [
        stem
        for split in sorted(splits, key=SPLITS.index, reverse=True)
        for stem in _stems(split)
        if not _is_official(name, stem, folder)
    ]
    if not wanted:
        return
    source = getattr(_torchvision_datasets(), row.torchvision)
    sums = dict(source.resources)
    deadline = time.monotonic() + time_limit
    for number, stem in enumerate(wanted, 1):
        archive = f"{stem}.gz"

        def heard(done: int, total: int | None, archive: str = archive, number: int = number) -> None:
            if progress:
                progress(Progress(done, total, archive, number, len(wanted)))

        problems = []
        for mirror in source.mirrors:
            try:
                content = _fetch(mirror + archive, deadline, heard)
                came = hashlib.md5(content, usedforsecurity=False).hexdigest()
                problem = "" if came == sums[archive] else f"sent md5 {came} where {sums[archive]} was expected"
            except (OSError, HTTPException) as error:  # urllib's URLError and TimeoutError are OSErrors
                problem = f"failed: {getattr(error, 'reason', None) or error or type(error).__name__}"
            if not problem:
                break
            if time.monotonic() > deadline:
                raise DataError(
                    f"The download of {name} was stopped in {archive} after its time limit of {time_limit:g} "
                    "seconds. Try again on a faster connection; files that are complete are kept."
                )
            problems.append(f"{mirror} {problem}")
        else:
            raise DataError(
                f"{archive} of {name} could not be downloaded ({'; '.join(problems)}). Check that this "
                f"machine is online, or {_NAME_A_FOLDER}."
            )
        target = _raw_folder(name, folder) / stem
        try:
            storage.write_bytes(target, gzip.decompress(content))
        except OSError as error:
            raise DataError(
                f"{target} cannot be written ({error.strerror}). Make room for it, or {_NAME_A_FOLDER}."
            ) from error


def _known(name: str) -> Dataset:
    if name not in DATASETS:
        raise ValueError(f"Expected a data set out of {', '.join(DATASETS)}, got {name!r}.")
    return DATASETS[name]


def _raw_folder(name: str, folder: str | Path | None) -> Path:
    return data_dir(folder) / str(DATASETS[name].torchvision) / "raw"


def _stems(split: str) -> tuple[str, str]:
    """The official names of a split's images and labels."""
    return f"{_PREFIX[split]}-images-idx3-ubyte", f"{_PREFIX[split]}-labels-idx1-ubyte"


def _shape(stem: str) -> tuple[int, ...]:
    prefix, kind, _, _ = stem.split("-")
    n = next(IMAGES[split] for split in SPLITS if _PREFIX[split] == prefix)
    return (n, 28, 28) if kind == "images" else (n,)


def _spellings(stem: str) -> tuple[str, ...]:
    """The names under which a file is read, the official one first: it is what a download writes."""
    kaggle = stem.replace("-idx", ".idx")
    return stem, kaggle, f"{stem}.gz", f"{kaggle}.gz"


def _file(name: str, stem: str, folder: str | Path | None) -> Path:
    """The first of a file's spellings that is there, else the official one."""
    places = [_raw_folder(name, folder) / spelling for spelling in _spellings(stem)]
    return next(filter(os.path.isfile, places), places[0])


def _is_official(name: str, stem: str, folder: str | Path | None) -> bool:
    """Whether a file need not be fetched: it is the official one, or sound where no official sum is known."""
    try:
        values, expected = _read(name, stem, folder), DATASETS[name].sums.get(stem)
    except DataError:
        return False
    return expected is None or hashlib.sha256(_header(values.shape) + values.tobytes()).hexdigest() == expected


def _header(shape: tuple[int, ...]) -> bytes:
    """How an idx file of bytes begins: 0, 0, 8, rank, big-endian sizes (yann.lecun.com/exdb/mnist)."""
    return bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)


def _read(name: str, stem: str, folder: str | Path | None) -> np.ndarray:
    """The values of one idx file, uint8 (N, 28, 28) or (N,), as far as can be seen this data set's."""
    path, shape = _file(name, stem, folder), _shape(stem)
    repair = f"Replace it, or download the data set again (`python -m vae_core download {name}`)."
    head = _header(shape)
    size = len(head) + math.prod(shape)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read(size + 1)  # one more tells that it is too long; how much more is never read
    except FileNotFoundError as error:
        raise DataError(_missing(name, stem, folder)) from error
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({said}). {repair}") from error
    if len(content) != size or not content.startswith(head):
        raise DataError(
            f"Expected an idx file of {_sizes(shape)} bytes in {path}, got "
            f"{'more than ' if len(content) > size else ''}{min(len(content), size)} bytes that begin with "
            f"{content[: len(head)].hex() or 'nothing'}{_claim(content)}. {repair}"
        )
    values = np.frombuffer(content, dtype=np.uint8, offset=len(head)).reshape(shape)
    if len(shape) == 3:
        flat = values.reshape(len(values), -1)
        blank = int((flat.min(1) == flat.max(1)).sum())
        if blank > _BLANK * len(values):
            raise DataError(f"{blank} of the {len(values)} images in {path} are of one grey value. {repair}")
    else:
        known, seen = DATASETS[name].n_classes, np.unique(values)
        if seen[-1] >= known:
            raise DataError(f"Expected labels from 0 to {known - 1} in {path}, got {seen[-1]}. {repair}")
        if len(seen) < known:
            raise DataError(f"Expected all {known} labels in {path}, got {', '.join(map(str, seen))} alone. {repair}")
    return values


def _sizes(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))


def _claim(content: bytes) -> str:
    """What a file says of itself: 100 images are a smaller data set, not a cut one."""
    rank = content[3] if len(content) > 3 and content[:3] == bytes([0, 0, 8]) else 0
    sizes = [int.from_bytes(content[i : i + 4], "big") for i in range(4, 4 + 4 * rank, 4)]
    return f" (by its header {_sizes(sizes)})" if sizes and len(content) == 4 + 4 * rank + math.prod(sizes) else ""


def _missing(name: str, stem: str, folder: str | Path | None) -> str:
    raw, top = _raw_folder(name, folder), data_dir(folder)
    message = (
        f"{raw / stem} is not there. Download the data set (`python -m vae_core download {name}`), or {_NAME_A_FOLDER}."
    )
    # A folder that was unpacked by hand: the files of all three sets have these names, so none is taken unasked.
    for where in (top, raw.parent):
        for spelling in _spellings(stem):
            if os.path.isfile(where / spelling):
                return f"{message} If {where / spelling} is of {name}, move it into {raw}."
    return message


def _fetch(url: str, deadline: float, heard: Callable[[int, int | None], None]) -> bytes:
    """A file's content, or what came of it until the deadline. Raises OSError or HTTPException."""
    content = io.BytesIO()  # less than the tensor it becomes
    for block, total in _stream(url, max(0.1, min(_STALL, deadline - time.monotonic()))):
        content.write(block)
        heard(content.tell(), total)
        if content.tell() > _LARGEST:
            raise OSError(f"the server sent more than {_LARGEST} bytes")
        if time.monotonic() > deadline:
            break
    return content.getvalue()


def _torchvision_datasets() -> ModuleType:
    try:
        import torchvision.datasets
    except ModuleNotFoundError as error:
        raise DataError(
            "A download needs torchvision, which is not installed here. Install it with: "
            "python -m pip install -r requirements.txt"
        ) from error
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        import torch

        # "operator torchvision::nms does not exist": built for another torch, often CUDA beside CPU-only
        raise DataError(
            f"The installed torchvision does not fit torch {torch.__version__} ({error}). Repair the pair "
            "with: python -m pip install --force-reinstall -r requirements.txt"
        ) from error
    return torchvision.datasets


def _stream(url: str, timeout: float) -> Iterator[tuple[bytes, int | None]]:
    """Blocks of a file as they arrive, each with the file's size where the server tells it. Raises OSError or
    HTTPException."""
    # Some mirrors turn Python's own agent away.
    request = urllib.request.Request(url, headers={"User-Agent": "latent-space-explorer"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        told = response.headers.get("Content-Length") or ""
        total, done = int(told) if told.isdecimal() else None, 0
        while block := response.read1(1 << 16):  # what has arrived; read() would wait for a full block
            done += len(block)
            yield block, total
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


@lru_cache(maxsize=1)
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's 1797 digits in MNIST geometry, uint8 (1797, 28, 28), and labels, uint8 (1797,).

    Real handwriting (Alpaydin and Kaynak 1998, UCI). A value there counts the ink in a 4×4 block of the scan,
    so a thin stroke is a grey one, where MNIST has it white and narrow. The ink is therefore enlarged
    smoothly and measured against the strongest ink nearby: faint strokes stay joined, and the mean ink comes
    near MNIST's (0.121).
    """
    from scipy import ndimage
    from sklearn.datasets import load_digits

    digits, scale = load_digits(), 5
    cells = np.pad(digits.images / 16, ((0, 0), (1, 1), (1, 1)))
    # Splines are linear and separable: enlarge the unit vectors once, then rows and columns by a product.
    # In double precision: another machine's arithmetic then rounds to the same pixels and fingerprint.
    splines = ndimage.zoom(np.eye(10), (scale, 1), mode="grid-constant", grid_mode=True)
    ink = (splines @ cells @ splines.T).clip(0, 1)  # (1797, 50, 50)
    nearby = ndimage.maximum_filter(ink, (1, 2 * scale, 2 * scale))
    nearby = ndimage.gaussian_filter(nearby, (0, 0.7 * scale, 0.7 * scale))
    stroke = ((ink / nearby.clip(min=0.35) - 0.4) / 0.5).clip(0, 1)  # the least clip: dust is no stroke
    pixels = np.stack([place(image) for image in stroke])
    return np.rint(pixels * 255).astype(np.uint8), digits.target.astype(np.uint8)
