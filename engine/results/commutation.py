"""Numbers that say how C relates to H, from diagonals and blocks alone (NumPy, no samples).

Notation of theory.md section 4: H_ii are the eigenvalues of H, K = Vᵀ C V is C in their basis.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer
from numpy import ndarray

from engine.errors import require

ROWS = 64  # worked on at a time, so that they stay in the processor's cache
BINS = 200  # of |R_ij| from 0 to 1


def correlation(block: Float[ndarray, "k k"]) -> Float[ndarray, "k k"]:
    """R_ij = K_ij / sqrt(K_ii K_jj). Rows and columns without variance are NaN off the diagonal,
    and the diagonal is 1 wherever K_ii > 0."""
    scale = np.sqrt(np.clip(np.diag(block), 0.0, None))
    outer = np.outer(scale, scale)
    r = np.divide(block, outer, out=np.full_like(block, np.nan), where=outer > 0)
    np.fill_diagonal(r, np.where(scale > 0, 1.0, np.nan))
    return r


@dataclass(frozen=True)
class Distance:
    """How far A is from X: absolute, ‖A − X‖_F/‖A‖_F; scaled, the same of s X at the best s, 0 where A is proportional
    to X and 1 where they have nothing in common; scale: that s."""

    absolute: float
    scaled: float
    scale: float


def distance(square: float, inner: float, other: float) -> Distance:
    """Of ‖A‖², ⟨A, X⟩ and ‖X‖²: the best s is ⟨A, X⟩/‖X‖². NaN where A = 0. Source: theory.md 7.6."""
    if not square > 0:
        return Distance(*(float("nan"),) * 3)
    scale = inner / other if other > 0 else 0.0
    squares = square - 2 * inner + other, square - scale * inner
    absolute, scaled = (float(np.sqrt(max(left, 0.0) / square)) for left in squares)
    return Distance(absolute, scaled, scale)


@dataclass(frozen=True)
class CommutatorCurves:
    """Commutator error ‖HK − KH‖_F / ‖HK‖_F of diag(h) with the leading j × j block of K (top) and with the block that
    starts at direction j (bulk), for j = 1 … k and j = 0 … k − 1: every position of a top-k slider. 0 where they
    commute, NaN where HK = 0."""

    top: Float[ndarray, " k"]
    bulk: Float[ndarray, " k"]


def commutator_curves(h: Float[ndarray, " k"], block: Float[ndarray, "k k"]) -> CommutatorCurves:
    """In H's eigenbasis [H, K]_ij = (h_i − h_j) K_ij and (HK)_ij = h_i K_ij, so every block's error is a
    ratio of partial sums; O(k²), for symmetric K."""
    k = h.size
    square = h**2
    own = square * np.diag(block) ** 2
    # What row i adds to both sums, over the columns before it and over those after it.
    error, norm = np.zeros((2, 2, k))
    for start in range(0, k, ROWS):
        rows = slice(start, start + ROWS)
        for side, columns, part in ((0, slice(0, start + ROWS), np.tril), (1, slice(start, k), np.triu)):
            weight = part(block[rows, columns] ** 2, start - 1 if side == 0 else 1)
            error[side, rows] = 2 * (np.subtract.outer(h[rows], h[columns]) ** 2 * weight).sum(axis=1)
            norm[side, rows] = square[rows] * weight.sum(axis=1) + weight @ square[columns] + own[rows]

    def ratio(side: int, order: slice) -> Float[ndarray, " k"]:
        above, below = np.cumsum(error[side, order]), np.cumsum(norm[side, order])
        return np.sqrt(np.divide(above, below, out=np.full_like(below, np.nan), where=below > 0))

    return CommutatorCurves(top=ratio(0, slice(None)), bulk=ratio(1, slice(None, None, -1))[::-1].copy())


def _haar_second_moments(trace: float, square: float, d: int) -> tuple[float, float]:
    """p, q of E[X_ij X_kl] = p δ_ij δ_kl + q (δ_ik δ_jl + δ_il δ_jk) for X = Q B Qᵀ, Q Haar on O(d).

    The two contractions E[(tr X)²] = (tr B)² = p d² + 2 q d and E[tr X²] = tr B² = p d + q (d² + d)
    fix them.
    """
    if d == 1:
        return 0.0, square / 2
    denominator = d * (d - 1) * (d + 2)
    return ((d + 1) * trace**2 - 2 * square) / denominator, (d * square - trace**2) / denominator


def random_commutator(a_trace: float, a_square: float, b_trace: float, b_square: float, d: int) -> float:
    """sqrt(E‖AX − XA‖² / E‖AX‖²) for X = Q B Qᵀ, Q Haar-random: the commutator error two unrelated
    matrices of these spectra would show (close to √2), in closed form from traces and squared norms.

    E‖AX‖² = tr A² tr B² / d;  E tr(AXAX) = p tr A² + q (tr A² + (tr A)²).
    """
    p, q = _haar_second_moments(b_trace, b_square, d)
    norm = a_square * b_square / d
    if norm <= 0:
        return float("nan")
    overlap = p * a_square + q * (a_square + a_trace**2)
    return float(np.sqrt(max(2 * (norm - overlap), 0.0) / norm))


def alignment(diagonal: Float[ndarray, " k"], frobenius: float) -> float:
    """Eigen alignment Σ K_ii² / ‖K‖_F²: 1 when C is diagonal in the eigenbasis of H."""
    return float(np.sum(diagonal**2)) / frobenius**2 if frobenius > 0 else float("nan")


def random_alignment(trace: float, square: float, d: int) -> float:
    """E Σ X_ii² / ‖B‖_F² = d (p + 2q) / tr B² for X = Q B Qᵀ, Q Haar-random, in closed form."""
    p, q = _haar_second_moments(trace, square, d)
    return d * (p + 2 * q) / square if square > 0 else float("nan")


def random_block(spectrum: Float[ndarray, " d"], k: int, seed: int) -> Float[ndarray, "k k"]:
    """Leading k × k block of Q Λ Qᵀ, Q Haar-random on O(d); O(d k²), never d × d.

    k Haar columns are X = G L⁻ᵀ, G Gaussian (d × k) and L Lᵀ = GᵀG: Gram–Schmidt, so its law is the rotation's.
    The block is Xᵀ Λ X = L⁻¹ (Gᵀ Λ G) L⁻ᵀ.
    """
    require(1 <= k <= spectrum.size, f"k must lie in 1 … {spectrum.size}, not {k}.")
    g = np.random.default_rng(seed).standard_normal((spectrum.size, k))
    lower = np.linalg.cholesky(g.T @ g)
    half = np.linalg.solve(lower, (g * spectrum[:, None]).T @ g)
    return np.linalg.solve(lower, half.T)


def random_correlation(spectrum: Float[ndarray, " d"], k: int, seed: int) -> Float[ndarray, "k k"]:
    """R_rand: the correlation of a random block."""
    return correlation(random_block(spectrum, k, seed))


@dataclass(frozen=True)
class OffDiagonal:
    """Sizes |R_ij| of the pairs i < j of a correlation matrix that are defined, for every leading j × j block
    (entry j − 1): rms = sqrt(⟨R_ij²⟩), NaN without a pair, and counts[j − 1, b], the pairs with
    b ≤ BINS · |R_ij| < b + 1 (|R_ij| = 1 belongs to the last bin)."""

    rms: Float[ndarray, " k"]
    counts: Integer[ndarray, "k bins"]


def off_diagonal(r: Float[ndarray, "k k"]) -> OffDiagonal:
    """How large the correlations between different directions are."""
    k = r.shape[0]
    i, j = np.triu_indices(k, 1)
    size = np.abs(r[i, j])
    defined = np.isfinite(size)
    size, j = size[defined], j[defined]
    squares, pairs = (np.cumsum(np.bincount(j, w, minlength=k)) for w in (size**2, np.ones_like(size)))
    bins = np.minimum((size * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(j * BINS + bins, minlength=k * BINS).reshape(k, BINS).cumsum(axis=0)
    rms = np.sqrt(np.divide(squares, pairs, out=np.full(k, np.nan), where=pairs > 0))
    return OffDiagonal(rms, counts.astype(np.int32))


def p_value(real: float, random: Float[ndarray, " s"]) -> float:
    """Chance that a random draw is at least as small as the real value: (1 + #{random ≤ real}) / (1 + s)."""
    return (1 + int((random <= real).sum())) / (1 + random.size)
