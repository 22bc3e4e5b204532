"""A sample and its partner before one layer: activity-weight duality, exact and to first order, without torch.

The activity goes from a to a' = a + Δa, at t of the way a + tΔa. The least weight change that does the same to
z = W a + b is t ΔW*, ΔW* = (W Δa) aᵀ / ‖a‖². With one and the same label, exactly,

    ℓ(a + tΔa; W) = ℓ(a; W + tΔW*)
    g(a + tΔa; W) = g(a; W + tΔW*) (I + t a Δaᵀ / ‖a‖²)

and to first order g(a + tΔa; W) − g(a; W) ≈ t (v + u), v = (M W Δa) ⊗ a, u = δ ⊗ Δa. Source: theory.md section 3.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.errors import require
from engine.samples.downstream import Chain
from engine.samples.table import Samples


@dataclass(frozen=True)
class Walk:
    """What happens at steps t of the way from a to a'.

    by_activity: ℓ(a + tΔa; W); by_weight: ℓ(a; W + tΔW*); actual: ‖g(a + tΔa) − g‖; first_order: ‖t(v + u)‖;
    curvature: ‖tv‖; activity: ‖tu‖; error: ‖g(a + tΔa) − g − t(v + u)‖.
    """

    t: Float[ndarray, " s"]
    by_activity: Float[ndarray, " s"]
    by_weight: Float[ndarray, " s"]
    actual: Float[ndarray, " s"]
    first_order: Float[ndarray, " s"]
    curvature: Float[ndarray, " s"]
    activity: Float[ndarray, " s"]
    error: Float[ndarray, " s"]

    @property
    def relative(self) -> Float[ndarray, " s"]:
        """error / actual; NaN where the gradient does not change."""
        return np.divide(self.error, self.actual, out=np.full_like(self.error, np.nan), where=self.actual > 0)


@dataclass(frozen=True)
class Pair:
    """A sample, by its activity a (d_in) before the layer and its class, and the change Δa that leads to its
    partner's, whose class is other."""

    weight: Float[ndarray, "d_out d_in"]
    bias: Float[ndarray, " d_out"]
    chain: Chain
    start: Float[ndarray, " d_in"]
    change: Float[ndarray, " d_in"]
    target: int
    other: int

    @property
    def push(self) -> Float[ndarray, " d_out"]:
        """W Δa, the change of z."""
        return self.weight @ self.change

    @property
    def share(self) -> Float[ndarray, " d_in"]:
        """a / ‖a‖², the right factor of ΔW*."""
        return self.start / (self.start @ self.start)

    @property
    def weight_change(self) -> Float[ndarray, "d_out d_in"]:
        """ΔW* = (W Δa) aᵀ / ‖a‖²."""
        return np.outer(self.push, self.share)

    @property
    def distance(self) -> float:
        """‖Δa‖ / ‖a‖."""
        return float(np.linalg.norm(self.change) / np.linalg.norm(self.start))

    @property
    def z(self) -> Float[ndarray, " d_out"]:
        """W a + b."""
        return self.weight @ self.start + self.bias

    @property
    def curvature_term(self) -> Float[ndarray, "d_out d_in"]:
        """v = h_p vec(ΔW*) = (M W Δa) ⊗ a."""
        return np.outer(self.chain.first_order(self.z, self.target, self.push), self.start)

    @property
    def activity_term(self) -> Float[ndarray, "d_out d_in"]:
        """u = δ ⊗ Δa."""
        return np.outer(self.chain.gradient(self.z, self.target), self.change)

    def loss_by_activity(self, t: Float[ndarray, " s"], target: int | None = None) -> Float[ndarray, " s"]:
        """ℓ(a + tΔa; W), by default with the sample's own label."""
        z = self._activity(t) @ self.weight.T + self.bias
        return self.chain.value(z, self.target if target is None else target)

    def loss_by_weight(self, t: Float[ndarray, " s"]) -> Float[ndarray, " s"]:
        """ℓ(a; W + tΔW*)."""
        return self.chain.value(self._moved(t), self.target)

    def gradient_by_activity(self, t: float) -> Float[ndarray, "d_out d_in"]:
        """g(a + tΔa; W)."""
        a = self.start + t * self.change
        return np.outer(self.chain.gradient(self.weight @ a + self.bias, self.target), a)

    def gradient_by_weight(self, t: float) -> Float[ndarray, "d_out d_in"]:
        """g(a; W + tΔW*) (I + t a Δaᵀ / ‖a‖²)."""
        changed = self.weight + t * self.weight_change
        gradient = np.outer(self.chain.gradient(changed @ self.start + self.bias, self.target), self.start)
        return gradient @ (np.eye(self.start.size) + t * np.outer(self.share, self.change))

    def gradient_error(self, t: float) -> float:
        """How far the gradient identity is from exact: ‖left − right‖_F / ‖left‖_F, rounding alone."""
        left, right = self.gradient_by_activity(t), self.gradient_by_weight(t)
        size = float(np.linalg.norm(left))
        return float(np.linalg.norm(left - right)) / size if size > 0 else 0.0

    def walk(self, steps: int = 101) -> Walk:
        """The whole way in equal steps of t, 0 and 1 included."""
        t = np.linspace(0, 1, steps)
        a, column = self._activity(t), t[:, None]
        delta = self.chain.gradient(self.z + column * self.push, self.target)
        pull = self.chain.first_order(self.z, self.target, self.push)
        # Differences before products: what is left of those near t = 0 would be rounding.
        moved = delta - delta[0]
        u = (np.broadcast_to(delta[0], moved.shape), column * self.change)
        v = (column * pull, np.broadcast_to(self.start, a.shape))
        return Walk(
            t=t,
            by_activity=self.loss_by_activity(t),
            by_weight=self.loss_by_weight(t),
            actual=size((moved, a), u),
            first_order=size(v, u),
            curvature=size(v),
            activity=size(u),
            error=size((moved - column * pull, v[1]), (moved, column * self.change)),
        )

    def _activity(self, t: ndarray) -> ndarray:
        return self.start + np.asarray(t, float)[:, None] * self.change

    def _moved(self, t: ndarray) -> ndarray:
        """(W + tΔW*) a + b, from the changed weights themselves."""
        changed = self.weight + np.asarray(t, float)[:, None, None] * self.weight_change
        return changed @ self.start + self.bias


def size(*terms: tuple[Float[ndarray, "s d_out"], Float[ndarray, "s d_in"]]) -> Float[ndarray, " s"]:
    """‖Σ l ⊗ r‖_F of terms (l, r), row by row, without a product of two long vectors."""
    total = sum((left * l).sum(axis=1) * (right * r).sum(axis=1) for left, right in terms for l, r in terms)
    return np.sqrt(np.maximum(total, 0.0))


def pair(samples: Samples, sample: int, partner: int) -> Pair:
    """A sample and its partner. ValueError where there is no such sample, or both are one, or its activity is 0."""
    for p in (sample, partner):
        require(0 <= p < len(samples), f"There are samples 0 … {len(samples) - 1:,}; {p:,} is not among them.")
    require(sample != partner, f"Sample {sample:,} cannot be its own partner. Choose another one.")
    start = samples.activity[sample].astype(float)
    require(
        bool(start.any()),
        f"Nothing reaches the layer for sample {sample:,}: its activity is zero, and no change of weights has an "
        "effect. Choose another sample.",
    )
    change = samples.activity[partner].astype(float) - start
    return Pair(
        samples.weight, samples.bias, samples.chain, start, change,
        int(samples.targets[sample]), int(samples.targets[partner]),
    )  # fmt: skip
