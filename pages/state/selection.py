"""What is being looked at, as one typed value that every page shares and the URL spells out.

The value is kept in the session; widgets are given it before they are drawn and change it in a callback.
Streamlit's own binding of widgets to the URL drops a value that came with a deep link when the page is
changed before the widget was touched, and knows one widget at a time; a selection is one thing.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, NoReturn, TypeVar, get_type_hints

import streamlit as st

from engine.config.requests import joined
from engine.errors import require
from pages.state.menu import entry

T = TypeVar("T", bound=Any)
_KEY = "selection"
# Large type against the usual one.
LARGE = 1.3


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number between these, both allowed."""

    def read(text: str) -> int:
        value = int(text)
        require(low <= value <= high, f"{value} is not in {low} … {high}")
        return value

    return read


def real(low: float, high: float) -> Callable[[str], float]:
    """Reads a number between these, both allowed."""

    def read(text: str) -> float:
        value = float(text)
        require(low <= value <= high, f"{value} is not in {low} … {high}")
        return value

    return read


def word(pattern: str) -> Callable[[str], str]:
    """Reads a text that the whole pattern fits."""

    def read(text: str) -> str:
        require(re.fullmatch(pattern, text) is not None, f"{text!r} is no name")
        return text

    return read


def several(read: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """Reads a list of such texts."""
    return lambda text: tuple(map(read, text.split(",")))


def span(text: str) -> tuple[int, int]:
    """The first and the last direction of a fit, from 1."""
    first, last = map(whole(1, 10**6), text.split(","))
    require(first <= last, f"{first} comes after {last}")
    return first, last


def yes_or_no(text: str) -> bool:
    """A switch."""
    return bool(("no", "yes").index(text))


WHOLE = 16  # letters of a key; a run may be named by the first of them
KEY, FILM = word(rf"[0-9a-f]{{1,{WHOLE}}}"), word(rf"[0-9a-f]{{{WHOLE}}}")
NAME, ORDER = word(r"[A-Za-z0-9_]{1,40}"), word(r"[a-z]{1,20}")
LAYER, SWEEP, TOUR = word(r"[A-Za-z0-9_.+]{1,200}"), word(r"[a-z0-9_-]{1,40}"), word(r"[a-z0-9-]{1,40}")
EPOCH = SEED = whole(0, 10**6)
DIRECTION, SAMPLE, CLASS, SHARE = whole(1, 10**6), whole(0, 10**7), whole(0, 10**4), real(0, 1)


@dataclass(frozen=True)
class Selection:
    """What is looked at; None: not chosen, the page takes what is there.

    A field a line: its type, how it is read from the URL (ValueError: left unchosen), and what it means. keep to
    homogenise are the edit of the per-sample spectra, see engine.results.suppression; distribution to seed make the
    curvatures of the sandbox, see engine.results.synthetic.
    """

    run: Annotated[str | None, KEY, "the run, by its key or the beginning of it"] = None
    runs: Annotated[tuple[str, ...] | None, several(KEY), "other runs compared with it"] = None
    direction: Annotated[int | None, DIRECTION, "the one pointed at, from 1"] = None
    epoch: Annotated[int | None, EPOCH, "of the checkpoint"] = None
    layer: Annotated[str | None, LAYER, "by its name, several studied jointly joined by +"] = None
    layers: Annotated[tuple[str, ...] | None, several(LAYER), "layers compared along depth"] = None
    quantity: Annotated[str | None, NAME, "what is followed along training layer by layer"] = None
    matrix: Annotated[str | None, NAME, "name of a covariance"] = None
    matrices: Annotated[tuple[str, ...] | None, several(NAME), "names of covariances"] = None
    approximations: Annotated[bool | None, yes_or_no, "whether those of the prediction are offered"] = None
    predictor: Annotated[str | None, NAME, "what may predict the noise"] = None
    k: Annotated[int | None, whole(1, 10**5), "leading directions shown"] = None
    pair: Annotated[tuple[int, int] | None, span, "directions that the loss is drawn over, from 1"] = None
    window: Annotated[tuple[int, int] | None, span, "first and last direction of the fit, from 1"] = None
    guess: Annotated[bool | None, yes_or_no, "whether the answer is asked for before it is told"] = None
    draw: Annotated[int | None, SEED, "seed of the random baseline"] = None
    centred: Annotated[bool | None, yes_or_no, "whether clouds are shifted onto each other"] = None
    bend: Annotated[bool | None, yes_or_no, "whether second-order fits are drawn"] = None
    keep: Annotated[int | None, whole(1, 10**4), "curvatures kept of every sample"] = None
    tail: Annotated[float | None, SHARE, "factor of those that are not kept"] = None
    stiff: Annotated[float | None, SHARE, "share of the largest curvature from which on a sample is stiff"] = None
    damp: Annotated[float | None, SHARE, "factor of the samples that are not stiff"] = None
    homogenise: Annotated[bool | None, yes_or_no, "whether stiff samples get their mean"] = None
    distribution: Annotated[str | None, NAME, "of the sandbox's curvatures"] = None
    decades: Annotated[float | None, real(0.1, 1.5), "their deviation, in powers of ten"] = None
    correlation: Annotated[float | None, SHARE, "of a sample's curvature with that of its direction"] = None
    rarity: Annotated[float | None, real(0, 0.8), "of sharp samples: shares fall as this power of κ"] = None
    seed: Annotated[int | None, SEED, "that draws them"] = None
    measured: Annotated[bool | None, yes_or_no, "whether the run is shown beside them"] = None
    proof: Annotated[int | None, whole(1, 5), "step of the proof, from 1"] = None
    odds: Annotated[int | None, whole(1, 5), "step of the proof that no noise exceeds C_odds, from 1"] = None
    sample: Annotated[int | None, SAMPLE, "training sample looked at, from 0"] = None
    of_class: Annotated[int | None, CLASS, "class whose samples are offered, from 0"] = None
    order: Annotated[str | None, ORDER, "which of them come first"] = None
    mode: Annotated[int | None, whole(1, 10**4), "eigenvalue of its Hessian, from 1"] = None
    filter: Annotated[int | None, whole(1, 10**5), "output whose filter's Hessian is drawn, from 1"] = None
    plain: Annotated[bool | None, yes_or_no, "axes that are not logarithmic"] = None
    partner: Annotated[int | None, SAMPLE, "sample it is held against, from 0"] = None
    step: Annotated[float | None, SHARE, "how far towards it, from 0 to 1"] = None
    matching: Annotated[str | None, ORDER, "how all samples find partners, see engine.samples.all_pairs"] = None
    middle: Annotated[int | None, EPOCH, "the one between first and last"] = None
    beside: Annotated[tuple[str, ...] | None, several(NAME), "matrices drawn beside H"] = None
    relative: Annotated[bool | None, yes_or_no, "whether diagonals are divided by H's"] = None
    sweep: Annotated[str | None, SWEEP, "the one whose table is shown, by name"] = None
    film: Annotated[str | None, FILM, "the one that is watched, by its key"] = None
    large: Annotated[bool | None, yes_or_no, "type for a projector"] = None
    present: Annotated[bool | None, yes_or_no, "figures alone, in large type"] = None
    tour: Annotated[str | None, TOUR, "the guided tour that is on"] = None
    stop: Annotated[int | None, whole(1, 99), "where it stands, from 1"] = None


def readers(cls: type) -> Mapping[str, Callable[[str], Any]]:
    """How each field is read. AttributeError where one does not declare it."""
    return {name: hint.__metadata__[0] for name, hint in get_type_hints(cls, include_extras=True).items()}


READERS = readers(Selection)


def layer_name(layer: str) -> str:
    """A layer, or several studied jointly, for a reader."""
    names = joined(layer)
    return f"{' + '.join(names)} (jointly)" if len(names) > 1 else layer


def from_url(params: Mapping[str, str]) -> Selection:
    """The selection a URL spells; what is unknown or malformed is left unchosen."""
    values = {}
    for name, read in READERS.items():
        if name in params:
            with suppress(ValueError):
                values[name] = read(params[name])
    return Selection(**values)


def spelled(value: Any) -> str:
    """One value as the URL spells it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def to_url(selection: Selection) -> dict[str, str]:
    """The parameters that from_url reads back as this selection."""
    return {name: spelled(value) for name, value in vars(selection).items() if value is not None}


def current() -> Selection:
    """The session's selection; at first what the URL says."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = from_url(st.query_params.to_dict())
    return st.session_state[_KEY]


def selected(usual: T) -> T:
    """These values, but for those that are selected under the same names."""
    here = current()
    return replace(usual, **{name: value for name in vars(usual) if (value := getattr(here, name)) is not None})


def scale() -> float:
    """Size of letters against the usual one."""
    return LARGE if current().large or current().present else 1.0


def choose(**changes: Any) -> Selection:
    """Change the session's selection; the URL follows when the page or a fragment next begins: see publish."""
    st.session_state[_KEY] = replace(current(), **changes)
    return st.session_state[_KEY]


def publish() -> None:
    """Write the selection to the URL, where it differs: something was chosen, or a page change has emptied it.

    Pages and fragments begin with it. A callback does not write: its message can be lost with the end of its run while
    other fragments ask for theirs, and what comes after it can be cut off. Every run tells which URL the browser has.
    """
    parameters = to_url(current())
    if st.query_params.to_dict() != parameters:
        st.query_params.from_dict(parameters)


def open_page(name: str, **changes: Any) -> NoReturn:
    """Open a page with these changes; its address has them from the start, so that one step back leads here."""
    st.switch_page(entry(name).file, query_params=to_url(choose(**changes)))


def page_link(name: str, label: str = "", icon: str = "", **look: Any) -> None:
    """A link to a page, with the selection in its address: one step back leads here, and a new tab shows the same."""
    page, parameters = entry(name), to_url(current())
    st.page_link(page.file, label=label or page.label, icon=icon or page.icon, query_params=parameters, **look)


def bound(page: str, field: str, value: Any) -> dict[str, Any]:
    """Arguments that tie a widget of this page to one field of the selection, which now has this value.

    The key is the page's own: a widget that lives on two pages under one key forgets its value between them.
    """
    key = f"{page}.{field}"

    def changed() -> None:
        chosen = st.session_state[key]
        choose(**{field: tuple(chosen) if isinstance(chosen, list) else chosen})

    # Several choices are a list to Streamlit, both ends of a range a tuple.
    shown = list(value) if isinstance(value, tuple) and all(isinstance(v, str) for v in value) else value
    if st.session_state.get(key) != shown:
        st.session_state[key] = shown
    return {"key": key, "on_change": changed}
