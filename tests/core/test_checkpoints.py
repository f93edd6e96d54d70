"""What is remembered: whole or refused, the same after loading, trained once; and everything that ships."""

import json
import multiprocessing
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from vae_core import checkpoints, data, metrics
from vae_core.config import KINDS, Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.storage import StorageError
from vae_core.training import Diverged

QUICK = Config(
    ModelConfig(kind="cvae", encoder=(16,), decoder=(16,)), TrainingConfig(dataset="digits", epochs=2, batch_size=64)
)
SHIPPED = checkpoints.available()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("checkpoints")
    checkpoints.load_or_train(QUICK, root=root)
    return root


@pytest.fixture
def copy(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "root")
    return tmp_path / "root"


def test_what_was_saved_is_what_is_loaded(trained):
    """Codes, terms and card are of the weights that ship, not of those before rounding to half precision."""
    model, card = checkpoints.load(QUICK.slug, trained)
    again, _ = checkpoints.load(QUICK.slug, trained)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, a.half().float())
    assert not model.training
    assert checkpoints.available(trained) == [QUICK.slug]
    assert Config.from_dict(card["config"]) == QUICK
    test = data.load("digits", "test")
    _, scores, _ = checkpoints.assess(model, "digits", data.load("digits", "train"), test)
    assert scores == pytest.approx(card["test"], rel=1e-5)
    codes = checkpoints.load_codes(QUICK.slug, trained)
    want = model.encode(model.observe(test.images), test.labels)
    torch.testing.assert_close(codes["test_mean"], want.mean, atol=2e-3, rtol=2e-3)
    assert codes["epoch_mean"].shape == (3, len(test.images), 2)
    assert codes["epochs"].tolist() == [0, 1, 2]


def test_the_second_call_loads_and_other_settings_are_refused(trained):
    """Silently loading a model of another recipe under the asked name would be a lie."""
    before = (trained / QUICK.slug / "weights.safetensors").stat().st_mtime_ns
    checkpoints.load_or_train(QUICK, root=trained, on_step=lambda step: pytest.fail("trained again"))
    assert (trained / QUICK.slug / "weights.safetensors").stat().st_mtime_ns == before
    other = Config(QUICK.model, TrainingConfig(dataset="digits", epochs=3, batch_size=64))
    with pytest.raises(StorageError, match="other settings"):
        checkpoints.load_or_train(other, root=trained)


def _ask(root, queue):
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    steps = []
    checkpoints.load_or_train(QUICK, root=root, on_step=lambda step: steps.append(step.step))
    queue.put(len(steps))


