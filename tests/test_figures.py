"""Charts as pure functions: what is drawn is what the cards say."""

import pytest

from ui import figures
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
    assert f"{last['reconstruction'] + last['kl']:.1f}" in figure.layout.annotations[1].text
    assert "nats" in figure.layout.yaxis.title.text


def test_a_model_without_history_leaves_the_others():
    figure = figures.learning_curves({"a": [], "b": [{"epoch": 1, "reconstruction": 2.0, "kl": None}]})
    assert list(figure.data[1].y) == [2.0]
