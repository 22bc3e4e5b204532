"""The spectra that the pictures show: made up by the sandbox, or kept by the present run's analysis."""

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results import synthetic
from engine.results.power_law import Fit, power_law
from engine.results.suppression import Spectra
from engine.results.synthetic import Bounds, Place
from pages.charts.power_law import spread
from pages.data import results
from pages.data.results import View
from pages.rooms.mechanism.controls import Setting
from pages.rooms.suppression.figures import EDITED, MEASURED
from pages.state import selection
from pages.state.palette import Look
from pages.ui import cards

# A made-up spectrum is 320 kB, a measured one up to 20 MB; of that one nothing is kept but what is drawn.
MADE_ENTRIES, CURVE_ENTRIES, MEASURED_ENTRIES = 64, 256, 64
# Steps of the sandbox's curve on the map.
STEPS = 25
LEVELS = (0.16, 0.5, 0.84)
# Epochs of a run on the map, each of which reads up to 20 MB once.
EPOCHS = 10
MADE_UP = replace(EDITED, html="sandbox", tex=r"\mathrm{sandbox}")
THIS_RUN = replace(MEASURED, html="this run", tex=r"\mathrm{run}")


@dataclass(frozen=True)
class Source:
    """One set of spectra as the pictures need it.

    data: which directions are fitted; kappa: leading curvatures, falling; shown: some of the fitted directions,
    evenly spread; seen (3, shown): quantiles LEVELS of the curvatures along them; shares: of H_ii and of E[h²]_ii, what
    the leading κ alone gives.
    """

    look: Look
    place: Place
    bounds: Bounds
    fit: Fit
    data: ndarray
    kappa: ndarray
    shown: ndarray
    seen: ndarray
    shares: tuple[ndarray, ndarray]

    @property
    def directions(self) -> ndarray:
        """The fitted directions, counted from 0."""
        return np.flatnonzero(self.data)


def _source(look: Look, spectra: Spectra, data: ndarray) -> Source:
    bounds = synthetic.bounds(spectra)
    data = data & (bounds.hessian > 0) & (bounds.noise > 0)
    shown = spread(np.where(data, bounds.hessian, 0.0))
    kappa = np.sort(np.abs(spectra.kappa[:, 0].astype(np.float64)))[::-1]
    first, second = (m.astype(np.float64) for m in (spectra.first, spectra.second))
    shares = (
        np.divide(first[0], bounds.hessian, out=np.zeros_like(bounds.hessian), where=bounds.hessian > 0),
        np.divide(second[0], bounds.noise, out=np.zeros_like(bounds.noise), where=bounds.noise > 0),
    )
    fit = power_law(np.where(data, bounds.hessian, 0.0), bounds.noise)
    place = synthetic.place(spectra, data)
    return Source(look, place, bounds, fit, data, kappa, shown, synthetic.seen(spectra, LEVELS, shown), shares)


@st.cache_resource(max_entries=MADE_ENTRIES, show_spinner=False)
def _made(setting: Setting) -> Source:
    kappa = synthetic.curvatures(setting.distribution, setting.decades, setting.seed)
    spectra = synthetic.correlated(kappa, setting.correlation, setting.rarity)
    return _source(MADE_UP, spectra, np.ones(kappa.size, bool))


def made(setting: Setting) -> Source:
    """The sandbox at one setting."""
    return _made(setting)


@st.cache_resource(max_entries=CURVE_ENTRIES, show_spinner=False)
def _curve(distribution: str, decades: float, rarity: float, seed: int) -> ndarray:
    kappa = synthetic.curvatures(distribution, decades, seed)
    # Denser towards both ends, where little of the knob may move much.
    steps = (1 - np.cos(np.pi * np.linspace(0, 1, STEPS))) / 2
    places = [synthetic.place(synthetic.spectra(kappa, synthetic.table(kappa, float(c), rarity))) for c in steps]
    return np.array([(p.correlation, p.gamma) for p in places]).T


def curve(setting: Setting) -> ndarray:
    """Correlation and γ (2, STEPS) of these curvatures, from none to perfect."""
    return _curve(setting.distribution, setting.decades, setting.rarity, setting.seed)


def window(view: View) -> tuple[int, int]:
    """The directions of the run that are fitted: first … last − 1."""
    first, last = selection.current().window or (1, cards.usual_window(view.analysis))
    k = view.analysis.k
    return min(first, k) - 1, min(max(first, last), k)


def _data(view: View, first: int, last: int) -> ndarray:
    """Which directions of the run are in the window and above the noise floor."""
    a, index = view.analysis, np.arange(view.analysis.k)
    return (a.eigenvalues > max(a.noise_floor, 0.0)) & (index >= first) & (index < last)


@st.cache_resource(max_entries=MEASURED_ENTRIES, show_spinner=False)
def _measured(key: results.Key, first: int, last: int, _view: View) -> Source | None:
    spectra = results.spectra(_view)
    return None if spectra is None else _source(THIS_RUN, spectra, _data(_view, first, last))


def measured(view: View) -> Source | None:
    """The run in view; None where its analysis kept no spectra. ValueError where too few directions are fitted."""
    return _measured(view.key, *window(view), view)


@st.cache_resource(max_entries=4 * MEASURED_ENTRIES, show_spinner=False)
def _place(key: results.Key, first: int, last: int, _view: View) -> Place | None:
    spectra = results.spectra(_view)
    try:
        return None if spectra is None else synthetic.place(spectra, _data(_view, first, last))
    except ValueError:
        return None


def along(view: View) -> dict[int, Place]:
    """Where the run lies at the epochs whose spectra are kept, the one in view and others evenly among them."""
    analyses = sorted((a for a in view.analysed if a.has_spectra), key=lambda a: a.request.epoch)
    few = {round(place) for place in np.linspace(0, len(analyses) - 1, min(EPOCHS, len(analyses)))}
    places = {}
    for place, made in enumerate(analyses):
        analysis = results.analysis(view.run.key, made) if place in few or made == view.chosen else None
        if analysis is not None:
            at_epoch = replace(view, chosen=made, analysis=analysis)
            on_map = _place(at_epoch.key, *window(at_epoch), at_epoch)
            if on_map is not None:
                places[made.request.epoch] = on_map
    return places
