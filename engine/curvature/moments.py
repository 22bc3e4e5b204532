"""Moments E_p[Σ_m w_pm x_pm y_pmᵀ] of rank-one vectors x = l ⊗ r. Every matrix of the paper is one of these.

Two evaluators share the description: `dense` gives D × D matrices, `project` their blocks VᵀMV for any D.
Both walk over the samples in chunks and accumulate in float64; a chunk enters no result.
Source: theory.md section 2.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from engine.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Side:
    """The vectors x_pm = l_pm ⊗ r_p of every sample: left l (n, r, d_out), right r (n, d_in)."""

    left: Float[Tensor, "n r d_out"]
    right: Float[Tensor, "n d_in"]

    def mean(self) -> Float[Tensor, " d"]:
        """E_p[Σ_m x_pm], flattened row-major, float64."""
        return (self.left.double().sum(dim=1).mT @ self.right.double() / self.left.shape[0]).flatten()

    def along(self, basis: Float[Tensor, "d_out d_in k"], rows: slice) -> Float[Tensor, "n r k"]:
        """x_pm · v_i = l_pmᵀ V_i r_p for some samples."""
        d_out, d_in, k = basis.shape
        y = self.right[rows] @ basis.transpose(0, 1).reshape(d_in, d_out * k)
        return self.left[rows] @ y.view(-1, d_out, k)


@dataclass(frozen=True, eq=False)
class Moment:
    """E_p[Σ_m w_pm x_pm x_pmᵀ], or with a second side E_p[Σ_m w_pm (x yᵀ + y xᵀ)]; weight None means 1."""

    x: Side
    weight: Float[Tensor, "n r"] | None = None
    y: Side | None = None

    @property
    def samples(self) -> int:
        return self.x.right.shape[0]


Moments = Mapping[str, Moment]


def chunks(n: int, size: int) -> Iterable[slice]:
    """Consecutive rows, `size` at a time, the last ones fewer."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


# -- dense ------------------------------------------------------------------------------------------------
#
# With both factors symmetric, entry ((i,j),(k,l)) of E[L ⊗ R] is E[L_ik R_jl]: only upper triangles are
# needed, and one product of (n, t_out)ᵀ with (n, t_in), t = d(d+1)/2, gives them all. Moments that share a
# right factor are stacked into one product. For a cross moment, l l'ᵀ = S + A and r r'ᵀ = S' + A' split into
# symmetric and antisymmetric parts, and x yᵀ + y xᵀ = 2 (S ⊗ S' + A ⊗ A').


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
            i, j = torch.triu_indices(d, d, device=a.device)
            out.copy_(full.flatten(1).index_select(1, i * d + j))
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


def _products(moment: Moment) -> list[tuple[_Factor, tuple[Tensor, Tensor, int], float]]:
    """The moment as a sum of (left factor, right vectors and symmetry, coefficient)."""
    x, y = moment.x, moment.y
    if y is None:
        return [(_Factor(x.left, x.left, moment.weight, 1), (x.right, x.right, 1), 1.0)]
    return [(_Factor(x.left, y.left, moment.weight, sign), (x.right, y.right, sign), 2.0) for sign in (1, -1)]


