"""The sandbox against explicit vectors and matrices: both ends exact, the middle monotone, the bounds true."""

import inspect
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.results import synthetic
from engine.results.power_law import power_law
from engine.results.suppression import Spectra, suppress
from engine.results.synthetic import SHAPES
from tests.engine.results.test_suppression import diagonals, problem, reduced, samples
from tests.reference.twins import compare

quick = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 10**6)
shapes = st.sampled_from(sorted(SHAPES))
widths = st.floats(0.1, 1.5)


def exponent(spectra):
    plain = suppress(spectra, keep=None)
    return power_law(plain.hessian_diagonal, plain.noise_diagonal)


# -- the curvatures ---------------------------------------------------------------------------------------


@quick
@given(shape=shapes, decades=widths, seed=seeds)
def test_curvatures_fall_have_mean_one_and_the_width_asked_for(shape, decades, seed):
    kappa = synthetic.curvatures(shape, decades, seed)
    assert (np.diff(kappa) < 0).all()
    compare(kappa.mean(), 1.0, 1e-12, "mean κ")
    compare(np.log10(kappa).std(), decades, 1e-12, "width")
    np.testing.assert_array_equal(kappa, synthetic.curvatures(shape, decades, seed))
    assert not np.array_equal(kappa, synthetic.curvatures(shape, decades, seed + 1))


