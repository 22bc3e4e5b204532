"""The sidebar below the menu: what is at work, what every page shows, and how large."""

import streamlit as st

from pages.data import results
from pages.jobs import watch
from pages.shell import verify_dialog
from pages.state import selection
from pages.text.run_names import describe, escaped, makeup, names, settings

_NAMES = "names of runs"


def show(name: str) -> None:
    """Everything that stands below the menu of a page."""
    _at_work(name)
    _selected(name)
    _projector(name)
    verify_dialog.button(name)


def _at_work(name: str) -> None:
    """What is being trained or analysed, in a line; the Train page tells it at length."""
    # Some pages tell it at length: Train, the start page until it has results, and Table 1 its own sweeps.
    detailed = name == "train" or (name == "start" and results.present() is None)
    watch.in_short(queue=not detailed, sweeps=name != "table")


def _selected(name: str) -> None:
    """The run that every page shows, and a choice where there are several."""
    runs = results.runs()
    run = results.chosen_run()
    if run is None:
        return
    st.divider()
    if len(runs) > 1:
        labels = names(runs)
        if st.session_state.get(_NAMES) != labels:
            # A choice made in other words would go on being shown in them.
            st.session_state[_NAMES] = labels
            st.session_state.pop(f"{name}.run", None)
        st.selectbox("Run", list(labels), format_func=labels.__getitem__, **selection.bound(name, "run", run.key))
    else:
        st.caption("Run")
        st.markdown(f"**{escaped(describe(run))}**")
    layers = results.layers(run)
    if len(layers) > 1:
        st.selectbox(
            "Layer",
            layers,
            format_func=selection.layer_name,
            help="The layer whose weights are studied, or several of them jointly. This run has more "
            "than one that is analysed.",
            **selection.bound(name, "layer", results.chosen_layer(run)),
        )
    what = f"{makeup(run)}. " if run.label or len(runs) > 1 else ""
    st.caption(escaped(what + settings(run)))


def _projector(name: str) -> None:
    with st.container(horizontal=True, gap="small"):
        st.toggle(
            "Large type",
            help="For a projector: letters of pages and figures grow.",
            **selection.bound(name, "large", bool(selection.current().large)),
        )
        st.toggle(
            "Present",
            help="Figures, headlines and the tour alone, in large type. Esc leads back.",
            **selection.bound(name, "present", bool(selection.current().present)),
        )
