"""What descents in one layer under noise of different shapes came to, and what of it is more than chance. NumPy alone;
made by engine.curvature.descent.

    w ← w − η(∇L + ξ),  ξ ~ N(0, X)

from one checkpoint, X fixed there and scaled to tr C, all other layers frozen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from engine.errors import require

# Weights of a layer up to which noise of every shape is drawn: the root of a D × D matrix is taken for each.
LIMIT = 2500
STEPS, SEEDS = 500, 5
# Seeds from which a spread is told, and a difference judged.
ENOUGH = 3
CHANCE = 0.05  # of calling any of the differences looked at real where none is
LAST = 0.2  # share of the steps over which the end of a descent is the mean

SGD, NONE, ISOTROPIC = "sgd", "none", "isotropic"
# The covariances X by name: those of engine.results.names as they are there.
SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "C": "Gaussian with the covariance of the mini-batch gradient",
        "C_odds": "Gaussian with curvature weighted by each sample's odds",
        "E_h2": "Gaussian with the mean squared per-sample Hessian",
        "H": "Gaussian with H/B, the Fisher argument's",
        "turned": "Gaussian with the spectrum of C in random directions, other ones for each seed",
        "isotropic": "Gaussian, equal in all directions",
    }
)
NOISES: Mapping[str, str] = MappingProxyType(
    {SGD: "mini-batches in this layer, as training draws them", **SHAPES, NONE: "the whole gradient, no noise"}
)
# What is followed: at every so many steps.
EVERY: Mapping[str, int] = MappingProxyType({"loss": 10, "accuracy": 10, "hessian": 50, "sharpness": 50, "noise": 50})
# Those whose ends are compared.
COMPARED = ("loss", "hessian", "sharpness", "accuracy")


@dataclass(frozen=True)
class Descents:
    """What became of each noise. steps: of each descent; rate: η; batch_size: B; samples: N; trace: tr C at the start,
    to which every X is scaled; notes: what is to be known, in sentences; values: by measure and noise, a row a seed and
    a column each EVERY steps: loss of the training samples, accuracy on unseen ones, hessian = tr H, sharpness = λ_1 of
    H, noise = tr C of mini-batches there; NaN where a descent diverged or there are no unseen samples. Without noise
    all seeds are one row."""

    steps: int
    rate: float
    batch_size: int
    samples: int
    trace: float
    notes: tuple[str, ...]
    values: Mapping[str, Mapping[str, Float[ndarray, "s p"]]]

    @property
    def names(self) -> tuple[str, ...]:
        """The noises, in the order of NOISES."""
        return tuple(name for name in NOISES if name in self.values["loss"])

    @property
    def shapes(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name in SHAPES)

    @property
    def seeds(self) -> int:
        return len(self.values["loss"][SGD])

    def at(self, measure: str) -> Int[ndarray, " p"]:
        """The steps at which a measure was taken."""
        return np.arange(0, self.steps + 1, EVERY[measure])

    def mean(self, measure: str, name: str) -> Float[ndarray, " p"]:
        return self.values[measure][name].mean(axis=0)

    def deviation(self, measure: str, name: str) -> Float[ndarray, " p"]:
        """Standard deviation over seeds; NaN of fewer than ENOUGH."""
        values = self.values[measure][name]
        return values.std(axis=0, ddof=1) if len(values) >= ENOUGH else np.full(values.shape[1], np.nan)

    def end(self, measure: str, name: str) -> Float[ndarray, " s"]:
        """The mean over the LAST steps, of each seed."""
        return self.values[measure][name][:, self.at(measure) >= (1 - LAST) * self.steps].mean(axis=1)

    @property
    def measures(self) -> tuple[str, ...]:
        """Those of COMPARED that every descent has an end of."""
        return tuple(m for m in COMPARED if all(np.isfinite(self.end(m, name)).all() for name in (SGD, *self.shapes)))

    @cached_property
    def comparisons(self) -> int:
        """Differences that are judged together: of each shape from SGD and from ISOTROPIC, in each measure."""
        return max(1, len(self.measures) * (2 * len(self.shapes) - 1))

    def apart(self, measure: str, a: str, b: str) -> bool:
        """Whether the means over seeds of the ends differ by more than chance: by Welch's t, CHANCE shared out over all
        comparisons. ValueError of fewer than ENOUGH seeds."""
        require(
            self.seeds >= ENOUGH,
            f"{self.seeds} of at least {ENOUGH} seeds are there: what differs by chance cannot be told yet. Go on.",
        )
        from scipy.special import stdtrit  # takes half a second: for those who ask

        x, y = self.end(measure, a), self.end(measure, b)
        errors = np.array([z.var(ddof=1) / z.size for z in (x, y)])
        if not errors.any():
            return bool(x.mean() != y.mean())
        freedom = errors.sum() ** 2 / (errors**2 / (np.array([x.size, y.size]) - 1)).sum()
        limit = stdtrit(freedom, 1 - CHANCE / self.comparisons / 2)
        return bool(abs(x.mean() - y.mean()) > limit * np.sqrt(errors.sum()))

    def differing(self, a: str, b: str) -> tuple[str, ...]:
        """The measures in which two noises end apart; see `apart`."""
        return tuple(measure for measure in self.measures if self.apart(measure, a, b))

    def with_seed(self, more: "Descents") -> "Descents":
        """The same with the rows of further seeds; what has one row for all keeps it."""
        values = {
            measure: {
                name: rows if name == NONE else np.concatenate([rows, more.values[measure][name]])
                for name, rows in noises.items()
            }
            for measure, noises in self.values.items()
        }
        return replace(self, values=values)

    def to_arrays(self) -> tuple[dict[str, ndarray], dict[str, Any]]:
        """Arrays by path-like name, and the rest as JSON values."""
        meta = {name: value for name, value in vars(self).items() if name in _META}
        return {f"{m}/{name}": rows for m, noises in self.values.items() for name, rows in noises.items()}, meta

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ndarray], meta: Mapping[str, Any]) -> "Descents":
        """The inverse of to_arrays; KeyError or TypeError where it is of another version."""
        values: dict[str, dict[str, ndarray]] = {measure: {} for measure in EVERY}
        for path, rows in arrays.items():
            measure, name = path.split("/")
            values[measure][name] = rows
        known = {name: meta[name] for name in _META}
        return cls(**known | {"notes": tuple(known["notes"])}, values=values)


_META = ("steps", "rate", "batch_size", "samples", "trace", "notes")
