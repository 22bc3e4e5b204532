"""Square pictures of matrices: arrays in, go.Figure out, zero transparent on any background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.state import palette
from pages.state.palette import layout, log_tick

HEIGHT = 365
# Labels of the colour bar stay this share of half its length apart.
TICK_GAP = 0.3
# Cells on a side that are sent in single precision, and in percent; above, means over blocks in so many cells.
EXACT, PERCENT, MEANS = 300, 600, 330
AHEAD = 100
STOPS = 40


@dataclass(frozen=True)
class Raster:
    """Directions start … stop − 1 (from 0) of a matrix, `step` of them to a cell. seen: only the leading ones of
    them are inside the axes; the others are at hand for a slider that is still moving."""

    start: int
    stop: int
    step: int = 1
    seen: int | None = None

    @property
    def edges(self) -> ndarray:
        """First direction of every cell."""
        return np.arange(self.start, self.stop, self.step)

    @property
    def count(self) -> int:
        """Cells on a side that are inside the axes."""
        return self.edges.size if self.seen is None else self.seen

    @property
    def last(self) -> int:
        """The last direction (from 1) that is inside the axes."""
        return self.stop if self.seen is None else self.start + self.seen

    def cells(self, block: ndarray) -> ndarray:
        """The part of the block that is shown; means over step × step entries, those that are defined."""
        part = block[self.start : self.stop, self.start : self.stop]
        if self.step == 1:
            return part
        at = self.edges - self.start
        known = np.isfinite(part)
        total, count = (
            np.add.reduceat(np.add.reduceat(z, at, axis=0), at, axis=1)
            for z in (np.where(known, part, 0.0), known.astype(float))
        )
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    def common(self, labels: list[str]) -> dict[str, Any]:
        """What every picture on this raster has: names of its cells, and the direction that a click on a row means."""
        return {"x": labels, "y": labels, "meta": {"rows": (self.edges + 1).tolist()}, "hoverongaps": False}

    def labels(self, eigenvalues: ndarray) -> list[str]:
        """A cell's directions and their curvature: k words in the axis instead of k² numbers in the cells."""
        if self.step == 1:
            return [f"{i + 1} (H = {palette.number(eigenvalues[i])})" for i in self.edges]
        ends = np.minimum(self.edges + self.step, self.stop)
        return [
            f"{i + 1} … {j} (H from {palette.number(eigenvalues[i])})" for i, j in zip(self.edges, ends, strict=True)
        ]

    def place(self, direction: int) -> int | None:
        """The row's cell (from 0) of a direction (from 1); None if it is not shown."""
        inside = self.start < direction <= self.last
        return (direction - 1 - self.start) // self.step if inside else None


def raster(k: int, window: int | None = None) -> Raster:
    """The leading k directions as finely as can be drawn at once; window: from this direction (from 0) on, one
    cell each."""
    if window is not None:
        start = max(min(window, k - EXACT), 0)
        return Raster(start, min(start + EXACT, k))
    return Raster(0, k, 1 if k <= PERCENT else round(k / MEANS))


def ahead(k: int, available: int) -> Raster:
    """The leading k directions, and so many more at hand that a slider up to AHEAD needs no word with the server."""
    return Raster(0, max(k, min(AHEAD, available)), seen=k)


def symlog(values: ndarray, threshold: float) -> ndarray:
    """sign(x) · log10(1 + |x| / threshold): linear well below the threshold, logarithmic well above it."""
    return np.sign(values) * np.log10(1 + np.abs(values) / threshold)


def root(values: ndarray) -> ndarray:
    """sign(x) · √|x|: of a variance, the standard deviation."""
    return np.sign(values) * np.sqrt(np.abs(values))


