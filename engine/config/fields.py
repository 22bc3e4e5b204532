"""Every setting of a run and of its analysis under the name a user types, and its value read from TOML.

Nothing here imports torch.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest


def _settings(
    cls: type, names: Mapping[str, str] = MappingProxyType({}), without: Sequence[str] = ()
) -> dict[str, tuple[type, str]]:
    fields = (f.name for f in dataclasses.fields(cls) if f.name not in without)
    return {names.get(field, field): (cls, field) for field in fields}


# Every setting of a cell: where it belongs, and its name there.
SETTINGS: Mapping[str, tuple[type, str]] = {
    **_settings(DataRequest, {"name": "data", "seed": "data_seed"}),
    **_settings(ModelRequest, {"kind": "model"}),
    **_settings(TrainingRequest),
    **_settings(RunRequest, without=("data", "model", "training", "weights")),
    **_settings(
        AnalysisRequest, {"anchors_per_class": "anchors"}, without=("run", "epoch", "batch_size", "bias", "seed")
    ),
}


def of(cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the given settings that belong to a request of this type, under its own names."""
    return {SETTINGS[name][1]: value for name, value in given.items() if SETTINGS[name][0] is cls}


def value(name: str, value: Any) -> Any:
    """A TOML value as the setting's own type, "off" or "all" as None. ValueError says what the setting is."""
    cls, field = SETTINGS[name]
    hint = get_type_hints(cls)[field]
    kinds = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if type(None) in kinds and value in ("off", "all"):
        return None
    for kind in kinds:
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if kind is int and is_count(value):
            return value
        if kind in (str, bool) and isinstance(value, kind):
            return value
        if get_args(kind) == (int, ...) and isinstance(value, list) and all(map(is_count, value)):
            return tuple(value)
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    wanted = next((words[k] for k in kinds if k in words), "a list of whole numbers")
    raise ValueError(f"{name} is {wanted}, not {value!r}.")


def is_count(value: Any) -> bool:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
