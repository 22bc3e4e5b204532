"""Loss, accuracy and curvature along the descents, each as a figure, and their ends in numbers."""

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from engine.results.names import NAMES
from engine.results.noise import ENOUGH, LAST, Descents
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.noise import figures, text
from pages.rooms.noise.figures import look
from pages.state import selection
from pages.state.palette import number
from pages.ui import controls, heading

LOSS = Head("noise_loss", "Loss", "the loss under each noise", text.LOSS)
ACCURACY = Head("noise_accuracy", "Unseen samples", "the accuracy under each noise", text.ACCURACY)
TRACE = Head("noise_trace", "Sum of curvature, tr H", "tr H under each noise", text.TRACE)
SHARPNESS = Head("noise_sharpness", "Sharpest direction, λ₁", "λ₁ under each noise", text.SHARPNESS)
# By measure: what heads its figure, and its axis.
FIGURES: dict[str, tuple[Head, str, dict[str, Any]]] = {
    "loss": (LOSS, "loss", {}),
    "accuracy": (ACCURACY, "accuracy", {"tickformat": ".1%"}),
    "hessian": (TRACE, "tr H", {}),
    "sharpness": (SHARPNESS, "λ<sub>1</sub>", {}),
}


def beyond(page: str) -> bool:
    """Whether what happens without noise is taken away."""
    chosen, words = selection.current().relative, {False: "as measured", True: "less the one without noise"}
    return controls.either(page, "relative", "Lines", words, bool(chosen))


def followed(view: View, descents: Descents, less: bool) -> None:
    """Every measure over the steps; less: without what happens without noise."""
    with st.grid(2, min_column_width=380, gap="small") as grid:
        for measure, (head, title, more) in FIGURES.items():
            with grid.cell():
                heading.over(head)
                values = descents.values[measure]
                Panel(
                    head,
                    f"noise-{measure}-epoch-{view.epoch}",
                    figures.along(descents, measure, title, less, **more),
                    f"{head.title} over {descents.steps} steps under each noise: mean over seeds, ± their deviation.",
                    arrays=partial(dict, {"step": descents.at(measure), **values}),
                    code=partial(reproduce.descents, view, f'values = kept.values["{measure}"]'),
                ).show()


def table(descents: Descents) -> None:
    """Where each noise has led, in numbers."""
    heads = [head.title for head, _, _ in FIGURES.values()]
    lines = [f"| noise | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for name in descents.names:
        lines.append(f"| {_named(name)} | {' | '.join(_cell(descents, m, name) for m in FIGURES)} |")
    st.markdown("\n".join(lines))
    spread = ", ± their standard deviation" if descents.seeds >= ENOUGH else ""
    st.caption(f"Mean over the last {LAST:.0%} of the steps and over {descents.seeds} seeds{spread}.")


def _named(name: str) -> str:
    return f"${look(name).tex}$" if name in NAMES or name == "H" else look(name).html


def _cell(descents: Descents, measure: str, name: str) -> str:
    """Mean and deviation, to the second digit of the deviation."""
    end = descents.end(measure, name) * (100 if measure == "accuracy" else 1)
    unit = " %" if measure == "accuracy" else ""
    if not np.isfinite(end).all():
        return "–"
    if end.size < ENOUGH or not end.std():
        return number(float(end.mean()), 4) + unit
    spread = float(end.std(ddof=1))
    digits = max(0, 1 - int(np.floor(np.log10(spread))))
    return f"{end.mean():.{digits}f} ± {spread:.{digits}f}{unit}"
