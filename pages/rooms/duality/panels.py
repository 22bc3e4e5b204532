"""One pair on the page: the identities, what changes, and how far first order carries."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from engine.samples.pair import Walk, pair
from engine.samples.table import Samples
from pages.data import samples
from pages.data.results import View
from pages.jobs import fetch
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.duality import figures, text
from pages.rooms.duality.choice import Chosen
from pages.state import palette, selection
from pages.state.selection import bound
from pages.text.run_names import escaped

if TYPE_CHECKING:
    import plotly.graph_objects as go

Arrays = Callable[[], Mapping[str, np.ndarray]]

STEP = Head("duality.step", part="the step on the way to the partner")
ON_THE_WAY = Head("losses", part="the two losses on the way")
ACTIVITIES = Head("activities", part="the change of activity")
WEIGHTS = Head("weights", part="the dual change of weights")
GRADIENTS = Head("gradients", part="the change of the gradient")
NEAR_FAR = Head("near_far", "Near and far", "the error of first order, near and far")
EARLY_LATE = Head("early_late", "Early and late", "the error of first order, early and late")


def impossible(chosen: Chosen) -> None:
    """Why a pair has no dual weight change, and what to do."""
    try:
        _ = chosen.pair
    except ValueError as error:
        st.warning(str(error), icon=":material/info:")


def step(page: str) -> float:
    """Slider over the way from the sample to its partner."""
    selected = selection.current().step
    return st.slider(
        "t, part of the way from p to p′",
        0.0,
        1.0,
        step=0.05,
        format="%.2f",
        help="At 0 nothing is changed, at 1 the activity has become that of the partner. Arrow keys step.",
        **bound(page, "step", 1.0 if selected is None else round(selected, 2)),
    )


def losses(view: View, chosen: Chosen, t: float) -> None:
    """Both losses on the way."""
    own = chosen.pair
    walk = own.walk()
    label = None if chosen.same_class else own.loss_by_activity(walk.t, own.other)
    columns = {"t": walk.t, "by_activity": walk.by_activity, "by_weight": walk.by_weight}
    _show(
        ON_THE_WAY,
        figures.losses(walk, t, label),
        "The loss on the way, once with the activity changed and once with the weight: the curves coincide.",
        lambda: columns if label is None else columns | {"label_of_partner": label},
        _of_pair(view, chosen, "t, left, right = walk.t, walk.by_activity, walk.by_weight"),
    )


def identities(chosen: Chosen, t: float) -> None:
    """Both identities with their numbers, and where the first one ends."""
    left, right = st.columns(2, gap="large")
    left.markdown(text.same_loss(chosen, t))
    right.markdown(text.same_gradient(chosen, t))
    if not chosen.same_class:
        st.info(text.other_class(chosen), icon=":material/call_split:")


def changes(view: View, chosen: Chosen, pictures: np.ndarray | None, t: float) -> None:
    """Both activities and their difference; the weight change with its factors, the weights before and after."""
    own = chosen.pair
    # The layer may see the picture itself.
    seen = None if pictures is None or own.start.size != pictures[0].size else pictures.shape[1:]
    left, right = st.columns([5, 8], gap="large")
    with left:
        _show(
            ACTIVITIES,
            figures.activities(own, t) if seen is None else figures.images(own, t, (seen[0], seen[1])),
            f"The layer's input for sample {chosen.sample}, on the way to that of {chosen.partner}, and the change.",
            lambda: {"a": own.start, "change": own.change},
            _of_pair(view, chosen, "a, change = one.start, one.change"),
        )
    with right:
        _show(
            WEIGHTS,
            figures.weights(own, t),
            "The least weight change that does the same, its two factors, and the weights before and after.",
            lambda: {"weight": own.weight, "weight_change": own.weight_change},
            _of_pair(view, chosen, "before, change = one.weight, one.weight_change"),
        )
    st.markdown(text.weight_change(chosen, t))


def gradient(view: View, chosen: Chosen, t: float) -> None:
    """Norms of the change of the gradient on the way, and what they say."""
    walk = chosen.pair.walk()
    left, right = st.columns([6, 5], gap="large", vertical_alignment="center")
    with left:
        names = ("t", "actual", "first_order", "curvature", "activity", "error")
        _show(
            GRADIENTS,
            figures.gradients(walk, t),
            "How much the gradient changes on the way, and how much first order says.",
            lambda: {name: getattr(walk, name) for name in names},
            _of_pair(view, chosen, "t, actual, first_order = walk.t, walk.actual, walk.first_order"),
        )
    with right:
        st.markdown(text.gradient(walk, t))


def near_and_far(page: str, view: View, chosen: Chosen) -> None:
    """Relative error of first order for near and far partners, and at every epoch whose samples are kept."""
    left, right = st.columns(2, gap="large")
    with left:
        marks = chosen.landmarks()
        marks |= {} if chosen.partner in marks.values() else {"chosen": chosen.partner}
        walks = {
            f"{name}, ‖Δa‖/‖a‖ = {own.distance:.2f}": own.walk()
            for name, partner in marks.items()
            for own in (pair(chosen.samples, chosen.sample, partner),)
        }
        st.markdown(f"**{NEAR_FAR.title}**, class {escaped(chosen.name(chosen.partner))}")
        code = (
            f"for partner in {[*marks.values()]}:",
            f"    print(pair.pair(found, {chosen.sample}, partner).walk().relative)",
        )
        _errors(NEAR_FAR, "on the way to near and far partners", walks, figures.FIRST, view, *code)
    with right:
        st.markdown(f"**{EARLY_LATE.title}**, the same two samples")
        epochs = {epoch: samples.stored(view, epoch) for epoch in view.epochs}
        by_epoch = {}
        for epoch, stored in epochs.items():
            if isinstance(stored, Samples) and stored.activity[chosen.sample].any():
                by_epoch[f"epoch {epoch}"] = pair(stored, chosen.sample, chosen.partner).walk()
        calls = (
            f"for epoch in {[epoch for epoch, stored in epochs.items() if stored is not None]}:",
            f'    found = table.read(store, run, epoch, "{view.chosen.request.layer}")',
            f"    print(pair.pair(found, {chosen.sample}, {chosen.partner}).walk().relative)",
        )
        _errors(EARLY_LATE, "on the way, at several epochs", by_epoch, palette.TRAIN, view, *calls)
        if len(by_epoch) < 2:
            missing = tuple(dict.fromkeys((view.epochs[0], view.epochs[len(view.epochs) // 2], view.epochs[-1])))
            fetch.of(page, view, missing)


def _errors(head: Head, where: str, walks: dict[str, Walk], colour: str, view: View, *code: str) -> None:
    """Relative error of first order on several ways, and what it says."""
    _show(
        head,
        figures.errors(walks, colour),
        f"Relative error of the first-order change of the gradient {where}.",
        lambda: {"t": np.linspace(0, 1, 101)} | {name: walk.relative for name, walk in walks.items()},
        lambda: reproduce.samples(view, *code, using="pair"),
    )
    st.markdown(text.errors(walks))


def _show(head: Head, figure: "go.Figure", alt: str, arrays: Arrays, code: Callable[[], str]) -> None:
    Panel(head, f"duality-{head.key.replace('_', '-and-')}", figure, alt, arrays=arrays, code=code).show()


def _of_pair(view: View, chosen: Chosen, line: str) -> Callable[[], str]:
    """Code that reads the pair in view from the cache, with its way from p to its partner."""
    made = f"one = pair.pair(found, {chosen.sample}, {chosen.partner})"
    return lambda: reproduce.samples(view, made, "walk = one.walk()", line, using="pair")
