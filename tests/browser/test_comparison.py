"""What tells a page from its reference would see a blank page, a swapped one, a lost figure and other data."""

from itertools import combinations, product

import numpy as np
import pytest

from tests.browser.comparison import BLOCK, MENU, MISSING, NEAR, difference, unlikeness
from tests.browser.test_screenshots import PAGES, SCHEMES, contents_of, picture_of

PAIRS = list(combinations(PAGES, 2))


def blanked(picture, rows=slice(None), columns=slice(MENU, None)):
    """Nothing but the page's own paper there."""
    blank = picture.copy()
    blank[rows, columns] = np.median(picture[:, MENU:], axis=(0, 1))
    return blank


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_its_menu_alone_is_not_its_reference(name, scheme):
    picture = picture_of(name, scheme)
    assert unlikeness(picture, picture) == 0
    assert unlikeness(blanked(picture), picture) > MISSING


@pytest.mark.parametrize("scheme", [SCHEMES[0], pytest.param(SCHEMES[1], marks=pytest.mark.slow)])
def test_no_page_looks_as_another(scheme):
    pictures = {name: picture_of(name, scheme)[:, MENU:] for name in PAGES}
    alike = [pair for pair in PAIRS if unlikeness(*(pictures[name] for name in pair)) <= MISSING]
    assert alike == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_does_not_look_as_in_the_other_theme(name):
    assert unlikeness(*(picture_of(name, scheme) for scheme in SCHEMES)) > MISSING


@pytest.mark.parametrize("top", range(0, 1280, 160))
def test_a_page_that_lost_a_part_is_not_its_reference(top):
    """Wherever a stripe of the start page is lost, among it each of its figures."""
    picture = picture_of("start", "light")
    assert unlikeness(blanked(picture, slice(top, top + 160)), picture) > MISSING
    assert unlikeness(picture, blanked(picture, slice(top, top + 160))) > MISSING


def test_letters_drawn_otherwise_and_a_line_that_wrapped_are_the_same_page():
    picture = picture_of("start", "light")
    paper = np.median(picture, axis=(0, 1))
    line = np.broadcast_to(paper, (12, *picture.shape[1:]))
    moved = np.concatenate([picture[:90], line, picture[90:600], line, picture[600:]])
    rng = np.random.default_rng(0)
    assert unlikeness(moved + rng.uniform(-NEAR, NEAR, moved.shape), picture) <= MISSING
    # As far as a whole block, and it would be another page.
    assert unlikeness(picture + 2 * NEAR, picture) > MISSING
    assert unlikeness(np.roll(picture, 3 * BLOCK, axis=1), picture) > MISSING


def test_no_page_holds_what_another_holds():
    held = {name: contents_of(name) for name in PAGES}
    assert [pair for pair in PAIRS if not difference(*(held[name] for name in pair))] == []
    assert all(difference([], rows) for rows in held.values())


def test_a_lost_figure_a_lost_point_and_another_number_are_told():
    rows = contents_of("start")
    assert difference(rows, rows) == ""
    assert "K" in difference([row for row in rows if row[:2] != ["figure", "K"]], rows)
    (at,) = (i for i, row in enumerate(rows) if row[:2] == ["power", "C"] and row[3] == "y")
    count, mean = rows[at][4:6]

    def with_row(*numbers):
        return [*rows[:at], [*rows[at][:4], *numbers, *rows[at][4 + len(numbers) :]], *rows[at + 1 :]]

    assert difference(with_row(count, mean * (1 + 1e-5)), rows) == ""
    assert difference(with_row(count, mean * 1.01), rows)
    assert difference(with_row(count - 1), rows)
    assert difference(with_row(count, None), rows)


@pytest.mark.parametrize(("here", "there"), product([["heading", "γ"]], [["heading", "κ"], ["heading", "γ", 1], None]))
def test_other_words_and_other_rows_are_told(here, there):
    assert difference([here], [there] if there else [])
