"""What a recorded run's script has and the cache has not: the network, its samples, its loss.

    --model mynet.py:build --data mydata.py:load

names functions of a user's own files. They are executed by the command that names them, and nowhere else.
"""

import importlib.util
import sys
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler, Subset

from cache.foreign import typed
from cache.store import Store
from engine.curvature import criteria
from engine.curvature.accumulate import over
from engine.curvature.attention import SEPARATE, opened, plain_kernels
from engine.curvature.autodiff import copied
from engine.curvature.inputs import Inputs, Output, picked, read
from engine.curvature.inputs import Samples as Read
from engine.curvature.layers import check_layer, names
from engine.data import datasets
from engine.device import resolve
from engine.errors import require
from engine.losses import LossLike
from engine.models.architectures import CONVOLUTION, LINEAR, Layer
from engine.runs.library import elsewhere
from engine.runs.run import Run

# Samples that are read twice, to see whether they are the same.
COMPARED = 256
_WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


@dataclass(frozen=True, eq=False)
class Samples:
    """Training samples. fingerprint: as engine.data.datasets has it; class_names: where they are known."""

    inputs: Any
    targets: Tensor
    fingerprint: str
    name: str = "own samples"
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: Inputs, targets: Tensor, name: str = "own samples") -> "Samples":
        """A single input as the tensor it is."""
        parts = [x.detach() for x in (*inputs.parts, targets)]
        plain = (x.cpu().float() if x.dtype == torch.bfloat16 else x.cpu() for x in parts)
        single = len(inputs.parts) == len(inputs.args) == 1
        return cls(inputs.args[0] if single else inputs, targets, datasets.fingerprint(*plain), name)


@dataclass(frozen=True, eq=False)
class Brought:
    """What was brought; output: see engine.analyze."""

    model: nn.Module | None = None
    samples: Samples | None = None
    loss: LossLike | None = None
    output: Output = None

    @classmethod
    def of(cls, model: str | None, data: str | None, loss: str | None) -> "Brought":
        """What the words "file.py:name" of a command name."""
        return cls(
            None if model is None else unwrapped(made(model, nn.Module)),
            None if data is None else samples(made(data, Dataset, DataLoader)),
            None if loss is None else named(loss),
        )

    def network(self, run: Run, weights: Mapping[str, Tensor]) -> nn.Module:
        """A copy of the network with the weights of a checkpoint. ValueError where it is elsewhere, or another one."""
        if self.model is None:
            raise ValueError(elsewhere(run))
        model = copied(self.model)
        put(weights, model)
        return model


def put(weights: Mapping[str, Tensor], model: nn.Module) -> None:
    """Load weights into a network of one's own. ValueError where they are of another."""
    try:
        missing, foreign = model.load_state_dict(dict(weights), strict=False)
    except RuntimeError as error:
        raise ValueError(f"The network does not take these weights: {_second_line(error)}") from error
    missing = [name for name in missing if not name.endswith(("_extra_state", "num_batches_tracked"))]
    require(
        not missing and not foreign,
        f"The network does not take these weights: it {'lacks' if foreign else 'also has'} "
        f"{', '.join((foreign or missing)[:5])}. Bring the network that they were trained in.",
    )


def _second_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[1 if "\n" in str(error) else 0].strip()


def unwrapped(model: Any) -> nn.Module:
    """The network itself, where torch.compile or data parallelism have wrapped it."""
    while type(model).__name__ in _WRAPPERS:
        model = getattr(model, _WRAPPERS[type(model).__name__])
    if not isinstance(model, nn.Module):
        raise TypeError(f"The network is a torch.nn.Module; a {type(model).__name__} was given.")
    return model


# -- files named on the command line -------------------------------------------------------------------------


def located(word: str) -> str:
    """The same word from any folder."""
    file, _, name = word.rpartition(":")
    return f"{typed(file).resolve()}:{name}"


