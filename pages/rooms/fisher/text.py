"""What the page on the Fisher argument explains, in words and formulas; what the present numbers say about C = H/B."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from engine.samples.fisher import Argument
from pages.state.palette import number

ARGUMENT = r"""
**The usual argument** for $C = H/B$ has three links. Read the loss as $-\log p(y\,|\,x)$. Then $H$ is the **true
Fisher matrix** $F$, the mean of $g g^{\mathsf T}$ over labels that the network itself would draw. Put the data's
labels in their place and it becomes the **empirical Fisher matrix** $\mathrm{E}[g_p g_p^{\mathsf T}]$. And that is
$B\,C$, but for the mean gradient: $B\,C = \mathrm{E}[g g^{\mathsf T}] - \bar g\,\bar g^{\mathsf T}$. If all three
held, noise would be proportional to curvature, and $\gamma$ would be 1.
"""

FIGURES = r"""
**One basis.** Every matrix is seen along the eigenvectors $v_i$ of $H$ at that epoch:
$M_{ii} = v_i^{\mathsf T} M v_i$ for $F$, $\mathrm{E}[g g^{\mathsf T}]$, $B\,C$ and $\mathrm{E}[h^2]$. Divided by
$H_{ii}$, whatever equals $H$ lies on the dotted line at 1, and a law $M_{ii}\propto H_{ii}^{\gamma}$ is a line of
slope $\gamma - 1$. $\mathrm{E}[h^2]$ has another unit (curvature squared): it is drawn with the sum of $B\,C$, since
the paper proposes that $C$ is proportional to it.
"""

FIRST = r"""
**$H = F$.** For cross-entropy the Hessian in the logits, $\mathrm{diag}(\pi) - \pi\pi^{\mathsf T}$ with
$\pi = \mathrm{softmax}(f)$, is the covariance of the gradient $\pi - e_y$ over labels $y$ drawn from $\pi$, whatever
the label of the data is. If the logits are piecewise linear in the weights, as behind ReLU, nothing else adds to
$h_p$:

$$
\begin{aligned}h_p &= J^{\mathsf T}\big(\mathrm{diag}(\pi) - \pi\pi^{\mathsf T}\big)J\\
&= \mathrm{E}_{y\sim\pi}\big[g_p(y)\,g_p(y)^{\mathsf T}\big] .\end{aligned}
$$

