"""Which sample is looked at: offered by its curvature and class, chosen with a click."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.samples.table import OFFERED, Table
from pages.charts import thumbnails
from pages.plot.panel import Head, Panel
from pages.state import palette, selection
from pages.state.selection import bound
from pages.text.run_names import escaped

ORDERS: Mapping[str, str] = {"stiffest": "stiffest", "softest": "softest", "all": "stiff to soft"}


def sharpness(samples: Table) -> ndarray:
    """|κ_1| of every sample."""
    return np.abs(samples.kappa[:, 0])


def ranked(samples: Table) -> ndarray:
    """All samples, the stiffest first."""
    return np.argsort(-sharpness(samples), kind="stable")


def chosen(samples: Table) -> int:
    """The sample that is selected, if there is one of that number; else the stiffest."""
    selected = selection.current().sample
    return selected if selected is not None and selected < len(samples) else int(ranked(samples)[0])


def choose(sample: int) -> None:
    """Look at this sample, as a click on it does."""
    selection.choose(sample=sample)


def offered(samples: Table, order: str, of_class: int | None, count: int = OFFERED) -> ndarray:
    """At most `count` samples of a class (None: of all): the stiffest, the softest, or evenly spread from stiff to
    soft."""
    pool = ranked(samples)
    pool = pool if of_class is None else pool[samples.targets[pool] == of_class]
    if order == "softest":
        return pool[::-1][:count]
    if order == "all" and pool.size > count:
        return pool[np.linspace(0, pool.size - 1, count).round().astype(int)]
    return pool[:count]


def knobs(page: str, samples: Table) -> tuple[str, int | None]:
    """Which samples are offered: their order and their class."""
    now = selection.current()
    classes = [None, *range(len(samples.class_names))]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        order = st.segmented_control(
            "Samples",
            list(ORDERS),
            format_func=ORDERS.__getitem__,
            required=True,
            **bound(page, "order", now.order if now.order in ORDERS else "stiffest"),
        )
        of_class = st.selectbox(
            "Class",
            classes,
            format_func=lambda c: "all" if c is None else samples.class_names[c],
            width=130,
            **bound(page, "of_class", now.of_class if now.of_class in classes else None),
        )
    return str(order), of_class


STRIP = Head("strip", part="the samples in a row")


def strip(samples: Table, pictures: ndarray | None, sample: int, order: str, of_class: int | None) -> None:
    """The samples offered; a click looks at one."""
    shown = offered(samples, order, of_class)
    if not shown.size:
        st.caption("No training sample is of this class.")
        return
    size = sharpness(samples)
    Panel(
        STRIP,
        "samples-by-curvature",
        thumbnails.strip(
            samples, pictures, shown.tolist(), (sample,), [f"κ<sub>1</sub> = {palette.number(size[p])}" for p in shown]
        ),
        f"{shown.size} training samples, ordered by their sharpest curvature.",
        arrays=lambda: {"sample": shown, "kappa_1": samples.kappa[shown, 0], "target": samples.targets[shown]},
        on_click=choose,
    ).show()


def stepper(page: str, samples: Table, sample: int) -> None:
    """Which sample it is, one step stiffer or softer."""
    order = ranked(samples)
    place = int(np.flatnonzero(order == sample)[0])
    name = escaped(samples.class_names[samples.targets[sample]])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### Sample {sample:,}, a “{name}”", width="content")
        for label, icon, to in (("Stiffer", ":material/chevron_left:", -1), ("Softer", ":material/chevron_right:", 1)):
            possible = 0 <= place + to < order.size
            st.button(
                label,
                key=f"{page}.{label}",
                icon=icon,
                type="tertiary",
                disabled=not possible,
                on_click=choose,
                args=(int(order[place + to]) if possible else sample,),
            )
