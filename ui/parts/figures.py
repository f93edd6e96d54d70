"""Charts that are read: the only place that knows Plotly. Pure functions: numbers in, a figure out."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

CONFIG = {"displayModeBar": False, "scrollZoom": False}
# Lines that are no digits: the accent for none of them.
_GREY, _ACCENT = "#8a9099", "#d6336c"  # both can be told from either theme's ground
_FILL = {_GREY: "rgba(138,144,153,0.28)", _ACCENT: "rgba(214,51,108,0.22)"}


def _epochs(last: Iterable[int]) -> dict[str, Any]:
    """The axis of curves that end at these epochs. There is no epoch 1.5: of few the whole ones have ticks."""
    most = max(last, default=0)
    few = {"dtick": 1 if most <= 10 else 2} if most <= 16 else {}
    return {"title": "epoch", "showgrid": False, **few}


def term_curves(lines: Mapping[str, Sequence[tuple[int, float | None]]]) -> go.Figure:
    """One term of the objective by epoch, nats per image: a line a model, its last value at its end.

    `lines`: name → (epoch, value); None where a model has no such term.
    """
    figure, ends, shown = go.Figure(), [], []
    for k, (name, points) in enumerate(lines.items()):
        points = [(epoch, value) for epoch, value in points if value is not None]
        if points:
            epochs, nats = zip(*points, strict=True)
            look = {"color": (_ACCENT, _GREY)[k % 2], "dash": ("solid", "dot")[k % 2], "width": 2}
            figure.add_scatter(x=epochs, y=nats, mode="lines" if len(points) > 1 else "markers", name=name, line=look)
            ends.append((nats[-1], epochs[-1], f"{nats[-1]:.2f}".replace("-", "−")))
            # The first epochs are ten times as high and would flatten what there is to see.
            shown += nats[len(nats) // 20 :]
    low, high = min(shown, default=0), max(shown, default=1)
    room = 0.1 * (high - low) or 1
    above = -np.inf
    for y, x, text in sorted(ends):  # values of curves that end side by side stand one above the other
        above = max(y, above + room)
        figure.add_annotation(x=x, y=above, text=text, showarrow=False, xanchor="left", xshift=6)
    figure.update_layout(
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        height=260,
        margin={"l": 60, "r": 55, "t": 10, "b": 50},
        xaxis=_epochs(x for _, x, _ in ends),
        yaxis={"title": "nats per image", "range": [low - room, high + room]},
    )
    return figure


def draws_from_q(mean: np.ndarray, sigma: np.ndarray, z: np.ndarray) -> go.Figure:
    """Numbered draws z (n, 2) in the 1σ and 2σ ellipses of q = N(mean (2,), diag sigma² (2,)); true to scale."""
    figure, turn = go.Figure(), np.linspace(0, 2 * np.pi, 97)
    for k in (1, 2):
        x, y = mean[0] + k * sigma[0] * np.cos(turn), mean[1] + k * sigma[1] * np.sin(turn)
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": _GREY, "width": 1.5}, hoverinfo="skip")
        figure.add_annotation(x=mean[0], y=mean[1] + k * sigma[1], text=f"{k}σ", showarrow=False, yanchor="bottom")
    figure.add_scatter(x=mean[:1], y=mean[1:], mode="markers", marker={"symbol": "cross", "color": _GREY, "size": 9})
    figure.add_scatter(
        x=z[:, 0],
        y=z[:, 1],
        mode="markers+text",
        text=[str(i + 1) for i in range(len(z))],
        textposition="middle right",
        marker={"color": _ACCENT, "size": 9},
    )
    reach = 1.15 * max(2.6 * sigma.max(), np.abs(z - mean).max(initial=0))
    figure.update_layout(
        showlegend=False,
        height=330,
        margin={"l": 60, "r": 10, "t": 10, "b": 50},
        xaxis={"title": "z₁", "showgrid": False, "zeroline": False, "range": [mean[0] - reach, mean[0] + reach]},
        yaxis={
            "title": "z₂",
            "showgrid": False,
            "zeroline": False,
            "range": [mean[1] - reach, mean[1] + reach],
            "scaleanchor": "x",
        },
    )
    return figure


def bound_estimates(
    lengths: Sequence[int],
    spreads: Mapping[str, tuple[np.ndarray, np.ndarray]],
    levels: Mapping[str, float],
    chosen: int,
) -> go.Figure:
    """Mean ± one standard deviation of repeated L-sample estimates against L, beside exact values; nats.

    `spreads`: name → (mean, sd), each (len(lengths),), in grey, then in the accent. `levels`: name → value, the lowest
    first; its label hangs below its line, the next one's stands above.
    """
    figure = go.Figure()
    for colour, (name, (mean, sd)) in zip((_GREY, _ACCENT), spreads.items(), strict=True):
        figure.add_scatter(
            x=[*lengths, *reversed(lengths)],
            y=[*(mean + sd), *(mean - sd)[::-1]],
            fill="toself",
            fillcolor=_FILL[colour],
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_scatter(x=list(lengths), y=mean, name=name, mode="lines+markers", line={"color": colour, "width": 2})
    for i, (name, value) in enumerate(levels.items()):
        figure.add_hline(y=value, line={"color": (_GREY, _ACCENT)[i], "width": 1.5, "dash": "dash"})
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=value,
            yanchor=("top", "bottom")[i],
            text=f"{name} {value:.2f}".replace("-", "−"),
            showarrow=False,
        )
    figure.add_vline(x=chosen, line={"color": _GREY, "width": 1, "dash": "dot"})
    figure.update_layout(
        height=360,
        margin={"l": 70, "r": 10, "t": 10, "b": 50},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        xaxis={
            "title": "L, draws in one estimate",
            "type": "log",
            "tickvals": list(lengths),
            "ticktext": [str(n) for n in lengths],
            "showgrid": False,
        },
        yaxis={"title": "nats", "showgrid": False},
    )
    return figure


def gradient_variances(parameters: Sequence[str], variances: Mapping[str, np.ndarray]) -> go.Figure:
    """Variance of one-draw gradient estimates on a log axis: a group of bars a parameter, a bar an estimator."""
    figure = go.Figure()
    looks = ({"color": _ACCENT}, {"color": _GREY}, {"color": _FILL[_GREY], "line": {"color": _GREY, "width": 1.5}})
    for look, (name, values) in zip(looks, variances.items(), strict=False):
        # A log axis has no place for an estimator that never varies.
        figure.add_bar(x=list(parameters), y=np.maximum(values, 1e-9), name=name, marker=look, texttemplate="%{y:.2s}")
    figure.update_traces(textposition="outside", cliponaxis=False, textangle=0)
    shown = np.log10(np.maximum(np.concatenate(list(variances.values())), 1e-9))
    figure.update_layout(
        height=340,
        margin={"l": 70, "r": 10, "t": 10, "b": 50},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.06, "x": 0},
        barmode="group",
        xaxis={"title": "gradient in"},
        yaxis={
            "title": "variance of one draw, nats²",
            "type": "log",
            "exponentformat": "power",
            "dtick": max(1, round(np.ptp(shown) / 6)),
        },
    )
    return figure


def running_mean(values: np.ndarray, level: float, level_name: str) -> go.Figure:
    """Losses of single draws (L,) as dots, their running mean ± its standard error, and what it runs to; nats."""
    n = np.arange(1, len(values) + 1)
    mean = np.cumsum(values) / n
    squares = np.maximum(np.cumsum(np.square(values - values[0])) - n * np.square(mean - values[0]), 0)
    error = np.sqrt(squares / np.maximum(n - 1, 1) / n)  # of the mean of the first n; nobody knows it from one draw
    figure = go.Figure()
    figure.add_scatter(
        x=n, y=values, name="one corruption", mode="markers", marker={"color": _GREY, "size": 5, "opacity": 0.6}
    )
    figure.add_scatter(
        x=[*n[1:], *n[:0:-1]],
        y=[*(mean + error)[1:], *(mean - error)[:0:-1]],
        fill="toself",
        fillcolor=_FILL[_ACCENT],
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=n,
        y=mean,
        name="running mean ± standard error",
        mode="lines+markers" if len(n) == 1 else "lines",
        line={"color": _ACCENT, "width": 2},
    )
    figure.add_scatter(
        x=[1, max(2, len(n))],
        y=[level, level],
        name=f"{level_name} {level:.2f}",
        mode="lines",
        line={"color": _GREY, "width": 1.5, "dash": "dash"},
    )
    figure.update_layout(
        height=340,
        margin={"l": 70, "r": 10, "t": 10, "b": 50},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        xaxis={"title": "corruptions drawn", "showgrid": False},
        yaxis={"title": "loss, nats", "showgrid": False},
    )
    return figure


def labelled(
    picture: bytes,
    square: tuple[np.ndarray, float],
    places: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[str],
    asked: np.ndarray | None,
    axes: tuple[str, str],
) -> go.Figure:
    """Codes as a PNG that fills a square (centre (2,), half-width); those at `places` (L, 2) have labels (L,) and stand
    out; the one that is `asked` about (2,) has a cross."""
    (x, y), half = square
    figure = go.Figure()
    figure.add_layout_image(
        source="data:image/png;base64," + base64.b64encode(picture).decode(),
        **{"xref": "x", "yref": "y", "x": x - half, "y": y + half, "sizex": 2 * half, "sizey": 2 * half},
        sizing="stretch",
        layer="below",
    )
    many = len(places) > 60
    for label in np.unique(labels):
        of = places[labels == label]
        figure.add_scatter(
            x=of[:, 0],
            y=of[:, 1],
            mode="markers" if many else "markers+text",
            name=f"named {classes[label]}",
            text=[classes[label]] * len(of),
            textfont={"color": "#ffffff", "size": 11, "weight": "bold"},
            marker={"color": colours[label], "size": 7 if many else 18, "line": {"color": "#08090b", "width": 1}},
            hovertemplate=f"named {classes[label]}<extra></extra>",
        )
    if asked is not None:
        cross = {"symbol": "cross-thin", "size": 22, "line": {"color": _ACCENT, "width": 3}}
        figure.add_scatter(
            x=asked[:1],
            y=asked[1:],
            mode="markers",
            marker=cross,
            hovertemplate="asked about<extra></extra>",
        )
    look = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure.update_layout(
        showlegend=False,
        height=480,
        margin={"l": 25, "r": 5, "t": 5, "b": 35},
        xaxis=look | {"title": axes[0], "range": [x - half, x + half], "constrain": "domain"},
        yaxis=look | {"title": axes[1], "range": [y - half, y + half], "scaleanchor": "x", "constrain": "domain"},
    )
    return figure


def confusion(counts: np.ndarray, classes: Sequence[str]) -> go.Figure:
    """How many of each label (rows) are called each (columns), (K, K): mistakes in the accent, by their row's share."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right = np.eye(len(counts), dtype=bool)
    figure = go.Figure()
    for kept, colour, top in ((right, _FILL[_GREY], 1.0), (~right, "rgba(214,51,108,0.75)", 0.15)):
        figure.add_heatmap(
            z=np.where(kept, share, np.nan),
            x=list(classes),
            y=list(classes),
            colorscale=[(0, "rgba(214,51,108,0)" if top < 1 else "rgba(138,144,153,0)"), (1, colour)],
            zmin=0,
            zmax=top,
            showscale=False,
            hoverongaps=False,
            xgap=1,
            ygap=1,
            customdata=counts,
            hovertemplate="%{customdata} of %{y} called %{x}<extra></extra>",
        )
    if len(counts) <= 12:  # a heatmap's own text takes cells for opaque, and is dark on a dark page
        rows, columns = np.nonzero(counts)
        figure.add_scatter(
            x=[classes[j] for j in columns.tolist()],
            y=[classes[i] for i in rows.tolist()],
            text=counts[rows, columns].astype(str),
            mode="text",
            hoverinfo="skip",
        )
    look = {"showgrid": False, "type": "category", "zeroline": False}
    figure.update_layout(
        height=480,
        margin={"l": 40, "r": 5, "t": 5, "b": 45},
        showlegend=False,
        xaxis=look | {"title": "called", "categoryarray": list(classes)},
        yaxis=look | {"title": "is", "categoryarray": list(classes), "autorange": "reversed"},
    )
    return figure


