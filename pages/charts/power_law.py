"""Log-log figures of the power law: arrays in, go.Figure out, without a widget or a file.

At most LIMIT points of a series are drawn, spread evenly in log space; fits are made elsewhere, on all points.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.bend import Bend
from engine.results.power_law import Fit
from pages.charts import marks
from pages.charts.marks import Trace
from pages.state import palette
from pages.state.palette import CURVATURE, LOOKS, SLOPES, Look, layout, log_axis

LIMIT = 300
# Points of a parabola: enough to look smooth.
STEPS = 40
# Decades drawn below the noise floor: enough to see where data turn into rounding.
BELOW_FLOOR = 0.7


def spread(values: ndarray, limit: int = LIMIT) -> ndarray:
    """Indices of at most `limit` positive values, evenly spread in their logarithm, in rising order."""
    positive = np.flatnonzero(values > 0)
    if positive.size <= limit:
        return positive
    logs = np.log10(values[positive])
    order = np.argsort(logs)
    targets = np.linspace(logs[order[0]], logs[order[-1]], limit)
    right = np.clip(np.searchsorted(logs[order], targets), 1, positive.size - 1)
    nearer = np.where(targets - logs[order[right - 1]] < logs[order[right]] - targets, right - 1, right)
    return np.sort(positive[order[np.unique(nearer)]])


# How the runs of one figure are told apart, the one in view first: what is added to a marker, and the line's dash.
RUNS = (("", "solid"), ("-open", "longdash"), ("-open-dot", "dashdot"), ("-dot", "longdashdot"))


@dataclass(frozen=True)
class Cloud:
    """C_ii of one matrix against H_ii; directions first … last − 1 above the noise floor were fitted.

    run: the place of its run among those drawn, label: that run's name, where there are several; style: a look
    other than the matrix's own; bend: the second-order fit, where it is drawn too; verdict: of its test,
    where it is written into the figure.
    """

    name: str
    x: ndarray
    y: ndarray
    fit: Fit | None = None
    first: int = 0
    last: int | None = None
    floor: float = 0.0
    run: int = 0
    label: str = ""
    style: Look | None = None
    bend: Bend | None = None
    verdict: str = ""

    @property
    def look(self) -> Look:
        return self.style or LOOKS[self.name]

    @property
    def marker(self) -> str:
        return self.look.marker + RUNS[self.run][0]

    @property
    def line(self) -> tuple[str, float, str]:
        """Colour, width and dash."""
        return self.look.colour, 2.5, RUNS[self.run][1]

    @property
    def group(self) -> str:
        return f"{self.name} {self.run}"

    @property
    def place(self) -> str:
        """Of its traces' names, which plotly.js makes CSS classes of."""
        return f"{self.name}-{self.run}"

    @property
    def legend(self) -> str:
        exponent = "" if self.fit is None else f"  γ = {self.fit.gamma:.2f}"
        return self.look.html + exponent + (f"  ·  {escape(self.label)}" if self.label else "")

    @cached_property
    def data(self) -> ndarray:
        """Whether a direction can be drawn on log axes and is more than rounding."""
        return (self.x > max(self.floor, 0.0)) & (self.y > 0)

    @cached_property
    def fitted(self) -> ndarray:
        """Whether it also lies in the window."""
        index = np.arange(self.x.size)
        return (index >= self.first) & (index < (self.x.size if self.last is None else self.last)) & self.data

    @cached_property
    def centre(self) -> ndarray:
        """Geometric means of H_ii and C_ii over the fitted directions: every least-squares line passes there."""
        return np.array([10 ** np.log10(z[self.fitted]).mean() for z in (self.x, self.y)])


