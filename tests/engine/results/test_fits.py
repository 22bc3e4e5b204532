"""Fits of a power law against planted answers and definitions."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.results import power_law
from engine.results.jackknife import Without
from tests.engine.results.conftest import falling, seeds
from tests.reference.twins import compare

quick = settings(max_examples=40, deadline=None)


@quick
@given(
    gamma=st.floats(-3, 4), intercept=st.floats(-10, 10), k=st.integers(3, 80), decades=st.floats(0.5, 10), seed=seeds
)
def test_a_planted_power_law_is_recovered_exactly(gamma, intercept, k, decades, seed):
    x = falling(k, decades, seed)
    y = 10**intercept * x**gamma
    fit = power_law.power_law(x, y)
    assert abs(fit.gamma - gamma) < 1e-9
    assert abs(fit.intercept - intercept) < 1e-8
    assert fit.stderr < 1e-10
    assert abs(gamma) < 1e-3 or abs(fit.r2 - 1) < 1e-9
    assert (fit.n, fit.discarded, fit.interval) == (k, 0, None)
    # In decades: a line at 1 has logarithms near 0, which rounding alone makes.
    np.testing.assert_allclose(np.log10(fit.line(x)), np.log10(y), rtol=1e-9, atol=1e-9)
    if k <= 10:  # the median of slopes between directions that nearly coincide keeps fewer digits
        assert abs(power_law.theil_sen(x, y).gamma - gamma) < 1e-8


@quick
@given(k=st.integers(3, 60), seed=seeds, noise=st.floats(1e-4, 1.0))
def test_slope_error_and_r2_are_those_of_ordinary_least_squares(k, seed, noise):
    x = falling(k, 4.0, seed)
    y = 7 * x**1.4 * 10 ** (noise * np.random.default_rng(seed + 1).standard_normal(k))
    u, v = np.log10(x), np.log10(y)
    design = np.stack([u, np.ones(k)], 1)
    solution = np.linalg.solve(design.T @ design, design.T @ v)
    residual = v - design @ solution
    variance = (residual @ residual) / (k - 2) * np.linalg.inv(design.T @ design)[0, 0]
    fit = power_law.power_law(x, y)
    compare(fit.gamma, solution[0], 1e-9, "slope")
    compare(fit.intercept, solution[1], 1e-8, "intercept")
    compare(fit.stderr, np.sqrt(variance), 1e-8, "standard error")
    compare(fit.r2, 1 - residual @ residual / np.sum((v - v.mean()) ** 2), 1e-8, "R²")


def test_a_flat_law_has_slope_zero():
    fit = power_law.power_law(falling(9, 3.0, 0), np.full(9, 2.5))
    assert abs(fit.gamma) < 1e-14
    assert (fit.stderr, fit.r2) == (0.0, 1.0)


def test_directions_below_the_noise_floor_or_without_variance_are_left_out_and_counted():
    x = falling(20, 6.0, 3)
    floor = x[14] * 1.0000001
    y = 5 * x**1.3
    y[14:] = 1e3  # would turn the slope round
    y[2], y[5], y[7] = 0.0, -1.0, np.nan
    fit = power_law.power_law(x, y, floor)
    assert abs(fit.gamma - 1.3) < 1e-10
    assert (fit.n, fit.discarded) == (11, 9)
    assert abs(power_law.theil_sen(x, y, floor).gamma - 1.3) < 1e-10
    keep = power_law.fittable(x, y, floor)
    assert list(np.flatnonzero(~keep)) == [2, 5, 7, 14, 15, 16, 17, 18, 19]
    curve = power_law.gamma_by_window(x, y, floor)
    assert np.nanmax(np.abs(curve - 1.3)) < 1e-9
    assert abs(power_law.power_law(x, y).gamma - 1.3) > 0.1


def test_negative_curvature_never_enters_a_fit():
    x = np.array([3.0, 2.0, 1.0, 0.0, -1.0, np.inf])
    assert list(power_law.fittable(x, np.ones(6))) == [True] * 3 + [False] * 3
    assert list(power_law.fittable(x, np.ones(6), floor=-5.0)) == [True] * 3 + [False] * 3
    assert list(power_law.fittable(x, np.ones(6), floor=1.0)) == [True] * 2 + [False] * 4
    y = np.array([np.inf, np.nan, 1.0, 0.0, 1.0, 1.0])
    assert list(power_law.fittable(np.ones(6), y)) == [False, False, True, False, True, True]


def test_theil_sen_survives_the_outliers_that_bend_least_squares():
    x = falling(40, 5.0, 4)
    y = 3 * x**1.2
    y[-8:] *= 1e4  # a fifth: 64 % of the pairs are untouched, so their slope is the median
    assert abs(power_law.theil_sen(x, y).gamma - 1.2) < 1e-9
    assert power_law.theil_sen(x, y).interval is None, "directions are not independent: no interval without samples"
    assert abs(power_law.power_law(x, y).gamma - 1.2) > 0.3


def without(x, y, seed=0):
    """The window without each of 30 groups of samples."""
    rng = np.random.default_rng(seed)
    u, v = (np.log10(z) + 0.01 * rng.standard_normal((30, z.size)) for z in (x, y))
    return Without(u, v, np.ones(x.size, bool))


@quick
@given(k=st.integers(4, 40), seed=seeds)
def test_theil_sen_and_its_interval_are_those_of_scipy_without_each_group(k, seed):
    x = falling(k, 5.0, seed)
    y = x**1.2 * 10 ** np.random.default_rng(seed + 1).normal(0, 0.2, k)
    left = without(x, y)
    each = np.array([stats.theilslopes(v, u).slope for u, v in zip(left.u, left.v, strict=True)])
    half = stats.t.ppf(0.975, 29) * np.sqrt(29 / 30 * np.sum((each - each.mean()) ** 2))
    ours = power_law.theil_sen(x, y, 0.0, left)
    compare(ours.gamma, stats.theilslopes(np.log10(y), np.log10(x)).slope, 1e-9, "median slope")
    compare(ours.interval, (ours.gamma - half, ours.gamma + half), 1e-6, "interval")


def test_every_decade_counts_alike_however_many_directions_it_holds():
    sharp, flat = 10 ** np.linspace(0, -0.9, 5), 10 ** np.linspace(-1.05, -2, 400)
    x = np.concatenate([sharp, flat])
    y = np.where(x > 0.1, x**2, 0.1 * x)  # slope 2 in the sharp decade, 1 in the flat one
    assert abs(power_law.power_law(x, y).gamma - 1) < 0.15
    assert abs(power_law.by_decade(x, y).gamma - 1.5) < 0.1
    u = np.log10(x)
    weights = power_law.shares(u)
    for quarter in range(8):
        inside = (u <= -quarter / 4) & (u > -(quarter + 1) / 4 - (quarter == 7))
        compare(weights[inside].sum(), 1 / 8, 1e-9, "weight of a quarter of a decade")
    literal = np.polyfit(u, np.log10(y), 1, w=np.sqrt(weights))[0]
    ours = power_law.by_decade(x, y, 0.0, left := without(x, y))
    compare(ours.gamma, literal, 1e-9, "weighted slope")
    each = np.array([np.polyfit(a, b, 1, w=np.sqrt(weights))[0] for a, b in zip(left.u, left.v, strict=True)])
    compare(ours.interval[1] - ours.gamma, stats.t.ppf(0.975, 29) * np.sqrt(29) * each.std(), 1e-6, "half width")


@quick
@given(k=st.integers(3, 40), seed=seeds, holes=st.booleans())
def test_gamma_by_window_is_the_fit_of_every_prefix(k, seed, holes):
    x = falling(k, 6.0, seed)
    rng = np.random.default_rng(seed + 1)
    y = x**1.4 * 10 ** rng.normal(0, 0.3, k)
    if holes:
        y[rng.random(k) < 0.3] *= -1
    floor = x[-1] * 2
    curve = power_law.gamma_by_window(x, y, floor)
    assert curve.shape == (k,)
    for j in range(1, k + 1):
        u = x[:j][power_law.fittable(x[:j], y[:j], floor)]
        if len(u) < 3:
            assert np.isnan(curve[j - 1])
        else:
            fit = power_law.power_law(x[:j], y[:j], floor)
            compare(curve[j - 1], fit.gamma, 1e-6, f"slope of the first {j}")


def test_gamma_by_window_is_exact_for_a_close_cluster_at_the_top_of_a_wide_spectrum():
    x = np.concatenate([1 - 1e-5 * np.arange(5), falling(300, 12.0, 0) / 10])
    y = x**1.4
    assert np.nanmax(np.abs(power_law.gamma_by_window(x, y) - 1.4)) < 1e-8


def test_gamma_by_window_is_undefined_where_nothing_varies():
    assert np.isnan(power_law.gamma_by_window(np.full(6, 0.3), falling(6, 1.0, 0))).all()
    assert np.isnan(power_law.gamma_by_window(np.zeros(6), np.zeros(6))).all()
    assert np.isnan(power_law.gamma_by_window(np.full(6, 3.0), np.full(6, -1.0))).all()


def test_spearman_is_the_correlation_of_ranks():
    x, y = np.array([9.0, 5.0, 3.0, 2.0, 1.0]), np.array([4.0, 8.0, 2.0, 1.0, 0.5])
    assert power_law.spearman(x, y) == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert power_law.spearman(x, x**3) == pytest.approx(1.0)
    assert power_law.spearman(x, -x) == pytest.approx(-1.0)
    with warnings.catch_warnings(action="error"):
        assert np.isnan(power_law.spearman(x, np.ones(5)))
        assert np.isnan(power_law.spearman(np.ones(5), x))


@pytest.mark.parametrize(
    ("x", "y", "floor", "sentence"),
    [
        ([1.0, 0.5], [1.0, 0.5], 0.0, r"at least 3 directions .* has 2 of 2\. Widen the window"),
        ([1.0, 0.5, 0.1, 0.01], [1.0, -0.5, 1.0, 1.0], 0.05, r"floor \(0\.05\).* has 2 of 4"),
        ([0.5, 0.5, 0.5], [1.0, 2.0, 3.0], 0.0, "Every H_ii in this window is the same number"),
    ],
)
def test_an_impossible_fit_says_why(x, y, floor, sentence):
    with pytest.raises(ValueError, match=sentence):
        power_law.power_law(np.array(x), np.array(y), floor)


def test_an_impossible_theil_sen_says_why():
    with pytest.raises(ValueError, match="Theil–Sen needs at least 3 directions above the noise floor"):
        power_law.theil_sen(np.array([1.0, 0.5]), np.array([1.0, 0.5]))
