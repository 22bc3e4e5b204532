"""The samples of a checkpoint on a page: shown when they are there, else offered, watched, and explained."""

import sys

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cache.jobs import Jobs
from engine.config.command_line import words
from engine.config.commands import SamplesCommand, to_json
from pages.data import samples
from tests import planted_samples
from tests.pages.conftest import button, fine
from tests.planted import LOOKED, add_analysis
from tests.planted_samples import add_samples, pictures


def page(*epochs):
    """A page that needs the samples of some epochs."""

    def script(epochs):
        import streamlit as st

        from pages.data import results
        from pages.jobs import fetch

        looked = fetch.of("some", results.view(), epochs, ("**Kappa.** A definition.",))
        st.markdown(f"{len(looked)} of epochs {[s.epoch for s in looked]}")

    return AppTest.from_function(script, default_timeout=60, args=(epochs,))


def shown(at):
    return at.markdown[-1].value


def foretold(at):
    """Whether the page explains what it will show."""
    return "**Kappa.** A definition." in [m.value for m in at.markdown]


def test_kept_samples_and_pictures_are_read(store, run):
    add_samples(store, run, 10, 100)
    at = page().run()
    fine(at)
    assert shown(at) == "1 of epochs [100]"
    assert not at.button
    assert not foretold(at)
    assert shown(page(100, 10).run()) == "2 of epochs [100, 10]"


def test_what_arrives_later_is_seen_and_what_was_read_is_kept(store, run, monkeypatch):
    from pages.data import results
    from pages.state import selection

    monkeypatch.setattr(selection, "current", selection.Selection)
    view = results.view_of(results.runs()[0])
    assert samples.stored(view) is None
    assert samples.pictures(view) is None
    add_samples(store, run, 100)
    looked = samples.stored(view)
    assert len(looked) == LOOKED
    np.testing.assert_array_equal(looked.kappa, planted_samples.samples(100).kappa)
    assert samples.stored(view) is looked, "read once"
    assert samples.stored(view, 10) is None
    np.testing.assert_array_equal(samples.pictures(view), pictures())


def test_what_is_missing_is_said_and_one_button_starts_it_off_the_queue(store, run, monkeypatch):
    add_samples(store, run, 10)
    started = []
    monkeypatch.setattr("cache.jobs.Jobs.start", lambda self, argv, title, **more: started.append((argv, title, more)))
    at = page(0, 10, 100).run()
    fine(at)
    assert shown(at) == "0 of epochs []"
    assert foretold(at)
    assert "not been looked at one by one yet at epochs 0 and 100, before layer fc2" in at.info[0].value
    button(at, "Look at every sample").click().run()
    ((argv, title, more),) = started
    assert argv == ["samples", "--run", run, "--epoch", "0,100", "--layer", "fc2"]
    assert title == "Every sample at epochs 0 and 100, layer fc2"
    request = {"command": "samples", "run": run, "epochs": ["0", "100"], "layer": "fc2"}
    request |= {"device": "auto", "download": False, "job": None, "pairs": []}
    assert more == {"run": run, "queue": False, "request": request}


@pytest.fixture
def quick(tmp_path):
    """Starts stand-ins for the worker; whatever still runs is ended."""
    started = []

    def start(run, epochs, program):
        command = SamplesCommand(run, epochs, "fc2")
        jobs = Jobs(tmp_path / "jobs", lambda argv, folder: [sys.executable, "-c", program])
        record = {"argv": words(command), "title": "Every sample", "run": run, "queue": False}
        started.append((jobs, jobs._launch(_folder(tmp_path), record | {"request": to_json(command)})))
        return started[-1]

    yield start
    for jobs, job in started:
        jobs.kill(job)


def _folder(root):
    folder = root / "jobs" / f"samples-{len(list(root.glob('jobs/*')))}"
    folder.mkdir(parents=True)
    return folder


def test_a_job_at_work_is_watched_though_it_does_more_than_is_missing(run, quick):
    quick(run, ("0", "10", "100"), "import time; time.sleep(60)")
    at = page(10).run()
    fine(at)
    assert "Looking at every training sample at epoch 10" in at.info[0].value
    assert any("Every sample" in c.value for c in at.caption)
    assert not at.button
    assert [b.label for b in page(10, 50).run().button] == ["Look at every sample"], "50 is nobody's work"


def test_a_failure_is_told_in_its_own_words(run, quick):
    jobs, job = quick(run, ("100",), "print('it holds Conv2d'); exit(1)")
    while jobs.job(job.id).running:
        pass
    at = page().run()
    fine(at)
    assert "it holds Conv2d" in at.warning[0].value
    assert [b.label for b in at.button] == ["Try again"]


def test_layers_studied_jointly_have_no_single_samples(store, run):
    add_analysis(store, run, 100, "fc1+fc2")
    at = page()
    at.query_params["layer"] = "fc1+fc2"
    fine(at.run())
    assert "an analysis of 2 jointly" in at.info[0].value
    assert not at.button
