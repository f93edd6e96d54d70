"""A broken checkpoint hurts nobody else: each way to break one is refused in one sentence, and what does not need it
goes on, in the core, on the command line and on the pages."""

import contextlib
import html
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

from benchmarks import attack
from ui.live import networks
from vae_core import checkpoints, contents, judge
from vae_core.storage import Layout, NotFiniteError, StorageError, read_json, read_tensors, write_files, write_tensors

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["studio.py", *sorted(f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py"))]
VICTIM, OTHER = "digits-vae-2d", "digits-ae-2d"
Harm = Callable[[Path], None]


def card(change: Callable[[dict], object]) -> Harm:
    """Change the card's object, and write it as JSON does (NaN and all)."""

    def harm(folder: Path) -> None:
        value = json.loads((folder / "card.json").read_text())
        change(value)
        (folder / "card.json").write_text(json.dumps(value))

    return harm


def put(*path: str | int, value: object) -> Harm:
    def change(each) -> None:
        for key in path[:-1]:
            each = each[key]
        each[path[-1]] = value

    return card(change)


def text(name: str, content: bytes) -> Harm:
    return lambda folder: (folder / name).write_bytes(content) and None


def tensors(name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Harm:
    def harm(folder: Path) -> None:
        held = load_file(folder / name)
        change(held)
        save_file(held, folder / name)

    return harm


def header(name: str, tensor: str, **changes: object) -> Harm:
    """What a file says of a tensor, changed without touching its bytes."""

    def harm(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (n,) = struct.unpack("<Q", whole[:8])
        said = json.loads(whole[8 : 8 + n])
        said[tensor] |= changes
        new = json.dumps(said).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(new)) + new + whole[8 + n :])

    return harm


def one(t: torch.Tensor, value: float) -> None:
    t.view(-1)[5] = value


W, C = "weights.safetensors", "codes.safetensors"
# How a checkpoint is broken, and words of the sentence that says so.
HARMS: dict[str, tuple[Harm, str]] = {
    "the units of another code": (
        put("units", value={"active": 1.0, "dead": 0, "use": [0.5], "strength": [1.0]}),
        "units.use is of 1 units, and the code has 2",
    ),
    "an account without rows": (put("posterior", value={"rows": {}, "step": 0.1, "reach": 4.0}), "of train and test"),
    "an account without its terms": (
        put("posterior", value={"rows": {"test 9": {}}, "step": 0.1, "reach": 4.0}),
        "posterior.rows.test 9.split is missing",
    ),
    "latent_dim is text": (put("latent_dim", value="2"), "latent_dim should be a whole number and is '2'"),
    "latent_dim is null": (put("latent_dim", value=None), "latent_dim should be a whole number and is None"),
    "latent_dim of the config is text": (put("config", "model", "latent_dim", value="2"), "got '2'"),
    "latent_dim contradicts": (put("latent_dim", value=20), "latent_dim is 20, and its config makes 2"),
    "deep JSON": (text("card.json", b"[" * 100_000), "not valid JSON"),
    "deep JSON that closes": (text("card.json", b"[" * 200 + b"]" * 200), "more than 32 levels"),
    "a card of 9 MB": (text("card.json", b" " * 9_000_000), "9,000,000 bytes"),
    "a card that is a list": (text("card.json", b"[]"), "should be an object and is a list of 0"),
    "a card that is no text": (text("card.json", b"\xff\xfe\x00"), "not valid JSON"),
    "format is text": (put("format", value="1"), "format should be a whole number and is '1'"),
    "format is newer": (put("format", value=99), "of format 99, and only 1 is known"),
    "format is missing": (card(lambda c: c.pop("format")), "format is missing"),
    "widths of 10⁹": (put("config", "model", "encoder", value=[10**9]), "from 1 to 8192; got 1000000000"),
    "a thousand layers": (put("config", "model", "decoder", value=[8] * 1000), "at most 16 hidden widths"),
    "widths that are wide together": (put("config", "model", "decoder", value=[8192] * 4), "50,000,000 numbers"),
    "a config that is a list": (put("config", value=[]), "config should be an object"),
    "an unknown kind": (put("config", "model", "kind", value="gan"), "kind must be one of"),
    "a score that is NaN": (put("test", "nelbo", value=math.nan), "not valid JSON"),
    "a score that is infinite": (put("test", "mse", value=math.inf), "not valid JSON"),
    "a score that is text": (put("test", "mse", value="0.05"), "test.mse should be a number and is '0.05'"),
    "a score that is missing": (card(lambda c: c["test"].pop("nelbo")), "test.nelbo is missing"),
    "no scores": (put("test", value=None), "test should be an object and is None"),
    "a history that is a number": (put("history", value=3), "history should be a list and is 3"),
    "a history with a hole": (put("history", 1, value=None), r"history\[1\] should be an object"),
    "a data set that is a list": (put("dataset", value=["mnist"]), "dataset should be an object"),
    "half a character": (put("command", value="\ud800"), "not valid JSON"),
    "the card of another": (put("config", "tag", value="mine"), "slug is 'digits-vae-2d', and its config makes"),
    "weights of a wrong shape": (
        tensors(W, lambda t: t.update({"decoder.0.weight": torch.zeros(3, 3).half()})),
        r"decoder\.0\.weight should be \(\d+, 2\) and is \(3, 3\)",
    ),
    "weights of one tensor more": (tensors(W, lambda t: t.update(extra=torch.zeros(1))), "extra should be absent"),
    "weights with a NaN": (tensors(W, lambda t: one(t["encoder.0.weight"], math.nan)), "encoder.0.weight holds"),
    "weights with an infinity": (tensors(W, lambda t: one(t["decoder.0.bias"], math.inf)), "decoder.0.bias holds"),
    "weights of 10¹⁸": (header(W, "encoder.0.weight", shape=[10**9, 10**9]), "not a whole safetensors file"),
    "weights of whole numbers": (header(W, "encoder.0.bias", dtype="I16"), "of the type I16; expected F16, F32, F64"),
    "weights with a long header": (text(W, struct.pack("<Q", 2**63)), "a header of 9223372036854775808 bytes"),
    "weights that are a folder": (lambda f: (f / W).unlink() or (f / W).mkdir(), "does not exist"),
    # Finite in the file, infinite or NaN as soon as a network has them.
    "weights beyond float32": (
        tensors(
            W, lambda t: t.update({"encoder.0.bias": torch.full(t["encoder.0.bias"].shape, 1e300, dtype=torch.float64)})
        ),
        "encoder.0.bias holds numbers that are not finite or are beyond 1e",
    ),
    "weights whose answers are beyond float32": (
        tensors(W, lambda t: t.update({k: torch.full(v.shape, 1e6) for k, v in t.items() if "encoder" in k})),
        "the encoder's answers may reach",
    ),
    "codes whose squares are beyond float32": (
        tensors(C, lambda t: t.update(test_mean=torch.full(t["test_mean"].shape, 3e38))),
        "test_mean holds numbers that are not finite or are beyond 1e",
    ),
    "codes without train_mean": (
        tensors(C, lambda t: t.pop("train_mean")),
        r"train_mean should be \(1438, 2\) and is absent",
    ),
    "codes of length 0": (
        tensors(C, lambda t: t.update({k: v[:0].clone() for k, v in t.items()})),
        r"should be \(.+\) and is \(0",
    ),
    "codes of two lengths": (
        tensors(C, lambda t: t.update(test_label=t["test_label"][:-1].clone())),
        r"test_label should be \(359,\) and is \(358,\)",
    ),
    "codes with a NaN": (tensors(C, lambda t: one(t["test_mean"], math.nan)), "test_mean holds numbers that are not"),
    "codes of a label 200": (tensors(C, lambda t: one(t["test_label"], 200)), "labels from 0 to 9 and holds 0 to 200"),
    "labels that are no whole numbers": (
        tensors(C, lambda t: t.update(test_label=t["test_label"].half())),
        "test_label holds numbers of the type F16",
    ),
    "a VAE without a posterior": (tensors(C, lambda t: t.pop("test_logvar")), "test_logvar should be"),
}
# What only the numbers tell: a list that looked at every number would read all files of all models.
UNSEEN = {name for name in HARMS if any(w in name for w in ("NaN", "infinity", "200", "float32"))} - {
    "a score that is NaN"
}


@pytest.fixture
def root(tmp_path) -> Path:
    for slug in (VICTIM, OTHER):
        shutil.copytree(checkpoints.ROOT / slug, tmp_path / slug)
    return tmp_path


@pytest.mark.parametrize(
    ("tensor", "value"),
    [("prior.log_sigma", 100), ("prior.log_sigma", -100), ("prior.mean", 1e12), ("prior.logits", -1e6)],
)
def test_a_prior_that_cannot_be_computed_with_is_refused(tensor, value, tmp_path):
    """Finite numbers each, of which exp makes an infinity, or a lattice that takes half a minute."""
    slug = "mnist-mixture-2d"
    shutil.copytree(checkpoints.ROOT / slug, tmp_path / slug)
    tensors(W, lambda t: t.update({tensor: torch.full(t[tensor].shape, float(value))}))(tmp_path / slug)
    for read in (lambda: checkpoints.load(slug, tmp_path), lambda: contents.read_weights(tmp_path / slug)):
        with pytest.raises(StorageError, match=rf"{tensor} holds 1e\+.*|{tensor} holds 100; at most"):
            read()


@pytest.mark.parametrize("slug", ["mnist-cvae-20d", "mnist-ae-20d-one-layer", "mnist-sparse-64d"])
def test_no_network_answers_more_than_is_reckoned_with(slug, monkeypatch):
    """The bound that refuses a network is one: whatever comes in, no answer is beyond it."""
    model, _ = checkpoints.load(slug)
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    torch.manual_seed(0)
    x = torch.rand(200, 784).round()
    z = contents.FAR * (2 * torch.rand(200, model.config.latent_dim) - 1).sign()
    y = torch.randint(10, (200,)) if model.conditional else None
    given = [] if y is None else [torch.nn.functional.one_hot(y, 10).float()]
    for part, inside in (("encoder", x), ("decoder", z)):
        most = float(getattr(model, part)(torch.cat([inside, *given], dim=1)).abs().max())
        only = {k: v for k, v in weights.items() if k.startswith(part)}
        contents.check_answers(Path(slug), only)
        monkeypatch.setattr(contents, "ANSWER", most)
        with pytest.raises(StorageError, match=f"the {part}'s answers may reach"):
            contents.check_answers(Path(slug), only)
        monkeypatch.undo()


@pytest.mark.parametrize("name", HARMS)
def test_a_broken_checkpoint_is_one_sentence_and_the_others_stay(name, root):
    """Folder, file, what was expected, what came; by the same words to the reader without torch."""
    harm, words = HARMS[name]
    harm(root / VICTIM)
    slugs, broken = checkpoints.survey(root)
    assert OTHER in slugs and (VICTIM in slugs) == (name in UNSEEN) == (VICTIM not in broken)
    with pytest.raises(StorageError, match=words) as refused:
        checkpoints.load(VICTIM, root)
        checkpoints.load_codes(VICTIM, root)
    said = str(refused.value)
    assert VICTIM in said and "\n" not in said and said.endswith(".") and len(said) < 500
    with pytest.raises(StorageError) as light:
        contents.read_weights(root / VICTIM)
        contents.read_codes(root / VICTIM)
    assert str(light.value) == said
    checkpoints.load(OTHER, root)
    checkpoints.load_codes(OTHER, root)


def test_list_goes_on_and_says_which_is_broken_and_why(root):
    put("latent_dim", value=None)(root / VICTIM)
    (root / "baselines.json").write_text("[]")
    words = [sys.executable, "-m", "vae_core", "list", "--root", root]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith(OTHER) and len(done.stdout.splitlines()) == 1
    model, baselines = done.stderr.splitlines()
    assert model.startswith(f"{VICTIM}: broken.") and "latent_dim should be a whole number and is None" in model
    assert baselines.startswith("baselines: broken.") and "should be an object and is a list of 0" in baselines


def test_a_folder_that_nobody_may_look_into_hides_no_other():
    """To ask whether a file is there is an error of its own where one may not look: it took `list` and pages down."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders cannot be entered by anybody else
        root = Path(place)
        root.chmod(0o755)
        for slug in (VICTIM, OTHER, "judge"):
            shutil.copytree(checkpoints.ROOT / slug, root / slug)
        for slug in (VICTIM, "judge"):
            (root / slug).chmod(0)
        with nobody():
            slugs, broken = checkpoints.survey(root)
            assert slugs == [OTHER] and set(broken) == {VICTIM, "judge"}
            assert all("cannot be read: Permission denied" in said for said in broken.values())
            with pytest.raises(StorageError, match="Permission denied"):
                checkpoints.load(VICTIM, root)
        for slug in (VICTIM, "judge"):
            (root / slug).chmod(0o755)


@contextlib.contextmanager
def nobody():
    """Root may look everywhere, and is not the user who runs the app."""
    if root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_name_is_no_way_out_of_the_folder(root, tmp_path):
    """Otherwise `integrate ../elsewhere/digits-vae-2d` writes there, and its card holds a way of this machine."""
    inside = tmp_path / "inside"
    shutil.copytree(root / VICTIM, inside / VICTIM)
    for name in (
        f"../{VICTIM}",
        str(root / VICTIM),
        f"./../inside/{VICTIM}",
        f"{VICTIM}/../{VICTIM}",
        "",
        "..",
        "a" * 300,
    ):
        for read in (checkpoints.load, checkpoints.load_codes, checkpoints.read_card):
            with pytest.raises(StorageError):
                read(name, inside)
    checkpoints.load(VICTIM, inside)


def test_a_folders_name_does_not_speak_to_the_terminal(root):
    """A name may hold line breaks and commands that colour, clear or retitle a terminal."""
    (root / VICTIM).rename(root / "digits\n\x1b[2J\u202e")
    words = [sys.executable, "-m", "vae_core", "list", "--root", root]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    assert len(said.splitlines()) == 1 and said.startswith(r"digits\n\x1b[2J\u202e: broken.") and "\x1b" not in said


@pytest.mark.parametrize("widths", [[10**9, 2, 2, 2], [16], "16", [16, 32, 64, None], [0, 1, 1, 1]])
def test_a_judge_of_absurd_size_is_refused_before_it_is_made(widths, tmp_path):
    shutil.copytree(checkpoints.ROOT / "judge", tmp_path / "judge")
    put("config", "widths", value=widths)(tmp_path / "judge")
    with pytest.raises(StorageError, match=r"judge.card\.json is not as it should be: config\.widths"):
        judge.load(tmp_path / "judge")


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"median": 3}', b'{"pca_mse": {"2": NaN}}', b"[" * 9999])
def test_baselines_of_another_form_are_refused(content, tmp_path):
    (tmp_path / "baselines.json").write_bytes(content)
    with pytest.raises(StorageError, match=r"baselines\.json"):
        checkpoints.load_baselines(tmp_path)


def test_exact_values_of_another_form_are_refused(tmp_path):
    shutil.copytree(checkpoints.ROOT / "mnist-vae-2d", tmp_path / "mnist-vae-2d")
    tensors("exact.safetensors", lambda t: one(t["log_p"], -math.inf))(tmp_path / "mnist-vae-2d")
    with pytest.raises(StorageError, match="log_p holds numbers that are not finite"):
        checkpoints.load_exact("mnist-vae-2d", tmp_path)
    tensors("exact.safetensors", lambda t: t.pop("log_p"))(tmp_path / "mnist-vae-2d")
    with pytest.raises(StorageError, match="log_p should be"):
        checkpoints.load_exact("mnist-vae-2d", tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_no_mutation_gets_through_untyped(seed):
    """Some hundred of the attack's thousand: nothing but the typed error, no hang, no other model lost."""
    tries = attack.checkpoints(80, seed)
    assert {t.outcome for t in tries} <= {"well", "refused (StorageError)", "refused (InputError)"}, [
        t for t in tries if t.outcome != "well" and not t.outcome.startswith("refused")
    ]
    assert sum(t.outcome != "well" for t in tries) > 40  # otherwise nothing was broken


# What is written ------------------------------------------------------------------------------------------------------


def test_what_is_not_finite_is_not_written(tmp_path):
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.ones(3)})
    before = path.read_bytes()
    with pytest.raises(NotFiniteError, match="in b"):
        write_tensors(path, {"a": torch.ones(3), "b": torch.tensor([1.0, math.nan])})
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(StorageError, match=r"a should be \(4,\) and is \(3,\)"):
        read_tensors(path, Layout({"a": (4,)}))


