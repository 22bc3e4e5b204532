"""The code shown beside a figure runs as it stands and gives what the figure shows."""

import dataclasses

import numpy as np
import pytest

from cache.store import Store
from engine.config.requests import ModelRequest, RunRequest
from engine.results import commutation
from engine.runs import library
from engine.runs.library import default_analysis
from engine.runs.pipeline import Pipeline
from pages.data import random_draws, results, suppression
from pages.data.results import View
from pages.plot import reproduce
from pages.rooms.commutativity import chance
from pages.rooms.commutativity import panels as commutativity_panels
from pages.rooms.power_law import panels as power_law_panels
from pages.rooms.suppression import panels as suppression_panels
from pages.state.edit import Edit
from pages.ui import cards
from tests.planted import add_spectra, fill
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


def test_the_code_of_every_figure_gives_the_numbers_of_its_download(store, monkeypatch, capsys):
    """All but the analysis itself, which the tests above run: here it is the planted one."""
    add_spectra(store, fill(store), 100)
    view = results.view_of(results.runs()[0])
    kept = results.spectra(view)
    there = {"": view}
    drawn = power_law_panels.clouds(there, ("C", "C_awd"), 2, 200)
    rank = kept.kappa.shape[1]
    outcome = suppression.outcome(view, Edit(keep=2, tail=0.1, homogenise=True), rank, 0, 400)
    real = commutation.off_diagonal(view.analysis.correlation("C", 40))
    draws = random_draws.chance(view, "C", 40)
    while not draws.complete:
        draws.draw()
    panels = (
        *commutativity_panels.heatmaps_of(view, "C", 40, 3),
        chance.off_diagonal_of(view, "C", 40, real, draws.drawn),
        commutativity_panels.commutator(view, "C", 40),
        commutativity_panels.alignment(view),
        power_law_panels.law(there, drawn),
        power_law_panels.residuals(there, drawn),
        power_law_panels.gamma_by_window(there, drawn, 2, 200),
        power_law_panels.effective_curvature(view),
        cards.gamma_over_epochs(view, ("C",), 2, 200),
        cards.training(view),
        *(panel(view, outcome, kept) for panel in (suppression_panels.new_on_old, suppression_panels.both)),
        *(panel(view, outcome, kept) for panel in (suppression_panels.single_samples, suppression_panels.cumulative)),
    )
    assert len({panel.head.key for panel in panels}) == len(panels)

    whole = dataclasses.replace(view.analysis, spectra=kept)
    monkeypatch.setattr("engine.analyze", lambda *_, **__: whole)
    monkeypatch.setattr("engine.runs.pipeline.Pipeline.restore", lambda *_, **__: (None, None, None))
    compared = 0
    for panel in panels:
        key_, arrays, text, names = panel.head.key, panel.arrays(), panel.code(), {}
        exec(text, names)
        for name, expected in arrays.items():
            if name in names and expected.dtype.kind != "U":
                # Below the noise floor there is no residual.
                got = np.atleast_1d(names[name])
                defined = np.isfinite(expected)
                np.testing.assert_allclose(
                    got[defined], expected[defined], rtol=1e-5, atol=1e-6, err_msg=f"{key_} {name}"
                )
                compared += 1
        assert "print" in text or set(names) & set(arrays), key_
    assert compared > 30
    assert f"100 C {view.analysis.fit('C', 200, 2).gamma}" in capsys.readouterr().out
