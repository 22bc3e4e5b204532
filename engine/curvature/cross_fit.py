"""Directions that some samples give, and H and the covariances along them on these and on others, the weights fixed.

Halves are drawn at random and not class by class: halves with the same classes would resemble each other more than
fresh samples do. Each half's own H is diagonalised and its C is about its own mean. Of a wide layer the directions are
the leading eigenvectors of the half's own H: those of all samples were chosen on the other half too, and what is read
there would no longer be unseen. Source: theory.md 7.3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from engine.curvature import accumulate, eigensolver, projection, resampling
from engine.curvature.covariances import SOME, Combination
from engine.curvature.factors import LayerFactors
from engine.curvature.memory import Plan
from engine.curvature.moments import Moments
from engine.errors import require
from engine.progress import Progress, silent
from engine.results.cross_fit import HeldOut, Reading, Split

SHARES = (4, 8)  # N/4 and N/8 samples; N/2 are a half
LEAST = 16  # samples that can be cut in halves and quarters


@dataclass(frozen=True, eq=False)
class Divisible:
    """Samples that can be taken apart. moments: of those of an index; factors: the same; combinations: the matrices
    read; work, k, dtype: as for the analysis of all."""

    count: int
    moments: Callable[[Int[Tensor, " m"]], Moments]
    factors: Callable[[Int[Tensor, " m"]], LayerFactors]
    combinations: Mapping[str, Combination]
    work: Plan
    k: int
    dtype: torch.dtype
    device: torch.device

    @cached_property
    def traces(self) -> dict[str, Float[Tensor, " n"]]:
        """tr h_p and tr h_p² of every sample."""
        pieces: list[Tensor] = []
        every = torch.arange(self.count, device=self.device)
        for rows in accumulate.over(self.count, SOME if self.work.keep else self.work.along):
            kappa = self.factors(every[rows]).kappa().double()
            pieces.append(torch.stack([kappa.sum(dim=1), kappa.square().sum(dim=1)]))
        first, second = torch.cat(pieces, dim=1)
        return {"H": first, "E_h2": second}

    def part(self, index: Int[Tensor, " m"], progress: Progress = silent) -> "Part":
        """The samples of an index."""
        effective = {name: _effective(x[index]) for name, x in self.traces.items()}
        return Part(self, self.moments(index), effective, progress)


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the samples: the directions that they give, and what they are along their own and other ones. effective:
    as in Reading."""

    of: Divisible
    moments: Moments
    effective: Mapping[str, float]
    progress: Progress = silent

    @cached_property
    def matrices(self) -> Mapping[str, Float[Tensor, "d d"]] | None:
        """D × D, where the whole analysis has them."""
        return self.moments.dense(self.of.work.expand, self.progress) if self.of.work.dense else None

    @cached_property
    def directions(self) -> tuple[Float[Tensor, " k"], Float[Tensor, "d k"]]:
        """H_ii and the v_i of these samples' own H."""
        of = self.of
        if self.matrices is None:
            leading = projection.leading(self.moments, of.work, of.k, of.dtype, progress=self.progress)
            return leading.values, leading.vectors
        values, basis = eigensolver.eigenpairs(self.matrices["h"])
        return values[: of.k], basis[:, : of.k]

    def reading(self, given: "Part", seed: int | None = None) -> Reading:
        """H and the matrices of these samples along the directions of others, or their own; seed: of the jackknife,
        None without one."""
        of, (own, basis) = self.of, given.directions
        diagonals = self._along(basis)
        if given is self:
            diagonals["H"] = own.float().cpu().numpy()
        floor = eigensolver.noise_floor(of.dtype, diagonals["H"])
        jackknife = None
        if seed is not None:
            how = basis.to(of.dtype), seed, of.work.along, self.progress
            jackknife = resampling.jackknife(self.moments, of.combinations, *how)
        return Reading(self.moments.samples, diagonals, floor, self.effective, jackknife)

    def _along(self, basis: Float[Tensor, "d k"]) -> dict[str, Float[ndarray, " k"]]:
        of = self.of
        if self.matrices is None:
            how = basis.to(of.dtype), torch.ones(1, self.moments.samples), of.work.along, self.progress
            return {name: row[0] for name, row in resampling.replicates(self.moments, of.combinations, *how).items()}
        means = {name: (basis.T @ mean.to(basis)).double() for name, mean in self.moments.means().items()}
        moments = {name: projection.quadratic_forms(m, basis.to(m)) for name, m in self.matrices.items()}
        return {
            name: c.evaluate(moments.__getitem__, lambda x, y: means[x] * means[y]).float().cpu().numpy()
            for name, c in of.combinations.items()
        }


def compare_halves(samples: Divisible, splits: int, seed: int, progress: Progress = silent) -> HeldOut:
    """So many splits in halves, both ways, and nested subsets. Directions of one split after the other are drawn from
    the seed: fewer splits are the first of more."""
    n = samples.count
    require(n >= LEAST, f"Halves of {n} samples tell nothing of other samples. Analyse at least {LEAST}.")
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(n, generator=generator).to(samples.device) for _ in range(splits)]
    work = (*((order, n // 2) for order in orders), *((orders[0], n // share) for share in SHARES))
    pairs: list[list[Split]] = []
    for done, (order, size) in enumerate(work):

        def step(*_: object, done: int = done) -> None:
            progress("other samples", done, len(work))

        step()
        one, other = (samples.part(rows, step) for rows in order[: 2 * size].split(size))
        # What the jackknife tells of the first split holds for all: they are the same samples, cut otherwise.
        drawn = None if done else seed
        pairs.append([Split(one.reading(one, drawn), other.reading(one, drawn))])
        if size == n // 2:
            pairs[-1].append(Split(other.reading(other, drawn), one.reading(other, drawn)))
    halves, growing = pairs[:splits], pairs[: splits - 1 : -1]
    return HeldOut(tuple(split for pair in halves for split in pair), tuple(pair[0] for pair in growing), seed=seed)


def _effective(x: Float[Tensor, " n"]) -> float:
    """(Σ x)² / Σ x²."""
    return float(x.sum().square() / x.square().sum())
