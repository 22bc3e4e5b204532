"""Derivatives of the network around some samples: what the factors of a layer are made of."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Around:
    """The network around some samples: a_t; f; ∂ℓ/∂f and ∂²ℓ/∂f²; ∂f/∂z; and Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z², None where it is
    left out. z is that of all places side by side."""

    a: Float[Tensor, "n g t i"]
    f: Float[Tensor, "n c"]
    slope: Float[Tensor, "n c"]
    hessian: Float[Tensor, "n c c"]
    jacobian: Float[Tensor, "n c e"]
    second: Float[Tensor, "n e e"] | None

    @property
    def delta(self) -> Float[Tensor, "n e"]:
        """δ_t, float64."""
        return torch.einsum("nc,nce->ne", self.slope, self.jacobian.double())

    def pull(self, push: Float[Tensor, "n e"]) -> Float[Tensor, "n e"]:
        """Σ_s M_ts Δz_s for a change of z, float64: what δ changes by, to first order."""
        z, j = push.double()[:, :, None], self.jacobian.double()
        pull = j.mT @ (self.hessian @ (j @ z))
        return (pull if self.second is None else pull + self.second @ z)[:, :, 0]
