"""What is kept of other samples: the way through the cache, the window, means, spreads and intervals."""

import dataclasses

import numpy as np
import pytest

from cache.store import Store
from engine.results.cross_fit import Gammas, HeldOut, Reading, Split
from engine.results.effective_samples import EffectiveSamples
from engine.results.jackknife import Jackknife
from engine.results.null import Permuted
from engine.results.power_law import Fit
from engine.runs import library
from tests.engine.results.conftest import D, analysis, falling


def reading(gamma, samples=50, jackknife=False):
    """A power law without scatter over D directions; a hundredth of the samples turns it by up to a tenth."""
    h = falling(D, 4, 0)
    drawn = None
    if jackknife:
        powers = gamma + np.random.default_rng(samples).uniform(-0.1, 0.1, 20)
        drawn = Jackknife(np.arange(D + 1), {"H": np.tile(h, (20, 1)), "C": h ** powers[:, None]})
    return Reading(samples, {"H": h, "C": 0.1 * h**gamma}, 1e-9, {"H": 12.5}, drawn)


def permuted():
    """Two permutations."""
    return Permuted(*(np.full((2, D), x) for x in (0.1, 0.2, 0.3)), np.ones(2), np.full((2, 3), 0.4), 10, 5)


def held_out(**changes):
    halves = tuple(Split(reading(1.2, 25, True), reading(g, 25, True)) for g in (0.9, 1.0, 1.1, 1.0))
    growing = (Split(reading(1.7, 6), reading(1.1, 6)), Split(reading(1.5, 12), None))
    effective = {"C": EffectiveSamples(np.ones(D), 7.0, np.ones((2, 3), np.int64), np.full((2, 3), 0.3))}
    given = {"growing": growing, "test": reading(0.95, 40, True), "seed": 3, "effective": effective}
    return HeldOut(halves, **(given | changes), structural={"C": permuted()})


def test_it_survives_the_cache(tmp_path):
    store, there = Store(tmp_path), held_out()
    assert library.held_out(store, "run", "analysis") is None
    library.keep_held_out(store, "run", "analysis", there)
    back = library.held_out(store, "run", "analysis")
    assert back is not None
    arrays, others = there.to_arrays(), back.to_arrays()
    assert set(arrays) == set(others)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name])
    assert (back.seed, back.splits, back.names) == (3, 2, ("C",))
    assert back.halves[0].own.fit("C") == there.halves[0].own.fit("C")
    assert back.effective["C"].whole == 7.0
    assert HeldOut.from_arrays(held_out(test=None, growing=()).to_arrays()).test is None


def test_gamma_is_read_three_ways_over_the_window_of_the_fit():
    result = dataclasses.replace(analysis(), held_out=held_out())
    fit = result.cross_fit("C", top_k=8, seed=3)
    assert fit.whole.fits == (result.fit("C", 8),)
    assert fit.whole.samples == result.provenance.samples
    assert fit.half.gamma == pytest.approx(1.2)
    assert fit.crossed.gamma == pytest.approx(1.0)
    assert fit.crossed.spread == pytest.approx(np.std([0.9, 1.0, 1.1, 1.0], ddof=1))
    assert fit.crossed.n == (8,) * 4
    assert fit.test is not None
    assert fit.test.gamma == pytest.approx(0.95)
    assert [own.samples for own, _ in fit.growing] == [6, 12, 25, 50]
    crossed = [None if crossed is None else round(crossed.gamma, 9) for _, crossed in fit.growing]
    assert crossed == [1.1, None, 0.9, None]
    one = result.cross_fit("C", top_k=8, splits=1, seed=3)
    assert one.crossed.gamma == pytest.approx(0.95), "of the first split alone"
    assert one.crossed.spread is None, "two are no distribution"


def test_directions_that_a_half_has_not_found_are_not_read_on_the_other():
    """Eigenvectors of H where it is zero are any; on other samples H along them is not zero."""
    h = falling(D, 4, 0)
    short = np.where(np.arange(D) < D - 3, h, 1e-18)
    turned = np.where(np.arange(D) < D - 3, h, 10 * h.max())
    own, other = (Reading(25, {"H": z, "C": h**1.2}, 1e-9) for z in (short, turned))
    there = dataclasses.replace(held_out(), halves=(Split(own, other),) * 2, growing=(Split(own, other),))
    fit = dataclasses.replace(analysis(), held_out=there).cross_fit("C", seed=3)
    assert fit.crossed.n == (D - 3,) * 2
    assert fit.crossed.gamma == pytest.approx(1.2)
    (_, growing), *_ = fit.growing
    assert growing.gamma == pytest.approx(1.2)
    flat = dataclasses.replace(analysis(), held_out=held_out(), noise_floor=float(analysis().eigenvalues[8]))
    assert flat.cross_fit("C", seed=3).test.n == (8,)


def test_the_variances_of_different_samples_add():
    fits = tuple(Fit(g, 0.1, 1.0, 0.0, 9, interval=(g - w, g + w)) for g, w in ((1.0, 0.3), (1.2, 0.4)))
    low, high = Gammas(fits, 10, (0.0, 0.0)).interval
    assert (low, high) == pytest.approx((1.1 - 0.25, 1.1 + 0.25))
    assert Gammas((Fit(1.0, 0.1, 1.0, 0.0, 9),), 10, (0.0,)).interval is None


def test_what_is_not_kept_is_refused_with_the_command():
    with pytest.raises(ValueError, match=r"keeps nothing.*analyze --cross-fit --splits 3 --layer fc2"):
        analysis().cross_fit("C")
    kept = dataclasses.replace(analysis(), source=None, held_out=held_out())
    with pytest.raises(ValueError, match=r"keeps 2 splits of seed 3.*--splits 5"):
        kept.cross_fit("C", splits=5, seed=3)
    with pytest.raises(ValueError, match="of another seed"):
        kept.cross_fit("C")
    with pytest.raises(ValueError, match="Of C_awd nothing is known on other samples, only of C"):
        kept.cross_fit("C_awd", seed=3)
    with pytest.raises(ValueError, match="from 1, not 0"):
        kept.cross_fit("C", splits=0)
    jointly = dataclasses.replace(kept, provenance=dataclasses.replace(kept.provenance, shapes=((2, 3), (2, 3))))
    with pytest.raises(ValueError, match="layer by layer"):
        jointly.cross_fit("C", seed=3)
