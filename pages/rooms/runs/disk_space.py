"""The room that the cache takes, its limit, and what has left it."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from engine.runs import eviction
from engine.runs.eviction import Removable
from engine.units import words
from pages.data import results
from pages.rooms.runs.cards import confirm
from pages.text.run_names import escaped
from pages.ui.guard import guarded

GIGABYTE = 1_000_000_000


def room() -> None:
    """How full the cache is, the limit, and the log of what left."""
    here = results.store()
    size, most = here.size(), eviction.limit(here)
    st.subheader("Room")
    checkpoints = sum(here.size("runs", run, "checkpoints") for run in here.list("runs"))
    analyses = sum(a.size for a in eviction.analyses(here))
    films = here.size("films")
    st.progress(
        min(1.0, size / most),
        f"**{words(size)} of {words(most)}**: analyses {words(analyses)}, checkpoints {words(checkpoints)}, "
        f"films {words(films)}, records of runs and jobs {words(size - analyses - checkpoints - films)}",
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        chosen = st.number_input(
            "Limit, GB",
            min_value=eviction.SMALLEST_LIMIT / GIGABYTE,
            value=most / GIGABYTE,
            step=1.0,
            format="%.1f",
            key="runs.limit",
            width=180,
            help="When an analysis is written and the cache is larger than this, the oldest analyses leave: never "
            "the new one, never a checkpoint, never without a word below.",
        )
        limit = round(chosen * GIGABYTE)
        if st.button("Set the limit", key="runs.set_limit", disabled=limit == most):
            leave = eviction.leaving(here, limit)
            if leave:
                _lower(limit, leave)
            else:
                eviction.set_limit(here, limit)
                st.rerun()
    if size > most:
        st.warning(
            "The cache is larger than its limit. Checkpoints and records stay; the oldest analyses leave when the "
            "next one is written. Raise the limit or delete a run to keep them.",
            icon=":material/info:",
        )
    _log("What left for want of room", eviction.log(here))
    _log("What was damaged and set aside", here.damage_log())


@st.dialog("Lower the limit?", icon=":material/delete:")
@guarded
def _lower(limit: int, leave: Sequence[Removable]) -> None:
    count = "1 analysis leaves" if len(leave) == 1 else f"{len(leave)} analyses leave"
    st.markdown(f"Under {words(limit)} {count} the cache, oldest first: {words(sum(a.size for a in leave))}.")
    runs = {run.key: run for run in results.runs()}
    by_run = {key: sorted(a.epoch for a in leave if a.run == key) for key in dict.fromkeys(a.run for a in leave)}
    for key, epochs in by_run.items():
        name = escaped(runs[key].label) if key in runs and runs[key].label else key[:8]
        st.markdown(f"- run {name}: epoch {', '.join(map(str, epochs))}")
    st.caption("Checkpoints stay, so they can be analysed again.")
    confirm("Keep the old limit", "Lower the limit", partial(_lowered, limit))


def _lowered(limit: int) -> None:
    eviction.set_limit(results.store(), limit)
    eviction.make_room(results.store())


def _log(title: str, lines: Sequence[str]) -> None:
    """Newest first, as far as there are any."""
    if lines:
        with st.expander(f"{title} ({len(lines)})", icon=":material/history:"):
            for line in lines[::-1]:
                st.caption(escaped(line))
