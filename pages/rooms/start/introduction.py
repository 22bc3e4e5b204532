"""What this is. Light to import: it is read while the results are still on their way."""

import streamlit as st


def show() -> None:
    """The question."""
    st.title("Does SGD’s noise follow the curvature?")