def test_two_processes_that_ask_train_it_once(tmp_path):
    """Two browser tabs may not train the same model side by side and overwrite each other."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_ask, args=(tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    counts = sorted(queue.get(timeout=10) for _ in workers)
    assert counts[0] == 0
    assert counts[1] > 0


def test_a_missing_model_names_those_that_are_there(trained):
    with pytest.raises(StorageError, match=f"There are: {QUICK.slug}"):
        checkpoints.load("mnist-gan-2d", trained)


def test_a_wrong_shape_names_the_tensor_and_both_shapes(copy):
    path = copy / QUICK.slug / "weights.safetensors"
    tensors = load_file(path)
    tensors["decoder.0.weight"] = torch.zeros(16, 3, dtype=torch.float16)
    save_file(tensors, path)
    with pytest.raises(StorageError, match=r"decoder\.0\.weight should be \(16, 12\) and is \(16, 3\)"):
        checkpoints.load(QUICK.slug, copy)


def test_a_missing_and_a_foreign_tensor_are_named(copy):
    """`strict=False` would leave random weights in place."""
    path = copy / QUICK.slug / "weights.safetensors"
    tensors = load_file(path)
    tensors["decoder.9.weight"] = tensors.pop("decoder.2.bias")
    save_file(tensors, path)
    with pytest.raises(StorageError, match=r"decoder\.2\.bias should be \(784,\) and is absent"):
        checkpoints.load(QUICK.slug, copy)


@pytest.mark.parametrize("name", ["weights.safetensors", "codes.safetensors", "card.json"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "missing"])
def test_a_damaged_file_is_a_sentence(copy, name, damage):
    """No traceback of a parser on a page, and the other models stay listed."""
    path = copy / QUICK.slug / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if damage == "truncated" else os.urandom(400))
    with pytest.raises(StorageError):
        checkpoints.load(QUICK.slug, copy)
        checkpoints.load_codes(QUICK.slug, copy)
    checkpoints.available(copy)


def test_a_newer_format_is_refused(copy):
    path = copy / QUICK.slug / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(StorageError, match="format"):
        checkpoints.load(QUICK.slug, copy)


def test_an_interrupted_training_leaves_no_checkpoint_and_goes_on(tmp_path):
    """A half-written folder would be loaded by the next page."""
    from vae_core.training import Stopped

    with pytest.raises(Stopped):
        checkpoints.load_or_train(QUICK, root=tmp_path, on_step=lambda step: step.epoch == 2)
    assert checkpoints.available(tmp_path) == []
    first = []
    checkpoints.load_or_train(QUICK, root=tmp_path, on_step=lambda step: first.append(step.epoch))
    assert set(first) == {2}
    codes = checkpoints.load_codes(QUICK.slug, tmp_path)
    assert codes["epochs"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("vae", r"diverged in epoch 1 of 2: .* Try a learning rate below 1000"),
        ("ae", r"diverged, and nothing of it is kept: it ends at \d.* where an untrained network has 5"),
    ],
)
@pytest.mark.parametrize("on_step", [None, lambda step: None])
def test_a_training_that_diverges_keeps_nothing_and_the_good_one_stays(kind, sentence, on_step, tmp_path):
    """NaN was trained on to the end, saved over the good checkpoint, and called a success."""
    model = ModelConfig(kind=kind, encoder=(16,), decoder=(16,))
    good = Config(model, TrainingConfig(dataset="digits", epochs=1, batch_size=64))
    wild = Config(model, TrainingConfig(dataset="digits", epochs=2, batch_size=64, learning_rate=1000.0))
    with pytest.raises(Diverged, match=sentence):
        checkpoints.load_or_train(wild, root=tmp_path, on_step=on_step)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{good.slug}.lock"]
    checkpoints.load_or_train(good, root=tmp_path)  # nothing half-way of the other stands in its way
    before = {path: path.read_bytes() for path in (tmp_path / good.slug).iterdir()}
    with pytest.raises(Diverged):
        checkpoints.load_or_train(wild, root=tmp_path, on_step=on_step, retrain=True)
    assert {path: path.read_bytes() for path in (tmp_path / good.slug).iterdir()} == before
    checkpoints.load_or_train(good, root=tmp_path, retrain=True)


def test_a_trial_is_scored_on_what_it_held_out(tmp_path):
    """Recipes are chosen by trials: one that printed the test split's numbers would be chosen on them."""
    config = Config(QUICK.model, TrainingConfig(dataset="digits", epochs=1, batch_size=64, held_out=300), "trial")
    model, card = checkpoints.load_or_train(config, root=tmp_path)
    train = data.load("digits", "train")
    assert card["dataset"]["train_images"] == len(train.images) - 300
    want = metrics.summary(metrics.per_image(model, train.images[-300:], train.labels[-300:]))
    assert card["test"] == pytest.approx(want, rel=1e-5)
    too_many = Config(QUICK.model, TrainingConfig(dataset="digits", held_out=5000), "none")
    with pytest.raises(ConfigError, match="below the 1438 training images"):
        checkpoints.load_or_train(too_many, root=tmp_path)


def test_the_family_keeps_its_order():
    """Pages list what `available` gives: AE, DAE, VAE with its relatives, CVAE, and two numbers before twenty."""
    plain = [slug for slug in SHIPPED if slug.count("-") == 2]
    assert plain[:4] == ["mnist-ae-2d", "mnist-dae-2d", "mnist-vae-2d", "mnist-cvae-2d"]
    assert plain.index("mnist-cvae-2d") < plain.index("mnist-pca-2d") < plain.index("mnist-ae-20d")
    assert SHIPPED.index("mnist-vae-2d") < SHIPPED.index("mnist-vae-2d-beta4") < SHIPPED.index("mnist-cvae-2d")


