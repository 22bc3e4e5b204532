"""The sidebar below the menu: what is at work, what every page shows, and how large."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from engine.runs.run import Run
from engine.units import counted
from pages.data import results
from pages.jobs import watch
from pages.shell import verify_dialog
from pages.state import selection
from pages.text.run_names import describe, escaped, makeup, names, settings
from pages.ui import pin

_NAMES = "names of runs"


def show(name: str) -> None:
    """Everything that stands below the menu of a page."""
    _at_work(name)
    _selected(name)
    _projector(name)
    verify_dialog.button(name)


def _at_work(name: str) -> None:
    """What is being trained or analysed, in a line; the Train page tells it at length."""
    # Some pages tell it at length: Train, the start page until it has results, the page across networks its sweeps.
    detailed = name == "train" or (name == "start" and results.present() is None)
    watch.in_short(queue=not detailed, sweeps=name != "table")


def _selected(name: str) -> None:
    """The run that every page shows, and a choice where there are several."""
    runs = results.runs()
    run = results.chosen_run()
    if not runs:
        return
    st.divider()
    if len(runs) > 1 or run is None:
        _choice(name, runs, run)
    else:
        st.caption("Run")
        st.markdown(f"**{escaped(describe(run))}**")
    if run is None:
        return
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


def _choice(name: str, runs: Sequence[Run], run: Run | None) -> None:
    """One's own runs, and behind them the sweeps, whose cells are chosen among themselves."""
    swept = results.sweeps()
    mine = [one for one in runs if one.key not in swept]
    cells = [one for one in reversed(runs) if run is not None and swept.get(one.key, "") == swept.get(run.key)]
    count = Counter(swept[one.key] for one in runs if one.key in swept)
    own = names(mine)
    groups = {f"sweep {title}": f"{title}, {counted(number, 'cell')}" for title, number in count.items()}
    labels, among = own | groups, names(cells)
    if st.session_state.get(_NAMES) != (labels, among):
        # A choice made in other words would go on being shown in them.
        st.session_state[_NAMES] = labels, among
        for key in ("run", "group"):
            st.session_state.pop(f"{name}.{key}", None)
    shown = None if run is None else f"sweep {swept[run.key]}" if run.key in swept else run.key
    key = f"{name}.group"
    if st.session_state.get(key) != shown:
        st.session_state[key] = shown

    def changed() -> None:
        chosen = st.session_state[key]
        first = next((one.key for one in reversed(runs) if f"sweep {swept.get(one.key)}" == chosen), chosen)
        selection.choose(run=first)

    with st.container(horizontal=True, vertical_alignment="bottom", gap="xxsmall", wrap=False):
        st.selectbox(
            "Run",
            list(labels),
            index=0 if run is not None else None,  # else it could be cleared
            format_func=labels.__getitem__,
            placeholder="a sweep’s cells",
            key=key,
            on_change=changed,
        )
        if run is not None:
            pin.button(run, "here")
    if cells and run is not None:
        st.selectbox("Cell", list(among), format_func=among.__getitem__, **selection.bound(name, "run", run.key))


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
