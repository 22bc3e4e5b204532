"""How much an estimate would change with other training samples, without resampling it: the delete-a-group jackknife.

The samples are dealt at random into s groups, and each is left out once. If γ_(g) is the slope without group g, its
variance over samples is (s − 1)/s · Σ_g (γ_(g) − mean)² (Shao and Wu, Annals of Statistics 17, 1176, 1989); so for
every estimate from the two diagonals. The weights and the eigenbasis of H stay as they are.

What leaving out a group does to H_ii and C_ii hardly differs between neighbouring directions, since the same samples
do it. So it is measured at a few places and taken to hold, as a factor, for the stretch of directions around each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

GROUPS = 100
# The leading directions, where a line has its lever, each stand for themselves; then stretches of 1/32 of their place.
ALONE, SHARE = 128, 32


def stretches(k: int) -> Int[ndarray, " e"]:
    """Where the stretches of k directions begin, and k: the first ALONE of one direction each, then growing."""
    edges = list(range(min(k, ALONE)))
    place = len(edges)
    while place < k:
        edges.append(place)
        place += place // SHARE
    return np.array([*edges, k])


def places(edges: Int[ndarray, " e"]) -> Int[ndarray, " j"]:
    """The direction in the middle of each stretch."""
    return (edges[:-1] + edges[1:] - 1) // 2


@dataclass(frozen=True)
class Jackknife:
    """edges: bounds of the stretches (j + 1); diagonals[name]: those of H and every named matrix in the middle of
    each, with one of s groups of samples left out."""

    edges: Int[ndarray, " e"]
    diagonals: Mapping[str, Float[ndarray, "s j"]]

    def without(
        self, name: str, x: Float[ndarray, " k"], y: Float[ndarray, " k"], keep: Bool[ndarray, " k"], first: int = 0
    ) -> "Without | None":
        """log10 of x and y over the directions to keep, the leading one of which is `first`, without each group.
        Directions in stretches where a diagonal is not always positive are left out; None where fewer than three
        remain, or there is nothing to leave out."""
        h, c = (self.diagonals[key].astype(np.float64) for key in ("H", name))
        sound = np.all((h > 0) & (c > 0), axis=0)
        stretch = np.searchsorted(self.edges, first + np.arange(x.size), side="right") - 1
        keep = keep & sound[stretch]
        if h.shape[0] < 2 or keep.sum() < 3:
            return None
        # A group moves log H_ii by the same all along a stretch.
        u, v = (
            np.log10(whole[keep]) + np.log10(some / some.mean(axis=0))[:, stretch[keep]]
            for whole, some in ((x, np.where(sound, h, 1.0)), (y, np.where(sound, c, 1.0)))
        )
        return Without(u, v, keep)


@dataclass(frozen=True)
class Without:
    """u = log10 H_ii and v = log10 C_ii of the directions kept, a row for each of s groups that is left out."""

    u: Float[ndarray, "s n"]
    v: Float[ndarray, "s n"]
    keep: Bool[ndarray, " k"]

    @property
    def effective(self) -> float:
        """How many groups carry v: N_eff of their shares, s at most, as a slope on u weighs directions.
        With few of them intervals hold less than they should: tests.benchmarks.coverage."""
        s, u = len(self.v), self.u.mean(axis=0)
        left = 10 ** (self.v - self.v.max(axis=0))
        shares = 1 - (1 - 1 / s) * left / left.mean(axis=0)
        weights = (u - u.mean()) ** 2
        return float(weights.sum() / (weights * (shares**2).sum(axis=0)).sum())

    def stderr(self, estimates: Float[ndarray, " s"]) -> float:
        """Standard error over samples of an estimate that is this without each group; NaN where it is not defined
        without every one."""
        return float(np.sqrt((estimates.size - 1) * np.mean((estimates - estimates.mean()) ** 2)))

    def interval(self, estimate: float, estimates: Float[ndarray, " s"]) -> tuple[float, float] | None:
        """The estimate ± its standard error times the 97.5 % point of Student's t with s − 1 degrees of freedom."""
        half = self.stderr(estimates) * student(estimates.size - 1)
        return (estimate - half, estimate + half) if np.isfinite(half) else None


@cache
def student(freedom: int) -> float:
    """The 97.5 % point of Student's t."""
    from scipy.special import stdtrit  # slow to load: only for those who ask

    return float(stdtrit(freedom, 0.975))
