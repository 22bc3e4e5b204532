"""A grid of data, networks, losses, classes and seeds, and the table of exponents that it fills."""

import streamlit as st

from pages.shell.frame import page

PAGE = "table"


def main() -> None:
    """Which sweep, its work, its table as it fills, and what may be taken away."""
    from pages.rooms.sweeps import choice as sweep_choice
    from pages.rooms.sweeps import progress, table
    from pages.text import definitions
    from pages.ui import heading

    st.title("Table 1")
    st.markdown(definitions.TABLE_LEAD)
    choice = sweep_choice.chosen(progress.present())
    with st.expander("Its settings, as a text to make your own of", icon=":material/edit_note:"):
        sweep_choice.editor(choice)
    heading.heading("The exponents γ", definitions.TABLE, "What a cell is")
    states = progress.states(choice.sweep)
    progress.show(choice, states)
    progress.failures(states)
    table.downloads(choice.sweep.name, states)
    table.agreement(choice.word, states)


with page(PAGE):
    main()
