"""What can be asked for on the command line, as values. Nothing here imports torch.

A command's docstring is what its --help says, its settings and those of its requests are its flags; one without a
default is typed without a flag.
"""

from argparse import SUPPRESS
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from engine.config import requests
from engine.config.fields import Setting, declared, read
from engine.config.requests import SPLITS, AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.errors import require
from engine.losses import LOSSES, OTHERS

_RUN, _ANALYSIS = RunRequest(), AnalysisRequest("", 0)  # run and epoch are not yet filled in
_EPOCHS = Setting(
    "Epochs",
    metavar="EPOCHS",
    pattern=r"last|all|\d+",
    refusal="{!r} is no epoch: give last, all or numbers such as 0,10",
)
_ANALYZE = replace(
    _EPOCHS,
    help="analyse afterwards: last, all or numbers such as last,0,10; alone: last, then the others",
    alone=("last", "all"),
)
_OF_RUN = Setting("Run", "the beginning of a run's key; left out: the newest")
_EPOCH = replace(_EPOCHS, flag="--epoch", metavar="EPOCH")
_LAYER = declared(AnalysisRequest)["layer"].setting
_ANALYSED_LAYER = Setting("Layer", "name of a layer, or fc2+fc3, as it was analysed; left out: the paper's")
IN_FILE, _NAMED = ".py:", "file.py:function"
_FILES = Setting("Files", "of weights: .safetensors, .pt or .pth", metavar="FILE")
_PART = Setting("Weights", "which of several sets of weights in a file, such as ema", flag="--weights", metavar="NAME")


@dataclass(frozen=True, kw_only=True)
class Command:
    """What every command takes: whether it may fetch the data, where it computes, and the folder of its job."""

    download: Annotated[bool, Setting("Download", "fetch the data set if it is not here yet")] = False
    device: Annotated[str, Setting(
        "Device", "auto, cpu, cuda or cuda:1; auto takes a GPU if there is one", pattern=r"auto|(cpu|cuda)(:\d+)?",
        refusal="{!r} is no device; use 'auto', 'cpu' or 'cuda'.",
    )] = "auto"  # fmt: skip
    job: Annotated[str | None, Setting("Job", SUPPRESS)] = None


@dataclass(frozen=True, kw_only=True)
class ReadingCommand(Command):
    """A command that only reads: there is nothing to fetch and nothing to compute, and of these no flags."""

    download: bool = False
    device: str = "auto"
    job: str | None = None


@dataclass(frozen=True, kw_only=True)
class BringingCommand(Command):
    """A command that takes a run's network: of a run that was recorded from a script it is brought."""

    model: Annotated[str | None, Setting("Network", f"of a run recorded from a script: {_NAMED} that builds it")] = None
    data: Annotated[str | None, Setting("Data", f"of such a run: {_NAMED} that gives inputs and targets")] = None
    loss: Annotated[str | None, Setting("Loss", f"of such a run, where its name does not tell: {_NAMED}")] = None


@dataclass(frozen=True)
class TrainCommand(Command):
    """Train a network with SGD and keep its checkpoints. The defaults are the paper's. A finished run is not
    trained again; an interrupted one goes on from its last checkpoint to the same weights."""

    request: RunRequest = _RUN
    analyze: Annotated[tuple[str, ...], _ANALYZE] = ()
    every_sample: Annotated[tuple[str, ...], replace(
        _EPOCHS,
        help="look at every sample afterwards, as the command samples does: last, all or numbers such as last,0",
    )] = ()  # fmt: skip
    planes: Annotated[bool, Setting(
        "Planes", "measure the loss over pairs of directions of every analysis, as the command plane does",
    )] = False  # fmt: skip


@dataclass(frozen=True)
class FilmCommand(Command):
    """Train as `train` does and analyse while training, frame by frame, for the page Live: there the film is watched,
    paused, gone on with, and its learning rate and batch size are changed on the way. It ends when nobody has looked
    for a while; the same command goes on with it."""

    request: RunRequest = _RUN


