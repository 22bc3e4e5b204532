"""What a swap of samples changes in the gradient, over all pairs of a checkpoint: how duality's covariance gets its
size and its shape, without torch.

A covariance from differences is ½ (1/B) E[Δg Δgᵀ] over pairs; of any two samples it is C, but for a factor
N / (N − 1). Duality takes the partner from the same class and v + u for Δg. Exactly,

    Δg = g(a') − g(a) = u + (δ' − δ) ⊗ a + (δ' − δ) ⊗ Δa,      u = δ ⊗ Δa

so first order means two things: M W Δa stands for δ' − δ, and the last product is left out.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from engine.errors import require
from engine.samples.pair import size
from engine.samples.table import Samples

Matching = Literal["nearest", "anchors", "random"]
MATCHINGS: tuple[Matching, ...] = get_args(Matching)
# Random samples of the class among which the paper's code looks for the nearest.
ANCHORS = 20
ROWS = 1024  # samples whose gradients are projected at a time: memory, no physics


@dataclass(frozen=True)
class Sizes:
    """Traces of covariances from differences, ½ (1/B) E‖·‖², from what is measured to what is predicted.

    noise: tr C; same_class: Δg of all pairs of one class, in closed form; actual: Δg of these pairs; one_sided:
    u + (δ' − δ) ⊗ a; straightened: the same with the δ' of Chain.straightened; first_order: v + u; with_mean:
    first_order + ½ (1 − 1/B) ‖v̄ + ū‖², tr C_AWD of these pairs.
    """

    noise: float
    same_class: float
    actual: float
    one_sided: float
    straightened: float
    first_order: float
    with_mean: float


@dataclass(frozen=True)
class Differences:
    """Pairs of one class, m of them. actual: ‖Δg‖; first_order: ‖v + u‖; curvature: ‖v‖; activity: ‖u‖; error:
    ‖Δg − v − u‖; distance: ‖Δa‖ / ‖a‖. Along the leading directions v_i of H: measured, C_ii;
    actual_along, first_order_along: ½ (1/B) E[(v_i·Δg)²] and ½ (1/B) E[(v_i·(v + u))²]."""

    sample: Int[ndarray, " m"]
    partner: Int[ndarray, " m"]
    distance: Float[ndarray, " m"]
    actual: Float[ndarray, " m"]
    first_order: Float[ndarray, " m"]
    curvature: Float[ndarray, " m"]
    activity: Float[ndarray, " m"]
    error: Float[ndarray, " m"]
    sizes: Sizes
    eigenvalues: Float[ndarray, " t"]
    measured: Float[ndarray, " t"]
    actual_along: Float[ndarray, " t"]
    first_order_along: Float[ndarray, " t"]


def matched(samples: Samples, matching: Matching, seed: int = 0) -> Int[ndarray, " n"]:
    """Each sample's partner in its own class, −1 without one: the nearest, the nearest of ANCHORS random ones, or a
    random one."""
    if matching == "nearest":
        return samples.partner
    rng = np.random.default_rng(seed)
    partner = np.full(len(samples), -1)
    for label in np.unique(samples.targets):
        members = np.flatnonzero(samples.targets == label)
        if members.size < 2:
            continue
        drawn = rng.integers(members.size - 1, size=(members.size, ANCHORS if matching == "anchors" else 1))
        # Everybody but oneself.
        drawn += drawn >= np.arange(members.size)[:, None]
        for rows in _chunks(members.size):
            own, pool = samples.activity[members[rows]], members[drawn[rows]]
            distance = ((samples.activity[pool] - own[:, None]) ** 2).sum(axis=2)
            partner[members[rows]] = np.take_along_axis(pool, distance.argmin(axis=1)[:, None], axis=1)[:, 0]
    return partner


def differences(samples: Samples, matching: Matching, seed: int = 0) -> Differences:
    """All pairs so matched. ValueError where no sample has a partner."""
    partner = matched(samples, matching, seed)
    a, y = samples.activity.astype(float), samples.targets
    p = np.flatnonzero((partner >= 0) & a.any(axis=1))
    require(p.size > 0, "No sample has a partner in its class: there is one sample of each.")
    q = partner[p]
    z = samples.preactivation(a)
    delta = samples.chain.gradient(z, y)
    own, change = a[p], a[q] - a[p]
    push = change @ samples.weight.T
    pull = samples.chain.first_order(z[p], y[p], push)
    u = (delta[p], change)
    moved = delta[q] - delta[p]
    straightened = samples.chain.straightened(z[p], y[p], push) - delta[p]
    batch = samples.batch_size
    scale = 1 / (2 * batch)
    actual, first = size((moved, a[q]), u), size((pull, own), u)
    mean = delta.T @ a / len(y)
    drift = (pull.T @ own + delta[p].T @ change) / p.size
    squares = (delta**2).sum(axis=1) * (a**2).sum(axis=1)
    first_order = scale * float((first**2).mean())
    along = _along(samples, p, q, delta, pull)
    return Differences(
        sample=p,
        partner=q,
        distance=np.linalg.norm(change, axis=1) / np.linalg.norm(own, axis=1),
        actual=actual,
        first_order=first,
        curvature=size((pull, own)),
        activity=size(u),
        error=size((moved - pull, own), (moved, change)),
        sizes=Sizes(
            noise=float(squares.mean() - (mean**2).sum()) / batch,
            same_class=_same_class(delta, a, y, squares) / batch,
            actual=scale * float((actual**2).mean()),
            one_sided=scale * float((size((moved, own), u) ** 2).mean()),
            straightened=scale * float((size((straightened, own), u) ** 2).mean()),
            first_order=first_order,
            with_mean=first_order + (1 - 1 / batch) / 2 * float((drift**2).sum()),
        ),
        eigenvalues=samples.eigenvalues[: len(samples.directions)],
        measured=samples.diagonals["C"][: len(samples.directions)],
        actual_along=scale * along[0],
        first_order_along=scale * along[1],
    )


def _same_class(delta: ndarray, a: ndarray, y: ndarray, squares: ndarray) -> float:
    """E ½‖g_p − g_q‖² over samples p and all others q of their class: within each class its variance, unbiased."""
    total, count = 0.0, 0
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        if rows.size > 1:
            mean = delta[rows].T @ a[rows] / rows.size
            total += rows.size**2 / (rows.size - 1) * float(squares[rows].mean() - (mean**2).sum())
            count += rows.size
    return total / count


def _along(
    samples: Samples, p: ndarray, q: ndarray, delta: ndarray, pull: ndarray
) -> tuple[Float[ndarray, " t"], Float[ndarray, " t"]]:
    """E[(v_i·Δg)²] and E[(v_i·(v + u))²]: projections by V_i a, single precision."""
    count, d_out, d_in = samples.directions.shape
    flat = samples.directions.reshape(count * d_out, d_in).T
    totals = np.zeros((2, count))
    for rows in _chunks(p.size):
        i, j = p[rows], q[rows]
        here, there = ((samples.activity[k] @ flat).reshape(-1, count, d_out) for k in (i, j))

        def along(left: ndarray, right: ndarray) -> ndarray:
            return np.einsum("nto,no->nt", right, left.astype(np.float32)).astype(float)

        actual = along(delta[j], there) - along(delta[i], here)
        first = along(pull[rows], here) + along(delta[i], there - here)
        totals += np.stack([(actual**2).sum(axis=0), (first**2).sum(axis=0)])
    return totals[0] / p.size, totals[1] / p.size


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + ROWS) for start in range(0, count, ROWS)]
