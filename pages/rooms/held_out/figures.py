"""γ over the number of samples, and how many of them carry a direction: arrays in, go.Figure out."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.cross_fit import Gammas
from pages.charts import marks
from pages.charts.curves import gamma_axis
from pages.charts.marks import Trace
from pages.charts.power_law import RUNS, spread
from pages.state import palette
from pages.state.palette import LOOKS, axis, layout, line_up, log_axis

HEIGHT = 300


def growing(steps: Sequence[tuple[Gammas, Gammas | None]], name: str, height: int = HEIGHT) -> go.Figure:
    """γ over nested subsets of the samples, against log N: filled in-sample, open on as many others."""
    look, traces, drawn = LOOKS[name], [], []
    crossed = [other for _, other in steps if other is not None]
    for place, (key, label, readings) in enumerate(
        (
            ("in-sample", "the samples that gave the directions", [own for own, _ in steps]),
            ("crossed", "as many others", crossed),
        )
    ):
        if not readings:
            continue
        n, gamma = (np.array([getattr(r, part) for r in readings], float) for part in ("samples", "gamma"))
        hover = f"{label}<br>N = %{{x:,.0f}}, %{{customdata}} directions<br>γ = %{{y:.3f}}"
        marker = {"symbol": look.marker + RUNS[place][0], "size": 9}
        more: Trace = {"key": key, "hover": hover, "marker": marker, "customdata": [max(r.n) for r in readings]}
        traces.append(marks.line(n, gamma, label, look.colour, dash=RUNS[place][1], **more))
        drawn.append(gamma)
    every = [own for own, _ in steps]
    words = [f"{own.samples:,}" + ("" if own.effective is None else f"<br>{own.effective:,.0f}") for own in every]
    known = any(own.effective is not None for own in every)
    across = axis(
        "samples N" + (", and N<sub>eff</sub> of tr H among them" if known else ""),
        type="log",
        tickvals=[own.samples for own in every],
        ticktext=words,
    )
    return go.Figure(traces, layout(height, xaxis=across, yaxis=gamma_axis(drawn), shapes=palette.bounds()))


def effective(sizes: Mapping[str, ndarray], samples: int, marked: int | None = None, height: int = HEIGHT) -> go.Figure:
    """N_eff of each direction, the sharpest first, of H and some matrices."""
    traces = []
    for name, by_direction in sizes.items():
        direction = np.arange(1, by_direction.size + 1)
        keep = spread(np.where(by_direction > 0, direction, 0.0))
        look = LOOKS[name]
        hover = f"<b>{look.html}</b>, direction %{{x}}<br>N<sub>eff</sub> = %{{y:.1f}}"
        more: Trace = {"key": name, "hover": hover, "customdata": direction[keep]}
        style = (look.colour, look.marker, 6, 0.75)
        traces.append(marks.points(direction[keep], by_direction[keep], look.html, *style, **more))
    shapes = [palette.line_across(samples, color=palette.QUIET, width=1.2, dash="dot")]
    if marked is not None:
        shapes.append(line_up(marked, color=palette.MARK, width=1.5))
    note = palette.note(
        f"all {samples:,} samples", 0, float(np.log10(samples)), palette.QUIET, 11,
        xref="paper", xanchor="left", yanchor="bottom",
    )  # fmt: skip
    return go.Figure(
        traces,
        layout(
            height,
            xaxis=log_axis("direction i, the sharpest first", 4),
            yaxis=log_axis("effective samples N<sub>eff</sub>", 4),
            shapes=shapes,
            annotations=[note],
        ),
    )
