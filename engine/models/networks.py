"""Architectures: build one from its description, and find the description of bare weights.

Those trained here are in engine.models.modules, those that files tell of in engine.models.layouts; others are
torchvision's: engine.models.torchvision_nets.
"""

from typing import Any

import torch
from torch import Tensor, nn

from engine.config.kinds import KINDS, layout
from engine.config.requests import ModelRequest
from engine.models import architectures, torchvision_nets
from engine.models.architectures import CONVOLUTION, LINEAR, Layer, check, usual_layer
from engine.models.layouts import Layout, sample
from engine.models.modules import MODULES
from engine.models.recognition import Reading, readings
from engine.models.state_dicts import unwrap
from engine.models.torchvision_nets import SIDE


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
        if text := layout(request.kind):
            return Layout(text, request.activation)
        return torchvision_nets.build(request.kind, *request.widths)


def layers(request: ModelRequest, image: tuple[int, int] = architectures.IMAGE) -> tuple[Layer, ...]:
    """The layers that can be studied, from input to output, for images of this height and width."""
    if request.kind in KINDS:
        return architectures.layers(request, image)
    try:
        return tuple(layer for layer, _ in _tried(request, image))
    except RuntimeError:  # images too small for it
        return tuple(layer for layer, _ in _tried(request, (SIDE, SIDE)))


def studied_layer(request: ModelRequest) -> str:
    """The one that the paper would study; in networks not trained here among those that are fed one vector a
    sample."""
    if request.kind in KINDS:
        return architectures.studied_layer(request)
    return usual_layer([layer.name for layer, axes in _tried(request, (SIDE, SIDE)) if axes == 2])


def _tried(request: ModelRequest, image: tuple[int, int]) -> list[tuple[Layer, int]]:
    """The linear layers and convolutions that are used once, from input to output, each with the number of axes that it
    is fed: found by trying a net without numbers."""
    with torch.device("meta"):
        model = build(request, seed=0).eval()
    calls: dict[str, list[tuple[Layer, int]]] = {}

    def see(name: str, layer: nn.Linear | nn.Conv2d) -> None:
        inputs, width = layer.weight[0].numel(), len(layer.weight)

        def hook(_: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
            places = out.numel() // (len(out) * width)
            kind = LINEAR if isinstance(layer, nn.Linear) else CONVOLUTION
            seen = Layer(name, inputs, width, places, layer.bias is not None, kind=kind)
            calls.setdefault(name, []).append((seen, args[0].ndim))

        layer.register_forward_hook(hook)

    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            see(name, module)
    shape = sample(layout(request.kind).partition(" ")[0] or f"{request.widths[0]}x")
    if len(shape) == 3:
        shape = [shape[0], *(fixed or side for fixed, side in zip(shape[1:], image, strict=True))]
    with torch.no_grad():
        model(torch.empty(2, *shape, device="meta"))
    return [uses[0] for uses in calls.values() if len(uses) == 1]


def infer(state: Any, activation: str = "relu") -> ModelRequest:
    """The likeliest description of the net whose weights these are; see engine.models.recognition.

    state: what a file of weights held: a state dict, also nested or with prefixes (engine.models.state_dicts.unwrap),
    or a run's checkpoint.
    Shapes do not tell the activation: it is the caller's. ValueError says what was found and what is possible.
    """
    return readings(unwrap(state).tensors, activation)[0].model


def rebuild(state: Any, activation: str = "relu") -> tuple[ModelRequest, nn.Module]:
    """The likeliest description (see `infer`) and the net with these weights."""
    reading = readings(unwrap(state).tensors, activation)[0]
    return reading.model, restore(reading)


def restore(reading: Reading) -> nn.Module:
    """The net of a reading with its weights, float32, on the CPU, in eval mode."""
    model = build(reading.model, seed=0)
    # Of BatchNorm: of no use after training, and absent from some files.
    counters = {name: t for name, t in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict({**counters, **reading.state})
    return model.eval()
