"""What an edit of the per-sample spectra does to an analysis, in numbers."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy import ndarray

from engine.results.power_law import Fit, power_law
from engine.results.suppression import Suppressed
from pages.data import results
from pages.data.results import View
from pages.state.edit import Edit


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
