"""One sample's Hessian drawn: arrays in, go.Figure out. Single samples are teal, the chosen one magenta."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.losses import Loss
from engine.samples.close_up import CloseUp
from engine.samples.hessian import ROUNDING, One
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import spread
from pages.state import palette
from pages.state.edit import factor_label
from pages.state.palette import axis, faded, layout

SAMPLES = palette.LOOKS["E_h2"].colour
CHOSEN = palette.MARK
WRONG = palette.POSITIVE
# Points of right and of wrong answers that are drawn, and of the curve.
DRAWN, CURVE = 400, 200
# Confidence is told from 1 by so much at most: double precision has no more.
CLOSEST = 1e-15
# Decades below the largest that are drawn; what lies deeper is near rounding.
DECADES = 14
# Cells are squares unless the weights are so many times longer than wide.
OBLONG = 2.5
# Rows of the picture of h_p.
SIDE = 144
# Names that fit below a logit axis.
TICKS = 6
_CHANCES = (1e-12, 1e-9, 1e-6, 1e-3, 0.01, 0.1, 0.5)


def logit(p: ndarray) -> ndarray:
    """log10 p/(1 − p): both ends of confidence as far as doubles reach."""
    p = np.clip(p, CLOSEST, 1 - CLOSEST)
    return np.log10(p / (1 - p))


def scale(loss: Loss, confidence: ndarray, size: ndarray) -> float:
    """The median of |κ_1| over the curve of two classes, where that is not nearly zero; NaN where it is everywhere."""
    shape = np.abs(loss.two_classes(confidence))
    positive = (shape > 1e-6) & (size > 0)
    return float(np.median(size[positive] / shape[positive])) if positive.any() else float("nan")


def stiffness(
    loss: Loss,
    confidence: ndarray,
    kappa: ndarray,
    correct: ndarray,
    name: Callable[[int], str],
    chosen: int,
    plain: bool = False,
    height: int = 400,
) -> go.Figure:
    """|κ_1| of the samples against the network's confidence in the right class, wrong answers in red, beside the curve
    of two classes; a click tells the sample. name: what one is called under the pointer; plain: axes that are not
    logarithmic. At most DRAWN of each kind are drawn, evenly spread."""
    size = np.abs(kappa)
    across = (lambda p: np.asarray(p, float)) if plain else logit
    traces: list[Trace] = []
    for mask, label, colour, symbol in (
        (correct, "right", SAMPLES, "circle"),
        (~correct, "wrong", WRONG, "x"),
    ):
        inside = np.flatnonzero(mask)
        keep = inside[spread(size[inside], DRAWN)]
        text = [f"{name(p)}<br>confidence {chance(confidence[p])}" for p in keep]
        hover = "sample %{customdata}: %{text}<br>κ<sub>1</sub> = %{y:.3e}"
        more: Trace = {"key": label, "customdata": keep, "text": text, "hover": hover}
        own, style = across(confidence[keep]), (colour, symbol, 6, 0.6)
        traces.append(marks.points(own, size[keep], f"{label} ({inside.size:,})", *style, **more))
    factor = scale(loss, confidence, size)
    ends = logit(np.array([confidence.min(), confidence.max()]))
    grid = 1 / (1 + 10.0 ** -np.linspace(ends[0], ends[1], CURVE)) if not plain else np.linspace(0, 1, CURVE)
    shape = np.abs(loss.two_classes(grid)) * factor
    if np.isfinite(factor):
        curve = shape if plain else np.where(shape > 0, shape, np.nan)
        traces.append(marks.line(across(grid), curve, "two classes", palette.QUIET, 2, "dash"))
    ring = {"symbol": "circle-open", "size": 17, "color": CHOSEN, "line": {"width": 3}}
    more = {"marker": ring, "showlegend": False, "customdata": [chosen]}
    traces.append(marks.points(across(confidence[[chosen]]), size[[chosen]], "chosen", CHOSEN, **more))
    title = "confidence: probability of the right class"
    if plain:
        x, y = axis(title, range=[-0.03, 1.03], tickformat=".0%"), axis("sharpest curvature |κ<sub>1</sub>|")
    else:
        ticks = _chances(ends)
        x = axis(title, tickvals=logit(ticks), ticktext=[chance(p) for p in ticks])
        top = float(np.log10(size.max(initial=1e-300)))
        low = max(float(np.log10(size[size > 0].min(initial=1.0))), top - DECADES)
        y = palette.log_axis("sharpest curvature |κ<sub>1</sub>|", top - low, range=[low - 0.4, top + 0.4])
    return go.Figure(traces, layout(height, xaxis=x, yaxis=y, uirevision=f"{plain}"))


def chance(p: float, html: bool = True) -> str:
    """A probability, near 1 by what is missing."""

    def power(value: float) -> str:
        return factor_label(10.0 ** round(np.log10(max(value, CLOSEST))), html)

    if p > 0.9995:
        return f"1 − {power(1 - p)}"
    if p < 0.0005:
        return power(p)
    return f"{100 * p:.3g}%" if p < 0.1 or p > 0.95 else f"{p:.0%}"


def _chances(ends: ndarray) -> ndarray:
    """Probabilities at which a logit axis is ticked, apart as their names need."""
    every = np.array([*_CHANCES, *(1 - np.array(_CHANCES[-2::-1]))])
    places, ticks = logit(every), list[int]()
    for i in np.flatnonzero((places >= ends[0] - 0.3) & (places <= ends[1] + 0.3)):
        if not ticks or places[i] - places[ticks[-1]] >= np.ptp(ends) / TICKS:
            ticks.append(int(i))
    return every[ticks] if ticks else np.array([0.5])


def probabilities(one: One | CloseUp, names: Sequence[str], target: int, height: int = 230) -> go.Figure:
    """What the network answers, class by class; the right one is filled."""
    colours = [SAMPLES if c == target else faded(palette.QUIET, 0.55) for c in range(one.probabilities.size)]
    bars = marks.bars(list(names), one.probabilities, "", colours, key="probabilities", hover="%{x}: %{y:.3%}")
    x = axis("class", type="category", showgrid=False)
    y = axis("probability", range=[0, 1.04], tickformat=".0%")
    return go.Figure([bars], layout(height, xaxis=x, yaxis=y, margin={"l": 8, "r": 8, "t": 28, "b": 8}))


FRAME = {
    "type": "category",
    "showgrid": False,
    "mirror": True,
    "showline": True,
    "linecolor": palette.GRID,
    "constrain": "domain",
    "tickangle": 0,
}


def square(z: ndarray, rows: Sequence[str], hover: str, title: str, block: int = 0, height: int = 330) -> go.Figure:
    """A symmetric matrix, zero transparent, on a scale of its own largest entry. block: rows between two lines, each
    such block ticked once."""
    size = len(rows)
    step = block or max(1, -(-size // 8))
    shown = rows[block // 2 :: step]
    ticks = {"tickvals": shown, "ticktext": [name.split(",")[0] for name in shown]}
    x = axis("", range=[-0.5, size - 0.5], **ticks, **FRAME)
    y = axis("", range=[size - 0.5, -0.5], scaleanchor="x", **ticks, **FRAME)
    line = {"type": "line", "line": {"color": palette.GRID, "width": 1}}
    whole = (-0.5, size - 0.5)
    lines = [
        line | dict(zip(("x0", "x1", "y0", "y1"), ends, strict=True))
        for at in (np.arange(block, size, block) - 0.5 if block else ())
        for ends in ((at, at, *whole), (*whole, at, at))
    ]
    return _image(z, rows, rows, hover, title, height, xaxis=x, yaxis=y, shapes=lines)


def weights(u: ndarray, title: str, height: int = 330) -> go.Figure:
    """A direction of weight space as the d_out × d_in weights that it changes, counted from 1."""
    rows, columns = ([str(n) for n in range(1, size + 1)] for size in u.shape)
    x = axis("input i", range=[-0.5, len(columns) - 0.5], nticks=8, **FRAME)
    y = axis("output o", range=[len(rows) - 0.5, -0.5], nticks=8, **FRAME)
    if max(u.shape) < OBLONG * min(u.shape):
        y["scaleanchor"] = "x"
    return _image(u, rows, columns, "output %{y}, input %{x}", title, height, xaxis=x, yaxis=y)


def _image(
    z: ndarray, rows: Sequence[str], columns: Sequence[str], hover: str, title: str, height: int, **more: Any
) -> go.Figure:
    limit = float(np.abs(z).max(initial=0.0)) or 1.0
    cells = marks.cells(z.astype(np.float32), limit, f"{hover}<br><b>%{{z:.3e}}</b>", x=columns, y=rows)
    above = {"xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "bottom"}
    name = palette.note(title, 0.5, 1.0, size=14, **above)
    look = {"margin": {"l": 8, "r": 8, "t": 30, "b": 8}, "annotations": [name]}
    return go.Figure([cells], layout(height, **look, **more))


def spectrum(kappa: ndarray, middle: ndarray, mode: int, height: int = 300) -> go.Figure:
    """|κ_m| of the sample beside the median over all samples; a click tells m. mode: the one chosen, from 1."""
    size, m = np.abs(kappa), np.arange(1, kappa.size + 1)
    top = max(float(size.max(initial=0.0)), float(middle.max(initial=0.0))) or 1.0
    floor = top * ROUNDING
    colours = [palette.NEGATIVE if value < 0 else SAMPLES for value in kappa]
    own, usual = (np.where(values > floor, values, np.nan) for values in (size, middle))
    look = {
        "color": [faded(c, 1.0 if i == mode else 0.45) for i, c in zip(m, colours, strict=True)],
        "line": {"color": CHOSEN, "width": [2.5 if i == mode else 0 for i in m]},
    }
    more: Trace = {"text": [palette.number(v) for v in kappa], "textposition": "none", "marker": look}
    bars = _own(m, own, "kappa", "κ<sub>%{customdata}</sub> = %{text}", **more)
    hover = "median |κ<sub>%{x}</sub>| = %{y:.3e}"
    line = _usual(m, usual, "median", "median of all samples", hover, 6)
    low = np.log10(min(size[size > floor].min(initial=top), middle[middle > floor].min(initial=top)))
    y = palette.log_axis("|κ<sub>m</sub>|", np.log10(top) - low, range=[float(low) - 0.7, float(np.log10(top)) + 0.4])
    x = axis("m", dtick=1 if m.size <= 12 else 5, showgrid=False, range=[0.4, m.size + 0.6])
    return go.Figure([bars, line], layout(height, xaxis=x, yaxis=y, hovermode="x"))


def filters(share: ndarray, chosen: int, name: str, height: int = 330) -> go.Figure:
    """The share of each output's weights in tr h_p; a click tells the output. chosen: from 1."""
    o = np.arange(1, share.size + 1)
    look = {"color": [CHOSEN if n == chosen else SAMPLES for n in o]}
    bars = _own(o, share, "filters", f"{name} %{{x}}: %{{y:.1%}}", marker=look)
    x = axis(name, showgrid=False, range=[0.3, o.size + 0.7], dtick=1 if o.size <= 16 else None)
    y = axis("share of tr h<sub>p</sub>", tickformat=".0%", rangemode="tozero")
    margin = {"l": 8, "r": 8, "t": 30, "b": 8}
    return go.Figure([bars], layout(height, xaxis=x, yaxis=y, margin=margin))


