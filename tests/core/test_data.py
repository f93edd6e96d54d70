"""Data sets: what is loaded, and a download against a real server on this machine."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets
from mirror import FILES, idx

from vae_core import data
from vae_core.digitize import place


@pytest.fixture
def folder(tmp_path: Path, small: dict[str, bytes]) -> Path:
    """`small` where torchvision would put it."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in small.items():
        (raw / name).write_bytes(content)
    return tmp_path


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", data.DATASETS)
def test_each_data_set_names_and_colours_its_classes(name):
    """A label is shown by its class's name: "7" for a sneaker would be true and say nothing."""
    row = data.DATASETS[name]
    assert len(set(row.classes)) == row.n_classes == len(row.colours) == len(set(row.colours))
    assert bool(row.torchvision) != bool(row.bundled)  # how it comes is one thing
    if row.torchvision:
        names = getattr(getattr(torchvision.datasets, row.torchvision), "classes", [])
        ours = [ours.split()[-1].lower() for ours in row.classes]
        assert all(mine in theirs.lower() for mine, theirs in zip(ours, names, strict=True))


def test_a_data_set_is_a_row_and_nothing_else(monkeypatch):
    """26 letters that somebody brings: they load, have names and colours, and a CVAE is told their number."""

    def letters(split):
        n = 52 if split == "train" else 26
        return np.full((n, 28, 28), 128, np.uint8), np.arange(n, dtype=np.uint8) % 26

    row = data.Dataset("Letters", tuple("abcdefghijklmnopqrstuvwxyz"), bundled=letters)
    monkeypatch.setitem(data.DATASETS, "letters", row)
    split = data.load("letters", "train")
    assert split.images.shape == (52, 784) and split.labels.max() == 25 and data.is_available("letters")
    assert row.n_classes == 26 and len(set(row.colours)) == 26 and data.stamp("letters") == ()
    data.download("letters")  # nothing to fetch


# What is on the disk ---------------------------------------------------------------------------------------


def test_load_reads_what_torchvision_reads(folder):
    """Our reader is not torchvision's; where they differ, every number of the project is about other data."""
    for split in ("train", "test"):
        ours, theirs = data.load("mnist", split, folder), torchvision.datasets.MNIST(folder, split == "train")
        assert ours.images.dtype == torch.float32 and ours.labels.dtype == torch.int64
        assert torch.equal(ours.images, theirs.data.reshape(-1, 784) / 255)
        assert torch.equal(ours.labels, theirs.targets)


def test_mnist_is_mnist(mnist_dir):
    """The shipped checkpoints' cards name this data set; other bits would make their numbers unrepeatable."""
    train, test = data.load("mnist", "train", mnist_dir), data.load("mnist", "test", mnist_dir)
    assert train.images.shape == (60_000, 784) and test.images.shape == (10_000, 784)
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert torch.bincount(train.labels)[[0, 1, 5]].tolist() == [5923, 6742, 5421]  # LeCun's page


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-1], id="cut off"),
        pytest.param(lambda content: content[:16] + bytes(len(content) - 16), id="zeros alone"),
        pytest.param(lambda content: content[:-784] + b"\xff" * 784, id="one image without ink"),
        pytest.param(lambda content: content + b"\0", id="too long"),
        pytest.param(lambda content: content[:9], id="ends in the header"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: gzip.compress(content), id="still packed"),
        pytest.param(lambda content: b"<html>" + content, id="a web page"),
        pytest.param(lambda content: content[:2] + b"\x0d" + content[3:], id="floats"),
        pytest.param(lambda content: idx(np.ones((12, 14, 56))), id="of other size"),
        pytest.param(lambda content: idx(np.ones((11, 28, 28))), id="fewer than labels"),
        pytest.param(lambda content: content[:4] + b"\xff" * 12 + content[16:], id="a header that overflows"),
    ],
)
def test_a_broken_file_is_named(folder, spoil):
    """A broken file that loads trains on rubbish; one that raises from NumPy tells the visitor nothing."""
    path = folder / "MNIST" / "raw" / FILES[0]
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(data.DataError, match=rf"(?s){FILES[0]}.*download") as caught:
        data.load("mnist", "train", folder)
    assert caught.value.args[0].endswith(".")
    assert torch.equal(data.load("mnist", "test", folder).labels, torch.arange(10))  # the other split is whole


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.full(12, 255), "labels from 0 to 9 in .*, got 255"),
        (np.r_[np.arange(11) % 10, 10], "labels from 0 to 9 in .*, got 10"),
        (np.zeros(12), "all 10 labels in .*, got 0 alone"),
        (np.arange(11) % 10, r"\(by its header 11\)"),
    ],
)
def test_labels_that_cannot_be_are_named(folder, labels, sentence):
    """A file of the right size and of other content would train without a word, or end in a one-hot's stack trace."""
    (folder / "MNIST" / "raw" / FILES[1]).write_bytes(idx(labels))
    with pytest.raises(data.DataError, match=sentence):
        data.load("mnist", "train", folder)


