"""The frame of every page: title, menu, what is selected, and a sentence in place of a traceback.

The menu is drawn before pandas is loaded, which takes a second: whatever needs it, the page's room too, is imported
below the menu.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from pages.data.snapshot import snapshot
from pages.state import selection
from pages.state.menu import MENU, entry
from pages.ui.guard import sentences

LOGO = str(Path(__file__).with_name("logo.svg"))
# Pixels: three heatmaps fit beside it on a screen of 1000.
WIDTH = 240
STYLE, OUTLINE = (Path(__file__).with_name(name) for name in ("style.css", "outline.js"))


@contextmanager
def page(name: str) -> Iterator[None]:
    """Set the page up, draw the menu, and show whatever goes wrong inside as a sentence."""
    title = "Gammascope" if name == "start" else f"{entry(name).label} · Gammascope"
    st.set_page_config(page_title=title, page_icon=LOGO, layout="wide", initial_sidebar_state=WIDTH)
    st.html(STYLE)
    if selection.scale() != 1:
        st.html(f"<style>html {{ font-size: {selection.scale():.0%} !important; }}</style>")
    with st.sidebar:
        _brand()
        _menu()
        here = st.container()
    with snapshot(), sentences():
        _name_whole()
        _guide(name)
        selection.publish()
        _missing()
        yield
        from pages.shell import questions, sidebar  # slow to load: after the page

        questions.show(name)
        with here:
            sidebar.show(name)


def _brand() -> None:
    with st.container(key="brand", horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        st.image(LOGO, width=40, alt="The logo: points along a rising line")
        st.markdown("Gammascope", width="content")


def _menu() -> None:
    with st.container(key="menu"):
        for title, entries in MENU.items():
            st.caption(title)
            for one in entries:
                selection.page_link(one.name, width="stretch")
        version = OUTLINE.stat().st_mtime_ns
        st.components.v2.component("gammascope_outline", js=_script(version), isolate_styles=False)(key="outline")


@st.cache_resource(show_spinner=False)
def _script(version: int) -> str:
    return OUTLINE.read_text(encoding="utf-8")


def _name_whole() -> None:
    """A link may name runs by the beginnings of their keys."""
    here = selection.current()
    if any(len(key) < selection.WHOLE for key in (*filter(None, (here.run,)), *(here.runs or ()))):
        from pages.data import results  # slow to load: after the menu

        results.name_whole()


def _guide(name: str) -> None:
    """The guided tour that is on, and the way back from presenting."""
    here = selection.current()
    if here.tour is not None or here.present:
        from pages.rooms.tours import bar  # slow to load: after the menu

        bar.show(name)


def _missing() -> None:
    """What a copied link names that this cache does not hold."""
    selected = selection.current()
    if selected.run is None and selected.runs is None and selected.layer is None:
        return
    from pages.data import results  # slow to load: after the menu

    for sentence in results.missing(selected):
        st.info(sentence, icon=":material/link_off:")