def alignments(
    own: ndarray, usual: ndarray | None, chance_: float, mode: int, direction: int | None, height: int = 300
) -> go.Figure:
    """(u_m·v_i)² by i; a click tells the direction. usual: the mean over all samples; chance_: 1/D."""
    i = np.arange(1, own.size + 1)
    look = {"color": [CHOSEN if n == direction else SAMPLES for n in i]}
    traces = [_own(i, own, "alignment", f"(u<sub>{mode}</sub>·v<sub>%{{x}}</sub>)² = %{{y:.3f}}", marker=look)]
    if usual is not None:
        traces.append(_usual(i, usual, "mean", "mean of all samples", "mean over all samples: %{y:.4f}", 5))
    x = axis("global eigen-direction i of H", showgrid=False, range=[0.3, own.size + 0.7])
    y = axis(f"(u<sub>{mode}</sub>·v<sub>i</sub>)²", rangemode="tozero")
    shapes = [palette.line_across(chance_, color=palette.QUIET, width=1, dash="dash")]
    return go.Figure(traces, layout(height, xaxis=x, yaxis=y, shapes=shapes, hovermode="x"))


def _own(x: ndarray, y: ndarray, key: str, hover: str, **more: Any) -> Trace:
    """Numbers of the sample, by place; a click tells the place."""
    return marks.bars(x, y, "this sample", SAMPLES, key=key, hover=hover, customdata=x, showlegend=False, **more)


def _usual(x: ndarray, y: ndarray, key: str, name: str, hover: str, size: int) -> Trace:
    """The same over all samples."""
    more: Trace = {"key": key, "hover": hover, "customdata": x, "marker": {"size": size}}
    return marks.line(x, y, name, palette.QUIET, 1.4, "dot", **more)
