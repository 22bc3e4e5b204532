"""Activity-weight duality pair by pair: what is exact, what is first order, and what becomes of it."""

import streamlit as st

from engine.samples.table import AtPlaces, Samples
from pages.data import samples
from pages.data.results import View
from pages.jobs import banner, fetch
from pages.rooms.duality import all_pairs, choice, panels, places, places_text, text
from pages.rooms.duality.choice import Chosen
from pages.text import answers
from pages.ui import controls, heading, toolbar
from pages.ui.guard import guarded

PAGE = "duality"


def show() -> None:
    """The checkpoint, one pair of its samples, and all pairs."""
    view = banner.opening("Is a change of input a change of weights?")
    if view is None:
        return
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    with toolbar.drawer(bar):
        st.caption(controls.provenance(view))
    single = view.analysis.provenance.places == 1
    about = (
        (text.CHANGES, text.GRADIENT, text.COVARIANCE)
        if single
        else (places_text.LEAST, places_text.GRADIENT_AT_PLACES)
    )
    tables = fetch.of(PAGE, view, about=about)
    if not tables:
        with place:
            heading.answer(answers.NOT_LOOKED)
        return
    (stored,) = tables
    if isinstance(stored, AtPlaces):
        at_places(view, stored)
    elif isinstance(stored, Samples):
        with place:
            heading.answer(text.answer(choice.chosen(stored)))
        one_vector(view, stored)


@st.fragment
@guarded
def at_places(view: View, stored: AtPlaces) -> None:
    """A pair before a layer that is used at several places."""
    places.show(PAGE, view, stored)


def one_vector(view: View, stored: Samples) -> None:
    """A pair before a layer that is fed one vector, and all pairs."""
    chosen = choice.chosen(stored)
    on_the_way(view, chosen)
    if chosen.possible:
        heading.heading("How far does first order carry?", text.FIRST_ORDER, "What is compared")
        panels.near_and_far(PAGE, view, chosen)
    over_all_pairs(view, chosen)


@st.fragment
@guarded
def on_the_way(view: View, known: Chosen) -> None:
    """The choice of a pair, and all that a step from the sample to its partner moves."""
    chosen = choice.still(known)
    pictures = samples.pictures(view)
    left, right = st.columns(2, gap="large")
    with left:
        choice.strips(PAGE, chosen, pictures)
    if not chosen.possible:
        panels.impossible(chosen)
        return
    with right:
        t = panels.step(PAGE)
        panels.losses(view, chosen, t)
    panels.identities(chosen, t)
    heading.heading("What changes", text.CHANGES, "What the pictures show")
    panels.changes(view, chosen, pictures, t)
    heading.heading("What the gradient does meanwhile", text.GRADIENT, "What v and u are")
    panels.gradient(view, chosen, t)


@st.fragment
@guarded
def over_all_pairs(view: View, known: Chosen) -> None:
    """What becomes of it over all pairs, matched as one likes."""
    chosen = choice.still(known)
    heading.heading("From pairs to a covariance", text.COVARIANCE, "What the bars are")
    all_pairs.panel(PAGE, view, chosen)
