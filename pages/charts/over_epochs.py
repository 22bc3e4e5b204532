"""Arrays in, go.Figure out: what changes along training, and diagonals by index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.charts import curves, marks
from pages.charts.power_law import spread
from pages.state import palette
from pages.state.palette import LOOKS, Look, axis, faded, layout, line_up, log_axis

# Points drawn of each diagonal: few enough that one does not hide the other.
POINTS = 120
# Pixels between the labels of an upright axis and its title: fractions need more than whole numbers.
CLEAR = 18


@dataclass(frozen=True)
class Times:
    """The epochs (e) that are drawn; selected: the one looked at; learned: the first one at which every
    training sample is right, None if there was none."""

    epochs: Sequence[int]
    selected: int
    learned: int | None = None

    def axis(self, more: Sequence[int] = ()) -> dict[str, Any]:
        """log(1 + epoch), so that epoch 0 has its place; wide enough for every epoch that is named."""
        ends = place([*self.epochs, *more, *([] if self.learned is None else [self.learned])])
        pad = 0.04 * max(float(ends.max() - ends.min()), 0.1)
        ticks = curves.apart([*self.epochs, *more])
        return axis(
            "epoch (log scale)",
            tickangle=0,
            range=[float(ends.min()) - pad, float(ends.max()) + pad],
            tickvals=place(ticks).tolist(),
            ticktext=[str(e) for e in ticks],
        )

    def marks(self) -> list[dict[str, Any]]:
        """The epoch looked at, thin; the epoch of 100 %, in the colour of training samples."""
        lines = [line_up(float(place([self.selected])[0]), color=palette.QUIET, width=1)]
        if self.learned is not None:
            lines.append(line_up(float(place([self.learned])[0]), color=palette.TRAIN, width=2, dash="dashdot"))
        return lines

    def label(self) -> list[dict[str, Any]]:
        """What the line of the epoch of 100 % is, written beside it."""
        if self.learned is None:
            return []
        ends = place([*self.epochs, self.learned])
        at = float(place([self.learned])[0])
        beside = {"xanchor": "right", "xshift": -5} if at > ends.mean() else {"xanchor": "left", "xshift": 5}
        text = f"100 % right, epoch {self.learned}"
        return [palette.note(text, at, 1, palette.TRAIN, 12, yref="y domain", yanchor="top", **beside)]


def place(epochs: Sequence[int] | ndarray) -> ndarray:
    """Where an epoch stands on the axis."""
    return np.log10(1 + np.asarray(epochs, dtype=float))


def gammas(
    times: Times,
    series: Mapping[str, ndarray],
    intervals: Mapping[str, tuple[ndarray, ndarray]],
    notes: Mapping[str, Sequence[str]],
    height: int = 360,
) -> go.Figure:
    """γ of each matrix over epochs with lines at 1 and 2; error bars from low to high where they are finite; notes:
    what is said of each point under the pointer."""
    figure = curves.over_epochs(times.epochs, series, height=height)
    for trace in figure.data:
        if trace.meta not in series:
            continue
        trace.text = notes[trace.meta]
        trace.hovertemplate = trace.hovertemplate.replace("<extra>", "%{text}<extra>")
        low, high = intervals[trace.meta]
        if np.isfinite(low).any():
            trace.error_y = curves.error_bars(series[trace.meta], low, high)
    shapes = [*figure.layout.shapes, *times.marks()]
    figure.update_layout(xaxis=times.axis(), shapes=shapes, annotations=times.label())
    return figure.update_yaxes(title_standoff=CLEAR)


def lines(
    times: Times,
    series: Mapping[str, ndarray],
    title: str,
    chance: Mapping[str, ndarray] | None = None,
    *,
    log: bool = False,
    height: int = 340,
    looks: Mapping[str, Look] = LOOKS,
) -> go.Figure:
    """A measure of each matrix over epochs, and dotted in the same colour what chance would give.

    With chance the axis reaches at least from 0 to 1; log: a logarithmic axis.
    """
    x, epochs = place(times.epochs), list(times.epochs)

    def line(key: str, label: str, values: ndarray, *style: Any, **more: Any) -> marks.Trace:
        hover = f"<b>{label}</b>, epoch %{{customdata}}<br>%{{y:.4g}}"
        return marks.line(x, values, label, *style, key=key, hover=hover, customdata=epochs, **more)

    traces = []
    for name, values in series.items():
        look = looks[name]
        shown = np.where(values > 0, values, np.nan) if log else values
        traces.append(line(name, look.html, shown, look.colour, marker={"symbol": look.marker, "size": 7}))
    for name, values in (chance or {}).items():
        look, key = looks[name], f"{name} at random"
        style = faded(look.colour, 0.9), 1.8, "dot"
        traces.append(line(key, f"{look.html} at random", values, *style, showlegend=False))
    up = _upright(title, [t["y"] for t in traces], log, chance is not None)
    if chance:
        traces.append(marks.line([None], [None], "turned at random", palette.QUIET, 1.8, "dot", key="by chance"))
    figure = go.Figure(traces, layout(height, xaxis=times.axis(), yaxis=up, shapes=times.marks()))
    return figure.update_yaxes(title_standoff=CLEAR)


def _upright(title: str, values: Sequence[Any], log: bool, whole: bool) -> dict[str, Any]:
    seen = np.concatenate([np.zeros(0), *(np.array(v, dtype=float) for v in values)])
    seen = seen[np.isfinite(seen)]
    if log:
        ends = np.log10(seen) if seen.size else np.zeros(1)
        return log_axis(title, 1.5 * float(ends.max() - ends.min()))
    if not whole:
        return axis(title)
    bottom, top = seen.min(initial=0.0), seen.max(initial=1.0)
    return axis(title, range=[bottom - 0.04, top + 0.04 * (top - bottom)])


def training(times: Times, columns: Mapping[str, ndarray], height: int = 320) -> go.Figure:
    """Loss and accuracy as in curves.training, over the epoch axis of the other panels."""
    figure = curves.training(columns, int(times.epochs[-1]), height)
    for trace in figure.data:
        trace.customdata = trace.x
        trace.x = place(trace.x)
        trace.hovertemplate = trace.hovertemplate.replace("%{x}", "%{customdata}")
    across = times.axis([int(e) for e in (*columns["epoch"][:1], *columns["epoch"][-1:])])
    halves = [mark | {"xref": f"x{n}", "yref": f"y{n} domain"} for n in ("", "2") for mark in times.marks()]
    return figure.update_layout(
        xaxis=across | {"domain": [0, 0.42]}, xaxis2=across | {"domain": [0.58, 1]}, shapes=halves
    )


def by_index(diagonals: Mapping[str, ndarray], data: int, height: int = 380) -> go.Figure:
    """|C_ii| of each matrix against the index i of the eigen-direction; open symbols are negative.

    data: leading directions above the noise floor; the rest is shaded. POINTS of each are drawn, evenly in log i.
    The first matrix is what the others are held against: larger and fainter, beneath them.
    """
    traces, seen = [], [np.zeros(0)]
    size = max((values.size for values in diagonals.values()), default=1)
    for number, (name, values) in enumerate(diagonals.items()):
        look = LOOKS[name]
        index = np.arange(1, values.size + 1)
        keep = spread(np.where(values != 0, index, 0).astype(float), POINTS)
        negative = values[keep] < 0
        seen.append(np.abs(values[keep[keep < data]]))
        symbols = [f"{look.marker}-open" if n else look.marker for n in negative]
        hover = f"<b>{look.html}</b>, direction %{{x}}<br>C<sub>ii</sub> = %{{customdata:.3e}}"
        style = (look.colour, symbols, *((6, 0.75) if number else (11, 0.45)))
        x, y = index[keep], np.abs(values[keep])
        traces.append(marks.points(x, y, look.html, *style, key=name, hover=hover, customdata=values[keep]))
    sizes = np.log10(np.concatenate(seen))
    # Rounding would take most of the height.
    bottom, top = (float(sizes.min()), float(sizes.max())) if sizes.size else (0.0, 1.0)
    across = log_axis("index i of the eigen-direction of H, sharpest first", 4, range=[-0.1, np.log10(size) + 0.1])
    up = log_axis("variance |C<sub>ii</sub>|", top - bottom, range=[bottom - 0.5, top + 0.4])
    shapes = [palette.shade(data + 0.5, 10 * size)] if data < size else []
    return go.Figure(traces, layout(height, xaxis=across, yaxis=up, shapes=shapes))


def share(figures: Sequence[go.Figure]) -> None:
    """Give each axis of several figures of one kind the same range, so that equal heights are equal numbers."""
    for letter in ("x", "y"):
        for number in ("", "2"):
            name = f"{letter}axis{number}"
            alike = [figure for figure in figures if name in figure.layout]
            known = [ends for figure in alike if (ends := _ends(figure, name, letter + number)) is not None]
            if len(known) > 1:
                both = [min(low for low, _ in known), max(high for _, high in known)]
                for figure in alike:
                    figure.layout[name].range = both


def _ends(figure: go.Figure, name: str, anchor: str) -> tuple[float, float] | None:
    """The range of an axis: as it is set, else around the data drawn on it; None where there are none."""
    across = figure.layout[name]
    if across.range is not None:
        return across.range
    letter = anchor[0]
    drawn = [t[letter] for t in figure.data if (t[f"{letter}axis"] or letter) == anchor and t[letter] is not None]
    values = np.concatenate([np.asarray(v, float) for v in drawn]) if drawn else np.zeros(0)
    values = np.log10(values[values > 0]) if across.type == "log" else values[np.isfinite(values)]
    if not values.size:
        return None
    pad = 0.06 * float(np.ptp(values)) or 0.1
    return float(values.min()) - pad, float(values.max()) + pad
