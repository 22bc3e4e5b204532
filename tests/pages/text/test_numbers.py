"""The numbers inside the definitions are the analysis' own."""

import numpy as np
import pytest

from cache.store import Store
from engine.runs.library import analyses, load_analysis, run
from pages.data import results
from pages.data.results import View
from pages.rooms.tours import library
from pages.text import definitions, numbers
from tests import planted
from tests.pages.conftest import opened

TEXTS = {name: text for name, text in vars(definitions).items() if name.isupper()}


@pytest.fixture
def view(tmp_path, monkeypatch):
    monkeypatch.setattr("pages.state.selection.current", lambda: results.selection.Selection())
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))  # fits are read from there
    store = Store(tmp_path)
    key = planted.fill(store, epochs=(100,))
    made = analyses(store, key)
    return View(run(store, key), made, made[0], load_analysis(store, key, made[0].key))


def test_every_place_has_its_number_and_every_number_a_place():
    tours = library.shipped().values()
    texts = [
        *TEXTS.values(),
        *(text for tour in tours for text in (*tour.learned, *(stop.text for stop in tour.stops))),
    ]
    placed = {name for text in texts for name in numbers.places(text)}
    assert placed <= set(numbers.NUMBERS)
    assert set(numbers.NUMBERS) <= placed


@pytest.mark.parametrize("name", TEXTS)
def test_a_definition_is_filled_or_shortened(view, name):
    filled, bare = numbers.fill(TEXTS[name], view), numbers.fill(TEXTS[name], None)
    assert "⟦" not in filled + bare
    assert "Here" not in bare.split("\n\n")
    assert ("⟦" in TEXTS[name]) == (filled != bare)
    assert filled.count("$$") % 2 == bare.count("$$") % 2 == 0


def test_the_numbers_are_those_of_the_analysis(view):
    a = view.analysis
    block = a.projected("C", 2)
    filled = numbers.fill(definitions.R, view)
    correlation = numbers.tex(block[0, 1] / np.sqrt(block[0, 0] * block[1, 1]))
    assert f"= {correlation} ." in filled
    assert f"{a.fit('C').gamma:.3f}" in numbers.fill(definitions.GAMMA, view)
    assert numbers.tex(a.alignment("C")) in numbers.fill(definitions.ALIGNMENT, view)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (5000, r"5{,}000"), (1.25, "1.25"), (3.14159e-7, r"3.14\cdot 10^{-7}"), (-2.5, "-2.5")],
)
def test_a_number_is_written_as_a_person_would(value, text):
    assert numbers.tex(value) == text


def test_a_popover_on_a_page_shows_the_numbers_of_what_is_selected(tmp_path, monkeypatch):
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    planted.fill(Store(tmp_path), epochs=(10, 100))
    texts = [m.value for m in opened("pages/power_law.py", epoch="10").markdown]
    gamma = planted.analysis(gamma=1 + 0.1 * np.log10(11), seed=10).fit("C").gamma
    assert any(f"{gamma:.3f}" in text and "Table 1" in text for text in texts)


def test_a_claim_stands_only_where_its_numbers_fit():
    text = "Always.\n\n⟦when one + 0.1 < two⟧ It grew.\n\n⟦else⟧ It did not.\n\n⟦when two > 1⟧ It is ⟦two⟧."
    more = {"one": lambda: "0.661", "two": lambda: 0.661}
    assert numbers.fill(text, None, more) == "Always.\n\nIt did not."
    more["two"] = lambda: 1.2
    assert numbers.fill(text, None, more) == "Always.\n\nIt grew.\n\nIt is 1.2."
    # Where it cannot be told, neither is said.
    assert numbers.fill(text, None) == "Always."
    assert numbers.places(text) == ["one", "two", "two", "two"]
