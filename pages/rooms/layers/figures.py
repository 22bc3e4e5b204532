"""Arrays in, go.Figure out: a network as a row of blocks, and numbers along its depth and along training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.runs.depth import GAUSS_NEWTON, StudiedLayer
from pages.charts import curves, marks, over_epochs
from pages.charts.marks import Trace
from pages.charts.over_epochs import Times
from pages.state import palette
from pages.state.palette import LOOKS, axis, faded, layout

# Blocks side by side, pixels of a row of them and of its labels, and the widest block in units of its place.
ROW, ROW_PIXELS, WIDEST = 7, 176, 0.84
# Of more layers the names on an axis are set aslant.
LEVEL = 8
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")


@dataclass(frozen=True)
class Depth:
    """The layers along an axis. studied: each of them; analysed: which of them are; methods: how each took the
    Hessians of samples, empty where nobody knows."""

    studied: Sequence[StudiedLayer]
    analysed: Sequence[bool]
    methods: Sequence[str]

    def names(self) -> list[str]:
        """What stands below each, with a mark where it shows Gauss–Newton."""
        named, between = zip(self.studied, self.methods, strict=True), "<br>" if len(self.studied) <= LEVEL else " "
        return [f"{one.name}{between + '(GN)' if method == GAUSS_NEWTON else ''}" for one, method in named]

    def axis(self, aslant: int = -40) -> dict[str, Any]:
        """The layers in the order of their use; aslant: the angle of many names."""
        count = len(self.studied)
        return axis(
            "layer, from input to output",
            tickvals=list(range(count)),
            ticktext=self.names(),
            tickangle=0 if count <= LEVEL else aslant,
            range=[-0.5, count - 0.5],
            showgrid=False,
        )


def network(depth: Depth, chosen: Sequence[bool]) -> go.Figure:
    """A block a layer, in the order of use: wide by the logarithm of its weights, high by that of its outputs."""
    count = len(depth.studied)
    columns = min(count, -(-count // -(-count // ROW)))  # rows as even as may be
    widths = _sizes([one.dimension for one in depth.studied])
    heights = _sizes([one.d_out for one in depth.studied])
    traces, notes, shapes = [], [], []
    for word, key, state in (("analysed", "analysed", True), ("not analysed", "missing", False)):
        mine = [i for i, analysed in enumerate(depth.analysed) if analysed == state]
        if not mine:
            continue
        line = [LOOKS["C"].colour if state else palette.QUIET] * len(mine)
        fill = [faded(LOOKS["C"].colour, 0.45 if chosen[i] else 0.15) if state else "rgba(0,0,0,0)" for i in mine]
        traces.append(
            marks.bars(
                [i % columns for i in mine],
                [heights[i] for i in mine],
                word,
                fill,
                key=key,
                width=[WIDEST * widths[i] for i in mine],
                base=[-(i // columns) * 2 - heights[i] / 2 for i in mine],
                hover="%{customdata[1]}",
                customdata=[[i + 1, _label(depth, i)] for i in mine],
                marker={"color": fill, "line": {"color": line, "width": [2 if chosen[i] else 1 for i in mine]}},
            )
        )
    for i, one in enumerate(depth.studied):
        across, up = i % columns, -(i // columns) * 2
        if across:
            ends = across - 1 + WIDEST * widths[i - 1] / 2, across - WIDEST * widths[i] / 2
            shapes.append(_arrow(*ends, up))
        method = "<br>Gauss–Newton" if depth.methods[i] == GAUSS_NEWTON else ""
        words = f"<b>{one.name}</b><br>{one.kind}<br>{one.d_out:,} × {one.d_in:,}<br>T = {one.places:,}{method}"
        colour = "" if chosen[i] else palette.QUIET
        notes.append(palette.note(words, across, up - 0.55, colour, 11, yanchor="top"))
    rows = -(-count // columns)
    hidden = {"visible": False, "fixedrange": True}
    look = layout(
        ROW_PIXELS * rows + 40,
        margin={"l": 4, "r": 4, "t": 34, "b": 4},
        barmode="overlay",
        xaxis=hidden | {"range": [-0.5, max(columns, 3) - 0.5]},
        yaxis=hidden | {"range": [-2 * rows + 0.4, 0.6]},
        annotations=notes,
        shapes=shapes,
        showlegend=True,
    )
    return go.Figure(traces, look)


def _sizes(numbers: Sequence[int]) -> list[float]:
    """From a third to 1 by the logarithm."""
    logs = np.log10(np.maximum(numbers, 1))
    return (0.34 + 0.66 * logs / max(float(logs.max()), 1e-9)).tolist()


def _arrow(left: float, right: float, up: float) -> dict[str, Any]:
    line = {"color": palette.QUIET, "width": 1.5}
    return {"type": "line", "x0": left, "x1": right, "y0": up, "y1": up, "line": line, "layer": "below"}


def _label(depth: Depth, place: int) -> str:
    """A layer under the pointer."""
    one = depth.studied[place]
    method = f", {depth.methods[place]}" if depth.methods[place] else ""
    size = f"{one.d_out:,} × {one.d_in:,}, D = {one.dimension:,}"
    return f"<b>{one.name}</b>: {one.kind}, {size}, T = {one.places:,}{method}"


@dataclass(frozen=True)
class Line:
    """One number along depth (l), NaN where there is none. name: of its matrix; low, high: ends of its intervals; n:
    directions behind each; chance: what chance would give."""

    name: str
    values: ndarray
    low: ndarray | None = None
    high: ndarray | None = None
    n: ndarray | None = None
    chance: ndarray | None = None


def along_depth(
    depth: Depth, lines: Sequence[Line], title: str, symbol: str, height: int = 300, **up: Any
) -> go.Figure:
    """Numbers layer by layer: filled where they are measured, a ring with a dot where Gauss–Newton is shown, hollow at
    the foot where a layer is not analysed. A click tells the place of the layer, from 1."""
    traces: list[Trace] = []
    gauss_newton = np.array([method == GAUSS_NEWTON for method in depth.methods])
    for number, line in enumerate(lines):
        look = LOOKS[line.name]
        x = np.arange(len(line.values)) + 0.14 * (number - (len(lines) - 1) / 2)
        symbols = [f"{look.marker}-open-dot" if gn else look.marker for gn in gauss_newton]
        labels = [[i + 1, _label(depth, i), _known(line, i)] for i in range(len(line.values))]
        more: Trace = {"marker": {"symbol": symbols, "size": 11, "line": {"width": 1 + gauss_newton}}}
        if line.low is not None and line.high is not None and np.isfinite(line.low).any():
            more["error_y"] = curves.error_bars(line.values, line.low, line.high) | {"thickness": 1.8}
        hover = f"%{{customdata[1]}}<br>{symbol.format(look.html)} = %{{y:.4g}}%{{customdata[2]}}"
        colour = faded(look.colour, 0.35)
        more["marker"] |= {"color": look.colour}
        traces.append(
            marks.line(x, line.values, look.html, colour, 1.2, key=line.name, hover=hover, customdata=labels, **more)
            | ({"error_y": more["error_y"] | {"color": look.colour}} if "error_y" in more else {})
        )
        if line.chance is not None:
            style = faded(look.colour, 0.9), 1.8, "dot"
            key, hover = "by chance", "turned at random: %{y:.4g}"
            traces.append(marks.line(x, line.chance, "turned at random", *style, key=key, hover=hover))
    if gauss_newton.any():
        dotted = {"symbol": "circle-open-dot", "color": palette.QUIET, "size": 11, "line": {"width": 2}}
        traces.append(marks.points([None], [None], "Gauss–Newton", "", key="gauss-newton", marker=dotted))
    low, high = up.get("range") or _ends(lines)
    missing = [i for i, analysed in enumerate(depth.analysed) if not analysed]
    if missing:
        # Below all numbers: none is read off a hollow mark.
        foot, low = [low - 0.06 * (high - low)] * len(missing), low - 0.12 * (high - low)
        hollow = {"symbol": "circle-open", "color": palette.QUIET, "size": 11, "line": {"width": 1.6}}
        more = {"hover": "%{text}<br>not analysed", "text": [_label(depth, i) for i in missing], "marker": hollow}
        traces.append(marks.points(missing, foot, "not analysed", "", key="missing", cliponaxis=False, **more))
    across = depth.axis(-40 if "range" in up else -90)  # small ones have no room
    return go.Figure(
        traces, layout(height, xaxis=across, yaxis=axis(title, exponentformat="power", **up | {"range": [low, high]}))
    )


def _known(line: Line, place: int) -> str:
    """What stands below a number under the pointer."""
    known = ""
    if line.low is not None and line.high is not None and np.isfinite(line.low[place]):
        known += f", 95 % {line.low[place]:.3f} … {line.high[place]:.3f}"
    if line.n is not None and np.isfinite(line.n[place]):
        known += f"<br>{int(line.n[place]):,} directions"
    return known


def _ends(lines: Sequence[Line]) -> tuple[float, float]:
    """From 0, or below what is lower, to above all numbers."""
    seen = np.concatenate([z for line in lines for z in (line.values, line.chance) if z is not None] or [np.zeros(0)])
    seen = seen[np.isfinite(seen)]
    top, bottom = float(seen.max(initial=0.0)), float(seen.min(initial=0.0))
    pad = 0.08 * ((top - bottom) or 1.0)
    return bottom - (pad if bottom < 0 or not seen.size else pad / 2), top + pad


def gammas(depth: Depth, lines: Sequence[Line]) -> go.Figure:
    """γ along depth, with lines at 1 and 2."""
    every = [z for line in lines for z in (line.values, line.low, line.high) if z is not None]
    figure = along_depth(depth, lines, "exponent γ", "γ of {}", 380, range=curves.gamma_axis(every)["range"])
    return figure.update_layout(shapes=palette.bounds())


def along_training(
    times: Times, series: Mapping[str, ndarray], name: str, title: str, bounds: bool, height: int = 380
) -> go.Figure:
    """One number of each layer over epochs, in its matrix's colour: the deeper a layer, the stronger. Each is named at
    its end."""
    x, traces = over_epochs.place(times.epochs), []
    for number, (layer, values) in enumerate(series.items()):
        colour = faded(LOOKS[name].colour, 0.3 + 0.7 * (number + 1) / len(series))
        symbol = {"symbol": SYMBOLS[number % len(SYMBOLS)], "size": 8}
        hover = f"<b>{layer}</b>, epoch %{{customdata}}<br>%{{y:.4g}}"
        more: Trace = {"hover": hover, "customdata": list(times.epochs), "marker": symbol, "connectgaps": True}
        traces.append(marks.line(x, values, layer, colour, key=f"{name} {layer}", **more))
    every = list(series.values())
    low, high = curves.gamma_axis(every)["range"] if bounds else _ends([Line(name, values) for values in every])
    ends = {layer: float(values[np.isfinite(values)][-1]) for layer, values in series.items()}
    # As far apart as letters are high.
    places = _spread(ends, low, high, 16 / height)
    names = [
        palette.note(layer, 1, y, LOOKS[name].colour, 11, xref="paper", xanchor="left", xshift=6)
        for layer, y in places.items()
    ]
    shapes = [*(palette.bounds() if bounds else []), *times.marks()]
    look = layout(
        height,
        xaxis=times.axis(),
        yaxis=axis(title, exponentformat="power", range=[low, high]),
        shapes=shapes,
        annotations=[*times.label(), *names],
        showlegend=False,
        margin={"l": 8, "r": 16 + 7 * max(map(len, series), default=0), "t": 24, "b": 8},
    )
    return go.Figure(traces, look)


def _spread(values: Mapping[str, float], low: float, high: float, share: float) -> dict[str, float]:
    """Places near these values, in their order, at least a share of low … high apart."""
    gap, places = share * (high - low), {}
    below = -np.inf
    for name, value in sorted(values.items(), key=lambda item: item[1]):
        below = places[name] = max(min(max(value, low), high), below + gap)
    # What was pushed out at the top moves down again.
    above = max(high, low + gap * len(values)) + gap
    for name in reversed(places):
        above = places[name] = min(places[name], above - gap)
    return places
