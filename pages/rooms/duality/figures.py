"""Pictures of a pair and of all pairs: arrays in, go.Figure out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from engine.samples.all_pairs import Differences
from engine.samples.pair import Pair, Walk
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import spread
from pages.state import palette
from pages.state.palette import LOOKS, axis, figure, layout, line_across, line_up, log_axis

if TYPE_CHECKING:
    import plotly.graph_objects as go

# What is changed: the activity, the weight, both together to first order; and what the gradient really does.
ACTIVITY, WEIGHT = LOOKS["C_gg"].colour, LOOKS["C_hh"].colour
FIRST, ACTUAL = LOOKS["C_awd"].colour, LOOKS["C"].colour
STEP = "t, part of the way from p to p′"
# The last of several lines is solid.
DASHES = ("solid", "dot", "dash", "dashdot", "longdash")
CELLS = 100  # on a side of a matrix that is drawn; beyond, means over blocks


def losses(walk: Walk, t: float, own_label: ndarray | None, height: int = 320) -> "go.Figure":
    """Both losses on the way, and where one stands. own_label: ℓ(a + tΔa; W) with the partner's label, where it is
    another."""
    traces = [
        _line("by_activity", walk.t, walk.by_activity, "ℓ(a + tΔa; W), activity changed", ACTIVITY, width=5),
        _line("by_weight", walk.t, walk.by_weight, "ℓ(a; W + tΔW*), weight changed", WEIGHT, width=2.5, dash="dash"),
    ]
    if own_label is not None:
        name = "ℓ(a + tΔa; W), label of p′"
        traces.append(_line("label_of_partner", walk.t, own_label, name, palette.POSITIVE, width=2, dash="dot"))
    here = [float(np.interp(t, walk.t, y)) for y in (walk.by_activity, walk.by_weight)]
    dots = {"size": [15, 8], "color": [ACTIVITY, WEIGHT]}
    traces.append(marks.points([t, t], here, "", "", marker=dots, showlegend=False))
    return _walk(traces, t, "loss ℓ", height)


def gradients(walk: Walk, t: float, height: int = 330) -> "go.Figure":
    """How much the gradient changes, its prediction with both terms, and what is between them."""
    traces = [
        _line("actual", walk.t, walk.actual, "‖Δg‖, what it does", ACTUAL, width=4),
        _line("first_order", walk.t, walk.first_order, "t‖v + u‖, first order", FIRST, width=3, dash="dash"),
        _line("curvature", walk.t, walk.curvature, "t‖v‖, curvature", WEIGHT, width=1.6),
        _line("activity", walk.t, walk.activity, "t‖u‖, activity", ACTIVITY, width=1.6),
        _line("error", walk.t, walk.error, "‖Δg − t(v + u)‖, what is missed", palette.QUIET, width=2, dash="dot"),
    ]
    return _walk(traces, t, "change of the gradient", height)


def errors(walks: Mapping[str, Walk], colour: str, height: int = 300) -> "go.Figure":
    """Relative error of first order on the way, for several pairs or epochs, the faintest first."""
    strengths = np.linspace(0.4, 1.0, len(walks)) if len(walks) > 1 else [1.0]
    traces = []
    for place, ((name, walk), strength) in enumerate(zip(walks.items(), strengths, strict=True), 1):
        y = np.where(walk.relative > 0, walk.relative, np.nan)
        style = palette.faded(colour, float(strength)), 2.5, DASHES[(place - len(walks)) % len(DASHES)]
        traces.append(_line("relative", walk.t[1:], y[1:], name, *style))
    seen = np.concatenate([walk.relative[1:] for walk in walks.values()])
    seen = seen[np.isfinite(seen) & (seen > 0)]
    low, high = (max(float(seen.min()), 1e-3), max(float(seen.max()), 1.0)) if seen.size else (1e-2, 1.0)
    ends = [np.log10(low) - 0.1, np.log10(high) + 0.15]
    up = log_axis("‖Δg − t(v + u)‖ / ‖Δg‖", ends[1] - ends[0], range=ends)
    shapes = [line_across(1.0, color=palette.QUIET, width=1.4, dash="dot")]
    return figure(traces, layout(height, xaxis=axis(STEP, range=[0, 1]), yaxis=up, shapes=shapes))


def _line(meta: str, x: ndarray, y: ndarray, name: str, colour: str, width: float, dash: str = "solid") -> Trace:
    return marks.line(x, y, name, colour, width, dash, key=meta, hovertemplate="t = %{x:.2f}: %{y:.4g}")


def _walk(traces: list[Trace], t: float, title: str, height: int) -> "go.Figure":
    across = axis(STEP, range=[-0.02, 1.02])
    up = axis(title, rangemode="tozero", exponentformat="power")
    shapes = [line_up(t, color=palette.MARK, width=1.5)]
    return figure(traces, layout(height, xaxis=across, yaxis=up, shapes=shapes, hovermode="x unified"))


# -- what changes -----------------------------------------------------------------------------------------


def activities(pair: Pair, t: float, height: int = 300) -> "go.Figure":
    """a and a + tΔa of every unit, and below it tΔa."""
    edges = _edges(pair.start.size)
    units, wide = edges + 1, float(-(-pair.start.size // edges.size))
    start, moved = (_means(x[None], np.zeros(1, int), edges)[0] for x in (pair.start, t * pair.change))
    hover = "unit %{x}: %{y:.4g}"
    bars = [
        {"y": start, "name": "a", "marker": {"color": palette.faded(palette.QUIET, 0.45)}, "width": 0.9 * wide},
        {"y": start + moved, "name": "a + tΔa", "marker": {"color": ACTIVITY}, "width": 0.45 * wide},
        {"y": moved, "name": "tΔa", "marker": {"color": palette.MARK}, "width": 0.6 * wide, "yaxis": "y2"},
    ]
    traces = [{"type": "bar", "x": units, "meta": "input", "hovertemplate": hover} | bar for bar in bars]
    return figure(
        traces,
        layout(
            height,
            barmode="overlay",
            xaxis=axis("unit before the layer", anchor="y2", range=[0.4, pair.start.size + 0.6], showgrid=False),
            yaxis=axis("activity", domain=[0.46, 1]),
            yaxis2=axis("change", domain=[0, 0.36]),
        ),
    )


def images(pair: Pair, t: float, shape: tuple[int, int], height: int = 230) -> "go.Figure":
    """The same where the layer sees the picture itself: a, a + tΔa and tΔa as pictures."""
    moved = t * pair.change
    limit = float(max(np.abs(pair.start).max(), np.abs(pair.start + pair.change).max()))
    traces, axes, names = [], {}, []
    for i, (name, x) in enumerate((("a", pair.start), ("a + tΔa", pair.start + moved), ("tΔa", moved)), 1):
        cells = x.reshape(shape).astype(np.float32)
        traces.append(marks.cells(cells, limit, "%{z:.3g}", xaxis=f"x{i}", yaxis=f"y{i}"))
        middle = (i - 0.5) / 3
        names.append(_title(middle, 1.0, name))
        axes[f"xaxis{i}"] = {"domain": [middle - 0.155, middle + 0.155], "visible": False, "anchor": f"y{i}"}
        axes[f"yaxis{i}"] = {"visible": False, "autorange": "reversed", "scaleanchor": f"x{i}", "anchor": f"x{i}"}
    return figure(traces, layout(height, annotations=names, **axes))


def weights(pair: Pair, t: float, height: int = 330) -> "go.Figure":
    """tΔW* between its factors tWΔa and a/‖a‖², W, and W + tΔW*."""
    change = t * pair.weight_change
    push, share = t * pair.push, pair.share
    after = pair.weight + change
    rows, columns = (_edges(n) for n in pair.weight.shape)
    scale = float(max(np.abs(pair.weight).max(), np.abs(after).max()))
    own = float(np.abs(pair.weight_change).max()) or 1.0
    panels = (("x3", change, own), ("x4", pair.weight, scale), ("x5", after, scale))
    hover, units = "to unit %{y}, from unit %{x}: %{z:.4g}", {"x": columns + 1, "y": rows + 1}
    traces = [
        marks.cells(_means(matrix, rows, columns), limit, hover, **units, xaxis=name, yaxis="y")
        for name, matrix, limit in panels
    ]
    to, of = (np.arange(1, factor.size + 1) for factor in (push, share))
    beside, above = {"orientation": "h", "xaxis": "x", "yaxis": "y"}, {"xaxis": "x3", "yaxis": "y2"}
    traces += [
        marks.bars(push, to, "", WEIGHT, hover="(tWΔa) of unit %{y}: %{x:.4g}", showlegend=False, **beside),
        marks.bars(of, share, "", WEIGHT, hover="(a/‖a‖²) of unit %{x}: %{y:.4g}", showlegend=False, **above),
    ]
    reach = 1.05 * float(np.abs(pair.push).max()) or 1.0
    places = {"x3": (0.12, 0.38), "x4": (0.43, 0.69), "x5": (0.74, 1.0)}
    span = [0.5, share.size + 0.5]
    look = layout(
        height,
        margin={"l": 8, "r": 12, "t": 30, "b": 8},
        yaxis=axis("to unit", domain=[0, 0.74], range=[push.size + 0.5, 0.5], showgrid=False, anchor="x"),
        yaxis2=axis("", domain=[0.78, 1], anchor="x3", side="right", showgrid=False, nticks=3),
        xaxis=axis("", domain=[0, 0.1], range=[-reach, reach], showgrid=False, zeroline=True, nticks=3),
        annotations=[
            _title(0.05, 0.76, "tWΔa"),
            _title(0.25, 1.02, "tΔW* between its two factors, a/‖a‖² above"),
            _title(0.56, 0.76, "W before"),
            _title(0.87, 0.76, "W + tΔW*"),
        ],
    )
    for name, domain in places.items():
        look[name.replace("x", "xaxis")] = axis("from unit", domain=domain, range=span, showgrid=False, anchor="y")
    return figure(traces, look)


def _title(x: float, y: float, text: str) -> dict[str, Any]:
    return palette.note(text, x, y, xref="paper", yref="paper", xanchor="center", yanchor="bottom")


def _edges(count: int) -> ndarray:
    """The first row of each block that is drawn as one."""
    return np.arange(0, count, -(-count // CELLS))


def _means(matrix: ndarray, rows: ndarray, columns: ndarray) -> ndarray:
    total = np.add.reduceat(np.add.reduceat(matrix, rows, axis=0), columns, axis=1)
    tall, wide = (np.diff(np.append(edges, n)) for edges, n in zip((rows, columns), matrix.shape, strict=True))
    return (total / np.outer(tall, wide)).astype(np.float32)


# -- all pairs --------------------------------------------------------------------------------------------


def ladder(names: Sequence[str], values: Sequence[float], colours: Sequence[str], height: int = 330) -> "go.Figure":
    """Traces of covariances as multiples of the first, from what is measured to what is predicted."""
    ratio = np.array(values) / values[0]
    text = [palette.number(float(r), 3) + " ×" for r in ratio]
    low, high = min(float(ratio.min()), 1.0), float(ratio.max())
    ends = [np.log10(low) - 0.35, np.log10(high) + 0.45]
    base = 10 ** ends[0]
    more: Trace = {"hover": "%{y}<br>trace %{customdata:.3g}", "customdata": np.array(values), "showlegend": False}
    more |= {"orientation": "h", "base": base, "text": text, "textposition": "outside", "cliponaxis": False}
    return figure(
        [marks.bars(ratio - base, list(names), "", list(colours), **more)],
        layout(
            height,
            margin={"l": 8, "r": 12, "t": 30, "b": 8},
            xaxis=log_axis("trace, as a multiple of tr C", ends[1] - ends[0], range=ends),
            yaxis=axis("", autorange="reversed", showgrid=False),
            shapes=[line_up(1.0, color=palette.QUIET, width=1.4, dash="dot")],
        ),
    )


def scatter(d: Differences, sample: int, height: int = 370) -> "go.Figure":
    """Predicted against true change of the gradient, a point a pair, and the line where both are the same."""
    drawn = spread(np.where(d.first_order > 0, d.actual, 0.0))
    x, y = d.actual[drawn], d.first_order[drawn]
    hover = (
        "sample %{customdata[0]}, partner %{customdata[1]}<br>‖Δa‖/‖a‖ = %{customdata[2]:.2f}<br>"
        "true %{x:.3g}, first order %{y:.3g}"
    )
    pairs = np.stack([d.sample, d.partner, d.distance], axis=1)
    style = FIRST, LOOKS["C_awd"].marker, 6, 0.6
    traces = [marks.points(x, y, "", *style, hover=hover, customdata=pairs[drawn], showlegend=False)]
    here = np.flatnonzero(d.sample == sample)[:1]
    if here.size and d.actual[here[0]] > 0:
        ring = {"symbol": "circle-open", "size": 15, "color": palette.MARK, "line": {"width": 2.5}}
        more: Trace = {"marker": ring, "customdata": pairs[here], "showlegend": False}
        traces.append(marks.points(d.actual[here], d.first_order[here], "", palette.MARK, **more))
    ends = np.array([x.min(initial=1.0), x.max(initial=1e-9)] if x.size else [0.1, 1.0])
    traces.append(_line("both the same", ends, ends, "both the same", palette.QUIET, width=1.5, dash="dot"))
    return figure(
        traces,
        layout(
            height,
            xaxis=log_axis("true change of the gradient, ‖Δg‖", np.log10(ends[1] / ends[0])),
            yaxis=log_axis("first order, ‖v + u‖", np.log10(max(y.max(initial=1) / y.min(initial=1), 10))),
        ),
    )


def missed(distance: ndarray, share: ndarray, drawn: ndarray, sample: int, height: int = 320) -> "go.Figure":
    """‖ΔW*A − WΔA‖/‖WΔA‖ against the distance of the partner, a point a sample; at 1 the change does nothing."""
    up = axis("missed, ‖ΔW*A − WΔA‖ / ‖WΔA‖", range=[-0.03, 1.05], tickformat=".0%")
    return _by_distance(distance, share, drawn, sample, "missed %{y:.1%}", up, height)


def sized(distance: ndarray, size: ndarray, drawn: ndarray, sample: int, height: int = 320) -> "go.Figure":
    """‖ΔW*‖/‖W‖ against the distance of the partner, a point a sample; at 1 the change is as large as the weights."""
    seen = size[drawn][size[drawn] > 0]
    ends = [np.log10(min(seen.min(initial=1.0), 0.5)) - 0.1, np.log10(max(seen.max(initial=1.0), 2.0)) + 0.1]
    up = log_axis("size of the change, ‖ΔW*‖ / ‖W‖", ends[1] - ends[0], range=ends)
    return _by_distance(distance, size, drawn, sample, "‖ΔW*‖ / ‖W‖ = %{y:.3g}", up, height)


def _by_distance(
    distance: ndarray, y: ndarray, drawn: ndarray, sample: int, says: str, up: dict[str, Any], height: int
) -> "go.Figure":
    some = drawn[spread(np.maximum(distance[drawn], 1e-12), 2000)]
    hover = f"sample %{{customdata}}<br>‖ΔA‖/‖A‖ = %{{x:.2f}}<br>{says}"
    more: Trace = {"showlegend": False, "hover": hover}
    traces = [marks.points(distance[some], y[some], "", WEIGHT, "square", 6, 0.5, customdata=some, **more)]
    if sample in drawn:
        ring = {"symbol": "circle-open", "size": 15, "color": palette.MARK, "line": {"width": 2.5}}
        own: Trace = {"marker": ring, "customdata": [sample]}
        traces.append(marks.points(distance[[sample]], y[[sample]], "", palette.MARK, **own | more))
    across = axis("distance of the partner, ‖ΔA‖ / ‖A‖", rangemode="tozero")
    shapes = [line_across(1.0, color=palette.QUIET, width=1.4, dash="dot")]
    margin = {"l": 8, "r": 12, "t": 30, "b": 8}
    return figure(traces, layout(height, xaxis=across, yaxis=up, shapes=shapes, margin=margin))


def shapes(x: ndarray, series: Sequence[tuple[str, str, str, str, ndarray]], height: int = 370) -> "go.Figure":
    """Diagonals along the leading directions against H_ii: (key, name, colour, marker, values)."""
    more: Trace = {"customdata": np.arange(1, x.size + 1), "hovertemplate": "direction %{customdata}: %{y:.3g}"}
    traces = [
        marks.points(x, np.where(y > 0, y, np.nan), name, colour, marker, 8, key=key, **more)
        for key, name, colour, marker, y in series
    ]
    seen = np.concatenate([y[y > 0] for *_, y in series])
    across = log_axis(palette.CURVATURE, np.log10(x.max() / x[x > 0].min()))
    up = log_axis("variance along i", np.log10(seen.max() / seen.min()) if seen.size else 1)
    return figure(traces, layout(height, xaxis=across, yaxis=up))
