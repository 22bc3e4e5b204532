"""Whether noise is curvature divided by the batch size: the Fisher argument, link by link, along one training."""

import streamlit as st

from engine.samples import fisher
from pages.data.results import View
from pages.jobs import banner, fetch
from pages.rooms.direction.line import line
from pages.rooms.fisher import panels, text
from pages.text import confidence
from pages.ui import cards, controls, heading
from pages.ui.guard import guarded

PAGE = "fisher"


def show() -> None:
    """The knobs, the verdict, the matrices side by side at three epochs, and the three links of the argument."""
    view = banner.opening("Is the noise the curvature over B?")
    if view is not None:
        compared(view)


@st.fragment
@guarded
def compared(view: View) -> None:
    """All that the knobs move."""
    left, middle, right = st.columns([3, 3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        epochs = panels.epochs(PAGE, view)
    samples = fetch.of(PAGE, view, epochs, (text.ARGUMENT, text.FIRST, text.SECOND))
    if not samples:
        return
    with middle:
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
    with right:
        divided = panels.relative(PAGE)
    stages = [fisher.of(each) for each in samples]
    st.markdown(f"**{text.verdict(stages, first, last)}**")
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        names = panels.matrices(PAGE)
        with st.popover("The argument, and what is drawn", icon=":material/help:", type="tertiary"):
            st.markdown(text.ARGUMENT + text.FIGURES)
    panels.side_by_side(view, stages, names, first, last, divided)
    line(PAGE, view, ())
    panels.slopes_and_sizes(view, stages, first, last)
    heading.heading("Three links, and where they break", text.ARGUMENT, "The argument")
    panels.links(stages, first, last)
    heading.heading("In numbers", text.SLOPES + text.SIZES, level=3)
    panels.table(stages, first, last)
    confidence.button(view, ("C", "E_h2"), last, first)
    st.caption(controls.provenance(view, epochs))
