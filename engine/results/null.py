"""C beside noise of the same structure without its tie to curvature: the structural null.

A random rotation of C (R_rand, Haar) destroys what H and C share by construction, a_p a_pᵀ in both, and anything with
structure beats it. So the gradients' left factors δ_p, those of all places of a sample together, are dealt anew among
the samples of one class, C is rebuilt about its new mean, and H stays. What is left are the activities, each class's
gradients, and their means; what is gone is the tie between a sample's gradient and its own curvature. If that tie
meant nothing, the measured number would be one of the permuted ones. Source: theory.md 7.4. NumPy only;
engine.curvature.null computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.errors import require
from engine.results import commutation, power_law

PERMUTATIONS = 20  # no p-value is below 1/21
CORRELATED = 300  # leading directions between which correlations are kept
ROUNDING = 1e-6  # relative: equal up to the order of summation


@dataclass(frozen=True)
class Permuted:
    """Of every permutation, in the eigenbasis of H: diagonals C_ii; commutator errors inside the leading j directions
    (top) and from direction j on (bulk), as CommutatorCurves; alignment over all directions; correlations: root mean
    square of R_ij between the leading j directions. classes: within which δ was dealt, 1 where among all samples;
    seed: of the permutations, of which fewer are the first of more."""

    diagonals: Float[ndarray, "p k"]
    top: Float[ndarray, "p k"]
    bulk: Float[ndarray, "p k"]
    alignments: Float[ndarray, " p"]
    correlations: Float[ndarray, "p j"]
    classes: int
    seed: int

    @property
    def permutations(self) -> int:
        return self.alignments.size

    def first(self, permutations: int) -> "Permuted":
        """So many of them."""
        rows = {field.name: getattr(self, field.name) for field in fields(Measurements)}
        return replace(self, **{name: array[:permutations] for name, array in rows.items()})

    @classmethod
    def of(cls, tree: Mapping[str, ndarray]) -> "Permuted":
        """From arrays by name."""
        numbers: dict[str, Any] = {name: int(tree[name]) for name in ("classes", "seed")}
        return cls(**(dict(tree) | numbers))


@dataclass(frozen=True)
class Measurements:
    """What a permuted C shows: a row of Permuted each, in float32."""

    diagonals: Float[ndarray, " k"]
    top: Float[ndarray, " k"]
    bulk: Float[ndarray, " k"]
    alignments: Float[ndarray, ""]
    correlations: Float[ndarray, " j"]

    @classmethod
    def of(cls, h: Float[ndarray, " k"], block: Float[ndarray, "k k"]) -> "Measurements":
        """Of K in the eigenbasis of H."""
        curves = commutation.commutator_curves(h, block)
        leading = block[:CORRELATED, :CORRELATED]
        rms = commutation.off_diagonal(commutation.correlation(leading)).rms
        aligned = commutation.alignment(np.diag(block), float(np.linalg.norm(block)))
        rows = (np.diag(block), curves.top, curves.bulk, aligned, rms)
        return cls(*(np.asarray(row, dtype=np.float32) for row in rows))


@dataclass(frozen=True)
class Against:
    """A measured number beside what the permutations give. p_value: the chance that a permutation is at least as
    extreme, (1 + those that are) / (1 + all); NaN where nothing is defined."""

    measured: float
    permuted: Float[ndarray, " p"]
    p_value: float

    @classmethod
    def of(cls, measured: float, permuted: Float[ndarray, " p"], small: bool) -> "Against":
        """small: whether the tie makes the number small, or large."""
        permuted = permuted[np.isfinite(permuted)].astype(np.float64)
        beyond = (permuted <= measured) if small else (permuted >= measured)
        count = int((beyond | np.isclose(permuted, measured, rtol=ROUNDING, atol=0)).sum())
        known = bool(permuted.size) and np.isfinite(measured)
        return cls(measured, permuted, (1 + count) / (1 + permuted.size) if known else float("nan"))


@dataclass(frozen=True)
class StructuralNull:
    """C beside its permutations. commutator: inside the leading directions chosen, or all; alignment: over all
    directions; correlation: root mean square of R_ij between the leading ones; gamma: over the window of fit. The tie
    makes the first and the third small, the others large. classes: as in Permuted."""

    commutator: Against
    alignment: Against
    correlation: Against
    gamma: Against
    classes: int


def gammas(h: Float[ndarray, " k"], diagonals: Float[ndarray, "p k"], floor: float) -> Float[ndarray, " p"]:
    """γ of every permutation, NaN where there is no line."""
    slopes = []
    for row in diagonals.astype(np.float64):
        try:
            slopes.append(power_law.power_law(h, row, floor).gamma)
        except ValueError:
            slopes.append(float("nan"))
    return np.array(slopes)


def check(name: str, permutations: int | None) -> None:
    """ValueError for what is not permuted."""
    require(
        name == "C",
        f"Gradients are permuted in C alone, not in {name}: the other matrices are made of curvature or of partners, "
        "which have no such tie to cut. Ask for C.",
    )
    require(permutations is None or permutations >= 1, f"permutations is their number, from 1, not {permutations}.")
