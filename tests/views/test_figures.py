"""Charts as pure functions: what is drawn is what the cards say."""

import itertools

import pytest

from ui.parts import figures
from vae_core import checkpoints


def test_learning_curves_are_the_cards_histories():
    """A curve of reconstruction alone beside one of reconstruction + KL would compare what does not compare."""
    histories = {slug: checkpoints.read_card(slug)["history"] for slug in ("mnist-ae-2d", "mnist-vae-2d")}
    figure = figures.learning_curves(histories)
    assert [line.name for line in figure.data] == list(histories)
    for line, rows in zip(figure.data, histories.values(), strict=True):
        assert list(line.x) == [row["epoch"] for row in rows]
        assert list(line.y) == pytest.approx([row["reconstruction"] + (row["kl"] or 0) for row in rows])
    last = histories["mnist-vae-2d"][-1]
    assert any(f"{last['reconstruction'] + last['kl']:.1f}" in note.text for note in figure.layout.annotations)
    assert "nats" in figure.layout.yaxis.title.text


def test_names_of_curves_that_end_side_by_side_do_not_overlap():
    """The four 2-D models end within nine nats, two of them within one: their names lay over each other."""
    ends = {"AE": 115.6, "DAE": 116.8, "VAE": 123.4, "CVAE": 115.7}
    rows = {name: [{"epoch": 1, "reconstruction": nats, "kl": None}] for name, nats in ends.items()}
    figure = figures.learning_curves(rows)
    low, high = figure.layout.yaxis.range
    pixels = (figure.layout.height - figure.layout.margin.t - figure.layout.margin.b) / (high - low)
    places = sorted(note.y for note in figure.layout.annotations)
    assert all((b - a) * pixels >= 16 for a, b in itertools.pairwise(places))
    assert [note.text.split()[0] for note in figure.layout.annotations] == sorted(ends, key=ends.get)


def test_a_model_without_history_leaves_the_others():
    figure = figures.learning_curves({"a": [], "b": [{"epoch": 1, "reconstruction": 2.0, "kl": None}]})
    assert list(figure.data[1].y) == [2.0]
