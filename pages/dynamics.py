"""How the power law comes about while the network learns: Fig. 4 and 5 of the paper, for one run or two."""

from functools import partial

import streamlit as st

from pages.shell.frame import page

PAGE = "dynamics"


def main() -> None:
    """The exponents over epochs, every measure beside them, and the diagonals at one epoch."""
    from pages.data import results
    from pages.jobs import banner, watch
    from pages.rooms.dynamics import diagonals
    from pages.rooms.dynamics import panels as over
    from pages.text import confidence, definitions
    from pages.ui import cards, compare, controls, heading

    st.title("How does the law arise during training?")
    view = results.view()
    if view is None:
        banner.nothing_yet()
        return
    watch.progress_of(view.run.key)
    banner.jointly(view)
    names = controls.matrices(PAGE, view)
    with st.grid(3, min_column_width=220, gap="medium", vertical_alignment="bottom") as knobs:
        with knobs.cell():
            controls.epoch(PAGE, view)
        with knobs.cell():
            first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        with knobs.cell():
            views = compare.views(PAGE, view)
    along = {name: one for name, one in views.items() if over.several(one)}
    if along and names:
        heading.heading("The exponent", definitions.GAMMA + definitions.LEARNED)
        over.show(along, "gammas", partial(over.gammas, names, first, last))
        confidence.button(view, names, last, first)
    elif along:
        st.info("Press at least one covariance above to see its course.", icon=":material/touch_app:")
    smaller: tuple[tuple[str, str, str, over.Build], ...] = (
        ("Do noise and curvature commute?", definitions.COMMUTATOR, "commutators", partial(over.commutator, names)),
        ("Do they share directions?", definitions.ALIGNMENT, "alignments", partial(over.alignment, names)),
        ("Do they share the order?", definitions.SPEARMAN, "spearman", partial(over.spearman, names, last)),
        ("How large are they?", definitions.NORMS, "norms", over.norms),
    )
    # Two runs fill a row; of one run two panels do.
    columns = 3 - len(views)
    with st.grid(columns, min_column_width=400, gap="medium") as grid:
        for title, definition, key, panel in smaller if along else ():
            # These two are of the covariances pressed.
            if names or key not in ("alignments", "spearman"):
                with grid.cell():
                    heading.heading(title, definition, level=3)
                    over.show(along, key, panel)
    heading.heading("Loss and accuracy", definitions.ACCURACY + definitions.LEARNED, level=3)
    over.show(views, "training", over.training)
    epochs = " and ".join(str(epoch) for epoch in dict.fromkeys(one.epoch for one in views.values()))
    heading.heading(f"Direction by direction, at epoch {epochs}", definitions.PARTS + definitions.APPROXIMATIONS)
    with st.grid(columns, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            heading.heading("The parts of the prediction", definitions.PARTS, level=3)
            over.show(views, "parts", partial(diagonals.parts, last))
        with pair.cell():
            heading.heading("Its approximations", definitions.APPROXIMATIONS, level=3)
            over.show(views, "approximations", partial(diagonals.approximations, last))


with page(PAGE):
    main()
