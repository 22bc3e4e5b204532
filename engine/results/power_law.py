"""The power law C_ii ∝ H_ii^γ: its exponent by least squares, with equal weight for every decade of H_ii, and by the
median of all pairs of directions.

NumPy only. Diagonals come as (k) arrays in the order of falling H_ii.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from engine.errors import require
from engine.results.jackknife import Without

# The bins of log10 H_ii that count alike where every decade is to have equal weight.
DECADE = 0.25
# Directions at most whose pairs are asked without each group of samples, evenly taken: half a million pairs a group.
PAIRED = 1000


@dataclass(frozen=True)
class Fit:
    """A power law C_ii = 10^intercept · H_ii^gamma, least squares on log10.

    gamma, stderr: slope and its standard error under independent residuals; r2: explained share of
    the variance; n: directions fitted; discarded: directions of the window left out because H_ii is
    below the noise floor or C_ii is not positive; interval: 95 % of gamma over samples, by the bootstrap or
    the jackknife, None without either.
    """

    gamma: float
    stderr: float
    r2: float
    intercept: float
    n: int
    discarded: int = 0
    interval: tuple[float, float] | None = None

    def line(self, eigenvalues: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
        """The fitted C_ii at the given H_ii."""
        return 10**self.intercept * eigenvalues**self.gamma


@dataclass(frozen=True)
class Estimate:
    """γ found in another way, and its 95 % interval over samples, None without a jackknife."""

    gamma: float
    interval: tuple[float, float] | None = None


def fittable(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0) -> Bool[ndarray, " k"]:
    """Directions that carry data on log axes: x above the noise floor, both positive and finite."""
    return (x > max(floor, 0.0)) & (y > 0) & np.isfinite(x) & np.isfinite(y)


def power_law(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0) -> Fit:
    """Ordinary least squares of log10 y on log10 x over the fittable directions.

    Raises ValueError when fewer than three directions, or only one value of x, can be fitted.
    """
    keep = fittable(x, y, floor)
    require(
        int(keep.sum()) >= 3,
        f"A slope needs at least 3 directions where H_ii is above the noise floor ({floor:.2g}) and C_ii "
        f"is positive; this window has {int(keep.sum())} of {keep.size}. Widen the window or raise top_k.",
    )
    u, v = np.log10(x[keep]), np.log10(y[keep])
    require(
        float(np.ptp(u)) > 0,
        "Every H_ii in this window is the same number, so no slope is defined. Widen the window.",
    )
    du, dv = u - u.mean(), v - v.mean()
    gamma = float(du @ dv / (du @ du))
    residual = float(np.sum((dv - gamma * du) ** 2))
    return Fit(
        gamma=gamma,
        stderr=float(np.sqrt(residual / (u.size - 2) / (du @ du))),
        r2=1 - residual / float(dv @ dv) if np.ptp(v) > 0 else 1.0,
        intercept=float(v.mean() - gamma * u.mean()),
        n=int(keep.sum()),
        discarded=int((~keep).sum()),
    )


def slopes(u: Float[ndarray, "*s n"], v: Float[ndarray, "*s n"]) -> Float[ndarray, "*s"]:
    """Least squares of v on u, for every row."""
    du, dv = u - u.mean(axis=-1, keepdims=True), v - v.mean(axis=-1, keepdims=True)
    return np.asarray((du * dv).sum(axis=-1) / (du * du).sum(axis=-1))


def interval(gamma: float, without: Without | None) -> tuple[float, float] | None:
    """The 95 % interval over samples of γ by least squares; None without a jackknife."""
    return None if without is None else without.interval(gamma, slopes(without.u, without.v))


def shares(u: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Weights of sum 1 with which every bin of DECADE in u = log10 H_ii counts alike, however many directions it
    holds: least squares counts directions, of which the flat decades hold nearly all."""
    number = max(round(float(np.ptp(u)) / DECADE), 1)
    place = np.minimum((u.max() - u) / np.ptp(u) * number, number - 1).astype(int)
    weights = 1 / np.bincount(place)[place]
    return np.asarray(weights / weights.sum())


