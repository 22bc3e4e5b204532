"""The sceptic: some of an analysis' numbers once more, in float64, from nothing but the network and its loss.

No factor, moment or projection of this engine takes part. For a direction V and every sample p the loss

    f(s, t, r) = ℓ_p at weights W + sV + tΔW*_p, pre-activation shifted by rVΔa_p

is differentiated forward, automatically, in its three numbers alone. At 0 (theory.md sections 1 and 3):

    ∂f/∂s = g_p·V      ∂²f/∂s² = Vᵀ h_p V      ∂²f/∂s∂t = v_p·V      ∂f/∂r = u_p·V

so the sums over all samples give H_ii, C_ii, the C_AWD,ii that duality predicts, and C_ij of two directions. Of layers
studied jointly V has a part for each, and there is no duality to check.
"""

import copy
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, jacfwd, vmap

from engine.config.requests import joined
from engine.curvature.accumulate import over
from engine.curvature.duality import minimal_weight_change, partners
from engine.curvature.layers import check_samples
from engine.errors import require
from engine.losses import Loss, lookup
from engine.progress import Progress, silent
from engine.results.analysis import Analysis
from engine.results.record import Check

CHUNK = 256


def verify(
    model: nn.Module, inputs: Tensor, targets: Tensor, analysis: Analysis, progress: Progress = silent
) -> tuple[Check, ...]:
    """H_ii, C_ii, C_AWD,ii and C_ij along the probes of `analysis`, over all its samples.

    model, inputs, targets: those that were analysed. The partners of duality are sought anew from the float64
    activities with the analysis' own draw of anchors. ValueError if the analysis kept no probes, if the samples
    are not as many, or if the network cannot be differentiated forward twice.
    """
    about, probes = analysis.provenance, analysis.probes
    loss = lookup(about.loss)
    require(probes is not None, "This analysis kept no directions to check. Analyse again to have some.")
    assert probes is not None
    check_samples(inputs, targets)
    require(
        len(targets) == about.samples,
        f"{about.samples:,} samples were analysed, but {len(targets):,} were given. Give the same ones.",
    )
    model = copy.deepcopy(model).cpu().double().eval().requires_grad_(False)
    targets = targets.cpu()
    layers = joined(about.layer)
    linear = _linear(model, layers[0])
    activity = _activity(model, linear, inputs, progress)
    if about.bias:
        activity = torch.cat([activity, activity.new_ones(len(activity), 1)], dim=1)
    weight = linear.weight if not about.bias else torch.cat([linear.weight, linear.bias[:, None]], dim=1)
    if len(layers) > 1:
        partner = torch.full_like(targets, -1)
    else:
        partner = partners(activity.to(getattr(torch, about.dtype)), targets, about.anchors_per_class, about.seed)
    paired = (partner >= 0) & (activity.square().sum(dim=1) > 0)
    columns = torch.from_numpy(probes.vectors.copy()).double().split([d_out * d_in for d_out, d_in in about.sizes])
    directions = tuple(part.T.reshape(-1, *size) for part, size in zip(columns, about.sizes, strict=True))

    chunks = []
    for rows in over(len(targets), CHUNK, progress, "checking"):
        change = torch.where(paired[rows, None], activity[partner[rows]] - activity[rows], 0.0)
        dual = torch.nan_to_num(minimal_weight_change(weight, activity[rows], change))
        chunks.append(_along(model, layers, loss, directions, inputs[rows], targets[rows], dual, change))
    g, h, v, u = torch.cat(chunks, dim=1).unbind(dim=2)
    return tuple(_checks(analysis, probes.index, about.batch_size, g, h, (v + u)[:, paired]))


def _checks(
    analysis: Analysis, index: Int[np.ndarray, " j"], b: int, g: Tensor, h: Tensor, first_order: Tensor
) -> list[Check]:
    """The sums over samples (last axis) beside what the analysis says."""
    noise = (g @ g.T / g.shape[1] - g.mean(1)[:, None] * g.mean(1)) / b
    checks = []
    for row, i in enumerate(index):
        place = (int(i) + 1,)
        checks.append(Check("H", place, float(analysis.eigenvalues[i]), float(h[row].mean())))
        checks.append(Check("C", place, float(analysis.diagonal("C")[i]), float(noise[row, row])))
        if "C_awd" in analysis.names:
            w = first_order[row]
            awd = (w.square().mean() / b + (1 - 1 / b) * w.mean().square()) / 2
            checks.append(Check("C_awd", place, float(analysis.diagonal("C_awd")[i]), float(awd)))
    block = analysis.blocks.get("C")
    for (row, i), (column, j) in pairwise(enumerate(index)):
        if block is not None and max(i, j) < len(block):
            checks.append(Check("C", (int(i) + 1, int(j) + 1), float(block[i, j]), float(noise[row, column])))
    return checks


def _linear(model: nn.Module, layer: str) -> nn.Linear:
    module = model.get_submodule(layer)
    assert isinstance(module, nn.Linear), "an analysis is of a linear layer"
    return module


def _activity(model: nn.Module, linear: nn.Module, inputs: Tensor, progress: Progress) -> Float[Tensor, "n d_in"]:
    seen: list[Tensor] = []
    handle = linear.register_forward_hook(lambda _, args, __: seen.append(args[0].clone()))
    try:
        for rows in over(len(inputs), CHUNK, progress, "reading activities"):
            model(inputs[rows].double())
    finally:
        handle.remove()
    return torch.cat(seen)


def _along(
    model: nn.Module,
    layers: tuple[str, ...],
    loss: Loss,
    directions: tuple[Float[Tensor, "j _ _"], ...],
    inputs: Tensor,
    targets: Tensor,
    dual: Float[Tensor, "n d_out d_in"],
    change: Float[Tensor, "n d_in"],
) -> Float[Tensor, "j n 4"]:
    """g_p·V, Vᵀh_pV, v_p·V and u_p·V of every direction and sample; dual and change are those of the first layer."""
    linears = [_linear(model, layer) for layer in layers]

    def one(
        direction: tuple[Tensor, ...], x: Tensor, y: Tensor, dual_change: Tensor, activity_change: Tensor
    ) -> Tensor:
        def f(theta: Tensor) -> Tensor:
            steps = [theta[0] * part for part in direction]
            steps[0] = steps[0] + theta[1] * dual_change
            parameters = {}
            for layer, linear, step in zip(layers, linears, steps, strict=True):
                width = linear.weight.shape[1]
                parameters[f"{layer}.weight"] = linear.weight + step[:, :width]
                if step.shape[1] > width:
                    parameters[f"{layer}.bias"] = linear.bias + step[:, width]
            shift = theta[2] * (direction[0] @ activity_change)
            handle = linears[0].register_forward_hook(lambda _, __, output: output + shift)
            try:
                logits = functional_call(model, parameters, (x[None],))
            finally:
                handle.remove()
            return loss.value(logits, y[None])[0]

        def slope(theta: Tensor) -> tuple[Tensor, Tensor]:
            first = jacfwd(f)(theta)
            return first, first

        second, first = jacfwd(slope, has_aux=True)(torch.zeros(3, dtype=torch.float64))
        return torch.stack([first[0], second[0, 0], second[0, 1], first[2]])

    samples: Callable[..., Tensor] = vmap(one, in_dims=(None, 0, 0, 0, 0))
    try:
        return vmap(samples, in_dims=(0, None, None, None, None))(directions, inputs.double(), targets, dual, change)
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"This network cannot be differentiated forward twice ({str(error).splitlines()[0]}), so its numbers "
            "cannot be checked this way. The tests of this program check them on networks that can."
        ) from error
