"""The Load page: every control's effect on what is started, what it says of right and wrong files, and the ways in."""

from pathlib import Path

import pytest
import torch
from torch import nn

from cache.jobs import Jobs
from cache.store import Store
from engine.__main__ import main
from engine.config.command_line import parse
from engine.config.commands import AnalyzeCommand, LoadCommand
from engine.config.requests import AnalysisRequest
from engine.runs import estimate, external, library
from pages.rooms.load.accuracy import verdict
from tests.engine.runs.test_pipeline import write_data
from tests.pages.test_every_page import button, charts, fine, opened, url
from tests.pages.train.test_train import CALIBRATION, DIGITS, plant, write_job
from tests.planted import add_analysis, fill

PAGE = "pages/load.py"


def digits_net(seed: int = 0, act: type[nn.Module] = nn.Tanh) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 8), act(), nn.Linear(8, 6), act(), nn.Linear(6, 10))


def saved(path: Path, net: nn.Module) -> tuple[str, bytes, str]:
    torch.save(net.state_dict(), path)
    return path.name, path.read_bytes(), "application/octet-stream"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A cache with the digits' preview and a calibration; files are read in this process."""
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAMMASCOPE_ROOTS", raising=False)
    here = Store(tmp_path / "cache")
    plant(here, "mnist5k", DIGITS)
    estimate.keep_calibration(here, CALIBRATION)
    monkeypatch.setattr(
        "pages.rooms.load.source._inspected", lambda stamps: external.inspect([Path(path) for path, _, _ in stamps])
    )
    return here


@pytest.fixture
def started(store, monkeypatch):
    """What is started is noted; a load is done at once, in this process."""
    noted = []
    # The page's script does not run in the main thread.
    monkeypatch.setattr("engine.__main__.signal.signal", lambda *_: None)

    def start(self, argv, title, run="", queue=True, request=None):
        noted.append(tuple(argv))
        code = main(argv) if argv[0] in ("load", "preview") else 0
        ended = {"state": "failed" if code else "done", "message": "It failed."}
        return write_job(self.root, f"noted-{len(noted)}", argv, title, 0, queue, request=request, **ended)

    monkeypatch.setattr(Jobs, "start", start)
    return noted


def uploaded(files, at=None):
    at = at or opened(PAGE)
    at.file_uploader(key="loading.upload").set_value(files).run()
    fine(at)
    return at


def texts(at):
    return " ".join(e.value for e in (*at.markdown, *at.caption, *at.warning, *at.info, *at.success))


def asked(started) -> LoadCommand | AnalyzeCommand:
    command = parse(started[-1])
    assert isinstance(command, LoadCommand | AnalyzeCommand)
    return command


# -- files ------------------------------------------------------------------------------------------------


def test_the_page_is_in_the_menu_and_says_how_to_begin(store):
    at = opened(PAGE)
    assert "How to save weights in PyTorch" in texts(at)
    assert "model.state_dict()" in at.code[0].value
    assert not charts(at)


def test_an_uploaded_file_is_described_and_kept_under_its_hash(started, store, tmp_path):
    _, content, mime = saved(tmp_path / "my net.pt", digits_net())
    at = uploaded([("../../my net.pt", content, mime)])
    assert "784‑8‑6‑10, 10 classes, 6,404 parameters" in texts(at)
    assert "| fc2 | 6 × 8 | 48 | :primary[**studied**] |" in texts(at)
    assert "network" in charts(at)
    kept = [p.name for p in (store.root / "uploads").iterdir()]
    assert len([n for n in kept if n.startswith("weights-") and n.endswith(".pt")]) == 1
    assert not any("my net" in n for n in kept)
    assert started == []


