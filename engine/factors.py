"""LayerFactors: what one fully connected layer keeps of every sample. The heart of the engine.

z_p = W a_p is linear in W and a_p does not depend on W, so whatever lies downstream

    g_p = δ_p ⊗ a_p,  δ_p = ∂ℓ_p/∂z_p        h_p = M_p ⊗ a_p a_pᵀ,  M_p = ∂²ℓ_p/∂z_p² = Σ_m μ_m e_m e_mᵀ

and nothing of size D × D exists per sample. Source: theory.md section 2.
"""

import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from engine import losses
from engine.checks import linear_names
from engine.progress import Progress, silent
from engine.requests import require

CURVATURES = ("auto", "gauss-newton", "full")


@dataclass(frozen=True)
class LayerFactors:
    """Per-sample factors of one layer.

    activity: a_p, with a last component 1 where the bias is included; delta: δ_p; curvature: μ_m, the
    eigenvalues of M_p by falling magnitude; vectors: their orthonormal eigenvectors e_m as rows;
    weight: W, with the bias as last column where it is included; loss: ℓ_p; correct: whether the largest
    logit is the target's; kind: "gauss-newton" (M_p = J_pᵀ A_p J_p, exact for a piecewise-linear tail,
    rank ≤ K) or "full" (with the second derivative of the tail, rank d_out).
    """

    activity: Float[Tensor, "n d_in"]
    delta: Float[Tensor, "n d_out"]
    curvature: Float[Tensor, "n r"]
    vectors: Float[Tensor, "n r d_out"]
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

    def kappa(self) -> Float[Tensor, "n r"]:
        """Eigenvalues of h_p: κ_m = μ_m ‖a_p‖²; their eigenvectors are e_m ⊗ a_p/‖a_p‖."""
        return self.curvature * self.activity.square().sum(dim=1, keepdim=True)


