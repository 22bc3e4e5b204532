"""What an edit of the per-sample spectra does to noise and curvature, in a sentence, numbers and figures."""

import numpy as np
import streamlit as st

from engine.results.power_law import Fit
from engine.results.suppression import Spectra
from pages.charts.power_law import Cloud
from pages.data import suppression
from pages.data.results import View
from pages.data.suppression import Outcome
from pages.jobs import analyse
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.plot.plot import Edited, numbers
from pages.rooms.suppression import figures
from pages.rooms.suppression.figures import EDITED, MEASURED, percent
from pages.state.edit import FACTORS, Edit, factor_label
from pages.text import definitions
from pages.ui import marker
from pages.ui.cards import card
from pages.ui.controls import provenance

PRESETS = Head("suppression-presets", part="the settings of Fig. 3")
NEW_ON_OLD = Head("new_on_old", "Is the noise still the same?", "new against old noise", definitions.NEW_ON_OLD)
BOTH = Head("both", "And its power law?", "the power law after the edit", definitions.GAMMA + definitions.BOUNDS)
SAMPLES = Head(
    "samples", "How single samples curve", "the curvatures of single samples", definitions.SPECTRA + definitions.STIFF
)
CUMULATIVE = Head("cumulative", "How few carry the noise", "the share of the noise by m", definitions.CARRIED)

SLOPE = Head("card-slope", "New on old C, slope", about=definitions.NEW_ON_OLD)
BEFORE = Head("card-before", "γ before", about=definitions.GAMMA)
AFTER = Head("card-after", "γ after", about=definitions.GAMMA + definitions.BOUNDS)
SHARE = Head("card-share", "Noise that m carries", about=definitions.CARRIED)
STIFF = Head("card-stiff", "Stiff samples", about=definitions.STIFF)

# The container of all that is turned here.
KNOBS = "suppression-knobs"
# What its figures hang on of them: homogenise, the window's ends, keep, tail, stiff ratio, damping.
HANGS_ON = {NEW_ON_OLD: range(7), BOTH: range(7), SAMPLES: (3, 4, 5), CUMULATIVE: (3, 4)}
# A slope or γ this near to another is called the same.
NEAR = 0.03


# -- words ------------------------------------------------------------------------------------------------


def sentence(o: Outcome) -> str:
    """What the present setting shows."""
    before, after, between = o.before, o.after, o.new_on_old
    if o.unchanged:
        known = "" if before is None else f" γ = {before.gamma:.2f}"
        return f"Every curvature is as measured:{known}." if known else "Every curvature is as measured."
    e = o.edit
    if e.keep < o.rank and e.tail < 1:
        eigenvalues = "only the dominant eigenvalue" if e.keep == 1 else f"the {e.keep} dominant eigenvalues"
        action = f"Keeping {eigenvalues} of every sample"
        action += " and giving the stiff ones the same curvature" if e.homogenise else ""
    elif e.homogenise:
        action = "Giving the stiff samples the same dominant curvature"
    else:
        action = "Damping the samples that are not stiff"
    if before is None or after is None or between is None:
        return f"{action} leaves too few directions for a slope."
    if e.homogenise:
        text = f"{action} takes γ from {before.gamma:.2f} to {after.gamma:.2f}"
        if abs(after.gamma - 1) < NEAR:
            text += ", by algebra: one curvature for all makes E[h²] proportional to the edited H"
        if o.on_measured is not None:
            text += f". On the measured H it is {o.on_measured.gamma:.2f}: that is a measurement"
        return f"{text}."
    if abs(between.gamma - 1) < NEAR and between.r2 > 0.99:
        return f"{action} leaves the noise almost unchanged: slope {between.gamma:.2f}, R² {between.r2:.3f}."
    return (
        f"{action} changes the noise: slope {between.gamma:.2f} on the old one, R² {between.r2:.3f}; "
        f"γ goes from {before.gamma:.2f} to {after.gamma:.2f}."
    )


