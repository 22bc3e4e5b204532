"""Activity-weight duality: pairs of samples, the minimal dual weight change, the two first-order terms.

A change of activity a → a + Δa and the weight change ΔW* = (W Δa) aᵀ / ‖a‖² do the same to z, so

    ℓ(a + Δa; W) = ℓ(a; W + ΔW*)          for the same label, exactly
    g(a + Δa; W) − g(a; W) ≈ v + u        to first order in ΔW*
    v = h vec(ΔW*) = (M W Δa) ⊗ a,  u = δ ⊗ Δa.

Source: theory.md section 3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from engine.curvature.accumulate import over
from engine.curvature.factors import LayerFactors
from engine.errors import require

REDRAW = 64  # samples that share one draw of anchors: the published protocol, not a memory chunk


def minimal_weight_change(
    weight: Float[Tensor, "d_out d_in"], activity: Float[Tensor, "n d_in"], change: Float[Tensor, "n d_in"]
) -> Float[Tensor, "n d_out d_in"]:
    """ΔW* = (W Δa) aᵀ / ‖a‖², the ΔW of least Frobenius norm with (W + ΔW) a = W (a + Δa).

    ‖a‖ = 0 has no solution unless W Δa = 0; such rows are NaN.
    """
    push = change @ weight.mT
    return push[:, :, None] * (activity / activity.square().sum(dim=1, keepdim=True))[:, None, :]


def partners(
    activity: Float[Tensor, "n d_in"],
    targets: Int[Tensor, " n"],
    anchors_per_class: int | None = 20,
    seed: int = 0,
) -> Int[Tensor, " n"]:
    """Index of each sample's partner: the nearest sample of its class (Euclidean distance of activities),
    itself excluded by index; −1 where there is none.

    The pool is all samples of the class (anchors_per_class None), or that many random ones, drawn anew for
    every REDRAW consecutive samples. The draw gives every sample a random rank and takes the lowest of each
    class, so it does not depend on how classes are numbered.
    """
    require(
        anchors_per_class is None or anchors_per_class >= 1,
        f"anchors_per_class is a number from 1, or None for every sample of the class; not {anchors_per_class}.",
    )
    n, device = targets.shape[0], activity.device
    partner = torch.full((n,), -1, dtype=torch.long, device=device)
    ranks = None
    if anchors_per_class is not None:
        blocks = -(-n // REDRAW)
        generator = torch.Generator().manual_seed(seed)
        ranks = torch.rand(blocks, n, generator=generator)
    for label in targets.unique():
        members = (targets == label).nonzero()[:, 0]
        if members.numel() < 2:
            continue
        if ranks is None or members.numel() <= (anchors_per_class or 0):
            partner[members] = _nearest(activity, members, members.expand(members.numel(), -1), shared=True)
        else:
            lowest = ranks[:, members.cpu()].topk(anchors_per_class or 0, dim=1, largest=False).indices
            anchors = members[lowest.to(device)]
            partner[members] = _nearest(activity, members, anchors[members // REDRAW], shared=False)
    return partner


def _nearest(
    activity: Float[Tensor, "n d_in"], members: Int[Tensor, " m"], pool: Int[Tensor, "m q"], shared: bool
) -> Int[Tensor, " m"]:
    """For each member the nearest of its row of the pool, not itself; −1 where the row holds only itself.
    Distances by differences, not by products: near duplicates would drown in rounding."""
    step = max(1, 2**24 // (1 if shared else pool.shape[1] * activity.shape[1]))
    nearest = []
    for rows in over(members.numel(), min(step, 1024)):
        own, candidates = members[rows], pool[rows]
        if shared:
            distance = torch.cdist(activity[own], activity[candidates[0]], compute_mode="donot_use_mm_for_euclid_dist")
        else:
            distance = (activity[candidates] - activity[own][:, None, :]).square().sum(dim=2)
        distance = distance.masked_fill(candidates == own[:, None], torch.inf)
        best = distance.argmin(dim=1, keepdim=True)
        alone = distance.gather(1, best).isinf()
        nearest.append(torch.where(alone, -1, candidates.gather(1, best))[:, 0])
    return torch.cat(nearest)


@dataclass(frozen=True)
class Dual:
    """The duality's terms for the samples that have a partner and a non-zero activity.

    index: these samples; factors: theirs; change: Δa_p; push: W Δa_p; pull: M_p W Δa_p, so v_p = pull ⊗ a_p and
    u_p = δ_p ⊗ change; unpaired: samples left out.
    """

    index: Int[Tensor, " m"]
    factors: LayerFactors
    change: Float[Tensor, "m 1 d_in"]
    push: Float[Tensor, "m 1 d_out"]
    pull: Float[Tensor, "m 1 d_out"]
    unpaired: int

    def weight_change_along(self) -> Float[Tensor, "m r"]:
        """e_m · W Δa: ω_m ‖a‖, where ω_m = u_m · Δw is the dual weight change along h_p's eigenvector."""
        return torch.einsum("nrto,nto->nr", self.factors.vectors, self.push)

    def sigma_w2(self) -> float:
        """σ_w² = E[Σ κ² ω²] / E[Σ κ²], the curvature-weighted mean squared weight change; 0 if κ = 0."""
        mu = self.factors.curvature.double()
        squared = self.factors.activity.double().square().sum(dim=(1, 2))
        weighted = (mu * self.weight_change_along().double()).square().sum(dim=1) * squared
        total = (mu.square().sum(dim=1) * squared**2).sum()
        return float(weighted.sum() / total) if float(total) > 0 else 0.0


def dual(factors: LayerFactors, partner: Int[Tensor, " n"]) -> Dual:
    """The first-order terms of every sample with its partner. An included bias needs no care: the constant
    activity 1 has Δa = 0 by itself."""
    usable = (partner >= 0) & (factors.lengths2() > 0)
    index = usable.nonzero()[:, 0]
    chosen = factors if index.numel() == factors.samples else factors.select(index)
    change = factors.activity[partner[index]] - chosen.activity
    push = change @ factors.weight.mT
    along = torch.einsum("nrto,nto->nr", chosen.vectors, push)
    pull = torch.einsum("nr,nrto->nto", chosen.curvature * along, chosen.vectors)
    return Dual(index, chosen, change, push, pull, unpaired=factors.samples - index.numel())
