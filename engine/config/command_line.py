"""The command line: words read as commands, and commands as the words that mean them.

Nothing here imports torch: a mistyped word is refused at once, and the dashboard starts exactly the command it shows.
"""

import argparse
import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from typing import Any, get_args

from engine import __version__
from engine.config import manual
from engine.config.commands import COMMANDS, NAMES, Command, FilmCommand, TrainCommand
from engine.config.fields import Field, by_name, declared
from engine.config.kinds import KINDS, by_depth
from engine.config.requests import ModelRequest, RunRequest, default_model, usual_model
from engine.errors import require


def _flags(cls: Any) -> Mapping[str, Field]:
    """What can be typed for a command or a request, by name: its settings and those of its parts, each name as it comes
    first, and last what every command takes. A setting without help is not for the command line."""
    flags: dict[str, Field] = {}
    for field in sorted(fields(cls), key=lambda field: bool(field.kw_only)):
        setting = declared(cls).get(field.name)
        if is_dataclass(field.default):
            flags = {**flags, **_flags(field.default.__class__), **flags}
        elif setting is not None and setting.setting.help:
            flags[setting.name] = setting
    return flags


# -- from words to commands ---------------------------------------------------------------------------------


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Shows a default where there is one to show."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, value = action.help or "", action.default
        if any(value is nothing for nothing in (None, (), False, True, argparse.SUPPRESS)):
            return text
        return f"{text} [{_text(value)}]"


@cache
def _parser() -> argparse.ArgumentParser:
    how: dict[str, Any] = {"epilog": manual.EXAMPLES, "formatter_class": _Formatter, "allow_abbrev": False}
    top = argparse.ArgumentParser(prog=manual.PROGRAM, description=manual.ABOUT, **how)
    top.add_argument("--version", action="version", version=f"gammascope {__version__}")
    adder = top.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, cls in COMMANDS.items():
        text = inspect.getdoc(cls) or ""
        sub = adder.add_parser(name, help=text.split(". ")[0].replace("\n", " "), description=text, **how)
        for field in _flags(cls).values():
            _add(sub, field)
    return top


def _add(parser: argparse.ArgumentParser, field: Field) -> None:
    """The flag of a setting; without a default it is typed alone, or several where it is a list."""
    setting = field.setting
    how: dict[str, Any] = {"help": setting.help.replace("%", "%%")}
    if field.kind is bool:
        how["action"] = "store_false" if field.default else "store_true"
    else:
        how |= {"type": _typed(field.parse), "metavar": setting.metavar or None}
    if setting.choices and not setting.pattern:
        how |= {"choices": setting.choices, "type": str}
    if setting.alone:
        how |= {"nargs": "?", "const": setting.alone}
    if field.default is MISSING:
        many: dict[str, Any] = {"type": str, "nargs": "+"} if get_args(field.kind) else {}
        parser.add_argument(field.name, **(how | many))
    elif field.request is ModelRequest and field.name == "model":  # one word, and the data's own where it is left out
        parser.add_argument(field.flag, **(how | {"type": _typed(_model)}))
    else:
        parser.add_argument(field.flag, dest=field.name, default=field.default, **how)


def _typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """How argparse reads a word: its ValueError is the sentence that is shown."""

    def typed(word: str) -> Any:
        try:
            return read(word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _model(word: str) -> tuple[str, tuple[int, ...] | None]:
    """Kind and widths, 0 where the data tell them; None for the usual ones."""
    kind, _, widths = word.rpartition(":")
    if word in KINDS:
        return word, None
    if kind == "resnet" and widths.isdecimal():
        return kind, (0, *by_depth(int(widths)), 0)
    require(kind in ("", *KINDS), f"{kind!r} is no kind of model; there are {', '.join(KINDS)}")
    require(
        re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", widths) is not None,
        f"{widths!r} is no model: give widths from input to classes such as 784-50-50-10, or "
        f"{', '.join(list(KINDS)[1:])}, or one of them with widths such as cnn:3-10 (channels, "
        "classes), or a ResNet by its depth as resnet:20",
    )
    return kind or "mlp", tuple(map(int, widths.split("-")))


def parse(argv: Sequence[str]) -> Command:
    """The command meant by argv; prints usage and raises SystemExit(2) if it is none."""
    words = vars(_parser().parse_args(list(argv)))
    cls = COMMANDS[words.pop("command")]
    trains = issubclass(cls, TrainCommand | FilmCommand)
    model = words.pop("model") if trains else None
    values = _taken(cls, words)
    if trains:
        values["request"] = _with_network(values["request"], model)
    return cls(**values)


def _taken(cls: Any, words: dict[str, Any]) -> dict[str, Any]:
    """The fields of a command or a request that were typed; each word is taken by the first that has its name."""
    values: dict[str, Any] = {}
    for field in fields(cls):
        setting, part = declared(cls).get(field.name), field.default
        if is_dataclass(part):
            values[field.name] = part.__class__(**{**vars(part), **_taken(part.__class__, words)})
        elif setting is not None and setting.name in words:
            word = words.pop(setting.name)
            values[field.name] = tuple(word) if isinstance(word, list) else word
    return values


def _with_network(request: RunRequest, model: tuple[str, tuple[int, ...] | None] | None) -> RunRequest:
    """The request with the network that was typed, or with the paper's for its data."""
    kind, typed = model or ("mlp", None)
    usual = usual_model(kind, request.data).widths
    first, *hidden, last = typed or usual
    widths = (first or usual[0], *hidden, last or usual[-1])
    return replace(request, model=replace(request.model, kind=kind, widths=widths))


# -- from commands to words ---------------------------------------------------------------------------------


def line(command: Command) -> str:
    """The command as a person types it."""
    return f"{manual.PROGRAM} {shlex.join(words(command))}"


def words(command: Command) -> list[str]:
    """The words after `python -m engine` that mean this command, only what differs from the defaults."""
    values = by_name(command)
    if isinstance(command, TrainCommand | FilmCommand):
        model, usual = command.request.model, default_model(command.request.data)
        if (model.kind, model.widths) != (usual.kind, usual.widths):
            values["model"] = ("" if model.kind == "mlp" else f"{model.kind}:") + "-".join(map(str, model.widths))
    spelled = [NAMES[type(command)]]
    for name, field in _flags(command.__class__).items():
        value = values[name]
        if field.default is MISSING:
            spelled += value if isinstance(value, tuple) else [value]
        elif field.kind is bool and value != field.default:
            spelled.append(field.flag)
        elif value != field.default:
            text = field.setting.none if value is None else _text(value)
            # A value that looks like a flag, such as a name with a minus, is tied to its own.
            spelled += [f"{field.flag}={text}"] if text.startswith("-") else [field.flag, text]
    return spelled


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
