"""All that is kept: runs side by side, their names, their files, and how much room they take."""

import streamlit as st

from engine.units import counted
from pages.data import results
from pages.jobs import banner, watch
from pages.rooms.runs import cards, disk_space, table
from pages.ui import heading


def show() -> None:
    """The table, what the chosen runs have and do not have in common, each of them, and the room they take."""
    st.title("What is kept?")
    runs = tuple(sorted(results.runs(), key=lambda run: run.key in results.sweeps()))
    if not runs:
        banner.nothing_yet()
    else:
        analysed = sum(bool(results.analysed(run)) for run in runs)
        heading.answer(f"**{counted(len(runs), 'run')}**, {analysed or 'none'} of them analysed.")
        chosen = table.table(runs)
        if len(chosen) > 1:
            table.comparison(chosen)
        for run in chosen:
            watch.follow(run, part="")
            cards.card(run, runs)
    disk_space.room()
