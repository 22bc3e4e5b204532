"""The theorem's bound and its proof in five steps, held as data: title, words, numbers."""

import numpy as np

from pages.rooms.mechanism.spectra import Source
from pages.ui.steps import Step

TITLES = ("Two averages", "Left bound", "Right bound", "Two slopes", "What sets γ")


def statement(source: Source) -> str:
    """The bound in TeX, as it holds for these curvatures."""
    right = (
        r"\max\lvert\kappa\rvert\;\mathrm{E}[\lvert h\rvert]_{ii}"
        if source.bounds.negative
        else r"\kappa_{\max}\,H_{ii}"
    )
    return r"H_{ii}^2\;\le\;\mathrm{E}[h^2]_{ii}\;\le\;" + right


def steps(source: Source, direction: int) -> tuple[Step, ...]:
    """The proof, with the numbers of one direction (from 1) and of all that are fitted."""
    b, i, rows = source.bounds, direction - 1, source.directions
    return (
        _averages(source, i),
        Step(
            "A mean squared is at most the mean of the squares",
            r"The variance of $\kappa$ under those weights, $\mathrm{E}[h^2]_{ii} - H_{ii}^2$, cannot be negative "
            r"(Jensen). So $H_{ii}^2 \le \mathrm{E}[h^2]_{ii}$, whatever the signs of $\kappa$.",
            (
                (r"H_{ii}^2", float(b.lower[i])),
                (r"\mathrm{E}[h^2]_{ii}", float(b.noise[i])),
                (r"\text{variance of }\kappa", float(b.noise[i] - b.lower[i])),
                (r"\text{least }\mathrm{E}[h^2]_{ii}/H_{ii}^2", float((b.noise / b.lower)[rows].min())),
            ),
            r"Equality: all samples curve alike along $v_i$, and those that do not curve there at all count too. If "
            r"only a share $s$ of the weight lies on curvature, already $\mathrm{E}[h^2]_{ii} \ge H_{ii}^2/s$ holds.",
        ),
        _largest(source, i),
        Step(
            "On logarithmic axes: a line of slope 2 and a line of slope 1",
            r"Squaring is slope 2, a constant factor is slope 1. Where a cloud follows the lower line, the "
            r"curvature it sees grows with $H_{ii}$ itself; where it follows the upper one, every direction sees the "
            r"same. Which of the two is told by $\kappa_\mathrm{eff}(i) = \mathrm{E}[h^2]_{ii}/H_{ii}$, and γ − 1 is "
            r"its slope on $H_{ii}$. The bounds hold every **point** between the lines. They do not hold the **slope** "
            r"of a cloud in 1 … 2: the flatter a direction, the wider the room, and a fitted γ may leave it.",
            (
                (r"\kappa_\mathrm{eff}\text{, sharpest}", float(b.effective[rows[0]])),
                (r"\kappa_\mathrm{eff}\text{, flattest}", float(b.effective[rows[-1]])),
                (r"H_{ii}\text{, sharpest}", float(b.hessian[rows[0]])),
                (r"H_{ii}\text{, flattest}", float(b.hessian[rows[-1]])),
                (r"\text{decades between the lines at } i", float(np.log10(b.upper[i] / b.lower[i]))),
            ),
        ),
        _between(source),
    )


def _averages(source: Source, i: int) -> Step:
    b = source.bounds
    return Step(
        "Two averages with the same weights",
        r"$v_i$ meets the eigenvector $u_m$ of a sample with weight $\alpha_m = (u_m\cdot v_i)^2 \ge 0$, and over all "
        r"eigenvectors $\sum_m \alpha_m = 1$. So $H_{ii} = v_i^{\mathsf T}\mathrm{E}[h]\,v_i = "
        r"\mathrm{E}[\sum_m \kappa_m\alpha_m]$ is the mean curvature that direction $i$ sees, and "
        r"$\mathrm{E}[h^2]_{ii} = \mathrm{E}[\sum_m \kappa_m^2\alpha_m]$ is its mean square.",
        (
            (r"H_{ii}", float(b.hessian[i])),
            (r"\mathrm{E}[h^2]_{ii}", float(b.noise[i])),
            (r"\text{share of }H_{ii}\text{ from }\kappa_1", float(source.shares[0][i])),
            (r"\text{share of }\mathrm{E}[h^2]_{ii}\text{ from }\kappa_1", float(source.shares[1][i])),
        ),
    )


