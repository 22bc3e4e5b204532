"""Whether the curvature and a covariance share their eigenvectors, against chance."""

import streamlit as st

from engine.results.null import PERMUTATIONS
from pages.charts import heatmaps
from pages.data.results import View
from pages.jobs import banner, other_samples
from pages.rooms.commutativity import chance, panels
from pages.rooms.direction.line import line
from pages.rooms.held_out import nulls
from pages.state import selection
from pages.text import answers, definitions
from pages.ui import controls, heading, toolbar
from pages.ui.guard import guarded

PAGE = "commutativity"
PERMUTED = (
    f"Gradients go to other samples of their class, {PERMUTATIONS} times, and C is rebuilt; the same job reads the law "
    "on other samples."
)


def show() -> None:
    """The pictures, and numbers beside what chance gives."""
    view = banner.opening("Do noise and curvature share their directions?")
    if view is None:
        return
    leading(view)
    structural(view)


def structural(view: View) -> None:
    """C beside permuted gradients, or the button of the job that permutes them."""
    panel = nulls.panel(view)
    heading.over(nulls.STRUCTURAL)
    if panel is None:
        other_samples.offer(PAGE, view, PERMUTED)
    else:
        panel.show()


@st.fragment
@guarded
def leading(view: View) -> None:
    """All that the knobs move."""
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    with bar:
        knob = st.container()
    with toolbar.drawer(bar, f"{PAGE}.matrix", f"{PAGE}.log", f"{PAGE}.far"):
        name = controls.matrix(PAGE, view)
        logarithmic = panels.logarithmic(PAGE)
        block = view.analysis.blocks.get(name)
        most = controls.reach(PAGE, controls.LARGEST_K if block is None else block.shape[0])
        st.caption(controls.provenance(view))
    with knob:
        k = controls.top_k(PAGE, view, most)
    with place:
        heading.answer(answers.commutativity(view, name), definitions.H + definitions.C + definitions.K + definitions.R)
    draw = selection.current().draw or 0
    shown = heatmaps.raster(k)
    shown = panels.resolution(PAGE, k) if shown.step > 1 else shown
    panels.three_heatmaps(PAGE, view, name, k, draw, shown, not logarithmic)
    line(PAGE, view, (name,), k)

    def turn_again() -> None:
        selection.choose(draw=draw + 1)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"$R_\\mathrm{{rand}}$: random draw {draw + 1}.", width="stretch")
        st.button(
            "New random draw",
            icon=":material/casino:",
            help="Turn the same spectrum at random once more.",
            on_click=turn_again,
        )
    with st.grid(2, min_column_width=400, gap="medium") as pair:
        with pair.cell():
            heading.over(chance.OFF_DIAGONAL)
            complete = chance.off_diagonal_test(view, name, k)
        with pair.cell():
            heading.over(panels.COMMUTATOR)
            commutator = panels.commutator(view, name, k)
            if commutator is None:
                st.caption("The commutator of a matrix is kept with its spectrum.")
            else:
                commutator.show()
    heading.titled(panels.alignment(view, controls.offered(view.analysis.names)))
    complete()
