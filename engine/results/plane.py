"""The loss over two directions of a layer's weights, and what mini-batches do there: arrays, and what is read off them.

The plane is spanned by two eigenvectors v_i, v_j of H, or by directions turned away from them towards two random ones
q_i, q_j, orthogonal to both and to each other: d(θ) = cos θ v + sin θ q, at θ = 0 the eigenbasis, at 90° chance.
NumPy only. Made by engine.curvature.plane.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

ANGLES = (0.0, 22.5, 45.0, 67.5, 90.0)  # degrees
POINTS, SAMPLES, BATCHES = 31, 2000, 300  # of the grid a side; for the loss, at most; mini-batches drawn
_ARRAYS = ("loss", "hessian", "noise", "gradient", "batches")


@dataclass(frozen=True, eq=False)
class Plane:
    """One pair of eigen-directions i < j (from 1), and their random twins.

    reach: the weights move from −reach to reach along both; loss: its mean over `samples` samples there (angle, along
    the second direction, along the first); hessian, noise: H and C in (v_i, v_j, q_i, q_j), over all samples; gradient:
    ∇L along these; batches: ∇L of single mini-batches of batch_size samples along them; rate: η, NaN where it is not
    known.
    """

    pair: tuple[int, int]
    reach: float
    samples: int
    batch_size: int
    rate: float
    loss: Float[ndarray, "a p p"]
    hessian: Float[ndarray, "4 4"]
    noise: Float[ndarray, "4 4"]
    gradient: Float[ndarray, "4"]
    batches: Float[ndarray, "m 4"]

    @property
    def axis(self) -> Float[ndarray, " p"]:
        """Where the loss was measured, along either direction."""
        return np.linspace(-self.reach, self.reach, self.loss.shape[1])

    @property
    def here(self) -> float:
        """The loss at the checkpoint, over the same samples."""
        middle = self.loss.shape[1] // 2
        return float(self.loss[0, middle, middle])

    def curvature(self, degrees: float) -> Float[ndarray, "2 2"]:
        """H along both directions turned by this angle."""
        return _seen(self.hessian, degrees)

    def covariance(self, degrees: float) -> Float[ndarray, "2 2"]:
        """C along both directions turned by this angle."""
        return _seen(self.noise, degrees)

    def kicks(self, degrees: float) -> Float[ndarray, "m 2"]:
        """Gradients of mini-batches less their mean ∇L, along both directions: the noise itself."""
        return (self.batches - self.gradient) @ turn(degrees)

    def correlation(self, degrees: float) -> float:
        """R of the noise along both directions; NaN without noise along one."""
        c = self.covariance(degrees)
        scale = math.sqrt(max(c[0, 0] * c[1, 1], 0.0))
        return float(c[0, 1] / scale) if scale else math.nan

    def exponent(self) -> float:
        """log(C_ii / C_jj) / log(H_ii / H_jj): the γ that this pair alone would give; NaN where either is not
        positive, or both curvatures are one."""
        h, c = self.hessian.diagonal(), self.noise.diagonal()
        if min(h[0], h[1], c[0], c[1]) <= 0 or h[0] == h[1]:
            return math.nan
        return float(np.log(c[0] / c[1]) / np.log(h[0] / h[1]))

    def to_arrays(self) -> tuple[dict[str, ndarray], dict[str, Any]]:
        """Arrays, and the rest as JSON."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        meta = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _ARRAYS}
        known = math.isfinite(self.rate)
        return arrays, meta | {"pair": list(self.pair), "rate": self.rate if known else None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ndarray], meta: Mapping[str, Any]) -> "Plane":
        """What to_arrays gave. KeyError, TypeError or ValueError where it is none."""
        i, j = map(int, meta["pair"])
        rate = math.nan if meta["rate"] is None else float(meta["rate"])
        parts = {name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS}
        return cls((i, j), float(meta["reach"]), int(meta["samples"]), int(meta["batch_size"]), rate, **parts)


def turn(degrees: float) -> Float[ndarray, "4 2"]:
    """Both directions in (v_i, v_j, q_i, q_j)."""
    angle = math.radians(degrees)
    return np.kron(np.array([[math.cos(angle)], [math.sin(angle)]]), np.eye(2))


def _seen(matrix: Float[ndarray, "4 4"], degrees: float) -> Float[ndarray, "2 2"]:
    axes = turn(degrees)
    return axes.T @ matrix @ axes


def ellipse(covariance: Float[ndarray, "2 2"], deviations: float = 2.0, points: int = 73) -> Float[ndarray, "q 2"]:
    """Where xᵀ C⁻¹ x = deviations²: of normal noise 1 − exp(−deviations²/2) lies inside, 86 % for two."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    angle = np.linspace(0, 2 * np.pi, points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return deviations * (circle * np.sqrt(np.clip(values, 0, None))) @ vectors.T
