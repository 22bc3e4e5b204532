"""One run along training, or two beside each other: each panel of the dynamics page with its words."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy import ndarray

from pages.charts import over_epochs
from pages.charts.curves import RECORDS
from pages.charts.over_epochs import Times
from pages.data import held_out, results
from pages.data.results import Course, View
from pages.jobs import analyse
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.state.palette import LOOKS
from pages.text import definitions
from pages.text.run_names import escaped
from pages.ui import heading
from pages.ui.controls import APPROXIMATIONS, provenance, usual_matrices

PARTS = ("C_hh", "C_hg", "C_gg")
# Standard errors to either side of γ that hold 95 % of a normal distribution.
WIDTH = 1.96
# An interval so many times as wide as at the other epochs is explained; effective samples below FEW are few.
WIDE, FEW = 2.0, 100

GAMMAS = Head("gammas", "The exponent", "γ along training", definitions.GAMMA + definitions.LEARNED)
COMMUTATORS = Head(
    "commutators", "Do noise and curvature commute?", "the commutator error along training", definitions.COMMUTATOR
)
ALIGNMENTS = Head("alignments", "Do they share directions?", "the alignment along training", definitions.ALIGNMENT)
SPEARMAN = Head("spearman", "Do they share the order?", "the rank correlation along training", definitions.SPEARMAN)
NORMS = Head("norms", "How large are they?", "the sizes along training", definitions.NORMS)
TRAINING = Head("training", "Loss and accuracy", "loss and accuracy", definitions.ACCURACY + definitions.LEARNED)


def file(head: Head, view: View) -> str:
    """The name of a panel's downloads."""
    return f"{head.key}-{view.run.key[:8]}"


# Of a view its panel, or a sentence that says why there is none.
Build = Callable[[View], Panel | str]


def show(views: Mapping[str, View], head: Head, panel: Build, level: int = 3) -> None:
    """Under their heading, none at level 0, one panel of each run, by its name, on the same axes; a sentence stands
    where there is none."""
    if level:
        heading.over(head, level=level)
    built = [panel(view) for view in views.values()]
    over_epochs.share([one.figure for one in built if isinstance(one, Panel)])
    for place, (cell, name, one) in enumerate(zip(_cells(len(views)), views, built, strict=True)):
        with cell:
            if len(views) > 1:
                st.markdown(f"**{escaped(name)}**")
            if isinstance(one, str):
                st.info(one, icon=":material/info:")
            else:
                one.show("_beside" if place else "")


def _cells(count: int) -> Sequence:
    return st.columns(count, gap="medium") if count > 1 else [st.container()]


# -- what is known of a run ---------------------------------------------------------------------------------


def learned(view: View) -> int | None:
    """The first epoch at which every training sample is right; None if there is none."""
    history = view.run.history
    right = history.epoch[history.train_accuracy == 1]
    return int(right[0]) if right.size else None


def times(view: View) -> Times:
    """The epochs that are drawn and marked."""
    return Times(view.epochs, view.epoch, learned(view))


def several(view: View) -> bool:
    """Whether there is a course to draw; if not, say how to get one."""
    if len(view.epochs) > 1:
        return True
    analyse.ask_for_every_epoch(
        f"dynamics.all-{view.run.key}",
        view,
        f"Of run {view.run.key[:8]} only epoch {view.epoch} is analysed, and one point makes no curve. Loss, accuracy "
        "and the diagonals are shown already.",
    )
    return False


def along(view: View) -> str:
    """Provenance of a curve over epochs."""
    ends = f"{len(view.epochs)}\u00a0epochs\u00a0({view.epochs[0]}\u00a0…\u00a0{view.epochs[-1]})"
    return provenance(view).replace(f"epoch\u00a0{view.epoch}", ends)


def milestone(view: View) -> str:
    """When every training sample was right, in a sentence."""
    epoch = learned(view)
    if epoch is not None:
        return f"Every training sample is right for the first time at epoch {epoch} (dash-dotted line)."
    accuracy = view.run.history.train_accuracy
    if not accuracy.size:
        return "The epoch of 100 % training accuracy is unknown: this run has no history."
    if np.isnan(accuracy).all():
        return "Its training accuracy is not known, as where targets are no classes."
    best = int(np.nanargmax(accuracy))
    # Rounded down: 99.997 % is not 100 %.
    share = np.floor(1e4 * accuracy[best]) / 1e4
    return (
        f"Training accuracy never reached 100 %; its highest was {share:.2%} at epoch {view.run.history.epoch[best]}."
    )


# -- over epochs --------------------------------------------------------------------------------------------


