"""One γ with everything that qualifies it: its window, its noise floor, its samples, and the straight line itself.

NumPy only. Diagonals come as (k) arrays in the order of falling H_ii.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.results.bend import Bend, bend
from engine.results.jackknife import Without
from engine.results.power_law import Estimate, Fit, by_decade, fittable, power_law


@dataclass(frozen=True)
class Exponent:
    """One γ with everything that qualifies it.

    fit: the slope with its interval; by_decade: that in which every decade of H_ii counts alike; bend: the test of the
    straight line, with γ in bins of H_ii. windows: (𝒩, γ) over directions first … 𝒩 − 1 for a quarter, a half, all and
    twice the leading directions asked for, as far as there are directions above the noise floor. noise_floor: H_ii
    below it is rounding. effective: how many groups of the jackknife carry the slope, None without one. window:
    directions asked for; of these below_floor are left out for the noise floor, not_positive because their C_ii is not
    positive.
    """

    fit: Fit
    by_decade: Estimate
    bend: Bend
    windows: tuple[tuple[int, float], ...]
    noise_floor: float
    effective: float | None
    window: int
    below_floor: int
    not_positive: int

    @property
    def discarded(self) -> float:
        """The share of the window left out of the fit."""
        return (self.below_floor + self.not_positive) / self.window


def windows(
    x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float, first: int, last: int
) -> tuple[tuple[int, float], ...]:
    """(𝒩, γ) over directions first … 𝒩 − 1 for 𝒩 a quarter, a half, once and twice `last`, none beyond the last
    direction above the floor, each once; those where no slope is defined are left out."""
    above = np.flatnonzero(x > max(floor, 0.0))
    end = int(above[-1]) + 1 if above.size else 0
    exponents = []
    for n in dict.fromkeys(min(n, end) for n in (last // 4, last // 2, last, 2 * last)):
        try:
            exponents.append((n, power_law(x[first:n], y[first:n], floor).gamma))
        except ValueError:  # too few directions for a slope
            continue
    return tuple(exponents)


def exponent(
    x: Float[ndarray, " k"],
    y: Float[ndarray, " k"],
    floor: float,
    first: int,
    last: int,
    fit: Fit,
    without: Without | None = None,
) -> Exponent:
    """What qualifies the fit of directions first … last − 1 of H_ii = x and C_ii = y; without: that window without
    each group of samples."""
    h, c = x[first:last], y[first:last]
    data = h > max(floor, 0.0)
    return Exponent(
        fit=fit,
        by_decade=by_decade(h, c, floor, without),
        bend=bend(h, c, floor, without),
        windows=windows(x, y, floor, first, min(last, x.size)),
        noise_floor=floor,
        effective=None if without is None else without.effective,
        window=h.size,
        below_floor=int((~data).sum()),
        not_positive=int((data & ~fittable(h, c, floor)).sum()),
    )
