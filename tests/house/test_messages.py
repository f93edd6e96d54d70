"""What a browser may say: each view's messages, true and forged, and every value that is read from one."""

import ast
import base64
import json
import logging
import random
import re

import pytest
import torch

from benchmarks.hostile_messages import BITS, HOSTILE, TEXTS, VIEWS, View, Visit, deep, forged, links, places
from tests.house.test_layers import ROOT, UI, name_of, tree_of
from ui.live import messages
from ui.live.messages import Refused, Unreadable
from ui.shell import failure, pages


@pytest.fixture(autouse=True)
def _no_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_DATA", str(tmp_path))


def refused(reader, *values) -> bool:
    for value in values:
        with pytest.raises(Unreadable):
            reader(value)
    return True


# One value ------------------------------------------------------------------------------------------------------------


def test_numbers_are_floats_finite_and_within_bounds():
    """Otherwise a whole number makes a tensor of integers, and NaN or 400 digits reach a network or a chart."""
    read = messages.vector(2, -5, 5)
    assert torch.tensor(read([0, -1])).dtype == torch.float32 and read([0, 5]) == [0.0, 5.0]
    assert all(type(v) is float for v in read([1, 2]))
    for bad in (float("nan"), float("inf"), -float("inf"), 10**400, -(10**400), 5.001, True, None, "0", [0], {}):
        refused(read, [0, bad], [bad, 0])
    refused(read, [0], [0, 0, 0], (0, 0), {"0": 0, "1": 0}, "00", None, 0)


def test_integers_choices_flags_and_texts_are_only_what_was_agreed_on():
    """Otherwise an index is negative, a label 10, a name one of the class's own attributes."""
    assert (
        messages.integer(0, 9)(9) == 9
        and messages.choice(("ae", "vae"))("ae") == "ae"
        and messages.flag(False) is False
    )
    refused(messages.integer(0, 9), -1, 10, 3.0, True, None, "3", 10**400, float("nan"), [3])
    refused(messages.choice(("ae", "vae")), "", "AE", "__class__", None, 0, ["ae"], {"ae": 1})
    refused(messages.flag, 0, 1, None, "true", [])
    assert messages.text(4)("a\nb") == "a\nb" and messages.text(3, "[0-9]+")("123") == "123"
    refused(messages.text(3, "[0-9]+"), "1234", "", "12a", "٣", "1\n", None, 12, ["1"])
    refused(messages.text(9), "\ud800", "x" * 10**6)


def test_a_drawing_is_98_bytes():
    """Otherwise a cut or stretched text raises where its bits are unpacked."""
    from ui.parts.tiles import bits

    rng = random.Random(0)
    for _ in range(200):
        text = base64.urlsafe_b64encode(rng.randbytes(98)).decode().rstrip("=")
        assert messages.drawing(text) == text and len(bits(text)) == 784
    refused(messages.drawing, "", BITS[:-1], BITS + "A", BITS[:-1] + "B", BITS[:-1] + "\n", BITS.replace("_", "/"))


def test_a_file_is_measured_before_it_is_decoded(monkeypatch):
    """Otherwise a message of 11 MB is decoded, copied and given to Pillow, whoever sent it."""
    assert messages.picture(base64.b64encode(b"abc").decode()) == b"abc"
    largest = base64.b64encode(bytes(messages.LARGEST)).decode()
    assert messages.picture(largest) == bytes(messages.LARGEST)
    for text in ("damaged!", "abc", "ä" * 8, "\ud800"):
        assert "damaged" in messages.picture(text).sentence
    refused(messages.picture, None, 3, ["YWJj"], {})
    monkeypatch.setattr(base64, "b64decode", None)
    for text in (largest + "AAAA", "A" * 11_000_000):
        found = messages.picture(text)
        assert isinstance(found, Refused) and "too large" in found.sentence and "5 MB" in found.sentence


def test_a_form_leaves_out_what_it_does_not_know_and_wants_what_it_knows():
    """Otherwise a foreign field lives on in the session, or a missing one raises where it is used."""
    read = messages.form({"a": messages.flag}, {"b": messages.label})
    assert read({"a": True, "c": deep(500)}) == {"a": True} and read({"a": True, "b": 0}) == {"a": True, "b": 0}
    refused(read, {}, {"b": 1}, {"a": 1}, {"a": True, "b": None}, [], None, "a", deep(500))
    some = messages.each(("x", "y"), messages.maybe(messages.label))
    assert some({}) == {} and some({"y": None}) == {"y": None}
    refused(some, {"z": 1}, {"x": 10}, {"x": 1, "y": 1, "z": 1}, [], "xy")