def test_a_card_of_an_unknown_model_is_a_sentence(copy):
    path = copy / QUICK.slug / "card.json"
    card = json.loads(path.read_text())
    card["config"]["model"]["depth"] = 3
    path.write_text(json.dumps(card))
    with pytest.raises(StorageError, match="does not describe a model"):
        checkpoints.load(QUICK.slug, copy)


# What ships ----------------------------------------------------------------------------------------------

WANTED = {f"mnist-{k}-{d}d" for k in ("ae", "dae", "vae", "cvae") for d in (2, 20)} | {
    f"digits-{k}-2d" for k in ("ae", "dae", "vae", "cvae")
}


def test_everything_that_was_promised_ships():
    assert set(SHIPPED) >= WANTED


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_model_is_small_sound_and_answers(slug, root):
    """At most 1.5 M parameters and 3 MB, since it will run in a browser; its files keep to their limits."""
    model, card = checkpoints.load(slug)
    folder = root / "checkpoints" / slug
    beside = {f"{name}.safetensors" for name in ("exact", "posterior", "arrows") if name in card}
    assert {p.name for p in folder.iterdir()} == {"weights.safetensors", "codes.safetensors", "card.json"} | beside
    assert (folder / "weights.safetensors").stat().st_size <= 3 * 2**20
    assert (folder / "codes.safetensors").stat().st_size <= (1.5 if card["latent_dim"] <= 20 else 3) * 2**20
    assert card["parameters"] == sum(p.numel() for p in model.parameters()) <= 1_500_000
    assert abs(card["half_precision_moved"]) < 0.05
    assert card["config"]["training"]["held_out"] == 0
    assert Config.from_dict(card["config"]).slug == slug == card["slug"]
    z = torch.zeros(1, model.config.latent_dim)
    pixels = model.pixels(z, torch.tensor([3]))
    assert 0 <= pixels.min()
    assert pixels.max() <= 1


@pytest.mark.parametrize("slug", SHIPPED)
def test_stored_terms_reproduce_the_card(slug):
    """The numbers on pages come from codes.safetensors, those in the README from the card: one truth."""
    _, card = checkpoints.load(slug)
    codes = checkpoints.load_codes(slug)
    terms = metrics.PerImage(*(codes.get(f"test_{name}") for name in metrics.PerImage._fields))
    scores = metrics.summary(terms)
    assert scores == pytest.approx({k: card["test"][k] for k in scores}, rel=1e-5)
    assert ("test_logvar" in codes) == KINDS[card["kind"]].probabilistic
    n = len(codes["test_label"])
    assert all(len(v) == n for k, v in codes.items() if k.startswith("test_"))
    assert all(torch.isfinite(v).all() for v in codes.values() if v.is_floating_point())


@pytest.mark.parametrize("slug", [s for s in SHIPPED if s.startswith("digits-")])
def test_cards_of_the_bundled_digits_reproduce_in_full(slug):
    """From images to card with nothing but what pip installs."""
    model, card = checkpoints.load(slug)
    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert data.fingerprint(train) == card["dataset"]["train_fingerprint"]
    assert data.fingerprint(test) == card["dataset"]["test_fingerprint"]
    codes, scores, denoising = checkpoints.assess(model, "digits", train, test)
    assert scores == pytest.approx(card["test"], rel=1e-4)
    for kind, rows in denoising.items():
        for amount, row in rows.items():
            assert row == pytest.approx(card["denoising"][kind][amount], rel=1e-3, abs=1e-4)
    stored = checkpoints.load_codes(slug)
    torch.testing.assert_close(codes["test_mean"].float(), stored["test_mean"], atol=2e-2, rtol=2e-3)


@pytest.mark.parametrize("slug", [s for s in SHIPPED if s.startswith("mnist-")])
def test_cards_of_mnist_reproduce_from_the_images(slug, mnist_dir):
    """The test split through the shipped weights gives the card's numbers again."""
    model, card = checkpoints.load(slug)
    test = data.load("mnist", "test")
    assert data.fingerprint(test) == card["dataset"]["test_fingerprint"]
    scores = metrics.summary(metrics.per_image(model, test.images, test.labels))
    assert scores == pytest.approx({k: card["test"][k] for k in scores}, rel=1e-4)
