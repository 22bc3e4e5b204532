"""Where weights come from: files, a folder, a run that is here; what is said of right and wrong ones."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.config.commands import LoadCommand
from engine.runs import external, library
from tests.pages.conftest import button, charts, fine, metrics, opened, texts
from tests.pages.load.conftest import PAGE, asked, digits_net, saved, uploaded
from tests.small import write_data

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
    at.selectbox(key="loading.scaling").set_value("unit").run()
    at.selectbox(key="loading.loss").set_value("mse").run()
    at.number_input(key="loading.per_class").set_value(30).run()
    fine(at.text_input(key="loading.epochs").set_value("3, 7").run())
    fine(button(at, "Measure its accuracy").click().run())
    command = asked(started, LoadCommand)
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
    values = metrics(at)
    assert values["Accuracy"] == f"{run.history.train_accuracy[-1]:.1%}"
    assert values["Loss"] == f"{run.history.train_loss[-1]:.3g}"
    assert "loaded" in charts(at)


def test_fewer_classes_must_fit_the_network(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    fine(at.pills(key="loading.classes").set_value([0, 1, 2]).run())
    assert "knows 10 classes" in at.warning[0].value
    assert not [b for b in at.button if b.label == "Measure its accuracy"]


def test_own_data_are_taken_for_the_check(started, store, tmp_path):
    write_data(tmp_path / "three.npz")
    net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    at = uploaded([saved(tmp_path / "net.pt", net)])
    assert "MNIST (5,000 digits) has 784 and 10" in at.warning[0].value.replace("\\", "")
    content = (tmp_path / "three.npz").read_bytes()
    at.file_uploader(key="loading.own").set_value(("my three.npz", content, "application/zip")).run()
    fine(at.run())
    assert at.selectbox(key="loading.data").options[-1] == "my three.npz"
    fine(button(at, "Measure its accuracy").click().run())
    run = library.find(store)
    assert (run.samples, run.class_names) == (120, ("0", "1", "2"))


def test_numbers_to_predict_are_measured_by_r2(started, store, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    at = uploaded([saved(tmp_path / "net.pt", net)])
    assert "The network has one output" in at.warning[0].value
    assert any("from engine import Recorder" in code.value for code in at.code)
    np.savez(tmp_path / "prices.npz", X=x, y=np.round(100 * net(torch.from_numpy(x)).detach().numpy()).astype(int))
    content = (tmp_path / "prices.npz").read_bytes()
    at.file_uploader(key="loading.own").set_value(("prices.npz", content, "application/zip")).run()
    fine(at.segmented_control(key="loading.targets").set_value("numbers").run())
    fine(at.run())
    assert at.selectbox(key="loading.loss").value == "linear_mse"
    fine(at.segmented_control(key="loading.activation").set_value("tanh").run())
    fine(button(at, "Measure its accuracy").click().run())
    run = library.find(store)
    assert run.request.data.name.endswith(".npz:numbers")
    assert metrics(at)["R²"] == f"{run.explained:.3f}"
    assert "Accuracy" not in metrics(at)
    assert "always answering with the mean of the targets gives 0" in texts(at)
    assert "nan" not in texts(at)


def test_the_wrong_number_of_epochs_is_a_sentence(started, store, tmp_path):
    at = uploaded([saved(tmp_path / f"epoch_{e}.pt", digits_net(e)) for e in (0, 1)])
    for typed, sentence in (("1", "2 files but 1 epochs"), ("1, 1", "Epoch 1 was given"), ("a", "no list of epochs")):
        fine(at.text_input(key="loading.epochs").set_value(typed).run())
        assert sentence in at.warning[0].value


def test_what_is_not_recognised_is_listed_with_the_reason(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "lstm.pt", nn.LSTM(3, 4))])
    assert "Possible are networks of linear layers" in at.warning[0].value
    code = next(code.value for code in at.code if "MyNetwork" in code.value)
    assert "torch.load('lstm.pt', map_location='cpu', weights_only=True)\nmodel = MyNetwork()" in code
    assert (
        "Recorder(\n    'lstm', model, data=(images, labels), loss='ce',\n    batch_size=50, layers=['weight_ih_l0'],"
        in code
    )
    compile(code, "lines", "exec")
    assert len(at.dataframe[0].value) == 4
    assert not [b for b in at.button if b.label == "Measure its accuracy"]


def test_a_pickled_model_is_refused_in_a_sentence(started, store, tmp_path):
    torch.save(digits_net(), tmp_path / "whole.pt")
    at = uploaded([("whole.pt", (tmp_path / "whole.pt").read_bytes(), "application/octet-stream")])
    assert "whole.pt: It holds a pickled Python object" in at.warning[0].value.replace("\\", "")
    assert ".state_dict(), other_file)" in at.warning[0].value.replace("\\", "")


def test_of_several_sets_of_weights_one_is_chosen(started, store, tmp_path):
    torch.save({"model": digits_net(0).state_dict(), "ema": digits_net(1).state_dict()}, tmp_path / "net.pt")
    at = uploaded([("net.pt", (tmp_path / "net.pt").read_bytes(), "application/octet-stream")])
    choice = at.segmented_control(key="loading.part")
    assert list(choice.options) == ["model", "ema"]
    assert not [b for b in at.button if b.label == "Measure its accuracy"]
    fine(choice.set_value("ema").run())
    fine(button(at, "Measure its accuracy").click().run())
    assert asked(started, LoadCommand).part == "ema"
    kept = library.find(store)
    assert kept.request.weights == external.inspect([tmp_path / "net.pt"], part="ema").digests


def test_reading_happens_in_a_process_of_its_own(tmp_path):
    """The real subprocess: what it finds, and its sentence for what it cannot read."""
    from pages.rooms.load.source import _inspected

    torch.save(digits_net().state_dict(), tmp_path / "net.pt")
    inspected = _inspected.__wrapped__(((str(tmp_path / "net.pt"), 0, 0),), None)
    assert inspected == external.inspect([tmp_path / "net.pt"])
    (tmp_path / "net.pt").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"net\.pt: it is damaged, incomplete or no file of PyTorch"):
        _inspected.__wrapped__(((str(tmp_path / "net.pt"), 1, 0),), None)


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
    return fine(at.text_input(key="loading.folder").set_value(text).run())


def test_a_folder_becomes_a_series(folder, started):
    at = typed("mine")
    assert at.text_input(key="loading.epochs").value == "0, 3, 20"
    assert "ckpt-0.pt, ckpt-3.pt, ckpt-20.pt" in texts(at).replace("\\", "")
    at = opened(PAGE)
    at.segmented_control(key="loading.way").set_value("folder").run()
    fine(button(at, "mine").click().run())
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


def test_shards_are_uploaded_together_with_and_without_their_index(started, store, tmp_path):
    """Kept under their hash and number, which the index is not needed to put together."""
    weights = {name: t.clone() for name, t in digits_net().state_dict().items()}
    names = {name: f"part_{'b' if name.startswith('1') else 'a'}.safetensors" for name in weights}
    parts = {}
    for file in sorted(set(names.values())):
        save_file({name: weights[name] for name in weights if names[name] == file}, tmp_path / file)
        parts[file] = (tmp_path / file).read_bytes()
    kind = "application/octet-stream"
    index = ("model.safetensors.index.json", json.dumps({"weight_map": names}).encode(), kind)
    at = uploaded([*((file, content, kind) for file, content in parts.items()), index])
    assert "784‑8‑6‑10, 10 classes, 6,404 parameters" in texts(at)
    numbered = [(f"net-{i:05}-of-00002.safetensors", content, kind) for i, content in enumerate(parts.values(), 1)]
    at = uploaded(numbered)
    assert "784‑8‑6‑10, 10 classes, 6,404 parameters" in texts(at)
    assert len(list((store.root / "uploads").glob("weights-*-of-00002.safetensors"))) == 2  # the same, however named
    at = uploaded(numbered[:1])
    assert "net-00002-of-00002.safetensors is not among them" in at.warning[0].value.replace("\\", "")
    at = uploaded([("model.safetensors.index.json", b"{}", kind)])
    assert "it is no index of shards" in at.warning[0].value


def test_the_form_survives_a_change_of_page(started, store, tmp_path):
    at = uploaded([saved(tmp_path / "net.pt", digits_net())])
    at.segmented_control(key="loading.activation").set_value("tanh").run()
    at.switch_page("pages/train.py").run()
    fine(at.switch_page(PAGE).run())
    assert at.segmented_control(key="loading.activation").value == "tanh"
    assert "Chosen: net" in texts(at)