def test_a_hundred_images_are_not_mnist(tmp_path):
    """A sample of MNIST from a course would pass for the test split, and its numbers for the model's."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    ink = np.random.default_rng(0).integers(0, 256, (100, 28, 28))
    for name in FILES:
        (raw / name).write_bytes(idx(ink if "images" in name else np.arange(100) % 10))
    with pytest.raises(data.DataError, match=r"10000×28×28 bytes in .*by its header 100×28×28"):
        data.load("mnist", "test", tmp_path)


def test_no_more_is_read_than_there_should_be(folder):
    """A folder may hold anything under this name: a file of many gigabytes, plain or packed, must cost nothing."""
    path = folder / "MNIST" / "raw" / FILES[1]
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(1 << 40)  # sparse: no disk has it, no memory holds it
    with pytest.raises(data.DataError, match="got more than 20 bytes"):
        data.load("mnist", "train", folder)
    path.unlink()
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(content)
        for _ in range(200):
            file.write(bytes(1 << 20))
    with pytest.raises(data.DataError, match="got more than 20 bytes"):
        data.load("mnist", "train", folder)


@pytest.mark.parametrize("spelling", [lambda n: n.replace("-idx", ".idx"), lambda n: f"{n}.gz"], ids=["Kaggle", "gz"])
def test_other_names_are_read(folder, spelling):
    """Kaggle's copy says train-images.idx3-ubyte, a download by hand leaves .gz: neither is another data set."""
    expected = data.load("mnist", "train", folder)
    for path in (folder / "MNIST" / "raw").iterdir():
        other, content = path.with_name(spelling(path.name)), path.read_bytes()
        path.unlink()
        other.write_bytes(gzip.compress(content) if other.suffix == ".gz" else content)
    assert data.is_available("mnist", folder) and not data.strange_files("mnist", folder)
    assert all(map(torch.equal, data.load("mnist", "train", folder), expected))


@pytest.mark.parametrize(
    "harm", [lambda c: c[:-9], lambda c: c[:40] + b"?" + c[41:], lambda c: b"PK"], ids=["cut", "changed", "other"]
)
def test_a_broken_archive_is_named(folder, harm):
    """gzip has three exceptions for it, two of which are no OSError."""
    path = folder / "MNIST" / "raw" / FILES[0]
    path.with_name(f"{FILES[0]}.gz").write_bytes(harm(gzip.compress(path.read_bytes())))
    path.unlink()
    with pytest.raises(data.DataError, match=rf"{FILES[0]}\.gz cannot be read .*download"):
        data.load("mnist", "train", folder)