class Tail:
    """A frozen copy of the model in the given precision, cut open at the studied layer.

    curvature "auto" measures whether the second derivative of what follows the layer contributes to any M_p,
    by one double backward pass along a random direction, and takes "full" only if it does. Forcing
    "gauss-newton" on a smooth tail gives the Gauss–Newton matrix, which is not the Hessian.

    Raises ValueError, with the remedy, for a network that theory.md section 2 does not cover. What can be told
    without running it, engine.checks has told before.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        inputs: Tensor,
        targets: Int[Tensor, " n"],
        loss: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        bias: bool = False,
        curvature: str = "auto",
    ):
        losses.check(loss)
        require(curvature in CURVATURES, f"curvature is one of {', '.join(CURVATURES)}, not {curvature!r}.")
        self.model = copy.deepcopy(model).to(device=device, dtype=dtype).requires_grad_(False)
        self.layer, self.loss, self.device, self.bias = layer, loss, device, bias
        linear = self.model.get_submodule(layer)
        assert isinstance(linear, nn.Linear)
        self.linear = linear
        self.weight = torch.cat([linear.weight, linear.bias[:, None]], 1) if bias else linear.weight.clone()
        require(bool(torch.isfinite(self.weight).all()), f"Layer {layer!r} holds NaN or infinite weights.")
        self.inputs = inputs.to(dtype, copy=inputs.is_inference()) if inputs.is_floating_point() else inputs
        self.targets = targets.clone() if targets.is_inference() else targets
        self._check_independence()
        self.classes = self._forward(self.inputs[:1])[2].shape[1]
        self._check_labels()
        self.probing, self.kind = curvature == "auto", "full" if curvature == "full" else "gauss-newton"
        if self.probing and self._chunk(slice(0, 64)) is None:
            self.kind = "full"

    @property
    def rank(self) -> int:
        """Most eigenpairs that one sample's curvature can have."""
        d_out = self.weight.shape[0]
        return d_out if self.kind == "full" else min(self.classes, d_out)

    def factors(self, progress: Progress = silent, chunk: int | None = None) -> LayerFactors:
        """The factors of every sample. Costs K backward passes through the part of the network after the
        layer, and d_out more for "full". `chunk` samples go through the network at a time."""
        n, d_out = self.targets.shape[0], self.weight.shape[0]
        step = chunk or max(1, min(1024, 2**25 // (d_out * max(self.classes, self.rank))))
        parts: list[dict[str, Tensor]] = []
        for start in range(0, n, step):
            part = self._chunk(slice(start, start + step))
            if part is None:  # curved after all: start again with the full second derivative
                self.kind = "full"
                return self.factors(progress, chunk)
            parts.append(part)
            progress("factors", min(start + step, n), n)
        joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return LayerFactors(weight=self.weight, kind=self.kind, **joined)

    def _forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """a, a fresh leaf z, and the logits as a function of z alone."""
        seen: list[tuple[Tensor, Tensor]] = []

        def cut(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            z = output.detach().clone().requires_grad_(True)
            seen.append((args[0].detach().clone(), z))
            return z.clone()  # so that a tail that works in place leaves the leaf alone

        handle = self.linear.register_forward_hook(cut)
        try:
            with torch.enable_grad():
                logits = self.model(inputs.to(self.device))
        finally:
            handle.remove()
        require(
            len(seen) > 0,
            f"Layer {self.layer!r} is not on the path from these inputs to the output. "
            f"Choose another of {linear_names(self.model)}.",
        )
        require(
            len(seen) == 1,
            f"Layer {self.layer!r} is used {len(seen)} times in one forward pass, so its weights are shared; "
            "the factored Hessian covers layers used once. Choose another layer.",
        )
        activity, z = seen[0]
        require(
            activity.ndim == 2,
            f"Layer {self.layer!r} is fed arrays of shape {tuple(activity.shape[1:])} per sample (a sequence); "
            "the engine covers layers fed one vector per sample. Choose a layer after the pooling.",
        )
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != inputs.shape[0]:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"The model must give one row of logits per sample, (n, classes); it gave {shape} for "
                f"{inputs.shape[0]} samples."
            )
        require(
            logits.requires_grad,
            f"The output does not depend on layer {self.layer!r} by a differentiable path. Choose another layer.",
        )
        return activity, z, logits

    def _check_independence(self) -> None:
        """ValueError if a sample's logits change with its neighbours in the batch."""
        few = self.inputs[:3]
        together, alone = self._forward(few)[2].detach(), self._forward(few[:1])[2].detach()
        scale = float(together.abs().max()) + 1e-6
        require(
            not float((together[:1] - alone).abs().max()) > 1e-3 * scale,
            "A sample's output changes with the other samples of its batch, so per-sample gradients are not "
            "defined. Use layers that treat samples one by one (BatchNorm with its running statistics).",
        )

    def _check_labels(self) -> None:
        low, high = int(self.targets.min()), int(self.targets.max())
        require(
            low >= 0 and high < self.classes,
            f"The targets run from {low} to {high} but the model has {self.classes} outputs, so labels must lie in "
            f"0 … {self.classes - 1}. Renumber the labels, or load the model with the right number of classes.",
        )

    def _chunk(self, rows: slice) -> dict[str, Tensor] | None:
        """The factors of some samples; None when a second derivative that is not zero is being left out."""
        targets = self.targets[rows].to(self.device)
        a, z, f = self._forward(self.inputs[rows])
        require(bool(torch.isfinite(f).all()), "The model's outputs are NaN or infinite on these inputs.")
        slope, hessian = losses.gradient_and_hessian(self.loss, f.detach(), targets)
        jacobian = torch.stack(
            [torch.autograd.grad(f[:, c].sum(), z, retain_graph=True)[0] for c in range(self.classes)], dim=1
        )
        second = None
        if self.kind == "full":
            second = _second_derivative(f, z, slope.to(f.dtype))
        elif self.probing and _is_curved(f, z, slope.to(f.dtype)):
            return None
        mu, e = _eigenpairs(jacobian, hessian, second)
        return {
            "activity": torch.cat([a, torch.ones_like(a[:, :1])], dim=1) if self.bias else a,
            "delta": torch.einsum("nc,nco->no", slope, jacobian.double()).to(a.dtype),
            "curvature": mu.to(a.dtype),
            "vectors": e.to(a.dtype),
            "loss": losses.values(self.loss, f.detach().double(), targets).to(a.dtype),
            "correct": (f.detach().argmax(dim=1) == targets).to(a.dtype),
        }


def _is_curved(f: Float[Tensor, "n c"], z: Float[Tensor, "n d_out"], slope: Float[Tensor, "n c"]) -> bool:
    """Whether T_p = Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z² is not zero for some sample: T_p u for a random direction u, which
    vanishes with probability 0 unless T_p does."""
    (pull,) = torch.autograd.grad((f * slope).sum(), z, create_graph=True)
    if not pull.requires_grad:
        return False
    u = torch.randn(pull.shape[1], generator=torch.Generator().manual_seed(0), dtype=pull.dtype).to(pull.device)
    (bent,) = torch.autograd.grad((pull @ u).sum(), z, retain_graph=True, allow_unused=True)
    return bent is not None and bool(bent.count_nonzero())


def _second_derivative(
    f: Float[Tensor, "n c"], z: Float[Tensor, "n d_out"], slope: Float[Tensor, "n c"]
) -> Float[Tensor, "n d_out d_out"]:
    """T_p = Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z², by d_out double backward passes."""
    n, d_out = z.shape
    (pull,) = torch.autograd.grad((f * slope).sum(), z, create_graph=True)
    matrix = torch.zeros(n, d_out, d_out, dtype=z.dtype, device=z.device)
    for i in range(d_out if pull.requires_grad else 0):
        (row,) = torch.autograd.grad(pull[:, i].sum(), z, retain_graph=True, allow_unused=True)
        if row is not None:
            matrix[:, i] = row
    return (matrix + matrix.mT) / 2


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
