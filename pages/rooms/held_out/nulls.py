"""C beside permuted gradients and a random rotation, for every page that asks."""

import numpy as np

from engine.results.commutation import off_diagonal
from engine.results.null import CORRELATED, StructuralNull
from pages.charts import nulls
from pages.data import held_out, random_draws
from pages.data.results import View
from pages.plot import reproduce
from pages.plot.panel import Head, Panel
from pages.text import structural
from pages.ui import cards

STRUCTURAL = Head(
    "structural",
    "Is it more than what H and C share by construction?",
    "C beside permuted gradients",
    structural.STRUCTURAL,
)


def panel(view: View) -> Panel | None:
    """The four numbers over the leading directions usually fitted; None while nobody has permuted."""
    last = cards.usual_window(view.analysis)
    null = held_out.structural(view, last)
    if null is None:
        return None
    rotated, n = _rotated(view), null.commutator.permuted.size
    return Panel(
        STRUCTURAL,
        f"structural-{view.epoch}",
        nulls.beside(null, rotated),
        "Measured, permuted and rotated: "
        + "; ".join(
            f"{key} {one.measured:.2f}, permuted {structural.spread(one)}" for key, one in nulls.numbers(null).items()
        )
        + ".",
        f"{structural.rest(null)} Commutator and γ over the leading {last:,} directions, {n} permutations.",
        structural.verdict(null),
        arrays=lambda: _arrays(null),
        code=lambda: reproduce.one(
            view,
            f'null = result.structural_null("C", {last}, permutations={n})',
            "print(null.commutator.measured, null.commutator.permuted, null.commutator.p_value, null.gamma.permuted)",
        ),
    )


def _arrays(null: StructuralNull) -> dict[str, np.ndarray]:
    against = nulls.numbers(null)
    measured = {key: np.array([one.measured]) for key, one in against.items()}
    return measured | {f"{key}_permuted": one.permuted for key, one in against.items()}


def _rotated(view: View) -> dict[str, float]:
    """The same of C turned at random; along random directions its diagonal has no slope."""
    a = view.analysis
    turned = {"commutator": a.random_commutator("C"), "alignment": a.random_alignment("C")}
    try:
        r = random_draws.random_correlation(view, "C", min(CORRELATED, a.k), 0)
        turned["correlation"] = float(off_diagonal(r).rms[-1])
    except ValueError:  # its spectrum is not kept
        pass
    return turned | {"gamma": 0.0}
