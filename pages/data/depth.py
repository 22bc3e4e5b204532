"""The layers of a run on the pages: which are analysed at a checkpoint, and the numbers of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results.analysis import Analysis
from engine.results.names import USUAL_WINDOW
from engine.results.record import Provenance
from engine.runs.library import Analysed
from engine.runs.run import Run
from pages.data import results
from pages.data.results import Key

# A few numbers each: twenty layers at some twenty epochs, for several windows.
ENTRIES = 4096


@dataclass(frozen=True)
class Columns:
    """Numbers of several analyses of one layer each (a), NaN where there is none or it is undefined. gamma, low, high,
    n: γ of C, its interval over samples and the directions fitted, *_E_h2 the same of E[h²]; commutator, alignment: of
    C, *_random as chance would have them; traces: tr C / tr H, and distance: ‖C − s E[h²]‖/‖C‖ at the best s, over the
    directions kept."""

    gamma: ndarray
    low: ndarray
    high: ndarray
    n: ndarray
    gamma_E_h2: ndarray
    low_E_h2: ndarray
    high_E_h2: ndarray
    n_E_h2: ndarray
    commutator: ndarray
    commutator_random: ndarray
    alignment: ndarray
    alignment_random: ndarray
    traces: ndarray
    distance: ndarray


def analysed(run: Run) -> Mapping[tuple[int, str], Analysed]:
    """The newest analysis of each checkpoint and layer; of layers studied jointly none."""
    return {(a.request.epoch, a.request.layer): a for a in results.analysed(run) if len(a.request.layers) == 1}


def columns(run: Run, made: Sequence[Analysed | None], last: int, first: int = 0) -> Columns:
    """The numbers of these analyses; γ over directions first … last − 1, as far as each has them."""
    rows = [_nothing() if a is None else _numbers(results.key_of(run.key, a), last, first, a)[1] for a in made]
    return Columns(*np.array(rows, dtype=float).reshape(len(rows), -1).T)


def origin(run: Run, made: Analysed) -> Provenance | None:
    """Where the numbers of an analysis come from; None if it was damaged."""
    return _numbers(results.key_of(run.key, made), USUAL_WINDOW, 0, made)[0]


def _nothing() -> tuple[float, ...]:
    return (math.nan,) * len(fields(Columns))


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _numbers(key: Key, last: int, first: int, _made: Analysed) -> tuple[Provenance | None, tuple[float, ...]]:
    result = results.analysis(key[1], _made)
    if result is None:
        return None, _nothing()
    laws = [number for name in ("C", "E_h2") for number in _law(key, name, min(last, result.k), first)]
    traces = result.traces["C"] / result.traces["H"] if result.traces["H"] else math.nan
    return result.provenance, (*laws, *_commuting(result), traces, _distance(result))


def _law(key: Key, name: str, last: int, first: int) -> tuple[float, ...]:
    law = results.fit(key, name, last, first)
    return (math.nan,) * 4 if law is None else (law.gamma, *(law.interval or (math.nan,) * 2), law.n)


def _commuting(result: Analysis) -> tuple[float, ...]:
    commutator = result.commutator("C") if "C" in result.wholes else math.nan
    return commutator, result.random_commutator("C"), result.alignment("C"), result.random_alignment("C")


def _distance(result: Analysis) -> float:
    try:
        return result.distance("C", "E_h2").scaled
    except ValueError:
        return math.nan
