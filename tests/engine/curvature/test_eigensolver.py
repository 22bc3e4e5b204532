"""Eigenpairs: dense ones, and the leading ones of an operator, against numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curvature import eigensolver
from tests.reference import twins

CPU = torch.device("cpu")


def symmetric(values, seed=0):
    q = torch.from_numpy(twins.haar(len(values), seed))
    return q @ torch.diag(torch.as_tensor(values, dtype=torch.float64)) @ q.T


def leading(matrix, k, **settings):
    settings = {"device": CPU, "dtype": torch.float64, "tolerance": 1e-9} | settings
    return eigensolver.leading_eigenpairs(lambda v: matrix @ v, matrix.shape[0], k, **settings)


@given(d=st.integers(1, 12), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_dense_eigenpairs(d, seed):
    matrix = torch.randn(d, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    matrix = matrix + matrix.T
    values, vectors = eigensolver.eigenpairs(matrix)
    twins.compare(values, np.linalg.eigvalsh(matrix.numpy())[::-1], 1e-10, "eigenvalues")
    twins.compare(eigensolver.eigenvalues(matrix), values, 1e-10, "eigenvalues alone")
    twins.compare(vectors @ torch.diag(values) @ vectors.T, matrix, 1e-10, "rebuilt")
    largest = vectors.abs().argmax(dim=0)
    assert bool((vectors[largest, torch.arange(d)] > 0).all()), "signs are fixed"


@given(d=st.integers(2, 40), seed=st.integers(0, 100), data=st.data())
@settings(max_examples=25)
def test_leading_eigenpairs_of_any_symmetric_operator(d, seed, data):
    k = data.draw(st.integers(1, d))
    values = np.random.default_rng(seed).standard_normal(d)
    matrix = symmetric(values, seed)
    eigenvalues, vectors = leading(matrix, k)
    twins.compare(eigenvalues, np.sort(values)[::-1][:k], 1e-7, "leading eigenvalues")
    twins.compare(vectors.T @ vectors, np.eye(k), 1e-9, "orthonormal")
    residual = torch.linalg.norm(matrix @ vectors - vectors * eigenvalues, dim=0).max()
    assert float(residual) <= 1e-8 * np.abs(values).max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leading_eigenpairs_of_a_decaying_spectrum(dtype):
    """The spectrum of a trained network: a power law over many decades, with a degenerate pair in it."""
    values = np.arange(1, 601) ** -2.0
    values[20] = values[21]
    matrix = symmetric(values).to(dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-10
    eigenvalues, _ = leading(matrix, 30, dtype=dtype, tolerance=tolerance)
    twins.compare(eigenvalues, values[:30], tolerance, "eigenvalues")


@pytest.mark.parametrize("values", [[0.0] * 8, [1.0] * 8, [-1.0] * 8, [2.0] + [0.0] * 7])
def test_degenerate_operators(values):
    eigenvalues, vectors = leading(symmetric(values), 5)
    twins.compare(eigenvalues, values[:5], 1e-9, "eigenvalues")
    twins.compare(vectors.T @ vectors, np.eye(5), 1e-9, "orthonormal")


def test_no_convergence_is_said():
    values = 1 + 1e-3 * np.linspace(0, 1, 400)
    with pytest.raises(ValueError, match=r"did not converge: after 1 restarts.*Lower top_k"):
        leading(symmetric(values), 5, restarts=1, tolerance=1e-12)
    with pytest.raises(ValueError, match=r"top_k must lie in 1 … 4"):
        leading(symmetric([1.0] * 4), 5)