def power_law(
    clouds: Sequence[Cloud],
    centred: bool = False,
    height: int = 430,
    marked: int | None = None,
    apart: float = 0.0,
) -> go.Figure:
    """Log-log C_ii on H_ii with fits, slope 1 (dotted) and slope 2 (dashed) through the centre of the first cloud.

    centred: each cloud is divided by its centre, so that all pass through (1, 1) and only slopes differ; marked:
    a direction (from 1) that is ringed; apart: decades by which each run is drawn below the one before.
    """
    clouds = [cloud for cloud in clouds if cloud.fitted.any()]
    if not clouds:
        return nothing("No direction has both H<sub>ii</sub> above the noise floor and C<sub>ii</sub> > 0.", height)

    traces, seen = [], []
    for cloud in clouds:
        scale = _scale(cloud, centred, apart)
        traces += _points(cloud, ~cloud.fitted, scale, "not fitted", 0.2, uid=f"out-{cloud.place}")
        traces += _points(cloud, cloud.fitted, scale, cloud.look.html, 0.75, uid=f"in-{cloud.place}")
        traces += _fit(cloud, scale)
        seen.append(np.stack([cloud.x[cloud.data], cloud.y[cloud.data]]) / scale[:, None])
    both = np.concatenate(seen, axis=1)
    low, high = both.min(axis=1), both.max(axis=1)
    traces += _slopes(np.ones(2) if centred else clouds[0].centre, low, high)
    own = [(c, _scale(c, centred, apart)) for c in clouds if c.run == 0]
    traces += ring([c.x / scale[0] for c, scale in own], [c.y / scale[1] for c, scale in own], marked)
    pad = 0.05 * np.log10(high / low) + 0.1
    bottom, top = np.log10(low) - pad, np.log10(high) + pad
    rounding: dict[str, Any] = {}
    floor = clouds[0].floor
    if floor > 0 and not centred and (clouds[0].x < floor).any():
        bottom[0] = min(bottom[0], np.log10(floor) - BELOW_FLOOR)
        rounding = below_floor(floor)
    rounding["annotations"] = [*rounding.get("annotations", ()), *_verdicts(clouds)]
    over = " ÷ its mean" if centred else ""
    wide, tall = top - bottom
    return palette.figure(
        traces,
        layout(
            **_room(clouds, height),
            xaxis=log_axis(CURVATURE + over, wide, range=[bottom[0], top[0]]),
            yaxis=log_axis(f"noise variance C<sub>ii</sub>{over}", tall, range=[bottom[1], top[1]]),
            **rounding,
        ),
    )


def over(figure: go.Figure, first: int, last: int) -> go.Figure:
    """The figure with the window of its exponents named in it."""
    place = {"xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom", "name": "window"}
    return figure.add_annotation(
        palette.note(f"γ: directions {first + 1:,} … {last:,}", 1, 0, palette.QUIET, 12, **place)
    )


def _scale(cloud: Cloud, centred: bool, apart: float) -> ndarray:
    """What H_ii and C_ii are divided by."""
    return (cloud.centre if centred else np.ones(2)) * np.array([1.0, 10 ** (apart * cloud.run)])


def movable(clouds: Sequence[Cloud], centred: bool = False) -> list[dict[str, Any]]:
    """What the browser fits while the window moves: log10 of H_ii and C_ii in full, NaN where there are no data."""

    def logs(values: ndarray, cloud: Cloud) -> str:
        known = cloud.data & np.isfinite(cloud.x) & np.isfinite(cloud.y)
        return b64encode(np.log10(values, where=known, out=np.full(known.shape, np.nan)).tobytes()).decode()

    return [
        {"place": c.place, "u": logs(c.x, c), "v": logs(c.y, c), "scale": _scale(c, centred, 0).tolist()}
        for c in clouds
        if c.fitted.any()
    ]


