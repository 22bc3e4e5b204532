"""A setting is declared once, beside its field: `epochs: Annotated[int, Setting("Epochs", low=0)] = 100`.

From the declaration come the words of the command line, the TOML of sweeps and presets, the JSON of the cache and the
bounds. Nothing here imports torch.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from engine.errors import require

NOUNS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


@dataclass(frozen=True)
class Setting:
    """What a field means, and the values that make sense.

    label: its name in a form; help: what --help says; low, high: bounds that are allowed themselves, above and
    below: bounds that are not, all of them of each number of a list; choices: the values there are; flag: on the
    command line, "" for the field's own name; phrase: its value with symbol or unit, "B = {}" or "{} epochs"; step:
    from one value to the next in a form; none: the word for None; subject: how the sentence begins that refuses
    another value, "" for "The label is"; refusal: that sentence where it is another, {} being the value; pattern:
    of values beside the choices. On the command line alone: pattern: of the word, or of each of a list; alone: the
    value where its flag stands alone; metavar: what --help writes in its place, "" for its name.
    """

    label: str
    help: str = ""
    low: int | float | None = None
    high: int | float | None = None
    above: int | float | None = None
    below: int | float | None = None
    choices: tuple[Any, ...] = ()
    flag: str = ""
    phrase: str = ""
    step: int | float | None = None
    none: str = ""
    subject: str = ""
    refusal: str = ""
    pattern: str = ""
    alone: tuple[str, ...] = ()
    metavar: str = ""

    def allows(self, value: Any) -> bool:
        """Whether one value, no list, lies in the bounds."""
        if self.choices:
            return value in self.choices or bool(self.pattern and re.fullmatch(self.pattern, value))
        return not isinstance(value, int | float) or (
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def refused(self, kind: Any, value: Any) -> str:
        """The sentence that refuses a value of a field of this kind."""
        if self.refusal:
            return self.refusal.format(value)
        if self.choices:
            return f"There is no {self.label.lower()} {value!r}; choose one of {', '.join(self.choices)}."
        bounds = f"{NOUNS[kind]} from {self.low} on"
        if self.above is not None:
            bounds = f"{NOUNS[kind]} above {self.above}"
        elif self.high is not None:
            bounds = f"fraction between {self.low} and {self.high}"
        return f"{self.subject or f'The {self.label.lower()} is'} a {bounds}; {value} was given."


@dataclass(frozen=True)
class Field:
    """A field that is a setting: of which request and under which name; kind: its type but for None; optional:
    whether None is a value; default: MISSING where it has none."""

    request: type
    attribute: str
    kind: Any
    optional: bool
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        """What is typed before its value."""
        return self.setting.flag or "--" + self.attribute.replace("_", "-")

    @property
    def name(self) -> str:
        """What it is called beside the settings of other requests: the flag as TOML spells it."""
        return self.flag.removeprefix("--").replace("-", "_")

    def check(self, value: Any) -> None:
        """ValueError where the value lies out of bounds."""
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and not self.setting.allows(one):
                raise ValueError(self.setting.refused(self.kind, one))

    def read(self, value: Any) -> Any:
        """A value from TOML or JSON as the field's own type, "off" or "all" as None where that is a value."""
        return _read(self.kind, self.optional, self.name, value)

    def parse(self, word: str) -> Any:
        """A word of the command line as the field's own type: "off", "all" and 0 as None where there is a word for it.
        ValueError where it is out of bounds, too."""
        noun, inner = NOUNS.get(self.kind, "list of whole numbers such as 0,1,2"), get_args(self.kind)
        for one in word.split(",") if inner else (word,):
            if self.setting.pattern and not re.fullmatch(self.setting.pattern, one):
                raise ValueError(self.setting.refused(self.kind, one))
        none = self.setting.none
        if none and word in ("off", "all"):
            return None
        try:
            value = tuple(map(inner[0], word.split(",") if word else ())) if inner else self.kind(word)
        except ValueError:
            wrong = f"neither a {noun} nor {none}" if none and not inner else f"no {noun}"
            raise ValueError(f"{word!r} is {wrong}") from None
        if none and value == 0:
            return None
        self.check(value)
        return value


