"""What qualifies an exponent, against polynomials solved outright and cases with known answers."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine.results import exponent as exponents
from engine.results import power_law
from engine.results.bend import BLOCKS, ENOUGH, LEVEL, STRAIGHT, STRONG, Bend, Local, bend, local_slopes
from engine.results.jackknife import Without
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
    a2, a1, a0 = np.polyfit(u, v, 2)
    ours = bend(h, c)
    compare(ours.curvature, a2, 1e-6, "c2")
    compare(ours.slope_top, a1 + 2 * a2 * u.max(), 1e-6, "slope at the top")
    compare(ours.slope_end, a1 + 2 * a2 * u.min(), 1e-6, "slope at the end")
    compare(np.log10(ours.curve(h)), np.polyval([a2, a1, a0], u), 1e-8, "curve")
    line, curved = v - np.polyval(np.polyfit(u, v, 1), u), v - np.polyval([a2, a1, a0], u)
    compare([ours.line_rms, ours.bend_rms], [np.sqrt(np.mean(r**2)) for r in (line, curved)], 1e-8, "residuals")
    q = u**2 - np.polyval(np.polyfit(u, u**2, 1), u)
    blocks = [part @ off for part, off in zip(np.split(q, BLOCKS), np.split(curved, BLOCKS), strict=True)]
    stderr = np.sqrt(np.sum(np.square(blocks)) * BLOCKS / (BLOCKS - 3)) / (q @ q)
    compare(ours.stderr, stderr, 1e-6, "standard error of c2")
    compare(ours.p, 2 * stats.t.sf(abs(a2) / stderr, BLOCKS - 3), 1e-5, "p")
    assert not ours.over_samples


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


def without(h, c, moved, seed=0):
    """The window without each of 20 groups of samples, which move every log10 C_ii by what `moved` draws."""
    rows = np.log10(c) + moved(np.random.default_rng(seed))
    return Without(np.tile(np.log10(h), (20, 1)), rows, np.ones(h.size, bool))


def test_over_samples_the_standard_error_is_the_jackknife_of_parabolas_fitted_one_by_one():
    h, c = noisy(60, 4, c2=0.05)
    some = without(h, c, lambda rng: 0.01 * rng.standard_normal((20, 60)))
    fits = np.array([np.polyfit(u, v, 2)[0] for u, v in zip(some.u, some.v, strict=True)])
    stderr = np.sqrt(19 / 20 * np.sum((fits - fits.mean()) ** 2))
    ours = bend(h, c, 0.0, some)
    compare(ours.stderr, stderr, 1e-6, "standard error of c2")
    compare(ours.p, 2 * stats.t.sf(abs(ours.curvature) / stderr, 19), 1e-6, "p")
    assert ours.over_samples
    for local in ours.local:
        use = (h >= local.low * (1 - 1e-9)) & (h <= local.high * (1 + 1e-9))
        fits = np.array([np.polyfit(u[use], v[use], 1)[0] for u, v in zip(some.u, some.v, strict=True)])
        compare(local.gamma, np.polyfit(np.log10(h[use]), np.log10(c[use]), 1)[0], 1e-6, "γ of a bin")
        compare(local.stderr, np.sqrt(19 / 20 * np.sum((fits - fits.mean()) ** 2)), 1e-6, "its standard error")
        assert local.n == use.sum()


def test_a_smooth_bend_that_samples_make_is_no_finding_and_one_they_do_not_make_is():
    """Distances from the line that hang together say nothing of chance; leaving samples out does."""
    h = spectrum(200)
    u = np.log10(h)
    c = 10 ** (1.2 * u + 0.1 * u**2)
    by_chance = without(h, c, lambda rng: 0.05 * rng.standard_normal((20, 1)) * u**2)
    lasting = without(h, c, lambda rng: 0.001 * rng.standard_normal((20, 1)) * u**2)
    assert bend(h, c, 0.0, by_chance).verdict == "undecided"
    assert bend(h, c, 0.0, lasting).verdict == "strongly bent"


@quick
@given(seeds, st.integers(20, 300))
def test_bins_share_out_the_window_and_none_is_too_small_for_a_slope(seed, k):
    h, c = noisy(k, seed)
    local = local_slopes(np.log10(h), np.log10(c))
    assert sum(b.n for b in local) == k
    assert len(local) == 1 or all(b.n >= ENOUGH for b in local)
    assert all(sharp.low > flat.high for sharp, flat in itertools.pairwise(local))
    assert all(b.stderr is None for b in local)


def verdict(change, p, bins=2):
    known = {f.name: 1.0 for f in dataclasses.fields(Bend)} | {"n": 50, "gamma": 1.2}
    local = tuple(Local(1.0, 1.0, gamma, 0.1, 25) for gamma in (1.2 + change, 1.2)[:bins])
    return Bend(**known | {"local": local, "p": p, "over_samples": True}).verdict


def test_the_verdict_goes_by_size_and_only_then_by_chance():
    assert verdict(0.9 * STRAIGHT * 1.2, 1e-12) == "straight"
    assert verdict(1.1 * STRAIGHT * 1.2, 1e-12) == "bent"
    assert verdict(-1.1 * STRONG * 1.2, 1e-12) == "strongly bent"
    assert verdict(1.1 * STRONG * 1.2, 2 * LEVEL) == "undecided"
    assert verdict(1.0, float("nan")) == "undecided"
    assert verdict(1.0, 1e-12, bins=1) == "undecided"


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
    windows = exponents.windows(h, c, 0.0, 10, 40)
    assert [n for n, _ in windows] == [20, 40, 80], "10 … 10 holds nothing to fit"
    assert windows[0][1] == power_law.power_law(h[10:20], c[10:20]).gamma
