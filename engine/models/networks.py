"""Architectures: build one from its description, and find the description of bare weights.

Those trained here are plain sequences whose linear layers are named fc1, fc2, …, so that a layer's downstream
part is the rest of the sequence (source: paper.md, Settings). Others are torchvision's: engine.models.torchvision_nets.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.requests import ModelRequest
from engine.errors import require
from engine.models import torchvision_nets
from engine.models.architectures import CNN_CHANNELS, CNN_HIDDEN, CNN_POOLED, KINDS, check, linear_shapes
from engine.models.weight_files import unwrap

_ACTIVATION = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
_POSSIBLE = (
    "Possible are a fully connected net (2-D weights that chain, each with or without a 1-D bias), the "
    "paper's CNN (four 3×3 convolutions to 32, 64, 128, 128 channels, then linear 128 → 20 → classes), and "
    "torchvision's architectures, unchanged but for channels and classes"
)


class MLP(nn.Sequential):
    """Fully connected net fc1 … fcL with an activation between them; flattens images itself.

    widths: (inputs, hidden …, classes). Input (n, inputs) or (n, channels, h, w), output logits (n, classes).
    """

    def __init__(self, widths: tuple[int, ...], activation: str = "relu", bias: bool = False) -> None:
        layers = OrderedDict[str, nn.Module](flatten=nn.Flatten())
        for i in range(1, len(widths)):
            layers[f"fc{i}"] = nn.Linear(widths[i - 1], widths[i], bias=bias)
            if i < len(widths) - 1:
                layers[f"act{i}"] = _ACTIVATION[activation]()
        super().__init__(layers)


class CNN(nn.Sequential):
    """The paper's CNN: 3×3 convolutions (padding 1) to 32, 64, 128, 128 channels, 2×2 max pooling behind
    the first, second and fourth, global average, fc1 (128 → 20), fc2 (20 → classes).

    Input (n, channels, h, w) with h, w ≥ 8, output logits (n, classes). `bias` is that of fc1, the studied
    layer; convolutions and fc2 always have one.
    """

    def __init__(self, channels: int, classes: int, activation: str = "relu", bias: bool = False) -> None:
        act = _ACTIVATION[activation]
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


def build(request: ModelRequest, seed: int) -> nn.Module:
    """The freshly initialised net (PyTorch's default initialisation), the same for the same seed.

    The global random state is neither read nor moved. ValueError: see `check`.
    """
    check(request)
    # On the CPU's generator alone: torch.manual_seed would also move the accelerator's, which is not restored.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if request.kind == "mlp":
            return MLP(request.widths, request.activation, request.bias)
        channels, classes = request.widths
        if request.kind == "cnn":
            return CNN(channels, classes, request.activation, request.bias)
        return torchvision_nets.build(request.kind, channels, classes)


def layer_shapes(request: ModelRequest) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of the linear layers that can be studied, fed one vector per sample, by name, from input to
    output."""
    return linear_shapes(request) if request.kind in KINDS else torchvision_nets.layer_shapes(request)


def infer(state: Any, activation: str = "relu") -> ModelRequest:
    """The description of the net whose weights these are, by their shapes; names may differ, but for torchvision's.

    state: what a file of weights held: a state dict, also nested or with prefixes (engine.models.weight_files.unwrap),
    or a run's checkpoint.
    Shapes do not tell the activation: it is the caller's. ValueError says what was found and what is possible.
    """
    return _recognise(unwrap(state), activation)[0]


def rebuild(state: Any, activation: str = "relu") -> tuple[ModelRequest, nn.Module]:
    """The description (see `infer`) and the net with these weights, float32, on the CPU, in eval mode.

    Where only some layers have a bias the others get a zero one: the same function.
    """
    tensors = unwrap(state)
    request, layers = _recognise(tensors, activation)
    if request.kind not in KINDS:
        return request, torchvision_nets.restore(request, tensors)
    model = build(request, seed=0)
    slots = [part for part in model.modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    with torch.no_grad():
        for slot, (weight, bias) in zip(slots, layers, strict=True):
            slot.weight.copy_(weight)
            if slot.bias is not None:
                slot.bias.copy_(torch.zeros_like(slot.bias) if bias is None else bias)
    return request, model.eval()


_Layer = tuple[Tensor, Tensor | None]  # weight and bias


def _recognise(tensors: Mapping[str, Tensor], activation: str) -> tuple[ModelRequest, list[_Layer]]:
    """The description, and for a net of this program's own kinds the layers from input to output."""
    try:
        return _read(tensors, activation)
    except ValueError as error:
        try:
            return torchvision_nets.infer(tensors), []
        except ValueError as other:
            raise ValueError(f"{error} {other}".strip()) from error


def _read(tensors: Mapping[str, Tensor], activation: str) -> tuple[ModelRequest, list[_Layer]]:
    """The description by shapes, and the layers from input to output."""
    contents = ", ".join(f"{name} {'×'.join(map(str, t.shape)) or 'scalar'}" for name, t in [*tensors.items()][:12])
    layers = {
        name.removesuffix("weight"): (t, tensors.get(name.removesuffix("weight") + "bias"))
        for name, t in tensors.items()
        if name.endswith("weight") and t.ndim in (2, 4) and t.is_floating_point()
    }
    fitting = {stem + "weight" for stem in layers}
    fitting |= {s + "bias" for s, (w, b) in layers.items() if b is not None and b.shape == w.shape[:1]}
    foreign = [name for name in tensors if name not in fitting]
    require(not foreign, f"{', '.join(foreign[:5])} fits no layer known here. {_POSSIBLE}; found: {contents}.")
    for name, t in tensors.items():
        require(bool(t.isfinite().all()), f"{name} holds NaN or infinite values: its training has diverged.")
    for order in _orders(list(layers)):
        chain = [layers[stem] for stem in order]
        request = _describe(chain, activation)
        if request is not None:
            check(request)
            return request, chain
    raise ValueError(f"The shapes do not chain from layer to layer. {_POSSIBLE}; found: {contents}.")


def _orders(stems: list[str]) -> list[list[str]]:
    """Orders of the layers worth trying. Files may list names alphabetically (fc1, fc10, fc2); where names
    differ only in their numbers these tell the order, else the file's own order is the better guess."""
    natural = sorted(stems, key=lambda s: [int(x) if x.isdecimal() else x for x in re.split(r"(\d+)", s)])
    numbered = len({re.sub(r"\d+", "#", s) for s in stems}) == 1
    return [natural, stems] if numbered else [stems, natural]


def _describe(chain: list[_Layer], activation: str) -> ModelRequest | None:
    """The net whose layers these are in this order, if there is one."""
    shapes = [tuple(weight.shape) for weight, _ in chain]
    if all(len(s) == 2 for s in shapes):
        widths = (shapes[0][1], *(s[0] for s in shapes))
        bias = any(b is not None for _, b in chain)
        fits = all(before[0] == after[1] for before, after in pairwise(shapes))
        return ModelRequest("mlp", widths, activation, bias) if fits else None
    channels, classes = shapes[0][1], shapes[-1][0]
    expected: list[tuple[int, ...]] = [(after, before, 3, 3) for before, after in pairwise((channels, *CNN_CHANNELS))]
    expected += [(CNN_HIDDEN, CNN_CHANNELS[-1]), (classes, CNN_HIDDEN)]
    if shapes != expected:
        return None
    return ModelRequest("cnn", (channels, classes), activation, bias=chain[-2][1] is not None)
