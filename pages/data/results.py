"""What the pages show, read from the cache once and kept at hand.

Keyed on the store's own version tokens, so a new result is seen at once and an old one is never read twice; the tokens
themselves are asked for once a rerun.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

# A rerun may begin in a new thread while the one before still imports; plotly takes a half imported pandas as it is.
import pandas  # noqa: F401
import streamlit as st
from numpy import ndarray

from cache.store import Store
from engine.config.requests import RunRequest, joined
from engine.results.analysis import Analysis
from engine.results.names import USUAL_WINDOW
from engine.results.power_law import Fit
from engine.results.suppression import Spectra, Suppressed, suppress
from engine.runs import estimate, library
from engine.runs.estimate import Earlier
from engine.runs.library import Analysed
from engine.runs.run import Run
from engine.sweeps import status
from pages.data.snapshot import PageStore, once
from pages.state import selection

HISTORY_ENTRIES, ANALYSIS_ENTRIES, DERIVED_ENTRIES = 256, 24, 64
# Spectra are large: about 20 MB for 2,000 samples and 2,500 directions.
SPECTRA_ENTRIES = 6
# A few numbers each: nine matrices at some twenty epochs, for several windows.
COURSE_ENTRIES = 1024
_PRESENT = "present view"
# What names an analysis: the cache's folder, the keys of run and analysis, and when it was made, for made again it is
# another one. Cache keys are made of it, never of its arrays.
Key = tuple[Path, str, str, float]


@dataclass(frozen=True)
class View:
    """One analysis of one checkpoint, and what else the run has."""

    run: Run
    analysed: tuple[Analysed, ...]
    chosen: Analysed
    analysis: Analysis

    @property
    def epoch(self) -> int:
        return self.chosen.request.epoch

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs that are analysed as the chosen one is, rising."""
        return tuple(sorted({a.request.epoch for a in self.analysed}))

    @property
    def key(self) -> Key:
        return key_of(self.run.key, self.chosen)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Of every analysis of the run that is made as this one is, by epoch."""
        return tuple(key_of(self.run.key, a) for a in sorted(self.analysed, key=lambda a: a.request.epoch))


def store() -> Store:
    """The cache this dashboard shows, as this rerun sees it."""
    return PageStore()


def runs() -> tuple[Run, ...]:
    """All runs, newest first."""
    return once(_runs, store())


def _runs(here: Store) -> tuple[Run, ...]:
    loaded = (_run(here.root, key, here.version("runs", key)) for key in here.list("runs"))
    return tuple(sorted((r for r in loaded if r is not None), key=lambda r: r.created, reverse=True))


@st.cache_resource(max_entries=HISTORY_ENTRIES, show_spinner=False)
def _run(root: Path, key: str, version: str) -> Run | None:
    return library.run(Store(root), key)


@st.cache_resource(max_entries=HISTORY_ENTRIES, show_spinner=False)
def _analysed(root: Path, run: str, version: str) -> tuple[Analysed, ...]:
    return library.analyses(Store(root), run)


def key_of(run: str, made: Analysed) -> Key:
    """What names an analysis of a run."""
    return store().root, run, made.key, made.created


@st.cache_resource(max_entries=ANALYSIS_ENTRIES, show_spinner=False)
def _analysis(key: Key) -> Analysis | None:
    root, run, made, _ = key
    return library.load_analysis(Store(root), run, made)


def analysed(run: Run) -> tuple[Analysed, ...]:
    """The newest analysis of each epoch and layer of a run, by epoch."""
    here = store()
    newest = {
        (a.request.epoch, a.request.layer): a for a in _analysed(here.root, run.key, here.version("runs", run.key))
    }
    return tuple(newest.values())


def earlier_work() -> Earlier:
    """What runs and analyses took on this machine."""
    return once(_earlier_work)


def _earlier_work() -> Earlier:
    return estimate.earlier([(run, analysed(run)) for run in runs()])


def analysis(run: str, made: Analysed) -> Analysis | None:
    """One analysis; None if it was damaged."""
    return _analysis(key_of(run, made))


def pinned() -> str | None:
    """The key of the run that opens first."""
    return once(library.pinned, store())


def sweeps() -> Mapping[str, str]:
    """The name of the sweep that trained a run, by the run's key; runs that no sweep trained are not among them."""
    return once(_sweeps, store())


