"""Files of weights as plain tensors. Nothing in a file is ever executed.

    from engine.models.weight_files import read
    tensors = read(Path("epoch_10.pt"))        # names → float32 tensors on the CPU

safetensors holds nothing but arrays. PyTorch's own files are pickles: they are read with weights_only=True, which
refuses every object that is neither a tensor nor a plain container.
"""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.errors import require
from engine.models.files import LARGEST_BYTES, SUFFIXES
from engine.training.sgd import MOMENTUM

NESTED = ("state_dict", "model_state_dict", "model", "module", "net")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
_SAVE = "Save the weights alone: torch.save(model.state_dict(), file)."


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without nesting and common prefixes: floating-point ones in float32, whole
    numbers as they are, in the file's order. ValueError: no such file, too large, damaged, or holding more than
    tensors."""
    path = Path(path)
    require(
        path.suffix.lower() in SUFFIXES,
        f"{path.name} is no file of weights: they end in {', '.join(SUFFIXES)}. {_SAVE}",
    )
    require(path.is_file(), f"There is no file {path}. Check its path.")
    _check_size(path.name, path.stat().st_size)
    try:
        return _plain(unwrap(_arrays(path) if path.suffix.lower() == ".safetensors" else _unpickled(path)))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def unwrap(state: Any) -> dict[str, Tensor]:
    """The tensors of one state dict, also nested under one of NESTED, without PREFIXES that all names share and
    without a run's momentum buffers. ValueError where it holds anything else."""
    require(
        isinstance(state, Mapping),
        f"A state dict (names → tensors) is needed, not a {type(state).__name__}: save model.state_dict().",
    )
    for name in NESTED:
        if isinstance(state.get(name), Mapping):
            return unwrap(state[name])
    others = [str(name) for name, t in state.items() if not isinstance(t, Tensor)]
    require(
        not others,
        f"A state dict holds tensors only, but {', '.join(others[:5])} is none: save model.state_dict().",
    )
    tensors = {str(name): t for name, t in state.items() if not str(name).startswith(MOMENTUM)}
    require(bool(tensors), f"The file holds no weights. {_SAVE}")
    while shared := next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(shared): t for name, t in tensors.items()}
    return tensors


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, over names, types, shapes and bytes of the tensors in their order."""
    total = hashlib.sha256()
    for name, t in tensors.items():
        total.update(f"{name}\0{t.dtype}{tuple(t.shape)}".encode())
        total.update(t.contiguous().numpy().data if t.numel() else b"")
    return total.hexdigest()


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    odd = [name for name, t in tensors.items() if t.layout != torch.strided or t.is_complex() or t.is_quantized]
    require(not odd, f"{', '.join(odd[:5])} is sparse, complex or quantised. Save ordinary real tensors.")
    # By their shapes: a view of one number may claim any size.
    _check_size("what it holds", sum(4 * t.numel() for t in tensors.values()))
    return {
        name: (t.detach().float() if t.is_floating_point() else t.detach()).contiguous() for name, t in tensors.items()
    }


def _check_size(name: str, size: int) -> None:
    require(
        size <= LARGEST_BYTES,
        f"{name} takes {size / 2**30:.1f} GB; at most {LARGEST_BYTES / 2**30:.0f} GB can be read. Save the weights "
        "alone, without the optimiser's state.",
    )


def _arrays(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError("it is damaged, incomplete or no safetensors file. Save or copy it again.") from error


def _unpickled(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            # A compressed archive may unfold to any size.
            _check_size(path.name, sum(part.file_size for part in archive.infolist()))
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        refused = re.search(r"(?:GLOBAL|class|callable|type) '?([A-Za-z_][\w.]*\.\w+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and refused:
            raise ValueError(
                f"it holds pickled Python objects ({refused[1]}) beside tensors, and these would run code when read. "
                f"{_SAVE}"
            ) from error
        raise ValueError(f"it is damaged, incomplete or no state dict of PyTorch. {_SAVE}") from error
