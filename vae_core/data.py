"""Data sets as tensors: the MNIST family, fetched on request, and scikit-learn's digits in the wheel.

The MNIST family lies where `torchvision.datasets` puts it (`<folder>/MNIST/raw/train-images-idx3-ubyte`, …),
so a folder that torchvision filled is used as it is, and the other way round. Torchvision itself is imported
only to download (it knows the mirrors and the md5 sums): reading an idx file takes a few lines, and a
torchvision that does not fit the installed torch must not take the app down with it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import storage
from .digitize import place

NAMES = ("mnist", "fashion_mnist", "kmnist", "digits")

_TORCHVISION_CLASS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
_PREFIX = {"train": "train", "test": "t10k"}
_STALL = 15.0  # seconds without a byte after which a mirror counts as gone
_NAME_A_FOLDER = "name a folder with --data-dir or the environment variable VAE_DATA"


class Split(NamedTuple):
    """One split of a data set."""

    images: Tensor  # (N, 784) float32 in [0, 1], white ink on black, grey (not binarised)
    labels: Tensor  # (N,) int64


class DataError(RuntimeError):
    """A data set that is not there or cannot be had; the message is a sentence for the visitor."""


class Cancelled(DataError):
    """The download was stopped by the one who asked for it."""


def data_dir(override: str | Path | None = None) -> Path:
    """The folder of the MNIST family: `override`, else `VAE_DATA`, else the user's cache folder."""
    named = override or os.environ.get("VAE_DATA")
    if named:
        return Path(named).expanduser()
    if sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "latent-space-explorer"


def is_available(name: str, folder: str | Path | None = None) -> bool:
    """Whether `load` finds the files of both splits. Cheap: looks for files and imports nothing."""
    if _known(name) == "digits":
        return True
    return all(path.is_file() for split in _PREFIX for path in _idx_files(name, split, folder))


def load(name: str, split: str, folder: str | Path | None = None) -> Split:
    """The images and labels of `name` (one of `NAMES`); `split` is "train" or "test".

    Raises `DataError` where a file is missing or broken, `ValueError` for a name that does not exist.
    """
    if split not in _PREFIX:
        raise ValueError(f"Expected the split 'train' or 'test', got {split!r}.")
    if _known(name) == "digits":
        pixels, labels = _digits()
        chosen = (np.arange(len(labels)) % 5 == 4) == (split == "test")  # every fifth image is a test image
        pixels, labels = pixels[chosen], labels[chosen]
    else:
        image_file, label_file = _idx_files(name, split, folder)
        pixels, labels = _read_idx(image_file, rank=3), _read_idx(label_file, rank=1)
        if pixels.shape[1:] != (28, 28) or len(pixels) != len(labels):
            raise DataError(
                f"Expected N images of 28×28 and N labels, got {pixels.shape} in {image_file} and "
                f"{labels.shape} in {label_file.name}. Delete both and download the data set again."
            )
    return Split(
        torch.from_numpy(pixels.reshape(-1, 784).astype(np.float32)).div_(255),
        torch.from_numpy(labels.astype(np.int64)),
    )


def fingerprint(split: Split) -> str:
    """SHA-256 (hex) over pixels, then labels, both as uint8: equal for equal data on any machine."""
    digest = hashlib.sha256(split.images.mul(255).round().to(torch.uint8).numpy().tobytes())
    digest.update(split.labels.to(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def download(
    name: str,
    folder: str | Path | None = None,
    *,
    progress: Callable[[int, int, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    time_limit: float = 300.0,
) -> None:
    """Fetch the missing files of `name` from torchvision's mirrors, check their md5 and unpack them.

    `progress(done_bytes, total_bytes, file_name)` hears of every block, file by file; total_bytes is 0 where
    the server does not tell it. `cancelled()` is asked at every block. `time_limit` in seconds is for all
    files together; a mirror that falls silent is left after 15 seconds. A file appears only when it is whole.
    Raises `DataError`, or `Cancelled`.
    """
    if _known(name) == "digits":
        return  # inside scikit-learn's wheel
    source = getattr(_torchvision_datasets(), _TORCHVISION_CLASS[name])
    deadline = time.monotonic() + time_limit

    def fetch(mirror: str, archive: str) -> bytes:
        content = io.BytesIO()  # 26 MB at most: less than the tensor it becomes
        patience = max(0.1, min(_STALL, deadline - time.monotonic()))
        for block, total in _stream(mirror + archive, patience):
            content.write(block)
            if progress:
                progress(content.tell(), total, archive)
            if cancelled and cancelled():
                raise Cancelled(f"The download of {name} was cancelled. Files that are complete are kept.")
            if time.monotonic() > deadline:
                break
        return content.getvalue()

    for archive, md5 in source.resources:
        target = _raw_folder(name, folder) / archive.removesuffix(".gz")
        if target.is_file():
            continue
        problems = []
        for mirror in source.mirrors:
            try:
                content = fetch(mirror, archive)
                came = hashlib.md5(content, usedforsecurity=False).hexdigest()
                problem = "" if came == md5 else f"sent md5 {came} where {md5} was expected"
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
        try:
            storage.write_bytes(target, gzip.decompress(content))
        except OSError as error:
            raise DataError(
                f"{target} cannot be written ({error.strerror}). Make room for it, or {_NAME_A_FOLDER}."
            ) from error


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"Expected a data set out of {', '.join(NAMES)}, got {name!r}.")
    return name


def _raw_folder(name: str, folder: str | Path | None) -> Path:
    return data_dir(folder) / _TORCHVISION_CLASS[name] / "raw"


def _idx_files(name: str, split: str, folder: str | Path | None) -> tuple[Path, Path]:
    raw, prefix = _raw_folder(name, folder), _PREFIX[split]
    return raw / f"{prefix}-images-idx3-ubyte", raw / f"{prefix}-labels-idx1-ubyte"


def _read_idx(path: Path, rank: int) -> np.ndarray:
    """An idx file of bytes: 0, 0, 8, rank, big-endian sizes, then the values (yann.lecun.com/exdb/mnist)."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}). Download the data set, or {_NAME_A_FOLDER}."
        ) from error
    start = 4 + 4 * rank
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if content[:4] != bytes([0, 0, 8, rank]) or len(content) != start + np.prod(shape, dtype=object):
        raise DataError(
            f"Expected an idx file of bytes with {rank} dimension(s), got {len(content)} bytes in {path} "
            f"that begin with {content[:start].hex()}. Delete it and download the data set again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _torchvision_datasets() -> ModuleType:
    try:
        import torchvision.datasets
    except ModuleNotFoundError as error:
        raise DataError(
            "A download needs torchvision, which is not installed here. Install it with: "
            "python -m pip install -r requirements.txt"
        ) from error
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        # "operator torchvision::nms does not exist": built for another torch, often CUDA beside CPU-only
        raise DataError(
            f"The installed torchvision does not fit torch {torch.__version__} ({error}). Repair the pair "
            "with: python -m pip install --force-reinstall -r requirements.txt"
        ) from error
    return torchvision.datasets


def _stream(url: str, timeout: float) -> Iterator[tuple[bytes, int]]:
    """Blocks of a file as they arrive, each with the file's size. Raises OSError or HTTPException."""
    # Some mirrors turn Python's own agent away.
    request = urllib.request.Request(url, headers={"User-Agent": "latent-space-explorer"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        total, done = int(response.headers.get("Content-Length") or 0), 0
        while block := response.read1(1 << 16):  # what has arrived; read() would wait for a full block
            done += len(block)
            yield block, total
    if done < total:
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
