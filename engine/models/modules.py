"""The networks that are trained here, as modules; engine.models.architectures counts the same layers without torch.

A layer's downstream part is the rest of its sequence in the paper's networks and in LeNet-5 (source: paper.md,
Settings). Input (n, numbers) or (n, channels, h, w), output logits (n, classes).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from engine.models.architectures import (
    CNN_CHANNELS,
    CNN_HIDDEN,
    CNN_POOLED,
    LENET_CHANNELS,
    LENET_HIDDEN,
    LENET_SIDE,
    VIT_HEADS,
    VIT_MLP,
    VIT_PATCH,
)

Widths = tuple[int, ...]
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class MLP(nn.Sequential):
    """Fully connected net fc1 … fcL with an activation between them; flattens images itself. norm: BatchNorm before
    every activation."""

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False, norm: bool = False) -> None:
        layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
        for i in range(1, len(widths)):
            layers[f"fc{i}"] = nn.Linear(widths[i - 1], widths[i], bias=bias)
            if i < len(widths) - 1:
                if norm:
                    layers[f"bn{i}"] = nn.BatchNorm1d(widths[i])
                layers[f"act{i}"] = ACTIVATIONS[activation]()
        super().__init__(layers)


class ResidualMLP(MLP):
    """The same layers; each hidden one but the first adds its output to what it is fed: h + act(W h). `bypass`, always
    1, tells its weight files from those of the plain one."""

    bypass: Tensor

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False) -> None:
        super().__init__(widths, activation, bias)
        self.register_buffer("bypass", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        first, *blocks, last = (layer for layer in self if isinstance(layer, nn.Linear))
        act = self.get_submodule("act1")
        h = act(first(x.flatten(1)))
        for layer in blocks:
            h = self.bypass * h + act(layer(h))
        return last(h)


class CNN(nn.Sequential):
    """The paper's CNN: 3×3 convolutions (padding 1) to 32, 64, 128, 128 channels, 2×2 max pooling behind
    the first, second and fourth, global average, fc1 (128 → 20), fc2 (20 → classes). h, w ≥ 8.

    `bias` is that of fc1, the studied layer; convolutions and fc2 always have one.
    """

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False) -> None:
        (channels, classes), act = widths, ACTIVATIONS[activation]
        layers = OrderedDict[str, nn.Module]()
        for i, (before, after) in enumerate(pairwise((channels, *CNN_CHANNELS))):
            layers[f"conv{i + 1}"] = nn.Conv2d(before, after, 3, padding=1)
            layers[f"act{i + 1}"] = act()
            if i in CNN_POOLED:
                layers[f"pool{i + 1}"] = nn.MaxPool2d(2)
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["fc1"] = nn.Linear(CNN_CHANNELS[-1], CNN_HIDDEN, bias=bias)
        layers["act5"] = act()
        layers["fc2"] = nn.Linear(CNN_HIDDEN, classes)
        super().__init__(layers)


class Frame(nn.Module):
    """Zeros around an image, as many on either side as can be, up to the next multiple of `side` pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c ch cw"]:
        down, across = (-size % self.side for size in x.shape[2:])
        return pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))


