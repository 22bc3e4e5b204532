"""Whether an analysis holds on other samples: directions found on some, H and C read along them on others.

Eigenvectors of H chosen on the samples on which H_ii and C_ii are then read carry a winner's curse: what these samples
happen to have in common looks sharp and noisy at once. So the samples are cut in halves, the weights fixed, and γ is
read three ways: on the half whose H gave the directions, crossed on the other half, and on test samples along the
directions of all training samples. Source: theory.md 7.3 and 7.4. NumPy only; engine.curvature.cross_fit computes.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.errors import require
from engine.results import power_law
from engine.results.effective_samples import EffectiveSamples
from engine.results.jackknife import Jackknife
from engine.results.names import NAMES, ON_REQUEST
from engine.results.null import Permuted
from engine.results.power_law import Fit

JOINTLY = "Halves of the samples are compared layer by layer, not of several layers jointly. Analyse one layer."


@dataclass(frozen=True)
class Reading:
    """H and the named matrices of some samples along directions, in the order of the H_ii of those who gave these.

    samples: how many were read; diagonals[name]: v_iᵀMv_i, "H" among them; noise_floor: H_ii below it are rounding;
    effective: N_eff = (Σ x_p)² / Σ x_p² of the shares x_p that the samples have in the trace of some matrices;
    jackknife: with groups of the samples left out, the directions fixed.
    """

    samples: int
    diagonals: Mapping[str, Float[ndarray, " k"]]
    noise_floor: float
    effective: Mapping[str, float] = field(default_factory=dict)
    jackknife: Jackknife | None = None

    def fit(self, name: str, top_k: int | None = None, first: int = 0) -> Fit:
        """γ over directions first … top_k − 1 above the noise floor, with its interval over the samples read."""
        require(
            name in self.diagonals,
            f"Of {name} nothing is known on other samples, only of {', '.join(n for n in self.diagonals if n != 'H')}.",
        )
        x, y = (self.diagonals[key][first:top_k].astype(np.float64) for key in ("H", name))
        fit = power_law.power_law(x, y, self.noise_floor)
        if self.jackknife is None:
            return fit
        without = self.jackknife.without(name, x, y, power_law.fittable(x, y, self.noise_floor), first)
        return dataclasses.replace(fit, interval=power_law.interval(fit.gamma, without))

    @property
    def rank(self) -> int:
        """Leading directions above the noise floor, of samples along their own: behind them H is rounding, and its
        eigenvectors are any."""
        return int((self.diagonals["H"] > self.noise_floor).sum())

    def leading(self, count: int) -> "Reading":
        """The same along the leading directions alone."""
        return dataclasses.replace(self, diagonals={name: x[:count] for name, x in self.diagonals.items()})

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> "Reading":
        """From a tree of arrays."""
        jackknife = tree.get("jackknife")
        return cls(
            samples=int(tree["samples"]),
            diagonals=tree["diagonals"],
            noise_floor=float(tree["noise_floor"]),
            effective={name: float(value) for name, value in tree.get("effective", {}).items()},
            jackknife=None if jackknife is None else Jackknife(jackknife["edges"], jackknife["diagonals"]),
        )


@dataclass(frozen=True)
class Split:
    """Directions that some samples gave. own: H and the matrices of these samples; crossed: of as many others, None
    where there are not as many."""

    own: Reading
    crossed: Reading | None

    @property
    def elsewhere(self) -> Reading | None:
        """crossed, along the directions alone that the H of its giver has."""
        return self.crossed and self.crossed.leading(self.own.rank)

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> "Split":
        """From a tree of arrays."""
        return cls(Reading.of(tree["own"]), Reading.of(tree["crossed"]) if "crossed" in tree else None)


@dataclass(frozen=True)
class HeldOut:
    """What is kept below an analysis of how it holds on other samples.

    halves: of every split both ways, the two of one split after each other; growing: nested subsets of the samples,
    rising, smaller than a half; test: test samples along the directions of all training samples, None without
    any; seed: of the splits. effective: by name of a matrix. structural: C of permuted gradients, as "C".
    """

    halves: tuple[Split, ...]
    growing: tuple[Split, ...] = ()
    test: Reading | None = None
    seed: int = 0
    effective: Mapping[str, EffectiveSamples] = field(default_factory=dict)
    structural: Mapping[str, Permuted] = field(default_factory=dict)

    @property
    def splits(self) -> int:
        """How often the samples were cut in halves."""
        return len(self.halves) // 2

    @property
    def names(self) -> tuple[str, ...]:
        """The matrices that were read."""
        return tuple(name for name in (*NAMES, *ON_REQUEST) if name in self.halves[0].own.diagonals)

    def cross_fit(
        self, name: str, whole: "Gammas", top_k: int | None, first: int, splits: int, rank: int
    ) -> "CrossFit":
        """γ of a matrix over directions first … top_k − 1 beside that of all samples, whose H has this rank; of so many
        splits."""

        def gammas(readings: Iterable[Reading | None]) -> Gammas | None:
            there = [reading for reading in readings if reading is not None]
            return Gammas.of(there, name, top_k, first) if there else None

        halves = self.halves[: 2 * splits]
        half, crossed = gammas(split.own for split in halves), gammas(split.elsewhere for split in halves)
        test = gammas([self.test and self.test.leading(rank)])
        assert half is not None, "there are halves"
        assert crossed is not None, "each has another"
        growing = []
        for part in (*self.growing, self.halves[0]):
            with contextlib.suppress(ValueError):  # few samples have few directions
                growing.append((Gammas.of([part.own], name, top_k, first), gammas([part.elsewhere])))
        return CrossFit(whole, half, crossed, test, (*growing, (whole, None)))

    def to_arrays(self) -> dict[str, ndarray]:
        """Arrays by path-like name."""
        return dict(_leaves("", self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ndarray]) -> "HeldOut":
        """The inverse of to_arrays."""
        tree = _tree(arrays)
        return cls(
            halves=tuple(map(Split.of, _row(tree["halves"]))),
            growing=tuple(map(Split.of, _row(tree.get("growing", {})))),
            test=Reading.of(tree["test"]) if "test" in tree else None,
            seed=int(tree["seed"]),
            effective={
                name: EffectiveSamples(**{**part, "whole": float(part["whole"])})
                for name, part in tree.get("effective", {}).items()
            },
            structural={name: Permuted.of(part) for name, part in tree.get("structural", {}).items()},
        )


def _leaves(path: str, value: Any) -> Iterator[tuple[str, ndarray]]:
    """The arrays and numbers of a tree by path-like names; of None none."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping | tuple):
        for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(f"{path}/{name}" if path else str(name), part)
    elif value is not None:
        yield path, np.asarray(value)


