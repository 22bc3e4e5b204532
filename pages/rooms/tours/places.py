"""What a stop of a tour may point at: the figures, cards and knobs of each page, by their keys."""

from collections.abc import Mapping
from types import ModuleType

from pages.plot.panel import Head
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as commutativity
from pages.rooms.duality import all_pairs
from pages.rooms.duality import choice as pairs
from pages.rooms.duality import panels as duality
from pages.rooms.dynamics import diagonals
from pages.rooms.dynamics import panels as dynamics
from pages.rooms.fisher import panels as fisher
from pages.rooms.held_out import nulls
from pages.rooms.held_out import panels as held_out
from pages.rooms.layers import panels as layers
from pages.rooms.live import controls as live
from pages.rooms.live import panels as film
from pages.rooms.mechanism import panels as mechanism
from pages.rooms.noise import panels as noise
from pages.rooms.power_law import panels as power_law
from pages.rooms.predictors import panels as predictors
from pages.rooms.sample import choice
from pages.rooms.sample import panels as sample
from pages.rooms.start import idea
from pages.rooms.suppression import panels as suppression
from pages.rooms.sweeps import table
from pages.ui import cards, controls, predict


def _of(*rooms: ModuleType) -> dict[str, str]:
    """All that these modules head."""
    return _parts(*(head for room in rooms for head in vars(room).values() if isinstance(head, Head)))


def _parts(*heads: Head) -> dict[str, str]:
    return {head.key: head.part for head in heads if head.part}


def _knobs(page: str, *knobs: str) -> dict[str, str]:
    return {page + knob: controls.PARTS[knob] for knob in knobs}


THREE = _parts(commutativity.K, commutativity.R_REAL, commutativity.R_RAND)
PLACES: Mapping[str, Mapping[str, str]] = {
    "start": _knobs("start", "-epochs") | _of(cards) | THREE | _parts(idea.HEAD, power_law.LAW),
    # Its form is not loaded with every page.
    "train": {"train-side": "the data, the network and what it costs"},
    "commutativity": _knobs("commutativity", "-epochs", ".matrix", ".k") | _of(commutativity, chance),
    "power_law": _knobs("power_law", "-epochs", ".matrices", ".window")
    | _of(power_law)
    | _parts(cards.GAMMAS, predict.HEAD),
    "held_out": _knobs("held_out", "-epochs", ".matrix", ".window") | _of(held_out, nulls),
    "layers": _knobs("layers", "-epochs", ".window") | _of(layers),
    "table": _of(table),
    "dynamics": _knobs("dynamics", "-epochs") | _of(dynamics, diagonals),
    "suppression": _knobs("suppression", "-epochs") | _of(suppression),
    "predictors": _knobs("predictors", "-epochs", ".window") | _of(predictors),
    "noise": _knobs("noise", "-epochs") | _of(noise),
    "duality": _knobs("duality", "-epochs") | _of(pairs, duality, all_pairs),
    "sample": _knobs("sample", "-epochs") | _of(choice, sample),
    "sandbox": _of(mechanism),
    "fisher": _parts(*fisher.STAGES) | _of(fisher),
    "film": _of(live, film),
}
