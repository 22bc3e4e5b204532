"""A guided tour as data: a TOML file read, checked, and what is wrong with it said in one sentence.

    id = "first-look"            # names it in links
    title = "A first look"
    about = "What the three pictures show."
    run = "demo"                 # the run it speaks of, or the beginning of a key; left out: any
    learned = ["One sentence.", "Two.", "Three."]        # the closing slide, with numbers as in a text

    [[stop]]
    title = "The noise, seen in the curvature's axes"
    page = "commutativity"
    select = { matrix = "C", k = 40, epoch = "last" }   # all else is as on a page opened afresh
    highlight = "K"
    needs = ["epochs"]           # what must have been measured: a button measures what is not
    controls = ["commutativity-epochs"]                  # stay in sight while presenting, by their keys
    text = "Markdown with $formulas$ and present numbers: $K_{11} = ⟦K_11⟧$."

A paragraph that claims something says when it holds: see pages.text.numbers. Nothing in a tour is executed or loaded:
its text is Markdown without HTML and without pictures.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cache.foreign import read_toml
from engine.errors import require
from pages.rooms.tours.needs import DEMO, NEEDS
from pages.rooms.tours.places import PLACES
from pages.state import palette, selection
from pages.state.menu import MENU
from pages.text import numbers

FIRST, MIDDLE, LAST = "first", "middle", "last"
# The page of the closing slide.
CLOSING = "tours"
LONGEST, LONGEST_TEXT, MOST_STOPS = 100_000, 2_000, 40
# Of the viewer, not of the tour.
_VIEWERS = ("large", "present", "tour", "stop")
SELECTABLE = tuple(name for name in vars(selection.Selection()) if name not in _VIEWERS)
_MARKUP = re.compile(r"<[/!?]?[A-Za-z][^<>]*>|<!--")
_FORMULA = re.compile(r"\$\$.+?\$\$|\$.+?\$", re.S)
_TOUR = ("id", "title", "about", "run", "learned", "stop")
_STOP = ("title", "page", "select", "highlight", "needs", "controls", "text")
MOST_LEARNED = 5


@dataclass(frozen=True)
class Stop:
    """One stop. page: its name in an address, "start" for the first; select: fields of the selection as the URL
    spells them, an epoch also as first, middle or last; highlight: a key of places.PLACES, or none; needs: keys of
    needs.NEEDS; controls: keys of what stays in sight while presenting."""

    title: str
    text: str
    page: str
    select: Mapping[str, str]
    highlight: str = ""
    needs: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tour:
    """Stops in their order; run: the one it speaks of, by the beginning of its key or as demo; learned: the sentences
    of the closing slide; source: the file itself."""

    id: str
    title: str
    about: str
    stops: tuple[Stop, ...]
    source: str = ""
    run: str = ""
    learned: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The last place, from 1: the closing slide, where there is one."""
        return len(self.stops) + bool(self.learned)

    def page(self, number: int) -> str:
        """The page of a place."""
        return self.stops[number - 1].page if number <= len(self.stops) else CLOSING


def read(source: str, file: str = "The tour") -> Tour:
    """The tour written in TOML. ValueError, one sentence, names the stop and what is wrong with it."""
    require(len(source) <= LONGEST, f"{file} has {len(source):,} characters; a tour has {LONGEST:,} at most.")
    body = read_toml(source, file)
    _known(body, _TOUR, file)
    id = _text(body, "id", file)
    require(
        bool(re.fullmatch(r"[a-z0-9-]{1,40}", id)),
        f"{file}: the id is made of small letters, digits and hyphens, 40 at most, not {id!r}.",
    )
    stops = body.get("stop", [])
    require(
        isinstance(stops, list) and bool(stops) and all(isinstance(stop, dict) for stop in stops),
        f"{file} has no stop. Write one as [[stop]] with title, page and text.",
    )
    require(len(stops) <= MOST_STOPS, f"{file} has {len(stops)} stops; {MOST_STOPS} are the most.")
    return Tour(
        id,
        _text(body, "title", file),
        _text(body, "about", file),
        tuple(_stop(stop, f"{file}, stop {number}") for number, stop in enumerate(stops, 1)),
        source,
        _run(body.get("run", ""), file),
        tuple(_markdown(text, f"{file}, learned") for text in _texts(body, "learned", file, MOST_LEARNED)),
    )


def _run(run: Any, where: str) -> str:
    require(
        isinstance(run, str) and (run in ("", DEMO) or bool(re.fullmatch(r"[0-9a-f]{4,16}", run))),
        f"{where}: run is {DEMO!r} or the beginning of a run's key, not {run!r}.",
    )
    return str(run)


