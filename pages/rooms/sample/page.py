"""The Hessian of a single sample: which samples are stiff, why, and where they point."""

import streamlit as st

from engine.samples import hessian
from engine.samples.close_up import CloseUp
from engine.samples.hessian import One
from engine.samples.table import AtPlaces, Samples
from pages.data import samples
from pages.data.results import View
from pages.jobs import banner, fetch
from pages.rooms.direction.line import line
from pages.rooms.sample import choice, panels, text
from pages.text import answers
from pages.ui import controls, heading, toolbar
from pages.ui.guard import guarded

PAGE = "sample"


def show() -> None:
    """The knobs, the samples by their stiffness, and all about the one chosen."""
    view = banner.opening("How does one sample bend the loss?")
    if view is None:
        return
    place = st.container()
    bar = toolbar.opened(PAGE, view)
    single = view.analysis.provenance.places == 1
    about = (text.ONE, text.STIFF, text.ALIGNED) if single else (text.PLACES, text.STIFF_AT_PLACES, text.SHARES)
    stored = fetch.of(PAGE, view, about=about)
    if stored:
        with toolbar.drawer(bar, f"{PAGE}.order", f"{PAGE}.of_class"):
            offered = choice.knobs(PAGE, stored[0])
            st.caption(controls.provenance(view))
        with place:
            heading.answer(text.few(stored[0]), text.ONE + text.STIFF if single else text.PLACES + text.STIFF_AT_PLACES)
        looked_at(view, *offered)
    else:
        with place:
            heading.answer(answers.NOT_LOOKED)


@st.fragment
@guarded
def looked_at(view: View, order: str, of_class: int | None) -> None:
    """All that a choice among the samples moves."""
    stored, pictures = samples.stored(view), samples.pictures(view)
    if stored is None:
        st.rerun()
        return
    sample = choice.chosen(stored)
    choice.strip(stored, pictures, sample, order, of_class)
    left, right = st.columns(2, gap="large")
    with left:
        heading.heading("Why are they?", text.STIFF if isinstance(stored, Samples) else text.STIFF_AT_PLACES, level=3)
        panels.why(PAGE, view, stored, sample)
        st.markdown(text.all_of_them(stored))
    one: panels.InHand | None = None
    with right:
        if isinstance(stored, Samples):
            one = hessian.of(stored, sample)
        elif isinstance(stored, AtPlaces):
            pairs = [(int(p), int(stored.partner[p])) for p in choice.offered(stored, order, of_class)]
            one = fetch.close_up(PAGE, view, (sample, int(stored.partner[sample])), pairs)
        if one is None:
            return
        panels.portrait(PAGE, view, stored, pictures, sample, one)

    mode = panels.mode_of(one)
    if isinstance(stored, AtPlaces) and isinstance(one, CloseUp):
        heading.heading("Which places carry its curvature?", text.SHARES, "What the shares are")
        panels.carried(view, stored, pictures, sample, one, mode)
        about = text.SPECTRUM_AT_PLACES + text.ALIGNED
    elif isinstance(stored, Samples) and isinstance(one, One):
        heading.heading("Its Hessian is a product", text.KRONECKER, "What the squares show")
        panels.product(view, stored, sample, one)
        about = text.SPECTRUM + text.EIGENVECTOR + text.ALIGNED

    heading.heading("Its curvatures and its directions", about, "What κ, u and v are")
    own = one.alignment(stored.directions)[mode - 1]
    direction = panels.direction_of(view, stored, own)
    left, right = st.columns(2, gap="large")
    with left:
        panels.spectrum(view, stored, sample, one, mode)
    with right:
        panels.alignment(view, stored, sample, one, mode, own, direction)
    left, right = st.columns(2, gap="large")
    with left:
        panels.own_direction(view, stored, sample, one, mode, direction)
    with right:
        panels.global_direction(view, stored, direction)
    line(PAGE, view, ())
    if isinstance(stored, AtPlaces) and isinstance(one, CloseUp):
        what = "filter" if stored.kernel else "output"
        heading.heading(f"The Hessian of one {what}", text.FILTER, "What is drawn")
        left, right = st.columns(2, gap="large")
        with left:
            o = panels.filter_of(view, stored, sample, one)
        with right:
            panels.filter_hessian(view, stored, sample, one, o)