def named(word: str) -> Any:
    """What "file.py:name" names; the file is executed, once, its folder first among those it imports from.

    ValueError where there is none, or where it fails, with its own words."""
    file, _, name = word.rpartition(":")
    path = typed(file)
    require(
        bool(file) and path.suffix == ".py" and path.is_file(),
        f"{word!r} names no function: give file.py:name, a Python file that is there and what it defines.",
    )
    module = f"gammascope_brought_{path.stem}"
    if module not in sys.modules or getattr(sys.modules[module], "__file__", "") != str(path.resolve()):
        spec = importlib.util.spec_from_file_location(module, path.resolve())
        assert spec is not None, "it is a .py file"
        sys.path.insert(0, str(path.resolve().parent))
        sys.modules[module] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[module])  # type: ignore[union-attr]
        except (Exception, SystemExit) as error:
            del sys.modules[module]
            raise ValueError(f"{path.name} fails: {type(error).__name__}: {error}") from error
    there = vars(sys.modules[module])
    require(
        name in there,
        f"{path.name} defines no {name!r}; it has {', '.join(n for n in there if not n.startswith('_')) or 'nothing'}.",
    )
    return there[name]


def made(word: str, *kinds: type) -> Any:
    """What "file.py:name" names if it is of one of these kinds, else what calling it gives."""
    value = named(word)
    if isinstance(value, kinds) or not callable(value):
        return value
    try:
        return value()
    except Exception as error:
        raise ValueError(f"{word} fails: {type(error).__name__}: {error}") from error


# -- samples -------------------------------------------------------------------------------------------------


def samples(data: Any) -> Samples:
    """From (inputs, targets), a Dataset or a DataLoader. ValueError where they are not the same when read again."""
    if isinstance(data, tuple | list) and len(data) == 2:
        given = _reported(read(data[0], data[1]))
        return Samples.of(given.inputs, given.targets)
    if not isinstance(data, Dataset | DataLoader):
        raise TypeError(
            f"data is (inputs, targets), a Dataset, a DataLoader, or the name or path of a data set, not a "
            f"{type(data).__name__}."
        )
    loader = data if isinstance(data, DataLoader) else DataLoader(data, batch_size=COMPARED)
    stream = isinstance(loader.dataset, IterableDataset)
    require(
        stream or isinstance(loader.sampler, SequentialSampler),
        "The DataLoader gives its samples in another order each time. Give the recorder one with shuffle=False, or the "
        "Dataset itself; train with yours.",
    )
    first = _reported(read(loader))
    count = len(first.targets) if stream else min(COMPARED, len(first.targets))
    few = loader if stream else DataLoader(Subset(loader.dataset, range(count)), COMPARED, collate_fn=loader.collate_fn)
    again = read(few)
    require(
        Samples.of(first.inputs[:count], first.targets[:count]).fingerprint
        == Samples.of(again.inputs, again.targets).fingerprint,
        "The samples are others when they are read a second time, as augmentation makes them: H and C are means over "
        "fixed samples. Give the recorder the same data without its random transforms, or tensors; train with yours.",
    )
    return Samples.of(first.inputs, first.targets, type(loader.dataset).__name__)


def _reported(given: Read) -> Read:
    """The same, with a warning of what was made of them: the script may feed its network something else."""
    for note in given.notes:
        warnings.warn(f"{note} Give the recorder the samples as the network is fed them.", stacklevel=5)
    return given


def keep_samples(store: Store, run: str, these: Samples) -> None:
    """Keep a copy beside the run."""
    inputs = Inputs.of(these.inputs)
    parts = {f"args/{i}": x for i, x in enumerate(inputs.args)} | {f"named/{n}": x for n, x in inputs.named.items()}
    arrays = {name: x.detach().cpu().numpy() for name, x in (parts | {"targets": these.targets}).items()}
    store.write(("runs", run, "data"), {"fingerprint": these.fingerprint}, {"main": arrays})


def kept_samples(store: Store, run: Run) -> Samples | None:
    """The copy beside the run; None where there is none."""
    entry = store.read("runs", run.key, "data")
    arrays: dict[str, np.ndarray] | None = None if entry is None else entry.arrays()
    if arrays is None:
        return None
    tensors = {name: torch.from_numpy(a.copy()) for name, a in arrays.items()}
    args = tuple(tensors[f"args/{i}"] for i in range(sum(name.startswith("args/") for name in tensors)))
    more = {name.removeprefix("named/"): x for name, x in tensors.items() if name.startswith("named/")}
    return Samples.of(Inputs(args, more), tensors["targets"])


