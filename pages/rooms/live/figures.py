"""The pictures of a film: arrays in, go.Figure out. Axes hold still from frame to frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from engine.results.names import USUAL_WINDOW
from engine.runs.recording import Change, Film, Picture
from pages.charts import curves, power_law
from pages.charts.power_law import Cloud
from pages.state import palette
from pages.state.palette import CURVATURE, LOOKS, axis, layout, line_up, log_axis

HEIGHT, LOW = 365, 250
# Frames above which a curve has no markers.
MANY = 40
# The take before, behind this one.
FAINT = {"opacity": 0.28, "showlegend": False, "hoverinfo": "skip", "meta": "before"}


@dataclass(frozen=True)
class Line:
    """One number of every frame: its name in HTML, its name in a Frame, and how it looks; right: against the axis on
    the right; held: it was what it is all the way from the frame before."""

    name: str
    column: str
    colour: str
    dash: str = "solid"
    right: bool = False
    held: bool = False


def law(shot: Film, picture: Picture) -> go.Figure:
    """The power law of one frame, on axes that hold all frames."""
    h = picture.eigenvalues
    clouds = [
        Cloud(name, h, values, picture.fit(name), 0, USUAL_WINDOW, picture.noise_floor)
        for name, values in picture.diagonals.items()
    ]
    figure = power_law.power_law(clouds, height=HEIGHT)
    if shot.extent:
        left, right, bottom, top = np.log10(shot.extent)
        for name, title, low, high in (
            ("xaxis", CURVATURE, left, right),
            ("yaxis", "noise variance C<sub>ii</sub>", bottom, top),
        ):
            pad = 0.05 * (high - low) + 0.1
            figure.layout[name] = log_axis(title, high - low, range=[low - pad, high + pad])
    return figure


def over_epochs(
    shot: Film, lines: Sequence[Line], shown: int, up: dict[str, Any], right: dict[str, Any] | None = None
) -> go.Figure:
    """Numbers of every frame over the epochs, faintly those of the take before; the frame that is shown and every
    change are marked."""
    traces = [
        go.Scatter(
            x=shot.column("epoch", before),
            y=shot.column(line.column, before),
            yaxis="y2" if line.right else "y",
            mode="lines" if before or len(shot.frames) > MANY else "lines+markers",
            name=line.name,
            meta=line.column,
            line={"color": line.colour, "width": 2.2, "dash": line.dash, "shape": "vh" if line.held else "linear"},
            marker={"size": 5},
            hovertemplate=f"epoch %{{x}}<br>{line.name} = %{{y:.4g}}<extra></extra>",
        ).update(FAINT if before else {})
        for before in ([True, False] if shot.before else [False])
        for line in lines
    ]
    more = {} if right is None else {"yaxis2": right | {"overlaying": "y", "side": "right", "showgrid": False}}
    figure = go.Figure(traces, layout(LOW, xaxis=axis("epoch", range=reach(shot)), yaxis=up, **more))
    return marked(figure, shot.changes, shown)


def exponents(shot: Film, shown: int) -> go.Figure:
    """γ of C and of C_AWD with their intervals over samples, between the bounds of the theory."""
    lines = [
        Line(f"γ of {LOOKS[name].html}", column, LOOKS[name].colour)
        for name, column in (("C", "gamma"), ("C_awd", "gamma_awd"))
    ]
    seen = [shot.column(line.column, before) for line in lines for before in (False, True)]
    figure = over_epochs(shot, lines, shown, curves.gamma_axis(seen))
    for line, interval in zip(lines, ("interval", "interval_awd"), strict=True):
        ends = shot.intervals(interval)
        if np.isfinite(ends[0]).any():
            (trace,) = figure.select_traces(lambda t, line=line: t.meta == line.column)
            trace.error_y = curves.error_bars(
                shot.column(line.column), *ends, width=0 if len(shot.frames) > MANY else 3
            )
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
    names = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
    return {name: shot.column(name, before) for name in names}


def commutator(shot: Film, shown: int) -> go.Figure:
    """The commutator error beside chance."""
    lines = (
        Line("commutator error", "commutator", LOOKS["C"].colour),
        Line("turned at random", "commutator_random", palette.QUIET, "dot"),
    )
    return over_epochs(shot, lines, shown, axis("commutator error", range=[0, 1.55]))


def settings(shot: Film, shown: int) -> go.Figure:
    """The learning rate and the batch size."""
    lines = (
        Line("η", "learning_rate", palette.TRAIN, held=True),
        Line("B", "batch_size", palette.TEST, "dash", right=True, held=True),
    )
    return over_epochs(
        shot, lines, shown, axis("learning rate η", rangemode="tozero"), axis("batch size B", rangemode="tozero")
    )


def reach(shot: Film) -> list[float]:
    """From the first frame to a round epoch behind the last one, so that the axis seldom moves."""
    first, last = shot.frames[0].epoch, max(frame.epoch for frame in (shot.last, *shot.before))
    round_ = next(m * 10**e for e in range(1, 9) for m in (1, 2, 3, 5) if m * 10**e >= last)
    return [first, round_]


def marked(figure: go.Figure, changes: Sequence[Change], shown: int, places: Sequence[str] = ("",)) -> go.Figure:
    """The figure with a line at the frame that is shown, and one with its words where a setting was changed; places:
    its horizontal axes."""
    words: dict[int, list[str]] = {}
    for change in changes:
        words.setdefault(change.epoch, []).append(change.words)
    shapes, notes = [], []
    for place in places:
        here = {"xref": f"x{place}", "yref": f"y{place} domain"}
        shapes.append(line_up(shown, color=palette.MARK, width=1) | here)
        for epoch, phrases in words.items():
            shapes.append(line_up(epoch, color=palette.QUIET, width=1, dash="dot") | here)
            notes.append(
                here
                | {"x": epoch, "y": 1, "text": ", ".join(phrases), "textangle": -90, "showarrow": False}
                | {"xanchor": "left", "yanchor": "top", "font": {"size": 11, "color": palette.QUIET}}
            )
    figure.layout.shapes = (*figure.layout.shapes, *shapes)
    figure.layout.annotations = (*figure.layout.annotations, *notes)
    return figure
