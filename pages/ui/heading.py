"""Headings with their explanation, and explanations of what is still to come."""

from collections.abc import Sequence

import streamlit as st

from pages.data import results
from pages.data.results import View
from pages.plot.panel import Head, Panel
from pages.text import numbers


def what_will_be_seen(texts: Sequence[str], view: View | None = None) -> None:
    """The definitions behind figures that are still to come, side by side; with the view's numbers where there is
    one."""
    with (
        st.container(key="to-come"),
        st.grid(3, min_column_width=260, gap="small", border=True) as grid,
    ):
        for text in texts:
            with grid.cell():
                st.markdown(numbers.fill(text, view))


def heading(title: str, definition: str, label: str = "What this is", level: int = 2) -> None:
    """A heading with its explanation at hand."""
    key = "heading-" + "".join(c if c.isalnum() else "-" for c in title.lower())
    with st.container(
        key=key, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", wrap=False
    ):
        st.markdown(f"{'#' * level} {title}", width="stretch")
        with st.popover(label, icon=":material/help:", type="tertiary", wrap=False):
            st.markdown(numbers.fill(definition, results.present()))


def answer(text: str, about: str = "", label: str = "What is drawn") -> None:
    """The first sentence of a page, which answers its title; about: what its first picture shows."""
    with st.container(key="answer", horizontal=True, vertical_alignment="top", gap="small", wrap=False):
        st.markdown(text, width="stretch")
        if about:
            with st.popover(label, icon=":material/help:", type="tertiary", wrap=False):
                st.markdown(numbers.fill(about, results.present()))


def over(head: Head, label: str = "What this is", level: int = 3) -> None:
    """The heading of a figure."""
    heading(head.title, head.about, label, level)


def titled(panel: Panel, label: str = "What this is", level: int = 3) -> None:
    """A figure under its heading."""
    over(panel.head, label, level)
    panel.show()
