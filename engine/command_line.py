"""The command line in both directions: words to requests, and requests to the words that a person can type.

Nothing here imports torch: the dashboard uses `arguments` to start exactly the command it shows.
"""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.parser import commands, count_or_all
from engine.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest


@dataclass(frozen=True)
class TrainCommand:
    """`train`: what to run, and which epochs to analyse after it, and to look at sample by sample ("last", "all" or
    numbers)."""

    request: RunRequest
    analyze: tuple[str, ...] = ()
    every_sample: tuple[str, ...] = ()
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class FilmCommand:
    """`film`: the run to be shot, see engine.film."""

    request: RunRequest
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class AnalyzeCommand:
    """`analyze`: which run (the beginning of its key; None: the newest), which epochs, which layer and batch
    size (None: the run's own), and the other settings (run and epoch in them are not yet filled in)."""

    run: str | None
    epochs: tuple[str, ...]
    layer: str | None
    batch_size: int | None
    settings: AnalysisRequest
    device: str = "auto"
    download: bool = False
    job: str | None = None

    def request(self, run: str, epoch: int, layer: str, batch_size: int) -> AnalysisRequest:
        """The request for one checkpoint; layer and batch size of the run stand in for those not given."""
        return dataclasses.replace(
            self.settings,
            run=run,
            epoch=epoch,
            layer=layer if self.layer is None else self.layer,
            batch_size=batch_size if self.batch_size is None else self.batch_size,
        )


@dataclass(frozen=True)
class CheckCommand:
    """`check`: which analyses to compute once more by brute force (run and layer as in AnalyzeCommand)."""

    run: str | None
    epochs: tuple[str, ...]
    layer: str | None
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class SamplesCommand:
    """`samples`: which checkpoints to look at sample by sample (run, epochs and layer as in AnalyzeCommand)."""

    run: str | None
    epochs: tuple[str, ...]
    layer: str | None
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class CalibrateCommand:
    """`calibrate`: measure this machine's speeds, for the estimates of engine.cost."""

    device: str = "auto"
    job: str | None = None


@dataclass(frozen=True)
class PreviewCommand:
    """`preview`: look at a data set, by name or path; fetch it where that is allowed."""

    data: str
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class LoadCommand:
    """`load`: files of weights and their epochs (none: from their names); of `request` the data, the loss, the
    activation and the batch size are given, network and weights are read from the files. analyze and settings as
    in TrainCommand and AnalyzeCommand."""

    files: tuple[str, ...]
    epochs: tuple[int, ...]
    request: RunRequest
    analyze: tuple[str, ...]
    layer: str | None
    settings: AnalysisRequest
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class SweepCommand:
    """`sweep`: which sweep, by path or name; how many processes, or which Dask scheduler; the files its table is
    written to; measure: whether to do what is not yet done."""

    sweep: str
    workers: int | None
    scheduler: str | None
    csv: str | None
    latex: str | None
    measure: bool
    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class InspectCommand:
    """`inspect`: which files of weights."""

    files: tuple[str, ...]
    job: None = None


def default_model(data: DataRequest) -> ModelRequest:
    """The paper's fully connected network for a data set: 784-50-50-10 for digits, 3072-1000-50-50-10 for
    CIFAR-10, with as many outputs as classes are kept."""
    classes = 10 if data.classes is None else len(data.classes)
    hidden = (3072, 1000, 50, 50) if data.name == "cifar10" else (784, 50, 50)
    return ModelRequest(widths=(*hidden, classes))


Command = (
    TrainCommand
    | FilmCommand
    | AnalyzeCommand
    | SweepCommand
    | LoadCommand
    | InspectCommand
    | CheckCommand
    | SamplesCommand
    | CalibrateCommand
    | PreviewCommand
)


def parse(argv: Sequence[str]) -> Command:
    """The command meant by argv; prints usage and raises SystemExit(2) if it is none."""
    words = commands()[0].parse_args(list(argv))
    return _READERS[words.command](words)


def _data(words: argparse.Namespace) -> DataRequest:
    return DataRequest(words.data, words.classes, words.per_class, words.label_noise, words.scaling, words.data_seed)


def _load_command(words: argparse.Namespace) -> LoadCommand:
    training = TrainingRequest(batch_size=words.batch_size)
    request = RunRequest(_data(words), ModelRequest(activation=words.activation), words.loss, training)
    return LoadCommand(
        tuple(words.files),
        words.epochs,
        request,
        words.analyze,
        words.layer,
        _settings(words),
        words.device,
        words.download,
        words.job,
    )


def _settings(words: argparse.Namespace) -> AnalysisRequest:
    own = {"run": "", "epoch": 0, "layer": "", "batch_size": 0, "anchors_per_class": words.anchors}
    rest = {f.name for f in dataclasses.fields(AnalysisRequest)} - set(own)
    return AnalysisRequest(**own, **{name: getattr(words, name) for name in rest})


def _train_command(words: argparse.Namespace) -> TrainCommand:
    return TrainCommand(_run(words), words.analyze, words.every_sample, words.device, words.download, words.job)


