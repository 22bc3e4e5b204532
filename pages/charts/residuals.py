"""What an exponent hangs on, drawn: residuals, the window, and the curvature behind it. Arrays in, go.Figure out."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.power_law import gamma_by_window as by_window
from pages.charts import marks, power_law
from pages.charts.curves import gamma_axis
from pages.charts.marks import Trace
from pages.charts.power_law import RUNS, Cloud, ring, spread
from pages.state import palette
from pages.state.palette import CURVATURE, LOOKS, SLOPES, axis, layout, line_up, log_axis

# Fits over a handful of points swing wildly and would hide the rest.
FEWEST = 20
# A running median has so many stretches, and at least so many points in each.
GROUPS, FEW = 30, 4
# The place of the window's shade among the shapes of γ by window.
BAND = len(SLOPES)


def residuals_of(cloud: Cloud) -> ndarray:
    """log10 C_ii − log10 of its fit, in decades; NaN where a direction is not data or there is no fit."""
    out = np.full_like(cloud.x, np.nan)
    if cloud.fit is not None:
        data = cloud.data
        out[data] = np.log10(cloud.y[data] / cloud.fit.line(cloud.x[data]))
    return out


def running_median(x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """Medians of both along falling x, over stretches of equal length in log x, longer where they would hold fewer
    than FEW points."""
    order = np.argsort(-x)
    x, y = x[order], y[order]
    depth = np.log(x[0] / x)
    stretch = np.minimum(GROUPS * depth / max(depth[-1], 1e-12), GROUPS - 1).astype(int)
    ends: list[int] = []
    for end in np.flatnonzero(np.diff(stretch)) + 1:
        if end - (ends[-1] if ends else 0) >= FEW and x.size - end >= FEW:
            ends.append(int(end))
    return tuple(np.array([np.median(part) for part in np.split(z, ends)]) for z in (x, y))  # type: ignore[return-value]


def residuals(clouds: Sequence[Cloud], marked: int | None = None, height: int = 300) -> go.Figure:
    """Distance of each fitted direction from its line, and the running median: a bend of the law bends it too."""
    traces: list[Trace] = []
    reach = [0.1]
    for cloud in clouds:
        inside = cloud.fitted
        if cloud.fit is None or not inside.any():
            continue
        off, look = residuals_of(cloud), cloud.look
        keep = np.flatnonzero(inside)[spread(cloud.x[inside])]
        reach.append(float(np.quantile(np.abs(off[inside]), 0.995)))
        hover = (
            f"<b>{look.html}</b>, direction %{{customdata}}<br>H<sub>ii</sub> = %{{x:.3e}}<br>"
            "%{y:+.3f} decades off the line"
        )
        style = (look.colour, cloud.marker, 5, 0.4)
        quiet: Trace = {"legendgroup": cloud.group, "showlegend": False}
        x, y = cloud.x[keep], off[keep]
        traces.append(marks.points(x, y, look.html, *style, key=cloud.name, hover=hover, customdata=keep + 1, **quiet))
        x, y = running_median(cloud.x[inside], off[inside])
        name, key = f"{look.html}, running median", f"running-median {cloud.name}"
        shown = quiet | {"showlegend": cloud.run == 0}
        traces.append(marks.line(x, y, name, *cloud.line, key=key, **shown))
        if cloud.bend is not None:
            x = np.geomspace(cloud.x[inside].max(), cloud.x[inside].min(), power_law.STEPS)
            y = np.log10(cloud.bend.curve(x) / cloud.fit.line(x))
            name, key = f"{look.html}, second-order fit", f"{cloud.name} bend"
            traces.append(marks.line(x, y, name, look.colour, 1.8, "dot", key=key, **quiet))
    if not traces:
        return power_law.nothing("Without a fit there are no residuals.", height)
    own = [c for c in clouds if c.run == 0]
    traces += ring([c.x for c in own], [residuals_of(c) for c in own], marked)
    edge = 1.1 * max(reach)
    every = np.concatenate([c.x[c.fitted] for c in clouds])
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=log_axis(CURVATURE, float(np.log10(every.max() / every.min()))),
            yaxis=axis("decades off the line", range=[-edge, edge]),
            shapes=[palette.line_across(0, color=palette.QUIET, width=1.6)],
        ),
    )


def gamma_by_window(
    clouds: Sequence[Cloud], first: int, last: int, marked: int | None = None, height: int = 300
) -> go.Figure:
    """γ fitted over the first 𝒩 directions, for every 𝒩; the present window is shaded."""
    traces, drawn = [], []
    for cloud in clouds:
        gamma = by_window(cloud.x, cloud.y, cloud.floor)
        drawn.append(gamma)
        count = np.arange(1, gamma.size + 1)
        usable = np.isfinite(gamma) & (count >= min(FEWEST, gamma.size))
        keep = spread(np.where(usable, count, 0.0))
        look = cloud.look
        hover = f"<b>{look.html}</b>, first %{{x}} directions<br>γ = %{{y:.3f}}"
        more: Trace = {"key": cloud.name, "showlegend": cloud.run == 0, "customdata": count[keep], "hover": hover}
        dash = RUNS[cloud.run][1]
        traces.append(marks.line(count[keep], gamma[keep], look.html, look.colour, dash=dash, **more))
    shapes = [*palette.bounds(), palette.shade(max(first, 1), max(last, 2))]  # the last: BAND
    if marked is not None:
        shapes.append(line_up(marked, color=palette.MARK, width=1.5))
    return palette.figure(
        traces,
        layout(
            height,
            xaxis=log_axis("number 𝒩 of leading directions fitted", 4),
            yaxis=gamma_axis(drawn),
            shapes=shapes,
        ),
    )


def effective_curvature(
    eigenvalues: ndarray, curvature: ndarray, marked: int | None = None, height: int = 300
) -> go.Figure:
    """κ_eff = E[h²]_ii / H_ii against H_ii; it cannot lie below the line κ_eff = H_ii."""
    both = np.isfinite(curvature) & (eigenvalues > 0) & (np.nan_to_num(curvature) > 0)
    keep = spread(np.where(both, eigenvalues, 0.0))
    x, look = eigenvalues[keep], LOOKS["E_h2"]
    hover = "direction %{customdata}<br>H<sub>ii</sub> = %{x:.3e}<br>κ<sub>eff</sub> = %{y:.3e}"
    style = (look.colour, look.marker, 6, 0.75)
    more: Trace = {"customdata": keep + 1, "hover": hover}
    points = marks.points(x, curvature[keep], "κ<sub>eff</sub>", *style, key="kappa_eff", **more)
    edge = [float(x.min()), float(x.max())] if x.size else [1.0, 1.0]
    values = np.concatenate([curvature[keep], edge])
    bound = marks.line(edge, edge, "lower bound H<sub>ii</sub>", palette.QUIET, 1.6, SLOPES[2], key="bound")
    across = log_axis(CURVATURE, float(np.log10(edge[1] / edge[0])))
    # Fewer labels than on a taller figure.
    up = log_axis("effective curvature κ<sub>eff</sub>", 2 * float(np.log10(values.max() / values.min())))
    traces = [points, bound, *ring([eigenvalues], [curvature], marked)]
    return palette.figure(traces, layout(height, xaxis=across, yaxis=up))
