"""Numbers that only answers to questions need, beside those of live.NUMBERS: computed when an answer is opened."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from engine.results.suppression import Spectra
from engine.runs import example, recording
from engine.samples import fisher
from engine.samples.pair import Pair
from engine.samples.table import Samples, Table
from engine.sweeps.means import Mean, cells, mean
from engine.sweeps.status import measured
from pages.data import results, samples, suppression
from pages.data.results import View
from pages.rooms.duality import choice
from pages.rooms.dynamics.panels import PARTS
from pages.rooms.mechanism import controls, spectra
from pages.rooms.suppression import figures
from pages.rooms.sweeps import choice as sweep_choice
from pages.rooms.sweeps import progress
from pages.state import edit, palette, selection
from pages.text import numbers


def _number(name: str) -> Callable[[View], float]:
    """A number of live.NUMBERS as it was before it was written."""
    return lambda view: float(numbers.NUMBERS[name](view))


def _difference(last: str, first: str) -> Callable[[View], str]:
    return lambda view: f"{_number(last)(view) - _number(first)(view):+.3f}"


def _part(view: View) -> str:
    return max(PARTS, key=view.analysis.traces.__getitem__)


def _kept(view: View) -> Spectra:
    stored = results.spectra(view)
    if stored is None:
        raise LookupError("no spectra are kept")
    return stored


def _stiff(view: View) -> float:
    stored = _kept(view)
    rank = stored.kappa.shape[1]
    outcome = suppression.outcome(view, edit.chosen(rank), rank, 0, view.analysis.k)
    assert outcome is not None
    return 100 * outcome.new.stiff


def _kappa(view: View) -> np.ndarray:
    """κ_m of the samples of the page One sample (n, r)."""
    return _samples(view).kappa


def _half_of_h(view: View) -> int:
    trace = np.sort(_kappa(view).sum(axis=1))[::-1]
    return 1 + int(np.searchsorted(np.cumsum(trace), trace.sum() / 2))


def _stiffest(view: View) -> float:
    first = np.abs(_kappa(view)).max(axis=1)
    return float(first.max() / np.median(first))


def _samples(view: View, epoch: int | None = None) -> Table:
    stored = samples.stored(view, epoch)
    if stored is None:
        raise LookupError("no samples are kept")
    return stored


def _pair(view: View) -> Pair:
    """The pair that the duality lab shows."""
    stored = _samples(view)
    if not isinstance(stored, Samples):
        raise LookupError("the layer is used at several places")
    return choice.chosen(stored).pair


def _missed(view: View) -> float:
    return 100 * float(_pair(view).walk(2).relative[-1])


def _argument(view: View, last: bool) -> fisher.Argument:
    """The Fisher argument at the first or the last checkpoint."""
    return fisher.of(_samples(view, view.run.checkpoints[-1 if last else 0]))


ANSWERS: Mapping[str, Callable[[View], float | str]] = {
    "commuting_share": lambda v: f"{100 * _number('commutator')(v) / _number('commutator_random')(v):.1f}",
    "off_share": lambda v: f"{100 * (1 - _number('alignment')(v)):.1f}",
    "noisiest": lambda v: 1 + int(np.argmax(v.analysis.diagonal("C"))),
    "gamma_change": _difference("gamma_half", "gamma"),
    "rise": _difference("gamma_last", "gamma_first"),
    "largest_part": lambda v: palette.LOOKS[_part(v)].tex,
    "largest_share": lambda v: f"{100 * v.analysis.traces[_part(v)] / v.analysis.traces['C_awd']:.1f}",
    "carried": lambda v: f"{100 * figures.share(_kept(v).second)[0]:.2f}",
    "stiff": lambda v: f"{_stiff(v):.1f}",
    "half_of_H": _half_of_h,
    "half_share": lambda v: f"{100 * _half_of_h(v) / len(_kappa(v)):.1f}",
    "stiffest": _stiffest,
    "dual_share": lambda v: f"{100 * np.linalg.norm(_pair(v).weight_change) / np.linalg.norm(_pair(v).weight):.1f}",
    "missed": lambda v: f"{_missed(v):.0f}",
    "BC_in_H": lambda v: _argument(v, last=True).size("BC"),
    "mean_gradient_first": lambda v: f"{100 * _argument(v, last=False).mean_gradient:.1f}",
    "mean_gradient_last": lambda v: f"{100 * _argument(v, last=True).mean_gradient:.1f}",
}


# -- of pages that need no run ------------------------------------------------------------------------------


def _cells() -> list[tuple[str, Mean]]:
    """γ of C in every measured cell of the sweep that is shown, by the cell's name."""
    states = progress.states(sweep_choice.present().sweep)
    means = ((f"{some[0].row}, {some[0].classes} classes", mean(some, "C")) for some in cells(measured(states)))
    return [(name, average) for name, average in means if average is not None]


def _steepest() -> str:
    name, steepest = max(_cells(), key=lambda cell: cell[1].mean)
    return f"{name}: $\\gamma = {steepest.mean:.3f}$"


def _seeds() -> str:
    spread = [average.deviation for _, average in _cells() if np.isfinite(average.deviation)]
    return f"{np.mean(spread):.3f}" if spread else numbers.tex(np.nan)


def _made(share: float = 1.0) -> spectra.Source:
    setting = controls.chosen()
    return spectra.made(replace(setting, correlation=share * setting.correlation))


def _film(frame: int) -> str:
    """γ of C in a frame of the film that is shown."""
    key = selection.current().film or recording.film_key(recording.EXAMPLE)
    shot = example.read(results.store(), key)
    gamma = shot.frames[frame].gamma if shot is not None and shot.frames else None
    return numbers.tex(np.nan) if gamma is None else f"{gamma:.3f}"


OF_NO_RUN: Mapping[str, Callable[[], float | str]] = {
    "table_steepest": _steepest,
    "table_seeds": _seeds,
    "film_first": lambda: _film(0),
    "film_last": lambda: _film(-1),
    "made_gamma": lambda: f"{_made().place.gamma:.2f}",
    "made_gamma_half": lambda: f"{_made(0.5).place.gamma:.2f}",
    "one_and_r": lambda: f"{1 + _made().place.correlation:.2f}",
}
