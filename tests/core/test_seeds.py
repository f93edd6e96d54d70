"""Further seeds of a model: numbers on its card, no weights, and who is about equal."""

import json

import pytest
import torch

from vae_core import checkpoints, seeds, spread
from vae_core.__main__ import main
from vae_core.config import Config, ConfigError, ModelConfig, TrainingConfig
from vae_core.storage import write_json

CONFIG = Config(
    ModelConfig("vae", encoder=(16,), decoder=(16,)), TrainingConfig("digits", epochs=2, batch_size=64), "mine"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of checkpoints with one model and two further seeds of it, and what the call said."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("seeds")
    checkpoints.load_or_train(CONFIG, root=root)
    return root, list(seeds.run([CONFIG.slug], [1, 2], jobs=1, root=root))


def test_the_numbers_are_those_of_a_training_from_that_seed(models, tmp_path):
    root, said = models
    assert sorted(said) == [(CONFIG.slug, 1, ""), (CONFIG.slug, 2, "")]
    card = checkpoints.read_card(CONFIG.slug, root)
    assert list(card["seeds"]["runs"]) == ["1", "2"]
    assert card["seeds"]["command"] == f"python -m vae_core seeds {CONFIG.slug} --seeds 1,2"
    for seed in (1, 2):
        other = Config(CONFIG.model, TrainingConfig("digits", epochs=2, batch_size=64, seed=seed), f"by-hand{seed}")
        _, own = checkpoints.load_or_train(other, root=tmp_path)
        run = card["seeds"]["runs"][str(seed)]
        assert run["test"] == own["test"] and run["denoising"] == own["denoising"]
    tests = [json.dumps(each["test"]) for each in (card, *card["seeds"]["runs"].values())]
    assert len(set(tests)) == 3, "another seed is another training"


def test_no_weights_are_kept_and_no_model_is_offered(models):
    root, _ = models
    assert checkpoints.available(root) == [CONFIG.slug]
    assert list(root.rglob("*seed*/weights.safetensors")) == []


def test_what_a_card_has_is_not_trained_again(models):
    root, _ = models
    before = (root / CONFIG.slug / "card.json").read_bytes()
    assert list(seeds.run([CONFIG.slug, CONFIG.slug], [2, 1], jobs=1, root=root)) == []
    assert (root / CONFIG.slug / "card.json").read_bytes() == before


def test_seeds_of_other_weights_count_for_nothing(models):
    root, _ = models
    card = checkpoints.read_card(CONFIG.slug, root)
    weights, path = card["seeds"]["weights"], ("test", "nelbo")
    values = [card["test"]["nelbo"], *(run["test"]["nelbo"] for run in card["seeds"]["runs"].values())]
    assert spread.of(card, weights, path) == (min(values), max(values), 3)
    assert spread.of(card, weights[:16], path).trainings == 3
    assert spread.of(card, "0" * 64, path) == (values[0], values[0], 1)
    assert spread.of(card, "", path).trainings == 1
    assert spread.of(card, weights, ("test", "nothing")) is None
    assert spread.of(card | {"test": {"nelbo": "123"}}, weights, path) is None


def test_a_models_own_seed_is_not_a_further_one(models, capsys):
    root, _ = models
    with pytest.raises(ConfigError, match="itself was trained from seed 0"):
        next(seeds.run([CONFIG.slug], [0, 1], jobs=1, root=root))
    assert main(["seeds", CONFIG.slug, "--seeds", "0", "--root", str(root)]) == 1
    with pytest.raises(SystemExit):
        main(["seeds", CONFIG.slug, "--seeds", "-1"])
    assert "Traceback" not in capsys.readouterr().err


def test_a_damaged_entry_is_refused_in_a_sentence(models, tmp_path):
    root, _ = models
    card = checkpoints.read_card(CONFIG.slug, root)
    folder = tmp_path / CONFIG.slug
    folder.mkdir()
    for runs in ([], {"1": {"test": {"nelbo": "low"}}}, {"1": 3}):
        write_json(folder / "card.json", card | {"seeds": card["seeds"] | {"runs": runs}})
        with pytest.raises(checkpoints.StorageError, match=r"seeds\.runs"):
            checkpoints.read_card(CONFIG.slug, tmp_path)


def test_ranges_that_overlap_are_about_equal():
    one = spread.Spread(123.1, 123.6, 3)
    assert one.meets(spread.Spread(123.5, 124, 3)) and spread.Spread(123.5, 124, 3).meets(one)
    assert one.meets(spread.Spread(123.2, 123.3, 3)) and one.meets(one)
    assert not one.meets(spread.Spread(123.7, 124, 3))
    assert not one.meets(spread.Spread(123.2, 123.2, 1)), "of one training nobody knows"
