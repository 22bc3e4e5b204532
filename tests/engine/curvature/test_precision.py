"""What float32 keeps, and where its noise floor lies."""

import numpy as np
import torch

from engine import analyze
from engine.curvature.eigensolver import eigenpairs, noise_floor
from engine.results import commutation
from tests.reference import twins
from tests.reference.cases import mlp


def trained(width=16, samples=1200, seed=0):
    """A ReLU network taught to tell ten blobs apart, so that the spectrum of H falls over many decades."""
    torch.manual_seed(seed)
    centres = torch.randn(10, 20) * 1.5
    targets = torch.arange(samples) % 10
    inputs = centres[targets] + 0.7 * torch.randn(samples, 20)
    model = mlp((20, width, width, 10), torch.nn.ReLU)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(300):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimiser.step()
    return model.double(), inputs.double(), targets


def test_the_noise_floor_separates_data_from_rounding():
    """Float32 against float64: every H_ii is right to the floor ε·H_11, and at the floor's height to 10 %;
    theory.md's ε·D·H_11 would throw away directions that float32 still knows to a percent."""
    model, inputs, targets = trained()
    coarse, fine = (
        analyze(model, inputs, targets, "fc2", dtype=d, anchors_per_class=None) for d in ("float32", "float64")
    )
    h, error = fine.eigenvalues, np.abs(coarse.eigenvalues - fine.eigenvalues)
    epsilon = np.finfo(np.float32).eps
    assert coarse.noise_floor == epsilon * np.abs(coarse.eigenvalues).max()
    assert error.max() <= 2 * coarse.noise_floor
    assert (h > coarse.noise_floor).sum() < h.size, "the spectrum must reach below the floor to test it"
    above = h > coarse.noise_floor
    assert (error[above] / h[above]).max() < 0.1
    between = above & (h < epsilon * h.size * h[0])
    assert between.sum() > 10, "the two floors must differ on this network to be told apart"
    assert np.median(error[between] / h[between]) < 0.01


def test_zeros_of_a_singular_matrix_lie_below_the_noise_floor_of_float64_too():
    """ε is not enough there: a single zero among the directions fitted moves γ by a tenth."""
    zeros = []
    for seed in range(30):
        rows = torch.randn(30, 150, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        values = eigenpairs(rows.T @ rows)[0].numpy()
        assert np.abs(values[30:]).max() < noise_floor(torch.float64, values) / 8
        zeros.append(values[30] / values[0])
    assert max(zeros) > np.finfo(np.float64).eps
    assert noise_floor(torch.float32, values) == np.finfo(np.float32).eps * values[0]


def test_float32_diagonals_agree_with_float64():
    model, inputs, targets = trained(seed=1)
    coarse, fine = (
        analyze(model, inputs, targets, "fc2", dtype=d, anchors_per_class=None) for d in ("float32", "float64")
    )
    for name in fine.names:
        # Partners of near ties may differ between precisions, so AWD is compared as a whole, C by direction.
        twins.compare(coarse.diagonals[name].sum(), fine.diagonals[name].sum(), 1e-3, f"trace of {name}")
    top = slice(0, 60)
    twins.compare(np.log10(coarse.diagonal("C")[top]), np.log10(fine.diagonal("C")[top]), 1e-4, "C_ii")
    twins.compare(coarse.fit("C").gamma, fine.fit("C", top_k=coarse.fit("C").n).gamma, 1e-2, "γ")


def test_spectra_in_float32_are_enough_for_the_random_baseline():
    """R_rand of every matrix and the sizes off its diagonal, from float32 and from float64 spectra."""
    model, inputs, targets = trained(samples=400)
    coarse, fine = (
        analyze(model, inputs, targets, "fc2", dtype=d, anchors_per_class=None) for d in ("float32", "float64")
    )
    for name in fine.names:
        for seed in (0, 1):
            ours, exact = (a.random_correlation(name, 60, seed) for a in (coarse, fine))
            # The cross part is indefinite: its variances come close to zero, and below it no correlation is defined.
            assert np.array_equal(np.isnan(ours), np.isnan(exact)), name
            assert np.nanmax(np.abs(ours - exact)) < (1e-2 if name == "C_hg" else 1e-5), name
            sizes = [commutation.off_diagonal(r).rms[-1] for r in (ours, exact)]
            assert abs(sizes[0] - sizes[1]) < 1e-5, name
