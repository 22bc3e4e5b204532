"""How the power law comes about while the network learns: Fig. 4 and 5 of the paper, for one run or two."""

from functools import partial

import streamlit as st

from pages.jobs import banner
from pages.plot.panel import Head
from pages.rooms.dynamics import diagonals, panels
from pages.text import answers, confidence, definitions
from pages.ui import cards, compare, controls, heading, toolbar

PAGE = "dynamics"


def show() -> None:
    """The exponents over epochs, every measure beside them, and the diagonals at one epoch."""
    view = banner.opening("How does the law arise during training?")
    if view is None:
        return
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    with toolbar.drawer(bar, *(f"{PAGE}.{knob}" for knob in ("matrices", "window", "second"))):
        names = controls.matrices(PAGE, view)
        first, last = controls.window(PAGE, view, cards.usual_window(view.analysis))
        views = compare.views(PAGE, view)
        for one in views.values():
            st.caption(panels.along(one))
    with place:
        heading.answer(answers.dynamics(view, first, last), panels.GAMMAS.about)
    along = {name: one for name, one in views.items() if panels.several(one)}
    if along and names:
        panels.show(along, panels.GAMMAS, partial(panels.gammas, names, first, last), level=0)
        confidence.button(view, names, last, first)
    elif along:
        st.info("Press at least one covariance under Options to see its course.", icon=":material/touch_app:")
    smaller: tuple[tuple[Head, panels.Build], ...] = (
        (panels.COMMUTATORS, partial(panels.commutator, names)),
        (panels.ALIGNMENTS, partial(panels.alignment, names)),
        (panels.SPEARMAN, partial(panels.spearman, names, last)),
        (panels.NORMS, partial(panels.norms, approximations=controls.offered(controls.APPROXIMATIONS))),
    )
    # Two runs fill a row; of one run two panels do.
    columns = 3 - len(views)
    with st.grid(columns, min_column_width=400, gap="medium") as grid:
        for head, panel in smaller if along else ():
            # These two are of the covariances pressed.
            if names or head not in (panels.ALIGNMENTS, panels.SPEARMAN):
                with grid.cell():
                    panels.show(along, head, panel)
    panels.show(views, panels.TRAINING, panels.training)
    epochs = " and ".join(str(epoch) for epoch in dict.fromkeys(one.epoch for one in views.values()))
    heading.heading(f"Direction by direction, at epoch {epochs}", definitions.PARTS + definitions.APPROXIMATIONS)
    with st.grid(columns, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            panels.show(views, diagonals.OF_PARTS, partial(diagonals.parts, last))
        if controls.shows_all():
            with pair.cell():
                panels.show(views, diagonals.OF_APPROXIMATIONS, partial(diagonals.approximations, last))
