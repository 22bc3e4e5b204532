"""Where and how precisely the engine computes, and whether the work fits."""

import math
from dataclasses import dataclass

import psutil
import torch

from engine.requests import require

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
    """How the work is cut: `dense` builds D × D matrices, otherwise everything is projected on the top k;
    `chunk` samples are expanded at a time; `bytes` is the estimated peak beyond what is in use now."""

    dense: bool
    chunk: int
    bytes: int


def plan(
    *, n: int, d_out: int, d_in: int, rank: int, top_k: int | None, dtype: torch.dtype, free: int
) -> Plan:
    """The plan for n samples of a layer d_out × d_in with curvature of the given rank.

    Dense where D × D matrices fit in half the free memory; else projected on `top_k` directions.
    Raises MemoryError, with the numbers and what to reduce, when neither fits.
    """
    d, item = d_out * d_in, torch.finfo(dtype).bits // 8
    factors = n * (2 * d_in + d_out * (rank + 3) + rank) * item
    triangles = d_out * (d_out + 1) // 2, d_in * (d_in + 1) // 2
    # Nine moments in the working precision, accumulated in float64; eigh needs four float64 copies.
    dense = d * d * (9 * item + 6 * 8 + 4 * 8)
    # One chunk's expansion: five stacked left triangles, three right ones, and the full left matrices.
    per_sample = (6 * triangles[0] + 3 * triangles[1] + 3 * d_out**2) * item
    if top_k is None or d <= 4096:
        need = factors + dense
        if need + per_sample * min(n, 256) <= free * 0.8:
            return Plan(True, _chunk(n, per_sample, min(free * 0.8 - need, 256 * 2**20)), int(need))
        require_top_k = top_k is None
    else:
        require_top_k = False
    gib = 2**30
    if require_top_k:
        raise MemoryError(
            f"The whole basis of a layer with {d:,} weights needs about {(factors + dense) / gib:.1f} GiB "
            f"({free / gib:.1f} GiB are free). Set top_k (say 100) to compute the leading directions only, "
            f"or use fewer samples than {n:,}."
        )
    k = top_k or 1
    per_sample = (d_out * k + 3 * rank * k) * item
    basis = d * k * 8 * 8
    need = factors + basis
    if need + per_sample * min(n, 16) > free * 0.8:
        raise MemoryError(
            f"{k} directions of a layer with {d:,} weights and {n:,} samples need about {need / gib:.1f} GiB "
            f"({free / gib:.1f} GiB are free). Reduce top_k or the number of samples."
        )
    return Plan(False, _chunk(n, per_sample, min(free * 0.8 - need, 256 * 2**20)), int(need))


def _chunk(n: int, per_sample: int, room: float) -> int:
    return max(1, min(n, math.floor(room / max(per_sample, 1))))
