"""A job in words: which run it works on, what it is doing, how far it is, and how it ended."""

import re
import time
from collections.abc import Iterable

from cache.jobs import Job
from engine.config.commands import AnalyzeCommand, TrainCommand
from engine.config.requests import RunRequest
from engine.runs.run import Run
from engine.units import duration
from pages.jobs.commands import command_of

# -- what a job is about ----------------------------------------------------------------------------------


def request_of(job: Job) -> RunRequest | None:
    """The run a job trains, if it trains one."""
    command = command_of(job)
    return command.request if isinstance(command, TrainCommand) else None


def works_on(job: Job, run: Run) -> bool:
    """Whether a job trains or analyses this run."""
    command = command_of(job)
    if isinstance(command, TrainCommand):
        return command.request == run.request
    key = command.run if isinstance(command, AnalyzeCommand) else job.run
    return bool(key) and run.key.startswith(str(key))


def run_of(job: Job, runs: Iterable[Run]) -> Run | None:
    """The one of these runs a job works on, once there is one."""
    return next((run for run in runs if works_on(job, run)), None)


# -- what it is doing, in words ---------------------------------------------------------------------------

# The engine's stages of one analysis in their order: what they mean, and where the bar then stands.
STAGES = {
    "pairs": ("pairing each sample with its neighbour", 0.0, 0.1),
    "factors": ("gradient and curvature of every sample", 0.1, 0.25),
    "moments": ("averaging over all samples", 0.25, 0.6),
    "eigenvectors": ("finding the directions of curvature", 0.6, 0.7),
    "projections": ("turning to the directions of curvature", 0.7, 0.8),
    "resampling": ("how much γ would change with other samples", 0.8, 0.87),
    "spectra": ("keeping the curvatures of single samples", 0.87, 0.9),
    "commutators": ("comparing with chance", 0.9, 1.0),
    "other samples": ("halving the samples, again and again", 0.25, 0.8),
    "all samples": ("the directions of all samples", 0.8, 0.85),
    "test samples": ("reading test samples", 0.85, 0.9),
    "planes": ("moving the weights along two directions", 0.0, 1.0),
    "effective samples": ("how many samples carry a direction", 0.9, 1.0),
}
_ANALYSING = re.compile(r"analysing epoch (\d+)(?:, layer (\S+))?(?: \((\d+) of (\d+)\))?: (.*)")


def doing(job: Job) -> str:
    """What a job is doing now, in words."""
    stage, progress = job.progress.stage, job.progress
    if job.stopping:
        return "Stopping …"
    if job.waiting:
        return f"Waiting for {progress.total} job{'s' if progress.total > 1 else ''} before it"
    if stage == "training":
        return f"Training: epoch {progress.done} of {progress.total}"
    if stage == "cells":
        return f"Filling a table: {progress.done} of {progress.total} cells"
    if stage == "starting":
        return "Waking the engine …"
    if stage == "loading data":
        return "Reading the data …"
    if match := _ANALYSING.fullmatch(stage):
        epoch, layer, place, count, part = match.groups()
        of = (f", layer {layer}" if layer else "") + (f", {place} of {count}" if count else "")
        return f"Measuring curvature and noise at epoch {epoch}{of}: {_part(part)}"
    return f"{_part(stage).capitalize()} …"


def _part(stage: str) -> str:
    return STAGES[stage][0] if stage in STAGES else stage


_FOR_TERMINALS = re.compile(r" (See them in the dashboard|Go on with|Analyse it): .*$", re.DOTALL)


def sentence(job: Job) -> str:
    """How a job ended, without the command that a terminal's user would type next."""
    return _FOR_TERMINALS.sub("", job.message)


def fraction(job: Job) -> float:
    """How far it is with training, or with its analyses."""
    match = _ANALYSING.fullmatch(job.progress.stage)
    if match is None:
        return job.progress.fraction
    *_, place, count, part = match.groups()
    _, low, high = STAGES.get(part, ("", 0.0, 1.0))
    one = low + (high - low) * job.progress.fraction
    return (int(place) - 1 + one) / int(count) if count else one


def left(job: Job) -> str:
    """How long the present step still takes, as far as that is known."""
    seconds = job.progress.seconds_left
    if seconds is None or job.progress.total < 2:
        return f"{duration(time.time() - job.created)} so far"
    return f"about {duration(max(1.0, seconds))} left of this step"
