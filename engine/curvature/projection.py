"""The named matrices in the eigenbasis of H: diagonals and norms at once, blocks and spectra when asked for.

What is not asked for (say, the commutator of every approximation) is not paid for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from engine.curvature import eigensolver
from engine.curvature.covariances import Combination
from engine.curvature.memory import Plan
from engine.curvature.moments import LayerMoments, Moments
from engine.progress import Progress, silent

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}  # of ‖H v − λ v‖, relative to the largest |λ|

PIECE = 256  # rows widened at a time
LEAF = 640  # below this size a product is too small to be worth cutting


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Projects named matrices into the eigenbasis on demand."""

    combinations: Mapping[str, Combination]
    means: Mapping[str, Float[Tensor, " d"]]
    eigenvalues: Float[Tensor, " k"]
    basis: Float[Tensor, "d k"]
    residuals: Float[Tensor, " k"] | None
    matrices: Mapping[str, Tensor]

    def _means(self, k: int) -> dict[str, Float[Tensor, " k"]]:
        return {name: (self.basis[:, :k].T @ mean.to(self.basis)).double() for name, mean in self.means.items()}

    def _combine(self, name: str, matrices: Mapping[str, Tensor], means: Mapping[str, Tensor]) -> Float[Tensor, "s s"]:
        """The named matrix in the representation of the given moments and means, added up in place."""
        combination = self.combinations[name]
        (scale, first), *others = combination.moments
        total = matrices[first] * scale
        for scale, moment in others:
            total.add_(matrices[moment], alpha=scale)
        for scale, x, y in combination.means:
            left, right = means[x].to(total.dtype), means[y].to(total.dtype)
            total.addr_(left, right, alpha=scale / 2).addr_(right, left, alpha=scale / 2)
        return total

    def diagonals(self, progress: Progress) -> dict[str, Float[ndarray, " k"]]:
        """diag(Vᵀ M V) of every named matrix."""
        k = self.basis.shape[1]
        means, own = self._means(k), {}
        for i, name in enumerate(self.matrices):
            own[name] = self.eigenvalues if name == "h" else self._moment_diagonal(name)
            progress("projections", i + 1, len(self.matrices))
        return {
            name: c.evaluate(own.__getitem__, lambda x, y: means[x] * means[y]).cpu().numpy()
            for name, c in self.combinations.items()
        }

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        raise NotImplementedError

    def _named(self, name: str) -> Float[Tensor, "s s"]:
        """The matrix in whatever orthonormal coordinates its norm and spectrum are taken in."""
        raise NotImplementedError

    def square(self, name: str) -> float:
        """‖M‖²."""
        return _inner(matrix := self._named(name), matrix)

    def overlap(self, name: str) -> float:
        """⟨C, M⟩."""
        return _inner(self._named("C"), self._named(name))

    def spectrum(self, name: str) -> Float[ndarray, " k"]:
        return eigensolver.eigenvalues(self._named(name)).cpu().numpy()

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        raise NotImplementedError


class Dense(Evaluator):
    """Moments as D × D matrices in the original coordinates; the basis is complete."""

    @cached_property
    def _directions(self) -> Float[Tensor, "d k"]:
        return self.basis.to(self.matrices["h"].dtype)

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        return quadratic_forms(self.matrices[name], self._directions)

    def _named(self, name: str) -> Float[Tensor, "d d"]:
        return self._combine(name, self.matrices, self.means)

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        v = self._directions[:, :k]
        return (v.T @ (self._named(name) @ v)).double().cpu().numpy()


class Projected(Evaluator):
    """Moments as k × k blocks in the leading eigenbasis: all questions are put inside that span."""

    def _named(self, name: str) -> Float[Tensor, "k k"]:
        return self._combine(name, self.matrices, self._means(self.basis.shape[1]))

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        return self.matrices[name].diagonal().double()

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        return self._named(name)[:k, :k].double().cpu().numpy()


def _inner(a: Float[Tensor, "s s"], b: Float[Tensor, "s s"]) -> float:
    """⟨A, B⟩, in float64 throughout: the squares of small entries are nothing in float32."""
    return sum(float(x.double().mul_(y).sum()) for x, y in zip(a.split(PIECE), b.split(PIECE), strict=True))


def in_eigenbasis(
    moments: Moments,
    combinations: Mapping[str, Combination],
    work: Plan,
    k: int,
    dtype: torch.dtype,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Evaluator:
    """The leading k eigenpairs of H and every named matrix among them, the way that `work` says."""
    means = moments.means()
    d = len(means["g"])
    if work.dense:
        matrices = moments.dense(work.expand, progress)
        progress("eigenvectors", 0, 1)
        values, basis = eigensolver.eigenpairs(matrices["h"])
        values, basis = values[:k], basis[:, :k]
        progress("eigenvectors", 1, 1)
        if k == d:
            return Dense(combinations, means, values, basis, None, matrices)
        v = basis.to(dtype)
        images = {name: matrix @ v for name, matrix in matrices.items()}
        residuals = torch.linalg.norm((images["h"] - v * values.to(v)).double(), dim=0)
        blocks = {name: v.T @ image for name, image in images.items()}
    else:
        pairs = leading(moments, work, k, dtype, seed, progress)
        values, basis = pairs.values, pairs.vectors
        blocks = moments.project(basis, work.along, progress)
        # What the recurrence tells of H v outside the basis, and inside it another product.
        residuals = torch.hypot(pairs.residuals, torch.linalg.norm(blocks["h"] - torch.diag(values), dim=0))
    return Projected(combinations, means, values, basis, residuals, blocks)


def leading(
    moments: Moments, work: Plan, k: int, dtype: torch.dtype, seed: int = 0, progress: Progress = silent
) -> eigensolver.Leading:
    """The leading k eigenpairs of H from products with it, or from its rows."""

    def apply(v: Float[Tensor, "d b"]) -> Float[Tensor, "d b"]:
        return moments.apply(v, work.apply)

    if work.rows and isinstance(moments, LayerMoments):
        pairs = eigensolver.of_rows(moments.h(slice(0, moments.samples)), moments.samples, k, apply)
        progress("eigenvectors", 1, 1)
        if pairs is not None:
            return pairs
    mean = moments.means()["g"]
    return eigensolver.leading_eigenpairs(
        apply, len(mean), k, device=mean.device, dtype=dtype, tolerance=TOLERANCE[dtype], block=work.block, seed=seed,
        progress=progress,
    )  # fmt: skip


def quadratic_forms(matrix: Float[Tensor, "s s"], vectors: Float[Tensor, "s k"]) -> Float[Tensor, " k"]:
    """v_iᵀ M v_i of a symmetric matrix, in float64. With M and v cut in halves, [A Bᵀ; B C] and [a; c], it is
    aᵀAa + 2 cᵀBa + cᵀCc: each cut saves a quarter of what is left of the work."""
    size = matrix.shape[0]
    if size <= LEAF:
        return (matrix @ vectors).mul_(vectors).sum(dim=0, dtype=torch.float64)
    half = size // 2
    upper, lower = vectors[:half], vectors[half:]
    cross = (matrix[half:, :half] @ upper).mul_(lower).sum(dim=0, dtype=torch.float64)
    return quadratic_forms(matrix[:half, :half], upper) + 2 * cross + quadratic_forms(matrix[half:, half:], lower)
