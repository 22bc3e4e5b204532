"""How near each predictor comes to the measured noise, in a few numbers kept at hand."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results import power_law
from engine.results.analysis import Analysis
from engine.results.names import PREDICTORS
from engine.results.power_law import Fit
from pages.data import results
from pages.data.results import Key, View

ENTRIES = 1024
# From what is nearest in theory to what is further away.
ORDER = (
    *("C_odds", "C_loss", "E_h2", "H", "E_loss_H"),
    *("C_awd", "C_hh", "C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li"),
)
# E[h²] is in other units than C: proportional to it at best.
NO_SIZE = ("E_h2",)


@dataclass(frozen=True)
class Numbers:
    """Of a predictor X, NaN where there is none. slope: of C_ii on X_ii, 1 where X is right; gamma: of X_ii on H_ii;
    size: tr X / tr C; absolute, scaled, scale: see engine.results.commutation.Distance."""

    slope: float = math.nan
    gamma: float = math.nan
    size: float = math.nan
    absolute: float = math.nan
    scaled: float = math.nan
    scale: float = math.nan


def diagonal(result: Analysis, name: str) -> ndarray:
    """X_ii."""
    return result.factor(name) * result.diagonal("H" if name in PREDICTORS else name)


def fitted(result: Analysis, name: str, first: int, last: int) -> ndarray:
    """The directions first … last − 1 that carry data in X and in C (k)."""
    index = np.arange(result.k)
    both = power_law.fittable(result.eigenvalues, result.diagonal("C"), result.noise_floor) & (
        diagonal(result, name) > 0
    )
    return both & (index >= first) & (index < last)


def law(result: Analysis, name: str, first: int, last: int) -> Fit | None:
    """C_ii on X_ii."""
    keep = fitted(result, name, first, last)
    try:
        return power_law.power_law(diagonal(result, name)[keep], result.diagonal("C")[keep])
    except ValueError:
        return None


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _numbers(key: Key, last: int, first: int, _result: Analysis | None) -> Mapping[str, Numbers]:
    return {} if _result is None else {name: _of(key, _result, name, first, last) for name in available(_result)}


def _of(key: Key, result: Analysis, name: str, first: int, last: int) -> Numbers:
    own, noise = law(result, name, first, last), result.traces["C"]
    matrix = "H" if name in PREDICTORS else name
    line = None if matrix == "H" else results.fit(key, matrix, last, first)
    try:
        far = result.distance("C", name)
    except ValueError:
        far = None
    return Numbers(
        slope=math.nan if own is None else own.gamma,
        gamma=1.0 if matrix == "H" else math.nan if line is None else line.gamma,
        size=math.nan if name in NO_SIZE or not noise else result.factor(name) * result.traces[matrix] / noise,
        absolute=math.nan if far is None or name in NO_SIZE else far.absolute,
        scaled=math.nan if far is None else far.scaled,
        scale=math.nan if far is None else far.scale,
    )


def available(result: Analysis) -> tuple[str, ...]:
    """The predictors that an analysis has."""
    return tuple(name for name in ORDER if name in result.predictors)


def numbers(view: View, first: int, last: int) -> Mapping[str, Numbers]:
    """Of every predictor at the epoch in view."""
    return _numbers(view.key, last, first, view.analysis)


def along(view: View, first: int, last: int) -> Mapping[str, Mapping[str, ndarray]]:
    """The same at each analysed epoch (e), by field and predictor."""
    made = sorted(view.analysed, key=lambda a: a.request.epoch)
    every = [
        _numbers(results.key_of(view.run.key, one), last, first, results.analysis(view.run.key, one)) for one in made
    ]
    return {
        field.name: {
            name: np.array([getattr(one.get(name, Numbers()), field.name) for one in every])
            for name in available(view.analysis)
        }
        for field in fields(Numbers)
    }
