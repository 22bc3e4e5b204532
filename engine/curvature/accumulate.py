"""The one loop over samples: as many at a time as memory allows, sums in float64. A chunk enters no result."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from engine.progress import Progress, silent

Name = TypeVar("Name")

PIECE = 2**17  # numbers


def over(samples: int, chunk: int, progress: Progress = silent, stage: str = "") -> Iterator[slice]:
    """Consecutive rows, `chunk` at a time, the last ones fewer. progress(stage, …) is told when some are done."""
    for start in range(0, samples, chunk):
        rows = slice(start, min(start + chunk, samples))
        yield rows
        progress(stage, rows.stop, samples)


def sums(
    shares: Callable[[slice], Iterable[tuple[Name, Tensor]]],
    samples: int,
    chunk: int,
    progress: Progress = silent,
    stage: str = "",
) -> dict[Name, Tensor]:
    """What `shares` gives under each name, one after the other, for some rows: added up over all samples in float64."""
    totals: dict[Name, Tensor] = {}
    for rows in over(samples, chunk, progress, stage):
        for name, share in shares(rows):
            if name not in totals:
                totals[name] = share.to(torch.float64, copy=True).contiguous()
                continue
            # Widened piece by piece, in cache: at once it takes twice as long.
            for total, part in zip(*(x.reshape(-1).split(PIECE) for x in (totals[name], share)), strict=True):
                total += part
    return totals
