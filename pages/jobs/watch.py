"""Jobs on the pages: watched, stopped, gone on with. They run in processes of their own and outlive this one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from cache.jobs import Job
from engine.config.commands import NAMES, SweepCommand
from engine.config.requests import RunRequest
from engine.runs import library
from engine.runs.run import History, Run
from engine.units import duration
from pages.charts import curves
from pages.data import results
from pages.jobs import demo
from pages.jobs.commands import jobs
from pages.jobs.describe import doing, fraction, left, request_of, run_of, sentence, works_on
from pages.plot.panel import Head, Panel
from pages.state import selection
from pages.text.run_names import escaped, reached
from pages.ui.guard import guarded

# Each look makes the browser draw a part of the page: it takes from the cores that the worker needs.
WATCH_SECONDS = 1.0
FOLLOW_SECONDS = 4.0  # a script of a user's own, whose epochs take longer than a page
# The curves grow by this many epochs at a time: each new drawing takes from the cores that the worker needs.
STRIDE = 10
POINTS = 300


def working() -> Job | None:
    """The job of the queue that is at work now, or about to be."""
    queued = sorted((job for job in jobs().running() if job.queue), key=lambda j: (j.waiting, j.created))
    return queued[0] if queued else None


def sweep() -> Job | None:
    """The newest sweep at work. Sweeps may last for days and do not queue."""
    return next((job for job in jobs().running() if job.argv[:1] == (NAMES[SweepCommand],)), None)


# -- one job at work --------------------------------------------------------------------------------------


def card(job: Job) -> None:
    """A job at work: what it does, how far it is, its curves while it trains, and the way to stop it."""
    run, request = run_of(job, results.runs()), request_of(job)
    with st.container(border=True):
        head, button = st.columns([5, 1], vertical_alignment="center")
        head.markdown(f"**{doing(job)}**")
        head.caption(job.title)
        with button:
            stop(job, width="stretch")
        st.progress(fraction(job), text=left(job))
        if request is not None:
            live(run, request)


def stop(job: Job, key: str = "stop", label: str = "Stop", icon: str = ":material/stop:", **look: Any) -> None:
    """The button that ends a job. It is heard before anything is drawn: what is watched is often drawn anew, and then
    a press that waits to be read further down would be lost."""
    st.button(
        label, key=f"{key}-{job.id}", icon=icon, disabled=job.stopping, on_click=jobs().cancel, args=(job,), **look
    )


def live(run: Run | None, request: RunRequest) -> None:
    """Loss and accuracy as far as they are known."""
    history = run.history if run is not None else History.of([])
    few = len(history) < STRIDE or (run is not None and run.finished)
    shown = len(history) if few else len(history) - len(history) % STRIDE
    columns = {name: getattr(history, name)[:shown] for name in curves.RECORDS}
    drawn = np.unique(np.linspace(0, shown - 1, POINTS).astype(int)) if shown > POINTS else np.arange(shown)
    last = int(history.epoch[shown - 1]) if shown else 0
    Panel(
        Head("live"),
        "training",
        curves.training({name: c[drawn] for name, c in columns.items()}, horizon(last, request), height=250),
        f"Loss and accuracy up to epoch {last} of {request.training.epochs}.",
        arrays=lambda: columns,
    ).show()


def horizon(epoch: int, request: RunRequest) -> int:
    """How far the epoch axis reaches: to the end, but in a long training not far beyond what there is."""
    steps = (m * 10**e for e in range(2, 9) for m in (1, 2, 5))
    return min(request.training.epochs, next(step for step in steps if step >= epoch))


def log(job: Job, beside: bool = False) -> None:
    """The worker's output, one click away; beside: as one button among others."""
    text = job.log()
    if text.strip():
        place = st.popover if beside else st.expander
        with place("What the worker said", icon=":material/terminal:"):
            st.code(text, language=None)


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def expect(ids: tuple[str, ...]) -> None:
    """Short help that someone waits for, one line each; the page is drawn anew when one has ended."""
    awaited = [jobs().job(id) for id in ids]
    if any(job is None or not job.running for job in awaited):
        st.rerun()
        return
    for job in awaited:
        assert job is not None
        with st.container(horizontal=True, vertical_alignment="center"):
            if job.progress.total > 1:
                st.progress(job.progress.fraction, text=f"{job.title}: {left(job)}")
                stop(job)
            else:
                st.caption(f":material/hourglass_top: {job.title}")


def ask(job: Job | None, at_work: str, what: str, label: str, key: str, icon: str, start: Callable[[], None]) -> None:
    """Short help that a page needs: what it is at while the job is at work, or else the button that starts it, below
    what it will do or why it ended early."""
    if job is not None and job.running:
        st.info(at_work, icon=icon)
        expect((job.id,))
        return
    ended = job is not None and job.state in ("failed", "cancelled")
    if job is not None and ended:
        st.warning(escaped(sentence(job)), icon=":material/info:")
    else:
        st.info(what, icon=icon)
    st.button("Try again" if ended else label, key=key, icon=icon, type="primary", on_click=start)