def _tree(arrays: Mapping[str, ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split("/")
        branch = tree
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[name] = array
    return tree


def _row(tree: Mapping[str, Any]) -> list[Any]:
    return [tree[place] for place in sorted(tree, key=int)]


@dataclass(frozen=True)
class Gammas:
    """γ of one matrix, read once or several times. fits: of each reading; samples: of each; floors: H_ii below which
    are left out of each fit; effective: N_eff of the first one's tr H, None where it is not known."""

    fits: tuple[Fit, ...]
    samples: int
    floors: tuple[float, ...]
    effective: float | None = None

    @classmethod
    def of(cls, readings: Iterable[Reading], name: str, top_k: int | None, first: int = 0) -> "Gammas":
        """Of readings of equally many samples."""
        there = tuple(readings)
        fits = tuple(reading.fit(name, top_k, first) for reading in there)
        floors = tuple(reading.noise_floor for reading in there)
        return cls(fits, there[0].samples, floors, there[0].effective.get("H"))

    @property
    def gamma(self) -> float:
        """The mean."""
        return float(np.mean([fit.gamma for fit in self.fits]))

    @property
    def spread(self) -> float | None:
        """Standard deviation over the readings; None of fewer than three."""
        return float(np.std([fit.gamma for fit in self.fits], ddof=1)) if len(self.fits) > 2 else None

    @property
    def n(self) -> tuple[int, ...]:
        """Directions fitted in each reading."""
        return tuple(fit.n for fit in self.fits)

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % over the samples read, the directions fixed. Readings that have one are of different samples, so that
        the variances of their γ add; further ones, of the same samples cut otherwise, only make the mean surer."""
        widths = [(fit.interval[1] - fit.interval[0]) / 2 for fit in self.fits if fit.interval is not None]
        if not widths:
            return None
        half = float(np.linalg.norm(widths)) / len(widths)
        return self.gamma - half, self.gamma + half


@dataclass(frozen=True)
class CrossFit:
    """γ of one matrix on the samples that gave the directions, and on others.

    whole: all samples, as `Analysis.fit`; half: one half, H, C and V of the same samples; crossed: V of one half, H and
    C of the other; test: V of all training samples, H and C of test samples, None without any. growing: (in-sample,
    crossed) over nested subsets of the samples, rising, crossed None where not as many others are left. Nothing is
    extrapolated to more samples than there are.
    """

    whole: Gammas
    half: Gammas
    crossed: Gammas
    test: Gammas | None = None
    growing: tuple[tuple[Gammas, Gammas | None], ...] = ()