def rising(points: Sequence[tuple[int, float]]) -> go.Figure:
    """(labels, accuracy) as a line."""
    x, y = zip(*points, strict=True)
    figure = go.Figure()
    look = {"color": _ACCENT, "width": 2}
    figure.add_scatter(x=x, y=y, mode="lines+markers", line=look, hovertemplate="%{y:.1%}<extra></extra>")
    figure.update_layout(
        showlegend=False,
        height=170,
        margin={"l": 50, "r": 10, "t": 5, "b": 40},
        xaxis={"title": "labels", "showgrid": False, **({"dtick": 1} if max(x) - min(x) < 16 else {})},
        yaxis={"title": "called right", "range": [0, 1], "tickformat": ".0%", "dtick": 0.25},
    )
    return figure


_LINES = ((_ACCENT, "solid", "circle"), (_GREY, "dot", "square"), (_GREY, "dash", "diamond"))


def by_size(
    lines: Mapping[str, Sequence[tuple[int, float]]],
    marks: Mapping[str, Sequence[str]],
    axis: str,
    *,
    percent: bool,
) -> go.Figure:
    """A value by how many numbers a code has, a line a kind; `marks` names each dot, for whoever presses it."""
    figure = go.Figure()
    form = ".1%" if percent else ".4g"
    for (colour, dash, symbol), (name, points) in zip(_LINES, lines.items(), strict=False):
        sizes, values = zip(*points, strict=True)
        figure.add_scatter(
            x=sizes,
            y=values,
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 11, "symbol": symbol},
            customdata=list(marks[name]),
            hovertemplate=f"%{{customdata}}: %{{y:{form}}}<extra></extra>",
        )
    ticks = sorted({size for points in lines.values() for size, _ in points})
    figure.update_layout(
        height=380,
        margin={"l": 70, "r": 15, "t": 10, "b": 50},
        showlegend=True,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        xaxis={
            "title": "numbers in a code",
            "type": "log",
            "tickvals": ticks,
            "ticktext": [str(size) for size in ticks],
            "showgrid": False,
        },
        yaxis={"title": axis, "showgrid": False, **({"tickformat": ".0%"} if percent else {})},
    )
    return figure


