"""A grid of data, networks, losses, classes and seeds, and the table of exponents that it fills."""

import streamlit as st

from pages.rooms.sweeps import beyond, choice, progress, table, text
from pages.ui import heading


def show() -> None:
    """Which sweep, its work, its table as it fills, and what may be taken away."""
    st.title("Does the law hold across networks?")
    place = st.container()
    chosen = choice.chosen()
    with st.expander("Its settings, as a text to make your own of", icon=":material/edit_note:"):
        choice.editor(chosen)
    heading.heading("The exponents γ", text.TABLE, "What a cell is")
    states = progress.states(chosen.sweep)
    with place:
        heading.answer(text.answer(states), text.TABLE_LEAD)
    table.unlearned(states)
    progress.show(chosen, states)
    progress.failures(states)
    table.downloads(chosen.sweep.name, states)
    table.agreement(chosen.word, states)
    beyond.show(states)
