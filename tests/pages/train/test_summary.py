"""Beside the training form: the data, the network, what it will cost."""

from pathlib import Path

import numpy as np
import pytest

from cache.store import Store
from engine.config.presets import preset
from engine.config.requests import DataRequest, ModelRequest, RunRequest
from engine.runs import estimate, library
from engine.units import duration, rounded
from tests.pages.conftest import chart, charts, fine, metrics, opened, write_job
from tests.pages.train.conftest import PAGE, asked, press_preset, set_value
from tests.planted import CALIBRATION, fill
from tests.small import pixels, saved

pytestmark = pytest.mark.usefixtures("prepared")


def about(seconds):
    return f"≈ {duration(rounded(seconds))}"


def test_the_network_is_drawn_with_the_studied_layer_marked(at):
    set_value(at, "text_input", "widths", "784-40-30-20-10")
    figure = chart(at, "network")
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert {"<b>fc3</b>", "<b>D = 600</b>", "784", "40", "fc1", "fc2", "fc4"} <= set(texts)
    marked = [trace["meta"] for trace in figure["data"] if trace["line"]["width"] > 1]
    assert marked == ["fc3"]


def test_the_cost_follows_the_form(at):
    cost = metrics(at)
    assert (cost["Parameters"], cost["D"]) == ("42,200", "2,500")
    seconds = estimate.training(RunRequest(), 4500, unseen=500, calibration=CALIBRATION).seconds
    assert cost["Training"] == f"≈ {round(seconds)} s"
    set_value(at, "number_input", "epochs", 200)
    assert metrics(at)["Training"] == f"≈ {round(2 * seconds)} s"
    one = estimate.analysis(estimate.subject(ModelRequest(), "fc2"), 4500, calibration=CALIBRATION).seconds
    # Checkpoints 0, 1, 2, 5, 10, 20, 30, 50, 70, 100 and the last one.
    assert metrics(at)["All"] == about(CALIBRATION.start + 2 * seconds + 11 * one)
    set_value(at, "button_group", "analyze", "none")
    assert metrics(at)["All"] == about(CALIBRATION.start + 2 * seconds)
    set_value(at, "text_input", "widths", "784-20-20-10")
    assert metrics(at)["D"] == "400"
    assert metrics(at)["One analysis"] == "≈ 1 s"


def test_too_much_memory_is_said_before_the_start(at):
    assert not at.warning
    set_value(at, "text_input", "widths", "784-900-900-10")
    assert metrics(at)["D"] == "810,000"
    assert "more memory than the" in at.warning[0].value


def test_earlier_runs_are_the_better_source(started):
    store = Store()
    fill(store)
    run = library.runs(store)[0]
    entry = store.read("runs", run.key)
    store.write(("runs", run.key), dict(entry.meta) | {"samples": 4500})
    at = opened(PAGE)
    each = float(np.median(run.history.seconds[1:]))
    assert metrics(at)["Training"] == about(100 * each)
    assert any("earlier runs of the same shape" in c.value for c in at.caption)
    assert at.button(key="train.start").label == "Start the missing analyses"


def test_classes_are_counted_and_named(at):
    set_value(at, "number_input", "per_class", 70)
    captions = " ".join(c.value for c in at.caption)
    assert "700 samples to train with, 500 unseen ones to test on" in captions


def test_without_a_calibration_one_is_measured_off_the_queue(started):
    Store().delete("calibration")
    at = opened(PAGE)
    assert started == [(("calibrate",), False)]
    assert metrics(at)["Training"] == "—"
    assert any("Measuring this machine" in c.value for c in at.caption)


def test_data_not_yet_looked_at_are_looked_at_off_the_queue(at, started):
    set_value(at, "selectbox", "data", "fashion_mnist")
    assert started == [(("preview", "--data", "fashion_mnist"), False)]
    assert at.button(key="train.start").disabled
    assert "network" not in charts(at)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("mnist is not in /data: download it.", "mnist is not in /data: download it."),
        ("mnist could not be downloaded (URLError)", "no way to the internet"),
    ],
)
def test_data_that_are_not_here_can_be_downloaded(started, message, sentence):
    argv = ("preview", "--data", "mnist")
    write_job(Store().root / "jobs", "gone", argv, "t", 0, queue=False, state="failed", message=message)
    at = opened(PAGE)
    set_value(at, "selectbox", "data", "mnist")
    assert sentence in at.warning[0].value.replace("\\", "")
    assert not started
    assert [b.label for b in at.button if b.key == "train.digits"] == ["Use the 5,000 digits"]
    at.button(key="train.download").click().run()
    assert started == [(("preview", "--data", "mnist", "--download"), False)]


def test_data_that_are_not_here_give_way_to_those_that_are(started):
    argv = ("preview", "--data", "cifar10")
    write_job(Store().root / "jobs", "gone", argv, "t", 0, queue=False, state="failed", message="It is not here.")
    at = opened(PAGE)
    press_preset(at, "CIFAR-10 MLP, CE")
    fine(at.button(key="train.digits").click().run())
    request = asked(at, started).request
    assert (request.data, request.model.widths) == (DataRequest(), (784, 1000, 50, 50, 10))
    assert request.training == preset("CIFAR-10 MLP, CE").request.training


def test_an_own_file_is_kept_under_its_hash(started, tmp_path):
    content = Path(saved(tmp_path, **pixels())).read_bytes()
    at = opened(PAGE)
    fine(at.file_uploader[0].set_value(("../../my digits.npz", content, "application/zip")).run())
    ((argv, queue),) = started
    path = Path(argv[2])
    assert (argv[:2], queue, path.parent) == (("preview", "--data"), False, Store().root / "uploads")
    assert path.read_bytes() == content
    assert "my" not in path.name
    assert "my digits.npz" in at.selectbox(key="train.data").options


def test_a_table_of_ones_own_is_asked_for_its_column_with_the_class(started):
    at = opened(PAGE)
    fine(at.file_uploader[0].set_value(("table.csv", b"a,b,kind\n1,2,ant\n3,4,bee\n", "text/csv")).run())
    fine(at.text_input(key="train.column").set_value(" kind ").run())
    (first, _), (second, _) = started
    assert first[:2] == second[:2] == ("preview", "--data")
    assert second[2] == f"{first[2]}#kind"
    assert at.selectbox(key="train.data").value == first[2]
    fine(at.selectbox(key="train.data").set_value("mnist5k").run())
    assert not [text for text in at.text_input if text.key == "train.column"]
