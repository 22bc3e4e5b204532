"""Edited per-sample spectra and the diagonals they give (theory.md section 4, Suppression; Fig. 3).

H_ii = E[Σ_m κ_m α_m] and E[h²]_ii = E[Σ_m κ_m² α_m] with α_m = (u_m · v_i)². Only the leading κ_1 of a
sample is ever edited sample by sample; all others are scaled by one factor. So κ, the alignment of the
leading eigenvector and the means over samples of the rest are enough, and every edit is instant and exact.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.errors import require


@dataclass(frozen=True)
class Spectra:
    """Per-sample spectra of n samples, reduced to what suppression needs.

    kappa[p, m]: m-th eigenvalue of h_p by falling magnitude; alignment[p, i] = (u_1 · v_i)² of its leading
    eigenvector; first[m, i] = E_p[κ_m α_mi], second[m, i] = E_p[κ_m² α_mi].
    """

    kappa: Float[ndarray, "n r"]
    alignment: Float[ndarray, "n k"]
    first: Float[ndarray, "r k"]
    second: Float[ndarray, "r k"]


@dataclass(frozen=True)
class Suppressed:
    """Diagonals rebuilt from the edited spectra: hessian_diagonal = E[h]_ii, noise_diagonal = E[h²]_ii
    (the shape of C_ii by the theorem; its scale (σ_w²/2B) is left out), stiff = share of stiff samples."""

    hessian_diagonal: Float[ndarray, " k"]
    noise_diagonal: Float[ndarray, " k"]
    stiff: float


def suppress(
    spectra: Spectra,
    keep: int | None = 1,
    tail: float = 1e-5,
    stiff_ratio: float = 1e-3,
    damp: float = 1e-3,
    homogenise: bool = False,
) -> Suppressed:
    """Keep the dominant curvatures, suppress the rest, rebuild both diagonals.

    keep: eigenvalues left as they are in every sample; those beyond are multiplied by `tail`. None, or the
    full rank, keeps all and changes nothing. A sample is stiff if |κ_1| ≥ stiff_ratio · max |κ_1|; where
    anything is suppressed, κ_1 of the others is multiplied by `damp`. homogenise replaces the stiff κ_1 by
    their mean, so that one curvature is left.
    """
    rank = spectra.kappa.shape[1]
    keep = rank if keep is None else keep
    require(isinstance(keep, int | np.integer) and keep >= 1, f"keep must be a whole number from 1, not {keep}.")
    for name, value in (("tail", tail), ("stiff_ratio", stiff_ratio), ("damp", damp)):
        require(0 <= value <= 1, f"{name} must lie in 0 … 1, not {value}.")

    leading = spectra.kappa[:, 0].astype(np.float64)
    largest = float(np.abs(leading).max(initial=0.0))
    stiff = np.abs(leading) >= stiff_ratio * largest
    edited = leading.copy()
    if homogenise:
        edited[stiff] = leading[stiff].mean()
    if homogenise or keep < rank:
        edited[~stiff] *= damp

    n = leading.size
    first, second = (m[1:].astype(np.float64) for m in (spectra.first, spectra.second))
    factor = np.where(np.arange(1, rank) < keep, 1.0, tail)
    # One product: the alignment, the largest array here, is read once.
    leading_h, leading_noise = np.stack([edited, edited**2]) @ spectra.alignment / n
    return Suppressed(
        hessian_diagonal=leading_h + factor @ first,
        noise_diagonal=leading_noise + factor**2 @ second,
        stiff=float(stiff.mean()) if n else 0.0,
    )