def test_reading_costs_as_much_as_the_form():
    """Otherwise a message of many megabytes is walked through before it is refused: `Long` counts each look."""
    looks = 0

    class Long(list):
        def __iter__(self):
            nonlocal looks
            looks += 1
            return super().__iter__()

    for reader in (messages.vector(2), messages.drawing, messages.each(("a",), messages.label), messages.label):
        assert messages.read(reader, Long([0] * 1000)) is None
    assert looks == 0


# Each view ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_answered_alike_for_integers_and_floats(name, caplog):
    """Otherwise *Middle* of the sliders, whose zeros arrive as integers, ends in an exception."""
    view, shown = VIEWS[name], []
    for kind in (int, lambda v: float(int(v))):
        visit = Visit(view)
        message = view.says(visit.told())
        for way in places(message):
            *path, last = way or (None,)
            holder = message
            for part in path:
                holder = holder[part]
            whole = last in ("label", "image", "id", "seed") or {"ends", "told"} & {*path}
            if way and type(holder[last]) in (int, float) and not whole:
                holder[last] = kind(holder[last])
        visit.say(message)
        visit.check()
        if not name.startswith("views/bound/"):  # they say nothing, and are heard by nobody
            assert not [record for record in caplog.records if record.name == "ui.live.messages"]
        shown.append(visit.shown())
    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", VIEWS)
def test_no_forged_message_takes_anything_from_a_page(name):
    """Otherwise whoever can write a message makes a page fall, for example of 73 out of 187."""
    view, dice = VIEWS[name], random.Random(name)
    visit = Visit(view)
    true = view.says(visit.told())
    visit.say(true)
    visit.check()
    before = visit.shown()
    whole = [HOSTILE[dice.randrange(len(HOSTILE))] for _ in range(4)]
    for message in (None, *whole, *(forged(true, dice)[0] for _ in range(25))):
        visit.say(message)
        visit.check()
    visit.say(true)
    visit.check()
    assert visit.shown() == before


def test_sliders_hear_integers_on_the_middle():
    """It ended in an exception. At the prior's middle a VAE's code is 0.00 σ away."""
    view = VIEWS["views/sliders.mjs"]
    visit = Visit(view)
    visit.say(view.says(visit.told()))
    visit.check()
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", re.findall(r'<table class="lse-numbers">(.*?)</table>', visit.shown())[0])
    cells = [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in rows[1:]]
    assert [row[1] for row in cells if "VAE" in row[0]] == ["0.00", "0.00"]


@pytest.mark.parametrize("name", ["views/sliders.mjs", "views/styles.mjs"])
def test_an_old_digits_message_is_not_this_digits(name):
    """Otherwise codes that were left for another digit are shown as this one's."""
    view = VIEWS[name]
    visit = Visit(view)
    before = visit.shown()
    visit.say(view.says(visit.told()) | {"digit": "0" * 12})
    visit.check()
    assert visit.shown() == before


def test_what_is_ignored_stands_in_the_log(caplog):
    """Otherwise a form that is narrower than its view loses messages in silence. Nothing long, no line breaks."""
    read = messages.form({"a": messages.several(2, messages.number(0, 1))})
    with caplog.at_level(logging.WARNING):
        assert messages.read(read, {"a": [0, "x\n" * 1000]}, log=True) is None
    assert "a: 1: expected a number from 0 to 1, got str of length 2000" in caplog.text
    assert messages.read(read, None, log=True) is None and len(caplog.records) == 1


# Links ----------------------------------------------------------------------------------------------------------------


def test_every_parameter_of_a_link_meets_every_hostile_text():
    """Otherwise the one that ends in an exception is the one that was never tried."""
    from ui.parts.links import LINKS

    met = {}
    for page, link in links(0, len(TEXTS)):
        for name, text in link.items():
            met.setdefault((page, name), set()).add(text)
    assert {page for page, _ in met} == {path for pages in pages.GROUPS.values() for path, _, _ in pages}
    assert {name for _, name in met} >= {name for kept in LINKS.values() for name in kept}
    assert len(TEXTS) == 50 and all(texts >= set(TEXTS) for texts in met.values())


