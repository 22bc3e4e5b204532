"""All runs in a table that chooses among them, and the chosen ones held against each other."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from engine import units
from engine.results.names import USUAL_WINDOW
from engine.runs.run import Run
from pages.data import results
from pages.state import selection
from pages.text import run_facts, run_names
from pages.text.run_names import DATA, escaped, names, network

KEY = "runs.table"
WINDOW = f"over directions 1 … {USUAL_WINDOW:,}, or all there are; a sweep’s table has its own 𝒩"
# Points of a course in one cell of the table.
POINTS = 50


def table(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Every run with its numbers. The rows pressed are those selected on all pages, and returned, the one that
    is looked at first."""
    keys = [run.key for run in runs]
    current = results.chosen_run()
    selected = dict.fromkeys((current.key if current else "", *(selection.current().runs or ())))
    rows = [keys.index(key) for key in selected if key in keys]
    _press(rows)
    st.dataframe(
        pd.DataFrame([_row(run) for run in runs]),
        key=KEY,
        hide_index=True,
        selection_mode="multi-row",
        on_select=lambda: _select(keys),
        alt="All runs with their settings, accuracy, exponents and size on disk.",
        column_config={
            "Name": st.column_config.TextColumn(
                pinned=True, help="The name you gave it, else the beginning of its key."
            ),
            "Course": st.column_config.LineChartColumn(
                width="small", y_min=0, y_max=1, help="Accuracy on the training samples over the epochs."
            ),
            "Accuracy": st.column_config.NumberColumn(format="percent", help="On the training samples, last epoch."),
            **{
                column: st.column_config.NumberColumn(format=form, help=text)
                for name in ("C", "C_AWD")
                for column, form, text in (
                    (f"γ, {name}", "%.2f", f"At the last analysed epoch, {WINDOW}."),
                    (f"±, {name}", "± %.2f", "Half the 95 % interval of that γ over training samples."),
                )
            },
            "Made": st.column_config.DatetimeColumn(format="D MMM YY, HH:mm"),
        },
    )
    st.caption(
        f"γ: {WINDOW}. Press the boxes at the left: the chosen runs are shown below, and compared on the other pages."
    )
    return tuple(runs[row] for row in rows)


def _row(run: Run) -> dict[str, object]:
    here = results.store()
    course = run.history.train_accuracy
    return {
        "Name": run.label or run.key[:8],
        "Data": DATA.get(run.data_name, run.data_name),
        "Network": network(run.request.model),
        "Loss": run_names.loss(run.request.loss),
        **({"Sweep": results.sweeps().get(run.key, "")} if results.sweeps() else {}),
        "Seed": None if run.recorded is not None else run.request.seed,
        "Accuracy": run_facts.accuracy(run),
        "Course": [] if np.isnan(course).all() else course[:: -(-len(course) // POINTS) or 1].tolist(),
        **_exponent(run, "C", "C"),
        **_exponent(run, "C_awd", "C_AWD"),
        "On disk": units.words(here.size("runs", run.key)),
        "Epochs": run_facts.epochs(run),
        "Checkpoints": len(run.checkpoints),
        "Analyses": len(here.list("runs", run.key, "analyses")),
        "Made": pd.Timestamp.fromtimestamp(run.created),
    }


def _exponent(run: Run, name: str, label: str) -> dict[str, float]:
    fit = results.last_fit(run, name)[1]
    low, high = (fit and fit.interval) or (math.nan, math.nan)
    return {f"γ, {label}": math.nan if fit is None else fit.gamma, f"±, {label}": (high - low) / 2}


def _press(rows: list[int]) -> None:
    """Show the rows that are selected, where the table does not yet."""
    state = st.session_state.get(KEY)
    if state is None or sorted(state["selection"]["rows"]) != sorted(rows):
        st.session_state[KEY] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _select(keys: Sequence[str]) -> None:
    """The selected run stays the first as long as it is pressed; none pressed leaves it alone."""
    pressed = [keys[row] for row in st.session_state[KEY]["selection"]["rows"]]
    current = results.chosen_run()
    first = current.key if current and (current.key in pressed or not pressed) else pressed[0]
    selection.choose(run=first, runs=tuple(key for key in pressed if key != first) or None)


def comparison(runs: Sequence[Run]) -> None:
    """The settings that differ, the exponents, and the way to see the runs in one figure."""
    labels = names(runs)
    st.subheader("Side by side")
    rows = {name: tuple(map(escaped, values)) for name, values in run_facts.differences(runs).items()}
    head = f"| | {' | '.join(escaped(labels[run.key]) for run in runs)} |\n|:--|{'--:|' * len(runs)}"
    body = (f"| {name} | {' | '.join(values)} |" for name, values in (rows | dict(run_facts.gammas(runs))).items())
    st.markdown("\n".join([head, *body]))
    st.caption("All other settings are the same." if rows else "These runs were asked for with the same settings.")
    with st.container(horizontal=True, gap="small"):
        selection.page_link("power_law", label="**Their power laws in one figure**", icon=":material/trending_up:")
        selection.page_link("dynamics", label="**Their training side by side**", icon=":material/timeline:")
