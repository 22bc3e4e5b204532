"""One run along training, as the dynamics page shows it: each panel with its words and its provenance."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy import ndarray

from pages.parts import dynamics_figures, results
from pages.parts.controls import draw, provenance
from pages.parts.dynamics_figures import Times
from pages.parts.palette import LOOKS, number
from pages.parts.results import Course, View

MEASURED = ("C", "C_awd")
PARTS = ("C_hh", "C_hg", "C_gg")
APPROXIMATIONS = ("C_hh_sd", "C_hh_sd_wd", "C_hh_sd_wd_li")
COLUMNS = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


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
    if len(view.run.checkpoints) > 1:
        remedy = (
            f"Type `python -m engine analyze --run {view.run.key[:8]} --epoch all` in a terminal to analyse every "
            "checkpoint of this run; the curves appear here."
        )
    else:
        remedy = (
            "This run kept only one checkpoint: train again with, for instance, "
            "`python -m engine train --checkpoints 0,1,10,30,100 --analyze all`."
        )
    st.info(
        f"Only epoch {view.epoch} is analysed, and one point makes no curve. {remedy} Loss, accuracy and the diagonals "
        "are shown already.",
        icon=":material/timeline:",
    )
    return False


def _along(view: View) -> str:
    """Provenance of a curve over epochs."""
    ends = f"{len(view.epochs)}\u00a0epochs\u00a0({view.epochs[0]}\u00a0…\u00a0{view.epochs[-1]})"
    return provenance(view).replace(f"epoch\u00a0{view.epoch}", ends)


def _courses(view: View, names: Sequence[str], first: int, last: int) -> dict[str, Course]:
    return {name: results.course(view, name, last, first) for name in names}


def _milestone(view: View) -> str:
    epoch = learned(view)
    if epoch is not None:
        return f"Every training sample is right for the first time at epoch {epoch} (dash-dotted line)."
    accuracy = view.run.history.train_accuracy
    if not accuracy.size:
        return "The epoch of 100 % training accuracy is unknown: this run has no history."
    best = int(np.argmax(accuracy))
    # Rounded down: 99.997 % is not 100 %.
    share = np.floor(1e4 * accuracy[best]) / 1e4
    return (
        f"Training accuracy never reached 100 %; its highest was {share:.2%} at epoch {view.run.history.epoch[best]}."
    )


def gammas(view: View, names: Sequence[str], first: int, last: int) -> None:
    """γ over epochs, and what became of it in a sentence."""
    found = _courses(view, names, first, last)
    draw(
        dynamics_figures.gammas(
            times(view), {n: c.gamma for n, c in found.items()}, {n: (c.low, c.high) for n, c in found.items()}
        ),
        "gammas",
        "gamma-over-epochs",
        "The exponent of each covariance at each analysed epoch, between the bounds 1 and 2.",
    )
    told = "; ".join(filter(None, (_change(n, c.gamma) for n, c in found.items())))
    bars = (
        " Bars: 95 % bootstrap intervals over training samples."
        if any(np.isfinite(c.low).any() for c in found.values())
        else ""
    )
    st.markdown(
        f"From epoch {view.epochs[0]} to {view.epochs[-1]}: {told or 'no fit at any epoch'}. {_milestone(view)}"
    )
    st.caption(f"Fitted: directions {first + 1} … {last:,} above the noise floor.{bars} {_along(view)}")


def _change(name: str, gamma: ndarray) -> str:
    if not np.isfinite(gamma).any():
        return ""
    start, end = (f"{g:.2f}".replace("-", "−") if np.isfinite(g) else "no fit" for g in gamma[[0, -1]])
    return f"${LOOKS[name].tex}$ **{start} → {end}**"


def commutator(view: View, first: int, last: int) -> None:
    """Commutator errors beside what chance would give, of the matrices whose whole was kept."""
    found = {n: c for n, c in _courses(view, MEASURED, first, last).items() if np.isfinite(c.commutator).any()}
    if not found:
        st.info("This analysis kept no whole matrix, so there is no commutator error.", icon=":material/info:")
        return
    draw(
        dynamics_figures.lines(
            times(view),
            {n: c.commutator for n, c in found.items()},
            "commutator error",
            {n: c.commutator_random for n, c in found.items()},
            low=0,
        ),
        "commutators",
        "commutator-over-epochs",
        "Commutator error of C and C_AWD with H over epochs, beside its value at random near 1.41.",
    )
    st.caption(f"Only $C$ and $C_\\mathrm{{AWD}}$: of the others the whole matrix is not kept. {_along(view)}")


def alignment(view: View, names: Sequence[str], first: int, last: int) -> None:
    """Alignment beside chance."""
    found = _courses(view, names, first, last)
    draw(
        dynamics_figures.lines(
            times(view),
            {n: c.alignment for n, c in found.items()},
            "alignment with the eigenbasis of H",
            {n: c.alignment_random for n, c in found.items()},
            low=0,
        ),
        "alignments",
        "alignment-over-epochs",
        "Alignment of each covariance with the eigenbasis of H over epochs, beside its value at random.",
    )
    st.caption(f"1: the same directions as the curvature; dotted: the same spectrum turned at random. {_along(view)}")


def spearman(view: View, names: Sequence[str], first: int, last: int) -> None:
    """Rank correlation of C_ii and H_ii."""
    found = _courses(view, names, first, last)
    draw(
        dynamics_figures.lines(
            times(view),
            {n: c.spearman for n, c in found.items()},
            "rank correlation of C<sub>ii</sub> and H<sub>ii</sub>",
        ),
        "spearman",
        "spearman-over-epochs",
        "Spearman's rank correlation of noise and curvature over epochs.",
    )
    st.caption(
        f"1: the sharper a direction, the noisier, without exception. Leading {last:,} directions. {_along(view)}"
    )


def norms(view: View, first: int, last: int) -> None:
    """Sizes of the measured noise, of what duality predicts, its parts and its approximations."""
    present = [n for n in (*MEASURED, *PARTS, *APPROXIMATIONS) if n in view.analysis.names]
    found = _courses(view, present, first, last)
    draw(
        dynamics_figures.lines(times(view), {n: c.norm for n, c in found.items()}, "Frobenius norm", log=True),
        "norms",
        "norms-over-epochs",
        "Frobenius norms over epochs on a logarithmic axis.",
    )
    st.caption(_along(view))


def training(view: View) -> None:
    """Loss and accuracy on the epoch axis of the other panels."""
    history = view.run.history
    if not len(history):
        st.info("This run has no history of loss and accuracy.", icon=":material/info:")
        return
    draw(
        dynamics_figures.training(times(view), {name: getattr(history, name) for name in COLUMNS}),
        "training",
        "training",
        "Loss and accuracy over the epochs of training.",
    )
    st.caption(f"{_milestone(view)} Run {view.run.key[:8]}, every epoch of its history.")


def parts(view: View, last: int) -> None:
    """Diagonals of the three parts against their sum, by index."""
    names = _diagonals(view, PARTS, "parts", "The diagonals of the three parts of C_AWD, and their sum, by index.")
    a = view.analysis
    total = a.diagonal("C_awd")[:last].sum()
    shares = ", ".join(f"${LOOKS[n].tex}$ {a.diagonal(n)[:last].sum() / total:.1%}" for n in names if n in PARTS)
    st.caption(
        f"Of the variance of $C_\\mathrm{{AWD}}$ in directions 1 … {last:,}: {shares.replace('-', '−')}. "
        f"{_signs(view)} {_shaded(view)} {provenance(view)}"
    )


def approximations(view: View, last: int) -> None:
    """Diagonals of the approximations of C_hh against C_awd, by index."""
    names = _diagonals(
        view, APPROXIMATIONS, "approximations", "The diagonals of the approximations, and of C_AWD, by index."
    )
    a = view.analysis
    data = slice(0, max(min(last, _data(view)), 1))
    ratios = ", ".join(
        f"${LOOKS[n].tex}$ {number(float(np.median(a.diagonal(n)[data] / a.diagonal('C_awd')[data])), 2)}"
        for n in names
        if n in APPROXIMATIONS
    )
    st.caption(
        f"Size beside $C_\\mathrm{{AWD}}$, median over directions 1 … {data.stop:,}: {ratios}. "
        f"Parallel curves share γ. {_shaded(view)} {provenance(view)}"
    )


def _diagonals(view: View, wanted: Sequence[str], key: str, alt: str) -> list[str]:
    names = [n for n in ("C_awd", *wanted) if n in view.analysis.names]
    draw(
        dynamics_figures.by_index({n: view.analysis.diagonal(n) for n in names}, _data(view)),
        key,
        f"{key}-{view.epoch}",
        alt,
    )
    return names


def _data(view: View) -> int:
    """Leading directions above the noise floor."""
    return int((view.analysis.eigenvalues > view.analysis.noise_floor).sum())


def _shaded(view: View) -> str:
    below = view.analysis.k - _data(view)
    return f"Shaded: {below:,} directions below the noise floor." if below else ""


def _signs(view: View) -> str:
    a = view.analysis
    if "C_hg" not in a.names:
        return ""
    cross = a.diagonal("C_hg")[: _data(view)]
    negative = int((cross < 0).sum())
    if not negative:
        return f"$C_{{hg}}$ is positive in all {cross.size:,} directions above the noise floor."
    return f"$C_{{hg}}$ is drawn by its magnitude: it is negative in {negative:,} of {cross.size:,} directions (open)."
