"""The figures of the page on what predicts the noise, and what stands in place of those that are missing."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from engine.config.commands import AnalyzeCommand
from engine.results.names import NAMES, PREDICTORS
from pages.charts import over_epochs
from pages.charts.over_epochs import Times
from pages.data.results import View
from pages.jobs import commands, elsewhere
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.predictors import figures, measure, proof, text
from pages.rooms.predictors.measure import Numbers
from pages.state import palette, selection
from pages.state.palette import PREDICTOR_LOOKS
from pages.state.selection import bound
from pages.text import run_names
from pages.ui import heading, marker, steps

CLOUD = Head("predictor", "Measured against predicted", "the cloud", text.CLOUD)
BOUND = Head("predictors_bound", r"Why no noise exceeds $C_\mathrm{odds}$", "the proof", text.PREDICTED)
DISTANCES = Head("predictors_distance", "How far off is each?", "the distances", text.DISTANCE)
# Lines along training, and what is drawn there.
FOLLOWED = ("C_odds", "C_loss", "E_h2", "H", "E_loss_H", "C_awd")
ALONG: Mapping[str, tuple[Head, str, bool]] = {
    "absolute": (Head("predictors_absolute", "Distance as it is", "", text.DISTANCE), "distance from C", True),
    "scaled": (Head("predictors_scaled", "Distance at the best scale", "", text.DISTANCE), "distance from C", False),
    "slope": (Head("predictors_slope", "Slope of C on X", "", text.SLOPE), "slope of C on X", False),
    "size": (Head("predictors_size", "Size", "", text.SIZE), "tr X / tr C", True),
}


def choice(page: str, names: tuple[str, ...], nearest: str) -> str:
    """The predictor that is drawn; the nearest unless another is chosen."""
    selected = selection.current().predictor
    pressed = st.pills(
        "Predictor X",
        names,
        required=True,
        format_func=palette.spoken,
        help="  \n".join(f"${PREDICTOR_LOOKS[n].tex}$ – {(PREDICTORS.get(n) or NAMES[n])[1]}" for n in names),
        **bound(page, "predictor", selected if selected in names else nearest),
    )
    return str(pressed)


def cloud(view: View, name: str, first: int, last: int) -> Panel:
    """C_ii against X_ii."""
    a = view.analysis
    x, noise, fit = measure.diagonal(a, name), a.diagonal("C"), measure.law(a, name, first, last)
    slope = "no slope" if fit is None else f"slope {fit.gamma:.2f}"
    return Panel(
        CLOUD,
        f"predictor-{name}",
        figures.cloud(name, x, noise, measure.fitted(a, name, first, last), fit, marker.pointed(view)),
        f"Log-log plot of the measured noise against {name}: {slope}.",
        arrays=lambda: {"predicted": x, "C": noise},
        code=lambda: reproduce.one(
            view,
            f'x = result.factor("{name}") * result.diagonal("{"H" if name == "E_loss_H" else name}")',
            'c = result.diagonal("C")',
        ),
        on_click=marker.at,
    )


def distances(view: View, numbers: Mapping[str, Numbers], chosen: str) -> Panel:
    """Every predictor's distance, as it is and at the best scale."""
    order = figures.order_of(numbers, "scaled")
    distances = ", ".join(f"{PREDICTOR_LOOKS[name].html} {text.percent(numbers[name].scaled)}" for name in order)
    return Panel(
        DISTANCES,
        "predictors-distance",
        figures.distances(numbers, chosen),
        f"Distances at the best scale: {distances}.",
        arrays=lambda: {
            "predictor": np.array(order),
            **{field: np.array([getattr(numbers[name], field) for name in order]) for field in ("absolute", "scaled")},
        },
        code=lambda: reproduce.one(
            view, "for name in result.predictors:", '    print(name, result.distance("C", name))'
        ),
    )


