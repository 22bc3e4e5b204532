"""engine.models.architectures: the arithmetic of a net against the net itself."""

import pytest
import torch
from torch import nn

from engine.config.requests import ModelRequest
from engine.models import architectures
from engine.models.networks import build

NETS = [
    (ModelRequest(), (1, 28, 28)),
    (ModelRequest(widths=(12, 7, 5, 3), bias=True), (12,)),
    (ModelRequest("cnn", (1, 10)), (1, 28, 28)),
    (ModelRequest("cnn", (3, 4), bias=True), (3, 17, 13)),
]


@pytest.mark.parametrize(("net", "shape"), NETS)
def test_layers_are_those_of_the_built_net(net: ModelRequest, shape: tuple[int, ...]) -> None:
    image = shape[1:] if len(shape) == 3 else (28, 28)
    described = {layer.name: layer for layer in architectures.layers(net, image)}
    model, outputs = build(net, 0), {}
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out[0].numel()}))
    model(torch.zeros(1, *shape))
    weights = {name: p for name, p in model.named_modules() if isinstance(p, nn.Linear | nn.Conv2d)}
    assert list(described) == list(weights)
    for name, layer in described.items():
        assert layer.parameters == sum(p.numel() for p in weights[name].parameters())
        assert layer.operations == 2 * outputs[name] * weights[name].weight[0].numel()
        assert layer.convolution == isinstance(weights[name], nn.Conv2d)


@pytest.mark.parametrize(("net", "shape"), NETS)
def test_a_fitting_net_fits(net: ModelRequest, shape: tuple[int, ...]) -> None:
    fitted = architectures.fitting(net, shape, 6)
    architectures.check_fit(fitted, shape, 6, "d")
    assert build(fitted, 0)(torch.zeros(2, *shape)).shape == (2, 6)
    with pytest.raises(ValueError, match="Give the model"):
        architectures.check_fit(fitted, shape, 7, "d")


def test_the_cnn_says_which_samples_it_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"at least 8 × 8 pixels, and those of small have 7 × 9"):
        architectures.check_fit(ModelRequest("cnn", (1, 3)), (1, 7, 9), 3, "small")
    with pytest.raises(ValueError, match="needs images"):
        architectures.check_fit(ModelRequest("cnn", (5, 3)), (5,), 3, "features")
