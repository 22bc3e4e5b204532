"""What a direction is: its weights as they lie in the network, beside the samples that carry it."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.config.commands import AnalyzeCommand
from engine.results.effective_samples import LEADING
from engine.results.matrices import NUMBERS
from engine.samples.table import AtPlaces
from pages.charts import places
from pages.data import directions, samples
from pages.data.results import View
from pages.jobs import analyse, fetch, other_samples
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.direction import carriers
from pages.state.palette import LOOKS
from pages.state.selection import bound
from pages.ui import marker
from pages.ui.controls import provenance
from pages.ui.guard import guarded

if TYPE_CHECKING:
    import plotly.graph_objects as go

_OPEN = "direction dialog"
SIGN = "The sign is arbitrary: $v_i$ and $-v_i$ are one direction, so red and blue may all be swapped."
OLDER = "An older version made this analysis and kept no directions: their numbers are known, their weights are not."
TALL = 400  # pixels: all above the fold of 720


def open_(page: str) -> None:
    """Open it on this page, until it is dismissed."""
    st.session_state[_OPEN] = page


def is_open(page: str) -> bool:
    """Whether it stands open on this page: what a job brings draws the page anew, and it stays."""
    return st.session_state.get(_OPEN) == page


def _shut() -> None:
    st.session_state[_OPEN] = None


@st.dialog("What is this direction?", width="large", on_dismiss=_shut)
@guarded
def dialog(page: str, view: View) -> None:
    """The direction pointed at, or another one by its number."""
    key = f"{page}.what"
    left, right = st.columns([3, 2], gap="medium")
    with right:
        direction = int(
            st.number_input(
                "Direction",
                1,
                view.analysis.k,
                help="1 is the sharpest: the eigenvector of H with the largest curvature.",
                **bound(key, "direction", marker.pointed(view) or 1),
            )
        )
        st.markdown(marker.sentence(view, ("C",) if "C" in view.analysis.names else (), direction))
        _carriers(key, view, direction)
    with left:
        own = directions.weights(view, direction)
        if own:
            _weights(view, direction, own)
        else:
            _missing(key, view, direction)


def _weights(view: View, direction: int, own: tuple[ndarray, ...]) -> None:
    """A picture for each layer; of layers studied jointly on one scale each, for all are parts of one direction."""
    for number, (layer, w) in enumerate(zip(view.chosen.request.layers, own, strict=True)):
        # The bias lies in no picture.
        drawn = w[:, :-1] if view.analysis.provenance.bias else w
        picture, what = _picture(view, layer, drawn, direction)
        part = float(np.nansum(np.square(picture.data[0]["z"], dtype=float)) / np.square(w, dtype=float).sum())
        few = "" if part > 0.9995 else f" Drawn is what weighs most: {part:.0%} of its square."
        Panel(
            Head(f"direction-{number}"),
            f"direction-{direction}-{layer}",
            picture,
            f"Direction {direction}, an eigenvector of H, as {what}; blue negative and red positive.",
            f"Direction {direction} as {what}.{few} {SIGN} {provenance(view)}",
            arrays=partial(dict, {"v": w}),
            code=lambda: reproduce.one(view, f"v = result.basis[:, {direction - 1}]"),
        ).show()


def _picture(view: View, layer: str, w: ndarray, direction: int) -> tuple["go.Figure", str]:
    """The weights as they lie in the network, and what that is."""
    title, (outputs, inputs) = f"v<sub>{direction}</sub> in {layer}", w.shape
    kernel = directions.kernel(view, layer, inputs)
    if not kernel:
        return places.matrix(w, title, TALL), f"the {outputs:,} × {inputs:,} weights of {layer}"
    size = " × ".join(map(str, kernel[1:]))
    if view.run.kinds.get(layer) == "convolution":
        return places.filters(w, kernel, title, 640), f"the filters of {layer}, {size} each"
    return places.images(w, kernel, title, 640, TALL), f"images: what each of the {outputs:,} outputs of {layer} weighs"


def _missing(key: str, view: View, direction: int) -> None:
    """Why its weights are not drawn, and what is possible."""
    known = directions.kept(view)
    if known:
        st.info(
            f"The weights of the leading {known:,} directions are kept, and this is the {marker.ordinal(direction)}. "
            "Choose one of those; others in Python.",
            icon=":material/info:",
        )
        return
    if view.analysis.provenance.dimension > NUMBERS:
        st.info(
            f"A direction of this layer has {view.analysis.provenance.dimension:,} weights, too many to be kept.",
            icon=":material/info:",
        )
        return
    command = replace(AnalyzeCommand.of(view.chosen.request), again=True)
    call = f'analyze({view.epoch}, "{view.chosen.request.layer}")'
    analyse.ask(f"{key}.again", view, command, OLDER, "Analyse again", call)


def _carriers(key: str, view: View, direction: int) -> None:
    """The samples that carry its noise and its curvature, as far as they are known; the way to know them."""
    known = directions.carriers(view, direction)
    for name, of in known.items():
        carriers.show(view, name, direction, of, f"-{name}")
    table = samples.stored(view)
    if not known and table is None:
        fetch.of(key, view)
    elif not known and isinstance(table, AtPlaces) and direction <= LEADING:
        other_samples.offer(key, view, "It tells as well which samples carry each of the leading directions.")
    elif missing := " and ".join(f"${LOOKS[n].tex}_{{ii}}$" for n in directions.CARRIED if n not in known):
        st.caption(f"Which samples carry {missing} of this direction is not known.")
