"""What files of weights hold, once read: the one state dict that is meant, as plain tensors.

tensors = unwrap({"epoch": 3, "state_dict": {"model.fc.weight": …, "criterion.weight": …}}).tensors
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import require
from engine.models.files import check_size
from engine.training.sgd import MOMENTUM

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "_forward_module.", "ema_model.")
SAVE = "Save the weights alone: torch.save(model.state_dict(), file)."
# Of averaged weights, a counter; of a run that is kept here, its momentum.
_DROPPED = re.compile(rf"(.*\.)?n_averaged|{MOMENTUM}.*")
# The first word of names that belong to how a network was trained.
_BESIDE = re.compile(
    r"(\w*_)?(loss|losses|criterion|criteria|metrics?|acc|accuracy|auroc|auc|f1|precision|recall|meter|confmat|mse|mae)"
    r"(_?(fn|func|function|meter))?\d*\."
)
_DAMAGED = "{} was never filled in: it lies on the meta device, without numbers. Save the model after its weights are \
loaded."
_INT8 = "{} is quantised: whole numbers stand for its weights, and these have no gradient. Save the network as it was \
before it was quantised, in float32."
_LORA = "{} is a low-rank difference (LoRA) to a network that is not in the file. Merge the two, as by \
model.merge_and_unload() of PEFT, and save the state_dict() of the result."


@dataclass(frozen=True)
class Contents:
    """tensors: names → float32 tensors on the CPU (whole numbers as they are), without nesting and common prefixes, in
    the file's order; aside: what else lay beside them, by name; parts: where there are several sets of weights, their
    names; hints: words that may name the architecture; under: the name, with dots, that they stand under; prefix: what
    was cut off their names."""

    tensors: dict[str, Tensor]
    aside: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    under: str = ""
    prefix: str = ""


class Stranger:
    """Stands for a Python object of a file, of whatever class: nothing of that class is imported or called."""

    def __new__(cls, *_: Any, **__: Any) -> "Stranger":
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None: ...


def unwrap(content: Any, part: str | None = None, merged: bool = True) -> Contents:
    """The weights in what a file held: a state dict, also under a name. part: which, where there are several;
    merged: whether a weight that stands there as what it is made of is made one.
    ValueError: none, several, or not ordinary real tensors."""
    if isinstance(content, Stranger):
        raise ValueError(_whole(content))
    require(
        isinstance(content, Mapping), f"It holds a {type(content).__name__}, no state dict (names → tensors). {SAVE}"
    )
    sets = dict(_state_dicts(content))
    if not sets:
        whole = next((value for value in content.values() if isinstance(value, Stranger)), None)
        if whole is not None:
            raise ValueError(_whole(whole))
        names = ", ".join(str(name) for name in content) or "nothing"
        raise ValueError(f"The file holds no weights; found: {names[:200]}. {SAVE}")
    if part is None and len(sets) > 1:
        listed = ", ".join(sets)
        raise SeveralError(
            f"It holds several sets of weights: {listed}. Name the one that is meant: --weights {next(iter(sets))}.",
            tuple(sets),
        )
    name = next(iter(sets)) if part is None else part
    require(name in sets, f"It holds no weights under {name!r}; there are {', '.join(sets)}.")
    state = sets[name]
    outside = [] if name == "" else [str(n) for n, value in content.items() if isinstance(value, Stranger)]
    strange = [str(n) for n, value in state.items() if not isinstance(value, Tensor)]
    packed = [n for n in strange if n.endswith("_packed_params")]
    require(not packed, _INT8.format(*packed[:1] or ("",)))
    tensors = {str(n): t for n, t in state.items() if isinstance(t, Tensor) and not _DROPPED.fullmatch(str(n))}
    # A layer may be called f1 or acc: one with a matrix of weights is no metric.
    shorts = {n: _short(n, tensors) for n in tensors}
    layers = {s.removesuffix(".weight") for n, s in shorts.items() if s.endswith(".weight") and tensors[n].ndim > 1}
    beside = [n for n, s in shorts.items() if _BESIDE.match(s) and s.partition(".")[0] not in layers]
    tensors = {n: t for n, t in tensors.items() if n not in beside}
    require(bool(tensors), f"The file holds no weights. {SAVE}")
    prefix = ""
    while shared := next((p for p in PREFIXES if all(n.startswith(p) for n in tensors)), None):
        tensors, prefix = {n.removeprefix(shared): t for n, t in tensors.items()}, prefix + shared
    hints = tuple(value for value in content.values() if isinstance(value, str) and re.fullmatch(r"[\w.-]+", value))
    aside = (*strange, *beside, *outside)
    parts = tuple(sets) if len(sets) > 1 else ()
    plain = _plain(tensors)
    return Contents(_merged(plain) if merged else plain, aside, parts, hints, name, prefix)


class SeveralError(ValueError):
    """A file with several sets of weights, `parts`, of which one is to be named."""

    def __init__(self, sentence: str, parts: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.parts = parts


def _whole(value: Stranger) -> str:
    """Why a pickled object is refused, and the lines that bring its weights."""
    return (
        f"It holds a pickled Python object ({type(value).__qualname__}), and reading it would run code of the file. "
        "Where its class is known and the file is trusted: torch.save(torch.load(file, weights_only=False)"
        ".state_dict(), other_file)."
    )


def _state_dicts(content: Mapping[Any, Any], name: str = "") -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Mappings of weights in it with the names they stand under, "" for itself. Numbers as keys are an optimiser's."""
    if not content or not all(isinstance(key, str) for key in content):
        return
    if any(_weight(key, value) for key, value in content.items()):
        yield name, content
        return
    for key, value in content.items():
        if isinstance(value, Mapping) and not key.startswith(("optim", "lr_sched", "scaler")):
            yield from _state_dicts(value, f"{name}.{key}" if name else key)


