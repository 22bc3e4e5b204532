"""Every field of the selection survives the way through the address: drawn from the fields."""

import dataclasses
from itertools import product
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from pages.rooms.tours import bar, library
from pages.state import selection
from pages.state.selection import Selection
from tests.pages.conftest import opened, url

FIELDS = tuple(f.name for f in dataclasses.fields(Selection))
TEXTS = ("abcdef0123456789", "abc", "C")


def values(hint: Any) -> tuple[Any, ...]:
    """Some values of a type; a field takes at least one."""
    if get_origin(hint) is tuple:
        parts = [part for part in get_args(hint) if part is not ...]
        some = [values(part) for part in (parts * 2 if ... in get_args(hint) else parts)]
        return tuple(v for v in product(*some) if isinstance(v[0], str) or v[0] < v[1])
    if isinstance(hint, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return values(inner)
    return {int: (1, 3), float: (0.125, 0.75, 1e-8), bool: (True, False), str: TEXTS}[hint]


def surviving(name: str) -> list[Any]:
    """Values of one field that the address gives back."""
    hint = get_type_hints(Selection)[name]
    chosen = [Selection(**{name: value}) for value in values(hint)]
    return [getattr(one, name) for one in chosen if selection.from_url(selection.to_url(one)) == one]


def check() -> None:
    """AssertionError unless every field has an address: one at a time, and all at once."""
    for name in FIELDS:
        assert surviving(name), f"{name} is lost in the address"
        if get_type_hints(Selection)[name] == bool | None:
            assert len(surviving(name)) == 2, f"{name} is lost where it is no"
    whole = Selection(**{name: surviving(name)[-1] for name in FIELDS})
    assert selection.from_url(selection.to_url(whole)) == whole


def test_every_field_survives():
    check()


def test_a_field_without_a_reader_ends_the_import():
    bare = dataclasses.make_dataclass("Bare", [("epoch", int | None, None)])
    with pytest.raises(AttributeError, match="__metadata__"):
        selection.readers(bare)


@pytest.mark.parametrize("name", FIELDS)
def test_a_reader_that_is_dropped_is_missed(name, monkeypatch):
    read = selection.from_url
    monkeypatch.setattr(
        selection, "from_url", lambda params: read({n: text for n, text in params.items() if n != name})
    )
    with pytest.raises(AssertionError, match=name):
        check()


@pytest.mark.parametrize("name", FIELDS)
def test_a_word_that_is_not_written_is_missed(name, monkeypatch):
    write = selection.to_url
    monkeypatch.setattr(selection, "to_url", lambda chosen: {n: text for n, text in write(chosen).items() if n != name})
    with pytest.raises(AssertionError, match=name):
        check()


def test_a_page_keeps_every_word_of_its_address(store):
    whole = {name: selection.to_url(Selection(**{name: surviving(name)[-1]}))[name] for name in FIELDS}
    at = opened("pages/glossary.py", **whole)
    assert url(at) == whole


@pytest.mark.parametrize("id", list(library.shipped()))
def test_every_stop_of_a_tour_survives(id, store):
    tour = library.shipped()[id]
    for number, stop in enumerate(tour.stops, 1):
        words = {name: text for name, text in stop.select.items() if not (name == "epoch" and text.isalpha())}
        assert selection.to_url(selection.from_url(words)) == words, stop.title
        chosen = bar.at_stop(tour, number)
        assert (chosen.tour, chosen.stop) == (id, number)
        assert selection.from_url(selection.to_url(chosen)) == chosen, stop.title
