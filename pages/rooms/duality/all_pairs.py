"""All pairs of a checkpoint on the page: from differences of gradients to the size and shape of a covariance."""

from pathlib import Path

import numpy as np
import streamlit as st

from engine.samples.all_pairs import MATCHINGS, Differences, Matching, differences
from engine.samples.table import Samples
from pages.data import results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.duality import figures, text
from pages.rooms.duality.choice import Chosen
from pages.state import palette, selection
from pages.state.palette import LOOKS
from pages.state.selection import bound

LADDER = Head("ladder", part="the steps from tr C to tr C_AWD")
PAIRS = Head("pairs", "Pair by pair")
SHAPE = Head("shape", "Direction by direction")
ENTRIES = 12
LABELS: dict[Matching, str] = {
    "nearest": "the nearest of the class",
    "anchors": "the nearest of 20 random ones",
    "random": "a random one of the class",
}


def panel(page: str, view: View, chosen: Chosen) -> None:
    """Which partners, the steps from tr C to tr C_AWD, single pairs, and the shape along the leading directions."""
    samples, selected = chosen.samples, selection.current().matching
    matching = st.segmented_control(
        "Everyone’s partner",
        MATCHINGS,
        format_func=lambda name: LABELS[name],
        required=True,
        help="The paper looks for the nearest among 20 random samples of the class.",
        **bound(page, "matching", selected if selected in MATCHINGS else "anchors"),
    )
    with st.spinner("Comparing every sample with its partner …"):
        made = _differences(results.store().root, view.run.key, samples.epoch, samples.layer, matching, samples)
    st.markdown(text.sizes(made, samples))
    _ladder(view, made, samples, matching)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**{PAIRS.title}**: how far first order is off")
        _scatter(view, made, matching, chosen.sample)
        st.markdown(text.scatter(made))
    with right:
        st.markdown(f"**{SHAPE.title}**: the shape survives")
        _shape(view, made, matching)
        st.markdown(text.shape(made))


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _differences(root: Path, run: str, epoch: int, layer: str, matching: Matching, _samples: Samples) -> Differences:
    return differences(_samples, matching)


def steps(made: Differences, samples: Samples) -> list[tuple[str, float, str]]:
    """Each step from what is measured to what is predicted: its name, trace and colour."""
    s = made.sizes
    straight = ("… activations kept straight, loss exact", s.straightened, figures.WEIGHT)
    return [
        ("C, measured: any two samples", s.noise, figures.ACTUAL),
        ("any two of one class, exact Δg", s.same_class, figures.ACTUAL),
        ("these partners, exact Δg", s.actual, figures.ACTUAL),
        ("… without (δ′ − δ) ⊗ Δa", s.one_sided, figures.WEIGHT),
        *((straight,) if samples.chain.steps else ()),
        ("… first order, v + u", s.first_order, figures.FIRST),
        ("… and the mean: C<sub>AWD</sub>", s.with_mean, figures.FIRST),
    ]


def _code(view: View, matching: Matching, *lines: str) -> str:
    return reproduce.samples(view, f'made = all_pairs.differences(found, "{matching}")', *lines, using="all_pairs")


def _ladder(view: View, made: Differences, samples: Samples, matching: Matching) -> None:
    names, values, colours = zip(*steps(made, samples), strict=True)
    Panel(
        LADDER,
        "duality-sizes",
        figures.ladder(names, values, colours),
        "Traces of covariances from differences of gradients, step by step from what is measured to what is predicted.",
        arrays=lambda: {"trace": np.array(values)},
        code=lambda: _code(view, matching, "print(made.sizes)"),
    ).show()


def _scatter(view: View, made: Differences, matching: Matching, sample: int) -> None:
    partner = dict(zip(made.sample.tolist(), made.partner.tolist(), strict=True))

    def pick(sample: int) -> None:
        selection.choose(sample=sample, partner=partner[sample])

    Panel(
        PAIRS,
        "duality-pairs",
        figures.scatter(made, sample),
        "Log-log plot of the first-order change of the gradient against the true one, a point a pair.",
        arrays=lambda: {
            name: getattr(made, name) for name in ("sample", "partner", "distance", "actual", "first_order", "error")
        },
        code=lambda: _code(view, matching, "true, first_order = made.actual, made.first_order"),
        on_click=pick,
    ).show()


def _shape(view: View, made: Differences, matching: Matching) -> None:
    series = (
        ("C", "C, measured", LOOKS["C"].colour, LOOKS["C"].marker, made.measured),
        ("actual_along", "from exact Δg", palette.TRAIN, "square", made.actual_along),
        ("first_order_along", "from v + u", LOOKS["C_awd"].colour, LOOKS["C_awd"].marker, made.first_order_along),
    )
    Panel(
        SHAPE,
        "duality-shape",
        figures.shapes(made.eigenvalues, series),
        "Log-log plot of variances along the leading directions against curvature: parallel, at different heights.",
        arrays=lambda: {
            name: getattr(made, name) for name in ("eigenvalues", "measured", "actual_along", "first_order_along")
        },
        code=lambda: _code(view, matching, "exact, first_order = made.actual_along, made.first_order_along"),
    ).show()