def _courses(view: View, names: Sequence[str], last: int | None = None, first: int = 0) -> dict[str, Course]:
    return {n: results.course(view, n, last, first) for n in names if n in view.analysis.names}


def _columns(view: View, courses: Mapping[str, Course], *measures: str) -> dict[str, ndarray]:
    """The numbers of a panel over epochs, by matrix and measure."""
    columns = {
        f"{name}_{measure}": getattr(course, measure) for name, course in courses.items() for measure in measures
    }
    return {"epoch": np.array(view.epochs)} | columns


def _calls(view: View, names: Sequence[str], *questions: str) -> Callable[[], str]:
    """Code that asks each analysed epoch the same about some matrices; {} stands for a name."""
    asked = [f"result.{question}" for question in questions]
    calls = ", ".join(question.replace("{}", "name") for question in asked)
    return partial(
        reproduce.along, view, f"for name in {tuple(names)!r}:", f"    print(made.request.epoch, name, {calls})"
    )


# A measure of a matrix: its name in a Course, its axis, the engine's question, and whether chance is drawn beside it.
Measure = tuple[str, str, str, bool]


def _panel(head: Head, view: View, courses: Mapping[str, Course], measure: Measure, alt: str, caption: str) -> Panel:
    """One measure of some matrices over epochs."""
    name, title, question, beside_chance = measure
    names = (name, f"{name}_random") if beside_chance else (name,)
    series = [{n: getattr(course, name) for n, course in courses.items()} for name in names]
    return Panel(
        head,
        file(head, view),
        over_epochs.lines(times(view), series[0], title, *series[1:], log=head is NORMS),
        alt,
        caption,
        arrays=lambda: _columns(view, courses, *names),
        code=_calls(view, tuple(courses), *(question, f"random_{question}")[: len(names)]),
    )


def gammas(names: Sequence[str], first: int, last: int, view: View) -> Panel:
    """γ over epochs, and what became of it in a sentence."""
    courses = _courses(view, names, last, first)
    carrying = {n: held_out.carrying(view, n) for n in courses}
    figure = over_epochs.gammas(
        times(view),
        {n: c.gamma for n, c in courses.items()},
        {n: interval(c) for n, c in courses.items()},
        {n: _hovers(view, c, carrying[n]) for n, c in courses.items()},
    )
    unsure = " ".join(_unsure(view, n, c, carrying[n]) for n, c in courses.items())
    changes = "; ".join(filter(None, (_change(n, c.gamma) for n, c in courses.items())))
    return Panel(
        GAMMAS,
        file(GAMMAS, view),
        figure,
        "The exponent of each covariance at each analysed epoch, with lines at 1 and 2.",
        f"Fitted: directions {first + 1} … {last:,} above the noise floor. {_bars(courses)} {unsure}",
        arrays=lambda: _columns(view, courses, "gamma", "stderr", "low", "high"),
        code=_calls(view, names, f"fit({{}}, {last}, {first})"),
        lead=f"From epoch {view.epochs[0]} to {view.epochs[-1]}: {changes or 'no fit at any epoch'}. {milestone(view)}",
    )


def interval(course: Course) -> tuple[ndarray, ndarray]:
    """Both ends of the 95 % interval of γ: over samples where that was kept, else from the standard error."""
    known, reach = np.isfinite(course.low), WIDTH * course.stderr
    return np.where(known, course.low, course.gamma - reach), np.where(known, course.high, course.gamma + reach)


def _hovers(view: View, course: Course, carrying: ndarray) -> list[str]:
    """Of each point, for the pointer: how sure it is, and how many samples carry it."""
    samples = view.analysis.provenance.samples
    return [
        (f"<br>95 %: {low:.3f} … {high:.3f}" if np.isfinite(low) else "")
        + (f"<br>carried by {size:,.0f} of {samples:,} samples" if np.isfinite(size) else "")
        for low, high, size in zip(*interval(course), carrying, strict=True)
    ]


