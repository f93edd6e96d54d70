"""Digits as pictures: white ink on near-black tiles whose pixels stay pixels, with alternative text."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from PIL import Image

from ui.shell.glossary import marked


class Tile(NamedTuple):
    pixels: np.ndarray  # (784,) or (28, 28), in [0, 1]
    caption: str = ""  # plain text, shown bold
    note: str = ""  # plain text, shown small
    edge: str | None = None  # border colour, such as a digit's own


def bits(text: str) -> np.ndarray:
    """A drawing as static/maths/digit.mjs writes it into links → (784,) of 0 and 1. ValueError for another text."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(raw) != 98:
        raise ValueError(f"Expected the 98 bytes of a drawing of 28×28 bits, got {len(raw)}.")
    return np.unpackbits(np.frombuffer(raw, np.uint8)).astype(np.float32)


def grey(pixels: np.ndarray) -> str:
    """Pixels in [0, 1], such as (784,), as a byte each in base64: what static/parts/controls.mjs's `pixelsOf` reads."""
    return base64.b64encode(np.rint(255 * pixels).astype(np.uint8).tobytes()).decode()


def data_uri(pixels: np.ndarray) -> str:
    """A picture (H, W) or (784,) in [0, 1], or uint8 (H, W[, 3]), as an inline PNG at its own size."""
    array = np.asarray(pixels)
    if array.ndim == 1:
        array = array.reshape(28, 28)
    if array.dtype != np.uint8:
        array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def tile_html(tile: Tile, size: int = 112) -> str:
    edge = f"--edge:{tile.edge};" if tile.edge else ""
    caption = f"<b>{html.escape(tile.caption)}</b>" if tile.caption else ""
    note = f"<br><small>{html.escape(tile.note)}</small>" if tile.note else ""
    alt = html.escape(" ".join(filter(None, (tile.caption, tile.note))) or "digit", quote=True)
    return (
        f'<figure class="lse-tile" style="--size:{size}px;{edge}"><img src="{data_uri(tile.pixels)}" alt="{alt}">'
        + (f"<figcaption>{caption}{note}</figcaption>" if caption or note else "")
        + "</figure>"
    )


def row(tiles: Iterable[Tile], size: int = 112, *, columns: int | None = None) -> None:
    """Tiles side by side, wrapping on a narrow screen.

    With `columns` they share the width evenly and rows under each other keep their columns; a phone has half as many.
    """
    grid = f' lse-grid" style="--columns:{columns}' if columns else ""
    st.html(f'<div class="lse-row{grid}">{"".join(tile_html(t, size) for t in tiles)}</div>')


def steps_html(steps: Iterable[Any], height: int) -> str:
    """How a picture became a digit: `digitize`'s steps as figures of this many pixels' height."""
    out = ""
    for step in steps:
        name, caption = html.escape(step.name), html.escape(step.caption)
        out += (
            f'<figure class="lse-step"><img style="height:{height}px" src="{data_uri(step.image)}" '
            f'alt="{name}"><figcaption><b>{name}</b><br><small>{caption}</small></figcaption></figure>'
        )
    return out


class Strip(NamedTuple):
    """One line of pictures with its name in front, such as a model's way from one digit to another."""

    name: str
    note: str
    pictures: Sequence[np.ndarray] | np.ndarray
    alt: str  # what the line shows, read once
    edges: Sequence[str | None] | None = None


def strips(lines: Iterable[Strip]) -> None:
    """Lines of equally many pictures under each other: they share their columns at every width."""
    out = []
    for line in lines:
        edges = line.edges or [None] * len(line.pictures)
        pictures = "".join(
            f'<img src="{data_uri(p)}" alt="{html.escape(line.alt, quote=True) if i == 0 else ""}"'
            + (f' style="--edge:{edge}"' if edge else "")
            + ">"
            for i, (p, edge) in enumerate(zip(line.pictures, edges, strict=True))
        )
        note = f"<small>{html.escape(line.note)}</small>" if line.note else ""
        name = f'<span class="lse-name">{html.escape(line.name)}{note}</span>'
        out.append(f'<div class="lse-strip">{name}{pictures}</div>')
    st.html("".join(out))


def sheet_uri(images: np.ndarray, columns: int) -> str:
    """Many digits (N, 784), row by row from the top, as one inline picture without gaps."""
    rows = len(images) // columns
    return data_uri(np.asarray(images).reshape(rows, columns, 28, 28).swapaxes(1, 2).reshape(rows * 28, columns * 28))


class Bar(NamedTuple):
    share: float  # of the full height, in [0, 1]
    name: str
    note: str
    colour: str


def bars(items: Iterable[Bar], *, alt: str) -> None:
    """Some upright bars with their numbers below them, where a chart would be too much; more than ten, or such as have
    long names, stand in rows."""
    items = list(items)
    many = " lse-many" if len(items) > 10 or any(len(bar.name) > 2 for bar in items) else ""
    columns = "".join(
        f'<div><div class="lse-bar"><span style="height:{100 * min(1.0, max(0.0, bar.share)):.1f}%;'
        f'--colour:{bar.colour}"></span></div><b>{html.escape(bar.name)}</b>{html.escape(bar.note)}</div>'
        for bar in items
    )
    st.html(f'<div class="lse-bars{many}" role="img" aria-label="{html.escape(alt, quote=True)}">{columns}</div>')


LONG = 14  # characters of a cell that is more than a number: on a phone it may take two lines


def numbers(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    best: int | None = None,
    best_cells: Collection[tuple[int, int]] = (),
    words: Collection[int] = (0,),
) -> None:
    """A small table of numbers already formatted with their unit; columns in `words` are text.

    A word of the head that the glossary knows says its sentence as a tooltip.

    Bold marks what is best: a whole row, or single cells (row, column).
    """

    def side(column: int, text: str = "") -> str:
        if column in words:
            return ""
        return "n long" if len(text) > LONG else "n"

    heads = "".join(f'<th class="{side(i)}">{marked(h)}</th>' for i, h in enumerate(head))
    body = ""
    for r, cells in enumerate(rows):
        tds = "".join(
            f'<td class="{side(i, c)}{" best" if (r, i) in best_cells else ""}">{html.escape(c)}</td>'
            for i, c in enumerate(cells)
        )
        body += f'<tr class="{"best" if r == best else ""}">{tds}</tr>'
    st.html(f'<div class="lse-scroll"><table class="lse-numbers"><tr>{heads}</tr>{body}</table></div>')
