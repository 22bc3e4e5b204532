"""`analyze`: one call from a model and its samples to an Analysis."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from engine import covariances, moments, spectrum
from engine.covariances import Combination
from engine.device import free_memory, plan, precision, resolve
from engine.duality import Dual, dual, partners
from engine.factors import LayerFactors, Tail
from engine.moments import Side
from engine.progress import Progress, silent
from engine.requests import require
from engine.result import Analysis, Provenance
from engine.suppression import Spectra


def analyze(
    model: nn.Module,
    inputs: Tensor,
    targets: Int[Tensor, " n"],
    layer: str,
    loss: str = "ce",
    batch_size: int = 50,
    anchors_per_class: int | None = 20,
    top_k: int | None = None,
    device: str = "auto",
    dtype: str = "float32",
    seed: int = 0,
    progress: Progress | None = None,
    *,
    bias: bool = False,
    curvature: str = "auto",
    spectra: int = 2000,
    bootstrap: int = 0,
) -> Analysis:
    """H, C and C_AWD with its approximations for one fully connected layer (theory.md sections 1 to 4).

    model, inputs, targets: any torch.nn.Module giving one row of logits per sample, its samples and their
    labels. layer: name of an nn.Linear fed one vector per sample. loss: "ce", "mse" or "linear_mse".
    batch_size: B of the SGD whose noise is studied. anchors_per_class: random candidates per class among
    which partners are sought, None for the whole class. top_k: None for the whole eigenbasis; otherwise
    everything is computed inside the span of the leading k eigenvectors, for layers of any size.
    device: "auto", "cpu" or "cuda". dtype: "float32" (float64 where sums are accumulated and in the
    eigen-decomposition) or "float64". seed: of anchors, spectra's samples and bootstrap. progress(stage,
    done, total) is called along the way and may raise to stop. bias: include the layer's bias.
    curvature: "auto", "gauss-newton" or "full", see engine.factors. spectra: samples whose spectra are kept
    for suppression, 0 for none. bootstrap: resamples of the samples behind γ's intervals, 0 for none.

    Raises ValueError or TypeError saying what was given, what is possible and what to do; MemoryError,
    before any work, when the work cannot fit.
    """
    began, report = time.perf_counter(), progress or silent
    where, working = resolve(device), precision(dtype)
    require(spectra >= 0, f"spectra is a number of samples from 0, not {spectra}.")
    require(bootstrap >= 0, f"bootstrap is a number of resamples from 0, not {bootstrap}.")
    with _exact_products():
        tail = Tail(model, layer, inputs, targets, loss, device=where, dtype=working, bias=bias, curvature=curvature)
        d_out, d_in = tail.weight.shape
        d = d_out * d_in
        k = d if top_k is None else top_k
        require(
            1 <= k <= d,
            f"top_k must lie in 1 … {d}, the weights of layer {layer!r} ({d_out} × {d_in}); not {top_k}.",
        )
        work = plan(
            n=targets.shape[0], d_out=d_out, d_in=d_in, rank=tail.rank,
            top_k=top_k, dtype=working, free=free_memory(where),
        )  # fmt: skip
        factors = tail.factors(report)
        report("pairs", 0, 1)
        partner = partners(factors.activity, targets.to(where), anchors_per_class, seed)
        pairs = dual(factors, partner)
        report("pairs", 1, 1)

        combinations = covariances.combinations(batch_size, pairs)
        described = covariances.moments(factors, pairs)
        means = covariances.means(factors, pairs)
        if work.dense:
            matrices = moments.dense(described, work.chunk, report)
            report("eigenvectors", 0, 1)
            values, basis = spectrum.eigenpairs(matrices["h"])
            values, basis = values[:k], basis[:, :k]
            report("eigenvectors", 1, 1)
        else:
            values, basis = spectrum.leading_eigenpairs(
                lambda v: moments.apply(described["h"], v, work.chunk), d, k,
                device=where, dtype=working, tolerance=1e-5 if dtype == "float32" else 1e-9, seed=seed,
                progress=report,
            )  # fmt: skip
        directions = basis.to(working).reshape(d_out, d_in, k)
        if work.dense and k == d:
            source: _Source = _Whole(combinations, means, basis, matrices)
        elif work.dense:
            v = basis.to(working)
            source = _Leading(combinations, means, basis, {m: v.T @ (x @ v) for m, x in matrices.items()})
        else:
            blocks = moments.project(described, directions, work.chunk, report)
            source = _Leading(combinations, means, basis, blocks)
        names = [name for name in combinations if name != "H"]
        diagonals = source.diagonals(report)
        squares = {name: source.square(name) for name in combinations}

        kept_spectra = _spectra(factors, directions, spectra, seed, work.chunk, report) if spectra else None
        replicates = (
            _replicates(factors, pairs, directions, combinations, bootstrap, seed, work.chunk, report)
            if bootstrap
            else {}
        )
        eigenvalues = values.cpu().numpy()
        return Analysis(
            eigenvalues=eigenvalues,
            basis=basis.cpu().numpy(),
            diagonals={name: diagonals[name] for name in names},
            traces={name: float(diagonals[name].sum()) for name in combinations},
            squares=squares,
            noise_floor=torch.finfo(working).eps * d * float(np.abs(eigenvalues).max()),
            spectra=kept_spectra,
            replicates=replicates,
            source=source,
            provenance=Provenance(
                layer=layer, loss=loss, samples=factors.samples, batch_size=batch_size, d_out=d_out,
                d_in=d_in, anchors_per_class=anchors_per_class, unpaired=pairs.unpaired,
                curvature=factors.kind, sigma_w2=pairs.sigma_w2(), mean_loss=float(factors.loss.double().mean()),
                accuracy=float(factors.correct.double().mean()), dtype=dtype, device=_name(where),
                seed=seed, seconds=time.perf_counter() - began, bias=bias,
            ),
        )  # fmt: skip


class _exact_products:
    """TF32 off inside the block: its 10 bits of mantissa are less than the physics asks for."""

    def __enter__(self) -> None:
        self.before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self.before)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@dataclass(frozen=True, eq=False)
class _Source:
    """Projects named matrices into the eigenbasis on demand (engine.result.Source)."""

    combinations: Mapping[str, Combination]
    means: Mapping[str, Float[Tensor, " d"]]
    basis: Float[Tensor, "d k"]
    matrices: Mapping[str, Tensor]

    def _means(self, k: int) -> dict[str, Float[Tensor, " k"]]:
        return {name: self.basis[:, :k].T @ mean for name, mean in self.means.items()}

    def _combine(self, name: str, matrices: Mapping[str, Tensor], means: Mapping[str, Tensor]) -> Float[Tensor, "s s"]:
        def product(x: str, y: str) -> Tensor:
            outer = torch.outer(means[x], means[y])
            return (outer + outer.T) / 2

        return self.combinations[name].evaluate(lambda m: matrices[m].double(), product)

    def diagonals(self, progress: Progress) -> dict[str, Float[ndarray, " k"]]:
        """diag(Vᵀ M V) of every named matrix."""
        k = self.basis.shape[1]
        means, own = self._means(k), {}
        for i, name in enumerate(self.matrices):
            own[name] = self._moment_diagonal(name)
            progress("projections", i + 1, len(self.matrices))
        return {
            name: c.evaluate(own.__getitem__, lambda x, y: means[x] * means[y]).cpu().numpy()
            for name, c in self.combinations.items()
        }

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        raise NotImplementedError

    def square(self, name: str) -> float:
        raise NotImplementedError

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        raise NotImplementedError

    def spectrum(self, name: str) -> Float[ndarray, " k"]:
        raise NotImplementedError


class _Whole(_Source):
    """Moments as D × D matrices in the original coordinates; the basis is complete."""

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        matrix = self.matrices[name]
        v = self.basis.to(matrix.dtype)
        return ((matrix @ v) * v).sum(dim=0, dtype=torch.float64)

    def square(self, name: str) -> float:
        return float(self._combine(name, self.matrices, self.means).square().sum())

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        working = next(iter(self.matrices.values())).dtype
        matrix, v = self._combine(name, self.matrices, self.means).to(working), self.basis[:, :k].to(working)
        return (v.T @ (matrix @ v)).double().cpu().numpy()

    def spectrum(self, name: str) -> Float[ndarray, " k"]:
        return spectrum.eigenvalues(self._combine(name, self.matrices, self.means)).cpu().numpy()


class _Leading(_Source):
    """Moments as k × k blocks in the leading eigenbasis: all questions are put inside that span."""

    def _named(self, name: str) -> Float[Tensor, "k k"]:
        return self._combine(name, self.matrices, self._means(self.basis.shape[1]))

    def _moment_diagonal(self, name: str) -> Float[Tensor, " k"]:
        return self.matrices[name].diagonal().double()

    def square(self, name: str) -> float:
        return float(self._named(name).square().sum())

    def block(self, name: str, k: int) -> Float[ndarray, "k k"]:
        return self._named(name)[:k, :k].cpu().numpy()

    def spectrum(self, name: str) -> Float[ndarray, " k"]:
        return spectrum.eigenvalues(self._named(name)).cpu().numpy()


def _spectra(
    factors: LayerFactors,
    directions: Float[Tensor, "d_out d_in k"],
    samples: int,
    seed: int,
    chunk: int,
    progress: Progress,
) -> Spectra:
    """Spectra of `samples` randomly chosen samples, reduced as engine.suppression needs them."""
    order = torch.randperm(factors.samples, generator=torch.Generator().manual_seed(seed))[:samples]
    some = factors.select(order.to(factors.activity.device))
    side, kappa = Side(some.vectors, some.activity), some.kappa()
    norm2 = some.activity.square().sum(dim=1).clamp_min(torch.finfo(some.activity.dtype).tiny)
    n, (r, k) = some.samples, (kappa.shape[1], directions.shape[2])
    first = torch.zeros(r, k, dtype=torch.float64, device=kappa.device)
    second, leading = torch.zeros_like(first), []
    for start in range(0, n, chunk):
        rows = slice(start, min(start + chunk, n))
        alpha = side.along(directions, rows).square() / norm2[rows, None, None]
        first += torch.einsum("nr,nrk->rk", kappa[rows], alpha)
        second += torch.einsum("nr,nrk->rk", kappa[rows].square(), alpha)
        leading.append(alpha[:, 0])
        progress("spectra", rows.stop, n)
    return Spectra(
        kappa=kappa.double().cpu().numpy(),
        alignment=torch.cat(leading).float().cpu().numpy(),
        first=(first / n).cpu().numpy(),
        second=(second / n).cpu().numpy(),
    )


def _replicates(
    factors: LayerFactors,
    pairs: Dual,
    directions: Float[Tensor, "d_out d_in k"],
    combinations: Mapping[str, Combination],
    resamples: int,
    seed: int,
    chunk: int,
    progress: Progress,
) -> dict[str, Float[ndarray, "s k"]]:
    """Diagonals of H and every named matrix for bootstrap resamples of the samples, in the fixed basis.

    A resample draws n samples with replacement; it enters as the number of times each is drawn. Partners
    stay with their samples.
    """
    n, device = factors.samples, factors.activity.device
    draws = torch.randint(n, (resamples, n), generator=torch.Generator().manual_seed(seed))
    counts = torch.zeros(resamples, n).scatter_add_(1, draws, torch.ones_like(draws, dtype=torch.float32))
    counts = counts.to(device=device, dtype=factors.activity.dtype)
    everyone = counts / counts.sum(dim=1, keepdim=True)
    paired = counts[:, pairs.index]
    paired = paired / paired.sum(dim=1, keepdim=True).clamp_min(1)

    described = covariances.moments(factors, pairs)
    v, u = covariances.sides(pairs)
    linear = {"g": (covariances.gradients(factors), everyone), "v": (v, paired), "u": (u, paired)}
    shape = (resamples, directions.shape[2])
    sums = {name: torch.zeros(shape, dtype=torch.float64, device=device) for name in [*described, *linear]}
    over_all = {name: described[name] for name in ("h", "gg", "h2")}
    over_paired = {name: m for name, m in described.items() if name not in over_all}
    for group, weights in ((over_all, everyone), (over_paired, paired)):
        total = weights.shape[1]
        for start in range(0, total, chunk):
            rows = slice(start, min(start + chunk, total))
            for name, share in moments.diagonals_per_sample(group, directions, rows).items():
                sums[name] += weights[:, rows] @ share
            for name, (side, own) in linear.items():
                if own is weights:
                    sums[name] += weights[:, rows] @ side.along(directions, rows)[:, 0]
            progress("bootstrap", rows.stop, total)
    return {
        name: c.evaluate(sums.__getitem__, lambda x, y: sums[x] * sums[y]).float().cpu().numpy()
        for name, c in combinations.items()
    }
