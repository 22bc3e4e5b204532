"""LayerFactors: what one layer keeps of every sample. The heart of the engine.

z_t = W a_t at places t = 1 … T is linear in W and a_t does not depend on W, so whatever lies downstream

    g_p = Σ_t δ_t ⊗ a_t,  δ_t = ∂ℓ_p/∂z_t        h_p = Σ_ts M_ts ⊗ a_t a_sᵀ,  M_ts = ∂²ℓ_p/∂z_t∂z_s

and nothing of size D × D exists per sample. h_p = Σ_m μ_m x_m x_mᵀ with orthogonal x_m of one length, the same class of
vectors as g_p: at one place x_m = e_m ⊗ a with (μ_m, e_m) the eigenpairs of M. Source: theory.md sections 2, 3 and 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from jaxtyping import Bool, Float, Int
from torch import Tensor

from engine.curvature.kronecker import Kronecker, Rows, Vectors


@dataclass(frozen=True, eq=False)
class LayerFactors:
    """Factors of some samples. Vectors x are left sides (n r g t o) whose right side is a_t, or written out (n r d)
    where `activity` is None.

    x: x_m, and curvature: μ_m, by falling |μ|; norm2: |x_m|²; g: g_p; loss: ℓ_p; correct: whether the outputs tell the
    target. Of the samples changed into their partners, 0 elsewhere: paired: which; v: v_p; u: u_p, with
    `change` Δa_t as its right side; along: x_m · Δw_p; fit: see duality.least_change. fisher, drawn: rows r_m and
    weights w_m of the true Fisher matrix, Σ_m w_m r_m r_mᵀ, where it is asked for. by_odds, by_loss: μ_m of the
    Gauss–Newton matrix Jᵀ A J times the sample's odds, and times its loss, where there are such; gauss: its x_m, None
    where they are those of h_p.
    """

    x: Tensor
    curvature: Float[Tensor, "n r"]
    norm2: Float[Tensor, " n"]
    g: Tensor
    loss: Float[Tensor, " n"]
    correct: Float[Tensor, " n"]
    activity: Float[Tensor, "n g t i"] | None = None
    paired: Bool[Tensor, " n"] | None = None
    v: Tensor | None = None
    u: Tensor | None = None
    change: Float[Tensor, "n g t i"] | None = None
    along: Float[Tensor, "n r"] | None = None
    fit: Float[Tensor, "n 3"] | None = None
    fisher: Tensor | None = None
    drawn: Float[Tensor, "n m"] | None = None
    gauss: Tensor | None = None
    by_odds: Float[Tensor, "n q"] | None = None
    by_loss: Float[Tensor, "n q"] | None = None

    @property
    def samples(self) -> int:
        return self.norm2.shape[0]

    def __getitem__(self, index: slice | Int[Tensor, " m"]) -> "LayerFactors":
        """Those of some samples."""
        return replace(self, **{name: x[index] for name, x in self._tensors()})

    def room(self, n: int) -> "LayerFactors":
        """Room for those of n samples."""
        return replace(self, **{name: x.new_empty(n, *x.shape[1:]) for name, x in self._tensors()})

    def keep(self, rows: slice, part: "LayerFactors") -> None:
        """Write those of some samples in their place."""
        for (_, x), (_, own) in zip(self._tensors(), part._tensors(), strict=True):
            x[rows] = own

    @property
    def alone(self) -> "LayerFactors":
        """Without what is of the samples' partners."""
        return replace(self, paired=None, v=None, u=None, change=None, along=None, fit=None)

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [(f.name, x) for f in fields(self) if (x := getattr(self, f.name)) is not None]

    def vectors(self, name: str) -> Vectors:
        """x, g, v, u, fisher or gauss."""
        left = getattr(self, name)
        right = self.change if name == "u" else self.activity
        return Rows(left) if right is None else Kronecker(left, right)

    def kappa(self) -> Float[Tensor, "n r"]:
        """Eigenvalues of h_p: κ_m = μ_m |x_m|²."""
        return self.curvature * self.norm2[:, None]


@dataclass(frozen=True, eq=False)
class Survey:
    """What one look at all samples tells. kept: their factors, where they are to be kept; averages: ḡ, v̄ and ū over
    all samples; kinds: their classes, all 0 where targets are no single labels; paired: which have a partner and an
    activity; sigma_w2: σ_w² = E[Σ κ² ω²] / E[Σ κ²], the curvature-weighted mean squared weight change, 0 if κ = 0;
    fit: medians of what duality.least_change tells; absent: why there is no C_odds or C_loss; largest: what one sample
    alone has of their traces, at most."""

    kept: LayerFactors | None
    averages: dict[str, Float[Tensor, " d"]]
    kinds: Int[Tensor, " n"]
    paired: Bool[Tensor, " n"]
    sigma_w2: float
    mean_loss: float
    accuracy: float
    fit: tuple[float, float, float]
    absent: Mapping[str, str]
    largest: Mapping[str, float]
