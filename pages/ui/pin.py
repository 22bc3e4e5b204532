"""The pin that has one run open first, before any other, in every session."""

import streamlit as st

from engine.runs import library
from engine.runs.run import Run
from pages.data import results


def button(run: Run, key: str) -> None:
    """Pins the run in place of any other; unpins the one that is."""
    pinned = results.pinned() == run.key
    with st.container(key=f"pin-{key}", width="content"):
        st.button(
            "Unpin" if pinned else "Pin",
            key=f"pin.{key}",
            icon=":material/keep_off:" if pinned else ":material/keep:",
            help="Pinned: this run opens first. Press to open the demo, or else the newest run, instead."
            if pinned
            else "Pin: open this run first, whatever is trained later.",
            on_click=library.pin,
            args=(results.store(), None if pinned else run.key),
        )
