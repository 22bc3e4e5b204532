"""Pictures and numbers of one analysis as several pages show them, each with its words and its provenance."""

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from engine.results.analysis import Analysis
from engine.results.names import USUAL_WINDOW
from engine.results.power_law import Fit
from pages.charts import curves
from pages.data import held_out, results
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.state import palette, selection
from pages.text import confidence, definitions, numbers, run_facts
from pages.text import held_out as text
from pages.ui.controls import usual_matrices

EXPONENT = Head("card-C", "Noise exponent γ", "the measured exponent", definitions.GAMMA)
PREDICTED = Head("card-C_awd", "Predicted γ", "the predicted exponent", definitions.C_AWD)
CAUSE = Head("card-E_h2", "γ of E[h²]", about=definitions.EFFECTIVE)
COMMUTATOR = Head("card-commutator", "Commutator error", "the commutator error", definitions.COMMUTATOR)
ALIGNMENT = Head("card-alignment", "Alignment", "the alignment", definitions.ALIGNMENT)
ACCURACY = Head("card-accuracy", "Accuracy", "the accuracy", definitions.ACCURACY)
GAMMAS = Head("gammas", "γ along training", "γ along training", definitions.GAMMA)
TRAINING = Head("training", "The training behind it", "loss and accuracy", definitions.ACCURACY)


def usual_window(analysis: Analysis) -> int:
    """𝒩: leading directions fitted unless the user says otherwise."""
    return min(USUAL_WINDOW, analysis.k)


def fit_or_none(analysis: Analysis, name: str, last: int | None = None, first: int = 0) -> Fit | None:
    """The fit, or None where the window holds too little data for one."""
    try:
        return analysis.fit(name, last, first)
    except ValueError:
        return None


def card(head: Head, value: str, sentence: str, link: str = "") -> None:
    """One number: what it is called, what it is, what it means, and behind the mark how it is defined. link: the page
    that asks more of it."""
    with st.container(border=True, height="stretch", gap="xsmall", key=head.key):
        st.metric(head.title, value, help=numbers.fill(head.about, results.present()))
        st.caption(sentence)
        if link:
            selection.page_link(link)


def headline(view: View) -> None:
    """The numbers that answer the question, each with its meaning in words."""
    a = view.analysis
    other = usual_matrices(view)[1]
    fits = {name: fit_or_none(a, name, usual_window(a)) for name in ("C", other)}
    with st.grid(5, min_column_width=170, gap="small"):
        card(EXPONENT, _gamma(fits["C"]), _steepness(view, fits["C"]), "held_out")
        card(PREDICTED if other == "C_awd" else CAUSE, _gamma(fits[other]), _agreement(fits))
        unrelated = f"Unrelated directions would give {a.random_commutator('C'):.2f}, shared ones 0."
        card(COMMUTATOR, f"{a.commutator('C'):.2f}", unrelated)
        turned = f"Turned at random {a.random_alignment('C'):.2f}; directions shared with H would give 1."
        card(ALIGNMENT, f"{a.alignment('C'):.2f}", turned)
        card(ACCURACY, run_facts.share(a.provenance.accuracy), _unseen(view))


def _steepness(view: View, fit: Fit | None) -> str:
    if fit is None:
        return "Too few directions lie above the noise floor at this epoch."
    last = usual_window(view.analysis)
    elsewhere = held_out.cross_fit(view, "C", last)
    sentences = (
        _sure(fit) + f"A direction that is 10 times sharper is {palette.number(10**fit.gamma, 2)} times noisier.",
        f"{fit.n:,} of directions 1 … {last:,}: {confidence.bent(view, 'C', last)}.",
        "" if elsewhere is None else text.beside(elsewhere),
    )
    return " ".join(filter(None, sentences))


def _unseen(view: View) -> str:
    history = view.run.history
    if math.isnan(view.analysis.provenance.accuracy):
        loss = palette.number(view.analysis.provenance.mean_loss)
        return f"Targets that are no classes have none; the mean loss is {loss}."
    test = history.test_accuracy[history.epoch == view.epoch]
    if test.size == 0 or not np.isfinite(test[0]):
        return f"Right answers on the training samples at epoch {view.epoch}."
    return f"Right answers on the training samples at epoch {view.epoch}; {test[0]:.1%} on unseen ones."


def _gamma(fit: Fit | None) -> str:
    return "—" if fit is None else f"{fit.gamma:.2f}"


def _sure(fit: Fit) -> str:
    return "" if fit.interval is None else f"95 %: {confidence.between(fit)}. "


def _agreement(fits: dict[str, Fit | None]) -> str:
    measured, predicted = fits.values()
    if measured is None or predicted is None:
        return "No fit at this epoch."
    source = "Proposed by activity–weight duality" if "C_awd" in fits else "C should be proportional to it"
    gap = abs(round(measured.gamma, 2) - round(predicted.gamma, 2))  # of the two numbers that are shown
    return _sure(predicted) + f"{source}; {gap:.2f} from the measured one, over the same directions."


def gamma_over_epochs(view: View, names: Sequence[str], first: int, last: int) -> Panel:
    """γ at every analysed epoch."""
    series = {name: np.array(results.gammas(view, name, last, first)) for name in names}
    return Panel(
        GAMMAS,
        "gamma-over-epochs",
        curves.over_epochs(view.epochs, series, view.epoch),
        "The exponent at each analysed epoch, with lines at 1 and 2.",
        f"Fitted at every epoch: directions {first + 1} … {last:,} above the noise floor.",
        arrays=lambda: {"epoch": np.array(view.epochs)} | series,
        code=lambda: reproduce.along(
            view,
            f"for name in {tuple(names)!r}:",
            f"    print(made.request.epoch, name, result.fit(name, {last}, {first}).gamma)",
        ),
    )


def training(view: View, height: int = 300) -> Panel:
    """Loss and accuracy of the whole run, the present epoch marked."""
    history = view.run.history
    columns = {name: getattr(history, name) for name in curves.RECORDS}
    return Panel(
        TRAINING,
        "training",
        curves.training(columns, view.run.request.training.epochs, height, view.epoch),
        "Loss and accuracy over the epochs of training.",
        arrays=lambda: columns,
        code=lambda: reproduce.history(view),
    )