@pytest.mark.parametrize("where", ["", "MNIST"])
def test_files_in_the_folder_above_are_named(folder, where):
    """Whoever unpacked Kaggle's archive names that folder. The three sets share their names: none is taken unasked."""
    raw = folder / "MNIST" / "raw"
    for path in list(raw.iterdir()):
        path.rename(folder / where / path.name.replace("-idx", ".idx"))
    found = folder / where / "t10k-images.idx3-ubyte"
    with pytest.raises(data.DataError) as caught:
        data.load("mnist", "test", folder)
    assert f"If {found} is of mnist, move it into {raw}." in str(caught.value)


def test_what_is_not_the_official_set_is_told(folder):
    """Pixels of somebody else's under MNIST's names train well, and every number beside the README's is wrong."""
    assert data.strange_files("mnist", folder) == []
    path = folder / "MNIST" / "raw" / FILES[2]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert data.strange_files("mnist", folder) == [FILES[2]]
    data.load("mnist", "test", folder)  # it can be used all the same


def test_the_official_sums_are_those_of_the_cards(mnist_dir):
    """Two facts about the same files: what the sums call official is what the shipped models were trained on."""
    from vae_core import checkpoints

    assert data.strange_files("mnist", mnist_dir) == []
    dataset = checkpoints.read_card("mnist-vae-2d")["dataset"]
    for split in data.SPLITS:
        assert data.fingerprint(data.load("mnist", split, mnist_dir)) == dataset[f"{split}_fingerprint"]


def test_missing_data_says_what_to_do(tmp_path):
    """The first thing that a visitor without MNIST meets."""
    assert not data.is_available("mnist", tmp_path)
    with pytest.raises(data.DataError, match=r"Download the data set .*, or name a folder"):
        data.load("mnist", "test", tmp_path)


def test_available_needs_all_four_files(folder):
    """A download that stopped after three files must not count as the data set."""
    assert data.is_available("mnist", folder) and not data.is_available("kmnist", folder)
    (folder / "MNIST" / "raw" / FILES[1]).unlink()
    assert not data.is_available("mnist", folder)
    assert data.is_available("mnist", folder, ["test"])  # enough for a page


def test_a_folder_of_somebody_elses_is_no_error(tmp_path, monkeypatch):
    """Every page asks: a name that is too long, or a home that nobody has, must not take it down."""
    for named in ("~nobody_of_this_name/data", "x" * 5000, str(tmp_path / "file" / "below")):
        (tmp_path / "file").touch()
        monkeypatch.setenv("VAE_DATA", named)
        assert not data.is_available("mnist")
        with pytest.raises(data.DataError):
            data.load("mnist", "test")


@pytest.mark.parametrize("call", [data.is_available, data.download])
def test_unknown_names_are_refused(call):
    """A misspelt data set must not look like one that is merely absent."""
    with pytest.raises(ValueError, match=r"mnist, fashion_mnist, kmnist, digits.*'minst'"):
        call("minst")
    with pytest.raises(ValueError, match="'validation'"):
        data.load("digits", "validation")


