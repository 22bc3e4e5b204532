"""A sweep at work: how long it still takes, started, watched, stopped and gone on with, and why cells failed."""

import time
from collections.abc import Sequence

import streamlit as st

from cache.jobs import Job
from engine import units
from engine.config.command_line import line
from engine.config.commands import CalibrateCommand, SweepCommand
from engine.config.requests import DATASETS, DataRequest
from engine.runs import estimate
from engine.runs.estimate import Calibration
from engine.sweeps import status
from engine.sweeps.grid import Cell, Sweep
from engine.sweeps.status import State
from engine.units import duration, rounded
from pages.data import results
from pages.jobs import commands, describe, watch
from pages.jobs.commands import jobs
from pages.jobs.watch import WATCH_SECONDS
from pages.rooms.sweeps import table
from pages.rooms.sweeps.choice import Choice
from pages.rooms.train import summary
from pages.text.run_names import escaped
from pages.ui.guard import guarded

# Until the sweep and its first worker have imported torch; what is long hardly feels it.
WAKING_SECONDS = 6.0


def states(sweep: Sweep) -> tuple[State, ...]:
    """Every cell as it is now."""
    return status.states(results.store(), sweep, results.runs())


def at_work(choice: Choice) -> Job | None:
    """The job that works on this sweep, with whatever number of workers."""
    return next((job for job in jobs().running() if choice.filled_by(job)), None)


# -- how long it takes ------------------------------------------------------------------------------------


def seconds_left(cells: Sequence[State]) -> float | None:
    """Of all that is not yet measured, if every run goes to its last epoch; None where the shape of some data or
    the speed of this machine is not known."""
    speeds = estimate.calibration(results.store())
    trained: set[object] = set()
    total = 0.0
    for state in cells:
        if state.row is not None:
            continue
        parts = _cell(state.cell, speeds)
        if parts is None:
            return None
        training, analyses = parts
        if not state.trained and state.cell.run not in trained:
            total += training * (1 - max(state.epoch, 0) / state.epochs)
            trained.add(state.cell.run)
        total += analyses
    return total


