"""The check of a newcomer's machine, `.ci/run`, up to the point where it has an interpreter that can make a venv, and
`.ci/types` where there is no node."""

import os
import shutil
import subprocess
import sys

import pytest

# What a machine without venv answers: the interpreter lacks it until `apt-get` has unpacked the package that exists.
PYTHON = """#!/bin/sh
case "$*" in
    *ensurepip*) exec test -f "$STAGE/unpacked" ;;
    "-m venv "*) echo "makes a venv"; exit 3 ;;
esac
exec "$REAL_PYTHON" "$@"
"""
APT_GET = """#!/bin/sh
[ "$1" = update ] && exit 0
for package; do :; done
echo "$package" >> "$STAGE/asked"
[ "$package" = "$EXISTS" ] || { echo "E: Unable to locate package $package" >&2; exit 100; }
touch "$STAGE/unpacked"
"""
SUDO = '#!/bin/sh\nshift\nexec "$@"\n'


@pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="needs bash, which .ci/run is written in")
@pytest.mark.parametrize("exists", ["python3-venv", "python3.{}-venv", "nothing"])
def test_ci_finds_the_package_of_venv(root, tmp_path, exists):
    """Debian calls it by the minor version too, and only that name serves an interpreter that is not Debian's default:
    a check that ends there tells nothing about the project."""
    version = "{}.{}".format(*sys.version_info)
    exists = exists.format(sys.version_info.minor)
    for name, text in {"python3": PYTHON, "apt-get": APT_GET, "sudo": SUDO}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "STAGE": str(tmp_path),
        "EXISTS": exists,
        "REAL_PYTHON": sys.executable,
        "CHROMIUM": "named",
    }
    done = subprocess.run(
        [shutil.which("bash"), root / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=60
    )
    wanted = ["python3-venv", f"python{version}-venv"][: 1 if exists == "python3-venv" else 2]
    assert (tmp_path / "asked").read_text().split() == wanted
    if exists == "nothing":
        assert done.returncode == 1 and f"install python{version}-venv" in done.stdout
    else:
        assert done.returncode == 3 and "makes a venv" in done.stdout


@pytest.mark.skipif(os.name != "posix" or not shutil.which("bash"), reason="needs bash, which .ci/types is written in")
@pytest.mark.parametrize("node", ["absent", "old"])
def test_whoever_has_no_node_is_told_what_was_left_out(root, tmp_path, node):
    """Nobody needs node to run the app or its tests, and a check that is silently less than it says is none."""
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    if node == "old":
        for name, code in {"node": 1, "npm": 0}.items():  # what the question for its version answers
            (tmp_path / name).write_text(f"#!{shutil.which('bash')}\nexit {code}\n")
            (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash"), root / ".ci" / "types"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Left out") and all(tool in done.stdout for tool in ("tsc", "eslint", "pyright"))