@pytest.mark.parametrize("label", ["relu", "tanh", "gelu"])
def test_the_controls_reach_the_request(started, store, tmp_path, label):
    at = uploaded([saved(tmp_path / f"epoch_{e}.pt", digits_net(e)) for e in (10, 2)])
    assert at.text_input(key="loading.epochs").value == "2, 10"
    at.segmented_control(key="loading.activation").set_value(label).run()
    at.segmented_control(key="loading.scaling").set_value("unit").run()
    at.selectbox(key="loading.loss").set_value("mse").run()
    at.number_input(key="loading.per_class").set_value(30).run()
    at.text_input(key="loading.epochs").set_value("3, 7").run()
    fine(at)
    button(at, "Measure its accuracy").click().run()
    fine(at)
    command = asked(started)
    assert isinstance(command, LoadCommand)
    assert command.request.model.activation == label
    assert (command.request.data.scaling, command.request.data.per_class, command.request.loss) == ("unit", 30, "mse")
    assert command.epochs == (3, 7)
    run = library.find(store)
    assert run.checkpoints == (3, 7)
    assert run.samples == 300
    net = digits_net(2, {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[label])
    from engine.config.requests import DataRequest
    from engine.data.datasets import load

    data = load(DataRequest(per_class=30, scaling="unit"))
    accuracy = float((net(data.train_x).argmax(1) == data.train_y).double().mean())
    assert run.history.train_accuracy[0] == pytest.approx(accuracy)
    values = {m.label: m.value for m in at.metric}
    assert values["Accuracy"] == f"{run.history.train_accuracy[-1]:.1%}"
    assert values["Loss"] == f"{run.history.train_loss[-1]:.3g}"
    assert "loaded" in charts(at)


def test_fewer_classes_must_fit_the_network(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    at.pills(key="loading.classes").set_value([0, 1, 2]).run()
    fine(at)
    assert "knows 10 classes" in at.warning[0].value
    assert not [b for b in at.button if b.label == "Measure its accuracy"]


def test_own_data_are_taken_for_the_check(started, store, tmp_path):
    write_data(tmp_path / "three.npz")
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    at = uploaded([saved(tmp_path / "net.pt", net)])
    assert "MNIST (5,000 digits) has 784 and 10" in at.warning[0].value
    content = (tmp_path / "three.npz").read_bytes()
    at.file_uploader(key="loading.own").set_value(("my three.npz", content, "application/zip")).run()
    at.run()
    fine(at)
    assert at.selectbox(key="loading.data").options[-1] == "my three.npz"
    button(at, "Measure its accuracy").click().run()
    fine(at)
    run = library.find(store)
    assert (run.samples, run.class_names) == (120, ("0", "1", "2"))


def test_the_wrong_number_of_epochs_is_a_sentence(started, store, tmp_path):
    at = uploaded([saved(tmp_path / f"epoch_{e}.pt", digits_net(e)) for e in (0, 1)])
    for typed, sentence in (("1", "2 files but 1 epochs"), ("1, 1", "Epoch 1 was given"), ("a", "no list of epochs")):
        at.text_input(key="loading.epochs").set_value(typed).run()
        fine(at)
        assert sentence in at.warning[0].value


def test_what_is_not_recognised_is_listed_with_the_reason(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "lstm.pt", nn.LSTM(3, 4))])
    assert "Possible are a fully connected net" in at.warning[0].value
    assert len(at.dataframe[0].value) == 4
    assert not [b for b in at.button if b.label == "Measure its accuracy"]


def test_a_pickled_model_is_refused_in_a_sentence(started, store, tmp_path):
    torch.save(digits_net(), tmp_path / "whole.pt")
    at = uploaded([("whole.pt", (tmp_path / "whole.pt").read_bytes(), "application/octet-stream")])
    assert "pickled Python objects" in at.warning[0].value
    assert "model.state_dict()" in at.warning[0].value


def test_reading_happens_in_a_process_of_its_own(tmp_path):
    """The real subprocess: what it finds, and its sentence for what it cannot read."""
    from pages.rooms.load.source import _inspected

    torch.save(digits_net().state_dict(), tmp_path / "net.pt")
    inspected = _inspected.__wrapped__(((str(tmp_path / "net.pt"), 0, 0),))
    assert inspected == external.inspect([tmp_path / "net.pt"])
    (tmp_path / "net.pt").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"net\.pt: it is damaged, incomplete or no state dict"):
        _inspected.__wrapped__(((str(tmp_path / "net.pt"), 1, 0),))


