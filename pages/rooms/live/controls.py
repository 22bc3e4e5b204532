"""The knobs of a film: play and pause, single frames, learning rate and batch size on the way, begin again, end."""

from functools import partial
from typing import Any

import streamlit as st

from cache.jobs import Job
from engine.config.command_line import film_arguments
from engine.config.requests import RunRequest
from engine.runs import recording
from pages.data import results
from pages.jobs import queue
from pages.jobs.watch import jobs
from pages.rooms.live.keys import fresh, renew

_REFUSED = "film.refused"
# The slider through the film, and its place where each frame is shown as it comes.
SLIDER, NEWEST = "film.frame", "newest"


def worker(request: RunRequest) -> Job | None:
    """The newest job that shot or shoots this film."""
    argv = tuple(film_arguments(request))
    return next((job for job in jobs().jobs() if job.argv == argv), None)


def show(key: str, request: RunRequest) -> None:
    """All knobs in a row, as they stand for everybody who watches."""
    shot, wish, job = recording.read(results.store(), key), recording.wished(results.store(), key), worker(request)
    at_work = job is not None and job.running
    press = partial(_press, key, request)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="film-knobs"):
        if at_work and wish.playing:
            label, icon, wanted = "Pause", ":material/pause:", False
        else:
            label, icon, wanted = "Go on" if shot else "Start", ":material/play_arrow:", True
        st.button(label, type="primary", icon=icon, key="film.play", on_click=press, kwargs={"playing": wanted})
        st.button(
            "One step",
            icon=":material/skip_next:",
            key="film.step",
            on_click=press,
            kwargs={"playing": False, "steps": wish.steps + 1},
            help="Pause, and shoot a single frame.",
        )
        st.button(
            "Reset",
            icon=":material/replay:",
            key="film.reset",
            on_click=_begin_again,
            args=(key, request),
            disabled=shot is None,
            help="Back to epoch 0, the same first weights and the run’s own settings.",
        )
        _settings(key, request, wish, None if shot is None else shot.samples)
        if at_work:
            st.button(
                "Stop",
                type="tertiary",
                icon=":material/stop:",
                key="film.stop",
                on_click=_stop,
                args=(job,),
                disabled=job is None or job.stopping,
                help="Ends the process that shoots. Every frame stays, and the film can go on later.",
            )
        elif shot:
            st.button(
                "Forget",
                type="tertiary",
                icon=":material/delete:",
                key="film.forget",
                on_click=_forget,
                args=(key,),
                help="Deletes this film. It can be shot again as it was.",
            )
    refused = st.session_state.pop(_REFUSED, "")
    if refused:
        st.warning(refused, icon=":material/info:")


def _settings(key: str, request: RunRequest, wish: recording.Control, samples: int | None) -> None:
    """What can be changed on the way."""
    now = wish.settings(request.training)
    rate, batch, stride = (
        fresh(f"film.{name}", value)
        for name, value in (
            ("learning_rate", now.learning_rate), ("batch_size", now.batch_size), ("stride", wish.stride)
        )
    )  # fmt: skip

    def turned(name: str, widget: str) -> None:
        _ask(key, **{name: st.session_state[widget]})

    st.number_input(
        "Learning rate η",
        min_value=0.0,
        value=now.learning_rate,
        step=0.05,
        format="%.4g",
        key=rate,
        on_change=turned,
        args=("learning_rate", rate),
        width=125,
        help="From the next frame on. A rate that is set here stays; before, it follows the run’s slow cosine.",
    )
    st.number_input(
        "Batch size B",
        min_value=1,
        max_value=samples,
        value=now.batch_size,
        step=5,
        key=batch,
        on_change=turned,
        args=("batch_size", batch),
        width=125,
        help="From the next frame on. It changes two things: the steps of training, and the noise that is studied, "
        "which is that of B samples. C is proportional to 1/B at the same weights.",
    )
    st.selectbox(
        "Epochs a step",
        recording.STRIDES,
        index=recording.STRIDES.index(wish.stride),
        key=stride,
        on_change=turned,
        args=("stride", stride),
        width=115,
        help="How many epochs are trained from one frame to the next.",
    )


def follow() -> None:
    """Show each frame as it comes."""
    renew(SLIDER)


def _ask(key: str, **changes: Any) -> bool:
    """Wish something; a wish that cannot be met is said on the page instead. Whether it can."""
    try:
        recording.ask(results.store(), key, **changes)
    except ValueError as error:
        st.session_state[_REFUSED] = str(error)
        return False
    return True


def _press(key: str, request: RunRequest, **changes: Any) -> None:
    """Wish something that needs a worker, except for a pause."""
    follow()
    if _ask(key, **changes) and (changes.get("playing") or "steps" in changes):
        start(request)


def _begin_again(key: str, request: RunRequest) -> None:
    follow()
    recording.begin_again(results.store(), key)
    start(request)


def _stop(job: Job) -> None:
    jobs().cancel(job)


def _forget(key: str) -> None:
    results.store().delete("films", key)


def start(request: RunRequest) -> Job:
    """A worker for this film, or the one that is at work; it holds no place in the queue."""
    return jobs().start(film_arguments(request), f"Live: {queue.title(request)}", queue=False)
