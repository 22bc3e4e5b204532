"""Every sample of a checkpoint: its numbers against brute force, and their way through the cache."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from cache.store import Store
from engine.__main__ import main
from engine.config.command_line import words
from engine.config.commands import TrainCommand
from engine.config.requests import DataRequest, ModelRequest, RunRequest
from engine.losses import LOSSES
from engine.runs import library
from engine.runs.pipeline import Pipeline
from engine.samples import collect, table
from tests.engine.runs.conftest import TRAINING
from tests.reference import diagnostics, losses, twins
from tests.reference.cases import mlp
from tests.small import write_data

SIZES = (4, 6, 5, 3)


def network(activation=nn.ReLU, seed=0):
    torch.manual_seed(seed)
    model = mlp(SIZES, activation, bias=True).eval()
    return model, torch.randn(40, SIZES[0]), torch.arange(40) % SIZES[-1]


def looked(model, inputs, targets, loss="ce"):
    names = tuple("abc")
    return collect.look(model, inputs, targets, "fc2", loss, 5, 7, names, "cpu")


def brute_fisher(model, inputs, loss):
    """E_p E_{y ~ p(y | x_p)}[∇ log p ∇ log pᵀ] from its definition."""
    weight = model.get_submodule("fc2").weight.detach()
    samples = [
        losses.sample_fisher(
            lambda w, x=x: functional_call(model, {"fc2.weight": w.view(weight.shape)}, (x[None],))[0],
            weight.flatten(),
            loss,
        )
        for x in inputs
    ]
    return torch.stack(samples).mean(0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_the_numbers_of_every_sample_equal_their_definitions(activation, loss):
    model, inputs, targets = network(activation)
    samples = looked(model, inputs, targets, loss)
    exact, x = model.double(), inputs.double()
    g, h = twins.per_sample(exact, "fc2", x, targets, loss)
    a = twins.activities(exact, "fc2", x)
    twins.compare(samples.activity, a, 1e-5, "activities")
    assert samples.partner.tolist() == twins.nearest_partner(a, targets)
    logits = exact(x).detach()
    assert samples.predicted.tolist() == logits.argmax(1).tolist()
    twins.compare(samples.confidence, logits.softmax(1)[torch.arange(40), targets], 1e-4, "confidence")
    twins.compare(
        samples.loss, [losses.sample_loss(f, y, loss) for f, y in zip(logits, targets, strict=True)], 1e-4, "loss"
    )

    hessian = h.mean(0).numpy()
    values, vectors = diagnostics.eigenbasis(hessian)
    twins.compare(samples.eigenvalues, values, 1e-4, "H_ii")
    count = 3  # well separated ones: others may turn among themselves
    for p in (0, 11, 39):
        own, axes = np.linalg.eigh(h[p].numpy())
        order = np.abs(own).argsort()[::-1]
        twins.compare(samples.kappa[p], own[order][: samples.kappa.shape[1]], 1e-3, f"κ of sample {p}")
        twins.compare(samples.alignment[p, :count], (axes[:, order[0]] @ vectors[:, :count]) ** 2, 1e-2, f"α of {p}")

    second = (g.T @ g / len(g)).numpy()
    mean = g.mean(0).numpy()
    matrices = {
        "H": hessian,
        "C": (second - np.outer(mean, mean)) / 5,
        "E_h2": (h @ h).mean(0).numpy(),
        "empirical": second,
        "fisher": brute_fisher(exact, x, loss).numpy(),
    }
    for name, matrix in matrices.items():
        whole = samples.diagonals[name]
        twins.compare(whole[:count], np.diag(vectors.T @ matrix @ vectors)[:count], 1e-3, f"diagonal of {name}")
        twins.compare(whole.sum(), np.trace(matrix), 1e-4, f"trace of {name}")


def test_the_fisher_matrix_is_the_hessian_where_theory_says_so_and_only_there():
    model, inputs, targets = network()
    relu = looked(model, inputs, targets)
    twins.compare(relu.diagonals["fisher"], relu.diagonals["H"], 1e-4, "ReLU, cross-entropy")
    linear = looked(model, inputs, targets, "linear_mse")
    twins.compare(linear.diagonals["fisher"], linear.diagonals["H"], 1e-4, "ReLU, linear squares")
    for other in (looked(model, inputs, targets, "mse"), looked(*network(nn.Tanh))):
        apart = np.abs(other.diagonals["fisher"] - other.diagonals["H"]).max() / other.eigenvalues[0]
        assert apart > 1e-2, "the loss' Hessian in f depends on the label, or the tail is curved"


def test_neighbours_are_the_nearest_of_their_class_and_never_the_sample_itself():
    samples = looked(*network())
    distance = np.linalg.norm(samples.activity.astype(float) - samples.activity[4], axis=1)
    for of_class in (0, 1, None):
        pool = [q for q in range(40) if q != 4 and (of_class is None or samples.targets[q] == of_class)]
        expected = sorted(pool, key=lambda q: distance[q])[:6]
        assert samples.neighbours(4, of_class, 6).tolist() == expected
    assert samples.neighbours(4, int(samples.targets[4]), 1)[0] == samples.partner[4]


@pytest.fixture
def trained(tmp_path):
    store = Store(tmp_path / "contents")
    data = DataRequest(write_data(tmp_path / "three.npz"))
    pipeline = Pipeline(store, "cpu")
    return pipeline, pipeline.train(RunRequest(data, ModelRequest(widths=(6, 5, 4, 3)), training=TRAINING))


def test_they_are_kept_and_come_back_as_they_were(trained):
    pipeline, run = trained
    made = collect.keep(pipeline, run, 6)
    samples = table.read(pipeline.store, library.find(pipeline.store, run), 6, "fc2")
    for field in dataclasses.fields(made):
        if field.name not in ("chain", "diagonals"):
            assert np.array_equal(getattr(samples, field.name), getattr(made, field.name)), field.name
    assert samples.diagonals.keys() == made.diagonals.keys()
    z = made.preactivation(made.activity)
    assert np.array_equal(samples.chain.value(z, samples.targets), made.chain.value(z, made.targets))
    twins.compare(samples.chain.value(z, samples.targets), made.loss, 1e-5, "the chain's loss is the network's")
    assert table.pictures(pipeline.store, library.find(pipeline.store, run)) is None, "six numbers are no picture"
    # A second look costs nothing.
    pipeline.store.delete("runs", run, "checkpoints", "00006")
    assert len(collect.keep(pipeline, run, 6)) == 120


def test_pictures_keep_channels_and_shrink_what_is_large():
    images = torch.linspace(-2, 3, 2 * 3 * 130 * 100).view(2, 3, 130, 100)
    pictures = collect.pictures(images)
    assert pictures.shape == (2, 44, 34, 3)
    assert pictures.dtype == np.uint8
    assert (pictures.min(), pictures.max()) == (0, 255)
    grey = collect.pictures(torch.rand(2, 1, 28, 28))
    assert grey.shape == (2, 28, 28)
    assert collect.pictures(torch.rand(2, 9)) is None


def test_the_command_looks_and_says_so(trained, monkeypatch, capsys):
    pipeline, run = trained
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(pipeline.store.root))
    assert main(["samples", "--run", run, "--epoch", "0,last", "--device", "cpu"]) == 0
    assert f"Done: 120 samples of epochs 0, 6 of run {run}, layer fc2." in capsys.readouterr().err
    assert main(["samples", "--run", run, "--layer", "fc9", "--device", "cpu"]) == 1
    assert "There is no layer 'fc9' to study; there are fc1, fc2, fc3." in capsys.readouterr().err


def test_training_ends_with_a_look_where_that_is_wished(trained, monkeypatch, capsys):
    pipeline, run = trained
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(pipeline.store.root))
    trained_run = library.find(pipeline.store, run)
    assert main(words(TrainCommand(trained_run.request, every_sample=("0",), device="cpu"))) == 0
    assert "Done: 120 samples of epoch 0 of run" in capsys.readouterr().err
    assert table.read(pipeline.store, trained_run, 0, "fc2") is not None
