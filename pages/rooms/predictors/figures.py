"""Arrays in, go.Figure out: the noise against what may predict it, and how far each predictor is."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.power_law import Fit
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import nothing, ring, spread
from pages.rooms.predictors.measure import NO_SIZE, Numbers
from pages.state import palette
from pages.state.palette import CURVATURE, LOOKS, PREDICTOR_LOOKS, axis, faded, layout, log_axis


def cloud(
    name: str, x: ndarray, noise: ndarray, fitted: ndarray, fit: Fit | None, marked: int | None, height: int = 340
) -> go.Figure:
    """C_ii against X_ii, the directions fitted strong, with the fit; dotted where X is C itself."""
    look, data = PREDICTOR_LOOKS[name], (x > 0) & (noise > 0)
    if not fitted.any():
        return nothing("No direction lies above the noise floor.", height)
    traces: list[Trace] = []
    for inside, opacity in ((data & ~fitted, 0.2), (fitted, 0.75)):
        keep = np.flatnonzero(inside)[spread(x[inside])]
        hover = (
            f"<b>{look.html}</b>, direction %{{customdata}}<br>{look.html}<sub>ii</sub> = %{{x:.3e}}<br>"
            "C<sub>ii</sub> = %{y:.3e}"
        )
        more: Trace = {"customdata": keep + 1, "hover": hover, "showlegend": False, "key": name}
        traces.append(marks.points(x[keep], noise[keep], look.html, look.colour, look.marker, 6, opacity, **more))
    ends = np.array([x[fitted].min(), x[fitted].max()])
    seen = np.stack([x[fitted], noise[fitted]])
    if fit is not None:
        legend = f"C<sub>ii</sub> ∝ ({look.html})<sub>ii</sub><sup>{fit.gamma:.2f}</sup>"
        traces.append(marks.line(ends, fit.line(ends), legend, look.colour, 2.4, key="fit"))
    if name not in NO_SIZE:
        low, high = np.sort([*ends, noise[fitted].min(), noise[fitted].max()])[[0, -1]]
        traces.append(marks.line([low, high], [low, high], f"C = {look.html}", palette.QUIET, 1.8, "dot", key="exact"))
    traces += ring([np.where(data, x, 0)], [noise], marked)
    low, high = np.log10(seen.min(axis=1)), np.log10(seen.max(axis=1))
    pad = 0.05 * (high - low) + 0.1
    bottom, top = low - pad, high + pad
    across = log_axis(f"predicted, ({look.html})<sub>ii</sub>", float(top[0] - bottom[0]), range=[bottom[0], top[0]])
    up = log_axis("measured, C<sub>ii</sub>", float(top[1] - bottom[1]), range=[bottom[1], top[1]])
    return go.Figure(traces, layout(height, xaxis=across, yaxis=up))


def distances(numbers: Mapping[str, Numbers], chosen: str, height: int = 340) -> go.Figure:
    """How far each predictor is: filled as it is, open at the best scale. The nearest as it is on top, those without a
    size of their own at the bottom; 1 is as far as no noise at all."""
    known = {name: one for name, one in numbers.items() if np.isfinite(one.scaled)}
    if not known:
        return nothing("No distances are kept of this analysis.", height)
    order = [name for name in order_of(known, "scaled")[::-1] if not np.isfinite(known[name].absolute)]
    order += order_of(known, "absolute")[::-1]
    names = [PREDICTOR_LOOKS[name].html for name in order]
    traces: list[Trace] = []
    for name, place in zip(order, names, strict=True):
        look, one = PREDICTOR_LOOKS[name], known[name]
        if np.isfinite(one.absolute):
            width = 4 if name == chosen else 2
            traces.append(
                marks.line(
                    [one.scaled, one.absolute], [place] * 2, "", faded(look.colour, 0.6), width, showlegend=False
                )
            )
    for field, symbol, label in (("absolute", "circle", "as it is"), ("scaled", "circle-open", "at its best scale")):
        x = np.array([getattr(known[name], field) for name in order])
        colours = [PREDICTOR_LOOKS[name].colour for name in order]
        hover = f"<b>%{{y}}</b> {label}: %{{x:.3g}}"
        more: Trace = {"hover": hover, "showlegend": False, "key": field}
        more |= {"marker": {"color": colours, "symbol": symbol, "size": 11, "line": {"width": 2.4, "color": colours}}}
        traces.append(marks.points(x, names, label, palette.QUIET, **more))
        grey = {"symbol": symbol, "size": 10, "color": palette.QUIET, "line": {"width": 2.2, "color": palette.QUIET}}
        traces.append(marks.points([None], [None], label, palette.QUIET, key=field, marker=grey))
    every = [value for one in known.values() for value in (one.absolute, one.scaled) if value > 0]
    low, high = np.log10(max(min(every), 1e-3)) - 0.1, np.log10(max(*every, 1.0)) + 0.15
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000) if low <= np.log10(t) <= high]
    across = axis("distance from C, as a share of ‖C‖", type="log", range=[low, high], tickvals=ticks)
    across |= {"ticktext": [f"{t:.0%}" if t < 10 else f"{t:g} ×" for t in ticks]}
    up = axis("", type="category", categoryorder="array", categoryarray=names, tickfont={"size": 13})
    wall = [palette.line_up(1, color=palette.QUIET, width=1.6, dash="dot")]
    return go.Figure(traces, layout(height, xaxis=across, yaxis=up, shapes=wall))


def share_of_bound(h: ndarray, share: ndarray, marked: int, height: int = 330) -> go.Figure:
    """C_ii over its bound (C_odds)_ii, against H_ii; the bound is 1."""
    keep = spread(np.where(share > 0, h, 0.0))
    hover = "direction %{customdata}<br>C<sub>ii</sub> = %{y:.1%} of its bound"
    more: Trace = {"customdata": keep + 1, "hover": hover, "showlegend": False, "key": "C"}
    traces = [marks.points(h[keep], share[keep], "C", LOOKS["C"].colour, LOOKS["C"].marker, 6, 0.7, **more)]
    traces += ring([np.where(share > 0, h, 0.0)], [share], marked)
    across = log_axis(CURVATURE, float(np.log10(h[keep].max() / h[keep].min())))
    up = axis("C<sub>ii</sub> / (C<sub>odds</sub>)<sub>ii</sub>", range=[0, 1.08], tickformat=".0%")
    wall = [palette.line_across(1, color=PREDICTOR_LOOKS["C_odds"].colour, width=2)]
    return go.Figure(traces, layout(height, xaxis=across, yaxis=up, shapes=wall))


def order_of(numbers: Mapping[str, Numbers], field: str) -> Sequence[str]:
    """Predictors by a number, the least first; those without one left out."""
    known = {name: getattr(one, field) for name, one in numbers.items()}
    return sorted((name for name, value in known.items() if np.isfinite(value)), key=known.__getitem__)