def test_files_that_belong_together_are_replaced_together(tmp_path, monkeypatch):
    """A disk that fills up at the second of three files must leave the three old ones, and no litter."""
    old = {name: name.encode() for name in ("weights", "codes", "card", "exact")}
    write_files(tmp_path, old)
    fsync, calls = checkpoints.write_files.__globals__["os"].fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr("os.fsync", full)
    new = {name: b"new" for name in ("weights", "codes", "card")}
    with pytest.raises(OSError, match="No space"):
        write_files(tmp_path, new, remove=("exact",))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == old
    monkeypatch.undo()
    write_files(tmp_path, new, remove=("exact",))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == new


def test_json_is_strict_in_both_directions(tmp_path):
    for constant in ("NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"'):
        (tmp_path / "a.json").write_text(f'{{"a": {constant}}}')
        with pytest.raises(StorageError, match="not valid JSON"):
            read_json(tmp_path / "a.json")


# Pages ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path, monkeypatch) -> Path:
    """All checkpoints, by links; what a harm changes is copied first."""
    root = tmp_path / "checkpoints"
    for folder in checkpoints.ROOT.glob("*/"):
        if not folder.name.startswith("."):
            (root / folder.name).mkdir(parents=True)
            for file in folder.iterdir():
                (root / folder.name / file.name).symlink_to(file)
    shutil.copy(checkpoints.ROOT / "baselines.json", root)
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "none"))
    yield root
    st.cache_data.clear()
    st.cache_resource.clear()


