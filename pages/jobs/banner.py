"""The head of a page of results: its title, the job that adds to it, and what there is to see."""

import streamlit as st

from engine.config.commands import AnalyzeCommand
from pages.data import results
from pages.data.results import View
from pages.jobs import elsewhere, watch
from pages.state import selection
from pages.text import definitions, run_names


def opening(title: str) -> View | None:
    """The beginning of a page: its title and what is selected; without results what to press, and None."""
    st.title(title)
    view = results.view()
    if view is None:
        nothing_yet()
    else:
        watch.progress_of(view.run.key)
        notes(view)
    return view


def notes(view: View) -> None:
    """What has to be known of the numbers: what there is, and what not, of layers studied jointly or at places."""
    for note in view.analysis.provenance.notes:
        st.info(note, icon=":material/info:")
    layers = view.chosen.request.layers
    if len(layers) > 1:
        named = f"{', '.join(layers[:-1])} and {layers[-1]}"
        st.info(
            definitions.JOINTLY.format(layers=named, d=view.analysis.provenance.dimension), icon=":material/layers:"
        )


def several(view: View, what: str) -> bool:
    """Whether several layers are studied jointly; the page then says what is done before a single one alone."""
    layers = view.chosen.request.layers
    if len(layers) > 1:
        st.info(
            f"{what} before one layer, and this is an analysis of {len(layers)} jointly. Choose a single layer in the "
            "menu, or analyse one on the Train page.",
            icon=":material/layers:",
        )
    return len(layers) > 1


def nothing_yet() -> None:
    """What a page says while there is nothing to look at."""
    run = results.chosen_run()
    if run is not None and run.recorded is not None:
        watch.progress_of(run.key)
        epoch = max(run.last_epoch, 0)
        st.info(f"{run_names.escaped(run_names.describe(run))} is recorded, and no layer of it is analysed yet.")
        elsewhere.explain(run, AnalyzeCommand(run.key, (str(epoch),)), f'analyze({epoch}, "{run.studied}")')
        return
    st.info(
        "Nothing is analysed yet. Open the start page: the demo trains a small network on real digits and "
        "brings its first results in about twenty seconds."
        + (" The cells of a sweep are chosen in the menu, or on its table." if results.sweeps() else ""),
        icon=":material/hourglass_empty:",
    )
    selection.page_link("start", label="Go to the start page", icon=":material/play_circle:")