def dense(moments: Moments, chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
    """Every moment as a D × D matrix in the factors' precision, chunk results accumulated in float64."""
    groups: dict[tuple[int, int, int], list[tuple[str, _Factor, float]]] = {}
    rights: dict[tuple[int, int, int], tuple[Tensor, Tensor, int]] = {}
    for name, moment in moments.items():
        for left, right, coefficient in _products(moment):
            group = (id(right[0]), id(right[1]), right[2])
            groups.setdefault(group, []).append((name, left, coefficient))
            rights[group] = right
    total, done = sum(g[0][1].a.shape[0] for g in groups.values()), 0
    result: dict[str, Tensor] = {}
    for group, stack in groups.items():
        first, second, sign = rights[group]
        wide = first[:, None]
        across = _Factor(wide, wide if second is first else second[:, None], None, sign)
        n, d_in, d_out = first.shape[0], first.shape[1], stack[0][1].a.shape[2]
        t_out, t_in = d_out * (d_out + 1) // 2, d_in * (d_in + 1) // 2
        sums = torch.zeros(len(stack) * t_out, t_in, dtype=torch.float64, device=first.device)
        lefts, others = (first.new_empty(min(chunk, n), width) for width in sums.shape)
        for rows in chunks(n, chunk):
            size = rows.stop - rows.start
            for (_, factor, _), columns in zip(stack, lefts[:size].split(t_out, dim=1), strict=True):
                factor.triangles(rows, columns)
            across.triangles(rows, others[:size])
            sums += lefts[:size].mT @ others[:size]
            done += size
            progress("moments", done, total)
        for (name, _, coefficient), triangle in zip(stack, sums.split(t_out), strict=True):
            matrix = unfold((triangle * (coefficient / n)).to(first.dtype), d_out, d_in, sign)
            result[name] = result[name].add_(matrix) if name in result else matrix
    return result


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


# -- projected --------------------------------------------------------------------------------------------


def _along_many(
    moments: Iterable[Moment], basis: Float[Tensor, "d_out d_in k"], rows: slice
) -> Callable[[Side], Float[Tensor, "n r k"]]:
    """x ↦ x·v_i, with the costly V_i r_p computed once for all sides that share a right factor."""
    d_out, d_in, k = basis.shape
    flat = basis.transpose(0, 1).reshape(d_in, d_out * k)
    pushed: dict[int, Tensor] = {}
    lefts: dict[tuple[int, int], Tensor] = {}

    def along(side: Side) -> Tensor:
        key = (id(side.left), id(side.right))
        if key not in lefts:
            if id(side.right) not in pushed:
                pushed[id(side.right)] = (side.right[rows] @ flat).view(-1, d_out, k)
            lefts[key] = side.left[rows] @ pushed[id(side.right)]
        return lefts[key]

    return along


def project(
    moments: Moments, basis: Float[Tensor, "d_out d_in k"], chunk: int, progress: Progress = silent
) -> dict[str, Float[Tensor, "k k"]]:
    """Vᵀ M V of every moment, float64, for directions v_i given as d_out × d_in matrices. O(n D k)."""
    k = basis.shape[2]
    sums = {name: torch.zeros(k, k, dtype=torch.float64, device=basis.device) for name in moments}
    for n in sorted({moment.samples for moment in moments.values()}):
        group = {name: m for name, m in moments.items() if m.samples == n}
        for rows in chunks(n, chunk):
            along = _along_many(group.values(), basis, rows)
            for name, moment in group.items():
                x = along(moment.x)
                y = x if moment.y is None else along(moment.y)
                weighted = x if moment.weight is None else x * moment.weight[rows][:, :, None]
                product = weighted.flatten(0, 1).mT @ y.flatten(0, 1)
                sums[name] += (product if moment.y is None else product + product.mT) / n
            progress("projections", rows.stop, n)
    return sums


def diagonals_per_sample(
    moments: Moments, basis: Float[Tensor, "d_out d_in k"], rows: slice
) -> dict[str, Float[Tensor, "n k"]]:
    """Each sample's share of diag(VᵀMV): Σ_m w (x·v_i)², or 2 Σ_m w (x·v_i)(y·v_i). Its mean over samples
    is the diagonal; what a bootstrap over samples reweights."""
    along = _along_many(moments.values(), basis, rows)
    result = {}
    for name, moment in moments.items():
        x = along(moment.x)
        product = x.square() if moment.y is None else 2 * x * along(moment.y)
        if moment.weight is not None:
            product = product * moment.weight[rows][:, :, None]
        result[name] = product.sum(dim=1)
    return result


def apply(moment: Moment, basis: Float[Tensor, "d k"], chunk: int) -> Float[Tensor, "d k"]:
    """M V = E[Σ_m w x (x·V)] for a moment without a second side: O(n D k), never D × D."""
    d_out, d_in = moment.x.left.shape[2], moment.x.right.shape[1]
    k = basis.shape[1]
    shaped = basis.view(d_out, d_in, k)
    total = torch.zeros(d_out * k, d_in, dtype=torch.float64, device=basis.device)
    for rows in chunks(moment.samples, chunk):
        along = moment.x.along(shaped, rows)
        if moment.weight is not None:
            along = along * moment.weight[rows][:, :, None]
        back = moment.x.left[rows].mT @ along
        total += back.flatten(1).mT @ moment.x.right[rows]
    return (total.view(d_out, k, d_in).transpose(1, 2) / moment.samples).reshape(d_out * d_in, k).to(basis.dtype)