def harmed(folder: Path, harm: Harm) -> None:
    for file in folder.iterdir():
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    harm(folder)


def visit(page: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120)
    app = app if page == "studio.py" else app.switch_page(page)
    if page == "pages/2_Sliders.py":
        app.query_params["sliders_dim"] = "2"
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("page", PAGES)
def test_pages_that_do_not_need_what_is_broken_open_as_before(page, house):
    """A 20-D model, the judge and the baselines: only Restore and Generate, which open with 20 numbers, have to
    say so."""
    harmed(house / "mnist-dae-20d", put("latent_dim", value=None))
    harmed(house / "judge", put("config", "widths", value=[10**9, 10**9, 10**9, 10**9]))
    (house / "baselines.json").write_text("[]")
    app = visit(page)
    errors = [html.unescape(error.value) for error in app.error]
    if page in ("pages/5_Restore.py", "pages/7_Generate.py"):
        assert not errors and [w.value.split(" is left out")[0] for w in app.warning] == ["The model mnist-dae-20d"]
    else:
        assert not errors and not app.warning


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("harm", ["weights with a NaN", "codes without train_mean", "widths of 10⁹"])
def test_a_page_of_several_models_goes_on_with_the_others(page, harm, house, caplog):
    """Map, Sliders and Interpolate show whoever is there and name who is left out; the Studio compares all four."""
    harmed(house / "mnist-dae-2d", HARMS[harm][0])
    app = visit(page)
    needs_it = page == "studio.py"
    shows_others = page in ("pages/1_Map.py", "pages/2_Sliders.py", "pages/4_Interpolate.py")
    assert len(app.error) == bool(needs_it) and len(app.warning) == shows_others
    for said in (*app.error, *app.warning):
        assert "mnist-dae-2d" in said.value and str(house) not in said.value
    if needs_it or shows_others:
        assert str(house / "mnist-dae-2d") in caplog.text