def _film_command(words: argparse.Namespace) -> FilmCommand:
    return FilmCommand(_run(words), words.device, words.download, words.job)


def _run(words: argparse.Namespace) -> RunRequest:
    data = _data(words)
    model = default_model(data)
    if words.model is not None:
        kind, widths = words.model
        if widths is None:
            widths = (3 if data.name == "cifar10" else 1, model.widths[-1])
        model = ModelRequest(kind, widths)
    model = dataclasses.replace(model, activation=words.activation, bias=words.bias)
    training = TrainingRequest(**{f.name: getattr(words, f.name) for f in dataclasses.fields(TrainingRequest)})
    return RunRequest(data, model, words.loss, training, words.seed)


def _analyze_command(words: argparse.Namespace) -> AnalyzeCommand:
    return AnalyzeCommand(
        words.run,
        words.epoch,
        words.layer,
        words.batch_size,
        _settings(words),
        words.device,
        words.download,
        words.job,
    )


def _calibrate_command(words: argparse.Namespace) -> CalibrateCommand:
    return CalibrateCommand(words.device, words.job)


def _preview_command(words: argparse.Namespace) -> PreviewCommand:
    return PreviewCommand(words.data, words.device, words.download, words.job)


def _check_command(words: argparse.Namespace) -> CheckCommand:
    return CheckCommand(words.run, words.epoch, words.layer, words.device, words.download, words.job)


def _samples_command(words: argparse.Namespace) -> SamplesCommand:
    return SamplesCommand(words.run, words.epoch, words.layer, words.device, words.download, words.job)


def _sweep_command(words: argparse.Namespace) -> SweepCommand:
    return SweepCommand(
        words.sweep,
        words.workers,
        words.scheduler,
        words.csv,
        words.latex,
        not words.table,
        words.device,
        words.download,
        words.job,
    )


_READERS: Mapping[str, Callable[[argparse.Namespace], Command]] = {
    "train": _train_command,
    "film": _film_command,
    "analyze": _analyze_command,
    "sweep": _sweep_command,
    "check": _check_command,
    "samples": _samples_command,
    "load": _load_command,
    "inspect": lambda words: InspectCommand(tuple(words.files)),
    "calibrate": _calibrate_command,
    "preview": _preview_command,
}


def arguments(
    request: RunRequest, analyze: tuple[str, ...] = (), device: str = "auto", every_sample: tuple[str, ...] = ()
) -> list[str]:
    """The words after `python -m engine` that train this request, only what differs from the defaults."""
    more = {"analyze": analyze, "every_sample": every_sample, "device": device}
    return ["train", *_words("train", _of_run(request) | more)]


def film_arguments(request: RunRequest, device: str = "auto") -> list[str]:
    """The words after `python -m engine` that shoot the film of this request."""
    return ["film", *_words("film", _of_run(request) | {"device": device})]


def _of_run(request: RunRequest) -> dict[str, Any]:
    """The settings of a run under the names that are typed."""
    values = dataclasses.asdict(request.data) | dataclasses.asdict(request.training)
    values |= {
        "data": request.data.name,
        "data_seed": request.data.seed,
        "activation": request.model.activation,
        "bias": request.model.bias,
        "loss": request.loss,
        "seed": request.seed,
    }
    model, usual = request.model, default_model(request.data)
    if (model.kind, model.widths) != (usual.kind, usual.widths):
        values["model"] = ("cnn:" if model.kind == "cnn" else "") + "-".join(map(str, model.widths))
    return values


def load_arguments(request: RunRequest, files: Sequence[str], epochs: Sequence[int], device: str = "auto") -> list[str]:
    """The words after `python -m engine` that load these files, in this order, as the checkpoints of these epochs."""
    values = dataclasses.asdict(request.data) | {
        "data": request.data.name,
        "data_seed": request.data.seed,
        "activation": request.model.activation,
        "loss": request.loss,
        "batch_size": request.training.batch_size,
        "epochs": tuple(epochs),
        "device": device,
    }
    return ["load", *files, *_words("load", values)]


def analyze_arguments(request: AnalysisRequest, device: str = "auto", epochs: tuple[str, ...] = ()) -> list[str]:
    """The words after `python -m engine` that make this analysis, or the same one at these epochs instead of its
    own ("last", "all" or numbers)."""
    values = dataclasses.asdict(request)
    values |= {"anchors": request.anchors_per_class, "epoch": epochs or (str(request.epoch),), "device": device}
    return ["analyze", *_words("analyze", values)]


def _words(command: str, values: dict[str, Any]) -> list[str]:
    words = []
    for action in commands()[1][command]._actions:
        value = values.get(action.dest, action.default)
        if value == action.default or not action.option_strings:
            continue
        flag = action.option_strings[0]
        if value is True:
            words.append(flag)
            continue
        if value is None:
            text = "all" if action.type is count_or_all else "off"
        else:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        # A value that looks like a flag, such as a name or a number with a minus, is tied to its own.
        words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words
