"""Moments against explicit sums of outer products; the two evaluators against each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curvature.accumulate import over
from engine.curvature.kronecker import Kronecker, Moment, Rows
from engine.curvature.moments import LayerMoments, Terms
from tests.reference import twins


def explicit(moment):
    """Σ_pm w x yᵀ (+ transpose with a second side), one sample and one m at a time."""
    x, y = (vectors(side) for side in (moment.x, moment.other))
    n, r, d = x.shape
    total = torch.zeros(d, d, dtype=torch.float64)
    for p in range(n):
        for m in range(r):
            weight = 1.0 if moment.weight is None else moment.weight[p, m]
            product = weight * torch.outer(x[p, m], y[p, m])
            total += product if moment.y is None else product + product.T
    return total


def vectors(x):
    """Σ_t l_t ⊗ a_t of every group, sample by sample and place by place."""
    if isinstance(x, Rows):
        return x.x
    n, r, g, t, _ = x.left.shape

    def one(p, m, group):
        return sum(torch.kron(x.left[p, m, group, s], x.right[p, group, s]) for s in range(t))

    return torch.stack([torch.stack([torch.cat([one(p, m, i) for i in range(g)]) for m in range(r)]) for p in range(n)])


def some_moments(n, r, g, t, d_out, d_in, seed):
    """Moments of every form; three share a right factor, some are cross moments, one is of fewer samples."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    spectral, weight = Kronecker(random(n, r, g, t, d_out), random(n, g, t, d_in)), random(n, r)
    one = Kronecker(random(n, 1, g, t, d_out), spectral.right)
    other = Kronecker(random(n, 1, g, t, d_out), random(n, g, t, d_in))
    rows, more = Rows(random(n, r, g * d_out * d_in)), Rows(random(n, r, g * d_out * d_in))
    fewer = weight.clone()
    fewer[0] = 0
    return {
        "weighted": Moment(spectral, weight),
        "plain": Moment(spectral),
        "one": Moment(one),
        "one_weighted": Moment(one, weight[:, :1]),
        "other": Moment(other),
        "cross": Moment(one, y=other),
        "cross_same_left": Moment(one, y=Kronecker(one.left, other.right)),
        "cross_many": Moment(spectral, weight, y=Kronecker(random(n, r, g, t, d_out), other.right)),
        "cross_same_right": Moment(one, y=Kronecker(other.left, one.right)),
        "rows": Moment(rows, weight),
        "cross_rows": Moment(rows, y=more),
        "fewer": Moment(spectral, fewer),
    }


def layer_moments(described, n):
    """Of these moments, chunk by chunk; "fewer" counts all samples but the first."""

    def part(x, rows, cut):
        if isinstance(x, Rows):
            return Rows(x.x[rows])
        right = cut.setdefault(id(x.right), x.right[rows])
        return Kronecker(x.left[rows], right)

    def terms(rows):
        cut = {}
        return Terms(
            {
                name: Moment(
                    part(m.x, rows, cut),
                    None if m.weight is None else m.weight[rows],
                    None if m.y is None else part(m.y, rows, cut),
                )
                for name, m in described.items()
            },
            {"mean": part(described["one"].x, rows, cut)} if "one" in described else {},
        )

    counted = {"fewer": torch.arange(n) > 0}
    return LayerMoments(terms, lambda rows: terms(rows).quadratic["h"], n, {}, counted)


sizes = {
    "n": st.integers(2, 9),
    "r": st.integers(1, 3),
    "g": st.integers(1, 2),
    "t": st.integers(1, 3),
    "d_out": st.integers(1, 4),
    "d_in": st.integers(1, 4),
    "seed": st.integers(0, 1000),
    "chunk": st.integers(1, 12),
}


@given(**sizes)
@settings(max_examples=40)
def test_dense_moments_equal_explicit_sums_for_every_chunk(n, r, g, t, d_out, d_in, seed, chunk):
    described = some_moments(n, r, g, t, d_out, d_in, seed)
    for name, matrix in layer_moments(described, n).dense(chunk).items():
        twins.compare(matrix, explicit(described[name]) / (n - (name == "fewer")), 1e-10, name)


def test_at_one_place_only_triangles_stay_in_memory():
    described = some_moments(5, 2, 1, 1, 12, 12, 0)  # more rows than are formed at a time
    folded = layer_moments(described, 5).dense(5)
    assert {t.numel() for name in ("plain", "cross_many") for t in folded.parts[name].values()} == {78**2}
    folded["cross_many"].zero_()  # what was laid out is the reader's own
    for name in ("weighted", "cross_many"):
        twins.compare(folded[name], explicit(described[name]) / 5, 1e-10, name)


@given(k=st.integers(1, 6), **sizes)
@settings(max_examples=40)
def test_projected_moments_equal_the_dense_ones(n, r, g, t, d_out, d_in, seed, chunk, k):
    described = some_moments(n, r, g, t, d_out, d_in, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    basis = torch.randn(g * d_out * d_in, k, generator=generator, dtype=torch.float64)
    moments = layer_moments(described, n)
    projected = moments.project(basis, chunk)
    resampled = moments.resampled(basis, torch.ones(1, n), chunk)
    for name, moment in described.items():
        matrix = explicit(moment) / (n - (name == "fewer"))
        expected = basis.T @ matrix @ basis
        twins.compare(projected[name], expected, 1e-9, name)
        twins.compare(resampled[name][0], expected.diagonal(), 1e-9, f"diagonal of {name}")
        if moment.y is None and name != "fewer":
            applied = layer_moments({"h": moment}, n).apply(basis, chunk)
            twins.compare(applied, matrix @ basis, 1e-9, f"{name} applied")
    mean = vectors(described["one"].x).mean(dim=(0, 1))
    twins.compare(resampled["mean"][0], mean @ basis, 1e-9, "mean")


@pytest.mark.parametrize("places", [1, 3])
def test_the_sum_of_vectors(places):
    described = some_moments(5, 2, 2, places, 3, 2, 0)
    for name in ("plain", "rows"):
        x = described[name].x
        twins.compare(x.sum(), vectors(x).sum(dim=(0, 1)), 1e-12, name)


def test_float32_sums_are_accumulated_in_float64():
    """A thousand chunks of one sample each lose no more than one: a float32 running sum would drift."""
    exact = float(torch.tensor(0.1)) ** 4
    for places in (1, 2):  # by triangles, and written out
        left = torch.full((20_000, 1, 1, places, 2), 0.1)
        right = torch.zeros(20_000, 1, places, 2)
        right[:, :, 0] = 0.1
        by_one = layer_moments({"m": Moment(Kronecker(left, right))}, 20_000).dense(10)["m"]
        assert by_one.dtype == torch.float32
        twins.compare(by_one.double(), torch.full((4, 4), exact), 3e-7, "accumulated moment")


@pytest.mark.parametrize("size", [1, 3, 10])
def test_chunks_cover_every_row_once(size):
    rows = [i for part in over(10, size) for i in range(10)[part]]
    assert rows == list(range(10))
