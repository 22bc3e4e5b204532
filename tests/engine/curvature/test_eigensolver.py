"""Eigenpairs: dense ones, and the leading ones of an operator, against numpy."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, eigsh

from engine.curvature import eigensolver
from engine.curvature.kronecker import Kronecker, Moment, Rows
from engine.curvature.memory import BLOCK, WIDE_BLOCK, block_size
from tests.reference import diagnostics, twins

CPU = torch.device("cpu")


def symmetric(values, seed=0):
    q = torch.from_numpy(diagnostics.haar(len(values), seed))
    return q @ torch.diag(torch.as_tensor(values, dtype=torch.float64)) @ q.T


def leading(matrix, k, **settings):
    settings = {"device": CPU, "dtype": torch.float64, "tolerance": 1e-9} | settings
    return eigensolver.leading_eigenpairs(lambda v: matrix @ v, matrix.shape[0], k, **settings)


def planted(values, k, dtype=torch.float64, block=None):
    """Leading eigenpairs of a diagonal operator, held against what it was made of; columns it was multiplied with."""
    values = np.sort(np.asarray(values, dtype=np.float64))[::-1].copy()
    tolerance = 1e-5 if dtype == torch.float32 else 1e-9
    diagonal, columns = torch.from_numpy(values).to(dtype)[:, None], []

    def apply(v):
        columns.append(v.shape[1])
        return diagonal * v

    result = eigensolver.leading_eigenpairs(
        apply, len(values), k, device=CPU, dtype=dtype, tolerance=tolerance, block=block
    )
    scale, rounding = np.abs(values).max() or 1.0, 40 * torch.finfo(dtype).eps
    assert np.abs(result.values.numpy() - values[:k]).max() <= tolerance * scale
    v = result.vectors.double()
    assert float((v.T @ v - torch.eye(k)).abs().max()) <= rounding, "orthonormal"
    true = torch.linalg.norm(diagonal.double() * v - v * result.values, dim=0)
    assert float((true - result.residuals).max()) <= max(rounding, tolerance / 10) * scale, (
        "residuals are no larger than they say"
    )
    assert float(result.residuals.max()) <= 2 * tolerance * scale
    return sum(columns)


def columns_of_eigsh(values, k, dtype):
    """Products that ARPACK needs to the same residual, relative to the largest eigenvalue."""
    values = np.asarray(values, dtype=np.float32 if dtype == torch.float32 else np.float64)
    count = itertools.count()

    def apply(v):
        next(count)
        return values * v.ravel()

    tolerance = (1e-5 if dtype == torch.float32 else 1e-9) * np.abs(values).max() / np.sort(values)[-k]
    start = np.random.default_rng(0).standard_normal(len(values)).astype(values.dtype)
    operator = LinearOperator((len(values),) * 2, matvec=apply, dtype=values.dtype)
    eigsh(operator, k=k, which="LA", v0=start, tol=tolerance)
    return next(count)


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


DTYPES = [torch.float32, torch.float64]
N = np.arange(1, 3001.0)
SPECTRA = {
    "slow": (N**-1.0, 50),
    "few": (N**-0.5, 5),
    "power law": (N**-1.5, 20),
    "steep": (N**-2.0, 100),
    "both signs": (np.r_[N**-1.5, -(N**-1.2)], 20),
    "tail in a heap": (np.r_[1.0, np.linspace(0.009, 0.01, 30), 1e-3 * N**-2.0], 25),
}


@given(d=st.integers(1, 40), seed=st.integers(0, 100), data=st.data())
@settings(max_examples=25, deadline=None)
def test_leading_eigenpairs_of_any_symmetric_operator(d, seed, data):
    k = data.draw(st.integers(1, d))
    values = np.random.default_rng(seed).standard_normal(d)
    matrix = symmetric(values, seed)
    result = leading(matrix, k)
    twins.compare(result.values, np.linalg.eigvalsh(matrix.numpy())[::-1][:k], 1e-7, "leading eigenvalues")
    twins.compare(result.vectors.T @ result.vectors, np.eye(k), 1e-9, "orthonormal")
    residual = torch.linalg.norm(matrix @ result.vectors - result.vectors * result.values, dim=0).max()
    assert float(residual) <= 1e-8 * np.abs(values).max()


@given(
    times=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    sign=st.sampled_from([1.0, -1.0]),
    null=st.integers(0, 300),
    negative=st.integers(0, 30),
    dtype=st.sampled_from(DTYPES),
    k=st.integers(1, 60),
)
@example(times=[8, 2, 7, 1], sign=1.0, null=272, negative=0, dtype=torch.float32, k=15)
@example(times=[1, 1, 5], sign=-1.0, null=59, negative=2, dtype=torch.float32, k=55)
@settings(max_examples=25, deadline=None)
def test_eigenvalues_that_are_there_many_times(times, sign, null, negative, dtype, k):
    """Clusters, ranks below k, negative eigenvalues: every one as often as it is there."""
    clusters = [np.full(count, sign * (len(times) - i)) for i, count in enumerate(times)]
    values = np.concatenate([*clusters, np.zeros(null), np.linspace(-3, -2, negative)])
    planted(values, min(k, len(values)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("most", [BLOCK, WIDE_BLOCK])
@pytest.mark.parametrize("name", SPECTRA)
def test_no_more_products_than_arpack_needs_half_as_many_again(name, most, dtype):
    values, k = SPECTRA[name]
    assert planted(values, k, dtype, block_size(k, most)) <= 1.5 * columns_of_eigsh(values, k, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_more_copies_than_a_block_is_wide(dtype):
    """As H = (2/K) I ⊗ E[a aᵀ] has of K outputs."""
    planted(np.r_[np.repeat([5.0, 4.0, 3.0, 2.5], 10), 0.1 / N], 35, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("values", "k"),
    [([0.0] * 300, 10), ([1.0] * 300, 5), ([-1.0] * 300, 5), ([2.0] + [0.0] * 300, 5), ([0.0], 1), ([-3.0], 1),
     (N[:40], 39), (-N[:300], 29), (-N[:300], 299)],
)  # fmt: skip
def test_degenerate_operators(values, k, dtype):
    planted(values, k, dtype)


@st.composite
def rows(draw):
    """Vectors of some samples, as products or written out, with weights of both signs, some of them 0."""
    n, r, o, i, t = (draw(st.integers(1, most)) for most in (4, 3, 4, 5, 2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 100)))
    left, right, weight = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((n, r, 1, t, o), (n, 1, t, i), (n, r))
    )
    x = Kronecker(left, right)
    return Moment(Rows(x.written_out()) if draw(st.booleans()) else x, weight.relu() - draw(st.floats(0, 1)))


@given(moment=rows(), k=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_leading_eigenpairs_from_the_gram_matrix_of_the_rows(moment, k):
    """Against numpy on the sum of all w x xᵀ; where fewer than k eigenvalues are positive it says so."""
    x, n = moment.x.written_out().flatten(0, 1), moment.x.samples
    matrix = (x.T * moment.weight.flatten()) @ x / n
    values = np.linalg.eigvalsh(matrix.numpy())[::-1]
    result = eigensolver.of_rows(moment, n, k, lambda v: matrix @ v)
    scale = np.abs(values).max()
    if len(values) < k or values[k - 1] <= 1e-10 * scale:
        assert result is None or values[k - 1] > 0
        return
    twins.compare(result.values, values[:k], 1e-9, "eigenvalues")
    twins.compare(result.vectors.T @ result.vectors, np.eye(k), 1e-9, "orthonormal")
    twins.compare(moment.x.gram(), x @ x.T, 1e-12, "Gram matrix")
    assert float(result.residuals.max()) <= 1e-9 * scale


def test_the_gram_matrix_of_a_linear_layer_in_closed_form():
    """H = (2/K) I ⊗ E[a aᵀ] of K outputs: every eigenvalue of E[a aᵀ] K times."""
    outputs, n = 3, 4
    a = torch.randn(n, 1, 1, 6, generator=torch.Generator().manual_seed(0))
    left = torch.eye(outputs).expand(n, -1, -1)[:, :, None, None]
    moment = Moment(Kronecker(left, a), torch.full((n, outputs), 2 / outputs))
    second = torch.linalg.eigvalsh(a[:, 0, 0].T.double() @ a[:, 0, 0].double() / n).flip(0)[:n]
    matrix = torch.kron(torch.eye(outputs), (a[:, 0, 0].T @ a[:, 0, 0]) / n) * 2 / outputs
    result = eigensolver.of_rows(moment, n, n * outputs, lambda v: matrix @ v)
    twins.compare(result.values, (2 / outputs * second).repeat_interleave(outputs), 1e-5, "eigenvalues")
    assert float(result.residuals.max()) < 1e-6 * float(result.values[0])


def test_no_convergence_is_said():
    values = 1 + 1e-3 * np.linspace(0, 1, 150)
    with pytest.raises(ValueError, match=r"did not converge: the worst residual reached is .* a larger top_k"):
        leading(symmetric(values), 5, restarts=1, tolerance=1e-12)
    with pytest.raises(ValueError, match=r"top_k must lie in 1 … 4"):
        leading(symmetric([1.0] * 4), 5)
