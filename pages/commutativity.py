"""Whether the curvature and a covariance share their eigenvectors, against chance."""

import streamlit as st

from pages.parts.frame import page

PAGE = "commutativity"


def main() -> None:
    """The knobs, the three pictures, and two numbers beside what chance gives."""
    from pages.parts import controls, directions, heatmaps, pointing, selection, words
    from pages.parts.animation import MOST

    view = controls.opening("Do noise and curvature share their directions?")
    if view is None:
        return
    with st.grid(3, min_column_width=185, gap="medium", vertical_alignment="bottom") as grid:
        with grid.cell():
            name = controls.matrix(PAGE, view)
        with grid.cell():
            controls.epoch(PAGE, view)
        slider = grid.cell()
    draw = selection.current().draw or 0
    controls.heading("Three pictures of one matrix", words.H + words.C + words.K + words.R, "What H, C, K and R are")
    with st.container(horizontal=True, gap="large"):
        moving = len(view.epochs) > 1 and st.toggle(
            "Play through the epochs",
            key=f"{PAGE}.play",
            help="All analysed epochs inside one figure, with a slider and a play button of its own.",
        )
        kept = view.analysis.blocks.get(name)
        most = controls.reach(PAGE, controls.LARGEST_K if kept is None else kept.shape[0])
    with slider:
        k = controls.top_k(PAGE, view, most)
    if moving:
        directions.play(view, name, min(k, MOST), draw)
    else:
        shown = heatmaps.raster(k)
        directions.three_heatmaps(view, name, k, draw, directions.resolution(PAGE, k) if shown.step > 1 else shown)
    pointing.line(view, (name,))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Random draw {draw + 1}. {controls.provenance(view)}", width="stretch")
        if st.button("New random draw", icon=":material/casino:", help="Turn the same spectrum at random once more."):
            selection.choose(draw=draw + 1)
            st.rerun()
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            controls.heading("Less than chance?", words.OFF_DIAGONAL, level=3)
            complete = directions.off_diagonal_test(view, name, k)
        with pair.cell():
            controls.heading("Do they commute?", words.COMMUTATOR, level=3)
            directions.commutator(view, name, k)
    controls.heading("Which covariances are diagonal in the eigenbasis of H?", words.ALIGNMENT, level=3)
    directions.alignment(view)
    complete()


with page(PAGE):
    main()
