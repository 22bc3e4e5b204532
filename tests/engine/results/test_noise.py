"""engine.results.noise: what of descents is more than chance, and that they are kept as they are."""

import json

import numpy as np
import pytest

from engine.results.noise import EVERY, NONE, SGD, Descents


def descents(shift=0.0, seeds=5, seed=0, **more):
    """SGD, C, isotropic and no noise, equal but for chance; the loss under isotropic noise is shifted."""
    rng = np.random.default_rng(seed)
    values = {}
    for measure, every in EVERY.items():
        points = 100 // every + 1
        values[measure] = {name: rng.normal(1, 0.01, (seeds, points)) for name in (SGD, "C", "isotropic")}
        values[measure][NONE] = np.ones((1, points))
    values["loss"]["isotropic"] += shift
    known = {"steps": 100, "rate": 0.1, "batch_size": 50, "samples": 900, "trace": 0.2, "notes": ("so",)}
    return Descents(**known | more, values=values)


def test_means_and_spreads_are_over_seeds():
    d = descents()
    assert (d.names, d.shapes, d.seeds) == ((SGD, "C", "isotropic", NONE), ("C", "isotropic"), 5)
    assert d.at("loss").tolist() == list(range(0, 101, 10))
    assert d.at("hessian").tolist() == [0, 50, 100]
    np.testing.assert_allclose(d.mean("loss", "C"), np.mean(d.values["loss"]["C"], axis=0))
    np.testing.assert_allclose(d.deviation("loss", "C"), np.std(d.values["loss"]["C"], axis=0, ddof=1))
    assert np.isnan(d.deviation("loss", NONE)).all()
    assert np.isnan(descents(seeds=2).deviation("loss", SGD)).all()


def test_an_end_is_the_mean_over_the_last_fifth():
    d = descents()
    np.testing.assert_allclose(d.end("loss", "C"), d.values["loss"]["C"][:, [8, 9, 10]].mean(axis=1))
    np.testing.assert_allclose(d.end("hessian", "C"), d.values["hessian"]["C"][:, -1])


def test_a_difference_counts_where_it_is_more_than_chance():
    assert descents(shift=0.2).differing("isotropic", SGD) == ("loss",)
    assert descents(shift=0.2).differing("C", SGD) == ()
    assert descents(shift=0.2).differing(SGD, "isotropic") == ("loss",)
    with pytest.raises(ValueError, match="2 of at least 3 seeds are there"):
        descents(seeds=2).apart("loss", "C", SGD)


def test_hardly_ever_is_any_chance_taken_for_a_difference():
    """At most CHANCE of the pictures in which nothing differs show any; the bound is rough on purpose."""
    wrong = [
        any(d.differing(a, b) for a, b in (("C", SGD), ("isotropic", SGD), ("C", "isotropic")))
        for d in (descents(seed=s) for s in range(200))
    ]
    assert np.mean(wrong) < 0.08


def test_measures_that_nobody_took_are_not_compared():
    d = descents()
    d.values["accuracy"]["C"][:] = np.nan
    assert d.measures == ("loss", "hessian", "sharpness")


def test_seeds_are_added_and_all_is_kept():
    one, two = descents(seeds=1), descents(seeds=2, seed=1)
    both = one.with_seed(two)
    assert both.seeds == 3
    np.testing.assert_array_equal(both.values["loss"]["C"][1:], two.values["loss"]["C"])
    assert both.values["loss"][NONE].shape == (1, 11)
    arrays, meta = both.to_arrays()
    again = Descents.from_arrays(arrays, json.loads(json.dumps(meta)))
    assert again.notes == both.notes
    for measure in EVERY:
        for name in both.names:
            np.testing.assert_array_equal(again.values[measure][name], both.values[measure][name])
    with pytest.raises(KeyError):
        Descents.from_arrays(arrays, {"steps": 3})
