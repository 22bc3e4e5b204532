"""Measured exponents against those that duality predicts, drawn."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from engine.losses import LOSSES
from engine.sweeps.means import cells, mean
from engine.sweeps.rows import Row, learned
from engine.sweeps.status import State, measured
from pages.state import palette
from pages.state.palette import LOOKS, QUIET, SLOPES, axis, layout


def distances(states: Sequence[State]) -> list[tuple[str, int, float]]:
    """For each loss the number of cells and the root mean square of γ of C_AWD minus γ of C, means over seeds."""
    pairs = ((loss, [(x, y) for _, x, y in _means(_rows(states, loss))]) for loss in LOSSES)
    return [
        (loss, len(points), float(np.sqrt(np.mean([(x - y) ** 2 for x, y in points]))))
        for loss, points in pairs
        if points
    ]


def agreement(states: Sequence[State], height: int = 440) -> go.Figure:
    """γ of C against γ of C_AWD: a large dot for the mean of a cell over its seeds, a small one for each seed. On
    the diagonal the prediction is exact."""
    traces = []
    reach = [1.0, 2.0]
    colour = LOOKS["C"].colour
    for loss, about in LOSSES.items():
        rows = _rows(states, loss)
        seeds = [(f"{_name(row)}, seed {row.seed}", row.laws["C_awd"].gamma, row.laws["C"].gamma) for row in rows]
        for kind, points, size, opacity in (("seeds", seeds, 5, 0.5), ("means", _means(rows), 13, 1.0)):
            if not points:
                continue
            names, x, y = zip(*points, strict=True)
            reach += [value for value in (*x, *y) if np.isfinite(value)]
            line = {"width": 2, "color": colour}
            traces.append(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="markers",
                    name=about.label,
                    meta=f"{loss} {kind}",
                    legendgroup=loss,
                    showlegend=kind == "means",
                    text=names,
                    marker={"color": colour, "symbol": about.symbol, "size": size, "opacity": opacity, "line": line},
                    hovertemplate="<b>%{text}</b><br>γ of C = %{y:.3f}<br>γ of C<sub>AWD</sub> = %{x:.3f}"
                    "<extra></extra>",
                )
            )
    low, high = min(reach) - 0.08, max(reach) + 0.08
    line = {"type": "line", "x0": low, "x1": high, "y0": low, "y1": high, "layer": "below"}
    upright = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": slope, "x1": slope}
        | {"line": {"color": QUIET, "width": 1.6, "dash": dash}}
        for slope, dash in SLOPES.items()
    ]
    return go.Figure(
        traces,
        layout(
            height,
            xaxis=axis("γ of C<sub>AWD</sub>, predicted", range=[low, high]),
            yaxis=axis("γ of C, measured", range=[low, high]),
            shapes=[line | {"line": {"color": QUIET, "width": 1.2}}, *palette.bounds(), *upright],
        ),
    )


def _rows(states: Sequence[State], loss: str) -> list[Row]:
    """Those of one loss whose network has learned."""
    return [row for row in measured(state for state in states if state.cell.run.loss == loss) if learned(row)]


def _means(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """Of each cell its name and γ of C_AWD and of C, where both were measured."""
    pairs = ((_name(cell[0]), mean(cell, "C_awd"), mean(cell, "C")) for cell in cells(rows))
    return [(name, x.mean, y.mean) for name, x, y in pairs if x is not None and y is not None]


def _name(row: Row) -> str:
    return f"{row.row}, {row.classes} classes"