# -- the sanity check -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracy", "guessing", "kind", "words"),
    [
        (0.11, 0.1, "warning", "11.0% is what guessing gives (10.0%). Unless the network is untrained"),
        (0.62, 0.6, "warning", "what guessing gives (60.0%)"),
        (0.6, 0.1, "info", "above guessing"),
        (0.97, 0.1, "success", "97.0%: the network recognises"),
    ],
)
def test_an_accuracy_in_words(accuracy, guessing, kind, words):
    judged = verdict(accuracy, guessing)
    assert judged[0] == kind
    assert words in judged[1]


def test_chance_is_called_out_with_the_fix_at_hand(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "epoch_5.pt", digits_net())])
    button(at, "Measure its accuracy").click().run()
    fine(at)
    assert "is what guessing gives" in at.warning[0].value
    first = library.find(store)
    button(at, "Activation tanh").click().run()
    fine(at)
    assert at.segmented_control(key="loading.activation").value == "tanh"
    assert len(started) == 2
    second = library.find(store)
    assert second.request.model.activation == "tanh"
    assert f"pixels as in the paper, relu | {first.history.train_accuracy[-1]:.1%}" in texts(at).replace("\\", "")
    button(at, "Forget the others").click().run()
    fine(at)
    assert [run.key for run in library.runs(store)] == [second.key]


def test_a_check_that_failed_leaves_its_sentence_and_can_be_tried_again(store, tmp_path, monkeypatch):
    def start(self, argv, title, run="", queue=True, request=None):
        ended = {"state": "failed", "message": "The disk is full."}
        return write_job(self.root, "broken-1", argv, title, 0, queue, request=request, **ended)

    monkeypatch.setattr(Jobs, "start", start)
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    button(at, "Measure its accuracy").click().run()
    fine(at)
    assert at.warning[0].value.replace("\\", "") == "The disk is full."
    assert button(at, "Measure its accuracy")


# -- the analysis -----------------------------------------------------------------------------------------


@pytest.fixture
def measured(started, store, tmp_path):
    """The page with a checked series."""
    at = uploaded([saved(tmp_path / f"epoch_{e}.pt", digits_net(e)) for e in (0, 4)])
    button(at, "Measure its accuracy").click().run()
    fine(at)
    return at


def test_the_analysis_asks_for_what_is_chosen(measured, started, store):
    run = library.find(store)
    at = measured
    button(at, "Measure").click().run()
    fine(at)
    command = asked(started)
    assert isinstance(command, AnalyzeCommand)
    assert (command.run, command.epochs) == (run.key, ("last", "all"))
    assert command.request(run.key, 4, "?", 0) == AnalysisRequest(run.key, 4, "fc2", 50)

    at.selectbox(key="loading.layer").set_value("fc3").run()
    at.number_input(key="loading.batch_size").set_value(32).run()
    at.number_input(key="loading.samples").set_value(800).run()
    at.number_input(key="loading.top_k").set_value(20).run()
    at.segmented_control(key="loading.dtype").set_value("float64").run()
    at.number_input(key="loading.bootstrap").set_value(100).run()
    at.segmented_control(key="loading.which").set_value("last").run()
    fine(at)
    button(at, "Measure").click().run()
    command = asked(started)
    assert isinstance(command, AnalyzeCommand)
    assert command.epochs == ("last",)
    expected = AnalysisRequest(run.key, 4, "fc3", 32, top_k=20, dtype="float64", bootstrap=100, samples=800)
    assert command.request(run.key, 4, "?", 0) == expected
    assert f"python -m engine analyze --run {run.key}" in " ".join(c.value for c in at.code)


def test_the_cost_follows_the_layer_and_the_directions(measured):
    at = measured
    before = {m.label: m.value for m in at.metric}
    assert before["D"] == "48"
    assert before["Time"].startswith("≈")
    at.selectbox(key="loading.layer").set_value("fc1").run()
    fine(at)
    after = {m.label: m.value for m in at.metric}
    assert after["D"] == "6,272"
    assert after["Memory"] > before["Memory"]


