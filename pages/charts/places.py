"""What belongs to the places of a layer, or to its filters, drawn as it lies there: arrays in, go.Figure out."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from pages.charts import marks
from pages.state import palette
from pages.state.palette import axis, figure, layout

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Filters that are drawn side by side: outputs across, inputs down.
ACROSS, DOWN = 16, 8
# Outputs whose images are drawn, and rows or columns of a matrix.
MOST, CELLS = 60, 300
BARE = {
    "constrain": "domain",
    "showgrid": False,
    "showticklabels": False,
    "ticks": "",
    "mirror": True,
    "showline": True,
    "linecolor": palette.GRID,
}

WHOLE = {"x0": 1, "y0": 1}


def titled(text: str) -> dict[str, Any]:
    """A layout with a title close above the figure."""
    above = {"xref": "paper", "yref": "paper", "xanchor": "center", "yanchor": "bottom"}
    note = palette.note(text, 0.5, 1.0, size=14, **above)
    return {"margin": {"l": 8, "r": 8, "t": 30, "b": 8}, "annotations": [note]}


def where(
    z: ndarray, shape: Sequence[int], title: str, hover: str, limit: float = 0.0, height: int = 310
) -> "go.Figure":
    """A number of each place: a picture where they lie in two or three axes, bars where in a row. hover: what a number
    is; limit: of numbers from 0 on, the strongest colour and the tallest bar; the largest number for 0."""
    z, whole = z.astype(np.float32), [-0.02 * limit, 1.05 * limit] if limit else None
    limit = limit or float(np.abs(z).max(initial=0.0)) or 1.0
    if len(shape) == 1:
        colours = np.where(z < 0, palette.NEGATIVE, palette.POSITIVE).tolist()
        t = np.arange(1, z.size + 1)
        bars = marks.bars(t, z, "", colours, key="places", hover=f"place %{{x}}<br>{hover}: <b>%{{y:.3g}}</b>")
        x = axis("place t", showgrid=False, nticks=9)
        y = axis("", range=whole, zeroline=True, zerolinecolor=palette.GRID, nticks=5)
        return figure([bars], layout(height, xaxis=x, yaxis=y, **titled(title)))
    *slices, rows, columns = shape
    wide = np.full((rows, prod(slices), columns + bool(slices)), np.nan, np.float32)
    wide[:, :, :columns] = z.reshape(-1, rows, columns).transpose(1, 0, 2)
    says = f"row %{{y}}, column %{{x}}<br>{hover}: <b>%{{z:.3g}}</b>"
    cells = marks.cells(wide.reshape(rows, -1), limit, says, meta="places", hoverongaps=False)
    x, y = axis("", **BARE), axis("", autorange="reversed", scaleanchor="x", **BARE)
    return figure([cells], layout(height, xaxis=x, yaxis=y, **titled(title)))


def filters(w: ndarray, kernel: Sequence[int], title: str, wide: int = 440) -> "go.Figure":
    """Weights (d_out, d_in) of a convolution as its filters, an output channel each column and an input channel each
    row: those that weigh most, where they are many. kernel: channels and kernel of one filter; wide: pixels that the
    figure is about to have, which tell its height."""
    channels, *size = kernel
    rows, columns = (prod(size[:-1]), size[-1])
    each = w.reshape(len(w), channels, rows, columns)
    outputs, inputs = (heaviest(each, axes, most) for axes, most in (((1, 2, 3), ACROSS), ((0, 2, 3), DOWN)))
    shown = each[outputs][:, inputs]
    whole = np.full((len(inputs), rows + 1, len(outputs), columns + 1), np.nan, np.float32)
    whole[:, :rows, :, :columns] = shown.transpose(1, 2, 0, 3)
    mosaic = whole.reshape(len(inputs) * (rows + 1), -1)
    names = np.empty((*mosaic.shape, 2), int)
    names[..., 0] = np.repeat(outputs + 1, columns + 1)
    names[..., 1] = np.repeat(inputs + 1, rows + 1)[:, None]
    says = "output %{customdata[0]}, input %{customdata[1]}<br><b>%{z:.3e}</b>"
    limit = float(np.abs(w).max(initial=0.0)) or 1.0
    cells = marks.cells(mosaic, limit, says, meta="filters", customdata=names, hoverongaps=False)
    frame = {"type": "rect", "line": {"color": palette.GRID, "width": 1}}
    frames = [
        frame | {"x0": i * (columns + 1) - 0.5, "x1": (i + 1) * (columns + 1) - 1.5}
        | {"y0": j * (rows + 1) - 0.5, "y1": (j + 1) * (rows + 1) - 1.5}
        for i in range(len(outputs))
        for j in range(len(inputs))
    ]  # fmt: skip
    places = [np.arange(len(side)) * (n + 1) + (n - 1) / 2 for side, n in ((outputs, columns), (inputs, rows))]
    x, y = (
        axis(f"{name} channel", tickvals=at, ticktext=[str(n + 1) for n in side], showgrid=False, tickangle=0)
        for name, at, side in zip(("output", "input"), places, (outputs, inputs), strict=True)
    )
    y |= {"autorange": "reversed", "scaleanchor": "x", "constrain": "domain"}
    height = 90 + max(60, round(wide * mosaic.shape[0] / mosaic.shape[1]))
    return figure([cells], layout(height, xaxis=x | {"constrain": "domain"}, yaxis=y, shapes=frames, **titled(title)))


def images(w: ndarray, shape: Sequence[int], title: str, wide: int = 560, tall: int = 330) -> "go.Figure":
    """Weights (d_out, d_in) of a layer that is fed images: those of each output as an image, the channels of one beside
    each other; those that weigh most, where they are many. shape: channels, height and width; wide, tall: pixels that
    the figure is about to have."""
    channels, height, width = shape
    outputs = heaviest(w, (1,), MOST)
    each = np.full((len(outputs), height + 1, channels * width + 1), np.nan, np.float32)
    each[:, :-1, :-1] = w[outputs].reshape(-1, *shape).transpose(0, 2, 1, 3).reshape(len(outputs), height, -1)
    across = min(len(outputs), max(1, round((len(outputs) * wide * each.shape[1] / (tall * each.shape[2])) ** 0.5)))
    down = -(-len(outputs) // across)
    whole, names = np.full((down * across, *each.shape[1:]), np.nan, np.float32), np.zeros(down * across, np.int16)
    whole[: len(outputs)], names[: len(outputs)] = each, outputs + 1
    mosaic = whole.reshape(down, across, *each.shape[1:]).transpose(0, 2, 1, 3).reshape(down * each.shape[1], -1)
    named = np.repeat(np.repeat(names.reshape(down, across), each.shape[1], axis=0), each.shape[2], axis=1)
    limit, says = float(np.abs(w).max(initial=0.0)) or 1.0, "output %{customdata}<br><b>%{z:.3e}</b>"
    cells = marks.cells(mosaic, limit, says, meta="filters", customdata=named, hoverongaps=False)
    frame = {"type": "rect", "line": {"color": palette.GRID, "width": 1}}
    corners = [(n % across * each.shape[2] - 0.5, n // across * each.shape[1] - 0.5) for n in range(len(outputs))]
    frames = [frame | {"x0": x, "x1": x + each.shape[2] - 1, "y0": y, "y1": y + each.shape[1] - 1} for x, y in corners]
    bare = BARE | {"showline": False}
    x, y = axis("", **bare), axis("", autorange="reversed", scaleanchor="x", **bare)
    return figure([cells], layout(tall, xaxis=x, yaxis=y, shapes=frames, **titled(title)))


def heaviest(each: ndarray, axes: tuple[int, ...], most: int) -> ndarray:
    """The slices along the axis that is left, in their own order, at most so many."""
    size = (each.astype(float) ** 2).sum(axis=axes)
    return np.sort(np.argsort(-size, kind="stable")[:most])


def matrix(w: ndarray, title: str, height: int = 330) -> "go.Figure":
    """Weights (d_out, d_in) of a linear layer as they are; the rows and columns that weigh most, where they are
    many."""
    limit, says = float(np.abs(w).max(initial=0.0)) or 1.0, "output %{y}, input %{x}<br><b>%{z:.3e}</b>"
    rows, columns = heaviest(w, (1,), CELLS), heaviest(w, (0,), CELLS)
    names = {"x": [str(n + 1) for n in columns], "y": [str(n + 1) for n in rows]} if max(w.shape) > CELLS else {}
    cells = marks.cells(w[rows][:, columns].astype(np.float32), limit, says, meta="filters", **names or WHOLE)
    more: dict[str, Any] = {"showgrid": False} | ({"type": "category", "nticks": 9} if names else {})
    x, y = axis("input i", **more), axis("output o", autorange="reversed", **more)
    return figure([cells], layout(height, xaxis=x, yaxis=y, **titled(title)))
