"""Counts that texts tell of this project's own runs are those of docs/results.csv."""

from pathlib import Path

import numpy as np

from engine.sweeps.rows import from_csv
from pages.rooms.tours import library
from pages.text import definitions

ROWS = from_csv((Path(__file__).parents[3] / "docs" / "results.csv").read_text(encoding="utf-8"))
ENDS = list({(row.run, row.layer): row for row in sorted(ROWS, key=lambda row: row.epoch)}.values())


def words(text: str) -> str:
    return " ".join(text.split())


def test_how_often_the_prediction_is_off_is_counted():
    both = [row for row in ENDS if np.isfinite(row.laws["C"].gamma + row.laws["C_awd"].gamma)]
    off = [row for row in both if abs(row.laws["C"].gamma - row.laws["C_awd"].gamma) >= 0.05]
    ratios = [row.laws["C_awd"].trace / row.laws["C"].trace for row in both]
    sentence = f"In this project's {len(both)} runs γ is off by 0.05 or more in {len(off)}, the size by "
    assert sentence + f"{min(ratios):.0f} to {max(ratios):.0f} times" in words(definitions.C_AWD)


def test_squared_error_with_three_classes_does_not_stay_near_one():
    gammas = [row.laws["C"].gamma for row in ENDS if row.classes == 3 and "MLP, MSE" in row.row]
    span = f"{min(gammas):.2f} … {max(gammas):.2f}"
    assert f"our own rows have {span}" in words(definitions.LEARNED)
    assert f"our own runs reach {span}" in words(" ".join(stop.text for stop in library.shipped()["paper"].stops))
