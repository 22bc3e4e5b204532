"""The words of the command line: what can be typed, and how it is read."""

import argparse
import re
from collections.abc import Callable

from engine.config import manual
from engine.config.requests import (
    ACTIVATIONS,
    CURVATURES,
    DATASETS,
    DTYPES,
    LOSSES,
    AnalysisRequest,
    DataRequest,
    ModelRequest,
    RunRequest,
    TrainingRequest,
)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",")) if text else ()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 0,1,2") from None


def _classes(text: str) -> tuple[int, ...] | None:
    return None if text == "all" else _numbers(text)


def count_or_all(text: str) -> int | None:
    """A number, or None for "all", "off" and 0."""
    try:
        number = 0 if text in ("all", "off") else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor all") from None
    return number or None


def value_or_off(text: str) -> float | None:
    try:
        number = 0.0 if text == "off" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor off") from None
    return number or None


def _widths(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(-\d+)+", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no model: give widths from input to classes such as 784-50-50-10, "
            "or cnn, or cnn:3-10 (channels, classes)"
        )
    return tuple(int(word) for word in text.split("-"))


def _model(text: str) -> tuple[str, tuple[int, ...] | None]:
    kind, _, widths = text.rpartition(":")
    if text == "cnn":
        return "cnn", None
    if kind not in ("", "mlp", "cnn"):
        raise argparse.ArgumentTypeError(f"{kind!r} is no kind of model; there are mlp and cnn")
    return kind or "mlp", _widths(widths)


