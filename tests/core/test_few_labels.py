"""Few labels: what is certain is certain, what can be solved exactly is, and the cards say what is found again."""

import json
import shutil

import numpy as np
import pytest
from sklearn.semi_supervised import LabelSpreading

from vae_core import checkpoints, few_labels, measures
from vae_core.config import ConfigError
from vae_core.few_labels import WAYS, Codes
from vae_core.storage import StorageError, read_json, write_json

CLASSES = 4


def toy(n: int = 400, apart: float = 12.0, seed: int = 0) -> tuple[Codes, np.ndarray, np.ndarray]:
    """Four round heaps, as far apart as is asked for: codes, labels of the training half, labels of the test half."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, 2 * n)
    middles = apart * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    codes = middles[labels] + rng.normal(size=(2 * n, 3))
    return Codes(codes[:n], codes[n:]), labels[:n], labels[n:]


@pytest.mark.parametrize("way", WAYS)
def test_heaps_that_lie_apart_are_all_named_right_and_the_same_every_time(way):
    """A way that errs here errs by a mistake of ours, not by the codes; and a link must show what was seen."""
    codes, known, truth = toy()
    at = few_labels.drawn(len(known), 60, seed=0)
    assert set(known[at]) == set(range(CLASSES))
    found, again = (few_labels.call(way, codes, at, known[at]) for _ in range(2))
    np.testing.assert_array_equal(found.train, known)
    np.testing.assert_array_equal(found.test, truth)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("way", WAYS)
def test_what_nobody_has_named_is_never_called(way):
    """One label, two labels, labels with gaps: a visitor's first clicks must not end in an exception of a solver."""
    codes, known, _ = toy()
    for classes in ([2], [3, 1]):
        at = np.array([np.flatnonzero(known == label)[0] for label in classes])
        found = few_labels.call(way, codes, at, known[at])
        assert set(found.train) | set(found.test) <= set(classes)
    with pytest.raises(ValueError, match="at least one code"):
        few_labels.call(way, codes, at[:0], at[:0])


def test_spreading_is_the_exact_solution():
    """Conjugate gradients that stop early, or mix columns, would call codes by how long they ran."""
    codes, known, _ = toy(apart=3)
    links = codes.graph.links
    assert abs(links - links.T).max() < 1e-15
    held = np.zeros((len(known), CLASSES))
    held[np.arange(30), known[:30]] = 1
    exact = np.linalg.solve(np.eye(len(known)) - few_labels.ALPHA * links.toarray(), held)
    np.testing.assert_allclose(few_labels.spread(links, held), exact, rtol=1e-4, atol=1e-6 * exact.max())


def test_spreading_is_as_good_as_scikit_learns():
    """Another graph and no shares of classes there: what must agree is how much it is worth."""
    codes, known, truth = toy(apart=4, n=600)
    at = few_labels.drawn(len(known), 24, seed=1)
    masked = np.full(len(known), -1)
    masked[at] = known[at]
    theirs = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.99, max_iter=2000).fit(codes.train, masked)
    ours = few_labels.call("spreading", codes, at, known[at])
    assert (ours.test == truth).mean() >= (theirs.predict(codes.test) == truth).mean() - 0.02


def test_more_labels_of_a_draw_are_the_same_ones_and_others():
    """Otherwise moving the slider would show another draw at each stop."""
    few, many = (few_labels.drawn(1000, count, seed=3) for count in (10, 200))
    np.testing.assert_array_equal(many[:10], few)
    assert len(set(many.tolist())) == 200
    assert few.tolist() != few_labels.drawn(1000, 10, seed=4).tolist()


def test_the_first_codes_that_a_person_is_asked_about_cover_the_heaps():
    """Twelve labels by hand are worth it only if they are not of the same few digits."""
    codes, known, _ = toy()
    asked = few_labels.apart(codes, 10)
    assert set(known[asked[:CLASSES]]) == set(range(CLASSES)) and len(set(asked.tolist())) == 10
    np.testing.assert_array_equal(asked, few_labels.apart(codes, 10))


