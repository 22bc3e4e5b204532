"""The named matrices of an analysis along the eigenvectors of H, and how they are kept.

NumPy only; what takes more than the arrays is asked of the source, as long as there is one.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from engine.errors import require
from engine.losses import Loss
from engine.results import commutation
from engine.results.cross_fit import HeldOut
from engine.results.jackknife import Jackknife
from engine.results.names import NAMES, ON_REQUEST
from engine.results.record import MatrixSummary, Probes, Provenance, Source
from engine.results.suppression import Spectra

# Directions kept to be checked, and how far above the noise floor: below, the check would compare roundings.
PROBES, PROBE_FLOOR = 8, 100
# Leading eigenvectors that are kept, and numbers in them: one of a larger layer than that is not.
LEADING, NUMBERS = 100, 2**22
# What is kept as arrays; the rest as JSON.
ARRAYS = (
    "eigenvalues",
    "residuals",
    "basis",
    "diagonals",
    "blocks",
    "replicates",
    "wholes",
    "probes",
    "jackknife",
    "spectra",
)
EDGES = "jackknife/edges"

Own = TypeVar("Own", bound="Matrices")  # what Self stands for; beartype takes that of whole classes alone


@dataclass(frozen=True, repr=False)
class Matrices:
    """Arrays of one layer at one point of training, in the eigenbasis of H.

    eigenvalues: H_ii, descending (k); diagonals[name] = diag(Vᵀ M V) (k); squares[name] = ‖VᵀMV‖_F², traces[name] =
    tr VᵀMV and overlaps[name] = ⟨C, M⟩_F over the directions kept; noise_floor: H_ii below it are rounding, not data;
    replicates[name]: diagonals of bootstrap resamples (s), of the leading j directions. basis: v_i as columns, of
    what the cache has kept the leading ones. jackknife: of the samples without a group of them, for intervals where
    there is no bootstrap. residuals: ‖H v_i − H_ii v_i‖ / H_11 of leading eigenpairs; None of a whole basis, and of
    analyses that are older. held_out: how it holds on other samples, as far as that is kept. loss: with its settings;
    None once it was kept in a file, of which provenance.loss tells the name.
    """

    eigenvalues: Float[ndarray, " k"]
    diagonals: Mapping[str, Float[ndarray, " k"]]
    traces: Mapping[str, float]
    squares: Mapping[str, float]
    noise_floor: float
    provenance: Provenance
    residuals: Float[ndarray, " k"] | None = None
    basis: Float[ndarray, "d v"] | None = None
    blocks: Mapping[str, Float[ndarray, "b b"]] = field(default_factory=dict)
    wholes: Mapping[str, MatrixSummary] = field(default_factory=dict)
    spectra: Spectra | None = None
    probes: Probes | None = None
    replicates: Mapping[str, Float[ndarray, "s j"]] = field(default_factory=dict)
    jackknife: Jackknife | None = None
    overlaps: Mapping[str, float] = field(default_factory=dict)
    held_out: HeldOut | None = field(default=None, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)
    loss: Loss | None = field(default=None, repr=False, compare=False)

    # -- what there is ------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The named matrices of this analysis; "H" is theirs to be compared with."""
        return tuple(name for name in (*NAMES, *ON_REQUEST) if name in self.diagonals)

    @property
    def k(self) -> int:
        """Directions kept."""
        return self.eigenvalues.size

    @property
    def rank(self) -> int:
        """Leading directions above the noise floor."""
        return int((self.eigenvalues > self.noise_floor).sum())

    @property
    def nearness(self) -> tuple[str, ...]:
        """How near the leading directions are to eigenvectors, as words where that is known of them."""
        if self.residuals is None:
            return ()
        worst = self.residuals.max()
        return (f"the leading {self.k:,} directions, eigenvectors of H to within {worst:.0e} of H_11",)

    def diagonal(self, name: str) -> Float[ndarray, " k"]:
        """C_ii of the named matrix (k); "H" gives the eigenvalues."""
        if name == "H":
            return self.eigenvalues
        there = f"There is no matrix {name!r}; there are {', '.join(self.names)}."
        require(name in self.diagonals, self.provenance.absent.get(name, there))
        return self.diagonals[name]

    def projected(self, name: str, k: int) -> Float[ndarray, "k k"]:
        """K: leading k × k block of Vᵀ M V; of "H" itself, its eigenvalues on the diagonal."""
        self.diagonal(name)
        self._check_k(k)
        if name == "H":
            return np.diag(self.eigenvalues[:k])
        block = self.blocks.get(name)
        if block is not None and block.shape[0] >= k:
            return block[:k, :k].astype(np.float64)
        if self.source is None:
            raise ValueError(
                f"Of {name} this analysis keeps the leading {0 if block is None else block.shape[0]} directions, "
                f"not {k}. Choose a smaller k or another matrix, or analyse again in Python, where every "
                "block is at hand."
            )
        return self.source.block(name, k)

    def whole(self, name: str) -> MatrixSummary:
        """Spectrum and commutator curves of a matrix; computed now if the analysis is in memory."""
        self.diagonal(name)
        if name in self.wholes:
            return self.wholes[name]
        if self.source is None:
            raise ValueError(
                f"This analysis kept whole-matrix numbers only of {', '.join(self.wholes) or 'no matrix'}, "
                f"not of {name}. Choose one of them, or analyse again in Python, where every one is at hand."
            )
        curves = commutation.commutator_curves(self.eigenvalues, self.source.block(name, self.k))
        return MatrixSummary(self.source.spectrum(name), curves.top, curves.bulk)

    def _check_k(self, k: int) -> None:
        require(1 <= k <= self.k, f"k must lie in 1 … {self.k}, the directions of this analysis; not {k}.")

    # -- keeping --------------------------------------------------------------------------------------

    def kept(self: Own, names: Iterable[str], block: int = 300) -> Own:
        """The part worth a place in the cache: blocks of every matrix up to `block` directions,
        whole-matrix numbers of `names`, the leading eigenvectors, a few to check, nothing that needs the source."""
        size = min(block, self.k)
        return dataclasses.replace(
            self,
            blocks={name: self.projected(name, size).astype(np.float32) for name in self.names},
            wholes={name: self.whole(name) for name in names},
            probes=self._probes(),
            basis=self._leading(),
            source=None,
        )

    def _leading(self) -> Float[ndarray, "d v"] | None:
        """The leading eigenvectors in single precision, as many as are looked at and few enough to be kept."""
        if self.basis is None:
            return None
        d, k = self.basis.shape
        return self.basis[:, : min(k, LEADING, NUMBERS // d)].astype(np.float32)

    def _probes(self) -> Probes | None:
        """Eigenvectors at places drawn evenly in the logarithm, the first among them, above the noise floor."""
        if self.basis is None or self.probes is not None:
            return self.probes
        data = int((self.eigenvalues > PROBE_FLOOR * self.noise_floor).sum())
        drawn = np.random.default_rng(self.provenance.seed).uniform(0, np.log(max(data, 1)), PROBES - 1)
        index = np.unique([0, *np.exp(drawn).astype(np.int64)])
        return Probes(index, self.basis[:, index].astype(np.float64))

    def to_arrays(self) -> tuple[dict[str, ndarray], dict[str, Any]]:
        """Arrays by path-like name, and the rest as JSON values."""
        arrays = {path: array for part in ARRAYS for path, array in _paths(part, getattr(self, part))}
        meta = {
            "provenance": dataclasses.asdict(self.provenance),
            "traces": dict(self.traces),
            "squares": dict(self.squares),
            "overlaps": dict(self.overlaps),
            "noise_floor": self.noise_floor,
        }
        return arrays, meta

    @classmethod
    def from_arrays(cls: type[Own], arrays: Mapping[str, ndarray], meta: Mapping[str, Any]) -> Own:
        """The inverse of to_arrays."""

        def folder(name: str) -> dict[str, ndarray]:
            return {path.removeprefix(name + "/"): a for path, a in arrays.items() if path.startswith(name + "/")}

        spectra, probes = folder("spectra"), folder("probes")
        return cls(
            eigenvalues=arrays["eigenvalues"],
            residuals=arrays.get("residuals"),
            basis=arrays.get("basis"),
            diagonals=folder("diagonals"),
            blocks=folder("blocks"),
            replicates=folder("replicates"),
            wholes={
                name: MatrixSummary(**folder(f"wholes/{name}"))
                for name in sorted({path.split("/")[0] for path in folder("wholes")})
            },
            spectra=Spectra(**spectra) if spectra else None,
            probes=Probes(**probes) if probes else None,
            jackknife=Jackknife(arrays[EDGES], folder("jackknife/diagonals")) if EDGES in arrays else None,
            provenance=Provenance.of(meta["provenance"]),
            traces=meta["traces"],
            squares=meta["squares"],
            overlaps=meta.get("overlaps", {}),
            noise_floor=meta["noise_floor"],
        )


def _paths(path: str, value: Any) -> Iterator[tuple[str, ndarray]]:
    """The arrays of a mapping or a dataclass by path-like names, or the array that it is; of None none."""
    if isinstance(value, ndarray):
        yield path, value
    elif value is not None:
        for name, part in (value if isinstance(value, Mapping) else vars(value)).items():
            yield from _paths(f"{path}/{name}", part)
