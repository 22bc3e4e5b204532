"""One colour per meaning, told apart by everyone, and figures that need no check because they had it here."""

import itertools
import json
import tomllib

import numpy as np
import plotly.graph_objects as go
import pytest

from engine.results.names import NAMES
from pages.charts import curves, heatmaps, power_law
from pages.state import palette
from tests.pages.charts.conftest import RESULT, clouds
from tests.pages.conftest import ROOT

# -- heatmaps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["K", "R", "law", "sizes", "meter"])
def test_what_is_drawn_unchecked_while_a_knob_moves_is_what_plotly_takes(made):
    figure = {
        "K": lambda: heatmaps.covariance(RESULT.projected("C", 20), RESULT.eigenvalues, marked=3),
        "R": lambda: heatmaps.correlation(RESULT.correlation("C", 20), RESULT.eigenvalues, marked=3),
        "law": lambda: power_law.power_law(clouds(), marked=3),
        "sizes": lambda: curves.off_diagonal(np.arange(200), np.ones((9, 200), int), "#d9730d"),
        "meter": lambda: curves.meter({"all": 0.2}, 1.4, "chance", "error", "#d9730d", 1.6),
    }[made]()
    # Checks every word, and raises at one it does not know.
    assert len(go.Figure(json.loads(figure.to_json())).data) == len(figure.data)


# -- one colour per meaning -------------------------------------------------------------------------------


def _linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _contrast(a, b):
    low, high = sorted(float(_linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def test_every_matrix_has_a_look_of_its_own_that_is_legible_in_both_themes():
    assert set(palette.LOOKS) == {*NAMES, "H"}
    looks = palette.LOOKS.values()
    assert len({look.marker for look in looks if look is not palette.LOOKS["H"]}) == len(NAMES)
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    every = [*looks, *palette.FISHER_LOOKS.values(), palette.PREDICTOR_LOOKS["E_loss_H"]]
    assert len({look.colour for look in every}) == len(every)
    for mode in ("light", "dark"):
        assert all(_contrast(look.colour, theme[mode]["backgroundColor"]) > 3 for look in every)


# Machado, Oliveira, Fernandes 2009, full strength.
SEEN = {
    "everyone": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}


@pytest.mark.parametrize("eyes", SEEN)
@pytest.mark.parametrize(
    "together",
    [
        ("C", "C_awd", "E_h2"),
        ("C_awd", "C_hh", "C_hg", "C_gg"),
        ("C", "C_awd", "C_hh", "C_hh_sd_wd_li"),
        ("C", "C_awd", "E_h2", "C_odds", "C_loss", "H"),
    ],
)
def test_colours_drawn_together_are_told_apart_by_colour_blind_people(eyes, together):
    def oklab(colour):
        seen = np.clip(SEEN[eyes] @ _linear(colour), 0, 1)
        lms = [
            [0.41222147, 0.53633254, 0.05144599],
            [0.2119035, 0.68069955, 0.10739696],
            [0.08830246, 0.28171884, 0.62997870],
        ]
        lab = [
            [0.21045426, 0.79361779, -0.00407205],
            [1.9779985, -2.4285922, 0.45059371],
            [0.02590404, 0.78277177, -0.80867577],
        ]
        return np.array(lab) @ np.cbrt(np.array(lms) @ seen)

    for a, b in itertools.combinations(together, 2):
        distance = np.linalg.norm(oklab(palette.LOOKS[a].colour) - oklab(palette.LOOKS[b].colour))
        assert distance > 0.05, f"{a} and {b} look alike to {eyes}: {distance:.3f}"
