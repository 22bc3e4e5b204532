"""What is kept of single samples: their spectra for suppression, their resampled diagonals for intervals."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.covariances import Combination
from engine.curvature.factors import LayerFactors
from engine.curvature.moments import Moments
from engine.progress import Progress
from engine.results.suppression import Spectra


def sample_spectra(
    factors: LayerFactors,
    directions: Float[Tensor, "d k"],
    samples: int,
    seed: int,
    chunk: int,
    progress: Progress,
) -> Spectra:
    """Spectra of `samples` randomly chosen samples, reduced as engine.results.suppression needs them."""
    order = torch.randperm(factors.samples, generator=torch.Generator().manual_seed(seed))[:samples]
    some = factors.select(order.to(factors.activity.device))
    vectors, kappa = some.eigenvectors, some.kappa()
    norm2 = some.lengths2().clamp_min(torch.finfo(some.activity.dtype).tiny)
    n, k = some.samples, directions.shape[1]
    leading = torch.empty(n, k, dtype=torch.float32, device=kappa.device)

    def shares(rows: slice) -> Iterator[tuple[str, Tensor]]:
        x = vectors[rows]
        alpha = x.along(x.pushed(directions)).square() / norm2[rows, None, None]
        leading[rows] = alpha[:, 0].float()
        powers = torch.stack([kappa[rows], kappa[rows].square()], dim=2)
        yield "moments", torch.einsum("nrq,nrk->qrk", powers, alpha)

    first, second = accumulate.sums(shares, n, chunk, progress, "spectra")["moments"] / n
    return Spectra(
        kappa=kappa.double().cpu().numpy(),
        alignment=leading.cpu().numpy(),
        first=first.cpu().numpy(),
        second=second.cpu().numpy(),
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
    moments: Moments,
    combinations: Mapping[str, Combination],
    directions: Float[Tensor, "d k"],
    counts: Float[Tensor, "s n"],
    chunk: int,
    progress: Progress,
) -> dict[str, Float[ndarray, "s k"]]:
    """Diagonals of H and every named matrix for resamples of the samples, in the fixed basis. A resample enters as
    the number of times that it has each sample (`times_drawn`, `left_out`). Partners stay with their samples.
    """
    sums = moments.resampled(directions, counts, chunk, progress)
    return {
        name: c.evaluate(sums.__getitem__, lambda x, y: sums[x] * sums[y]).float().cpu().numpy()
        for name, c in combinations.items()
    }
