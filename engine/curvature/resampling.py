"""What is kept of single samples: their spectra for suppression, their resampled diagonals for intervals."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from engine.curvature import covariances, moments
from engine.curvature.covariances import Combination
from engine.curvature.duality import Dual
from engine.curvature.factors import LayerFactors
from engine.curvature.moments import Side
from engine.progress import Progress
from engine.results.suppression import Spectra


def sample_spectra(
    factors: LayerFactors,
    directions: Float[Tensor, "d_out d_in k"],
    samples: int,
    seed: int,
    chunk: int,
    progress: Progress,
) -> Spectra:
    """Spectra of `samples` randomly chosen samples, reduced as engine.results.suppression needs them."""
    order = torch.randperm(factors.samples, generator=torch.Generator().manual_seed(seed))[:samples]
    some = factors.select(order.to(factors.activity.device))
    side, kappa = Side(some.vectors, some.activity), some.kappa()
    norm2 = some.activity.square().sum(dim=1).clamp_min(torch.finfo(some.activity.dtype).tiny)
    n, (r, k) = some.samples, (kappa.shape[1], directions.shape[2])
    first = torch.zeros(r, k, dtype=torch.float64, device=kappa.device)
    second, leading = torch.zeros_like(first), []
    for rows in moments.chunks(n, chunk):
        alpha = side.along(directions, rows).square() / norm2[rows, None, None]
        powers = torch.stack([kappa[rows], kappa[rows].square()], dim=2)
        both = torch.einsum("nrq,nrk->qrk", powers, alpha)
        first, second = first + both[0], second + both[1]
        leading.append(alpha[:, 0])
        progress("spectra", rows.stop, n)
    return Spectra(
        kappa=kappa.double().cpu().numpy(),
        alignment=torch.cat(leading).float().cpu().numpy(),
        first=(first / n).cpu().numpy(),
        second=(second / n).cpu().numpy(),
    )


def times_drawn(n: int, resamples: int, seed: int) -> Float[Tensor, "s n"]:
    """The bootstrap: how often each of n samples is drawn, n times with replacement, in every resample."""
    draws = torch.randint(n, (resamples, n), generator=torch.Generator().manual_seed(seed))
    return torch.zeros(resamples, n).scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float32))


def left_out(n: int, groups: int, seed: int) -> Float[Tensor, "s n"]:
    """The jackknife: n samples dealt at random into groups whose sizes differ by at most one, and in every resample
    all of them once but those of one group. There are never more groups than samples."""
    count = min(groups, n)
    group = torch.randperm(n, generator=torch.Generator().manual_seed(seed)) % count
    return 1 - torch.nn.functional.one_hot(group, count).T.float()


def replicates(
    factors: LayerFactors,
    pairs: Dual,
    directions: Float[Tensor, "d_out d_in k"],
    combinations: Mapping[str, Combination],
    counts: Float[Tensor, "s n"],
    chunk: int,
    progress: Progress,
) -> dict[str, Float[ndarray, "s k"]]:
    """Diagonals of H and every named matrix for resamples of the samples, in the fixed basis. A resample enters as
    the number of times that it has each sample (`times_drawn`, `left_out`). Partners stay with their samples.
    """
    device = factors.activity.device
    counts = counts.to(device=device, dtype=factors.activity.dtype)
    everyone = counts / counts.sum(dim=1, keepdim=True)
    paired = counts[:, pairs.index]
    paired = paired / paired.sum(dim=1, keepdim=True).clamp_min(1)

    described = covariances.moments(factors, pairs)
    v, u = covariances.sides(pairs)
    linear = {"g": (covariances.gradients(factors), everyone), "v": (v, paired), "u": (u, paired)}
    if not pairs.factors.samples:
        linear = {"g": linear["g"]}
    shape = (counts.shape[0], directions.shape[2])
    sums = {name: torch.zeros(shape, dtype=torch.float64, device=device) for name in [*described, *linear]}
    over_all = {name: described[name] for name in ("h", "gg", "h2")}
    over_paired = {name: m for name, m in described.items() if name not in over_all}
    for group, weights in ((over_all, everyone), (over_paired, paired)):
        total = weights.shape[1]
        for rows in moments.chunks(total, chunk):
            for name, share in moments.diagonals_per_sample(group, directions, rows).items():
                sums[name] += weights[:, rows] @ share
            for name, (side, own) in linear.items():
                if own is weights:
                    sums[name] += weights[:, rows] @ side.along(directions, rows)[:, 0]
            progress("resampling", rows.stop, total)
    return {
        name: c.evaluate(sums.__getitem__, lambda x, y: sums[x] * sums[y]).float().cpu().numpy()
        for name, c in combinations.items()
    }
