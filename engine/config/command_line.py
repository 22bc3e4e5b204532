"""The command line: what can be typed, words read as commands, and requests as the words that ask for them.

Nothing here imports torch: a mistyped word is refused at once, and the dashboard starts exactly the command it shows.
"""

import argparse
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from engine.config import manual
from engine.config.commands import (
    AnalyzeCommand,
    CalibrateCommand,
    CheckCommand,
    Command,
    FilmCommand,
    InspectCommand,
    LoadCommand,
    PreviewCommand,
    SamplesCommand,
    SweepCommand,
    TrainCommand,
)
from engine.config.fields import Setting, declared
from engine.config.requests import (
    SETTINGS,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
    default_model,
)
from engine.errors import require

# Of files that are loaded.
_EPOCHS = replace(
    SETTINGS["checkpoints"], setting=Setting("Epochs", low=0, refusal="Epochs are counted from 0; {} was given.")
)

# -- words --------------------------------------------------------------------------------------------------


def _typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """How argparse reads a word: its ValueError is the sentence that is shown."""

    def typed(word: str) -> Any:
        try:
            return read(word)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _model(word: str) -> tuple[str, tuple[int, ...] | None]:
    kind, _, widths = word.rpartition(":")
    if word == "cnn":
        return "cnn", None
    require(kind in ("", "mlp", "cnn"), f"{kind!r} is no kind of model; there are mlp and cnn")
    require(
        re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", widths) is not None,
        f"{widths!r} is no model: give widths from input to classes such as 784-50-50-10, or cnn, or cnn:3-10 "
        "(channels, classes)",
    )
    return kind or "mlp", tuple(map(int, widths.split("-")))


def _checkpoints(word: str) -> tuple[str, ...]:
    words = tuple(word.split(","))
    for one in words:
        require(
            one in ("last", "all") or one.isdecimal(),
            f"{one!r} is no epoch: give last, all or numbers such as 0,10",
        )
    return words


def _device(word: str) -> str:
    require(
        re.fullmatch(r"auto|(cpu|cuda)(:\d+)?", word) is not None,
        f"{word!r} is no device; use 'auto', 'cpu' or 'cuda'.",
    )
    return word


def _workers(word: str) -> int:
    require(word.isdecimal() and int(word) >= 1, f"A sweep needs at least one worker, not {word}.")
    return int(word)


# -- the parser ---------------------------------------------------------------------------------------------


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Shows a default where there is one to show."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, value = action.help or "", action.default
        if any(value is nothing for nothing in (None, (), False, True, argparse.SUPPRESS)):
            return text
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        return f"{text} [{shown}]"


@cache
def _parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser of `python -m engine`, and that of each command by its name."""
    how: dict[str, Any] = {"epilog": manual.EXAMPLES, "formatter_class": _Formatter, "allow_abbrev": False}
    top = argparse.ArgumentParser(prog=manual.PROGRAM, description=manual.ABOUT, **how)
    adder = top.add_subparsers(dest="command", required=True, metavar=" | ".join(_COMMANDS))
    parsers = {}
    for name, (_, text, fill) in _COMMANDS.items():
        parsers[name] = sub = adder.add_parser(
            name, help=text.split(". ")[0].replace("\n", " "), description=text, **how
        )
        fill(sub.add_argument)
        if name == "inspect":
            continue
        if name != "calibrate":
            sub.add_argument("--download", action="store_true", help="fetch the data set if it is not here yet")
        sub.add_argument(
            "--device",
            type=_typed(_device),
            default="auto",
            help="auto, cpu, cuda or cuda:1; auto takes a GPU if there is one",
        )
        sub.add_argument("--job", help=argparse.SUPPRESS)
    return top, parsers


_Add = Callable[..., object]


def _add(add: _Add, cls: type, *names: str, **other: Any) -> None:
    """The flags of a request's settings, of all of them or of those named; other: what is not as declared."""
    for field in (declared(cls)[name] for name in names or declared(cls)):
        how: dict[str, Any] = {"dest": field.name, "help": field.setting.help.replace("%", "%%")}
        if field.kind is bool:
            how["action"] = "store_true"
        else:
            how |= {"default": field.default, "type": _typed(field.parse)}
        if field.setting.choices:
            how |= {"choices": field.setting.choices, "type": str}
        add(field.flag, **(how | other))


