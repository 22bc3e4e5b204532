"""What this is. Light to import: it is read while the results are still on their way."""

import streamlit as st


def show() -> None:
    """In two sentences."""
    st.title("How SGD’s noise follows the curvature of the loss")
    st.markdown(
        "Training by stochastic gradient descent is noisy, and the noise is not the same in every direction: where the "
        "loss bends sharply, the noise is strong. Gammascope trains a small network on real handwritten digits, "
        "measures both, and shows the law between them: $C_{ii} \\propto H_{ii}^{\\,\\gamma}$."
    )