class LeNet5(nn.Sequential):
    """LeNet-5 of LeCun et al. 1998, without its partial connections: the image in a frame of 32 × 32, 5×5
    convolutions to 6 and 16 channels with 2×2 averages behind them, fc1 (400 → 120), fc2 (120 → 84), fc3.

    `bias` is that of fc1 and fc2.
    """

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False) -> None:
        (channels, classes), act = widths, ACTIVATIONS[activation]
        layers = OrderedDict[str, nn.Module](frame=Frame(LENET_SIDE))
        side = LENET_SIDE
        for i, (before, after) in enumerate(pairwise((channels, *LENET_CHANNELS)), 1):
            layers[f"conv{i}"] = nn.Conv2d(before, after, 5)
            layers[f"act{i}"] = act()
            layers[f"pool{i}"] = nn.AvgPool2d(2)
            side = (side - 4) // 2
        layers["flatten"] = nn.Flatten()
        for i, (before, after) in enumerate(pairwise((LENET_CHANNELS[-1] * side**2, *LENET_HIDDEN)), 1):
            layers[f"fc{i}"] = nn.Linear(before, after, bias=bias)
            layers[f"act{i + 2}"] = act()
        layers["fc3"] = nn.Linear(LENET_HIDDEN[-1], classes)
        super().__init__(layers)


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm, added to what they are fed; where the width grows the image is halved, and
    what is fed is given channels of zeros (He et al. 2016, option A)."""

    def __init__(self, before: int, after: int, activation: str, bias: bool) -> None:
        super().__init__()
        self.stride, self.more = (2 if before < after else 1), after - before
        self.conv1 = nn.Conv2d(before, after, 3, stride=self.stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(after)
        self.act1 = ACTIVATIONS[activation]()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(after)
        self.act2 = ACTIVATIONS[activation]()

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        h = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        return self.act2(h + pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more)))


class ResNet(nn.Sequential):
    """A ResNet for small images: conv1 (3×3), a Block for every width, global average, fc."""

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False) -> None:
        channels, *hidden, classes = widths
        layers = OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(channels, hidden[0], 3, padding=1, bias=bias),
            bn1=nn.BatchNorm2d(hidden[0]),
            act1=ACTIVATIONS[activation](),
        )
        for i, (before, after) in enumerate(pairwise((hidden[0], *hidden)), 1):
            layers[f"block{i}"] = Block(before, after, activation, bias)
        layers |= {
            "average": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(hidden[-1], classes),
        }
        super().__init__(layers)


class Attention(nn.Module):
    """A block of a transformer: attention of every place to every other, then two linear layers, each behind a
    LayerNorm and added to what it is fed. The products are written out: PyTorch's fused attention has no second
    derivative."""

    def __init__(self, width: int, activation: str, bias: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=bias) for _ in range(4))
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, VIT_MLP * width, bias=bias)
        self.act = ACTIVATIONS[activation]()
        self.fc2 = nn.Linear(VIT_MLP * width, width, bias=bias)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        h = self.norm1(x)
        q, k, v = (layer(h).unflatten(-1, (VIT_HEADS, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    """A small vision transformer: patches of 7×7 (the image in a frame of zeros where 7 does not divide it) through
    one linear map, plus where they lie, blocks of attention, a LayerNorm, the mean over places, fc."""

    def __init__(self, widths: Widths, activation: str = "relu", bias: bool = False) -> None:
        super().__init__()
        channels, *hidden, classes = widths
        self.frame = Frame(VIT_PATCH)
        self.patch = nn.Conv2d(channels, hidden[0], VIT_PATCH, stride=VIT_PATCH)
        self.blocks = [f"block{i}" for i in range(1, len(hidden) + 1)]
        for name, width in zip(self.blocks, hidden, strict=True):
            self.add_module(name, Attention(width, activation, bias))
        self.norm = nn.LayerNorm(hidden[-1])
        self.fc = nn.Linear(hidden[-1], classes)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        patches = self.patch(self.frame(x))
        tokens = (patches + _positions(patches)).flatten(2).mT
        for name in self.blocks:
            tokens = self.get_submodule(name)(tokens)
        return self.fc(self.norm(tokens).mean(dim=1))


def _positions(patches: Float[Tensor, "n d r c"]) -> Float[Tensor, "d r c"]:
    """Sines and cosines of the row and of the column of each patch, at wavelengths from 2π to 2π · 10⁴: no weight then
    depends on the size of the image (Beyer et al. 2022)."""
    d, rows, columns = patches.shape[1:]
    speeds = 1e4 ** -torch.linspace(0, 1, d // 4).to(patches)
    angles = [torch.arange(count).to(patches) * speeds[:, None] for count in (rows, columns)]
    down, across = (torch.cat([turn.sin(), turn.cos()]) for turn in angles)
    return torch.cat([down[:, :, None].expand(-1, -1, columns), across[:, None].expand(-1, rows, -1)])


# By kind, from widths, activation and bias.
MODULES: Mapping[str, Callable[[Widths, str, bool], nn.Module]] = {
    "mlp": MLP,
    "cnn": CNN,
    "mlp-bn": partial(MLP, norm=True),
    "resmlp": ResidualMLP,
    "lenet5": LeNet5,
    "resnet": ResNet,
    "vit": ViT,
}