def _add_run(add: _Add) -> None:
    _add(add, DataRequest)
    _add(add, ModelRequest, "kind", type=_typed(_model), default=None)
    _add(add, ModelRequest, "activation", "bias")
    _add(add, RunRequest, "loss")
    _add(add, TrainingRequest)
    _add(add, RunRequest, "seed")


def _add_train(add: _Add) -> None:
    _add_run(add)
    _add_analyze_after(add)
    add(
        "--every-sample", type=_typed(_checkpoints), default=(), metavar="EPOCHS",
        help="look at every sample afterwards, as the command samples does: last, all or numbers such as last,0",
    )  # fmt: skip


def _add_analyze_after(add: _Add) -> None:
    add(
        "--analyze", type=_typed(_checkpoints), nargs="?", const=("last", "all"), default=(), metavar="EPOCHS",
        help="analyse afterwards: last, all or numbers such as last,0,10; alone: last, then the others",
    )  # fmt: skip


def _add_settings(add: _Add) -> None:
    """How an analysis is made, but for its batch size."""
    _add(add, AnalysisRequest, "layer", default=None)
    _add(add, AnalysisRequest, *(name for name in declared(AnalysisRequest) if name not in ("layer", "batch_size")))


def _add_analyze(add: _Add) -> None:
    _add_which(add, "last, all or checkpoints such as 0,10")
    _add(add, AnalysisRequest, "batch_size", default=None)
    _add_settings(add)


def _add_which(add: _Add, epochs: str) -> None:
    """Of which run, and which of its checkpoints."""
    add("--run", help="the beginning of a run's key; left out: the newest")
    add("--epoch", type=_typed(_checkpoints), dest="epochs", default=("last",), metavar="EPOCH", help=epochs)


def _add_check(add: _Add) -> None:
    _add_which(add, "last, all or analysed checkpoints such as 0,10")
    add("--layer", help="name of a layer, or fc2+fc3, as it was analysed; left out: the paper's")


def _add_files(add: _Add) -> None:
    add("files", nargs="+", metavar="FILE", help="of weights: .safetensors, .pt or .pth")


def _add_load(add: _Add) -> None:
    _add_files(add)
    _add(add, DataRequest)
    _add(add, ModelRequest, "activation")
    _add(add, RunRequest, "loss")
    add(
        "--epochs", type=_typed(_EPOCHS.parse), default=(),
        help="of the files, such as 0,10,20; left out: from their names",
    )  # fmt: skip
    _add(add, TrainingRequest, "batch_size", help="B it was trained with")
    _add_analyze_after(add)
    _add_settings(add)


def _add_sweep(add: _Add) -> None:
    add("sweep", metavar="SWEEP", help="a TOML file, or tiny, results or table1")
    add(
        "--workers", type=_typed(_workers),
        help="cells at a time, each in a process of its own; left out: one for two cores",
    )  # fmt: skip
    add("--scheduler", help="tcp://host:port of a Dask scheduler: work on its cluster instead")
    add("--table", dest="measure", action="store_false", help="only show what is already known")
    add("--csv", metavar="FILE", help="write every measured cell, with all that qualifies its gamma")
    add("--latex", metavar="FILE", help="write the table for a paper")


_COMMANDS: Mapping[str, tuple[type[Command], str, Callable[[_Add], None]]] = {
    "train": (TrainCommand, manual.TRAIN, _add_train),
    "analyze": (AnalyzeCommand, manual.ANALYZE, _add_analyze),
    "sweep": (SweepCommand, manual.SWEEP, _add_sweep),
    "load": (LoadCommand, manual.LOAD, _add_load),
    "inspect": (InspectCommand, manual.INSPECT, _add_files),
    "check": (CheckCommand, manual.CHECK, _add_check),
    "samples": (SamplesCommand, manual.SAMPLES, _add_check),
    "film": (FilmCommand, manual.FILM, _add_run),
    "calibrate": (CalibrateCommand, manual.CALIBRATE, lambda add: None),
    "preview": (PreviewCommand, manual.PREVIEW, lambda add: _add(add, DataRequest, "name")),
}


