"""The front door: what this is, the demo at work, and its results at a glance."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.jobs import demo
from pages.shell.frame import page
from pages.ui.guard import guarded

if TYPE_CHECKING:
    from pages.data.results import View


def introduction() -> None:
    """What this is, in two sentences."""
    st.title("How SGD’s noise follows the curvature of the loss")
    st.markdown(
        "Training by stochastic gradient descent is noisy, and the noise is not the same in every direction: where the "
        "loss bends sharply, the noise is strong. Gammascope trains a small network on real handwritten digits, "
        "measures both, and shows the law between them: $C_{ii} \\propto H_{ii}^{\\,\\gamma}$."
    )


def overview() -> None:
    """The results of one checkpoint, from the answer down to its evidence."""
    from pages.data import results
    from pages.jobs import banner, watch
    from pages.rooms.power_law import panels as exponents
    from pages.rooms.start import next_steps
    from pages.text import confidence, definitions, numbers
    from pages.ui import cards, controls, heading, marker

    view = results.view()
    if view is None:
        watch.first_results()
        expect()
        return
    watch.progress_of(view.run.key)
    banner.jointly(view)
    controls.epoch("start", view)
    cards.headline(view)

    about = definitions.H + definitions.C + definitions.K + definitions.R
    heading.heading("Do noise and curvature share their directions?", about, "What K and R are")
    pictures(view)

    about = definitions.GAMMA + definitions.C_AWD + definitions.FLOOR
    heading.heading("By which power does noise grow with curvature?", about, "What γ, C_AWD and the lines are")
    window = cards.usual_window(view.analysis)
    names = controls.usual_matrices(view)
    with st.grid(2, min_column_width=420, gap="medium") as pair:
        with pair.cell():
            exponents.law(
                {"": view}, exponents.clouds({"": view}, names, 0, window), marked=marker.pointed(view)
            ).show()
            confidence.button(view, names, window)
        with pair.cell():
            heading.titled(cards.gamma_over_epochs(view, names, 0, window))
            st.markdown(numbers.fill(definitions.SIZE, view))
    heading.titled(cards.training(view), level=2)
    st.caption(controls.provenance(view))
    next_steps.show(view)


@st.fragment
@guarded
def pictures(view: "View") -> None:
    """The slider over directions, and what alone it moves."""
    from pages.rooms.commutativity import panels as directions
    from pages.state import selection
    from pages.ui import controls

    with st.container(width=420):
        k = controls.top_k("start", view)
    directions.three_heatmaps("start", view, "C", k, seed=selection.current().draw or 0)
    st.caption(controls.provenance(view))


def expect() -> None:
    """What will appear, while it is being made."""
    from pages.text import definitions
    from pages.ui import heading

    st.subheader("What you will see")
    heading.what_will_be_seen((definitions.H, definitions.C, definitions.C_AWD))


with page("start"):
    demo.start_on_an_empty_cache()
    introduction()
    overview()