def _epochs(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    for word in words:
        if word not in ("last", "all") and not word.isdecimal():
            raise argparse.ArgumentTypeError(f"{word!r} is no epoch: give last, all or numbers such as 0,10")
    return words


# -- the parser -----------------------------------------------------------------------------------------


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Shows a default where there is one to show."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, value = action.help or "", action.default
        if any(value is nothing for nothing in (None, (), False, argparse.SUPPRESS)):
            return text
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        return f"{text} [{shown}]"


def commands() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of `python -m engine`, and that of each command by its name."""
    top = argparse.ArgumentParser(
        prog=manual.PROGRAM,
        description=manual.ABOUT,
        epilog=manual.EXAMPLES,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    known = (
        ("train", manual.TRAIN, _add_train),
        ("analyze", manual.ANALYZE, _add_analyze),
        ("sweep", manual.SWEEP, _add_sweep),
        ("load", manual.LOAD, _add_load),
        ("inspect", manual.INSPECT, _add_inspect),
        ("check", manual.CHECK, _add_check),
        ("samples", manual.SAMPLES, _add_check),
        ("film", manual.FILM, _add_run),
        ("calibrate", manual.CALIBRATE, None),
        ("preview", manual.PREVIEW, _add_preview),
    )
    names = " | ".join(name for name, _, _ in known)
    adder = top.add_subparsers(dest="command", required=True, metavar=names)
    found = {}
    for name, text, fill in known:
        found[name] = adder.add_parser(
            name,
            help=text.split(". ")[0].replace("\n", " "),
            description=text,
            epilog=manual.EXAMPLES,
            formatter_class=_Formatter,
            allow_abbrev=False,
        )
        if fill is not None:
            fill(found[name])
        if name == "inspect":
            continue
        if fill is not None:
            found[name].add_argument("--download", action="store_true", help="fetch the data set if it is not here yet")
        found[name].add_argument(
            "--device", default="auto", help="auto, cpu, cuda or cuda:1; auto takes a GPU if there is one"
        )
        found[name].add_argument("--job", help=argparse.SUPPRESS)
    return top, found


def _add_train(sub: argparse.ArgumentParser) -> None:
    _add_run(sub)
    _add_epochs_to_analyze(sub.add_argument)
    sub.add_argument(
        "--every-sample",
        type=_epochs,
        default=(),
        metavar="EPOCHS",
        help="look at every sample afterwards, as the command samples does: last, all or numbers such as last,0",
    )


def _add_run(sub: argparse.ArgumentParser) -> None:
    """All settings of a run."""
    run, training, model = RunRequest(), TrainingRequest(), ModelRequest()
    add = sub.add_argument
    _add_data(add)
    add("--model", type=_model, help="widths such as 784-50-50-10, or cnn; left out: the paper's for the data")
    add("--activation", default=model.activation, choices=ACTIVATIONS, help="between the layers")
    add("--bias", action="store_true", help="give the layers a bias")
    add("--loss", default=run.loss, choices=LOSSES, help="cross-entropy; squares after or without a softmax")
    add("--epochs", type=int, default=training.epochs, help="passes over the data")
    add("--batch-size", type=int, default=training.batch_size, help="B, samples per step")
    add("--learning-rate", type=float, default=training.learning_rate, help="at the start")
    add("--cosine-epochs", type=int, default=training.cosine_epochs, help="period of the cosine schedule")
    add("--final-rate-ratio", type=float, default=training.final_rate_ratio, help="last rate / first rate")
    add("--clip-norm", type=value_or_off, default=training.clip_norm, help="of the gradient, or off")
    add("--momentum", type=float, default=training.momentum, help="of SGD")
    add("--weight-decay", type=float, default=training.weight_decay, help="of SGD")
    add("--stop-loss", type=value_or_off, default=training.stop_loss, help="enough at 100%% accuracy, or off")
    add("--checkpoints", type=_numbers, default=training.checkpoints, help="epochs kept, beside the last")
    add("--seed", type=int, default=run.seed, help="of the weights and the batch order")


def _add_analyze(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--run", help="the beginning of a run's key; left out: the newest")
    add("--epoch", type=_epochs, default=("last",), help="last, all or checkpoints such as 0,10")
    add("--batch-size", type=int, help="B of the covariance; left out: the run's own")
    _add_settings(add)


def _add_load(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("files", nargs="+", metavar="FILE", help="of weights: .safetensors, .pt or .pth")
    _add_data(add)
    add("--activation", default=ModelRequest.activation, choices=ACTIVATIONS, help="between the layers")
    add("--loss", default=RunRequest.loss, choices=LOSSES, help="cross-entropy; squares after or without a softmax")
    add("--epochs", type=_numbers, default=(), help="of the files, such as 0,10,20; left out: from their names")
    add("--batch-size", type=int, default=TrainingRequest.batch_size, help="B it was trained with")
    _add_epochs_to_analyze(add)
    _add_settings(add)


def _add_sweep(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("sweep", metavar="SWEEP", help="a TOML file, or tiny, results or table1")
    add("--workers", type=int, help="cells at a time, each in a process of its own; left out: one for two cores")
    add("--scheduler", help="tcp://host:port of a Dask scheduler: work on its cluster instead")
    add("--table", action="store_true", help="only show what is already known")
    add("--csv", metavar="FILE", help="write every measured cell, with all that qualifies its gamma")
    add("--latex", metavar="FILE", help="write the table for a paper")


def _add_inspect(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("files", nargs="+", metavar="FILE", help="of weights: .safetensors, .pt or .pth")


def _add_data(add: Callable[..., object]) -> None:
    """The data set and what is taken of it."""
    data = DataRequest()
    add("--data", default=data.name, help=f"{', '.join(DATASETS)} or the path of an .npz file")
    add("--classes", type=_classes, default=None, help="labels to keep, such as 0,1,2, or all")
    add("--per-class", type=count_or_all, help="training samples per class, or all")
    add("--label-noise", type=float, default=data.label_noise, help="share of labels made wrong, 0 to 1")
    add("--scaling", default=data.scaling, choices=("paper", "unit", "none"), help="of the pixels")
    add("--data-seed", type=int, default=data.seed, help="draws the samples and the wrong labels")


def _add_epochs_to_analyze(add: Callable[..., object]) -> None:
    add(
        "--analyze",
        type=_epochs,
        nargs="?",
        const=("last", "all"),
        default=(),
        metavar="EPOCHS",
        help="analyse afterwards: last, all or numbers such as last,0,10; alone: last, then the others",
    )


def _add_preview(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", default=DataRequest().name, help=f"{', '.join(DATASETS)} or the path of an .npz file")


def _add_settings(add: Callable[..., object]) -> None:
    """How an analysis is made."""
    request = AnalysisRequest("", 0)
    add("--layer", help="name of a linear layer, or several jointly as fc2+fc3; left out: the one the paper studies")
    add(
        "--anchors",
        type=count_or_all,
        default=request.anchors_per_class,
        help="samples per class among which partners are sought, or all",
    )
    add("--top-k", type=count_or_all, default=None, help="leading eigen-directions of H, or all")
    add("--dtype", default=request.dtype, choices=DTYPES, help="precision of the per-sample factors")
    add("--curvature", default=request.curvature, choices=CURVATURES, help="of the network after the layer")
    add("--samples", type=count_or_all, default=None, help="training samples used, or all")
    add("--spectra", type=int, default=request.spectra, help="samples whose spectra are kept; 0: none")
    add("--bootstrap", type=int, default=request.bootstrap, help="resamples for intervals; 0: none")
    add("--bias", action="store_true", help="include the layer's bias")
    add("--seed", type=int, default=request.seed, help="draws anchors, samples and resamples")


def _add_check(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--run", help="the beginning of a run's key; left out: the newest")
    sub.add_argument("--epoch", type=_epochs, default=("last",), help="last, all or analysed checkpoints such as 0,10")
    sub.add_argument("--layer", help="name of a layer, or fc2+fc3, as it was analysed; left out: the paper's")
