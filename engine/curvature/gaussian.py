"""Normal noise of a given covariance, and directions turned at random, each from a seed of its own."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from engine.curvature.eigensolver import eigenpairs
from engine.errors import require

ROUNDING = 1e-4  # an eigenvalue below −ROUNDING times the largest is none: there is no such noise
DRAWN = 50  # steps for which noise is drawn at a time


def root(matrix: Float[Tensor, "d d"], trace: float, name: str) -> Float[Tensor, "d d"]:
    """V √Λ of a symmetric matrix V Λ Vᵀ scaled to this trace, float64: times a standard normal vector it is N(0, X).
    What rounding left below zero is left out. ValueError where more than rounding is below zero, or all is zero."""
    values, vectors = eigenpairs((matrix + matrix.mT).double() / 2)
    top, bottom = float(values[0]), float(values[-1])
    require(top > 0, f"{name} is zero here, and so no noise has its shape. Choose an earlier checkpoint.")
    require(
        bottom >= -ROUNDING * top,
        f"{name} curves downwards along some directions (its least eigenvalue is {bottom / top:.2g} of its largest), "
        "so it is no covariance, and no noise has its shape.",
    )
    values = values.clamp_min(0)
    return vectors * (values * (trace / values.sum())).sqrt()


def haar(d: int, seed: int) -> Float[Tensor, "d d"]:
    """An orthogonal matrix drawn evenly from all."""
    q, r = torch.linalg.qr(torch.randn(d, d, generator=_generator(seed, "haar"), dtype=torch.float64))
    return q * r.diagonal().sign()


def drawn(root: Float[Tensor, "d d"], seed: int, name: str) -> Iterator[Float[Tensor, " d"]]:
    """Independent ξ ~ N(0, root rootᵀ) without end."""
    numbers = _generator(seed, name)
    while True:
        normal = torch.randn(root.shape[1], DRAWN, generator=numbers, dtype=root.dtype)
        yield from (root @ normal.to(root.device)).mT


def _generator(seed: int, name: str) -> torch.Generator:
    """Of its own for each seed and noise; drawn on the CPU, so that every device sees the same."""
    word = np.random.SeedSequence((seed, *name.encode())).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(word) >> 1)
