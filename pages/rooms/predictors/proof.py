"""Why no noise exceeds C_odds, in five steps, held as data: title, words, numbers."""

import math
from collections.abc import Mapping

from numpy import ndarray

from engine.results.analysis import Analysis
from pages.ui.steps import Step

TITLES = ("One sample", "A gradient's own norm", "The odds", "All samples", "What is lost")
STATEMENT = r"C\;\preceq\;C_\mathrm{odds} = \frac1B\,\mathrm{E}\big[w_p h_p\big],\qquad w_p = r_p^{\mathsf T}A_p^{+}r_p"

# What the weight w is, by the loss.
WEIGHTS: Mapping[str, str] = {
    "ce": r"With $r_k = \pi_k$ beside the right class and $r_y = -(1-p)$ there, $p = \pi_y$: "
    r"$w = \sum_k r_k^2/\pi_k = \frac{(1-p)^2}{p} + (1-p) = \frac{1-p}{p}$, the odds of being wrong. "
    r"In terms of the loss $w = e^{\ell} - 1$.",
    "bce": r"Each output is an answer with its own odds; $A$ is diagonal, and $w$ is the mean of the odds against the "
    r"right answers.",
    "linear_mse": r"$A = \frac2K$ for every output, so $w = \frac2K\sum_k (f_k - y_k)^2 = 2\ell$.",
}
OTHERWISE = (
    r"$w$ is the odds times the weight of the class, the mean of them over the places of a sample, or of shares $q$ "
    r"their $\chi^2 = \sum_k q_k^2/\pi_k - 1$."
)


def steps(result: Analysis, i: int, fitted: ndarray) -> tuple[Step, ...]:
    """The proof, with the numbers of direction i (from 0) and of all that are fitted."""
    p, c, odds, h = result.provenance, result.diagonal("C"), result.diagonal("C_odds"), result.eigenvalues
    weight = p.batch_size * odds
    share = c[fitted] / odds[fitted]
    return (
        Step(
            "Gradient and curvature of one sample share their slopes",
            r"With $J$ the slopes of the outputs $f$, $r = \partial\ell/\partial f$ and "
            r"$A = \partial^2\ell/\partial f^2$: $g = J^{\mathsf T} r$ and $h = J^{\mathsf T} A\,J$ ($h$ without "
            r"the bending of $f$ itself, which has no "
            r"sign). So it is enough to compare $r\,r^{\mathsf T}$ with $A$, numbers of the outputs alone.",
            ((r"H_{ii} = \mathrm{E}[h]_{ii}", float(h[i])), (r"B\,C_{ii}", float(p.batch_size * c[i]))),
        ),
        Step(
            "A vector never exceeds its own norm",
            r"For $A \succeq 0$ and $r$ in its range, Cauchy and Schwarz give "
            r"$(r^{\mathsf T}x)^2 \le (r^{\mathsf T}A^{+}r)\,(x^{\mathsf T}A\,x)$ for every $x$. That is "
            r"$r\,r^{\mathsf T} \preceq w\,A$ with $w = r^{\mathsf T}A^{+}r$, and so $g\,g^{\mathsf T} \preceq w\,h$.",
            ((r"\mathrm{E}[w\,h]_{ii}", float(weight[i])),),
            r"Equality: $A$ has rank one, as with two classes.",
        ),
        Step(
            "The weight is the odds of being wrong",
            WEIGHTS.get({"nll": "ce"}.get(p.loss, p.loss), OTHERWISE),
            (
                (r"\mathrm{E}[\ell]", p.mean_loss),
                *(((r"e^{\mathrm{E}[\ell]} - 1", math.expm1(p.mean_loss)),) if p.loss in ("ce", "nll") else ()),
                (
                    r"\text{mean }w\text{ where direction } i \text{ is curved, } \mathrm{E}[wh]_{ii}/H_{ii}",
                    weight[i] / h[i],
                ),
            ),
        ),
        Step(
            "On average over the samples, and over a batch",
            r"Means keep the order: $\mathrm{E}[g\,g^{\mathsf T}] \preceq \mathrm{E}[w\,h]$. The covariance is smaller "
            r"still, $C = \frac1B\big(\mathrm{E}[g\,g^{\mathsf T}] - \bar g\,\bar g^{\mathsf T}\big)$. No constant is "
            r"free.",
            (
                (r"C_{ii}", float(c[i])),
                (r"(C_\mathrm{odds})_{ii}", float(odds[i])),
                (r"C_{ii}/(C_\mathrm{odds})_{ii}", float(c[i] / odds[i])),
                (r"\text{largest of these}", float(share.max())),
                (
                    r"\operatorname{tr} C/\operatorname{tr} C_\mathrm{odds}",
                    result.traces["C"] / result.traces["C_odds"],
                ),
            ),
            r"Equality: two classes, and a mean gradient of zero.",
        ),
        Step(
            "How near the bound is, and what is left out",
            r"The more wrong classes share the rest of the probability, the more room there is. Where $p$ is near 1, "
            r"$w = e^\ell - 1 \approx \ell$ for cross-entropy: $C_\mathrm{loss}$ is near, but no bound. A few "
            r"confident mistakes, $p \to 0$, weigh as much as they are certain.",
            (
                (
                    r"\operatorname{tr} C_\mathrm{odds}/\operatorname{tr} C",
                    result.traces["C_odds"] / result.traces["C"],
                ),
                *_loss(result),
                *(((r"\text{largest share of one sample}", p.largest["C_odds"]),) if "C_odds" in p.largest else ()),
            ),
        ),
    )


def _loss(result: Analysis) -> tuple[tuple[str, float], ...]:
    if "C_loss" not in result.names:
        return ()
    ratio = result.traces["C_loss"] / result.traces["C"]
    return ((r"\operatorname{tr} C_\mathrm{loss}/\operatorname{tr} C", ratio),)