def _unsure(view: View, name: str, course: Course, carrying: ndarray) -> str:
    """Why a point sticks out that is far less sure than the others: its interval, and the samples that carry it."""
    low, high = interval(course)
    width, sampled = high - low, np.isfinite(course.low)
    # Intervals over samples are compared with such alone.
    known = np.flatnonzero(np.isfinite(width) & (sampled | ~sampled.any()))
    if known.size < 3:
        return ""
    i = int(known[width[known].argmax()])
    others = known[known != i]
    ratio = width[i] / np.median(width[others]) if np.median(width[others]) > 0 else 0.0
    if ratio < WIDE:
        return ""
    tex = LOOKS[name].tex
    text = (
        f"At epoch {view.epochs[i]} γ of ${tex}$ is known only to {low[i]:.2f} … {high[i]:.2f}, an interval "
        f"{ratio:.1f} times as wide as at the other epochs (median): "
    ).replace("-", "−")
    if not sampled[i]:
        return f"{text}its directions scatter more around the line."
    if not np.isfinite(carrying[i]):
        return f"{text}other training samples would move it that far. How many carry it, *Other samples* finds there."
    seen = others[np.isfinite(carrying[others])]
    beside = f", {np.median(carrying[seen]):,.0f} at the others" if seen.size else ""
    few = "; with so few, single samples move γ" if carrying[i] < FEW else ""
    return f"{text}{carrying[i]:,.0f} effective samples carry $\\mathrm{{tr}}\\,{tex}$ there{beside}{few}."


def _bars(courses: Mapping[str, Course]) -> str:
    known = np.concatenate([np.isfinite(c.low) for c in courses.values()] or [np.zeros(1, bool)])
    over = "95 % intervals over training samples"
    errors = f"±\u00a0{WIDTH} standard errors of the fit, as if residuals were independent"
    if known.all():
        return f"Bars: {over}."
    return f"Bars: {over} where kept, else {errors}." if known.any() else f"Bars: {errors}; none over samples was kept."


def _change(name: str, gamma: ndarray) -> str:
    if not np.isfinite(gamma).any():
        return ""
    start, end = (f"{g:.2f}".replace("-", "−") if np.isfinite(g) else "no fit" for g in gamma[[0, -1]])
    return f"${LOOKS[name].tex}$ **{start} → {end}**"


def commutator(names: Sequence[str], view: View) -> Panel | str:
    """Commutator errors beside what chance would give, of C, what it is held against, and those matrices whose whole
    was kept."""
    asked = _courses(view, tuple(dict.fromkeys((*usual_matrices(view), *names))))
    courses = {n: c for n, c in asked.items() if np.isfinite(c.commutator).any()}
    if not courses:
        return "This analysis kept no whole matrix, so there is no commutator error."
    missing = ", ".join(f"${LOOKS[n].tex}$" for n in asked if n not in courses)
    absent = f"Of {missing} the whole matrix is not kept. " if missing else ""
    measure = "commutator", "commutator error", "commutator({})", True
    alt = "Commutator error of covariances with H over epochs, beside its value at random near 1.41."
    caption = f"0: the same eigenvectors; dotted: the same spectrum turned at random. {absent}"
    return _panel(COMMUTATORS, view, courses, measure, alt, caption)


def alignment(names: Sequence[str], view: View) -> Panel:
    """Alignment beside chance."""
    measure = "alignment", "alignment with the eigenbasis of H", "alignment({})", True
    alt = "Alignment of each covariance with the eigenbasis of H over epochs, beside its value at random."
    caption = "1: the same directions as the curvature; dotted: the same spectrum turned at random. "
    return _panel(ALIGNMENTS, view, _courses(view, names), measure, alt, caption)


def spearman(names: Sequence[str], last: int, view: View) -> Panel:
    """Rank correlation of C_ii and H_ii."""
    title = "rank correlation of C<sub>ii</sub> and H<sub>ii</sub>"
    measure = "spearman", title, f"spearman({{}}, {last})", False
    alt = "Spearman's rank correlation of noise and curvature over epochs."
    caption = f"1: the sharper a direction, the noisier, without exception. Leading {last:,} directions. "
    return _panel(SPEARMAN, view, _courses(view, names, last), measure, alt, caption)


def norms(view: View, approximations: Sequence[str] = APPROXIMATIONS) -> Panel:
    """Sizes of the measured noise, of what duality predicts, its parts and its approximations."""
    courses = _courses(view, (*usual_matrices(view), *PARTS, *approximations))
    measure = "norm", "Frobenius norm", "frobenius({})", False
    return _panel(NORMS, view, courses, measure, "Frobenius norms over epochs on a logarithmic axis.", "")


def training(view: View) -> Panel | str:
    """Loss and accuracy on the epoch axis of the other panels."""
    history = view.run.history
    if not len(history):
        return "This run has no history of loss and accuracy."
    columns = {name: getattr(history, name) for name in RECORDS}
    return Panel(
        TRAINING,
        file(TRAINING, view),
        over_epochs.training(times(view), columns),
        "Loss and accuracy over the epochs of training.",
        f"{milestone(view)} Run {view.run.key[:8]}, every epoch of its history.",
        arrays=lambda: columns,
        code=lambda: reproduce.history(view),
    )
