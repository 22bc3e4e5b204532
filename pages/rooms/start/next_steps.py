"""Where to go from the start page: four doors, and experiments that take one press."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from pages.data.results import View
from pages.state import selection


@dataclass(frozen=True)
class Door:
    """A page, what it is called here, and what happens behind it."""

    page: str
    title: str
    icon: str
    sentence: str


DOORS = (
    Door(
        "tours",
        "Take a tour",
        ":material/signpost:",
        "Five minutes through all of it, the paper figure by figure, or everything that does not fit.",
    ),
    Door(
        "train",
        "Train a network",
        ":material/exercise:",
        "Choose data, layers, loss and every setting of SGD, or one of the paper’s presets. The curves grow while you "
        "watch.",
    ),
    Door(
        "load",
        "Load a network",
        ":material/upload_file:",
        "Bring weights that you trained elsewhere. Their accuracy is measured first, so that you know they are "
        "understood.",
    ),
    Door(
        "commutativity",
        "Look closer",
        ":material/search:",
        "Every covariance of the theory beside its random twin; the power law and what goes with it; the course of "
        "training.",
    ),
)


@dataclass(frozen=True)
class Experiment:
    """A question, what is done about it, and the page and selection that answer it."""

    question: str
    deed: str
    page: str
    choice: dict[str, Any] = field(default_factory=dict)


def experiments(view: View) -> tuple[Experiment, ...]:
    """What can be tried with this run."""
    alone = len(view.chosen.request.layers) == 1
    offered = [
        Experiment(
            "Which curvatures make the exponent?",
            "Keep only the largest curvature of every sample, and see whether the law stays.",
            "suppression",
            {"keep": 1, "tail": 1e-5, "stiff": 1e-3, "damp": 1e-3, "homogenise": False},
        ),
        Experiment(
            "What if all sharp samples were equally sharp?",
            "Replace their largest curvatures by the mean, and see what becomes of the exponent.",
            "suppression",
            {"keep": 1, "tail": 1e-5, "stiff": 1e-3, "damp": 1e-3, "homogenise": True},
        ),
        Experiment(
            "Does the prediction share the directions too?",
            "The same pictures for C_AWD, which knows nothing of the measured noise.",
            "commutativity",
            {"matrix": "C_awd"},
        ),
    ] * alone  # of layers studied jointly there is neither
    if len(view.epochs) > 1:
        offered.insert(
            0,
            Experiment(
                "Was it so before training?",
                f"The same pictures at epoch {view.epochs[0]}.",
                "commutativity",
                {"epoch": view.epochs[0]},
            ),
        )
    return tuple(offered)


def show(view: View) -> None:
    """The doors, and the experiments below them."""
    st.header("Where to go from here")
    with st.grid(4, min_column_width=200, gap="small"):
        for door in DOORS:
            with st.container(border=True, height="stretch"):
                selection.page_link(door.page, label=f"**{door.title}**", icon=door.icon)
                st.caption(door.sentence)
    st.subheader("Things to try")
    with st.grid(2, min_column_width=330, gap="small"):
        for place, experiment in enumerate(experiments(view)):
            with st.container(border=True, height="stretch", horizontal=True, vertical_alignment="center", wrap=False):
                st.markdown(f"**{experiment.question}**  \n{experiment.deed}", width="stretch")
                if st.button("Try it", key=f"start.try{place}", icon=":material/arrow_forward:"):
                    selection.open_page(experiment.page, **experiment.choice)
