"""H, the Fisher matrices, B·C and E[h²] in one basis: arrays in, go.Figure out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.samples.fisher import MATRICES, Argument
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import nothing, spread
from pages.state import palette
from pages.state.palette import CURVATURE, FISHER_LOOKS, LOOKS, Look, axis, layout, log_axis

LOOK: Mapping[str, Look] = {
    "H": LOOKS["H"],
    **FISHER_LOOKS,
    "BC": replace(LOOKS["C"], html="B·C", tex=r"B\,C"),
    "E_h2": LOOKS["E_h2"],
}
# E[h²] has another unit: it is drawn with the sum of B·C.
# What nearly coincides is drawn as a ring around a dot.
SIZE = {"fisher": 5, "empirical": 9, "BC": 5, "E_h2": 4}
# Points of a series in one of three figures side by side.
DRAWN = 150


def drawn(a: Argument, name: str) -> ndarray:
    """A diagonal as it is drawn."""
    return a.diagonals[name] * (a.size("BC", name) if name == "E_h2" else 1.0)


def compare(
    a: Argument,
    names: Sequence[str],
    first: int,
    last: int,
    relative: bool,
    ends_up: tuple[float, float],
    marked: int | None = None,
    height: int = 330,
) -> go.Figure:
    """M_ii, or M_ii/H_ii, against H_ii for these matrices, with the power law fitted over directions first … last − 1;
    the legend tells each exponent. The line of H itself is dotted, and E[h²] is scaled to the sum of B·C. ends_up:
    the ends of the vertical axis, in decades."""
    h = a.diagonals["H"]
    index = np.arange(h.size)
    data = h > a.floor
    if not data.any():
        return nothing("No direction lies above the noise floor.", height)
    below = h if relative else np.ones_like(h)
    traces: list[Trace] = []
    for name in (n for n in names if n != "H"):
        look, y = LOOK[name], drawn(a, name)
        fitted = data & (y > 0) & (index >= first) & (index < last)
        for inside, opacity in ((data & (y > 0) & ~fitted, 0.2), (fitted, 0.65)):
            keep = np.flatnonzero(inside)[spread(h[inside], DRAWN)]
            hover = (
                f"<b>{look.html}</b>, direction %{{customdata[0]:.0f}}<br>H<sub>ii</sub> = "
                "%{x:.3e}<br>M<sub>ii</sub> = %{customdata[1]:.3e}<br>M<sub>ii</sub>/H<sub>ii</sub> = "
                "%{customdata[2]:.3g}"
            )
            more: Trace = {"customdata": np.stack([keep + 1, y[keep], y[keep] / h[keep]], axis=1), "hover": hover}
            more |= {"key": name if opacity > 0.5 else f"{name} not fitted", "legendgroup": name, "showlegend": False}
            style = look.colour, look.marker, SIZE[name], opacity
            traces.append(marks.points(h[keep], y[keep] / below[keep], look.html, *style, **more))
        fit, times = a.fit(name, last, first), float(y.sum() / a.diagonals[name].sum())
        ends = np.array([h[fitted].max(), h[fitted].min()]) if fitted.any() else np.array([np.nan, np.nan])
        line = [np.nan, np.nan] if fit is None else fit.line(ends) * times / (ends if relative else 1)
        legend = look.html + ("" if fit is None else f"  {fit.gamma:.2f}")
        more = {"key": f"{name} fit", "legendgroup": name, "marker": {"symbol": look.marker, "size": [8, 0.1]}}
        traces.append(marks.line(ends, line, legend, look.colour, 2.4, **more))
    ends = np.array([h[0], h[data].min()])
    traces.append(marks.line(ends, np.ones(2) if relative else ends, "H", palette.QUIET, 2, "dot", showlegend=False))
    place = []
    if marked is not None and marked <= h.size:
        place.append(palette.line_up(float(h[marked - 1]), color=palette.MARK, width=1.4))
    # Three figures stand side by side: ticks have half the room.
    across = log_axis(CURVATURE.replace("eigen-direction", "direction"), 2 * float(np.log10(ends[0] / ends[1])))
    low, high = ends_up
    up = log_axis("M<sub>ii</sub> / H<sub>ii</sub>" if relative else "M<sub>ii</sub>", high - low, range=[low, high])
    return go.Figure(
        traces,
        layout(
            height,
            xaxis=across,
            yaxis=up,
            shapes=place,
            margin={"l": 8, "r": 8, "t": 70, "b": 8},
            legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 13}}
            | {"title": {"text": "γ:", "font": {"size": 13}}},
        ),
    )


def reach(stages: Sequence[Argument], names: Sequence[str], relative: bool) -> tuple[float, float]:
    """Ends of one vertical axis for all stages, in decades: all but the outermost 1 % of the points."""
    every = [np.zeros(1)]
    for a in stages:
        h = a.diagonals["H"]
        for name in {"H", *names}:
            y = drawn(a, name)
            data = (h > a.floor) & (y > 0)
            every.append(np.log10(y[data] / (h[data] if relative else 1.0)))
    values = np.concatenate(every[1:]) if len(every) > 1 else every[0]
    low, high = np.quantile(values, [0.005, 0.995])
    return float(low) - 0.4, float(max(high, values.max() if not relative else high)) + 0.4


def along(
    stages: Sequence[Argument], values: Mapping[str, Sequence[float]], title: str, log: bool, height: int = 320
) -> go.Figure:
    """One number of each matrix at each stage. log: sizes, with the line of H; else slopes, with lines at 1 and 2."""
    places = [f"epoch {a.epoch}" for a in stages]
    traces = []
    for name, numbers in values.items():
        y = [value if np.isfinite(value) and (value > 0 or not log) else None for value in numbers]
        look, hover = LOOK[name], f"<b>{LOOK[name].html}</b>, %{{x}}: %{{y:.3g}}"
        marker = {"symbol": look.marker, "size": 10}
        traces.append(marks.line(places, y, look.html, look.colour, 2.4, key=name, marker=marker, hover=hover))
    lines = [palette.line_across(1, color=palette.QUIET, width=1.6, dash="dot")] if log else palette.bounds()
    up = axis(title, type="log", exponentformat="power", dtick=1) if log else axis(title)
    return go.Figure(traces, layout(height, xaxis=axis("", type="category"), yaxis=up, shapes=lines))


def rows(stages: Sequence[Argument], first: int, last: int) -> list[tuple[str, ...]]:
    """The numbers of the table: per matrix, γ ± its error and the size beside H at each stage."""
    table = []
    for name in MATRICES:
        cells = []
        for a in stages:
            fit = a.fit(name, last, first)
            cells.append("—" if fit is None else f"{fit.gamma:.3f} ± {fit.stderr:.3f}")
            cells.append("" if name == "E_h2" else palette.number(a.size(name), 3))
        table.append((f"${LOOK[name].tex}$", *cells))
    return table
