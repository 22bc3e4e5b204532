"""The picture of the idea: the loss over two directions, and where mini-batches throw the weights there."""

from functools import partial

import numpy as np
import streamlit as st

from cache.jobs import Job
from engine.config.commands import PlaneCommand, TrainCommand
from engine.results.plane import Plane
from engine.runs import plane as planes
from pages.charts.plane import magnification, picture
from pages.data import plane as kept
from pages.data.results import View
from pages.jobs import commands, elsewhere, watch
from pages.jobs.describe import works_on
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.start import idea_text as text
from pages.state import selection

PAGE = "start"
HEAD = Head("idea", "", "the loss and the noise over two directions")
ICON = ":material/landscape:"


def show(view: View) -> None:
    """The picture, and beside it what chooses it and what is read off it."""
    left, right = st.columns([11, 9], gap="medium")
    with right:
        pair = _pair(view)
    there = None if pair is None else kept.stored(view, pair)
    with left:
        if there is not None:
            panel(view, there).show()
        else:
            _missing(view, pair)
    with right:
        if there is not None:
            st.markdown(f"#### {text.headline(there)}")
            st.markdown(text.answer(there))
            st.markdown(text.legend(there))
            st.caption(text.provenance(there, magnification(there)))
        else:
            st.markdown(text.WAITING)


def _pair(view: View) -> tuple[int, int] | None:
    """The pair that is looked at, None where the layer has no two directions to offer."""
    usual = planes.usual(view.analysis.k)
    offered = tuple(dict.fromkeys((*usual, *kept.pairs(view))))
    chosen = selection.current().pair
    if chosen is not None and chosen[0] < chosen[1] <= view.analysis.k:
        offered = tuple(dict.fromkeys((*offered, chosen)))
    if not offered:
        return None
    shown = chosen if chosen in offered else planes.USUAL if planes.USUAL in offered else offered[-1]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.segmented_control(
            "Directions",
            offered,
            format_func=lambda pair: f"{pair[0]} and {pair[1]}",
            required=True,
            help="Eigenvectors of the curvature H: 1 is the direction in which the loss bends most, 2 the next, …",
            **selection.bound(PAGE, "pair", shown),
        )
        with st.popover("Others", icon=":material/tune:", type="tertiary"):
            _others(view)
    return shown


def _others(view: View) -> None:
    k = view.analysis.k
    with st.form("start.others", border=False):
        i = st.number_input("Direction", 1, k - 1, 2)
        j = st.number_input("and a flatter one", 2, k, min(50, k))
        if st.form_submit_button("Look there", icon=ICON):
            if i < j:
                selection.choose(pair=(int(i), int(j)))
                st.rerun()
            st.warning("The second direction comes after the first: give a larger number.")


def panel(view: View, there: Plane) -> Panel:
    """The loss, the mini-batches and the ellipse over one pair of directions."""
    i, j = there.pair
    return Panel(
        HEAD,
        f"loss-over-directions-{i}-{j}-epoch-{view.epoch}",
        picture(there),
        f"Contours of the loss over directions {i} and {j}, gradients of {len(there.batches)} mini-batches as points, "
        f"and the ellipse of their covariance C. {text.answer(there)}",
        arrays=partial(_arrays, there),
        code=partial(reproduce.plane, view, there.pair),
    )


def _arrays(there: Plane) -> dict[str, np.ndarray]:
    arrays, _ = there.to_arrays()
    return {"axis": there.axis, **arrays}


def _missing(view: View, pair: tuple[int, int] | None) -> None:
    """Why there is no picture yet, and the way to it."""
    try:
        planes.check(view.run, view.chosen, () if pair is None else (pair,))
    except ValueError as reason:
        st.info(str(reason), icon=ICON)
        return
    assert pair is not None, "it was checked"
    if elsewhere.explain(view.run, _command(view, pair), f'plane({view.epoch}, "{view.chosen.request.layer}")'):
        return
    work = _making(view, pair)
    if work is not None and isinstance(commands.command_of(work), TrainCommand):
        _until_there(view, pair)
        return
    watch.ask(
        work,
        "Moving the weights along both directions …",
        f"The loss around epoch {view.epoch} is not measured yet along directions {pair[0]} and {pair[1]}. That takes "
        "seconds for a small network, and is kept.",
        "Draw the picture",
        f"{PAGE}.plane",
        ICON,
        partial(_start, view, pair),
    )


@st.fragment(run_every=watch.WATCH_SECONDS)
def _until_there(view: View, pair: tuple[int, int]) -> None:
    """The demo at work makes it."""
    if kept.stored(view, pair) is not None or _making(view, pair) is None:
        st.rerun()
    st.info("The picture of the loss is being measured: it appears here by itself.", icon=ICON)


def _making(view: View, pair: tuple[int, int]) -> Job | None:
    """The job that makes it: a training at work, or else the newest that was started for it."""
    for job in commands.jobs().running() if pair in planes.usual(view.analysis.k) else ():
        command = commands.command_of(job)
        if isinstance(command, TrainCommand) and command.planes and works_on(job, view.run):
            return job
    return commands.newest(_command(view, pair))


def _command(view: View, pair: tuple[int, int]) -> PlaneCommand:
    pairs = () if pair in planes.PAIRS else ("-".join(map(str, pair)),)
    return PlaneCommand(view.run.key, (str(view.epoch),), view.chosen.request.layer, pairs=pairs)


def _start(view: View, pair: tuple[int, int]) -> None:
    title = f"The loss around epoch {view.epoch}, layer {view.chosen.request.layer}"
    commands.start(_command(view, pair), title, view.run.key, queue=False)
