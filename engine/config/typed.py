"""Requests as the words that a person can type: the command line the other way round.

Nothing here imports torch: the dashboard starts exactly the command it shows.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from engine.config.command_line import default_model
from engine.config.parser import commands, count_or_all
from engine.config.requests import AnalysisRequest, RunRequest


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
