"""A cache that commands fill, and the words that train a small network."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cache.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path / "contents"))
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    torch.set_num_threads(1)
    yield Store()
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def train(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (rng.normal(size=(90, 6)) + 1.5 * np.eye(6)[y]).astype(np.float32)
    np.savez(tmp_path / "three.npz", x_train=x, y_train=y)
    words = ["train", "--data", str(tmp_path / "three.npz"), "--model", "6-5-4-3", "--device", "cpu"]
    return [*words, "--batch-size", "15", "--checkpoints", "0,2", "--stop-loss", "off"]