def _room(clouds: Sequence[Cloud], height: int) -> dict[str, Any]:
    """Height and legend: on top, or with the names of several runs below, two to a row."""
    if not any(cloud.label for cloud in clouds):
        return {"height": height}
    below = 22 * -(-(len(clouds) + len(SLOPES)) // 2) + 12
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"}
    legend |= {"entrywidth": 0.49, "entrywidthmode": "fraction", "font": {"size": 13}}
    margin = {"l": 8, "r": 12, "t": 34, "b": below + 40}
    return {"height": height + below, "legend": legend, "margin": margin}


def ring(xs: Sequence[ndarray], ys: Sequence[ndarray], marked: int | None) -> list[Trace]:
    """A ring around a direction (from 1), in each of the series that can show it."""
    if marked is None:
        return []
    points = [(x[marked - 1], y[marked - 1]) for x, y in zip(xs, ys, strict=True) if marked <= x.size]
    points = [(x, y) for x, y in points if x > 0 and np.isfinite(y)]
    if not points:
        return []
    across, up = zip(*points, strict=True)
    look = {"symbol": "circle-open", "size": 16, "color": palette.MARK, "line": {"width": 3}}
    more: Trace = {"key": "marked", "marker": look, "showlegend": False, "customdata": [[marked]] * len(points)}
    return [marks.points(across, up, f"direction {marked}", palette.MARK, **more)]


def _points(cloud: Cloud, shown: ndarray, scale: ndarray, label: str, opacity: float, uid: str) -> list[Trace]:
    subset = np.flatnonzero(shown & (cloud.y > 0) & (cloud.x > 0))
    keep = subset[spread(cloud.x[subset])]
    if keep.size == 0:
        return []
    suffix = f"<br>{escape(cloud.label)}" if cloud.label else ""
    hover = (
        f"<b>{cloud.look.html}</b>, direction %{{customdata[0]:.0f}}<br>H<sub>ii</sub> = "
        f"%{{customdata[1]:.3e}}<br>C<sub>ii</sub> = %{{customdata[2]:.3e}}{suffix}"
    )
    more: Trace = {"key": cloud.name, "hover": hover, "legendgroup": cloud.group, "showlegend": False}
    more |= {"customdata": np.stack([keep + 1, cloud.x[keep], cloud.y[keep]], axis=1), "uid": uid}
    x, y = cloud.x[keep] / scale[0], cloud.y[keep] / scale[1]
    return [marks.points(x, y, label, cloud.look.colour, cloud.marker, 6, opacity, **more)]


def _fit(cloud: Cloud, scale: ndarray) -> list[Trace]:
    """The fitted line, and the legend entry that tells its exponent."""
    lines, look = [], cloud.look
    quiet: Trace = {"legendgroup": cloud.group, "showlegend": False}
    inside = cloud.x[cloud.fitted]
    if cloud.fit is not None:
        ends = np.array([inside.max(), inside.min()])
        x, y = ends / scale[0], cloud.fit.line(ends) / scale[1]
        more: Trace = quiet | {"key": cloud.name, "uid": f"fit-{cloud.place}"}
        lines.append(marks.line(x, y, f"fit of {look.html}", *cloud.line, **more))
    if cloud.bend is not None:
        across = np.geomspace(inside.max(), inside.min(), STEPS)
        x, y, key = across / scale[0], cloud.bend.curve(across) / scale[1], f"{cloud.name} bend"
        more = quiet | {"key": key, "uid": f"bend-{cloud.place}"}
        lines.append(marks.line(x, y, f"second-order fit of {look.html}", look.colour, 1.3, **more))
    marker = {"symbol": cloud.marker, "size": 9}
    more = {"key": cloud.name, "legendgroup": cloud.group, "marker": marker, "uid": f"legend-{cloud.place}"}
    return [*lines, marks.line([None], [None], cloud.legend, *cloud.line, **more)]


def _slopes(centre: ndarray, low: ndarray, high: ndarray) -> list[Trace]:
    """Lines of slope 1 and 2 through the centre, cut where the data end."""
    lines = []
    for slope, dash in SLOPES.items():
        # In decades from the centre: as far as both axes allow.
        reach = [np.log10(edge / centre) for edge in (low, high)]
        steps = (max(reach[0][0], reach[0][1] / slope), min(reach[1][0], reach[1][1] / slope))
        x, y = [centre[0] * 10**s for s in steps], [centre[1] * 10 ** (slope * s) for s in steps]
        lines.append(marks.line(x, y, f"slope {slope}", palette.QUIET, 1.6, dash, uid=f"slope-{slope}"))
    return lines


# What the test of the straight line finds, in the figure.
VERDICTS = {
    "straight": "one power",
    "undecided": "one power or bent: undecided",
    "bent": "bent",
    "strongly bent": "strongly bent",
}


def _verdicts(clouds: Sequence[Cloud]) -> list[dict[str, Any]]:
    """One power or bent, a line for each cloud, above the window at the lower right."""
    ends = {"xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
    judged = [c for c in clouds if c.run == 0 and c.verdict]
    return [
        palette.note(f"{c.look.html}: {VERDICTS[c.verdict]}", 1, 0, c.look.colour, 14, yshift=20 * row + 18, **ends)
        for row, c in enumerate(reversed(judged))
    ]


def below_floor(floor: float) -> dict[str, Any]:
    """What lies below the noise floor, shaded."""
    place = {"yref": "paper", "textangle": -90, "xanchor": "right", "yanchor": "top", "xshift": -2}
    label = palette.note("rounding, not data", float(np.log10(floor)), 0.99, palette.QUIET, 11, **place)
    return {"shapes": [palette.shade(floor * 1e-30, floor)], "annotations": [label]}


def nothing(sentence: str, height: int) -> go.Figure:
    """A sentence in place of a figure."""
    annotation = palette.note(sentence, 0.5, 0.5, xref="paper", yref="paper")
    hidden = {"visible": False}
    return go.Figure(layout=layout(height, annotations=[annotation], xaxis=hidden, yaxis=hidden))
