"""The table of a sweep as on paper: rows, numbers of classes, both exponents, and a mark for every seed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from engine.losses import LOSSES
from engine.results.names import NAMES
from engine.sweeps.grid import Sweep
from engine.sweeps.means import Mean, cells, latex, mean
from engine.sweeps.rows import MARGIN, Row, learned, to_csv
from engine.sweeps.status import State, measured
from engine.units import counted
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.sweeps import figures, text
from pages.rooms.sweeps.published import origin, published_rows
from pages.state import palette, selection
from pages.state.selection import Selection
from pages.ui import heading

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

SCRIPT = Path(__file__).with_suffix(".js")
# The matrices of the table, and the strongest shade, that of an exponent of 2.
SHOWN, SHADE = ("C", "C_awd"), 0.45
TARGET = "power_law"
TABLE = Head("table1", part="the table")
COUNTED = "table.unlearned"
_GUESSING = f"training accuracy not {MARGIN:.0%} and three standard errors above guessing"
# What stands below the table where some networks have not learned, by whether they count.
UNLEARNED = {
    False: f"A network that has not learned ({_GUESSING}, a hollow mark) is left out of the mean.",
    True: f"A network that has not learned ({_GUESSING}, a hollow mark) is counted in the mean.",
}
Noted = Callable[[Sequence[str]], list[str]]
AGREEMENT = Head(
    "agreement", "Does duality predict the exponent?", "predicted against measured exponents", text.PREDICTED
)


# -- where a cell leads -----------------------------------------------------------------------------------


def look(rows: Sequence[Row]) -> Selection:
    """The power law of these runs, which differ in the seed, as it was fitted for the table."""
    first, here = rows[0], selection.current()
    return Selection(
        run=first.run,
        runs=tuple(row.run for row in rows[1:]) or None,
        epoch=first.epoch,
        layer=first.layer,
        matrices=SHOWN,
        window=(1, first.window),
        sweep=here.sweep,
        large=here.large,
    )


def address(view: Selection) -> str:
    """The address of the page that shows it, from this one."""
    return f"{TARGET}?{urlencode(selection.to_url(view))}"


# -- what is in the table ---------------------------------------------------------------------------------


def laid_out(
    sweep: Sweep, states: Sequence[State], at_work: bool, published: Mapping[str, Row] = MappingProxyType({})
) -> dict[str, Any]:
    """Everything the browser writes: classes, rows of cells, and the notes below. Of a cell: both exponents, where
    it leads, and its seeds. published: rows of cells that are not measured here, by the cell's key."""
    classes = sorted({state.cell.classes for state in states})
    rows: dict[str, dict[int, list[State]]] = {}
    for state in states:
        rows.setdefault(state.cell.row, {}).setdefault(state.cell.classes, []).append(state)
    notes: dict[str, str] = {}

    def noted(phrases: Sequence[str]) -> list[str]:
        return [notes.setdefault(phrase, _letter(len(notes))) for phrase in phrases]

    body = []
    for name, by_classes in rows.items():
        qualifiers = [_departures(some) for some in by_classes.values()]
        common = [phrase for phrase in qualifiers[0] if all(phrase in one for one in qualifiers)]
        body.append(
            {
                "name": name,
                "window": "𝒩 = " + " … ".join(_ends(s.cell.window for some in by_classes.values() for s in some)),
                "notes": noted(common),
                "cells": [
                    _cell(some, at_work, published, noted([p for p in _departures(some) if p not in common]), noted)
                    if (some := by_classes.get(count))
                    else None
                    for count in classes
                ],
            }
        )
    return {
        "name": sweep.name,
        "classes": classes,
        "rows": body,
        "notes": [[letter, phrase] for phrase, letter in notes.items()],
    }


def _ends(windows: Iterable[int]) -> list[str]:
    """The smallest and the largest, once where they are one."""
    known = sorted(set(windows))
    return [f"{window:,}" for window in dict.fromkeys((known[0], known[-1]))]


