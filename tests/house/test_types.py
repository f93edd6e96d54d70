"""What the modules declare of options and messages, beside what Python tells and reads: JSON itself knows no names.

tsc holds a module to its own declarations, and the readers of `ui/live/messages.py` are held to the messages in
`benchmarks/hostile_messages.py`; this holds the one to the other, without node.
"""

import re
from pathlib import Path

import pytest

from benchmarks.hostile_messages import VIEWS, Visit

STATIC = Path(__file__).resolve().parents[2] / "static"


def closed(text: str, at: int) -> int:
    """Where the bracket that opens at `at` has closed."""
    depth = 0
    for i in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1
    raise ValueError(f"A bracket stays open: {text[at : at + 60]}")


def typedefs(code: str) -> dict[str, str]:
    """The types that a module declares in its comments, by name; `@property` lines as an object written in one."""
    found, name = {}, ""
    for comment in re.findall(r"/\*\*.*?\*/", code, re.DOTALL):
        text = re.sub(r"\n\s*\* ?", " ", comment)
        for match in re.finditer(r"@(typedef|property) (?={)", text):
            end = closed(text, match.end())
            kind, called = text[match.end() + 1 : end - 1].strip(), re.match(r"\s*(\[?)(\w+)", text[end:])
            if match[1] == "property":
                found[name] = f"{found[name][:-1]}{called[2]}{'?' * bool(called[1])}: {kind}, }}"
            else:
                name = called[2]
                found[name] = "{}" if kind == "object" else kind
    return found


def fields(declared: str) -> dict[str, bool]:
    """Name → whether it must be there, of `{a: number, b?: {c: string}}`: what is within a field is tsc's to know."""
    assert declared.startswith("{") and closed(declared, 0) == len(declared), f"not an object: {declared}"
    flat, depth = "", 0
    for c in declared[1:-1]:
        depth += c in "{(["
        flat += "" if depth else c
        depth -= c in "})]"
    return {name: not optional for name, optional in re.findall(r"(\w+)(\??):", flat)}


def fits(value: dict, declared: str) -> bool:
    known = fields(declared)
    return value.keys() <= known.keys() and {name for name, wanted in known.items() if wanted} <= value.keys()


def test_the_reader_of_declarations_reads_them():
    """It is the kind of code that can be wrong."""
    inner = "{a: number, b?: {c: string}[] | null, d: (e: number) => void}"
    assert fields(inner) == {"a": True, "b": False, "d": True} and fields("{}") == {}
    assert fits({"a": 1, "d": 2}, inner) and fits({"a": 1, "b": 0, "d": 2}, inner)
    assert not fits({"a": 1}, inner) and not fits({"a": 1, "d": 2, "c": 3}, inner)
    lines = "/**\n * @typedef {object} A\n * @property {{b: number}} c that\n * @property {string} [d]\n */"
    assert {name: fields(of) for name, of in typedefs(f"/** @typedef {{{inner}}} I this */{lines}").items()} == {
        "I": fields(inner),
        "A": {"c": True, "d": False},
    }


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_and_python_call_things_by_the_same_names(name, monkeypatch, tmp_path):
    """Otherwise an option that was renamed on one side is undefined on the other, and nothing says so."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    module = name.split(",")[0]
    code = (STATIC / module).read_text(encoding="utf-8")
    types = typedefs(code)
    component = re.search(r'host\.mjs"\)\.Component<(.+?), ([^,<>]+)>', code)
    assert component, f"{module}: expected Component<Options, Message> of host.mjs in its comments"
    wanted, says = component.groups()
    told = Visit(VIEWS[name]).told()
    assert fits(told, types.get(wanted, wanted)), f"{module}: {sorted(told)} is not {types.get(wanted, wanted)}"
    if says == "never":
        return
    message = VIEWS[name].says(told)
    forms = [types[form] for form in says.split(" | ")]
    assert any(fits(message, form) for form in forms), f"{module}: {sorted(message)} is none of {forms}"
