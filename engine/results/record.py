"""What an analysis consists of, beside its arrays: the named matrices, where the numbers come from, what is kept."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from numpy import ndarray

from engine.results.cross_fit import HeldOut
from engine.results.effective_samples import EffectiveSamples
from engine.results.jackknife import Jackknife
from engine.results.names import NAMES, ON_REQUEST
from engine.results.null import Permuted
from engine.results.suppression import Spectra

TOLERANCE = 1e-2  # of a check: single precision a hundred times above the noise floor
COVERED = (
    "Anew from the network, along some directions: every matrix but C_hh, sd+wd. Again from what is kept, by other "
    "arithmetic: traces, squares, alignment, commutators of leading blocks, γ, and suppression where all samples are "
    "kept for it. Not anew: σ_w², commutators over all directions, planes of the loss."
)
LEAST_SQUARES = 1e-6  # share of the change of outputs that a dual weight change may miss and still be called exact


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from. unpaired counts samples without a partner or without activity, left out of the
    AWD matrices; sigma_w2 is σ_w² of the theorem. shapes: (d_out, d_in) of each layer where several are studied
    jointly, `layer` their names joined by "+"; d_out and d_in are then those of all together, and nothing is paired.
    places: T at which the layer is used in a sample; exact: h_p is the Hessian, not the Gauss–Newton matrix of a smooth
    tail. fit: at several places, medians over samples of how far the dual weight change is from exact,
    ‖ΔW*A − WΔA‖/‖WΔA‖, of the condition of A, and of ‖ΔW*‖/‖W‖. remarks: what became of samples and loss, in
    sentences."""

    layer: str
    loss: str
    samples: int
    batch_size: int
    d_out: int
    d_in: int
    anchors_per_class: int | None
    unpaired: int
    curvature: str
    sigma_w2: float
    mean_loss: float
    accuracy: float
    dtype: str
    device: str
    seed: int
    seconds: float
    bias: bool = False
    shapes: tuple[tuple[int, int], ...] = ()
    places: int = 1
    exact: bool = True
    fit: tuple[float, ...] = ()
    remarks: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict, hash=False)
    largest: Mapping[str, float] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Provenance":
        """From plain JSON values."""
        shapes = tuple((d_out, d_in) for d_out, d_in in values.get("shapes", ()))
        plain = {name: tuple(values.get(name, ())) for name in ("fit", "remarks")}
        return cls(**{**values, "shapes": shapes, **plain})

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known of these numbers, in sentences; none where they are what their names say."""
        notes = list(self.remarks)
        if not self.exact:
            notes.append(
                "H is the Gauss–Newton matrix here, not the Hessian: what follows the layer is smooth, and its second "
                "derivative is left out."
            )
        if self.fit and self.fit[0] > LEAST_SQUARES:
            notes.append(
                f"The layer is used at {self.places:,} places of a sample, and no change of its weights does to all of "
                "them what a partner's input does: C_AWD is made of the first-order terms, with the weight change "
                f"nearest in least squares, which misses {self.fit[0]:.0%} of the change of the outputs (median over "
                f"samples; the condition of the inputs is {self.fit[1]:.2g}, ‖ΔW‖/‖W‖ {self.fit[2]:.2g})."
            )
        return tuple(notes)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(d_out, d_in) of each layer."""
        return self.shapes or ((self.d_out, self.d_in),)

    @property
    def dimension(self) -> int:
        """D, the number of weights studied: Σ d_out · d_in."""
        return sum(d_out * d_in for d_out, d_in in self.sizes)


class OnDemand(Mapping[str, float]):
    """Numbers by name, each computed when it is first asked for."""

    def __init__(self, compute: Callable[[str], float], names: Iterable[str]):
        self._compute = compute
        self._numbers: dict[str, float | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> float:
        number = self._numbers[name]
        if number is None:
            number = self._numbers[name] = self._compute(name)
        return number

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


@dataclass(frozen=True)
class MatrixSummary:
    """What a matrix tells beyond its leading block: its own eigenvalues (descending) and the commutator
    errors inside the leading j × j block and inside the block from direction j on."""

    spectrum: Float[ndarray, " d"]
    top: Float[ndarray, " k"]
    bulk: Float[ndarray, " k"]


@dataclass(frozen=True)
class Probes:
    """Some eigenvectors that are kept so that their numbers can be checked: their places, from 0, and columns."""

    index: Int[ndarray, " j"]
    vectors: Float[ndarray, "d j"]


@dataclass(frozen=True)
class Check:
    """One number of an analysis: its symbol, the directions it belongs to (from 1), its value there and anew.

    what: of the matrix it is, empty for an element of it; size: that errors are measured by where the number itself may
    vanish; again: made once more from what the analysis keeps, and not from the network."""

    symbol: str
    directions: tuple[int, ...]
    kept: float
    anew: float
    what: str = ""
    size: float = 0.0
    again: bool = False

    @property
    def error(self) -> float:
        """|kept − anew| / |anew|, or by the size; infinite where either is no number."""
        if not (math.isfinite(self.kept) and math.isfinite(self.anew)):
            return math.inf
        size = max(abs(self.anew), self.size)
        return abs(self.kept - self.anew) / size if size else float(self.kept != 0)

    @property
    def agrees(self) -> bool:
        return bool(self.error < TOLERANCE)

    @property
    def words(self) -> str:
        """What number it is."""
        symbol = {**NAMES, **ON_REQUEST}.get(self.symbol, (self.symbol, ""))[0]
        place = f"[{', '.join(map(str, self.directions))}]" if self.directions else ""
        return f"{self.what} {symbol}{place}".lstrip()


@runtime_checkable
class Source(Protocol):
    """Projects matrices on demand, while the analysis is still in memory."""

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]: ...

    def spectrum(self, name: str) -> Float[ndarray, " d"]: ...

    def spectra(self) -> Spectra | None: ...

    def jackknife(self) -> Jackknife | None: ...

    def held_out(self, splits: int, seed: int) -> HeldOut | None: ...

    def effective_samples(self) -> Mapping[str, EffectiveSamples]: ...

    def structural_null(self, permutations: int, seed: int) -> Permuted: ...
