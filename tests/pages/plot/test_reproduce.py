"""The code shown beside a figure runs as it stands and gives what the figure shows."""

import dataclasses

import numpy as np
import pytest

from cache.store import Store
from engine.config.requests import ModelRequest, RunRequest
from engine.runs import library
from engine.runs.library import default_analysis
from engine.runs.pipeline import Pipeline
from pages.data.results import View
from pages.plot import reproduce
from tests.small import BRIEF, pixels, saved


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small run with two analysed checkpoints, one of them of some samples only."""
    folder = tmp_path_factory.mktemp("code")
    data = dataclasses.replace(RunRequest().data, name=saved(folder, **pixels(60)))
    store = Store(folder / "cache")
    pipeline = Pipeline(store, "cpu")
    key = pipeline.train(RunRequest(data, ModelRequest(widths=(16, 6, 5, 3)), "mse", BRIEF))
    run = library.find(store, key)
    pipeline.analyze(default_analysis(run, 2))
    pipeline.analyze(dataclasses.replace(default_analysis(run, 4), samples=40, anchors_per_class=None, seed=3))
    return store, key


def view(trained, place):
    store, key = trained
    made = library.analyses(store, key)
    return View(library.run(store, key), made, made[place], library.load_analysis(store, key, made[place].key))


@pytest.mark.parametrize("place", [0, 1])
def test_one_analysis_is_reproduced(trained, monkeypatch, place):
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(trained[0].root))
    here = view(trained, place)
    text = reproduce.one(here, 'K = result.projected("C", 20)', 'gamma = result.fit("C_awd").gamma')
    assert len(text.splitlines()) <= 10
    names = {}
    exec(text, names)
    np.testing.assert_allclose(names["K"], here.analysis.projected("C", 20), rtol=1e-5, atol=1e-12)
    assert names["gamma"] == pytest.approx(here.analysis.fit("C_awd").gamma, rel=1e-6)
    assert names["result"].provenance.samples == here.analysis.provenance.samples


def test_a_course_along_training_is_reproduced(trained, monkeypatch, capsys):
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(trained[0].root))
    here = view(trained, 0)
    exec(reproduce.along(here, 'print(made.request.epoch, result.fit("C").gamma)'), {})
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(epoch) for epoch, _ in printed] == [2, 4]
    for (_, gamma), place in zip(printed, (0, 1), strict=True):
        assert float(gamma) == view(trained, place).analysis.fit("C").gamma
