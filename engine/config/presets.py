"""Settings to start from: those of the paper and a tiny one, read from presets.toml. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cache.foreign import parsing, read_toml
from engine.config.fields import check, check_names
from engine.config.requests import RunRequest, run_request
from engine.errors import require

FILE = Path(__file__).with_name("presets.toml")
CLASSES = (3, 6, 10)
_OWN = {"name", "prominent", "network", "note", "window", "per_class", "analyze", "layers"}
_REQUEST = {"data", "model", "training", "loss"}


@dataclass(frozen=True)
class Preset:
    """name: what it is called; prominent: shown first; network: whether it is there for its network, and none of the
    paper's; note: what it shows; request: the run for all classes; window: 𝒩 by number of classes; per_class: training
    samples per class where they differ by number of classes; analyze: epochs analysed afterwards, in the words of the
    command line; layers: those studied, none for the usual one."""

    name: str
    prominent: bool
    note: str
    request: RunRequest
    window: Mapping[int, int] = field(default_factory=dict)
    per_class: Mapping[int, int] = field(default_factory=dict)
    analyze: tuple[str, ...] = ("last", "all")
    layers: tuple[str, ...] = ()
    network: bool = False

    def run(self, classes: int = 10) -> RunRequest:
        """The run for the first 3 or 6 classes, or all 10."""
        require(classes in CLASSES, f"A preset has {', '.join(map(str, CLASSES))} classes, not {classes}.")
        if classes == 10:
            return self.request
        own = self.request
        data = replace(
            own.data, classes=tuple(range(classes)), per_class=self.per_class.get(classes, own.data.per_class)
        )
        return replace(own, data=data, model=replace(own.model, widths=(*own.model.widths[:-1], classes)))


def read(text: str) -> tuple[Preset, ...]:
    """The presets written in TOML; ValueError names the preset and the setting that is unknown or missing."""
    body = read_toml(text, "The file of presets")
    unknown = sorted(set(body) - {"preset"})
    require(not unknown, f"Presets are written as [[preset]]; there is no {', '.join(unknown)}.")
    with parsing("The presets cannot be read", own=True):
        return tuple(_preset(values) for values in body.get("preset", ()))


@cache
def presets() -> tuple[Preset, ...]:
    """The presets that come with the project, prominent ones first."""
    return tuple(sorted(read(FILE.read_text(encoding="utf-8")), key=lambda preset: not preset.prominent))


def preset(name: str) -> Preset:
    """One preset by its name; ValueError lists those there are."""
    match = next((p for p in presets() if p.name == name), None)
    require(match is not None, f"There is no preset {name!r}; there are {'; '.join(p.name for p in presets())}.")
    assert match is not None
    return match


def _preset(values: dict[str, Any]) -> Preset:
    name = values.get("name")
    require(isinstance(name, str) and bool(name), "A preset needs a name.")
    check_names(values, _OWN | _REQUEST, f"Preset {name!r}")
    try:
        request = run_request({k: v for k, v in values.items() if k in _REQUEST})
        check(request)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Preset {name!r}: {error}") from error
    own: dict[str, Any] = {
        k: {int(number): count for number, count in values[k].items()} for k in ("window", "per_class") if k in values
    }
    own |= {k: tuple(values[k]) for k in ("analyze", "layers") if k in values} | {"network": "network" in values}
    return Preset(str(name), values.get("prominent", False), values.get("note", ""), request, **own)