def test_data_dir_prefers_what_was_named(monkeypatch, tmp_path):
    """--data-dir over VAE_DATA over the cache: any other order reads data that the user did not mean."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "variable"))
    assert data.data_dir(tmp_path / "named") == tmp_path / "named"
    assert data.data_dir() == tmp_path / "variable"
    assert data.data_dir("~/digits") == Path.home() / "digits"


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "named/latent-space-explorer"),
        ("linux", None, "home/.cache/latent-space-explorer"),
        ("darwin", None, "home/Library/Caches/latent-space-explorer"),
        ("win32", "LOCALAPPDATA", "named/latent-space-explorer"),
        ("win32", None, "home/AppData/Local/latent-space-explorer"),
    ],
)
def test_the_cache_folder_is_the_platforms(monkeypatch, tmp_path, platform, variable, expected):
    """A folder in the wrong place survives the user's clean-up, or lands in their documents."""
    for name in ("VAE_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "named"))
    assert data.data_dir() == tmp_path / expected


def test_looking_is_cheap():
    """Every page asks; torchvision's and scikit-learn's imports cost more than the page's first paint."""
    code = (
        "import sys; from vae_core import data; data.is_available('mnist'), data.is_available('digits');"
        "print(*{name.split('.')[0] for name in sys.modules} & {'torchvision', 'sklearn', 'scipy'})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# The bundled digits -----------------------------------------------------------------------------------------


def test_digits_are_split_by_index():
    """Train and test must be disjoint and whole, and the same on every machine."""
    from sklearn.datasets import load_digits

    labels = torch.from_numpy(load_digits().target)
    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert train.images.shape == (1438, 784) and test.images.shape == (359, 784)
    assert torch.equal(test.labels, labels[4::5])
    assert torch.equal(train.labels, labels[torch.arange(1797) % 5 != 4])


def test_digits_have_mnist_geometry():
    """Models trained on MNIST answer to them: a digit that sits or weighs otherwise gets a poor answer."""
    images = torch.cat([data.load("digits", split).images for split in ("train", "test")]).reshape(-1, 28, 28)
    assert images.dtype == torch.float32 and images.min() == 0 and images.max() == 1
    rows, columns = (images.sum(dim) > 0 for dim in (2, 1))
    longer = torch.maximum(
        *(ink.float().argmax(1).neg() + 28 - ink.flip(1).float().argmax(1) for ink in (rows, columns))
    )
    assert longer.max() == 20 and (longer >= 19).float().mean() > 0.99
    mass, pixel = images.sum((1, 2)), torch.arange(28.0)
    for projected in (images.sum(2), images.sum(1)):
        centre = (projected * pixel).sum(1) / mass
        assert centre.sub(14).abs().max() <= 1 and centre.mean().sub(14).abs() < 0.1
    # MNIST's test split: mean 0.121 (grey) and 0.122 (binarised at 0.5)
    assert 0.11 < images.mean() < 0.14 and 0.11 < (images >= 0.5).float().mean() < 0.14


def test_digits_stay_what_they_were():
    """Mirrored, smeared or with labels shifted they would still be round and centred.

    Each must be more like its own original, enlarged by plain blocks, than like that original's mirror images
    or its transpose; and the nearest neighbour in the training split must know its label (on the 8×8
    originals: 99.2 %).
    """
    from sklearn.datasets import load_digits

    def likeness(image: np.ndarray, cells: np.ndarray) -> float:
        return np.corrcoef(image, place(np.kron(cells / 16, np.ones((5, 5)))).ravel())[0, 1]

    train, test = data.load("digits", "train"), data.load("digits", "test")
    pairs = zip(test.images.numpy(), load_digits().images[4::5], strict=True)
    upright = [
        likeness(image, cells) > max(likeness(image, other) for other in (cells[::-1], cells[:, ::-1], cells.T))
        for image, cells in pairs
    ]
    assert np.mean(upright) > 0.98  # a symmetric zero may go either way
    nearest = torch.cdist(test.images, train.images).argmin(1)
    assert (train.labels[nearest] == test.labels).float().mean() > 0.97


def test_fingerprint_sees_one_pixel_and_one_label():
    """The card's fingerprint is how a number is tied to its data."""
    split = data.load("digits", "test")
    again = data.Split(split.images.clone(), split.labels.clone())
    assert data.fingerprint(again) == data.fingerprint(split)
    assert len(data.fingerprint(split)) == 64
    again.images[0, 300] = 1 - again.images[0, 300]
    assert data.fingerprint(again) != data.fingerprint(split)
    other = data.Split(split.images, split.labels.roll(1))
    assert data.fingerprint(other) != data.fingerprint(split)


def test_digits_are_the_same_in_every_process():
    """Shipped models were trained on these bits; an unseeded step would make their cards untrue."""
    code = "from vae_core import data; print(data.fingerprint(data.load('digits', 'test')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == data.fingerprint(data.load("digits", "test"))


def test_a_loaded_split_is_the_callers_own():
    """Training binarises in place: that must not reach the next one who loads."""
    before = data.fingerprint(data.load("digits", "test"))
    data.load("digits", "test").images.zero_()
    assert data.fingerprint(data.load("digits", "test")) == before


# The download -----------------------------------------------------------------------------------------------


def test_download_then_load(mirror, tmp_path, small):
    """The whole way: served, checked, unpacked, loaded; and progress that a bar can show."""
    (server,) = mirror("well")
    seen: list[data.Progress] = []
    data.download("mnist", tmp_path, progress=seen.append)
    assert data.is_available("mnist", tmp_path)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        expected = np.frombuffer(small[f"{prefix}-images-idx3-ubyte"], np.uint8, offset=16).reshape(-1, 784) / 255
        np.testing.assert_allclose(data.load("mnist", split, tmp_path).images.numpy(), expected, rtol=1e-6)
    assert files_in(tmp_path) == set(FILES)
    order = [*FILES[2:], *FILES[:2]]  # pages read the test split alone, so it comes first
    assert server.asked == [f"{name}.gz" for name in order]
    for number, name in enumerate(order, 1):
        steps = [step[:2] for step in seen if step.file == f"{name}.gz"]
        size = len(server.files[f"{name}.gz"])
        assert steps == sorted(steps) and steps[-1] == (size, size)
        assert {step[3:] for step in seen if step.file == f"{name}.gz"} == {(number, 4)}


def test_one_split_is_enough_for_a_page(mirror, tmp_path):
    """Training images are six times the bytes and on no page."""
    (server,) = mirror("well")
    data.download("mnist", tmp_path, splits=["test"])
    assert server.asked == [f"{name}.gz" for name in FILES[2:]]
    assert data.is_available("mnist", tmp_path, ["test"]) and not data.is_available("mnist", tmp_path)


def test_download_fetches_only_what_is_missing(mirror, folder):
    """A second click must not fetch 11 MB again, and a stopped download goes on where it was."""
    (folder / "MNIST" / "raw" / FILES[1]).unlink()
    (server,) = mirror("well")
    data.download("mnist", folder)
    assert server.asked == [f"{FILES[1]}.gz"]
    assert data.is_available("mnist", folder)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda content: content[:-1] + bytes([content[-1] ^ 1]), id="another image"),
        pytest.param(lambda content: content[:-1], id="cut off"),
        pytest.param(lambda content: content[:16] + bytes(len(content) - 16), id="zeros alone"),
    ],
)
def test_download_fetches_again_what_differs(mirror, folder, small, spoil):
    """A file that somebody changed must not be what `download` calls there."""
    path = folder / "MNIST" / "raw" / FILES[2]
    path.write_bytes(spoil(path.read_bytes()))
    (server,) = mirror("well")
    data.download("mnist", folder)
    assert server.asked == [f"{FILES[2]}.gz"]
    assert path.read_bytes() == small[FILES[2]] and not data.strange_files("mnist", folder)


