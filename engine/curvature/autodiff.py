"""The network cut open at the layers that are studied, and derivatives of what follows the cut.

Each studied layer's output z_m is shifted by ε_m = 0. Derivatives in ε = (ε_1, ε_2, …), side by side in one tensor
(n, e) with e the outputs of all studied layers at all their places together, are those in the z_m.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from engine.config.requests import CURVATURES
from engine.curvature import criteria
from engine.curvature.attention import opened, plain_kernels
from engine.curvature.inputs import Inputs, Output, picked
from engine.curvature.layers import Call, Site, computed, frozen, input_of, listed
from engine.errors import require
from engine.losses import LossLike

# Numbers that a pass may leave behind for the way back.
AT_ONCE = 2**28
HALVES = (torch.float16, torch.bfloat16)


class CannotRunError(ValueError):
    """The model cannot be run on its inputs."""


class ShiftedNetwork:
    """A frozen copy of the model in the given precision, cut open at some of its layers.

    at_once: samples whose passes can be kept for the way back; weights: W of each layer, with the bias as last column
    where it is included, the groups of a convolution one below the other; classes: K, the numbers that the model gives
    a sample, in that shape; kinds: the class of each sample, all 0 where targets are none; notes: what is to be known
    of loss and targets; kind: "full" curvature or "gauss-newton"; probing: whether that is still to be measured,
    curvature being "auto".
    Raises ValueError, with the remedy, for samples that depend on each other and for labels that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: tuple[str, ...],
        inputs: Tensor | Inputs,
        targets: Tensor,
        loss: LossLike,
        *,
        device: torch.device,
        dtype: torch.dtype,
        bias: bool = False,
        curvature: str = "auto",
        output: Output = None,
    ):
        require(curvature in CURVATURES, f"curvature is one of {', '.join(CURVATURES)}, not {curvature!r}.")
        self.probing, self.kind = curvature == "auto", "full" if curvature == "full" else "gauss-newton"
        try:
            own = copied(model).to(device=device, dtype=dtype).requires_grad_(False)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"The model cannot be copied and frozen: {str(error).splitlines()[0]} Run a lazy one once, and use the "
                "plain modules in place of scripted ones."
            ) from error
        self.model = opened(own, layers)
        self.layers, self.device, self.dtype, self.bias, self.picks = layers, device, dtype, bias, output
        self.sites = self._sites()
        self.inputs = Inputs.of(inputs).floating(dtype)
        targets = targets.clone() if targets.is_inference() else targets
        self.calls = self._traced()
        self.shape: tuple[int, ...] = ()  # until the first run has told
        held = {t.untyped_storage().data_ptr() for t in (*self.model.parameters(), *self.model.buffers())}
        sizes = [1]

        def pack(x: Tensor) -> Tensor:
            if x.untyped_storage().data_ptr() not in held:
                sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            self.classes = self._run(self.inputs[:1])[2].shape[1]
        self.at_once = max(1, AT_ONCE // sum(sizes))
        weights = []  # read after a run: the older spectral_norm writes them then
        for layer, site in zip(layers, self.sites, strict=True):
            weights.append(site.weight().clone())
            require(bool(torch.isfinite(weights[-1]).all()), f"Layer {layer!r} holds NaN or infinite weights.")
        self.weights: tuple[Tensor, ...] = tuple(weights)
        self._check_independence()
        fitted = criteria.fit(loss, self.shape, targets, self.inputs)
        self.loss, self.targets, self.kinds, self.notes = fitted.loss, fitted.targets, fitted.kinds, fitted.notes
        with torch.no_grad():
            some = picked(self.outputs_of(self.inputs[: criteria.SAMPLES]), output)
        self.notes += criteria.look_at(self.loss, some)
        self.notes += tuple(
            f"The weight W of layer {layer!r} is computed from other parameters, as by a norm or pruning: H and C are "
            "those of W itself, not of the parameters that training moves."
            for layer, site in zip(layers, self.sites, strict=True)
            if computed(site.module)
        )
        halves = sorted({str(p.dtype).removeprefix("torch.") for p in model.parameters() if p.dtype in HALVES})
        self.notes += tuple(
            f"The network is in {half}: H and C are those of the same weights, computed with in "
            f"{str(dtype).removeprefix('torch.')}."
            for half in halves
        )
        self.notes += tuple(
            f"Layer {layer!r} is frozen (requires_grad is False): C is the noise that its gradient would have, and "
            "training does not feel it."
            for layer in layers
            if frozen(model, layer)
        )

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(d_out, d_in) of each layer."""
        return tuple((w.shape[0], w.shape[1]) for w in self.weights)

    @property
    def places(self) -> int:
        """T of the first layer, all its uses together."""
        return sum(self.sites[0].count(call) for call in self.calls if call.layer == 0)

    def few(self, samples: int, dtype: torch.dtype) -> "ShiftedNetwork":
        """The first samples before a copy of the network, in another precision."""
        few = copy.copy(self)
        few.model, few.dtype = copied(self.model).to(dtype=dtype), dtype
        few.sites, few.weights = few._sites(), tuple(w.to(dtype) for w in self.weights)
        few.inputs, few.targets = self.inputs[:samples].floating(dtype), self.targets[:samples]
        return few

    def _sites(self) -> list[Site]:
        return [Site(self.model.get_submodule(layer), self.bias) for layer in self.layers]

    def forward(
        self, inputs: Inputs, at: Float[Tensor, "n e"] | None = None
    ) -> tuple[tuple[Float[Tensor, "n _ _ _"], ...], Float[Tensor, "n e"], Float[Tensor, "n c"]]:
        """a of each layer as a function of ε, with a last component 1 where the bias is included; ε, a leaf of
        zeros or of what it is `at`; and the logits as a function of ε alone."""
        activities, shift, logits = self._run(inputs, at)
        require(bool(torch.isfinite(logits).all()), "The model's outputs are NaN or infinite on these inputs.")
        return activities, shift, logits

    def by_place(self, x: Shaped[Tensor, "*n e"]) -> tuple[Shaped[Tensor, "*n _ _ _"], ...]:
        """What has an axis like ε, layer by layer, that axis as groups, places and outputs."""
        parts: list[list[Tensor]] = [[] for _ in self.layers]
        for call, part in zip(self.calls, x.split([prod(call.shape) for call in self.calls], dim=-1), strict=True):
            site = self.sites[call.layer]
            parts[call.layer].append(part.unflatten(-1, (site.groups, site.count(call), -1)))
        return tuple(part[0] if len(part) == 1 else torch.cat(part, dim=-2) for part in parts)

    def flattened(self, *parts: Float[Tensor, "*n _ _ _"]) -> Float[Tensor, "*n e"]:
        """The inverse of `by_place`."""
        uses = [[c for c in self.calls if c.layer == number] for number in range(len(self.layers))]
        split = {
            id(call): z
            for part, site, calls in zip(parts, self.sites, uses, strict=True)
            for call, z in zip(calls, part.split([site.count(call) for call in calls], dim=-2), strict=True)
        }
        return torch.cat([split[id(call)].flatten(-3) for call in self.calls], dim=-1)

    def _traced(self) -> tuple[Call, ...]:
        """The uses of the layers, from a pass of one sample and one of two. ValueError where the inputs of a layer have
        no axis of samples, and for layers that are not used, or not in the order given."""
        passes = [self._fed(samples) for samples in (1, 2)]
        calls = []
        for (number, fed, z), (same, twice, _) in zip(*passes, strict=False):
            axes = [axis for axis, (one, two) in enumerate(zip(fed, twice, strict=False)) if two == 2 * one != 0]
            require(
                same == number and len(fed) == len(twice) and len(axes) == 1,
                f"Layer {self.layers[number]!r} is fed {tuple(fed)} for one sample and {tuple(twice)} for two: no axis "
                "holds the samples. Choose another layer.",
            )
            calls.append(Call(number, axes[0], fed[axes[0]], tuple(z), prod(fed)))
        order = [call.layer for call in calls]
        for number, layer in enumerate(self.layers):
            require(
                number in order,
                f"Layer {layer!r} is not on the path from these inputs to the output. "
                f"Choose another of {listed(self.model, layer)}.",
            )
        require(
            order == sorted(order),
            "Layers that are studied jointly are named in the order of their use: "
            f"{'+'.join(self.layers[number] for number in dict.fromkeys(order))}.",
        )
        single = all(self.sites[call.layer].groups * self.sites[call.layer].count(call) == 1 for call in calls)
        require(
            len(self.layers) == 1 or (len(calls) == len(self.layers) and single),
            "Layers are studied jointly where each is fed one vector per sample, once. Choose linear layers behind the "
            "pooling.",
        )
        return tuple(calls)

    def _fed(self, samples: int) -> list[tuple[int, torch.Size, torch.Size]]:
        """(layer, shape of its input, shape of its output) at each use, for the first sample so many times."""
        seen: list[tuple[int, torch.Size, torch.Size]] = []

        def see(number: int, fed: Tensor, z: Tensor) -> None:
            seen.append((number, fed.shape, z.shape))

        with self._hooked(see), torch.no_grad():
            self.outputs_of(self.inputs[:1].each(lambda x: x.expand(samples, *x.shape[1:])))
        return seen

    def outputs_of(self, inputs: Inputs) -> Any:
        """What the model gives. CannotRunError, with its own words, where it cannot be run."""
        try:
            with plain_kernels():
                return inputs.each(lambda x: x.to(self.device)).through(self.model)
        except (RuntimeError, TypeError, IndexError, KeyError, AttributeError, NotImplementedError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise CannotRunError(
                f"The model cannot be run on these inputs in {self.dtype}: {reason}. {_remedy(reason)}"
            ) from error

    @contextmanager
    def _hooked(self, see: Callable[[int, Tensor, Tensor], Tensor | None]) -> Iterator[None]:
        """Has see(layer, its input, its output) be called at every use; what it gives replaces the output."""
        handles = [
            site.module.register_forward_hook(
                lambda _, args, named, z, number=number: see(number, input_of(args, named), z), with_kwargs=True
            )
            for number, site in enumerate(self.sites)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _run(self, inputs: Inputs, at: Tensor | None = None) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        n = len(inputs)
        sizes = [prod(call.shape) for call in self.calls]
        shift = torch.zeros(n, sum(sizes), dtype=self.dtype, device=self.device) if at is None else at.detach().clone()
        shift.requires_grad_(True)
        with torch.enable_grad():
            shifts = shift.split(sizes, dim=1)
        places: list[list[Tensor]] = [[] for _ in self.layers]
        uses = iter(zip(self.calls, shifts, strict=True))

        def cut(number: int, fed: Tensor, z: Tensor) -> Tensor:
            call, own = next(uses, (None, None))
            if call is None or own is None or call.layer != number or fed.shape[call.batch] != n * call.each:
                raise ValueError(
                    f"Layer {self.layers[number]!r} is used differently by different samples. Choose another layer."
                )
            site = self.sites[number]
            places[number].append(site.places(fed, call).clone())  # what follows may work in place
            return z + site.laid(own.unflatten(1, (site.groups, site.count(call), -1)), call)

        with self._hooked(cut), torch.enable_grad():
            given = picked(self.outputs_of(inputs), self.picks)
            require(
                given.shape[0] == n,
                "The model must give one row of logits per sample, (n, classes); it gave "
                f"{tuple(given.shape)} for {n} samples.",
            )
            logits = given.flatten(1)
        if not self.shape:
            self.shape = tuple(given.shape[1:])
            self._check_path(shifts, logits)
        return tuple(part[0] if len(part) == 1 else torch.cat(part, dim=2) for part in places), shift, logits

    def _check_path(self, shifts: tuple[Tensor, ...], logits: Tensor) -> None:
        """ValueError unless the logits depend on every layer's output by differentiable operations."""
        slopes: tuple[Tensor | None, ...] = (None,) * len(shifts)
        if logits.requires_grad:
            slopes = torch.autograd.grad(logits.sum(), shifts, retain_graph=True, allow_unused=True)
        reached = {call.layer for call, slope in zip(self.calls, slopes, strict=True) if slope is not None}
        for call, slope in zip(self.calls, slopes, strict=True):
            layer = self.layers[call.layer]
            require(
                call.layer in reached,
                f"The output does not depend on layer {layer!r} by a differentiable path. Choose another layer.",
            )
            require(
                slope is not None,
                f"Layer {layer!r} is used {len(self.calls)} times, and one use is cut off from the gradient (detach() "
                "or no_grad): the gradient of training is not that of the loss in these weights. Choose another layer.",
            )

    def _check_independence(self) -> None:
        """ValueError if a sample's logits change with its neighbours in the batch."""
        few = self.inputs[:3]
        _, shift, logits = self._run(few)
        again, alone = (self._run(some)[2].detach() for some in (few, few[:1]))
        require(
            bool(torch.isclose(logits, again, rtol=1e-3, atol=1e-6, equal_nan=True).all()),
            "The model gives a sample other outputs at every pass, so its loss has no derivatives. Take out what is "
            "random, such as a dropout that stays on.",
        )
        (slopes,) = torch.autograd.grad(logits[0].sum(), shift)
        together, scale = logits.detach(), float(logits.detach().abs().max()) + 1e-6
        mixed = float((together[:1] - alone).abs().max()) > 1e-3 * scale
        astray, rows = bool(slopes[1:].nan_to_num().any()), max(call.each for call in self.calls)
        require(
            mixed or not astray or rows == 1,
            f"Layer {'+'.join(self.layers)!r} is fed {rows} rows a sample, and those of different samples lie between "
            "each other, as where time comes before samples. Lay a sample's rows one after the other: reshape "
            "(n, time, …) to rows, not (time, n, …).",
        )
        require(
            not mixed and not astray,
            "A sample's output changes with the other samples of its batch, so per-sample gradients are not "
            "defined. Use layers that treat samples one by one (BatchNorm with its running statistics).",
        )


def copied(model: nn.Module) -> nn.Module:
    """A copy of its own, but for what cannot be copied: activations that it keeps are, cut off from their graph, and
    locks and the like are shared."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in list(vars(module).values()):
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
            elif not isinstance(value, dict | Tensor):
                try:
                    copy.deepcopy(value, dict(memo))
                except (TypeError, RuntimeError):
                    memo[id(value)] = value
    return copy.deepcopy(model, memo)


def _remedy(reason: str) -> str:
    if "dtype" in reason or "scalar type" in reason:
        return "A constant in it has a precision of its own: make it a buffer (register_buffer), or use another dtype."
    return "Try model(inputs[:2]) by itself."


def rows_of_derivative(y: Float[Tensor, "n q"], x: Float[Tensor, "n e"]) -> Float[Tensor, "n q e"]:
    """∂y_p/∂x_p of every sample, by one backward pass for each component of y: samples are independent."""
    if not y.requires_grad:
        return x.new_zeros(y.shape[0], y.shape[1], x.shape[1])
    return torch.stack([torch.autograd.grad(y[:, i].sum(), x, retain_graph=True)[0] for i in range(y.shape[1])], dim=1)


def is_curved(f: Float[Tensor, "n c"], z: Float[Tensor, "n e"], slope: Float[Tensor, "n c"]) -> bool:
    """Whether T_p = Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z² is not zero for some sample: T_p u for a random direction u, which
    vanishes with probability 0 unless T_p does."""
    (pull,) = torch.autograd.grad((f * slope).sum(), z, create_graph=True)
    if not pull.requires_grad:
        return False
    u = torch.randn(pull.shape[1], generator=torch.Generator().manual_seed(0), dtype=pull.dtype).to(pull.device)
    (bent,) = torch.autograd.grad((pull @ u).sum(), z, retain_graph=True, allow_unused=True)
    return bent is not None and bool(bent.count_nonzero())


def second_derivative(
    f: Float[Tensor, "n c"], z: Float[Tensor, "n e"], slope: Float[Tensor, "n c"]
) -> Float[Tensor, "n e e"]:
    """T_p = Σ_k (∂ℓ/∂f_k) ∂²f_k/∂z², by e double backward passes."""
    n, e = z.shape
    (pull,) = torch.autograd.grad((f * slope).sum(), z, create_graph=True)
    matrix = torch.zeros(n, e, e, dtype=z.dtype, device=z.device)
    for i in range(e if pull.requires_grad else 0):
        (row,) = torch.autograd.grad(pull[:, i].sum(), z, retain_graph=True, allow_unused=True)
        if row is not None:
            matrix[:, i] = row
    return (matrix + matrix.mT) / 2
