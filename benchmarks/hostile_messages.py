"""What a browser may say that no view would: forged messages of the live views, links, and a page to say them to."""

from __future__ import annotations

import base64
import copy
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
BITS = "A" * 40 + "_" * 50 + "A" * 41  # some strokes, as a view writes them


class View(NamedTuple):
    """A live view: where it stands, and what it says when a hand has let go, made from what it was told."""

    page: str
    link: dict[str, str]
    says: Callable[[dict[str, Any]], dict[str, Any]] = dict
    once: bool = False  # what it says is heard and gone, `live.view`'s `once`
    module: str = ""  # where the page has several that are heard alike


def _studio(told: dict[str, Any]) -> dict[str, Any]:
    codes, own = {m["kind"]: [0, 1.5] for m in told["models"]}, {"said": None, "origin": None}
    return {"bits": BITS, "label": 3, "codes": codes, "posterior": False, "spoilt": False, **own}


def _map(told: dict[str, Any]) -> dict[str, Any]:
    said = {"kind": "cvae", "z": [0, -1.25], "label": 4, "t": 0, "answer": "digit"}
    more = {"own": False, "told": None}
    place = {"left": [0, 1], "right": [0.5, -2]}
    walk = {"ends": [3, 18], "said": {"right": said}}
    return {"left": "ae", "right": "cvae", "image": 7, "z": place, "drawn": "left", "walk": walk, **more}


def _sliders(told: dict[str, Any]) -> dict[str, Any]:
    codes = {m["kind"]: [0] * len(m["sd"]) for m in told["models"]}  # "Middle"
    return {"codes": codes, "label": 0, "lead": "vae", "digit": told["digit"]["id"]}


def _restore(told: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "gaussian", "amount": 0, "seed": 2, "told": {"cvae": 4}}


def _taken(told: dict[str, Any]) -> dict[str, Any]:
    return {"drawing": BITS, "kind": told["models"][0]["kind"]}


def _chooser(told: dict[str, Any]) -> dict[str, Any]:
    return {"picture": base64.b64encode(drawn()).decode(), "name": "one.png", "id": 1}


def drawn() -> bytes:
    """A picture of a 1."""
    image = Image.new("L", (60, 60), 235)
    ImageDraw.Draw(image).line((30, 10, 30, 50), fill=20, width=6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


# By module and, where sizes or models differ, more than once; a test compares the list with the calls in ui/.
VIEWS: dict[str, View] = {
    "views/studio/studio.mjs": View("studio.py", {}, _studio),
    "views/studio/parting.mjs": View(
        "studio.py", {}, lambda told: {"bits": BITS, "said": None, "origin": None}, once=True
    ),
    "views/map/map.mjs": View("pages/1_Map.py", {}, _map),
    "views/sliders.mjs": View("pages/2_Sliders.py", {"sliders_dim": "2"}, _sliders),
    "views/sliders.mjs, 20-D": View("pages/2_Sliders.py", {"sliders_dim": "20"}, _sliders),
    "views/styles.mjs": View("pages/3_Styles.py", {}, lambda told: {"digit": told["digit"]["id"], "z": [0, -1]}),
    "views/leak.mjs": View(  # it has nothing to say, and nothing that is said for it is heard
        "pages/3_Styles.py", {"styles_part": "Leak"}, lambda told: {}
    ),
    "views/interpolate/interpolate.mjs": View(
        "pages/4_Interpolate.py", {"digit_by": "Draw"}, lambda told: {"t": 1, "from": BITS}
    ),
    "views/restore.mjs": View("pages/5_Restore.py", {"spoil_dim": "2"}, _restore),
    "views/bound/posterior.mjs": View("pages/6_The_bound.py", {}, lambda told: {"mean": [0, 1]}),
    "views/generate/generate.mjs": View("pages/7_Generate.py", {}, _taken, once=True),
    "views/generate/generate.mjs, near": View(
        "pages/7_Generate.py", {"generate_part": "Near yours"}, _taken, once=True, module="views/generate/generate.mjs"
    ),
    "views/generate/densities.mjs": View(  # it has nothing to say, and nothing that is said for it is heard
        "pages/7_Generate.py", {"generate_part": "Prior and posterior"}, lambda told: {}
    ),
    "views/few_labels.mjs": View(
        "pages/9_Few_labels.py", {"few_by": "You"}, lambda told: {"hand": f"{told['asked'][0]['i']}:4"}
    ),
    "parts/sheet.mjs": View("pages/8_Models.py", {}, lambda told: {"drawing": BITS}, once=True),
    "parts/chooser.mjs": View("pages/3_Styles.py", {}, _chooser, once=True),
    "views/bound/betas.mjs": View("pages/6_The_bound.py", {"part": "β"}, lambda told: {"beta": 1}),
}


class Fault(Exception):
    """A page that shows an exception, or has lost its controls."""


class Visit:
    """A page with its live view, driven as a browser drives it."""

    def __init__(self, view: View):
        from streamlit.testing.v1 import AppTest

        page, link, _, once, _ = self.view = view
        self.component = "lse_once" if once else "lse_view"
        self.app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120)
        if page != "studio.py":
            self.app.switch_page(page)
        for name, value in link.items():
            self.app.query_params[name] = value
        self.app.run()
        self.controls = self._controls()
        self.check()

    def told(self) -> dict[str, Any]:
        """What the page tells its view."""
        return json.loads(json.loads(self._view().json)["options"])

    def say(self, message: Any) -> None:
        """The view's message arrives as text, with whatever Python's decoder takes: NaN, 1e999, 400 digits."""
        # AppTest's `run` with the state of the view beside those of the widgets: it knows no component of its own.
        states = self.app._tree.get_widget_states()
        name = self._view().id
        if self.view.once:
            said = [{"event": "message", "value": message}]
            states.widgets.add(id=f"$$STREAMLIT_INTERNAL_KEY_{name}__events", json_trigger_value=json.dumps(said))
        else:
            states.widgets.add(id=name, json_value=json.dumps({"message": message}))
        self.app._run(states)

    def check(self) -> None:
        from ui.shell.failure import FAILED

        for error in self.app.exception:
            raise Fault(f"{error.proto.type}: {error.message}")
        if any(error.value == FAILED for error in self.app.error):
            raise Fault("an exception was caught and said")
        if not self.app.title or not (len(self.controls) > 1 or self.app.button):  # the title counts as one
            raise Fault("the page has no controls")
        if lost := self.controls - self._controls():
            raise Fault(f"the page has lost {sorted(lost)}")

    def shown(self) -> str:
        """What the page says beside its live view."""
        kinds = ("caption", "markdown", "info", "warning")
        texts = [element.value for kind in kinds for element in self.app.get(kind)]  # pyright: ignore[reportAttributeAccessIssue]: no Block is of these kinds
        return "\n".join([*texts, *(element.proto.body for element in self.app.get("html"))])

    def _controls(self) -> set[str]:
        kinds = ("title", "number_input", "segmented_control", "selectbox", "toggle")
        # Of the visitor's own digit the number's control is another one, without a number.
        found = {f"{kind} {element.key or ''}" for kind in kinds for element in self.app.get(kind)}
        return {name.replace("_no_number", "_number") for name in found} | (
            {"the live view"} if self._view() else set()
        )

    def _view(self) -> Any:
        views = (c.proto for c in self.app.get("bidi_component") if c.proto.component_name == self.component)
        return next((view for view in views if self.view.module in view.json), None)


