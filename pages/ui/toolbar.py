"""The slim bar at the head of a page: which run, which epoch, one knob more, and a drawer for all the rest."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from engine.runs.run import Run
from pages.data import results
from pages.data.results import View
from pages.state import selection
from pages.text.run_names import describe, escaped
from pages.ui import controls

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# The keys that the stop of a tour points at.
_ASKED = "asked for by the tour"


def ask(keys: Iterable[str]) -> None:
    """Have these controls in sight on this page, none of them in the drawer."""
    st.session_state[_ASKED] = frozenset(keys)


def row(run: Run) -> "DeltaGenerator":
    """The bar, which stays in sight, with the run; the page adds its knobs."""
    bar = st.container(key="bar", horizontal=True, vertical_alignment="center", gap="small", wrap=False)
    bar.caption(escaped(describe(run)), width="content")
    return bar


def opened(page: str, view: View) -> "DeltaGenerator":
    """The bar with its slider over epochs. A fragment draws the page anew where another view is selected since."""
    now = results.view()
    if now is None or now.key != view.key:
        st.rerun()
    bar = row(view.run)
    with bar:
        controls.stepped(page, view.epochs, view.epoch)
    selected = selection.current().epoch
    if selected is not None and selected not in view.epochs and len(view.epochs) > 1:
        st.caption(f"Epoch {selected} is not analysed here; the nearest is shown.")
    return bar


@contextmanager
def drawer(bar: "DeltaGenerator", *keys: str) -> Iterator[None]:
    """What is set once: behind “Options” in the bar, or below it where a tour points at one of these keys."""
    asked = st.session_state.get(_ASKED, frozenset()) if selection.current().tour is not None else frozenset()
    if not asked.isdisjoint(keys):
        with st.container(key="drawer-open"):
            yield
        return
    with bar, st.container(key="drawer", width="content"), st.expander("Options", icon=":material/tune:"):
        yield
