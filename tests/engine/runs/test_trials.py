"""Loaded checkpoints whose shapes leave open which network they are: each is tried, and the best is called a guess."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cache.store import Store
from engine.__main__ import main
from engine.config.command_line import words
from engine.config.commands import LoadCommand
from engine.config.requests import AnalysisRequest, DataRequest, RunRequest
from engine.data.datasets import load
from engine.models.inspection import asked
from engine.models.layouts import Layout
from engine.runs import library
from engine.runs.external import inspect
from engine.runs.pipeline import Pipeline
from tests.engine.runs.conftest import loaded, plain_net
from tests.reference import twins


class Residual(nn.Module):
    """h + tanh(W h) twice, under names that sort against their use."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.second, self.next = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.z = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.enter(x).tanh()
        h = h + self.second(h).tanh()
        return self.z(h + self.next(h).tanh())


def trained(net: nn.Module, request: RunRequest) -> float:
    """Its accuracy after some steps on the data."""
    data = load(request.data)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data.train_x), data.train_y).backward()
        optimizer.step()
    return float((net(data.train_x).argmax(1) == data.train_y).double().mean())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_the_network_that_scores_best_is_taken_and_called_a_guess(
    store: Store, run_request: RunRequest, tmp_path: Path, suffix: str
) -> None:
    torch.manual_seed(0)
    net = Residual()
    accuracy = trained(net, run_request)
    file = tmp_path / f"net{suffix}"
    save_file(net.state_dict(), file) if "safe" in suffix else torch.save(net.state_dict(), file)
    run = library.find(store, loaded(store, dataclasses.replace(run_request, loss="ce"), [file], (0,)))
    assert (run.request.model.kind, run.history.train_accuracy[-1]) == ("resmlp", pytest.approx(accuracy))
    assert (
        "The network is a guess, the best by accuracy and loss of 22 that the shapes allow: skip connections" in run.end
    )
    assert "order enter, second, next, z" in run.end
    weights = Pipeline(store, "cpu").weights("runs", run.key, "checkpoints", "00000")
    assert weights is not None
    assert torch.equal(weights["fc2.weight"], net.second.weight)
    words = {trial.words for trial in run.trials}
    assert {"activation relu", "activation gelu", "labels counted from 1", "a softmax at the end"} <= words
    assert "plain, order enter, next, second, z" in words
    assert max(trial.accuracy for trial in run.trials if "plain" in trial.words) < accuracy
    assert not any(trial.words == run.request.model.kind for trial in run.trials)


def test_where_none_does_better_than_guessing_the_likeliest_is_taken(
    store: Store, run_request: RunRequest, tmp_path: Path
) -> None:
    net = Residual()
    with torch.no_grad():
        net.z.weight.zero_()  # names one class
    torch.save(net.state_dict(), tmp_path / "net.pt")
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    for name in ("net.pt", "net.safetensors"):
        run = library.find(store, loaded(store, run_request, [tmp_path / name], (0,)))
        assert run.request.model.kind == "mlp"
        assert "The network is a guess" in run.end


def test_another_network_is_taken_where_it_is_asked_for(store: Store, run_request: RunRequest, tmp_path: Path) -> None:
    torch.save(Residual().state_dict(), tmp_path / "net.pt")
    request, _ = asked(run_request, inspect([tmp_path / "net.pt"]), (0,))
    pipeline = Pipeline(store, "cpu")
    best = library.find(store, pipeline.load(request, [tmp_path / "net.pt"]))
    plain = next(trial for trial in best.trials if trial.words.startswith("plain"))
    run = library.find(store, pipeline.load(request, [tmp_path / "net.pt"], reading=plain.change["reading"]))
    assert run.request.model.kind == plain.kind
    assert "guess" not in run.end
    for kind, right in ((None, run), (plain.kind, run), (best.request.model.kind, best)):
        newest = library.loaded(library.runs(store), request, kind)
        assert newest is not None
        assert newest.key == right.key
    with pytest.raises(ValueError, match="The shapes allow 44 networks; there is no number 44"):
        pipeline.load(request, [tmp_path / "net.pt"], reading=44)


