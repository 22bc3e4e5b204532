"""engine.training.sgd: SGD against torch.optim, its records, and that a continued run is the same run."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config.requests import DataRequest, ModelRequest, TrainingRequest
from engine.data.datasets import Dataset, load
from engine.losses import LOSSES
from engine.models.networks import build
from engine.training import sgd
from engine.training.schedule import learning_rate
from engine.training.sgd import train
from tests.small import BRIEF, IMAGES, SMALL, assert_same, dataset, run


@pytest.fixture(scope="module")
def planted() -> Dataset:
    return dataset()


# -- the steps themselves -------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"clip_norm": 0.05},
        {"clip_norm": None},
        {"momentum": 0.9},
        {"momentum": 0.5, "weight_decay": 0.1, "clip_norm": 0.2},
    ],
    ids=str,
)
def test_the_weights_are_those_of_torch_optim(
    planted: Dataset, loss: str, changed: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twin: torch.optim.SGD, clip_grad_norm_ and CosineAnnealingLR on the same batches."""
    request = replace(BRIEF, **changed)
    orders: list[Tensor] = []
    randperm = torch.randperm

    def listening(*args, **named) -> Tensor:
        orders.append(randperm(*args, **named))
        return orders[-1]

    monkeypatch.setattr(sgd.torch, "randperm", listening)
    steps = run(planted, request, loss=loss)

    model = build(SMALL, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=request.momentum, weight_decay=request.weight_decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5, eta_min=0.001)
    assert len({tuple(order.tolist()) for order in orders}) == 4  # shuffled anew every epoch
    for order in orders:
        assert order.sort().values.tolist() == [*range(27)]
        for start in range(0, 27, 8):
            rows = order[start : start + 8]
            optimizer.zero_grad()
            LOSSES[loss].value(model(planted.train_x[rows]), planted.train_y[rows]).mean().backward()
            if request.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), request.clip_norm)
            optimizer.step()
        cosine.step()
    state = model.state_dict()
    for name in state:
        torch.testing.assert_close(steps[-1].checkpoint[name], state[name], rtol=1e-4, atol=1e-6)


def test_a_clipped_step_has_the_clip_as_its_length(planted: Dataset) -> None:
    request = replace(BRIEF, epochs=1, batch_size=27, learning_rate=0.5, clip_norm=1e-3, checkpoints=(0,))
    before, after = (s.checkpoint for s in run(planted, request))
    length = math.sqrt(sum(float((after[k] - before[k]).square().sum()) for k in before))
    assert length == pytest.approx(0.5e-3, rel=1e-3)


@settings(max_examples=50, deadline=None)
@given(rate=st.floats(1e-4, 10), ratio=st.floats(0, 1), period=st.integers(1, 500), done=st.integers(0, 1000))
def test_the_rate_falls_along_a_cosine_and_stays_at_its_end(rate: float, ratio: float, period: int, done: int) -> None:
    request = TrainingRequest(learning_rate=rate, final_rate_ratio=ratio, cosine_epochs=period)
    now, then = learning_rate(request, done), learning_rate(request, done + 1)
    assert then <= now * (1 + 1e-12)
    assert learning_rate(request, 0) == pytest.approx(rate)
    assert learning_rate(request, period + done) == pytest.approx(ratio * rate, abs=1e-15 * rate)
    if done <= period:
        mirrored = learning_rate(request, period - done)
        assert now + mirrored == pytest.approx(rate * (1 + ratio))


def test_the_papers_rates(planted: Dataset) -> None:
    paper = TrainingRequest()
    assert learning_rate(paper, 250) == pytest.approx((0.1 + 0.001) / 2)
    assert learning_rate(paper, 100) == pytest.approx(0.001 + 0.099 * (1 + math.cos(math.pi / 5)) / 2)
    rates = [s.record.learning_rate for s in run(planted)]
    assert rates == [learning_rate(BRIEF, max(e - 1, 0)) for e in range(5)]


# -- records and checkpoints ----------------------------------------------------------------------


