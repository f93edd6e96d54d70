"""The house plan, held by reading every import: who may know whom; and the README's file tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui.shell.glossary import in_text
from ui.shell.pages import GROUPS

ROOT = Path(__file__).resolve().parents[2]

# An import goes down only, and files of one layer do not import each other.
LAYERS = {
    "colours": 0,
    "chance": 0,
    "spread": 0,
    "config": 0,
    "losses": 0,
    "corruption": 0,
    "digitize": 0,
    "storage": 0,
    "contents": 1,
    "data": 1,
    "few_labels": 1,
    "code_size": 3,
    "prior": 1,
    "models": 2,
    "latent": 3,
    "training": 3,
    "metrics": 4,
    "likelihood": 4,
    "estimators": 5,
    "aggregate": 5,
    "judge": 4,
    "checkpoints": 5,
    "generation": 5,
    "arrows": 5,
    "jobs": 6,
    "report": 6,
    "measures": 6,
    "sweep": 6,
    "seeds": 7,
    "claims": 7,
    "__main__": 8,
}

# What touches the world, by the last name of the call: `Path(...).read_text()` and `open(...)` alike.
WORLD = {
    *(
        "open",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "mkdir",
        "makedirs",
        "unlink",
        "rmtree",
    ),
    *("exists", "is_file", "is_dir", "glob", "rglob", "iterdir", "listdir", "getenv"),
    *("urlopen", "urlretrieve", "download", "run", "Popen", "check_output", "system"),
    *("ArgumentParser", "parse_args", "basicConfig", "filterwarnings", "simplefilter", "print", "input"),
    *("set_num_threads", "manual_seed", "seed", "set_default_device", "set_default_dtype", "is_available"),
}

CORE = sorted((ROOT / "vae_core").glob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
UI = [*sorted(ROOT.glob("*.py")), *PAGES, *sorted((ROOT / "ui").rglob("*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that `path` imports, at the top or inside a function, as an absolute dotted name.

    `from a import b` yields a.b: b may be a module, and where it is a name the prefix still decides.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join((*base, *filter(None, [node.module])))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            yield from (str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))


def at_import(path: Path) -> Iterator[ast.AST]:
    """Every node that runs when `path` is imported: all but the bodies of functions and lambdas."""
    waiting: list[ast.AST] = [tree_of(path)]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        else:
            waiting += ast.iter_child_nodes(node)


def test_the_reader_of_imports_reads_all_kinds(tmp_path, monkeypatch):
    """A rule that overlooks an import inside a function holds nothing: the reader itself is tested first."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "vae_core" / "x.py"
    path.parent.mkdir()
    path.write_text(
        "import a.b as c\nfrom . import d\nfrom .e import f\nfrom vae_core import g\n"
        "def h():\n    from ui import i\n    importlib.import_module('j')\n    open('not at import')\n"
        "k = [open('at import')]\nclass L:\n    m = print()\n    def n(self, o=input()): run()\n"
    )
    assert set(imports(path)) == {"a.b", "vae_core.d", "vae_core.e.f", "vae_core.g", "ui.i", "j"}
    calls = {node.func.id for node in at_import(path) if isinstance(node, ast.Call)}
    assert calls == {"open", "print", "input"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_imports_downwards(path):
    """A metric that training imports is one that is trained on; a cycle cannot be read from top to bottom."""
    known = {dotted.split(".")[1] for dotted in imports(path) if dotted.startswith("vae_core.")}
    if path.stem == "__init__":
        assert not known, f"vae_core/__init__.py imports {known}: a light module would then cost a heavy one"
        return
    assert path.stem in LAYERS, f"{name_of(path)} has no layer: give it one in LAYERS and in the house plan"
    for other in known & LAYERS.keys():
        assert LAYERS[other] < LAYERS[path.stem], (
            f"{name_of(path)} (layer {LAYERS[path.stem]}) imports {other} (layer {LAYERS[other]})"
        )


# Rooms: what stands higher may know what stands lower, in Python and in the browser. A view knows no other view.
ROOMS = {"ui": ("shell", "live", "parts", "views"), "static": ("engine", "maths", "host.mjs", "parts", "views")}
MODULES = sorted((ROOT / "static").rglob("*.mjs"))


def modules_of(path: Path) -> Iterator[Path]:
    """The modules of ui/ or static/ that one of them imports."""
    if path.suffix == ".mjs":
        for name in re.findall(r"""(?:from|import\() ?["'](\.[^"']+)["']""", path.read_text(encoding="utf-8")):
            yield (path.parent / name).resolve()
        return
    for dotted in imports(path):
        parts = dotted.split(".")
        for n in (len(parts), len(parts) - 1):
            module = ROOT.joinpath(*parts[:n]).with_suffix(".py")
            if parts[0] == "ui" and module.is_file():
                yield module
                break


def room_of(path: Path) -> tuple[int, str]:
    """Its floor, and the view it belongs to."""
    house, room, *rest = path.relative_to(ROOT).parts
    return ROOMS[house].index(room), rest[0].split(".")[0] if room == "views" else ""


@pytest.mark.parametrize("path", [p for p in [*UI, *MODULES] if name_of(p).startswith(("ui/", "static/"))], ids=name_of)
def test_rooms_know_only_what_lies_below(path):
    """Otherwise a page cannot be deleted, and what every page needs drags one page's needs along."""
    if path.name == "__init__.py":
        return
    floor, view = room_of(path)
    for other in modules_of(path):
        below, its_view = room_of(other)
        assert below <= floor, f"{name_of(path)} imports {name_of(other)}, which stands above it"
        assert not its_view or its_view == view, f"{name_of(path)} imports {name_of(other)}, another view"


@pytest.mark.parametrize("house", ROOMS)
def test_no_module_comes_back_to_itself(house):
    """A circle has no first module to read, and none that can be taken out."""
    known = [p for p in (*UI, *MODULES) if name_of(p).startswith(house + "/")]
    knows = {path: [other for other in modules_of(path) if other != path] for path in known}
    open_: list[Path] = []
    done: set[Path] = set()

    def follow(path: Path) -> None:
        assert path not in open_, " → ".join(name_of(p) for p in (*open_[open_.index(path) :], path))
        if path in done:
            return
        open_.append(path)
        for other in knows[path]:
            follow(other)
        done.add(open_.pop())

    for path in known:
        follow(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_engine_and_maths_run_without_a_page(path):
    """They are tried in node, and run in a worker: a document is there in neither."""
    if room_of(path)[0] < ROOMS["static"].index("host.mjs"):
        code = re.sub(r"//.*|/\*.*?\*/", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"\b(document|window|localStorage|sessionStorage|location)\b", code)


def test_every_public_name_of_a_module_is_used():
    """What nobody imports is read and kept right by everybody, for nobody."""
    used: dict[Path, set[str]] = {path: {"mount"} for path in MODULES}
    for path in MODULES:
        code = path.read_text(encoding="utf-8")
        for names, module in re.findall(r"""import \{([^}]*)\} from ["'](\.[^"']+)["']""", code):
            used[(path.parent / module).resolve()] |= {name.split(" as ")[0].strip() for name in names.split(",")}
        for alias, module in re.findall(r"""import \* as (\w+) from ["'](\.[^"']+)["']""", code):
            used[(path.parent / module).resolve()] |= set(re.findall(rf"\b{alias}\.(\w+)", code))
        for names, module in re.findall(r"""export \{([^}]*)\} from ["'](\.[^"']+)["']""", code):
            used[(path.parent / module).resolve()] |= {name.strip() for name in names.split(",")}
    outside = " ".join(
        path.read_text(encoding="utf-8")
        for folder in ("ui", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    )
    assert not [
        f"{name_of(path)}: {name}"
        for path in MODULES
        for name in re.findall(
            r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        if name not in used[path] and not re.search(rf"\b{name}\b", outside)
    ]


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_knows_no_screen(path):
    """The same numbers must come out of a terminal; a core that imports the UI cannot be used without it."""
    roots = {dotted.split(".")[0] for dotted in imports(path)}
    assert not roots & {"streamlit", "plotly", "ui", "pages", "app"}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_does_nothing_at_import(path):
    """A module that reads, downloads or configures at import surprises whoever only wanted a name."""
    for node in at_import(path):
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            assert called not in WORLD, f"{name_of(path)}:{node.lineno} calls {called} at import"
        if isinstance(node, ast.Attribute):
            assert node.attr != "environ", f"{name_of(path)}:{node.lineno} reads the environment at import"


@pytest.mark.parametrize("name", ["config", "contents", "corruption", "data"])
def test_what_a_page_asks_before_it_paints_brings_no_torch(name):
    """Torch takes two seconds: names, limits, classes and cards are read without it."""
    program = f"import sys; import vae_core.{name}; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0, f"importing vae_core.{name} imports torch"


@pytest.mark.parametrize("path", UI, ids=name_of)
def test_the_screen_keeps_to_its_rooms(path):
    """Plotly outside of figures would load on the first screen; a page that imports a page runs it twice."""
    roots = {dotted.split(".")[0] for dotted in imports(path)}
    assert "plotly" not in roots or name_of(path) == "ui/parts/figures.py"
    assert not roots & {"pages", "app"}
    assert not any(dotted.split(".")[0][:1].isdigit() for dotted in imports(path))


@pytest.mark.parametrize("path", [path for path in UI if not name_of(path).startswith("ui/")], ids=name_of)
def test_a_page_has_no_main(path):
    """Streamlit runs a page under the name __main__: such a block would run in the browser as well."""
    names = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name) and node.id == "__name__"]
    assert not names


DOOR = 40  # statements of a page


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_is_a_door(path):
    """Title, one call, formulas: what a page does stands in its view, where a page is found by its name. Words are
    free: a docstring, and a text that has a name."""
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.stmt)]
    words = [node for node in nodes if isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Constant)]
    statements = len(nodes) - len(words)
    assert statements <= DOOR, f"{name_of(path)} has {statements} statements: at most {DOOR}, the rest is its view's"


