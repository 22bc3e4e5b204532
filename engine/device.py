"""Where and how precisely the engine computes, and whether the work fits."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

from engine.errors import require

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve(device: str) -> torch.device:
    """The device named; "auto" is CUDA where there is one, else the CPU. ValueError otherwise."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch_device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"{device!r} is no device; use 'auto', 'cpu' or 'cuda'.") from error
    require(torch_device.type in ("cpu", "cuda"), f"The engine computes on 'cpu' or 'cuda', not on {device!r}.")
    require(
        torch_device.type == "cpu" or torch.cuda.is_available(),
        "There is no CUDA device on this machine. Use device='auto' or 'cpu'.",
    )
    return torch_device


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
    return min(psutil.virtual_memory().available, *granted(Path("/sys/fs/cgroup")))


def granted(cgroups: Path) -> Iterator[int]:
    """Bytes that a container may still take, by every limit that binds it: Linux' control groups of both kinds. What it
    keeps of files is given up when it is needed, and counts as free."""
    for limit, usage, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError, KeyError):  # none of that kind, or "max"
            most, used = (int((cgroups / name).read_text()) for name in (limit, usage))
            lines = (cgroups / limit).with_name("memory.stat").read_text().splitlines()
            kept = dict(line.split() for line in lines)[files]
            yield max(0, most - used + int(kept))


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside the block, torch computes on the CPU with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Inside the block, the caller's inference mode is off, and so is TF32: its 10 bits of mantissa are less than the
    physics asks for."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode(False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
