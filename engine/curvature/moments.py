"""Moments over samples and what is asked of them: D × D matrices, blocks VᵀMV, products H V, resampled diagonals.

Source: theory.md sections 2 and 6.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from engine.curvature import accumulate, triangles
from engine.curvature.kronecker import Moment, Vectors
from engine.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Along:
    """Some samples along directions v_i. quadratic: X, Y of every moment, so that VᵀMV is the symmetric part of
    E[Σ_m X Yᵀ]; linear: x_p·v_i of every mean."""

    quadratic: Mapping[str, tuple[Float[Tensor, "n r k"], Float[Tensor, "n r k"]]]
    linear: Mapping[str, Float[Tensor, "n k"]]


class Moments(ABC):
    """Named moments of the same samples, among them H as "h", and their named mean vectors."""

    @property
    @abstractmethod
    def samples(self) -> int: ...

    @abstractmethod
    def dense(self, chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
        """Every moment as a D × D matrix in the factors' precision, `chunk` samples at a time."""

    @abstractmethod
    def means(self) -> dict[str, Float[Tensor, " d"]]: ...

    @abstractmethod
    def along(self, v: Float[Tensor, "d k"], rows: slice) -> Along: ...

    @abstractmethod
    def applied(self, v: Float[Tensor, "d k"], rows: slice) -> Float[Tensor, "d k"]:
        """Σ_p h_p V of some samples."""

    index: Int[Tensor, " m"] | None = None  # which samples, None for all

    def parts(self) -> "Iterable[Moments]":
        """Those of the same samples."""
        return (self,)

    def apply(self, v: Float[Tensor, "d k"], chunk: int) -> Float[Tensor, "d k"]:
        """H V: O(n D k), never D × D."""
        sums = accumulate.sums(lambda rows: [("h", self.applied(v, rows))], self.samples, chunk)
        return (sums["h"] / self.samples).to(v.dtype)

    def project(
        self, v: Float[Tensor, "d k"], chunk: int, progress: Progress = silent
    ) -> dict[str, Float[Tensor, "k k"]]:
        """VᵀMV of every moment, float64: O(n D k)."""
        result: dict[str, Tensor] = {}
        for part in self.parts():

            def products(rows: slice, part: Moments = part) -> Iterator[tuple[str, Tensor]]:
                for name, (x, y) in part.along(v, rows).quadratic.items():
                    yield name, x.flatten(0, 1).mT @ y.flatten(0, 1)

            for name, total in accumulate.sums(products, part.samples, chunk, progress, "projections").items():
                result[name] = (total + total.mT) / (2 * part.samples)
        return result

    def resampled(
        self,
        v: Float[Tensor, "d k"],
        counts: Float[Tensor, "s n"],
        chunk: int,
        progress: Progress = silent,
    ) -> dict[str, Float[Tensor, "s k"]]:
        """v_iᵀMv_i of every moment and x̄·v_i of every mean for resamples of the samples.
        counts: how often each resample has each sample."""
        result: dict[str, Tensor] = {}
        for part in self.parts():
            weights = counts.to(v) if part.index is None else counts.to(v)[:, part.index]
            weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1)

            def shares(rows: slice, part: Moments = part, weights: Tensor = weights) -> Iterator[tuple[str, Tensor]]:
                along = part.along(v, rows)
                for name, (x, y) in along.quadratic.items():
                    yield name, weights[:, rows] @ (x * y).sum(dim=1)
                for name, slope in along.linear.items():
                    yield name, weights[:, rows] @ slope

            result |= accumulate.sums(shares, part.samples, chunk, progress, "resampling")
        return result


@dataclass(frozen=True, eq=False)
class LayerMoments(Moments):
    """Those of a layer whose vectors are kept of every sample. linear: the vectors whose means are named, one of each
    sample; index: the samples of those moments and means that are of fewer."""

    quadratic: Mapping[str, Moment]
    linear: Mapping[str, Vectors] = field(default_factory=dict)
    index: Int[Tensor, " m"] | None = None

    @property
    def samples(self) -> int:
        return max(moment.samples for moment in self.quadratic.values())

    def means(self) -> dict[str, Float[Tensor, " d"]]:
        return {name: x.mean() for name, x in self.linear.items()}

    def parts(self) -> "Iterable[LayerMoments]":
        for n in sorted({moment.samples for moment in self.quadratic.values()}):
            yield LayerMoments(
                {name: moment for name, moment in self.quadratic.items() if moment.samples == n},
                {name: x for name, x in self.linear.items() if x.samples == n},
                None if n == self.samples else self.index,
            )

    def along(self, v: Float[Tensor, "d k"], rows: slice) -> Along:
        """The costly V_i a_p is computed once for all vectors that share their right side."""
        pushed: dict[int, Tensor] = {}
        laid: dict[int, Tensor] = {}

        def along(x: Vectors) -> Tensor:
            if id(x) not in laid:
                part = x[rows]
                if id(x.right) not in pushed:
                    pushed[id(x.right)] = part.pushed(v)
                laid[id(x)] = part.along(pushed[id(x.right)])
            return laid[id(x)]

        quadratic = {}
        for name, moment in self.quadratic.items():
            x = moment.weighted(rows, along(moment.x))
            quadratic[name] = (x, along(moment.x)) if moment.y is None else (2 * x, along(moment.y))
        return Along(quadratic, {name: along(x)[:, 0] for name, x in self.linear.items()})

    def applied(self, v: Float[Tensor, "d k"], rows: slice) -> Float[Tensor, "d k"]:
        h = self.quadratic["h"]
        x = h.x[rows]
        return x.back(h.weighted(rows, x.along(x.pushed(v))))

    def dense(self, chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
        return triangles.dense(self.quadratic, chunk, progress)
