"""By which power a covariance grows with the curvature, and how far that statement holds."""

from collections.abc import Mapping

import streamlit as st

from pages.data.results import View
from pages.jobs import banner
from pages.rooms.direction.line import line
from pages.rooms.power_law import panels
from pages.text import definitions, numbers
from pages.ui import cards, controls, heading, marker
from pages.ui.guard import guarded

PAGE = "power_law"


def show() -> None:
    """The knobs, the law with its fits, the numbers of each fit, and what the exponent hangs on."""
    view = banner.opening("By which power does noise grow with curvature?")
    if view is None:
        return
    names = controls.matrices(PAGE, view)
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        controls.epoch(PAGE, view)
    with right:
        by_run = panels.views(PAGE, view)
    if names:
        fitted(view, by_run, names)
    else:
        st.info("Press at least one covariance above to see its power law.", icon=":material/touch_app:")


@st.fragment
@guarded
def fitted(view: View, by_run: Mapping[str, View], names: tuple[str, ...]) -> None:
    """All that hangs on the window of directions: its knob moves nothing else."""
    left, right = st.columns(2, gap="large")
    with left:
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
    with right, st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        centred = controls.centred(PAGE)
        bend = controls.bend(PAGE)
    drawn, marked = panels.clouds(by_run, names, first, last, bend, verdict=True), marker.pointed(view)
    heading.titled(
        panels.law(by_run, drawn, centred, boxes=True, marked=marked, slider=f"{PAGE}.window"),
        "What the axes, lines and shades are",
        level=2,
    )
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
            st.caption(controls.provenance(view))
