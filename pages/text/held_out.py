"""What other samples say of γ: the verdict in one sentence, the numbers beside it, and the words that explain them."""

import math

from engine.results.cross_fit import CrossFit, Gammas
from pages.state.palette import LOOKS

NEAR = 0.05  # as near to 1 as the project's other sentences call the same

CROSSED = r"""
**In-sample and crossed.** $H = V\Lambda V^{\mathsf T}$ is diagonalised on samples, and $C_{ii}$ is usually read along
its eigenvectors $v_i$ on the same ones. Whatever these samples happen to have in common looks sharp and noisy at once:
a winner's curse. So the samples are cut at random in halves A and B, the weights fixed:

$$H_{ii} = v_i^{\mathsf T} H_B\, v_i,\qquad C_{ii} = v_i^{\mathsf T} C_B\, v_i,\qquad V \text{ from } H_A .$$

Both ways, over several random halvings. If the law held by itself, A and B would show the same slope.
"""
GROWING = r"""
**γ(N).** The same trained weights, measured on an eighth, a quarter, a half and all of the samples. Directions and
numbers from the same samples (filled), or numbers from as many others (open), as far as there are others. A slope that
falls as samples are added was lifted by having few of them. Where it ends with more samples than there are, nobody
knows: nothing is extrapolated.

$N_\mathrm{eff} = (\sum_p x_p)^2 / \sum_p x_p^2$ counts how many samples carry $\mathrm{tr}\,H$, by their shares $x_p$.
"""
EFFECTIVE = r"""
**Effective samples.** $M_{ii}$ is a mean over samples with shares $x_p$; as many equal shares as

$$N_\mathrm{eff} = \frac{(\sum_p x_p)^2}{\sum_p x_p^2}$$

would make it as uncertain. Where few samples carry a direction, that direction is theirs: on other samples it is
another one.
"""


def verdict(fit: CrossFit, name: str) -> str:
    """What other samples say of γ, in one sentence for each case that can be told apart."""
    whole, other = fit.whole.gamma, fit.crossed
    crossed = f"On other samples the exponent of ${LOOKS[name].tex}$ is **{other.gamma:.2f}**"
    test = "" if fit.test is None else f" Test samples give {fit.test.gamma:.2f}."
    if other.interval is None or fit.whole.interval is None:
        return f"{crossed}, on all of these {whole:.2f}; no interval is kept that would tell a difference.{test}"
    crossed += " ({:.2f} … {:.2f})".format(*other.interval)
    if not apart(fit.whole, other):
        return (
            f"{crossed}; on all of these it is {whole:.2f}. Both intervals together leave that open: no difference "
            f"can be told.{test}"
        )
    low, high = other.interval
    one = abs(other.gamma - 1) < NEAR or other.gamma < 1 <= high
    if other.gamma > whole:
        rest = "it is steeper there, so these samples did not lift it"
    elif whole > 1 and one:
        rest = "what lifts it above 1 belongs to these samples"
    elif other.gamma > 1:
        rest = f"{(whole - other.gamma) / (whole - 1):.0%} of what lifts it above 1 belongs to these samples"
        rest += ", and the interval leaves open whether all of it does" if low <= 1 else ""
    else:
        rest = "the slope hangs on which samples are measured"
    return f"{crossed}, not {whole:.2f}: {rest}.{test}"


def apart(one: Gammas, other: Gammas) -> bool:
    """Whether two γ differ by more than the 95 % intervals of both leave open; of the same samples, by less would do.
    Intervals that overlap do not say that there is no difference."""
    assert one.interval is not None, "there are two"
    assert other.interval is not None, "there are two"
    widths = ((high - low) / 2 for low, high in (one.interval, other.interval))
    return abs(one.gamma - other.gamma) > math.hypot(*widths)


def range_of(gammas: Gammas) -> str:
    """How far several readings lie apart."""
    low, high = (f"{end(fit.gamma for fit in gammas.fits):.2f}" for end in (min, max))
    count = len(gammas.fits)
    return (
        "" if count < 2 else f"{count} readings: {low} … {high}. " if low < high else f"All {count} readings: {low}. "
    )


def column(gammas: Gammas) -> str:
    """What stands under one γ: interval, directions and samples."""
    interval = "No interval. " if gammas.interval is None else "95 %: {:.2f} … {:.2f}. ".format(*gammas.interval)
    low, high = min(gammas.n), max(gammas.n)
    n = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"{interval}{range_of(gammas)}n = {n} directions of {gammas.samples:,} samples."


def beside(fit: CrossFit) -> str:
    """The cross-fitted γ in the fewest words, beside one that was read in-sample."""
    other = fit.crossed
    interval = "" if other.interval is None else " ({:.2f} … {:.2f})".format(*other.interval)
    return f"On other samples: **{other.gamma:.2f}**{interval}."
