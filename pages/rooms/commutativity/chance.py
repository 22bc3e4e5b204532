"""A test against chance: what is off the diagonal, beside what many random rotations leave there."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st
from numpy import ndarray

from engine.results.commutation import OffDiagonal, off_diagonal, p_value
from pages.charts import curves
from pages.data import random_draws
from pages.data.random_draws import DRAWS, TESTED
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.state.palette import LOOKS
from pages.text import definitions

OFF_DIAGONAL = Head("off_diagonal", "Less than chance?", "the test against chance", definitions.OFF_DIAGONAL)
STEP = 0.15  # seconds of work between two signs of life, each a moment at which a moved knob is heard


def verdict(real: float, random: ndarray) -> str:
    """A test against chance, in words."""
    draws, as_small = random.size, int((random <= real).sum())
    p = p_value(real, random)
    if as_small == 0:
        return f"None of {draws} random rotations was as close to diagonal: p ≤ {p:.2g}."
    if as_small == draws:
        return f"Each of {draws} random rotations was at least as close to diagonal: nothing is shared (p = 1)."
    return f"{as_small} of {draws} random rotations were at least as close to diagonal: p = {p:.2g}."


def off_diagonal_test(view: View, name: str, k: int) -> Callable[[], None]:
    """Sizes of the correlations between directions beside those of many random twins. What is at hand is drawn at
    once; the returned function makes the missing draws, and is called when the rest of the page stands."""
    tested = min(k, TESTED)
    real = off_diagonal(view.analysis.correlation(name, tested))
    place = st.empty()
    try:
        chance = random_draws.chance(view, name, tested)
    except ValueError:
        with place.container():
            off_diagonal_of(view, name, tested, real, []).show()
            st.caption("Without its spectrum there is no random twin to compare it with.")
        return lambda: None

    def show() -> None:
        with place.container():
            off_diagonal_of(view, name, tested, real, chance.drawn).show()

    def progress() -> tuple[float, str]:
        made = len(chance.drawn)
        return made / DRAWS, f"Turning ${LOOKS[name].tex}$ at random: {made} of {DRAWS}"

    def complete() -> None:
        # The figure's own height, so that nothing below it moves when it comes.
        with place.container():
            bar = st.progress(*progress())
            st.skeleton(curves.LOW)
        while not chance.complete:
            pause = time.monotonic() + STEP
            while not chance.complete and time.monotonic() < pause:
                chance.draw()
            bar.progress(*progress())
        show()

    if not chance.complete:
        return complete
    show()
    return lambda: None


def off_diagonal_of(view: View, name: str, k: int, real: OffDiagonal, drawn: Sequence[OffDiagonal]) -> Panel:
    """The correlations between the leading k directions by size, beside those of the random twins drawn so far."""
    measured = float(real.rms[k - 1])
    random = np.array([d.rms[k - 1] for d in drawn])
    counts = np.array([d.counts[k - 1] for d in drawn])
    held: Mapping[str, ndarray] = {"rms_real": np.array([measured]), "counts_real": real.counts[k - 1]}
    if drawn:
        held = {**held, "rms_random": random, "counts_random": counts}
    lead, sizes, beside = "", "No two of these directions have a variance.", ""
    if np.isfinite(measured):
        if drawn:
            lead = f"**{verdict(measured, random)}**"
            beside = f", by chance {np.median(random):.3f} ({random.min():.3f} … {random.max():.3f})"
        sizes = f"Root mean square {measured:.3f}{beside}, over the leading {k} directions."
    cells = random_draws.drawn_size(view, k)
    return Panel(
        OFF_DIAGONAL,
        f"off-diagonal-{name}-{view.epoch}",
        curves.off_diagonal(real.counts[k - 1], counts if drawn else None, LOOKS[name].colour),
        "Histogram of the correlations between different directions, measured and by chance.",
        sizes,
        lead,
        arrays=lambda: held,
        code=lambda: reproduce.one(
            view,
            "import numpy as np",
            "from engine.results.commutation import off_diagonal, p_value",
            f'rms_real = off_diagonal(result.correlation("{name}", {k})).rms[-1]',
            f'drawn = (result.random_correlation("{name}", {cells}, s) for s in range({DRAWS}))',
            f"rms_random = np.array([off_diagonal(draw).rms[{k - 1}] for draw in drawn])",
            "p = p_value(rms_real, rms_random)",
        ),
    )