def _weight(name: str, value: Any) -> bool:
    return (isinstance(value, Tensor) and (value.ndim > 1 or name.endswith("weight"))) or name.endswith(
        "_packed_params"
    )


def _short(name: str, names: Iterable[str]) -> str:
    """A name without the first words that all share."""
    common = name
    for other in names:
        while not other.startswith(common):
            common = common[:-1]
    return name[common.rfind(".") + 1 :]


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As float32 where they are real numbers. ValueError where they are none, or too many."""
    meta = next((n for n, t in tensors.items() if t.is_meta), None)
    require(meta is None, _DAMAGED.format(meta))
    whole = next((n for n, t in tensors.items() if t.is_quantized or (t.ndim > 1 and _is_packed(t))), None)
    require(whole is None, _INT8.format(whole))
    odd = [n for n, t in tensors.items() if t.layout != torch.strided or t.is_complex()]
    require(not odd, f"{', '.join(odd[:5])} is sparse, complex or quantised. Save ordinary real tensors.")
    low = next((n for n in tensors if re.search(r"(^|[._])(lora|loha|lokr|hada)_", n)), None)
    require(low is None, _LORA.format(low))
    # By their shapes: a view of one number may claim any size.
    check_size("what it holds", sum(4 * t.numel() for t in tensors.values()))
    return {n: (t.detach().float() if t.is_floating_point() else t.detach()).contiguous() for n, t in tensors.items()}


def _is_packed(t: Tensor) -> bool:
    """Whether it may hold weights as whole numbers; int64 are places, such as position_ids."""
    return t.dtype in (torch.int8, torch.uint8, torch.int16, torch.int32)


# -- weights that stand there as what they are made of ----------------------------------------------------

# By the endings of two names: weight normalisation, the old and the new, and pruning.
_MADE_OF = {
    ("_g", "_v"): lambda g, v: _scaled(g, v),
    ("original0", "original1"): lambda g, v: _scaled(g, v),
    ("_orig", "_mask"): lambda weight, mask: weight * mask,
}


def _scaled(length: Tensor, direction: Tensor) -> Tensor:
    """g v / |v|, the length taken over the axes along which there is one g."""
    require(
        length.ndim == direction.ndim, "Its weight normalisation is of an unknown kind: fold it in, and save again."
    )
    axes = [axis for axis in range(direction.ndim) if length.shape[axis] == 1]
    return length * direction / torch.linalg.vector_norm(direction, dim=axes, keepdim=True)


def _merged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same with each weight in one. ValueError where a weight is made of what is not known here."""
    plain: dict[str, Tensor] = {}
    for name, t in tensors.items():
        for (first, second), product in _MADE_OF.items():
            stem = name.removesuffix(first)
            if stem != name and stem + second in tensors:
                whole = stem.replace("parametrizations.", "").rstrip(".")
                plain[whole] = product(t, tensors[stem + second])
                break
            if name.endswith(second) and name.removesuffix(second) + first in tensors:
                break
        else:
            made = re.search(r"parametrizations\.|_orig$", name)
            require(
                made is None,
                f"{name} is what a weight is made of (torch.nn.utils.parametrize, spectral_norm). Make it one: "
                "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight'), and save again.",
            )
            plain[name] = t
    return plain