@pytest.mark.parametrize(("page", "link"), list(links(1, 2)))
def test_a_hostile_link_opens_its_page(page, link):
    """Otherwise a link that was cut behind its `=`, or 400 digits, end in an exception in place of the default."""
    Visit(View(page, link))


# The code -------------------------------------------------------------------------------------------------------------


def test_every_live_view_is_tried():
    """A new view cannot be forgotten: the list is compared with the modules that ui/ shows."""
    shown = {
        argument.value
        for path in UI
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("view", "show")
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    }
    assert shown == {name.split(",")[0] for name in VIEWS}


# The live views, and two that say nothing: what gives the focus back, and what writes the link.
SPEAKERS = ("ui/live/bridge.py", "ui/parts/picture.py", "ui/parts/links.py")


@pytest.mark.parametrize("path", UI, ids=name_of)
def test_nobody_reads_a_raw_message(path):
    """What is not read by a form is not bounded: only the bridge touches a component's state, and only for a reader."""
    for node in ast.walk(tree_of(path)):
        raw = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == "message"
        raw |= isinstance(node, ast.Attribute) and node.attr == "message"
        raw |= (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", "") == "get"
            and any(isinstance(a, ast.Constant) and a.value == "message" for a in node.args)
        )
        assert not raw or name_of(path) == "ui/live/bridge.py", f"{name_of(path)}:{node.lineno} reads a raw message"
        component = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("components.v2.component")
        assert not component or name_of(path) in SPEAKERS, f"{name_of(path)}: a component"


CALLS = ("on_click", "on_change", "on_message", "on_submit")
SAFE = ("ignore", "rerun")  # Streamlit's own words


def careful_functions() -> set[str]:
    """Names of functions that end in a sentence when they fail."""
    return {
        node.name
        for path in UI
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).split(".")[-1] == "callback"
    }


@pytest.mark.parametrize("path", UI, ids=name_of)
def test_no_callback_and_no_fragment_can_take_the_page(path):
    """An exception in a callback ends the run before the page is drawn: the visitor is left without a control.
    `bridge.view` guards what it calls by itself."""
    known = careful_functions()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "st.fragment":
            assert name_of(path) == "ui/shell/failure.py", f"{name_of(path)}:{node.lineno}: take the shell's"
        if not isinstance(node, ast.Call) or ast.unparse(node.func) in ("bridge.view", "show", "first.show"):
            continue
        for keyword in node.keywords:
            if keyword.arg in CALLS or re.fullmatch(r"on_\w+_change", keyword.arg or ""):
                words = isinstance(keyword.value, ast.Constant) and keyword.value.value in SAFE
                name = ast.unparse(keyword.value).split(".")[-1]
                assert words or name in known, f"{name_of(path)}:{node.lineno}: {name} is no @callback"


def test_an_exception_becomes_a_sentence_and_the_page_keeps_its_controls(monkeypatch, caplog):
    """Otherwise one mistake of ours takes a whole page; and one that stands in no log is never mended."""
    from ui.live import store
    from ui.parts import picture

    def broken(*_):
        return 1 / 0

    visit = Visit(VIEWS["views/sliders.mjs"])
    app, whole = visit.app, visit.shown()
    for place, name, act in (
        (picture, "next_index", lambda: app.button(key="digit_another").click()),  # in a callback
        (store, "judge", lambda: app),  # in a part of the page
    ):
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, broken)
            act().run()
        assert not app.exception and [error.value for error in app.error] == [failure.FAILED]
        assert visit.controls <= visit._controls() and "ZeroDivisionError" in caplog.text
        app.run()
        assert not app.exception and not app.error and visit.shown() == whole


def test_the_servers_own_limit_is_below_what_a_picture_needs_with_room_to_spare():
    """Otherwise a visitor's picture of 5 MB ends the connection, or 25 MB are read before anybody looks."""
    import tomllib

    server = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]
    assert 4 / 3 * messages.LARGEST + 200_000 < server["maxWidgetStateSize"] * 1e6 <= 10e6
    assert json.dumps(messages.LARGEST / 1e6) == "5.0"
    assert f"const LIMIT = {messages.LARGEST / 1e6:g}e6" in (ROOT / "static/parts/bring.mjs").read_text()
