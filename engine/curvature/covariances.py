"""The named matrices: each a line, as a linear combination of a few moments and means.

A new matrix is a line in `combinations` (and, if it needs one, a moment in `moments`), its name in
engine.results.names.NAMES, its look on the pages, and a twin in tests/reference: CONTRIBUTING.md has the files.
Source: theory.md sections 1 and 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.curvature.duality import Dual
from engine.curvature.factors import LayerFactors
from engine.curvature.kronecker import Moment, Vectors
from engine.curvature.moments import LayerMoments
from engine.errors import require


@dataclass(frozen=True)
class Combination:
    """Σ scale · moment + Σ scale · (x̄ ȳᵀ + ȳ x̄ᵀ)/2, by the names of moments and means."""

    moments: tuple[tuple[float, str], ...]
    means: tuple[tuple[float, str, str], ...] = ()

    def __add__(self, other: "Combination") -> "Combination":
        return Combination(self.moments + other.moments, self.means + other.means)

    def evaluate(self, moment: Callable[[str], Tensor], mean: Callable[[str, str], Tensor]) -> Tensor:
        """The sum, of whole matrices, blocks or diagonals alike: whatever moment and mean stand for."""
        total = None
        for scale, name in self.moments:
            term = scale * moment(name)
            total = term if total is None else total.add_(term)
        for scale, x, y in self.means:
            term = scale * mean(x, y)
            total = term if total is None else total.add_(term)
        assert total is not None, "a combination of nothing"
        return total


def moments(factors: LayerFactors, dual: Dual | None = None) -> LayerMoments:
    """h = E[h_p], gg = E[g gᵀ], h2 = E[h_p²] and the mean g over all samples; over the paired ones the means v of
    v_p = (M_p W Δa_p) ⊗ a_p and u of u_p = δ_p ⊗ Δa_p, vv, uu, vu = E[v uᵀ + u vᵀ], wd = E[Σ_m (κ_m ω_m)² u_m u_mᵀ]
    and, where it differs from h2, h2_paired."""
    x, g = factors.eigenvectors, factors.gradients
    quadratic = {
        "h": Moment(x, factors.curvature),
        "gg": Moment(g),
        "h2": Moment(x, factors.curvature * factors.kappa()),
    }
    if dual is None or not dual.factors.samples:
        return LayerMoments(quadratic, {"g": g})
    p = dual.factors
    v, u = Vectors(dual.pull[:, None], p.activity), Vectors(p.delta[:, None], dual.change)
    paired = p.eigenvectors if dual.unpaired else x
    quadratic |= {
        "vv": Moment(v),
        "wd": Moment(paired, (p.curvature * dual.weight_change_along()).square()),
        "uu": Moment(u),
        "vu": Moment(v, y=u),
    }
    if dual.unpaired:
        quadratic["h2_paired"] = Moment(paired, p.curvature * p.kappa())
    return LayerMoments(quadratic, {"g": g, "v": v, "u": u}, dual.index)


def combinations(batch_size: int, dual: Dual | None = None) -> Mapping[str, Combination]:
    """Every named matrix for mini-batches of `batch_size` samples; without any pair, H, C and E[h²] alone."""
    require(batch_size >= 1, f"batch_size is the B of the studied SGD, a number from 1; not {batch_size}.")
    one, rest = 1 / batch_size, 1 - 1 / batch_size
    named = {
        "H": Combination(((1.0, "h"),)),
        "C": Combination(((one, "gg"),), ((-one, "g", "g"),)),
        "E_h2": Combination(((1.0, "h2"),)),
    }
    if dual is None or not dual.factors.samples:
        return named
    hh = Combination(((one / 2, "vv"),), ((rest / 2, "v", "v"),))
    hg = Combination(((one / 2, "vu"),), ((rest, "v", "u"),))
    gg = Combination(((one / 2, "uu"),), ((rest / 2, "u", "u"),))
    return named | {
        "C_awd": hh + hg + gg,
        "C_hh": hh,
        "C_hg": hg,
        "C_gg": gg,
        "C_hh_sd": Combination(((one / 2, "vv"),)),
        "C_hh_sd_wd": Combination(((one / 2, "wd"),)),
        "C_hh_sd_wd_li": Combination(((one / 2 * dual.sigma_w2(), "h2_paired" if dual.unpaired else "h2"),)),
    }
