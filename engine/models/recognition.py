"""Networks read off the names and shapes of their weights: every reading that these allow, the likeliest first.

Shapes do not tell where an image is pooled, what is added to what, or in which order layers of equal width are used:
what fits is listed here, and engine.runs.trials measures which of it is right.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest

import torch
from torch import Tensor

from engine.config.kinds import KINDS
from engine.config.requests import ModelRequest
from engine.errors import require
from engine.models import architectures, resnets, rows, torchvision_nets
from engine.models.architectures import CNN_CHANNELS, CNN_HIDDEN, LENET_CHANNELS, LENET_HIDDEN
from engine.models.files import natural
from engine.models.modules import MODULES
from engine.models.orders import normalisations, orders
from engine.models.parts import Part, described, parts_of

MOST = 64  # readings that are measured
SOFTMAX = "a softmax at the end"
_POSSIBLE = (
    "Possible are networks of linear layers and convolutions, one after the other or with skip connections, also with "
    "BatchNorm or LayerNorm, ResNets, and torchvision's architectures"
)


@dataclass(frozen=True)
class Reading:
    """model: the description; state: the weights under the names of its network; words: what sets it apart from other
    readings of the same file, the part on the order of its layers in `order`; line: the network as a text of
    engine.models.layouts under the file's own names, where it is told so."""

    model: ModelRequest
    state: Mapping[str, Tensor] = field(repr=False, compare=False)
    words: str = ""
    order: str = ""
    line: str = ""


def readings(
    tensors: Mapping[str, Tensor],
    activation: str = "relu",
    image: tuple[int, int] | None = None,
    hints: Sequence[str] = (),
) -> list[Reading]:
    """Every network with these weights, the likeliest first; image: height and width of the samples, where known;
    hints: words that may name the architecture. Behind them stand the same with a softmax at the end.
    ValueError says what was found and what is possible."""
    plain = _plain_readings(tensors, activation, image, hints)
    return [*plain, *(more for reading in plain if (more := softmaxed(reading, tensors)) is not None)]


def _plain_readings(
    tensors: Mapping[str, Tensor], activation: str, image: tuple[int, int] | None, hints: Sequence[str]
) -> list[Reading]:
    for name, t in tensors.items():
        require(bool(t.isfinite().all()), f"{name} holds NaN or infinite values: its training has diverged.")
    if foreign := torchvision_nets.exact(tensors, image):
        return [Reading(*one) for one in foreign]
    if own := _own(tensors, activation):
        return [own]
    try:
        parts = parts_of(tensors)
        layouts = [_laid(text, tensors, activation) for text in resnets.texts(parts)]
        candidates = layouts or list(islice(_in_a_row(parts, tensors, activation, image), MOST))
        require(bool(candidates), "The shapes do not chain from layer to layer.")
        architectures.check(candidates[0].model)
        return candidates
    except ValueError as error:
        model, nearest = torchvision_nets.named(tensors, hints)
        if model is not None:
            return [Reading(model, tensors)]
        raise ValueError(f"{error} {_POSSIBLE}; found: {described(tensors)}. {nearest}".strip()) from error


def _own(tensors: Mapping[str, Tensor], activation: str) -> Reading | None:
    """A network that was trained here, whose names and shapes tell all of it."""

    def widths(pattern: str) -> list[int]:
        return [len(tensors[name]) for name in sorted(tensors, key=natural) if re.fullmatch(pattern, name)]

    heads, blocks = widths(r"fc\d*\.weight"), widths(r"block\d+\.(conv1|q)\.weight")
    stem = next((tensors[n] for n in ("conv1.weight", "patch.weight", "fc1.weight") if n in tensors), None)
    if stem is None or stem.ndim < 2 or not heads:
        return None
    shapes = {name: t.shape for name, t in tensors.items()}
    for kind, bias in {"resmlp": "fc1.bias", "resnet": "conv1.bias", "vit": "block1.q.bias"}.items():
        hidden = heads[:-1] if kind == "resmlp" else blocks
        model = ModelRequest(kind, (stem.shape[1], *hidden, heads[-1]), activation, bias in tensors)
        try:
            architectures.check(model)
        except ValueError:
            continue
        with torch.device("meta"):
            expected = MODULES[kind](model.widths, activation, model.bias).state_dict()
        if {name: t.shape for name, t in expected.items()} == shapes:
            return Reading(model, tensors)
    return None


