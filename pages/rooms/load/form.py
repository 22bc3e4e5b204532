"""What the Load page holds, and how it becomes a request: one frozen value in the session, as on the Train page."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.errors import require
from engine.models import files, inspection
from engine.models.architectures import KINDS
from engine.models.inspection import Inspection

_KEY = "loading"
WAYS = {"upload": "Upload files", "folder": "A folder on this machine", "run": "A run that is here already"}


@dataclass(frozen=True)
class Form:
    """Every widget's value. way: a key of WAYS; files: their paths; names: what their user calls them; folder and
    epochs: as typed; run: the key of one that is here; layer: None for the one the paper would study; jointly: layers
    studied together with it; the rest as in engine.config.requests."""

    way: str = "upload"
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    folder: str = ""
    run: str | None = None
    epochs: str = ""
    activation: str = "relu"
    loss: str = "ce"
    data: str = "mnist5k"
    classes: tuple[int, ...] | None = None
    per_class: int | None = None
    scaling: str = "paper"
    layer: str | None = None
    jointly: tuple[str, ...] = ()
    which: str = "all"
    batch_size: int = 50
    samples: int | None = None
    top_k: int | None = None
    dtype: str = "float32"
    bootstrap: int = 0


def current() -> Form:
    """The form as it is."""
    form = st.session_state.setdefault(_KEY, Form())
    assert isinstance(form, Form)
    return form


def put(form: Form) -> None:
    """Replace the form."""
    st.session_state[_KEY] = form


def change(**values: Any) -> None:
    """Change some fields."""
    put(replace(current(), **values))


def choose(found: list[tuple[str, str]]) -> None:
    """Take files, (path, name) each, in the natural order of their names, with the epochs these tell."""
    found = sorted(found, key=lambda pair: files.natural(pair[1]))
    names = tuple(name for _, name in found)
    epochs = ", ".join(map(str, files.epochs(names)))
    change(files=tuple(path for path, _ in found), names=names, epochs=epochs, layer=None)


def bound(field: str) -> dict[str, Any]:
    """Arguments that tie a widget to a field of the form."""
    key = f"{_KEY}.{field}"

    def changed() -> None:
        chosen = st.session_state[key]
        change(**{field: tuple(chosen) if isinstance(chosen, list) else chosen})

    # Told in every run: the browser may never see a run that another one overtakes.
    told = getattr(current(), field)
    st.session_state[key] = list(told) if field == "jointly" else told
    return {"key": key, "on_change": changed}


def model(form: Form, found: Inspection) -> ModelRequest | None:
    """The network found, with the activation chosen where shapes leave it open."""
    if found.model is None or found.model.kind not in KINDS:
        return found.model
    return replace(found.model, activation=form.activation)


def data(form: Form) -> DataRequest:
    """What is taken of which data."""
    return DataRequest(form.data, form.classes, form.per_class, scaling=form.scaling)


def epochs(form: Form) -> tuple[int, ...]:
    """The epochs typed. ValueError where they are none."""
    words = [word for word in re.split(r"[\s,;]+", form.epochs) if word]
    require(
        all(word.isdecimal() and len(word) < 6 for word in words),
        f"“{form.epochs}” is no list of epochs. Give a whole number from 0 on for each file, such as 0, 10, 20.",
    )
    return tuple(map(int, words))


def request(form: Form, found: Inspection) -> tuple[RunRequest, tuple[str, ...]]:
    """The run that the files are, and the files by epoch. ValueError where they make none."""
    asked = RunRequest(data(form), loss=form.loss, training=TrainingRequest())
    run, order = inspection.asked(asked, replace(found, model=model(form, found)), epochs(form))
    return run, tuple(form.files[i] for i in order)


def title(form: Form) -> str:
    """The files in a few words."""
    first = Path(form.names[0]).name if form.names else ""
    return first if len(form.names) == 1 else f"{first} and {len(form.names) - 1} more"
