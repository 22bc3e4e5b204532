"""The present numbers inside the definitions: ⟦name⟧ in a definition becomes what it is in this view.

A paragraph may claim something of them: ⟦when gamma_first + 0.02 < gamma_last⟧ at its head keeps it only where that is
so, and a paragraph behind it with ⟦else⟧ at its head stands in its place where it is not."""

import re
from collections.abc import Callable, Mapping
from math import isnan
from types import MappingProxyType

import numpy as np

from engine.results.power_law import Fit
from pages.data import held_out, results, suppression
from pages.data.results import View
from pages.data.suppression import Outcome
from pages.state import palette, selection
from pages.state.edit import Edit

_PLACE = re.compile(r"⟦(\w+)⟧")
_WHEN = re.compile(r"\s*⟦when (\w+)(?: \+ ([\d.]+))? ([<>]) ([\w.]+)⟧\s*")
_ELSE = re.compile(r"\s*⟦else⟧\s*")


def places(text: str) -> list[str]:
    """The names of the numbers that a text asks for."""
    compared = [name for match in _WHEN.finditer(text) for name in (match[1], match[4])]
    claims = [name for name in compared if not _is_number(name)]
    return [*claims, *(name for name in _PLACE.findall(text) if name != "else")]


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).isdigit()


def fill(text: str, view: View | None, more: Mapping[str, Callable[[], float | str]] = MappingProxyType({})) -> str:
    """The text with its numbers; a paragraph whose numbers do not exist here is left out. more: numbers that are
    not of the view."""
    paragraphs: list[str] = []
    claim: bool | None = None  # what the last claim came to; None where it cannot be told
    for paragraph in text.split("\n\n"):
        if when := _WHEN.match(paragraph):
            claim = _holds(when, view, more)
            if not claim:
                continue
            paragraph = paragraph[when.end() :]
        elif otherwise := _ELSE.match(paragraph):
            if claim is not False:
                continue
            paragraph = paragraph[otherwise.end() :]
        try:
            paragraphs.append(_PLACE.sub(lambda match: _number(match[1], view, more), paragraph))
        except (ValueError, LookupError):
            # With it goes the word that leads to it.
            if paragraphs and paragraphs[-1].strip() == "Here":
                paragraphs.pop()
    return "\n\n".join(paragraphs)


def _holds(when: re.Match[str], view: View | None, more: Mapping[str, Callable[[], float | str]]) -> bool | None:
    try:
        left, right = (float(word if _is_number(word) else _value(word, view, more)) for word in (when[1], when[4]))
    except (ValueError, LookupError):
        return None
    left += float(when[2] or 0)
    return left < right if when[3] == "<" else left > right


def _number(name: str, view: View | None, more: Mapping[str, Callable[[], float | str]]) -> str:
    value = _value(name, view, more)
    return value if isinstance(value, str) else tex(value)


def _value(name: str, view: View | None, more: Mapping[str, Callable[[], float | str]]) -> float | str:
    if name in more:
        return more[name]()
    if view is None:
        raise LookupError(name)
    return NUMBERS[name](view)


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
    selected = selection.current().matrix
    return selected if selected in view.analysis.names else "C"


def _block(view: View, i: int, j: int) -> float:
    return float(view.analysis.projected(matrix(view), 2)[i, j])


def _window(view: View) -> tuple[int, int]:
    first, last = selection.current().window or (1, min(1000, view.analysis.k))
    return first - 1, min(last, view.analysis.k)


def _fit(view: View, name: str = "C", share: float = 1.0, skip: int = 0) -> Fit:
    """Over the window, of which a share is kept, and from which the first directions are left out."""
    first, last = _window(view)
    law = results.fit(view.key, name, first + round(share * (last - first)), first + skip)
    if law is None:
        raise ValueError("no fit here")
    return law


def _gamma(view: View, name: str = "C", share: float = 1.0, skip: int = 0) -> float:
    return _fit(view, name, share, skip).gamma


def _along(view: View, name: str = "C") -> list[float]:
    """γ at every analysed epoch."""
    first, last = _window(view)
    return results.gammas(view, name, last, first)


def _ends(view: View) -> tuple[float, float]:
    """γ at the first and the last analysed epoch, where there are two."""
    along = _along(view)
    if len(along) < 2:
        raise LookupError("one epoch is no course")
    return along[0], along[-1]


def _shift(view: View) -> float:
    """How far γ is from that of the last analysed epoch, where another one is in view."""
    if view.epoch == view.epochs[-1]:
        raise LookupError("it is the last epoch")
    return abs(_gamma(view) - _along(view)[-1])


def _slopes(view: View) -> tuple[float, float]:
    """γ in the sharpest and in the flattest bin of H_ii."""
    first, last = _window(view)
    local = view.analysis.exponent("C", last, first).bend.local
    return local[0].gamma, local[-1].gamma


def _size(view: View) -> float:
    return view.analysis.traces["C_awd"] / view.analysis.traces["C"]


def _elsewhere(view: View) -> float:
    """γ of C on the half of the samples that did not give the directions."""
    first, last = _window(view)
    fit = held_out.cross_fit(view, "C", last, first)
    if fit is None:
        raise LookupError("nobody has looked")
    return fit.crossed.gamma


