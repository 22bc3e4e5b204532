"""Checkpoints trained elsewhere: what their files hold, and their epochs as training would have told them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.config.requests import DataRequest, RunRequest
from engine.data.datasets import Dataset
from engine.errors import require
from engine.models.inspection import Inspection, Weights
from engine.models.networks import layers, restore, studied_layer
from engine.models.recognition import readings
from engine.models.state_dicts import SeveralError
from engine.models.weight_files import digest, read, series
from engine.progress import Progress, silent
from engine.runs.trials import Chosen, Trials
from engine.training.sgd import Step, evaluate


def inspect(
    files: Sequence[Path], activation: str = "relu", progress: Progress = silent, part: str | None = None
) -> Inspection:
    """What the files hold; part: which of several sets of weights. ValueError where one cannot be read, or where they
    are no series of one architecture."""
    try:
        return _inspect(files, activation, progress, part)
    except SeveralError as error:
        first = _inspect(files, activation, progress, error.parts[0])
        return replace(first, model=None, why=str(error), parts=error.parts)


def _inspect(files: Sequence[Path], activation: str, progress: Progress, part: str | None) -> Inspection:
    digests, first = [], None
    for i, (file, contents) in enumerate(zip(files, series(files, part), strict=True)):
        progress("reading weights", i, len(files))
        digests.append(digest(contents.tensors))
        shapes = {name: tuple(t.shape) for name, t in contents.tensors.items()}
        if first is None:
            first, expected = contents, shapes
        require(
            shapes == expected,
            f"{file.name} holds other layers than {files[0].name}. The checkpoints of a series belong to one network: "
            "load the others on their own.",
        )
    if first is None:
        raise ValueError("There is no file to read. Name at least one.")
    tensors = first.tensors
    listed = tuple(Weights(name, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in tensors.items())
    floating = sum(t.numel() for name, t in tensors.items() if t.is_floating_point() and "running_" not in name)
    inspected = Inspection(
        tuple(digests),
        listed,
        None,
        "",
        {},
        "",
        floating,
        aside=first.aside,
        parts=first.parts,
        under=first.under,
        prefix=first.prefix,
    )
    try:
        every = [reading.model for reading in readings(tensors, activation, hints=first.hints)]
        model = every[0]
        sizes = {layer.name: layer.shape for layer in layers(model)}
        return replace(inspected, model=model, layers=sizes, studied=studied_layer(model), readings=len(every))
    except ValueError as error:
        return replace(inspected, why=str(error))


def choose(
    request: RunRequest,
    file: Path,
    part: str | None,
    index: int | None,
    data: Callable[[DataRequest], Dataset],
    device: str,
    progress: Progress,
) -> Chosen:
    """What the file's network is, as far as these data tell; see engine.runs.trials."""
    contents = read(file, part)
    return Trials(contents.tensors, contents.hints, request, data, device, progress).choose(index)


def steps(
    request: RunRequest, files: Sequence[Path], data: Dataset, device: str, part: str | None = None, index: int = 0,
    more: str = "",
) -> Iterator[Step]:  # fmt: skip
    """One Step for each file, in the order of request.training.checkpoints: the record holds the measured loss and
    accuracy, the checkpoint the weights under the names of its architecture. index: of the network among those that
    the weights allow; more: what the last step says besides.

    ValueError where a file is not what the request names, or where network and data do not fit."""
    epochs, image = request.training.checkpoints, data.image if len(data.shape) == 3 else None
    for file, contents, epoch, expected in zip(files, series(files, part), epochs, request.weights, strict=True):
        tensors = contents.tensors
        require(digest(tensors) == expected, f"{file.name} has changed while it was being loaded. Load it again.")
        reading = readings(tensors, request.model.activation, image, contents.hints)[index]
        require(reading.model == request.model, f"{file.name} holds another network: {reading.model.widths}.")
        net = restore(reading)
        state = {name: t.clone() for name, t in net.state_dict().items()}
        count = "1 checkpoint" if len(epochs) == 1 else f"{len(epochs)} checkpoints"
        aside = f" Set aside: {', '.join(contents.aside)}." if contents.aside else ""
        end = f"Loaded: {count}, trained elsewhere.{f' {more}' if more else ''}{aside}" if epoch == epochs[-1] else None
        yield Step(evaluate(net, data, request.loss, epoch, device), state, end)
