"""What the page on activity-weight duality explains, in words and formulas; what the numbers of a pair, and of all
pairs, say."""

from collections.abc import Mapping

import numpy as np

from engine.results.power_law import power_law
from engine.samples.all_pairs import Differences
from engine.samples.pair import Walk
from engine.samples.table import Samples
from pages.rooms.duality.choice import Chosen
from pages.state.palette import number
from pages.text.numbers import tex
from pages.text.run_names import escaped

CHANGES = r"""
**Activity.** $a$ is what the studied layer receives for sample $p$, $a' = a + \Delta a$ what it receives for the
partner $p'$. Grey bars: $a$; narrow bars: $a + t\Delta a$; below: the change.

**Weight.** The layer computes $z = W a + b$. Of all weight changes with $(W + \Delta W)\,a = W a'$ the smallest is

$$\Delta W^* = \frac{(W\Delta a)\,a^{\mathsf T}}{\lVert a\rVert^2} .$$

It has rank one: the column $W\Delta a$ (bars at the left) times the row $a/\lVert a\rVert^2$ (bars on top). $W$ and
$W + t\Delta W^*$ share one colour scale, $\Delta W^*$ has its own.
"""

GRADIENT = r"""
**First order.** When $a$ becomes $a + t\Delta a$, the gradient of sample $p$ in the weights changes by about
$t\,(v + u)$,

$$v = h_p\,\Delta w^* = (M W\Delta a)\otimes a,\qquad u = \delta\otimes\Delta a .$$

$v$ is the curvature's part: the Hessian $h_p$ of this sample times the dual weight change. $u$ is the activity's
part: the gradient $\delta = \partial\ell/\partial z$ times the change of activity. $M = \partial^2\ell/\partial z^2$.

Duality of the loss is exact; this prediction is not.
"""

FIRST_ORDER = r"""
**Relative error of first order**, on the way from $p$ to its partner:

$$\frac{\lVert g(a + t\Delta a) - g(a) - t\,(v + u)\rVert}{\lVert g(a + t\Delta a) - g(a)\rVert} .$$

Near $t = 0$ it falls with $t$. At 1 (dotted) the error is as large as the change itself. It leaves the ground for two
reasons: activations behind the layer switch on or off on the way, which the curvature at $p$ cannot know, and the loss
does not go on bending as it does at $p$.
"""

COVARIANCE = r"""
**A covariance from differences.** For any two samples, $\tfrac12\,\mathrm{E}[\Delta g\,\Delta g^{\mathsf T}]/B$ *is*
$C$ (up to $N/(N-1)$). Duality takes partners of one class and $v + u$ for $\Delta g$:

$$
\begin{aligned}&C_\mathrm{AWD} = \tfrac12\big\{\tfrac1B\,\mathrm{E}[(v+u)(v+u)^{\mathsf T}]\\
&\quad + \big(1 - \tfrac1B\big)(\bar v + \bar u)(\bar v + \bar u)^{\mathsf T}\big\}.\end{aligned}
$$

The bars take one step after the other from $\mathrm{tr}\,C$ to $\mathrm{tr}\,C_\mathrm{AWD}$. Exactly,

$$\Delta g = u + (\delta' - \delta)\otimes a + (\delta' - \delta)\otimes\Delta a ,$$

so first order means: $M W\Delta a$ in place of $\delta' - \delta$, and no last product. *Activations kept straight*:
the network behind the layer goes on with the slopes it has at $p$, only the loss is exact. That tells which of the two
bends matters.
"""


def on_the_way(x: np.ndarray, y: np.ndarray, t: float) -> float:
    """What a curve has at t."""
    return float(np.interp(t, x, y))


def answer(chosen: Chosen) -> str:
    """Whether both changes are one, of the pair in hand."""
    if not chosen.possible:
        return "Of this sample nothing reaches the layer: there is no change of weights that does the same."
    own, end = chosen.pair, np.ones(1)
    by_activity, by_weight = float(own.loss_by_activity(end)[0]), float(own.loss_by_weight(end)[0])
    return (
        f"**Yes, exactly**: with the partner’s activity the loss is ${tex(by_activity, 6)}$, with $\\Delta W^*$ "
        f"instead ${tex(by_weight, 6)}$, and the gradients differ by ${tex(own.gradient_error(1.0), 2)}$ of their norm."
    )


def same_loss(chosen: Chosen, t: float) -> str:
    """The first identity with both numbers."""
    own, here = chosen.pair, np.array([t])
    by_activity, by_weight = float(own.loss_by_activity(here)[0]), float(own.loss_by_weight(here)[0])
    label = escaped(chosen.name(chosen.sample))
    return (
        f"**The same loss**, label {label}, at $t = {t:.2f}$:\n\n"
        f"$$\\begin{{aligned}}\\ell(a + t\\Delta a;\\,W) &= {tex(by_activity, 6)}\\\\"
        f"\\ell(a;\\,W + t\\Delta W^*) &= {tex(by_weight, 6)}\\end{{aligned}}$$\n\n"
        "The layer passes on the same $z$, so nothing behind it can tell the two apart, however far the partner is."
    )


