"""What this is. Light to import: it is read while the results are still on their way."""

import streamlit as st


def show() -> None:
    """The question, and the law in one sentence."""
    st.title("Does SGD’s noise follow the curvature?")
    st.markdown(
        "Where the loss bends sharply, the noise of stochastic gradient descent is strong: "
        "$C_{ii} \\propto H_{ii}^{\\,\\gamma}$. Both are measured here."
    )
