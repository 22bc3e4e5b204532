"""Arrays in, go.Figure out: a network drawn as its layers, the studied one marked."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from engine.config.kinds import flat
from engine.config.requests import ModelRequest
from engine.models import architectures
from engine.models.architectures import CNN_CHANNELS, CNN_POOLED, Layer
from pages.state import palette
from pages.state.palette import faded

STUDIED = palette.LOOKS["C"].colour
HALF_BAR = 0.09
NAMED = 6  # layers up to which each is named


@dataclass(frozen=True)
class Station:
    """What a sample is at one place of its way: how it is called, and how many numbers it has."""

    label: str
    size: int


def stations(model: ModelRequest, image: tuple[int, int]) -> tuple[Station, ...]:
    """From the input to the logits; one more than there are layers with weights."""
    widths = model.widths
    if model.kind == "mlp":
        return tuple(Station(f"{w:,}", w) for w in widths)
    if model.kind != "cnn":
        layers = architectures.layers(model, image)
        first = Station(f"{widths[0]} × {image[0]} × {image[1]}", widths[0] * image[0] * image[1])
        return (Station(f"{widths[0]:,}", widths[0]) if flat(model.kind) else first, *map(_behind, layers))
    (height, width), convolutions = image, []
    for i, channels in enumerate((widths[0], *CNN_CHANNELS)):
        if i and i - 1 in CNN_POOLED:
            height, width = height // 2, width // 2
        # The last one is averaged over the image.
        label = f"{channels}" if i == len(CNN_CHANNELS) else f"{channels} × {height} × {width}"
        convolutions.append(Station(label, channels * (1 if i == len(CNN_CHANNELS) else height * width)))
    return (
        *convolutions,
        Station(f"{architectures.CNN_HIDDEN}", architectures.CNN_HIDDEN),
        Station(f"{widths[-1]}", widths[-1]),
    )


def _behind(layer: Layer) -> Station:
    """What a sample is behind a layer: channels by rows and columns where its places are a square."""
    side = math.isqrt(layer.places)
    square = side > 1 and side**2 == layer.places
    places = f" × {side} × {side}" if square else f" × {layer.places:,}" if layer.places > 1 else ""
    return Station(f"{layer.width}{places}", layer.width * layer.places)


def network(model: ModelRequest, studied: str, image: tuple[int, int] = (28, 28), height: int = 250) -> go.Figure:
    """Bars are what a sample is on its way, by the logarithm of how many numbers; ribbons are the weights between
    them, the studied ones in the colour of C with their D."""
    places, layers = stations(model, image), architectures.layers(model, image)
    heights = np.array([0.16 + 0.3 * np.log10(max(s.size, 1)) for s in places])
    heights /= heights.max()
    traces, notes, crowded = [], [], len(layers) > NAMED
    for i, layer in enumerate(layers):
        chosen = layer.name == studied
        a, b = heights[i] / 2, heights[i + 1] / 2
        left, right = i + HALF_BAR, i + 1 - HALF_BAR
        kind = f"{layer.parameters:,} parameters" + (f", at {layer.places:,} places" if layer.places > 1 else "")
        words = f"{layer.name}: {layer.width} × {layer.inputs}, {kind}"
        look = (1.4, STUDIED, faded(STUDIED, 0.4)) if chosen else (0, palette.QUIET, faded(palette.QUIET, 0.16))
        traces.append(_filled((left, right), (a, b), layer.name, words, *look))
        if chosen or not crowded:
            notes.append(_note(i + 0.5, -0.56, layer.name, STUDIED if chosen else palette.QUIET, chosen))
        if chosen:
            d = f"D = {layer.width * layer.inputs:,}"
            notes.append(_note(i + 0.5, -0.67, d, STUDIED, True))
    for i, (place, tall) in enumerate(zip(places, heights, strict=True)):
        words, ends = f"{place.label}: {place.size:,} numbers per sample", (i - HALF_BAR, i + HALF_BAR)
        traces.append(_filled(ends, (tall / 2, tall / 2), "station", words, 0, None, faded(palette.TRAIN, 0.85)))
        # Where names would overlap, only what is new is written, and slanted.
        if not crowded or not i or place.label != places[i - 1].label:
            note = _note(i, 0.6, place.label.replace(" × ", "×"), "", False)
            notes.append(note | ({"textangle": -28} if crowded else {}))
    hidden = {"visible": False, "fixedrange": True}
    return go.Figure(
        traces,
        palette.layout(
            height,
            margin={"l": 4, "r": 4, "t": 34, "b": 4},
            xaxis=hidden | {"range": [-0.45, len(layers) + 0.45]},
            yaxis=hidden | {"range": [-0.75, 0.7]},
            annotations=notes,
            showlegend=False,
        ),
    )


def _filled(
    x: tuple[float, float], y: tuple[float, float], key: str, words: str, width: float, line: str | None, fill: str
) -> go.Scatter:
    """What lies between y and −y from one end of x to the other."""
    around = {"x": [*x, *x[::-1]], "y": [*y, -y[1], -y[0]], "line": {"width": width, "color": line}}
    hover = {"text": words, "meta": key, "hoveron": "fills", "hoverinfo": "text", "showlegend": False}
    return go.Scatter(mode="lines", fill="toself", fillcolor=fill, **around, **hover)


def _note(x: float, y: float, text: str, colour: str, strong: bool) -> dict[str, Any]:
    return palette.note(f"<b>{text}</b>" if strong else text, x, y, colour, 12)