def same_gradient(chosen: Chosen, t: float) -> str:
    """The second identity, the norms of both its sides, and how far they are apart."""
    own = chosen.pair
    left, right = (float(np.linalg.norm(g(t))) for g in (own.gradient_by_activity, own.gradient_by_weight))
    return (
        "**The same gradient**, but for a known factor; below, the norms of both sides:\n\n"
        "$$\\begin{aligned}g(a + t\\Delta a;\\,W) &= g(a;\\,W + t\\Delta W^*)\\\\ &\\quad\\times"
        "\\big(I + t\\,a\\,\\Delta a^{\\mathsf T}/\\lVert a\\rVert^2\\big)\\\\[2pt]"
        f"{tex(left, 6)} &= {tex(right, 6)}\\end{{aligned}}$$\n\n"
        f"Entry by entry both sides differ by ${tex(own.gradient_error(t), 2)}$ of their norm: rounding. This, too, is "
        "exact."
    )


def other_class(chosen: Chosen) -> str:
    """Why duality fails for the label of a partner of another class, with both numbers."""
    own, one = chosen.pair, np.ones(1)
    p, q = escaped(chosen.name(chosen.sample)), escaped(chosen.name(chosen.partner))
    true = float(own.loss_by_activity(one, own.other)[0])
    dual = float(own.loss_by_weight(one)[0])
    return (
        f"The partner is of class {q}, sample p of class {p}. With its own label the partner’s loss is "
        f"ℓ(a′; W) = {number(true)}; the changed weights give p the loss ℓ(a; W + ΔW\\*) = {number(dual)}. "
        f"They {'differ' if not np.isclose(true, dual) else 'agree only by chance'}: ΔW\\* makes the network see p as "
        f"the partner, but p keeps its label {p}, and no change of weights changes a label. With label {p} on both "
        "sides they agree. That is why duality takes partners of the same class."
    )


def weight_change(chosen: Chosen, t: float) -> str:
    """ΔW* with its numbers."""
    own = chosen.pair
    push, start = float(np.linalg.norm(own.push)), float(np.linalg.norm(own.start))
    whole = float(np.linalg.norm(own.weight))
    change = float(np.linalg.norm(own.weight_change))
    return (
        "$$\\Delta W^* = \\frac{(W\\Delta a)\\,a^{\\mathsf T}}{\\lVert a\\rVert^2},\\qquad "
        "\\lVert\\Delta W^*\\rVert_F = \\frac{\\lVert W\\Delta a\\rVert}{\\lVert a\\rVert} = "
        f"\\frac{{{tex(push)}}}{{{tex(start)}}} = {tex(change)},\\qquad \\lVert W\\rVert_F = {tex(whole)}.$$\n\n"
        f"It has rank one and is {change / whole:.1%} of $W$ at $t = 1$ (here $t = {t:.2f}$). Only weights from units "
        "that are active for $p$ change: any other change of weights with the same effect on $p$ is larger."
    )


def gradient(walk: Walk, t: float) -> str:
    """How far first order is off at t, and which term does it."""
    if t == 0:
        return "At $t = 0$ nothing has changed yet. Move $t$."
    names = ("actual", "first_order", "curvature", "activity", "error")
    at = {name: on_the_way(walk.t, getattr(walk, name), t) for name in names}
    share = at["error"] / at["actual"] if at["actual"] > 0 else np.nan
    ratio = at["first_order"] / at["actual"] if at["actual"] > 0 else np.nan
    more = "more" if ratio > 1 else "less"
    terms = (
        f"$v$, the curvature’s part, is {number(at['curvature'] / at['activity'])} times as long as $u$."
        if at["activity"] > 0
        else "$u$ vanishes: the gradient of $p$ does."
    )
    return (
        f"$$\\begin{{aligned}}\\lVert g(a + t\\Delta a) - g(a)\\rVert &= {tex(at['actual'])}\\\\"
        f"t\\,\\lVert v + u\\rVert &= {tex(at['first_order'])}\\\\"
        f"t\\,\\lVert v\\rVert &= {tex(at['curvature'])}\\\\t\\,\\lVert u\\rVert &= {tex(at['activity'])}"
        "\\end{aligned}$$\n\n"
        f"First order predicts {number(ratio)} times the true change, {more} than there is; its error is "
        f"{number(share)} times that change. {terms}\n\n"
        f"{beginning(walk)}"
    )


