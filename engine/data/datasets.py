"""Data sets: named ones and a user's .npz, as tensors on the CPU.

    from engine.data.datasets import load
    from engine.config.requests import DataRequest
    data = load(DataRequest("mnist5k", classes=(0, 1, 2), per_class=400))

Where the samples come from is engine.data.sources; here they are chosen from, scaled and fingerprinted.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from engine.config import fields
from engine.config.requests import DATASETS, NORMALISATIONS, DataRequest
from engine.data import subset
from engine.data.raw import check_counts
from engine.data.sources import read, split
from engine.errors import require
from engine.progress import Progress, silent


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets to train with and to test on; the test part may have no rows.

    train_x, test_x: images (n, channels, h, w) or features (n, inputs), scaled.
    train_y, test_y: class of each sample, 0 … len(class_names) − 1; with no names of classes, the numbers to predict
    (n, outputs), as they stand in the file.
    fingerprint: SHA-256 over shapes and bytes of the four tensors: it changes exactly when they do.
    """

    train_x: Float32[Tensor, "n *sample"]
    train_y: Shaped[Tensor, "n *outputs"]
    test_x: Float32[Tensor, "m *sample"]
    test_y: Shaped[Tensor, "m *outputs"]
    class_names: tuple[str, ...]
    name: str
    fingerprint: str

    def __post_init__(self) -> None:
        check_counts(len(self.train_x), len(self.train_y), len(self.test_x), len(self.test_y))

    @property
    def numbers(self) -> bool:
        """Whether targets are numbers to predict, and no classes."""
        return self.train_y.is_floating_point()

    @property
    def outputs(self) -> int:
        """Numbers that a network answers with."""
        return self.train_y.shape[1] if self.numbers else len(self.class_names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (channels, h, w) or (inputs,)."""
        return tuple(self.train_x.shape[1:])

    @property
    def image(self) -> tuple[int, int]:
        """Height and width; 1 × 1 where samples are no images."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else (1, 1)

    @property
    def inputs(self) -> int:
        """Numbers per sample: the first width of a fully connected net."""
        return int(np.prod(self.shape))


def load(
    request: DataRequest,
    progress: Progress | None = None,
    download: bool = False,
    folder: Path | None = None,
) -> Dataset:
    """The data set described by `request`, the same tensors for the same request.

    mnist5k: 5,000 real MNIST digits that come with the program, 450 per class to train with and a fixed
    50 per class to test on. mnist, fashion_mnist, cifar10: torchvision's files in `folder` (default: the
    environment variable GAMMASCOPE_DATA, else data in the cache), fetched when `download`, with
    progress(stage, bytes done, bytes in all). A path of one's own data, or the name of
    such in `folder`: see engine.data.files.

    engine.data.subset says what is taken of them. "paper" and "unit" touch pixels only (uint8, and whole numbers up
    to 255), other numbers are taken as they are: "paper" divides by 255 and, for cifar10 and any 32 × 32 images
    with 3 channels, normalises by CIFAR-10's channel mean and deviation (paper.md); "unit" divides by 255; "none"
    keeps 0 … 255. Means and deviations are of pixels divided by 255, and of other numbers as they are.

    ValueError or FileNotFoundError, one sentence, says what is wrong, what is possible and what to do.
    """
    fields.check(request)
    raw = subset.choose(read(request.name, progress or silent, download, folder), request)
    mean, deviation = _scaling(raw.train_x, request)
    tensors = (
        _inputs(raw.train_x, mean, deviation),
        torch.from_numpy(raw.train_y),
        _inputs(raw.test_x, mean, deviation),
        torch.from_numpy(raw.test_y),
    )
    name = request.name if request.name in DATASETS else Path(split(request.name)[0]).stem
    return Dataset(*tensors, raw.class_names, name, fingerprint(*tensors))


def fingerprint(*tensors: Tensor) -> str:
    """SHA-256, in hex, over type, shape and bytes of the tensors."""
    digest = hashlib.sha256()
    for t in tensors:
        digest.update(f"{t.dtype}{tuple(t.shape)}".encode())
        digest.update(t.contiguous().numpy().data if t.numel() else b"")
    return digest.hexdigest()


def _scaling(x: np.ndarray, request: DataRequest) -> tuple[np.ndarray, np.ndarray]:
    """(mean, deviation) to subtract and to divide by, one or one per channel, on the samples' own scale."""
    mean, deviation = normalisation(request.scaling, x.shape[1:] == (32, 32, 3))
    channels, given = x.shape[3] if x.ndim == 4 else 1, {len(mean), len(deviation)}
    if x.dtype != np.uint8 and request.scaling in ("paper", "unit"):
        mean, deviation = (0.0,), (1.0,)
    require(
        given <= {1, channels},
        f"The scaling {request.scaling} is for {max(given)} channels, and these samples have {channels}: give one mean "
        "and one deviation, or one of each for every channel.",
    )
    require(min(deviation) > 0, f"The scaling {request.scaling} divides by a deviation that is not above 0.")
    scale = 255 if x.dtype == np.uint8 and request.scaling != "none" else 1
    return scale * np.array(mean, np.float32), scale * np.array(deviation, np.float32)


def normalisation(scaling: str, photos: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations by channel of pixels in 0 … 1; photos: 32 × 32 pixels with 3 channels, which the paper
    scales as CIFAR-10."""
    if scaling == "paper" and photos:
        return NORMALISATIONS["cifar10"]
    if scaling in ("paper", "unit", "none"):
        return (0.0,), (1.0,)
    if scaling in NORMALISATIONS:
        return NORMALISATIONS[scaling]
    mean, deviation = (tuple(map(float, part.split(","))) for part in scaling.split("/"))
    return mean, deviation


def _inputs(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Tensor:
    """Samples as float32: features (n, d), images (n, channels, h, w)."""
    if x.ndim > 2:
        images = x if x.ndim == 4 else x[..., None]
        x, mean, deviation = images.transpose(0, 3, 1, 2), mean[:, None, None], deviation[:, None, None]
    scaled = x.astype(np.float32, order="C")
    scaled -= mean
    scaled /= deviation
    return torch.from_numpy(scaled)
