"""Which run is shot: some to start from, the one in view, and those there are films of."""

from dataclasses import replace

import streamlit as st

from engine.config.presets import preset
from engine.config.requests import RunRequest
from engine.runs import recording
from pages.data import results
from pages.jobs import queue
from pages.rooms.live.keys import fresh
from pages.state import selection

TINY, DIGITS = "tiny, 5 seconds", RunRequest()
_ASKED = "film.asked"  # a run with another seed, until there is a film of it


def choose() -> tuple[str, RunRequest]:
    """The choice and the seed; the film's key and its run."""
    known = _known()
    wanted = selection.current().film
    key = wanted if wanted in known else next(iter(known))
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
    found = [preset(TINY).run(), DIGITS]
    here = results.chosen_run()
    # A run that came as files of weights was trained elsewhere.
    if here is not None and not here.request.weights and here.request.model.kind in ("mlp", "cnn"):
        found.append(here.request)
    if _ASKED in st.session_state:
        found.append(st.session_state[_ASKED])
    found += [shot.request for shot in recording.films(results.store())]
    return {recording.film_key(request): request for request in found}
