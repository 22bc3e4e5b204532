"""How sure is γ? What qualifies an exponent, in plain sentences with the present numbers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from engine.results.analysis import Analysis
from engine.results.bend import Bend
from engine.results.exponent import Exponent
from engine.results.power_law import Fit
from engine.runs import library
from engine.runs.run import Run
from engine.sweeps.means import SEVERAL
from engine.units import counted
from pages.data import held_out, results
from pages.data.results import View
from pages.state import selection
from pages.state.palette import LOOKS, number
from pages.text import definitions
from pages.text import held_out as words

ENTRIES = 128
# Groups of samples that carry a slope, below which its interval held γ in 9 of 10 draws: tests.benchmarks.coverage.
FEW = 25

VERDICTS = {
    "straight": "**One power describes the window.**",
    "bent": "**The law is bent:** γ is an average over the window.",
    "strongly bent": "**The law is strongly bent:** γ is an average that holds at neither end.",
    "undecided": "**A bend cannot be told from chance** with so few directions.",
}

IN_SHORT = {
    "straight": "a straight law",
    "bent": "a bent law",
    "strongly bent": "a strongly bent law",
    "undecided": "too few to tell a bend",
}


def button(view: View, names: Sequence[str], last: int, first: int = 0) -> None:
    """The way to everything that qualifies γ of these covariances over directions first … last − 1."""
    paragraphs = {name: of_view(view, name, last, first) for name in names if name in view.analysis.names}
    popover(f"Epoch {view.epoch}, directions {first + 1} … {last:,}.", paragraphs, "held_out")


def popover(where: str, paragraphs: Mapping[str, str], link: str = "") -> None:
    """The button behind which stands what qualifies γ of each matrix. where: epoch and directions; link: the page that
    asks more."""
    with st.popover("How sure is γ?", icon=":material/straighten:", type="tertiary", width="content"):
        st.caption(where)
        tabs = st.tabs([f"${LOOKS[name].tex}$" for name in paragraphs]) if len(paragraphs) > 1 else [st.container()]
        for text, tab in zip(paragraphs.values(), tabs, strict=False):
            tab.markdown(text)
        if link:
            selection.page_link(link, label="Would it hold on other samples?")
        with st.expander("How each of these is found", icon=":material/help:"):
            st.markdown(definitions.SURE)


def of_view(view: View, name: str, last: int, first: int = 0) -> str:
    """What qualifies one γ, a paragraph each."""
    try:
        law = exponent(view, name, last, first)
    except ValueError as error:
        return str(error)
    others = _samples(law, view.analysis.provenance.samples, bootstrapped=name in view.analysis.replicates)
    elsewhere = held_out.cross_fit(view, name, last, first)
    if elsewhere is not None:
        others += "\n\n" + words.beside(elsewhere)
    return qualified(name, law, others, _seeds(view, name, last, first), first)


def bent(view: View, name: str, last: int, first: int = 0) -> str:
    """Whether one γ describes its window, in the fewest words."""
    try:
        return IN_SHORT[exponent(view, name, last, first).bend.verdict]
    except ValueError:
        return IN_SHORT["undecided"]


def of_frame(name: str, law: Exponent, samples: int, seed: int) -> str:
    """The same of a frame of a film over this many samples."""
    seeds = f"**Other seeds.** This is seed {seed}. Set another one, shoot again, and see how far γ moves."
    return qualified(name, law, _samples(law, samples), seeds)


def qualified(name: str, law: Exponent, others: str, seeds: str, first: int = 0) -> str:
    """What qualifies γ of a matrix: others, over samples; seeds, over seeds; and what the fit itself says."""
    own = f"γ of ${LOOKS[name].tex}$ is **{law.fit.gamma:.3f}**"
    if law.fit.interval is not None:
        own += f", 95 % {between(law.fit)}"
    return "\n\n".join((f"{own}.", others, seeds, _line(law.bend), _decades(law), _windows(law, first), _left_out(law)))


def between(fit: Fit) -> str:
    """The 95 % interval over samples; a dash without one."""
    return "—" if fit.interval is None else ends(fit.interval)


def ends(interval: tuple[float, float]) -> str:
    """An interval in three digits."""
    return f"{interval[0]:.3f} … {interval[1]:.3f}"


def brief(fit: Fit) -> str:
    """The interval for a line under a number; where none was kept, the standard error."""
    if fit.interval is None:
        return f"± {fit.stderr:.3f} of the line; no interval over samples is kept."
    return f"{fit.interval[0]:.2f} … {fit.interval[1]:.2f} (95 %, over samples)."


def exponent(view: View, name: str, last: int, first: int = 0) -> Exponent:
    """γ with all that qualifies it; ValueError where the window holds too little."""
    result = _exponent(view.key, name, last, first, view.analysis)
    if isinstance(result, str):
        raise ValueError(result)
    return result


@st.cache_resource(max_entries=ENTRIES, show_spinner=False)
def _exponent(key: results.Key, name: str, last: int, first: int, _analysis: Analysis) -> Exponent | str:
    try:
        return _analysis.exponent(name, last, first)
    except ValueError as error:
        return str(error)


def seeds(view: View, name: str, last: int, first: int = 0) -> tuple[dict[int, float], tuple[Run, ...]]:
    """γ by seed, of the run in view and of those that differ from it only in their seed, at the same epoch (at
    their last one, if the run is seen at its own) and layer; and those of them without such an analysis."""
    own = view.run
    by_seed = {own.request.seed: exponent(view, name, last, first).fit.gamma}
    without = []
    for run in library.siblings(results.runs(), own):
        gamma = _gamma_of(run, view, name, last, first)
        if math.isnan(gamma):
            without.append(run)
        else:
            by_seed[run.request.seed] = gamma
    return by_seed, tuple(without)


def _gamma_of(run: Run, view: View, name: str, last: int, first: int) -> float:
    made = {a.request.epoch: a for a in results.analysed(run) if a.request.layer == view.chosen.request.layer}
    if not made:
        return math.nan
    epoch = max(made) if view.epoch == view.epochs[-1] else view.epoch
    if epoch not in made:
        return math.nan
    fit = results.fit(results.key_of(run.key, made[epoch]), name, last, first)
    return math.nan if fit is None else fit.gamma


# -- the paragraphs ---------------------------------------------------------------------------------------


def _samples(law: Exponent, samples: int, bootstrapped: bool = False) -> str:
    if law.fit.interval is None:
        return (
            "**Other training samples.** This analysis keeps no interval over samples. Analyse the epoch again, and "
            "it will. "
            f"The standard error of the line, {law.fit.stderr:.3f}, takes neighbouring directions for independent."
        )
    how = "from bootstrap resamples" if bootstrapped else "by leaving out a hundredth of them at a time"
    few = ""
    if law.effective is not None and law.effective < FEW:
        few = (
            " Few samples carry this slope: of made-up ones as few, the interval held γ in 90 of 100 draws in place of "
            "95, and 12 of 100 straight lines were called bent in place of 5."
        )
    return (
        f"**Other training samples.** **{between(law.fit)}** is the uncertainty of this slope, for these weights "
        f"and these directions $v_i$ ({how}, of {samples:,}). That the $v_i$ were found on the same samples lifts γ, "
        f"and is not in it: other samples can lie far outside.{few}"
    )


def _seeds(view: View, name: str, last: int, first: int) -> str:
    if view.run.recorded is not None:
        return "**Other seeds.** Run the script with another one to see the spread."
    by_seed, without = seeds(view, name, last, first)
    waiting = f" {counted(len(without), 'run')} of another seed still to be analysed at this epoch." if without else ""
    if len(by_seed) < 2:
        way = "Train the same settings with another seed to see the spread." if not without else ""
        return f"**Other seeds.** Only seed {view.run.request.seed} is here.{waiting} {way}".rstrip()
    values = np.array(list(by_seed.values()))
    listed = ", ".join(f"{gamma:.3f}" for _, gamma in sorted(by_seed.items()))
    spread = f"mean ± standard deviation, n = {values.size}: {listed}"
    mean = f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
    if values.size < SEVERAL:
        mean, spread = f"{values.mean():.3f}", f"mean of {listed}; two say nothing of the spread"
    return f"**Other seeds.** Runs that differ only in their seed give **{mean}** ({spread}).{waiting}"


def _windows(law: Exponent, first: int) -> str:
    listed = "; ".join(f"{gamma:.3f} up to direction {n:,}" for n, gamma in law.windows)
    begin = f" from direction {first + 1}" if first else ""
    return f"**Other windows.** γ{begin} is {listed}."


def _left_out(law: Exponent) -> str:
    floor = f"the noise floor $H_{{ii}}$ = {number(law.noise_floor)}"
    if not law.discarded:
        return f"**Left out.** Nothing: all {law.window:,} directions of the window lie above {floor}."
    reasons = []
    if law.below_floor:
        reasons.append(f"{law.below_floor:,} lie below {floor}")
    if law.not_positive:
        reasons.append(f"of {law.not_positive:,} the variance $C_{{ii}}$ is not positive")
    return f"**Left out.** {law.discarded:.1%} of the {law.window:,} directions of the window: {' and '.join(reasons)}."


def _decades(law: Exponent) -> str:
    between = "" if law.by_decade.interval is None else f", 95 % {ends(law.by_decade.interval)}"
    return (
        "**Every decade alike.** Least squares counts directions, and most of them are flat. With equal weight for "
        f"every quarter of a decade of $H_{{ii}}$, γ is **{law.by_decade.gamma:.3f}**{between}."
    )


def _line(bend: Bend) -> str:
    how = (
        "by leaving samples out"
        if bend.over_samples
        else "by blocks of directions, which see strong bends alone, since no interval over samples is kept"
    )
    rare = "less than one" if bend.p < 1e-3 else f"{1000 * bend.p:,.0f}"
    local = f"From sharp to flat, in bins of $H_{{ii}}$, γ is **{slopes(bend)}**. " if len(bend.local) > 1 else ""
    return (
        f"**Is it a straight line?** {VERDICTS[bend.verdict]} {local}Directions lie {bend.line_rms:.3f} decades off "
        f"the line (rms), and {bend.bend_rms:.3f} off the second-order fit, whose curvature is {bend.curvature:+.3f} ± "
        f"{bend.stderr:.3f}. Chance gives that much to {rare} of 1,000 straight lines ({how})."
    ).replace("-", "−")


def slopes(bend: Bend, sure: bool = True) -> str:
    """γ in bins of H_ii, from the sharpest to the flattest; sure: each with its standard error where there is one."""
    return " → ".join(f"{b.gamma:.2f}" + (f" ± {b.stderr:.2f}" if sure and b.stderr else "") for b in bend.local)
