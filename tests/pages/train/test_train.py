"""The Train page: every control's effect on the request that would start, errors, and the panel's states."""

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from cache.jobs import Jobs
from cache.store import Store
from engine.config.command_line import parse, words
from engine.config.commands import TrainCommand, to_json
from engine.config.fields import declared
from engine.config.kinds import KINDS
from engine.config.presets import preset, presets
from engine.config.requests import DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.runs import estimate, library, preview
from pages.rooms.train.form import Form
from tests.pages.test_every_page import button, chart, charts, fine, opened
from tests.planted import CALIBRATION, fill
from tests.small import pixels, saved

PAGE = "pages/train.py"
DIGITS = preview.Preview("mnist5k", tuple("0123456789"), (450,) * 10, (50,) * 10, (1, 28, 28), None)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """An empty cache with the digits' preview and a calibration; what would be started is noted instead."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path))
    store, noted = Store(tmp_path), []
    plant(store, "mnist5k", DIGITS)
    estimate.keep_calibration(store, CALIBRATION)

    def start(self, argv, title, run="", queue=True, request=None):
        noted.append((tuple(argv), queue))
        return write_job(self.root, f"noted-{len(noted)}", argv, title, os.getpid(), queue=queue, request=request)

    monkeypatch.setattr(Jobs, "start", start)
    return noted


def plant(store: Store, name: str, data: preview.Preview) -> None:
    lists = {k: list(getattr(data, k)) for k in ("class_names", "train", "test", "shape")}
    images = np.arange(len(data.train) * 8 * 28 * 28, dtype=np.int64).reshape(-1, 8, 28, 28).astype(np.uint8)
    store.write(preview.place(name), {"name": name, **lists}, {"main": {"images": images}})


def write_job(
    root: Path, id: str, argv, title: str, pid: int, queue=True, created: float | None = None, request=None, **progress
):
    folder = root / id
    folder.mkdir(parents=True)
    begun = psutil.Process(pid).create_time() if psutil.pid_exists(pid) and pid else 1.0
    record = {"argv": list(argv), "title": title, "created": created or time.time(), "run": "", "queue": queue}
    record |= {"request": to_json(parse(argv)) if request is None else request, "pid": pid, "started": begun}
    (folder / "job.json").write_text(json.dumps(record))
    if progress:
        (folder / "progress.json").write_text(json.dumps(progress))
    job = Jobs(root).job(id)
    assert job is not None
    return job


def asked(at, started) -> TrainCommand:
    """What pressing Start would start."""
    before = len(started)
    at.button(key="train.start").click().run()
    fine(at)
    assert len(started) == before + 1
    argv, queue = started[-1]
    assert queue
    command = parse(argv)
    assert isinstance(command, TrainCommand)
    return command


def set_value(at, kind: str, field: str, value):
    getattr(at, kind)(key=f"train.{field}").set_value(value).run()
    fine(at)


def press(at, name: str) -> None:
    at.button(key=f"train.preset.{name}").click().run()
    fine(at)


# -- the form ---------------------------------------------------------------------------------------------


def test_untouched_it_asks_for_the_demo(started):
    at = opened(PAGE)
    assert not started
    command = asked(at, started)
    assert (command.request, command.analyze) == (RunRequest(), ("last", "all"))


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("number_input", "per_class", 200, {"data": DataRequest(per_class=200)}),
        ("number_input", "label_noise", 0.25, {"data": DataRequest(label_noise=0.25)}),
        ("selectbox", "scaling", "unit", {"data": DataRequest(scaling="unit")}),
        ("number_input", "data_seed", 3, {"data": DataRequest(seed=3)}),
        ("text_input", "widths", "784 30 20 10", {"model": ModelRequest(widths=(784, 30, 20, 10))}),
        ("selectbox", "activation", "tanh", {"model": ModelRequest(activation="tanh")}),
        ("toggle", "bias", True, {"model": ModelRequest(bias=True)}),
        ("selectbox", "loss", "linear_mse", {"loss": "linear_mse"}),
        ("number_input", "epochs", 7, {"training": TrainingRequest(epochs=7)}),
        ("number_input", "batch_size", 64, {"training": TrainingRequest(batch_size=64)}),
        ("number_input", "learning_rate", 0.03, {"training": TrainingRequest(learning_rate=0.03)}),
        ("number_input", "cosine_epochs", 90, {"training": TrainingRequest(cosine_epochs=90)}),
        ("number_input", "final_rate_ratio", 0.5, {"training": TrainingRequest(final_rate_ratio=0.5)}),
        ("number_input", "clip_norm", None, {"training": TrainingRequest(clip_norm=None)}),
        ("number_input", "momentum", 0.9, {"training": TrainingRequest(momentum=0.9)}),
        ("number_input", "weight_decay", 1e-4, {"training": TrainingRequest(weight_decay=1e-4)}),
        ("number_input", "stop_loss", None, {"training": TrainingRequest(stop_loss=None)}),
        ("text_input", "checkpoints", "9, 3;3", {"training": TrainingRequest(checkpoints=(3, 9))}),
        ("number_input", "seed", 5, {"seed": 5}),
    ],
)
def test_every_control_changes_what_is_asked_for(started, kind, field, value, expected):
    at = opened(PAGE)
    set_value(at, kind, field, value)
    assert asked(at, started).request == replace(RunRequest(), **expected)


def test_every_setting_of_sgd_has_its_widget(started):
    at = opened(PAGE)
    keys = {w.key for w in (*at.number_input, *at.text_input)}
    assert {f"train.{name}" for name in declared(TrainingRequest)} <= keys


@pytest.mark.parametrize(("choice", "words"), [("none", ()), ("last", ("last",)), ("all", ("last", "all"))])
def test_what_is_analysed_afterwards(started, choice, words):
    at = opened(PAGE)
    set_value(at, "button_group", "analyze", choice)
    assert asked(at, started).analyze == words


def test_fewer_classes_take_the_network_along(started):
    at = opened(PAGE)
    set_value(at, "button_group", "first", 3)
    request = asked(at, started).request
    assert (request.data.classes, request.model.widths) == ((0, 1, 2), (784, 50, 50, 3))
    at = opened(PAGE)
    set_value(at, "button_group", "classes", [7, 1])
    request = asked(at, started).request
    assert (request.data.classes, request.model.widths) == ((1, 7), (784, 50, 50, 2))


def test_a_cnn_takes_its_channels_and_classes_from_the_data(started):
    at = opened(PAGE)
    set_value(at, "selectbox", "model", "cnn")
    assert not [t for t in at.text_input if t.key == "train.widths"]
    assert asked(at, started).request.model == ModelRequest("cnn", (1, 10))


@pytest.mark.parametrize(
    ("kind", "widths", "studied"),
    [
        ("mlp-bn", (784, 50, 50, 10), "fc2"),
        ("resmlp", (784, 64, 64, 64, 10), "fc3"),
        ("lenet5", (1, 10), "fc2"),
        ("resnet", (1, 16, 32, 64, 10), "block3.conv2"),
        ("vit", (1, 64, 64, 10), "block2.fc2"),
    ],
)
def test_a_kind_brings_its_usual_widths_and_is_drawn(started, kind, widths, studied):
    at = opened(PAGE)
    set_value(at, "selectbox", "model", kind)
    assert asked(at, started).request.model == ModelRequest(kind, widths)
    assert f"<b>{studied}</b>" in [note["text"] for note in chart(at, "network")["layout"]["annotations"]]
    assert KINDS[kind].about in [c.value for c in at.caption]
    set_value(at, "selectbox", "model", "mlp")
    assert asked(at, started).request.model == ModelRequest()


def test_a_resnet_is_chosen_by_its_depth_and_costs_more_the_deeper_it_is(started):
    at = opened(PAGE)
    set_value(at, "selectbox", "model", "resnet")
    few = metrics(at)["Parameters"]
    set_value(at, "selectbox", "depth", 20)
    widths = (1, *(16,) * 3, *(32,) * 3, *(64,) * 3, 10)
    assert asked(at, started).request.model == ModelRequest("resnet", widths)
    assert at.text_input(key="train.widths").value == "-".join(map(str, widths))
    assert (few, metrics(at)["Parameters"]) == ("75,002", "269,434")
    set_value(at, "text_input", "widths", "1-8-8-10")
    assert at.selectbox(key="train.depth").value is None
    set_value(at, "text_input", "widths", "1-8-4-10")
    assert "its widths never fall" in at.warning[0].value


@pytest.mark.parametrize("name", [p.name for p in presets()])
def test_a_preset_fills_the_whole_form(started, name):
    chosen = preset(name)
    sizes = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "mnist5k": (1, 28, 28)}
    data = chosen.request.data.name
    plant(Store(), data, replace(DIGITS, name=data, train=(6000,) * 10, shape=sizes[data]))
    at = opened(PAGE)
    set_value(at, "number_input", "momentum", 0.5)
    press(at, name)
    command = asked(at, started)
    assert (command.request, command.analyze) == (chosen.request, chosen.analyze)
    if chosen.window:
        assert f"𝒩 = {chosen.window[10]:,} directions" in " ".join(c.value for c in at.caption)


def test_a_preset_with_fewer_classes_is_the_papers_own(started):
    plant(Store(), "cifar10", replace(DIGITS, name="cifar10", train=(5000,) * 10, shape=(3, 32, 32)))
    at = opened(PAGE)
    press(at, "CIFAR-10 CNN, CE")
    set_value(at, "button_group", "first", 3)
    assert any(c.value.startswith("CIFAR-10 CNN, CE: ") for c in at.caption)
    assert asked(at, started).request == preset("CIFAR-10 CNN, CE").run(3)
    set_value(at, "number_input", "epochs", 99)
    assert any(c.value.startswith("Your own settings") for c in at.caption)


def test_the_form_survives_a_change_of_page(started):
    at = opened(PAGE)
    set_value(at, "number_input", "epochs", 17)
    set_value(at, "text_input", "widths", "784-33-22-10")
    at.switch_page("pages/power_law.py").run()
    at.switch_page(PAGE).run()
    fine(at)
    assert (at.number_input(key="train.epochs").value, at.text_input(key="train.widths").value) == (17, "784-33-22-10")


# -- what does not fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "value", "sentence"),
    [
        ("text_input", "widths", "700-50-10", "takes 700 inputs and knows 10 classes; mnist5k has 784 and 10"),
        ("text_input", "widths", "many", "“many” describes no network"),
        ("text_input", "checkpoints", "first", "“first” is no list of epochs"),
        ("number_input", "per_class", 451, "ask for at most 450"),
        ("number_input", "batch_size", 5000, "between 1 and the 4,500 training samples"),
        ("number_input", "learning_rate", 0.0, "learning rate is a number above 0"),
        ("number_input", "momentum", 1.0, "from 0 to below 1"),
        ("button_group", "classes", [4], "needs at least two"),
    ],
)
def test_what_does_not_fit_is_said_before_the_start(started, kind, field, value, sentence):
    at = opened(PAGE)
    set_value(at, kind, field, value)
    assert sentence in at.warning[0].value.replace("\\", "")
    assert at.button(key="train.start").disabled
    assert not started


def test_widths_that_do_not_fit_are_fitted_at_a_press(started):
    at = opened(PAGE)
    set_value(at, "text_input", "widths", "3072-40-30-3")
    button(at, "Use 784-40-30-10").click().run()
    fine(at)
    assert not at.warning
    assert asked(at, started).request.model.widths == (784, 40, 30, 10)


# -- the side ---------------------------------------------------------------------------------------------


def test_the_network_is_drawn_with_the_studied_layer_marked(started):
    at = opened(PAGE)
    set_value(at, "text_input", "widths", "784-40-30-20-10")
    figure = chart(at, "network")
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert {"<b>fc3</b>", "<b>D = 600</b>", "784", "40", "fc1", "fc2", "fc4"} <= set(texts)
    marked = [trace["meta"] for trace in figure["data"] if trace["line"]["width"] > 1]
    assert marked == ["fc3"]


def metrics(at) -> dict[str, str]:
    return {m.label: m.value for m in at.metric}


def test_the_cost_follows_the_form(started):
    at = opened(PAGE)
    cost = metrics(at)
    assert (cost["Parameters"], cost["D"]) == ("42,200", "2,500")
    seconds = estimate.training(RunRequest(), 4500, unseen=500, calibration=CALIBRATION).seconds
    assert cost["Training"] == f"≈ {round(seconds)} s"
    set_value(at, "number_input", "epochs", 200)
    assert metrics(at)["Training"] == f"≈ {round(2 * seconds)} s"
    one = estimate.analysis(estimate.subject(ModelRequest(), "fc2"), 4500, calibration=CALIBRATION).seconds
    # Checkpoints 0, 1, 2, 5, 10, 20, 30, 50, 70, 100 and the last one.
    assert metrics(at)["All"] == "≈ " + train_duration(CALIBRATION.start + 2 * seconds + 11 * one)
    set_value(at, "button_group", "analyze", "none")
    assert metrics(at)["All"] == "≈ " + train_duration(CALIBRATION.start + 2 * seconds)
    set_value(at, "text_input", "widths", "784-20-20-10")
    assert metrics(at)["D"] == "400"
    assert metrics(at)["One analysis"] == "≈ 1 s"


def test_too_much_memory_is_said_before_the_start(started):
    at = opened(PAGE)
    assert not at.warning
    set_value(at, "text_input", "widths", "784-900-900-10")
    assert metrics(at)["D"] == "810,000"
    assert "more memory than the" in at.warning[0].value


def test_the_axis_of_a_long_training_grows_with_it():
    from pages.jobs.watch import horizon

    long = RunRequest(training=TrainingRequest(epochs=3000))
    assert [horizon(e, long) for e in (0, 100, 101, 499, 1999, 2001, 3000)] == [100, 100, 200, 500, 2000, 3000, 3000]
    assert horizon(0, RunRequest(training=TrainingRequest(epochs=30))) == 30


def test_earlier_runs_are_the_better_source(started):
    store = Store()
    fill(store)
    run = library.runs(store)[0]
    entry = store.read("runs", run.key)
    store.write(("runs", run.key), dict(entry.meta) | {"samples": 4500})
    at = opened(PAGE)
    each = float(np.median(run.history.seconds[1:]))
    assert metrics(at)["Training"] == "≈ " + train_duration(100 * each)
    assert any("earlier runs of the same shape" in c.value for c in at.caption)
    assert at.button(key="train.start").label == "Start the missing analyses"


def train_duration(seconds: float) -> str:
    from engine.units import duration, rounded

    return duration(rounded(seconds))


def test_classes_are_counted_and_named(started):
    at = opened(PAGE)
    set_value(at, "number_input", "per_class", 70)
    captions = " ".join(c.value for c in at.caption)
    assert "700 samples to train with, 500 unseen ones to test on" in captions


def test_without_a_calibration_one_is_measured_off_the_queue(started):
    Store().delete("calibration")
    at = opened(PAGE)
    assert started == [(("calibrate",), False)]
    assert metrics(at)["Training"] == "—"
    assert any("Measuring this machine" in c.value for c in at.caption)


def test_data_not_yet_looked_at_are_looked_at_off_the_queue(started):
    at = opened(PAGE)
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
    press(at, "CIFAR-10 MLP, CE")
    at.button(key="train.digits").click().run()
    fine(at)
    request = asked(at, started).request
    assert (request.data, request.model.widths) == (DataRequest(), (784, 1000, 50, 50, 10))
    assert request.training == preset("CIFAR-10 MLP, CE").request.training


def test_an_own_file_is_kept_under_its_hash(started, tmp_path):
    content = Path(saved(tmp_path, **pixels())).read_bytes()
    at = opened(PAGE)
    at.file_uploader[0].set_value(("../../my digits.npz", content, "application/zip")).run()
    fine(at)
    ((argv, queue),) = started
    path = Path(argv[2])
    assert (argv[:2], queue, path.parent) == (("preview", "--data"), False, Store().root / "uploads")
    assert path.read_bytes() == content
    assert "my" not in path.name
    assert "my digits.npz" in at.selectbox(key="train.data").options


# -- the panel --------------------------------------------------------------------------------------------

TINY = tuple(words(TrainCommand(preset("tiny, 5 seconds").request, ("last",))))


def test_the_job_at_work_and_the_queue_are_shown(started):
    root = Store().root / "jobs"
    work = {"stage": "training", "done": 12, "total": 30, "seconds_left": 18.4}
    write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    write_job(root, "second", ("train",), "Demo two", os.getpid(), created=2.0, stage="waiting", total=1)
    write_job(root, "third", ("train", "--seed", "3"), "Three", os.getpid(), created=3.0, stage="waiting", total=2)
    at = opened(PAGE)
    texts = " ".join(m.value for m in at.markdown)
    assert "Training: epoch 12 of 30" in texts
    assert "**1.** Demo two" in texts
    assert "Waiting for 1 job before it" in texts
    assert "**2.** Three" in texts
    assert "live" in charts(at)
    at.button(key="cancel-second").click().run()
    assert (root / "second" / "CANCEL").exists()
    at.button(key="stop-first").click().run()
    assert (root / "first" / "CANCEL").exists()


def test_other_pages_tell_it_in_one_line(started):
    root = Store().root / "jobs"
    fill(Store())
    at = opened("pages/power_law.py")
    assert not [link for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    work = {"stage": "training", "done": 129, "total": 300, "seconds_left": 20.0}
    write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    write_job(root, "second", ("train",), "two", os.getpid(), created=2.0, stage="waiting", total=1)
    at = opened("pages/power_law.py")
    (line,) = [link.proto.label for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    assert line == "Training … 43%, 20 s left"
    assert "1 more in the queue" in [c.value for c in at.sidebar.caption]
    # What one step of one analysis still takes says nothing of all ten.
    work = {"stage": "analysing epoch 50 (3 of 10): moments", "done": 1, "total": 2, "seconds_left": 1.0}
    (root / "first" / "progress.json").write_text(json.dumps(work))
    at = opened("pages/power_law.py")
    (line,) = [link.proto.label for link in at.sidebar.get("page_link") if "…" in link.proto.label]
    assert re.fullmatch(r"At work … 2\d%", line)


def test_ended_jobs_say_how_and_offer_what_can_be_done(started):
    root = Store().root / "jobs"
    run = fill(Store())
    write_job(root, "good", ("train",), "A good one", 0, created=3.0, state="done", message="Done: 3 analyses.")
    crash = write_job(root, "crash", TINY, "A bad one", 2**22 + 1, created=2.0, stage="training", done=3, total=30)
    (crash.folder / "log.txt").write_text("the wrong kind of snow")
    at = opened(PAGE)
    texts = " ".join(m.value for m in at.markdown) + " ".join(c.value for c in at.caption)
    assert "A good one" in texts
    assert "The worker was killed" in texts.replace("\\", "")
    assert "wrong kind of snow" in at.code[-1].value
    labels = {b.key: b.label for b in at.button}
    assert labels["look-good"] == "Look at it"
    assert "go-good" not in labels
    assert "look-crash" not in labels

    at.button(key="go-crash").click().run()
    assert started[-1] == (TINY, True)
    assert not crash.folder.exists()
    at.button(key="again-good").click().run()
    fresh = parse(started[-1][0])
    assert fresh.request == replace(RunRequest(), seed=1)
    at.button(key="forget-good").click().run()
    assert not (root / "good").exists()
    assert run in [r.key for r in library.runs(Store())]


def test_what_ended_while_it_was_watched_is_shown_on_top(started):
    root = Store().root / "jobs"
    work = {"stage": "training", "done": 12, "total": 30}
    write_job(root, "old", TINY, "An old one", 0, created=9.0, state="done", message="Done.")
    job = write_job(root, "first", TINY, "Tiny one", os.getpid(), created=1.0, **work)
    at = opened(PAGE)
    assert "1 at work or in the queue" in " ".join(c.value for c in at.caption)
    (job.folder / "progress.json").write_text(json.dumps({"state": "failed", "message": "It broke. Go on with: x y"}))
    at.run()
    fine(at)
    texts = [m.value for m in at.markdown]
    (place,) = [i for i, words in enumerate(texts) if "Tiny one" in words]
    (earlier,) = [i for i, words in enumerate(texts) if "An old one" in words]
    assert place < texts.index("**Data**") < earlier
    assert "It broke" in texts[place]
    assert "Go on with" not in texts[place]


def test_older_jobs_are_a_press_away(started):
    root = Store().root / "jobs"
    for i in range(9):
        write_job(root, f"j{i}", TINY, f"Number {i}", 0, created=1.0 + i, state="done", message="Done.")
    at = opened(PAGE)
    shown = [m.value for m in at.markdown if "Number" in m.value]
    assert ["Number 8" in shown[0], "Number 3" in shown[-1], len(shown)] == [True, True, 6]
    at.toggle(key="train.older").set_value(True).run()
    assert len([m for m in at.markdown if "Number" in m.value]) == 9


def test_look_at_it_selects_the_run(started):
    store = Store()
    first, second = fill(store), fill(store, seed=1)
    argv = ("train", "--seed", "1")
    write_job(store.root / "jobs", "good", argv, "t", 0, created=3.0, state="done", message="Done.")
    at = opened(PAGE, run=first)
    at.button(key="look-good").click().run()
    fine(at)
    assert at.session_state["selection"].run == second


def test_the_text_of_the_form_is_the_command(started):
    at = opened(PAGE)
    set_value(at, "number_input", "epochs", 7)
    assert "python -m engine train --epochs 7 --analyze last,all" in [c.value for c in at.code]


def test_a_form_survives_the_way_to_a_request_and_back():
    digits = preview.Preview("mnist5k", DIGITS.class_names, (9000,) * 10, (50,) * 10, (1, 28, 28), None)
    for one in presets():
        request = one.run(6)
        if request.data.name == "cifar10":
            continue
        assert Form.of(request).run_request(digits) == request
