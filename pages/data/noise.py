"""Descents under noise of different shapes on the pages: what is kept below an analysis."""

from pathlib import Path

import streamlit as st

from cache.store import Store
from engine.results.noise import Descents
from engine.runs import noise
from pages.data import results
from pages.data.results import View

# A few thousand numbers each.
ENTRIES = 32


def stored(view: View) -> Descents | None:
    """The descents from the checkpoint in view; None while none are kept."""
    here, where = results.store(), noise.place(view.run.key, view.chosen.key)
    return _read(here.root, where, here.version(*where))


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, where: tuple[str, ...], version: str) -> Descents | None:
    return noise.read(Store(root), where)
