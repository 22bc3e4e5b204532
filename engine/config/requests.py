"""What a user asks for, as frozen values without any tensor in them.

A request is the whole cause of a result: the same request on the same data gives the same
numbers, so its canonical JSON names the result in the cache. Nothing here imports torch, so
that a page can describe work without loading the numerics that does it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from engine.config.fields import Field, Setting, declared, read
from engine.config.kinds import KINDS
from engine.losses import LOSSES

DATASETS = ("mnist5k", "mnist", "fashion_mnist", "cifar10")
ACTIVATIONS = ("relu", "tanh", "gelu")
# Of pixels in 0 … 1 by channel: means and deviations in wide use.
NORMALISATIONS = {
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "signed": ((0.5,), (0.5,)),
}
SCALINGS = ("paper", "unit", "none", *NORMALISATIONS)
_NUMBERS = r"-?\d*\.?\d+(,-?\d*\.?\d+)*"
CURVATURES = ("auto", "gauss-newton", "full")  # of what follows a layer
DTYPES = ("float32", "float64")
SPLITS = 3  # random halvings of the samples: from three on a spread can be told
CHECKPOINT_EPOCHS = (0, 1, 2, 5, 10, 20, 30, 50, 70, 100)

# Raised by one whenever the meaning of a stored number changes: old entries are then recomputed.
FORMAT = 1


@dataclass(frozen=True)
class DataRequest:
    """A data set and what is taken of it.

    name: one of DATASETS, or the path of one's own data (its bare name, if it lies in the data folder; see
    engine.data.files), behind a table's a # and the column that holds the class.
    classes: the labels kept, renumbered 0, 1, … in this order; None keeps all.
    per_class: training samples per class, drawn with `seed`; None keeps all.
    label_noise: fraction of training labels replaced by another class, drawn with `seed`.
    scaling: "paper" (pixels to 0…1; CIFAR-10 by channel mean and deviation), "unit" (0…1), "none", one of
    NORMALISATIONS, or means and deviations of one's own by channel, such as "0.1307/0.3081".
    """

    name: Annotated[str, Setting(
        "Data set", f"{', '.join(DATASETS)} or the path of an .npz, .npy, .csv or .parquet file (table.csv#column) or "
        "of a folder of images", flag="--data",
    )] = "mnist5k"  # fmt: skip
    classes: Annotated[tuple[int, ...] | None, Setting(
        "Classes", "labels to keep, such as 0,1,2, or all", low=0, none="all",
        refusal="The classes are labels from 0 on; {} was given.",
    )] = None  # fmt: skip
    per_class: Annotated[int | None, Setting(
        "Samples per class", "training samples per class, or all", low=1, step=50, phrase="{} samples per class",
        none="all", subject="The samples per class are",
    )] = None  # fmt: skip
    label_noise: Annotated[float, Setting(
        "Label noise", "share of labels made wrong, 0 to 1", low=0, high=1, step=0.05,
    )] = 0.0  # fmt: skip
    scaling: Annotated[str, Setting(
        "Pixel scaling", f"of the pixels: {', '.join(SCALINGS)}, or mean/deviation such as 0.1307/0.3081",
        choices=SCALINGS, pattern=f"{'|'.join(SCALINGS)}|{_NUMBERS}/{_NUMBERS}", metavar="SCALING",
        refusal=f"There is no scaling {{!r}}; choose one of {', '.join(SCALINGS)}, or give mean/deviation such as "
        "0.1307/0.3081.",
    )] = "paper"  # fmt: skip
    seed: Annotated[int, Setting(
        "Data seed", "draws the samples and the wrong labels", low=0, step=1, flag="--data-seed",
        subject="The seed is",
    )] = 0  # fmt: skip


@dataclass(frozen=True)
class ModelRequest:
    """An architecture. kind: one of engine.config.kinds.KINDS; widths from input to classes.

    "mlp", "mlp-bn" with BatchNorm behind every hidden layer, "resmlp" with a bypass around every hidden layer but the
    first: (numbers of a sample, hidden widths …, classes); layers fc1, fc2, ….
    "cnn", the paper's, and "lenet5": (channels, classes); conv1, conv2, …, then fc1, fc2, ….
    "resnet" and "vit": (channels, a width for each block …, classes); block1.conv1, block1.conv2, …, fc and block1.q,
    block1.k, block1.v, block1.out, block1.fc1, block1.fc2, …, fc.
    bias: of an MLP's layers, of other networks' hidden linear layers, of a ResNet's convolutions; the others always
    have one.
    Any other kind is the name of one of torchvision's (engine.models.architectures.TORCHVISION), widths (channels,
    classes); activation and bias are then its own, and it is loaded, not trained here.
    """

    kind: Annotated[str, Setting(
        "Kind", f"widths such as 784-50-50-10, or {', '.join(list(KINDS)[1:])}, alone or with widths; left out: the "
        "paper's for the data", flag="--model",
    )] = "mlp"  # fmt: skip
    widths: Annotated[tuple[int, ...], Setting("Widths from input to classes")] = (784, 50, 50, 10)
    activation: Annotated[str, Setting("Activation", "between the layers", choices=ACTIVATIONS)] = "relu"
    bias: Annotated[bool, Setting("Bias", "give the layers a bias")] = False


@dataclass(frozen=True)
class TrainingRequest:
    """Settings of SGD; the defaults are the paper's (paper.md, Settings)."""

    epochs: Annotated[int, Setting(
        "Epochs", "passes over the data", low=0, step=10, phrase="{} epochs", subject="The epochs are",
    )] = 100  # fmt: skip
    batch_size: Annotated[int, Setting(
        "Batch size B", "B, samples per step", low=1, step=10, phrase="B = {}", subject="The batch size is",
    )] = 50  # fmt: skip
    learning_rate: Annotated[float, Setting("Learning rate", "at the start", above=0, step=0.01, phrase="η = {}")] = 0.1
    cosine_epochs: Annotated[int, Setting(
        "Cosine over … epochs", "period of the cosine schedule", low=1, step=50,
        refusal="The cosine takes at least 1 epoch; {} was given.",
    )] = 500  # fmt: skip
    final_rate_ratio: Annotated[float, Setting(
        "Last rate / first rate", "last rate / first rate", low=0, high=1, step=0.01,
        refusal="The final rate is between 0 and 1 times the first; {} was given.",
    )] = 0.01  # fmt: skip
    clip_norm: Annotated[float | None, Setting(
        "Clip the gradient at", "of the gradient, or off", above=0, step=1.0, none="off",
        refusal="The gradient norm is clipped at a number above 0, or not at all (None); {} was given.",
    )] = 5.0  # fmt: skip
    momentum: Annotated[float, Setting(
        "Momentum", "of SGD", low=0, below=1, step=0.1, refusal="The momentum lies from 0 to below 1; {} was given.",
    )] = 0.0  # fmt: skip
    weight_decay: Annotated[float, Setting("Weight decay", "of SGD", low=0, step=1e-4)] = 0.0
    stop_loss: Annotated[float | None, Setting(
        "Stop below loss", "enough at 100% accuracy, or off", above=0, step=1e-5, none="off",
        refusal="Training stops early below a loss above 0, or never (None); {} was given.",
    )] = 1e-5  # fmt: skip
    checkpoints: Annotated[tuple[int, ...], Setting(
        "Checkpoints at epochs", "epochs kept, beside the last", low=0,
        refusal="The checkpoints are epochs from 0 on; {} was given.",
    )] = CHECKPOINT_EPOCHS  # fmt: skip


