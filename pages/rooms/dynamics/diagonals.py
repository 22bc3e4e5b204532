"""Diagonals by index at one epoch, as the dynamics page shows them: the parts of the prediction, its approximations."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from pages.charts import over_epochs
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.rooms.dynamics.panels import PARTS, file
from pages.state.palette import LOOKS, number
from pages.text import definitions
from pages.ui.controls import APPROXIMATIONS

ALONE = "This analysis has no prediction: activity–weight duality is defined layer by layer. Choose a single layer."

OF_PARTS = Head("parts", "The parts of the prediction", "the three parts of C_AWD", definitions.PARTS)
OF_APPROXIMATIONS = Head("approximations", "Its approximations", "its approximations", definitions.APPROXIMATIONS)


def parts(last: int, view: View) -> Panel | str:
    """Diagonals of the three parts against their sum, by index."""
    if "C_awd" not in view.analysis.names:
        return ALONE
    total = view.analysis.diagonal("C_awd")[:last].sum()

    def share(name: str) -> str:
        return f"{view.analysis.diagonal(name)[:last].sum() / total:.1%}".replace("-", "−")

    shares = _each(view, PARTS, share)
    text = f"Of the variance of $C_\\mathrm{{AWD}}$ in directions 1 … {last:,}: {shares}. {_signs(view)}"
    return _panel(OF_PARTS, view, PARTS, "The diagonals of the three parts of C_AWD, and their sum, by index.", text)


def approximations(last: int, view: View) -> Panel | str:
    """Diagonals of the approximations of C_hh against C_awd, by index."""
    a = view.analysis
    if "C_awd" not in a.names:
        return ALONE
    data = slice(0, max(min(last, view.analysis.rank), 1))

    def size(name: str) -> str:
        return number(float(np.median(a.diagonal(name)[data] / a.diagonal("C_awd")[data])), 2)

    sizes = _each(view, APPROXIMATIONS, size)
    text = (
        f"Size beside $C_\\mathrm{{AWD}}$, median over directions 1 … {data.stop:,}: {sizes}. Parallel curves share γ."
    )
    return _panel(
        OF_APPROXIMATIONS, view, APPROXIMATIONS, "The diagonals of the approximations, and of C_AWD, by index.", text
    )


def _each(view: View, names: Sequence[str], number_of: Callable[[str], str]) -> str:
    return ", ".join(f"${LOOKS[n].tex}$ {number_of(n)}" for n in names if n in view.analysis.names)


def _panel(head: Head, view: View, names: Sequence[str], alt: str, text: str) -> Panel:
    """C_awd and some matrices held against it."""
    a, data = view.analysis, view.analysis.rank
    shown = {name: a.diagonal(name) for name in ("C_awd", *names) if name in a.names}
    shaded = f" Shaded: {a.k - data:,} directions below the noise floor." if data < a.k else ""
    return Panel(
        head,
        file(head, view),
        over_epochs.by_index(shown, data),
        alt,
        f"{text}{shaded}",
        arrays=lambda: {"H": a.eigenvalues} | shown,
        code=partial(reproduce.one, view, f"for name in {tuple(shown)!r}:", "    print(name, result.diagonal(name))"),
    )


def _signs(view: View) -> str:
    a = view.analysis
    if "C_hg" not in a.names:
        return ""
    cross = a.diagonal("C_hg")[: a.rank]
    negative = int((cross < 0).sum())
    if not negative:
        return f"$C_{{hg}}$ is positive in all {cross.size:,} directions above the noise floor."
    return f"$C_{{hg}}$ is drawn by its magnitude: it is negative in {negative:,} of {cross.size:,} directions (open)."