@pytest.mark.parametrize("part", ["Posterior", "Observation model", "β"])
def test_the_parts_of_the_bound_go_on_without_their_broken_relatives(part, house):
    """Exact values, one β, one Gaussian model: each part has others, and the page opens with the first."""
    harmed(house / "mnist-vae-2d-beta4", HARMS["codes without train_mean"][0])
    harmed(house / "mnist-vae-2d-gaussian", put("test", value=None))
    harmed(house / "mnist-vae-2d", tensors("exact.safetensors", lambda t: t.pop("log_p")))
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page("pages/6_The_bound.py")
    app.query_params["part"] = part
    app.run()
    assert not app.exception and not app.error
    said = [element.value for kind in ("info", "warning", "caption", "markdown") for element in app.get(kind)]
    assert str(house) not in "\n".join(said)
    assert ("the files of mnist-vae-2d-gaussian are broken" in "\n".join(said)) == (part == "Observation model")


def test_a_cards_command_is_shown_as_it_is(house):
    """A card is anybody's: a backtick would end the code, and what follows would be a link or a foreign picture."""
    harmed(house / "mnist-vae-2d", put("command", value="a `![b](http://c.invalid/d.png)` [e](http://f.invalid)"))
    shutil.rmtree(house / "mnist-vae-2d-gaussian")
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page("pages/6_The_bound.py")
    app.query_params["part"] = "Observation model"
    app.run()
    (said,) = [info.value for info in app.info if "mnist-vae-2d-gaussian" in info.value]
    before, code, after = said.split("`")
    assert "(http://c.invalid/d.png) [e](http://f.invalid)" in code and "http" not in before + after


