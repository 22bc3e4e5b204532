"""Samples as they are given: tensors, arrays, a Dataset or a DataLoader; and the outputs among what a model gives."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler

from engine.errors import require

# What picks the outputs from what a model gives: a key, a name, a place, or a function; None where they are plain.
Output = Callable[[Any], Tensor] | str | int | None
# Inputs as a tuple and a dict.
Tree = tuple[tuple[Tensor, ...], dict[str, Tensor]]
# Where a batch that is a dict holds its targets.
TARGETS = ("labels", "label", "targets", "target")


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a model is fed, args by place and named by keyword, each with the samples as first axis."""

    args: tuple[Tensor, ...] = ()
    named: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> "Inputs":
        """Of a tensor or array, a sequence of them, or a dict."""
        if isinstance(given, Inputs):
            return given
        if isinstance(given, Mapping):
            return cls(named={str(name): tensor(x, "inputs") for name, x in given.items()})
        if isinstance(given, tuple):
            return cls(args=tuple(tensor(x, "inputs") for x in given))
        return cls(args=(tensor(given, "inputs"),))

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return (*self.args, *self.named.values())

    @property
    def tree(self) -> Tree:
        """For torch.func, which knows no classes; Inputs(*tree) are they again."""
        return self.args, dict(self.named)

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, rows: Any) -> "Inputs":
        return self.each(lambda x: x[rows])

    def each(self, change: Callable[[Tensor], Tensor]) -> "Inputs":
        """Every part changed alike."""
        return Inputs(tuple(change(x) for x in self.args), {name: change(x) for name, x in self.named.items()})

    def floating(self, dtype: torch.dtype) -> "Inputs":
        """In that precision, whole numbers as they are."""
        return self.each(lambda x: x.to(dtype, copy=x.is_inference()) if x.is_floating_point() else x)

    def through(self, model: nn.Module, parameters: dict[str, Tensor] | None = None) -> Any:
        """What the model gives for them, some of its parameters replaced. One that takes a dict is given it whole."""
        args: tuple[Any, ...] = self.args
        named = dict(self.named)
        if named and not args and not _takes(model, named):
            args, named = (named,), {}
        return functional_call(model, parameters, args, named) if parameters else model(*args, **named)


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in rows. notes: what was made of them on the way, in sentences."""

    inputs: Inputs
    targets: Tensor
    notes: tuple[str, ...] = ()


def _takes(model: nn.Module, named: Mapping[str, Tensor]) -> bool:
    """Whether a model has arguments of these names."""
    try:
        inspect.signature(model.forward).bind(**named)
    except TypeError:
        return False
    return True


def read(inputs: Any, targets: Any = None) -> Samples:
    """Samples from whatever holds them. TypeError or ValueError unless they are as many inputs as targets, at least
    one, and finite."""
    notes: tuple[str, ...] = ()
    if isinstance(inputs, Dataset | DataLoader):
        inputs, targets, notes = _gathered(inputs, targets)
    elif targets is None:
        raise TypeError("There are no targets. Pass them, or a Dataset or DataLoader of inputs and targets.")
    elif not isinstance(inputs, Tensor | np.ndarray | tuple | Mapping | Inputs):
        raise TypeError(
            f"inputs and targets must be torch tensors, not {type(inputs).__name__} and {type(targets).__name__} "
            "(or arrays, a tuple or dict of them, a Dataset, a DataLoader). Convert them with torch.as_tensor."
        )
    fed, y = Inputs.of(inputs), tensor(targets, "targets")
    require(bool(fed.parts), "There are no inputs. Pass at least one tensor.")
    for x in fed.parts:
        require(
            x.ndim >= 1 and y.ndim >= 1 and x.shape[0] == y.shape[0],
            f"There are {x.shape[0] if x.ndim else 0} inputs but {y.shape[0] if y.ndim else 0} targets; "
            "pass one label per sample, and inputs with the samples as first axis.",
        )
    require(y.shape[0] > 0, "There are no samples. Pass at least one.")
    for x in (*fed.parts, y):
        require(
            not x.is_floating_point() or bool(torch.isfinite(x).all()),
            f"The {'targets' if x is y else 'inputs'} contain NaN or infinity. Clean the data first.",
        )
    if any(x.dtype == torch.uint8 for x in fed.parts):
        notes += ("Inputs of type uint8 are taken as the numbers 0 … 255, not scaled.",)
        fed = fed.each(lambda x: x.float() if x.dtype == torch.uint8 else x)
    fed = fed.each(lambda x: x.long() if x.dtype in (torch.int8, torch.int16) else x)
    return Samples(fed, y if y.is_floating_point() else y.long(), notes)


def picked(given: Any, output: Output) -> Tensor:
    """The outputs, from what a model gives for a batch; one number a sample as a row of one."""
    if callable(output):
        given = output(given)
    elif isinstance(output, str) and not isinstance(given, Mapping):
        given = getattr(given, output, None)
    elif output is not None:
        try:
            given = given[output]
        except (KeyError, IndexError, TypeError):
            given = None
    elif isinstance(given, Mapping):
        given = given["logits"] if "logits" in given else tuple(given.values())
    else:
        given = getattr(given, "logits", given)
    if isinstance(given, Sequence) and len(given) == 1:
        (given,) = given
    if not isinstance(given, Tensor) or given.ndim == 0:
        what = "a single number" if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise ValueError(
            f"The model must give one row of logits per sample, (n, classes); it gave {what}. Say by output= which of "
            "its results they are: a key, an index, or a function of what it gives."
        )
    return given[:, None] if given.ndim == 1 else given


def tensor(x: Any, what: str) -> Tensor:
    """A tensor, or an array as one. TypeError for anything else, and for complex numbers."""
    if not isinstance(x, Tensor):
        try:
            x = torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray | np.generic) else None
        except TypeError:
            x = None
    if x is None or x.is_complex():
        raise TypeError(f"{what} must be torch tensors or arrays of real numbers. Convert them with torch.as_tensor.")
    return x


def _gathered(source: Any, targets: Any) -> tuple[Inputs, Any, tuple[str, ...]]:
    """All batches of a Dataset or DataLoader, read once and in its order."""
    loader = source if isinstance(source, DataLoader) else DataLoader(source, batch_size=256)
    notes: tuple[str, ...] = ()
    if not isinstance(loader.dataset, IterableDataset) and not isinstance(loader.sampler, SequentialSampler):
        notes = ("The DataLoader shuffles: samples are numbered in the order in which they were read, once.",)
        warnings.warn(notes[0] + " Use shuffle=False to have the same order again.", stacklevel=4)
    inputs, labels = [], []
    try:
        for batch in loader:
            x, y = (batch, None) if targets is not None else _split(batch)
            inputs.append(Inputs.of(tuple(x) if isinstance(x, list) else x))
            labels.append(y)
    except TypeError as error:
        raise TypeError(
            f"The samples cannot be put together ({str(error).splitlines()[0]}). Let each be tensors, arrays or "
            "numbers: (input, target), or a dict with its target as 'labels'."
        ) from error
    require(bool(inputs), "There are no samples. Pass at least one.")
    if targets is None:
        targets = _joined([tensor(y, "targets") for y in labels])
    names = inputs[0].named
    joined = Inputs(
        tuple(_joined([x.args[i] for x in inputs]) for i in range(len(inputs[0].args))),
        {name: _joined([x.named[name] for x in inputs]) for name in names},
    )
    return joined, targets, notes


def _split(batch: Any) -> tuple[Any, Any]:
    """Inputs and targets of a batch."""
    if isinstance(batch, Mapping):
        name = next((name for name in TARGETS if name in batch), None)
        if name is None:
            raise TypeError(f"a batch has {', '.join(map(str, batch))}, and none of {', '.join(TARGETS)}")
        return {key: x for key, x in batch.items() if key != name}, batch[name]
    if not isinstance(batch, Sequence) or len(batch) < 2:
        raise TypeError("a batch has no targets")
    *x, y = batch
    return (x[0] if len(x) == 1 else tuple(x)), y


def _joined(parts: Sequence[Tensor]) -> Tensor:
    sizes = {x.shape[1:] for x in parts}
    require(
        len(sizes) == 1,
        f"Samples of different shapes cannot be studied together: {', '.join(map(str, map(tuple, sizes)))}. Pad or "
        "crop them alike.",
    )
    return torch.cat(list(parts))
