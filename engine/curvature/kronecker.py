"""Sums over places of Kronecker vectors, and the moments of such vectors. Every matrix of the paper is one of these.

A layer that is used at places t = 1 … T of a sample (T = 1 for one vector per sample, tokens of a sequence, image
positions of a convolution) has gradients and curvature made of vectors x = Σ_t l_t ⊗ a_t, l_t in its outputs and a_t in
its inputs: nothing of size D = d_out · d_in exists per sample. A convolution in groups has such a sum in each of them,
one after the other. Where the sums are shorter than what they are made of, they are kept written out.
Source: theory.md sections 2 and 6.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


class Vectors(ABC):
    """Some vectors x_pm of every sample p, r of them each, flattened row-major into D numbers. right: what they share
    with others that have the same, so that directions need be `pushed` only once for all."""

    right: Tensor | None

    @property
    @abstractmethod
    def samples(self) -> int: ...

    @abstractmethod
    def sum(self) -> Float[Tensor, " d"]:
        """Σ_pm x_pm, float64."""

    @abstractmethod
    def pushed(self, v: Float[Tensor, "d k"]) -> Tensor:
        """What `along` takes of directions v_i."""

    @abstractmethod
    def along(self, pushed: Tensor) -> Float[Tensor, "n r k"]:
        """x_pm · v_i, of `pushed` directions."""

    @abstractmethod
    def back(self, weights: Float[Tensor, "n r k"]) -> Float[Tensor, "d k"]:
        """Σ_pm x_pm w_pmi, the adjoint of `along`."""

    @abstractmethod
    def written_out(self) -> Float[Tensor, "n r d"]:
        """x_pm itself."""

    def gram(self) -> Float[Tensor, "nr nr"]:
        """x_pm · x_qn, float64."""
        x = self.written_out().flatten(0, 1).double()
        return x @ x.mT


@dataclass(frozen=True, eq=False)
class Kronecker(Vectors):
    """x_pm = Σ_t l_pmt ⊗ a_pt in each group: left l, and right a, which all x_pm of a sample share."""

    left: Float[Tensor, "n r g t o"]
    right: Float[Tensor, "n g t i"]

    @property
    def samples(self) -> int:
        return self.right.shape[0]

    @property
    def single(self) -> bool:
        """x = l ⊗ a: one place and one group."""
        return self.right.shape[1] * self.right.shape[2] == 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(groups, outputs of a group, inputs of a group): D is their product."""
        return self.left.shape[2], self.left.shape[4], self.right.shape[3]

    def sum(self) -> Float[Tensor, " d"]:
        return torch.einsum("ngto,ngti->goi", self.left.double().sum(dim=1), self.right.double()).flatten()

    def pushed(self, v: Float[Tensor, "d k"]) -> Float[Tensor, "n gto k"]:
        """V_i a_pt, groups, places and outputs in one axis."""
        (g, o, i), k = self.shape, v.shape[1]
        by_input = v.view(g, o, i, k).transpose(1, 2).reshape(g, i, o * k)
        # One product a group: a product for each sample takes nine times as long where it has one place.
        pushed = self.right.transpose(0, 1).flatten(1, 2) @ by_input
        return pushed.view(g, self.samples, -1).transpose(0, 1).reshape(self.samples, -1, k)

    def along(self, pushed: Float[Tensor, "n gto k"]) -> Float[Tensor, "n r k"]:
        return self.left.flatten(2) @ pushed

    def back(self, weights: Float[Tensor, "n r k"]) -> Float[Tensor, "d k"]:
        (g, o, i), k = self.shape, weights.shape[2]
        left = (self.left.flatten(2).mT @ weights).view(self.samples, g, -1, o * k)
        total = left.transpose(0, 1).flatten(1, 2).mT @ self.right.transpose(0, 1).flatten(1, 2)
        return total.view(g, o, k, i).transpose(2, 3).reshape(g * o * i, k)

    def written_out(self) -> Float[Tensor, "n r d"]:
        n, r = self.left.shape[:2]
        by_output = self.left.permute(0, 2, 1, 4, 3).flatten(2, 3)  # (n, g, r o, t)
        rows = (by_output @ self.right).view(n, -1, r, self.left.shape[4], self.right.shape[3])
        return rows.transpose(1, 2).flatten(2)

    def gram(self) -> Float[Tensor, "nr nr"]:
        if not self.single:
            return super().gram()
        left, right = self.left.double().flatten(2), self.right.double().flatten(1)
        inputs = right.repeat_interleave(left.shape[1], dim=0)
        return (left.flatten(0, 1) @ left.flatten(0, 1).mT) * (inputs @ inputs.mT)


@dataclass(frozen=True, eq=False)
class Rows(Vectors):
    """Vectors written out."""

    x: Float[Tensor, "n r d"]
    right: None = None

    @property
    def samples(self) -> int:
        return self.x.shape[0]

    def sum(self) -> Float[Tensor, " d"]:
        return self.x.sum(dim=(0, 1), dtype=torch.float64)

    def pushed(self, v: Float[Tensor, "d k"]) -> Float[Tensor, "d k"]:
        return v

    def along(self, pushed: Float[Tensor, "d k"]) -> Float[Tensor, "n r k"]:
        return self.x @ pushed

    def back(self, weights: Float[Tensor, "n r k"]) -> Float[Tensor, "d k"]:
        return self.x.flatten(0, 1).mT @ weights.flatten(0, 1)

    def written_out(self) -> Float[Tensor, "n r d"]:
        return self.x


@dataclass(frozen=True, eq=False)
class Moment:
    """E_p[Σ_m w_pm x_pm x_pmᵀ], or with a second side E_p[Σ_m w_pm (x yᵀ + y xᵀ)]; weight None means 1."""

    x: Vectors
    weight: Float[Tensor, "n r"] | None = None
    y: Vectors | None = None

    @property
    def other(self) -> Vectors:
        """y, or x where there is no second side."""
        return self.x if self.y is None else self.y

    def weighted(self, x: Float[Tensor, "n r e"]) -> Float[Tensor, "n r e"]:
        """w x, for what stands for x."""
        return x if self.weight is None else x * self.weight[:, :, None]