The same holds for plain squared error, with a Gaussian around $f$. It does not behind a softmax with squared error,
nor where the rest of the network is curved (tanh, GELU).
"""

SECOND = r"""
**$F = \mathrm{E}[g g^{\mathsf T}]$** would need that the data's labels look like draws from the network's own
predictions. With two classes and confidence $p$ in the right one, a sample adds $(1-p)^2$ to the empirical Fisher
matrix, and $p\,(1-p)$ to the true one: a ratio of $(1-p)/p$, which vanishes as the network becomes certain. Squared
error, read as a likelihood, is that of a Gaussian around the outputs with variance $K/2$ for $K$ classes.
"""

THIRD = r"""
**$\mathrm{E}[g g^{\mathsf T}] = B\,C$** needs a mean gradient that is small beside the gradients of single samples:
true at a minimum of the loss, not while it still falls steeply.
"""

SLOPES = r"""
**Slope** $\gamma$ of $\log_{10} M_{ii}$ on $\log_{10} H_{ii}$ over the directions fitted; $H$ has 1 by definition.
Noise proportional to curvature would have 1 too.
"""

SIZES = r"""
**Size**: the sum of $M_{ii}$ over the directions kept, divided by that of $H_{ii}$. The dotted line is $H$. $C$ is that
of a batch drawn with replacement; drawn without, as in training, it is $(N-B)/(N-1)$ times as large.
"""


# B·C is called H where its sum is so near to H's, and its slope to 1; F is called H where they differ by so little.
NEAR_SIZE, NEAR_SLOPE, NEAR_FISHER = 0.1, 0.03, 1e-4


def holds(a: Argument, first: int, last: int) -> bool:
    """Whether B·C is H here, in size and slope."""
    fit = a.fit("BC", last, first)
    return fit is not None and abs(a.size("BC") - 1) < NEAR_SIZE and abs(fit.gamma - 1) < NEAR_SLOPE


VERDICTS = {(True, True): "Here it is", (True, False): "Only at first", (False, True): "Only at the end"}


def answer(stages: Sequence[Argument], first: int, last: int) -> str:
    """The verdict in short."""
    ends = (stages[0], stages[-1]) if len(stages) > 1 else stages
    held = holds(stages[0], first, last), holds(stages[-1], first, last)
    sums = ", ".join(f"at epoch {end.epoch} **{share_of(end.size('BC'))} H**" for end in ends)
    return f"**{VERDICTS.get(held, 'It is not')}**: in sum B·C is {sums}."


def verdict(stages: Sequence[Argument], first: int, last: int) -> str:
    """Whether C = H/B in this run, at its beginning and its end, and which link breaks."""
    start, end = stages[0], stages[-1]
    held = holds(start, first, last), holds(end, first, last)
    amounts = [_amount(end, first, last)]
    if len(stages) > 1:
        fit = start.fit("BC", last, first)
        slope = "" if fit is None else f", γ = {fit.gamma:.2f}"
        amounts.insert(0, f"at epoch {start.epoch} B·C is in sum {share_of(start.size('BC'))} H{slope}")
    broken = "" if all(held) else f" What breaks most is {LINKS[weakest(end if not held[1] else start)]}."
    over = f" γ over directions {first + 1} … {last:,}."
    return f"{VERDICTS.get(held, 'It is not')}: {'; '.join(amounts)}.{over}{broken}"


LINKS = (
    "the first link, H = F",
    "the second link, F = E[g gᵀ]: the data's labels are not draws from the network's predictions",
    "the third link, E[g gᵀ] = B·C: the mean gradient is not small",
)


def weakest(a: Argument) -> int:
    """The link (from 0) over which the sum changes by the largest factor."""
    chain = ("H", "fisher", "empirical", "BC")
    return int(np.argmax([abs(np.log(a.size(to, of))) for of, to in pairwise(chain)]))


def _amount(a: Argument, first: int, last: int) -> str:
    fit = a.fit("BC", last, first)
    text = f"at epoch {a.epoch} B·C is in sum {share_of(a.size('BC'))} H"
    if fit is None:
        return text
    h = a.diagonals["H"]
    inside = h[first:last][h[first:last] > a.floor]
    sharp, flat = (float(fit.line(np.array([x]))[0] / x) for x in (inside.max(), inside.min()))
    return (
        f"{text}, γ = {fit.gamma:.2f}, which goes from {share_of(sharp)} H along the sharpest direction fitted to "
        f"{share_of(flat)} H along the flattest"
    )


def share_of(ratio: float) -> str:
    """How many times a matrix another one is."""
    return number(ratio, 3 if 0.995 <= ratio < 1.095 else 2)


def percent(share: float) -> str:
    """A share that may be tiny."""
    return f"{number(100 * share, 2)} %"


def stage(a: Argument) -> str:
    """The three links at one checkpoint."""
    return (
        f"F differs from H by {number(a.gap, 1)} of $H_{{11}}$ at most. In sum, $\\mathrm{{E}}[g g^{{\\mathsf T}}]$ is "
        f"**{share_of(a.size('empirical', 'fisher'))}** F, the mean gradient **{percent(a.mean_gradient)}** of that, "
        f"and $B\\,C$ is **{share_of(a.size('BC'))}** H."
    )


def first_link(stages: Sequence[Argument]) -> str:
    """H = F, and why or why not."""
    worst = max(a.gap for a in stages)
    a = stages[-1]
    if a.fisher_is_hessian:
        how = "they are equal" if worst < NEAR_FISHER else "they should be equal"
        return (
            f"With this loss and what follows the layer here {how}: the largest difference at any of these epochs is "
            f"**{number(worst, 2)}** of $H_{{11}}$, the rounding of single precision."
        )
    if "targets" in a.loss.hessian_of:
        reason = f"the Hessian of {a.loss.words} depends on the label: its residual does not average out"
    else:
        reason = (
            "what follows the layer is curved, so $h_p$ has a second part, the curvature of the logits times the "
            "residual, whose mean vanishes for labels drawn from the network but not for those of the data"
        )
    return f"They are not equal here: {reason}. The largest difference is **{number(worst, 2)}** of $H_{{11}}$."


def second_link(stages: Sequence[Argument]) -> str:
    """F = E[g gᵀ]: the data's labels against labels that the network would draw."""
    sizes = _each(stages, lambda a: share_of(a.size("empirical", "fisher")))
    end = stages[-1].size("empirical", "fisher")
    if stages[-1].loss.gaussian:
        why = (
            "Squared error is the likelihood of a Gaussian around the outputs whose variance, half the number of "
            "classes, has nothing to do with how far the labels really are from them."
        )
    elif end < 1 - NEAR_SIZE:
        why = (
            "The network is right more often on its training samples than its own confidence says, so the gradients "
            "of the true labels are smaller than those of drawn ones."
        )
    elif end > 1 + NEAR_SIZE:
        why = "The network is wrong more often than its own confidence says, so the true labels' gradients are larger."
    else:
        why = "Here the network is right about as often as its own confidence says."
    return f"In sum the empirical Fisher matrix is, in units of F, {sizes}. {why}"


def third_link(stages: Sequence[Argument]) -> str:
    """E[g gᵀ] = B·C: the mean gradient."""
    shares = _each(stages, lambda a: percent(a.mean_gradient))
    direction, most = stages[0].steepest
    small = max(a.mean_gradient for a in stages) < NEAR_SIZE
    text = "So this link holds nearly: single gradients are large beside their mean." if small else "It is not small."
    return (
        f"Of the empirical Fisher matrix the mean gradient makes up in sum {shares}. At epoch {stages[0].epoch} its "
        f"share is largest along direction {direction}: {percent(most)}. {text}"
    )


def instead(stages: Sequence[Argument], first: int, last: int) -> str:
    """What C goes with instead: E[h²]."""
    fits = [(a.fit("BC", last, first), a.fit("E_h2", last, first), a.epoch) for a in stages]
    slopes = [
        f"{c.gamma:.2f} and {e.gamma:.2f} at epoch {epoch}" for c, e, epoch in fits if c is not None and e is not None
    ]
    return f"The slopes of $B\\,C$ and $\\mathrm{{E}}[h^2]$ are {_and(slopes)}." if slopes else ""


def _each(stages: Sequence[Argument], tell: Callable[[Argument], str]) -> str:
    return _and([f"**{tell(a)}** at epoch {a.epoch}" for a in stages])


def _and(parts: Sequence[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
