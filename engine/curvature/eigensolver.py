"""Eigenpairs: of a dense symmetric matrix, and the leading ones of a product too large to write down."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.kronecker import Moment
from engine.curvature.memory import WIDE_BLOCK, basis_size, block_size
from engine.errors import require
from engine.progress import Progress, silent

Apply = Callable[[Float[Tensor, "d b"]], Float[Tensor, "d b"]]

# Terms of a long sum that are added up in the working precision.
ROWS = 2**14
# Roundings in an eigenvalue: those of a singular matrix come out up to one, the bound grows with the size.
DECOMPOSED = 64


def noise_floor(dtype: torch.dtype, eigenvalues: Float[ndarray, " k"]) -> float:
    """ε · max |H_ii|: below it an eigenvalue is rounding of the working precision, not data.

    theory.md section 4 gives ε·D·H_11, the bound for one long sum. Sums here are accumulated in float64, so
    that what remains is the rounding of entries, a matrix of norm about ε·H_11 whose parts along the v_i
    average out: eigenvalues above it agree with float64 to 10 % at worst
    (tests/engine/curvature/test_precision.py), and the larger floor would discard most of the directions that
    the paper fits. In float64 the eigen-decomposition rounds as well, and DECOMPOSED times as much.
    """
    epsilon = max(torch.finfo(dtype).eps, DECOMPOSED * torch.finfo(torch.float64).eps)
    return epsilon * float(np.abs(eigenvalues).max())


def eigenpairs(matrix: Float[Tensor, "d d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Eigenvalues, descending, and orthonormal eigenvectors (columns), in float64."""
    if matrix.is_cuda:
        values, vectors = torch.linalg.eigh(matrix.double())
        return values.flip(0), _fix_signs(vectors.flip(1))
    # SciPy's divide and conquer is about twice as fast on a CPU as torch's; transposed, in Fortran's order, it works in
    # place.
    pair = scipy.linalg.eigh(
        matrix.to(torch.float64, copy=True).numpy().T, driver="evd", overwrite_a=True, check_finite=False
    )
    values, vectors = (torch.from_numpy(z[..., ::-1].copy()) for z in pair)
    return values, _fix_signs(vectors)


def eigenvalues(matrix: Float[Tensor, "d d"]) -> Float[Tensor, " d"]:
    """Eigenvalues, descending, computed in the matrix's own precision: their errors are those of its entries."""
    if matrix.is_cuda:
        return torch.linalg.eigvalsh(matrix).double().flip(0)
    values = scipy.linalg.eigvalsh(matrix.numpy(), driver="evd", check_finite=False)
    return torch.from_numpy(values[::-1].astype(np.float64))


def _fix_signs(vectors: Float[Tensor, "d k"]) -> Float[Tensor, "d k"]:
    """Each column with its largest component positive, so that a picture of K does not depend on the solver."""
    return vectors.mul_(torch.where(vectors.amax(dim=0) < -vectors.amin(dim=0), -1.0, 1.0).to(vectors))


@dataclass(frozen=True, eq=False)
class Leading:
    """Leading eigenpairs, descending; vectors in the precision of the products; residuals: ‖A v − λ v‖."""

    values: Float[Tensor, " k"]
    vectors: Float[Tensor, "d k"]
    residuals: Float[Tensor, " k"]