def _sweeps(here: Store) -> Mapping[str, str]:
    return _trained(here.root, here.version("cells"))


@st.cache_resource(max_entries=8, show_spinner=False)
def _trained(root: Path, version: str) -> Mapping[str, str]:
    return {run: name or "a sweep" for run, name in status.trained(Store(root)).items()}


def chosen_run() -> Run | None:
    """The selected run, else the one that is pinned, else the demo, else the newest that has results, else the newest;
    a sweep's only where it is selected or pinned."""
    by_key = {run.key: run for run in runs()}
    named = next((key for key in (selection.current().run, pinned()) if key in by_key), None)
    if named is not None:
        return by_key[named]
    mine = [run for key, run in by_key.items() if key not in sweeps()]
    demo_first = sorted(mine, key=lambda run: run.request != RunRequest())
    return next((run for run in demo_first if analysed(run)), next(iter(mine), None))


def beginning(with_: str) -> tuple[str, ...]:
    """The keys of runs that begin so."""
    return tuple(key for key in store().list("runs") if key.startswith(with_))


def name_whole() -> None:
    """Select by their whole keys the runs that a link names by the beginning of one, where that is of one run alone."""

    def whole(key: str) -> str:
        those = beginning(key)
        return those[0] if len(those) == 1 else key

    here = selection.current()
    chosen = {"run": here.run and whole(here.run), "runs": here.runs and tuple(map(whole, here.runs))}
    selection.choose(**chosen)


def layers(run: Run) -> tuple[str, ...]:
    """The layers of a run that are analysed; behind the single ones those studied jointly."""
    studied = dict.fromkeys(a.request.layer for a in analysed(run))
    return tuple(sorted(studied, key=lambda layer: len(joined(layer)) > 1))


def chosen_layer(run: Run) -> str | None:
    """The selected layer, else the first one that is analysed."""
    studied, selected = layers(run), selection.current().layer
    return selected if selected in studied else next(iter(studied), None)


def missing(selected: selection.Selection) -> tuple[str, ...]:
    """Sentences for runs and a layer that are selected and are not here; none in an empty cache."""
    here = {run.key for run in runs()}
    if not here:
        return ()
    sentences = []
    lost = [key for key in (selected.run, *(selected.runs or ())) if key is not None and key not in here]
    for several in [key for key in lost if beginning(key)]:
        lost.remove(several)
        those = beginning(several)
        sentences.append(
            f"{len(those)} runs begin with {several}: {', '.join(key[:8] for key in those[:5])}. Write more letters of "
            "the one that is meant; another is shown until then."
        )
    if lost:
        named = " and ".join(key[:8] for key in lost)
        sentences.append(
            f"This link shows run {named}, which this machine does not have. What is here is shown instead; the link "
            "works where it was made."
        )
    run = chosen_run()
    if selected.layer is not None and run is not None and layers(run) and selected.layer not in layers(run):
        shown = selection.layer_name(chosen_layer(run) or "")
        sentences.append(f"Layer {selection.layer_name(selected.layer)} is not analysed in this run; {shown} is shown.")
    return tuple(sentences)


def view() -> View | None:
    """What is selected, as far as it is there; None while the run has no analysis."""
    run = chosen_run()
    current = None if run is None else view_of(run)
    st.session_state[_PRESENT] = current
    return current


def present() -> View | None:
    """The view this page was last drawn for, without a look at the disk."""
    return st.session_state.get(_PRESENT)


def view_of(run: Run) -> View | None:
    """A run at the selected epoch and layer, as far as they are there; None while it has no analysis."""
    selected, layer = selection.current(), chosen_layer(run)
    made = tuple(a for a in analysed(run) if a.request.layer == layer)
    # The wanted epoch or the nearest there is; the last one if none is wanted. A damaged entry is passed over.
    goal = selected.epoch if selected.epoch is not None else 10**9
    for candidate in sorted(made, key=lambda a: (abs(a.request.epoch - goal), -a.request.epoch)):
        loaded = analysis(run.key, candidate)
        if loaded is not None:
            return View(run, made, candidate, loaded)
    return None


