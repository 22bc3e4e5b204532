"""torchvision's networks, by their names and shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cache.store import Store
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest
from engine.data.datasets import load
from engine.models.networks import build, infer, layers, rebuild, studied_layer
from engine.runs.pipeline import Pipeline
from tests.engine.runs.test_external import loaded
from tests.reference import diagnostics, twins


@pytest.mark.parametrize(
    ("kind", "channels", "studied", "some"),
    [
        ("resnet18", 1, "fc", {"fc": (3, 512, 1), "conv1": (64, 49, 256), "layer4.1.conv2": (512, 4608, 1)}),
        (
            "mobilenet_v3_small",
            3,
            "classifier.0",
            {"classifier.0": (1024, 576, 1), "features.1.block.0.0": (16, 9, 64)},
        ),
        ("convnext_tiny", 3, "classifier.2", {"classifier.2": (3, 768, 1), "features.1.0.block.3": (384, 96, 64)}),
    ],
)
def test_torchvision_s_architectures_are_recognised(kind: str, channels: int, studied: str, some: dict) -> None:
    request = ModelRequest(kind, (channels, 3))
    model = build(request, 0)
    state = model.state_dict()
    assert infer(state) == request
    parts = {part.name: (part.width, part.inputs, part.places) for part in layers(request, (32, 32))}
    assert some.items() <= parts.items()
    assert studied_layer(request) == studied
    # Counters of BatchNorm are no weights.
    inferred, again = rebuild({f"module.{k}": v for k, v in state.items() if "num_batches" not in k})
    assert inferred == request
    assert not again.training
    x = torch.randn(2, channels, 32, 32)
    torch.testing.assert_close(again(x), model.eval()(x))


def test_a_changed_architecture_is_told_what_it_comes_close_to() -> None:
    state = build(ModelRequest("resnet18", (3, 10)), 0).state_dict()
    assert infer(state | {"conv1.weight": torch.zeros(64, 3, 3, 3)}).kind.startswith(
        "ResNet-18: 3x conv1=conv:64:3:1:1 "
    )
    with pytest.raises(ValueError, match=r"closest to resnet18: bn1\.bias is missing"):
        infer({k: v for k, v in state.items() if k != "bn1.bias"})


def test_its_layer_agrees_with_the_definition(store: Store, tmp_path: Path) -> None:
    """The whole way for a ResNet: file → run → analysis, against per-sample derivatives by torch.func."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8), np.arange(6) % 2
    np.savez(tmp_path / "images.npz", x_train=images, y_train=labels)
    net = build(ModelRequest("resnet18", (3, 2)), 3).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    run_request = RunRequest(DataRequest(str(tmp_path / "images.npz"), scaling="unit"))
    run = loaded(store, run_request, [tmp_path / "net.pth"], (0,))
    analysis = Pipeline(store, "cpu").analyze(AnalysisRequest(run, 0, "fc", 4, top_k=3, dtype="float64", spectra=0))
    data = load(run_request.data)
    g, h = twins.per_sample(net.double(), "fc", data.train_x.double(), data.train_y, "ce")
    expected = twins.hessian_and_noise(g, h, 4)
    values, vectors = diagnostics.eigenbasis(expected["H"].numpy())
    v = vectors[:, :3]
    np.testing.assert_allclose(analysis.eigenvalues, values[:3], rtol=1e-7)
    np.testing.assert_allclose(analysis.diagonal("C"), np.diag(v.T @ expected["C"].numpy() @ v), rtol=1e-6)
