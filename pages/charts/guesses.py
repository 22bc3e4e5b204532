"""Guesses of a factor as dots on one logarithmic axis, with their median and what was measured. Numbers in, go.Figure
out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.charts import marks
from pages.charts.marks import Trace
from pages.state import palette
from pages.state.palette import Look, layout, log_axis, number

HEIGHT = 190
# Dots of a heap stand in columns so many decades wide, a row of dots after the other.
COLUMN, MOST_ROWS = 0.08, 8


def heap(guesses: ndarray) -> ndarray:
    """How high each dot lies: on those before it in its column, all of them squeezed where a column is full."""
    columns = np.floor(np.log10(guesses) / COLUMN).astype(int)
    rows = np.array([np.count_nonzero(columns[:place] == column) for place, column in enumerate(columns)])
    return (rows + 0.5) / max(MOST_ROWS, rows.max(initial=0) + 1)


def guesses(
    measured: float,
    interval: tuple[float, float] | None,
    look: Look,
    own: float | None,
    others: Sequence[float],
    axis: str,
) -> go.Figure:
    """The measured factor as a line with its interval as a band; one's own guess as a star, all others as dots with
    their median; a factor for each decade of slopes 0, 1 and 2 is named. look: of what was measured; axis: its name."""
    dots = np.array(others, dtype=float)
    known = np.array([1.0, 100.0, measured, *dots, *([] if own is None else [own]), *(interval or ())])
    low, high = np.log10(known.min()) - 0.15, np.log10(known.max()) + 0.25
    hover = "a guess: %{x:.3g} times"
    traces: list[Trace] = [marks.points([], [], "", palette.QUIET)]
    if dots.size:
        traces.append(marks.points(dots, heap(dots), "guesses", palette.QUIET, "circle", 11, 0.75, hover=hover))
    if own is not None:
        mine: Trace = {"key": "own guess", "hover": "your guess: %{x:.3g} times"}
        traces.append(marks.points([own], [0.5], "your guess", palette.MARK, "star", 17, **mine))
    lines = [palette.line_up(measured, color=look.colour, width=3.5)]
    notes = [_note(f"measured: <b>{number(measured, 2)}</b>", measured, 1.0, look.colour)]
    if interval is not None:
        band = palette.shade(*interval)
        lines.append(band | {"fillcolor": palette.faded(look.colour, 0.18)})
    if own is not None:
        notes.append(_note(f"you: {number(own)}", own, 0.5, palette.MARK, own < measured, 12))
    if dots.size > 1:
        middle = float(np.median(dots))
        lines.append(palette.line_up(middle, color=palette.QUIET, width=2, dash="longdash"))
        notes.append(
            _note(f"median of {dots.size:,}: {number(middle)}", middle, 0.86, palette.QUIET, middle < measured)
        )
    ticks = [10**e for e in range(int(np.ceil(low)), int(np.floor(high)) + 1)]
    words = {1: "1<br>just as noisy", 10: "10<br>slope 1", 100: "100<br>slope 2"}
    return palette.figure(
        traces,
        layout(
            HEIGHT,
            margin={"l": 8, "r": 12, "t": 26, "b": 8},
            xaxis=log_axis(axis, high - low, range=[low, high])
            | {"tickvals": ticks, "ticktext": [words.get(tick, f"{tick:,g}") for tick in ticks]},
            yaxis={"visible": False, "range": [0, 1], "fixedrange": True},
            shapes=lines,
            annotations=notes,
            showlegend=False,
        ),
    )


def _note(text: str, x: float, y: float, colour: str, left: bool = False, apart: int = 6) -> dict[str, Any]:
    """Words beside a place on the logarithmic axis, so many pixels apart; y: above the figure at 1."""
    place = {"yref": "paper", "xanchor": "right" if left else "left", "xshift": -apart if left else apart}
    place["yanchor"] = "bottom" if y == 1.0 else "middle"
    return palette.note(text, float(np.log10(x)), y, colour, 14, **place)
