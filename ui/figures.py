"""Charts that are read: the only place that knows Plotly. Pure functions: numbers in, a figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

CONFIG = {"displayModeBar": False, "scrollZoom": False}
# Lines that are no digits: the accent for none of them, told apart by dash and by the name at their end.
_DASHES = ("solid", "dot", "solid", "dash")
_GREYS = ("#8a9099", "#8a9099", "#d6336c", "#d6336c")


def learning_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> go.Figure:
    """Training objective, nats per image, by epoch: a line a model, its name and last value at its end.

    `histories` are the cards' rows: epoch, reconstruction, kl (None where there is no posterior).
    """
    figure = go.Figure()
    for k, (name, rows) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in rows]
        nats = [row["reconstruction"] + (row["kl"] or 0) for row in rows]
        look = {"color": _GREYS[k % 4], "dash": _DASHES[k % 4], "width": 2}
        figure.add_scatter(x=epochs, y=nats, mode="lines", name=name, line=look)
        if rows:
            figure.add_annotation(
                x=epochs[-1], y=nats[-1], text=f"{name} {nats[-1]:.1f}", showarrow=False, xanchor="left", xshift=6
            )
    low = min((row["reconstruction"] + (row["kl"] or 0) for rows in histories.values() for row in rows), default=0)
    figure.update_layout(
        showlegend=False,
        height=340,
        margin={"l": 60, "r": 110, "t": 10, "b": 50},
        xaxis={"title": "epoch", "showgrid": False},
        # The first epochs are ten times as high and would flatten what there is to see.
        yaxis={"title": "nats per image", "range": [low - 3, low + 45]},
    )
    return figure
