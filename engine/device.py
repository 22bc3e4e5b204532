"""Where and how precisely the engine computes, and whether the work fits."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import torch

from engine.config.requests import require
from engine.runs.estimate import CHUNK_BYTES, DENSE_LIMIT, Memory

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve(device: str) -> torch.device:
    """The device named; "auto" is CUDA where there is one, else the CPU. ValueError otherwise."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{device!r} is no device; use 'auto', 'cpu' or 'cuda'.") from error
    require(found.type in ("cpu", "cuda"), f"The engine computes on 'cpu' or 'cuda', not on {device!r}.")
    require(
        found.type == "cpu" or torch.cuda.is_available(),
        "There is no CUDA device on this machine. Use device='auto' or 'cpu'.",
    )
    return found


def device_name(device: torch.device) -> str:
    """For a reader: "CPU", or the GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def precision(name: str) -> torch.dtype:
    """float32 or float64; ValueError otherwise."""
    require(name in DTYPES, f"dtype is 'float32' or 'float64', not {name!r}.")
    return DTYPES[name]


def free_memory(device: torch.device) -> int:
    """Bytes that can be taken now."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


@dataclass(frozen=True)
class Plan:
    """How the work is cut. dense: build D × D matrices, otherwise project everything on the leading
    directions; expand: samples whose triangles are formed at a time; along: samples laid along the directions
    at a time; bytes: estimated peak beyond what is in use now."""

    dense: bool
    expand: int
    along: int
    bytes: int


def plan(*, n: int, d: int, size: Memory, top_k: int | None, free: int) -> Plan:
    """The plan for n samples and d weights, whose analysis takes so much memory.

    Raises MemoryError, with the numbers and what to reduce, when neither way fits in 80 % of the free bytes.
    """
    room = free * 4 // 5
    if top_k is None or d <= DENSE_LIMIT:
        rest = room - size.dense
        if max(size.triangles, size.along) <= rest:
            expand, along = (_chunk(n, each, rest, size.stretch) for each in (size.triangles, size.along))
            return Plan(True, expand, along, size.dense)
    if top_k is None:
        raise MemoryError(
            f"The whole eigenbasis of {d:,} weights and {n:,} samples needs about {_gib(size.dense)}, "
            f"and {_gib(free)} are free. Set top_k (say 100) to compute the leading directions only."
        )
    if size.projected + size.along > room:
        raise MemoryError(
            f"{top_k} directions of {d:,} weights and {n:,} samples need about "
            f"{_gib(size.projected + size.along)}, and {_gib(free)} are free. Reduce top_k or the number of samples."
        )
    fits = _chunk(n, size.along, room - size.projected, size.stretch)
    return Plan(False, fits, fits, size.projected)


def _chunk(n: int, each: int, room: int, stretch: int) -> int:
    return max(1, min(n, min(room, stretch * CHUNK_BYTES) // each))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside the block, torch computes on the CPU with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
