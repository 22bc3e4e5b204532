"""Train and analyse while it trains: a film that is watched, paused, and steered on the way."""

import streamlit as st

from pages.rooms.live import controls, screen


def show() -> None:
    """What is shot, the knobs, and the film."""
    left, right = st.columns([3, 5], gap="medium", vertical_alignment="bottom")
    with left:
        st.title("When does γ leave 1?")
    with right:
        key, request = controls.choose()
    controls.show(key, request)
    screen.show(key, request)