def test_a_sound_archive_is_not_fetched_again(mirror, folder):
    """What was downloaded by hand counts."""
    (server,) = mirror("well")
    path = folder / "MNIST" / "raw" / FILES[0]
    path.with_name(f"{FILES[0]}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    data.download("mnist", folder)
    assert server.asked == []


def test_without_an_official_sum_what_loads_stays(mirror, folder, monkeypatch):
    """Nobody has measured Fashion-MNIST's unpacked files here: what can be read is kept, what cannot is fetched."""
    (server,) = mirror("well")
    monkeypatch.setitem(data.DATASETS, "mnist", data.DATASETS["mnist"]._replace(sums={}))
    path = folder / "MNIST" / "raw" / FILES[2]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    data.download("mnist", folder)
    assert server.asked == [] and data.strange_files("mnist", folder) == []
    path.write_bytes(content[:-1])
    data.download("mnist", folder)
    assert server.asked == [f"{FILES[2]}.gz"]


def test_the_second_mirror_answers_for_the_first(mirror, tmp_path):
    """Mirrors go away; the list is there so that one suffices."""
    first, second = mirror("absent", "well")
    data.download("mnist", tmp_path)
    assert data.is_available("mnist", tmp_path) and first.asked == second.asked


@pytest.mark.parametrize("manner", ["no length", "no number"])
def test_an_unknown_length_is_told_as_unknown(mirror, tmp_path, manner):
    """A bar that divides by the total must be able to see that there is none."""
    mirror(manner)
    seen: list[data.Progress] = []
    data.download("mnist", tmp_path, progress=seen.append)
    assert {step.total for step in seen} == {None} and data.is_available("mnist", tmp_path)


def test_a_server_that_does_not_end_is_left(mirror, tmp_path, monkeypatch):
    """Without a length only a bound keeps the answer from filling the memory."""
    monkeypatch.setattr(data, "_LARGEST", 50)
    mirror("no length")
    with pytest.raises(data.DataError, match="sent more than 50 bytes"):
        data.download("mnist", tmp_path)
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize(
    ("manner", "sentence"),
    [
        ("absent", "failed: Service Unavailable"),
        ("truncated", r"failed: the connection ended after \d+ of \d+ bytes"),
    ],
)
def test_a_failed_download_leaves_nothing(mirror, tmp_path, manner, sentence):
    """Half a file that stays would be taken for the data set at the next start."""
    mirror(manner)
    with pytest.raises(data.DataError, match=rf"could not be downloaded.*{sentence}.*online, or name a folder"):
        data.download("mnist", tmp_path)
    assert files_in(tmp_path) == set()


def test_wrong_content_is_refused(mirror, tmp_path, monkeypatch):
    """A login page of a hotel's network arrives with status 200: only the md5 tells."""
    (server,) = mirror("well")
    server.files[f"{FILES[2]}.gz"] = gzip.compress(b"<html>Please log in.</html>")
    with pytest.raises(data.DataError, match=r"sent md5 [0-9a-f]{32} where [0-9a-f]{32} was expected"):
        data.download("mnist", tmp_path)
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("manner", ["stalls", "drips"])
def test_the_time_limit_holds(mirror, tmp_path, manner):
    """A server that sends nothing, or a byte now and then, must not hold the page for ever."""
    mirror(manner)
    with pytest.raises(data.DataError, match=r"stopped in t10k-images.*time limit of 0\.3 seconds"):
        data.download("mnist", tmp_path, time_limit=0.3)
    assert files_in(tmp_path) == set()


def test_offline_is_a_sentence(mirror, tmp_path):
    """The commonest failure of all: no network."""
    (server,) = mirror("well")
    server.shutdown()
    server.server_close()
    with pytest.raises(data.DataError, match=r"Connection refused.*online, or name a folder"):
        data.download("mnist", tmp_path)


def test_a_folder_that_cannot_be_written_is_a_sentence(mirror, tmp_path):
    """VAE_DATA often names somebody else's folder."""
    mirror("well")
    (tmp_path / "MNIST").write_text("a file where a folder should be")
    with pytest.raises(data.DataError, match=r"cannot be written.*name a folder"):
        data.download("mnist", tmp_path)


def test_a_torchvision_for_another_torch_is_a_sentence(monkeypatch, tmp_path):
    """PyPI's torchvision beside a CPU-only torch fails at import and speaks of an operator called nms."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(data.DataError, match=r"does not fit torch .*nms does not exist.*pip install"):
        data.download("mnist", tmp_path)


def test_a_missing_torchvision_is_a_sentence(monkeypatch, tmp_path):
    """The app runs without torchvision; the one button that needs it must say so."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(data.DataError, match=r"needs torchvision.*pip install"):
        data.download("mnist", tmp_path)


def test_digits_need_no_download(tmp_path):
    """The command line offers every name; this one must not need a network."""
    data.download("digits", tmp_path)
    assert files_in(tmp_path) == set()
