"""Is the power law one straight line? Its second-order fit, γ in bins of H_ii, and whether chance bends it.

NumPy only. Diagonals come as (k) arrays in the order of falling H_ii; u = log10 H_ii, v = log10 C_ii.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from engine.errors import require
from engine.results.jackknife import Without
from engine.results.power_law import fittable, slopes

# The local slope may change over the window by this share of γ. A tenth: γ holds to ± 5 % at both ends, which is
# finer than the differences the paper draws conclusions from (1.0, 1.1, 1.4). A half: at the ends the slope is a
# quarter of γ away from it, as far as 1.5 is from 1.2 or from 2, so that one number describes neither end.
STRAIGHT, STRONG = 0.1, 0.5
# A bend that chance alone gives in more than one of twenty windows is no finding.
LEVEL = 0.05
# Bins of equal width in log H_ii, and the directions that one needs for a slope of its own.
BINS, ENOUGH = 5, 10
# Decades of a window that is swept along, and its places.
WIDTH, PLACES = 1.0, 41
# Blocks of neighbouring directions, where there is no jackknife: the more there are, the more of them share samples.
BLOCKS = 5


@dataclass(frozen=True)
class Local:
    """γ over the n directions whose H_ii lies in low … high, and its standard error over samples, None without a
    jackknife."""

    low: float
    high: float
    gamma: float
    stderr: float | None
    n: int


@dataclass(frozen=True)
class Bend:
    """The second-order fit v = c0 + c1 u + c2 u² beside the straight line, and the slopes in bins.

    curvature: c2; the slope dv/du = c1 + 2 c2 u changes by 2 c2 with every decade of H_ii. slope_top, slope_end: that
    slope at the largest and the smallest H_ii fitted, no local ones: a parabola's ends hang on its middle. local: γ in
    bins of log H_ii, from the sharpest to the flattest. line_rms, bend_rms: root mean square residual of line and
    parabola, in decades. u0, v0: means of u and v, gamma: slope of the line, skew: Σ(u − u0)³ / Σ(u − u0)²; with them
    the parabola is v0 + γ du + c2 (du² − skew·du − spread), du = u − u0, spread = mean du². n: directions fitted.

    stderr, p: standard error of c2, and how often chance gives one as far from 0 on a true line. over_samples: by the
    jackknife. The true line is then that of the expected curve: log E[C_ii] on log E[H_ii] over all samples that might
    have been drawn, for these weights and these directions. Directions share samples, so that residuals are smooth
    and a window of thousands may hold a handful of independent ones; leaving samples out knows that, and no look at
    the residuals does. Without a jackknife: blocks of neighbouring directions, of which five are taken for independent
    (cluster-robust, Student's t with two degrees of freedom). The true line is then that of the curve in this window,
    with deviations that forget each other within a block; it finds strong bends alone. How often both reject a true
    line: `python -m tests.benchmarks.coverage`.
    """

    curvature: float
    stderr: float
    slope_top: float
    slope_end: float
    local: tuple[Local, ...]
    line_rms: float
    bend_rms: float
    p: float
    over_samples: bool
    n: int
    gamma: float
    u0: float
    v0: float
    skew: float
    spread: float

    @property
    def change(self) -> float:
        """How much γ changes from the sharpest to the flattest bin, as a share of |γ|; NaN with fewer than two bins."""
        if len(self.local) < 2:
            return float("nan")
        return abs(self.local[-1].gamma - self.local[0].gamma) / abs(self.gamma) if self.gamma else float("inf")

    @property
    def verdict(self) -> str:
        """ "straight": γ changes by at most STRAIGHT of it from the first bin to the last; "undecided": by more, but
        so it would by chance (p > LEVEL), or there are too few directions for bins; "bent"; "strongly bent": by more
        than STRONG of γ."""
        if self.change <= STRAIGHT:
            return "straight"
        if not (self.p <= LEVEL and self.change > STRAIGHT):
            return "undecided"
        return "bent" if self.change <= STRONG else "strongly bent"

    def curve(self, eigenvalues: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
        """The C_ii of the second-order fit at the given H_ii."""
        du = np.log10(eigenvalues) - self.u0
        return 10 ** (self.v0 + self.gamma * du + self.curvature * (du**2 - self.skew * du - self.spread))


def added(u: Float[ndarray, "*s n"]) -> tuple[Float[ndarray, "*s n"], Float[ndarray, "*s 1"], Float[ndarray, "*s 1"]]:
    """The added term q = du² − skew·du − spread, orthogonal to 1 and du, so that c2 = q·v / q·q; skew and spread."""
    du = u - u.mean(axis=-1, keepdims=True)
    square = np.sum(du**2, axis=-1, keepdims=True)
    skew, spread = np.sum(du**3, axis=-1, keepdims=True) / np.maximum(square, 1e-300), square / u.shape[-1]
    return du**2 - skew * du - spread, skew, spread


def curvatures(u: Float[ndarray, "s n"], v: Float[ndarray, "s n"]) -> Float[ndarray, " s"]:
    """c2 of every row."""
    q, _, _ = added(u)
    return np.asarray(np.sum(q * (v - v.mean(axis=-1, keepdims=True)), axis=-1) / np.sum(q * q, axis=-1))


def bins(u: Float[ndarray, " n"]) -> Int[ndarray, " n"]:
    """The bin of log H_ii of each direction, 0 the sharpest: BINS of equal width, from the sharpest on; one with
    fewer than ENOUGH directions is joined to the next, and what is left at the end to the last."""
    cut = np.minimum((u.max() - u) / np.ptp(u) * BINS, BINS - 1).astype(int)
    joined, number, count = np.zeros(BINS, dtype=int), 0, 0
    for place, size in enumerate(np.bincount(cut, minlength=BINS)):
        joined[place], count = number, count + size
        if count >= ENOUGH:
            number, count = number + 1, 0
    return np.minimum(joined, max(number - 1, 0))[cut]


def local_slopes(u: Float[ndarray, " n"], v: Float[ndarray, " n"], without: Without | None = None) -> tuple[Local, ...]:
    """γ in bins of u. The bins are those of all samples also where a group of samples is left out."""
    place = bins(u)
    local = []
    for number in range(int(place.max()) + 1):
        use = place == number
        if np.ptp(u[use]) == 0:
            continue
        stderr = None
        if without is not None and np.count_nonzero(left := use[without.keep]) >= 3:
            stderr = without.stderr(slopes(without.u[:, left], without.v[:, left]))
        low, high = 10 ** u[use].min(), 10 ** u[use].max()
        local.append(Local(float(low), float(high), float(slopes(u[use], v[use])), stderr, int(use.sum())))
    return tuple(local)


@dataclass(frozen=True)
class Swept:
    """γ in a window of `width` decades around each of many places u of log10 H_ii, from the sharpest on, NaN where it
    holds fewer than ENOUGH directions; mean, level: means of u and v there, through which its line passes; n:
    directions in it."""

    width: float
    u: Float[ndarray, " p"]
    gamma: Float[ndarray, " p"]
    mean: Float[ndarray, " p"]
    level: Float[ndarray, " p"]
    n: Int[ndarray, " p"]


def swept(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0, width: float = WIDTH) -> Swept:
    """The local slope over the fittable directions, at PLACES places between the middles of both outermost windows."""
    keep = fittable(x, y, floor)
    u, v = np.log10(x[keep]), np.log10(y[keep])
    places = np.linspace(u.max() - width / 2, min(u.min() + width / 2, u.max() - width / 2), PLACES)
    windows = [np.abs(u - place) <= width / 2 + 1e-9 for place in places]
    enough = [window.sum() >= ENOUGH and np.ptp(u[window]) > 0 for window in windows]
    gamma, mean, level = (
        np.array([of(u[w], v[w]) if fine else np.nan for w, fine in zip(windows, enough, strict=True)])
        for of in (slopes, lambda u, _: u.mean(), lambda _, v: v.mean())
    )
    return Swept(width, places, gamma, mean, level, np.array([int(window.sum()) for window in windows]))


def bend(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0, without: Without | None = None) -> Bend:
    """The second-order fit over the fittable directions; without: the same window without each group of samples.

    Raises ValueError with fewer than four directions, or three values of x.
    """
    keep = fittable(x, y, floor)
    require(
        int(keep.sum()) >= 4,
        f"A test of the straight line needs at least 4 directions where H_ii is above the noise floor ({floor:.2g}) "
        f"and C_ii is positive; this window has {int(keep.sum())} of {keep.size}. Widen the window or raise top_k.",
    )
    u, v = np.log10(x[keep]), np.log10(y[keep])
    du, dv = u - u.mean(), v - v.mean()
    q, (skew,), (spread,) = added(u)
    weight = float(q @ q)
    require(
        weight > 1e-20 * du.size * float(np.abs(du).max()) ** 4,
        "The H_ii in this window have fewer than three values, so no bend is defined. Widen the window.",
    )
    gamma, c2 = float(slopes(u, v)), float(q @ dv) / weight
    line = dv - gamma * du
    curved = line - c2 * q
    ends = gamma + c2 * (2 * np.array([du.max(), du.min()]) - skew)
    if without is not None:
        without = Without(without.u, without.v, without.keep[keep])
        stderr, freedom = without.stderr(curvatures(without.u, without.v)), without.u.shape[0] - 1
    else:
        blocks = [float(part.sum()) for part in np.array_split(q * curved, BLOCKS)]
        freedom = BLOCKS - 3
        stderr = float(np.sqrt(np.square(blocks).sum() * BLOCKS / freedom)) / weight
    return Bend(
        curvature=c2,
        stderr=stderr,
        slope_top=float(ends[0]),
        slope_end=float(ends[1]),
        local=local_slopes(u, v, without),
        line_rms=float(np.sqrt(np.mean(line**2))),
        bend_rms=float(np.sqrt(np.mean(curved**2))),
        p=chance(c2, stderr, freedom),
        over_samples=without is not None,
        n=int(u.size),
        gamma=gamma,
        u0=float(u.mean()),
        v0=float(v.mean()),
        skew=float(skew),
        spread=float(spread),
    )


def chance(estimate: float, stderr: float, freedom: int) -> float:
    """How often Student's t lies as far from 0 as estimate / stderr."""
    from scipy.special import stdtr  # slow to load: only for those who ask

    return float(2 * stdtr(freedom, -abs(estimate) / stderr)) if stderr > 0 else float(estimate == 0)
