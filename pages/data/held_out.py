"""How an analysis holds on other samples, as far as that is kept: read once, seen as soon as it is there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st
from numpy import ndarray

from cache.store import Store
from engine.results.cross_fit import CrossFit, HeldOut
from engine.results.null import StructuralNull
from engine.runs import library
from pages.data import results
from pages.data.results import View

ENTRIES = 64


def stored(view: View) -> HeldOut | None:
    """That of the analysis in view; None while nobody has looked."""
    return _stored(view.run.key, view.chosen.key)


def cross_fit(view: View, name: str, last: int, first: int = 0) -> CrossFit | None:
    """γ over directions first … last − 1 on the samples that gave them, and on others; None while nobody has looked,
    or where one of them has no slope."""
    result = stored(view)
    return None if result is None else _cross_fit(view.key, _version(view), name, last, first, view, result)


def structural(view: View, last: int) -> StructuralNull | None:
    """C beside its permutations over the leading directions; None while nobody has permuted, or where the analysis
    kept too little to compare."""
    result = stored(view)
    return (
        None
        if result is None or "C" not in result.structural
        else _structural(view.key, _version(view), last, view, result)
    )


def carrying(view: View, name: str) -> ndarray:
    """N_eff of the trace of a matrix at each analysed epoch; NaN where nobody has looked."""
    by_epoch = {made.request.epoch: made for made in view.analysed}
    there = (_stored(view.run.key, by_epoch[epoch].key) for epoch in view.epochs)
    return np.array(
        [np.nan if one is None or name not in one.effective else one.effective[name].whole for one in there]
    )


def _stored(run: str, analysis: str) -> HeldOut | None:
    version = results.store().version("runs", run, "analyses", analysis, library.HELD_OUT)
    return _read(results.store().root, run, analysis, version)


def _version(view: View) -> str:
    return results.store().version("runs", view.run.key, "analyses", view.chosen.key, library.HELD_OUT)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _read(root: Path, run: str, analysis: str, version: str) -> HeldOut | None:
    return library.held_out(Store(root), run, analysis)


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _cross_fit(
    key: results.Key, version: str, name: str, last: int, first: int, _view: View, _there: HeldOut
) -> CrossFit | None:
    try:
        return replace(_view.analysis, held_out=_there).cross_fit(name, last, seed=_there.seed, first=first)
    except ValueError:
        return None


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _structural(key: results.Key, version: str, last: int, _view: View, _there: HeldOut) -> StructuralNull | None:
    try:
        return replace(_view.analysis, held_out=_there).structural_null("C", last, seed=_there.structural["C"].seed)
    except ValueError:
        return None
