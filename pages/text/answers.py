"""The first sentence of a page: the answer to the question in its title, from the numbers on the screen."""

from collections.abc import Sequence

import numpy as np

from pages.data import results
from pages.data.results import View
from pages.state.palette import LOOKS, number
from pages.text import confidence

NOT_LOOKED = "It is not known here yet: every training sample has to be looked at once."
# Of the distance between shared and unrelated directions: what is called near to either.
NEAR, FAR = 0.25, 0.75


def power_law(view: View, names: Sequence[str], first: int, last: int) -> str:
    """By which power."""
    name = "C" if "C" in names else names[0]
    law = results.fit(view.key, name, last, first)
    if law is None:
        return "Too few of these directions lie above the noise floor to tell."
    tex = f"${LOOKS[name].tex}$"
    sure = "" if law.interval is None else f" (95 %: {law.interval[0]:.2f} … {law.interval[1]:.2f})"
    bent = confidence.bent(view, name, last, first)
    return (
        f"By the power **{law.gamma:.2f}**{sure}, {bent}: 10 times as sharp, {tex} is "
        f"**{number(10**law.gamma, 2)} times** as large."
    )


def commutativity(view: View, name: str) -> str:
    """Whether directions are shared, between the two extremes."""
    a, tex = view.analysis, LOOKS[name].tex
    if name in a.wholes:
        error, chance = a.commutator(name), a.random_commutator(name)
        word = _between(error / chance) if chance else "Yes"
        return (
            f"**{word}**: the commutator error of $H$ and ${tex}$ is **{error:.2f}**; shared directions give 0, "
            f"unrelated ones {chance:.2f}."
        )
    aligned, chance = a.alignment(name), a.random_alignment(name)
    word = _between((1 - aligned) / (1 - chance)) if chance < 1 else "Yes"
    return (
        f"**{word}**: the alignment of ${tex}$ with $H$ is **{aligned:.2f}**; shared directions give 1, unrelated ones "
        f"{chance:.2f}."
    )


def _between(share: float) -> str:
    """How far from shared (0) towards unrelated (1), in a word."""
    return "Nearly all of them" if share < NEAR else "In part" if share < FAR else "Hardly more than by chance"


def dynamics(view: View, first: int, last: int) -> str:
    """How γ went along the epochs that are analysed."""
    name = "C" if "C" in view.analysis.names else view.analysis.names[0]
    along = np.array(results.gammas(view, name, last, first))
    there = np.flatnonzero(np.isfinite(along))
    if there.size < 2:
        return "One epoch makes no course: analyse more of them."
    epochs = np.array(view.epochs)
    start, end = along[there[0]], along[there[-1]]
    farthest = there[np.argmax(np.abs(along[there] - start))]
    moved = f"γ of ${LOOKS[name].tex}$ goes from **{start:.2f}** at epoch {epochs[there[0]]} to **{end:.2f}**"
    way = "" if farthest == there[-1] else f", by way of {along[farthest]:.2f} at epoch {epochs[farthest]}"
    return f"{moved} at epoch {epochs[there[-1]]}{way}."


def start(view: View) -> str:
    """Whether the noise follows the curvature, in short."""
    last = min(results.USUAL_WINDOW, view.analysis.k)
    law = results.fit(view.key, "C", last) if "C" in view.analysis.names else None
    if law is None:
        return "At this epoch it cannot be told: too few directions lie above the noise floor."
    yes = "Yes" if law.r2 > 1 - NEAR else "In part" if law.r2 > NEAR else "Hardly"
    return (
        f"**{yes}**: where the loss bends 10 times as sharply, the noise is **{number(10**law.gamma, 2)} times** as "
        rf"strong: $C_{{ii}} \propto H_{{ii}}^{{\,{law.gamma:.2f}}}$."
    )
