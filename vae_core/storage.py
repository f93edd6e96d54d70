"""Files that are whole or not there and hold finite numbers: atomic writes, tensors without pickle, one writer.

What is read is refused where it could not have been written here. torch is imported only where tensors are made: pages
that paint before it is there read the same files as NumPy arrays.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:
    from torch import Tensor

JSON_LIMIT = 8 * 2**20  # bytes; a card of 100,000 epochs stays below it
JSON_DEPTH = 32
TENSORS_LIMIT = 2**30
HEADER_LIMIT = 2**20  # of a safetensors file
WHOLE = frozenset({"U8", "I8", "I16", "I32", "I64"})
REAL = frozenset({"F16", "F32", "F64"})
MOST = 10_000_000  # of a size that a file may choose
LARGEST = 1e12  # of a number of a checkpoint: its square is still a float32, which all of them become
_REMEDY = "Restore it or train the model again."


class Layout(NamedTuple):
    """What a file of tensors must hold; a name that ends in "?" may be missing.

    A size is a number, or a word for one that the file may choose, the same wherever that word stands.
    """

    shapes: Mapping[str, tuple[int | str, ...]]
    whole: frozenset[str] = frozenset()  # tensors of whole numbers; the others are real


class StorageError(RuntimeError):
    """A file that cannot be read as what it should be; the message says which and what to do."""


class NotFiniteError(StorageError):
    """What should be written holds a number that is none."""


# Writing --------------------------------------------------------------------------------------------------------------


def write_files(folder: Path, files: Mapping[str, bytes], remove: tuple[str, ...] = ()) -> None:
    """Replace several files: all are written beside before the first is renamed, so that a full disk changes nothing.

    The last one named says that the others are there: its old version goes first, its new one comes last. The files
    named in `remove` go with the old ones. Raises `OSError` with a file's own name: a full disk's does not say what was
    being written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    beside: dict[str, str] = {}
    name = ""
    try:
        for name, data in files.items():
            handle, beside[name] = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".tmp")
            with os.fdopen(handle, "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.chmod(beside[name], 0o644)  # mkstemp's 0600 would follow the file into a shared checkout
        if len(files) > 1 or remove:
            for name in (list(files)[-1], *remove):
                (folder / name).unlink(missing_ok=True)
        for name in list(files):
            os.replace(beside[name], folder / name)
            del beside[name]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder / name)) from error
    finally:
        for temporary in beside.values():
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write beside and rename: a reader sees the old file or the new one, never half of one."""
    write_files(path.parent, {path.name: data})


def json_bytes(name: str, value: Any) -> bytes:
    """Strict JSON. Raises `NotFiniteError` for NaN and infinities, which other readers of JSON refuse."""
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except ValueError as error:
        raise NotFiniteError(f"{name} would hold a number that is not finite ({error}): it is not written.") from error


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, json_bytes(str(path), value))


def tensor_bytes(name: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file. Raises `NotFiniteError` naming the tensor that holds NaN or an infinity."""
    from safetensors.torch import save

    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise NotFiniteError(f"{name} would hold numbers that are not finite (in {key}): it is not written.")
    return save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(metadata or {}))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    write_bytes(path, tensor_bytes(str(path), tensors, metadata))


# Reading --------------------------------------------------------------------------------------------------------------


def is_there(path: Path) -> bool:
    """Whether there is a file of this name; also where nobody may look: to read it will then say why it cannot be."""
    try:
        return path.is_file()
    except OSError:
        return True


def read_json(path: Path) -> Any:
    """Raises `StorageError` where the file is missing, is not strict JSON, or is larger than any file of ours."""
    content = _content(path, JSON_LIMIT)
    try:
        value = json.loads(content.decode("utf-8"))
        # What could not be written is not read: NaN, 1e999, halves of a character.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path} is not valid JSON ({error}). {_REMEDY}") from error
    level, depth = [value], 0
    while level:
        level = [v for each in level if isinstance(each, dict | list) for v in _children(each)]
        depth += 1
        if depth > JSON_DEPTH:
            raise StorageError(f"{path} is nested more than {JSON_DEPTH} levels deep: it is no file of ours. {_REMEDY}")
    return value


def _children(value: dict[str, Any] | list[Any]) -> Any:
    return value.values() if isinstance(value, dict) else value


