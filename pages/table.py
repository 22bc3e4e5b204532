"""A grid of data, networks, losses, classes and seeds, and the table of exponents that it fills."""

import streamlit as st

from pages.parts.frame import page

PAGE = "table"


def main() -> None:
    """Which sweep, its work, its table as it fills, and what may be taken away."""
    from pages.parts import controls, sweep_choice, sweep_table, sweep_work, words

    st.title("Table 1")
    st.markdown(words.TABLE_LEAD)
    choice = sweep_choice.chosen(sweep_work.present())
    with st.expander("Its settings, as a text to make your own of", icon=":material/edit_note:"):
        sweep_choice.editor(choice)
    controls.heading("The exponents γ", words.TABLE, "What a cell is")
    states = sweep_work.states(choice.sweep)
    sweep_work.show(choice, states)
    sweep_work.failures(states)
    sweep_table.downloads(choice.sweep.name, states)
    sweep_table.agreement(choice.word, states)


with page(PAGE):
    main()
