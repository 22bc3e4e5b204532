"""Eigenpairs: of a dense symmetric matrix, and the leading ones of a product too large to write down."""

from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor

from engine.errors import require
from engine.progress import Progress, silent


def eigenpairs(matrix: Float[Tensor, "d d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Eigenvalues, descending, and orthonormal eigenvectors (columns), in float64."""
    if matrix.is_cuda:
        values, vectors = torch.linalg.eigh(matrix.double())
    else:
        # SciPy's divide and conquer is about twice as fast on a CPU as torch's.
        pair = scipy.linalg.eigh(
            matrix.to(torch.float64, copy=True).numpy(), driver="evd", overwrite_a=True, check_finite=False
        )
        values, vectors = (torch.from_numpy(np.ascontiguousarray(z)) for z in pair)
    return values.flip(0), _fix_signs(vectors.flip(1))


def eigenvalues(matrix: Float[Tensor, "d d"]) -> Float[Tensor, " d"]:
    """Eigenvalues, descending, computed in the matrix's own precision: their errors are those of its entries."""
    if matrix.is_cuda:
        return torch.linalg.eigvalsh(matrix).double().flip(0)
    values = scipy.linalg.eigvalsh(matrix.numpy(), driver="evd", check_finite=False)
    return torch.from_numpy(values[::-1].astype(np.float64))


def _fix_signs(vectors: Float[Tensor, "d k"]) -> Float[Tensor, "d k"]:
    """Each column with its largest component positive, so that a picture of K does not depend on the solver."""
    largest = vectors.abs().argmax(dim=0, keepdim=True)
    return vectors * torch.where(vectors.gather(0, largest) < 0, -1.0, 1.0)


def leading_eigenpairs(
    apply: Callable[[Float[Tensor, "d b"]], Float[Tensor, "d b"]],
    d: int,
    k: int,
    *,
    device: torch.device,
    dtype: torch.dtype,
    tolerance: float,
    seed: int = 0,
    blocks: int = 4,
    restarts: int = 60,
    progress: Progress = silent,
) -> tuple[Float[Tensor, " k"], Float[Tensor, "d k"]]:
    """The k algebraically largest eigenpairs of a symmetric operator, by a restarted block Krylov method.

    Each round extends an orthonormal basis by blocks A Q, A² Q, … (full reorthogonalisation), solves the
    projected problem and restarts from its leading Ritz vectors, until every ‖A v − λ v‖ ≤ tolerance · max|λ|.
    The block is wider than k so that the last wanted pair converges too. Raises ValueError if it does not.
    """
    require(1 <= k <= d, f"top_k must lie in 1 … {d}, not {k}.")
    width = min(d, k + max(8, k // 4))
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(d, width, generator=generator, dtype=torch.float64).to(device)
    q = torch.linalg.qr(start)[0].to(dtype)
    worst = float("inf")
    for _ in range(restarts):
        basis, image = q, apply(q)
        for _ in range(blocks - 1):
            room = d - basis.shape[1]
            if room <= 0:
                break
            fresh = _orthonormal_complement(basis, image[:, -width:])[:, :room]
            if fresh.shape[1] == 0:
                break
            basis, image = torch.cat([basis, fresh], dim=1), torch.cat([image, apply(fresh)], dim=1)
        projected = (basis.mT @ image).double()
        values, rotation = torch.linalg.eigh((projected + projected.mT) / 2)
        values, rotation = values.flip(0)[:width], rotation.flip(1)[:, :width].to(dtype)
        vectors = basis @ rotation
        residual = torch.linalg.norm(image @ rotation - vectors * values.to(dtype), dim=0)[:k]
        scale = float(values.abs().max())
        worst = float(residual.max()) / scale if scale > 0 else 0.0
        progress("eigenvectors", int((residual <= tolerance * scale).sum()), k)
        if worst <= tolerance:
            return values[:k], _fix_signs(vectors[:, :k].double())
        q = torch.linalg.qr(vectors)[0]
    raise ValueError(
        f"The leading {k} eigenvectors did not converge: after {restarts} restarts the worst residual is "
        f"{worst:.1e} of the largest eigenvalue, {tolerance:.1e} was asked. Lower top_k, or use dtype='float64'."
    )


def _orthonormal_complement(basis: Float[Tensor, "d b"], block: Float[Tensor, "d c"]) -> Float[Tensor, "d e"]:
    """An orthonormal basis of what `block` adds to span(basis); projected out twice, then QR, directions
    that vanished (to rounding) dropped."""
    block = block / torch.linalg.norm(block, dim=0).clamp_min(torch.finfo(block.dtype).tiny)
    for _ in range(2):
        block = block - basis @ (basis.mT @ block)
    q, r = torch.linalg.qr(block)
    independent = r.diagonal().abs() > 1e3 * torch.finfo(block.dtype).eps
    q = q[:, independent]
    q = q - basis @ (basis.mT @ q)
    return torch.linalg.qr(q)[0] if q.shape[1] else q
