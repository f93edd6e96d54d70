"""Files that are whole or not there: atomic writes, tensors without pickle, one writer at a time."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor


class StorageError(RuntimeError):
    """A file that cannot be read as what it should be; the message says which and what to do."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write beside and rename: a reader sees the old file or the new one, never half of one.

    Raises `OSError` with the file's own name: a full disk's does not say what was being written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would follow the file into a shared checkout
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: Path, value: Any) -> None:
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """Raises `StorageError` where the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StorageError(f"{path} is not valid JSON ({error}). Restore it or train the model again.") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    write_bytes(path, save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(metadata or {})))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata. Raises `StorageError` where the file is missing, truncated or foreign."""
    if not path.is_file():
        raise StorageError(f"{path} does not exist. Train the model or restore the file.")
    try:
        with safe_open(path, framework="pt") as f:
            return {k: f.get_tensor(k) for k in f.keys()}, f.metadata() or {}
    except SafetensorError as error:
        raise StorageError(
            f"{path} is not a whole safetensors file ({error}). Restore it or train the model again."
        ) from error


def locked(path: Path) -> AbstractContextManager[Any]:
    """Hold the lock that stands for `path` among all processes; waits for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")
