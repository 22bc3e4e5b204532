"""The Hessian of one sample, h_p = M ⊗ a aᵀ, from M and a alone: it is never built. NumPy, float64.

Eigenvectors of h_p are u_m = e_m ⊗ a/‖a‖ with those e_m of M, and their eigenvalues κ_m = λ_m ‖a‖².
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import softmax

from engine.samples.table import Samples

# Eigenvalues below this share of the largest are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True)
class One:
    """One sample before the studied layer. curvature: M = ∂²ℓ/∂z²; activity: a; values: λ_m of M by falling
    magnitude, as many as Samples.kappa has; vectors: e_m as columns; probabilities: softmax of the logits."""

    curvature: Float[ndarray, "d_out d_out"]
    activity: Float[ndarray, " d_in"]
    values: Float[ndarray, " r"]
    vectors: Float[ndarray, "d_out r"]
    probabilities: Float[ndarray, " c"]

    @property
    def length2(self) -> float:
        """‖a‖²."""
        return float(self.activity @ self.activity)

    @property
    def dimension(self) -> int:
        """D."""
        return self.curvature.shape[0] * self.activity.size

    @property
    def kappa(self) -> Float[ndarray, " r"]:
        """κ_m."""
        return self.values * self.length2

    @property
    def rank(self) -> int:
        """How many κ_m are more than rounding."""
        size = np.abs(self.values)
        return int((size > ROUNDING * size.max(initial=0.0)).sum())

    def eigenvector(self, m: int) -> Float[ndarray, "d_out d_in"]:
        """u_m (m from 0) in the shape of the weights, of length 1; zero where a is."""
        return np.outer(self.vectors[:, m], self._direction())

    def alignment(self, directions: Float[ndarray, "t d_out d_in"]) -> Float[ndarray, "r t"]:
        """(u_m·v_i)² with directions v_i in the shape of the weights."""
        return np.einsum("om,toi,i->mt", self.vectors, directions, self._direction(), optimize=True) ** 2

    def block(self, outputs: ndarray, inputs: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """M, a aᵀ and M ⊗ a aᵀ of these outputs and inputs."""
        a = self.activity[inputs]
        left, right = self.curvature[np.ix_(outputs, outputs)], np.outer(a, a)
        return left, right, np.kron(left, right)

    def share(self, outputs: ndarray, inputs: ndarray) -> float:
        """The share of ‖h_p‖²_F that this block holds; 1 where h_p is zero."""
        left, right, _ = self.block(outputs, inputs)
        whole = (self.curvature**2).sum() * self.length2**2
        return float((left**2).sum() * (right**2).sum() / whole) if whole > 0 else 1.0

    def largest(self, side: int) -> tuple[ndarray, ndarray]:
        """Outputs and inputs that weigh most in h_p, in their own order, so many that their block has at most `side`
        rows; all of them where that suffices."""
        d_out, d_in = self.curvature.shape[0], self.activity.size
        outputs = min(d_out, max(1, round(float(np.sqrt(side * d_out / d_in)))))
        inputs = min(d_in, side // outputs)
        outputs = min(d_out, side // inputs)
        # Of equal ones the first: a silent unit is as good as another.
        by_output = np.argsort(-(self.curvature**2).sum(axis=1), kind="stable")[:outputs]
        by_input = np.argsort(-np.abs(self.activity), kind="stable")[:inputs]
        return np.sort(by_output), np.sort(by_input)

    def _direction(self) -> ndarray:
        return self.activity / np.sqrt(self.length2) if self.length2 > 0 else self.activity


def of(samples: Samples, p: int) -> One:
    """Sample p of a checkpoint."""
    activity = samples.activity[p].astype(float)
    z = samples.preactivation(activity)
    curvature = samples.chain.hessian(z, int(samples.targets[p]))
    values, vectors = np.linalg.eigh(curvature)
    order = np.argsort(-np.abs(values), kind="stable")[: samples.kappa.shape[1]]
    return One(curvature, activity, values[order], vectors[:, order], softmax(samples.chain.logits(z)))


def terms(samples: Samples, v: Float[ndarray, "d_out d_in"]) -> dict[str, Float[ndarray, " n"]]:
    """Of each sample what makes H and B·C along a direction v of length 1: vᵀ h_p v = (Va)ᵀ M Va, and (g_p·v − ḡ·v)²
    with g_p·v = δ·Va. A last column of v is that of the bias, where it has one more than W."""
    activity = samples.activity.astype(float)
    z, wide = samples.preactivation(activity), activity.shape[1]
    push = activity @ v[:, :wide].T + v[:, wide:].sum(axis=1)
    slope = (samples.chain.gradient(z, samples.targets) * push).sum(axis=1)
    bent = (samples.chain.first_order(z, samples.targets, push) * push).sum(axis=1)
    return {"H": bent, "C": (slope - slope.mean()) ** 2}
