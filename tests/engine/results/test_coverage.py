"""The table of docs/statistics.md is what its command prints, and its worlds are what they say."""

import re
from pathlib import Path

import numpy as np
import pytest

from engine.results.power_law import power_law
from tests.benchmarks.coverage import COUNTED, COVERED, GAMMA, REJECTED, WORLDS, World, rates, samples, table
from tests.reference.twins import compare

PAGE = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")


def rows(text: str) -> dict[str, tuple[float, ...]]:
    """The numbers of each row of the table."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {cell[0]: tuple(map(float, cell[2:])) for cell in cells if re.fullmatch(r"\d+", cell[-1])}


def test_the_page_has_the_rows_that_the_command_prints():
    names = dict.fromkeys((*COVERED, *REJECTED), 0.5) | dict.fromkeys(COUNTED, 50.0)
    printed = table({world.name: names for world in WORLDS})
    assert re.sub(r"\d+ \|", "n |", printed) in re.sub(r"\d+ \|", "n |", PAGE)
    assert list(rows(printed)) == list(rows(PAGE))


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_expected_curve_is_a_line_of_the_slope_it_is_said_to_have(world):
    many = World(world.name, 400_000, world.spread, world.width, world.sharpest, world.flattest, 6)
    h, c = (z.astype(np.float64).mean(axis=0) for z in samples(many, 0))
    # The sharpest are made of a few hundred samples even so.
    compare(power_law(h[1:], c[1:]).gamma, GAMMA, 0.02, "slope")


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(WORLDS)), ids=[world.name for world in WORLDS])
def test_a_few_draws_give_what_the_page_says(place):
    """60 draws, each share within four standard deviations of the page's, and a true line is rarely called bent."""
    anew = rates(WORLDS[place], 60)
    for name in (*COVERED, *REJECTED):
        share = rows(PAGE)[name][place] / 100
        assert abs(anew[name] - share) <= 4 * np.sqrt(max(share * (1 - share), 0.02) / 60) + 0.02, name
    assert anew[REJECTED[0]] <= 0.25