def leading_eigenpairs(
    apply: Apply,
    d: int,
    k: int,
    *,
    device: torch.device,
    dtype: torch.dtype,
    tolerance: float,
    block: int | None = None,
    seed: int = 0,
    restarts: int = 60,
    progress: Progress = silent,
) -> Leading:
    """The k algebraically largest eigenpairs of a symmetric operator, by the thick-restart block Lanczos method, until
    each ‖A v − λ v‖ ≤ tolerance · max |λ|. block: columns multiplied at a time. Raises ValueError where that is not
    reached.

    A basis grown from s random vectors sees no eigenvalue more than s times. Where some above the last are seen as
    often as that, the eigenvectors are kept, others start at random, and as many steps follow as it took to find those.
    """
    block = block or block_size(k)
    require(1 <= k <= d, f"top_k must lie in 1 … {d}, not {k}.")
    if basis_size(d, k) >= d:  # the whole space, in which nothing can be missed
        image = apply(torch.eye(d, dtype=dtype, device=device)).double()
        values, vectors = (x[..., :k] for x in eigenpairs((image + image.mT) / 2))
        return Leading(values, vectors.to(dtype), torch.linalg.norm(image @ vectors - vectors * values, dim=0))
    lanczos = _Lanczos(apply, d, basis_size(d, k), block, device, dtype, seed)
    stage, due, again, check, forgotten = 0, 0, 0, 0, 0.0
    depths: list[tuple[int, float]] = []  # steps from the first start, and down to which eigenvalue all were found
    for step in itertools.count(1):
        starts = lanczos.starts
        lanczos.extend()
        if lanczos.starts > starts:
            stage, due, again = step - 1, step - 1 + (again or step - 1 - stage), 0
        if lanczos.size < check and not lanczos.full:
            continue
        check = lanczos.size + max(block, lanczos.size // 16)
        values, rotation, residuals = lanczos.solve(k)
        limit = tolerance * lanczos.scale
        good = int((residuals <= limit).cumprod(0).sum())
        progress("eigenvectors", good, k)
        if good and not forgotten:
            depths.append((step, float(values[good - 1])))
        if good == k:
            copied = _repeated(values[:k], limit, starts)
            if lanczos.size == d or (step >= due and not len(copied)):
                lanczos.restart(values, rotation, k)
                vectors = _fix_signs(lanczos.q[:, :k].clone())
                return Leading(values[:k], vectors, (residuals.square() + forgotten**2).sqrt())
            # What is forgotten several times must stay small beside the tolerance.
            if step >= due and (outside := lanczos.outside(rotation, k)) <= limit / 3:
                again = next(steps for steps, value in depths if value <= float(copied.min()) + limit)
                forgotten = math.hypot(forgotten, outside)
                lanczos.restart(values, rotation, k)
                lanczos.forget()
                check = k
                continue
        if lanczos.full:
            worst = float(residuals.max()) / lanczos.scale
            require(
                restarts > 0 and lanczos.size < d,
                f"The leading {k} eigenvectors did not converge: the worst residual reached is {worst:.1e} of the "
                f"largest eigenvalue, {tolerance:.1e} was asked. Their eigenvalues lie too close together: a larger "
                "top_k gives a larger basis, dtype='float64' finer products.",
            )
            lanczos.restart(values, rotation, (k + lanczos.q.shape[1]) // 2)
            restarts, check = restarts - 1, k
    raise AssertionError("unreachable")


def of_rows(moment: Moment, n: int, k: int, apply: Apply) -> Leading | None:
    """The same of H = Σ w x xᵀ / n from the Gram matrix of its rows: with G = √|w| x·x √|w| = Y s² Yᵀ, the eigenpairs
    (λ, z) of s Yᵀ sign(w) Y s / n give v = Σ √|w| x (Y s⁻¹ z). None where k of them are not above rounding.
    """
    assert moment.weight is not None, "not a sum of weighted rows"
    weight = moment.weight.double().flatten()
    root = weight.abs().sqrt()
    squares, y = eigenpairs(root[:, None] * moment.x.gram() * root)
    real = squares > len(squares) * torch.finfo(torch.float64).eps * squares[0]
    if int(real.sum()) < k:
        return None
    s, y = squares[real].sqrt(), y[:, real]
    values, z = eigenpairs(s[:, None] * (y.mT @ (weight.sign()[:, None] * y)) * s / n)
    if not float(values[k - 1]) > torch.finfo(moment.weight.dtype).eps * float(values.abs().max()):
        return None
    mix = (root[:, None] * y / s) @ z[:, :k]
    v = moment.x.back(mix.view(*moment.weight.shape, k).to(moment.weight))
    v -= v @ ((_products(v, v) - torch.eye(k).to(s)) / 2).to(v)  # orthonormal to rounding
    blocks = zip(v.split(WIDE_BLOCK, dim=1), values[:k].split(WIDE_BLOCK), strict=True)
    residuals = [torch.linalg.norm(apply(some).double() - some.double() * own, dim=0) for some, own in blocks]
    return Leading(values[:k], _fix_signs(v), torch.cat(residuals))


class _Lanczos:
    """A Q = Q T + W Eᵀ with an orthonormal basis Q and E the coordinates of its last block: W, what the image of that
    block adds to the basis, is where the next one comes from. Q has the precision of the products; T and long sums,
    float64.

    scale: the largest |λ| seen; starts: random vectors that the basis was grown from.
    """

    def __init__(
        self, apply: Apply, d: int, room: int, block: int, device: torch.device, dtype: torch.dtype, seed: int
    ):
        self.apply, self.block, self.generator = apply, block, torch.Generator().manual_seed(seed)
        self.q = torch.empty(d, room, dtype=dtype, device=device)
        self.t = torch.zeros(room, room, dtype=torch.float64, device=device)
        self.size, self.last, self.starts, self.scale = 0, slice(0, 0), 0, 0.0
        self.forget()

    @property
    def full(self) -> bool:
        d, room = self.q.shape
        return self.size == d or (self.size + self.block > room and room < d)

    def forget(self) -> None:
        """Go on with random vectors."""
        self.w, self.r = self.q[:, :0].double(), self.t[:0, :0]

    def extend(self) -> None:
        """Multiply the next block, and divide its image into what lies in the basis and what does not."""
        block = self._next()
        new = slice(self.size, self.size + block.shape[1])
        self.q[:, new], self.size, self.last = block, new.stop, new
        w, q, t = self.apply(block), self.q[:, : new.stop], self.t[: new.stop, new]
        self.scale = max(self.scale, float(torch.linalg.norm(w, dim=0).max()))
        t.zero_()
        for _ in range(2):
            shares = _products(q, w)
            w, t[:] = w - q @ shares.to(w), t + shares
        t[new] = (t[new] + t[new].mT) / 2
        self.t[new, : new.start] = t[: new.start].mT
        self.w, self.r = torch.linalg.qr(w.double())

    def _next(self) -> Float[Tensor, "d b"]:
        """The leading directions of W, and random ones instead of those that are rounding."""
        u, sigma, _ = torch.linalg.svd(self.r)
        rounding = torch.finfo(self.q.dtype).eps * self.scale
        width = min(self.block, self.q.shape[1] - self.size)
        real = u[:, sigma > 4 * rounding][:, :width]
        missing = width - real.shape[1]
        self.starts += missing
        fresh = torch.randn(len(self.q), missing, generator=self.generator, dtype=torch.float64).to(self.w)
        block, q = torch.cat([self.w @ real, fresh / len(fresh) ** 0.5], dim=1), self.q[:, : self.size]
        # The smaller W, the more of it is rounding that lies in the basis.
        for _ in range(2 if missing or float(sigma[width - 1]) < 1e3 * rounding else 1):
            block = torch.linalg.qr(block - (q @ _products(q, block.to(q)).to(q)).double())[0]
        return block.to(q)

    def solve(self, k: int) -> tuple[Float[Tensor, " s"], Float[Tensor, "s s"], Float[Tensor, " k"]]:
        """Eigenpairs of T, descending, and the residuals of the leading k."""
        values, s = (x.flip(-1) for x in torch.linalg.eigh(self.t[: self.size, : self.size]))
        self.scale = max(self.scale, float(values.abs().max()))
        return values, s, torch.linalg.norm(self.r @ s[self.last, :k], dim=0)

    def outside(self, s: Float[Tensor, "s s"], k: int) -> float:
        """The most that the image of any vector in the span of the leading k has outside the basis."""
        return float(torch.linalg.matrix_norm(self.r @ s[self.last, :k], 2))

    def restart(self, values: Float[Tensor, " s"], s: Float[Tensor, "s s"], keep: int) -> None:
        """Keep the leading eigenvectors alone."""
        turn = s[:, :keep].to(self.q)
        for rows in accumulate.over(len(self.q), ROWS):
            self.q[rows, :keep] = self.q[rows, : self.size] @ turn
        self.size = keep
        self.t[:keep, :keep] = torch.diag(values[:keep])


def _products(x: Float[Tensor, "d a"], y: Float[Tensor, "d b"]) -> Float[Tensor, "a b"]:
    """Xᵀ Y, float64."""
    return accumulate.sums(lambda rows: [("", x[rows].mT @ y[rows])], len(x), ROWS)[""]


def _repeated(values: Float[Tensor, " k"], limit: float, times: int) -> Float[Tensor, " r"]:
    """Those of the eigenvalues above the last that are there so many times."""
    above = values[values > values[-1] + limit]
    return above[((above[:, None] - above).abs() <= limit / 10).sum(dim=1) >= times]