@dataclass(frozen=True)
class Scale:
    """Colours from −largest to largest: symmetric-log, linear below 10^low; or by the square root, low being None.

    By the root a cell off the diagonal is √|R_ij| as strong as the cells of its row and column on the diagonal, which
    itself is seen over four decades: where noise and curvature share their directions, the diagonal is what one sees.
    The logarithm shows six decades alike, and what correlates by a hundredth as a haze.
    """

    largest: float
    low: int | None = None

    def height(self, values: ndarray) -> ndarray:
        """Where values stand on the colour bar."""
        return root(values) if self.low is None else symlog(values, 10.0**self.low)

    @property
    def limit(self) -> float:
        return float(self.height(np.array(self.largest)))

    def opacity(self, strength: float) -> float:
        """Of a share of the colour bar."""
        return strength if self.low is None else strength**0.8

    def stops(self) -> list[tuple[float, str]]:
        """Colours by value, so that the cells carry their values and nothing else."""
        strength = np.linspace(1, 0, STOPS + 1)
        return self._colours(strength**2 if self.low is None else 10 ** (strength * self.limit) - 1, strength)

    def ruler(self) -> list[tuple[float, str]]:
        """The same colours by height."""
        strength = np.linspace(1, 0, STOPS + 1)
        return self._colours(strength, strength)

    def _colours(self, value: ndarray, strength: ndarray) -> list[tuple[float, str]]:
        # plotly.js takes a scale that reaches from 0 to 1 exactly, or none.
        pairs = list(zip((value / value[0]).tolist(), map(self.opacity, strength.tolist()), strict=True))
        return [
            *((0.5 - 0.5 * x, palette.faded(palette.NEGATIVE, s)) for x, s in pairs),
            *((0.5 + 0.5 * x, palette.faded(palette.POSITIVE, s)) for x, s in reversed(pairs)),
        ]

    def bar(self) -> dict[str, Any]:
        """Ticks at values of K, as far apart as their labels need."""
        exponents: list[int] = []
        places = [1 + TICK_GAP]
        top = int(np.floor(np.log10(self.largest)))
        for exponent in range(top, top - 4 if self.low is None else self.low, -1):
            place = float(self.height(np.array(10.0**exponent))) / self.limit
            if TICK_GAP <= place <= places[-1] - TICK_GAP:
                exponents.append(exponent)
                places.append(place)
        ticks = [0.0, *(sign * 10.0**e for e in exponents for sign in (1, -1))]
        text = ["0", *(f"{sign}{log_tick(e)}" for e in exponents for sign in ("", "−"))]
        return {"tickvals": self.height(np.array(ticks)), "ticktext": text}


def scale(*blocks: ndarray, roots: bool = False) -> Scale:
    """One scale for all of these blocks: by the root, or linear below the smallest variance shown, which is at most
    seven decades below the largest entry."""
    largest = max(float(np.abs(block).max(initial=0.0)) for block in blocks)
    if largest == 0:
        return Scale(1.0, None if roots else -1)
    if roots:
        return Scale(largest)
    variances = np.concatenate([np.diag(block) for block in blocks])
    smallest = float(variances[variances > 0].min(initial=np.inf))
    return Scale(largest, int(np.floor(np.log10(np.clip(smallest, largest * 1e-7, largest / 10)))))


BAR = {
    "orientation": "h",
    "thickness": 9,
    "len": 0.94,
    "y": 0.0,
    "yref": "container",
    "yanchor": "bottom",
    "outlinewidth": 0,
    "ticks": "outside",
    "ticklen": 3,
    "tickfont": {"size": 12},
}
CORRELATIONS = {-1.0: "−1", -0.5: "−0.5", 0.0: "0", 0.5: "0.5", 1.0: "1"}


def covariance_traces(cells: ndarray, colours: Scale, common: dict[str, Any], **bar: Any) -> list[dict[str, Any]]:
    """The cells of K with their values, and the colour bar: its ticks are values, its length their height."""
    values = {
        "type": "heatmap",
        "z": cells.astype(np.float32),
        "zmin": -colours.largest,
        "zmax": colours.largest,
        "colorscale": colours.stops(),
        "showscale": False,
        "hovertemplate": "i = %{y}<br>j = %{x}<br><b>K<sub>ij</sub> = %{z:.3e}</b><extra></extra>",
    }
    marker = {
        "color": [0],
        "cmin": -colours.limit,
        "cmax": colours.limit,
        "colorscale": colours.ruler(),
        "showscale": True,
        "colorbar": BAR | colours.bar() | bar,
    }
    ruler = {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "marker": marker, "hoverinfo": "skip"}
    return [values | common, ruler]


