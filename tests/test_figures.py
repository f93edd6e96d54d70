"""The charts, read back as data: what is drawn is what was asked for, in data units."""

import numpy as np
import pytest

from ui import figures
from ui.family import DIGIT_COLOURS

RNG = np.random.default_rng(0)
CODES = (RNG.normal(size=(400, 2)) * [3.0, 1.5]).astype(np.float32)
LABELS = np.arange(400) % 10
SHOWN = np.array([7, 3, 399, 120])


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def outline(figure, name):
    t = trace(figure, name)
    return np.stack([t.x, t.y], axis=1)


def numerals(figure):
    notes = {a.name: a for a in figure.layout.annotations}
    return np.array([[notes[f"numeral {y}"].x, notes[f"numeral {y}"].y] for y in range(10)])


def test_dots_are_the_codes_that_were_asked_for():
    """A dot in another place or colour, or a second dot, would show a digit where it is not."""
    t = trace(figures.code_map(CODES, LABELS, SHOWN, prior=True), "codes")
    assert t.type == "scattergl" and t.mode == "markers"
    np.testing.assert_array_equal(np.stack([t.x, t.y], axis=1), CODES[SHOWN])
    assert list(t.customdata) == SHOWN.tolist()
    assert list(t.marker.color) == [DIGIT_COLOURS[y] for y in LABELS[SHOWN]]


def test_same_input_same_figure():
    """Points must not jitter from one rerun to the next."""
    once, twice = (figures.code_map(CODES, LABELS, SHOWN, prior=True).to_json() for _ in range(2))
    assert once == twice


def test_axes_are_equal_and_named():
    """On unequal axes a circle is no circle and an ellipse has other half-axes than the numbers say."""
    layout = figures.code_map(CODES, LABELS, SHOWN, prior=False).layout
    assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio) == ("x", 1)
    assert layout.xaxis.constrain == layout.yaxis.constrain == "domain"
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("z₁", "z₂")


def test_window_holds_the_crowd_the_circles_and_the_mark():
    """One code far out must not shrink the map to a spot, a picked one must be seen wherever it lies, and the window
    must not depend on how many dots are drawn."""
    codes = CODES.copy()
    codes[0] = [500.0, 0.0]
    narrow = figures.code_map(codes, LABELS, SHOWN, prior=False, mark=figures.Mark(codes[1])).layout
    same = figures.code_map(codes, LABELS, np.arange(400), prior=False, mark=figures.Mark(codes[1])).layout
    assert narrow.xaxis.range == same.xaxis.range and narrow.yaxis.range == same.yaxis.range
    assert narrow.xaxis.range[1] < 20
    for axis in (narrow.xaxis, narrow.yaxis):
        assert axis.range[0] < -2 and axis.range[1] > 2
    x, y = np.array(narrow.xaxis.range), np.array(narrow.yaxis.range)
    outside = sum(not (x[0] <= a <= x[1] and y[0] <= b <= y[1]) for a, b in codes)
    assert 1 <= outside == figures.beyond(codes, codes[1]) <= 16  # at most 2 % a dimension
    wide = figures.code_map(codes, LABELS, SHOWN, prior=False, mark=figures.Mark(codes[0])).layout
    assert wide.xaxis.range[1] > 500


@pytest.mark.parametrize(("prior", "dash"), [(True, "solid"), (False, "dash")])
def test_circles_have_radius_one_and_two(prior, dash):
    """The prior's 1σ and 2σ are statements in the codes' own units; a yardstick must not look like a prior."""
    figure = figures.code_map(CODES, LABELS, SHOWN, prior=prior)
    for radius in (1, 2):
        circle = outline(figure, f"prior {radius}")
        np.testing.assert_allclose(np.linalg.norm(circle, axis=1), radius)
        np.testing.assert_allclose(circle[0], circle[-1], atol=1e-12)  # closed
        assert trace(figure, f"prior {radius}").line.dash == dash


def test_ellipse_has_sigma_as_half_axes():
    """Half-axes of σ² or 2σ, or swapped ones, would show another posterior than the numbers beside it."""
    mean, sd = np.array([0.5, -1.0]), np.array([0.3, 0.07])
    ellipse = outline(figures.code_map(CODES, LABELS, SHOWN, prior=True, mark=figures.Mark(mean, sd)), "posterior")
    np.testing.assert_allclose((((ellipse - mean) / sd) ** 2).sum(axis=1), 1)
    np.testing.assert_allclose(np.ptp(ellipse, axis=0), 2 * sd, rtol=1e-3)


def test_a_point_has_a_ring_and_no_ellipse():
    """A deterministic model has no posterior; an ellipse there would be invented."""
    mark = figures.Mark(CODES[5])
    figure = figures.code_map(CODES, LABELS, SHOWN, prior=False, mark=mark)
    assert "posterior" not in {t.name for t in figure.data}
    np.testing.assert_array_equal(outline(figure, "picked"), CODES[[5]])
    assert figure.data[-1].name == "picked"  # above everything that WebGL draws


def test_numerals_stand_at_the_medians_where_there_is_room():
    """The numeral is what tells the classes apart without colour: it must stand in its class, and be readable."""
    far = CODES + 20 * (LABELS[:, None] + 2)
    figure = figures.code_map(far, LABELS, SHOWN, prior=True)
    medians = [np.median(far[LABELS == y], axis=0) for y in range(10)]
    np.testing.assert_allclose(numerals(figure), medians, rtol=1e-6)
    by_name = {a.name: a for a in figure.layout.annotations}
    assert [by_name[f"numeral {y}"].bordercolor for y in range(10)] == list(DIGIT_COLOURS)


@pytest.mark.parametrize("points", [np.zeros((10, 2)), RNG.normal(size=(10, 2)) * 0.1])
def test_spread_parts_what_overlaps(points):
    """On a CVAE's map all ten medians meet at the origin: without this one numeral would hide nine."""
    fixed = np.array([[0.0, 0.0]])
    places = np.concatenate([figures.spread(points, 1.0, fixed), fixed])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[np.triu_indices(11, 1)]
    assert gaps.min() > 0.95
    assert np.linalg.norm(places, axis=1).max() < 2.2  # a tight heap has a radius of about 1.9


def test_spread_leaves_alone_what_has_room():
    """A numeral that is moved without need stands off its class."""
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    np.testing.assert_array_equal(figures.spread(points, 1.0, np.array([[9.0, 9.0]])), points)