def source(view: View, spectra: Spectra) -> str:
    """Which samples these numbers come from."""
    n, total = spectra.kappa.shape[0], view.analysis.provenance.samples
    drawn = f"a random {n:,} of the {total:,} samples" if n < total else f"all {n:,} samples"
    return f"From the kept spectra of {drawn}, so γ can differ a little from the other pages."


def where(view: View, spectra: Spectra) -> str:
    """The provenance of a figure made from these spectra."""
    part = f"spectra of {spectra.kappa.shape[0]:,} of them"
    return f"{provenance(view)} · {part.replace(' ', chr(0xA0))}"


def missing(view: View) -> None:
    """What to do where no spectra were kept."""
    request = view.chosen.request
    if len(request.layers) > 1:
        st.info(
            "Suppression edits the curvatures of single samples, which are defined layer by layer. Choose a single "
            "layer in the menu.",
            icon=":material/layers:",
        )
        return
    others = [a.request.epoch for a in view.analysed if a.has_spectra]
    with_spectra = f" Epochs that have them: {', '.join(map(str, sorted(others)))}." if others else ""
    soon = " An analysis that is still at work brings them with its last step." if request.spectra else ""
    analyse.ask_for_spectra(
        "suppression.spectra",
        view,
        f"The analysis of epoch {view.epoch} holds no spectra of single samples, and suppression edits those."
        f"{with_spectra}{soon}",
    )


# -- numbers and figures ----------------------------------------------------------------------------------


def cards(o: Outcome, spectra: Spectra) -> None:
    """Slope of new on old, γ before and after, the share that is kept, the stiff samples."""
    before, after, between = o.before, o.after, o.new_on_old
    share = float(figures.share(spectra.second)[o.edit.keep - 1])
    fitted = "No fit here." if between is None else f"R² = {between.r2:.4f} over {between.n:,} directions."
    kept = f"the leading {o.edit.keep}" if o.edit.keep > 1 else "the dominant one"
    with st.grid(5, min_column_width=175, gap="small"):
        card(SLOPE, _two(between), fitted)
        card(BEFORE, _two(before), "All curvatures as measured.")
        card(AFTER, _two(after), _moved(before, after))
        card(SHARE, percent(share), f"Of E[κ²α], by {kept}.")
        card(STIFF, percent(o.new.stiff), f"Their κ₁ is at least {factor_label(o.edit.stiff)} of the largest.")


def _two(fit: Fit | None) -> str:
    return "—" if fit is None else f"{fit.gamma:.2f}"


def _moved(before: Fit | None, after: Fit | None) -> str:
    if before is None or after is None:
        return "Too few directions lie above the noise floor."
    change = after.gamma - before.gamma
    return f"{change:+.2f} by the edit.".replace("-", "−") if abs(change) >= 0.005 else "As before."


def _code(view: View, edit: Edit) -> str:
    """Both diagonals before and after the edit."""
    settings = f"keep={edit.keep}, tail={edit.tail:g}, stiff_ratio={edit.stiff:g}, damp={edit.damp:g}"
    return reproduce.one(
        view,
        "old = result.suppress(keep=None)",
        f"new = result.suppress({settings}, homogenise={edit.homogenise})",
        "H_old, C_old = old.hessian_diagonal, old.noise_diagonal",
        "H_new, C_new = new.hessian_diagonal, new.noise_diagonal",
    )


def moved(view: View, spectra: Spectra, o: Outcome) -> dict[str, Edited]:
    """How each figure of this page follows its knobs; what that takes is put on the page."""
    sums = suppression.sums(view.key, spectra)
    held = f"{KNOBS}-{view.chosen.key}"
    numbers(held, np.vstack([sums.rows, o.data]))
    about = {name: value for name, value in vars(sums).items() if name != "rows"} | {
        "rank": o.rank,
        "shares": [percent(share) for share in sums.shares],
        "factors": FACTORS,
        "labels": [factor_label(factor, html=True) for factor in FACTORS],
    }
    e = o.edit
    places = (FACTORS.index(factor) for factor in (e.tail, e.stiff, e.damp))
    at = (int(e.homogenise), o.first + 1, o.last, e.keep, *places)
    return {
        head.key: Edited(KNOBS, tuple(at[place] for place in knobs), head.key, tuple(knobs), held, about)
        for head, knobs in HANGS_ON.items()
    }


