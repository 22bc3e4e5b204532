"""Whether the shape of the noise matters: descents in one layer under noise of every shape, beside SGD."""

import streamlit as st

from engine.runs import noise
from pages.data import noise as kept
from pages.jobs import banner
from pages.rooms.noise import choice, panels, text
from pages.ui import controls, heading, toolbar

PAGE = "noise"


def show() -> None:
    """Where it starts, the answer, loss, curvature and accuracy along the way, and what the comparison is worth."""
    view = banner.opening("Does the shape of the noise matter?")
    if view is None:
        return
    view = choice.from_start(view)
    place = st.container()
    bar = toolbar.row(view.run)
    with bar:
        controls.stepped(PAGE, view.epochs, view.epoch)
    noise.check(view.run, view.chosen.request.layer)
    descents = kept.stored(view)
    choice.make(PAGE, view, descents)
    if descents is None:
        with place:
            heading.answer("From this epoch it is not known yet: descents under noise of every shape will tell.")
        heading.what_will_be_seen((text.LOSS, text.TRACE, text.ACCURACY), view)
        return
    with toolbar.drawer(bar, f"{PAGE}.relative"):
        less = panels.beyond(PAGE)
        st.caption(controls.provenance(view))
    with place:
        heading.answer(text.verdict(descents))
    panels.followed(view, descents, less)
    panels.table(descents)
    with st.expander("What is a fair comparison here, and what is not", icon=":material/balance:"):
        st.markdown(text.fairness(view, descents))
    st.caption(text.where(view))