@dataclass(frozen=True)
class RunRequest:
    """One training run: its key names the run in the cache.

    weights: SHA-256 of the tensors of each checkpoint that was trained elsewhere, in the order of
    training.checkpoints, their epochs; of `training` only these and the batch size then mean anything. Empty: trained
    here.
    """

    data: DataRequest = DataRequest()
    model: ModelRequest = ModelRequest()
    loss: Annotated[str, Setting(
        "Loss", "cross-entropy; squares after or without a softmax", choices=tuple(LOSSES),
    )] = "ce"  # fmt: skip
    training: TrainingRequest = TrainingRequest()
    seed: Annotated[int, Setting("Seed", "of the weights and the batch order", low=0, step=1)] = 0
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnalysisRequest:
    """One analysis of one checkpoint of a run; see engine.analyze for the meaning of each setting. Several layers
    are studied jointly under their names joined by "+"."""

    run: str
    epoch: int
    layer: Annotated[str, Setting(
        "Layer", "name of a linear layer, or several jointly as fc2+fc3; left out: the one the paper studies",
        phrase="layer {}",
    )] = "fc2"  # fmt: skip
    batch_size: Annotated[int, Setting(
        "Batch size B", "B of the covariance; left out: the run's own", low=1, phrase="B = {}",
        subject="The batch size is",
    )] = 50  # fmt: skip
    anchors_per_class: Annotated[int | None, Setting(
        "Anchors per class", "samples per class among which partners are sought, or all", low=1, flag="--anchors",
        none="all", subject="The anchors per class are",
    )] = 20  # fmt: skip
    top_k: Annotated[int | None, Setting(
        "Leading directions", "leading eigen-directions of H, or all", low=1, step=100, none="all",
        subject="The leading directions are",
    )] = None  # fmt: skip
    dtype: Annotated[str, Setting(
        "Precision", "precision of the per-sample factors", choices=DTYPES,
        refusal="dtype is 'float32' or 'float64', not {!r}.",
    )] = "float32"  # fmt: skip
    bias: Annotated[bool, Setting("Bias", "include the layer's bias")] = False
    curvature: Annotated[str, Setting(
        "Curvature", "of the network after the layer", choices=CURVATURES,
        refusal=f"curvature is one of {', '.join(CURVATURES)}, not {{!r}}.",
    )] = "auto"  # fmt: skip
    spectra: Annotated[int, Setting(
        "Spectra", "samples whose spectra are kept; 0: none", low=0,
        refusal="spectra is a number of samples from 0, not {}.",
    )] = 2000  # fmt: skip
    bootstrap: Annotated[int, Setting(
        "Resamples for intervals", "resamples for intervals; 0: none", low=0, step=100,
        refusal="bootstrap is a number of resamples from 0, not {}.",
    )] = 0  # fmt: skip
    samples: Annotated[int | None, Setting(
        "Samples", "training samples used, or all", low=1, step=500, none="all",
        refusal="samples must be at least 1, not {}.",
    )] = None  # fmt: skip
    seed: Annotated[int, Setting("Seed", "draws anchors, samples and resamples", low=0)] = 0

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


