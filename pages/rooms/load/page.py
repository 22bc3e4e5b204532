"""Bring a trained network: choose its files, confirm what they are, check what it can, and measure."""

import streamlit as st

from pages.jobs import queue
from pages.rooms.load import accuracy, form, measure, source


def show() -> None:
    """From files, or a run made without a browser, to numbers to trust."""
    st.title("Does the law hold for your own network?")
    run = source.chosen()
    if run is None and form.current().files:
        inspected = source.inspected(form.current().files, form.current().part)
        if inspected is not None:
            run = accuracy.checked(inspected)
    if run is not None:
        measure.measure(run)
    queue.queue()
