"""Small arrays, data, nets and runs that several tests share."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.config.requests import ModelRequest, TrainingRequest
from engine.data.datasets import Dataset
from engine.models.networks import build
from engine.training.sgd import Step, train

SMALL = ModelRequest(widths=(6, 5, 4, 3))
IMAGES = ModelRequest("cnn", (1, 3))
BRIEF = TrainingRequest(epochs=4, batch_size=8, cosine_epochs=5, checkpoints=(0, 2), stop_loss=None)


def dataset(n: int = 27, m: int = 9, sample: tuple[int, ...] = (6,), classes: int = 3, seed: int = 0) -> Dataset:
    """Separable but for noise; 27 samples leave a ragged batch of 3."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, *sample))
    y = np.arange(n + m) % classes
    x = torch.from_numpy((centres[y] + 0.3 * rng.normal(size=(n + m, *sample))).astype(np.float32))
    labels = torch.from_numpy(y)
    names = tuple("abcdefgh"[:classes])
    return Dataset(x[:n], labels[:n], x[n:], labels[n:], names, "planted", "planted")


def run(
    data: Dataset, request: TrainingRequest = BRIEF, net: ModelRequest = SMALL, loss: str = "ce", **more
) -> list[Step]:
    more = {"seed": 5, "device": "cpu"} | more
    return list(train(build(net, 1), data, loss, request, **more))


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def pixels(n: int = 12, shape: tuple[int, ...] = (4, 4), classes: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n, *shape), dtype=np.uint8),
        "y_train": np.arange(n) % classes,
        "x_test": rng.integers(0, 256, (6, *shape), dtype=np.uint8),
        "y_test": np.arange(6) % classes,
    }


def saved(folder: Path, **arrays: np.ndarray) -> str:
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


def write_data(path: Path, seed: int = 0) -> str:
    """120 samples of 3 classes that overlap a little; 30 more to test on."""
    rng = np.random.default_rng(seed)
    y = np.arange(150) % 3
    x = (rng.normal(size=(150, 6)) + 1.5 * np.eye(6)[y]).astype(np.float32)
    np.savez(path, x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])
    return str(path)
