"""An analysis in a line and in a small table, for a terminal and a notebook."""

from collections.abc import Mapping
from html import escape
from math import isnan

from engine.results.names import NAMES, ON_REQUEST
from engine.results.power_law import Fit
from engine.results.record import Provenance

_WORDS = {**NAMES, **ON_REQUEST}
_CELL = 'style="text-align: left"'


def line(provenance: Provenance, directions: int, fits: Mapping[str, Fit]) -> str:
    """What was studied, and the exponents of C and of what activity-weight duality predicts where there is a fit."""
    exponents = (f", γ of {_WORDS[name][0]} {_exponent(fits[name])}" for name in ("C", "C_awd") if name in fits)
    return f"<Analysis of {_studied(provenance)}, {directions:,} directions{''.join(exponents)}>"


def html(provenance: Provenance, directions: int, window: int, fits: Mapping[str, Fit]) -> str:
    """A row for each matrix that could be fitted; below it what has to be known of the numbers, and where they are
    from."""
    head = "".join(f"<th {_CELL}>{title}</th>" for title in ("", "γ", "95 %", "R²", "directions", "left out"))
    rows = "".join(
        f"<tr><td {_CELL} title='{escape(_WORDS[name][1])}'>{_WORDS[name][0]}</td><td><b>{fit.gamma:.3f}</b></td>"
        f"<td {_CELL}>{_between(fit)}</td><td>{fit.r2:.3f}</td><td>{fit.n:,}</td><td>{fit.discarded:,}</td></tr>"
        for name, fit in fits.items()
    )
    if not rows:
        rows = "<tr><td colspan=6>No matrix has three directions above the noise floor.</td></tr>"
    notes = "".join(f"<p>⚠ {escape(note)}</p>" for note in provenance.notes)
    accuracy = "" if isnan(provenance.accuracy) else f", accuracy {provenance.accuracy:.1%}"
    where = f"{provenance.curvature}, {provenance.dtype} on {provenance.device}, {provenance.seconds:.1f} s, seed "
    return (
        f"<div><p>{escape(_studied(provenance))}: C<sub>ii</sub> ∝ H<sub>ii</sub><sup>γ</sup> over the leading "
        f"{window:,} of {directions:,} directions</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{notes}<p><small>{escape(where)}{provenance.seed}; mean loss {provenance.mean_loss:.4g}"
        f"{accuracy}</small></p></div>"
    )


def _studied(provenance: Provenance) -> str:
    sizes = " and ".join(f"{d_out} × {d_in}" for d_out, d_in in provenance.sizes)
    return (
        f"{provenance.layer} ({sizes}), {provenance.samples:,} samples, loss {provenance.loss}, "
        f"B = {provenance.batch_size:,}"
    )


def _exponent(fit: Fit) -> str:
    return f"{fit.gamma:.2f}" if fit.interval is None else f"{fit.gamma:.2f} ({_between(fit, 2)})"


def _between(fit: Fit, digits: int = 3) -> str:
    return "" if fit.interval is None else " … ".join(f"{end:.{digits}f}" for end in fit.interval)