def test_every_page_says_what_it_is():
    """A page's docstring is its caption; its number is its place in the sidebar."""
    for path in PAGES:
        assert re.fullmatch(r"\d+_[A-Z]\w*", path.stem), f"{name_of(path)}: expected a name such as 3_Interpolate.py"
        assert ast.get_docstring(tree_of(path)), f"{name_of(path)} has no docstring"


@pytest.mark.parametrize(("path", "question"), [(path, q) for rows in GROUPS.values() for path, _, q in rows])
def test_a_page_opens_with_one_question_in_plain_words(path, question):
    """Whoever has to know what a posterior is to understand the question does not read on."""
    lead = ast.get_docstring(tree_of(ROOT / path))
    assert lead.startswith(question) and question.endswith("?") and lead.count("?") == 1
    assert not in_text(lead)


def test_nothing_public_is_left_over():
    """A function that only its own test calls is read and kept right by everybody, for nobody."""
    product = [*CORE, *UI, *(ROOT / "benchmarks").glob("*.py")]
    used = {name for path in product for name in names_in(tree_of(path))}
    for path in product:
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and "Protocol" in names_in(*node.bases):
                continue  # says what others do, and is itself never called
            if isinstance(node, ast.ClassDef) and node.keywords:
                continue  # enters a register by being defined
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                assert node.name in used, f"{name_of(path)}:{node.lineno}: nothing uses {node.name}"


