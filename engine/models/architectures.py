"""Architectures as arithmetic: what can be built, its layers, parameters and operations.

Nothing here imports torch, so that a page can say what a network is before anything is built;
engine.models.networks builds it. Source: paper.md, Settings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.config import fields
from engine.config.requests import ModelRequest
from engine.errors import require

KINDS = ("mlp", "cnn")
# torchvision's architectures that weights can be loaded into, by the name of their output layer.
TORCHVISION = {
    "fc": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2"),
        *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
        *("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    ),
    "classifier": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "classifier.1": (
        *("mobilenet_v2", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
        *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4"),
        *("efficientnet_v2_s", "efficientnet_v2_m"),
    ),
    "classifier.2": ("convnext_tiny", "convnext_small", "convnext_base"),
    "classifier.3": ("mobilenet_v3_small", "mobilenet_v3_large"),
    "classifier.6": ("alexnet", *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn"))),
    "head": ("swin_t", "swin_s", "swin_b"),
    "heads.head": ("vit_b_16", "vit_b_32"),
}
CNN_CHANNELS = (32, 64, 128, 128)
CNN_HIDDEN = 20
CNN_POOLED = (0, 1, 3)  # the convolutions with a pooling behind them
CNN_SMALLEST = 8  # pixels: three poolings leave one


@dataclass(frozen=True)
class Layer:
    """One layer with weights. width: its outputs (channels for a convolution), taking `inputs` numbers each;
    places: how many times each is computed (positions of the image); bias: whether each adds a number."""

    name: str
    inputs: int
    width: int
    places: int = 1
    bias: bool = False

    @property
    def convolution(self) -> bool:
        return self.name.startswith("conv")

    @property
    def parameters(self) -> int:
        return self.width * (self.inputs + self.bias)

    @property
    def operations(self) -> float:
        """Of one sample's forward pass: a multiplication and an addition per weight and place."""
        return 2.0 * self.inputs * self.width * self.places


def check(request: ModelRequest) -> None:
    """ValueError unless `request` describes a net that can be built."""
    foreign = [kind for kinds in TORCHVISION.values() for kind in kinds]
    require(
        request.kind in KINDS or request.kind in foreign,
        f"There is no architecture {request.kind!r}; choose one of {', '.join(KINDS)}, or load weights of one of "
        f"torchvision's such as {', '.join(foreign[:3])}.",
    )
    fields.check(request)
    widths = request.widths
    require(
        len(widths) >= 2 and all(w >= 1 for w in widths),
        f"The widths {widths} describe no net; give the inputs, the hidden layers and the classes, "
        "each at least 1, for example 784, 50, 50, 10.",
    )
    require(
        request.kind == "mlp" or len(widths) == 2,
        f"The widths of a {request.kind} are (channels, classes), for example (1, 10) or (3, 10); {widths} was given.",
    )
    require(widths[-1] >= 2, f"A classifier needs at least two outputs; the widths {widths} end in {widths[-1]}.")


def fitting(request: ModelRequest, shape: tuple[int, ...], classes: int) -> ModelRequest:
    """The same net for samples of this shape, (inputs,) or (channels, h, w), and so many classes."""
    first = math.prod(shape) if request.kind == "mlp" else shape[0]
    hidden = request.widths[1:-1] if request.kind == "mlp" else ()
    return ModelRequest(request.kind, (first, *hidden, classes), request.activation, request.bias)


def check_fit(request: ModelRequest, shape: tuple[int, ...], classes: int, data: str) -> None:
    """ValueError unless the net takes samples of this shape, (inputs,) or (channels, h, w), and answers with
    these classes; `data` names them in the sentence."""
    check(request)
    mlp = request.kind == "mlp"
    require(
        mlp or len(shape) == 3,
        f"{'The CNN' if request.kind == 'cnn' else request.kind} needs images, and the samples of {data} have shape "
        f"{shape}. Choose a fully connected net.",
    )
    require(
        request.kind != "cnn" or min(shape[1:]) >= CNN_SMALLEST,
        f"The CNN needs images of at least {CNN_SMALLEST} × {CNN_SMALLEST} pixels, and those of {data} have "
        f"{' × '.join(map(str, shape[1:]))}. Choose a fully connected net.",
    )
    right = fitting(request, shape, classes).widths
    require(
        (request.widths[0], request.widths[-1]) == (right[0], right[-1]),
        f"The network takes {request.widths[0]} {'inputs' if mlp else 'channels'} and knows {request.widths[-1]} "
        f"classes; {data} has {right[0]} and {right[-1]}. Give the model "
        f"{'' if mlp else request.kind + ':'}{'-'.join(map(str, right))}, or choose other data.",
    )


def linear_shapes(request: ModelRequest) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of the linear layers of an "mlp" or "cnn", by name, from input to output."""
    return {part.name: (part.width, part.inputs) for part in layers(request) if not part.convolution}


def linear_layers(request: ModelRequest) -> tuple[str, ...]:
    """Names of the linear layers of an "mlp" or "cnn", from input to output."""
    return tuple(linear_shapes(request))


def usual_layer(names: Sequence[str]) -> str:
    """The paper's choice among linear layers from input to output: the one before the output layer (the output layer
    where there is no other)."""
    return names[max(len(names) - 2, 0)]


def studied_layer(request: ModelRequest) -> str:
    """The paper's choice in an "mlp" or "cnn"."""
    return usual_layer(linear_layers(request))


def layers(request: ModelRequest, image: tuple[int, int] = (28, 28)) -> tuple[Layer, ...]:
    """All layers with weights, from input to output; image: height and width, where there are convolutions.
    ValueError: see `check`."""
    check(request)
    require(
        request.kind in KINDS,
        f"{request.kind} is torchvision's: its layers are known once its weights are read.",
    )
    widths, bias = request.widths, request.bias
    if request.kind == "mlp":
        return tuple(Layer(f"fc{i + 1}", v, w, 1, bias) for i, (v, w) in enumerate(pairwise(widths)))
    convolutions, (height, width) = [], image
    for i, (v, w) in enumerate(pairwise((widths[0], *CNN_CHANNELS))):
        convolutions.append(Layer(f"conv{i + 1}", 9 * v, w, height * width, True))
        if i in CNN_POOLED:
            height, width = height // 2, width // 2
    head = Layer("fc1", CNN_CHANNELS[-1], CNN_HIDDEN, 1, bias)
    return (*convolutions, head, Layer("fc2", CNN_HIDDEN, widths[-1], 1, True))


def parameter_count(request: ModelRequest) -> int:
    """Number of trained parameters. ValueError: see `check`."""
    return sum(layer.parameters for layer in layers(request))
