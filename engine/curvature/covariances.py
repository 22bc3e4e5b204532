"""The named matrices: each a line, as a linear combination of a few moments and means.

A new matrix is a line in `combinations` (and, if it needs one, a moment in `terms`), its name in
engine.results.names.NAMES, its look on the pages, and a twin in tests/reference: CONTRIBUTING.md has the files.
Source: theory.md sections 1 and 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.factors import LayerFactors, Survey
from engine.curvature.kronecker import Moment
from engine.curvature.moments import LayerMoments, Terms
from engine.curvature.tail import Tail
from engine.errors import require

# Moments that the paired samples alone have.
DUAL = ("vv", "wd", "uu", "vu", "h2_paired")
SOME = 4096  # samples whose kept factors are gathered at a time


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


WEIGHED = ("C_odds", "C_loss")
# Matrices whose samples need no partners.
SINGLE = ("H", "C", "E_h2", *WEIGHED, "fisher")
# The true Fisher matrix of all samples, in the units of H.
FISHER = Combination(((1.0, "fisher"),))


def terms(factors: LayerFactors) -> Terms:
    """h = E[h_p], gg = E[g gᵀ], h2 = E[h_p²] and the mean g over all samples; odds and loss, E[w J_pᵀ A_p J_p] with the
    odds and the loss of a sample as w, of the Gauss–Newton part of h_p since r rᵀ ⪯ rᵀA⁺r A, and with it
    g gᵀ ⪯ rᵀA⁺r Jᵀ A J, leaves out the rest; over the paired ones the means v of v_p and u of u_p, vv, uu,
    vu = E[v uᵀ + u vᵀ], wd = E[Σ_m (κ_m ω_m)² u_m u_mᵀ] and, where it differs from h2, h2_paired; and the true Fisher
    matrix where it is asked for."""
    x, g = factors.vectors("x"), factors.vectors("g")
    squared = factors.curvature * factors.kappa()
    quadratic = {"h": Moment(x, factors.curvature), "gg": Moment(g), "h2": Moment(x, squared)}
    linear = {"g": g}
    z = x if factors.gauss is None else factors.vectors("gauss")
    weights = {"odds": factors.by_odds, "loss": factors.by_loss}
    quadratic |= {name: Moment(z, weight) for name, weight in weights.items() if weight is not None}
    if factors.fisher is not None:
        quadratic["fisher"] = Moment(factors.vectors("fisher"), factors.drawn)
    if factors.paired is not None and factors.along is not None:
        v, u = factors.vectors("v"), factors.vectors("u")
        linear |= {"v": v, "u": u}
        quadratic |= {
            "vv": Moment(v),
            "wd": Moment(x, (factors.curvature * factors.along).square()),
            "uu": Moment(u),
            "vu": Moment(v, y=u),
            "h2_paired": Moment(x, squared * factors.paired[:, None]),
        }
    return Terms(quadratic, linear)


def moments(
    tail: Tail | None, survey: Survey, named: Mapping[str, Combination], index: Int[Tensor, " m"] | None = None
) -> LayerMoments:
    """Those of `terms` that these matrices are made of, over all samples, or over some of them as if there were no
    others and no partners. tail: what makes factors that are not kept."""
    needed = {moment for combination in named.values() for _, moment in combination.moments}
    means = {name for combination in named.values() for _, *pair in combination.means for name in pair} | {"g"}
    pairs = int(survey.paired.sum())
    kept = survey.kept if index is None or survey.kept is None else survey.kept.alone

    def factors(rows: slice, dual: bool = True) -> LayerFactors:
        where = rows if index is None else index[rows]
        if kept is not None:
            return kept[where]
        assert tail is not None, "it makes those that are not kept"
        return tail.factors(where, dual)

    def of(rows: slice) -> Terms:
        every = terms(factors(rows))
        quadratic = {name: moment for name, moment in every.quadratic.items() if name in needed}
        return Terms(quadratic, {name: x for name, x in every.linear.items() if name in means})

    def h(rows: slice) -> Moment:
        some = factors(rows, dual=False)
        return Moment(some.vectors("x"), some.curvature)

    if index is not None:
        each = SOME if tail is None else tail.chunk
        sums = accumulate.sums(lambda rows: [("g", factors(rows).vectors("g").sum())], len(index), each)
        return LayerMoments(of, h, len(index), {"g": sums["g"] / len(index)})
    averages = {name: x for name, x in survey.averages.items() if name in means}
    counted = dict.fromkeys(("v", "u", *DUAL), survey.paired) if 0 < pairs < len(survey.paired) else {}
    return LayerMoments(of, h, len(survey.paired), averages, counted)


def combinations(batch_size: int, survey: Survey | None = None) -> Mapping[str, Combination]:
    """Every named matrix for mini-batches of `batch_size` samples. Without the survey of a single layer, H, C and E[h²]
    alone; C_odds and C_loss as far as its loss has them, those of duality where there is a pair."""
    require(batch_size >= 1, f"batch_size is the B of the studied SGD, a number from 1; not {batch_size}.")
    one, rest = 1 / batch_size, 1 - 1 / batch_size
    named = {
        "H": Combination(((1.0, "h"),)),
        "C": Combination(((one, "gg"),), ((-one, "g", "g"),)),
        "E_h2": Combination(((1.0, "h2"),)),
    }
    if survey is None:
        return named
    weighed = {"C_odds": Combination(((one, "odds"),)), "C_loss": Combination(((one, "loss"),))}
    named |= {name: matrix for name, matrix in weighed.items() if name not in survey.absent}
    if not survey.paired.any():
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
        "C_hh_sd_wd_li": Combination(((one / 2 * survey.sigma_w2, "h2" if survey.paired.all() else "h2_paired"),)),
    }
