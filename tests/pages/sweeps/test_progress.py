"""A sweep is started, watched and stopped."""

import os
import shlex

import pytest

from cache.jobs import Jobs
from engine.config.command_line import parse
from engine.config.commands import SweepCommand
from engine.runs import estimate
from engine.sweeps import grid, status, workers
from engine.units import duration, rounded
from pages.rooms.sweeps import progress
from tests.pages.conftest import button, fine, opened, texts, write_job
from tests.pages.sweeps.conftest import PAGE
from tests.planted import CALIBRATION, add_sweep, row


def test_start_starts_exactly_the_shown_command_once(started, store):
    at = opened(PAGE)
    at.number_input(key="table.workers").set_value(1).run()
    (code,) = at.code
    fine(at.button(key="table.start").click().run())
    ((argv, queue),) = started
    assert shlex.split(code.value) == ["python", "-m", "engine", *argv]
    assert parse(argv) == SweepCommand("tiny", workers=1)
    assert not queue
    assert "table.start" not in [b.key for b in at.button]
    assert button(at, "Stop")
    at.run()
    assert len(started) == 1


def test_stop_asks_the_sweep_to_stop(store, monkeypatch):
    asked = []
    monkeypatch.setattr(Jobs, "cancel", lambda self, job: asked.append(job.argv))
    write_job(store.root / "jobs", "work", ("sweep", "tiny", "--workers", "2"), "Sweep", os.getpid(), queue=False)
    at = opened(PAGE)
    button(at, "Stop").click().run()
    assert asked == [("sweep", "tiny", "--workers", "2")]


def test_the_sweep_at_work_is_shown_first_and_told_on_other_pages(store):
    write_job(store.root / "jobs", "work", ("sweep", "table1"), "Sweep", os.getpid(), queue=False)
    at = opened(PAGE)
    assert at.selectbox(key="table.sweep").value == "table1"
    assert f"0 of {len(grid.open_sweep('table1').cells)} cells" in at.get("progress")[0].proto.text
    links = [link.proto.label for link in opened("pages/runs.py").get("page_link")]
    assert any("0%" in label for label in links)
    other = opened(PAGE, sweep="tiny")
    assert "Another sweep is at work" in texts(other)
    assert button(other, "Start")


def test_data_from_the_internet_are_fetched_only_where_that_is_allowed(started, store):
    at = opened(PAGE, sweep="table1")
    at.checkbox(key="table.download").check().run()
    at.button(key="table.start").click().run()
    assert started[0][0][-1] == "--download"
    assert not [c for c in opened(PAGE, sweep="tiny").checkbox if c.key == "table.download"]


def test_how_a_sweep_ended_is_told(store):
    argv, ended = ("sweep", "tiny", "--workers", "1"), {"state": "cancelled", "message": "Finished cells are kept."}
    write_job(store.root / "jobs", "gone", argv, "Sweep", 0, queue=False, **ended)
    assert "Finished cells are kept" in texts(opened(PAGE)).replace("\\", "")


def test_the_time_is_estimated_from_the_shapes_and_the_speed_of_this_machine(started, store):
    at = opened(PAGE)
    assert "about" not in " ".join(c.value for c in at.caption)
    button(at, "How long will it take?").click().run()
    assert started == [(("calibrate",), False)]
    estimate.keep_calibration(store, CALIBRATION)
    cells = grid.open_sweep("tiny").cells
    expected = 0.0
    for cell in cells:
        samples = 100 * cell.classes
        expected += estimate.training(cell.run, samples, calibration=CALIBRATION).seconds
        expected += estimate.analysis(estimate.subject(cell.run.model, "fc2"), samples, calibration=CALIBRATION).seconds
    states = status.states(store, grid.open_sweep("tiny"))
    assert progress.seconds_left(states) == pytest.approx(expected)
    assert f"about {duration(rounded(expected + progress.WAKING_SECONDS))}" in texts(opened(PAGE))
    add_sweep(store, count=8)
    assert progress.seconds_left(status.states(store, grid.open_sweep("tiny"))) == 0


def test_a_cell_that_is_tried_again_has_not_failed_yet(store):
    tiny, seen = grid.open_sweep("tiny"), []
    first, second, *_ = tiny.cells
    status.keep_failure(store, first, "It failed.")
    status.keep(store, second, row(second))

    def pool():
        seen.extend(status.states(store, tiny))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        workers.fill(store, tiny, pool)
    assert not any(state.failure for state in seen)
    assert [state.cell for state in seen if state.row is not None] == [second]
