"""What a tour may need: the run it speaks of, and what must have been measured of it; each with what makes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from engine.config.commands import AnalyzeCommand, Command, PlaneCommand, SamplesCommand
from engine.config.requests import RunRequest
from engine.runs import plane as planes
from engine.runs.library import Run
from engine.units import duration, rounded
from pages.data import held_out, noise, plane, results, samples
from pages.data.results import View
from pages.jobs import analyse, commands, demo, other_samples, watch
from pages.rooms.noise import choice
from pages.text.run_names import describe, escaped

DEMO = "demo"


@dataclass(frozen=True)
class Need:
    """What must have been measured: in words, whether it is there, the command that makes it, and what that takes, as
    far as it is known."""

    words: str
    there: Callable[[View], bool]
    command: Callable[[View], Command]
    seconds: Callable[[View], float | None] = lambda _: None


def _looked(view: View) -> list[int]:
    """The first checkpoint, the one in the middle and the last."""
    epochs = view.run.checkpoints or (view.epoch,)
    return sorted({epochs[0], epochs[len(epochs) // 2], epochs[-1]})


def _samples(view: View) -> SamplesCommand:
    there = tuple(str(epoch) for epoch in _looked(view) if samples.stored(view, epoch) is None)
    return SamplesCommand(view.run.key, there, view.chosen.request.layer)


def _again(view: View) -> AnalyzeCommand:
    return replace(AnalyzeCommand.of(view.chosen.request), again=True)


NEEDS: Mapping[str, Need] = {
    "epochs": Need(
        "every checkpoint", lambda view: len(view.epochs) >= min(2, len(view.run.checkpoints)), analyse.every_epoch
    ),
    "picture": Need(
        "the picture of the loss",
        lambda view: all(plane.stored(view, pair) is not None for pair in planes.usual(view.analysis.k)),
        lambda view: PlaneCommand(view.run.key, (str(view.epoch),), view.chosen.request.layer),
    ),
    "spectra": Need("curvatures of single samples", lambda view: view.chosen.has_spectra, analyse.with_spectra),
    "samples": Need(
        "every sample", lambda view: all(samples.stored(view, epoch) is not None for epoch in _looked(view)), _samples
    ),
    "distances": Need("distances of the predictors", lambda view: bool(view.analysis.overlaps), _again),
    "other-samples": Need(
        "halves of the samples",
        lambda view: held_out.stored(view) is not None,
        other_samples.command,
        other_samples.seconds,
    ),
    "descents": Need(
        "descents under each noise",
        lambda view: noise.stored(choice.from_start(view)) is not None,
        lambda view: choice.command(choice.from_start(view)),
        lambda view: choice.seconds(choice.from_start(view)),
    ),
}


def demo_run() -> Run | None:
    """The demo's run, once there is one."""
    return next((run for run in results.runs() if run.request == RunRequest()), None)


def named(run: str) -> Run | None:
    """The run that a tour names, if it is here."""
    if run == DEMO:
        return demo_run()
    return next((one for one in results.runs() if run and one.key.startswith(run)), None)


def other_run(run: str, show: Callable[[Run], None]) -> None:
    """Where another run than the one that the tour names is on the screen: that, and the way to the right one."""
    here, right = results.chosen_run(), named(run)
    if not run or here is None or (right is not None and right.key == here.key):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tour-run"):
        what = "the demo" if run == DEMO else f"run {run[:8]}"
        st.caption(f":material/swap_horiz: This tour is of {what}; on the screen is {escaped(describe(here))}.")
        if right is not None:
            if st.button(f"Show {what}", key="tour.run", type="primary"):
                show(right)
        elif run == DEMO:
            if st.button("Train the demo, 20 seconds", key="tour.demo", type="primary"):
                demo.start()
                st.rerun()
        else:
            st.caption("It is not here.")


def unmet(names: Iterable[str], view: View) -> list[Need]:
    """What of these is not there, of the run in view; nothing that cannot be had of it."""
    alone, here = len(view.chosen.request.layers) == 1, view.run.recorded is None
    return [NEEDS[name] for name in dict.fromkeys(names) if here and alone and not NEEDS[name].there(view)]


def measure(names: Iterable[str], view: View) -> None:
    """What is missing, with one button that has all of it measured; then how far that is."""
    lacking = unmet(names, view)
    if not lacking:
        return
    made = {f"{need.words}{_time(need.seconds(view))}": need.command(view) for need in lacking}
    at_work = [job for command in made.values() if (job := commands.newest(command)) is not None and job.running]
    if at_work:
        watch.expect(tuple(job.id for job in at_work))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tour-needs"):
        st.caption(f":material/hourglass_empty: Not measured yet of this run: {', '.join(made)}.")
        st.button("Measure", key="tour.measure", type="primary", on_click=_start, args=(made, view))


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f" (about {duration(rounded(max(seconds, 10.0)))})"


def _start(made: Mapping[str, Command], view: View) -> None:
    for words, command in made.items():
        commands.start(command, f"For the tour: {words}", view.run.key)
