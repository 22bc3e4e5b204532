"""What follows the studied layer, in NumPy and float64: logits, loss and its derivatives at any pre-activation z.

Where the rest of the network is a chain of activations and linear layers, f = W_L φ(… W_1 φ(z) + b_1 …) + b_L, a page
can follow one sample wherever a hand moves it, without torch and at once. Exact, also for smooth activations:

    δ = ∂ℓ/∂z        backwards through the chain: δ ← φ'(z) ∘ (Wᵀ δ)
    M = ∂²ℓ/∂z²      likewise: M ← diag(φ') Wᵀ M W diag(φ') + diag(φ''(z) ∘ Wᵀ δ)
    M dz             forwards, dz ← W (φ'(z) ∘ dz), and backwards again, without M
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import erf

from engine.losses import Loss

Function = Callable[[ndarray], ndarray]


def _normal(x: ndarray) -> ndarray:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def _cumulative(x: ndarray) -> ndarray:
    return (1 + erf(x / np.sqrt(2))) / 2


# φ, φ' and φ'' of each activation; "" is none.
ACTIVATIONS: Mapping[str, tuple[Function, Function, Function]] = {
    "": (lambda x: x, np.ones_like, np.zeros_like),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float), np.zeros_like),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    "gelu": (
        lambda x: x * _cumulative(x),
        lambda x: _cumulative(x) + x * _normal(x),
        lambda x: (2 - x**2) * _normal(x),
    ),
}


@dataclass(frozen=True)
class Step:
    """x ↦ W φ(x) + b. activation: φ, a name in ACTIVATIONS."""

    activation: str
    weight: Float[ndarray, "d_out d_in"]
    bias: Float[ndarray, " d_out"]

    def slope(self, x: ndarray) -> ndarray:
        """φ'."""
        return ACTIVATIONS[self.activation][1](x)

    def bend(self, x: ndarray) -> ndarray:
        """φ''."""
        return ACTIVATIONS[self.activation][2](x)


@dataclass(frozen=True)
class Chain:
    """From pre-activations z (…, d) to logits f (…, K) and the loss; without steps z are the logits."""

    steps: tuple[Step, ...]
    loss: Loss

    def logits(self, z: Float[ndarray, "*n d"]) -> Float[ndarray, "*n c"]:
        """f."""
        return self._run(z)[-1]

    def value(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n"]:
        """ℓ."""
        return self.loss.value(self.logits(z), target)

    def gradient(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n d"]:
        """δ = ∂ℓ/∂z."""
        seen = self._run(z)
        return self._backwards(seen, self.loss.derivatives(seen[-1], target)[0])

    def hessian(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n d d"]:
        """M = ∂²ℓ/∂z²."""
        *seen, f = self._run(z)
        delta, curvature = self.loss.derivatives(f, target)
        for step, x in zip(self.steps[::-1], seen[::-1], strict=True):
            delta, curvature = delta @ step.weight, step.weight.T @ curvature @ step.weight
            slope, bend = step.slope(x), step.bend(x)
            curvature = slope[..., :, None] * curvature * slope[..., None, :]
            curvature, delta = curvature + (bend * delta)[..., None] * np.eye(x.shape[-1]), slope * delta
        return curvature

    def first_order(
        self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int, change: Float[ndarray, "*n d"]
    ) -> Float[ndarray, "*n d"]:
        """M dz for a change dz of z: what δ changes by, to first order."""
        seen = self._run(z)
        moves = self._forwards(seen, change)
        delta, curvature = self.loss.derivatives(seen[-1], target)
        moved = np.einsum("...ij,...j->...i", curvature, moves[-1])
        for step, x, move in zip(self.steps[::-1], seen[-2::-1], moves[-2::-1], strict=True):
            delta, moved = delta @ step.weight, moved @ step.weight
            slope, bend = step.slope(x), step.bend(x)
            moved, delta = slope * moved + bend * move * delta, slope * delta
        return moved

    def straightened(
        self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int, change: Float[ndarray, "*n d"]
    ) -> Float[ndarray, "*n d"]:
        """δ at z + dz if the network went on from z as it is there: logits f + J dz, activations with the slopes they
        have at z, the loss itself exact."""
        seen = self._run(z)
        logits = seen[-1] + self._forwards(seen, change)[-1]
        return self._backwards(seen, self.loss.derivatives(logits, target)[0])

    def _run(self, z: ndarray) -> list[ndarray]:
        """z and what each step makes of it."""
        seen = [np.asarray(z, float)]
        for step in self.steps:
            seen.append(ACTIVATIONS[step.activation][0](seen[-1]) @ step.weight.T + step.bias)
        return seen

    def _forwards(self, seen: list[ndarray], change: ndarray) -> list[ndarray]:
        """A small change of z and what each step makes of it, where `seen` was passed."""
        moves = [np.asarray(change, float)]
        for step, x in zip(self.steps, seen[:-1], strict=True):
            moves.append((step.slope(x) * moves[-1]) @ step.weight.T)
        return moves

    def _backwards(self, seen: list[ndarray], delta: ndarray) -> ndarray:
        """A gradient in the logits as one in z."""
        for step, x in zip(self.steps[::-1], seen[-2::-1], strict=True):
            delta = step.slope(x) * (delta @ step.weight)
        return delta
