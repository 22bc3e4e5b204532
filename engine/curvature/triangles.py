"""Moments of Kronecker vectors (engine.curvature.kronecker) as D × D matrices.

At one place, with both factors symmetric, entry ((i,j),(k,l)) of E[L ⊗ R] is E[L_ik R_jl]: only upper triangles
are needed, and one product of (n, t_out)ᵀ with (n, t_in), t = d(d+1)/2, gives them all. Moments that share a
right factor are stacked into one product. For a cross moment, l l'ᵀ = S + A and r r'ᵀ = S' + A' split into
symmetric and antisymmetric parts, and x yᵀ + y xᵀ = 2 (S ⊗ S' + A ⊗ A'). At several places that is no product of
two factors, and the vectors are written out.
Source: theory.md sections 2 and 6.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.kronecker import Moment
from engine.progress import Progress, silent

# Moments with the same right sides.
_Stack = dict[str, Moment]


def dense(moments: Mapping[str, Moment], chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
    """Every moment, in the precision of its vectors, `chunk` samples at a time."""
    stacks: dict[tuple[int, int], _Stack] = {}
    for name, moment in moments.items():
        stacks.setdefault((id(moment.x.right), id(moment.other.right)), {})[name] = moment
    work = [(stack, sign) for stack in stacks.values() for sign in _signs(stack)]
    done, total = 0, sum(_first(stack).samples for stack, _ in work)
    result: dict[str, Tensor] = {}
    for stack, sign in work:

        def report(stage: str, rows: int, _: int, before: int = done) -> None:
            progress(stage, before + rows, total)

        matrices = _by_triangles if _first(stack).x.places == 1 else _written_out
        for name, matrix in matrices(stack, sign, chunk, report):
            result[name] = result[name].add_(matrix) if name in result else matrix
        done += _first(stack).samples
    return result


def _first(stack: _Stack) -> Moment:
    return next(iter(stack.values()))


def _signs(stack: _Stack) -> tuple[int, ...]:
    """The symmetries that the right factors of these moments have."""
    x, y = _first(stack).x, _first(stack).other
    return (1,) if x.right is y.right or x.places > 1 else (1, -1)


@dataclass(frozen=True, eq=False)
class _Factor:
    """One side of a product, as the upper triangles of Σ_m w a bᵀ, made (anti)symmetric in a and b."""

    a: Float[Tensor, "n r d"]
    b: Float[Tensor, "n r d"]
    weight: Float[Tensor, "n r"] | None
    sign: int  # 1 symmetric, −1 antisymmetric

    def triangles(self, rows: slice, out: Float[Tensor, "n t"]) -> None:
        """Writes them into `out`, t = d(d+1)/2 columns."""
        a, b = self.a[rows], self.b[rows]
        d, symmetric = a.shape[2], self.sign > 0 and self.a is self.b
        if a.shape[1] > 1:
            full = (a if self.weight is None else a * self.weight[rows][:, :, None]).mT @ b
            if not symmetric:
                full = (full + self.sign * full.mT) / 2
            out.copy_(upper(full))
            return
        a, b = a[:, 0], b[:, 0]
        weighted = a if self.weight is None else a * self.weight[rows]
        end = 0
        for i in range(d):  # row i of the triangle; far quicker than gathering all index pairs at once
            row = out[:, end : end + d - i]
            torch.mul(weighted[:, i : i + 1], b[:, i:], out=row)
            if not symmetric:
                row.addcmul_(b[:, i : i + 1], weighted[:, i:], value=self.sign).div_(2)
            end += d - i


def _by_triangles(
    stack: _Stack, sign: int, chunk: int, progress: Progress
) -> Iterator[tuple[str, Float[Tensor, "d d"]]]:
    """Moments at one place with a right factor in common, as far as it is (anti)symmetric."""
    first = _first(stack)
    (d_out, d_in), n, right = first.x.shape, first.samples, first.x.right
    across = _Factor(right, right if first.other.right is right else first.other.right, None, sign)
    lefts = [_left(moment, sign) for moment in stack.values()]
    t_out, t_in = d_out * (d_out + 1) // 2, d_in * (d_in + 1) // 2
    left, other = (right.new_empty(min(chunk, n), width) for width in (len(stack) * t_out, t_in))

    def products(rows: slice) -> Iterator[tuple[str, Tensor]]:
        size = rows.stop - rows.start
        for factor, columns in zip(lefts, left[:size].split(t_out, dim=1), strict=True):
            factor.triangles(rows, columns)
        across.triangles(rows, other[:size])
        yield "", left[:size].mT @ other[:size]

    sums = accumulate.sums(products, n, chunk, progress, "moments")[""].split(t_out)
    for (name, moment), triangle in zip(stack.items(), sums, strict=True):
        scale = (1 if moment.y is None else 2) / n
        yield name, unfold((triangle * scale).to(right.dtype), d_out, d_in, sign)


def _left(moment: Moment, sign: int) -> _Factor:
    x = moment.x.left[:, :, 0]
    return _Factor(x, x if moment.y is None else moment.y.left[:, :, 0], moment.weight, sign)


def _written_out(stack: _Stack, _: int, chunk: int, progress: Progress) -> Iterator[tuple[str, Float[Tensor, "d d"]]]:
    """Moments at any number of places: O(n r D²)."""

    def products(rows: slice) -> Iterator[tuple[str, Tensor]]:
        for name, moment in stack.items():
            x, y = moment.weighted(rows, moment.x[rows].written_out()), moment.other[rows].written_out()
            product = x.flatten(0, 1).mT @ y.flatten(0, 1)
            yield name, product if moment.y is None else product + product.mT

    for name, total in accumulate.sums(products, _first(stack).samples, chunk, progress, "moments").items():
        yield name, (total / stack[name].samples).to(stack[name].x.right.dtype)


def upper(x: Float[Tensor, "n d d"]) -> Float[Tensor, "n t"]:
    """The upper triangles, row by row."""
    i, j = torch.triu_indices(x.shape[1], x.shape[2], device=x.device)
    return x.flatten(1).index_select(1, i * x.shape[2] + j)


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
