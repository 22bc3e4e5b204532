"""What is explained of duality before a layer that is used at several places, and what the numbers of a pair say."""

import numpy as np

from engine.samples.close_up import Dual
from engine.samples.table import AtPlaces
from pages.rooms.duality.text import on_the_way
from pages.state.palette import number
from pages.text.numbers import tex

LEAST = r"""
**One change for all places.** The partner's input changes $a_t$ into $a_t + \Delta a_t$ at every place at once. Of all
$\Delta W$ the one nearest to

$$\Delta W\,a_t = W\Delta a_t\quad\text{for all } t$$

in least squares, and among those the least, is $\Delta W^* = W\,\Delta A\,A^{+}$ with $A = [a_1 \dots a_T]$. With more
places than inputs no weight does the same to all of them: what is missed is
$\lVert\Delta W^* A - W\Delta A\rVert/\lVert W\Delta A\rVert$, 0 where duality is exact and 1 where no weight can do any
of it. Both maps have one scale.
"""

GRADIENT_AT_PLACES = r"""
**First order.** When all $a_t$ become $a_t + t\Delta a_t$ before this layer alone, the gradient of sample $p$ changes
by about $t\,(v + u)$,

$$v = \sum_t \big(\textstyle\sum_s M_{ts} W\Delta a_s\big)\otimes a_t,\qquad u = \sum_t \delta_t\otimes\Delta a_t .$$

$v$ is the curvature's part, $u$ the activity's. Where duality is not exact, $h_p\,\Delta w^*$ is not $v$: the
covariances of AWD are made of $v$.
"""


def nearest(samples: AtPlaces, dual: Dual, t: float) -> str:
    """Both losses, and what keeps them apart."""
    walk, missed = dual.walk, dual.residual
    by_activity, by_weight = (on_the_way(walk.t, y, t) for y in (walk.by_activity, walk.by_weight))
    size = float(np.linalg.norm(dual.weight_change) / np.linalg.norm(samples.weight))
    if missed < 1e-6:
        says = "No place is missed: here one change of weights does the same to all of them, and duality is exact."
    else:
        says = (
            f"One change of weights for all {samples.places:,} places misses **{missed:.0%}** of what the partner "
            "moves, so the two losses need not agree."
        )
    return (
        f"At $t = {t:.2f}$ the loss is ${tex(by_activity, 4)}$ with the activity changed and ${tex(by_weight, 4)}$ "
        f"with the weight. {says} $\\Delta W^*$ is {_of_w(size)}."
    )


def exact(samples: AtPlaces) -> str:
    """The median sample, and how partners were sought."""
    missed, condition, size = np.nanmedian(samples.fit, axis=0)
    alone = int(np.isnan(samples.fit[:, 0]).sum())
    pool = "the nearest of its class" if samples.anchors is None else f"the nearest of {samples.anchors} of its class"
    return (
        f"The partner is {pool}, by the layer’s whole input. In the median sample {missed:.0%} is missed, the "
        f"condition of $A$ is {number(float(condition))} and $\\Delta W^*$ is {_of_w(size)}."
        + (f" {alone:,} samples have no partner or no activity." if alone else "")
    )


def _of_w(size: float) -> str:
    """How large the change is beside W."""
    return f"{size:.1%} of $W$" if size < 2 else f"{number(size, 2)} times as large as $W$"
