"""The command line read: words to requests. engine.config.typed is the way back. Nothing here imports torch."""

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.config.parser import commands
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest


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
    """`film`: the run to be shot, see engine.runs.recording."""

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
    """`calibrate`: measure this machine's speeds, for the estimates of engine.runs.estimate."""

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
