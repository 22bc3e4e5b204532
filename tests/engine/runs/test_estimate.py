"""engine.runs.estimate: counts against what the nets really do, and seconds that follow the calibration."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cache.store import Store
from engine import units
from engine.config.command_line import parse
from engine.config.commands import CalibrateCommand
from engine.config.requests import ModelRequest, RunRequest, TrainingRequest
from engine.curvature import joint_memory
from engine.curvature.joint import JointTail
from engine.curvature.joint_moments import JointMoments
from engine.models.networks import build
from engine.runs import estimate, library
from engine.runs.benchmark import measure
from tests.planted import CALIBRATION

NETS = [
    (ModelRequest(), (784,), (28, 28)),
    (ModelRequest(widths=(30, 20, 4)), (30,), (28, 28)),
    (ModelRequest("cnn", (3, 10)), (3, 16, 20), (16, 20)),
]


@pytest.mark.parametrize(("net", "shape", "image"), NETS)
def test_operations_are_those_torch_counts(net: ModelRequest, shape: tuple[int, ...], image: tuple[int, int]) -> None:
    model, x = build(net, 0), torch.randn(6, *shape)
    with FlopCounterMode(display=False) as counter:
        loss = nn.functional.cross_entropy(model(x), torch.zeros(6, dtype=torch.long))
    assert counter.get_total_flops() == pytest.approx(6 * estimate.forward_operations(net, image), rel=1e-12)
    with counter:
        loss.backward()
    parameters = sum(p.numel() for p in model.parameters())
    counted = estimate.step_operations(net, 6, image) - estimate.UPDATE_OPERATIONS * parameters
    assert counter.get_total_flops() + 6 * estimate.forward_operations(net, image) == pytest.approx(counted, rel=1e-12)


def test_training_is_linear_in_epochs_and_knows_better_sources() -> None:
    request = RunRequest()
    once = estimate.training(request, 4500, calibration=CALIBRATION)
    twice = dataclasses.replace(request, training=TrainingRequest(epochs=200))
    assert estimate.training(twice, 4500, calibration=CALIBRATION).seconds == pytest.approx(2 * once.seconds)
    assert not once.measured
    known = estimate.training(request, 4500, calibration=CALIBRATION, epoch_seconds=0.25)
    assert (known.seconds, known.measured) == (25.0, True)
    assert estimate.training(request, 4500).seconds is None
    fast = dataclasses.replace(CALIBRATION, step=1e-5, dense=4e11)
    assert estimate.training(request, 4500, calibration=fast).seconds == pytest.approx(once.seconds / 10)
    smaller = dataclasses.replace(request, training=TrainingRequest(batch_size=500))
    assert estimate.training(smaller, 4500, calibration=CALIBRATION).seconds < once.seconds
    with pytest.raises(ValueError, match="at least 1 sample"):
        estimate.training(request, 0)


def test_an_analysis_grows_with_its_layer_and_its_samples() -> None:
    subject = estimate.subject(ModelRequest(), "fc2")
    assert (subject.d_out, subject.d_in, subject.rank, subject.dimension) == (50, 50, 10, 2500)
    base = estimate.analysis(subject, 4500, calibration=CALIBRATION)
    more = estimate.analysis(subject, 9000, calibration=CALIBRATION)
    wider = estimate.analysis(
        estimate.subject(ModelRequest(widths=(784, 50, 60, 10)), "fc2"), 4500, calibration=CALIBRATION
    )
    assert base.seconds < more.seconds < wider.seconds
    assert base.bytes < more.bytes < wider.bytes
    assert estimate.analysis(subject, 4500).seconds is None
    few = estimate.analysis(estimate.Subject(1000, 1000, 10, 10), 100, top_k=20, calibration=CALIBRATION)
    assert few.bytes < 3 * 2**30
    assert few.seconds < estimate.analysis(estimate.Subject(1000, 1000, 10, 10), 100, calibration=CALIBRATION).seconds


def test_a_smooth_tail_has_full_rank() -> None:
    smooth = ModelRequest(widths=(8, 7, 6, 3), activation="tanh")
    assert estimate.subject(smooth, "fc2").rank == 6
    assert estimate.subject(smooth, "fc3").rank == 3
    with pytest.raises(ValueError, match="its linear layers are fc1, fc2, fc3"):
        estimate.subject(smooth, "fc9")


def test_a_calibration_is_kept_for_its_own_computer(tmp_path) -> None:
    store = Store(tmp_path)
    assert library.calibration(store) is None
    library.keep_calibration(store, CALIBRATION)
    assert library.calibration(store) == CALIBRATION
    library.keep_calibration(store, dataclasses.replace(CALIBRATION, host="another computer"))
    assert library.calibration(store) is None
    store.write(("calibration",), {"device": "CPU", "speed": 1})
    assert library.calibration(store) is None


def test_measuring_gives_speeds_and_can_be_stopped() -> None:
    stages = []

    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure("cpu", stop)
    assert stages == ["measuring small steps", "measuring large steps", "measuring convolutions"]
    found = measure("cpu", start=2.5)
    assert (found.device, found.host, found.start) == ("CPU", units.host(), 2.5)
    speeds = dataclasses.astuple(found)[4:]
    assert all(value > 0 for value in speeds)
    assert parse(["calibrate", "--device", "cpu"]) == CalibrateCommand(device="cpu")


def test_a_joint_analysis_costs_more_than_its_layers() -> None:
    net = ModelRequest(widths=(784, 50, 50, 50, 50, 10))
    joint = estimate.subject(net, "fc2+fc3+fc4")
    assert (joint.d_out, joint.d_in, joint.rank, joint.dimension) == (150, 150, 10, 7500)
    alone = estimate.analysis(estimate.subject(net, "fc2"), 20_000, calibration=CALIBRATION)
    found = estimate.analysis(joint, 20_000, calibration=CALIBRATION)
    pair = estimate.analysis(estimate.subject(net, "fc2+fc3"), 20_000, calibration=CALIBRATION)
    assert alone.seconds * 3 < pair.seconds < found.seconds < alone.seconds * 100
    assert alone.bytes < pair.bytes < found.bytes < 10 * 2**30
    few = estimate.analysis(estimate.subject(net, "fc1+fc2+fc3+fc4"), 20_000, top_k=100, calibration=CALIBRATION)
    assert few.bytes < 4 * 2**30
    assert estimate.subject(dataclasses.replace(net, activation="tanh"), "fc2+fc3").rank == 100
    with pytest.raises(ValueError, match="no layer 'fc9'"):
        estimate.subject(net, "fc2+fc9")


def test_joint_products_are_counted_as_they_are_made(monkeypatch) -> None:
    """Against torch's own count of a dense joint analysis' matrix products."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)).double()
    inputs, targets = torch.randn(40, 8), torch.arange(40) % 3
    tail = JointTail(model, ("0", "2", "4"), inputs, targets, "ce", device=torch.device("cpu"), dtype=torch.float64)
    factors = tail.factors(slice(0, 40))
    monkeypatch.setattr(tail, "factors", lambda _: factors)
    with FlopCounterMode(display=False) as counter:
        JointMoments(tail, torch.zeros(0)).dense(40)
    assert counter.get_total_flops() == pytest.approx(40 * joint_memory.dense(tail.shapes), rel=0.15)