# -- from words to requests ---------------------------------------------------------------------------------


def parse(argv: Sequence[str]) -> Command:
    """The command meant by argv; prints usage and raises SystemExit(2) if it is none."""
    words = vars(_parsers()[0].parse_args(list(argv)))
    cls = _COMMANDS[words["command"]][0]
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in words.items()}
    if cls in (TrainCommand, FilmCommand):
        values["request"] = _run(words)
    elif cls is LoadCommand:
        model = ModelRequest(activation=words["activation"])
        training = TrainingRequest(batch_size=words["batch_size"])
        values["request"] = RunRequest(_request(DataRequest, words), model, words["loss"], training)
    if cls in (AnalyzeCommand, LoadCommand):
        later = {"run": "", "epoch": 0, "layer": "", "batch_size": 0}
        values["settings"] = _request(AnalysisRequest, {n: v for n, v in words.items() if n not in later}, **later)
    own = {f.name for f in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in values.items() if name in own})


def _request(cls: Any, words: Mapping[str, Any], **own: Any) -> Any:
    """The request of these settings, by the names that are typed."""
    return cls(**own, **{f.attribute: words[f.name] for f in declared(cls).values() if f.name in words})


def _run(words: Mapping[str, Any]) -> RunRequest:
    data = _request(DataRequest, words)
    model = default_model(data)
    if words["model"] is not None:
        kind, widths = words["model"]
        model = ModelRequest(kind, widths or (3 if data.name == "cifar10" else 1, model.widths[-1]))
    model = replace(model, activation=words["activation"], bias=words["bias"])
    return RunRequest(data, model, words["loss"], _request(TrainingRequest, words), words["seed"])


# -- from requests to words ---------------------------------------------------------------------------------


def arguments(
    request: RunRequest, analyze: tuple[str, ...] = (), device: str = "auto", every_sample: tuple[str, ...] = ()
) -> list[str]:
    """The words after `python -m engine` that train this request, only what differs from the defaults."""
    return _spelled("train", request, analyze=analyze, every_sample=every_sample, device=device)


def film_arguments(request: RunRequest, device: str = "auto") -> list[str]:
    """The words after `python -m engine` that shoot the film of this request."""
    return _spelled("film", request, device=device)


def load_arguments(request: RunRequest, files: Sequence[str], epochs: Sequence[int], device: str = "auto") -> list[str]:
    """The words after `python -m engine` that load these files, in this order, as the checkpoints of these epochs."""
    command, *words = _spelled("load", request, bias=False, seed=0, epochs=tuple(epochs), device=device)
    return [command, *files, *words]


def analyze_arguments(request: AnalysisRequest, device: str = "auto", epochs: tuple[str, ...] = ()) -> list[str]:
    """The words after `python -m engine` that make this analysis, or the same one at these epochs instead of its
    own ("last", "all" or numbers)."""
    return _spelled("analyze", request, run=request.run, epochs=epochs or (str(request.epoch),), device=device)


def _spelled(command: str, request: RunRequest | AnalysisRequest, **other: Any) -> list[str]:
    """A command's words for a request; other: more values, and those that are not of the request."""
    values = _values(request)
    if isinstance(request, RunRequest):
        model, usual = request.model, default_model(request.data)
        typed = ("cnn:" if model.kind == "cnn" else "") + "-".join(map(str, model.widths))
        values["model"] = None if (model.kind, model.widths) == (usual.kind, usual.widths) else typed
    values |= other
    words = [command]
    for action in _parsers()[1][command]._actions:
        value = values.get(action.dest, action.default)
        if value == action.default or not action.option_strings:
            continue
        flag = action.option_strings[0]
        if value is True:
            words.append(flag)
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        if value is None:
            text = SETTINGS[action.dest].setting.none
        # A value that looks like a flag, such as a name with a minus, is tied to its own.
        words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words


def _values(request: Any) -> dict[str, Any]:
    """A request's settings and those of its parts by the names that are typed."""
    values = {field.name: getattr(request, field.attribute) for field in declared(request.__class__).values()}
    for part in dataclasses.fields(request):
        if dataclasses.is_dataclass(value := getattr(request, part.name)):
            values |= _values(value)
    return values
