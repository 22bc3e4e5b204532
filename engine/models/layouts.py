"""Networks that are told by a text: what a recognised file's network is, word by word, under the file's own names.

    layout = Layout("3x stem=conv:16:3:1:1 bn=batch act ( a=conv:16:3:1:1 act ) mean fc=linear:10:b", "relu")

The first word is what a sample is: 784 (numbers), 1x28x28 (an image of this size), 3x (of any size). Then, in order:

    name=conv:width:kernel:stride:padding[:b]    name=linear:width[:b]    name=batch    name=layer    (normalisations)
    act    max:kernel:stride:padding    avg:kernel:stride:padding    mean (over places)    flatten    softmax
    ( main | shortcut )    their sum; without a shortcut what was fed itself
    zeros:width:stride:end|both    (of a shortcut) every so many pixels, with channels of zeros behind or on both sides
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from engine.models.modules import ACTIVATIONS

_Step = tuple[str, nn.Module | None, list["_Step"], list["_Step"]]  # of a sum: its main path and its shortcut


class Layout(nn.Module):
    """The network of a text; activation: of every `act`."""

    def __init__(self, text: str, activation: str = "relu") -> None:
        super().__init__()
        first, *words = text.split()
        self.vector = "x" not in first
        self._activation, self._count = activation, 0
        self._steps, _ = self._read(iter(words), sample(first))

    def forward(self, x: Tensor) -> Tensor:
        return _run(self._steps, x.flatten(1) if self.vector else x)

    def _read(self, words: Iterator[str], shape: list[int]) -> tuple[list[_Step], list[int]]:
        """The steps up to the next ) or |, and what they give for samples of this shape: [numbers] or
        [channels, h, w], where 0 stands for any."""
        steps: list[_Step] = []
        for word in words:
            if word in (")", "|"):
                return [*steps, (word, None, [], [])] if word == "|" else steps, shape
            if word == "(":
                main, after = self._read(words, shape)
                shortcut: list[_Step] = []
                if main and main[-1][0] == "|":
                    main.pop()
                    shortcut, _ = self._read(words, shape)
                steps.append(("(", None, main, shortcut))
                shape = after
                continue
            name, _, what = word.rpartition("=")
            self._count += 1
            module, shape = self._made(what.split(":"), shape)
            _put(self, name or f"step{self._count}", module)
            steps.append((what, module, [], []))
        return steps, shape

    def _made(self, words: list[str], shape: list[int]) -> tuple[nn.Module, list[int]]:
        """The module of a word, and the shape that it gives."""
        what, bias = words[0], words[-1] == "b"
        numbers = [int(n) for n in words[1:] if n.isdecimal()]
        if what == "conv":
            width, kernel, stride, padding = numbers
            conv = nn.Conv2d(shape[0], width, kernel, stride=stride, padding=padding, bias=bias)
            return conv, [width, *(_side(n, kernel, stride, padding) for n in shape[1:])]
        if what == "linear":
            return nn.Linear(shape[0], numbers[0], bias=bias), numbers
        if what == "batch":
            return (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0]), shape
        if what == "layer":
            return nn.LayerNorm(shape[0]), shape
        if what in ("max", "avg"):
            kernel, stride, padding = numbers
            pool = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}[what](kernel, stride, padding)
            return pool, [shape[0], *(_side(n, kernel, stride, padding) for n in shape[1:])]
        if what == "zeros":
            return Zeros(numbers[1], numbers[0] - shape[0], words[-1] == "both"), [numbers[0], *shape[1:]]
        if what == "mean":
            return Mean(), shape[:1]
        if what == "flatten":
            return nn.Flatten(), [torch.Size(shape).numel()]
        return (nn.Softmax(dim=1) if what == "softmax" else ACTIVATIONS[self._activation]()), shape


class Mean(nn.Module):
    """Over all places of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Zeros(nn.Module):
    """Every stride-th pixel, with `more` channels of zeros behind its own, or half of them on either side (He et al.
    2016, option A)."""

    def __init__(self, stride: int, more: int, both: bool) -> None:
        super().__init__()
        self.stride, self.before = stride, more // 2 if both else 0
        self.after = more - self.before

    def forward(self, x: Tensor) -> Tensor:
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def sample(word: str) -> list[int]:
    """The shape of a sample by the first word of a text."""
    sizes = [int(n) for n in word.split("x") if n]
    return [*sizes, 0, 0] if word.endswith("x") else sizes


def _side(n: int, kernel: int, stride: int, padding: int) -> int:
    return (n + 2 * padding - kernel) // stride + 1


def _run(steps: list[_Step], x: Tensor) -> Tensor:
    for _, module, main, shortcut in steps:
        x = module(x) if module is not None else _run(main, x) + _run(shortcut, x)
    return x


def _put(root: nn.Module, name: str, module: nn.Module) -> None:
    """Make the module root.name, with empty modules on the way there."""
    *holders, last = name.split(".")
    for holder in holders:
        if not hasattr(root, holder):
            root.add_module(holder, nn.Module())
        root = root.get_submodule(holder)
    root.add_module(last, module)
