"""Checkpoints trained elsewhere: recognised, measured, kept as a run, analysed like any other."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cache.store import Store
from engine import analyze
from engine.__main__ import main
from engine.config.command_line import parse, words
from engine.config.commands import LoadCommand
from engine.config.requests import AnalysisRequest, ModelRequest, RunRequest, key, to_json
from engine.data.datasets import load
from engine.models import inspection
from engine.models.inspection import asked
from engine.models.modules import MLP
from engine.runs import library
from engine.runs.external import inspect
from engine.runs.pipeline import Pipeline
from engine.samples import collect
from tests.engine.runs.conftest import EPOCHS, loaded, plain_net

# -- inspection -----------------------------------------------------------------------------------------


def test_an_inspection_tells_network_layers_and_numbers(series: list[Path]) -> None:
    inspected = inspect(series, "tanh")
    assert inspected.model == ModelRequest("mlp", (6, 5, 4, 3), "tanh", bias=True)
    assert inspected.layers == {"fc1": (5, 6), "fc2": (4, 5), "fc3": (3, 4)}
    assert (inspected.studied, inspected.parameters) == ("fc2", sum(p.numel() for p in plain_net().parameters()))
    assert [(t.name, t.shape) for t in inspected.tensors][:2] == [("0.weight", (5, 6)), ("0.bias", (5,))]
    assert len(set(inspected.digests)) == 2
    assert inspection.from_json(inspection.to_json(inspected)) == inspected


def test_what_is_not_recognised_is_listed_with_the_reason(tmp_path: Path) -> None:
    torch.save(nn.LSTM(3, 4).state_dict(), tmp_path / "lstm.pt")
    inspected = inspect([tmp_path / "lstm.pt"])
    assert inspected.model is None
    assert "Possible are networks of linear layers" in inspected.why
    assert inspected.tensors[0].shape == (16, 3)
    assert inspection.from_json(inspection.to_json(inspected)) == inspected
    with pytest.raises(ValueError, match="Possible are"):
        asked(RunRequest(), inspected, (0,))


def test_one_output_is_told_the_way_by_its_own_class(tmp_path: Path, capsys) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    torch.save({"epoch": 3, "model": {f"net.{n}": t for n, t in net.state_dict().items()}}, tmp_path / "price.pt")
    inspected = inspect([tmp_path / "price.pt"])
    assert inspected.model == ModelRequest(widths=(4, 3, 1), bias=True)
    text = inspection.lines(inspected, "price.pt", RunRequest())
    assert "weights = torch.load('price.pt', map_location='cpu', weights_only=True)['model']\n" in text
    assert "name.removeprefix('net.')" in text
    assert "'price', model, data=(images, labels), loss='linear_mse',  # or bce" in text
    assert "layers=['0']" in text
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "yes.npz", x_train=rng.normal(size=(20, 4)), y_train=np.arange(20) % 2)
    assert main(["load", str(tmp_path / "price.pt"), "--data", str(tmp_path / "yes.npz"), "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert "from engine import Recorder" in out
    assert "one output, as for a number or a yes and no. Bring the numbers" in err


def test_a_load_that_barely_beats_chance_is_told_so(tmp_path: Path, store: Store, capsys) -> None:
    x = np.random.default_rng(0).normal(size=(60, 6))
    net = plain_net()
    with torch.no_grad():  # each class is the answer to some
        net[4].bias -= net(torch.from_numpy(x).float()).mean(dim=0)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    right = net(torch.from_numpy(x).float()).argmax(1).numpy()
    for name, y, told in (("own", np.arange(60) % 3, True), ("its", right, False)):
        np.savez(tmp_path / f"{name}.npz", x_train=x, y_train=y, classes=np.array(["a", "b", "c"]))
        words = ["load", str(tmp_path / "net.pt"), "--data", str(tmp_path / f"{name}.npz"), "--activation", "tanh"]
        assert main([*words, "--device", "cpu"]) == 0
        out, err = capsys.readouterr()
        assert ("That barely beats guessing (33.3%)" in err) == told
        assert ("also tried" in out) == told


def test_fewer_classes_than_a_file_knows_are_no_matter_of_its_model(tmp_path: Path, store: Store, capsys):
    torch.save(plain_net().state_dict(), tmp_path / "net.pt")
    for count, told in (
        (2, "Of the other outputs there are no samples: bring data of all that it knows"),
        (4, "Keep as"),
    ):
        np.savez(
            tmp_path / "own.npz", x_train=np.random.default_rng(0).normal(size=(20, 6)), y_train=np.arange(20) % count
        )
        assert main(["load", str(tmp_path / "net.pt"), "--data", str(tmp_path / "own.npz"), "--device", "cpu"]) == 1
        err = capsys.readouterr().err
        assert f"knows 3 classes; own has 6 and {count}. {told}" in err
        assert "Give the model" not in err


def test_a_network_that_predicts_numbers_is_measured_on_them(tmp_path: Path, store: Store, capsys) -> None:
    torch.manual_seed(1)
    net, x = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)), np.random.default_rng(0).normal(size=(60, 4))
    with torch.no_grad():
        y = net(torch.from_numpy(x).float()).numpy() + np.random.default_rng(1).normal(scale=0.01, size=(60, 1))
    torch.save(net.state_dict(), tmp_path / "price.pt")
    np.savez(tmp_path / "prices.npz", X=x, y=y)
    words = ["load", str(tmp_path / "price.pt"), "--data", str(tmp_path / "prices.npz"), "--device", "cpu"]
    assert main(words) == 1
    assert "numbers to predict, and the loss ce takes classes. Choose the loss linear_mse" in capsys.readouterr().err
    assert main([*words, "--loss", "linear_mse", "--activation", "tanh", "--analyze", "last", "--spectra", "0"]) == 0
    out, err = capsys.readouterr()
    run = library.find(store)
    error = float(np.sqrt(np.mean((net(torch.from_numpy(x).float()).detach().numpy() - y) ** 2)))
    assert f"rms error {error:.3g}, R² {1 - error**2 / y.var():.3f}" in err
    assert f"rms error {error:.4g}, float32" in out
    assert "its partner is sought among all samples" in out
    assert np.isnan(run.history.train_accuracy).all()
    assert run.class_names == ()
    assert run.ranked_trials()[0].change == {"activation": "gelu"}
    assert all(np.isnan(trial.accuracy) for trial in run.trials)
    assert len(Pipeline(store, "cpu").check(run.key, 0, run.studied))
    with pytest.raises(ValueError, match="Single samples are looked at where each is one tensor with one label"):
        collect.keep(Pipeline(store, "cpu"), run.key, 0)


def test_files_of_different_networks_are_no_series(series: list[Path], tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.ones(3, 6)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt holds other layers than net_epoch_0\.pt"):
        inspect([*series, tmp_path / "other.pt"])
    with pytest.raises(ValueError, match="no file to read"):
        inspect([])


def test_epochs_decide_the_order_and_are_checked(series: list[Path], run_request: RunRequest) -> None:
    inspected = inspect(series, "tanh")
    request, order = asked(run_request, inspected, (7, 2))
    assert order == (1, 0)
    assert request.training.checkpoints == (2, 7)
    assert request.weights == (inspected.digests[1], inspected.digests[0])
    for epochs, sentence in [((1,), "2 files but 1 epochs"), ((3, 3), "Epoch 3 was given"), ((-1, 2), "from 0; -1")]:
        with pytest.raises(ValueError, match=sentence):
            asked(run_request, inspected, epochs)


# -- as a run -------------------------------------------------------------------------------------------


def test_a_loaded_series_is_a_run_with_what_pytorch_measures(
    store: Store, series: list[Path], run_request: RunRequest
) -> None:
    run = library.find(store, loaded(store, run_request, series))
    assert run.finished
    assert run.end == "Loaded: 2 checkpoints, trained elsewhere."
    assert (run.checkpoints, run.request.training.batch_size) == (EPOCHS, 16)
    assert run.layers == {"fc1": (5, 6), "fc2": (4, 5), "fc3": (3, 4)}
    assert np.isnan(run.history.learning_rate).all()
    data = load(run_request.data)
    for i in range(2):
        for part, x, y in (("train", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
            logits = plain_net(i)(x).detach()
            residual = torch.softmax(logits, 1) - nn.functional.one_hot(y, 3)
            assert getattr(run.history, f"{part}_accuracy")[i] == pytest.approx(
                float((logits.argmax(1) == y).double().mean())
            )
            assert getattr(run.history, f"{part}_loss")[i] == pytest.approx(float(residual.square().mean()), rel=1e-5)


def test_its_analysis_is_that_of_the_network_itself(store: Store, series: list[Path], run_request: RunRequest) -> None:
    run = loaded(store, run_request, series)
    analysis = Pipeline(store, "cpu").analyze(AnalysisRequest(run, 4, "fc2", 16, spectra=0))
    data = load(run_request.data)
    direct = analyze(plain_net(1), data.train_x, data.train_y, "2", "mse", 16, device="cpu", spectra=0)
    np.testing.assert_allclose(analysis.eigenvalues, direct.eigenvalues, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(analysis.diagonal("C"), direct.diagonal("C"), rtol=1e-3, atol=1e-10)
    assert analysis.provenance.accuracy == pytest.approx(library.find(store, run).history.train_accuracy[1])


def test_the_key_is_that_of_the_tensors(
    store: Store, series: list[Path], run_request: RunRequest, tmp_path: Path
) -> None:
    run = loaded(store, run_request, series)
    version = store.version("runs", run)
    moved = [tmp_path / "elsewhere.pth", tmp_path / "again.pth"]
    for old, new in zip(series, moved, strict=True):
        torch.save({f"module.{k}": v for k, v in torch.load(old)["state_dict"].items()}, new)
    assert loaded(store, run_request, moved) == run
    assert store.version("runs", run) == version, "a loaded run costs nothing again"
    assert loaded(store, run_request, [moved[1], moved[0]], (4, 0)) == run
    assert loaded(store, run_request, moved, (0, 5)) != run
    assert loaded(store, dataclasses.replace(run_request, loss="ce"), moved) != run
    torch.save(plain_net(9).state_dict(), moved[1])
    assert loaded(store, run_request, moved) != run


def test_runs_trained_here_keep_the_keys_they_had() -> None:
    assert "weights" not in to_json(RunRequest())
    assert key(RunRequest(), "data") == "8cd292d2a1d619f6"
    assert key(RunRequest(weights=("a",)), "data") != key(RunRequest(), "data")


def test_a_damaged_checkpoint_asks_for_its_file_and_is_not_trained(
    store: Store, series: list[Path], run_request: RunRequest
) -> None:
    run = loaded(store, run_request, series)
    store.delete("runs", run, "checkpoints", library.checkpoint_name(4))
    with pytest.raises(ValueError, match=r"epoch 4 of run .* trained elsewhere: load its file again"):
        Pipeline(store, "cpu").analyze(AnalysisRequest(run, 4, spectra=0))
    assert loaded(store, run_request, series) == run
    Pipeline(store, "cpu").analyze(AnalysisRequest(run, 4, spectra=0))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([nn.Linear(7, 5), nn.Linear(5, 3)], "takes 7 inputs and knows 3 classes; three has 6 and 3"),
        ([nn.Linear(6, 5), nn.Linear(5, 4)], "takes 6 inputs and knows 4 classes; three has 6 and 3"),
    ],
)
def test_a_network_that_does_not_fit_the_data_leaves_no_run(
    store: Store, run_request: RunRequest, tmp_path: Path, layers: list[nn.Module], words: str
) -> None:
    torch.save(nn.Sequential(*layers).state_dict(), tmp_path / "net.pt")
    with pytest.raises(ValueError, match=words):
        loaded(store, run_request, [tmp_path / "net.pt"], (0,))
    assert store.list("runs") == ()


def test_a_file_that_changes_meanwhile_is_noticed(store: Store, series: list[Path], run_request: RunRequest) -> None:
    request, _ = asked(run_request, inspect(series, "tanh"), EPOCHS)
    torch.save(plain_net(5).state_dict(), series[0])
    with pytest.raises(ValueError, match=r"net_epoch_0\.pt has changed"):
        Pipeline(store, "cpu").load(request, series)
    assert store.list("runs") == ()


# -- the command ----------------------------------------------------------------------------------------


def test_the_command_loads_and_analyses(store: Store, series: list[Path], run_request: RunRequest, capsys) -> None:
    load = [*words(LoadCommand.of(run_request, [str(f) for f in series], (0, 4))), "--device", "cpu"]
    assert main([*load, "--analyze", "last", "--layer", "fc1", "--samples", "60", "--spectra", "0"]) == 0
    out, err = capsys.readouterr()
    assert "epoch 4, layer fc1 (5 × 6, D = 30), 60 samples, B = 16" in out
    assert "Loaded: 2 checkpoints" in err
    assert library.find(store).key == loaded(store, run_request, series)
    # The epochs stand in the names.
    assert main(["load", *map(str, series), *load[3:]]) == 0


def test_the_words_of_a_load_are_read_back(run_request: RunRequest) -> None:
    command = LoadCommand.of(run_request, ["a.pt", "b.pt"], (3, 1))
    assert parse(words(command)) == command
    assert (command.files, command.epochs, command.request) == (("a.pt", "b.pt"), (3, 1), run_request)


def test_inspect_prints_json_and_a_sentence_for_what_it_cannot_read(series: list[Path], tmp_path: Path, capsys) -> None:
    assert main(["inspect", *map(str, series)]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["widths"] == [6, 5, 4, 3]
    torch.save(plain_net(), tmp_path / "whole.pt")
    assert main(["inspect", str(tmp_path / "whole.pt")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "torch.load(file, weights_only=False).state_dict()" in err
    assert "Traceback" not in err


def test_the_eps_that_no_file_of_weights_holds_is_told(tmp_path: Path, store: Store) -> None:
    torch.manual_seed(0)
    torch.save(MLP((6, 5, 4, 3), norm=True).state_dict(), tmp_path / "bn.pt")
    torch.save(plain_net().state_dict(), tmp_path / "plain.pt")
    np.savez(tmp_path / "own.npz", x_train=np.random.default_rng(0).normal(size=(30, 6)), y_train=np.arange(30) % 3)
    for name, told in (("bn", True), ("plain", False)):
        words = ["load", str(tmp_path / f"{name}.pt"), "--data", str(tmp_path / "own.npz"), "--device", "cpu"]
        assert main([*words, "--analyze", "last", "--spectra", "0"]) == 0
        run = library.find(store)
        (made,) = library.analyses(store, run.key)
        result = library.load_analysis(store, run.key, made.key)
        assert result is not None
        assert any("1e-05 of BatchNorm1d is assumed" in note for note in result.provenance.notes) == told
