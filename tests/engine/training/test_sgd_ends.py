"""engine.training.sgd: why a run ends, and what wrong settings are told."""

import math
from dataclasses import replace

import pytest
import torch

from engine.config.requests import ModelRequest, TrainingRequest
from engine.data.datasets import Dataset
from engine.models.networks import build
from engine.training.sgd import train
from tests.small import BRIEF, SMALL, assert_same, dataset, run


@pytest.fixture(scope="module")
def planted() -> Dataset:
    return dataset()


# -- ends -----------------------------------------------------------------------------------------


def test_it_stops_where_every_sample_is_right_and_the_loss_small() -> None:
    data = dataset(n=6, m=0)
    request = replace(BRIEF, epochs=500, batch_size=3, cosine_epochs=500, stop_loss=0.05)
    steps = run(data, request)
    last = steps[-1]
    assert 0 < last.record.epoch < 500
    assert last.record.train_accuracy == 1
    assert last.record.train_loss < 0.05 <= steps[-2].record.train_loss
    assert last.end == f"Stopped at epoch {last.record.epoch}: converged (100 % train accuracy, loss below 0.05)."
    assert last.checkpoint is not None
    again = run(data, request, start=(last.record.epoch, last.checkpoint))
    assert [s.end for s in again] == [last.end]


def test_a_small_loss_alone_does_not_stop_it() -> None:
    """Two equal samples of two classes: never more than half right, whatever the loss."""
    half = Dataset(
        torch.ones(2, 6), torch.tensor([0, 1]), torch.ones(0, 6), torch.ones(0, dtype=torch.int64), ("a", "b"), "", ""
    )
    request = replace(BRIEF, batch_size=2, stop_loss=10.0)
    steps = run(half, request, ModelRequest(widths=(6, 5, 2)))
    assert steps[-1].end == "All 4 epochs done."


@pytest.mark.parametrize(
    ("net", "rate", "clip", "epochs"),
    [(ModelRequest(widths=(6, 3)), 100.0, None, (2, 20)), (SMALL, 1e30, 5.0, (0, 0))],
    ids=["slowly", "at once"],
)
def test_when_the_loss_is_lost_the_last_finite_weights_remain(
    planted: Dataset, net: ModelRequest, rate: float, clip: float | None, epochs: tuple[int, int]
) -> None:
    request = replace(BRIEF, epochs=60, learning_rate=rate, clip_norm=clip, checkpoints=())
    model = build(net, 1)
    steps = list(train(model, planted, "linear_mse", request, seed=5, device="cpu"))
    last = steps[-1]
    lost = last.record.epoch + 1
    assert last.end.startswith(("The loss became NaN in epoch", "The loss became infinite in epoch"))
    assert f"in epoch {lost}: the learning rate" in last.end
    assert ("clip the gradient" in last.end) == (clip is None)
    assert epochs[0] <= last.record.epoch <= epochs[1]
    assert last.record == steps[-2].record
    assert all(math.isfinite(s.record.train_loss) for s in steps)
    assert all(t.isfinite().all() for t in last.checkpoint.values())
    assert_same(last.checkpoint, model.state_dict())
    assert [s.checkpoint is None for s in steps] == [True] * (len(steps) - 1) + [False]


def test_lost_weights_are_not_trained_on(planted: Dataset) -> None:
    model = build(SMALL, 1)
    model.get_submodule("fc2").weight.data[0, 0] = torch.nan
    steps = list(train(model, planted, "ce", BRIEF, seed=0, device="cpu"))
    assert [s.end for s in steps] == ["The loss is not finite before any training: start from other weights."]


# -- wrong settings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": -1}, "epochs.*-1"),
        ({"batch_size": 0}, "between 1 and the 27 training samples; 0"),
        ({"batch_size": 28}, "between 1 and the 27 training samples; 28"),
        ({"learning_rate": 0.0}, "learning rate.*above 0; 0.0"),
        ({"learning_rate": math.inf}, "learning rate.*inf"),
        ({"cosine_epochs": 0}, "cosine.*at least 1 epoch; 0"),
        ({"final_rate_ratio": 1.5}, "between 0 and 1 times.*1.5"),
        ({"clip_norm": 0.0}, "clipped at a number above 0.*0.0"),
        ({"momentum": 1.0}, "momentum.*below 1; 1.0"),
        ({"weight_decay": -0.1}, "weight decay.*-0.1"),
        ({"stop_loss": 0.0}, "loss above 0.*0.0"),
    ],
)
def test_wrong_settings_are_told_before_any_work(planted: Dataset, changed: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train(build(SMALL, 0), planted, "ce", replace(BRIEF, **changed), seed=0)


def test_a_net_a_loss_a_seed_or_a_checkpoint_that_do_not_fit_are_told(planted: Dataset) -> None:
    def start(net: ModelRequest = SMALL, loss: str = "ce", seed: int = 0, request: TrainingRequest = BRIEF, **more):
        return train(build(net, 0), planted, loss, request, seed=seed, device="cpu", **more)

    with pytest.raises(ValueError, match=r"cannot take samples of shape \(6,\) \(6 numbers each\)"):
        start(ModelRequest(widths=(7, 3)))
    with pytest.raises(ValueError, match=r"output for two samples is \(2, 4\), but these data have 3 classes"):
        start(ModelRequest(widths=(6, 4)))
    with pytest.raises(ValueError, match="hinge"):
        start(loss="hinge")
    with pytest.raises(ValueError, match=r"seed.*-1"):
        start(seed=-1)
    weights = build(SMALL, 0).state_dict()
    with pytest.raises(ValueError, match=r"no momentum of fc1.weight.*Set momentum to 0"):
        start(request=replace(BRIEF, momentum=0.9), start=(2, weights))
    with pytest.raises(ValueError, match=r"belongs to another model.*fc3") as caught:
        start(start=(2, {k: v for k, v in weights.items() if "fc3" not in k}))
    assert "\n" not in str(caught.value)
