"""Figures of suppression: arrays in, go.Figure out. What was measured is grey, what the edit makes of it teal."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.power_law import Fit
from pages.charts import marks, power_law
from pages.charts.marks import Trace
from pages.charts.power_law import Cloud
from pages.state import palette
from pages.state.palette import LOOKS, SLOPES, Look, axis, faded, layout, log_axis

EDITED = replace(LOOKS["E_h2"], html="edited")
MEASURED = Look(palette.QUIET, "hexagon-open", "as measured", r"\mathrm{measured}")
NOISE = "noise C<sub>ii</sub> ∝ E[h²]<sub>ii</sub>"
SINGLE = 8
# Decades of curvature drawn below the largest; what lies deeper weighs nothing and is soon rounding.
DECADES = 12


def both(old: Cloud, new: Cloud, marked: int | None = None, height: int = 420) -> go.Figure:
    """C_ii on H_ii before and after the edit, each with its fit, and slopes 1 and 2 through the measured cloud."""
    figure = power_law.power_law([old, new], height=height, marked=marked)
    if figure.data:
        figure.update_yaxes(title_text=NOISE)
    return figure


def new_on_old(
    old: ndarray,
    new: ndarray,
    fit: Fit | None,
    first: int = 0,
    last: int | None = None,
    marked: int | None = None,
    height: int = 420,
) -> go.Figure:
    """New C_ii against old C_ii of directions first … last − 1, on one scale; dotted: unchanged."""
    index = np.arange(old.size)
    inside = (old > 0) & (new > 0) & (index >= first) & (index < (old.size if last is None else last))
    if not inside.any():
        return go.Figure(layout=layout(height, xaxis={"visible": False}, yaxis={"visible": False}))
    keep = power_law.spread(np.where(inside, old, 0.0))
    ends = np.array([old[inside].min(), old[inside].max()])
    hover = "direction %{customdata}<br>old C<sub>ii</sub> ∝ %{x:.3e}<br>new C<sub>ii</sub> ∝ %{y:.3e}"
    style = (EDITED.colour, EDITED.marker, 6, 0.7)
    more: Trace = {"showlegend": False, "customdata": keep + 1.0, "uid": "points"}
    traces = [
        marks.points(old[keep], new[keep], "directions", *style, key="new", hover=hover, **more),
        marks.line(ends, ends, "unchanged", palette.QUIET, 1.6, SLOPES[1], uid="unchanged"),
    ]
    if fit is not None:
        name = f"slope {fit.gamma:.2f}, R² {fit.r2:.3f}"
        traces.append(marks.line(ends, fit.line(ends), name, EDITED.colour, 2.5, key="fit", uid="fit"))
    traces += power_law.ring([old], [np.where(new > 0, new, np.nan)], marked)
    wide, tall = (float(np.log10(z.max() / z.min())) for z in (ends, np.concatenate([ends, new[inside]])))
    return palette.figure(
        traces, layout(height, xaxis=log_axis(f"old {NOISE}", wide), yaxis=log_axis(f"new {NOISE}", tall))
    )


def samples(kappa: ndarray, keep: int, factor: str, threshold: float, stiff: str, height: int = 340) -> go.Figure:
    """|κ_m| by m over the samples: median, quartiles, 5 … 95 %, some single samples.

    Shaded: eigenvalues beyond `keep`, labelled with their factor; the line at m = 1 is the threshold of stiffness.
    """
    size = np.abs(kappa)
    top = float(size.max(initial=0.0)) or 1.0
    m = np.arange(1, kappa.shape[1] + 1)
    drawn = np.maximum(size, top * 10.0 ** -(DECADES + 6))
    levels = np.quantile(drawn, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    colour = EDITED.colour
    traces = [
        marks.band(m, levels[0], levels[4], faded(colour, 0.14), "", "5 … 95 % of samples"),
        marks.band(m, levels[1], levels[3], faded(colour, 0.28), "", "25 … 75 %"),
    ]
    order = np.argsort(size[:, 0])
    for place, sample in enumerate(order[np.unique(np.linspace(0, order.size - 1, SINGLE).astype(int))]):
        more: Trace = {"key": "single", "legendgroup": "single", "showlegend": place == 0}
        traces.append(marks.line(m, drawn[sample], "single samples", faded(palette.QUIET, 0.65), 1, **more))
    hover, marker = "m = %{x}<br>median |κ<sub>m</sub>| = %{y:.2e}", {"symbol": EDITED.marker, "size": 7}
    traces.append(marks.line(m, levels[2], "median", colour, 2.5, marker=marker, hover=hover))
    shapes, notes = _beyond(keep, m.size, factor)
    more = {"key": "threshold", "uid": "threshold", "visible": threshold > 0}
    traces.append(marks.line([0.6, 1.4], [threshold, threshold], stiff, palette.QUIET, 4, **more))
    low = max(float(levels[0].min()), top * 10.0**-DECADES)
    up = [np.log10(low) - 0.2, np.log10(top) + 0.3]
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=_numbers(m.size),
            yaxis=log_axis("curvature |κ<sub>m</sub>|", 2 * (up[1] - up[0]), range=up),
            shapes=shapes,
            annotations=notes,
        ),
    )


def share(second: ndarray) -> ndarray:
    """Σ_{m' ≤ m} Σ_i E[κ²α]_{m'i} over their sum, by m; zeros where nothing curves."""
    each = second.sum(axis=1)
    total = each.sum()
    return np.cumsum(each) / total if total > 0 else np.zeros_like(each)


def cumulative(second: ndarray, keep: int, factor: str, marked: int | None = None, height: int = 340) -> go.Figure:
    """Which share of E[κ²α], summed over the directions, the m leading eigenvalues carry; and of one direction."""
    values = share(second)
    m = np.arange(1, values.size + 1)
    look = {"color": EDITED.colour, "opacity": [0.85 if i <= keep else 0.3 for i in m], "line": {"width": 0}}
    # Where all is near 100 % only what is kept is told.
    every = [percent(v) for v in values]
    text = [each if v < 0.999 or i == keep else "" for i, v, each in zip(m, values, every, strict=True)]
    more: Trace = {"text": text, "textposition": "outside", "constraintext": "none", "textangle": 0}
    more |= {"key": "share", "hover": "the leading %{x}: %{y:.4%}", "width": 0.62, "cliponaxis": False}
    more |= {"uid": "share", "customdata": every}
    traces: list[Trace] = [marks.bars(m, values, "all directions", "", marker=look, showlegend=False, **more)]
    if marked is not None and marked <= second.shape[1]:
        y, name = share(second[:, marked - 1 : marked]), f"direction {marked:,}"
        hover = f"{name}, the leading %{{x}}: %{{y:.4%}}"
        more = {"key": "marked", "hover": hover, "marker": {"size": 7}}
        traces.append(marks.line(m, y, f"{name} alone", palette.MARK, 2, **more))
    shapes, notes = _beyond(keep, m.size, factor)
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=_numbers(m.size),
            yaxis=axis("share of E[κ²α]", tickformat=".0%", range=[0, 1.3], tickvals=[0, 0.25, 0.5, 0.75, 1]),
            shapes=shapes,
            annotations=notes,
        ),
    )


def percent(value: float) -> str:
    """A share that is said to be all of it only if it is."""
    if 0.999 <= value < 1 - 1e-9:
        return "> 99.9%"
    return f"{value:.0%}" if value >= 1 - 1e-9 else f"{value:.1%}"


def _numbers(rank: int) -> dict:
    step = max(1, rank // 10)
    return axis("m, place of the eigenvalue by size", range=[0.4, rank + 0.6], dtick=step, tick0=1, showgrid=False)


def _beyond(keep: int, rank: int, factor: str) -> tuple[list[dict], list[dict]]:
    """The eigenvalues that are suppressed, shaded, and by how much; not to be seen where there are none."""
    place = {"yref": "paper", "xanchor": "right", "yanchor": "top", "visible": keep < rank}
    note = palette.note(f"× {factor}", rank + 0.5, 1, palette.QUIET, 13, **place)
    return [palette.shade(keep + 0.5, rank + 0.6) | {"visible": keep < rank}], [note]