def _finite(view: View) -> float:
    """(N − B) / (N − 1): the covariance of a batch drawn without replacement beside one drawn with it."""
    origin = view.analysis.provenance
    return (origin.samples - origin.batch_size) / (origin.samples - 1)


def _partner(view: View) -> str:
    origin = view.analysis.provenance
    if origin.unpaired == origin.samples:
        raise LookupError("no partners")
    pool = origin.anchors_per_class
    among = "its class" if pool is None else f"{pool} random ones of its class"
    return rf"\text{{the nearest of {among}}}"


def _edited(view: View, homogenise: bool) -> Outcome:
    """The per-sample spectra with their dominant eigenvalues alone, which are replaced by their mean on demand."""
    spectra = results.spectra(view)
    outcome = None
    if spectra is not None:
        outcome = suppression.outcome(view, Edit(homogenise=homogenise), spectra.kappa.shape[1], *_window(view))
    if outcome is None:
        raise LookupError("no spectra are kept")
    return outcome


def _slope(fit: Fit | None) -> str:
    return _exponent(np.nan if fit is None else fit.gamma)


def _exponent(gamma: float) -> str:
    if not np.isfinite(gamma):
        raise LookupError("no fit")
    return f"{gamma:.3f}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'} {abs(value):.2f}"


def _rms(view: View) -> float:
    k = min(selection.current().k or 100, 300, view.analysis.k)
    r = view.analysis.correlation(matrix(view), k)
    return float(np.sqrt((np.sum(r**2) - k) / (k * (k - 1))))


NUMBERS: Mapping[str, Callable[[View], float | str]] = {
    "symbol": lambda v: palette.LOOKS[matrix(v)].tex,
    "samples": lambda v: v.analysis.provenance.samples,
    "dimension": lambda v: v.analysis.provenance.dimension,
    "batch": lambda v: v.analysis.provenance.batch_size,
    "H_1": lambda v: v.analysis.eigenvalues[0],
    "H_10": lambda v: v.analysis.eigenvalues[9],
    "trace_H": lambda v: v.analysis.traces["H"],
    "C_1": lambda v: v.analysis.diagonal("C")[0],
    "trace_C": lambda v: v.analysis.traces["C"],
    "finite": lambda v: f"{_finite(v):.3f}",
    "partner": _partner,
    "trace_C_awd": lambda v: v.analysis.traces["C_awd"],
    "size": lambda v: _size(v),
    "paired": lambda v: v.analysis.provenance.samples - v.analysis.provenance.unpaired,
    "K_11": lambda v: _block(v, 0, 0),
    "K_12": lambda v: _block(v, 0, 1),
    "K_22": lambda v: _block(v, 1, 1),
    "R_12": lambda v: float(v.analysis.correlation(matrix(v), 2)[0, 1]),
    "rms": _rms,
    "gamma": lambda v: _exponent(_gamma(v)),
    "gamma_awd": lambda v: _exponent(_gamma(v, "C_awd")),
    "gamma_E_h2": lambda v: _exponent(_gamma(v, "E_h2")),
    "gamma_half": lambda v: _exponent(_gamma(v, share=0.5)),
    "gamma_without_ten": lambda v: _exponent(_gamma(v, skip=10)),
    "gamma_first": lambda v: _exponent(_along(v)[0]),
    "gamma_last": lambda v: _exponent(_along(v)[-1]),
    "gamma_lowest": lambda v: _exponent(np.nanmin(_along(v))),
    "gamma_E_h2_lowest": lambda v: _exponent(np.nanmin(_along(v, "E_h2"))),
    "gamma_same": lambda v: _slope(_edited(v, True).after),
    "gamma_on_measured": lambda v: _slope(_edited(v, True).on_measured),
    "kept_slope": lambda v: _slope(_edited(v, False).new_on_old),
    "gamma_gap": lambda v: abs(_gamma(v) - _gamma(v, "C_awd")),
    "window_shift": lambda v: abs(_gamma(v, share=0.5) - _gamma(v)),
    "bend": lambda v: abs(_slopes(v)[0] - _slopes(v)[1]),
    "course_shift": lambda v: abs(_ends(v)[1] - _ends(v)[0]),
    "epoch_shift": lambda v: _shift(v),
    "size_off": lambda v: max(_size(v), 1 / _size(v)),
    "gamma_elsewhere": lambda v: _exponent(_elsewhere(v)),
    "elsewhere_gap": lambda v: abs(_elsewhere(v) - _gamma(v)),
    "slope_top": lambda v: f"{_slopes(v)[0]:.2f}",
    "slope_end": lambda v: f"{_slopes(v)[1]:.2f}",
    "hundredfold": lambda v: 100 ** _gamma(v),
    "epoch": lambda v: v.epoch,
    "epoch_first": lambda v: v.epochs[0],
    "epoch_last": lambda v: v.epochs[-1],
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
    "accuracy": lambda v: "–" if isnan(share := v.analysis.provenance.accuracy) else f"{100 * share:.2f}",
    "loss": lambda v: v.analysis.provenance.mean_loss,
}
