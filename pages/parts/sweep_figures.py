"""Measured exponents against those that duality predicts, drawn."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from engine import table as tables
from engine.cells import State
from engine.table import Row
from pages.parts import palette
from pages.parts.frame import LOSSES
from pages.parts.palette import LOOKS, QUIET, SLOPES, axis, layout

# A loss is told by how a dot is filled: colours belong to matrices.
SYMBOLS = {"ce": "circle", "mse": "circle-open", "linear_mse": "diamond-open"}


def agreement(found: Sequence[State], height: int = 420) -> go.Figure:
    """γ of C against γ of C_AWD: a large dot for the mean of a cell over its seeds, a small one for each seed. On
    the diagonal the prediction is exact."""
    traces = []
    reach = [1.0, 2.0]
    for loss, symbol in SYMBOLS.items():
        rows = [state.row for state in found if state.row is not None and state.cell.run.loss == loss]
        cells = [cell for by_classes in tables.groups(rows).values() for cell in by_classes.values()]
        pairs = [(cell, tables.mean(cell, "C_awd"), tables.mean(cell, "C")) for cell in cells]
        means = [(_name(cell), x.mean, y.mean) for cell, x, y in pairs if x is not None and y is not None]
        if not means:
            continue
        seeds = [(f"{_name([row])}, seed {row.seed}", row.laws["C_awd"].gamma, row.laws["C"].gamma) for row in rows]
        for points, size, opacity in ((seeds, 5, 0.5), (means, 13, 1.0)):
            names, x, y = zip(*points, strict=True)
            reach += [v for v in (*x, *y) if np.isfinite(v)]
            look = LOOKS["C"].colour
            traces.append(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="markers",
                    name=LOSSES[loss],
                    meta=f"{loss} {'seeds' if points is seeds else 'means'}",
                    legendgroup=loss,
                    showlegend=points is means,
                    text=names,
                    marker={
                        "color": look,
                        "symbol": symbol,
                        "size": size,
                        "opacity": opacity,
                        "line": {"width": 2, "color": look},
                    },
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


def _name(rows: Sequence[Row]) -> str:
    return f"{rows[0].row}, {rows[0].classes} classes"
