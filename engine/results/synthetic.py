"""What sets γ, without a network: per-sample spectra made up so that nothing but one correlation varies.

H_ii = E[Σ_m κ_m α_m(i)] and E[h²]_ii = E[Σ_m κ_m² α_m(i)] are two moments of the same weights (theory.md section 4).
In the sandbox there are n kinds of samples and n directions. Kind p is a share w_p ∝ κ_p^−β of all samples, which all
have one curvature κ_p along u_p; α_p(i) = (u_p · v_i)². β = 0: every kind is one sample of n; β > 0: sharp ones are
rarer. Kind p gives B_pi = w_p κ_p α_p(i) to H_ii. Two sums of that table are held: Σ_i α_p(i) = 1, u_p being a unit
vector, and H_ii = w_i κ_i, the spectrum of H. Who gives how much to whom is left, and is what the correlation decides.

Where each direction owns one kind, H_ii ∝ κ_i^(1 − β) and E[h²]_ii ∝ κ_i^(2 − β): γ = (2 − β) / (1 − β), which is 2
for equal shares alone (theory.md section 7).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from engine.errors import require
from engine.results.power_law import fittable, power_law
from engine.results.suppression import Spectra, suppress

SAMPLES = 200
# Where in its n-th part of the distribution a sample is drawn. Nearer the edges a power law now and then has one sample
# so far beyond all others that γ overshoots on its way to 2.
DRAWN = (1 / 3, 2 / 3)
# Share of samples that are stiff in "few_stiff", and how far above the others, against their own scatter.
STIFF, GAP, SCATTER = 0.05, 4.0, 0.3
# Sums of a table agree with what they should be to this; rounds of scaling that surely reach it.
EXACT, ROUNDS = 1e-10, 5000
# A curvature this small beside the largest has the sign of its rounding.
ROUNDING = 1e-6
# Halvings by which the table of a wanted correlation is found.
HALVINGS = 24


def _normal(u: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    return np.array([NormalDist().inv_cdf(p) for p in u])


# Quantile functions of log κ, up to shift and width.
SHAPES = {
    "log_normal": _normal,
    "power_law": lambda u: -np.log1p(-u),
    "exponential": lambda u: np.log(-np.log1p(-u)),
    "few_stiff": lambda u: SCATTER * _normal(u) + GAP * (u > 1 - STIFF),
}


def curvatures(distribution: str, decades: float, seed: int, n: int = SAMPLES) -> Float[ndarray, " n"]:
    """n curvatures κ > 0 of mean 1, falling; the standard deviation of log10 κ is `decades`.

    One is drawn from the middle third of each n-th part of the distribution. log_normal; power_law, P(κ > x) ∝
    x^(−1/(decades · ln 10)); exponential, stretched to the width (0.56 decades are a plain one); few_stiff, one in
    twenty far above the others.
    """
    require(
        distribution in SHAPES,
        f"There is no distribution {distribution!r}; there are {', '.join(SHAPES)}.",
    )
    require(0 < decades <= 3, f"decades must lie in 0 … 3 and not be 0, not {decades}.")
    require(n >= 3, f"A slope needs at least 3 samples, not {n}.")
    u = (np.arange(n) + np.random.default_rng(seed).uniform(*DRAWN, n)) / n
    shape = SHAPES[distribution](u)[::-1]
    kappa = 10 ** (decades * (shape - shape.mean()) / shape.std())
    return kappa / kappa.mean()


def shares(kappa: Float[ndarray, " n"], rarity: float) -> Float[ndarray, " n"]:
    """w ∝ κ^−β, β = rarity: which share of the samples is of each kind."""
    require(0 <= rarity < 1, f"rarity must lie in 0 … 1 and not be 1, where γ has no value; not {rarity}.")
    some = kappa**-rarity
    return some / some.sum()


def perfect_gamma(rarity: float) -> float:
    """(2 − β) / (1 − β): γ where each direction owns one kind of samples."""
    return (2 - rarity) / (1 - rarity)


def table(kappa: Float[ndarray, " n"], choosy: float, rarity: float = 0.0) -> Float[ndarray, "n n"]:
    """B_pi = f_p f_i exp(−(log κ_p − log κ_i)² / 2ε²) with Σ_i B_pi = w_p κ_p and Σ_p B_pi = w_i κ_i.

    Of all tables with these sums it is the most random one (largest entropy) of its mean squared log-distance.
    choosy, 0 … 1, sets ε² = var(log κ) (1 − choosy²) / choosy: at 0 every sample spreads alike, B = s sᵀ / Σ s with
    s = w κ; at 1 each keeps to its own direction, B = diag(s). For log-normal κ it is the correlation of
    log κ_p with log κ_i under B.
    """
    sums = shares(kappa, rarity) * kappa
    if choosy <= 0:
        return np.outer(sums, sums) / sums.sum()
    if choosy >= 1:
        return np.diag(sums)
    log = np.log(kappa)
    near = np.exp(-((log[:, None] - log) ** 2) * choosy / (2 * log.var() * (1 - choosy**2)))
    f = np.sqrt(sums)
    for _ in range(ROUNDS):
        reached = f * (near @ f)
        if np.abs(reached / sums - 1).max() < EXACT:
            break
        f = f * np.sqrt(sums / reached)
    return f[:, None] * near * f


def spectra(kappa: Float[ndarray, " n"], b: Float[ndarray, "n n"]) -> Spectra:
    """What a table says, as the per-sample spectra that an analysis keeps. A kind stands for one sample of n, so its
    α counts n w_p times."""
    alignment = b * kappa.size / kappa[:, None]
    return Spectra(kappa=kappa[:, None], alignment=alignment, first=b.sum(axis=0)[None], second=(kappa @ b)[None])


def correlated(kappa: Float[ndarray, " n"], correlation: float, rarity: float = 0.0) -> Spectra:
    """The spectra of these curvatures whose `place` has this correlation, 0 … 1."""
    require(0 <= correlation <= 1, f"correlation must lie in 0 … 1, not {correlation}.")
    if correlation in (0, 1):
        return spectra(kappa, table(kappa, correlation, rarity))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        candidate = spectra(kappa, table(kappa, middle, rarity))
        if place(candidate).correlation < correlation:
            low = middle
        else:
            high = middle
    return candidate


# -- made up or measured, from here on the same -----------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where spectra lie on the map of γ.

    Along direction i a sample counts by what its leading curvature gives to H_ii, q_p(i) ∝ |κ_1| α_1(i), and all
    directions count alike. correlation: of log κ_1 with log H_ii so weighted, 0 where α does not depend on κ;
    spread, hessian_spread: their standard deviations, in decades; gamma: the slope of log E[h²]_ii on log H_ii;
    n: directions.
    """

    correlation: float
    spread: float
    hessian_spread: float
    gamma: float
    n: int

    @property
    def expected(self) -> float:
        """1 + correlation · spread / hessian_spread: γ, were the mean of κ in κ_eff a geometric one. It is exact for
        a log-normal κ whose width is the same along all directions."""
        return 1 + self.correlation * self.spread / self.hessian_spread


