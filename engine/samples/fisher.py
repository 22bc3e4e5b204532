"""Whether C = H/B at a checkpoint, link by link: H = F, F = E[g gᵀ], E[g gᵀ] = B·C. Needs no torch.

The usual argument reads the loss as a negative log-likelihood. Then H is the true Fisher matrix F, where labels are
drawn from the network's own predictions; with the data's labels in their place F becomes the empirical Fisher matrix
E[g gᵀ]; and that is B·C up to the mean gradient, B·C = E[g gᵀ] − ḡ ḡᵀ. Each link is measured in the eigenbasis of H.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.losses import Loss
from engine.results.power_law import Fit, power_law
from engine.samples.table import Table

# B·C stands for C: in H's own units.
MATRICES = ("H", "fisher", "empirical", "BC", "E_h2")


@dataclass(frozen=True)
class Argument:
    """One checkpoint. diagonals: of MATRICES in the eigenbasis of H, over the directions kept; piecewise:
    what follows the layer is piecewise linear; floor: H_ii below it are rounding."""

    epoch: int
    loss: Loss
    piecewise: bool
    diagonals: Mapping[str, Float[ndarray, " k"]]
    floor: float

    @property
    def fisher_is_hessian(self) -> bool:
        """Whether theory says F = H: the loss' Hessian in the logits does not depend on the label, and logits are
        piecewise linear in the weights."""
        return self.piecewise and "targets" not in self.loss.hessian_of

    @property
    def gap(self) -> float:
        """max_i |F_ii − H_ii| / H_11."""
        h = self.diagonals["H"]
        return float(np.abs(self.diagonals["fisher"] - h).max() / h[0])

    @property
    def mean_gradient(self) -> float:
        """‖ḡ‖² / E‖g‖², over the directions kept: the share of E[g gᵀ] that is no noise."""
        own = float(self.diagonals["empirical"].sum())
        return 1 - float(self.diagonals["BC"].sum()) / own if own > 0 else 0.0

    @property
    def steepest(self) -> tuple[int, float]:
        """The direction (from 1) above the floor with the largest ḡ_i² / E[g gᵀ]_ii, and that share."""
        own, noise = (self.diagonals[name] for name in ("empirical", "BC"))
        inside = (self.diagonals["H"] > self.floor) & (own > 0)
        share = np.where(inside, 1 - np.divide(noise, own, out=np.ones_like(own), where=inside), 0.0)
        return int(share.argmax()) + 1, float(share.max(initial=0.0))

    def size(self, name: str, other: str = "H") -> float:
        """Σ_i M_ii / Σ_i of the other's, over the directions kept."""
        return float(self.diagonals[name].sum() / self.diagonals[other].sum())

    def fit(self, name: str, last: int | None = None, first: int = 0) -> Fit | None:
        """The power law M_ii ∝ H_ii^γ over directions first … last − 1 above the floor; None where they are too few."""
        try:
            return power_law(self.diagonals["H"][first:last], self.diagonals[name][first:last], self.floor)
        except ValueError:
            return None


def of(samples: Table) -> Argument:
    """The argument at a checkpoint."""
    all_diagonals = samples.diagonals
    diagonals = {name: all_diagonals[name] for name in ("H", "fisher", "empirical", "E_h2")}
    return Argument(
        epoch=samples.epoch,
        loss=samples.objective,
        piecewise=samples.piecewise,
        diagonals=diagonals | {"BC": samples.batch_size * all_diagonals["C"]},
        # The factors are float32.
        floor=float(np.finfo(np.float32).eps * samples.eigenvalues[0]),
    )
