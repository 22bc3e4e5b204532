"""Arrays in, go.Figure out: lines over epochs, windows and directions, and meters against chance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.charts import marks
from pages.charts.marks import Trace
from pages.state import palette
from pages.state.palette import LOOKS, axis, faded, layout, line_up, log_axis

LOW = 230
# What is known of an epoch of training.
RECORDS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
BARS = {"l": 8, "r": 16, "t": 28, "b": 8}


def training(records: Mapping[str, ndarray], epochs: int, height: int = 300, marked: int | None = None) -> go.Figure:
    """Loss (log scale) and accuracy over epochs 0 … epochs, on training and test samples.

    records: RECORDS by name, those of test samples where there are any.
    """
    traces = []
    for part, name, colour, dash in (
        ("train", "training samples", palette.TRAIN, "solid"),
        ("test", "unseen samples", palette.TEST, "dash"),
    ):
        for quantity, place in (("loss", ""), ("accuracy", "2")):
            values = records.get(f"{part}_{quantity}")
            # Without test samples there is no line; before the first epoch there is one without points.
            if values is None or (values.size and not np.isfinite(values).any()):
                continue
            more: Trace = {"key": f"{part}_{quantity}", "hover": f"epoch %{{x}}<br>{quantity} = %{{y:.4g}}"}
            more |= {"xaxis": f"x{place}", "yaxis": f"y{place}", "legendgroup": part, "showlegend": not place}
            traces.append(marks.line(records["epoch"], values, name, colour, dash=dash, **more))
    losses = np.concatenate([np.asarray(v, float) for name, v in records.items() if name.endswith("loss")])
    losses = np.log10(losses[losses > 0])
    # At least these three decades, so that the axis rests while the curve grows.
    span = [min(-2.6, losses.min(initial=0.0)) - 0.1, max(0.5, losses.max(initial=0.0)) + 0.1]
    shapes = []
    if marked is not None:
        mark = line_up(marked, color=palette.QUIET, width=1)
        shapes = [mark | {"xref": "x"}, mark | {"xref": "x2", "yref": "y2 domain"}]
    across = axis("epoch", range=[0, max(epochs, 1)])
    return go.Figure(
        traces,
        layout(
            height,
            xaxis=across | {"domain": [0, 0.42]},
            xaxis2=across | {"domain": [0.6, 1], "anchor": "y2"},
            yaxis=log_axis("loss", 4, range=span),
            yaxis2=axis("accuracy", tickformat=".0%", range=[0, 1.03], anchor="x2"),
            shapes=shapes,
        ),
    )


def over_epochs(
    epochs: Sequence[int], series: Mapping[str, ndarray], marked: int | None = None, height: int = 300
) -> go.Figure:
    """γ of each matrix at each analysed epoch, with lines at 1 and 2."""
    place = np.log10(1 + np.asarray(epochs, dtype=float))
    traces = []
    for name, values in series.items():
        look, hover = LOOKS[name], f"<b>{LOOKS[name].html}</b>, epoch %{{customdata}}<br>γ = %{{y:.3f}}"
        more: Trace = {"key": name, "customdata": list(epochs), "marker": {"symbol": look.marker, "size": 8}}
        traces.append(marks.line(place, values, look.html, look.colour, hover=hover, **more))
    shapes = palette.bounds()
    if marked is not None:
        shapes.append(line_up(float(np.log10(1 + marked)), color=palette.QUIET, width=1))
    ticks = apart(epochs)
    across = axis(
        "epoch (log scale)",
        tickangle=0,
        tickvals=[float(np.log10(1 + e)) for e in ticks],
        ticktext=[str(e) for e in ticks],
    )
    return go.Figure(traces, layout(height, xaxis=across, yaxis=gamma_axis(series.values()), shapes=shapes))


def apart(epochs: Sequence[int], gap: float = 0.2) -> list[int]:
    """Epochs whose labels do not touch on a log axis; the last one is always among them."""
    labelled: list[int] = []
    for epoch in sorted(epochs, reverse=True):
        if not labelled or np.log10((1 + labelled[-1]) / (1 + epoch)) >= gap:
            labelled.append(epoch)
    return labelled[::-1]


def error_bars(values: ndarray, low: ndarray, high: ndarray, width: int = 3) -> dict[str, Any]:
    """Error bars from low to high around values; none where an end is NaN. width: of their caps."""
    return {"type": "data", "symmetric": False, "array": high - values, "arrayminus": values - low, "width": width}


def gamma_axis(values: Iterable[ndarray]) -> dict[str, Any]:
    """Slopes 1 and 2 are in view, and the data as far as a slope means anything."""
    seen = np.concatenate([np.array([0.9, 2.1]), *(np.asarray(v, dtype=float) for v in values)])
    seen = seen[np.isfinite(seen)]
    return axis("exponent γ", range=[max(float(seen.min()), -1) - 0.05, min(float(seen.max()), 4) + 0.05])


def meter(
    rows: Mapping[str, float], chance: float, chance_label: str, title: str, colour: str, top: float, height: int = LOW
) -> go.Figure:
    """Bars of one measure beside the value that chance alone would give."""
    place = {"yref": "paper", "yanchor": "bottom", "xanchor": "right" if chance > top / 2 else "left"}
    return palette.figure(
        [_bars(list(rows), list(rows.values()), faded(colour, 0.85), width=0.56)],
        layout(
            height,
            showlegend=False,
            margin=BARS,
            xaxis=axis(title, range=[0, top]),
            yaxis=_names(),
            shapes=[line_up(chance, color=palette.QUIET, width=2, dash="dot")],
            annotations=[palette.note(chance_label, chance, 1, palette.QUIET, 12, **place)],
        ),
    )


def alignments(values: Mapping[str, tuple[float, float]], height: int = 300) -> go.Figure:
    """Alignment of each matrix as a bar in its colour, and its own value at random as a tick."""
    labels = [LOOKS[name].html for name in values]
    measured, chance = (list(v) for v in zip(*values.values(), strict=True))
    tick = {"symbol": "line-ns", "size": 16, "line": {"width": 2.5, "color": palette.QUIET}}
    hover = "%{y} at random: %{x:.4f}"
    ticks = marks.points(chance, labels, "turned at random", "", key="by chance", hover=hover, marker=tick)
    across = axis("alignment with the eigenbasis of H", range=[0, 1.12], tickvals=[0, 0.25, 0.5, 0.75, 1])
    return go.Figure(
        [_bars(labels, measured, [faded(LOOKS[name].colour, 0.85) for name in values], showlegend=False), ticks],
        layout(height, barmode="overlay", margin=BARS, xaxis=across, yaxis=_names()),
    )


def _bars(labels: list[str], values: list[float], colour: str | list[str], width: float = 0.6, **more: Any) -> Trace:
    text = {"text": [f"{v:.2f}" for v in values], "textposition": "outside", "cliponaxis": False}
    more |= {"orientation": "h", "width": width, "marker": {"color": colour, "line": {"width": 0}}}
    return marks.bars(values, labels, "measured", colour, hover="%{y}: %{x:.4f}", **more, **text)


def _names() -> dict[str, Any]:
    """An axis of words, the first on top."""
    return {"automargin": True, "autorange": "reversed", "showgrid": False, "ticksuffix": "  "}


def off_diagonal(real: ndarray, random: ndarray | None, colour: str, height: int = LOW) -> go.Figure:
    """How often a correlation |R_ij| between different directions has which size: measured as bars, and over the
    random draws their median and the band of 5 … 95 %.

    real: pairs by size, in equal bins from 0 to 1 (b); random: the same for each draw (s, b).
    """
    every = real + (0 if random is None else random.sum(axis=0))
    # As far as all but a thousandth of the pairs reach, in some forty bars.
    reach = int(np.searchsorted(np.cumsum(every), 0.999 * every.sum())) + 1
    group = -(-reach // 40)
    bars = -(-reach // group)

    def share(counts: ndarray) -> ndarray:
        padded = np.zeros((*counts.shape[:-1], bars * group))
        padded[..., : min(real.size, bars * group)] = counts[..., : bars * group]
        joined = padded.reshape(*counts.shape[:-1], bars, group).sum(axis=-1)
        return joined / np.maximum(counts.sum(axis=-1, keepdims=True), 1)

    width = group / real.size
    x = (np.arange(bars) + 0.5) * width
    near = "%{y:.1%} of pairs near |R| = %{x:.3f}"
    look = {"color": colour, "opacity": 0.75, "line": {"width": 0}}
    traces = [marks.bars(x, share(real), "measured", colour, hover=f"measured: {near}", width=width, marker=look)]
    if random is not None:
        low, middle, high = np.quantile(share(random), [0.05, 0.5, 0.95], axis=0)
        traces += [
            marks.band(x, low, high, faded(palette.QUIET, 0.35), "band", f"5 … 95 % of {len(random)} draws"),
            marks.line(x, middle, "by chance", palette.QUIET, 2, "dot", hover=f"by chance: {near}"),
        ]
    across = axis("size of the correlation |R<sub>ij</sub>|, i ≠ j", range=[0, bars * width])
    up = axis("share of pairs", tickformat=".0%", rangemode="tozero")
    return palette.figure(traces, layout(height, bargap=0, xaxis=across, yaxis=up))