def place(spectra: Spectra, data: Bool[ndarray, " k"] | None = None) -> Place:
    """Where spectra lie on the map, over directions that are data and have H_ii and E[h²]_ii > 0.

    Raises ValueError when those are fewer than three, or all of one H_ii.
    """
    plain = suppress(spectra, keep=None)
    hessian, noise = plain.hessian_diagonal, plain.noise_diagonal
    size = np.abs(spectra.kappa[:, 0]).astype(np.float64)
    mass = size @ spectra.alignment
    use = fittable(hessian, noise) & (mass > 0)
    use &= True if data is None else data
    fit = power_law(np.where(use, hessian, 0.0), noise)
    log = np.log10(np.where(size > 0, size, 1.0))
    mean, square = ((size * log**p @ spectra.alignment)[use] / mass[use] for p in (1, 2))
    y = np.log10(hessian[use])
    spread = float(np.sqrt(max(square.mean() - mean.mean() ** 2, 0.0)))
    together = float(((mean - mean.mean()) * (y - y.mean())).mean())
    hessian_spread = float(y.std())
    return Place(
        correlation=together / (spread * hessian_spread) if spread > 1e-12 else 0.0,
        spread=spread,
        hessian_spread=hessian_spread,
        gamma=fit.gamma,
        n=fit.n,
    )


def seen(spectra: Spectra, levels: tuple[float, ...], directions: ndarray) -> Float[ndarray, "l j"]:
    """Quantiles of |κ_1| along directions, each sample counting by |κ_1| α_1(i): the curvatures H_ii is made of."""
    size = np.abs(spectra.kappa[:, 0]).astype(np.float64)
    order = np.argsort(size)
    share = np.cumsum(size[order, None] * spectra.alignment[np.ix_(order, directions)], axis=0, dtype=np.float64)
    last = size.size - 1
    return np.stack([size[order[np.minimum((share < level * share[-1]).sum(axis=0), last)]] for level in levels])


@dataclass(frozen=True)
class Bounds:
    """H_ii² ≤ E[h²]_ii ≤ max |κ| · E[|h|]_ii along every direction.

    magnitude: E[|h|]_ii = E[Σ_m |κ_m| α_m(i)], H_ii itself where no κ is negative. exact: False where the spectra
    keep only means of a κ_m, m > 1, that has both signs; magnitude is then the least it can be.
    """

    hessian: Float[ndarray, " k"]
    noise: Float[ndarray, " k"]
    magnitude: Float[ndarray, " k"]
    largest: float
    negative: bool
    exact: bool

    @property
    def lower(self) -> Float[ndarray, " k"]:
        return self.hessian**2

    @property
    def upper(self) -> Float[ndarray, " k"]:
        return self.largest * self.magnitude

    @property
    def effective(self) -> Float[ndarray, " k"]:
        """κ_eff(i) = E[h²]_ii / H_ii, NaN where H_ii is not positive."""
        return np.divide(self.noise, self.hessian, out=np.full_like(self.noise, np.nan), where=self.hessian > 0)


def bounds(spectra: Spectra) -> Bounds:
    """Both sides of the theorem's bound, from the spectra alone."""
    plain = suppress(spectra, keep=None)
    kappa = spectra.kappa.astype(np.float64)
    largest = float(np.abs(kappa).max(initial=0.0))
    kappa[np.abs(kappa) < ROUNDING * largest] = 0.0
    leading = np.abs(kappa[:, 0]) @ spectra.alignment / kappa.shape[0]
    rest = np.abs(spectra.first[1:].astype(np.float64)).sum(axis=0)
    signs = (kappa[:, 1:] >= 0).all(axis=0) | (kappa[:, 1:] <= 0).all(axis=0)
    return Bounds(
        hessian=plain.hessian_diagonal,
        noise=plain.noise_diagonal,
        magnitude=leading + rest,
        largest=largest,
        negative=bool((kappa < 0).any()),
        exact=bool(signs.all()),
    )
