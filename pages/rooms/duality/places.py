"""Duality before a layer that is used at several places: one change of weights for all of them, the nearest."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.samples.close_up import Dual
from engine.samples.table import AtPlaces
from pages.charts import places
from pages.data import samples as kept
from pages.data.results import View
from pages.jobs import fetch
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.duality import choice, figures, panels, places_text, text
from pages.state import selection
from pages.ui import heading

if TYPE_CHECKING:
    import plotly.graph_objects as go

PUSH = Head("push")
MISSED = Head("missed")
CHANGE = Head("weight_change")
EXACT = Head("exact")
SIZE = Head("size")


def show(page: str, view: View, samples: AtPlaces) -> None:
    """The choice of a pair, and all about it."""
    selected, n = selection.current(), len(samples)
    p = selected.sample if selected.sample is not None and selected.sample < n else samples.hardest()
    q = selected.partner if selected.partner is not None and selected.partner < n else int(samples.near[p, 0])
    pictures = kept.pictures(view)
    shown = choice.offered(samples, int(samples.targets[p]))
    shown = shown if p in shown else np.append(shown[:-1], p)
    near = samples.near[p] if q in samples.near[p] else np.append(samples.near[p, :-1], q)
    near = np.array(list(dict.fromkeys(near[near != p].tolist())), int)
    left, right = st.columns(2, gap="large")
    with left, st.container(key=f"{page}-pair", gap="xxsmall"):
        _number(page, "sample", "Sample p", p, n, choice.choose_sample)
        choice.strip(choice.SAMPLE, samples, pictures, shown, p, "hardest first", choice.choose_sample)
        _number(page, "partner", "Partner p′", q, n, choice.choose_partner)
        choice.strip(choice.PARTNER, samples, pictures, near, q, "nearest first", choice.choose_partner)
    if p == q:
        st.warning(
            f"Sample {p:,} is alone in its class. Choose a partner by its number, or another sample.",
            icon=":material/info:",
        )
        return
    others = [(p, int(o)) for o in near] + [(int(s), int(samples.partner[s])) for s in shown]
    with right:
        one = fetch.close_up(page, view, (p, q), others)
        if one is not None and one.dual is None:
            st.warning(
                f"Nothing reaches the layer for sample {p:,}: its activity is zero, and no change of weights has an "
                "effect. Choose another sample.",
                icon=":material/info:",
            )
        if one is None or one.dual is None:
            return
        t = panels.step(page)
        _losses(view, p, q, one.dual, t)
    st.markdown(places_text.nearest(samples, one.dual, t))
    heading.heading("One change of weights for all places", places_text.LEAST, "What the pictures show")
    _change(view, samples, p, q, one.dual)
    heading.heading("What the gradient does meanwhile", places_text.GRADIENT_AT_PLACES, "What v and u are")
    left, right = st.columns([6, 5], gap="large", vertical_alignment="center")
    with left:
        names = ("t", "actual", "first_order", "curvature", "activity", "error")
        _panel(
            panels.GRADIENTS, figures.gradients(one.dual.walk, t),
            "How much the gradient changes on the way, and how much first order says.",
            {name: getattr(one.dual.walk, name) for name in names}, view, p, q, "print(one.dual.walk.relative)",
        )  # fmt: skip
    with right:
        st.markdown(text.gradient(one.dual.walk, t))
    heading.heading("How exact is it over all samples?", places_text.LEAST, "What is missed")
    _exact(view, samples, p)
    st.markdown(places_text.exact(samples))


def _number(page: str, field: str, label: str, now: int, count: int, choose: Callable[[int], None]) -> None:
    key = f"{page}.{field}"
    st.session_state[key] = now
    changed = lambda: choose(st.session_state[key])  # noqa: E731
    st.number_input(label, 0, count - 1, key=key, on_change=changed, help="Its number among the training samples.")


def _panel(
    head: Head, figure: "go.Figure", alt: str, arrays: Mapping[str, ndarray], view: View, p: int, q: int, line: str
) -> None:
    file = f"duality-{head.key.replace('_', '-')}"
    Panel(head, file, figure, alt, arrays=lambda: arrays, code=partial(reproduce.close_up, view, p, q, line)).show()


def _losses(view: View, p: int, q: int, dual: Dual, t: float) -> None:
    walk = dual.walk
    _panel(
        panels.ON_THE_WAY, figures.losses(walk, t, None),
        "The loss on the way, once with the activity of all places changed and once with the weight.",
        {"t": walk.t, "by_activity": walk.by_activity, "by_weight": walk.by_weight}, view, p, q,
        "walk = one.dual.walk",
    )  # fmt: skip


def _change(view: View, samples: AtPlaces, p: int, q: int, dual: Dual) -> None:
    """What is asked for and what is missed, place by place, and the change of weights."""
    limit = float(max(dual.push.max(), dual.missed.max()))
    maps = (
        (PUSH, dual.push, "‖WΔa<sub>t</sub>‖", "push"),
        (MISSED, dual.missed, "‖ΔW*a<sub>t</sub> − WΔa<sub>t</sub>‖", "missed"),
    )
    *rest, last = st.columns([1, 1, 2], gap="medium")
    for column, (head, z, name, field) in zip(rest, maps, strict=True):
        with column:
            words = f"{name}: of the move, what every place {'asks for' if head is PUSH else 'misses'}."
            drawn = places.where(z, samples.shape, name, name, limit)
            _panel(head, drawn, words, {field: z.reshape(samples.shape)}, view, p, q, f"z = one.dual.{field}")
    with last:
        change, kernel = dual.weight_change, samples.kernel
        drawn = places.filters(change, kernel, "ΔW*") if kernel else places.matrix(change, "ΔW*", 310)
        _panel(
            CHANGE, drawn, "The least of the weight changes that come nearest, in the shape of the weights.",
            {"weight_change": change}, view, p, q, "change = one.dual.weight_change",
        )  # fmt: skip


def _exact(view: View, samples: AtPlaces, p: int) -> None:
    """What the nearest change of weights misses and how large it is, a point a sample."""
    paired, (missed, _, size) = np.flatnonzero(np.isfinite(samples.fit[:, 0])), samples.fit.T
    both = (
        (EXACT, figures.missed(samples.distance, missed, paired, p), "misses", {"missed": missed}, "fit[:, 0]"),
        (SIZE, figures.sized(samples.distance, size, paired, p), "amounts to", {"size": size}, "fit[:, 2]"),
    )
    for column, (head, figure, does, arrays, field) in zip(st.columns(2, gap="large"), both, strict=True):
        with column:
            Panel(
                head,
                f"duality-{head.key}",
                figure,
                f"What the nearest change of weights {does}, against the distance of the partner, a point a sample.",
                arrays=partial(dict, {"distance": samples.distance} | arrays),
                code=partial(reproduce.samples, view, f"distance, values = found.distance, found.{field}"),
                on_click=choice.choose_sample,
            ).show()
