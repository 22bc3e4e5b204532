"""The power law C_ii ∝ H_ii^γ, and how far its one exponent can be trusted: its window, its noise floor, its samples,
and the straight line itself.

NumPy only. Diagonals come as (k) arrays in the order of falling H_ii.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from engine.errors import require

# The local slope may change over the window by this share of γ. A tenth: γ holds to ± 5 % at both ends, which is
# finer than the differences the paper draws conclusions from (1.0, 1.1, 1.4). A half: at the ends the slope is a
# quarter of γ away from it, as far as 1.5 is from 1.2 or from 2, so that one number describes neither end.
STRAIGHT, STRONG = 0.1, 0.5
# A bend that chance alone gives in more than one of twenty windows is no finding.
LEVEL = 0.05


@dataclass(frozen=True)
class Fit:
    """A power law C_ii = 10^intercept · H_ii^gamma, least squares on log10.

    gamma, stderr: slope and its standard error under independent residuals; r2: explained share of
    the variance; n: directions fitted; discarded: directions of the window left out because H_ii is
    below the noise floor or C_ii is not positive; interval: the central 95 % of gamma over bootstrap
    resamples of the training samples, None without a bootstrap.
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


def theil_sen(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0) -> tuple[float, float, float]:
    """Median of all pairwise log-log slopes with its 95 % interval: γ without trust in outliers."""
    keep = fittable(x, y, floor)
    require(int(keep.sum()) >= 3, "Theil–Sen needs at least 3 directions above the noise floor.")
    from scipy import stats  # a second to load: only for those who ask

    slope, _, low, high = stats.theilslopes(np.log10(y[keep]), np.log10(x[keep]))
    return float(slope), float(low), float(high)


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


