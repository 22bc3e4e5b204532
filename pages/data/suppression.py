"""What an edit of the per-sample spectra does to an analysis, in numbers."""

from dataclasses import asdict, dataclass

import numpy as np
import streamlit as st
from jaxtyping import Float
from numpy import ndarray

from engine.results.power_law import Fit, power_law
from engine.results.suppression import Spectra, Suppressed
from pages.data import results
from pages.data.results import Key, View
from pages.state.edit import FACTORS, Edit


@dataclass(frozen=True)
class Outcome:
    """Diagonals before and after an edit, zero where H_ii is below the noise floor, and their fits over
    directions first … last − 1; a fit is None where there are too few directions for one."""

    edit: Edit
    rank: int
    old: Suppressed
    new: Suppressed
    data: ndarray
    first: int
    last: int

    @property
    def unchanged(self) -> bool:
        return np.array_equal(self.old.noise_diagonal, self.new.noise_diagonal)

    def of_data(self, diagonal: ndarray) -> ndarray:
        return np.where(self.data, diagonal, 0.0)

    def fit(self, x: ndarray, y: ndarray) -> Fit | None:
        try:
            return power_law(self.of_data(x)[self.first : self.last], y[self.first : self.last])
        except ValueError:
            return None

    @property
    def before(self) -> Fit | None:
        return self.fit(self.old.hessian_diagonal, self.old.noise_diagonal)

    @property
    def after(self) -> Fit | None:
        return self.fit(self.new.hessian_diagonal, self.new.noise_diagonal)

    @property
    def on_measured(self) -> Fit | None:
        """The edited E[h²]_ii on the H_ii as measured: where all κ_1 are alike, `after` is 1 whatever the data."""
        return self.fit(self.old.hessian_diagonal, self.new.noise_diagonal)

    @property
    def new_on_old(self) -> Fit | None:
        return self.fit(self.old.noise_diagonal, self.new.noise_diagonal)


def outcome(view: View, edit: Edit, rank: int, first: int, last: int) -> Outcome | None:
    """What an edit does to the analysis in view; None where it kept no spectra."""
    old = results.suppressed(view.key, None)
    new = results.suppressed(view.key, **asdict(edit))
    if old is None or new is None:
        return None
    a = view.analysis
    return Outcome(edit, rank, old, new, a.eigenvalues > max(a.noise_floor, 0.0), first, last)


@dataclass(frozen=True)
class Sums:
    """Sums over the samples that give the diagonals of every edit by FACTORS, exactly: samples whose κ_1 reaches the
    same stiff ratios are stiff together, and make a group.

    groups: how many of the ratios each group reaches; means, shares: mean κ_1 of the samples that reach a ratio, and
    how many they are of all; largest: |κ_1|; rows: Σ α / n, Σ κ_1 α / n, Σ κ_1² α / n of each group, then E[κ_m α]
    and E[κ_m² α] for m = 2 …
    """

    groups: tuple[int, ...]
    means: tuple[float, ...]
    shares: tuple[float, ...]
    largest: float
    rows: Float[ndarray, "s k"]


def grouped(spectra: Spectra) -> Sums:
    """The sums behind all edits of these spectra."""
    leading = spectra.kappa[:, 0].astype(np.float64)
    size = np.abs(leading)
    largest = float(size.max(initial=0.0))
    stiff = size >= np.array(FACTORS)[:, None] * largest
    reached = stiff.sum(axis=0)
    groups = np.unique(reached)
    members = (reached == groups[:, None]) / leading.size
    weights = np.stack([members, members * leading, members * leading**2], axis=1).reshape(-1, leading.size)
    rows = np.concatenate([weights @ spectra.alignment, spectra.first[1:], spectra.second[1:]])
    means = tuple(float(leading[which].mean()) for which in stiff)
    return Sums(tuple(groups.tolist()), means, tuple(stiff.mean(axis=1).tolist()), largest, rows)


@st.cache_resource(max_entries=results.SPECTRA_ENTRIES, show_spinner=False)
def sums(key: Key, _spectra: Spectra) -> Sums:
    """The same, of an analysis: made once."""
    return grouped(_spectra)
