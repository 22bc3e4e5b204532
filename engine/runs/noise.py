"""Descents under noise of different shapes as they are kept below an analysis: where, from which checkpoint, at which
rate, and what they cost. Made by engine.runs.descents; imports no torch.
"""

import math
from collections.abc import Sequence

import numpy as np

from cache.store import Store
from engine.config.kinds import KINDS
from engine.errors import require
from engine.models.architectures import layers
from engine.results.noise import EVERY, LIMIT, NOISES, SEEDS, STEPS, Descents
from engine.runs import library
from engine.runs.estimate import TYPICAL, Calibration, image_of
from engine.runs.library import Analysed
from engine.runs.run import Run
from engine.training.schedule import learning_rate

ENTRY = "noise"
# A checkpoint with more of its training samples right has little noise left.
LEARNED = 0.99
# Ways forward by arithmetic alone, which in a small layer is the lesser part.
STEP, LOOK = 12, 600


def place(run: str, analysis: str) -> tuple[str, ...]:
    """Where the store keeps the descents from where an analysis was made."""
    return "runs", run, "analyses", analysis, ENTRY


def write(store: Store, where: tuple[str, ...], descents: Descents) -> None:
    """Keep them."""
    arrays, meta = descents.to_arrays()
    store.write(where, meta, {"main": arrays})


def read(store: Store, where: tuple[str, ...]) -> Descents | None:
    """What is kept; None while there is nothing, or it was damaged."""
    return library.load(store, where, Descents.from_arrays)


def accuracy(run: Run, epoch: int) -> float:
    """Share of right answers among the training samples; NaN where it is not known."""
    history = run.history
    (known,) = np.nonzero(history.epoch == epoch)
    return float(history.train_accuracy[known[0]]) if known.size else math.nan


def usual_start(run: Run, analysed: Sequence[Analysed], layer: str) -> Analysed | None:
    """The newest analysis of this layer at the last checkpoint that is not LEARNED yet, or else at the last; None
    where the layer is not analysed."""
    made = sorted((a for a in analysed if a.request.layer == layer), key=lambda a: (a.request.epoch, a.created))
    learning = [a for a in made if accuracy(run, a.request.epoch) < LEARNED]
    return next(reversed(learning or made), None)


def start(run: Run, analysed: Sequence[Analysed], layer: str, epoch: int | None = None) -> Analysed:
    """The newest analysis of this layer at an epoch, or at the usual start for None. ValueError where there is none."""
    made = [a for a in analysed if a.request.layer == layer and epoch in (None, a.request.epoch)]
    usual = usual_start(run, made, layer)
    if usual is None:
        where = "" if epoch is None else f" at epoch {epoch}"
        raise ValueError(f"Layer {layer} of run {run.key} is not analysed{where}. Analyse it first.")
    return usual


def rate(run: Run, epoch: int) -> float:
    """η, with which the run goes on from a checkpoint. ValueError where that is not known."""
    if run.recorded is None and not run.request.weights:
        return learning_rate(run.request.training, epoch)
    history = run.history
    known = history.learning_rate[(history.epoch == epoch) & np.isfinite(history.learning_rate)]
    require(
        known.size > 0,
        f"Run {run.key} was trained elsewhere, and its learning rate at epoch {epoch} is not known. Give one: "
        "--learning-rate 0.1.",
    )
    return float(known[0])


def check(run: Run, layer: str) -> None:
    """ValueError unless noise can be drawn for a layer, as far as that is known without the network."""
    require("+" not in layer, "Descents move one layer. Choose a single one, or analyse one.")
    d = math.prod(run.layers[layer]) if layer in run.layers else 0
    require(
        d <= LIMIT,
        f"Layer {layer} has {d:,} weights. Noise of every shape needs the root of a matrix of that many rows and "
        f"columns, and is drawn for up to {LIMIT:,}. Choose a smaller layer.",
    )


def seconds(
    run: Run, layer: str, samples: int, calibration: Calibration | None, steps: int = STEPS, seeds: int = SEEDS
) -> float:
    """What all descents take, about: each step STEP ways through the layer and what follows it, each look at the
    curvature LOOK of them, and a root of each matrix before."""
    speeds, (d_out, d_in) = calibration or TYPICAL, run.layers[layer]
    model, d, forward, after = run.request.model, d_out * d_in, 2.0 * d_out * d_in * run.places.get(layer, 1), 1
    if model.kind in KINDS:
        parts = layers(model, image_of(run.request.data.name))
        names = [part.name for part in parts]
        rest = parts[names.index(layer) :]
        forward, after = sum(part.operations for part in rest), len(rest)
    descents = seeds * (len(NOISES) - 1) + 1
    way = samples * forward / speeds.dense
    step = STEP * way + after * speeds.step + 2 * d**2 / speeds.product
    return descents * steps * (step + LOOK * way / EVERY["hessian"]) + (9 + seeds / 2) * d**3 * speeds.eigen