def _cell(cell: Cell, speeds: Calibration | None) -> tuple[float, float] | None:
    """Seconds of the training, and of the analyses."""
    shape = _shape(cell)
    if shape is None:
        return None
    samples, unseen, image = shape
    earlier = results.earlier_work()
    try:
        training = estimate.training(
            cell.run, samples, image=image, unseen=unseen, calibration=speeds, earlier=earlier
        ).seconds
        subject = estimate.subject(cell.run.model, cell.analysis.layer, image)
        analysis = estimate.analysis(
            subject, samples, top_k=cell.analysis.top_k, calibration=speeds, earlier=earlier
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
            count, unseen, _ = known.chosen(data)
            return count, unseen, known.image
        except ValueError:
            return None
    if data.per_class is None:
        return None
    return data.per_class * cell.classes, 0, estimate.image_of(data.name)


# -- the table, and what can be done about it -------------------------------------------------------------


def show(choice: Choice, cells: Sequence[State]) -> None:
    """The table; above it how far it is where it is being filled, else the way to fill it."""
    job = at_work(choice)
    if job is not None:
        _filling(choice, job.id, _settled(cells))
        return
    if watch.sweep() is not None:
        st.caption(":material/hourglass_top: Another sweep is at work; two at a time share the cores.")
    left = [state for state in cells if state.row is None]
    if left:
        _offer(choice, cells, left)
    else:
        st.caption(f":material/check_circle: All {len(cells)} cells are measured.")
    table.table(choice.sweep, cells, at_work=False)


def _settled(cells: Sequence[State]) -> tuple[int, int]:
    """Cells measured and failed: what hangs on them outside the table is drawn anew when they change."""
    return sum(state.row is not None for state in cells), sum(bool(state.failure) for state in cells)


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def _filling(choice: Choice, job_id: str, settled: tuple[int, int]) -> None:
    job, cells = jobs().job(job_id), states(choice.sweep)
    if job is None or not job.running or _settled(cells) != settled:
        st.rerun()
        return
    done, total = settled[0], len(cells)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(done / total, text=f"**{done} of {total} cells are measured**, {_left(job, cells)}")
        watch.stop(job)
    table.table(choice.sweep, cells, at_work=True)
    st.caption("It goes on when this page is closed, and beside whatever else is trained.")


def _left(job: Job, cells: Sequence[State]) -> str:
    if job.stopping:
        return "stopping …"
    seconds = job.progress.seconds_left
    if seconds is not None:
        return f"about {duration(rounded(seconds))} left"
    remaining = seconds_left(cells)
    if remaining is not None:
        return f"about {duration(rounded(remaining))} left, estimated"
    return f"{duration(max(1.0, time.time() - job.created))} so far"


def _offer(choice: Choice, cells: Sequence[State], left: Sequence[State]) -> None:
    failed, measured = sum(bool(state.failure) for state in left), len(cells) - len(left)
    begun = measured or any(state.epoch >= 0 for state in left)
    label = "Try the failed again" if failed == len(left) else "Go on" if begun else "Start"
    fetched = sorted({state.cell.run.data.name for state in left} & set(DATASETS) - {DataRequest().name})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        workers = st.number_input(
            "Workers",
            1,
            units.cores(),
            units.workers(),
            key="table.workers",
            width=130,
            help="Cells at a time, each in a process of its own; the cores of this computer are shared out among them.",
        )
        download = bool(fetched) and st.checkbox(
            "Fetch what is not here",
            key="table.download",
            help=f"Data that this computer does not have, of {', '.join(fetched)}, once from the internet.",
        )
        command = SweepCommand(choice.word, int(workers), download=download)
        pressed = st.button(label, key="table.start", type="primary", icon=":material/play_arrow:")
        with st.popover("The same from a terminal", icon=":material/terminal:", type="tertiary"):
            st.code(line(command), language="bash", wrap_lines=True)
    if pressed:
        # With other workers it would be another command: a second tab must not start the same work again.
        if at_work(choice) is None:
            commands.start(command, f"Sweep: {choice.sweep.name}", queue=False)
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(_outlook(cells, left))
        _speed()
    before = next((j for j in jobs().jobs() if choice.filled_by(j)), None)
    if before is not None and before.state in ("failed", "cancelled") and not failed:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/info: {escaped(describe.sentence(before))}", width="stretch")
            watch.log(before, beside=True)


def _speed() -> None:
    """Where the speed of this machine is not known, a way to measure it."""
    if estimate.calibration(results.store()) is not None:
        return
    measuring = commands.newest(CalibrateCommand())
    if measuring is not None and measuring.running:
        watch.expect((measuring.id,))
    elif st.button("How long will it take?", key="table.measure", type="tertiary", icon=":material/speed:"):
        summary.calibrate()
        st.rerun()


def _outlook(cells: Sequence[State], left: Sequence[State]) -> str:
    """What is still to be done, and about how long it takes."""
    runs = len({state.cell.run for state in left if not state.trained})
    work = f"{len(left)} of {len(cells)} cells to measure" if len(left) < len(cells) else f"{len(left)} cells"
    work += f", {runs} run{'s' if runs > 1 else ''} to train" if runs else ""
    seconds, failed = seconds_left(left), sum(bool(state.failure) for state in left)
    if seconds is not None:
        whole = rounded(seconds + WAKING_SECONDS)
        work += f": about {duration(whole)} for this computer, within a factor of two"
    more = " What is finished is kept, and costs nothing the next time." if len(left) == len(cells) else ""
    if failed:
        more = f" {failed} failed, for the reason below the table."
    return f"{work}.{more}"


def failures(cells: Sequence[State]) -> None:
    """Each sentence once, with the cells it holds for."""
    by_sentence: dict[str, list[State]] = {}
    for state in cells:
        if state.failure and state.row is None:
            by_sentence.setdefault(state.failure, []).append(state)
    for sentence, failed in by_sentence.items():
        named = "; ".join(dict.fromkeys(f"{s.cell.row}, {s.cell.classes} classes" for s in failed))
        count = "1 cell" if len(failed) == 1 else f"{len(failed)} cells"
        st.warning(f"**{count} failed.** {escaped(sentence)}  \n:small[{escaped(named)}]", icon=":material/error:")
