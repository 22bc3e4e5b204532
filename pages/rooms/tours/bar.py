"""The bar of the tour that is on: what to see at this stop, the way on, and the part of the page it is about."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from engine.runs.library import Run
from pages.data import results
from pages.rooms.tours import library, needs
from pages.rooms.tours.format import FIRST, LAST, MIDDLE, Stop, Tour
from pages.state import selection
from pages.state.menu import entry
from pages.state.selection import Selection
from pages.text import numbers
from pages.text.run_names import escaped
from pages.ui import toolbar

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPT, STYLE, PRESENTER = (Path(__file__).with_name(name) for name in ("bar.js", "bar.css", "presenter.css"))
# Of a control that a stop asks for, while presenting: how far apart, in letters, and where.
CONTROL = 24
UNDER = (
    "position: fixed !important; top: calc(var(--gammascope-bar, 0px) + 1rem); z-index: 91; "
    "min-width: 23rem; max-width: 36rem; "
    "padding: 0.2rem 0.9rem; border-radius: 0.4rem; background: var(--gammascope-paper);"
)
# What a stop leaves as it is, unless it says otherwise.
KEPT = ("run", "layer", "large", "present")
# How often this session has come to a stop: the browser moves to its highlight once each time.
_VISITS = "tour visits"
# Page and selection before the tour.
_BEFORE = "before the tour"


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
        st.html(f"<style>{_presenter(tour, page)}</style>")
        if tour is None:
            with st.container(key="tour-presenting"):
                _end()
    stop = _stop(tour, page)
    highlight = "" if stop is None else stop.highlight
    toolbar.ask(() if stop is None else (*stop.controls, highlight))
    _component()(
        key="tour-eye",
        data={
            "place": css_class(highlight) if highlight else "",
            "visit": st.session_state.get(_VISITS, 0),
            "keys": bool(here.present),
        },
    )


def begin(tour: Tour, number: int, page: str) -> None:
    """Open a tour at a stop (from 1) from a page, to which its end leads back with everything as it was."""
    st.session_state[_BEFORE] = page, selection.current()
    go(tour, number)


def go(tour: Tour, number: int) -> None:
    """Set the whole selection as a place (from 1) wants it, and open its page."""
    _visit()
    selection.open_page(tour.page(number), **vars(at_stop(tour, number)))


def closing() -> Tour | None:
    """The tour whose closing slide is on the screen."""
    here = selection.current()
    tour = None if here.tour is None else library.tour(here.tour)
    return tour if tour is not None and tour.learned and _number(tour) == tour.last else None


def slide(tour: Tour) -> None:
    """What was learned, one card a sentence."""
    view = results.view()
    st.title("What we have seen")
    with st.grid(min(3, len(tour.learned)), min_column_width=260, gap="medium", key="tour-learned"):
        for number, text in enumerate(tour.learned, 1):
            with st.container(border=True, height="stretch"):
                st.markdown(f"## {number}")
                st.markdown(numbers.fill(text, view))


def at_stop(tour: Tour, number: int) -> Selection:
    """The selection of a place (from 1)."""
    here = selection.current()
    select = tour.stops[number - 1].select if number <= len(tour.stops) else {}
    chosen = vars(selection.from_url(select))
    as_it_was = {name: getattr(here, name) for name in KEPT if chosen[name] is None}
    epoch = _epoch(select.get("epoch"), chosen["run"] or here.run)
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
        selection.open_page(tour.page(number))


def _visit() -> None:
    st.session_state[_VISITS] = st.session_state.get(_VISITS, 0) + 1


def _number(tour: Tour) -> int:
    """The stop, from 1."""
    return min(selection.current().stop or 1, tour.last)


def _here(tour: Tour, page: str) -> bool:
    return tour.page(_number(tour)) == page


def _stop(tour: Tour | None, page: str) -> Stop | None:
    """The stop that is on this page; None on the closing slide, and where the tour was left."""
    at_one = tour is not None and _here(tour, page) and _number(tour) <= len(tour.stops)
    return tour.stops[_number(tour) - 1] if tour is not None and at_one else None


def _presenter(tour: Tour | None, page: str) -> str:
    """What presenting hides; what a stop is about, and the controls it asks for, stay."""
    stop, style = _stop(tour, page), PRESENTER.read_text(encoding="utf-8")
    if stop is None:
        return style
    controls = [f".{css_class(key)}" for key in stop.controls]
    shown = [*controls, f".{css_class(stop.highlight)}"] if stop.highlight else controls
    also = "".join(f", {name}, {name} *" for name in shown)
    style = style.replace("[class*=st-key-tour] *", f"[class*=st-key-tour] *{also}")
    if controls:
        # They stay under the bar, side by side, wherever on the page they stand.
        places = (f"{name} {{ {UNDER} left: {2.5 + CONTROL * n}rem; }}" for n, name in enumerate(controls))
        style += "".join((":root { --gammascope-controls: 3.2rem; }", *places))
    return style


def _bar(tour: Tour, page: str) -> None:
    number, count = _number(tour), tour.last
    title = "In short" if number > len(tour.stops) else tour.stops[number - 1].title
    view = results.view()
    with st.container(key="tour", border=True, gap="xsmall"):
        with st.container(key="tour-head", horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(title)}**", width="stretch")
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
            end = _button(
                "leave",
                "Leave",
                ":material/close:",
                help="Ends the tour; run, epoch and page are then as they were before it.",
            )
            if number < count:
                on = _button("next", "Next", ":material/arrow_forward:", type="primary")
            else:
                on = False
                end |= _button("next", "Done", ":material/check:", type="primary")
        stop = _stop(tour, page)
        if stop is not None:
            st.markdown(numbers.fill(stop.text, view))
            if number == 1 or st.session_state[_VISITS] == 1:
                needs.other_run(tour.run, partial(_switch, tour, number))
            # The pages further on offer what they need themselves.
            if view is not None and number == 1:
                needs.measure([name for one in tour.stops for name in one.needs], view)
            elif view is None and numbers.places(stop.text):
                st.caption(
                    ":material/hourglass_empty: Its numbers come with the first results. The start page makes some in "
                    "about twenty seconds; then press “Show again”."
                )
        elif not _here(tour, page):
            st.caption(f"You have left the tour’s way. “Show again” leads back to {entry(tour.page(number)).label}.")
    if back or on:
        go(tour, number + (1 if on else -1))
    if again:
        go(tour, number)
    if end:
        _leave()


def _switch(tour: Tour, number: int, run: Run) -> None:
    selection.choose(run=run.key, layer=None)
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


def _leave() -> NoReturn:
    """Everything as it was before the tour; after a link, which began with it, as it is."""
    page, before = st.session_state.pop(_BEFORE, (None, selection.current()))
    after = vars(before) | {"tour": None, "stop": None, "large": selection.current().large}
    if page is not None:
        selection.open_page(page, **after)
    selection.choose(**after)
    st.rerun()


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
