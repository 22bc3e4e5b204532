"""Log-log figures of the power law: arrays in, go.Figure out, without a widget or a file.

At most LIMIT points of a series are drawn, spread evenly in log space; fits are made elsewhere, on all points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.parts import palette
from pages.parts.palette import CURVATURE, LOOKS, SLOPES, Look, layout, log_axis

if TYPE_CHECKING:
    from engine.diagnostics import Fit

LIMIT = 300
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


@dataclass(frozen=True)
class Cloud:
    """C_ii of one matrix against H_ii; directions first … last − 1 above the noise floor were fitted."""

    name: str
    x: ndarray
    y: ndarray
    fit: "Fit | None" = None
    first: int = 0
    last: int | None = None

    @property
    def look(self) -> Look:
        return LOOKS[self.name]

    def data(self, floor: float) -> ndarray:
        """Whether a direction can be drawn on log axes and is more than rounding."""
        return (self.x > max(floor, 0.0)) & (self.y > 0)

    def fitted(self, floor: float) -> ndarray:
        """Whether it also lies in the window."""
        index = np.arange(self.x.size)
        return (index >= self.first) & (index < (self.x.size if self.last is None else self.last)) & self.data(floor)

    def centre(self, floor: float) -> ndarray:
        """Geometric means of H_ii and C_ii over the fitted directions: every least-squares line passes there."""
        inside = self.fitted(floor)
        return np.array([10 ** np.log10(z[inside]).mean() for z in (self.x, self.y)])


def power_law(clouds: Sequence[Cloud], floor: float = 0.0, centred: bool = False, height: int = 470) -> go.Figure:
    """Log-log C_ii on H_ii with fits, slope 1 (dotted) and slope 2 (dashed) through the centre of the first cloud.

    centred: each cloud is divided by its centre, so that all pass through (1, 1) and only slopes differ.
    """
    clouds = [cloud for cloud in clouds if cloud.fitted(floor).any()]
    if not clouds:
        return _nothing("No direction has both H<sub>ii</sub> above the noise floor and C<sub>ii</sub> > 0.", height)
    traces, seen = [], []
    for cloud in clouds:
        scale = cloud.centre(floor) if centred else np.ones(2)
        inside, data = cloud.fitted(floor), cloud.data(floor)
        traces += _points(cloud, ~inside, scale, "not fitted", 0.2)
        traces += _points(cloud, inside, scale, cloud.look.html, 0.75)
        traces += _fit(cloud, inside, scale)
        seen.append(np.stack([cloud.x[data], cloud.y[data]]) / scale[:, None])
    both = np.concatenate(seen, axis=1)
    low, high = both.min(axis=1), both.max(axis=1)
    traces += _slopes(np.ones(2) if centred else clouds[0].centre(floor), low, high)
    pad = 0.05 * np.log10(high / low) + 0.1
    bottom, top = np.log10(low) - pad, np.log10(high) + pad
    rounding: dict[str, Any] = {}
    if floor > 0 and not centred and (clouds[0].x < floor).any():
        bottom[0] = np.log10(floor) - BELOW_FLOOR
        rounding = _floor(floor)
    over = " ÷ its mean" if centred else ""
    wide, tall = top - bottom
    return go.Figure(
        traces,
        layout(
            height,
            xaxis=log_axis(CURVATURE + over, wide, range=[bottom[0], top[0]]),
            yaxis=log_axis(f"noise variance C<sub>ii</sub>{over}", tall, range=[bottom[1], top[1]]),
            **rounding,
        ),
    )


def _points(cloud: Cloud, shown: ndarray, scale: ndarray, label: str, opacity: float) -> list[go.Scatter]:
    subset = np.flatnonzero(shown & (cloud.y > 0) & (cloud.x > 0))
    keep = subset[spread(cloud.x[subset])]
    if keep.size == 0:
        return []
    html = cloud.look.html
    points = go.Scatter(
        x=cloud.x[keep] / scale[0],
        y=cloud.y[keep] / scale[1],
        mode="markers",
        name=label,
        legendgroup=cloud.name,
        showlegend=False,
        meta=cloud.name,
        marker={"color": cloud.look.colour, "symbol": cloud.look.marker, "size": 6, "opacity": opacity},
        customdata=np.stack([keep + 1, cloud.x[keep], cloud.y[keep]], axis=1),
        hovertemplate=f"<b>{html}</b>, direction %{{customdata[0]:.0f}}<br>H<sub>ii</sub> = "
        "%{customdata[1]:.3e}<br>C<sub>ii</sub> = %{customdata[2]:.3e}<extra></extra>",
    )
    return [points]


def _fit(cloud: Cloud, inside: ndarray, scale: ndarray) -> list[go.Scatter]:
    """The fitted line, and the legend entry that tells its exponent."""
    look, legend, lines = cloud.look, cloud.look.html, []
    if cloud.fit is not None:
        legend = f"{look.html}  γ = {cloud.fit.gamma:.2f}"
        ends = np.array([cloud.x[inside].max(), cloud.x[inside].min()])
        lines = [
            go.Scatter(
                x=ends / scale[0],
                y=cloud.fit.line(ends) / scale[1],
                mode="lines",
                hoverinfo="skip",
                line={"color": look.colour, "width": 2.5},
                legendgroup=cloud.name,
                showlegend=False,
                name=f"fit of {look.html}",
                meta=cloud.name,
            )
        ]
    entry = go.Scatter(
        x=[None],
        y=[None],
        mode="lines+markers",
        name=legend,
        legendgroup=cloud.name,
        line={"color": look.colour, "width": 2.5},
        marker={"symbol": look.marker, "size": 9},
    )
    return [*lines, entry]


def _slopes(centre: ndarray, low: ndarray, high: ndarray) -> list[go.Scatter]:
    """Lines of slope 1 and 2 through the centre, cut where the data end."""
    lines = []
    for slope, dash in SLOPES.items():
        # In decades from the centre: as far as both axes allow.
        reach = [np.log10(edge / centre) for edge in (low, high)]
        steps = (max(reach[0][0], reach[0][1] / slope), min(reach[1][0], reach[1][1] / slope))
        lines.append(
            go.Scatter(
                x=[centre[0] * 10**s for s in steps],
                y=[centre[1] * 10 ** (slope * s) for s in steps],
                mode="lines",
                line={"color": palette.QUIET, "width": 1.6, "dash": dash},
                name=f"slope {slope}",
                meta=f"slope {slope}",
                hoverinfo="skip",
            )
        )
    return lines


def _floor(floor: float) -> dict[str, Any]:
    label = {
        "x": float(np.log10(floor)),
        "y": 0.99,
        "yref": "paper",
        "text": "rounding, not data",
        "textangle": -90,
        "showarrow": False,
        "xanchor": "right",
        "yanchor": "top",
        "xshift": -2,
        "font": {"size": 11, "color": palette.QUIET},
    }
    return {"shapes": [palette.shade(floor * 1e-30, floor)], "annotations": [label]}


def _nothing(sentence: str, height: int) -> go.Figure:
    said = {"text": sentence, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    hidden = {"visible": False}
    return go.Figure(layout=layout(height, annotations=[said], xaxis=hidden, yaxis=hidden))
