"""Which run is shot, and the knobs of its film: play and pause, single frames, learning rate and batch size on the way,
begin again, end."""

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from cache.jobs import Job
from engine.config.commands import FilmCommand
from engine.config.requests import RunRequest
from engine.runs import example, recording
from pages.data import results
from pages.jobs import commands, queue
from pages.plot.panel import Head
from pages.state import selection

DIGITS = RunRequest()
_ASKED = "film.asked"  # a run with another seed, until there is a film of it
_REFUSED = "film.refused"
KNOBS = Head("film-knobs", part="the knobs of the film")
PAUSE = "Holds the film after the frame that is being made. Its process waits, so that it goes on at once."
# The slider through the film, and its place where each frame is shown as it comes.
SLIDER, NEWEST = "film.frame", "newest"


def choose() -> tuple[str, RunRequest]:
    """The choice and the seed; the film's key and its run."""
    known = _known()
    selected = selection.current().film
    key = selected if selected in known else next(iter(known))
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    options = list(known)
    box, number = fresh("film.of", key), fresh("film.seed", known[key].seed)

    def chosen() -> None:
        selection.choose(film=st.session_state[box])

    with left:
        st.selectbox(
            "Film of",
            options,
            index=options.index(key),
            format_func=lambda k: queue.title(known[k]),
            key=box,
            on_change=chosen,
            help="The first trains and is analysed several times a second. A larger network takes some seconds a "
            "frame. The run that the other pages show is shot anew, from its first epoch.",
        )

    def reseeded() -> None:
        asked = replace(known[key], seed=int(st.session_state[number]))
        st.session_state[_ASKED] = asked
        selection.choose(film=recording.film_key(asked))

    with right:
        st.number_input(
            "Seed",
            min_value=0,
            value=known[key].seed,
            step=1,
            key=number,
            on_change=reseeded,
            help="Of the first weights and the order of batches.",
        )
    return key, known[key]


def _known() -> dict[str, RunRequest]:
    """Runs that can be shot, by the key of their film; the first is shown unless one is chosen."""
    requests = [recording.EXAMPLE, DIGITS]
    here = results.chosen_run()
    # A run that came as files of weights was trained elsewhere.
    if here is not None and not here.request.weights and here.request.model.kind in ("mlp", "cnn"):
        requests.append(here.request)
    if _ASKED in st.session_state:
        requests.append(st.session_state[_ASKED])
    requests += [shot.request for shot in recording.films(results.store())]
    return {recording.film_key(request): request for request in requests}


def worker(request: RunRequest) -> Job | None:
    """The newest job that shot or shoots this film."""
    return commands.newest(FilmCommand(request))


def show(key: str, request: RunRequest) -> None:
    """All knobs in a row, as they stand for everybody who watches."""
    shot, wish, job = recording.read(results.store(), key), recording.wished(results.store(), key), worker(request)
    at_work = job is not None and job.running
    press = partial(_press, key, request)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=KNOBS.key):
        if at_work and wish.playing:
            label, icon, playing, about = "Pause", ":material/pause:", False, PAUSE
        else:
            label, icon, playing, about = "Go on" if shot else "Start", ":material/play_arrow:", True, None
        st.button(
            label, type="primary", icon=icon, key="film.play", on_click=press, kwargs={"playing": playing}, help=about
        )
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
        elif not at_work and example.read(results.store(), key) is not None:
            st.caption(":material/movie: An example, shot before. **Start** shoots it here.")
    refused = st.session_state.pop(_REFUSED, "")
    if refused:
        st.warning(refused, icon=":material/info:")


def _settings(key: str, request: RunRequest, wish: recording.Control, samples: int | None) -> None:
    """What can be changed on the way."""
    now = wish.settings(request.training)

    def turned(name: str, value: float) -> dict[str, Any]:
        """Arguments of the widget that shows this value, and wishes another when it is turned."""
        widget = fresh(f"film.{name}", value)
        return {"key": widget, "on_change": lambda: _ask(key, **{name: st.session_state[widget]})}

    st.number_input(
        "Learning rate η",
        min_value=0.0,
        value=now.learning_rate,
        step=0.05,
        format="%.4g",
        width=125,
        help="From the next frame on. A rate that is set here stays; before, it follows the run’s slow cosine.",
        **turned("learning_rate", now.learning_rate),
    )
    st.number_input(
        "Batch size B",
        min_value=1,
        max_value=samples,
        value=now.batch_size,
        step=5,
        width=125,
        help="From the next frame on. It changes two things: the steps of training, and the noise that is studied, "
        "which is that of B samples. C is proportional to 1/B at the same weights.",
        **turned("batch_size", now.batch_size),
    )
    st.selectbox(
        "Epochs a step",
        recording.STRIDES,
        index=recording.STRIDES.index(wish.stride),
        width=115,
        help="How many epochs are trained from one frame to the next.",
        **turned("stride", wish.stride),
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
    commands.jobs().cancel(job)


def _forget(key: str) -> None:
    results.store().delete("films", key)


def start(request: RunRequest) -> Job:
    """A worker for this film, or the one that is at work; it holds no place in the queue."""
    return commands.start(FilmCommand(request), f"Live: {queue.title(request)}", queue=False)


# -- keys of widgets that others turn too: the worker, another tab, another widget of the page ------------
# A value that is written into a widget's state can be lost: a browser that is still drawing the page may get the widget
# once more before it has shown it, and then answers with the widget's lowest value, as if somebody had turned it. So a
# widget here is given its value as its default, and a new key where that has changed without it.


def key_of(name: str) -> str:
    """The present key of a widget."""
    return f"{name}.{st.session_state.setdefault(f'{name}.count', 0)}"


def renew(name: str) -> None:
    """Let a widget start anew from its default."""
    st.session_state[f"{name}.count"] = st.session_state.get(f"{name}.count", 0) + 1


def fresh(name: str, value: Any) -> str:
    """The key of a widget that shows this value."""
    if st.session_state.get(key_of(name), value) != value:
        renew(name)
    return key_of(name)
