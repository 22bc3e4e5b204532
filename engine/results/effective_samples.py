"""How many samples carry a number that is a mean over all of them.

The mean of x_p over N samples has the relative variance 1/N_eff − 1/N over samples, with

    N_eff = (Σ_p x_p)² / Σ_p x_p²

which is N where all have equal shares x_p/Σx, and 1 where one has all. Of M_ii, x_p is v_iᵀ h_p v_i for H,
v_iᵀ h_p² v_i for E[h²], (g_p·v_i − ḡ·v_i)² for C: the terms whose mean is M_ii, with x_p ȳ + x̄ y_p − x̄ ȳ for a product
of means. Where h_p is indefinite, shares may be negative: N_eff still tells how sure the mean is, falls below 1 where
the samples cancel each other, and the share of one of them may exceed 1. Source: theory.md 7.3.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

LEADING, CARRIERS = 100, 6  # directions, and samples of each, whose shares are kept


@dataclass(frozen=True)
class EffectiveSamples:
    """N_eff of the diagonal of a matrix. by_direction: of M_ii, NaN where it is 0; whole: of its trace over the
    directions kept; carriers, shares: the samples with the largest |x_p| in each of the leading directions, and their
    x_p/Σx."""

    by_direction: Float[ndarray, " k"]
    whole: float
    carriers: Int[ndarray, "j m"]
    shares: Float[ndarray, "j m"]

    def of(self, place: int) -> "Carriers":
        """Of a leading direction (from 0)."""
        return Carriers(float(self.by_direction[place]), self.carriers[place], self.shares[place])


@dataclass(frozen=True)
class Carriers:
    """Who carries a direction. effective: N_eff; index, shares: the samples with the largest |x_p|, and x_p/Σx."""

    effective: float
    index: Int[ndarray, " m"]
    shares: Float[ndarray, " m"]

    @classmethod
    def of(cls, terms: Float[ndarray, " n"], count: int = CARRIERS) -> "Carriers":
        """Of the terms x_p of all samples."""
        index = np.argsort(-np.abs(terms), kind="stable")[:count]
        return cls(float(terms.sum() ** 2 / np.square(terms).sum()), index, terms[index] / terms.sum())