@pytest.mark.parametrize(("page", "part"), [("pages/6_The_bound.py", "β"), ("pages/1_Map.py", None)])
def test_codes_of_other_images_are_not_shown_as_mnists(page, part, house):
    """A model of five held-out images in place of a shipped one: the maps of all β are turned by the same images."""
    few = lambda t: t.update({k: v[:5].clone() for k, v in t.items() if k.startswith("test_")})  # noqa: E731
    harmed(house / "mnist-vae-2d", tensors(C, few))
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page(page)
    if part:
        app.query_params["part"] = part
    app.run()
    assert not app.exception and not app.error
    assert ["mnist-vae-2d" in warning.value for warning in app.warning] == [True] * (part is None)
    with pytest.raises(StorageError, match="scored on 5 images and not on MNIST's 10,000"):
        contents.read_codes(house / "mnist-vae-2d")


def test_the_light_readers_need_no_torch():
    """The Studio and the Map paint before torch is there: the reader that checks may not bring it along."""
    code = (
        "import sys; from pathlib import Path; from vae_core import contents;"
        f"root = Path({str(checkpoints.ROOT)!r}); contents.read_weights(root / 'mnist-vae-2d');"
        "contents.read_codes(root / 'mnist-vae-2d'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    light = contents.read_codes(checkpoints.ROOT / "mnist-vae-2d")
    for name, tensor in checkpoints.load_codes("mnist-vae-2d").items():
        np.testing.assert_array_equal(light[name].astype(np.float32), tensor.float().numpy())
