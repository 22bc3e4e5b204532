"""What follows the studied layer, in NumPy and float64: logits, loss and its derivatives at any pre-activation z.

Where the rest of the network is a chain of activations and linear layers, f = W_L φ(… W_1 φ(z) + b_1 …) + b_L, a page
can follow one sample wherever a hand moves it, without torch and at once. Exact, also for smooth activations:

    δ = ∂ℓ/∂z        backwards through the chain: δ ← φ'(z) ∘ (Wᵀ δ)
    M = ∂²ℓ/∂z²      likewise: M ← diag(φ') Wᵀ M W diag(φ') + diag(φ''(z) ∘ Wᵀ δ)
    M dz             forwards, dz ← W (φ'(z) ∘ dz), and backwards again, without M

The losses are those of engine.losses, which computes them for training and analysis; tests hold the two equal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import erf, log_softmax, softmax

from engine.config.requests import check_loss

Function = Callable[[ndarray], ndarray]


def _normal(x: ndarray) -> ndarray:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def _cumulative(x: ndarray) -> ndarray:
    return (1 + erf(x / np.sqrt(2))) / 2


# φ, φ' and φ'' of each activation.
ACTIVATIONS: Mapping[str, tuple[Function, Function, Function]] = {
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
    """x ↦ W φ(x) + b. activation: φ, a name in ACTIVATIONS, or "" for none."""

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
    """From pre-activations z (…, d) to logits f (…, K) and the loss; without steps z are the logits. loss: one of
    engine.config.requests.LOSSES."""

    steps: tuple[Step, ...]
    loss: str

    def __post_init__(self) -> None:
        check_loss(self.loss)

    def logits(self, z: Float[ndarray, "*n d"]) -> Float[ndarray, "*n c"]:
        """f."""
        return self._run(z)[-1]

    def value(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n"]:
        """ℓ."""
        return loss(self.loss, self.logits(z), target)

    def gradient(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n d"]:
        """δ = ∂ℓ/∂z."""
        seen = self._run(z)
        return self._backwards(seen, derivatives(self.loss, seen[-1], target)[0])

    def hessian(self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n d d"]:
        """M = ∂²ℓ/∂z²."""
        *seen, f = self._run(z)
        delta, curvature = derivatives(self.loss, f, target)
        for step, x in zip(self.steps[::-1], seen[::-1], strict=True):
            delta, curvature = delta @ step.weight, step.weight.T @ curvature @ step.weight
            if step.activation:
                slope, bend = step.slope(x), step.bend(x)
                curvature = slope[..., :, None] * curvature * slope[..., None, :]
                curvature = curvature + (bend * delta)[..., None] * np.eye(x.shape[-1])
                delta = slope * delta
        return curvature

    def first_order(
        self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int, change: Float[ndarray, "*n d"]
    ) -> Float[ndarray, "*n d"]:
        """M dz for a change dz of z: what δ changes by, to first order."""
        seen = self._run(z)
        moves = self._forwards(seen, change)
        delta, curvature = derivatives(self.loss, seen[-1], target)
        moved = np.einsum("...ij,...j->...i", curvature, moves[-1])
        for step, x, move in zip(self.steps[::-1], seen[-2::-1], moves[-2::-1], strict=True):
            delta, moved = delta @ step.weight, moved @ step.weight
            if step.activation:
                moved = step.slope(x) * moved + step.bend(x) * move * delta
                delta = step.slope(x) * delta
        return moved

    def straightened(
        self, z: Float[ndarray, "*n d"], target: Int[ndarray, "*n"] | int, change: Float[ndarray, "*n d"]
    ) -> Float[ndarray, "*n d"]:
        """δ at z + dz if the network went on from z as it is there: logits f + J dz, activations with the slopes they
        have at z, the loss itself exact."""
        seen = self._run(z)
        logits = seen[-1] + self._forwards(seen, change)[-1]
        return self._backwards(seen, derivatives(self.loss, logits, target)[0])

    def _run(self, z: ndarray) -> list[ndarray]:
        """z and what each step makes of it."""
        seen = [np.asarray(z, float)]
        for step in self.steps:
            x = ACTIVATIONS[step.activation][0](seen[-1]) if step.activation else seen[-1]
            seen.append(x @ step.weight.T + step.bias)
        return seen

    def _forwards(self, seen: list[ndarray], change: ndarray) -> list[ndarray]:
        """A small change of z and what each step makes of it, where `seen` was passed."""
        moves = [np.asarray(change, float)]
        for step, x in zip(self.steps, seen[:-1], strict=True):
            moves.append((step.slope(x) * moves[-1] if step.activation else moves[-1]) @ step.weight.T)
        return moves

    def _backwards(self, seen: list[ndarray], delta: ndarray) -> ndarray:
        """A gradient in the logits as one in z."""
        for step, x in zip(self.steps[::-1], seen[-2::-1], strict=True):
            delta = delta @ step.weight
            if step.activation:
                delta = step.slope(x) * delta
        return delta


def loss(name: str, f: Float[ndarray, "*n c"], target: Int[ndarray, "*n"] | int) -> Float[ndarray, "*n"]:
    """ℓ of logits f."""
    check_loss(name)
    if name == "ce":
        return -(_onehot(f, target) * log_softmax(f, axis=-1)).sum(axis=-1)
    output = softmax(f, axis=-1) if name == "mse" else f
    return ((output - _onehot(f, target)) ** 2).mean(axis=-1)


def derivatives(
    name: str, f: Float[ndarray, "*n c"], target: Int[ndarray, "*n"] | int
) -> tuple[Float[ndarray, "*n c"], Float[ndarray, "*n c c"]]:
    """∂ℓ/∂f and ∂²ℓ/∂f², by the formulas of engine.losses.gradient_and_hessian."""
    check_loss(name)
    classes = f.shape[-1]
    onehot, eye = _onehot(f, target), np.eye(classes)
    if name == "linear_mse":
        return (f - onehot) * (2 / classes), np.broadcast_to(eye * (2 / classes), (*f.shape, classes))
    p = softmax(f, axis=-1)
    # 1 − p_k as the sum of the others: near the end of training its rounding would be the whole curvature.
    other = p @ (1 - eye)
    residual = np.where(onehot > 0, -other, p)
    covariance = (p * other)[..., None] * eye - (1 - eye) * p[..., :, None] * p[..., None, :]
    if name == "ce":
        return residual, covariance
    w = residual - (p * residual).sum(axis=-1, keepdims=True)
    drift = np.einsum("...ij,...j->...i", covariance, residual + p)
    hessian = w[..., :, None] * covariance + p[..., :, None] * (covariance - drift[..., None, :])
    return p * w * (2 / classes), (hessian + np.swapaxes(hessian, -1, -2)) / classes


def _onehot(f: ndarray, target: ndarray | int) -> ndarray:
    return (np.asarray(target)[..., None] == np.arange(f.shape[-1])).astype(float)
