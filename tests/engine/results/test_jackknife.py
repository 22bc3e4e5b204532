"""The jackknife, against literally leaving samples out, and against the bootstrap."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from engine import analyze
from engine.curvature.resampling import left_out
from engine.results.jackknife import ALONE, SHARE, Jackknife, Without, places, stretches
from engine.results.power_law import fittable
from engine.results.power_law import slopes as slopes_of
from tests.engine.curvature.test_analysis import expected, redrawn, run
from tests.reference import diagnostics
from tests.reference.cases import case, lonely
from tests.reference.twins import compare

# -- stretches of directions ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 7, ALONE, ALONE + 1, 1000, 2500])
def test_every_direction_lies_in_one_stretch_and_its_place_inside(k):
    edges = stretches(k)
    assert edges[0] == 0
    assert edges[-1] == k
    lengths = np.diff(edges)
    assert np.all(lengths >= 1)
    assert np.all(lengths[:ALONE] == 1)
    assert np.all(lengths <= np.maximum(edges[:-1] / SHARE, 1))
    middle = places(edges)
    assert np.all((edges[:-1] <= middle) & (middle < edges[1:]))
    assert np.all(2 * middle - edges[:-1] - edges[1:] + 1 <= 0)


def test_the_groups_are_dealt_evenly_and_each_sample_is_left_out_once():
    counts = left_out(23, 5, seed=3)
    assert counts.shape == (5, 23)
    assert torch.equal(counts.sum(dim=0), torch.full((23,), 4.0))
    assert sorted((1 - counts).sum(dim=1).tolist()) == [4, 4, 5, 5, 5]
    assert not torch.equal(counts, left_out(23, 5, seed=4))
    assert left_out(3, 100, seed=0).shape == (3, 3), "never more groups than samples"


def test_the_groups_that_carry_a_slope_are_counted_where_it_has_its_lever():
    """Equal shares of 20 groups; then one has half of the noise along the sharpest direction, or in the middle."""
    u, equal = np.tile(np.arange(5.0), (20, 1)), np.zeros((20, 5))
    assert Without(u, equal, np.ones(5, bool)).effective == pytest.approx(20)
    shares = np.full(20, 0.5 / 19)
    shares[3] = 0.5
    carried = 1 / (shares**2).sum()
    for direction, lever in ((0, 0.4), (2, 0.0)):  # 4, 1, 0, 1, 4 of 10
        left = equal.copy()
        left[:, direction] = np.log10(1 - shares)
        assert Without(u, left, np.ones(5, bool)).effective == pytest.approx(1 / (lever / carried + (1 - lever) / 20))


# -- the diagonals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("c", [case("gelu", n=11), lonely("relu", n=9)], ids=["paired", "one without partner"])
def test_the_diagonals_are_those_of_the_samples_left(c):
    result = run(c, "ce", seed=2).sampled()
    n = len(c.targets)
    _, terms = expected(c, "ce")
    draws = [np.flatnonzero(row).tolist() for row in left_out(n, 100, seed=2).numpy()]
    literal = redrawn(c, terms, result.basis, draws)
    assert result.jackknife.diagonals["C"].shape == (n, result.k)
    for name in ("H", *result.names):
        ours, theirs = result.jackknife.diagonals[name], literal[name]
        if name == "C_hh_sd_wd_li":  # σ_w² is a common factor, left at its value on the whole sample
            ours, theirs = (z / z.sum(axis=1, keepdims=True) for z in (ours, theirs))
        compare(ours, theirs, 1e-5, name)


# -- the standard error -----------------------------------------------------------------------------------


def planted(k=40, n=2000, seed=0):
    """Positive shares of n samples in H_ii and C_ii of k directions; some samples are sharp everywhere."""
    rng = np.random.default_rng(seed)
    fall = 10 ** np.linspace(0, -3, k)
    sharp = rng.exponential(size=(n, 1))
    h = fall * sharp * rng.exponential(size=(n, k))
    c = fall**1.2 * sharp**2 * rng.exponential(size=(n, k))
    return h, c


def left(z, groups):
    """Means without each group."""
    return np.stack([np.delete(z, rows, axis=0).mean(axis=0) for rows in np.array_split(np.arange(len(z)), groups)])


def stderr(jackknife, *asked):
    without = jackknife.without(*asked)
    return without.stderr(slopes_of(without.u, without.v))


def test_the_standard_error_is_the_jackknife_of_slopes_solved_one_by_one():
    h, c = planted()
    x, y = h.mean(axis=0), c.mean(axis=0)
    lefts = {"H": left(h, 20), "C": left(c, 20)}
    jackknife = Jackknife(stretches(40), lefts)
    for first, last in ((0, 40), (5, 25)):
        keep = np.arange(last - first) != 3
        columns = np.arange(first, last)[keep]
        slopes = np.array(
            [diagnostics.slope(a[columns], b[columns]) for a, b in zip(lefts["H"], lefts["C"], strict=True)]
        )
        literal = np.sqrt(19 / 20 * np.sum((slopes - slopes.mean()) ** 2))
        without = jackknife.without("C", x[first:last], y[first:last], keep, first)
        ours = without.stderr(slopes_of(without.u, without.v))
        compare(ours, literal, 1e-6, f"standard error over {first} … {last}")
        low, high = without.interval(1.2, slopes_of(without.u, without.v))
        compare([low, high], 1.2 + np.array([-1, 1]) * stats.t.ppf(0.975, 19) * literal, 1e-6, "interval")


def test_a_stretch_changes_as_its_middle_does():
    """Directions that share a factor: all of them, one by one, give what their middle alone gives."""
    rng = np.random.default_rng(1)
    k = 300
    edges = stretches(k)
    x, y = (10 ** np.sort(rng.uniform(-3, 0, k))[::-1] for _ in range(2))
    factors = {name: 1 + 0.01 * rng.standard_normal((30, edges.size - 1)) for name in ("H", "C")}
    factors = {name: f / f.mean(axis=0) for name, f in factors.items()}
    whole = {"H": x, "C": y}
    wide = {name: whole[name] * np.repeat(f, np.diff(edges), axis=1) for name, f in factors.items()}
    alone = Jackknife(np.arange(k + 1), wide)
    few = Jackknife(edges, {name: z[:, places(edges)] for name, z in wide.items()})
    for first, last in ((0, k), (140, 299)):
        window = slice(first, last)
        keep = rng.uniform(size=last - first) > 0.1
        asked = ("C", x[window], y[window], keep, first)
        compare(few.without(*asked).v, alone.without(*asked).v, 1e-9, "log10 C_ii without each group")
        compare(stderr(few, *asked), stderr(alone, *asked), 1e-9, "standard error")


def test_directions_without_a_positive_diagonal_are_left_out():
    h, c = planted(k=10, n=100)
    x, y, keep = h.mean(axis=0), c.mean(axis=0), np.ones(10, bool)
    lefts = {"H": left(h, 10), "C": left(c, 10)}
    lefts["C"][4, 6] = -1.0
    others = np.arange(10) != 6
    jackknife = Jackknife(stretches(10), lefts)
    assert stderr(jackknife, "C", x, y, keep) == stderr(jackknife, "C", x, y, others)
    assert jackknife.without("C", x, y, np.arange(10) < 2) is None
    assert Jackknife(stretches(10), {name: z[:1] for name, z in lefts.items()}).without("C", x, y, keep) is None


def test_it_agrees_with_the_scatter_over_fresh_samples():
    slopes, errors = [], []
    for seed in range(150):
        h, c = planted(k=12, n=400, seed=seed)
        x, y = h.mean(axis=0), c.mean(axis=0)
        slopes.append(diagnostics.slope(x, y))
        jackknife = Jackknife(stretches(12), {"H": left(h, 50), "C": left(c, 50)})
        errors.append(stderr(jackknife, "C", x, y, np.ones(12, bool)))
    # Each scatter is known to 1/√300 = 6 %, and a planted sample is far from normal.
    compare(np.sqrt(np.mean(np.square(errors))), np.std(slopes), 0.2, "standard error over samples")


# -- in an analysis ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """A network with enough samples for a bootstrap and a jackknife to agree."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 6), torch.nn.ReLU())
    model.append(torch.nn.Linear(6, 3))
    inputs, targets = torch.randn(1500, 5), torch.randint(3, (1500,))
    return analyze(model, inputs, targets, "2", dtype="float64", device="cpu", spectra=0, bootstrap=300)


