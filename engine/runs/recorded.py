"""The record of a run that a script of its user's trains, and the care that leaves no trace in it."""

import contextlib
import os
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from cache.jobs import birth
from cache.store import Store
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest, joined, to_json
from engine.curvature.autodiff import copied
from engine.curvature.criteria import criterion
from engine.curvature.inputs import Inputs
from engine.errors import require
from engine.losses import LOSSES, OTHERS
from engine.models.architectures import usual_layer
from engine.results.record import Provenance
from engine.runs.brought import Brought, Samples, left_out, parts
from engine.runs.run import BROUGHT

Optimizer = torch.optim.Optimizer | str | None


def begun(
    model: nn.Module,
    brought: Brought,
    these: Samples,
    data: DataRequest,
    batch_size: int,
    optimizer: Optimizer,
    files: Mapping[str, str],
    device: str,
) -> dict[str, Any]:
    """The record before the first epoch, as engine.runs.library reads it. ValueError where there is nothing to
    study."""
    network = copied(model).eval()
    layers, shape = parts(network, these.inputs, brought.output)
    require(bool(layers), "The model has no layer that can be studied: those are linear layers and convolutions.")
    classes, first = (shape[-1] if shape else 1), Inputs.of(these.inputs).parts[0].shape[1:]
    labels = not these.targets.is_floating_point()
    loss = brought.loss if isinstance(brought.loss, str) else criterion(brought.loss or "ce")
    name = loss if isinstance(loss, str) else loss.name
    needed = {"model"} | ({"data"} if brought.samples is not None else set())
    if not isinstance(loss, str) and (name not in {**LOSSES, **OTHERS} or len(shape) > 1):
        needed.add("loss")
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    widths = (first[0] if len(first) == 3 else int(np.prod(first)), classes)
    training = TrainingRequest(epochs=0, batch_size=batch_size, checkpoints=())
    words, plain = _described(optimizer)
    single = [layer.name for layer in layers if layer.places == 1]
    order = [layer.name for layer in layers]
    return {
        "request": to_json(RunRequest(data, ModelRequest(kind, widths), name, training)),
        "fingerprint": these.fingerprint,
        "data_name": these.name,
        "class_names": list(these.class_names or (map(str, range(classes)) if labels else ())),
        "samples": len(these.targets),
        "layers": {layer.name: layer.shape for layer in layers},
        "order": order,
        "places": {layer.name: layer.places for layer in layers},
        "kinds": {layer.name: layer.kind for layer in layers},
        "studied": usual_layer(single or order),
        "left_out": left_out(network, order),
        "device": device,
        "created": time.time(),
        "finished": False,
        "end": "",
        "kept": [],
        "records": [],
        "recorded": {
            "optimizer": words,
            "plain": plain,
            "bring": {name: files.get(name, "") for name in BROUGHT if name in needed},
            "process": os.getpid(),
            "began": birth(psutil.Process()),
        },
    }


def by_hand(origin: Provenance, epoch: int) -> dict[str, Any]:
    """The record of a run of which nothing is known but one analysis."""
    names, (d_out, d_in) = joined(origin.layer), (origin.d_out, origin.d_in)
    training = TrainingRequest(epochs=epoch, batch_size=origin.batch_size, checkpoints=(epoch,))
    request = RunRequest(DataRequest("data of its own"), ModelRequest("network of its own", (d_in, d_out)), origin.loss,
                         training)  # fmt: skip
    nothing = dict.fromkeys(("test_loss", "test_accuracy", "learning_rate"))
    measured = {"train_loss": origin.mean_loss, "train_accuracy": origin.accuracy, "seconds": origin.seconds}
    return {
        "request": to_json(request),
        "fingerprint": "",
        "data_name": "data of its own",
        "class_names": [],
        "samples": origin.samples,
        "layers": dict(zip(names, origin.sizes, strict=True)),
        "order": list(names),
        "places": {name: origin.places for name in names},
        "kinds": {},
        "studied": origin.layer,
        "device": origin.device,
        "created": time.time(),
        "finished": True,
        "end": "Kept from Python.",
        "kept": [epoch],
        "records": [nothing | measured | {"epoch": epoch}],
        "recorded": {"optimizer": "", "plain": True, "bring": dict.fromkeys(BROUGHT, ""), "process": os.getpid(),
                     "began": birth(psutil.Process())},
    }  # fmt: skip


def _described(optimizer: Optimizer) -> tuple[str, bool]:
    """An optimiser in words, and whether its steps are the gradient's."""
    if optimizer is None or isinstance(optimizer, str):
        return optimizer or "", str(optimizer).lower() == "sgd"
    name, momentum = type(optimizer).__name__, optimizer.param_groups[0].get("momentum", 0)
    return f"{name} with momentum {momentum:g}" if momentum else name, name == "SGD" and not momentum


def ended(store: Store, run: str, process: int) -> None:
    """Tell that the script has ended; not by a process that was forked off it."""
    entry = store.read("runs", run)
    if entry is None or entry.meta["finished"] or process != os.getpid():
        return
    count = len(entry.meta["records"])
    end = f"Recorded: {count} epoch{'s' * (count != 1)}."
    store.write(("runs", run), {**entry.meta, "finished": True, "end": end})


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Inside the block torch is set as it is by default; after it every random state and setting is what it was."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    dtype = torch.get_default_dtype()
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            for kind in ("cpu", "cuda"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            torch.set_default_dtype(torch.float32)
            yield
    finally:
        torch.set_default_dtype(dtype)
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
