"""What can be asked of an analysis while it is in memory: matrices on demand, and what single samples tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from engine.curvature import resampling
from engine.curvature.covariances import Combination
from engine.curvature.factors import LayerFactors
from engine.curvature.moments import Moments
from engine.curvature.projection import Evaluator
from engine.device import exact
from engine.progress import Progress
from engine.results.cross_fit import HeldOut
from engine.results.effective_samples import EffectiveSamples
from engine.results.jackknife import Jackknife
from engine.results.null import Permuted
from engine.results.suppression import Spectra


@dataclass(frozen=True, eq=False)
class Subject:
    """What is analysed. some: the factors of some samples, where they have any."""

    moments: Moments
    combinations: Mapping[str, Combination]
    some: Callable[[Int[Tensor, " m"]], LayerFactors] | None = None


@dataclass(frozen=True, eq=False)
class Fresh:
    """The source of an analysis (engine.results.record.Source): all is computed when it is first asked for. chunk:
    samples laid along the directions at a time; keep: samples whose spectra are kept; compare_halves: of so many
    splits, from a seed, how it holds on other samples; permute: C of so many permutations, from a seed; halves, nulls:
    what these gave."""

    subject: Subject
    evaluator: Evaluator
    dtype: torch.dtype
    chunk: int
    keep: int
    seed: int
    progress: Progress
    compare_halves: Callable[[int, int], HeldOut | None]
    permute: Callable[[int, int], Permuted]
    halves: dict[tuple[int, int], HeldOut | None] = field(default_factory=dict)
    nulls: dict[tuple[int, int], Permuted] = field(default_factory=dict)

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        return self.evaluator.block(name, k)

    def spectrum(self, name: str) -> Float[ndarray, " k"]:
        return self.evaluator.spectrum(name)

    def spectra(self) -> Spectra | None:
        """Per-sample spectra; None where none are kept."""
        return self._spectra

    def jackknife(self) -> Jackknife:
        """Diagonals with groups of samples left out."""
        return self._jackknife

    def effective_samples(self) -> Mapping[str, EffectiveSamples]:
        """Of H and every named matrix."""
        return self._effective_samples

    def held_out(self, splits: int, seed: int) -> HeldOut | None:
        """How it holds on other samples; None where that is not known."""
        if (splits, seed) not in self.halves:
            with exact():
                self.halves[splits, seed] = self.compare_halves(splits, seed)
        return self.halves[splits, seed]

    def structural_null(self, permutations: int, seed: int) -> Permuted:
        """C rebuilt from permuted gradients."""
        if (permutations, seed) not in self.nulls:
            with exact():
                self.nulls[permutations, seed] = self.permute(permutations, seed)
        return self.nulls[permutations, seed]

    def replicates(self, basis: Float[Tensor, "d k"], counts: Float[Tensor, "s n"]) -> dict[str, Float[ndarray, "s k"]]:
        """Diagonals along some directions for resamples of the samples."""
        with exact():
            return resampling.replicates(
                self.subject.moments, self.subject.combinations, basis.to(self.dtype), counts, self.chunk, self.progress
            )

    @property
    def _basis(self) -> Float[Tensor, "d k"]:
        return self.evaluator.basis.to(self.dtype)

    @cached_property
    def _spectra(self) -> Spectra | None:
        subject = self.subject
        if not self.keep or subject.some is None:
            return None
        with exact():
            return resampling.sample_spectra(
                subject.some, subject.moments.samples, self._basis, self.keep, self.seed, self.chunk, self.progress
            )

    @cached_property
    def _jackknife(self) -> Jackknife:
        with exact():
            return resampling.jackknife(
                self.subject.moments, self.subject.combinations, self._basis, self.seed, self.chunk, self.progress
            )

    @cached_property
    def _effective_samples(self) -> Mapping[str, EffectiveSamples]:
        with exact():
            return resampling.effective_samples(
                self.subject.moments, self.subject.combinations, self._basis, self.chunk, self.progress
            )
