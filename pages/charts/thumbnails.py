"""Samples as a strip of small pictures that can be clicked: arrays in, go.Figure out."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray
from PIL import Image

from engine.samples.table import Table
from pages.charts import marks
from pages.charts.marks import Trace
from pages.state import palette

# Pixels: of a row with its words, of a picture's narrowest place, and of a picture that is sent.
ROW, PLACE, SENT = 92, 56, 84
# Letters of a name that has room beside another one below a picture.
SHORT = 3


def source(picture: ndarray) -> str:
    """A picture (h, w) or (h, w, 3), bytes, as the address of a PNG; its pixels stay sharp when it is enlarged."""
    times = max(1, SENT // max(picture.shape[:2]))
    held = io.BytesIO()
    Image.fromarray(np.kron(picture, np.ones((times, times, *(1,) * (picture.ndim - 2)), np.uint8))).save(held, "PNG")
    return f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"


def answer(samples: Table, sample: int) -> str:
    """A sample's class, and what the network takes it for where that is another."""
    names = samples.class_names
    own, predicted = names[samples.targets[sample]], names[samples.predicted[sample]]
    return own if samples.correct[sample] else f"{own} → {predicted}"


def strip(
    samples: Table,
    pictures: ndarray | None,
    shown: Sequence[int],
    marked: Sequence[int] = (),
    words: Sequence[str] = (),
    columns: int = 12,
    notes: Sequence[str] = (),
) -> go.Figure:
    """These samples, row after row, each with its class below it; what the network takes for another is told in red.

    pictures: of all samples; None: plain tiles. marked: framed; words: what a tile says under the pointer; notes: below
    its class. A click tells the sample.
    """
    place = np.arange(len(shown))
    x, y = place % columns, -(place // columns)
    rows = -(-len(shown) // columns) or 1
    middle = {"xref": "x", "yref": "y", "xanchor": "center", "yanchor": "middle", "layer": "below"}
    images = [
        middle | {"source": source(pictures[p]), "x": float(i), "y": float(j), "sizex": 0.9, "sizey": 0.66}
        for p, i, j in zip(shown, x, y, strict=True)
        if pictures is not None
    ]
    names = [answer(samples, p) for p in shown]
    right = samples.correct[list(shown)] if len(shown) else np.empty(0, bool)
    more: Trace = {"key": "samples", "customdata": list(shown), "text": list(words) or names, "showlegend": False}
    look, hover = (palette.QUIET, "square", PLACE, 0.0 if images else 0.35), "sample %{customdata}<br>%{text}"
    tiles = marks.points(x, y, "", *look, hover=hover, **more)
    line = {"color": palette.MARK, "width": 3}
    frames = [
        {"type": "rect", "x0": i - 0.44, "x1": i + 0.44, "y0": j - 0.36, "y1": j + 0.36, "line": line}
        for p, i, j in zip(shown, x, y, strict=True)
        if p in marked
    ]
    # Names that are words stand below each other.
    long = max(map(len, samples.class_names)) > SHORT
    under = 14 * long + 20 * bool(notes)
    lines = [(name.replace(" → ", "<br>→ ") if long else name, *notes[n : n + 1]) for n, name in enumerate(names)]
    below = [
        {"x": float(i), "y": j - 0.36, "text": "<br>".join(text)}
        | {"font": {"size": 11 if long else 13} | ({} if fine else {"color": palette.POSITIVE})}
        | {"showarrow": False, "yanchor": "top", "yshift": 2}
        # Large type leaves them as they are: a place is no wider then.
        | ({"name": "small"} if long else {})
        for i, j, text, fine in zip(x, y, lines, right, strict=True)
    ]
    hidden = {"visible": False, "fixedrange": True}
    return go.Figure(
        [tiles],
        palette.layout(
            rows * ROW + 30 + under,
            margin={"l": 2, "r": 2, "t": 28, "b": 2 + under},
            xaxis=hidden | {"range": [-0.5, columns - 0.5]},
            yaxis=hidden | {"range": [0.5 - rows, 0.5]},
            images=images,
            shapes=frames,
            annotations=below,
            dragmode=False,
        ),
    )
