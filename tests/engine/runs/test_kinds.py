"""Every kind of network, all the way: trained, kept, read back, analysed from a line of the command line."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cache.store import Store
from engine import analyze
from engine.__main__ import main
from engine.config.kinds import KINDS
from engine.config.presets import presets
from engine.config.requests import AnalysisRequest, DataRequest, ModelRequest, RunRequest, TrainingRequest
from engine.data.datasets import load
from engine.models.networks import build
from engine.runs import estimate, library
from engine.runs.pipeline import Pipeline
from tests.small import pixels, saved

NETS = {
    "mlp": ModelRequest(widths=(120, 6, 5, 3)),
    "cnn": ModelRequest("cnn", (1, 3)),
    "mlp-bn": ModelRequest("mlp-bn", (120, 6, 5, 3)),
    "resmlp": ModelRequest("resmlp", (120, 6, 6, 6, 3)),
    "lenet5": ModelRequest("lenet5", (1, 3)),
    "resnet": ModelRequest("resnet", (1, 2, 3, 3)),
    "vit": ModelRequest("vit", (1, 4, 4, 3)),
}
# A linear layer and a convolution of each, where it has one, and the one studied unasked.
LAYERS = {
    "mlp": ("fc1", "fc2"),
    "cnn": ("fc1", "conv4"),
    "mlp-bn": ("fc1", "fc2"),
    "resmlp": ("fc2", "fc3"),
    "lenet5": ("fc3", "fc2", "conv1"),
    "resnet": ("fc", "block1.conv1", "block2.conv2"),
    "vit": ("fc", "block1.q", "block2.fc2", "patch"),
}
PLAN = TrainingRequest(epochs=1, batch_size=8, momentum=0.5, checkpoints=(0,), stop_loss=None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(tmp_path_factory.mktemp("data"), **pixels(20, (12, 10)))


@pytest.fixture(params=KINDS)
def trained(request: pytest.FixtureRequest, data: str, tmp_path: Path) -> tuple[Pipeline, str]:
    pipeline = Pipeline(Store(tmp_path), "cpu")
    return pipeline, pipeline.train(RunRequest(DataRequest(data), NETS[request.param], training=PLAN))


def test_a_run_lists_all_its_layers_and_its_checkpoint_is_read_back_to_the_last_bit(trained) -> None:
    pipeline, key = trained
    run = library.find(pipeline.store, key)
    model, inputs, targets = pipeline.restore(key, 1)
    weighted = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)}
    assert run.layers == {name: tuple(m.weight.flatten(1).shape) for name, m in weighted.items()}
    assert run.studied == list(run.layers)[-2]
    kept = pipeline.weights("runs", key, "checkpoints", "00001")
    state = model.state_dict()
    assert set(kept) == {*state, *("momentum/" + name for name, _ in model.named_parameters())}
    assert all(torch.equal(kept[name], tensor) and kept[name].dtype == tensor.dtype for name, tensor in state.items())
    with torch.no_grad():
        right = (model(inputs).argmax(dim=1) == targets).double().mean()
    assert right == pytest.approx(run.history.train_accuracy[-1])


def test_batchnorm_is_trained_on_mini_batches_and_kept_with_its_averages(data: str, tmp_path: Path) -> None:
    for kind in ("mlp-bn", "resnet"):
        pipeline = Pipeline(Store(tmp_path), "cpu")
        key = pipeline.train(RunRequest(DataRequest(data), NETS[kind], training=PLAN))
        fresh, (model, *_) = build(NETS[kind], 0), pipeline.restore(key, 1)
        assert not model.training
        for (name, before), after in zip(fresh.named_buffers(), model.buffers(), strict=True):
            assert not torch.equal(before, after), name
            assert "batches" not in name or after == 3


@pytest.mark.parametrize("kind", ["mlp-bn", "resnet", "vit"])
def test_a_continued_run_is_the_run_that_was_never_interrupted(kind: str, data: str, tmp_path: Path) -> None:
    request = RunRequest(DataRequest(data), NETS[kind], training=replace(PLAN, epochs=3, checkpoints=(0, 1)))
    pipeline = Pipeline(Store(tmp_path), "cpu")
    key = pipeline.train(request)
    last = pipeline.weights("runs", key, "checkpoints", "00003")
    pipeline.store.delete("runs", key, "checkpoints", "00003")
    assert pipeline.train(request) == key
    again = pipeline.weights("runs", key, "checkpoints", "00003")
    assert last.keys() == again.keys()
    assert all(torch.equal(last[name], again[name]) for name in last)


def test_one_sample_alone_is_no_mini_batch_for_batchnorm(data: str, tmp_path: Path) -> None:
    plan = replace(PLAN, batch_size=19)
    with pytest.raises(ValueError, match="cannot normalise a mini-batch of 1 sample, and batches of 19 leave one"):
        Pipeline(Store(tmp_path), "cpu").train(RunRequest(DataRequest(data), NETS["mlp-bn"], training=plan))


def test_layers_are_analysed_as_by_hand_and_estimated(trained) -> None:
    pipeline, key = trained
    run = library.find(pipeline.store, key)
    model, inputs, targets = pipeline.restore(key, 1)
    for layer in {*LAYERS[run.request.model.kind], run.studied}:
        kept = pipeline.analyze(AnalysisRequest(key, 1, layer, 8, top_k=4, spectra=0))
        by_hand = analyze(model, inputs, targets, layer, "ce", 8, top_k=4, device="cpu", spectra=0)
        np.testing.assert_array_equal(kept.eigenvalues, by_hand.eigenvalues)
        np.testing.assert_array_equal(kept.diagonal("C"), by_hand.diagonal("C"))
        subject = estimate.subject_of(run, layer)
        made = kept.provenance
        assert (subject.d_out, subject.d_in, subject.places) == (made.d_out, made.d_in, made.places)
        assert subject.full == (made.curvature == "full")


def test_a_convolution_is_analysed_from_the_command_line(trained, monkeypatch, capsys) -> None:
    pipeline, key = trained
    monkeypatch.setenv("GAMMASCOPE_CACHE", str(pipeline.store.root))
    layer = LAYERS[library.find(pipeline.store, key).request.model.kind][-1]
    assert main(["analyze", "--layer", layer, "--top-k", "3", "--device", "cpu"]) == 0
    assert f"layer {layer}" in capsys.readouterr().out
    assert [a.request.layer for a in library.analyses(pipeline.store, key)] == [layer]
    assert main(["analyze", "--layer", "conv99", "--device", "cpu"]) == 1
    assert "has no layer 'conv99'; the layers that can be studied are" in capsys.readouterr().err


def test_a_large_layer_is_analysed_unasked_in_its_leading_directions_but_for_the_papers_networks(trained) -> None:
    pipeline, key = trained
    run = library.find(pipeline.store, key)
    wide = {"lenet5": 100}.get(run.request.model.kind)  # 84 × 120; of the others here the studied layer is small
    assert library.default_analysis(run, 1) == AnalysisRequest(key, 1, run.studied, 8, top_k=wide)
    assert library.usual_directions("mlp", 10_080) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", [p.name for p in presets() if p.network])
def test_the_presets_know_unseen_digits(name: str) -> None:
    from engine.training.sgd import train

    (preset,) = (p for p in presets() if p.name == name)
    run, began = preset.request, time.process_time()
    *_, step = train(build(run.model, run.seed), load(run.data), run.loss, run.training, run.seed, "cpu")
    print(
        f"{name}: {step.record.test_accuracy:.1%} of the unseen digits, {time.process_time() - began:.0f} CPU seconds"
    )
    assert step.record.test_accuracy > 0.9