def correlation_trace(
    cells: ndarray, symbol: str, common: dict[str, Any], percent: bool = False, **bar: Any
) -> dict[str, Any]:
    """The cells of R, in single precision or, one byte each, in whole percent."""
    limit, unit = (100, "%{z}%") if percent else (1, "%{z:.3f}")
    ticks = {"tickvals": [limit * t for t in CORRELATIONS], "ticktext": list(CORRELATIONS.values())}
    return common | {
        "type": "heatmap",
        "z": correlation_cells(cells, percent),
        "zmin": -limit,
        "zmax": limit,
        "colorscale": palette.DIVERGING,
        "colorbar": BAR | ticks | bar,
        "hovertemplate": f"i = %{{y}}<br>j = %{{x}}<br><b>{symbol} = {unit}</b><extra></extra>",
    }


def correlation_cells(cells: ndarray, percent: bool) -> ndarray:
    """R in single precision, or in whole percent."""
    return np.rint(100 * cells).astype(np.int8) if percent else cells.astype(np.float32)


def axes(shown: Raster, labels: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both axes of a square of cells, the first direction at the top left."""
    count = shown.count
    step = next(s for s in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 10**9) if (shown.last - shown.start) / s <= 5)
    ticked = [shown.start + 1, *range((shown.start // step + 1) * step, shown.last + 1, step)]
    if len(ticked) > 2 and ticked[1] - ticked[0] < step / 2 and ticked[0] > 1:
        del ticked[1]
    places = {t: shown.place(t) or 0 for t in ticked}
    axis = {
        "type": "category",
        "tickvals": [labels[p] for p in places.values()],
        "ticktext": [str(t) for t in places],
        "showgrid": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickangle": 0,
        "constrain": "domain",
        "automargin": True,
        # A thin frame, since zero is transparent.
        "mirror": True,
        "showline": True,
        "linecolor": palette.GRID,
    }
    across = axis | {"title": {"text": "direction j", "standoff": 4}, "range": [-0.5, count - 0.5]}
    down = axis | {"title": {"text": "direction i", "standoff": 4}, "range": [count - 0.5, -0.5], "scaleanchor": "x"}
    return across, down | {"constraintoward": "top"}


def cross(shown: Raster, marked: int | None, count: int) -> list[dict[str, Any]]:
    """Row and column of the direction that is pointed at, framed."""
    place = None if marked is None else shown.place(marked)
    if place is None:
        return []
    line = {"type": "rect", "line": {"color": palette.MARK, "width": 1.2}}
    near, whole = (place - 0.5, place + 0.5), (-0.5, count - 0.5)
    return [
        line | dict(zip(("x0", "x1", "y0", "y1"), (*a, *b), strict=True)) for a, b in ((near, whole), (whole, near))
    ]


def _square(traces: list[dict[str, Any]], shown: Raster, marked: int | None) -> go.Figure:
    labels = traces[0]["x"]
    across, down = axes(shown, labels)
    look = {"margin": {"l": 8, "r": 8, "t": 4, "b": 40}, "showlegend": False}
    # One stays zoomed in while the same directions are shown.
    overlay = {"uirevision": f"{shown.start} {shown.step}", "shapes": cross(shown, marked, shown.count)}
    return palette.figure(traces, layout(HEIGHT, xaxis=across, yaxis=down, **look, **overlay))


def covariance(
    block: ndarray,
    eigenvalues: ndarray,
    shown: Raster | None = None,
    marked: int | None = None,
    colours: Scale | None = None,
) -> go.Figure:
    """K on a colour scale whose ticks are values of K; marked: a direction, from 1; colours: symmetric-log unless told
    otherwise."""
    shown = shown or raster(block.shape[0])
    cells = shown.cells(block)
    colours = colours or scale(cells[: shown.count, : shown.count])
    return _square(covariance_traces(cells, colours, shown.common(shown.labels(eigenvalues))), shown, marked)


def correlation(
    block: ndarray, eigenvalues: ndarray, symbol: str = "R", shown: Raster | None = None, marked: int | None = None
) -> go.Figure:
    """A correlation matrix, −1 … 1 around 0: the same scale for the real and the random one."""
    shown = shown or raster(block.shape[0])
    cells = shown.cells(block)
    # A byte holds no mark for what is undefined.
    percent = shown.step == 1 and len(cells) > EXACT and bool(np.isfinite(cells).all())
    return _square([correlation_trace(cells, symbol, shown.common(shown.labels(eigenvalues)), percent)], shown, marked)
