"""Colours of classes: the ten that are known to be told apart, and further ones that keep their distance."""

import numpy as np
import pytest

from vae_core.colours import TEN, palette, rgb, seen_as


def distances(n):
    """The least distance between two of n colours, for each of the four kinds of vision."""
    seen = seen_as(np.array([rgb(colour) for colour in palette(n)]))
    return (np.linalg.norm(seen[:, :, None] - seen[:, None], axis=-1) + 9 * np.eye(n)).min((1, 2))


def test_ten_classes_have_petroffs_colours():
    """They stand on every page and in the modules of the browser: a class keeps its colour when others come."""
    for n in (2, 10, 26):
        assert palette(n)[:10] == TEN[:n] and len(set(palette(n))) == n


def test_oklab_is_that_of_its_author():
    """White, and red as Ottosson's own code gives it; a grey looks grey to everybody."""
    white, red = seen_as(np.array([[255, 255, 255], [255, 0, 0]]))[0]
    assert white == pytest.approx([1, 0, 0], abs=1e-3)
    assert red == pytest.approx([0.6280, 0.2249, 0.1258], abs=1e-3)
    assert np.ptp(seen_as(np.full((1, 3), 128)), axis=0).max() < 5e-3


def test_a_confusion_of_red_and_green_is_seen():
    """The simulation is what decides: to deuteranopes this red and this green are one colour nearly, to others not."""
    red, green = seen_as(np.array([[190, 80, 60], [110, 120, 40]])).transpose(1, 0, 2)
    normal, _, deutan, _ = np.linalg.norm(red - green, axis=-1)
    assert deutan < normal / 2


def test_the_alphabet_is_nearly_as_far_apart_as_the_ten():
    """26 letters: to nobody do two of them come closer than 0.85 of what Petroff's ten are at their worst."""
    assert distances(26).min() > 0.85 * distances(10).min()
    assert distances(15).min() == pytest.approx(distances(10).min())


def test_colours_are_seen_on_white_and_on_black():
    lightness = seen_as(np.array([rgb(colour) for colour in palette(30)[10:]]))[0, :, 0]
    assert 0.45 <= lightness.min() and lightness.max() <= 0.85
