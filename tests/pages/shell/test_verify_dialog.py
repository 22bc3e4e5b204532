"""The check from command to dialog: what is found is kept, shown, and asked for once."""

import dataclasses

import pytest
from streamlit.testing.v1 import AppTest

from engine.config.requests import ModelRequest, RunRequest
from engine.results.record import Check
from engine.runs import library
from engine.runs.library import default_analysis
from engine.runs.pipeline import Pipeline
from pages.shell import verify_dialog
from tests.pages.conftest import ROOT, button, fine, opened
from tests.small import BRIEF, pixels, saved

FOUND = (Check("H", (1,), 2.0, 2.0), Check("C", (1,), 1.0, 1.0 + 1e-6), Check("C", (1, 3), 1e-9, 2e-9, size=1.0))


def test_a_check_is_kept_beside_its_analysis(tmp_path, store):
    data = saved(tmp_path, **pixels(60))
    request = RunRequest(
        dataclasses.replace(RunRequest().data, name=data), ModelRequest(widths=(16, 6, 5, 3)), training=BRIEF
    )
    pipeline = Pipeline(store, "cpu")
    key = pipeline.train(request)
    run = library.find(store, key)
    pipeline.analyze(default_analysis(run, 4))
    (made,) = library.analyses(store, key)
    assert library.checks(store, key, made.key) == ()
    checks = pipeline.check(key, 4, "fc2")
    assert library.checks(store, key, made.key) == checks
    assert max(c.error for c in checks if len(c.directions) == 1) < 1e-3
    with pytest.raises(ValueError, match="is not analysed"):
        pipeline.check(key, 2, "fc2")


def test_the_verdict_counts_the_numbers_and_names_those_that_differ():
    assert verify_dialog.verdict(FOUND).startswith("3 numbers agree: the largest relative difference is **1.0 × 10⁻⁶**")
    wrong = (*FOUND, Check("C", (7,), 1.0, 2.0))
    assert verify_dialog.verdict(wrong).startswith("Not all numbers agree: C[7] of 4 do not")


def test_the_dialog_starts_the_check_off_the_queue_and_shows_what_it_found(store, monkeypatch):
    from tests.planted import fill

    run = fill(store, epochs=(10, 100))
    started = []
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda self, argv, title, **more: started.append((argv, more)))
    at = opened("pages/power_law.py", epoch="10")
    fine(button(at, "Check these numbers").click().run())
    button(at, "Check now").click().run()
    ((argv, more),) = started
    assert argv == ["check", "--run", run, "--epoch", "10", "--layer", "fc2"]
    assert more["queue"] is False

    (made,) = [a for a in library.analyses(store, run) if a.request.epoch == 10]
    meta = {"checks": [dataclasses.asdict(c) for c in FOUND]}
    store.write(("runs", run, "analyses", made.key, library.CHECK), meta)
    at = opened("pages/power_law.py", epoch="10")
    fine(button(at, "Check these numbers").click().run())
    table = at.dataframe[0].value
    assert table["number"].tolist() == ["H[1]", "C[1]", "C[1, 3]"]


def test_without_an_analysis_there_is_nothing_to_check(store, monkeypatch):
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda *_, **__: pytest.fail("a test started a job"))
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).switch_page("pages/power_law.py").run()
    assert all(b.label != "Check these numbers" for b in at.button)