def test_a_large_layer_is_measured_in_its_leading_directions(measured, started, store):
    at = measured
    at.selectbox(key="loading.layer").set_value("fc1").run()
    button(at, "Measure").click().run()
    command = asked(started)
    assert isinstance(command, AnalyzeCommand)
    assert command.settings.top_k == 300


# -- a folder ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(store, tmp_path):
    """Checkpoints in the allowed folder, and others outside it."""
    inside = store.root / "checkpoints" / "mine"
    for place in (inside, tmp_path / "secret"):
        place.mkdir(parents=True)
        for epoch in (0, 20, 3):
            saved(place / f"ckpt-{epoch}.pt", digits_net(epoch))
    return inside


def typed(text):
    at = opened(PAGE)
    at.segmented_control(key="loading.way").set_value("folder").run()
    at.text_input(key="loading.folder").set_value(text).run()
    fine(at)
    return at


def test_a_folder_becomes_a_series(folder, started):
    at = typed("mine")
    assert at.text_input(key="loading.epochs").value == "0, 3, 20"
    assert "ckpt-0.pt, ckpt-3.pt, ckpt-20.pt" in texts(at).replace("\\", "")
    at = opened(PAGE)
    at.segmented_control(key="loading.way").set_value("folder").run()
    button(at, "mine").click().run()
    fine(at)
    assert at.text_input(key="loading.epochs").value == "0, 3, 20"


@pytest.mark.parametrize("text", ["../../secret", "/etc", "mine/../../../secret", "nothing"])
def test_a_path_outside_is_refused(folder, started, text):
    at = typed(text)
    assert "GAMMASCOPE_ROOTS" in at.warning[0].value
    assert not charts(at)


def test_a_link_to_the_outside_is_refused(folder, started, tmp_path):
    (folder.parent / "door").symlink_to(tmp_path / "secret")
    at = typed("door")
    assert "outside the folders that may be opened" in at.warning[0].value


# -- a run that is here -----------------------------------------------------------------------------------


def test_a_run_made_without_a_browser_is_measured(started, store):
    fill(store, epochs=(0, 10))
    bare = fill(store, epochs=(), seed=1)
    store.write(("runs", bare, "checkpoints", library.checkpoint_name(5)), {"epoch": 5})
    at = opened(PAGE)
    at.segmented_control(key="loading.way").set_value("run").run()
    fine(at)
    box = at.selectbox(key="loading.run")
    assert box.value == bare
    assert "(not analysed yet)" in box.options[0]
    button(at, "Measure").click().run()
    fine(at)
    command = asked(started)
    assert isinstance(command, AnalyzeCommand)
    assert (command.run, command.epochs, command.layer) == (bare, ("last",), "fc2")


def test_without_any_run_the_command_is_named(store):
    at = opened(PAGE)
    at.segmented_control(key="loading.way").set_value("run").run()
    fine(at)
    assert "python -m engine train" in at.info[0].value


# -- several layers ---------------------------------------------------------------------------------------


def test_the_sidebar_offers_the_layers_that_are_analysed(store):
    run = fill(store, epochs=(0, 10))
    at = opened("pages/power_law.py")
    assert [s.label for s in at.sidebar.selectbox] == []
    add_analysis(store, run, 10, layer="fc1")
    at = opened("pages/power_law.py")
    (box,) = at.sidebar.selectbox
    assert (box.label, list(box.options), box.value) == ("Layer", ["fc2", "fc1"], "fc2")
    box.set_value("fc1").run()
    fine(at)
    assert url(at)["layer"] == "fc1"
    assert "power" in charts(at)


def test_the_form_survives_a_change_of_page(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    at.segmented_control(key="loading.activation").set_value("tanh").run()
    at.switch_page("pages/train.py").run()
    at.switch_page(PAGE).run()
    fine(at)
    assert at.segmented_control(key="loading.activation").value == "tanh"
    assert "Chosen: net" in texts(at)