def lengths(
    bits: Sequence[int], code: Sequence[float], rest: Sequence[float], levels: Mapping[str, float], chosen: int
) -> go.Figure:
    """Bits of a code and of the pixels beyond it, stacked, by bits a number; `levels`: other ways to send the same."""
    figure = go.Figure()
    for name, colour, values in (("code", _ACCENT, code), ("pixels beyond the drawing", _GREY, rest)):
        widths = [3 if k == chosen else 0 for k in bits]
        figure.add_bar(
            x=list(bits),
            y=list(values),
            name=name,
            marker={"color": colour, "line": {"width": widths, "color": _ACCENT}},
            hovertemplate="%{y:.0f} bits<extra></extra>",
        )
    above = -np.inf
    top = max(max(c + r for c, r in zip(code, rest, strict=True)), *levels.values())
    for name, value in sorted(levels.items(), key=lambda level: level[1]):
        figure.add_hline(y=value, line={"color": _GREY, "width": 1.5, "dash": "dash"})
        above = max(value, above + 0.06 * top)  # lines that lie close have their names one above the other
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            y=above,
            text=f"{name} {value:.0f}",
            showarrow=False,
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        height=340,
        margin={"l": 60, "r": 90, "t": 10, "b": 50},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        xaxis={"title": "bits a number", "dtick": 1, "showgrid": False},
        yaxis={"title": "bits", "showgrid": False},
    )
    return figure
