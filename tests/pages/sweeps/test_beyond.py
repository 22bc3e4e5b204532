"""What is asked of cells beyond the paper: shown once a cell has any of it, as means over what is known."""

import math
from dataclasses import replace

from engine.sweeps import grid, status
from pages.rooms.sweeps import beyond
from tests.pages.conftest import opened
from tests.pages.sweeps.conftest import PAGE
from tests.planted import row


def asked(cell, crossed, effective):
    """A row whose C is read on other samples, and whose predictors are 0.5 and 0.25 off, as they are and scaled."""
    plain = row(cell, effective=effective)
    laws = {name: replace(law, absolute=0.5, scaled=0.25) for name, law in plain.laws.items()}
    return replace(plain, laws=laws | {"C": replace(laws["C"], crossed=crossed)})


def test_means_are_over_the_seeds_that_are_known():
    one, *others = grid.open_sweep("tiny").cells
    other = next(cell for cell in others if cell.classes != one.classes)
    rows = [asked(one, 0.9, 100.0), replace(asked(one, 1.0, 300.0), seed=7), asked(other, math.nan, math.nan)]
    table = beyond.columns(rows)
    assert table["γ crossed"][0] == 0.95
    assert table["N_eff"][0] == 200
    assert (table["C to C_odds"][0], table["C to E[h²]"][0]) == (0.5, 0.25), "E[h²] has no size of its own"
    assert all(math.isnan(table[head][1]) for head in ("γ crossed", "N_eff"))


def test_the_table_is_shown_once_a_cell_has_any_of_it(store):
    cells = grid.open_sweep("tiny").cells
    status.keep(store, cells[0], row(cells[0], effective=math.nan))
    assert not opened(PAGE, sweep="tiny").dataframe
    status.keep(store, cells[0], asked(cells[0], 0.9, 100.0))
    (frame,) = opened(PAGE, sweep="tiny").dataframe
    assert frame.value["γ crossed"].tolist() == [0.9]
