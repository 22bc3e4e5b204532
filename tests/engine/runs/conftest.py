"""A small run and pipelines that are watched at work; checkpoints that were trained elsewhere."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cache.store import Store
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.models.inspection import asked
from engine.models.weight_files import parse as parse_weights
from engine.runs import external
from engine.runs.external import inspect
from engine.runs.pipeline import Pipeline
from tests.small import write_data

TRAINING = TrainingRequest(epochs=6, batch_size=16, momentum=0.5, checkpoints=(0, 2, 4))
EPOCHS = (0, 4)  # of the checkpoints that were trained elsewhere


@pytest.fixture
def request_(tmp_path: Path) -> RunRequest:
    name = write_data(tmp_path / "three.npz")
    return RunRequest(DataRequest(name), ModelRequest(widths=(6, 5, 4, 3)), training=TRAINING)


class Watch:
    """Hears progress; asks to stop once a stage has come so far."""

    def __init__(self, stage: str = "", done: int = 0) -> None:
        self.heard: list[tuple[str, int, int]] = []
        self.stage, self.done = stage, done

    def progress(self, stage: str, done: int, total: int) -> None:
        self.heard.append((stage, done, total))

    def should_stop(self) -> bool:
        return any(self.stage in stage and done >= self.done for stage, done, _ in self.heard if self.stage)

    def trained(self) -> list[int]:
        return [done for stage, done, _ in self.heard if stage == "training"]


def watched(store: Store, watch: Watch) -> Pipeline:
    return Pipeline(store, "cpu", watch.progress, watch.should_stop)


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are parsed in this process: test_weight_files.py sees the other one at work."""
    monkeypatch.setattr(external, "series", lambda files, part: (parse_weights(file, part) for file in files))
    monkeypatch.setattr(external, "read", parse_weights)


def plain_net(seed: int = 0) -> nn.Sequential:
    """A net as anyone writes it: other names, biases, tanh."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"net_epoch_{epoch}.pt" for epoch in EPOCHS]
    for seed, path in enumerate(paths):
        torch.save({"state_dict": plain_net(seed).state_dict()}, path)
    return paths


@pytest.fixture
def run_request(tmp_path: Path) -> RunRequest:
    data = DataRequest(write_data(tmp_path / "three.npz"))
    return RunRequest(data, ModelRequest(activation="tanh"), "mse", TrainingRequest(batch_size=16))


def loaded(store: Store, run_request: RunRequest, files: list[Path], epochs: tuple[int, ...] = EPOCHS) -> str:
    inspected = inspect(files, run_request.model.activation)
    request, order = asked(run_request, inspected, epochs)
    return Pipeline(store, "cpu").load(request, [files[i] for i in order])
