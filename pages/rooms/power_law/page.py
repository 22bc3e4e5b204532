"""By which power a covariance grows with the curvature, and how far that statement holds."""

import streamlit as st

from pages.data.results import View
from pages.jobs import banner
from pages.rooms.direction.line import line
from pages.rooms.power_law import panels, what_if
from pages.text import answers, definitions, numbers
from pages.ui import cards, controls, heading, marker, predict, toolbar
from pages.ui.guard import guarded

PAGE = "power_law"


def show() -> None:
    """The law with its fits, the numbers of each fit, and what the exponent hangs on."""
    view = banner.opening("By which power does noise grow with curvature?")
    if view is not None:
        fitted(view)


@st.fragment
@guarded
def fitted(view: View) -> None:
    """All that the knobs move."""
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    with toolbar.drawer(bar, *(f"{PAGE}.{knob}" for knob in ("matrices", "window", "centred", "bend", "runs"))):
        names = controls.matrices(PAGE, view)
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
            centred = controls.centred(PAGE)
            bend = controls.bend(PAGE)
            predict.choice(PAGE)
        by_run = panels.views(PAGE, view)
        st.caption(controls.provenance(view))
    if not names:
        st.info("Press at least one covariance under Options to see its power law.", icon=":material/touch_app:")
        return
    with place:
        if predict.asked(PAGE, view, first, last):
            return
        heading.answer(answers.power_law(view, names, first, last), panels.AXES)
    drawn, marked = panels.clouds(by_run, names, first, last, bend, verdict=True), marker.pointed(view)
    panels.law(by_run, drawn, centred, boxes=True, marked=marked, slider=f"{PAGE}.window").show()
    line(PAGE, view, names)
    felt = next((cloud for cloud in drawn if cloud.run == 0 and cloud.fitted.any()), None)
    if felt is not None:
        with st.grid(2, min_column_width=400, gap="medium") as pair:
            with pair.cell():
                heading.titled(panels.by_hand(view, felt))
            moving = panels.local(view, felt)
            if moving is not None:
                with pair.cell():
                    heading.titled(moving)
    what_if.panel(view, first, last)
    heading.over(panels.FITS)
    panels.fits(PAGE, by_run, names, first, last)
    st.markdown(numbers.fill(definitions.SIZE, view))

    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            heading.titled(panels.residuals(by_run, drawn, marked))
        with pair.cell():
            heading.titled(panels.gamma_by_window(by_run, drawn, first, last, marked, f"{PAGE}.window"))
        with pair.cell():
            heading.titled(panels.effective_curvature(view, marked))
        with pair.cell():
            heading.heading("How γ changed along training", definitions.GAMMA, level=3)
            cards.gamma_over_epochs(view, names, first, last).show()