def test_each_epoch_is_recorded_and_the_chosen_ones_kept(planted: Dataset) -> None:
    steps = run(planted)
    assert [s.record.epoch for s in steps] == [0, 1, 2, 3, 4]
    assert [s.checkpoint is not None for s in steps] == [True, False, True, False, True]
    assert [s.end for s in steps] == [None] * 4 + ["All 4 epochs done."]
    assert_same(steps[0].checkpoint, build(SMALL, 1).state_dict())
    assert all(s.record.seconds > 0 for s in steps)
    assert len(run(planted, replace(BRIEF, epochs=0))) == 1


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("at_once", [1, 4, 1000])
def test_records_hold_the_means_over_all_samples(
    planted: Dataset, loss: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sgd, "EVALUATED_AT_ONCE", at_once)
    last = run(planted, loss=loss)[-1]
    model = build(SMALL, 0)
    model.load_state_dict(last.checkpoint)
    for x, y, loss_, accuracy in (
        (planted.train_x, planted.train_y, last.record.train_loss, last.record.train_accuracy),
        (planted.test_x, planted.test_y, last.record.test_loss, last.record.test_accuracy),
    ):
        logits = model(x).detach()
        assert loss_ == pytest.approx(float(LOSSES[loss].value(logits, y).mean()), rel=1e-5)
        assert accuracy == pytest.approx(float((logits.argmax(1) == y).double().mean()))


def test_without_a_test_part_nothing_is_said_about_it() -> None:
    record = run(dataset(m=0))[-1].record
    assert (record.test_loss, record.test_accuracy) == (None, None)


def test_checkpoints_are_copies(planted: Dataset) -> None:
    model = build(SMALL, 1)
    steps = train(model, planted, "ce", replace(BRIEF, momentum=0.9), seed=5, device="cpu")
    first = next(steps)
    kept = {name: t.clone() for name, t in first.checkpoint.items()}
    list(steps)
    assert_same(first.checkpoint, kept)
    storages = {t.untyped_storage().data_ptr() for t in first.checkpoint.values()}
    assert len(storages) == len(first.checkpoint) == 6


# -- the same run again, and continued ------------------------------------------------------------


def test_the_seed_decides_the_run_and_the_global_state_does_not(planted: Dataset) -> None:
    torch.manual_seed(0)
    first = run(planted)
    torch.manual_seed(99)
    again = run(planted)
    assert_same(first[-1].checkpoint, again[-1].checkpoint)
    assert [replace(s.record, seconds=0.0) for s in first] == [replace(s.record, seconds=0.0) for s in again]
    other = run(planted, seed=6)
    assert not torch.equal(other[-1].checkpoint["fc1.weight"], first[-1].checkpoint["fc1.weight"])


@pytest.mark.parametrize("net", [SMALL, IMAGES], ids=["mlp", "cnn"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("epoch", [0, 2, 4])
def test_a_continued_run_is_the_uninterrupted_run(net: ModelRequest, momentum: float, epoch: int) -> None:
    data = dataset() if net is SMALL else dataset(sample=(1, 8, 8))
    request = replace(BRIEF, momentum=momentum)
    whole = run(data, request, net)
    rest = run(data, request, net, start=(epoch, whole[epoch].checkpoint))
    assert [replace(s.record, seconds=0.0) for s in rest] == [replace(s.record, seconds=0.0) for s in whole[epoch:]]
    assert_same(rest[-1].checkpoint, whole[-1].checkpoint)
    assert rest[-1].end == whole[-1].end
    # and the start matters: an order or a momentum forgotten would show
    assert not torch.equal(whole[-1].checkpoint["fc1.weight"], whole[2].checkpoint["fc1.weight"])


def test_a_run_can_be_lengthened(planted: Dataset) -> None:
    short = run(planted, replace(BRIEF, epochs=2))
    assert_same(run(planted, start=(2, short[-1].checkpoint))[-1].checkpoint, run(planted)[-1].checkpoint)


# -- real digits ----------------------------------------------------------------------------------


def test_three_digits_are_learnt() -> None:
    data = load(DataRequest(classes=(0, 1, 2), per_class=200))
    request = TrainingRequest(epochs=15, batch_size=50)
    last = run(data, request, ModelRequest(widths=(784, 50, 50, 3)))[-1].record
    assert last.train_accuracy > 0.98
    assert last.test_accuracy > 0.94
    assert last.train_loss < 0.1


def test_the_cnn_learns_digits() -> None:
    data = load(DataRequest(classes=(0, 1), per_class=100))
    data = replace(data, train_x=data.train_x[..., ::2, ::2], test_x=data.test_x[..., ::2, ::2])
    request = TrainingRequest(epochs=5, batch_size=10, learning_rate=0.3)
    last = run(data, request, ModelRequest("cnn", (1, 2)))[-1].record
    assert last.test_accuracy > 0.95


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_continued_run_is_the_uninterrupted_run_on_cuda() -> None:
    data = dataset(sample=(1, 8, 8))
    whole = run(data, BRIEF, IMAGES, device="cuda")
    rest = run(data, BRIEF, IMAGES, device="cuda", start=(2, whole[2].checkpoint))
    assert_same(rest[-1].checkpoint, whole[-1].checkpoint)
