"""torchvision's networks, by their names and shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cache.store import Store
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest
from engine.data.datasets import load
from engine.models import torchvision_nets
from engine.models.networks import build, infer, layers, rebuild, restore, studied_layer
from engine.models.recognition import readings
from engine.runs.pipeline import Pipeline
from tests.engine.runs.conftest import loaded
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


def changed(kind: str, head: str, stem: int | None) -> dict[str, torch.Tensor]:
    """Names and shapes of torchvision's network, its last layer replaced by one of 3 outputs as people do, and its
    first convolution by one of 1 channel and another kernel."""
    from torchvision.models import get_model

    with torch.device("meta"):
        model = get_model(kind, weights=None)
        name, conv = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
        size = stem or conv.kernel_size[0]
        model.set_submodule(name, nn.Conv2d(1, conv.out_channels, size, bias=conv.bias is not None))
        width = [m for m in model.modules() if isinstance(m, nn.Linear)][-1].in_features
        linear = nn.Linear(width, 3)
        place, _, kind = head.partition(" ")
        model.set_submodule(place, nn.Sequential(nn.Dropout(), linear) if kind else linear)
    return {n: torch.zeros(t.shape) for n, t in model.state_dict().items()}


@pytest.mark.parametrize(
    ("kind", "head", "stem", "recognised"),
    [
        ("mobilenet_v2", "classifier", None, "mobilenet_v2"),
        ("mobilenet_v2", "classifier.1 behind a dropout", None, "mobilenet_v2"),
        ("efficientnet_b0", "classifier", None, "efficientnet_b0"),
        ("densenet121", "classifier behind a dropout", 3, "densenet121@3x1"),
        ("mobilenet_v3_small", "classifier.3", None, "mobilenet_v3_small"),
        ("shufflenet_v2_x0_5", "fc behind a dropout", None, "shufflenet_v2_x0_5"),
        ("swin_t", "head behind a dropout", None, "swin_t"),
        ("vit_b_32", "heads", None, "vit_b_32"),
    ],
)
def test_another_head_or_stem_is_the_same_network(kind: str, head: str, stem: int | None, recognised: str) -> None:
    state = changed(kind, head, stem)
    (first, *_) = torchvision_nets.exact(state)
    assert first[0] == ModelRequest(recognised, (1, 3))
    expected = torchvision_nets.outline(first[0]).state_dict()
    assert {n: t.shape for n, t in first[1].items()} == {n: t.shape for n, t in expected.items()}


def test_of_small_images_a_stem_of_stride_1_is_tried_too() -> None:
    from torchvision.models import get_model

    torch.manual_seed(0)
    model = get_model("mobilenet_v3_small", weights=None, num_classes=3).eval()
    model.features[0][0].stride = (1, 1)
    model.classifier[3] = nn.Sequential(nn.Dropout(), nn.Linear(1024, 3))
    for part in model.modules():  # statistics of its own, that its signals survive
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
    model.train()(torch.randn(16, 3, 32, 32))
    state = model.state_dict()
    every = readings(state, image=(32, 32))
    assert [(r.model.kind, r.words) for r in every[:2]] == [
        ("mobilenet_v3_small", ""),
        ("mobilenet_v3_small@3x1", "stem of stride 1"),
    ]
    assert readings(state, image=(224, 224))[0].model == readings(state)[0].model == every[0].model
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(restore(every[1])(x), model.eval()(x))
    assert not torch.allclose(restore(every[0])(x), model(x))


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