def read_tensors(path: Path, layout: Layout | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata. Raises `StorageError` where the file is missing, truncated or foreign, and with the name of
    the tensor that holds NaN or is not as `layout` says; the latter is known before any is read."""
    with _opened(path, layout, "pt") as f:
        tensors = {name: f.get_tensor(name) for name in f.keys()}
        for name, tensor in tensors.items():
            # Of a run that is stopped, in a file without a layout, the optimiser's numbers may be of any finite size.
            most = sys.float_info.max if layout is None else LARGEST
            if tensor.is_floating_point() and tensor.numel() and not float(tensor.abs().max()) <= most:  # nor NaN
                raise StorageError(_not_usable(path, name))
        return tensors, f.metadata() or {}


def read_arrays(path: Path, layout: Layout | None = None) -> dict[str, np.ndarray]:
    """`read_tensors` without torch."""
    with _opened(path, layout, "numpy") as f:
        arrays = {name: f.get_tensor(name) for name in f.keys()}
        for name, array in arrays.items():
            if array.dtype.kind == "f" and array.size and not float(np.abs(array).max()) <= LARGEST:  # nor NaN
                raise StorageError(_not_usable(path, name))
        return arrays


def check_tensors(path: Path, layout: Layout) -> None:
    """Raise what `read_tensors` would raise, by the file's header alone."""
    with _opened(path, layout, "numpy"):
        pass


@contextmanager
def _opened(path: Path, layout: Layout | None, framework: str) -> Iterator[Any]:
    """The open file, once its header has been compared with `layout`; every error of the library as `StorageError`."""
    header = int.from_bytes(_content(path, TENSORS_LIMIT, 8), "little")
    if header > HEADER_LIMIT:
        raise StorageError(f"{path} is not a whole safetensors file (a header of {header} bytes). {_REMEDY}")
    try:
        with safe_open(path, framework=framework) as f:
            found = {name: f.get_slice(name) for name in f.keys()}
            for name, part in found.items():
                kinds = REAL | WHOLE if layout is None else WHOLE if name in layout.whole else REAL
                if part.get_dtype() not in kinds:
                    told = f"{part.get_dtype()}; expected {', '.join(sorted(kinds))}"
                    raise StorageError(f"{path}: {name} holds numbers of the type {told}. {_REMEDY}")
            if layout is not None:
                _compare(path, {name: tuple(part.get_shape()) for name, part in found.items()}, layout.shapes)
            yield f
    except (SafetensorError, OSError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise StorageError(f"{path} is not a whole safetensors file ({error}). {_REMEDY}") from error


def _compare(path: Path, found: Mapping[str, tuple[int, ...]], shapes: Mapping[str, tuple[int | str, ...]]) -> None:
    chosen: dict[str, int] = {}
    for name in sorted(found.keys() | {name for name in shapes if not name.endswith("?")}):
        have, want = found.get(name), shapes.get(name, shapes.get(f"{name}?"))
        for size, word in zip(have or (), want or (), strict=False):
            if isinstance(word, str) and 0 < size <= MOST:
                chosen.setdefault(word, size)
        told = None if want is None else tuple(chosen.get(w, w) if isinstance(w, str) else w for w in want)
        if have != told:
            raise StorageError(f"{path} does not fit: {name} should be {_told(told)} and is {_told(have)}. {_REMEDY}")


def _told(shape: tuple[int | str, ...] | None) -> str:
    if shape is None:
        return "absent"
    sizes = ", ".join(map(str, shape))
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


def _not_usable(path: Path, name: str) -> str:
    return f"{path}: {name} holds numbers that are not finite or are beyond {LARGEST:g}. {_REMEDY}"


def _content(path: Path, limit: int, first: int | None = None) -> bytes:
    """The file's bytes, or its `first` ones. Raises `StorageError` where it is missing, no file, or above the limit."""
    try:
        if not path.is_file():
            raise StorageError(f"{path} does not exist. Train the model or restore the file.")
        size = path.stat().st_size
        if size > limit:
            raise StorageError(f"{path} has {size:,} bytes; at most {limit:,} are expected. {_REMEDY}")
        with path.open("rb") as f:
            return f.read(size if first is None else first)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}. {_REMEDY}") from error


def locked(path: Path) -> AbstractContextManager[Any]:
    """Hold the lock that stands for `path` among all processes; waits for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")