@pytest.mark.parametrize("name", ["C", "C_awd", "E_h2"])
def test_it_agrees_with_the_bootstrap(small, name):
    bootstrapped = small.fit(name, 15).interval
    jackknifed = dataclasses.replace(small.sampled(), replicates={}).fit(name, 15)
    low, high = jackknifed.interval
    compare(jackknifed.gamma, (low + high) / 2, 1e-12, "centre")
    # Both half widths are known to some 10 %.
    compare(high - low, bootstrapped[1] - bootstrapped[0], 0.35, "width of the interval")
    assert abs((low + high) / 2 - sum(bootstrapped) / 2) < 0.5 * (high - low)


def test_the_interval_is_made_when_it_is_asked_for(small):
    fresh = dataclasses.replace(small, replicates={})
    assert fresh.jackknife is None
    assert fresh.fit("C", 15).interval is None, "a fit costs no pass over the samples"
    sampled = fresh.sampled()
    keep = fittable(small.eigenvalues[:15], small.diagonal("C")[:15], small.noise_floor)
    error = stderr(sampled.jackknife, "C", small.eigenvalues[:15], small.diagonal("C")[:15], keep)
    half = stats.t.ppf(0.975, 99) * error
    fit = fresh.exponent("C", 15).fit
    compare(fit.interval, (fit.gamma - half, fit.gamma + half), 1e-9, "interval")
    assert sampled.sampled() is sampled
