"""What is said of C beside permuted gradients."""

from engine.results.null import Against, StructuralNull

STRUCTURAL = r"""
**The structural null.** A random rotation destroys all that $C$ and $H$ share, even what they share by construction:
the same activities $a_p$ lie in both. Here one thing alone is undone. The gradient is $g_p = \delta_p \otimes a_p$, and
$\delta_p$, with all places of its sample, goes to another sample of its class:

$$g'_p = \delta_{\pi(p)} \otimes a_p,\qquad C' = \tfrac1B\,\mathrm{Cov}(g'),\qquad H \text{ stays}.$$

Activities and the gradients of each class are kept; the tie between a sample's gradient and its own curvature is gone.
Where the measured number is one like those of $C'$, that tie is not needed for it. A $p$-value is
$(1 + \text{those at least as extreme})/(1 + \text{permutations})$, so that of 20 permutations none is below 0.048.
"""


def spread(one: Against) -> str:
    """Smallest and largest of the permutations."""
    if one.permuted.size == 0:
        return "undefined"
    return f"{one.permuted.min():.2f} … {one.permuted.max():.2f}"


def verdict(null: StructuralNull) -> str:
    """Whether commuting takes the tie between a sample's gradient and its own curvature, in words."""
    one, n = null.commutator, null.commutator.permuted.size
    among = "among all samples" if null.classes == 1 else "within classes"
    numbers = (
        f"Against noise that keeps {'the' if null.classes == 1 else 'each class’s'} gradients but not their tie to "
        f"curvature: {spread(one)}, measured {one.measured:.2f}"
    )
    if not one.p_value <= 1:  # undefined
        return "Where the permuted gradients vanish, nothing can be told."
    as_small = round(one.p_value * (1 + n)) - 1
    if as_small == 0:
        head = (
            f"None of {n} permutations {among} commutes as well: more than "
            f"{'what they share' if null.classes == 1 else 'the class'} explains (p = {one.p_value:.2g})."
        )
    elif one.p_value <= 0.1:
        head = f"{as_small} of {n} permutations {among} commute as well (p = {one.p_value:.2g}): hardly told apart."
    else:
        head = (
            f"{as_small} of {n} permutations {among} commute at least as well (p = {one.p_value:.2g}): no tie between "
            "a sample’s gradient and its own curvature is needed."
        )
    return f"**{head}** {numbers}."


def rest(null: StructuralNull) -> str:
    """The other numbers."""
    return (
        f"Alignment {null.alignment.measured:.2f}, permuted {spread(null.alignment)}; typical correlation between "
        f"directions {null.correlation.measured:.2f}, permuted {spread(null.correlation)}; γ "
        f"{null.gamma.measured:.2f}, permuted {spread(null.gamma)}."
    )
