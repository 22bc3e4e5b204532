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
from engine.errors import require

CUT = 1e-12
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


@dataclass(frozen=True, eq=False)
class Pairs:
    """Partners of all samples, −1 where there is none, and the layer's inputs at each use, a sample after the other, in
    one or more pieces each."""

    fed: tuple[Tensor, ...] = ()  # (n, each, *size)
    partner: Int[Tensor, " n"] | None = None


def least_change(
    a: Float[Tensor, "n g t i"], push: Float[Tensor, "n g t o"], weight: Float[Tensor, "d_out d_in"]
) -> tuple[Float[Tensor, "n g t o"], Float[Tensor, "n 3"]]:
    """What the minimal ΔW* makes of the activities, ΔW* a_t, where W Δa_t = push_t is asked for: the same at one place,
    the nearest in least squares where the a_t of a sample depend on each other.

    With the thin A = U s Vᵀ of a sample's activities as rows, ΔW* = pushᵀ U s⁺ Vᵀ and ΔW* a_t = (U Uᵀ push)_t. Also,
    sample by sample: ‖ΔW*A − WΔA‖/‖WΔA‖, which is 0 where the dual is exact; the condition of A; ‖ΔW*‖/‖W‖. Parts of
    A below the root of CUT of its largest count as 0.
    """
    t, i = a.shape[2:]
    size = torch.linalg.vector_norm
    norm = size(weight.double())
    asked = size(push.double(), dim=(1, 2, 3))
    if t == 1:
        share = (size(push.double(), dim=3) / size(a.double(), dim=3)).nan_to_num(0, 0, 0)
        fit = torch.stack([torch.zeros_like(asked), torch.ones_like(asked), size(share, dim=(1, 2)) / norm], dim=1)
        return torch.where((a != 0).any(dim=3, keepdim=True), push, 0), fit
    rows, wide = a.double(), push.double()
    if t <= i:
        squares, u = torch.linalg.eigh(rows @ rows.mT)
    else:
        squares, v = torch.linalg.eigh(rows.mT @ rows)
    real = squares > CUT * squares.amax(dim=(1, 2), keepdim=True)
    root = torch.where(real, squares, torch.inf).sqrt()
    if t > i:
        u = rows @ v / root[:, :, None]
    u = torch.where(real[:, :, None], u, 0)
    inside = u.mT @ wide  # n g s o
    reached = u @ inside
    largest, least = squares.amax(dim=(1, 2)), torch.where(real, squares, torch.inf).amin(dim=(1, 2))
    fit = torch.stack(
        [
            size(reached - wide, dim=(1, 2, 3)) / asked.clamp_min(torch.finfo(torch.float64).tiny),
            (largest / least).sqrt(),
            size(inside / root[..., None], dim=(1, 2, 3)) / norm,
        ],
        dim=1,
    )
    return reached.to(push.dtype), fit
