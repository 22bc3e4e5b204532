"""What becomes of each noise, step by step: arrays in, go.Figure out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from numpy import ndarray

from engine.results.noise import ENOUGH, NONE, SGD, Descents
from pages.charts import marks
from pages.charts.marks import Trace
from pages.charts.power_law import nothing
from pages.plot.legends import WORDS
from pages.state import palette
from pages.state.palette import LOOKS, NOISE_LOOKS, Look, axis, faded, layout

# Pixels beside a figure for the names of its lines, and between two of them.
BESIDE, APART = 78, 14
FIRST = 0.1  # share of the steps that do not set the height
SMOOTHED = 5
DASHES = ("dot", "dash", "dashdot")


def look(name: str) -> Look:
    """How a noise appears."""
    return NOISE_LOOKS[name] if name in NOISE_LOOKS else LOOKS[name]


def along(
    descents: Descents, measure: str, title: str, beyond: bool = False, height: int = 280, **more: Any
) -> go.Figure:
    """A measure over the steps, a line for the mean of each noise with its band of one standard deviation over seeds,
    its name at its end; beyond: less what it is without noise; more: of the vertical axis. Where it is taken at every
    few steps and jumps it is the mean over the SMOOTHED ones around."""
    drawn = {
        name: _smoothed(rows) if measure == "accuracy" else rows for name, rows in descents.values[measure].items()
    }
    drawn = {name: drawn[name] - drawn[NONE] * beyond for name in descents.names if np.isfinite(drawn[name]).any()}
    if not drawn:
        return nothing("There are no samples that training never used.", height)
    x = descents.at(measure)
    means = {name: rows.mean(axis=0) for name, rows in drawn.items()}
    spreads = {n: rows.std(axis=0, ddof=1) if len(rows) >= ENOUGH else np.zeros(x.size) for n, rows in drawn.items()}
    bands: list[Trace] = []
    lines: list[Trace] = []
    for name, mean in sorted(means.items(), key=lambda item: item[0] == SGD):  # SGD on top
        one, spread = look(name), spreads[name]
        if spread.any():
            bands.append(marks.band(x, mean - spread, mean + spread, faded(one.colour, 0.1), f"{name} band"))
        dash, width = one.marker if one.marker in DASHES else "solid", 3.4 if name == SGD else 1.8
        hover = f"<b>{one.html}</b>, step %{{x}}<br>{title} = %{{y:.4g}} ± %{{customdata:.2g}}"
        known: Trace = {"key": name, "hover": hover, "customdata": spread, "showlegend": False}
        lines.append(marks.line(x, mean, one.html, one.colour, width, dash, **known))
    # The first steps, in which all fall alike, would take most of the height.
    later = x >= FIRST * descents.steps
    reach = [(means[n] + side * spreads[n])[later] for n in means for side in (-1, 1)]
    low, high = float(np.nanmin(reach)), float(np.nanmax(reach))
    pad = 0.05 * (high - low or 1.0)
    ends = {name: float(mean[np.isfinite(mean)][-1]) for name, mean in means.items()}
    across = axis("step", range=[0, descents.steps])
    up = axis(f"{title} − without noise" if beyond else title, range=[low - pad, high + pad], **more)
    room = {"l": 8, "r": BESIDE, "t": 12, "b": 8}
    names = _names(ends, low - pad, high + pad, height - 80)
    return go.Figure([*bands, *lines], layout(height, xaxis=across, yaxis=up, margin=room, annotations=names))


def _smoothed(rows: Float[ndarray, "s p"]) -> Float[ndarray, "s p"]:
    """The mean over SMOOTHED neighbours, fewer at the ends."""
    ones = np.ones(SMOOTHED)
    count = np.convolve(np.ones(rows.shape[1]), ones, mode="same")
    return np.stack([np.convolve(row, ones, mode="same") / count for row in rows])


def _names(ends: Mapping[str, float], low: float, high: float, pixels: float) -> list[dict[str, Any]]:
    """The names of lines beside their ends, moved apart where they would touch."""
    order = sorted(ends, key=lambda name: ends[name])
    at = np.array([(ends[name] - low) / (high - low) for name in order])
    gap = APART / pixels
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + gap)
    at -= max(0.0, float(at[-1]) - 1)
    for i in range(len(at) - 2, -1, -1):
        at[i] = min(at[i], at[i + 1] - gap)
    place = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "middle", "xshift": 6}
    return [
        palette.note(
            f"<b>{look(name).html}</b>" if name == SGD else look(name).html,
            1,
            float(y),
            look(name).colour,
            12,
            hovertext=WORDS.get(name, ""),
            **place,
        )
        for name, y in zip(order, at, strict=True)
    ]