def test_each_distribution_is_what_its_name_says():
    """Quantiles of large draws, against closed forms; each up to its scale."""
    n = 4000
    u = 1 - (np.arange(n) + 0.5) / n
    middle = slice(n // 10, -n // 10)

    def shape(name, decades):
        log = np.log(synthetic.curvatures(name, decades, 0, n))
        return (log - log[n // 2])[middle]

    tail = -np.log(1 - u) * 0.5 * math.log(10)
    compare(shape("power_law", 0.5), (tail - tail[n // 2])[middle], 0.02, "Pareto of exponent 1 / (0.5 ln 10)")
    plain = np.log(-np.log(1 - u))
    width = math.pi / math.sqrt(6) / math.log(10)
    compare(shape("exponential", width), (plain - plain[n // 2])[middle], 0.02, "plain exponential")
    log = np.log10(synthetic.curvatures("log_normal", 0.4, 0, n))
    within = [(np.abs(log - log.mean()) < s * 0.4).mean() for s in (1, 2)]
    assert within == pytest.approx([0.6827, 0.9545], abs=2e-3)
    few = synthetic.curvatures("few_stiff", 0.5, 0, n)
    gap = np.argmax(few[:-1] / few[1:])
    assert (gap + 1) / n == pytest.approx(synthetic.STIFF)
    assert few[gap] / few[gap + 1] > 10


# -- the table --------------------------------------------------------------------------------------------


@quick
@given(shape=shapes, decades=widths, seed=seeds, choosy=st.floats(0, 1))
def test_the_table_has_both_sums_and_its_vectors_have_length_one(shape, decades, seed, choosy):
    kappa = synthetic.curvatures(shape, decades, seed, 40)
    b = synthetic.table(kappa, choosy)
    compare(b.sum(axis=1), kappa / 40, 1e-8, "what each sample gives")
    compare(b.sum(axis=0), kappa / 40, 1e-8, "H_ii")
    compare(synthetic.spectra(kappa, b).alignment.sum(axis=1), np.ones(40), 1e-8, "Σ_i α_p(i)")
    assert (b >= 0).all()


@pytest.mark.parametrize("choosy", [0.1, 0.5, 0.9])
def test_the_table_is_the_most_random_one(choosy):
    """Its logarithm is a sum of a row's part, a column's part and the squared log-distance: the condition for
    largest entropy at given sums. Cross-ratios leave the distance alone."""
    kappa = synthetic.curvatures("log_normal", 0.5, 1, 12)
    b, log = synthetic.table(kappa, choosy), np.log(kappa)
    variance = log.var() * (1 - choosy**2) / choosy
    for p in range(12):
        for i in range(12):
            ratio = b[p, i] * b[0, 0] / (b[p, 0] * b[0, i])
            expected = math.exp((log[p] - log[0]) * (log[i] - log[0]) / variance)
            compare(ratio, expected, 1e-9, "cross-ratio")


def test_the_spectra_are_those_of_explicit_matrices():
    kappa = synthetic.curvatures("exponential", 0.6, 2, 15)
    spectra = synthetic.correlated(kappa, 0.5)
    vectors = np.sqrt(spectra.alignment)[:, :, None]
    hessian, noise = diagonals(spectra.kappa, vectors, np.eye(15))
    compare(spectra.first[0], hessian, 1e-10, "E[h]_ii")
    compare(spectra.second[0], noise, 1e-10, "E[h²]_ii")
    compare(hessian, kappa / 15, 1e-9, "the spectrum of H")


# -- both ends and the way between ------------------------------------------------------------------------


@quick
@given(shape=shapes, decades=widths, seed=seeds)
def test_uncorrelated_is_one_and_perfect_is_two_exactly(shape, decades, seed):
    kappa = synthetic.curvatures(shape, decades, seed)
    none, perfect = (synthetic.correlated(kappa, r) for r in (0.0, 1.0))
    assert exponent(none).gamma == pytest.approx(1, abs=1e-12)
    assert exponent(perfect).gamma == pytest.approx(2, abs=1e-12)
    assert [synthetic.place(f).correlation for f in (none, perfect)] == pytest.approx([0, 1], abs=1e-9)
    compare(none.second, none.first * (kappa**2).mean() / kappa.mean(), 1e-12, "E[h²] uncorrelated")
    compare(perfect.second, kappa.size * perfect.first**2, 1e-12, "E[h²] where each direction owns one κ")


@quick
@given(shape=shapes, decades=widths, seed=seeds, rarity=st.floats(0, 0.8))
def test_where_sharp_samples_are_rarer_perfect_alignment_gives_more_than_two(shape, decades, seed, rarity):
    """γ measured = (2 − β) / (1 − β), 2 for equal shares alone; the bound holds every point all the same."""
    kappa = synthetic.curvatures(shape, decades, seed, 60)
    perfect = synthetic.correlated(kappa, 1.0, rarity)
    assert exponent(perfect).gamma == pytest.approx((2 - rarity) / (1 - rarity), abs=1e-9)
    assert synthetic.perfect_gamma(rarity) == (2 - rarity) / (1 - rarity)
    assert exponent(synthetic.correlated(kappa, 0.0, rarity)).gamma == pytest.approx(1, abs=1e-9)
    shares = kappa**-rarity / (kappa**-rarity).sum()
    b = synthetic.table(kappa, 0.6, rarity)
    compare(b.sum(axis=1), shares * kappa, 1e-8, "what each kind gives")
    compare(b.sum(axis=0), shares * kappa, 1e-8, "H_ii")
    compare((b / (shares * kappa)[:, None]).sum(axis=1), np.ones(60), 1e-8, "Σ_i α_p(i)")
    for spectra in (perfect, synthetic.spectra(kappa, b)):
        bounds = synthetic.bounds(spectra)
        assert (bounds.lower <= bounds.noise * (1 + 1e-6)).all()
        seen = bounds.upper > 0  # curvatures that are rounding beside the largest count as none
        assert (bounds.noise <= bounds.upper * (1 + 1e-6))[seen].all()


@pytest.mark.parametrize(("rarity", "gamma"), [(0.75, 5), (1.5, -1)])
def test_a_fitted_slope_may_leave_what_binds_every_point(rarity, gamma):
    """No curvature is negative, every point lies between slopes 1 and 2, and the slope fitted to them does not."""
    kappa = synthetic.curvatures("log_normal", 0.3, 0, 50)
    shares = kappa**-rarity / (kappa**-rarity).sum()
    spectra = synthetic.spectra(kappa, np.diag(shares * kappa))
    bounds = synthetic.bounds(spectra)
    assert (bounds.lower <= bounds.noise * (1 + 1e-6)).all()
    assert (bounds.noise <= bounds.upper * (1 + 1e-6)).all()
    assert exponent(spectra).gamma == pytest.approx(gamma, abs=1e-6)


def test_at_half_the_exponent_is_three_and_at_one_it_has_no_value():
    kappa = synthetic.curvatures("log_normal", 0.5, 0)
    assert exponent(synthetic.correlated(kappa, 1.0, 0.5)).gamma == pytest.approx(3, abs=1e-9)
    with pytest.raises(ValueError, match="rarity must lie in 0 … 1"):
        synthetic.correlated(kappa, 1.0, 1.0)


@quick
@given(shape=shapes, decades=widths, seed=seeds)
def test_between_the_ends_exponent_and_correlation_rise_and_the_hessian_stays(shape, decades, seed):
    kappa = synthetic.curvatures(shape, decades, seed)
    series = [synthetic.spectra(kappa, synthetic.table(kappa, c)) for c in np.linspace(0, 1, 9)]
    places = [synthetic.place(f) for f in series]
    for before, after in pairwise(places):
        assert after.gamma > before.gamma - 1e-7
        assert after.correlation > before.correlation - 1e-7
    assert all(1 - 1e-9 <= p.gamma <= 2 + 1e-9 for p in places)
    for f in series:
        compare(f.first, series[0].first, 1e-8, "H_ii")


@pytest.mark.parametrize("decades", [0.1, 0.2, 0.5, 0.8, 1.1, 1.5])
def test_even_the_farthest_outlier_that_is_drawn_lets_the_exponent_rise(decades, monkeypatch):
    """The sharpest of a power law's samples as far out as it may be, the next as near."""

    class Drawn:
        def uniform(self, low, high, size):
            return np.r_[np.full(size - 2, 0.5), low, high]

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Drawn())
    kappa = synthetic.curvatures("power_law", decades, 0)
    assert math.log10(kappa[0] / kappa[1]) > 1.4 * decades  # ln 5, in units of the width
    places = [synthetic.place(synthetic.spectra(kappa, synthetic.table(kappa, c))) for c in np.linspace(0, 1, 21)]
    assert (np.diff([p.gamma for p in places]) > 0).all()
    assert (np.diff([p.correlation for p in places]) > 0).all()


@quick
@given(shape=shapes, decades=widths, seed=seeds, correlation=st.floats(0.02, 0.98))
def test_the_correlation_is_the_one_asked_for(shape, decades, seed, correlation):
    spectra = synthetic.correlated(synthetic.curvatures(shape, decades, seed), correlation)
    assert synthetic.place(spectra).correlation == pytest.approx(correlation, abs=1e-4)


@pytest.mark.parametrize("correlation", [0.2, 0.5, 0.8])
def test_log_normal_curvatures_give_one_plus_the_correlation(correlation):
    """Jointly Gaussian logarithms: E[κ | H] ∝ H^r, so γ = 1 + r, and it is what is expected."""
    place = synthetic.place(synthetic.correlated(synthetic.curvatures("log_normal", 0.3, 0), correlation))
    assert place.gamma == pytest.approx(1 + correlation, abs=0.01)
    assert place.expected == pytest.approx(place.gamma, abs=0.01)


# -- the place of any spectra -----------------------------------------------------------------------------


def test_the_place_is_a_weighted_correlation_of_pairs():
    """One pair of sample and direction at a time, for curvatures of both signs."""
    spectra = reduced(*problem(n=9, d=6, rank=3, seed=4, signed=True))
    data = np.array([True, True, True, False, True, True])
    plain = suppress(spectra, keep=None)
    rows = [i for i in range(6) if data[i] and plain.hessian_diagonal[i] > 0]
    pairs = []
    for i in rows:
        given_ = np.abs(spectra.kappa[:, 0]) * spectra.alignment[:, i]
        for p in range(9):
            weight = given_[p] / given_.sum() / len(rows)
            pairs.append((weight, math.log10(abs(spectra.kappa[p, 0])), math.log10(plain.hessian_diagonal[i])))
    w, x, y = np.array(pairs).T
    x, y = x - w @ x, y - w @ y
    place = synthetic.place(spectra, data)
    compare(place.correlation, (w @ (x * y)) / math.sqrt((w @ x**2) * (w @ y**2)), 1e-9, "correlation")
    compare(place.spread, math.sqrt(w @ x**2), 1e-9, "s_κ")
    compare(place.hessian_spread, math.sqrt(w @ y**2), 1e-9, "s_H")
    compare(place.expected, 1 + (w @ (x * y)) / (w @ y**2), 1e-9, "1 + r s_κ / s_H")
    assert place.n == len(rows)
    fit = power_law(np.where(data, plain.hessian_diagonal, 0.0), plain.noise_diagonal)
    assert place.gamma == fit.gamma


def test_one_curvature_has_no_correlation():
    alignment = np.random.default_rng(0).dirichlet(np.ones(5), 7)
    kappa = np.full((7, 1), 2.0)
    first = 2 * alignment.mean(axis=0)[None]
    place = synthetic.place(Spectra(kappa, alignment, first, 2 * first))
    assert place.correlation == 0
    assert place.gamma == pytest.approx(1, abs=1e-12)


@quick
@given(seed=seeds, n=st.integers(1, 9))
def test_what_a_direction_sees_are_weighted_quantiles(seed, n):
    spectra = reduced(*problem(n, 5, 2, seed, signed=True))
    levels, directions = (0.1, 0.5, 0.9), np.array([0, 3])
    ours = synthetic.seen(spectra, levels, directions)
    for column, i in enumerate(directions):
        pairs = sorted((abs(k), abs(k) * a) for k, a in zip(spectra.kappa[:, 0], spectra.alignment[:, i], strict=True))
        for row, level in enumerate(levels):
            total, goal = 0.0, level * sum(w for _, w in pairs)
            value = next(k for k, w in pairs if (total := total + w) >= goal * (1 - 1e-12))
            compare(ours[row, column], value, 1e-12, f"quantile {level}")


# -- the bounds -------------------------------------------------------------------------------------------


@quick
@given(seed=seeds, n=st.integers(1, 9), rank=st.integers(1, 4), signed=st.booleans())
def test_the_bounds_hold_and_their_magnitude_is_that_of_the_matrices(seed, n, rank, signed):
    kappa, vectors = samples(n, 5, rank, seed, signed)
    spectra = reduced(kappa, vectors, np.eye(5))
    b = synthetic.bounds(spectra)
    rounding = 1e-12 * b.largest**2
    assert (b.lower <= b.noise + rounding).all()
    size = diagonals(np.abs(kappa), vectors, np.eye(5))[0]
    # What is smaller than rounding beside the largest may be left out.
    assert (b.magnitude <= size + 1e-5 * b.largest).all()
    if b.exact:
        np.testing.assert_allclose(b.magnitude, size, atol=1e-5 * b.largest)
        assert (b.noise <= b.upper + 1e-5 * b.largest**2).all()
    if not signed:
        assert (b.negative, b.exact) == (False, True)
        np.testing.assert_allclose(b.upper, b.largest * b.hessian, atol=1e-5 * b.largest**2)
        compare(b.effective, b.noise / b.hessian, 1e-12, "κ_eff")


def test_a_negative_curvature_breaks_the_bound_by_the_hessian_and_not_the_true_one():
    spectra = Spectra(np.array([[1.0], [-1.0]]), np.ones((2, 1)), np.zeros((1, 1)), np.ones((1, 1)))
    b = synthetic.bounds(spectra)
    assert b.negative
    assert b.noise[0] == 1 > b.largest * b.hessian[0] == 0
    assert b.noise[0] <= b.upper[0]


def test_a_sign_that_is_rounding_is_none():
    kappa = np.array([[1.0, 1e-9], [0.5, -1e-9]])
    b = synthetic.bounds(Spectra(kappa, np.ones((2, 1)) / 2, np.array([[0.375], [0.0]]), np.array([[0.3125], [0.0]])))
    assert (b.negative, b.exact) == (False, True)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: synthetic.curvatures("cauchy", 0.5, 0), "There is no distribution 'cauchy'; there are log_normal"),
        (lambda: synthetic.curvatures("log_normal", 0.0, 0), "decades must lie in 0 … 3 and not be 0, not 0.0"),
        (lambda: synthetic.curvatures("log_normal", 0.5, 0, 2), "at least 3 samples, not 2"),
        (lambda: synthetic.correlated(np.ones(3), 1.5), "correlation must lie in 0 … 1, not 1.5"),
        (lambda: synthetic.place(synthetic.correlated(np.ones(4), 1.0)), "no slope is defined"),
    ],
)
def test_what_cannot_be_made_says_what_can(call, sentence):
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        inspect.unwrap(call)()
