"""Architectures: build one from its description, and find the description of bare weights.

Those trained here are in engine.models.modules; others are torchvision's: engine.models.torchvision_nets.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.kinds import KINDS
from engine.config.requests import ModelRequest
from engine.errors import require
from engine.models import architectures, torchvision_nets
from engine.models.architectures import CNN_CHANNELS, CNN_HIDDEN, Layer, check
from engine.models.modules import MODULES
from engine.models.weight_files import unwrap

_POSSIBLE = (
    "Possible are a fully connected net (2-D weights that chain, each with or without a 1-D bias), the "
    "paper's CNN (four 3×3 convolutions to 32, 64, 128, 128 channels, then linear 128 → 20 → classes), and "
    "torchvision's architectures, unchanged but for channels and classes"
)


def build(request: ModelRequest, seed: int) -> nn.Module:
    """The freshly initialised net (PyTorch's default initialisation), the same for the same seed.

    The global random state is neither read nor moved. ValueError: see `check`.
    """
    check(request)
    # On the CPU's generator alone: torch.manual_seed would also move the accelerator's, which is not restored.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if request.kind in KINDS:
            return MODULES[request.kind](request.widths, request.activation, request.bias)
        return torchvision_nets.build(request.kind, *request.widths)


def layers(request: ModelRequest, image: tuple[int, int] = architectures.IMAGE) -> tuple[Layer, ...]:
    """The layers that can be studied, from input to output, for images of this height and width."""
    own = request.kind in KINDS
    return architectures.layers(request, image) if own else torchvision_nets.layers(request, image)


def studied_layer(request: ModelRequest) -> str:
    """The one that the paper would study; in torchvision's networks among those that are fed one vector a sample."""
    own = request.kind in KINDS
    return architectures.studied_layer(request) if own else torchvision_nets.studied_layer(request)


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
