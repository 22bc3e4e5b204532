"""Networks and losses as scripts have them, recorded: tied and frozen layers, half precision, sums over a batch."""

import numpy as np
import pytest
import torch
from torch import nn

from engine import Recorder, analyze
from engine.__main__ import main
from engine.runs import library

X, Y = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 3
QUICK = {"spectra": 0, "anchors_per_class": 5, "device": "cpu", "batch_size": 10}


class Tied(nn.Module):
    """A decoder with its encoder's weights, and a layer that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.decoder, self.idle = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.decoder.weight = self.encoder.weight
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(torch.relu(self.decoder(torch.relu(self.encoder(x)))))
        return logits


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def test_all_layers_leaves_none_out_in_silence(store, capsys):
    with pytest.warns(UserWarning, match="Left out of all layers: encoder, decoder, idle") as told:
        recorder = Recorder("tied", Tied(), (X, Y), layers="all", keep_data=True, **QUICK)
    (sentence,) = [str(w.message) for w in told if "Left out" in str(w.message)]
    assert "The weights of 'encoder' are shared with decoder.weight" in sentence
    assert "The model does not use layer 'idle'" in sentence
    recorder.record(1)
    recorder.close()
    run = library.find(store, recorder.key)
    assert tuple(run.layers) == ("last",)
    assert main(["layers", "--run", run.key]) == 0
    assert "The weights of 'decoder' are shared with encoder.weight" in capsys.readouterr().out
    main(["analyze", "--run", run.key, "--layer", "all", "--device", "cpu"])
    assert "Left out of all layers: decoder, encoder, idle" in capsys.readouterr().err


def test_a_frozen_layer_is_recorded_as_frozen(store):
    model = mlp()
    model[0].requires_grad_(False)
    with Recorder("frozen", model, (X, Y), layers="all", **QUICK) as recorder:
        recorder.record(1)
    assert any("Layer '0' is frozen" in note for note in recorder.analyze(1, "0").provenance.notes)
    assert not any("frozen" in note for note in recorder.analyze(1, "2").provenance.notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_network_in_half_precision_is_measured_in_single(store, dtype):
    model = mlp().to(dtype)
    before = [p.clone() for p in model.parameters()]
    with Recorder("half", model, (X, Y), layers="0", **QUICK) as recorder:
        recorder.record(1)
    result, expected = recorder.analyze(1, "0"), analyze(mlp().to(dtype).float(), X, Y, "0", **QUICK)
    np.testing.assert_allclose(result.eigenvalues, expected.eigenvalues, atol=1e-6 * expected.eigenvalues[0])
    assert any(f"The network is in {str(dtype).removeprefix('torch.')}" in n for n in result.provenance.notes)
    assert not any("The network is in" in note for note in expected.provenance.notes)
    assert all(p.dtype == dtype and torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert max(c.error for c in recorder.check(1, "0") if len(c.directions) == 1) < 1e-3


@pytest.mark.parametrize(
    ("loss", "targets", "factor"),
    [(nn.CrossEntropyLoss, Y, 1), (nn.MSELoss, torch.eye(3)[Y], 3), (nn.BCEWithLogitsLoss, torch.eye(3)[Y], 3)],
)
def test_a_loss_that_sums_is_that_of_a_sample_and_says_so(store, loss, targets, factor):
    """Over a sample's own outputs it sums too, where the mean divides by K = 3."""
    with Recorder("sum", mlp(), (X, targets), loss(reduction="sum"), layers="2", **QUICK) as recorder:
        recorder.record(1)
    summed, mean = recorder.analyze(1, "2"), analyze(mlp(), X, targets, "2", loss(), **QUICK)
    h1 = mean.eigenvalues[0] * factor
    np.testing.assert_allclose(summed.eigenvalues, mean.eigenvalues * factor, atol=1e-5 * h1)
    np.testing.assert_allclose(summed.traces["C"], mean.traces["C"] * factor**2, rtol=1e-4)
    assert any("reduction='sum'" in note for note in summed.provenance.notes)
    assert not any("reduction" in note for note in mean.provenance.notes)
