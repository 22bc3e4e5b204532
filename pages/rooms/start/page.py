"""The results of one checkpoint at a glance, from the answer down to its evidence, and where to go from there."""

import streamlit as st

from pages.data import results
from pages.data.results import View
from pages.jobs import banner, watch
from pages.rooms.commutativity.panels import logarithmic, three_heatmaps
from pages.rooms.direction.line import line
from pages.rooms.power_law.panels import clouds, law
from pages.rooms.start import idea, next_steps
from pages.state import selection
from pages.text import answers, confidence, definitions, numbers
from pages.ui import cards, controls, heading, marker, predict, toolbar
from pages.ui.guard import guarded


def show() -> None:
    """The results; until they are there, the work on them and what will appear."""
    view = results.view()
    if view is None:
        st.markdown(
            "Where the loss bends sharply, the noise of stochastic gradient descent is strong: "
            "$C_{ii} \\propto H_{ii}^{\\,\\gamma}$. Both are measured here."
        )
        watch.first_results()
        expect()
        return
    watch.progress_of(view.run.key)
    banner.notes(view)
    if not predict.hidden(view):
        heading.answer(answers.start(view))
    bar = toolbar.opened("start", view)
    with toolbar.drawer(bar):
        st.caption(controls.provenance(view))
    idea.show(view)
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
            law({"": view}, clouds({"": view}, names, 0, window), marked=marker.pointed(view)).show()
            line("start.law", view, names)
            confidence.button(view, names, window)
        with pair.cell():
            heading.titled(cards.gamma_over_epochs(view, names, 0, window))
            st.markdown(numbers.fill(definitions.SIZE, view))
    heading.titled(cards.training(view), level=2)
    next_steps.show(view)


@st.fragment
@guarded
def pictures(view: View) -> None:
    """The slider over directions, and what alone it moves."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        with st.container(width=420):
            k = controls.top_k("start", view, label="Leading directions shown, k")
        roots = not logarithmic("start")
    three_heatmaps("start", view, "C", k, seed=selection.current().draw or 0, roots=roots)
    line("start", view, ("C",))


def expect() -> None:
    """What will appear, while it is being made."""
    st.subheader("What you will see")
    heading.what_will_be_seen((definitions.H, definitions.C, definitions.C_AWD))
