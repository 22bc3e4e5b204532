"""`analyze`: one call from a model and its samples to an Analysis."""

import time

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn

from engine import covariances, moments, spectrum
from engine.checks import check_layer, check_samples
from engine.device import device_name, free_memory, plan, precision, resolve
from engine.duality import dual, partners
from engine.evaluators import Leading, Whole
from engine.factors import Tail
from engine.per_sample import replicates, sample_spectra
from engine.progress import Progress, silent
from engine.record import Provenance
from engine.requests import require
from engine.result import Analysis
from engine.suppression import Spectra


def analyze(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
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
    check_layer(model, layer, bias)
    check_samples(inputs, targets)
    with torch.inference_mode(False), _exact_products():
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
            matrices = moments.dense(described, work.expand, report)
            report("eigenvectors", 0, 1)
            values, basis = spectrum.eigenpairs(matrices["h"])
            values, basis = values[:k], basis[:, :k]
            report("eigenvectors", 1, 1)
        else:
            values, basis = spectrum.leading_eigenpairs(
                lambda v: moments.apply(described["h"], v, work.along), d, k,
                device=where, dtype=working, tolerance=1e-5 if dtype == "float32" else 1e-9, seed=seed,
                progress=report,
            )  # fmt: skip
        directions = basis.to(working).reshape(d_out, d_in, k)

        def draw_spectra() -> Spectra | None:
            if not spectra:
                return None
            with torch.inference_mode(False), _exact_products():
                return sample_spectra(factors, directions, spectra, seed, work.along, report)

        if work.dense and k == d:
            projected = matrices
        elif work.dense:
            v = basis.to(working)
            projected = {name: v.T @ (matrix @ v) for name, matrix in matrices.items()}
        else:
            projected = moments.project(described, directions, work.along, report)
        evaluator = Whole if work.dense and k == d else Leading
        source = evaluator(combinations, means, values, basis, projected, draw_spectra)
        names = [name for name in combinations if name != "H"]
        diagonals = source.diagonals(report)
        squares = {name: source.square(name) for name in combinations}

        resampled = (
            replicates(factors, pairs, directions, combinations, bootstrap, seed, work.along, report)
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
            noise_floor=noise_floor(working, eigenvalues),
            replicates=resampled,
            source=source,
            provenance=Provenance(
                layer=layer, loss=loss, samples=factors.samples, batch_size=batch_size, d_out=d_out,
                d_in=d_in, anchors_per_class=anchors_per_class, unpaired=pairs.unpaired,
                curvature=factors.kind, sigma_w2=pairs.sigma_w2(), mean_loss=float(factors.loss.double().mean()),
                accuracy=float(factors.correct.double().mean()), dtype=dtype, device=device_name(where),
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


def noise_floor(dtype: torch.dtype, eigenvalues: Float[ndarray, " k"]) -> float:
    """ε · max |H_ii|: below it an eigenvalue is rounding of the working precision, not data.

    theory.md section 4 gives ε·D·H_11, the bound for one long sum. Sums here are accumulated in float64, so
    that what remains is the rounding of entries, a matrix of norm about ε·H_11 whose parts along the v_i
    average out: eigenvalues above it agree with float64 to 10 % at worst (tests/test_precision.py), and the
    larger floor would discard most of the directions that the paper fits.
    """
    return torch.finfo(dtype).eps * float(np.abs(eigenvalues).max())
