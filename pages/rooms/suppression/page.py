"""Which curvatures of single samples the noise and its exponent hang on: edit them and see."""

from dataclasses import replace

import streamlit as st

from engine.results.suppression import Spectra
from pages.data import results, suppression
from pages.data.results import View
from pages.jobs import banner
from pages.rooms.direction.line import line
from pages.rooms.suppression import panels
from pages.state import edit
from pages.text import confidence, definitions
from pages.ui import cards, controls, heading, marker, toolbar
from pages.ui.guard import guarded

PAGE = "suppression"


def show() -> None:
    """The knobs, what they show in one sentence and five numbers, and four pictures of it."""
    view = banner.opening("Which curvatures make the exponent?")
    if view is None:
        return
    spectra = results.spectra(view)
    if spectra is None:
        toolbar.opened(PAGE, view)
        panels.missing(view)
        return
    edited(view, spectra)


@st.fragment
@guarded
def edited(view: View, spectra: Spectra) -> None:
    """All that the knobs move."""
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    with toolbar.drawer(bar):
        st.caption(f"{panels.source(view, spectra)} {panels.where(view, spectra)}")
    rank = spectra.kappa.shape[1]
    left, right = st.columns([3, 5], gap="medium")
    with left, st.container(key=panels.KNOBS):
        edit.preset_buttons(PAGE, rank)
        switch = st.container()  # in this order the browser reads the knobs
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        chosen = edit.knobs(PAGE, rank, switch)
    outcome = suppression.outcome(view, chosen, rank, first, last)
    if outcome is None:
        panels.missing(view)
        return
    with place:
        heading.answer(panels.sentence(outcome), definitions.SPECTRA + definitions.SUPPRESSION + panels.BOTH.about)
    marked = marker.pointed(view)
    moved = panels.moved(view, spectra, outcome)
    law = panels.both(view, outcome, spectra, marked)
    with right:
        replace(law, follows=moved[law.head.key]).show()
    panels.cards(outcome, spectra)
    with st.grid(3, min_column_width=300, gap="medium") as grid:
        for panel in (
            panels.new_on_old(view, outcome, spectra, marked),
            panels.single_samples(view, outcome, spectra),
            panels.cumulative(view, outcome, spectra, marked),
        ):
            with grid.cell():
                heading.titled(replace(panel, follows=moved[panel.head.key]))
    confidence.button(view, ("E_h2",), last, first)
    line(PAGE, view, ())
