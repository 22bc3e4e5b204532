"""What sets γ: a sandbox without a network, and the theorem's bound step by step."""

import streamlit as st

from pages.data import results
from pages.rooms.mechanism import controls, panels, spectra, text
from pages.ui import heading
from pages.ui.guard import guarded

PAGE = "sandbox"


def show() -> None:
    """The title, then everything that the knobs move."""
    st.title("What sets γ?")
    playing()


@st.fragment
@guarded
def playing() -> None:
    """The knobs, what they show in one sentence and four pictures, and the proof."""
    view = results.view()
    place = st.container()
    setting = controls.knobs(PAGE)
    made = spectra.made(setting)
    run = panels.beside(PAGE, view)
    with place:
        heading.answer(panels.sentence(setting, made, run), text.LEAD)
    panels.pictures_of(setting, made, run, view)
    if run is not None and view is not None:
        panels.the_proof(PAGE, run, f"run {view.run.key[:8]}, epoch {view.epoch}")
    else:
        panels.the_proof(PAGE, made, "the sandbox")
    panels.how_it_is_made()
