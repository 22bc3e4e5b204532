"""Which curvatures of single samples the noise and its exponent hang on: edit them and see."""

import streamlit as st

from pages.shell.frame import page

PAGE = "suppression"


def main() -> None:
    """The knobs, what they show in one sentence and five numbers, and four pictures of it."""
    from pages.data import results, suppression
    from pages.jobs import banner
    from pages.rooms.suppression import panels as suppressing
    from pages.state import edit as edits
    from pages.text import confidence, definitions
    from pages.ui import cards, controls, heading, marker

    view = banner.opening("Which curvatures make the exponent?")
    if view is None:
        return
    left, right = st.columns(2, gap="large")
    with left:
        controls.epoch(PAGE, view)
    with right:
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
    kept = results.spectra(view)
    if kept is None:
        suppressing.missing(view)
        return
    rank = kept.kappa.shape[1]
    heading.heading("The edit", definitions.SPECTRA + definitions.SUPPRESSION, "What is edited, and how")
    edits.preset_buttons(PAGE, rank)
    edit = edits.knobs(PAGE, rank)
    outcome = suppression.outcome(view, edit, rank, first, last)
    if outcome is None:
        suppressing.missing(view)
        return
    st.markdown(f"#### {suppressing.sentence(outcome)}")
    suppressing.cards(outcome, kept)
    st.caption(suppressing.source(view, kept))
    confidence.button(view, ("E_h2",), last, first)
    marker.line(view, ())
    marked = marker.pointed(view)
    with st.grid(2, min_column_width=400, gap="medium") as grid:
        for panel in (
            suppressing.new_on_old(view, outcome, kept, marked),
            suppressing.both(view, outcome, kept, marked),
            suppressing.single_samples(view, outcome, kept),
            suppressing.cumulative(view, outcome, kept, marked),
        ):
            with grid.cell():
                heading.titled(panel)


with page(PAGE):
    main()