def _largest(source: Source, i: int) -> Step:
    b, rows = source.bounds, source.directions
    nearest = float((b.noise / b.upper)[rows].max())
    if not b.negative:
        return Step(
            "No curvature exceeds the largest",
            r"No $\kappa$ is negative here, so $\kappa^2 \le \kappa_{\max}\,\kappa$ for each of them. Averaged with "
            r"the same weights: $\mathrm{E}[h^2]_{ii} \le \kappa_{\max} H_{ii}$.",
            (
                (r"\kappa_{\max}", b.largest),
                (r"\mathrm{E}[h^2]_{ii}", float(b.noise[i])),
                (r"\kappa_{\max} H_{ii}", float(b.upper[i])),
                (r"\text{largest }\mathrm{E}[h^2]_{ii}/(\kappa_{\max} H_{ii})", nearest),
            ),
            r"Equality: $v_i$ sees only curvatures that are zero or the largest. With one curvature for all samples it "
            r"holds in every direction, and γ = 1.",
        )
    least = "" if b.exact else r" (of which the kept spectra tell the least it can be)"
    return Step(
        "No curvature exceeds the largest in size",
        r"Some $\kappa$ are negative here. Still $\kappa^2 \le \max\lvert\kappa\rvert\,\lvert\kappa\rvert$, and "
        r"averaged with the same weights "
        r"$\mathrm{E}[h^2]_{ii} \le \max\lvert\kappa\rvert\;\mathrm{E}[\lvert h\rvert]_{ii}$"
        f"{least}. "
        r"A multiple of $H_{ii}$ is no bound any more: curvatures of both signs cancel in $H$ and not in $h^2$.",
        (
            (r"\max\lvert\kappa\rvert", b.largest),
            (r"\mathrm{E}[\lvert h\rvert]_{ii}", float(b.magnitude[i])),
            (r"H_{ii}", float(b.hessian[i])),
            (r"\mathrm{E}[h^2]_{ii}", float(b.noise[i])),
            (r"\max\lvert\kappa\rvert\,\mathrm{E}[\lvert h\rvert]_{ii}", float(b.upper[i])),
            (r"\text{largest ratio of the two}", nearest),
        ),
        r"Equality: $v_i$ sees only curvatures that are zero or the largest in size.",
    )


def _between(source: Source) -> Step:
    p = source.place
    return Step(
        "Where between the two: the correlation of κ with its alignment",
        r"If $\alpha$ does not depend on $\kappa$, $\kappa_\mathrm{eff}$ is one number and γ = 1. If each direction "
        r"owns one curvature and an equal share of the samples, $\kappa_\mathrm{eff} \propto H_{ii}$ and γ = 2; where "
        r"sharp samples are rarer, as $\kappa^{-\beta}$, γ = (2 − β)/(1 − β). Between them, γ − 1 is close to the "
        r"slope, on log axes, of the curvatures that a direction sees: their correlation with $H_{ii}$ times the ratio "
        r"of the two widths.",
        (
            (r"r", p.correlation),
            (r"s_\kappa\text{, decades}", p.spread),
            (r"s_H\text{, decades}", p.hessian_spread),
            (r"1 + r\,s_\kappa/s_H", p.expected),
            (r"\gamma", p.gamma),
        ),
        r"Equality of the last two: log-normal curvatures, equally wide along every direction.",
    )
