"""The present numbers inside the definitions: ⟦name⟧ in a text of words.py becomes what it is in this view."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pages.parts import palette, selection
from pages.parts.results import View

if TYPE_CHECKING:
    from engine.diagnostics import Fit

_PLACE = re.compile(r"⟦(\w+)⟧")


def fill(text: str, view: View | None) -> str:
    """The text with its numbers; a paragraph whose numbers do not exist here is left out."""
    paragraphs: list[str] = []
    for paragraph in text.split("\n\n"):
        try:
            paragraphs.append(_PLACE.sub(lambda found: _number(found[1], view), paragraph))
        except (ValueError, LookupError):
            # With it goes the word that leads to it.
            if paragraphs and paragraphs[-1].strip() == "Here":
                paragraphs.pop()
    return "\n\n".join(paragraphs)


def _number(name: str, view: View | None) -> str:
    if view is None:
        raise LookupError(name)
    value = NUMBERS[name](view)
    return value if isinstance(value, str) else tex(value)


def tex(value: float, digits: int = 3) -> str:
    """A number inside a formula: plain where that is short, m · 10ⁿ where it is not."""
    if not np.isfinite(value):
        raise ValueError("no such number")
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        whole = float(value).is_integer() or abs(value) >= 1000
        return f"{value:,.0f}".replace(",", r"{,}") if whole else f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}"


def matrix(view: View) -> str:
    """The covariance that is looked at."""
    wanted = selection.current().matrix
    return wanted if wanted in view.analysis.names else "C"


def _block(view: View, i: int, j: int) -> float:
    return float(view.analysis.projected(matrix(view), 2)[i, j])


def _window(view: View) -> tuple[int, int]:
    first, last = selection.current().window or (1, min(1000, view.analysis.k))
    return first - 1, min(last, view.analysis.k)


def _fit(view: View) -> "Fit":
    first, last = _window(view)
    return view.analysis.fit("C", last, first)


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'} {abs(value):.2f}"


def _rms(view: View) -> float:
    k = min(selection.current().k or 100, 300, view.analysis.k)
    r = view.analysis.correlation(matrix(view), k)
    return float(np.sqrt((np.sum(r**2) - k) / (k * (k - 1))))


NUMBERS: Mapping[str, Callable[[View], float | str]] = {
    "symbol": lambda v: palette.LOOKS[matrix(v)].tex,
    "samples": lambda v: v.analysis.provenance.samples,
    "batch": lambda v: v.analysis.provenance.batch_size,
    "H_1": lambda v: v.analysis.eigenvalues[0],
    "H_10": lambda v: v.analysis.eigenvalues[9],
    "trace_H": lambda v: v.analysis.traces["H"],
    "C_1": lambda v: v.analysis.diagonal("C")[0],
    "trace_C": lambda v: v.analysis.traces["C"],
    "trace_C_awd": lambda v: v.analysis.traces["C_awd"],
    "size": lambda v: v.analysis.traces["C_awd"] / v.analysis.traces["C"],
    "paired": lambda v: v.analysis.provenance.samples - v.analysis.provenance.unpaired,
    "K_11": lambda v: _block(v, 0, 0),
    "K_12": lambda v: _block(v, 0, 1),
    "K_22": lambda v: _block(v, 1, 1),
    "R_12": lambda v: float(v.analysis.correlation(matrix(v), 2)[0, 1]),
    "rms": _rms,
    "gamma": lambda v: f"{_fit(v).gamma:.3f}",
    "intercept": lambda v: _signed(_fit(v).intercept),
    "directions": lambda v: _fit(v).n,
    "commutator": lambda v: v.analysis.commutator(matrix(v)),
    "commutator_random": lambda v: v.analysis.random_commutator(matrix(v)),
    "diagonal_square": lambda v: float((v.analysis.diagonal(matrix(v)) ** 2).sum()),
    "square": lambda v: v.analysis.squares[matrix(v)],
    "alignment": lambda v: v.analysis.alignment(matrix(v)),
    "alignment_random": lambda v: v.analysis.random_alignment(matrix(v)),
    "floor": lambda v: v.analysis.noise_floor,
    "E_h2_1": lambda v: v.analysis.diagonal("E_h2")[0],
    "effective_1": lambda v: v.analysis.effective_curvature()[0],
    "spearman": lambda v: f"{v.analysis.spearman('C', _window(v)[1]):.4f}",
    "norm_C": lambda v: v.analysis.frobenius("C"),
    "norm_C_awd": lambda v: v.analysis.frobenius("C_awd"),
    "share_hh": lambda v: f"{100 * v.analysis.traces['C_hh'] / v.analysis.traces['C_awd']:.1f}",
    "share_hg": lambda v: f"{100 * v.analysis.traces['C_hg'] / v.analysis.traces['C_awd']:.1f}",
    "share_gg": lambda v: f"{100 * v.analysis.traces['C_gg'] / v.analysis.traces['C_awd']:.1f}",
    "sigma_w2": lambda v: v.analysis.provenance.sigma_w2,
    "accuracy": lambda v: f"{100 * v.analysis.provenance.accuracy:.2f}",
    "loss": lambda v: v.analysis.provenance.mean_loss,
}
