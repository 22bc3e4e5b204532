"""The film on the screen: the frame that is shown, and the curves of all frames."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from numpy import ndarray

from cache.jobs import Job
from cache.store import Store
from engine.config.requests import RunRequest
from engine.runs import recording
from engine.runs.recording import Film, Frame, Picture
from pages.charts import heatmaps
from pages.data import results
from pages.jobs.describe import doing, sentence
from pages.jobs.watch import jobs, log
from pages.plot import reproduce
from pages.plot.plot import draw
from pages.rooms.live import figures
from pages.rooms.live.controls import NEWEST, SLIDER, follow, key_of, renew, worker
from pages.state import palette
from pages.text import confidence, definitions, numbers
from pages.ui.guard import guarded
from pages.ui.heading import what_will_be_seen

if TYPE_CHECKING:
    import plotly.graph_objects as go

# A film that plays is looked at as often as it has frames; one that rests, in case another tab goes on with it.
PLAYING_SECONDS, RESTING_SECONDS = 0.6, 2.0
# A frame that took longer is worth a word on how far the next one is.
SLOW_SECONDS = 2.5
COLUMNS = ("epoch", "learning_rate", "batch_size")
State = tuple[object, ...]

WHAT = """
**A frame** is some epochs of SGD and then an exact measurement over all training samples: the Hessian $H$ of the loss
in the weights of one layer, its eigenvectors, and the covariance $C$ of the mini-batch gradient. As long as nothing is
changed, the network is the one that the Train page makes from the same seed, epoch for epoch.
"""


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
        _expect(doing(job) if job is not None and job.running else "")
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
    """Why the film rests, in a sentence, where nobody wished it; what is done for a frame that takes its time."""
    if expected and job is not None and shot is not None and shot.last.seconds > SLOW_SECONDS:
        st.caption(f":material/hourglass_top: {doing(job)}")
        return
    ended = job if job is not None and not job.running else None
    why = (shot.message if shot else "") or (sentence(ended) if ended else "")
    if not why:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/info: {why}", width="stretch")
        if ended is not None and ended.state == "failed":
            log(ended, beside=True)


def _expect(doing: str) -> None:
    """What there will be to see, and how to get there."""
    if doing:
        st.info(f"{doing} The first frame comes in a moment.", icon=":material/hourglass_top:")
    else:
        st.info(
            "Press **Start**: a small network begins to learn, and after every epoch its noise and its curvature are "
            "measured. Then change the learning rate or the batch size and see what moves.",
            icon=":material/touch_app:",
        )
    what_will_be_seen((WHAT, definitions.GAMMA, definitions.R))


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
    k = len(picture.correlation)
    left, right = st.columns([7, 5], gap="medium")
    with left:
        draw(
            figures.law(shot, picture),
            "law",
            f"film-power-law-{frame.epoch}",
            f"Noise variance over curvature at epoch {frame.epoch}, log-log: γ = {_plain(frame.gamma)} for C and "
            f"{_plain(frame.gamma_awd)} for C_AWD.",
            arrays=lambda: {"H": picture.eigenvalues, **picture.diagonals},
            code=lambda: reproduce.film_frame(shot, frame, "H, diagonals = picture.eigenvalues, picture.diagonals"),
        )
        _sure(shot, frame, picture)
    with right:
        draw(
            heatmaps.correlation(picture.correlation, picture.eigenvalues, "R<sub>real</sub>"),
            "R_real",
            f"film-R-{frame.epoch}",
            f"Heatmap of the correlation of C between the {k} sharpest directions at epoch {frame.epoch}.",
            arrays=lambda: {"R_real": picture.correlation, "H": picture.eigenvalues[:k]},
            code=lambda: reproduce.film_frame(shot, frame, "R_real, H = picture.correlation, picture.eigenvalues"),
        )
    st.caption(
        f"Left: the power law of this epoch, on axes that hold the whole film. Right: $R_\\mathrm{{real}}$ of the {k} "
        "sharpest directions; the cleaner off the diagonal, the better noise and curvature share their directions. "
        f"{_provenance(shot, frame)}"
    )


def _sure(shot: Film, frame: Frame, picture: Picture) -> None:
    """What qualifies both exponents of this frame."""
    paragraphs = {}
    for name, interval in zip(recording.NAMES, (frame.interval, frame.interval_awd), strict=True):
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
    return (
        f"**Epoch {frame.epoch}** · **γ = {_plain(frame.gamma)}** (C_AWD {_plain(frame.gamma_awd)}) · commutator error "
        f"{_plain(frame.commutator)} (chance {_plain(frame.commutator_random)}) · {frame.train_accuracy:.1%} right"
        f"{unseen} · η {palette.number(frame.learning_rate)} · B {frame.batch_size}"
    )


def _plain(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


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
    drawn: tuple[tuple[str, Callable[[Film, int], go.Figure], str, tuple[str, ...]], ...] = (
        ("gammas", figures.exponents, "The exponents at every frame", ("gamma", "gamma_awd")),
        (
            "learning",
            figures.learning,
            "Loss and accuracy at every frame",
            ("train_loss", "train_accuracy", "test_loss", "test_accuracy"),
        ),
        (
            "commutators",
            figures.commutator,
            "The commutator error at every frame beside chance",
            ("commutator", "commutator_random"),
        ),
        ("settings", figures.settings, "Learning rate and batch size at every frame", ()),
    )
    changes = "; ".join(f"after epoch {change.epoch} {change.words}" for change in shot.changes)
    with st.grid(2, min_column_width=400, gap="medium") as grid:
        for key, picture, alt, columns in drawn:
            names = (*COLUMNS, *columns)
            with grid.cell():
                draw(
                    picture(shot, frame.epoch),
                    key,
                    f"film-{key}",
                    f"{alt}, from epoch {shot.frames[0].epoch} to {shot.last.epoch}"
                    + (f"; {changes}." if changes else "."),
                    arrays=partial(_columns, shot, names),
                    code=partial(reproduce.film_columns, shot, names),
                )
    trimmed = f" The last {recording.KEPT_FRAMES} frames are kept." if len(shot.frames) >= recording.KEPT_FRAMES else ""
    before = " Faint curves are the take before the last reset." if shot.before else ""
    st.caption(
        "A dotted line with words marks a change of yours. Another batch size changes the steps of training **and** "
        f"the noise that is studied: at the same weights $C \\propto 1/B$, so the whole cloud moves up or "
        f"down.{before}{trimmed}"
    )


def _columns(shot: Film, names: tuple[str, ...]) -> dict[str, ndarray]:
    return {name: shot.column(name) for name in names}


@st.cache_resource(max_entries=recording.KEPT_FRAMES, show_spinner=False)
def _picture(root: Path, key: str, token: str, epoch: int) -> Picture | None:
    return recording.picture(Store(root), key, epoch)
