"""A recorded script: its training is untouched, its numbers are those of `analyze`, and what was recorded stays."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from cache.store import Store
from engine import Recorder, analyze
from engine.curvature.analyze import matrices
from engine.runs import library
from engine.runs.brought import unwrapped
from engine.runs.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
QUICK = {"spectra": 0, "anchors_per_class": 5}


class Net(nn.Module):
    """With all that a recorder might disturb: BatchNorm, dropout, convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.2)
        self.fc1 = nn.Linear(3 * 9, 5)
        self.fc2 = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.max_pool2d(torch.relu(self.norm(self.conv(x))), 2).flatten(1)
        logits: torch.Tensor = self.fc2(torch.relu(self.fc1(self.drop(x))))
        return logits


def samples(n: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    return torch.randn(n, 1, 6, 6, generator=noise), torch.arange(n) % 3


def trained(epochs: int, recorded: bool) -> tuple[Net, list[torch.Tensor], Recorder | None]:
    """A net after some epochs of Adam, what each source of chance gives next, and its recorder."""
    torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002
    model, (x, y) = Net(), samples()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    layers = ["fc1", "conv", "fc1+fc2"]
    recorder = None
    if recorded:
        recorder = Recorder("mine", model, (x, y), batch_size=10, layers=layers, optimizer=optimizer, **QUICK)
    for epoch in range(1, epochs + 1):
        for rows in torch.randperm(len(x)).split(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if recorder is not None:
            recorder.record(epoch)
    chance = [torch.rand(3), torch.from_numpy(np.random.rand(3)), torch.tensor(random.random())]  # noqa: NPY002
    return model, chance, recorder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One recording for several tests: net, chance, recorder, and its store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMMASCOPE_CACHE", str(tmp_path_factory.mktemp("recorded")))
        model, chance, recorder = trained(2, recorded=True)
        assert recorder is not None
        recorder.close()
        yield model, chance, recorder, Store()


@pytest.fixture
def at_once(monkeypatch):
    """Matrices are made where the factors are: a process of its own takes long to wake."""

    def hand(_, request, about):
        Pipeline(Store()).keep(library.find(Store(), request.run), request, matrices(about))

    monkeypatch.setattr("engine.runs.matrices.Maker.hand", hand)


def test_training_is_the_same_bit_for_bit(made):
    recorded, chance, *_ = made
    model, own_chance, _ = trained(2, recorded=False)
    for name, weights in model.state_dict().items():
        assert torch.equal(weights, recorded.state_dict()[name]), name
    for one, other in zip(model.parameters(), recorded.parameters(), strict=True):
        assert one.grad is not None
        assert torch.equal(one.grad, other.grad)
    assert [m.training for m in model.modules()] == [m.training for m in recorded.modules()]
    # Shape checking, here alone, draws from Python's own random numbers.
    assert all(torch.equal(a, b) for a, b in zip(chance[:2], own_chance[:2], strict=True))


def test_chance_is_the_same_in_a_plain_process(tmp_path):
    code = "import sys; from tests.engine.test_recorder import trained; print(trained(1, sys.argv[1] == 'yes')[1])"
    with_, without = (
        subprocess.run(
            [sys.executable, "-c", code, word], cwd=ROOT, env=os.environ | {"GAMMASCOPE_CACHE": str(tmp_path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for word in ("yes", "no")
    )  # fmt: skip
    assert with_ == without
    assert with_.startswith("[tensor")


def test_modes_that_are_mixed_stay_mixed(store, at_once):
    model = Net()
    model.norm.eval()
    recorder = Recorder("mine", model, samples(), layers="fc2", **QUICK)
    recorder.record(0)
    recorder.close()
    assert not model.norm.training
    assert model.drop.training


def test_numbers_are_those_of_analyze(made):
    model, _, recorder, store = made
    analysed = library.analyses(store, recorder.key)
    assert [(a.request.epoch, a.request.layer) for a in analysed] == [
        (epoch, layer) for epoch in (1, 2) for layer in ("conv", "fc1", "fc1+fc2")
    ]
    for layer in ("fc1", "conv", "fc1+fc2"):
        (one,) = [a for a in analysed if (a.request.epoch, a.request.layer) == (2, layer)]
        kept = library.load_analysis(store, recorder.key, one.key)
        assert kept is not None
        own = analyze(Net().eval(), *samples(), layer=layer, batch_size=10, **QUICK)
        assert not np.allclose(kept.eigenvalues, own.eigenvalues, rtol=1e-3)  # of another net
        twin = Net()
        twin.load_state_dict(model.state_dict())
        own = analyze(twin.eval(), *samples(), layer=layer, batch_size=10, **QUICK)
        np.testing.assert_allclose(kept.eigenvalues, own.eigenvalues, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(kept.diagonal("C"), own.diagonal("C"), rtol=1e-6, atol=1e-12)
        assert "Trained with Adam" in kept.provenance.remarks[-1]


def test_the_run_is_one_like_others(made):
    model, *_, store = made
    (run,) = library.runs(store)
    assert run.label == "mine"
    assert run.finished
    assert run.end == "Recorded: 2 epochs."
    assert run.checkpoints == (1, 2)
    assert list(run.layers) == ["conv", "fc1", "fc2"]
    assert run.places["conv"] == 36
    assert run.studied == "fc1"
    assert run.request.model.kind.endswith(".Net")
    assert run.request.training.batch_size == 10
    assert np.isfinite(run.history.train_loss).all()  # measured, as the script did not tell
    assert run.history.learning_rate.tolist() == [0.01, 0.01]
    weights = Pipeline(store).weights("runs", run.key, "checkpoints", "00002")
    assert weights is not None
    assert torch.equal(weights["norm.running_mean"], model.norm.running_mean)
    assert not list((store.root / "handed").glob("*"))
    assert not library.refusals(store, run.key)


def test_what_takes_the_network_works_from_the_recorder(made):
    _, _, recorder, store = made
    assert recorder.analyze(1, "fc2", spectra=10).provenance.layer == "fc2"
    checks = recorder.check(2, "conv")
    assert max(check.error for check in checks if len(check.directions) == 1) < 1e-3
    assert library.checks(store, recorder.key, library.analyses(store, recorder.key)[-3].key) == checks
    recorder.look(2, "fc2")
    there = recorder.cross_fit(2, "fc2", splits=1)
    assert there.test is None, "its test samples are the script's"
    assert recorder.analyze(2, "fc2").cross_fit("C").crossed.gamma == there.halves[0].crossed.fit("C").gamma / 2 + (
        there.halves[1].crossed.fit("C").gamma / 2
    )
    assert store.list("runs", recorder.key, "samples")
    descended = recorder.descend(2, "conv", steps=50, seeds=1)
    assert (descended.seeds, descended.rate) == (1, 0.01)


def test_without_its_script_a_run_says_what_brings_its_network(made):
    _, _, recorder, store = made
    with pytest.raises(ValueError, match=r"--model your_model\.py:model --data your_data\.py:data"):
        Pipeline(store).restore(recorder.key, 2)


def test_what_is_wrong_is_told_before_anything_is_recorded(store):
    model, (x, y) = Net(), samples()
    with pytest.raises(ValueError, match="no layer 'fc9'"):
        Recorder("mine", model, (x, y), layers=["fc9"])
    with pytest.raises(TypeError, match="no setting colour"):
        Recorder("mine", model, (x, y), colour="red")
    with pytest.raises(TypeError, match="data is"):
        Recorder("mine", model, x)
    with pytest.raises(TypeError, match=r"a torch\.nn\.Module; a OrderedDict was given"):
        unwrapped(model.state_dict())
    with pytest.raises(ValueError, match="cannot be run on these inputs"):
        Recorder("mine", model, (x[:, :, :3], y))
    assert not library.runs(store)


def test_epochs_rise(store):
    recorder = Recorder("mine", Net(), samples())
    recorder.record(3)
    with pytest.raises(ValueError, match="rise; 3 was given after 3"):
        recorder.record(3)
    with pytest.raises(ValueError, match="from 0"):
        Recorder("mine", Net(), samples()).record(-1)


def test_percents_are_no_shares(store):
    recorder = Recorder("mine", Net(), samples())
    with pytest.raises(ValueError, match=r"a share, 0 … 1; 98\.3 was given"):
        recorder.record(0, accuracy=98.3)
    assert not recorder.run.checkpoints


class Augmented(Dataset):
    """Another picture at every look."""

    def __len__(self) -> int:
        return 20

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return torch.randn(1, 6, 6), i % 3


def test_data_that_read_differently_twice_are_refused(store):
    model, state = Net(), torch.get_rng_state()
    with pytest.raises(ValueError, match=r"others when they are read a second time.*without its random transforms"):
        Recorder("mine", model, Augmented())
    with pytest.raises(ValueError, match="shuffle=False"):
        Recorder("mine", model, DataLoader(TensorDataset(*samples()), shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_bytes_that_are_not_scaled_are_warned_of(store):
    inputs, targets = samples()
    with pytest.warns(UserWarning, match=r"uint8 are taken as the numbers 0 … 255, not scaled\. Give the recorder the"):
        Recorder("mine", Net(), ((255 * inputs.sigmoid()).byte(), targets))


def test_a_dataset_is_the_same_data_and_is_not_kept(store):
    x, y = samples()
    by_tensors, by_loader = (
        Recorder("mine", Net(), data) for data in ((x, y), DataLoader(TensorDataset(x, y), batch_size=7))
    )
    assert by_tensors.run.fingerprint == by_loader.run.fingerprint
    assert by_loader.run.data_name == "TensorDataset"
    assert not store.list("runs", by_loader.key, "data")


def test_data_that_are_kept_need_not_be_brought(store):
    recorder = Recorder("mine", Net(), samples(), keep_data=True)
    assert dict(recorder.run.recorded.bring) == {"model": ""}
    x, y = Pipeline(store).samples(recorder.run)
    assert torch.equal(x, samples()[0])
    assert torch.equal(y, samples()[1])


def test_data_by_name_are_those_of_the_cache(store, tmp_path):
    x, y = samples()
    np.savez(tmp_path / "own.npz", x_train=x[:, 0].numpy(), y_train=y.numpy())
    recorder = Recorder("mine", Net(), tmp_path / "own.npz")
    assert dict(recorder.run.recorded.bring) == {"model": ""}
    assert torch.equal(Pipeline(store).samples(recorder.run)[0], x)


def test_data_written_to_meanwhile_are_refused(store, at_once):
    x, y = samples()
    recorder = Recorder("mine", Net(), (x, y), layers="fc2", **QUICK)
    x.add_(1)
    with pytest.warns(UserWarning, match="fc2 is not analysed: The data own samples have changed"):
        recorder.record(1)
    assert "have changed" in library.refusals(store, recorder.key)[0]
    assert recorder.run.checkpoints == (1,)


def test_a_network_that_died_ends_no_training(store, at_once):
    model = Net()
    recorder = Recorder("mine", model, samples(), layers="fc2", **QUICK)
    with torch.no_grad():
        model.fc2.weight.fill_(float("nan"))
    with pytest.warns(UserWarning, match="NaN or infinite weights"):
        recorder.record(1, loss=float("nan"))
    recorder.close()
    assert recorder.run.checkpoints == (1,)


def focal(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    p = f.softmax(0).gather(0, y[None])[0]
    return -((1 - p) ** 2) * p.log()


def test_a_network_that_changes_meanwhile_is_recorded_on_and_that_is_said(store, at_once):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.ReLU(), nn.Linear(4, 3))
    with Recorder("mine", model, samples(), batch_size=10, layers=["1"], **QUICK) as recorder:
        recorder.record(1)
        model.double()
        recorder.record(2)  # the same numbers
        model.append(nn.Linear(3, 3))
        with pytest.warns(UserWarning, match=r"changed since its recorder began \(4\.weight, 4\.bias\): pages list"):
            recorder.record(3)
        recorder.record(4)
    first, second, third = (recorder.analyze(epoch) for epoch in (1, 2, 3))
    np.testing.assert_array_equal(first.diagonal("C"), second.diagonal("C"))
    assert not np.allclose(third.eigenvalues, first.eigenvalues)
    assert recorder.run.checkpoints == (1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"also has 4\.weight, 4\.bias"):
        recorder.analyze(1, "3")


@pytest.mark.parametrize(
    ("loss", "name", "needed"),
    [
        (nn.CrossEntropyLoss(), "ce", False),
        (nn.CrossEntropyLoss(label_smoothing=0.1), "ce(smoothing=0.1)", True),
        (focal, "tests.engine.test_recorder.focal", True),
        ("linear_mse", "linear_mse", False),
    ],
)
def test_any_loss(store, at_once, loss, name, needed):
    recorder = Recorder("mine", Net(), samples(), loss=loss, layers="fc2", **QUICK)
    recorder.record(1)
    recorder.close()
    (one,) = library.analyses(store, recorder.key)
    kept = library.load_analysis(store, recorder.key, one.key)
    own = analyze(Pipeline(store, brought=recorder.pipeline.brought).restore(recorder.key, 1)[0], *samples(),
                  layer="fc2", loss=loss, **QUICK)  # fmt: skip
    np.testing.assert_allclose(kept.diagonal("C"), own.diagonal("C"), rtol=1e-6)
    assert recorder.run.request.loss == name
    assert ("loss" in recorder.run.recorded.bring) == needed
    wrong = [c for c in recorder.check(1, "fc2") if len(c.directions) == 1 and c.error > 1e-3]
    assert not wrong


def test_regression_and_attention_are_recorded(store, at_once):
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))

    x = torch.randn(12, 3, 4, generator=torch.Generator().manual_seed(0))
    recorder = Recorder("words", Words(), (x, x.mean((1, 2))), loss="linear_mse", layers="attention.in_proj", **QUICK)
    recorder.record(1)
    recorder.close()
    assert not library.refusals(store, recorder.key)
    assert recorder.run.layers["attention.in_proj"] == (12, 4)
    assert recorder.run.class_names == ()
