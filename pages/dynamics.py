"""How the power law comes about while the network learns: Fig. 4 and 5 of the paper for one run."""

import streamlit as st

from pages.parts.frame import page

PAGE = "dynamics"


def main() -> None:
    """The exponents over epochs, every measure beside them, and the diagonals at one epoch."""
    from pages.parts import controls, dynamics_panels, jobs, panels, results, words

    st.title("How does the law arise during training?")
    view = results.view()
    if view is None:
        controls.nothing_yet()
        return
    jobs.progress_of(view.run.key)
    names = controls.matrices(PAGE, view)
    left, right = st.columns(2, gap="large")
    with left:
        controls.epoch(PAGE, view)
    with right:
        first, last = controls.window(PAGE, view, panels.usual_window(view.analysis))
    if dynamics_panels.several(view):
        if names:
            controls.heading("The exponent", words.GAMMA + words.LEARNED)
            dynamics_panels.gammas(view, names, first, last)
        else:
            st.info("Press at least one covariance above to see its course.", icon=":material/touch_app:")
        with st.grid(2, min_column_width=400, gap="medium") as grid:
            with grid.cell():
                controls.heading("Do noise and curvature commute?", words.COMMUTATOR, level=3)
                dynamics_panels.commutator(view, first, last)
            if names:
                with grid.cell():
                    controls.heading("Do they share directions?", words.ALIGNMENT, level=3)
                    dynamics_panels.alignment(view, names, first, last)
                with grid.cell():
                    controls.heading("Do they share the order?", words.SPEARMAN, level=3)
                    dynamics_panels.spearman(view, names, first, last)
            with grid.cell():
                controls.heading("How large are they?", words.NORMS, level=3)
                dynamics_panels.norms(view, first, last)
    controls.heading("Loss and accuracy", words.ACCURACY + words.LEARNED, level=3)
    dynamics_panels.training(view)
    controls.heading(f"Direction by direction, at epoch {view.epoch}", words.PARTS + words.APPROXIMATIONS)
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            controls.heading("The parts of the prediction", words.PARTS, level=3)
            dynamics_panels.parts(view, last)
        with pair.cell():
            controls.heading("Its approximations", words.APPROXIMATIONS, level=3)
            dynamics_panels.approximations(view, last)


with page(PAGE):
    main()