def names_in(*nodes: ast.AST) -> set[str]:
    """Every name that is read: bare, as an attribute, or by an import."""
    found = [node for top in nodes for node in ast.walk(top)]
    return {
        *(node.id for node in found if isinstance(node, ast.Name)),
        *(node.attr for node in found if isinstance(node, ast.Attribute)),
        *(node.name for node in found if isinstance(node, ast.alias)),
    }


# The README's file tree -------------------------------------------------------------------------------------


DRAWN = r"[ │├└─]*"


def tree_in(readme: str) -> set[str]:
    """Paths in the fenced block that starts with `latent-space-explorer/`; what follows a name is prose.

    Both ways of drawing are read, `├── name` and plain indentation; the first line sets a level's width.
    """
    block = re.search(r"^```\w*\nlatent-space-explorer/.*?\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert block, "README.md has no fenced block that starts with the line latent-space-explorer/"
    paths: set[str] = set()
    parents: list[str] = []
    level = len(re.match(DRAWN, block[1])[0])
    for line in block[1].splitlines():
        drawn = re.match(DRAWN, line)[0]
        if drawn == line:
            continue  # a line that only leaves room
        name = line[len(drawn) :].split()[0].rstrip("/")
        parents[len(drawn) // level - 1 :] = [name]
        paths.add("/".join(parents))
    return paths


def test_the_reader_of_trees_reads_both_ways():
    """The reader of the README's tree is itself the kind of code that can be wrong."""
    drawn = "├── app.py   Home\n├── pages/   rooms\n│   ├── 1_Map.py\n│   └── 2_Sliders.py\n│\n└── .ci/run\n"
    plain = "    app.py   Home\n    pages/   rooms\n        1_Map.py\n        2_Sliders.py\n    .ci/run\n"
    for body in (drawn, plain, plain.replace("    ", "  ")):
        assert tree_in(f"```\nlatent-space-explorer/\n{body}```\n") == {
            *("app.py", "pages", "pages/1_Map.py", "pages/2_Sliders.py", ".ci/run")
        }


def test_the_readme_shows_the_house_as_it_is():
    """A file tree that nothing checks goes stale with the next file."""
    readme = ROOT / "README.md"
    assert readme.is_file(), "README.md is missing"
    git = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if git.returncode:
        pytest.skip("needs the git checkout: the list of files is git's")
    tracked = git.stdout.split("\n")[:-1]
    listed = tree_in(readme.read_text(encoding="utf-8"))

    modules = {path for path in tracked if re.fullmatch(r"(vae_core|pages)/\w+\.py|ui/(?!views)\w+/\w+\.py", path)}
    wanted = {path.split("/")[0] for path in tracked} | {p for p in modules if not p.endswith("__init__.py")}
    shown = listed | {path.split("/")[0] for path in listed}
    assert not wanted - shown, f"not in README.md's tree: {sorted(wanted - shown)}"

    there = {"/".join(path.split("/")[:n]) for path in tracked for n in range(1, path.count("/") + 2)}
    assert not listed - there, f"in README.md's tree, but not tracked by git: {sorted(listed - there)}"


@pytest.mark.parametrize("path", UI, ids=name_of)
def test_display_formulas_stand_on_lines_of_their_own(path: Path):
    """A formula that begins beside its `$$` and runs over two lines loses the first and turns red."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "$$" in line]
    assert all(line == "$$" for line in lines), f"{name_of(path)}: put $$ on a line of its own"


@pytest.mark.parametrize("path", UI, ids=name_of)
def test_what_is_kept_of_a_model_or_a_data_set_is_of_its_files(path: Path):
    """What is kept by a name alone goes on showing the old model once it was trained again under that name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef) and any("cache" in ast.unparse(one) for one in node.decorator_list):
            names = {argument.arg for argument in node.args.args}
            stamped = names & {"stamp", "_stamp", "when", "_when"}
            assert stamped or not names & {"name", "slug", "source"}, f"{name_of(path)}:{node.lineno}: {node.name}"
