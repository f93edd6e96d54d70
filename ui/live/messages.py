"""What the browser says, read as the form that was agreed on; what is not of the form is as if it had not come.

A message is JSON, and anybody may write it. A `Reader` takes one value of it and gives it back clean, or raises
`Unreadable`; a view's reader is put together from those below. Each bounds a value before it looks into it: a reading
costs as much as the form has fields, never as much as the message is long. Numbers come back as floats: JavaScript's 0
arrives as an integer, and a tensor of it would be one of integers.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

Reader = Callable[[Any], Any]
FARTHEST = 1e6  # from 0, of a place on a map: no hand gets there, and the networks' float32 holds it
DRAWING = r"[A-Za-z0-9_-]{130}[AEIMQUYcgkosw048]"  # 98 bytes as static/maths/digit.mjs writes them: 28 × 28 bits
LARGEST = 5_000_000  # bytes of a picture; static/parts/bring.mjs makes it smaller or refuses it itself
_log = logging.getLogger(__name__)


class Refused(NamedTuple):
    """In place of a value that a visitor may have caused and that cannot be taken: what to tell them."""

    sentence: str


class Unreadable(ValueError):
    """A value is not of its form. The words are for the server's log."""


def read(reader: Reader, message: Any, *, log: bool = False) -> Any:
    """The message as its reader gives it back; None where there is none, or where it is not of the form."""
    if message is None:
        return None
    try:
        return reader(message)
    except Unreadable as error:
        if log:
            _log.warning("A message was ignored: %s", error)
        return None


# Single values --------------------------------------------------------------------------------------------------------


def number(low: float = -FARTHEST, high: float = FARTHEST) -> Reader:
    def reader(value: Any) -> float:
        # Compared before it is converted: an integer of 400 digits is no float. NaN is in no range.
        if type(value) in (int, float) and low <= value <= high:
            return float(value)
        raise _other(f"a number from {low:g} to {high:g}", value)

    return reader


def integer(low: int, high: int) -> Reader:
    def reader(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise _other(f"an integer from {low} to {high}", value)

    return reader


def choice(options: Collection[str]) -> Reader:
    def reader(value: Any) -> str:
        if isinstance(value, str) and value in options:
            return value
        raise _other(f"one of {', '.join(options)}", value)

    return reader


def text(longest: int, pattern: str = r".*") -> Reader:
    """A text of at most so many characters, all of the pattern."""
    form = re.compile(pattern, re.DOTALL)

    def reader(value: Any) -> str:
        if isinstance(value, str) and len(value) <= longest and form.fullmatch(value):
            if not any("\ud800" <= c <= "\udfff" for c in value):  # half a character, which no page can be sent
                return value
        raise _other(f"a text of at most {longest} characters like {pattern}", value)

    return reader


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _other("true or false", value)


def picture(value: Any) -> bytes | Refused:
    """A file of at most `LARGEST` bytes, that comes as base64. Its length is looked at before anything is decoded."""
    if not isinstance(value, str):
        raise _other("a file as base64", value)
    if len(value) > 4 * -(-LARGEST // 3):
        return Refused(f"This file is too large: bring a picture of at most {LARGEST / 1e6:g} MB.")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return Refused("The picture came damaged: bring it again.")


drawing = text(131, DRAWING)
label = integer(0, 9)


# Several --------------------------------------------------------------------------------------------------------------


def maybe(reader: Reader) -> Reader:
    """A value, or null."""
    return lambda value: None if value is None else reader(value)


def several(n: int, reader: Reader) -> Reader:
    """A list of exactly n values."""

    def read_all(value: Any) -> list[Any]:
        if isinstance(value, list) and len(value) == n:
            return [_at(i, reader, part) for i, part in enumerate(value)]
        raise _other(f"a list of {n}", value)

    return read_all


def vector(n: int, low: float = -FARTHEST, high: float = FARTHEST) -> Reader:
    """A place in n dimensions: n floats, of which a tensor is float32 also where each is whole."""
    return several(n, number(low, high))


def each(names: Collection[str], reader: Reader) -> Reader:
    """Some of these names, or none, with a value each."""

    def read_each(value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping) and len(value) <= len(names) and all(name in names for name in value):
            return {name: _at(name, reader, part) for name, part in value.items()}
        raise _other(f"values for some of {', '.join(names)}", value)

    return read_each


def form(fields: Mapping[str, Reader], optional: Mapping[str, Reader] | None = None) -> Reader:
    """These fields, and those of the optional ones that are there; what else is there is left out."""

    def read_form(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(name in value for name in fields):
            raise _other(f"the fields {', '.join(fields)}", value)
        readers = {**fields, **{name: r for name, r in (optional or {}).items() if name in value}}
        return {name: _at(name, reader, value[name]) for name, reader in readers.items()}

    return read_form


def where(reader: Reader, fits: Callable[[Any], bool], words: str) -> Reader:
    """What a reader gives back, where its parts fit together."""

    def read_fitting(value: Any) -> Any:
        clean = reader(value)
        if fits(clean):
            return clean
        raise Unreadable(f"expected {words}")

    return read_fitting


def either(*readers: Reader) -> Reader:
    """The first of several forms that a message has."""

    def read_either(value: Any) -> Any:
        errors = []
        for reader in readers:
            try:
                return reader(value)
            except Unreadable as error:
                errors.append(str(error))
        raise Unreadable("; or ".join(errors))

    return read_either


def _at(place: str | int, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except Unreadable as error:
        raise Unreadable(f"{place}: {error}") from None


def _other(expected: str, value: Any) -> Unreadable:
    """Nothing of a value that is long stands in the log, and nothing that could break its line."""
    size = f" of length {len(value)}" if isinstance(value, str | list | Mapping) else ""
    came = repr(value) if isinstance(value, float | bool) else f"{type(value).__name__}{size}"
    return Unreadable(f"expected {expected}, got {came}")