def counts_unlearned() -> bool:
    """Whether networks that have not learned count in the means: asked by a switch of the page."""
    return bool(st.session_state.get(COUNTED, False))


def _departures(some: Sequence[State]) -> list[str]:
    return list(dict.fromkeys(phrase for state in some for phrase in state.cell.departures))


def _letter(place: int) -> str:
    """a, b, … z, aa, ab …"""
    return (_letter(place // 26 - 1) if place >= 26 else "") + chr(ord("a") + place % 26)


def _cell(
    some: Sequence[State], at_work: bool, published: Mapping[str, Row], notes: list[str], noted: Noted
) -> dict[str, Any]:
    rows = measured(some)
    elsewhere = [] if rows else [published[state.cell.key] for state in some if state.cell.key in published]
    shown = rows or elsewhere
    count = counted(len(shown), "seed")
    if not all(map(learned, shown)):
        notes = [*notes, *noted([UNLEARNED[counts_unlearned()]])]
    windows = " or ".join(dict.fromkeys(f"{state.cell.window:,}" for state in some))
    return {
        "numbers": [_number(mean(shown, name, counts_unlearned()), name, windows) for name in SHOWN],
        "href": address(look(rows)) if rows else "",
        "notes": notes,
        "seeds": [_seed(state, at_work, published.get(state.cell.key)) for state in some],
        "count": count if len(shown) == len(some) else f"{len(shown)} of {len(some)}",
        "published": bool(elsewhere),
    }


def _number(average: Mean | None, name: str, windows: str) -> dict[str, Any]:
    """An exponent in letters, what qualifies it, and how strong its shade is: none at 1, the strongest at 2."""
    if average is None:
        return {"text": "", "told": "", "shade": ""}
    spread = average.spread()
    sentence = f"γ = {average.mean:.3f}{spread}, {counted(average.seeds, 'seed')}, directions 1 … {windows}."
    if average.low == average.low:  # not NaN
        sentence += f" 95 % over samples: {average.low:.3f} … {average.high:.3f}."
    if not 1 <= average.mean <= 2:
        sentence += " Outside 1 … 2, which a fitted slope may be."
    share = min(max(average.mean - 1, 0.0), 1.0)
    return {
        "text": f"{average.mean:.3f}",
        "spread": spread.strip(),
        "told": sentence,
        "shade": palette.faded(palette.LOOKS[name].colour, round(SHADE * share, 3)),
        "outside": not 1 <= average.mean <= 2,
    }


def _seed(state: State, at_work: bool, published: Row | None = None) -> dict[str, Any]:
    """The mark of one seed: how it stands, in a word and a sentence."""
    seed, mark = f"Seed {state.cell.run.seed}", {"href": "", "share": 0.0}
    if state.row is not None:
        done = mark | {"is": "done", "href": address(look([state.row])), "told": f"{seed}: {_gammas(state.row)}."}
        if learned(state.row):
            return done
        right = f"{state.row.train_accuracy:.1%} of its training samples right"
        return done | {"is": "unlearned", "told": f"{done['told']} It has not learned: {right}."}
    if state.failure:
        return mark | {"is": "failed", "told": f"{seed} failed: {state.failure}"}
    if state.trained:
        what = "trained, being analysed" if at_work else "trained, not yet analysed"
        return mark | {"is": "trained", "told": f"{seed}: {what}."}
    if state.epoch >= 0:
        what = "training" if at_work else "stopped"
        sentence = f"{seed}: {what}, epoch {state.epoch} of {state.epochs}."
        return mark | {"is": "training", "share": round(state.epoch / state.epochs, 2), "told": sentence}
    if published is not None:
        sentence = f"{seed}, as published, epoch {published.epoch}: {_gammas(published)}. Not measured here."
        return mark | {"is": "published", "told": sentence}
    return mark | {"is": "waiting", "told": f"{seed}: waiting."}


def _gammas(row: Row) -> str:
    numbers = ((name, row.laws[name].gamma) for name in SHOWN)
    return "γ of " + ", ".join(f"{_plain(name)} {gamma:.3f}" for name, gamma in numbers if np.isfinite(gamma))


def _plain(name: str) -> str:
    """A matrix in plain letters."""
    return NAMES[name][0]


# -- on the page ------------------------------------------------------------------------------------------


def table(sweep: Sweep, states: Sequence[State], at_work: bool) -> None:
    """Put the table on the page; a pressed cell opens its runs on the power-law page."""
    elsewhere = published_rows(states)
    body = laid_out(sweep, states, at_work, elsewhere)
    heard = _component()(key=TABLE.key, data=body, on_open_change=lambda: None)
    pressed = heard.get("open")
    if isinstance(pressed, str):
        target = _targets(states).get(pressed)
        if target is not None:
            selection.open_page(TARGET, **vars(target))
    if elsewhere:
        st.caption(origin(elsewhere.values()))


def _targets(states: Sequence[State]) -> Mapping[str, Selection]:
    """Every view that a cell or a mark leads to, by its address."""
    rows = measured(states)
    views = [look(cell) for cell in (*cells(rows), *([row] for row in rows))]
    return {address(view): view for view in views}


@st.cache_resource(show_spinner=False)
def _script(version: int) -> tuple[str, str]:
    return SCRIPT.read_text(encoding="utf-8"), SCRIPT.with_suffix(".css").read_text(encoding="utf-8")


def _component() -> "ComponentRenderer":
    js, css = _script(SCRIPT.stat().st_mtime_ns)
    return st.components.v2.component("gammascope_table", js=js, css=css, isolate_styles=False)


def unlearned(states: Sequence[State]) -> None:
    """The switch that counts networks that have not learned, where there are any."""
    if not all(map(learned, measured(states))):
        st.toggle(
            "Count networks that have not learned",
            key=COUNTED,
            help=f"Their exponent is that of a network near its start. Not learned: {_GUESSING}.",
        )


def downloads(name: str, states: Sequence[State]) -> None:
    """The table as files, as far as it is measured."""
    rows = measured(states)
    if not rows:
        st.caption("Once a cell is measured here, the table can be taken away as CSV and as LaTeX.")
        return
    file = "gammascope-" + (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "sweep")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.download_button(
            "CSV",
            data=to_csv(rows),
            file_name=f"{file}.csv",
            mime="text/csv",
            key="table.csv",
            icon=":material/table:",
            on_click="ignore",
            help="A line for every measured cell with all that qualifies its γ, and the command that repeats it.",
        )
        st.download_button(
            "LaTeX",
            data=partial(latex, name, rows),  # when it is asked for: it loads pandas
            file_name=f"{file}.tex",
            mime="text/x-tex",
            key="table.latex",
            icon=":material/functions:",
            on_click="ignore",
            help="The table for a paper, for the package booktabs.",
        )


def agreement(word: str, states: Sequence[State]) -> None:
    """Measured against predicted exponents, as far as there are any; word: what the command line calls the sweep."""
    rows = measured(states)
    if not rows:
        return
    heading.over(AGREEMENT, level=2)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        Panel(
            AGREEMENT,
            "gamma-measured-and-predicted",
            figures.agreement(states),
            f"γ of C against γ of C_AWD for {len(rows)} measured cells, with the diagonal and lines at 1 and 2.",
            arrays=lambda: {
                **{name: np.array([getattr(row, name) for row in rows]) for name in ("row", "classes", "seed")},
                **{f"gamma_{name}": np.array([row.laws[name].gamma for row in rows]) for name in SHOWN},
            },
            code=lambda: reproduce.cells(word),
        ).show()
    with right:
        st.markdown("How far the predicted exponents are from the measured ones, as a root mean square over cells:")
        for loss, count, distance in figures.distances(states):
            st.metric(f"{LOSSES[loss].label}, {counted(count, 'cell')}", f"{distance:.2f}")
