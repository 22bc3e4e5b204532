"""“Check these numbers”: some of an analysis once more, by brute force, in a process of its own."""

import time

import numpy as np
import pandas as pd
import streamlit as st

from engine.config.commands import CheckCommand
from engine.results.record import COVERED, Check
from engine.runs import library
from pages.data import results
from pages.data.results import View
from pages.jobs import commands, elsewhere, watch
from pages.state.palette import number
from pages.text import definitions
from pages.ui.controls import provenance
from pages.ui.guard import guarded

WATCH_SECONDS = 0.5


def button(page: str) -> None:
    """The way in, on every page that shows numbers."""
    view = results.view()
    if view is not None and st.button(
        "Check these numbers",
        key=f"{page}.check",
        icon=":material/verified:",
        type="tertiary",
        help="Computes some of them once more in another way, and shows the difference.",
    ):
        dialog(view)


@st.dialog("Check these numbers", width="large")
def dialog(view: View) -> None:
    """What the check does, its start, and what it found."""
    st.markdown(definitions.CHECK)
    _body(view)
    st.caption(provenance(view))


@st.fragment(run_every=WATCH_SECONDS)
@guarded
def _body(view: View) -> None:
    command = CheckCommand(view.run.key, (str(view.epoch),), view.chosen.request.layer)
    job = commands.newest(command)
    checks = library.checks(results.store(), view.run.key, view.chosen.key)
    if job is not None and job.running:
        left = job.progress.seconds_left
        timing = f"{time.time() - job.created:.0f} s so far" if left is None else f"about {max(1, round(left))} s left"
        st.progress(job.progress.fraction, text=f"Differentiating sample by sample: {timing}")
        watch.stop(job)
        return
    if job is not None and job.state in ("failed", "cancelled") and not checks:
        st.warning(job.message, icon=":material/info:")
    if checks:
        _table(checks)
    if elsewhere.explain(view.run, command, f'check({view.epoch}, "{view.chosen.request.layer}")'):
        return
    st.button(
        "Check again" if checks else "Check now",
        icon=":material/play_arrow:",
        type="primary",
        on_click=_start,
        args=(command, view),
    )


def _start(command: CheckCommand, view: View) -> None:
    commands.start(command, f"Check of epoch {view.epoch}", view.run.key, queue=False)


def verdict(checks: tuple[Check, ...]) -> str:
    """What the comparison says, in a sentence."""
    errors, wrong = [check.error for check in checks], [check.words for check in checks if not check.agrees]
    agreement = f"{len(errors)} numbers agree"
    if wrong:
        agreement = f"Not all numbers agree: {', '.join(wrong[:5])} of {len(errors)} do not"
    median = number(float(np.median(errors)), 2)
    return f"{agreement}: the largest relative difference is **{number(max(errors), 2)}**, the median {median}."


def _table(checks: tuple[Check, ...]) -> None:
    st.markdown(verdict(checks))
    st.caption(COVERED)
    rows = {
        "number": [c.words for c in checks],
        "as analysed": [f"{c.kept:.6e}" for c in checks],
        "by brute force": [f"{c.anew:.6e}" for c in checks],
        "relative difference": [f"{c.error:.0e}" for c in checks],
    }
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=320)