# -- a network of one's own ----------------------------------------------------------------------------------


def parts(model: nn.Module, inputs: Any, output: Output = None) -> tuple[tuple[Layer, ...], tuple[int, ...]]:
    """The layers that can be studied, in the order of their use, from a pass of two samples; and the shape of a
    sample's outputs. model: in eval mode."""
    studied = [name for name in names(model) if not _refusal(model, name)]
    # An attention is opened into in_proj, or into its three parts, which then follow it.
    inside = {name: f"{name.rpartition('.')[0]}.in_proj".lstrip(".") for name in studied if _last(name) in SEPARATE}
    inside = {name: whole for name, whole in inside.items() if whole in studied}
    uses, shape = _used(model, [name for name in studied if name not in inside], inputs, output)
    if inside:
        more, _ = _used(model, list(inside), inputs, output)
        of = {whole: [more[name] for name in inside if inside[name] == whole] for whole in inside.values()}
        return tuple(layer for one in uses.values() for layer in (one, *of.get(one.name, ()))), shape
    return tuple(uses.values()), shape


def measured(
    model: nn.Module, inputs: Any, targets: Tensor, loss: LossLike, device: str, output: Output = None
) -> tuple[float, float]:
    """Mean loss, and share of right answers, NaN where that has no meaning."""
    where = resolve(device)
    model, fed = copied(model).to(where).float().eval(), Inputs.of(inputs).floating(torch.float32)
    with torch.no_grad():
        given = [
            picked(fed[rows].each(lambda x: x.to(where)).through(model), output).cpu()
            for rows in over(len(targets), COMPARED)
        ]
    f = torch.cat(given)
    fitted = criteria.fit(loss, tuple(f.shape[1:]), targets, fed)
    each = [of(f.flatten(1).double(), fitted.targets).double() for of in (fitted.loss.value, fitted.loss.correct)]
    return float(each[0].mean()), float(each[1].mean())


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def left_out(model: nn.Module, studied: Collection[str]) -> dict[str, str]:
    """Layers of a kind that can be studied which are not among these, and why. model: in eval mode."""
    unused = "The model does not use layer {!r} on these samples."
    return {name: _refusal(model, name) or unused.format(name) for name in names(model) if name not in studied}


def _refusal(model: nn.Module, layer: str) -> str:
    """Why a layer cannot be studied; empty where it can."""
    try:
        check_layer(model, layer)
    except ValueError as error:
        return str(error)
    return ""


def _used(
    model: nn.Module, studied: list[str], inputs: Any, output: Output
) -> tuple[dict[str, Layer], tuple[int, ...]]:
    """Those of these layers that a pass uses."""
    where = next((p.device for p in model.parameters()), torch.device("cpu"))
    fed = Inputs.of(inputs)[:2].floating(torch.float32).each(lambda x: x.to(where))
    model = opened(copied(model).float().requires_grad_(False), tuple(studied))
    uses: dict[str, Layer] = {}

    def watch(name: str, layer: Any) -> None:
        linear = isinstance(layer, nn.Linear)
        width, kind = (layer.out_features, LINEAR) if linear else (layer.out_channels, CONVOLUTION)

        def hook(_: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
            places = out.numel() // (len(fed) * width) + (uses[name].places if name in uses else 0)
            uses[name] = Layer(name, layer.weight[0].numel(), width, places, layer.bias is not None, kind=kind)

        layer.register_forward_hook(hook)

    for name in studied:
        watch(name, model.get_submodule(name))
    try:
        with torch.no_grad(), plain_kernels():
            outputs = picked(fed.through(model), output)
    except (RuntimeError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"The model cannot be run on these inputs: {str(error).splitlines()[0]}") from error
    return uses, tuple(outputs.shape[1:])