@cache
def declared(cls: Any) -> Mapping[str, Field]:
    """The settings among the fields of a request, in their order."""
    hints = get_type_hints(cls, include_extras=True)
    settings = {}
    for field in dataclasses.fields(cls):
        for setting in getattr(hints[field.name], "__metadata__", ()):
            if isinstance(setting, Setting):
                kind, optional = _kind(hints[field.name].__origin__)
                settings[field.name] = Field(cls, field.name, kind, optional, field.default, setting)
    return settings


def check(request: Any) -> None:
    """ValueError, a sentence, for the first setting of a request that is out of bounds."""
    for _, field, value in settings(request):
        field.check(value)


def settings(request: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Field, Any]]:
    """Every setting of a request and of those in it, each with the way to it and its value, in their order."""
    for name, value in vars(request).items():
        if dataclasses.is_dataclass(value):
            yield from settings(value, *path, name)
        elif name in declared(request.__class__):
            yield (*path, name), declared(request.__class__)[name], value


def by_name(request: Any) -> dict[str, Any]:
    """The values of these settings by the names that are typed; of several of one name the first."""
    values: dict[str, Any] = {}
    for _, field, value in settings(request):
        values.setdefault(field.name, value)
    return values


def read(cls: Any, values: Any, where: str) -> Any:
    """The dataclass written as a table of TOML or an object of JSON. ValueError, a sentence that begins with `where`
    or with the field's name, says which field is unknown, missing or of another type. Bounds are for `check`."""
    require(isinstance(values, Mapping), f"{where} is a table of settings, not {values!r}.")
    kinds, required = _kinds(cls)
    check_names(values, kinds, where)
    missing = sorted(required - values.keys())
    require(not missing, f"{where} lacks the setting {', '.join(missing)}.")
    return cls(**{name: _read(*kinds[name], name, value) for name, value in values.items()})


def check_names(values: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """ValueError where there is a name beside these."""
    unknown = sorted(values.keys() - set(names))
    require(not unknown, f"{where} has no setting {', '.join(unknown)}; it has {', '.join(sorted(names))}.")


@cache
def _kinds(cls: Any) -> tuple[Mapping[str, tuple[Any, bool]], frozenset[str]]:
    """The kind of every field, and the fields that have no default."""
    hints, fields = get_type_hints(cls), dataclasses.fields(cls)
    required = frozenset(f.name for f in fields if f.default is MISSING and f.default_factory is MISSING)
    return {f.name: _kind(hints[f.name]) for f in fields}, required


def _kind(hint: Any) -> tuple[Any, bool]:
    """A type but for None, and whether None is one of its values."""
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    assert len(kinds) == 1, f"{hint} is no type of a setting"
    return kinds[0], True


def is_count(value: Any) -> bool:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or is_count(value)


_ARE: Mapping[Any, Callable[[Any], bool]] = {
    int: is_count,
    float: _is_number,
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
}


def _read(kind: Any, optional: bool, name: str, value: Any) -> Any:
    if type(value) is kind or (optional and value is None):  # the usual case: a film has thousands of numbers
        return value
    if optional and value in ("off", "all") and kind is not str:
        return None
    if kind in _ARE:
        noun = NOUNS[kind] if kind is bool else f"a {NOUNS[kind]}"
        require(_ARE[kind](value), f"{name} is {noun}, not {value!r}.")
        return kind(value)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return read(kind, value, kind.__name__)
    inner, *rest = get_args(kind)
    if get_origin(kind) is dict:
        require(isinstance(value, Mapping), f"{name} is a table, not {value!r}.")
        return {key: _read(rest[0], False, name, one) for key, one in value.items()}
    nouns = f"{NOUNS[inner]}s" if inner in NOUNS else "tables"
    if not isinstance(value, list | tuple) or (inner in _ARE and not all(map(_ARE[inner], value))):
        raise ValueError(f"{name} is a list of {nouns}, not {value!r}.")
    require(rest == [...] or len(value) == 1 + len(rest), f"{name} is a list of {1 + len(rest)} {nouns}.")
    return tuple(_read(inner, False, name, one) for one in value)
