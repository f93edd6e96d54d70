"""Charts: the only place that knows Plotly. Every function is pure: arrays in, a figure out, nothing drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from ui.family import DIGIT_COLOURS

ACCENT = "#d6336c"  # the one colour that is no digit's
QUIET = "#8a9099"  # lines that explain: seen on white and on near-black
HEIGHT = 440  # pixels; a page reserves this much, so that nothing jumps when a chart arrives
# The buttons come with the pointer. A finger or a wheel that meets the chart moves the page, not the map.
CONFIG = {
    "displaylogo": False,
    "scrollZoom": False,
    "modeBarButtons": [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}
_TURN = np.linspace(0, 2 * np.pi, 121)


class Mark(NamedTuple):
    """A picked code: a point, or a Gaussian with diagonal covariance."""

    mean: np.ndarray  # (2,)
    sd: np.ndarray | None = None  # (2,)


def code_map(
    codes: np.ndarray,
    labels: np.ndarray,
    shown: np.ndarray,
    *,
    prior: bool,
    mark: Mark | None = None,
    name: str = "map",
) -> go.Figure:
    """Codes (N, 2) coloured by label (N,); only the rows `shown` (n,) are drawn, none is moved.

    One dot a code, one unit equally long on both axes. Circles of radius 1 and 2 about the origin: solid where N(0, I)
    is the model's prior, dashed where it is only a yardstick. A numeral stands at its class's median over all N codes,
    moved a little where it would cover another. `mark` is the picked code with the ellipse of half-axes σ. A dot
    carries its row as `customdata`.

    Everything but text is drawn by WebGL, in this order: Plotly puts WebGL above its other traces and shapes.
    """
    range_x, range_y = ranges(codes, None if mark is None else mark.mean)
    figure = go.Figure()
    figure.add_scattergl(
        x=codes[shown, 0],
        y=codes[shown, 1],
        customdata=shown,
        text=[str(y) for y in labels[shown]],
        mode="markers",
        marker={
            "size": float(np.interp(len(shown), [500, 2000, 10_000], [7, 5, 3.5])),
            "color": [DIGIT_COLOURS[y] for y in labels[shown]],
            "opacity": 0.8,
        },
        unselected={"marker": {"opacity": 0.8}},  # a click picks one digit; it does not fade the others
        hovertemplate="%{text} (test image %{customdata})<extra></extra>",
        name="codes",
    )
    gap = 0.056 * max(range_x[1] - range_x[0], range_y[1] - range_y[0])  # between numerals, in data units
    for radius in (1, 2):
        outline = ellipse(np.zeros(2), np.full(2, float(radius)))
        _add_line(figure, outline, f"prior {radius}", color=QUIET, width=1.5, dash="solid" if prior else "dash")
    away = 1 if mark is not None and mark.mean[1] < 0 else -1  # their names stand where the mark is not
    named = [(0.0, away * r) for r in (1.0, 2.0) if r == 2 or gap < 1]  # two names want room between the circles
    for at in named:
        _add_chip(figure, *at, f"{abs(at[1]):.0f}σ", f"circle {abs(at[1]):.0f}")
    if mark is not None:
        if mark.sd is not None:
            _add_line(figure, ellipse(mark.mean, mark.sd), "posterior", color=ACCENT, width=1.5)
            figure.data[-1].update(fill="toself", fillcolor="rgba(214, 51, 108, 0.35)")
        else:
            _add_rings(figure, mark.mean[None], "centre", size=3, color=ACCENT, width=3)
        # Wide enough to leave a usual ellipse free; white below keeps it apart from red dots.
        _add_rings(figure, mark.mean[None], "halo", size=28, color="#ffffff", width=5)
        _add_rings(figure, mark.mean[None], "picked", size=28, color=ACCENT, width=2.5)
    present = [y for y in range(len(DIGIT_COLOURS)) if (labels == y).any()]
    medians = np.array([np.median(codes[labels == y], axis=0) for y in present])
    places = spread(medians, gap, np.array([*named, *([] if mark is None else [mark.mean])]))
    for y, place in zip(present, places.tolist(), strict=True):
        _add_chip(figure, *place, f"<b>{y}</b>", f"numeral {y}", bordercolor=DIGIT_COLOURS[y], borderwidth=2)
    # The ranges hold whatever the chart's shape is; what is left over stays empty.
    axis = {"constrain": "domain", "showgrid": False, "zeroline": False, "ticks": "outside", "ticklen": 4}
    figure.update_xaxes(title="z₁", range=range_x, title_standoff=4, **axis)
    figure.update_yaxes(title="z₂", range=range_y, title_standoff=2, scaleanchor="x", scaleratio=1, **axis)
    return figure.update_layout(
        height=HEIGHT,
        margin={"l": 4, "r": 4, "t": 28, "b": 4},
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        uirevision=name,  # a zoom survives the next picked digit
    )


def ellipse(centre: np.ndarray, half_axes: np.ndarray) -> np.ndarray:
    """A closed outline (121, 2) with its axes along z₁ and z₂: the covariance of q(z | x) is diagonal."""
    return centre + half_axes * np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def ranges(codes: np.ndarray, also: np.ndarray | None = None) -> tuple[list[float], list[float]]:
    """The window: of each axis the middle 98 % of all codes (N, 2), drawn or not, the circle of radius 2, and `also`.

    A deterministic model's codes have no prior to hold them: some in a hundred lie so far out that a window around
    all of them would show the others as one spot.
    """
    low, high = np.minimum(np.quantile(codes, 0.01, axis=0), -2.0), np.maximum(np.quantile(codes, 0.99, axis=0), 2.0)
    if also is not None:
        low, high = np.minimum(low, also), np.maximum(high, also)
    edge = 0.08 * (high - low)
    (x0, y0), (x1, y1) = (low - edge).tolist(), (high + edge).tolist()
    return [x0, x1], [y0, y1]


def beyond(codes: np.ndarray, also: np.ndarray | None = None) -> int:
    """How many of the codes (N, 2) lie outside the window."""
    window = np.array(ranges(codes, also))
    return int(((codes < window[:, 0]) | (codes > window[:, 1])).any(axis=1).sum())


def spread(points: np.ndarray, gap: float, keep_off: np.ndarray, steps: int = 200) -> np.ndarray:
    """Points (M, 2), pushed apart where two are nearer than `gap`, and off the fixed points `keep_off` (F, 2)."""
    places = np.concatenate([points, keep_off]).astype(float)
    free = (np.arange(len(places)) < len(points))[:, None]
    for _ in range(steps):
        way = places[:, None] - places[None]
        distance = np.linalg.norm(way, axis=-1)
        lack = np.clip(1.02 * gap - distance, 0, None) * (1 - np.eye(len(places)))
        if not (lack > 0.02 * gap).any():
            break
        # Points at one place have no direction to part in: each gets its own, always the same.
        angle = np.arange(len(places)) * np.pi * (3 - np.sqrt(5))
        own = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        way = np.where(distance[..., None] > 1e-9, way / np.maximum(distance, 1e-9)[..., None], own[:, None])
        # The mean push, not the sum: a point in a crowd would jump out of it.
        push = (way * lack[..., None]).sum(1) / np.maximum((lack > 0).sum(1), 1)[:, None]
        places += np.where(free, 0.5 * push, 0)
    return places[: len(points)]


def _add_line(figure: go.Figure, outline: np.ndarray, name: str, **line: object) -> None:
    figure.add_scattergl(x=outline[:, 0], y=outline[:, 1], mode="lines", line=line, hoverinfo="skip", name=name)


def _add_rings(figure: go.Figure, at: np.ndarray, name: str, *, size: float, color: str, width: float) -> None:
    figure.add_scattergl(
        x=at[:, 0],
        y=at[:, 1],
        mode="markers",
        marker={"size": size, "color": "rgba(0, 0, 0, 0)", "line": {"color": color, "width": width}},
        hoverinfo="skip",
        name=name,
    )


def _add_chip(figure: go.Figure, x: float, y: float, text: str, name: str, **style: object) -> None:
    figure.add_annotation(
        x=x,
        y=y,
        text=text,
        name=name,
        showarrow=False,
        font={"size": 12, "color": "#1a1d21"},
        bgcolor="rgba(255, 255, 255, 0.88)",
        borderpad=2,
        **style,
    )
