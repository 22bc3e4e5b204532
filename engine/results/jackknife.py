"""How much γ would change with other training samples, without resampling it: the delete-a-group jackknife.

The samples are dealt at random into s groups, and each is left out once. If γ_(g) is the slope without group g, its
variance over samples is (s − 1)/s · Σ_g (γ_(g) − mean)² (Shao and Wu, Annals of Statistics 17, 1176, 1989). The
eigenbasis of H stays that of all samples.

What leaving out a group does to H_ii and C_ii hardly differs between neighbouring directions, since the same samples
do it. So it is measured at a few places and taken to hold, as a factor, for the stretch of directions around each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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

    def stderr(
        self,
        name: str,
        x: Float[ndarray, " k"],
        y: Float[ndarray, " k"],
        keep: Bool[ndarray, " k"],
        first: int = 0,
    ) -> float | None:
        """Standard error over samples of the slope of log y on log x over the directions to keep, the leading one of
        which is `first`. Directions in stretches where a diagonal is not always positive are left out; None where
        fewer than three remain, or there is nothing to leave out."""
        h, c = (self.diagonals[key].astype(np.float64) for key in ("H", name))
        sound = np.all((h > 0) & (c > 0), axis=0)
        stretch = np.searchsorted(self.edges, first + np.arange(x.size), side="right") - 1
        keep = keep & sound[stretch]
        groups, count = h.shape[0], int(keep.sum())
        if groups < 2 or count < 3:
            return None
        u, v = np.log10(x[keep]), np.log10(y[keep])
        u, v = u - u.mean(), v - v.mean()
        # Without a group, u becomes u + a and v becomes v + b, the same a and b all along a stretch.
        a, b = (np.log10(np.where(sound, z, 1.0) / np.where(sound, z.mean(axis=0), 1.0)) for z in (h, c))
        n, su, sv = (np.bincount(stretch[keep], z, minlength=sound.size) for z in (np.ones(count), u, v))
        ma, mb = a @ n / count, b @ n / count
        covariance = u @ v + a @ sv + b @ su + (a * b) @ n - count * ma * mb
        variance = u @ u + 2 * a @ su + (a * a) @ n - count * ma**2
        if not np.all(variance > 0):
            return None
        slopes = covariance / variance
        return float(np.sqrt((groups - 1) * np.mean((slopes - slopes.mean()) ** 2)))

    def interval(
        self,
        name: str,
        gamma: float,
        x: Float[ndarray, " k"],
        y: Float[ndarray, " k"],
        keep: Bool[ndarray, " k"],
        first: int = 0,
    ) -> tuple[float, float] | None:
        """γ ± the standard error times the 97.5 % point of Student's t with s − 1 degrees of freedom."""
        error = self.stderr(name, x, y, keep, first)
        if error is None:
            return None
        from scipy.special import stdtrit  # slow to load: only for those who ask

        half = error * float(stdtrit(self.diagonals["H"].shape[0] - 1, 0.975))
        return gamma - half, gamma + half
