"""The figure of the proof: E[h²] between its two bounds."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.rooms.mechanism.figures import HESSIAN, decades
from pages.rooms.mechanism.spectra import Source
from pages.state import palette
from pages.state.palette import SLOPES, layout, log_axis


def wedge(source: Source, step: int, direction: int, height: int = 420) -> go.Figure:
    """E[h²]_ii between H_ii² (slope 2) and max |κ| E[|h|]_ii (slope 1 where no κ is negative); what the step of the
    proof speaks of is drawn strong. direction: the one whose numbers are told, from 1."""
    b, rows = source.bounds, source.shown
    x = b.hessian[rows]
    order = np.argsort(x)
    x, rows = x[order], rows[order]
    lower, noise, upper = (z[rows] for z in (b.lower, b.noise, b.upper))
    strong = {2: ("lower",), 3: ("upper",), 4: ("lower", "upper"), 5: ("fit",)}.get(step, ())

    def line(meta: str, y: ndarray, name: str, dash: str, colour: str = palette.QUIET) -> dict[str, Any]:
        return {
            "type": "scatter",
            "x": x,
            "y": y,
            "mode": "lines",
            "name": name,
            "meta": meta,
            "hoverinfo": "skip",
            "line": {"color": colour, "width": 4 if meta in strong else 1.6, "dash": dash},
        }

    right = "max |κ| · E[|h|]<sub>ii</sub>" if b.negative else "κ<sub>max</sub> H<sub>ii</sub>"
    i = direction - 1
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": np.concatenate([x, x[::-1]]),
            "y": np.concatenate([upper, lower[::-1]]),
            "fill": "toself",
            "fillcolor": palette.SHADE,
            "mode": "lines",
            "line": {"width": 0},
            "meta": "between",
            "showlegend": False,
            "hoverinfo": "skip",
        },
        line("upper", upper, f"{right}, slope 1", SLOPES[1]),
        line("lower", lower, "H<sub>ii</sub>², slope 2", SLOPES[2]),
        {
            "type": "scatter",
            "x": x,
            "y": noise,
            "mode": "markers",
            "name": "E[h²]<sub>ii</sub>",
            "meta": "noise",
            "marker": {"color": source.look.colour, "symbol": source.look.marker, "size": 6, "opacity": 0.75},
            "customdata": rows + 1,
            "hovertemplate": "direction %{customdata}<br>H<sub>ii</sub> = %{x:.3e}<br>E[h²]<sub>ii</sub> = %{y:.3e}"
            "<extra></extra>",
        },
        line("fit", source.fit.line(x), f"γ = {source.fit.gamma:.2f}", "solid", source.look.colour),
        {
            "type": "scatter",
            "x": [b.hessian[i]] * 3,
            "y": [b.lower[i], b.noise[i], b.upper[i]],
            "mode": "lines+markers",
            "name": f"direction {direction}",
            "meta": "marked",
            "line": {"color": palette.MARK, "width": 2},
            "marker": {"color": palette.MARK, "symbol": ["line-ew-open", "circle-open", "line-ew-open"], "size": 14},
            "hovertemplate": "%{y:.3e}<extra></extra>",
        },
    ]
    wide, tall = (decades(traces, coordinate) for coordinate in "xy")
    return palette.figure(
        traces,
        layout(height, xaxis=log_axis(HESSIAN, wide), yaxis=log_axis("E[h²]<sub>ii</sub> and its bounds", tall)),
    )
