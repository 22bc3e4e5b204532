"""A figure in every respect: pages show it, a report lists it, the results page draws it into a file, and a tour points
at its key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.plot.plot import Follows, draw

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from numpy import ndarray


@dataclass(frozen=True)
class Head:
    """What is known of a figure before there are numbers, and of what else a tour may point at. key: its name on the
    page; title: Markdown, empty where the section's stands for it; part: what it is called among the parts of the page
    for a tour, empty for none; about: the definitions behind the title."""

    key: str
    title: str = ""
    part: str = ""
    about: str = ""


@dataclass(frozen=True)
class Panel:
    """One figure. file: the name of its downloads; alt: the figure in words; lead, caption: Markdown below it; arrays:
    all numbers behind it by name; code: the engine calls that make them; on_click, on_box, follows: as in draw."""

    head: Head
    file: str
    figure: "go.Figure"
    alt: str
    caption: str = ""
    lead: str = ""
    arrays: Callable[[], Mapping[str, "ndarray"]] | None = None
    code: Callable[[], str] | None = None
    on_click: Callable[[int], None] | None = None
    on_box: Callable[[float, float], None] | None = None
    follows: Follows | None = None

    def show(self, suffix: str = "") -> None:
        """On the page, under its key; suffix: tells several of one kind on a page apart."""
        draw(
            self.figure,
            self.head.key + suffix,
            self.file,
            self.alt,
            arrays=self.arrays,
            code=self.code,
            on_click=self.on_click,
            on_box=self.on_box,
            follows=self.follows,
        )
        if self.lead:
            st.markdown(self.lead)
        if self.caption:
            st.caption(self.caption)

    def called(self, key: str, title: str) -> "Panel":
        """The same under another key and title, where one list holds several of a kind."""
        return replace(self, head=replace(self.head, key=key, title=title))
