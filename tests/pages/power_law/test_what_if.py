"""What if? What one changed setting asks for, what is kept, and what is said of both."""

from dataclasses import replace

import pytest

from engine.config.command_line import words
from engine.config.commands import TrainCommand
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.results.power_law import Fit
from pages.rooms.power_law import what_if
from tests.pages.conftest import by_meta, chart, charts, fine, opened, texts, url
from tests.planted import fill, recorded

PAGE = "pages/power_law.py"


def wish(at, setting, kind, value):
    at.selectbox(key="what_if.setting").set_value(setting)
    fine(at.run())
    getattr(at, kind)(key=f"what_if.{setting}").set_value(value)
    return fine(at.run())


@pytest.mark.parametrize(
    ("setting", "kind", "value", "changed"),
    [
        ("batch_size", "number_input", 200, {"training": TrainingRequest(batch_size=200)}),
        ("label_noise", "number_input", 0.2, {"data": DataRequest(label_noise=0.2)}),
        ("widths", "text_input", "784-30-30-10", {"model": ModelRequest(widths=(784, 30, 30, 10))}),
        ("loss", "selectbox", "linear_mse", {"loss": "linear_mse"}),
    ],
)
def test_one_setting_alone_is_trained_otherwise(run, prepared, started, setting, kind, value, changed):
    at = wish(opened(PAGE), setting, kind, value)
    assert not started
    fine(at.button(key="what_if.train").click().run())
    ((argv, queued),) = started
    assert argv == tuple(words(TrainCommand(replace(RunRequest(), **changed), ("last",))))
    assert queued
    assert url(at)["run"] == run, "the run on the screen stays"
    assert any(b.key.startswith("what-if-stop") for b in at.button)
    assert not [b for b in at.button if b.key == "what_if.train"]


def test_a_kept_run_is_opened_and_nothing_trained(store, run, prepared, started):
    request = replace(RunRequest(), training=TrainingRequest(batch_size=200))
    other = fill(store, epochs=(0, 50), request=request)
    at = wish(opened(PAGE, run=run, epoch="10"), "batch_size", "number_input", 200)
    assert not [b for b in at.button if b.key == "what_if.train"]
    assert not started
    names = [t["name"] for t in chart(at, "what-if-beside")["data"] if "γ = " in t.get("name", "")]
    assert [name.partition("·")[2].strip() for name in names] == ["B = 50", "B = 200"]
    assert "epoch that is analysed, 100 and 50" in texts(at)
    assert f"is kept: {other[:8]}" in texts(at)
    assert "With **B \\= 200** γ of $C$ is" in texts(at)
    assert url(at)["run"] == run
    assert by_meta(at, "what-if-beside")["C"]


@pytest.mark.parametrize(
    ("setting", "kind", "value", "sentence"),
    [
        ("batch_size", "number_input", 50, "That is the run on the screen"),
        ("batch_size", "number_input", 6000, "The batch size lies between 1 and"),
        ("widths", "text_input", "784-x", "describes no network"),
    ],
)
def test_what_cannot_be_trained_is_said(run, prepared, started, setting, kind, value, sentence):
    at = wish(opened(PAGE), setting, kind, value)
    assert sentence in texts(at)
    assert not [b for b in at.button if b.key == "what_if.train"]


def test_a_recorded_run_cannot_be_trained_again(store):
    at = opened(PAGE, run=recorded(store))
    assert "This run was trained elsewhere" in texts(at)
    assert not [box for box in at.selectbox if box.key == "what_if.setting"]
    assert "what-if-beside" not in charts(at)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((1.0, 1.2), (1.1, 1.3), "overlap"),
        ((1.0, 1.1), (1.2, 1.3), "lie apart"),
        ((1.2, 1.3), (1.0, 1.1), "lie apart"),
        ((1.0, 1.1), None, "cannot be judged"),
    ],
)
def test_no_more_is_claimed_than_intervals_show(before, after, verdict):
    fits = [Fit(1.1, 0.0, 0.01, 0.99, 100, 0, interval) for interval in (before, after)]
    assert verdict in what_if._difference(*fits)


def test_sizes_of_two_losses_are_not_compared(store, run, prepared):
    fill(store, epochs=(100,), request=replace(RunRequest(), loss="linear_mse"))
    at = wish(opened(PAGE, run=run), "loss", "selectbox", "linear_mse")
    assert "in units of each loss" in texts(at)
    assert "as large, at a mean loss" not in texts(at)


def test_the_first_numbers_are_shown_while_the_rest_is_measured(store, run, prepared, started):
    request = replace(RunRequest(), training=TrainingRequest(batch_size=200))
    at = wish(opened(PAGE, run=run), "batch_size", "number_input", 200)
    fine(at.button(key="what_if.train").click().run())
    assert "what-if-beside" not in charts(at)
    fill(store, epochs=(100,), request=request)
    fine(at.run())
    assert "the new interval is still being measured" in texts(at)
    assert "$1/B$ alone would make it" in texts(at)
    assert chart(at, "what-if-beside")
    assert any(b.key.startswith("what-if-stop") for b in at.button)
