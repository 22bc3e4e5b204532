"""Checkpoints trained elsewhere: what their files hold, and their epochs as training would have told them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.config.requests import RunRequest
from engine.data.datasets import Dataset
from engine.errors import require
from engine.models.inspection import Inspection, Weights
from engine.models.networks import infer, layers, rebuild, studied_layer
from engine.models.weight_files import digest, read
from engine.progress import Progress, silent
from engine.training.sgd import Step, evaluate


def inspect(files: Sequence[Path], activation: str = "relu", progress: Progress = silent) -> Inspection:
    """What the files hold. ValueError where one cannot be read, or where they are no series of one architecture."""
    digests, first = [], None
    for i, file in enumerate(files):
        progress("reading weights", i, len(files))
        tensors = read(file)
        digests.append(digest(tensors))
        shapes = {name: tuple(t.shape) for name, t in tensors.items()}
        if first is None:
            first, expected = tensors, shapes
        require(
            shapes == expected,
            f"{file.name} holds other layers than {files[0].name}. The checkpoints of a series belong to one network: "
            "load the others on their own.",
        )
    if first is None:
        raise ValueError("There is no file to read. Name at least one.")
    listed = tuple(Weights(name, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in first.items())
    floating = sum(t.numel() for name, t in first.items() if t.is_floating_point() and "running_" not in name)
    try:
        model, why = infer(first, activation), ""
        studied, sizes = studied_layer(model), {part.name: part.shape for part in layers(model)}
    except ValueError as error:
        return Inspection(tuple(digests), listed, None, str(error), {}, "", floating)
    return Inspection(tuple(digests), listed, model, why, sizes, studied, floating)


def steps(request: RunRequest, files: Sequence[Path], data: Dataset, device: str) -> Iterator[Step]:
    """One Step for each file, in the order of request.training.checkpoints: the record holds the measured loss and
    accuracy, the checkpoint the weights under the names of this program's own architecture.

    ValueError where a file is not what the request names, or where network and data do not fit."""
    epochs = request.training.checkpoints
    for file, epoch, expected in zip(files, epochs, request.weights, strict=True):
        tensors = read(file)
        require(digest(tensors) == expected, f"{file.name} has changed while it was being loaded. Load it again.")
        model, net = rebuild(tensors, request.model.activation)
        require(model == request.model, f"{file.name} holds {model.kind} {model.widths}, not {request.model.widths}.")
        state = {name: t.clone() for name, t in net.state_dict().items()}
        count = "1 checkpoint" if len(epochs) == 1 else f"{len(epochs)} checkpoints"
        end = f"Loaded: {count}, trained elsewhere." if epoch == epochs[-1] else None
        yield Step(evaluate(net, data, request.loss, epoch, device), state, end)
