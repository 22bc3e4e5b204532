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
    (ModelRequest("mlp-bn", (12, 7, 5, 3), bias=True), (12,)),
    (ModelRequest("resmlp", (20, 6, 6, 6, 4), "tanh"), (20,)),
    (ModelRequest("lenet5", (1, 10)), (1, 28, 28)),
    (ModelRequest("lenet5", (3, 4), "tanh", bias=True), (3, 32, 19)),
    (ModelRequest("resnet", (3, 4, 4, 8, 10)), (3, 32, 32)),
    (ModelRequest("resnet", (1, 2, 3, 3, 5, 4), bias=True), (1, 17, 13)),
    (ModelRequest("vit", (1, 8, 8, 10)), (1, 28, 28)),
    (ModelRequest("vit", (3, 12, 4), "gelu", bias=True), (3, 17, 32)),
]


@pytest.mark.parametrize(("net", "shape"), NETS)
def test_layers_are_those_of_the_built_net(net: ModelRequest, shape: tuple[int, ...]) -> None:
    image = shape[1:] if len(shape) == 3 else (28, 28)
    described = {layer.name: layer for layer in architectures.layers(net, image)}
    model, outputs = build(net, 0).eval(), {}
    for name, part in model.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.register_forward_hook(lambda _m, _i, out, name=name: outputs.update({name: out[0].numel()}))
    model(torch.zeros(1, *shape))
    weights = {name: p for name, p in model.named_modules() if isinstance(p, nn.Linear | nn.Conv2d)}
    assert list(described) == list(weights)
    for name, layer in described.items():
        assert layer.parameters - layer.norms == sum(p.numel() for p in weights[name].parameters())
        assert (layer.width, layer.inputs) == weights[name].weight.flatten(1).shape
        assert layer.places * layer.width == outputs[name]
        assert layer.operations == 2 * outputs[name] * weights[name].weight[0].numel()
    assert architectures.parameter_count(net) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("net", "shape"), NETS)
def test_a_fitting_net_fits(net: ModelRequest, shape: tuple[int, ...]) -> None:
    fitted = architectures.fitting(net, shape, 6)
    architectures.check_fit(fitted, shape, 6, "d")
    assert build(fitted, 0).eval()(torch.zeros(2, *shape)).shape == (2, 6)
    with pytest.raises(ValueError, match="Give the model"):
        architectures.check_fit(fitted, shape, 7, "d")


@pytest.mark.parametrize(
    ("net", "sentence"),
    [
        (ModelRequest("resmlp", (8, 6, 5, 3)), "residual MLP are all the same, for example 8-64-64-64-3"),
        (ModelRequest("resmlp", (8, 3)), "are all the same"),
        (ModelRequest("vit", (1, 6, 6, 3)), "a multiple of 4, for example 1-64-64-3"),
        (ModelRequest("resnet", (1, 8, 4, 3)), "its widths never fall"),
        (ModelRequest("resnet", (1, 3)), "at least one block"),
        (ModelRequest("lenet5", (1, 5, 3)), r"The widths of a lenet5 are \(channels, classes\)"),
    ],
)
def test_widths_that_make_no_such_net_are_refused(net: ModelRequest, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        architectures.check(net)


def test_lenet_and_resnet_say_which_samples_they_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"LeNet-5 needs images of at most 32 × 32 pixels, and those of large have 33"):
        architectures.check_fit(ModelRequest("lenet5", (1, 3)), (1, 33, 20), 3, "large")
    with pytest.raises(ValueError, match="ResNet needs images"):
        architectures.check_fit(ModelRequest("resnet", (5, 4, 3)), (5,), 3, "features")


def test_the_cnn_says_which_samples_it_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"at least 8 × 8 pixels, and those of small have 7 × 9"):
        architectures.check_fit(ModelRequest("cnn", (1, 3)), (1, 7, 9), 3, "small")
    with pytest.raises(ValueError, match="needs images"):
        architectures.check_fit(ModelRequest("cnn", (5, 3)), (5,), 3, "features")
