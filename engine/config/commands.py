"""What can be asked for on the command line, as values. Nothing here imports torch."""

from dataclasses import dataclass, replace

from engine.config.requests import AnalysisRequest, RunRequest


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command takes: where it computes, whether it may fetch the data, and the folder of its job."""

    device: str = "auto"
    download: bool = False
    job: str | None = None


@dataclass(frozen=True)
class TrainCommand(Command):
    """`train`: what to run, and which epochs to analyse after it, and to look at sample by sample ("last", "all" or
    numbers)."""

    request: RunRequest
    analyze: tuple[str, ...] = ()
    every_sample: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilmCommand(Command):
    """`film`: the run to be shot, see engine.runs.recording."""

    request: RunRequest


@dataclass(frozen=True)
class CheckpointCommand(Command):
    """A command about checkpoints: which run (the beginning of its key; None: the newest), which epochs, which layer
    (None: the run's own)."""

    run: str | None
    epochs: tuple[str, ...]
    layer: str | None


@dataclass(frozen=True)
class AnalyzeCommand(CheckpointCommand):
    """`analyze`: batch_size: None for the run's own; settings: the others (run and epoch in them not yet filled in)."""

    batch_size: int | None
    settings: AnalysisRequest

    def request(self, run: str, epoch: int, layer: str, batch_size: int) -> AnalysisRequest:
        """The request for one checkpoint; layer and batch size of the run stand in for those not given."""
        layer = layer if self.layer is None else self.layer
        batch_size = batch_size if self.batch_size is None else self.batch_size
        return replace(self.settings, run=run, epoch=epoch, layer=layer, batch_size=batch_size)


@dataclass(frozen=True)
class CheckCommand(CheckpointCommand):
    """`check`: which analyses to compute once more by brute force."""


@dataclass(frozen=True)
class SamplesCommand(CheckpointCommand):
    """`samples`: which checkpoints to look at sample by sample."""


@dataclass(frozen=True)
class CalibrateCommand(Command):
    """`calibrate`: measure this machine's speeds, for the estimates of engine.runs.estimate."""


@dataclass(frozen=True)
class PreviewCommand(Command):
    """`preview`: look at a data set, by name or path; fetch it where that is allowed."""

    data: str


@dataclass(frozen=True)
class LoadCommand(Command):
    """`load`: files of weights and their epochs (none: from their names); of `request` the data, the loss, the
    activation and the batch size are given, network and weights are read from the files. analyze and settings as
    in TrainCommand and AnalyzeCommand."""

    files: tuple[str, ...]
    epochs: tuple[int, ...]
    request: RunRequest
    analyze: tuple[str, ...]
    layer: str | None
    settings: AnalysisRequest


@dataclass(frozen=True)
class SweepCommand(Command):
    """`sweep`: which sweep, by path or name; how many processes, or which Dask scheduler; the files its table is
    written to; measure: whether to do what is not yet done."""

    sweep: str
    workers: int | None
    scheduler: str | None
    csv: str | None
    latex: str | None
    measure: bool


@dataclass(frozen=True)
class InspectCommand(Command):
    """`inspect`: which files of weights."""

    files: tuple[str, ...]
