"""What a series of files of weights holds, as plain values. Imports no torch: pages read what a worker found."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cache.foreign import read_json
from engine.config import fields
from engine.config.requests import ModelRequest, RunRequest
from engine.errors import require


@dataclass(frozen=True)
class Weights:
    """One tensor: its name, shape and type as it is used."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Inspection:
    """Files of one architecture. digests: SHA-256 of the tensors of each file, in the order asked for; tensors: of
    the first file; model: the likeliest architecture with the activation asked for, None where none was recognised, and
    `why` then says why; layers: (outputs, inputs) of the layers that can be studied, by name; studied: the one the
    paper would study; parameters: trained numbers; aside: what else lay in the file; parts: the names of its sets of
    weights, where there are several; readings: how many architectures the shapes allow; under: the name, with
    dots, that the weights stand under in the file; prefix: what all names in it begin with."""

    digests: tuple[str, ...]
    tensors: tuple[Weights, ...]
    model: ModelRequest | None
    why: str
    layers: dict[str, tuple[int, int]]
    studied: str
    parameters: int
    aside: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    readings: int = 1
    under: str = ""
    prefix: str = ""


def lines(inspection: Inspection, file: str, request: RunRequest) -> str:
    """Python that measures a network which is not recognised, by the class it was made by."""
    matrices = [t.name.removesuffix(".weight") for t in inspection.tensors if len(t.shape) == 2]
    layer = matrices[max(len(matrices) - 2, 0)] if matrices else "fc2"
    single = [t.name for t in inspection.tensors if len(t.shape) == 2 and t.shape[0] == 1]
    loss = "linear_mse" if single else request.loss
    reader, load = ("torch", f"torch.load({file!r}, map_location='cpu', weights_only=True)")
    if file.endswith(".safetensors"):
        reader, load = "safetensors.torch", f"safetensors.torch.load_file({file!r})"
    nested = "".join(f"[{name!r}]" for name in inspection.under.split(".") if name)
    cut = f"\nweights = {{name.removeprefix({inspection.prefix!r}): w for name, w in weights.items()}}"
    return f"""import {reader}
from engine import Recorder
from my_script import MyNetwork, images, labels  # yours: the class, and the training samples as it takes them

weights = {load}{nested}{cut if inspection.prefix else ""}
model = MyNetwork()
model.load_state_dict(weights)
recorder = Recorder(
    {Path(file).stem!r}, model, data=(images, labels), loss={loss!r},{"  # or bce, of a yes and no" * bool(single)}
    batch_size={request.training.batch_size}, layers=[{layer!r}],
)
recorder.record(0)"""


def to_json(inspection: Inspection) -> str:
    """The text that from_json reads back."""
    return json.dumps(asdict(inspection), indent=1)


def from_json(text: str) -> Inspection:
    """The inspection written by to_json."""
    inspection: Inspection = fields.read(Inspection, read_json(text), "An inspection")
    return inspection


def asked(request: RunRequest, inspection: Inspection, epochs: Sequence[int]) -> tuple[RunRequest, tuple[int, ...]]:
    """The run that these files are, and the order of the files by epoch. ValueError where they make none."""
    require(
        len(epochs) == len(inspection.digests),
        f"There are {len(inspection.digests)} files but {len(epochs)} epochs. Give one epoch for each file.",
    )
    require(min(epochs) >= 0, f"Epochs are counted from 0; {min(epochs)} was given.")
    twice = sorted({e for e in epochs if list(epochs).count(e) > 1})
    require(not twice, f"Epoch {', '.join(map(str, twice))} was given to several files. Give each file its own epoch.")
    if inspection.model is None:
        raise ValueError(inspection.why)
    order = tuple(sorted(range(len(epochs)), key=lambda i: epochs[i]))
    ordered_epochs = tuple(epochs[i] for i in order)
    training = replace(request.training, checkpoints=ordered_epochs, epochs=ordered_epochs[-1])
    weights = tuple(inspection.digests[i] for i in order)
    return replace(request, model=inspection.model, training=training, weights=weights), order
