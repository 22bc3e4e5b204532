"""LayerFactors: what one fully connected layer keeps of every sample. The heart of the engine.

z_p = W a_p is linear in W and a_p does not depend on W, so whatever lies downstream

    g_p = δ_p ⊗ a_p,  δ_p = ∂ℓ_p/∂z_p        h_p = M_p ⊗ a_p a_pᵀ,  M_p = ∂²ℓ_p/∂z_p² = Σ_m μ_m e_m e_mᵀ

and nothing of size D × D exists per sample. Source: theory.md section 2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from engine.curvature import guards
from engine.curvature.accumulate import over
from engine.curvature.autodiff import ShiftedNetwork, is_curved, rows_of_derivative, second_derivative
from engine.curvature.kronecker import Vectors
from engine.curvature.memory import Memory, memory
from engine.losses import LossLike
from engine.progress import Progress, silent


@dataclass(frozen=True)
class LayerFactors:
    """Per-sample factors of one layer.

    activity: a_p, with a last component 1 where the bias is included; delta: δ_p; curvature: μ_m, the
    eigenvalues of M_p by falling magnitude; vectors: their orthonormal eigenvectors e_m as rows; all
    at the layer's one place;
    weight: W, with the bias as last column where it is included; loss: ℓ_p; correct: whether the largest
    logit is the target's; kind: "gauss-newton" (M_p = J_pᵀ A_p J_p, exact for a piecewise-linear tail,
    rank ≤ K) or "full" (with the second derivative of the tail, rank d_out).
    """

    activity: Float[Tensor, "n 1 d_in"]
    delta: Float[Tensor, "n 1 d_out"]
    curvature: Float[Tensor, "n r"]
    vectors: Float[Tensor, "n r 1 d_out"]
    weight: Float[Tensor, "d_out d_in"]
    loss: Float[Tensor, " n"]
    correct: Float[Tensor, " n"]
    kind: str

    @property
    def samples(self) -> int:
        return self.activity.shape[0]

    @property
    def dimension(self) -> int:
        """D, the number of weights."""
        return self.weight.numel()

    def select(self, index: Int[Tensor, " m"]) -> "LayerFactors":
        """The factors of some samples."""
        per_sample = ("activity", "delta", "curvature", "vectors", "loss", "correct")
        rows = {name: getattr(self, name)[index] for name in per_sample}
        return LayerFactors(weight=self.weight, kind=self.kind, **rows)

    @property
    def gradients(self) -> Vectors:
        """g_p = δ_p ⊗ a_p."""
        return Vectors(self.delta[:, None], self.activity)

    @property
    def eigenvectors(self) -> Vectors:
        """x_m = e_m ⊗ a_p, those of h_p = Σ_m μ_m x_m x_mᵀ, of length ‖a_p‖."""
        return Vectors(self.vectors, self.activity)

    def lengths2(self) -> Float[Tensor, " n"]:
        """‖a_p‖², the squared length of the eigenvectors."""
        return self.activity.square().sum(dim=(1, 2))

    def kappa(self) -> Float[Tensor, "n r"]:
        """Eigenvalues of h_p: κ_m = μ_m ‖a_p‖²; their eigenvectors are e_m ⊗ a_p/‖a_p‖."""
        return self.curvature * self.lengths2()[:, None]


class Tail(ShiftedNetwork):
    """The network cut open at one layer.

    curvature "auto" measures whether the second derivative of what follows the layer contributes to any M_p,
    by one double backward pass along a random direction, and takes "full" only if it does. Forcing
    "gauss-newton" on a smooth tail gives the Gauss–Newton matrix, which is not the Hessian.

    Raises ValueError, with the remedy, for a network that theory.md section 2 does not cover. What can be told
    without running it, engine.curvature.layers has told before.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        inputs: Tensor,
        targets: Int[Tensor, " n"],
        loss: LossLike,
        *,
        device: torch.device,
        dtype: torch.dtype,
        bias: bool = False,
        curvature: str = "auto",
    ):
        super().__init__(
            model, (layer,), inputs, targets, loss, device=device, dtype=dtype, bias=bias, curvature=curvature
        )
        (self.weight,) = self.weights
        if self.probing and self._chunk(slice(0, 64)) is None:
            self.kind = "full"
        guards.check(self)

    @property
    def rank(self) -> int:
        """Most eigenpairs that one sample's curvature can have."""
        d_out = self.weight.shape[0]
        return d_out if self.kind == "full" else min(self.classes, d_out)

    def memory(self, top_k: int | None) -> Memory:
        """What an analysis takes."""
        d_out, d_in = self.weight.shape
        return memory(len(self.targets), d_out, d_in, self.rank, top_k, torch.finfo(self.dtype).bits // 8)

    def factors(self, progress: Progress = silent, chunk: int | None = None) -> LayerFactors:
        """The factors of every sample. Costs K backward passes through the part of the network after the
        layer, and d_out more for "full". `chunk` samples go through the network at a time."""
        n, d_out = self.targets.shape[0], self.weight.shape[0]
        step = chunk or max(1, min(1024, 2**25 // (d_out * max(self.classes, self.rank))))
        parts: list[dict[str, Tensor]] = []
        for rows in over(n, step, progress, "factors"):
            part = self._chunk(rows)
            if part is None:  # curved after all: start again with the full second derivative
                self.kind = "full"
                return self.factors(progress, chunk)
            parts.append(part)
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return LayerFactors(weight=self.weight, kind=self.kind, **joined)

    def _chunk(self, rows: slice) -> dict[str, Tensor] | None:
        """The factors of some samples; None when a second derivative that is not zero is being left out."""
        (a,), z, f = self.forward(self.inputs[rows])
        targets = self.targets[rows].to(self.device)
        slope, hessian = self.loss.derivatives(f.detach(), targets)
        jacobian = rows_of_derivative(f, z)
        second = None
        if self.kind == "full":
            second = second_derivative(f, z, slope.to(f.dtype))
        elif self.probing and is_curved(f, z, slope.to(f.dtype)):
            return None
        mu, e = _eigenpairs(jacobian, hessian, second)
        return {
            "activity": a.detach()[:, None],
            "delta": torch.einsum("nc,nco->no", slope, jacobian.double()).to(a.dtype)[:, None],
            "curvature": mu.to(a.dtype),
            "vectors": e.to(a.dtype)[:, :, None],
            "loss": self.loss.value(f.detach().double(), targets).to(a.dtype),
            "correct": (f.detach().argmax(dim=1) == targets).to(a.dtype),
        }


def _eigenpairs(
    jacobian: Float[Tensor, "n c d_out"],
    hessian: Float[Tensor, "n c c"],
    second: Float[Tensor, "n d_out d_out"] | None,
) -> tuple[Float[Tensor, "n r"], Float[Tensor, "n r d_out"]]:
    """(μ_m, e_m) of M = Jᵀ A J + T in float64, by falling |μ|. Without T, and with fewer classes than
    outputs, from the thin QR Jᵀ = Q R: M = Q (R A Rᵀ) Qᵀ, a c × c problem."""
    classes, d_out = jacobian.shape[1:]
    if second is None and classes < d_out:
        q, r = torch.linalg.qr(jacobian.mT)
        q, r = q.double(), r.double()
        mu, inner = torch.linalg.eigh(r @ hessian @ r.mT)
        vectors = (q @ inner).mT
    else:
        j = jacobian.double()
        matrix = j.mT @ hessian @ j
        mu, inner = torch.linalg.eigh(matrix if second is None else matrix + second.double())
        vectors = inner.mT
    order = mu.abs().argsort(dim=1, descending=True)
    return mu.gather(1, order), vectors.gather(1, order[:, :, None].expand_as(vectors))
