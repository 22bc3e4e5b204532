"""What is being looked at, as one typed value that every page shares and the URL spells out.

The value is kept in the session; widgets are given it before they are drawn and change it in a callback.
Streamlit's own binding of widgets to the URL drops a value that came with a deep link when the page is
changed before the widget was touched, and knows one widget at a time; a selection is one thing.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.config.requests import joined

_KEY = "selection"
# Large type against the usual one.
LARGE = 1.3


@dataclass(frozen=True)
class Selection:
    """What is looked at; None: not chosen, the page takes what is there.

    run: key of a run; runs: other runs compared with it; epoch: of the checkpoint; matrix and matrices: names of
    covariances; k: leading directions shown; window: first and last direction of the fit, from 1; direction: the one
    pointed at, from 1; draw: seed of the random baseline; centred: whether clouds are shifted onto each other; bend:
    whether second-order fits are drawn; keep, tail, stiff, damp, homogenise: the edit of the per-sample spectra, see
    engine.results.suppression; distribution, decades, correlation, seed: the curvatures of the sandbox, see
    engine.results.synthetic; measured: whether the run is shown beside them; proof: the step of the proof, from 1;
    sample: the training sample looked at, from 0; of_class: the class whose samples are offered, from 0; order: which
    of them come first; mode: the eigenvalue of its Hessian, from 1; plain: axes that are not logarithmic; partner: the
    sample it is held against, from 0; step: how far towards it, from 0 to 1; matching: how all samples find partners,
    see engine.samples.all_pairs; middle: the epoch between first and last; beside: matrices drawn beside H; relative:
    whether diagonals are divided by H's; sweep: the one whose table is shown, by name; film: the key of the one that
    is watched; large: type for a projector; present: figures alone, in large type; tour and stop: the guided tour that
    is on, and where it stands, from 1.
    """

    run: str | None = None
    runs: tuple[str, ...] | None = None
    direction: int | None = None
    epoch: int | None = None
    layer: str | None = None
    matrix: str | None = None
    matrices: tuple[str, ...] | None = None
    k: int | None = None
    window: tuple[int, int] | None = None
    draw: int | None = None
    centred: bool | None = None
    bend: bool | None = None
    keep: int | None = None
    tail: float | None = None
    stiff: float | None = None
    damp: float | None = None
    homogenise: bool | None = None
    distribution: str | None = None
    decades: float | None = None
    correlation: float | None = None
    seed: int | None = None
    measured: bool | None = None
    proof: int | None = None
    sample: int | None = None
    of_class: int | None = None
    order: str | None = None
    mode: int | None = None
    plain: bool | None = None
    partner: int | None = None
    step: float | None = None
    matching: str | None = None
    middle: int | None = None
    beside: tuple[str, ...] | None = None
    relative: bool | None = None
    sweep: str | None = None
    film: str | None = None
    large: bool | None = None
    present: bool | None = None
    tour: str | None = None
    stop: int | None = None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"{value} is not in {low} … {high}")
        return value

    return read


def _word(pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is no name")
        return text

    return read


def _real(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"{value} is not in {low} … {high}")
        return value

    return read


def _yes_or_no(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _window(text: str) -> tuple[int, int]:
    first, last = (_whole(1, 10**6)(part) for part in text.split(","))
    if first > last:
        raise ValueError(f"{first} comes after {last}")
    return first, last


_RUN = _word(r"[0-9a-f]{16}")
_SHARE = _real(0, 1)
_NAME = _word(r"[A-Za-z0-9_]{1,40}")
_READERS: Mapping[str, Callable[[str], Any]] = {
    "run": _RUN,
    "runs": lambda text: tuple(_RUN(key) for key in text.split(",")),
    "direction": _whole(1, 10**6),
    "epoch": _whole(0, 10**6),
    "layer": _word(r"[A-Za-z0-9_.+]{1,200}"),
    "matrix": _NAME,
    "matrices": lambda text: tuple(_NAME(name) for name in text.split(",")),
    "k": _whole(1, 10**5),
    "window": _window,
    "draw": _whole(0, 10**6),
    "centred": _yes_or_no,
    "bend": _yes_or_no,
    "keep": _whole(1, 10**4),
    "tail": _SHARE,
    "stiff": _SHARE,
    "damp": _SHARE,
    "homogenise": _yes_or_no,
    "distribution": _NAME,
    "decades": _real(0.1, 1.5),
    "correlation": _SHARE,
    "seed": _whole(0, 10**6),
    "measured": _yes_or_no,
    "proof": _whole(1, 5),
    "sample": _whole(0, 10**7),
    "of_class": _whole(0, 10**4),
    "order": _word(r"[a-z]{1,20}"),
    "mode": _whole(1, 10**4),
    "plain": _yes_or_no,
    "partner": _whole(0, 10**7),
    "step": _SHARE,
    "matching": _word(r"[a-z]{1,20}"),
    "middle": _whole(0, 10**6),
    "beside": lambda text: tuple(_NAME(name) for name in text.split(",")),
    "relative": _yes_or_no,
    "sweep": _word(r"[a-z0-9_-]{1,40}"),
    "film": _RUN,
    "large": _yes_or_no,
    "present": _yes_or_no,
    "tour": _word(r"[a-z0-9-]{1,40}"),
    "stop": _whole(1, 99),
}


def layer_name(layer: str) -> str:
    """A layer, or several studied jointly, for a reader."""
    names = joined(layer)
    return f"{' + '.join(names)} (jointly)" if len(names) > 1 else layer


def from_url(params: Mapping[str, str]) -> Selection:
    """The selection a URL spells; what is unknown or malformed is left unchosen."""
    values = {}
    for name, read in _READERS.items():
        if name in params:
            try:
                values[name] = read(params[name])
            except (ValueError, KeyError):
                continue
    return Selection(**values)


def to_url(selection: Selection) -> dict[str, str]:
    """The parameters that from_url reads back as this selection."""
    written = {}
    for field in dataclasses.fields(Selection):
        value = getattr(selection, field.name)
        if value is None:
            continue
        if isinstance(value, bool):
            written[field.name] = "yes" if value else "no"
        else:
            written[field.name] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return written


def current() -> Selection:
    """The session's selection; at first what the URL says."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = from_url(st.query_params.to_dict())
    return st.session_state[_KEY]