def _in_a_row(
    parts: Sequence[Part], tensors: Mapping[str, Tensor], activation: str, image: tuple[int, int] | None
) -> Iterator[Reading]:
    """Networks whose layers follow one another."""
    layers = [part for part in parts if part.kind in ("linear", "conv")]
    several = orders(layers)
    order_words = ["order " + ", ".join(layer.name for layer in order) if len(several) > 1 else "" for order in several]

    def of(order: Sequence[Part], order_words: str) -> Iterator[Reading]:
        norms = normalisations(parts, order)
        if norms is None:
            return
        if (own := _paper_s(order, norms)) is not None:
            yield _renamed(own, order, norms, tensors, activation, "", order_words)
            return
        dense = all(layer.kind == "linear" for layer in order)
        for text in rows.dense(order, norms) if dense else rows.images(order, norms, image):
            kind = _kind(text, order, norms)
            if kind is None:
                yield _laid(text, tensors, activation, order_words)
            else:
                renamed = _renamed(kind, order, norms, tensors, activation, text[2], order_words)
                yield replace(renamed, line=f"{text[0]}: {text[1]}")

    # Every order before what may be added to what in the first.
    alternatives = zip_longest(*(of(order, words) for order, words in zip(several, order_words, strict=True)))
    yield from (reading for some in alternatives for reading in some if reading is not None)


_Kind = tuple[str, tuple[int, ...], bool]  # kind, widths and bias


def _paper_s(order: Sequence[Part], norms: Mapping[str, Part]) -> _Kind | None:
    """The paper's CNN, by its widths."""
    widths, kernels = [layer.width for layer in order], [layer.kernel for layer in order]
    right = widths[:-1] == [*CNN_CHANNELS, CNN_HIDDEN] and kernels == [3, 3, 3, 3, 0, 0]
    flat = right and order[4].inputs == CNN_CHANNELS[-1]
    return ("cnn", (order[0].inputs, widths[-1]), order[4].bias) if flat and not norms else None


def _kind(text: tuple[str, str, str], order: Sequence[Part], norms: Mapping[str, Part]) -> _Kind | None:
    """The kind of network that is trained here which a text tells of, if it is one."""
    title, line, words = text
    widths, bias = (order[0].inputs, *(layer.width for layer in order)), any(layer.bias for layer in order)
    if title == "fully connected":
        return "mlp", widths, bias
    if title == "residual fully connected" and words.endswith("h + act(W h)") and len(set(widths[1:-1])) == 1:
        return "resmlp", widths, bias
    early = not any(rows.late(layer, norms[layer.name]) for layer in order if layer.name in norms)
    if title.endswith("BatchNorm") and words == "plain" and early and [*norms] == [layer.name for layer in order[:-1]]:
        return "mlp-bn", widths, bias
    shapes = [(layer.width, layer.kernel) for layer in order[:-1]]
    lenet = [*((width, 5) for width in LENET_CHANNELS), *((width, 0) for width in LENET_HIDDEN)]
    framed = re.fullmatch(r"\S+x28x28 \S+:5:1:2(:b)? act avg:2:2:0 \S+:5:1:0(:b)? act avg:2:2:0 flatten .*", line)
    if shapes == lenet and framed and not norms:
        return "lenet5", (order[0].inputs, order[-1].width), any(layer.bias for layer in order[2:-1])
    return None


def _laid(text: tuple[str, str, str], tensors: Mapping[str, Tensor], activation: str, order: str = "") -> Reading:
    """A reading as a text of engine.models.layouts."""
    title, line, words = text
    inputs, classes = line.partition("x")[0].split()[0], re.findall(r"=linear:(\d+)", line)[-1]
    kind = f"{title}: {line}"
    return Reading(ModelRequest(kind, (int(inputs), int(classes)), activation), tensors, words, order, kind)


def softmaxed(reading: Reading, tensors: Mapping[str, Tensor]) -> Reading | None:
    """The same network with a softmax at its end, where it is told by a text."""
    ends = (reading.model.widths[0], reading.model.widths[-1])
    model = replace(reading.model, kind=f"{reading.line} softmax", widths=ends, bias=False)
    return Reading(model, tensors, SOFTMAX, reading.order, model.kind) if reading.line else None


def _renamed(
    kind: _Kind,
    order: Sequence[Part],
    norms: Mapping[str, Part],
    tensors: Mapping[str, Tensor],
    activation: str,
    words: str,
    order_words: str,
) -> Reading:
    """A reading as one of the kinds that are trained here, under their names; where only some layers have a bias the
    others get a zero one: the same function."""
    model = ModelRequest(kind[0], kind[1], activation, kind[2])
    state = MODULES[model.kind](model.widths, activation, model.bias).state_dict()
    names = [name.removesuffix(".weight") for name, t in state.items() if name.endswith("weight") and t.ndim > 1]
    theirs = {name: layer.name for name, layer in zip(names, order, strict=True)}
    theirs |= {name.replace("fc", "bn"): norms[layer].name for name, layer in theirs.items() if layer in norms}
    for name, t in state.items():
        stem, _, leaf = name.rpartition(".")
        zero = torch.zeros_like(t) if leaf == "bias" else t
        state[name] = tensors.get(f"{theirs.get(stem, stem)}.{leaf}", zero)
    return Reading(model, state, words or KINDS[model.kind].label, order_words)