@dataclass(frozen=True)
class Bend:
    """The second-order fit v = c0 + c1 u + c2 u² of v = log10 C_ii on u = log10 H_ii, beside the straight line.

    curvature: c2; the local slope dv/du = c1 + 2 c2 u changes by 2 c2 with every decade of H_ii. stderr: its
    standard error. slope_top, slope_end: local slopes at the largest and the smallest H_ii fitted. line_rms,
    bend_rms: root mean square residual of line and parabola, in decades. u0, v0: means of u and v, gamma: slope of
    the line, skew: Σ(u − u0)³ / Σ(u − u0)²; with them the parabola is v0 + γ du + c2 (du² − skew·du − spread),
    du = u − u0, spread = mean du². n: directions fitted; effective: the number of independent ones among them, see
    `effective_number`. f, p: F test of the added term with the effective number of directions.

    Neighbouring directions share samples, and the effective number accounts only for their residuals' likeness
    from one direction to the next: p is optimistic still. With a thousand directions any bend is "significant";
    `verdict` goes by its size.
    """

    curvature: float
    stderr: float
    slope_top: float
    slope_end: float
    line_rms: float
    bend_rms: float
    f: float
    p: float
    n: int
    effective: float
    gamma: float
    u0: float
    v0: float
    skew: float
    spread: float

    @property
    def change(self) -> float:
        """How much the local slope changes from the top to the end of the window, as a share of |γ|."""
        return abs(self.slope_end - self.slope_top) / abs(self.gamma) if self.gamma else float("inf")

    @property
    def verdict(self) -> str:
        """ "straight": the slope changes by at most STRAIGHT of γ; "undecided": by more, but so it would by chance
        (p > LEVEL); "bent"; "strongly bent": by more than STRONG of γ."""
        if self.change <= STRAIGHT:
            return "straight"
        if not self.p <= LEVEL:
            return "undecided"
        return "bent" if self.change <= STRONG else "strongly bent"

    def curve(self, eigenvalues: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
        """The C_ii of the second-order fit at the given H_ii."""
        du = np.log10(eigenvalues) - self.u0
        return 10 ** (self.v0 + self.gamma * du + self.curvature * (du**2 - self.skew * du - self.spread))


def effective_number(residuals: Float[ndarray, " n"]) -> float:
    """n (1 − ρ) / (1 + ρ), ρ ≥ 0 the correlation of each residual with the next: how many independent residuals
    carry as much as these, if they follow a first-order autoregression. n where they do not resemble each other."""
    square = float(residuals @ residuals)
    rho = max(float(residuals[1:] @ residuals[:-1]) / square, 0.0) if square > 0 else 0.0
    return residuals.size * (1 - rho) / (1 + rho)


def bend(x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float = 0.0) -> Bend:
    """The second-order fit over the fittable directions.

    The added term q = du² − skew·du − spread is orthogonal to 1 and du, so that c2 = q·v / q·q and the sum of
    squares falls by c2² q·q. Raises ValueError with fewer than four directions, or three values of x.
    """
    keep = fittable(x, y, floor)
    require(
        int(keep.sum()) >= 4,
        f"A test of the straight line needs at least 4 directions where H_ii is above the noise floor ({floor:.2g}) "
        f"and C_ii is positive; this window has {int(keep.sum())} of {keep.size}. Widen the window or raise top_k.",
    )
    u, v = np.log10(x[keep]), np.log10(y[keep])
    du, dv = u - u.mean(), v - v.mean()
    square = float(du @ du)
    skew, spread = float(np.sum(du**3)) / max(square, 1e-300), square / du.size
    q = du**2 - skew * du - spread
    weight = float(q @ q)
    require(
        weight > 1e-20 * du.size * float(np.abs(du).max()) ** 4,
        "The H_ii in this window have fewer than three values, so no bend is defined. Widen the window.",
    )
    gamma, c2 = float(du @ dv) / square, float(q @ dv) / weight
    line = dv - gamma * du
    curved = line - c2 * q
    n = int(u.size)
    # Fewer than four independent directions would leave nothing to test with.
    effective = max(effective_number(curved), 4.0)
    left = float(curved @ curved)
    stderr = float(np.sqrt(left / (n - 3) / weight * n / effective))
    f = (c2 / stderr) ** 2 if stderr > 0 else float("inf")
    from scipy.special import fdtrc  # slow to load: only for those who ask

    slopes = gamma + c2 * (2 * np.array([du.max(), du.min()]) - skew)
    return Bend(
        curvature=c2,
        stderr=stderr,
        slope_top=float(slopes[0]),
        slope_end=float(slopes[1]),
        line_rms=float(np.sqrt(line @ line / n)),
        bend_rms=float(np.sqrt(left / n)),
        f=f,
        p=float(fdtrc(1, effective - 3, f)),
        n=n,
        effective=effective,
        gamma=gamma,
        u0=float(u.mean()),
        v0=float(v.mean()),
        skew=skew,
        spread=spread,
    )


@dataclass(frozen=True)
class Exponent:
    """One γ with everything that qualifies it.

    fit: the slope with its interval; bend: the test of the straight line. windows: (𝒩, γ) over directions first …
    𝒩 − 1 for a quarter, a half, all and twice the leading directions asked for, as far as there are directions above
    the noise floor. noise_floor: H_ii below it is rounding. window: directions asked for; of these below_floor are
    left out for the noise floor, not_positive because their C_ii is not positive.
    """

    fit: Fit
    bend: Bend
    windows: tuple[tuple[int, float], ...]
    noise_floor: float
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
    x: Float[ndarray, " k"], y: Float[ndarray, " k"], floor: float, first: int, last: int, fit: Fit
) -> Exponent:
    """What qualifies the fit of directions first … last − 1 of H_ii = x and C_ii = y."""
    h, c = x[first:last], y[first:last]
    data = h > max(floor, 0.0)
    return Exponent(
        fit=fit,
        bend=bend(h, c, floor),
        windows=windows(x, y, floor, first, min(last, x.size)),
        noise_floor=floor,
        window=h.size,
        below_floor=int((~data).sum()),
        not_positive=int((data & ~fittable(h, c, floor)).sum()),
    )


def bootstrap_interval(x: Float[ndarray, "s k"], y: Float[ndarray, "s k"]) -> tuple[float, float] | None:
    """The central 95 % of γ over resamples, a row each, of H_ii and C_ii; directions where one of them is not
    positive in some resample are left out. None where fewer than three remain."""
    slopes = _slopes(x, y)
    return None if slopes is None else (float(np.quantile(slopes, 0.025)), float(np.quantile(slopes, 0.975)))


def _slopes(x: Float[ndarray, "s k"], y: Float[ndarray, "s k"]) -> Float[ndarray, " s"] | None:
    x, y = (z.astype(np.float64) for z in (x, y))
    keep = np.all((x > 0) & (y > 0), axis=0)
    if keep.sum() < 3:
        return None
    u, v = np.log10(x[:, keep]), np.log10(y[:, keep])
    u, v = u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
    slopes: ndarray = (u * v).sum(axis=1) / (u * u).sum(axis=1)
    return slopes
