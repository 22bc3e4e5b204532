"""The loss over two directions of a layer's weights, from real evaluations, and real mini-batches in that plane.

A layer's output is linear in its weights, so that along a direction d it moves by what the layer gives with d in place
of its weights and no bias: a point of the grid costs a sum and what follows the layer.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.func import functional_call

from engine.curvature.accumulate import over
from engine.curvature.descent import Layer, factors
from engine.curvature.inputs import picked
from engine.errors import require
from engine.progress import Progress, silent
from engine.results.plane import ANGLES, BATCHES, POINTS, SAMPLES, Plane, turn
from engine.training.sgd import order

LEAST = 1e-3
AT_ONCE = 2**14  # samples times points that go through what follows the layer


def planes(
    layer: Layer,
    basis: Float[ndarray, "d v"],
    pairs: Iterable[tuple[int, int]],
    batch_size: int,
    rate: float,
    seed: int = 0,
    progress: Progress = silent,
) -> Iterator[Plane]:
    """The planes of these pairs of eigen-directions i < j of H, one after the other. basis: the leading v_i as
    columns. The loss is that of at most SAMPLES samples, drawn with the seed; H, C and mini-batches are those of all.
    ValueError for a batch of more samples than there are."""
    n, pairs = len(layer.targets), list(pairs)
    require(batch_size <= n, f"A mini-batch of {batch_size} cannot be drawn from {n} samples.")
    for done, (i, j) in enumerate(pairs):
        axes = spanned_by(torch.from_numpy(basis[:, [i - 1, j - 1]]), (i, j))
        gradients, hessian = _along(layer, axes)
        mean = gradients.mean(axis=0)
        noise = (gradients.T @ gradients / n - np.outer(mean, mean)) / batch_size
        reach = _reach(layer, hessian)
        tell = partial(_within, progress, done, len(pairs))
        loss, samples = _grid(layer, axes, reach, seed, tell)
        yield Plane(
            (i, j), reach, samples, batch_size, rate, loss, hessian, noise, mean, _batches(gradients, batch_size, seed)
        )


def _within(progress: Progress, done: int, pairs: int, angle: int) -> None:
    progress("planes", done * len(ANGLES) + angle, pairs * len(ANGLES))


def spanned_by(eigenvectors: Float[Tensor, "d 2"], pair: tuple[int, int]) -> Float[Tensor, "d 4"]:
    """The two, and two drawn evenly from all that is orthogonal to them, float64. ValueError in fewer than four
    dimensions."""
    d = len(eigenvectors)
    require(d >= 4, f"A plane and its random twin need a layer of at least four weights, not {d}.")
    numbers = torch.Generator().manual_seed(2**20 * pair[0] + pair[1])
    drawn = torch.randn(d, 2, generator=numbers, dtype=torch.float64)
    q, r = torch.linalg.qr(torch.cat([eigenvectors.double(), drawn], dim=1))
    return q * r.diagonal().sign()


def _along(layer: Layer, v: Float[Tensor, "d 4"]) -> tuple[Float[ndarray, "n 4"], Float[ndarray, "4 4"]]:
    """Every sample's gradient along some directions, and H in them."""
    n, tail = len(layer.targets), layer.tail
    tail.watched = False  # that was told when it was cut
    v = v.to(device=layer.device, dtype=tail.dtype)
    gradients, hessian = [], torch.zeros(v.shape[1], v.shape[1], dtype=torch.float64, device=layer.device)
    for rows in over(n, tail.chunk):
        x, core, g = factors(tail, rows)
        gradients.append(g.along(g.pushed(v))[:, 0].double())
        y = x.along(x.pushed(v)).double()
        hessian += torch.einsum("nrk,nrs,nsl->kl", y, core, y) / n
    return torch.cat(gradients).cpu().numpy(), hessian.cpu().numpy()


def _reach(layer: Layer, hessian: Float[ndarray, "4 4"]) -> float:
    """How far the weights move: where the curvature along the sharper direction would double the loss, within LEAST of
    their length, which their precision still tells, and all of it; 1 where they are all zero."""
    (loss, _), steep = layer.look(layer.inputs, layer.targets), float(hessian.diagonal().max())
    length = float(torch.linalg.vector_norm(layer.start)) or 1.0
    doubled = np.sqrt(2 * loss / steep) if steep > 0 else np.inf
    return float(np.clip(doubled, LEAST * length, length))


def _batches(gradients: Float[ndarray, "n 4"], size: int, seed: int) -> Float[ndarray, "m 4"]:
    """∇L of mini-batches, drawn epoch by epoch as training draws them."""
    each, n = [], len(gradients)
    for epoch in range(1, BATCHES + 1):
        index = order(n, seed, epoch).numpy()[: n // size * size].reshape(-1, size)
        each.append(gradients[index].mean(axis=1))
        if sum(map(len, each)) >= BATCHES:
            break
    return np.concatenate(each)[:BATCHES]


@torch.no_grad()
def _grid(
    layer: Layer, v: Float[Tensor, "d 4"], reach: float, seed: int, progress: Callable[[int], None]
) -> tuple[Float[ndarray, "a p p"], int]:
    """The mean loss over the grid at every angle, and of how many samples."""
    n = len(layer.targets)
    some = order(n, seed, 0)[:SAMPLES].sort().values.to(layer.device)
    at = np.linspace(-reach, reach, POINTS)
    result = np.empty((len(ANGLES), POINTS, POINTS))
    for place, degrees in enumerate(ANGLES):
        progress(place)
        axes = (v @ torch.from_numpy(turn(degrees))).to(layer.weight)
        moved = _moved(layer, some, axes)
        for row, y in enumerate(at):
            result[place, row] = moved(at, float(y))
    return result, len(some)


def _moved(
    layer: Layer, index: Int[Tensor, " m"], axes: Float[Tensor, "d 2"]
) -> Callable[[Float[ndarray, " p"], float], list[float]]:
    """What gives the mean loss of some samples at points x along the first direction, y along the second."""
    inputs, targets = layer.inputs[index], layer.targets[index]
    first, second = (axes[:, k].view_as(layer.weight) for k in (0, 1))
    value = layer.tail.loss.value

    def whole(xs: Float[ndarray, " p"], y: float) -> list[float]:
        losses = []
        for x in xs:
            layer.weight.copy_(layer.start + float(x) * first + y * second)
            losses.append(float(value(layer.outputs(inputs), targets).double().mean()))
        layer.weight.copy_(layer.start)
        return losses

    if layer.parts is None or layer.tail.layers != ("0",) or not isinstance(layer.model, nn.Sequential):
        return whole
    module, rest, (given,) = layer.model[0], layer.model[1:], inputs.args
    still = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    here = module(given)
    along, across = (functional_call(module, still | {"weight": weight}, (given,)) for weight in (first, second))
    points = max(1, AT_ONCE // len(index))
    several = targets.repeat(points, *[1] * (targets.ndim - 1))
    outputs = here.new_empty(points, *here.shape)

    def cut(xs: Float[ndarray, " p"], y: float) -> list[float]:
        losses: list[float] = []
        row = torch.add(here, across, alpha=y)
        for rows in over(len(xs), points):
            z = outputs[: len(xs[rows])]
            for place, x in zip(z, xs[rows], strict=True):
                torch.add(row, along, alpha=float(x), out=place)
            f = picked(rest(z.flatten(0, 1)), layer.output).flatten(1)
            each = value(f, several[: len(f)])
            losses += each.double().view(len(z), -1).mean(dim=1).tolist()
        return losses

    return cut
