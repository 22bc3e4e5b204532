"""γ to be felt: a line whose slope is dragged over the cloud, and a window that is swept along it. Arrays in, go.Figure
out; the sliders move what is in the figure, in the browser."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.bend import Swept
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import Cloud, spread
from pages.state import palette
from pages.state.palette import CURVATURE, axis, layout, log_axis

SLOPES = np.round(np.arange(0, 3.0001, 0.05), 2)
BEGIN = 1.0
HEIGHT = 430
BELOW = {"l": 8, "r": 12, "t": 34, "b": 118}


def off(cloud: Cloud, slope: float) -> float:
    """Root mean square distance in decades of the fitted directions from the nearest line of this slope: it passes
    through the centre of the cloud."""
    u, v = (np.log10(z[cloud.fitted]) for z in (cloud.x, cloud.y))
    return float(np.std(v - slope * u))


def by_hand(cloud: Cloud) -> go.Figure:
    """The fitted directions, the fitted line, and a line through their centre whose slope a slider chooses, with the
    distances of both."""
    ends = np.array([cloud.x[cloud.fitted].max(), cloud.x[cloud.fitted].min()])
    look, fit = cloud.look, cloud.fit
    lines = {slope: (cloud.centre[1] * (ends / cloud.centre[0]) ** slope).tolist() for slope in SLOPES.tolist()}
    words = {slope: f"your slope {slope:.2f}: <b>{off(cloud, slope):.3f}</b> decades off" for slope in lines}
    traces = [_cloud(cloud)]
    notes = [_note(words[BEGIN], 0.09, palette.MARK)]
    if fit is not None:
        line = {"key": cloud.name, "showlegend": False}
        traces.append(marks.line(ends, fit.line(ends), f"fit of {look.html}", look.colour, 1.6, "dash", **line))
        notes.append(_note(f"fitted γ = {fit.gamma:.2f}: {off(cloud, fit.gamma):.3f} decades off", 0.01, look.colour))
    place = len(traces)
    traces.append(marks.line(ends, lines[BEGIN], "your slope", palette.MARK, 3, key="by hand", showlegend=False))
    steps = [
        _step(f"{slope:.2f}", {"y": [y]}, {"annotations[0].text": words[slope]}, [place]) for slope, y in lines.items()
    ]
    return _figure(cloud, traces, notes, _slider("slope", steps, int(np.flatnonzero(SLOPES == BEGIN)[0])))


def swept(cloud: Cloud, local: Swept) -> go.Figure:
    """The cloud above, γ inside a window below it; a slider sweeps the window along both."""
    # From left to right, as the window moves.
    known = np.flatnonzero(np.isfinite(local.gamma))[::-1]
    half = local.width / 2
    begin = int(known[known.size // 2])

    def inside(i: int) -> tuple[ndarray, ndarray]:
        """Ends of the window's line."""
        u = local.u[i] + np.array([half, -half])
        return 10**u, 10 ** (local.level[i] + local.gamma[i] * (u - local.mean[i]))

    def words(i: int) -> str:
        return f"here γ = <b>{local.gamma[i]:.2f}</b>, of {local.n[i]:,} directions"

    quiet: Trace = {"showlegend": False}
    whole: Trace = {
        "key": "local slope",
        "xaxis": "x",
        "yaxis": "y2",
        "hover": "γ = %{y:.2f} around H = %{x:.2e}",
    } | quiet
    x, y = inside(begin)
    at, gamma = 10**local.u, local.gamma
    traces = [
        _cloud(cloud),
        marks.line(at[known], gamma[known], "local slope", cloud.look.colour, 2.2, **whole),
        marks.line(x, y, "slope here", palette.MARK, 3, key="local slope", **quiet),
        marks.points(at[[begin]], gamma[[begin]], "here", palette.MARK, "circle", 11, **whole),
    ]
    steps = [
        _step(
            f"{at[i]:.1e}",
            {"x": [inside(i)[0].tolist(), [float(at[i])]], "y": [inside(i)[1].tolist(), [float(gamma[i])]]},
            {
                "annotations[0].text": words(i),
                "shapes[0].x0": float(at[i] / 10**half),
                "shapes[0].x1": float(at[i] * 10**half),
            },
            [2, 3],
        )
        for i in known.tolist()
    ]
    band = palette.shade(float(at[begin] / 10**half), float(at[begin] * 10**half))
    low, high = min(0.9, float(gamma[known].min())) - 0.1, max(2.1, float(gamma[known].max())) + 0.1
    below = {"domain": [0, 0.3], "anchor": "x", "range": [low, high], "nticks": 5}
    lines = [bound | {"xref": "x domain", "yref": "y2"} for bound in palette.bounds()]
    return _figure(
        cloud,
        traces,
        [_note(words(begin), 0.37, palette.MARK)],
        _slider("window", steps, known.size // 2),
        yaxis2=axis("local γ", **below),
        shapes=[band | {"yref": "paper"}, *lines],
        up={"domain": [0.36, 1], "anchor": "x"},
        across={"anchor": "y2"},
    )


def _cloud(cloud: Cloud) -> Trace:
    index = np.flatnonzero(cloud.fitted)
    keep = index[spread(cloud.x[index])]
    more: Trace = {"key": cloud.name, "customdata": keep + 1, "showlegend": False}
    hover = f"<b>{cloud.look.html}</b>, direction %{{customdata}}"
    x, y, look = cloud.x[keep], cloud.y[keep], cloud.look
    return marks.points(x, y, look.html, look.colour, look.marker, 5, 0.55, hover=hover, **more)


def _figure(
    cloud: Cloud,
    traces: list[Trace],
    notes: list[dict[str, Any]],
    slider: dict[str, Any],
    up: dict[str, Any] | None = None,
    across: dict[str, Any] | None = None,
    **more: Any,
) -> go.Figure:
    x, y = (np.log10(z[cloud.fitted]) for z in (cloud.x, cloud.y))
    # Ranges of their own: what moves must not move the axes.
    (left, right), (low, high) = ((z.min() - 0.1, z.max() + 0.1) for z in (x, y))
    sides = {
        "xaxis": log_axis(CURVATURE, right - left, range=[left, right], **across or {}),
        "yaxis": log_axis("noise variance C<sub>ii</sub>", high - low, range=[low, high], **up or {}),
    }
    return palette.figure(traces, layout(HEIGHT, **sides, margin=BELOW, annotations=notes, sliders=[slider], **more))


def _note(text: str, y: float, colour: str) -> dict[str, Any]:
    """Words at the lower right, where no cloud that rises is."""
    ends = {"xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
    return palette.note(text, 0.99, y, colour, 14, **ends)


def _step(label: str, traces: dict[str, Any], look: dict[str, Any], places: Sequence[int]) -> dict[str, Any]:
    return {"label": label, "method": "update", "args": [traces, look, list(places)]}


def _slider(name: str, steps: list[dict[str, Any]], active: int) -> dict[str, Any]:
    return {
        "name": name, "active": active, "steps": steps, "currentvalue": {"visible": False},
        "x": 0.08, "len": 0.9, "y": 0, "yanchor": "top", "pad": {"t": 56}, "ticklen": 0, "minorticklen": 0,
        "bgcolor": palette.TRAIN, "activebgcolor": palette.TRAIN, "bordercolor": palette.GRID,
        # Of the steps' own names, which stand close.
        "font": {"size": 1, "color": "rgba(0,0,0,0)"},
    }  # fmt: skip
