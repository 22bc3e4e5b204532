"""The line below a figure that tells of the direction pointed at, and the way to what it is."""

import streamlit as st

from pages.data.results import View
from pages.rooms.direction import dialog
from pages.state import selection
from pages.ui import marker


def line(page: str, view: View, names: tuple[str, ...], shown: int | None = None) -> None:
    """What is known of the direction pointed at, what it is, and a way to let it go; how to point at one where none is.
    shown: leading directions that the page's pictures have."""
    direction = marker.pointed(view)
    with st.container(horizontal=True, vertical_alignment="center", key=f"{page}.pointed"):
        st.number_input(
            "Direction",
            1,
            view.analysis.k,
            value=None,
            step=1,
            placeholder="Direction",
            label_visibility="collapsed",
            width=150,
            **selection.bound(page, "direction", direction),
        )
        if direction is None:
            st.caption(
                "Its number, a click or the arrow keys in a figure: it is then marked in every figure, on this page "
                "and the next.",
                width="content",
            )
            return
        sentence = marker.sentence(view, names, direction, shown)
        st.markdown(f":material/my_location: {sentence}", width="content")
        st.button("What is it?", key=f"{page}.what", icon=":material/search:", on_click=dialog.open_, args=(page,))
        st.button("Clear", key=f"{page}.clear", icon=":material/close:", type="tertiary", on_click=marker.away)
    if dialog.is_open(page):
        dialog.dialog(page, view)
