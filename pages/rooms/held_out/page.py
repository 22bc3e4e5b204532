"""Whether γ would be the same on other samples: directions from some, noise and curvature from others."""

import streamlit as st

from engine.results.cross_fit import CrossFit, HeldOut
from pages.data import held_out
from pages.data.results import View
from pages.jobs import banner, other_samples
from pages.rooms.direction.line import line
from pages.rooms.held_out import nulls, panels
from pages.text import held_out as text
from pages.ui import cards, controls, heading, marker, toolbar
from pages.ui.guard import guarded

PAGE = "held_out"


def show() -> None:
    """The knobs, the verdict, both clouds beside γ(N), three columns, who carries a direction, and both
    nulls."""
    view = banner.opening("Would it hold on other samples?")
    if view is None:
        return
    result = held_out.stored(view)
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    if result is None:
        with place:
            heading.answer("At this epoch it is not known yet: other samples have to be looked at.")
        other_samples.offer(PAGE, view)
        heading.what_will_be_seen((text.CROSSED, text.GROWING, text.EFFECTIVE), view)
        return
    with toolbar.drawer(bar, f"{PAGE}.matrix", f"{PAGE}.window"):
        name = controls.matrix(PAGE, view, names=result.names)
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        st.caption(controls.provenance(view))
    fit = held_out.cross_fit(view, name, last, first)
    if fit is not None:
        with place:
            heading.answer(text.verdict(fit, name))
    compared(view, result, fit, name, first, last)
    if name in result.effective:
        carried(view, result, name)
    null = nulls.panel(view)
    if null is not None:
        heading.titled(null)


def compared(view: View, result: HeldOut, fit: CrossFit | None, name: str, first: int, last: int) -> None:
    """What the verdict is read from."""
    if fit is None:
        st.warning(
            "Too few directions lie above the noise floor for a slope on halves of the samples. Widen the window.",
            icon=":material/info:",
        )
        return
    with st.grid(2, min_column_width=420, gap="medium") as pair:
        with pair.cell():
            heading.titled(panels.crossed(view, result, name, first, last, marker.pointed(view)))
        with pair.cell():
            heading.titled(panels.growing(view, result, fit, name, first, last))
    line(PAGE, view, (name,))
    panels.columns(fit)


@st.fragment
@guarded
def carried(view: View, result: HeldOut, name: str) -> None:
    """How many samples carry a direction, and which."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        heading.titled(panels.effective(view, result, name, marker.pointed(view)))
    with right:
        panels.carried(PAGE, view, result, name)
