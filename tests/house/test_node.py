"""Engine and maths of the browser's side in plain node: seconds, where a browser takes minutes. Only where node is."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "node").glob("*.test.mjs"))


@pytest.mark.skipif(not shutil.which("node"), reason="needs node 20 or later: nobody who runs the app does")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_modules_do_in_node_what_they_say(path):
    """Otherwise a slip in a formula shows first as a canvas that looks odd."""
    done = subprocess.run(["node", "--test", str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# fail 0" in done.stdout and "# pass 0" not in done.stdout
