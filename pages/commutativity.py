"""Whether the curvature and a covariance share their eigenvectors, against chance."""

import streamlit as st

from pages.parts.frame import page

PAGE = "commutativity"


def main() -> None:
    """The knobs, the three pictures, and two numbers beside what chance gives."""
    from pages.parts import controls, jobs, panels, results, selection, words

    st.title("Do noise and curvature share their directions?")
    view = results.view()
    if view is None:
        controls.nothing_yet()
        return
    jobs.progress_of(view.run.key)
    with st.grid(3, min_column_width=185, gap="medium", vertical_alignment="bottom") as grid:
        with grid.cell():
            name = controls.matrix(PAGE, view)
        with grid.cell():
            controls.epoch(PAGE, view)
        with grid.cell():
            k = controls.top_k(PAGE, view)
    draw = selection.current().draw or 0
    controls.heading("Three pictures of one matrix", words.H + words.C + words.K + words.R, "What H, C, K and R are")
    panels.three_heatmaps(view, name, k, draw)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Random draw {draw + 1}. {controls.provenance(view)}", width="stretch")
        if st.button("New random draw", icon=":material/casino:", help="Turn the same spectrum at random once more."):
            selection.choose(draw=draw + 1)
            st.rerun()
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            controls.heading("Less than chance?", words.OFF_DIAGONAL, level=3)
            panels.off_diagonal(view, name, k, draw)
        with pair.cell():
            controls.heading("Do they commute?", words.COMMUTATOR, level=3)
            panels.commutator(view, name, k)
    controls.heading("Which covariances are diagonal in the eigenbasis of H?", words.ALIGNMENT, level=3)
    panels.alignment(view)


with page(PAGE):
    main()
