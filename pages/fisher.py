"""Whether noise is curvature divided by the batch size: the Fisher argument, link by link, along one training."""

from typing import TYPE_CHECKING

import streamlit as st

from pages.parts.frame import guarded, page

if TYPE_CHECKING:
    from pages.parts.results import View

PAGE = "fisher"


def main() -> None:
    """The knobs, the verdict, the matrices side by side at three epochs, and the three links of the argument."""
    from pages.parts import controls, samples
    from pages.parts.fisher import panels

    view = controls.opening("Is the noise the curvature over B?")
    if view is None:
        return
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        epochs = panels.epochs(PAGE, view)
    if samples.of(PAGE, view, epochs):
        with right:
            names = panels.matrices(PAGE)
        compared(view, epochs, names)


@st.fragment
@guarded
def compared(view: "View", epochs: tuple[int, ...], names: tuple[str, ...]) -> None:
    """All that the window of directions moves."""
    from engine import fisher_argument
    from pages.parts import controls, panels, pointing, samples
    from pages.parts.fisher import panels as own
    from pages.parts.fisher import telling, words

    kept = [samples.found(view, epoch) for epoch in epochs]
    stages = [fisher_argument.of(found) for found in kept if found is not None]
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    with left:
        first, last = controls.window(PAGE, view, panels.usual_window(view.analysis))
    with right:
        divided = own.relative(PAGE)
    st.markdown(f"#### {telling.verdict(stages, first, last)}")
    controls.heading("Four matrices beside H", words.ARGUMENT + words.FIGURES, "The argument, and what is drawn")
    own.side_by_side(view, stages, names, first, last, divided)
    pointing.line(view, ())
    own.slopes_and_sizes(view, stages, first, last)
    controls.heading("Three links, and where they break", words.ARGUMENT, "The argument")
    own.links(stages, first, last)
    controls.heading("In numbers", words.SLOPES + words.SIZES, level=3)
    own.table(stages, first, last)
    st.caption(controls.provenance(view))


with page(PAGE):
    main()
