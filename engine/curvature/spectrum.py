"""Eigenpairs of single samples' Hessians h = Σ_m μ_m x_m x_mᵀ, x_m = Σ_t l_mt ⊗ a_t, from what is small: float64.

Signs are kept, and activities a_t that depend on each other are served. Source: theory.md sections 2 and 6.
"""

import torch
from jaxtyping import Float
from torch import Tensor

# S, the root of Γ Γᵀ or of AᵀA, is inverted where it is above this share of its largest, squared.
CUT = 1e-14


def at_one_place(
    jacobian: Float[Tensor, "n c d_out"],
    hessian: Float[Tensor, "n c c"],
    second: Float[Tensor, "n d_out d_out"] | None,
) -> tuple[Float[Tensor, "n r"], Float[Tensor, "n r d_out"]]:
    """(μ_m, e_m) of M = Jᵀ A J + T, by falling |μ|; x_m = e_m ⊗ a. Without T, and with fewer classes than outputs, from
    the thin QR Jᵀ = Q R: M = Q (R A Rᵀ) Qᵀ, a c × c problem."""
    classes, d_out = jacobian.shape[1:]
    if second is None and classes < d_out:
        q, r = torch.linalg.qr(jacobian.mT)
        q, r = q.double(), r.double()
        mu, inner = _by_magnitude(*torch.linalg.eigh(r @ hessian @ r.mT))
        return mu, (q @ inner).mT
    j = jacobian.double()
    matrix = j.mT @ hessian @ j
    mu, vectors = _by_magnitude(*torch.linalg.eigh(matrix if second is None else matrix + second))
    return mu, vectors.mT


def of_rows(
    gram: Float[Tensor, "n c c"], hessian: Float[Tensor, "n c c"]
) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c c"]]:
    """(κ_m, what mixes the rows of Γ into the orthonormal x_m) of h = Γᵀ A Γ, from Γ Γᵀ = P s² Pᵀ: the eigenpairs
    (κ, y) of s Pᵀ A P s give x = yᵀ s⁺ Pᵀ Γ."""
    squares, turn = torch.linalg.eigh(gram)
    s, inverse = _roots(squares)
    turned = turn * s[:, None]
    kappa, y = _by_magnitude(*torch.linalg.eigh(turned.mT @ hessian @ turned))
    return kappa, ((turn * inverse[:, None]) @ y).mT


def at_places(
    a: Float[Tensor, "n g t i"], matrix: Float[Tensor, "n e e"], rank: int
) -> tuple[Float[Tensor, "n r"], Float[Tensor, "n r e"]]:
    """(κ_m, l_m) of the `rank` largest |κ|, for a matrix M between all places: with S = (AᵀA)^½ there, the eigenpairs
    (κ, q) of S M S give l_m = S⁺ q_m, and orthonormal x_m."""
    n, g, t, _ = a.shape
    squares, turn = torch.linalg.eigh(a @ a.mT)
    s, inverse = ((turn * root[..., None, :]) @ turn.mT for root in _roots(squares))

    def across(root: Float[Tensor, "n g t t"], z: Float[Tensor, "n e q"]) -> Float[Tensor, "n e q"]:
        return (root @ z.reshape(n, g, t, -1)).view(z.shape)

    kappa, q = _by_magnitude(*torch.linalg.eigh(across(s, across(s, matrix).mT)))
    return kappa[:, :rank], across(inverse, q[:, :, :rank]).mT


def _roots(squares: Float[Tensor, "*n k"]) -> tuple[Float[Tensor, "*n k"], Float[Tensor, "*n k"]]:
    """s and s⁺ of s², both 0 below CUT."""
    s = squares.clamp_min(0).sqrt()
    real = squares > CUT * squares.amax(dim=-1, keepdim=True)
    return torch.where(real, s, 0), torch.where(real, 1 / s, 0)


def _by_magnitude(
    values: Float[Tensor, "n k"], vectors: Float[Tensor, "n d k"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n d k"]]:
    """Eigenpairs by falling |value|."""
    order = values.abs().argsort(dim=1, descending=True)
    return values.gather(1, order), vectors.gather(2, order[:, None].expand_as(vectors))
