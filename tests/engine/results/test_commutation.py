"""The diagnostics against planted answers, definitions and draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.results import commutation
from engine.results.commutation import Distance
from tests.engine.results.conftest import falling, seeds, symmetric
from tests.reference import diagnostics
from tests.reference.twins import compare

quick = settings(max_examples=40, deadline=None)


def random_psd(k, seed):
    x = np.random.default_rng(seed).standard_normal((k, k + 2))
    return x @ x.T


# -- correlation ------------------------------------------------------------------------------------------


@quick
@given(k=st.integers(1, 12), seed=seeds)
def test_correlation_has_unit_diagonal_and_is_bounded(k, seed):
    block = random_psd(k, seed)
    r = commutation.correlation(block)
    assert (np.diag(r) == 1).all()
    assert np.abs(r).max() <= 1 + 1e-12
    compare(r, diagnostics.correlation(block), 1e-12, "R")
    scale = 10 ** np.random.default_rng(seed).uniform(-3, 3, k)
    compare(commutation.correlation(block * np.outer(scale, scale)), r, 1e-10, "R after a change of units")


def test_correlation_leaves_directions_without_variance_open():
    block = np.diag([2.0, 0.0, -1.0, 3.0])
    block[0, 3] = block[3, 0] = 1.0
    before = block.copy()
    r = commutation.correlation(block)
    assert r[0, 3] == pytest.approx(1 / np.sqrt(6))
    assert list(np.diag(r)[[0, 3]]) == [1.0, 1.0]
    assert np.isnan(r[1:3]).all()
    assert np.isnan(r[:, 1:3]).all()
    assert (block == before).all()


# -- commutation ------------------------------------------------------------------------------------------


@quick
@given(d=st.integers(2, 12), seed=seeds)
def test_commuting_matrices_have_no_commutator_error(d, seed):
    rng = np.random.default_rng(seed)
    h, other = rng.uniform(0.5, 2, (2, d))
    curves = commutation.commutator_curves(h, np.diag(other))
    assert max(*curves.top, *curves.bulk) < 1e-13
    assert commutation.commutator_curves(h, symmetric(other, seed + 1)).top[-1] > 1e-6


def test_unrelated_matrices_have_commutator_error_of_about_root_two():
    spectrum = 1 / np.arange(1, 301.0) ** 2
    assert abs(commutation.commutator_curves(spectrum, symmetric(spectrum, 5)).top[-1] - np.sqrt(2)) < 0.02


@quick
@given(k=st.integers(1, 12), seed=seeds, indefinite=st.booleans())
def test_commutator_curves_are_the_errors_of_every_leading_and_trailing_block(k, seed, indefinite):
    h = falling(k, 3.0, seed) if k > 1 else np.array([0.7])
    if indefinite:
        h = h - h.mean() * 0.3
    block = random_psd(k, seed)
    curves = commutation.commutator_curves(h, block)
    for j in range(1, k + 1):
        expected = diagnostics.commutator_error(np.diag(h[:j]), block[:j, :j])
        compare(curves.top[j - 1], expected, 1e-9, f"leading {j}")
    for j in range(k):
        expected = diagnostics.commutator_error(np.diag(h[j:]), block[j:, j:])
        compare(curves.bulk[j], expected, 1e-9, f"block from {j}")


def test_commutator_curves_go_on_beyond_the_rows_worked_on_at_a_time():
    k = 2 * commutation.ROWS + 7
    h, block = falling(k, 6.0, 3), random_psd(k, 4)
    curves = commutation.commutator_curves(h, block)
    for j in (1, 63, 64, 65, 128, k):
        compare(curves.top[j - 1], diagnostics.commutator_error(np.diag(h[:j]), block[:j, :j]), 1e-10, f"leading {j}")
    for j in (0, 63, 64, 65, k - 1):
        compare(curves.bulk[j], diagnostics.commutator_error(np.diag(h[j:]), block[j:, j:]), 1e-10, f"block from {j}")


def test_commutator_curves_do_not_depend_on_the_basis():
    """The whole-space entries are the error of the matrices themselves, in any coordinates."""
    h_matrix, c_matrix = symmetric(falling(8, 3.0, 0), 1), random_psd(8, 2)
    h, v = diagnostics.eigenbasis(h_matrix)
    curves = commutation.commutator_curves(h, v.T @ c_matrix @ v)
    expected = diagnostics.commutator_error(h_matrix, c_matrix)
    compare(curves.top[-1], expected, 1e-10, "whole, from the top")
    compare(curves.bulk[0], expected, 1e-10, "whole, from the bulk")


def test_commutator_curves_are_open_where_the_product_vanishes():
    curves = commutation.commutator_curves(np.array([1.0, 0.0, 0.0]), np.eye(3))
    assert list(curves.top) == [0.0, 0.0, 0.0]
    assert curves.bulk[0] == 0.0
    assert np.isnan(curves.bulk[1:]).all()


# -- random baselines -------------------------------------------------------------------------------------


def moments(spectrum):
    return float(np.sum(spectrum)), float(np.sum(np.square(spectrum)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([3.0, 1.0], [2.0, 0.5]),
        ([1.0, 0.1, 0.01], [5.0, 1.0, 0.2]),
        ([1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]),
        ([2.0, 1.0, -1.0, 0.3, -2.0], [1.0, 0.9, 0.8, 0.1, -0.7]),
    ],
)
def test_random_baselines_against_haar_draws(a, b):
    """Ratios of means over 3,000 draws; the errors of numerator and denominator are propagated together."""
    a, b = np.array(a), np.array(b)
    d, draws = len(a), 3000
    errors, norms, aligned = np.empty(draws), np.empty(draws), np.empty(draws)
    for s in range(draws):
        x = symmetric(b, s)
        ax = a[:, None] * x
        errors[s], norms[s] = np.sum((ax - ax.T) ** 2), np.sum(ax**2)
        aligned[s] = np.sum(np.diag(x) ** 2) / np.sum(b**2)
    ratio = errors.mean() / norms.mean()
    spread = np.std(errors - ratio * norms) / norms.mean() / np.sqrt(draws)
    expected = commutation.random_commutator(*moments(a), *moments(b), d) ** 2
    assert abs(ratio - expected) < 4 * spread, (ratio, expected, spread)
    expected = commutation.random_alignment(*moments(b), d)
    spread = aligned.std() / np.sqrt(draws)
    assert abs(aligned.mean() - expected) < 4 * spread, (aligned.mean(), expected, spread)


@quick
@given(d=st.integers(1, 30), seed=seeds)
def test_turning_a_multiple_of_the_identity_changes_nothing(d, seed):
    spectrum = np.random.default_rng(seed).uniform(0.1, 2, d)
    assert commutation.random_commutator(*moments(spectrum), *moments(np.full(d, 3.0)), d) < 1e-6
    assert commutation.random_commutator(*moments(np.full(d, 3.0)), *moments(spectrum), d) < 1e-6
    compare(commutation.random_alignment(*moments(np.full(d, 3.0)), d), 1.0, 1e-9, "alignment of 3·I")


def test_random_baselines_by_hand():
    """d = 2: X = Q B Qᵀ is m·I plus a traceless part of size r turned by a uniform angle 2φ, so
    ‖[A, X]‖² = 2 (a_1 − a_2)² (r sin 2φ)² and Σ X_ii² = 2 m² + 2 (r cos 2φ)²; sin² and cos² are ½ on
    average."""
    (a1, a2), (b1, b2) = (3.0, 1.0), (2.0, 0.5)
    m, r = (b1 + b2) / 2, (b1 - b2) / 2
    norm = (a1**2 + a2**2) * (b1**2 + b2**2) / 2
    compare(
        commutation.random_commutator(4.0, 10.0, 2.5, 4.25, 2),
        np.sqrt((a1 - a2) ** 2 * r**2 / norm),
        1e-12,
        "commutator",
    )
    compare(commutation.random_alignment(2.5, 4.25, 2), (2 * m**2 + r**2) / 4.25, 1e-12, "alignment")


def test_random_baselines_of_one_dimension_and_of_nothing():
    assert commutation.random_commutator(2.0, 4.0, 3.0, 9.0, 1) == 0.0
    assert commutation.random_alignment(3.0, 9.0, 1) == 1.0
    assert np.isnan(commutation.random_commutator(2.0, 4.0, 0.0, 0.0, 5))
    assert np.isnan(commutation.random_alignment(0.0, 0.0, 5))


def test_the_random_commutator_tends_to_root_two():
    spectrum = 1 / np.arange(1, 2501.0) ** 2
    assert abs(commutation.random_commutator(*moments(spectrum), *moments(spectrum), 2500) - 2**0.5) < 0.005


def test_alignment():
    block = np.array([[3.0, 1.0], [1.0, 2.0]])
    value = commutation.alignment(np.diag(block), float(np.linalg.norm(block)))
    assert value == pytest.approx(13 / 15)
    assert commutation.alignment(np.array([3.0, 2.0]), np.sqrt(13.0)) == pytest.approx(1.0)
    assert np.isnan(commutation.alignment(np.zeros(2), 0.0))


# -- Haar -------------------------------------------------------------------------------------------------


@quick
@given(d=st.integers(1, 12), data=st.data(), seed=seeds)
def test_a_random_block_is_that_of_gram_schmidt(d, data, seed):
    """The twin orthogonalises column by column and multiplies out the whole sandwich."""
    k = data.draw(st.integers(1, d))
    spectrum = falling(d, 3.0, seed) if d > 1 else np.array([0.7])
    x = diagnostics.haar(d, seed, k)
    block = commutation.random_block(spectrum, k, seed)
    compare(block, x.T @ np.diag(spectrum) @ x, 1e-6, "block")
    compare(commutation.random_correlation(spectrum, k, seed), diagnostics.correlation(block), 1e-12, "R_rand")
    assert (commutation.random_block(spectrum, k, seed) == block).all()
    assert d == 1 or (commutation.random_block(spectrum, k, seed + 1) != block).any()


def test_random_blocks_have_the_moments_of_the_rotation():
    """E[B_ij B_kl] = p δ_ij δ_kl + q (δ_ik δ_jl + δ_il δ_jk) and E[B] = (tr Λ / d) 1, in closed form."""
    spectrum, draws = np.array([1.0, 0.4, 0.2, 0.05, -0.1]), 4000
    d, trace, square = spectrum.size, spectrum.sum(), (spectrum**2).sum()
    q = (d * square - trace**2) / (d * (d - 1) * (d + 2))
    p = (trace**2 - 2 * q * d) / d**2
    b = np.stack([commutation.random_block(spectrum, 2, seed) for seed in range(draws)])
    for drawn, moment in (
        (b[:, 0, 0], trace / d),
        (b[:, 0, 1], 0.0),
        (b[:, 0, 0] ** 2, p + 2 * q),
        (b[:, 0, 0] * b[:, 1, 1], p),
        (b[:, 0, 1] ** 2, q),
    ):
        assert abs(drawn.mean() - moment) < 4 * drawn.std() / np.sqrt(draws)


@pytest.mark.parametrize("k", [0, 6, -1])
def test_a_random_block_refuses_more_directions_than_there_are(k):
    with pytest.raises(ValueError, match=rf"k must lie in 1 … 5, not {k}\."):
        commutation.random_block(np.ones(5), k, 0)


def test_random_correlation_has_the_law_of_the_whole_rotation():
    """Mean of R_12² over draws of k = 2 columns and over draws of the whole rotation."""
    spectrum, draws = np.array([1.0, 0.3, 0.1, 0.02]), 3000
    ours = np.array([commutation.random_correlation(spectrum, 2, s)[0, 1] ** 2 for s in range(draws)])
    whole = np.array([diagnostics.correlation(symmetric(spectrum, s)[2:, 2:])[0, 1] ** 2 for s in range(draws)])
    assert abs(ours.mean() - whole.mean()) < 4 * np.hypot(ours.std(), whole.std()) / np.sqrt(draws)
    compare(np.quantile(ours, [0.25, 0.5, 0.75]), np.quantile(whole, [0.25, 0.5, 0.75]), 0.06, "quartiles")


# -- off the diagonal -------------------------------------------------------------------------------------


@quick
@given(k=st.integers(1, 12), seed=seeds, hole=st.booleans())
def test_sizes_off_the_diagonal_are_those_of_every_leading_block(k, seed, hole):
    r = commutation.correlation(random_psd(k, seed))
    if hole:
        r[0, :] = r[:, 0] = np.nan
    sizes = commutation.off_diagonal(r)
    for j in range(1, k + 1):
        pairs = [abs(r[a, b]) for a in range(j) for b in range(a) if not np.isnan(r[a, b])]
        assert sizes.counts[j - 1].sum() == len(pairs)
        for bin_ in range(commutation.BINS):
            low, high = bin_ / commutation.BINS, (bin_ + 1) / commutation.BINS
            last = bin_ == commutation.BINS - 1
            assert sizes.counts[j - 1, bin_] == sum(low <= p and (p < high or last) for p in pairs)
        if pairs:
            compare(sizes.rms[j - 1], np.sqrt(np.mean(np.square(pairs))), 1e-12, f"rms of the leading {j}")
        else:
            assert np.isnan(sizes.rms[j - 1])


def test_a_p_value_counts_the_draws_that_are_as_small():
    draws = np.array([0.3, 0.1, 0.2, 0.4])
    assert [commutation.p_value(x, draws) for x in (0.05, 0.2, 1.0)] == [1 / 5, 3 / 5, 1.0]


def test_the_p_value_of_a_random_matrix_is_uniform():
    """A test that is right rejects what has no preferred direction as often as it says."""
    spectrum, draws = falling(30, 3.0, 0), 19
    values = np.array(
        [commutation.off_diagonal(commutation.random_correlation(spectrum, 4, s)).rms[-1] for s in range(200 * 20)]
    ).reshape(200, 20)
    p = np.array([commutation.p_value(row[0], row[1 : draws + 1]) for row in values])
    for level in (0.1, 0.25, 0.5, 0.75):
        assert abs((p <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / p.size)


def distance(a, b):
    return commutation.distance((a * a).sum(), (a * b).sum(), (b * b).sum())


@quick
@given(k=st.integers(1, 12), seed=seeds)
def test_the_distance_is_the_least_over_scales(k, seed):
    a, b = random_psd(k, seed), random_psd(k, seed + 1)
    scales = np.linspace(-1, 3, 4001) * np.linalg.norm(a) / np.linalg.norm(b)
    twin, ours = min(np.linalg.norm(a - scale * b) for scale in scales) / np.linalg.norm(a), distance(a, b)
    assert 0 <= twin - ours.scaled < 1e-3 or np.isclose(twin, ours.scaled, atol=1e-7)
    assert np.isclose(np.linalg.norm(a - ours.scale * b) / np.linalg.norm(a), ours.scaled, atol=1e-7)
    assert np.isclose(np.linalg.norm(a - b) / np.linalg.norm(a), ours.absolute, atol=1e-7)
    assert distance(3 * b, b).scaled < 1e-7


def test_distances_by_hand():
    a, b = np.diag([1.0, 0.0]), np.diag([0.0, 2.0])
    assert distance(a, b) == Distance(np.sqrt(5), 1.0, 0.0)
    assert distance(4 * a, a) == Distance(0.75, 0.0, 4.0)
    assert distance(a, a + np.diag([0.0, 1.0])) == Distance(1.0, np.sqrt(0.5), 0.5)
    assert distance(a, np.zeros((2, 2))) == Distance(1.0, 1.0, 0.0)
    assert np.isnan(distance(np.zeros((2, 2)), a).scaled)
