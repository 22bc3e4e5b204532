"""The sceptic: some of an analysis' numbers once more, in float64, from nothing but the network and its loss.

No factor, moment or projection of this engine takes part, nor what it makes of a layer's places: z(V, x) is what the
layer's own module gives with the weights V. For a direction V and every sample p, x_p the layer's input and x_q that of
its partner, the loss

    f(s, t, r) = ℓ_p at weights W + sV, the layer's output shifted by t z'(W) + r z'(V),  z'(V) = z(V, x_q) − z(V, x_p)

is differentiated twice, automatically, in its three numbers alone. At 0 (theory.md sections 1, 3 and 6):

    ∂f/∂s = g_p·V      ∂²f/∂s² = Vᵀ h_p V      ∂²f/∂s∂t = v_p·V      ∂f/∂r = u_p·V

so the sums over all samples give H_ii, C_ii, the C_AWD,ii that duality predicts, and C_ij of two directions; and F_ii,
where it is asked for, by ∂/∂s of the outputs and the likelihood of the loss. Where the
analysis is of the Gauss–Newton matrix of a smooth tail, second derivatives are J V by forward mode with ∂²ℓ/∂f² between
them, automatic too. Of layers studied jointly V has a part for each, and there is no duality to check.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, vmap

from engine.config.requests import joined
from engine.curvature import criteria
from engine.curvature.accumulate import over
from engine.curvature.attention import opened, plain_kernels
from engine.curvature.autodiff import copied
from engine.curvature.duality import partners
from engine.curvature.inputs import Inputs, Output, Tree, picked, read
from engine.curvature.layers import input_of, written
from engine.errors import require
from engine.losses import Loss, LossLike
from engine.progress import Progress, silent
from engine.results.analysis import Analysis
from engine.results.names import FISHER
from engine.results.record import Check

CHUNK = 256


def verify(
    model: nn.Module,
    inputs: Any,
    targets: Any,
    analysis: Analysis,
    progress: Progress = silent,
    loss: LossLike | None = None,
    output: Output = None,
) -> tuple[Check, ...]:
    """H_ii, C_ii, C_AWD,ii and C_ij along the probes of `analysis`, over all its samples.

    model, inputs, targets, output: those that were analysed; loss: only of an analysis that was kept in a file, where
    it was a function or module. The partners of duality are sought anew from the float64 activities with the analysis'
    own draw of anchors. ValueError if the analysis kept no probes, if the samples are not as many, if the loss is
    another one, or if the network cannot be differentiated twice.
    """
    about, probes = analysis.provenance, analysis.probes
    require(probes is not None, "This analysis kept no directions to check. Analyse again to have some.")
    assert probes is not None
    samples, layers = read(inputs, targets), joined(about.layer)
    n = len(samples.targets)
    require(n == about.samples, f"{about.samples:,} samples were analysed, but {n:,} were given. Give the same ones.")
    model = opened(copied(model).cpu().double().eval().requires_grad_(False), tuple(layers))
    x = samples.inputs.each(Tensor.cpu).floating(torch.float64)
    with torch.no_grad(), plain_kernels():
        shape = tuple(picked(x[:1].through(model), output).shape[1:])
    written(model)
    fitted = criteria.fit(_analysed(analysis, loss), shape, samples.targets.cpu(), x)
    drawn = FISHER in analysis.names
    network = _Network(model, tuple(layers), about.bias, fitted.loss, about.exact, output, drawn)
    try:
        chunks = [network.fed(x[rows]) for rows in over(n, CHUNK, progress, "reading activities")]
        fed = tuple(torch.cat(parts) for parts in zip(*chunks, strict=True))
        flat = torch.cat([x.flatten(1) for x in fed], dim=1)
        partner = torch.full((n,), -1)
        if len(layers) == 1:
            partner = partners(flat.to(getattr(torch, about.dtype)), fitted.kinds, about.anchors_per_class, about.seed)
        paired = (partner >= 0) & (flat.any(dim=1) | about.bias)
        other = torch.where(paired, partner, torch.arange(n))
        columns = torch.from_numpy(probes.vectors.copy()).double().split([d_out * d_in for d_out, d_in in about.sizes])
        directions = tuple(part.T for part in columns)
        every = vmap(vmap(network.along, in_dims=(None, 0, 0, 0, 0)), in_dims=(0, None, None, None, None))
        along = []
        for rows in over(n, CHUNK, progress, "checking"):
            own, changed = (tuple(a[index] for a in fed) for index in (torch.arange(n)[rows], other[rows]))
            along.append(every(directions, x[rows].tree, fitted.targets[rows], own, changed))
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"This network cannot be differentiated twice ({str(error).splitlines()[0]}), so its numbers "
            "cannot be checked this way. The tests of this program check them on networks that can."
        ) from error
    g, h, v, u, f = torch.cat(along, dim=1).unbind(dim=2)
    return tuple(_checks(analysis, probes.index, about.batch_size, g, h, (v + u)[:, paired], f))


def _analysed(analysis: Analysis, loss: LossLike | None) -> LossLike:
    """The loss that was analysed. ValueError where another one is given, or where only its name is known."""
    name = analysis.provenance.loss
    require(
        loss is None or criteria.criterion(loss).name == name,
        f"The loss {name} was analysed, not {'' if loss is None else criteria.criterion(loss).name}. Check it with the "
        "same one, or analyse again.",
    )
    require(
        analysis.loss is not None or loss is not None or not {".", "("} & set(name),
        f"Of the loss {name} this analysis, which was kept in a file, knows the name alone. Pass it: loss=….",
    )
    return analysis.loss or loss or name


def _checks(
    analysis: Analysis, index: Int[np.ndarray, " j"], b: int, g: Tensor, h: Tensor, first_order: Tensor, fisher: Tensor
) -> list[Check]:
    """The sums over samples (last axis) beside what the analysis says."""
    noise = (g @ g.T / g.shape[1] - g.mean(1)[:, None] * g.mean(1)) / b
    checks = []
    for row, i in enumerate(index):
        place = (int(i) + 1,)
        checks.append(Check("H", place, float(analysis.eigenvalues[i]), float(h[row].mean())))
        checks.append(Check("C", place, float(analysis.diagonal("C")[i]), float(noise[row, row])))
        if FISHER in analysis.names:
            checks.append(Check(FISHER, place, float(analysis.diagonal(FISHER)[i]), float(fisher[row].mean())))
        if "C_awd" in analysis.names:
            w = first_order[row]
            awd = (w.square().mean() / b + (1 - 1 / b) * w.mean().square()) / 2
            checks.append(Check("C_awd", place, float(analysis.diagonal("C_awd")[i]), float(awd)))
    block = analysis.blocks.get("C")
    for (row, i), (column, j) in pairwise(enumerate(index)):
        if block is not None and max(i, j) < len(block):
            checks.append(Check("C", (int(i) + 1, int(j) + 1), float(block[i, j]), float(noise[row, column])))
    return checks


@dataclass(frozen=True)
class _Network:
    """A network before its loss, the studied layers known by name; exact: its h_p is the Hessian; drawn: whether the
    true Fisher matrix is asked for."""

    model: nn.Module
    layers: tuple[str, ...]
    bias: bool
    loss: Loss
    exact: bool
    output: Output
    drawn: bool = False

    def fed(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """What the first layer is fed by each sample alone, at each of its uses."""

        def one(x: Tree) -> tuple[Tensor, ...]:
            seen: list[Tensor] = []
            module = self.model.get_submodule(self.layers[0])
            handle = module.register_forward_hook(
                lambda _, args, named, __: seen.append(input_of(args, named).clone()), with_kwargs=True
            )
            try:
                self.outputs(x, {})
            finally:
                handle.remove()
            return tuple(seen)

        seen: tuple[Tensor, ...] = vmap(one)(inputs.tree)
        return seen

    def outputs(self, x: Tree, parameters: dict[str, Tensor]) -> Float[Tensor, "1 c"]:
        """Of one sample."""
        with plain_kernels():
            return picked(Inputs(*x)[None].through(self.model, parameters), self.output).flatten(1)

    def _moved(self, layer: str, step: Float[Tensor, " _"]) -> dict[str, Tensor]:
        """The layer's parameters, as far as they are studied, moved by a step."""
        module: Any = self.model.get_submodule(layer)
        weight, bias = module.weight, module.bias
        rows = step.view(weight.shape[0], -1)
        if not self.bias:
            return {"weight": weight + rows.view(weight.shape)}
        return {"weight": weight + rows[:, :-1].reshape(weight.shape), "bias": bias + rows[:, -1]}

    def _change(self, v: Float[Tensor, " _"], own: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> list[Tensor]:
        """z'(V) at each use of the first layer: z is linear in V, so that of weights moved by V less that of W."""
        module = self.model.get_submodule(self.layers[0])
        moved = self._moved(self.layers[0], v)

        def z(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
            output: Tensor = functional_call(module, parameters, (x,))
            return output

        return [(z(moved, q) - z({}, q)) - (z(moved, p) - z({}, p)) for p, q in zip(own, other, strict=True)]

    def along(
        self,
        direction: tuple[Float[Tensor, " _"], ...],
        x: Tree,
        y: Tensor,
        own: tuple[Tensor, ...],
        other: tuple[Tensor, ...],
    ) -> Float[Tensor, "5"]:
        """g_p·V, Vᵀh_pV, v_p·V, u_p·V and VᵀF_pV of one direction and sample."""
        module = self.model.get_submodule(self.layers[0])
        push = [(module(q) - module(p)).detach() for p, q in zip(own, other, strict=True)]
        pull = self._change(direction[0], own, other)

        def outputs(theta: Tensor) -> Tensor:
            moved = [self._moved(layer, theta[0] * v) for layer, v in zip(self.layers, direction, strict=True)]
            parameters = {
                f"{layer}.{name}": value
                for layer, own in zip(self.layers, moved, strict=True)
                for name, value in own.items()
            }
            shifts = iter([theta[1] * a + theta[2] * b for a, b in zip(push, pull, strict=True)])
            handle = module.register_forward_hook(lambda _, __, z: z + next(shifts))
            try:
                return self.outputs(x, parameters)
            finally:
                handle.remove()

        def value(f: Tensor) -> Tensor:
            return self.loss.value(f, y[None])[0]

        def slope(theta: Tensor) -> tuple[Tensor, Tensor]:
            first = grad(lambda theta: value(outputs(theta)))(theta)
            return first, first

        # Backward, twice: torch's forward mode gets second derivatives of LayerNorm and GroupNorm wrong, in silence.
        zero = torch.zeros(3, dtype=torch.float64)
        second, first = jacrev(slope, has_aux=True)(zero)
        fisher = zero[0]
        if self.drawn or not self.exact:
            jacobian, f = jacfwd(outputs)(zero), outputs(zero)
        if not self.exact:
            second = jacobian[0].T @ hessian(lambda f: value(f[None]))(f[0]) @ jacobian[0]
        if self.drawn:
            rows, weights = self.loss.likelihood(f, jacobian[..., :1])
            fisher = (weights * rows[..., 0].square()).sum()
        return torch.stack([first[0], second[0, 0], second[0, 1], first[2], fisher])
