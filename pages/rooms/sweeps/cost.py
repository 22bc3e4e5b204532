"""How long the cells of a sweep still take, from earlier runs of the same shape and this machine's measured speeds."""

from collections.abc import Sequence

from engine.data import subset
from engine.runs import estimate, library
from engine.runs.estimate import Calibration
from engine.runs.library import Run
from engine.sweeps.grid import Cell
from engine.sweeps.status import State
from engine.units import rounded as rounded
from pages.data import results
from pages.rooms.train import summary

# Until the sweep and its first worker have imported torch; what is long hardly feels it.
WAKING_SECONDS = 6.0


def seconds(found: Sequence[State]) -> float | None:
    """Of all that is not yet measured, if every run goes to its last epoch; None where the shape of some data or
    the speed of this machine is not known."""
    speeds, runs = library.calibration(results.store()), results.runs()
    trained: set[object] = set()
    total = 0.0
    for state in found:
        if state.row is not None:
            continue
        parts = _cell(state.cell, speeds, runs)
        if parts is None:
            return None
        training, analyses = parts
        if not state.trained and state.cell.run not in trained:
            total += training * (1 - max(state.epoch, 0) / state.epochs)
            trained.add(state.cell.run)
        total += analyses
    return total


def _cell(cell: Cell, speeds: Calibration | None, runs: Sequence[Run]) -> tuple[float, float] | None:
    """Seconds of the training, and of the analyses."""
    shape = _shape(cell)
    if shape is None:
        return None
    samples, unseen, image = shape
    before = library.epoch_seconds(runs, cell.run, samples)
    try:
        training = estimate.training(
            cell.run, samples, image=image, unseen=unseen, calibration=speeds, epoch_seconds=before
        ).seconds
        analysis = estimate.analysis(
            estimate.subject(cell.run.model, cell.analysis.layer, image),
            samples,
            top_k=cell.analysis.top_k,
            anchors_per_class=cell.analysis.anchors_per_class,
            calibration=speeds,
        ).seconds
    except ValueError:
        return None
    if training is None or analysis is None:
        return None
    plan = cell.run.training
    every = {plan.epochs, *(e for e in plan.checkpoints if e <= plan.epochs)}
    return training, analysis * (len(every) if "all" in cell.analyze else len(cell.analyze))


def _shape(cell: Cell) -> tuple[int, int, tuple[int, int]] | None:
    """Training samples, unseen ones, height and width; without a look at the data as far as the settings tell."""
    data, known = cell.run.data, summary.known(cell.run.data.name)
    if known is not None:
        try:
            classes = subset.chosen_classes(data, known.train)
            return subset.samples(data, known.train), sum(known.test[c] for c in classes), known.image
        except ValueError:
            return None
    if data.per_class is None:
        return None
    return data.per_class * cell.classes, 0, (32, 32) if "cifar10" in data.name else (28, 28)
