"""Layers with weights as a state dict lists them: the tensors of each by its name, and what its shapes tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from engine.errors import require


@dataclass(frozen=True)
class Part:
    """kind: linear, conv (with a square kernel), batch or layer (normalisations); width: outputs; inputs: numbers each
    takes, of a convolution its channels; normed: whether a normalisation stands right behind it."""

    name: str
    kind: str
    width: int
    inputs: int
    bias: bool = False
    kernel: int = 0
    normed: bool = False


def parts_of(tensors: Mapping[str, Tensor]) -> list[Part]:
    """The layers in the order of the file. ValueError names tensors that fit none."""
    stems = list(dict.fromkeys(name.rpartition(".")[0] for name in tensors))
    foreign: list[str] = []
    parts = []
    for stem in stems:
        own = {name.removeprefix(f"{stem}."): t for name, t in tensors.items() if name.rpartition(".")[0] == stem}
        part = _part(stem, own)
        if part is None:
            foreign += [name for name in tensors if name.rpartition(".")[0] == stem]
        else:
            parts.append(part)
    require(not foreign, f"{', '.join(foreign[:5])} fits no layer known here.")
    numbers = {part.name for part in parts if part.kind in ("batch", "layer")}
    return [
        Part(p.name, p.kind, p.width, p.inputs, p.bias, p.kernel, _next(p.name) in numbers) for p in parts
    ]  # fmt: skip


def _part(name: str, own: Mapping[str, Tensor]) -> Part | None:
    weight, bias = own.get("weight"), own.get("bias")
    if weight is None or not weight.is_floating_point() or not name:
        return None
    norm = {"running_mean", "running_var", "num_batches_tracked"}
    if set(own) - {"weight", "bias"} - (norm if weight.ndim == 1 else set()):
        return None
    if bias is not None and bias.shape != weight.shape[:1]:
        return None
    width = weight.shape[0]
    if weight.ndim == 1:
        # Normalisations here have a bias.
        return None if bias is None else Part(name, "batch" if "running_mean" in own else "layer", width, width)
    if weight.ndim == 2:
        return Part(name, "linear", width, weight.shape[1], bias is not None)
    if weight.ndim == 4 and weight.shape[2] == weight.shape[3]:
        return Part(name, "conv", width, weight.shape[1], bias is not None, weight.shape[2])
    return None


def _next(name: str) -> str:
    """The name of what follows in a sequence."""
    number = re.search(r"\d+$", name)
    return f"{name[: number.start()]}{int(number[0]) + 1}" if number else ""


def described(tensors: Mapping[str, Tensor]) -> str:
    """The first tensors with their shapes, in words."""
    return ", ".join(f"{name} {'×'.join(map(str, t.shape)) or 'scalar'}" for name, t in [*tensors.items()][:12])
