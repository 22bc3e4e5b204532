"""Which matrix predicts the noise: each against the measured C, in slope, size and distance, along training."""

import streamlit as st

from pages.data.results import View
from pages.jobs import banner
from pages.rooms.direction.line import line
from pages.rooms.predictors import figures, measure, panels, text
from pages.ui import cards, controls, heading, toolbar
from pages.ui.guard import guarded

PAGE = "predictors"


def show() -> None:
    """The knobs, which predictor is nearest, its cloud beside all distances, the numbers, and their course."""
    view = banner.opening("What predicts the noise?")
    if view is None:
        return
    compared(view)


@st.fragment
@guarded
def compared(view: View) -> None:
    """All that the knobs move."""
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    if "C" not in view.analysis.names:
        st.info("This analysis has no measured noise C. Analyse again with it.", icon=":material/info:")
        return
    panels.absent(PAGE, view)
    with toolbar.drawer(bar, f"{PAGE}.window", f"{PAGE}.predictor"):
        choice = st.container()
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        st.caption(controls.provenance(view))
    numbers = measure.numbers(view, first, last)
    with place:
        heading.answer(text.verdict(numbers) + text.mistakes(view.analysis.provenance.largest), text.PREDICTED)
    nearest = (*figures.order_of(numbers, "absolute"), *numbers)[0]
    shown = {name: numbers[name] for name in numbers if name == nearest or name in controls.offered(numbers)}
    with choice:
        chosen = panels.choice(PAGE, tuple(shown), nearest)
        controls.everything(PAGE)
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            heading.titled(panels.cloud(view, chosen, first, last))
        with pair.cell():
            heading.titled(panels.distances(view, shown, chosen))
    line(PAGE, view, ("C",))
    heading.heading("In numbers", text.SLOPE + text.SIZE + text.DISTANCE)
    st.markdown(text.table(shown))
    panels.source(view, first, last)
    panels.the_proof(PAGE, view, first, last)
    if len(view.epochs) > 1:
        heading.heading("Along training", text.DISTANCE + text.SLOPE + text.SIZE)
        with st.grid(2, min_column_width=400, gap="medium") as grid:
            for panel in panels.along(view, first, last):
                with grid.cell():
                    heading.titled(panel)
