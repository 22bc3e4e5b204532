"""All jobs of the queue on the Train page: the one at work, those that wait, and how the others ended."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import streamlit as st

from cache.jobs import Job
from engine.config.commands import TrainCommand
from engine.config.kinds import KINDS
from engine.config.requests import RunRequest
from engine.runs.run import Run
from pages.data import results
from pages.jobs import commands
from pages.jobs.commands import command_of, jobs
from pages.jobs.describe import doing, request_of, run_of, sentence
from pages.jobs.watch import WATCH_SECONDS, card, go_on, log, stop, working
from pages.state import selection
from pages.text import run_names
from pages.text.run_names import escaped
from pages.ui.guard import guarded

SHOWN = 6
_OPEN, _JUST = "train.open", "train.just"  # jobs seen at work or waiting, and the one that ended last
_ENDS = {
    "done": (":material/check_circle:", "green", "Done"),
    "failed": (":material/error:", "red", "Failed"),
    "cancelled": (":material/do_not_disturb_on:", "gray", "Stopped"),
}


def title(request: RunRequest) -> str:
    """A run that is asked for, in a few words."""
    data, model = request.data, request.model
    name = run_names.DATA.get(data.name, "own data")
    classes = "" if data.classes is None else f", {len(data.classes)} classes"
    net = KINDS[model.kind].short if not KINDS[model.kind].hidden else run_names.network(model)
    return f"{name}{classes}, {net}, {run_names.loss(request.loss)}, seed {request.seed}"


def start(command: TrainCommand) -> Job:
    """Queue a run with the analyses after it."""
    return commands.start(command, title(command.request))


def queue() -> None:
    """The job at work and those that wait, watched only while there are any; and what has just ended."""
    everything = {job.id: job for job in jobs().jobs() if job.queue}
    open_ = sorted((job for job in everything.values() if job.running), key=lambda job: job.created)
    for id in st.session_state.get(_OPEN, ()):
        if id in everything and not everything[id].running:
            st.session_state[_JUST] = id
    st.session_state[_OPEN] = tuple(job.id for job in open_)
    just = everything.get(st.session_state.get(_JUST, ""))
    if just is not None:
        _ended(just, results.runs(), fresh=True)
    if open_:
        _queue(tuple(job.id for job in open_))


def ended() -> None:
    """How jobs ended, and what can be done with them; the one shown above is not repeated."""
    just = st.session_state.get(_JUST)
    finished = [job for job in jobs().jobs() if job.queue and not job.running and job.id != just]
    if not finished:
        return
    st.subheader("Earlier jobs")
    runs = results.runs()
    for job in finished[:SHOWN]:
        _ended(job, runs)
    if len(finished) > SHOWN and st.toggle(f"{len(finished) - SHOWN} older ones", key="train.older"):
        for job in finished[SHOWN:]:
            _ended(job, runs)


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def _queue(ids: tuple[str, ...]) -> None:
    """The job at work and those that wait; the page is drawn anew when one ends, or is started elsewhere."""
    queued = sorted((job for job in jobs().running() if job.queue), key=lambda job: job.created)
    if tuple(job.id for job in queued) != ids:
        st.rerun()
        return
    now = working()
    st.subheader("At work")
    if now is not None:
        card(now)
    waiting = [job for job in queued if now is None or job.id != now.id]
    if waiting:
        st.subheader("In the queue")
    for place, job in enumerate(waiting, 1):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{place}.** {escaped(job.title)}  \n:gray[{doing(job)}]", width="stretch")
            stop(job, "cancel", "Cancel", ":material/close:")


def _ended(job: Job, runs: Sequence[Run], fresh: bool = False) -> None:
    icon, colour, word = _ENDS[job.state]
    run, command = run_of(job, runs), command_of(job)
    with st.container(border=True, gap="small"):
        reason = f"  \n:gray[{escaped(sentence(job))}]" if job.message else ""
        st.markdown(f":{colour}[{icon} **{word}**] {escaped(job.title)}{reason}")
        with st.container(horizontal=True, key=f"ended-{job.id}"):
            if run is not None and results.analysed(run):
                look_at(run, f"look-{job.id}", primary=fresh)
            if job.state != "done" and st.button("Go on", key=f"go-{job.id}", icon=":material/play_arrow:"):
                go_on(job)
                jobs().delete(job)
                st.rerun()
            if isinstance(command, TrainCommand) and st.button(
                "Again with another seed", key=f"again-{job.id}", icon=":material/casino:"
            ):
                start(TrainCommand(_reseeded(command.request), command.analyze))
                st.rerun()
            log(job, beside=True)
            if st.button("Forget", key=f"forget-{job.id}", icon=":material/delete:", type="tertiary"):
                jobs().delete(job)
                st.rerun()


def look_at(run: Run, key: str, primary: bool = False) -> None:
    """A way to the results of a run."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button("Look at it", key=key, icon=":material/visibility:", type=kind):
        selection.open_page("start", run=run.key, epoch=None, layer=None)


def _reseeded(request: RunRequest) -> RunRequest:
    """The run with the next seed that was not yet asked for."""
    taken = {run.request for run in results.runs()} | {request_of(job) for job in jobs().jobs()} | {request}
    while request in taken:
        request = replace(request, seed=request.seed + 1)
    return request