def beginning(walk: Walk) -> str:
    """How far first order holds to a tenth."""
    good = walk.relative[1:] < 0.1
    if good.all():
        return "It stays within a tenth all the way."
    until = walk.t[1:][~good][0]
    return f"It is good to a tenth only up to $t = {max(until - 0.01, 0):.2f}$."


def errors(walks: Mapping[str, Walk]) -> str:
    """The relative error at the end of every way."""
    ends = ", ".join(f"{name.split(',')[0]} {number(walk.relative[-1])}" for name, walk in walks.items())
    return f"At $t = 1$: {ends}. On the dotted line the error is as large as the change itself."


def slope(d: Differences, y: np.ndarray) -> float:
    """The log-log slope on H_ii; NaN without one."""
    try:
        return power_law(d.eigenvalues, y).gamma
    except ValueError:
        return float("nan")


def sizes(d: Differences, samples: Samples) -> str:
    """Why tr C_AWD is not tr C: the factor of every step, and which of them makes it."""
    s = d.sizes
    first = s.first_order / s.one_sided
    own = abs(np.log(s.actual / s.noise)) < 0.5 * abs(np.log(first))
    pairs = "The pairs are not" if own else "The pairs are partly"
    head = f"#### For such pairs the predicted noise is {number(s.with_mean / s.noise)} times the measured one\n\n"
    parts = [
        f"**{pairs} to blame.** Differences between any two samples of one class give "
        f"{number(s.same_class / s.noise)} tr C, these partners {number(s.actual / s.noise)} tr C"
        + (": neighbours have similar gradients." if s.actual < 0.9 * s.same_class else "."),
        f"Leaving out the product $(\\delta' - \\delta)\\otimes\\Delta a$ multiplies by "
        f"{number(s.one_sided / s.actual)}.",
        f"**First order for $\\delta' - \\delta$ multiplies by {number(first)}.** {why(d, samples)}",
        f"The part of the mean, $(1 - 1/B)$, adds {s.with_mean / s.first_order - 1:.1%}.",
    ]
    return head + " ".join(parts)


def why(d: Differences, samples: Samples) -> str:
    """Which nonlinearity first order misses."""
    s = d.sizes
    total = np.log(s.first_order / s.one_sided)
    if abs(total) < np.log(1.25):
        return "It carries all the way here."
    loss = not samples.chain.steps or abs(np.log(s.straightened / s.one_sided)) < 0.5 * abs(total)
    switch = "switch" if any(step.activation == "relu" for step in samples.chain.steps) else "bend"
    if total < 0:
        return (
            f"It predicts too little here: on the way activations {switch}, which changes $\\delta$ though the "
            "curvature at $p$ knows nothing of it."
            if not loss
            else "It predicts too little here: the loss bends more on the way than at $p$."
        )
    if loss:
        return (
            "With activations kept straight but the loss exact it would nearly be right: the gradient of the loss "
            "levels off on the way, while first order goes on along the tangent at $p$."
        )
    return (
        "With the loss exact it is still far off while activations keep the slopes they have at $p$: on the way they "
        f"{switch}, and the network leaves its tangent."
    )


def scatter(d: Differences) -> str:
    """Medians and the weight of the few largest."""
    positive = d.actual > 0
    ratio = np.median(d.first_order[positive] / d.actual[positive])
    missed = np.median(d.error[positive] / d.actual[positive])
    squares = np.sort(d.first_order**2)
    top = squares[-max(1, squares.size // 100) :].sum() / squares.sum() if squares.sum() > 0 else 0.0
    return (
        f"In the median pair $\\lVert v+u\\rVert$ is {number(ratio)} times $\\lVert\\Delta g\\rVert$, and its error "
        f"{number(missed)} times. One pair in a hundred makes {top:.0%} of the trace: the few samples that are nearly "
        "misclassified, where the loss bends most. Click a point to take that pair."
    )


def shape(d: Differences) -> str:
    """Slopes over the leading directions, and how constant the factor between prediction and truth is."""
    measured, exact, first = (slope(d, y) for y in (d.measured, d.actual_along, d.first_order_along))
    positive = (d.actual_along > 0) & (d.first_order_along > 0)
    ratio = d.first_order_along[positive] / d.actual_along[positive]
    if not ratio.size:
        return ""
    low, high = np.quantile(ratio, [0.1, 0.9])
    return (
        f"Slopes over these {d.eigenvalues.size} directions: {measured:.2f} measured, {exact:.2f} from exact "
        f"differences, {first:.2f} from first order. The factor between the last two is {number(low)} to "
        f"{number(high)} for most directions: "
        + (
            "nearly one number, so the exponent hardly feels it."
            if high < 2.5 * low
            else "not one number, so the exponent is not safe here."
        )
    )
