"""engine.runs.noise and descents: kept seed by seed below an analysis, from the right checkpoint at the right rate."""

from dataclasses import replace

import numpy as np
import pytest

from cache.progress import Stopped
from engine.results.noise import EVERY, NONE, SGD
from engine.runs import descents, library, noise
from engine.runs.library import Analysed
from engine.runs.pipeline import Pipeline
from tests.engine.runs.conftest import Watch, watched
from tests.planted import fill, recorded


@pytest.fixture
def analysed(store, request_):
    pipe = Pipeline(store, "cpu")
    run = library.find(store, pipe.train(request_))
    for epoch in (2, 6):
        pipe.analyze(library.default_analysis(run, epoch))
    return store, run, library.analyses(store, run.key)


def assert_same(one, other):
    assert one.names == other.names
    for measure in EVERY:
        for name in one.names:
            np.testing.assert_array_equal(one.values[measure][name], other.values[measure][name])


def test_a_stopped_experiment_keeps_its_seeds_and_goes_on_to_the_same(analysed):
    store, run, (made, _) = analysed
    where = noise.place(run.key, made.key)
    watch = Watch("descending", 60 * len(noise.NOISES))
    with pytest.raises(Stopped):
        descents.keep(watched(store, watch), run, made, 50, 3)
    assert noise.read(store, where).seeds == 1
    again = Watch()
    whole = descents.keep(watched(store, again), run, made, 50, 3)
    told = [done for stage, done, _ in again.heard if "descending" in stage]
    totals = {total for stage, _, total in again.heard if "descending" in stage}
    assert (whole.seeds, told[-1], totals) == (3, *totals, totals)
    assert told[0] > 50
    store.delete(*where)
    assert_same(descents.keep(Pipeline(store, "cpu"), run, made, 50, 3), whole)
    assert_same(noise.read(store, where), whole)


def test_what_is_kept_costs_nothing_and_another_rate_is_another_experiment(analysed, monkeypatch):
    store, run, (made, _) = analysed
    kept = descents.keep(Pipeline(store, "cpu"), run, made, 50, 1)
    assert kept.values["loss"][NONE].shape == (1, 6)
    assert kept.values["accuracy"][SGD][0, 0] == pytest.approx(run.history.test_accuracy[run.history.epoch == 2][0])
    other = descents.keep(Pipeline(store, "cpu"), run, made, 50, 1, 0.3)
    assert (kept.rate, other.rate) == (noise.rate(run, 2), 0.3)
    assert not np.array_equal(kept.values["loss"][SGD], other.values["loss"][SGD])
    monkeypatch.setattr(Pipeline, "restore", lambda *_: pytest.fail("it is kept"))
    assert_same(descents.keep(Pipeline(store, "cpu"), run, made, 50, 1, 0.3), other)


def test_a_damaged_entry_is_made_anew(analysed):
    store, run, (made, _) = analysed
    store.write(noise.place(run.key, made.key), {"steps": 50}, {"main": {"loss/sgd": np.zeros(1)}})
    assert noise.read(store, noise.place(run.key, made.key)) is None
    assert descents.keep(Pipeline(store, "cpu"), run, made, 50, 1).seeds == 1


def test_it_starts_where_there_is_still_something_to_learn(store):
    run = library.find(store, fill(store))
    made = library.analyses(store, run.key)
    assert noise.accuracy(run, 10) < noise.LEARNED < noise.accuracy(run, 100)
    assert noise.usual_start(run, made, "fc2").request.epoch == 10
    late = [a for a in made if a.request.epoch == 100]
    assert noise.usual_start(run, late, "fc2").request.epoch == 100
    assert noise.usual_start(run, made, "fc1") is None
    assert np.isnan(noise.accuracy(run, 1000))


def test_the_rate_is_the_run_s_own_at_that_checkpoint(store):
    run = library.find(store, fill(store))
    assert noise.rate(run, 0) == 0.1
    assert 0.09 < noise.rate(run, 100) < 0.0999
    other = library.find(store, recorded(store))
    with pytest.raises(ValueError, match=r"its learning rate at epoch 2 is not known\. Give one: --learning-rate"):
        noise.rate(other, 2)
    rates = np.array([0.3, 0.2, 0.1])
    assert noise.rate(replace(other, history=replace(other.history, learning_rate=rates)), 2) == 0.2


def test_what_cannot_be_done_is_refused_before_any_work(analysed, monkeypatch):
    store, run, (made, _) = analysed
    monkeypatch.setattr(Pipeline, "restore", lambda *_: pytest.fail("it is refused"))
    with pytest.raises(ValueError, match="A descent has 50 steps or a multiple of it"):
        descents.keep(Pipeline(store, "cpu"), run, made, 70, 1)
    joint = Analysed("0" * 16, replace(made.request, layer="fc1+fc2"), 1.0, False)
    with pytest.raises(ValueError, match="Descents move one layer"):
        descents.keep(Pipeline(store, "cpu"), run, joint, 50, 1)
    wide = replace(run, layers={"fc2": (60, 50)})
    with pytest.raises(ValueError, match="Layer fc2 has 3,000 weights"):
        descents.keep(Pipeline(store, "cpu"), wide, made, 50, 1)


def test_more_samples_steps_or_seeds_cost_more(store):
    run = library.find(store, fill(store))
    usual = noise.seconds(run, "fc2", 4500, None)
    assert 10 < usual < 1800
    assert noise.seconds(run, "fc2", 9000, None) > 1.2 * usual
    assert noise.seconds(run, "fc2", 4500, None, steps=1000) > 1.5 * usual
    assert noise.seconds(run, "fc2", 4500, None, seeds=10) > 1.6 * usual