@pytest.mark.parametrize(("slug", "told"), [("mnist-vae-20d", 0.859), ("mnist-ae-20d", 0.888)])
def test_the_first_twelve_labels_are_worth_what_is_told(slug, told):
    """The page's promise to whoever labels twelve by hand, and docs/measured.md: no digit is missing among them."""
    kept = checkpoints.load_codes(slug)
    codes, known = Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy()), kept["train_label"].numpy()
    at = few_labels.apart(codes, 12)
    assert set(known[at]) == set(range(10))
    found = few_labels.learn("spreading", codes, at, known[at])("test")
    assert (found == kept["test_label"].numpy()).mean() == pytest.approx(told, abs=0.01)


@pytest.mark.parametrize(("slug", "least"), [("mnist-vae-20d", 0.90), ("mnist-ae-20d", 0.94)])
def test_what_the_cards_say_is_found_again_and_enough(slug, least):
    """600 labels reach what was asked for, and the first two draws are where the card's interval of ten has them."""
    found = measures.measured("few_labels", slug)
    assert found is not None and found["draws"] == 10 and found["tested"] == found["codes"] == 10_000
    row = found["rows"]["600"]
    assert set(row) == set(WAYS) and row["spreading"]["mean"] >= least
    kept = checkpoints.load_codes(slug)
    codes, known = Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy()), kept["train_label"].numpy()
    at = few_labels.drawn(len(known), 600, 0)
    for way in ("k-means", "centre", "nearest", "spreading"):
        share = (few_labels.learn(way, codes, at, known[at])("test") == kept["test_label"].numpy()).mean()
        spread = row[way]["half"] / 2.262 * np.sqrt(10)
        assert abs(share - row[way]["mean"]) < 4 * spread, way


def test_the_taught_way_is_the_worst_of_those_that_use_centres_wherever_it_was_measured():
    """Few labels says so of every model, and of raw pixels."""
    known = [checkpoints.load_baselines()["few_labels"]]
    known += [found for slug in checkpoints.available() if (found := measures.measured("few_labels", slug))]
    assert len(known) >= 9
    for found in known:
        for row in found["rows"].values():
            assert row["k-means"]["mean"] < row["centre"]["mean"]


def test_a_conditional_model_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="encoded with their labels"):
        measures.measure(measures.Subject("mnist-cvae-20d"), "few_labels")
    with pytest.raises(ConfigError, match="10,000 stored training codes"):
        measures.measure(measures.Subject("digits-vae-2d"), "few_labels")


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {"rows": {}},
        {"rows": {"600": {"svm": 0.9}}, "codes": 10_000, "tested": 10_000, "draws": 10},
        {"rows": {"600": {"svm": {"mean": 90.6, "half": 0.4}}}, "codes": 10_000, "tested": 10_000, "draws": 10},
        {"rows": {"600": {"svm": {"mean": 0.9, "half": -1}}}, "codes": 10_000, "tested": 10_000, "draws": 10},
    ],
    ids=json.dumps,
)
def test_a_card_with_other_shares_is_refused(root, tmp_path, broken):
    """A page would print 9,060 %."""
    slug = "digits-ae-2d"
    shutil.copytree(root / "checkpoints" / slug, tmp_path / slug)
    path = tmp_path / slug / "card.json"
    write_json(path, read_json(path) | {"few_labels": broken})
    with pytest.raises(StorageError, match="few_labels"):
        checkpoints.read_card(slug, tmp_path)


def test_the_measure_counts_every_way_at_both_numbers_of_labels():
    """On codes that lie apart every cell is 1 ± 0."""
    import torch

    codes, known, truth = toy(n=1300)
    found = measures.few(codes, torch.tensor(known), torch.tensor(truth))
    assert set(found["rows"]) == {"600", "1200"} and found["codes"] == found["tested"] == 1300
    assert all(cell == {"mean": 1.0, "half": 0.0} for row in found["rows"].values() for cell in row.values())
