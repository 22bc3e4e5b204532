"""All that is kept: runs side by side, their names, their files, and how much room they take."""

import streamlit as st

from pages.parts.frame import page

PAGE = "runs"


def main() -> None:
    """The table, what the chosen runs have and do not have in common, each of them, and the room they take."""
    from pages.parts import controls, results, room, run_cards, run_table

    st.title("What is kept")
    runs = results.runs()
    if not runs:
        controls.nothing_yet()
    else:
        chosen = run_table.table(runs)
        if len(chosen) > 1:
            run_table.comparison(chosen)
        for run in chosen:
            run_cards.card(run, runs)
    room.room()


with page(PAGE):
    main()
