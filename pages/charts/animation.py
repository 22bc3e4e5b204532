"""Pictures through all epochs inside one figure: plotly's frames, a slider and a play button, no server in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy import ndarray

from pages.charts import heatmaps, over_epochs
from pages.charts.heatmaps import Raster
from pages.state import palette
from pages.state.palette import layout

# Directions, and epochs: together below two megabytes.
MOST, FRAMES = 100, 22
HOLD = 700  # milliseconds an epoch stays
HEIGHT = 540
GAP = 0.08
# Pixels that a slider takes below the axes, and a second one below it.
BELOW, LOWER = 76, 72
AT_ONCE = {"mode": "immediate", "transition": {"duration": 0}}
ABOVE = {"xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}


@dataclass(frozen=True)
class Frame:
    """One epoch: the leading blocks of K and R_real, and its numbers in a sentence."""

    epoch: int
    block: ndarray
    correlation: ndarray
    numbers: str

    @property
    def title(self) -> str:
        return f"<b>Epoch {self.epoch}</b> · {self.numbers}"


def fewer(epochs: Sequence[int]) -> list[int]:
    """At most FRAMES of these epochs, evenly, the first and the last among them."""
    places = np.unique(np.linspace(0, len(epochs) - 1, min(FRAMES, len(epochs))).round().astype(int))
    return [epochs[p] for p in places]


def play(
    frames: Sequence[Frame],
    present: int,
    random: ndarray | None,
    marked: int | None = None,
    leading: Sequence[int] = (),
) -> go.Figure:
    """All frames, the present epoch first; marked: a direction (from 1), framed in every picture; leading: the numbers
    of directions that a second slider offers."""
    k = frames[0].block.shape[0]
    shown = Raster(0, k)
    # A byte holds no mark for what is undefined.
    whole = all(np.isfinite(f.correlation).all() for f in frames)
    colours = heatmaps.scale(*(f.block for f in frames))
    now = next((place for place, f in enumerate(frames) if f.epoch == present), len(frames) - 1)
    # Curvatures differ from epoch to epoch, so the cells are named by their direction alone.
    names = [str(i + 1) for i in range(k)]
    common = shown.common(names)
    titles = ["<i>K</i> – the noise", "<i>R</i><sub>real</sub> – measured"]
    pictures: list[list[dict[str, Any]]] = [
        heatmaps.covariance_traces(frames[now].block, colours, common),
        [heatmaps.correlation_trace(frames[now].correlation, "R<sub>real</sub>", common, whole)],
    ]
    if random is not None:
        titles.append("<i>R</i><sub>rand</sub> – by chance")
        pictures.append([heatmaps.correlation_trace(random, "R<sub>rand</sub>", common)])
    width = (1 - GAP * (len(pictures) - 1)) / len(pictures)
    traces: list[Any] = []
    places: dict[str, Any] = {}
    notes, shapes = [], []
    for n, (title, picture) in enumerate(zip(titles, pictures, strict=True), start=1):
        left = (n - 1) * (width + GAP)
        across, down = heatmaps.axes(shown, names)
        end = "" if n == 1 else str(n)
        places[f"xaxis{end}"] = across | {"domain": [left, left + width], "anchor": f"y{end}"}
        places[f"yaxis{end}"] = down | {"scaleanchor": f"x{end}", "anchor": f"x{end}"}
        notes.append(palette.note(title, left, 1.01, size=14, **ABOVE))
        shapes += [shape | {"xref": f"x{end}", "yref": f"y{end}"} for shape in heatmaps.cross(shown, marked, k)]
        for trace in picture:
            trace |= {"xaxis": f"x{end}", "yaxis": f"y{end}"}
        bar = {"x": left + width / 2, "xanchor": "center", "len": width * 0.94, "y": -0.16, "yref": "paper"}
        last = picture[-1]
        last.get("marker", last)["colorbar"] |= bar | {"yanchor": "top"}
        traces += picture
    moving = [0, len(pictures[0])]
    return go.Figure(
        data=traces,
        frames=[
            go.Frame(
                name=str(f.epoch),
                data=[
                    {"type": "heatmap", "z": f.block.astype(np.float32)},
                    {"type": "heatmap", "z": heatmaps.correlation_cells(f.correlation, whole)},
                ],
                traces=moving,
                layout={"title": {"text": f.title}},
            )
            for f in frames
        ],
        layout=layout(
            HEIGHT + (LOWER if leading else 0),
            title={"text": frames[now].title, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top"}
            | {"font": {"size": 15}, "pad": {"t": 6}},
            margin={"l": 8, "r": 8, "t": 62, "b": 190 + (LOWER if leading else 0)},
            showlegend=False,
            annotations=notes,
            shapes=shapes,
            sliders=[_epochs([f.epoch for f in frames], now, 118), *_leading(leading, len(pictures), 118 + LOWER)],
            updatemenus=[_buttons(122)],
            **places,
        ),
    )


def through(figures: Mapping[int, go.Figure], present: int) -> go.Figure:
    """Figures of one kind by their epoch as one that plays, on axes that hold all of them; their traces are told apart
    by uid."""
    whole = figures[present]
    over_epochs.share(list(figures.values()))
    every = [{trace.uid: trace.to_plotly_json() for trace in figure.data} for figure in figures.values()]
    kinds = {uid: {"type": trace["type"], "mode": trace["mode"]} for traces in every for uid, trace in traces.items()}
    marks = max(len(figure.layout.shapes) for figure in figures.values())
    notes = max(len(figure.layout.annotations) for figure in figures.values())

    def complete(traces: Mapping[str, Any]) -> list[dict[str, Any]]:
        none = {"x": [None], "y": [None], "customdata": [[None]], "showlegend": False}
        return [traces.get(uid, kind | none | {"uid": uid}) for uid, kind in kinds.items()]

    def beside(figure: go.Figure) -> dict[str, Any]:
        """Lines and words of one epoch; those that it lacks are hidden."""
        own = figure.layout.to_plotly_json()
        padded = {}
        for name, count in (("shapes", marks), ("annotations", notes)):
            mine = [{**one, "visible": True} for one in own.get(name, ())]
            padded[name] = mine + [{"visible": False}] * (count - len(mine))
        return padded

    places = list(figures)
    frames = [
        go.Frame(name=str(epoch), data=complete(traces), traces=list(range(len(kinds))), layout=beside(figure))
        for (epoch, figure), traces in zip(figures.items(), every, strict=True)
    ]
    room = whole.layout.margin.to_plotly_json()
    now = go.Figure(complete(every[places.index(present)]), whole.layout, frames)
    return now.update_layout(
        beside(whole),
        height=whole.layout.height + BELOW,
        margin={**room, "b": (room.get("b") or 0) + BELOW},
        sliders=[_epochs(places, places.index(present), 58)],
        updatemenus=[_buttons(62)],
    )


def _epochs(epochs: Sequence[int], now: int, below: int) -> dict[str, Any]:
    """The slider over the epochs, so many pixels below the axes."""
    go_there = AT_ONCE | {"frame": {"duration": 0, "redraw": True}}
    steps = [{"label": str(epoch), "method": "animate", "args": [[str(epoch)], go_there]} for epoch in epochs]
    return _slider(steps, now, below)


def _leading(counts: Sequence[int], pictures: int, below: int) -> list[dict[str, Any]]:
    """The slider over the number of directions: it moves the ends of all axes."""
    steps = []
    for k in counts:
        ticks = heatmaps.axes(Raster(0, k), [str(i + 1) for i in range(k)])
        change = {
            f"{letter}axis{n or ''}.{name}": axis[name]
            for n in (0, *range(2, pictures + 1))
            for letter, axis in zip("xy", ticks, strict=True)
            for name in ("range", "tickvals", "ticktext")
        }
        steps.append({"label": str(k), "method": "relayout", "args": [change]})
    if not steps:
        return []
    words = {"visible": True, "prefix": "Leading directions: k = ", "font": {"size": 13}}
    return [_slider(steps, len(steps) - 1, below) | {"currentvalue": words}]


def _slider(steps: Sequence[dict[str, Any]], now: int, below: int) -> dict[str, Any]:
    return {
        "active": now,
        "steps": steps,
        "currentvalue": {"visible": False},
        "x": 0.17,
        "len": 0.83,
        "y": 0,
        "yanchor": "top",
        "pad": {"t": below},
        "tickcolor": palette.QUIET,
        "bgcolor": palette.TRAIN,
        "activebgcolor": palette.TRAIN,
        "bordercolor": palette.GRID,
        "font": {"size": 12},
    }


def _buttons(below: int) -> dict[str, Any]:
    """Play and pause."""
    going = AT_ONCE | {"frame": {"duration": HOLD, "redraw": True}, "fromcurrent": True}
    stopped = AT_ONCE | {"frame": {"duration": 0, "redraw": False}}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": below},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": palette.QUIET,
        "buttons": [
            {"label": "▶ Play", "method": "animate", "args": [None, going]},
            {"label": "❚❚", "method": "animate", "args": [[None], stopped]},
        ],
    }
