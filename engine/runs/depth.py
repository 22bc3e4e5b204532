"""The layers of a run's network that can be studied, from input to output: what each is, and what its analysis takes.

Imports no torch: pages ask here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cache.store import Store
from engine.config.kinds import KINDS
from engine.config.requests import AnalysisRequest
from engine.curvature.memory import DENSE_LIMIT
from engine.errors import require
from engine.models.architectures import LINEAR
from engine.results.record import Provenance
from engine.runs import estimate, library
from engine.runs.estimate import Calibration, Cost, Earlier
from engine.runs.library import LEADING
from engine.runs.run import Run

EXACT, FULL, GAUSS_NEWTON = "exact", "full second derivative", "Gauss–Newton"


@dataclass(frozen=True)
class StudiedLayer:
    """One layer. kind: what it is, in words; d_out, d_in: of W; places: T, at which a sample uses it; method: how the
    Hessians of samples are taken, as far as the network tells it: EXACT where what follows is piecewise linear, FULL,
    or GAUSS_NEWTON, which is then not the Hessian; empty where only the analysis will tell."""

    name: str
    kind: str
    d_out: int
    d_in: int
    places: int
    method: str

    @property
    def dimension(self) -> int:
        """D, the number of weights."""
        return self.d_out * self.d_in


def layers_of(run: Run) -> tuple[StudiedLayer, ...]:
    """Every layer of a run's network that can be studied."""
    return tuple(
        StudiedLayer(name, run.kinds.get(name, LINEAR), d_out, d_in, run.places.get(name, 1), _method(run, name))
        for name, (d_out, d_in) in run.layers.items()
    )


def _method(run: Run, layer: str) -> str:
    if run.request.model.kind not in KINDS:
        return ""
    subject = estimate.subject_of(run, layer)
    return GAUSS_NEWTON if not subject.exact else FULL if subject.full else EXACT


def without(left_out: Mapping[str, str]) -> str:
    """The layers that "all" does not mean, and why, in sentences."""
    return f"Left out of all layers: {', '.join(left_out)}. {' '.join(left_out.values())}"


def method_of(origin: Provenance) -> str:
    """How an analysis took the Hessians of samples."""
    return GAUSS_NEWTON if not origin.exact else FULL if origin.curvature == "full" else EXACT


def usual_analysis(run: Run, epoch: int, layer: str) -> AnalysisRequest:
    """The analysis that one of several layers gets: as the run's own, but only LEADING directions of a wide one."""
    usual = library.default_analysis(run, epoch)
    if layer == usual.layer:
        return usual
    return replace(usual, layer=layer, top_k=LEADING if math.prod(run.layers[layer]) > DENSE_LIMIT else None)


def requests(run: Run, epoch: int, word: str | None) -> Iterator[AnalysisRequest]:
    """The analyses that are meant by "all", by names such as "fc1,fc2", by one name, or by None, the run's own; those
    joined by "+" are one joint analysis. ValueError names the layers there are."""
    usual = library.default_analysis(run, epoch)
    if word is None:
        yield usual
    elif word != "all" and "," not in word:
        yield replace(usual, layer=word, top_k=None)
    else:
        names = list(run.layers) if word == "all" else list(dict.fromkeys(word.split(",")))
        unknown = [name for name in names if name not in run.layers]
        require(
            not unknown,
            f"Run {run.key} has no layer {', '.join(map(repr, unknown))} to study one by one; it has "
            f"{', '.join(run.layers)}.",
        )
        for name in names:
            yield usual_analysis(run, epoch, name)


def cost(run: Run, request: AnalysisRequest, calibration: Calibration | None, earlier: Earlier) -> Cost:
    """What such an analysis of one layer takes."""
    return estimate.analysis(
        estimate.subject_of(run, request.layer),
        request.samples or run.samples,
        top_k=request.top_k,
        bootstrap=request.bootstrap,
        dtype=request.dtype,
        calibration=calibration,
        earlier=earlier,
    )


def speeds(store: Store) -> tuple[Calibration | None, Earlier]:
    """What is known of this machine, for `cost`."""
    works = [(run, library.analyses(store, run.key)) for run in library.runs(store)]
    return estimate.calibration(store), estimate.earlier(works)
