"""Single samples on the pages: what is kept of a checkpoint's, and the one button that fetches what is not."""

from pathlib import Path

import streamlit as st
from numpy import ndarray

from cache.store import Store
from engine.config.requests import SamplesRequest
from engine.runs.run import Run
from engine.samples import close_up, table
from engine.samples.close_up import CloseUp
from engine.samples.table import Table
from pages.data import results
from pages.data.results import View

# A few MB each: three epochs side by side for several runs.
ENTRIES = 12
CLOSE_UPS = 64


def stored(view: View, epoch: int | None = None) -> Table | None:
    """The samples of a checkpoint of the run and layer in view, at its epoch for None; None while none are kept."""
    request = SamplesRequest(view.run.key, view.epoch if epoch is None else epoch, view.chosen.request.layer)
    here = results.store()
    version = here.version(*table.place(request, view.run.fingerprint))
    return _read(here.root, view.run.key, request.epoch, request.layer, version, view.run)


def closely(view: View, sample: int, partner: int) -> CloseUp | None:
    """All about a sample and its partner, −1 for none, before the layer in view; None while it is not kept."""
    here, request = results.store(), SamplesRequest(view.run.key, view.epoch, view.chosen.request.layer)
    where = close_up.place(request, view.run.fingerprint, sample, partner)
    return _closely(here.root, where, here.version(*where))


def pictures(view: View) -> ndarray | None:
    """The run's training samples as small pictures (n, h, w) or (n, h, w, 3), bytes; None where they are no images."""
    here = results.store()
    return _pictures(here.root, view.run.key, here.version("runs", view.run.key, "pictures"), view.run)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, run: str, epoch: int, layer: str, version: str, _run: Run) -> Table | None:
    return table.read(Store(root), _run, epoch, layer)


@st.cache_resource(max_entries=CLOSE_UPS, show_spinner=False)
def _closely(root: Path, where: tuple[str, ...], version: str) -> CloseUp | None:
    return close_up.read(Store(root), where)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _pictures(root: Path, run: str, version: str, _run: Run) -> ndarray | None:
    return table.pictures(Store(root), _run)
