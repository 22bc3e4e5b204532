"""One sample in hand before a layer that is used at several places, and its partner: which places carry its curvature,
and what one change of weights can do to all of them. NumPy alone; made by engine.samples.at_places.

h_p = Σ_ts M_ts ⊗ a_t a_sᵀ has eigenpairs (κ_m, u_m). When the weights move along U = u_m the outputs move by U a_t, and
δ_t by Σ_s M_ts U a_s, so that

    κ_m = Σ_t (U a_t) · (Σ_s M_ts U a_s),        ‖g_p‖² = Σ_t δ_t · (G a_t)

G being the gradient as a matrix: each term is the share of place t, signed, and they sum to 1. The dual weight change
is the one nearest to ΔW* a_t = W Δa_t in least squares. Source: theory.md section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from cache.store import Store
from engine.config.requests import SamplesRequest
from engine.runs import library
from engine.samples import table
from engine.samples.hessian import ROUNDING
from engine.samples.pair import Walk

# Leading eigenpairs of a sample that are kept.
KEPT = 32


@dataclass(frozen=True)
class Dual:
    """The way to a partner. walk: as of a pair before a layer fed one vector; weight_change: ΔW*; push: ‖W Δa_t‖ and
    missed: ‖ΔW* a_t − W Δa_t‖ at each place."""

    walk: Walk
    weight_change: Float[ndarray, "d_out d_in"]
    push: Float[ndarray, " t"]
    missed: Float[ndarray, " t"]

    @property
    def residual(self) -> float:
        """‖ΔW* A − W ΔA‖ / ‖W ΔA‖, 0 where the dual is exact."""
        return float(np.linalg.norm(self.missed) / (np.linalg.norm(self.push) or 1.0))


@dataclass(frozen=True)
class CloseUp:
    """A sample. probabilities: softmax of its outputs; trace: tr h_p; kappa, vectors: the leading κ_m and u_m in the
    shape of the weights; shares: of each place in κ_m; gradient: of each place in ‖g_p‖²; dual: None without a partner
    or activity."""

    probabilities: Float[ndarray, " c"]
    trace: float
    kappa: Float[ndarray, " r"]
    vectors: Float[ndarray, "r d_out d_in"]
    shares: Float[ndarray, "r t"]
    gradient: Float[ndarray, " t"]
    dual: Dual | None

    @property
    def dimension(self) -> int:
        """D."""
        return self.vectors[0].size

    @property
    def rank(self) -> int:
        """How many κ_m are more than rounding."""
        size = np.abs(self.kappa)
        return int((size > ROUNDING * size.max(initial=0.0)).sum())

    def eigenvector(self, m: int) -> Float[ndarray, "d_out d_in"]:
        """u_m (m from 0) in the shape of the weights, of length 1; zero where κ_m is."""
        return self.vectors[m]

    def alignment(self, directions: Float[ndarray, "t d_out d_in"]) -> Float[ndarray, "r t"]:
        """(u_m·v_i)²."""
        return np.einsum("moi,toi->mt", self.vectors, directions, optimize=True) ** 2

    def filter_hessian(self, o: int) -> Float[ndarray, "d_in d_in"]:
        """The block of h_p between the weights of output o (from 0), of the eigenpairs kept."""
        rows = self.vectors[:, o]
        return (rows.T * self.kappa) @ rows

    def weight_of(self, o: int) -> float:
        """The share of tr h_p that this block's trace is."""
        own = float(self.kappa @ (self.vectors[:, o] ** 2).sum(axis=1))
        return own / self.trace if self.trace else 0.0


def half(shares: Float[ndarray, " t"]) -> int:
    """How few places hold half of all shares, by size."""
    size = np.sort(np.abs(shares))[::-1].cumsum()
    return int(np.searchsorted(size, size[-1] / 2)) + 1


def place(request: SamplesRequest, fingerprint: str, sample: int, partner: int) -> tuple[str, ...]:
    """Where the store keeps a sample with a partner, −1 for none."""
    return (*table.place(request, fingerprint), f"{sample}-{partner}" if partner >= 0 else f"{sample}")


def write(store: Store, where: tuple[str, ...], one: CloseUp) -> None:
    """Keep it."""
    arrays = {name: value for name, value in vars(one).items() if name not in ("trace", "dual")}
    if one.dual is not None:
        arrays |= {name: value for name, value in vars(one.dual).items() if name != "walk"}
        arrays |= {f"walk/{name}": value for name, value in vars(one.dual.walk).items()}
    store.write(where, {"trace": one.trace}, {"main": arrays})


def read(store: Store, where: tuple[str, ...]) -> CloseUp | None:
    """What is kept; None while there is nothing, or it was damaged."""

    def made(arrays: dict[str, ndarray], meta: Mapping[str, Any]) -> CloseUp:
        dual = None
        if "push" in arrays:
            walk = Walk(**{f.name: arrays[f"walk/{f.name}"] for f in fields(Walk)})
            dual = Dual(walk, arrays["weight_change"], arrays["push"], arrays["missed"])
        own = {f.name: arrays[f.name] for f in fields(CloseUp) if f.name not in ("trace", "dual")}
        return CloseUp(**own, trace=float(meta["trace"]), dual=dual)

    return library.load(store, where, made)
