"""Whether noise is curvature divided by the batch size: the Fisher argument, link by link, along one training."""

import streamlit as st

from engine.samples import fisher
from pages.data.results import View
from pages.jobs import banner, fetch
from pages.rooms.direction.line import line
from pages.rooms.fisher import panels, text
from pages.text import answers, confidence
from pages.ui import cards, controls, heading, toolbar
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
    place = st.container()
    bar = toolbar.row(view.run)
    with bar:
        epochs = panels.epochs(PAGE, view)
    samples = fetch.of(PAGE, view, epochs, (text.ARGUMENT, text.FIRST, text.SECOND))
    if not samples:
        with place:
            heading.answer(answers.NOT_LOOKED)
        return
    with toolbar.drawer(bar, *(f"{PAGE}.{knob}" for knob in ("beside", "window", "relative"))):
        names = panels.matrices(PAGE)
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        divided = panels.relative(PAGE)
        st.caption(controls.provenance(view, epochs))
    stages = [fisher.of(each) for each in samples]
    with place:
        heading.answer(text.answer(stages, first, last), text.ARGUMENT + text.FIGURES)
    panels.side_by_side(view, stages, names, first, last, divided)
    st.markdown(text.verdict(stages, first, last))
    line(PAGE, view, ())
    panels.slopes_and_sizes(view, stages, first, last)
    heading.heading("Three links, and where they break", text.ARGUMENT, "The argument")
    panels.links(stages, first, last)
    heading.heading("In numbers", text.SLOPES + text.SIZES, level=3)
    panels.table(stages, first, last)
    confidence.button(view, ("C", "E_h2"), last, first)
