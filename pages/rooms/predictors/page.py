"""Which matrix predicts the noise: each against the measured C, in slope, size and distance, along training."""

import streamlit as st

from pages.data.results import View
from pages.jobs import banner
from pages.rooms.direction.line import line
from pages.rooms.predictors import figures, measure, panels, text
from pages.ui import cards, controls, heading
from pages.ui.guard import guarded

PAGE = "predictors"


def show() -> None:
    """The knobs, which predictor is nearest, its cloud beside all distances, the numbers, and their course."""
    view = banner.opening("What predicts the noise?")
    if view is None:
        return
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        controls.epoch(PAGE, view)
    if "C" not in view.analysis.names:
        st.info("This analysis has no measured noise C. Analyse again with it.", icon=":material/info:")
        return
    with right:
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
    panels.absent(PAGE, view)
    compared(view, first, last)


@st.fragment
@guarded
def compared(view: View, first: int, last: int) -> None:
    """All that the choice of a predictor moves."""
    numbers = measure.numbers(view, first, last)
    mistakes = text.mistakes(view.analysis.provenance.largest)
    st.markdown(f"#### {text.verdict(numbers)}{mistakes}")
    nearest = (*figures.order_of(numbers, "absolute"), *numbers)[0]
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        chosen = panels.choice(PAGE, tuple(numbers), nearest)
        with st.popover("The predictors", icon=":material/help:", type="tertiary"):
            st.markdown(text.PREDICTED)
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            heading.titled(panels.cloud(view, chosen, first, last))
        with pair.cell():
            heading.titled(panels.distances(view, numbers, chosen))
    line(PAGE, view, ("C",))
    heading.heading("In numbers", text.SLOPE + text.SIZE + text.DISTANCE)
    st.markdown(text.table(numbers))
    panels.source(view, first, last)
    panels.the_proof(PAGE, view, first, last)
    if len(view.epochs) > 1:
        heading.heading("Along training", text.DISTANCE + text.SLOPE + text.SIZE)
        with st.grid(2, min_column_width=400, gap="medium") as grid:
            for panel in panels.along(view, first, last):
                with grid.cell():
                    heading.titled(panel)
