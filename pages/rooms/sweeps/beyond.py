"""What is asked beyond the paper of every cell: its γ on other samples, and what predicts its noise."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from engine.results.names import NAMES
from engine.sweeps.means import cells
from engine.sweeps.rows import FOLLOWED, Row, learned
from engine.sweeps.status import State, measured
from pages.plot.panel import Head
from pages.rooms.predictors.measure import NO_SIZE
from pages.rooms.sweeps import text
from pages.ui import heading

BEYOND = Head("beyond", "On other samples, and in size", "the cells on other samples", text.BEYOND)
PREDICTORS = FOLLOWED[1:]
# Those that predict the noise's size too: of the others the distance at the best scale alone can be asked.
SIZED = tuple(name for name in PREDICTORS if name not in NO_SIZE)

OF_C: Mapping[str, Callable[[Row], float]] = {
    "γ": lambda row: row.laws["C"].gamma,
    "γ by decade": lambda row: row.laws["C"].decade,
    "γ crossed": lambda row: row.laws["C"].crossed,
    "N_eff": lambda row: row.effective,
}


def columns(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Means over the seeds of each cell, by the heading of their column; NaN where nothing is measured."""
    numbers: dict[str, Callable[[Row], float]] = {
        **OF_C,
        **{f"C to {NAMES[name][0]}": partial(_distance, name) for name in PREDICTORS},
    }
    return {head: [_mean([of(row) for row in some]) for some in cells(rows)] for head, of in numbers.items()}


def _distance(name: str, row: Row) -> float:
    return row.laws[name].absolute if name in SIZED else row.laws[name].scaled


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def show(states: Sequence[State]) -> None:
    """The table, once a cell has any of it."""
    rows = [row for row in measured(states) if learned(row)]
    table = columns(rows)
    if not np.isfinite([value for head, values in table.items() if head != "γ" for value in values]).any():
        return
    import pandas as pd  # slow to import, and only this table needs it

    heading.over(BEYOND, level=2)
    frame = pd.DataFrame(table, index=[f"{some[0].row}, {some[0].classes} classes" for some in cells(rows)])
    st.dataframe(frame.style.format({head: "{:,.0f}" if head == "N_eff" else "{:.2f}" for head in table}, na_rep="–"))
