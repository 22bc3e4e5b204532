"""A second run beside the first: its choice, and both as they are looked at."""

import streamlit as st

from pages.data import results
from pages.data.results import View
from pages.state import selection
from pages.text.run_names import names


def views(page: str, view: View) -> dict[str, View]:
    """The view given and, where one is chosen, that of a second run, each by the name of its run."""
    runs = {run.key: run for run in results.runs()}
    labels = names(tuple(runs.values()))
    chosen = _choice(page, {key: name for key, name in labels.items() if key != view.run.key})
    shown = {labels[view.run.key]: view}
    if chosen is not None:
        second = results.view_of(runs[chosen])
        if second is None:
            st.caption("Nothing of it is analysed yet.")
        else:
            shown[labels[chosen]] = second
    return shown


def _choice(page: str, others: dict[str, str]) -> str | None:
    """The first of the compared runs that is there; clearing it compares with none."""
    if not others:
        st.caption("A second run, once it is trained, can be drawn beside this one.")
        return None
    key = f"{page}.second"
    compared = selection.current().runs or ()
    second = next((run for run in compared if run in others), None)
    if key not in st.session_state or st.session_state[key] != second:
        st.session_state[key] = second

    def changed() -> None:
        pressed = st.session_state[key]
        rest = tuple(run for run in compared if run not in (second, pressed))
        selection.choose(runs=None if pressed is None else (pressed, *rest))

    return st.selectbox(
        "Beside it",
        list(others),
        index=None,
        format_func=others.__getitem__,
        placeholder="a second run",
        help="Both runs are drawn on the same axes: cross-entropy beside squared error, for instance.",
        key=key,
        on_change=changed,
    )
