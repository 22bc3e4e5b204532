"""Single samples on the pages: what is kept of a checkpoint's, and the one button that fetches what is not."""

from pathlib import Path

import streamlit as st
from numpy import ndarray

from cache.store import Store
from engine.config.requests import SamplesRequest
from engine.runs.library import Run
from engine.samples import table
from engine.samples.table import Samples
from pages.data import results
from pages.data.results import View

# A few MB each: three epochs side by side for several runs.
ENTRIES = 12


def stored(view: View, epoch: int | None = None) -> Samples | None:
    """The samples of a checkpoint of the run and layer in view, at its epoch for None; None while none are kept."""
    request = SamplesRequest(view.run.key, view.epoch if epoch is None else epoch, view.chosen.request.layer)
    here = results.store()
    version = here.version(*table.place(request, view.run.fingerprint))
    return _read(here.root, view.run.key, request.epoch, request.layer, version, view.run)


def pictures(view: View) -> ndarray | None:
    """The run's training samples as small pictures (n, h, w) or (n, h, w, 3), bytes; None where they are no images."""
    here = results.store()
    return _pictures(here.root, view.run.key, here.version("runs", view.run.key, "pictures"), view.run)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, run: str, epoch: int, layer: str, version: str, _run: Run) -> Samples | None:
    return table.read(Store(root), _run, epoch, layer)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _pictures(root: Path, run: str, version: str, _run: Run) -> ndarray | None:
    return table.pictures(Store(root), _run)
