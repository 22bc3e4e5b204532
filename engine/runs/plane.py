"""The loss over pairs of directions as it is kept below an analysis: where, which pairs, and how they are made."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from cache.store import Store
from engine.errors import require
from engine.results.plane import Plane
from engine.runs import eviction, library, noise
from engine.runs.library import Analysed
from engine.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor, nn

    from engine.runs.pipeline import Pipeline

ENTRY = "planes"
# The sharpest direction beside its neighbour, a flatter and a flat one.
PAIRS = ((1, 2), (1, 10), (1, 100))
# Sharp and flat, and both of them seen.
USUAL = (1, 10)


def usual(k: int) -> tuple[tuple[int, int], ...]:
    """The pairs that are made unasked of an analysis of k directions."""
    return tuple(pair for pair in PAIRS if pair[1] <= k)


def place(run: str, analysis: str, *pair: int) -> tuple[str, ...]:
    """Where the store keeps the plane of a pair, and without one all of an analysis."""
    return ("runs", run, "analyses", analysis, ENTRY, *("-".join(map(str, pair)),) * bool(pair))


def kept(store: Store, run: str, analysis: str) -> tuple[tuple[int, int], ...]:
    """The pairs that are there, in order."""
    there = (name.split("-") for name in store.list(*place(run, analysis)))
    return tuple(sorted((int(i), int(j)) for i, j in there))


def read(store: Store, where: tuple[str, ...]) -> Plane | None:
    """What is kept; None while there is nothing, or it was damaged."""
    return library.load(store, where, Plane.from_arrays)


def check(run: Run, made: Analysed, pairs: Iterable[tuple[int, int]] = ()) -> None:
    """ValueError unless these planes of an analysis can be made, as far as that is known without the network."""
    request = made.request
    require(len(request.layers) == 1, "The loss is looked at over the weights of one layer. Choose a single one.")
    require(not request.bias, "The loss is looked at over the weights of a layer without its bias. Analyse it so.")
    k = _k(run, made)
    require(k >= 4, f"A plane and its random twin need four directions, and this layer has {k}.")
    for i, j in pairs:
        require(1 <= i < j <= k, f"Directions are two of 1 … {k}, the sharper first, such as 1-10; not {i}-{j}.")


def keep(pipeline: "Pipeline", run: Run, made: Analysed, pairs: Sequence[tuple[int, int]] | None = None) -> int:
    """Make the planes of an analysis that are not there yet, the usual ones for None, and keep each at once; how many
    were asked for. Errors: as check, Pipeline.restore and engine.curvature.descent.Layer."""
    from engine.curvature.descent import Layer  # loads torch
    from engine.curvature.plane import planes
    from engine.device import resolve

    store, request = pipeline.store, made.request
    check(run, made, pairs or ())
    asked = usual(_k(run, made)) if pairs is None else tuple(pairs)
    missing = [pair for pair in asked if read(store, place(run.key, made.key, *pair)) is None]
    if not missing:
        return len(asked)
    model, inputs, targets = pipeline.restore(run.key, request.epoch, request.samples, request.seed)
    basis = _basis(pipeline, run, made, (model, inputs, targets), max(j for _, j in missing))
    layer = Layer(
        model, request.layer, inputs, targets, pipeline.loss(run), device=resolve(pipeline.device),
        output=pipeline.brought.output, curvature=request.curvature,
    )  # fmt: skip
    each = planes(layer, basis, missing, request.batch_size, _rate(run, request.epoch), request.seed, pipeline.tell)
    for plane in each:
        arrays, meta = plane.to_arrays()
        store.write(place(run.key, made.key, *plane.pair), meta, {"main": arrays})
    eviction.make_room(store, spare=(run.key, made.key))
    return len(asked)


def _k(run: Run, made: Analysed) -> int:
    """Directions of an analysis of one layer."""
    return made.request.top_k or math.prod(run.layers[made.request.layer])


def _rate(run: Run, epoch: int) -> float:
    """η there, NaN where it is not known."""
    try:
        return noise.rate(run, epoch)
    except ValueError:
        return math.nan


def _basis(
    pipeline: "Pipeline", run: Run, made: Analysed, network: tuple["nn.Module", object, "Tensor"], count: int
) -> Float[ndarray, "d v"]:
    """The leading directions of an analysis, at least so many: kept, or found anew."""
    kept = library.load_analysis(pipeline.store, run.key, made.key, basis=True)
    if kept is not None and kept.basis is not None and kept.basis.shape[1] >= count:
        return kept.basis
    request = replace(made.request, spectra=0, bootstrap=0)
    anew = pipeline.measure(*network, pipeline.loss(run), request, pipeline.tell, names=("C",))
    assert anew.basis is not None, "it is in memory"
    return anew.basis
