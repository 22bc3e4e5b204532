"""The marks that figures are made of: traces in what all of them have in common, as plotly.js takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from pages.state import palette

Trace = dict[str, Any]
Numbers = ndarray | Sequence[Any]


def _trace(kind: str, x: Numbers, y: Numbers, name: str, key: str = "", hover: str = "", **more: Any) -> Trace:
    """key: of its words in a legend, the name for none; hover: what it says under the pointer without its name,
    nothing for none."""
    known: Trace = {"type": kind, "x": x, "y": y}
    if name or key:
        known |= {"meta": key or name}
    if name:
        known |= {"name": name}
    if hover:
        known |= {"hovertemplate": f"{hover}<extra></extra>"}
    elif "hovertemplate" not in more:
        known |= {"hoverinfo": "skip"}
    return known | more


def line(x: Numbers, y: Numbers, name: str, colour: str, width: float = 2.2, dash: str = "solid", **more: Any) -> Trace:
    """A line, with its points where `more` holds a marker."""
    mode = "lines+markers" if "marker" in more else "lines"
    look = {"mode": mode, "line": {"color": colour, "width": width, "dash": dash}}
    return _trace("scatter", x, y, name, **look | more)


def points(
    x: Numbers,
    y: Numbers,
    name: str,
    colour: Any,
    symbol: Any = "circle",
    size: int = 6,
    opacity: float = 1,
    **more: Any,
) -> Trace:
    """Points alone."""
    marker = {"color": colour, "symbol": symbol, "size": size, "opacity": opacity}
    return _trace("scatter", x, y, name, **{"mode": "markers", "marker": marker} | more)


def bars(x: Numbers, y: Numbers, name: str, colour: Any, **more: Any) -> Trace:
    """Bars; colour: of all, or of each."""
    return _trace("bar", x, y, name, **{"marker": {"color": colour}} | more)


def band(x: ndarray, low: ndarray, high: ndarray, colour: str, key: str, name: str = "") -> Trace:
    """The ground between two curves over x; quiet under the pointer, and in the legend unless it has a name."""
    around, ends = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
    look: Trace = {"mode": "lines", "fill": "toself", "fillcolor": colour, "line": {"width": 0}}
    return _trace("scatter", around, ends, name, key, **look | ({} if name else {"showlegend": False}))


def cells(z: ndarray, limit: float, hover: str, **more: Any) -> Trace:
    """A matrix, zero transparent, on a scale from −limit to limit."""
    look = {"colorscale": palette.DIVERGING, "zmin": -limit, "zmax": limit, "showscale": False}
    return {"type": "heatmap", "z": z, "hovertemplate": f"{hover}<extra></extra>"} | look | more
