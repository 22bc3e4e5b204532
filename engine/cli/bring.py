"""`load` with a network of a user's own: the files that are named are executed here."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cache.foreign import typed
from engine.config.commands import IN_FILE, LoadCommand
from engine.models import files
from engine.models.state_dicts import Contents
from engine.models.weight_files import read
from engine.progress import Progress
from engine.recorder import Recorder
from engine.runs.brought import located, made, measured, named, put, unwrapped


def load(command: LoadCommand, progress: Progress) -> Recorder:
    """The recorder of the run that these files make, each with its measured loss and accuracy. ValueError where files,
    network and data do not go together."""
    words = {"model": str(command.model), "data": command.data.name, "loss": command.loss}
    bring = {name: located(word) for name, word in words.items() if IN_FILE in word}
    model = unwrapped(made(words["model"], nn.Module))
    data: Any = made(bring["data"], Dataset, DataLoader) if "data" in bring else command.data
    loss = named(bring["loss"]) if "loss" in bring else command.loss
    paths, epochs = [typed(name) for name in command.files], command.epochs or files.epochs(command.files)
    recorder = Recorder(paths[-1].stem, model, data, loss, command.batch_size, device=command.device, files=bring)
    for i, (epoch, path) in enumerate(sorted(zip(epochs, paths, strict=True))):
        progress("measuring", i, len(paths))
        put(_fitting(read(path, command.part, merged=False), model), model)
        samples = recorder.pipeline.samples(recorder.run)
        recorder.record(epoch, *measured(model, *samples, loss, recorder.pipeline.device))
    return recorder


def _fitting(contents: Contents, model: nn.Module) -> Mapping[str, Tensor]:
    """With as much of the prefix that was taken off as the network's names have."""
    names, cut = model.state_dict().keys(), contents.prefix
    prefixes = (cut[i:] for i in range(len(cut), -1, -1))
    prefix = next((p for p in prefixes if all(p + name in names for name in contents.tensors)), "")
    return {prefix + name: w for name, w in contents.tensors.items()}
