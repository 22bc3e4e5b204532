"""The frame of every page: title, menu, what is selected, and a sentence in place of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.state import selection

if TYPE_CHECKING:
    pass
from pages.state.menu import MENU, entry
from pages.text.run_names import describe, escaped, makeup, names, settings
from pages.ui.guard import sentences

LOGO = str(Path(__file__).with_name("logo.svg"))
# Pixels: three heatmaps fit beside it on a screen of 1000.
WIDTH = 240
STYLE = Path(__file__).with_name("style.css")
_NAMES = "names of runs"


@contextmanager
def page(name: str) -> Iterator[None]:
    """Set the page up, draw the menu, and show whatever goes wrong inside as a sentence.

    Nothing heavy is imported before the menu and the page's first words are on the screen.
    """
    title = "Gammascope" if name == "start" else f"{entry(name).label} · Gammascope"
    st.set_page_config(page_title=title, page_icon=LOGO, layout="wide", initial_sidebar_state=WIDTH)
    st.html(STYLE)
    if selection.scale() != 1:
        st.html(f"<style>html {{ font-size: {selection.scale():.0%} !important; }}</style>")
    with st.sidebar:
        _brand()
        _menu()
        here = st.container()
    with sentences():
        _guide(name)
        selection.publish()
        _missing()
        yield
        _questions(name)
        with here:
            _at_work(name)
            _selected(name)
            _projector(name)
            _check(name)


def _brand() -> None:
    with st.container(key="brand", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.image(LOGO, width=40)
        st.markdown("### Gammascope", width="content")


def _menu() -> None:
    for title, entries in MENU.items():
        st.caption(title)
        for one in entries:
            st.page_link(one.file, label=one.label, icon=one.icon, width="stretch")


def _missing() -> None:
    """What a copied link names that this cache does not hold."""
    wanted = selection.current()
    if wanted.run is None and wanted.runs is None and wanted.layer is None:
        return
    from pages.data import results

    for sentence in results.missing(wanted):
        st.info(sentence, icon=":material/link_off:")


def _at_work(name: str) -> None:
    """What is being trained or analysed, in a line; the Train page tells it at length."""
    from pages.data import results
    from pages.jobs import watch

    # Some pages tell it at length: Train, the start page until it has results, and Table 1 its own sweeps.
    told = name == "train" or (name == "start" and results.present() is None)
    watch.in_short(queue=not told, sweeps=name != "table")


def _selected(name: str) -> None:
    """The run that every page shows, and a choice where there are several."""
    from pages.data import results

    runs = results.runs()
    run = results.chosen_run()
    if run is None:
        return
    st.divider()
    if len(runs) > 1:
        told = names(runs)
        if st.session_state.get(_NAMES) != told:
            # A choice made in other words would go on being shown in them.
            st.session_state[_NAMES] = told
            st.session_state.pop(f"{name}.run", None)
        st.selectbox("Run", list(told), format_func=told.__getitem__, **selection.bound(name, "run", run.key))
    else:
        st.caption("Run")
        st.markdown(f"**{escaped(describe(run))}**")
    layers = results.layers(run)
    if len(layers) > 1:
        st.selectbox(
            "Layer",
            layers,
            format_func=selection.layer_name,
            help="The fully connected layer whose weights are studied, or several of them jointly. This run has more "
            "than one that is analysed.",
            **selection.bound(name, "layer", results.chosen_layer(run)),
        )
    what = f"{makeup(run)}. " if run.label or len(runs) > 1 else ""
    st.caption(escaped(what + settings(run)))


def _check(name: str) -> None:
    from pages.shell import verify_dialog

    verify_dialog.button(name)


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


def _guide(name: str) -> None:
    """The guided tour that is on, and the way back from presenting."""
    here = selection.current()
    if here.tour is not None or here.present:
        from pages.rooms.tours import bar

        bar.show(name)


def _questions(name: str) -> None:
    """What a class may be asked about the page."""
    from pages.shell import questions

    questions.show(name)
