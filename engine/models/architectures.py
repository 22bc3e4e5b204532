"""Architectures as arithmetic: what can be built, its layers, parameters and operations.

Nothing here imports torch, so that a page can say what a network is before anything is built;
engine.models.networks builds it. Source: paper.md, Settings.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.config import fields
from engine.config.kinds import KINDS, flat, layout, title
from engine.config.requests import ModelRequest
from engine.errors import require

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
LINEAR, CONVOLUTION = "linear", "convolution"
MANY = 20  # classes: labels beyond may be numbers to predict
IMAGE = (28, 28)  # height and width, where nothing else is told
LENET_CHANNELS, LENET_HIDDEN = (6, 16), (120, 84)
LENET_SIDE = 32  # pixels: smaller images are framed by zeros
VIT_PATCH, VIT_HEADS, VIT_MLP = 7, 4, 2  # of its blocks' linear layers the inner is so many times as wide


@dataclass(frozen=True)
class Layer:
    """One layer with weights. width: its outputs (channels for a convolution), taking `inputs` numbers each;
    places: how many times each is computed (positions of the image, patches); bias: whether each adds a number;
    norms: parameters of the normalisations beside it; kind: LINEAR or CONVOLUTION."""

    name: str
    inputs: int
    width: int
    places: int = 1
    bias: bool = False
    norms: int = 0
    kind: str = LINEAR

    @property
    def shape(self) -> tuple[int, int]:
        """(d_out, d_in)."""
        return self.width, self.inputs

    @property
    def parameters(self) -> int:
        return self.width * (self.inputs + self.bias) + self.norms

    @property
    def operations(self) -> float:
        """Of one sample's forward pass: a multiplication and an addition per weight and place."""
        return 2.0 * self.inputs * self.width * self.places


def _title(kind: str) -> str:
    return {"cnn": "The CNN", "vit": "The vision transformer"}.get(kind, title(kind))


