"""What is measured beside permuted gradients and a random rotation: arrays in, go.Figure out."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from engine.results.null import Against, StructuralNull
from pages.charts import marks
from pages.charts.curves import BARS
from pages.state import palette
from pages.state.palette import LOOKS, axis, faded, layout

HEIGHT = 300
# Each number in words, the one that tells most on top; see numbers().
WORDS: Mapping[str, str] = {
    "commutator": "commutator error",
    "alignment": "alignment",
    "correlation": "typical |R<sub>ij</sub>|",
    "gamma": "slope γ",
}


def numbers(null: StructuralNull) -> dict[str, Against]:
    """The four of them by their keys in WORDS."""
    return {key: getattr(null, key) for key in WORDS}


def beside(null: StructuralNull, rotated: Mapping[str, float], height: int = HEIGHT) -> go.Figure:
    """A row for each number: measured as a full point, each permutation as a faint one, a random rotation as a tick;
    its p-value at the right. rotated: what the rotation gives, by the keys of WORDS."""
    against, look = numbers(null), LOOKS["C"]
    permuted = [(key, value) for key, one in against.items() for value in one.permuted]
    rows = list(WORDS.values())
    tick = {"symbol": "line-ns", "size": 18, "line": {"width": 2.5, "color": palette.QUIET}}
    traces = [
        marks.points(
            [value for _, value in permuted], [WORDS[key] for key, _ in permuted], "gradients permuted in their class",
            faded(look.colour, 0.6), look.marker + "-open", 9, key="permuted", hover="%{y}, permuted: %{x:.3f}",
        ),
        marks.points(
            list(rotated.values()), [WORDS[key] for key in rotated], "turned at random", "", key="by chance",
            hover="%{y}, turned at random: %{x:.3f}", marker=tick,
        ),
        marks.points(
            [one.measured for one in against.values()], rows, "measured", look.colour, look.marker, 12,
            hover="%{y}, measured: %{x:.3f}",
        ),
    ]  # fmt: skip
    every = np.array([v for one in against.values() for v in (one.measured, *one.permuted)] + list(rotated.values()))
    every = every[np.isfinite(every)]
    low, high = min(float(every.min(initial=0.0)), 0.0), float(every.max(initial=1.0))
    place = {"xref": "paper", "xanchor": "right", "yanchor": "bottom", "yshift": 5}
    notes = [
        palette.note(f"p = {one.p_value:.2g}", 1, row, palette.QUIET, 12, **place)
        for row, one in enumerate(against.values())
        if np.isfinite(one.p_value)
    ]
    names = {"automargin": True, "autorange": "reversed", "ticksuffix": "  ", "gridcolor": palette.GRID}
    across = axis("", range=[low - 0.05, 1.08 * high])
    return go.Figure(
        traces,
        layout(height, margin=BARS | {"t": 40}, xaxis=across, yaxis=names | {"type": "category"}, annotations=notes),
    )
