"""What a stop of a tour may point at: the figures of each page by their keys, and what else is drawn under one."""

from collections.abc import Mapping
from types import ModuleType

from pages.plot.panel import Head
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as commutativity
from pages.rooms.duality import all_pairs
from pages.rooms.duality import panels as duality
from pages.rooms.dynamics import diagonals
from pages.rooms.dynamics import panels as dynamics
from pages.rooms.fisher import panels as fisher
from pages.rooms.mechanism import panels as mechanism
from pages.rooms.power_law import panels as power_law
from pages.rooms.sample import choice
from pages.rooms.sample import panels as sample
from pages.rooms.suppression import panels as suppression
from pages.rooms.sweeps import table
from pages.ui import cards

_EPOCHS = "the slider over epochs"


def _figures(*rooms: ModuleType) -> dict[str, str]:
    """The figures that these modules head."""
    return _parts(*(head for room in rooms for head in vars(room).values() if isinstance(head, Head)))


def _parts(*heads: Head) -> dict[str, str]:
    return {head.key: head.part for head in heads if head.part}


PLACES: Mapping[str, Mapping[str, str]] = {
    "start": {
        "start-epochs": _EPOCHS,
        "card-C": "the measured exponent",
        "card-C_awd": "the predicted exponent",
        "card-commutator": "the commutator error",
        "card-alignment": "the alignment",
        "card-accuracy": "the accuracy",
        **_parts(commutativity.K, commutativity.R_REAL, commutativity.R_RAND),
        **_parts(power_law.LAW, cards.GAMMAS, cards.TRAINING),
    },
    "train": {"train-side": "the data, the network and what it costs"},
    "commutativity": {
        "commutativity-epochs": _EPOCHS,
        "commutativity.matrix": "the choice of a covariance",
        "commutativity.k": "the slider over k",
        **_figures(commutativity, chance),
    },
    "power_law": {
        "power_law-epochs": _EPOCHS,
        "power_law.matrices": "the choice of covariances",
        "power_law.window": "the slider over directions fitted",
        "heading-the-fits-in-numbers": "the fits in numbers",
        **_figures(power_law),
        **_parts(cards.GAMMAS),
    },
    "table": {"table1": "the table", **_figures(table)},
    "dynamics": {
        "dynamics-epochs": _EPOCHS,
        **_figures(dynamics, diagonals),
    },
    "suppression": {
        "suppression-epochs": _EPOCHS,
        "suppression-presets": "the settings of Fig. 3",
        **_figures(suppression),
    },
    "duality": {
        "duality-epochs": _EPOCHS,
        "duality.step": "the step on the way to the partner",
        **_figures(duality, all_pairs),
    },
    "sample": {
        "sample-epochs": _EPOCHS,
        **_figures(choice, sample),
    },
    "sandbox": {
        "sandbox.correlation": "the slider over the correlation",
        "sandbox.proof": "the steps of the proof",
        **_figures(mechanism),
    },
    "fisher": {
        "argument0": "the matrices at the first epoch",
        "argument2": "the matrices at the last epoch",
        **_figures(fisher),
    },
    "film": {"film-knobs": "the knobs of the film"},
}
