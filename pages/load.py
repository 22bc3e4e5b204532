"""Bring a trained network: choose its files, confirm what they are, check what it can, and measure."""

import streamlit as st

from pages.parts.frame import page

PAGE = "load"


def main() -> None:
    """From files, or a run made without a browser, to numbers to trust."""
    from pages.parts import job_panel, load_analysis, load_check, load_form, load_source

    st.title("Load a trained network")
    run = load_source.chosen()
    if run is None and load_form.current().files:
        found = load_source.inspected(load_form.current().files)
        if found is not None:
            run = load_check.checked(found)
    if run is not None:
        load_analysis.measure(run)
    job_panel.queue()


with page(PAGE):
    main()