def weighted_slopes(
    u: Float[ndarray, "*s n"], v: Float[ndarray, "*s n"], shares: Float[ndarray, " n"]
) -> Float[ndarray, "*s"]:
    """Least squares of v on u with weights of sum 1, for every row."""
    du, dv = u - (u @ shares)[..., None], v - (v @ shares)[..., None]
    return np.asarray((du * dv) @ shares / ((du * du) @ shares))


def median_slope(u: Float[ndarray, " n"], v: Float[ndarray, " n"]) -> float:
    """Theil–Sen: the median of the slopes of all pairs of different u."""
    i, j = np.triu_indices(u.size, 1)
    du, dv = u[j] - u[i], v[j] - v[i]
    return float(np.median(dv[du != 0] / du[du != 0]))


def theil_sen(
    x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0, without: Without | None = None
) -> Estimate:
    """Median of all pairwise log-log slopes: γ without trust in outliers; its interval from `without`, the same window
    without each group of samples. The usual one, from the ranks of the pairs, takes directions for independent."""
    keep = fittable(x, y, floor)
    require(int(keep.sum()) >= 3, "Theil–Sen needs at least 3 directions above the noise floor.")
    slope = median_slope(np.log10(x[keep]), np.log10(y[keep]))
    if without is None:
        return Estimate(slope)
    every = slice(None, None, -(-without.u.shape[1] // PAIRED))
    pairs = zip(without.u[:, every], without.v[:, every], strict=True)
    return Estimate(slope, without.interval(slope, np.array([median_slope(u, v) for u, v in pairs])))


def by_decade(
    x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0, without: Without | None = None
) -> Estimate:
    """γ by least squares in which every decade of H_ii counts alike, with its interval as in `theil_sen`."""
    keep = fittable(x, y, floor)
    u, v = np.log10(x[keep]), np.log10(y[keep])
    weights = shares(u)
    slope = float(weighted_slopes(u, v, weights))
    if without is None:
        return Estimate(slope)
    left = weights[without.keep[keep]]
    return Estimate(slope, without.interval(slope, weighted_slopes(without.u, without.v, left / left.sum())))


def gamma_by_window(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0) -> Float[ndarray, " k"]:
    """γ fitted over the first j directions for every j = 1 … k (γ against 𝒩); NaN where undefined."""
    keep = fittable(x, y, floor)
    u, v = (np.log10(np.where(keep, z, 1.0)) for z in (x, y))
    # Seen from the first direction, no window is far from its own mean: the sums keep their digits.
    first = int(keep.argmax()) if keep.any() else 0
    u, v = u - u[first], v - v[first]
    n, su, sv, suu, suv = (np.cumsum(np.where(keep, z, 0.0)) for z in (np.ones_like(u), u, v, u * u, u * v))
    variance = n * suu - su**2
    slope = np.divide(n * suv - su * sv, variance, out=np.full_like(u, np.nan), where=variance > 0)
    return np.where(n >= 3, slope, np.nan)


def spearman(x: Float[ndarray, " k"], y: Float[ndarray, " k"]) -> float:
    """Rank correlation of C_ii and H_ii; NaN where one of them is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    from scipy import stats  # slow to load: only for those who ask

    return float(stats.spearmanr(x, y).statistic)


def bootstrap_interval(x: Float[ndarray, "s k"], y: Float[ndarray, "s k"]) -> tuple[float, float] | None:
    """The central 95 % of γ over resamples, a row each, of H_ii and C_ii; directions where one of them is not
    positive in some resample are left out. None where fewer than three remain."""
    x, y = (z.astype(np.float64) for z in (x, y))
    keep = np.all((x > 0) & (y > 0), axis=0)
    if keep.sum() < 3:
        return None
    drawn = slopes(np.log10(x[:, keep]), np.log10(y[:, keep]))
    return float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))
