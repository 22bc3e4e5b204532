"""The film on the screen: the frame that is shown, and the curves of all frames."""

from pathlib import Path

import streamlit as st

from cache.jobs import Job
from cache.store import Store
from engine.config.requests import RunRequest
from engine.runs import example, recording
from engine.runs.recording import Film, Frame, Picture
from pages.data import results
from pages.jobs.commands import jobs
from pages.jobs.describe import doing, sentence
from pages.jobs.watch import log
from pages.rooms.live import panels
from pages.rooms.live.controls import NEWEST, SLIDER, follow, key_of, renew, worker
from pages.rooms.live.panels import plain
from pages.state import palette
from pages.text import confidence, definitions, numbers
from pages.ui.guard import guarded
from pages.ui.heading import what_will_be_seen

# A film that plays is looked at as often as it has frames; one that rests, in case another tab goes on with it.
PLAYING_SECONDS, RESTING_SECONDS = 0.6, 2.0
# A frame that took longer is worth a word on how far the next one is.
SLOW_SECONDS = 2.5

State = tuple[object, ...]

WHAT = """
**A frame** is some epochs of SGD and then an exact measurement over all training samples: the Hessian $H$ of the loss
in the weights of one layer, its eigenvectors, and the covariance $C$ of the mini-batch gradient. As long as nothing is
changed, the network is the one that the Train page makes from the same seed, epoch for epoch.
"""
INVITATION = (
    "Press **Start**: a small network begins to learn, and after every epoch its noise and its curvature are measured. "
    "Then change the learning rate or the batch size and see what moves."
)


def show(key: str, request: RunRequest) -> None:
    """The film, drawn anew as it grows; the whole page, when what the knobs show has changed."""
    job = worker(request)
    drawn = _state(key, None if job is None else job.id)
    moving = job is not None and job.running and _pending(key)
    every = PLAYING_SECONDS if moving else RESTING_SECONDS
    st.fragment(_screen, run_every=every)(key, None if job is None else job.id, drawn)


def _pending(key: str) -> bool:
    """Whether a frame is to be expected."""
    shot, wish = recording.read(results.store(), key), recording.wished(results.store(), key)
    return shot is None or wish.playing or wish.take != shot.control.take or wish.steps > shot.control.steps


def _state(key: str, job_id: str | None) -> State:
    """All that the knobs and the pace of looking hang on."""
    here = results.store()
    shot, job = recording.read(here, key), None if job_id is None else jobs().job(job_id)
    running = job is not None and job.running
    return (
        recording.wished(here, key),
        shot is None,
        "" if shot is None else shot.message,
        running,
        job is not None and job.stopping,
        running and _pending(key),
    )


@guarded
def _screen(key: str, job_id: str | None, drawn: State) -> None:
    here = results.store()
    recording.look(here, key)
    if _state(key, job_id) != drawn:
        st.rerun()
        return
    shot, job = recording.read(here, key), None if job_id is None else jobs().job(job_id)
    _reason(shot, job, drawn[-1] is True)
    if shot is None:
        shot = example.read(here, key)
        if job is not None and job.running:
            st.caption(f":material/hourglass_top: {doing(job)} The first frame comes in a moment.")
        elif shot is None:
            st.info(INVITATION, icon=":material/touch_app:")
        if shot is None:
            what_will_be_seen((WHAT, definitions.GAMMA, definitions.R))
            return
    frame = _scrub(shot)
    picture = _picture(here.root, key, repr(frame), frame.epoch)
    if picture is None:
        st.caption("This frame has left the film.")
        return
    with st.container(key="film-screen"):
        _frame(shot, frame, picture)
        _curves(shot, frame)


def _reason(shot: Film | None, job: Job | None, expected: bool) -> None:
    """Why the film rests, in a sentence; what is done for a frame that takes its time."""
    if expected and job is not None and shot is not None and shot.last.seconds > SLOW_SECONDS:
        st.caption(f":material/hourglass_top: {doing(job)}")
        return
    if not expected and job is not None and job.running and shot is not None and not shot.message:
        st.caption(
            f":material/pause: Paused after epoch {shot.last.epoch}. Change η or B, take one step, or go on; left "
            "alone, the process that shoots ends after some minutes, and every frame stays."
        )
        return
    ended = job if job is not None and not job.running else None
    why = (shot.message if shot else "") or (sentence(ended) if ended else "")
    if not why:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/info: {why}", width="stretch")
        if ended is not None and ended.state == "failed":
            log(ended, beside=True)