def test_a_set_of_weights_is_chosen_by_its_name(store: Store, run_request: RunRequest, tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    torch.save({"model": plain_net(0).state_dict(), "ema": plain_net(1).state_dict()}, file)
    several = inspect([file])
    assert (several.model, several.parts) == (None, ("model", "ema"))
    with pytest.raises(ValueError, match=r"several sets of weights: model, ema\. Name .*--weights model"):
        asked(run_request, several, (0,))
    request, _ = asked(run_request, inspect([file], "tanh", part="ema"), (0,))
    run = library.find(store, Pipeline(store, "cpu").load(request, [file], "ema"))
    data = load(run_request.data)
    right = float((plain_net(1)(data.train_x).argmax(1) == data.train_y).double().mean())
    assert run.history.train_accuracy[0] == pytest.approx(right)


def test_an_accuracy_that_falls_short_lists_what_else_was_tried(
    store: Store, series: list[Path], run_request: RunRequest, capsys
) -> None:
    command = [*words(LoadCommand.of(run_request, [str(series[0])], (0,))), "--device", "cpu"]
    assert main([*command, "--accuracy", "1"]) == 0
    out, err = capsys.readouterr()
    assert "--activation relu" in out
    assert "--classes 1,2,0" in out
    assert "You know it to reach 100.00%: what else was tried stands above" in err
    assert main([*command, "--accuracy", "0"]) == 0
    assert "also tried" not in capsys.readouterr().out


def test_what_is_set_aside_is_named_in_the_run(store: Store, run_request: RunRequest, tmp_path: Path) -> None:
    state = {f"model.{name}": t for name, t in plain_net().state_dict().items()}
    torch.save({"state_dict": state | {"criterion.weight": torch.ones(3)}}, tmp_path / "epoch=3-step=400.ckpt")
    run = library.find(store, loaded(store, run_request, [tmp_path / "epoch=3-step=400.ckpt"], (3,)))
    assert run.end == "Loaded: 1 checkpoint, trained elsewhere. Set aside: criterion.weight."


def test_a_recognised_network_is_analysed_at_every_layer(store: Store, tmp_path: Path) -> None:
    """Convolutions, normalisations and sums of a network that a text tells of, against torch.func."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (6, 8, 8, 1), dtype=np.uint8), np.arange(6) % 2
    np.savez(tmp_path / "images.npz", x_train=images, y_train=labels)
    net = Layout(
        "1x conv1=conv:2:3:1:1 bn1=batch act ( layer1.0.conv1=conv:2:3:1:1 layer1.0.bn1=batch act "
        "layer1.0.conv2=conv:2:3:1:1 layer1.0.bn2=batch ) act mean linear=linear:2:b"
    ).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    run_request = RunRequest(DataRequest(str(tmp_path / "images.npz"), scaling="unit"))
    key = loaded(store, run_request, [tmp_path / "net.pth"], (0,))
    run = library.find(store, key)
    assert run.request.model.kind.startswith("ResNet-4: 1x conv1=conv:2:3:1:1")
    assert list(run.layers) == ["conv1", "layer1.0.conv1", "layer1.0.conv2", "linear"]
    data = load(run_request.data)
    for layer in run.layers:
        analysis = Pipeline(store, "cpu").analyze(AnalysisRequest(key, 0, layer, 4, dtype="float64", spectra=0))
        g, h = twins.per_sample(net.double(), layer, data.train_x.double(), data.train_y, "ce")
        expected = twins.hessian_and_noise(g, h, 4)
        assert np.trace(expected["H"].numpy()) == pytest.approx(analysis.eigenvalues.sum(), rel=1e-6)
        assert np.trace(expected["C"].numpy()) == pytest.approx(analysis.diagonal("C").sum(), rel=1e-6)
