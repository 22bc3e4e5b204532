"""What a user asks for, as frozen values without any tensor in them.

A request is the whole cause of a result: the same request on the same data gives the same
numbers, so its canonical JSON names the result in the cache. Nothing here imports torch, so
that a page can describe work without loading the numerics that does it.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from engine.errors import require

LOSSES = ("ce", "mse", "linear_mse")
DATASETS = ("mnist5k", "mnist", "fashion_mnist", "cifar10")
ACTIVATIONS = ("relu", "tanh", "gelu")
CURVATURES = ("auto", "gauss-newton", "full")  # of what follows a layer
CHECKPOINT_EPOCHS = (0, 1, 2, 5, 10, 20, 30, 50, 70, 100)

# Raised by one whenever the meaning of a stored number changes: old entries are then recomputed.
FORMAT = 1


def check_loss(name: str) -> None:
    """ValueError unless `name` is a loss."""
    require(name in LOSSES, f"There is no loss {name!r}; there are {', '.join(LOSSES)}.")


@dataclass(frozen=True)
class DataRequest:
    """A data set and what is taken of it.

    name: one of DATASETS, or the path of an .npz file (its bare name, if it lies in the data folder).
    classes: the labels kept, renumbered 0, 1, … in this order; None keeps all.
    per_class: training samples per class, drawn with `seed`; None keeps all.
    label_noise: fraction of training labels replaced by another class, drawn with `seed`.
    scaling: "paper" (pixels to 0…1; CIFAR-10 by channel mean and deviation), "unit" (0…1), "none".
    """

    name: str = "mnist5k"
    classes: tuple[int, ...] | None = None
    per_class: int | None = None
    label_noise: float = 0.0
    scaling: str = "paper"
    seed: int = 0


@dataclass(frozen=True)
class ModelRequest:
    """An architecture.

    kind "mlp": fully connected, `widths` from input to classes; layers are named fc1, fc2, ….
    kind "cnn": the paper's CNN for images with widths[0] channels and widths[-1] classes;
    its linear layers are fc1 (128 → 20, no bias) and fc2 (20 → classes).
    Any other kind is the name of one of torchvision's (engine.models.architectures.TORCHVISION), widths (channels,
    classes); activation and bias are then its own, and it is loaded, not trained here.
    """

    kind: str = "mlp"
    widths: tuple[int, ...] = (784, 50, 50, 10)
    activation: str = "relu"
    bias: bool = False


@dataclass(frozen=True)
class TrainingRequest:
    """Settings of SGD; the defaults are the paper's (paper.md, Settings)."""

    epochs: int = 100
    batch_size: int = 50
    learning_rate: float = 0.1
    cosine_epochs: int = 500
    final_rate_ratio: float = 0.01
    clip_norm: float | None = 5.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    stop_loss: float | None = 1e-5
    checkpoints: tuple[int, ...] = CHECKPOINT_EPOCHS


@dataclass(frozen=True)
class RunRequest:
    """One training run: its key names the run in the cache.

    weights: SHA-256 of the tensors of each checkpoint that was trained elsewhere, in the order of
    training.checkpoints, their epochs; of `training` only these and the batch size then mean anything. Empty: trained
    here.
    """

    data: DataRequest = field(default_factory=DataRequest)
    model: ModelRequest = field(default_factory=ModelRequest)
    loss: str = "ce"
    training: TrainingRequest = field(default_factory=TrainingRequest)
    seed: int = 0
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnalysisRequest:
    """One analysis of one checkpoint of a run; see engine.analyze for the meaning of each setting. Several layers
    are studied jointly under their names joined by "+"."""

    run: str
    epoch: int
    layer: str = "fc2"
    batch_size: int = 50
    anchors_per_class: int | None = 20
    top_k: int | None = None
    dtype: str = "float32"
    bias: bool = False
    curvature: str = "auto"
    spectra: int = 2000
    bootstrap: int = 0
    samples: int | None = None
    seed: int = 0

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers studied, several of them jointly."""
        return joined(self.layer)

    @property
    def keeps_spectra(self) -> bool:
        """Whether spectra of single samples come with the analysis; of layers studied jointly there are none."""
        return self.spectra > 0 and len(self.layers) == 1


@dataclass(frozen=True)
class SamplesRequest:
    """A look at every sample of one checkpoint before one layer; see engine.samples.table."""

    run: str
    epoch: int
    layer: str = "fc2"


def joined(layer: str) -> tuple[str, ...]:
    """The layers that a name such as "fc2" or "fc2+fc3" means."""
    return tuple(layer.split("+"))


def to_json(request: Any) -> dict[str, Any]:
    """The request as plain JSON values."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(request)))
    # Left out where empty: the keys of runs trained before there was this setting stay theirs.
    if values.get("weights") == []:
        del values["weights"]
    return values


def key(request: Any, fingerprint: str = "") -> str:
    """Name of the result in the cache: 16 hex digits of SHA-256 over the request's canonical JSON,
    its type, the fingerprint of the data and the result format's version."""
    body = json.dumps(
        [type(request).__name__, to_json(request), fingerprint, FORMAT],
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _tuples(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - known)
    require(not unknown, f"{cls.__name__} has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def run_request(values: dict[str, Any]) -> RunRequest:
    """The RunRequest written by to_json; ValueError names an unknown setting."""
    parts = {"data": DataRequest, "model": ModelRequest, "training": TrainingRequest}
    values = {k: parts[k](**_tuples(parts[k], v)) if k in parts else v for k, v in values.items()}
    return RunRequest(**_tuples(RunRequest, values))


def analysis_request(values: dict[str, Any]) -> AnalysisRequest:
    """The AnalysisRequest written by to_json; ValueError names an unknown setting."""
    return AnalysisRequest(**_tuples(AnalysisRequest, values))
