"""Moments over samples and what is asked of them: D × D matrices, blocks VᵀMV, products H V, resampled diagonals.

Source: theory.md sections 2 and 6.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from jaxtyping import Bool, Float
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
    """Named moments of the same samples, among them H as "h", and their named mean vectors.

    counted: of moments and means that are of fewer samples, which; the others have no share in them.
    """

    samples: int
    counted: Mapping[str, Bool[Tensor, " n"]]

    @abstractmethod
    def dense(self, chunk: int, progress: Progress = silent) -> Mapping[str, Float[Tensor, "d d"]]:
        """Every moment as a D × D matrix in the factors' precision, `chunk` samples at a time."""

    @abstractmethod
    def means(self) -> Mapping[str, Float[Tensor, " d"]]: ...

    @abstractmethod
    def along(self, v: Float[Tensor, "d k"], rows: slice) -> Along: ...

    @abstractmethod
    def applied(self, v: Float[Tensor, "d k"], rows: slice) -> Float[Tensor, "d k"]:
        """Σ_p h_p V of some samples."""

    def count(self, name: str) -> int:
        """How many samples a moment is the mean of."""
        return int(self.counted[name].sum()) if name in self.counted else self.samples

    def apply(self, v: Float[Tensor, "d k"], chunk: int) -> Float[Tensor, "d k"]:
        """H V: O(n D k), never D × D."""
        sums = accumulate.sums(lambda rows: [("h", self.applied(v, rows))], self.samples, chunk)
        return (sums["h"] / self.samples).to(v.dtype)

    def project(
        self, v: Float[Tensor, "d k"], chunk: int, progress: Progress = silent
    ) -> dict[str, Float[Tensor, "k k"]]:
        """VᵀMV of every moment, float64: O(n D k)."""

        def products(rows: slice) -> Iterator[tuple[str, Tensor]]:
            for name, (x, y) in self.along(v, rows).quadratic.items():
                yield name, x.flatten(0, 1).mT @ y.flatten(0, 1)

        sums = accumulate.sums(products, self.samples, chunk, progress, "projections")
        return {name: (total + total.mT) / (2 * self.count(name)) for name, total in sums.items()}

    def resampled(
        self,
        v: Float[Tensor, "d k"],
        counts: Float[Tensor, "s n"],
        chunk: int,
        progress: Progress = silent,
    ) -> dict[str, Float[Tensor, "s k"]]:
        """v_iᵀMv_i of every moment and x̄·v_i of every mean for resamples of the samples.
        counts: how often each resample has each sample."""
        counts = counts.to(v)

        def shares(rows: slice) -> Iterator[tuple[str, Tensor]]:
            along = self.along(v, rows)
            for name, (x, y) in along.quadratic.items():
                yield name, counts[:, rows] @ (x * y).sum(dim=1)
            for name, slope in along.linear.items():
                yield name, counts[:, rows] @ slope

        def size(name: str) -> Tensor:
            own = counts[:, self.counted[name]] if name in self.counted else counts
            return own.sum(dim=1, keepdim=True).clamp_min(1).double()

        sums = accumulate.sums(shares, self.samples, chunk, progress, "resampling")
        return {name: total / size(name) for name, total in sums.items()}


@dataclass(frozen=True, eq=False)
class Terms:
    """What the moments of some samples are sums of. linear: the vectors whose means are named, one of each sample."""

    quadratic: Mapping[str, Moment]
    linear: Mapping[str, Vectors] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LayerMoments(Moments):
    """Those of one layer. terms: of some samples, whether kept or made anew; h: H alone of them; averages: the means,
    known before."""

    terms: Callable[[slice], Terms]
    h: Callable[[slice], Moment]
    samples: int
    averages: Mapping[str, Float[Tensor, " d"]] = field(default_factory=dict)
    counted: Mapping[str, Bool[Tensor, " n"]] = field(default_factory=dict)

    def means(self) -> Mapping[str, Float[Tensor, " d"]]:
        return self.averages

    def along(self, v: Float[Tensor, "d k"], rows: slice) -> Along:
        """The costly V_i a_p is computed once for all vectors that share their right side."""
        terms = self.terms(rows)
        pushed: dict[int, Tensor] = {}
        laid: dict[int, Tensor] = {}

        def along(x: Vectors) -> Tensor:
            if id(x) not in laid:
                if id(x.right) not in pushed:
                    pushed[id(x.right)] = x.pushed(v)
                laid[id(x)] = x.along(pushed[id(x.right)])
            return laid[id(x)]

        quadratic = {}
        for name, moment in terms.quadratic.items():
            x = moment.weighted(along(moment.x))
            quadratic[name] = (x, along(moment.x)) if moment.y is None else (2 * x, along(moment.y))
        return Along(quadratic, {name: along(x)[:, 0] for name, x in terms.linear.items()})

    def applied(self, v: Float[Tensor, "d k"], rows: slice) -> Float[Tensor, "d k"]:
        h = self.h(rows)
        return h.x.back(h.weighted(h.x.along(h.x.pushed(v))))

    def dense(self, chunk: int, progress: Progress = silent) -> Mapping[str, Float[Tensor, "d d"]]:
        return triangles.dense(lambda rows: self.terms(rows).quadratic, self.count, self.samples, chunk, progress)