@dataclass(frozen=True)
class AnalyzeCommand(BringingCommand):
    """
    Compare H and the covariances at a checkpoint. For every matrix the table shows:

      gamma       exponent of C_ii ~ H_ii^gamma with its standard error, R2 of the fit and n, the directions in
                  it; theory: 1 where all samples share one curvature, 2 where theirs is aligned with H
      commutator  |HC - CH| / |HC|: 0 if they share eigenvectors; beside it, the same for C turned at random
      alignment   share of C on the diagonal in the eigenbasis of H, 0 to 1; beside it, at random"""

    run: Annotated[str | None, _OF_RUN] = None
    epochs: Annotated[tuple[str, ...], replace(_EPOCH, help="last, all or checkpoints such as 0,10")] = ("last",)
    batch_size: Annotated[int | None, declared(AnalysisRequest)["batch_size"].setting] = None
    layer: Annotated[str | None, replace(
        _LAYER, help=f"{_LAYER.help}; one by one: all, or fc1,fc2, wide ones in their leading directions",
    )] = None  # fmt: skip
    window: Annotated[int | None, Setting(
        "Window", "leading directions that gamma is fitted to; left out: as many as the pages fit",
        low=3, refusal="A slope needs a window of at least 3 directions, not {}.",
    )] = None  # fmt: skip
    settings: AnalysisRequest = _ANALYSIS
    cross_fit: Annotated[bool, Setting(
        "Other samples", "look as well whether it holds on other samples: halves of them, fewer, and test samples",
    )] = False  # fmt: skip
    again: Annotated[bool, Setting("Again", "analyse again what is kept, as where an older version kept less")] = False
    splits: Annotated[int, Setting("Splits", "random halvings of the samples for --cross-fit", low=1)] = SPLITS

    @classmethod
    def of(cls, request: AnalysisRequest, epochs: tuple[str, ...] = ()) -> "AnalyzeCommand":
        """The command that makes this analysis, or the same one at these epochs instead of its own."""
        return cls(request.run, epochs or (str(request.epoch),), request.batch_size, request.layer, settings=request)

    def request(self, usual: AnalysisRequest) -> AnalysisRequest:
        """The request for one checkpoint and layer; batch size and directions of the usual one stand in for those not
        given."""
        batch_size = usual.batch_size if self.batch_size is None else self.batch_size
        top_k = usual.top_k if self.settings.top_k is None else self.settings.top_k
        where = replace(self.settings, run=usual.run, epoch=usual.epoch, layer=usual.layer)
        return replace(where, batch_size=batch_size, top_k=top_k)


@dataclass(frozen=True, kw_only=True)
class LayersCommand(ReadingCommand):
    """
    List the layers of a run's network that can be studied, from input to output: kind, weights (d_out x d_in), the
    places T at which a sample uses it, D, how the Hessians of samples are taken, and what an analysis takes.

      exact                   what follows the layer is piecewise linear
      full second derivative  it is smooth
      Gauss–Newton            it is smooth, and the layer too wide: not the Hessian, and said in every figure"""

    run: Annotated[str | None, _OF_RUN] = None


@dataclass(frozen=True)
class CheckpointCommand(BringingCommand):
    """A command about checkpoints that are analysed."""

    run: Annotated[str | None, _OF_RUN] = None
    epochs: Annotated[tuple[str, ...], replace(_EPOCH, help="last, all or analysed checkpoints such as 0,10")] = (
        "last",
    )
    layer: Annotated[str | None, _ANALYSED_LAYER] = None


@dataclass(frozen=True)
class CheckCommand(CheckpointCommand):
    """Compute some numbers of an analysis once more, in float64, by differentiating the network's loss along a few
    directions and nothing else, and tell the relative errors."""


@dataclass(frozen=True, kw_only=True)
class SelftestCommand(Command):
    """Analyse small networks with every kind of layer and each loss on this machine, its device and its number of
    threads, and compare all that the analyses hold with automatic differentiation in float64: within a minute."""

    download: bool = False  # there is nothing to fetch: no flag


@dataclass(frozen=True)
class SamplesCommand(CheckpointCommand):
    """Look at every training sample of a checkpoint: its activity, curvature and partner, and the Fisher matrices in
    the eigenbasis of H. The pages that take single samples in hand work with it."""

    pairs: Annotated[tuple[str, ...], Setting(
        "Pairs", "samples to look at closely before a layer used at several places, alone or with a partner: 17,3:40",
        metavar="PAIRS", pattern=r"\d+(:\d+)?", refusal="{!r} is no sample or pair: give numbers such as 17,3:40",
    )] = ()  # fmt: skip


@dataclass(frozen=True)
class NoiseCommand(CheckpointCommand):
    """Ask whether the shape of the noise matters: from a checkpoint on, gradient descent in one layer with Gaussian
    noise whose covariance is C, C_odds, E[h2], H, C turned at random or the same in all directions, each as large as C,
    beside SGD itself. Loss, curvature and accuracy are followed. Every finished seed is kept."""

    epochs: Annotated[tuple[str, ...], replace(
        _EPOCH, help="analysed checkpoints such as 10; left out: the last below 99% training accuracy",
    )] = ()  # fmt: skip
    steps: Annotated[int, Setting("Steps", "of each descent", low=50, step=50, subject="The number of steps is")] = 500
    seeds: Annotated[int, Setting(
        "Seeds", "of each noise; spreads are told from 3 on", low=1, step=1, subject="The number of seeds is",
    )] = 5  # fmt: skip
    learning_rate: Annotated[float | None, Setting(
        "Learning rate", "of the descents; left out: the run's own at that checkpoint", above=0, flag="--learning-rate",
    )] = None  # fmt: skip


