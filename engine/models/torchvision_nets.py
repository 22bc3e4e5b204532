"""torchvision's architectures: built by name, recognised by the names and shapes of their weights.

torchvision takes seconds to import, so nothing here does before it must.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.config.requests import ModelRequest
from engine.errors import require
from engine.models.architectures import CONVOLUTION, LINEAR, TORCHVISION, Layer, usual_layer

SIDE = 224  # pixels: every architecture takes such images
_COUNTER = "num_batches_tracked"  # of BatchNorm: of no use after training, and absent from some files
_NEAR = 0.8  # share of tensors that agree with an architecture worth naming


def build(kind: str, channels: int, classes: int) -> nn.Module:
    """The architecture with as many outputs as classes; its first convolution takes the image's channels."""
    from torchvision.models import get_model  # slow to load: only for such a network

    model = get_model(kind, weights=None, num_classes=classes)
    name, first = _first_convolution(model)
    if channels != first.in_channels:
        model.set_submodule(
            name,
            nn.Conv2d(
                channels,
                first.out_channels,
                kernel_size=(first.kernel_size[0], first.kernel_size[1]),
                stride=(first.stride[0], first.stride[1]),
                padding=(int(first.padding[0]), int(first.padding[1])),
                bias=first.bias is not None,
            ),
        )
    return model


def layers(request: ModelRequest, image: tuple[int, int]) -> tuple[Layer, ...]:
    """The linear layers and convolutions that are used once, from input to output, found by trying; for images that
    are too small, at torchvision's own size."""
    try:
        return tuple(layer for layer, _ in _tried(request, image))
    except RuntimeError:
        return tuple(layer for layer, _ in _tried(request, (SIDE, SIDE)))


def studied_layer(request: ModelRequest) -> str:
    """The one the paper would study among the layers that are fed one vector per sample."""
    return usual_layer([layer.name for layer, axes in _tried(request, (SIDE, SIDE)) if axes == 2])


def _tried(request: ModelRequest, image: tuple[int, int]) -> list[tuple[Layer, int]]:
    """The layers, each with the number of axes that it is fed."""
    model = outline(request)
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
    with torch.no_grad():
        model(torch.empty(2, request.widths[0], *image, device="meta"))
    return [uses[0] for uses in calls.values() if len(uses) == 1]


def infer(state: Mapping[str, Tensor]) -> ModelRequest:
    """The architecture that has exactly these names and shapes. ValueError says which one comes closest."""
    nearest, best = "", 0.0
    for output, kinds in TORCHVISION.items():
        head = state.get(f"{output}.weight")
        if head is None or head.ndim != 2 or not any(t.ndim == 4 for t in state.values()):
            continue
        for kind in kinds:
            request = _fitted(kind, state, head.shape[0])
            share, difference = _agreement(request, state)
            if not difference:
                return request
            if share > best:
                best, nearest = share, f"It comes closest to {kind}: {difference}."
    raise ValueError(nearest if best > _NEAR else "")


def restore(request: ModelRequest, state: Mapping[str, Tensor]) -> nn.Module:
    """The architecture with these weights, in eval mode."""
    model = build(request.kind, request.widths[0], request.widths[-1])
    for name, t in state.items():
        require(bool(t.isfinite().all()), f"{name} holds NaN or infinite values: its training has diverged.")
    counters = {name: t for name, t in model.state_dict().items() if name.endswith(_COUNTER)}
    model.load_state_dict({**counters, **state})
    return model.eval()


def outline(request: ModelRequest) -> nn.Module:
    """The architecture without numbers: names and shapes only."""
    channels, classes = request.widths
    with torch.device("meta"):
        return build(request.kind, channels, classes).eval()


def _first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    return next((name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d))


def _fitted(kind: str, state: Mapping[str, Tensor], classes: int) -> ModelRequest:
    """The architecture with the file's own number of channels."""
    name, first = _first_convolution(outline(ModelRequest(kind, (3, classes))))
    entry = state.get(f"{name}.weight")
    grouped = entry is not None and entry.ndim == 4 and entry.shape[1] > 0
    return ModelRequest(kind, (entry.shape[1] if entry is not None and grouped else first.in_channels, classes))


def _agreement(request: ModelRequest, state: Mapping[str, Tensor]) -> tuple[float, str]:
    """Share of the architecture's tensors that the file has with the same shape, and the first difference in words."""
    expected = {n: tuple(t.shape) for n, t in outline(request).state_dict().items()}
    shapes = {name: tuple(t.shape) for name, t in state.items()}
    needed = {name: shape for name, shape in expected.items() if not name.endswith(_COUNTER)}
    share = sum(shapes.get(name) == shape for name, shape in needed.items()) / len(needed)
    for name, shape in needed.items():
        if name not in shapes:
            return share, f"{name} is missing"
        if shapes[name] != shape:
            return share, f"{name} is {_times(shapes[name])} instead of {_times(shape)}"
    foreign = sorted(shapes.keys() - expected.keys())
    return share, f"{foreign[0]} belongs to none of its layers" if foreign else ""


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a scalar"
