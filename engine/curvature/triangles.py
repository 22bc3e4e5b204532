"""Moments of Kronecker vectors (engine.curvature.kronecker) as D × D matrices.

At one place, with both factors symmetric, entry ((i,j),(k,l)) of E[L ⊗ R] is E[L_ik R_jl]: only upper triangles
are needed, and one product of (n, t_out)ᵀ with (n, t_in), t = d(d+1)/2, gives them all. Moments that share a
right factor are stacked into one product. For a cross moment, l l'ᵀ = S + A and r r'ᵀ = S' + A' split into
symmetric and antisymmetric parts, and x yᵀ + y xᵀ = 2 (S ⊗ S' + A ⊗ A'). At several places that is no product of
two factors, and the vectors are written out.
Source: theory.md sections 2 and 6.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.kronecker import Kronecker, Moment
from engine.progress import Progress, silent

# Moments with the same right sides.
_Stack = dict[str, Moment]

ROWS = 10  # of a triangle formed at a time: what lies below them is left out


@dataclass(frozen=True, eq=False)
class Folded(Mapping[str, Tensor]):
    """D × D matrices, each laid out whenever it is asked for, as its triangles are a quarter as large. parts: by sign,
    0 of one that is whole; shapes: (d_out, d_in) of the others."""

    parts: Mapping[str, Mapping[int, Tensor]]
    shapes: Mapping[str, tuple[int, int]]

    def __getitem__(self, name: str) -> Float[Tensor, "d d"]:
        if name not in self.shapes:
            return self.parts[name][0]
        first, *more = (unfold(t, *self.shapes[name], sign) for sign, t in self.parts[name].items())
        return first.add_(more[0]) if more else first

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def dense(
    moments: Callable[[slice], Mapping[str, Moment]],
    count: Callable[[str], int],
    samples: int,
    chunk: int,
    progress: Progress = silent,
) -> Mapping[str, Float[Tensor, "d d"]]:
    """Every moment, in the precision of its vectors, `chunk` samples at a time. moments: those of some samples;
    count: of how many samples each is the mean."""
    shapes: dict[str, tuple[int, int]] = {}  # (d_out, d_in) of those whose triangles are summed
    buffers = _Buffers()

    def products(rows: slice) -> Iterator[tuple[tuple[str, int], Tensor]]:
        for stack in _stacks(moments(rows)):
            x = next(iter(stack.values())).x
            if isinstance(x, Kronecker) and x.single:
                shapes.update(dict.fromkeys(stack, x.shape[1:]))
                yield from _triangles(stack, buffers)
            else:
                yield from (((name, 0), _lower(moment, buffers)) for name, moment in stack.items())

    parts: dict[str, dict[int, Tensor]] = {}
    totals = accumulate.sums(products, samples, chunk, progress, "moments")
    dtype = buffers.pop("product").dtype
    buffers.clear()
    for name, sign in list(totals):
        mean = totals.pop((name, sign)).div_(count(name)).to(dtype)
        parts.setdefault(name, {})[sign] = mean if sign else mean.tril_().add_(mean.tril(-1).mT)
    return Folded(parts, shapes)


def _stacks(moments: Mapping[str, Moment]) -> list[_Stack]:
    stacks: dict[tuple[int, int], _Stack] = {}
    for name, moment in moments.items():
        stacks.setdefault((id(moment.x.right), id(moment.other.right)), {})[name] = moment
    return list(stacks.values())


class _Buffers(dict[str, Tensor]):
    """Memory for products, taken once: asking for it anew at every chunk costs a tenth of the time."""

    def like(self, name: str, x: Tensor, *shape: int) -> Tensor:
        """Room of that shape, in the precision of x and where x is."""
        if name not in self or self[name].numel() < math.prod(shape):
            self[name] = x.new_empty(math.prod(shape))
        return self[name][: math.prod(shape)].view(shape)


class _Factor(NamedTuple):
    """One side of a product, Σ_m w a bᵀ of every sample."""

    a: Float[Tensor, "n r d"]
    b: Float[Tensor, "n r d"]
    weight: Float[Tensor, "n r"] | None = None

    def triangles(self, sign: int, out: Float[Tensor, "t n"]) -> None:
        """Writes upper triangles into `out`, t = d(d+1)/2 rows, those of the symmetric (sign 1) or of the
        antisymmetric part (−1)."""
        a, b = self.a, self.b
        d, symmetric = a.shape[2], sign > 0 and a is b
        end = 0
        if a.shape[1] > 1:
            weighted = a if self.weight is None else a * self.weight[:, :, None]
            for i in range(0, d, ROWS):
                part = weighted[:, :, i : i + ROWS].mT @ b[:, :, i:]
                if not symmetric:
                    part = (part + sign * b[:, :, i : i + ROWS].mT @ weighted[:, :, i:]) / 2
                above = _above(part)
                torch.index_select(part.flatten(1).mT, 0, above, out=out[end : end + len(above)])
                end += len(above)
            return
        a, b = (x[:, 0].mT.contiguous() for x in (a, b))
        weighted = a if self.weight is None else a * self.weight.mT
        for i in range(d):  # row i of the triangle; far quicker than gathering all index pairs at once
            row = out[end : end + d - i]
            torch.mul(weighted[i], b[i:], out=row)
            if not symmetric:
                row.addcmul_(b[i], weighted[i:], value=sign).div_(2)
            end += d - i


def _triangles(stack: _Stack, buffers: _Buffers) -> Iterator[tuple[tuple[str, int], Float[Tensor, "t_out t_in"]]]:
    """Sums at one place with their right sides in common: as far as they are symmetric, and antisymmetric."""
    lefts, across = [], _Factor(*[torch.empty(0)] * 2)
    for moment in stack.values():
        x, y = moment.x, moment.other
        assert isinstance(x, Kronecker), "written out"
        assert isinstance(y, Kronecker), "written out"
        lefts.append(_Factor(*_same(x.left[:, :, 0, 0], y.left[:, :, 0, 0], x is y), moment.weight))
        across = _Factor(*_same(x.right[:, 0], y.right[:, 0], x.right is y.right))
    n, (d_out, d_in) = len(across.a), (factor.a.shape[2] for factor in (lefts[0], across))
    t_out, t_in = d_out * (d_out + 1) // 2, d_in * (d_in + 1) // 2
    left, right = buffers.like("left", across.a, len(stack) * t_out, n), buffers.like("right", across.a, t_in, n)
    for sign in (1,) if across.a is across.b else (1, -1):
        for factor, rows in zip(lefts, left.split(t_out), strict=True):
            factor.triangles(sign, rows)
        across.triangles(sign, right)
        product = torch.mm(left, right.mT, out=buffers.like("product", left, len(stack) * t_out, t_in))
        for (name, moment), share in zip(stack.items(), product.split(t_out), strict=True):
            yield (name, sign), share if moment.y is None else share.mul_(2)


def _same(a: Tensor, b: Tensor, same: bool) -> tuple[Tensor, Tensor]:
    return a, a if same else b


def _lower(moment: Moment, buffers: _Buffers) -> Float[Tensor, "d d"]:
    """A sum at any number of places, its lower triangle and what lies beside it in blocks: O(n r D²)."""
    y = moment.other.written_out().flatten(0, 1)
    x = moment.weighted(moment.x.written_out()).flatten(0, 1)
    d = x.shape[1]
    out = buffers.like("product", x, d, d)
    step = max(64, -(-d // 8))
    for start in range(0, d, step):
        rows, end = slice(start, start + step), min(start + step, d)
        torch.mm(x[:, rows].mT, y[:, :end], out=out[rows, :end])
        if moment.y is not None:
            out[rows, :end].addmm_(y[:, rows].mT, x[:, :end])
    return out


def upper(x: Float[Tensor, "n d d"]) -> Float[Tensor, "n t"]:
    """The upper triangles, row by row."""
    return x.flatten(1).index_select(1, _above(x))


def _above(x: Float[Tensor, "n e d"]) -> Int[Tensor, " t"]:
    """Where they lie in a flattened matrix, or in the first rows of one."""
    i, j = torch.triu_indices(x.shape[1], x.shape[2], device=x.device)
    return i * x.shape[2] + j


def unfold(t: Float[Tensor, "t_out t_in"], d_out: int, d_in: int, sign: int) -> Float[Tensor, "d d"]:
    """E[L ⊗ R] from the upper triangles of L and R, both symmetric (sign 1) or both antisymmetric (−1)."""

    def index(d: int) -> tuple[Tensor, Tensor]:
        where = torch.zeros(d, d, dtype=torch.long, device=t.device)
        i, j = torch.triu_indices(d, d, device=t.device)
        where[i, j] = where[j, i] = torch.arange(i.numel(), device=t.device)
        flip = torch.ones(d, d, dtype=t.dtype, device=t.device).triu()
        return where.flatten(), (flip + sign * flip.mT.tril(-1)).flatten()

    (out, out_sign), (into, into_sign) = index(d_out), index(d_in)
    full = t.index_select(0, out).index_select(1, into)
    if sign < 0:
        full *= out_sign[:, None] * into_sign
    return full.view(d_out, d_out, d_in, d_in).transpose(1, 2).reshape(d_out * d_in, d_out * d_in)
