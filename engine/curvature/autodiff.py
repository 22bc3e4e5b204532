"""The network cut open at the layers that are studied, and derivatives of what follows the cut.

Each studied layer's output z_m is shifted by ε_m = 0. Derivatives in ε = (ε_1, ε_2, …), side by side in one tensor
(n, d_out) with d_out the outputs of all studied layers together, are those in the z_m.
"""

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from engine.config.requests import CURVATURES
from engine.curvature.layers import linear_names
from engine.errors import require
from engine.losses import LossLike, lookup


class ShiftedNetwork:
    """A frozen copy of the model in the given precision, cut open at some of its layers.

    weights: W of each layer, with the bias as last column where it is included; classes: outputs of the model; kind:
    "full" curvature or "gauss-newton"; probing: whether that is still to be measured, curvature being "auto".
    Raises ValueError, with the remedy, for a layer used several times or fed sequences, for samples that depend on
    each other, and for labels that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: tuple[str, ...],
        inputs: Tensor,
        targets: Int[Tensor, " n"],
        loss: LossLike,
        *,
        device: torch.device,
        dtype: torch.dtype,
        bias: bool = False,
        curvature: str = "auto",
    ):
        self.loss = lookup(loss)
        require(curvature in CURVATURES, f"curvature is one of {', '.join(CURVATURES)}, not {curvature!r}.")
        self.probing, self.kind = curvature == "auto", "full" if curvature == "full" else "gauss-newton"
        self.model = copy.deepcopy(model).to(device=device, dtype=dtype).requires_grad_(False)
        self.layers, self.device, self.dtype, self.bias = layers, device, dtype, bias
        self.linears = self._linears()
        self.inputs = inputs.to(dtype, copy=inputs.is_inference()) if inputs.is_floating_point() else inputs
        self.targets = targets.clone() if targets.is_inference() else targets
        self.classes = 0  # until the first run has told
        self.classes = self._run(self.inputs[:1])[2].shape[1]
        weights = []  # read after a run: the older spectral_norm writes them then
        for layer, linear in zip(layers, self.linears, strict=True):
            weights.append(torch.cat([linear.weight, linear.bias[:, None]], 1) if bias else linear.weight.clone())
            require(bool(torch.isfinite(weights[-1]).all()), f"Layer {layer!r} holds NaN or infinite weights.")
        self.weights: tuple[Tensor, ...] = tuple(weights)
        self._check_independence()
        self._check_labels()

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(d_out, d_in) of each layer."""
        return tuple((w.shape[0], w.shape[1]) for w in self.weights)

    def few(self, samples: int, dtype: torch.dtype) -> "ShiftedNetwork":
        """The first samples before a copy of the network, in another precision."""
        few = copy.copy(self)
        few.model, few.dtype = copy.deepcopy(self.model).to(dtype=dtype), dtype
        few.linears, few.weights = few._linears(), tuple(w.to(dtype) for w in self.weights)
        few.inputs, few.targets = self.inputs[:samples], self.targets[:samples]
        if few.inputs.is_floating_point():
            few.inputs = few.inputs.to(dtype)
        return few

    def _linears(self) -> list[nn.Linear]:
        linears = [self.model.get_submodule(layer) for layer in self.layers]
        return [linear for linear in linears if isinstance(linear, nn.Linear)]

    def forward(
        self, inputs: Tensor
    ) -> tuple[tuple[Float[Tensor, "n _"], ...], Float[Tensor, "n d_out"], Float[Tensor, "n c"]]:
        """a_m of each layer as a function of ε, with a last component 1 where the bias is included; ε, a leaf of
        zeros; and the logits as a function of ε alone."""
        activities, shift, logits = self._run(inputs)
        require(bool(torch.isfinite(logits).all()), "The model's outputs are NaN or infinite on these inputs.")
        return activities, shift, logits

    def _run(self, inputs: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        widths = [linear.out_features for linear in self.linears]
        shift = torch.zeros(inputs.shape[0], sum(widths), dtype=self.dtype, device=self.device, requires_grad=True)
        with torch.enable_grad():
            shifts = shift.split(widths, dim=1)
        seen: list[tuple[int, Tensor]] = []

        def cut(place: int, fed: Tensor, output: Tensor) -> Tensor | None:
            seen.append((place, fed.clone()))  # what follows may work in place
            return output + shifts[place] if output.shape == shifts[place].shape else None

        handles = [
            linear.register_forward_hook(lambda _, args, output, place=place: cut(place, args[0], output))
            for place, linear in enumerate(self.linears)
        ]
        try:
            with torch.enable_grad():
                logits = self.model(inputs.to(self.device))
        finally:
            for handle in handles:
                handle.remove()
        self._check_use(seen, inputs.shape[0])
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != inputs.shape[0]:
            shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(
                f"The model must give one row of logits per sample, (n, classes); it gave {shape} for "
                f"{inputs.shape[0]} samples."
            )
        if not self.classes:
            self._check_path(shifts, logits)
        activities = tuple(fed for _, fed in seen)
        if self.bias:
            activities = tuple(torch.cat([a, torch.ones_like(a[:, :1])], dim=1) for a in activities)
        return activities, shift, logits

    def _check_use(self, seen: list[tuple[int, Tensor]], samples: int) -> None:
        """ValueError unless each layer was used once, for one vector per sample, and in the order given."""
        order = [place for place, _ in seen]
        for place, layer in enumerate(self.layers):
            require(
                place in order,
                f"Layer {layer!r} is not on the path from these inputs to the output. "
                f"Choose another of {linear_names(self.model)}.",
            )
            require(
                order.count(place) == 1,
                f"Layer {layer!r} is used {order.count(place)} times in one forward pass, so its weights are shared; "
                "the factored Hessian covers layers used once. Choose another layer.",
            )
        for place, activity in seen:
            require(
                activity.ndim == 2 and activity.shape[0] == samples,
                f"Layer {self.layers[place]!r} is fed arrays of shape {tuple(activity.shape[1:])} per sample (a "
                "sequence); the engine covers layers fed one vector per sample. Choose a layer after the pooling.",
            )
        require(
            order == sorted(order),
            f"Layers that are studied jointly are named in the order of their use: "
            f"{'+'.join(self.layers[place] for place in order)}.",
        )

    def _check_path(self, shifts: tuple[Tensor, ...], logits: Tensor) -> None:
        """ValueError unless the logits depend on every layer's output by differentiable operations."""
        slopes: tuple[Tensor | None, ...] = (None,) * len(shifts)
        if logits.requires_grad:
            slopes = torch.autograd.grad(logits.sum(), shifts, retain_graph=True, allow_unused=True)
        for layer, slope in zip(self.layers, slopes, strict=True):
            require(
                slope is not None,
                f"The output does not depend on layer {layer!r} by a differentiable path. Choose another layer.",
            )

    def _check_independence(self) -> None:
        """ValueError if a sample's logits change with its neighbours in the batch."""
        few = self.inputs[:3]
        together, alone = self._run(few)[2].detach(), self._run(few[:1])[2].detach()
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


def rows_of_derivative(y: Float[Tensor, "n q"], x: Float[Tensor, "n d_out"]) -> Float[Tensor, "n q d_out"]:
    """∂y_p/∂x_p of every sample, by one backward pass for each component of y: samples are independent."""
    if not y.requires_grad:
        return x.new_zeros(y.shape[0], y.shape[1], x.shape[1])
    return torch.stack([torch.autograd.grad(y[:, i].sum(), x, retain_graph=True)[0] for i in range(y.shape[1])], dim=1)


def is_curved(f: Float[Tensor, "n c"], z: Float[Tensor, "n d_out"], slope: Float[Tensor, "n c"]) -> bool:
    """Whether T_p = Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z² is not zero for some sample: T_p u for a random direction u, which
    vanishes with probability 0 unless T_p does."""
    (pull,) = torch.autograd.grad((f * slope).sum(), z, create_graph=True)
    if not pull.requires_grad:
        return False
    u = torch.randn(pull.shape[1], generator=torch.Generator().manual_seed(0), dtype=pull.dtype).to(pull.device)
    (bent,) = torch.autograd.grad((pull @ u).sum(), z, retain_graph=True, allow_unused=True)
    return bent is not None and bool(bent.count_nonzero())


def second_derivative(
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
