"""Moments against explicit sums of outer products; the two evaluators against each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curvature.accumulate import over
from engine.curvature.kronecker import Moment, Vectors
from engine.curvature.moments import LayerMoments
from tests.reference import twins


def explicit(moment):
    """E_p[Σ_m w x yᵀ] (+ transpose with a second side), one sample and one m at a time."""
    x, y = moment.x, moment.y or moment.x
    n, r, _, d_out = x.left.shape
    total = torch.zeros(d_out * x.right.shape[2], d_out * x.right.shape[2], dtype=torch.float64)
    for p in range(n):
        for m in range(r):
            weight = 1.0 if moment.weight is None else moment.weight[p, m]
            product = weight * torch.outer(one_vector(x, p, m), one_vector(y, p, m))
            total += product if moment.y is None else product + product.T
    return total / n


def one_vector(x, p, m):
    """Σ_t l_t ⊗ a_t of one sample, place by place."""
    return sum(torch.kron(x.left[p, m, t], x.right[p, t]) for t in range(x.right.shape[1]))


def some_moments(n, r, t, d_out, d_in, seed):
    """Moments of every form; three share a right factor, one is a cross moment, one has other samples."""
    g = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    spectral, weight = Vectors(random(n, r, t, d_out), random(n, t, d_in)), random(n, r)
    one = Vectors(random(n, 1, t, d_out), spectral.right)
    other = Vectors(random(n, 1, t, d_out), random(n, t, d_in))
    fewer = Vectors(random(max(1, n - 1), 1, t, d_out), random(max(1, n - 1), t, d_in))
    return {
        "weighted": Moment(spectral, weight),
        "plain": Moment(spectral),
        "one": Moment(one),
        "one_weighted": Moment(one, weight[:, :1]),
        "other": Moment(other),
        "cross": Moment(one, y=other),
        "cross_same_left": Moment(one, y=Vectors(one.left, other.right)),
        "cross_many": Moment(spectral, weight, y=Vectors(random(n, r, t, d_out), other.right)),
        "cross_same_right": Moment(one, y=Vectors(other.left, one.right)),
        "fewer": Moment(fewer),
    }


sizes = {
    "n": st.integers(1, 9),
    "r": st.integers(1, 3),
    "t": st.integers(1, 3),
    "d_out": st.integers(1, 4),
    "d_in": st.integers(1, 4),
    "seed": st.integers(0, 1000),
    "chunk": st.integers(1, 12),
}


@given(**sizes)
@settings(max_examples=40)
def test_dense_moments_equal_explicit_sums_for_every_chunk(n, r, t, d_out, d_in, seed, chunk):
    described = some_moments(n, r, t, d_out, d_in, seed)
    for name, matrix in LayerMoments(described).dense(chunk).items():
        twins.compare(matrix, explicit(described[name]), 1e-10, name)


@given(k=st.integers(1, 6), **sizes)
@settings(max_examples=40)
def test_projected_moments_equal_the_dense_ones(n, r, t, d_out, d_in, seed, chunk, k):
    described = some_moments(n, r, t, d_out, d_in, seed)
    basis = torch.randn(d_out * d_in, k, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    moments = LayerMoments(described, index=torch.arange(1, n))
    projected = moments.project(basis, chunk)
    resampled = moments.resampled(basis, torch.ones(1, n), chunk)
    for name, moment in described.items():
        expected = basis.T @ explicit(moment) @ basis
        twins.compare(projected[name], expected, 1e-9, name)
        twins.compare(resampled[name][0], expected.diagonal(), 1e-9, f"diagonal of {name}")
        if moment.y is None:
            applied = LayerMoments({"h": moment}).apply(basis, chunk)
            twins.compare(applied, explicit(moment) @ basis, 1e-9, f"{name} applied")


@pytest.mark.parametrize("places", [1, 3])
def test_the_mean_of_vectors(places):
    x = some_moments(5, 2, places, 3, 2, 0)["plain"].x
    twins.compare(x.mean(), sum(one_vector(x, p, m) for p in range(5) for m in range(2)) / 5, 1e-12, "mean")


def test_float32_sums_are_accumulated_in_float64():
    """A thousand chunks of one sample each lose no more than one: a float32 running sum would drift."""
    left, right = torch.full((20_000, 1, 1, 2), 0.1), torch.full((20_000, 1, 2), 0.1)
    exact = float(torch.tensor(0.1)) ** 4
    by_one = LayerMoments({"m": Moment(Vectors(left, right))}).dense(10)["m"]
    assert by_one.dtype == torch.float32
    twins.compare(by_one.double(), torch.full((4, 4), exact), 3e-7, "accumulated moment")


@pytest.mark.parametrize("size", [1, 3, 10])
def test_chunks_cover_every_row_once(size):
    rows = [i for part in over(10, size) for i in range(10)[part]]
    assert rows == list(range(10))
