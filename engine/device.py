"""Where and how precisely the engine computes, and whether the work fits."""

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
    """How the work is cut. dense: build D × D matrices, otherwise project everything on the leading
    directions; expand: samples whose triangles are formed at a time; along: samples laid along the directions
    at a time; bytes: estimated peak beyond what is in use now."""

    dense: bool
    expand: int
    along: int
    bytes: int


CHUNK_BYTES = 256 * 2**20  # more makes no product faster
DENSE_LIMIT = 4096  # weights up to which the dense way is also the faster one for a few directions


def plan(*, n: int, d_out: int, d_in: int, rank: int, top_k: int | None, dtype: torch.dtype, free: int) -> Plan:
    """The plan for n samples of a layer d_out × d_in whose per-sample curvature has at most the given rank.

    Raises MemoryError, with the numbers and what to reduce, when neither way fits in 80 % of the free bytes.
    """
    d, item, room = d_out * d_in, torch.finfo(dtype).bits // 8, free * 4 // 5
    # Per sample: a, Δa, δ, two products with M, and the eigenpairs of M.
    factors = n * (2 * d_in + 3 * d_out + rank * (d_out + 1)) * item
    # Per sample laid along k directions: V_i a, and three products of the eigenvectors with it.
    k = d if top_k is None else top_k * 5 // 4
    along = (d_out * k + 3 * rank * k) * item
    if top_k is None or d <= DENSE_LIMIT:
        # Seven moments, their triangles in float64, and eight float64 matrices while H is diagonalised.
        need = factors + d * d * (7 * item + 2 * 8 + 8 * 8)
        triangles = 6 * d_out * (d_out + 1) // 2 + 3 * d_in * (d_in + 1) // 2
        each = (triangles + 3 * d_out**2) * item
        if need + max(each, along) <= room:
            return Plan(True, _chunk(n, each, room - need), _chunk(n, along, room - need), need)
    if top_k is None:
        raise MemoryError(
            f"The whole eigenbasis of a layer with {d:,} weights and {n:,} samples needs about {_gib(need)}, and "
            f"{_gib(free)} are free. Set top_k (say 100) to compute the leading directions only."
        )
    # The Krylov basis and its image: twice four blocks a quarter wider than top_k, and as much in work space.
    need = factors + d * k * 4 * 3 * 8
    if need + along > room:
        raise MemoryError(
            f"{top_k} directions of a layer with {d:,} weights and {n:,} samples need about {_gib(need + along)}, and "
            f"{_gib(free)} are free. Reduce top_k or the number of samples."
        )
    fits = _chunk(n, along, room - need)
    return Plan(False, fits, fits, need)


def _chunk(n: int, each: int, room: int) -> int:
    return max(1, min(n, min(room, CHUNK_BYTES) // each))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
