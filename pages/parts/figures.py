"""Arrays in, figures out: every drawing of the dashboard, without a widget or a file.

At most LIMIT points of a series are drawn, spread evenly in log space; fits are made elsewhere, on all points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.parts import palette
from pages.parts.palette import CURVATURE, LOOKS, SLOPES, layout, log_axis, log_tick

if TYPE_CHECKING:
    from engine.diagnostics import Fit

LIMIT = 300


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


# -- heatmaps ---------------------------------------------------------------------------------------------


def symlog(values: ndarray, threshold: float) -> ndarray:
    """sign(x) · log10(1 + |x| / threshold): linear well below the threshold, logarithmic well above it."""
    return np.sign(values) * np.log10(1 + np.abs(values) / threshold)


def _heatmap(z: ndarray, eigenvalues: ndarray, limit: float, colorbar: dict[str, Any], **more: Any) -> go.Figure:
    """A square of k × k cells whose hover names the directions and their curvatures."""
    k = z.shape[0]
    # The curvature of a direction travels in its axis label: k words instead of k² numbers.
    names = [f"{i} (H = {palette.number(h)})" for i, h in enumerate(eigenvalues[:k], start=1)]
    ticks = sorted({0, *(t - 1 for t in range(_tick_step(k), k + 1, _tick_step(k)))})
    axis = {
        "type": "category",
        "tickvals": [names[t] for t in ticks],
        "ticktext": [str(t + 1) for t in ticks],
        "showgrid": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickangle": 0,
        "constrain": "domain",
        "automargin": True,
    }
    bar = {
        "orientation": "h",
        "thickness": 9,
        "len": 0.94,
        "y": -0.17,
        "yanchor": "top",
        "outlinewidth": 0,
        "ticks": "outside",
        "ticklen": 3,
        "tickfont": {"size": 12},
    }
    trace = go.Heatmap(
        z=z.astype(np.float32),
        x=names,
        y=names,
        zmin=-limit,
        zmax=limit,
        colorscale=palette.DIVERGING,
        colorbar=bar | colorbar,
        hoverongaps=False,
        **more,
    )
    figure = go.Figure(trace, layout(420, margin={"l": 8, "r": 8, "t": 8, "b": 8}))
    figure.update_xaxes(axis | {"title": {"text": "direction j", "standoff": 4}, "range": [-0.5, k - 0.5]})
    figure.update_yaxes(
        axis | {"title": {"text": "direction i", "standoff": 4}, "range": [k - 0.5, -0.5], "scaleanchor": "x"}
    )
    # A thin frame, since zero is transparent.
    figure.update_xaxes(mirror=True, showline=True, linecolor=palette.GRID)
    figure.update_yaxes(mirror=True, showline=True, linecolor=palette.GRID)
    return figure


def _tick_step(k: int) -> int:
    return next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if k / step <= 5)


def covariance_heatmap(block: ndarray, eigenvalues: ndarray) -> go.Figure:
    """K on a symmetric-log colour scale whose ticks are values of K."""
    largest = float(np.abs(block).max(initial=0.0))
    diagonal = np.diag(block)
    smallest = float(diagonal[diagonal > 0].min(initial=np.inf))
    if largest == 0:
        return _heatmap(block, eigenvalues, 1.0, {"tickvals": [0], "ticktext": ["0"]})
    # One decade below the smallest variance shown, and never more than seven below the largest.
    low = int(np.floor(np.log10(np.clip(smallest / 10, largest * 1e-7, largest / 10))))
    high = int(np.floor(np.log10(largest)))
    exponents = np.arange(high, low, -max(1, (high - low) // 2))[:2]
    ticks = [0.0, *(sign * 10.0**e for e in exponents for sign in (1, -1))]
    text = ["0", *(f"{sign}{log_tick(int(e))}" for e in exponents for sign in ("", "−"))]
    return _heatmap(
        symlog(block, 10.0**low),
        eigenvalues,
        float(symlog(np.array(largest), 10.0**low)),
        {"tickvals": symlog(np.array(ticks), 10.0**low), "ticktext": text},
        customdata=block.astype(np.float32),
        hovertemplate="i = %{y}<br>j = %{x}<br><b>K<sub>ij</sub> = %{customdata:.3e}</b><extra></extra>",
    )


def correlation_heatmap(correlation: ndarray, eigenvalues: ndarray, symbol: str = "R") -> go.Figure:
    """A correlation matrix, −1 … 1 around 0: the same scale for the real and the random one."""
    return _heatmap(
        correlation,
        eigenvalues,
        1.0,
        {"tickvals": [-1, -0.5, 0, 0.5, 1], "ticktext": ["−1", "−0.5", "0", "0.5", "1"]},
        hovertemplate=f"i = %{{y}}<br>j = %{{x}}<br><b>{symbol} = %{{z:.3f}}</b><extra></extra>",
    )


# -- the power law ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cloud:
    """C_ii of one matrix against H_ii; directions first … last − 1 above the noise floor were fitted."""

    name: str
    x: ndarray
    y: ndarray
    fit: "Fit | None" = None
    first: int = 0
    last: int | None = None

    def fitted(self, floor: float) -> ndarray:
        """Whether a direction lies in the window, above the floor and on log axes."""
        index = np.arange(self.x.size)
        inside = (index >= self.first) & (index < (self.x.size if self.last is None else self.last))
        return inside & (self.x > max(floor, 0.0)) & (self.y > 0)


def power_law(clouds: Sequence[Cloud], floor: float = 0.0, centred: bool = False, height: int = 470) -> go.Figure:
    """Log-log C_ii on H_ii with fits, slope 1 (dotted) and slope 2 (dashed) through the centre of the data.

    centred: each cloud is divided by the geometric means of its fitted points, so that only slopes differ.
    """
    figure = go.Figure(layout=layout(height))
    spans: list[ndarray] = []
    centre = None
    for cloud in clouds:
        look, inside = LOOKS[cloud.name], cloud.fitted(floor)
        if not inside.any():
            continue
        mean = np.array([10 ** np.log10(z[inside]).mean() for z in (cloud.x, cloud.y)])
        scale = mean if centred else np.ones(2)
        if centre is None:
            centre = mean / scale
        for shown, label in ((~inside, "not fitted"), (inside, look.html)):
            subset = np.flatnonzero(shown & (cloud.y > 0) & (cloud.x > 0))
            keep = subset[spread(cloud.x[subset])]
            if keep.size == 0:
                continue
            points = np.stack([cloud.x[keep], cloud.y[keep]]) / scale[:, None]
            figure.add_scatter(
                x=points[0],
                y=points[1],
                mode="markers",
                name=label,
                legendgroup=cloud.name,
                showlegend=False,
                meta=cloud.name,
                marker={
                    "color": look.colour,
                    "symbol": look.marker,
                    "size": 6,
                    "opacity": 0.75 if label == look.html else 0.18,
                    "line": {"width": 0},
                },
                customdata=np.stack([keep + 1, cloud.x[keep], cloud.y[keep]], axis=1),
                hovertemplate=f"<b>{look.html}</b>, direction %{{customdata[0]:.0f}}<br>H<sub>ii</sub> = "
                "%{customdata[1]:.3e}<br>C<sub>ii</sub> = %{customdata[2]:.3e}<extra></extra>",
            )
            spans.append(points)
        legend = look.html
        if cloud.fit is not None:
            legend = f"{look.html}  γ = {cloud.fit.gamma:.2f}"
            ends = np.array([cloud.x[inside].max(), cloud.x[inside].min()])
            figure.add_scatter(
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
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines+markers",
            name=legend,
            legendgroup=cloud.name,
            line={"color": look.colour, "width": 2.5},
            marker={"symbol": look.marker, "size": 9},
        )
    if not spans or centre is None:
        return _nothing(figure, "No direction has both H<sub>ii</sub> above the noise floor and C<sub>ii</sub> > 0.")
    low, high = (
        np.array([f(s[axis].min() if f is min else s[axis].max() for s in spans) for axis in (0, 1)])
        for f in (min, max)
    )
    _slopes(figure, centre, low, high)
    pad = 0.06 * np.log10(high / low) + 0.05
    ranges = np.stack([np.log10(low) - pad, np.log10(high) + pad])
    tail = " ÷ its mean" if centred else ""
    figure.update_xaxes(log_axis(CURVATURE + tail, float(np.ptp(ranges[:, 0])), range=ranges[:, 0]))
    figure.update_yaxes(
        log_axis(f"noise variance C<sub>ii</sub>{tail}", float(np.ptp(ranges[:, 1])), range=ranges[:, 1])
    )
    if not centred:
        _floor(figure, floor, 10 ** ranges[0, 0])
    return figure


def _slopes(figure: go.Figure, centre: ndarray, low: ndarray, high: ndarray) -> None:
    """Lines of slope 1 and 2 through the centre, cut where the data end."""
    for slope, dash in SLOPES.items():
        # In decades from the centre: as far as both axes allow.
        reach = [np.log10(edge / centre) for edge in (low, high)]
        steps = (max(reach[0][0], reach[0][1] / slope), min(reach[1][0], reach[1][1] / slope))
        figure.add_scatter(
            x=[centre[0] * 10**s for s in steps],
            y=[centre[1] * 10 ** (slope * s) for s in steps],
            mode="lines",
            line={"color": palette.QUIET, "width": 1.6, "dash": dash},
            name=f"slope {slope}",
            meta=f"slope {slope}",
            hoverinfo="skip",
        )


def _floor(figure: go.Figure, floor: float, left: float) -> None:
    if floor > left:
        figure.add_vrect(x0=left, x1=floor, fillcolor=palette.SHADE, line_width=0, layer="below")
        figure.add_annotation(
            x=np.log10(floor),
            y=0.02,
            yref="paper",
            text="rounding, not data",
            showarrow=False,
            xanchor="right",
            xshift=-4,
            font={"size": 12, "color": palette.QUIET},
        )


def _nothing(figure: go.Figure, sentence: str) -> go.Figure:
    figure.add_annotation(text=sentence, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)