def new_on_old(view: View, o: Outcome, spectra: Spectra, marked: int | None = None) -> Panel:
    """New C_ii against old."""
    fit = o.new_on_old
    old, new = (o.of_data(s.noise_diagonal) for s in (o.old, o.new))
    return Panel(
        NEW_ON_OLD,
        "suppression-new-on-old",
        figures.new_on_old(old, new, fit, o.first, o.last, marked),
        "Log-log plot of the rebuilt noise against the measured one"
        + (f", slope {fit.gamma:.2f}." if fit is not None else "."),
        "On the dotted line nothing has changed.",
        arrays=lambda: {"C_old": o.old.noise_diagonal, "C_new": o.new.noise_diagonal, "is_data": o.data},
        code=lambda: _code(view, o.edit),
        on_click=marker.at,
    )


def both(view: View, o: Outcome, spectra: Spectra, marked: int | None = None) -> Panel:
    """C_ii on H_ii, before and after."""
    old, new = (
        Cloud(name, o.of_data(s.hessian_diagonal), s.noise_diagonal, fit, o.first, o.last, style=style)
        for name, s, fit, style in (("before", o.old, o.before, MEASURED), ("after", o.new, o.after, EDITED))
    )
    return Panel(
        BOTH,
        "suppression-power-law",
        figures.both(old, new, marked),
        f"Log-log plot of noise against curvature: exponent {_two(o.before)} as measured, {_two(o.after)} edited.",
        f"Fitted: directions {o.first + 1} … {o.last:,} above the noise floor of the measured H. ",
        arrays=lambda: {
            "H_old": o.old.hessian_diagonal,
            "C_old": o.old.noise_diagonal,
            "H_new": o.new.hessian_diagonal,
            "C_new": o.new.noise_diagonal,
            "is_data": o.data,
        },
        code=lambda: _code(view, o.edit),
        on_click=marker.at,
    )


def single_samples(view: View, o: Outcome, spectra: Spectra) -> Panel:
    """|κ_m| over the samples, as measured, and where the edit takes hold."""
    threshold = o.edit.stiff * float(np.abs(spectra.kappa[:, 0]).max(initial=0.0))
    stiff = f"stiff above: {percent(o.new.stiff)} of samples"
    return Panel(
        SAMPLES,
        "suppression-spectra",
        figures.samples(spectra.kappa, o.edit.keep, factor_label(o.edit.tail, html=True), threshold, stiff),
        "Per-sample curvatures by place: median, quantiles and some single samples, on a logarithmic scale.",
        f"As measured, drawn down to 10⁻¹² of the largest. {_taken(o)}",
        arrays=lambda: {"kappa": spectra.kappa},
        code=lambda: reproduce.one(view, "kappa = result.sample_spectra().kappa"),
    )


def _taken(o: Outcome) -> str:
    """Where the edit takes hold in the figure, as far as it does."""
    e, text = o.edit, ""
    if e.keep < o.rank:
        text += "Shaded: multiplied by the tail factor. "
    if e.stiff > 0 and (e.homogenise or e.keep < o.rank):
        text += f"Below the mark κ₁ is multiplied by {factor_label(e.damp)}"
        text += ", above it replaced by the mean. " if e.homogenise else ". "
    return text


def cumulative(view: View, o: Outcome, spectra: Spectra, marked: int | None = None) -> Panel:
    """Cumulative share of E[κ²α] by m."""
    faint = "Faint: beyond the eigenvalues kept. " if o.edit.keep < o.rank else ""
    return Panel(
        CUMULATIVE,
        "suppression-share",
        figures.cumulative(spectra.second, o.edit.keep, factor_label(o.edit.tail, html=True), marked),
        "Share of the noise that the leading m eigenvalues of every sample carry, by m.",
        f"As measured, summed over all directions. {faint}",
        arrays=lambda: {"share": figures.share(spectra.second), "second": spectra.second},
        code=lambda: reproduce.one(
            view, "second = result.sample_spectra().second", "share = second.sum(axis=1).cumsum() / second.sum()"
        ),
    )
