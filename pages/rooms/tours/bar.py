"""The bar of the tour that is on: what to see at this stop, the way on, and the part of the page it is about."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.data import results
from pages.rooms.tours import library
from pages.rooms.tours.format import FIRST, LAST, MIDDLE, Tour
from pages.state import selection
from pages.state.menu import entry
from pages.state.selection import Selection
from pages.text import numbers
from pages.text.run_names import escaped

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPT, STYLE, PRESENTER = (Path(__file__).with_name(name) for name in ("bar.js", "bar.css", "presenter.css"))
# What a stop leaves as it is, unless it says otherwise.
KEPT = ("run", "layer", "large", "present")
# How often this session has come to a stop: the browser moves to its highlight once each time.
_VISITS = "tour visits"


def show(page: str) -> None:
    """The bar at the top of a page, where a tour is on; where one presents, the way back."""
    st.html(STYLE)
    here = selection.current()
    tour = None if here.tour is None else library.tour(here.tour)
    if tour is not None:
        if _VISITS not in st.session_state:
            _arrive(tour, page)
        _bar(tour, page)
    elif here.tour is not None:
        st.info(
            "This link shows a tour that this machine does not have. Ask for its file and put it on the page Tours.",
            icon=":material/link_off:",
        )
    if here.present:
        st.html(PRESENTER)
        if tour is None:
            with st.container(key="tour-presenting"):
                _end()
    highlight = tour.stops[_number(tour) - 1].highlight if tour is not None and _here(tour, page) else ""
    _component()(
        key="tour-eye",
        data={
            "place": css_class(highlight) if highlight else "",
            "visit": st.session_state.get(_VISITS, 0),
            "keys": bool(here.present),
        },
    )


def go(tour: Tour, number: int) -> None:
    """Set the whole selection as a stop (from 1) wants it, and open its page."""
    _visit()
    selection.open_page(tour.stops[number - 1].page, **vars(at_stop(tour, number)))


def at_stop(tour: Tour, number: int) -> Selection:
    """The selection of a stop (from 1)."""
    here, stop = selection.current(), tour.stops[number - 1]
    chosen = vars(selection.from_url(stop.select))
    as_it_was = {name: getattr(here, name) for name in KEPT if chosen[name] is None}
    epoch = _epoch(stop.select.get("epoch"), chosen["run"] or here.run)
    return Selection(**{**chosen, **as_it_was, "epoch": epoch, "tour": tour.id, "stop": number})


def _epoch(word: str | None, key: str | None) -> int | None:
    """An epoch in digits, or the first, middle or last checkpoint of a run; None for the last that is analysed."""
    if word in (None, LAST):
        return None
    if word not in (FIRST, MIDDLE):
        return int(word)
    run = next((run for run in results.runs() if run.key == key), None) or results.chosen_run()
    if run is None or not run.checkpoints:
        return None
    return run.checkpoints[0 if word == FIRST else len(run.checkpoints) // 2]


def _arrive(tour: Tour, page: str) -> None:
    """Open the stop that a link names, on its page. What else the link says holds; the stop says the rest."""
    linked = {name: value for name, value in vars(selection.current()).items() if value is not None}
    number = _number(tour)
    _visit()
    selection.choose(**{**vars(at_stop(tour, number)), **linked, "stop": number})
    if not _here(tour, page):
        selection.open_page(tour.stops[number - 1].page)


def _visit() -> None:
    st.session_state[_VISITS] = st.session_state.get(_VISITS, 0) + 1


def _number(tour: Tour) -> int:
    """The stop, from 1."""
    return min(selection.current().stop or 1, len(tour.stops))


def _here(tour: Tour, page: str) -> bool:
    return tour.stops[_number(tour) - 1].page == page


def _bar(tour: Tour, page: str) -> None:
    number, count = _number(tour), len(tour.stops)
    stop, view = tour.stops[number - 1], results.view()
    with st.container(key="tour", border=True, gap="xsmall"):
        with st.container(key="tour-head", horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(stop.title)}**", width="stretch")
            st.caption(f"{plain(tour.title)} · {number} of {count}", width="content")
            back = _button("back", "Back", ":material/arrow_back:", disabled=number == 1)
            again = _button(
                "again",
                "Show again",
                ":material/restart_alt:",
                help="Show again: the page and everything on it as this stop wants it.",
            )
            if selection.current().present:
                _end()
            else:
                st.button(
                    "Present",
                    key="tour.present",
                    icon=":material/slideshow:",
                    type="tertiary",
                    help="Present: figures, headlines and this bar alone, in large type. Arrow keys lead on, Esc back.",
                    on_click=_present,
                    args=(True,),
                )
            st.button(
                "Leave",
                key="tour.leave",
                icon=":material/close:",
                type="tertiary",
                help="Ends the tour; what is on the page stays.",
                on_click=_leave,
            )
            if number < count:
                on = _button("next", "Next", ":material/arrow_forward:", type="primary")
            else:
                on = False
                st.button("Done", key="tour.next", icon=":material/check:", type="primary", on_click=_leave)
        if _here(tour, page):
            st.markdown(numbers.fill(stop.text, view))
            if view is None and numbers.places(stop.text):
                st.caption(
                    ":material/hourglass_empty: Its numbers come with the first results. The start page makes some in "
                    "about twenty seconds; then press “Show again”."
                )
        else:
            st.caption(f"You have left the tour’s way. “Show again” leads back to {entry(stop.page).label}.")
    if back or on:
        go(tour, number + (1 if on else -1))
    if again:
        go(tour, number)


def _end() -> None:
    """The way out of presenting."""
    st.button(
        "Stop presenting",
        key="tour.present.end",
        icon=":material/cancel_presentation:",
        type="tertiary",
        help="Stop presenting, also by Esc: the menu and all controls come back.",
        on_click=_present,
        args=(None,),
    )


def _button(name: str, label: str, icon: str, type: str = "tertiary", **more: object) -> bool:
    return st.button(label, key=f"tour.{name}", icon=icon, type=type, **more)  # type: ignore[arg-type]


def plain(text: str) -> str:
    """A title letter by letter, in one line."""
    return escaped(" ".join(text.split()))


def _leave() -> None:
    selection.choose(tour=None, stop=None)


def _present(presenting: bool | None) -> None:
    selection.choose(present=presenting)


def css_class(key: str) -> str:
    """The class that Streamlit gives to what is drawn under a key."""
    return "st-key-" + re.sub(r"[^A-Za-z0-9_-]", "-", key)


@st.cache_resource(show_spinner=False)
def _script(version: int) -> str:
    return SCRIPT.read_text(encoding="utf-8")


def _component() -> "ComponentRenderer":
    return st.components.v2.component("gammascope_tour", js=_script(SCRIPT.stat().st_mtime_ns), isolate_styles=False)