def default_model(data: DataRequest) -> ModelRequest:
    """The paper's fully connected network for a data set: 784-50-50-10 for digits, 3072-1000-50-50-10 for
    CIFAR-10, with as many outputs as classes are kept."""
    classes = 10 if data.classes is None else len(data.classes)
    hidden = (3072, 1000, 50, 50) if data.name == "cifar10" else (784, 50, 50)
    return ModelRequest(widths=(*hidden, classes))


def usual_model(kind: str, data: DataRequest) -> ModelRequest:
    """A network of this kind with its usual hidden widths; fully connected: the paper's for the data."""
    usual = default_model(data)
    first = (3 if "cifar10" in data.name else 1) if KINDS[kind].images else usual.widths[0]
    return usual if kind == "mlp" else ModelRequest(kind, (first, *KINDS[kind].hidden, usual.widths[-1]))


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
        [type(request).__name__, to_json(request), fingerprint, FORMAT], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def run_request(values: Mapping[str, Any]) -> RunRequest:
    """The RunRequest written by to_json; ValueError names an unknown setting, or one of another type."""
    return read(RunRequest, values, "RunRequest")


def analysis_request(values: Mapping[str, Any]) -> AnalysisRequest:
    """The AnalysisRequest written by to_json; ValueError names an unknown setting, or one of another type."""
    return read(AnalysisRequest, values, "AnalysisRequest")


def _by_name() -> dict[str, Field]:
    settings: dict[str, Field] = {}
    for cls in (DataRequest, ModelRequest, TrainingRequest, RunRequest, AnalysisRequest):
        for declaration in declared(cls).values():
            settings.setdefault(declaration.name, declaration)
    return settings


# Every setting of a run and of its analysis under the name that a user types; an analysis takes its batch size from
# the run, and has the bias and the seed of its own on the command line alone.
SETTINGS: Mapping[str, Field] = _by_name()