@st.cache_resource(max_entries=4 * DERIVED_ENTRIES, show_spinner=False)
def fit(key: Key, name: str, last: int | None, first: int = 0) -> Fit | None:
    """The fit of one matrix of one analysis; None where there is none."""
    result = _analysis(key)
    try:
        return None if result is None else result.fit(name, last, first)
    except ValueError:
        return None


def gammas(here: View, name: str, last: int | None = None, first: int = 0) -> list[float]:
    """γ of a matrix at each analysed epoch, with the same window; NaN where there is no fit."""
    fits = (fit(key, name, last, first) for key in here.keys)
    return [math.nan if law is None else law.gamma for law in fits]


def last_fit(run: Run, name: str) -> tuple[int, Fit | None]:
    """The last analysed epoch of a run and the fit of a matrix there, over the usual window; −1 and None without
    any."""
    # The layer that is shown first, as in view_of.
    mine = [a for a in analysed(run) if a.request.layer == layers(run)[0]]
    if not mine:
        return -1, None
    last = max(mine, key=lambda a: a.request.epoch)
    return last.request.epoch, fit(key_of(run.key, last), name, USUAL_WINDOW)


@st.cache_resource(max_entries=DERIVED_ENTRIES, show_spinner=False)
def theil_sen(key: Key, name: str, last: int, first: int = 0) -> tuple[float, float, float]:
    """γ as the median of all pairwise slopes, and its 95 % interval."""
    result = _analysis(key)
    return (math.nan,) * 3 if result is None else result.theil_sen(name, last, first)


@dataclass(frozen=True)
class Course:
    """One matrix along training: its numbers at each analysed epoch (e), NaN where undefined or not kept.
    stderr: standard error of γ; low, high: its interval over samples; each *_random: the same measure of the matrix
    turned at random."""

    gamma: ndarray
    stderr: ndarray
    low: ndarray
    high: ndarray
    spearman: ndarray
    commutator: ndarray
    commutator_random: ndarray
    alignment: ndarray
    alignment_random: ndarray
    norm: ndarray


def _defined(number: Callable[..., float], *args: object) -> float:
    try:
        return number(*args)
    except ValueError:
        return math.nan


@st.cache_resource(max_entries=COURSE_ENTRIES, show_spinner=False)
def _course(key: Key, name: str, last: int | None, first: int) -> tuple[float, ...]:
    result = _analysis(key)
    if result is None:
        return (math.nan,) * len(fields(Course))
    own, none = fit(key, name, last, first), (math.nan, math.nan)
    law = (*none, *none) if own is None else (own.gamma, own.stderr, *(own.interval or none))
    measures = result.commutator, result.random_commutator, result.alignment, result.random_alignment, result.frobenius
    return (*law, _defined(result.spearman, name, last), *(_defined(measure, name) for measure in measures))


def course(here: View, name: str, last: int | None = None, first: int = 0) -> Course:
    """A matrix along training; γ over directions first … last − 1, rank correlation over the leading `last`."""
    return Course(*np.array([_course(key, name, last, first) for key in here.keys]).T)


@st.cache_resource(max_entries=SPECTRA_ENTRIES, show_spinner=False)
def _spectra(key: Key) -> Spectra | None:
    root, run, made, _ = key
    result = library.load_analysis(Store(root), run, made, spectra=True)
    return None if result is None else result.spectra


def spectra(here: View) -> Spectra | None:
    """The kept per-sample spectra of the analysis in view; None if it kept none."""
    return _spectra(here.key)


@st.cache_resource(max_entries=DERIVED_ENTRIES, show_spinner=False)
def suppressed(
    key: Key, keep: int | None, tail: float = 1.0, stiff: float = 0.0, damp: float = 1.0, homogenise: bool = False
) -> Suppressed | None:
    """Both diagonals after an edit of the spectra, keep=None: as measured; None where no spectra were kept."""
    measured = _spectra(key)
    return None if measured is None else suppress(measured, keep, tail, stiff, damp, homogenise)
