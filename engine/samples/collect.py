"""Looks at every sample of a checkpoint before one layer, for engine.samples.table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from engine.config.requests import SamplesRequest
from engine.curvature import covariances
from engine.curvature.accumulate import over
from engine.curvature.covariances import Combination
from engine.curvature.duality import partners
from engine.curvature.factors import Survey
from engine.curvature.inputs import read
from engine.curvature.kronecker import Kronecker
from engine.curvature.memory import plan
from engine.curvature.projection import in_eigenbasis
from engine.curvature.tail import Tail
from engine.device import free_memory, resolve
from engine.errors import require
from engine.losses import LOSSES, lookup
from engine.progress import Progress, silent
from engine.runs import eviction, library
from engine.runs.pipeline import Pipeline
from engine.samples import at_places, close_up, table
from engine.samples.downstream import Chain, Step
from engine.samples.table import DIRECTIONS, LEADING, AtPlaces, Samples, Table

ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.GELU: "gelu"}
# Samples on which chain and network are compared, and how far their logits may differ, relative to the largest.
COMPARED, NEAR = 64, 1e-4
LARGEST = 64  # pixels a side of a picture


def keep(pipeline: Pipeline, run: str, epoch: int, layer: str | None = None) -> Table:
    """The samples of a checkpoint as they are kept: from the cache, or looked at now, at several places with close-ups
    of the first that a page shows. layer: the one the paper studies for None. Errors: see `look` and
    Pipeline.restore."""
    trained_run = library.find(pipeline.store, run)
    layer = layer or trained_run.studied
    require("+" not in layer, "Single samples are looked at before one layer. Name one.")
    require(
        layer in trained_run.layers, f"There is no layer {layer!r} to study; there are {', '.join(trained_run.layers)}."
    )
    cached = table.read(pipeline.store, trained_run, epoch, layer)
    if cached is not None:
        return cached
    model, inputs, targets = pipeline.restore(trained_run.key, epoch)
    loss = pipeline.loss(trained_run)
    plain = isinstance(inputs, Tensor) and pipeline.brought.output is None and _are_labels(targets)
    if not (plain and isinstance(loss, str) and loss in LOSSES):
        raise ValueError(
            "Single samples are looked at where each is one tensor with one label, the network gives logits, and the "
            f"loss is one of {', '.join(LOSSES)}. Those of run {trained_run.key} are others."
        )
    made = look(
        model, inputs, targets, layer, loss, trained_run.request.training.batch_size, epoch,
        trained_run.class_names, pipeline.device, pipeline.tell,
    )  # fmt: skip
    shown = pictures(inputs)
    table.keep_pictures(pipeline.store, trained_run, shown)
    table.write(pipeline.store, SamplesRequest(trained_run.key, epoch, layer), trained_run.fingerprint, made)
    if isinstance(made, AtPlaces):
        keep_close_ups(pipeline, trained_run.key, made, [(p, int(made.partner[p])) for p in made.first()])
    eviction.make_room(pipeline.store)
    return made


def _are_labels(targets: Tensor) -> bool:
    return targets.ndim == 1 and not targets.is_floating_point()


def keep_close_ups(pipeline: Pipeline, run: str, samples: Table, pairs: Sequence[tuple[int, int]]) -> None:
    """Keep all about these samples of a checkpoint, each with its partner, −1 for none, as far as it is not kept.
    ValueError where there is no such sample, or a layer is fed one vector."""
    trained_run = library.find(pipeline.store, run)
    require(
        isinstance(samples, AtPlaces),
        f"Layer {samples.layer!r} is fed one vector a sample: the pages One sample and Duality lab compute what they "
        "show. Leave --pairs out.",
    )
    for p, q in pairs:
        for sample in (p, q):
            require(sample < len(samples), f"There are samples 0 … {len(samples) - 1:,}; {sample:,} is not among them.")
        require(p != q, f"Sample {p:,} cannot be its own partner. Choose another one.")
    request = SamplesRequest(trained_run.key, samples.epoch, samples.layer)
    places = {pair: close_up.place(request, trained_run.fingerprint, *pair) for pair in pairs}
    missing = [pair for pair in places if close_up.read(pipeline.store, places[pair]) is None]
    if not missing:
        return
    model, inputs, targets = pipeline.restore(trained_run.key, samples.epoch)
    some = sorted({sample for pair in missing for sample in pair if sample >= 0})
    where = {sample: i for i, sample in enumerate(some)} | {-1: -1}
    with torch.inference_mode(False):
        tail = Tail(
            model, samples.layer, inputs[some], targets[some], trained_run.request.loss,
            device=resolve(pipeline.device), dtype=torch.float64, curvature=samples.curvature,
        )  # fmt: skip
        for done, (p, q) in enumerate(missing):
            pipeline.tell("close-ups", done, len(missing))
            close_up.write(pipeline.store, places[p, q], at_places.close_up(tail, where[p], where[q]))


def look(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    layer: str,
    loss: str,
    batch_size: int,
    epoch: int,
    class_names: tuple[str, ...],
    device: str = "auto",
    progress: Progress = silent,
) -> Table:
    """What engine.samples.table.Samples holds, for these samples, where the layer is linear, fed one vector and
    followed by activations and linear layers alone; else what AtPlaces does. ValueError as
    engine.curvature.tail.Tail."""
    where = resolve(device)
    read(inputs, targets)
    with torch.inference_mode(False):
        tail = Tail(model, layer, inputs, targets, loss, device=where, dtype=torch.float32, fisher=True)
        chain = _chain(tail, model, layer, loss, inputs)
        values, basis, diagonals, survey = _diagonals(tail, chain is not None, batch_size, progress)
        count = min(DIRECTIONS, basis.shape[1])
        leading = basis[:, :count].to(tail.dtype)
        weight = tail.weight.detach().double().cpu().numpy()
        known: dict[str, Any] = {
            "layer": layer,
            "epoch": epoch,
            "batch_size": batch_size,
            "curvature": tail.kind,
            "class_names": class_names,
            "targets": targets.cpu().numpy(),
            "weight": weight,
            "eigenvalues": values,
            "directions": leading.T.reshape(count, *weight.shape).cpu().numpy(),
            "diagonals": diagonals,
        }
        if chain is None:
            anchors, near = at_places.partners(tail, progress)
            nearest = np.where(near[:, 0] == np.arange(len(near)), -1, near[:, 0])
            columns = at_places.numbers(tail, leading, progress)
            known |= {"shape": at_places.shape(tail), "kernel": at_places.kernel(tail), "exact": tail.exact}
            return AtPlaces(loss_name=loss, anchors=anchors, near=near, partner=nearest, **known, **columns)
        factors = survey.kept
        assert factors is not None, "they are kept"
        assert factors.activity is not None, "a linear layer behind one vector"
        activity = factors.activity[:, 0, 0].cpu().numpy()
        bias = _bias(tail.site.module)
        z = activity.astype(float) @ weight.T + bias
        logits = torch.from_numpy(chain.logits(z))
        labels = targets.cpu()
        progress("pairs", 0, 1)
        partner = partners(factors.activity[:, 0, 0], targets.to(where), None)
        norm2 = factors.norm2.clamp_min(torch.finfo(torch.float32).tiny)
        chunks = [Kronecker(factors.x[rows, :1], factors.activity[rows]) for rows in over(len(targets), 4096)]
        along = torch.cat([x.along(x.pushed(leading))[:, 0] for x in chunks])
        return Samples(
            activity=activity,
            predicted=logits.argmax(dim=1).numpy(),
            confidence=logits.softmax(dim=1).gather(1, labels[:, None])[:, 0].numpy(),
            loss=chain.loss.value(logits, labels).numpy(),
            kappa=factors.kappa().cpu().numpy(),
            partner=partner.cpu().numpy(),
            alignment=(along.square() / norm2[:, None]).cpu().numpy(),
            bias=bias,
            chain=chain,
            **known,
        )


def _chain(tail: Tail, model: nn.Module, layer: str, loss: str, inputs: Tensor) -> Chain | None:
    """What follows a linear layer that is fed one vector, where it is a chain; None elsewhere."""
    if not tail.single or not isinstance(tail.site.module, nn.Linear) or tail.calls[0].each != 1:
        return None
    chain = chain_after(model, layer, loss)
    if chain is None:
        return None
    few = inputs[:COMPARED]
    (a,), _, _ = tail.forward(tail.inputs[:COMPARED])
    z = (a[:, 0, 0].detach().double() @ tail.weight.double().mT).cpu().numpy() + _bias(tail.site.module)
    with torch.no_grad():
        expected = model(few.to(next(model.parameters()).device)).double().cpu().numpy()
    logits, near = chain.logits(z), NEAR * float(np.abs(expected).max(initial=1e-6))
    same = logits.shape == expected.shape and np.allclose(logits, expected, rtol=0, atol=near)
    return chain if same else None


def _bias(linear: Any) -> Float[ndarray, " d_out"]:
    bias = linear.bias
    return np.zeros(linear.out_features) if bias is None else bias.detach().double().cpu().numpy()


def chain_after(model: nn.Module, layer: str, loss: str) -> Chain | None:
    """What follows a layer, as a chain; None where it is none. It is read off the nn.Sequential that holds the layer,
    and so is only right where nothing else follows; `look` compares it with the network."""
    parent, _, name = layer.rpartition(".")
    holder = model.get_submodule(parent)
    after: list[nn.Module] = []
    if isinstance(holder, nn.Sequential):
        names = [child for child, _ in holder.named_children()]
        after = list(holder.children())[names.index(name) + 1 :]
    steps, activation = [], ""
    for part in after:
        if isinstance(part, nn.Linear):
            steps.append(Step(activation, part.weight.detach().double().cpu().numpy(), _bias(part)))
            activation = ""
            continue
        if isinstance(part, nn.Dropout | nn.Identity | nn.Flatten):
            continue
        kind = ACTIVATIONS.get(type(part), "")
        if activation or not kind or (isinstance(part, nn.GELU) and part.approximate != "none"):
            return None
        activation = kind
    return None if activation else Chain(tuple(steps), lookup(loss))


def _diagonals(
    tail: Tail, keep: bool, batch_size: int, progress: Progress
) -> tuple[Float[ndarray, " k"], Float[Tensor, "d k"], dict[str, Float[ndarray, " k"]], Survey]:
    """H_ii, the v_i, and the diagonals of engine.samples.table.FISHERS; keep: the factors, come what may."""
    named = covariances.combinations(batch_size)
    combinations = {
        **{name: named[name] for name in ("H", "C", "E_h2")},
        "empirical": Combination(((1.0, "gg"),)),
        "fisher": covariances.FISHER,
    }
    d, n = tail.weight.numel(), len(tail.targets)
    top_k = None if d <= LEADING else min(DIRECTIONS * 10, d)
    work = plan(n=n, d=d, size=tail.memory(top_k), top_k=top_k, free=free_memory(tail.device))
    survey = tail.survey(keep or work.keep, progress)
    k = d if work.dense or top_k is None else top_k
    evaluator = in_eigenbasis(
        covariances.moments(tail, survey, combinations), combinations, work, k, tail.dtype, progress=progress
    )
    return evaluator.eigenvalues.cpu().numpy(), evaluator.basis, evaluator.diagonals(progress), survey


def pictures(inputs: Tensor) -> UInt8[ndarray, "n h w *rgb"] | None:
    """Samples as pictures: each channel from its smallest to its largest value, every other pixel left out where they
    are large. None where samples are no images."""
    if inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
        return None
    step = max(1, -(-max(inputs.shape[2:]) // LARGEST))
    x = inputs[:, :, ::step, ::step]
    low, high = x.amin(dim=(0, 2, 3), keepdim=True), x.amax(dim=(0, 2, 3), keepdim=True)
    pixels = ((x - low) / (high - low).clamp_min(1e-12) * 255).round().to(torch.uint8)
    return (pixels[:, 0] if x.shape[1] == 1 else pixels.permute(0, 2, 3, 1)).contiguous().cpu().numpy()
