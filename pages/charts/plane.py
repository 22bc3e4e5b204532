"""The loss over two directions of the weights with the noise of SGD in it: arrays in, go.Figure out."""

from math import floor, log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.results.plane import ANGLES, Plane, ellipse
from pages.charts import marks
from pages.state import palette
from pages.state.palette import LOOKS, faded, layout

HEIGHT = 455
# Two standard deviations of the noise along the noisier direction reach so far, of what is seen.
FILLED = 0.62
# Contours are drawn up to so many times the loss at the checkpoint.
TOP, LEVELS = 3.0, 12
KINDS = ("contour", "scatter", "scatter")
HERE = LOOKS["C"].colour


def magnification(plane: Plane) -> float:
    """By how much kicks η(∇L_B − ∇L) are drawn larger, 1, 2 or 5 times a power of ten; for η unknown, as if it
    were 1."""
    rate = plane.rate if np.isfinite(plane.rate) else 1.0
    widest = 2 * rate * np.sqrt(max(plane.covariance(0.0).diagonal().max(), 0.0))
    if not widest:
        return 1.0
    fitting = FILLED * plane.reach / widest
    power = 10.0 ** floor(log10(fitting))
    return max(m * power for m in (1, 2, 5) if m * power <= fitting * (1 + 1e-9))


def picture(plane: Plane) -> go.Figure:
    """Contours of the loss, a point for every mini-batch and the ellipse of C; a slider inside the figure turns both
    directions away from the eigenvectors of H."""
    i, j = plane.pair
    low = float(plane.loss[0].min())
    top = max(min(TOP * plane.here, float(plane.loss[0].max())), low * (1 + 1e-6))
    contours = {"start": low, "end": top, "size": (top - low) / LEVELS, "coloring": "fill"}
    fill = [[x, faded(palette.TRAIN, 0.75 * x**1.5)] for x in np.linspace(0, 1, 9)]
    ground: dict[str, Any] = {
        "type": "contour", "x": plane.axis / plane.reach, "y": plane.axis / plane.reach, "zmin": low, "zmax": top,
        "showscale": False,
        "contours": contours, "colorscale": fill, "line": {"width": 1, "color": faded(palette.TRAIN, 0.8)},
        "name": "loss", "meta": "plane-loss", "showlegend": True,
        "hovertemplate": "loss %{z:.3g}<extra></extra>",
    }  # fmt: skip
    # In units of how far is looked: plotly.js keeps the ranges of axes that are bound to each other.
    times = magnification(plane) * (plane.rate if np.isfinite(plane.rate) else 1.0) / plane.reach

    def moving(degrees: float) -> list[dict[str, Any]]:
        kicks = -times * plane.kicks(degrees)
        around = times * ellipse(plane.covariance(degrees))
        return [
            {"z": plane.loss[ANGLES.index(degrees)].astype(np.float32)},
            {"x": kicks[:, 0].astype(np.float32), "y": kicks[:, 1].astype(np.float32)},
            {"x": around[:, 0], "y": around[:, 1]},
        ]

    z, cloud, outline = moving(0.0)
    traces = [
        ground | z,
        marks.points(
            **cloud, name="mini-batches", key="mini-batch", colour=faded(HERE, 0.45), size=4, hover="one mini-batch"
        ),
        marks.line(**outline, name="covariance C (2 σ)", key="ellipse", colour=HERE, width=2.5),
        marks.points([0], [0], "", palette.QUIET, "cross-thin", 12, marker={
            "symbol": "cross-thin", "size": 12, "line": {"width": 2, "color": palette.QUIET}}, showlegend=False),
    ]  # fmt: skip
    ticks = np.array([-1, 0, 1])
    both = {
        "range": [-1, 1],
        "constrain": "domain",
        "tickvals": ticks,
        "ticktext": [palette.number(t, 2) for t in ticks * plane.reach],
    }
    return go.Figure(
        data=traces,
        frames=[
            go.Frame(
                name=str(degrees),
                data=[{"type": kind, **part} for kind, part in zip(KINDS, moving(degrees), strict=True)],
                traces=[0, 1, 2],
            )
            for degrees in ANGLES
        ],
        layout=layout(
            HEIGHT,
            xaxis=palette.axis("along the first direction", **both),
            yaxis=palette.axis("along the second direction", scaleanchor="x", **both),
            margin={"l": 8, "r": 8, "t": 34, "b": 124},
            sliders=[_slider(i, j)],
        ),
    )


def _slider(i: int, j: int) -> dict[str, Any]:
    """What turns both axes, from the eigen-directions to two random ones; the names of axes stay, for a frame that
    changes them is heard as a zoom."""
    now = {"mode": "immediate", "transition": {"duration": 0}, "frame": {"duration": 0, "redraw": True}}
    words = {0.0: f"{i} and {j}", 90.0: "at random"}
    return {
        "steps": [
            {"label": words.get(a, f"turned by {a:g}°"), "method": "animate", "args": [[str(a)], now]} for a in ANGLES
        ],
        "currentvalue": {"prefix": "Directions: ", "font": {"size": 13}},
        "x": 0.1, "len": 0.8, "y": 0, "yanchor": "top", "pad": {"t": 48},
        "tickcolor": palette.QUIET, "bgcolor": palette.TRAIN, "activebgcolor": palette.TRAIN,
        "bordercolor": palette.GRID, "font": {"size": 12},
    }  # fmt: skip