def _scrub(shot: Film) -> Frame:
    """The frame that is shown: the newest, or the one that the slider is moved back to."""
    frames = {frame.epoch: frame for frame in shot.frames}
    # The end of the slider is a word, not an epoch: while the film grows, nobody has to move it.
    options: list[int | str] = [*frames, NEWEST]
    if st.session_state.get(key_of(SLIDER), NEWEST) not in options:
        renew(SLIDER)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", wrap=False, key="film-frames"):
        chosen = st.select_slider(
            "Frame at epoch", options, NEWEST, key=key_of(SLIDER), format_func=str, label_visibility="collapsed"
        )
        st.button(
            "Newest",
            icon=":material/last_page:",
            key="film.newest",
            on_click=follow,
            disabled=chosen == NEWEST,
            help="The slider goes back in the film, which goes on meanwhile. This shows each frame as it comes.",
        )
    return shot.last if chosen == NEWEST else frames[int(chosen)]


def _frame(shot: Film, frame: Frame, picture: Picture) -> None:
    """The law and the correlations at one epoch."""
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key="film-numbers"):
        st.markdown(_numbers(frame), width="stretch")
        with st.popover("What this shows", icon=":material/help:", type="tertiary"):
            st.markdown(
                "\n\n".join(
                    numbers.fill(text, None)
                    for text in (WHAT, definitions.H, definitions.C, definitions.GAMMA, definitions.R)
                )
            )
    left, right = st.columns([7, 5], gap="medium")
    with left:
        panels.law(shot, frame, picture).show()
        _confidence(shot, frame, picture)
    with right:
        panels.correlation(shot, frame, picture).show()
    st.caption(
        "Left: the power law of this epoch, on axes that hold the whole film. Right: $R_\\mathrm{real}$ of the "
        f"{len(picture.correlation)} sharpest directions; the cleaner off the diagonal, the better noise and curvature "
        f"share their directions. {_provenance(shot, frame)}"
    )


def _confidence(shot: Film, frame: Frame, picture: Picture) -> None:
    """What qualifies both exponents of this frame."""
    paragraphs = {}
    for name, interval in zip(recording.MATRICES, (frame.interval, frame.interval_awd), strict=True):
        if name not in picture.diagonals:
            continue
        try:
            exponent = picture.exponent(name, interval)
        except ValueError as error:
            paragraphs[name] = str(error)
        else:
            paragraphs[name] = confidence.of_frame(name, exponent, shot.samples, shot.request.seed)
    confidence.popover(f"Epoch {frame.epoch}, directions 1 … {picture.window:,}.", paragraphs)


def _numbers(frame: Frame) -> str:
    unseen = "" if frame.test_accuracy is None else f", unseen {frame.test_accuracy:.1%}"
    right = f"loss {plain(frame.train_loss)}" if frame.train_accuracy is None else f"{frame.train_accuracy:.1%} right"
    return (
        f"**Epoch {frame.epoch}** · **γ = {plain(frame.gamma)}** (C_AWD {plain(frame.gamma_awd)}) · commutator error "
        f"{plain(frame.commutator)} (chance {plain(frame.commutator_random)}) · {right}"
        f"{unseen} · η {palette.number(frame.learning_rate)} · B {frame.batch_size}"
    )


def _provenance(shot: Film, frame: Frame) -> str:
    d_out, d_in = shot.shape
    parts = (
        f"Layer {shot.layer} ({d_out} × {d_in})",
        f"epoch {frame.epoch}",
        f"N = {shot.samples:,} samples",
        f"B = {frame.batch_size}",
        f"{shot.device}, float32",
        f"{frame.seconds:.1f} s a frame",
    )
    return " · ".join(part.replace(" ", "\u00a0") for part in parts)


def _curves(shot: Film, frame: Frame) -> None:
    """Every number over the epochs, each change with its words."""
    with st.grid(2, min_column_width=400, gap="medium") as grid:
        for panel in panels.curves(shot, frame.epoch):
            with grid.cell():
                panel.show()
    trimmed = f" The last {recording.KEPT_FRAMES} frames are kept." if len(shot.frames) >= recording.KEPT_FRAMES else ""
    before = " Faint curves are the take before the last reset." if shot.before else ""
    st.caption(
        "A dotted line with words marks a change of yours. Another batch size changes the steps of training **and** "
        f"the noise that is studied: at the same weights $C \\propto 1/B$, so the whole cloud moves up or "
        f"down.{before}{trimmed}"
    )


@st.cache_resource(max_entries=recording.KEPT_FRAMES, show_spinner=False)
def _picture(root: Path, key: str, token: str, epoch: int) -> Picture | None:
    return example.picture(Store(root), key, epoch)