def places(message: Any, way: tuple = ()) -> Iterator[tuple]:
    """The way to every value in a message, itself included."""
    yield way
    if isinstance(message, dict | list):
        for name, value in message.items() if isinstance(message, dict) else enumerate(message):
            yield from places(value, (*way, name))


def deep(levels: int) -> list:
    nest: list = []
    for _ in range(levels):
        nest = [nest]
    return nest


HOSTILE = (
    *(None, True, False, -1, 10, 10**6, 2**63, 10**400, -(10**400), 0.5, -0.0, 1e308, 5e-324),
    *(float("nan"), float("inf"), float("-inf")),
    *(
        "",
        "0",
        "3",
        "٣",
        "vae",
        "nobody",
        "__class__",
        "../..",
        "<script>alert(1)</script>",
        "\ud800",
        "%00",
        "A" * 131,
    ),
    *("000000000000", "x" * 1_000_000),
    *([], {}, [None], [0], [0, 0], [[0, 0]], [0] * 10_000, {"": 0}, {"vae": [0, 0]}, {"left": {}}, deep(200)),
)


def forged(message: dict[str, Any], dice: random.Random) -> tuple[Any, str]:
    """The message with a value or two that are not as they should be, and which in words."""
    message, said = copy.deepcopy(message), []
    for _ in range(dice.choice((1, 1, 1, 2))):
        way = dice.choice(list(places(message)))
        value = copy.deepcopy(dice.choice(HOSTILE))
        said.append(f"{'.'.join(map(str, way)) or 'all'} = {repr(value)[:40]}")
        if not way:
            return value, said[-1]
        holder = message
        for name in way[:-1]:
            holder = holder[name]
        kind = dice.random()
        if kind < 0.8:
            holder[way[-1]] = value
        elif kind < 0.9:
            del holder[way[-1]]
            said[-1] = f"no {'.'.join(map(str, way))}"
        elif isinstance(holder, dict):
            holder["more"] = value
        else:
            holder.append(value)
    return message, ", ".join(said)


# Links ----------------------------------------------------------------------------------------------------------------

TEXTS = (  # what stands behind the = of a parameter; its name alone is the first
    *("", " ", "0", "-0", "-1", "+1", "0.5", "1.5", "1e3", "0x10", "1_000", "9" * 400, "-" + "9" * 400),
    *("inf", "-inf", "nan", "NaN,NaN", "1e999", "-1e999", "1e308", "٣", "²", "１２", "5,5,5,5,5,5,5,5"),
    *("../..", "../../etc/passwd", "/", "%", "%00", "%zz", "\0", "\n", "<script>alert(1)</script>", '"><img src=x>'),
    *(
        "{}",
        "[[",
        "null",
        "None",
        "true",
        ",",
        ",,,,",
        ";:;",
        "vae:1,2;cvae:x",
        "mnist:",
        "mnist:-1",
        "nobody:7",
        "&=?#",
    ),
    *("x" * 20_000, "A" * 130 + "B", "é😀\u202e"),
)


def links(seed: int, tries: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Openings of every page (its file, its link) that give each of its parameters each text, all at once: in the
    opening i the parameter j has the text i + j. A part of a page is opened like a page."""
    from ui.parts.digit import parameters
    from ui.parts.links import DIGITS, HALVES, LINKS, PARTS
    from ui.shell.pages import GROUPS

    start = random.Random(seed).randrange(len(TEXTS))
    files = {title: path for pages in GROUPS.values() for path, title, _ in pages}
    for page, kept in LINKS.items():
        names = [*kept, *(name for key in DIGITS[page] for name in parameters(key))]
        name_of_part, parts = {"The bound": ("part", PARTS), "Restore": ("spoil_part", HALVES)}.get(page, ("", ()))
        for part in (None, *parts):
            for i in range(min(tries, len(TEXTS))):
                link = {name: TEXTS[(start + i + j) % len(TEXTS)] for j, name in enumerate(names)}
                yield files[page], link | ({name_of_part: part} if part else {})
