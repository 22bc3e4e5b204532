"""Square pictures of matrices: arrays in, go.Figure out, zero transparent on any background."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.parts import palette
from pages.parts.palette import layout, log_tick

HEIGHT = 365
# Labels of the colour bar stay this share of half its length apart.
TICK_GAP = 0.3


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
        # A thin frame, since zero is transparent.
        "mirror": True,
        "showline": True,
        "linecolor": palette.GRID,
    }
    bar = {
        "orientation": "h",
        "thickness": 9,
        "len": 0.94,
        "y": 0.0,
        "yref": "container",
        "yanchor": "bottom",
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
    across = axis | {"title": {"text": "direction j", "standoff": 4}, "range": [-0.5, k - 0.5]}
    down = axis | {"title": {"text": "direction i", "standoff": 4}, "range": [k - 0.5, -0.5], "scaleanchor": "x"}
    down["constraintoward"] = "top"
    # Beside the cells, not on them.
    buttons = palette.BUTTONS | {"orientation": "v"}
    margin = {"l": 8, "r": 8, "t": 4, "b": 40}
    return go.Figure(trace, layout(HEIGHT, margin=margin, xaxis=across, yaxis=down, modebar=buttons))


def _tick_step(k: int) -> int:
    return next(step for step in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if k / step <= 5)


def covariance(block: ndarray, eigenvalues: ndarray) -> go.Figure:
    """K on a symmetric-log colour scale whose ticks are values of K."""
    largest = float(np.abs(block).max(initial=0.0))
    diagonal = np.diag(block)
    smallest = float(diagonal[diagonal > 0].min(initial=np.inf))
    if largest == 0:
        return _heatmap(block, eigenvalues, 1.0, {"tickvals": [0], "ticktext": ["0"]})
    # Linear below the smallest variance shown, which is at most seven decades below the largest.
    low = int(np.floor(np.log10(np.clip(smallest, largest * 1e-7, largest / 10))))
    limit = float(symlog(np.array(largest), 10.0**low))
    exponents: list[int] = []
    places = [1 + TICK_GAP]
    for exponent in range(int(np.floor(np.log10(largest))), low, -1):
        place = float(symlog(np.array(10.0**exponent), 10.0**low)) / limit
        if TICK_GAP <= place <= places[-1] - TICK_GAP:
            exponents.append(exponent)
            places.append(place)
    ticks = [0.0, *(sign * 10.0**e for e in exponents for sign in (1, -1))]
    text = ["0", *(f"{sign}{log_tick(e)}" for e in exponents for sign in ("", "−"))]
    return _heatmap(
        symlog(block, 10.0**low),
        eigenvalues,
        limit,
        {"tickvals": symlog(np.array(ticks), 10.0**low), "ticktext": text},
        customdata=block.astype(np.float32),
        hovertemplate="i = %{y}<br>j = %{x}<br><b>K<sub>ij</sub> = %{customdata:.3e}</b><extra></extra>",
    )


def correlation(block: ndarray, eigenvalues: ndarray, symbol: str = "R") -> go.Figure:
    """A correlation matrix, −1 … 1 around 0: the same scale for the real and the random one."""
    return _heatmap(
        block,
        eigenvalues,
        1.0,
        {"tickvals": [-1, -0.5, 0, 0.5, 1], "ticktext": ["−1", "−0.5", "0", "0.5", "1"]},
        hovertemplate=f"i = %{{y}}<br>j = %{{x}}<br><b>{symbol} = %{{z:.3f}}</b><extra></extra>",
    )
