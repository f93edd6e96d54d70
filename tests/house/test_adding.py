"""docs/adding.md, done: its changes are applied to a copy, and what they add is found on the pages by itself."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDING = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
DIFFS = dict(
    zip(
        re.findall(r"^## (.+)$", ADDING, re.MULTILINE),
        re.findall(r"^```diff\n(.*?)^```", ADDING, re.MULTILINE | re.DOTALL),
        strict=True,
    )
)
# Files; of a corruption one is the browser's.
MOST = {"A kind of model": 2, "A corruption": 2, "A data set": 1, "A page": 2}
VISIT = """
import json, sys
from streamlit.testing.v1 import AppTest

def options(page, module, **query):
    app = AppTest.from_file("studio.py", default_timeout=120)
    app = app.switch_page(page) if page else app
    for name, text in query.items():
        app.query_params[name] = text
    app.run()
    assert not app.exception, app.exception
    assert not app.error, app.error
    told = [json.loads(e.proto.json) for e in app.get("bidi_component") if module in e.proto.json]
    return app, json.loads(told[0]["options"]) if told else None

slug = "turned-small-2d"
_, told = options("pages/1_Map.py", "views/map/map.mjs", left=slug)
assert told["start"]["left"] == slug and slug in [m["kind"] for m in told["models"]]
_, told = options("pages/2_Sliders.py", "views/sliders.mjs", sliders_cast="ae~" + slug, sliders_dim="2")
assert [m["kind"] for m in told["models"]] == ["ae", slug], told["models"]
app, _ = options("pages/8_Models.py", "nothing", model=slug)
assert "<b>Length</b>" in [part.proto.body for part in app.get("html")], "its own term has no curve"
_, told = options("pages/5_Restore.py", "views/restore.mjs", spoil_kind="flood")
assert told["hand"]["kind"] == "flood" and "flood" in [spoil["kind"] for spoil in told["spoils"]]
_, told = options(None, "views/studio/studio.mjs")
assert "flood" in [spoil["kind"] for spoil in told["spoils"]]
app, _ = options("pages/9_Ink.py", "nothing")
assert app.metric[0].label == "Pixels of ink"
assert "Ink" in [link.label for link in app.sidebar.get("page_link")]
"""
PARITY = """
import { corrupt } from "./static/maths/digit.mjs";
const x = Float32Array.from({ length: 784 }, (_, i) => (i % 7) / 7);
console.log(JSON.stringify([...corrupt(x, "flood", 0.3, null)]));
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    """The project with the four changes of docs/adding.md; its models are links to ours."""
    copy = tmp_path_factory.mktemp("house")
    for name in ("vae_core", "ui", "pages", "static", ".streamlit"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "studio.py", copy)
    (copy / "checkpoints").mkdir()
    for entry in (ROOT / "checkpoints").iterdir():
        if not entry.name.startswith("."):
            (copy / "checkpoints" / entry.name).symlink_to(entry)
    for diff in DIFFS.values():
        subprocess.run(["git", "apply", "-p0", "-"], input=diff, text=True, cwd=copy, check=True)
    return copy


@pytest.mark.parametrize("what", DIFFS)
def test_a_change_is_as_small_as_it_is_said_to_be(what):
    """What needs a third file is a register that is none."""
    files = set(re.findall(r"^\+\+\+ (\S+)", DIFFS[what], re.MULTILINE))
    assert 0 < len(files) <= MOST[what], files


def test_what_is_added_is_found_everywhere(house):
    """Otherwise a stranger's model, noise or page is in the code and nowhere to be seen."""
    run = dict(cwd=house, capture_output=True, text=True, check=False)
    train = ["-m", "vae_core", "train", "small", "--dataset", "turned", "--epochs", "1"]
    done = subprocess.run([sys.executable, *train], **run)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([sys.executable, "-c", VISIT], **run)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node, in which the browser's function runs")
def test_the_browsers_function_is_pythons(house):
    done = subprocess.run(
        ["node", "--input-type=module", "-e", PARITY], cwd=house, capture_output=True, text=True, check=True
    )
    code = (
        "import json, torch; from vae_core.corruption import corrupt\n"
        "x = (torch.arange(784) % 7 / 7)[None]\n"
        "print(json.dumps(corrupt(x, 'flood', 0.3, torch.Generator())[0].tolist()))"
    )
    own = subprocess.run([sys.executable, "-c", code], cwd=house, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == pytest.approx(json.loads(own.stdout))