def scale() -> float:
    """Size of letters against the usual one."""
    return LARGE if current().large or current().present else 1.0


def choose(**changes: Any) -> Selection:
    """Change the session's selection; the URL follows when the page or a fragment next begins: see publish."""
    st.session_state[_KEY] = dataclasses.replace(current(), **changes)
    return st.session_state[_KEY]


def publish() -> None:
    """Write the selection to the URL, where it differs: something was chosen, or a page change has emptied it.

    Pages and fragments begin with it. A callback does not write: its message can be lost with the end of its run while
    other fragments ask for theirs, and what comes after it can be cut off. Every run tells which URL the browser has.
    """
    wanted = to_url(current())
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


def bound(page: str, field: str, value: Any) -> dict[str, Any]:
    """Arguments that tie a widget of this page to one field of the selection, which now has this value.

    The key is the page's own: a widget that lives on two pages under one key forgets its value between them.
    """
    key = f"{page}.{field}"

    def changed() -> None:
        chosen = st.session_state[key]
        choose(**{field: tuple(chosen) if isinstance(chosen, list) else chosen})

    # Several choices are a list to Streamlit, both ends of a range a tuple.
    wanted = list(value) if isinstance(value, tuple) and all(isinstance(v, str) for v in value) else value
    if st.session_state.get(key) != wanted:
        st.session_state[key] = wanted
    return {"key": key, "on_change": changed}
