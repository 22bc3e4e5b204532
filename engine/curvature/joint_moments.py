"""H, E[g gᵀ] and E[h²] of several layers jointly, each a moment E_p[U_p X_p U_pᵀ] of a small symmetric X_p:

    h: X = Q        h2: X = Q S Q        gg: X = (δ; 0)(δ; 0)ᵀ

in the notation of engine.curvature.joint.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.joint import JointFactors, JointTail
from engine.curvature.moments import Along, Moments
from engine.curvature.triangles import unfold, upper
from engine.progress import Progress, silent

MOMENTS = ("h", "gg", "h2")


@dataclass(frozen=True, eq=False)
class JointMoments(Moments):
    """Those of layers studied jointly, whose factors are made anew whenever they are needed: too large to keep."""

    tail: JointTail
    gradient: Float[Tensor, " d"]
    samples: int
    counted: Mapping[str, Tensor] = field(default_factory=dict)

    def means(self) -> dict[str, Float[Tensor, " d"]]:
        return {"g": self.gradient}

    def along(self, v: Float[Tensor, "d k"], rows: slice) -> Along:
        factors = self.tail.factors(rows)
        u = factors.along(v)
        w, g = factors.core @ u, factors.slope(u)
        return Along({"h": (u, w), "gg": (g[:, None], g[:, None]), "h2": (w, factors.gram(w))}, {"g": g})

    def applied(self, v: Float[Tensor, "d k"], rows: slice) -> Float[Tensor, "d k"]:
        factors = self.tail.factors(rows)
        return factors.back(factors.core @ factors.along(v))

    def dense(self, chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
        return _dense(self.tail, chunk, progress)


# -- dense ------------------------------------------------------------------------------------------------
#
# Column (i, t) of U in layer l is e_i ⊗ a_l[t] in p_l and δ_l[i] ⊗ e_t in r_l, so entry ((i,t), (j,s)) of block
# (l, m) of U X Uᵀ is
#
#     X[l i, m j] a_l[t] a_m[s]  +  δ_l[i] δ_m[j] X[l t, m s]           outer: output with output, input with input
#   + X[l i, m s] a_l[t] δ_m[j]  +  δ_l[i] a_m[s] X[l t, m j]           inner: output with input
#
# and its mean over samples takes one product of (n, …)ᵀ with (n, …) for each term. Blocks below the diagonal mirror
# those above. On the diagonal the outer factors are symmetric, so that their triangles are enough, and the second
# inner term is the transpose of the first.


def _dense(tail: JointTail, chunk: int, progress: Progress = silent) -> dict[str, Float[Tensor, "d d"]]:
    """Every moment as a D × D matrix in the factors' precision."""
    n, layers = tail.targets.shape[0], len(tail.shapes)
    pairs = [(l, m) for m in range(layers) for l in range(m + 1)]

    def products(rows: slice) -> Iterator[tuple[tuple[str, int, int, str], Tensor]]:
        factors = tail.factors(rows)
        delta = torch.cat(factors.deltas, dim=1)
        forms = {
            "h": factors.core,
            "gg": delta[:, :, None] * delta[:, None],
            "h2": factors.core.mT @ factors.gram(factors.core),
        }
        for l, m in pairs:
            sides = _Sides(factors, l, m)
            for name, x in forms.items():
                for kind, left, right in sides.terms(name, x):
                    yield (name, l, m, kind), left.mT @ right

    sums = accumulate.sums(products, n, chunk, progress, "moments")
    ends = _ends(d_out * d_in for d_out, d_in in tail.shapes)
    result = {}
    for name in MOMENTS:
        matrix = tail.weights[0].new_zeros(ends[-1], ends[-1])
        for l, m in pairs:
            rows, columns = slice(ends[l], ends[l + 1]), slice(ends[m], ends[m + 1])
            for kind in [k for *key, k in sums if key == [name, l, m]]:
                total = sums.pop((name, l, m, kind))
                matrix[rows, columns] += _block(kind, (total / n).to(matrix.dtype), tail.shapes[l], tail.shapes[m])
            matrix[columns, rows] = matrix[rows, columns].mT
        result[name] = matrix
    return result


def _ends(sizes: Iterable[int]) -> list[int]:
    return list(itertools.accumulate(sizes, initial=0))


class _Sides:
    """What the terms of one pair of layers are made of: products of activities and of slopes, and where the
    layers lie on the axes of X."""

    def __init__(self, factors: JointFactors, l: int, m: int):
        a, d, layers = factors.activities, factors.deltas, len(factors.deltas)
        self.places = l, m
        self.aa, self.dd, self.ad, self.da = (
            x[:, :, None] * y[:, None] for x, y in ((a[l], a[m]), (d[l], d[m]), (a[l], d[m]), (d[l], a[m]))
        )
        axes = [slice(*pair) for pair in pairwise(_ends(factors.sizes))]
        inputs = [slice(0, 0), *axes[layers:]]
        self.outputs, self.inputs = (axes[l], axes[m]), (inputs[l], inputs[m])

    def terms(
        self, name: str, x: Float[Tensor, "n q q"]
    ) -> Iterator[tuple[str, Float[Tensor, "n e"], Float[Tensor, "n f"]]]:
        """Whose products, summed over samples, are the outer and the inner terms, as far as they are not zero: the
        first layer has no inputs on X, no layer moves an earlier one, and in gg nothing is moved."""
        (out_l, out_m), (in_l, in_m) = self.outputs, self.inputs
        l, m = self.places
        squared = name == "h2"
        outer = [(x[:, out_l, out_m], self.aa)]
        if squared and l > 0:
            outer.append((self.dd, x[:, in_l, in_m]))
        for left, right in outer:
            if l == m:
                yield "triangles", upper(left), upper(right)
            else:
                yield "outer", left.flatten(1), right.flatten(1)
        if (squared and m > 0) or (name == "h" and l < m):
            yield "both" if l == m else "inner", x[:, out_l, in_m].flatten(1), self.ad.flatten(1)
        if squared and 0 < l < m:
            yield "inner", self.da.flatten(1), x[:, in_l, out_m].flatten(1)


def _block(
    kind: str, total: Float[Tensor, "e f"], left: tuple[int, int], right: tuple[int, int]
) -> Float[Tensor, "d_l d_m"]:
    """A sum of products as a block of the matrix; left, right: (d_out, d_in) of its layers."""
    (o_l, i_l), (o_m, i_m) = left, right
    if kind == "triangles":
        return unfold(total, o_l, i_l, 1)
    if kind == "outer":  # (i j, t s)
        return total.view(o_l, o_m, i_l, i_m).transpose(1, 2).reshape(o_l * i_l, o_m * i_m)
    block = total.view(o_l, i_m, i_l, o_m).permute(0, 2, 3, 1).reshape(o_l * i_l, o_m * i_m)  # (i s, t j)
    return block + block.mT if kind == "both" else block
