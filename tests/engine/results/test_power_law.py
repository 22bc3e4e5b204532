"""What qualifies an exponent, against polynomials solved outright and cases with known answers."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.results import power_law
from engine.results.power_law import LEVEL, STRAIGHT, STRONG, Bend, bend, effective_number
from tests import planted
from tests.engine.results.conftest import seeds
from tests.reference.twins import compare

quick = settings(max_examples=25, deadline=None)


def spectrum(k=200, seed=0, decades=4.0):
    """k curvatures over some decades, unevenly spread, falling."""
    return 10 ** (-decades * np.sort(np.random.default_rng(seed).uniform(size=k) ** 2))


def noisy(k=200, seed=0, size=0.1, c2=0.0, gamma=1.2):
    h = spectrum(k, seed)
    u = np.log10(h)
    noise = size * np.random.default_rng(seed + 1).standard_normal(k)
    return h, 10 ** (0.3 + gamma * u + c2 * u**2 + noise)


# -- the second-order fit ---------------------------------------------------------------------------------


@quick
@given(seeds, st.floats(-0.3, 0.3))
def test_the_second_order_fit_is_that_of_polyfit(seed, c2):
    h, c = noisy(60, seed, c2=c2)
    u, v = np.log10(h), np.log10(c)
    (a2, a1, a0), covariance = np.polyfit(u, v, 2, cov="unscaled")
    ours = bend(h, c)
    compare(ours.curvature, a2, 1e-6, "c2")
    compare(ours.slope_top, a1 + 2 * a2 * u.max(), 1e-6, "slope at the top")
    compare(ours.slope_end, a1 + 2 * a2 * u.min(), 1e-6, "slope at the end")
    compare(np.log10(ours.curve(h)), np.polyval([a2, a1, a0], u), 1e-8, "curve")
    line, curved = v - np.polyval(np.polyfit(u, v, 1), u), v - np.polyval([a2, a1, a0], u)
    compare([ours.line_rms, ours.bend_rms], [np.sqrt(np.mean(r**2)) for r in (line, curved)], 1e-8, "residuals")
    effective = max(effective_number(curved), 4)
    variance = covariance[0, 0] * np.sum(curved**2) / 57 * 60 / effective
    compare(ours.stderr, np.sqrt(variance), 1e-6, "standard error of c2")
    compare(ours.f, a2**2 / variance, 1e-5, "F")


def test_f_is_the_textbook_one_but_for_the_effective_number():
    h, c = noisy(400, 3, c2=0.01)
    u, v = np.log10(h), np.log10(c)
    one, two = (np.sum((v - np.polyval(np.polyfit(u, v, degree), u)) ** 2) for degree in (1, 2))
    ours = bend(h, c)
    compare(ours.f * ours.n / ours.effective, (one - two) / (two / 397), 1e-6, "F")


def test_an_exact_power_law_has_no_curvature():
    h = spectrum()
    ours = bend(h, 3 * h**1.4)
    assert abs(ours.curvature) < 1e-12
    compare([ours.slope_top, ours.slope_end], [1.4, 1.4], 1e-10, "slopes")
    assert ours.line_rms < 1e-12
    assert ours.verdict == "straight"


@quick
@given(st.floats(0.8, 2), st.floats(-0.2, 0.2))
def test_an_exact_parabola_gives_its_coefficients(c1, c2):
    h = spectrum()
    u = np.log10(h)
    ours = bend(h, 10 ** (0.5 + c1 * u + c2 * u**2))
    assert abs(ours.curvature - c2) < 1e-10, (ours.curvature, c2)
    compare([ours.slope_top, ours.slope_end], [c1 + 2 * c2 * u.max(), c1 + 2 * c2 * u.min()], 1e-8, "slopes")
    assert ours.bend_rms < 1e-10
    if abs(c2) > 1e-3:
        assert ours.p < 1e-9


def test_the_standard_error_is_the_scatter_over_repetitions():
    drawn = [bend(*noisy(80, 0)[:1], noise(seed)) for seed in range(400)]
    scatter = np.std([b.curvature for b in drawn])
    compare(np.mean([b.stderr for b in drawn]), scatter, 0.15, "standard error of c2")


def noise(seed):
    h = spectrum(80, 0)
    return h**1.1 * 10 ** (0.1 * np.random.default_rng(seed + 99).standard_normal(80))


def test_chance_alone_is_rarely_called_a_bend():
    p = np.array([bend(spectrum(80, 0), noise(seed)).p for seed in range(400)])
    # A uniform p falls below 0.05 in 20 ± 4.4 of 400; the effective number only makes it rarer.
    assert 3 <= int((p < 0.05).sum()) <= 33
    assert p.max() > 0.9


@quick
@given(seeds, st.floats(-6, 6), st.floats(-6, 6))
def test_the_units_of_h_and_c_do_not_matter(seed, up, aside):
    h, c = noisy(50, seed, c2=0.05)
    one, other = bend(h, c), bend(h * 10**up, c * 10**aside)
    for name in ("curvature", "stderr", "slope_top", "slope_end", "line_rms", "bend_rms", "p", "gamma"):
        compare(getattr(other, name), getattr(one, name), 1e-6, name)
    compare(other.curve(h * 10**up), one.curve(h) * 10**aside, 1e-6, "curve")


def test_independent_residuals_count_in_full_and_alike_ones_less():
    alternating = np.array([1.0, -1.0] * 10)
    assert effective_number(alternating) == 20
    assert effective_number(np.zeros(5)) == 5
    steps = np.array([1.0, 1.0, -1.0, -1.0])
    compare(effective_number(steps), 4 * (1 - 0.25) / (1 + 0.25), 1e-12, "ρ = (1 − 1 + 1) / 4")


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_the_mean_of_a_chain_scatters_as_its_effective_number_says(rho):
    rng = np.random.default_rng(0)
    chains = np.zeros((300, 1000))
    for i in range(1, 1000):
        chains[:, i] = rho * chains[:, i - 1] + rng.standard_normal(300)
    expected = chains.var() / chains.mean(axis=1).var()
    compare(np.mean([effective_number(c - c.mean()) for c in chains]), expected, 0.25, "effective number")


def verdict(change, p):
    known = {f.name: 1.0 for f in dataclasses.fields(Bend)} | {"n": 50, "gamma": 1.2}
    return Bend(**known | {"slope_top": 1.2 + change, "slope_end": 1.2, "p": p}).verdict


def test_the_verdict_goes_by_size_and_only_then_by_chance():
    assert verdict(0.9 * STRAIGHT * 1.2, 1e-12) == "straight"
    assert verdict(1.1 * STRAIGHT * 1.2, 1e-12) == "bent"
    assert verdict(-1.1 * STRONG * 1.2, 1e-12) == "strongly bent"
    assert verdict(1.1 * STRONG * 1.2, 2 * LEVEL) == "undecided"
    assert verdict(1.0, float("nan")) == "undecided"


@pytest.mark.parametrize(
    ("h", "sentence"),
    [([3.0, 2.0, 1.0], "at least 4 directions .* this window has 3 of 3"), ([2.0, 2.0, 1.0, 1.0], "three values")],
)
def test_too_few_directions_are_refused(h, sentence):
    h = np.array(h)
    with pytest.raises(ValueError, match=sentence):
        bend(h, h**1.3)


# -- all that qualifies an exponent -----------------------------------------------------------------------


def test_what_was_left_out_is_counted_by_its_reason():
    h = np.array([8.0, 4.0, 3.0, 2.0, 1.0, 0.5, 1e-9, -1e-3])
    c = np.abs(h) ** 1.5
    c[2], c[6:] = -1.0, 1.0
    result = dataclasses.replace(planted.analysis(), eigenvalues=h, diagonals={"C": c}, noise_floor=1e-6)
    exponent = result.exponent("C")
    assert (exponent.window, exponent.below_floor, exponent.not_positive) == (8, 2, 1)
    assert exponent.discarded == 3 / 8
    assert exponent.fit == result.fit("C")
    assert exponent.fit.discarded == 3
    assert exponent.noise_floor == 1e-6


@pytest.mark.parametrize(
    ("last", "expected"), [(80, (20, 40, 80, 160)), (140, (35, 70, 140, 200)), (220, (55, 110, 200))]
)
def test_windows_reach_as_far_as_there_are_directions_above_the_floor(last, expected):
    h, c = noisy(250, c2=0.1)
    floor = float(h[200])
    result = dataclasses.replace(planted.analysis(), eigenvalues=h, diagonals={"C": c}, noise_floor=floor)
    exponent = result.exponent("C", last)
    assert tuple(n for n, _ in exponent.windows) == expected
    for n, gamma in exponent.windows:
        assert gamma == power_law.power_law(h[:n], c[:n], floor).gamma
    assert exponent.bend == bend(h[:last], c[:last], floor)


def test_windows_begin_where_the_fit_does():
    h, c = noisy(100, c2=0.1)
    windows = power_law.windows(h, c, 0.0, 10, 40)
    assert [n for n, _ in windows] == [20, 40, 80], "10 … 10 holds nothing to fit"
    assert windows[0][1] == power_law.power_law(h[10:20], c[10:20]).gamma
