"""torchvision's architectures, and timm's: built by name, recognised by the names and shapes of their weights.

torchvision takes seconds to import, so nothing here does before it must.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.config.requests import ModelRequest
from engine.models.architectures import TORCHVISION

SIDE = 224  # pixels: every architecture takes such images
_COUNTER = "num_batches_tracked"  # of BatchNorm: of no use after training, and absent from some files
SMALL = 64  # pixels a side: of images up to it
_POOLS = ("maxpool", "features.pool0")  # behind the first convolution
_NEAR = 0.8  # share of tensors that agree with an architecture worth naming
# The first convolution of each, by the name of the output layer.
_STEMS = {
    "fc": ("conv1", "conv1.0"),
    "classifier": ("features.conv0",),
    "classifier.1": ("features.0.0", "layers.0"),
    "classifier.2": ("features.0.0",),
    "classifier.3": ("features.0.0",),
    "classifier.6": ("features.0",),
    "head": ("features.0.0",),
    "heads.head": ("conv_proj",),
}


def build(kind: str, channels: int, classes: int) -> nn.Module:
    """The architecture with as many outputs as classes; its first convolution takes the image's channels. Behind an @
    in the kind stand another kernel and stride of that convolution, 3x1: where the stride is 1, nothing is pooled
    behind it."""
    if kind.startswith("timm/"):
        return _timm(kind.removeprefix("timm/"), channels, classes)
    from torchvision.models import get_model  # slow to load: only for such a network

    plain, _, stem = kind.partition("@")
    model = get_model(plain, weights=None, num_classes=classes)
    name, first = _first_convolution(model)
    if stem:
        size, stride = map(int, stem.split("x"))
        more: dict[str, Any] = {
            "kernel_size": size,
            "stride": stride,
            "padding": size // 2,
            "bias": first.bias is not None,
        }
        model.set_submodule(name, nn.Conv2d(channels, first.out_channels, **more))
        pool = next((n for n, _ in model.named_modules() if n in _POOLS), "")
        if pool and stride == 1:
            model.set_submodule(pool, nn.Identity())
    elif channels != first.in_channels:
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


def _timm(name: str, channels: int, classes: int) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"{name} is an architecture of timm, which is not installed: pip install timm.") from error
    model: nn.Module = timm.create_model(name, num_classes=classes, in_chans=channels)
    return model


def exact(
    state: Mapping[str, Tensor], image: tuple[int, int] | None = None
) -> list[tuple[ModelRequest, Mapping[str, Tensor], str]]:
    """The architectures that have exactly these names and shapes, the likeliest first, each with the weights under its
    names and words for its stem. image: height and width, where known: of small ones a stem of stride 1 is as likely,
    and shapes do not tell it."""
    for output in TORCHVISION:
        weights = _with_head(state, output)
        request, _ = _nearest(weights, output)
        if request is not None:
            return [(one, weights, words) for one, words in _stems(request, output, image)]
    return []


def _stems(request: ModelRequest, output: str, image: tuple[int, int] | None) -> list[tuple[ModelRequest, str]]:
    """The same with the stems that its shapes allow."""
    plain, _, stem = request.kind.partition("@")
    _, first = _first_convolution(outline(replace(request, kind=plain)))
    own = first.kernel_size[0]
    if stem:
        size = stem.partition("x")[0]
        return [(replace(request, kind=f"{plain}@{size}x{stride}"), f"stem of stride {stride}") for stride in (1, 2)]
    if image is None or max(image) > SMALL or output == "fc" or first.stride[0] != 2:
        return [(request, "")]
    return [(request, ""), (replace(request, kind=f"{plain}@{own}x1"), "stem of stride 1")]


def _with_head(state: Mapping[str, Tensor], output: str) -> Mapping[str, Tensor]:
    """The weights with their last linear layer under the architecture's name, where it stands alone in its place or
    behind a dropout."""
    if f"{output}.weight" in state:
        return state
    linear = [name.removesuffix(".weight") for name, t in state.items() if name.endswith(".weight") and t.ndim == 2]
    heads = [name for name in linear if name.startswith(f"{output}.") or output.startswith(f"{name}.")]
    if len(heads) != 1:
        return state
    moved = {f"{heads[0]}.{part}": f"{output}.{part}" for part in ("weight", "bias")}
    return {moved.get(name, name): t for name, t in state.items()}


def named(state: Mapping[str, Tensor], hints: Sequence[str] = ()) -> tuple[ModelRequest | None, str]:
    """timm's architecture of these names and shapes, where timm is installed and a hint names it; else None, and which
    of torchvision's comes closest in a sentence."""
    nearest = [words for output in TORCHVISION if (words := _nearest(state, output)[1])]
    return _of_timm(state, hints), nearest[0] if nearest else ""


def _nearest(state: Mapping[str, Tensor], output: str) -> tuple[ModelRequest | None, str]:
    """Among those of this output layer the architecture of exactly these names and shapes, or a sentence on the one
    that comes closest."""
    nearest, best = "", 0.0
    head = state.get(f"{output}.weight")
    stems = (state.get(f"{name}.weight") for name in _STEMS[output])
    if head is None or head.ndim != 2 or not any(stem is not None and stem.ndim == 4 for stem in stems):
        return None, ""
    for kind in TORCHVISION[output]:
        request = _fitted(kind, state, head.shape[0], output)
        share, difference = _agreement(request, state)
        if not difference:
            return request, ""
        if share > best:
            best, nearest = share, f"It comes closest to {kind}: {difference}."
    return None, nearest if best > _NEAR else ""


def _of_timm(state: Mapping[str, Tensor], hints: Sequence[str]) -> ModelRequest | None:
    try:
        import timm  # an extra; slow to load
    except ImportError:
        return None
    names = [name for name in timm.list_models() if any(name in hint for hint in hints)]
    for name in sorted(names, key=len, reverse=True)[:5]:
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=1)
            head = next((n for n, t in reversed(model.state_dict().items()) if t.ndim == 2 and len(t) == 1), "")
        if head in state:
            request = _fitted(f"timm/{name}", state, len(state[head]))
            if not _agreement(request, state)[1]:
                return request
    return None


def outline(request: ModelRequest) -> nn.Module:
    """The architecture without numbers: names and shapes only."""
    channels, classes = request.widths
    with torch.device("meta"):
        return build(request.kind, channels, classes).eval()


def _first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    return next((name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d))


def _fitted(kind: str, state: Mapping[str, Tensor], classes: int, output: str = "") -> ModelRequest:
    """The architecture with the file's own number of channels, and kernel of its first convolution: of ResNets that is
    engine.models.resnets' matter."""
    name, first = _first_convolution(outline(ModelRequest(kind, (3, classes))))
    entry = state.get(f"{name}.weight")
    if entry is None or entry.ndim != 4 or not entry.shape[1]:
        return ModelRequest(kind, (first.in_channels, classes))
    size = entry.shape[2]
    if (
        output not in ("", "fc")
        and first.stride[0] == 2
        and size == entry.shape[3] != first.kernel_size[0]
        and size % 2
    ):
        kind = f"{kind}@{size}x1"
    return ModelRequest(kind, (entry.shape[1], classes))


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
