"""The one button that makes descents, and how far they are."""

from dataclasses import replace

import streamlit as st

from engine.config.commands import NoiseCommand
from engine.results.noise import SEEDS, Descents
from engine.runs import estimate, noise
from engine.units import duration, rounded
from pages.data import noise as kept
from pages.data import results
from pages.data.results import View
from pages.jobs import commands, elsewhere, watch
from pages.jobs.describe import left, sentence
from pages.rooms.noise import text
from pages.state import selection
from pages.ui.guard import guarded


def make(page: str, view: View, descents: Descents | None) -> None:
    """The descents at work, or the button for those that are missing; nothing where all seeds are there."""
    seeds = 0 if descents is None else descents.seeds
    if seeds >= SEEDS:
        return
    if elsewhere.explain(view.run, command(view), f'descend({view.epoch}, "{view.chosen.request.layer}")'):
        return
    job = commands.newest(command(view))
    if job is not None and job.running:
        _at_work(view, job.id, seeds)
        return
    if job is not None and job.state in ("failed", "cancelled"):
        st.warning(sentence(job), icon=":material/info:")
    noise.rate(view.run, view.epoch)  # refused now, and not after the press
    needed = duration(rounded(max(seconds(view, seeds), 60.0)))
    st.info(text.what_will_be_done(view, seeds, needed), icon=":material/grain:")
    st.button(
        "Start the descents" if not seeds else "Go on",
        key=f"{page}.start",
        icon=":material/play_arrow:",
        type="primary",
        on_click=_start,
        args=(view,),
    )


def seconds(view: View, seeds: int = 0) -> float:
    """What the descents of the seeds that are missing will take, where some are there."""
    samples = view.chosen.request.samples or view.run.samples
    speeds = estimate.calibration(results.store())
    return noise.seconds(view.run, view.chosen.request.layer, samples, speeds, seeds=SEEDS - seeds)


def command(view: View) -> NoiseCommand:
    """What makes the descents from the checkpoint in view."""
    return NoiseCommand(view.run.key, (str(view.epoch),), view.chosen.request.layer)


def _start(view: View) -> None:
    title = f"Noise of every shape from epoch {view.epoch}, layer {view.chosen.request.layer}"
    commands.start(command(view), title, view.run.key, queue=False)


@st.fragment(run_every=watch.WATCH_SECONDS)
@guarded
def _at_work(view: View, job_id: str, seeds: int) -> None:
    """How far they are; the page is drawn anew when a seed is finished."""
    job, descents = commands.jobs().job(job_id), kept.stored(view)
    if job is None or not job.running or (descents is not None and descents.seeds != seeds):
        st.rerun()
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(width="stretch"):
            st.progress(job.progress.fraction, text=f"{job.title}: {seeds} of {SEEDS} seeds. {left(job).capitalize()}")
        watch.stop(job)


def from_start(view: View) -> View:
    """The view of where the descents start: the epoch that was chosen, or else where there is still noise."""
    if selection.current().epoch is not None:
        return view
    usual = noise.start(view.run, view.analysed, view.chosen.request.layer)
    analysis = results.analysis(view.run.key, usual)
    return view if analysis is None else replace(view, chosen=usual, analysis=analysis)
