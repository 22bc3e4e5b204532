"""The one direction that is pointed at: clicked in any figure, marked in all of them."""

import streamlit as st

from pages.parts import palette, selection
from pages.parts.palette import LOOKS
from pages.parts.results import View


def at(direction: int) -> None:
    """Point at a direction (from 1), as a click on it does."""
    selection.choose(direction=direction)


def away() -> None:
    """Point at nothing."""
    selection.choose(direction=None)


def pointed(view: View) -> int | None:
    """The direction pointed at (from 1), if this analysis has it."""
    direction = selection.current().direction
    return direction if direction is not None and direction <= view.analysis.k else None


def line(view: View, names: tuple[str, ...]) -> None:
    """What is known of the direction pointed at, and a way to let it go; how to point at one where none is."""
    direction = pointed(view)
    if direction is None:
        st.caption("Click a point or a cell: its direction is then marked in every figure, on this page and the next.")
        return
    a = view.analysis
    variances = (f"${LOOKS[n].tex}_{{ii}}$ = {palette.number(a.diagonal(n)[direction - 1])}" for n in names)
    if "C" in a.names:
        louder = int((a.diagonal("C") > a.diagonal("C")[direction - 1]).sum())
        order = f"the sharpest but {direction - 1:,} and the noisiest but {louder:,} of {a.k:,}"
    else:
        order = f"the sharpest but {direction - 1:,} of {a.k:,}"
    below = " Its curvature is below the noise floor." if a.eigenvalues[direction - 1] <= a.noise_floor else ""
    values = ", ".join((f"$H_{{ii}}$ = {palette.number(a.eigenvalues[direction - 1])}", *variances))
    with st.container(horizontal=True, vertical_alignment="center", key="pointed"):
        st.markdown(f":material/my_location: **Direction {direction:,}**: {values}; {order}.{below}", width="content")
        st.button("Clear", key="pointed.clear", icon=":material/close:", type="tertiary", on_click=away)
