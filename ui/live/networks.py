"""Weights and codes on their way to the browser: by HTTP, straight from the checkpoint's files.

An address holds the fingerprint of what lies there, so a browser may keep it for ever: a reload costs nothing, and a
model that was trained again has another address. What a view is told of a network is `network`; registry.mjs
fetches it. Imports no torch: a live page paints before that.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vae_core import contents
from vae_core.data import known
from vae_core.storage import StorageError, read_json

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"
FILES = ("weights", "codes")
PRINT = 16  # hexadecimal digits of SHA-256 in an address: 64 bits tell versions of one file apart
FOR_EVER = "public, max-age=31536000, immutable"


def stamp(slug: str) -> tuple[int, ...]:
    """When the files of a model were last replaced, and how long they are. Raises `StorageError` without them."""
    try:
        files = [(CHECKPOINTS / slug / name).stat() for name in ("card.json", *(f"{f}.safetensors" for f in FILES))]
    except OSError as error:
        raise StorageError(f"The files of {slug} cannot be read: {error}.") from error
    return tuple(number for file in files for number in (file.st_mtime_ns, file.st_size))


def network(slug: str) -> dict[str, Any]:
    """Of a whole model {slug, card, weights, codes, bytes, classes, colours}: what of its card the browser needs, two
    addresses relative to the app's, how long the two files are, and of its data set's classes the names and colours.
    Raises `StorageError` where a file is broken: it is named here, not by each browser."""
    return _network(CHECKPOINTS, slug, stamp(slug))


@lru_cache(maxsize=64)
def _network(root: Path, slug: str, _stamp: tuple[int, ...]) -> dict[str, Any]:
    folder = root / slug
    card, _ = contents.read_card(folder)
    contents.read_weights(folder)
    contents.read_codes(folder)
    files = {name: (folder / f"{name}.safetensors").read_bytes() for name in FILES}
    addresses = {name: f"weights/{slug}/{_print(file)}/{name}.safetensors" for name, file in files.items()}
    told = {key: card[key] for key in ("slug", "kind", "config", "dataset", "test")}
    dataset = known(card["dataset"]["name"], int(card["config"]["model"]["n_classes"]))
    return {
        **{"slug": slug, "card": told, **addresses, "bytes": {name: len(file) for name, file in files.items()}},
        **{"classes": list(dataset.classes), "colours": list(dataset.colours)},
    }


def judge() -> dict[str, Any] | None:
    """Where the weights of the judge lie, and its threshold; None where it is not here or its files are broken."""
    folder = CHECKPOINTS / "judge"
    try:
        threshold = read_json(folder / "card.json")["threshold"]
        return {
            "weights": f"weights/judge/{_print((folder / 'weights.safetensors').read_bytes())}/weights.safetensors"
        } | {"threshold": float(threshold)}
    except (OSError, StorageError, KeyError, TypeError, ValueError):
        return None


def _print(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()[:PRINT]


def _send(request: Request) -> Response:
    """One file of one model; in a thread of its own, since it reads and weighs megabytes."""
    slug, wanted, name = (request.path_params[key] for key in ("slug", "print", "name"))
    folder = CHECKPOINTS / slug
    # A slug is the name of a folder that is listed here, never a path.
    if name not in FILES or folder.parent != CHECKPOINTS or slug not in {path.name for path in CHECKPOINTS.iterdir()}:
        return PlainTextResponse("There is no such model here.", status_code=404)
    try:
        file = (folder / f"{name}.safetensors").read_bytes()
    except OSError:
        return PlainTextResponse("The file of this model cannot be read.", status_code=404)
    if _print(file) != wanted:
        return PlainTextResponse("This model has been replaced: reload the page.", status_code=404)
    # Half-precision numbers hardly shrink (7 %), and the server would shrink them again for every visitor.
    headers = {"Cache-Control": FOR_EVER, "Content-Encoding": "identity"}
    return Response(file, headers=headers, media_type="application/octet-stream")


def base_path() -> str:
    """Where the server serves the app: "" or, by `server.baseUrlPath`, such as "/explorer"."""
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return f"/{base}" if base else ""


ROUTES = [Route(f"{base_path()}/weights/{{slug}}/{{print}}/{{name}}.safetensors", _send)]