def along(view: View, first: int, last: int) -> list[Panel]:
    """The numbers over the epochs that are analysed."""
    series = measure.along(view, first, last)
    times, epochs = Times(view.epochs, view.epoch), np.array(view.epochs)
    panels = []
    for field, (head, title, log) in ALONG.items():
        drawn = {
            name: values
            for name, values in series[field].items()
            if name in FOLLOWED and np.isfinite(values).any()
        }  # fmt: skip
        if not drawn:  # an older version kept no distances
            continue
        panels.append(
            Panel(
                head,
                head.key.replace("_", "-"),
                over_epochs.lines(times, drawn, title, log=log, looks=PREDICTOR_LOOKS),
                f"{head.title} of {', '.join(PREDICTOR_LOOKS[n].html for n in drawn) or 'no predictor'} over epochs.",
                arrays=partial(dict, {"epoch": epochs} | drawn),
                code=lambda: reproduce.along(
                    view,
                    "for name in result.predictors:",
                    '    print(made.request.epoch, name, result.distance("C", name))',
                ),
            )
        )
    return panels


def the_proof(page: str, view: View, first: int, last: int) -> None:
    """Why no noise exceeds C_odds, one step at a time, with the numbers of one direction."""
    result = view.analysis
    heading.over(BOUND, level=2)
    if "C_odds" not in result.names:
        st.markdown(result.provenance.absent.get("C_odds", "An older version made this analysis, without it."))
        return
    st.markdown(f"$${proof.STATEMENT}$$")
    chosen = steps.chosen(page, "odds", proof.TITLES)
    shown = np.flatnonzero(measure.fitted(result, "C_odds", first, last))
    if not shown.size:
        return
    i = (marker.pointed(view) or 0) - 1
    i = i if i in shown else int(shown[min(9, shown.size - 1)])
    share = np.where(measure.fitted(result, "C_odds", 0, result.k), result.diagonal("C") / result.diagonal("C_odds"), 0)
    with st.grid(2, min_column_width=400, gap="large") as pair:
        with pair.cell():
            steps.explain(chosen, proof.steps(result, i, shown)[chosen - 1])
        with pair.cell():
            Panel(
                BOUND,
                "predictors-bound",
                figures.share_of_bound(result.eigenvalues, share, i + 1),
                "The share of the bound that the measured noise fills, direction by direction; it never exceeds 1.",
                arrays=lambda: {"H": result.eigenvalues, "share": share},
                code=lambda: reproduce.one(view, 'share = result.diagonal("C") / result.diagonal("C_odds")'),
                on_click=marker.at,
            ).show()
            st.caption(f"Numbers of direction {i + 1}. Click a point for those of another.")


def absent(page: str, view: View) -> None:
    """Why a predictor is missing, in a sentence each; of an older analysis what makes it."""
    result = view.analysis
    for sentence in dict.fromkeys(result.provenance.absent.values()):
        st.caption(sentence)
    if result.overlaps:
        return
    command = replace(AnalyzeCommand.of(view.chosen.request, tuple(map(str, view.epochs))), again=True)
    st.info(
        "An older version made this analysis, without distances, $C_\\mathrm{odds}$ and $C_\\mathrm{loss}$. What it "
        "has is shown.",
        icon=":material/history:",
    )
    if elsewhere.explain(view.run, command, f'analyze({view.epoch}, "{view.chosen.request.layer}")'):
        return
    title = f"Analysing {run_names.describe(view.run)} again"
    st.button(
        "Analyse again",
        key=f"{page}.again",
        icon=":material/refresh:",
        type="primary",
        on_click=_start,
        args=(command, title, view.run.key),
    )


def _start(command: AnalyzeCommand, title: str, run: str) -> None:
    commands.start(command, title, run, queue=False)


def source(view: View, first: int, last: int) -> None:
    """Where the numbers come from."""
    weighed = text.share(view.analysis.provenance.largest)
    st.caption(
        f"Slopes: directions {first + 1} … {last:,} above the noise floor. Distances and sizes: all "
        f"{view.analysis.k:,} directions kept. {weighed}"
    )
