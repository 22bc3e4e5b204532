"""Small seeded networks, float64 and in eval mode, on which an engine and its twins must agree."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from engine import losses

LOSSES = tuple(losses.LOSSES)


@dataclass(frozen=True)
class Case:
    """A network with its data. layer: the studied nn.Linear; bias: it has one; piecewise: everything
    downstream of it is piecewise linear."""

    name: str
    model: nn.Module
    layer: str
    inputs: Tensor
    targets: Tensor
    classes: int
    bias: bool
    piecewise: bool


def mlp(widths: tuple[int, ...], activation: Callable[[], nn.Module], bias: bool = False) -> nn.Sequential:
    """Linear layers named fc1, fc2, … with the activation between them."""
    model = nn.Sequential()
    for i, (d_in, d_out) in enumerate(pairwise(widths), 1):
        if i > 1:
            model.add_module(f"act{i - 1}", activation())
        model.add_module(f"fc{i}", nn.Linear(d_in, d_out, bias=bias))
    return model


def _mlp(widths, activation, layer, bias=False):
    return lambda: (mlp(widths, activation, bias), layer, (widths[0],), widths[-1])


def _conv_before():
    modules = OrderedDict(
        conv=nn.Conv2d(1, 2, 3),
        act1=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        flat=nn.Flatten(),
        fc1=nn.Linear(8, 4, bias=False),
        act2=nn.ReLU(),
        fc2=nn.Linear(4, 3),
    )
    return nn.Sequential(modules), "fc1", (1, 6, 6), 3


def _normalised():
    modules = OrderedDict(
        fc1=nn.Linear(5, 4),
        act1=nn.ReLU(),
        fc2=nn.Linear(4, 4),
        norm=nn.BatchNorm1d(4),
        drop=nn.Dropout(0.5),
        act2=nn.ReLU(),
        fc3=nn.Linear(4, 3),
    )
    return nn.Sequential(modules), "fc2", (5,), 3


def _conv_after():
    modules = OrderedDict(
        fc1=nn.Linear(5, 4),
        act1=nn.ReLU(),
        fc2=nn.Linear(4, 8),
        shape=nn.Unflatten(1, (2, 2, 2)),
        conv=nn.Conv2d(2, 3, 2, padding=1),
        act2=nn.LeakyReLU(0.2),
        pool=nn.AvgPool2d(3),
        flat=nn.Flatten(),
        fc3=nn.Linear(3, 3),
    )
    return nn.Sequential(modules), "fc2", (5,), 3


class Tokens(nn.Module):
    """A linear layer over T tokens between two others, read out at the end."""

    def __init__(self, tokens: int, widths: tuple[int, int, int], activation: Callable[[], nn.Module], first: bool):
        super().__init__()
        before, into, out = widths
        self.embed, self.fc = nn.Linear(before, into), nn.Linear(into, out, bias=True)
        self.act1, self.act2, self.read = nn.ReLU(), activation(), nn.Linear(tokens * out, 3)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.embed(x))
        z = self.fc(x) if self.first else self.fc(x.transpose(0, 1)).transpose(0, 1)
        return self.read(self.act2(z).flatten(1))


def _tokens(tokens, widths, activation=nn.ReLU, first=True):
    return lambda: (Tokens(tokens, widths, activation, first), "fc", (tokens, widths[0]), 3)


class Twice(nn.Module):
    """A layer used at two inputs of which neither depends on it."""

    def __init__(self):
        super().__init__()
        self.before, self.fc, self.read = nn.Linear(4, 3), nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.before(x)
        return self.read(torch.relu(self.fc(torch.relu(h))) + torch.relu(self.fc(torch.relu(-h))))


class ConvolvedTwice(nn.Module):
    """A convolution in groups, used at two inputs of which neither depends on it, before a smooth tail."""

    def __init__(self):
        super().__init__()
        self.conv, self.read = nn.Conv1d(4, 4, 2, groups=2), nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(torch.tanh(torch.cat([self.conv(x), self.conv(x[:, :, :3] * 0.7)], dim=2)).flatten(1))


class Windows(nn.Module):
    """Tokens laid in one row, as attention within windows does: a sample is several rows."""

    def __init__(self):
        super().__init__()
        self.fc, self.read = nn.Linear(3, 4), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(torch.relu(self.fc(x.reshape(-1, 2, 3))).reshape(len(x), -1))


def _convolution(axes, shape, channels, kernel, after=3, activation=nn.ReLU, **settings):
    """A convolution behind another and an activation, pooled to one number a channel or read as it is."""

    def build():
        kinds = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
        into, out = channels
        modules = OrderedDict(
            before=kinds[axes](1, into, 1),
            act1=nn.LeakyReLU(0.3),
            conv=kinds[axes](into, out, kernel, **settings),
            act2=activation(),
            flat=nn.Flatten(),
        )
        model = nn.Sequential(modules)
        with torch.no_grad():
            width = model(torch.zeros(2, 1, *shape)).shape[1]
        model.add_module("read", nn.Linear(width, after))
        return model, "conv", (1, *shape), after

    return build


_ONE_PLACE = {
    "relu": _mlp((5, 4, 4, 3), nn.ReLU, "fc2"),
    "relu_bias": _mlp((5, 4, 4, 3), nn.ReLU, "fc2", bias=True),
    "relu_first": _mlp((5, 4, 3), nn.ReLU, "fc1"),
    "relu_last": _mlp((5, 4, 3), nn.ReLU, "fc2", bias=True),
    "leaky": _mlp((5, 4, 4, 3), lambda: nn.LeakyReLU(0.2), "fc2", bias=True),
    "tanh": _mlp((5, 4, 4, 3), nn.Tanh, "fc2"),
    "gelu": _mlp((5, 4, 4, 3), nn.GELU, "fc2", bias=True),
    "one_hidden": _mlp((6, 3, 3), nn.Tanh, "fc1", bias=True),
    "linear": _mlp((5, 3), nn.ReLU, "fc1"),
    "wide": _mlp((4, 3, 6, 3), nn.ReLU, "fc2"),
    "conv_before": _conv_before,
    "conv_after": _conv_after,
    "normalised": _normalised,
}
_PLACES = {
    "tokens": _tokens(3, (2, 5, 4)),
    "tokens_many": _tokens(5, (2, 3, 3)),
    "tokens_smooth": _tokens(3, (2, 4, 3), nn.Tanh),
    "tokens_second": _tokens(4, (2, 3, 3), first=False),
    "tokens_norm": _tokens(3, (2, 3, 4), lambda: nn.Sequential(nn.LayerNorm(4), nn.ReLU())),
    "twice": lambda: (Twice(), "fc", (4,), 3),
    "conv_twice": lambda: (ConvolvedTwice(), "conv", (4, 4), 3),
    "windows": lambda: (Windows(), "fc", (4, 3), 3),
    "conv1d": _convolution(1, (6,), (2, 3), 3, padding=1, padding_mode="circular"),
    "conv2d": _convolution(2, (4, 5), (2, 3), 2, stride=(2, 1), dilation=(1, 2), padding=(0, 1)),
    "conv2d_same": _convolution(2, (3, 3), (2, 4), (2, 3), padding="same", padding_mode="replicate"),
    "conv2d_groups": _convolution(2, (3, 4), (4, 6), 2, groups=2),
    "conv2d_depthwise": _convolution(2, (4, 4), (3, 6), 3, groups=3, padding=1, stride=2, padding_mode="reflect"),
    "conv2d_groups_smooth": _convolution(2, (3, 4), (4, 4), 2, groups=2, activation=nn.Tanh),
    "conv2d_smooth": _convolution(2, (3, 3), (2, 3), 2, activation=nn.GELU),
    "conv2d_norm": _convolution(2, (3, 3), (2, 4), 2, activation=lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.ReLU())),
    "conv3d": _convolution(3, (2, 3, 2), (1, 3), 2),
    "conv_one_place": _convolution(2, (3, 3), (2, 3), 3, groups=1),
}
_BUILD = _ONE_PLACE | _PLACES
CASES, ONE_PLACE = tuple(_BUILD), tuple(_ONE_PLACE)
SMOOTH = (
    "tanh",
    "gelu",
    "one_hidden",
    "tokens_smooth",
    "tokens_norm",
    "conv_twice",
    "conv2d_groups_smooth",
    "conv2d_smooth",
    "conv2d_norm",
)


def case(name: str, n: int = 9, seed: int = 0, gain: float = 1.5) -> Case:
    """The named case with n samples, the classes dealt in turn and every class met twice if n allows.

    Weights are PyTorch's initial ones times `gain`, so that logits differ visibly between samples; norm
    statistics are random and far from the identity.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, layer, shape, classes = _BUILD[name]()
        model = model.double().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                for tensor in (module.weight.data, module.running_var):
                    tensor.uniform_(0.5, 2.0)
                for tensor in (module.bias.data, module.running_mean):
                    tensor.uniform_(0.0, 0.5)
            elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
                module.weight.data *= gain
        inputs = torch.randn(n, *shape, dtype=torch.float64)
        targets = torch.randperm(n) % classes
    linear = model.get_submodule(layer)
    return Case(name, model, layer, inputs, targets, classes, linear.bias is not None, name not in SMOOTH)


def lonely(name: str = "relu_bias", n: int = 9, seed: int = 0) -> Case:
    """The case with one sample alone in its class: it has no partner."""
    whole = case(name, n, seed)
    targets = whole.targets.clone()
    targets[targets == whole.classes - 1] = 0
    targets[n // 2] = whole.classes - 1
    return replace(whole, targets=targets)


def silent(name: str = "relu", n: int = 9, seed: int = 0) -> Case:
    """The case with one all-zero input: without biases upstream, its activity is zero and ΔW* undefined."""
    whole = case(name, n, seed)
    inputs = whole.inputs.clone()
    inputs[n // 2] = 0.0
    return replace(whole, inputs=inputs)
