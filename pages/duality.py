"""Activity-weight duality pair by pair: what is exact, what is first order, and what becomes of it."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.frame import guarded, page

if TYPE_CHECKING:
    from pages.parts.duality.choice import Chosen
    from pages.parts.results import View

PAGE = "duality"


def main() -> None:
    """The checkpoint, and everything about one pair of its samples."""
    from pages.parts import controls, samples

    view = controls.opening("A change of input is a change of weights")
    if view is None:
        return
    controls.epoch(PAGE, view)
    if samples.of(PAGE, view):
        looked_at(view)


@st.fragment
@guarded
def looked_at(view: "View") -> None:
    """All that the choice of a pair moves."""
    from pages.parts import controls, samples
    from pages.parts.duality import choice, covariance, panels, words

    found = samples.found(view)
    if found is None:
        st.rerun()
        return
    chosen = choice.chosen(found)
    choice.strips(PAGE, found, samples.pictures(view), chosen)
    if panels.possible(chosen):
        on_the_way(view, chosen)
        controls.heading("How far does first order carry?", words.FIRST_ORDER, "What is compared")
        panels.near_and_far(PAGE, view, chosen)
    controls.heading("From pairs to a covariance", words.COVARIANCE, "What the bars are")
    covariance.panel(PAGE, view, found, chosen.sample)
    st.caption(controls.provenance(view))


@st.fragment
@guarded
def on_the_way(view: "View", chosen: "Chosen") -> None:
    """All that a step from the sample to its partner moves."""
    from pages.parts import controls
    from pages.parts.duality import panels, words

    t = panels.step(PAGE)
    panels.identities(view, chosen, t)
    controls.heading("What changes", words.CHANGES, "What the pictures show")
    panels.changes(view, chosen, t)
    controls.heading("What the gradient does meanwhile", words.GRADIENT, "What v and u are")
    panels.gradient(view, chosen, t)


with page(PAGE):
    main()
