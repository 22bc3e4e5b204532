"""What several commands do with some checkpoints of a run, one after the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.cli.console import expected, table
from engine.cli.session import Session
from engine.config.manual import DASHBOARD
from engine.config.requests import AnalysisRequest
from engine.errors import require
from engine.runs import library, noise, plane
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.runs.pipeline import Pipeline


def analyse(
    pipeline: "Pipeline",
    requests: list[AnalysisRequest],
    session: Session,
    splits: int | None = None,
    again: bool = False,
    window: int | None = None,
    planes: bool = False,
) -> str:
    """Analyse one after the other, with splits look whether each holds on other samples, and measure the loss over the
    usual planes of each where that is wanted. Of several layers one that is refused does not keep the others from being
    analysed; ValueError at the end says which, and why."""
    several = len({request.layer for request in requests}) > 1
    refusals: dict[str, list[int]] = {}
    for i, request in enumerate(requests):
        count = f" ({i + 1} of {len(requests)})" if len(requests) > 1 else ""
        layer = f", layer {request.layer}" * several
        session.stage = f"analysing epoch {request.epoch}{layer}{count}: "
        try:
            result = pipeline.analyze(request, again)
            if splits is not None:
                there = pipeline.cross_fit(request, splits)
                result = replace(result, held_out=there)
            if planes:
                run = library.find(pipeline.store, request.run)
                analysed = library.analyses(pipeline.store, run.key)
                plane.keep(pipeline, run, noise.start(run, analysed, request.layer, request.epoch))
        except (ValueError, MemoryError, RuntimeError) as error:
            sentence = expected(error)
            if not several or sentence is None:
                raise
            refusals.setdefault(f"Layer {request.layer} is refused: {sentence}", []).append(request.epoch)
            session.ticker.say(f"Epoch {request.epoch}{layer}: {sentence}")
            continue
        session.ticker.close()
        print(f"\nrun {request.run}, epoch {request.epoch}, {table(result, window)}", flush=True)
        finished = i + 1 - sum(map(len, refusals.values()))
        session.finished = f"{finished} of {len(requests)} analyses of run {request.run} are finished."
    session.stage = ""
    sentences = (f"{sentence} (epochs {', '.join(map(str, epochs))})" for sentence, epochs in refusals.items())
    require(not refusals, " ".join([session.finished or f"No layer of run {requests[0].run} is analysed.", *sentences]))
    what = "1 analysis" if len(requests) == 1 else f"{len(requests)} analyses"
    return f"Done: {what} of run {requests[0].run}. See them in the dashboard: {DASHBOARD}"


def look(
    pipeline: "Pipeline",
    run: Run,
    epochs: tuple[str, ...],
    layer: str | None,
    session: Session,
    pairs: Sequence[tuple[int, int]] = (),
) -> str:
    """Look at every sample of these checkpoints, and closely at some."""
    from engine.samples import collect  # loads torch

    chosen = library.chosen_epochs(epochs, run)
    for i, epoch in enumerate(chosen):
        count = f" ({i + 1} of {len(chosen)})" if len(chosen) > 1 else ""
        session.stage = f"every sample of epoch {epoch}{count}: "
        samples = collect.keep(pipeline, run.key, epoch, layer)
        if pairs:
            collect.keep_close_ups(pipeline, run.key, samples, pairs)
        session.finished = f"{i + 1} of {len(chosen)} checkpoints of run {run.key} are looked at sample by sample."
    session.stage = ""
    scope = f"{len(samples):,} samples of epoch{'s' * (len(chosen) > 1)} {', '.join(map(str, chosen))} of run {run.key}"
    return f"Done: {scope}, layer {samples.layer}. See them in the dashboard: {DASHBOARD}"
