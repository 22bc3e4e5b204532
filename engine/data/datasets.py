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
from jaxtyping import Float32, Int64
from torch import Tensor

from engine.config import fields
from engine.config.requests import DATASETS, DataRequest
from engine.data import subset
from engine.data.sources import check_counts, read
from engine.progress import Progress, silent

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_DEVIATION = (0.2023, 0.1994, 0.2010)


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets to train with and to test on; the test part may have no rows.

    train_x, test_x: images (n, channels, h, w) or features (n, inputs), scaled.
    train_y, test_y: class of each sample, 0 … len(class_names) − 1.
    fingerprint: SHA-256 over shapes and bytes of the four tensors: it changes exactly when they do.
    """

    train_x: Float32[Tensor, "n *sample"]
    train_y: Int64[Tensor, " n"]
    test_x: Float32[Tensor, "m *sample"]
    test_y: Int64[Tensor, " m"]
    class_names: tuple[str, ...]
    name: str
    fingerprint: str

    def __post_init__(self) -> None:
        check_counts(len(self.train_x), len(self.train_y), len(self.test_x), len(self.test_y))

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
    progress(stage, bytes done, bytes in all). A path ending in .npz, or the name of such
    a file in `folder`: see engine.data.sources.npz.

    engine.data.subset says what is taken of them. Scaling touches uint8 pixels only, numbers of other types are taken
    as they are: "paper" divides by 255 and, for cifar10 and any 32 × 32 images with 3 channels, normalises by
    CIFAR-10's channel mean and deviation (paper.md); "unit" divides by 255; "none" keeps 0 … 255.

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
    name = request.name if request.name in DATASETS else Path(request.name).stem
    return Dataset(*tensors, raw.class_names, name, fingerprint(*tensors))


def fingerprint(*tensors: Tensor) -> str:
    """SHA-256, in hex, over type, shape and bytes of the tensors."""
    digest = hashlib.sha256()
    for t in tensors:
        digest.update(f"{t.dtype}{tuple(t.shape)}".encode())
        digest.update(t.contiguous().numpy().data if t.numel() else b"")
    return digest.hexdigest()


def _scaling(x: np.ndarray, request: DataRequest) -> tuple[np.ndarray, np.ndarray]:
    """(mean, deviation) to subtract and to divide by, per channel, on the pixels' own scale."""
    pixels = x.dtype == np.uint8 and request.scaling != "none"
    if pixels and request.scaling == "paper" and x.shape[1:] == (32, 32, 3):
        return 255 * np.array(CIFAR10_MEAN, np.float32), 255 * np.array(CIFAR10_DEVIATION, np.float32)
    return np.zeros(1, np.float32), np.full(1, 255 if pixels else 1, np.float32)


def _inputs(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Tensor:
    """Samples as float32: features (n, d), images (n, channels, h, w)."""
    if x.ndim > 2:
        images = x if x.ndim == 4 else x[..., None]
        x, mean, deviation = images.transpose(0, 3, 1, 2), mean[:, None, None], deviation[:, None, None]
    scaled = x.astype(np.float32, order="C")
    scaled -= mean
    scaled /= deviation
    return torch.from_numpy(scaled)
