"""The pictures of a film: arrays in, go.Figure out. Axes hold still from frame to frame."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.names import USUAL_WINDOW
from engine.runs.recording import Change, Film, Picture
from pages.charts import curves, marks, power_law
from pages.charts.marks import Trace
from pages.charts.power_law import Cloud
from pages.state import palette
from pages.state.palette import CURVATURE, LOOKS, axis, layout, line_up, log_axis

HEIGHT, LOW = 365, 250
# Frames above which a curve has no markers.
MANY = 40
# Pixels across that a label of a change takes, and those of the narrowest curve.
LABEL, NARROW = 15, 330
# The take before, behind this one.
FAINT = {"opacity": 0.28, "showlegend": False, "hoverinfo": "skip", "meta": "before"}


def law(shot: Film, picture: Picture) -> go.Figure:
    """The power law of one frame, on axes that hold all frames."""
    h = picture.eigenvalues
    clouds = [
        Cloud(name, h, values, picture.fit(name), 0, USUAL_WINDOW, picture.noise_floor)
        for name, values in picture.diagonals.items()
    ]
    figure = power_law.over(power_law.power_law(clouds, height=HEIGHT), 0, picture.window)
    if shot.extent:
        left, right, bottom, top = np.log10(shot.extent)
        for name, title, low, high in (
            ("xaxis", CURVATURE, left, right),
            ("yaxis", "noise variance C<sub>ii</sub>", bottom, top),
        ):
            pad = 0.05 * (high - low) + 0.1
            figure.layout[name] = log_axis(title, high - low, range=[low - pad, high + pad])
    return figure


def line(shot: Film, column: str, name: str, colour: str, dash: str = "solid", **more: Any) -> list[Trace]:
    """One number of every frame over the epochs, and beneath it faintly that of the take before."""
    more |= {"key": column, "hover": f"epoch %{{x}}<br>{name} = %{{y:.4g}}", "marker": {"size": 5}}
    traces = []
    for before in (True, False) if shot.before else (False,):
        x, y = shot.column("epoch", before), shot.column(column, before)
        mode = "lines" if before or many(shot) else "lines+markers"
        traces.append(marks.line(x, y, name, colour, dash=dash, mode=mode, **more) | (FAINT if before else {}))
    return traces


def many(shot: Film) -> bool:
    """Whether its curves have no markers."""
    return len(shot.frames) > MANY


def over_epochs(shot: Film, lines: Sequence[list[Trace]], shown: int, up: dict[str, Any], **more: Any) -> go.Figure:
    """Numbers of every frame; the frame that is shown and every change are marked."""
    # What is faint lies beneath all the rest.
    traces = [trace for layer in zip(*lines, strict=True) for trace in layer]
    figure = go.Figure(traces, layout(LOW, xaxis=axis("epoch", range=reach(shot)), yaxis=up, **more))
    return marked(figure, shot.changes, shown)


def exponents(shot: Film, shown: int) -> go.Figure:
    """γ of C and of C_AWD with their intervals over samples, with lines at 1 and 2."""
    lines, seen = [], []
    for name, column, interval in (("C", "gamma", "interval"), ("C_awd", "gamma_awd", "interval_awd")):
        *before, now = line(shot, column, f"γ of {LOOKS[name].html}", LOOKS[name].colour)
        ends = shot.intervals(interval)
        if np.isfinite(ends[0]).any():
            now["error_y"] = curves.error_bars(now["y"], *ends, width=0 if many(shot) else 3)
        lines.append([*before, now])
        seen += [trace["y"] for trace in lines[-1]]
    figure = over_epochs(shot, lines, shown, curves.gamma_axis(seen))
    figure.layout.shapes = (*figure.layout.shapes, *palette.bounds())
    return figure


def learning(shot: Film, shown: int) -> go.Figure:
    """Loss and accuracy."""
    figure = curves.training(_records(shot), 1, LOW)
    if shot.before:
        figure.add_traces([trace.update(FAINT) for trace in curves.training(_records(shot, True), 1).data])
    for name in ("xaxis", "xaxis2"):
        figure.layout[name].range = reach(shot)
    return marked(figure, shot.changes, shown, ("", "2"))


def _records(shot: Film, before: bool = False) -> dict[str, ndarray]:
    return {name: shot.column(name, before) for name in curves.RECORDS}


def commutator(shot: Film, shown: int) -> go.Figure:
    """The commutator error beside chance."""
    lines = (
        line(shot, "commutator", "commutator error", LOOKS["C"].colour),
        line(shot, "commutator_random", "turned at random", palette.QUIET, "dot"),
    )
    return over_epochs(shot, lines, shown, axis("commutator error", range=[0, 1.55]))


def settings(shot: Film, shown: int) -> go.Figure:
    """The learning rate and the batch size."""
    lines = (
        line(shot, "learning_rate", "η", palette.TRAIN),
        line(shot, "batch_size", "B", palette.TEST, "dash", yaxis="y2"),
    )
    for trace in (*lines[0], *lines[1]):
        # A setting was what it is all the way from the frame before.
        trace["line"]["shape"] = "vh"
    right = axis("batch size B", rangemode="tozero", overlaying="y", side="right", showgrid=False)
    return over_epochs(shot, lines, shown, axis("learning rate η", rangemode="tozero"), yaxis2=right)


def reach(shot: Film) -> list[float]:
    """From the first frame to a round epoch behind the last one, so that the axis seldom moves."""
    first, last = shot.frames[0].epoch, max(frame.epoch for frame in (shot.last, *shot.before))
    round_ = next(m * 10**e for e in range(1, 9) for m in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if m * 10**e >= last)
    return [first, round_]


def marked(figure: go.Figure, changes: Sequence[Change], shown: int, places: Sequence[str] = ("",)) -> go.Figure:
    """The figure with a line at the frame that is shown, and one with its words where a setting was changed; places:
    its horizontal axes."""
    words: dict[int, list[str]] = {}
    for change in changes:
        words.setdefault(change.epoch, []).append(change.words)
    shapes, notes = [], []
    shifts = aside(words, figure.layout.xaxis.range)
    for place in places:
        here = {"xref": f"x{place}", "yref": f"y{place} domain"}
        shapes.append(line_up(shown, color=palette.MARK, width=1) | here)
        for epoch, phrases in words.items():
            shapes.append(line_up(epoch, color=palette.QUIET, width=1, dash="dot") | here)
            corner = here | {"textangle": -90, "xanchor": "left", "yanchor": "top", "xshift": shifts[epoch]}
            notes.append(palette.note(", ".join(phrases), epoch, 1, palette.QUIET, 11, **corner))
    figure.layout.shapes = (*figure.layout.shapes, *shapes)
    figure.layout.annotations = (*figure.layout.annotations, *notes)
    return figure


def aside(epochs: Iterable[int], ends: Sequence[float]) -> dict[int, float]:
    """By how many pixels the label of each epoch is moved to the right, so that none lies on the one before."""
    shifts, free = {}, 0.0
    for epoch in sorted(epochs):
        at = NARROW * (epoch - ends[0]) / (ends[1] - ends[0])
        shifts[epoch] = max(0.0, free - at)
        free = max(at, free) + LABEL
    return shifts