def _texts(body: Mapping[str, Any], name: str, where: str, most: int) -> tuple[str, ...]:
    texts = body.get(name, [])
    written = isinstance(texts, list) and all(isinstance(text, str) and text.strip() for text in texts)
    require(written and len(texts) <= most, f"{where}: {name} is a list of at most {most} texts, not {texts!r}.")
    return tuple(text.strip() for text in texts)


def _stop(body: Mapping[str, Any], where: str) -> Stop:
    _known(body, _STOP, where)
    page = _text(body, "page", where)
    pages = [entry.name for group in MENU.values() for entry in group]
    require(page in pages, f"{where}: there is no page {page!r}; there are {', '.join(pages)}.")
    select = body.get("select", {})
    require(isinstance(select, dict), f'{where}: select is written as {{ k = 40, matrix = "C" }}, not {select!r}.')
    highlight = _text(body, "highlight", where) if "highlight" in body else ""
    places = PLACES.get(page, {})
    require(
        not highlight or highlight in places,
        f"{where}: the page {page} has no part {highlight!r} to highlight; "
        + (f"it has {', '.join(places)}." if places else "it has none."),
    )
    return Stop(
        _text(body, "title", where),
        _markdown(_text(body, "text", where), where),
        page,
        {name: _choice(name, value, where) for name, value in select.items()},
        highlight,
        _known_needs(_texts(body, "needs", where, len(NEEDS)), where),
        _keys(_texts(body, "controls", where, 10), where),
    )


def _known_needs(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    unknown = [name for name in names if name not in NEEDS]
    require(not unknown, f"{where}: nothing called {', '.join(unknown)} can be needed; there are {', '.join(NEEDS)}.")
    return names


def _keys(keys: tuple[str, ...], where: str) -> tuple[str, ...]:
    strange = [key for key in keys if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", key)]
    require(not strange, f"{where}: {', '.join(strange)} is no key of a control.")
    return keys


def _choice(name: str, value: Any, where: str) -> str:
    """One field of the selection as the URL spells it."""
    require(name in SELECTABLE, f"{where}: a selection has no {name!r}; it has {', '.join(SELECTABLE)}.")
    text = selection.spelled(value)
    if name == "epoch" and text in (FIRST, MIDDLE, LAST):
        return text
    parsed = getattr(selection.from_url({name: text}), name)
    if name in ("matrix", "matrices") and parsed is not None:
        named = (parsed,) if isinstance(parsed, str) else parsed
        parsed = parsed if set(named) <= set(palette.LOOKS) - {"H"} else None
    require(parsed is not None, f"{where}: {name} cannot be {value!r}.{_POSSIBLE.get(name, '')}")
    return text


_MATRICES = ", ".join(name for name in palette.LOOKS if name != "H")
_POSSIBLE = {
    "epoch": f" It is a whole number, or {FIRST}, {MIDDLE} or {LAST}.",
    "matrix": f" It is one of {_MATRICES}.",
    "matrices": f" It is a list of some of {_MATRICES}.",
    "window": " It is a list of the first and the last direction, such as [1, 100].",
    "k": " It is a whole number from 1.",
}


def _markdown(text: str, where: str) -> str:
    """The text, if it is Markdown alone and names numbers that there are."""
    require(
        len(text) <= LONGEST_TEXT, f"{where}: its text has {len(text):,} characters; {LONGEST_TEXT:,} are the most."
    )
    markup = _MARKUP.search(_FORMULA.sub("", text))
    require(markup is None, f"{where}: a text is Markdown without HTML; take {markup and markup[0]!r} out.")
    require("![" not in text, f"{where}: a text has no pictures; take the ![…] out.")
    unknown = [name for name in numbers.places(text) if name not in numbers.NUMBERS]
    require(
        not unknown,
        f"{where}: there is no number ⟦{', '.join(unknown)}⟧; there are {', '.join(numbers.NUMBERS)}.",
    )
    return text


def _text(body: Mapping[str, Any], name: str, where: str) -> str:
    value = body.get(name)
    require(
        isinstance(value, str) and bool(value.strip()),
        f"{where} needs {'an' if name[0] in 'aeiou' else 'a'} {name}, a text in quotation marks.",
    )
    return str(value).strip()


def _known(body: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [name for name in body if name not in known]
    require(not unknown, f"{where} has no setting {', '.join(unknown)}; it has {', '.join(known)}.")