@dataclass(frozen=True)
class PlaneCommand(CheckpointCommand):
    """Measure the loss of an analysed checkpoint over pairs of eigen-directions of H, and over pairs turned away from
    them at random, with the gradients of mini-batches in the same planes: the picture on the start page."""

    pairs: Annotated[tuple[str, ...], Setting(
        "Pairs", "of directions, from 1, the sharper first, such as 1-10; left out: 1-2, 1-10 and 1-100",
        metavar="PAIRS", pattern=r"\d+-\d+", refusal="{!r} is no pair of directions: give numbers such as 1-10",
    )] = ()  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CalibrateCommand(Command):
    """Measure this machine for about three seconds. The dashboard then says how long work will take before it is
    started."""

    download: bool = False  # there is nothing to fetch: no flag


@dataclass(frozen=True)
class PreviewCommand(Command):
    """Look at a data set: its classes and some of its samples. With --download it is fetched first."""

    data: Annotated[str, declared(DataRequest)["name"].setting] = DataRequest.name


@dataclass(frozen=True)
class LoadCommand(Command):
    """Take checkpoints that were trained elsewhere as a run: state dicts in .safetensors, .pt or .pth. Their network
    is read from the shapes; its activation cannot be. Loss and accuracy are measured: check that they are what you
    trained to. Several files are the epochs of one training. A network of any other kind is brought with --model
    file.py:function, data with --data file.py:function: the two files are executed."""

    files: Annotated[tuple[str, ...], _FILES]
    data: DataRequest = _RUN.data
    activation: Annotated[str, declared(ModelRequest)["activation"].setting] = ModelRequest.activation
    loss: Annotated[str, replace(
        declared(RunRequest)["loss"].setting, choices=(), pattern="|".join((*LOSSES, *OTHERS, r".+\.py:\w+")),
        help=f"{', '.join(LOSSES)}; with --model also {', '.join(OTHERS)}, or {_NAMED}",
        refusal=f"invalid choice: {{!r}} (choose from {', '.join(LOSSES)}; with --model also {', '.join(OTHERS)}, or "
        f"{_NAMED})",
    )] = RunRequest.loss  # fmt: skip
    epochs: Annotated[tuple[int, ...], Setting(
        "Epochs", "of the files, such as 0,10,20; left out: from their names", low=0,
        refusal="Epochs are counted from 0; {} was given.",
    )] = ()  # fmt: skip
    batch_size: Annotated[int, replace(
        declared(TrainingRequest)["batch_size"].setting, help="B it was trained with",
    )] = TrainingRequest.batch_size  # fmt: skip
    analyze: Annotated[tuple[str, ...], _ANALYZE] = ()
    layer: Annotated[str | None, _LAYER] = None
    settings: AnalysisRequest = _ANALYSIS
    model: Annotated[str | None, Setting("Network", f"{_NAMED} that builds it, where it is your own")] = None
    part: Annotated[str | None, _PART] = None
    reading: Annotated[int | None, Setting(
        "Reading", "which of several networks that the weights allow, by its number; left out: the best by accuracy",
        low=0, flag="--reading", refusal="Networks are counted from 0; {} was given.",
    )] = None  # fmt: skip
    accuracy: Annotated[float | None, Setting(
        "Known accuracy", "that you know it to reach on the training samples, 0 to 1: what else is tried is then told "
        "where it falls short", low=0, high=1,
    )] = None  # fmt: skip

    @classmethod
    def of(
        cls,
        request: RunRequest,
        files: Sequence[str],
        epochs: Sequence[int],
        part: str | None = None,
        reading: int | None = None,
    ) -> "LoadCommand":
        """The command that loads these files, in this order, as the checkpoints of these epochs."""
        activation, batch_size = request.model.activation, request.training.batch_size
        command = cls(tuple(files), request.data, activation, request.loss, tuple(epochs), batch_size)
        return replace(command, part=part, reading=reading)

    @property
    def request(self) -> RunRequest:
        """The run, whose network and weights are read from the files."""
        model, training = ModelRequest(activation=self.activation), TrainingRequest(batch_size=self.batch_size)
        return RunRequest(self.data, model, self.loss, training)


