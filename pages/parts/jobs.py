"""The demo: start it once, watch it, stop it. It runs in a process of its own and outlives this one."""

import time

import streamlit as st

from cache.jobs import Job
from engine import library
from pages.parts import curves, demo, results
from pages.parts.controls import draw
from pages.parts.frame import guarded

WATCH_SECONDS = 0.5
# The curves grow by this many epochs at a time: each new drawing takes from the cores that the worker needs.
STRIDE = 10


def first_results() -> None:
    """What the start page shows while nothing is analysed: the demo starts by itself, once."""
    job = demo.job() or demo.start()
    if job.running:
        _watch(job.id)
        return
    if job.state == "done":
        # Its results were deleted since, or damaged and set aside.
        st.info("The demo's results are no longer in the cache. Start it again to make them anew.")
    else:
        st.warning(job.message or "The demo has stopped.", icon=":material/info:")
    if st.button("Start the demo again", type="primary", icon=":material/replay:"):
        demo.start()
        st.rerun()
    _log(job)


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def _watch(job_id: str) -> None:
    """Live curves and time left, until the first results are there."""
    job = demo.jobs().job(job_id)
    run = library.asked(results.store(), demo.DEMO)
    if job is None or not job.running or (run is not None and library.analyses(results.store(), run.key)):
        st.rerun()
        return
    epochs = demo.DEMO.training.epochs
    with st.container(border=True):
        head, button = st.columns([5, 1], vertical_alignment="center")
        head.markdown(f"**{_doing(job, run is not None and run.finished)}**")
        if button.button("Stop", icon=":material/stop:", width="stretch", disabled=job.stopping):
            demo.jobs().cancel(job)
        st.progress(_fraction(job), text=_left(job))
        history = run.history if run is not None else library.History.of([])
        shown = len(history) if len(history) < STRIDE else len(history) - len(history) % STRIDE
        names = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
        columns = {name: getattr(history, name)[:shown] for name in names}
        draw(
            curves.training(columns, epochs),
            "live",
            "training",
            f"Loss and accuracy up to epoch {int(history.epoch[shown - 1]) if shown else 0} of {epochs}.",
        )


# The engine's stages of one analysis in their order: what they mean, and where the bar then stands.
STAGES = {
    "factors": ("gradient and curvature of every sample", 0.0, 0.15),
    "pairs": ("pairing each sample with its neighbour", 0.15, 0.25),
    "moments": ("averaging over all samples", 0.25, 0.6),
    "eigenvectors": ("finding the directions of curvature", 0.6, 0.7),
    "projections": ("turning to the directions of curvature", 0.7, 0.85),
    "spectra": ("keeping the curvatures of single samples", 0.85, 0.9),
    "commutators": ("comparing with chance", 0.9, 1.0),
}


def _doing(job: Job, trained: bool) -> str:
    if job.stopping:
        return "Stopping …"
    if job.progress.stage == "training":
        return f"Training on real handwritten digits: epoch {job.progress.done} of {job.progress.total}"
    if trained:
        return f"Trained. Now measuring curvature and noise at the last epoch: {_stage(job)}"
    return "Reading the digits …" if job.progress.stage == "loading data" else "Waking the engine …"


def _stage(job: Job) -> str:
    """The present stage in words; the engine says “analysing epoch 100 (1 of 10): moments”."""
    stage = job.progress.stage.rsplit(": ", 1)[-1]
    return STAGES[stage][0] if stage in STAGES else stage


def _fraction(job: Job) -> float:
    _, low, high = STAGES.get(job.progress.stage.rsplit(": ", 1)[-1], ("", 0.0, 1.0))
    return low + (high - low) * job.progress.fraction


def _left(job: Job) -> str:
    seconds = job.progress.seconds_left
    if seconds is None or job.progress.total < 2:
        return f"{time.time() - job.created:.0f} s so far"
    return f"about {max(1, round(seconds))} s left of this step"


@st.fragment(run_every=1.0)
@guarded
def filling(run: str, job_id: str, known: int) -> None:
    """One line while the other checkpoints are analysed; the page is drawn anew when one arrives."""
    job = demo.jobs().job(job_id)
    made = len(results.store().list("runs", run, "analyses"))
    if made != known or job is None or not job.running:
        st.rerun()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f":material/hourglass_top: The other checkpoints are being analysed and join the epoch slider: "
            f"{made} ready, now {_stage(job)}.",
            width="stretch",
        )
        if st.button("Stop", type="tertiary", icon=":material/stop:", disabled=job.stopping):
            demo.jobs().cancel(job)


def progress_of(run: str) -> None:
    """The line above the results while the demo is still at work on this run, or why it ended early."""
    job = demo.job()
    found = library.asked(results.store(), demo.DEMO)
    if job is None or found is None or found.key != run:
        return
    if job.running:
        filling(run, job.id, len(results.store().list("runs", run, "analyses")))
    elif job.state in ("failed", "cancelled") and len(results.analysed(found)) < len(found.checkpoints):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(job.message, width="stretch")
            if st.button("Go on", icon=":material/play_arrow:"):
                demo.start()
                st.rerun()


def _log(job: Job) -> None:
    text = job.log()
    if text.strip():
        with st.expander("What the worker said", icon=":material/terminal:"):
            st.code(text, language=None)
