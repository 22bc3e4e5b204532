"""C rebuilt from gradients whose tie to their own sample's curvature is cut (engine.results.null).

g_p = Σ_t δ_pt ⊗ a_pt. The δ_p of a sample, all its places together, go to another sample of its class, the a_pt stay,
and so does H: g'_p = Σ_t δ_π(p)t ⊗ a_pt. E[δ δᵀ], E[a aᵀ] and the classes' means of both are kept; tr C is where all
‖a_p‖ of a class are equal. Several permutations share what the activities cost.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.accumulate import over
from engine.curvature.factors import Survey
from engine.curvature.kronecker import Kronecker, Moment
from engine.curvature.memory import Plan
from engine.curvature.moments import LayerMoments, Terms
from engine.curvature.tail import Tail
from engine.device import free_memory
from engine.errors import require
from engine.progress import Progress, silent
from engine.results.null import Measurements, Permuted

TOGETHER = 4  # D × D matrices made at a time


@dataclass(frozen=True, eq=False)
class Gradients:
    """Both sides of every sample's gradient. delta: δ_p of all; activity: a_p of some; kinds: their classes, all 0
    where targets are no single labels; batch_size: B; chunk: at most so many activities at a time."""

    delta: Float[Tensor, "n 1 g t o"]
    activity: Callable[[slice], Float[Tensor, "m g t i"]]
    kinds: Int[Tensor, " n"]
    batch_size: int
    chunk: int

    @property
    def mixed(self) -> bool:
        """Whether some class has two samples."""
        return bool((self.kinds.unique(return_counts=True)[1] > 1).any())

    @classmethod
    def of(cls, tail: Tail | None, survey: Survey, batch_size: int) -> "Gradients":
        """From the factors that are kept, or by passes through the network."""
        kept = survey.kept
        if kept is not None and kept.activity is not None:
            return cls(kept.g, kept.activity.__getitem__, survey.kinds, batch_size, kept.samples)
        require(
            tail is not None,
            "What the layer is fed at its places is not at hand here. Analyse again in Python, or by a command.",
        )
        assert tail is not None
        n = len(survey.kinds)
        size, free = n * tail.outputs * torch.finfo(tail.dtype).bits // 8, free_memory(tail.device)
        if size > free // 2:
            raise MemoryError(
                f"The gradients of {n:,} samples at {tail.places:,} places take {size / 2**30:.1f} GiB, and "
                f"{free / 2**30:.1f} are free. Analyse fewer samples."
            )
        delta = torch.cat([_sides(tail, rows)[0] for rows in over(n, tail.chunk)])
        return cls(delta, lambda rows: _sides(tail, rows)[1], survey.kinds, batch_size, tail.chunk)


def _sides(tail: Tail, rows: slice) -> tuple[Float[Tensor, "m 1 g t o"], Float[Tensor, "m g t i"]]:
    """δ_t and a_t of some samples, by one pass forward and one backward."""
    (a,), shift, f = tail.forward(tail.inputs[rows])
    slope = tail.loss.derivatives(f.detach(), tail.targets[rows].to(tail.device))[0]
    (delta,) = torch.autograd.grad((f * slope.to(f.dtype)).sum(), shift)
    return tail.by_place(delta[:, None])[0], a.detach()


def dealt(kinds: Int[Tensor, " n"], permutations: int, seed: int) -> list[Int[Tensor, " n"]]:
    """Random permutations within each class: whose δ sample p gets. Fewer of them are the first of more."""
    generator, there = torch.Generator().manual_seed(seed), kinds.cpu()
    grouped, made = there.argsort(stable=True), []
    for _ in range(permutations):
        order = torch.randperm(len(there), generator=generator)
        to = torch.empty_like(order)
        to[grouped] = order[there[order].argsort(stable=True)]
        made.append(to)
    return made


def permuted(
    gradients: Gradients,
    eigenvalues: Float[Tensor, " k"],
    basis: Float[Tensor, "d k"],
    work: Plan,
    permutations: int,
    seed: int,
    progress: Progress = silent,
) -> Permuted:
    """So many rebuilt C in the eigenbasis of H. Each costs a product over the samples, and one with the directions."""
    require(
        gradients.mixed,
        "Every class has one sample, so there is nothing to permute. Analyse more samples, or fewer classes.",
    )
    v, h = basis.to(gradients.delta), eigenvalues.cpu().numpy()
    together = TOGETHER if work.dense else permutations
    chunk = min(work.expand if work.dense else work.along, gradients.chunk)
    rows: list[Measurements] = []

    def step(*_: object) -> None:
        progress("permutations", len(rows), permutations)

    every = [index.to(v.device) for index in dealt(gradients.kinds, permutations, seed)]
    for start in range(0, permutations, together):
        some = {str(number): index for number, index in enumerate(every[start : start + together])}
        moments = _moments(gradients, some, chunk)
        step()
        matrices = moments.dense(chunk, step) if work.dense else moments.project(v, chunk, step)
        for name, matrix in matrices.items():
            second = v.T @ (matrix @ v) if work.dense else matrix
            mean = (v.T @ moments.averages[name].to(v)).double()
            block = (second.double() - torch.outer(mean, mean)) / gradients.batch_size
            rows.append(Measurements.of(h, block.cpu().numpy()))
            step()
    return Permuted(
        **{part: np.stack([getattr(row, part) for row in rows]) for part in vars(rows[0])},
        classes=len(gradients.kinds.unique()),
        seed=seed,
    )


def _moments(gradients: Gradients, some: dict[str, Int[Tensor, " n"]], chunk: int) -> LayerMoments:
    """E[g' g'ᵀ] and ḡ' of some permutations, by name; they share their activities."""
    n = len(gradients.kinds)

    def vectors(rows: slice) -> dict[str, Kronecker]:
        a = gradients.activity(rows)
        return {name: Kronecker(gradients.delta[index[rows]], a) for name, index in some.items()}

    def sums(rows: slice) -> Iterator[tuple[str, Tensor]]:
        return ((name, g.sum()) for name, g in vectors(rows).items())

    def terms(rows: slice) -> Terms:
        return Terms({name: Moment(g) for name, g in vectors(rows).items()})

    def h(_: slice) -> Moment:
        raise NotImplementedError("H stays as it is")

    averages = {name: total / n for name, total in accumulate.sums(sums, n, chunk).items()}
    return LayerMoments(terms, h, n, averages)