@dataclass(frozen=True)
class SweepCommand(Command):
    """Train and analyse a whole grid of settings, written in TOML, and tabulate gamma: mean and deviation over seeds.
    Every finished cell is kept: an interrupted sweep goes on where it was, and a cell already known costs nothing.
    Those that come with the project: tiny (its data come along; within a minute), design (what gamma hangs on, one
    setting at a time; its data come along), results (the page docs/results.md), table1 (Table 1 of the paper, in
    full)."""

    sweep: Annotated[str, Setting("Sweep", "a TOML file, or tiny, design, results or table1", metavar="SWEEP")]
    workers: Annotated[int | None, Setting(
        "Workers", "cells at a time, each in a process of its own; left out: one for two cores",
        pattern=r"0*[1-9]\d*", refusal="A sweep needs at least one worker, not {}.",
    )] = None  # fmt: skip
    scheduler: Annotated[str | None, Setting(
        "Scheduler", "tcp://host:port of a Dask scheduler: work on its cluster instead",
    )] = None  # fmt: skip
    measure: Annotated[bool, Setting("Measure", "only show what is already known", flag="--table")] = True
    csv: Annotated[str | None, Setting(
        "CSV", "write every measured cell, with all that qualifies its gamma", metavar="FILE",
    )] = None  # fmt: skip
    latex: Annotated[str | None, Setting("LaTeX", "write the table for a paper", metavar="FILE")] = None


@dataclass(frozen=True, kw_only=True)
class InspectCommand(ReadingCommand):
    """Say as JSON what files of weights hold: tensors, the network they belong to, and the layers to study."""

    files: Annotated[tuple[str, ...], _FILES]
    part: Annotated[str | None, _PART] = None


@dataclass(frozen=True, kw_only=True)
class RunsCommand(ReadingCommand):
    """List the runs in the cache, newest first: key, data, network, loss, epochs, how good they are, and the epochs
    that are analysed."""


@dataclass(frozen=True, kw_only=True)
class JobsCommand(ReadingCommand):
    """List the jobs of the dashboard on this cache, newest first: those at work with the time left of their present
    step, and how the others ended. A job outlives the dashboard that started it."""


@dataclass(frozen=True, kw_only=True)
class StopCommand(ReadingCommand):
    """Stop a job of the dashboard, as its button does: what is finished is kept, and the same work goes on from there
    when it is started again."""

    which: Annotated[str, Setting("Job", "the beginning of its id, see jobs; or all that are at work", metavar="JOB")]


@dataclass(frozen=True, kw_only=True)
class ExportCommand(ReadingCommand):
    """Write an analysis that is kept to a file: .csv has H and the diagonal of every matrix, a row for each direction;
    .safetensors everything that is kept of it, for engine.Analysis.load."""

    file: Annotated[
        str,
        Setting(
            "File",
            "ending in .csv or .safetensors",
            metavar="FILE",
            pattern=r".+\.(csv|safetensors)",
            refusal="{!r} ends in neither .csv nor .safetensors",
        ),
    ]
    run: Annotated[str | None, _OF_RUN] = None
    epochs: Annotated[tuple[str, ...], replace(_EPOCH, help="last, or an analysed checkpoint such as 10")] = ("last",)
    layer: Annotated[str | None, _ANALYSED_LAYER] = None


COMMANDS: Mapping[str, type[Command]] = {
    "train": TrainCommand,
    "layers": LayersCommand,
    "analyze": AnalyzeCommand,
    "sweep": SweepCommand,
    "load": LoadCommand,
    "inspect": InspectCommand,
    "check": CheckCommand,
    "selftest": SelftestCommand,
    "samples": SamplesCommand,
    "noise": NoiseCommand,
    "plane": PlaneCommand,
    "film": FilmCommand,
    "calibrate": CalibrateCommand,
    "preview": PreviewCommand,
    "runs": RunsCommand,
    "jobs": JobsCommand,
    "stop": StopCommand,
    "export": ExportCommand,
}
NAMES = {cls: name for name, cls in COMMANDS.items()}


def to_json(command: Command) -> dict[str, Any]:
    """The command as plain JSON values: its name and its fields."""
    values = {"command": NAMES[type(command)], **requests.to_json(command)}
    # Records of jobs stay what they were before a network could be brought, or a window chosen.
    later = ("model", "data", "loss", "window", "planes")
    return {name: value for name, value in values.items() if value or name not in later}


def from_json(record: Mapping[str, Any]) -> Command:
    """The command written by to_json; ValueError, a sentence, where this version knows no such command."""
    name, values = str(record.get("command")), {n: value for n, value in record.items() if n != "command"}
    require(name in COMMANDS, f"There is no command {name}.")
    command: Command = read(COMMANDS[name], values, name)
    return command
