"""Sums over places of Kronecker vectors, and the moments of such vectors. Every matrix of the paper is one of these.

A layer that is used at places t = 1 … T of a sample (T = 1 for one vector per sample, tokens of a sequence, image
positions of a convolution) has gradients and curvature made of vectors x = Σ_t l_t ⊗ a_t, l_t in its outputs and a_t in
its inputs: nothing of size D = d_out · d_in exists per sample. Source: theory.md sections 2 and 6.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Vectors:
    """x_pm = Σ_t l_pmt ⊗ a_pt of every sample p: left l, and right a, which all x_pm of a sample share."""

    left: Float[Tensor, "n r t d_out"]
    right: Float[Tensor, "n t d_in"]

    @property
    def samples(self) -> int:
        return self.right.shape[0]

    @property
    def places(self) -> int:
        """T."""
        return self.right.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """(d_out, d_in)."""
        return self.left.shape[3], self.right.shape[2]

    def __getitem__(self, rows: slice) -> "Vectors":
        """Those of some samples."""
        return Vectors(self.left[rows], self.right[rows])

    def mean(self) -> Float[Tensor, " d"]:
        """E_p[Σ_m x_pm], flattened row-major, float64."""
        left, right = self.left.double().sum(dim=1).flatten(0, 1), self.right.double().flatten(0, 1)
        return (left.mT @ right / self.samples).flatten()

    def pushed(self, v: Float[Tensor, "d k"]) -> Float[Tensor, "n to k"]:
        """V_i a_pt, places and outputs in one axis: what `along` takes of the right vectors."""
        (d_out, d_in), k = self.shape, v.shape[1]
        by_input = v.view(d_out, d_in, k).transpose(0, 1).reshape(d_in, d_out * k)
        return (self.right @ by_input).view(self.samples, -1, k)

    def along(self, pushed: Float[Tensor, "n to k"]) -> Float[Tensor, "n r k"]:
        """x_pm · v_i = Σ_t l_pmtᵀ V_i a_pt, of `pushed` directions."""
        return self.left.flatten(2) @ pushed

    def back(self, weights: Float[Tensor, "n r k"]) -> Float[Tensor, "d k"]:
        """Σ_pm x_pm w_pmi, the adjoint of `along`."""
        (d_out, d_in), k = self.shape, weights.shape[2]
        left = (self.left.flatten(2).mT @ weights).view(-1, d_out * k)
        return (left.mT @ self.right.flatten(0, 1)).view(d_out, k, d_in).transpose(1, 2).reshape(d_out * d_in, k)

    def written_out(self) -> Float[Tensor, "n r d"]:
        """x_pm itself, flattened row-major."""
        return torch.einsum("nrto,nti->nroi", self.left, self.right).flatten(2)


@dataclass(frozen=True, eq=False)
class Moment:
    """E_p[Σ_m w_pm x_pm x_pmᵀ], or with a second side E_p[Σ_m w_pm (x yᵀ + y xᵀ)]; weight None means 1."""

    x: Vectors
    weight: Float[Tensor, "n r"] | None = None
    y: Vectors | None = None

    @property
    def samples(self) -> int:
        return self.x.samples

    @property
    def other(self) -> Vectors:
        """y, or x where there is no second side."""
        return self.x if self.y is None else self.y

    def weighted(self, rows: slice, x: Float[Tensor, "n r e"]) -> Float[Tensor, "n r e"]:
        """w x, for what stands for x of some samples."""
        return x if self.weight is None else x * self.weight[rows][:, :, None]
