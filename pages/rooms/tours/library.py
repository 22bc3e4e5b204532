"""The tours there are: those that come with the project, and a user's own, files in a folder of the cache."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from cache.foreign import shown
from engine.errors import require
from pages.data import inputs, results
from pages.rooms.tours.format import LONGEST, Tour, read

SHIPPED = Path(__file__).parent
ORDER = ("five-minutes", "paper", "sceptic")


@dataclass(frozen=True)
class Broken:
    """A file that is no tour, and the sentence that says why."""

    file: str
    why: str


def folder() -> Path:
    """Where one's own tours lie."""
    return results.store().root / "tours"


@st.cache_resource(max_entries=128, show_spinner=False)
def _read(source: str, file: str) -> Tour | Broken:
    try:
        return read(source, file)
    except ValueError as error:
        return Broken(file, str(error))


@cache
def shipped() -> Mapping[str, Tour]:
    """The tours that come with the project, by id."""
    return {id: read((SHIPPED / f"{id}.toml").read_text(encoding="utf-8"), f"{id}.toml") for id in ORDER}


def own() -> tuple[dict[str, Tour], tuple[Broken, ...]]:
    """One's own by id, by title; and the files among them that are none."""
    tours: dict[str, Tour] = {}
    broken = []
    for path in sorted(folder().glob("*.toml")):
        parsed = _file(path)
        if isinstance(parsed, Tour) and parsed.id in (*ORDER, *tours):
            parsed = Broken(
                shown(path.name), f"{shown(path.name)}: another tour has the id {parsed.id!r}. Give it one of its own."
            )
        if isinstance(parsed, Tour):
            tours[parsed.id] = parsed
        else:
            broken.append(parsed)
    return dict(sorted(tours.items(), key=lambda item: item[1].title.lower())), tuple(broken)


def _file(path: Path) -> Tour | Broken:
    # A link in the folder leads nowhere else, and in no circle.
    if not Path(os.path.realpath(path)).is_relative_to(folder().resolve()) or not path.is_file():
        return Broken(shown(path.name), f"{shown(path.name)} is not a file of this folder. Copy the tour itself here.")
    if path.stat().st_size > 4 * LONGEST:
        return Broken(shown(path.name), f"{shown(path.name)} is too long; a tour has {LONGEST:,} characters at most.")
    try:
        return _read(path.read_text(encoding="utf-8"), shown(path.name))
    except ValueError:
        return Broken(shown(path.name), f"{shown(path.name)} is no text in UTF-8.")
    except OSError as error:
        return Broken(shown(path.name), f"{shown(path.name)} cannot be read ({error.strerror}).")


def tour(id: str) -> Tour | None:
    """The tour with this id."""
    return shipped().get(id) or own()[0].get(id)


def checked(source: str) -> Tour:
    """The tour a user wrote. ValueError: what is wrong with it, in one sentence."""
    parsed = read(source, "Your tour")
    require(
        parsed.id not in ORDER,
        f"Your tour: the id {parsed.id!r} belongs to a tour that comes with the project. Change it.",
    )
    return parsed


def keep(new_tour: Tour) -> None:
    """Keep one's own tour under its id, in place of an older one of this id."""
    forget(new_tour.id)
    inputs.write(folder() / f"{new_tour.id}.toml", new_tour.source.encode())


def forget(id: str) -> None:
    """Take one's own tour away."""
    for path in sorted(folder().glob("*.toml")):
        parsed = _file(path)
        if isinstance(parsed, Tour) and parsed.id == id:
            path.unlink()
