"""The loss over pairs of directions on the pages: what is kept below an analysis."""

from pathlib import Path

import streamlit as st

from cache.store import Store
from engine.results.plane import Plane
from engine.runs import plane
from pages.data import results
from pages.data.results import View

# Some 200 KB each.
ENTRIES = 64


def pairs(view: View) -> tuple[tuple[int, int], ...]:
    """Those of the checkpoint in view that are there."""
    return plane.kept(results.store(), view.run.key, view.chosen.key)


def stored(view: View, pair: tuple[int, int]) -> Plane | None:
    """The plane of a pair at the checkpoint in view; None while it is not there."""
    here, where = results.store(), plane.place(view.run.key, view.chosen.key, *pair)
    return _read(here.root, where, here.version(*where))


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, where: tuple[str, ...], version: str) -> Plane | None:
    return plane.read(Store(root), where)
