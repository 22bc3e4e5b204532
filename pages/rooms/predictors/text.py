"""Words of the page on what predicts the noise."""

from collections.abc import Mapping

import numpy as np

from pages.rooms.predictors.figures import order_of
from pages.rooms.predictors.measure import Numbers
from pages.state.palette import PREDICTOR_LOOKS

MOST = 0.5  # of a trace, from which a single sample is told of beside the verdict

CLOUD = r"""
**Measured against predicted**, direction by direction. On the dotted line a predictor is right, size and all. A slope
of 1 beside it: right but for a constant.
"""

DISTANCE = r"""
**Distance** of whole matrices, over all directions kept:

$$
\frac{\lVert C - X\rVert_F}{\lVert C\rVert_F}\;\text{(filled)},\qquad
\min_s \frac{\lVert C - s\,X\rVert_F}{\lVert C\rVert_F}\;\text{(open)}.
$$

0 is perfect. 100 % (dotted) is what $X = 0$ would give. $\mathrm{E}[h^2]$ has other units than $C$, so it is told at
its best scale alone.
"""

PREDICTED = r"""
**The predictors.** $C_\mathrm{odds} = \frac1B\,\mathrm{E}\big[\tfrac{1-p}{p}\,h\big]$ weighs each sample's curvature by
its odds of being wrong, $p$ the probability of the right class: no noise exceeds it.
$C_\mathrm{loss} = \frac1B\,\mathrm{E}[\ell\,h]$ is nearly the same once $p$ is near 1. $H/B$ is the Fisher argument,
$\mathrm{E}[\ell]\,H/B$ the same with the mean loss. $\mathrm{E}[h^2]$ and the $C_{hh}$ are those of activity–weight
duality. $C_\mathrm{odds}$ and $C_\mathrm{loss}$ are this project's own, not the paper's.
"""

SLOPE = r"""
**Slope** of $\log_{10} C_{ii}$ on $\log_{10} X_{ii}$ over the directions fitted: 1 where $C$ is proportional to $X$.
"""

SIZE = r"""
**Size**, $\operatorname{tr} X/\operatorname{tr} C$ over the directions kept: 1 where the size is right too.
"""


def percent(share: float) -> str:
    """A distance: a share, or how many times."""
    return f"{100 * share:.{0 if share >= 0.095 else 1}f} %" if share < 10 else f"{share:,.0f} times"


def verdict(numbers: Mapping[str, Numbers]) -> str:
    """Which is nearest, with and without a free constant."""
    plain, scaled = order_of(numbers, "absolute"), order_of(numbers, "scaled")
    if not plain:
        return "How far the predictors are from $C$ is not kept of this analysis."
    first, best = plain[0], scaled[0]
    own, other = f"${PREDICTOR_LOOKS[first].tex}$", f"${PREDICTOR_LOOKS[best].tex}$"
    off = numbers[first].absolute
    if off >= 1:
        start = f"Without a free constant none comes near: the nearest, {own}, is **{percent(off)}** off"
    else:
        start = f"{own} is nearest: **{percent(off)} off** without any free constant"
    return f"{start}; at the best scale {other if best != first else 'it'} is {percent(numbers[best].scaled)} off."


def mistakes(largest: Mapping[str, float]) -> str:
    """That a single sample makes most of C_odds, where it does."""
    most = largest.get("C_odds", 0.0)
    return f" One sample alone makes {most:.0%} of $C_\\mathrm{{odds}}$." if most > MOST else ""


def share(largest: Mapping[str, float]) -> str:
    """How much single samples weigh."""
    shares = [f"{value:.1%} of $\\operatorname{{tr}}\\,{PREDICTOR_LOOKS[name].tex}$" for name, value in largest.items()]
    if not shares:
        return ""
    return f"One sample alone makes {' and '.join(shares)}: where it is much, a few confident mistakes dominate."


def table(numbers: Mapping[str, Numbers]) -> str:
    """All numbers, a predictor a row."""
    columns = ("X", "slope of C on X", "γ of X", "tr X / tr C", "distance", "at its best scale", "best scale")
    lines = [f"| {' | '.join(columns)} |", "|:--" + "|--:" * (len(columns) - 1) + "|"]
    for name, n in numbers.items():
        cells = (_number(n.slope), _number(n.gamma), _number(n.size, "{:.3g}"), _share(n.absolute), _share(n.scaled),
                 _number(n.scale, "{:.3g}"))  # fmt: skip
        lines.append(f"| ${PREDICTOR_LOOKS[name].tex}$ | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float, form: str = "{:.2f}") -> str:
    return form.format(value).replace("-", "−") if np.isfinite(value) else "–"


def _share(value: float) -> str:
    return percent(value) if np.isfinite(value) else "–"