def check(request: ModelRequest) -> None:
    """ValueError unless `request` describes a net that can be built."""
    foreign = [kind for kinds in TORCHVISION.values() for kind in kinds]
    require(
        request.kind in KINDS
        or request.kind.partition("@")[0] in foreign
        or bool(layout(request.kind))
        or "timm/" in request.kind,
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
    own = KINDS.get(request.kind)
    hidden = widths[1:-1]
    require(
        len(widths) == 2 or (own is not None and bool(own.hidden)),
        f"The widths of a {request.kind} are (channels, classes), for example (1, 10) or (3, 10); {widths} was given.",
    )
    if own is not None:
        require(
            not own.alike or (len(set(hidden)) == 1 and (request.kind != "vit" or hidden[0] % VIT_HEADS == 0)),
            f"The hidden widths of a {own.short} are all the same"
            f"{f', a multiple of {VIT_HEADS}' if request.kind == 'vit' else ''}, for example "
            f"{'-'.join(map(str, (widths[0], *own.hidden, widths[-1])))}; {widths} was given.",
        )
        require(
            request.kind != "resnet" or (bool(hidden) and list(hidden) == sorted(hidden)),
            f"A ResNet has at least one block, and its widths never fall, for example (1, 16, 32, 64, 10); {widths} "
            "was given.",
        )


def fitting(request: ModelRequest, shape: tuple[int, ...], classes: int) -> ModelRequest:
    """The same net for samples of this shape, (inputs,) or (channels, h, w), and so many classes."""
    first = math.prod(shape) if flat(request.kind) else shape[0]
    return ModelRequest(request.kind, (first, *request.widths[1:-1], classes), request.activation, request.bias)


def check_fit(
    request: ModelRequest, shape: tuple[int, ...], outputs: int, data: str, numbers: bool = False, loaded: bool = False
) -> None:
    """ValueError unless the net takes samples of this shape, (inputs,) or (channels, h, w), and answers with
    so many classes, or numbers; `data` names them in the sentence; loaded: from a file, so that it is what it is."""
    check(request)
    require(
        numbers or not loaded or request.widths[-1] >= 2,
        "The network has one output, as for a number or a yes and no. Bring the numbers that it predicts, with "
        ":numbers behind the name of the data where they could be classes, and the loss linear_mse; for a yes and no "
        "it is measured by its own class, --model file.py:function, and the loss bce.",
    )
    require(
        numbers or request.widths[-1] >= 2,
        f"A classifier needs at least two outputs; the widths {request.widths} end in {request.widths[-1]}.",
    )
    vectors, net = flat(request.kind), _title(request.kind)
    require(
        vectors or len(shape) == 3,
        f"{net} needs images, and the samples of {data} have shape {shape}. Choose a fully connected net.",
    )
    sizes = {"cnn": (CNN_SMALLEST, math.inf), "lenet5": (1, LENET_SIDE)}
    least, most = sizes.get(request.kind, (1, math.inf))
    require(
        vectors or (min(shape[1:]) >= least and max(shape[1:]) <= most),
        f"{net} needs images of at {f'least {least} × {least}' if most == math.inf else f'most {most} × {most}'} "
        f"pixels, and those of {data} have {' × '.join(map(str, shape[1:]))}. Choose a fully connected net.",
    )
    right = fitting(request, shape, outputs).widths
    prefix = "" if request.kind == "mlp" else f"{request.kind}:"
    own = request.widths
    remedy = f"Give the model {prefix}{'-'.join(map(str, right))}, or choose other data."
    if loaded and own[0] != right[0]:
        remedy = "It is what its file says: bring the data that it was trained on, in the shape in which it took them."
    elif loaded and own[-1] < right[-1]:
        remedy = (
            "Keep as many classes as it was trained on, such as --classes 0,1,2, or bring the data of its training."
        )
    elif loaded:
        remedy = (
            "Of the other outputs there are no samples: bring data of all that it knows, or build it by --model "
            "file.py:function in a terminal, where some may be without samples."
        )
    if not numbers and right[-1] > MANY:
        remedy += (
            f" Are these {right[-1]:,} no classes but numbers to predict? Put :numbers behind the name of the data."
        )
    require(
        (own[0], own[-1]) == (right[0], right[-1]),
        f"The network takes {own[0]} {'inputs' if vectors else 'channels'} and "
        f"{f'gives {own[-1]} numbers' if numbers else f'knows {own[-1]} classes'}; {data} has {right[0]} and "
        f"{right[-1]}. {remedy}",
    )


def shapes(request: ModelRequest) -> dict[str, tuple[int, int]]:
    """(d_out, d_in) of the layers of a net that is trained here, by name, from input to output."""
    return {part.name: part.shape for part in layers(request)}


def usual_layer(names: Sequence[str]) -> str:
    """The paper's choice among layers from input to output: the one before the output layer (the output layer where
    there is no other)."""
    return names[max(len(names) - 2, 0)]


def studied_layer(request: ModelRequest) -> str:
    """The paper's choice in a net that is trained here."""
    return usual_layer(list(shapes(request)))


def layers(request: ModelRequest, image: tuple[int, int] = IMAGE) -> tuple[Layer, ...]:
    """All layers with weights, from input to output; image: height and width, where they are taken.
    ValueError: see `check`."""
    check(request)
    require(
        request.kind in KINDS,
        f"{title(request.kind)} was not trained here: its layers are known once its weights are read.",
    )
    return tuple(_LAYERS.get(request.kind, _mlp)(request, *image))


def _mlp(request: ModelRequest, *_: int) -> Iterator[Layer]:
    last = len(request.widths) - 1
    for i, (v, w) in enumerate(pairwise(request.widths), 1):
        yield Layer(f"fc{i}", v, w, 1, request.bias, 2 * w if request.kind == "mlp-bn" and i < last else 0)


def _cnn(request: ModelRequest, height: int, width: int) -> Iterator[Layer]:
    for i, (v, w) in enumerate(pairwise((request.widths[0], *CNN_CHANNELS))):
        yield Layer(f"conv{i + 1}", 9 * v, w, height * width, True, kind=CONVOLUTION)
        if i in CNN_POOLED:
            height, width = height // 2, width // 2
    yield Layer("fc1", CNN_CHANNELS[-1], CNN_HIDDEN, 1, request.bias)
    yield Layer("fc2", CNN_HIDDEN, request.widths[-1], 1, True)


def _lenet5(request: ModelRequest, *_: int) -> Iterator[Layer]:
    channels, classes = request.widths
    side = LENET_SIDE
    for i, (v, w) in enumerate(pairwise((channels, *LENET_CHANNELS)), 1):
        yield Layer(f"conv{i}", 25 * v, w, (side - 4) ** 2, True, kind=CONVOLUTION)
        side = (side - 4) // 2
    for i, (v, w) in enumerate(pairwise((LENET_CHANNELS[-1] * side**2, *LENET_HIDDEN)), 1):
        yield Layer(f"fc{i}", v, w, 1, request.bias)
    yield Layer("fc3", LENET_HIDDEN[-1], classes, 1, True)


def _resnet(request: ModelRequest, height: int, width: int) -> Iterator[Layer]:
    (channels, *hidden, classes), bias = request.widths, request.bias
    yield Layer("conv1", 9 * channels, hidden[0], height * width, bias, 2 * hidden[0], CONVOLUTION)
    for i, (v, w) in enumerate(pairwise((hidden[0], *hidden)), 1):
        if v < w:
            height, width = -(-height // 2), -(-width // 2)
        yield Layer(f"block{i}.conv1", 9 * v, w, height * width, bias, 2 * w, CONVOLUTION)
        yield Layer(f"block{i}.conv2", 9 * w, w, height * width, bias, 2 * w, CONVOLUTION)
    yield Layer("fc", hidden[-1], classes, 1, True)


def _vit(request: ModelRequest, height: int, width: int) -> Iterator[Layer]:
    (channels, *hidden, classes), bias = request.widths, request.bias
    w, places = hidden[0], -(-height // VIT_PATCH) * -(-width // VIT_PATCH)
    yield Layer("patch", VIT_PATCH**2 * channels, w, places, True, kind=CONVOLUTION)
    for i in range(1, len(hidden) + 1):
        yield from (Layer(f"block{i}.{n}", w, w, places, bias, 2 * w * (n == "q")) for n in ("q", "k", "v", "out"))
        yield Layer(f"block{i}.fc1", w, VIT_MLP * w, places, bias, 2 * w)
        yield Layer(f"block{i}.fc2", VIT_MLP * w, w, places, bias)
    yield Layer("fc", w, classes, 1, True, 2 * w)


_LAYERS: Mapping[str, Callable[..., Iterator[Layer]]] = {
    "cnn": _cnn,
    "lenet5": _lenet5,
    "resnet": _resnet,
    "vit": _vit,
}


def parameter_count(request: ModelRequest) -> int:
    """Number of trained parameters. ValueError: see `check`."""
    return sum(layer.parameters for layer in layers(request))
