"""What is kept of single samples: their spectra for suppression, their resampled diagonals for intervals, and how many
of them carry a direction."""

from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from engine.curvature import accumulate
from engine.curvature.covariances import Combination
from engine.curvature.factors import LayerFactors
from engine.curvature.moments import Moments
from engine.progress import Progress
from engine.results.effective_samples import CARRIERS, LEADING, EffectiveSamples
from engine.results.jackknife import GROUPS, Jackknife, places, stretches
from engine.results.suppression import Spectra


def sample_spectra(
    factors: Callable[[Int[Tensor, " m"]], LayerFactors],
    n: int,
    directions: Float[Tensor, "d k"],
    samples: int,
    seed: int,
    chunk: int,
    progress: Progress,
) -> Spectra:
    """Spectra of `samples` randomly chosen ones of n samples, reduced as engine.results.suppression needs them."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:samples].to(directions.device)
    kappas, leading = [], []

    def shares(rows: slice) -> Iterator[tuple[str, Tensor]]:
        some = factors(order[rows])
        x, kappa = some.vectors("x"), some.kappa()
        norm2 = some.norm2.clamp_min(torch.finfo(kappa.dtype).tiny)
        alpha = x.along(x.pushed(directions)).square() / norm2[:, None, None]
        kappas.append(kappa)
        leading.append(alpha[:, 0].float())
        powers = torch.stack([kappa, kappa.square()], dim=2)
        yield "moments", torch.einsum("nrq,nrk->qrk", powers, alpha)

    first, second = accumulate.sums(shares, len(order), chunk, progress, "spectra")["moments"] / len(order)
    return Spectra(
        kappa=torch.cat(kappas).double().cpu().numpy(),
        alignment=torch.cat(leading).cpu().numpy(),
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


def jackknife(
    moments: Moments,
    combinations: Mapping[str, Combination],
    directions: Float[Tensor, "d k"],
    seed: int,
    chunk: int,
    progress: Progress,
) -> Jackknife:
    """Those in the middle of each stretch of directions, with groups of samples left out."""
    edges = stretches(directions.shape[1])
    middle, counts = directions[:, torch.from_numpy(places(edges))], left_out(moments.samples, GROUPS, seed)
    return Jackknife(edges, replicates(moments, combinations, middle, counts, chunk, progress))


def effective_samples(
    moments: Moments,
    combinations: Mapping[str, Combination],
    directions: Float[Tensor, "d k"],
    chunk: int,
    progress: Progress,
) -> dict[str, EffectiveSamples]:
    """N_eff of the diagonal of H and every named matrix, and the samples that carry the leading directions."""
    means = {name: x.double() @ directions.double() for name, x in moments.means().items()}
    carriers: dict[str, tuple[Tensor, Tensor]] = {}

    def shares(rows: slice) -> Iterator[tuple[str, Tensor]]:
        along = moments.along(directions, rows)

        def moment(name: str) -> Float[Tensor, "n k"]:
            x, y = along.quadratic[name]
            return (x * y).sum(dim=1, dtype=torch.float64)

        def mean(x: str, y: str) -> Float[Tensor, "n k"]:
            product = along.linear[x] * means[y] + means[x] * along.linear[y] - means[x] * means[y]
            return product * moments.counted[x][rows, None] if x in moments.counted else product

        for name, combination in combinations.items():
            own = combination.evaluate(moment, mean)
            carriers[name] = _largest(carriers.get(name), own[:, :LEADING], rows.start)
            every = torch.cat([own, own.sum(dim=1, keepdim=True)], dim=1)
            yield name, torch.stack([every.sum(dim=0), every.square().sum(dim=0)])

    sums = accumulate.sums(shares, moments.samples, chunk, progress, "effective samples")
    effective = {}
    for name, (total, squares) in sums.items():
        sizes = (total.square() / squares).cpu().numpy()
        x, index = carriers[name]
        leading = (x / total[: x.shape[1]]).T
        effective[name] = EffectiveSamples(sizes[:-1], float(sizes[-1]), index.T.cpu().numpy(), leading.cpu().numpy())
    return effective


def _largest(
    before: tuple[Float[Tensor, "b j"], Int[Tensor, "b j"]] | None, x: Float[Tensor, "n j"], start: int
) -> tuple[Float[Tensor, "m j"], Int[Tensor, "m j"]]:
    """The largest |x| of each column and their rows, among these and those before."""
    index = torch.arange(start, start + len(x), device=x.device)[:, None].expand(x.shape)
    if before is not None:
        x, index = torch.cat([before[0], x]), torch.cat([before[1], index])
    order = x.abs().topk(min(CARRIERS, len(x)), dim=0).indices
    return x.gather(0, order), index.gather(0, order)
