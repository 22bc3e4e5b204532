"""The result of one analysis: named arrays, and the questions that can be put to them.

NumPy only. An Analysis fresh from `engine.analyze` carries a `source` that projects any matrix on demand;
one read from the cache answers from the arrays that were kept.
"""

import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from jaxtyping import Float
from numpy import ndarray

from cache.foreign import typed
from cache.store import replace_file
from engine.config.requests import SPLITS
from engine.errors import require
from engine.results import commutation, null, power_law, summary
from engine.results.commutation import Distance
from engine.results.cross_fit import JOINTLY, CrossFit, Gammas, HeldOut
from engine.results.effective_samples import EffectiveSamples
from engine.results.exponent import Exponent, exponent
from engine.results.jackknife import Without
from engine.results.matrices import Matrices
from engine.results.names import PREDICTORS, USUAL_WINDOW
from engine.results.null import PERMUTATIONS, Against, Permuted, StructuralNull
from engine.results.power_law import Fit, bootstrap_interval
from engine.results.suppression import Spectra, Suppressed, suppress

if TYPE_CHECKING:
    from pandas import DataFrame

FORMAT = "gammascope-analysis"  # where a saved file has what is no array


@dataclass(frozen=True, repr=False)
class Analysis(Matrices):
    """H against C and its AWD approximations for one layer at one point of training.

    The arrays: see Matrices. Methods take a matrix's name (see `names`) and answer with NumPy float64.
    """

    # -- correlation ----------------------------------------------------------------------------------

    def correlation(self, name: str, k: int) -> Float[ndarray, "k k"]:
        """R_real: K_ij / sqrt(K_ii K_jj) of the leading k directions."""
        return commutation.correlation(self.projected(name, k))

    def random_correlation(self, name: str, k: int, seed: int = 0) -> Float[ndarray, "k k"]:
        """R_rand: the same for Q Λ Qᵀ, Λ the eigenvalues of the matrix, Q Haar-random from the seed."""
        self._check_k(k)
        return commutation.random_correlation(self.whole(name).spectrum, k, seed)

    # -- commutation ----------------------------------------------------------------------------------

    def commutator(self, name: str, part: str = "whole", k: int | None = None) -> float:
        """‖HM − MH‖_F / ‖HM‖_F. part "whole": all directions of the basis (D, or top_k);
        "top": inside the leading k × k block; "bulk": inside the block of directions k, k+1, …"""
        whole = self.whole(name)
        if part == "whole":
            return float(whole.top[-1])
        require(part in ("top", "bulk"), f"part is 'whole', 'top' or 'bulk', not {part!r}.")
        if k is None:
            raise ValueError(f"The {part} block needs k, the number of leading directions.")
        if part == "top":
            self._check_k(k)
            return float(whole.top[k - 1])
        require(0 <= k < self.k, f"The bulk starts at a direction 0 … {self.k - 1}, not {k}.")
        return float(whole.bulk[k])

    def random_commutator(self, name: str) -> float:
        """The commutator error expected of H with M turned at random (close to √2), in closed form."""
        self.diagonal(name)
        of_h, of_m = ((self.traces[matrix], self.squares[matrix]) for matrix in ("H", name))
        return commutation.random_commutator(*of_h, *of_m, self.k)

    def alignment(self, name: str) -> float:
        """Σ K_ii² / ‖K‖_F² over the directions kept: 1 when M is diagonal in the eigenbasis of H."""
        return commutation.alignment(self.diagonal(name), np.sqrt(self.squares[name]))

    def random_alignment(self, name: str) -> float:
        """The alignment expected of M turned at random, in closed form."""
        self.diagonal(name)
        return commutation.random_alignment(self.traces[name], self.squares[name], self.k)

    def distance(self, name: str, predictor: str) -> Distance:
        """How far "C" is from a matrix that may predict it, over all directions kept. predictor: of `predictors`, among
        them "H" for H/B and "E_loss_H" for E[ℓ]·H/B."""
        require(name == "C", f"Distances are those of C, not of {name}.")
        matrix = "H" if predictor in PREDICTORS else predictor
        self.diagonal(matrix)
        if matrix not in self.overlaps:
            raise ValueError(
                "An older version kept this analysis, and no distances. Make them: python -m engine analyze --again "
                f"--layer {self.provenance.layer}, with its --run and --epoch."
            )
        factor = self.factor(predictor)
        inner, other = factor * self.overlaps[matrix], factor**2 * self.squares[matrix]
        return commutation.distance(self.squares["C"], inner, other)

    @property
    def predictors(self) -> tuple[str, ...]:
        """What may predict C here: every other matrix, H/B and E[ℓ]·H/B."""
        return (*(name for name in self.names if name != "C"), *PREDICTORS)

    def factor(self, predictor: str) -> float:
        """What its matrix is multiplied with: 1 but for H."""
        mean = self.provenance.mean_loss if predictor == "E_loss_H" else 1.0
        return mean / self.provenance.batch_size if predictor in PREDICTORS else 1.0

    def spearman(self, name: str, top_k: int | None = None) -> float:
        """Rank correlation of C_ii with H_ii over the fitted directions of the window."""
        x, y = self._window(name, top_k)
        keep = power_law.fittable(x, y, self.noise_floor)
        return power_law.spearman(x[keep], y[keep]) if keep.sum() > 1 else float("nan")

    def frobenius(self, name: str) -> float:
        """‖M‖_F."""
        self.diagonal(name)
        return float(np.sqrt(self.squares[name]))

    def structural_null(
        self, name: str = "C", top_k: int | None = None, permutations: int | None = None, seed: int = 0, first: int = 0
    ) -> StructuralNull:
        """C beside what its gradients give when each goes to another sample of its class, H as it is: commutator and
        correlations of the leading top_k directions, γ over the window of fit. permutations: all that are kept for
        None, or PERMUTATIONS. Computed now if the analysis is in memory, else as `analyze --cross-fit` has kept it."""
        null.check(name, permutations)
        require(
            not self.provenance.shapes,
            "Gradients are permuted layer by layer, not of several layers jointly. Analyse one layer.",
        )
        k = self.k if top_k is None else top_k
        self._check_k(k)
        there = self._permuted(permutations, seed)
        block = self.blocks.get(name)
        pairs = min(k, there.correlations.shape[1], self.k if block is None or self.source else len(block))
        return StructuralNull(
            commutator=Against.of(self.commutator(name, "top", k), there.top[:, k - 1], small=True),
            alignment=Against.of(self.alignment(name), there.alignments, small=False),
            correlation=Against.of(
                float(commutation.off_diagonal(self.correlation(name, pairs)).rms[-1]),
                there.correlations[:, pairs - 1],
                small=True,
            ),
            gamma=Against.of(
                self.fit(name, top_k, first).gamma,
                null.gammas(self.eigenvalues[first:k], there.diagonals[:, first:k], self.noise_floor),
                small=False,
            ),
            classes=there.classes,
        )

    def _permuted(self, permutations: int | None, seed: int) -> Permuted:
        kept = None if self.held_out is None else self.held_out.structural.get("C")
        if kept is not None and kept.seed == seed and kept.permutations >= (permutations or 1):
            return kept.first(permutations or kept.permutations)
        if self.source is None:
            parts = "none" if kept is None else f"{kept.permutations} of seed {kept.seed}"
            raise ValueError(
                f"Of permuted gradients this analysis keeps {parts}. Make them: python -m engine analyze --cross-fit "
                f"--layer {self.provenance.layer}, with its --run and --epoch; others in Python."
            )
        return self.source.structural_null(permutations or PERMUTATIONS, seed)

    # -- the power law --------------------------------------------------------------------------------

    def fit(self, name: str, top_k: int | None = None, first: int = 0) -> Fit:
        """γ of C_ii ∝ H_ii^γ over directions first … top_k − 1 above the noise floor, with its interval over samples
        from the bootstrap, where its replicates cover the window, else from the jackknife, where that was kept."""
        require(first >= 0, f"first must be at least 0, not {first}.")
        x, y = (z[first:] for z in self._window(name, top_k))
        fit = power_law.power_law(x, y, self.noise_floor)
        return dataclasses.replace(fit, interval=self._interval(name, fit.gamma, first, first + x.size))

    def exponent(self, name: str, top_k: int | None = None, first: int = 0) -> Exponent:
        """γ over the window of fit with everything that qualifies it: interval (computed now if the analysis is in
        memory), other windows, what was left out, and the test of the straight line."""
        last = self.k if top_k is None else top_k
        here = self.sampled()
        fit, without = here.fit(name, top_k, first), here._without(name, first, last)
        return exponent(self.eigenvalues, self.diagonal(name), self.noise_floor, first, last, fit, without)

    def sampled(self) -> "Analysis":
        """This analysis with its jackknife; computed now if the analysis is in memory."""
        if self.jackknife is not None or self.source is None:
            return self
        return dataclasses.replace(self, jackknife=self.source.jackknife())

    def cross_fit(
        self, name: str, top_k: int | None = None, splits: int | None = None, seed: int = 0, first: int = 0
    ) -> CrossFit:
        """γ over the window of fit on the samples that gave the directions, and on others: see CrossFit. splits: into
        random halves, the mean of which is taken; all that are kept for None, or SPLITS. Computed now if the analysis
        is in memory, else as `analyze --cross-fit` has kept it."""
        fit = self.sampled().fit(name, top_k, first)
        there = self._on_other_samples(splits, seed)
        every = there.effective["H"].whole if "H" in there.effective else None
        whole = Gammas((fit,), self.provenance.samples, (self.noise_floor,), every)
        return there.cross_fit(name, whole, top_k, first, splits or there.splits, self.rank)

    def _on_other_samples(self, splits: int | None, seed: int) -> HeldOut:
        require(splits is None or splits >= 1, f"splits is a number of random halvings from 1, not {splits}.")
        require(not self.provenance.shapes, JOINTLY)
        kept = self.held_out
        if kept is not None and kept.seed == seed and kept.splits >= (splits or 1):
            return kept
        there = None if self.source is None else self.source.held_out(splits or SPLITS, seed)
        if there is None:
            parts = "nothing" if kept is None else f"{kept.splits} splits of seed {kept.seed}"
            raise ValueError(
                f"Of other samples this analysis keeps {parts}. Make it: python -m engine analyze --cross-fit "
                f"--splits {splits or SPLITS} --layer {self.provenance.layer}, with its --run and --epoch and, of "
                f"another seed, --seed {seed}."
            )
        return there

    def theil_sen(self, name: str, top_k: int | None = None, first: int = 0) -> tuple[float, float, float]:
        """Median pairwise slope over the window of fit and its 95 % interval over samples (computed now if the
        analysis is in memory; else NaN where no jackknife was kept): a robust second opinion on γ."""
        x, y = (z[first:] for z in self._window(name, top_k))
        median = power_law.theil_sen(x, y, self.noise_floor, self.sampled()._without(name, first, first + x.size))
        low, high = median.interval or (np.nan, np.nan)
        return median.gamma, low, high

    def gamma_by_window(self, name: str) -> Float[ndarray, " k"]:
        """γ over the first 𝒩 directions for every 𝒩 = 1 … k; NaN where undefined."""
        return power_law.gamma_by_window(self.eigenvalues, self.diagonal(name), self.noise_floor)

    def effective_curvature(self) -> Float[ndarray, " k"]:
        """κ_eff(i) = E[h²]_ii / H_ii, NaN where H_ii is below the noise floor. Its log-log slope on H_ii
        is the γ of E[h²] minus 1; Jensen bounds it below by H_ii and above by max |κ| where κ ≥ 0."""
        h = self.eigenvalues
        return np.divide(self.diagonal("E_h2"), h, out=np.full_like(h, np.nan), where=h > self.noise_floor)

    def suppress(self, **settings: Any) -> Suppressed:
        """Diagonals rebuilt from edited per-sample spectra: keep=1, tail=1e-5, stiff_ratio=1e-3,
        damp=1e-3, homogenise=False; see engine.results.suppression.suppress."""
        return suppress(self.sample_spectra(), **settings)

    def sample_spectra(self) -> Spectra:
        """The spectra of single samples; computed now if the analysis is in memory."""
        require(
            not self.provenance.shapes,
            "Suppression edits the curvatures of single samples, which are defined layer by layer. Analyse one layer.",
        )
        spectra = self.spectra if self.source is None or self.spectra is not None else self.source.spectra()
        if spectra is None:
            raise ValueError(
                "This analysis kept no per-sample spectra. Analyse again with spectra=2000 (samples to keep)."
            )
        return spectra

    def effective_samples(self, name: str) -> EffectiveSamples:
        """N_eff = (Σx)²/Σx² of the samples' terms x_p in M_ii and in tr M, and who carries the leading directions:
        computed now if the analysis is in memory, else as `analyze --cross-fit` has kept it."""
        self.diagonal(name)
        kept = {} if self.held_out is None else self.held_out.effective
        if name in kept:
            return kept[name]
        if self.source is None:
            raise ValueError(
                f"This analysis keeps the effective samples of {', '.join(kept) or 'no matrix'}, not of {name}. Make "
                f"them: python -m engine analyze --cross-fit --layer {self.provenance.layer}, with its --run and "
                "--epoch."
            )
        return self.source.effective_samples()[name]

    # -- in a notebook --------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return summary.line(self.provenance, self.k, self._usual_fits())

    def _repr_html_(self) -> str:
        window = min(USUAL_WINDOW, self.k)
        return summary.html(self.provenance, self.k, window, self.sampled()._usual_fits())

    def _usual_fits(self) -> dict[str, Fit]:
        """The fit of every matrix over the leading directions that the pages fit too, where there is one."""
        fits = {}
        for name in self.names:
            with contextlib.suppress(ValueError):
                fits[name] = self.fit(name, min(USUAL_WINDOW, self.k))
        return fits

    def to_dataframe(self) -> "DataFrame":
        """H_ii and the diagonal of every matrix in the eigenbasis of H, a row for each direction, from 1."""
        from pandas import DataFrame, RangeIndex  # loads slowly: only for those who ask

        index = RangeIndex(1, self.k + 1, name="direction")
        return DataFrame({name: self.diagonal(name) for name in ("H", *self.names)}, index)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to one file in the safetensors format, whole or not at all, with what `portable` keeps."""
        arrays, meta = self.portable().to_arrays()
        there = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        replace_file(typed(path), safetensors.numpy.save(there, {FORMAT: json.dumps(meta)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Analysis":
        """The analysis written by save. Nothing in the file is executed; ValueError where it is something else."""
        try:
            with safetensors.safe_open(typed(path), "numpy") as file:
                meta = json.loads((file.metadata() or {})[FORMAT])
                return cls.from_arrays({name: file.get_tensor(name) for name in file.keys()}, meta)  # noqa: SIM118
        except FileNotFoundError:
            raise ValueError(f"There is no file {path}.") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
            raise ValueError(f"{path} is no analysis that was written by save: {error!r:.100}.") from error

    def portable(self) -> "Analysis":
        """What can leave this process: all numbers, intervals, whole-matrix numbers of every matrix and their leading
        blocks. Per-sample spectra, which are large, are among it only where the cache kept them."""
        return self if self.source is None else self.sampled().kept(self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_arrays, self.portable().to_arrays()

    # -- helpers --------------------------------------------------------------------------------------

    def _window(self, name: str, top_k: int | None) -> tuple[ndarray, ndarray]:
        k = self.k if top_k is None else top_k
        require(k >= 1, f"top_k must be at least 1, not {k}.")
        return self.eigenvalues[:k], self.diagonal(name)[:k]

    def _interval(self, name: str, gamma: float, first: int, last: int) -> tuple[float, float] | None:
        x, y = self.eigenvalues[first:last], self.diagonal(name)[first:last]
        # A direction enters the interval as it enters the fit: chosen once, on the original sample.
        keep = power_law.fittable(x, y, self.noise_floor)
        if name in self.replicates and self.replicates["H"].shape[1] >= last:
            return bootstrap_interval(*(self.replicates[key][:, first:last][:, keep] for key in ("H", name)))
        return power_law.interval(gamma, self._without(name, first, last))

    def _without(self, name: str, first: int, last: int) -> Without | None:
        """The window without each group of samples; None where no jackknife was kept."""
        x, y = self.eigenvalues[first:last], self.diagonal(name)[first:last]
        keep = power_law.fittable(x, y, self.noise_floor)
        return None if self.jackknife is None else self.jackknife.without(name, x, y, keep, first)