# -- the start page ---------------------------------------------------------------------------------------


def first_results() -> None:
    """What the start page shows while nothing is analysed: the job that brings something, or how to start one."""
    job = working()
    if job is not None:
        _until_results(job.id)
        return
    job = demo.job()
    if job is None or job.state == "done":
        # The results were deleted since, or damaged and set aside, or no run is analysed yet.
        st.info("Nothing is analysed yet. Start the demo, or train a network of your own on the Train page.")
    else:
        st.warning(sentence(job) or "The demo has stopped.", icon=":material/info:")
    if st.button("Start the demo again" if job else "Start the demo", type="primary", icon=":material/replay:"):
        demo.start()
        st.rerun()
    if job is not None:
        log(job)


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def _until_results(job_id: str) -> None:
    """Live curves and time left, until the first results are there."""
    job = jobs().job(job_id)
    if job is None or not job.running or any(results.analysed(run) for run in results.runs()):
        st.rerun()
        return
    card(job)


# -- above the results of a run ---------------------------------------------------------------------------


def progress_of(run: str) -> None:
    """The line above the results of a run while a job is at work on it, or why its last one ended early."""
    own = next((candidate for candidate in results.runs() if candidate.key == run), None)
    if own is None:
        return
    if own.recorded is not None:
        follow(own)
        return
    now = [job for job in jobs().running() if job.queue and works_on(job, own)]
    if now:
        filling(run, now[-1].id, len(results.store().list("runs", run, "analyses")))
        return
    if len(results.analysed(own)) >= len(own.checkpoints):
        return
    job = next((job for job in jobs().jobs() if job.queue and works_on(job, own)), None)
    if job is not None and job.state in ("failed", "cancelled"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(sentence(job), width="stretch")
            if st.button("Go on", icon=":material/play_arrow:"):
                go_on(job)
                st.rerun()


def follow(run: Run, part: str = "analyses") -> None:
    """While a script records this run: the line that says so. The page is drawn anew whenever this part of the run
    changes, "" being all of it."""
    if run.growing:
        recording(run.key, part, results.store().version("runs", run.key, *filter(None, [part])))


@st.fragment(run_every=FOLLOW_SECONDS)
@guarded
def recording(run: str, part: str, version: str) -> None:
    """The line; it counts the epochs by itself."""
    here, own = results.store(), library.run(results.store(), run)
    if own is None or not own.growing or version != here.version("runs", run, *filter(None, [part])):
        st.rerun()
        return
    st.caption(f":material/sensors: Its script is at work: epoch {reached(own)} is the last that it recorded.")


@st.fragment(run_every=1.0)
@guarded
def filling(run: str, job_id: str, known: int) -> None:
    """One line while other checkpoints are analysed; the page is drawn anew when one arrives."""
    job = jobs().job(job_id)
    made = len(results.store().list("runs", run, "analyses"))
    if made != known or job is None or not job.running:
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.caption(
            f":material/hourglass_top: The other checkpoints are being analysed and join the epoch slider: "
            f"{made} ready. {doing(job).removesuffix(' …')}.",
            width="stretch",
        )
        stop(job, "stop-filling", type="tertiary")


def go_on(job: Job) -> Job:
    """The same command once more: what is finished costs nothing."""
    return jobs().start(job.argv, job.title, job.run, job.queue, job.request)


# -- in the sidebar ---------------------------------------------------------------------------------------


def in_short(queue: bool, sweeps: bool) -> None:
    """A line for what is at work in the queue, and one for a sweep; where nothing is, nothing is drawn or watched."""
    for job in (working() if queue else None, sweep() if sweeps else None):
        if job is not None:
            _in_short(job.id)


# Stages whose time left is that of the whole; an analysis has many short ones, and theirs would mislead beside a share
# of all checkpoints.
_WHOLE = {"training": "Training", "cells": "Sweep"}


@st.fragment(run_every=1.0)
@guarded
def _in_short(job_id: str) -> None:
    job = jobs().job(job_id)
    if job is None or not job.running:
        st.rerun()
        return
    seconds, whole = job.progress.seconds_left, _WHOLE.get(job.progress.stage)
    about = f", {_roughly(seconds)} left" if whole and seconds is not None and job.progress.total > 1 else ""
    what = "Stopping" if job.stopping else whole or "At work"
    with st.container(key="work" if job.queue else "work-sweep", gap="xxsmall"):
        selection.page_link(
            "train" if job.queue else "table",
            label=f"{what} … {fraction(job):.0%}{about}",
            icon=":material/progress_activity:",
            help=escaped(job.title),
            width="stretch",
        )
        waiting = sum(other.waiting for other in jobs().running() if other.id != job.id)
        if waiting and job.queue:
            st.caption(f"{waiting} more in the queue")


def _roughly(seconds: float) -> str:
    """Time left in as few letters as it deserves."""
    step = 1 if seconds < 60 else 60 if seconds < 3600 else 3600
    return duration(max(1.0, float(step * round(seconds / step))))
